//! What a connection with a subscription of its own takes of the broker's memory, while it is
//! used and when it is idle: 10,000 of each protocol. Ends with status 1 when one takes more than
//! is allowed.
//!
//! `cargo bench --bench idle` in `benches/work`

use std::process::ExitCode;

use mq_core::{Protocol, Store};
use peak_alloc::PeakAlloc;
use work::broker::{Play, amqp, mqtt, stomp};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const CONNECTIONS: usize = 10_000;

/// A protocol, what connection `n` says, and the most bytes that it may take in use and idle.
type Row = (Protocol, fn(usize) -> Vec<Vec<u8>>, [usize; 2]);

const ROWS: [Row; 3] = [
    (Protocol::Mqtt, mqtt, [1_600, 600]),
    (Protocol::Stomp, stomp, [4_500, 2_050]),
    (Protocol::Amqp, amqp, [3_750, 1_590]),
];

fn mqtt(n: usize) -> Vec<Vec<u8>> {
    vec![
        mqtt::connect(&format!("client{n}"), false),
        mqtt::subscribe(&format!("sensors/{n}"), 0),
    ]
}

fn stomp(n: usize) -> Vec<Vec<u8>> {
    let subscribe = stomp::subscribe(&format!("/topic/sensors.{n}"));
    vec![stomp::CONNECT.to_vec(), subscribe]
}

fn amqp(n: usize) -> Vec<Vec<u8>> {
    let queue = format!("queue{n}");
    let mut said = amqp::hello();
    said.push(amqp::declare(&queue, false));
    said.push(amqp::consume(&queue, true));
    said
}

fn main() -> ExitCode {
    println!("| {CONNECTIONS} connections | bytes each | allowed | idle | allowed |");
    println!("|---|---:|---:|---:|---:|");
    let mut are_kept = true;
    for (protocol, says, allowed) in ROWS {
        let before = ALLOCATOR.current_usage();
        let each = || (ALLOCATOR.current_usage() - before).div_ceil(CONNECTIONS);
        let mut play = Play::new(Store::None);
        for n in 0..CONNECTIONS {
            play.connect(protocol, says(n).iter().map(Vec::as_slice));
        }
        let used = each();
        play.rest();
        let idle = each();
        let [of_used, of_idle] = allowed;
        println!("| {protocol:?} | {used} | {of_used} | {idle} | {of_idle} |");
        are_kept &= used <= of_used && idle <= of_idle;
    }
    match are_kept {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
