//! Limits that are announced and not kept, and what is kept back of them.

use super::amqp::{amqp, amqp_up};
use super::mqtt5::connack5;
use crate::frame::{command, method};
use crate::legal::connack;
use crate::mutation::Row;
use crate::proxy::Protocol::{Amqp, Mqtt, Stomp};
use crate::proxy::{Between, Rewrite};

pub(super) const ROWS: &[Row] = &[
    (
        "a maximum QoS of 0 that is none",
        Mqtt,
        &["mqtt5/*/maximum-qos-*", "mqtt5/*/will-qos-above-*"],
        || connack5(&[0x24, 0]),
    ),
    (
        "a maximum QoS of 1 that is none",
        Mqtt,
        &["mqtt5/*/maximum-qos-*", "mqtt5/*/will-qos-above-*"],
        || connack5(&[0x24, 1]),
    ),
    (
        "retained messages that are there all the same",
        Mqtt,
        &["mqtt5/*/retain-not-*", "mqtt5/*/will-retain-not-*"],
        || connack5(&[0x25, 0]),
    ),
    (
        "wildcards that are there all the same",
        Mqtt,
        &["mqtt5/*/wildcards-not-available"],
        || connack5(&[0x28, 0]),
    ),
    (
        "subscription identifiers that are there all the same",
        Mqtt,
        &["mqtt5/*/identifiers-not-available"],
        || connack5(&[0x29, 0]),
    ),
    (
        "shared subscriptions that are there all the same",
        Mqtt,
        &["mqtt5/*/shares-not-available"],
        || connack5(&[0x2A, 0]),
    ),
    (
        "a maximum packet size that is too large already",
        Mqtt,
        &["mqtt5/*/maximum-packet-size-is-granted"],
        maximum_packet_size,
    ),
    (
        "a channel-max above the real one",
        Amqp,
        &["amqp/channel.open/at-channel-max"],
        || {
            Box::new(
                Rewrite::new(Amqp.framing(), |mut frame| {
                    if method(&frame) == Some((10, 30)) {
                        frame[11..13].copy_from_slice(&[0xFF, 0xF0]);
                    }
                    frame
                })
                .up(|mut frame| {
                    if method(&frame) == Some((10, 31)) {
                        frame[11..13].copy_from_slice(&[0, 100]);
                    }
                    frame
                }),
            )
        },
    ),
    (
        "channel.close of no class and method",
        Amqp,
        &["amqp/channel.close/class-and-method"],
        || amqp((20, 40), |frame| no_cause(frame)),
    ),
    (
        "connection.close of no class and method",
        Amqp,
        &["amqp/connection.close/class-and-method"],
        || amqp((10, 50), |frame| no_cause(frame)),
    ),
    (
        "global is ignored",
        Amqp,
        &["amqp/basic.qos/global"],
        || {
            amqp_up((60, 10), |frame| {
                let at = frame.len() - 2;
                frame[at] = 0;
            })
        },
    ),
    (
        "a prefetch count is one for all consumers",
        Amqp,
        &["amqp/basic.qos/per-consumer"],
        || {
            amqp_up((60, 10), |frame| {
                let at = frame.len() - 2;
                frame[at] = 1;
            })
        },
    ),
    (
        "x-expires is ignored",
        Amqp,
        &["amqp/x-expires/unused"],
        || ignores(b"x-expiresI"),
    ),
    (
        "x-message-ttl is ignored",
        Amqp,
        &[
            "amqp/x-message-ttl/expires",
            "amqp/x-dead-letter-exchange/expired",
        ],
        || ignores(b"x-message-ttlI"),
    ),
    (
        "x-max-length is ignored",
        Amqp,
        &[
            "amqp/x-max-length/drops-head",
            "amqp/x-overflow/reject-publish",
            "amqp/x-dead-letter-exchange/too-many",
        ],
        || ignores(b"x-max-lengthI"),
    ),
    (
        "x-max-length-bytes is ignored",
        Amqp,
        &["amqp/x-max-length-bytes/drops-head"],
        || ignores(b"x-max-length-bytesI"),
    ),
    (
        "x-dead-letter-exchange is ignored",
        Amqp,
        &[
            "amqp/x-dead-letter-exchange/*",
            "!*/acknowledged",
            "!*/no-such-exchange",
            "!*/circle",
        ],
        || ignores(b"x-dead-letter-exchangeS"),
    ),
    (
        "alternate-exchange is ignored",
        Amqp,
        &["amqp/alternate-exchange/*"],
        || ignores(b"alternate-exchangeS"),
    ),
    (
        "x-single-active-consumer is ignored",
        Amqp,
        &["amqp/x-single-active-consumer/one-at-a-time"],
        || ignores(b"x-single-active-consumert"),
    ),
    (
        "x-max-priority is ignored",
        Amqp,
        &["amqp/x-max-priority/order", "amqp/basic/priority"],
        || ignores(b"x-max-priorityI"),
    ),
    (
        "expiration is ignored",
        Amqp,
        &["amqp/expiration/expires"],
        || {
            // The property with bit 8 becomes that with bit 7, message-id.
            changes(b"\x01\x00\x03200", b"\x00\x80\x03200")
        },
    ),
    (
        "/topic is served as a queue",
        Stomp,
        &["*/SUBSCRIBE/topic-fan-out"],
        || {
            Box::new(
                Rewrite::new(Stomp.framing(), |frame| {
                    swap(frame, "MESSAGE", b"/queue/", b"/topic/")
                })
                .up(|frame| {
                    let frame = swap(frame, "SEND", b"/topic/", b"/queue/");
                    swap(frame, "SUBSCRIBE", b"/topic/", b"/queue/")
                }),
            )
        },
    ),
];

