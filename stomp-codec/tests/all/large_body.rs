//! Bodies that come in parts: which do, what comes of them, and how much a
//! reader has to keep.

use std::time::Duration;

use crate::script::{Application, converse_in_pieces};
use stomp_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ServerConfig,
    ServerConnection, ServerEvent,
};
use stomp_codec::{Command, ConnectionError, EncodeError, Frame, Headers, SendError, Version};

const NOW: Duration = Duration::ZERO;
const OPENING: &str = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";

/// Bodies of up to 8 bytes come whole, and may have 100.
fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = 8;
    config.limits.body = 100;
    config.limits.transaction_bytes = 200;
    config
}

/// A server that has heard `input` behind CONNECT in reads of `size` bytes, and
/// the events of its frames: the parts of a body put together, with `...` in
/// between, so that it shows whether it came in parts.
fn events(input: &str, size: usize) -> (Vec<String>, String) {
    let mut server = ServerConnection::new(NOW, config());
    let mut events: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    let stream = OPENING.to_owned() + input;
    for read in stream.as_bytes().chunks(size) {
        kept.extend_from_slice(read);
        let mut rest = kept.as_slice();
        loop {
            match server.receive(NOW, &mut rest) {
                Ok(None) => break,
                Err(error) => return (events, error.to_string()),
                Ok(Some(ServerEvent::Connect(_))) => {
                    server.accept(NOW, &Accept::default()).unwrap();
                }
                Ok(Some(ServerEvent::Send(send))) if send.is_whole() => {
                    assert!(!server.is_receiving_body());
                    events.push(String::from_utf8_lossy(send.body()).into_owned());
                }
                Ok(Some(ServerEvent::Send(send))) => {
                    assert_eq!(send.body(), b"");
                    assert!(server.is_receiving_body());
                    events.push("...".into());
                }
                Ok(Some(ServerEvent::Body {
                    part, remaining, ..
                })) => {
                    assert_eq!(server.is_receiving_body(), remaining != Some(0));
                    let body = events.last_mut().unwrap();
                    *body += &String::from_utf8_lossy(part);
                    *body += if remaining == Some(0) { "." } else { "" };
                }
                Ok(Some(event)) => panic!("{event:?}"),
            }
        }
        let taken = kept.len() - rest.len();
        kept.drain(..taken);
        // The headers, the 8 bytes that come whole, and their NUL.
        assert!(kept.len() <= "SEND\ndestination:a\ncontent-length:100\n\n".len() + 9);
    }
    (events, String::new())
}

