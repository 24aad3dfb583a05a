//! One call of the broker does a bounded amount of work, however much there is of what it is
//! about: what is much is done in turns, so that nobody waits for it.
//!
//! What a single event moves is not divided: a message that goes to many queues, a SUBSCRIBE
//! with many filters.

use crate::adversary::{self, Prepared, said};
use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue, table, text};
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::policy::policy;
use amqp_codec::method::queue;
use amqp_codec::{FieldValue, PropertyFields};
use mq_core::{Administration, Config, Input, Output, PolicyKind, PolicyValue};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Subscription};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Little, and more than one turn does.
const LITTLE: usize = 600;

/// How many times as much.
const TIMES: usize = 16;

/// How much longer the longest call may take: `TIMES` if it does all.
const LONGER: f64 = 8.0;

/// More steps than one call does.
const CALL: u64 = 5_000;

/// How often the time of a case is looked at at least, and at most where it takes too long.
/// Whatever disturbs a call only makes it longer, so each try can only make it truer.
const TRIES: [usize; 2] = [2, 10];

type Case = (&'static str, fn(usize) -> Prepared);

const CASES: &[Case] = &[
    ("a session with many subscriptions ends", |n| {
        let (mut world, _) = away(n);
        world.now += Duration::from_secs(20);
        (world, Vec::new())
    }),
    ("a client with many subscriptions leaves for good", |n| {
        let mut world = World::new();
        let client = Mqtt::connect(&mut world, "c");
        let connection = subscribed(&mut world, client, n).id;
        (world, vec![Input::Disconnected { connection }])
    }),
    ("many sessions end", |n| {
        let mut world = World::new();
        for number in 0..n {
            let client = lasting(&mut world, &format!("c{number}"));
            world.cut(client.id);
        }
        world.now += Duration::from_secs(20);
        (world, Vec::new())
    }),
    (
        "one more message for a session in which many are over",
        |n| {
            let (mut world, mut publisher) = waiting(n, "1000");
            world.now += Duration::from_secs(2);
            publisher.publish(1, "amq.topic", "t", "m");
            let publish = said(&mut publisher);
            (world, vec![publish])
        },
    ),
    ("a client gets what is left where many are over", |n| {
        let (mut world, slow) = slow(n, QoS::AtLeastOnce, "1000");
        world.now += Duration::from_secs(2);
        let len = world.socket(slow.id).untold;
        let connection = slow.id;
        (world, vec![Input::Transmitted { connection, len }])
    }),
    ("a client leaves for which much waits with QoS 0", |n| {
        let (world, slow) = slow(n, QoS::AtMostOnce, "60000");
        let connection = slow.id;
        (world, vec![Input::Disconnected { connection }])
    }),
    ("a client leaves for which much waits with QoS 1", |n| {
        let (world, slow) = slow(n, QoS::AtLeastOnce, "60000");
        let connection = slow.id;
        (world, vec![Input::Disconnected { connection }])
    }),
    ("a queue with many consumers is deleted", |n| {
        let (mut world, _) = consumers(n);
        let mut other = Amqp::connect(&mut world);
        delete_queue(&mut other, "q", false, false);
        let delete = said(&mut other);
        (world, vec![delete])
    }),
    ("a policy for many queues", |n| {
        let mut world = World::new();
        declared(&mut world, n, None);
        let policy = policy("p", "^q", &[("max-length", PolicyValue::Number(10))]);
        let kind = PolicyKind::Ordinary;
        let action = Box::new(Administration::SetPolicy { kind, policy });
        (world, vec![Input::Administer { id: 1, action }])
    }),
    ("many queues expire", |n| {
        let mut world = World::new();
        declared(&mut world, n, Some(("x-expires", 1000)));
        world.now += Duration::from_secs(2);
        (world, Vec::new())
    }),
    ("many messages of a queue expire", |n| {
        let mut world = World::new();
        let mut client = declared(&mut world, 1, Some(("x-message-ttl", 1000)));
        fill(&mut world, &mut client, "q0", n);
        world.now += Duration::from_secs(2);
        (world, Vec::new())
    }),
    ("many messages are purged", |n| {
        let mut world = World::new();
        let mut client = declared(&mut world, 1, None);
        fill(&mut world, &mut client, "q0", n);
        let purge = queue::Purge {
            queue: "q0",
            ..Default::default()
        };
        client.codec.queue_purge(1, &purge).unwrap();
        let purge = said(&mut client);
        (world, vec![purge])
    }),
    ("a queue with many messages is deleted", |n| {
        let mut world = World::new();
        let mut client = declared(&mut world, 1, None);
        fill(&mut world, &mut client, "q0", n);
        delete_queue(&mut client, "q0", false, false);
        let delete = said(&mut client);
        (world, vec![delete])
    }),
    (
        "a connection dies with unacknowledged deliveries",
        adversary::requeue,
    ),
    ("queues go with their connection", |n| {
        adversary::bound_queues(n, "amq.direct")
    }),
    ("what is retained, for a filter that matches none", |n| {
        adversary::retained(n, |n| format!("dev/+/{n}/none"))
    }),
    ("a share whose members are away", |n| {
        let (world, inputs) = adversary::share(n);
        // One message, where there are as many as members.
        let Some(Input::Received { connection, bytes }) = inputs.into_iter().next() else {
            panic!("a publish");
        };
        let bytes = bytes.slice(..bytes.len() / n);
        (world, vec![Input::Received { connection, bytes }])
    }),
];

/// Of these a part takes longer: what a connection has of its own is freed at once. The rest is
/// left for later calls.
const OWN: &[Case] = &[
    ("a connection with many consumers is over", |n| {
        let (world, client) = consumers(n);
        let connection = client.id;
        (world, vec![Input::Disconnected { connection }])
    }),
    ("a channel with many consumers is closed", |n| {
        let (world, mut client) = consumers(n);
        client.codec.close_channel(1).unwrap();
        let close = said(&mut client);
        (world, vec![close])
    }),
];

/// A client whose session outlives it for ten seconds.
fn lasting(world: &mut World, name: &str) -> Mqtt {
    let keep = properties([Property::SessionExpiryInterval(10)]);
    let connect = Connect {
        properties: keep.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(name))
    };
    let mut client = Mqtt::with(world, &connect);
    client.seen(world);
    client
}

