//! Routing a message to queues and sessions.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::VirtualHost;
use crate::model::change::Target;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Message, Name};
use crate::model::queue::QueueId;
use crate::model::schedule::schedule_of;
use crate::model::session::{Match, SessionId};
use crate::model::{ConnectionId, PublishOutcome};

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
    pub(super) sessions: Vec<Match>,
    /// Exchanges in which it waits for its time.
    pub(super) delayed: Vec<Name>,
    /// It waits for this time before it is routed at all.
    pub(super) scheduled: Option<Duration>,
    /// The queues are those of direct replies alone.
    replies: bool,
}

/// Queues and sessions for which a list that is used again has room, at most.
const ROOM: usize = 64;

impl Routes {
    /// Has the lists used again, unless they take much memory.
    fn give_back(&mut self, mut used: Self) {
        if used.queues.capacity() <= ROOM && used.sessions.capacity() <= ROOM {
            used.queues.clear();
            used.sessions.clear();
            *self = Self {
                queues: used.queues,
                sessions: used.sessions,
                ..Self::default()
            };
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
            && self.sessions.is_empty()
            && self.delayed.is_empty()
            && self.scheduled.is_none()
    }
}

impl VirtualHost {
    /// Whether a queue has no room for a message, and refuses it. What is expired
    /// takes no room.
    fn refuses(&mut self, id: QueueId, message: &Message) -> bool {
        if !self.queues.refuses(&self.shared, id, message) {
            return false;
        }
        self.expire_messages(id, false);
        self.queues.refuses(&self.shared, id, message)
    }

    /// Publishes a message, and keeps it if it is to be retained.
    #[must_use = "the publisher is to be told"]
    pub(crate) fn publish(
        &mut self,
        message: &Arc<Message>,
        publisher: Option<SessionId>,
    ) -> PublishOutcome {
        self.shared.statistics.published += 1;
        self.retain_and_route(message, publisher, None)
    }

    /// The same for a message that is counted already. `connection` is the one it comes from,
    /// if any, for queues that do not want its messages.
    #[must_use = "the publisher is to be told"]
    pub(super) fn retain_and_route(
        &mut self,
        message: &Arc<Message>,
        publisher: Option<SessionId>,
        connection: Option<ConnectionId>,
    ) -> PublishOutcome {
        let mut targets = Vec::new();
        // One that waits is retained when its time has come.
        let stored = !message.is_retained()
            || schedule_of(message).is_some()
            || self
                .sessions
                .retain(&mut self.shared, message, &mut targets);
        let routes = self.route(message, connection);
        match self.publish_to(message, routes, publisher, Room::Asked, targets) {
            PublishOutcome::Routed | PublishOutcome::Unroutable if !stored => {
                PublishOutcome::Dropped
            }
            outcome => outcome,
        }
    }

    /// Puts a message where it is routed to. `publisher` is the MQTT session it
    /// comes from, if any, for subscriptions that do not want their own. In `targets` it is
    /// kept already. Whoever published it has counted it.
    #[must_use = "the publisher is to be told"]
    pub(super) fn publish_to(
        &mut self,
        message: &Arc<Message>,
        mut routes: Routes,
        publisher: Option<SessionId>,
        room: Room,
        mut targets: Vec<Target>,
    ) -> PublishOutcome {
        if routes.is_empty() {
            self.shared.changes.push_message(message, targets);
            self.shared.statistics.unroutable += 1;
            return PublishOutcome::Unroutable;
        }
        let joined = match routes.sessions.is_empty() {
            true => None,
            false => self.joined(message),
        };
        let message = joined.as_ref().unwrap_or(message);
        let in_queue = !routes.queues.is_empty();
        let waits = !in_queue && routes.sessions.is_empty();
        let mut refused = !self.delay(message, &routes.delayed, room, &mut targets);
        if let Some(until) = routes.scheduled {
            refused |= !self.hold(message, until, room, &mut targets);
        }
        for &id in &routes.queues {
            if room == Room::Asked && self.refuses(id, message) {
                refused = true;
                self.queues.refused(&mut self.shared, id, message);
                self.pass_on();
            } else {
                let shared = &mut self.shared;
                self.queues.enqueue(shared, id, message, &mut targets);
            }
        }
        let dropped = self.sessions.deliver(
            &mut self.shared,
            message,
            &mut routes.sessions,
            publisher,
            &mut targets,
        );
        self.shared.changes.push_message(message, targets);
        let replied = routes.replies;
        self.routes.give_back(routes);
        if refused {
            self.shared.statistics.refused += 1;
            PublishOutcome::Refused
        } else if waits {
            PublishOutcome::Delayed
        } else if dropped && !in_queue {
            PublishOutcome::Dropped
        } else if replied {
            PublishOutcome::Replied
        } else {
            PublishOutcome::Routed
        }
    }

    /// The message with its body in one piece, if it is in several: MQTT sends it so, and it is
    /// put together once for all who get it.
    fn joined(&self, message: &Message) -> Option<Arc<Message>> {
        if message.body.whole().is_some() {
            return None;
        }
        let mut joined = Arc::new(message.with_body(message.body.to_bytes()));
        self.shared.meter.count(&mut joined);
        Some(joined)
    }

    /// Finds where a message goes, through bindings between exchanges and to
    /// alternate exchanges. Each exchange is asked once, so loops end, and each key
    /// once.
    pub(super) fn route(&mut self, message: &Message, publisher: Option<ConnectionId>) -> Routes {
        let mut routes = core::mem::take(&mut self.routes);
        if let Some(schedule) = schedule_of(message) {
            self.shared.statistics.steps += 1;
            routes.scheduled = Some(schedule.first(self.shared.now));
            return routes;
        }
        let mut all: Vec<&str> = match message.properties.headers.is_empty() {
            true => Vec::new(),
            false => message.extra_routing_keys().collect(),
        };
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
                let queue = self.queues.id_of(key);
                routes.replies &= queue.is_none();
                routes
                    .queues
                    .extend(queue.or_else(|| self.queues.reply(key)));
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
                |exchange| routes.delayed.push(exchange.clone()),
            );
            steps += more;
        }
        steps += routes.queues.len() + routes.sessions.len();
        self.shared.statistics.steps += steps as u64;
        routes.queues.sort_unstable();
        routes.queues.dedup();
        self.queues.select(&mut routes.queues, message, publisher);
        routes
    }
}
