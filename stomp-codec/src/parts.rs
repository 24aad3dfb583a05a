//! A body that is handed out as it comes.

use memchr::memchr;

use crate::parser::{Decoded, error};
use crate::{DecodeError, DecodeErrorKind, Limit};

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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Part<'a> {
    pub(crate) bytes: &'a [u8],
    /// How many bytes of the body are still to come, if that is known.
    pub(crate) remaining: Option<u64>,
}

impl Part<'_> {
    /// Whether the body has ended with it, and so has the frame.
    pub(crate) fn is_last(&self) -> bool {
        self.remaining == Some(0)
    }
}

impl Parts {
    /// For the body of a frame that was decoded without it, of so many bytes at most.
    pub(crate) fn new(head: &Decoded<'_>, limit: usize) -> Self {
        Self {
            length: head.content_length,
            limit,
            head: head.taken,
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
        let mut count = ends.unwrap_or(input.len()).min(room);
        let after = input.get(count);
        let is_last = after == Some(&0);
        if !is_last && self.length.is_some() && count == room {
            // The last byte waits for the NUL, so that it is in the last part.
            count = count.saturating_sub(1);
        }
        if count == 0 && !is_last {
            // The byte after all that may come is NUL, or wrong.
            return match after {
                Some(_) => Err(self.no_end()),
                None => Ok(None),
            };
        }
        let bytes = input.get(..count).unwrap_or_default();
        self.done += count;
        let remaining = match self.length {
            _ if is_last => Some(0),
            Some(length) => u64::try_from(length - self.done).ok(),
            None => None,
        };
        let taken = count + usize::from(is_last);
        Ok(Some((Part { bytes, remaining }, taken)))
    }

    fn no_end(&self) -> DecodeError {
        let (body, kind) = match self.length {
            Some(length) => (length, DecodeErrorKind::MissingNul),
            None => (self.limit, DecodeErrorKind::Limit(Limit::Body)),
        };
        error(self.head.saturating_add(body), kind)
    }
}
