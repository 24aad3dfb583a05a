//! Field tables and arrays (section 4.2.5.5): checked once, walked where they lie.

use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

use crate::error::{DecodeErrorKind, EncodeError};
use crate::value::{self, FieldValue};
use crate::wire::{Fault, Measure, Reader, TableLimits, Writer};
use crate::{DecodeError, Limits, Text};

/// A field table in the bytes it came in.
///
/// It was checked once, so walking it cannot fail; nothing of it is copied.
/// Equality is that of the bytes, so the order of entries counts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Table<'a>(&'a [u8]);

/// An array in the bytes it came in; its length is in bytes (erratum 4).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Array<'a>(&'a [u8]);

impl<'a> Table<'a> {
    /// The table without entries.
    pub const EMPTY: Self = Self(&[]);

    /// Checks a table's encoding, without its length.
    ///
    /// # Errors
    /// When it is malformed or goes beyond the limits on tables.
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        match check::<true>(bytes, TableLimits::of(limits)) {
            Ok(()) => Ok(Self(bytes)),
            Err(fault) => Err(at_top(bytes, fault)),
        }
    }

    /// Reads the length and checks what follows.
    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let at = *reader;
        let size = reader.long()?;
        if size == 0 {
            return Ok(Self::EMPTY);
        }
        if size > reader.table_limits.size {
            return Err(at.fault(too_large(size, reader.table_limits)));
        }
        let bytes = reader.take(size as usize)?;
        match check::<true>(bytes, reader.table_limits) {
            Ok(()) => Ok(Self(bytes)),
            Err(mut fault) => {
                // Faults count what remains; outside of the table there is more.
                fault.remaining += reader.rest().len();
                Err(fault)
            }
        }
    }

    pub(crate) const fn from_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoding, without its length.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in their order; a name may come twice.
    #[must_use]
    pub fn iter(&self) -> Entries<'a> {
        Entries(Reader::new(self.0, &Limits::DEFAULT))
    }

    /// The value of the first entry of this name.
    #[must_use]
    pub fn get<'n>(&self, name: impl Into<Text<'n>>) -> Option<FieldValue<'a>> {
        let name = name.into();
        let mut reader = Reader::new(self.0, &Limits::DEFAULT);
        while !reader.rest().is_empty() {
            let len = reader.octet().ok()?;
            let found = reader.take(usize::from(len)).ok()? == name.as_bytes();
            let value = FieldValue::read_checked(&mut reader).ok()?;
            if found {
                return Some(value);
            }
        }
        None
    }

    /// A copy that lives on.
    #[must_use]
    pub fn to_buf(&self) -> TableBuf {
        TableBuf(self.0.to_vec())
    }
}

impl<'a> Array<'a> {
    /// The array without elements.
    pub const EMPTY: Self = Self(&[]);

    /// Checks an array's encoding, without its length.
    ///
    /// # Errors
    /// When it is malformed or goes beyond the limits on tables.
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        match check::<false>(bytes, TableLimits::of(limits)) {
            Ok(()) => Ok(Self(bytes)),
            Err(fault) => Err(at_top(bytes, fault)),
        }
    }

    pub(crate) const fn from_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoding, without its length.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements in their order.
    #[must_use]
    pub fn iter(&self) -> Elements<'a> {
        Elements(Reader::new(self.0, &Limits::DEFAULT))
    }
}

/// Checks a table (`NAMED`) or an array of which only the length is known.
fn check<const NAMED: bool>(bytes: &[u8], limits: TableLimits) -> Result<(), Fault> {
    let fault = |kind| Fault {
        remaining: bytes.len(),
        kind,
    };
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if size > limits.size {
        return Err(fault(too_large(size, limits)));
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let depth = limits.depth.min(Limits::MAX_TABLE_DEPTH);
    let Some(below) = depth.checked_sub(1) else {
        return Err(fault(DecodeErrorKind::TableDepth(0)));
    };
    value::check::<NAMED>(bytes, below).map_err(|mut fault| {
        if let DecodeErrorKind::TableDepth(limit) = &mut fault.kind {
            *limit = depth;
        }
        fault
    })
}

const fn too_large(size: u32, limits: TableLimits) -> DecodeErrorKind {
    DecodeErrorKind::TableSize {
        size,
        limit: limits.size,
    }
}

pub(crate) fn at_top(bytes: &[u8], fault: Fault) -> DecodeError {
    DecodeError {
        offset: bytes.len() - fault.remaining,
        kind: fault.kind,
        channel: 0,
        method: None,
    }
}

/// The entries of a [`Table`].
#[derive(Clone)]
pub struct Entries<'a>(Reader<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Text<'a>, FieldValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        // An empty rest reads as an error too; what was checked has no other.
        let name = self.0.text().ok()?;
        Some((name, FieldValue::read_checked(&mut self.0).ok()?))
    }
}

