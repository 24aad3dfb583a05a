//! Bytes that wait to be sent.

use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::BufMut;

/// Memory that is kept when nothing waits, in bytes: most packets of an idle connection.
const KEPT: usize = 128;

/// Encoded packets in the order of sending.
#[derive(Default)]
pub(super) struct Transmit {
    bytes: Vec<u8>,
    /// How many of `bytes` have been taken.
    taken: usize,
    /// Packets that wait until the message that is being sent in parts is whole.
    after: Option<Vec<u8>>,
}

impl Transmit {
    /// Where packets are written to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        let Self { bytes, after, .. } = self;
        after.as_mut().unwrap_or_else(|| allocated(bytes))
    }

    /// Where the parts of a message are written to, and what no message holds up.
    #[inline]
    pub(super) fn in_turn(&mut self) -> &mut Vec<u8> {
        allocated(&mut self.bytes)
    }

    /// Has packets wait, from now until [`join`](Self::join).
    pub(super) fn part(&mut self) {
        self.after.get_or_insert_default();
    }

    /// Sends the packets that waited for the end of a message.
    pub(super) fn join(&mut self) {
        if let Some(mut after) = self.after.take() {
            self.in_turn().append(&mut after);
        }
    }

    /// A message that is not whole stays so: nothing that waits for its end is sent.
    pub(super) fn cut(&mut self) {
        self.after = None;
    }

    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken + self.after.as_ref().map_or(0, Vec::len)
    }

    /// Moves as many bytes as `out` has room for, and returns how many.
    pub(super) fn poll(&mut self, out: &mut impl BufMut) -> usize {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let count = waiting.len().min(out.remaining_mut());
        out.put_slice(waiting.get(..count).unwrap_or_default());
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.taken = 0;
            if self.bytes.capacity() > KEPT {
                drop(mem::take(&mut self.bytes));
            } else {
                self.bytes.clear();
            }
        } else if self.taken > self.bytes.len() / 2 {
            // What is gone is not kept where there is never nothing left.
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        count
    }
}

/// The memory that is kept is allocated at once.
#[inline]
fn allocated(bytes: &mut Vec<u8>) -> &mut Vec<u8> {
    if bytes.capacity() == 0 {
        bytes.reserve(KEPT);
    }
    bytes
}

/// Without the bytes, which can hold a password.
impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_output_is_filled_again_and_again() {
        let mut transmit = Transmit::default();
        transmit.buffer().extend_from_slice(b"abcdefg");
        let mut all = Vec::new();
        loop {
            let mut room = [0; 3];
            let length = transmit.poll(&mut &mut room[..]);
            if length == 0 {
                break;
            }
            all.extend_from_slice(&room[..length]);
        }
        assert_eq!(all, b"abcdefg");
        assert_eq!(transmit.len(), 0);
        transmit.buffer().extend_from_slice(&[0; 4096]);
        assert_eq!(transmit.poll(&mut all), 4096);
        assert_eq!(transmit.bytes.capacity(), 0);
    }

    #[test]
    fn what_is_sent_slowly_does_not_pile_up() {
        let mut transmit = Transmit::default();
        for _ in 0..1000 {
            transmit.buffer().extend_from_slice(&[0; 60]);
            let mut room = [0; 59];
            assert_eq!(transmit.poll(&mut &mut room[..]), 59);
        }
        assert_eq!(transmit.len(), 1000);
        assert!(transmit.bytes.capacity() < 8192);
    }
}
