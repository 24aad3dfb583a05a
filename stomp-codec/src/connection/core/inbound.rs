//! Frames out of the bytes that come in.

use bytes::Buf;
use memchr::memchr2_iter;

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
    /// The EOLs after the latest frame can be CR LF, as those in it could: they are a
    /// part of it ("Augmented BNF"). After CONNECT in whatever version was agreed on.
    pub(crate) crlf_after: bool,
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

    /// Whether nothing of a frame has come that is not taken.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.left == 0 && self.parts.is_none()
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

    /// Whether a part of a body comes next.
    pub(crate) fn is_in_body(&self) -> bool {
        self.parts.is_some()
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
            if part.is_last() {
                self.parts = None;
            }
            return Ok(Some(Incoming::Part(part)));
        }
        // At the first byte of a frame there are none.
        let crlf = syntax.crlf || self.crlf_after;
        input.advance(eols(input, crlf));
        let bytes = *input;
        // It may be half an EOL.
        if crlf && bytes == b"\r" {
            return Ok(None);
        }
        let assembled = limits.assembled_size;
        let found = self.scan.decode_with(bytes, syntax, limits, assembled)?;
        Ok(found.map(|decoded| {
            input.advance(decoded.taken);
            self.crlf_after = syntax.crlf;
            if !decoded.frame.is_whole() {
                self.parts = Some(Parts::new(&decoded, limits.body));
            }
            Incoming::Frame(decoded.frame)
        }))
    }
}

/// What has come in.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Frame(Frame<'a>),
    Part(Part<'a>),
}
