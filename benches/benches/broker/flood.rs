//! What one peer can do to the others: how long the broker is at it, what memory that takes
//! beyond what was there, and how long a bystander waits for its PINGRESP meanwhile.
//!
//! The broker is called as its server calls it, in one thread: with 64 KiB of a socket at a
//! time, and then for what it has left for later. The bystander's PINGREQ arrives as each call
//! begins, and is the next thing that the broker gets: it waits for that call and its own.
//!
//! `cargo bench --bench flood`, or `cargo bench --bench flood -- retained` for the rows
//! that have this in their name.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[allow(dead_code, reason = "not every case is for this")]
#[path = "../../../mq-core/tests/all/adversary.rs"]
mod adversary;
#[allow(dead_code, reason = "the tests of the broker need more of it")]
#[path = "../../../mq-core/tests/all/world/mod.rs"]
mod world;

use adversary::Prepared;
use bytes::Bytes;
use mq_core::{ConnectionId, Input, Output};
use peak_alloc::PeakAlloc;
use std::time::{Duration, Instant};
use world::World;
use world::mqtt::Mqtt;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Line, what is done, and how it is prepared.
type Row = (u8, &'static str, fn() -> Prepared);

const ROWS: &[Row] = &[
    (1, "CONNACK does not fit, 64 MB follow", || {
        adversary::connack_that_does_not_fit(64 << 20)
    }),
    (2, "dead-letter loop, 10,000 messages", || {
        adversary::dead_letter_loop(10_000)
    }),
    (3, "chain of 8,000 auto-delete exchanges", || {
        adversary::exchange_chain(8_000)
    }),
    (4, "100,000 retained, 1,000 filters `dev`", || {
        adversary::retained(100_000, |_| "dev".into())
    }),
    (4, "100,000 retained, 1,000 filters `dev/+/M/none`", || {
        adversary::retained(100_000, |n| format!("dev/+/{}/none", n % 10))
    }),
    (4, "100,000 retained, 1,000 filters `dev/+/N/none`", || {
        adversary::retained(100_000, |n| format!("dev/+/{n}/none"))
    }),
    (4, "100,000 retained, 1,000 filters `+/+/N/other`", || {
        adversary::retained(100_000, |n| format!("+/+/{n}/other"))
    }),
    (5, "60,000 unacknowledged come back to as many", || {
        adversary::requeue(60_000)
    }),
    (
        5,
        "tx.rollback of 16,000 acknowledgements of 64,000",
        || adversary::roll_back(16_000),
    ),
    (5, "CC of 5,000 keys to a fanout with 5,000 queues", || {
        adversary::copies(5_000)
    }),
    (5, "40,000 queues on one key go", || {
        adversary::bound_queues(40_000, "amq.direct")
    }),
    (5, "60,000 acknowledgements in reverse order", || {
        adversary::acknowledgements(60_000, |k, n| n - k)
    }),
    (5, "share of 9,500 members, most away", || {
        adversary::share(9_500)
    }),
    (5, "channel of 10,000 consumers that may hold one", || {
        adversary::full_channel(10_000, 1)
    }),
    (6, "1,500 messages with 600 KB of properties", || {
        adversary::properties_for_who_is_away(1_500)
    }),
    (6, "retained message of 3.2 million properties", || {
        adversary::empty_properties(3_200_000)
    }),
    (7, "1,000,000 messages of QoS 0", || {
        adversary::flood(1_000_000)
    }),
];

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    println!("| line | what one peer does | time | memory | PINGRESP, median | worst |");
    println!("|---:|---|---:|---:|---:|---:|");
    for (line, name, prepare) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|w| name.contains(&**w)) {
            let took = measure(*prepare);
            println!(
                "| {line} | {name} | {:.1?} | {:.1} MB | {:.1?} | {:.1?} |",
                took.time, took.memory, took.median, took.worst
            );
        }
    }
}

struct Took {
    time: Duration,
    memory: f32,
    median: Duration,
    worst: Duration,
}

fn measure(prepare: fn() -> Prepared) -> Took {
    let (mut world, inputs) = prepare();
    let bystander = Mqtt::connect(&mut world, "bystander").id;
    // What the tests want to look at.
    world.log = Vec::new();
    world.outputs = Vec::new();
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage_as_mb();
    let mut waits = Vec::new();
    let mut time = Duration::ZERO;
    for input in inputs {
        // A server reads no more from a connection that is over.
        if let Input::Received { connection, .. } = &input
            && world.is_closed(*connection)
        {
            continue;
        }
        let mut call = Some(input);
        loop {
            let begin = Instant::now();
            match call.take() {
                Some(input) => world.broker.handle(world.now, input),
                None => match world.broker.poll_timeout() {
                    Some(at) if at <= world.now => world.broker.handle_timeout(world.now),
                    _ => break,
                },
            }
            drain(&mut world, bystander);
            time += begin.elapsed();
            let ping = Input::Received {
                connection: bystander,
                bytes: Bytes::from_static(&[0xC0, 0]),
            };
            world.broker.handle(world.now, ping);
            while !drain(&mut world, bystander) {
                world.broker.handle_timeout(world.now);
            }
            waits.push(begin.elapsed());
        }
    }
    waits.sort_unstable();
    Took {
        time,
        memory: ALLOCATOR.peak_usage_as_mb() - before,
        median: waits[waits.len() / 2],
        worst: waits[waits.len() - 1],
    }
}

/// Takes all output, as fast sockets do. Returns whether some was for this connection.
fn drain(world: &mut World, bystander: ConnectionId) -> bool {
    let mut answered = false;
    while let Some(output) = world.broker.poll_output() {
        match output {
            Output::Transmit { connection, bytes } => {
                answered |= connection == bystander;
                let len = bytes.len();
                let transmitted = Input::Transmitted { connection, len };
                world.broker.handle(world.now, transmitted);
            }
            Output::Close { connection } => world.socket(connection).closed = true,
            _ => {}
        }
    }
    answered
}
