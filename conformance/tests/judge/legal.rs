//! What a broker may do otherwise than the reference broker does is no failure:
//! a man in the middle does it, every case is asked, and none of a MUST fails.

use std::sync::Mutex;
use std::time::Duration;

use crate::frame::{Cutter, body, command, method, packet, varint};
use crate::proxy::Protocol::{Amqp, Mqtt, Stomp};
use crate::proxy::{BESIDE, Between, Pace, Protocol, Rewrite, through};
use crate::{choice, figure, mqspec, unusual};

type Make = fn() -> Box<dyn Between>;

/// A name, the protocol, and the place that does it.
pub(crate) type Variant = (&'static str, Protocol, Make);

/// Changes that the specifications allow, with the place that does.
const VARIANTS: &[Variant] = &[
    // TCP has no messages.
    ("octet by octet", Amqp, || paced(0, true)),
    ("octet by octet", Mqtt, || paced(0, true)),
    ("octet by octet", Stomp, || paced(0, true)),
    ("slower by 300 ms", Amqp, || paced(300, false)),
    ("slower by 300 ms", Mqtt, || paced(300, false)),
    ("slower by 300 ms", Stomp, || paced(300, false)),
    // 3.12.4: an answer, and no word of when.
    ("PINGRESP at once", Mqtt, || {
        Box::new(EarlyPingresp::default())
    }),
    // 5.0, 3.2.2.3.10 and 3.2.2.3.9.
    ("user property and reason string in CONNACK", Mqtt, || {
        connack(b"\x26\x00\x01a\x00\x01b\x1F\x00\x02ok")
    }),
    // 5.0, 3.4.2.1: the reason code may be left out when it is 0x00.
    ("acknowledgements with their reason code", Mqtt, || {
        Box::new(Rewrite::mqtt(|level, frame| {
            let acknowledges = matches!(frame[0] >> 4, 4..=7);
            if level == 5 && acknowledges && body(&frame).len() == 2 {
                packet(frame[0], &[body(&frame), &[0]].concat())
            } else {
                frame
            }
        }))
    }),
    // 5.0, 3.2.2.3: the broker's to announce.
    ("session expiry 0", Mqtt, || connack(&[0x11, 0, 0, 0, 0])),
    ("receive maximum 1", Mqtt, || connack(&[0x21, 0, 1])),
    ("maximum QoS 0", Mqtt, || connack(&[0x24, 0])),
    ("maximum QoS 1", Mqtt, || connack(&[0x24, 1])),
    ("retain not available", Mqtt, || connack(&[0x25, 0])),
    ("maximum packet size 300", Mqtt, || {
        connack(&[0x27, 0, 0, 1, 44])
    }),
    ("topic alias maximum 1", Mqtt, topic_alias_maximum_1),
    ("no wildcards, identifiers and shares", Mqtt, || {
        connack(&[0x28, 0, 0x29, 0, 0x2A, 0])
    }),
    // 5.0, 4.13: a DISCONNECT before the end is a SHOULD.
    ("no DISCONNECT from the broker", Mqtt, || {
        Box::new(Rewrite::new(Mqtt.framing(), |frame| {
            if frame[0] == 0xE0 { Vec::new() } else { frame }
        }))
    }),
    // 4.6: what is in order is in order within its topic.
    ("newer topics first", Mqtt, || {
        Box::new(NewerFirst(Cutter::new(Mqtt.framing())))
    }),
    // 2.2.1: the sender's to choose.
    ("other packet identifiers", Mqtt, other_packet_identifiers),
    // 4.2.7: a heart-beat may come at any time.
    ("heart-beats between the frames", Amqp, || {
        let mut open = false;
        Box::new(Rewrite::new(Amqp.framing(), move |mut frame| {
            let before = open;
            open |= method(&frame) == Some((10, 41));
            if before {
                frame.splice(..0, *b"\x08\x00\x00\x00\x00\x00\x00\xCE");
            }
            frame
        }))
    }),
    // delivery-tag: the server's to assign.
    ("delivery tags from 1001", Amqp, other_delivery_tags),
    // connection.tune: the server's to propose.
    ("channel-max 1", Amqp, || tune(11, &[0, 1])),
    ("channel-max 2", Amqp, || tune(11, &[0, 2])),
    ("frame-max 4096", Amqp, || tune(13, &[0, 0, 16, 0])),
    // 2.3.5.2: as many frames as the server likes.
    ("bodies in small frames", Amqp, || {
        Box::new(Rewrite::new(Amqp.framing(), |frame| {
            if frame[0] != 3 {
                return frame;
            }
            let payload = &frame[7..frame.len() - 1];
            let parts = payload.chunks(payload.len().div_ceil(3).max(1));
            parts
                .flat_map(|part| {
                    let length = (part.len() as u32).to_be_bytes();
                    [&frame[..3], &length, part, &[0xCE]].concat()
                })
                .collect()
        }))
    }),
    // connection.close and channel.close: any reply-text.
    ("other reply texts", Amqp, || {
        Box::new(Rewrite::new(Amqp.framing(), |frame| {
            if !matches!(method(&frame), Some((10, 50) | (20, 40))) {
                return frame;
            }
            let text = usize::from(frame[13]);
            let rest = &frame[14 + text..frame.len() - 1];
            let payload = [&frame[7..13], b"\x02no", rest].concat();
            let length = (payload.len() as u32).to_be_bytes();
            [&frame[..3], &length, &payload, &[0xCE]].concat()
        }))
    }),
    // 1.2, Augmented BNF: end-of-lines between frames.
    ("end-of-lines between the frames", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            [&b"\n\n"[..], &frame].concat()
        }))
    }),
    // 1.2, Standard Headers and MESSAGE: user-defined headers.
    ("more headers", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            header(&frame, "x-more:1")
        }))
    }),
    // content-length: SHOULD, and only for a body with a NUL a need.
    ("no content-length", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            if frame[..frame.len() - 1].contains(&0) {
                frame
            } else {
                without(&frame, "content-length:")
            }
        }))
    }),
    // server and session: MAY.
    ("no server and session", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            without(&frame, "server:")
        }))
    }),
    // message: the broker's words.
    ("other words in ERROR", Stomp, || {
        Box::new(Rewrite::new(Stomp.framing(), |frame| {
            if command(&frame) == b"ERROR" {
                header(&without(&frame, "message:"), "message:no")
            } else {
                frame
            }
        }))
    }),
];

