//! What a server answers, and what it says on its own.

use core::time::Duration;

use crate::connection::alias::{InboundAliases, OutboundAliases};
use crate::connection::authentication::{Method, Turn};
use crate::connection::core::{Phase, indispensable};
use crate::connection::role::{Role, Server};
use crate::connection::send::answer::{check_answer, check_packets};
use crate::connection::timer::Timer;
use crate::connection::{Connection, SendError, ServerConfig, Session};
use crate::setters::setters;
use crate::{
    Auth, ConnAck, Packet, PacketIdentifier, PacketSet, Properties, PropertiesBuilder, Property,
    PropertyIdentifier, ReasonCode, Rule,
};

/// What goes into the CONNACK that accepts a client (section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept<'a> {
    /// Whether the session goes on that the server had of this client (section
    /// 3.2.2.1.1). 3.1 is not told.
    pub session_present: bool,
    /// The client identifier that the server chose, when CONNECT had none. 5.0 only.
    pub assigned_client_identifier: Option<&'a str>,
    /// Seconds that the session outlives the connection, when it is not what the client
    /// asked for. 5.0 only.
    pub session_expiry_interval: Option<u32>,
    /// The keep alive in seconds, when it is not what the client asked for. 5.0 only.
    pub server_keep_alive: Option<u16>,
    /// Anything else: reason string, user properties, response information, server
    /// reference, authentication data. 5.0 only.
    pub properties: Properties<'a>,
}

setters! { Accept<'a> {
    with_session_present(session_present: bool);
    with_assigned_client_identifier(assigned_client_identifier: &'a str) = Some(assigned_client_identifier);
    /// In seconds.
    with_session_expiry_interval(session_expiry_interval: u32) = Some(session_expiry_interval);
    /// In seconds.
    with_server_keep_alive(server_keep_alive: u16) = Some(server_keep_alive);
    with_properties(properties: Properties<'a>);
} }

impl Accept<'_> {
    /// The properties of the CONNACK, of which the last are those of `self.properties`.
    // keeps: 5.0 MQTT-3.2.2-9
    fn connack_properties(
        &self,
        config: &ServerConfig,
        method: &Method,
    ) -> Result<PropertiesBuilder, SendError> {
        let default = ServerConfig::DEFAULT;
        let mut builder = PropertiesBuilder::new();
        let announced = [
            self.session_expiry_interval
                .map(Property::SessionExpiryInterval),
            (config.receive_maximum != default.receive_maximum)
                .then_some(Property::ReceiveMaximum(config.receive_maximum)),
            (config.maximum_qos != default.maximum_qos)
                .then_some(Property::MaximumQoS(config.maximum_qos)),
            (!config.retain_available).then_some(Property::RetainAvailable(false)),
            Some(Property::MaximumPacketSize(
                config.limits.maximum_packet_size,
            )),
            self.assigned_client_identifier
                .map(Property::AssignedClientIdentifier),
            (config.topic_alias_maximum != default.topic_alias_maximum)
                .then_some(Property::TopicAliasMaximum(config.topic_alias_maximum)),
            (!config.wildcard_subscription_available)
                .then_some(Property::WildcardSubscriptionAvailable(false)),
            (!config.subscription_identifiers_available)
                .then_some(Property::SubscriptionIdentifiersAvailable(false)),
            (!config.shared_subscription_available)
                .then_some(Property::SharedSubscriptionAvailable(false)),
            self.server_keep_alive.map(Property::ServerKeepAlive),
        ];
        builder.extend(announced.into_iter().flatten())?;
        method.add_to(&mut builder, self.properties)?;
        Ok(builder)
    }
}

