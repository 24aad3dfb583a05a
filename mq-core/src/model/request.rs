//! What a front end says to the model.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::exchange::ExchangeSettings;
use super::message::{Headers, Message, Name};
use super::queue::{ConsumerId, QueueSettings};
use super::session::{Attach, Leaving, SubscribeRequest};
use super::vhost::{Lease, Settlement};

/// The number that a front end gives to a channel of its connection: a group of
/// consumers and publishes that share limits and fail together. An AMQP channel has its
/// own number; a STOMP or MQTT connection is one channel, number 0.
pub(crate) type ChannelNumber = u16;

/// Names a publish or a commit of one connection: [`Notice::Accepted`] names it again. That
/// of an MQTT message is its packet identifier.
///
/// [`Notice::Accepted`]: super::Notice::Accepted
pub(crate) type Ticket = u64;

/// One message from a front end to the model.
///
/// A *question* is answered by exactly one notice, the one named with it or
/// [`Notice::Refused`]; questions are answered in the order in which they were asked. A
/// *statement* has no answer. Requests of one connection are taken in the order in which
/// they are sent.
///
/// | request | answer |
/// |---|---|
/// | [`Login`](Self::Login) | `LoggedIn` |
/// | [`Open`](Self::Open) | `Opened` |
/// | [`Leave`](Self::Leave), [`CountRefused`](Self::CountRefused), [`Flow`](Self::Flow) | none |
/// | [`OpenChannel`](Self::OpenChannel), [`CloseChannel`](Self::CloseChannel), [`Prefetch`](Self::Prefetch) | none |
/// | [`DeclareExchange`](Self::DeclareExchange), [`CheckExchange`](Self::CheckExchange), [`DeleteExchange`](Self::DeleteExchange) | `Done` |
/// | [`Bind`](Self::Bind), [`Unbind`](Self::Unbind) | `Done` |
/// | [`DeclareQueue`](Self::DeclareQueue), [`MakeQueue`](Self::MakeQueue), [`CheckQueue`](Self::CheckQueue) | `QueueDeclared` |
/// | [`PurgeQueue`](Self::PurgeQueue), [`DeleteQueue`](Self::DeleteQueue) | `Removed` |
/// | [`Consume`](Self::Consume) | `Consumed` |
/// | [`Cancel`](Self::Cancel) | none |
/// | [`Get`](Self::Get) | `Fetched` |
/// | [`Settle`](Self::Settle) | none |
/// | [`SettleAll`](Self::SettleAll) | `Accepted`, at some later time, if it has a ticket |
/// | [`OpenReplies`](Self::OpenReplies) | `RepliesOpened` |
/// | [`CheckReplies`](Self::CheckReplies) | `Done` |
/// | [`Publish`](Self::Publish) | `Accepted`, at some later time, if it has a ticket |
/// | [`Attach`](Self::Attach) | `Attached` |
/// | [`Detach`](Self::Detach), [`Settled`](Self::Settled) | none |
/// | [`Received`](Self::Received) | `Release`, at some later time |
/// | [`Released`](Self::Released) | `Complete`, at some later time |
/// | [`Subscribe`](Self::Subscribe) | `Subscribed` |
/// | [`Unsubscribe`](Self::Unsubscribe) | `Unsubscribed` |
/// | [`CheckPublish`](Self::CheckPublish) | none |
/// | [`Commit`](Self::Commit) | `Accepted`, at some later time |
/// | [`Store`](Self::Store) | `Accepted`, when that is stored |
///
/// A refusal ends its channel: until [`CloseChannel`](Self::CloseChannel) the model
/// refuses every further question on the channel and ignores its publishes, so that a
/// front end may send on without waiting for answers. What is settled is settled all the
/// same.
#[derive(Debug)]
pub(crate) enum Request {
    /// Question: checks who it is and, where the protocol names it in the same breath,
    /// the virtual host.
    Login(Box<Login>),
    /// Question: uses this virtual host from here on.
    Open { virtual_host: Name },
    /// The connection is over. Its channels are closed, its exclusive queues deleted.
    Leave,
    /// A publish was refused by the front end, and is to be counted.
    CountRefused,
    /// Deliveries may come, or not for now.
    Flow { open: bool },
    /// A new channel.
    OpenChannel { channel: ChannelNumber },
    /// The channel is over and its consumers are cancelled. What they hold has to be
    /// settled before.
    CloseChannel { channel: ChannelNumber },
    /// Deliveries that may be out unacknowledged to the consumers of the channel
    /// together; 0 is no limit.
    Prefetch { channel: ChannelNumber, count: u32 },
    /// Question: an exchange is to be there, with these settings.
    DeclareExchange(Box<DeclareExchange>),
    /// Question: whether the exchange is there.
    CheckExchange { channel: ChannelNumber, name: Name },
    /// Question: one that is not there counts as deleted.
    DeleteExchange {
        channel: ChannelNumber,
        name: Name,
        if_unused: bool,
    },
    /// Question: a binding is to be there.
    Bind(Box<Binding>),
    /// Question: a binding is to be gone.
    Unbind(Box<Binding>),
    /// Question: a queue is to be there, with these settings.
    DeclareQueue(Box<DeclareQueue>),
    /// Question: a queue is to be there; if there is none, one with these settings.
    MakeQueue(Box<DeclareQueue>),
    /// Question: whether the queue is there.
    CheckQueue { channel: ChannelNumber, queue: Name },
    /// Question: its ready messages are to be gone.
    PurgeQueue { channel: ChannelNumber, queue: Name },
    /// Question: one that is not there counts as deleted.
    DeleteQueue {
        channel: ChannelNumber,
        queue: Name,
        if_unused: bool,
        if_empty: bool,
    },
    /// Question: a new consumer.
    Consume(Box<Consume>),
    /// The consumer is over. What it holds it keeps.
    Cancel {
        channel: ChannelNumber,
        consumer: ConsumerId,
    },
    /// Question: the next message of a queue.
    Get {
        channel: ChannelNumber,
        queue: Name,
        no_ack: bool,
    },
    /// Ends a delivery.
    Settle {
        lease: Lease,
        settlement: Settlement,
    },
    /// Ends deliveries, all in the same way.
    SettleAll {
        leases: Vec<Lease>,
        settlement: Settlement,
        /// Who wants to know when that is done and stored.
        asked: Option<(ChannelNumber, Ticket)>,
    },
    /// Question: a name, and a consumer of what is published to it. The name is gone when
    /// the consumer is cancelled.
    OpenReplies { channel: ChannelNumber },
    /// Question: whether direct replies under this name reach somebody.
    CheckReplies { channel: ChannelNumber, name: Name },
    /// A message. Before `Accepted`, one that is to be returned comes back as
    /// `Returned`.
    Publish {
        channel: ChannelNumber,
        publish: Publish,
        /// None: nobody waits for an answer.
        ticket: Option<Ticket>,
    },
    /// Whether one may publish to the exchange: answered by `PublishRefused` alone, if one
    /// may not.
    CheckPublish {
        channel: ChannelNumber,
        exchange: Name,
    },
    /// Question: the session of a client. It is answered when no other connection has it.
    Attach(Box<Attach>),
    /// Gives the session back.
    Detach(Leaving),
    /// What was pushed under this identifier is settled: PUBACK, PUBCOMP, or a PUBREC that
    /// refuses it.
    Settled { packet_identifier: u16 },
    /// The client has the QoS 2 message that was pushed under this identifier: PUBREC.
    Received { packet_identifier: u16 },
    /// The client has released the QoS 2 message that it published under this identifier:
    /// PUBREL.
    Released { packet_identifier: u16 },
    /// Question: subscriptions of the session, each in place of one with the same filter.
    Subscribe(Vec<SubscribeRequest>),
    /// Question: subscriptions of the session are to be gone.
    Unsubscribe(Vec<Name>),
    /// Everything that is done until now is to be stored.
    Store {
        channel: ChannelNumber,
        ticket: Ticket,
    },
    /// Publishes and settlements that are done together, or not at all.
    Commit {
        channel: ChannelNumber,
        operations: Vec<Operation>,
        ticket: Ticket,
    },
}

