//! MQTT: what the broker makes of what the client sends.

use super::mqtt::{at, mqtt_up, with_body};
use super::{down, lose, up};
use crate::frame::{body, varint};
use crate::mutation::Row;
use crate::proxy::Protocol::Mqtt;
use crate::proxy::{Between, Rewrite};

/// Changes the options of the last filter of a SUBSCRIBE.
pub(super) fn options(change: fn(u8) -> u8) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(Mqtt.framing(), |frame| frame).up(move |mut packet| {
            if packet[0] == 0x82 {
                let last = packet.last_mut().unwrap();
                *last = change(*last);
            }
            packet
        }),
    )
}

/// Replaces the first of these bytes in what the client sends.
pub(super) fn replace(kind: u8, from: &'static [u8], to: &'static [u8]) -> Box<dyn Between> {
    up(
        Mqtt,
        move |packet| packet[0] >> 4 == kind,
        move |packet| {
            if let Some(at) = packet.windows(from.len()).position(|part| part == from) {
                packet[at..at + to.len()].copy_from_slice(to);
            }
        },
    )
}

/// Changes the flags of a CONNECT.
pub(super) fn connect_flags(change: fn(u8) -> u8) -> Box<dyn Between> {
    up(
        Mqtt,
        |packet| packet[0] == 0x10,
        move |packet| {
            let name = at(packet) + 1;
            let flags = name + 2 + usize::from(packet[name]);
            packet[flags] = change(packet[flags]);
        },
    )
}

