//! MQTT over WebSocket: the handshake, and the frames (RFC 6455) that packets go in.

use crate::mutation::Row;
use crate::proxy::Protocol::WebSocket;
use crate::proxy::{Between, Rewrite};

/// First bytes of a frame of a client: the last one of a message or not, and the opcode.
const TEXT: u8 = 0x81;
const PART_OF_BINARY: u8 = 0x02;
const LAST_PART: u8 = 0x80;

/// A header that offers a subprotocol.
const OFFER: &[u8] = b"\r\nSec-WebSocket-Protocol: mqtt";

/// Changes what the broker sends.
fn down(change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    super::down(WebSocket, |_| true, change)
}

/// Changes the handshake of the client.
fn handshake(change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    super::up(WebSocket, |bytes| bytes.starts_with(b"GET "), change)
}

/// Changes the frames of the client, one at a time: its first byte, its payload, and whether the
/// broker is to see it as it was.
fn frames(passes: fn(u8, &[u8]) -> Option<Vec<u8>>) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(WebSocket.framing(), |bytes| bytes).up(move |bytes| {
            if bytes.starts_with(b"GET ") {
                return bytes;
            }
            let mut out = Vec::new();
            let mut rest = &bytes[..];
            while let [first, length, ..] = *rest {
                let (length, at) = match length & 0x7F {
                    126 => (usize::from(rest[2]) << 8 | usize::from(rest[3]), 4),
                    short => (usize::from(short), 2),
                };
                let (frame, after) = rest.split_at(at + 4 + length);
                let mask = frame[at..at + 4].iter().cycle();
                let payload: Vec<u8> = frame[at + 4..]
                    .iter()
                    .zip(mask)
                    .map(|(b, m)| b ^ m)
                    .collect();
                match passes(first, &payload) {
                    None => out.extend(frame),
                    Some(other) => out.extend(other),
                }
                rest = after;
            }
            out
        }),
    )
}

pub(super) const ROWS: &[Row] = &[
    (
        "packets in text frames",
        WebSocket,
        &["*/binary-frames", "*/packet-in-several-frames"],
        || {
            down(|bytes| {
                if bytes[0] == 0x82 {
                    bytes[0] = TEXT;
                }
            })
        },
    ),
    (
        "text frames that are passed over",
        WebSocket,
        &["*/MQTT-6.0.0-1/text-frame"],
        || frames(|first, _| (first == TEXT).then(Vec::new)),
    ),
    (
        "a message of several frames that is passed over",
        WebSocket,
        &["*/packet-in-several-frames"],
        || frames(|first, _| matches!(first, PART_OF_BINARY | LAST_PART).then(Vec::new)),
    ),
    (
        "one packet of each frame",
        WebSocket,
        &["*/several-packets-in-a-frame"],
        || {
            frames(|first, payload| {
                // A mask of zeros leaves the payload as it is.
                let several = payload.starts_with(&[0xC0, 0, 0xC0]);
                several.then(|| vec![first, 0x82, 0, 0, 0, 0, 0xC0, 0])
            })
        },
    ),
    (
        "another subprotocol",
        WebSocket,
        &["*/subprotocol", "*/subprotocol-of-several"],
        || {
            down(|bytes| {
                let at = bytes.windows(4).position(|part| part == b"mqtt");
                if let (true, Some(at)) = (bytes.starts_with(b"HTTP"), at) {
                    bytes[at..at + 4].copy_from_slice(b"chat");
                }
            })
        },
    ),
    (
        "a client that offers no subprotocol is let in",
        WebSocket,
        &["*/without-subprotocol"],
        || {
            handshake(|bytes| {
                let offers = bytes.windows(OFFER.len()).any(|part| part == OFFER);
                let line = bytes.windows(2).position(|part| part == b"\r\n");
                if let (false, Some(end)) = (offers, line) {
                    bytes.splice(end..end, OFFER.iter().copied());
                }
            })
        },
    ),
];
