//! Finding the retained messages that a subscription wants (MQTT 5.0 section 3.3.1.3):
//! what it takes, and that nobody waits for it.

use crate::world::World;
use crate::world::mqtt::Mqtt;
use mq_core::{Config, ConnectionId, Input};
use mqtt_codec::{Properties, QoS, Subscription};

/// A broker with `n` retained messages `dev/N/M/state`, ten Ms for each N, and one for
/// each filter that is looked for, with words that no other topic has.
fn retaining(n: usize) -> World {
    let mut world = World::new();
    let mut publisher = Mqtt::connect(&mut world, "publisher");
    for number in 0..n {
        publisher.retain(&format!("dev/{}/{}/state", number / 10, number % 10), "on");
        publisher.seen(&mut world);
    }
    for number in 0..FILTERS {
        publisher.retain(&format!("words/x{number}"), "on");
        publisher.seen(&mut world);
    }
    world
}

/// More steps than two calls of the broker do.
const CALL: u64 = 5000;

/// Filters of one SUBSCRIBE.
const FILTERS: usize = 100;

/// Steps that one SUBSCRIBE takes with so many filters.
fn steps(world: &mut World, filter: impl Fn(usize) -> String) -> u64 {
    let mut client = Mqtt::connect(world, "client");
    let filters: Vec<String> = (0..FILTERS).map(filter).collect();
    let subscriptions: Vec<_> = filters
        .iter()
        .map(|filter| Subscription::new(filter, QoS::AtMostOnce))
        .collect();
    client.subscribe_with(&subscriptions, Properties::EMPTY);
    let before = world.broker.statistics().steps;
    client.seen(world);
    let steps = world.broker.statistics().steps - before;
    world.cut(client.id);
    steps
}

#[test]
fn an_exact_filter_is_one_look_up() {
    let (mut small, mut large) = (retaining(500), retaining(2000));
    let filter = |n| format!("dev{n}");
    assert_eq!(steps(&mut small, filter), steps(&mut large, filter));
    assert!(steps(&mut large, filter) < 3 * FILTERS as u64);
    // A part of the name of a topic that is there is no part of its levels.
    let filter = |n| format!("dev/1{}", "x".repeat(n % 50));
    assert_eq!(steps(&mut small, filter), steps(&mut large, filter));
}

#[test]
fn a_wildcard_skips_what_cannot_match() {
    let mut world = retaining(2000);
    // For each filter, the two hundred Ns and no Ms.
    let each = steps(&mut world, |n| format!("dev/+/x{n}/state")) / FILTERS as u64;
    assert!((200..2 * 200 + 10).contains(&each), "{each}");
    // A word that no topic has.
    let each = steps(&mut world, |n| format!("dev/+/x{n}/none")) / FILTERS as u64;
    assert!(each < 3, "{each}");
}

/// A filter that is subscribed to again has its walk from the beginning, and only one.
#[test]
fn a_filter_that_comes_again_begins_again() {
    let mut world = retaining(200);
    let once = steps(&mut world, |n| format!("dev/+/x{n}/state"));
    let again = steps(&mut world, |_| "dev/+/x/state".into());
    assert!(again < once / 10, "{again} {once}");
}

#[test]
fn every_matching_message_comes_once() {
    const CASES: &[(&str, usize)] = &[
        ("#", 206 + FILTERS),
        ("+/#", 206 + FILTERS),
        ("dev/#", 201),
        ("dev/+/3/state", 20),
        ("dev/7/+/state", 10),
        ("dev/+/+/+", 200),
        ("+/+/+/state", 200),
        ("dev/7/3/state", 1),
        ("dev/7/3/state/#", 1),
        ("dev/+", 0),
        ("dev", 1),
        ("+", 2),
        ("/+", 1),
        ("+/+", 2 + FILTERS),
        ("dev-", 0),
        ("a/+/", 1),
        ("$own/#", 1),
        ("$own/+", 1),
        ("+/x", 1),
        ("$own/x", 1),
        ("/#", 2),
        ("a/b/", 1),
        ("a/b", 0),
        ("a/+/+", 1),
        ("a/b/#", 1),
        ("//", 1),
        ("+//", 1),
        ("/+/+", 1),
        ("+/+/", 2),
    ];
    let mut world = retaining(200);
    let mut publisher = Mqtt::connect(&mut world, "more");
    for topic in ["dev", "dev.", "/x", "a/b/", "//", "$own/x", "é/y"] {
        publisher.retain(topic, "on");
        publisher.seen(&mut world);
    }
    for (filter, expected) in CASES {
        let mut client = Mqtt::connect(&mut world, "client");
        client.subscribe(&mut world, filter, QoS::AtMostOnce);
        let seen = client.seen(&mut world);
        let mut topics: Vec<_> = seen.iter().collect();
        topics.sort_unstable();
        topics.dedup();
        assert_eq!(
            (seen.len(), topics.len()),
            (*expected, *expected),
            "{filter}"
        );
    }
}

