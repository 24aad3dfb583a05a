//! AMQP 0-9-1: a message as its three frames (method, content header with a header table of
//! three entries, body of 64 bytes), published and delivered; queue.declare with four
//! arguments; a body frame of 16 KiB; and publishes over a whole connection.

pub mod connection;
pub mod frames;

use amqp_codec::method::{Method, basic, queue};
use amqp_codec::{Frame, TableBuf};

/// The frames of one column, as bytes: every candidate makes its own of them.
pub struct Sample {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// All columns.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let properties = frames::properties();
    let publish = basic::Publish {
        exchange: "orders",
        routing_key: "eu.created",
        ..basic::Publish::default()
    };
    let deliver = basic::Deliver {
        consumer_tag: "ctag-1",
        delivery_tag: 42,
        exchange: "orders",
        routing_key: "eu.created",
        ..basic::Deliver::default()
    };
    let arguments = arguments();
    let declare = queue::Declare {
        queue: "orders.eu",
        durable: true,
        arguments: arguments.as_table(),
        ..queue::Declare::default()
    };
    let large = vec![b'x'; 16 * 1024];
    [
        (
            "publish, 64 B",
            frames::content(publish.into(), &properties).to_vec(),
        ),
        (
            "deliver, 64 B",
            frames::content(deliver.into(), &properties).to_vec(),
        ),
        ("queue.declare", vec![frames::frame(Method::from(declare))]),
        (
            "body, 16 KiB",
            vec![Frame::Body {
                channel: 1,
                payload: &large,
            }],
        ),
    ]
    .map(|(name, frames)| Sample {
        name,
        bytes: frames::encode(&frames),
    })
    .into()
}

/// In the order of the names: a peer keeps its own sorted.
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
