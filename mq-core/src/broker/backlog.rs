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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Terms;
    use crate::config::Config;
    use crate::frontend::{self, Protocol};
    use crate::model::ConnectionId;
    use alloc::format;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::time::Duration;

    /// However much of a frame has come, what is missing of it is known exactly or not at all, and
    /// it is known once the head has come.
    #[test]
    fn what_is_missing_is_exact() {
        let body = "b".repeat(300);
        let amqp = [&[3, 0, 1, 0, 0, 1, 44], body.as_bytes(), &[0xCE]].concat();
        let mqtt = [&[0x30, 0xAF, 2, 0, 1, b't'], body.as_bytes()].concat();
        let send = "SEND\ndestination:/queue/q\ncontent-length:300\n\n";
        let stomp = format!("{send}{body}\0").into_bytes();
        let rows: [(Protocol, Vec<u8>, usize); 3] = [
            (Protocol::Amqp, amqp, 7),
            (Protocol::Mqtt, mqtt, 3),
            (Protocol::Stomp, stomp, send.len()),
        ];
        let config = Arc::new(Config::default());
        for (protocol, frame, head) in rows {
            let (terms, now) = (Terms::default(), Duration::ZERO);
            let front = frontend::new(protocol, &config, terms, ConnectionId(1), now);
            let front = Front::Open(front);
            for len in 1..frame.len() {
                let mut backlog = Backlog::default();
                backlog.keep(&frame[..len], &front);
                let (missing, rest) = (backlog.missing(&front), frame.len() - len);
                let is_known = len >= head && rest > LEAST;
                let expected = is_known.then_some(rest);
                assert_eq!(missing, expected, "{protocol:?} {len}");
            }
        }
    }
}
