//! The journal: what is stored, in which order, and what may be forgotten.
//!
//! The model says what changes of what outlives the broker. The journal makes records of
//! that ([`record`] has their layout), one batch for each call of the broker, and keeps
//! back what promises anything until the batch is stored ([`hold`]). It knows no file:
//! batches are [appended](crate::Output::Append) by the embedder.
//!
//! # Forgetting
//!
//! Of each thing that is there one record is needed, its newest ([`index`]). When less
//! than half of the log is, the needed records that lie first are written once more, a
//! bounded number with each batch, and then what lies before them can be
//! [forgotten](crate::Output::Trim): once the batch with their copies is stored, and so
//! is every batch that says that something which lay there is gone.

mod batch;
mod field;
mod hold;
mod index;
mod limits;
mod message;
mod policy;
mod record;
mod recovery;
mod run;
mod session;
mod spill;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use bytes::Bytes;

use crate::model::change::{Change, TransactionId};
use crate::model::message::Name;
use crate::model::request::ChannelNumber;
use crate::model::{Body, ConnectionId, Model, Notice, Said};
use batch::Batch;
pub(crate) use hold::Admission;
use hold::Hold;
use index::{Host, Index, Place, Written};
use record::Encoder;
pub(crate) use recovery::{Reader, Trouble};
use spill::Spill;
pub(crate) use spill::Wanted;

/// A log is not cleaned while it has no more bytes than that.
const SMALL: u64 = 64 << 10;

/// The log is trimmed by no fewer bytes than that at one time.
const TRIM: u64 = 16 << 10;

/// What transactions have settled that is taken in with a batch, at most.
const COMMITTED: usize = 1024;

/// Bytes that are written once more with a batch, besides twice its own.
const COPIED: u64 = 4 << 10;

/// Everything that is stored, or on its way there.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The names of the virtual hosts, by number.
    hosts: Vec<Name>,
    encoder: Encoder,
    index: Index,
    hold: Hold,
    /// The records since the last batch.
    batch: Batch,
    /// Where it begins.
    begin: u64,
    /// Where the batch before it begins.
    last_batch: u64,
    /// What the records at the end of it are about.
    context: Option<(Host, Option<TransactionId>)>,
    /// Everything before that is stored.
    durable: u64,
    /// Everything before that may have been forgotten.
    trimmed: u64,
    /// What can be forgotten next: what lies before the second, once what lies before the
    /// first is stored.
    trim: Option<(u64, u64)>,
    /// Bytes on their way above which publishers wait.
    high_water: u64,
    /// Bytes that were written once more beyond what the batches have allowed.
    copied: u64,
    spill: Spill,
}

impl Journal {
    pub(crate) fn new(hosts: Vec<Name>, high_water: usize, mark: usize) -> Self {
        Self {
            hosts,
            encoder: Encoder::default(),
            index: Index::default(),
            hold: Hold::default(),
            batch: Batch::default(),
            begin: 0,
            last_batch: 0,
            context: None,
            durable: 0,
            trimmed: 0,
            trim: None,
            high_water: high_water as u64,
            copied: 0,
            spill: Spill::new(mark),
        }
    }

    /// Where the next record begins.
    pub(crate) fn end(&self) -> u64 {
        self.begin + self.batch.len() as u64
    }

    /// Writes down what has changed.
    pub(crate) fn take(&mut self, model: &mut Model) {
        while let Some((host, (transaction, change))) = model.poll_change() {
            self.write(host, transaction, change, &Body::default());
        }
    }

    /// Writes down what the records after it are about, unless those before say the same.
    fn set_context(&mut self, host: Host, transaction: Option<TransactionId>) {
        let context = (host, transaction);
        if self.context != Some(context) {
            let name = self.hosts.get(host).map_or("", |name| name);
            self.encoder.context(&mut self.batch, name, transaction);
            self.context = Some(context);
        }
    }

    /// Writes down a change; the body of a message that has left memory is given beside it.
    fn write(
        &mut self,
        host: Host,
        transaction: Option<TransactionId>,
        change: Change,
        absent: &Body,
    ) {
        if !matches!(change, Change::Forgotten { .. } | Change::ForgottenRange(_)) {
            self.set_context(host, transaction);
        }
        let position = self.end();
        self.encoder.change(&mut self.batch, &change, absent);
        let written = Written {
            host,
            transaction,
            position,
            len: self.end() - position,
        };
        self.index.apply(written, change);
    }

    /// Takes what has changed since the last call as one batch, and says where it begins.
    pub(crate) fn seal(&mut self) -> Option<(u64, Vec<Bytes>)> {
        if self.batch.is_empty() {
            return None;
        }
        self.clean();
        let position = self.begin;
        self.last_batch = position;
        self.begin = self.end();
        let slices = self.batch.take();
        self.context = None;
        if self.trim.is_none() {
            self.trim = self.next_trim();
        }
        Some((position, slices))
    }

