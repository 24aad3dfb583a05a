//! Heartbeats (section 4.2.7) and the timeouts of handshake and close.

mod peers;

use core::time::Duration;

use amqp_codec::connection::{
    ClientConfig, ConnectionError, ReplyError, ServerConfig, ServerConnection,
};
use amqp_codec::method::queue;
use amqp_codec::{ReplyCode, connection::ClientConnection};
use peers::*;
use proptest::prelude::*;

fn at(milliseconds: u64) -> Duration {
    NOW + Duration::from_millis(milliseconds)
}

const HEARTBEAT: &[u8] = b"\x08\x00\x00\x00\x00\x00\x00\xce";

#[test]
fn a_silent_half_interval_sends_a_heartbeat() {
    let mut server = open_server(server_config(), 4096, 10);
    // Something was sent in the first half interval; in the second nothing is.
    assert_eq!(server.poll_timeout(), Some(at(5_000)));
    server.handle_timeout(at(5_000)).unwrap();
    assert_eq!(server.transmit_len(), 0);
    feed_server(&mut server, at(9_000), HEARTBEAT).unwrap();
    assert_eq!(server.poll_timeout(), Some(at(10_000)));
    server.handle_timeout(at(10_000)).unwrap();
    assert_eq!(transmitted!(server), ["heartbeat"]);
    // What waits in the buffer will be a sign of life; no pile of heartbeats.
    server.handle_timeout(at(15_000)).unwrap();
    server.handle_timeout(at(20_000)).unwrap();
    assert_eq!(server.transmit_len(), 8);
    server.handle_timeout(at(25_000)).unwrap();
    assert_eq!(server.transmit_len(), 8);
}

#[test]
fn two_silent_intervals_are_the_end() {
    let mut server = open_server(server_config(), 4096, 10);
    feed_server(&mut server, at(3_000), HEARTBEAT).unwrap();
    server.handle_timeout(at(22_999)).unwrap();
    transmitted!(server);
    assert_eq!(server.poll_timeout(), Some(at(23_000)));
    let error = server.handle_timeout(at(23_000)).unwrap_err();
    assert_eq!(error, ConnectionError::HeartbeatTimeout);
    assert!(server.is_closed());
    assert_eq!(server.poll_timeout(), None);
    // The goodbye may still get through.
    let said = transmitted!(server);
    assert!(
        said[0].starts_with("0 connection.close reply_code=320 "),
        "{said:?}"
    );
}

/// Any octet is a sign of life, even of a frame that is not complete; the same
/// octets presented again are not.
#[test]
fn every_octet_is_a_sign_of_life() {
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
        Err(ConnectionError::HeartbeatTimeout)
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
    client.handle_timeout(at(10_000)).unwrap();
    assert_eq!(transmitted!(client), ["heartbeat"]);
    assert_eq!(
        client.handle_timeout(at(20_000)),
        Err(ConnectionError::HeartbeatTimeout)
    );
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

#[test]
fn a_close_that_is_not_answered_ends_too() {
    let mut server = open_server(server_config(), 4096, 60);
    server.handle_timeout(at(5_000)).unwrap();
    server
        .close(&ReplyError::new(ReplyCode::ConnectionForced, 0, "bye"))
        .unwrap();
    assert_eq!(server.poll_timeout(), Some(at(15_000)));
    let error = server.handle_timeout(at(15_000)).unwrap_err();
    assert_eq!(error, ConnectionError::CloseTimeout);
    assert!(server.is_closed());
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
        let _ = server.handle_timeout(now);
        let _ = server.close(&ReplyError::new(ReplyCode::ConnectionForced, 0, "bye"));
        assert!(server.is_closed() || server.poll_timeout() == Some(Duration::MAX));
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
            server.poll_transmit(&mut to_client);
            client.poll_transmit(&mut to_server);
            feed_client(&mut client, now, &to_client).unwrap();
            feed_server(&mut server, now, &to_server).unwrap();
        }
    }
}
