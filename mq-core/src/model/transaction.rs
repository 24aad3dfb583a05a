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

use super::change::{Change, TransactionId};
use super::queue::{ChannelId, Lease, QueueId, Settlement};
use super::request::{Operation, Publish, Ticket};
use super::shared::Shared;

/// A transaction that is being committed.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) channel: ChannelId,
    pub(crate) ticket: Ticket,
    publishes: Vec<Publish>,
    checked: usize,
    published: usize,
    promises: Promises,
    settlements: vec::IntoIter<(Lease, Settlement)>,
    parts: Parts,
    /// Changes before it.
    pub(crate) changes: u64,
}

/// What is done next for a transaction.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A message is checked, beside those that were before it.
    Check(&'a Publish, &'a mut Promises),
    /// A message is published.
    Publish(&'a Publish, &'a mut Parts),
    /// A delivery is settled.
    Settle(Lease, Settlement, &'a mut Parts),
    /// All is done.
    End,
}

/// What the messages of a transaction take, before any of them is published.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    /// Messages and bytes that go to each queue.
    queues: BTreeMap<QueueId, (usize, usize)>,
    /// Messages that wait for their time.
    delayed: usize,
}

/// The name of a transaction in what is kept, from its first part on.
#[derive(Debug, Default)]
pub(crate) struct Parts(Option<TransactionId>);

impl Transaction {
    /// A transaction, when so many changes have been noted.
    pub(crate) fn new(
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
            promises: Promises::default(),
            settlements: settlements.into_iter(),
            parts: Parts::default(),
            changes,
        }
    }

    /// What is to be done next, which then counts as done.
    pub(crate) fn next_step(&mut self) -> Step<'_> {
        if let Some(publish) = self.publishes.get(self.checked) {
            self.checked += 1;
            Step::Check(publish, &mut self.promises)
        } else if let Some(publish) = self.publishes.get(self.published) {
            self.published += 1;
            Step::Publish(publish, &mut self.parts)
        } else if let Some((lease, settlement)) = self.settlements.next() {
            Step::Settle(lease, settlement, &mut self.parts)
        } else {
            Step::End
        }
    }

    /// All of it is done: its parts count, if they have changed anything.
    pub(crate) fn finish(&self, shared: &mut Shared) {
        if let Parts(Some(transaction)) = self.parts
            && shared.changes.count() > self.changes
        {
            shared.changes.push(Change::Committed { transaction });
        }
    }
}

impl Promises {
    /// So many messages more will wait for their time. Returns how many in all.
    pub(crate) fn delay(&mut self, count: usize) -> usize {
        self.delayed += count;
        self.delayed
    }

    /// Whether a message goes to a queue already.
    pub(crate) fn has(&self, queue: QueueId) -> bool {
        self.queues.contains_key(&queue)
    }

    /// A message with a body of so many bytes goes to a queue. Returns how many messages in
    /// all, and how many bytes.
    pub(crate) fn add(&mut self, queue: QueueId, bytes: usize) -> (usize, usize) {
        let promised = self.queues.entry(queue).or_default();
        promised.0 += 1;
        promised.1 += bytes;
        *promised
    }
}

impl Parts {
    /// What changes from here on is part of the transaction, until [`end`](Self::end).
    pub(crate) fn begin(&mut self, shared: &mut Shared) {
        if shared.changes.are_kept() {
            let id = *self.0.get_or_insert_with(|| {
                shared.last_id += 1;
                TransactionId(shared.last_id)
            });
            shared.changes.set_transaction(Some(id));
        }
    }

    pub(crate) fn end(shared: &mut Shared) {
        shared.changes.set_transaction(None);
    }
}
