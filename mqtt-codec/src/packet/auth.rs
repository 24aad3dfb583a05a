//! AUTH (section 3.15).

use bytes::BufMut;

use super::connect::check_authentication;
use super::{PacketSet, PacketType, check_properties, end};
use crate::property::properties;
use crate::wire::{self, Fault, fault, into_fault};
use crate::{EncodeError, Properties, PropertyIdentifier, ProtocolVersion, ReasonCode, Rule};

/// A step of an extended authentication (section 3.15). 5.0 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, Continue authentication, or Re-authenticate.
    pub reason_code: ReasonCode,
    /// Authentication method and data, reason string, user properties (section 3.15.2.2).
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        Self::parse_fields(body).map_err(into_fault)
    }

    fn parse_fields(body: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        if body.is_empty() {
            return Ok(Self {
                reason_code: ReasonCode::Success,
                properties: Properties::EMPTY,
            });
        }
        let (rest, code) = wire::u8(body)?;
        let reason_code = ReasonCode::from_byte(code)
            .filter(|code| code.packets().contains(PacketSet::AUTH))
            .ok_or_else(|| fault(Rule::AuthReasonCode, body))?;
        let properties_at = rest;
        let (rest, properties) = properties(rest, PacketSet::AUTH)?;
        end(rest).map_err(nom::Err::Error)?;
        let auth = Self {
            reason_code,
            properties,
        };
        auth.check_method()
            .map_err(|rule| fault(rule, properties_at))?;
        Ok(auth)
    }

    /// Only the short form, success without properties, goes without a method.
    fn check_method(&self) -> Result<(), Rule> {
        check_authentication(&self.properties)?;
        let short = self.reason_code == ReasonCode::Success && self.properties.is_empty();
        if !short
            && !self
                .properties
                .contains(PropertyIdentifier::AuthenticationMethod)
        {
            return Err(Rule::AuthenticationMethodMissing);
        }
        Ok(())
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        if version < ProtocolVersion::V5_0 {
            return Err(EncodeError::NotInVersion {
                version,
                what: "AUTH",
            });
        }
        if !self.reason_code.packets().contains(PacketSet::AUTH) {
            return Err(broken(Rule::AuthReasonCode));
        }
        check_properties(&self.properties, PacketType::Auth, version)?;
        self.check_method().map_err(broken)
    }

    pub(super) fn body_len(&self) -> usize {
        if self.reason_code == ReasonCode::Success && self.properties.is_empty() {
            0
        } else {
            1 + self.properties.encoded_len()
        }
    }

    pub(super) fn put(&self, out: &mut impl BufMut) {
        if self.body_len() > 0 {
            out.put_u8(self.reason_code as u8);
            self.properties.put(out);
        }
    }
}
