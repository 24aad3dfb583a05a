//! What a client makes of its server's frames.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::headers::KnownHeaders;
use crate::connection::core::Incoming;
use crate::connection::event::{
    AckToken, ClientEvent, Connected, ErrorFrame, Message, ReceiptId, Transaction,
};
use crate::connection::heart_beat::{Agreed, HeartBeat};
use crate::connection::subscription::{AckMode, Subscription, parse_number};
use crate::connection::{Client, ClientConfig, Connection, Role};
use crate::parts::Part;
use crate::version::Syntax;
use crate::{Command, ConnectionError, Frame, Version};

/// What a client keeps.
#[derive(Debug, Default)]
pub struct ClientState {
    /// CONNECT has been sent.
    pub(in crate::connection) connect_sent: bool,
    /// The receipt that answers DISCONNECT.
    pub(in crate::connection) disconnect: Option<u64>,
    /// The body of the ERROR that ends it is coming in parts.
    ending: bool,
    pub(in crate::connection) subscriptions: BTreeMap<Subscription, AckMode>,
    pub(in crate::connection) transactions: BTreeSet<Transaction>,
    pub(in crate::connection) receipts: BTreeSet<u64>,
    pub(in crate::connection) last_subscription: u64,
    pub(in crate::connection) last_transaction: u64,
    pub(in crate::connection) last_receipt: u64,
}

impl Role for Client {
    type Config = ClientConfig;
    type Event<'a> = ClientEvent<'a>;
    type State = ClientState;

    /// The server speaks after CONNECT.
    fn peer_begins_within(_config: &ClientConfig) -> Option<Duration> {
        None
    }

    fn receive<'a>(
        connection: &mut Connection<Self>,
        input: &mut &'a [u8],
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let (syntax, limits) = match connection.core.version {
            // In the middle of a body neither of the two matters.
            None => (
                Syntax::FIRST_FROM_SERVER,
                &connection.config.limits_before_login,
            ),
            Some(version) => (version.syntax(), &connection.config.limits),
        };
        let event = match connection.core.inbound.next(input, syntax, limits) {
            Ok(None) => Ok(None),
            Ok(Some(Incoming::Frame(frame))) => connection.on_frame(frame).map(Some),
            Ok(Some(Incoming::Part(part))) => Ok(Some(connection.on_part(part))),
            Err(error) => Err(error.into()),
        };
        event.map_err(|error| connection.core.fail(error))
    }

    fn receive_eof(connection: &mut Connection<Self>) -> Result<(), ConnectionError> {
        // DISCONNECT waits for the end of a body that nobody reads any more.
        if connection.core.outbound.is_in_body() {
            return Err(connection.core.fail(ConnectionError::UnexpectedEof));
        }
        connection.core.end();
        Ok(())
    }

    /// A client has no frame to complain with.
    fn fail(connection: &mut Connection<Self>, error: ConnectionError) -> ConnectionError {
        connection.core.fail(error)
    }
}

impl Connection<Client> {
    /// Acts on one frame.
    fn on_frame<'a>(&mut self, frame: Frame<'a>) -> Result<ClientEvent<'a>, ConnectionError> {
        let command = frame.command();
        match (command, self.core.version) {
            _ if !self.state.connect_sent => Err(ConnectionError::UnexpectedCommand(command)),
            (Command::Connected, None) => self.on_connected(frame),
            (Command::Message, Some(version)) => self.on_message(version, frame),
            (Command::Receipt, Some(_)) => self.on_receipt(frame),
            (Command::Error, _) => Ok(self.on_error(frame)),
            _ => Err(ConnectionError::UnexpectedCommand(command)),
        }
    }

    fn on_connected<'a>(&mut self, frame: Frame<'a>) -> Result<ClientEvent<'a>, ConnectionError> {
        // A server that only speaks 1.0 does not say so.
        let version = frame.header("version");
        let version = version.map_or(Some(Version::V1_0), |name| name.parse().ok());
        let version = version.filter(|version| self.config.versions.contains(version));
        let version = version.ok_or(ConnectionError::NoCommonVersion)?;
        let frame = frame.negotiated(version);
        let mut heart_beat = HeartBeat::NONE;
        if version > Version::V1_0
            && let Some(value) = frame.header("heart-beat")
        {
            heart_beat = value.parse().map_err(|_| ConnectionError::InvalidHeader {
                command: Command::Connected,
                header: "heart-beat",
            })?;
        }
        let (ours, tolerance) = (self.config.heart_beat, self.config.tolerance);
        self.core
            .open(version, Agreed::new(ours, heart_beat, tolerance));
        Ok(ClientEvent::Connected(Connected {
            version,
            session: frame.header("session"),
            server: frame.header("server"),
            heart_beat,
            frame,
        }))
    }

    fn on_message<'a>(
        &mut self,
        version: Version,
        frame: Frame<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        let known = KnownHeaders::of(&frame);
        known.require(Command::Message, version)?;
        let destination = known.destination.unwrap_or_default();
        let message_id = known.message_id.unwrap_or_default();
        let name = known.subscription;
        let subscription = name.as_deref().and_then(parse_number);
        let subscription = subscription
            .filter(|number| (1..=self.state.last_subscription).contains(number))
            .map(Subscription);
        let mode =
            subscription.and_then(|subscription| self.state.subscriptions.get(&subscription));
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

    fn on_part<'a>(&mut self, part: Part<'a>) -> ClientEvent<'a> {
        if part.is_last() && self.state.ending {
            self.core.end();
        }
        ClientEvent::Body {
            part: part.bytes,
            remaining: part.remaining,
        }
    }

    fn on_receipt<'a>(&mut self, frame: Frame<'a>) -> Result<ClientEvent<'a>, ConnectionError> {
        let command = Command::Receipt;
        let header = "receipt-id";
        let id = frame.header(header);
        let id = id.ok_or(ConnectionError::MissingHeader { command, header })?;
        let id = parse_number(&id).filter(|id| self.state.receipts.remove(id));
        let id = id.ok_or(ConnectionError::UnknownReceipt)?;
        if self.state.disconnect == Some(id) {
            self.core.end();
        }
        Ok(ClientEvent::Receipt(ReceiptId(id)))
    }

    fn on_error<'a>(&mut self, frame: Frame<'a>) -> ClientEvent<'a> {
        self.core.outbound.abandon();
        let receipt = frame.header("receipt-id");
        let receipt = receipt.as_deref().and_then(parse_number);
        let receipt = receipt.filter(|id| self.state.receipts.contains(id));
        if frame.is_whole() {
            self.core.end();
        } else {
            self.state.ending = true;
            self.core.await_last_words(self.config.close_timeout);
        }
        ClientEvent::Error(ErrorFrame {
            summary: frame.header("message"),
            receipt: receipt.map(ReceiptId),
            frame,
        })
    }
}
