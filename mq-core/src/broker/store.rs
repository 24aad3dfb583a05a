//! The store: batches for it, and what waits until they are stored.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::budget::TURN;
use super::{Broker, Output};
use crate::journal::{Admission, Journal, Reader, Wanted};
use crate::model::queue;
use crate::model::{ConnectionId, Notice, Wait};
use crate::names;
use crate::recovery::RecoveryError;
use crate::report::Report;

/// Bodies and runs that leave memory in one call, at most.
const SPILLED: usize = 256;

impl Broker {
    /// The next notice that may go out, unless so many steps have been done before there
    /// is one.
    pub(super) fn next_notice(&mut self, end: u64) -> Option<(ConnectionId, Notice)> {
        loop {
            let steps = end.saturating_sub(self.spent());
            let Some(journal) = &mut self.shared.journal else {
                let said = self.shared.model.poll_notice(steps)?;
                self.steps += 1;
                return Some((said.to, said.notice));
            };
            if steps > 0
                && let Some((id, notice)) = journal.release()
            {
                self.steps += 1;
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.held = connection.held.saturating_sub(notice.size());
                }
                return Some((id, notice));
            }
            let said = self.shared.model.poll_notice(steps)?;
            self.steps += 1;
            let size = said.notice.size();
            if said.wait == Wait::Stored {
                journal.take(&mut self.shared.model);
            }
            match journal.admit(said) {
                Admission::Now(id, notice) => return Some((id, notice)),
                Admission::Held(id) => self.hold_back(id, size),
            }
        }
    }

    /// A notice for a connection waits. When it is too much that does, nothing more is
    /// delivered to it.
    fn hold_back(&mut self, id: ConnectionId, size: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.held += size;
            connection.touch(id, &mut self.touched);
            self.after_sending(id);
        }
    }

    /// Hands out what the touched connections have to send, and closes those
    /// that are over.
    pub(super) fn settle(&mut self) {
        while let Some(id) = self.touched.pop_front() {
            self.flush(id);
        }
        while let Some(dropped) = self.shared.model.poll_dropped() {
            self.shared
                .outputs
                .push_back(Output::Report(Report::Dropped(dropped)));
        }
        if let Some(journal) = &mut self.shared.journal {
            journal.take(&mut self.shared.model);
            let batch = journal.seal();
            self.batches
                .extend(batch.map(|(position, slices)| Output::Append { position, slices }));
        }
        self.answer_administration();
        self.spill();
        self.shared
            .memory
            .set_held(self.shared.model.meter().total());
    }

    /// Lets messages leave memory where they hold much, and asks for those that are wanted.
    fn spill(&mut self) {
        let Some(journal) = &mut self.shared.journal else {
            return;
        };
        journal.spill(&mut self.shared.model, SPILLED);
        let mut lost = Vec::new();
        while let Some((host, queue, wanted)) = self.shared.model.poll_wanted() {
            let position = match wanted {
                queue::Wanted::Body(position) => position,
                queue::Wanted::Run(first) => {
                    journal.want_run(&mut self.shared.model, host, queue, first);
                    continue;
                }
            };
            let Some((at, len)) = journal.body_of(host, queue, position) else {
                lost.push((host, queue, position));
                continue;
            };
            let wanted = Wanted::Message {
                host,
                queue,
                position,
            };
            self.last_read += 1;
            self.reads.insert(self.last_read, wanted);
            self.shared.outputs.push_back(Output::Read {
                id: self.last_read,
                position: at,
                len,
            });
        }
        while let Some((wanted, position, len)) = journal.poll_wanted() {
            self.last_read += 1;
            self.reads.insert(self.last_read, wanted);
            self.shared.outputs.push_back(Output::Read {
                id: self.last_read,
                position,
                len,
            });
        }
        for (host, queue, position) in lost {
            self.shared.model.body_came(host, queue, position, None);
        }
    }

    /// Whether more bodies can leave memory, and have to.
    pub(super) fn has_spill(&self) -> bool {
        let journal = self.shared.journal.as_ref();
        journal.is_some_and(|journal| journal.has_spill(self.shared.model.meter().total()))
    }

    /// A body that was asked for has come, or cannot be read.
    pub(super) fn body_came(&mut self, id: u64, body: Option<Bytes>) {
        let lost = match self.reads.remove(&id) {
            None => return,
            Some(Wanted::Message {
                host,
                queue,
                position,
            }) => {
                self.shared.model.body_came(host, queue, position, body);
                Vec::new()
            }
            Some(Wanted::Record(record)) => {
                let journal = self.shared.journal.as_mut();
                journal.map_or_else(Vec::new, |journal| journal.body_came(record, body))
            }
            Some(Wanted::Run { reading, at }) => {
                if let Some(journal) = &mut self.shared.journal {
                    journal.run_came(&mut self.shared.model, reading, at, body);
                }
                Vec::new()
            }
        };
        for (host, queue, position) in lost {
            self.shared.model.body_came(host, queue, position, None);
        }
        self.pump(self.spent() + TURN);
    }

    /// What lies before is stored: what has waited for that goes out.
    pub(super) fn stored(&mut self, through: u64) {
        if let Some(journal) = &mut self.shared.journal {
            journal.set_durable(through);
            if let Some(before) = journal.poll_trim() {
                self.shared.outputs.push_back(Output::Trim { before });
            }
        }
        self.unblock();
        self.pump(self.spent() + TURN);
    }

    /// Whether something waits for nothing more, since it is stored.
    pub(super) fn has_stored(&self) -> bool {
        let journal = self.shared.journal.as_ref();
        journal.is_some_and(|journal| journal.is_ready())
    }

    /// Takes the journal out, to be filled.
    pub(crate) fn take_journal(&mut self) -> Option<Journal> {
        self.shared.journal.take().map(|journal| *journal)
    }

    /// Takes over what a log says.
    pub(crate) fn recover(&mut self, now: Duration, reader: Reader) -> Result<(), RecoveryError> {
        self.set_time(now);
        let journal = reader.finish(&mut self.shared.model)?;
        if journal.end() > 0 {
            // No name is made again.
            let config = Arc::make_mut(&mut self.shared.config);
            config.seed = names::reseed(config.seed, journal.end());
            self.shared.model.reseed(config.seed);
        }
        self.shared.journal = Some(Box::new(journal));
        self.shared.model.resume();
        Ok(())
    }
}
