//! MQTT 5.0: what the broker sends.

use super::mqtt::{mqtt, with_body};
use crate::frame::{body, packet, varint};
use crate::mutation::Row;
use crate::proxy::Protocol::Mqtt;
use crate::proxy::{Between, Rewrite};

/// Other properties in a PUBLISH of 5.0.
pub(super) fn properties(packet: &mut Vec<u8>, change: impl Fn(&[u8]) -> Vec<u8>) {
    let quality = packet[0] & 6 != 0;
    with_body(packet, |body| {
        let at = 2 + usize::from(body[1]) + if quality { 2 } else { 0 };
        let (length, size) = varint(&body[at..]).unwrap();
        let changed = change(&body[at + size..at + size + length]);
        let mut new = vec![changed.len() as u8];
        new.extend(changed);
        body.splice(at..at + size + length, new);
    });
}

pub(super) fn connack5(more: &'static [u8]) -> Box<dyn Between> {
    Box::new(Rewrite::mqtt(move |level, mut frame| {
        if level == 5 && frame[0] == 0x20 {
            with_body(&mut frame, |body| {
                body[2] += more.len() as u8;
                body.extend(more);
            });
        }
        frame
    }))
}

pub(super) const ROWS: &[Row] = &[
    (
        "no properties with a message",
        Mqtt,
        &[
            "mqtt5/*/payload-format-indicator",
            "mqtt5/*/response-topic",
            "mqtt5/*/correlation-data*",
            "mqtt5/*/content-type",
            "mqtt5/*/user-properties",
            "mqtt5/*/user-properties-in-order",
            "mqtt5/*/all-at-once",
            "mqtt5/*/expiry-interval",
            "mqtt5/*/retained-properties",
            "mqtt5/*/request-and-response",
            "mqtt5/*/identifier",
            "mqtt5/*/identifier-of-*",
            "mqtt5/3.1.3.2/properties",
        ],
        || mqtt(3, |packet| properties(packet, |_| Vec::new())),
    ),
    (
        "a user property more",
        Mqtt,
        &[
            "mqtt5/*/user-properties",
            "mqtt5/*/user-properties-in-order",
            "mqtt5/*/all-at-once",
        ],
        || {
            mqtt(3, |packet| {
                properties(packet, |old| [old, b"\x26\0\x01x\0\x01y"].concat());
            })
        },
    ),
    (
        "a topic alias that nobody allowed",
        Mqtt,
        &["mqtt5/*/no-property-added"],
        || {
            mqtt(3, |packet| {
                properties(packet, |old| [old, &[0x23, 0, 1]].concat());
            })
        },
    ),
    (
        "an expiry that was not published",
        Mqtt,
        &["mqtt5/*/no-property-added"],
        || {
            mqtt(3, |packet| {
                properties(packet, |old| [old, &[2, 0, 0, 0, 9]].concat());
            })
        },
    ),
    (
        "an expiry that does not go down",
        Mqtt,
        &["mqtt5/*/expiry-interval"],
        || mqtt(3, |packet| properties(packet, |_| vec![2, 0, 0, 0, 100])),
    ),
    (
        "a property twice in CONNACK",
        Mqtt,
        &["mqtt5/*/accepted"],
        || connack5(&[0x25, 1, 0x25, 1]),
    ),
    (
        "a property of PUBLISH in CONNACK",
        Mqtt,
        &["mqtt5/*/accepted"],
        || connack5(&[0x01, 1]),
    ),
    (
        "an unknown property in CONNACK",
        Mqtt,
        &["mqtt5/*/accepted"],
        || connack5(&[0x7E, 1]),
    ),
    (
        "retain available 2",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x25, 2]),
    ),
    (
        "maximum QoS 2 in CONNACK",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x24, 2]),
    ),
    (
        "wildcard subscription available 2",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x28, 2]),
    ),
    (
        "subscription identifier available 2",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x29, 2]),
    ),
    (
        "shared subscription available 2",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x2A, 2]),
    ),
    (
        "an assigned client identifier for one that has one",
        Mqtt,
        &["mqtt5/*/connack-properties"],
        || connack5(&[0x12, 0, 1, b'x']),
    ),
    (
        "response information unasked",
        Mqtt,
        &["mqtt5/*/response-information"],
        || connack5(&[0x1A, 0, 1, b'x']),
    ),
    (
        "an authentication method unasked",
        Mqtt,
        &["mqtt5/*/no-method-no-auth"],
        || connack5(&[0x15, 0, 1, b'x']),
    ),
    (
        "a reason string against the client's wish",
        Mqtt,
        &["mqtt5/*/problem-information-0"],
        || {
            mqtt(11, |packet| {
                with_body(packet, |body| {
                    body.splice(2..3, *b"\x04\x1F\0\x01x");
                });
            })
        },
    ),
    (
        "UNSUBACK with the codes in another order",
        Mqtt,
        &["mqtt5/*/unsuback-codes"],
        || mqtt(11, |packet| packet[5..].rotate_left(1)),
    ),
    (
        "UNSUBACK with success for all",
        Mqtt,
        &["mqtt5/*/unsuback-no-subscription"],
        || {
            mqtt(11, |packet| {
                for code in &mut packet[5..] {
                    *code = 0;
                }
            })
        },
    ),
    (
        "PUBACK with an error",
        Mqtt,
        &["mqtt5/*/qos1", "mqtt5/*/no-subscriber"],
        || {
            mqtt(4, |frame| {
                *frame = packet(0x40, &[body(frame)[0], body(frame)[1], 0x80]);
            })
        },
    ),
    (
        "PUBACK with an unknown property",
        Mqtt,
        &["mqtt5/*/qos1"],
        || {
            mqtt(4, |frame| {
                *frame = packet(0x40, &[body(frame)[0], body(frame)[1], 0, 2, 0x7E, 0]);
            })
        },
    ),
    (
        "another DISCONNECT reason",
        Mqtt,
        &[
            "mqtt5/*/malformed-reason",
            "mqtt5/*/protocol-error-reason",
            "mqtt5/*/takeover-reason",
            "mqtt5/*/alias-beyond-the-maximum-reason",
        ],
        || mqtt(14, |packet| *packet = vec![0xE0, 1, 0x83]),
    ),
    (
        "DISCONNECT with a reason that is none of a server",
        Mqtt,
        &[
            "mqtt5/*/second-connect",
            "mqtt5/*/publish-qos-3",
            "mqtt5/*/takeover",
        ],
        || mqtt(14, |packet| *packet = vec![0xE0, 1, 0x04]),
    ),
];
