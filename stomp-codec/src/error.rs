//! The errors of frames: what is wrong with bytes, and what a version cannot carry.

use crate::{Command, Version};

/// What is wrong with the bytes of a peer, and where.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[error("{kind} (byte {offset})")]
#[non_exhaustive]
pub struct DecodeError {
    /// Offset in bytes from the start of the input that was given.
    pub offset: usize,
    /// Which rule was broken.
    pub kind: DecodeErrorKind,
}

/// The rule that a peer's bytes break.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The first line of a frame is no command of any version. The offset is
    /// where the line starts.
    #[error("unknown command")]
    UnknownCommand,
    /// The command came with a later version (NACK and STOMP in 1.0).
    #[error("{0} is not a command of STOMP {1}")]
    CommandNotInVersion(Command, Version),
    /// A header line without a colon. The offset is where the line starts.
    #[error("header line without a colon")]
    HeaderWithoutColon,
    /// A header line that starts with its colon: `header-name` has at least one
    /// byte ("Augmented BNF").
    #[error("header without a name")]
    EmptyHeaderName,
    /// A backslash that does not start an escape of this version; a fatal
    /// protocol error ("Value Encoding"). The offset is the backslash.
    #[error("undefined escape sequence")]
    UndefinedEscape,
    /// A carriage return inside a header line of 1.2, which has an escape for
    /// it ("Augmented BNF").
    #[error("carriage return inside a header line")]
    BareCarriageReturn,
    /// A header that is not UTF-8 ("Value Encoding").
    #[error("header is not UTF-8")]
    HeaderNotUtf8,
    /// A NUL before the empty line that ends the headers: the frame ends
    /// without one.
    #[error("frame ends inside its headers")]
    NulInHeaders,
    /// A `content-length` that is not a decimal number. The offset is the
    /// value's.
    #[error("content-length is not a number")]
    ContentLength,
    /// The byte after a body of `content-length` bytes is not NUL. The offset
    /// is that byte's.
    #[error("no NUL after content-length bytes of body")]
    MissingNul,
    /// Only SEND, MESSAGE and ERROR may have a body ("Body"). The offset is the
    /// body's.
    #[error("{0} with a body")]
    BodyNotAllowed(Command),
    /// A limit of [`Limits`](crate::Limits) was exceeded ("Size Limits"). The
    /// offset is the first byte that is too many.
    #[error("{0} exceeded")]
    Limit(Limit),
}

impl DecodeError {
    /// Whether it is about the command, so that headers can follow.
    pub(crate) const fn is_of_command(&self) -> bool {
        use DecodeErrorKind::{CommandNotInVersion, UnknownCommand};
        matches!(self.kind, UnknownCommand | CommandNotInVersion(..))
    }
}

/// A limit on one frame, by its name in [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::command`](crate::Limits::command).
    #[error("maximum length of a command")]
    Command,
    /// [`Limits::header_line`](crate::Limits::header_line).
    #[error("maximum length of a header line")]
    HeaderLine,
    /// [`Limits::header_count`](crate::Limits::header_count).
    #[error("maximum number of headers")]
    HeaderCount,
    /// [`Limits::headers`](crate::Limits::headers).
    #[error("maximum length of all headers")]
    Headers,
    /// [`Limits::body`](crate::Limits::body).
    #[error("maximum size of a body")]
    Body,
}

/// Why a frame cannot be written. Nothing has been.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The command came with a later version (NACK and STOMP in 1.0).
    #[error("{0} is not a command of STOMP {1}")]
    CommandNotInVersion(Command, Version),
    /// Only SEND, MESSAGE and ERROR may have a body ("Body"). In 1.0 others may, but
    /// not one that begins with NUL.
    #[error("{0} with a body")]
    BodyNotAllowed(Command),
    /// The buffer has less room than the frame needs.
    #[error("no room for a frame of {needed} bytes")]
    NoRoom {
        /// How many bytes the frame needs in all.
        needed: usize,
    },
    /// A header without a name.
    #[error("header without a name")]
    EmptyHeaderName,
    /// The name or the value of a header holds this byte, and the version has
    /// no way to write it there: NUL always; LF, and `:` in a name, where there
    /// are no escapes (1.0, CONNECT and CONNECTED).
    #[error("header holds byte {0}, which this frame cannot carry")]
    HeaderByte(u8),
    /// The name or the value of a header starts or ends with a blank, and
    /// readers of 1.0 trim it.
    #[error("header padded with blanks, which STOMP 1.0 trims")]
    Padding,
    /// A `content-length` header among those given that is not the length of
    /// the body.
    #[error("content-length is not the length of the body")]
    ContentLength,
    /// The frame is one that was received without its body, which comes in
    /// parts ([`Limits::assembled_size`](crate::Limits::assembled_size)).
    #[error("frame without its body, which comes in parts")]
    BodyInParts,
}

/// The text is not a value of what it was read as: a [`Version`], an
/// [`AckMode`](crate::connection::AckMode), a
/// [`HeartBeat`](crate::connection::HeartBeat).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[error("not a value that the specification defines")]
pub struct ParseError;
