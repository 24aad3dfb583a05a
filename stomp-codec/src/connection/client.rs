//! The client role.

mod event;
mod request;

pub use event::{AckToken, ClientEvent, Connected, ErrorFrame, Message, ReceiptId, Transaction};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::BufMut;

use super::heart_beat::{HeartBeat, Pulse, Tolerance};
use super::known::Known;
use super::stream::{Inbound, Incoming, Outbound};
use super::subscription::{AckMode, Subscription, parse_number};
use crate::parts::Part;
use crate::version::Syntax;
use crate::{Command, ConnectionError, Frame, Limits, Version};

/// What a client offers and asks for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The versions that it speaks. Default: all.
    pub versions: Vec<Version>,
    /// The limits until CONNECTED.
    pub limits_before_login: Limits,
    /// The limits from then on.
    pub limits: Limits,
    /// The heart-beats that it can send and would like to get, from servers that
    /// offer and want some. Default: 10 s each.
    pub heart_beat: HeartBeat,
    /// The margin of error for the server's heart-beats.
    pub tolerance: Tolerance,
    /// How long the server may take for its CONNECTED. Default: 30 s.
    pub connect_timeout: Option<Duration>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            versions: Version::ALL.to_vec(),
            limits_before_login: Limits::before_login(),
            limits: Limits::default(),
            heart_beat: HeartBeat {
                send: Duration::from_secs(10),
                receive: Duration::from_secs(10),
            },
            tolerance: Tolerance::default(),
            connect_timeout: Some(Duration::from_secs(30)),
        }
    }
}

/// What goes into CONNECT ("CONNECT or STOMP Frame"), besides the versions and
/// the heart-beats.
#[derive(Clone, Copy, Default)]
pub struct ConnectOptions<'a> {
    /// The virtual host. 1.1 and 1.2 require the header.
    pub host: &'a str,
    /// Who the client is.
    pub login: Option<&'a str>,
    /// How it proves that.
    pub passcode: Option<&'a str>,
    /// More headers (`client-id`).
    pub headers: &'a [(&'a str, &'a str)],
    /// Send STOMP in place of CONNECT; only servers of 1.1 and 1.2 know it.
    pub stomp_command: bool,
}

/// Without the passcode, which does not belong in a log.
impl fmt::Debug for ConnectOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("host", &self.host)
            .field("login", &self.login)
            .field("passcode", &self.passcode.map(|_| "..."))
            .field("headers", &self.headers)
            .field("stomp_command", &self.stomp_command)
            .finish()
    }
}

/// What may go with most frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Make it a part of this transaction. For SEND, ACK and NACK.
    pub transaction: Option<Transaction>,
    /// Ask for a receipt.
    pub receipt: bool,
}

impl Options {
    /// Ask for a receipt, and nothing else.
    pub const RECEIPT: Options = Options {
        transaction: None,
        receipt: true,
    };
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// CONNECT has not been sent.
    Idle,
    /// It has.
    Connecting,
    Open(Version),
    /// DISCONNECT has been sent with this receipt.
    Disconnecting(Version, u64),
    /// The body of the ERROR that ends it is coming in parts.
    Ending,
    Closed,
}

/// The client role of one connection.
///
/// See the [crate's page](crate) for how to drive it. Subscriptions,
/// transactions and receipts get their names on the wire from counters.
#[derive(Debug)]
pub struct ClientConnection {
    config: ClientConfig,
    state: State,
    /// CONNECTED has to come before this time.
    deadline: Option<Duration>,
    error: Option<ConnectionError>,
    inbound: Inbound,
    outbound: Outbound,
    pulse: Pulse,
    subscriptions: BTreeMap<Subscription, AckMode>,
    transactions: BTreeSet<Transaction>,
    receipts: BTreeSet<u64>,
    last_subscription: u64,
    last_transaction: u64,
    last_receipt: u64,
}

impl ClientConnection {
    /// A connection that has just been opened, or will be.
    pub fn new(now: Duration, config: ClientConfig) -> Self {
        ClientConnection {
            deadline: config
                .connect_timeout
                .and_then(|time| now.checked_add(time)),
            config,
            state: State::Idle,
            error: None,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            pulse: Pulse::default(),
            subscriptions: BTreeMap::new(),
            transactions: BTreeSet::new(),
            receipts: BTreeSet::new(),
            last_subscription: 0,
            last_transaction: 0,
            last_receipt: 0,
        }
    }

