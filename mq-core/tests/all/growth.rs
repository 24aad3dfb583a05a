//! How the work grows: sixteen times as much takes about as long as sixteen times the
//! same, whatever others have done. What is quadratic takes sixteen times as long as that.
//!
//! The two take about the same time, so whatever else the machine does slows both, and the
//! ratio stays. The broker's own count of its steps does not depend on the machine.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, exchange, queue, tx};
use amqp_codec::{ArrayBuf, FieldValue, PropertyFields};
use mq_core::{ConnectionId, Input};
use mqtt_codec::connection::Message;
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, Subscription,
};
use std::time::{Duration, Instant};

/// How many times as much.
const TIMES: usize = 16;

/// The largest growth of time that still counts as linear: one is linear, and `TIMES`
/// quadratic.
const LINEAR: f64 = 4.0;

/// The largest growth of steps.
const LINEAR_STEPS: f64 = 1.5;

/// How often a case that seems to grow is looked at again.
const TRIES: usize = 5;

/// What a case prepares: the broker, and what is then done to it and timed.
type Prepared = (World, Vec<Input>);

/// A case: its name, how much is much for it (of which a sixteenth is little), and what it prepares for so much.
type Case = (&'static str, usize, fn(usize) -> Prepared);

const CASES: &[Case] = &[
    (
        "a connection dies with unacknowledged deliveries",
        1920,
        requeue,
    ),
    ("tx.rollback of acknowledgements", 1920, roll_back),
    ("CC of many keys to a fanout with many queues", 240, copies),
    ("bindings through many exchanges", 320, bound_exchanges),
    ("queues on one key go, direct", 400, |n| {
        bound_queues(n, "amq.direct")
    }),
    ("queues on one key go, topic", 400, |n| {
        bound_queues(n, "amq.topic")
    }),
    ("queues on one key go, fanout", 400, |n| {
        bound_queues(n, "amq.fanout")
    }),
    ("queues on one key go, headers", 400, |n| {
        bound_queues(n, "amq.headers")
    }),
    (
        "exchanges go beside many queues",
        400,
        exchanges_beside_queues,
    ),
    ("acknowledgements in reverse order", 960, |n| {
        acknowledgements(n, |k, n| n - k)
    }),
    ("acknowledgements inside out", 1440, |n| {
        acknowledgements(n, |k, n| {
            if k % 2 == 0 {
                n / 2 - k / 2
            } else {
                n / 2 + k / 2 + 1
            }
        })
    }),
    (
        "acknowledgements of STOMP inside out",
        1440,
        stomp_acknowledgements,
    ),
    ("consumers that are full", 240, full_consumers),
    ("acknowledgements of many consumers", 240, many_consumers),
    (
        "channels close that had direct replies",
        240,
        reply_channels,
    ),
    ("a share whose members are away", 240, share),
    ("sessions with one filter go", 240, one_filter),
    ("many headers for AMQP", 400, many_headers),
];

/// What something takes.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    time: Duration,
    steps: u64,
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the time")]
fn cost(case: fn(usize) -> Prepared, n: usize, times: usize) -> Cost {
    let mut cost = Cost::default();
    for _ in 0..times {
        let (mut world, inputs) = case(n);
        let before = world.broker.statistics().steps;
        let start = Instant::now();
        for input in inputs {
            world.handle(input);
        }
        cost.time += start.elapsed();
        cost.steps += world.broker.statistics().steps - before;
    }
    cost
}

#[test]
fn sixteen_times_as_much_takes_about_sixteen_times_as_long() {
    let mut wrong = Vec::new();
    for (name, n, case) in CASES {
        let (mut one, mut many) = (Duration::MAX, Duration::MAX);
        let (mut growth, mut growth_of_steps) = (0.0, 0.0);
        for _ in 0..TRIES {
            let little = cost(*case, n / TIMES, TIMES);
            let much = cost(*case, n / TIMES * TIMES, 1);
            (one, many) = (one.min(little.time), many.min(much.time));
            growth = many.as_secs_f64() / one.as_secs_f64();
            growth_of_steps = much.steps as f64 / little.steps as f64;
            if growth <= LINEAR {
                break;
            }
        }
        println!("{growth:5.1} {growth_of_steps:5.1}  {one:>10.1?} {many:>10.1?}  {name}");
        if growth > LINEAR || growth_of_steps > LINEAR_STEPS {
            wrong.push(*name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn received(connection: ConnectionId, bytes: Vec<u8>) -> Input {
    Input::Received {
        connection,
        bytes: bytes.into(),
    }
}

/// What the client has to send.
fn said(client: &mut Amqp) -> Input {
    let mut bytes = Vec::new();
    client
        .codec
        .poll_transmit(std::time::Duration::ZERO, &mut bytes);
    received(client.id, bytes)
}

fn publish(world: &mut World, client: &mut Amqp, n: usize) {
    for _ in 0..n {
        client.publish(1, "", "q", "m");
    }
    client.seen(world);
}

/// A client that holds `n` deliveries of queue `q`, in which as many are ready.
fn holding(world: &mut World, n: usize) -> Amqp {
    let mut client = Amqp::connect(world);
    client.declare("q", &table([]));
    publish(world, &mut client, 2 * n);
    let qos = basic::Qos {
        prefetch_count: u16::try_from(n).unwrap(),
        ..Default::default()
    };
    client.codec.qos(1, &qos).unwrap();
    client.consume(1, "q", "c", false);
    assert_eq!(client.seen(world).len(), n + 2);
    client
}

fn requeue(n: usize) -> Prepared {
    let mut world = World::new();
    let client = holding(&mut world, n);
    let connection = client.id;
    (world, vec![Input::Disconnected { connection }])
}

fn roll_back(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = holding(&mut world, 4 * n);
    client.codec.tx_select(1, &tx::Select::default()).unwrap();
    for tag in 1..=n as u64 {
        client.codec.ack(1, Tags::One(tag)).unwrap();
    }
    client.seen(&mut world);
    client
        .codec
        .tx_rollback(1, &tx::Rollback::default())
        .unwrap();
    let rollback = said(&mut client);
    (world, vec![rollback])
}

fn copies(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for number in 0..n {
        let name = format!("q{number}");
        client.declare(&name, &table([]));
        client.bind(&name, "amq.fanout", "");
    }
    client.seen(&mut world);
    let mut keys = ArrayBuf::new();
    for number in 0..n {
        let key = number.to_string();
        keys.push(FieldValue::LongString(key.as_bytes())).unwrap();
    }
    let headers = table([("CC", FieldValue::Array(keys.as_array()))]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    client.publish_with(1, "amq.fanout", "k", "m", false, &fields);
    let publish = said(&mut client);
    (world, vec![publish])
}

fn declare_exchange(client: &mut Amqp, name: &str) {
    let declare = exchange::Declare {
        exchange: name,
        r#type: "fanout",
        no_wait: true,
        ..Default::default()
    };
    client.codec.exchange_declare(1, &declare).unwrap();
}

fn bound_exchanges(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for number in 0..n {
        let name = format!("x{number}");
        declare_exchange(&mut client, &name);
        let bind = exchange::Bind {
            source: "amq.fanout",
            destination: &name,
            no_wait: true,
            ..Default::default()
        };
        client.codec.exchange_bind(1, &bind).unwrap();
    }
    client.seen(&mut world);
    for _ in 0..5 {
        client.publish(1, "amq.fanout", "k", "m");
    }
    let publish = said(&mut client);
    (world, vec![publish])
}

fn bound_queues(n: usize, exchange: &str) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for number in 0..n {
        let name = format!("q{number}");
        let declare = queue::Declare {
            queue: &name,
            exclusive: true,
            no_wait: true,
            ..Default::default()
        };
        client.codec.queue_declare(1, &declare).unwrap();
        client.bind(&name, exchange, "k");
    }
    client.seen(&mut world);
    let connection = client.id;
    (world, vec![Input::Disconnected { connection }])
}

fn exchanges_beside_queues(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for number in 0..n {
        client.declare(&format!("q{number}"), &table([]));
    }
    for number in 0..n {
        declare_exchange(&mut client, &format!("x{number}"));
    }
    client.seen(&mut world);
    for number in 0..n {
        let delete = exchange::Delete {
            exchange: &format!("x{number}"),
            no_wait: true,
            ..Default::default()
        };
        client.codec.exchange_delete(1, &delete).unwrap();
    }
    let delete = said(&mut client);
    (world, vec![delete])
}

fn acknowledgements(n: usize, tag: fn(usize, usize) -> usize) -> Prepared {
    let mut world = World::new();
    let mut client = holding(&mut world, n);
    world.socket(client.id).slow = true;
    for k in 0..n - 1 {
        let tag = u64::try_from(tag(k, n)).unwrap();
        client.codec.ack(1, Tags::One(tag.max(1))).unwrap();
    }
    let acks = said(&mut client);
    (world, vec![acks])
}

fn stomp_acknowledgements(n: usize) -> Prepared {
    let mut world = World::new();
    let mut publisher = Amqp::connect(&mut world);
    publisher.declare("q", &table([]));
    publish(&mut world, &mut publisher, n);
    let client = Stomp::connect(&mut world);
    client.subscribe(&mut world, "s", "/amq/queue/q", "ack:client-individual\n");
    let ids: Vec<String> = client
        .frames(&mut world)
        .iter()
        .filter_map(|frame| frame.header("ack").map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), n);
    let mut acks = String::new();
    for k in 0..n - 1 {
        let at = if k % 2 == 0 {
            n / 2 - k / 2
        } else {
            n / 2 + k / 2 + 1
        };
        acks.push_str(&format!("ACK\nid:{}\n\n\0", ids[at.min(n - 1)]));
    }
    (world, vec![received(client.0, acks.into())])
}

/// `n` consumers of queue `q`, each of which may hold one delivery and does.
fn consumers(world: &mut World, n: usize) -> Amqp {
    let mut client = Amqp::connect(world);
    client.declare("q", &table([]));
    publish(world, &mut client, n);
    let qos = basic::Qos {
        prefetch_count: 1,
        ..Default::default()
    };
    client.codec.qos(1, &qos).unwrap();
    for number in 0..n {
        client.consume(1, "q", &format!("c{number}"), false);
    }
    assert_eq!(world.broker.statistics().ready, n as u64);
    client.seen(world);
    assert_eq!(world.broker.statistics().ready, 0);
    client
}

fn full_consumers(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = consumers(&mut world, n);
    client.consume(2, "q", "takes", true);
    client.seen(&mut world);
    for _ in 0..n {
        client.publish(1, "", "q", "m");
    }
    let publishes = said(&mut client);
    (world, vec![publishes])
}

fn many_consumers(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = consumers(&mut world, n);
    for tag in 1..=n as u64 {
        client.codec.ack(1, Tags::One(tag)).unwrap();
    }
    let acks = said(&mut client);
    (world, vec![acks])
}

fn reply_channels(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for channel in 3..n {
        assert_eq!(client.codec.open_channel().unwrap() as usize, channel);
    }
    client.seen(&mut world);
    for channel in 3..n {
        let channel = u16::try_from(channel).unwrap();
        client.consume(channel, "amq.rabbitmq.reply-to", "r", true);
    }
    client.seen(&mut world);
    let connection = client.id;
    (world, vec![Input::Disconnected { connection }])
}

fn share(n: usize) -> Prepared {
    let mut world = World::new();
    let keep = properties([Property::SessionExpiryInterval(u32::MAX)]);
    for number in 0..n {
        let name = format!("c{number}");
        let connect = Connect {
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8(&name))
        };
        let mut member = Mqtt::with(&mut world, &connect);
        member.seen(&mut world);
        member.subscribe(&mut world, "$share/g/t", QoS::AtLeastOnce);
        if number + 1 < n {
            world.cut(member.id);
        }
    }
    let mut publisher = Mqtt::connect(&mut world, "p");
    for _ in 0..n {
        publisher.publish("t", "m", QoS::AtMostOnce);
    }
    let mut bytes = Vec::new();
    publisher.codec.poll_transmit(world.now, &mut bytes);
    (world, vec![received(publisher.id, bytes)])
}

fn one_filter(n: usize) -> Prepared {
    let mut world = World::new();
    let inputs = (0..n)
        .map(|number| {
            let mut client = Mqtt::connect(&mut world, &format!("c{number}"));
            client.subscribe_with(
                &[
                    Subscription::new("t/+", QoS::AtMostOnce),
                    Subscription::new("$share/g/t", QoS::AtMostOnce),
                ],
                Properties::EMPTY,
            );
            client.seen(&mut world);
            Input::Disconnected {
                connection: client.id,
            }
        })
        .collect();
    (world, inputs)
}

fn many_headers(n: usize) -> Prepared {
    let mut world = World::new();
    let mut consumer = Amqp::connect(&mut world);
    consumer.declare("q", &table([]));
    consumer.bind("q", "amq.topic", "t");
    consumer.consume(1, "q", "c", true);
    consumer.seen(&mut world);
    let mut publisher = Mqtt::connect(&mut world, "p");
    let mut properties = PropertiesBuilder::new();
    for number in 0..n {
        properties
            .push(Property::UserProperty(&number.to_string(), ""))
            .unwrap();
    }
    let mut message = Message::new("t", Vec::new(), QoS::AtMostOnce);
    message.properties = properties.build();
    publisher.codec.publish(&message).unwrap();
    let mut bytes = Vec::new();
    publisher.codec.poll_transmit(world.now, &mut bytes);
    (world, vec![received(publisher.id, bytes)])
}
