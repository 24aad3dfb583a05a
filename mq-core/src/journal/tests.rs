//! The layout of records, in bytes.

use super::batch::Batch;
use super::record::{Context, Encoder, Record, Unreadable, decode};
use crate::model::Body;
use crate::model::change::{
    BacklogId, BindingId, Change, Copied, Handshake, KeptBinding, KeptLimits, KeptPolicy,
    KeptQueue, KeptSession, KeptSubscription, Range, Sender, Sent, Target, TransactionId,
};
use crate::model::exchange::{Destination, ExchangeSettings, ExchangeType, HashOn};
use crate::model::message::{
    Headers, Integer, Message, Name, Origin, Properties, Qos, Text, Value,
};
use crate::model::meter::Counted;
use crate::model::queue::QueueId;
use crate::model::session::{SessionId, SubscriptionOptions, Will};
use crate::policy::{ApplyTo, Policy, PolicyKind, PolicyValue};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::num::NonZeroU32;
use core::time::Duration;

fn headers(entries: &[(&str, Value)]) -> Headers {
    Headers(
        entries
            .iter()
            .map(|(name, value)| (Text::from(*name), value.clone()))
            .collect(),
    )
}

/// Every type of value.
fn values() -> Headers {
    let bytes = Bytes::from_static(b"b");
    headers(&[
        ("", Value::Void),
        ("", Value::Bool(true)),
        ("", Value::Int(Integer::I8, -1)),
        ("", Value::Int(Integer::U8, 1)),
        ("", Value::Int(Integer::I16, 2)),
        ("", Value::Int(Integer::U16, 3)),
        ("", Value::Int(Integer::I32, 4)),
        ("", Value::Int(Integer::U32, 5)),
        ("", Value::Int(Integer::I64, 6)),
        ("", Value::F32(0.5)),
        ("", Value::F64(0.5)),
        ("", Value::Decimal { scale: 2, value: 7 }),
        ("", Value::String(bytes.clone())),
        ("", Value::Binary(bytes)),
        ("", Value::Timestamp(300)),
        ("", Value::Array(Vec::from([Value::Void]))),
        ("n", Value::Table(headers(&[("m", Value::Void)]))),
    ])
}

fn message(origin: Origin, properties: Properties) -> Arc<Message> {
    Arc::new(Message {
        exchange: Name::from("x"),
        routing_key: Name::from("k"),
        properties,
        body: Bytes::from_static(b"body").into(),
        published: Duration::new(1, 2),
        origin,
        counted: Counted::default(),
    })
}

fn all_properties() -> Properties {
    let name = |text: &str| Some(Text::from(text));
    Properties {
        content_type: name("1"),
        content_encoding: name("2"),
        headers: values(),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some(Bytes::from_static(b"3")),
        reply_to: name("4"),
        expiration: Some(Duration::from_nanos(128)),
        message_id: name("5"),
        timestamp: Some(6),
        kind: name("7"),
        user_id: name("8"),
        app_id: name("9"),
        cluster_id: name("a"),
        payload_is_utf8: Some(true),
        qos: Qos::ExactlyOnce,
    }
}

fn target(expires: Option<Duration>, returned: u32) -> Target {
    Target {
        backlog: BacklogId(5),
        position: 300,
        expires,
        returned,
        copy: None,
    }
}

fn copied() -> Target {
    let copy = Copied {
        qos: Qos::ExactlyOnce,
        retain: true,
        identifiers: Vec::from([1, 300]),
        share: Some(Name::from("s")),
        sent: Some(SENT),
    };
    Target {
        copy: Some(Box::new(copy)),
        ..target(None, 0)
    }
}

const SENT: Sent = Sent {
    packet_identifier: 9,
    number: 300,
};

fn session(will: Option<Will>) -> Record {
    let second = Duration::from_secs(1);
    Record::Change(Change::Session(Box::new(KeptSession {
        id: SessionId(7),
        client_identifier: Name::from("c"),
        expiry: will.is_none().then_some(second),
        away: will.is_none().then_some(second),
        will,
    })))
}

fn subscribed(shared: bool, options: SubscriptionOptions) -> Record {
    Record::Change(Change::Subscribed(Box::new(KeptSubscription {
        session: SessionId(7),
        filter: Name::from("t/#"),
        shared,
        options,
    })))
}

fn handshake(sender: Sender) -> Handshake {
    Handshake {
        session: SessionId(7),
        sender,
        packet_identifier: 9,
    }
}

