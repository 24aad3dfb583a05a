//! AMQP 0-9-1: one message as its three frames (method, content header with a
//! header table of three entries, body of 64 B), and queue.declare with four
//! arguments.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amqp_codec::method::{Method, basic, queue};
use amqp_codec::{ContentHeader, Frame, Limits, PropertiesBuf, PropertyFields, TableBuf, decode};
use criterion::{Criterion, criterion_group, criterion_main};

const BODY: [u8; 64] = [b'x'; 64];

// Tables in the order of the names: the peer keeps its own sorted.

fn properties() -> PropertiesBuf {
    let mut headers = TableBuf::new();
    headers.insert("attempt", 3_i32).expect("short");
    headers.insert("tenant", "acme").expect("short");
    headers.insert("trace", "4bf92f3577b34da6").expect("short");
    PropertyFields {
        content_type: Some("application/json"),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        ..PropertyFields::default()
    }
    .to_buf()
    .expect("short")
}

fn content<'a>(method: Method<'a>, properties: &'a PropertiesBuf) -> [Frame<'a>; 3] {
    [
        Frame::Method { channel: 1, method },
        Frame::Header {
            channel: 1,
            header: ContentHeader {
                body_size: BODY.len() as u64,
                properties: properties.as_properties(),
            },
        },
        Frame::Body {
            channel: 1,
            payload: &BODY,
        },
    ]
}

fn publish(properties: &PropertiesBuf) -> [Frame<'_>; 3] {
    let method = basic::Publish {
        exchange: "orders",
        routing_key: "eu.created",
        ..basic::Publish::default()
    };
    content(Method::BasicPublish(method), properties)
}

fn deliver(properties: &PropertiesBuf) -> [Frame<'_>; 3] {
    let method = basic::Deliver {
        consumer_tag: "ctag-1",
        delivery_tag: 42,
        exchange: "orders",
        routing_key: "eu.created",
        ..basic::Deliver::default()
    };
    content(Method::BasicDeliver(method), properties)
}

fn arguments() -> TableBuf {
    let mut table = TableBuf::new();
    table
        .insert("x-dead-letter-exchange", "dead")
        .expect("short");
    table.insert("x-max-length", 10_000_i32).expect("short");
    table.insert("x-message-ttl", 60_000_i32).expect("short");
    table.insert("x-queue-type", "classic").expect("short");
    table
}

fn bytes_of(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        frame.encode(&mut out).expect("a legal frame");
    }
    out
}

fn peers_frames(mut input: &[u8]) -> Vec<AMQPFrame> {
    let mut frames = Vec::new();
    while !input.is_empty() {
        let (rest, frame) = parse_frame(input).expect("a legal frame");
        frames.push(frame);
        input = rest;
    }
    frames
}

fn both_ways(c: &mut Criterion, name: &str, frames: &[Frame<'_>]) {
    let limits = Limits::default();
    let bytes = &bytes_of(frames)[..];

    let mut group = c.benchmark_group(format!("amqp/decode {name}"));
    group.bench_function("amqp-codec, borrowed", |b| {
        b.iter(|| {
            let mut input = black_box(bytes);
            while let Some((frame, length)) = decode(input, &limits).expect("legal") {
                black_box(frame);
                input = &input[length..];
            }
        });
    });
    group.bench_function("amq-protocol", |b| {
        b.iter(|| {
            let mut input = black_box(bytes);
            while !input.is_empty() {
                let (rest, frame) = parse_frame(input).expect("legal");
                black_box(frame);
                input = rest;
            }
        });
    });
    group.finish();

    let mut group = c.benchmark_group(format!("amqp/encode {name}"));
    group.bench_function("amqp-codec", |b| {
        let mut out = Vec::with_capacity(8192);
        b.iter(|| {
            out.clear();
            for frame in black_box(frames) {
                frame.encode(&mut out).expect("legal");
            }
        });
    });
    let theirs = peers_frames(bytes);
    group.bench_function("amq-protocol", |b| {
        let mut out = Vec::with_capacity(8192);
        b.iter(|| {
            out.clear();
            let mut context = WriteContext::from(std::mem::take(&mut out));
            for frame in black_box(&theirs) {
                context = gen_frame(frame)(context).expect("legal");
            }
            out = context.into_inner().0;
        });
        assert_eq!(out, bytes, "the same bytes are asked of both");
    });
    group.finish();
}

fn wire(c: &mut Criterion) {
    let properties = properties();
    both_ways(c, "publish, 64 B", &publish(&properties));
    both_ways(c, "deliver, 64 B", &deliver(&properties));
    let arguments = arguments();
    let declare = Method::QueueDeclare(queue::Declare {
        queue: "orders.eu",
        durable: true,
        arguments: arguments.as_table(),
        ..queue::Declare::default()
    });
    let declare = [Frame::Method {
        channel: 1,
        method: declare,
    }];
    both_ways(c, "queue.declare", &declare);
    let body = vec![b'x'; 16 * 1024];
    let body = [Frame::Body {
        channel: 1,
        payload: &body,
    }];
    both_ways(c, "body, 16 KiB", &body);
}

criterion_group!(benches, wire);
criterion_main!(benches);
