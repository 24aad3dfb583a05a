//! Finds the bytes that shape a header block, eight at a time.
//!
//! Headers are short: what it costs to begin a search for one byte, line by line,
//! is more than what a word of eight bytes costs here.

use core::slice;

use memchr::memchr;

/// A byte in all eight places.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The top bit of each byte of a word that is this one. Above one of these, others may be
/// marked too.
#[inline]
const fn mark(word: u64, byte: u8) -> u64 {
    let others = word ^ all(byte);
    others.wrapping_sub(all(1)) & !others & all(0x80)
}

/// How many bytes [`find`] looks at by words. After so many, a search pays that is slower to begin
/// and faster from then on.
const NEAR: usize = 32;

/// Where a byte is first, if it is there.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at(bytes.len().min(NEAR));
    let (words, rest) = near.as_chunks();
    let mut from = 0;
    for word in words {
        let found = mark(u64::from_le_bytes(*word), byte);
        if found != 0 {
            return Some(from + (found.trailing_zeros() / 8) as usize);
        }
        from += 8;
    }
    let last = if far.is_empty() {
        rest.iter().position(|&other| other == byte)
    } else {
        memchr(byte, far)
    };
    last.map(|at| from + at)
}

/// The top bit of each byte of a word that is below 0x20 (LF, CR and NUL are), a
/// colon or a backslash. Above one of these, others may be marked too.
#[inline]
const fn marks(word: u64) -> u64 {
    // A byte that is less than what is subtracted from it borrows into its top
    // bit, if that was clear.
    let control = word.wrapping_sub(all(0x20));
    let colon = (word ^ all(b':')).wrapping_sub(all(1));
    let backslash = (word ^ all(b'\\')).wrapping_sub(all(1));
    (control | colon | backslash) & !word & all(0x80)
}

/// The places of the bytes of a slice that are below 0x20, colons or backslashes,
/// in order; and now and then of another one.
pub(crate) struct Marks<'a> {
    words: slice::Iter<'a, [u8; 8]>,
    /// The bytes after the words.
    rest: &'a [u8],
    /// Where the word at hand ends.
    end: usize,
    /// The marks of it that are still to be named.
    mask: u64,
}

impl<'a> Marks<'a> {
    /// Those from a place on.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], from: usize) -> Self {
        let (words, rest) = bytes.get(from..).unwrap_or_default().as_chunks();
        Marks {
            words: words.iter(),
            rest,
            end: from,
            mask: 0,
        }
    }

    /// Makes a word of the bytes after the words.
    #[cold]
    fn last(&mut self) -> Option<u64> {
        let rest = core::mem::take(&mut self.rest);
        let mut bytes = [0xff; 8];
        bytes[..rest.len()].copy_from_slice(rest);
        (!rest.is_empty()).then(|| u64::from_le_bytes(bytes))
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.mask == 0 {
            self.mask = marks(match self.words.next() {
                Some(bytes) => u64::from_le_bytes(*bytes),
                None => self.last()?,
            });
            self.end += 8;
        }
        let place = (self.mask.trailing_zeros() / 8) as usize;
        self.mask &= self.mask - 1;
        Some(self.end - 8 + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// Every byte in every place of a word, beside every kind of other.
    #[test]
    fn none_is_missed() {
        for byte in 0..=u8::MAX {
            for other in [
                b'a', b' ', 0x1f, b':', b';', b'\\', b']', 0x80, 0xff, 0, b'\n',
            ] {
                for place in 0..20 {
                    let mut bytes = [other; 21];
                    bytes[place] = byte;
                    let is_mark = |byte: u8| byte < 0x20 || byte == b':' || byte == b'\\';
                    let marks = Marks::new(&bytes, 3);
                    let found: Vec<_> = marks.filter(|&at| is_mark(bytes[at])).collect();
                    let expected: Vec<_> = (3..21).filter(|&at| is_mark(bytes[at])).collect();
                    assert_eq!(found, expected, "{byte} at {place} among {other}");
                }
            }
        }
    }

    /// At every place, after every kind of other byte, near and far.
    #[test]
    fn the_first_is_found() {
        for byte in [b'\n', b':'] {
            for other in [b'a', 0, byte - 1, byte + 1, byte | 0x80, 0xff] {
                for len in 0..3 * NEAR {
                    let mut bytes = vec![other; len];
                    assert_eq!(find(byte, &bytes), None, "{byte} in {len} of {other}");
                    for place in (0..len).rev() {
                        bytes[place] = byte;
                        let found = find(byte, &bytes);
                        assert_eq!(found, Some(place), "{byte} in {len} of {other}");
                    }
                }
            }
        }
    }
}
