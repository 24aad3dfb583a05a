//! Bodies on their way in and out: which memory they lie in.

use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

use crate::model::Body;

/// From so many bytes on a body goes out as it lies in memory.
pub(super) const LARGE: usize = 4 * 1024;

/// A body of at most so many bytes comes in with what is said about it, in one event: to copy it
/// costs less than another one.
pub(super) const WHOLE: usize = 8 * 1024;

/// Below this many bytes a body is copied instead of keeping the buffer that
/// it was received in.
const COPY_BELOW: usize = 1024;

/// A part of a body that has fewer bytes is copied to those beside it, so that a body has few
/// pieces however it is cut.
const PIECE: usize = 16 * 1024;

/// A frame of STOMP with a body of at most so many bytes is received when all of it is there. Cut
/// by a read, both of its parts may be so small that they would be copied anyway.
pub(super) const ASSEMBLED: usize = 2 * PIECE;

/// The buffer that the bytes being received lie in.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a Bytes);

impl Source<'_> {
    /// Keeps a piece of the received bytes: shares the buffer where the piece
    /// is most of it, and else copies.
    pub(super) fn keep(self, piece: &[u8]) -> Bytes {
        let shared = self.share(piece, COPY_BELOW);
        shared.unwrap_or_else(|| Bytes::copy_from_slice(piece))
    }

    /// The piece in the buffer, where it is most of it, and has so many bytes at least.
    fn share(self, piece: &[u8], least: usize) -> Option<Bytes> {
        let source = self.0.as_ptr_range();
        let range = piece.as_ptr_range();
        let inside = source.contains(&range.start) && range.end <= source.end;
        let is_most = inside && piece.len() >= least && piece.len() * 4 >= self.0.len();
        is_most.then(|| self.0.slice_ref(piece))
    }
}

/// A body that comes in parts.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pieces: Vec<Bytes>,
    /// Bytes in the pieces.
    len: usize,
    /// What has come after the pieces.
    end: BytesMut,
}

impl Assembly {
    /// Bytes that have come.
    pub(super) fn len(&self) -> usize {
        self.len + self.end.len()
    }

    /// Takes the next part, after which so many bytes are still to come, where that is known.
    /// Returns the body when it is whole.
    pub(super) fn push(
        &mut self,
        source: Source<'_>,
        part: &[u8],
        remaining: Option<u64>,
    ) -> Option<Body> {
        let is_last = remaining == Some(0);
        if is_last && self.len() == 0 {
            return Some(source.keep(part).into());
        }
        match source.share(part, PIECE) {
            Some(piece) => {
                self.finish_end();
                self.push_piece(piece);
            }
            None => self.gather(part, remaining),
        }
        is_last.then(|| {
            self.finish_end();
            core::mem::take(self).pieces.into_iter().collect()
        })
    }

    fn gather(&mut self, part: &[u8], remaining: Option<u64>) {
        let gathered = self.end.len() + part.len();
        if gathered > self.end.capacity() {
            // Room for all of it, if that is not much more than has come.
            let rest = remaining.map_or(gathered, |rest| rest.try_into().unwrap_or(usize::MAX));
            self.end.reserve(part.len() + rest.min(3 * gathered));
        }
        self.end.extend_from_slice(part);
    }

    /// What has been gathered becomes a piece.
    fn finish_end(&mut self) {
        let end = core::mem::take(&mut self.end);
        if end.is_empty() {
            return;
        }
        self.push_piece(match end.capacity() > 2 * end.len() {
            true => Bytes::copy_from_slice(&end),
            false => end.freeze(),
        });
    }

    fn push_piece(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// However a body is cut, and whether its length is known or not, all of it is there, no more
    /// memory is taken than four times what has come, and the pieces are few.
    #[test]
    fn memory_is_for_what_has_come() {
        let body: Bytes = (0..100_000_u32).map(|n| n as u8).collect();
        for (piece, least) in [(1, 1), (999, 1), (30_000, 4), (99_999, 2), (100_000, 1)] {
            for is_known in [true, false] {
                let mut assembly = Assembly::default();
                let (mut come, mut whole) = (0, None);
                for part in body.chunks(piece) {
                    assert_eq!(whole, None);
                    come += part.len();
                    let remaining = (body.len() - come) as u64;
                    let remaining = Some(remaining).filter(|rest| is_known || *rest == 0);
                    whole = assembly.push(Source(&body), part, remaining);
                    // An allocation has a least size.
                    let room = assembly.len + assembly.end.capacity();
                    assert!(room <= 4 * come + 64, "{piece} {come}");
                }
                let whole = whole.expect("it has come");
                assert_eq!(whole, Body::from(body.clone()));
                assert_eq!(assembly.len(), 0);
                assert_eq!(whole.pieces().count(), least, "{piece}");
            }
        }
    }

    /// Parts that are large, and most of what they came in, stay where they are; the others are
    /// copied, and take no more memory than they need.
    #[test]
    fn large_parts_stay_where_they_are() {
        let source = Bytes::from(vec![7; 64 * 1024]);
        let mut assembly = Assembly::default();
        let (small, large) = (&source[..PIECE - 1], &source[..PIECE]);
        let parts = [large, small, small, large, large, &source[..1]];
        let mut remaining = parts.iter().map(|part| part.len()).sum::<usize>() as u64;
        let mut whole = None;
        for part in parts {
            remaining -= part.len() as u64;
            whole = assembly.push(Source(&source), part, Some(remaining));
        }
        let whole = whole.expect("it has come");
        let lens: Vec<usize> = whole.pieces().map(Bytes::len).collect();
        assert_eq!(lens, [PIECE, 2 * (PIECE - 1), PIECE, PIECE, 1]);
        for (piece, is_shared) in whole.pieces().zip([true, false, true, true, false]) {
            assert_eq!(piece.as_ptr() == source.as_ptr(), is_shared);
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
            let body = Assembly::default().push(Source(&source), piece, Some(0));
            let body = body.expect("it is whole").to_bytes();
            assert_eq!(&body, piece);
            assert_eq!(body.as_ptr() == piece.as_ptr(), shared, "{len}");
        }
    }
}
