//! STOMP in WebSocket messages: whatever a message holds, the contents one after
//! the other are the stream.

use std::time::Duration;

use crate::script::Application;
use stomp_codec::Version;
use stomp_codec::connection::{HeartBeat, ServerConfig};

const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:h\nheart-beat:1000,1000\n\n\0";
const SEND: &[u8] = b"SEND\ndestination:a\n\none\0";

/// The names that IANA has registered.
#[test]
fn sub_protocols() {
    let names = ["v10.stomp", "v11.stomp", "v12.stomp"];
    for (version, name) in Version::ALL.into_iter().zip(names) {
        assert_eq!(version.subprotocol(), name);
        assert_eq!(Version::parse_subprotocol(name), Some(version));
    }
    for name in [
        "",
        "stomp",
        "v12",
        "V12.stomp",
        "v1.2.stomp",
        "v13.stomp",
        "v12.stomp ",
    ] {
        assert_eq!(Version::parse_subprotocol(name), None, "{name:?}");
    }
}

/// Title, the messages, what the server makes of them.
type Row<'a> = (&'a str, &'a [&'a [u8]], &'a [&'a str]);

/// Gives each message to the server, and keeps what it left, as from a socket.
fn talk(messages: &[&[u8]]) -> (Vec<String>, Application) {
    let mut config = ServerConfig::default();
    config.versions = vec![Version::V1_2];
    config.heart_beat = HeartBeat {
        send: Duration::from_secs(1),
        receive: Duration::from_secs(1),
    };
    config.limits.assembled_size = 8;
    let mut server = Application::new(config);
    let mut kept = Vec::new();
    for message in messages {
        kept.extend_from_slice(message);
        let left = server.receive(Duration::from_millis(500), &kept).len();
        kept.drain(..kept.len() - left);
    }
    assert!(kept.is_empty(), "{kept:?}");
    assert_eq!(server.transcript.error, None);
    (server.transcript.events.clone(), server)
}

#[test]
fn a_message_holds_any_part_of_the_stream() {
    let connected = "connect 1.2 host=h login=- passcode=- heart-beat=1000,1000";
    let one = "send a [] one";
    let table: &[Row<'_>] = &[
        (
            "a frame each",
            &[CONNECT, SEND, SEND],
            &[connected, one, one],
        ),
        (
            "frames together",
            &[&[CONNECT, SEND, SEND].concat()],
            &[connected, one, one],
        ),
        (
            "a frame over several messages",
            &[
                &CONNECT[..20],
                &CONNECT[20..],
                &SEND[..3],
                b"",
                &SEND[3..20],
                &SEND[20..],
            ],
            &[connected, one],
        ),
        (
            "the NUL in a message of its own",
            &[CONNECT, &SEND[..23], b"\0"],
            &[connected, one],
        ),
        (
            "a heart-beat each",
            &[CONNECT, b"\n", b"\n", SEND, b"\n"],
            &[connected, one],
        ),
        (
            "CR LF as heart-beat",
            &[CONNECT, b"\r\n", SEND, b"\r", b"\n"],
            &[connected, one],
        ),
        (
            "EOLs behind a frame, as STOMP.js may send",
            &[CONNECT, &[SEND, b"\n\n"].concat(), &[b"\n", SEND].concat()],
            &[connected, one, one],
        ),
        (
            "a body in parts, with EOLs that are body",
            &[
                CONNECT,
                b"SEND\ndestination:a\n\n",
                b"\n\n01234",
                b"\n567",
                b"\n\0\n",
                SEND,
            ],
            &[connected, "send a [] \n\n01234\n567\n", one],
        ),
    ];
    for (title, messages, events) in table {
        assert_eq!(talk(messages).0, *events, "{title}");
    }
}

/// An EOL is a sign of life, and the server's own is one EOL.
#[test]
fn heart_beats_are_messages() {
    let (_, mut server) = talk(&[CONNECT]);
    server.take_sent();
    let server = &mut server.server;
    assert_eq!(server.poll_timeout(), Some(Duration::from_millis(1250)));
    server.handle_timeout(Duration::from_millis(1250)).unwrap();
    let mut message = Vec::new();
    server.poll_transmit(Duration::from_millis(1250), &mut message);
    assert_eq!(message, b"\n");
    // Silence may last an interval and the margin of a second, from the last EOL.
    let heart_beat = &mut &b"\n"[..];
    assert_eq!(
        server.receive(Duration::from_millis(2000), heart_beat),
        Ok(None)
    );
    server.handle_timeout(Duration::from_millis(3999)).unwrap();
    assert!(server.handle_timeout(Duration::from_millis(4000)).is_err());
}
