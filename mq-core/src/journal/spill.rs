//! Bodies that leave memory once they are in the log, and are read back.

use alloc::collections::BTreeMap;
use bytes::Bytes;

use super::Journal;
use super::index::Index;
use crate::model::Model;
use crate::model::queue::QueueId;

/// Bodies that are read ahead of the cleaning of the log, at most.
const AHEAD: usize = 64;

/// Bytes of those from which on no more are asked for.
const AHEAD_BYTES: usize = 1 << 20;

/// What a body is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The message at a position of a queue of a virtual host.
    Message {
        host: usize,
        queue: QueueId,
        position: u64,
    },
    /// A record that is to be written once more.
    Record(u64),
}

/// How far bodies have left memory, and what has come back for the cleaning.
#[derive(Debug)]
pub(super) struct Spill {
    /// Bytes that all messages may hold before bodies leave memory.
    mark: usize,
    /// The records before that position have been looked at.
    seen: u64,
    /// Bodies of records that lie first, by record; None while they are on their way.
    ahead: BTreeMap<u64, (usize, Option<Bytes>)>,
    /// Records whose bodies are to be asked for.
    unasked: alloc::vec::Vec<(u64, u64, usize)>,
}

impl Spill {
    pub(super) fn new(mark: usize) -> Self {
        Self {
            mark,
            seen: 0,
            ahead: BTreeMap::new(),
            unasked: alloc::vec::Vec::new(),
        }
    }

    /// What is to be written beside the first record. None while its body is on its way.
    pub(super) fn body_ahead(&mut self, index: &Index, first: u64) -> Option<Bytes> {
        if !index.is_absent(first) {
            return Some(Bytes::new());
        }
        if let Some((_, Some(_))) = self.ahead.get(&first) {
            return self.ahead.remove(&first)?.1;
        }
        self.ahead.retain(|record, _| index.is_absent(*record));
        let mut bytes: usize = self.ahead.values().map(|(len, _)| len).sum();
        for (record, at, len) in index.first_absent(AHEAD) {
            if bytes >= AHEAD_BYTES {
                break;
            }
            if let alloc::collections::btree_map::Entry::Vacant(place) = self.ahead.entry(record) {
                place.insert((len, None));
                self.unasked.push((record, at, len));
                bytes += len;
            }
        }
        None
    }
}

impl Journal {
    /// Lets the bodies of some messages that are stored leave memory, while messages hold too
    /// much. The latest go: those before them are wanted first.
    pub(crate) fn spill(&mut self, model: &mut Model, count: usize) {
        for _ in 0..count {
            if !self.has_spill(model.meter().total()) {
                self.spill.seen = self.durable;
                return;
            }
            let Some(record) = self.index.next_record(self.spill.seen, self.durable) else {
                self.spill.seen = self.durable;
                return;
            };
            self.spill.seen = record + 1;
            if let Some((host, queue, position)) = self.index.queue_of(record)
                && let Some(message) = self.index.strip(record)
            {
                model.strip(host, queue, position, message);
            }
        }
    }

    /// Whether bodies can leave memory, and have to, when messages hold so much.
    pub(crate) fn has_spill(&self, held: usize) -> bool {
        held > self.spill.mark && self.spill.seen < self.durable
    }

    /// The next body to read for the cleaning: what for, its position and length.
    pub(crate) fn poll_wanted(&mut self) -> Option<(Wanted, u64, usize)> {
        let (record, at, len) = self.spill.unasked.pop()?;
        Some((Wanted::Record(record), at, len))
    }

    /// Where the body of a message in a queue is in the log, and how long it is.
    pub(crate) fn body_of(
        &self,
        host: usize,
        queue: QueueId,
        position: u64,
    ) -> Option<(u64, usize)> {
        self.index.body_of(host, queue, position)
    }

    /// A body for the cleaning has come. Returns the message in a queue that is lost, if it
    /// cannot be read.
    pub(crate) fn body_came(
        &mut self,
        record: u64,
        body: Option<Bytes>,
    ) -> Option<(usize, QueueId, u64)> {
        match body {
            Some(body) => {
                if let Some((_, place)) = self.spill.ahead.get_mut(&record) {
                    *place = Some(body);
                }
                None
            }
            None => {
                self.spill.ahead.remove(&record)?;
                self.index.queue_of(record)
            }
        }
    }

    /// While a log is read: whether the needed records are more than is to be in memory.
    pub(super) fn is_large(&self) -> bool {
        self.index.live() > self.spill.mark as u64
    }

    /// While a log is read: lets the body of the message of a record leave memory.
    pub(super) fn strip(&mut self, record: u64) {
        // It is counted later, with the others.
        let _ = self.index.strip(record);
    }

    /// Of what was read nothing is looked at again.
    pub(super) fn set_seen(&mut self) {
        self.spill.seen = self.durable;
    }
}