impl Request {
    /// Whether it puts messages into queues.
    pub(crate) fn publishes(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::Commit { .. })
    }

    /// The channel of a question that exchanges, queues or bindings are asked for on.
    pub(crate) fn channel(&self) -> Option<ChannelNumber> {
        match self {
            Self::DeclareExchange(declare) => Some(declare.channel),
            Self::Bind(binding) | Self::Unbind(binding) => Some(binding.channel),
            Self::DeclareQueue(declare) | Self::MakeQueue(declare) => Some(declare.channel),
            Self::Consume(consume) => Some(consume.channel),
            Self::DeleteExchange { channel, .. }
            | Self::DeleteQueue { channel, .. }
            | Self::PurgeQueue { channel, .. }
            | Self::Get { channel, .. } => Some(*channel),
            _ => None,
        }
    }
}

/// Who somebody is, and where they want to go.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// None: nobody in particular.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) host: Host,
}

/// A user's name and what proves it.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: Name,
    pub(crate) password: Bytes,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Which virtual host a login is for.
#[derive(Debug, Clone)]
pub(crate) enum Host {
    /// It is named later, with [`Request::Open`].
    Later,
    /// The first of the configuration.
    Default,
    /// The one of that name.
    Named(Name),
    /// The one before the last `:` of the user name, as in RabbitMQ, or else the first
    /// of the configuration.
    InUserName,
    /// The one of that name, or else the first of the configuration.
    NamedOrDefault(Name),
}

