//! Direct reply-to: a requester consumes answers from the pseudo-queue
//! [`REPLY_QUEUE`], and a made-up name takes them there.
//!
//! Behind each such name is a queue that no other name leads to, with one
//! consumer, so that answers wait for a requester that reads slowly and are held
//! to the limits of a queue.

use alloc::boxed::Box;

use super::delivery::ConsumeRequest;
use super::queues::Queues;
use super::{ChannelId, ConsumerId, Overflow, Queue, QueueArguments, QueueId, QueueSettings};
use crate::model::message::{Headers, Name};
use crate::model::refusal::Refusal;
use crate::model::request::ConsumerTimeout;
use crate::model::shared::Shared;

/// The pseudo-queue of direct reply-to. A consumer of it has no queue that
/// others see; its requests carry this name, a dot and a token as their reply-to.
pub(crate) const REPLY_QUEUE: &str = "amq.rabbitmq.reply-to";

impl Queues {
    /// Adds a consumer of answers to a channel. Returns the name under which
    /// answers reach it. The name is gone when the consumer is
    /// [cancelled](Self::cancel).
    pub(crate) fn open_reply(
        &mut self,
        shared: &mut Shared,
        channel: ChannelId,
    ) -> Result<(Name, ConsumerId), Refusal> {
        let name = Name::from(shared.names.next("amq.rabbitmq.reply-to."));
        let id = QueueId(shared.next_id());
        let settings = QueueSettings {
            durable: false,
            exclusive: None,
            auto_delete: true,
            arguments: Headers::default(),
        };
        // Nobody dead-letters an answer: who sends one too many is told.
        let arguments = QueueArguments {
            overflow: Overflow::RejectPublish,
            ..QueueArguments::default()
        };
        let queue = Queue::new(name.clone(), settings, arguments, shared.now);
        self.all.insert(id, Box::new(queue));
        self.replies.insert(name.clone(), id);
        let request = ConsumeRequest {
            leads: false,
            queue: id,
            channel,
            no_ack: true,
            exclusive: true,
            priority: 0,
            prefetch: 0,
            timeout: ConsumerTimeout::Default,
            no_local: false,
            selector: None,
            topic: None,
        };
        match self.consume(shared, request) {
            Ok(consumer) => Ok((name, consumer)),
            Err(refusal) => {
                self.remove(shared, id);
                Err(refusal)
            }
        }
    }

    /// Whether answers to this name reach someone.
    pub(crate) fn reply_exists(&self, name: &str) -> bool {
        self.replies.contains_key(name)
    }

    /// The queue behind a name of direct reply-to.
    pub(crate) fn reply(&self, name: &str) -> Option<QueueId> {
        self.replies.get(name).copied()
    }
}
