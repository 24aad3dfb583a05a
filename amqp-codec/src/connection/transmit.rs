//! Bytes that wait to be sent.

use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

/// Memory that is kept when nothing waits, in bytes. More is given back.
const KEPT: usize = 4 * 1024;
/// The most that is allocated at once for what comes next, in bytes.
const AT_ONCE: usize = 256 * 1024;

/// Encoded frames in the order of sending.
#[derive(Default)]
pub(super) struct Transmit {
    bytes: Vec<u8>,
    /// How many of `bytes` have been taken.
    taken: usize,
    /// How many bytes there were before `bytes`.
    before: u64,
    /// How many bytes waited at the most before the buffer was last given back.
    usual: usize,
}

impl Transmit {
    /// Where frames are written to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            // One allocation in place of one for each doubling.
            self.bytes.reserve(self.usual.min(AT_ONCE));
        }
        &mut self.bytes
    }

    /// Where the next byte will be, counted from the first one there was.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.before + self.bytes.len() as u64
    }

    /// What waits from `position` on, unless some of that has left.
    #[inline]
    pub(super) fn waiting_from(&mut self, position: u64) -> Option<&mut [u8]> {
        let start = usize::try_from(position.checked_sub(self.before)?).ok()?;
        if start < self.taken {
            return None;
        }
        self.bytes.get_mut(start..).filter(|rest| !rest.is_empty())
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
            self.before += self.taken as u64;
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
            self.before += self.taken as u64;
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

    /// A writer that never catches up gets every byte, and does not make the buffer keep
    /// what is gone.
    #[test]
    fn what_was_sent_is_not_kept() {
        let mut transmit = Transmit::default();
        transmit.buffer().extend_from_slice(&[0; 100]);
        let mut room = [0; 1000];
        for _ in 0..1000 {
            let bytes = (0..1000).map(|i| (i % 251) as u8);
            transmit.buffer().extend(bytes);
            assert_eq!(transmit.poll(&mut &mut room[..]), 1000);
            assert_eq!(transmit.len(), 100);
            assert!(transmit.bytes.len() <= 2 * 1100);
        }
        assert_eq!(transmit.poll(&mut &mut room[..]), 100);
        let last = core::array::from_fn::<u8, 100, _>(|i| ((900 + i) % 251) as u8);
        assert_eq!(room[..100], last);
    }

    /// A position stays that of the same byte, and is good until that byte leaves.
    #[test]
    fn positions_are_of_what_waits() {
        let mut transmit = Transmit::default();
        transmit.buffer().extend_from_slice(b"aaaa");
        let second = transmit.position();
        transmit.buffer().extend_from_slice(b"bb");
        let mut room = [0; 5];
        assert_eq!(transmit.poll(&mut &mut room[..1]), 1);
        assert_eq!(transmit.waiting_from(0), None);
        assert_eq!(
            transmit.waiting_from(second),
            Some(&mut b"bb".to_owned()[..])
        );
        // So much has gone that the rest moves to the front.
        assert_eq!(transmit.poll(&mut &mut room[1..4]), 3);
        assert_eq!(
            transmit.waiting_from(second),
            Some(&mut b"bb".to_owned()[..])
        );
        assert_eq!(transmit.poll(&mut &mut room[4..]), 1);
        assert_eq!(transmit.waiting_from(second), None);
        assert_eq!(transmit.poll(&mut Vec::new()), 1);
        // What is gone is not mistaken for what comes later.
        transmit.buffer().extend_from_slice(b"cccc");
        assert_eq!(transmit.waiting_from(0), None);
        assert_eq!(transmit.waiting_from(6), Some(&mut b"cccc".to_owned()[..]));
        assert_eq!(transmit.waiting_from(transmit.position()), None);
    }

    #[test]
    fn an_empty_buffer_is_small() {
        let mut transmit = Transmit::default();
        for len in [KEPT / 2, 10 * KEPT, 10, 1 << 20, 10] {
            transmit.buffer().extend_from_slice(&std::vec![0; len]);
            assert_eq!(transmit.poll(&mut Vec::new()), len);
            assert!(transmit.bytes.capacity() <= KEPT, "{len}");
        }
        // After a large body no more than usual is allocated for a small frame.
        transmit.usual = 1 << 20;
        assert!(transmit.buffer().capacity() <= AT_ONCE);
    }
}
