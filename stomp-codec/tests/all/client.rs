//! What a client writes and what it makes of a server's bytes.

use std::time::Duration;

use Version::{V1_0, V1_1, V1_2};
use stomp_codec::ConnectionError::{
    self, Decode, InvalidHeader, MissingHeader, NoCommonVersion, PeerTimeout, UnexpectedCommand,
    UnexpectedEof, UnknownReceipt,
};
use stomp_codec::connection::{
    AckMode, AckToken, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, HeartBeat,
    Opening, Options, Tolerance,
};
use stomp_codec::{Command, EncodeError, Headers, SendError, Version};

const NOW: Duration = Duration::ZERO;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn new(versions: &[Version]) -> ClientConnection {
    let mut config = ClientConfig::default();
    config.versions = versions.to_vec();
    config.heart_beat = HeartBeat::NONE;
    ClientConnection::new(NOW, config)
}

fn transmit(client: &mut ClientConnection) -> String {
    let mut out = Vec::new();
    let len = client.transmit_len();
    assert_eq!(client.poll_transmit(NOW, &mut out), len);
    String::from_utf8(out).unwrap().replace('\0', "^@")
}

/// Events in words, and the tokens of messages.
fn receive(
    client: &mut ClientConnection,
    bytes: &str,
) -> (Vec<String>, Vec<AckToken<'static>>, Option<ConnectionError>) {
    let bytes = bytes.replace("^@", "\0");
    let mut input = bytes.as_bytes();
    let (mut events, mut tokens) = (Vec::new(), Vec::new());
    loop {
        let text = match client.receive(NOW, &mut input) {
            Ok(None) => return (events, tokens, None),
            Err(error) => return (events, tokens, Some(error)),
            Ok(Some(ClientEvent::Connected(connected))) => format!(
                "connected {} session={} server={} heart-beat={}",
                connected.version,
                connected.session.as_deref().unwrap_or("-"),
                connected.server.as_deref().unwrap_or("-"),
                connected.heart_beat,
            ),
            Ok(Some(ClientEvent::Message(message))) => {
                let subscription = message.subscription.map(|s| s.get().to_string());
                let subscription = subscription.as_deref().unwrap_or("-");
                let body = String::from_utf8_lossy(message.body()).into_owned();
                let ack = if message.ack.is_some() {
                    " to be acknowledged"
                } else {
                    ""
                };
                tokens.extend(message.ack.map(AckToken::into_owned));
                format!("message {subscription} {} {body}{ack}", message.destination)
            }
            Ok(Some(ClientEvent::Receipt(receipt))) => format!("{receipt:?}"),
            Ok(Some(ClientEvent::Error(error))) => format!(
                "error {} {:?} {}",
                error.summary.as_deref().unwrap_or("-"),
                error.receipt,
                String::from_utf8_lossy(error.frame.body()),
            ),
            Ok(Some(_)) => panic!("an event that the test does not know"),
        };
        events.push(text);
    }
}

fn open(version: Version) -> ClientConnection {
    let mut client = new(&Version::ALL);
    client.connect(NOW, &ConnectOptions::default()).unwrap();
    transmit(&mut client);
    let connected = format!("CONNECTED\nversion:{version}\n\n^@");
    let (events, _, error) = receive(&mut client, &connected);
    assert_eq!((events.len(), error), (1, None));
    assert_eq!(client.version(), Some(version));
    client
}

