//! Bodies on their way in and out: which memory they lie in.

use bytes::{Bytes, BytesMut};

/// From so many bytes on a body goes out as it lies in memory.
pub(super) const LARGE: usize = 4 * 1024;

/// A body of at most so many bytes comes in with what is said about it, in one event: to copy it
/// costs less than another one.
pub(super) const WHOLE: usize = 8 * 1024;

/// Below this many bytes a body is copied instead of keeping the buffer that
/// it was received in.
const COPY_BELOW: usize = 1024;

/// The buffer that the bytes being received lie in.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a Bytes);

impl Source<'_> {
    /// Keeps a piece of the received bytes: shares the buffer where the piece
    /// is most of it, and else copies.
    pub(super) fn keep(self, piece: &[u8]) -> Bytes {
        let source = self.0.as_ptr_range();
        let range = piece.as_ptr_range();
        let inside = source.contains(&range.start) && range.end <= source.end;
        if inside && piece.len() >= COPY_BELOW && piece.len() * 4 >= self.0.len() {
            self.0.slice_ref(piece)
        } else {
            Bytes::copy_from_slice(piece)
        }
    }
}

/// A body that comes in parts.
#[derive(Debug, Default)]
pub(super) struct Assembly(BytesMut);

impl Assembly {
    /// Bytes that have come.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the next part, after which so many bytes are still to come. Returns the body
    /// when it is whole.
    pub(super) fn push(
        &mut self,
        source: Source<'_>,
        part: &[u8],
        remaining: u64,
    ) -> Option<Bytes> {
        if remaining == 0 && self.0.is_empty() {
            return Some(source.keep(part));
        }
        let arrived = self.0.len() + part.len();
        if arrived > self.0.capacity() {
            // Room for all of it, if that is not much more than has come.
            let rest = usize::try_from(remaining).unwrap_or(usize::MAX);
            self.0.reserve(part.len() + rest.min(3 * arrived));
        }
        self.0.extend_from_slice(part);
        (remaining == 0).then(|| core::mem::take(&mut self.0).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// However a body is cut, it is put together, and no more memory is taken than four
    /// times what has come.
    #[test]
    fn memory_is_for_what_has_come() {
        let body: Bytes = (0..100_000_u32).map(|n| n as u8).collect();
        for piece in [1, 999, 30_000, 99_999, 100_000] {
            let mut assembly = Assembly::default();
            let (mut come, mut whole) = (0, None);
            for part in body.chunks(piece) {
                assert_eq!(whole, None);
                come += part.len();
                whole = assembly.push(Source(&body), part, (body.len() - come) as u64);
                // An allocation has a least size.
                assert!(assembly.0.capacity() <= 4 * come + 64, "{piece} {come}");
            }
            assert_eq!(whole.as_ref(), Some(&body));
            assert_eq!(assembly.len(), 0);
        }
    }

    /// What is most of the bytes that were received shares their memory.
    #[test]
    fn most_of_a_buffer_is_shared() {
        let source = Bytes::from(vec![0; 16 * 1024]);
        let rows = [
            (16 * 1024, true),
            (4 * 1024, true),
            (4 * 1024 - 1, false),
            (100, false),
        ];
        for (len, shared) in rows {
            let piece = &source[16 * 1024 - len..];
            let body = Assembly::default().push(Source(&source), piece, 0);
            let body = body.expect("it is whole");
            assert_eq!(&body, piece);
            assert_eq!(body.as_ptr() == piece.as_ptr(), shared, "{len}");
        }
    }
}
