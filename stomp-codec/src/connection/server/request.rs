//! What a server makes of its client's frames.

use alloc::borrow::Cow;
use alloc::string::String;

use super::{
    Acknowledge, Connect, HostHeader, Partial, Send, ServerConnection, ServerEvent, State,
    Subscribe, Target,
};
use crate::connection::handshake::negotiate;
use crate::connection::heart_beat::HeartBeat;
use crate::connection::known::Known;
use crate::connection::subscription::{AckMode, Named};
use crate::connection::transaction::Held;
use crate::parts::Part;
use crate::version::Syntax;
use crate::{Command, ConnectionError, Frame, Role, Version, escape};

impl ServerConnection {
    /// Acts on one frame.
    // keeps: stomp12/connecting/connect-first, stomp11/connecting/connect-first,
    // keeps: stomp10/connecting/connect-first, stomp12/client-frames/unknown,
    // keeps: stomp11/client-frames/unknown
    pub(super) fn frame<'a>(
        &mut self,
        frame: Frame<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
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
        if !frame.is_whole() {
            self.partial = Some(Partial::of(command, &known));
        }
        let event = match command {
            Command::Send => self.send(frame, known)?,
            Command::Subscribe => Some(self.subscribe(frame, known)?),
            Command::Unsubscribe => Some(self.unsubscribe(version, frame, known)?),
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
                    frame,
                })
            }
            Command::Disconnect => Some(self.disconnect(version, frame, known.receipt)),
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

    /// Acts on a part of a body.
    pub(super) fn part<'a>(
        &mut self,
        part: Part<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let target = self.partial.as_ref().map(|partial| partial.target);
        let is_held = target == Some(Target::Transaction);
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
        Ok(
            (target == Some(Target::Event)).then_some(ServerEvent::Body {
                part: part.bytes,
                last: part.last,
            }),
        )
    }

    // keeps: stomp12/SUBSCRIBE-ack/default, stomp11/SUBSCRIBE-ack/default,
    // keeps: stomp10/SUBSCRIBE-ack/default
    fn subscribe<'a>(
        &mut self,
        frame: Frame<'a>,
        known: Known<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let ack = match &known.ack {
            None => AckMode::Auto,
            Some(value) => AckMode::parse(value).ok_or(ConnectionError::InvalidHeader {
                command: Command::Subscribe,
                header: "ack",
            })?,
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
        frame: Frame<'a>,
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
            frame,
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
        frame: Frame<'a>,
        receipt: Option<Cow<'a, str>>,
    ) -> ServerEvent<'a> {
        let unacknowledged = self.subscriptions.unacknowledged().collect();
        self.subscriptions.clear();
        self.close();
        if let Some(receipt) = &receipt {
            self.state = State::Disconnecting(version, String::from(&**receipt));
        }
        ServerEvent::Disconnect {
            unacknowledged,
            receipt,
            frame,
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
}

impl Partial {
    /// For the body behind these headers.
    // keeps: stomp10/body/of-subscribe
    fn of(command: Command, known: &Known<'_>) -> Self {
        if !command.has_body() {
            return Partial {
                target: Target::Nobody,
                receipt: None,
            };
        }
        Partial {
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
pub(super) fn receipt_in(frame: &[u8], good: usize, syntax: Syntax) -> Option<Cow<'_, str>> {
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