/// "CONNECT or STOMP Frame".
// shows: stomp12/CONNECT/accept-version, stomp11/CONNECT/accept-version, stomp12/CONNECT/host,
// shows: stomp11/CONNECT/host, stomp12/CONNECT/login, stomp11/CONNECT/login,
// shows: stomp10/CONNECT/login, stomp12/CONNECT/heart-beat, stomp11/CONNECT/heart-beat,
// shows: stomp12/STOMP/clients-use-connect, stomp11/STOMP/clients-use-connect,
// shows: stomp12/protocol-negotiation/accept-version-list,
// shows: stomp11/protocol-negotiation/accept-version-list
#[test]
fn connect() {
    let guest = ConnectOptions {
        host: "h",
        login: Some("guest"),
        passcode: Some("a:b\\"),
        headers: &[("client-id", "c")],
        opening: Opening::Connect,
    };
    let stomp = ConnectOptions {
        opening: Opening::Stomp,
        ..guest
    };
    for (versions, options, expected) in [
        (
            &[V1_0][..],
            &guest,
            "CONNECT\nhost:h\nlogin:guest\npasscode:a:b\\\nclient-id:c\n\n^@",
        ),
        (
            &[V1_2, V1_0],
            &guest,
            "CONNECT\naccept-version:1.0,1.2\nheart-beat:0,0\nhost:h\nlogin:guest\npasscode:a:b\\\nclient-id:c\n\n^@",
        ),
        (
            &[V1_1],
            &stomp,
            "STOMP\naccept-version:1.1\nheart-beat:0,0\nhost:h\nlogin:guest\npasscode:a\\cb\\\\\nclient-id:c\n\n^@",
        ),
    ] {
        let mut client = new(versions);
        client.connect(NOW, options).unwrap();
        assert_eq!(transmit(&mut client), expected);
        assert_eq!(client.connect(NOW, options), Err(SendError::OutOfTurn));
        assert_eq!(client.version(), None);
    }
    let refused = ConnectOptions {
        passcode: Some("a\nb"),
        ..guest
    };
    let mut client = new(&Version::ALL);
    let error = SendError::Encode(EncodeError::HeaderByte(b'\n'));
    assert_eq!(client.connect(NOW, &refused), Err(error));
    assert_eq!(transmit(&mut client), "");
    // "Any client frame other than CONNECT MAY specify a receipt header".
    for options in [&guest, &stomp] {
        let asking = ConnectOptions {
            headers: &[("client-id", "c"), ("receipt", "r")],
            ..*options
        };
        let mut client = new(&[V1_1]);
        assert_eq!(
            client.connect(NOW, &asking),
            Err(SendError::ReceiptOfConnect)
        );
        assert_eq!(transmit(&mut client), "");
        assert_eq!(
            client.connect(NOW, options),
            Ok(()),
            "the state is unchanged"
        );
    }
    assert_eq!(
        new(&[V1_0]).connect(NOW, &stomp).err(),
        Some(SendError::Encode(EncodeError::CommandNotInVersion(
            Command::Stomp,
            V1_0
        )))
    );
}

/// What may answer CONNECT.
// shows: stomp12/protocol-negotiation/highest-common, stomp11/protocol-negotiation/highest-common,
// shows: stomp12/CONNECTED/version, stomp11/CONNECTED/version
#[test]
fn answers_to_connect() {
    type Row = (
        &'static str,
        &'static [Version],
        &'static str,
        Option<ConnectionError>,
    );
    let heart_beat = InvalidHeader {
        command: Command::Connected,
        header: "heart-beat",
    };
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("CONNECTED\nversion:1.2\nserver:a\\cb/1\nsession:x\nheart-beat:0,500\n\n^@", &Version::ALL, "connected 1.2 session=x server=a\\cb/1 heart-beat=0,500", None),
        ("\r\nCONNECTED\r\nversion:1.2\r\n\r\n^@", &Version::ALL, "connected 1.2 session=- server=- heart-beat=0,0", None),
        // A server of 1.0 pads, and the client does not know yet that it is one.
        ("ERROR\nmessage:no\ncontent-length: 3\n\na\0b^@", &Version::ALL, "error no None a\0b", None),
        ("CONNECTED\nsession: x\n\n^@", &Version::ALL, "connected 1.0 session=x server=- heart-beat=0,0", None),
        ("CONNECTED\nversion:1.1\nsession: x\n\n^@", &Version::ALL, "connected 1.1 session= x server=- heart-beat=0,0", None),
        ("ERROR\nmessage:no\\way\nversion:1.1\n\nSupported^@", &[V1_2], "error no\\way None Supported", None),
        ("CONNECTED\nversion:1.1\n\n^@", &[V1_0, V1_2], "", Some(NoCommonVersion)),
        ("CONNECTED\nversion:2.0\n\n^@", &Version::ALL, "", Some(NoCommonVersion)),
        ("CONNECTED\n\n^@", &[V1_1], "", Some(NoCommonVersion)),
        ("CONNECTED\nversion:1.1\nheart-beat:x\n\n^@", &Version::ALL, "", Some(heart_beat)),
        ("RECEIPT\nreceipt-id:1\n\n^@", &Version::ALL, "", Some(UnexpectedCommand(Command::Receipt))),
        ("CONNECT\n\n^@", &Version::ALL, "", Some(UnexpectedCommand(Command::Connect))),
    ];
    for (bytes, versions, event, error) in table {
        let mut client = new(versions);
        client.connect(NOW, &ConnectOptions::default()).unwrap();
        let (events, _, found) = receive(&mut client, bytes);
        assert_eq!(events.concat(), *event, "{bytes}");
        assert_eq!(found, *error, "{bytes}");
        assert_eq!(
            client.is_closed(),
            !event.starts_with("connected"),
            "{bytes}"
        );
    }
    // Nothing may come before CONNECT was sent.
    let (_, _, error) = receive(&mut new(&Version::ALL), "CONNECTED\n\n^@");
    assert_eq!(error, Some(UnexpectedCommand(Command::Connected)));
}

