//! What a front end says to the model.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::PublishOutcome;
use super::connection::Flow;
use super::exchange::ExchangeSettings;
use super::message::{Headers, Message, Name};
use super::queue::{Claim, Lease, Settlement};
use super::queue::{ConsumerId, QueueSettings};
use super::session::{Attach, Leaving, SubscribeRequest};

pub use super::id::ChannelNumber;

/// Names a publish or a commit of one connection: [`Notice::Accepted`] names it again. That
/// of an MQTT message is its packet identifier.
///
/// [`Notice::Accepted`]: super::Notice::Accepted
pub type Ticket = u64;

/// Messages of a queue that are shown at one time: ActiveMQ's `maxBrowsePageSize`.
pub const BROWSED: usize = 400;

/// One message from a front end to the model.
///
/// A *question* is answered by exactly one notice, the one named with it or [`Refused`];
/// questions are answered in the order in which they were asked. A *statement* has no
/// answer. Requests of one connection are taken in the order in which they are sent.
///
/// [`Refused`]: super::Notice::Refused
///
/// | request | sent by the front end of | answered by |
/// |---|---|---|
/// | [`Login`](Self::Login) | all, first | `LoggedIn` |
/// | [`Prove`](Self::Prove) | MQTT, before `Login` and any time later | `Challenge` or `Proven` |
/// | [`Open`](Self::Open) | AMQP, after a login for [`Host::Later`] | `Opened` |
/// | [`OpenChannel`](Self::OpenChannel) | AMQP; STOMP once, after `LoggedIn` | |
/// | [`Prefetch`](Self::Prefetch) | AMQP | |
/// | [`DeclareExchange`](Self::DeclareExchange), [`DeleteExchange`](Self::DeleteExchange) | AMQP | `Done` |
/// | [`CheckExchange`](Self::CheckExchange), [`Bind`](Self::Bind) | AMQP, STOMP | `Done` |
/// | [`Unbind`](Self::Unbind) | AMQP | `Done` |
/// | [`DeclareQueue`](Self::DeclareQueue) | AMQP, STOMP | `QueueDeclared` |
/// | [`MakeQueue`](Self::MakeQueue) | STOMP | `QueueDeclared` |
/// | [`RenewQueue`](Self::RenewQueue) | STOMP | `QueueDeclared` |
/// | [`CheckQueue`](Self::CheckQueue) | AMQP | `QueueDeclared` |
/// | [`PurgeQueue`](Self::PurgeQueue) | AMQP | `Removed` |
/// | [`DeleteQueue`](Self::DeleteQueue) | AMQP, STOMP | `Removed` |
/// | [`Consume`](Self::Consume) | AMQP, STOMP | `Consumed` |
/// | [`Browse`](Self::Browse) | STOMP | `Browsed` |
/// | [`Cancel`](Self::Cancel) | AMQP, STOMP | |
/// | [`Get`](Self::Get) | AMQP | `Fetched` |
/// | [`Settle`](Self::Settle) | AMQP, STOMP | |
/// | [`Undeliverable`](Self::Undeliverable) | all | |
/// | [`SettleAll`](Self::SettleAll) | AMQP, STOMP | `Accepted`, at some later time, if it has a ticket |
/// | [`OpenReplies`](Self::OpenReplies) | AMQP | `RepliesOpened` |
/// | [`CheckReplies`](Self::CheckReplies) | AMQP | `Done` |
/// | [`Publish`](Self::Publish) | all | `Accepted`, at some later time, if its [`Answer`] says so |
/// | [`CheckPublish`](Self::CheckPublish) | AMQP | |
/// | [`CountRefused`](Self::CountRefused) | MQTT | |
/// | [`Commit`](Self::Commit) | AMQP, STOMP | `Accepted`, at some later time |
/// | [`Store`](Self::Store) | STOMP | `Accepted`, when everything until then is stored |
/// | [`Attach`](Self::Attach) | MQTT, after `LoggedIn` | `Attached` |
/// | [`Detach`](Self::Detach) | MQTT | |
/// | [`Subscribe`](Self::Subscribe) | MQTT | `Subscribed` |
/// | [`Unsubscribe`](Self::Unsubscribe) | MQTT | `Unsubscribed` |
/// | [`Settled`](Self::Settled) | MQTT | |
/// | [`Received`](Self::Received) | MQTT | `Release`, at some later time |
/// | [`Released`](Self::Released) | MQTT | `Complete`, at some later time |
/// | [`CloseChannel`](Self::CloseChannel) | AMQP | |
/// | [`Flow`](Self::Flow) | none: who moves the bytes of the connection sends it | |
/// | [`Leave`](Self::Leave) | all, last: by the front end, or for it | |
///
/// A refusal ends its channel: until [`CloseChannel`](Self::CloseChannel) the model
/// refuses every further question on the channel and ignores its publishes, so that a
/// front end may send on without waiting for answers. What is settled is settled all the
/// same.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// Question: checks who it is and, where the protocol names it in the same breath,
    /// the virtual host.
    Login(Box<Login>),
    /// Question: a step by which a client proves who it is.
    Prove(Box<Step>),
    /// Question: uses this virtual host from here on.
    Open {
        /// Its name.
        virtual_host: Name,
    },
    /// The connection is over. Its channels are closed, its exclusive queues deleted.
    Leave,
    /// A publish was refused by the front end, and is to be counted.
    CountRefused,
    /// Deliveries may come, or not for now.
    Flow(Flow),
    /// A new channel.
    OpenChannel {
        /// The channel that it is about.
        channel: ChannelNumber,
    },
    /// The channel is over and its consumers are cancelled. What they hold has to be
    /// settled before.
    CloseChannel {
        /// The channel that it is about.
        channel: ChannelNumber,
    },
    /// Deliveries that may be out unacknowledged to the consumers of the channel
    /// together; 0 is no limit.
    Prefetch {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// How many.
        count: u32,
    },
    /// Question: an exchange is to be there, with these settings.
    DeclareExchange(Box<DeclareExchange>),
    /// Question: whether the exchange is there.
    CheckExchange {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Its name.
        name: Name,
    },
    /// Question: one that is not there counts as deleted.
    DeleteExchange {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Its name.
        name: Name,
        /// Only if nothing is bound to it, or consumes from it: else it is refused.
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
    /// Makes the queue of a subscription that one consumer has at a time. One that is there
    /// stays as it is, and with other arguments it begins anew. While it has a consumer it is
    /// refused.
    RenewQueue(Box<DeclareQueue>),
    /// Question: whether the queue is there.
    CheckQueue {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name of the queue.
        queue: Name,
    },
    /// Question: its ready messages are to be gone.
    PurgeQueue {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name of the queue.
        queue: Name,
    },
    /// Question: one that is not there counts as deleted.
    DeleteQueue {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name of the queue.
        queue: Name,
        /// Only if nothing is bound to it, or consumes from it: else it is refused.
        if_unused: bool,
        /// Only if it has no ready messages: else it is refused.
        if_empty: bool,
    },
    /// Question: a new consumer.
    Consume(Box<Consume>),
    /// Question: the messages that would be delivered next, [as many](BROWSED) as are shown at
    /// one time, in their order. They stay.
    Browse {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name of the queue.
        queue: Name,
        /// The text of a selector: only messages of which it is true are shown.
        selector: Option<Name>,
    },
    /// The consumer is over. What it holds it keeps.
    Cancel {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Which one.
        consumer: ConsumerId,
    },
    /// Question: the next message of a queue.
    Get {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name of the queue.
        queue: Name,
        /// It counts as acknowledged at once, and comes without a lease.
        no_ack: bool,
    },
    /// Ends a delivery.
    Settle {
        /// The delivery.
        lease: Lease,
        /// How it ends.
        settlement: Settlement,
    },
    /// A message that the client's protocol has no words for, or that is larger than the
    /// client takes. Without a claim it was for the session, which has it settled.
    Undeliverable {
        /// What its consumer has of it.
        claim: Option<Claim>,
        /// The message.
        message: Arc<Message>,
    },
    /// Ends deliveries, all in the same way.
    SettleAll {
        /// The deliveries.
        leases: Vec<Lease>,
        /// How it ends.
        settlement: Settlement,
        /// Who wants to know when that is done and stored.
        asked: Option<(ChannelNumber, Ticket)>,
    },
    /// Question: a name, and a consumer of what is published to it. The name is gone when
    /// the consumer is cancelled.
    OpenReplies {
        /// The channel that it is about.
        channel: ChannelNumber,
    },
    /// Question: whether direct replies under this name reach somebody.
    CheckReplies {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// The name.
        name: Name,
    },
    /// A message. Before `Accepted`, one that is to be returned comes back as
    /// `Returned`.
    Publish {
        /// The channel that it is published on.
        channel: ChannelNumber,
        /// The message, and what becomes of it if nothing is bound for it.
        publish: Publish,
        /// What is to be said of it.
        answer: Answer,
    },
    /// A message that is not published, since an embedder refuses it: answered as one is that
    /// a full queue refuses.
    RefusePublish {
        /// The channel that it was for.
        channel: ChannelNumber,
        /// What is to be said of it.
        answer: Answer,
    },
    /// A transaction with such a message in it: no part of it is done.
    RefuseCommit {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Names it in the answer.
        ticket: Ticket,
    },
    /// Whether one may publish to the exchange: answered by `PublishRefused` alone, if one
    /// may not.
    CheckPublish {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Its name.
        exchange: Name,
    },
    /// Question: the session of a client. It is answered when no other connection has it.
    Attach(Box<Attach>),
    /// Gives the session back.
    Detach(Leaving),
    /// What was pushed under this identifier is settled: PUBACK, PUBCOMP, or a PUBREC that
    /// refuses it.
    Settled {
        /// The packet identifier.
        packet_identifier: u16,
    },
    /// The client has the QoS 2 message that was pushed under this identifier: PUBREC.
    Received {
        /// The packet identifier.
        packet_identifier: u16,
    },
    /// The client has released the QoS 2 message that it published under this identifier:
    /// PUBREL.
    Released {
        /// The packet identifier.
        packet_identifier: u16,
    },
    /// Question: subscriptions of the session, each in place of one with the same filter.
    Subscribe(Vec<SubscribeRequest>),
    /// Question: subscriptions of the session are to be gone.
    Unsubscribe(Vec<Name>),
    /// Everything that is done until now is to be stored.
    Store {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// Names it in the answer.
        ticket: Ticket,
    },
    /// Publishes and settlements that are done together, or not at all.
    Commit {
        /// The channel that it is about.
        channel: ChannelNumber,
        /// What is to be done, in this order.
        operations: Vec<Operation>,
        /// Names it in the answer.
        ticket: Ticket,
    },
}