pub(super) const ROWS: &[Row] = &[
    (
        "an UNSUBSCRIBE ends another subscription",
        Mqtt,
        &[
            "*/unsubscribed",
            "*/unsubscribe-many",
            "*/subscription-ended",
        ],
        || mqtt_up(10, |packet| *packet.last_mut().unwrap() ^= 1),
    ),
    (
        "a DISCONNECT is taken for a loss",
        Mqtt,
        &["*/not-published-on-*"],
        || mqtt_up(14, lose),
    ),
    (
        "no will",
        Mqtt,
        &[
            "*/published-on-*",
            "*/empty-payload",
            "!*MQTT-3.3.4-1/*",
            "!*3.3.3/*",
            "!mqtt31/PUBLISH/*",
        ],
        || {
            down(
                Mqtt,
                |packet| packet[0] >> 4 == 3 && body(packet)[2] == b'w',
                lose,
            )
        },
    ),
    (
        "nothing is retained",
        Mqtt,
        &[
            "*/new-subscription",
            "*/newest",
            "*/retain-0-leaves-it",
            "*/wildcards",
            "*/outlives-its-publisher",
            "*/replaced-sends-retained",
            "*/retain-handling-0",
            "*/identifier-of-retained",
            "!*/not-retained",
            "!*4.7.1*",
            "!mqtt31/*4.7*",
        ],
        || mqtt_up(3, |packet| packet[0] &= !1),
    ),
    (
        "everything is retained",
        Mqtt,
        &["*/retain-0-not-kept", "*/retain-0-leaves-it"],
        || mqtt_up(3, |packet| packet[0] |= 1),
    ),
    (
        "every session is clean",
        Mqtt,
        &[
            "*/resumed",
            "*/subscription-kept",
            "*/messages-kept*",
            "*/resent-*",
            "*/pubrel-resent",
            "*/takeover-resumes",
            // That it is sent again is not their question.
            "!*/resent-with-dup",
            "!*/resent-in-order",
        ],
        || connect_flags(|flags| flags | 2),
    ),
    (
        "no session is clean",
        Mqtt,
        &[
            "mqtt311/*/clean-start",
            "*/clean-start-not-present",
            "mqtt311/*/clean-session-not-kept",
        ],
        || connect_flags(|flags| flags & !2),
    ),
    (
        "acknowledgements of the client are lost",
        Mqtt,
        &["*/acknowledged-not-resent"],
        || mqtt_up(4, lose),
    ),
    (
        "PUBCOMP of the client is lost",
        Mqtt,
        &["*/pubrel-resent"],
        || mqtt_up(7, lose),
    ),
    (
        "the receive maximum is not kept",
        Mqtt,
        &["mqtt5/*/receive-maximum"],
        || replace(1, &[0x21, 0, 2], &[0x21, 0, 9]),
    ),
    (
        "a receive maximum of 1 is not kept",
        Mqtt,
        &[
            "mqtt5/*/receive-maximum-qos2",
            "mqtt5/*/receive-maximum-in-session",
        ],
        || replace(1, &[0x21, 0, 1], &[0x21, 0, 9]),
    ),
    (
        "the maximum packet size is not kept",
        Mqtt,
        &[
            "mqtt5/*/maximum-packet-size",
            "mqtt5/*/maximum-packet-size-qos1",
            "mqtt5/*/maximum-packet-size-by-one",
        ],
        || replace(1, &[0x27, 0, 0], &[0x27, 0, 9]),
    ),
    (
        "messages do not expire",
        Mqtt,
        &["mqtt5/*/expired", "mqtt5/*/expired-retained"],
        || replace(3, &[2, 0, 0, 0, 1], &[2, 0, 0, 9, 1]),
    ),
    (
        "sessions do not expire",
        Mqtt,
        &["mqtt5/*/expiry-passes"],
        || replace(1, &[0x11, 0, 0, 0, 1], &[0x11, 0, 0, 9, 1]),
    ),
    (
        "wills are not delayed",
        Mqtt,
        &["mqtt5/*/delay", "mqtt5/*/delay-reconnect"],
        || replace(1, &[0x18, 0, 0, 0, 1], &[0x18, 0, 0, 0, 0]),
    ),
    (
        "wills are delayed for long",
        Mqtt,
        &["mqtt5/*/delay"],
        || replace(1, &[0x18, 0, 0, 0, 1], &[0x18, 0, 0, 9, 0]),
    ),
    (
        "the keep alive is not looked at",
        Mqtt,
        &["*/keep-alive-expires"],
        || {
            up(
                Mqtt,
                |packet| packet[0] == 0x10,
                |packet| {
                    let at = at(packet) + 8;
                    packet[at..at + 2].copy_from_slice(&[9, 9]);
                },
            )
        },
    ),
    ("no local is ignored", Mqtt, &["mqtt5/*/no-local"], || {
        options(|options| options & !4)
    }),
    (
        "retain handling is ignored",
        Mqtt,
        &["mqtt5/*/retain-handling-1", "mqtt5/*/retain-handling-2"],
        || options(|options| options & 0x0F),
    ),
    (
        "retain as published is ignored",
        Mqtt,
        &["mqtt5/*/retain-as-published-1"],
        || options(|options| options & !8),
    ),
    (
        "retain as published for all",
        Mqtt,
        &["mqtt5/*/retain-as-published-0", "mqtt5/*/live"],
        || options(|options| options | 8),
    ),
    (
        "QoS 0 granted as asked",
        Mqtt,
        &[
            "*/qos1",
            "*/qos2",
            "*/replaced",
            "*/subscription-kept",
            "mqtt5/*/shared-qos",
            "!mqtt*/*/qos-*",
        ],
        || {
            Box::new(Rewrite::new(Mqtt.framing(), |mut packet| {
                if packet[0] >> 4 == 3 && packet[0] & 6 != 0 {
                    // The message loses its quality and its identifier.
                    let at = 2 + usize::from(body(&packet)[1]);
                    with_body(&mut packet, |body| drop(body.drain(at..at + 2)));
                    packet[0] &= !6;
                }
                packet
            }))
        },
    ),
    (
        "+ is taken for #",
        Mqtt,
        &["*/single-level", "*/empty-levels", "!*/empty-levels"],
        || wildcard(b'+', b'#'),
    ),
    (
        "# is taken for +",
        Mqtt,
        &["*/multi-level", "*/both-wildcards"],
        || wildcard(b'#', b'+'),
    ),
    (
        "topics with $ are like others",
        Mqtt,
        &[
            "*/dollar-and-plus",
            "*/dollar-and-hash",
            "*MQTT-4.7.2-1/dollar",
        ],
        || {
            up(
                Mqtt,
                |packet| packet[0] >> 4 == 3,
                |packet| {
                    let at = at(packet) + 2;
                    if packet[at] == b'$' {
                        packet[at] = b'y';
                    }
                },
            )
        },
    ),
    (
        "a subscription identifier is lost",
        Mqtt,
        &["mqtt5/*/identifier", "mqtt5/*/identifier-replaced"],
        || {
            up(
                Mqtt,
                |packet| packet[0] == 0x82,
                |packet| {
                    with_body(packet, |body| {
                        let (length, size) = varint(&body[2..]).unwrap();
                        body.splice(2..2 + size + length, [0]);
                    });
                },
            )
        },
    ),
];

pub(super) fn wildcard(from: u8, to: u8) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(Mqtt.framing(), |frame| frame).up(move |mut packet| {
            if packet[0] == 0x82 {
                for byte in &mut packet[2..] {
                    if *byte == from {
                        *byte = to;
                    }
                }
            }
            packet
        }),
    )
}
