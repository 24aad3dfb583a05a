//! The values that field tables and arrays hold.

use core::fmt;

use crate::error::{DecodeErrorKind, EncodeError};
use crate::wire::{Fault, Reader};
use crate::{Array, Limits, Table};

/// A value in a field table or array, with the type letters that RabbitMQ and
/// its clients use (erratum 3).
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// `t`: a byte, zero for false.
    Boolean(bool),
    /// `b`: signed, 8 bits.
    I8(i8),
    /// `B`: unsigned, 8 bits.
    U8(u8),
    /// `s`: signed, 16 bits. (A short string in the specification, which nobody followed.)
    I16(i16),
    /// `u`: unsigned, 16 bits.
    U16(u16),
    /// `I`: signed, 32 bits.
    I32(i32),
    /// `i`: unsigned, 32 bits.
    U32(u32),
    /// `l`, and `L` when read: signed, 64 bits.
    I64(i64),
    /// `f`: 32 bits of IEEE 754.
    F32(f32),
    /// `d`: 64 bits of IEEE 754.
    F64(f64),
    /// `D`: `value` divided by ten to the power of `scale`.
    Decimal {
        /// Places after the point.
        scale: u8,
        /// All digits; signed, whatever the grammar says (erratum 3).
        value: i32,
    },
    /// `S`: a long string, as a rule UTF-8.
    LongString(&'a [u8]),
    /// `x`: bytes that are no string.
    Bytes(&'a [u8]),
    /// `A`: an array of values.
    Array(Array<'a>),
    /// `T`: seconds since 1970-01-01T00:00Z.
    Timestamp(u64),
    /// `F`: a table in the table.
    Table(Table<'a>),
    /// `V`: no value.
    Void,
}

impl<'a> FieldValue<'a> {
    /// The letter that stands for the type on the wire.
    #[must_use]
    pub const fn letter(&self) -> u8 {
        match self {
            Self::Boolean(_) => b't',
            Self::I8(_) => b'b',
            Self::U8(_) => b'B',
            Self::I16(_) => b's',
            Self::U16(_) => b'u',
            Self::I32(_) => b'I',
            Self::U32(_) => b'i',
            Self::I64(_) => b'l',
            Self::F32(_) => b'f',
            Self::F64(_) => b'd',
            Self::Decimal { .. } => b'D',
            Self::LongString(_) => b'S',
            Self::Bytes(_) => b'x',
            Self::Array(_) => b'A',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Void => b'V',
        }
    }

    /// The text of a long string that is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::LongString(bytes) => core::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The bytes of a long string or a byte array.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::LongString(bytes) | Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number, of any of the integer types.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        Some(match *self {
            Self::I8(value) => value.into(),
            Self::U8(value) => value.into(),
            Self::I16(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::I32(value) => value.into(),
            Self::U32(value) => value.into(),
            Self::I64(value) => value,
            _ => return None,
        })
    }

    /// The truth value.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The table.
    #[must_use]
    pub const fn as_table(&self) -> Option<Table<'a>> {
        match self {
            Self::Table(table) => Some(*table),
            _ => None,
        }
    }

    /// The array.
    #[must_use]
    pub const fn as_array(&self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(*array),
            _ => None,
        }
    }

    /// Whether the value may stand in a table or an array: whether one with it is
    /// what decoding would take under the widest limits.
    pub(crate) fn check_depth(&self) -> Result<(), EncodeError> {
        // The table or array around it is one level, what it is itself another.
        const BELOW: u16 = Limits::MAX_TABLE_DEPTH - 2;
        let checked = match self {
            Self::Table(table) => check::<true>(table.as_bytes(), BELOW),
            Self::Array(array) => check::<false>(array.as_bytes(), BELOW),
            _ => return Ok(()),
        };
        // What it is made of was checked when it came or was built, but for this.
        checked.map_err(|_| EncodeError::TableDepth(Limits::MAX_TABLE_DEPTH))
    }

    /// Reads letter and value of what [`check`] has passed.
    pub(crate) fn read_checked(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let at = *reader;
        Ok(match reader.octet()? {
            b't' => Self::Boolean(reader.octet()? != 0),
            b'b' => Self::I8(reader.octet()? as i8),
            b'B' => Self::U8(reader.octet()?),
            b's' => Self::I16(reader.short()? as i16),
            b'u' => Self::U16(reader.short()?),
            b'I' => Self::I32(reader.long()? as i32),
            b'i' => Self::U32(reader.long()?),
            b'l' | b'L' => Self::I64(reader.longlong()? as i64),
            b'f' => Self::F32(f32::from_bits(reader.long()?)),
            b'd' => Self::F64(f64::from_bits(reader.longlong()?)),
            b'D' => Self::Decimal {
                scale: reader.octet()?,
                value: reader.long()? as i32,
            },
            b'S' => Self::LongString(reader.longstr()?),
            b'x' => Self::Bytes(reader.longstr()?),
            b'A' => Self::Array(Array::from_checked(reader.longstr()?)),
            b'T' => Self::Timestamp(reader.longlong()?),
            b'F' => Self::Table(Table::from_checked(reader.longstr()?)),
            b'V' => Self::Void,
            letter => return Err(at.fault(DecodeErrorKind::FieldType(letter))),
        })
    }
}

