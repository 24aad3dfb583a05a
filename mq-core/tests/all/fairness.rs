//! No connection makes the others wait: what is much is done in turns.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::Mqtt;
use amqp_codec::FieldValue;
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::{queue, tx};
use mq_core::{Config, ConnectionId, Input, Protocol};
use mqtt_codec::QoS;
use std::time::Duration;

/// More steps than one call of the broker does.
const CALL: u64 = 5000;

fn received(connection: ConnectionId, bytes: &[u8]) -> Input {
    Input::Received {
        connection,
        bytes: bytes.to_vec().into(),
    }
}

/// So many PUBLISH packets with QoS 0.
fn flood(topic: &str, count: usize) -> Vec<u8> {
    let mut one = vec![0x30, 0, 0, 0];
    one[3] = u8::try_from(topic.len()).unwrap();
    one.extend_from_slice(topic.as_bytes());
    one.extend_from_slice(&[0, b'm']);
    one[1] = u8::try_from(one.len() - 2).unwrap();
    one.repeat(count)
}

/// A broker and a client of MQTT that only wants to be answered.
fn bystander(world: &mut World) -> Mqtt {
    Mqtt::connect(world, "bystander")
}

/// Sends the bystander's PINGREQ: it is answered in the same call, and the call is short.
fn ping(world: &mut World, bystander: &Mqtt) {
    let before = world.broker.statistics().steps;
    world.handle_once(received(bystander.id, &[0xC0, 0]));
    let received = std::mem::take(&mut world.socket(bystander.id).received);
    assert_eq!(received, [0xD0, 0], "PINGRESP");
    assert!(world.broker.statistics().steps - before < 2 * CALL);
}

fn is_due(world: &World) -> bool {
    world
        .broker
        .poll_timeout()
        .is_some_and(|at| at <= world.now)
}

#[test]
fn a_flood_takes_turns() {
    let mut world = World::new();
    let other = bystander(&mut world);
    let flooder = Mqtt::connect(&mut world, "flooder");
    let before = world.broker.statistics();
    world.handle_once(received(flooder.id, &flood("t", 30_000)));
    let mut calls = 0;
    loop {
        ping(&mut world, &other);
        let steps = world.broker.statistics().steps;
        if !is_due(&world) {
            break;
        }
        world.broker.handle_timeout(world.now);
        assert!(world.broker.statistics().steps - steps < CALL);
        calls += 1;
    }
    assert!(calls > 20, "{calls}");
    let published = world.broker.statistics().published - before.published;
    assert_eq!(published, 30_000);
}

#[test]
fn two_floods_share() {
    let mut world = World::new();
    let mut reader = Mqtt::connect(&mut world, "reader");
    reader.subscribe(&mut world, "+", QoS::AtMostOnce);
    let flooders = [("a", 3), ("b", 1)].map(|(name, size)| {
        let flooder = Mqtt::connect(&mut world, name);
        (flooder.id, flood(name, size * 2_500))
    });
    for (id, bytes) in &flooders {
        world.handle_once(received(*id, bytes));
    }
    while is_due(&world) && world.broker.statistics().published < 4_000 {
        world.broker.handle_timeout(world.now);
    }
    world.turn();
    let seen = reader.seen(&mut world);
    let first = &seen[..4_000];
    let of_a = first.iter().filter(|s| s.starts_with("a ")).count();
    assert!((1_500..=2_500).contains(&of_a), "{of_a}");
}

/// What a connection may have waiting is bounded: it is not read from until the broker
/// has caught up.
#[test]
fn a_flood_is_not_read_without_end() {
    let mut config = Config::default();
    config.limits.receive_high_water = 50_000;
    let mut world = World::with(config);
    let flooder = Mqtt::connect(&mut world, "flooder");
    let bytes = flood("t", 1000);
    let mut sent = 0;
    while !world.socket(flooder.id).paused {
        world.handle_once(received(flooder.id, &bytes));
        sent += bytes.len();
        assert!(sent < 1_000_000, "never paused");
    }
    world.turn();
    assert!(!world.socket(flooder.id).paused);
    assert_eq!(world.broker.statistics().published as usize * 7, sent);
}

/// A client that waits for its CONNACK, or sends after it was refused, is not read from
/// without end either.
#[test]
fn a_goodbye_is_said_whatever_waits() {
    let mut world = World::new();
    let flooder = Mqtt::connect(&mut world, "flooder");
    world.handle_once(received(flooder.id, &flood("t", 100_000)));
    world.handle_once(Input::Shutdown);
    assert!(world.is_closed(flooder.id));
    world.turn();
    assert!(world.broker.statistics().published < 100_000);
}

const MANY: usize = 6_000;

/// A client with queue `q`, in which much is ready, and queue `dead` for what it gives up.
fn filled(world: &mut World, message_ttl: Option<u32>) -> Amqp {
    let mut client = Amqp::connect(world);
    client.declare("dead", &table([]));
    let ttl = message_ttl.map(|ms| ("x-message-ttl", FieldValue::I64(ms.into())));
    let target = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    client.declare("q", &table(target.into_iter().chain(ttl)));
    for _ in 0..MANY {
        client.publish(1, "", "q", "m");
    }
    client.seen(world);
    assert_eq!(world.broker.statistics().ready, MANY as u64);
    client
}

