//! What a connection has received, and its front end has not taken yet.

use bytes::{Bytes, BytesMut};

use super::front::Front;

/// Bytes that are most likely enough to tell where a frame ends.
pub(super) const FRAME_HEAD: usize = 512;

/// A front end that does not know yet how long a frame is asks for what any frame has: for no more
/// than this.
const LEAST: usize = 8;

/// A backlog of so many bytes grows where it lies, if the allocator can do that, so that it is
/// not in memory twice.
const LARGE: usize = 256 * 1024;

/// Bytes that wait for the rest of their frame, or for their turn.
#[derive(Default)]
pub(super) struct Backlog {
    bytes: BytesMut,
    /// How long the frame at the front is, where that has been asked: to find it out takes as
    /// long as to decode the head.
    frame: usize,
}

impl Backlog {
    /// What is left of a read. Takes the buffer itself where nothing else has a share in it.
    pub(super) fn of(read: Bytes, front: &Front) -> Self {
        let mut backlog = Self::default();
        match read.try_into_mut() {
            Ok(bytes) => backlog.bytes = bytes,
            Err(shared) if shared.is_empty() => {}
            Err(shared) => backlog.keep(&shared, front),
        }
        backlog
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds what has come, and has to wait.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds what has come of a frame. Where more of it is missing, room is made for that too, up
    /// to three times what is there.
    pub(super) fn keep(&mut self, bytes: &[u8], front: &Front) {
        let len = self.len() + bytes.len();
        if len > self.bytes.capacity() {
            let room = match self.frame_beginning(bytes, front) {
                // Nothing says how long the frame is.
                None => len.max(2 * self.len()),
                // The end of the frame comes with the head of the next.
                Some(frame) => len + frame.saturating_sub(len).min(3 * len) + FRAME_HEAD,
            };
            if self.len() < LARGE {
                // `reserve` would also copy what lies before the backlog in its buffer: all
                // that has been taken of the read that it is the rest of.
                let mut grown = BytesMut::with_capacity(room);
                grown.extend_from_slice(&self.bytes);
                self.bytes = grown;
            } else {
                self.bytes.reserve(room - self.len());
            }
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes are missing until the frame at the front is whole. None: nothing says it.
    pub(super) fn missing(&mut self, front: &Front) -> Option<usize> {
        let frame = self.frame_beginning(&[], front)?;
        Some(frame - self.len())
    }

    /// How long the frame is of which this is the beginning, or these bytes are where there is
    /// none: more than that. None: nothing says it.
    fn frame_beginning(&mut self, bytes: &[u8], front: &Front) -> Option<usize> {
        if self.frame <= self.len() {
            let begin = match self.is_empty() {
                true => bytes,
                false => &self.bytes,
            };
            self.frame = match front.missing(begin) {
                0..=LEAST => 0,
                missing => begin.len().saturating_add(missing),
            };
        }
        (self.frame > self.len()).then_some(self.frame)
    }

    /// Takes all of it.
    pub(super) fn take(&mut self) -> Bytes {
        core::mem::take(self).bytes.freeze()
    }
}
