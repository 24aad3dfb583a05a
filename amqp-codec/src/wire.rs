//! The primitive types on the wire (section 4.2.5): read from a complete
//! frame's payload, measured, written.

use bytes::BufMut;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete;

use crate::error::{DecodeErrorKind, EncodeError};
use crate::{Limits, Table, Text};

/// What a field of a method is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldType {
    /// One bit; neighbours share bytes, lowest first (section 4.2.5.2).
    Bit,
    /// 8 bits.
    Octet,
    /// 16 bits.
    Short,
    /// 32 bits.
    Long,
    /// 64 bits.
    LongLong,
    /// Up to 255 bytes of UTF-8.
    ShortStr,
    /// Bytes with a length of 32 bits.
    LongStr,
    /// A field table.
    Table,
}

/// Where (as bytes not yet read) and what was wrong. Small and `Copy`, for
/// the parsers; it becomes a [`DecodeError`](crate::DecodeError) at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fault {
    pub(crate) remaining: usize,
    pub(crate) kind: DecodeErrorKind,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        // The primitives that are used fail in one way only: the end of input.
        Self {
            remaining: input.len(),
            kind: DecodeErrorKind::Truncated,
        }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Lengths on the wire are of up to 32 bits, and are cast to `usize` as they are.
const _: () = assert!(usize::BITS >= u32::BITS);

/// The limits that field tables are read with.
#[derive(Clone, Copy)]
pub(crate) struct TableLimits {
    pub(crate) size: u32,
    pub(crate) depth: u16,
}

impl TableLimits {
    #[inline]
    pub(crate) const fn of(limits: &Limits) -> Self {
        Self {
            size: limits.table_size,
            depth: limits.table_depth,
        }
    }
}

/// Reads fields from the front of a complete payload.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// The byte that bits come from, and how many were taken (8 is none left).
    bits: u8,
    bits_taken: u8,
    pub(crate) table_limits: TableLimits,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    pub(crate) const fn new(input: &'a [u8], limits: &Limits) -> Self {
        Self {
            rest: input,
            bits: 0,
            bits_taken: 8,
            table_limits: TableLimits::of(limits),
        }
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[cold]
    pub(crate) fn fault(&self, kind: DecodeErrorKind) -> Fault {
        Fault {
            remaining: self.rest.len(),
            kind,
        }
    }

    /// What one of nom's complete parsers has made of the front.
    // keeps: section 4.2.5.1 / alignment
    #[inline(always)]
    fn parsed<T>(&mut self, parsed: nom::IResult<&'a [u8], T, Fault>) -> Result<T, Fault> {
        self.bits_taken = 8;
        match parsed {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            // Of the kinds of error, complete parsers of numbers know this one only.
            Err(_) => Err(self.fault(DecodeErrorKind::Truncated)),
        }
    }

    #[inline(always)]
    pub(crate) fn octet(&mut self) -> Result<u8, Fault> {
        self.parsed(complete::be_u8(self.rest))
    }

    #[inline(always)]
    pub(crate) fn short(&mut self) -> Result<u16, Fault> {
        self.parsed(complete::be_u16(self.rest))
    }

    #[inline(always)]
    pub(crate) fn long(&mut self) -> Result<u32, Fault> {
        self.parsed(complete::be_u32(self.rest))
    }

    #[inline(always)]
    pub(crate) fn longlong(&mut self) -> Result<u64, Fault> {
        self.parsed(complete::be_u64(self.rest))
    }

    #[inline(always)]
    pub(crate) fn bit(&mut self) -> Result<bool, Fault> {
        if self.bits_taken == 8 {
            self.bits = self.octet()?;
            self.bits_taken = 0;
        }
        let bit = (self.bits >> self.bits_taken) & 1 == 1;
        self.bits_taken += 1;
        Ok(bit)
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        self.bits_taken = 8;
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.fault(DecodeErrorKind::Truncated)),
        }
    }

    #[inline(always)]
    pub(crate) fn shortstr(&mut self) -> Result<&'a str, Fault> {
        let len = self.octet()?;
        let at = *self;
        let bytes = self.take(usize::from(len))?;
        if bytes.is_empty() {
            return Ok("");
        }
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => Err(at.fault(DecodeErrorKind::Utf8)),
        }
    }

    /// A short string that may be no text.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, Fault> {
        let len = self.octet()?;
        self.take(usize::from(len)).map(Text::new)
    }

    #[inline(always)]
    pub(crate) fn longstr(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.long()?;
        self.take(len as usize)
    }

    #[inline(always)]
    pub(crate) fn table(&mut self) -> Result<Table<'a>, Fault> {
        Table::read(self)
    }

    #[inline(always)]
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.fault(DecodeErrorKind::Trailing))
        }
    }
}