/// Class and method of a close are the last four bytes before its end.
fn no_cause(frame: &mut [u8]) {
    let end = frame.len() - 1;
    frame[end - 4..end].fill(0);
}

/// The argument does not reach the broker under its name, where it has a value
/// of the type that ends `name`; nor does the routing key of dead letters, which
/// says nothing without their exchange.
fn ignores(name: &'static [u8]) -> Box<dyn Between> {
    const KEY: &[u8] = b"x-dead-letter-routing-key";
    Box::new(
        Rewrite::new(Amqp.framing(), |frame| frame).up(move |mut frame| {
            let place = |frame: &[u8], part: &[u8]| {
                let windows = &mut frame.windows(part.len());
                windows.position(|window| window == part)
            };
            if matches!(method(&frame), Some((50 | 40, 10)))
                && let Some(at) = place(&frame, name)
            {
                frame[at] = b'y';
                if name.starts_with(b"x-dead")
                    && let Some(at) = place(&frame, KEY)
                {
                    frame[at] = b'y';
                }
            }
            frame
        }),
    )
}

fn changes(from: &'static [u8], to: &'static [u8]) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(Amqp.framing(), |frame| frame).up(move |mut frame| {
            if frame[0] == 2
                && let Some(at) = frame.windows(from.len()).position(|part| part == from)
            {
                frame[at..at + to.len()].copy_from_slice(to);
            }
            frame
        }),
    )
}

fn swap(mut frame: Vec<u8>, of: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    if command(&frame) == of.as_bytes()
        && let Some(at) = frame.windows(from.len()).position(|part| part == from)
    {
        frame[at..at + to.len()].copy_from_slice(to);
    }
    frame
}

/// Announces a maximum, and closes at a packet that reaches it.
fn maximum_packet_size() -> Box<dyn Between> {
    const MAXIMUM: u16 = 3000;
    const PROPERTY: &[u8] = &[0x27, 0, 0, (MAXIMUM >> 8) as u8, MAXIMUM as u8];
    struct Closes(Box<dyn Between>);
    impl Between for Closes {
        fn up(&mut self, bytes: &[u8], back: &mut Vec<u8>) -> Vec<u8> {
            let up = self.0.up(bytes, back);
            if up.len() >= usize::from(MAXIMUM) {
                // A packet of a type that there is not ends the connection.
                return vec![0, 0];
            }
            up
        }

        fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
            self.0.down(bytes)
        }
    }
    Box::new(Closes(connack(PROPERTY)))
}