fn subscribed(world: &mut World, mut client: Mqtt, n: usize) -> Mqtt {
    let filters: Vec<String> = (0..n).map(|n| format!("{n}/+")).collect();
    for filters in filters.chunks(100) {
        let subscriptions: Vec<_> = filters
            .iter()
            .map(|filter| Subscription::new(filter, QoS::AtLeastOnce))
            .collect();
        client.subscribe_with(&subscriptions, Properties::EMPTY);
        client.seen(world);
    }
    client
}

/// A session with `n` subscriptions whose client is away.
fn away(n: usize) -> (World, Mqtt) {
    let mut world = World::new();
    let client = lasting(&mut world, "c");
    let client = subscribed(&mut world, client, n);
    world.cut(client.id);
    (world, client)
}

/// Publishes to the topic `t` with a time to live in milliseconds.
fn publish(world: &mut World, n: usize, expiration: &str) -> Amqp {
    let mut publisher = Amqp::connect(world);
    let fields = PropertyFields {
        expiration: Some(expiration.into()),
        ..Default::default()
    };
    for number in 0..n {
        publisher.publish_with(1, "amq.topic", "t", "m", false, &fields);
        if number % 100 == 0 {
            publisher.seen(world);
        }
    }
    publisher.seen(world);
    publisher
}

/// A session whose client is away, in which `n` messages wait for so many milliseconds.
fn waiting(n: usize, expiration: &str) -> (World, Amqp) {
    let mut world = World::new();
    let mut client = lasting(&mut world, "c");
    client.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(client.id);
    let publisher = publish(&mut world, n, expiration);
    assert_eq!(world.broker.statistics().ready, n as u64);
    (world, publisher)
}

/// A client that reads nothing more, with a session in which `n` messages of that QoS wait for
/// so many milliseconds, and one of QoS 0.
fn slow(n: usize, qos: QoS, expiration: &str) -> (World, Mqtt) {
    let mut config = Config::default();
    config.limits.transmit_high_water = 1_000;
    let mut world = World::with(config);
    let mut client = lasting(&mut world, "c");
    client.subscribe(&mut world, "t", qos);
    client.subscribe(&mut world, "flood", QoS::AtMostOnce);
    world.socket(client.id).slow = true;
    let mut flooder = Mqtt::connect(&mut world, "flooder");
    flooder.publish("flood", &"x".repeat(2_000), QoS::AtMostOnce);
    flooder.publish("flood", "x", QoS::AtMostOnce);
    flooder.seen(&mut world);
    publish(&mut world, n, expiration);
    assert_eq!(world.broker.statistics().ready, n as u64 + 1);
    (world, client)
}

/// A client with `n` consumers of queue `q`.
fn consumers(n: usize) -> (World, Amqp) {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("q", &table([]));
    adversary::consume(&mut client, n);
    client.seen(&mut world);
    (world, client)
}

/// A client that has declared `n` queues, with an argument or none.
fn declared(world: &mut World, n: usize, argument: Option<(&str, i64)>) -> Amqp {
    let mut client = Amqp::connect(world);
    let argument = argument.map(|(name, value)| (name, FieldValue::I64(value)));
    for number in 0..n {
        client.declare(&format!("q{number}"), &table(argument));
    }
    client.seen(world);
    client
}

