//! What a client asks for.

use core::time::Duration;

use crate::connection::alias::InboundAliases;
use crate::connection::authentication::Turn;
use crate::connection::core::{Core, Login, Phase, Request, Side};
use crate::connection::role::{Client, Role};
use crate::connection::send::answer::check_answer;
use crate::connection::timer::Timer;
use crate::connection::{Acknowledgements, Connection, ConnectionError, SendError, Session};
use crate::topic::{TopicFilter, has_wildcard};
use crate::{
    Auth, Connect, Disconnect, Packet, PacketIdentifier, PacketSet, Properties, PropertiesBuilder,
    PropertyIdentifier, ReasonCode, Rule, Subscribe, Subscription, Unsubscribe,
};

impl Connection<Client> {
    /// Sends CONNECT. `session` is what an earlier connection left; it goes on if the
    /// server still has its part of it, and is dropped if not (MQTT-3.2.2-5).
    ///
    /// # Errors
    /// When CONNECT has been sent, cannot be encoded, or is a Clean Start with a session
    /// that is not empty ([`SendError::SessionPresent`]).
    // keeps: 5.0 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-6
    pub fn connect(
        &mut self,
        now: Duration,
        connect: &Connect<'_>,
        session: Session,
    ) -> Result<(), SendError> {
        let Self { core, config } = self;
        core.expect(Phase::New)?;
        if connect.clean_start && !session.is_empty() {
            return Err(SendError::SessionPresent);
        }
        core.send(&Packet::Connect(*connect))?;
        core.set_now(now);
        core.version = connect.protocol_version;
        core.asked = true;
        core.login = Login::of(connect);
        core.login.turn = Turn::Peer;
        core.set_limits(config.limits_before_login);
        let properties = &connect.properties;
        core.receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX);
        core.inbound_aliases =
            InboundAliases::new(properties.topic_alias_maximum().unwrap_or_default());
        core.automatic = config.acknowledgements == Acknowledgements::Automatic;
        core.session = session;
        core.phase = Phase::AwaitsPeer;
        core.sent();
        core.timers
            .set(Timer::Handshake, core.now, config.handshake_timeout);
        Ok(())
    }

    /// Sends SUBSCRIBE. Returns the packet identifier that its SUBACK will name. `properties` may
    /// have a subscription identifier and user properties.
    ///
    /// # Errors
    /// When the server does not support what is asked for, or the packet cannot be
    /// encoded.
    pub fn subscribe(
        &mut self,
        subscriptions: &[Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<PacketIdentifier, SendError> {
        self.core.expect(Phase::Open)?;
        self.core.check_subscribe(subscriptions, properties)?;
        let packet_identifier = self.core.assign_identifier()?;
        self.core.send(&Packet::Subscribe(Subscribe {
            packet_identifier,
            properties,
            subscriptions: subscriptions.into(),
        }))?;
        let request = Request::Subscribe(subscriptions.len() as u32);
        self.core.insert_request(packet_identifier, request);
        Ok(packet_identifier)
    }

    /// Sends UNSUBSCRIBE. Returns the packet identifier that its UNSUBACK will name.
    ///
    /// # Errors
    /// When the packet cannot be encoded.
    pub fn unsubscribe(
        &mut self,
        topic_filters: &[&str],
        properties: Properties<'_>,
    ) -> Result<PacketIdentifier, SendError> {
        self.core.expect(Phase::Open)?;
        let packet_identifier = self.core.assign_identifier()?;
        self.core.send(&Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            properties,
            topic_filters: topic_filters.into(),
        }))?;
        let request = Request::Unsubscribe(topic_filters.len() as u32);
        self.core.insert_request(packet_identifier, request);
        Ok(packet_identifier)
    }

    /// Sends AUTH: with [`ReasonCode::ContinueAuthentication`] in answer to one, with
    /// [`ReasonCode::ReAuthenticate`] to begin a re-authentication (section 4.12.1). The
    /// Authentication Method is put in.
    ///
    /// # Errors
    /// When CONNECT had no Authentication Method, or the reason code is not one for this
    /// step: there is no AUTH to answer, or an authentication is going on.
    // keeps: 5.0 MQTT-4.12.0-3, 5.0 MQTT-4.12.1-1
    pub fn authenticate(
        &mut self,
        now: Duration,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let core = &mut self.core;
        core.expect_connect()?;
        core.set_now(now);
        if core.login.method.is_none() {
            return Err(SendError::Rule {
                rule: Rule::AuthWithoutMethod,
            });
        }
        let expected = match core.login.turn {
            Turn::None => ReasonCode::ReAuthenticate,
            Turn::Us => ReasonCode::ContinueAuthentication,
            Turn::Peer => return Err(SendError::ReasonCode { reason_code }),
        };
        if reason_code != expected {
            return Err(SendError::ReasonCode { reason_code });
        }
        let mut builder = PropertiesBuilder::new();
        core.login.method.add_to(&mut builder, properties)?;
        core.send_shedding(&Packet::Auth(Auth {
            reason_code,
            properties: builder.as_properties(),
        }))?;
        core.login.turn = Turn::Peer;
        Ok(())
    }

    /// Sends PINGREQ now, and expects PINGRESP in time.
    ///
    /// # Errors
    /// When the connection is not open. [`SendError::PacketTooLarge`] ends the connection: a
    /// server that accepts no PINGREQ cannot be told that this side is there.
    pub fn ping(&mut self, now: Duration) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        self.core.set_now(now);
        let sent = self.core.ping(Client::patience(self));
        self.owe(sent.map_err(|error| match error {
            ConnectionError::PacketTooLarge { length, maximum } => {
                SendError::PacketTooLarge { length, maximum }
            }
            _ => SendError::Closed,
        }))
    }

    /// Ends the connection with DISCONNECT. In 3.x, which has no reason codes, anything
    /// but success ends it without, so that the server publishes the will.
    ///
    /// # Errors
    /// Before CONNECT was sent, when the reason code or a property is not one for this, and
    /// with [`SendError::BodyLength`] within a message that is sent in parts: nothing but its
    /// rest can be sent then.
    // keeps: 5.0 MQTT-4.12.1-2, 5.0 MQTT-4.13.2-1
    pub fn close(
        &mut self,
        now: Duration,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let core = &mut self.core;
        core.expect_connect()?;
        core.set_now(now);
        check_answer(reason_code, properties, PacketSet::DISCONNECT)?;
        if !core.login.session_expires_later
            && properties.session_expiry_interval().unwrap_or_default() > 0
        {
            return Err(SendError::Rule {
                rule: Rule::SessionExpiryFromZero,
            });
        }
        core.send_disconnect(reason_code, properties)
    }
}