#[test]
fn which_bodies_come_in_parts() {
    const HUNDRED: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    let nul_ends = format!("SEND\ndestination:a\n\n{HUNDRED}^@");
    let one_more = format!("SEND\ndestination:a\n\n{HUNDRED}x^@");
    let without_end = format!("SEND\ndestination:a\n\n{HUNDRED}x");
    let declared = format!("SEND\ndestination:a\ncontent-length:100\n\n{HUNDRED}^@");
    let hundred = format!("...{HUNDRED}.");
    let open = format!("...{HUNDRED}");
    #[rustfmt::skip]
    let table: &[(&str, &str, &[&str], &str)] = &[
        ("8 bytes", "SEND\ndestination:a\n\n01234567^@", &["01234567"], ""),
        ("9 bytes", "SEND\ndestination:a\n\n012345678^@", &["...012345678."], ""),
        ("8 bytes by content-length", "SEND\ndestination:a\ncontent-length:8\n\n0123^@567^@", &["0123\x00567"], ""),
        ("9 bytes by content-length", "SEND\ndestination:a\ncontent-length:9\n\n0123^@567\n^@", &["...0123\x00567\n."], ""),
        ("a body of EOLs", "SEND\ndestination:a\n\n\n\n\n\n\n\n\n\n\n\n^@\n\n", &["...\n\n\n\n\n\n\n\n\n\n."], ""),
        ("a body of NULs", "SEND\ndestination:a\ncontent-length:9\n\n^@^@^@^@^@^@^@^@^@^@", &["...\0\0\0\0\0\0\0\0\0."], ""),
        ("frames follow", "SEND\ndestination:a\n\n012345678^@\nSEND\ndestination:a\n\nx^@SEND\ndestination:a\ncontent-length:9\n\n876543210^@",
            &["...012345678.", "x", "...876543210."], ""),
        ("headers come before the body does", "SEND\ndestination:a\ncontent-length:9\n\n", &["..."], ""),
        ("parts come before the end does", "SEND\ndestination:a\ncontent-length:12\n\n0123", &["...0123"], ""),
        ("the last byte waits for the NUL, so that it is in the last part", "SEND\ndestination:a\ncontent-length:9\n\n012345678", &["...01234567"], ""),
        ("as long as may be", &nul_ends, &[&hundred], ""),
        ("as long as may be, by content-length", &declared, &[&hundred], ""),
        // Size Limits.
        ("too long", &one_more, &[&open], "maximum size of a body exceeded (byte 120)"),
        ("too long before its end", &without_end, &[&open], "maximum size of a body exceeded (byte 120)"),
        ("too long by content-length, before any of it", "SEND\ndestination:a\ncontent-length:101\n\n", &[], "maximum size of a body exceeded (byte 139)"),
        // Header content-length.
        ("content-length too small", "SEND\ndestination:a\ncontent-length:9\n\n0123456789^@", &["...01234567"], "no NUL after content-length bytes of body (byte 46)"),
        ("content-length too great", "SEND\ndestination:a\ncontent-length:10\n\n012345678^@SEND\n", &["...012345678"], "no NUL after content-length bytes of body (byte 48)"),
        // Body.
        ("no other command has one", "BEGIN\ntransaction:t\ncontent-length:9\n\n012345678^@", &[],
            "BEGIN with a body (byte 38)"),
    ];
    for (title, input, expected, error) in table {
        let input = input.replace("^@", "\0");
        for size in (1..30).chain([1000]) {
            let found = events(&input, size);
            assert_eq!(found.0, *expected, "{title}, in reads of {size}");
            assert_eq!(found.1, *error, "{title}, in reads of {size}");
        }
    }
}

/// Receipts, errors and transactions are the same as with whole bodies.
#[test]
fn what_comes_of_them() {
    #[rustfmt::skip]
    let table: &[(&str, &str, &[&str], &str, &str)] = &[
        ("the receipt comes with the last part", "SEND\ndestination:a\nreceipt:r\n\n0123456789^@", &["send a [] 0123456789"], "",
            "RECEIPT\nreceipt-id:r\n\n^@"),
        ("no receipt before", "SEND\ndestination:a\nreceipt:r\n\n0123456789", &[], "", ""),
        ("ERROR names the receipt", "SEND\ndestination:a\nreceipt:r\\c\ncontent-length:9\n\n0123456789^@", &[],
            "no NUL after content-length bytes of body (byte 58)",
            "ERROR\nreceipt-id:r\\c\nmessage:no NUL after content-length bytes of body (byte 58)\n\n^@"),
        ("a destination that is refused", "SEND\ndestination:/error\nreceipt:r\n\n0123456789^@SEND\n", &["send /error [] 0123456789"], "",
            "ERROR\nreceipt-id:r\nmessage:No such place\n\n^@"),
        ("without a destination", "SEND\nreceipt:r\n\n0123456789^@", &[],
            "SEND without the header destination",
            "ERROR\nreceipt-id:r\nmessage:SEND without the header destination\n\n^@"),
        ("in a transaction it is held, and comes whole", "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\nreceipt:r\n\n0123456789^@\
            SEND\ndestination:b\ntransaction:t\ncontent-length:10\n\n^@123456789^@SEND\ndestination:c\ntransaction:t\n\nx^@COMMIT\ntransaction:t\n\n^@",
            &["commit t (send a 0123456789; send b \u{0}123456789; send c x)"], "", "RECEIPT\nreceipt-id:r\n\n^@"),
        ("ABORT drops it", "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n0123456789^@ABORT\ntransaction:t\nreceipt:r\n\n^@",
            &[], "", "RECEIPT\nreceipt-id:r\n\n^@"),
        ("in a transaction that there is not", "SEND\ndestination:a\ntransaction:t\n\n0123456789^@", &[],
            "unknown transaction", "ERROR\nmessage:unknown transaction\n\n^@"),
        ("the transaction is too large", "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\nreceipt:1\n\n0123456789^@\
            SEND\ndestination:a\ntransaction:t\nreceipt:2\n\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789^@", &[],
            "transactions too large",
            "RECEIPT\nreceipt-id:1\n\n^@ERROR\nreceipt-id:2\nmessage:transactions too large\n\n^@"),
        ("ERROR names the receipt of what is declared too long", "SEND\ndestination:a\nreceipt:r\ncontent-length:101\n\n", &[],
            "maximum size of a body exceeded (byte 149)",
            "ERROR\nreceipt-id:r\nmessage:maximum size of a body exceeded (byte 149)\n\n^@"),
        ("it is not when another was dropped", "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n01234567890123456789012345678901234567890123456789^@\
            ABORT\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n01234567890123456789012345678901234567890123456789^@COMMIT\ntransaction:t\n\n^@",
            &["commit t (send a 01234567890123456789012345678901234567890123456789)"], "", ""),
    ];
    for (title, input, expected, error, sent) in table {
        let input = (OPENING.to_owned() + input).replace("^@", "\0");
        for size in (1..30).chain([1000]) {
            let found = converse_in_pieces(config(), input.as_bytes(), &[size]);
            assert_eq!(found.events[1..], **expected, "{title}, in reads of {size}");
            let why = found.error.map(|error| error.to_string());
            assert_eq!(
                why.unwrap_or_default(),
                *error,
                "{title}, in reads of {size}"
            );
            assert_eq!(found.sent, *sent, "{title}, in reads of {size}");
        }
    }
}