/// Each frame by version.
// shows: stomp12/SEND/user-headers-added, stomp11/SEND/user-headers-added,
// shows: stomp12/receipt/any-frame, stomp11/receipt/any-frame, stomp10/receipt/any-frame,
// shows: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id, stomp11/ACK/subscription,
// shows: stomp12/NACK/headers, stomp11/NACK/headers, stomp12/SEND/transaction,
// shows: stomp11/SEND/transaction, stomp10/SEND/transaction
#[test]
fn frames() {
    for (version, subscription, ack, nack) in [
        (V1_0, "", "ACK\nmessage-id:m\\c1\nx:y\n\n^@", None),
        (
            V1_1,
            "subscription:1\n",
            "ACK\nmessage-id:m\\c1\nsubscription:1\ntransaction:1\nreceipt:4\nx:y\n\n^@",
            Some("NACK\nmessage-id:m\\c1\nsubscription:1\nrequeue:false\n\n^@"),
        ),
        (
            V1_2,
            "subscription:1\nack:a\\c1\n",
            "ACK\nid:a\\c1\ntransaction:1\nreceipt:4\nx:y\n\n^@",
            Some("NACK\nid:a\\c1\nrequeue:false\n\n^@"),
        ),
    ] {
        let mut client = open(version);
        let receipt = Options::RECEIPT;
        let mode = AckMode::Client;
        let (s, none) = client
            .subscribe(
                "/queue/a",
                mode,
                [("selector", "x"), ("id", "9")],
                Options::default(),
            )
            .unwrap();
        assert_eq!((s.get(), none), (1, None));
        assert_eq!(
            transmit(&mut client),
            "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\nselector:x\n\n^@"
        );
        let individual = client.subscribe(
            "b",
            AckMode::ClientIndividual,
            Headers::NONE,
            Options::default(),
        );
        assert_eq!(
            individual.err(),
            (version == V1_0).then_some(SendError::AckMode)
        );
        transmit(&mut client);

        client
            .send(
                "/queue/a",
                [("content-type", "t"), ("receipt", "9")],
                b"x",
                receipt,
            )
            .unwrap();
        assert_eq!(
            transmit(&mut client),
            "SEND\ndestination:/queue/a\nreceipt:1\ncontent-type:t\ncontent-length:1\n\nx^@"
        );
        let (transaction, _) = client.begin(receipt).unwrap();
        assert_eq!(
            transmit(&mut client),
            "BEGIN\ntransaction:1\nreceipt:2\n\n^@"
        );
        let within = Options {
            transaction: Some(transaction),
            receipt: true,
        };
        // "SEND, ACK and NACK may be in a transaction": no other frame is.
        client
            .subscribe(
                "c",
                AckMode::Auto,
                Headers::NONE,
                Options {
                    receipt: false,
                    ..within
                },
            )
            .unwrap();
        assert_eq!(
            transmit(&mut client),
            format!(
                "SUBSCRIBE\nid:{}\ndestination:c\nack:auto\n\n^@",
                if version == V1_0 { 2 } else { 3 }
            )
        );
        // No body has begun, so that nothing of none is nothing.
        assert_eq!(client.send_body(b""), Ok(0));
        assert_eq!(transmit(&mut client), "");
        client.send("/queue/a", Headers::NONE, b"", within).unwrap();
        assert_eq!(
            transmit(&mut client),
            "SEND\ndestination:/queue/a\ntransaction:1\nreceipt:3\n\n^@"
        );

        let message =
            format!("MESSAGE\nmessage-id:m\\c1\ndestination:/queue/a\n{subscription}\nhello^@");
        let (events, tokens, error) = receive(&mut client, &message);
        assert_eq!(error, None);
        let number = if version == V1_0 { "-" } else { "1" };
        assert_eq!(
            events,
            [format!(
                "message {number} /queue/a hello to be acknowledged"
            )]
        );
        let options = if version == V1_0 {
            Options::default()
        } else {
            within
        };
        // A header that names the message, or another way to ask for a receipt, would
        // contradict those that are written for it.
        let name = if version == V1_2 { "id" } else { "message-id" };
        let further = [("x", "y"), (name, "9"), ("receipt", "9")];
        client.ack(&tokens[0], further, options).unwrap();
        assert_eq!(transmit(&mut client), ack, "{version}");
        // RabbitMQ: "requeue".
        let requeue = [("requeue", "false")];
        let refused = client.nack(&tokens[0], requeue, Options::default()).err();
        let no_nack = SendError::Encode(EncodeError::CommandNotInVersion(Command::Nack, version));
        assert_eq!(refused, nack.is_none().then_some(no_nack));
        assert_eq!(transmit(&mut client), nack.unwrap_or_default(), "{version}");

        client.commit(transaction, Options::default()).unwrap();
        assert_eq!(transmit(&mut client), "COMMIT\ntransaction:1\n\n^@");
        assert_eq!(
            client.commit(transaction, receipt),
            Err(SendError::UnknownTransaction)
        );
        assert_eq!(
            client.send("a", Headers::NONE, b"", within),
            Err(SendError::UnknownTransaction)
        );
        let (transaction, _) = client.begin(Options::default()).unwrap();
        client.abort(transaction, Options::default()).unwrap();
        assert_eq!(
            transmit(&mut client),
            "BEGIN\ntransaction:2\n\n^@ABORT\ntransaction:2\n\n^@"
        );
        // ActiveMQ and RabbitMQ: the end of a durable subscription.
        let durable = [("durable", "true"), ("id", "9")];
        client.unsubscribe(s, durable, Options::default()).unwrap();
        assert_eq!(
            transmit(&mut client),
            "UNSUBSCRIBE\nid:1\ndurable:true\n\n^@"
        );
        assert_eq!(
            client.unsubscribe(s, Headers::NONE, receipt),
            Err(SendError::UnknownSubscription)
        );
        // What is refused leaves nothing behind.
        assert!(client.send("a", [("x", "\0")], b"", receipt).is_err());
        assert_eq!(transmit(&mut client), "");
    }
}

