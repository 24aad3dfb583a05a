//! Bytes that wait to be sent.

use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

/// The most memory that is kept when nothing waits, in bytes: most packets of a connection that
/// sends one at a time. One that sends none but PINGREQ has less.
const KEPT: usize = 128;
/// The most that is allocated at once for what comes next, in bytes.
const AT_ONCE: usize = 256 * 1024;

/// Encoded packets in the order of sending.
#[derive(Default)]
pub(super) struct Transmit {
    bytes: Vec<u8>,
    /// How many of `bytes` have been taken.
    taken: usize,
    /// How many bytes waited at the most before the memory was last given back.
    usual: usize,
}

impl Transmit {
    /// Where packets are written to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 && self.usual > 0 {
            // One allocation in place of one for each doubling.
            self.bytes.reserve(self.usual.min(AT_ONCE));
        }
        &mut self.bytes
    }

    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
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
                self.usual = self.bytes.len();
                self.bytes = Vec::new();
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
