//! Heartbeats (section 4.2.7) and the timeouts of handshake and close.

use core::time::Duration;

use crate::peers::*;
use amqp_codec::connection::{
    Capabilities, ClientConfig, ClientConnection, ConnectionError, Message, Reading, ReplyError,
    Sasl, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{Secret, channel, connection, queue};
use amqp_codec::{ProtocolHeader, ReplyCode};
use proptest::prelude::*;

fn at(milliseconds: u64) -> Duration {
    NOW + Duration::from_millis(milliseconds)
}

const HEARTBEAT: &[u8] = b"\x08\x00\x00\x00\x00\x00\x00\xce";

#[test]
fn a_silent_half_interval_sends_a_heartbeat() {
    let mut server = open_server(server_config(), 4096, 10);
    assert_eq!(server.poll_timeout(), Some(at(5_000)));
    server.handle_timeout(at(5_000)).unwrap();
    assert_eq!(transmitted!(server, at(5_000)), ["heartbeat"]);
    feed_server(&mut server, at(9_000), HEARTBEAT).unwrap();
    assert_eq!(server.poll_timeout(), Some(at(10_000)));
    server.handle_timeout(at(10_000)).unwrap();
    // What waits in the buffer will be a sign of life; no pile of heartbeats.
    server.handle_timeout(at(15_000)).unwrap();
    server.handle_timeout(at(20_000)).unwrap();
    assert_eq!(server.transmit_len(), 8);
    server.handle_timeout(at(25_000)).unwrap();
    assert_eq!(server.transmit_len(), 8);
}

/// Bytes count from when they leave, whatever was last received or looked at before.
#[test]
fn a_publish_that_has_left_stands_in_for_a_heartbeat() {
    let mut client = open_client(ClientConfig::default(), 4096, 10);
    let message = Message::default();
    client.publish(1, Mandatory::No, &message).unwrap();
    assert_eq!(client.poll_timeout(), Some(at(5_000)));
    client.poll_transmit(at(4_000), &mut Vec::new());
    assert_eq!(client.poll_timeout(), Some(at(9_000)));
    client.handle_timeout(at(8_999)).unwrap();
    assert_eq!(client.transmit_len(), 0);
    client.handle_timeout(at(9_000)).unwrap();
    assert_eq!(transmitted!(client, at(9_000)), ["heartbeat"]);
    // Without room nothing leaves.
    client.handle_timeout(at(14_000)).unwrap();
    assert_eq!(client.poll_transmit(at(15_000), &mut &mut [0; 0][..]), 0);
    assert_eq!(client.poll_timeout(), Some(at(19_000)));
}

#[test]
fn two_silent_intervals_are_the_end() {
    let mut server = open_server(server_config(), 4096, 10);
    feed_server(&mut server, at(3_000), HEARTBEAT).unwrap();
    server.handle_timeout(at(22_999)).unwrap();
    transmitted!(server, at(22_999));
    assert_eq!(server.poll_timeout(), Some(at(23_000)));
    let error = server.handle_timeout(at(23_000)).unwrap_err();
    assert_eq!(error, ConnectionError::PeerTimeout);
    assert!(server.is_closed());
    assert_eq!(server.poll_timeout(), None);
    // The goodbye may still get through.
    let said = transmitted!(server);
    assert!(
        said[0].starts_with("0 connection.close reply_code=320 "),
        "{said:?}"
    );
}

/// Any byte is a sign of life, even of a frame that is not complete; the same
/// bytes presented again are not.
#[test]
fn every_byte_is_a_sign_of_life() {
    let mut server = open_server(server_config(), 4096, 10);
    let frame = method(1, queue::Declare::default());
    let mut seconds = 15;
    for len in 1..=3 {
        let mut input = &frame[..len];
        assert_eq!(server.receive(at(seconds * 1000), &mut input), Ok(None));
        assert_eq!(input.len(), len);
        server.handle_timeout(at(seconds * 1000)).unwrap();
        seconds += 15;
    }
    let mut input = &frame[..3];
    server.receive(at(60_000), &mut input).unwrap();
    assert_eq!(
        server.handle_timeout(at(65_000)),
        Err(ConnectionError::PeerTimeout)
    );
}

#[test]
fn without_heartbeats_nothing_ends() {
    let mut server = open_server(server_config(), 4096, 0);
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(at(1_000_000_000)).unwrap();
    assert_eq!(server.transmit_len(), 0);
}

#[test]
fn the_client_keeps_the_same_time() {
    let mut client = open_client(ClientConfig::default(), 4096, 10);
    client.handle_timeout(at(5_000)).unwrap();
    assert_eq!(transmitted!(client, at(5_000)), ["heartbeat"]);
    assert_eq!(
        client.handle_timeout(at(20_000)),
        Err(ConnectionError::PeerTimeout)
    );
    // A heartbeat of ours was due as well, but there is nobody to hear it.
    let said = transmitted!(client);
    assert!(said[0].starts_with("0 connection.close "), "{said:?}");
    assert_eq!(said.len(), 1);
}

/// Both peers count from tune-ok on, however long the application takes to open the
/// virtual host. What it makes wait in the buffer counts when it is taken.
#[test]
fn heartbeats_begin_before_the_virtual_host_is_open() {
    let mut server = ServerConnection::new(NOW, server_config());
    let bytes = [client_handshake(4096, 10), method(1, channel::Open {})].concat();
    let mut input = &bytes[..];
    server.receive(NOW, &mut input).unwrap();
    server.accept(NOW).unwrap();
    transmitted!(server);
    let event = server.receive(NOW, &mut input);
    assert_matches!(event, Ok(Some(ServerEvent::Open { .. })));
    server.handle_timeout(at(5_000)).unwrap();
    assert_eq!(transmitted!(server, at(5_000)), ["heartbeat"]);
    server.open_ok(at(9_000)).unwrap();
    let event = server.receive(at(9_000), &mut input);
    assert_matches!(event, Ok(Some(ServerEvent::ChannelOpened { .. })));
    server.handle_timeout(at(28_999)).unwrap();
    assert_eq!(
        server.handle_timeout(at(29_000)),
        Err(ConnectionError::PeerTimeout)
    );
}

/// A frame that takes longer to come than two intervals is not cut off, in either role:
/// more bytes of it are signs of life.
#[test]
fn a_frame_that_comes_slowly_is_not_cut_off() {
    let frame = method(1, queue::Declare::default());
    let mut server = open_server(server_config(), 4096, 10);
    let frame_of_server = method(1, queue::DeclareOk::default());
    let mut client = open_client(ClientConfig::default(), 4096, 10);
    client.queue_declare(1, &queue::Declare::default()).unwrap();
    let mut now = 0;
    for len in 1..=frame.len().max(frame_of_server.len()) {
        now += 15_000;
        let mut input = &frame[..len.min(frame.len())];
        let event = server.receive(at(now), &mut input).unwrap();
        assert_eq!(event.is_some(), len >= frame.len());
        let mut input = &frame_of_server[..len.min(frame_of_server.len())];
        let event = client.receive(at(now), &mut input).unwrap();
        assert_eq!(event.is_some(), len >= frame_of_server.len());
        server.handle_timeout(at(now)).unwrap();
        client.handle_timeout(at(now)).unwrap();
        if len >= frame.len().min(frame_of_server.len()) {
            return;
        }
    }
}

/// While the embedder holds the peer back, its silence is its own.
#[test]
fn a_peer_that_is_not_read_is_not_given_up() {
    let mut server = open_server(server_config(), 4096, 10);
    server.set_reading(at(1_000), Reading::Paused);
    server.handle_timeout(at(100_000)).unwrap();
    assert_eq!(transmitted!(server, at(100_000)), ["heartbeat"]);
    assert_eq!(server.poll_timeout(), Some(at(105_000)));
    server.set_reading(at(101_000), Reading::Running);
    // Told twice it begins once.
    server.set_reading(at(110_000), Reading::Running);
    server.handle_timeout(at(120_999)).unwrap();
    assert_eq!(
        server.handle_timeout(at(121_000)),
        Err(ConnectionError::PeerTimeout)
    );
}

/// A time that goes back counts as the latest that was seen.
#[test]
fn time_does_not_go_back() {
    let mut server = open_server(server_config(), 4096, 10);
    feed_server(&mut server, at(30_000), HEARTBEAT).unwrap();
    feed_server(&mut server, at(5_000), HEARTBEAT).unwrap();
    server.handle_timeout(at(20_000)).unwrap();
    assert_eq!(transmitted!(server, at(20_000)), ["heartbeat"]);
    assert_eq!(server.poll_timeout(), Some(at(35_000)));
    server
        .close(
            at(0),
            &ReplyError::new(ReplyCode::ConnectionForced, 0, "bye"),
        )
        .unwrap();
    assert_eq!(server.poll_timeout(), Some(at(40_000)));
}

#[test]
fn a_handshake_ends_in_time_or_in_silence() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(at(10_000)));
    feed_server(&mut server, at(9_000), b"AMQP\0\0\x09\x01").unwrap();
    transmitted!(server);
    server.handle_timeout(at(9_999)).unwrap();
    let error = server.handle_timeout(at(10_000)).unwrap_err();
    assert_eq!(error, ConnectionError::HandshakeTimeout);
    assert_eq!((server.is_closed(), server.transmit_len()), (true, 0));

    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    let error = client.handle_timeout(at(10_000)).unwrap_err();
    assert_eq!(error, ConnectionError::HandshakeTimeout);

    // Once open, there is no such end.
    let mut server = open_server(server_config(), 4096, 0);
    assert_eq!(server.handle_timeout(at(10_000)), Ok(()));
}

