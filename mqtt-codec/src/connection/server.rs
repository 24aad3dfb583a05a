//! The server's end of a connection.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::BufMut;

use super::accept::{Accept, ServerConfig};
use super::alias::{InboundAliases, OutboundAliases};
use super::authentication::Method;
use super::exchange::{Exchange, PeerLimits, Role};
use super::inbound::{Pending, Taken, check_packets};
use super::{ConnectionError, InboundPublish, Message, PublishChunk, SendError, Session};
use crate::packet::PacketType;
use crate::topic::{TopicFilter, has_wildcard};
use crate::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, PacketSet,
    Properties, PropertiesBuilder, PropertyIdentifier, ProtocolVersion, Publish, ReasonCode, Rule,
    Subscribe, Unsubscribe,
};

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// It wants to connect. To be answered with [`accept`](ServerConnection::accept),
    /// [`reject`](ServerConnection::reject) or
    /// [`authenticate`](ServerConnection::authenticate). In a box, because it comes once and
    /// is several times as large as the others.
    Connect(Box<Connect<'a>>),
    /// It takes a step of an authentication. Before CONNACK to be answered as CONNECT is;
    /// later, in a re-authentication, with `authenticate` or
    /// [`disconnect`](ServerConnection::disconnect).
    Auth(Auth<'a>),
    /// It publishes. With QoS 1 and 2 to be answered with
    /// [`acknowledge`](ServerConnection::acknowledge) once the message is safe. A QoS 2
    /// message comes once, however often the client sends it.
    Publish(InboundPublish<'a>),
    /// The beginning of a message with more bytes than
    /// [`chunk_threshold`](ServerConfig::chunk_threshold). Its payload, of which `publish`
    /// has nothing, follows in [`PublishChunk`](Self::PublishChunk)s and in no other event
    /// in between. It is to be acknowledged when the last of them has come; until then it
    /// can be refused, and then the rest is passed over.
    PublishStart {
        /// The message without its payload.
        publish: InboundPublish<'a>,
        /// Length of the payload in bytes.
        payload_length: u32,
    },
    /// The next bytes of that payload.
    PublishChunk(PublishChunk<'a>),
    /// A QoS 1 message to it is settled, and its packet identifier free.
    PubAck(Acknowledgement<'a>),
    /// It has a QoS 2 message. The PUBREL goes out by itself. With an error the message
    /// is settled, and its packet identifier free.
    PubRec(Acknowledgement<'a>),
    /// A QoS 2 message to it is settled, and its packet identifier free.
    PubComp(Acknowledgement<'a>),
    /// A QoS 2 message from it is settled. The PUBCOMP goes out by itself. Of interest to
    /// who keeps sessions on disk.
    PubRel(Acknowledgement<'a>),
    /// It subscribes. To be answered with [`suback`](ServerConnection::suback).
    Subscribe(Subscribe<'a>),
    /// It ends subscriptions. To be answered with [`unsuback`](ServerConnection::unsuback).
    Unsubscribe(Unsubscribe<'a>),
    /// It says goodbye; the connection is over. With [`ReasonCode::Success`], which it
    /// always is in 3.x, the will is discarded (MQTT-3.14.4-3); with any other it is
    /// published.
    Disconnect(Disconnect<'a>),
}

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

impl ServerConnection {
    /// A connection on which nothing has been received yet.
    #[must_use]
    pub fn new(now: Duration, config: ServerConfig) -> Self {
        let mut exchange = Exchange::new(Role::Server, config.limits);
        // Until CONNECT tells: what is wrong before has no answer in 3.x.
        exchange.version = ProtocolVersion::V3_1_1;
        exchange.chunk_threshold = config.chunk_threshold;
        Self {
            exchange,
            config,
            state: State::Connect,
            error: None,
            deadline: Some(now + config.connect_timeout),
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
                        self.deadline = self.patience.map(|patience| now + patience);
                        return Ok(Some(event));
                    }
                    Ok(Progress::Nothing) => {
                        self.deadline = self.patience.map(|patience| now + patience);
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

    /// The next packet of an established connection, or a chunk of one.
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
            Taken::Start(publish, payload_length) => Progress::Event(ServerEvent::PublishStart {
                publish,
                payload_length,
            }),
            Taken::Chunk(chunk) => Progress::Event(ServerEvent::PublishChunk(chunk)),
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
                        let codes = subscribe.subscriptions.len();
                        exchange.receive_request(
                            subscribe.packet_identifier,
                            Pending::Subscribe(codes),
                        )?;
                        return Ok(Some(ServerEvent::Subscribe(subscribe)));
                    }
                    Err(rule) => rule,
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                let codes = unsubscribe.topic_filters.len();
                exchange
                    .receive_request(unsubscribe.packet_identifier, Pending::Unsubscribe(codes))?;
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

    /// Answers CONNECT with a CONNACK that accepts it, and takes up the session: what is
    /// not settled in it is sent again. `session` is what the server kept of this client,
    /// and empty unless `accept.session_present`.
    ///
    /// # Errors
    /// When CONNECT is not waiting for an answer, when Session Present does not go with
    /// the session and Clean Start, or with the properties.
    // keeps: 5.0 MQTT-3.1.2-4, 5.0 MQTT-3.1.3-7, 5.0 MQTT-3.1.4-5, 5.0 MQTT-3.2.0-1,
    // keeps: 5.0 MQTT-3.2.0-2, 5.0 MQTT-3.2.2-2, 5.0 MQTT-3.2.2-3, 5.0 MQTT-3.2.2-22,
    // keeps: 5.0 MQTT-4.9.0-1
    // keeps: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-6, 3.1.1 MQTT-3.1.4-4, 3.1.1 MQTT-3.2.0-1,
    // keeps: 3.1.1 MQTT-3.2.2-1, 3.1.1 MQTT-3.2.2-2, 3.1.1 MQTT-3.2.2-3
    pub fn accept(
        &mut self,
        now: Duration,
        accept: &Accept<'_>,
        session: Session,
    ) -> Result<(), SendError> {
        self.expect(State::Answer)?;
        if accept.session_present && self.clean_start
            || !accept.session_present && !session.is_empty()
        {
            return Err(SendError::SessionPresent);
        }
        let version = self.exchange.version;
        if version.has_properties() {
            if self.anonymous && accept.assigned_client_identifier.is_none() {
                return Err(SendError::Rule {
                    rule: Rule::AssignedClientIdentifierMissing,
                });
            }
            let properties = accept.connack_properties(&self.config, &self.method)?;
            let properties = properties.as_properties();
            if properties.response_information().is_some() && !self.response_information {
                return Err(SendError::Rule {
                    rule: Rule::ResponseInformationNotRequested,
                });
            }
            self.exchange.send_shedding(&Packet::ConnAck(ConnAck {
                session_present: accept.session_present,
                reason_code: ReasonCode::Success,
                properties,
            }))?;
        } else {
            self.exchange.send(&Packet::ConnAck(ConnAck {
                session_present: accept.session_present,
                ..ConnAck::new(ReasonCode::Success)
            }))?;
        }
        let keep_alive = match accept.server_keep_alive {
            Some(seconds) if version.has_properties() => seconds,
            _ => self.keep_alive,
        };
        self.keep_alive = keep_alive;
        self.patience = patience(keep_alive);
        self.deadline = self.patience.map(|patience| now + patience);
        self.state = State::Connected;
        let exchange = &mut self.exchange;
        if version.has_properties() {
            exchange.receive_maximum = self.config.receive_maximum;
            exchange.inbound_aliases = InboundAliases::new(self.config.topic_alias_maximum);
            exchange.outbound_aliases = OutboundAliases::new(
                self.config.topic_alias_policy,
                exchange.peer.topic_alias_maximum,
            );
        }
        exchange.send_maximum = self
            .config
            .maximum_in_flight
            .min(exchange.peer.receive_maximum)
            .max(1);
        exchange.resume(session);
        Ok(())
    }

    /// Answers CONNECT with a CONNACK that refuses it; the connection is over. 3.x is
    /// told the return code that says the same; where there is none, the connection is
    /// closed without a word (MQTT-3.2.2-6 of 3.1.1).
    ///
    /// # Errors
    /// When CONNECT is not waiting for an answer, or the reason code is no error that
    /// CONNACK may carry.
    // keeps: 5.0 MQTT-3.1.3-8, 5.0 MQTT-3.1.4-2, 5.0 MQTT-3.1.4-6, 5.0 MQTT-3.2.2-7,
    // keeps: 5.0 MQTT-4.12.0-1, 5.0 MQTT-4.12.0-4, 5.0 MQTT-4.13.2-1
    // keeps: 3.1.1 MQTT-3.1.3-9, 3.1.1 MQTT-3.1.4-5, 3.1.1 MQTT-3.2.2-5, 3.1.1 MQTT-3.2.2-6
    pub fn reject(
        &mut self,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.expect(State::Answer)?;
        if !reason_code.is_error() || !reason_code.packets().contains(PacketSet::CONNACK) {
            return Err(SendError::ReasonCode { reason_code });
        }
        check_packets(properties, PacketSet::CONNACK)?;
        self.send_refusal(reason_code, properties);
        self.close();
        Ok(())
    }

    fn send_refusal(&mut self, reason_code: ReasonCode, properties: Properties<'_>) {
        let bare = ConnAck::new(reason_code);
        let full = ConnAck { properties, ..bare };
        // What the version or the client has no place for is left out, at last all of it.
        if self.exchange.send_shedding(&Packet::ConnAck(full)).is_err() {
            let _ = self.exchange.send(&Packet::ConnAck(bare));
        }
    }

    /// Sends AUTH: before CONNACK with [`ReasonCode::ContinueAuthentication`]; in a
    /// re-authentication also with [`ReasonCode::Success`], which ends it. The
    /// Authentication Method is put in (MQTT-4.12.0-5).
    ///
    /// # Errors
    /// When no AUTH is waiting for an answer, CONNECT had no Authentication Method, or
    /// the reason code is not one for this.
    // keeps: 5.0 MQTT-4.12.0-2, 5.0 MQTT-4.12.0-6
    pub fn authenticate(
        &mut self,
        now: Duration,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        if self.method.is_none() {
            return Err(SendError::Rule {
                rule: Rule::AuthOfServerWithoutMethod,
            });
        }
        let goes_on = reason_code == ReasonCode::ContinueAuthentication;
        let is_answer = match self.state {
            State::Closed => return Err(SendError::Closed),
            State::Answer => goes_on,
            State::Connected if self.reauthentication == ReAuthentication::Answer => {
                goes_on || reason_code == ReasonCode::Success
            }
            _ => return Err(SendError::NotConnected),
        };
        if !is_answer {
            return Err(SendError::ReasonCode { reason_code });
        }
        let mut builder = PropertiesBuilder::new();
        self.method.add_to(&mut builder, properties)?;
        self.exchange.send_shedding(&Packet::Auth(Auth {
            reason_code,
            properties: builder.as_properties(),
        }))?;
        if self.state == State::Answer {
            self.state = State::Authenticate;
            self.deadline = Some(now + self.config.connect_timeout);
        } else {
            self.reauthentication = match goes_on {
                true => ReAuthentication::Client,
                false => ReAuthentication::None,
            };
        }
        Ok(())
    }

    /// Acknowledges a message of the client: PUBACK with QoS 1, PUBREC with QoS 2. 3.x
    /// has no reason codes, and is told success.
    ///
    /// # Errors
    /// When no message with this identifier waits for it, or the reason code is not one
    /// for this.
    pub fn acknowledge(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.expect(State::Connected)?;
        self.exchange
            .acknowledge(packet_identifier, reason_code, properties)
    }

    /// Answers SUBSCRIBE, with one reason code for each topic filter. 3.x is told 0x80
    /// for any error.
    ///
    /// # Errors
    /// When no SUBSCRIBE with this identifier waits for it, or the reason codes are not
    /// as many or not those that SUBACK has.
    pub fn suback(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_codes: &[ReasonCode],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.expect(State::Connected)?;
        self.exchange
            .suback(packet_identifier, reason_codes, properties)
    }

    /// Answers UNSUBSCRIBE, with one reason code for each topic filter. 3.x is not told
    /// them.
    ///
    /// # Errors
    /// As [`suback`](Self::suback).
    pub fn unsuback(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_codes: &[ReasonCode],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.expect(State::Connected)?;
        self.exchange
            .unsuback(packet_identifier, reason_codes, properties)
    }

    /// Sends a message: with QoS 1 and 2, the packet identifier that its acknowledgement
    /// will name.
    ///
    /// # Errors
    /// [`SendError::ReceiveMaximum`]: as many are under way as the client takes, and the
    /// message is to wait until one is settled. [`SendError::PacketTooLarge`]: the client
    /// takes none so large, and the message is to be dropped (MQTT-3.1.2-25).
    pub fn publish(&mut self, message: &Message) -> Result<Option<PacketIdentifier>, SendError> {
        self.expect(State::Connected)?;
        self.exchange.publish(message, |_| false)
    }

    /// How many more QoS 1 and QoS 2 messages may be sent now (section 4.9).
    #[must_use]
    pub fn send_quota(&self) -> usize {
        match self.state {
            State::Connected => self.exchange.send_quota(),
            _ => 0,
        }
    }

    /// Ends the connection: with DISCONNECT in 5.0, without a word in 3.x, where a server
    /// has none.
    ///
    /// # Errors
    /// Before CONNECT was accepted ([`reject`](Self::reject) is for that), or when the
    /// reason code or a property is not one for a server's DISCONNECT.
    // keeps: 5.0 MQTT-3.14.0-1, 5.0 MQTT-4.12.1-2, 5.0 MQTT-4.13.2-1, 3.1.1 MQTT-4.8.0-2
    pub fn disconnect(
        &mut self,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.expect(State::Connected)?;
        if !reason_code.packets().contains(PacketSet::DISCONNECT) {
            return Err(SendError::ReasonCode { reason_code });
        }
        check_packets(properties, PacketSet::DISCONNECT)?;
        if properties.contains(PropertyIdentifier::SessionExpiryInterval) {
            return Err(SendError::Rule {
                rule: Rule::SessionExpiryFromServer,
            });
        }
        if self.exchange.version.has_properties() {
            self.exchange
                .send_shedding(&Packet::Disconnect(Disconnect {
                    reason_code,
                    properties,
                }))?;
        }
        self.close();
        Ok(())
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
            // A version to come is told in the words of the latest (MQTT-3.1.2-2).
            Rule::ProtocolVersionUnsupported => match input.get(error.offset()) {
                Some(level) if *level > ProtocolVersion::V5_0.level() => ProtocolVersion::V5_0,
                _ => ProtocolVersion::V3_1_1,
            },
            _ => error.version(),
        };
        self.state = State::Answer;
    }
}

/// What only a client's PUBLISH has to keep to.
fn check_publish(publish: &Publish<'_>, config: &ServerConfig) -> Result<(), Rule> {
    if publish.qos > config.maximum_qos {
        return Err(Rule::QoSNotSupported);
    }
    if publish.retain && !config.retain_available {
        return Err(Rule::RetainNotSupported);
    }
    if publish
        .properties
        .contains(PropertyIdentifier::SubscriptionIdentifier)
    {
        return Err(Rule::SubscriptionIdentifierFromClient);
    }
    Ok(())
}

/// That a SUBSCRIBE asks for what the server offers (sections 3.2.2.3.11 to 3.2.2.3.13).
// keeps: 5.0 MQTT-3.2.2-10
fn check_subscribe(
    subscribe: &Subscribe<'_>,
    config: &ServerConfig,
    version: ProtocolVersion,
) -> Result<(), Rule> {
    if !config.subscription_identifiers_available
        && subscribe
            .properties
            .contains(PropertyIdentifier::SubscriptionIdentifier)
    {
        return Err(Rule::SubscriptionIdentifiersNotSupported);
    }
    if config.wildcard_subscription_available && config.shared_subscription_available {
        return Ok(());
    }
    // 3.x cannot be told in CONNACK: SUBACK is the embedder's to refuse with.
    if !version.has_properties() {
        return Ok(());
    }
    for subscription in subscribe.subscriptions.iter() {
        let filter = TopicFilter::parse(subscription.topic_filter, version)?;
        if !config.shared_subscription_available && filter.share_name().is_some() {
            return Err(Rule::SharedSubscriptionsNotSupported);
        }
        if !config.wildcard_subscription_available && has_wildcard(filter.filter()) {
            return Err(Rule::WildcardSubscriptionsNotSupported);
        }
    }
    Ok(())
}
