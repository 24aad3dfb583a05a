//! The data representations of section 1.5: integers, strings and binary data.
//!
//! Parsers run on a complete packet body, with nom's `complete` primitives, so that a
//! body that is cut short is an error and never "incomplete". Where in the packet a
//! parser failed is told by how many bytes were left.

use bytes::BufMut;
use nom::IResult;
use nom::bytes::complete::take;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete as number;

use crate::{EncodeError, PacketIdentifier, Rule};

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

#[inline]
pub(crate) fn u8(input: &[u8]) -> Parsed<'_, u8> {
    number::be_u8(input)
}

#[inline]
pub(crate) fn u16(input: &[u8]) -> Parsed<'_, u16> {
    number::be_u16(input)
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
#[inline]
pub(crate) fn binary(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = u16(input)?;
    take(length)(rest)
}

/// A UTF-8 encoded string (section 1.5.4).
#[inline]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, bytes) = binary(input)?;
    match core::str::from_utf8(bytes) {
        Ok(string) if !contains_null(bytes) => Ok((rest, string)),
        _ => Err(string_fault(input, bytes)),
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

const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Not zero if one of the bytes of `word` is zero.
#[inline]
const fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

/// Not zero if one of the bytes of `word` is `+` or `#`, which differ in one bit.
#[inline]
const fn wildcard_byte(word: u64) -> u64 {
    const DIFFERENCE: u8 = b'+' ^ b'#';
    zero_byte((word | u64::from_ne_bytes([DIFFERENCE; 8])) ^ u64::from_ne_bytes([b'+' | b'#'; 8]))
}

/// Whether `test` finds something in one of the bytes, eight of which it is given at a
/// time. It is to find nothing in a space.
#[inline]
fn any_byte(bytes: &[u8], test: impl Fn(u64) -> u64) -> bool {
    // What is left of whole words is in the last bytes, some of which are seen twice.
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        let found = words
            .iter()
            .fold(0, |found, word| found | test(u64::from_ne_bytes(*word)));
        return found | test(u64::from_ne_bytes(*last)) != 0;
    }
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last))
        }
        _ => match *bytes {
            [a] => u64::from_ne_bytes([a, b' ', b' ', b' ', b' ', b' ', b' ', b' ']),
            [a, b] => u64::from_ne_bytes([a, b, b' ', b' ', b' ', b' ', b' ', b' ']),
            [a, b, c] => u64::from_ne_bytes([a, b, c, b' ', b' ', b' ', b' ', b' ']),
            _ => return false,
        },
    };
    test(word) != 0
}

/// Whether a string has U+0000.
#[inline]
pub(crate) fn contains_null(bytes: &[u8]) -> bool {
    any_byte(bytes, zero_byte)
}

/// Whether a string has a wildcard character.
#[inline]
pub(crate) fn contains_wildcard(bytes: &[u8]) -> bool {
    any_byte(bytes, wildcard_byte)
}

/// Whether a string has U+0000 or a wildcard character.
#[inline]
pub(crate) fn contains_null_or_wildcard(bytes: &[u8]) -> bool {
    any_byte(bytes, |word| zero_byte(word) | wildcard_byte(word))
}

/// A string that is to have no wildcard characters either (section 4.7.1).
#[inline]
pub(crate) fn topic_name(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, bytes) = binary(input)?;
    match core::str::from_utf8(bytes) {
        Ok(name) if !contains_null_or_wildcard(bytes) => Ok((rest, name)),
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

/// Writes a variable byte integer, `value` being 268,435,455 at most.
#[inline]
pub(crate) fn put_variable_byte_integer(out: &mut impl BufMut, mut value: u32) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

/// Writes length-prefixed bytes, of which [`field_len`] has checked the length.
#[inline]
pub(crate) fn put_binary(out: &mut impl BufMut, bytes: &[u8]) {
    // `field_len` has seen to it that the length fits.
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

/// Encoded length of a string or binary field, or that it is too long to have one.
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
        assert_eq!(string(&figure), Ok((&[][..], "A\u{2A6D4}")));
        let bom = [0x00, 0x04, 0xEF, 0xBB, 0xBF, b'a', b'z'];
        assert_eq!(string(&bom), Ok((&b"z"[..], "\u{FEFF}a")));
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
