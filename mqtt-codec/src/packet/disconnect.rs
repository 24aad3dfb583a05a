//! DISCONNECT (section 3.14).

use bytes::BufMut;

use super::{PacketSet, PacketType, check_properties, end};
use crate::property::properties;
use crate::wire::{self, Fault, fault, into_fault};
use crate::{EncodeError, Properties, ProtocolVersion, ReasonCode, Rule};

/// The last packet of a connection (section 3.14). In 3.x only a client sends it, and
/// it says no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why. Always [`ReasonCode::Success`], "Normal disconnection", in 3.x.
    pub reason_code: ReasonCode,
    /// Session expiry, reason string, server reference (section 3.14.2.2). Empty in 3.x.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// A DISCONNECT with this reason code and no properties.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            properties: Properties::EMPTY,
        }
    }

    pub(super) fn parse(body: &'a [u8], version: ProtocolVersion) -> Result<Self, Fault> {
        Self::parse_fields(body, version).map_err(into_fault)
    }

    fn parse_fields(body: &'a [u8], version: ProtocolVersion) -> Result<Self, nom::Err<Fault>> {
        if version < ProtocolVersion::V5_0 || body.is_empty() {
            end(body).map_err(nom::Err::Error)?;
            return Ok(Self::new(ReasonCode::Success));
        }
        let (rest, code) = wire::u8(body)?;
        let reason_code = ReasonCode::from_byte(code)
            .filter(|code| code.packets().contains(PacketSet::DISCONNECT))
            .ok_or_else(|| fault(Rule::DisconnectReasonCode, body))?;
        if rest.is_empty() {
            return Ok(Self::new(reason_code));
        }
        let (rest, properties) = properties(rest, PacketSet::DISCONNECT)?;
        end(rest).map_err(nom::Err::Error)?;
        Ok(Self {
            reason_code,
            properties,
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if version < ProtocolVersion::V5_0 && self.reason_code != ReasonCode::Success {
            return Err(EncodeError::NotInVersion {
                version,
                what: "reason code in DISCONNECT",
            });
        }
        if !self.reason_code.packets().contains(PacketSet::DISCONNECT) {
            return Err(EncodeError::Rule {
                rule: Rule::DisconnectReasonCode,
                version,
            });
        }
        check_properties(&self.properties, PacketType::Disconnect, version)
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        if version < ProtocolVersion::V5_0 {
            0
        } else if !self.properties.is_empty() {
            1 + self.properties.encoded_len()
        } else if self.reason_code != ReasonCode::Success {
            1
        } else {
            0
        }
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        let length = self.body_len(version);
        if length > 0 {
            out.put_u8(self.reason_code as u8);
        }
        if length > 1 {
            self.properties.put(out);
        }
    }
}
