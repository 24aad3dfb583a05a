//! More of what a broker may do and the reference broker does not: what brokers that the judge
//! has never met are likely to do.

use crate::frame::{body, command, method, packet, varint};
use crate::legal::{Variant, header};
use crate::proxy::Protocol::{Amqp, Mqtt, Stomp};
use crate::proxy::{Between, Rewrite};

pub(crate) const VARIANTS: &[Variant] = &[
    // connection.tune: zero is no frame-max and no heart-beat.
    ("no frame-max proposed", Amqp, no_limits),
    // connection.start: the server's to say.
    (
        "more mechanisms, locales and properties",
        Amqp,
        more_at_the_start,
    ),
    // channel.flow: the peer's to send at any time.
    ("flow that is active", Amqp, active_flow),
    // basic.return and channel.close: any reply-text, and none.
    ("no reply texts", Amqp, no_reply_texts),
    // 5.0, 3.4.2.2, 3.9.2.1, 3.11.2.1 and 3.14.2.2: a reason string and user properties, unless
    // the client does not want them.
    ("reason strings in answers", Mqtt, reasons_in_answers),
    // 5.0, 3.4.2.1: no matching subscribers, which a broker may say and need not.
    ("no word of matching subscribers", Mqtt, || {
        Box::new(Rewrite::mqtt(|level, frame| {
            let acknowledges = matches!(frame[0], 0x40 | 0x50);
            match body(&frame) {
                [high, low, 0x10, ..] if level == 5 && acknowledges => {
                    packet(frame[0], &[*high, *low])
                }
                _ => frame,
            }
        }))
    }),
    // 5.0, 3.2.2.3.14: the client sends something that often.
    ("a keep alive of the server", Mqtt, || {
        crate::legal::connack(&[0x13, 0, 60])
    }),
    // 1.2, STOMP Frames: an end-of-line may have a carriage return.
    ("carriage returns in 1.2", Stomp, carriage_returns),
    // message-id and ack: the server's to choose.
    (
        "other message identifiers",
        Stomp,
        other_message_identifiers,
    ),
    // Headers have no order, but between those of one name.
    ("headers the other way round", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            let Some(head) = frame.windows(2).position(|two| two == b"\n\n") else {
                return frame;
            };
            let mut lines: Vec<&[u8]> = frame[..head].split(|&b| b == b'\n').collect();
            let name = |line: &&[u8]| line.split(|&b| b == b':').next().map(<[u8]>::to_vec);
            // A stable sort, by names backwards.
            lines[1..].sort_by_key(|line| std::cmp::Reverse(name(line)));
            [&lines.join(&b'\n'), &frame[head..]].concat()
        }))
    }),
    // 1.1 and 1.2: a type is a SHOULD where there is a body, and no harm where there is none.
    ("a content-type on each MESSAGE", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            let typed = frame.windows(13).any(|part| part == b"content-type:");
            if command(&frame) == b"MESSAGE" && !typed {
                header(&frame, "content-type:application/octet-stream")
            } else {
                frame
            }
        }))
    }),
];

/// The frame of a method with these arguments.
fn method_frame(frame: &[u8], arguments: &[u8]) -> Vec<u8> {
    let payload = [&frame[7..11], arguments].concat();
    let length = (payload.len() as u32).to_be_bytes();
    [&frame[..3], &length, &payload, &[0xCE]].concat()
}

/// What the client answers above the frame-max of the reference broker becomes that.
fn no_limits() -> Box<dyn Between> {
    use std::sync::{Arc, Mutex};
    const FRAME_MAX: std::ops::Range<usize> = 13..17;
    let limit = Arc::new(Mutex::new(Vec::new()));
    let proposed = Arc::clone(&limit);
    Box::new(
        Rewrite::new(Amqp.framing(), move |mut frame| {
            if method(&frame) == Some((10, 30)) {
                *proposed.lock().unwrap() = frame[FRAME_MAX].to_vec();
                // It and the heart-beat.
                frame[13..19].fill(0);
            }
            frame
        })
        .up(move |mut frame| {
            if method(&frame) == Some((10, 31)) {
                let limit = limit.lock().unwrap();
                if frame[FRAME_MAX] == [0; 4] || frame[FRAME_MAX] > limit[..] {
                    frame[FRAME_MAX].copy_from_slice(&limit);
                }
            }
            frame
        }),
    )
}

fn more_at_the_start() -> Box<dyn Between> {
    // A table in the table, a list, a number, and an empty name.
    const MORE: &[u8] = b"\x06nestedF\x00\x00\x00\x08\x02inF\x00\x00\x00\x00\
        \x04listA\x00\x00\x00\x02t\x01\x06numberl\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE\x04voidV";
    let longstr = |text: &[u8]| [&(text.len() as u32).to_be_bytes(), text].concat();
    Box::new(Rewrite::new(Amqp.framing(), move |frame| {
        if method(&frame) != Some((10, 10)) {
            return frame;
        }
        let length = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()) as usize;
        // After the version: the properties, the mechanisms, the locales.
        let (table, at) = (length(13), 17 + length(13));
        let mechanisms = &frame[at + 4..at + 4 + length(at)];
        let arguments = [
            frame[11..13].to_vec(),
            longstr(&[MORE, &frame[17..17 + table]].concat()),
            longstr(&[&b"EXTERNAL "[..], mechanisms, b" X-OTHER"].concat()),
            longstr(b"de_DE en_US fr_FR"),
        ];
        method_frame(&frame, &arguments.concat())
    }))
}