/// Does the rest, with a look at the bystander between the calls.
fn rest(world: &mut World, other: &Mqtt, name: &str) {
    let mut calls = 0;
    while is_due(world) {
        ping(world, other);
        let steps = world.broker.statistics().steps;
        world.broker.handle_timeout(world.now);
        let done = world.broker.statistics().steps - steps;
        assert!(done < CALL, "{name}: {done} steps in one call");
        calls += 1;
    }
    assert!(calls > 2, "{name}: {calls} calls");
    ping(world, other);
    world.turn();
}

type Act = fn(&mut Amqp, &mut World);

/// What one client does that moves much, and how many are ready afterwards.
const ACTS: &[(&str, Act, u64)] = &[
    (
        "purge",
        |c, _| {
            let purge = queue::Purge {
                queue: "q",
                ..Default::default()
            };
            c.codec.queue_purge(1, &purge).unwrap();
        },
        0,
    ),
    (
        "delete",
        |c, _| {
            let delete = queue::Delete {
                queue: "q",
                ..Default::default()
            };
            c.codec.queue_delete(1, &delete).unwrap();
        },
        0,
    ),
    (
        "nack with requeue",
        |c, w| {
            c.consume(1, "q", "c", false);
            c.seen(w);
            w.socket(c.id).slow = true;
            c.codec.nack(1, Tags::UpTo(0), Requeue::Yes).unwrap();
        },
        MANY as u64,
    ),
    (
        "reject to the dead-letter target",
        |c, w| {
            c.consume(1, "q", "c", false);
            c.seen(w);
            c.codec.nack(1, Tags::UpTo(0), Requeue::No).unwrap();
        },
        MANY as u64,
    ),
    (
        "commit of acknowledgements",
        |c, w| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.consume(1, "q", "c", false);
            c.seen(w);
            c.codec.ack(1, Tags::UpTo(0)).unwrap();
            c.codec.tx_commit(1, &tx::Commit::default()).unwrap();
        },
        0,
    ),
    (
        "commit of messages",
        |c, _| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            for _ in 0..MANY {
                c.publish(1, "", "dead", "m");
            }
            c.codec.tx_commit(1, &tx::Commit::default()).unwrap();
        },
        2 * MANY as u64,
    ),
];

#[test]
fn what_moves_much_takes_turns() {
    for (name, act, ready) in ACTS {
        let mut world = World::new();
        let other = bystander(&mut world);
        let mut client = filled(&mut world, None);
        act(&mut client, &mut world);
        let mut bytes = Vec::new();
        client.codec.poll_transmit(world.now, &mut bytes);
        world.handle_once(received(client.id, &bytes));
        rest(&mut world, &other, name);
        if *name == "nack with requeue" {
            world.cut(client.id);
        }
        assert_eq!(world.broker.statistics().ready, *ready, "{name}");
    }
}

#[test]
fn a_connection_that_dies_takes_turns() {
    let mut world = World::new();
    let other = bystander(&mut world);
    let mut client = filled(&mut world, None);
    client.consume(1, "q", "c", false);
    client.seen(&mut world);
    let connection = client.id;
    world.handle_once(Input::Disconnected { connection });
    rest(&mut world, &other, "disconnect");
    assert_eq!(world.broker.statistics().ready, MANY as u64);
}

#[test]
fn expiry_takes_turns() {
    let mut world = World::new();
    let other = bystander(&mut world);
    filled(&mut world, Some(1000));
    world.now += Duration::from_secs(10);
    rest(&mut world, &other, "expiry");
    let statistics = world.broker.statistics();
    assert_eq!(
        (statistics.expired, statistics.ready),
        (MANY as u64, MANY as u64)
    );
}

#[test]
fn a_consumer_of_much_takes_turns() {
    let mut world = World::new();
    let other = bystander(&mut world);
    let mut client = filled(&mut world, None);
    client.consume(1, "q", "c", true);
    let mut bytes = Vec::new();
    client.codec.poll_transmit(world.now, &mut bytes);
    world.handle_once(received(client.id, &bytes));
    rest(&mut world, &other, "consume");
    let waiting = world.connect(Protocol::Amqp);
    world.cut(waiting);
}

#[test]
fn a_message_for_many_takes_turns() {
    let mut world = World::new();
    let other = bystander(&mut world);
    let mut client = Amqp::connect(&mut world);
    for n in 0..2000 {
        let queue = format!("q{n}");
        client.declare(&queue, &table([]));
        client.bind(&queue, "amq.fanout", "");
        client.consume(1, &queue, &queue, true);
    }
    client.seen(&mut world);
    for _ in 0..4 {
        client.publish(1, "amq.fanout", "", "m");
    }
    let mut bytes = Vec::new();
    client.codec.poll_transmit(world.now, &mut bytes);
    let before = world.broker.statistics().delivered;
    world.handle_once(received(client.id, &bytes));
    while is_due(&world) {
        ping(&mut world, &other);
        world.broker.handle_timeout(world.now);
    }
    assert_eq!(world.broker.statistics().delivered - before, 8_000);
}
