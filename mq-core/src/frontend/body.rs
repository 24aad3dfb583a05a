//! Bodies on their way in and out: which memory they lie in.

use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

use crate::model::Body;

/// From so many bytes on a body goes out as it lies in memory.
pub(super) const LARGE: usize = 4 * 1024;

/// A body of at most so many bytes comes in with what is said about it, in one event, over AMQP
/// and STOMP: to copy it costs less than another one.
pub(super) const WHOLE: usize = if cfg!(fuzzing) { FUZZED } else { 8 * 1024 };

/// Below this many bytes a body is copied instead of keeping the buffer that
/// it was received in.
const COPY_BELOW: usize = 1024;

/// A part of a body that has fewer bytes is copied to those beside it, so that a body has few
/// pieces however it is cut.
const PIECE: usize = if cfg!(fuzzing) { FUZZED } else { 8 * 1024 };

/// The inputs of a fuzzer are short: with it, so many bytes are many.
const FUZZED: usize = 16;

/// The buffers in which a body has a share are no more than so many times as large as what has
/// come of it.
const SHARE_OF_COME: usize = 8;

/// They are no more than so many times as large as all of it.
const SHARE_OF_ALL: usize = 4;

/// The buffer that the bytes being received lie in.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a Bytes);

impl Source<'_> {
    /// Keeps a piece of the received bytes: shares the buffer where the piece
    /// is most of it, and else copies.
    pub(super) fn keep(self, piece: &[u8]) -> Bytes {
        let is_most = piece.len() * SHARE_OF_ALL >= self.0.len();
        match self.holds(piece) && piece.len() >= COPY_BELOW && is_most {
            true => self.0.slice_ref(piece),
            false => Bytes::copy_from_slice(piece),
        }
    }

    /// Whether a piece lies in the buffer.
    fn holds(self, piece: &[u8]) -> bool {
        let source = self.0.as_ptr_range();
        let range = piece.as_ptr_range();
        source.contains(&range.start) && range.end <= source.end
    }
}

/// A body that comes in parts.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pieces: Vec<Bytes>,
    /// Bytes in the pieces.
    len: usize,
    /// Bytes of the buffers in which they have a share.
    shared: usize,
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
        if part.len() >= PIECE && source.holds(part) && self.may_share(source, part, remaining) {
            self.shared += source.0.len();
            self.finish_end();
            self.push_piece(source.0.slice_ref(part));
        } else {
            self.gather(part, remaining);
        }
        is_last.then(|| {
            self.finish_end();
            core::mem::take(self).pieces.into_iter().collect()
        })
    }

    /// Whether the part may have a share in its buffer.
    fn may_share(&self, source: Source<'_>, part: &[u8], remaining: Option<u64>) -> bool {
        let shared = self.shared + source.0.len();
        let come = self.len() + part.len();
        let rest = remaining.map_or(0, |rest| rest.try_into().unwrap_or(usize::MAX));
        let all = come.saturating_add(rest);
        let of_come = come.saturating_mul(SHARE_OF_COME);
        shared <= of_come && shared <= all.saturating_mul(SHARE_OF_ALL)
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

    /// Parts of 64 KiB that were received stay where they are if they are large, and the buffers
    /// are not much larger than what has come and than all of the body. The others are copied.
    #[test]
    fn large_parts_stay_where_they_are() {
        const KIB: usize = 1024;
        let source = Bytes::from(vec![7; 64 * KIB]);
        // The parts of a body in KiB, whether its length is known, and its pieces: how long they
        // are, and whether they are in the buffer.
        type Row = (&'static [usize], bool, &'static [(usize, bool)]);
        let rows: &[Row] = &[
            (&[10, 6], true, &[(10, true), (6, false)]),
            (&[6, 10], true, &[(6, false), (10, true)]),
            (&[7, 5, 4], true, &[(16, false)]),
            (&[8, 8], true, &[(8, true), (8, false)]),
            (&[8, 7], true, &[(15, false)]),
            (&[32, 32], true, &[(32, true), (32, true)]),
            (&[8, 24], true, &[(8, true), (24, true)]),
            (&[10, 54], false, &[(10, false), (54, true)]),
            (
                &[16, 1, 16, 1],
                false,
                &[(16, true), (1, false), (16, true), (1, false)],
            ),
        ];
        for (parts, is_known, pieces) in rows {
            let mut assembly = Assembly::default();
            let mut remaining = parts.iter().sum::<usize>() * KIB;
            let mut whole = None;
            for part in *parts {
                remaining -= part * KIB;
                let known = (*is_known || remaining == 0).then_some(remaining as u64);
                whole = assembly.push(Source(&source), &source[..part * KIB], known);
            }
            let whole = whole.expect("it has come");
            let found: Vec<(usize, bool)> = whole
                .pieces()
                .map(|piece| (piece.len() / KIB, piece.as_ptr() == source.as_ptr()))
                .collect();
            assert_eq!(found, *pieces, "{parts:?}");
        }
    }

    /// However much is claimed to come, the buffer is no more than eight times as large as what
    /// has come.
    #[test]
    fn what_is_claimed_shares_no_memory() {
        let source = Bytes::from(vec![7; 256 * 1024]);
        for (len, is_shared) in [(32 * 1024 - 1, false), (32 * 1024, true)] {
            let mut assembly = Assembly::default();
            let part = &source[..len];
            assert_eq!(assembly.push(Source(&source), part, Some(u64::MAX)), None);
            assert_eq!(assembly.pieces.len() == 1, is_shared, "{len}");
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
