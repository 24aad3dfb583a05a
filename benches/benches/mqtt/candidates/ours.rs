//! Our own candidates, treated as the peers are, and the floors.

use std::hint::black_box;

use benches::Column;
use bytes::BytesMut;
use mqtt_codec::connection::{InboundPublish, Message, TopicName};
use mqtt_codec::{Limits, Packet, Publish, decode};

use super::packets::Work;

pub(crate) fn decode_borrowed(column: &mut Column, work: &Work) {
    decode_and(column, work, "mqtt-codec, borrowed", |packet| {
        black_box(&packet);
    });
}

/// To what a user keeps.
pub(crate) fn decode_owned(column: &mut Column, work: &Work) {
    decode_and(column, work, "mqtt-codec, owned", |packet| match packet {
        Packet::Publish(publish) => {
            black_box(&to_owned(&publish));
        }
        other => unreachable!("{other:?}"),
    });
}

fn to_owned(publish: &Publish<'_>) -> Message {
    InboundPublish {
        topic_name: TopicName::Borrowed(publish.topic_name),
        payload: publish.payload,
        qos: publish.qos,
        retain: publish.retain,
        dup: publish.dup,
        packet_identifier: publish.packet_identifier,
        properties: publish.properties,
    }
    .to_message()
}

fn decode_and(column: &mut Column, work: &Work, name: &str, then: impl Fn(Packet<'_>) + 'static) {
    let (stream, version) = (work.stream(), work.version);
    let limits = Limits::default();
    let decoded = decode(work.bytes, version, &limits).expect("legal");
    assert_eq!(decoded, Some((work.packet, work.bytes.len())));
    column.add_batched(
        name,
        move || BytesMut::from(&stream[..]),
        move |input| {
            let mut rest = &input[..];
            while !rest.is_empty() {
                let (packet, length) = decode(rest, version, &limits)
                    .expect("legal")
                    .expect("whole");
                rest = &rest[length..];
                then(packet);
            }
        },
    );
}

pub(crate) fn encode(column: &mut Column, work: &Work) {
    let (packet, version, count) = (work.packet, work.version, work.count);
    let mut output = BytesMut::new();
    column.add_batched(
        "mqtt-codec",
        || (),
        move |()| {
            for _ in 0..count {
                output.clear();
                black_box(&packet)
                    .encode(version, &mut output)
                    .expect("legal");
                black_box(&output);
            }
        },
    );
}

/// What looking at the clock costs, and a buffer that is in no cache yet.
pub(crate) fn floor(column: &mut Column, work: &Work) {
    let stream = work.stream();
    column.add_batched(
        "floor: nothing",
        move || BytesMut::from(&stream[..]),
        |input| {
            black_box(input);
        },
    );
}

/// The bytes of the packet, copied.
pub(crate) fn memcpy(column: &mut Column, work: &Work) {
    let (bytes, count) = (work.bytes, work.count);
    let mut output = BytesMut::new();
    column.add_batched(
        "floor: memcpy",
        || (),
        move |()| {
            for _ in 0..count {
                output.clear();
                output.extend_from_slice(black_box(bytes));
                black_box(&output);
            }
        },
    );
}
