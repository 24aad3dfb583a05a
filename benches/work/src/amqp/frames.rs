//! amqp-codec.

use std::hint::black_box;

use amqp_codec::{
    ContentHeader, Frame, FrameBuf, Limits, Method, PropertiesBuf, PropertyFields, TableBuf, decode,
};
use bytes::BytesMut;

pub const BODY: [u8; 64] = [b'x'; 64];

pub fn properties() -> PropertiesBuf {
    let mut headers = TableBuf::new();
    headers.insert("attempt", 3_i32).expect("short");
    headers.insert("tenant", "acme").expect("short");
    headers.insert("trace", "4bf92f3577b34da6").expect("short");
    PropertyFields {
        content_type: Some("application/json".into()),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        ..PropertyFields::default()
    }
    .to_buf()
    .expect("short")
}

pub fn frame(method: Method<'_>) -> Frame<'_> {
    Frame::Method { channel: 1, method }
}

pub fn content<'a>(method: Method<'a>, properties: &'a PropertiesBuf) -> [Frame<'a>; 3] {
    let header = ContentHeader {
        body_size: BODY.len() as u64,
        properties: properties.as_properties(),
    };
    [
        frame(method),
        Frame::Header { channel: 1, header },
        Frame::Body {
            channel: 1,
            payload: &BODY,
        },
    ]
}

pub fn encode(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        frame.encode(&mut out).expect("legal");
    }
    out
}

pub fn decode_borrowed(mut input: &[u8]) {
    while let Some((frame, length)) = decode(input, &Limits::DEFAULT).expect("legal") {
        black_box(frame);
        input = &input[length..];
    }
}

/// Frames that would live on are dropped at once, as with the peers.
pub fn decode_owned(input: &mut BytesMut) {
    while let Some(frame) = FrameBuf::decode(input, &Limits::DEFAULT).expect("legal") {
        black_box(frame);
    }
}

/// Encodes the frames of `bytes` into a buffer that is used again.
pub fn encoder(bytes: Vec<u8>) -> impl FnMut() {
    let bytes: &'static [u8] = bytes.leak();
    let mut frames = Vec::new();
    let mut input = bytes;
    while let Some((frame, length)) = decode(input, &Limits::DEFAULT).expect("legal") {
        frames.push(frame);
        input = &input[length..];
    }
    let mut out = Vec::with_capacity(2 * bytes.len());
    move || {
        out.clear();
        for frame in black_box(&frames[..]) {
            frame.encode(&mut out).expect("legal");
        }
        assert_eq!(out.len(), bytes.len());
    }
}