/// 1.0 lets other frames than SEND have a body, which means nothing: however long
/// it is, and with a NUL or a `content-length`, the frame is the same without it.
// shows: stomp10/body/of-subscribe
#[test]
fn a_body_that_is_ignored_makes_no_event() {
    const BODY: &str = "0123456789";
    let frames = [
        "SUBSCRIBE\ndestination:a\nack:client\nsend:2\n",
        "BEGIN\ntransaction:t\n",
        "SEND\ndestination:b\ntransaction:t\n",
        "ACK\nmessage-id:1-1\ntransaction:t\nreceipt:r\n",
        "COMMIT\ntransaction:t\n",
        "ACK\nmessage-id:1-2\n",
        "BEGIN\ntransaction:t\n",
        "ABORT\ntransaction:t\n",
        "UNSUBSCRIBE\ndestination:a\n",
        "SEND\ndestination:a\n",
        "DISCONNECT\n",
    ];
    let stream = |length: &str, body: &str| {
        let frames = frames.iter().map(|frame| match frame.starts_with("SEND") {
            true => format!("{frame}\n\0"),
            false => format!("{frame}{length}\n{body}\0\n"),
        });
        "CONNECT\n\n\0".to_owned() + &frames.collect::<String>()
    };
    let without = converse_in_pieces(config(), stream("", "").as_bytes(), &[1000]);
    assert_eq!(without.error, None);
    assert!(without.closed);
    for length in ["", "content-length:10\n"] {
        for size in (1..30).chain([1000]) {
            let with = stream(length, BODY);
            let with = converse_in_pieces(config(), with.as_bytes(), &[size]);
            assert_eq!(with, without, "{length:?}, in reads of {size}");
        }
    }
}

/// A stream that ends in the middle of a body.
#[test]
fn the_end_of_the_stream() {
    let mut application = Application::new(config());
    let stream = OPENING.to_owned() + "SEND\ndestination:a\n\n0123456789";
    assert_eq!(application.receive(NOW, stream.as_bytes()), b"");
    let end = application.server.receive_eof(NOW);
    assert_eq!(end, Err(ConnectionError::UnexpectedEof));
}

