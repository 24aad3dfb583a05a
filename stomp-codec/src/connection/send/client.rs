//! What a client's user asks for, and the frames that ask.

use alloc::format;
use core::fmt;
use core::time::Duration;

use crate::connection::core::Phase;
use crate::connection::handshake::version_list;
use crate::connection::subscription::{AckMode, Subscription};
use crate::connection::timer::Timer;
use crate::connection::{AckToken, Client, Connection, ReceiptId, Transaction};
use crate::encoder::Decimal;
use crate::setters::setters;
use crate::{Command, Encoder, Header, Headers, SendError, Version};

/// What goes into CONNECT ("CONNECT or STOMP Frame"), besides the versions and
/// the heart-beats.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct ConnectOptions<'a> {
    /// The virtual host: `/` at RabbitMQ and `mq-server`. 1.1 and 1.2 require the header.
    pub host: &'a str,
    /// Who the client is.
    pub login: Option<&'a str>,
    /// How it proves that.
    pub passcode: Option<&'a str>,
    /// More headers (`client-id`).
    pub headers: &'a [(&'a str, &'a str)],
    /// Which of the two frames to send.
    pub opening: Opening,
}

impl<'a> ConnectOptions<'a> {
    /// To this virtual host, and nothing else.
    #[must_use]
    pub fn new(host: &'a str) -> Self {
        Self {
            host,
            ..Self::default()
        }
    }
}

setters! { ConnectOptions<'a> {
    with_login(login: &'a str) = Some(login);
    with_passcode(passcode: &'a str) = Some(passcode);
    with_headers(headers: &'a [(&'a str, &'a str)]);
    with_opening(opening: Opening);
} }

/// The frame that asks for a session ("CONNECT or STOMP Frame").
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Opening {
    /// CONNECT, which every server knows.
    #[default]
    Connect,
    /// STOMP, which only servers of 1.1 and 1.2 know.
    Stomp,
}

/// Without the passcode, which does not belong in a log.
impl fmt::Debug for ConnectOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("host", &self.host)
            .field("login", &self.login)
            .field("passcode", &self.passcode.map(|_| "..."))
            .field("headers", &self.headers)
            .field("opening", &self.opening)
            .finish()
    }
}

/// What may go with most frames.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Options {
    /// Make it a part of this transaction. For SEND, ACK and NACK.
    pub transaction: Option<Transaction>,
    /// Ask for a receipt.
    pub receipt: bool,
}

impl Options {
    /// Ask for a receipt, and nothing else.
    pub const RECEIPT: Self = Self {
        transaction: None,
        receipt: true,
    };
}

setters! { Options {
    with_transaction(transaction: Transaction) = Some(transaction);
    with_receipt(receipt: bool);
} }

/// The body of a frame that is to be sent.
#[derive(Clone, Copy)]
enum Content<'a> {
    Whole(&'a [u8]),
    /// Its length.
    InParts(u64),
}

impl Content<'_> {
    const EMPTY: Self = Content::Whole(b"");
}

impl Connection<Client> {
    /// Asks for a session: CONNECT, or STOMP.
    ///
    /// # Errors
    ///
    /// It was asked for before; a header `receipt`; or what the frame cannot carry.
    // keeps: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
    // keeps: stomp10/connecting/connect-first, stomp12/CONNECT/accept-version,
    // keeps: stomp11/CONNECT/accept-version, stomp12/CONNECT/host, stomp11/CONNECT/host,
    // keeps: stomp12/CONNECT/login, stomp11/CONNECT/login, stomp10/CONNECT/login,
    // keeps: stomp12/CONNECT/heart-beat, stomp11/CONNECT/heart-beat,
    // keeps: stomp12/STOMP/clients-use-connect, stomp11/STOMP/clients-use-connect
    pub fn connect(
        &mut self,
        now: Duration,
        connect: &ConnectOptions<'_>,
    ) -> Result<(), SendError> {
        self.core.set_now(now);
        if self.core.phase != Phase::Handshake || self.state.connect_sent {
            return Err(self.core.out_of_turn());
        }
        if connect.headers.iter().any(|(name, _)| *name == "receipt") {
            return Err(SendError::ReceiptOfConnect);
        }
        let command = match connect.opening {
            Opening::Connect => Command::Connect,
            Opening::Stomp => Command::Stomp,
        };
        let highest = self.config.versions.iter().max();
        let highest = highest.copied().unwrap_or(Version::V1_0);
        let mut encoder = Encoder::new(self.core.outbound.buffer(), highest, command)?;
        if highest > Version::V1_0 {
            let versions = version_list(&self.config.versions, ",");
            encoder.named("accept-version", &versions)?;
            let heart_beat = format!("{}", self.config.heart_beat);
            encoder.named("heart-beat", &heart_beat)?;
        }
        encoder.named("host", connect.host)?;
        let login = connect.login.map(|login| ("login", login));
        let passcode = connect.passcode.map(|passcode| ("passcode", passcode));
        for (name, value) in login.into_iter().chain(passcode) {
            encoder.header(name, value)?;
        }
        for (name, value) in connect.headers {
            encoder.header(name, value)?;
        }
        encoder.body(b"")?;
        self.state.connect_sent = true;
        self.core
            .start(Timer::Handshake, self.config.handshake_timeout);
        Ok(())
    }

