//! MQTT: what the broker sends, in any version.

use super::{down, lose, stays, twice, up};
use crate::frame::{body, packet};
use crate::mutation::Row;
use crate::proxy::Protocol::Mqtt;
use crate::proxy::{Between, Rewrite};

// MQTT: a packet by its type.
pub(super) fn mqtt(kind: u8, change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    down(Mqtt, move |packet| packet[0] >> 4 == kind, change)
}

pub(super) fn mqtt_up(kind: u8, change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    up(Mqtt, move |packet| packet[0] >> 4 == kind, change)
}

/// Where the body begins.
pub(super) fn at(packet: &[u8]) -> usize {
    packet.len() - body(packet).len()
}

/// Changes the packet identifier of an acknowledgement. A row wants a vector.
#[allow(clippy::ptr_arg)]
pub(super) fn other_id(packet: &mut Vec<u8>) {
    let at = at(packet);
    packet[at] ^= 0x40;
}

/// Changes the body.
pub(super) fn with_body(frame: &mut Vec<u8>, change: impl Fn(&mut Vec<u8>)) {
    let mut changed = body(frame).to_vec();
    change(&mut changed);
    *frame = packet(frame[0], &changed);
}

pub(super) const ROWS: &[Row] = &[
    (
        "the connection stays open after what is malformed",
        Mqtt,
        &[
            "~closes the connection",
            "~is refused",
            "*/takeover",
            // The reference broker announces no such limit.
            "!*/*-not-available*",
            "!*/wrong-password",
            "!*/not-authorized-subscribe",
            "!*/MQTT-6.0.0-*",
            "!*/will-qos-above-*",
            "!*/maximum-qos-*",
            "!*/filter-*",
            "!*/shared-name*",
            "!*/shared-with*",
            "!*/maximum-qos-*",
            "!*/first-packet-announces*",
            "!*/closed-after-disconnect",
            "!*/disconnect-flags",
            "!*/disconnect-session-expiry*",
        ],
        || stays(Mqtt, |_| false),
    ),
    (
        "what is malformed is answered, and the connection stays",
        Mqtt,
        &[
            "~closes the connection",
            // The reference broker announces no such limit.
            "!*/*-not-available*",
            "!*/wrong-password",
            "!*/not-authorized-subscribe",
            "!*/MQTT-6.0.0-*",
            "!*/will-qos-above-*",
            "!*/maximum-qos-*",
            "!*/first-packet-announces*",
            "!*/closed-after-disconnect",
            "!*/disconnect-flags",
            "!*/disconnect-session-expiry*",
        ],
        || stays(Mqtt, |packet| packet[0] == 0xE0),
    ),
    ("no PINGRESP", Mqtt, &["*/pingresp"], || mqtt(13, lose)),
    ("a PINGRESP with a body", Mqtt, &["*/pingresp"], || {
        mqtt(13, |packet| *packet = vec![0xD0, 1, 0])
    }),
    (
        "session present for everybody",
        Mqtt,
        &[
            "*/accepted",
            "*/not-present",
            "*/clean-start-not-present",
            "*/clean-start",
            "*/clean-session-not-kept",
            "*/expiry-0",
            "*/expiry-absent",
            "*/expiry-by-disconnect",
            "!mqtt31/*",
        ],
        || {
            mqtt(2, |packet| {
                if packet[3] == 0 {
                    packet[2] |= 1;
                }
            })
        },
    ),
    (
        "session present for nobody",
        Mqtt,
        &["*/resumed", "*/expiry-never", "*/clean-start-then-kept"],
        || mqtt(2, |packet| packet[2] = 0),
    ),
    ("a reserved bit in CONNACK", Mqtt, &["*/accepted"], || {
        mqtt(2, |packet| packet[2] |= 2)
    }),
    ("a reserved flag of CONNACK", Mqtt, &["*/accepted"], || {
        mqtt(2, |packet| packet[0] |= 1)
    }),
    ("an octet behind CONNACK", Mqtt, &["*/accepted"], || {
        mqtt(2, |packet| with_body(packet, |body| body.push(0)))
    }),
    ("no CONNACK", Mqtt, &["*/accepted"], || mqtt(2, lose)),
    ("SUBACK of another packet", Mqtt, &["*/suback"], || {
        mqtt(9, other_id)
    }),
    ("no SUBACK", Mqtt, &["*/suback"], || mqtt(9, lose)),
    ("SUBACK with a flag", Mqtt, &["*/suback"], || {
        mqtt(9, |packet| packet[0] |= 2)
    }),
    (
        "SUBACK with a code too few",
        Mqtt,
        &["*/suback-per-filter"],
        || {
            mqtt(9, |packet| {
                with_body(packet, |body| body.truncate(body.len() - 1));
            })
        },
    ),
    (
        "SUBACK with the codes in another order",
        Mqtt,
        &["*/suback-per-filter"],
        || {
            mqtt(9, |packet| {
                let length = packet.len();
                packet[length - 4..].reverse();
            })
        },
    ),
    (
        "SUBACK with success for every filter",
        Mqtt,
        &[
            "*/filter-hash*",
            "*/filter-plus*",
            "*/filter-empty",
            "*/shared-name*",
            "*/shared-with*",
        ],
        || {
            Box::new(
                Rewrite::new(Mqtt.framing(), |mut packet| {
                    if packet[0] == 0x90 {
                        *packet.last_mut().unwrap() = 0;
                    }
                    packet
                })
                .up(|mut packet| {
                    // The broker is asked for another filter.
                    if packet[0] == 0x82 {
                        for byte in &mut packet[4..] {
                            if matches!(byte, b'#' | b'+' | b'$') {
                                *byte = b'x';
                            }
                        }
                        if body(&packet).ends_with(&[0, 0, 0]) {
                            with_body(&mut packet, |body| {
                                let at = body.len() - 3;
                                body.splice(at.., [0, 1, b'x', 0]);
                            });
                        }
                    }
                    packet
                }),
            )
        },
    ),
    (
        "UNSUBACK of another packet",
        Mqtt,
        &["*/unsuback", "*/unsuback-of-nothing"],
        || mqtt(11, other_id),
    ),
    (
        "no UNSUBACK",
        Mqtt,
        &["*/unsuback", "*/unsuback-of-nothing"],
        || mqtt(11, lose),
    ),
    (
        "PUBACK of another packet",
        Mqtt,
        &["*/qos1", "*/packet-id-65535", "*/no-subscriber"],
        || mqtt(4, other_id),
    ),
    (
        "no PUBACK",
        Mqtt,
        &[
            "*/qos1",
            "*/packet-id-65535",
            "*/no-subscriber",
            "*/puback-frees*",
        ],
        || mqtt(4, lose),
    ),
    ("PUBREC of another packet", Mqtt, &["*/qos2"], || {
        mqtt(5, other_id)
    }),
    ("no PUBREC", Mqtt, &["*/qos2", "*/qos2-duplicate"], || {
        mqtt(5, lose)
    }),
    (
        "PUBCOMP of another packet",
        Mqtt,
        &["*/qos2", "*/pubrel-of-nothing"],
        || mqtt(7, other_id),
    ),
    (
        "no PUBCOMP",
        Mqtt,
        &["*/qos2", "*/pubrel-of-nothing", "*/pubrel-in-survives"],
        || mqtt(7, lose),
    ),
    (
        "no PUBREL",
        Mqtt,
        &["*/qos2-out", "*/pubrel-resent"],
        || mqtt(6, lose),
    ),
    ("PUBREL of another packet", Mqtt, &["*/qos2-out"], || {
        mqtt(6, other_id)
    }),
    ("PUBREL without its flags", Mqtt, &["*/qos2-out"], || {
        mqtt(6, |packet| packet[0] = 0x60)
    }),
    (
        "messages twice",
        Mqtt,
        &[
            "*/qos0",
            "*/qos1",
            "*/qos2",
            "*/qos2-duplicate",
            "*/qos2-in-survives",
            "*/shared",
        ],
        || mqtt(3, twice),
    ),
    (
        "no messages",
        Mqtt,
        &[
            "*/qos0",
            "*/qos1",
            "*/qos2",
            "*/many-filters",
            "*/messages-kept*",
            "*/subscription-kept",
            "*/new-subscription",
            "*/newest",
            "*/empty-is-delivered",
            "*/published-*",
            "*/multi-level",
            "*/single-level*",
            "*/case-and-space",
            "*/order-qos?",
            "*/alias",
            "*/shared-and-own",
            "*/replaced-sends-retained",
            "*/request-and-response",
            "!*/published-once",
        ],
        || mqtt(3, lose),
    ),
    (
        "DUP on a first delivery",
        Mqtt,
        &["*/qos1", "*/qos2", "*/dup-not-passed-on"],
        || {
            mqtt(3, |packet| {
                if packet[0] & 6 != 0 {
                    packet[0] |= 8;
                }
            })
        },
    ),
    ("DUP with QoS 0", Mqtt, &["*/qos0"], || {
        mqtt(3, |packet| packet[0] |= 8)
    }),
    (
        "no DUP on what is sent again",
        Mqtt,
        &["*/resent-with-dup"],
        || mqtt(3, |packet| packet[0] &= !8),
    ),
    (
        "RETAIN on every message",
        Mqtt,
        &[
            "*/qos0",
            "*/qos1",
            "*/qos2",
            "*/live",
            "*/empty-is-delivered",
            "*/retain-as-published-0",
        ],
        || mqtt(3, |packet| packet[0] |= 1),
    ),
    (
        "RETAIN on no message",
        Mqtt,
        &[
            "*/new-subscription",
            "*/retain-as-published-1",
            "*/outlives-its-publisher",
        ],
        || mqtt(3, |packet| packet[0] &= !1),
    ),
    (
        "another topic",
        Mqtt,
        &[
            "*/qos0",
            "*/multi-level",
            "*/topic-matches-filter",
            "*/byte-order-mark",
            "*/four-octet-characters",
            "*/alias",
        ],
        || {
            mqtt(3, |packet| {
                let at = at(packet) + 2;
                packet[at] ^= 0x20;
            })
        },
    ),
    (
        "another payload",
        Mqtt,
        &["*/qos0", "*/payload-of-any-octets", "*/remaining-length"],
        || mqtt(3, |packet| *packet.last_mut().unwrap() ^= 1),
    ),
    (
        "a payload that is longer",
        Mqtt,
        &["*/empty-payload", "*/payload-of-any-octets"],
        || mqtt(3, |packet| with_body(packet, |body| body.push(b'!'))),
    ),
    (
        "one packet identifier for all",
        Mqtt,
        &["*/packet-ids-differ"],
        || mqtt(3, |packet| identifier(packet, 7)),
    ),
    (
        "the packet identifier 0",
        Mqtt,
        &["*/packet-ids-differ", "*/qos1"],
        || mqtt(3, |packet| identifier(packet, 0)),
    ),
    (
        "the order turned round",
        Mqtt,
        &[
            "*/order-qos0",
            "*/order-qos1",
            "*/messages-kept",
            "*/resent-in-order",
        ],
        || {
            // Of two messages the second comes first.
            let mut held: Option<Vec<u8>> = None;
            Box::new(Rewrite::new(Mqtt.framing(), move |packet| {
                if packet[0] >> 4 != 3 {
                    return packet;
                }
                match held.take() {
                    None => {
                        held = Some(packet);
                        Vec::new()
                    }
                    Some(first) => [packet, first].concat(),
                }
            }))
        },
    ),
    (
        "PUBACKs in another order",
        Mqtt,
        &["*/order-of-acknowledgements"],
        || swapped(4),
    ),
    (
        "PUBRECs in another order",
        Mqtt,
        &["*/order-of-pubrecs"],
        || swapped(5),
    ),
];

pub(super) fn swapped(kind: u8) -> Box<dyn Between> {
    let mut held: Option<Vec<u8>> = None;
    Box::new(Rewrite::new(Mqtt.framing(), move |packet| {
        if packet[0] >> 4 != kind {
            return packet;
        }
        match held.take() {
            None => {
                held = Some(packet);
                Vec::new()
            }
            Some(first) => [packet, first].concat(),
        }
    }))
}

/// Sets the packet identifier of a PUBLISH.
pub(super) fn identifier(packet: &mut [u8], id: u8) {
    if packet[0] & 6 != 0 {
        let at = at(packet);
        let at = at + 2 + usize::from(packet[at + 1]);
        packet[at..at + 2].copy_from_slice(&[0, id]);
    }
}
