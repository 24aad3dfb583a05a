//! What a client does with what comes in.

use core::time::Duration;

use crate::connection::alias::OutboundAliases;
use crate::connection::authentication::Turn;
use crate::connection::core::{Core, Next, Phase, Request, Side, Taken};
use crate::connection::role::{Client, Role};
use crate::connection::timer::Timer;
use crate::connection::{
    ClientConfig, ClientConnection, ClientEvent, Connection, ConnectionError, PeerLimits, Session,
};
use crate::{
    Auth, ConnAck, Disconnect, Packet, PacketSet, PropertyIdentifier, ProtocolVersion, ReasonCode,
    Rule, SubAck, UnsubAck,
};

impl Role for Client {
    type Config = ClientConfig;
    type Event<'a> = ClientEvent<'a>;

    fn begin(now: Duration, config: &ClientConfig) -> Core {
        let mut core = Core::new(Side::Client, now, config.limits_before_login);
        core.handshakes = config.handshakes;
        core
    }

    const SILENCE: Timer = Timer::Ping;

    #[inline]
    fn patience(connection: &ClientConnection) -> Duration {
        connection.config.ping_timeout
    }

    #[inline]
    fn next<'a>(
        connection: &mut ClientConnection,
        input: &mut &'a [u8],
    ) -> Result<Next<ClientEvent<'a>>, ConnectionError> {
        let core = &mut connection.core;
        if core.phase == Phase::Open
            && let Some(first) = core.publish_comes(input)
        {
            return Ok(match core.take_publish(first, input, |_| Ok(()))? {
                Taken::Incomplete => Next::Wait,
                Taken::Nothing => Next::Nothing,
                Taken::Publish(publish) => Next::Event(ClientEvent::Publish(publish)),
                Taken::Body { part, remaining } => {
                    Next::Event(ClientEvent::Body { part, remaining })
                }
            });
        }
        connection.next_beside_publish(input)
    }

    // keeps: 5.0 MQTT-4.13.2-1, 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-4.8.0-1
    fn say_goodbye(connection: &mut ClientConnection, error: ConnectionError) {
        if connection.core.asked {
            connection.core.say_goodbye(error);
        }
    }
}

impl ClientConnection {
    /// Any packet but a PUBLISH. A call, so that the way of a PUBLISH is a short one.
    #[inline(never)]
    fn next_beside_publish<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Next<ClientEvent<'a>>, ConnectionError> {
        let core = &mut self.core;
        if core.phase == Phase::Open
            && let Some(ack) = core.take_bare_puback(input)?
        {
            return Ok(ack.map(ClientEvent::PubAck));
        }
        if core.phase == Phase::Closed {
            *input = &[];
            return Ok(Next::Wait);
        }
        match &core.decode(input) {
            Ok(None) => Ok(Next::Wait),
            Ok(Some((packet, length))) => {
                *input = &input[*length..];
                let event = match core.phase {
                    Phase::Open => self.handle(packet)?,
                    _ => Some(self.handle_login(packet)?),
                };
                Ok(event.map_or(Next::Nothing, Next::Event))
            }
            Err(error) => match self.refused_in_3(input) {
                Some(connack) => Ok(Next::Event(ClientEvent::ConnAck(connack))),
                None => Err((*error).into()),
            },
        }
    }
}

impl Core {
    /// Queues a DISCONNECT with the reason, if the version has one and the peer takes it.
    pub(super) fn say_goodbye(&mut self, error: ConnectionError) {
        let Some(reason_code) = error.reason_code() else {
            return;
        };
        if self.version.has_properties() {
            let reason_code = match reason_code.packets().contains(PacketSet::DISCONNECT) {
                true => reason_code,
                false => ReasonCode::ProtocolError,
            };
            // A peer that takes no such packet is not told: the connection is over all the same.
            let _ = self.send(&Packet::Disconnect(Disconnect::new(reason_code)));
        }
    }
}

