//! What the broker has counted.

use super::ConnectionId;
use super::message::Name;

/// Counts since the broker began, over all virtual hosts.
///
/// A copy is one message in one queue or session. One that was there when the broker was
/// recovered has been queued in it. At any time
/// `queued = acknowledged + expired + overflowed + rejected + discarded +
/// ready + unacknowledged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Messages that publishers sent.
    pub published: u64,
    /// Messages that nothing was bound for.
    pub unroutable: u64,
    /// Messages refused because a queue was full (`x-overflow`).
    pub refused: u64,
    /// Copies put into queues and sessions, dead letters among them, and those that a
    /// store has brought back.
    pub queued: u64,
    /// Deliveries, redeliveries among them.
    pub delivered: u64,
    /// Copies acknowledged, or sent where no acknowledgement was asked for.
    pub acknowledged: u64,
    /// Copies that came back and were queued again.
    pub requeued: u64,
    /// Copies given up because their time was over.
    pub expired: u64,
    /// Copies given up because the queue or session was full, or with QoS 0 because the
    /// client was too slow.
    pub overflowed: u64,
    /// Retained messages that there was no room for. They were delivered.
    pub not_retained: u64,
    /// Copies that a consumer rejected, that came back too often, or that could not be said
    /// in the protocol of who was to get them.
    pub rejected: u64,
    /// Copies gone by a purge, with their queue or session, or with QoS 0 for a
    /// client that is away.
    pub discarded: u64,
    /// Copies given up that went to a dead-letter exchange.
    pub dead_lettered: u64,
    /// Copies in queues and sessions that wait for a consumer, now.
    pub ready: u64,
    /// Copies that a consumer, or the client of a session, holds, now.
    pub unacknowledged: u64,
    /// Bytes that messages hold now, one that is in several queues and sessions once.
    pub held: u64,
    /// Steps that all this took: about one for each frame that came in, each
    /// binding and filter that was looked at, and each copy that was moved. This is
    /// what the broker measures its turns by, and says what load a client makes.
    pub steps: u64,
}

/// What one queue has counted since it was declared, or brought back by a store, and what
/// is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// Its virtual host.
    pub virtual_host: Name,
    /// Its name.
    pub name: Name,
    /// Whether it outlives the broker.
    pub durable: bool,
    /// Its consumers, now.
    pub consumers: usize,
    /// Messages put into it, those that a store has brought back among them.
    pub queued: u64,
    /// Deliveries, redeliveries and answers to `basic.get` among them.
    pub delivered: u64,
    /// Messages acknowledged, or sent where no acknowledgement was asked for.
    pub acknowledged: u64,
    /// Messages given up, to a dead-letter exchange or for good: their time was over, there
    /// was no room for them, or a consumer has rejected them.
    pub given_up: u64,
    /// Messages that wait for a consumer, now.
    pub ready: usize,
    /// Bytes that they hold: bodies, properties and names.
    pub ready_bytes: usize,
    /// Messages that a consumer holds, now.
    pub unacknowledged: usize,
}

/// What one MQTT session holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatistics {
    /// Its virtual host.
    pub virtual_host: Name,
    /// The identifier of its client.
    pub client_identifier: Name,
    /// The connection that has it; None: the client is away.
    pub connection: Option<ConnectionId>,
    /// Its subscriptions.
    pub subscriptions: usize,
    /// Messages that wait for the client. Retained messages that a new subscription has not
    /// been sent are not among them.
    pub ready: usize,
    /// Bytes that they hold: bodies, properties and names.
    pub ready_bytes: usize,
    /// Messages with QoS 1 or 2 that were sent to the client, and that it has not settled.
    pub unacknowledged: usize,
    /// Messages with QoS 2 that came from the client, and that it has not released.
    pub unreleased: usize,
}

impl Statistics {
    /// The sums of two hosts' counts.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            unroutable: self.unroutable + other.unroutable,
            refused: self.refused + other.refused,
            queued: self.queued + other.queued,
            delivered: self.delivered + other.delivered,
            acknowledged: self.acknowledged + other.acknowledged,
            requeued: self.requeued + other.requeued,
            expired: self.expired + other.expired,
            overflowed: self.overflowed + other.overflowed,
            not_retained: self.not_retained + other.not_retained,
            rejected: self.rejected + other.rejected,
            discarded: self.discarded + other.discarded,
            dead_lettered: self.dead_lettered + other.dead_lettered,
            ready: self.ready + other.ready,
            unacknowledged: self.unacknowledged + other.unacknowledged,
            held: self.held + other.held,
            steps: self.steps + other.steps,
        }
    }
}
