//! Logs to start from: what a broker has written by the time that it has heard a script.
//! The scripts of AMQP and of STOMP are made for that, since what lasts is seldom in the
//! phrasebooks, whose clients are thrown out soon.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amqp_codec::method::{basic, exchange, queue, tx};
use amqp_codec::{ContentHeader, FieldValue, Frame, Method, PropertyFields, TableBuf};
use bytes::Bytes;
use mq_core::{
    Administration, ApplyTo, Broker, Config, ConnectionId, Input, Output, Policy, PolicyKind,
    Protocol, Recovery, Store, Terms, UserLimits, VirtualHostLimits,
};
use mq_fuzz::phrase;

/// What a broker hears.
pub struct Script {
    protocol: Protocol,
    /// How a client logs in, at first and after it was thrown out.
    login: Vec<u8>,
    heard: Vec<Heard>,
}

enum Heard {
    Said(Vec<u8>),
    Administered(Administration),
}

/// Durable exchanges, queues and bindings; messages in one queue, in two and in none yet, and
/// what becomes of them; a transaction; policies and limits.
pub fn amqp() -> Script {
    let none = TableBuf::default();
    let arguments = table(&[("alternate-exchange", "amq.fanout".into())]);
    let mut said = Vec::new();
    for (exchange, kind, arguments) in [
        ("e", "topic", &arguments),
        (
            "d",
            "x-delayed-message",
            &table(&[("x-delayed-type", "topic".into())]),
        ),
        (
            "h",
            "x-consistent-hash",
            &table(&[("hash-header", "a".into())]),
        ),
    ] {
        said.push(method(exchange::Declare {
            exchange,
            r#type: kind,
            durable: true,
            arguments: arguments.as_table(),
            ..Default::default()
        }));
    }
    let quorum = table(&[("x-queue-type", "quorum".into())]);
    for (queue, arguments) in [("q", &quorum), ("r", &none)] {
        said.push(method(queue::Declare {
            queue,
            durable: true,
            arguments: arguments.as_table(),
            ..Default::default()
        }));
    }
    said.push(method(exchange::Bind {
        destination: "e",
        source: "d",
        routing_key: "a",
        ..Default::default()
    }));
    for (queue, routing_key, arguments) in [("q", "#", &none), ("r", "a", &arguments)] {
        said.push(method(queue::Bind {
            queue,
            exchange: "e",
            routing_key,
            arguments: arguments.as_table(),
            ..Default::default()
        }));
    }

    let get = || {
        method(basic::Get {
            queue: "q",
            ..Default::default()
        })
    };
    let ack = |delivery_tag| {
        method(basic::Ack {
            delivery_tag,
            ..Default::default()
        })
    };
    said.extend([
        publish("e", "a", &none, Some("60000")),
        publish("e", "b", &none, None),
        publish("d", "a", &table(&[("x-delay", 5000.into())]), None),
        get(),
        ack(1),
        get(),
        method(basic::Reject {
            delivery_tag: 2,
            requeue: true,
        }),
        method(tx::Select {}),
        publish("", "r", &none, None),
        get(),
        ack(3),
        method(tx::Commit {}),
        method(queue::Purge {
            queue: "r",
            ..Default::default()
        }),
        method(queue::Unbind {
            queue: "r",
            exchange: "e",
            routing_key: "a",
            arguments: arguments.as_table(),
        }),
        method(exchange::Delete {
            exchange: "h",
            ..Default::default()
        }),
        method(queue::Delete {
            queue: "r",
            ..Default::default()
        }),
    ]);
    let heard = said.into_iter().map(Heard::Said);
    Script {
        protocol: Protocol::Amqp,
        login: phrase::amqp().login,
        heard: heard.chain(administered()).collect(),
    }
}

/// One method on channel 1.
fn method<'a>(method: impl Into<Method<'a>>) -> Vec<u8> {
    encode(Frame::Method {
        channel: 1,
        method: method.into(),
    })
}

fn encode(frame: Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).expect("it is legal");
    out
}

