//! When each timer is due, seen from outside: what arms it, what moves it, what it ends.

use std::time::Duration;

use stomp_codec::ConnectionError::{CloseTimeout, PeerTimeout};
use stomp_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, HeartBeat, Options,
    Reading, ServerConfig, ServerConnection, ServerEvent,
};
use stomp_codec::{Headers, Limits, SendError};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A client at time 0 whose server has heart-beats as said.
fn client(heart_beat: &str) -> ClientConnection {
    let mut client = ClientConnection::new(s(0), ClientConfig::default());
    client.connect(s(0), &ConnectOptions::default()).unwrap();
    client.poll_transmit(s(0), &mut Vec::new());
    let connected = format!("CONNECTED\nversion:1.2\nheart-beat:{heart_beat}\n\n\0");
    let event = client.receive(s(0), &mut connected.as_bytes()).unwrap();
    assert!(matches!(event, Some(ClientEvent::Connected(_))));
    client
}

/// A server at time 0 whose client has heart-beats as said.
fn server(heart_beat: &str) -> ServerConnection {
    let mut server = ServerConnection::new(s(0), ServerConfig::default());
    let connect = format!("CONNECT\naccept-version:1.2\nheart-beat:{heart_beat}\n\n\0");
    let event = server.receive(s(0), &mut connect.as_bytes()).unwrap();
    assert!(matches!(event, Some(ServerEvent::Connect(_))));
    server.accept(s(0), &Accept::default()).unwrap();
    server.poll_transmit(s(0), &mut Vec::new());
    server
}

/// DISCONNECT is answered in time, or the wait ends: without heart-beats too, and after
/// a long time in which nothing was called.
// shows: stomp12/DISCONNECT/graceful, stomp11/DISCONNECT/graceful, stomp10/DISCONNECT/graceful
#[test]
fn the_wait_for_the_receipt_of_disconnect_ends() {
    for idle in [0, 25, 1000] {
        let mut client = client("0,0");
        assert_eq!(client.poll_timeout(), None);
        client.close(s(idle)).unwrap();
        assert_eq!(client.poll_timeout(), Some(s(idle + 10)));
        for now in [s(idle), s(idle + 10) - ms(1)] {
            assert_eq!(client.handle_timeout(now), Ok(()));
            assert!(!client.is_closed());
        }
        // What comes in the meantime is not what is waited for.
        let message = "MESSAGE\nsubscription:1\nmessage-id:m\ndestination:a\n\nx\0";
        let event = client.receive(s(idle + 9), &mut message.as_bytes());
        assert!(event.unwrap().is_some());
        assert_eq!(client.handle_timeout(s(idle + 10)), Err(CloseTimeout));
        assert!(client.is_closed());
        assert_eq!(client.error(), Some(&CloseTimeout));
        assert_eq!(client.poll_timeout(), None);
        assert_eq!(
            client.receive(s(idle + 11), &mut &b"\n"[..]),
            Err(CloseTimeout)
        );
    }
}

#[test]
fn the_receipt_ends_the_wait() {
    let mut client = client("0,0");
    client.close(s(3)).unwrap();
    let receipt = "RECEIPT\nreceipt-id:1\n\n\0";
    assert!(client.receive(s(12), &mut receipt.as_bytes()).is_ok());
    assert!(client.is_closed());
    assert_eq!((client.poll_timeout(), client.error()), (None, None));
}

/// "any new data received": a heart-beat is due an interval after the latest bytes have
/// left, and not while they wait.
// shows: stomp12/heart-beating/sender-sends, stomp11/heart-beating/sender-sends
#[test]
fn a_heart_beat_is_due_after_what_has_left() {
    // Ours can come every 10 s, as the peer wants: three quarters of it.
    let mut client = client("0,10000");
    assert_eq!(client.poll_timeout(), Some(ms(7500)));
    let none = (Headers::NONE, Options::default());
    client.send("a", none.0, b"x", none.1).unwrap();
    assert_eq!(client.poll_timeout(), Some(ms(7500)), "nothing has left");
    let mut out = Vec::new();
    client.poll_transmit(s(5), &mut out);
    assert_eq!(client.poll_timeout(), Some(ms(12_500)));
    client.poll_transmit(s(9), &mut out);
    assert_eq!(client.poll_timeout(), Some(ms(12_500)), "nothing was left");
    client.handle_timeout(ms(12_499)).unwrap();
    assert_eq!(client.transmit_len(), 0);
    client.handle_timeout(ms(12_500)).unwrap();
    out.clear();
    client.poll_transmit(ms(12_600), &mut out);
    assert_eq!(out, b"\n");
    assert_eq!(client.poll_timeout(), Some(ms(20_100)));

    let mut server = server("0,10000");
    server.receipt("r").unwrap();
    assert_eq!(server.poll_timeout(), Some(ms(7500)));
    server.poll_transmit(s(5), &mut out);
    assert_eq!(server.poll_timeout(), Some(ms(12_500)));
}

