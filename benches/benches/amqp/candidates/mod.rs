//! What is measured of AMQP 0-9-1: a message as its three frames (method,
//! content header with a header table of three entries, body of 64 bytes),
//! published and delivered; queue.declare with four arguments; a body frame of
//! 16 KiB; and publishes over a whole connection.

pub mod amq_protocol;
pub mod amqp_serde;

use std::hint::black_box;

use benches::Group;
use bytes::BytesMut;
use work::amqp::{Sample, connection, frames as ours, samples};

/// Messages in a buffer that frames are taken off.
const AT_ONCE: usize = 32;

/// Everything that is measured. A run is one message, so all its frames.
pub fn groups() -> Vec<Group> {
    let mut borrowed = Group::new("amqp/decode, borrowed");
    let mut owned = Group::new("amqp/decode, owned");
    let mut encode = Group::new("amqp/encode");
    for Sample { name, bytes } in samples() {
        let column = borrowed.column(name, 1);
        let input = bytes.clone();
        column.add("amqp-codec", move || {
            ours::decode_borrowed(black_box(&input))
        });
        let input = bytes.clone();
        column.add("amq-protocol", move || {
            amq_protocol::decode(black_box(&input))
        });
        let input = bytes.clone();
        column.add("amqp_serde", move || amqp_serde::decode(black_box(&input)));

        // Ours takes frames off a buffer, as they come from a socket: the buffer
        // is filled outside of the time.
        let column = owned.column(name, AT_ONCE as u64);
        let input = bytes.repeat(AT_ONCE);
        let fill = move || BytesMut::from(&input[..]);
        column.add_batched("amqp-codec", fill.clone(), ours::decode_owned);
        column.add_batched("amq-protocol", fill.clone(), |input| {
            amq_protocol::decode(input)
        });
        column.add_batched("amqp_serde", fill, |input| amqp_serde::decode(input));

        let column = encode.column(name, 1);
        column.add("amqp-codec", ours::encoder(bytes.clone()));
        column.add("amq-protocol", amq_protocol::encoder(&bytes));
        column.add("amqp_serde", amqp_serde::encoder(&bytes));
        let mut out = Vec::with_capacity(2 * bytes.len());
        column.add("floor: the bytes copied", move || {
            out.clear();
            out.extend_from_slice(black_box(&bytes));
        });
    }
    vec![borrowed, owned, encode, whole()]
}

/// Publishes with their confirms over a whole connection. A run is all of them.
pub fn whole() -> Group {
    let mut whole = Group::new("amqp/connection");
    whole
        .column("publish and confirm, 64 B", connection::PUBLISHES)
        .add_batched("amqp-codec", connection::open, connection::publish_all)
        .add_batched(
            "floor: its frames alone",
            Vec::new,
            connection::frames_alone,
        );
    whole
}