/// The head of a frame is no frame: it cannot be passed on as one.
#[test]
fn a_head_is_not_encoded() {
    let mut server = ServerConnection::new(NOW, config());
    let stream = OPENING.to_owned() + "SEND\ndestination:a\ncontent-length:9\n\n";
    let mut input = stream.as_bytes();
    server.receive(NOW, &mut input).unwrap();
    server.accept(NOW, &Accept::default()).unwrap();
    let Ok(Some(ServerEvent::Send(send))) = server.receive(NOW, &mut input) else {
        panic!("no SEND");
    };
    assert!(!send.frame.is_whole());
    assert_eq!(send.frame.header("content-length").as_deref(), Some("9"));
    let mut out = Vec::new();
    assert_eq!(send.frame.encode(&mut out), Err(EncodeError::BodyInParts));
    assert_eq!(send.frame.to_buf(), Err(EncodeError::BodyInParts));
    assert!(out.is_empty());
    assert!(Frame::new(Version::V1_2, Command::Send, &[], b"").is_whole());
}

/// The client's side, byte by byte: whole or in parts, the same is put together.
#[test]
fn a_client_reads_parts() {
    let stream = "CONNECTED\nversion:1.2\n\n\0\
        MESSAGE\ndestination:a\nmessage-id:1\nsubscription:1\n\n0123\0\
        \nMESSAGE\ndestination:a\nmessage-id:2\nsubscription:1\n\n\n\n0123456\0\
        MESSAGE\ndestination:a\nmessage-id:3\nsubscription:1\ncontent-length:9\n\n\0\0\0\0\0\0\0\0\0\0\
        ERROR\nreceipt-id:1\nmessage:m\n\nthe reason why\0RECEIPT\n";
    for size in [1, 2, 3, 7, 1000] {
        let mut config = ClientConfig::default();
        config.limits.assembled_size = 8;
        let mut client = ClientConnection::new(NOW, config);
        client.connect(NOW, &ConnectOptions::default()).unwrap();
        let (mut kept, mut events) = (Vec::new(), Vec::<String>::new());
        for read in stream.as_bytes().chunks(size) {
            kept.extend_from_slice(read);
            let mut input = kept.as_slice();
            while let Some(event) = client.receive(NOW, &mut input).unwrap() {
                match event {
                    ClientEvent::Connected(_) => {
                        client
                            .send("a", Headers::NONE, b"", Options::RECEIPT)
                            .unwrap();
                    }
                    ClientEvent::Message(message) => {
                        let whole = message.is_whole();
                        let body = String::from_utf8_lossy(message.body());
                        events.push(format!("{} {whole} {body}", message.message_id));
                    }
                    ClientEvent::Error(error) => {
                        assert!(!error.frame.is_whole() && error.receipt.is_some());
                        events.push(format!("error {} ", error.summary.unwrap()));
                    }
                    ClientEvent::Body {
                        part, remaining, ..
                    } => {
                        let event = events.last_mut().unwrap();
                        *event += &String::from_utf8_lossy(part);
                        *event += if remaining == Some(0) { "." } else { "" };
                    }
                    event => panic!("{event:?}"),
                }
                // Between ERROR and the end of its body nothing can be said.
                let over = events
                    .last()
                    .is_some_and(|event| event.starts_with("error"));
                let ended = over && events.last().is_some_and(|event| event.ends_with('.'));
                assert_eq!(client.is_closed(), ended);
                if over {
                    let refused = client.send("a", Headers::NONE, b"", Options::default());
                    assert_eq!(refused, Err(SendError::Closed));
                }
            }
            let taken = kept.len() - input.len();
            kept.drain(..taken);
        }
        assert_eq!(
            events,
            [
                "1 true 0123",
                "2 false \n\n0123456.",
                "3 false \0\0\0\0\0\0\0\0\0.",
                "error m the reason why."
            ],
            "in reads of {size}"
        );
        assert_eq!(client.receive_eof(NOW), Ok(()));
    }
}

/// Where no longer body may come than what comes whole, one that is too long is an error
/// and no event.
#[test]
fn a_body_that_is_too_long_does_not_begin() {
    let mut config = config();
    config.limits.assembled_size = 100;
    let stream = format!("{OPENING}SEND\ndestination:a\n\n{}\0", "x".repeat(101));
    let mut input = stream.as_bytes();
    let mut server = ServerConnection::new(NOW, config);
    server.receive(NOW, &mut input).unwrap().unwrap();
    server.accept(NOW, &Accept::default()).unwrap();
    let error = server.receive(NOW, &mut input).unwrap_err();
    assert_eq!(
        error.to_string(),
        "maximum size of a body exceeded (byte 120)"
    );
}

