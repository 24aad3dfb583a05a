//! From bytes to packets: the fixed header (section 2.1), and which body belongs to it.

use super::body::Form;
use super::publish::PublishFlags;
use super::{Acknowledgement, Connect, Packet, PacketType, Publish, connect};
use crate::wire::{Fault, into_fault, variable_byte_integer_prefix};
use crate::{DecodeError, Limits, PacketIdentifier, ProtocolVersion, QoS, ReasonCode, Rule};

/// Takes the packet at the front of `input`: the packet and its length in bytes, or
/// `None` while more bytes are needed: see [`needed`].
///
/// `version` is what the connection speaks; CONNECT tells its own, and `version` is of
/// no account for it.
///
/// # Errors
/// The first rule that the packet breaks. What the fixed header breaks is told without
/// waiting for the rest of the packet.
#[inline]
pub fn decode<'a>(
    input: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
    // What connections are about goes the short way, and is made where it is wanted: a
    // packet is large to move.
    const CONNECT: u8 = PacketType::Connect.first_byte();
    match input.first() {
        Some(&first) if PacketType::Publish.is_of(first) => {
            match decode_publish(first, input, version, limits) {
                Ok(Some((publish, length))) => Ok(Some((Packet::Publish(publish), length))),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            }
        }
        Some(&CONNECT) => decode_connect(input, version, limits),
        _ => match decode_bare(input, limits) {
            Some(acknowledgement) => Ok(Some((acknowledgement, BARE_LENGTH))),
            None => decode_other(input, version, limits),
        },
    }
}

/// Bytes of an acknowledgement that has a packet identifier only.
const BARE_LENGTH: usize = 4;

/// [`decode`] of an acknowledgement of success without properties: the shortest form, which is
/// the same in each version, and that of nearly all of them.
#[inline]
fn decode_bare<'a>(input: &'a [u8], limits: &Limits) -> Option<Packet<'a>> {
    const PUBACK: u8 = PacketType::PubAck.first_byte();
    const PUBREC: u8 = PacketType::PubRec.first_byte();
    const PUBREL: u8 = PacketType::PubRel.first_byte();
    const PUBCOMP: u8 = PacketType::PubComp.first_byte();
    let [first, 2, high, low, ..] = *input else {
        return None;
    };
    let identifier = PacketIdentifier::new(u16::from_be_bytes([high, low]))?;
    if (limits.maximum_packet_size as usize) < BARE_LENGTH {
        return None;
    }
    let ack = Acknowledgement::new(identifier, ReasonCode::Success);
    Some(match first {
        PUBACK => Packet::PubAck(ack),
        PUBREC => Packet::PubRec(ack),
        PUBREL => Packet::PubRel(ack),
        PUBCOMP => Packet::PubComp(ack),
        _ => return None,
    })
}

/// [`decode`] of a PUBACK in that form: what a connection that sends receives most.
#[inline]
pub(crate) fn decode_bare_puback<'a>(
    input: &mut &'a [u8],
    limits: &Limits,
) -> Option<Acknowledgement<'a>> {
    match decode_bare(input, limits) {
        Some(Packet::PubAck(ack)) => {
            *input = &input[BARE_LENGTH..];
            Some(ack)
        }
        _ => None,
    }
}

/// [`decode`] of a PUBLISH, whose first byte is `first`.
#[inline]
pub(crate) fn decode_publish<'a>(
    first: u8,
    input: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Publish<'a>, usize)>, DecodeError> {
    let flags = match PublishFlags::parse(first, limits) {
        Ok(flags) => flags,
        Err(rule) => return Err(error(0, rule, version)),
    };
    let Some(length) = Length::parse(input, version, limits)? else {
        return Ok(None);
    };
    let Some(body) = length.body(input) else {
        return Ok(None);
    };
    match Publish::parse_all(flags, body, version, limits) {
        Ok(publish) => Ok(Some((publish, length.total))),
        Err(fault) => Err(error(length.total - fault.remaining, fault.rule, version)),
    }
}