/// What the application takes for its answers is no fault of the peer; the peer has its whole
/// timeout after each.
#[test]
fn a_slow_application_is_not_a_slow_peer() {
    let hello = [
        ProtocolHeader::AMQP_0_9_1.to_bytes().to_vec(),
        start_ok(Capabilities::ALL),
    ]
    .concat();
    let opening = [tune_ok(2047, 4096, 10), open()].concat();
    let hour = 3_600_000;
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    server.receive(at(5_000), &mut &hello[..]).unwrap();
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(at(hour)).unwrap();
    server.challenge(at(hour), b"?").unwrap();
    assert_eq!(server.poll_timeout(), Some(at(hour + 10_000)));
    let secure_ok = method(
        0,
        connection::SecureOk {
            response: Secret(b"!"),
        },
    );
    server
        .receive(at(hour + 9_000), &mut &secure_ok[..])
        .unwrap();
    assert_eq!(server.poll_timeout(), None);
    server.accept(at(2 * hour)).unwrap();
    assert_eq!(server.poll_timeout(), Some(at(2 * hour + 10_000)));
    transmitted!(server, at(2 * hour));
    // Heartbeats of its own go out from here on, and none is missed: nothing is taken.
    server
        .receive(at(2 * hour + 9_000), &mut &opening[..])
        .unwrap();
    assert_eq!(server.poll_timeout(), Some(at(2 * hour + 14_000)));
    server.handle_timeout(at(3 * hour)).unwrap();
    assert_eq!(transmitted!(server, at(3 * hour)), ["heartbeat"]);
    server.open_ok(at(3 * hour)).unwrap();
    transmitted!(server, at(3 * hour));
    server.handle_timeout(at(3 * hour + 19_999)).unwrap();
    assert_eq!(
        server.handle_timeout(at(3 * hour + 20_000)),
        Err(ConnectionError::PeerTimeout)
    );

    let config = ClientConfig::default().with_sasl(Sasl::Application);
    let mut client = ClientConnection::new(NOW, config);
    client
        .receive(at(5_000), &mut &start(b"TOKEN")[..])
        .unwrap();
    assert_eq!(client.poll_timeout(), None);
    client.start_ok(at(hour), "TOKEN", b"!").unwrap();
    assert_eq!(client.poll_timeout(), Some(at(hour + 10_000)));
    assert_eq!(
        client.handle_timeout(at(hour + 10_000)),
        Err(ConnectionError::HandshakeTimeout)
    );
}