/// A transaction may be as large as its limit, however the body comes.
#[test]
fn a_transaction_up_to_its_limit() {
    let head = "SEND\ndestination:a\ntransaction:t\n\n";
    // The NUL, and whole the content-length that is written for the body.
    for (assembled, most) in [
        (
            usize::MAX,
            200 - head.len() - 1 - "content-length:123\n".len(),
        ),
        (8, 200 - head.len() - 1),
    ] {
        for (length, fits) in [(most, true), (most + 1, false)] {
            let mut config = config();
            config.limits.body = usize::MAX;
            config.limits.assembled_size = assembled;
            let body = "x".repeat(length);
            let stream = format!(
                "{OPENING}BEGIN\ntransaction:t\n\n\0{head}{body}\0COMMIT\ntransaction:t\n\n\0"
            );
            let found = converse_in_pieces(config, stream.as_bytes(), &[7]);
            let error = (!fits).then_some(ConnectionError::TransactionTooLarge);
            assert_eq!(found.error, error, "{length}");
        }
    }
}

/// An ERROR whose body stops in the middle ends too: by the end of the stream, or
/// by time, before CONNECTED and after it.
#[test]
fn an_error_that_does_not_end() {
    let start = |stream: &str| {
        let mut config = ClientConfig::default();
        config.limits.assembled_size = 0;
        config.limits_before_login.assembled_size = 0;
        let mut client = ClientConnection::new(NOW, config);
        client.connect(NOW, &ConnectOptions::default()).unwrap();
        let mut input = stream.as_bytes();
        while client.receive(NOW, &mut input).unwrap().is_some() {}
        assert!(!client.is_closed());
        client
    };
    let before = "ERROR\nmessage:m\n\nbecause";
    // From a server of 1.0, which pads.
    let padded = "ERROR\nmessage: m\ncontent-length: 9\n\nbe\0cause";
    let behind = "CONNECTED\nversion:1.2\nheart-beat:1000,0\n\n\0ERROR\nmessage:m\n\nbecause";
    let quiet = "CONNECTED\nversion:1.2\n\n\0ERROR\nmessage:m\n\nbecause";
    for stream in [before, padded, behind, quiet] {
        let mut client = start(stream);
        assert_eq!(client.receive_eof(NOW), Ok(()));
        assert!(client.is_closed());

        // Each part has its time, and no other timer runs.
        let mut client = start(stream);
        assert_eq!(client.poll_timeout(), Some(Duration::from_secs(10)));
        let later = Duration::from_secs(9);
        client.receive(later, &mut &b"!"[..]).unwrap();
        let end = Duration::from_secs(19);
        assert_eq!(client.poll_timeout(), Some(end));
        let error = ConnectionError::CloseTimeout;
        assert_eq!(client.handle_timeout(end), Err(error));
        assert!(client.is_closed());
    }
}

fn sent(poll_transmit: impl FnOnce(&mut Vec<u8>) -> usize) -> String {
    let mut out = Vec::new();
    poll_transmit(&mut out);
    String::from_utf8(out).unwrap().replace('\0', "^@")
}