/// While one client's subscription is looked for, others are served, and no call takes
/// many steps.
#[test]
fn a_long_walk_takes_turns() {
    let mut world = retaining(2000);
    let other = Mqtt::connect(&mut world, "other");
    let mut walker = Mqtt::connect(&mut world, "walker");
    let filters: Vec<String> = (0..FILTERS).map(|n| format!("+/+/x{n}/state")).collect();
    let subscriptions: Vec<_> = filters
        .iter()
        .map(|filter| Subscription::new(filter, QoS::AtMostOnce))
        .collect();
    walker.subscribe_with(&subscriptions, Properties::EMPTY);
    let mut subscribe = Vec::new();
    walker.codec.poll_transmit(world.now, &mut subscribe);
    world.handle_once(received(walker.id, subscribe));
    let mut calls = 0;
    while world
        .broker
        .poll_timeout()
        .is_some_and(|at| at <= world.now)
    {
        let before = world.broker.statistics().steps;
        world.handle_once(received(other.id, vec![0xC0, 0]));
        let answer = std::mem::take(&mut world.socket(other.id).received);
        assert_eq!(answer, [0xD0, 0], "PINGRESP");
        world.broker.handle_timeout(world.now);
        let steps = world.broker.statistics().steps - before;
        assert!(steps < CALL, "{steps}");
        calls += 1;
    }
    assert!(calls > 10, "{calls}");
    world.turn();
    walker.seen(&mut world);
}

fn received(connection: ConnectionId, bytes: Vec<u8>) -> Input {
    Input::Received {
        connection,
        bytes: bytes.into(),
    }
}

/// A message that is retained while a subscription is still looked for comes as a
/// message, since the subscription was there before it, and not as a retained one too:
/// whether the walk has passed its topic or not. What the walk has passed before was
/// the last retained message then, and has come.
#[test]
fn what_is_retained_meanwhile_does_not_come_twice() {
    const CASES: &[(&str, &[&str])] = &[
        ("t/000", &["t/000 old q1 retained", "t/000 new q1"]),
        ("t/099", &["t/099 new q1"]),
        ("t/new", &["t/new new q1"]),
    ];
    for (topic, expected) in CASES {
        let mut config = Config::default();
        // What stops the walk early.
        config.limits.transmit_high_water = 200;
        let mut world = World::with(config);
        let mut publisher = Mqtt::connect(&mut world, "publisher");
        for n in 0..100 {
            publisher.retain(&format!("t/{n:03}"), "old");
            publisher.seen(&mut world);
        }
        let mut client = Mqtt::connect(&mut world, "client");
        world.socket(client.id).slow = true;
        client.subscribe_with(
            &[Subscription::new("t/#", QoS::AtLeastOnce)],
            Properties::EMPTY,
        );
        let mut bytes = Vec::new();
        client.codec.poll_transmit(world.now, &mut bytes);
        world.handle(received(client.id, bytes));
        assert!(world.socket(client.id).received.len() < 400);
        publisher.retain(topic, "new");
        publisher.seen(&mut world);
        world.socket(client.id).slow = false;
        world.tell(client.id, usize::MAX);
        let seen = client.seen(&mut world);
        let of: Vec<_> = seen.iter().filter(|s| s.starts_with(topic)).collect();
        assert_eq!(of, *expected);
        let olds = seen.iter().filter(|s| s.contains(" old ")).count();
        let replaced = usize::from(*topic == "t/099");
        assert_eq!(olds, 100 - replaced, "{topic}");
    }
}
