//! Deliveries, dead letters and heart-beats that break a rule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{down, lose, twice};
use crate::frame::{body, method, packet};
use crate::mutation::Row;
use crate::proxy::Protocol::{Amqp, Mqtt, Stomp};
use crate::proxy::Rewrite;

/// A PUBLISH of QoS 2.
fn is_exactly_once(bytes: &[u8]) -> bool {
    bytes[0] & 0xF6 == 0x34
}

/// Replaces the first of these bytes by as many others.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    if let Some(at) = bytes.windows(from.len()).position(|part| part == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

fn is_header(frame: &[u8]) -> bool {
    frame[0] == 2
}

pub(super) const ROWS: &[Row] = &[
    (
        "every message of QoS 2 has the packet identifier 1",
        Mqtt,
        &["mqtt5/MQTT-4.3.3-1/ids-differ"],
        || {
            down(Mqtt, is_exactly_once, |bytes| {
                let mut inside = body(bytes).to_vec();
                let at = 2 + usize::from(inside[1]);
                inside[at..at + 2].copy_from_slice(&[0, 1]);
                *bytes = packet(bytes[0], &inside);
            })
        },
    ),
    (
        "a message of QoS 2 is not sent again",
        Mqtt,
        &["mqtt5/MQTT-4.3.3-7/expiry-after-publish"],
        || {
            let again = |bytes: &[u8]| is_exactly_once(bytes) && bytes[0] & 0x08 != 0;
            down(Mqtt, again, lose)
        },
    ),
    (
        "no PUBCOMP",
        Mqtt,
        &[
            "mqtt5/MQTT-4.3.3-13/expiry-before-pubrel",
            "mqtt5/MQTT-4.3.3-9/refused-id-is-free",
            "mqtt5/MQTT-3.2.2-9/no-maximum-qos",
        ],
        || down(Mqtt, |bytes| bytes[0] == 0x70, lose),
    ),
    (
        "a PUBREL with a long reason string",
        Mqtt,
        &["mqtt5/MQTT-3.6.2-2/pubrel-within-the-limit"],
        || {
            down(
                Mqtt,
                |bytes| bytes[0] == 0x62,
                |bytes| {
                    let mut inside = body(bytes)[..2].to_vec();
                    inside.extend([0, 103, 0x1F, 0, 100]);
                    inside.extend([b'x'; 100]);
                    *bytes = packet(0x62, &inside);
                },
            )
        },
    ),
    (
        "a long client identifier is refused with a code for something else",
        Mqtt,
        &["*/client-id-unwanted"],
        || {
            let long = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&long);
            let down = move |mut bytes: Vec<u8>| {
                if bytes[0] == 0x20 && seen.load(Ordering::SeqCst) {
                    let at = bytes.len() - body(&bytes).len() + 1;
                    bytes[at] = 0x88;
                }
                bytes
            };
            Box::new(Rewrite::new(Mqtt.framing(), down).up(move |bytes| {
                if bytes[0] == 0x10 {
                    long.store(bytes.len() > 1000, Ordering::SeqCst);
                }
                bytes
            }))
        },
    ),
    (
        "x-death has another name",
        Amqp,
        &[
            "amqp/x-death/fields",
            "amqp/x-death/counts",
            "amqp/x-dead-letter-exchange/expiration-*",
        ],
        || {
            down(Amqp, is_header, |bytes| {
                replace(bytes, b"\x07x-death", b"\x07y-death");
            })
        },
    ),
    (
        "x-death does not count",
        Amqp,
        &["amqp/x-death/counts"],
        || {
            down(Amqp, is_header, |bytes| {
                replace(
                    bytes,
                    b"\x05countl\0\0\0\0\0\0\0\x02",
                    b"\x05countl\0\0\0\0\0\0\0\x01",
                );
            })
        },
    ),
    (
        "the first death is not named",
        Amqp,
        &["amqp/x-death/first"],
        || {
            down(Amqp, is_header, |bytes| {
                replace(bytes, b"x-first-death-queue", b"x-first-death-quxxx");
            })
        },
    ),
    (
        "each confirm comes twice",
        Amqp,
        &["amqp/confirm.select/many"],
        || down(Amqp, |frame| method(frame) == Some((60, 80)), twice),
    ),
    (
        "one delivery is of another message",
        Amqp,
        &["amqp/basic.publish/persistent-backlog"],
        || {
            down(
                Amqp,
                |frame| frame[0] == 3,
                |frame| replace(frame, b"500", b"501"),
            )
        },
    ),
    (
        "heart-beats are blanks",
        Stomp,
        &["stomp1*/heart-beating/eol"],
        || {
            down(
                Stomp,
                |frame| frame == b"\n",
                |frame| *frame = b" ".to_vec(),
            )
        },
    ),
    (
        "RECEIPT has a body",
        Stomp,
        &["stomp10/body/server-frames"],
        || {
            down(
                Stomp,
                |frame| frame.starts_with(b"RECEIPT"),
                |frame| {
                    frame.pop();
                    frame.extend(b"body\0");
                },
            )
        },
    ),
];
