//! The steps of a [transaction](crate::model::transaction), which go to all rooms.

use alloc::vec::Vec;

use super::VirtualHost;
use super::routing::Room;
use crate::model::PublishOutcome;
use crate::model::drops::DropCause;
use crate::model::queue::ChannelId;
use crate::model::refusal::Refusal;
use crate::model::request::Publish;
use crate::model::transaction::{Parts, Promises, Step, Transaction};

impl VirtualHost {
    /// Goes on with a transaction by one message or settlement. Returns whether there
    /// is more to do.
    pub(super) fn advance_commit(&mut self, transaction: &mut Transaction) -> bool {
        let (id, ticket) = (transaction.channel, transaction.ticket);
        match transaction.next_step() {
            Step::Check(publish, promises) => {
                if !self.is_open(id) {
                    return false;
                }
                if let Err(refusal) = self.check(id, publish, promises) {
                    self.refuse_publish(id, Some(ticket), refusal);
                    return false;
                }
            }
            Step::Publish(publish, parts) => {
                let routes = self.route(&publish.message, Some(id.connection));
                parts.begin(&mut self.shared);
                let message = &publish.message;
                self.trace_publish(id, message);
                self.shared.statistics.published += 1;
                let outcome = self.publish_to(message, routes, None, Room::Promised, Vec::new());
                Parts::end(&mut self.shared);
                self.return_unroutable(id, publish, outcome);
            }
            Step::Settle(lease, settlement, parts) => {
                parts.begin(&mut self.shared);
                self.settle(lease, settlement);
                Parts::end(&mut self.shared);
            }
            Step::End => {
                transaction.finish(&mut self.shared);
                if self.is_open(id) {
                    let wait = self.shared.wait_since(transaction.changes);
                    self.accept(id, ticket, PublishOutcome::Routed, wait);
                }
                return false;
            }
        }
        true
    }

    /// Checks that a message can be published beside those before it.
    fn check(
        &mut self,
        id: ChannelId,
        publish: &Publish,
        promises: &mut Promises,
    ) -> Result<(), Refusal> {
        self.prepare(id.connection, publish)?;
        let routes = self.route(&publish.message, Some(id.connection));
        let delayed = routes.delayed.len() + usize::from(routes.scheduled.is_some());
        let delayed = promises.delay(delayed);
        if delayed > 0 && self.delays.len() + delayed > self.shared.limits.delayed_messages {
            self.shared.statistics.refused += 1;
            return Err(Refusal::resource_limit(format_args!(
                "no part of the transaction is done: as many messages as may be are delayed in \
                 vhost '{}'",
                self.shared.name
            )));
        }
        for id in routes.queues {
            if !promises.has(id) {
                // What is expired takes no room.
                self.expire_messages(id, false);
            }
            let (count, bytes) = promises.add(id, publish.message.body.len());
            if let Some(queue) = self.queues.get(id)
                && queue.refuses(&self.shared.limits, count, bytes)
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
