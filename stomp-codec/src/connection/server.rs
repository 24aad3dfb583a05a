//! The server role: what a broker holds for each client.

mod event;
mod request;
mod response;

pub use event::{Acknowledge, Connect, Send, ServerEvent, Subscribe};

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BufMut;

use self::request::receipt_in;
use self::response::{put_error, put_receipt};
use super::handshake::version_list;
use super::heart_beat::{HeartBeat, Pulse, Tolerance};
use super::stream::{Inbound, Incoming, Outbound};
use super::subscription::{Subscription, Subscriptions};
use super::transaction::Transactions;
use crate::version::Syntax;
use crate::{ConnectionError, EncodeError, Limits, SendError, Version};

/// What a server grants and asks for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The versions that it speaks. Default: all.
    pub versions: Vec<Version>,
    /// Whether CONNECT has to have a `host`. Default: no.
    pub host_header: HostHeader,
    /// The limits until [`ServerConnection::accept`].
    pub limits_before_login: Limits,
    /// The limits from then on.
    pub limits: Limits,
    /// The heart-beats that it can send and would like to get, from clients
    /// that offer and want some. Default: 10 s each.
    pub heart_beat: HeartBeat,
    /// The margin of error for a client's heart-beats.
    pub tolerance: Tolerance,
    /// How long a client may take for its CONNECT. Default: 10 s.
    pub connect_timeout: Option<Duration>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            versions: Version::ALL.to_vec(),
            host_header: HostHeader::default(),
            limits_before_login: Limits::before_login(),
            limits: Limits::default(),
            heart_beat: HeartBeat {
                send: Duration::from_secs(10),
                receive: Duration::from_secs(10),
            },
            tolerance: Tolerance::default(),
            connect_timeout: Some(Duration::from_secs(10)),
        }
    }
}

/// What a server makes of CONNECT or STOMP of 1.1 or 1.2 without the header `host`,
/// which these require ("CONNECT or STOMP Frame").
#[derive(Debug, Clone, Copy, Default, Hash, PartialEq, Eq)]
pub enum HostHeader {
    /// It is accepted, with `None` as [`Connect::host`]. The clients of stomp.py,
    /// stompjs and Spring send none unless told to.
    #[default]
    Optional,
    /// It is refused with ERROR.
    Required,
}

/// What goes into CONNECTED ("CONNECTED Frame"), besides the version and the
/// heart-beats.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accept<'a> {
    /// A name for the session; should be unique, since it also makes the
    /// `message-id`s of the session unique.
    pub session: Option<&'a str>,
    /// Name and version of the server, as `name/1.2.3`.
    pub server: Option<&'a str>,
    /// More headers.
    pub headers: &'a [(&'a str, &'a str)],
}

#[derive(Debug)]
enum State {
    /// No CONNECT yet. One has to come before this time.
    Opening(Option<Duration>),
    /// The application decides about it.
    Deciding(Version, HeartBeat),
    Open(Version),
    /// DISCONNECT came; this receipt is still to be given.
    Disconnecting(Version, String),
    Closed,
}

/// The server role of one connection.
///
/// See the [crate's page](crate) for how to drive it.
#[derive(Debug)]
pub struct ServerConnection {
    config: ServerConfig,
    state: State,
    error: Option<ConnectionError>,
    inbound: Inbound,
    outbound: Outbound,
    pulse: Pulse,
    session: String,
    subscriptions: Subscriptions,
    transactions: Transactions,
    /// The frame whose body is coming.
    partial: Option<Partial>,
    /// How many messages were sent without a subscription.
    unsubscribed: u64,
}

/// A frame that was not whole.
#[derive(Debug)]
struct Partial {
    target: Target,
    /// The receipt to be given when the body has come, or to be named in ERROR.
    receipt: Option<String>,
}