impl Connection<Server> {
    /// Returns whether [`accept`](Self::accept) would succeed, Session Present and the session
    /// aside: to be asked before a session is taken from where it is kept.
    ///
    /// # Errors
    /// When CONNECT is not waiting for an answer, or the properties cannot be sent.
    /// [`SendError::PacketTooLarge`]: the client accepts no CONNACK so large, and is to be
    /// refused with [`ReasonCode::PacketTooLarge`].
    pub fn check_accept(&self, accept: &Accept<'_>) -> Result<(), SendError> {
        let core = &self.core;
        core.expect(Phase::AwaitsUs)?;
        let version = core.version;
        if !version.has_properties() {
            return Ok(());
        }
        let properties = self.connack_properties(accept)?;
        let properties = indispensable(properties.as_properties())?;
        let packet = Packet::ConnAck(ConnAck {
            properties: properties.as_properties(),
            ..ConnAck::new(ReasonCode::Success)
        });
        core.check_size(packet.encoded_len(version))?;
        Ok(())
    }

    /// The properties of the CONNACK that accepts.
    fn connack_properties(&self, accept: &Accept<'_>) -> Result<PropertiesBuilder, SendError> {
        let login = &self.core.login;
        let broken = |rule| Err(SendError::Rule { rule });
        if login.anonymous && accept.assigned_client_identifier.is_none() {
            return broken(Rule::AssignedClientIdentifierMissing);
        }
        let builder = accept.connack_properties(&self.config, &login.method)?;
        let properties = builder.as_properties();
        check_packets(properties, PacketSet::CONNACK)?;
        if properties.response_information().is_some() && !login.response_information {
            return broken(Rule::ResponseInformationNotRequested);
        }
        Ok(builder)
    }