impl Connection<Client> {
    /// A packet before CONNACK: AUTH or CONNACK (MQTT-3.2.0-1).
    fn handle_login<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        let violation = |rule| self.core.violation(rule);
        match *packet {
            Packet::Auth(auth) if self.core.phase == Phase::AwaitsPeer => {
                self.receive_auth(&auth)?;
                Ok(ClientEvent::Auth(auth))
            }
            Packet::ConnAck(connack) if self.core.phase == Phase::AwaitsPeer => {
                self.check_connack(&connack).map_err(violation)?;
                self.receive_connack(&connack);
                Ok(ClientEvent::ConnAck(connack))
            }
            _ => Err(violation(Rule::ConnAckFirst)),
        }
    }

    /// The CONNACK of a server that speaks 3.x and refuses 5.0, in the only form that it knows
    /// (3.1.1 MQTT-3.1.2-2).
    #[cold]
    fn refused_in_3<'a>(&mut self, input: &mut &'a [u8]) -> Option<ConnAck<'a>> {
        const UNACCEPTABLE_PROTOCOL_VERSION: &[u8] = &[0x20, 2, 0, 1];
        if self.core.phase != Phase::AwaitsPeer || !self.core.version.has_properties() {
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
        let Core { login, version, .. } = &self.core;
        if connack.session_present && login.clean_start {
            return Err(Rule::SessionPresentUnknown);
        }
        let properties = &connack.properties;
        if version.has_properties()
            && login.anonymous
            && properties.assigned_client_identifier().is_none()
        {
            return Err(Rule::AssignedClientIdentifierMissing);
        }
        if properties.response_information().is_some() && !login.response_information {
            return Err(Rule::ResponseInformationNotRequested);
        }
        login.method.check(properties)
    }

    // keeps: 5.0 MQTT-3.1.2-21, 5.0 MQTT-3.2.2-5, 5.0 MQTT-3.2.2-21, 5.0 MQTT-4.9.0-1,
    // keeps: 5.0 MQTT-4.13.2-1
    // keeps: 3.1.1 MQTT-3.1.2-4
    fn receive_connack(&mut self, connack: &ConnAck<'_>) {
        let Self { core, config } = self;
        if connack.reason_code.is_error() {
            // The session is as it was.
            core.close();
            return;
        }
        let properties = &connack.properties;
        core.timers.stop(Timer::Handshake);
        core.phase = Phase::Open;
        core.login.turn = Turn::None;
        if let Some(seconds) = properties.server_keep_alive() {
            core.login.keep_alive = seconds;
        }
        if let Some(seconds) = properties.session_expiry_interval() {
            core.login.session_expires_later &= seconds > 0;
        }
        core.await_ping();
        core.set_limits(config.limits);
        core.peer = PeerLimits::from_properties(properties);
        core.outbound_aliases = OutboundAliases::new(
            config.topic_alias_policy,
            config
                .outbound_topic_alias_maximum
                .min(core.peer.topic_alias_maximum),
        );
        core.send_maximum = config
            .maximum_in_flight
            .min(core.peer.receive_maximum)
            .max(1);
        // 3.1 does not tell whether the session is there: without Clean Session it is.
        let goes_on = connack.session_present
            || core.version == ProtocolVersion::V3_1 && !core.login.clean_start;
        if !goes_on {
            core.session = Session::new();
        }
        core.resume();
    }

    /// A packet after CONNACK that is no PUBLISH.
    fn handle<'a>(
        &mut self,
        packet: &Packet<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let core = &mut self.core;
        let event = match *packet {
            Packet::PubAck(ack) => {
                let settled = core.receive_puback(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubAck(ack)));
            }
            Packet::PubRec(ack) => {
                let news = core.receive_pubrec(&ack)?;
                return Ok(news.then_some(ClientEvent::PubRec(ack)));
            }
            Packet::PubRel(ack) => {
                let settled = core.receive_pubrel(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubRel(ack)));
            }
            Packet::PubComp(ack) => {
                let settled = core.receive_pubcomp(&ack)?;
                return Ok(settled.then_some(ClientEvent::PubComp(ack)));
            }
            Packet::SubAck(suback) => {
                core.check_suback(&suback)?;
                core.remove_request(suback.packet_identifier);
                ClientEvent::SubAck(suback)
            }
            Packet::UnsubAck(unsuback) => {
                core.check_unsuback(&unsuback)?;
                core.remove_request(unsuback.packet_identifier);
                ClientEvent::UnsubAck(unsuback)
            }
            Packet::PingResp => {
                core.timers.stop(Timer::Ping);
                ClientEvent::PingResp
            }
            Packet::Disconnect(disconnect) => {
                core.check_disconnect_of_server(&disconnect)?;
                core.close();
                ClientEvent::Disconnect(disconnect)
            }
            Packet::Auth(auth) => {
                self.receive_auth(&auth)?;
                ClientEvent::Auth(auth)
            }
            Packet::ConnAck(_) => return Err(core.violation(Rule::ConnAckTwice)),
            Packet::Publish(_)
            | Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => return Err(core.violation(Rule::PacketDirection)),
        };
        Ok(Some(event))
    }

    /// A step of the server: it is one only in answer to one of the client. What ends an
    /// authentication is CONNACK at first, later an AUTH.
    fn receive_auth(&mut self, auth: &Auth<'_>) -> Result<(), ConnectionError> {
        let Core { login, phase, .. } = &mut self.core;
        let checked = match (login.turn, auth.reason_code) {
            _ if login.method.is_none() => Err(Rule::AuthOfServerWithoutMethod),
            (Turn::Peer, ReasonCode::ContinueAuthentication) => Ok(Turn::Us),
            (Turn::Peer, ReasonCode::Success) if *phase == Phase::Open => Ok(Turn::None),
            _ => Err(Rule::AuthReasonOfServer),
        };
        let checked = login.method.check(&auth.properties).and(checked);
        match checked {
            Ok(turn) => {
                login.turn = turn;
                Ok(())
            }
            Err(rule) => Err(self.core.violation(rule)),
        }
    }
}

impl Core {
    fn check_suback(&self, suback: &SubAck<'_>) -> Result<(), ConnectionError> {
        let rule = match self.request(suback.packet_identifier) {
            Some(Request::Subscribe(count)) if count as usize == suback.reason_codes.len() => {
                return Ok(());
            }
            Some(Request::Subscribe(_)) => Rule::SubAckCount,
            _ => Rule::SubAckUnexpected,
        };
        Err(self.violation(rule))
    }

    fn check_unsuback(&self, unsuback: &UnsubAck<'_>) -> Result<(), ConnectionError> {
        let rule = match self.request(unsuback.packet_identifier) {
            Some(Request::Unsubscribe(count))
                if count as usize == unsuback.reason_codes.len()
                    || !self.version.has_properties() =>
            {
                return Ok(());
            }
            Some(Request::Unsubscribe(_)) => Rule::UnsubAckCount,
            _ => Rule::UnsubAckUnexpected,
        };
        Err(self.violation(rule))
    }

    fn check_disconnect_of_server(
        &self,
        disconnect: &Disconnect<'_>,
    ) -> Result<(), ConnectionError> {
        let properties = &disconnect.properties;
        if !self.version.has_properties() {
            return Err(self.violation(Rule::PacketDirection));
        }
        if properties.contains(PropertyIdentifier::SessionExpiryInterval) {
            return Err(self.violation(Rule::SessionExpiryFromServer));
        }
        Ok(())
    }
}
