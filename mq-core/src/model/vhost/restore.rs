//! What was kept, put back.

use alloc::sync::Arc;

use super::VirtualHost;
use crate::model::change::{BacklogId, Change, KeptBinding, Target};
use crate::model::exchange::BindRequest;
use crate::model::message::Message;
use crate::model::queue::QueueId;
use crate::model::queue::frozen::Frozen;
use crate::model::refusal::Refusal;

impl VirtualHost {
    /// Puts back a thing, after those that it belongs to. Returns whether they are there.
    ///
    /// # Errors
    /// If it is nothing that could have been made.
    pub(crate) fn restore(&mut self, change: &Change) -> Result<bool, Refusal> {
        match change {
            Change::Exchange { name, settings } => {
                self.exchanges.restore(&self.shared, name, settings);
                Ok(true)
            }
            Change::Policy(kept) => {
                self.shared.policies.set(kept.kind, kept.policy.clone())?;
                Ok(true)
            }
            Change::Queue(queue) => self.queues.restore(&mut self.shared, queue).map(|()| true),
            Change::Bound(binding) => self.restore_binding(binding),
            Change::Session(session) => {
                self.sessions.restore(session);
                Ok(true)
            }
            Change::Subscribed(subscription) => {
                Ok(self.sessions.restore_subscription(subscription))
            }
            Change::Handshake { handshake, number } => {
                Ok(self
                    .sessions
                    .restore_handshake(&mut self.shared, *handshake, *number))
            }
            // Not things.
            _ => Ok(false),
        }
    }

    fn restore_binding(&mut self, kept: &KeptBinding) -> Result<bool, Refusal> {
        let KeptBinding {
            id,
            source,
            destination,
            routing_key,
            arguments,
        } = kept;
        let request = BindRequest {
            source,
            destination: destination.clone(),
            lasting: self.is_lasting(destination),
            routing_key,
            arguments: arguments.clone(),
        };
        self.exchanges.restore_binding(&self.shared, request, *id)
    }

    /// Puts a message back into a backlog. Returns whether that is there.
    pub(crate) fn restore_message(&mut self, message: &Arc<Message>, target: &Target) -> bool {
        let shared = &mut self.shared;
        if target.backlog == BacklogId::DELAYED {
            self.delays.restore(shared, message, target);
            return true;
        }
        self.queues.restore_message(shared, message, target)
            || self.sessions.restore_message(shared, message, target)
    }

    /// Puts a run back into a queue. Returns whether that is there.
    pub(crate) fn restore_run(&mut self, id: QueueId, run: Frozen) -> bool {
        self.queues.restore_run(&mut self.shared, id, run)
    }

    /// Uses no position of a backlog before this one, since the ones before have been used.
    pub(crate) fn restore_position(&mut self, backlog: BacklogId, next: u64) {
        if backlog == BacklogId::DELAYED {
            self.delays.set_next_position(next);
        } else if !self.queues.restore_position(backlog, next) {
            self.sessions.restore_position(backlog, next);
        }
    }

    /// Everything has been put back.
    pub(crate) fn resume(&mut self) {
        // For exchanges that were there before the policies were put back.
        self.apply_policies();
        self.sessions.resume(&mut self.shared);
    }

    /// Gives out no number that has been given out.
    pub(crate) fn restore_last_id(&mut self, last: u64) {
        self.shared.last_id = self.shared.last_id.max(last);
    }
}
