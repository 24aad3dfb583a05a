//! Work that moves much: some of it is done at once, and the rest in turns.

use alloc::boxed::Box;
use alloc::collections::btree_map::BTreeMap;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use super::VirtualHost;
use super::policies::Applied;
use crate::model::change::{BacklogId, Change};
use crate::model::queue::declaration::Purged;
use crate::model::queue::{
    ChannelId, ConsumerId, Entry, Key, Lease, QueueId, Removed, Settlement, Taken,
};
use crate::model::request::Ticket;
use crate::model::session::{Remains, Stale};
use crate::model::transaction::Transaction;
use crate::model::{ConnectionId, Notice};

/// Steps that are done at once. What is no more than that is never left for later.
const AT_ONCE: u64 = 256;

/// Something to go on with.
#[derive(Debug)]
pub(crate) enum Work {
    /// Deliveries to settle, all in the same way.
    Settle {
        leases: vec::IntoIter<Lease>,
        settlement: Settlement,
        /// The question that is answered once all of them are settled, if there is one.
        asked: Option<Asked>,
    },
    /// Messages that were taken out of a queue, and the question that is answered when
    /// they are settled.
    Purge {
        channel: ChannelId,
        purged: Purged,
        /// Changes before them.
        changes: u64,
    },
    Commit(Box<Transaction>),
    /// Channels that are over, and then queues that go with their connection.
    Close {
        channels: vec::IntoIter<ChannelId>,
        queues: BTreeSet<QueueId>,
    },
    /// Consumers of a queue that is gone, and its messages, which are gone with it.
    Drop(Box<Removed>),
    /// New consumers with a selector look through what is ready, the last one first, each
    /// after a place.
    Search {
        queue: QueueId,
        searches: Vec<(ConsumerId, Option<Key>)>,
    },
    /// Policies have changed.
    ApplyPolicies(Applied),
    /// Subscriptions of a session that has ended, and its messages: those of its shares are
    /// for others, and the rest is counted as gone.
    PassOn(Remains),
    /// Messages that do not wait for the client of a session any more.
    Discard(Stale),
}

/// What is accepted when work is done.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(super) channel: ChannelId,
    pub(super) ticket: Ticket,
    /// Changes before it.
    pub(super) changes: u64,
}

/// All work that is left, and whose it is.
#[derive(Debug, Default)]
pub(super) struct Works {
    line: VecDeque<(Option<ConnectionId>, Work)>,
    /// How much work is left of each connection.
    busy: BTreeMap<ConnectionId, usize>,
}

impl VirtualHost {
    pub(crate) fn has_work(&self) -> bool {
        !self.work.line.is_empty()
    }

    /// Whether work is left that this connection has asked for.
    pub(crate) fn is_busy(&self, connection: ConnectionId) -> bool {
        !self.work.busy.is_empty() && self.work.busy.contains_key(&connection)
    }

    /// Does what is little at once, and leaves what is much for later turns. The
    /// connection that has asked for it asks for nothing else until it is done.
    pub(crate) fn begin(&mut self, asked: Option<ConnectionId>, mut work: Work) {
        let end = self.shared.statistics.steps + AT_ONCE;
        if self.advance(&mut work, end) {
            return;
        }
        if let Some(connection) = asked {
            *self.work.busy.entry(connection).or_default() += 1;
        }
        self.work.line.push_back((asked, work));
    }

    /// Goes on with the work that is left, in turns, for so many steps.
    pub(crate) fn do_work(&mut self, steps: u64) {
        let end = self.shared.statistics.steps + steps;
        while self.shared.statistics.steps < end
            && let Some((asked, mut work)) = self.work.line.pop_front()
        {
            let slice = self.shared.statistics.steps + AT_ONCE;
            let is_done = self.advance(&mut work, slice.min(end));
            self.pass_on();
            if !is_done {
                self.work.line.push_back((asked, work));
            } else if let Some(connection) = asked
                && let Some(left) = self.work.busy.get_mut(&connection)
            {
                *left -= 1;
                if *left == 0 {
                    self.work.busy.remove(&connection);
                }
            }
        }
    }

