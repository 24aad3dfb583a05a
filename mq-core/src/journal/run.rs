//! Runs: messages of a queue that have left memory as a whole.
//!
//! What is kept of each of their messages is where its record is, and how much it is: a few
//! bytes. A run is read as a whole, and then its messages are in the index again; or its
//! records are written once more, and it stays what it is.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::field::{put_number, take_number};
use crate::model::message::Message;
use crate::model::meter::Share;
use crate::model::queue::frozen::Frozen;

/// Bytes between two records that are read with them rather than left out.
const BETWEEN: u64 = 4 << 10;

/// Bytes that are read at one time, unless one record has more.
const AT_A_TIME: u64 = 512 << 10;

/// Bytes that a run takes besides its layout, about.
const OVERHEAD: usize = size_of::<Run>() + size_of::<Frozen>() + 128;

/// A run, as the journal knows it.
#[derive(Debug)]
pub(super) struct Run {
    /// Of each of its messages in their order: how far its record is from the end of the
    /// one before, and the lengths of the body, of the rest of the record, and of the rest
    /// of its size.
    layout: Box<[u8]>,
    /// Which messages are gone, a bit each. Empty where none is.
    gone: Vec<u64>,
    pub(super) frozen: Frozen,
    /// Where its first record begins.
    pub(super) begin: u64,
    /// The lengths of the records of those that are left.
    pub(super) live: u64,
    /// The number under which it is being read.
    pub(super) reading: Option<u64>,
    /// Its part of the memory that messages take.
    pub(super) share: Option<Share>,
}

/// One message of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located {
    pub(super) position: u64,
    pub(super) record: u64,
    pub(super) len: u64,
    body: u64,
    size: u64,
    /// It is not there any more.
    pub(super) is_gone: bool,
}

/// Makes a run, message by message.
#[derive(Debug)]
pub(super) struct Builder {
    layout: Vec<u8>,
    /// Where the last record ends.
    end: u64,
    frozen: Frozen,
    begin: u64,
    live: u64,
}

impl Builder {
    /// A run whose first message has this position.
    pub(super) fn new(first: u64) -> Self {
        Self {
            layout: Vec::new(),
            end: 0,
            frozen: Frozen {
                first,
                span: 0,
                left: 0,
                bytes: 0,
                held: 0,
                expires: None,
                priority: None,
                offered: 0,
                asked: false,
            },
            begin: u64::MAX,
            live: 0,
        }
    }

    /// The lengths of the records.
    pub(super) fn bytes(&self) -> u64 {
        self.live
    }

    /// Adds the next message, unless it is of another kind than those before it.
    pub(super) fn push(
        &mut self,
        record: u64,
        len: u64,
        message: &Message,
        expires: Option<Duration>,
    ) -> bool {
        let priority = message.properties.priority;
        let frozen = &mut self.frozen;
        if frozen.span == 0 {
            frozen.priority = priority;
            frozen.expires = expires.map(|at| (at, at));
        }
        if frozen.priority != priority || frozen.expires.is_some() != expires.is_some() {
            return false;
        }
        if let (Some((earliest, latest)), Some(at)) = (&mut frozen.expires, expires) {
            *earliest = at.min(*earliest);
            *latest = at.max(*latest);
        }
        let (body, size) = (message.body_len(), message.size());
        frozen.span += 1;
        frozen.left += 1;
        frozen.bytes += body;
        frozen.held += size;
        self.live += len;
        self.place(record, len, body as u64, size as u64);
        true
    }

    fn place(&mut self, record: u64, len: u64, body: u64, size: u64) {
        // Most records follow the one before; after a move some lie before it.
        let gap = record.wrapping_sub(self.end) as i64;
        put_number(&mut self.layout, ((gap << 1) ^ (gap >> 63)) as u64);
        put_number(&mut self.layout, body);
        put_number(&mut self.layout, len - body);
        put_number(&mut self.layout, size - body);
        self.end = record + len;
        self.begin = self.begin.min(record);
    }

