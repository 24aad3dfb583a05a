//! What a client asks for.

use core::time::Duration;

use super::{ClientConnection, State, Turn};
use crate::connection::exchange::Request;
use crate::connection::inbound::check_packets;
use crate::connection::{Message, SendError};
use crate::topic::{TopicFilter, has_wildcard};
use crate::{
    Auth, Disconnect, Packet, PacketIdentifier, PacketSet, Properties, PropertiesBuilder,
    PropertyIdentifier, ReasonCode, Rule, Subscribe, Subscription, Unsubscribe,
};

impl ClientConnection {
    /// Sends SUBSCRIBE: the packet identifier that its SUBACK will name. `properties` may
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
        self.expect(State::Connected)?;
        self.check_subscribe(subscriptions, properties)?;
        let packet_identifier = self.exchange.assign_identifier()?;
        self.exchange.send(&Packet::Subscribe(Subscribe {
            packet_identifier,
            properties,
            subscriptions: subscriptions.into(),
        }))?;
        self.last_sent = self.now;
        let request = Request::Subscribe(subscriptions.len() as u32);
        self.exchange.requests.insert(packet_identifier, request);
        Ok(packet_identifier)
    }

    fn check_subscribe(
        &self,
        subscriptions: &[Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let broken = |rule| Err(SendError::Rule { rule });
        let peer = &self.exchange.peer;
        if !peer.subscription_identifiers_available
            && properties.contains(PropertyIdentifier::SubscriptionIdentifier)
        {
            return broken(Rule::SubscriptionIdentifiersNotSupported);
        }
        for subscription in subscriptions {
            let filter = TopicFilter::parse(subscription.topic_filter, self.exchange.version)
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

    /// Sends UNSUBSCRIBE: the packet identifier that its UNSUBACK will name.
    ///
    /// # Errors
    /// When the packet cannot be encoded.
    pub fn unsubscribe(
        &mut self,
        topic_filters: &[&str],
        properties: Properties<'_>,
    ) -> Result<PacketIdentifier, SendError> {
        self.expect(State::Connected)?;
        let packet_identifier = self.exchange.assign_identifier()?;
        self.exchange.send(&Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            properties,
            topic_filters: topic_filters.into(),
        }))?;
        self.last_sent = self.now;
        let request = Request::Unsubscribe(topic_filters.len() as u32);
        self.exchange.requests.insert(packet_identifier, request);
        Ok(packet_identifier)
    }

    /// Sends a message: with QoS 1 and 2, the packet identifier that its acknowledgement
    /// will name.
    ///
    /// # Errors
    /// [`SendError::ReceiveMaximum`]: as many are under way as the server takes, and the
    /// message is to wait until one is settled. Others tell what the server does not
    /// support, or that the packet is too large for it.
    pub fn publish(&mut self, message: &Message) -> Result<Option<PacketIdentifier>, SendError> {
        self.expect(State::Connected)?;
        let identifier = self.exchange.publish(message)?;
        self.last_sent = self.now;
        Ok(identifier)
    }

    /// How many more QoS 1 and QoS 2 messages may be sent now (section 4.9).
    #[must_use]
    pub fn send_quota(&self) -> usize {
        match self.state {
            State::Connected => self.exchange.send_quota(),
            _ => 0,
        }
    }

    /// Acknowledges a message of the server: PUBACK with QoS 1, PUBREC with QoS 2. They
    /// go out in the order of the messages (MQTT-4.6.0-2), each waiting for those before
    /// it. 3.x has no reason codes, and is told success.
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
            .acknowledge(packet_identifier, reason_code, properties)?;
        self.last_sent = self.now;
        Ok(())
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
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        match self.state {
            State::New => return Err(SendError::NotConnected),
            State::Closed => return Err(SendError::Closed),
            State::Connecting | State::Connected => {}
        }
        if self.method.is_none() {
            return Err(SendError::Rule {
                rule: Rule::AuthWithoutMethod,
            });
        }
        let expected = match self.turn {
            Turn::None => ReasonCode::ReAuthenticate,
            Turn::Client => ReasonCode::ContinueAuthentication,
            Turn::Server => return Err(SendError::ReasonCode { reason_code }),
        };
        if reason_code != expected {
            return Err(SendError::ReasonCode { reason_code });
        }
        let mut builder = PropertiesBuilder::new();
        self.method.add_to(&mut builder, properties)?;
        self.exchange.send_shedding(&Packet::Auth(Auth {
            reason_code,
            properties: builder.as_properties(),
        }))?;
        self.turn = Turn::Server;
        self.last_sent = self.now;
        Ok(())
    }

    /// Sends PINGREQ now, and expects PINGRESP in time.
    ///
    /// # Errors
    /// When the connection is not established.
    pub fn ping(&mut self, now: Duration) -> Result<(), SendError> {
        self.expect(State::Connected)?;
        self.exchange.send(&Packet::PingReq)?;
        self.now = self.now.max(now);
        self.last_sent = self.now;
        if self.deadline.is_none() {
            self.deadline = self.now.checked_add(self.config.ping_timeout);
        }
        Ok(())
    }

    /// Ends the connection with DISCONNECT. In 3.x, which has no reason codes, anything
    /// but success ends it without, so that the server publishes the will.
    ///
    /// # Errors
    /// Before CONNECT was sent, or when the reason code or a property is not one for this.
    // keeps: 5.0 MQTT-4.12.1-2, 5.0 MQTT-4.13.2-1
    pub fn disconnect(
        &mut self,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        match self.state {
            State::New => return Err(SendError::NotConnected),
            State::Closed => return Err(SendError::Closed),
            State::Connecting | State::Connected => {}
        }
        if !reason_code.packets().contains(PacketSet::DISCONNECT) {
            return Err(SendError::ReasonCode { reason_code });
        }
        check_packets(properties, PacketSet::DISCONNECT)?;
        if !self.session_expires_later
            && properties.session_expiry_interval().unwrap_or_default() > 0
        {
            return Err(SendError::Rule {
                rule: Rule::SessionExpiryFromZero,
            });
        }
        if self.exchange.version.has_properties() {
            self.exchange
                .send_shedding(&Packet::Disconnect(Disconnect {
                    reason_code,
                    properties,
                }))?;
        } else if reason_code == ReasonCode::Success {
            self.exchange
                .send(&Packet::Disconnect(Disconnect::new(reason_code)))?;
        }
        self.close();
        Ok(())
    }
}
