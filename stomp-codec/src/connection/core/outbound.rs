//! Frames that go out, and a body that goes out in parts.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use crate::SendError;
use crate::connection::transmit::Transmit;

/// Bytes of receipts that a client may make wait for the end of a body.
const WAITING: usize = 64 * 1024;

/// What goes out, until it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    transmit: Transmit,
    /// How much of a body in parts remains, while one is open.
    remaining: Option<u64>,
    /// What waits for the end of that body.
    waiting: Vec<u8>,
    /// How many bytes of that the peer has caused.
    caused: usize,
}

impl Outbound {
    /// The buffer to append frames to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        match self.remaining {
            Some(_) => &mut self.waiting,
            None => self.transmit.buffer(),
        }
    }

    /// Appends an answer that the peer may ask for again and again. Returns whether no more
    /// of them wait than may.
    pub(crate) fn answer(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> bool {
        let before = self.waiting.len();
        put(self.buffer());
        self.caused += self.waiting.len() - before;
        self.caused <= WAITING
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
            Some(remaining) => Err(SendError::BodyLength { remaining }),
            None => Ok(()),
        }
    }

    /// The head of a frame was sent, and its body of this length follows.
    pub(crate) fn begin_body(&mut self, length: u64) {
        self.remaining = Some(length);
        self.end_body();
    }

    /// Sends the next part of the body, and returns how much remains.
    pub(crate) fn put_body(&mut self, part: &[u8]) -> Result<u64, SendError> {
        let rest = self.rest_of_body(part)?;
        if self.is_in_body() {
            self.transmit.buffer().extend_from_slice(part);
            self.remaining = Some(rest);
            self.end_body();
        }
        Ok(rest)
    }

    /// As [`put_body`](Self::put_body), with a part that is not copied if it is large.
    pub(crate) fn put_shared_body(&mut self, part: Bytes) -> Result<u64, SendError> {
        let rest = self.rest_of_body(&part)?;
        if self.is_in_body() {
            self.transmit.put_body(part);
            self.remaining = Some(rest);
            self.end_body();
        }
        Ok(rest)
    }

    /// What remains of the body after this part of it.
    fn rest_of_body(&self, part: &[u8]) -> Result<u64, SendError> {
        let remaining = self.remaining.unwrap_or_default();
        u64::try_from(part.len())
            .ok()
            .and_then(|len| remaining.checked_sub(len))
            .ok_or(SendError::BodyLength { remaining })
    }

    fn end_body(&mut self) {
        if self.remaining == Some(0) {
            self.remaining = None;
            let buffer = self.transmit.buffer();
            buffer.push(0);
            buffer.append(&mut self.waiting);
            self.waiting = Vec::new();
            self.caused = 0;
        }
    }

    /// A body that is not all sent never will be, and nothing after it.
    pub(crate) fn abandon(&mut self) {
        self.remaining = None;
        self.waiting = Vec::new();
    }

    pub(crate) fn len(&self) -> usize {
        self.transmit.len()
    }

    /// Moves what waits, or as much as fits, to `out`.
    pub(crate) fn transmit(&mut self, out: &mut impl BufMut) -> usize {
        self.transmit.poll(out)
    }

    /// Moves all that waits to `out`, in slices.
    pub(crate) fn transmit_slices(&mut self, out: &mut impl Extend<Bytes>) -> usize {
        self.transmit.poll_slices(out)
    }
}
