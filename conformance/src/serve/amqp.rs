//! How a broker of AMQP 0-9-1 can misbehave.

use super::frame::method;
use super::{After, Fault, Wrong, change, each};

/// Class and method.
type Method = (u8, u8);

const START: Method = (10, 10);
const TUNE: Method = (10, 30);
const OPEN_OK: Method = (10, 41);
const CONNECTION_CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN_OK: Method = (20, 11);
const DECLARE_OK: Method = (50, 11);
const CONSUME_OK: Method = (60, 21);
const DELIVER: Method = (60, 60);
const GET_OK: Method = (60, 71);
const ACK: Method = (60, 80);

const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

const FRAME_END: u8 = 0xCE;

/// Where the arguments of a method begin in its frame.
const ARGUMENTS: usize = 11;

/// What a frame is, in words.
pub(super) fn name(frame: &[u8]) -> String {
    if frame.starts_with(b"AMQP") {
        return "the protocol header".into();
    }
    match (method(frame), frame.first()) {
        (Some((class, method)), _) => crate::amqp::method_name((class.into(), method.into())),
        (None, Some(&HEADER)) => "a content header".into(),
        (None, Some(&BODY)) => "a content body".into(),
        (None, Some(&HEARTBEAT)) => "a heart-beat".into(),
        _ => "a frame of no type".into(),
    }
}

fn is(wanted: Method) -> impl Fn(&[u8]) -> bool {
    move |frame| method(frame) == Some(wanted)
}

fn is_kind(kind: u8) -> impl Fn(&[u8]) -> bool {
    move |frame| frame[0] == kind
}

/// A frame of this type on this channel.
fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(FRAME_END);
    bytes
}

fn channel(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[1], frame[2]])
}

/// This method never comes.
fn lost(wanted: Method) -> Wrong {
    change(is(wanted), Vec::clear)
}

/// One byte of the arguments is replaced.
fn with_byte(wanted: Method, at: usize, value: u8) -> Wrong {
    change(is(wanted), move |frame| {
        if let Some(byte) = frame.get_mut(ARGUMENTS + at) {
            *byte = value;
        }
    })
}

/// This frame comes after each of the method, on its channel.
fn followed_by(wanted: Method, kind: u8, payload: &'static [u8]) -> Wrong {
    change(is(wanted), move |bytes| {
        let more = frame(kind, channel(bytes), payload);
        bytes.extend(more);
    })
}

