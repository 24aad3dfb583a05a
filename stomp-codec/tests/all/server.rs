//! The server role between its login and its end: what an application can do and is told.

use std::time::Duration;

use crate::script::config;
use stomp_codec::ConnectionError::{UnexpectedCommand, UnknownMessage};
use stomp_codec::connection::{
    Accept, ClientConfig, ClientConnection, ConnectOptions, Goodbye, ReadBuffer, ServerConfig,
    ServerConnection, ServerEvent, UnmatchedUnsubscribe,
};
use stomp_codec::{Command, ConnectionError, Headers, SendError};

pub(crate) fn connect(config: ServerConfig, opening: &str) -> (ServerConnection, String) {
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

pub(crate) fn transmit(server: &mut ServerConnection) -> String {
    let mut out = Vec::new();
    let len = server.transmit_len();
    assert_eq!(server.poll_transmit(Duration::ZERO, &mut out), len);
    assert_eq!(server.transmit_len(), 0);
    String::from_utf8(out).unwrap().replace('\0', "^@")
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

/// "UNSUBSCRIBE": the id has to match that of a subscription. A server for clients of ActiveMQ
/// hears of one that does not, with all that the frame says, and the connection goes on.
// shows: stomp12/UNSUBSCRIBE/matches, stomp11/UNSUBSCRIBE/matches
#[test]
fn an_unmatched_unsubscribe_can_be_passed_on() {
    let stream = "CONNECT\naccept-version:1.2\nhost:h\n\n\0\
                  UNSUBSCRIBE\nid:7\nreceipt:r\nname:n\n\n\0\
                  DISCONNECT\n\n\0";
    for (unmatched, expected) in [
        (UnmatchedUnsubscribe::PassedOn, "r n, disconnect"),
        (UnmatchedUnsubscribe::Refused, "UnknownSubscription"),
    ] {
        let config = config().with_unmatched_unsubscribe(unmatched);
        let mut server = ServerConnection::new(Duration::ZERO, config);
        let mut input = stream.as_bytes();
        let mut seen = Vec::new();
        loop {
            match server.receive(Duration::ZERO, &mut input) {
                Ok(Some(ServerEvent::Connect(_))) => {
                    server.accept(Duration::ZERO, &Accept::default()).unwrap();
                }
                Ok(Some(ServerEvent::UnmatchedUnsubscribe { receipt, frame, .. })) => {
                    let name = frame.header("name").unwrap_or_default();
                    seen.push(format!("{} {name}", receipt.unwrap_or_default()));
                }
                Ok(Some(ServerEvent::Disconnect { .. })) => seen.push("disconnect".to_owned()),
                Ok(Some(event)) => panic!("{event:?}"),
                Ok(None) => break,
                Err(error) => {
                    seen.push(format!("{error:?}"));
                    break;
                }
            }
        }
        assert_eq!(seen.join(", "), expected);
    }
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

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
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