impl Core {
    fn check_subscribe(
        &self,
        subscriptions: &[Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let broken = |rule| Err(SendError::Rule { rule });
        let peer = &self.peer;
        if !peer.subscription_identifiers_available
            && properties.contains(PropertyIdentifier::SubscriptionIdentifier)
        {
            return broken(Rule::SubscriptionIdentifiersNotSupported);
        }
        for subscription in subscriptions {
            let filter = TopicFilter::parse(subscription.topic_filter, self.version)
                .map_err(|rule| SendError::Rule { rule })?;
            if !peer.shared_subscription_available && filter.share_name().is_some() {
                return broken(Rule::SharedSubscriptionsNotSupported);
            }
            if !peer.wildcard_subscription_available && has_wildcard(filter.filter()) {
                return broken(Rule::WildcardSubscriptionsNotSupported);
            }
        }
        Ok(())
    }

    /// That CONNECT has been sent.
    fn expect_connect(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Closed => Err(SendError::Closed),
            Phase::New => Err(SendError::NotOpen),
            Phase::AwaitsPeer | Phase::AwaitsUs | Phase::Open => Ok(()),
        }
    }

    /// Sends a DISCONNECT, and ends the connection. 3.x has one of the client only, and only
    /// for success.
    pub(super) fn send_disconnect(
        &mut self,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.must_be_whole()?;
        if self.version.has_properties() {
            self.send_shedding(&Packet::Disconnect(Disconnect {
                reason_code,
                properties,
            }))?;
        } else if reason_code == ReasonCode::Success && self.side == Side::Client {
            self.send(&Packet::Disconnect(Disconnect::new(reason_code)))?;
        }
        self.close();
        Ok(())
    }
}
