//! What one message costs in the broker: received, routed, delivered, and its output
//! taken, in one thread. In nanoseconds, the best of several rounds.
//!
//! `cargo bench --bench broker`

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::Instant;
use work::Turn;
use work::broker::{BATCH, TURNS};

const ROUNDS: usize = 15;
/// Bytes of a round.
const BYTES: usize = 8 << 20;

fn main() {
    println!("{:<32} {:>10}", "", "ns/message");
    for body in [16, 1024, 4096, 16 * 1024, 64 * 1024] {
        let turns = (BYTES / (body + 2048) / BATCH).max(16);
        for (name, make) in TURNS {
            let best = (0..ROUNDS).map(|_| round(make(body), turns)).min();
            println!(
                "{:<32} {:>10}",
                format!("{name} {body} B"),
                best.unwrap_or_default()
            );
        }
    }
}

fn round(mut turn: Turn, turns: usize) -> u128 {
    let begin = Instant::now();
    for _ in 0..turns {
        turn();
    }
    begin.elapsed().as_nanos() / (turns * BATCH) as u128
}
