//! PUBLISH (section 3.3).

use bytes::BufMut;

use super::body::{Body, Form, check_properties, check_room};
use super::{PacketSet, PacketType};
use crate::property::properties;
use crate::topic::levels;
use crate::wire::{self, Fault, Parsed, fault, into_fault};
use crate::{
    EncodeError, Limits, PacketIdentifier, Properties, PropertyIdentifier, ProtocolVersion, QoS,
    Rule, TopicName,
};

/// An application message on its way (section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may have been sent before (section 3.3.1.1).
    pub dup: bool,
    /// How surely it is delivered (section 3.3.1.2).
    pub qos: QoS,
    /// Whether it is, or is to become, a retained message (section 3.3.1.3).
    pub retain: bool,
    /// Where it is published (section 3.3.2.1). Empty: the Topic Alias stands for it.
    pub topic_name: TopicName<'a>,
    /// What the acknowledgement names it by: there with QoS 1 and 2 only (section 3.3.2.2).
    pub packet_identifier: Option<PacketIdentifier>,
    /// Properties of the message (section 3.3.2.3). Empty in 3.x.
    pub properties: Properties<'a>,
    /// The message (section 3.3.3).
    pub payload: &'a [u8],
}

/// How long a PUBLISH is, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct PublishLength {
    /// The Remaining Length as it is written, and how many bytes that takes.
    remaining: ([u8; 4], usize),
    /// What follows the fixed header.
    body: usize,
    /// The whole packet.
    pub(crate) total: usize,
}

// Fixed header flags (section 3.3.1).
const RETAIN: u8 = 0b0001;
const QOS_SHIFT: u8 = 1;
const DUP: u8 = 0b1000;

/// What the first byte of a PUBLISH tells.
#[derive(Clone, Copy)]
pub(crate) struct PublishFlags {
    dup: bool,
    pub(crate) qos: QoS,
    retain: bool,
}

impl PublishFlags {
    #[inline]
    pub(crate) fn parse(first: u8, limits: &Limits) -> Result<Self, Rule> {
        let qos = QoS::from_bits((first >> QOS_SHIFT) & 0b11).ok_or(Rule::PublishQoSValue)?;
        let mut dup = first & DUP != 0;
        if dup && qos == QoS::AtMostOnce {
            if !limits.allow_dup_on_qos_0 {
                return Err(Rule::DupOnQoS0);
            }
            dup = false;
        }
        Ok(Self {
            dup,
            qos,
            retain: first & RETAIN != 0,
        })
    }
}

impl<'a> Publish<'a> {
    /// A message with QoS 0, not retained, without properties.
    #[must_use]
    pub const fn new(topic_name: TopicName<'a>, payload: &'a [u8]) -> Self {
        Self {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic_name,
            packet_identifier: None,
            properties: Properties::EMPTY,
            payload,
        }
    }

    #[inline(always)]
    pub(super) fn parse_all(
        flags: PublishFlags,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let (payload, publish) = Self::parse_head(flags, body, version, limits)?;
        if limits.check_payload_format && !payload_is_text(&publish.properties, payload) {
            return Err(Fault {
                rule: Rule::PayloadFormat,
                remaining: payload.len(),
            });
        }
        Ok(Self { payload, ..publish })
    }

