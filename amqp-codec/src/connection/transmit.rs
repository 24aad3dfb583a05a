//! Bytes that wait to be sent.
//!
//! The codecs have the same file, but for how much memory is kept: none of them knows another,
//! and a crate of its own for two hundred lines would be one more to publish and to depend on. A
//! test of `requirements` holds them equal.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, BufMut, Bytes};

/// The most memory that is kept when nothing waits, in bytes. More is given back.
const KEPT: usize = 4 * 1024;
/// The most that is allocated at once for what comes next, in bytes.
const AT_ONCE: usize = 256 * 1024;
/// From so many bytes on, a part of a body leaves as it lies in memory. To copy a smaller one
/// costs less than a slice of its own.
pub(super) const SHARED: usize = 4 * 1024;

/// What is encoded, in the order of sending, with large parts of bodies between them.
#[derive(Default)]
pub(super) struct Transmit {
    bytes: Vec<u8>,
    /// How many of `bytes` have been taken.
    taken: usize,
    /// How many bytes waited at the most before the memory was last given back.
    usual: usize,
    /// While there are any: most connections have none.
    bodies: Option<Box<Bodies>>,
}

/// Large parts of bodies.
#[derive(Default)]
struct Bodies {
    /// Each with the position of the encoded byte that it comes before.
    parts: VecDeque<(u64, Bytes)>,
    /// How many bytes `parts` have.
    len: usize,
    /// The position of the first encoded byte that is here.
    before: u64,
}