    /// Does some work until so many steps have been done in all. Returns whether
    /// nothing of it is left.
    fn advance(&mut self, work: &mut Work, end: u64) -> bool {
        while self.shared.statistics.steps < end {
            self.shared.statistics.steps += 1;
            let more = match work {
                Work::Settle {
                    leases,
                    settlement,
                    asked,
                } => match leases.next() {
                    Some(lease) => {
                        self.settle(lease, *settlement);
                        true
                    }
                    None => {
                        if let Some(asked) = asked.take() {
                            self.accept_settled(&asked);
                        }
                        false
                    }
                },
                Work::Purge {
                    channel,
                    purged,
                    changes,
                } => match purged.ready.take_any() {
                    Some(Taken::Message(entry)) => {
                        self.queues
                            .note_settled(&mut self.shared, purged.queue, &entry);
                        true
                    }
                    Some(Taken::Run(run)) => {
                        let range = run.range(purged.queue);
                        self.shared.changes.push(Change::SettledRange(range));
                        true
                    }
                    None if drop_wanted(&mut purged.wanted) => true,
                    None => {
                        let messages = purged.messages;
                        let wait = self.shared.wait_since(*changes);
                        self.shared.emit_after(
                            wait,
                            channel.connection,
                            Notice::Removed { messages },
                        );
                        false
                    }
                },
                Work::Commit(transaction) => self.advance_commit(transaction),
                Work::Close { channels, queues } => {
                    if let Some(id) = channels.as_slice().first() {
                        if !self.go_on_closing(*id) {
                            channels.next();
                        }
                        true
                    } else if let Some(id) = queues.pop_first() {
                        self.remove_queue(id);
                        true
                    } else {
                        false
                    }
                }
                Work::Drop(removed) => self.drop_next(removed),
                Work::Search {
                    queue: id,
                    searches,
                } => match searches.last_mut() {
                    Some((consumer, after)) => {
                        *after = self.queues.search(*id, *consumer, *after);
                        if after.is_none() {
                            searches.pop();
                        }
                        true
                    }
                    None => false,
                },
                Work::ApplyPolicies(applied) => self.advance_policies(applied),
                Work::PassOn(remains) => self.sessions.pass_on(&mut self.shared, remains),
                Work::Discard(stale) => self.sessions.discard(&mut self.shared, stale),
            };
            if !more {
                return true;
            }
        }
        false
    }

    /// Goes on with the end of a queue, by one consumer or one message. Returns whether there
    /// was one.
    fn drop_next(&mut self, removed: &mut Removed) -> bool {
        if let Some(consumer) = removed.consumers.pop() {
            self.queues
                .cancel_of_removed(&mut self.shared, removed.id, &consumer);
            return true;
        }
        let unacknowledged = || {
            let (_, out) = removed.unacknowledged.pop_first()?;
            Some(Taken::Message(out.entry))
        };
        match removed.ready.take_any().or_else(unacknowledged) {
            Some(Taken::Message(entry)) => {
                let kept = removed.kept.then_some(removed.id);
                self.note_dropped(kept, &entry);
                true
            }
            // Only what is kept can leave memory.
            Some(Taken::Run(run)) => {
                let range = run.range(removed.id);
                self.shared.changes.push(Change::ForgottenRange(range));
                true
            }
            None => drop_wanted(&mut removed.wanted),
        }
    }

    /// A durable queue is gone, and with it this message.
    fn note_dropped(&mut self, kept: Option<QueueId>, entry: &Entry) {
        if let Some(queue) = kept
            && self.shared.changes.are_kept()
            && entry.message.is_lasting()
        {
            self.shared.changes.push(Change::Forgotten {
                backlog: BacklogId::from(queue),
                position: entry.position,
            });
        }
    }
}

/// Drops one of the places. Returns whether there was one.
fn drop_wanted(wanted: &mut Vec<BTreeSet<Key>>) -> bool {
    while let Some(last) = wanted.last_mut() {
        if last.pop_first().is_some() {
            return true;
        }
        wanted.pop();
    }
    false
}
