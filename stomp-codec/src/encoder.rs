//! Frames to bytes.

use alloc::vec::Vec;

use bytes::BufMut;

use crate::escape::{self, Writing};
use crate::{Command, EncodeError, Version};

pub(crate) const CONTENT_LENGTH: &str = "content-length";

impl Version {
    /// Whether frames of this version can carry a header, with its escapes or
    /// without.
    ///
    /// Ask this when you pass on headers from elsewhere: one that is refused here can be
    /// left out, before a whole message is refused for it.
    ///
    /// # Errors
    ///
    /// What stands in the way.
    #[inline]
    pub fn check_header(
        self,
        command: Command,
        name: &str,
        value: &str,
    ) -> Result<(), EncodeError> {
        Writing::new(self, command).check(name, value).map(drop)
    }
}

/// Writes one frame piece by piece to the end of a buffer.
///
/// Headers go out as they come, with no list of them in between. If a piece is
/// refused, or the encoder dropped before [`body`](Encoder::body), the buffer is
/// as it was before the frame.
///
/// ```
/// use stomp_codec::{Command, Encoder, Version};
///
/// let mut out = Vec::new();
/// let mut encoder = Encoder::new(&mut out, Version::V1_2, Command::Send)?;
/// encoder.header("destination", "/queue/a")?;
/// encoder.body(b"hello")?;
/// assert_eq!(out, b"SEND\ndestination:/queue/a\ncontent-length:5\n\nhello\0");
/// # Ok::<(), stomp_codec::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// Where to cut the buffer off when the encoder goes.
    keep: usize,
    version: Version,
    command: Command,
    writing: Writing,
    /// The value of the first `content-length` header, as a range of `out`.
    content_length: Option<core::ops::Range<usize>>,
}

impl<'a> Encoder<'a> {
    /// Begins a frame.
    ///
    /// # Errors
    ///
    /// The version does not have the command.
    #[inline]
    pub fn new(
        out: &'a mut Vec<u8>,
        version: Version,
        command: Command,
    ) -> Result<Self, EncodeError> {
        check_command(version, command, b"")?;
        let keep = out.len();
        out.extend_from_slice(command.as_str().as_bytes());
        out.push(b'\n');
        Ok(Encoder {
            out,
            keep,
            version,
            command,
            writing: Writing::new(version, command),
            content_length: None,
        })
    }

    /// Adds a header after those before.
    ///
    /// # Errors
    ///
    /// The version cannot carry it. The frame is as it was before the call.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), EncodeError> {
        if self.writing.check(name, value)? {
            self.out.reserve(name.len() + value.len() + 2);
            escape::put_plain(name, value, self.out);
        } else {
            self.writing.put(name, value, self.out);
        }
        if name == CONTENT_LENGTH && self.content_length.is_none() {
            let end = self.out.len() - 1;
            self.content_length = Some(end - value.len()..end);
        }
        Ok(())
    }

    /// Adds a header that the specification names, so that its name needs no check and no
    /// escape.
    // Inlined, so that a name that is written out where this is called is copied without a call.
    #[inline(always)]
    pub(crate) fn named(&mut self, name: &'static str, value: &str) -> Result<(), EncodeError> {
        self.named_with_end(name, value, b"")
    }

    /// The same, where the value has an `end` that needs neither: digits and hyphens.
    #[inline(always)]
    pub(crate) fn named_with_end(
        &mut self,
        name: &'static str,
        value: &str,
        end: &[u8],
    ) -> Result<(), EncodeError> {
        let is_plain = self.writing.check_value(name, value)?;
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        if is_plain {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            self.writing.put_value(value, self.out);
        }
        self.out.extend_from_slice(end);
        self.out.push(b'\n');
        Ok(())
    }

    /// Ends the headers, the last of them the length of a body that is not empty;
    /// body and NUL are the caller's to write.
    pub(crate) fn before_body(mut self, content_length: u64) -> Result<(), EncodeError> {
        if content_length > 0 {
            put_content_length(content_length, self.out);
        }
        self.out.push(b'\n');
        self.keep = self.out.len();
        Ok(())
    }

    /// Ends the frame with its body (which can be empty) and NUL. If the body
    /// is not empty and no header was a `content-length`, adds it.
    ///
    /// # Errors
    ///
    /// The command cannot have a body, or a `content-length` among the headers
    /// is not that of the body.
    pub fn body(mut self, body: &[u8]) -> Result<(), EncodeError> {
        check_command(self.version, self.command, body)?;
        if let Some(range) = self.content_length.take() {
            let value = self.out.get(range).unwrap_or_default();
            let value = core::str::from_utf8(value).unwrap_or_default();
            check_content_length(value, body)?;
        } else if !body.is_empty() {
            put_content_length(body.len() as u64, self.out);
        }
        self.out.push(b'\n');
        self.out.extend_from_slice(body);
        self.out.push(0);
        self.keep = self.out.len();
        Ok(())
    }
}

