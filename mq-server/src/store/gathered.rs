//! What is written to a file at one time: heads and what is small in one buffer, and what is
//! large as it lies in memory.

use std::io::IoSlice;

/// From so many bytes on a piece is written from where it lies.
const LARGE: usize = 4 * 1024;

/// Bytes to be written, one after the other.
#[derive(Debug, Default)]
pub(super) struct Gathered<'a> {
    small: Vec<u8>,
    /// Large pieces, and how many small bytes come before each.
    large: Vec<(usize, &'a [u8])>,
    /// Bytes in the large ones.
    large_len: usize,
}

impl<'a> Gathered<'a> {
    /// Nothing, with a buffer for what is small.
    pub(super) fn new(small: Vec<u8>) -> Self {
        Self {
            small,
            ..Self::default()
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.small.len() + self.large_len
    }

    /// Where what is small is written to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// Appends a piece.
    pub(super) fn put(&mut self, piece: &'a [u8]) {
        if piece.len() < LARGE {
            self.small.extend_from_slice(piece);
        } else {
            self.large.push((self.small.len(), piece));
            self.large_len += piece.len();
        }
    }

    /// All of it for a vectored write.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(2 * self.large.len() + 1);
        let mut from = 0;
        for &(to, piece) in &self.large {
            slices.push(IoSlice::new(&self.small[from..to]));
            slices.push(IoSlice::new(piece));
            from = to;
        }
        slices.push(IoSlice::new(&self.small[from..]));
        slices.retain(|slice| !slice.is_empty());
        slices
    }

    /// The buffer, for the next time.
    pub(super) fn into_buffer(mut self) -> Vec<u8> {
        self.small.clear();
        self.small
    }
}
