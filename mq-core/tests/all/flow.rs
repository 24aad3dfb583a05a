//! Flow control: what the broker does with peers that read or write too fast
//! or too slowly.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::stomp::Stomp;
use mq_core::{Config, Input, Protocol};
use std::time::Duration;

const HIGH_WATER: usize = 10_000;
const BODY: usize = 1000;

fn world() -> World {
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    config.limits.receive_high_water = HIGH_WATER;
    World::with(config)
}

/// Publishes messages to queue `q` that number themselves.
fn publish(world: &mut World, count: usize) {
    let mut publisher = Amqp::connect(world);
    for n in 0..count {
        publisher.publish(1, "", "q", &format!("{n:0BODY$}"));
        publisher.seen(world);
    }
}

#[test]
fn a_slow_consumer_is_not_flooded_and_misses_nothing() {
    let mut world = world();
    let mut consumer = Amqp::connect(&mut world);
    consumer.declare("q", &Default::default());
    consumer.consume(1, "q", "c", true);
    consumer.seen(&mut world);
    world.socket(consumer.id).slow = true;
    publish(&mut world, 100);
    assert!(world.socket(consumer.id).untold >= HIGH_WATER);
    assert!(world.socket(consumer.id).untold <= HIGH_WATER + 2 * BODY);
    assert!(world.broker.statistics().ready > 80);
    let mut seen = Vec::new();
    for _ in 0..1000 {
        world.tell(consumer.id, BODY);
        seen.extend(consumer.seen(&mut world));
        assert!(world.socket(consumer.id).untold <= HIGH_WATER + 2 * BODY);
    }
    let numbers: Vec<usize> = seen
        .iter()
        .map(|s| s.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(numbers.iter().copied().eq(0..100), "{numbers:?}");
}

#[test]
fn a_slow_consumer_leaves_its_share_to_others() {
    let mut world = world();
    let slow = Stomp::connect(&mut world);
    slow.subscribe(&mut world, "s", "/queue/q", "");
    let quick = Stomp::connect(&mut world);
    quick.subscribe(&mut world, "q", "/queue/q", "");
    world.socket(slow.0).slow = true;
    publish(&mut world, 100);
    assert_eq!(world.broker.statistics().ready, 0);
    assert!(quick.messages(&mut world).len() > 80);
}

#[test]
fn who_does_not_read_answers_is_not_read_from() {
    let mut world = world();
    let client = Stomp::connect(&mut world);
    world.socket(client.0).slow = true;
    // Every frame asks for an answer.
    let frame = format!(
        "SEND\ndestination:/topic/nobody\nreceipt:{}\n\n\0",
        "r".repeat(100)
    );
    let mut sent = 0;
    while !world.socket(client.0).paused {
        world.send(client.0, frame.as_bytes());
        sent += 1;
        assert!(sent < 1000, "never paused");
    }
    assert!(world.socket(client.0).untold <= HIGH_WATER + 2 * frame.len());
    for _ in 0..100 {
        world.tell(client.0, HIGH_WATER);
    }
    assert!(!world.socket(client.0).paused);
    let receipts = client.frames(&mut world);
    assert_eq!(receipts.len(), sent);
}

/// A STOMP client that has enough on its way is not read from. Its heart-beats are not
/// seen then, and it is not taken for dead.
#[test]
fn a_slow_client_of_stomp_is_not_taken_for_dead() {
    for slow in [false, true] {
        let mut world = world();
        let client = Stomp(world.connect(Protocol::Stomp));
        client.send(
            &mut world,
            "CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n",
        );
        client.subscribe(&mut world, "1", "/queue/q", "");
        client.frames(&mut world);
        world.socket(client.0).slow = slow;
        publish(&mut world, 100);
        world.wait(Duration::from_secs(60));
        assert_eq!(world.is_closed(client.0), !slow);
        if slow {
            for _ in 0..1000 {
                world.tell(client.0, BODY);
            }
            assert_eq!(client.messages(&mut world).len(), 100);
            world.wait(Duration::from_secs(60));
            assert!(world.is_closed(client.0), "silence counts again");
        }
    }
}

#[test]
fn a_frame_larger_than_the_backlog_is_no_reason_to_stop_reading() {
    let mut world = world();
    let client = Stomp::connect(&mut world);
    let body = "b".repeat(5 * HIGH_WATER);
    let frame = format!("SEND\ndestination:/queue/q\nreceipt:r\n\n{body}\0");
    for piece in frame.as_bytes().chunks(100) {
        world.send(client.0, piece);
        assert!(!world.socket(client.0).paused);
    }
    assert_eq!(client.frames(&mut world).len(), 1);
    assert_eq!(world.broker.statistics().ready, 1);
}

#[test]
fn connections_are_counted_and_inputs_about_others_ignored() {
    let mut config = Config::default();
    config.limits.connections = 2;
    let mut world = World::with(config);
    let first = world.connect(Protocol::Stomp);
    let second = world.connect(Protocol::Amqp);
    let third = world.connect(Protocol::Stomp);
    assert!(!world.is_closed(first) && !world.is_closed(second));
    assert!(world.is_closed(third));
    for input in [
        Input::Received {
            connection: third,
            bytes: "CONNECT\n\n\0".into(),
        },
        Input::Transmitted {
            connection: third,
            len: 10,
        },
        Input::Disconnected { connection: third },
    ] {
        world.handle(input);
    }
    assert!(world.socket(third).received.is_empty());
    world.cut(first);
    let fourth = world.connect(Protocol::Stomp);
    assert!(!world.is_closed(fourth));
    world.wait(Duration::from_secs(120));
    assert!(world.is_closed(fourth), "who never says hello has to go");
}