/// What is sent meanwhile waits for the end of the body, and none is sent twice.
#[test]
fn a_client_sends_parts() {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    assert_eq!(client.send_body(b"x"), Err(SendError::NotOpen));
    client.connect(NOW, &ConnectOptions::default()).unwrap();
    let mut input = &b"CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n\0"[..];
    client.receive(NOW, &mut input).unwrap();
    sent(|out| client.poll_transmit(NOW, out));

    let options = Options::RECEIPT;
    client
        .begin_send("a", [("x", "y"), ("content-length", "9")], 7, options)
        .unwrap();
    assert_eq!(
        sent(|out| client.poll_transmit(NOW, out)),
        "SEND\ndestination:a\nreceipt:1\nx:y\ncontent-length:7\n\n"
    );
    assert_eq!(client.send_body(b"0\x001"), Ok(4));
    assert_eq!(
        client.begin_send("b", Headers::NONE, 1, options),
        Err(SendError::BodyLength { remaining: 4 })
    );
    client
        .send("b", Headers::NONE, b"whole", Options::default())
        .unwrap();
    assert_eq!(
        client.send_body(b"23456"),
        Err(SendError::BodyLength { remaining: 4 })
    );
    assert_eq!(sent(|out| client.poll_transmit(NOW, out)), "0^@1");
    // An EOL would be body.
    let next = client.poll_timeout().unwrap();
    client.handle_timeout(next).unwrap();
    assert_eq!(client.transmit_len(), 0);
    assert!(client.poll_timeout().unwrap() > next);
    client.close(NOW).unwrap();
    assert_eq!(client.send_body(b""), Ok(4));
    assert_eq!(client.send_body(b"2345"), Ok(0));
    assert_eq!(
        sent(|out| client.poll_transmit(NOW, out)),
        "2345^@SEND\ndestination:b\ncontent-length:5\n\nwhole^@DISCONNECT\nreceipt:2\n\n^@"
    );
    assert_eq!(client.send_body(b"x"), Err(SendError::Closed));
}

/// A message whose body is not all sent when the stream ends was not sent, though the client
/// had closed: DISCONNECT waits for the end of the body.
#[test]
fn the_stream_ends_within_what_a_client_sends() {
    for (sent, expected) in [(3, Err(ConnectionError::UnexpectedEof)), (7, Ok(()))] {
        let mut client = ClientConnection::new(NOW, ClientConfig::default());
        client.connect(NOW, &ConnectOptions::default()).unwrap();
        let mut input = &b"CONNECTED\nversion:1.2\n\n\0"[..];
        client.receive(NOW, &mut input).unwrap();
        client
            .begin_send("a", Headers::NONE, 7, Options::default())
            .unwrap();
        client.send_body(&b"0123456"[..sent]).unwrap();
        client.close(NOW).unwrap();
        assert!(!client.is_closed());
        assert_eq!(client.receive_eof(NOW), expected, "{sent}");
        assert!(client.is_closed());
        assert_eq!(client.error().copied(), expected.err());
        assert_eq!(client.poll_timeout(), None);
    }
}

/// A client that asks on and on while a body waits fills no memory.
#[test]
fn receipts_that_wait_are_bounded() {
    let open = |in_parts: bool| {
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let mut input = OPENING.as_bytes();
        server.receive(NOW, &mut input).unwrap();
        server.accept(NOW, &Accept::default()).unwrap();
        let mut input = &b"SUBSCRIBE\nid:1\ndestination:a\n\n\0"[..];
        let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(NOW, &mut input) else {
            panic!("it is a SUBSCRIBE");
        };
        let size = if in_parts { 7 } else { 0 };
        server
            .begin_deliver(subscribe.subscription, 1, "a", Headers::NONE, size)
            .unwrap();
        server
    };
    let asked = b"BEGIN\ntransaction:t\nreceipt:r\n\n\0ABORT\ntransaction:t\nreceipt:r\n\n\0";
    let asked = asked.repeat(2000);
    let receipt = "RECEIPT\nreceipt-id:r\n\n^@";
    // As many as there is room for are given when the body has ended.
    for (frames, expected) in [
        (2000, Ok(None)),
        (4000, Err(ConnectionError::TooManyReceipts)),
    ] {
        let mut server = open(true);
        let half = &asked[..asked.len() * frames / 4000];
        assert_eq!(server.receive(NOW, &mut &half[..]), expected);
        let before = server.transmit_len();
        if expected.is_ok() {
            server.send_body(b"0123456").unwrap();
            let all = sent(|out| server.poll_transmit(NOW, out));
            assert_eq!(all.matches(receipt).count(), frames);
        } else {
            assert!(server.is_closed());
            assert_eq!(server.transmit_len(), before);
        }
    }
    let mut server = open(false);
    assert_eq!(server.receive(NOW, &mut &asked[..]), Ok(None));
}

