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

use self::request::receipt_before;
use self::response::{MessageFrame, put_error, put_receipt};
use super::handshake::{negotiate, version_list};
use super::heart_beat::{HeartBeat, Pulse, Tolerance};
use super::known::Known;
use super::stream::{Inbound, Incoming, Outbound};
use super::subscription::{AckMode, Named, Subscription, Subscriptions};
use super::transaction::{Held, Transactions};
use crate::parts::Part;
use crate::version::Syntax;
use crate::{
    Command, ConnectionError, EncodeError, Encoder, Frame, Limits, Role, SendError, Version,
};

/// What a server grants and asks for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The versions that it speaks. Default: all.
    pub versions: Vec<Version>,
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
    /// The SEND whose body is coming.
    partial: Option<Partial>,
    /// How many messages were sent without a subscription.
    unsubscribed: u64,
}

/// A SEND that was not whole.
#[derive(Debug)]
struct Partial {
    /// Held in a transaction, and not handed out.
    is_held: bool,
    receipt: Option<String>,
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

    /// Takes whole frames from the front of `input` until one makes an event.
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
                    let receipt = match self.partial.take() {
                        Some(partial) => partial.receipt.map(Cow::Owned),
                        None => receipt_before(input, error, syntax),
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
    /// to others when the connection is lost.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (Subscription, u64)> + '_ {
        self.subscriptions.unacknowledged()
    }

    /// Opens the session: CONNECTED. Frames that the client has sent behind its
    /// CONNECT are waiting, so that [`receive`](Self::receive) is to be called
    /// next.
    ///
    /// # Errors
    ///
    /// No CONNECT waits for an answer; or what CONNECTED, which has no escapes,
    /// cannot carry.
    // keeps: stomp12/connecting/connected, stomp11/connecting/connected,
    // keeps: stomp10/connecting/connected, stomp12/CONNECTED/version, stomp11/CONNECTED/version,
    // keeps: stomp12/CONNECTED/heart-beat, stomp11/CONNECTED/heart-beat
    pub fn accept(&mut self, now: Duration, accept: &Accept<'_>) -> Result<(), SendError> {
        let State::Deciding(version, theirs) = self.state else {
            return Err(self.not_connected());
        };
        let ours = self.config.heart_beat;
        let mut encoder = Encoder::new(self.outbound.buffer(), version, Command::Connected)?;
        encoder.header("version", version.as_str())?;
        if version > Version::V1_0 {
            // Clients are known that cannot do without the header.
            encoder.header("heart-beat", &alloc::format!("{ours}"))?;
        }
        let session = accept.session.map(|session| ("session", session));
        let server = accept.server.map(|server| ("server", server));
        for (name, value) in session.into_iter().chain(server) {
            encoder.header(name, value)?;
        }
        for (name, value) in accept.headers {
            encoder.header(name, value)?;
        }
        encoder.body(b"")?;
        self.session = accept.session.unwrap_or_default().into();
        if version > Version::V1_0 {
            self.pulse = Pulse::new(now, ours, theirs, self.config.tolerance);
        }
        self.state = State::Open(version);
        Ok(())
    }

    /// Refuses the session: ERROR, and the connection is closed.
    ///
    /// # Errors
    ///
    /// No CONNECT waits for an answer; or what the frame, which has no escapes
    /// yet, cannot carry.
    // keeps: stomp12/connecting/rejected, stomp11/connecting/rejected
    pub fn refuse(&mut self, message: &str, body: &[u8]) -> Result<(), SendError> {
        let State::Deciding(..) = self.state else {
            return Err(self.not_connected());
        };
        self.put_error(None, message, &[], body)?;
        self.close();
        Ok(())
    }

    /// Says that a frame was processed: RECEIPT.
    ///
    /// Receipts need no order. After the one for DISCONNECT the connection is
    /// closed.
    ///
    /// # Errors
    ///
    /// No session is open.
    // keeps: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
    pub fn receipt(&mut self, receipt: &str) -> Result<(), SendError> {
        let (version, last) = match &self.state {
            State::Open(version) => (*version, false),
            State::Disconnecting(version, last) => (*version, last == receipt),
            _ => return Err(self.not_connected()),
        };
        self.put_receipt(version, receipt)?;
        if last {
            self.close();
        }
        Ok(())
    }