    pub(super) fn finish(self) -> Run {
        Run {
            layout: self.layout.into_boxed_slice(),
            gone: Vec::new(),
            frozen: self.frozen,
            begin: self.begin,
            live: self.live,
            reading: None,
            share: None,
        }
    }
}

impl Run {
    /// Bytes that it takes in memory.
    pub(super) fn weight(&self) -> usize {
        self.layout.len() + OVERHEAD
    }

    fn is_gone(&self, offset: u64) -> bool {
        let word = self.gone.get((offset / 64) as usize);
        word.is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }

    /// Its messages, in their order. Those that are gone are among them.
    pub(super) fn messages(&self) -> impl Iterator<Item = Located> {
        let mut layout = &self.layout[..];
        let (mut end, mut offset) = (0_u64, 0);
        core::iter::from_fn(move || {
            let gap = take_number(&mut layout).ok()?;
            let body = take_number(&mut layout).ok()?;
            let rest = take_number(&mut layout).ok()?;
            let size = take_number(&mut layout).ok()?;
            let record = end.wrapping_add((gap >> 1) ^ (gap & 1).wrapping_neg());
            end = record + body + rest;
            let located = Located {
                position: self.frozen.first + offset,
                record,
                len: body + rest,
                body,
                size: body + size,
                is_gone: self.is_gone(offset),
            };
            offset += 1;
            Some(located)
        })
    }

    /// Those that are left.
    pub(super) fn left(&self) -> impl Iterator<Item = Located> {
        self.messages().filter(|located| !located.is_gone)
    }

    /// A message is gone. Returns the length of its record, if it was there.
    pub(super) fn leave(&mut self, position: u64) -> Option<u64> {
        let gone = self.left().find(|located| located.position == position)?;
        let offset = position - self.frozen.first;
        if self.gone.is_empty() {
            self.gone = vec![0; self.frozen.span.div_ceil(64) as usize];
        }
        *self.gone.get_mut((offset / 64) as usize)? |= 1 << (offset % 64);
        self.frozen.left -= 1;
        self.frozen.bytes -= gone.body as usize;
        self.frozen.held -= gone.size as usize;
        self.live -= gone.len;
        Some(gone.len)
    }

    /// Its records lie elsewhere from now on: one after the other from a position on, but
    /// for those that are gone.
    pub(super) fn moved(self, mut to: u64) -> Self {
        let mut builder = Builder::new(self.frozen.first);
        for located in self.messages() {
            let Located {
                len, body, size, ..
            } = located;
            // What is gone has a place, too, which nobody looks at.
            builder.place(to, len, body, size);
            if !located.is_gone {
                to += len;
            }
        }
        let Builder { layout, begin, .. } = builder;
        Self {
            layout: layout.into_boxed_slice(),
            begin,
            reading: None,
            ..self
        }
    }
}

/// A run that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Parts of the log, by position: their lengths, and what has come of them. An empty one
    /// cannot be read.
    parts: BTreeMap<u64, (u64, Option<Bytes>)>,
    /// How many of them have not come.
    missing: usize,
    /// Its messages are wanted in their queue.
    pub(super) is_wanted: bool,
    /// Some of it cannot be read.
    pub(super) is_damaged: bool,
}

impl Reading {
    /// What has to be read for a run.
    pub(super) fn of(run: &Run) -> Self {
        let mut records: Vec<(u64, u64)> = run.left().map(|l| (l.record, l.len)).collect();
        records.sort_unstable();
        let mut reading = Self::default();
        let mut records = records.into_iter().peekable();
        while let Some((begin, len)) = records.next() {
            let mut end = begin + len;
            while let Some((next, len)) = records
                .next_if(|(next, len)| *next <= end + BETWEEN && next + len - begin <= AT_A_TIME)
            {
                end = next + len;
            }
            reading.parts.insert(begin, (end - begin, None));
        }
        reading.missing = reading.parts.len();
        reading
    }

