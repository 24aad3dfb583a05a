//! PUBLISH (section 3.3).

use bytes::BufMut;

use super::{PacketSet, PacketType, check_properties, check_room};
use crate::property::properties;
use crate::topic::{levels, validate_name};
use crate::wire::{self, Fault, Parsed, fault, field_len, into_fault};
use crate::{
    EncodeError, Limits, PacketIdentifier, Properties, PropertyIdentifier, ProtocolVersion, QoS,
    Rule,
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
    pub topic_name: &'a str,
    /// What the acknowledgement names it by: there with QoS 1 and 2 only (section 3.3.2.2).
    pub packet_identifier: Option<PacketIdentifier>,
    /// Properties of the message (section 3.3.2.3). Empty in 3.x.
    pub properties: Properties<'a>,
    /// The message (section 3.3.3).
    pub payload: &'a [u8],
}

// Fixed header flags (section 3.3.1).
const RETAIN: u8 = 0b0001;
const QOS_SHIFT: u8 = 1;
const DUP: u8 = 0b1000;

impl<'a> Publish<'a> {
    /// A message with QoS 0, not retained, without properties.
    #[must_use]
    pub const fn new(topic_name: &'a str, payload: &'a [u8]) -> Self {
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

    #[inline]
    pub(super) fn parse(
        flags: u8,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        Self::parse_fields(flags, body, version, limits).map_err(into_fault)
    }

    #[inline]
    fn parse_fields(
        flags: u8,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, nom::Err<Fault>> {
        // The fixed header has been checked: three cannot be.
        let qos = QoS::from_bits((flags >> QOS_SHIFT) & 0b11)
            .ok_or_else(|| fault(Rule::PublishQoSValue, body))?;
        let (rest, topic_name) = topic_name(body, limits)?;
        let (rest, packet_identifier) = match qos {
            QoS::AtMostOnce => (rest, None),
            _ => {
                let (rest, identifier) = wire::packet_identifier(rest)?;
                (rest, Some(identifier))
            }
        };
        let (payload, properties) = match version {
            ProtocolVersion::V5_0 => properties(rest, PacketSet::PUBLISH)?,
            _ => (rest, Properties::EMPTY),
        };
        if topic_name.is_empty() {
            check_no_topic_name(&properties, version).map_err(|rule| fault(rule, body))?;
        }
        if limits.check_payload_format && !payload_is_text(&properties, payload) {
            return Err(fault(Rule::PayloadFormat, payload));
        }
        Ok(Self {
            dup: flags & DUP != 0 && qos != QoS::AtMostOnce,
            qos,
            retain: flags & RETAIN != 0,
            topic_name,
            packet_identifier,
            properties,
            payload,
        })
    }

    /// The first byte of the packet (section 3.3.1).
    #[inline]
    pub(super) const fn first_byte(&self) -> u8 {
        PacketType::Publish.first_byte()
            | if self.dup { DUP } else { 0 }
            | (self.qos as u8) << QOS_SHIFT
            | if self.retain { RETAIN } else { 0 }
    }

    #[inline]
    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        if self.packet_identifier.is_some() != (self.qos != QoS::AtMostOnce) {
            return broken(Rule::PacketIdentifierZero);
        }
        if self.dup && self.qos == QoS::AtMostOnce {
            return broken(Rule::DupOnQoS0);
        }
        if self.topic_name.is_empty() {
            if let Err(rule) = check_no_topic_name(&self.properties, version) {
                return broken(rule);
            }
        } else if let Err(rule) = validate_name(self.topic_name) {
            return broken(rule);
        }
        field_len(self.topic_name.as_bytes())?;
        check_properties(&self.properties, PacketType::Publish, version)
    }

    /// It, with no Topic Alias but what is in its properties.
    #[inline]
    pub(super) const fn as_it_is(self) -> AliasedPublish<'a> {
        AliasedPublish {
            publish: self,
            topic_alias: None,
        }
    }
}

/// A PUBLISH to which a connection adds a Topic Alias (section 3.3.2.3.4). Everything
/// else in it has been checked.
#[derive(Clone, Copy)]
pub(crate) struct AliasedPublish<'a> {
    pub(crate) publish: Publish<'a>,
    pub(crate) topic_alias: Option<u16>,
}

/// Encoded length of a Topic Alias, its identifier included.
const TOPIC_ALIAS_LEN: usize = 3;

impl AliasedPublish<'_> {
    /// Encoded length in bytes of the properties, without Property Length.
    fn properties_len(&self) -> usize {
        self.publish.properties.bytes().len()
            + match self.topic_alias {
                Some(_) => TOPIC_ALIAS_LEN,
                None => 0,
            }
    }

    /// Bytes after the fixed header.
    #[inline]
    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        let publish = &self.publish;
        let properties = match version {
            ProtocolVersion::V5_0 => {
                let length = self.properties_len();
                wire::variable_byte_integer_len(length as u32) + length
            }
            _ => 0,
        };
        let identifier = match publish.qos {
            QoS::AtMostOnce => 0,
            _ => 2,
        };
        2 + publish.topic_name.len() + identifier + properties + publish.payload.len()
    }

    /// Length of the whole packet in bytes.
    #[inline]
    pub(crate) fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let body = self.body_len(version);
        1 + wire::variable_byte_integer_len(body as u32) + body
    }

    /// Appends the packet; 3.x leaves the properties out.
    #[inline]
    pub(crate) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        let publish = &self.publish;
        let body = self.body_len(version);
        check_room(body, out)?;
        // Few writes of many bytes: each to `out` has its price. The fixed header with the
        // length of the topic name is seven bytes at most, and so is what follows the name.
        let mut few = [0; 8];
        let mut room = &mut few[..];
        room.put_u8(publish.first_byte());
        wire::put_variable_byte_integer(&mut room, body as u32);
        // `check` has seen to it that the length fits.
        room.put_u16(publish.topic_name.len() as u16);
        let left = room.len();
        out.put_slice(&few[..few.len() - left]);
        out.put_slice(publish.topic_name.as_bytes());
        let mut few = [0; 8];
        let mut room = &mut few[..];
        if let Some(identifier) = publish.packet_identifier {
            room.put_u16(identifier.get());
        }
        if version.has_properties() {
            wire::put_variable_byte_integer(&mut room, self.properties_len() as u32);
        }
        let left = room.len();
        out.put_slice(&few[..few.len() - left]);
        if version.has_properties() && self.properties_len() > 0 {
            out.put_slice(publish.properties.bytes());
            if let Some(alias) = self.topic_alias {
                out.put_u8(PropertyIdentifier::TopicAlias as u8);
                out.put_u16(alias);
            }
        }
        out.put_slice(publish.payload);
        Ok(())
    }
}

/// The Topic Name, which may be empty.
#[inline]
fn topic_name<'a>(input: &'a [u8], limits: &Limits) -> Parsed<'a, &'a str> {
    let (rest, name) = wire::topic_name(input)?;
    let maximum_levels = usize::from(limits.maximum_topic_levels);
    if name.len() >= maximum_levels && levels(name) > maximum_levels {
        return Err(fault(Rule::TopicNameLevels, input));
    }
    Ok((rest, name))
}

/// Only a Topic Alias can stand for a Topic Name (section 3.3.2.1).
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
pub(crate) fn payload_is_text(properties: &Properties<'_>, payload: &[u8]) -> bool {
    properties.payload_format_indicator() != Some(true) || core::str::from_utf8(payload).is_ok()
}
