//! What the model says to a front end.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::ConnectionId;
use super::message::{Message, Name, Qos};
use super::queue::{ConsumerId, Delivery, Fetched};
use super::refusal::Refusal;
use super::request::{ChannelNumber, Ticket};
use super::session::{Attached, Push, SubscribeRefusal};

/// What has to be before a notice may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing.
    Nothing,
    /// Those of its kind that were said to the connection before have gone out.
    Earlier,
    /// The same, and all changes until now are stored.
    Stored,
}

/// A notice, and for which connection's front end it is.
#[derive(Debug)]
pub struct Said {
    /// The connection.
    pub to: ConnectionId,
    /// The notice itself.
    pub notice: Notice,
    /// What has to be before.
    pub(crate) wait: Wait,
}

/// What there is not enough of for what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// The store is behind.
    Store,
    /// Messages hold as much memory as they may.
    Memory,
    /// The store has less room left than is to be kept free.
    Disk,
}

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
    /// It waits for its time, and it is not known yet where it goes. A mandatory message is
    /// returned all the same, as with RabbitMQ's plugin, which does not support the flag.
    Delayed,
    /// A queue was full and refuses publishes then.
    Refused,
    /// A limit left nothing of it: every session that it was for is full, or it
    /// could not be retained.
    Dropped,
}

impl PublishOutcome {
    /// Whether the publisher has nothing more to do with the message.
    pub(crate) fn is_accepted(self) -> bool {
        match self {
            Self::Routed | Self::Unroutable | Self::Replied | Self::Delayed => true,
            Self::Refused | Self::Dropped => false,
        }
    }
}

/// One message from the model to the front end of a connection.
///
/// Answers come in the order of the questions. `Accepted` of a connection come in the order
/// of what they answer, unless one waits for the store and the next does not. Everything
/// else comes when it happens.
///
/// | notice | comes |
/// |---|---|
/// | `Challenge`, `Proven`, `LoggedIn`, `Opened`, `Done`, `QueueDeclared`, `Removed`, `Consumed`, `Browsed`, `Fetched`, `RepliesOpened`, `Attached`, `Subscribed`, `Unsubscribed`, `Refused` | as the answer to a question, in the order of the questions |
/// | `Accepted` | once for each publish that asks for it and each commit, when the model answers for the message: at once, or when it is stored |
/// | `Returned` | before the `Accepted` of its publish |
/// | `ChannelEnded` | when a channel is over for something that nobody asked for |
/// | `PublishRefused` | in place of `Accepted`, and also where nobody asks for `Accepted` |
/// | `Deliver` | when there is a message for a consumer, between `Consumed` (`RepliesOpened`) and `Cancel` |
/// | `Push` | when there is a message for the client of a session, between `Attached` and `Detach` |
/// | `Release` | once for each `Received`, between `Attached` and `Detach`, in their order |
/// | `Complete` | once for each `Released`, between `Attached` and `Detach` |
/// | `TakenOver` | when another connection asks for the session: the front end ends its connection and sends `Detach` or `Leave` |
/// | `Cancelled` | when the queue of a consumer is gone |
/// | `Blocked`, `Unblocked` | when what the connection publishes is not taken, since it cannot be stored or held; when it is again |
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// It is who it said it is.
    LoggedIn {
        /// The name of the user.
        user: Name,
    },
    /// The client is to take another step.
    Challenge {
        /// In answer to these bytes.
        data: Bytes,
    },
    /// The client has proven who it is. It is not logged in by that.
    Proven {
        /// The name of the user.
        user: Name,
        /// The virtual host that it has named with it.
        virtual_host: Option<Name>,
        /// What proves to the client who the server is.
        data: Option<Bytes>,
    },
    /// The virtual host is there and may be used.
    Opened,
    /// It is as it was asked for.
    Done,
    /// The queue is there.
    QueueDeclared {
        /// Its name.
        queue: Name,
        /// How many messages it has ready.
        messages: usize,
        /// How many consumers it has.
        consumers: usize,
    },
    /// So many messages are gone, with their queue or out of it.
    Removed {
        /// How many.
        messages: usize,
    },
    /// The consumer begins.
    Consumed {
        /// Names it from here on.
        consumer: ConsumerId,
    },
    /// Messages that are in a queue, and stay there.
    Browsed(Vec<Arc<Message>>),
    /// A message, or that there is none.
    Fetched(Option<Box<Fetched>>),
    /// The name under which direct replies come, and their consumer.
    RepliesOpened {
        /// The name.
        name: Name,
        /// The consumer.
        consumer: ConsumerId,
    },
    /// The answer to a question that cannot be done; nothing has changed.
    Refused(Box<Refusal>),
    /// The model answers for the message, or says what became of it.
    Accepted {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// That of the publish or commit.
        ticket: Ticket,
        /// What became of it.
        outcome: PublishOutcome,
    },
    /// A mandatory message for which nothing is bound.
    Returned {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The message.
        message: Arc<Message>,
    },
    /// The message may not be published, and its channel is over.
    PublishRefused {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// That of the publish or commit.
        ticket: Option<Ticket>,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// The channel is over: a delivery was not settled in time, or the user has too many
    /// channels.
    ChannelEnded {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A message for a consumer.
    Deliver(Delivery),
    /// The consumer is gone, because its queue is.
    Cancelled {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Which one.
        consumer: ConsumerId,
    },
    /// A message for the client of a session.
    Push(Push),
    /// The QoS 2 message may be released: PUBREL.
    Release {
        /// The packet identifier that it was pushed under.
        packet_identifier: u16,
    },
    /// The QoS 2 message of the client is settled: PUBCOMP.
    Complete {
        /// The packet identifier that it was published under.
        packet_identifier: u16,
    },
    /// Another connection has the client identifier of this one, which has to detach.
    TakenOver,
    /// The client has its session.
    Attached(Box<Attached>),
    /// The quality of service that was granted for each filter, or that there is no room.
    Subscribed(Vec<Result<Qos, SubscribeRefusal>>),
    /// For each filter whether it was subscribed to.
    Unsubscribed(Vec<bool>),
    /// Nothing is received from the connection, since it publishes and there is no room for it.
    Blocked(Shortage),
    /// It is received from again.
    Unblocked,
}

impl Notice {
    /// Bytes of the message in it that it brings to a client.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Deliver(delivery) => delivery.message.size(),
            Self::Push(push) => push.pending.message.size(),
            _ => 0,
        }
    }
}
