//! The data representations of section 1.5: integers, strings and binary data.
//!
//! Parsers have nom's shape, and run on a complete packet body: one that is cut short is
//! an error and never "incomplete". Where in the packet a parser failed is told by how
//! many bytes were left. Those of the smallest fields are written with slice patterns,
//! which the compiler takes apart better than nom's, and are inlined wherever they are
//! used: a packet is a few nanoseconds.

use core::str::Utf8Error;

use ascii::AsciiStr;
use bytes::BufMut;
use nom::IResult;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete as number;

use crate::{EncodeError, PacketIdentifier, Rule, TopicName, Utf8String};

/// The largest value of a variable byte integer (section 1.5.5).
pub(crate) const VARIABLE_BYTE_INTEGER_MAX: u32 = 268_435_455;

/// A broken rule, and how many bytes of the input were left where it was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: Rule,
    pub(crate) remaining: usize,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        // The primitives in use fail for one reason only.
        Self {
            rule: Rule::Truncated,
            remaining: input.len(),
        }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// The error for `rule` broken where `input` begins.
#[inline]
pub(crate) fn fault(rule: Rule, input: &[u8]) -> nom::Err<Fault> {
    nom::Err::Error(Fault {
        rule,
        remaining: input.len(),
    })
}

/// The fault inside a nom error.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn into_fault(error: nom::Err<Fault>) -> Fault {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
        // No streaming parser is in use.
        nom::Err::Incomplete(_) => Fault {
            rule: Rule::Truncated,
            remaining: 0,
        },
    }
}

#[inline(always)]
pub(crate) fn u8(input: &[u8]) -> Parsed<'_, u8> {
    match input.split_first() {
        Some((&byte, rest)) => Ok((rest, byte)),
        None => Err(fault(Rule::Truncated, input)),
    }
}

#[inline(always)]
pub(crate) fn u16(input: &[u8]) -> Parsed<'_, u16> {
    match input.split_first_chunk() {
        Some((bytes, rest)) => Ok((rest, u16::from_be_bytes(*bytes))),
        None => Err(fault(Rule::Truncated, input)),
    }
}

#[inline]
pub(crate) fn u32(input: &[u8]) -> Parsed<'_, u32> {
    number::be_u32(input)
}

/// A packet identifier, which is not zero (section 2.2.1).
#[inline]
pub(crate) fn packet_identifier(input: &[u8]) -> Parsed<'_, PacketIdentifier> {
    let (rest, value) = u16(input)?;
    match PacketIdentifier::new(value) {
        Some(identifier) => Ok((rest, identifier)),
        None => Err(fault(Rule::PacketIdentifierZero, input)),
    }
}

/// Length-prefixed binary data (section 1.5.6).
#[inline(always)]
pub(crate) fn binary(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = u16(input)?;
    match rest.split_at_checked(length.into()) {
        Some((bytes, rest)) => Ok((rest, bytes)),
        None => Err(fault(Rule::Truncated, rest)),
    }
}

/// The string that bytes are, if they are one. Most are ASCII, which is told sooner than
/// UTF-8.
#[inline(always)]
fn text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    match AsciiStr::from_ascii(bytes) {
        Ok(string) => Ok(string.as_str()),
        Err(_) => core::str::from_utf8(bytes),
    }
}

/// A UTF-8 encoded string (section 1.5.4).
// keeps: 5.0 MQTT-1.5.4-3, 3.1.1 MQTT-1.5.3-3
#[inline(always)]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, Utf8String<'_>> {
    let (rest, bytes) = binary(input)?;
    match text(bytes) {
        Ok(string) if !contains_null(bytes) => Ok((rest, Utf8String::checked(string))),
        _ => Err(string_fault(input, bytes)),
    }
}

/// Whether bytes are ASCII without U+0000, as most strings are: then they are a string,
/// and reading them as one can wait.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    !any_byte(bytes, |byte| (byte == 0) | !byte.is_ascii())
}

/// Passes over a UTF-8 encoded string that is well-formed.
#[inline]
pub(crate) fn check_string(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, bytes) = binary(input)?;
    if is_plain(bytes) {
        return Ok((rest, ()));
    }
    check_any_string(input)
}

#[inline(never)]
fn check_any_string(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _) = string(input)?;
    Ok((rest, ()))
}

/// A string that [`check_string`] has passed over before.
#[inline]
pub(crate) fn checked_string(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, bytes) = binary(input)?;
    match text(bytes) {
        Ok(string) => Ok((rest, string)),
        Err(_) => Err(string_fault(input, bytes)),
    }
}

#[cold]
fn string_fault(input: &[u8], bytes: &[u8]) -> nom::Err<Fault> {
    let (rule, at) = match (
        core::str::from_utf8(bytes),
        bytes.iter().position(|&b| b == 0),
    ) {
        (Err(error), null) if null.is_none_or(|at| error.valid_up_to() < at) => {
            (Rule::Utf8IllFormed, error.valid_up_to())
        }
        (_, null) => (Rule::Utf8Null, null.unwrap_or_default()),
    };
    nom::Err::Error(Fault {
        rule,
        remaining: input.len() - 2 - at,
    })
}