/// After a channel.open-ok, and nobody waits for the flow-ok.
fn active_flow() -> Box<dyn Between> {
    Box::new(
        Rewrite::new(Amqp.framing(), |frame| {
            if method(&frame) != Some((20, 11)) {
                return frame;
            }
            let flow = [&frame[..3], &[0, 0, 0, 5, 0, 20, 0, 20, 1, 0xCE]].concat();
            [frame, flow].concat()
        })
        .up(|frame| match method(&frame) {
            Some((20, 21)) => Vec::new(),
            _ => frame,
        }),
    )
}

fn no_reply_texts() -> Box<dyn Between> {
    Box::new(Rewrite::new(Amqp.framing(), |frame| {
        // Each begins with the code and the text.
        if !matches!(method(&frame), Some((10, 50) | (20, 40) | (60, 50))) {
            return frame;
        }
        let rest = 14 + usize::from(frame[13]);
        let arguments = [&frame[11..13], &[0], &frame[rest..frame.len() - 1]].concat();
        method_frame(&frame, &arguments)
    }))
}

fn reasons_in_answers() -> Box<dyn Between> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    const REASON: &[u8] = b"\x1F\x00\x04fine\x26\x00\x01a\x00\x01b";
    // Request problem information 0, and a maximum packet size.
    let unwanted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&unwanted);
    let is_five = Arc::new(AtomicBool::new(false));
    let five = Arc::clone(&is_five);
    Box::new(
        Rewrite::new(Mqtt.framing(), move |frame| {
            if unwanted.load(Ordering::SeqCst) || !is_five.load(Ordering::SeqCst) {
                return frame;
            }
            // How many bytes stand before the properties.
            let before = match frame[0] {
                0x40 | 0x50 | 0x62 | 0x70 => 3,
                0x90 | 0xB0 => 2,
                0xE0 => 1,
                _ => return frame,
            };
            let mut body = body(&frame).to_vec();
            while body.len() < before {
                body.push(0);
            }
            if body.len() == before {
                body.push(0);
            }
            let (length, size) = varint(&body[before..]).unwrap();
            let mut properties = body[before + size..before + size + length].to_vec();
            if !properties.contains(&0x1F) {
                properties.extend(REASON);
            }
            body.splice(
                before..before + size + length,
                [vec![properties.len() as u8], properties].concat(),
            );
            packet(frame[0], &body)
        })
        .up(move |frame| {
            if frame[0] == 0x10 {
                let body = body(&frame);
                let is_five = body.get(6) == Some(&5);
                five.store(is_five, Ordering::SeqCst);
                let properties = body.get(10..).and_then(|rest| {
                    let (length, size) = varint(rest)?;
                    rest.get(size..size + length)
                });
                let limited = properties.is_some_and(|properties| {
                    properties.windows(2).any(|two| two == [0x17, 0]) || properties.contains(&0x27)
                });
                seen.store(limited, Ordering::SeqCst);
            }
            frame
        }),
    )
}

/// In the heads of frames, once the broker has said that the version is 1.2.
fn carriage_returns() -> Box<dyn Between> {
    let mut is_12 = false;
    Box::new(Rewrite::new(Stomp.framing(), move |frame| {
        is_12 |= command(&frame) == b"CONNECTED"
            && frame.windows(12).any(|part| part == b"\nversion:1.2");
        let head = frame.windows(2).position(|two| two == b"\n\n");
        let (true, Some(head)) = (is_12, head) else {
            return frame;
        };
        let mut bytes = Vec::new();
        for &byte in &frame[..head + 2] {
            if byte == b'\n' {
                bytes.push(b'\r');
            }
            bytes.push(byte);
        }
        bytes.extend(&frame[head + 2..]);
        bytes
    }))
}

/// What a broker names messages by, in MESSAGE and in ACK and NACK.
fn other_message_identifiers() -> Box<dyn Between> {
    const MARK: &[u8] = b"a b.";
    Box::new(
        Rewrite::new(Stomp.framing(), |frame| {
            if command(&frame) != b"MESSAGE" {
                return frame;
            }
            identifiers(&frame, |value| [MARK, value].concat())
        })
        .up(|frame| {
            if !matches!(command(&frame), b"ACK" | b"NACK") {
                return frame;
            }
            identifiers(&frame, |value| {
                value.strip_prefix(MARK).unwrap_or(value).to_vec()
            })
        }),
    )
}

/// With other values of the headers that name a message.
fn identifiers(frame: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    const NAMES: [&[u8]; 3] = [b"message-id:", b"ack:", b"id:"];
    let Some(head) = frame.windows(2).position(|two| two == b"\n\n") else {
        return frame.to_vec();
    };
    let changed: Vec<Vec<u8>> = frame[..head]
        .split(|&b| b == b'\n')
        .map(|line| {
            let value = |name: &&[u8]| Some((line.strip_prefix(*name)?, line.len()));
            match NAMES.iter().find_map(value) {
                Some((value, length)) => {
                    let name = &line[..length - value.len()];
                    [name, &change(value)].concat()
                }
                None => line.to_vec(),
            }
        })
        .collect();
    [&changed.join(&b'\n'), &frame[head..]].concat()
}
