//! A body that is handed out as it comes.

use memchr::memchr;

use crate::encoder::CONTENT_LENGTH;
use crate::parser::{decimal, error, trim};
use crate::{DecodeError, DecodeErrorKind, Frame, Limit};

/// Reads the body of a frame whose head was handed out without it.
#[derive(Debug)]
pub(crate) struct Parts {
    /// By `content-length`; without one a NUL ends the body.
    length: Option<usize>,
    /// The longest body that may come.
    limit: usize,
    /// How many bytes of the frame came before the body.
    head: usize,
    /// How many bytes of the body have been handed out.
    done: usize,
}

/// What there is of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) bytes: &'a [u8],
    /// The body has ended with it, and so has the frame.
    pub(crate) last: bool,
}

impl Parts {
    /// For the body behind a `frame` whose head took so many bytes.
    pub(crate) fn new(frame: &Frame<'_>, head: usize, limit: usize) -> Self {
        // It was read before: if there are blanks, they mean nothing.
        let length = frame.header(CONTENT_LENGTH);
        Parts {
            length: length.and_then(|value| decimal(trim(value.as_bytes()))),
            limit,
            head,
            done: 0,
        }
    }

    /// The next part, and how many bytes of `input` it takes. `None`: more bytes
    /// are needed.
    pub(crate) fn next<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<Option<(Part<'a>, usize)>, DecodeError> {
        let (room, ends) = match self.length {
            Some(length) => (length - self.done, None),
            None => (self.limit - self.done, memchr(0, input)),
        };
        let count = ends.unwrap_or(input.len()).min(room);
        let (bytes, rest) = input.split_at(count);
        // The octet behind all that may come is NUL, or wrong.
        let last = match rest.first() {
            Some(0) => true,
            Some(_) if count == 0 => return Err(self.no_end()),
            _ => false,
        };
        if count == 0 && !last {
            return Ok(None);
        }
        self.done += count;
        let taken = count + usize::from(last);
        Ok(Some((Part { bytes, last }, taken)))
    }

    fn no_end(&self) -> DecodeError {
        let kind = match self.length {
            Some(_) => DecodeErrorKind::MissingNul,
            None => DecodeErrorKind::Limit(Limit::Body),
        };
        error(self.head.saturating_add(self.done), kind)
    }
}