impl Request {
    /// Whether it puts messages into queues.
    pub(crate) fn publishes(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::Commit { .. })
    }

    /// What may join a row that ends with this request.
    pub(crate) fn row(&self) -> Row {
        match self {
            Self::Publish {
                answer: Answer::Always(_),
                ..
            } => Row::Messages,
            Self::Publish { .. } | Self::Settle { .. } | Self::Settled { .. } => Row::Any,
            _ => Row::Over,
        }
    }

    /// The channel of a question that exchanges, queues or bindings are asked for on.
    pub(crate) fn channel(&self) -> Option<ChannelNumber> {
        match self {
            Self::DeclareExchange(declare) => Some(declare.channel),
            Self::Bind(binding) | Self::Unbind(binding) => Some(binding.channel),
            Self::DeclareQueue(declare) | Self::MakeQueue(declare) | Self::RenewQueue(declare) => {
                Some(declare.channel)
            }
            Self::Consume(consume) => Some(consume.channel),
            Self::DeleteExchange { channel, .. }
            | Self::DeleteQueue { channel, .. }
            | Self::PurgeQueue { channel, .. }
            | Self::Browse { channel, .. }
            | Self::Get { channel, .. } => Some(*channel),
            _ => None,
        }
    }
}

/// What may join a row of requests that the model hears of together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// Messages, and the ends of single deliveries: where all is well, the connection hears
    /// nothing of those that are in it.
    #[default]
    Any,
    /// Messages: the publisher of one that is in it waits for an answer, which comes before
    /// that to something else.
    Messages,
    /// Nothing.
    Over,
}

