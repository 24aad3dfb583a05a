//! CONNACK (section 3.2).

use bytes::BufMut;

use super::connect::check_authentication;
use super::{PacketSet, PacketType, check_properties, end};
use crate::property::properties;
use crate::wire::{self, Fault, fault, into_fault};
use crate::{EncodeError, Properties, ProtocolVersion, ReasonCode, Rule};

/// A server answers CONNECT (section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server has a session of this client (section 3.2.2.1.1). 3.1 cannot
    /// tell it: there it is `false` when decoded and left out when encoded.
    pub session_present: bool,
    /// Whether the connection is accepted. A return code of 3.x is given as the reason
    /// code that says the same.
    pub reason_code: ReasonCode,
    /// What the server offers (section 3.2.2.3). Empty in 3.x.
    pub properties: Properties<'a>,
}

/// Connect Acknowledge Flags (section 3.2.2.1).
const SESSION_PRESENT: u8 = 0b0000_0001;

impl<'a> ConnAck<'a> {
    /// A CONNACK with this reason code, no session and no properties.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            session_present: false,
            reason_code,
            properties: Properties::EMPTY,
        }
    }

    pub(super) fn parse(body: &'a [u8], version: ProtocolVersion) -> Result<Self, Fault> {
        Self::parse_fields(body, version).map_err(into_fault)
    }

    fn parse_fields(body: &'a [u8], version: ProtocolVersion) -> Result<Self, nom::Err<Fault>> {
        let (code_at, flags) = wire::u8(body)?;
        let flags = match version {
            // Reserved and not used there, which servers of all versions make use of.
            ProtocolVersion::V3_1 => 0,
            _ => flags,
        };
        if flags & !SESSION_PRESENT != 0 {
            return Err(fault(Rule::ConnAckFlags, body));
        }
        let session_present = flags & SESSION_PRESENT != 0;
        let (rest, code) = wire::u8(code_at)?;
        let reason_code = match version {
            ProtocolVersion::V5_0 => ReasonCode::from_byte(code)
                .filter(|code| code.packets().contains(PacketSet::CONNACK)),
            _ => ReasonCode::from_connect_return_code(code),
        }
        .ok_or_else(|| fault(Rule::ConnAckReasonCode, code_at))?;
        if session_present && reason_code != ReasonCode::Success {
            return Err(fault(Rule::SessionPresentOnError, body));
        }
        let properties_at = rest;
        let (rest, properties) = match version {
            ProtocolVersion::V5_0 => properties(rest, PacketSet::CONNACK)?,
            _ => (rest, Properties::EMPTY),
        };
        check_authentication(&properties).map_err(|rule| fault(rule, properties_at))?;
        end(rest).map_err(nom::Err::Error)?;
        Ok(Self {
            session_present,
            reason_code,
            properties,
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        if self.session_present && self.reason_code != ReasonCode::Success {
            return Err(broken(Rule::SessionPresentOnError));
        }
        check_properties(&self.properties, PacketType::ConnAck, version)?;
        check_authentication(&self.properties).map_err(broken)?;
        match version {
            ProtocolVersion::V5_0 => {
                if self.reason_code.packets().contains(PacketSet::CONNACK) {
                    Ok(())
                } else {
                    Err(broken(Rule::ConnAckReasonCode))
                }
            }
            _ => match self.reason_code.connect_return_code() {
                Some(_) => Ok(()),
                None => Err(EncodeError::NotInVersion {
                    version,
                    what: "return code for this reason code",
                }),
            },
        }
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V5_0 => 2 + self.properties.encoded_len(),
            _ => 2,
        }
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        let session_present = self.session_present && version != ProtocolVersion::V3_1;
        out.put_u8(if session_present { SESSION_PRESENT } else { 0 });
        match version {
            ProtocolVersion::V5_0 => {
                out.put_u8(self.reason_code as u8);
                self.properties.put(out);
            }
            // `check` has refused what has no return code.
            _ => out.put_u8(self.reason_code.connect_return_code().unwrap_or_default()),
        }
    }
}
