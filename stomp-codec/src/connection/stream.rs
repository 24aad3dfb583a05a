//! The two byte streams of a connection: frames out of the one, frames into the
//! other.

use alloc::vec::Vec;

use bytes::{Buf, BufMut};

use crate::parser::{Scan, eols};
use crate::parts::{Part, Parts};
use crate::version::Syntax;
use crate::{DecodeError, Frame, Limits};

/// What comes in. The bytes stay with the caller.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    scan: Scan,
    /// The body that is coming, if its frame was handed out without it.
    parts: Option<Parts>,
    /// How many bytes were left to the caller, to be presented again.
    left: usize,
}

impl Inbound {
    /// Whether `input` holds more than what was there before. To be asked once
    /// for each call from outside.
    pub(crate) fn is_new(&self, input: &[u8]) -> bool {
        input.len() > self.left
    }

    /// Notes what is left in `input` for the caller to keep.
    pub(crate) fn leave(&mut self, input: &[u8]) {
        self.left = input.len();
    }

    /// Takes one frame and the EOLs before it, or only EOLs, or a part of the
    /// body of a frame that was not whole.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
        syntax: Syntax,
        limits: &Limits,
    ) -> Result<Option<Incoming<'a>>, DecodeError> {
        if let Some(parts) = &mut self.parts {
            let Some((part, taken)) = parts.next(input)? else {
                return Ok(None);
            };
            input.advance(taken);
            if part.last {
                self.parts = None;
            }
            return Ok(Some(Incoming::Part(part)));
        }
        // At the first byte of a frame there are none.
        input.advance(eols(input, syntax));
        let bytes = *input;
        let assembled = limits.assembled_body;
        let found = self.scan.decode_with(bytes, syntax, limits, assembled)?;
        Ok(found.map(|(frame, taken)| {
            input.advance(taken);
            if !frame.is_whole() {
                self.parts = Some(Parts::new(&frame, taken, limits.body));
            }
            Incoming::Frame(frame)
        }))
    }
}

/// What has come in.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Frame(Frame<'a>),
    Part(Part<'a>),
}

/// What goes out, until it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
}

/// An empty buffer with more room than this is given back, unless it was needed.
const KEEP: usize = 64 * 1024;
/// One with more room than this always is.
const KEEP_IF_NEEDED: usize = 1024 * 1024;

impl Outbound {
    /// The buffer to append frames to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Moves what is pending, or as much as fits, to `out`.
    pub(crate) fn transmit(&mut self, out: &mut impl BufMut) -> usize {
        let pending = self.bytes.get(self.sent..).unwrap_or_default();
        let count = pending.len().min(out.remaining_mut());
        out.put_slice(pending.get(..count).unwrap_or_default());
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.sent = 0;
            let keep = if self.bytes.len() > KEEP / 2 {
                KEEP_IF_NEEDED
            } else {
                KEEP
            };
            self.bytes.clear();
            if self.bytes.capacity() > keep {
                self.bytes = Vec::new();
            }
        }
        count
    }
}