// shows: stomp12/MESSAGE/destination, stomp12/MESSAGE/message-id, stomp12/MESSAGE/subscription,
// shows: stomp12/MESSAGE/ack
#[test]
fn events() {
    let missing = |header| {
        Some(MissingHeader {
            command: Command::Message,
            header,
        })
    };
    type Row = (Version, &'static str, &'static str, Option<ConnectionError>);
    #[rustfmt::skip]
    let table: &[Row] = &[
        // Subscription 1 has mode auto, 2 client.
        (V1_2, "MESSAGE\nsubscription:1\nmessage-id:m\ndestination:a\n\nx^@", "message 1 a x", None),
        (V1_2, "MESSAGE\nsubscription:2\nmessage-id:m\ndestination:a\nack:k\n\nx^@", "message 2 a x to be acknowledged", None),
        (V1_2, "MESSAGE\nsubscription:2\nmessage-id:m\ndestination:a\n\nx^@", "", missing("ack")),
        (V1_2, "MESSAGE\nmessage-id:m\ndestination:a\n\nx^@", "", missing("subscription")),
        (V1_1, "MESSAGE\nmessage-id:m\ndestination:a\n\nx^@", "", missing("subscription")),
        (V1_2, "MESSAGE\nsubscription:1\ndestination:a\n\nx^@", "", missing("message-id")),
        (V1_2, "MESSAGE\nsubscription:1\nmessage-id:m\n\nx^@", "", missing("destination")),
        (V1_0, "MESSAGE\nmessage-id:m\ndestination: a\n\nx^@", "message - a x to be acknowledged", None),
        (V1_0, "MESSAGE\nsubscription:1\nmessage-id:m\ndestination: a\n\nx^@", "message 1 a x", None),
        // RabbitMQ: replies to a temporary queue come under its name.
        (V1_2, "MESSAGE\nsubscription:/temp-queue/r\nmessage-id:m\ndestination:a\n\nx^@", "message - a x", None),
        (V1_2, "MESSAGE\nsubscription:3\nmessage-id:m\ndestination:a\n\nx^@", "message - a x", None),
        // No SUBSCRIBE of this client gets the number 0.
        (V1_2, "MESSAGE\nsubscription:0\nmessage-id:m\ndestination:a\n\nx^@", "message - a x", None),
        (V1_2, "RECEIPT\nreceipt-id:1\n\n^@", "ReceiptId(1)", None),
        (V1_2, "RECEIPT\nreceipt-id:2\n\n^@", "", Some(UnknownReceipt)),
        (V1_2, "RECEIPT\nreceipt-id:1\n\n^@RECEIPT\nreceipt-id:1\n\n^@", "ReceiptId(1)", Some(UnknownReceipt)),
        (V1_2, "RECEIPT\nreceipt-id:x\n\n^@", "", Some(UnknownReceipt)),
        (V1_2, "RECEIPT\n\n^@", "", Some(MissingHeader { command: Command::Receipt, header: "receipt-id" })),
        (V1_2, "ERROR\nmessage:a\\cb\nreceipt-id:1\n\nwhy^@", "error a:b Some(ReceiptId(1)) why", None),
        (V1_2, "ERROR\n\n^@", "error - None ", None),
        (V1_2, "ERROR\nreceipt-id:9\n\n^@", "error - None ", None),
        (V1_2, "CONNECTED\nversion:1.2\n\n^@", "", Some(UnexpectedCommand(Command::Connected))),
        (V1_2, "SEND\ndestination:a\n\n^@", "", Some(UnexpectedCommand(Command::Send))),
        (V1_2, "\n\r\n\n", "", None),
    ];
    for (version, bytes, event, error) in table {
        let mut client = open(*version);
        client
            .subscribe("a", AckMode::Auto, Headers::NONE, Options::default())
            .unwrap();
        client
            .subscribe("b", AckMode::Client, Headers::NONE, Options::RECEIPT)
            .unwrap();
        let (events, _, found) = receive(&mut client, bytes);
        assert_eq!(events.concat(), *event, "{version} {bytes}");
        assert_eq!(found, *error, "{version} {bytes}");
        let over = error.is_some() || bytes.starts_with("ERROR");
        assert_eq!(client.is_closed(), over, "{bytes}");
        assert_eq!(
            client
                .send("a", Headers::NONE, b"", Options::default())
                .is_err(),
            over,
            "{bytes}"
        );
    }
    let (_, _, error) = receive(&mut open(V1_2), "MESSAGE\nx:\\t\n\n^@");
    assert!(matches!(error, Some(Decode(_))));
}