/// A frame that takes longer to come than silence may last is not cut off, as long as
/// some of it comes in time; bytes that were there before are no sign of life.
// shows: stomp12/heart-beating/any-data, stomp11/heart-beating/any-data
#[test]
fn a_frame_that_comes_slowly() {
    let frame = b"MESSAGE\nsubscription:1\nmessage-id:m\ndestination:a\n\n0123456789\0";
    let mut client = client("10000,0");
    for len in 1..frame.len() {
        let now = s(len as u64 * 19);
        assert_eq!(client.receive(now, &mut &frame[..len]), Ok(None));
        assert_eq!(
            client.receive(now + s(1) - ms(1), &mut &frame[..len]),
            Ok(None)
        );
        assert_eq!(client.poll_timeout(), Some(now + s(20)));
        assert_eq!(client.handle_timeout(now + s(19)), Ok(()));
    }
    let end = s(frame.len() as u64 * 19);
    assert!(client.receive(end, &mut &frame[..]).unwrap().is_some());
    assert_eq!(client.handle_timeout(end + s(20)), Err(PeerTimeout));

    let frame = b"SEND\ndestination:a\n\n0123456789\0";
    let mut server = server("10000,0");
    for len in 1..frame.len() {
        let now = s(len as u64 * 19);
        assert_eq!(server.receive(now, &mut &frame[..len]), Ok(None));
        assert_eq!(server.poll_timeout(), Some(now + s(20)));
        assert_eq!(server.handle_timeout(now + s(19)), Ok(()));
    }
    let end = s(frame.len() as u64 * 19);
    assert!(server.receive(end, &mut &frame[..]).unwrap().is_some());
    assert_eq!(server.handle_timeout(end + s(20)), Err(PeerTimeout));
}

/// While an embedder does not read, silence is not the peer's; when it reads again, the
/// peer has its whole time.
#[test]
fn nobody_is_silent_who_is_not_read() {
    let mut client = client("10000,10000");
    let mut server = server("10000,10000");
    assert_eq!(client.poll_timeout(), Some(ms(7500)));
    client.set_reading(s(19), Reading::Paused);
    server.set_reading(s(19), Reading::Paused);
    for now in [s(20), s(1000)] {
        assert_eq!(client.handle_timeout(now), Ok(()));
        assert_eq!(server.handle_timeout(now), Ok(()));
        // Heart-beats of ours go on.
        assert_eq!(client.poll_timeout(), Some(now + ms(7500)));
        assert_eq!(server.poll_timeout(), Some(now + ms(7500)));
    }
    client.set_reading(s(1000), Reading::Running);
    server.set_reading(s(1000), Reading::Running);
    // Told twice it begins once.
    client.set_reading(s(1010), Reading::Running);
    assert_eq!(client.handle_timeout(s(1019)), Ok(()));
    assert_eq!(server.handle_timeout(s(1019)), Ok(()));
    assert_eq!(client.handle_timeout(s(1020)), Err(PeerTimeout));
    assert_eq!(server.handle_timeout(s(1020)), Err(PeerTimeout));
}

/// A time that was before counts as the latest.
#[test]
fn time_does_not_go_back() {
    let mut client = client("10000,10000");
    client.receive(s(100), &mut &b"\n"[..]).unwrap();
    client.receive(s(50), &mut &b"\n"[..]).unwrap();
    client.handle_timeout(s(50)).unwrap();
    assert_eq!(client.poll_timeout(), Some(s(100) + ms(7500)));
    client.poll_transmit(s(1), &mut Vec::new());
    assert_eq!(client.poll_timeout(), Some(s(100) + ms(7500)));
    client.close(s(2)).unwrap();
    client.handle_timeout(s(109)).unwrap();
    assert_eq!(client.handle_timeout(s(3)), Ok(()));
    assert_eq!(client.handle_timeout(s(110)), Err(CloseTimeout));

    let mut server = ServerConnection::new(s(100), ServerConfig::default());
    assert_eq!(server.receive(s(1), &mut &b"\n"[..]), Ok(None));
    assert_eq!(server.poll_timeout(), Some(s(110)));
}