    /// Answers CONNECT with a CONNACK that accepts it, and takes up the session: what is
    /// not settled in it is sent again. `session` is what the server kept of this client,
    /// and empty unless `accept.session_present`.
    ///
    /// # Errors
    /// When CONNECT is not waiting for an answer, when Session Present does not go with
    /// the session and Clean Start, or with the properties: CONNECT waits on.
    /// [`SendError::PacketTooLarge`] ends the connection, after a CONNACK with that reason if
    /// the client accepts one, and the session is lost: call
    /// [`check_accept`](Self::check_accept) first.
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
        self.core.expect(Phase::AwaitsUs)?;
        self.core.set_now(now);
        if accept.session_present && self.core.login.clean_start
            || !accept.session_present && !session.is_empty()
        {
            return Err(SendError::SessionPresent);
        }
        let with_properties = self.core.version.has_properties();
        let properties = match with_properties {
            true => self.connack_properties(accept)?,
            false => PropertiesBuilder::new(),
        };
        let sent = self.core.send_shedding(&Packet::ConnAck(ConnAck {
            session_present: accept.session_present,
            reason_code: ReasonCode::Success,
            properties: properties.as_properties(),
        }));
        self.owe(sent)?;
        if with_properties && let Some(seconds) = accept.server_keep_alive {
            self.core.login.keep_alive = seconds;
        }
        self.open();
        self.core.session = session;
        self.core.resume();
        if self.core.login.keep_alive > 0 {
            let patience = Server::patience(self);
            self.core
                .timers
                .set(Timer::Receive, self.core.now, patience);
        }
        Ok(())
    }

    /// From here on both sides keep to what CONNECT and CONNACK said.
    pub(in crate::connection) fn open(&mut self) {
        let Self { core, config } = self;
        core.phase = Phase::Open;
        core.set_limits(config.limits);
        if core.version.has_properties() {
            core.receive_maximum = config.receive_maximum;
            core.inbound_aliases = InboundAliases::new(config.topic_alias_maximum);
            core.outbound_aliases = OutboundAliases::new(
                config.topic_alias_policy,
                config
                    .outbound_topic_alias_maximum
                    .min(core.peer.topic_alias_maximum),
            );
        }
        core.send_maximum = config
            .maximum_in_flight
            .min(core.peer.receive_maximum)
            .max(1);
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
    pub fn refuse(
        &mut self,
        now: Duration,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(Phase::AwaitsUs)?;
        self.core.set_now(now);
        if !reason_code.is_error() {
            return Err(SendError::ReasonCode { reason_code });
        }
        check_answer(reason_code, properties, PacketSet::CONNACK)?;
        self.send_refusal(reason_code, properties);
        self.core.close();
        Ok(())
    }

    pub(in crate::connection) fn send_refusal(
        &mut self,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) {
        let bare = ConnAck::new(reason_code);
        let full = ConnAck { properties, ..bare };
        // What the version or the client has no place for is left out, at last all of it.
        if self.core.send_shedding(&Packet::ConnAck(full)).is_err() {
            // The connection is over all the same.
            let _ = self.core.send(&Packet::ConnAck(bare));
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
        let core = &mut self.core;
        core.set_now(now);
        if core.login.method.is_none() {
            return Err(SendError::Rule {
                rule: Rule::AuthOfServerWithoutMethod,
            });
        }
        let goes_on = reason_code == ReasonCode::ContinueAuthentication;
        let is_answer = match core.phase {
            Phase::Closed => return Err(SendError::Closed),
            Phase::AwaitsUs => goes_on,
            Phase::Open if core.login.turn == Turn::Us => {
                goes_on || reason_code == ReasonCode::Success
            }
            Phase::New | Phase::AwaitsPeer | Phase::Open => return Err(SendError::NotOpen),
        };
        if !is_answer {
            return Err(SendError::ReasonCode { reason_code });
        }
        let mut builder = PropertiesBuilder::new();
        core.login.method.add_to(&mut builder, properties)?;
        let sent = core.send_shedding(&Packet::Auth(Auth {
            reason_code,
            properties: builder.as_properties(),
        }));
        self.owe(sent)?;
        let Self { core, config } = self;
        if core.phase == Phase::AwaitsUs {
            core.phase = Phase::AwaitsPeer;
            core.timers
                .set(Timer::Handshake, core.now, config.handshake_timeout);
        } else {
            core.login.turn = match goes_on {
                true => Turn::Peer,
                false => Turn::None,
            };
        }
        Ok(())
    }

    /// Answers SUBSCRIBE, with one reason code for each topic filter. 3.x is told 0x80
    /// for any error.
    ///
    /// # Errors
    /// When no SUBSCRIBE with this identifier waits for it, or the reason codes are not
    /// as many or not those that SUBACK has. [`SendError::PacketTooLarge`] ends the connection
    /// with that reason: the client accepts no SUBACK so large, and would wait for ever.
    pub fn suback(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_codes: &[ReasonCode],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        let sent = self
            .core
            .suback(packet_identifier, reason_codes, properties);
        self.owe(sent)
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
        self.core.expect(Phase::Open)?;
        let sent = self
            .core
            .unsuback(packet_identifier, reason_codes, properties);
        self.owe(sent)
    }

    /// Ends the connection: with DISCONNECT in 5.0, without a word in 3.x, where a server
    /// has none.
    ///
    /// # Errors
    /// Before CONNECT was accepted ([`refuse`](Self::refuse) is for that), when the reason
    /// code or a property is not one for a server's DISCONNECT, and with
    /// [`SendError::BodyLength`] within a message that is sent in parts: nothing but its rest
    /// can be sent then.
    // keeps: 5.0 MQTT-3.14.0-1, 5.0 MQTT-4.12.1-2, 5.0 MQTT-4.13.2-1, 3.1.1 MQTT-4.8.0-2
    pub fn close(
        &mut self,
        now: Duration,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let core = &mut self.core;
        core.expect(Phase::Open)?;
        core.set_now(now);
        check_answer(reason_code, properties, PacketSet::DISCONNECT)?;
        if properties.contains(PropertyIdentifier::SessionExpiryInterval) {
            return Err(SendError::Rule {
                rule: Rule::SessionExpiryFromServer,
            });
        }
        core.send_disconnect(reason_code, properties)
    }
}
