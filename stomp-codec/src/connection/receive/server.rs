//! What a server makes of its client's frames.

use alloc::borrow::Cow;
use alloc::string::String;
use core::time::Duration;

use super::headers::KnownHeaders;
use crate::connection::core::{Incoming, Phase};
use crate::connection::event::{Acknowledge, Connect, InboundSend, ServerEvent, Subscribe};
use crate::connection::handshake::{negotiate, version_list};
use crate::connection::heart_beat::HeartBeat;
use crate::connection::send::put_receipt;
use crate::connection::subscription::{AckMode, Named, Subscriptions};
use crate::connection::timer::Timer;
use crate::connection::transaction::{Held, Transactions};
use crate::connection::{
    Connection, Goodbye, HostHeader, Role, Server, ServerConfig, UnmatchedUnsubscribe,
};
use crate::parts::Part;
use crate::version::Syntax;
use crate::{Command, ConnectionError, Frame, SentBy, Version, escape};

/// What a server keeps.
#[derive(Debug, Default)]
pub struct ServerState {
    /// What a CONNECT says that the application decides about: the version and the
    /// client's heart-beats.
    pub(in crate::connection) deciding: Option<(Version, HeartBeat)>,
    /// The receipt of DISCONNECT that is still to be given.
    pub(in crate::connection) farewell: Option<String>,
    pub(in crate::connection) session: String,
    pub(in crate::connection) subscriptions: Subscriptions,
    pub(in crate::connection) transactions: Transactions,
    /// The frame whose body is coming.
    pub(in crate::connection) partial: Option<Partial>,
    /// How many messages were sent without a subscription.
    pub(in crate::connection) unsubscribed: u64,
}

/// A frame that was not whole.
#[derive(Debug)]
pub(in crate::connection) struct Partial {
    target: Target,
    /// The receipt to be given when the body has come, or to be named in ERROR.
    receipt: Option<String>,
}

/// Whom the parts of a body are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    /// The application: a SEND.
    Event,
    /// The transaction that holds the SEND.
    Transaction,
    /// Nobody: 1.0 lets other frames have a body, which is ignored.
    Nobody,
}

impl Role for Server {
    type Config = ServerConfig;
    type Event<'a> = ServerEvent<'a>;
    type State = ServerState;

    fn peer_begins_within(config: &ServerConfig) -> Option<Duration> {
        Some(config.handshake_timeout)
    }

    // keeps: stomp12/RECEIPT/earlier-received
    fn receive<'a>(
        connection: &mut Connection<Self>,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        loop {
            let (syntax, limits) = match (connection.core.phase, connection.core.version) {
                (Phase::Open, Some(version)) => (version.syntax(), &connection.config.limits),
                (Phase::Handshake, _) if connection.state.deciding.is_none() => (
                    Syntax::FIRST_FROM_CLIENT,
                    &connection.config.limits_before_login,
                ),
                (Phase::Handshake, _) => return Ok(None),
                _ => {
                    *input = &[];
                    return Ok(None);
                }
            };
            match connection.core.inbound.next(input, syntax, limits) {
                Ok(None) => return Ok(None),
                Ok(Some(Incoming::Frame(frame))) => match connection.on_frame(frame) {
                    Ok(None) => {}
                    event @ Ok(Some(_)) => return event,
                    Err(error) => {
                        let receipt = frame.header("receipt");
                        return Err(connection.fail_over(error, receipt.as_deref()));
                    }
                },
                Ok(Some(Incoming::Part(part))) => {
                    if let Some(event) = connection.on_part(part)? {
                        return Ok(Some(event));
                    }
                }
                Err(error) => {
                    let is_open = connection.core.phase == Phase::Open;
                    let good = if is_open && error.is_of_command() {
                        // The ERROR names the receipt, which comes after the command.
                        match connection.core.inbound.head(input, syntax, limits) {
                            Some(head) => head,
                            None => return Ok(None),
                        }
                    } else {
                        error.offset
                    };
                    let receipt = match connection.state.partial.take() {
                        Some(partial) => partial.receipt.map(Cow::Owned),
                        None => receipt_in(input, good, syntax),
                    };
                    return Err(connection.fail_over(error.into(), receipt.as_deref()));
                }
            }
        }
    }

    /// The receipt of DISCONNECT is still to be given: the client may have closed its
    /// half of the stream.
    fn receive_eof(_connection: &mut Connection<Self>) -> Result<(), ConnectionError> {
        Ok(())
    }

    fn fail(connection: &mut Connection<Self>, error: ConnectionError) -> ConnectionError {
        connection.fail_over(error, None)
    }
}

