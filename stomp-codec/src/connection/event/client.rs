//! What a client's application learns of its server, and the names that stand
//! for what it has asked for.

use alloc::borrow::Cow;
use core::fmt;

use crate::connection::{HeartBeat, Subscription};
use crate::{Frame, Version};

/// A transaction that this client has begun, on this connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Transaction(pub(in crate::connection) u64);

/// A receipt that this client has asked for. It is of one connection: the next counts from
/// the start again, so that a kept one names nothing there, or another frame.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReceiptId(pub(in crate::connection) u64);

/// As the header `transaction` names it.
impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As the headers `receipt` and `receipt-id` name it.
impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What names a message in the ACK or NACK for it: `ack` in 1.2; `message-id`
/// and `subscription` in 1.1; `message-id` in 1.0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AckToken<'a> {
    pub(in crate::connection) id: Cow<'a, str>,
    pub(in crate::connection) subscription: Option<Cow<'a, str>>,
}

impl AckToken<'_> {
    /// A copy that outlives the message.
    #[must_use]
    pub fn into_owned(self) -> AckToken<'static> {
        AckToken {
            id: Cow::Owned(self.id.into_owned()),
            subscription: self.subscription.map(|id| Cow::Owned(id.into_owned())),
        }
    }
}

/// Something that the server did.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// CONNECTED: the session is open.
    Connected(Connected<'a>),
    /// MESSAGE.
    Message(Message<'a>),
    /// The next part of the body of a MESSAGE or ERROR that was [not
    /// whole](Message::is_whole). Nothing else comes before the last part.
    #[non_exhaustive]
    Body {
        /// The bytes, as they arrived. Only the last part can be empty.
        part: &'a [u8],
        /// How many bytes of the body are still to come; `None` before the last part if
        /// the frame had no `content-length`. The part with `Some(0)` is the last: now
        /// the message can be acknowledged.
        remaining: Option<u64>,
    },
    /// RECEIPT: the frame was processed. After that for DISCONNECT the
    /// connection is closed.
    Receipt(ReceiptId),
    /// ERROR. The connection is closed; if the body comes in parts, after the
    /// last of them.
    Error(ErrorFrame<'a>),
}

/// The session that the server has opened ("CONNECTED Frame").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Connected<'a> {
    /// The version of the session.
    pub version: Version,
    /// The session's name.
    pub session: Option<Cow<'a, str>>,
    /// Name and version of the server.
    pub server: Option<Cow<'a, str>>,
    /// The heart-beats that the server can send and would like to get.
    pub heart_beat: HeartBeat,
    /// The frame, for other headers.
    pub frame: Frame<'a>,
}

/// A message of a subscription ("MESSAGE").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The subscription, if it is one of this client's; it may have ended in the
    /// meantime. Servers may send messages under other names, and 1.0 under
    /// none: see [`frame`](Self::frame).
    pub subscription: Option<Subscription>,
    /// Where it was sent to.
    pub destination: Cow<'a, str>,
    /// The server's name for it.
    pub message_id: Cow<'a, str>,
    /// What to give to [`ClientConnection::ack`](crate::connection::ClientConnection::ack) or
    /// [`nack`](crate::connection::ClientConnection::nack); none if it needs no acknowledgement.
    pub ack: Option<AckToken<'a>>,
    /// The frame: headers and body.
    pub frame: Frame<'a>,
}

impl<'a> Message<'a> {
    /// The body; empty if it comes in parts.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.frame.body()
    }

    /// Whether the body is here. If not, [`ClientEvent::Body`] comes next: the
    /// body is longer than
    /// [`Limits::assembled_size`](crate::Limits::assembled_size).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.frame.is_whole()
    }
}

/// What the server says went wrong ("ERROR").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ErrorFrame<'a> {
    /// A short description: the header `message`.
    pub summary: Option<Cow<'a, str>>,
    /// The frame that it is about, if that had asked for a receipt.
    pub receipt: Option<ReceiptId>,
    /// The frame, for its body; which can come in parts, as that of a
    /// [`Message`] can.
    pub frame: Frame<'a>,
}
