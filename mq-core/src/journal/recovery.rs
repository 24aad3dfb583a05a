//! A log, read from its beginning.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::Journal;
use super::index::{Host, Place, Written};
use super::record::{Context, Record, Unreadable, decode};
use crate::model::Model;
use crate::model::change::{BacklogId, Change, Target, TransactionId};
use crate::model::queue::QueueId;

/// Why a log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    Damaged,
    Unknown {
        kind: u8,
        version: u8,
    },
    /// There is no virtual host of that name.
    Host(String),
    /// The model would not have made it.
    Refused(String),
}

/// Reads a log, and makes the journal that goes on with it.
#[derive(Debug)]
pub(crate) struct Reader {
    journal: Journal,
    begun: bool,
    /// The highest number of a thing, in each virtual host.
    last_ids: BTreeMap<Host, u64>,
    /// The highest position that was used in each backlog.
    positions: BTreeMap<(Host, BacklogId), u64>,
}

impl Reader {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal,
            begun: false,
            last_ids: BTreeMap::new(),
            positions: BTreeMap::new(),
        }
    }

    /// Where the next batch begins, unless none has been read.
    pub(crate) fn end(&self) -> Option<u64> {
        self.begun.then_some(self.journal.begin)
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// The position of a record that cannot be read, and why.
    pub(crate) fn batch(&mut self, position: u64, mut batch: Bytes) -> Result<(), (u64, Trouble)> {
        if !self.begun {
            self.begun = true;
            self.journal.trimmed = position;
        }
        let end = position + batch.len() as u64;
        let mut context = None;
        while !batch.is_empty() {
            let at = end - batch.len() as u64;
            let record = decode(&mut batch).map_err(|unreadable| {
                let trouble = match unreadable {
                    Unreadable::Damaged => Trouble::Damaged,
                    Unreadable::Unknown { kind, version } => Trouble::Unknown { kind, version },
                };
                (at, trouble)
            })?;
            match (record, context) {
                (Record::Context(found), _) => {
                    context = Some(self.context(found).map_err(|trouble| (at, trouble))?);
                }
                (Record::Change(change), Some((host, transaction))) => {
                    let len = end - batch.len() as u64 - at;
                    self.see(host, &change);
                    let written = Written {
                        host,
                        transaction,
                        position: at,
                        len,
                    };
                    let place = match &change {
                        Change::Message { targets, .. } => targets.first().map(Target::place),
                        _ => None,
                    };
                    self.journal.index.apply(written, change);
                    if let Some((backlog, position)) = place {
                        self.journal.keep_small(written, backlog, position);
                    }
                }
                (Record::Change(_), None) => return Err((at, Trouble::Damaged)),
            }
        }
        self.journal.last_batch = position;
        self.journal.begin = end;
        self.journal.durable = end;
        Ok(())
    }

    fn context(&mut self, context: Context) -> Result<(Host, Option<TransactionId>), Trouble> {
        let Context { host, transaction } = context;
        let hosts = &self.journal.hosts;
        let index = hosts.iter().position(|name| *name == host);
        let index = index.ok_or_else(|| Trouble::Host(String::from(&*host)))?;
        if let Some(TransactionId(id)) = transaction {
            self.see_id(index, id);
        }
        Ok((index, transaction))
    }

    /// A number has been given out.
    fn see_id(&mut self, host: Host, id: u64) {
        let last = self.last_ids.entry(host).or_default();
        *last = id.max(*last);
    }

    /// A place has been used.
    fn see_place(&mut self, host: Host, backlog: BacklogId, position: u64) {
        if backlog != BacklogId::DELAYED {
            self.see_id(host, backlog.0);
        }
        let last = self.positions.entry((host, backlog)).or_default();
        *last = position.max(*last);
    }

    /// Numbers and places that a change names are not used again.
    fn see(&mut self, host: Host, change: &Change) {
        match change {
            Change::Exchange { .. }
            | Change::ExchangeDeleted { .. }
            | Change::Policy(_)
            | Change::PolicyCleared { .. }
            | Change::Limits(_)
            | Change::LimitsCleared { .. } => {}
            Change::Queue(queue) => self.see_id(host, queue.id.0),
            Change::QueueDeleted { id } => self.see_id(host, id.0),
            Change::Bound(binding) => self.see_id(host, binding.id.0),
            Change::Unbound { id } => self.see_id(host, id.0),
            Change::Message { targets, .. } => {
                for target in targets {
                    self.see_place(host, target.backlog, target.position);
                }
            }
            Change::Settled { backlog, position }
            | Change::Forgotten { backlog, position }
            | Change::Returned {
                backlog, position, ..
            } => self.see_place(host, *backlog, *position),
            Change::SettledRange(range) | Change::ForgottenRange(range) => {
                let last = (range.first + range.count).saturating_sub(1);
                self.see_place(host, range.backlog, last);
            }
            Change::Committed { transaction } => self.see_id(host, transaction.0),
            Change::Session(session) => self.see_id(host, session.id.0),
            Change::SessionEnded { id } => self.see_id(host, id.0),
            // Their session is named in its own record.
            Change::Subscribed(_)
            | Change::Unsubscribed { .. }
            | Change::Handshake { .. }
            | Change::HandshakeEnded(_) => {}
            Change::InFlight {
                session, position, ..
            } => self.see_place(host, (*session).into(), *position),
        }
    }

    /// Fills the model with what the log says, and returns the journal that goes on.
    ///
    /// # Errors
    /// The position of a record that says what cannot be, and why.
    pub(crate) fn finish(mut self, model: &mut Model) -> Result<Journal, (u64, Trouble)> {
        let index = &mut self.journal.index;
        while !index.catch_up(usize::MAX) {}
        index.roll_back();
        index.count_messages(model.meter());
        let mut gone = Vec::new();
        for (host, key, position, change) in index.things() {
            if let Change::Limits(limits) = change {
                model.restore_limits(host, limits);
                continue;
            }
            let Some(vhost) = model.host_mut(host) else {
                continue;
            };
            let belongs = vhost
                .restore(change)
                .map_err(|refusal| (position, Trouble::Refused(refusal.text)))?;
            if !belongs {
                gone.push((host, key.clone()));
            }
        }
        for (host, key) in gone {
            index.end(host, key);
        }
        let mut left: Vec<Place> = Vec::new();
        for (place, message, target) in index.messages() {
            let vhost = model.host_mut(place.host);
            if !vhost.is_some_and(|vhost| vhost.restore_message(message, target)) {
                left.push(place);
            }
        }
        for place in left {
            index.leave(place);
        }
        let mut left: Vec<Place> = Vec::new();
        for (place, run) in index.runs() {
            let id = QueueId(place.backlog.0);
            let vhost = model.host_mut(place.host);
            if !vhost.is_some_and(|vhost| vhost.restore_run(id, run.clone())) {
                left.push(place);
            }
        }
        for place in left {
            index.forget_run(place);
        }
        for ((host, backlog), position) in self.positions {
            if let Some(vhost) = model.host_mut(host) {
                vhost.restore_position(backlog, position + 1);
            }
        }
        for (host, last) in self.last_ids {
            if let Some(vhost) = model.host_mut(host) {
                vhost.restore_last_id(last);
            }
        }
        self.journal.end_reading();
        // What was put back is stored already.
        while model.poll_change().is_some() {}
        Ok(self.journal)
    }
}