/// Whether a byte is one that `test` finds. Written so that the compiler makes vector
/// instructions of it: `test` is to be without branches, and whole chunks are looked at,
/// the last of which may have bytes of the one before.
#[inline(always)]
fn any_byte(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        let found = any_of(first, &test) | any_of(last, &test);
        return found || bytes.len() > 32 && any_of_long(&bytes[16..], &test);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return any_of(first, &test) | any_of(last, &test);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return any_of(first, &test) | any_of(last, &test);
    }
    bytes.iter().fold(false, |found, &byte| found | test(byte))
}

#[inline(always)]
fn any_of<const N: usize>(bytes: &[u8; N], test: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, &byte| found | test(byte))
}

#[inline]
fn any_of_long(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    let (chunks, _) = bytes.as_chunks::<16>();
    chunks.iter().any(|chunk| any_of(chunk, &test))
}

/// Whether a byte is `+` or `#`, which differ in one bit.
#[inline]
const fn is_wildcard(byte: u8) -> bool {
    const DIFFERENCE: u8 = b'+' ^ b'#';
    byte | DIFFERENCE == b'+' | b'#'
}

/// Whether a string has U+0000.
#[inline]
pub(crate) fn contains_null(bytes: &[u8]) -> bool {
    any_byte(bytes, |byte| byte == 0)
}

/// Whether a string has a wildcard character.
#[inline]
pub(crate) fn contains_wildcard(bytes: &[u8]) -> bool {
    any_byte(bytes, is_wildcard)
}

/// Whether a string has U+0000 or a wildcard character.
#[inline]
pub(crate) fn contains_null_or_wildcard(bytes: &[u8]) -> bool {
    any_byte(bytes, |byte| (byte == 0) | is_wildcard(byte))
}

/// A string that is to have no wildcard characters either (section 4.7.1). It may be empty.
#[inline]
pub(crate) fn topic_name(input: &[u8]) -> Parsed<'_, TopicName<'_>> {
    let (rest, bytes) = binary(input)?;
    match text(bytes) {
        Ok(name) if !contains_null_or_wildcard(bytes) => Ok((rest, TopicName::checked(name))),
        _ => Err(topic_name_fault(input, bytes)),
    }
}

#[cold]
fn topic_name_fault(input: &[u8], bytes: &[u8]) -> nom::Err<Fault> {
    match string(input) {
        Err(error) => error,
        Ok(_) => {
            let wildcard = bytes.iter().position(|b| matches!(b, b'+' | b'#'));
            nom::Err::Error(Fault {
                rule: Rule::TopicNameWildcard,
                remaining: input.len() - 2 - wildcard.unwrap_or_default(),
            })
        }
    }
}

/// A variable byte integer, in its shortest form (section 1.5.5).
#[inline]
pub(crate) fn variable_byte_integer(input: &[u8]) -> Parsed<'_, u32> {
    match variable_byte_integer_prefix(input) {
        Ok(Some((value, length))) => Ok((&input[length..], value)),
        Ok(None) => Err(fault(Rule::Truncated, input)),
        Err(rule) => Err(fault(rule, input)),
    }
}

/// The variable byte integer at the front of `input` and its length in bytes; `None`
/// while more bytes are needed to tell.
#[inline]
pub(crate) fn variable_byte_integer_prefix(input: &[u8]) -> Result<Option<(u32, usize)>, Rule> {
    match *input {
        [low @ ..0x80, ..] => Ok(Some((u32::from(low), 1))),
        [low, high @ 1..0x80, ..] => Ok(Some((u32::from(low & 0x7F) | u32::from(high) << 7, 2))),
        _ => long_variable_byte_integer_prefix(input),
    }
}

#[inline(never)]
fn long_variable_byte_integer_prefix(input: &[u8]) -> Result<Option<(u32, usize)>, Rule> {
    let mut value = 0;
    for (at, &byte) in input.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            if byte == 0 && at > 0 {
                return Err(Rule::VariableByteIntegerNotMinimal);
            }
            return Ok(Some((value, at + 1)));
        }
    }
    if input.len() >= 4 {
        return Err(Rule::VariableByteIntegerTooLong);
    }
    Ok(None)
}

/// How many bytes a variable byte integer takes.
#[inline]
pub(crate) const fn variable_byte_integer_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x001F_FFFF => 3,
        _ => 4,
    }
}

/// The bytes of a variable byte integer and how many of them it takes, `value` being
/// 268,435,455 at most.
#[inline]
pub(crate) const fn variable_byte_integer_bytes(value: u32) -> ([u8; 4], usize) {
    const fn more(value: u32) -> u8 {
        value as u8 | 0x80
    }
    let (a, b, c) = (value, value >> 7, value >> 14);
    match variable_byte_integer_len(value) {
        1 => ([a as u8, 0, 0, 0], 1),
        2 => ([more(a), b as u8, 0, 0], 2),
        3 => ([more(a), more(b), c as u8, 0], 3),
        _ => ([more(a), more(b), more(c), (value >> 21) as u8], 4),
    }
}