impl Connection<Server> {
    /// Ends the connection for what the client did, with an ERROR about it, and the
    /// receipt that its frame asked for.
    // keeps: stomp12/SEND/error, stomp11/SEND/error, stomp12/SUBSCRIBE/error,
    // keeps: stomp11/SUBSCRIBE/error, stomp12/size-limits/error, stomp11/size-limits/error,
    // keeps: stomp12/protocol-negotiation/no-common-version,
    // keeps: stomp11/protocol-negotiation/no-common-version,
    // keeps: stomp12/protocol-negotiation/no-common-version-lists,
    // keeps: stomp11/protocol-negotiation/no-common-version-lists, stomp12/ERROR/close
    fn fail_over(&mut self, error: ConnectionError, receipt: Option<&str>) -> ConnectionError {
        let summary = &*alloc::format!("{error}");
        let goodbye = Goodbye {
            receipt,
            summary,
            ..Goodbye::default()
        };
        if error == ConnectionError::NoCommonVersion {
            let versions = version_list(&self.config.versions, ",");
            let body = version_list(&self.config.versions, " ");
            let body = alloc::format!("Supported protocol versions are {body}");
            let goodbye = Goodbye {
                receipt: None,
                headers: &[("version", &versions)],
                body: body.as_bytes(),
                ..goodbye
            };
            self.put_error(&goodbye).ok();
        } else if self.put_error(&goodbye).is_err() {
            // Before there is a version, there is a receipt only where there must be
            // none, and it may not be possible to write it.
            let receipt = None;
            self.put_error(&Goodbye { receipt, ..goodbye }).ok();
        }
        self.state.transactions.clear();
        self.core.fail(error)
    }

