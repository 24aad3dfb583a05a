//! What one peer does so that others wait or the broker runs out of memory: a broker in
//! which it has prepared that, and what it then sends. How the cost grows is tested in
//! `growth.rs`; how long others wait is measured in `benches`.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, exchange, queue, tx};
use amqp_codec::{ArrayBuf, FieldValue, PropertyFields};
use bytes::Bytes;
use mq_core::{Config, ConnectionId, Input, Protocol};
use mqtt_codec::connection::MessageBuf;
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, Subscription,
};

/// The broker, and what is then done to it.
pub(crate) type Prepared = (World, Vec<Input>);

fn received(connection: ConnectionId, bytes: Vec<u8>) -> Input {
    Input::Received {
        connection,
        bytes: bytes.into(),
    }
}

/// What the client has to send.
pub(crate) fn said(client: &mut Amqp) -> Input {
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

pub(crate) fn requeue(n: usize) -> Prepared {
    let mut world = World::new();
    let client = holding(&mut world, n);
    let connection = client.id;
    (world, vec![Input::Disconnected { connection }])
}

pub(crate) fn roll_back(n: usize) -> Prepared {
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

pub(crate) fn copies(n: usize) -> Prepared {
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

pub(crate) fn bound_exchanges(n: usize) -> Prepared {
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

pub(crate) fn bound_queues(n: usize, exchange: &str) -> Prepared {
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

pub(crate) fn exchanges_beside_queues(n: usize) -> Prepared {
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

pub(crate) fn acknowledgements(n: usize, tag: fn(usize, usize) -> usize) -> Prepared {
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

pub(crate) fn stomp_acknowledgements(n: usize) -> Prepared {
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

/// Asks for `n` consumers of queue `q`, each of which may hold one delivery.
pub(crate) fn consume(client: &mut Amqp, n: usize) {
    let qos = basic::Qos {
        prefetch_count: 1,
        ..Default::default()
    };
    client.codec.qos(1, &qos).unwrap();
    for number in 0..n {
        client.consume(1, "q", &format!("c{number}"), false);
    }
}

/// `n` consumers of queue `q`, each of which may hold one delivery and does.
fn consumers(world: &mut World, n: usize) -> Amqp {
    let mut client = Amqp::connect(world);
    client.declare("q", &table([]));
    publish(world, &mut client, n);
    consume(&mut client, n);
    assert_eq!(world.broker.statistics().ready, n as u64);
    client.seen(world);
    assert_eq!(world.broker.statistics().ready, 0);
    client
}

pub(crate) fn full_consumers(n: usize) -> Prepared {
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

pub(crate) fn many_consumers(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = consumers(&mut world, n);
    for tag in 1..=n as u64 {
        client.codec.ack(1, Tags::One(tag)).unwrap();
    }
    let acks = said(&mut client);
    (world, vec![acks])
}

/// A channel that may hold one delivery, with `n` consumers of so many queues, in which
/// `n` messages are ready.
pub(crate) fn full_channel(n: usize, queues: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    let qos = basic::Qos {
        prefetch_count: 1,
        global: true,
        ..Default::default()
    };
    client.codec.qos(1, &qos).unwrap();
    for number in 0..queues {
        client.declare(&format!("q{number}"), &table([]));
    }
    client.seen(&mut world);
    for number in 0..n {
        client.publish(2, "", &format!("q{}", number % queues), "m");
    }
    client.seen(&mut world);
    for number in 0..n {
        let queue = format!("q{}", number % queues);
        client.consume(1, &queue, &format!("c{number}"), false);
    }
    client.seen(&mut world);
    assert_eq!(world.broker.statistics().unacknowledged, 1);
    // Each delivery comes when the one before it is acknowledged.
    let inputs = (1..=n as u64)
        .map(|tag| received(client.id, ack(tag)))
        .collect();
    (world, inputs)
}

/// A broker that lets connections that others take the place of send on for a while, and `n`
/// that have come for each of some sessions, the first of which have them.
fn lines(sessions: usize, n: usize) -> (World, Vec<Vec<ConnectionId>>) {
    let config = Config {
        drain_on_takeover: true,
        ..Config::default()
    };
    let mut world = World::with(config);
    let mut line = |session: &str| {
        let connect = Connect::clean(ProtocolVersion::V5_0, utf8(session));
        let mut come = || {
            let mut client = Mqtt::with(&mut world, &connect);
            client.seen(&mut world);
            client.id
        };
        (0..n).map(|_| come()).collect()
    };
    let lines = (0..sessions).map(|session| line(&format!("c{session}")));
    let lines = lines.collect();
    (world, lines)
}

/// `n` that wait for one session, and leave.
pub(crate) fn leaving_one_line(n: usize) -> Prepared {
    let (world, lines) = lines(1, n + 1);
    let waiting = lines[0][1..].iter();
    let leaves = waiting.map(|&connection| Input::Disconnected { connection });
    (world, leaves.collect())
}

/// One that waits for each of `n` sessions, and leaves.
pub(crate) fn leaving_many_lines(n: usize) -> Prepared {
    let (world, lines) = lines(n, 2);
    let waiting = lines.iter().map(|line| line[1]);
    let leaves = waiting.map(|connection| Input::Disconnected { connection });
    (world, leaves.collect())
}

/// `n` that get one session, one after the other.
pub(crate) fn one_line(n: usize) -> Prepared {
    let (world, lines) = lines(1, n + 1);
    let drained = lines[0].iter().take(n);
    let drained = drained.map(|&connection| Input::Drained { connection });
    (world, drained.collect())
}

/// The frame of `basic.ack` on channel 1 (AMQP 0-9-1 sections 2.3.5 and 1.8.3.13).
fn ack(tag: u64) -> Vec<u8> {
    let mut frame = vec![1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80];
    frame.extend(tag.to_be_bytes());
    frame.extend([0, 0xCE]);
    frame
}

pub(crate) fn reply_channels(n: usize) -> Prepared {
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

pub(crate) fn share(n: usize) -> Prepared {
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

pub(crate) fn one_filter(n: usize) -> Prepared {
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

pub(crate) fn many_headers(n: usize) -> Prepared {
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
    let mut message = MessageBuf::new("t", Vec::new(), QoS::AtMostOnce);
    message.properties = properties.build();
    publisher.codec.publish(&message.as_message()).unwrap();
    let mut bytes = Vec::new();
    publisher.codec.poll_transmit(world.now, &mut bytes);
    (world, vec![received(publisher.id, bytes)])
}

/// Bytes in pieces as large as a server reads.
fn pieces(connection: ConnectionId, bytes: Vec<u8>) -> Vec<Input> {
    let mut rest = Bytes::from(bytes);
    let mut inputs = Vec::new();
    while !rest.is_empty() {
        let bytes = rest.split_to(rest.len().min(64 * 1024));
        inputs.push(Input::Received { connection, bytes });
    }
    inputs
}

/// What the client has to send.
fn said_over_mqtt(world: &World, client: &mut Mqtt) -> Vec<Input> {
    let mut bytes = Vec::new();
    client.codec.poll_transmit(world.now, &mut bytes);
    pieces(client.id, bytes)
}

/// A CONNECT whose CONNACK does not fit the client's Maximum Packet Size, and `n` bytes
/// after it.
pub(crate) fn connack_that_does_not_fit(n: usize) -> Prepared {
    let mut world = World::new();
    let connection = world.connect(Protocol::Mqtt);
    // MQTT 5.0 section 3.1: session expiry interval 0, Maximum Packet Size 1.
    let mut bytes =
        b"\x10\x13\x00\x04MQTT\x05\x02\x00\x01\x05\x27\x00\x00\x00\x01\x00\x01h".to_vec();
    bytes.resize(bytes.len() + n, 0);
    (world, pieces(connection, bytes))
}

/// Two queues that are each other's dead-letter targets and keep nothing, and `n` messages.
pub(crate) fn dead_letter_loop(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for (name, other) in [("a", "b"), ("b", "a")] {
        let arguments = table([
            ("x-message-ttl", FieldValue::I32(0)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(other)),
        ]);
        client.declare(name, &arguments);
    }
    client.seen(&mut world);
    for _ in 0..n {
        client.publish(1, "", "a", "m");
    }
    let publishes = said(&mut client);
    (world, vec![publishes])
}

/// A chain of `n` auto-delete exchanges, each bound to the next, whose end is deleted.
pub(crate) fn exchange_chain(n: usize) -> Prepared {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for number in 0..=n {
        let name = format!("x{number}");
        let declare = exchange::Declare {
            exchange: &name,
            r#type: "fanout",
            auto_delete: number < n,
            no_wait: true,
            ..Default::default()
        };
        client.codec.exchange_declare(1, &declare).unwrap();
        if number > 0 {
            let bind = exchange::Bind {
                source: &format!("x{}", number - 1),
                destination: &name,
                no_wait: true,
                ..Default::default()
            };
            client.codec.exchange_bind(1, &bind).unwrap();
        }
        client.seen(&mut world);
    }
    let delete = exchange::Delete {
        exchange: &format!("x{n}"),
        no_wait: true,
        ..Default::default()
    };
    client.codec.exchange_delete(1, &delete).unwrap();
    let delete = said(&mut client);
    (world, vec![delete])
}

/// `n` retained messages `dev/N/M/state`, ten Ms for each N, with one more that has the
/// words of filters, and a SUBSCRIBE with a thousand filters.
pub(crate) fn retained(n: usize, filter: fn(usize) -> String) -> Prepared {
    let mut world = World::new();
    let mut publisher = Mqtt::connect(&mut world, "publisher");
    publisher.retain("none", "on");
    for number in 0..n {
        publisher.retain(&format!("dev/{}/{}/state", number / 10, number % 10), "on");
        publisher.seen(&mut world);
    }
    let mut client = Mqtt::connect(&mut world, "client");
    let filters: Vec<String> = (0..1000).map(filter).collect();
    let subscriptions: Vec<_> = filters
        .iter()
        .map(|filter| Subscription::new(filter, QoS::AtMostOnce))
        .collect();
    client.subscribe_with(&subscriptions, Properties::EMPTY);
    let subscribe = said_over_mqtt(&world, &mut client);
    (world, subscribe)
}

/// `n` messages without a body and with 600 KB of user properties, for a session whose
/// client is away.
pub(crate) fn properties_for_who_is_away(n: usize) -> Prepared {
    let mut world = World::new();
    let keep = properties([Property::SessionExpiryInterval(u32::MAX)]);
    let connect = Connect {
        properties: keep.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8("away"))
    };
    let mut away = Mqtt::with(&mut world, &connect);
    away.seen(&mut world);
    away.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(away.id);
    let mut publisher = Mqtt::connect(&mut world, "p");
    let value = "v".repeat(60_000);
    let mut message = MessageBuf::new("t", Vec::new(), QoS::AtLeastOnce);
    message.properties = properties((0..10).map(|_| Property::UserProperty("", &value)));
    publisher.codec.publish(&message.as_message()).unwrap();
    let mut bytes = Vec::new();
    publisher.codec.poll_transmit(world.now, &mut bytes);
    let inputs = (1..=n as u16).flat_map(|identifier| {
        // After the fixed header with a length of three bytes, and the topic name.
        bytes[7..9].copy_from_slice(&identifier.to_be_bytes());
        pieces(publisher.id, bytes.clone())
    });
    let inputs = inputs.collect();
    (world, inputs)
}

/// One retained message with `n` user properties that are empty.
pub(crate) fn empty_properties(n: usize) -> Prepared {
    let mut world = World::new();
    let mut publisher = Mqtt::connect(&mut world, "p");
    let mut message = MessageBuf::new("t", b"m".to_vec(), QoS::AtLeastOnce);
    message.retain = true;
    message.properties = properties((0..n).map(|_| Property::UserProperty("", "")));
    publisher.codec.publish(&message.as_message()).unwrap();
    let inputs = said_over_mqtt(&world, &mut publisher);
    (world, inputs)
}

/// `n` messages of QoS 0 that a subscriber takes.
pub(crate) fn flood(n: usize) -> Prepared {
    let mut world = World::new();
    let mut subscriber = Mqtt::connect(&mut world, "subscriber");
    subscriber.subscribe(&mut world, "t", QoS::AtMostOnce);
    let mut publisher = Mqtt::connect(&mut world, "p");
    let mut bytes = Vec::new();
    for _ in 0..n {
        publisher.publish("t", "m", QoS::AtMostOnce);
        publisher.codec.poll_transmit(world.now, &mut bytes);
    }
    let inputs = pieces(publisher.id, bytes);
    (world, inputs)
}
