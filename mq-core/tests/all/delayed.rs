//! Exchanges of type `x-delayed-message`: RabbitMQ's plugin
//! `rabbitmq_delayed_message_exchange` (its README, and `rabbit_exchange_type_delayed_message.erl`
//! for bounds and words).

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::log::storing;
use amqp_codec::method::{confirm, exchange, queue};
use amqp_codec::{FieldValue, PropertyFields, TableBuf};
use mq_core::Config;
use proptest::prelude::*;
use std::time::Duration;

fn declare(c: &mut Amqp, arguments: &TableBuf) {
    let declare = exchange::Declare {
        exchange: "x",
        r#type: "x-delayed-message",
        durable: true,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    c.codec.exchange_declare(1, &declare).unwrap();
}

/// A client with an exchange of that type, and a durable queue bound with the key `k`.
fn owner(world: &mut World, kind: &str) -> Amqp {
    let mut c = Amqp::connect(world);
    declare(&mut c, &table([("x-delayed-type", text(kind))]));
    let q = queue::Declare {
        queue: "q",
        durable: true,
        ..Default::default()
    };
    c.codec.queue_declare(1, &q).unwrap();
    c.bind("q", "x", "k");
    c.seen(world);
    c
}

fn publish(c: &mut Amqp, delay: FieldValue<'_>, body: &str, mandatory: bool) {
    let headers = table([("x-delay", delay)]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        ..Default::default()
    };
    c.publish_with(1, "x", "k", body, mandatory, &fields);
}

fn millis(delay: i64) -> FieldValue<'static> {
    FieldValue::I64(delay)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn messages_wait_for_their_time() {
    let mut world = World::new();
    let mut c = owner(&mut world, "direct");
    c.consume(2, "q", "t", true);
    publish(&mut c, millis(3000), "three", false);
    publish(&mut c, FieldValue::I32(1000), "one", false);
    publish(&mut c, millis(1000), "one too", false);
    c.publish(1, "x", "k", "none");
    assert_eq!(c.seen(&mut world), ["basic.consume-ok t", "t 1 none"]);
    world.wait(Duration::from_millis(999));
    assert!(c.seen(&mut world).is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(c.seen(&mut world), ["t 2 one", "t 3 one too"]);
    world.wait(seconds(2));
    assert_eq!(c.seen(&mut world), ["t 4 three"]);
    // "x-delay" of what was delayed is negative.
    let properties = format!("{:?}", c.contents.last().unwrap().properties());
    assert!(properties.contains("-3000"), "{properties}");
}

/// Only a number from 1 to 2^32 - 1 delays.
#[test]
fn what_does_not_wait() {
    let mut world = World::new();
    let mut c = owner(&mut world, "direct");
    c.consume(2, "q", "t", true);
    c.seen(&mut world);
    let delays = [millis(0), millis(-5), millis(1 << 32), text("1000")];
    for (delay, n) in delays.into_iter().zip(1..) {
        publish(&mut c, delay, "m", true);
        assert_eq!(c.seen(&mut world), [format!("t {n} m")]);
    }
    publish(&mut c, millis((1 << 32) - 1), "m", false);
    assert!(c.seen(&mut world).is_empty());
}

/// It routes as argument `x-delayed-type` says, by the bindings that are there then.
#[test]
fn it_routes_as_its_type_says() {
    #[rustfmt::skip]
    let rows = [
        ("direct", "k", true), ("direct", "#", false),
        ("topic", "#", true), ("fanout", "other", true), ("x-consistent-hash", "1", true),
    ];
    for (kind, key, found) in rows {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        declare(&mut c, &table([("x-delayed-type", text(kind))]));
        publish(&mut c, millis(1000), "m", false);
        c.declare("q", &TableBuf::new());
        c.bind("q", "x", key);
        c.seen(&mut world);
        world.wait(seconds(1));
        c.get("q", true);
        let answer = c.answer(&mut world);
        assert_eq!(
            answer.starts_with("get-ok 1 m"),
            found,
            "{kind} {key} {answer}"
        );
    }
}

/// A message that comes from another exchange, or as a dead letter, waits too.
#[test]
fn it_delays_what_comes_by_other_ways() {
    let mut world = World::new();
    let mut c = owner(&mut world, "direct");
    let bind = exchange::Bind {
        destination: "x",
        source: "amq.fanout",
        ..Default::default()
    };
    c.codec.exchange_bind(1, &bind).unwrap();
    let arguments = [
        ("x-dead-letter-exchange", text("x")),
        ("x-message-ttl", millis(0)),
    ];
    c.declare("dead", &table(arguments));
    c.seen(&mut world);
    for (exchange, key) in [("amq.fanout", "k"), ("", "dead")] {
        let headers = table([("x-delay", millis(1000))]);
        let fields = PropertyFields {
            headers: Some(headers.as_table()),
            ..Default::default()
        };
        c.publish_with(1, exchange, key, exchange, false, &fields);
    }
    c.bind("q", "x", "dead");
    c.consume(2, "q", "t", true);
    assert!(!c.seen(&mut world).iter().any(|seen| seen.starts_with("t ")));
    world.wait(seconds(1));
    assert_eq!(c.seen(&mut world), ["t 1 amq.fanout", "t 2 "]);
}

/// A publisher is confirmed at once; a mandatory message is returned, since nothing is bound
/// for it yet: the plugin does not support the flag.
#[test]
fn a_publisher_is_answered_at_once() {
    let mut world = World::new();
    let mut c = owner(&mut world, "direct");
    let select = confirm::Select { no_wait: false };
    c.codec.confirm_select(1, &select).unwrap();
    c.seen(&mut world);
    publish(&mut c, millis(1000), "m", false);
    assert_eq!(c.seen(&mut world), ["ack 1-1"]);
    publish(&mut c, millis(1000), "m", true);
    assert_eq!(c.seen(&mut world), ["return 312 m", "ack 2-2"]);
}

/// A world in which one message may wait.
fn narrow() -> World {
    let mut config = Config::default();
    config.limits.delayed_messages = 1;
    World::with(config)
}

#[test]
fn no_more_wait_than_may() {
    let mut world = narrow();
    let mut c = owner(&mut world, "direct");
    let select = confirm::Select { no_wait: false };
    c.codec.confirm_select(1, &select).unwrap();
    c.seen(&mut world);
    for answer in ["ack 1-1", "nack 2-2"] {
        publish(&mut c, millis(1000), "m", false);
        assert_eq!(c.seen(&mut world), [answer]);
    }
    world.wait(seconds(1));
    publish(&mut c, millis(1000), "m", false);
    assert_eq!(c.seen(&mut world), ["ack 3-3"]);
}

/// RabbitMQ's plugin has no limit of what waits, and a letter has no publisher that could be
/// refused: it waits like the others.
#[test]
fn a_letter_waits_though_no_more_may() {
    let mut world = narrow();
    let mut c = owner(&mut world, "direct");
    let arguments = table([
        ("x-dead-letter-exchange", text("x")),
        ("x-dead-letter-routing-key", text("k")),
    ]);
    c.declare("work", &arguments);
    publish(&mut c, millis(5000), "first", false);
    let headers = table([("x-delay", millis(3000))]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    c.publish_with(1, "", "work", "letter", false, &fields);
    c.get("work", false);
    assert_eq!(c.answer(&mut world), "get-ok 1 letter +0");
    c.codec
        .reject(1, 1, amqp_codec::connection::Requeue::No)
        .unwrap();
    c.consume(2, "q", "t", true);
    assert_eq!(c.answer(&mut world), "basic.consume-ok t");
    world.wait(Duration::from_millis(2999));
    assert!(c.seen(&mut world).is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(c.seen(&mut world), ["t 1 letter"]);
    world.wait(seconds(2));
    assert_eq!(c.seen(&mut world), ["t 2 first"]);
}

/// A transaction in which too many would wait is not done at all.
#[test]
fn no_more_wait_by_a_transaction() {
    let mut world = narrow();
    let mut c = owner(&mut world, "direct");
    c.codec
        .tx_select(1, &amqp_codec::method::tx::Select::default())
        .unwrap();
    publish(&mut c, millis(1000), "a", false);
    publish(&mut c, millis(1000), "b", false);
    c.codec
        .tx_commit(1, &amqp_codec::method::tx::Commit::default())
        .unwrap();
    let answer = c.answer(&mut world);
    assert!(
        answer.starts_with("channel.close 406") && answer.contains("no part of the transaction"),
        "{answer}"
    );
    world.wait(seconds(2));
    c.codec
        .get(
            2,
            &amqp_codec::method::basic::Get {
                queue: "q",
                no_ack: true,
            },
        )
        .unwrap();
    assert_eq!(c.answer(&mut world), "basic.get-empty");
}

#[test]
fn what_is_refused() {
    for arguments in [
        table([]),
        table([("x-delayed-type", text("nope"))]),
        table([("x-delayed-type", text("x-delayed-message"))]),
        table([("x-delayed-type", millis(1))]),
    ] {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        declare(&mut c, &arguments);
        assert_eq!(
            c.answer(&mut world),
            "channel.close 406 PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be \
             an existing exchange type"
        );
    }
}

/// "Messages are stored": what waits in a durable exchange waits on after a crash, for its
/// time and not longer, and comes once.
#[test]
fn delays_outlive_the_broker() {
    let mut world = World::stored();
    let mut c = owner(&mut world, "direct");
    publish(&mut c, millis(1000), "one", false);
    publish(&mut c, millis(5000), "five", false);
    c.seen(&mut world);
    world.wait(seconds(1));
    world.crash_with(storing());
    world.wait(seconds(2));
    let mut c = Amqp::connect(&mut world);
    c.get("q", true);
    assert_eq!(c.seen(&mut world), ["get-ok 1 one +0"]);
    world.wait(seconds(1));
    c.get("q", true);
    assert_eq!(c.seen(&mut world), ["basic.get-empty"]);
    world.wait(seconds(1));
    c.get("q", true);
    assert_eq!(c.seen(&mut world), ["get-ok 2 five +0"]);
    world.crash_with(storing());
    let mut c = Amqp::connect(&mut world);
    world.wait(seconds(9));
    c.get("q", true);
    assert_eq!(c.seen(&mut world), ["basic.get-empty"]);
}

#[derive(Debug, Clone)]
enum Step {
    Publish { delay: u16, persistent: bool },
    Wait(u16),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40_u16, any::<bool>())
            .prop_map(|(delay, persistent)| Step::Publish { delay, persistent }),
        3 => (0..30_u16).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A list of what waits, sorted by its time and then by its number, is what the exchange
    /// does: each message comes once, at its time, in that order, and a crash loses those that
    /// are not persistent.
    #[test]
    fn it_is_a_sorted_list(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::stored();
        let mut c = owner(&mut world, "direct");
        let mut list: Vec<(Duration, usize, bool)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish { delay, persistent } => {
                    let headers = table([("x-delay", millis(delay.into()))]);
                    let fields = PropertyFields {
                        headers: Some(headers.as_table()),
                        delivery_mode: Some(if persistent { 2 } else { 1 }),
                        ..Default::default()
                    };
                    c.publish_with(1, "x", "k", &number.to_string(), false, &fields);
                    c.seen(&mut world);
                    let due = world.now + Duration::from_millis(delay.into());
                    list.push((due, number, persistent));
                }
                Step::Wait(time) => world.wait(Duration::from_millis(time.into())),
                Step::Crash => {
                    world.crash_with(storing());
                    world.turn();
                    c = Amqp::connect(&mut world);
                    list.retain(|(_, _, persistent)| *persistent);
                }
            }
            list.sort();
            let due = list.iter().take_while(|(due, ..)| *due <= world.now).count();
            let due: Vec<_> = list.drain(..due).collect();
            for (_, number, _) in due {
                c.get("q", true);
                let answer = c.answer(&mut world);
                let body = format!(" {number} +");
                prop_assert!(answer.contains(&body), "{number}: {answer}");
            }
            c.get("q", true);
            prop_assert_eq!(c.answer(&mut world), "basic.get-empty");
        }
    }
}