/// What was written in version 1, byte for byte: read for ever.
fn version_1() -> Vec<(&'static str, Record)> {
    let context = |transaction| {
        Record::Context(Context {
            host: Name::from("/"),
            transaction,
        })
    };
    let exchange = |alternate: Option<&str>| {
        Record::Change(Change::Exchange {
            name: Name::from("x"),
            settings: Box::new(ExchangeSettings {
                kind: ExchangeType::Topic,
                durable: true,
                auto_delete: true,
                internal: false,
                alternate: alternate.map(Name::from),
                delayed: false,
                hash_on: HashOn::RoutingKey,
            }),
        })
    };
    let with_more = |kind, delayed, hash_on| {
        Record::Change(Change::Exchange {
            name: Name::from("x"),
            settings: Box::new(ExchangeSettings {
                durable: true,
                delayed,
                hash_on,
                ..ExchangeSettings::of(kind)
            }),
        })
    };
    let bound = |destination| {
        Record::Change(Change::Bound(Box::new(KeptBinding {
            id: BindingId(3),
            source: Name::from("x"),
            destination,
            routing_key: Name::from("k"),
            arguments: Headers::default(),
        })))
    };
    let will_message = message(Origin::Broker, Properties::default());
    let message = |origin, properties, targets: &[Target]| {
        Record::Change(Change::Message {
            message: message(origin, properties),
            targets: targets.to_vec(),
        })
    };
    Vec::from([
        ("000103012f00", context(None)),
        ("000105012f01c801", context(Some(TransactionId(200)))),
        ("01010b017805746f706963010000", exchange(None)),
        ("01010d017805746f7069630100010161", exchange(Some("a"))),
        (
            "0201020178",
            Record::Change(Change::ExchangeDeleted {
                name: Name::from("x"),
            }),
        ),
        (
            "03011d05017100010c782d6d61782d6c656e677468080000000000000003ac02",
            Record::Change(Change::Queue(Box::new(KeptQueue {
                id: QueueId(5),
                name: Name::from("q"),
                auto_delete: false,
                arguments: headers(&[("x-max-length", Value::long(3))]),
                offered: 300,
            }))),
        ),
        (
            "04010105",
            Record::Change(Change::QueueDeleted { id: QueueId(5) }),
        ),
        (
            "0501080301780005016b00",
            bound(Destination::Queue(QueueId(5))),
        ),
        (
            "050109030178010179016b00",
            bound(Destination::Exchange(Name::from("y"))),
        ),
        (
            "06010103",
            Record::Change(Change::Unbound { id: BindingId(3) }),
        ),
        (
            "0701280105ac020000000178016b000000003b9aca020300000000000000000000000000000000\
             626f6479",
            message(Origin::Broker, Properties::default(), &[target(None, 0)]),
        ),
        (
            "070125000178016b000000003b9aca020002000000000000000000000000000000000000626f64\
             79",
            message(
                Origin::Amqp(Bytes::from_static(b"\0\0")),
                Properties::default(),
                &[],
            ),
        ),
        (
            "0701330105ac0201000000003b9aca0004000178016b000000003b9aca0201017401000000000000\
             00000000000000000000626f6479",
            message(
                Origin::Mqtt {
                    topic: Name::from("t"),
                    retain: true,
                },
                Properties::default(),
                &[target(Some(Duration::new(1, 0)), 4)],
            ),
        ),
        (
            "0701c8010205ac0200000005ac020001000178016b000000003b9aca0202082f71756575652f710101\
             310101321100000001010002ffffffffffffffff00030000000000000001000400000000000000\
             020005000000000000000300060000000000000004000700000000000000050008000000000000\
             000600093f000000000a3fe0000000000000000b0200000007000c0162000d0162000eac02000f\
             0100016e1001016d00010201090101330101340180010101350106010137010138010139010161\
             010102626f6479",
            message(
                Origin::Stomp {
                    destination: Name::from("/queue/q"),
                },
                all_properties(),
                &[target(None, 0), target(None, 1)],
            ),
        ),
        (
            "08010305ac02",
            Record::Change(Change::Settled {
                backlog: BacklogId(5),
                position: 300,
            }),
        ),
        (
            "22010405ac0202",
            Record::Change(Change::SettledRange(Range {
                backlog: BacklogId(5),
                first: 300,
                count: 2,
            })),
        ),
        (
            "09010405ac0202",
            Record::Change(Change::Returned {
                backlog: BacklogId(5),
                position: 300,
                count: 2,
            }),
        ),
        (
            "0a0102c801",
            Record::Change(Change::Committed {
                transaction: TransactionId(200),
            }),
        ),
        (
            "0701350105ac020000010201020 1ac02 01 0173 01 09ac02 0178016b000000003b9aca0203\
             00000000000000000000000000000000626f6479",
            message(Origin::Broker, Properties::default(), &[copied()]),
        ),
        (
            "0b0113 07 0163 01 8094ebdc03 01 000000003b9aca00 00",
            session(None),
        ),
        (
            "0b012d 07 0163 00 00 01 8094ebdc03 21 0178016b000000003b9aca020300000000000000\
             000000000000000000626f6479",
            session(Some(Will {
                message: will_message,
                delay: Duration::from_secs(1),
            })),
        ),
        (
            "0c010107",
            Record::Change(Change::SessionEnded { id: SessionId(7) }),
        ),
        (
            "0d010c 07 03742f23 00 02 01 00 01ac02",
            subscribed(
                false,
                SubscriptionOptions {
                    qos: Qos::ExactlyOnce,
                    no_local: true,
                    retain_as_published: false,
                    identifier: NonZeroU32::new(300),
                },
            ),
        ),
        (
            "0d010a 07 03742f23 01 01 00 01 00",
            subscribed(
                true,
                SubscriptionOptions {
                    qos: Qos::AtLeastOnce,
                    no_local: false,
                    retain_as_published: true,
                    identifier: None,
                },
            ),
        ),
        (
            "0e0105 07 03742f23",
            Record::Change(Change::Unsubscribed {
                session: SessionId(7),
                filter: Name::from("t/#"),
            }),
        ),
        (
            "0f0106 07 ac02 09 ac02",
            Record::Change(Change::InFlight {
                session: SessionId(7),
                position: 300,
                sent: SENT,
            }),
        ),
        (
            "100104 07 00 09 00",
            Record::Change(Change::Handshake {
                handshake: handshake(Sender::Client),
                number: 0,
            }),
        ),
        (
            "100105 07 01 09 ac02",
            Record::Change(Change::Handshake {
                handshake: handshake(Sender::Broker),
                number: 300,
            }),
        ),
        (
            "110103 07 01 09",
            Record::Change(Change::HandshakeEnded(handshake(Sender::Broker))),
        ),
        (
            "120139 01 012f 0170 025e71 06717565756573 ffffffffffffffff \
             02 036d617808 0000000000000003 086f766572666c6f77 0c 09 64726f702d68656164",
            Record::Change(Change::Policy(Box::new(KeptPolicy {
                kind: PolicyKind::Operator,
                policy: Policy {
                    virtual_host: "/".into(),
                    name: "p".into(),
                    pattern: "^q".into(),
                    apply_to: ApplyTo::Queues,
                    priority: -1,
                    definition: BTreeMap::from([
                        ("max".into(), PolicyValue::Number(3)),
                        ("overflow".into(), PolicyValue::from("drop-head")),
                    ]),
                },
            }))),
        ),
        (
            "14010d 0178 05746f706963 00 00 00 01 00",
            with_more(ExchangeType::Topic, true, HashOn::RoutingKey),
        ),
        (
            "14011b 0178 11782d636f6e73697374656e742d68617368 00 00 00 00 01 0168",
            with_more(
                ExchangeType::ConsistentHash,
                false,
                HashOn::Header(Name::from("h")),
            ),
        ),
        (
            "15010A 01056775657374 010A 00",
            Record::Change(Change::Limits(KeptLimits {
                user: Some(Name::from("guest")),
                connections: Some(10),
                others: None,
            })),
        ),
        (
            "150105 00 00 01AC02",
            Record::Change(Change::Limits(KeptLimits {
                user: None,
                connections: None,
                others: Some(300),
            })),
        ),
        (
            "160107 01056775657374",
            Record::Change(Change::LimitsCleared {
                user: Some(Name::from("guest")),
            }),
        ),
        (
            "160101 00",
            Record::Change(Change::LimitsCleared { user: None }),
        ),
        (
            "130103 00 0170",
            Record::Change(Change::PolicyCleared {
                kind: PolicyKind::Ordinary,
                name: Name::from("p"),
            }),
        ),
    ])
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| Some(digit.to_digit(16)? as u8))
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn encode(record: &Record) -> Vec<u8> {
    let mut out = Batch::default();
    let mut encoder = Encoder::default();
    match record {
        Record::Context(context) => encoder.context(&mut out, &context.host, context.transaction),
        Record::Change(change) => {
            assert!(encoder.change(&mut out, change, &Body::default()));
        }
    }
    out.take().concat()
}

#[test]
fn version_1_is_read_and_written() {
    for (hex, record) in version_1() {
        let mut input = Bytes::from(bytes(hex));
        assert_eq!(decode(&mut input).as_ref(), Ok(&record), "{hex}");
        assert!(input.is_empty());
        assert_eq!(encode(&record), bytes(hex), "{record:?}");
    }
}

/// Whatever is cut or changed, reading ends, and with no panic.
#[test]
fn damage_is_found() {
    for (hex, record) in version_1() {
        let whole = bytes(hex);
        for len in 0..whole.len() {
            let mut cut = Bytes::copy_from_slice(&whole[..len]);
            assert_eq!(decode(&mut cut), Err(Unreadable::Damaged), "{hex} {len}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                // Only a checksum finds all of it.
                let found = decode(&mut Bytes::from(changed));
                assert_ne!(found.as_ref(), Ok(&record), "{hex} {at} {bit}");
            }
        }
    }
}
