//! What a server does with what comes in.

use alloc::boxed::Box;
use core::time::Duration;

use super::offer::{check_publish, check_subscribe};
use crate::connection::authentication::Turn;
use crate::connection::core::{Core, Login, Next, Phase, Request, Side, Taken};
use crate::connection::role::{Role, Server};
use crate::connection::timer::Timer;
use crate::connection::{
    Connection, ConnectionError, PeerLimits, ServerConfig, ServerConnection, ServerEvent,
};
use crate::packet::{PacketType, decode};
use crate::{Auth, Disconnect, Packet, Properties, ProtocolVersion, Publish, ReasonCode, Rule};

impl Role for Server {
    type Config = ServerConfig;
    type Event<'a> = ServerEvent<'a>;

    fn begin(now: Duration, config: &ServerConfig) -> Core {
        let mut core = Core::new(Side::Server, now, config.limits_before_login);
        // Until CONNECT tells: what is wrong before has no answer in 3.x.
        core.version = ProtocolVersion::V3_1_1;
        core.handshakes = config.handshakes;
        core.timers
            .set(Timer::Handshake, now, config.handshake_timeout);
        core
    }

    const SILENCE: Timer = Timer::Receive;

    /// A client may be silent for one and a half times its keep alive (MQTT-3.1.2-22).
    // keeps: 5.0 MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-24
    #[inline]
    fn patience(connection: &ServerConnection) -> Duration {
        Duration::from_millis(u64::from(connection.core.login.keep_alive) * 1500)
    }

    #[inline]
    fn next<'a>(
        connection: &mut ServerConnection,
        input: &mut &'a [u8],
    ) -> Result<Next<ServerEvent<'a>>, ConnectionError> {
        if connection.core.phase != Phase::Open {
            return connection.next_before_open(input);
        }
        let Connection { core, config } = connection;
        let Some(first) = core.publish_comes(input) else {
            return connection.next_beside_publish(input);
        };
        let check = |publish: &Publish<'_>| check_publish(publish, config);
        Ok(match core.take_publish(first, input, check)? {
            Taken::Incomplete => Next::Wait,
            Taken::Nothing => Next::Nothing,
            Taken::Publish(publish) => Next::Event(ServerEvent::Publish(publish)),
            Taken::Body { part, remaining } => Next::Event(ServerEvent::Body { part, remaining }),
        })
    }

    // keeps: 5.0 MQTT-3.14.0-1, 5.0 MQTT-4.13.1-1, 5.0 MQTT-4.13.2-1
    // keeps: 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-4.8.0-1
    fn say_goodbye(connection: &mut ServerConnection, error: ConnectionError) {
        match connection.core.phase {
            Phase::AwaitsUs | Phase::AwaitsPeer => {
                if let Some(reason_code) = error.reason_code() {
                    connection.send_refusal(reason_code, Properties::EMPTY);
                }
            }
            Phase::Open => connection.core.say_goodbye(error),
            Phase::New | Phase::Closed => {}
        }
    }
}

