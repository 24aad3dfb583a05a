//! What has been read and not yet taken.
//!
//! The same file in each codec, as `transmit` is, and for its reason.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// Memory that an empty buffer keeps, in bytes. More is given back.
const KEPT: usize = 16 * 1024;

/// The bytes of a socket on their way to `receive`.
///
/// Read into [`space`](Self::space) and say how much came with
/// [`filled`](Self::filled), or append what was read elsewhere with
/// [`extend_from_slice`](Self::extend_from_slice). Then give
/// [`input`](Self::input) to `receive` until it returns `None`: what was taken is
/// gone from the buffer when the [`Input`] is dropped, also by an early return.
///
/// The buffer grows to what is in it and the room that was asked for. Once all has
/// been taken, the next call of `space` gives back what a large frame needed.
///
/// ```
/// use stomp_codec::connection::ReadBuffer;
///
/// let mut buffer = ReadBuffer::new();
/// buffer.space(4096)[..6].copy_from_slice(b"onetwo");
/// buffer.filled(6);
///
/// let mut input = buffer.input();
/// // What `receive` does to its argument.
/// *input = &input[3..];
/// drop(input);
/// assert_eq!(*buffer.input(), b"two");
/// ```
#[derive(Clone, Default)]
pub struct ReadBuffer {
    /// Room that has been written to at least once.
    bytes: Vec<u8>,
    /// Where the bytes begin that are not taken.
    start: usize,
    /// Where they end.
    end: usize,
}

impl ReadBuffer {
    /// An empty buffer, without an allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// Room to read into: `at_least` so many bytes, and more if there is more.
    pub fn space(&mut self, at_least: usize) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            (self.start, self.end) = (0, 0);
            let kept = at_least.max(KEPT);
            if self.bytes.len() > kept {
                self.bytes.truncate(kept);
                self.bytes.shrink_to(kept);
            }
        } else if self.bytes.len() - self.end < at_least && self.start >= len {
            // No more is moved than was taken, so that all moves together are linear.
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, len);
        }
        let needed = self.end.saturating_add(at_least);
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that `len` bytes of the latest [`space`](Self::space) were read into. A
    /// larger `len` counts as the length of that space.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.bytes.len());
    }

    /// Appends bytes that were read elsewhere.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }

    /// The bytes that are not taken yet, for `receive` to take from.
    pub fn input(&mut self) -> Input<'_> {
        Input {
            rest: &self.bytes[self.start..self.end],
            start: &mut self.start,
            end: self.end,
        }
    }

    /// How many bytes are not taken yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether all bytes have been taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Without the bytes, which can hold a password.
impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The bytes of a [`ReadBuffer`] that are not taken yet: a slice whose front `receive`
/// moves forward. Events borrow from the buffer, not from this.
pub struct Input<'a> {
    rest: &'a [u8],
    start: &'a mut usize,
    end: usize,
}

impl<'a> Deref for Input<'a> {
    type Target = &'a [u8];

    fn deref(&self) -> &Self::Target {
        &self.rest
    }
}

impl DerefMut for Input<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.rest
    }
}

impl Drop for Input<'_> {
    fn drop(&mut self) {
        *self.start = self.end - self.rest.len().min(self.end);
    }
}

/// Without the bytes, which can hold a password.
impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("len", &self.rest.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(buffer: &mut ReadBuffer, len: usize) -> Vec<u8> {
        let mut input = buffer.input();
        let (taken, rest) = input.split_at(len);
        *input = rest;
        taken.to_vec()
    }

    /// Whatever is read and taken, the bytes come out in order, and the buffer holds
    /// little more than what is in it.
    #[test]
    fn bytes_come_out_as_they_went_in() {
        for (read, taken) in [(7, 7), (7, 6), (1, 1), (100, 99), (1000, 1000)] {
            let (mut next_in, mut next_out) = (0_usize, 0_usize);
            let mut buffer = ReadBuffer::new();
            for _ in 0..1000 {
                for place in &mut buffer.space(read)[..read] {
                    *place = (next_in % 251) as u8;
                    next_in += 1;
                }
                buffer.filled(read);
                for byte in take(&mut buffer, taken) {
                    assert_eq!(byte, (next_out % 251) as u8);
                    next_out += 1;
                }
                assert_eq!(buffer.len(), next_in - next_out);
                let room = 2 * (buffer.len() + read);
                assert!(buffer.bytes.len() <= room, "{read} {taken}");
            }
        }
    }

    #[test]
    fn what_is_filled_is_never_more_than_the_room() {
        let mut buffer = ReadBuffer::new();
        buffer.filled(1);
        assert!(buffer.is_empty());
        let room = buffer.space(3).len();
        buffer.filled(usize::MAX);
        assert_eq!(buffer.len(), room);
    }

    #[test]
    fn an_early_return_keeps_what_was_taken() {
        fn receive(buffer: &mut ReadBuffer) -> Result<(), ()> {
            let mut input = buffer.input();
            *input = &input[1..];
            Err(())
        }
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(b"abc");
        assert_eq!(receive(&mut buffer), Err(()));
        assert_eq!(*buffer.input(), b"bc");
    }

    #[test]
    fn the_room_of_a_large_frame_is_given_back() {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&[0; 1 << 20]);
        take(&mut buffer, 1 << 20);
        buffer.space(1000);
        assert!(buffer.bytes.capacity() <= KEPT);
        // But not what is asked for each time.
        buffer.space(2 * KEPT);
        buffer.filled(1);
        take(&mut buffer, 1);
        buffer.space(2 * KEPT);
        assert_eq!(buffer.bytes.len(), 2 * KEPT);
    }
}