/// `exchange.declare`.
#[derive(Debug, Clone)]
pub(crate) struct DeclareExchange {
    pub(crate) channel: ChannelNumber,
    pub(crate) name: Name,
    pub(crate) settings: ExchangeSettings,
}

/// A binding, made or undone.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) channel: ChannelNumber,
    pub(crate) source: Name,
    pub(crate) destination: BindingTarget,
    pub(crate) routing_key: Name,
    pub(crate) arguments: Headers,
}

/// What a binding leads to, by name.
#[derive(Debug, Clone)]
pub(crate) enum BindingTarget {
    Queue(Name),
    Exchange(Name),
}

/// `queue.declare`.
#[derive(Debug, Clone)]
pub(crate) struct DeclareQueue {
    pub(crate) channel: ChannelNumber,
    /// Empty: the model makes a name up.
    pub(crate) name: Name,
    pub(crate) durable: bool,
    /// The queue is for this connection alone and goes with it.
    pub(crate) exclusive: bool,
    pub(crate) auto_delete: bool,
    pub(crate) arguments: Headers,
}

/// `basic.consume`, or a STOMP SUBSCRIBE.
#[derive(Debug, Clone)]
pub(crate) struct Consume {
    pub(crate) channel: ChannelNumber,
    pub(crate) queue: Name,
    /// Deliveries count as acknowledged when they are sent.
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    /// Higher is served first.
    pub(crate) priority: i64,
    /// Deliveries that may be out unacknowledged; 0 is no limit.
    pub(crate) prefetch: u32,
    /// The text of a selector: only messages of which it is true are for the consumer.
    pub(crate) selector: Option<Name>,
}

/// A message to be routed.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) message: Arc<Message>,
    pub(crate) unrouted: Unrouted,
}

/// What becomes of a message for which nothing is bound.
#[derive(Debug, Clone)]
pub(crate) enum Unrouted {
    /// It is dropped.
    Drop,
    /// It comes back.
    Return,
    /// Its routing key names a queue, which has to be there.
    Refuse,
    /// Its routing key names a queue, which is made if it is not there.
    MakeQueue(Arc<QueueSettings>),
}

/// A step of a transaction.
#[derive(Debug)]
pub(crate) enum Operation {
    Publish(Publish),
    Settle {
        lease: Lease,
        settlement: Settlement,
    },
}
