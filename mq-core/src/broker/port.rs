//! What passes between the broker and its embedder.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::interceptor::Fault;
use crate::administration::Administration;
use crate::admission::{Credentials, Proving, Terms};
use crate::frontend::Protocol;
use crate::model::{ConnectionId, Refusal, Step};
use crate::report::Report;

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A peer connected.
    Connected {
        /// The new connection.
        connection: ConnectionId,
        /// What it speaks.
        protocol: Protocol,
        /// What its listener and transport say about it.
        terms: Terms,
    },
    /// The embedder has checked who a peer is: the answer to [`Output::Authenticate`].
    Authenticated {
        /// Whose answer.
        connection: ConnectionId,
        /// The name of the user, by which permissions go; or why the peer is refused,
        /// which it does not learn, and [`Reason::LoginRefused`](crate::Reason) reports.
        user: Result<String, String>,
    },
    /// The answer to [`Output::Prove`].
    Proving {
        /// Whose answer.
        connection: ConnectionId,
        /// The answer itself.
        answer: Proving,
    },
    /// Bytes came in, cut anywhere.
    Received {
        /// From whom.
        connection: ConnectionId,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// So many bytes of earlier [`Output::Transmit`]s have left for the socket.
    /// Without this the connection gets no more deliveries when
    /// [`Limits::transmit_high_water`](crate::Limits::transmit_high_water) is reached.
    Transmitted {
        /// Whose bytes.
        connection: ConnectionId,
        /// How many bytes.
        len: usize,
    },
    /// The connection is over: end of the stream, reset, or given up.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
    },
    /// Everything that had arrived on a connection's socket has been handed in:
    /// the answer to [`Output::Drain`].
    Drained {
        /// Which one.
        connection: ConnectionId,
    },
    /// Nothing has passed a connection for a while, and nothing is on its way: what is kept of
    /// it until something does may take less room. It changes nothing else.
    Idle {
        /// Which one.
        connection: ConnectionId,
    },
    /// Of what [`Output::Append`] handed out, everything before `through` is stored for
    /// good. Batches may be left out: the last one counts for those before it.
    Durable {
        /// The position after the last byte that is.
        through: u64,
    },
    /// Whether the store has less room left than is to be kept free. While it has, a
    /// connection that publishes is read no further, whatever it publishes, as RabbitMQ does it
    /// (`disk_free_limit`): its last message is taken. AMQP clients that announce
    /// `connection.blocked` receive it. At first there is enough room.
    StoreRoom {
        /// Whether it is too little.
        is_short: bool,
    },
    /// What [`Output::Read`] asked for.
    Read {
        /// Its number.
        id: u64,
        /// The bytes; None if they cannot be read and never will be: then the message is
        /// lost.
        bytes: Option<Bytes>,
    },
    /// Somebody who runs the broker changes something. [`Output::Administered`] is the answer.
    Administer {
        /// A number, to name the answer by.
        id: u64,
        /// What is to be changed.
        action: Box<Administration>,
    },
    /// Something is to go wrong, for a test.
    Fault(Fault),
    /// The broker stops: every peer gets its protocol's goodbye and then
    /// [`Output::Close`], and nobody is let in any more.
    Shutdown,
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Append these bytes to the log, all of them or none, and report with
    /// [`Input::Durable`] when they are stored for good. Only comes with
    /// [`Store::Log`](crate::Store::Log), once in a call at most, and before all else of
    /// that call.
    Append {
        /// How many bytes were appended before, ever.
        position: u64,
        /// The batch, in slices for a vectored write: what is small gathered, and a body of
        /// 4 KiB or more as it lies in memory. None is empty. How it is cut means nothing;
        /// what is in it is for [`Recovery`](crate::Recovery).
        slices: Vec<Bytes>,
    },
    /// Nothing in the log that lies before `before` is needed any more. A batch that
    /// begins before and ends after it stays.
    Trim {
        /// The position of the first byte that is.
        before: u64,
    },
    /// Find out who a peer is, and answer with [`Input::Authenticated`]. It only comes with
    /// [`Authentication::Embedder`](crate::Authentication::Embedder). A peer is refused when
    /// no answer has come within
    /// [`Config::authentication_timeout`](crate::Config::authentication_timeout).
    Authenticate {
        /// Which one.
        connection: ConnectionId,
        /// What it says.
        credentials: Credentials,
    },
    /// A step by which an MQTT client of 5.0 proves who it is, at the beginning or again later
    /// (section 4.12): answer it with [`Input::Proving`]. It only comes with
    /// [`Authentication::Embedder`](crate::Authentication::Embedder), and a client is refused
    /// when no answer has come within
    /// [`Config::authentication_timeout`](crate::Config::authentication_timeout).
    Prove {
        /// Whose step.
        connection: ConnectionId,
        /// The step itself.
        step: Step,
    },
    /// Read these bytes of the log, which earlier batches have, and hand them in with
    /// [`Input::Read`]: the body of a message that has left memory, and is wanted soon. It is
    /// done after the appends and before the trims that came before it or come later.
    Read {
        /// A number, to be handed in with them.
        id: u64,
        /// How many bytes of the log are before them, ever.
        position: u64,
        /// How many they are.
        len: usize,
    },
    /// Write these bytes, and report them with [`Input::Transmitted`]. There may be several
    /// for one connection, in the order of the stream: good for one vectored write.
    Transmit {
        /// To whom.
        connection: ConnectionId,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// Stop reading from that socket: what it sent waits, and there is enough
    /// of it.
    Pause {
        /// Which one.
        connection: ConnectionId,
    },
    /// Read from that socket again.
    Resume {
        /// Which one.
        connection: ConnectionId,
    },
    /// Read what has arrived on that socket by now, paused or not, hand it in as
    /// usual, and then say [`Input::Drained`]. Another connection takes over its
    /// client identifier and waits for that, for a second at most: a DISCONNECT that
    /// came before must not be missed. Only comes with
    /// [`Config::drain_on_takeover`](crate::Config::drain_on_takeover).
    Drain {
        /// Which one.
        connection: ConnectionId,
    },
    /// What came of [`Input::Administer`]: it is done, and stored where it is to be; or why
    /// it is not, and then nothing has changed. Answers come in the order of the questions.
    Administered {
        /// The number of the question.
        id: u64,
        /// Done, or why not.
        result: Result<(), Refusal>,
    },
    /// Something to log or to count. It asks for nothing.
    Report(Report),
    /// Close the socket once all that was transmitted is written. The broker
    /// has forgotten the connection and ignores inputs about it.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
}
