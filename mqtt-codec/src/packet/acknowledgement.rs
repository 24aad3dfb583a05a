//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use bytes::BufMut;

use super::PacketType;
use super::body::{Body, Form};
use super::outcome::Outcome;
use crate::wire::{self, Parsed};
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
    const fn outcome(&self) -> Outcome<'a> {
        Outcome {
            reason_code: self.reason_code,
            properties: self.properties,
        }
    }
}

impl<'a> Body<'a> for Acknowledgement<'a> {
    #[inline]
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        let rule = reason_code_rule(form.kind);
        let (rest, outcome) = Outcome::parse(rest, form.kind, rule, form.version)?;
        let ack = Self {
            packet_identifier,
            reason_code: outcome.reason_code,
            properties: outcome.properties,
        };
        Ok((rest, ack))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let what = "reason code in an acknowledgement";
        let rule = reason_code_rule(kind);
        self.outcome().check(kind, rule, version, what)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        2 + self.outcome().len(version)
    }

    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        self.outcome().put(version, out);
    }
}

/// The rule that another reason code breaks.
#[inline]
const fn reason_code_rule(kind: PacketType) -> Rule {
    match kind {
        PacketType::PubRec => Rule::PubRecReasonCode,
        PacketType::PubRel => Rule::PubRelReasonCode,
        PacketType::PubComp => Rule::PubCompReasonCode,
        _ => Rule::PubAckReasonCode,
    }
}
