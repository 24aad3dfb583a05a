//! The codecs of other people. All of them give owned messages.

use std::hint::black_box;

use benches::Column;
use bytes::BytesMut;
use stomp_codec::{Limits, Version, decode};
use stomp_parser::client::SendFrameBuilder;
use stomp_parser::server::ServerFrame;
use stomp_rs::protocol::{ClientCommand, FrameParser, ServerCommand};
use tokio_util::codec::{Decoder, Encoder};

use super::{FRAMES, HEADERS};

/// `stream` holds [`FRAMES`] frames.
pub(super) fn add_decoding(column: &mut Column, stream: &[u8]) {
    let input = stream.to_vec();
    let mut codec = async_stomp::client::ClientCodec::new();
    column.add_batched(
        "async-stomp",
        move || BytesMut::from(&input[..]),
        move |buffer| {
            for _ in 0..FRAMES {
                black_box(codec.decode(buffer).expect("legal").expect("whole"));
            }
        },
    );
    let input = stream.to_vec();
    column.add_batched(
        "tokio-stomp",
        move || BytesMut::from(&input[..]),
        |buffer| {
            let mut codec = tokio_stomp::client::ClientCodec;
            for _ in 0..FRAMES {
                black_box(codec.decode(buffer).expect("legal").expect("whole"));
            }
        },
    );
    // It takes one frame, and keeps the bytes.
    let frame = stream[..stream.len() / FRAMES].to_vec();
    column.add_batched(
        "stomp-parser",
        move || vec![frame.clone(); FRAMES],
        |frames| {
            for frame in frames.drain(..) {
                let frame = ServerFrame::try_from(frame);
                assert!(black_box(&frame).is_ok(), "legal");
            }
        },
    );
    let input = stream.to_vec();
    let mut parser = FrameParser::<ServerCommand>::new();
    column.add("stomp-rs", move || {
        let messages = parser.parse(black_box(&input)).expect("legal");
        assert_eq!(messages.len(), FRAMES);
        messages
    });
}

/// Without tokio-stomp, which cannot send a header that it does not know.
pub(super) fn add_encoding(column: &mut Column, body: &[u8]) {
    let owned = |(name, value): &(&str, &str)| (String::from(*name), String::from(*value));
    let destination = String::from(HEADERS[0].1);
    let others: Vec<_> = HEADERS[1..].iter().map(owned).collect();
    let (all, text) = (HEADERS.map(|header| owned(&header)), body.to_vec());
    let (body, text) = (body.to_vec(), String::from_utf8(text).expect("ASCII"));

    let mut codec = async_stomp::client::ClientCodec::new();
    let send = async_stomp::ToServer::Send {
        destination: destination.clone(),
        transaction: None,
        headers: Some(others.clone()),
        body: Some(body.clone()),
    };
    add_encoder(
        column,
        "async-stomp",
        move || async_stomp::Message::from(send.clone()),
        move |message, out: &mut BytesMut| {
            out.clear();
            codec.encode(message, out).expect("legal");
        },
    );
    // It writes the frame when it builds it.
    add_encoder(
        column,
        "stomp-parser",
        move || {
            let mut builder = SendFrameBuilder::new(destination.clone()).body(body.clone());
            for (name, value) in others.clone() {
                builder = builder.add_custom_header(name, value);
            }
            builder
        },
        |builder, out: &mut Vec<u8>| *out = builder.build().into(),
    );
    add_encoder(
        column,
        "stomp-rs",
        move || stomp_rs::protocol::Frame {
            command: ClientCommand::Send,
            headers: all.iter().cloned().collect(),
            body: text.clone(),
        },
        |frame, out: &mut Vec<u8>| *out = frame.to_bytes(),
    );
}

fn add_encoder<M: 'static, B: AsRef<[u8]> + Default + 'static>(
    column: &mut Column,
    name: &str,
    mut message: impl FnMut() -> M + 'static,
    mut encode: impl FnMut(M, &mut B) + 'static,
) {
    let mut out = B::default();
    encode(message(), &mut out);
    assert_six_headers(out.as_ref());
    column.add_batched(
        name,
        move || (0..FRAMES).map(|_| message()).collect::<Vec<_>>(),
        move |messages| {
            for message in messages.drain(..) {
                encode(message, &mut out);
                black_box(out.as_ref());
            }
        },
    );
}

/// The peer has written what we have.
fn assert_six_headers(wire: &[u8]) {
    let found = decode(wire, Version::V1_2, &Limits::default());
    let (frame, _) = found.expect("legal").expect("whole");
    for (name, value) in HEADERS {
        assert_eq!(frame.header(name).as_deref(), Some(value));
    }
}