/// The server's side: receipts wait, the end of the session too, and a failure leaves
/// the message incomplete.
#[test]
fn a_server_sends_parts() {
    let open = || {
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let stream = OPENING.to_owned() + "SUBSCRIBE\nid:0\ndestination:a\nack:client\n\n\0";
        let mut input = stream.as_bytes();
        server.receive(NOW, &mut input).unwrap();
        server.accept(NOW, &Accept::default()).unwrap();
        let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(NOW, &mut input) else {
            panic!("no subscription");
        };
        let subscription = subscribe.subscription;
        sent(|out| server.poll_transmit(NOW, out));
        server
            .begin_deliver(subscription, 7, "a", Headers::NONE, 4)
            .unwrap();
        assert_eq!(server.send_body(b"ab"), Ok(2));
        let begun = server.begin_deliver(subscription, 8, "a", Headers::NONE, 4);
        assert_eq!(begun, Err(SendError::BodyLength { remaining: 2 }));
        assert_eq!(
            sent(|out| server.poll_transmit(NOW, out)),
            "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\nack:1-1\ncontent-length:4\n\nab"
        );
        server
    };
    let mut server = open();
    let mut input = &b"BEGIN\ntransaction:t\nreceipt:1\n\n\0DISCONNECT\nreceipt:2\n\n\0"[..];
    assert!(server.receive(NOW, &mut input).unwrap().is_some());
    server.receipt("2").unwrap();
    assert_eq!((server.transmit_len(), server.is_closed()), (0, false));
    assert_eq!(server.send_body(b"cd"), Ok(0));
    assert!(server.is_closed());
    assert_eq!(
        sent(|out| server.poll_transmit(NOW, out)),
        "cd^@RECEIPT\nreceipt-id:1\n\n^@RECEIPT\nreceipt-id:2\n\n^@"
    );
    assert_eq!(server.send_body(b""), Err(SendError::Closed));

    let mut server = open();
    assert!(server.receive(NOW, &mut &b"nonsense\n\n"[..]).is_err());
    assert_eq!((server.transmit_len(), server.is_closed()), (0, true));
    assert_eq!(server.send_body(b"cd"), Err(SendError::Closed));

    // A body of nothing has no parts.
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let stream = OPENING.to_owned() + "SUBSCRIBE\nid:0\ndestination:a\n\n\0";
    let mut input = stream.as_bytes();
    server.receive(NOW, &mut input).unwrap();
    server.accept(NOW, &Accept::default()).unwrap();
    let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(NOW, &mut input) else {
        panic!("no subscription");
    };
    sent(|out| server.poll_transmit(NOW, out));
    server
        .begin_deliver(subscribe.subscription, 7, "a", Headers::NONE, 0)
        .unwrap();
    assert_eq!(
        sent(|out| server.poll_transmit(NOW, out)),
        "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\n\n^@"
    );
}

/// A part that is shared goes out as one that is copied.
#[test]
fn a_server_shares_parts() {
    for len in [0, 1, 4095, 4096, 100_000] {
        let part = bytes::Bytes::from(vec![b'a'; len]);
        let [copied, shared] = [false, true].map(|shares| {
            let mut server = ServerConnection::new(NOW, ServerConfig::default());
            let stream = OPENING.to_owned() + "SUBSCRIBE\nid:0\ndestination:a\n\n\0";
            let mut input = stream.as_bytes();
            server.receive(NOW, &mut input).unwrap();
            server.accept(NOW, &Accept::default()).unwrap();
            let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(NOW, &mut input)
            else {
                panic!("no subscription");
            };
            let size = len as u64 + 1;
            server
                .begin_deliver(subscribe.subscription, 7, "a", Headers::NONE, size)
                .unwrap();
            let sent = match shares {
                true => server.send_shared_body(part.clone()),
                false => server.send_body(&part),
            };
            assert_eq!(sent, Ok(1));
            let too_long = bytes::Bytes::from_static(b"ab");
            assert_eq!(
                server.send_shared_body(too_long),
                Err(SendError::BodyLength { remaining: 1 })
            );
            assert_eq!(server.send_body(b"z"), Ok(0));
            let mut slices = Vec::new();
            let waiting = server.transmit_len();
            assert_eq!(server.poll_transmit_slices(NOW, &mut slices), waiting);
            slices.concat()
        });
        assert!(copied.ends_with(b"az\0") || len == 0);
        assert_eq!(copied, shared, "{len}");
    }
}
