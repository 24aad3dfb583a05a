//! Things that well-behaved clients say, for the fuzzer to put together and to
//! change bytes in: random bytes alone hardly ever get past a handshake.

use amqp_codec::method::{Secret, basic, channel, confirm, connection, exchange, queue, tx};
use amqp_codec::{
    ContentHeader, FieldValue, Frame, Method, Properties, PropertyFields, ProtocolHeader, TableBuf,
};

/// Byte strings that are whole: frames, packets, or several of them.
pub type Phrases = Vec<Vec<u8>>;

/// What a client of each protocol may say.
#[derive(Debug)]
pub struct Phrasebook {
    /// Up to the point from which the rest makes sense.
    pub login: Vec<u8>,
    /// The rest.
    pub phrases: Phrases,
}

fn method<'a>(channel: u16, method: impl Into<Method<'a>>) -> Vec<u8> {
    frame(Frame::Method {
        channel,
        method: method.into(),
    })
}

fn frame(frame: Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).expect("a phrase can be encoded");
    out
}

/// A content in two body frames.
fn content(properties: Properties<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = frame(Frame::Header {
        channel: 1,
        header: ContentHeader {
            body_size: body.len() as u64,
            properties,
        },
    });
    let (first, second) = body.split_at(body.len() / 2);
    for payload in [first, second].into_iter().filter(|part| !part.is_empty()) {
        out.extend(frame(Frame::Body {
            channel: 1,
            payload,
        }));
    }
    out
}

