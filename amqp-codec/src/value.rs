//! The values that field tables and arrays hold.

use core::fmt;

use crate::error::DecodeErrorKind;
use crate::wire::{Fault, Reader};
use crate::{Array, Table};

/// A value in a field table or array, with the type letters that RabbitMQ and
/// its clients use (erratum 3).
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// `t`: an octet, zero for false.
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
    /// `x`: octets that are no string.
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
            Self::LongString(octets) => core::str::from_utf8(octets).ok(),
            _ => None,
        }
    }

    /// The octets of a long string or a byte array.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::LongString(octets) | Self::Bytes(octets) => Some(octets),
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

/// Checks one value, letter first. `depth` is how many levels may still open below.
pub(crate) fn check<'a>(reader: &mut Reader<'a>, depth: u16) -> Result<(), Fault> {
    let at = *reader;
    let fixed = match reader.octet()? {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'S' | b'x' => return reader.longstr().map(drop),
        letter @ (b'A' | b'F') => {
            let octets = reader.longstr()?;
            if octets.is_empty() {
                return Ok(());
            }
            let Some(depth) = depth.checked_sub(1) else {
                return Err(at.fault(DecodeErrorKind::TableDepth(at.table_depth)));
            };
            let mut inner = reader.within(octets);
            let checked = if letter == b'F' {
                check_entries(&mut inner, depth)
            } else {
                check_elements(&mut inner, depth)
            };
            // Faults count what remains; outside of the inner there is more.
            return checked.map_err(|mut fault| {
                fault.remaining += reader.rest().len();
                fault
            });
        }
        letter => return Err(at.fault(DecodeErrorKind::FieldType(letter))),
    };
    reader.take(fixed).map(drop)
}

/// Checks names and values up to the end.
pub(crate) fn check_entries(reader: &mut Reader<'_>, depth: u16) -> Result<(), Fault> {
    while !reader.rest().is_empty() {
        reader.shortstr()?;
        check(reader, depth)?;
    }
    Ok(())
}

/// Checks values up to the end.
pub(crate) fn check_elements(reader: &mut Reader<'_>, depth: u16) -> Result<(), Fault> {
    while !reader.rest().is_empty() {
        check(reader, depth)?;
    }
    Ok(())
}

/// As short as a log line wants it: `"text"`, `42`, `{"a": 1}`.
impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::I8(value) => write!(f, "{value}"),
            Self::U8(value) => write!(f, "{value}"),
            Self::I16(value) => write!(f, "{value}"),
            Self::U16(value) => write!(f, "{value}"),
            Self::I32(value) => write!(f, "{value}"),
            Self::U32(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value:?}"),
            Self::F64(value) => write!(f, "{value:?}"),
            Self::Decimal { scale, value } => write!(f, "{value}e-{scale}"),
            Self::LongString(octets) => write!(f, "\"{}\"", octets.escape_ascii()),
            Self::Bytes(octets) => write!(f, "b\"{}\"", octets.escape_ascii()),
            Self::Array(array) => write!(f, "{array:?}"),
            Self::Timestamp(seconds) => write!(f, "@{seconds}"),
            Self::Table(table) => write!(f, "{table:?}"),
            Self::Void => f.write_str("void"),
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
