//! What a message costs, and what each takes, where the broker has many of something else:
//! filters, bindings, retained messages, a backlog, sessions, connections.
//!
//! `cargo bench --bench crowd` in `benches/work`, or `cargo bench --bench crowd -- retained` for
//! the rows that have this in their name; `MANY=100000` for fewer than a million at most.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use peak_alloc::PeakAlloc;
use std::time::{Duration, Instant};
use work::Turn;
use work::broker::{BATCH, CROWDS, Crowd};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How long a row is measured.
const MEASURED: Duration = Duration::from_millis(500);
/// Turns between two looks at the clock.
const TURNS: u32 = 8;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let most = std::env::var("MANY").map_or(1_000_000, |many| many.parse().expect("a number"));
    let sizes: Vec<usize> = [1, 1_000, 100_000, 1_000_000]
        .into_iter()
        .filter(|many| *many <= most)
        .collect();
    let columns = sizes.iter().map(|many| format!(" {many} |"));
    println!(
        "| nanoseconds a message beside | what is done |{} bytes each |",
        columns.collect::<String>()
    );
    println!("|---|---|{}---:|", "---:|".repeat(sizes.len()));
    for crowd in CROWDS {
        if wanted.is_empty() || wanted.iter().any(|w| crowd.many.contains(&**w)) {
            row(crowd, &sizes);
        }
    }
}

fn row(crowd: &Crowd, sizes: &[usize]) {
    let (mut cells, mut held) = (String::new(), Vec::new());
    for many in sizes {
        let before = ALLOCATOR.current_usage();
        let turn = (crowd.make)(*many);
        held.push((*many, ALLOCATOR.current_usage() - before));
        cells += &format!(" {} |", measure(turn));
    }
    // What one more takes: a broker has something without any.
    let each = match *held {
        [(few, less), .., (many, more)] => more.saturating_sub(less) / (many - few),
        _ => 0,
    };
    println!("| {} | {} |{cells} {each} |", crowd.many, crowd.turn);
}

/// Nanoseconds for a message, the best of the rounds.
fn measure(mut turn: Turn) -> u128 {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < MEASURED {
        let begin = Instant::now();
        for _ in 0..TURNS {
            turn();
        }
        best = best.min(begin.elapsed());
    }
    best.as_nanos() / (u128::from(TURNS) * BATCH as u128)
}