    /// Acts on one frame.
    // keeps: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
    // keeps: stomp10/connecting/connect-first, stomp12/client-frames/unknown,
    // keeps: stomp11/client-frames/unknown
    fn on_frame<'a>(
        &mut self,
        frame: Frame<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let command = frame.command();
        let Some(version) = self.core.version else {
            return match command {
                Command::Connect | Command::Stomp => self.on_connect(frame).map(Some),
                _ => Err(ConnectionError::UnexpectedCommand(command)),
            };
        };
        if command.sent_by() == SentBy::Server {
            return Err(ConnectionError::UnexpectedCommand(command));
        }
        let known = KnownHeaders::of(&frame);
        known.require(command, version)?;
        if !frame.is_whole() {
            self.state.partial = Some(Partial::of(command, &known));
        }
        match command {
            Command::Send => self.on_send(frame, known),
            Command::Subscribe => self.on_subscribe(frame, known).map(Some),
            Command::Unsubscribe => self.on_unsubscribe(version, frame, known).map(Some),
            Command::Ack | Command::Nack => self.on_acknowledge(version, frame, known),
            Command::Begin => {
                let transaction = known.transaction.unwrap_or_default();
                self.state
                    .transactions
                    .begin(&transaction, &self.config.limits)?;
                self.answer(version, known.receipt)
            }
            Command::Abort => {
                self.state
                    .transactions
                    .abort(&known.transaction.unwrap_or_default())?;
                self.answer(version, known.receipt)
            }
            Command::Commit => {
                let transaction = known.transaction.unwrap_or_default();
                let ServerState {
                    transactions,
                    subscriptions,
                    ..
                } = &mut self.state;
                let operations = transactions.commit(&transaction, subscriptions)?;
                Ok(Some(ServerEvent::Commit {
                    transaction,
                    operations,
                    receipt: known.receipt,
                    frame,
                }))
            }
            Command::Disconnect => Ok(Some(self.on_disconnect(frame, known.receipt))),
            _ => Err(ConnectionError::UnexpectedCommand(command)),
        }
    }

    // keeps: stomp12/STOMP/as-connect, stomp11/STOMP/as-connect, stomp12/CONNECT/host,
    // keeps: stomp11/CONNECT/host
    fn on_connect<'a>(&mut self, frame: Frame<'a>) -> Result<ServerEvent<'a>, ConnectionError> {
        let version = negotiate(&frame, &self.config.versions)?;
        let frame = frame.negotiated(version);
        let command = frame.command();
        let is_needed = |header: &str| match self.config.host_header {
            HostHeader::Required => true,
            HostHeader::Optional => header != "host",
        };
        for header in command.required_headers(version) {
            if is_needed(header) && frame.header(header).is_none() {
                return Err(ConnectionError::MissingHeader { command, header });
            }
        }
        let mut heart_beat = HeartBeat::NONE;
        if version > Version::V1_0
            && let Some(value) = frame.header("heart-beat")
        {
            heart_beat = value.parse().map_err(|_| ConnectionError::InvalidHeader {
                command,
                header: "heart-beat",
            })?;
        }
        self.state.deciding = Some((version, heart_beat));
        self.core.timers.stop(Timer::Handshake);
        Ok(ServerEvent::Connect(Connect {
            version,
            host: frame.header("host"),
            login: frame.header("login"),
            passcode: frame.header("passcode"),
            heart_beat,
            frame,
        }))
    }

    fn on_send<'a>(
        &mut self,
        frame: Frame<'a>,
        known: KnownHeaders<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        if let Some(transaction) = known.transaction {
            let limits = &self.config.limits;
            self.state
                .transactions
                .hold(&transaction, Held::Send, &frame, limits)?;
            if !frame.is_whole() {
                return Ok(None);
            }
            return self.answer(frame.version(), known.receipt);
        }
        Ok(Some(ServerEvent::Send(InboundSend {
            destination: known.destination.unwrap_or_default(),
            receipt: known.receipt,
            frame,
        })))
    }

    /// Acts on a part of a body.
    fn on_part<'a>(&mut self, part: Part<'a>) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let target = self.state.partial.as_ref().map(|partial| partial.target);
        let is_held = target == Some(Target::Transaction);
        if is_held && let Err(error) = self.state.transactions.hold_part(part, &self.config.limits)
        {
            let receipt = self
                .state
                .partial
                .take()
                .and_then(|partial| partial.receipt);
            return Err(self.fail_over(error, receipt.as_deref()));
        }
        if part.is_last()
            && let Some(partial) = self.state.partial.take()
            && is_held
            && let Some(version) = self.core.version
        {
            let answered = self.answer(version, partial.receipt.map(Cow::Owned));
            return answered.map_err(|error| self.fail_over(error, None));
        }
        Ok(
            (target == Some(Target::Event)).then_some(ServerEvent::Body {
                part: part.bytes,
                remaining: part.remaining,
            }),
        )
    }

    // keeps: stomp12/SUBSCRIBE-ack/default, stomp11/SUBSCRIBE-ack/default,
    // keeps: stomp10/SUBSCRIBE-ack/default
    fn on_subscribe<'a>(
        &mut self,
        frame: Frame<'a>,
        known: KnownHeaders<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let ack = match &known.ack {
            None => AckMode::Auto,
            Some(value) => value.parse().map_err(|_| ConnectionError::InvalidHeader {
                command: Command::Subscribe,
                header: "ack",
            })?,
        };
        if self.state.subscriptions.len() >= self.config.limits.subscriptions {
            return Err(ConnectionError::TooManySubscriptions);
        }
        let destination = known.destination.unwrap_or_default();
        let id = known.id.as_deref();
        let subscription = self.state.subscriptions.open(id, &destination, ack)?;
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
    fn on_unsubscribe<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
        known: KnownHeaders<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let destination = known.destination.filter(|_| version == Version::V1_0);
        if known.id.is_none() && destination.is_none() {
            return Err(ConnectionError::MissingHeader {
                command: Command::Unsubscribe,
                header: "destination",
            });
        }
        let closed = self
            .state
            .subscriptions
            .close(known.id.as_deref(), destination.as_deref());
        let passes_on = self.config.unmatched_unsubscribe == UnmatchedUnsubscribe::PassedOn;
        let (subscription, unacknowledged) = match closed {
            Err(ConnectionError::UnknownSubscription) if passes_on => {
                let receipt = known.receipt;
                return Ok(ServerEvent::UnmatchedUnsubscribe { receipt, frame });
            }
            closed => closed?,
        };
        Ok(ServerEvent::Unsubscribe {
            subscription,
            unacknowledged,
            receipt: known.receipt,
            frame,
        })
    }

    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp12/NACK/not-consumed, stomp11/NACK/not-consumed, stomp12/NACK/headers,
    // keeps: stomp11/NACK/headers
    fn on_acknowledge<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
        known: KnownHeaders<'a>,
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
        self.state.subscriptions.check(named, subscription)?;
        if let Some(transaction) = known.transaction {
            let held = if is_ack {
                Held::Ack(named)
            } else {
                Held::Nack(named)
            };
            self.state
                .transactions
                .hold(&transaction, held, &frame, &self.config.limits)?;
            return self.answer(version, known.receipt);
        }
        let settled = self.state.subscriptions.settle_open(named);
        let acknowledge = Acknowledge {
            subscription: named.subscription,
            deliveries: settled.ok_or(ConnectionError::UnknownMessage)?,
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
    fn on_disconnect<'a>(
        &mut self,
        frame: Frame<'a>,
        receipt: Option<Cow<'a, str>>,
    ) -> ServerEvent<'a> {
        let unacknowledged = self.state.subscriptions.unacknowledged().collect();
        self.state.subscriptions.clear();
        self.state.transactions.clear();
        if let Some(receipt) = &receipt {
            self.core.expect_nothing();
            self.state.farewell = Some(String::from(&**receipt));
        } else {
            self.core.end();
        }
        ServerEvent::Disconnect {
            unacknowledged,
            receipt,
            frame,
        }
    }

    /// The message that a `message-id` names.
    fn named(&self, message_id: &str) -> Option<Named> {
        if self.state.session.is_empty() {
            return Named::parse(message_id);
        }
        let rest = message_id.strip_prefix(&*self.state.session)?;
        Named::parse(rest.strip_prefix('-')?)
    }

    /// Sends the receipt for what is done already.
    // keeps: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
    fn answer(
        &mut self,
        version: Version,
        receipt: Option<Cow<'_, str>>,
    ) -> Result<Option<ServerEvent<'static>>, ConnectionError> {
        let Some(receipt) = receipt else {
            return Ok(None);
        };
        let sent = self.core.outbound.answer(|out| {
            // What the client could write in this version can be written back.
            put_receipt(out, version, &receipt).ok();
        });
        match sent {
            true => Ok(None),
            false => Err(ConnectionError::TooManyReceipts),
        }
    }
}

