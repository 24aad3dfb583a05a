//! How the work grows: sixteen times as much takes about as long as sixteen times the
//! same, whatever others have done. What is quadratic takes sixteen times as long as that.
//!
//! Work is counted in the broker's own steps, and in the time for which the processor has
//! run the test's thread, where the system says that: neither depends on what else the
//! machine does.

use crate::adversary::{self, Prepared};
use std::time::Duration;

/// How many times as much.
const TIMES: usize = 16;

/// The largest growth of time that still counts as linear: one is linear, and `TIMES`
/// quadratic.
const LINEAR: f64 = 4.0;

/// The largest growth of steps.
const LINEAR_STEPS: f64 = 1.5;

/// What takes less time than this is done again and again, so that a disturbance of some
/// microseconds does not count.
const ENOUGH: Duration = Duration::from_millis(5);

/// But no more often than that.
const REPEATS: u32 = 16;

/// How often the time of a case that seems to grow is looked at again. Whatever disturbs it
/// only adds to the shortest time, so each try can only make it truer.
const TRIES: usize = 10;

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
    (
        "clients leave that have waited for one session",
        4800,
        adversary::leaving_one_line,
    ),
    (
        "clients leave that have waited for as many sessions",
        4800,
        adversary::leaving_many_lines,
    ),
    (
        "clients get one session after each other",
        4800,
        adversary::one_line,
    ),
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

/// How long this thread has run. None: the system does not say.
///
/// The clock is exact. `/proc/thread-self/schedstat` is not: it stands still between two
/// ticks of the kernel, so the least of several readings of it is too little.
#[cfg(unix)]
fn ran() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

#[cfg(not(unix))]
fn ran() -> Option<Duration> {
    None
}

/// What something takes.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    time: Option<Duration>,
    steps: u64,
}

fn cost(case: fn(usize) -> Prepared, n: usize, times: usize) -> Cost {
    let (mut time, mut steps) = (Some(Duration::ZERO), 0);
    for _ in 0..times {
        let (mut world, inputs) = case(n);
        let before = world.broker.statistics().steps;
        let start = ran();
        for input in inputs {
            world.handle(input);
        }
        let taken = ran().zip(start).map(|(end, start)| end - start);
        time = time.zip(taken).map(|(sum, taken)| sum + taken);
        steps += world.broker.statistics().steps - before;
    }
    Cost { time, steps }
}

/// By how much more steps a case takes than so many times a part of it, and time, if the
/// kernel says that.
fn growth(case: fn(usize) -> Prepared, n: usize) -> (f64, Option<f64>) {
    let (mut one, mut many) = (Duration::MAX, Duration::MAX);
    let (mut growth, mut growth_of_steps) = (None, 0.0);
    let mut repeats: u32 = 1;
    for _ in 0..TRIES {
        let little = cost(case, n / TIMES, TIMES * repeats as usize);
        let much = cost(case, n / TIMES * TIMES, repeats as usize);
        growth_of_steps = much.steps as f64 / little.steps as f64;
        let Some((little, much)) = little.time.zip(much.time) else {
            break;
        };
        if little.min(much) < ENOUGH && repeats < REPEATS {
            repeats *= 4;
            continue;
        }
        one = one.min(little / repeats);
        many = many.min(much / repeats);
        let ratio = many.as_secs_f64() / one.as_secs_f64().max(1e-9);
        growth = Some(ratio);
        if ratio <= LINEAR {
            break;
        }
    }
    (growth_of_steps, growth)
}

#[test]
fn sixteen_times_as_much_takes_about_sixteen_times_as_long() {
    let mut wrong = Vec::new();
    for (name, n, case) in CASES {
        let (steps, time) = growth(*case, *n);
        println!("{steps:5.1} {:5.1}  {name}", time.unwrap_or(f64::NAN));
        if steps > LINEAR_STEPS || time.is_some_and(|time| time > LINEAR) {
            wrong.push(*name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}
