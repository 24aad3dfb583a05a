//! The client's end of a connection.

mod config;
mod event;
mod request;

pub use config::{Acknowledgements, ClientConfig};
pub use event::ClientEvent;

use core::time::Duration;

use bytes::BufMut;

use super::alias::{InboundAliases, OutboundAliases};
use super::authentication::Method;
use super::exchange::{Exchange, PeerLimits, Request, Role};
use super::inbound::Taken;
use super::{ConnectionError, SendError, Session};
use crate::{
    Auth, ConnAck, Connect, Disconnect, Packet, PacketSet, PropertyIdentifier, ProtocolVersion,
    ReasonCode, Rule, SubAck, UnsubAck,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been sent.
    New,
    /// CONNACK is to come.
    Connecting,
    Connected,
    Closed,
}

/// Whose the next step of an authentication is (section 4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// There is no authentication going on.
    None,
    /// The server is to answer.
    Server,
    /// The embedder is to answer.
    Client,
}

/// The client's end of one network connection: a state machine without I/O.
///
/// How it is driven is told at [`connection`](crate::connection).
#[derive(Debug)]
pub struct ClientConnection {
    exchange: Exchange,
    config: ClientConfig,
    state: State,
    error: Option<ConnectionError>,
    /// The latest time that was told.
    now: Duration,
    /// For CONNACK, or for PINGRESP while a PINGREQ has none.
    deadline: Option<Duration>,
    /// When a packet was queued last.
    last_sent: Duration,
    keep_alive: u16,
    method: Method,
    turn: Turn,
    clean_start: bool,
    anonymous: bool,
    response_information: bool,
    session_expires_later: bool,
    topic_alias_maximum: u16,
}

impl ClientConnection {
    /// A connection on which nothing has been sent yet.
    #[must_use]
    pub fn new(now: Duration, config: ClientConfig) -> Self {
        Self {
            exchange: Exchange::new(Role::Client, config.limits),
            config,
            state: State::New,
            error: None,
            now,
            deadline: None,
            last_sent: now,
            keep_alive: 0,
            method: Method::default(),
            turn: Turn::None,
            clean_start: true,
            anonymous: false,
            response_information: false,
            session_expires_later: false,
            topic_alias_maximum: 0,
        }
    }