#[test]
fn what_a_broker_may_do_fails_no_case() {
    let all = [VARIANTS, unusual::VARIANTS, choice::VARIANTS];
    let count = all.iter().map(|variants| variants.len()).sum::<usize>();
    let next = Mutex::new(all.into_iter().flatten());
    let found = Mutex::new((0, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(variant) = next.lock().unwrap().next() else {
                        break;
                    };
                    let (cases, wrong) = failures(variant);
                    let mut found = found.lock().unwrap();
                    found.0 += cases;
                    found.1.extend(wrong);
                }
            });
        }
    });
    let (asked, wrong) = found.into_inner().unwrap();
    figure(&format!(
        "{count} legal variants, {asked} cases asked, {} judged wrongly",
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// That what is announced is kept: the man in the middle announces less, and keeps
/// the broker to none of it.
const OF_ANNOUNCEMENTS: [&str; 3] = [
    "mqtt5/*/maximum-qos-*",
    "mqtt5/*/will-qos-above-the-maximum*",
    "mqtt5/*/*-not-available*",
];

/// A broker that keeps the rules answers at once, but for one that shares a busy machine.
const PATIENT: [&str; 4] = ["--timeout", "20", "--deadline", "120"];

/// How many cases were asked, and which failed without a reason.
fn failures(&(name, protocol, make): &Variant) -> (usize, Vec<String>) {
    let url = through(protocol, make);
    let expect = concat!(env!("CARGO_MANIFEST_DIR"), "/expect/reference.toml");
    let mut args = vec!["--jobs", "64", "--format", "json", "--expect", expect, &url];
    args.extend(PATIENT);
    args.extend(BESIDE);
    args.extend(OF_ANNOUNCEMENTS.iter().flat_map(|id| ["--skip", *id]));
    let output = mqspec(&args);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{name}: {}", crate::stderr(&output)));
    let cases = value["cases"].as_array().unwrap();
    let mut wrong: Vec<String> = cases
        .iter()
        .filter(|case| {
            let status = case["status"].as_str().unwrap();
            // A deviation of the reference broker may be hidden by the variant.
            let hidden = status == "unexpected" && case["verdict"] != "fail";
            !matches!(status, "pass" | "known" | "not-applicable" | "warn") && !hidden
        })
        .map(|case| {
            let [id, expected, seen, because] =
                ["id", "expected", "seen", "because"].map(|key| &case[key]);
            format!("{name}: {id}: {expected} {seen} {because}")
        })
        .collect();
    let findings = value["findings"].as_array().unwrap();
    wrong.extend(findings.iter().map(|finding| format!("{name}: {finding}")));
    (cases.len(), wrong)
}

fn paced(wait: u64, octets: bool) -> Box<dyn Between> {
    struct Paced(Pace);
    impl Between for Paced {
        fn pace(&self) -> Pace {
            self.0
        }
    }
    Box::new(Paced(Pace {
        wait: Duration::from_millis(wait),
        octets,
        stays: false,
    }))
}

/// These properties in a CONNACK of 5.0, instead of those of the same identifiers.
pub(crate) fn connack(properties: &'static [u8]) -> Box<dyn Between> {
    Box::new(Rewrite::mqtt(move |level, frame| {
        if level != 5 || frame[0] != 0x20 || body(&frame)[1] != 0 {
            return frame;
        }
        let body = body(&frame);
        let (length, at) = varint(&body[2..]).unwrap();
        // The reference broker announces numbers and no text, of this length each.
        let mut rest = &body[2 + at..2 + at + length];
        let mut all = properties.to_vec();
        while let Some(&id) = rest.first() {
            let size = match id {
                0x11 | 0x27 => 5,
                0x21 | 0x22 | 0x13 => 3,
                0x24 | 0x25 | 0x28 | 0x29 | 0x2A => 2,
                // A string, as the assigned client identifier.
                _ => 3 + usize::from(rest[2]),
            };
            if !properties.contains(&id) {
                all.extend(&rest[..size]);
            }
            rest = &rest[size..];
        }
        packet(0x20, &[&body[..2], &[all.len() as u8], &all].concat())
    }))
}

/// A broker that announces one topic alias keeps to that: a second one is as
/// far beyond its maximum as the largest.
fn topic_alias_maximum_1() -> Box<dyn Between> {
    struct One(Box<dyn Between>, Cutter);
    impl Between for One {
        fn up(&mut self, bytes: &[u8], back: &mut Vec<u8>) -> Vec<u8> {
            let mut up = Vec::new();
            for mut frame in self.1.cut(bytes) {
                let alias = frame.windows(3).position(|three| three == [0x23, 0, 2]);
                if let (0x30, Some(at)) = (frame[0], alias) {
                    frame[at + 1] = 0xFF;
                }
                up.extend(frame);
            }
            up.append(&mut self.1.buffer);
            self.0.up(&up, back)
        }

        fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
            self.0.down(bytes)
        }
    }
    Box::new(One(connack(&[0x22, 0, 1]), Cutter::new(Mqtt.framing())))
}

/// Answers PINGREQ itself, once the client is in.
struct EarlyPingresp {
    up: Cutter,
    down: Cutter,
    connected: bool,
    /// How many answers of the broker's are still to come, and not wanted.
    answered: u32,
}

impl Default for EarlyPingresp {
    fn default() -> Self {
        Self {
            up: Cutter::new(Mqtt.framing()),
            down: Cutter::new(Mqtt.framing()),
            connected: false,
            answered: 0,
        }
    }
}

impl Between for EarlyPingresp {
    fn up(&mut self, bytes: &[u8], back: &mut Vec<u8>) -> Vec<u8> {
        for frame in self.up.cut(bytes) {
            if frame == [0xC0, 0] && self.connected {
                back.extend([0xD0, 0]);
                self.answered += 1;
            }
        }
        bytes.to_vec()
    }

    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for frame in self.down.cut(bytes) {
            self.connected |= frame.starts_with(&[0x20]);
            if frame == [0xD0, 0] && self.answered > 0 {
                self.answered -= 1;
            } else {
                out.extend(frame);
            }
        }
        out
    }
}

