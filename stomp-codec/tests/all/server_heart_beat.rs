//! The heart-beats of a server: the interval, the margin, and where there are none.

use crate::server::{connect, ms, transmit};
use stomp_codec::connection::{HeartBeat, ServerConfig, Tolerance};
use stomp_codec::{ConnectionError, Version};

const V1_1: Version = Version::V1_1;
const V1_2: Version = Version::V1_2;

/// "Heart-beating": the agreed interval is the greater number; any data counts;
/// the receiver has a margin.
// shows: stomp12/heart-beating/interval, stomp11/heart-beating/interval,
// shows: stomp12/heart-beating/any-data, stomp11/heart-beating/any-data,
// shows: stomp12/heart-beating/sender-sends, stomp11/heart-beating/sender-sends,
// shows: stomp12/heart-beating/eol, stomp11/heart-beating/eol, stomp12/heart-beating/silent-peer,
// shows: stomp11/heart-beating/silent-peer, stomp12/heart-beating/tolerance,
// shows: stomp11/heart-beating/tolerance
#[test]
fn heart_beats() {
    for version in [V1_1, V1_2] {
        let mut config = ServerConfig::default();
        config.heart_beat = HeartBeat {
            send: ms(400),
            receive: ms(100),
        };
        config.tolerance = Tolerance {
            percent: 100,
            at_least: ms(0),
        };
        let (mut server, sent) = connect(
            config,
            &format!("CONNECT\naccept-version:{version}\nhost:h\nheart-beat:200,100\n\n\0"),
        );
        assert!(sent.contains("\nheart-beat:400,100\n"));
        // Sends within 400 ms, expects within 200 ms with a margin of 200 ms.
        assert_eq!(server.poll_timeout(), Some(ms(300)));
        assert_eq!(server.handle_timeout(ms(299)), Ok(()));
        assert_eq!(transmit(&mut server), "");
        assert_eq!(server.handle_timeout(ms(300)), Ok(()));
        assert_eq!(transmit(&mut server), "\n");
        assert_eq!(server.poll_timeout(), Some(ms(400)));

        // An EOL is taken, makes no event, and is a sign of life.
        let mut input = &b"\n"[..];
        assert_eq!(server.receive(ms(350), &mut input), Ok(None));
        assert!(input.is_empty());
        assert_eq!(server.poll_timeout(), Some(ms(600)));
        // Part of a frame too; the same bytes presented again are not.
        let mut input = &b"SEND\ndesti"[..];
        assert_eq!(server.receive(ms(380), &mut input), Ok(None));
        assert_eq!(server.receive(ms(500), &mut input), Ok(None));
        server.handle_timeout(ms(700)).unwrap();
        assert_eq!(server.poll_timeout(), Some(ms(780)));
        // What waits to be sent needs no EOL.
        assert_eq!(server.transmit_len(), 1);
        server.handle_timeout(ms(779)).unwrap();
        assert_eq!(server.transmit_len(), 1);
        assert_eq!(
            server.handle_timeout(ms(780)),
            Err(ConnectionError::PeerTimeout)
        );
        assert!(server.is_closed());
        assert_eq!(
            transmit(&mut server),
            "\nERROR\nmessage:no heart-beat\n\n^@"
        );
    }
}

/// What waits to be sent needs no EOL, and the next is due an interval later.
#[test]
fn a_heart_beat_is_not_sent_behind_what_waits() {
    let opening = "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:0,400\n\n\0";
    let mut config = ServerConfig::default();
    config.heart_beat.send = ms(400);
    let (mut server, _) = connect(config, opening);
    server.receipt("r").unwrap();
    assert_eq!(server.poll_timeout(), Some(ms(300)));
    server.handle_timeout(ms(300)).unwrap();
    assert_eq!(server.poll_timeout(), Some(ms(600)));
    assert_eq!(transmit(&mut server), "RECEIPT\nreceipt-id:r\n\n^@");
}

// shows: stomp12/heart-beating/missing-header, stomp11/heart-beating/missing-header,
// shows: stomp12/heart-beating/none, stomp11/heart-beating/none
#[test]
fn no_heart_beats_where_none_are_agreed_on() {
    for version in [V1_1, V1_2] {
        for heart_beat in ["", "heart-beat:0,0\n"] {
            let opening = format!("CONNECT\naccept-version:{version}\nhost:h\n{heart_beat}\n\0");
            let (server, _) = connect(ServerConfig::default(), &opening);
            assert_eq!(server.poll_timeout(), None);
        }
    }
    let (server, _) = connect(ServerConfig::default(), "CONNECT\nheart-beat:10,10\n\n\0");
    assert_eq!(server.poll_timeout(), None, "1.0 knows none");
}