impl Partial {
    /// For the body after these headers.
    // keeps: stomp10/body/of-subscribe
    fn of(command: Command, known: &KnownHeaders<'_>) -> Self {
        if !command.has_body() {
            return Self {
                target: Target::Nobody,
                receipt: None,
            };
        }
        Self {
            target: match known.transaction {
                Some(_) => Target::Transaction,
                None => Target::Event,
            },
            receipt: known.receipt.as_deref().map(String::from),
        }
    }
}

/// The receipt that the first `good` bytes of a frame ask for whose decoding failed
/// ("the ERROR frame SHOULD set the receipt-id header").
// keeps: stomp12/ERROR/receipt-id, stomp11/ERROR/receipt-id
fn receipt_in(frame: &[u8], good: usize, syntax: Syntax) -> Option<Cow<'_, str>> {
    // The end of what is too long can be after all that has come.
    let good = frame.get(..good.min(frame.len()))?;
    let mut lines = good.split_inclusive(|&byte| byte == b'\n').skip(1);
    let value = lines
        .by_ref()
        .take_while(|line| !matches!(line, [b'\n'] | [b'\r', b'\n']))
        .find_map(|line| line.strip_prefix(b"receipt:")?.strip_suffix(b"\n"))?;
    let value = value
        .strip_suffix(b"\r")
        .filter(|_| syntax.crlf)
        .unwrap_or(value);
    let value = core::str::from_utf8(value).ok()?;
    let value = if syntax.trim {
        escape::trim(value)
    } else {
        value
    };
    let defined = escape::undefined_escape(syntax.escapes, value.as_bytes()).is_none();
    defined.then(|| escape::unescape(syntax.escapes, value))
}