/// Writes a variable byte integer, `value` being 268,435,455 at most.
#[inline]
pub(crate) fn put_variable_byte_integer(out: &mut impl BufMut, value: u32) {
    match variable_byte_integer_bytes(value) {
        ([a, ..], 1) => out.put_u8(a),
        ([a, b, ..], 2) => out.put_slice(&[a, b]),
        ([a, b, c, _], 3) => out.put_slice(&[a, b, c]),
        (bytes, _) => out.put_slice(&bytes),
    }
}

/// Writes length-prefixed bytes, of which there are 65,535 at most.
#[inline]
pub(crate) fn put_binary(out: &mut impl BufMut, bytes: &[u8]) {
    // `field_len`, or the type of the string, has seen to it that the length fits.
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

/// Encoded length of a string or binary field, or that it is too long to have one.
// keeps: 5.0 MQTT-4.7.3-3, 3.1.1 MQTT-4.7.3-3
#[inline]
pub(crate) fn field_len(bytes: &[u8]) -> Result<usize, EncodeError> {
    if bytes.len() > usize::from(u16::MAX) {
        return Err(EncodeError::FieldTooLong {
            length: bytes.len(),
        });
    }
    Ok(2 + bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The boundaries of the table in section 1.5.5.
    #[test]
    fn variable_byte_integers_of_the_specification() {
        let table: [(u32, &[u8]); 8] = [
            (0, &[0x00]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ];
        for (value, bytes) in table {
            assert_eq!(variable_byte_integer(bytes), Ok((&[][..], value)));
            let mut out = Vec::new();
            put_variable_byte_integer(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(variable_byte_integer_len(value), bytes.len());
            for cut in 0..bytes.len() {
                assert_eq!(variable_byte_integer_prefix(&bytes[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn variable_byte_integers_that_are_malformed() {
        for bytes in [&[0x80, 0x00][..], &[0xFF, 0x00], &[0x80, 0x80, 0x80, 0x00]] {
            assert_eq!(
                variable_byte_integer_prefix(bytes),
                Err(Rule::VariableByteIntegerNotMinimal)
            );
        }
        for bytes in [&[0x80, 0x80, 0x80, 0x80][..], &[0xFF; 4], &[0xFF; 9]] {
            assert_eq!(
                variable_byte_integer_prefix(bytes),
                Err(Rule::VariableByteIntegerTooLong)
            );
        }
    }

    /// Section 1.5.4: "A" and U+2A6D4 as the figure encodes them; U+FEFF stays (MQTT-1.5.4-3).
    #[test]
    fn strings_of_the_specification() {
        let figure = [0x00, 0x05, 0x41, 0xF0, 0xAA, 0x9B, 0x94];
        assert_eq!(
            string(&figure),
            Ok((&[][..], Utf8String::checked("A\u{2A6D4}")))
        );
        let bom = [0x00, 0x04, 0xEF, 0xBB, 0xBF, b'a', b'z'];
        assert_eq!(
            string(&bom),
            Ok((&b"z"[..], Utf8String::checked("\u{FEFF}a")))
        );
    }

    #[test]
    fn bytes_are_found_wherever_they_are() {
        for length in 0..40 {
            let plain: Vec<u8> = (0..length)
                .map(|at| b"a\x01\x80\xFF,$*\"/"[at % 9])
                .collect();
            assert!(!contains_null_or_wildcard(&plain), "{plain:?}");
            for at in 0..length {
                for byte in [0, b'+', b'#'] {
                    let mut bytes = plain.clone();
                    bytes[at] = byte;
                    assert_eq!(contains_null(&bytes), byte == 0);
                    assert_eq!(contains_wildcard(&bytes), byte != 0);
                    assert!(contains_null_or_wildcard(&bytes));
                }
            }
        }
    }

    #[test]
    fn a_string_fault_points_at_the_first_wrong_byte() {
        let table: [(&[u8], Rule, usize); 6] = [
            (&[0, 3, b'a', 0, b'b'], Rule::Utf8Null, 3),
            (&[0, 3, 0xED, 0xA0, 0x80], Rule::Utf8IllFormed, 2),
            (&[0, 3, b'a', 0xFF, 0x00], Rule::Utf8IllFormed, 3),
            (&[0, 3, b'a', 0x00, 0xFF], Rule::Utf8Null, 3),
            (&[0, 2, 0xC0, 0x80], Rule::Utf8IllFormed, 2),
            (&[0, 3, b'a', b'b'], Rule::Truncated, 2),
        ];
        for (bytes, rule, offset) in table {
            let fault = into_fault(string(bytes).unwrap_err());
            assert_eq!((fault.rule, bytes.len() - fault.remaining), (rule, offset));
        }
    }
}
