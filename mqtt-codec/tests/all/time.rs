//! What time does to a connection: keep alive, slow packets, and the calls that touch a timer.

use std::time::Duration;

use crate::support::bytes;
use crate::support::ends::{
    V3_1_1, V5_0, accepted, asked, client_of, connect_of, connecting, seconds, sent, server_of,
};
use crate::support::utf8;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ConnectionError, Message, Reading, ServerConfig,
    ServerConnection, Session,
};
use mqtt_codec::{Connect, Properties, QoS, ReasonCode, Subscription};

/// A client of 5.0 with this keep alive, connected at 0.
fn client(keep_alive: u16) -> ClientConnection {
    let connect = Connect {
        keep_alive,
        ..Connect::clean(V5_0, utf8("c"))
    };
    client_of(&connect, ClientConfig::default(), "20: 00 00 00")
}

/// A server whose client has a keep alive of 10 seconds, accepted at 0.
fn server() -> ServerConnection {
    server_of(V5_0, ServerConfig::default())
}

/// A packet of 40 bytes that comes one byte in 5 seconds is not cut off by a keep alive of 10, nor
/// by a ping time-out of 10 (section 3.1.2.10 counts packets; Mosquitto 2.0.11 counts bytes).
// shows: 5.0 MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-24
#[test]
fn a_packet_that_comes_slowly() {
    let publish = bytes(&format!("30: 0001'a' 00 '{}'", "x".repeat(34)));
    assert_eq!(publish.len(), 40);
    let (mut server, mut client) = (server(), client(4));
    client.handle_timeout(seconds(4)).unwrap();
    assert_eq!(sent(&mut client), bytes("C0 00"));
    for length in 1..publish.len() {
        let now = seconds(5 * length as u64);
        assert_eq!(server.receive(now, &mut &publish[..length]), Ok(None));
        assert_eq!(server.poll_timeout(), Some(now + seconds(15)));
        server.handle_timeout(now).unwrap();
        assert_eq!(client.receive(now, &mut &publish[..length]), Ok(None));
        client.handle_timeout(now).unwrap();
    }
    let now = seconds(200);
    assert!(matches!(
        server.receive(now, &mut &publish[..]),
        Ok(Some(_))
    ));
    assert!(matches!(
        client.receive(now, &mut &publish[..]),
        Ok(Some(_))
    ));
    // PINGRESP comes behind it.
    let pong = bytes("D0 00");
    client.receive(seconds(209), &mut &pong[..]).unwrap();
    assert_eq!(client.handle_timeout(seconds(210)), Ok(()));
}

/// What is left over and presented again is no byte that has come.
#[test]
fn bytes_that_come_count_once() {
    let front = bytes("30 26 00");
    let mut server = server();
    for now in [1, 5, 10, 15] {
        assert_eq!(server.receive(seconds(now), &mut &front[..]), Ok(None));
        assert_eq!(server.poll_timeout(), Some(seconds(16)));
    }
    let version = V5_0;
    assert_eq!(
        server.handle_timeout(seconds(16)),
        Err(ConnectionError::PeerTimeout { version })
    );
    // The same for PINGRESP.
    let mut client = client(60);
    client.ping(seconds(0)).unwrap();
    for now in [1, 5, 10] {
        assert_eq!(client.receive(seconds(now), &mut &front[..]), Ok(None));
        assert_eq!(client.poll_timeout(), Some(seconds(11)));
    }
    assert_eq!(
        client.handle_timeout(seconds(11)),
        Err(ConnectionError::PingTimeout)
    );
}

/// While the embedder does not read, silence is its own; afterwards the peer has all its time.
#[test]
fn a_peer_whose_input_is_not_read() {
    let (mut server, mut client) = (server(), client(60));
    client.ping(seconds(0)).unwrap();
    server.set_reading(seconds(1), Reading::Paused);
    client.set_reading(seconds(1), Reading::Paused);
    assert_eq!(server.poll_timeout(), None);
    // A client sends PINGREQ all the same.
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
    for now in [16, 100, 1000] {
        server.handle_timeout(seconds(now)).unwrap();
        client.handle_timeout(seconds(now)).unwrap();
    }
    for now in [1000, 1001] {
        // Saying it again changes nothing.
        server.set_reading(seconds(now), Reading::Running);
        client.set_reading(seconds(now), Reading::Running);
        assert_eq!(server.poll_timeout(), Some(seconds(1015)));
        assert_eq!(client.poll_timeout(), Some(seconds(1010)));
    }
    let version = V5_0;
    assert_eq!(
        server.handle_timeout(seconds(1015)),
        Err(ConnectionError::PeerTimeout { version })
    );
    assert_eq!(
        client.handle_timeout(seconds(1010)),
        Err(ConnectionError::PingTimeout)
    );
}