/// The payload of a frame is replaced.
fn with_payload(bytes: &mut Vec<u8>, payload: &[u8]) {
    *bytes = frame(bytes[0], channel(bytes), payload);
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "start-missing",
        rule: "section 4.2.2",
        broker: "never answers the protocol header",
        client: "gives up after a time of its own, and says so",
        make: || lost(START),
    },
    Fault {
        name: "start-version-1",
        rule: "connection / start / client-support",
        broker: "proposes version 1-9 in connection.start",
        client: "closes the connection, and sends no start-ok",
        make: || with_byte(START, 0, 1),
    },
    Fault {
        name: "start-no-mechanism",
        rule: "connection / start-ok / mechanism / validity",
        broker: "offers no mechanism that a client knows: X-NONE",
        client: "says that it cannot log in, and sends no start-ok",
        make: || {
            change(is(START), |bytes| {
                // Mechanisms and locales are the last two long strings.
                let mut payload = bytes[7..13].to_vec();
                payload.extend([0, 0, 0, 0]);
                for text in ["X-NONE", "en_US"] {
                    payload.extend((text.len() as u32).to_be_bytes());
                    payload.extend(text.bytes());
                }
                with_payload(bytes, &payload);
            })
        },
    },
    Fault {
        name: "tune-frame-max-16",
        rule: "connection / tune / frame-max / minimum",
        broker: "proposes a frame-max of 16, where 4096 is the least",
        client: "closes the connection, or asks for 4096 and says why that fails",
        make: || {
            change(is(TUNE), |bytes| {
                bytes[ARGUMENTS + 2..ARGUMENTS + 6].copy_from_slice(&[0, 0, 0, 16]);
            })
        },
    },
    Fault {
        name: "tune-missing",
        rule: "section 2.2.4",
        broker: "never answers start-ok",
        client: "gives up after a time of its own, and says so",
        make: || lost(TUNE),
    },
    Fault {
        name: "heart-beats-missing",
        rule: "section 4.2.7",
        broker: "proposes heart-beats each second, and sends none",
        client: "closes the connection after two or three seconds",
        make: || {
            each(|mut bytes| {
                if is(TUNE)(&bytes) {
                    bytes[ARGUMENTS + 6..ARGUMENTS + 8].copy_from_slice(&[0, 1]);
                    After::Same(bytes)
                } else if is_kind(HEARTBEAT)(&bytes) {
                    After::Instead(Vec::new())
                } else {
                    After::Same(bytes)
                }
            })
        },
    },
    Fault {
        name: "open-ok-missing",
        rule: "connection / open",
        broker: "never answers connection.open",
        client: "gives up after a time of its own, and says so",
        make: || lost(OPEN_OK),
    },
    Fault {
        name: "connection-close-after-open",
        rule: "connection / close",
        broker: "closes each connection with 320 once a channel is open",
        client: "answers with close-ok, says 320 and the text, and does not spin",
        make: || {
            change(is(CHANNEL_OPEN_OK), |bytes| {
                let mut payload = vec![0, 10, 0, 50, 1, 64, 6];
                payload.extend(b"forced");
                payload.extend([0, 0, 0, 0]);
                let close = frame(1, 0, &payload);
                bytes.extend(close);
            })
        },
    },
    Fault {
        name: "close-ok-missing",
        rule: "connection / close",
        broker: "never answers connection.close",
        client: "closes the socket after a time of its own",
        make: || lost(CONNECTION_CLOSE_OK),
    },
    Fault {
        name: "channel-open-ok-missing",
        rule: "channel / open",
        broker: "never answers channel.open",
        client: "gives up after a time of its own, and serves other channels meanwhile",
        make: || lost(CHANNEL_OPEN_OK),
    },
    Fault {
        name: "channel-close-404",
        rule: "channel / close",
        broker: "closes the channel with 404 after each queue.declare-ok",
        client: "answers with close-ok, says 404 and the text, and keeps the connection",
        make: || {
            followed_by(
                DECLARE_OK,
                1,
                b"\x00\x14\x00\x28\x01\x94\x04gone\x00\x00\x00\x00",
            )
        },
    },
    Fault {
        name: "frame-end-wrong",
        rule: "section 4.2.3 / frame-end",
        broker: "ends queue.declare-ok with 00 in place of CE",
        client: "closes the connection without another word",
        make: || {
            change(is(DECLARE_OK), |bytes| {
                if let Some(end) = bytes.last_mut() {
                    *end = 0;
                }
            })
        },
    },
    Fault {
        name: "frame-of-no-type",
        rule: "section 4.2.3 / type and end are checked",
        broker: "sends a frame of type 9 after queue.declare-ok",
        client: "closes the connection",
        make: || followed_by(DECLARE_OK, 9, b"?"),
    },
    Fault {
        name: "frame-on-no-channel",
        rule: "constant channel-error",
        broker: "sends a method on channel 999, which nobody has opened",
        client: "closes the connection with 504, and does not end by an exception",
        make: || {
            change(is(DECLARE_OK), |bytes| {
                let flow = frame(1, 999, b"\x00\x14\x00\x14\x01");
                bytes.extend(flow);
            })
        },
    },
    Fault {
        name: "frame-announced-1-gib",
        rule: "section 4.2.3 / size and channel",
        broker: "announces a frame of 1 GiB, far above frame-max",
        client: "closes the connection with 501, and does not take the memory",
        make: || {
            change(is(DECLARE_OK), |bytes| {
                bytes.extend([3, 0, 1, 0x40, 0, 0, 0, b'x']);
            })
        },
    },
    Fault {
        name: "method-unknown",
        rule: "constants command-invalid, not-implemented",
        broker: "sends method 50.99 after queue.declare-ok",
        client: "closes the connection with 503 or 540",
        make: || followed_by(DECLARE_OK, 1, b"\x00\x32\x00\x63"),
    },
    Fault {
        name: "method-cut-short",
        rule: "constants frame-error, syntax-error",
        broker: "sends queue.declare-ok without its last field",
        client: "closes the connection with 501 or 502, and does not end by an exception",
        make: || {
            change(is(DECLARE_OK), |bytes| {
                let payload = bytes[7..bytes.len() - 5].to_vec();
                with_payload(bytes, &payload);
            })
        },
    },
    Fault {
        name: "consume-ok-other-tag",
        rule: "basic / consume / consumer-tag",
        broker: "names another consumer tag in consume-ok than the one that was asked for",
        client: "says so, or takes the tag that the broker gives",
        make: || with_byte(CONSUME_OK, 1, b'~'),
    },
    Fault {
        name: "deliver-unknown-tag",
        rule: "basic / deliver",
        broker: "delivers to a consumer tag that does not exist",
        client: "closes the channel or the connection, and does not lose the message in silence",
        make: || with_byte(DELIVER, 1, b'~'),
    },
    Fault {
        name: "delivery-tag-0",
        rule: "delivery-tag / non-zero",
        broker: "delivers with the delivery tag 0",
        client: "closes the connection, and does not acknowledge everything",
        make: || {
            change(
                |frame| is(DELIVER)(frame) || is(GET_OK)(frame),
                |bytes| {
                    let at = match method(bytes) {
                        Some(DELIVER) => ARGUMENTS + 1 + usize::from(bytes[ARGUMENTS]),
                        _ => ARGUMENTS,
                    };
                    if let Some(tag) = bytes.get_mut(at..at + 8) {
                        tag.fill(0);
                    }
                },
            )
        },
    },
    Fault {
        name: "body-too-long",
        rule: "section 4.2.6 / incomplete content",
        broker: "sends more bytes of body than the content header says",
        client: "closes the connection with 501 or 505",
        make: || {
            change(is_kind(BODY), |bytes| {
                let payload = [&bytes[7..bytes.len() - 1], b"more"].concat();
                with_payload(bytes, &payload);
            })
        },
    },
    Fault {
        name: "body-missing",
        rule: "section 4.2.6 / incomplete content",
        broker: "sends a content header, and a method in place of the body",
        client: "closes the connection with 505",
        make: || {
            change(is_kind(BODY), |bytes| {
                *bytes = frame(1, channel(bytes), b"\x00\x3C\x00\x48\x00");
            })
        },
    },
    Fault {
        name: "body-before-header",
        rule: "section 4.2.6 / incomplete content",
        broker: "sends the body without a content header",
        client: "closes the connection with 505",
        make: || change(is_kind(HEADER), Vec::clear),
    },
    Fault {
        name: "confirm-missing",
        rule: "capability publisher_confirms",
        broker: "never confirms a message",
        client: "does not take it for confirmed, and lets the user wait for so long only",
        make: || lost(ACK),
    },
    Fault {
        name: "confirm-negative",
        rule: "capability publisher_confirms",
        broker: "answers each message with basic.nack in place of basic.ack",
        client: "says that the message was refused",
        make: || with_method(ACK, 120),
    },
    Fault {
        name: "confirm-unknown-tag",
        rule: "capability publisher_confirms",
        broker: "confirms a tag that was never published",
        client: "does not take its own message for confirmed, and does not end by an exception",
        make: || with_byte(ACK, 6, 0x7F),
    },
    Fault {
        name: "cut-short",
        rule: "section 2.3.7",
        broker: "closes the socket in the middle of a delivery",
        client: "says that the connection is lost, and does not deliver what has come",
        make: || {
            each(|mut bytes| {
                if is_kind(BODY)(&bytes) {
                    bytes.truncate(bytes.len() - 1);
                    After::Last(bytes)
                } else {
                    After::Same(bytes)
                }
            })
        },
    },
    Fault {
        name: "octet-by-octet",
        rule: "section 4.2.3",
        broker: "sends what it sends one byte at a time, which is right",
        client: "does not notice",
        make: || Wrong {
            octets: true,
            ..each(After::Same)
        },
    },
];

/// The method is another one of its class.
fn with_method(wanted: Method, method: u8) -> Wrong {
    change(is(wanted), move |bytes| bytes[10] = method)
}
