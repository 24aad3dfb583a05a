//! What ends a channel or a connection, and what a caller may not do.

use alloc::string::{String, ToString};
use core::fmt;

use thiserror::Error;

use crate::{DecodeError, DecodeErrorKind, EncodeError, MethodId, ProtocolHeader, ReplyCode};

/// What a [`ReplyError`] closes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// The connection: a hard error.
    Connection,
    /// This channel only: a soft error.
    Channel(u16),
}

/// `connection`, or `channel` and its number.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("connection"),
            Self::Channel(channel) => write!(f, "channel {channel}"),
        }
    }
}

/// A reason to close a channel or the connection. It carries the whole answer:
/// reply code and text, and the method that caused it.
///
/// ```
/// use amqp_codec::connection::{ReplyError, Scope};
/// use amqp_codec::{ReplyCode, method::queue};
///
/// let error = ReplyError::new(ReplyCode::NotFound, 3, "no queue 'q' in vhost '/'")
///     .caused_by(queue::Declare::ID);
/// assert_eq!(error.scope, Scope::Channel(3));
/// assert_eq!(error.reply_text(), "NOT_FOUND - no queue 'q' in vhost '/'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReplyError {
    /// The reply code.
    pub reply_code: ReplyCode,
    /// What is closed.
    pub scope: Scope,
    /// The method that caused it, if one did. What is wrong with a content is laid to
    /// its method: basic.publish, say, as RabbitMQ does.
    pub method: Option<MethodId>,
    /// The reason in words.
    pub text: String,
}

impl ReplyError {
    /// A close without an error.
    pub(super) fn goodbye(scope: Scope) -> Self {
        Self {
            reply_code: ReplyCode::Success,
            scope,
            method: None,
            text: "Goodbye".into(),
        }
    }

    /// An error on `channel`. A soft code closes that channel, a hard one the
    /// connection (section 1.2).
    pub fn new(reply_code: ReplyCode, channel: u16, text: impl Into<String>) -> Self {
        let scope = if reply_code.is_hard() || channel == 0 {
            Scope::Connection
        } else {
            Scope::Channel(channel)
        };
        Self {
            reply_code,
            scope,
            method: None,
            text: text.into(),
        }
    }

    /// An error that closes the connection, whatever its code says: a refused
    /// login is 403, for example.
    pub fn connection(reply_code: ReplyCode, text: impl Into<String>) -> Self {
        Self::new(reply_code, 0, text)
    }

    /// The same, naming the method that caused it.
    #[must_use]
    pub fn caused_by(mut self, method: impl Into<Option<MethodId>>) -> Self {
        self.method = method.into();
        self
    }

    /// Class and method number as a close carries them: zeros if no method caused it.
    pub(super) fn cause(&self) -> MethodId {
        self.method.unwrap_or(MethodId::new(0, 0))
    }

    /// The text on the wire, `NOT_FOUND - text`: at most 255 bytes, cut
    /// between characters.
    #[must_use]
    pub fn reply_text(&self) -> String {
        let mut text = alloc::format!("{} - {}", self.reply_code.name(), self.text);
        if text.len() > 255 {
            let end = (0..=255).rev().find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or(0));
        }
        text
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, code, text) = (self.scope, self.reply_code, &self.text);
        write!(f, "{scope} error {code}: {text}")?;
        if let Some(method) = self.method {
            write!(f, " ({method})")?;
        }
        Ok(())
    }
}

impl core::error::Error for ReplyError {}