/// Adds up what fields will take on the wire, and finds what cannot be carried.
/// In 64 bits: one slice may be in several fields, so that the sum of lengths is
/// more than memory has room for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measure {
    len: u64,
    bits: u8,
    error: Option<EncodeError>,
}

impl Measure {
    #[inline]
    pub(crate) fn bytes(&mut self, len: usize) {
        self.bits = 0;
        self.len += len as u64;
    }

    #[inline]
    pub(crate) fn bit(&mut self) {
        if self.bits & 7 == 0 {
            self.len += 1;
        }
        self.bits = (self.bits + 1) & 7;
    }

    #[inline]
    pub(crate) fn shortstr(&mut self, len: usize) {
        if len > 255 {
            self.error = Some(EncodeError::ShortString(len));
        }
        self.bytes(1 + len);
    }

    #[inline]
    pub(crate) fn longstr(&mut self, len: usize) {
        if len as u64 > u64::from(u32::MAX) {
            self.error = Some(EncodeError::TooLong(len));
        }
        self.bytes(4 + len);
    }

    /// The length, whether it can be carried or not.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// The length, if all of it can be carried in one frame.
    #[inline]
    pub(crate) fn finish(self) -> Result<usize, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None if self.len > u64::from(u32::MAX) => Err(EncodeError::TooLong(self.len())),
            None => Ok(self.len as usize),
        }
    }
}

/// Writes fields that a [`Measure`] has found to be right.
pub(crate) struct Writer<'o, B> {
    out: &'o mut B,
    bits: u8,
    bit_count: u8,
}

impl<'o, B: BufMut> Writer<'o, B> {
    #[inline]
    pub(crate) fn new(out: &'o mut B) -> Self {
        Self {
            out,
            bits: 0,
            bit_count: 0,
        }
    }

    #[inline]
    pub(crate) fn bit(&mut self, value: bool) {
        if self.bit_count == 8 {
            self.flush();
        }
        self.bits |= u8::from(value) << self.bit_count;
        self.bit_count += 1;
    }

    /// Writes the byte of bits that is not complete yet.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if self.bit_count > 0 {
            self.out.put_u8(self.bits);
            self.bits = 0;
            self.bit_count = 0;
        }
    }

    #[inline]
    pub(crate) fn octet(&mut self, value: u8) {
        self.flush();
        self.out.put_u8(value);
    }

    #[inline]
    pub(crate) fn short(&mut self, value: u16) {
        self.flush();
        self.out.put_u16(value);
    }

    #[inline]
    pub(crate) fn long(&mut self, value: u32) {
        self.flush();
        self.out.put_u32(value);
    }

    #[inline]
    pub(crate) fn longlong(&mut self, value: u64) {
        self.flush();
        self.out.put_u64(value);
    }

    #[inline]
    pub(crate) fn shortstr(&mut self, value: &str) {
        self.text(value.into());
    }

    #[inline]
    pub(crate) fn text(&mut self, value: Text<'_>) {
        self.octet(value.len() as u8);
        self.out.put_slice(value.as_bytes());
    }

    #[inline]
    pub(crate) fn longstr(&mut self, value: &[u8]) {
        self.long(value.len() as u32);
        self.out.put_slice(value);
    }
}
