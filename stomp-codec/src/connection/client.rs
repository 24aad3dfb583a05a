//! The client role.

mod event;

pub use event::{AckToken, ClientEvent, Connected, ErrorFrame, Message, ReceiptId, Transaction};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BufMut;

use super::handshake::version_list;
use super::heart_beat::{HeartBeat, Pulse, Tolerance};
use super::known::Known;
use super::stream::{Inbound, Incoming, Outbound};
use super::subscription::{AckMode, Subscription, parse_number};
use crate::encoder::Decimal;
use crate::parts::Part;
use crate::version::Syntax;
use crate::{Command, ConnectionError, Encoder, Frame, Limits, SendError, Version};

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
#[derive(Debug, Clone, Copy, Default)]
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

/// The body of a frame that is to be sent.
#[derive(Clone, Copy)]
enum Content<'a> {
    Whole(&'a [u8]),
    /// Its length.
    InParts(usize),
}

impl Content<'_> {
    const EMPTY: Self = Content::Whole(b"");
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

    /// Takes whole frames from the front of `input` until one makes an event.
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

    /// Asks for a session: CONNECT, or STOMP.
    ///
    /// # Errors
    ///
    /// It was asked for before; or what the frame cannot carry.
    // keeps: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
    // keeps: stomp10/connecting/connect-first, stomp12/CONNECT/accept-version,
    // keeps: stomp11/CONNECT/accept-version, stomp12/CONNECT/host, stomp11/CONNECT/host,
    // keeps: stomp12/CONNECT/login, stomp11/CONNECT/login, stomp10/CONNECT/login,
    // keeps: stomp12/CONNECT/heart-beat, stomp11/CONNECT/heart-beat,
    // keeps: stomp12/STOMP/clients-use-connect, stomp11/STOMP/clients-use-connect
    pub fn connect(&mut self, connect: &ConnectOptions<'_>) -> Result<(), SendError> {
        let State::Idle = self.state else {
            return Err(SendError::Closed);
        };
        let command = if connect.stomp_command {
            Command::Stomp
        } else {
            Command::Connect
        };
        let highest = self.config.versions.iter().max();
        let highest = highest.copied().unwrap_or(Version::V1_0);
        let mut encoder = Encoder::new(self.outbound.buffer(), highest, command)?;
        if highest > Version::V1_0 {
            let versions = version_list(&self.config.versions, ",");
            encoder.header("accept-version", &versions)?;
            let heart_beat = alloc::format!("{}", self.config.heart_beat);
            encoder.header("heart-beat", &heart_beat)?;
        }
        encoder.header("host", connect.host)?;
        let login = connect.login.map(|login| ("login", login));
        let passcode = connect.passcode.map(|passcode| ("passcode", passcode));
        for (name, value) in login.into_iter().chain(passcode) {
            encoder.header(name, value)?;
        }
        for (name, value) in connect.headers {
            encoder.header(name, value)?;
        }
        encoder.body(b"")?;
        self.state = State::Connecting;
        Ok(())
    }

    /// Sends a message: SEND.
    ///
    /// `destination`, `transaction`, `receipt` and `content-length` are written
    /// here; headers of these names among `headers` are left out.
    ///
    /// # Errors
    ///
    /// No session; no such transaction; what the version cannot carry.
    // keeps: stomp12/SEND/user-headers-added, stomp11/SEND/user-headers-added
    pub fn send<'h>(
        &mut self,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &[u8],
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let own = [("destination", destination)];
        self.write(Command::Send, &own, headers, Content::Whole(body), options)
    }

    /// Sends a message whose body follows in parts: `content_length` octets by
    /// [`send_body`](Self::send_body). Whatever else is sent waits for the last of
    /// them, heart-beats too. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As for `send`; the body of the message before is not all sent.
    pub fn begin_send<'h>(
        &mut self,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        content_length: usize,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.outbound.can_begin_body()?;
        let own = [("destination", destination)];
        let content = Content::InParts(content_length);
        let receipt = self.write(Command::Send, &own, headers, content, options)?;
        self.outbound.begin_body(content_length);
        Ok(receipt)
    }

    /// Sends the next part of the body of [`begin_send`](Self::begin_send); gives
    /// how many octets remain to be sent.
    ///
    /// # Errors
    ///
    /// The session is over; the part is more than remains.
    pub fn send_body(&mut self, part: &[u8]) -> Result<usize, SendError> {
        match self.state {
            State::Open(_) | State::Disconnecting(..) => self.outbound.put_body(part),
            State::Idle | State::Connecting => Err(SendError::NotConnected),
            State::Ending | State::Closed => Err(SendError::Closed),
        }
    }

    /// Asks for the messages of a destination: SUBSCRIBE.
    ///
    /// # Errors
    ///
    /// No session; an ack mode that the version does not have; what it cannot
    /// carry.
    pub fn subscribe<'h>(
        &mut self,
        destination: &str,
        ack: AckMode,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        options: Options,
    ) -> Result<(Subscription, Option<ReceiptId>), SendError> {
        if !ack.is_in(self.open()?) {
            return Err(SendError::AckMode);
        }
        let number = self.last_subscription + 1;
        let id = Decimal::from_u64(number);
        let own = [
            ("id", id.as_str()),
            ("destination", destination),
            ("ack", ack.as_str()),
        ];
        let receipt = self.write(Command::Subscribe, &own, headers, Content::EMPTY, options)?;
        self.last_subscription = number;
        self.subscriptions.insert(Subscription(number), ack);
        Ok((Subscription(number), receipt))
    }

    /// Ends a subscription: UNSUBSCRIBE. Messages that are under way may still
    /// come.
    ///
    /// # Errors
    ///
    /// No session; no such subscription.
    pub fn unsubscribe(
        &mut self,
        subscription: Subscription,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.open()?;
        if !self.subscriptions.contains_key(&subscription) {
            return Err(SendError::UnknownSubscription);
        }
        let number = Decimal::from_u64(subscription.0);
        let own = [("id", number.as_str())];
        let receipt = self.write(Command::Unsubscribe, &own, [], Content::EMPTY, options)?;
        self.subscriptions.remove(&subscription);
        Ok(receipt)
    }

    /// Says that a message was consumed, and in ack mode `client` all before it:
    /// ACK.
    ///
    /// # Errors
    ///
    /// No session; no such transaction.
    pub fn ack(
        &mut self,
        message: &AckToken<'_>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.acknowledge(Command::Ack, message, options)
    }

    /// Says that a message was not consumed, and in ack mode `client` none of
    /// those before it that are not settled: NACK.
    ///
    /// # Errors
    ///
    /// No session; no such transaction; 1.0 has no NACK.
    pub fn nack(
        &mut self,
        message: &AckToken<'_>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.acknowledge(Command::Nack, message, options)
    }

    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp11/ACK/subscription
    fn acknowledge(
        &mut self,
        command: Command,
        message: &AckToken<'_>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let id = match self.open()? {
            Version::V1_2 => "id",
            _ => "message-id",
        };
        let subscription = message.subscription.as_deref();
        let subscription = subscription.map(|subscription| ("subscription", subscription));
        self.write(
            command,
            &[(id, &message.id)],
            subscription,
            Content::EMPTY,
            options,
        )
    }

    /// Starts a transaction: BEGIN.
    ///
    /// # Errors
    ///
    /// No session.
    pub fn begin(
        &mut self,
        options: Options,
    ) -> Result<(Transaction, Option<ReceiptId>), SendError> {
        let transaction = Transaction(self.last_transaction + 1);
        let receipt = self.bracket(Command::Begin, transaction, options)?;
        self.last_transaction = transaction.0;
        self.transactions.insert(transaction);
        Ok((transaction, receipt))
    }

    /// Ends a transaction and makes it happen: COMMIT.
    ///
    /// # Errors
    ///
    /// No session; no such transaction.
    pub fn commit(
        &mut self,
        transaction: Transaction,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.end(Command::Commit, transaction, options)
    }

    /// Ends a transaction and forgets it: ABORT.
    ///
    /// # Errors
    ///
    /// No session; no such transaction.
    pub fn abort(
        &mut self,
        transaction: Transaction,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.end(Command::Abort, transaction, options)
    }

    fn end(
        &mut self,
        command: Command,
        transaction: Transaction,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.open()?;
        if !self.transactions.contains(&transaction) {
            return Err(SendError::UnknownTransaction);
        }
        let receipt = self.bracket(command, transaction, options)?;
        self.transactions.remove(&transaction);
        Ok(receipt)
    }

    fn bracket(
        &mut self,
        command: Command,
        transaction: Transaction,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let name = Decimal::from_u64(transaction.0);
        let own = [("transaction", name.as_str())];
        self.write(command, &own, [], Content::EMPTY, options)
    }

    /// Ends the session: DISCONNECT, with a receipt. When that comes the
    /// connection is closed; until then messages may still come.
    ///
    /// # Errors
    ///
    /// No session.
    // keeps: stomp12/DISCONNECT/graceful, stomp11/DISCONNECT/graceful,
    // keeps: stomp10/DISCONNECT/graceful
    pub fn disconnect(&mut self) -> Result<ReceiptId, SendError> {
        let version = self.open()?;
        self.write(
            Command::Disconnect,
            &[],
            [],
            Content::EMPTY,
            Options::RECEIPT,
        )?;
        self.state = State::Disconnecting(version, self.last_receipt);
        Ok(ReceiptId(self.last_receipt))
    }

    /// The version of the session, if frames may be sent.
    // keeps: stomp12/DISCONNECT/last, stomp11/DISCONNECT/last
    fn open(&self) -> Result<Version, SendError> {
        match self.state {
            State::Open(version) => Ok(version),
            State::Idle | State::Connecting => Err(SendError::NotConnected),
            State::Disconnecting(..) | State::Ending | State::Closed => Err(SendError::Closed),
        }
    }

    /// Writes one frame: its own headers, those of `options`, then the user's
    /// without the names that are taken.
    // keeps: stomp12/receipt/any-frame, stomp11/receipt/any-frame, stomp10/receipt/any-frame,
    // keeps: stomp12/SEND/transaction, stomp11/SEND/transaction, stomp10/SEND/transaction
    fn write<'h>(
        &mut self,
        command: Command,
        own: &[(&str, &str)],
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        content: Content<'_>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let version = self.open()?;
        let mut encoder = Encoder::new(self.outbound.buffer(), version, command)?;
        for (name, value) in own {
            encoder.header(name, value)?;
        }
        if let Some(transaction) = options.transaction
            && matches!(command, Command::Send | Command::Ack | Command::Nack)
        {
            if !self.transactions.contains(&transaction) {
                return Err(SendError::UnknownTransaction);
            }
            encoder.header("transaction", Decimal::from_u64(transaction.0).as_str())?;
        }
        let receipt = options.receipt.then_some(self.last_receipt + 1);
        if let Some(receipt) = receipt {
            encoder.header("receipt", Decimal::from_u64(receipt).as_str())?;
        }
        for (name, value) in headers {
            let taken = matches!(name, "transaction" | "receipt" | "content-length")
                || own.iter().any(|(own, _)| *own == name);
            if !taken {
                encoder.header(name, value)?;
            }
        }
        match content {
            Content::Whole(body) => encoder.body(body)?,
            Content::InParts(content_length) => encoder.before_body(content_length)?,
        }
        if let Some(receipt) = receipt {
            self.last_receipt = receipt;
            self.receipts.insert(receipt);
        }
        Ok(receipt.map(ReceiptId))
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
