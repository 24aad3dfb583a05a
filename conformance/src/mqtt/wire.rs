//! MQTT packets as bytes, written from the specification and without the
//! workspace's codec.

use std::fmt;

use crate::transcript::hex_line;
use crate::wire::Parsed;

/// Packet types, in the upper half of the first byte (2.1.2).
pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const SUBACK: u8 = 9;
pub(super) const UNSUBACK: u8 = 11;
pub(super) const PINGRESP: u8 = 13;
pub(super) const DISCONNECT: u8 = 14;
pub(super) const AUTH: u8 = 15;

pub(super) const PING: &[u8] = &[0xC0, 0x00];
/// A normal disconnection, in every version.
pub(super) const GOODBYE: &[u8] = &[0xE0, 0x00];

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

/// The name of a packet type.
pub(super) fn name(kind: u8) -> &'static str {
    NAMES[usize::from(kind & 0x0F)]
}

/// The protocol level in CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V31 = 3,
    V311 = 4,
    V5 = 5,
}

/// A variable byte integer in its shortest form (1.5.5).
pub(super) fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = value > 0x7F;
        bytes.push((value & 0x7F) as u8 | if more { 0x80 } else { 0 });
        value >>= 7;
        if !more {
            return bytes;
        }
    }
}

/// The bytes of a packet: first byte, remaining length, and the rest.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first], &varint(body.len())[..], body].concat()
}

/// A string or binary with its two-byte length.
pub(super) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u16).to_be_bytes(), text].concat()
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP: `kind` is the first byte. The short form
/// means success in 5.0 too.
pub(super) fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

/// A CONNECT. The flags follow from the fields and `flags`.
#[derive(Clone, Debug)]
pub(super) struct Connect {
    pub(super) version: Version,
    pub(super) name: &'static str,
    pub(super) level: u8,
    /// Bits besides those that the other fields ask for.
    pub(super) flags: u8,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    /// The properties without their length; sent in 5.0 only.
    pub(super) properties: Vec<u8>,
    pub(super) client_id: Vec<u8>,
    pub(super) will: Option<Will>,
    pub(super) user: Option<Vec<u8>>,
    pub(super) password: Option<Vec<u8>>,
    /// Bytes after the payload.
    pub(super) trailing: Vec<u8>,
}

/// The will in a CONNECT.
#[derive(Clone, Debug, Default)]
pub(super) struct Will {
    pub(super) topic: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// Without their length; sent in 5.0 only.
    pub(super) properties: Vec<u8>,
}

impl Connect {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let v5 = self.version == Version::V5;
        let mut flags = self.flags | u8::from(self.clean) << 1;
        let mut payload = string(&self.client_id);
        if let Some(will) = &self.will {
            flags |= 0x04 | will.qos << 3 | u8::from(will.retain) << 5;
            if v5 {
                payload.extend(varint(will.properties.len()));
                payload.extend(&will.properties);
            }
            payload.extend(string(&will.topic));
            payload.extend(string(&will.payload));
        }
        for (field, flag) in [(&self.user, 0x80), (&self.password, 0x40)] {
            if let Some(field) = field {
                flags |= flag;
                payload.extend(string(field));
            }
        }
        let mut body = string(self.name);
        body.extend([self.level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if v5 {
            body.extend(varint(self.properties.len()));
            body.extend(&self.properties);
        }
        body.extend(payload);
        body.extend(&self.trailing);
        packet(0x10, &body)
    }
}

/// A PUBLISH.
#[derive(Clone, Debug)]
pub(super) struct Publish {
    pub(super) version: Version,
    pub(super) dup: bool,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) topic: Vec<u8>,
    /// Sent when the quality of service is not 0.
    pub(super) id: u16,
    /// Without their length; sent in 5.0 only.
    pub(super) properties: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Publish {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = string(&self.topic);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        if self.version == Version::V5 {
            body.extend(varint(self.properties.len()));
            body.extend(&self.properties);
        }
        body.extend(&self.payload);
        let first = 0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain);
        packet(first, &body)
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE up to its filters: packet identifier and, in
/// 5.0, properties.
pub(super) fn header(version: Version, id: u16, properties: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.extend(varint(properties.len()));
        body.extend(properties);
    }
    body
}

/// A SUBSCRIBE: filters with their options (in 3.1.1 the requested QoS).
pub(super) fn subscribe(
    version: Version,
    id: u16,
    properties: &[u8],
    filters: &[(&[u8], u8)],
) -> Vec<u8> {
    let mut body = header(version, id, properties);
    for (filter, options) in filters {
        body.extend(string(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

/// An UNSUBSCRIBE.
pub(super) fn unsubscribe(version: Version, id: u16, filters: &[&[u8]]) -> Vec<u8> {
    let mut body = header(version, id, &[]);
    for filter in filters {
        body.extend(string(filter));
    }
    packet(0xA2, &body)
}

/// A packet as it came.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Type and flags.
    pub(super) first: u8,
    /// What follows the remaining length.
    pub(super) body: Vec<u8>,
}

impl Packet {
    pub(super) fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// The packet identifier of an acknowledgement.
    pub(super) fn id(&self) -> Option<u16> {
        let id = self.body.first_chunk()?;
        Some(u16::from_be_bytes(*id))
    }
}

/// `CONNACK [20 02 00 00]`
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = packet(self.first, &self.body);
        write!(f, "{} [{}]", name(self.kind()), hex_line(&bytes))
    }
}

/// The first packet in `bytes`, for `Wire::next`.
pub(super) fn parse_packet(bytes: &[u8]) -> Parsed<Packet> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Parsed::Incomplete;
    };
    let mut length = 0;
    for (i, &byte) in rest.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return match rest.get(i + 1..i + 1 + length) {
                None => Parsed::Incomplete,
                Some(body) => Parsed::Whole(
                    Packet {
                        first,
                        body: body.to_vec(),
                    },
                    2 + i + length,
                ),
            };
        }
    }
    if rest.len() < 4 {
        Parsed::Incomplete
    } else {
        Parsed::Malformed("a remaining length of more than four bytes".into())
    }
}
