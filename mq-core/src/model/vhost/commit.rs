//! Transactions: what `tx.commit` and STOMP's COMMIT do.
//!
//! First every message is checked, then every message is published, and then all that is
//! to be settled is settled. A message that a queue would refuse ends the transaction in
//! the first part: then no part of it is done. From the second part on nothing is refused:
//! a queue that others fill meanwhile takes what was promised beyond its limit.
//!
//! What is published comes before what is settled, as in RabbitMQ: a message that goes
//! back to its queue takes no room from one that goes there anew.
//!
//! A transaction of few steps is done in one call. A large one takes turns with others,
//! who may see its first messages before its last ones. RabbitMQ promises no more. A
//! connection that ends while its transaction is checked undoes it. One that ends later
//! has published everything; its acknowledgements may be undone, and it was told nothing.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::VirtualHost;
use super::routing::Room;
use crate::model::PublishOutcome;
use crate::model::change::{Change, TransactionId};
use crate::model::drops::DropCause;
use crate::model::queue::{ChannelId, Lease, QueueId, Settlement};
use crate::model::refusal::Refusal;
use crate::model::request::{Operation, Publish, Ticket};

/// A transaction that is being committed.
#[derive(Debug)]
pub(crate) struct Commit {
    channel: ChannelId,
    ticket: Ticket,
    publishes: Vec<Publish>,
    checked: usize,
    published: usize,
    /// Messages and bytes that go to each queue.
    more: BTreeMap<QueueId, (usize, usize)>,
    /// Messages that wait for their time.
    delayed: usize,
    settlements: vec::IntoIter<(Lease, Settlement)>,
    /// Its name, from its first part on, where changes are kept.
    id: Option<TransactionId>,
    /// Changes before it.
    changes: u64,
}

impl Commit {
    /// A transaction, when so many changes have been noted.
    pub(super) fn new(
        channel: ChannelId,
        ticket: Ticket,
        operations: Vec<Operation>,
        changes: u64,
    ) -> Self {
        let (mut publishes, mut settlements) = (Vec::new(), Vec::new());
        for operation in operations {
            match operation {
                Operation::Publish(publish) => publishes.push(publish),
                Operation::Settle { lease, settlement } => settlements.push((lease, settlement)),
            }
        }
        Self {
            channel,
            ticket,
            publishes,
            checked: 0,
            published: 0,
            more: BTreeMap::new(),
            delayed: 0,
            settlements: settlements.into_iter(),
            id: None,
            changes,
        }
    }
}

impl VirtualHost {
    /// Goes on with a transaction by one message or settlement. Returns whether there
    /// is more to do.
    pub(super) fn advance_commit(&mut self, commit: &mut Commit) -> bool {
        let id = commit.channel;
        if let Some(publish) = commit.publishes.get(commit.checked) {
            if !self.is_open(id) {
                return false;
            }
            if let Err(refusal) = self.check(id, publish, &mut commit.more, &mut commit.delayed) {
                self.refuse_publish(id, Some(commit.ticket), refusal);
                return false;
            }
            commit.checked += 1;
        } else if let Some(publish) = commit.publishes.get(commit.published) {
            let routes = self.route(&publish.message);
            self.begin_part(&mut commit.id);
            let message = &publish.message;
            self.trace_publish(id, message);
            self.shared.statistics.published += 1;
            let outcome = self.publish_to(message, routes, None, Room::Promised, Vec::new());
            self.shared.changes.set_transaction(None);
            self.return_unroutable(id, publish, outcome);
            commit.published += 1;
        } else if let Some((lease, settlement)) = commit.settlements.next() {
            self.begin_part(&mut commit.id);
            self.settle(lease, settlement);
            self.shared.changes.set_transaction(None);
        } else {
            let changed = self.shared.changes.count() > commit.changes;
            if let (true, Some(transaction)) = (changed, commit.id) {
                self.shared.changes.push(Change::Committed { transaction });
            }
            if self.is_open(id) {
                let wait = self.shared.wait_since(commit.changes);
                self.accept(id, commit.ticket, PublishOutcome::Routed, wait);
            }
            return false;
        }
        true
    }

    /// What follows is part of a transaction.
    fn begin_part(&mut self, id: &mut Option<TransactionId>) {
        if self.shared.changes.are_kept() {
            let id = *id.get_or_insert_with(|| {
                self.shared.last_id += 1;
                TransactionId(self.shared.last_id)
            });
            self.shared.changes.set_transaction(Some(id));
        }
    }

    /// Checks that a message can be published beside those before it.
    fn check(
        &mut self,
        id: ChannelId,
        publish: &Publish,
        more: &mut BTreeMap<QueueId, (usize, usize)>,
        delayed: &mut usize,
    ) -> Result<(), Refusal> {
        self.prepare(id.connection, publish)?;
        let routes = self.route(&publish.message);
        *delayed += routes.delayed.len() + usize::from(routes.scheduled.is_some());
        if *delayed > 0 && self.delays.len() + *delayed > self.shared.limits.delayed_messages {
            self.shared.statistics.refused += 1;
            return Err(Refusal::resource_limit(format_args!(
                "no part of the transaction is done: as many messages as may be are delayed in \
                 vhost '{}'",
                self.shared.name
            )));
        }
        for id in routes.queues {
            if !more.contains_key(&id) {
                // What is expired takes no room.
                self.expire_messages(id, false);
            }
            let (count, bytes) = more.entry(id).or_default();
            *count += 1;
            *bytes += publish.message.body.len();
            if let Some(queue) = self.queues.get(id)
                && queue.refuses(&self.shared.limits, *count, *bytes)
            {
                self.shared.statistics.refused += 1;
                let refusal = Refusal::resource_limit(format_args!(
                    "no part of the transaction is done: queue '{}' in vhost '{}' is full",
                    queue.name, self.shared.name
                ));
                self.queues
                    .count_drop(&mut self.shared, id, DropCause::Refused);
                return Err(refusal);
            }
        }
        Ok(())
    }
}
