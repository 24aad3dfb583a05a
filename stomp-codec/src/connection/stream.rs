//! The two byte streams of a connection: frames out of the one, frames into the
//! other.

use alloc::vec::Vec;

use bytes::{Buf, BufMut};
use memchr::memchr2_iter;

use crate::parser::{Scan, eols};
use crate::parts::{Part, Parts};
use crate::version::Syntax;
use crate::{DecodeError, Frame, Limits, SendError};

/// What comes in. The bytes stay with the caller.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    scan: Scan,
    /// The body that is coming, if its frame was handed out without it.
    parts: Option<Parts>,
    /// The EOLs behind the latest frame can be CR LF, as those in it could: they are a
    /// part of it ("Augmented BNF"). After CONNECT in whatever version was agreed on.
    crlf_behind: bool,
    /// How many bytes were left to the caller, to be presented again.
    left: usize,
    /// No end of the head of a frame with an unknown command is before this byte.
    head_seen: usize,
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

    /// How long the head (command and headers) of a frame is whose command is
    /// unknown, so that its headers are not decoded. `None`: it has not all come.
    pub(crate) fn head(&mut self, input: &[u8], syntax: Syntax, limits: &Limits) -> Option<usize> {
        let longest = limits.command.saturating_add(limits.headers);
        let input = input.get(..longest).unwrap_or(input);
        let new = input.get(self.head_seen..).unwrap_or_default();
        for at in memchr2_iter(b'\n', 0, new) {
            let at = self.head_seen + at;
            match input.get(at..).unwrap_or_default() {
                [0, ..] => return Some(at),
                [_, b'\n', ..] => return Some(at + 1),
                [_, b'\r', b'\n', ..] if syntax.crlf => return Some(at + 1),
                [_] | [_, b'\r'] if input.len() < longest => {
                    self.head_seen = at;
                    return None;
                }
                _ => {}
            }
        }
        self.head_seen = input.len();
        (input.len() == longest).then_some(longest)
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
        let crlf = syntax.crlf || self.crlf_behind;
        input.advance(eols(input, crlf));
        let bytes = *input;
        // It may be half an EOL.
        if crlf && bytes == b"\r" {
            return Ok(None);
        }
        let assembled = limits.assembled_size;
        let found = self.scan.decode_with(bytes, syntax, limits, assembled)?;
        Ok(found.map(|(frame, taken)| {
            input.advance(taken);
            self.crlf_behind = syntax.crlf;
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
    /// How much of a body in parts remains, while one is open.
    remaining: Option<usize>,
    /// What waits for the end of that body.
    waiting: Vec<u8>,
}

/// An empty buffer with more room than this is given back, unless it was needed.
const KEEP: usize = 64 * 1024;
/// One with more room than this always is.
const KEEP_IF_NEEDED: usize = 1024 * 1024;

impl Outbound {
    /// The buffer to append frames to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        match self.remaining {
            Some(_) => &mut self.waiting,
            None => &mut self.bytes,
        }
    }

    /// Whether there is nothing to be sent, and an EOL can be.
    pub(crate) fn is_idle(&self) -> bool {
        self.len() == 0 && !self.is_in_body()
    }

    /// Whether a body is not all sent.
    pub(crate) fn is_in_body(&self) -> bool {
        self.remaining.is_some()
    }

    /// Checks that the head of a frame whose body comes in parts can be sent.
    pub(crate) fn can_begin_body(&self) -> Result<(), SendError> {
        match self.remaining {
            Some(_) => Err(SendError::BodyIncomplete),
            None => Ok(()),
        }
    }

    /// The head of a frame was sent, and its body of this length follows.
    pub(crate) fn begin_body(&mut self, length: usize) {
        self.remaining = Some(length);
        self.end_body();
    }

    /// Sends the next part of the body; gives how much remains.
    pub(crate) fn put_body(&mut self, part: &[u8]) -> Result<usize, SendError> {
        let remaining = self.remaining.unwrap_or_default();
        let Some(rest) = remaining.checked_sub(part.len()) else {
            return Err(SendError::BodySize {
                octets: part.len(),
                remaining,
            });
        };
        if self.is_in_body() {
            self.bytes.extend_from_slice(part);
            self.remaining = Some(rest);
            self.end_body();
        }
        Ok(rest)
    }

    fn end_body(&mut self) {
        if self.remaining == Some(0) {
            self.remaining = None;
            self.bytes.push(0);
            self.bytes.append(&mut self.waiting);
        }
    }

    /// A body that is not all sent never will be, and nothing behind it.
    pub(crate) fn abandon(&mut self) {
        self.remaining = None;
        self.waiting = Vec::new();
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
        } else if self.sent > KEEP.max(self.bytes.len() / 2) {
            // What is gone must not be kept where there is never nothing left.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that never catches up does not make the buffer keep what is gone.
    #[test]
    fn what_was_sent_is_not_kept() {
        let mut outbound = Outbound::default();
        outbound.buffer().extend_from_slice(&[0; 100]);
        let mut room = [0; 1000];
        for _ in 0..1000 {
            outbound.buffer().extend((0..1000).map(|i| (i % 251) as u8));
            assert_eq!(outbound.transmit(&mut &mut room[..]), 1000);
            assert_eq!(outbound.len(), 100);
            assert!(outbound.bytes.len() <= 2 * KEEP);
        }
        assert_eq!(outbound.transmit(&mut &mut room[..]), 100);
        assert_eq!(
            room[..100],
            core::array::from_fn::<u8, 100, _>(|i| ((900 + i) % 251) as u8)
        );
    }
}