/// Of what comes at once, PUBLISHes of QoS 0 to newer topics come first.
struct NewerFirst(Cutter);

impl Between for NewerFirst {
    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut frames = self.0.cut(bytes);
        let topic = |frame: &[u8]| {
            let body = body(frame);
            body[..2 + usize::from(body[1])].to_vec()
        };
        for at in 1..frames.len() {
            let messages = [at - 1, at].map(|at| frames[at][0] & 0xFE == 0x30);
            if messages == [true; 2] && topic(&frames[at - 1]) != topic(&frames[at]) {
                frames.swap(at - 1, at);
            }
        }
        frames.concat()
    }
}

/// Adds 1000 to the packet identifiers of the broker's own messages.
fn other_packet_identifiers() -> Box<dyn Between> {
    const MORE: u16 = 1000;
    let identifier = |frame: &[u8], at: usize, change: &dyn Fn(u16) -> u16| {
        let mut body = body(frame).to_vec();
        if let Some(two) = body.get_mut(at..at + 2) {
            let changed = change(u16::from_be_bytes([two[0], two[1]]));
            two.copy_from_slice(&changed.to_be_bytes());
        }
        packet(frame[0], &body)
    };
    Box::new(
        Rewrite::new(Mqtt.framing(), move |frame| match frame[0] >> 4 {
            3 if frame[0] & 6 != 0 => {
                let topic = usize::from(body(&frame)[1]);
                identifier(&frame, 2 + topic, &|id| id + MORE)
            }
            6 => identifier(&frame, 0, &|id| id + MORE),
            _ => frame,
        })
        .up(move |frame| match (frame[0], body(&frame).len()) {
            // Of the right form; what is of another one is passed on.
            (0x40 | 0x50 | 0x70, 2..) => identifier(&frame, 0, &|id| id.saturating_sub(MORE)),
            _ => frame,
        }),
    )
}

