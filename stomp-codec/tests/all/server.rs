//! The server role but for its frames: how a session opens and ends, limits,
//! heart-beats, and what an application can do.

use std::time::Duration;

use crate::script::{config, converse, converse_in_pieces, decode_error, invalid, missing};
use stomp_codec::ConnectionError::{Decode, NoCommonVersion, UnexpectedCommand, UnknownMessage};
use stomp_codec::connection::{
    Accept, ClientConfig, ClientConnection, ConnectOptions, Goodbye, HeartBeat, HostHeader,
    ReadBuffer, ServerConfig, ServerConnection, ServerEvent, Tolerance,
};
use stomp_codec::{
    Command, ConnectionError, DecodeError, DecodeErrorKind, Headers, Limit, Limits, SendError,
    Version,
};

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

/// Before login other limits hold ("Size Limits").
// shows: stomp12/size-limits/error, stomp11/size-limits/error
#[test]
fn limits_before_and_after_login() {
    let mut config = config();
    config.limits_before_login.header_line = 20;
    config.limits.header_line = 30;
    let long = "x:0123456789012345678\n";
    let before = format!("CONNECT\n{long}\n\0");
    let error = converse(config.clone(), before.as_bytes()).error;
    let Some(Decode(DecodeError { offset, .. })) = error else {
        panic!("{error:?}")
    };
    assert_eq!(offset, "CONNECT\n".len() + 20);
    for opening in [
        "",
        "accept-version:1.1\nhost:h\n",
        "accept-version:1.2\nhost:h\n",
    ] {
        let opening = format!("CONNECT\n{opening}\n\0");
        let after = format!("{opening}SEND\ndestination:a\n{long}\n\0");
        assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
        let after = format!("{opening}SEND\ndestination:a\nlong{long}{long}\n\0");
        assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
        let after = format!("{opening}SEND\nlonger-than-that-{long}\n\0");
        let found = converse(config.clone(), after.as_bytes());
        assert!(found.error.is_some() && found.closed);
        assert!(
            found
                .sent
                .starts_with("ERROR\nmessage:maximum length of a header line")
        );
    }
}

/// Each limit on a frame holds where it is said to hold, and not in the other place.
// shows: stomp12/size-limits/header-count, stomp11/size-limits/header-count,
// shows: stomp12/size-limits/body, stomp11/size-limits/body
#[test]
fn each_limit_has_two_places() {
    type Row = (&'static str, fn(&mut Limits), &'static str, Limit);
    let send = "SEND\ndestination:a\nx:y\n\n0123456789\0";
    let table: &[Row] = &[
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.command = 6,
            "",
            Limit::Command,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.header_line = 2,
            "",
            Limit::HeaderLine,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.header_count = 1,
            "",
            Limit::HeaderCount,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.headers = 7,
            "",
            Limit::Headers,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.command = 8,
            "SUBSCRIBE\nid:0\ndestination:a\n\n\0",
            Limit::Command,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.header_line = 12,
            send,
            Limit::HeaderLine,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.header_count = 1,
            send,
            Limit::HeaderCount,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.headers = 17,
            send,
            Limit::Headers,
        ),
        ("CONNECT\n\n\0", |limits| limits.body = 9, send, Limit::Body),
    ];
    for (opening, set, frame, limit) in table {
        let stream = (*opening).to_owned() + frame;
        for is_before in [true, false] {
            let mut config = config();
            set(if is_before {
                &mut config.limits_before_login
            } else {
                &mut config.limits
            });
            let found = converse(config, stream.as_bytes()).error;
            let exceeded = match found {
                Some(Decode(error)) => Some(error.kind),
                None => None,
                error => panic!("{error:?}"),
            };
            let expected = is_before == frame.is_empty();
            let expected = expected.then_some(DecodeErrorKind::Limit(*limit));
            assert_eq!(exceeded, expected, "{limit:?} {is_before} {stream}");
        }
    }
}

fn connect(config: ServerConfig, opening: &str) -> (ServerConnection, String) {
    let mut server = ServerConnection::new(Duration::ZERO, config);
    let mut input = opening.as_bytes();
    server.receive(Duration::ZERO, &mut input).unwrap().unwrap();
    let accept = Accept {
        session: Some("s-1"),
        server: Some("mq/0.1"),
        headers: &[("x", "y")],
    };
    server.accept(Duration::ZERO, &accept).unwrap();
    let sent = transmit(&mut server);
    (server, sent)
}