    /// Says that something went wrong: ERROR, with the receipt that the frame
    /// asked for, if it was about one that did. The connection is closed.
    ///
    /// # Errors
    ///
    /// No session is open.
    // keeps: stomp12/ERROR/sent, stomp11/ERROR/sent, stomp10/ERROR/sent, stomp12/ERROR/close,
    // keeps: stomp12/ERROR/body, stomp11/ERROR/body, stomp10/ERROR/body
    pub fn error(
        &mut self,
        receipt: Option<&str>,
        message: &str,
        body: &[u8],
    ) -> Result<(), SendError> {
        let (State::Open(_) | State::Disconnecting(..)) = self.state else {
            return Err(self.not_connected());
        };
        self.put_error(receipt, message, &[], body)?;
        self.close();
        Ok(())
    }

    /// Sends a message to a subscription: MESSAGE.
    ///
    /// `message` is the application's own number for it, by which events speak
    /// of it until it is settled. In ack mode `auto` it is settled by this.
    /// `subscription`, `message-id`, `destination`, `ack` and `content-length`
    /// are written here; headers of these names (and `receipt` and
    /// `transaction`) among `headers` are left out.
    ///
    /// # Errors
    ///
    /// No such subscription; or a header that the version cannot carry
    /// ([`Version::check_header`] tells beforehand).
    // keeps: stomp12/UNSUBSCRIBE/stops, stomp11/UNSUBSCRIBE/stops, stomp10/UNSUBSCRIBE/stops
    pub fn message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &[u8],
    ) -> Result<(), SendError> {
        self.put_message(subscription, message, destination, headers, |encoder| {
            encoder.body(body)
        })
    }

    /// Sends a message whose body follows in parts: `content_length` octets by
    /// [`send_body`](Self::send_body). Whatever else is sent waits for the last of
    /// them, heart-beats too; an ERROR for what the client does meanwhile is never
    /// sent. Otherwise as [`message`](Self::message).
    ///
    /// # Errors
    ///
    /// As for `message`; the body of the message before is not all sent.
    pub fn begin_message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        content_length: usize,
    ) -> Result<(), SendError> {
        self.outbound.can_begin_body()?;
        self.put_message(subscription, message, destination, headers, |encoder| {
            encoder.before_body(content_length)
        })?;
        self.outbound.begin_body(content_length);
        Ok(())
    }

    /// Sends the next part of the body of [`begin_message`](Self::begin_message);
    /// gives how many octets remain to be sent.
    ///
    /// # Errors
    ///
    /// The session has ended and no body is open; the part is more than remains.
    pub fn send_body(&mut self, part: &[u8]) -> Result<usize, SendError> {
        // A client that has said DISCONNECT still gets what had begun.
        match self.state {
            State::Open(_) | State::Disconnecting(..) => self.outbound.put_body(part),
            State::Closed if self.outbound.is_in_body() => self.outbound.put_body(part),
            _ => Err(self.not_connected()),
        }
    }

    fn put_message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        end: impl FnOnce(Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let State::Open(version) = self.state else {
            return Err(self.not_connected());
        };
        let entry = self.subscriptions.get(subscription);
        let entry = entry.ok_or(SendError::UnknownSubscription)?;
        let number = entry.next();
        let needs_ack = entry.needs_ack();
        let named = Named {
            subscription,
            number,
        };
        let frame = MessageFrame {
            subscription: entry.id.as_deref(),
            session: &self.session,
            named,
            needs_ack,
            destination,
        };
        frame.write(self.outbound.buffer(), version, headers, end)?;
        self.subscriptions.sent(subscription, message);
        Ok(())
    }

    /// Sends a message that no SUBSCRIBE asked for, under a name of the server's
    /// own in the header `subscription`, as brokers do for replies to a temporary
    /// destination. It cannot be acknowledged. Otherwise as
    /// [`message`](Self::message).
    ///
    /// # Errors
    ///
    /// No session is open; or a header that the version cannot carry.
    pub fn message_unsubscribed<'h>(
        &mut self,
        subscription: &str,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &[u8],
    ) -> Result<(), SendError> {
        let State::Open(version) = self.state else {
            return Err(self.not_connected());
        };
        let frame = MessageFrame {
            subscription: Some(subscription),
            session: &self.session,
            // No SUBSCRIBE gets the number 0.
            named: Named {
                subscription: Subscription(0),
                number: self.unsubscribed + 1,
            },
            needs_ack: false,
            destination,
        };
        let end = |encoder: Encoder<'_>| encoder.body(body);
        frame.write(self.outbound.buffer(), version, headers, end)?;
        self.unsubscribed += 1;
        Ok(())
    }

    /// Acts on one frame.
    // keeps: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
    // keeps: stomp10/connecting/connect-first, stomp12/client-frames/unknown,
    // keeps: stomp11/client-frames/unknown
    fn frame<'a>(&mut self, frame: Frame<'a>) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let command = frame.command();
        let State::Open(version) = self.state else {
            return match command {
                Command::Connect | Command::Stomp => self.connect(frame).map(Some),
                _ => Err(ConnectionError::UnexpectedCommand(command)),
            };
        };
        if command.sender() == Role::Server {
            return Err(ConnectionError::UnexpectedCommand(command));
        }
        let known = Known::of(&frame);
        known.require(command, version)?;
        let event = match command {
            Command::Send => self.send(frame, known)?,
            Command::Subscribe => Some(self.subscribe(version, frame, known)?),
            Command::Unsubscribe => Some(self.unsubscribe(version, known)?),
            Command::Ack | Command::Nack => self.acknowledge(version, frame, known)?,
            Command::Begin => {
                let transaction = known.transaction.unwrap_or_default();
                self.transactions.begin(&transaction, &self.config.limits)?;
                self.answer(version, known.receipt)
            }
            Command::Abort => {
                self.transactions
                    .abort(&known.transaction.unwrap_or_default())?;
                self.answer(version, known.receipt)
            }
            Command::Commit => {
                let transaction = known.transaction.unwrap_or_default();
                let operations = self
                    .transactions
                    .commit(&transaction, &mut self.subscriptions)?;
                Some(ServerEvent::Commit {
                    transaction,
                    operations,
                    receipt: known.receipt,
                })
            }
            Command::Disconnect => Some(self.disconnect(version, known.receipt)),
            _ => return Err(ConnectionError::UnexpectedCommand(command)),
        };
        Ok(event)
    }

    // keeps: stomp12/STOMP/as-connect, stomp11/STOMP/as-connect, stomp12/CONNECT/host,
    // keeps: stomp11/CONNECT/host
    fn connect<'a>(&mut self, frame: Frame<'a>) -> Result<ServerEvent<'a>, ConnectionError> {
        let version = negotiate(&frame, &self.config.versions)?;
        let frame = frame.negotiated(version);
        let command = frame.command();
        for header in command.required_headers(version) {
            if frame.header(header).is_none() {
                return Err(ConnectionError::MissingHeader { command, header });
            }
        }
        let mut heart_beat = HeartBeat::NONE;
        if version > Version::V1_0
            && let Some(value) = frame.header("heart-beat")
        {
            heart_beat = HeartBeat::parse(&value).ok_or(ConnectionError::InvalidHeader {
                command,
                header: "heart-beat",
            })?;
        }
        self.state = State::Deciding(version, heart_beat);
        Ok(ServerEvent::Connect(Connect {
            version,
            host: frame.header("host"),
            login: frame.header("login"),
            passcode: frame.header("passcode"),
            heart_beat,
            frame,
        }))
    }

    fn send<'a>(
        &mut self,
        frame: Frame<'a>,
        known: Known<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        if !frame.is_whole() {
            self.partial = Some(Partial {
                is_held: known.transaction.is_some(),
                receipt: known.receipt.as_deref().map(String::from),
            });
        }
        if let Some(transaction) = known.transaction {
            let limits = &self.config.limits;
            self.transactions
                .hold(&transaction, Held::Send, &frame, limits)?;
            if !frame.is_whole() {
                return Ok(None);
            }
            return Ok(self.answer(frame.version(), known.receipt));
        }
        Ok(Some(ServerEvent::Send(Send {
            destination: known.destination.unwrap_or_default(),
            receipt: known.receipt,
            frame,
        })))
    }

    /// Acts on a part of the body of a SEND.
    fn part<'a>(&mut self, part: Part<'a>) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let is_held = self.partial.as_ref().is_some_and(|partial| partial.is_held);
        if is_held && let Err(error) = self.transactions.hold_part(part, &self.config.limits) {
            let receipt = self.partial.take().and_then(|partial| partial.receipt);
            return Err(self.fail(error, receipt.as_deref()));
        }
        if part.last
            && let Some(partial) = self.partial.take()
            && is_held
            && let State::Open(version) = self.state
        {
            return Ok(self.answer(version, partial.receipt.map(Cow::Owned)));
        }
        Ok((!is_held).then_some(ServerEvent::Body {
            part: part.bytes,
            last: part.last,
        }))
    }

    // keeps: stomp12/SUBSCRIBE-ack/default, stomp11/SUBSCRIBE-ack/default,
    // keeps: stomp10/SUBSCRIBE-ack/default
    fn subscribe<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
        known: Known<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let ack = match &known.ack {
            None => AckMode::Auto,
            Some(value) => {
                AckMode::parse(value, version).ok_or(ConnectionError::InvalidHeader {
                    command: Command::Subscribe,
                    header: "ack",
                })?
            }
        };
        if self.subscriptions.len() >= self.config.limits.subscriptions {
            return Err(ConnectionError::TooManySubscriptions);
        }
        let destination = known.destination.unwrap_or_default();
        let id = known.id.as_deref();
        let subscription = self.subscriptions.open(id, &destination, ack)?;
        Ok(ServerEvent::Subscribe(Subscribe {
            subscription,
            id: known.id,
            destination,
            ack,
            receipt: known.receipt,
            frame,
        }))
    }

    // keeps: stomp10/UNSUBSCRIBE/headers
    fn unsubscribe<'a>(
        &mut self,
        version: Version,
        known: Known<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let destination = known.destination.filter(|_| version == Version::V1_0);
        if known.id.is_none() && destination.is_none() {
            return Err(ConnectionError::MissingHeader {
                command: Command::Unsubscribe,
                header: "destination",
            });
        }
        let closed = self
            .subscriptions
            .close(known.id.as_deref(), destination.as_deref());
        let (subscription, unacknowledged) = closed?;
        Ok(ServerEvent::Unsubscribe {
            subscription,
            unacknowledged,
            receipt: known.receipt,
        })
    }

    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp12/NACK/not-consumed, stomp11/NACK/not-consumed, stomp12/NACK/headers,
    // keeps: stomp11/NACK/headers
    fn acknowledge<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
        known: Known<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let is_ack = frame.command() == Command::Ack;
        let named = if version >= Version::V1_2 {
            known.id.as_deref().and_then(Named::parse)
        } else {
            known.message_id.as_deref().and_then(|id| self.named(id))
        };
        let named = named.ok_or(ConnectionError::UnknownMessage)?;
        let subscription = match version {
            Version::V1_1 => known.subscription.as_deref(),
            _ => None,
        };
        self.subscriptions.check(named, subscription)?;
        if let Some(transaction) = known.transaction {
            let held = if is_ack {
                Held::Ack(named)
            } else {
                Held::Nack(named)
            };
            self.transactions
                .hold(&transaction, held, &frame, &self.config.limits)?;
            return Ok(self.answer(version, known.receipt));
        }
        if !self.subscriptions.is_open(named) {
            return Err(ConnectionError::UnknownMessage);
        }
        let acknowledge = Acknowledge {
            subscription: named.subscription,
            messages: self.subscriptions.settle(named),
            receipt: known.receipt,
            frame,
        };
        Ok(Some(if is_ack {
            ServerEvent::Ack(acknowledge)
        } else {
            ServerEvent::Nack(acknowledge)
        }))
    }

    // keeps: stomp12/BEGIN/aborted, stomp11/BEGIN/aborted
    fn disconnect<'a>(
        &mut self,
        version: Version,
        receipt: Option<Cow<'a, str>>,
    ) -> ServerEvent<'a> {
        let unacknowledged = self.subscriptions.unacknowledged().collect();
        self.close();
        if let Some(receipt) = &receipt {
            self.state = State::Disconnecting(version, String::from(&**receipt));
        }
        ServerEvent::Disconnect {
            unacknowledged,
            receipt,
        }
    }

    /// The message that a `message-id` names.
    fn named(&self, message_id: &str) -> Option<Named> {
        if self.session.is_empty() {
            return Named::parse(message_id);
        }
        let rest = message_id.strip_prefix(&*self.session)?;
        Named::parse(rest.strip_prefix('-')?)
    }

    /// Gives the receipt for what is done already.
    // keeps: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
    fn answer(
        &mut self,
        version: Version,
        receipt: Option<Cow<'_, str>>,
    ) -> Option<ServerEvent<'static>> {
        if let Some(receipt) = receipt {
            // What the client could write in this version can be written back.
            self.put_receipt(version, &receipt).ok();
        }
        None
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
        self.subscriptions.clear();
        self.transactions.clear();
    }

    fn not_connected(&self) -> SendError {
        match self.state {
            State::Disconnecting(..) | State::Closed => SendError::Closed,
            _ => SendError::NotConnected,
        }
    }
}
