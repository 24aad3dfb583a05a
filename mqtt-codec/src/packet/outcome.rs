//! How something went: what acknowledgements, DISCONNECT and AUTH end with.

use bytes::BufMut;

use super::PacketType;
use super::body::{check_properties, reason_code};
use crate::property::properties;
use crate::wire::Parsed;
use crate::{EncodeError, Properties, ProtocolVersion, ReasonCode, Rule};

/// A reason code and properties, at the end of a packet. Properties that are empty are left out,
/// and without them a reason code of success, as it is in 3.x (sections 3.4.2.1 and 3.14.2.1).
#[derive(Clone, Copy)]
pub(super) struct Outcome<'a> {
    pub(super) reason_code: ReasonCode,
    pub(super) properties: Properties<'a>,
}

impl<'a> Outcome<'a> {
    /// What 3.x says: nothing.
    const SUCCESS: Self = Self {
        reason_code: ReasonCode::Success,
        properties: Properties::EMPTY,
    };

    /// The outcome that `packet` ends with; `rule` says which reason codes it has.
    #[inline]
    pub(super) fn parse(
        input: &'a [u8],
        packet: PacketType,
        rule: Rule,
        version: ProtocolVersion,
    ) -> Parsed<'a, Self> {
        if input.is_empty() || !version.has_properties() {
            return Ok((input, Self::SUCCESS));
        }
        let (rest, reason_code) = reason_code(input, packet.set(), rule)?;
        let (rest, properties) = match rest {
            [] => (rest, Properties::EMPTY),
            _ => properties(rest, packet.set(), version)?,
        };
        let outcome = Self {
            reason_code,
            properties,
        };
        Ok((rest, outcome))
    }

    /// That `packet` may end with it; `what` 3.x has no place for.
    pub(super) fn check(
        &self,
        packet: PacketType,
        rule: Rule,
        version: ProtocolVersion,
        what: &'static str,
    ) -> Result<(), EncodeError> {
        if !version.has_properties() && self.reason_code != ReasonCode::Success {
            return Err(EncodeError::NotInVersion { version, what });
        }
        if !self.reason_code.packets().contains(packet.set()) {
            return Err(EncodeError::Rule { rule, version });
        }
        check_properties(&self.properties, packet, version)
    }

    pub(super) fn len(&self, version: ProtocolVersion) -> usize {
        if !version.has_properties() {
            0
        } else if !self.properties.is_empty() {
            1 + self.properties.encoded_len(version)
        } else if self.reason_code != ReasonCode::Success {
            1
        } else {
            0
        }
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        let length = self.len(version);
        if length > 0 {
            out.put_u8(self.reason_code as u8);
        }
        if length > 1 {
            self.properties.put(version, out);
        }
    }
}
