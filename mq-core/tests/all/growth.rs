//! How the work grows: sixteen times as much takes about as long as sixteen times the
//! same, whatever others have done. What is quadratic takes sixteen times as long as that.
//!
//! The two take about the same time, so whatever else the machine does slows both, and the
//! ratio stays. The broker's own count of its steps does not depend on the machine.

use crate::adversary::{self, Prepared};
use std::time::{Duration, Instant};

/// How many times as much.
const TIMES: usize = 16;

/// The largest growth of time that still counts as linear: one is linear, and `TIMES`
/// quadratic.
const LINEAR: f64 = 4.0;

/// The largest growth of steps.
const LINEAR_STEPS: f64 = 1.5;

/// How often a case that seems to grow is looked at again: what else the machine does only
/// ever adds to the shortest time, so each try can only make it truer.
const TRIES: usize = 30;

/// A case: its name, how much is much for it (of which a sixteenth is little), and what it prepares for so much.
type Case = (&'static str, usize, fn(usize) -> Prepared);

const CASES: &[Case] = &[
    (
        "a connection dies with unacknowledged deliveries",
        1920,
        adversary::requeue,
    ),
    (
        "tx.rollback of acknowledgements",
        1920,
        adversary::roll_back,
    ),
    (
        "CC of many keys to a fanout with many queues",
        240,
        adversary::copies,
    ),
    (
        "bindings through many exchanges",
        320,
        adversary::bound_exchanges,
    ),
    ("queues on one key go, direct", 400, |n| {
        adversary::bound_queues(n, "amq.direct")
    }),
    ("queues on one key go, topic", 400, |n| {
        adversary::bound_queues(n, "amq.topic")
    }),
    ("queues on one key go, fanout", 400, |n| {
        adversary::bound_queues(n, "amq.fanout")
    }),
    ("queues on one key go, headers", 400, |n| {
        adversary::bound_queues(n, "amq.headers")
    }),
    (
        "exchanges go beside many queues",
        400,
        adversary::exchanges_beside_queues,
    ),
    ("acknowledgements in reverse order", 960, |n| {
        adversary::acknowledgements(n, |k, n| n - k)
    }),
    ("acknowledgements inside out", 1440, |n| {
        adversary::acknowledgements(n, |k, n| {
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
        adversary::stomp_acknowledgements,
    ),
    ("consumers that are full", 240, adversary::full_consumers),
    (
        "acknowledgements of many consumers",
        240,
        adversary::many_consumers,
    ),
    (
        "acknowledgements of a channel with many consumers",
        480,
        |n| adversary::full_channel(n, 1),
    ),
    (
        "acknowledgements of a channel with consumers of many queues",
        480,
        |n| adversary::full_channel(n, n),
    ),
    (
        "channels close that had direct replies",
        240,
        adversary::reply_channels,
    ),
    ("a share whose members are away", 240, adversary::share),
    ("sessions with one filter go", 240, adversary::one_filter),
    ("many headers for AMQP", 400, adversary::many_headers),
    (
        "bytes after a CONNECT that is refused",
        16 << 20,
        adversary::connack_that_does_not_fit,
    ),
    ("a dead-letter loop", 960, adversary::dead_letter_loop),
    ("a chain of exchanges", 960, adversary::exchange_chain),
    ("exact filters, and what is retained", 960, |n| {
        adversary::retained(n, |_| "dev".into())
    }),
    ("filters with a wildcard, and what is retained", 960, |n| {
        adversary::retained(n, |n| format!("dev/+/{}/none", n % 10))
    }),
    (
        "properties for a client that is away",
        32,
        adversary::properties_for_who_is_away,
    ),
    ("empty properties", 16_000, adversary::empty_properties),
    ("a flood", 3200, adversary::flood),
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