/// The client waits from CONNECT on; the server until CONNECT, and does not hurry the
/// application.
#[test]
fn the_login_has_to_come_in_time() {
    let mut client = ClientConnection::new(s(0), ClientConfig::default());
    assert_eq!(client.poll_timeout(), None);
    client.connect(s(100), &ConnectOptions::default()).unwrap();
    assert_eq!(client.poll_timeout(), Some(s(130)));

    let mut server = ServerConnection::new(s(100), ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(s(110)));
    // A CONNECT that comes slowly is late all the same.
    assert_eq!(server.receive(s(109), &mut &b"CONN"[..]), Ok(None));
    assert_eq!(server.poll_timeout(), Some(s(110)));
    let event = server.receive(s(109), &mut &b"CONNECT\n\n\0"[..]);
    assert!(event.unwrap().is_some());
    assert_eq!(server.poll_timeout(), None);
    server.accept(s(500), &Accept::default()).unwrap();
    assert_eq!(server.poll_timeout(), None);
}

/// Between a client's DISCONNECT and its receipt a server still gives signs of life, and
/// expects none.
#[test]
fn a_server_after_disconnect() {
    let mut server = server("10000,10000");
    let disconnect = "DISCONNECT\nreceipt:r\n\n\0";
    assert!(server.receive(s(1), &mut disconnect.as_bytes()).is_ok());
    assert_eq!(server.poll_timeout(), Some(ms(7500)));
    // More of what it does not have to say does not make it owe any.
    assert_eq!(server.receive(s(2), &mut &b"\n"[..]), Ok(None));
    server.handle_timeout(s(60)).unwrap();
    let mut out = Vec::new();
    server.poll_transmit(s(60), &mut out);
    assert_eq!(out, b"\n");
    server.receipt("r").unwrap();
    assert_eq!(server.poll_timeout(), None);
    assert!(server.is_closed());
    assert_eq!(server.receipt("r"), Err(SendError::Closed));
}

/// What is over waits for nothing, whatever the embedder does about reading then.
#[test]
fn what_is_over_has_no_timer() {
    let limits = Limits::default().with_assembled_size(4);
    let config = ClientConfig::default().with_limits(limits);
    let mut client = ClientConnection::new(s(0), config);
    client.connect(s(0), &ConnectOptions::default()).unwrap();
    let mut input = &b"CONNECTED\nversion:1.2\n\n\0ERROR\nmessage:m\n\n0123456789\0"[..];
    while client.receive(s(1), &mut input).unwrap().is_some() {}
    assert!(client.is_closed());

    let mut server = server("10000,10000");
    let disconnect = "DISCONNECT\n\n\0";
    assert!(server.receive(s(1), &mut disconnect.as_bytes()).is_ok());
    assert!(server.is_closed());

    for reading in [Reading::Paused, Reading::Running] {
        client.set_reading(s(2), reading);
        server.set_reading(s(2), reading);
        assert_eq!((client.poll_timeout(), server.poll_timeout()), (None, None));
    }
}

/// No timer is due at the time at which it was set, and one beyond the end of time never
/// is.
#[test]
fn the_shortest_and_the_longest() {
    let none = Duration::ZERO;
    let mut config = ClientConfig::default().with_heart_beat(HeartBeat {
        send: Duration::from_nanos(1),
        receive: none,
    });
    config.close_timeout = Duration::MAX;
    config.handshake_timeout = Duration::MAX;
    let mut client = ClientConnection::new(s(1), config);
    client.connect(s(1), &ConnectOptions::default()).unwrap();
    assert_eq!(client.poll_timeout(), None);
    let connected = b"CONNECTED\nversion:1.2\nheart-beat:0,1\n\n\0";
    assert!(client.receive(s(1), &mut &connected[..]).is_ok());
    for now in [s(1), s(2), Duration::MAX - ms(1)] {
        client.handle_timeout(now).unwrap();
        assert!(client.poll_timeout().is_some_and(|next| next > now));
    }
    client.handle_timeout(Duration::MAX).unwrap();
    assert_eq!(client.poll_timeout(), None);
    client.close(Duration::MAX).unwrap();
    assert_eq!(client.poll_timeout(), None);
}