/// Whom the parts of a body are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The application: a SEND.
    Event,
    /// The transaction that holds the SEND.
    Transaction,
    /// Nobody: 1.0 lets other frames have a body, which is ignored.
    Nobody,
}

impl ServerConnection {
    /// A connection that a client has just opened.
    pub fn new(now: Duration, config: ServerConfig) -> Self {
        let deadline = config.connect_timeout;
        ServerConnection {
            state: State::Opening(deadline.and_then(|time| now.checked_add(time))),
            config,
            error: None,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            pulse: Pulse::default(),
            session: String::new(),
            subscriptions: Subscriptions::default(),
            transactions: Transactions::default(),
            partial: None,
            unsubscribed: 0,
        }
    }

    /// Takes whole frames, or parts of a long body, from the front of `input`
    /// until one makes an event.
    ///
    /// `None`: what is left in `input` is an incomplete frame, to be presented
    /// again in front of what comes next. Two exceptions: between
    /// [`ServerEvent::Connect`] and its answer nothing is taken, and after
    /// DISCONNECT everything is thrown away.
    ///
    /// # Errors
    ///
    /// The client broke the protocol. The ERROR frame is in
    /// [`poll_transmit`](Self::poll_transmit).
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.inbound.is_new(input) {
            self.pulse.received(now);
        }
        let result = self.next_event(input);
        self.inbound.leave(input);
        result
    }

    // keeps: stomp12/RECEIPT/earlier-received
    fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        loop {
            let (syntax, limits) = match self.state {
                State::Opening(_) => (Syntax::FIRST_FROM_CLIENT, &self.config.limits_before_login),
                State::Open(version) => (version.syntax(), &self.config.limits),
                State::Deciding(..) => return Ok(None),
                State::Disconnecting(..) | State::Closed => {
                    *input = &[];
                    return Ok(None);
                }
            };
            match self.inbound.next(input, syntax, limits) {
                Ok(None) => return Ok(None),
                Ok(Some(Incoming::Frame(frame))) => match self.frame(frame) {
                    Ok(None) => {}
                    Ok(event) => return Ok(event),
                    Err(error) => return Err(self.fail(error, frame.header("receipt").as_deref())),
                },
                Ok(Some(Incoming::Part(part))) => {
                    if let Some(event) = self.part(part)? {
                        return Ok(Some(event));
                    }
                }
                Err(error) => {
                    let good = if matches!(self.state, State::Open(_)) && error.is_of_command() {
                        // The ERROR names the receipt, which comes after the command.
                        match self.inbound.head(input, syntax, limits) {
                            Some(head) => head,
                            None => return Ok(None),
                        }
                    } else {
                        error.offset
                    };
                    let receipt = match self.partial.take() {
                        Some(partial) => partial.receipt.map(Cow::Owned),
                        None => receipt_in(input, good, syntax),
                    };
                    return Err(self.fail(error.into(), receipt.as_deref()));
                }
            }
        }
    }

    /// The client closed its side of the stream.
    ///
    /// # Errors
    ///
    /// The session was not over.
    pub fn receive_eof(&mut self, _now: Duration) -> Result<(), ConnectionError> {
        match self.state {
            State::Opening(_) | State::Deciding(..) | State::Open(_) => {
                let error = *self.error.insert(ConnectionError::UnexpectedEof);
                self.close();
                self.outbound.abandon();
                Err(error)
            }
            State::Disconnecting(..) | State::Closed => self.error.map_or(Ok(()), Err),
        }
    }

    /// Moves the bytes to be sent to the end of `out`, as many as fit; gives how
    /// many.
    pub fn poll_transmit(&mut self, out: &mut impl BufMut) -> usize {
        self.outbound.transmit(out)
    }

    /// How many bytes are to be sent. While this is high, an application stops
    /// calling [`receive`](Self::receive) and [`message`](Self::message).
    pub fn transmit_len(&self) -> usize {
        self.outbound.len()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Opening(deadline) => deadline,
            State::Open(_) => self.pulse.next(),
            State::Deciding(..) | State::Disconnecting(..) | State::Closed => None,
        }
    }

    /// Sends a heart-beat if one is due, and looks whether the client is alive.
    ///
    /// What the client has sent in the meantime is to be given to
    /// [`receive`](Self::receive) first.
    ///
    /// # Errors
    ///
    /// The client has been silent for too long.
    // keeps: stomp12/heart-beating/eol, stomp11/heart-beating/eol
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.state {
            State::Opening(Some(deadline)) if deadline <= now => {
                return Err(self.fail(ConnectionError::ConnectTimeout, None));
            }
            State::Open(_) if self.pulse.is_expired(now) => {
                return Err(self.fail(ConnectionError::HeartBeatTimeout, None));
            }
            // What waits to be sent is a sign of life as well.
            State::Open(_) if self.pulse.is_due(now) && self.outbound.is_idle() => {
                self.outbound.buffer().push(b'\n');
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the protocol is over: once
    /// [`poll_transmit`](Self::poll_transmit) has nothing more, the socket can be
    /// closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed) && !self.outbound.is_in_body()
    }

    /// The version of the session, once there is one.
    pub fn version(&self) -> Option<Version> {
        match self.state {
            State::Deciding(version, _)
            | State::Open(version)
            | State::Disconnecting(version, _) => Some(version),
            State::Opening(_) | State::Closed => None,
        }
    }

    /// What was sent and not settled, by subscription: what an application gives
    /// to others when the connection is lost. It is still there when the connection
    /// has failed; nothing is after DISCONNECT, whose event has it.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (Subscription, u64)> + '_ {
        self.subscriptions.unacknowledged()
    }

    fn put_receipt(&mut self, version: Version, receipt: &str) -> Result<(), EncodeError> {
        put_receipt(self.outbound.buffer(), version, receipt)
    }

    fn put_error(
        &mut self,
        receipt: Option<&str>,
        message: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), EncodeError> {
        // Before CONNECTED the client does not know the version, and reads as
        // if there were no escapes.
        let version = match self.state {
            State::Open(version) | State::Disconnecting(version, _) => version,
            _ => Version::V1_0,
        };
        let out = self.outbound.buffer();
        put_error(out, version, receipt, message, headers, body)
    }

    /// Ends the connection for what the client did: ERROR, and closed.
    // keeps: stomp12/SEND/error, stomp11/SEND/error, stomp12/SUBSCRIBE/error,
    // keeps: stomp11/SUBSCRIBE/error, stomp12/size-limits/error, stomp11/size-limits/error,
    // keeps: stomp12/protocol-negotiation/no-common-version,
    // keeps: stomp11/protocol-negotiation/no-common-version,
    // keeps: stomp12/protocol-negotiation/no-common-version-lists,
    // keeps: stomp11/protocol-negotiation/no-common-version-lists, stomp12/ERROR/close
    fn fail(&mut self, error: ConnectionError, receipt: Option<&str>) -> ConnectionError {
        let message = alloc::format!("{error}");
        if error == ConnectionError::NoCommonVersion {
            let versions = version_list(&self.config.versions, ",");
            let body = version_list(&self.config.versions, " ");
            let body = alloc::format!("Supported protocol versions are {body}");
            let headers = [("version", &*versions)];
            self.put_error(None, &message, &headers, body.as_bytes())
                .ok();
        } else if self.put_error(receipt, &message, &[], b"").is_err() {
            // Before there is a version, there is a receipt only where there
            // must be none, and it may not be possible to write it.
            self.put_error(None, &message, &[], b"").ok();
        }
        self.close();
        self.outbound.abandon();
        self.error = Some(error);
        error
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.transactions.clear();
    }

    fn not_connected(&self) -> SendError {
        match self.state {
            State::Disconnecting(..) | State::Closed => SendError::Closed,
            _ => SendError::NotConnected,
        }
    }
}
