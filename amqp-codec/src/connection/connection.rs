//! One connection: what drives it, the same for both roles.

use core::fmt;
use core::time::Duration;

use bytes::{BufMut, Bytes};

use super::Capabilities;
use super::core::{Core, Phase};
use super::error::{ConnectionError, SendError};
use super::role::{Client, Role, Server};
use super::timer::Reading;
use crate::MethodId;
use crate::method::connection;

/// One connection, as the role `R` sees it. [The drive contract](crate#the-drive-contract)
/// says how the calls go together.
pub struct Connection<R: Role> {
    pub(super) core: Core<R::Channel>,
    pub(super) state: R::State,
}

/// A connection to a server.
pub type ClientConnection = Connection<Client>;

/// A connection that a client has made.
pub type ServerConnection = Connection<Server>;

/// What drives a connection.
impl<R: Role> Connection<R> {
    /// A connection that has just been made. A client's protocol header waits to be
    /// transmitted.
    #[must_use]
    pub fn new(now: Duration, config: R::Config) -> Self {
        let (core, state) = R::begin(now, config);
        Self { core, state }
    }

    /// Takes frames from the front of `input` until one makes an event. `None`
    /// means that what is left is no whole frame, or that the application has
    /// to answer first; keep it, and present it again with what comes next.
    ///
    /// # Errors
    /// When the peer broke the protocol: the connection is over, and every
    /// later call returns the same error. A goodbye may wait to be transmitted, and
    /// its answer to be received: go on until [`is_closed`](Self::is_closed).
    // keeps: basic / reject / 01
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<R::Event<'a>>, ConnectionError> {
        let now = self.core.begin(now, input)?;
        let before = input.len();
        let event = self.step(now, input);
        self.core.end(now, before, input.len());
        event.map_err(|error| self.core.fail(now, error))
    }

    /// The peer has closed its side of the socket.
    ///
    /// # Errors
    /// When the protocol was not over.
    pub fn receive_eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.core.eof(now)
    }

    /// Appends what is to be sent to `out`, as far as it has room, and returns how many
    /// bytes. They count as sent at `now`: the next heartbeat is due half an interval
    /// later.
    pub fn poll_transmit(&mut self, now: Duration, out: &mut impl BufMut) -> usize {
        self.core.poll_transmit(now, out)
    }

    /// As [`poll_transmit`](Self::poll_transmit), in slices for a vectored write: all that
    /// waits. Large parts of a body that came by
    /// [`send_shared_body`](Self::send_shared_body) are among them without a copy.
    pub fn poll_transmit_slices(&mut self, now: Duration, out: &mut impl Extend<Bytes>) -> usize {
        self.core.poll_transmit_slices(now, out)
    }

    /// Bytes that [`poll_transmit`](Self::poll_transmit) would append, if `out` had
    /// room. What waits for the end of a body that is sent in parts is not among
    /// them: it leaves when the application has sent the rest of the body.
    /// What the peer can make wait there is bounded, by 64 KiB a channel.
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

    /// Does what is due: queues a heartbeat, or ends the connection.
    ///
    /// # Errors
    /// When the peer was silent for too long, or did not answer in time: the
    /// connection is over.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.core.handle_timeout(now)
    }

    /// Says whether the embedder reads from the socket. While it does not, the peer's
    /// silence is not held against it; when reading goes on, the wait begins anew.
    pub fn set_reading(&mut self, now: Duration, reading: Reading) {
        self.core.set_reading(now, reading);
    }

    /// Whether a frame has begun that belongs to a body in parts
    /// ([`Limits::assembled_size`](crate::Limits::assembled_size)): the next bytes that are
    /// received are of that body.
    #[must_use]
    pub fn is_receiving_body(&self) -> bool {
        self.core.partial.is_some()
    }

    /// Whether the virtual host is open, and neither side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// Whether nothing more is to come: write what is left to transmit, then close the
    /// socket.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.phase == Phase::Closed
    }

    /// The error that has ended the connection.
    #[must_use]
    pub fn error(&self) -> Option<&ConnectionError> {
        self.core.error.as_ref()
    }

    /// What the peer declared that it can do; nothing before the event `Start` or
    /// `Authenticate`.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.core.capabilities
    }

    /// The limits of tune-ok; zeros before.
    #[must_use]
    pub fn tuned(&self) -> connection::TuneOk {
        self.core.agreed
    }

    fn step<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<R::Event<'a>>, ConnectionError> {
        loop {
            if let Some(event) = R::pending(self) {
                return Ok(Some(event));
            }
            match self.core.phase {
                Phase::Closed => {
                    *input = &[];
                    return Ok(None);
                }
                Phase::Header => {
                    if !R::protocol_header(self, input)? {
                        return Ok(None);
                    }
                    continue;
                }
                Phase::Mechanism | Phase::Response | Phase::VirtualHost => return Ok(None),
                _ => {}
            }
            let Some(raw) = self.core.next_frame(input)? else {
                return Ok(None);
            };
            let event = match self.core.phase {
                Phase::Open => {
                    let incoming = self.core.incoming(raw, input)?;
                    R::act(self, incoming)?
                }
                Phase::Closing => self.core.on_closing(raw).then(R::close_ok),
                _ => match self.core.handshake_method(raw)? {
                    Some(method) => R::handshake(self, now, method)?,
                    None => None,
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    // keeps: section 2.3.7 / close is a hand-shake
    pub(super) fn closed_by_peer<'a>(&mut self, close: connection::Close<'a>) -> R::Event<'a> {
        self.core.answer_short(0, &connection::CloseOk {});
        self.core.set_closed();
        R::closed(close)
    }

    pub(super) fn must_be_open(&self) -> Result<(), SendError> {
        self.core.must_be_open()
    }

    /// Whether it is the time for this answer of the handshake.
    pub(super) fn in_phase(&self, phase: Phase, answer: MethodId) -> Result<(), SendError> {
        if self.core.is_over() {
            Err(SendError::Closed)
        } else if self.core.phase == phase {
            Ok(())
        } else {
            Err(SendError::NotRequested(answer))
        }
    }
}

/// How far it is, and what waits: no contents, and no secret.
impl<R: Role> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("phase", &self.core.phase)
            .field("tuned", &self.core.agreed)
            .field("channels", &self.core.channels.len())
            .field("transmit_len", &self.transmit_len())
            .field("poll_timeout", &self.poll_timeout())
            .field("error", &self.core.error)
            .finish_non_exhaustive()
    }
}