    /// Sends a message: SEND.
    ///
    /// `destination`, `transaction`, `receipt` and `content-length` are written
    /// here; headers of these names among `headers` are left out.
    ///
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// # Errors
    ///
    /// No session; no such transaction; what the version cannot carry.
    // keeps: stomp12/SEND/user-headers-added, stomp11/SEND/user-headers-added
    pub fn send<'h>(
        &mut self,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        body: &[u8],
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let own = [("destination", destination)];
        self.write(Command::Send, &own, headers, Content::Whole(body), options)
    }

    /// Sends a message whose body follows in parts: `body_size` bytes by
    /// [`send_body`](Self::send_body). Whatever else is sent waits for the last of
    /// them, heart-beats too. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As for `send`; the body of the message before is not all sent.
    pub fn begin_send<'h>(
        &mut self,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        body_size: u64,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.core.outbound.can_begin_body()?;
        let own = [("destination", destination)];
        let content = Content::InParts(body_size);
        let receipt = self.write(Command::Send, &own, headers, content, options)?;
        self.core.outbound.begin_body(body_size);
        Ok(receipt)
    }

    /// Asks for the messages of a destination: SUBSCRIBE.
    ///
    /// Returns the subscription, and `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// STOMP has no prefetch: a server sends as many messages as it likes before the first is
    /// acknowledged, unless a header of its own bounds them (`prefetch-count` of RabbitMQ).
    ///
    /// # Errors
    ///
    /// No session; an ack mode that the version does not have; what it cannot
    /// carry.
    pub fn subscribe<'h>(
        &mut self,
        destination: &str,
        ack: AckMode,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        options: Options,
    ) -> Result<(Subscription, Option<ReceiptId>), SendError> {
        if !ack.is_in(self.core.writable()?) {
            return Err(SendError::AckMode);
        }
        let number = self.state.last_subscription + 1;
        let id = Decimal::from_u64(number);
        let own = [
            ("id", id.as_str()),
            ("destination", destination),
            ("ack", ack.as_str()),
        ];
        let receipt = self.write(Command::Subscribe, &own, headers, Content::EMPTY, options)?;
        self.state.last_subscription = number;
        self.state.subscriptions.insert(Subscription(number), ack);
        Ok((Subscription(number), receipt))
    }

    /// Ends a subscription: UNSUBSCRIBE. Messages that are under way may still
    /// come.
    ///
    /// `headers` are for what a broker defines beyond the specification, such as
    /// the end of a durable subscription.
    ///
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// # Errors
    ///
    /// No session; no such subscription; what the version cannot carry.
    pub fn unsubscribe<'h>(
        &mut self,
        subscription: Subscription,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.core.writable()?;
        if !self.state.subscriptions.contains_key(&subscription) {
            return Err(SendError::UnknownSubscription);
        }
        let number = Decimal::from_u64(subscription.0);
        let own = [("id", number.as_str())];
        let receipt = self.write(Command::Unsubscribe, &own, headers, Content::EMPTY, options)?;
        self.state.subscriptions.remove(&subscription);
        Ok(receipt)
    }

    /// Says that a message was consumed, and in ack mode `client` all before it:
    /// ACK.
    ///
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// # Errors
    ///
    /// No session; no such transaction; what the version cannot carry.
    pub fn ack<'h>(
        &mut self,
        message: &AckToken<'_>,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.acknowledge(Command::Ack, message, headers, options)
    }

    /// Says that a message was not consumed, and in ack mode `client` none of
    /// those before it that are not settled: NACK.
    ///
    /// What becomes of it is the server's to decide; `headers` are for what a
    /// broker lets its client say about that (`requeue` of RabbitMQ).
    ///
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// # Errors
    ///
    /// No session; no such transaction; 1.0 has no NACK; what the version cannot
    /// carry.
    pub fn nack<'h>(
        &mut self,
        message: &AckToken<'_>,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        self.acknowledge(Command::Nack, message, headers, options)
    }

    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp11/ACK/subscription
    fn acknowledge<'h>(
        &mut self,
        command: Command,
        message: &AckToken<'_>,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let id = match self.core.writable()? {
            Version::V1_2 => "id",
            _ => "message-id",
        };
        let id = (id, &*message.id);
        match message.subscription.as_deref() {
            Some(subscription) => {
                let own = [id, ("subscription", subscription)];
                self.write(command, &own, headers, Content::EMPTY, options)
            }
            None => self.write(command, &[id], headers, Content::EMPTY, options),
        }
    }

    /// Starts a transaction: BEGIN.
    ///
    /// Returns the transaction, and `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
    ///
    /// # Errors
    ///
    /// No session.
    pub fn begin(
        &mut self,
        options: Options,
    ) -> Result<(Transaction, Option<ReceiptId>), SendError> {
        let transaction = Transaction(self.state.last_transaction + 1);
        let receipt = self.bracket(Command::Begin, transaction, options)?;
        self.state.last_transaction = transaction.0;
        self.state.transactions.insert(transaction);
        Ok((transaction, receipt))
    }

    /// Ends a transaction and makes it happen: COMMIT.
    ///
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
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
    /// Returns `Some` receipt if and only if `options` ask for one; the event
    /// [`Receipt`](crate::connection::ClientEvent::Receipt) will have it.
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
        self.core.writable()?;
        if !self.state.transactions.contains(&transaction) {
            return Err(SendError::UnknownTransaction);
        }
        let receipt = self.bracket(command, transaction, options)?;
        self.state.transactions.remove(&transaction);
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
        self.write(command, &own, Headers::NONE, Content::EMPTY, options)
    }

    /// Ends the session: DISCONNECT, with a receipt. When that comes the
    /// connection is closed. Until then messages may still come, which can no longer be
    /// acknowledged: a server delivers them again, to whoever subscribes next.
    ///
    /// # Errors
    ///
    /// No session.
    // keeps: stomp12/DISCONNECT/graceful, stomp11/DISCONNECT/graceful,
    // keeps: stomp10/DISCONNECT/graceful, stomp12/DISCONNECT/last, stomp11/DISCONNECT/last
    pub fn close(&mut self, now: Duration) -> Result<ReceiptId, SendError> {
        self.core.set_now(now);
        let (command, none) = (Command::Disconnect, Headers::NONE);
        self.write(command, &[], none, Content::EMPTY, Options::RECEIPT)?;
        let receipt = self.state.last_receipt;
        self.state.disconnect = Some(receipt);
        self.core.phase = Phase::Closing;
        self.core.start(Timer::Close, self.config.close_timeout);
        Ok(ReceiptId(receipt))
    }

    /// Writes one frame: its own headers, those of `options`, then the user's
    /// without the names that are taken.
    // keeps: stomp12/receipt/any-frame, stomp11/receipt/any-frame, stomp10/receipt/any-frame,
    // keeps: stomp12/SEND/transaction, stomp11/SEND/transaction, stomp10/SEND/transaction
    fn write<'h>(
        &mut self,
        command: Command,
        own: &[(&'static str, &str)],
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        content: Content<'_>,
        options: Options,
    ) -> Result<Option<ReceiptId>, SendError> {
        let version = self.core.writable()?;
        let mut encoder = Encoder::new(self.core.outbound.buffer(), version, command)?;
        for (name, value) in own {
            encoder.named(name, value)?;
        }
        if let Some(transaction) = options.transaction
            && matches!(command, Command::Send | Command::Ack | Command::Nack)
        {
            if !self.state.transactions.contains(&transaction) {
                return Err(SendError::UnknownTransaction);
            }
            encoder.named("transaction", Decimal::from_u64(transaction.0).as_str())?;
        }
        let receipt = options.receipt.then_some(self.state.last_receipt + 1);
        if let Some(receipt) = receipt {
            encoder.named("receipt", Decimal::from_u64(receipt).as_str())?;
        }
        for header in headers {
            let Header { name, value } = &header.into();
            let taken = matches!(&**name, "transaction" | "receipt" | "content-length")
                || own.iter().any(|(own, _)| own == name);
            if !taken {
                encoder.header(name, value)?;
            }
        }
        match content {
            Content::Whole(body) => encoder.body(body)?,
            Content::InParts(body_size) => encoder.before_body(body_size)?,
        }
        if let Some(receipt) = receipt {
            self.state.last_receipt = receipt;
            self.state.receipts.insert(receipt);
        }
        Ok(receipt.map(ReceiptId))
    }
}
