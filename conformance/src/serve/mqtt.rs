//! How a broker of MQTT can misbehave.

use super::frame::{body, packet};
use super::{After, Fault, Wrong, change, each};

const NAMES: [&str; 16] = [
    "a packet of type 0",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBACK: u8 = 9;
const UNSUBACK: u8 = 11;
const PINGRESP: u8 = 13;

/// The name of a packet's type.
pub(super) fn name(packet: &[u8]) -> String {
    let kind = packet.first().map_or(0, |first| first >> 4);
    NAMES[usize::from(kind)].to_owned()
}

fn is(kind: u8) -> impl Fn(&[u8]) -> bool {
    move |packet| packet[0] >> 4 == kind
}

/// Packets of this type never come.
fn lost(kind: u8) -> Wrong {
    change(is(kind), Vec::clear)
}

/// The body of packets of this type is changed.
fn with_body(kind: u8, edit: fn(&mut Vec<u8>)) -> Wrong {
    change(is(kind), move |whole| {
        let mut inside = body(whole).to_vec();
        edit(&mut inside);
        *whole = packet(whole[0], &inside);
    })
}

/// The packet identifier is another one.
fn other_identifier(body: &mut [u8]) {
    if let Some(low) = body.get_mut(1) {
        *low ^= 0x55;
    }
}

/// These bytes come after each packet of this type.
fn followed_by(kind: u8, bytes: &'static [u8]) -> Wrong {
    change(is(kind), move |packet| packet.extend(bytes))
}

/// The topic of a PUBLISH is replaced.
fn topic(body: &mut Vec<u8>, topic: &[u8]) {
    let Some(length) = body.first_chunk::<2>() else {
        return;
    };
    let end = (2 + usize::from(u16::from_be_bytes(*length))).min(body.len());
    let new = [&(topic.len() as u16).to_be_bytes()[..], topic].concat();
    body.splice(..end, new);
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "connack-missing",
        rule: "3.1.4",
        broker: "never answers a CONNECT",
        client: "gives up after a time of its own, and says so",
        make: || lost(CONNACK),
    },
    Fault {
        name: "connack-reserved-bits",
        rule: "MQTT-3.2.2-1",
        broker: "sets reserved bits of the connect acknowledge flags",
        client: "closes the connection",
        make: || with_body(CONNACK, |body| body[0] |= 0xFE),
    },
    Fault {
        name: "connack-session-present",
        rule: "MQTT-3.2.2-2, MQTT-3.2.2-4",
        broker: "says that it has a session, to a client that asked for a clean one",
        client: "closes the connection",
        make: || with_body(CONNACK, |body| body[0] = 1),
    },
    Fault {
        name: "connack-unknown-code",
        rule: "3.2.2.3 of 3.1.1, 3.2.2.2 of 5.0",
        broker: "answers a CONNECT with the code 0x2A, which does not exist",
        client: "does not take itself for connected, and says why",
        make: || with_body(CONNACK, |body| body[1] = 0x2A),
    },
    Fault {
        name: "connack-twice",
        rule: "MQTT-3.2.0-2",
        broker: "sends each CONNACK twice",
        client: "closes the connection",
        make: || change(is(CONNACK), |packet| *packet = packet.repeat(2)),
    },
    Fault {
        name: "close-after-connack",
        rule: "4.8",
        broker: "closes the connection after the CONNACK, each time",
        client: "connects again, later and later, and does not spin",
        make: || {
            each(|frame| {
                if is(CONNACK)(&frame) {
                    After::Last(frame)
                } else {
                    After::Same(frame)
                }
            })
        },
    },
    Fault {
        name: "suback-missing",
        rule: "MQTT-3.8.4-1",
        broker: "never answers a SUBSCRIBE",
        client: "does not wait for ever, and takes what is published meanwhile",
        make: || lost(SUBACK),
    },
    Fault {
        name: "suback-other-identifier",
        rule: "MQTT-2.2.1-6",
        broker: "answers a SUBSCRIBE with another packet identifier",
        client: "does not take its subscription for acknowledged",
        make: || with_body(SUBACK, |body| other_identifier(body)),
    },
    Fault {
        name: "suback-more-codes",
        rule: "MQTT-3.9.3-1",
        broker: "acknowledges one filter more than there were",
        client: "closes the connection, or passes over the code that is too many",
        make: || with_body(SUBACK, |body| body.push(0)),
    },
    Fault {
        name: "suback-refused",
        rule: "3.9.3",
        broker: "refuses each subscription with 0x80",
        client: "says that it is not subscribed",
        make: || {
            with_body(SUBACK, |body| {
                if let Some(last) = body.last_mut() {
                    *last = 0x80;
                }
            })
        },
    },
    Fault {
        name: "unsuback-other-identifier",
        rule: "MQTT-2.2.1-6",
        broker: "answers an UNSUBSCRIBE with another packet identifier",
        client: "does not take its subscription for ended",
        make: || with_body(UNSUBACK, |body| other_identifier(body)),
    },
    Fault {
        name: "puback-missing",
        rule: "MQTT-4.3.2-4",
        broker: "never acknowledges a message of QoS 1",
        client: "keeps the message, and sends it again with DUP 1 when it has connected again",
        make: || lost(PUBACK),
    },
    Fault {
        name: "puback-other-identifier",
        rule: "MQTT-2.2.1-5",
        broker: "acknowledges a message of QoS 1 by another packet identifier",
        client: "does not take its own message for acknowledged",
        make: || with_body(PUBACK, |body| other_identifier(body)),
    },
    Fault {
        name: "puback-twice",
        rule: "4.3.2",
        broker: "acknowledges each message of QoS 1 twice",
        client: "counts one, and gives the identifier to a new message no sooner",
        make: || change(is(PUBACK), |packet| *packet = packet.repeat(2)),
    },
    Fault {
        name: "pubrec-missing",
        rule: "MQTT-4.3.3-8",
        broker: "never answers a message of QoS 2",
        client: "keeps the message, and sends it again with DUP 1 when it has connected again",
        make: || lost(PUBREC),
    },
    Fault {
        name: "pubcomp-missing",
        rule: "MQTT-4.3.3-11",
        broker: "never answers a PUBREL",
        client: "keeps the identifier in use, and sends PUBREL again when it has connected again",
        make: || lost(PUBCOMP),
    },
    Fault {
        name: "pubrel-twice",
        rule: "4.3.3",
        broker: "sends each PUBREL twice",
        client: "answers both with PUBCOMP, and delivers the message once",
        make: || change(is(PUBREL), |packet| *packet = packet.repeat(2)),
    },
    Fault {
        name: "publish-qos-3",
        rule: "MQTT-3.3.1-4",
        broker: "sends messages with QoS 3",
        client: "closes the connection",
        make: || change(is(PUBLISH), |packet| packet[0] |= 0x06),
    },
    Fault {
        name: "publish-dup-qos-0",
        rule: "MQTT-3.3.1-2",
        broker: "sends messages with QoS 0 and DUP 1",
        client: "closes the connection, or takes the message",
        make: || {
            change(
                |packet| is(PUBLISH)(packet) && packet[0] & 0x06 == 0,
                |packet| packet[0] |= 0x08,
            )
        },
    },
    Fault {
        name: "publish-twice",
        rule: "MQTT-4.3.3-10",
        broker: "sends each message twice, the second time with DUP 1 where that may be",
        client: "delivers one of QoS 2 once",
        make: || {
            change(is(PUBLISH), |packet| {
                let mut again = packet.clone();
                if again[0] & 0x06 != 0 {
                    again[0] |= 0x08;
                }
                packet.extend(again);
            })
        },
    },
    Fault {
        name: "publish-topic-with-wildcard",
        rule: "MQTT-3.3.2-2",
        broker: "sends messages to the topic a/#",
        client: "closes the connection",
        make: || with_body(PUBLISH, |body| topic(body, b"a/#")),
    },
    Fault {
        name: "publish-topic-empty",
        rule: "MQTT-4.7.3-1, 3.3.2.3.4 of 5.0",
        broker: "sends messages to an empty topic, without a topic alias",
        client: "closes the connection",
        make: || with_body(PUBLISH, |body| topic(body, b"")),
    },
    Fault {
        name: "publish-topic-not-utf8",
        rule: "MQTT-1.5.3-1 of 3.1.1, MQTT-1.5.4-1 of 5.0",
        broker: "sends messages to a topic that is not UTF-8",
        client: "closes the connection, and does not end by an exception",
        make: || with_body(PUBLISH, |body| topic(body, b"a/\xFF\xFE")),
    },
    Fault {
        name: "publish-topic-past-the-end",
        rule: "MQTT-4.13.1-1",
        broker: "sends messages whose topic is longer than the packet",
        client: "closes the connection, and does not end by an exception",
        make: || with_body(PUBLISH, |body| body[0] = 0xFF),
    },
    Fault {
        name: "publish-cut-short",
        rule: "4.8",
        broker: "closes the connection in the middle of a message",
        client: "does not deliver what has come, and connects again",
        make: || {
            each(|mut frame| {
                if is(PUBLISH)(&frame) {
                    frame.truncate(frame.len() - 1);
                    After::Last(frame)
                } else {
                    After::Same(frame)
                }
            })
        },
    },
    Fault {
        name: "publish-announced-256-mib",
        rule: "MQTT-3.1.2-24",
        broker: "announces a message of 268,435,455 bytes, and sends no more of it",
        client: "does not take the memory, and gives up when its keep alive is over",
        make: || {
            change(is(PUBLISH), |packet| {
                *packet = vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x01, b't'];
            })
        },
    },
    Fault {
        name: "pingresp-missing",
        rule: "MQTT-3.12.4-1",
        broker: "never answers a PINGREQ",
        client: "closes the connection after a reasonable time, and connects again",
        make: || lost(PINGRESP),
    },
    Fault {
        name: "packet-of-type-0",
        rule: "MQTT-4.13.1-1",
        broker: "sends a packet of type 0 after the SUBACK",
        client: "closes the connection",
        make: || followed_by(SUBACK, &[0x00, 0x00]),
    },
    Fault {
        name: "pingreq-from-the-broker",
        rule: "MQTT-4.13.1-1",
        broker: "sends a PINGREQ, which is a client's, after the SUBACK",
        client: "closes the connection, and does not answer",
        make: || followed_by(SUBACK, &[0xC0, 0x00]),
    },
    Fault {
        name: "remaining-length-of-five-bytes",
        rule: "2.2.3 of 3.1.1, 1.5.5 of 5.0",
        broker: "sends a remaining length of five bytes after the SUBACK",
        client: "closes the connection",
        make: || followed_by(SUBACK, &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
    },
    Fault {
        name: "octet-by-octet",
        rule: "4.2",
        broker: "sends what it sends one byte at a time, which is right",
        client: "does not notice",
        make: || Wrong {
            octets: true,
            ..each(After::Same)
        },
    },
];
