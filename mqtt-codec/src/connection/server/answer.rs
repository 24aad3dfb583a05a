//! What a server answers, and what it says by itself.

use core::time::Duration;

use super::{ReAuthentication, ServerConnection, State, deadline, patience};
use crate::connection::accept::Accept;
use crate::connection::alias::{InboundAliases, OutboundAliases};
use crate::connection::inbound::check_packets;
use crate::connection::{Message, SendError, Session};
use crate::{
    Auth, ConnAck, Disconnect, Packet, PacketIdentifier, PacketSet, Properties, PropertiesBuilder,
    PropertyIdentifier, ReasonCode, Rule,
};

impl ServerConnection {
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
        self.deadline = deadline(now, self.patience);
        self.state = State::Connected;
        let exchange = &mut self.exchange;
        if version.has_properties() {
            exchange.receive_maximum = self.config.receive_maximum;
            exchange.inbound_aliases = InboundAliases::new(self.config.topic_alias_maximum);
            exchange.outbound_aliases = OutboundAliases::new(
                self.config.topic_alias_policy,
                self.config
                    .outbound_topic_alias_maximum
                    .min(exchange.peer.topic_alias_maximum),
            );
        }
        exchange.send_maximum = self
            .config
            .maximum_in_flight
            .min(exchange.peer.receive_maximum)
            .max(1);
        exchange.session = session;
        exchange.resume();
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

    pub(super) fn send_refusal(&mut self, reason_code: ReasonCode, properties: Properties<'_>) {
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
            self.deadline = now.checked_add(self.config.connect_timeout);
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
        self.exchange.publish(message)
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
}
