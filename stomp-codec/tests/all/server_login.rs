//! How a session opens at a server: CONNECT, its answer, and what waits for it.

use std::time::Duration;

use crate::script::{config, converse, converse_in_pieces, decode_error, invalid, missing};
use crate::server::{connect, ms, transmit};
use stomp_codec::ConnectionError::{NoCommonVersion, UnexpectedCommand};
use stomp_codec::connection::{Accept, HostHeader, ServerConfig, ServerConnection, ServerEvent};
use stomp_codec::{Command, ConnectionError, SendError, Version};

const V1_1: Version = Version::V1_1;
const V1_2: Version = Version::V1_2;

/// CONNECT and what comes of it ("Connecting").
#[test]
fn openings() {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        Option<ConnectionError>,
    );
    #[rustfmt::skip]
    let table: &[Row] = &[
        // shows: stomp10/connecting/connect-first
        ("1.0", "CONNECT\nlogin: guest\npasscode:a\\cb\n\n^@", "connect 1.0 host=- login=guest passcode=a\\cb heart-beat=0,0", "", None),
        // shows: stomp11/connecting/connect-first
        ("1.1", "CONNECT\naccept-version:1.1\nhost:h\nlogin: guest\n\n^@", "connect 1.1 host=h login= guest passcode=- heart-beat=0,0", "", None),
        // shows: stomp12/connecting/connect-first
        ("1.2 with CR LF", "CONNECT\r\naccept-version:1.0,1.2\r\nhost:h\r\n\r\n^@", "connect 1.2 host=h login=- passcode=- heart-beat=0,0", "", None),
        // shows: stomp12/protocol-negotiation/highest-common,
        // shows: stomp11/protocol-negotiation/highest-common
        ("the highest common version", "CONNECT\naccept-version:1.0,1.1,2.0\nhost:h\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0", "", None),
        ("EOLs first", "\n\r\n\nCONNECT\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        // "*( EOL )" behind the NUL is a part of the frame ("Augmented BNF"), and whoever
        // offers 1.2 writes CONNECT by its rules.
        ("CR LF behind CONNECT, and then 1.1", "CONNECT\r\naccept-version:1.1\r\nhost:h\r\n\r\n^@\r\n\n\r\nSEND\ndestination:a\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0send a [] ", "", None),
        ("CR LF behind CONNECT, and then 1.0", "CONNECT\r\n\r\n^@\r\nSEND\ndestination:a\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0send a [] ", "", None),
        ("not behind a frame of 1.1", "CONNECT\naccept-version:1.1\nhost:h\n\n^@SEND\ndestination:a\n\n^@\r\nSEND\ndestination:b\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0send a [] ",
            "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("\r\n", 0, V1_1)),
        // Long enough that its last CR is the end of a read of 6 or 7 bytes.
        ("and a NUL behind it", "CONNECT\naccept-version:1.1\nhost:hhhhhh\n\n^@\r\n^@abcdef", "connect 1.1 host=hhhhhh login=- passcode=- heart-beat=0,0",
            "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("\0", 0, V1_1)),
        ("a CR behind CONNECT that is no EOL", "CONNECT\naccept-version:1.1\nhost:h\n\n^@\rSEND\ndestination:a\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0",
            "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("\rSEND\n", 0, V1_1)),
        // 1.0 pads, and the version shows only when the frame is read.
        ("a padded content-length", "CONNECT\ncontent-length: 0 \n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("a content-length that is no number", "CONNECT\ncontent-length: 0 0\n\n^@", "", "ERROR\nmessage:content-length is not a number (byte 24)\n\n^@", decode_error("CONNECT\ncontent-length: 0 0\n\n", 24, Version::V1_0)),
        // "Any client frame other than CONNECT MAY specify a receipt header".
        ("a receipt for CONNECT is not given", "CONNECT\nreceipt:r\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("but ERROR says what it is about", "CONNECT\naccept-version:1.1\nhost:h\nheart-beat:1\nreceipt:r\n\n^@", "", "ERROR\nreceipt-id:r\nmessage:CONNECT with a wrong value of the header heart-beat\n\n^@", invalid(Command::Connect, "heart-beat")),
        // Clients of 1.0 end it so.
        ("blank lines after the headers", "CONNECT\nlogin:guest\n\n\n\n^@SEND\ndestination:a\n\n^@", "connect 1.0 host=- login=guest passcode=- heart-beat=0,0send a [] ", "", None),
        // shows: stomp12/STOMP/as-connect
        ("STOMP, whose headers are escaped", "STOMP\naccept-version:1.2\nhost:h\npasscode:a\\cb\n\n^@", "connect 1.2 host=h login=- passcode=a:b heart-beat=0,0", "", None),
        // shows: stomp11/STOMP/as-connect
        ("STOMP of 1.1", "STOMP\naccept-version:1.0,1.1\nhost:h\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0", "", None),
        ("CONNECT, whose headers are not", "CONNECT\naccept-version:1.2\nhost:h\npasscode:a\\cb\\t\n\n^@", "connect 1.2 host=h login=- passcode=a\\cb\\t heart-beat=0,0", "", None),
        ("heart-beat", "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:500,1000\n\n^@", "connect 1.2 host=h login=- passcode=- heart-beat=500,1000", "", None),
        ("1.0 knows no heart-beat", "CONNECT\nheart-beat:x\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        // shows: stomp12/protocol-negotiation/highest-common
        ("1.0 by accept-version needs no host", "CONNECT\naccept-version:1.0\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        // shows: stomp12/connecting/rejected, stomp11/connecting/rejected, stomp12/ERROR/body,
        // shows: stomp11/ERROR/body, stomp10/ERROR/body, stomp12/ERROR/content-type,
        // shows: stomp11/ERROR/content-type, stomp12/ERROR/content-length,
        // shows: stomp11/ERROR/content-length, stomp10/ERROR/content-length
        ("the application refuses", "CONNECT\nlogin:nobody\n\n^@", "connect 1.0 host=- login=nobody passcode=- heart-beat=0,0",
            "ERROR\nmessage:Access refused\ncontent-type:text/plain\ncontent-length:11\n\nWho: nobody^@", None),
        ("the application refuses, 1.1", "CONNECT\naccept-version:1.1\nhost:h\nlogin:nobody\n\n^@", "connect 1.1 host=h login=nobody passcode=- heart-beat=0,0",
            "ERROR\nmessage:Access refused\ncontent-type:text/plain\ncontent-length:11\n\nWho: nobody^@", None),
        ("the application refuses, 1.2", "CONNECT\naccept-version:1.2\nhost:h\nlogin:nobody\n\n^@", "connect 1.2 host=h login=nobody passcode=- heart-beat=0,0",
            "ERROR\nmessage:Access refused\ncontent-type:text/plain\ncontent-length:11\n\nWho: nobody^@", None),
        // stomp.py, stompjs and Spring send none by default.
        ("1.1 without host", "CONNECT\naccept-version:1.1\n\n^@", "connect 1.1 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("1.2 without host", "CONNECT\naccept-version:1.2\n\n^@", "connect 1.2 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("STOMP without host", "STOMP\naccept-version:1.2\n\n^@", "connect 1.2 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("STOMP needs accept-version", "STOMP\nhost:h\n\n^@", "", "ERROR\nmessage:STOMP without the header accept-version\n\n^@", missing(Command::Stomp, "accept-version")),
        // shows: stomp12/protocol-negotiation/no-common-version,
        // shows: stomp11/protocol-negotiation/no-common-version,
        // shows: stomp12/protocol-negotiation/no-common-version-lists,
        // shows: stomp11/protocol-negotiation/no-common-version-lists
        ("no common version", "CONNECT\naccept-version:9.9\nhost:h\n\n^@", "",
            "ERROR\nmessage:no common protocol version\nversion:1.0,1.1,1.2\ncontent-type:text/plain\ncontent-length:43\n\nSupported protocol versions are 1.0 1.1 1.2^@", Some(NoCommonVersion)),
        // shows: stomp11/heart-beating/header
        ("wrong heart-beat", "CONNECT\naccept-version:1.1\nhost:h\nheart-beat:1\n\n^@", "",
            "ERROR\nmessage:CONNECT with a wrong value of the header heart-beat\n\n^@", invalid(Command::Connect, "heart-beat")),
        // shows: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
        // shows: stomp10/connecting/connect-first
        ("a frame before CONNECT", "SEND\ndestination:a\nreceipt:r\n\n^@", "", "ERROR\nreceipt-id:r\nmessage:unexpected SEND\n\n^@", Some(UnexpectedCommand(Command::Send))),
        ("a frame before CONNECT whose receipt cannot be written yet", "SEND\ndestination:a\nreceipt:r\\n\n\n^@", "", "ERROR\nmessage:unexpected SEND\n\n^@", Some(UnexpectedCommand(Command::Send))),
        ("a server's frame", "CONNECTED\nversion:1.2\n\n^@", "", "ERROR\nmessage:unexpected CONNECTED\n\n^@", Some(UnexpectedCommand(Command::Connected))),
        ("another protocol", "GET / HTTP/1.1\r\n", "", "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("GET / HTTP/1.1\n", 0, V1_2)),
        ("another protocol without lines", "\u{16}\u{3}\u{1}^@", "", "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("\0", 0, V1_2)),
    ];
    for (section, input, event, sent, error) in table {
        let bytes = input.replace("^@", "\0");
        let found = converse(config(), bytes.as_bytes());
        assert_eq!(found.events.concat(), *event, "{section}");
        assert_eq!(found.sent, *sent, "{section}");
        assert_eq!(found.error, *error, "{section}");
        assert_eq!(found.closed, !sent.is_empty(), "{section}");
        for size in 1..8 {
            let pieces = converse_in_pieces(config(), bytes.as_bytes(), &[size]);
            assert_eq!(pieces, found, "{section}, in pieces of {size}");
        }
    }
}

/// A server can insist on the header that 1.1 and 1.2 require ("CONNECT or STOMP
/// Frame").
// shows: stomp11/CONNECT/host, stomp12/CONNECT/host
#[test]
fn host_is_required_where_the_server_says_so() {
    let no_host = |command| missing(command, "host");
    let table = [
        ("CONNECT\naccept-version:1.0\n\n\0", None),
        ("CONNECT\n\n\0", None),
        ("CONNECT\naccept-version:1.1\nhost:\n\n\0", None),
        (
            "CONNECT\naccept-version:1.1\n\n\0",
            no_host(Command::Connect),
        ),
        (
            "CONNECT\naccept-version:1.2\n\n\0",
            no_host(Command::Connect),
        ),
        ("STOMP\naccept-version:1.2\n\n\0", no_host(Command::Stomp)),
    ];
    for (input, error) in table {
        let mut config = config();
        config.host_header = HostHeader::Required;
        let found = converse(config, input.as_bytes());
        assert_eq!(found.error, error, "{input}");
        assert_eq!(found.closed, error.is_some(), "{input}");
        let sent = error.map_or(String::new(), |error| {
            format!("ERROR\nmessage:{error}\n\n^@")
        });
        assert_eq!(found.sent, sent, "{input}");
    }
}

/// "CONNECTED Frame"; the session makes message-ids unique.
// shows: stomp12/connecting/connected, stomp11/connecting/connected, stomp10/connecting/connected,
// shows: stomp12/CONNECTED/version, stomp11/CONNECTED/version, stomp12/CONNECTED/heart-beat,
// shows: stomp11/CONNECTED/heart-beat
#[test]
fn connected_names_version_heart_beat_session_and_server() {
    let (mut server, sent) = connect(
        ServerConfig::default(),
        "CONNECT\naccept-version:1.1\nhost:h\nheart-beat:1,1\n\n\0",
    );
    assert_eq!(
        sent,
        "CONNECTED\nversion:1.1\nheart-beat:10000,10000\nsession:s-1\nserver:mq/0.1\nx:y\n\n^@"
    );
    assert_eq!(server.version(), Some(V1_1));

    let subscribe = "SUBSCRIBE\nid:0\ndestination:a\nack:client\n\n\0";
    let mut input = subscribe.as_bytes();
    let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(Duration::ZERO, &mut input)
    else {
        panic!("no subscription");
    };
    let headers = [
        ("a", "1"),
        ("ack", "no"),
        ("message-id", "no"),
        ("content-length", "9"),
    ];
    server
        .deliver(subscribe.subscription, 70, "/queue/a", headers, b"x\0y")
        .unwrap();
    assert_eq!(
        transmit(&mut server),
        "MESSAGE\nsubscription:0\nmessage-id:s-1-1-1\ndestination:/queue/a\na:1\ncontent-length:3\n\nx^@y^@"
    );
    assert_eq!(
        server.unacknowledged().collect::<Vec<_>>(),
        [(subscribe.subscription, 70)]
    );
    let mut input = &b"ACK\nmessage-id:s-1-1-1\nsubscription:0\n\n\0"[..];
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    assert_eq!(server.unacknowledged().count(), 0);

    // A header that cannot be carried: as if the call had not been.
    let refused = server.deliver(subscribe.subscription, 71, "a", [("x", "\0")], b"");
    assert!(matches!(refused, Err(SendError::Encode(_))));
    assert_eq!(
        (transmit(&mut server), server.unacknowledged().count()),
        (String::new(), 0)
    );

    let opening = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";
    let (_, sent) = connect(ServerConfig::default(), opening);
    assert!(sent.starts_with("CONNECTED\nversion:1.2\nheart-beat:10000,10000\n"));
    let (_, sent) = connect(ServerConfig::default(), "CONNECT\n\n\0");
    assert_eq!(
        sent,
        "CONNECTED\nversion:1.0\nsession:s-1\nserver:mq/0.1\nx:y\n\n^@"
    );
}

/// Frames that come before the answer to CONNECT wait for it.
#[test]
fn nothing_is_taken_before_the_answer() {
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let mut input = &b"CONNECT\n\n\0SEND\ndestination:a\n\n\0"[..];
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    let left = input.len();
    assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
    assert_eq!(input.len(), left);
    assert_eq!(server.receipt("r"), Err(SendError::NotOpen));
    assert!(
        server
            .accept(
                Duration::ZERO,
                &Accept {
                    session: Some("a\nb"),
                    ..Accept::default()
                }
            )
            .is_err()
    );
    assert_eq!(server.transmit_len(), 0);
    server.accept(Duration::ZERO, &Accept::default()).unwrap();
    assert_eq!(
        server.accept(Duration::ZERO, &Accept::default()),
        Err(SendError::OutOfTurn)
    );
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    assert!(input.is_empty());
}

#[test]
fn connect_has_to_come_in_time() {
    let mut server = ServerConnection::new(ms(5), ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(ms(10_005)));
    assert_eq!(server.handle_timeout(ms(10_004)), Ok(()));
    assert_eq!(
        server.handle_timeout(ms(10_005)),
        Err(ConnectionError::HandshakeTimeout)
    );
    assert_eq!(
        transmit(&mut server),
        "ERROR\nmessage:no session in time\n\n^@"
    );
}
