//! A whole STOMP connection: messages a second, and what is allocated for each.
#![allow(
    clippy::disallowed_methods,
    reason = "measuring is what the clock is for"
)]

use std::time::Instant;

use work::stomp::BODIES;
use work::stomp::connection::{Client, MESSAGES, Server};

/// Turns that are measured; the median is told.
const ROUNDS: usize = 1001;

fn main() {
    for size in BODIES {
        let mut client = Client::new(size);
        report("client: MESSAGE, event, ACK", size, || {
            client.acknowledge_all()
        });
        let mut server = Server::new(size);
        report("server: SEND, event, RECEIPT", size, || {
            server.receive_all()
        });
        let mut server = Server::new(size);
        report("server: MESSAGE", size, || server.send_all());
    }
}

fn report(name: &str, size: usize, mut turn: impl FnMut()) {
    turn();
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            turn();
            MESSAGES as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let allocated = allocation_counter::measure(turn);
    println!(
        "{name}, {size} B: {:.2} million messages a second, {:.1} bytes in {:.2} allocations a message",
        rates[ROUNDS / 2] / 1e6,
        allocated.bytes_total as f64 / MESSAGES as f64,
        allocated.count_total as f64 / MESSAGES as f64,
    );
}