/// Keep alive counts from when bytes leave, not from when they were queued (MQTT-3.1.2-20).
#[test]
fn pingreq_counts_from_what_has_left() {
    let message = Message::new("a", "x", QoS::AtMostOnce);
    let mut client = client(60);
    client.handle_timeout(seconds(30)).unwrap();
    client.publish(&message).unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
    client.poll_transmit(seconds(40), &mut Vec::new());
    assert_eq!(client.poll_timeout(), Some(seconds(100)));
    // Nothing leaves: nothing changes.
    client.poll_transmit(seconds(50), &mut Vec::new());
    assert_eq!(client.poll_timeout(), Some(seconds(100)));
    client.handle_timeout(seconds(100)).unwrap();
    assert_eq!(sent(&mut client), bytes("C0 00"));

    // From CONNECT on, whenever CONNACK comes.
    let connect = Connect::clean(V3_1_1, utf8("c"));
    let mut client = connecting(&connect, ClientConfig::default(), Session::new());
    client
        .receive(seconds(9), &mut &bytes("20: 00 00")[..])
        .unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
}

/// The time of a login is the peer's: it stands still while the embedder is to answer CONNECT or
/// an AUTH, and begins anew with each answer (section 4.12).
#[test]
fn a_login_waits_for_the_embedder() {
    let auth = bytes("F0: 18 {15 0001'M'}");
    let properties = Properties::EMPTY;
    let mut server = asked(
        "10: 0004'MQTT' 05 02 000A {15 0001'M'} 0001'c'",
        ServerConfig::default(),
    );
    for step in 1..4 {
        let now = seconds(100 * step);
        server.handle_timeout(now).unwrap();
        assert_eq!(server.poll_timeout(), None, "step {step}");
        let goes_on = ReasonCode::ContinueAuthentication;
        server.authenticate(now, goes_on, properties).unwrap();
        assert_eq!(server.poll_timeout(), Some(now + seconds(10)));
        server.receive(now + seconds(9), &mut &auth[..]).unwrap();
    }
    server
        .authenticate(seconds(500), ReasonCode::ContinueAuthentication, properties)
        .unwrap();
    assert_eq!(
        server.handle_timeout(seconds(510)),
        Err(ConnectionError::HandshakeTimeout)
    );
}

/// A time that goes back counts as the latest one.
#[test]
fn time_does_not_go_back() {
    let (mut server, mut client) = (server(), client(60));
    server.handle_timeout(seconds(10)).unwrap();
    server
        .receive(seconds(5), &mut &bytes("C0 00")[..])
        .unwrap();
    assert_eq!(server.poll_timeout(), Some(seconds(25)));
    client.handle_timeout(seconds(30)).unwrap();
    client.ping(seconds(5)).unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(40)));
    client.poll_transmit(seconds(1), &mut Vec::new());
    client
        .receive(seconds(2), &mut &bytes("D0 00")[..])
        .unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(90)));
}