    /// Takes whole frames, or parts of a long body, from the front of `input`
    /// until one makes an event.
    ///
    /// `None`: what is left in `input` is an incomplete frame, to be presented
    /// again in front of what comes next. After the end of the session
    /// everything is thrown away.
    ///
    /// # Errors
    ///
    /// The server broke the protocol.
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.inbound.is_new(input) {
            self.pulse.received(now);
        }
        let (syntax, limits) = match self.state {
            State::Closed => {
                *input = &[];
                return Ok(None);
            }
            // In the middle of a body neither of the two matters.
            State::Idle | State::Connecting | State::Ending => {
                (Syntax::FIRST_FROM_SERVER, &self.config.limits_before_login)
            }
            State::Open(version) | State::Disconnecting(version, _) => {
                (version.syntax(), &self.config.limits)
            }
        };
        let event = match self.inbound.next(input, syntax, limits) {
            Ok(None) => Ok(None),
            Ok(Some(Incoming::Frame(frame))) => self.frame(now, frame).map(Some),
            Ok(Some(Incoming::Part(part))) => Ok(Some(self.part(part))),
            Err(error) => Err(error.into()),
        };
        self.inbound.leave(input);
        event.map_err(|error| self.fail(error))
    }

    /// The server closed its side of the stream.
    ///
    /// # Errors
    ///
    /// The session was not over. After DISCONNECT it is, even if its receipt
    /// was lost ("Connection Lingering").
    // keeps: stomp12/connection-lingering/last-frame, stomp11/connection-lingering/last-frame
    pub fn receive_eof(&mut self, _now: Duration) -> Result<(), ConnectionError> {
        match self.state {
            State::Idle | State::Connecting | State::Open(_) => {
                Err(self.fail(ConnectionError::UnexpectedEof))
            }
            State::Disconnecting(..) | State::Ending | State::Closed => {
                self.state = State::Closed;
                self.error.map_or(Ok(()), Err)
            }
        }
    }

    /// Moves the bytes to be sent to the end of `out`, as many as fit; gives how
    /// many.
    pub fn poll_transmit(&mut self, out: &mut impl BufMut) -> usize {
        self.outbound.transmit(out)
    }

    /// How many bytes are to be sent.
    pub fn transmit_len(&self) -> usize {
        self.outbound.len()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Idle | State::Connecting => self.deadline,
            State::Open(_) | State::Disconnecting(..) => self.pulse.next(),
            // What has begun before CONNECTED has to end in time too.
            State::Ending => self.pulse.expires().or(self.deadline),
            State::Closed => None,
        }
    }

    /// Sends a heart-beat if one is due, and looks whether the server is alive.
    ///
    /// What the server has sent in the meantime is to be given to
    /// [`receive`](Self::receive) first.
    ///
    /// # Errors
    ///
    /// The server has been silent for too long.
    // keeps: stomp12/heart-beating/eol, stomp11/heart-beating/eol
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.state {
            State::Idle | State::Connecting | State::Ending
                if self.deadline.is_some_and(|at| at <= now) =>
            {
                Err(self.fail(ConnectionError::ConnectTimeout))
            }
            State::Open(_) | State::Disconnecting(..) | State::Ending
                if self.pulse.is_expired(now) =>
            {
                Err(self.fail(ConnectionError::HeartBeatTimeout))
            }
            State::Open(_) | State::Disconnecting(..) => {
                // What waits to be sent is a sign of life as well. After
                // DISCONNECT a client sends no frame; an EOL is none.
                if self.pulse.is_due(now) && self.outbound.is_idle() {
                    self.outbound.buffer().push(b'\n');
                }
                Ok(())
            }
            State::Idle | State::Connecting | State::Ending | State::Closed => Ok(()),
        }
    }

    /// Whether the protocol is over: once
    /// [`poll_transmit`](Self::poll_transmit) has nothing more, the socket can be
    /// closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The version of the session, once there is one.
    pub fn version(&self) -> Option<Version> {
        match self.state {
            State::Open(version) | State::Disconnecting(version, _) => Some(version),
            State::Idle | State::Connecting | State::Ending | State::Closed => None,
        }
    }

    /// Acts on one frame.
    fn frame<'a>(
        &mut self,
        now: Duration,
        frame: Frame<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        let command = frame.command();
        match (self.state, command) {
            (State::Connecting, Command::Connected) => self.connected(now, frame),
            (State::Open(version) | State::Disconnecting(version, _), Command::Message) => {
                self.message(version, frame)
            }
            (State::Open(_) | State::Disconnecting(..), Command::Receipt) => self.receipt(frame),
            (State::Idle, _) => Err(ConnectionError::UnexpectedCommand(command)),
            (_, Command::Error) => Ok(self.error(frame)),
            _ => Err(ConnectionError::UnexpectedCommand(command)),
        }
    }

    fn connected<'a>(
        &mut self,
        now: Duration,
        frame: Frame<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        // A server that only speaks 1.0 does not say so.
        let version = frame.header("version");
        let version = version.map_or(Some(Version::V1_0), |name| Version::parse(&name));
        let version = version.filter(|version| self.config.versions.contains(version));
        let version = version.ok_or(ConnectionError::NoCommonVersion)?;
        let frame = frame.negotiated(version);
        let mut heart_beat = HeartBeat::NONE;
        if version > Version::V1_0 {
            if let Some(value) = frame.header("heart-beat") {
                heart_beat = HeartBeat::parse(&value).ok_or(ConnectionError::InvalidHeader {
                    command: Command::Connected,
                    header: "heart-beat",
                })?;
            }
            let ours = self.config.heart_beat;
            self.pulse = Pulse::new(now, ours, heart_beat, self.config.tolerance);
        }
        self.deadline = None;
        self.state = State::Open(version);
        Ok(ClientEvent::Connected(Connected {
            version,
            session: frame.header("session"),
            server: frame.header("server"),
            heart_beat,
            frame,
        }))
    }

    fn message<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        let known = Known::of(&frame);
        known.require(Command::Message, version)?;
        let destination = known.destination.unwrap_or_default();
        let message_id = known.message_id.unwrap_or_default();
        let name = known.subscription;
        let subscription = name.as_deref().and_then(parse_number);
        let subscription = subscription
            .filter(|number| (1..=self.last_subscription).contains(number))
            .map(Subscription);
        let mode = subscription.and_then(|subscription| self.subscriptions.get(&subscription));
        let id = match (version, mode) {
            (_, Some(AckMode::Auto)) => None,
            (Version::V1_2, Some(_)) if known.ack.is_none() => {
                return Err(ConnectionError::MissingHeader {
                    command: Command::Message,
                    header: "ack",
                });
            }
            (Version::V1_2, _) => known.ack,
            _ => Some(message_id.clone()),
        };
        let ack = id.map(|id| AckToken {
            id,
            subscription: name.filter(|_| version == Version::V1_1),
        });
        Ok(ClientEvent::Message(Message {
            subscription,
            destination,
            message_id,
            ack,
            frame,
        }))
    }

    fn part<'a>(&mut self, part: Part<'a>) -> ClientEvent<'a> {
        if part.last && matches!(self.state, State::Ending) {
            self.state = State::Closed;
        }
        ClientEvent::Body {
            part: part.bytes,
            last: part.last,
        }
    }

    fn receipt<'a>(&mut self, frame: Frame<'a>) -> Result<ClientEvent<'a>, ConnectionError> {
        let command = Command::Receipt;
        let header = "receipt-id";
        let id = frame.header(header);
        let id = id.ok_or(ConnectionError::MissingHeader { command, header })?;
        let id = parse_number(&id).filter(|id| self.receipts.remove(id));
        let id = id.ok_or(ConnectionError::UnknownReceipt)?;
        if matches!(self.state, State::Disconnecting(_, last) if last == id) {
            self.state = State::Closed;
        }
        Ok(ClientEvent::Receipt(ReceiptId(id)))
    }

    fn error<'a>(&mut self, frame: Frame<'a>) -> ClientEvent<'a> {
        self.outbound.abandon();
        let receipt = frame.header("receipt-id");
        let receipt = receipt.as_deref().and_then(parse_number);
        let receipt = receipt.filter(|id| self.receipts.contains(id));
        self.state = if frame.is_whole() {
            State::Closed
        } else {
            State::Ending
        };
        ClientEvent::Error(ErrorFrame {
            message: frame.header("message"),
            receipt: receipt.map(ReceiptId),
            frame,
        })
    }

    /// Ends the connection for what the server did. A client has no frame to
    /// complain with.
    fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        self.outbound.abandon();
        self.state = State::Closed;
        *self.error.insert(error)
    }
}
