//! What the broker itself says to MQTT clients, under `$SYS`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::Sessions;
use crate::model::change::Change;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::id::BacklogId;
use crate::model::message::{Message, Name, Origin, Properties, Qos, swap_separators};
use crate::model::meter::Counted;
use crate::model::shared::Shared;

/// What the routing keys of all that the broker says begin with. No client publishes there.
const SYSTEM: &str = "$SYS.";

/// Whether a routing key is one that the broker itself publishes with.
pub(super) fn is_system(routing_key: &str) -> bool {
    routing_key.starts_with(SYSTEM)
}

/// What sessions and retained messages come to. Each is counted as it changes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    /// Sessions.
    pub(crate) sessions: usize,
    /// Those of them that have a connection.
    pub(crate) connected: usize,
    /// Sessions that have ended since nobody came back to them in time.
    pub(crate) expired: u64,
    /// Subscriptions of one session alone.
    pub(crate) subscriptions: usize,
    /// Subscriptions to shared filters.
    pub(crate) shared: usize,
    /// Retained messages.
    pub(crate) retained: usize,
    /// Messages that there was no room for.
    pub(crate) dropped: u64,
}

impl Census {
    /// The sums of two virtual hosts.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            sessions: self.sessions + other.sessions,
            connected: self.connected + other.connected,
            expired: self.expired + other.expired,
            subscriptions: self.subscriptions + other.subscriptions,
            shared: self.shared + other.shared,
            retained: self.retained + other.retained,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Sessions {
    /// What is there now.
    pub(crate) fn census(&self) -> Census {
        Census {
            sessions: self.all.len(),
            retained: self.retained.count(),
            ..self.census
        }
    }

    /// Says something to the sessions that have subscribed to it, and keeps it for those to
    /// come. It does not outlive the broker, and is for no exchange or queue: a binding with
    /// the key `#` would have all of it.
    pub(crate) fn say(&mut self, shared: &mut Shared, topic: &str, value: &str) {
        let mut message = Arc::new(Message {
            exchange: Name::from(TOPIC_EXCHANGE),
            routing_key: Name::from(swap_separators(topic)),
            properties: Properties {
                qos: Qos::ExactlyOnce,
                ..Properties::default()
            },
            body: Bytes::copy_from_slice(value.as_bytes()).into(),
            published: shared.now,
            origin: Origin::Mqtt {
                topic: Name::from(topic),
                retain: true,
            },
            counted: Counted::default(),
        });
        shared.meter.count(&mut message);
        // Where there is no room, the next value may have some.
        let _ = self.retained.store(&message, &shared.limits, shared.now);
        let backlog = BacklogId::RETAINED;
        for position in self.retained.take_gone() {
            // Other messages may have expired.
            shared.changes.push(Change::settled(backlog, position));
        }
        let (mut found, mut targets) = (Vec::new(), Vec::new());
        let steps = 1 + self.find(&message.routing_key, &mut found);
        shared.statistics.steps += (steps + found.len()) as u64;
        // Nobody waits for what became of it.
        let _ = self.deliver(shared, &message, &mut found, None, &mut targets);
        shared.changes.push_message(&message, targets);
    }
}
