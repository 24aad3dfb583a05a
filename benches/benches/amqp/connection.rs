//! A whole AMQP connection: messages a second, and what is allocated for each.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    reason = "measuring is what the clock is for, and only a part of the candidates is used"
)]

mod candidates;

use std::time::Instant;

use candidates::connection::{PUBLISHES, open, publish_all};

/// Connections that are measured; the median is told.
const ROUNDS: usize = 51;

fn main() {
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut joined = open();
            let start = Instant::now();
            publish_all(&mut joined);
            PUBLISHES as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);

    let mut joined = open();
    let allocated = allocation_counter::measure(|| publish_all(&mut joined));
    println!(
        "{PUBLISHES} publishes with confirms: {:.0} messages a second, {:.1} octets in {:.3} allocations a message",
        rates[ROUNDS / 2],
        allocated.bytes_total as f64 / PUBLISHES as f64,
        allocated.count_total as f64 / PUBLISHES as f64,
    );
}
