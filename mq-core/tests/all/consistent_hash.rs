//! Exchanges of type `x-consistent-hash`: RabbitMQ's plugin `rabbitmq_consistent_hash_exchange`
//! (its README, and `rabbit_exchange_type_consistent_hash.erl` for the words). A binding key is
//! a weight; a message goes to one of what is bound, by a hash of its routing key, of a header
//! or of a property.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::log::storing;
use amqp_codec::method::{exchange, queue};
use amqp_codec::{FieldValue, PropertyFields, TableBuf};
use std::collections::BTreeSet;

fn declare(c: &mut Amqp, arguments: &TableBuf) {
    let declare = exchange::Declare {
        exchange: "x",
        r#type: "x-consistent-hash",
        durable: true,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    c.codec.exchange_declare(1, &declare).unwrap();
}

/// Durable queues, each bound with a weight.
fn bound(c: &mut Amqp, weights: &[(&str, &str)]) {
    for (queue, weight) in weights {
        let declare = queue::Declare {
            queue,
            durable: true,
            ..Default::default()
        };
        c.codec.queue_declare(1, &declare).unwrap();
        c.bind(queue, "x", weight);
    }
}

/// The bodies in a queue.
fn drain(c: &mut Amqp, world: &mut World, queue: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        c.get(queue, true);
        let answer = c.answer(world);
        let Some(rest) = answer.strip_prefix("get-ok ") else {
            return bodies;
        };
        bodies.push(rest.split(' ').nth(1).unwrap().to_owned());
    }
}

/// "The weight of a binding": about as many messages as the proportion of the weights, each
/// in one queue, and those of one key in the same.
#[test]
fn messages_are_spread_by_weight() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    declare(&mut c, &TableBuf::new());
    bound(&mut c, &[("a", "1"), ("b", "3")]);
    for _ in 0..2 {
        for key in 0..200 {
            let key = key.to_string();
            c.publish(1, "x", &key, &key);
        }
    }
    c.seen(&mut world);
    let [a, b] = ["a", "b"].map(|queue| drain(&mut c, &mut world, queue));
    assert_eq!(a.len() + b.len(), 400);
    assert!((60..140).contains(&a.len()), "{} and {}", a.len(), b.len());
    let [a, b] = [a, b].map(BTreeSet::from_iter);
    assert!(a.is_disjoint(&b), "one key, one queue");
    assert_eq!(a.len() + b.len(), 200);
}

/// Arguments `hash-header` and `hash-property`: what they name decides, and not the key.
#[test]
fn what_is_hashed() {
    let header = |n: i32| FieldValue::I32(n);
    for argument in ["hash-header", "correlation_id", "message_id", "timestamp"] {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        match argument {
            "hash-header" => declare(&mut c, &table([(argument, text("h"))])),
            property => declare(&mut c, &table([("hash-property", text(property))])),
        }
        bound(&mut c, &[("a", "1"), ("b", "1")]);
        for n in 0..40 {
            let headers = table([("h", header(n))]);
            let name = n.to_string();
            let mut fields = PropertyFields::default();
            match argument {
                "hash-header" => fields.headers = Some(headers.as_table()),
                "correlation_id" => fields.correlation_id = Some(name.as_str().into()),
                "message_id" => fields.message_id = Some(name.as_str().into()),
                _ => fields.timestamp = Some(n.try_into().unwrap()),
            }
            for key in ["k", "l"] {
                c.publish_with(1, "x", key, &name, false, &fields);
            }
        }
        c.seen(&mut world);
        let [a, b] = ["a", "b"].map(|queue| drain(&mut c, &mut world, queue));
        assert_eq!(a.len() + b.len(), 80, "{argument}");
        assert!(!a.is_empty() && !b.is_empty(), "{argument}");
        let [a, b] = [a, b].map(BTreeSet::from_iter);
        assert!(a.is_disjoint(&b), "{argument}");
    }
}

/// RabbitMQ's words for what it does not take.
#[test]
fn what_is_refused() {
    type Row = (fn(&mut Amqp), &'static str);
    #[rustfmt::skip]
    let rows: [Row; 5] = [
        (|c| declare(c, &table([("hash-header", text("h")), ("hash-property", text("message_id"))])), "hash-header and hash-property are mutually exclusive"),
        (|c| declare(c, &table([("hash-property", text("app_id"))])), "Unsupported property: app_id"),
        (|c| bound(c, &[("q", "k")]), "The binding key must be an integer: <<\"k\">>"),
        (|c| bound(c, &[("q", "0")]), "The binding key must be greater than 0"),
        (|c| bound(c, &[("q", "-1")]), "The binding key must be greater than 0"),
    ];
    for (act, text) in rows {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        if text.starts_with("The binding") {
            declare(&mut c, &TableBuf::new());
        }
        act(&mut c);
        assert_eq!(
            c.answer(&mut world),
            format!("channel.close 406 PRECONDITION_FAILED - {text}")
        );
    }
}

/// With one queue fewer only what went there goes elsewhere; and all stays as it was after a
/// crash.
#[test]
fn it_is_consistent_and_lasting() {
    let mut world = World::stored();
    let mut c = Amqp::connect(&mut world);
    declare(&mut c, &table([("hash-header", text("h"))]));
    bound(&mut c, &[("a", "2"), ("b", "1"), ("c", "2")]);
    let place = |c: &mut Amqp, world: &mut World| -> Vec<String> {
        (0..60)
            .map(|n| {
                let headers = table([("h", FieldValue::I32(n))]);
                let fields = PropertyFields {
                    headers: Some(headers.as_table()),
                    ..Default::default()
                };
                c.publish_with(1, "x", "", "m", false, &fields);
                let queues = ["a", "b", "c"].into_iter();
                let mut found = queues.filter(|queue| !drain(c, world, queue).is_empty());
                let queue = found.next().unwrap_or("none").to_owned();
                assert_eq!(found.next(), None);
                queue
            })
            .collect()
    };
    let before = place(&mut c, &mut world);
    world.crash_with(storing());
    let mut c = Amqp::connect(&mut world);
    assert_eq!(place(&mut c, &mut world), before);
    let unbind = queue::Unbind {
        queue: "c",
        exchange: "x",
        routing_key: "2",
        ..Default::default()
    };
    c.codec.queue_unbind(1, &unbind).unwrap();
    c.seen(&mut world);
    let after = place(&mut c, &mut world);
    for (before, after) in before.iter().zip(&after) {
        assert!(before == "c" || before == after, "{before} {after}");
        assert_ne!(after, "c");
    }
}