/// A close has its whole timeout, however long nothing was called before it, with
/// heartbeats and without.
#[test]
fn a_close_that_is_not_answered_ends_too() {
    let bye = ReplyError::new(ReplyCode::ConnectionForced, 0, "bye");
    for heartbeat in [0, 60] {
        let mut server = open_server(server_config(), 4096, heartbeat);
        server.close(at(25_000), &bye).unwrap();
        assert_eq!(server.poll_timeout(), Some(at(35_000)));
        assert_eq!(server.handle_timeout(at(34_999)), Ok(()));
        let error = server.handle_timeout(at(35_000)).unwrap_err();
        assert_eq!(error, ConnectionError::CloseTimeout);
        assert!(server.is_closed());

        let mut client = open_client(ClientConfig::default(), 4096, heartbeat);
        client.close(at(25_000)).unwrap();
        assert_eq!(client.handle_timeout(at(34_999)), Ok(()));
        let error = client.handle_timeout(at(35_000)).unwrap_err();
        assert_eq!(error, ConnectionError::CloseTimeout);

        // So has the goodbye for an error, and a refusal.
        let mut server = open_server(server_config(), 4096, heartbeat);
        let error = feed_server(&mut server, at(25_000), &publish(2)).unwrap_err();
        assert_eq!(server.poll_timeout(), Some(at(35_000)));
        assert_eq!(server.handle_timeout(at(34_999)), Err(error.clone()));
        assert!(!server.is_closed());
        assert_eq!(server.handle_timeout(at(35_000)), Err(error.clone()));
        assert!(server.is_closed());
        assert_eq!(server.error(), Some(&error));
    }
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let mut hello: &[u8] = &[
        ProtocolHeader::AMQP_0_9_1.to_bytes().to_vec(),
        start_ok(Capabilities::ALL),
    ]
    .concat();
    server.receive(NOW, &mut hello).unwrap();
    server.refuse(at(9_000), "who are you?").unwrap();
    assert_eq!(server.poll_timeout(), Some(at(19_000)));
}