/// How many bytes follow each letter; `LONG` and `NESTED` have a length of
/// four bytes and as many bytes as that says.
static WIDTHS: [u8; 256] = {
    let mut widths = [UNKNOWN; 256];
    let rows: [(&[u8], u8); 7] = [
        (b"V", 0),
        (b"tbB", 1),
        (b"su", 2),
        (b"Iif", 4),
        (b"D", 5),
        (b"lLdT", 8),
        (b"Sx", LONG),
    ];
    let mut row = 0;
    while row < rows.len() {
        let (letters, width) = rows[row];
        let mut at = 0;
        while at < letters.len() {
            widths[letters[at] as usize] = width;
            at += 1;
        }
        row += 1;
    }
    widths[b'A' as usize] = NESTED;
    widths[b'F' as usize] = NESTED;
    widths
};

const LONG: u8 = 0xFD;
const NESTED: u8 = 0xFE;
const UNKNOWN: u8 = 0xFF;

/// Checks the values of a table (`NAMED`) or an array up to the end. `depth` is
/// how many levels may still open below; [`TableDepth`](DecodeErrorKind::TableDepth)
/// has 0 instead of the limit, which is not known here.
///
/// Of every message with headers this looks at each byte that a wrong one may
/// hide in, so it is one loop over a slice, and makes nothing of what it sees.
pub(crate) fn check<const NAMED: bool>(bytes: &[u8], depth: u16) -> Result<(), Fault> {
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let (letter, after) = if NAMED {
            let Some((_, after_name)) = after.split_at_checked(usize::from(*first)) else {
                return Err(fault(after, DecodeErrorKind::Truncated));
            };
            rest = after_name;
            let Some((letter, after)) = after_name.split_first() else {
                return Err(fault(after_name, DecodeErrorKind::Truncated));
            };
            (*letter, after)
        } else {
            (*first, after)
        };
        let width = WIDTHS[usize::from(letter)];
        rest = if width < LONG {
            match after.get(usize::from(width)..) {
                Some(after) => after,
                None => return Err(fault(after, DecodeErrorKind::Truncated)),
            }
        } else if width == UNKNOWN {
            return Err(fault(rest, DecodeErrorKind::FieldType(letter)));
        } else {
            let Some((size, after)) = after.split_first_chunk() else {
                return Err(fault(after, DecodeErrorKind::Truncated));
            };
            let size = u32::from_be_bytes(*size) as usize;
            let Some((value, after)) = after.split_at_checked(size) else {
                return Err(fault(after, DecodeErrorKind::Truncated));
            };
            if width == NESTED && !value.is_empty() {
                let Some(below) = depth.checked_sub(1) else {
                    return Err(fault(rest, DecodeErrorKind::TableDepth(0)));
                };
                nested(letter, value, below, after)?;
            }
            after
        };
    }
    Ok(())
}