/// A step of a client that proves who it is (MQTT 5.0 section 4.12).
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// The method, which all steps of a connection have in common.
    pub method: Name,
    /// It is the first one, of the first time or another.
    pub begins: bool,
    /// What the client says; None: nothing.
    pub data: Option<Bytes>,
}

impl core::fmt::Debug for Step {
    /// Without what the client says.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Step")
            .field("method", &self.method)
            .field("begins", &self.begins)
            .finish_non_exhaustive()
    }
}

/// Who somebody is, and where they want to go.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who they are.
    pub identity: Identity,
    /// Where they want to go.
    pub host: Host,
}

/// Who somebody says to be, and what speaks for it.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Nobody in particular, and whether the listener lets such in, where it says so.
    Anonymous(Option<bool>),
    /// The peer names a user, and proves it.
    Password(Credentials),
    /// The transport names a user, and has made sure of it.
    Transport(Name),
    /// The embedder was asked, and names a user.
    Verified(Name),
    /// The embedder was asked, and says why not.
    Refused(String),
}

impl Identity {
    /// The user's name, as far as one is named.
    #[must_use]
    pub fn user(&self) -> Option<&Name> {
        match self {
            Self::Anonymous(_) | Self::Refused(_) => None,
            Self::Password(credentials) => Some(&credentials.user),
            Self::Transport(user) | Self::Verified(user) => Some(user),
        }
    }
}

