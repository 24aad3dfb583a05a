//! What a message costs in the broker of mq-core, by calls that an earlier tree has as well.
//!
//! `earlier FLOW SIZE MESSAGES` prints the nanoseconds that a message takes, over so many of them,
//! after a quarter as many that are not measured. `earlier` prints the flows.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "../../work/src/broker/amqp.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod amqp;
mod flows;
#[path = "../../work/src/broker/mqtt.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod mqtt;
mod play;
#[path = "../../work/src/broker/stomp.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod stomp;

use std::process::ExitCode;
use std::time::Instant;

use flows::FLOWS;

/// Small things of which each second one is gone, as in a process that has run for a while.
///
/// In a new one, a list of the broker that grows in the midst of a turn may lie behind all that the
/// turn has taken, for good. Then glibc cannot give the end of the heap back after each turn, which
/// takes a third of the time of some flows, and a few bytes more or less decide about it.
fn scatter() {
    // A list of more would change how much glibc keeps.
    let things = (0..4 * 1024).map(|n| Vec::with_capacity(64 << (n % 7)));
    let mut things: Vec<Vec<u8>> = things.collect();
    for kept in things.iter_mut().step_by(2) {
        std::mem::forget(std::mem::take(kept));
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flow, size, messages] = &arguments[..] else {
        for flow in FLOWS {
            println!("{}", flow.name);
        }
        return ExitCode::SUCCESS;
    };
    let flow = FLOWS.iter().find(|known| known.name == flow);
    let (Some(flow), Ok(size), Ok(messages)) = (flow, size.parse(), messages.parse::<u32>()) else {
        eprintln!("earlier FLOW SIZE MESSAGES, with a flow that `earlier` prints");
        return ExitCode::FAILURE;
    };
    scatter();
    let turns = messages.div_ceil(flow.messages);
    let mut turn = (flow.make)(size);
    for _ in 0..turns.div_ceil(4) {
        turn();
    }
    let begin = Instant::now();
    for _ in 0..turns {
        turn();
    }
    let took = begin.elapsed().as_nanos();
    println!("{}", took / u128::from(turns * flow.messages));
    ExitCode::SUCCESS
}