/// "DISCONNECT": messages and earlier receipts may still come, then its own.
// shows: stomp12/DISCONNECT/graceful, stomp11/DISCONNECT/graceful, stomp10/DISCONNECT/graceful,
// shows: stomp12/DISCONNECT/last, stomp11/DISCONNECT/last,
// shows: stomp12/connection-lingering/last-frame, stomp11/connection-lingering/last-frame
#[test]
fn disconnect() {
    for version in Version::ALL {
        let mut client = open(version);
        assert_eq!(client.receive_eof(NOW), Err(UnexpectedEof));
        let mut client = open(version);
        client
            .subscribe("a", AckMode::Auto, Headers::NONE, Options::RECEIPT)
            .unwrap();
        transmit(&mut client);
        client.close(NOW).unwrap();
        assert_eq!(transmit(&mut client), "DISCONNECT\nreceipt:2\n\n^@");
        assert_eq!(client.close(NOW), Err(SendError::Closed));
        assert_eq!(
            client.send("a", Headers::NONE, b"", Options::default()),
            Err(SendError::Closed)
        );
        let bytes = "MESSAGE\nsubscription:1\nmessage-id:m\ndestination:a\n\nx^@RECEIPT\nreceipt-id:1\n\n^@";
        let (events, _, error) = receive(&mut client, bytes);
        assert_eq!((events.len(), error, client.is_closed()), (2, None, false));
        let mut lost = open(version);
        lost.close(NOW).unwrap();
        assert_eq!((lost.receive_eof(NOW), lost.is_closed()), (Ok(()), true));
        let (events, _, error) = receive(&mut client, "RECEIPT\nreceipt-id:2\n\n^@garbage");
        assert_eq!((events.len(), error, client.is_closed()), (1, None, true));
        assert_eq!(client.receive_eof(NOW), Ok(()));
    }
}