impl Transmit {
    /// Where frames and packets are written to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 && self.usual > 0 {
            // One allocation in place of one for each doubling.
            self.bytes.reserve(self.usual.min(AT_ONCE));
        }
        &mut self.bytes
    }

    /// Sends a part of a body, which is not copied if it is large.
    pub(super) fn put_body(&mut self, part: Bytes) {
        if part.len() < SHARED {
            self.buffer().extend_from_slice(&part);
        } else {
            let position = self.position();
            let bodies = self.bodies.get_or_insert_default();
            bodies.len += part.len();
            bodies.parts.push_back((position, part));
        }
    }

    /// How many encoded bytes have left since there are bodies.
    fn before(&self) -> u64 {
        self.bodies.as_ref().map_or(0, |bodies| bodies.before)
    }

    /// Where the next encoded byte will be.
    fn position(&self) -> u64 {
        self.before() + self.bytes.len() as u64
    }

    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let bodies = self.bodies.as_ref().map_or(0, |bodies| bodies.len);
        self.encoded_len() + bodies
    }

    /// How many of the bytes that wait are encoded, and no body's between them.
    #[inline]
    pub(super) fn encoded_len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// The encoded bytes that wait.
    #[inline]
    pub(super) fn encoded(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.taken..).unwrap_or_default()
    }

    /// Moves as many bytes as `out` has room for, and returns how many.
    pub(super) fn poll(&mut self, out: &mut impl BufMut) -> usize {
        let count = match self.bodies.take() {
            None => self.poll_encoded(self.bytes.len(), out),
            Some(bodies) => self.poll_with(bodies, out),
        };
        self.forget_taken();
        count
    }

    /// Moves as many of the encoded bytes before `end` as there is room for.
    #[inline]
    fn poll_encoded(&mut self, end: usize, out: &mut impl BufMut) -> usize {
        let waiting = self.bytes.get(self.taken..end).unwrap_or_default();
        let count = waiting.len().min(out.remaining_mut());
        out.put_slice(waiting.get(..count).unwrap_or_default());
        self.taken += count;
        count
    }

    /// Moves the encoded bytes and the bodies between them.
    #[inline(never)]
    fn poll_with(&mut self, mut bodies: Box<Bodies>, out: &mut impl BufMut) -> usize {
        let mut count = 0;
        while let Some((at, body)) = bodies.parts.front_mut() {
            let end = usize::try_from(*at - bodies.before).unwrap_or(usize::MAX);
            count += self.poll_encoded(end, out);
            if self.taken < end {
                break;
            }
            let fitting = body.len().min(out.remaining_mut());
            out.put(body.split_to(fitting));
            bodies.len -= fitting;
            count += fitting;
            if !body.is_empty() {
                break;
            }
            bodies.parts.pop_front();
        }
        if bodies.parts.is_empty() {
            return count + self.poll_encoded(self.bytes.len(), out);
        }
        self.bodies = Some(bodies);
        count
    }

    /// Moves all that waits to the end of `out`, and returns how many bytes. What is encoded
    /// lies in as few slices as can be, and a large part of a body in its own memory.
    pub(super) fn poll_slices(&mut self, out: &mut impl Extend<Bytes>) -> usize {
        let count = self.len();
        let mut at = self.before() + self.taken as u64;
        let bodies = self.bodies.take().into_iter();
        let mut encoded = self.take_encoded();
        for (position, body) in bodies.flat_map(|bodies| bodies.parts) {
            let len = usize::try_from(position - at).unwrap_or(usize::MAX);
            at = position;
            if len > 0 {
                out.extend(Some(encoded.split_to(len.min(encoded.len()))));
            }
            out.extend(Some(body));
        }
        if !encoded.is_empty() {
            out.extend(Some(encoded));
        }
        count
    }

    /// Takes the encoded bytes that wait.
    fn take_encoded(&mut self) -> Bytes {
        if self.bytes.capacity() <= KEPT {
            let encoded = Bytes::copy_from_slice(self.encoded());
            self.taken = self.bytes.len();
            self.forget_taken();
            return encoded;
        }
        self.usual = self.bytes.len();
        let mut encoded = Bytes::from(core::mem::take(&mut self.bytes));
        encoded.advance(core::mem::take(&mut self.taken));
        encoded
    }

    /// Gives back the memory of what has been taken.
    fn forget_taken(&mut self) {
        if self.taken == self.bytes.len() {
            self.has_left();
            if self.bytes.capacity() > KEPT {
                self.usual = self.bytes.len();
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        } else if self.taken > self.bytes.len() / 2 {
            // What is gone is not kept where there is never nothing left.
            self.bytes.drain(..self.taken);
            self.has_left();
        }
    }

    /// What has been taken is not here any more.
    #[inline]
    fn has_left(&mut self) {
        if let Some(bodies) = &mut self.bodies {
            bodies.before += self.taken as u64;
        }
        self.taken = 0;
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
        transmit.buffer().extend_from_slice(&[0; 2 * KEPT]);
        assert_eq!(transmit.poll(&mut all), 2 * KEPT);
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

    /// Encoded bytes and bodies leave in the order in which they came, whole or cut anywhere.
    #[test]
    fn bodies_keep_their_places() {
        let body = |byte: u8| Bytes::from(std::vec![byte; SHARED]);
        let fill = |transmit: &mut Transmit| {
            transmit.put_body(body(b'a'));
            transmit.buffer().extend_from_slice(b"head");
            transmit.put_body(body(b'b'));
            transmit.put_body(body(b'c'));
            transmit.buffer().extend_from_slice(b"end");
            transmit.put_body(Bytes::from_static(b"small"));
        };
        let (a, b, c) = (body(b'a'), body(b'b'), body(b'c'));
        let all = [&a[..], b"head", &b, &c, b"endsmall"].concat();
        for room in [1, 2, 3, 5, 4096, 4097, 5000, 100_000] {
            for start in [0, 1, 4096, 4097, 4100, 4101, 12_300] {
                let mut transmit = Transmit::default();
                // What has gone before moves positions.
                transmit.buffer().extend_from_slice(b"before");
                assert_eq!(transmit.poll(&mut Vec::new()), 6);
                fill(&mut transmit);
                assert_eq!(transmit.len(), all.len());
                let mut sent = Vec::new();
                while sent.len() < start {
                    let mut place = std::vec![0; room.min(start - sent.len())];
                    let len = transmit.poll(&mut &mut place[..]);
                    sent.extend_from_slice(&place[..len]);
                    assert_eq!(transmit.len(), all.len() - sent.len());
                }
                let mut slices = Vec::new();
                assert_eq!(transmit.poll_slices(&mut slices), all.len() - start);
                assert_eq!([sent, slices.concat()].concat(), all, "{room} {start}");
                assert_eq!(transmit.len(), 0);
                // It goes on afterwards.
                fill(&mut transmit);
                let mut again = Vec::new();
                assert_eq!(transmit.poll(&mut again), all.len());
                assert_eq!(again, all);
            }
        }
    }

    #[test]
    fn a_large_body_is_not_copied() {
        let mut transmit = Transmit::default();
        let body = Bytes::from(std::vec![7; 10 * SHARED]);
        transmit.buffer().extend_from_slice(&[1; KEPT]);
        transmit.put_body(body.clone());
        transmit.buffer().extend_from_slice(&[2; KEPT]);
        transmit.put_body(body.slice(1..));
        let mut slices = Vec::new();
        transmit.poll_slices(&mut slices);
        let lens: Vec<usize> = slices.iter().map(Bytes::len).collect();
        assert_eq!(lens, [KEPT, body.len(), KEPT, body.len() - 1]);
        assert_eq!(slices[1].as_ptr(), body.as_ptr());
        assert_eq!(slices[3].as_ptr(), body[1..].as_ptr());
        assert_eq!(transmit.bytes.capacity(), 0);
    }

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
