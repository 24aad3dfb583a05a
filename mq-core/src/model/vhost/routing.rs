//! Routing a message to queues and sessions.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::VirtualHost;
use super::delivery::settled;
use crate::model::change::Target;
use crate::model::drops::DropCause;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::Message;
use crate::model::queue::dead_letter::{Reason, is_cycle, letter};
use crate::model::queue::{Entry, Overflow, QueueId};
use crate::model::session::{Match, SessionId};

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishOutcome {
    /// It is in every queue and session that it was routed to.
    Routed,
    /// Nothing is bound for it.
    Unroutable,
    /// It is a direct reply, and in no other queue. The queue of direct replies does
    /// not count: a mandatory message is returned all the same, as RabbitMQ documents
    /// it.
    Replied,
    /// A queue was full and refuses publishes then.
    Refused,
    /// A limit left nothing of it: every session that it was for is full, or it
    /// could not be retained.
    Dropped,
}

impl PublishOutcome {
    /// Whether the publisher has nothing more to do with the message.
    pub(super) fn is_accepted(self) -> bool {
        match self {
            Self::Routed | Self::Unroutable | Self::Replied => true,
            Self::Refused | Self::Dropped => false,
        }
    }
}

/// Whether a queue may refuse a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It is asked whether it has room.
    Asked,
    /// It was asked before.
    Promised,
}

/// Where a message goes: every queue once.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) queues: Vec<QueueId>,
    sessions: Vec<Match>,
    /// The queues are those of direct replies alone.
    replies: bool,
}

impl Routes {
    fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.sessions.is_empty()
    }
}

impl VirtualHost {
    /// Whether a queue has no room for a message, and refuses it. What is expired
    /// takes no room.
    fn refuses(&mut self, id: QueueId, message: &Message) -> bool {
        let is_full = |host: &Self| {
            host.queues
                .get(&id)
                .is_some_and(|q| q.refuses(&host.shared.limits, 1, message.body.len()))
        };
        if !is_full(self) {
            return false;
        }
        self.expire_messages(id, false);
        is_full(self)
    }

    /// Puts a message where it is routed to. `publisher` is the MQTT session it
    /// comes from, if any, for subscriptions that do not want their own. In `targets` it is
    /// kept already.
    #[must_use = "the publisher is to be told"]
    pub(crate) fn publish(
        &mut self,
        message: &Arc<Message>,
        publisher: Option<SessionId>,
        targets: Vec<Target>,
    ) -> PublishOutcome {
        let routes = self.route(message);
        self.publish_to(message, routes, publisher, Room::Asked, targets)
    }

    pub(super) fn publish_to(
        &mut self,
        message: &Arc<Message>,
        routes: Routes,
        publisher: Option<SessionId>,
        room: Room,
        mut targets: Vec<Target>,
    ) -> PublishOutcome {
        self.shared.statistics.published += 1;
        if routes.is_empty() {
            self.shared.changes.push_message(message, targets);
            self.shared.statistics.unroutable += 1;
            return PublishOutcome::Unroutable;
        }
        let in_queue = !routes.queues.is_empty();
        let mut refused = false;
        for id in routes.queues {
            if room == Room::Asked && self.refuses(id, message) {
                refused = true;
                self.count_drop(id, DropCause::Refused);
                self.refused(id, message);
            } else {
                self.enqueue(id, message, &mut targets);
            }
        }
        let dropped = self.sessions.deliver(
            &mut self.shared,
            message,
            routes.sessions,
            publisher,
            &mut targets,
        );
        self.shared.changes.push_message(message, targets);
        if refused {
            self.shared.statistics.refused += 1;
            PublishOutcome::Refused
        } else if dropped && !in_queue {
            PublishOutcome::Dropped
        } else if routes.replies {
            PublishOutcome::Replied
        } else {
            PublishOutcome::Routed
        }
    }

    /// Puts a message into one queue, which becomes one of the targets if the message
    /// outlives the broker in there.
    fn enqueue(&mut self, id: QueueId, message: &Arc<Message>, targets: &mut Vec<Target>) {
        let now = self.shared.now;
        if let Some(queue) = self.queues.get_mut(&id) {
            let expires = queue.push(message.clone(), now);
            self.shared.statistics.steps += queue.selectors() as u64;
            if self.shared.changes.are_kept() && queue.keeps(message) {
                targets.push(queue.last_target(id, expires));
            }
            self.shared.statistics.queued += 1;
            self.list_queue(id);
        }
    }

    /// A queue has refused a message: some say so to their dead-letter exchange.
    fn refused(&mut self, id: QueueId, message: &Message) {
        let overflow = self.queues.get(&id).map(|q| q.arguments.overflow);
        if overflow == Some(Overflow::RejectPublishDeadLetter) {
            self.dead_letter(id, message, Reason::MaxLength);
        }
    }

