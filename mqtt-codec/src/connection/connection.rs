//! One end of a connection, whichever it is: how it is driven.

use core::fmt;
use core::time::Duration;

use bytes::{BufMut, Bytes};

use super::core::{Core, Next, Phase, Side};
use super::role::{Client, Role, Server};
use super::timer::{Reading, Timer};
use super::{ConnectionError, PeerLimits, Session};
use crate::ProtocolVersion;

/// One end of one network connection: a state machine without I/O.
///
/// [The drive contract](crate#the-drive-contract) says how the calls go together.
pub struct Connection<R: Role> {
    pub(super) core: Core,
    pub(super) config: R::Config,
}

/// The client's end of one network connection.
pub type ClientConnection = Connection<Client>;

/// The server's end of one network connection.
pub type ServerConnection = Connection<Server>;

impl<R: Role> Connection<R> {
    /// A connection on which nothing has been sent or received yet.
    #[must_use]
    pub fn new(now: Duration, config: R::Config) -> Self {
        Self {
            core: R::begin(now, &config),
            config,
        }
    }

    /// Takes packets from the front of `input` until one makes an event.
    ///
    /// `Ok(None)`: what is left is an incomplete packet, or at a server what came after a
    /// CONNECT that has not been answered. Keep it, and present it again together with the
    /// bytes that come next; after answering CONNECT, at once.
    ///
    /// # Errors
    /// When the peer breaks the protocol or a limit. It is at fault. Its version's goodbye
    /// is then to be sent from [`poll_transmit`](Self::poll_transmit), and the connection
    /// is over: see [`ConnectionError`].
    #[inline]
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<R::Event<'a>>, ConnectionError> {
        if let Some(error) = &self.core.error {
            return Err(**error);
        }
        self.core.set_now(now);
        if input.len() > self.core.left_over {
            self.heard();
        }
        let waiting = self.core.outgoing.as_ref().map(|it| it.waiting());
        let taken = loop {
            match R::next(self, input) {
                Ok(Next::Event(event)) => break Ok(Some(event)),
                Ok(Next::Nothing) => {}
                Ok(Next::Wait) => break Ok(None),
                Err(error) => break Err(self.fail(error)),
            }
        };
        self.core.left_over = input.len();
        match waiting {
            None => taken,
            Some(before) => taken.and_then(|event| self.bound_answers(before).map(|()| event)),
        }
    }

    /// Answers wait for the end of a message that is sent in parts.
    #[cold]
    fn bound_answers(&mut self, before: usize) -> Result<(), ConnectionError> {
        let bounded = self.core.bound_answers(before);
        bounded.map_err(|error| self.fail(error))
    }

    /// The network connection ended on the peer's side.
    ///
    /// # Errors
    /// [`ConnectionError::UnexpectedEof`] when there was neither a DISCONNECT nor a refusal:
    /// a server then publishes the will (MQTT-3.1.2-8).
    pub fn receive_eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.core.set_now(now);
        match (&self.core.error, self.core.phase) {
            (Some(error), _) => Err(**error),
            (None, Phase::Closed) => Ok(()),
            (None, _) => Err(self.core.end(ConnectionError::UnexpectedEof)),
        }
    }

    /// Moves the bytes that wait to be sent to the end of `out`, as many as it has room
    /// for, and returns how many. A client's keep alive counts from the last ones.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut impl BufMut) -> usize {
        let core = &mut self.core;
        let count = core.transmit.poll(out);
        if count > 0 {
            core.set_now(now);
            core.sent();
        }
        count
    }

    /// As [`poll_transmit`](Self::poll_transmit), in slices for a vectored write: all that
    /// can leave. A payload of 4 KiB or more is among them without a copy, unless it was sent
    /// in parts.
    pub fn poll_transmit_slices(&mut self, now: Duration, out: &mut impl Extend<Bytes>) -> usize {
        let core = &mut self.core;
        let count = core.transmit.poll_slices(out);
        if count > 0 {
            core.set_now(now);
            core.sent();
        }
        count
    }

    /// Bytes that [`poll_transmit`](Self::poll_transmit) would append, if `out` had room. What
    /// waits for the end of a message that is sent in parts is not among them: it leaves when
    /// the application has sent the rest. What the peer can make wait there is bounded, by
    /// 64 KiB.
    #[must_use]
    pub fn transmit_len(&self) -> usize {
        self.core.transmit.len()
    }

    /// The point in time, on the clock of `now`, at which
    /// [`handle_timeout`](Self::handle_timeout) is to be called. `None`: nothing is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.timers.next()
    }

    /// Does what is due: a client sends PINGREQ, and either end gives up a peer that is too
    /// late. Afterwards [`poll_timeout`](Self::poll_timeout) is `None` or later than `now`.
    ///
    /// # Errors
    /// [`HandshakeTimeout`](ConnectionError::HandshakeTimeout),
    /// [`PeerTimeout`](ConnectionError::PeerTimeout) or
    /// [`PingTimeout`](ConnectionError::PingTimeout), when the peer is too late.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if let Some(error) = &self.core.error {
            return Err(**error);
        }
        self.core.set_now(now);
        while let Some(timer) = self.core.timers.expired(self.core.now) {
            let error = match timer {
                Timer::Handshake => return Err(self.core.end(ConnectionError::HandshakeTimeout)),
                Timer::Send => match self.core.ping(R::patience(self)) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Timer::Receive => ConnectionError::PeerTimeout {
                    version: self.core.version,
                },
                Timer::Ping => ConnectionError::PingTimeout,
            };
            return Err(self.fail(error));
        }
        Ok(())
    }

    /// Tells whether the embedder reads from the socket. While it does not, because it
    /// holds the peer back, no silence of the peer counts: call it before you stop reading,
    /// and again before you go on. A connection begins with [`Reading::Running`].
    pub fn set_reading(&mut self, now: Duration, reading: Reading) {
        self.core.set_now(now);
        if self.core.timers.reading != reading {
            self.core.timers.reading = reading;
            self.heard();
        }
    }

    /// The peer is there: bytes of it have come.
    #[inline]
    fn heard(&mut self) {
        if self.core.timers.runs(R::SILENCE) {
            let patience = R::patience(self);
            self.core.timers.set(R::SILENCE, self.core.now, patience);
        }
    }

    /// Whether the login is done, and neither side has said goodbye.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.core.phase, Phase::Open)
    }

    /// Whether nothing more is to come: write what [`poll_transmit`](Self::poll_transmit)
    /// still has, and close the socket.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.core.phase, Phase::Closed)
    }

    /// The error that ended the connection.
    #[must_use]
    pub const fn error(&self) -> Option<&ConnectionError> {
        match &self.core.error {
            Some(error) => Some(&**error),
            None => None,
        }
    }

    /// The version that the connection speaks, once CONNECT has said it.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.core.asked.then_some(self.core.version)
    }

    /// The keep alive in seconds that holds; 0 is none.
    #[must_use]
    pub const fn keep_alive(&self) -> u16 {
        self.core.login.keep_alive
    }

    /// What the peer accepts, as its CONNECT or CONNACK said.
    #[must_use]
    pub const fn peer_limits(&self) -> &PeerLimits {
        &self.core.peer
    }

    /// What is under way.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.core.session
    }

    /// What is under way, to go on with on the next connection of this client.
    ///
    /// It is not to be kept when the session ends with the connection: in 3.x with Clean
    /// Session (3.1.1 MQTT-3.1.2-6), in 5.0 with a Session Expiry Interval of 0.
    // keeps: 5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-1
    // keeps: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.1.0-2
    #[must_use]
    pub fn into_session(self) -> Session {
        self.core.session
    }

    /// Ends in failure, and tells the peer what its version has words for.
    // keeps: 5.0 MQTT-4.13.2-1, 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-4.8.0-1
    #[cold]
    pub(super) fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        let error = match self.core.side {
            Side::Client => error.of_server(),
            Side::Server => error,
        };
        R::say_goodbye(self, error);
        self.core.end(error)
    }
}

impl<R: Role> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, config } = self;
        f.debug_struct("Connection")
            .field("core", core)
            .field("config", config)
            .finish()
    }
}
