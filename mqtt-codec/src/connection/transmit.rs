//! Bytes that wait to be sent.

use alloc::vec::Vec;

use bytes::BufMut;

/// More than this is given back to the allocator when everything has been sent, so that
/// an idle connection stays small.
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
        &mut self.bytes
    }

    /// Bytes that wait.
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
        assert_eq!(transmit.buffer().capacity(), 0);
    }
}