fn table(entries: &[(&str, FieldValue<'_>)]) -> TableBuf {
    let mut table = TableBuf::default();
    for (name, value) in entries {
        table.insert(name, *value).expect("a short name");
    }
    table
}

/// A message that lasts.
fn publish(
    exchange: &str,
    routing_key: &str,
    headers: &TableBuf,
    expiration: Option<&str>,
) -> Vec<u8> {
    let properties = PropertyFields {
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        expiration: expiration.map(Into::into),
        ..Default::default()
    };
    let properties = properties.to_buf().expect("short strings");
    let body = b"m";
    let mut out = method(basic::Publish {
        exchange,
        routing_key,
        ..Default::default()
    });
    out.extend(encode(Frame::Header {
        channel: 1,
        header: ContentHeader {
            body_size: body.len() as u64,
            properties: properties.as_properties(),
        },
    }));
    out.extend(encode(Frame::Body {
        channel: 1,
        payload: body,
    }));
    out
}

/// Policies and limits that are set, and some of them cleared.
fn administered() -> impl Iterator<Item = Heard> {
    let policy = |kind, name: &str, apply_to| Administration::SetPolicy {
        kind,
        policy: Policy {
            virtual_host: "/".into(),
            name: name.into(),
            pattern: "^q".into(),
            apply_to,
            priority: -1,
            definition: BTreeMap::from([("max-length".into(), 9.into())]),
        },
    };
    let user = |max_channels| Administration::SetUserLimits {
        user: "guest".into(),
        limits: UserLimits {
            max_channels,
            ..UserLimits::default()
        },
    };
    [
        policy(PolicyKind::Ordinary, "o", ApplyTo::Queues),
        policy(PolicyKind::Operator, "p", ApplyTo::QuorumQueues),
        user(Some(9)),
        Administration::SetVirtualHostLimits {
            virtual_host: "/".into(),
            limits: VirtualHostLimits {
                max_connections: Some(99),
                max_queues: Some(9),
            },
        },
        Administration::ClearPolicy {
            kind: PolicyKind::Ordinary,
            virtual_host: "/".into(),
            name: "o".into(),
        },
        user(None),
    ]
    .into_iter()
    .map(Heard::Administered)
}

/// Durable subscriptions to a topic, of which one is left and one ends; messages for them and
/// for a queue; acknowledgements, and a transaction.
pub fn stomp() -> Script {
    // RabbitMQ numbers what is to be acknowledged by subscription.
    let heard = [
        "SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.subscriptionName:s\nack:client\n\n\0",
        "SUBSCRIBE\nid:2\ndestination:/topic/a\nactivemq.subscriptionName:t\nselector:n > 1\n\n\0",
        "SUBSCRIBE\nid:3\ndestination:/queue/q\nack:client-individual\n\n\0",
        "SEND\ndestination:/topic/a\npersistent:true\nn:2\n\nm\0",
        "SEND\ndestination:/queue/q\npersistent:true\nexpires:99999999999999\n\nm\0",
        "ACK\nid:1-1\n\n\0",
        "BEGIN\ntransaction:x\n\n\0",
        "SEND\ndestination:/queue/q\npersistent:true\ntransaction:x\n\nm\0",
        "ACK\nid:3-1\ntransaction:x\n\n\0",
        "COMMIT\ntransaction:x\n\n\0",
        "UNSUBSCRIBE\nid:2\nactivemq.subscriptionName:t\n\n\0",
        "DISCONNECT\n\n\0",
        "SEND\ndestination:/topic/a\npersistent:true\n\nm\0",
    ];
    Script {
        protocol: Protocol::Stomp,
        login: b"CONNECT\naccept-version:1.2\nhost:/\nclient-id:c\n\n\0".to_vec(),
        heard: heard.map(|frame| Heard::Said(frame.into())).into(),
    }
}

/// The first phrases for an MQTT client that are no login. Its session is kept, which the
/// phrasebook says in the first of its logins, and may end with a DISCONNECT of 5.0 (its Session
/// Expiry Interval is 0).
pub fn mqtt(level: u8, phrases: usize) -> Script {
    let mut said = phrase::mqtt(level).phrases;
    let others = said.split_off(3);
    let mut heard: Vec<_> = others.into_iter().take(phrases).map(Heard::Said).collect();
    if level == 5 {
        heard.push(Heard::Said(b"\xE0\x07\0\x05\x11\0\0\0\0".to_vec()));
    }
    Script {
        protocol: Protocol::Mqtt,
        login: said.swap_remove(0),
        heard,
    }
}

/// The log of a broker that has heard a script.
pub fn write(script: Script) -> Vec<u8> {
    let config = Config {
        store: Store::Log,
        ..Config::default()
    };
    let now = Duration::ZERO;
    let mut broker = Broker::new(config.clone()).expect("the settings are fine");
    let mut log = Vec::new();
    let mut connection = ConnectionId(0);
    let mut is_open = false;
    for heard in script.heard {
        let mut inputs = VecDeque::new();
        let receive = |connection, said: &[u8]| {
            let bytes = Bytes::copy_from_slice(said);
            Input::Received { connection, bytes }
        };
        if !is_open {
            is_open = true;
            connection.0 += 1;
            inputs.push_back(Input::Connected {
                connection,
                protocol: script.protocol,
                terms: Terms::default(),
            });
            inputs.push_back(receive(connection, &script.login));
        }
        inputs.push_back(match heard {
            Heard::Said(said) => receive(connection, &said),
            Heard::Administered(action) => Input::Administer {
                id: 0,
                action: Box::new(action),
            },
        });
        while let Some(input) = inputs.pop_front() {
            broker.handle(now, input);
            broker.handle_timeout(now);
            while let Some(output) = broker.poll_output() {
                match output {
                    Output::Append { position, slices } => {
                        let batch = slices.concat();
                        let through = position + batch.len() as u64;
                        log.extend(batch);
                        inputs.push_back(Input::Durable { through });
                    }
                    Output::Close { connection, .. } => {
                        is_open = false;
                        inputs.push_back(Input::Disconnected { connection });
                    }
                    Output::Administered { result, .. } => result.expect("it is legal"),
                    _ => {}
                }
            }
        }
    }
    // The target hands it in as one batch: a broker can be made of that.
    let mut recovery = Recovery::new(config).expect("the settings are fine");
    let batch = Bytes::copy_from_slice(&log);
    recovery.batch(0, batch).expect("it is a log");
    let recovered = recovery.finish(now).expect("it is a log");
    let (before, after) = (broker.statistics(), recovered.statistics());
    assert_eq!(before.ready + before.unacknowledged, after.ready);
    log
}
