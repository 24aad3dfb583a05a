//! What a server's application learns of its client.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::{AckMode, Deliveries, HeartBeat, Operation, Subscription};
use crate::{Frame, Header, Version};

/// Something that a client did and that is for the application to act on.
///
/// Where there is a `receipt`, the application calls
/// [`receipt`](crate::connection::ServerConnection::receipt) with it when what the frame asked for
/// is done, or [`close`](crate::connection::ServerConnection::close).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// CONNECT or STOMP. To be answered with
    /// [`accept`](crate::connection::ServerConnection::accept) or
    /// [`refuse`](crate::connection::ServerConnection::refuse).
    Connect(Connect<'a>),
    /// SEND outside of a transaction.
    Send(InboundSend<'a>),
    /// The next part of the body of a SEND that was [not whole](InboundSend::is_whole).
    /// Nothing else comes before the last part.
    #[non_exhaustive]
    Body {
        /// The bytes, as they arrived. Only the last part can be empty.
        part: &'a [u8],
        /// How many bytes of the body are still to come; `None` before the last part if
        /// the SEND had no `content-length`. The part with `Some(0)` is the last: now
        /// the SEND can be acted on, and its receipt given.
        remaining: Option<u64>,
    },
    /// SUBSCRIBE. From here on messages can be sent to the subscription.
    Subscribe(Subscribe<'a>),
    /// UNSUBSCRIBE. The subscription has ended.
    #[non_exhaustive]
    Unsubscribe {
        /// Which one.
        subscription: Subscription,
        /// What was sent to it and not settled; an ACK that still comes for one
        /// of these makes an event with no deliveries.
        unacknowledged: Deliveries,
        /// The receipt asked for.
        receipt: Option<Cow<'a, str>>,
        /// The frame, for other headers.
        frame: Frame<'a>,
    },
    /// UNSUBSCRIBE of what is not subscribed to. It comes only with
    /// [`UnmatchedUnsubscribe::PassedOn`](crate::connection::UnmatchedUnsubscribe::PassedOn).
    #[non_exhaustive]
    UnmatchedUnsubscribe {
        /// The receipt asked for.
        receipt: Option<Cow<'a, str>>,
        /// The frame, with what it names.
        frame: Frame<'a>,
    },
    /// ACK outside of a transaction.
    Ack(Acknowledge<'a>),
    /// NACK outside of a transaction.
    Nack(Acknowledge<'a>),
    /// COMMIT: all of these together or none.
    #[non_exhaustive]
    Commit {
        /// The client's name for the transaction.
        transaction: Cow<'a, str>,
        /// What it held, in the order in which it came.
        operations: Vec<Operation>,
        /// The receipt asked for.
        receipt: Option<Cow<'a, str>>,
        /// The frame, for other headers.
        frame: Frame<'a>,
    },
    /// DISCONNECT. Open transactions are aborted and all subscriptions have
    /// ended. The connection is closed once the receipt, if one is asked for,
    /// has been given.
    #[non_exhaustive]
    Disconnect {
        /// What was sent and not settled.
        unacknowledged: Vec<(Subscription, u64)>,
        /// The receipt asked for.
        receipt: Option<Cow<'a, str>>,
        /// The frame, for other headers.
        frame: Frame<'a>,
    },
}

/// A client that wants a session ("CONNECT or STOMP Frame").
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Connect<'a> {
    /// The highest version that both sides have.
    pub version: Version,
    /// The virtual host. Clients of 1.0 need not name one, nor those of 1.1 and 1.2
    /// unless [`HostHeader::Required`](crate::connection::HostHeader::Required).
    pub host: Option<Cow<'a, str>>,
    /// Who the client says it is.
    pub login: Option<Cow<'a, str>>,
    /// How it proves that.
    pub passcode: Option<Cow<'a, str>>,
    /// The heart-beats that it can send and would like to get.
    pub heart_beat: HeartBeat,
    /// The frame, for other headers.
    pub frame: Frame<'a>,
}

/// Without the passcode, which does not belong in a log.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("host", &self.host)
            .field("login", &self.login)
            .field("passcode", &self.passcode.as_ref().map(|_| "..."))
            .field("heart_beat", &self.heart_beat)
            .field("frame", &self.frame)
            .finish()
    }
}

/// A message from the client ("SEND").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InboundSend<'a> {
    /// Where it goes.
    pub destination: Cow<'a, str>,
    /// The receipt asked for.
    pub receipt: Option<Cow<'a, str>>,
    /// The frame: headers and body.
    pub frame: Frame<'a>,
}

impl<'a> InboundSend<'a> {
    /// The headers that belong to the message, to be passed through in the
    /// MESSAGE frame: all but those that mean something between this client and
    /// this server, and those that [`deliver`](crate::connection::ServerConnection::deliver) writes itself.
    pub fn user_headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let headers = self.frame.headers();
        headers.filter(|header| is_user_header(&header.name))
    }

    /// The body; empty if it comes in parts.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.frame.body()
    }

    /// Whether the body is here. If not, [`ServerEvent::Body`] comes next: the
    /// body is longer than
    /// [`Limits::assembled_size`](crate::Limits::assembled_size).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.frame.is_whole()
    }
}

/// Whether a header of SEND or MESSAGE with this name is the message's own.
#[inline]
pub(in crate::connection) fn is_user_header(name: &str) -> bool {
    !matches!(
        name,
        "destination"
            | "receipt"
            | "transaction"
            | "content-length"
            | "message-id"
            | "subscription"
            | "ack"
    )
}

/// A client that wants the messages of a destination ("SUBSCRIBE").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subscribe<'a> {
    /// This side's number for the subscription.
    pub subscription: Subscription,
    /// The client's name for it; only 1.0 can do without.
    pub id: Option<Cow<'a, str>>,
    /// Where the messages come from.
    pub destination: Cow<'a, str>,
    /// How they are acknowledged.
    pub ack: AckMode,
    /// The receipt asked for.
    pub receipt: Option<Cow<'a, str>>,
    /// The frame, for other headers (`selector`).
    pub frame: Frame<'a>,
}

/// Messages that were consumed, or were not ("ACK", "NACK").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Acknowledge<'a> {
    /// The subscription that they were sent to.
    pub subscription: Subscription,
    /// The application's numbers of the messages that this settles, with those
    /// that a cumulative one includes. Empty if they were settled before.
    pub deliveries: Deliveries,
    /// The receipt asked for.
    pub receipt: Option<Cow<'a, str>>,
    /// The frame, for other headers.
    pub frame: Frame<'a>,
}