// shows: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
// shows: stomp10/connecting/connect-first
#[test]
fn nothing_is_sent_before_connected() {
    let mut client = new(&Version::ALL);
    for _ in 0..2 {
        let refused = client.send("a", Headers::NONE, b"", Options::default());
        assert_eq!(refused, Err(SendError::NotOpen));
        assert_eq!(client.close(NOW), Err(SendError::NotOpen));
        client.connect(NOW, &ConnectOptions::default()).ok();
    }
}

/// A server may explain itself before CONNECTED, and not at any length.
#[test]
fn limits_before_and_after_connected() {
    let error = "ERROR\nmessage:m\n\n0123456789\0";
    for (is_before, stream) in [
        (true, error.to_owned()),
        (false, "CONNECTED\nversion:1.2\n\n\0".to_owned() + error),
    ] {
        for limits_before in [true, false] {
            let mut config = ClientConfig::default();
            let limits = if limits_before {
                &mut config.limits_before_login
            } else {
                &mut config.limits
            };
            limits.body = 9;
            let mut client = ClientConnection::new(NOW, config);
            client.connect(NOW, &ConnectOptions::default()).unwrap();
            let (_, _, found) = receive(&mut client, &stream);
            assert_eq!(found.is_some(), is_before == limits_before, "{found:?}");
        }
    }
}

// shows: stomp12/heart-beating/eol, stomp11/heart-beating/eol, stomp12/heart-beating/silent-peer,
// shows: stomp11/heart-beating/silent-peer
#[test]
fn heart_beats_and_timeouts() {
    let mut config = ClientConfig::default();
    config.heart_beat = HeartBeat {
        send: ms(100),
        receive: ms(200),
    };
    config.tolerance = Tolerance {
        percent: 50,
        at_least: ms(0),
    };
    config.handshake_timeout = ms(1000);
    let mut client = ClientConnection::new(NOW, config.clone());
    client.connect(NOW, &ConnectOptions::default()).unwrap();
    assert_eq!(client.poll_timeout(), Some(ms(1000)));
    client.handle_timeout(ms(999)).unwrap();
    assert!(transmit(&mut client).contains("\nheart-beat:100,200\n"));
    let connected = "CONNECTED\nversion:1.2\nheart-beat:0,400\n\n\0";
    let mut input = connected.as_bytes();
    client.receive(ms(999), &mut input).unwrap().unwrap();
    // The server sends none, and wants one every 400 ms.
    assert_eq!(client.poll_timeout(), Some(ms(1299)));
    client.handle_timeout(ms(1299)).unwrap();
    assert_eq!(transmit(&mut client), "\n");
    assert_eq!(client.poll_timeout(), Some(ms(1599)));

    let mut client = ClientConnection::new(NOW, config.clone());
    client.connect(NOW, &ConnectOptions::default()).unwrap();
    let connected = "CONNECTED\nversion:1.2\nheart-beat:100,0\n\n\0";
    client
        .receive(ms(0), &mut connected.as_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(client.poll_timeout(), Some(ms(300)));
    assert_eq!(client.receive(ms(250), &mut &b"\n"[..]), Ok(None));
    assert_eq!(client.handle_timeout(ms(549)), Ok(()));
    assert_eq!(client.handle_timeout(ms(550)), Err(PeerTimeout));
    assert_eq!(client.receive(ms(550), &mut &b"\n"[..]), Err(PeerTimeout));
    assert!(client.is_closed());

    // Until CONNECT is sent nobody is waited for.
    let mut client = ClientConnection::new(NOW, config);
    assert_eq!(client.poll_timeout(), None);
    client.connect(ms(500), &ConnectOptions::default()).unwrap();
    assert_eq!(client.handle_timeout(ms(1499)), Ok(()));
    assert_eq!(
        client.handle_timeout(ms(1500)),
        Err(ConnectionError::HandshakeTimeout)
    );
}
