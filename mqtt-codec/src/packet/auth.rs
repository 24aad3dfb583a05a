//! AUTH (section 3.15).

use bytes::BufMut;

use super::body::{Body, Form, check_properties, end, reason_code};
use super::connect::check_authentication;
use super::outcome::Outcome;
use super::{PacketSet, PacketType};
use crate::property::properties;
use crate::wire::{Parsed, fault};
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

    const fn outcome(&self) -> Outcome<'a> {
        Outcome {
            reason_code: self.reason_code,
            properties: self.properties,
        }
    }
}

impl<'a> Body<'a> for Auth<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        if body.is_empty() {
            let short = Self {
                reason_code: ReasonCode::Success,
                properties: Properties::EMPTY,
            };
            return Ok((body, short));
        }
        let (properties_at, reason_code) =
            reason_code(body, PacketSet::AUTH, Rule::AuthReasonCode)?;
        let (rest, properties) = properties(properties_at, PacketSet::AUTH, form.version)?;
        end(rest)?;
        let auth = Self {
            reason_code,
            properties,
        };
        match auth.check_method() {
            Ok(()) => Ok((rest, auth)),
            Err(rule) => Err(fault(rule, properties_at)),
        }
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        if !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                version,
                what: "AUTH",
            });
        }
        if !self.reason_code.packets().contains(PacketSet::AUTH) {
            return Err(broken(Rule::AuthReasonCode));
        }
        check_properties(&self.properties, kind, version)?;
        self.check_method().map_err(broken)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        self.outcome().len(version)
    }

    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        self.outcome().put(version, out);
    }
}