impl Connection<Server> {
    /// Any packet but a PUBLISH, after login. A call, so that the way of a PUBLISH is a short
    /// one.
    #[inline(never)]
    fn next_beside_publish<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Next<ServerEvent<'a>>, ConnectionError> {
        if let Some(ack) = self.core.take_bare_puback(input)? {
            return Ok(ack.map(ServerEvent::PubAck));
        }
        match &self.core.decode(input) {
            Ok(Some((packet, length))) => {
                *input = &input[*length..];
                Ok(match self.handle(packet)? {
                    Some(event) => Next::Event(event),
                    None => Next::Nothing,
                })
            }
            Ok(None) => Ok(Next::Wait),
            Err(error) => Err((*error).into()),
        }
    }

    /// The next packet before CONNECT is accepted, or after the end.
    #[inline(never)]
    fn next_before_open<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Next<ServerEvent<'a>>, ConnectionError> {
        let taken = match self.core.phase {
            Phase::New => {
                let front = *input;
                let taken = self.take_connect(input);
                if let Err(error) = taken {
                    self.speak_as(error, front);
                }
                taken
            }
            Phase::AwaitsPeer => match self.core.take(input)? {
                Some(packet) => self.handle_authentication(&packet).map(Some),
                None => Ok(None),
            },
            Phase::AwaitsUs | Phase::Open => Ok(None),
            Phase::Closed => {
                *input = &[];
                Ok(None)
            }
        };
        Ok(taken?.map_or(Next::Wait, Next::Event))
    }

    /// The first packet, which is CONNECT (MQTT-3.1.0-1).
    fn take_connect<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let Self { core, config } = self;
        match input.first() {
            None => return Ok(None),
            Some(&first) if !PacketType::Connect.is_of(first) => {
                return Err(core.violation(Rule::ConnectFirst));
            }
            Some(_) => {}
        }
        let connect = match core.take(input)? {
            Some(Packet::Connect(connect)) => connect,
            _ => return Ok(None),
        };
        core.version = connect.protocol_version;
        core.asked = true;
        core.phase = Phase::AwaitsUs;
        core.timers.stop(Timer::Handshake);
        core.peer = PeerLimits::from_properties(&connect.properties);
        core.login = Login::of(&connect);
        // That is what the client takes.
        core.login.maximum_packet_size = u32::MAX;
        if let Some(will) = &connect.will {
            if will.qos > config.maximum_qos {
                return Err(core.violation(Rule::WillQoSNotSupported));
            }
            if will.retain && !config.retain_available {
                return Err(core.violation(Rule::WillRetainNotSupported));
            }
        }
        Ok(Some(ServerEvent::Connect(Box::new(connect))))
    }

    /// A packet while the client authenticates: AUTH, or goodbye (MQTT-3.1.2-30).
    fn handle_authentication<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<ServerEvent<'a>, ConnectionError> {
        let core = &mut self.core;
        let violation = |rule| core.violation(rule);
        match *packet {
            Packet::Auth(auth) => {
                let checked = core.login.method.check(&auth.properties);
                checked.map_err(violation)?;
                if auth.reason_code != ReasonCode::ContinueAuthentication {
                    return Err(violation(Rule::AuthReasonUnexpected));
                }
                core.phase = Phase::AwaitsUs;
                core.timers.stop(Timer::Handshake);
                Ok(ServerEvent::Auth(auth))
            }
            Packet::Disconnect(disconnect) => {
                core.close();
                Ok(ServerEvent::Disconnect(disconnect))
            }
            Packet::Connect(_) => Err(violation(Rule::ConnectTwice)),
            _ => Err(violation(Rule::OnlyAuthBeforeConnAck)),
        }
    }

    /// A packet of an established connection that is no PUBLISH.
    fn handle<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let Self { core, config } = self;
        let event = match *packet {
            Packet::PubAck(ack) => {
                let settled = core.receive_puback(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubAck(ack)));
            }
            Packet::PubRec(ack) => {
                let news = core.receive_pubrec(&ack)?;
                return Ok(news.then_some(ServerEvent::PubRec(ack)));
            }
            Packet::PubRel(ack) => {
                let settled = core.receive_pubrel(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubRel(ack)));
            }
            Packet::PubComp(ack) => {
                let settled = core.receive_pubcomp(&ack)?;
                return Ok(settled.then_some(ServerEvent::PubComp(ack)));
            }
            Packet::Subscribe(subscribe) => {
                check_subscribe(&subscribe, config, core.version)
                    .map_err(|rule| core.violation(rule))?;
                let filters = subscribe.subscriptions.len() as u32;
                core.receive_request(subscribe.packet_identifier, Request::Subscribe(filters))?;
                ServerEvent::Subscribe(subscribe)
            }
            Packet::Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.topic_filters.len() as u32;
                core.receive_request(unsubscribe.packet_identifier, Request::Unsubscribe(filters))?;
                ServerEvent::Unsubscribe(unsubscribe)
            }
            // keeps: 5.0 MQTT-3.12.4-1, 3.1.1 MQTT-3.12.4-1
            Packet::PingReq => {
                core.answer(&Packet::PingResp)?;
                return Ok(None);
            }
            Packet::Disconnect(disconnect) => {
                core.check_disconnect_of_client(&disconnect)?;
                core.close();
                ServerEvent::Disconnect(disconnect)
            }
            Packet::Auth(auth) => {
                core.check_reauthentication(&auth)
                    .map_err(|rule| core.violation(rule))?;
                core.login.turn = Turn::Us;
                ServerEvent::Auth(auth)
            }
            Packet::Connect(_) => return Err(core.violation(Rule::ConnectTwice)),
            Packet::Publish(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => return Err(core.violation(Rule::PacketDirection)),
        };
        Ok(Some(event))
    }

    /// Finds the words for what is wrong with a CONNECT that was not accepted as one;
    /// `input` begins with it.
    // keeps: 5.0 MQTT-3.1.4-1, 3.1.1 MQTT-3.1.2-2, 3.1.1 MQTT-3.1.3-8, 3.1.1 MQTT-3.1.4-1
    fn speak_as(&mut self, error: ConnectionError, input: &[u8]) {
        let ConnectionError::Decode(error) = error else {
            return;
        };
        self.core.version = match error.rule() {
            // Whoever speaks it may not be speaking MQTT.
            Rule::ProtocolName => return,
            Rule::ProtocolVersionUnsupported => self.form_of(input, error.offset()),
            _ => error.version(),
        };
        self.core.phase = Phase::AwaitsUs;
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
        match decode(&packet, latest, &self.core.limits) {
            Ok(Some(_)) => latest,
            _ => ProtocolVersion::V3_1_1,
        }
    }
}

impl Core {
    fn check_disconnect_of_client(
        &self,
        disconnect: &Disconnect<'_>,
    ) -> Result<(), ConnectionError> {
        let expiry = disconnect.properties.session_expiry_interval();
        if !self.login.session_expires_later && expiry.is_some_and(|seconds| seconds > 0) {
            return Err(self.violation(Rule::SessionExpiryFromZero));
        }
        Ok(())
    }

    fn check_reauthentication(&self, auth: &Auth<'_>) -> Result<(), Rule> {
        let login = &self.login;
        if login.method.is_none() {
            return Err(Rule::AuthWithoutMethod);
        }
        login.method.check(&auth.properties)?;
        match (login.turn, auth.reason_code) {
            (Turn::None, ReasonCode::ReAuthenticate)
            | (Turn::Peer, ReasonCode::ContinueAuthentication) => Ok(()),
            _ => Err(Rule::AuthReasonUnexpected),
        }
    }
}