    /// What stands before the payload, and the payload, which need not be whole.
    #[inline(always)]
    pub(super) fn parse_head(
        flags: PublishFlags,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<(&'a [u8], Self), Fault> {
        Self::parse_fields(flags, body, version, limits).map_err(into_fault)
    }

    #[inline(always)]
    fn parse_fields(
        flags: PublishFlags,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Parsed<'a, Self> {
        let PublishFlags { dup, qos, retain } = flags;
        let (rest, topic_name) = topic_name(body, limits)?;
        let (rest, packet_identifier) = match qos {
            QoS::AtMostOnce => (rest, None),
            _ => {
                let (rest, identifier) = wire::packet_identifier(rest)?;
                (rest, Some(identifier))
            }
        };
        let (rest, properties) = properties(rest, PacketSet::PUBLISH, version)?;
        if topic_name.is_empty() {
            check_no_topic_name(&properties, version).map_err(|rule| fault(rule, body))?;
        }
        let publish = Self {
            dup,
            qos,
            retain,
            topic_name,
            packet_identifier,
            properties,
            payload: &[],
        };
        Ok((rest, publish))
    }

    /// The first byte of the packet (section 3.3.1).
    #[inline]
    pub(super) const fn first_byte(&self) -> u8 {
        PacketType::Publish.first_byte()
            | (self.dup as u8 * DUP)
            | ((self.qos as u8) << QOS_SHIFT)
            | (self.retain as u8 * RETAIN)
    }

    /// Appends the packet, once it is seen that decoding would accept it.
    #[inline(always)]
    pub(super) fn checked_encode(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        // What most messages of 3.x are is written here, and all else out of the way: with
        // it this would be slower.
        let identifier = match self.packet_identifier {
            Some(_) => 2,
            None => 0,
        };
        let body = 2 + self.topic_name.len() + identifier + self.payload.len();
        let plain = !version.has_properties()
            & self.properties.is_empty()
            & self.is_consistent()
            & (body < TWO_BYTE_LENGTH_END);
        if plain && out.remaining_mut() >= 3 + body {
            self.put_plain(body, out);
            return Ok(());
        }
        self.checked_encode_any(version, out)
    }

    #[inline(never)]
    fn checked_encode_any(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        self.check_consistent(version)?;
        let length = check_room(self.body_len(None, 0, version), out)?;
        self.put_packet(length, None, version, out);
        Ok(())
    }

    /// Appends the packet without properties, whose Remaining Length takes two bytes at most.
    #[inline(always)]
    fn put_plain(&self, body: usize, out: &mut impl BufMut) {
        let first = self.first_byte();
        let [high, low] = self.topic_name_length();
        if body < ONE_BYTE_LENGTH_END {
            out.put_slice(&[first, body as u8, high, low]);
        } else {
            out.put_slice(&[first, body as u8 | 0x80, (body >> 7) as u8, high, low]);
        }
        out.put_slice(self.topic_name.as_bytes());
        if let Some(identifier) = self.packet_identifier {
            out.put_u16(identifier.get());
        }
        out.put_slice(self.payload);
    }

    /// The length of the Topic Name as it is written: it has 65,535 bytes at most.
    #[inline]
    const fn topic_name_length(&self) -> [u8; 2] {
        (self.topic_name.as_str().len() as u16).to_be_bytes()
    }

    /// Whether there is a Topic Name, and QoS, DUP and packet identifier go together: told
    /// without branches.
    #[inline]
    fn is_consistent(&self) -> bool {
        let identified = self.packet_identifier.is_some();
        (identified == (self.qos != QoS::AtMostOnce))
            & (identified | !self.dup)
            & !self.topic_name.is_empty()
    }

    #[inline]
    fn check_consistent(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if self.is_consistent() {
            return check_properties(&self.properties, PacketType::Publish, version);
        }
        self.check_each(version)
    }

    #[cold]
    fn check_each(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        match (self.packet_identifier, self.qos) {
            (Some(_), QoS::AtMostOnce) => return broken(Rule::PacketIdentifierOnQoS0),
            (None, QoS::AtLeastOnce | QoS::ExactlyOnce) => {
                return broken(Rule::PacketIdentifierZero);
            }
            _ => {}
        }
        if self.dup && self.qos == QoS::AtMostOnce {
            return broken(Rule::DupOnQoS0);
        }
        if self.topic_name.is_empty()
            && let Err(rule) = check_no_topic_name(&self.properties, version)
        {
            return broken(rule);
        }
        check_properties(&self.properties, PacketType::Publish, version)
    }

    /// Encoded length in bytes of the properties and a Topic Alias that is added to them,
    /// without Property Length.
    #[inline]
    fn properties_len(&self, topic_alias: Option<u16>) -> usize {
        self.properties.bytes().len()
            + match topic_alias {
                Some(_) => TOPIC_ALIAS_LEN,
                None => 0,
            }
    }

    /// Bytes after the fixed header, with `rest` more bytes of payload than are here.
    #[inline]
    pub(super) fn body_len(
        &self,
        topic_alias: Option<u16>,
        rest: usize,
        version: ProtocolVersion,
    ) -> usize {
        let properties = match version {
            ProtocolVersion::V5_0 => {
                let length = self.properties_len(topic_alias);
                wire::variable_byte_integer_len(length as u32) + length
            }
            _ => 0,
        };
        let identifier = match self.qos {
            QoS::AtMostOnce => 0,
            _ => 2,
        };
        2 + self.topic_name.len() + identifier + properties + self.payload.len() + rest
    }

    /// Length of the whole packet, with `rest` more bytes of payload than are here.
    #[inline]
    pub(crate) fn length(
        &self,
        topic_alias: Option<u16>,
        rest: usize,
        version: ProtocolVersion,
    ) -> PublishLength {
        let body = self.body_len(topic_alias, rest, version);
        let remaining = wire::variable_byte_integer_bytes(body as u32);
        PublishLength {
            remaining,
            body,
            total: 1 + remaining.1 + body,
        }
    }

    /// Appends the packet, which has been checked and has that length, as far as its payload
    /// is here. `out` has room.
    #[inline]
    pub(crate) fn encode_part(
        &self,
        length: &PublishLength,
        topic_alias: Option<u16>,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        if length.body > wire::VARIABLE_BYTE_INTEGER_MAX as usize {
            return Err(EncodeError::PacketTooLarge {
                length: length.body,
            });
        }
        self.put_packet(length.remaining, topic_alias, version, out);
        Ok(())
    }

    /// Appends the packet, whose Remaining Length is encoded already, with a Topic Alias (section
    /// 3.3.2.3.4) if a connection adds one; 3.x leaves the properties out.
    #[inline(always)]
    fn put_packet(
        &self,
        length: ([u8; 4], usize),
        topic_alias: Option<u16>,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) {
        // Few writes, of as many bytes as can be told beforehand: each has its price.
        let first = self.first_byte();
        let [high, low] = self.topic_name_length();
        match length {
            ([a, ..], 1) => out.put_slice(&[first, a, high, low]),
            ([a, b, ..], 2) => out.put_slice(&[first, a, b, high, low]),
            ([a, b, c, _], 3) => out.put_slice(&[first, a, b, c, high, low]),
            ([a, b, c, d], _) => out.put_slice(&[first, a, b, c, d, high, low]),
        }
        self.put_from_topic_name(topic_alias, version, out);
    }

    /// Appends what follows the length of the Topic Name.
    #[inline(always)]
    fn put_from_topic_name(
        &self,
        topic_alias: Option<u16>,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) {
        out.put_slice(self.topic_name.as_bytes());
        if let Some(identifier) = self.packet_identifier {
            out.put_u16(identifier.get());
        }
        if version.has_properties() {
            wire::put_variable_byte_integer(out, self.properties_len(topic_alias) as u32);
            out.put_slice(self.properties.bytes());
            if let Some(alias) = topic_alias {
                out.put_u8(PropertyIdentifier::TopicAlias as u8);
                out.put_u16(alias);
            }
        }
        out.put_slice(self.payload);
    }
}

impl<'a> Body<'a> for Publish<'a> {
    #[inline(never)]
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let Form {
            version, limits, ..
        } = form;
        let flags = PublishFlags::parse(form.first, limits).map_err(|rule| fault(rule, body))?;
        match Self::parse_all(flags, body, version, limits) {
            Ok(publish) => Ok((&[], publish)),
            Err(fault) => Err(nom::Err::Error(fault)),
        }
    }

    fn check(&self, _: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        self.check_consistent(version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        self.body_len(None, 0, version)
    }

    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_slice(&self.topic_name_length());
        self.put_from_topic_name(None, version, out);
    }
}

