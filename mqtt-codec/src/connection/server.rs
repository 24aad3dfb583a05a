//! The server's end of a connection.

mod answer;
mod event;
mod offered;

pub use event::ServerEvent;
use offered::{check_publish, check_subscribe};

use alloc::boxed::Box;
use core::time::Duration;

use bytes::BufMut;

use super::accept::ServerConfig;
use super::authentication::Method;
use super::exchange::{Exchange, PeerLimits, Request, Role};
use super::inbound::Taken;
use super::{ConnectionError, SendError, Session};
use crate::packet::{PacketType, decode};
use crate::{
    Auth, Disconnect, Packet, PacketSet, Properties, ProtocolVersion, Publish, ReasonCode, Rule,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// CONNECT is to come.
    Connect,
    /// CONNECT or AUTH has been handed out: the embedder is to answer.
    Answer,
    /// AUTH has been sent: the client is to answer.
    Authenticate,
    Connected,
    Closed,
}

/// The part of a re-authentication that is going on (section 4.12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReAuthentication {
    None,
    /// The embedder is to answer.
    Answer,
    /// The client is to answer.
    Client,
}

/// The server's end of one network connection: a state machine without I/O.
///
/// How it is driven is told at [`connection`](crate::connection).
#[derive(Debug)]
pub struct ServerConnection {
    exchange: Exchange,
    config: ServerConfig,
    state: State,
    error: Option<ConnectionError>,
    /// When the client has been silent for too long.
    deadline: Option<Duration>,
    /// How long it may be silent.
    patience: Option<Duration>,
    reauthentication: ReAuthentication,
    method: Method,
    keep_alive: u16,
    clean_start: bool,
    /// CONNECT had no client identifier.
    anonymous: bool,
    /// CONNECT asked for Response Information.
    response_information: bool,
    /// CONNECT had a Session Expiry Interval that is not 0.
    session_expires_later: bool,
}

/// What became of the bytes that came.
enum Progress<'a> {
    /// More are needed.
    Incomplete,
    /// A packet that is no news.
    Nothing,
    Event(ServerEvent<'a>),
}

/// A client may be silent for one and a half times its keep alive (MQTT-3.1.2-22).
// keeps: 5.0 MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-24
fn patience(keep_alive: u16) -> Option<Duration> {
    (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500))
}

/// When a client that is heard now is silent for too long.
#[inline]
fn deadline(now: Duration, patience: Option<Duration>) -> Option<Duration> {
    now.checked_add(patience?)
}

impl ServerConnection {
    /// A connection on which nothing has been received yet.
    #[must_use]
    pub fn new(now: Duration, config: ServerConfig) -> Self {
        let mut exchange = Exchange::new(Role::Server, config.limits);
        // Until CONNECT tells: what is wrong before has no answer in 3.x.
        exchange.version = ProtocolVersion::V3_1_1;
        Self {
            exchange,
            config,
            state: State::Connect,
            error: None,
            deadline: now.checked_add(config.connect_timeout),
            patience: None,
            reauthentication: ReAuthentication::None,
            method: Method::default(),
            keep_alive: 0,
            clean_start: true,
            anonymous: false,
            response_information: false,
            session_expires_later: false,
        }
    }