fn transmit(server: &mut ServerConnection) -> String {
    let mut out = Vec::new();
    let len = server.transmit_len();
    assert_eq!(server.poll_transmit(Duration::ZERO, &mut out), len);
    assert_eq!(server.transmit_len(), 0);
    String::from_utf8(out).unwrap().replace('\0', "^@")
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

/// Replies to a temporary destination come under its name, and need no ACK.
#[test]
fn a_message_without_a_subscription() {
    let opening = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";
    let (mut server, _) = connect(config(), opening);
    for number in 1..3 {
        let headers = [("x", "y"), ("subscription", "no")];
        server
            .deliver_unsubscribed("/temp-queue/r", "/q", headers, b"")
            .unwrap();
        let expected = format!(
            "MESSAGE\nsubscription:/temp-queue/r\nmessage-id:s-1-0-{number}\ndestination:/q\nx:y\n\n^@"
        );
        assert_eq!(transmit(&mut server), expected);
    }
    assert_eq!(server.unacknowledged().count(), 0);
    let mut input = &b"ACK\nid:0-1\n\n\0"[..];
    assert_eq!(
        server.receive(Duration::ZERO, &mut input),
        Err(UnknownMessage)
    );
}

/// "Servers MAY use additional headers to give access to features" ("Frames and
/// Headers"): every event of a frame has those that the frame came with.
#[test]
fn an_application_can_read_every_header() {
    let connect = "CONNECT\naccept-version:1.2\nhost:h\nx:connect\n\n\0";
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let stream = [
        connect,
        "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nx:subscribe\n\n\0",
        "SEND\ndestination:a\nx:send\n\n\0",
        "ACK\nid:1-1\nx:ack\n\n\0",
        "NACK\nid:1-2\nx:nack\n\n\0",
        "BEGIN\ntransaction:t\n\n\0COMMIT\ntransaction:t\nx:commit\n\n\0",
        "UNSUBSCRIBE\nid:0\nx:unsubscribe\n\n\0",
        "DISCONNECT\nx:disconnect\n\n\0",
    ]
    .concat();
    let mut input = stream.as_bytes();
    let mut read = Vec::new();
    while let Some(event) = server.receive(Duration::ZERO, &mut input).unwrap() {
        let frame = match event {
            ServerEvent::Connect(connect) => {
                server.accept(Duration::ZERO, &Accept::default()).unwrap();
                connect.frame
            }
            ServerEvent::Subscribe(subscribe) => {
                for message in [7, 8] {
                    let sent =
                        server.deliver(subscribe.subscription, message, "a", Headers::NONE, b"");
                    sent.unwrap();
                }
                subscribe.frame
            }
            ServerEvent::Send(send) => send.frame,
            ServerEvent::Ack(ack) | ServerEvent::Nack(ack) => ack.frame,
            ServerEvent::Commit { frame, .. }
            | ServerEvent::Unsubscribe { frame, .. }
            | ServerEvent::Disconnect { frame, .. } => frame,
            event => panic!("{event:?}"),
        };
        let name = frame.command().as_str().to_lowercase();
        assert_eq!(frame.header("x").as_deref(), Some(&*name));
        read.push(name);
    }
    assert_eq!(
        read.join(" "),
        "connect subscribe send ack nack commit unsubscribe disconnect"
    );
}

/// "Once the subscription is removed": the server cannot send to it either.
// shows: stomp12/UNSUBSCRIBE/stops, stomp11/UNSUBSCRIBE/stops, stomp10/UNSUBSCRIBE/stops
#[test]
fn nothing_is_sent_to_a_subscription_that_has_ended() {
    for opening in [
        "CONNECT\n\n\0",
        "CONNECT\naccept-version:1.1\nhost:h\n\n\0",
        "CONNECT\naccept-version:1.2\nhost:h\n\n\0",
    ] {
        let (mut server, _) = connect(config(), opening);
        let stream = b"SUBSCRIBE\nid:0\ndestination:a\n\n\0UNSUBSCRIBE\nid:0\n\n\0";
        let mut input = &stream[..];
        let Ok(Some(ServerEvent::Subscribe(subscribe))) =
            server.receive(Duration::ZERO, &mut input)
        else {
            panic!("no subscription");
        };
        let subscription = subscribe.subscription;
        server
            .deliver(subscription, 1, "a", Headers::NONE, b"")
            .unwrap();
        assert!(
            server
                .receive(Duration::ZERO, &mut input)
                .unwrap()
                .is_some()
        );
        let refused = server.deliver(subscription, 2, "a", Headers::NONE, b"");
        assert_eq!(refused, Err(SendError::UnknownSubscription));
        assert_eq!(transmit(&mut server).matches("MESSAGE").count(), 1);
    }
}

/// When the connection is lost, what was sent is there to be given to others,
/// however it was lost.
#[test]
fn what_was_not_acknowledged_outlives_the_session() {
    type Loss = fn(&mut ServerConnection);
    let losses: [(&str, Loss, usize); 5] = [
        (
            "the stream ends",
            |server| assert!(server.receive_eof(Duration::ZERO).is_err()),
            1,
        ),
        (
            "the client breaks the protocol",
            |server| {
                let mut input = &b"SEND\n\n\0"[..];
                assert!(server.receive(Duration::ZERO, &mut input).is_err());
            },
            1,
        ),
        (
            "it is silent",
            |server| assert!(server.handle_timeout(Duration::from_secs(60)).is_err()),
            1,
        ),
        (
            "the application ends it",
            |server| {
                let goodbye = Goodbye::default();
                server.close(Duration::ZERO, &goodbye).unwrap();
            },
            1,
        ),
        (
            "DISCONNECT, whose event has told",
            |server| {
                let mut input = &b"DISCONNECT\n\n\0"[..];
                assert!(server.receive(Duration::ZERO, &mut input).is_ok());
            },
            0,
        ),
    ];
    for (title, lose, count) in losses {
        let (mut server, _) = connect(
            ServerConfig::default(),
            "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:1,1\n\n\0",
        );
        let mut input = &b"SUBSCRIBE\nid:0\ndestination:a\nack:client\n\n\0"[..];
        let Ok(Some(ServerEvent::Subscribe(subscribe))) =
            server.receive(Duration::ZERO, &mut input)
        else {
            panic!("no subscription");
        };
        let subscription = subscribe.subscription;
        server
            .deliver(subscription, 7, "a", Headers::NONE, b"")
            .unwrap();
        lose(&mut server);
        assert!(server.is_closed(), "{title}");
        let left = server.unacknowledged().collect::<Vec<_>>();
        assert_eq!(left, [(subscription, 7)][..count], "{title}");
        let refused = server.deliver(subscription, 8, "a", Headers::NONE, b"");
        assert_eq!(refused, Err(SendError::Closed), "{title}");
    }
}

/// A passcode does not belong in a log, wherever it stands.
#[test]
fn a_passcode_is_not_shown() {
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let mut input = &b"CONNECT\nlogin:guest\npasscode:a secret\n\n\0"[..];
    let Ok(Some(event)) = server.receive(Duration::ZERO, &mut input) else {
        panic!("no CONNECT");
    };
    let options = ConnectOptions {
        login: Some("guest"),
        passcode: Some("a secret"),
        ..ConnectOptions::default()
    };
    for shown in [format!("{event:?}"), format!("{options:?}")] {
        assert!(shown.contains("guest"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
    // Nor where it waits to be sent or taken, as text or as numbers.
    let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
    client.connect(Duration::ZERO, &options).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"a secret");
    for shown in [
        format!("{client:?}"),
        format!("{buffer:?}"),
        format!("{:?}", buffer.input()),
    ] {
        assert!(!shown.contains("secret"), "{shown}");
        assert!(!shown.contains("115, 101, 99"), "{shown}");
    }
}

/// The headers of a frame that was read are passed on as they are, from one connection
/// to another, with what each version escapes.
#[test]
fn headers_are_passed_on() {
    let (mut server, _) = connect(config(), "CONNECT\naccept-version:1.2\n\n\0");
    let stream = b"SUBSCRIBE\nid:0\ndestination:a\n\n\0\
        SEND\ndestination:a\nx\\cy:1\\n2\nreceipt:r\nz:\n\nbody\0";
    let mut input = &stream[..];
    let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(Duration::ZERO, &mut input)
    else {
        panic!("no subscription");
    };
    let Ok(Some(ServerEvent::Send(send))) = server.receive(Duration::ZERO, &mut input) else {
        panic!("no message");
    };
    let subscription = subscribe.subscription;
    let body = send.body();
    server
        .deliver(subscription, 1, "a", send.user_headers(), body)
        .unwrap();
    let kept = [(String::from("k"), String::from("v"))];
    server.deliver(subscription, 2, "a", &kept, b"").unwrap();
    let mixed = send.user_headers().chain([("more", "1").into()]);
    server.deliver(subscription, 3, "a", mixed, b"").unwrap();
    let head =
        |number| format!("MESSAGE\nsubscription:0\nmessage-id:s-1-1-{number}\ndestination:a\n");
    assert_eq!(
        transmit(&mut server),
        [
            head(1) + "x\\cy:1\\n2\nz:\ncontent-length:4\n\nbody^@",
            head(2) + "k:v\n\n^@",
            head(3) + "x\\cy:1\\n2\nz:\nmore:1\n\n^@",
        ]
        .concat()
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

/// An error is given again by every call that can give one, and ends the
/// connection with one ERROR frame.
#[test]
fn errors_are_sticky() {
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let mut input = &b"SEND\n\n\0CONNECT\n\n\0"[..];
    let error = UnexpectedCommand(Command::Send);
    for _ in 0..2 {
        assert_eq!(server.receive(Duration::ZERO, &mut input), Err(error));
        assert_eq!(server.handle_timeout(Duration::from_secs(99)), Err(error));
        assert_eq!(server.receive_eof(Duration::ZERO), Err(error));
    }
    assert!(server.is_closed());
    assert_eq!(server.poll_timeout(), None);
    assert_eq!(
        transmit(&mut server),
        "ERROR\nmessage:unexpected SEND\n\n^@"
    );
    let closed = server.close(Duration::ZERO, &Goodbye::default());
    assert_eq!(closed, Err(SendError::Closed));
}

// shows: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
#[test]
fn the_end_of_the_stream() {
    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    assert_eq!(
        server.receive_eof(Duration::ZERO),
        Err(ConnectionError::UnexpectedEof)
    );
    assert!(server.is_closed());

    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    let mut input = &b"DISCONNECT\nreceipt:r\n\n\0"[..];
    server.receive(Duration::ZERO, &mut input).unwrap().unwrap();
    assert_eq!(server.receive_eof(Duration::ZERO), Ok(()));
    assert!(!server.is_closed());
    // A receipt for an earlier frame may still come first.
    server.receipt("earlier").unwrap();
    assert!(!server.is_closed());
    server.receipt("r").unwrap();
    assert!(server.is_closed());
    assert_eq!(server.receipt("r"), Err(SendError::Closed));
    assert_eq!(
        transmit(&mut server),
        "RECEIPT\nreceipt-id:earlier\n\n^@RECEIPT\nreceipt-id:r\n\n^@"
    );
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

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

/// The session's escapes hold up to its last frame.
#[test]
fn an_error_after_disconnect_is_escaped() {
    let opening = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";
    let (mut server, _) = connect(config(), opening);
    let mut input = &b"DISCONNECT\nreceipt:a\\cb\n\n\0"[..];
    server.receive(Duration::ZERO, &mut input).unwrap().unwrap();
    let goodbye = Goodbye {
        receipt: Some("a:b"),
        summary: "c:d",
        ..Goodbye::default()
    };
    server.close(Duration::ZERO, &goodbye).unwrap();
    assert_eq!(
        transmit(&mut server),
        "ERROR\nreceipt-id:a\\cb\nmessage:c\\cd\n\n^@"
    );
    assert!(server.is_closed());
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

/// A writer with little room takes what fits, and the rest later.
#[test]
fn transmit_into_little_room() {
    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    server.receipt("abc").unwrap();
    let mut sent = Vec::new();
    let mut room = [0; 7];
    loop {
        let count = server.poll_transmit(Duration::ZERO, &mut &mut room[..]);
        sent.extend_from_slice(&room[..count]);
        if count == 0 {
            break;
        }
    }
    assert_eq!(sent, b"RECEIPT\nreceipt-id:abc\n\n\0");
}
