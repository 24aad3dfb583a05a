//! amqp_serde, the codec of amqprs, which keeps its frames to itself: here are
//! those of them that are measured, laid out and taken apart as it does.

use std::hint::black_box;

use amqp_serde::types::{FieldTable, ShortStr};
use amqp_serde::{from_bytes, to_buffer};
use amqprs::BasicProperties;
use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct FrameHeader {
    frame_type: u8,
    channel: u16,
    payload_size: u32,
}

#[derive(Serialize, Deserialize)]
struct MethodHeader {
    class_id: u16,
    method_id: u16,
}

#[derive(Serialize, Deserialize)]
struct Publish {
    ticket: u16,
    exchange: ShortStr,
    routing_key: ShortStr,
    bits: u8,
}

#[derive(Serialize, Deserialize)]
struct Deliver {
    consumer_tag: ShortStr,
    delivery_tag: u64,
    redelivered: bool,
    exchange: ShortStr,
    routing_key: ShortStr,
}

#[derive(Serialize, Deserialize)]
struct DeclareQueue {
    ticket: u16,
    queue: ShortStr,
    bits: u8,
    arguments: FieldTable,
}

#[derive(Serialize, Deserialize)]
struct ContentHeaderCommon {
    class: u16,
    weight: u16,
    body_size: u64,
}

#[allow(clippy::large_enum_variant, reason = "the peer boxes headers only")]
enum Frame {
    Publish(Publish),
    Deliver(Deliver),
    DeclareQueue(DeclareQueue),
    Header(Box<(ContentHeaderCommon, BasicProperties)>),
    Body(Vec<u8>),
}

fn parse(input: &[u8]) -> Option<(Frame, usize)> {
    let head = input.get(..7)?;
    let FrameHeader {
        frame_type,
        payload_size,
        ..
    } = from_bytes(head).expect("legal");
    let length = 7 + payload_size as usize + 1;
    if *input.get(length - 1)? != 0xCE {
        return None;
    }
    let payload = &input[7..length - 1];
    let frame = match frame_type {
        1 => {
            let (id, fields) = payload.split_at(4);
            let id: MethodHeader = from_bytes(id).expect("legal");
            match (id.class_id, id.method_id) {
                (60, 40) => Frame::Publish(from_bytes(fields).expect("legal")),
                (60, 60) => Frame::Deliver(from_bytes(fields).expect("legal")),
                (50, 10) => Frame::DeclareQueue(from_bytes(fields).expect("legal")),
                _ => unreachable!("it is not measured"),
            }
        }
        2 => {
            let (common, properties) = payload.split_at(12);
            let common = from_bytes(common).expect("legal");
            let properties = from_bytes(properties).expect("legal");
            Frame::Header(Box::new((common, properties)))
        }
        _ => Frame::Body(payload.to_vec()),
    };
    Some((frame, length))
}

pub fn decode(mut input: &[u8]) {
    while let Some((frame, length)) = parse(input) {
        black_box(frame);
        input = &input[length..];
    }
}

fn put(frame: &Frame, out: &mut BytesMut) {
    let start = out.len();
    let mut header = FrameHeader {
        frame_type: match frame {
            Frame::Header(_) => 2,
            Frame::Body(_) => 3,
            _ => 1,
        },
        channel: 1,
        payload_size: 0,
    };
    to_buffer(&header, out).expect("legal");
    let of = |class_id, method_id| MethodHeader {
        class_id,
        method_id,
    };
    match frame {
        Frame::Publish(publish) => {
            to_buffer(&of(60, 40), out).and_then(|_| to_buffer(publish, out))
        }
        Frame::Deliver(deliver) => {
            to_buffer(&of(60, 60), out).and_then(|_| to_buffer(deliver, out))
        }
        Frame::DeclareQueue(declare) => {
            to_buffer(&of(50, 10), out).and_then(|_| to_buffer(declare, out))
        }
        Frame::Header(header) => to_buffer(&header.0, out).and_then(|_| to_buffer(&header.1, out)),
        Frame::Body(body) => {
            out.put_slice(body);
            Ok(body.len())
        }
    }
    .expect("legal");
    header.payload_size = (out.len() - start - 7) as u32;
    out[start + 3..start + 7].copy_from_slice(&header.payload_size.to_be_bytes());
    out.put_u8(0xCE);
}

/// Encodes the frames of `bytes` into a buffer that is used again.
pub fn encoder(bytes: &[u8]) -> impl FnMut() + use<> {
    let mut frames = Vec::new();
    let mut input = bytes;
    while let Some((frame, length)) = parse(input) {
        frames.push(frame);
        input = &input[length..];
    }
    let length = bytes.len();
    let mut out = BytesMut::with_capacity(2 * length);
    move || {
        out.clear();
        for frame in black_box(&frames[..]) {
            put(frame, &mut out);
        }
        // Its tables have no order, so only the length is told.
        assert_eq!(out.len(), length);
    }
}