/// The elements of an [`Array`].
#[derive(Clone)]
pub struct Elements<'a>(Reader<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = FieldValue<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        FieldValue::read_checked(&mut self.0).ok()
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for Table<'a> {
    type Item = (Text<'a>, FieldValue<'a>);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = FieldValue<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

/// `{"x-match": "all", "n": 1}`; 32 levels, and `{..}` for what is deeper.
impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FieldValue::Table(*self).fmt(f)
    }
}

/// `["a", 1]`; 32 levels, and `[..]` for what is deeper.
impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FieldValue::Array(*self).fmt(f)
    }
}

/// A field table that is built or kept: owned, in its encoding.
///
/// ```
/// use amqp_codec::{FieldValue, TableBuf};
///
/// let mut arguments = TableBuf::new();
/// arguments.insert("x-max-length", 1000)?;
/// arguments.insert("x-overflow", "reject-publish")?;
/// assert_eq!(arguments.as_table().get("x-max-length"), Some(FieldValue::I32(1000)));
/// # Ok::<(), amqp_codec::EncodeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TableBuf(Vec<u8>);

impl TableBuf {
    /// A table without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an entry at the end. It does not look whether there is one of
    /// this name; [`remove`](Self::remove) it first if there may be.
    ///
    /// # Errors
    /// When the name is over 255 bytes, the table would be over 4 GiB, or it
    /// would nest deeper than [`Limits::MAX_TABLE_DEPTH`]; it is unchanged then.
    pub fn insert<'n, 'v>(
        &mut self,
        name: impl Into<Text<'n>>,
        value: impl Into<FieldValue<'v>>,
    ) -> Result<(), EncodeError> {
        let name = name.into();
        let value = value.into();
        let mut measure = Measure::default();
        measure.bytes(self.0.len());
        measure.shortstr(name.len());
        measure_value(&value, &mut measure);
        measure.finish()?;
        value.check_depth()?;
        Writer::new(&mut self.0).text(name);
        write_value(&value, &mut self.0);
        Ok(())
    }

    /// Adds entries at the end, as [`insert`](Self::insert) does each of them.
    ///
    /// ```
    /// use amqp_codec::{FieldValue, TableBuf};
    ///
    /// let mut arguments = TableBuf::try_from([("x-max-length", 1000), ("x-max-priority", 10)])?;
    /// arguments.try_extend([("x-queue-mode", "lazy")])?;
    /// assert_eq!(arguments.as_table().iter().count(), 3);
    /// # Ok::<(), amqp_codec::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// As for `insert`; the table is unchanged then.
    pub fn try_extend<'n, 'v>(
        &mut self,
        entries: impl IntoIterator<Item = (impl Into<Text<'n>>, impl Into<FieldValue<'v>>)>,
    ) -> Result<(), EncodeError> {
        let before = self.0.len();
        for (name, value) in entries {
            if let Err(error) = self.insert(name, value) {
                self.0.truncate(before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes all entries of this name away. Returns whether there were any.
    pub fn remove<'n>(&mut self, name: impl Into<Text<'n>>) -> bool {
        let name = name.into();
        let before = self.0.len();
        let mut kept = Vec::new();
        let mut reader = Reader::new(&self.0, &Limits::DEFAULT);
        while !reader.rest().is_empty() {
            let at = reader.rest();
            let Ok(entry) = reader.text() else { break };
            if FieldValue::read_checked(&mut reader).is_err() {
                break;
            }
            if entry != name {
                kept.extend_from_slice(&at[..at.len() - reader.rest().len()]);
            }
        }
        self.0 = kept;
        self.0.len() != before
    }

    /// The table, to read or to send.
    #[must_use]
    pub fn as_table(&self) -> Table<'_> {
        Table(&self.0)
    }
}

/// The table of these entries, in their order. Values of several types are given as
/// [`FieldValue`]s.
impl<'n, 'v, N, V, const LEN: usize> TryFrom<[(N, V); LEN]> for TableBuf
where
    N: Into<Text<'n>>,
    V: Into<FieldValue<'v>>,
{
    type Error = EncodeError;

    fn try_from(entries: [(N, V); LEN]) -> Result<Self, EncodeError> {
        let mut table = Self::new();
        table.try_extend(entries)?;
        Ok(table)
    }
}

impl fmt::Debug for TableBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_table().fmt(f)
    }
}