    /// Takes packets from the front of `input` until one makes an event.
    ///
    /// `Ok(None)`: what is left is an incomplete packet, or CONNECT has not been answered
    /// yet. Keep it, and present it again in front of what comes next; after answering
    /// CONNECT, at once.
    ///
    /// # Errors
    /// When the client breaks the protocol. What there is to tell it is then to be had
    /// from [`poll_transmit`](Self::poll_transmit), and the connection is over.
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        loop {
            let handled = match self.state {
                State::Connected => match self.take(input) {
                    Ok(Progress::Incomplete) => return Ok(None),
                    Ok(Progress::Event(event)) => {
                        self.deadline = deadline(now, self.patience);
                        return Ok(Some(event));
                    }
                    Ok(Progress::Nothing) => {
                        self.deadline = deadline(now, self.patience);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                },
                State::Connect => {
                    let before = *input;
                    match self.take_connect(input) {
                        Ok(None) => return Ok(None),
                        Err(error) => {
                            self.refuse(error, before);
                            Err(error)
                        }
                        Ok(event) => Ok(event),
                    }
                }
                State::Authenticate => match self.exchange.take(input) {
                    Ok(None) => return Ok(None),
                    Ok(Some(packet)) => self.handle_authentication(&packet),
                    Err(error) => Err(error),
                },
                State::Answer => return Ok(None),
                State::Closed => {
                    *input = &[];
                    return Ok(None);
                }
            };
            match handled {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// The next packet of an established connection, or a part of one.
    #[inline]
    fn take<'a>(&mut self, input: &mut &'a [u8]) -> Result<Progress<'a>, ConnectionError> {
        let Self {
            exchange, config, ..
        } = self;
        let Some(first) = exchange.publish_comes(input) else {
            return match &exchange.decode(input) {
                Ok(Some((packet, length))) => {
                    *input = &input[*length..];
                    Ok(match self.handle(packet)? {
                        Some(event) => Progress::Event(event),
                        None => Progress::Nothing,
                    })
                }
                Ok(None) => Ok(Progress::Incomplete),
                Err(error) => Err((*error).into()),
            };
        };
        let check = |publish: &Publish<'_>| check_publish(publish, config);
        Ok(match exchange.take_publish(first, input, check)? {
            Taken::Incomplete => Progress::Incomplete,
            Taken::Nothing => Progress::Nothing,
            Taken::Publish(publish) => Progress::Event(ServerEvent::Publish(publish)),
            Taken::Payload { part, remaining } => {
                Progress::Event(ServerEvent::Payload { part, remaining })
            }
        })
    }

    /// The first packet, which is CONNECT (MQTT-3.1.0-1).
    fn take_connect<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        match input.first() {
            None => return Ok(None),
            Some(first) if first >> 4 != PacketType::Connect as u8 => {
                return Err(self.exchange.violation(Rule::ConnectFirst));
            }
            Some(_) => {}
        }
        let connect = match self.exchange.take(input)? {
            Some(Packet::Connect(connect)) => connect,
            _ => return Ok(None),
        };
        self.exchange.version = connect.protocol_version;
        self.state = State::Answer;
        self.deadline = None;
        self.exchange.peer = PeerLimits::from_properties(&connect.properties);
        self.method = Method::of(&connect.properties);
        self.keep_alive = connect.keep_alive;
        self.clean_start = connect.clean_start;
        self.anonymous = connect.client_identifier.is_empty();
        self.response_information = connect.properties.request_response_information() == Some(true);
        self.session_expires_later = connect
            .properties
            .session_expiry_interval()
            .is_some_and(|seconds| seconds > 0);
        if let Some(will) = &connect.will {
            if will.qos > self.config.maximum_qos {
                return Err(self.exchange.violation(Rule::WillQoSNotSupported));
            }
            if will.retain && !self.config.retain_available {
                return Err(self.exchange.violation(Rule::WillRetainNotSupported));
            }
        }
        Ok(Some(ServerEvent::Connect(Box::new(connect))))
    }