fn fill(world: &mut World, client: &mut Amqp, queue: &str, n: usize) {
    for _ in 0..n {
        client.publish(1, "", queue, "m");
    }
    client.seen(world);
    assert_eq!(world.broker.statistics().queued, n as u64);
}

/// How long each call takes, with its steps, until nothing is left to do.
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn calls((mut world, inputs): Prepared) -> Vec<(Duration, u64)> {
    let mut calls = Vec::new();
    let mut inputs = VecDeque::from(inputs);
    loop {
        let steps = world.broker.statistics().steps;
        let begin = Instant::now();
        match inputs.pop_front() {
            Some(input) => world.broker.handle(world.now, input),
            None if world
                .broker
                .poll_timeout()
                .is_some_and(|at| at <= world.now) =>
            {
                world.broker.handle_timeout(world.now);
            }
            None => return calls,
        }
        let time = begin.elapsed();
        calls.push((time, world.broker.statistics().steps - steps));
        while let Some(output) = world.broker.poll_output() {
            if let Output::Transmit { connection, bytes } = output
                && !world.socket(connection).slow
            {
                let len = bytes.len();
                inputs.push_back(Input::Transmitted { connection, len });
            }
        }
    }
}

/// The longest of all calls, each as short as it has ever been.
fn longest(tries: &[Vec<(Duration, u64)>]) -> Duration {
    let count = tries[0].len();
    assert!(tries.iter().all(|calls| calls.len() == count));
    let shortest = |call: usize| tries.iter().map(|calls| calls[call].0).min();
    (0..count).filter_map(shortest).max().unwrap_or_default()
}

#[test]
fn a_call_takes_no_longer_where_there_is_more_to_do() {
    let mut wrong = Vec::new();
    for (name, case) in CASES {
        let (mut little, mut much) = (Vec::new(), Vec::new());
        let mut longer = f64::MAX;
        while much.len() < TRIES[0] || (longer > LONGER && much.len() < TRIES[1]) {
            little.push(calls(case(LITTLE)));
            much.push(calls(case(LITTLE * TIMES)));
            longer = longest(&much).as_secs_f64() / longest(&little).as_secs_f64();
        }
        let steps = much[0].iter().map(|(_, steps)| *steps).max();
        println!("{longer:5.1} {:6} {name}", steps.unwrap_or_default());
        if longer > LONGER || steps >= Some(CALL) {
            wrong.push(*name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn what_many_consumers_leave_is_done_in_many_calls() {
    for (name, case) in OWN {
        let calls = calls(case(LITTLE * TIMES));
        let steps = calls.iter().map(|(_, steps)| *steps).max();
        assert!(steps < Some(CALL) && calls.len() > TIMES, "{name}");
    }
}

/// A session that has ended gets no message, though some of its filters are still to be
/// forgotten.
#[test]
fn a_session_that_has_ended_takes_no_message() {
    const MANY: usize = 2_000;
    let mut world = World::new();
    let client = Mqtt::connect(&mut world, "c");
    let client = subscribed(&mut world, client, MANY);
    let mut publisher = Amqp::connect(&mut world);
    for n in [0, MANY / 2, MANY - 1] {
        let key = format!("{n}.x");
        let fields = PropertyFields::default();
        publisher.publish_with(1, "amq.topic", &key, &key, true, &fields);
    }
    let connection = client.id;
    world.handle_once(Input::Disconnected { connection });
    world.handle_once(said(&mut publisher));
    assert!(world.broker.poll_timeout().is_some(), "some are left");
    let returned = ["return 312 0.x", "return 312 1000.x", "return 312 1999.x"];
    assert_eq!(publisher.seen(&mut world), returned);
}

/// The first message of a group has each consumer of its queue look through all that is ready.
#[test]
fn consumers_search_in_turns() {
    const CONSUMERS: usize = 2_000;
    const READY: usize = 20;
    let (mut world, mut client) = consumers(CONSUMERS);
    // Each holds one.
    fill(&mut world, &mut client, "q", CONSUMERS);
    let mut other = Amqp::connect(&mut world);
    for _ in 0..READY {
        other.publish(1, "", "q", "m");
    }
    other.seen(&mut world);
    assert_eq!(world.broker.statistics().ready, READY as u64);
    let group = table([("JMSXGroupID", text("g"))]);
    let fields = PropertyFields {
        headers: Some(group.as_table()),
        ..Default::default()
    };
    other.publish_with(1, "", "q", "m", false, &fields);
    let publish = said(&mut other);
    let calls = calls((world, vec![publish]));
    let steps = calls.iter().map(|(_, steps)| steps);
    assert!(steps.clone().sum::<u64>() > (CONSUMERS * READY) as u64);
    let most = steps.max();
    assert!(most < Some(&CALL), "{most:?}");
}
