//! What was kept, put back.

use alloc::sync::Arc;

use super::{BindRequest, VirtualHost};
use crate::model::change::{BacklogId, Change, KeptBinding, KeptQueue, Target};
use crate::model::exchange::{Exchange, ExchangeSettings};
use crate::model::message::Message;
use crate::model::queue::{Queue, QueueArguments, QueueId, QueueSettings};
use crate::model::refusal::Refusal;

impl VirtualHost {
    /// Puts back a thing, after those that it belongs to. Returns whether they are there.
    ///
    /// # Errors
    /// If it is nothing that could have been made.
    pub(crate) fn restore(&mut self, change: &Change) -> Result<bool, Refusal> {
        match change {
            Change::Exchange { name, settings } => {
                let exchange = Exchange::new(ExchangeSettings::clone(settings));
                self.exchanges.insert(name.clone(), exchange);
                Ok(true)
            }
            Change::Queue(queue) => self.restore_queue(queue).map(|()| true),
            Change::Bound(binding) => self.restore_binding(binding),
            Change::Session(session) => {
                self.restore_session(session);
                Ok(true)
            }
            Change::Subscribed(subscription) => Ok(self.restore_subscription(subscription)),
            Change::Handshake { handshake, number } => {
                Ok(self.restore_handshake(*handshake, *number))
            }
            // Not things.
            _ => Ok(false),
        }
    }

    fn restore_queue(&mut self, kept: &KeptQueue) -> Result<(), Refusal> {
        let arguments = QueueArguments::parse(&kept.name, &self.name, &kept.arguments)?;
        let settings = QueueSettings {
            durable: true,
            exclusive: None,
            auto_delete: kept.auto_delete,
            arguments: kept.arguments.clone(),
        };
        // Its time without use begins anew.
        let mut queue = Queue::new(kept.name.clone(), settings, arguments, self.now);
        queue.set_offered(kept.offered);
        self.insert_queue(kept.id, queue);
        Ok(())
    }

    fn restore_binding(&mut self, kept: &KeptBinding) -> Result<bool, Refusal> {
        let KeptBinding {
            id,
            source,
            destination,
            routing_key,
            arguments,
        } = kept;
        if !self.keeps_binding(source, destination) {
            return Ok(false);
        }
        let request = BindRequest {
            source,
            destination: destination.clone(),
            routing_key,
            arguments: arguments.clone(),
        };
        self.add_binding(request, Some(*id))
    }

    /// Puts a message back into a backlog. Returns whether that is there.
    pub(crate) fn restore_message(&mut self, message: &Arc<Message>, target: &Target) -> bool {
        let id = QueueId(target.backlog.0);
        let Some(queue) = self.queues.get_mut(&id) else {
            return self.restore_in_session(message, target);
        };
        queue.restore(message.clone(), target);
        self.statistics.queued += 1;
        self.list_queue(id);
        true
    }

    /// Uses no position of a backlog before this one, since the ones before have been used.
    pub(crate) fn restore_position(&mut self, backlog: BacklogId, next: u64) {
        if let Some(queue) = self.queues.get_mut(&QueueId(backlog.0)) {
            queue.set_next_position(next);
        } else {
            self.restore_session_position(backlog, next);
        }
    }

    /// Gives out no number that has been given out.
    pub(crate) fn restore_last_id(&mut self, last: u64) {
        self.last_id = self.last_id.max(last);
    }
}