/// Why a connection is over. It is final: every later drive call returns the same.
///
/// Where the protocol has a goodbye for it, a `connection.close` with its reply
/// code, that is among what is still to be transmitted, and `is_closed` waits
/// for the answer. Before the virtual host is opened it has none: the socket is
/// closed (section 2.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer sent bytes that are no frames.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The peer broke a rule of the protocol, which the error names.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// The peer wants another protocol or version (section 4.2.2): the header
    /// that it sent, if it was one.
    #[error("the peer does not speak AMQP 0-9-1")]
    Version(Option<ProtocolHeader>),
    /// A method that has no place in the handshake, or not yet; `None` for the header or
    /// the body of a content.
    #[error("{} during the handshake", .0.map_or("content".to_string(), |it| it.to_string()))]
    Handshake(Option<MethodId>),
    /// A mechanism that the server does not offer.
    #[error("SASL mechanism {0:?} is not offered")]
    Mechanism(String),
    /// A limit of tune that the peers cannot agree on.
    #[error("{field} {answered} against {offered} offered")]
    Tune {
        /// `channel-max` or `frame-max`.
        field: &'static str,
        /// The server's value.
        offered: u32,
        /// The client's value.
        answered: u32,
    },
    /// What this side was configured to say cannot be encoded.
    #[error("cannot say what is configured: {0}")]
    Configuration(EncodeError),
    /// The peer took too long for its part of the handshake: it is slow, or no AMQP peer.
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// Nothing came for two heartbeat intervals (section 4.2.7): the peer, or the way to
    /// it, is gone. Connect anew.
    #[error("nothing heard for two heartbeat intervals")]
    PeerTimeout,
    /// The peer did not answer `connection.close` in time. Close the socket all the same.
    #[error("connection.close was not answered")]
    CloseTimeout,
    /// The peer closed the socket without a close handshake.
    #[error("the peer closed the socket without connection.close")]
    UnexpectedEof,
}

impl ConnectionError {
    /// The answer that goes with it, if the protocol has one.
    #[must_use]
    pub fn reply(&self) -> Option<ReplyError> {
        match self {
            Self::Decode(error) => Some(
                ReplyError::connection(error.reply_code(), error.to_string())
                    .caused_by(error.method),
            ),
            Self::Reply(error) => Some(error.clone()),
            Self::PeerTimeout => Some(ReplyError::connection(
                ReplyCode::ConnectionForced,
                self.to_string(),
            )),
            _ => None,
        }
    }

    /// The same, found in the content of this method.
    pub(super) fn in_content_of(mut self, method: Option<MethodId>) -> Self {
        match &mut self {
            Self::Decode(error) => error.method = method,
            Self::Reply(error) => error.method = method,
            _ => {}
        }
        self
    }

    /// Whether the peer's further bytes can still be told into frames, and
    /// there is a peer: whether it can answer connection.close.
    pub(super) fn leaves_frames(&self) -> bool {
        match self {
            Self::Decode(error) => !matches!(
                error.kind,
                DecodeErrorKind::FrameType(_)
                    | DecodeErrorKind::FrameEnd(_)
                    | DecodeErrorKind::FrameSize { .. }
            ),
            Self::Reply(_) => true,
            _ => false,
        }
    }
}

/// What cannot be sent now, or not at all. The state is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is not open yet: wait for `Opened`, or answer what has to be.
    #[error("the connection is not open yet")]
    NotOpen,
    /// The connection is closed, or about to be: nothing more can be sent.
    #[error("the connection is closed")]
    Closed,
    /// More of a body than was announced, or another content before the body is all
    /// sent: a fault of the caller.
    #[error("{remaining} bytes of the body remain to be sent")]
    BodyLength {
        /// Bytes that remain of the body.
        remaining: u64,
    },
    /// The channel is not open, not yet or not any more.
    #[error("channel {0} is not open")]
    ChannelNotOpen(u16),
    /// All channels up to the negotiated channel-max are in use.
    #[error("no channel is free")]
    NoFreeChannel,
    /// An answer to what was not asked, or not next: a fault of the caller.
    #[error("{0} is not the next request to be answered")]
    NotRequested(MethodId),
    /// The peer has paused contents on this channel with `channel.flow`: wait for it to
    /// resume them.
    #[error("contents are paused on channel {0}")]
    FlowInactive(u16),
    /// A value that AMQP cannot carry: a fault of the caller.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
