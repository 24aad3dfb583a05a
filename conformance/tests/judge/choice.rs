//! What a broker may choose, and the reference broker does not: how many it acknowledges at
//! once, what comes first where nothing has an order, what it grants, and what it leaves out.

use std::collections::BTreeMap;

use crate::frame::{Cutter, body, command, method, packet, varint};
use crate::legal::{Variant, header, without};
use crate::proxy::Protocol::{Amqp, Mqtt, Stomp};
use crate::proxy::{Between, Rewrite};

pub(crate) const VARIANTS: &[Variant] = &[
    // Publisher confirms: an ack may be of all messages up to its tag.
    ("confirms of all so far", Amqp, confirms_of_all_so_far),
    // channel.flow: the peer's to send at any time, and to take back.
    ("flow that stops and goes on", Amqp, || {
        Box::new(
            Rewrite::new(Amqp.framing(), |frame| {
                if method(&frame) != Some((20, 11)) {
                    return frame;
                }
                let flow =
                    |active| [&frame[..3], &[0, 0, 0, 5, 0, 20, 0, 20, active, 0xCE]].concat();
                [&frame[..], &flow(0), &flow(1)].concat()
            })
            .up(|frame| match method(&frame) {
                Some((20, 21)) => Vec::new(),
                _ => frame,
            }),
        )
    }),
    // queue.declare and basic.consume: a name that the server makes up is any that is new.
    ("other names of the server's making", Amqp, || {
        const OURS: [&[u8]; 2] = [b"amq.gen-", b"amq.ctag-"];
        const THEIRS: [&[u8]; 2] = [b"x:y_gen.", b"x:y_ctag."];
        Box::new(
            Rewrite::new(Amqp.framing(), |frame| renamed(frame, OURS, THEIRS))
                .up(|frame| renamed(frame, THEIRS, OURS)),
        )
    }),
    // 3.8.4: messages may come before the SUBACK of their subscription.
    ("messages before the SUBACK", Mqtt, || {
        Box::new(Later(Cutter::new(Mqtt.framing()), |frame| {
            match frame[0] >> 4 {
                9 => Some(true),
                3 => Some(false),
                _ => None,
            }
        }))
    }),
    // 3.8.4: the server may grant a lower maximum QoS than was asked for.
    ("QoS 1 is granted at most", Mqtt, || grants(1)),
    ("QoS 0 is granted at most", Mqtt, || grants(0)),
    // MQTT-3.1.3-6: a server may let a client have no identifier.
    ("no empty client identifiers", Mqtt, || {
        Box::new(NoEmptyIdentifiers {
            up: Cutter::new(Mqtt.framing()),
            refused: false,
        })
    }),
    // 5.0, 4.13: the reasons of a DISCONNECT are no requirement where the end is one.
    ("DISCONNECT with an unspecified error", Mqtt, || {
        Box::new(Rewrite::mqtt(|level, frame| {
            let is_error = body(&frame).first().is_some_and(|&code| code >= 0x80);
            if level == 5 && frame[0] == 0xE0 && is_error {
                packet(0xE0, &[0x80])
            } else {
                frame
            }
        }))
    }),
    // RECEIPT: the earlier frames have been received, and what comes of them is another matter.
    ("receipts after the messages", Stomp, || {
        Box::new(Later(Cutter::new(Stomp.framing()), |frame| {
            match command(frame) {
                b"RECEIPT" => Some(true),
                b"MESSAGE" => Some(false),
                _ => None,
            }
        }))
    }),
    // Repeated Header Entries: the first one is the one that counts, from 1.1 on.
    ("repeated headers", Stomp, || {
        let mut is_10 = true;
        Box::new(Rewrite::new(Stomp.framing(), move |frame| {
            if command(&frame) == b"CONNECTED" {
                is_10 = !frame.windows(11).any(|part| part == b"\nversion:1.");
                is_10 |= frame.windows(12).any(|part| part == b"\nversion:1.0");
            }
            if is_10 || command(&frame) != b"MESSAGE" {
                return frame;
            }
            let lines = [
                "destination:/queue/stale",
                "subscription:stale",
                "message-id:0",
            ];
            lines.iter().fold(frame, |frame, line| header(&frame, line))
        }))
    }),
    // heart-beat: a missing header is 0,0.
    ("no heart-beats", Stomp, || {
        Box::new(
            Rewrite::new(Stomp.framing(), |frame| {
                if command(&frame) == b"CONNECTED" {
                    without(&frame, "heart-beat:")
                } else {
                    frame
                }
            })
            .up(|frame| {
                if matches!(command(&frame), b"CONNECT" | b"STOMP") {
                    without(&frame, "heart-beat:")
                } else {
                    frame
                }
            }),
        )
    }),
    // ERROR: that it names the receipt of the frame is a SHOULD.
    ("no receipt-id in ERROR", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            if command(&frame) == b"ERROR" {
                without(&frame, "receipt-id:")
            } else {
                frame
            }
        }))
    }),
];

