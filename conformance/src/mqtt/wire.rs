//! MQTT packets as bytes, written from the specification and without the
//! workspace's codec, and one client's conversation.

use std::fmt;

use crate::case::Context;
use crate::transcript::hex_line;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::{Parsed, Seen, Wire};

/// Packet types, in the upper half of the first byte (2.1.2).
pub(super) const CONNACK: u8 = 2;
pub(super) const PINGREQ: &[u8] = &[0xC0, 0x00];
pub(super) const PINGRESP: u8 = 13;

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

/// The protocol level in CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V311 = 4,
    V5 = 5,
}

/// The bytes of a packet: first byte, remaining length, and the rest.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = length > 0x7F;
        bytes.push((length & 0x7F) as u8 | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// A string or binary with its two-byte length.
pub(super) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text);
    bytes
}

/// A CONNECT with a clean start, the target's credentials and these bits
/// besides in the connect flags.
pub(super) fn connect(ctx: &Context<'_>, version: Version, client_id: &str, flags: u8) -> Vec<u8> {
    let (user, password) = (&ctx.target.user, &ctx.target.password);
    let flags = flags
        | 0x02
        | if user.is_some() { 0x80 } else { 0 }
        | if password.is_some() { 0x40 } else { 0 };
    let mut body = string("MQTT");
    body.extend([version as u8, flags, 0, 60]);
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(string(client_id));
    for field in [user, password].into_iter().flatten() {
        body.extend(string(field));
    }
    packet(0x10, &body)
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
}

/// `CONNACK [20 02 00 00]`
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = packet(self.first, &self.body);
        write!(
            f,
            "{} [{}]",
            NAMES[usize::from(self.kind())],
            hex_line(&bytes)
        )
    }
}

fn parse_packet(bytes: &[u8]) -> Parsed<Packet> {
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

/// One client's connection, up to where the case takes over.
pub(super) struct Client {
    pub(super) wire: Wire,
}

impl Client {
    /// A TCP connection without a CONNECT.
    pub(super) fn new(ctx: &Context<'_>) -> Result<Self, Stop> {
        Ok(Self {
            wire: ctx.connect()?,
        })
    }

    /// Connects, and stops with "not applicable" when the broker answers that
    /// it does not know this version.
    pub(super) fn connected(ctx: &Context<'_>, version: Version) -> Result<Self, Stop> {
        let mut client = Self::new(ctx)?;
        client.wire.send(&connect(ctx, version, &ctx.name("c"), 0));
        let expected = "CONNACK with success after a correct CONNECT";
        match client.next()? {
            Seen::Frame(p) if p.kind() == CONNACK && p.body.get(1) == Some(&0) => Ok(client),
            // 0x01 in 3.1.1, 0x84 in 5.0: unacceptable protocol version.
            Seen::Frame(p) if p.kind() == CONNACK && matches!(p.body.get(1), Some(0x01 | 0x84)) => {
                Err(not_applicable(format!(
                    "the broker refuses this version: {p}"
                )))
            }
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Result<Seen<Packet>, Stop> {
        self.wire.next(parse_packet)
    }

    /// A packet of this type next.
    pub(super) fn expect(&mut self, kind: u8, expected: &str) -> Result<Packet, Stop> {
        match self.next()? {
            Seen::Frame(packet) if packet.kind() == kind => Ok(packet),
            other => Err(fail(expected, other.to_string())),
        }
    }
}
