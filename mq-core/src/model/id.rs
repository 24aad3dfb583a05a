//! What names the things of a virtual host.

use super::ConnectionId;
use crate::number_map::Number;

/// A queue, during its life. A queue of the same name declared later is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueId(pub(crate) u64);

/// A consumer, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerId(pub(crate) u64);

/// The number that a front end gives to a channel of its connection: a group of
/// consumers and publishes that share limits and fail together. An AMQP channel has its
/// own number; a STOMP or MQTT connection is one channel, number 0.
pub type ChannelNumber = u16;

/// A group of consumers that share a limit: an AMQP channel, a STOMP
/// connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId {
    pub(crate) connection: ConnectionId,
    pub(crate) number: ChannelNumber,
}

/// A session during its life. One that begins anew under the same client
/// identifier is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(pub(crate) u64);

impl Number for SessionId {
    fn number(self) -> u64 {
        self.0
    }

    fn of(number: u64) -> Self {
        Self(number)
    }
}

/// Names what keeps messages: a durable queue, a lasting session, or what is retained. Its
/// number is never given to another thing of the virtual host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BacklogId(pub(crate) u64);

impl BacklogId {
    /// The retained messages of the virtual host.
    pub(crate) const RETAINED: Self = Self(0);
    /// The messages that wait for their time. It is no number that is ever given out.
    pub(crate) const DELAYED: Self = Self(u64::MAX >> 1);
}

impl From<SessionId> for BacklogId {
    fn from(SessionId(id): SessionId) -> Self {
        Self(id)
    }
}

impl From<QueueId> for BacklogId {
    fn from(QueueId(id): QueueId) -> Self {
        Self(id)
    }
}

/// Names a binding that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BindingId(pub(crate) u64);

/// Names a transaction that is being committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId(pub(crate) u64);
