//! A store that is slow, or stuck.

use super::{Client, PERSISTENT, TRANSIENT};
use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::log::storing;
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::TableBuf;
use amqp_codec::connection::{Capabilities, ClientConfig, Tags};
use mq_core::{Input, Output};
use mqtt_codec::QoS;
use std::time::Duration;

const HIGH_WATER: usize = 100_000;
const BODY: usize = 1_000;

/// A world whose store will not take anything more, with the durable queue `q`.
fn stuck() -> (World, Client) {
    let mut config = storing();
    config.limits.store_high_water = HIGH_WATER;
    config.limits.receive_high_water = 2 * BODY;
    let mut world = World::stored_with(config);
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.seen(&mut world);
    world.store.is_quick = false;
    (world, c)
}

fn on_the_way(world: &World) -> usize {
    usize::try_from(world.store.end() - world.store.durable).unwrap()
}

/// Publishers of what is to be stored wait, in every protocol, and go on when half of it
/// is. Those of transient messages do not.
#[test]
fn publishers_of_what_is_stored_wait() {
    type Publisher = Box<dyn FnMut(&mut World, &str)>;
    type Row = (&'static str, fn(&mut World) -> Publisher, bool);
    let rows: &[Row] = &[
        (
            "AMQP",
            |world| {
                let mut c = Client::connect(world);
                Box::new(move |world, body| {
                    c.publish("q", PERSISTENT, body);
                    c.seen(world);
                })
            },
            true,
        ),
        (
            "AMQP, transient",
            |world| {
                let mut c = Client::connect(world);
                Box::new(move |world, body| {
                    c.publish("q", TRANSIENT, body);
                    c.seen(world);
                })
            },
            false,
        ),
        (
            "STOMP",
            |world| {
                let s = Stomp::connect(world);
                Box::new(move |world, body| {
                    let send = format!("SEND\ndestination:/queue/q\npersistent:true\n\n{body}");
                    s.send(world, &send);
                })
            },
            true,
        ),
        (
            "MQTT",
            |world| {
                // Each has no more than 20 on its way.
                let mut all: Vec<Mqtt> = (0..20)
                    .map(|n| Mqtt::connect(world, &format!("m{n}")))
                    .collect();
                Box::new(move |world, body| {
                    all.rotate_left(1);
                    all[0].publish("a", body, QoS::AtLeastOnce);
                    all[0].seen(world);
                })
            },
            true,
        ),
    ];
    let body = "x".repeat(BODY);
    for (name, connect, waits) in rows {
        let (mut world, mut c) = stuck();
        c.0.bind("q", "amq.topic", "#");
        c.seen(&mut world);
        world.sync();
        c.seen(&mut world);
        let mut publish = connect(&mut world);
        for _ in 0..300 {
            publish(&mut world, &body);
        }
        let ready = world.broker.statistics().ready;
        let paused = |world: &World| world.sockets.values().any(|socket| socket.paused);
        assert_eq!(paused(&world), *waits, "{name}");
        // Each of them has one more before it waits.
        assert_eq!(ready < 130, *waits, "{name} {ready}");
        assert!(on_the_way(&world) < HIGH_WATER + 20 * 2 * BODY, "{name}");
        // Two in three are stored, and then all.
        for _ in 0..20 {
            let batches = &world.store.batches;
            let (position, bytes) = &batches[batches.len() - 1 - batches.len() / 3];
            let through = position + bytes.len() as u64;
            world.store.durable = world.store.durable.max(through);
            let through = world.store.durable;
            world.handle(Input::Durable { through });
        }
        for _ in 0..10 {
            world.sync();
        }
        assert!(!paused(&world), "{name}");
        assert_eq!(world.broker.statistics().ready, 300, "{name}");
    }
}

/// RabbitMQ's extension `connection.blocked`: to those who announce the capability, when
/// they publish.
#[test]
fn amqp_clients_are_told() {
    for announces in [true, false] {
        let (mut world, _) = stuck();
        let mut config = ClientConfig::default();
        let mut capabilities = Capabilities::ALL;
        capabilities.connection_blocked = announces;
        let mut properties = TableBuf::new();
        let table = capabilities.to_table();
        properties.insert("capabilities", &table).unwrap();
        config.client_properties = properties;
        let mut c = Client(Amqp::with(&mut world, config));
        let mut reader = Client::connect(&mut world);
        let body = "x".repeat(BODY);
        let mut seen = Vec::new();
        for _ in 0..300 {
            c.publish("q", PERSISTENT, &body);
            seen.append(&mut c.seen(&mut world));
        }
        let blocked = |seen: &[String]| seen.iter().filter(|s| s.starts_with("Blocked")).count();
        assert_eq!(blocked(&seen), usize::from(announces), "{seen:?}");
        // Who only consumes goes on.
        reader.0.consume(1, "q", "c", false);
        assert!(reader.seen(&mut world).len() > 50);
        reader.0.codec.ack(1, Tags::UpTo(50)).unwrap();
        reader.0.get("none", true);
        let answer = reader.seen(&mut world);
        assert!(answer[0].starts_with("channel.close 404"), "{answer:?}");
        let mut seen = Vec::new();
        for _ in 0..5 {
            world.sync();
            seen.append(&mut c.seen(&mut world));
        }
        let unblocked = seen.iter().filter(|s| s.starts_with("Unblocked")).count();
        assert_eq!(unblocked > 0, announces, "{seen:?}");
    }
}

/// While the store is stuck, a publisher that waits is not taken for dead.
#[test]
fn who_waits_for_the_store_is_not_timed_out() {
    let (mut world, _) = stuck();
    let mut blocked = Client::connect(&mut world);
    let body = "x".repeat(BODY);
    for _ in 0..300 {
        blocked.publish("q", PERSISTENT, &body);
        blocked.seen(&mut world);
    }
    let mut waiting = Client::connect(&mut world);
    waiting.durable("new");
    waiting.seen(&mut world);
    world.wait(Duration::from_secs(600));
    assert!(!world.is_closed(blocked.0.id));
    assert!(!world.is_closed(waiting.0.id));
}

/// What a connection was to get and never got is back in its queue when it is over.
#[test]
fn what_waited_for_a_connection_goes_back() {
    let (mut world, mut c) = stuck();
    c.queue("t", &[], &TableBuf::default());
    c.0.consume(1, "t", "c", false);
    c.seen(&mut world);
    let mut other = Client::connect(&mut world);
    c.durable("new");
    c.seen(&mut world);
    other.publish("t", TRANSIENT, "m");
    other.seen(&mut world);
    assert_eq!(world.broker.statistics().unacknowledged, 1);
    world.cut(c.0.id);
    world.turn();
    assert_eq!(other.drain(&mut world, "t"), ["again m"]);
    world.sync();
}

/// A confirm of a channel that is over is not taken for one of the next under the same
/// number.
#[test]
fn a_new_channel_gets_no_confirms_of_the_old_one() {
    let (mut world, mut c) = stuck();
    c.confirm(1);
    c.publish("q", PERSISTENT, "old");
    c.seen(&mut world);
    world.store.durable = world.store.end();
    let through = world.store.durable;
    c.0.codec.close_channel(1).unwrap();
    c.seen(&mut world);
    assert_eq!(c.0.codec.open_channel().unwrap(), 1);
    c.seen(&mut world);
    c.confirm(1);
    c.publish("q", PERSISTENT, "new");
    c.seen(&mut world);
    world.handle(Input::Durable { through });
    assert_eq!(c.seen(&mut world), [""; 0], "the new one is not stored");
    world.sync();
    assert_eq!(c.seen(&mut world), ["ack 1-1"]);
}

/// The batch comes before the bytes that may tell of it.
#[test]
fn a_batch_comes_first() {
    let (mut world, mut c) = stuck();
    let mut other = Client::connect(&mut world);
    other.0.consume(1, "q", "c", false);
    other.seen(&mut world);
    world.outputs.clear();
    c.publish("q", PERSISTENT, "m");
    c.seen(&mut world);
    let first = world
        .outputs
        .iter()
        .find(|output| matches!(output, Output::Transmit { .. } | Output::Append { .. }));
    assert!(matches!(first, Some(Output::Append { .. })), "{first:?}");
}