// The bodies from which on the Remaining Length takes another byte (section 1.5.5).
const ONE_BYTE_LENGTH_END: usize = 0x80;
const TWO_BYTE_LENGTH_END: usize = 0x4000;

/// Encoded length of a Topic Alias, its identifier included.
const TOPIC_ALIAS_LEN: usize = 3;

/// The Topic Name, which may be empty.
// keeps: 5.0 MQTT-3.3.2-1, 3.1.1 MQTT-3.3.2-1
#[inline]
fn topic_name<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, TopicName<'a>> {
    let (rest, name) = wire::topic_name(input)?;
    // A level takes a byte at least.
    if name.len() >= usize::from(limits.maximum_topic_levels) {
        check_levels(&name, limits).map_err(|rule| fault(rule, input))?;
    }
    Ok((rest, name))
}

#[inline(never)]
fn check_levels(name: &str, limits: &Limits) -> Result<(), Rule> {
    if levels(name) > usize::from(limits.maximum_topic_levels) {
        return Err(Rule::TopicNameLevels);
    }
    Ok(())
}

/// Only a Topic Alias can stand for a Topic Name (section 3.3.2.1).
#[inline(never)]
fn check_no_topic_name(properties: &Properties<'_>, version: ProtocolVersion) -> Result<(), Rule> {
    if version < ProtocolVersion::V5_0 {
        Err(Rule::TopicNameEmpty)
    } else if !properties.contains(PropertyIdentifier::TopicAlias) {
        Err(Rule::TopicNameAndAliasMissing)
    } else {
        Ok(())
    }
}

/// Whether a payload is what its Payload Format Indicator says (section 3.3.2.3.2).
#[inline(never)]
pub(crate) fn payload_is_text(properties: &Properties<'_>, payload: &[u8]) -> bool {
    properties.payload_format_indicator() != Some(true) || core::str::from_utf8(payload).is_ok()
}
