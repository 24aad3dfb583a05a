//! What a client's application is told of.

use core::ops::RangeInclusive;

use super::super::content::Content;
use super::super::error::ReplyError;
use crate::method::{access, basic, channel, confirm, connection, exchange, queue, tx};
use crate::{Method, MethodId, Table};

#[cfg(doc)]
use super::super::{ClientConnection, Sasl};

macro_rules! replies {
    ($a:lifetime; $($variant:ident($type:ty),)*) => {
        /// A server's answer to a request, without content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reply<$a> {
            $(
                #[doc = concat!("[`", stringify!($type), "`]")]
                $variant($type),
            )*
        }

        impl<$a> Reply<$a> {
            /// Class and method number.
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $(Self::$variant(_) => <$type>::ID,)*
                }
            }

            pub(in super::super) fn from_method(method: Method<$a>) -> Option<Self> {
                match method {
                    $(Method::$variant(method) => Some(Self::$variant(method)),)*
                    _ => None,
                }
            }
        }
    };
}

replies! { 'a;
    AccessRequestOk(access::RequestOk),
    ExchangeDeclareOk(exchange::DeclareOk),
    ExchangeDeleteOk(exchange::DeleteOk),
    ExchangeBindOk(exchange::BindOk),
    ExchangeUnbindOk(exchange::UnbindOk),
    QueueDeclareOk(queue::DeclareOk<'a>),
    QueueBindOk(queue::BindOk),
    QueueUnbindOk(queue::UnbindOk),
    QueuePurgeOk(queue::PurgeOk),
    QueueDeleteOk(queue::DeleteOk),
    BasicQosOk(basic::QosOk),
    BasicConsumeOk(basic::ConsumeOk<'a>),
    BasicCancelOk(basic::CancelOk<'a>),
    BasicGetEmpty(basic::GetEmpty),
    BasicRecoverOk(basic::RecoverOk),
    ConfirmSelectOk(confirm::SelectOk),
    TxSelectOk(tx::SelectOk),
    TxCommitOk(tx::CommitOk),
    TxRollbackOk(tx::RollbackOk),
    ChannelFlowOk(channel::FlowOk),
}

/// What a server did, as far as the client's application has to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// connection.start. It was answered already, unless the configuration has
    /// [`Sasl::Application`]: then [`ClientConnection::start_ok`] does, and no
    /// input is taken until then.
    #[non_exhaustive]
    Start {
        /// What the server is.
        server_properties: Table<'a>,
        /// SASL mechanisms, separated by spaces.
        mechanisms: &'a [u8],
        /// Locales, separated by spaces.
        locales: &'a [u8],
    },
    /// connection.secure. To be answered with [`ClientConnection::secure_ok`];
    /// no input is taken until then.
    #[non_exhaustive]
    Secure {
        /// The mechanism's challenge.
        challenge: &'a [u8],
    },
    /// connection.open-ok: channels may be opened.
    Opened,
    /// channel.open-ok.
    #[non_exhaustive]
    ChannelOpened {
        /// Its number.
        channel: u16,
    },
    /// channel.close, which was answered: its number is free.
    #[non_exhaustive]
    ChannelClosed {
        /// Its number.
        channel: u16,
        /// The server's reason.
        close: channel::Close<'a>,
    },
    /// The server's close-ok to a channel.close of this side: the number is free.
    #[non_exhaustive]
    ChannelCloseOk {
        /// Its number.
        channel: u16,
    },
    /// The connection closes the channel for a soft error that it found itself:
    /// a content over [`Limits::body_size`](crate::Limits::body_size), or with
    /// the others over [`Limits::held_size`](crate::Limits::held_size).
    /// `ChannelCloseOk` follows.
    #[non_exhaustive]
    ChannelFailed {
        /// Its number.
        channel: u16,
        /// The reason.
        error: ReplyError,
    },
    /// The answer to the first request on the channel that was not answered yet.
    #[non_exhaustive]
    Reply {
        /// Its channel.
        channel: u16,
        /// The answer.
        reply: Reply<'a>,
    },
    /// basic.get-ok, the answer to a get, with its content.
    #[non_exhaustive]
    GetOk {
        /// Its channel.
        channel: u16,
        /// What to acknowledge it by.
        delivery_tag: u64,
        /// It may have been delivered before.
        redelivered: bool,
        /// Messages that are left in the queue.
        message_count: u32,
        /// Exchange, routing key, properties and body.
        content: Content,
    },
    /// basic.deliver with its content, which has the consumer tag. It is owned: keep it until
    /// the result of the work on it is confirmed, and acknowledge it then.
    Deliver(Delivery),
    /// basic.return: a publish that could not be routed. In confirm mode its
    /// `Confirm` follows, and is an ack: only this event says that no queue has the message.
    #[non_exhaustive]
    Return {
        /// Its channel.
        channel: u16,
        /// Why: 312 or 313.
        reply_code: u16,
        /// Reply text, exchange, routing key, properties and body.
        content: Content,
    },
    /// The next part of a body that is too large to be put together: its
    /// content was handed out before. None is empty; the channel may close
    /// before the last.
    #[non_exhaustive]
    Body {
        /// Its channel.
        channel: u16,
        /// The bytes, as many as have come of their frame.
        part: &'a [u8],
        /// Bytes of the body that are still to come, 0 after the last part.
        remaining: u64,
    },
    /// basic.ack or basic.nack of publishes in confirm mode. One of many makes an event for
    /// each unbroken range.
    Confirm(Confirmation),
    /// basic.cancel: the server has ended a consumer. It was answered, if an
    /// answer was asked for.
    #[non_exhaustive]
    ConsumerCancelled {
        /// Its channel.
        channel: u16,
        /// The consumer.
        consumer_tag: &'a str,
    },
    /// channel.flow, which was answered: publishes are refused while inactive.
    #[non_exhaustive]
    Flow {
        /// Its channel.
        channel: u16,
        /// Whether publishes may be sent.
        active: bool,
    },
    /// connection.blocked: the server reads no more publishes for now.
    /// [`publish`](ClientConnection::publish) does not refuse them and queues their bytes here:
    /// stop calling it until `Unblocked`.
    #[non_exhaustive]
    Blocked {
        /// The reason in words.
        reason: &'a str,
    },
    /// connection.unblocked: publish again.
    Unblocked,
    /// connection.update-secret-ok.
    UpdateSecretOk,
    /// connection.close, which was answered: the connection is closed.
    #[non_exhaustive]
    Closed {
        /// The server's reason.
        close: connection::Close<'a>,
    },
    /// The server's close-ok to a connection.close of this side: it is closed.
    CloseOk,
}

/// A message that the server delivers to a consumer (basic.deliver).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its channel.
    pub channel: u16,
    /// What to acknowledge it by.
    pub delivery_tag: u64,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// Consumer tag, exchange, routing key, properties and body.
    pub content: Content,
}

/// These publishes, none of them confirmed before, are the server's now, or are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// Their channel.
    pub channel: u16,
    /// The publishes, by what [`ClientConnection::publish`] returned.
    pub publish_tags: RangeInclusive<u64>,
    /// Whether the server has them: basic.ack rather than basic.nack.
    pub acknowledged: bool,
}