/// Checks a table or array inside, which ends before `after`.
fn nested(letter: u8, value: &[u8], depth: u16, after: &[u8]) -> Result<(), Fault> {
    let checked = match letter {
        b'F' => check::<true>(value, depth),
        _ => check::<false>(value, depth),
    };
    // Faults count what remains; outside there is more.
    checked.map_err(|mut fault| {
        fault.remaining += after.len();
        fault
    })
}

#[cold]
fn fault(rest: &[u8], kind: DecodeErrorKind) -> Fault {
    Fault {
        remaining: rest.len(),
        kind,
    }
}

/// As short as a log line wants it: `"text"`, `42`, `{"a": 1}`; 32 levels, and
/// `{..}` for what is deeper.
impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(*self, SHOWN_DEPTH).fmt(f)
    }
}

/// Printing takes stack for each level, and more of it than checking does.
const SHOWN_DEPTH: u16 = 32;

/// A value, and how many levels of it are printed.
struct Shown<'a>(FieldValue<'a>, u16);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::Boolean(value) => write!(f, "{value}"),
            FieldValue::I8(value) => write!(f, "{value}"),
            FieldValue::U8(value) => write!(f, "{value}"),
            FieldValue::I16(value) => write!(f, "{value}"),
            FieldValue::U16(value) => write!(f, "{value}"),
            FieldValue::I32(value) => write!(f, "{value}"),
            FieldValue::U32(value) => write!(f, "{value}"),
            FieldValue::I64(value) => write!(f, "{value}"),
            FieldValue::F32(value) => write!(f, "{value:?}"),
            FieldValue::F64(value) => write!(f, "{value:?}"),
            FieldValue::Decimal { scale, value } => write!(f, "{value}e-{scale}"),
            FieldValue::LongString(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            FieldValue::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            FieldValue::Array(array) => match self.1.checked_sub(1) {
                None if !array.is_empty() => f.debug_list().finish_non_exhaustive(),
                below => {
                    let below = below.unwrap_or_default();
                    let elements = array.iter().map(|value| Shown(value, below));
                    f.debug_list().entries(elements).finish()
                }
            },
            FieldValue::Timestamp(seconds) => write!(f, "@{seconds}"),
            FieldValue::Table(table) => match self.1.checked_sub(1) {
                None if !table.is_empty() => f.debug_map().finish_non_exhaustive(),
                below => {
                    let below = below.unwrap_or_default();
                    let entries = table
                        .iter()
                        .map(|(name, value)| (name, Shown(value, below)));
                    f.debug_map().entries(entries).finish()
                }
            },
            FieldValue::Void => f.write_str("void"),
        }
    }
}

macro_rules! from {
    ($($rust:ty => $variant:ident,)*) => { $(
        impl<'a> From<$rust> for FieldValue<'a> {
            fn from(value: $rust) -> Self {
                Self::$variant(value.into())
            }
        }
    )* };
}

from! {
    bool => Boolean,
    i8 => I8,
    u8 => U8,
    i16 => I16,
    u16 => U16,
    i32 => I32,
    u32 => U32,
    i64 => I64,
    f32 => F32,
    f64 => F64,
    &'a [u8] => LongString,
    Table<'a> => Table,
    Array<'a> => Array,
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::LongString(text.as_bytes())
    }
}

impl<'a> From<&'a crate::TableBuf> for FieldValue<'a> {
    fn from(table: &'a crate::TableBuf) -> Self {
        Self::Table(table.as_table())
    }
}

impl<'a> From<&'a crate::ArrayBuf> for FieldValue<'a> {
    fn from(array: &'a crate::ArrayBuf) -> Self {
        Self::Array(array.as_array())
    }
}
