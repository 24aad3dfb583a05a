//! STOMP 1.2: one frame of six headers, with a body of 64 B and of 4 KiB; and the work of a
//! connection for each message.

pub mod connection;

use stomp_codec::{Command, Frame, Version};

pub const HEADERS: [(&str, &str); 6] = [
    ("destination", "/queue/orders.incoming"),
    ("message-id", "session-7c1a-000042"),
    ("subscription", "sub-0"),
    ("content-type", "application/json"),
    ("priority", "4"),
    ("correlation-id", "7f2c0e4a-8d6b-4b4e"),
];
pub const BODIES: [usize; 2] = [64, 4096];

/// A MESSAGE, as bytes.
#[must_use]
pub fn message(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Frame::new(Version::V1_2, Command::Message, &HEADERS, body)
        .encode(&mut out)
        .expect("a legal frame");
    out
}
