//! Bytes that wait to be sent.

use alloc::vec::Vec;

use bytes::BufMut;

/// Bytes that are kept allocated from the first packet on. More is given back to the
/// allocator when everything has been sent, so that an idle connection stays small.
const KEPT_CAPACITY: usize = 128;

/// Encoded packets in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Transmit {
    bytes: Vec<u8>,
    /// How many of `bytes` have been taken.
    taken: usize,
}

impl Transmit {
    /// Where packets are written to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(KEPT_CAPACITY);
        }
        &mut self.bytes
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Moves as many bytes as `out` has room for; how many.
    pub(super) fn poll(&mut self, out: &mut impl BufMut) -> usize {
        let length = self.len().min(out.remaining_mut());
        out.put_slice(&self.bytes[self.taken..self.taken + length]);
        self.taken += length;
        if self.taken == self.bytes.len() {
            self.taken = 0;
            if self.bytes.capacity() > KEPT_CAPACITY {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        } else if self.taken > self.bytes.len() / 2 {
            // What never comes to its end does not grow for ever.
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        length
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
