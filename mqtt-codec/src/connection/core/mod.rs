//! What both roles share: packets in, packets out, timers, the end.

mod inbound;
mod outbound;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::alias::{InboundAliases, OutboundAliases};
use super::answer_queue::Answers;
use super::authentication::{Method, Turn};
use super::by_identifier::ByIdentifier;
use super::receive::Parts;
use super::send::Outgoing;
use super::timer::{Timer, Timers};
use super::transmit::Transmit;
use super::{ConnectionError, Handshakes, PeerLimits, SendError, Session};
use crate::{Connect, Limits, Packet, PacketIdentifier, ProtocolVersion, Rule};

#[expect(unreachable_pub, reason = "a sealed trait names it")]
pub use self::inbound::Next;
pub(super) use self::inbound::Taken;
pub(super) use self::outbound::{buffer, indispensable};

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// CONNECT is to be sent, or to come.
    New,
    /// The peer is to answer CONNECT or AUTH.
    AwaitsPeer,
    /// The embedder is to answer CONNECT or AUTH: a server's.
    AwaitsUs,
    /// CONNACK has accepted CONNECT.
    Open,
    Closed,
}

/// A request, and how many topic filters it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// It waits for SUBACK.
    Subscribe(u32),
    /// It waits for UNSUBACK.
    Unsubscribe(u32),
}

/// What CONNECT asked for.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) method: Method,
    /// Whose the next step of an authentication is after CONNACK, at a client also before it.
    pub(super) turn: Turn,
    /// In seconds; CONNACK may have changed it.
    pub(super) keep_alive: u16,
    pub(super) clean_start: bool,
    /// There was no client identifier.
    pub(super) anonymous: bool,
    /// Response Information was asked for.
    pub(super) response_information: bool,
    /// The Session Expiry Interval is not 0.
    pub(super) session_expires_later: bool,
    /// The largest packet, in bytes, that this side said that it takes: a client.
    pub(super) maximum_packet_size: u32,
}

impl Login {
    fn none() -> Self {
        Self {
            method: Method::default(),
            turn: Turn::None,
            keep_alive: 0,
            clean_start: true,
            anonymous: false,
            response_information: false,
            session_expires_later: false,
            maximum_packet_size: u32::MAX,
        }
    }

    pub(super) fn of(connect: &Connect<'_>) -> Self {
        let properties = &connect.properties;
        Self {
            method: Method::of(properties),
            turn: Turn::None,
            keep_alive: connect.keep_alive,
            clean_start: connect.clean_start,
            anonymous: connect.client_identifier.is_empty(),
            response_information: properties.request_response_information() == Some(true),
            session_expires_later: properties
                .session_expiry_interval()
                .is_some_and(|seconds| seconds > 0),
            maximum_packet_size: properties.maximum_packet_size().unwrap_or(u32::MAX),
        }
    }
}

/// What both roles keep.
#[derive(Debug)]
pub struct Core {
    pub(super) side: Side,
    pub(super) phase: Phase,
    /// What ended the connection.
    pub(super) error: Option<Box<ConnectionError>>,
    /// What the connection speaks; until CONNECT, what a server's refusal speaks.
    pub(super) version: ProtocolVersion,
    /// CONNECT has been sent, or has come.
    pub(super) asked: bool,
    pub(super) login: Login,
    /// What is decoded: before login, or after.
    pub(super) limits: Limits,
    pub(super) peer: PeerLimits,

    // Time.
    /// The latest time seen.
    pub(super) now: Duration,
    pub(super) timers: Timers,
    /// When bytes left last.
    pub(super) last_sent: Duration,
    /// How many bytes of the input the last call left over.
    pub(super) left_over: usize,

    pub(super) transmit: Transmit,
    pub(super) session: Session,
    /// Who sends PUBREL and PUBCOMP.
    pub(super) handshakes: Handshakes,

    // Outbound.
    /// The most QoS 1 and QoS 2 messages to have under way.
    pub(super) send_maximum: u16,
    /// How many have been sent on this connection and are not settled.
    pub(super) under_way: u32,
    /// Messages of the session that could not be sent again yet, the first at the end.
    pub(super) unsent: Vec<PacketIdentifier>,
    pub(super) outbound_aliases: Option<Box<OutboundAliases>>,
    /// The message that is being sent in parts.
    pub(super) outgoing: Option<Box<Outgoing>>,

    // Inbound.
    /// The Receive Maximum that the peer was told.
    pub(super) receive_maximum: u16,
    /// How many messages of the peer are under way by its count.
    pub(super) receiving: u32,
    /// QoS 1 messages that wait for PUBACK.
    pub(super) unacknowledged: ByIdentifier<()>,
    /// Requests that wait for an answer: those that a client sent, or a server received.
    pub(super) requests: Option<Box<ByIdentifier<Request>>>,
    pub(super) inbound_aliases: Option<Box<InboundAliases>>,
    /// The PUBLISH that is handed out in parts.
    pub(super) parts: Option<Parts>,
    /// Whether messages are acknowledged as they are handed out.
    pub(super) automatic: bool,
    /// Acknowledgements that are sent in the order of their messages: a client's.
    pub(super) answers: Answers,
}

