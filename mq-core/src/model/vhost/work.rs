//! Work that moves much: some of it is done at once, and the rest in turns.

use alloc::boxed::Box;
use alloc::collections::btree_map::BTreeMap;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use super::commit::Commit;
use super::{Lease, Settlement, VirtualHost};
use crate::model::ConnectionId;
use crate::model::queue::{ConsumerId, Key, QueueId, Ready, Unacknowledged};
use crate::model::session::Backlog;

/// Steps that are done at once. What is no more than that is never left for later.
const AT_ONCE: u64 = 256;

/// Something to go on with.
#[derive(Debug)]
pub(crate) enum Work {
    /// Deliveries to settle, all in the same way.
    Settle {
        leases: vec::IntoIter<Lease>,
        settlement: Settlement,
    },
    Commit(Box<Commit>),
    /// Queues that went with their connection.
    RemoveQueues(BTreeSet<QueueId>),
    /// Messages of a queue that are counted as gone.
    Drop {
        ready: Ready,
        unacknowledged: BTreeMap<u64, Unacknowledged>,
        /// Which of them each consumer with a selector wanted.
        wanted: Vec<BTreeSet<Key>>,
    },
    /// A new consumer with a selector looks through what is ready.
    Search {
        queue: QueueId,
        consumer: ConsumerId,
        after: Option<Key>,
    },
    /// Messages of a session that has ended: those of its shares are for others, and
    /// the rest is counted as gone.
    PassOn(Backlog),
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
        let end = self.statistics.steps + AT_ONCE;
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
        let end = self.statistics.steps + steps;
        while self.statistics.steps < end
            && let Some((asked, mut work)) = self.work.line.pop_front()
        {
            let slice = self.statistics.steps + AT_ONCE;
            if !self.advance(&mut work, slice.min(end)) {
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
        while self.statistics.steps < end {
            self.statistics.steps += 1;
            let more = match work {
                Work::Settle { leases, settlement } => match leases.next() {
                    Some(lease) => {
                        self.settle(lease, *settlement);
                        true
                    }
                    None => false,
                },
                Work::Commit(commit) => self.advance_commit(commit),
                Work::RemoveQueues(queues) => match queues.pop_first() {
                    Some(id) => {
                        self.remove_queue(id);
                        true
                    }
                    None => false,
                },
                Work::Drop {
                    ready,
                    unacknowledged,
                    wanted,
                } => {
                    ready.pop().is_some()
                        || unacknowledged.pop_first().is_some()
                        || drop_wanted(wanted)
                }
                Work::Search {
                    queue: id,
                    consumer,
                    after,
                } => {
                    *after = self
                        .queues
                        .get_mut(id)
                        .and_then(|queue| queue.search(*consumer, *after));
                    if after.is_none() {
                        self.list_queue(*id);
                    }
                    after.is_some()
                }
                Work::PassOn(backlog) => match backlog.pop() {
                    Some(pending) => {
                        self.pass_on(&pending);
                        true
                    }
                    None => false,
                },
            };
            if !more {
                return true;
            }
        }
        false
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