/// A timeout of `Duration::MAX` is none, and no time is too late to be told.
#[test]
fn time_has_no_end_that_panics() {
    for now in [Duration::ZERO, NOW, Duration::MAX] {
        let mut config = server_config();
        config.handshake_timeout = Duration::MAX;
        config.close_timeout = Duration::MAX;
        let mut server = ServerConnection::new(now, config);
        feed_server(&mut server, now, &client_handshake(4096, 10)).unwrap();
        server.handle_timeout(now).unwrap();
        let _ = server.close(now, &ReplyError::new(ReplyCode::ConnectionForced, 0, "bye"));
        assert_eq!(server.poll_timeout(), None);
    }
    let mut server = open_server(server_config(), 4096, 10);
    feed_server(&mut server, Duration::MAX, HEARTBEAT).unwrap();
    assert_eq!(
        server.handle_timeout(Duration::MAX - Duration::from_secs(1)),
        Ok(())
    );
}

proptest! {
    /// After `handle_timeout(t)` there is nothing to do before `t`; and two
    /// peers that do as they are told keep each other alive for ever, whatever
    /// they agreed on and however late a timer is (within half an interval).
    #[test]
    fn timers_move_on_and_peers_live(
        interval in 1u16..120,
        late in proptest::collection::vec(0u64..490, 1..200),
    ) {
        let mut server = open_server(server_config(), 4096, interval);
        let mut config = ClientConfig::default();
        config.heartbeat = interval;
        let mut client = open_client(config, 4096, interval);
        for late in late {
            let due = server.poll_timeout().unwrap().min(client.poll_timeout().unwrap());
            // A thousandth of the interval is as many milliseconds as it has seconds.
            let now = due + Duration::from_millis(late * u64::from(interval));
            server.handle_timeout(now).unwrap();
            client.handle_timeout(now).unwrap();
            prop_assert!(server.poll_timeout().unwrap() > now);
            prop_assert!(client.poll_timeout().unwrap() > now);
            let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
            server.poll_transmit(now, &mut to_client);
            client.poll_transmit(now, &mut to_server);
            feed_client(&mut client, now, &to_client).unwrap();
            feed_server(&mut server, now, &to_server).unwrap();
        }
    }
}
