//! DISCONNECT (section 3.14).

use bytes::BufMut;

use super::PacketType;
use super::body::{Body, Form};
use super::outcome::Outcome;
use crate::wire::Parsed;
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

    const fn outcome(&self) -> Outcome<'a> {
        Outcome {
            reason_code: self.reason_code,
            properties: self.properties,
        }
    }
}

impl<'a> Body<'a> for Disconnect<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let rule = Rule::DisconnectReasonCode;
        let (rest, outcome) = Outcome::parse(body, form.kind, rule, form.version)?;
        let disconnect = Self {
            reason_code: outcome.reason_code,
            properties: outcome.properties,
        };
        Ok((rest, disconnect))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let (rule, what) = (Rule::DisconnectReasonCode, "reason code in DISCONNECT");
        self.outcome().check(kind, rule, version, what)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        self.outcome().len(version)
    }

    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        self.outcome().put(version, out);
    }
}