/// AMQP 0-9-1, on channel 1 with the queues `q` and `kept`, and the exchange `e`.
pub fn amqp() -> Phrasebook {
    let mut login = ProtocolHeader::AMQP_0_9_1.to_bytes().to_vec();
    for said in [
        method(
            0,
            connection::StartOk {
                mechanism: "PLAIN",
                response: Secret(b"\0guest\0guest"),
                locale: "en_US",
                ..Default::default()
            },
        ),
        method(
            0,
            connection::TuneOk {
                channel_max: 10,
                frame_max: 4096,
                heartbeat: 10,
            },
        ),
        method(0, connection::Open { virtual_host: "/" }),
        method(1, channel::Open {}),
    ] {
        login.extend(said);
    }

    let mut arguments = TableBuf::default();
    for (name, value) in [("x-message-ttl", 1000), ("x-max-length", 2)] {
        arguments.insert(name, value).expect("a short name");
    }
    let mut headers = TableBuf::default();
    headers.insert("x-match", "any").expect("a short name");
    headers.insert("a", 1).expect("a short name");
    let properties = PropertyFields {
        headers: Some(headers.as_table()),
        content_type: Some("text/plain".into()),
        delivery_mode: Some(2),
        expiration: Some("10".into()),
        ..Default::default()
    }
    .to_buf()
    .expect("short strings");

    let mut phrases = vec![
        method(
            1,
            queue::Declare {
                queue: "q",
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Declare {
                queue: "kept",
                durable: true,
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Declare {
                queue: "q",
                passive: true,
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Declare {
                arguments: arguments.as_table(),
                exclusive: true,
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Bind {
                queue: "q",
                exchange: "e",
                routing_key: "a.*",
                arguments: headers.as_table(),
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Bind {
                queue: "q",
                exchange: "amq.topic",
                routing_key: "a.#",
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Unbind {
                queue: "q",
                exchange: "e",
                routing_key: "a.*",
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Purge {
                queue: "q",
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Delete {
                queue: "q",
                ..Default::default()
            },
        ),
        method(
            1,
            exchange::Delete {
                exchange: "e",
                ..Default::default()
            },
        ),
        method(
            1,
            exchange::Bind {
                destination: "e",
                source: "amq.topic",
                routing_key: "#",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Qos {
                prefetch_count: 1,
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Consume {
                queue: "q",
                consumer_tag: "c",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Consume {
                queue: "q",
                no_ack: true,
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Cancel {
                consumer_tag: "c",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Get {
                queue: "q",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Ack {
                delivery_tag: 1,
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Ack {
                delivery_tag: 0,
                multiple: true,
            },
        ),
        method(
            1,
            basic::Nack {
                delivery_tag: 2,
                requeue: true,
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Reject {
                delivery_tag: 1,
                requeue: true,
            },
        ),
        method(1, basic::Recover { requeue: true }),
        method(1, confirm::Select { no_wait: false }),
        method(1, tx::Select {}),
        method(1, tx::Commit {}),
        method(1, tx::Rollback {}),
        method(1, channel::Flow { active: false }),
        method(
            1,
            channel::Close {
                reply_code: 200,
                ..Default::default()
            },
        ),
        method(1, channel::CloseOk {}),
        method(1, channel::Open {}),
        method(2, channel::Open {}),
        method(
            0,
            connection::Close {
                reply_code: 200,
                ..Default::default()
            },
        ),
        method(0, connection::CloseOk {}),
        frame(Frame::Heartbeat),
    ];
    // A queue that is its own dead-letter target, and one that refuses what is too much.
    for (queue, arguments) in [
        (
            "dead",
            [
                ("x-dead-letter-exchange", FieldValue::from("")),
                ("x-dead-letter-routing-key", "dead".into()),
                ("x-message-ttl", 5.into()),
            ],
        ),
        (
            "full",
            [
                ("x-overflow", "reject-publish".into()),
                ("x-max-length", 2.into()),
                ("x-delivery-limit", 3.into()),
            ],
        ),
    ] {
        let mut table = TableBuf::default();
        for (name, value) in arguments {
            table.insert(name, value).expect("a short name");
        }
        let arguments = table.as_table();
        phrases.push(method(
            1,
            queue::Declare {
                queue,
                arguments,
                ..Default::default()
            },
        ));
        phrases.push(method(
            1,
            basic::Get {
                queue,
                ..Default::default()
            },
        ));
    }
    for kind in ["direct", "fanout", "topic", "headers"] {
        phrases.push(method(
            1,
            exchange::Declare {
                exchange: "e",
                r#type: kind,
                ..Default::default()
            },
        ));
    }
    for (exchange, routing_key) in [
        ("", "q"),
        ("", "kept"),
        ("", "dead"),
        ("", "full"),
        ("e", "a.b"),
        ("amq.topic", "a.b"),
    ] {
        let mut publish = method(
            1,
            basic::Publish {
                exchange,
                routing_key,
                mandatory: true,
                ..Default::default()
            },
        );
        publish.extend(content(properties.as_properties(), b"hello"));
        phrases.push(publish);
    }
    Phrasebook { login, phrases }
}

/// MQTT 5.0 (`level` 5) or 3.1.1 (`level` 4); packets by section 3.
pub fn mqtt(level: u8) -> Phrasebook {
    let five = level == 5;
    // An empty property length, where 5.0 has one.
    let none: &[u8] = if five { &[0] } else { &[] };
    let packet = |first: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        let mut out = vec![first, u8::try_from(body.len()).expect("short")];
        out.extend(body);
        out
    };
    let connect = |flags: u8, properties: &[u8], payload: &[&[u8]]| {
        let properties = if five { properties } else { &[] };
        packet(
            0x10,
            &[
                b"\0\x04MQTT",
                &[level, flags],
                &[0, 10],
                properties,
                &payload.concat(),
            ],
        )
    };
    let subscribe = |filter: &[u8], options: u8| {
        let length = [0, filter.len() as u8];
        packet(0x82, &[&[0, 1], none, &length, filter, &[options]])
    };
    let mut phrases = vec![
        // Another session, kept for 100 s; and one with a will, delayed by 1 s.
        connect(0x00, &[5, 0x11, 0, 0, 0, 100], &[b"\0\x01s"]),
        connect(
            0x0E,
            &[0],
            &[
                b"\0\x01w",
                if five { &[5, 0x18, 0, 0, 0, 1] } else { &[] },
                b"\0\x03a/b\0\x04will",
            ],
        ),
        connect(0xC2, &[0], &[b"\0\x01u", b"\0\x05guest\0\x05guest"]),
        subscribe(b"a/b", 0),
        subscribe(b"a/+", 1),
        subscribe(b"#", 2),
        subscribe(b"$share/g/a/#", 1),
        packet(0xA2, &[&[0, 2], none, b"\0\x03a/+"]),
        packet(0x30, &[b"\0\x03a/b", none, b"zero"]),
        packet(0x31, &[b"\0\x03a/b", none, b"kept"]),
        packet(0x31, &[b"\0\x03a/b", none]),
        packet(0x32, &[b"\0\x03a/b", &[0, 3], none, b"one"]),
        packet(0x34, &[b"\0\x03a/b", &[0, 4], none, b"two"]),
        packet(0x3C, &[b"\0\x03a/b", &[0, 4], none, b"two"]),
        // Acknowledgements of what the server sends: 1 is its first identifier.
        packet(0x40, &[&[0, 1]]),
        packet(0x50, &[&[0, 1]]),
        packet(0x62, &[&[0, 4]]),
        packet(0x62, &[&[0, 1]]),
        packet(0x70, &[&[0, 1]]),
        packet(0xC0, &[]),
        packet(0xE0, &[]),
    ];
    if five {
        phrases.extend([
            // Topic alias 1, set and used; a message that expires in 1 s; with
            // user property, response topic and correlation data.
            packet(0x30, &[b"\0\x03a/b", &[3, 0x23, 0, 1], b"alias"]),
            packet(0x30, &[b"\0\0", &[3, 0x23, 0, 1], b"alias"]),
            packet(
                0x32,
                &[b"\0\x03a/b", &[0, 5], &[5, 0x02, 0, 0, 0, 1], b"short"],
            ),
            packet(
                0x30,
                &[
                    b"\0\x03a/b",
                    b"\x11\x26\0\x01k\0\x01v\x08\0\x01r\x09\0\x03cor",
                    b"rich",
                ],
            ),
            // No local, retain as published, subscription identifier 7.
            packet(0x82, &[&[0, 6], &[2, 0x0B, 7], b"\0\x03a/b", &[0x0D]]),
            // With the will; and a session that now expires in 5 s.
            packet(0xE0, &[&[4, 0]]),
            packet(0xE0, &[&[0, 5, 0x11, 0, 0, 0, 5]]),
            packet(0xF0, &[&[0x18, 0]]),
        ]);
    }
    Phrasebook {
        login: connect(0x02, &[0], &[b"\0\x01c"]),
        phrases,
    }
}

/// STOMP in this version.
pub fn stomp(version: &str) -> Phrasebook {
    let login = format!(
        "CONNECT\naccept-version:{version}\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:1000,1000\n\n\0"
    );
    let phrases = [
        "SUBSCRIBE\nid:1\ndestination:/queue/q\nack:auto\n\n\0",
        "SUBSCRIBE\nid:2\ndestination:/queue/q\nack:client\nreceipt:r\n\n\0",
        "SUBSCRIBE\nid:3\ndestination:/queue/q\nack:client-individual\n\n\0",
        "SUBSCRIBE\nid:4\ndestination:/topic/a.*\n\n\0",
        "SUBSCRIBE\nid:5\ndestination:/exchange/amq.topic/a.#\nack:client\n\n\0",
        "UNSUBSCRIBE\nid:1\n\n\0",
        "UNSUBSCRIBE\nid:2\ndestination:/queue/q\n\n\0",
        "SEND\ndestination:/queue/q\ncontent-length:3\n\na\0b\0",
        "SEND\ndestination:/queue/q\nreceipt:s\ncontent-type:text/plain\nx:y\n\nhello\0\n",
        "SEND\ndestination:/topic/a.b\ntransaction:t\n\nin t\0",
        "SEND\ndestination:/exchange/amq.topic/a.b\nexpires:1\npersistent:true\n\nx\0",
        "BEGIN\ntransaction:t\n\n\0",
        "COMMIT\ntransaction:t\nreceipt:c\n\n\0",
        "ABORT\ntransaction:t\n\n\0",
        "ACK\nid:1\nmessage-id:1\nsubscription:2\n\n\0",
        "ACK\nid:2\nmessage-id:2\nsubscription:3\ntransaction:t\n\n\0",
        "NACK\nid:1\nmessage-id:1\nsubscription:2\n\n\0",
        "DISCONNECT\nreceipt:d\n\n\0",
        "\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    Phrasebook {
        login: login.into_bytes(),
        phrases,
    }
}

/// What an AMQP server says to a client that opens channel 1, makes the
/// requests of the target `amqp_connection`, and gets what it asks for.
pub fn amqp_server() -> Vec<u8> {
    let mut out = Vec::new();
    for said in [
        method(
            0,
            connection::Start {
                version_major: 0,
                version_minor: 9,
                mechanisms: b"PLAIN AMQPLAIN",
                locales: b"en_US",
                ..Default::default()
            },
        ),
        method(
            0,
            connection::Tune {
                channel_max: 10,
                frame_max: 4096,
                heartbeat: 10,
            },
        ),
        method(0, connection::OpenOk {}),
        method(1, channel::OpenOk {}),
        method(
            1,
            basic::Ack {
                delivery_tag: 2,
                multiple: true,
            },
        ),
        method(
            1,
            queue::DeclareOk {
                queue: "q",
                ..Default::default()
            },
        ),
        method(1, basic::ConsumeOk { consumer_tag: "c" }),
        method(
            1,
            basic::Deliver {
                consumer_tag: "c",
                delivery_tag: 1,
                ..Default::default()
            },
        ),
        content(Properties::EMPTY, b"hello"),
    ] {
        out.extend(said);
    }
    out
}
