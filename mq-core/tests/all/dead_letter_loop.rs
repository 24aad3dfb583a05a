//! Queues that are each other's dead-letter targets, or their own, and messages that none of
//! them keeps. No call of the broker takes many steps, and a message that nobody has
//! rejected goes round once (RabbitMQ, "Dead Letter Exchanges": "if a message reaches the
//! same queue twice .. the message will be dropped if there was no rejections in the entire
//! cycle").

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::stomp::Stomp;
use amqp_codec::FieldValue;
use amqp_codec::connection::Requeue;
use mq_core::Protocol;
use std::time::Duration;

const QUEUES: &[[&str; 2]] = &[["a", "a"], ["a", "b"]];

/// A broker that is given up after so few turns that a loop shows at once.
fn world() -> World {
    let mut world = World::new();
    world.most_turns = 100;
    world
}

/// Two queues that dead-letter to each other through `amq.topic`, which keeps the routing
/// key (or the same one, if the names are the same).
fn looped(world: &mut World, names: [&str; 2], more: &[(&str, FieldValue<'_>)]) -> Amqp {
    let mut client = Amqp::connect(world);
    for name in names {
        let mut arguments = table([("x-dead-letter-exchange", text("amq.topic"))]);
        for (name, value) in more {
            arguments.insert(*name, *value).unwrap();
        }
        client.declare(name, &arguments);
        client.bind(name, "amq.topic", "#");
    }
    client.seen(world);
    client
}

/// A STOMP 1.0 header cannot end with a space: whoever reads it cuts spaces off. So the
/// destination of such a message cannot be said.
const UNSAYABLE: &str = "k ";

fn subscribe(world: &mut World, queue: &str, ack: &str) -> Stomp {
    let client = Stomp(world.connect(Protocol::Stomp));
    client.send(world, "CONNECT\nlogin:guest\npasscode:guest\n\n");
    let subscribe = format!("SUBSCRIBE\ndestination:/amq/queue/{queue}\nack:{ack}\n\n");
    client.send(world, &subscribe);
    client
}

#[test]
fn what_a_consumer_cannot_be_told_goes_round_once() {
    for names in QUEUES {
        let mut world = world();
        let mut publisher = looped(&mut world, *names, &[]);
        let consumers = names.map(|name| subscribe(&mut world, name, "client"));
        publisher.publish(1, "amq.topic", UNSAYABLE, "no");
        publisher.publish(1, "amq.topic", "k", "yes");
        publisher.seen(&mut world);
        let seen = consumers.map(|consumer| consumer.messages(&mut world));
        assert_eq!(
            seen.concat(),
            vec!["yes"; if names[0] == names[1] { 1 } else { 2 }]
        );
        let statistics = world.broker.statistics();
        assert_eq!(statistics.ready, 0, "{names:?}");
        // Each queue has given it up once, and once more as the other's letter.
        let letters = if names[0] == names[1] { 0 } else { 2 };
        assert_eq!(statistics.dead_lettered, letters, "{names:?}");
        assert!(statistics.rejected > 0, "{names:?}");
    }
}

#[test]
fn what_no_queue_keeps_goes_round_once() {
    for (argument, value) in [("x-message-ttl", 0), ("x-max-length", 0)] {
        for names in QUEUES {
            let mut world = world();
            let more = [(argument, FieldValue::I32(value))];
            let mut publisher = looped(&mut world, *names, &more);
            publisher.publish(1, "amq.topic", "k", "m");
            publisher.seen(&mut world);
            let statistics = world.broker.statistics();
            assert_eq!(statistics.ready, 0, "{argument} {names:?}");
            let letters = if names[0] == names[1] { 0 } else { 2 };
            assert_eq!(statistics.dead_lettered, letters, "{argument} {names:?}");
        }
    }
}

/// What a client rejects comes round as often as it does that, one turn each time.
#[test]
fn what_a_client_rejects_comes_back() {
    let mut world = world();
    let mut client = looped(&mut world, ["a", "a"], &[]);
    client.publish(1, "amq.topic", "k", "m");
    client.consume(1, "a", "c", false);
    client.seen(&mut world);
    for tag in 1..=20 {
        assert_eq!(client.contents.len(), tag);
        let before = (world.turns, world.broker.statistics().steps);
        client.codec.reject(1, tag as u64, Requeue::No).unwrap();
        client.seen(&mut world);
        let steps = world.broker.statistics().steps - before.1;
        assert!(world.turns - before.0 < 3 && steps < 50, "{steps}");
    }
}

/// Work, and a queue in which what was rejected waits until it expires and goes back: a
/// rejection in the cycle lets it go on.
#[test]
fn what_was_rejected_on_the_way_comes_back() {
    let mut world = world();
    let mut client = Amqp::connect(&mut world);
    let letters_to = |key| {
        [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(key)),
        ]
    };
    client.declare("work", &table(letters_to("retry")));
    let time = [("x-message-ttl", FieldValue::I32(100))];
    client.declare("retry", &table(letters_to("work").into_iter().chain(time)));
    client.publish(1, "", "work", "m");
    client.consume(1, "work", "c", false);
    client.seen(&mut world);
    for round in 1..=3 {
        assert_eq!(client.contents.len(), round);
        client.codec.reject(1, round as u64, Requeue::No).unwrap();
        client.seen(&mut world);
        world.wait(Duration::from_millis(100));
        client.seen(&mut world);
    }
    assert_eq!(client.contents.len(), 4);
}