impl Core {
    pub(super) fn new(side: Side, now: Duration, limits: Limits) -> Self {
        Self {
            side,
            phase: Phase::New,
            error: None,
            version: ProtocolVersion::V5_0,
            asked: false,
            login: Login::none(),
            limits,
            peer: PeerLimits::DEFAULT,
            now,
            timers: Timers::default(),
            last_sent: now,
            left_over: 0,
            transmit: Transmit::default(),
            session: Session::new(),
            handshakes: Handshakes::Automatic,
            send_maximum: 0,
            under_way: 0,
            unsent: Vec::new(),
            outbound_aliases: None,
            outgoing: None,
            receive_maximum: u16::MAX,
            receiving: 0,
            unacknowledged: ByIdentifier::new(),
            requests: None,
            inbound_aliases: None,
            parts: None,
            automatic: false,
            answers: Answers::default(),
        }
    }

    /// Sets what is decoded, and no more than the peer was told.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        let maximum = limits.maximum_packet_size;
        self.limits = Limits {
            maximum_packet_size: maximum.min(self.login.maximum_packet_size),
            ..limits
        };
    }

    /// The time never goes back.
    #[inline]
    pub(super) fn set_now(&mut self, now: Duration) {
        self.now = self.now.max(now);
        self.session.in_flight.date(self.now);
    }

    /// Bytes have left.
    #[inline]
    pub(super) fn sent(&mut self) {
        self.last_sent = self.now;
        self.await_ping();
    }

    /// A client's next PINGREQ is due when nothing has left for the keep alive
    /// (MQTT-3.1.2-20).
    // keeps: 5.0 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-23
    #[inline]
    pub(super) fn await_ping(&mut self) {
        if self.side == Side::Client && self.phase == Phase::Open && self.login.keep_alive > 0 {
            let keep_alive = Duration::from_secs(self.login.keep_alive.into());
            self.timers.set(Timer::Send, self.last_sent, keep_alive);
        }
    }

    /// Queues a PINGREQ, whose answer is to come in time. Also while an earlier one has no
    /// answer: the server counts from the last.
    pub(super) fn ping(&mut self, patience: Duration) -> Result<(), ConnectionError> {
        self.sent();
        // Within a message no other packet can be sent, and its bytes do as well.
        if self.outgoing.is_none() {
            self.answer(&Packet::PingReq)?;
            if !self.timers.runs(Timer::Ping) {
                self.timers.set(Timer::Ping, self.now, patience);
            }
        }
        Ok(())
    }

    /// The protocol is over.
    // keeps: 5.0 MQTT-3.14.4-2, 3.1.1 MQTT-3.14.4-1
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
        self.timers.stop_all();
        self.outgoing = None;
    }

    /// Ends in failure without telling the peer.
    #[cold]
    pub(super) fn end(&mut self, error: ConnectionError) -> ConnectionError {
        self.close();
        self.error = Some(Box::new(error));
        error
    }

    /// The request with this packet identifier, if one waits for its answer.
    #[inline]
    pub(super) fn request(&self, identifier: PacketIdentifier) -> Option<Request> {
        self.requests.as_ref()?.get(identifier).copied()
    }

    pub(super) fn insert_request(&mut self, identifier: PacketIdentifier, request: Request) {
        let requests = self.requests.get_or_insert_default();
        requests.insert(identifier, request);
    }

    /// A request has been answered. Most connections have none but at their beginning.
    pub(super) fn remove_request(&mut self, identifier: PacketIdentifier) {
        if let Some(requests) = &mut self.requests {
            requests.remove(identifier);
            if requests.is_empty() {
                self.requests = None;
            }
        }
    }

    /// That the connection has come as far as this.
    // keeps: 5.0 MQTT-3.1.0-1, 5.0 MQTT-3.1.2-30, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.14.0-1,
    // keeps: 5.0 MQTT-3.14.4-1
    // keeps: 3.1.1 MQTT-3.1.0-1, 3.1.1 MQTT-3.2.0-1, 3.1.1 MQTT-3.14.4-2
    #[inline]
    pub(super) fn expect(&self, phase: Phase) -> Result<(), SendError> {
        match self.phase {
            Phase::Closed => Err(SendError::Closed),
            now if now == phase => Ok(()),
            _ => Err(SendError::NotOpen),
        }
    }

    /// The error for a rule that the peer broke.
    #[cold]
    pub(super) fn violation(&self, rule: Rule) -> ConnectionError {
        ConnectionError::Protocol {
            rule,
            version: self.version,
        }
    }
}