/// A user's name and what proves it.
#[derive(Clone)]
pub struct Credentials {
    /// The name of the user.
    pub user: Name,
    /// What proves it, as it came.
    pub password: Bytes,
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
pub enum Host {
    /// It is named later, with [`Request::Open`].
    Later,
    /// The one that the listener names, or else the first of the configuration.
    Default(Option<Name>),
    /// The one of that name.
    Named(Name),
    /// The one before the last `:` of the user name, as in RabbitMQ, or else the one that
    /// the listener names, or else the first of the configuration.
    InUserName(Option<Name>),
    /// The one of that name, or else the one that the listener names, or else the first of
    /// the configuration.
    NamedOrDefault(Name, Option<Name>),
}

/// `exchange.declare`.
#[derive(Debug, Clone)]
pub struct DeclareExchange {
    /// The channel that it is about.
    pub channel: ChannelNumber,
    /// The name of the exchange.
    pub name: Name,
    /// What it is to be.
    pub settings: ExchangeSettings,
}

/// A binding, made or undone.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The channel that it is about.
    pub channel: ChannelNumber,
    /// The exchange that messages come from.
    pub source: Name,
    /// Where they go.
    pub destination: BindingTarget,
    /// The binding key; what it means depends on the type of the exchange.
    pub routing_key: Name,
    /// Headers to match, for a headers exchange. They are a part of what the binding is.
    pub arguments: Headers,
}

/// What a binding leads to, by name.
#[derive(Debug, Clone)]
pub enum BindingTarget {
    /// A queue.
    Queue(Name),
    /// An exchange.
    Exchange(Name),
}

/// `queue.declare`.
#[derive(Debug, Clone)]
pub struct DeclareQueue {
    /// The channel that it is about.
    pub channel: ChannelNumber,
    /// Empty: the model makes a name up.
    pub name: Name,
    /// It outlives the broker.
    pub durable: bool,
    /// The queue is for this connection alone and goes with it.
    pub exclusive: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// `x-message-ttl` and the like, with RabbitMQ's names.
    pub arguments: Headers,
}

/// `basic.consume`, or a STOMP SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct Consume {
    /// The channel that it is about.
    pub channel: ChannelNumber,
    /// The name of the queue.
    pub queue: Name,
    /// Deliveries count as acknowledged when they are sent.
    pub no_ack: bool,
    /// It is to be the only consumer of the queue.
    pub exclusive: bool,
    /// While it is there it is served alone, unless another one that leads has a higher
    /// priority or was there before.
    pub leads: bool,
    /// Higher is served first.
    pub priority: i64,
    /// Deliveries that may be out unacknowledged; 0 is no limit.
    pub prefetch: u32,
    /// How long a delivery may be out unacknowledged.
    pub timeout: ConsumerTimeout,
    /// The text of a selector: only messages of which it is true are for the consumer.
    pub selector: Option<Name>,
    /// The queue takes nothing that its connection publishes.
    pub no_local: bool,
    /// The topic that the queue is there for, where the front end has made it for one:
    /// [`Config::advisories`](crate::Config::advisories) are about that.
    pub topic: Option<Name>,
}

/// How long a delivery to a consumer may be out unacknowledged, before its channel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsumerTimeout {
    /// As long as the queue says, and otherwise
    /// [`Config::consumer_timeout`](crate::Config::consumer_timeout).
    #[default]
    Default,
    /// As long as the queue says, and otherwise for ever.
    OfQueue,
    /// So long, whatever the queue says.
    Own(Duration),
}

/// A message to be routed.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The message.
    pub message: Arc<Message>,
    /// What becomes of it if nothing is bound for it.
    pub unrouted: Unrouted,
}

/// What a publisher is told of a message. That it may not be published is always said,
/// with `PublishRefused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Never,
    /// `Accepted`, if a queue was full and [refused](super::PublishOutcome::Refused) it.
    IfRefused(Ticket),
    /// `Accepted`.
    Always(Ticket),
}

impl Answer {
    /// What names the message.
    pub(super) fn ticket(self) -> Option<Ticket> {
        match self {
            Self::Never => None,
            Self::IfRefused(ticket) | Self::Always(ticket) => Some(ticket),
        }
    }

    /// What names the message, if this outcome is to be said.
    pub(super) fn to(self, outcome: PublishOutcome) -> Option<Ticket> {
        match self {
            Self::Never => None,
            Self::IfRefused(ticket) => (outcome == PublishOutcome::Refused).then_some(ticket),
            Self::Always(ticket) => Some(ticket),
        }
    }
}

/// What becomes of a message for which nothing is bound.
#[derive(Debug, Clone)]
pub enum Unrouted {
    /// It is dropped.
    Drop,
    /// It comes back.
    Return,
    /// Its routing key names a queue, which has to be there.
    Refuse,
    /// Its routing key names a queue, which is made if it is not there. None: a durable one
    /// without arguments.
    MakeQueue(Option<Box<QueueSettings>>),
}

/// A step of a transaction.
#[derive(Debug)]
pub enum Operation {
    /// A message is published.
    Publish(Publish),
    /// A delivery is ended.
    Settle {
        /// The delivery.
        lease: Lease,
        /// How it ends.
        settlement: Settlement,
    },
}