impl Drop for Encoder<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.keep);
    }
}

pub(crate) fn check_command(
    version: Version,
    command: Command,
    body: &[u8],
) -> Result<(), EncodeError> {
    if command.since() > version {
        return Err(EncodeError::CommandNotInVersion(command, version));
    }
    let fits = match body.first() {
        None => true,
        // A reader takes that for the end of a frame without a body.
        Some(0) => command.has_body(),
        Some(_) => command.may_have_body(version),
    };
    fits.then_some(())
        .ok_or(EncodeError::BodyNotAllowed(command))
}

pub(crate) fn check_content_length(value: &str, body: &[u8]) -> Result<(), EncodeError> {
    match crate::parser::decimal(value.as_bytes()) {
        Some(length) if length == body.len() => Ok(()),
        _ => Err(EncodeError::ContentLength),
    }
}

// keeps: stomp12/content-length/body-with-nul, stomp11/content-length/body-with-nul,
// keeps: stomp12/SEND/content-length, stomp11/SEND/content-length, stomp10/SEND/content-length,
// keeps: stomp12/MESSAGE/content-length, stomp11/MESSAGE/content-length,
// keeps: stomp10/MESSAGE/content-length, stomp12/ERROR/content-length,
// keeps: stomp11/ERROR/content-length, stomp10/ERROR/content-length
pub(crate) fn put_content_length(length: u64, out: &mut impl BufMut) {
    out.put_slice(b"content-length:");
    out.put_slice(Decimal::from_u64(length).as_bytes());
    out.put_u8(b'\n');
}

/// The bytes of the longest header of a `content-length`.
pub(crate) const LONGEST_CONTENT_LENGTH: usize = CONTENT_LENGTH.len() + Decimal::LONGEST + 2;

/// The bytes of the header for that `content-length`.
pub(crate) fn content_length_len(length: usize) -> usize {
    CONTENT_LENGTH.len() + Decimal::from_u64(length as u64).as_bytes().len() + 2
}

/// A number in decimal digits, without an allocation.
pub(crate) struct Decimal {
    digits: [u8; Self::LONGEST],
    start: usize,
}

impl Decimal {
    /// The digits of the largest number.
    pub(crate) const LONGEST: usize = 20;

    pub(crate) fn from_u64(number: u64) -> Self {
        let mut digits = [b'0'; Self::LONGEST];
        let start = Self::put_last(number, &mut digits);
        Self { digits, start }
    }

    /// Writes the digits of a number to the end of a buffer, and returns where they start.
    // Not inlined: into a buffer whose length is known, the loop would be unrolled for the longest
    // number.
    #[inline(never)]
    pub(crate) fn put_last(mut number: u64, buffer: &mut [u8]) -> usize {
        let mut start = buffer.len();
        loop {
            start -= 1;
            buffer[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return start;
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}
