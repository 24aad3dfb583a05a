//! The fourteen properties of basic contents (class 60 of the specification),
//! read where they lie.

use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::method::plain;
use crate::setters::setters;
use crate::table::at_top;
use crate::wire::{Fault, Measure, Reader, Writer};
use crate::{Limits, Table, Text};

/// What a property is on the wire.
#[derive(Clone, Copy)]
enum Kind {
    ShortStr,
    Table,
    Octet,
    Timestamp,
}

impl Kind {
    #[inline]
    fn check(self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        match self {
            Self::ShortStr => reader.text().map(drop),
            Self::Table => reader.table().map(drop),
            Self::Octet => reader.octet().map(drop),
            Self::Timestamp => reader.longlong().map(drop),
        }
    }

    fn skip(self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        match self {
            Self::ShortStr => {
                let len = reader.octet()?;
                reader.take(len.into()).map(drop)
            }
            Self::Table => reader.longstr().map(drop),
            Self::Octet => reader.octet().map(drop),
            Self::Timestamp => reader.longlong().map(drop),
        }
    }
}

/// The message property flags use bit 0 to tell that more flags follow
/// (section 4.2.6.1). Basic has fourteen properties, so none ever do.
const UNDEFINED_FLAGS: u16 = 0b11;

macro_rules! read {
    (ShortStr, $reader:expr) => {
        $reader.text()
    };
    (Table, $reader:expr) => {
        $reader.longstr().map(Table::from_checked)
    };
    (Octet, $reader:expr) => {
        $reader.octet()
    };
    (Timestamp, $reader:expr) => {
        $reader.longlong()
    };
}

macro_rules! measure {
    (ShortStr, $value:expr, $measure:expr) => {
        $measure.shortstr($value.len())
    };
    (Table, $value:expr, $measure:expr) => {
        $measure.longstr($value.as_bytes().len())
    };
    (Octet, $value:expr, $measure:expr) => {{
        let _: u8 = $value;
        $measure.bytes(1)
    }};
    (Timestamp, $value:expr, $measure:expr) => {{
        let _: u64 = $value;
        $measure.bytes(8)
    }};
}

macro_rules! write {
    (ShortStr, $value:expr, $writer:expr) => {
        $writer.text($value)
    };
    (Table, $value:expr, $writer:expr) => {
        $writer.longstr($value.as_bytes())
    };
    (Octet, $value:expr, $writer:expr) => {
        $writer.octet($value)
    };
    (Timestamp, $value:expr, $writer:expr) => {
        $writer.longlong($value)
    };
}

macro_rules! properties {
    ($a:lifetime; $($(#[$doc:meta])* $bit:literal $property:ident: $kind:ident $type:ty => $with:ident,)*) => {
        /// Kinds by flag, from bit 15 down to bit 2.
        const KINDS: [Kind; 14] = [$(Kind::$kind,)*];

        impl<$a> Properties<$a> {
            $(
                $(#[$doc])*
                #[must_use]
                #[inline]
                pub fn $property(&self) -> Option<$type> {
                    let mut reader = self.seek($bit)?;
                    read!($kind, reader).ok()
                }
            )*

            /// All of them at once.
            #[must_use]
            pub fn fields(&self) -> PropertyFields<$a> {
                let mut fields = PropertyFields::default();
                let mut reader = Reader::new(self.bytes, &Limits::DEFAULT);
                $(
                    if self.flags & (1 << $bit) != 0 {
                        fields.$property = read!($kind, reader).ok();
                    }
                )*
                fields
            }
        }

        /// The properties as fields: to build from, or to change some.
        ///
        /// ```
        /// use amqp_codec::PropertyFields;
        ///
        /// let fields = PropertyFields::default()
        ///     .with_content_type("text/plain")
        ///     .with_delivery_mode(2);
        /// let properties = fields.to_buf()?;
        /// assert_eq!(properties.as_properties().delivery_mode(), Some(2));
        /// # Ok::<(), amqp_codec::EncodeError>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct PropertyFields<$a> {
            $($(#[$doc])* pub $property: Option<$type>,)*
        }

        setters! { PropertyFields<$a> {
            $($with($property: impl Into<$type>) = Some($property.into());)*
        } }

        impl PropertyFields<'_> {
            /// Encodes them.
            ///
            /// # Errors
            /// When a short string is over 255 bytes.
            pub fn to_buf(&self) -> Result<PropertiesBuf, EncodeError> {
                let mut flags = 0;
                let mut measure = Measure::default();
                $(
                    if let Some(value) = self.$property {
                        flags |= 1 << $bit;
                        measure!($kind, value, measure);
                    }
                )*
                let mut bytes = Vec::with_capacity(measure.finish()?);
                let mut writer = Writer::new(&mut bytes);
                $(
                    if let Some(value) = self.$property {
                        write!($kind, value, writer);
                    }
                )*
                Ok(PropertiesBuf { flags, bytes })
            }
        }

        /// Those that are there: `content_type="text/plain" delivery_mode=2`.
        impl fmt::Display for Properties<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "";
                $(
                    if let Some(value) = self.$property() {
                        core::write!(f, "{separator}{}={value:?}", plain(stringify!($property)))?;
                        separator = " ";
                    }
                )*
                let _ = separator;
                Ok(())
            }
        }
    };
}

// Flag bit, name, type on the wire, type.
properties! { 'a;
    /// MIME content type.
    15 content_type: ShortStr Text<'a> => with_content_type,
    /// MIME content encoding.
    14 content_encoding: ShortStr Text<'a> => with_content_encoding,
    /// The application's headers.
    13 headers: Table Table<'a> => with_headers,
    /// 1 for transient, 2 for persistent.
    12 delivery_mode: Octet u8 => with_delivery_mode,
    /// 0 to 9 in the specification, 0 to 255 in RabbitMQ.
    11 priority: Octet u8 => with_priority,
    /// The application's correlation identifier.
    10 correlation_id: ShortStr Text<'a> => with_correlation_id,
    /// Where to reply to, as a rule a queue.
    9 reply_to: ShortStr Text<'a> => with_reply_to,
    /// Time to live: decimal milliseconds.
    8 expiration: ShortStr Text<'a> => with_expiration,
    /// The application's message identifier.
    7 message_id: ShortStr Text<'a> => with_message_id,
    /// Seconds since 1970-01-01T00:00Z.
    6 timestamp: Timestamp u64 => with_timestamp,
    /// The application's message type.
    5 r#type: ShortStr Text<'a> => with_type,
    /// The user that published it, validated by RabbitMQ.
    4 user_id: ShortStr Text<'a> => with_user_id,
    /// The application that published it.
    3 app_id: ShortStr Text<'a> => with_app_id,
    /// Reserved; once the cluster identifier.
    2 reserved: ShortStr Text<'a> => with_reserved,
}

/// The properties of a content in the bytes they came in.
///
/// They were checked once, so reading one cannot fail; each is looked for when
/// it is asked for. Equality is that of the bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    flags: u16,
    bytes: &'a [u8],
}