/// Adds 1000 to delivery tags, of basic.deliver, get-ok and confirms too.
fn other_delivery_tags() -> Box<dyn Between> {
    const MORE: u64 = 1000;
    let tag = |mut frame: Vec<u8>, at: usize, change: &dyn Fn(u64) -> u64| {
        let eight: [u8; 8] = frame[at..at + 8].try_into().unwrap();
        let changed = change(u64::from_be_bytes(eight));
        frame[at..at + 8].copy_from_slice(&changed.to_be_bytes());
        frame
    };
    Box::new(
        Rewrite::new(Amqp.framing(), move |frame| match method(&frame) {
            Some((60, 60)) => {
                let at = 12 + usize::from(frame[11]);
                tag(frame, at, &|tag| tag + MORE)
            }
            Some((60, 71)) => tag(frame, 11, &|tag| tag + MORE),
            _ => frame,
        })
        .up(move |frame| match method(&frame) {
            Some((60, 80 | 90 | 120)) if frame.len() == 21 => tag(frame, 11, &|tag| match tag {
                // All so far, or one that there is not.
                0..=MORE => tag,
                _ => tag - MORE,
            }),
            _ => frame,
        }),
    )
}

/// Another limit in connection.tune. An answer above it goes to the reference
/// broker as one above its own, so that it is refused all the same.
fn tune(at: usize, bytes: &'static [u8]) -> Box<dyn Between> {
    let here = at..at + bytes.len();
    let there = here.clone();
    Box::new(
        Rewrite::new(Amqp.framing(), move |mut frame| {
            if method(&frame) == Some((10, 30)) {
                frame[here.clone()].copy_from_slice(bytes);
            }
            frame
        })
        .up(move |mut frame| {
            if method(&frame) == Some((10, 31)) && frame[there.clone()] > *bytes {
                frame[there.clone()].fill(0xFF);
            }
            frame
        }),
    )
}

/// With one header more.
pub(crate) fn header(frame: &[u8], line: &str) -> Vec<u8> {
    match frame.windows(2).position(|two| two == b"\n\n") {
        Some(head) => [&frame[..=head], line.as_bytes(), b"\n", &frame[head + 1..]].concat(),
        None => frame.to_vec(),
    }
}

/// Without the header that begins like this.
pub(crate) fn without(frame: &[u8], prefix: &str) -> Vec<u8> {
    let Some(head) = frame.windows(2).position(|two| two == b"\n\n") else {
        return frame.to_vec();
    };
    let lines = frame[..=head]
        .split_inclusive(|&b| b == b'\n')
        .filter(|line| !line.starts_with(prefix.as_bytes()));
    let mut bytes: Vec<u8> = lines.flatten().copied().collect();
    bytes.extend(&frame[head + 1..]);
    bytes
}