/// A confirm that follows all those before it on its channel is one of all so far.
fn confirms_of_all_so_far() -> Box<dyn Between> {
    let mut settled = BTreeMap::<[u8; 2], u64>::new();
    Box::new(Rewrite::new(Amqp.framing(), move |mut frame| {
        let channel = [frame[1], frame[2]];
        match method(&frame) {
            // channel.open-ok
            Some((20, 11)) => drop(settled.remove(&channel)),
            // basic.ack and basic.nack: the tag, and whether it is for all so far.
            Some((60, 80 | 120)) => {
                let tag = u64::from_be_bytes(frame[11..19].try_into().unwrap());
                let settled = settled.entry(channel).or_default();
                if tag == *settled + 1 {
                    frame[19] |= 1;
                }
                if frame[19] & 1 == 1 {
                    *settled = tag;
                }
            }
            _ => {}
        }
        frame
    }))
}

/// Names that begin like this begin like that; both are equally long.
fn renamed(mut frame: Vec<u8>, from: [&[u8]; 2], to: [&[u8]; 2]) -> Vec<u8> {
    for (from, to) in from.into_iter().zip(to) {
        let mut at = 0;
        while let Some(next) = frame[at..]
            .windows(from.len())
            .position(|part| part == from)
        {
            at += next + from.len();
            frame[at - from.len()..at].copy_from_slice(to);
        }
    }
    frame
}

/// Of frames that come at once some are later than those that follow: `true` for the ones
/// that are late, `false` for those that may pass them, and none passes any other.
struct Later(Cutter, fn(&[u8]) -> Option<bool>);

impl Between for Later {
    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut out, mut late) = (Vec::new(), Vec::new());
        for frame in self.0.cut(bytes) {
            match (self.1)(&frame) {
                Some(true) => late.extend(frame),
                Some(false) => out.extend(frame),
                None => {
                    out.append(&mut late);
                    out.extend(frame);
                }
            }
        }
        out.append(&mut late);
        out
    }
}

/// The broker is asked for no more than this, and grants that.
fn grants(most: u8) -> Box<dyn Between> {
    let mut level = 0;
    Box::new(
        Rewrite::new(Mqtt.framing(), |frame| frame).up(move |frame| {
            let body = body(&frame);
            match frame[0] {
                0x10 => {
                    let at = 2 + usize::from(*body.get(1).unwrap_or(&0));
                    level = *body.get(at).unwrap_or(&0);
                    frame
                }
                0x82 => match asks_for(level, body, most) {
                    Some(body) => packet(0x82, &body),
                    None => frame,
                },
                _ => frame,
            }
        }),
    )
}

/// The body of a SUBSCRIBE with no more than this QoS. `None`: it is not well-formed.
fn asks_for(level: u8, body: &[u8], most: u8) -> Option<Vec<u8>> {
    let mut body = body.to_vec();
    let mut at = 2;
    if level == 5 {
        let (length, size) = varint(body.get(at..)?)?;
        at += size + length;
    }
    while at < body.len() {
        let length = body.get(at..at + 2)?;
        at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        let options = body.get_mut(at)?;
        if matches!(*options & 3, 1 | 2) {
            *options = *options & !3 | (*options & 3).min(most);
        }
        at += 1;
    }
    Some(body)
}

/// Refuses a CONNECT without a client identifier.
struct NoEmptyIdentifiers {
    up: Cutter,
    refused: bool,
}

impl Between for NoEmptyIdentifiers {
    fn up(&mut self, bytes: &[u8], back: &mut Vec<u8>) -> Vec<u8> {
        for frame in self.up.cut(bytes) {
            let Some(level) = without_identifier(&frame) else {
                continue;
            };
            self.refused = true;
            back.extend(match level {
                5 => &b"\x20\x03\x00\x85\x00"[..],
                _ => b"\x20\x02\x00\x02",
            });
        }
        if self.refused {
            // No packet: at that the broker closes.
            return vec![0, 0];
        }
        bytes.to_vec()
    }

    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.refused {
            Vec::new()
        } else {
            bytes.to_vec()
        }
    }
}

/// The level of a well-formed CONNECT of 3.1.1 or 5.0 whose client identifier is empty.
fn without_identifier(frame: &[u8]) -> Option<u8> {
    let body = body(frame).strip_prefix(b"\x00\x04MQTT")?;
    let (level, rest) = (*body.first()?, body.get(4..)?);
    let at = match level {
        5 => varint(rest).map(|(length, size)| length + size)?,
        _ => 0,
    };
    (frame[0] == 0x10 && rest.get(at..at + 2)? == [0, 0]).then_some(level)
}
