//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7), which have one form.

use bytes::BufMut;

use super::{PacketSet, PacketType, check_properties, end};
use crate::property::properties;
use crate::wire::{self, Fault, fault, into_fault};
use crate::{EncodeError, PacketIdentifier, Properties, ProtocolVersion, ReasonCode, Rule};

/// PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7).
///
/// With [`ReasonCode::Success`] and no properties it is written in its short form of
/// two bytes, which is the only one in 3.x; without properties in three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement<'a> {
    /// The PUBLISH that it belongs to.
    pub packet_identifier: PacketIdentifier,
    /// How it went. Always success in 3.x.
    pub reason_code: ReasonCode,
    /// Reason string and user properties. Empty in 3.x.
    pub properties: Properties<'a>,
}

impl<'a> Acknowledgement<'a> {
    /// An acknowledgement with this reason code and no properties.
    #[must_use]
    pub const fn new(packet_identifier: PacketIdentifier, reason_code: ReasonCode) -> Self {
        Self {
            packet_identifier,
            reason_code,
            properties: Properties::EMPTY,
        }
    }

    #[inline]
    pub(super) fn parse(
        body: &'a [u8],
        version: ProtocolVersion,
        packet: PacketSet,
        rule: Rule,
    ) -> Result<Self, Fault> {
        Self::parse_fields(body, version, packet, rule).map_err(into_fault)
    }

    #[inline]
    fn parse_fields(
        body: &'a [u8],
        version: ProtocolVersion,
        packet: PacketSet,
        rule: Rule,
    ) -> Result<Self, nom::Err<Fault>> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        if version < ProtocolVersion::V5_0 || rest.is_empty() {
            end(rest).map_err(nom::Err::Error)?;
            return Ok(Self::new(packet_identifier, ReasonCode::Success));
        }
        let code_at = rest;
        let (rest, code) = wire::u8(rest)?;
        let reason_code = ReasonCode::from_byte(code)
            .filter(|code| code.packets().contains(packet))
            .ok_or_else(|| fault(rule, code_at))?;
        if rest.is_empty() {
            return Ok(Self::new(packet_identifier, reason_code));
        }
        let (rest, properties) = properties(rest, packet)?;
        end(rest).map_err(nom::Err::Error)?;
        Ok(Self {
            packet_identifier,
            reason_code,
            properties,
        })
    }

    pub(super) fn check(
        &self,
        packet: PacketType,
        version: ProtocolVersion,
    ) -> Result<(), EncodeError> {
        if version < ProtocolVersion::V5_0 && self.reason_code != ReasonCode::Success {
            return Err(EncodeError::NotInVersion {
                version,
                what: "reason code in an acknowledgement",
            });
        }
        if !self.reason_code.packets().contains(packet.set()) {
            let rule = match packet {
                PacketType::PubRec => Rule::PubRecReasonCode,
                PacketType::PubRel => Rule::PubRelReasonCode,
                PacketType::PubComp => Rule::PubCompReasonCode,
                _ => Rule::PubAckReasonCode,
            };
            return Err(EncodeError::Rule { rule, version });
        }
        check_properties(&self.properties, packet, version)
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        if version < ProtocolVersion::V5_0 {
            2
        } else if !self.properties.is_empty() {
            3 + self.properties.encoded_len()
        } else if self.reason_code != ReasonCode::Success {
            3
        } else {
            2
        }
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        let length = self.body_len(version);
        if length > 2 {
            out.put_u8(self.reason_code as u8);
        }
        if length > 3 {
            self.properties.put(out);
        }
    }
}
