//! Methods: what one peer asks or tells the other (section 1.5 of the
//! specification's reference), declared once, in [`table`](self::METHODS).
//!
//! There is a module for each class and in it a struct for each method, with
//! its fields in the specification's names. Reserved fields are left out: they
//! are written as zero and read without a look. [`Method`] is any of them.
//!
//! ```
//! use amqp_codec::{Method, method::queue};
//!
//! let declare = queue::Declare::new("tasks").with_durable(true);
//! assert_eq!(Method::from(declare).id().to_string(), "queue.declare");
//! ```

use core::fmt;

use bytes::BufMut;

use crate::Table;
pub use crate::wire::FieldType;
use crate::wire::{Fault, Measure, Reader, Writer};

mod table;

pub use table::{Bit, Long, LongLong, LongStr, Octet, Short, ShortStr};
pub use table::{
    METHODS, Method, access, basic, channel, confirm, connection, exchange, queue, tx,
};

/// Class and method number, as in a method frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId {
    /// The class: 60 is basic.
    pub class_id: u16,
    /// The method within its class.
    pub method_id: u16,
}

impl MethodId {
    /// The method with these numbers, known or not.
    #[must_use]
    pub const fn new(class_id: u16, method_id: u16) -> Self {
        Self {
            class_id,
            method_id,
        }
    }

    /// Those that a method frame's payload begins with; `None` if it is too short.
    pub(crate) fn of_payload(payload: &[u8]) -> Option<Self> {
        let (class_id, rest) = payload.split_first_chunk()?;
        let method_id = rest.first_chunk()?;
        Some(Self::new(
            u16::from_be_bytes(*class_id),
            u16::from_be_bytes(*method_id),
        ))
    }

    /// What the table says about it, `None` for an unknown one.
    #[must_use]
    pub fn info(self) -> Option<&'static MethodInfo> {
        METHODS.iter().find(|info| info.id == self)
    }
}

/// The name, `queue.declare`, or the numbers of an unknown one, `50.99`.
impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => f.write_str(info.name),
            None => write!(f, "{}.{}", self.class_id, self.method_id),
        }
    }
}

/// Which peer may send a method (`chassis` in the specification's XML).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SentBy {
    /// Only the client.
    Client,
    /// Only the server.
    Server,
    /// Either.
    Both,
}

/// One row of the table of methods.
#[derive(Debug)]
#[non_exhaustive]
pub struct MethodInfo {
    /// Class and method number.
    pub id: MethodId,
    /// Class and method name: `queue.declare`.
    pub name: &'static str,
    /// Which peer may send it.
    pub sent_by: SentBy,
    /// Whether a content header and body follow.
    pub has_content: bool,
    /// The methods that answer it; empty when nothing does.
    pub replies: &'static [MethodId],
    /// Its fields in order, the reserved ones included.
    pub fields: &'static [FieldInfo],
}

/// One field of a method.
#[derive(Debug)]
#[non_exhaustive]
pub struct FieldInfo {
    /// The name, with underscores; a reserved one is `reserved`.
    pub name: &'static str,
    /// The type on the wire.
    pub field_type: FieldType,
}

impl FieldInfo {
    const fn of<'a, T: Field<'a>>(name: &'static str) -> Self {
        Self {
            name: plain(name),
            field_type: T::TYPE,
        }
    }
}

/// The specification's name of a field whose name Rust has to escape.
pub(crate) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Bytes that a log must not show: passwords and tokens.
///
/// `Debug` and `Display` of a method tell only its length.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a [u8]);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// What reads the fields of one method, as the table's macro writes it out.
trait Arguments<'a>: Sized {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault>;
}

/// What writes the fields of one method, or of whichever it is.
pub(crate) trait Fields {
    fn measure(&self, measure: &mut Measure);
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>);
}

/// A method's struct knows its numbers.
pub(crate) trait Identified {
    const ID: MethodId;
}

/// A Rust type that is a field on the wire.
trait Field<'a>: Sized {
    const TYPE: FieldType;
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault>;
    fn measure(&self, measure: &mut Measure);
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>);
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

macro_rules! fixed_fields {
    ($($rust:ty, $type:ident, $function:ident, $measure:expr;)*) => { $(
        impl<'a> Field<'a> for $rust {
            const TYPE: FieldType = FieldType::$type;
            #[inline(always)]
            fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
                reader.$function()
            }
            #[inline(always)]
            fn measure(&self, measure: &mut Measure) {
                let add: fn(&mut Measure) = $measure;
                add(measure);
            }
            #[inline(always)]
            fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
                writer.$function(*self);
            }
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )* };
}

fixed_fields! {
    bool, Bit, bit, |m| m.bit();
    u8, Octet, octet, |m| m.bytes(1);
    u16, Short, short, |m| m.bytes(2);
    u32, Long, long, |m| m.bytes(4);
    u64, LongLong, longlong, |m| m.bytes(8);
}

impl<'a> Field<'a> for &'a str {
    const TYPE: FieldType = FieldType::ShortStr;
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.shortstr()
    }
    #[inline(always)]
    fn measure(&self, measure: &mut Measure) {
        measure.shortstr(self.len());
    }
    #[inline(always)]
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
        writer.shortstr(self);
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl<'a> Field<'a> for &'a [u8] {
    const TYPE: FieldType = FieldType::LongStr;
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.longstr()
    }
    #[inline(always)]
    fn measure(&self, measure: &mut Measure) {
        measure.longstr(self.len());
    }
    #[inline(always)]
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
        writer.longstr(self);
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl<'a> Field<'a> for Secret<'a> {
    const TYPE: FieldType = FieldType::LongStr;
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.longstr().map(Self)
    }
    #[inline(always)]
    fn measure(&self, measure: &mut Measure) {
        measure.longstr(self.0.len());
    }
    #[inline(always)]
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
        writer.longstr(self.0);
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl<'a> Field<'a> for Table<'a> {
    const TYPE: FieldType = FieldType::Table;
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.table()
    }
    #[inline(always)]
    fn measure(&self, measure: &mut Measure) {
        measure.longstr(self.as_bytes().len());
    }
    #[inline(always)]
    fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
        writer.longstr(self.as_bytes());
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl<'a> Method<'a> {
    /// Reads class, method and fields; nothing may be left. What comes with every
    /// message has a way of its own, without a look at the whole table.
    #[inline]
    pub(crate) fn read_payload(at: Reader<'a>) -> Result<Self, Fault> {
        let mut reader = at;
        match MethodId::new(reader.short()?, reader.short()?) {
            basic::Deliver::ID => basic::Deliver::read(&mut reader).map(Self::BasicDeliver),
            basic::Publish::ID => basic::Publish::read(&mut reader).map(Self::BasicPublish),
            basic::Ack::ID => basic::Ack::read(&mut reader).map(Self::BasicAck),
            _ => Self::read_any(at),
        }
    }
}

/// The bytes of a method frame's payload: class and method number, then the fields.
pub(crate) fn payload_len(arguments: &impl Fields) -> Measure {
    let mut measure = Measure::default();
    measure.bytes(4);
    arguments.measure(&mut measure);
    measure
}

/// Writes a method frame's payload.
pub(crate) fn write_payload(id: MethodId, arguments: &impl Fields, out: &mut impl BufMut) {
    let mut writer = Writer::new(out);
    writer.short(id.class_id);
    writer.short(id.method_id);
    arguments.write(&mut writer);
    writer.flush();
}
