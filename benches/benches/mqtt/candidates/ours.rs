//! Our own candidates, treated as the peers are, and the floors.

use std::hint::black_box;

use benches::Column;
use bytes::BytesMut;
use mqtt_codec::{Limits, PacketBuf, decode};

use super::packets::Work;

/// Read as a user of borrowed packets reads them: by what is in them.
pub(crate) fn decode_borrowed(column: &mut Column, work: &Work) {
    let (stream, version) = (work.stream(), work.version);
    let limits = Limits::default();
    let decoded = decode(work.bytes, version, &limits).expect("legal");
    assert_eq!(decoded, Some((work.packet, work.bytes.len())));
    column.add_batched(
        "mqtt-codec, borrowed",
        move || BytesMut::from(&stream[..]),
        move |input| {
            let mut rest = &input[..];
            while !rest.is_empty() {
                match &decode(rest, version, &limits) {
                    Ok(Some((packet, length))) => {
                        black_box(packet);
                        rest = &rest[*length..];
                    }
                    other => panic!("{other:?}"),
                }
            }
        },
    );
}

/// To what a user keeps.
pub(crate) fn decode_owned(column: &mut Column, work: &Work) {
    let (stream, version) = (work.stream(), work.version);
    let limits = Limits::default();
    let kept = PacketBuf::decode(&mut BytesMut::from(work.bytes), version, &limits);
    let kept = kept.expect("legal").expect("whole");
    assert_eq!(kept.as_packet(), work.packet);
    column.add_batched(
        "mqtt-codec, owned",
        move || BytesMut::from(&stream[..]),
        move |input| {
            while !input.is_empty() {
                black_box(&PacketBuf::decode(input, version, &limits).expect("legal"));
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
            output.clear();
            for _ in 0..count {
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
            output.clear();
            for _ in 0..count {
                output.extend_from_slice(black_box(bytes));
                black_box(&output);
            }
        },
    );
}
