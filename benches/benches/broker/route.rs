//! What one message costs in the broker: received, routed, delivered, and its output
//! taken, in one thread. In nanoseconds, the best of several rounds.
//!
//! `cargo bench --bench broker`

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Store, Terms};
use std::time::{Duration, Instant};

/// Messages in one read.
const BATCH: usize = 16;
const ROUNDS: usize = 15;
/// Bytes of one read.
const READ: usize = 64 * 1024;

const PUBLISHER: ConnectionId = ConnectionId(1);
const CONSUMER: ConnectionId = ConnectionId(2);

/// What a client says to begin with, and one message.
struct Row {
    name: &'static str,
    protocol: Protocol,
    consumer: Vec<Vec<u8>>,
    publisher: Vec<Vec<u8>>,
    message: Vec<u8>,
    body: usize,
    store: Store,
}

fn main() {
    println!("{:<24} {:>10}", "", "ns/message");
    for body in [16, 1024, 4096, 16 * 1024, 64 * 1024] {
        for row in [amqp(body), mqtt(body), stomp(body), stored(body)] {
            let best = (0..ROUNDS).map(|_| round(&row)).min().unwrap_or_default();
            println!("{:<24} {best:>10}", format!("{} {} B", row.name, row.body));
        }
    }
}

fn round(row: &Row) -> u128 {
    let config = Config {
        store: row.store,
        ..Config::default()
    };
    let mut broker = Broker::new(config).expect("the defaults are fine");
    for (connection, hello) in [(CONSUMER, &row.consumer), (PUBLISHER, &row.publisher)] {
        let protocol = row.protocol;
        broker.handle(
            Duration::ZERO,
            Input::Connected {
                connection,
                protocol,
                terms: Terms::default(),
            },
        );
        for bytes in hello {
            give(&mut broker, connection, Bytes::copy_from_slice(bytes));
        }
    }
    let batch = Bytes::from(row.message.repeat(BATCH));
    let batches = ((8 << 20) / (row.body + 2048) / BATCH).max(16);
    let mut received = 0;
    let begin = Instant::now();
    for _ in 0..batches {
        let mut rest = batch.clone();
        while !rest.is_empty() {
            let read = rest.split_to(rest.len().min(READ));
            received += give(&mut broker, PUBLISHER, read);
        }
    }
    let elapsed = begin.elapsed();
    let messages = batches * BATCH;
    assert!(received >= messages * row.body, "all of them came");
    elapsed.as_nanos() / messages as u128
}

/// Hands bytes in and takes all that comes out. Returns the bytes that went to the
/// consumer.
fn give(broker: &mut Broker, connection: ConnectionId, bytes: Bytes) -> usize {
    let now = Duration::ZERO;
    broker.handle(now, Input::Received { connection, bytes });
    let mut received = 0;
    loop {
        while let Some(output) = broker.poll_output() {
            match output {
                Output::Transmit { connection, bytes } => {
                    if connection == CONSUMER {
                        received += bytes.len();
                    }
                    let len = bytes.len();
                    broker.handle(now, Input::Transmitted { connection, len });
                }
                // A store that costs nothing.
                Output::Append { position, slices } => {
                    let len: usize = slices.iter().map(Bytes::len).sum();
                    let through = position + len as u64;
                    broker.handle(now, Input::Durable { through });
                }
                _ => {}
            }
        }
        match broker.poll_timeout() {
            Some(at) if at <= now => broker.handle_timeout(now),
            _ => return received,
        }
    }
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u32;
    let head = [&[kind][..], &channel.to_be_bytes(), &len.to_be_bytes()].concat();
    [&head[..], payload, &[0xCE]].concat()
}

fn method(channel: u16, id: [u16; 2], arguments: &[u8]) -> Vec<u8> {
    let [class, method] = id.map(u16::to_be_bytes);
    frame(1, channel, &[&class[..], &method, arguments].concat())
}

