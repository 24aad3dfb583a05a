//! What is done to a connection of either role.

use core::time::Duration;

use bytes::{BufMut, Bytes};

use super::core::{Core, Phase};
use super::role::{Client, Role, Server};
use super::timer::{Reading, Timer};
use crate::{ConnectionError, Version};

/// One end of a connection: the state of its protocol, without a socket and without a
/// clock. See the [module's page](super) for how to drive it.
///
/// `Debug` shows no passcode.
#[derive(Debug)]
pub struct Connection<R: Role> {
    pub(super) config: R::Config,
    pub(super) core: Core,
    pub(super) state: R::State,
}

/// The end that opens the connection.
///
/// Subscriptions, transactions and receipts get their names on the wire from counters.
pub type ClientConnection = Connection<Client>;

/// The end that accepts the connection: what a broker holds for each client.
pub type ServerConnection = Connection<Server>;

impl<R: Role> Connection<R> {
    /// A connection over a stream that has just been opened, or will be.
    #[must_use]
    pub fn new(now: Duration, config: R::Config) -> Self {
        let mut core = Core::default();
        core.set_now(now);
        if let Some(time) = R::peer_begins_within(&config) {
            core.start(Timer::Handshake, time);
        }
        Self {
            config,
            core,
            state: R::State::default(),
        }
    }

    /// Takes one event's worth of bytes from the front of `input`: a frame, or a part
    /// of a long body, and whatever makes no event before it.
    ///
    /// `None`: what is left in `input` is an incomplete frame, to be presented again
    /// with what comes after it. Two exceptions: a server takes nothing between
    /// [`ServerEvent::Connect`](super::ServerEvent::Connect) and its answer, so that
    /// `receive` is to be called again after `accept`; and after the end of the session
    /// everything is thrown away.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol, or the connection has failed before. A server's
    /// ERROR frame that says so is in [`poll_transmit`](Self::poll_transmit).
    #[inline]
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<R::Event<'a>>, ConnectionError> {
        self.core.set_now(now);
        if let Some(error) = self.core.error {
            return Err(error);
        }
        if self.core.phase == Phase::Closed {
            *input = &[];
            return Ok(None);
        }
        if self.core.inbound.is_new(input) {
            self.core.heard();
        }
        let result = R::receive(self, input);
        self.core.inbound.leave(input);
        result
    }

    /// The peer closed its side of the stream.
    ///
    /// # Errors
    ///
    /// The session was not over, or the connection has failed before. After a client's
    /// DISCONNECT it is over, even if its receipt was lost ("Connection Lingering").
    // keeps: stomp12/connection-lingering/last-frame, stomp11/connection-lingering/last-frame
    pub fn receive_eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.core.set_now(now);
        match self.core.phase {
            Phase::Handshake | Phase::Open => Err(self.core.fail(ConnectionError::UnexpectedEof)),
            Phase::Closing => R::receive_eof(self),
            Phase::Closed => self.core.error.map_or(Ok(()), Err),
        }
    }

    /// Moves the bytes to be sent to the end of `out`, as many as there is room for, and
    /// returns how many. It goes on after an error and after the end.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut impl BufMut) -> usize {
        self.core.set_now(now);
        let count = self.core.outbound.transmit(out);
        if count > 0 {
            self.core.sent();
        }
        count
    }

    /// As [`poll_transmit`](Self::poll_transmit), in slices for a vectored write: all that
    /// waits. Large parts of a body that came by
    /// [`send_shared_body`](Self::send_shared_body) are among them without a copy.
    pub fn poll_transmit_slices(&mut self, now: Duration, out: &mut impl Extend<Bytes>) -> usize {
        self.core.set_now(now);
        let count = self.core.outbound.transmit_slices(out);
        if count > 0 {
            self.core.sent();
        }
        count
    }

    /// Bytes that [`poll_transmit`](Self::poll_transmit) would append, if `out` had room. While
    /// there are many, an application stops calling [`receive`](Self::receive) and sending. What
    /// waits for the end of a body that is sent in parts is not among them: it leaves when the
    /// application has sent the rest. What the peer can make wait there is bounded, by 64 KiB.
    #[must_use]
    pub fn transmit_len(&self) -> usize {
        self.core.outbound.len()
    }

    /// The point in time, on the clock of `now`, at which
    /// [`handle_timeout`](Self::handle_timeout) is to be called. `None`: nothing is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.timers.next()
    }

    /// Sends a heart-beat if one is due, and fails if the peer is late. Afterwards
    /// [`poll_timeout`](Self::poll_timeout) is later than `now`.
    ///
    /// What the peer has sent in the meantime is to be given to
    /// [`receive`](Self::receive) first.
    ///
    /// # Errors
    ///
    /// The peer has been silent for too long, or an answer of it is late; or the
    /// connection has failed before.
    // keeps: stomp12/heart-beating/eol, stomp11/heart-beating/eol,
    // keeps: stomp12/heart-beating/silent-peer, stomp11/heart-beating/silent-peer
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.core.set_now(now);
        if let Some(error) = self.core.error {
            return Err(error);
        }
        let error = match self.core.timers.expired(self.core.now()) {
            None => return Ok(()),
            Some(Timer::Send) => {
                // What waits to be sent is a sign of life as well. After DISCONNECT a
                // client sends no frame; an EOL is none.
                if self.core.outbound.is_idle() {
                    self.core.outbound.buffer().push(b'\n');
                }
                self.core.sent();
                return Ok(());
            }
            Some(Timer::Handshake) => ConnectionError::HandshakeTimeout,
            Some(Timer::Close) => ConnectionError::CloseTimeout,
            Some(Timer::Receive) => ConnectionError::PeerTimeout,
        };
        Err(R::fail(self, error))
    }

    /// Tells whether the embedder reads from the socket. While it does not, because it
    /// holds the peer back, no silence of the peer counts: call it before you stop reading,
    /// and again before you go on. A connection begins with [`Reading::Running`].
    pub fn set_reading(&mut self, now: Duration, reading: Reading) {
        self.core.set_now(now);
        if self.core.timers.reading != reading {
            self.core.timers.reading = reading;
            self.core.heard();
        }
    }

    /// Whether a frame has begun whose body comes in parts
    /// ([`Limits::assembled_size`](crate::Limits::assembled_size)): the next bytes that are
    /// received are of that body.
    #[must_use]
    pub fn is_receiving_body(&self) -> bool {
        self.core.inbound.is_in_body()
    }

    /// Whether the session is open: CONNECTED was sent or came, and neither side has
    /// ended it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.core.phase == Phase::Open
    }

    /// Whether nothing more is to come: once
    /// [`poll_transmit`](Self::poll_transmit) has nothing more, the socket can be
    /// closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.phase == Phase::Closed && !self.core.outbound.is_in_body()
    }

    /// The error that ended the connection.
    #[must_use]
    pub fn error(&self) -> Option<&ConnectionError> {
        self.core.error.as_ref()
    }

    /// The version of the session, from CONNECTED on.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.core.version
    }
}
