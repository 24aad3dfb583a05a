//! What it costs to store a backlog, and to make a broker of it again, in one thread and
//! with a store that costs nothing.
//!
//! `cargo bench --bench recover`

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Recovery, Store, Terms};
use std::time::{Duration, Instant};

/// Messages in the backlog.
const MESSAGES: usize = 200_000;
/// Messages in one read.
const BATCH: usize = 16;
const PUBLISHER: ConnectionId = ConnectionId(1);

fn main() {
    println!(
        "{:<12} {:>12} {:>12} {:>12}",
        "", "store ns", "recover ns", "bytes"
    );
    for body in [16, 1024] {
        let config = Config {
            store: Store::Log,
            ..Config::default()
        };
        let begin = Instant::now();
        let log = publish(config.clone(), body);
        let stored = begin.elapsed();
        let bytes: usize = log.iter().map(|(_, bytes)| bytes.len()).sum();
        let begin = Instant::now();
        let mut recovery = Recovery::new(config).expect("there is a store");
        for (position, bytes) in log {
            recovery.batch(position, bytes).expect("it was written so");
        }
        let broker = recovery.finish(Duration::ZERO).expect("it was written so");
        let recovered = begin.elapsed();
        assert_eq!(broker.statistics().ready, MESSAGES as u64);
        println!(
            "{:<12} {:>12} {:>12} {:>12}",
            format!("{body} B"),
            stored.as_nanos() / MESSAGES as u128,
            recovered.as_nanos() / MESSAGES as u128,
            bytes / MESSAGES,
        );
    }
}

/// What is appended when so many messages are published to a queue.
fn publish(config: Config, body: usize) -> Vec<(u64, Bytes)> {
    let mut broker = Broker::new(config).expect("the defaults are fine");
    let mut log = Vec::new();
    let connection = PUBLISHER;
    let protocol = Protocol::Stomp;
    give(
        &mut broker,
        Input::Connected {
            connection,
            protocol,
            terms: Terms::default(),
        },
        &mut log,
    );
    let connect = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0";
    let head = format!("SEND\ndestination:/queue/q\npersistent:true\ncontent-length:{body}\n\n");
    let message = [head.as_bytes(), &vec![b'a'; body], b"\0"].concat();
    let batch = Bytes::from(message.repeat(BATCH));
    let bytes = Bytes::from_static(connect);
    give(&mut broker, Input::Received { connection, bytes }, &mut log);
    for _ in 0..MESSAGES / BATCH {
        let bytes = batch.clone();
        give(&mut broker, Input::Received { connection, bytes }, &mut log);
    }
    log
}

/// Hands something in, and keeps what is appended.
fn give(broker: &mut Broker, input: Input, log: &mut Vec<(u64, Bytes)>) {
    let now = Duration::ZERO;
    broker.handle(now, input);
    loop {
        while let Some(output) = broker.poll_output() {
            match output {
                Output::Transmit { connection, bytes } => {
                    let len = bytes.len();
                    broker.handle(now, Input::Transmitted { connection, len });
                }
                Output::Append { position, slices } => {
                    let bytes = Bytes::from(slices.concat());
                    let through = position + bytes.len() as u64;
                    log.push((position, bytes));
                    broker.handle(now, Input::Durable { through });
                }
                _ => {}
            }
        }
        match broker.poll_timeout() {
            Some(at) if at <= now => broker.handle_timeout(now),
            _ => return,
        }
    }
}