    /// A packet while the client authenticates: AUTH, or goodbye (MQTT-3.1.2-30).
    fn handle_authentication<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let rule = match *packet {
            Packet::Auth(auth) => match self.method.check(&auth.properties) {
                Ok(()) if auth.reason_code == ReasonCode::ContinueAuthentication => {
                    self.state = State::Answer;
                    self.deadline = None;
                    return Ok(Some(ServerEvent::Auth(auth)));
                }
                Ok(()) => Rule::AuthReasonUnexpected,
                Err(rule) => rule,
            },
            Packet::Disconnect(disconnect) => {
                self.close();
                return Ok(Some(ServerEvent::Disconnect(disconnect)));
            }
            Packet::Connect(_) => Rule::ConnectTwice,
            _ => Rule::OnlyAuthBeforeConnAck,
        };
        Err(self.exchange.violation(rule))
    }

    /// A packet of an established connection that is no PUBLISH.
    fn handle<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let exchange = &mut self.exchange;
        let rule = match *packet {
            Packet::PubAck(ack) => {
                let settled = exchange.receive_puback(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubAck(ack)));
            }
            Packet::PubRec(ack) => {
                let news = exchange.receive_pubrec(&ack)?;
                return Ok(news.then_some(ServerEvent::PubRec(ack)));
            }
            Packet::PubRel(ack) => {
                let settled = exchange.receive_pubrel(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubRel(ack)));
            }
            Packet::PubComp(ack) => {
                let settled = exchange.receive_pubcomp(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubComp(ack)));
            }
            Packet::Subscribe(subscribe) => {
                match check_subscribe(&subscribe, &self.config, exchange.version) {
                    Ok(()) => {
                        let filters = subscribe.subscriptions.len() as u32;
                        exchange.receive_request(
                            subscribe.packet_identifier,
                            Request::Subscribe(filters),
                        )?;
                        return Ok(Some(ServerEvent::Subscribe(subscribe)));
                    }
                    Err(rule) => rule,
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.topic_filters.len() as u32;
                exchange.receive_request(
                    unsubscribe.packet_identifier,
                    Request::Unsubscribe(filters),
                )?;
                return Ok(Some(ServerEvent::Unsubscribe(unsubscribe)));
            }
            // keeps: 5.0 MQTT-3.12.4-1, 3.1.1 MQTT-3.12.4-1
            Packet::PingReq => {
                // It is the shortest of packets.
                let _ = exchange.send(&Packet::PingResp);
                return Ok(None);
            }
            Packet::Disconnect(disconnect) => match self.check_disconnect(&disconnect) {
                Ok(()) => {
                    self.close();
                    return Ok(Some(ServerEvent::Disconnect(disconnect)));
                }
                Err(rule) => rule,
            },
            Packet::Auth(auth) => match self.check_reauthentication(&auth) {
                Ok(()) => {
                    self.reauthentication = ReAuthentication::Answer;
                    return Ok(Some(ServerEvent::Auth(auth)));
                }
                Err(rule) => rule,
            },
            Packet::Connect(_) => Rule::ConnectTwice,
            Packet::Publish(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => Rule::PacketDirection,
        };
        Err(self.exchange.violation(rule))
    }

    fn check_disconnect(&self, disconnect: &Disconnect<'_>) -> Result<(), Rule> {
        let later = |seconds| seconds > 0;
        if !self.session_expires_later
            && disconnect
                .properties
                .session_expiry_interval()
                .is_some_and(later)
        {
            return Err(Rule::SessionExpiryFromZero);
        }
        Ok(())
    }

    fn check_reauthentication(&self, auth: &Auth<'_>) -> Result<(), Rule> {
        if self.method.is_none() {
            return Err(Rule::AuthWithoutMethod);
        }
        self.method.check(&auth.properties)?;
        match (self.reauthentication, auth.reason_code) {
            (ReAuthentication::None, ReasonCode::ReAuthenticate)
            | (ReAuthentication::Client, ReasonCode::ContinueAuthentication) => Ok(()),
            _ => Err(Rule::AuthReasonUnexpected),
        }
    }

    /// The network connection ended on the client's side.
    ///
    /// # Errors
    /// When there was no DISCONNECT: then the will is to be published (MQTT-3.1.2-8).
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

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// Tells the time.
    ///
    /// # Errors
    /// When the client was silent for too long.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        Err(match self.state {
            State::Connected => self.fail(ConnectionError::KeepAliveTimeout {
                version: self.exchange.version,
            }),
            _ => self.end(ConnectionError::ConnectTimeout),
        })
    }

    /// Whether the protocol is over: once `poll_transmit` has nothing more, close.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The version that the connection speaks, once CONNECT has told it.
    #[must_use]
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        (self.state != State::Connect).then_some(self.exchange.version)
    }

    /// The keep alive in seconds that holds; 0 is none.
    #[must_use]
    pub const fn keep_alive(&self) -> u16 {
        self.keep_alive
    }

    /// What the client takes, as CONNECT told it.
    #[must_use]
    pub const fn peer_limits(&self) -> &PeerLimits {
        &self.exchange.peer
    }

    /// What is under way.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.exchange.session
    }

    /// What is under way, to be kept for the next connection of this client.
    ///
    /// Not to be kept when the session ends with the connection: in 3.x with Clean Session
    /// (3.1.1 MQTT-3.1.2-6), in 5.0 with a Session Expiry Interval of 0.
    // keeps: 5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-1
    // keeps: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.1.0-2
    #[must_use]
    pub fn into_session(self) -> Session {
        self.exchange.session
    }

    // keeps: 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.14.0-1, 5.0 MQTT-3.14.4-1, 3.1.1 MQTT-3.2.0-1
    fn expect(&self, state: State) -> Result<(), SendError> {
        match self.state {
            State::Closed => Err(SendError::Closed),
            now if now == state => Ok(()),
            _ => Err(SendError::NotConnected),
        }
    }

    // keeps: 5.0 MQTT-3.14.4-2
    fn close(&mut self) {
        self.state = State::Closed;
        self.deadline = None;
    }

    /// Ends in failure without telling the client.
    fn end(&mut self, error: ConnectionError) -> ConnectionError {
        self.close();
        self.error = Some(error);
        error
    }

    /// Ends in failure, and tells the client what its version has words for.
    // keeps: 5.0 MQTT-3.14.0-1, 5.0 MQTT-4.13.1-1, 5.0 MQTT-4.13.2-1
    // keeps: 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-4.8.0-1
    fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        if let Some(reason_code) = error.reason_code() {
            match self.state {
                State::Answer | State::Authenticate => {
                    self.send_refusal(reason_code, Properties::EMPTY);
                }
                State::Connected if self.exchange.version.has_properties() => {
                    let reason_code = match reason_code.packets().contains(PacketSet::DISCONNECT) {
                        true => reason_code,
                        false => ReasonCode::ProtocolError,
                    };
                    let goodbye = Disconnect::new(reason_code);
                    let _ = self.exchange.send(&Packet::Disconnect(goodbye));
                }
                _ => {}
            }
        }
        self.end(error)
    }

    /// Tells what is wrong with a CONNECT that was not accepted as one; `input` begins
    /// with it.
    // keeps: 5.0 MQTT-3.1.4-1, 3.1.1 MQTT-3.1.2-2, 3.1.1 MQTT-3.1.3-8, 3.1.1 MQTT-3.1.4-1
    fn refuse(&mut self, error: ConnectionError, input: &[u8]) {
        let ConnectionError::Decode(error) = error else {
            return;
        };
        self.exchange.version = match error.rule() {
            // Whoever speaks it may not be speaking MQTT.
            Rule::ProtocolName => return,
            Rule::ProtocolVersionUnsupported => self.form_of(input, error.offset()),
            _ => error.version(),
        };
        self.state = State::Answer;
    }

    /// The version in whose words a CONNECT of another version is refused: a version to come
    /// has the form of 5.0, with properties, and any other is one of 3.x (3.1.1
    /// MQTT-3.1.2-2). The level cannot tell: bridges set its highest bit.
    #[cold]
    fn form_of(&self, input: &[u8], level_at: usize) -> ProtocolVersion {
        let latest = ProtocolVersion::V5_0;
        let mut packet = input.to_vec();
        match packet.get_mut(level_at) {
            Some(level) if *level > latest.level() => *level = latest.level(),
            _ => return ProtocolVersion::V3_1_1,
        }
        match decode(&packet, latest, &self.config.limits) {
            Ok(Some(_)) => latest,
            _ => ProtocolVersion::V3_1_1,
        }
    }
}