    /// What is to be read: positions and lengths.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.parts.iter().map(|(at, (len, _))| (*at, *len))
    }

    /// A part has come, or cannot be read. Returns what has to be read in its place: the
    /// records in it, one by one.
    pub(super) fn came(&mut self, at: u64, bytes: Option<Bytes>, run: &Run) -> Vec<(u64, u64)> {
        let Some((len, part)) = self.parts.get_mut(&at) else {
            return Vec::new();
        };
        let len = *len;
        if let Some(bytes) = bytes {
            self.missing -= usize::from(part.replace(bytes).is_none());
            return Vec::new();
        }
        self.is_damaged = true;
        let records = run.left().map(|l| (l.record, l.len));
        let within = records.filter(|(record, _)| (at..at + len).contains(record));
        let within: Vec<(u64, u64)> = within.collect();
        if within.len() < 2 {
            self.missing -= usize::from(part.replace(Bytes::new()).is_none());
            return Vec::new();
        }
        self.parts.remove(&at);
        self.missing -= 1;
        for (record, len) in &within {
            self.parts.insert(*record, (*len, None));
            self.missing += 1;
        }
        within
    }

    /// Whether all has come.
    pub(super) fn is_done(&self) -> bool {
        self.missing == 0
    }

    /// The record of a message, if it could be read.
    pub(super) fn record(&self, located: &Located) -> Option<Bytes> {
        let (at, (_, bytes)) = self.parts.range(..=located.record).next_back()?;
        let begin = usize::try_from(located.record - at).ok()?;
        let end = begin + usize::try_from(located.len).ok()?;
        let bytes = bytes.as_ref()?;
        (end <= bytes.len()).then(|| bytes.slice(begin..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::tests::message;

    /// Records of so many bytes at these positions.
    fn run(records: &[(u64, u64)]) -> Run {
        let mut builder = Builder::new(70);
        for (record, len) in records {
            assert!(builder.push(*record, *len, &message("0123456789"), None));
        }
        builder.finish()
    }

    fn left(run: &Run) -> Vec<(u64, u64, u64)> {
        let left = run.left();
        left.map(|l| (l.position, l.record, l.len)).collect()
    }

    #[test]
    fn records_lie_anywhere() {
        let run = run(&[(1 << 40, 50), ((1 << 40) + 50, 60), (7, 300), (9_000, 50)]);
        let expected = [
            (70, 1 << 40, 50),
            (71, (1 << 40) + 50, 60),
            (72, 7, 300),
            (73, 9_000, 50),
        ];
        assert_eq!(left(&run), expected);
        assert_eq!((run.begin, run.live), (7, 460));
        let frozen = &run.frozen;
        assert_eq!((frozen.left, frozen.bytes, frozen.end()), (4, 40, 74));
        assert_eq!(frozen.held, 4 * message("0123456789").size());
    }

    #[test]
    fn what_is_gone_is_passed_over() {
        let records: Vec<(u64, u64)> = (0..200).map(|n| (n * 100, 100)).collect();
        let mut run = run(&records);
        let gone = [0, 63, 64, 130, 199];
        for n in gone {
            assert_eq!(run.leave(70 + n), Some(100));
            assert_eq!(run.leave(70 + n), None);
        }
        assert_eq!(run.leave(270), None);
        assert_eq!(
            (run.live, run.frozen.left, run.frozen.bytes),
            (19_500, 195, 1_950)
        );
        let expected = (0..200).filter(|n| !gone.contains(n));
        let expected = expected.map(|n| (70 + n, n * 100, 100));
        assert_eq!(left(&run), expected.collect::<Vec<_>>());
        // Those that are left lie together afterwards.
        let moved = run.moved(1_000_000);
        assert_eq!((moved.begin, moved.live), (1_000_000, 19_500));
        let records = left(&moved);
        assert_eq!(records.len(), 195);
        assert_eq!(records[0], (71, 1_000_000, 100));
        assert_eq!(records[194], (268, 1_000_000 + 194 * 100, 100));
    }

    /// Messages of another priority, or with an end where the others have none, are in
    /// another run.
    #[test]
    fn a_run_is_of_one_kind() {
        let second = Some(Duration::from_secs(1));
        let mut builder = Builder::new(0);
        assert!(builder.push(0, 90, &message("a"), second));
        assert!(!builder.push(90, 90, &message("b"), None));
        let mut urgent = message("c");
        urgent.properties.priority = Some(3);
        assert!(!builder.push(90, 90, &urgent, second));
        assert!(builder.push(90, 90, &message("d"), second.map(|at| at * 9)));
        assert!(builder.push(180, 90, &message("e"), second.map(|at| at / 2)));
        let frozen = builder.finish().frozen;
        assert_eq!(frozen.span, 3);
        assert_eq!(frozen.expires, second.map(|at| (at / 2, at * 9)));
    }

    /// A run of small messages whose records follow each other takes four bytes for each.
    #[test]
    fn a_run_takes_little() {
        let records: Vec<(u64, u64)> = (0..200).map(|n| (n * 100, 100)).collect();
        assert_eq!(run(&records).weight(), OVERHEAD + 4 * 200);
        assert!(OVERHEAD >= size_of::<Run>() + size_of::<Frozen>());
    }

    /// Records up to 4 KiB apart are read together, and at one time no more than 512 KiB,
    /// unless it is one record.
    #[test]
    fn parts_are_bounded() {
        let half = 256 << 10;
        type Parts<'a> = &'a [(u64, u64)];
        let rows: [(Parts<'_>, Parts<'_>); 6] = [
            (&[(0, 100), (4_196, 100)], &[(0, 4_296)]),
            (&[(0, 100), (4_197, 100)], &[(0, 100), (4_197, 100)]),
            (&[(0, half), (half, half)], &[(0, 2 * half)]),
            (
                &[(0, half), (half, half + 1)],
                &[(0, half), (half, half + 1)],
            ),
            (
                &[(7, half), (half + 7, half), (2 * half + 7, half)],
                &[(7, 2 * half), (2 * half + 7, half)],
            ),
            (
                &[(0, 3 * half), (3 * half, 100)],
                &[(0, 3 * half), (3 * half, 100)],
            ),
        ];
        for (records, expected) in rows {
            let reading = Reading::of(&run(records));
            let parts: Vec<(u64, u64)> = reading.parts().collect();
            assert_eq!(parts, expected, "{records:?}");
        }
    }

    #[test]
    fn what_lies_together_is_read_together() {
        // The second lies near, the third far, and the fourth before them.
        let run = run(&[(10_000, 100), (10_200, 100), (90_000, 100), (500, 100)]);
        let mut reading = Reading::of(&run);
        let parts: Vec<(u64, u64)> = reading.parts().collect();
        assert_eq!(parts, [(500, 100), (10_000, 300), (90_000, 100)]);
        // One that cannot be read is read again record by record.
        assert_eq!(
            reading.came(10_000, None, &run),
            [(10_000, 100), (10_200, 100)]
        );
        for (at, bytes) in [(500, true), (90_000, true), (10_200, true), (10_000, false)] {
            assert!(!reading.is_done());
            let bytes = bytes.then(|| Bytes::from(vec![at as u8; 100]));
            assert_eq!(reading.came(at, bytes, &run), []);
        }
        assert!(reading.is_done() && reading.is_damaged);
        let records = run.left().map(|located| reading.record(&located));
        let first: Vec<Option<u8>> = records.map(|r| r.map(|r| r[0])).collect();
        let byte = |at: u64| Some(at as u8);
        assert_eq!(first, [None, byte(10_200), byte(90_000), byte(500)]);
    }
}
