//! Authentication by AUTH (MQTT 5.0): what the broker sends in it.

use super::mqtt::{mqtt, with_body};
use super::{down, lose};
use crate::mutation::Row;
use crate::proxy::Between;
use crate::proxy::Protocol::Mqtt;

/// The method that the cases name.
const METHOD: &[u8] = b"SCRAM-SHA-256";

/// Every packet of this type has another method.
fn other_method(kind: u8) -> Box<dyn Between> {
    down(
        Mqtt,
        move |packet| packet[0] >> 4 == kind,
        |packet| replace(packet, METHOD, b"SCRAM-SHA-255"),
    )
}

/// Puts `new` where `old` stands, which is as long.
fn replace(packet: &mut [u8], old: &[u8], new: &[u8]) {
    if let Some(at) = packet.windows(old.len()).position(|part| part == old) {
        packet[at..at + old.len()].copy_from_slice(new);
    }
}

pub(super) const ROWS: &[Row] = &[
    (
        "an AUTH that asks for another authentication",
        Mqtt,
        &["mqtt5/*/challenge"],
        || {
            mqtt(15, |packet| {
                with_body(packet, |body| {
                    if let Some(reason) = body.first_mut() {
                        *reason = 0x19;
                    }
                });
            })
        },
    ),
    (
        "an AUTH with another method",
        Mqtt,
        &["mqtt5/*/challenge"],
        || other_method(15),
    ),
    (
        "another method in CONNACK",
        Mqtt,
        &["mqtt5/*/method-in-connack"],
        || other_method(2),
    ),
    (
        "the verifier of another password",
        Mqtt,
        &["mqtt5/*/the-server-proves-itself"],
        || mqtt(2, |packet| replace(packet, b"v=", b"w=")),
    ),
    (
        "an AUTH that is longer than the client allows",
        Mqtt,
        &["mqtt5/*/within-the-maximum-packet-size"],
        || {
            mqtt(15, |packet| {
                with_body(packet, |body| {
                    body[1] += 7;
                    body.extend(b"\x26\0\x01a\0\x01b");
                });
            })
        },
    ),
    (
        "another authentication that is never over",
        Mqtt,
        &["mqtt5/*/again"],
        || {
            down(
                Mqtt,
                // Of the two, the one that is no challenge.
                |packet| packet[0] == 0xF0 && packet.get(2) == Some(&0),
                lose,
            )
        },
    ),
    (
        "no messages after another authentication",
        Mqtt,
        &[
            "mqtt5/*/again-keeps-the-session",
            "mqtt5/*/messages-while-again",
        ],
        || mqtt(3, lose),
    ),
    (
        "no DISCONNECT when another authentication fails",
        Mqtt,
        &["mqtt5/*/again-with-a-wrong-proof-reason"],
        || mqtt(14, lose),
    ),
    (
        "a refusal that does not say why",
        Mqtt,
        &["mqtt5/*/wrong-proof-reason"],
        || {
            mqtt(2, |packet| {
                with_body(packet, |body| {
                    if body[1] >= 0x80 {
                        body[1] = 0x80;
                    }
                });
            })
        },
    ),
];
