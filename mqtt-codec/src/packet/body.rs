//! What control packets have in common: a body after a fixed header (section 2).

use bytes::BufMut;

use super::{PacketSet, PacketType};
use crate::wire::{self, Fault, Parsed, VARIABLE_BYTE_INTEGER_MAX, fault};
use crate::{EncodeError, Limits, Properties, ProtocolVersion, ReasonCode, Rule};

/// What a body is parsed as.
#[derive(Clone, Copy)]
pub(super) struct Form<'l> {
    /// The first byte of the packet.
    pub(super) first: u8,
    /// What the first byte says.
    pub(super) kind: PacketType,
    pub(super) version: ProtocolVersion,
    pub(super) limits: &'l Limits,
}

/// What follows the fixed header of a packet.
pub(super) trait Body<'a>: Sized {
    /// The body, and what is left of `body` after its last field.
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self>;

    /// That decoding would accept it.
    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError>;

    /// How many bytes it has, once it is checked.
    fn len(&self, version: ProtocolVersion) -> usize;

    /// Appends it. It has been checked, and `out` has room.
    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut);

    /// Appends the packet, once it is seen that decoding would accept it.
    #[inline]
    fn encode(
        &self,
        kind: PacketType,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        self.check(kind, version)?;
        let (length, count) = check_room(self.len(version), out)?;
        out.put_u8(kind.first_byte());
        out.put_slice(&length[..count]);
        self.put(version, out);
        Ok(())
    }
}

/// No body: PINGREQ and PINGRESP.
impl<'a> Body<'a> for () {
    #[inline]
    fn parse(body: &'a [u8], _: Form<'_>) -> Parsed<'a, Self> {
        Ok((body, ()))
    }

    fn check(&self, _: PacketType, _: ProtocolVersion) -> Result<(), EncodeError> {
        Ok(())
    }

    fn len(&self, _: ProtocolVersion) -> usize {
        0
    }

    fn put(&self, _: ProtocolVersion, _: &mut impl BufMut) {}
}

/// That a packet ends where its last field did.
#[inline]
pub(super) fn end(rest: &[u8]) -> Result<(), nom::Err<Fault>> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(fault(Rule::TrailingBytes, rest))
}

/// A reason code that `packet` may carry; `rule` says so.
#[inline]
pub(super) fn reason_code(input: &[u8], packet: PacketSet, rule: Rule) -> Parsed<'_, ReasonCode> {
    let (rest, byte) = wire::u8(input)?;
    match ReasonCode::from_byte(byte) {
        Some(code) if code.packets().contains(packet) => Ok((rest, code)),
        _ => Err(fault(rule, input)),
    }
}

/// That a body of this many bytes may be, and that `out` has room for it and its fixed
/// header: the bytes of the Remaining Length (section 2.1.4), and how many they are.
#[inline]
pub(super) fn check_room(body: usize, out: &impl BufMut) -> Result<([u8; 4], usize), EncodeError> {
    let (bytes, length) = remaining_length(body)?;
    let needed = 1 + length + body;
    if out.remaining_mut() < needed {
        return Err(EncodeError::NoRoom { needed });
    }
    Ok((bytes, length))
}

/// The Remaining Length (section 2.1.4), and how many bytes it has.
#[inline]
fn remaining_length(body: usize) -> Result<([u8; 4], usize), EncodeError> {
    if body > VARIABLE_BYTE_INTEGER_MAX as usize {
        return Err(EncodeError::PacketTooLarge { length: body });
    }
    Ok(wire::variable_byte_integer_bytes(body as u32))
}

/// That `packet` may carry these properties in this version.
#[inline]
pub(super) fn check_properties(
    properties: &Properties<'_>,
    packet: PacketType,
    version: ProtocolVersion,
) -> Result<(), EncodeError> {
    if properties.is_empty() {
        return Ok(());
    }
    if !version.has_properties() {
        return Err(EncodeError::NotInVersion {
            version,
            what: "properties",
        });
    }
    if !properties.packets().contains(packet.set()) {
        return Err(EncodeError::PropertyNotAllowed { packet });
    }
    Ok(())
}