impl<'a> Properties<'a> {
    /// None of them.
    pub const EMPTY: Self = Self {
        flags: 0,
        bytes: &[],
    };

    /// Decodes property flags and properties, all of `bytes`, as they stand in a content
    /// header after its body size (section 4.2.6.1). The inverse of what
    /// [`Content::properties_bytes`](crate::connection::Content::properties_bytes) returns.
    ///
    /// # Errors
    /// When the bytes break a rule or a limit.
    ///
    /// ```
    /// use amqp_codec::{Limits, Properties};
    ///
    /// // Delivery mode alone.
    /// let properties = Properties::decode(&[0x10, 0x00, 2], &Limits::default())?;
    /// assert_eq!(properties.delivery_mode(), Some(2));
    /// assert!(Properties::decode(&[0x10, 0x00], &Limits::default()).is_err());
    /// # Ok::<(), amqp_codec::DecodeError>(())
    /// ```
    #[inline]
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(Reader::new(bytes, limits)).map_err(|fault| at_top(bytes, fault))
    }

    /// Reads flags and properties up to the end.
    #[inline]
    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, Fault> {
        let at = reader;
        let flags = reader.short()?;
        if flags & UNDEFINED_FLAGS != 0 {
            return Err(at.fault(DecodeErrorKind::PropertyFlags(flags)));
        }
        let bytes = reader.rest();
        let mut left = flags;
        while left != 0 {
            let first = left.leading_zeros();
            if let Some(kind) = KINDS.get(first as usize) {
                kind.check(&mut reader)?;
            }
            left &= !(0x8000 >> first);
        }
        reader.end()?;
        Ok(Self { flags, bytes })
    }

    /// What [`read`](Self::read) has passed before: flags, then properties.
    pub(crate) fn from_checked(bytes: &'a [u8]) -> Self {
        match bytes.split_first_chunk() {
            Some((flags, bytes)) => Self {
                flags: u16::from_be_bytes(*flags),
                bytes,
            },
            None => Self::EMPTY,
        }
    }

    /// A reader at the property of this flag, if it is there.
    #[inline]
    fn seek(&self, bit: u32) -> Option<Reader<'a>> {
        if self.flags & (1 << bit) == 0 {
            return None;
        }
        let mut reader = Reader::new(self.bytes, &Limits::DEFAULT);
        // Only what lies before: the flags above this one.
        let mut before = u32::from(self.flags) >> (bit + 1) << (bit + 1);
        while before != 0 {
            let first = before.ilog2();
            KINDS[15 - first as usize].skip(&mut reader).ok()?;
            before &= !(1 << first);
        }
        Some(reader)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.flags == 0
    }

    /// Bytes of flags and properties.
    pub(crate) const fn encoded_len(&self) -> usize {
        2 + self.bytes.len()
    }

    pub(crate) fn write(&self, out: &mut impl BufMut) {
        out.put_u16(self.flags);
        out.put_slice(self.bytes);
    }

    /// A copy that lives on.
    #[must_use]
    pub fn to_buf(&self) -> PropertiesBuf {
        PropertiesBuf {
            flags: self.flags,
            bytes: self.bytes.to_vec(),
        }
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::write!(f, "[{self}]")
    }
}

/// Properties that are built or kept: owned, in their encoding.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PropertiesBuf {
    flags: u16,
    bytes: Vec<u8>,
}

impl PropertiesBuf {
    /// None of them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            flags: 0,
            bytes: Vec::new(),
        }
    }

    /// The properties, to read or to send.
    #[must_use]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties {
            flags: self.flags,
            bytes: &self.bytes,
        }
    }
}

impl fmt::Debug for PropertiesBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_properties().fmt(f)
    }
}
