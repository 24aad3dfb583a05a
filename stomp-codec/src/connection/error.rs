//! Why a connection is over, and why a call is refused.

use crate::{Command, DecodeError, EncodeError};

/// Why a connection is over: the peer broke the protocol, or is gone.
///
/// It is final: every later drive call returns it again. The ERROR frame in which a
/// server says so is in `poll_transmit`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The bytes are no frame of this version, or beyond a limit. The offset is
    /// from the start of the frame.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A frame that the peer may not send, or not now: before CONNECT, a second
    /// CONNECT, a server's frame from a client.
    #[error("unexpected {0}")]
    UnexpectedCommand(Command),
    /// A frame lacks a header that its section requires.
    #[error("{command} without the header {header}")]
    MissingHeader {
        /// The frame's command.
        command: Command,
        /// The name of the header.
        header: &'static str,
    },
    /// A header has a value that its section does not define.
    #[error("{command} with a wrong value of the header {header}")]
    InvalidHeader {
        /// The frame's command.
        command: Command,
        /// The name of the header.
        header: &'static str,
    },
    /// Client and server share no version ("Protocol Negotiation"); at a
    /// client, the server chose one that was not offered.
    #[error("no common protocol version")]
    NoCommonVersion,
    /// SUBSCRIBE with the id of a subscription that is open; in 1.0 without
    /// ids, to a destination that is subscribed to ("SUBSCRIBE id Header").
    #[error("subscription exists already")]
    DuplicateSubscription,
    /// UNSUBSCRIBE of what is not subscribed to ("UNSUBSCRIBE").
    #[error("unknown subscription")]
    UnknownSubscription,
    /// ACK or NACK of what was not sent, or was settled on its own before
    /// ("ACK").
    #[error("unknown message")]
    UnknownMessage,
    /// BEGIN with the identifier of a transaction that is open ("BEGIN").
    #[error("transaction exists already")]
    DuplicateTransaction,
    /// A `transaction` that was not begun, or has ended ("COMMIT", "ABORT").
    #[error("unknown transaction")]
    UnknownTransaction,
    /// RECEIPT for what no receipt was asked for ("RECEIPT").
    #[error("unknown receipt-id")]
    UnknownReceipt,
    /// [`Limits::subscriptions`](crate::Limits::subscriptions).
    #[error("too many subscriptions")]
    TooManySubscriptions,
    /// [`Limits::transactions`](crate::Limits::transactions).
    #[error("too many transactions")]
    TooManyTransactions,
    /// [`Limits::transaction_operations`](crate::Limits::transaction_operations)
    /// or [`Limits::transaction_bytes`](crate::Limits::transaction_bytes).
    #[error("transactions too large")]
    TransactionTooLarge,
    /// Receipts of more than 64 KiB wait for the end of a body that this side sends in parts.
    #[error("too many receipts wait for the end of a message")]
    TooManyReceipts,
    /// The peer was silent for longer than the heart-beats that were agreed on, and
    /// the margin of error ("Heart-beating"): it is gone, or the network is.
    #[error("no heart-beat")]
    PeerTimeout,
    /// The peer took too long for its part of the login: the client for CONNECT, or the
    /// server for CONNECTED.
    #[error("no session in time")]
    HandshakeTimeout,
    /// The server took too long to answer DISCONNECT, or for the body of the ERROR that
    /// ended the session. What was sent before DISCONNECT may have been lost.
    #[error("no answer to DISCONNECT in time")]
    CloseTimeout,
    /// The peer closed the stream, or the network did, before the session was over.
    #[error("connection closed without DISCONNECT")]
    UnexpectedEof,
}

/// Why a call was refused. The state is unchanged and nothing is sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is not open yet: wait for CONNECTED, or accept the CONNECT.
    #[error("the session is not open yet")]
    NotOpen,
    /// The session is over, or its client has said DISCONNECT: it takes a new connection
    /// to send this.
    #[error("connection closed")]
    Closed,
    /// A part is longer than what remains of the body, or a body in parts is not all sent
    /// and another is to begin.
    #[error("{remaining} bytes of a body remain to be sent")]
    BodyLength {
        /// Bytes that remain of the body; 0 too if none has begun.
        remaining: u64,
    },
    /// `connect` for the second time; or `accept` or `refuse` when no CONNECT waits for
    /// an answer.
    #[error("nothing is to be begun or answered now")]
    OutOfTurn,
    /// CONNECT or STOMP with a header `receipt`, which is for every other frame
    /// ("Header receipt").
    #[error("CONNECT asks for a receipt")]
    ReceiptOfConnect,
    /// No such subscription is open.
    #[error("unknown subscription")]
    UnknownSubscription,
    /// No such transaction is open.
    #[error("unknown transaction")]
    UnknownTransaction,
    /// The version does not have this ack mode (`client-individual` in 1.0).
    #[error("ack mode is not in this version")]
    AckMode,
    /// The version cannot carry what was given: leave it out, or say it otherwise.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
