//! CONNACK (section 3.2).

use bytes::BufMut;

use super::body::{Body, Form, check_properties, reason_code};
use super::connect::check_authentication;
use super::{PacketSet, PacketType};
use crate::property::properties;
use crate::wire::{self, Parsed, fault};
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
}

impl<'a> Body<'a> for ConnAck<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let version = form.version;
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
        let (rest, reason_code) = match version {
            ProtocolVersion::V5_0 => {
                reason_code(code_at, PacketSet::CONNACK, Rule::ConnAckReasonCode)?
            }
            _ => return_code(code_at)?,
        };
        if session_present && reason_code != ReasonCode::Success {
            return Err(fault(Rule::SessionPresentOnError, body));
        }
        let properties_at = rest;
        let (rest, properties) = properties(rest, PacketSet::CONNACK, version)?;
        check_authentication(&properties).map_err(|rule| fault(rule, properties_at))?;
        let connack = Self {
            session_present,
            reason_code,
            properties,
        };
        Ok((rest, connack))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        if self.session_present && self.reason_code != ReasonCode::Success {
            return Err(broken(Rule::SessionPresentOnError));
        }
        check_properties(&self.properties, kind, version)?;
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

    fn len(&self, version: ProtocolVersion) -> usize {
        2 + self.properties.encoded_len(version)
    }

    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        let session_present = self.session_present && version != ProtocolVersion::V3_1;
        out.put_u8(u8::from(session_present) * SESSION_PRESENT);
        out.put_u8(match version {
            ProtocolVersion::V5_0 => self.reason_code as u8,
            // `check` has refused what has no return code.
            _ => self.reason_code.connect_return_code().unwrap_or_default(),
        });
        self.properties.put(version, out);
    }
}

/// The Connect Return Code of 3.x (3.1.1 section 3.2.2.3).
fn return_code(input: &[u8]) -> Parsed<'_, ReasonCode> {
    let (rest, byte) = wire::u8(input)?;
    match ReasonCode::from_connect_return_code(byte) {
        Some(code) => Ok((rest, code)),
        None => Err(fault(Rule::ConnAckReasonCode, input)),
    }
}