/// An array that is built or kept: owned, in its encoding.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ArrayBuf(Vec<u8>);

impl ArrayBuf {
    /// An array without elements.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an element at the end.
    ///
    /// # Errors
    /// When the array would be over 4 GiB, or nest deeper than
    /// [`Limits::MAX_TABLE_DEPTH`]; it is unchanged then.
    pub fn push<'v>(&mut self, value: impl Into<FieldValue<'v>>) -> Result<(), EncodeError> {
        let value = value.into();
        let mut measure = Measure::default();
        measure.bytes(self.0.len());
        measure_value(&value, &mut measure);
        measure.finish()?;
        value.check_depth()?;
        write_value(&value, &mut self.0);
        Ok(())
    }

    /// Adds elements at the end, as [`push`](Self::push) does each of them.
    ///
    /// # Errors
    /// As for `push`; the array is unchanged then.
    pub fn try_extend<'v>(
        &mut self,
        elements: impl IntoIterator<Item = impl Into<FieldValue<'v>>>,
    ) -> Result<(), EncodeError> {
        let before = self.0.len();
        for element in elements {
            if let Err(error) = self.push(element) {
                self.0.truncate(before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The array, to read or to put into a table.
    #[must_use]
    pub fn as_array(&self) -> Array<'_> {
        Array(&self.0)
    }
}

/// The array of these elements, in their order.
impl<'v, V: Into<FieldValue<'v>>, const LEN: usize> TryFrom<[V; LEN]> for ArrayBuf {
    type Error = EncodeError;

    fn try_from(elements: [V; LEN]) -> Result<Self, EncodeError> {
        let mut array = Self::new();
        array.try_extend(elements)?;
        Ok(array)
    }
}

impl fmt::Debug for ArrayBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_array().fmt(f)
    }
}

fn measure_value(value: &FieldValue<'_>, measure: &mut Measure) {
    measure.bytes(1);
    match value {
        FieldValue::Void => {}
        FieldValue::Boolean(_) | FieldValue::I8(_) | FieldValue::U8(_) => measure.bytes(1),
        FieldValue::I16(_) | FieldValue::U16(_) => measure.bytes(2),
        FieldValue::I32(_) | FieldValue::U32(_) | FieldValue::F32(_) => measure.bytes(4),
        FieldValue::Decimal { .. } => measure.bytes(5),
        FieldValue::I64(_) | FieldValue::F64(_) | FieldValue::Timestamp(_) => measure.bytes(8),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => {
            measure.longstr(bytes.len());
        }
        FieldValue::Array(array) => measure.longstr(array.0.len()),
        FieldValue::Table(table) => measure.longstr(table.0.len()),
    }
}

fn write_value(value: &FieldValue<'_>, out: &mut impl BufMut) {
    let mut writer = Writer::new(out);
    writer.octet(value.letter());
    match *value {
        FieldValue::Void => {}
        FieldValue::Boolean(value) => writer.octet(value.into()),
        FieldValue::I8(value) => writer.octet(value as u8),
        FieldValue::U8(value) => writer.octet(value),
        FieldValue::I16(value) => writer.short(value as u16),
        FieldValue::U16(value) => writer.short(value),
        FieldValue::I32(value) => writer.long(value as u32),
        FieldValue::U32(value) => writer.long(value),
        FieldValue::F32(value) => writer.long(value.to_bits()),
        FieldValue::Decimal { scale, value } => {
            writer.octet(scale);
            writer.long(value as u32);
        }
        FieldValue::I64(value) => writer.longlong(value as u64),
        FieldValue::F64(value) => writer.longlong(value.to_bits()),
        FieldValue::Timestamp(value) => writer.longlong(value),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => writer.longstr(bytes),
        FieldValue::Array(array) => writer.longstr(array.0),
        FieldValue::Table(table) => writer.longstr(table.0),
    }
}