    /// Sends what a queue gives up to the queue's dead-letter exchange, if it
    /// has one.
    pub(super) fn give_up(&mut self, id: QueueId, entry: &Entry, reason: Reason) {
        self.shared.statistics.steps += 1;
        if entry.message.is_absent() && !self.has_letter(id, entry, reason) {
            return;
        }
        let count = match reason {
            Reason::Expired => &mut self.shared.statistics.expired,
            Reason::MaxLength => &mut self.shared.statistics.overflowed,
            Reason::Rejected | Reason::DeliveryLimit | Reason::Undeliverable => {
                &mut self.shared.statistics.rejected
            }
        };
        *count += 1;
        let cause = match reason {
            Reason::MaxLength => Some(DropCause::Full),
            Reason::DeliveryLimit => Some(DropCause::DeliveryLimit),
            Reason::Expired | Reason::Rejected | Reason::Undeliverable => None,
        };
        if let Some(cause) = cause {
            self.count_drop(id, cause);
        }
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.counts.given_up += 1;
        }
        self.note_settled(id, entry);
        if let Some(queue) = self.queues.get_mut(&id) {
            let message = queue.absent.whole(entry);
            self.dead_letter(id, &message, reason);
        }
    }

    /// A queue has nothing more to do with a message.
    pub(super) fn note_settled(&mut self, id: QueueId, entry: &Entry) {
        if self.shared.changes.are_kept()
            && let Some(queue) = self.queues.get(&id)
            && queue.keeps(&entry.message)
        {
            self.shared.changes.push(settled(id, entry.position));
        }
    }

    pub(super) fn dead_letter(&mut self, id: QueueId, message: &Message, reason: Reason) {
        let Some(queue) = self.queues.get(&id) else {
            return;
        };
        let Some(target) = queue.arguments.dead_letter.clone() else {
            return;
        };
        let letter = letter(message, &queue.name, reason, &target, self.shared.now);
        let mut letter = Arc::new(letter);
        self.shared.meter.count(&mut letter);
        let mut routes = self.route(&letter);
        routes.queues.retain(|id| {
            self.queues
                .get(id)
                .is_some_and(|q| !is_cycle(&letter.properties.headers, &q.name, reason))
        });
        if routes.is_empty() {
            return;
        }
        self.shared.statistics.dead_lettered += 1;
        let mut targets = Vec::new();
        for id in routes.queues {
            // A letter to a full queue that refuses is gone, and nobody to tell.
            let full = self
                .queues
                .get(&id)
                .is_some_and(|q| q.refuses(&self.shared.limits, 1, letter.body.len()));
            if full {
                self.shared.statistics.refused += 1;
                self.count_drop(id, DropCause::Refused);
            } else {
                self.enqueue(id, &letter, &mut targets);
            }
        }
        self.sessions.deliver(
            &mut self.shared,
            &letter,
            routes.sessions,
            None,
            &mut targets,
        );
        self.shared.changes.push_message(&letter, targets);
    }

    /// Finds where a message goes, through bindings between exchanges and to
    /// alternate exchanges. Each exchange is asked once, so loops end, and each key
    /// once.
    pub(super) fn route(&mut self, message: &Message) -> Routes {
        let mut routes = Routes::default();
        let mut all: Vec<&str> = message.extra_routing_keys().collect();
        let keys = if all.is_empty() {
            &[&*message.routing_key][..]
        } else {
            all.push(&message.routing_key);
            all.sort_unstable();
            all.dedup();
            &all
        };
        let mut steps = keys.len();
        if message.exchange.is_empty() {
            routes.replies = true;
            for &key in keys {
                let queue = self.queue_id(key);
                routes.replies &= queue.is_none();
                routes
                    .queues
                    .extend(queue.or_else(|| self.reply_queue(key)));
            }
        } else {
            let mut more = 0;
            steps += self.exchanges.route(
                message,
                keys,
                |id| routes.queues.push(id),
                // A PUBLISH has one topic, and it must match the filter
                // (MQTT-3.3.2-3): CC and BCC do not count for sessions.
                |exchange| {
                    exchange == TOPIC_EXCHANGE && {
                        let (topic, found) = (&message.routing_key, &mut routes.sessions);
                        more += self.sessions.find(topic, found);
                        !found.is_empty()
                    }
                },
            );
            steps += more;
        }
        steps += routes.queues.len() + routes.sessions.len();
        self.shared.statistics.steps += steps as u64;
        routes.queues.sort_unstable();
        routes.queues.dedup();
        if self.selective > 0 {
            routes.queues.retain(|id| {
                let selector = self.queues.get(id).map(|queue| &queue.arguments.selector);
                selector.is_some_and(|selector| {
                    selector
                        .as_ref()
                        .is_none_or(|selector| selector.matches(message))
                })
            });
        }
        routes
    }
}
