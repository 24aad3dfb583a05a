//! The records since the last batch, in slices for a vectored write.

use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::mem;

/// From so many bytes on a piece stays where it lies in memory. What is smaller costs less to
/// copy than to keep apart.
const LARGE: usize = 4 * 1024;

/// Records, one after the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    slices: Vec<Bytes>,
    /// Bytes in the slices.
    len: usize,
    /// What comes after the slices.
    end: BytesMut,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.len + self.end.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for what is gathered next.
    pub(super) fn reserve(&mut self, len: usize) {
        self.end.reserve(len);
    }

    /// Copies bytes to the end.
    pub(super) fn gather(&mut self, bytes: &[u8]) {
        self.end.extend_from_slice(bytes);
    }

    /// Appends a piece: as it lies in memory, if it is large.
    pub(super) fn put(&mut self, piece: &Bytes) {
        if piece.len() < LARGE {
            self.gather(piece);
        } else {
            self.finish_slice();
            self.push(piece.clone());
        }
    }

    /// What is gathered becomes a slice. What is left of its buffer is for the next one, and
    /// all of it when these bytes are written and dropped.
    fn finish_slice(&mut self) {
        if !self.end.is_empty() {
            let slice = self.end.split().freeze();
            self.push(slice);
        }
    }

    fn push(&mut self, slice: Bytes) {
        self.len += slice.len();
        self.slices.push(slice);
    }

    /// Takes all of it. No slice is empty.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.finish_slice();
        self.len = 0;
        mem::take(&mut self.slices)
    }

    /// Where numbers are written to.
    pub(super) fn buffer(&mut self) -> &mut impl BufMut {
        &mut self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of pieces and of the slices that they become. A piece of 4 KiB stands alone.
    #[test]
    fn what_is_large_stays_where_it_is() {
        let rows: &[(&[usize], &[usize])] = &[
            (&[], &[]),
            (&[0], &[]),
            (&[1, 4095, 0], &[4096]),
            (&[4096], &[4096]),
            (&[10, 4096, 5, 6], &[10, 4096, 11]),
            (&[10, 5000, 6000, 7], &[10, 5000, 6000, 7]),
        ];
        let mut batch = Batch::default();
        // What was taken before does not count.
        for (pieces, slices) in rows {
            let pieces: Vec<Bytes> = (1..)
                .zip(*pieces)
                .map(|(byte, len)| Bytes::from(alloc::vec![byte; *len]))
                .collect();
            for piece in &pieces {
                batch.put(piece);
            }
            assert_eq!(batch.len(), pieces.concat().len());
            let taken = batch.take();
            assert_eq!(taken.concat(), pieces.concat());
            assert_eq!(taken.iter().map(Bytes::len).collect::<Vec<_>>(), *slices);
            for large in pieces.iter().filter(|piece| piece.len() >= 4096) {
                let lies = |slice: &Bytes| slice.as_ptr() == large.as_ptr();
                assert!(taken.iter().any(lies), "it was copied");
            }
            assert!(batch.is_empty());
        }
    }
}