    /// Sends CONNECT. `session` is what an earlier connection left; it goes on if the
    /// server still has its part of it, and is dropped if not (MQTT-3.2.2-5).
    ///
    /// # Errors
    /// When CONNECT has been sent, cannot be encoded, or wants a Clean Start with a
    /// session that is not empty.
    // keeps: 5.0 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-6
    pub fn connect(
        &mut self,
        now: Duration,
        connect: &Connect<'_>,
        session: Session,
    ) -> Result<(), SendError> {
        self.expect(State::New)?;
        if connect.clean_start && !session.is_empty() {
            return Err(SendError::SessionPresent);
        }
        let exchange = &mut self.exchange;
        exchange.send(&Packet::Connect(*connect))?;
        let properties = &connect.properties;
        exchange.version = connect.protocol_version;
        if let Some(bytes) = properties.maximum_packet_size() {
            let limit = &mut exchange.limits.maximum_packet_size;
            *limit = bytes.min(*limit);
        }
        exchange.receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX);
        exchange.automatic = self.config.acknowledgements == Acknowledgements::Automatic;
        self.method = Method::of(properties);
        self.turn = Turn::Server;
        self.topic_alias_maximum = properties.topic_alias_maximum().unwrap_or(0);
        self.clean_start = connect.clean_start;
        self.anonymous = connect.client_identifier.is_empty();
        self.response_information = properties.request_response_information() == Some(true);
        self.session_expires_later = properties
            .session_expiry_interval()
            .is_some_and(|seconds| seconds > 0);
        self.keep_alive = connect.keep_alive;
        exchange.session = session;
        self.state = State::Connecting;
        self.now = self.now.max(now);
        self.last_sent = self.now;
        self.deadline = self.now.checked_add(self.config.connect_timeout);
        Ok(())
    }

    /// Takes packets from the front of `input` until one makes an event.
    ///
    /// `Ok(None)`: what is left is an incomplete packet. Keep it, and present it again in
    /// front of what comes next.
    ///
    /// # Errors
    /// When the server breaks the protocol. What there is to tell it is then to be had
    /// from [`poll_transmit`](Self::poll_transmit), and the connection is over.
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.now = self.now.max(now);
        loop {
            if self.state == State::Closed {
                *input = &[];
                return Ok(None);
            }
            let waiting = self.exchange.transmit.len();
            let publish = match self.state {
                State::Connected => self.exchange.publish_comes(input),
                _ => None,
            };
            let handled = if let Some(first) = publish {
                match self.exchange.take_publish(first, input, |_| Ok(())) {
                    Ok(Taken::Incomplete) => return Ok(None),
                    Ok(Taken::Nothing) => Ok(None),
                    Ok(Taken::Publish(publish)) => Ok(Some(ClientEvent::Publish(publish))),
                    Ok(Taken::Payload { part, remaining }) => {
                        Ok(Some(ClientEvent::Payload { part, remaining }))
                    }
                    Err(error) => Err(error),
                }
            } else {
                match &self.exchange.decode(input) {
                    Ok(None) => return Ok(None),
                    Ok(Some((packet, length))) => {
                        *input = &input[*length..];
                        match self.state {
                            State::Connected => self.handle(packet),
                            _ => self.handle_connecting(packet),
                        }
                    }
                    Err(error) => match self.refused_in_3(input) {
                        Some(connack) => Ok(Some(ClientEvent::ConnAck(connack))),
                        None => Err((*error).into()),
                    },
                }
            };
            if self.exchange.transmit.len() != waiting {
                self.last_sent = self.now;
            }
            match handled {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => return Err(self.fail(error.of_server())),
            }
        }
    }

    /// A packet before CONNACK: AUTH or CONNACK (MQTT-3.2.0-1).
    fn handle_connecting<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let rule = match *packet {
            Packet::Auth(auth) if self.state == State::Connecting => {
                match self.receive_auth(&auth) {
                    Ok(()) => return Ok(Some(ClientEvent::Auth(auth))),
                    Err(rule) => rule,
                }
            }
            Packet::ConnAck(connack) if self.state == State::Connecting => {
                match self.check_connack(&connack) {
                    Ok(()) => {
                        self.receive_connack(&connack);
                        return Ok(Some(ClientEvent::ConnAck(connack)));
                    }
                    Err(rule) => rule,
                }
            }
            _ => Rule::ConnAckFirst,
        };
        Err(self.exchange.violation(rule))
    }

    /// The CONNACK of a server that speaks 3.x and refuses 5.0, in the only form that it knows
    /// (3.1.1 MQTT-3.1.2-2).
    #[cold]
    fn refused_in_3<'a>(&mut self, input: &mut &'a [u8]) -> Option<ConnAck<'a>> {
        const UNACCEPTABLE_PROTOCOL_VERSION: &[u8] = &[0x20, 2, 0, 1];
        if self.state != State::Connecting || !self.exchange.version.has_properties() {
            return None;
        }
        *input = input.strip_prefix(UNACCEPTABLE_PROTOCOL_VERSION)?;
        let connack = ConnAck::new(ReasonCode::UnsupportedProtocolVersion);
        self.receive_connack(&connack);
        Some(connack)
    }

    fn check_connack(&self, connack: &ConnAck<'_>) -> Result<(), Rule> {
        if connack.reason_code.is_error() {
            return Ok(());
        }
        if connack.session_present && self.clean_start {
            return Err(Rule::SessionPresentUnknown);
        }
        let properties = &connack.properties;
        if self.exchange.version.has_properties()
            && self.anonymous
            && properties.assigned_client_identifier().is_none()
        {
            return Err(Rule::AssignedClientIdentifierMissing);
        }
        if properties.response_information().is_some() && !self.response_information {
            return Err(Rule::ResponseInformationNotRequested);
        }
        self.method.check(properties)
    }

    // keeps: 5.0 MQTT-3.1.2-21, 5.0 MQTT-3.2.2-5, 5.0 MQTT-3.2.2-21, 5.0 MQTT-4.9.0-1,
    // keeps: 5.0 MQTT-4.13.2-1
    // keeps: 3.1.1 MQTT-3.1.2-4
    fn receive_connack(&mut self, connack: &ConnAck<'_>) {
        self.deadline = None;
        if connack.reason_code.is_error() {
            // The session is as it was.
            self.state = State::Closed;
            return;
        }
        self.state = State::Connected;
        self.turn = Turn::None;
        let properties = &connack.properties;
        if let Some(seconds) = properties.server_keep_alive() {
            self.keep_alive = seconds;
        }
        if let Some(seconds) = properties.session_expiry_interval() {
            self.session_expires_later &= seconds > 0;
        }
        let exchange = &mut self.exchange;
        exchange.peer = PeerLimits::from_properties(properties);
        exchange.inbound_aliases = InboundAliases::new(self.topic_alias_maximum);
        exchange.outbound_aliases = OutboundAliases::new(
            self.config.topic_alias_policy,
            self.config
                .outbound_topic_alias_maximum
                .min(exchange.peer.topic_alias_maximum),
        );
        exchange.send_maximum = self
            .config
            .maximum_in_flight
            .min(exchange.peer.receive_maximum)
            .max(1);
        // 3.1 does not tell whether the session is there: without Clean Session it is.
        let goes_on = connack.session_present
            || exchange.version == ProtocolVersion::V3_1 && !self.clean_start;
        if !goes_on {
            exchange.session = Session::new();
        }
        exchange.resume();
    }

    /// A packet after CONNACK that is no PUBLISH.
    fn handle<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let exchange = &mut self.exchange;
        let rule = match *packet {
            Packet::PubAck(ack) => {
                let settled = exchange.receive_puback(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubAck(ack)));
            }
            Packet::PubRec(ack) => {
                let news = exchange.receive_pubrec(&ack)?;
                return Ok(news.then_some(ClientEvent::PubRec(ack)));
            }
            Packet::PubRel(ack) => {
                let settled = exchange.receive_pubrel(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubRel(ack)));
            }
            Packet::PubComp(ack) => {
                let settled = exchange.receive_pubcomp(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubComp(ack)));
            }
            Packet::SubAck(suback) => match self.check_suback(&suback) {
                Ok(()) => {
                    self.exchange.requests.remove(&suback.packet_identifier);
                    return Ok(Some(ClientEvent::SubAck(suback)));
                }
                Err(rule) => rule,
            },
            Packet::UnsubAck(unsuback) => match self.check_unsuback(&unsuback) {
                Ok(()) => {
                    self.exchange.requests.remove(&unsuback.packet_identifier);
                    return Ok(Some(ClientEvent::UnsubAck(unsuback)));
                }
                Err(rule) => rule,
            },
            Packet::PingResp => {
                self.deadline = None;
                return Ok(Some(ClientEvent::PingResp));
            }
            Packet::Disconnect(_) if !exchange.version.has_properties() => Rule::PacketDirection,
            Packet::Disconnect(disconnect)
                if disconnect
                    .properties
                    .contains(PropertyIdentifier::SessionExpiryInterval) =>
            {
                Rule::SessionExpiryFromServer
            }
            Packet::Disconnect(disconnect) => {
                self.close();
                return Ok(Some(ClientEvent::Disconnect(disconnect)));
            }
            Packet::Auth(auth) => match self.receive_auth(&auth) {
                Ok(()) => return Ok(Some(ClientEvent::Auth(auth))),
                Err(rule) => rule,
            },
            Packet::ConnAck(_) => Rule::ConnAckTwice,
            Packet::Publish(_)
            | Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => Rule::PacketDirection,
        };
        Err(self.exchange.violation(rule))
    }

    /// A step of the server: it is one only in answer to one of the client. What ends an
    /// authentication is CONNACK at first, later an AUTH.
    fn receive_auth(&mut self, auth: &Auth<'_>) -> Result<(), Rule> {
        if self.method.is_none() {
            return Err(Rule::AuthOfServerWithoutMethod);
        }
        self.method.check(&auth.properties)?;
        self.turn = match (self.turn, auth.reason_code) {
            (Turn::Server, ReasonCode::ContinueAuthentication) => Turn::Client,
            (Turn::Server, ReasonCode::Success) if self.state == State::Connected => Turn::None,
            _ => return Err(Rule::AuthReasonOfServer),
        };
        Ok(())
    }

    fn check_suback(&self, suback: &SubAck<'_>) -> Result<(), Rule> {
        match self.exchange.requests.get(&suback.packet_identifier) {
            Some(&Request::Subscribe(count)) if count as usize == suback.reason_codes.len() => {
                Ok(())
            }
            Some(Request::Subscribe(_)) => Err(Rule::SubAckCount),
            _ => Err(Rule::SubAckUnexpected),
        }
    }

    fn check_unsuback(&self, unsuback: &UnsubAck<'_>) -> Result<(), Rule> {
        match self.exchange.requests.get(&unsuback.packet_identifier) {
            Some(&Request::Unsubscribe(count))
                if count as usize == unsuback.reason_codes.len()
                    || !self.exchange.version.has_properties() =>
            {
                Ok(())
            }
            Some(Request::Unsubscribe(_)) => Err(Rule::UnsubAckCount),
            _ => Err(Rule::UnsubAckUnexpected),
        }
    }

    /// The network connection ended on the server's side.
    ///
    /// # Errors
    /// When there was no DISCONNECT and no refusal.
    pub fn receive_eof(&mut self, _now: Duration) -> Result<(), ConnectionError> {
        match (self.error, self.state) {
            (Some(error), _) => Err(error),
            (None, State::Closed) => Ok(()),
            (None, _) => Err(self.end(ConnectionError::UnexpectedEof)),
        }
    }

    /// Moves the bytes that wait to be sent to the end of `out`, as many as it has room
    /// for; how many.
    pub fn poll_transmit(&mut self, out: &mut impl BufMut) -> usize {
        self.exchange.transmit.poll(out)
    }

    /// How many bytes wait to be sent.
    #[must_use]
    pub fn transmit_len(&self) -> usize {
        self.exchange.transmit.len()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called: for PINGREQ, or
    /// because an answer is late.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        match (self.deadline, self.ping_at()) {
            (Some(deadline), Some(ping)) => Some(deadline.min(ping)),
            (deadline, ping) => deadline.or(ping),
        }
    }

    /// When a PINGREQ is due (MQTT-3.1.2-20).
    // keeps: 5.0 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-23
    fn ping_at(&self) -> Option<Duration> {
        if self.state != State::Connected || self.keep_alive == 0 {
            return None;
        }
        self.last_sent
            .checked_add(Duration::from_secs(self.keep_alive.into()))
    }

    /// Tells the time.
    ///
    /// # Errors
    /// When the server is too late with CONNACK or PINGRESP.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.now = self.now.max(now);
        if self.deadline.is_some_and(|deadline| deadline <= self.now) {
            return Err(match self.state {
                State::Connected => self.fail(ConnectionError::PingTimeout),
                _ => self.end(ConnectionError::ConnectTimeout),
            });
        }
        // Also while an earlier one has no answer: the server counts from the last.
        if self.ping_at().is_some_and(|due| due <= self.now) && self.ping(now).is_err() {
            // It is too large for a server that takes packets of one byte.
            self.last_sent = self.now;
        }
        Ok(())
    }

    /// Whether the protocol is over: once `poll_transmit` has nothing more, close.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The version that the connection speaks, once CONNECT has been sent.
    #[must_use]
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        (self.state != State::New).then_some(self.exchange.version)
    }

    /// The keep alive in seconds that holds; 0 is none.
    #[must_use]
    pub const fn keep_alive(&self) -> u16 {
        self.keep_alive
    }

    /// What the server takes, as CONNACK told it.
    #[must_use]
    pub const fn peer_limits(&self) -> &PeerLimits {
        &self.exchange.peer
    }

    /// What is under way. Before CONNACK: what was given to [`connect`](Self::connect).
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.exchange.session
    }

    /// What is under way, to be kept for the next connection.
    ///
    /// Not to be kept when the session ends with the connection: in 3.x with Clean Session
    /// (3.1.1 MQTT-3.1.2-6), in 5.0 with a Session Expiry Interval of 0.
    // keeps: 5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-1
    // keeps: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.1.0-2
    #[must_use]
    pub fn into_session(self) -> Session {
        self.exchange.session
    }

    // keeps: 5.0 MQTT-3.1.0-1, 5.0 MQTT-3.1.2-30, 5.0 MQTT-3.14.4-1
    // keeps: 3.1.1 MQTT-3.1.0-1, 3.1.1 MQTT-3.14.4-2
    fn expect(&self, state: State) -> Result<(), SendError> {
        match self.state {
            State::Closed => Err(SendError::Closed),
            now if now == state => Ok(()),
            _ => Err(SendError::NotConnected),
        }
    }

    // keeps: 5.0 MQTT-3.14.4-2, 3.1.1 MQTT-3.14.4-1
    fn close(&mut self) {
        self.state = State::Closed;
        self.deadline = None;
    }

    /// Ends in failure without telling the server.
    fn end(&mut self, error: ConnectionError) -> ConnectionError {
        self.close();
        self.error = Some(error);
        error
    }

    /// Ends in failure, and tells the server what its version has words for.
    // keeps: 5.0 MQTT-4.13.2-1, 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-4.8.0-1
    fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        if let Some(reason_code) = error.reason_code()
            && self.state != State::New
            && self.exchange.version.has_properties()
        {
            let reason_code = match reason_code.packets().contains(PacketSet::DISCONNECT) {
                true => reason_code,
                false => ReasonCode::ProtocolError,
            };
            let goodbye = Disconnect::new(reason_code);
            let _ = self.exchange.send(&Packet::Disconnect(goodbye));
        }
        self.end(error)
    }
}