/// How long a PUBLISH is, whose first byte is `first`; `None` while it cannot be told.
#[inline(never)]
pub(crate) fn publish_length(
    first: u8,
    input: &[u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<Length>, DecodeError> {
    PublishFlags::parse(first, limits).map_err(|rule| error(0, rule, version))?;
    Length::parse(input, version, limits)
}

/// How many bytes of a PUBLISH stand before its payload, by what its fields say of
/// themselves. A number larger than `input` is long: there are as many at least.
#[inline(never)]
pub(crate) fn publish_head_length(
    first: u8,
    length: Length,
    input: &[u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> usize {
    let body = input.get(length.header..).unwrap_or_default();
    let Some((topic_name, _)) = body.split_first_chunk() else {
        return length.header + 2;
    };
    let topic_name = usize::from(u16::from_be_bytes(*topic_name));
    let identified =
        PublishFlags::parse(first, limits).is_ok_and(|flags| flags.qos != QoS::AtMostOnce);
    let head = length.header + 2 + topic_name + if identified { 2 } else { 0 };
    if !version.has_properties() {
        return head;
    }
    let properties = input.get(head..).unwrap_or_default();
    head + match variable_byte_integer_prefix(properties) {
        Ok(Some((length, bytes))) => bytes + length as usize,
        Ok(None) => properties.len() + 1,
        // Decoding it tells what is wrong.
        Err(_) => 4,
    }
}

/// What stands before the payload of a PUBLISH, whose first byte is `first`: all of `head`.
#[inline(never)]
pub(crate) fn decode_publish_head<'a>(
    first: u8,
    length: Length,
    head: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Publish<'a>, DecodeError> {
    let flags = PublishFlags::parse(first, limits).map_err(|rule| error(0, rule, version))?;
    let body = head.get(length.header..).unwrap_or_default();
    match Publish::parse_head(flags, body, version, limits) {
        Ok((_, publish)) => Ok(publish),
        Err(fault) => Err(error(head.len() - fault.remaining, fault.rule, version)),
    }
}

/// [`decode`] of a CONNECT.
#[inline(never)]
fn decode_connect<'a>(
    input: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
    let Some(length) = Length::parse(input, version, limits)? else {
        return Ok(None);
    };
    let Some(body) = length.body(input) else {
        return Ok(None);
    };
    match Connect::parse_fields(body, limits) {
        Ok((_, connect)) => Ok(Some((Packet::Connect(connect), length.total))),
        Err(broken) => {
            let version = connect::version_of(body).unwrap_or(version);
            Err(error_at(length, broken, version))
        }
    }
}

/// [`decode`] of any packet; PUBLISH and CONNECT go a shorter way.
#[inline(never)]
fn decode_other<'a>(
    input: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
    let Some(header) = FixedHeader::parse(input, version, limits)? else {
        return Ok(None);
    };
    let length = header.length;
    let Some(body) = length.body(input) else {
        return Ok(None);
    };
    let form = Form {
        first: header.first,
        kind: header.kind,
        version,
        limits,
    };
    match Packet::parse(body, form, length.total) {
        Ok(packet) => Ok(packet),
        Err(broken) => Err(error_at(length, broken, version)),
    }
}

/// The error for a packet of this length.
#[cold]
fn error_at(length: Length, broken: nom::Err<Fault>, version: ProtocolVersion) -> DecodeError {
    let Fault { rule, remaining } = into_fault(broken);
    error(length.total - remaining, rule, version)
}

#[cold]
fn error(offset: usize, rule: Rule, version: ProtocolVersion) -> DecodeError {
    DecodeError {
        offset,
        rule,
        version,
    }
}

/// How many bytes are missing at the end of `input` until it holds a whole packet, at least: 0
/// when it does.
///
/// # Errors
/// A rule that the fixed header breaks.
pub fn needed(
    input: &[u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    Ok(match FixedHeader::parse(input, version, limits)? {
        Some(header) => header.length.total.saturating_sub(input.len()),
        None => 2_usize.saturating_sub(input.len()).max(1),
    })
}

/// How long a packet is.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    /// Bytes of the fixed header.
    pub(crate) header: usize,
    /// Bytes of the whole packet: those of the fixed header, and as many as its Remaining
    /// Length tells (section 2.1.4).
    pub(crate) total: usize,
}

impl Length {
    /// The length of the packet at the front of `input`, `None` while it cannot be told.
    #[inline]
    pub(crate) fn parse(
        input: &[u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let rest = input.get(1..).unwrap_or_default();
        match variable_byte_integer_prefix(rest) {
            Ok(Some((remaining, bytes))) => {
                let length = Self {
                    header: 1 + bytes,
                    total: 1 + bytes + remaining as usize,
                };
                if length.total > limits.maximum_packet_size as usize {
                    return Err(error(1, Rule::PacketTooLarge, version));
                }
                Ok(Some(length))
            }
            Ok(None) => Ok(None),
            Err(rule) => Err(error(1, rule, version)),
        }
    }

    /// What follows the fixed header, if all of it is there.
    #[inline]
    fn body(self, input: &[u8]) -> Option<&[u8]> {
        input.get(self.header..self.total)
    }
}

/// The fixed header (section 2.1).
#[derive(Clone, Copy)]
struct FixedHeader {
    kind: PacketType,
    first: u8,
    length: Length,
}

impl FixedHeader {
    /// The fixed header at the front of `input`, `None` while it is incomplete.
    fn parse(
        input: &[u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        let kind = PacketType::from_first_byte(first, version, limits)
            .map_err(|rule| error(0, rule, version))?;
        let length = Length::parse(input, version, limits)?;
        Ok(length.map(|length| Self {
            kind,
            first,
            length,
        }))
    }
}
