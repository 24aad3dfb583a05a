//! What a whole AMQP connection allocates for a message, and how long it takes for one
//! beside encoding and decoding its frames.
#![allow(dead_code, reason = "only a part of the candidates is used")]

mod candidates;

use work::amqp::connection::{PUBLISHES, open, publish_all};

fn main() {
    benches::ratios(|| vec![candidates::whole()]);

    let mut joined = open();
    let allocated = allocation_counter::measure(|| publish_all(&mut joined));
    println!(
        "\n{PUBLISHES} publishes with confirms: {:.1} bytes in {:.3} allocations a message",
        allocated.bytes_total as f64 / PUBLISHES as f64,
        allocated.count_total as f64 / PUBLISHES as f64,
    );
}