    /// Writes what lies first once more, if that makes the log much shorter.
    fn clean(&mut self) {
        if !self.index.catch_up(COMMITTED) {
            return;
        }
        // A run is copied as a whole, which may be more: then the batches after it copy less.
        let begin = self.end();
        let allowed = 2 * self.batch.len() as u64 + COPIED;
        while self.copied + (self.end() - begin) < allowed
            && let Some(first) = self.index.first()
            && let log = self.end() - first
            && log > SMALL
            && log / 2 > self.index.live()
            && self.copy_first()
        {}
        self.copied = (self.copied + (self.end() - begin)).saturating_sub(allowed);
    }

    /// Writes what lies first once more. Returns whether there is something that can be.
    fn copy_first(&mut self) -> bool {
        if let Some(place) = self.index.first_run() {
            return self.copy_run(place);
        }
        let copy = self.index.first().and_then(|first| {
            let body = self.spill.body_ahead(&self.index, first)?;
            Some((body, self.index.take_first(self.begin)?))
        });
        let Some((body, (host, transaction, change))) = copy else {
            return false;
        };
        self.write(host, transaction, change, &body.into());
        true
    }

    /// Writes the records of a run once more, as they are.
    fn copy_run(&mut self, place: Place) -> bool {
        let is_older = |run: &run::Run| run.begin < self.begin;
        if !self.index.run(place).is_some_and(is_older) {
            return false;
        }
        let Some(reading) = self.run_ahead(place) else {
            return false;
        };
        self.set_context(place.host, None);
        let to = self.end();
        let run = self.index.run(place);
        for located in run.iter().flat_map(|run| run.left()) {
            let record = reading.record(&located).unwrap_or_default();
            self.batch.put(&record);
        }
        self.index.move_run(place, to);
        for (of, count) in self.index.returned_of(place) {
            let returned = Change::Returned {
                backlog: of.backlog,
                position: of.position,
                count,
            };
            self.write(of.host, None, returned, &Body::default());
        }
        true
    }

    fn next_trim(&self) -> Option<(u64, u64)> {
        // One batch always stays, so that the log knows how far it has come.
        let first = self.index.first().unwrap_or(self.begin);
        let before = first.min(self.last_batch);
        (before >= self.trimmed + TRIM).then_some((self.begin, before))
    }

    /// All that lies before is stored.
    pub(crate) fn set_durable(&mut self, through: u64) {
        self.durable = self.durable.max(through.min(self.begin));
        self.look_again();
    }

    /// Whether all that lies before is stored.
    pub(crate) fn has_stored(&self, end: u64) -> bool {
        end <= self.durable
    }

    /// What may be forgotten now: all that lies before.
    pub(crate) fn poll_trim(&mut self) -> Option<u64> {
        let (_, before) = self.trim.take_if(|(through, _)| *through <= self.durable)?;
        self.trimmed = before;
        self.trim = self.next_trim();
        Some(before)
    }

    /// Takes a notice: it may go out, or waits.
    pub(crate) fn admit(&mut self, said: Said) -> Admission {
        let end = self.end();
        self.hold.admit(said, end, self.durable)
    }

    /// The next notice that waits for nothing more.
    pub(crate) fn release(&mut self) -> Option<(ConnectionId, Notice)> {
        self.hold.release(self.durable)
    }

    /// Whether [`release`](Self::release) has one.
    pub(crate) fn is_ready(&self) -> bool {
        self.hold.is_ready(self.durable)
    }

    /// Whether anything that is to be said to a connection waits.
    pub(crate) fn holds(&self, connection: ConnectionId) -> bool {
        self.hold.has(connection)
    }

    /// Takes all that waits for a connection that is over.
    pub(crate) fn take_held(&mut self, connection: ConnectionId) -> impl Iterator<Item = Notice> {
        self.hold.take(connection)
    }

    /// A channel is over: nobody is to be told any more what was accepted on it.
    pub(crate) fn close_channel(&mut self, connection: ConnectionId, channel: ChannelNumber) {
        self.hold.close_channel(connection, channel);
    }

    fn on_their_way(&self) -> u64 {
        self.end() - self.durable
    }

    /// Whether so much is not stored yet that publishers wait.
    pub(crate) fn is_full(&self) -> bool {
        self.on_their_way() >= self.high_water
    }

    /// Whether they go on.
    pub(crate) fn has_room(&self) -> bool {
        self.on_their_way() <= self.high_water / 2
    }
}