/// Whatever is called at a time, once `handle_timeout` has been called at it nothing is due
/// at it; time passes between any two calls.
#[test]
fn nothing_is_due_after_handle_timeout() {
    type Call<C> = (&'static str, fn(&mut C, Duration));
    fn check<C>(
        calls: &[Call<C>],
        fresh: fn() -> C,
        handle_timeout: fn(&mut C, Duration),
        poll_timeout: fn(&C) -> Option<Duration>,
    ) {
        for step in [1, 3, 7, 16, 61] {
            for first in 0..calls.len() {
                let mut connection = fresh();
                let mut now = Duration::ZERO;
                for (at, (name, call)) in calls.iter().cycle().skip(first).take(30).enumerate() {
                    now += seconds(step + at as u64 % 3);
                    call(&mut connection, now);
                    handle_timeout(&mut connection, now);
                    let due = poll_timeout(&connection);
                    assert!(due.is_none_or(|due| due > now), "{name} {now:?} {due:?}");
                }
            }
        }
    }
    let clients: &[Call<ClientConnection>] = &[
        ("publish", |c, _| {
            c.publish(&Message::new("a", "x", QoS::AtMostOnce)).ok();
        }),
        ("poll_transmit", |c, now| {
            c.poll_transmit(now, &mut Vec::new());
        }),
        ("ping", |c, now| {
            c.ping(now).ok();
        }),
        ("receive", |c, now| {
            c.receive(now, &mut &bytes("D0 00")[..]).ok();
        }),
        ("a part", |c, now| {
            c.receive(now, &mut &bytes("D0")[..]).ok();
        }),
        ("pause", |c, now| c.set_reading(now, Reading::Paused)),
        ("nothing", |_, _| {}),
        ("go on", |c, now| c.set_reading(now, Reading::Running)),
        ("subscribe", |c, _| {
            let filter = [Subscription::new("a", QoS::AtMostOnce)];
            c.subscribe(&filter, Properties::EMPTY).ok();
        }),
    ];
    check(
        clients,
        || client(4),
        |c, now| {
            c.handle_timeout(now).ok();
        },
        ClientConnection::poll_timeout,
    );
    let servers: &[Call<ServerConnection>] = &[
        ("connect", |s, now| {
            s.receive(now, &mut &bytes(connect_of(V5_0))[..]).ok();
        }),
        ("accept", |s, now| {
            s.accept(now, &Accept::default(), Session::new()).ok();
        }),
        ("nothing", |_, _| {}),
        ("receive", |s, now| {
            s.receive(now, &mut &bytes("C0 00")[..]).ok();
        }),
        ("pause", |s, now| s.set_reading(now, Reading::Paused)),
        ("poll_transmit", |s, now| {
            s.poll_transmit(now, &mut Vec::new());
        }),
        ("go on", |s, now| s.set_reading(now, Reading::Running)),
        ("close", |s, now| {
            s.close(now, ReasonCode::Success, Properties::EMPTY).ok();
        }),
    ];
    check(
        servers,
        || ServerConnection::new(Duration::ZERO, ServerConfig::default()),
        |s, now| {
            s.handle_timeout(now).ok();
        },
        ServerConnection::poll_timeout,
    );
}

/// A stranger's CONNECT has a limit of its own; what is announced is the one after login.
#[test]
fn limits_before_login() {
    let config = ServerConfig::default();
    assert_eq!(config.limits_before_login.maximum_packet_size, 128 * 1024);
    let mut server = ServerConnection::new(Duration::ZERO, config);
    // 131,073 bytes: refused as soon as the length is known.
    let mut input = &[0x10, 0xFD, 0xFF, 0x07][..];
    let error = server.receive(Duration::ZERO, &mut input).unwrap_err();
    assert_eq!(error.reason_code(), Some(ReasonCode::PacketTooLarge));
    assert!(server.is_closed());
    // A will of 65,535 bytes fits.
    let will = [&[0; 0][..], &bytes("0001't' FFFF")[..], &[b'x'; 65_535]].concat();
    let mut connect = bytes("0004'MQTT' 05 06 000A 00 0001'c' 00");
    connect.extend_from_slice(&will);
    let length = connect.len();
    let mut packet = vec![
        0x10,
        length as u8 | 0x80,
        (length >> 7) as u8 | 0x80,
        (length >> 14) as u8,
    ];
    packet.extend_from_slice(&connect);
    let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    let event = server.receive(Duration::ZERO, &mut &packet[..]);
    assert!(matches!(event, Ok(Some(_))), "{event:?}");
    // After login the other limits hold.
    let config = ServerConfig::default()
        .with_limits_before_login(config.limits.with_maximum_packet_size(30));
    let mut server = accepted(connect_of(V5_0), config);
    let publish = bytes(&format!("30: 0001'a' 00 '{}'", "x".repeat(100)));
    assert!(matches!(
        server.receive(Duration::ZERO, &mut &publish[..]),
        Ok(Some(_))
    ));
    assert_eq!(asked(connect_of(V5_0), config).error(), None);
}
