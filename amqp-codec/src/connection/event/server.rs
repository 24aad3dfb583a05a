//! What a server's application is told of.

use super::super::content::Content;
use super::super::error::ReplyError;
use crate::method::{access, basic, channel, confirm, connection, exchange, queue, tx};
use crate::{Method, MethodId, Table};

#[cfg(doc)]
use super::super::ServerConnection;

macro_rules! requests {
    ($a:lifetime; $($(#[$doc:meta])* $variant:ident($type:ty) $($no_wait:ident)?,)*) => {
        /// A method that the broker acts on.
        ///
        /// The document of each names the answer. Every one that has an answer
        /// is to be answered, in order on its channel, whatever its `no_wait`
        /// says: the connection keeps the answer to itself then.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Request<$a> {
            $($(#[$doc])* $variant($type),)*
        }

        impl<$a> Request<$a> {
            /// Class and method number, for [`ReplyError::caused_by`].
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $(Self::$variant(_) => <$type>::ID,)*
                }
            }

            /// Whether the client wants no answer.
            #[must_use]
            pub const fn no_wait(&self) -> bool {
                match self {
                    $(Self::$variant(_method) => false $(|| _method.$no_wait)?,)*
                }
            }

            pub(in super::super) fn from_method(method: Method<$a>) -> Option<Self> {
                match method {
                    $(Method::$variant(method) => Some(Self::$variant(method)),)*
                    _ => None,
                }
            }
        }

        impl<$a> From<Request<$a>> for Method<$a> {
            fn from(request: Request<$a>) -> Self {
                match request {
                    $(Request::$variant(method) => Self::$variant(method),)*
                }
            }
        }
    };
}

requests! { 'a;
    /// [`ServerConnection::access_request_ok`]
    AccessRequest(access::Request<'a>),
    /// [`ServerConnection::exchange_declare_ok`]
    ExchangeDeclare(exchange::Declare<'a>) no_wait,
    /// [`ServerConnection::exchange_delete_ok`]
    ExchangeDelete(exchange::Delete<'a>) no_wait,
    /// [`ServerConnection::exchange_bind_ok`]
    ExchangeBind(exchange::Bind<'a>) no_wait,
    /// [`ServerConnection::exchange_unbind_ok`]
    ExchangeUnbind(exchange::Unbind<'a>) no_wait,
    /// [`ServerConnection::queue_declare_ok`]
    QueueDeclare(queue::Declare<'a>) no_wait,
    /// [`ServerConnection::queue_bind_ok`]
    QueueBind(queue::Bind<'a>) no_wait,
    /// [`ServerConnection::queue_unbind_ok`]
    QueueUnbind(queue::Unbind<'a>),
    /// [`ServerConnection::queue_purge_ok`]
    QueuePurge(queue::Purge<'a>) no_wait,
    /// [`ServerConnection::queue_delete_ok`]
    QueueDelete(queue::Delete<'a>) no_wait,
    /// [`ServerConnection::qos_ok`]
    BasicQos(basic::Qos),
    /// [`ServerConnection::consume_ok`]
    BasicConsume(basic::Consume<'a>) no_wait,
    /// [`ServerConnection::cancel_ok`]
    BasicCancel(basic::Cancel<'a>) no_wait,
    /// The answer to [`ServerConnection::cancel_consumer`]; it has none itself.
    BasicCancelOk(basic::CancelOk<'a>),
    /// [`ServerConnection::get_ok`] or [`ServerConnection::get_empty`]
    BasicGet(basic::Get<'a>),
    /// No answer; of an unknown tag, [`UnknownDeliveryTag::reply`](crate::connection::UnknownDeliveryTag::reply).
    BasicAck(basic::Ack),
    /// No answer, as for an ack.
    BasicNack(basic::Nack),
    /// No answer, as for an ack.
    BasicReject(basic::Reject),
    /// [`ServerConnection::recover_ok`]
    BasicRecover(basic::Recover),
    /// No answer.
    BasicRecoverAsync(basic::RecoverAsync),
    /// [`ServerConnection::confirm_select_ok`]
    ConfirmSelect(confirm::Select) no_wait,
    /// [`ServerConnection::tx_select_ok`]
    TxSelect(tx::Select),
    /// [`ServerConnection::tx_commit_ok`]
    TxCommit(tx::Commit),
    /// [`ServerConnection::tx_rollback_ok`]
    TxRollback(tx::Rollback),
    /// [`ServerConnection::flow_ok`], or 540 as RabbitMQ does for `active=false`.
    ChannelFlow(channel::Flow),
    /// The answer to [`ServerConnection::flow`]; it has none itself.
    ChannelFlowOk(channel::FlowOk),
}

/// What a client did, as far as the server's application has to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// connection.start-ok. To be answered with [`ServerConnection::accept`],
    /// [`challenge`](ServerConnection::challenge) or
    /// [`refuse`](ServerConnection::refuse); no input is taken until then.
    #[non_exhaustive]
    Authenticate {
        /// One of the mechanisms that were offered.
        mechanism: &'a str,
        /// The initial response: see [`sasl`](crate::sasl).
        response: &'a [u8],
        /// The locale.
        locale: &'a str,
        /// What the client is.
        client_properties: Table<'a>,
    },
    /// connection.secure-ok, after a challenge. To be answered as `Authenticate`.
    #[non_exhaustive]
    Secure {
        /// The mechanism's response.
        response: &'a [u8],
    },
    /// connection.open; tune is over. To be answered with
    /// [`ServerConnection::open_ok`], or [`close`](ServerConnection::close) with
    /// 530; no input is taken until then.
    #[non_exhaustive]
    Open {
        /// The virtual host.
        virtual_host: &'a str,
    },
    /// connection.update-secret. To be answered with
    /// [`ServerConnection::update_secret_ok`], or
    /// [`close`](ServerConnection::close) with 530.
    #[non_exhaustive]
    UpdateSecret {
        /// The new password or token.
        new_secret: &'a [u8],
        /// The reason in words.
        reason: &'a str,
    },
    /// channel.open, which was answered.
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
        /// The client's reason.
        close: channel::Close<'a>,
    },
    /// The client's close-ok to a channel.close of this side: the number is free.
    #[non_exhaustive]
    ChannelCloseOk {
        /// Its number.
        channel: u16,
    },
    /// The connection closes the channel for a soft error that it found itself:
    /// a content over [`Limits::body_size`](crate::Limits::body_size), or with
    /// the others over [`Limits::held_size`](crate::Limits::held_size). What the
    /// channel had is to be given up; `ChannelCloseOk` follows.
    #[non_exhaustive]
    ChannelFailed {
        /// Its number.
        channel: u16,
        /// The reason.
        error: ReplyError,
    },
    /// A method that the broker acts on, and as a rule answers.
    #[non_exhaustive]
    Request {
        /// Its channel.
        channel: u16,
        /// The method.
        request: Request<'a>,
    },
    /// basic.publish with its header and body.
    Publish(InboundPublish),
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
    /// connection.close, which was answered: the connection is closed.
    #[non_exhaustive]
    Closed {
        /// The client's reason.
        close: connection::Close<'a>,
    },
    /// The client's close-ok to a connection.close of this side: it is closed.
    CloseOk,
}

/// A message that the client publishes (basic.publish).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InboundPublish {
    /// Its channel.
    pub channel: u16,
    /// Its number on a channel in confirm mode, from 1: to be confirmed
    /// with [`ServerConnection::ack`] or [`nack`](ServerConnection::nack).
    pub publish_tag: Option<u64>,
    /// Return it if it goes to no queue.
    pub mandatory: bool,
    /// Return it if no consumer takes it at once.
    pub immediate: bool,
    /// Exchange, routing key, properties and body.
    pub content: Content,
}
