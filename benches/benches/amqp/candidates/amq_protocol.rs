//! amq-protocol, the codec of lapin.

use std::hint::black_box;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};

pub fn decode(mut input: &[u8]) {
    while !input.is_empty() {
        let (rest, frame) = parse_frame(input).expect("legal");
        black_box(frame);
        input = rest;
    }
}

/// Encodes the frames of `bytes` into a buffer that is used again.
pub fn encoder(bytes: &[u8]) -> impl FnMut() + use<> {
    let mut frames: Vec<AMQPFrame> = Vec::new();
    let mut input = bytes;
    while !input.is_empty() {
        let (rest, frame) = parse_frame(input).expect("legal");
        frames.push(frame);
        input = rest;
    }
    let length = bytes.len();
    let mut out = Vec::with_capacity(2 * length);
    move || {
        out.clear();
        let mut context = WriteContext::from(std::mem::take(&mut out));
        for frame in black_box(&frames[..]) {
            context = gen_frame(frame)(context).expect("legal");
        }
        out = context.into_inner().0;
        assert_eq!(out.len(), length);
    }
}