/// The same to a durable queue, whose messages are stored.
fn stored(body: usize) -> Row {
    Row {
        name: "AMQP, stored",
        store: Store::Log,
        ..amqp_to(body, 0b10)
    }
}

/// AMQP 0-9-1: `basic.publish` to a queue, whose consumer does not acknowledge.
fn amqp(body: usize) -> Row {
    amqp_to(body, 0)
}

/// The same, with these flags of `queue.declare`.
fn amqp_to(body: usize, flags: u8) -> Row {
    let login = b"\0guest\0guest";
    let start_ok = [
        &[0, 0, 0, 0][..],
        &short("PLAIN"),
        &(login.len() as u32).to_be_bytes(),
        login,
        &short("en_US"),
    ]
    .concat();
    let tune_ok = [
        &2047u16.to_be_bytes()[..],
        &131_072u32.to_be_bytes(),
        &[0, 0],
    ]
    .concat();
    let hello = vec![
        b"AMQP\0\0\x09\x01".to_vec(),
        method(0, [10, 11], &start_ok),
        method(0, [10, 31], &tune_ok),
        method(0, [10, 40], &[&short("/")[..], &[0, 0]].concat()),
        method(1, [20, 10], &[0]),
    ];
    let declare = [&[0, 0][..], &short("q"), &[flags], &[0, 0, 0, 0]].concat();
    let consume = [
        &[0, 0][..],
        &short("q"),
        &short("c"),
        &[0b10],
        &[0, 0, 0, 0],
    ]
    .concat();
    let mut consumer = hello.clone();
    consumer.push(method(1, [50, 10], &declare));
    consumer.push(method(1, [60, 20], &consume));
    let publish = [&[0, 0][..], &short(""), &short("q"), &[0]].concat();
    // Persistent, and nothing else.
    let size = (body as u64).to_be_bytes();
    let header = [&[0, 60, 0, 0][..], &size, &[0x10, 0, 2]].concat();
    let message = [
        method(1, [60, 40], &publish),
        frame(2, 1, &header),
        frame(3, 1, &vec![b'a'; body]),
    ]
    .concat();
    Row {
        name: "AMQP publish, deliver",
        protocol: Protocol::Amqp,
        consumer,
        publisher: hello,
        message,
        body,
        store: Store::None,
    }
}

fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = rest.len();
    while len > 127 {
        bytes.push((len % 128) as u8 | 0x80);
        len /= 128;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(rest);
    bytes
}

/// MQTT 5.0 with QoS 0.
fn mqtt(body: usize) -> Row {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let connect = |client: &str| {
        packet(
            0x10,
            &[&text("MQTT")[..], &[5, 2, 0, 0, 0], &text(client)].concat(),
        )
    };
    let subscribe = packet(0x82, &[&[0, 1, 0][..], &text("a/+"), &[0]].concat());
    let publish = [&text("a/b")[..], &[0], &vec![b'a'; body]].concat();
    Row {
        name: "MQTT QoS 0",
        protocol: Protocol::Mqtt,
        consumer: vec![connect("consumer"), subscribe],
        publisher: vec![connect("publisher")],
        message: packet(0x30, &publish),
        body,
        store: Store::None,
    }
}

/// STOMP 1.2: SEND to a queue, whose subscription acknowledges automatically.
fn stomp(body: usize) -> Row {
    let connect = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0".to_vec();
    let subscribe = b"SUBSCRIBE\nid:0\ndestination:/queue/q\n\n\0".to_vec();
    let head = format!("SEND\ndestination:/queue/q\ncontent-length:{body}\n\n");
    Row {
        name: "STOMP SEND, MESSAGE",
        protocol: Protocol::Stomp,
        consumer: vec![connect.clone(), subscribe],
        publisher: vec![connect],
        message: [head.as_bytes(), &vec![b'a'; body], b"\0"].concat(),
        body,
        store: Store::None,
    }
}
