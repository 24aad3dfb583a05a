//! What can be wrong with bytes that came, and with values that are to go out.

use core::fmt;

use thiserror::Error;

use crate::{MethodId, ReplyCode};

/// The bytes are not AMQP 0-9-1, or go beyond the [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DecodeError {
    /// Where in the input, in bytes from its start.
    pub offset: usize,
    /// The rule that was broken.
    pub kind: DecodeErrorKind,
    /// The channel of the frame, 0 where no frame header was read.
    pub channel: u16,
    /// The method that the frame carries, or to whose content it belongs;
    /// where that is known.
    pub method: Option<MethodId>,
}

impl DecodeError {
    /// The code with which the connection is to be closed.
    #[must_use]
    pub const fn reply_code(&self) -> ReplyCode {
        self.kind.reply_code()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {}", self.kind, self.offset)?;
        if self.channel != 0 {
            write!(f, ", channel {}", self.channel)?;
        }
        if let Some(method) = self.method {
            write!(f, ", {method}")?;
        }
        f.write_str(")")
    }
}

impl core::error::Error for DecodeError {}

/// The rule that a [`DecodeError`] is about. The codes are those that RabbitMQ
/// answers with, or the specification's where RabbitMQ does not answer or the
/// specification names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Not a protocol header: `AMQP` and four bytes (section 4.2.2).
    #[error("not a protocol header")]
    ProtocolHeader,
    /// A frame type that is none of method, header, body, heartbeat (section 4.2.3).
    #[error("unknown frame type {0}")]
    FrameType(u8),
    /// The frame does not end in `%xCE` (section 4.2.3).
    #[error("frame-end byte is {0:#04x} instead of 0xce")]
    FrameEnd(u8),
    /// The frame is larger than [`Limits::frame_size`](crate::Limits::frame_size), and
    /// than [`Limits::header_size`](crate::Limits::header_size) if it is a content header.
    #[error("frame of {size} bytes, at most {limit} are allowed")]
    FrameSize {
        /// Bytes that the frame would have, with header and frame-end.
        size: u64,
        /// The limit.
        limit: u32,
    },
    /// A heartbeat on a channel other than 0. The code is RabbitMQ's, 505; that of
    /// section 4.2.3 is 503, and that of section 4.2.7 is 501.
    #[error("heartbeat on a channel other than 0")]
    HeartbeatChannel,
    /// A heartbeat with a payload (section 4.2.7, erratum 12).
    #[error("heartbeat with a payload")]
    HeartbeatPayload,
    /// The frame is over before its fields are.
    #[error("field goes beyond the end of what holds it")]
    Truncated,
    /// There is more in the frame than its fields.
    #[error("bytes after the last field")]
    Trailing,
    /// No such class or method.
    #[error("unknown method")]
    UnknownMethod,
    /// A short string of a method that is not UTF-8 (section 4.2.5.3). Those of
    /// properties and tables are [`Text`](crate::Text), which may be anything.
    #[error("short string is not UTF-8")]
    Utf8,
    /// A field table's value has a type letter that nobody uses (erratum 3).
    #[error("unknown field value type {0:#04x}")]
    FieldType(u8),
    /// Tables nest deeper than [`Limits::table_depth`](crate::Limits::table_depth).
    #[error("tables nested deeper than {0}")]
    TableDepth(u16),
    /// A table is larger than [`Limits::table_size`](crate::Limits::table_size).
    #[error("table of {size} bytes, at most {limit} are allowed")]
    TableSize {
        /// Bytes that the table claims.
        size: u32,
        /// The limit.
        limit: u32,
    },
    /// A property flag that the class does not define (section 4.2.6.1).
    #[error("property flags {0:#06x} are not defined")]
    PropertyFlags(u16),
    /// A content header for a class without contents (section 4.2.6.1).
    #[error("class {0} has no contents")]
    ContentClass(u16),
    /// A content header's weight is not zero (section 4.2.6.1).
    #[error("content header weight {0} is not zero")]
    ContentWeight(u16),
}

impl DecodeErrorKind {
    /// The code with which the connection is to be closed.
    #[must_use]
    pub const fn reply_code(&self) -> ReplyCode {
        match self {
            Self::ProtocolHeader
            | Self::FrameType(_)
            | Self::FrameEnd(_)
            | Self::FrameSize { .. }
            | Self::HeartbeatPayload
            | Self::Truncated
            | Self::Trailing
            | Self::Utf8 => ReplyCode::FrameError,
            Self::FieldType(_) | Self::PropertyFlags(_) => ReplyCode::SyntaxError,
            Self::ContentClass(_) | Self::ContentWeight(_) | Self::HeartbeatChannel => {
                ReplyCode::UnexpectedFrame
            }
            Self::TableDepth(_) | Self::TableSize { .. } => ReplyCode::ResourceError,
            Self::UnknownMethod => ReplyCode::NotImplemented,
        }
    }
}

/// A value that AMQP cannot carry. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A short string has a length byte, so 255 bytes are its most
    /// (section 4.2.5.3).
    #[error("short string of {0} bytes, at most 255 are possible")]
    ShortString(usize),
    /// A long string, table, array or frame has a length of four bytes.
    #[error("{0} bytes do not fit a length of 32 bits")]
    TooLong(usize),
    /// Tables and arrays nest deeper than
    /// [`Limits::MAX_TABLE_DEPTH`](crate::Limits::MAX_TABLE_DEPTH), which no peer
    /// could be told to take.
    #[error("tables nested deeper than {0}")]
    TableDepth(u16),
    /// The frame of a method or content header would be larger than the frame-max
    /// that the peers agreed on (section 4.2.3); neither can be split.
    #[error("frame of {size} bytes, at most {limit} were agreed on")]
    FrameSize {
        /// Bytes that the frame would have, with header and frame-end.
        size: usize,
        /// The frame-max.
        limit: usize,
    },
    /// The buffer has no room for what is to be written.
    #[error("no room for {needed} bytes")]
    NoRoom {
        /// Bytes that are needed in all.
        needed: usize,
    },
}
