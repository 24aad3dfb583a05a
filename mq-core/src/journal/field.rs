//! The fields that records are made of.
//!
//! | field | layout |
//! |---|---|
//! | number | 7 bits a byte, the lowest first; the high bit says that more follow |
//! | bytes | their count as a number, and the bytes |
//! | text | the same, in UTF-8 |
//! | time | nanoseconds of Unix time, 8 bytes, the highest first |
//! | flag | one byte, 0 or 1 |
//! | optional | a flag, and after 1 the field |

use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes};
use core::time::Duration;

use crate::model::message::Name;

/// What was read is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Below this many bytes a piece of a batch is copied instead of keeping the batch.
const COPY_BELOW: usize = 1024;

pub(super) fn put_number(out: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// The time is cut off at the year 2554.
pub(super) fn put_time(out: &mut Vec<u8>, time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    out.extend_from_slice(&nanoseconds.to_be_bytes());
}

pub(super) fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(flag.into());
}

pub(super) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    put: impl FnOnce(&mut Vec<u8>, T),
) {
    put_flag(out, value.is_some());
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn take_number(input: &mut impl Buf) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = input.try_get_u8().map_err(|_| Malformed)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

/// What is left of a record.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed)
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        take_number(&mut self.0)
    }

    /// The number of something that the broker counts: it never comes near the end.
    pub(super) fn count(&mut self) -> Result<u64, Malformed> {
        self.number()
            .ok()
            .filter(|count| count >> 63 == 0)
            .ok_or(Malformed)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed)
    }

    fn slice(&mut self) -> Result<Bytes, Malformed> {
        let len = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        if len > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(len))
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        Ok(kept(self.slice()?))
    }

    pub(super) fn text(&mut self) -> Result<Name, Malformed> {
        let bytes = self.slice()?;
        core::str::from_utf8(&bytes)
            .map(Name::from)
            .map_err(|_| Malformed)
    }

    pub(super) fn time(&mut self) -> Result<Duration, Malformed> {
        let nanoseconds = self.0.try_get_u64().map_err(|_| Malformed)?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(super) fn option<T>(
        &mut self,
        get: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.flag()? {
            true => get(self).map(Some),
            false => Ok(None),
        }
    }

    /// A list that begins with the number of its elements.
    pub(super) fn list<T>(
        &mut self,
        mut get: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        // Room is made as they come: the number may be wrong.
        let mut list = Vec::new();
        for _ in 0..self.number()? {
            list.push(get(self)?);
        }
        Ok(list)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        kept(core::mem::take(&mut self.0))
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Malformed),
        }
    }
}

/// A piece that is kept: it does not hold a whole batch for a little.
fn kept(piece: Bytes) -> Bytes {
    if piece.len() < COPY_BELOW {
        Bytes::copy_from_slice(&piece)
    } else {
        piece
    }
}
