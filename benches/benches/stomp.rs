//! STOMP: one frame of six headers, with a body of 64 B and of 4 KiB.
//!
//! `memchr` is the floor: the frame split at its line ends and colons with
//! nothing checked.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stomp_codec::{Command, Frame, Limits, Scan, Version, decode};

const HEADERS: [(&str, &str); 6] = [
    ("destination", "/queue/orders.incoming"),
    ("message-id", "session-7c1a-000042"),
    ("subscription", "sub-0"),
    ("content-type", "application/json"),
    ("priority", "4"),
    ("correlation-id", "7f2c0e4a-8d6b-4b4e"),
];
const BODIES: [usize; 2] = [64, 4096];

fn message(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Frame::new(Version::V1_2, Command::Message, &HEADERS, body)
        .encode(&mut out)
        .expect("a legal frame");
    out
}

/// The least that finds the parts of a frame.
fn memchr_split(input: &[u8]) -> Option<(usize, &[u8])> {
    let mut at = memchr::memchr(b'\n', input)? + 1;
    let (mut headers, mut length) = (0, None::<usize>);
    loop {
        let end = at + memchr::memchr(b'\n', &input[at..])?;
        let line = &input[at..end];
        at = end + 1;
        if line.is_empty() {
            break;
        }
        let colon = memchr::memchr(b':', line)?;
        headers += 1;
        if &line[..colon] == b"content-length" {
            length = std::str::from_utf8(&line[colon + 1..]).ok()?.parse().ok();
        }
    }
    Some((headers, &input[at..at + length?]))
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("stomp/decode");
    let limits = Limits::default();
    for size in BODIES {
        let input = &message(&vec![b'x'; size])[..];
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(BenchmarkId::new("floor: memchr", size), |b| {
            b.iter(|| memchr_split(black_box(input)));
        });
        group.bench_function(BenchmarkId::new("stomp-codec, borrowed", size), |b| {
            b.iter(|| decode(black_box(input), Version::V1_2, &limits).expect("legal"));
        });
        group.bench_function(BenchmarkId::new("stomp-codec, owned", size), |b| {
            b.iter(|| {
                let (frame, _) = decode(black_box(input), Version::V1_2, &limits)
                    .expect("legal")
                    .expect("whole");
                frame.to_owned().expect("decoded")
            });
        });
        peers::decoding(&mut group, input, size);
    }
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("stomp/encode");
    for size in BODIES {
        let body = vec![b'x'; size];
        group.throughput(Throughput::Bytes(message(&body).len() as u64));
        group.bench_function(BenchmarkId::new("stomp-codec", size), |b| {
            let mut out = BytesMut::with_capacity(8192);
            b.iter(|| {
                out.clear();
                Frame::new(Version::V1_2, Command::Send, &HEADERS, black_box(&body))
                    .encode(&mut out)
                    .expect("legal");
            });
        });
        peers::encoding(&mut group, &body, size);
    }
    group.finish();
}

/// A body that only a NUL ends, arriving in reads of one TCP segment: time must
/// grow with the size, not with its square.
fn small_reads(c: &mut Criterion) {
    let mut group = c.benchmark_group("stomp/1460-byte reads");
    let limits = Limits::default();
    for size in [64 << 10, 256 << 10, 1 << 20] {
        let mut input = b"SEND\ndestination:/queue/a\n\n".to_vec();
        input.resize(input.len() + size, b'x');
        input.push(0);
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(BenchmarkId::new("stomp-codec", size), |b| {
            b.iter(|| {
                let mut scan = Scan::default();
                let mut have = 0;
                loop {
                    have = input.len().min(have + 1460);
                    let frame = scan
                        .decode(black_box(&input[..have]), Version::V1_2, &limits)
                        .expect("legal");
                    if let Some((_, taken)) = frame {
                        break taken;
                    }
                }
            });
        });
    }
    group.finish();
}

mod peers {
    use bytes::BytesMut;
    use criterion::BatchSize::SmallInput;
    use criterion::measurement::WallTime;
    use criterion::{BenchmarkGroup, BenchmarkId};
    use tokio_util::codec::{Decoder, Encoder};

    use super::HEADERS;

    pub(super) fn decoding(group: &mut BenchmarkGroup<'_, WallTime>, input: &[u8], size: usize) {
        group.bench_function(BenchmarkId::new("async-stomp", size), |b| {
            let mut codec = async_stomp::client::ClientCodec::new();
            b.iter_batched_ref(
                || BytesMut::from(input),
                |buffer| codec.decode(buffer).expect("legal").expect("whole"),
                SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("tokio-stomp", size), |b| {
            b.iter_batched_ref(
                || BytesMut::from(input),
                |buffer| {
                    tokio_stomp::client::ClientCodec
                        .decode(buffer)
                        .expect("legal")
                        .expect("whole")
                },
                SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("stomp-parser", size), |b| {
            b.iter_batched(
                || input.to_vec(),
                |buffer| {
                    stomp_parser::server::ServerFrame::try_from(buffer)
                        .ok()
                        .expect("legal")
                },
                SmallInput,
            );
        });
    }

    pub(super) fn encoding(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8], size: usize) {
        group.bench_function(BenchmarkId::new("async-stomp", size), |b| {
            let mut codec = async_stomp::client::ClientCodec::new();
            let others: Vec<(String, String)> = HEADERS[1..]
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut out = BytesMut::with_capacity(8192);
            b.iter_batched(
                || {
                    async_stomp::Message::<async_stomp::ToServer>::from(
                        async_stomp::ToServer::Send {
                            destination: HEADERS[0].1.into(),
                            transaction: None,
                            headers: Some(others.clone()),
                            body: Some(body.to_vec()),
                        },
                    )
                },
                |message| {
                    out.clear();
                    codec.encode(message, &mut out).expect("legal");
                },
                SmallInput,
            );
        });
    }
}

criterion_group!(benches, decoding, encoding, small_reads);
criterion_main!(benches);
