//! Messages on their way out: QoS 0, 1 and 2, flow control, and sending again
//! (sections 4.3, 4.4 and 4.9).

use super::alias::AliasUse;
use super::exchange::{Exchange, Role};
use super::session::InFlight;
use super::{ConnectionError, Message, SendError};
use crate::{
    Acknowledgement, EncodeError, Packet, PacketIdentifier, PacketSet, PacketType,
    PropertyIdentifier, Publish, QoS, ReasonCode, Rule, StringError, TopicName,
};

impl Exchange {
    /// How many more QoS 1 and QoS 2 messages may be sent now.
    pub(super) fn send_quota(&self) -> usize {
        // While a message waits to be sent again there is nothing left of it.
        usize::from(self.send_maximum).saturating_sub(self.under_way)
    }

    /// Sends a message; its packet identifier, if it has one.
    // keeps: 5.0 MQTT-3.1.2-25, 5.0 MQTT-3.3.4-7, 5.0 MQTT-3.3.4-8, 5.0 MQTT-3.3.4-9,
    // keeps: 5.0 MQTT-3.3.4-10, 5.0 MQTT-4.9.0-2, 5.0 MQTT-4.9.0-3
    pub(super) fn publish(
        &mut self,
        message: &Message,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.check_message(message)?;
        if message.qos != QoS::AtMostOnce && self.send_quota() == 0 {
            return Err(SendError::ReceiveMaximum);
        }
        let mut alias = match &self.outbound_aliases {
            Some(aliases) => aliases.choose(&message.topic_name),
            None => AliasUse::None,
        };
        let (mut publish, mut topic_alias) = packet(message, alias);
        let mut length = publish.encoded_len(topic_alias, self.version);
        if let AliasUse::Introduce(_) = alias
            && self.check_size(length).is_err()
        {
            alias = AliasUse::None;
            (publish, topic_alias) = packet(message, alias);
            length = publish.encoded_len(topic_alias, self.version);
        }
        self.check_size(length)?;
        let identifier = match message.qos {
            QoS::AtMostOnce => None,
            _ => Some(self.assign_identifier()?),
        };
        publish.packet_identifier = identifier;
        publish.encode(topic_alias, self.version, self.transmit.buffer())?;
        if let Some(aliases) = &mut self.outbound_aliases {
            aliases.sent(&message.topic_name, alias);
        }
        if let Some(identifier) = identifier {
            self.session
                .insert(identifier, InFlight::Publish(message.clone()), true);
            self.under_way += 1;
        }
        Ok(identifier)
    }

    /// A packet identifier that no packet from this side has.
    pub(super) fn assign_identifier(&mut self) -> Result<PacketIdentifier, SendError> {
        // A server's requests have identifiers that the client chose.
        let (role, requests) = (self.role, &self.requests);
        self.session
            .assign_identifier(|it| role == Role::Client && requests.contains_key(&it))
            .ok_or(SendError::NoPacketIdentifier)
    }

    /// That the peer takes such a message, sizes aside.
    fn check_message(&self, message: &Message) -> Result<(), SendError> {
        let broken = |rule| Err(SendError::Rule { rule });
        match TopicName::new(&message.topic_name) {
            Ok(_) => {}
            Err(StringError::Rule(rule)) => return broken(rule),
            Err(StringError::TooLong { length }) => {
                return Err(EncodeError::FieldTooLong { length }.into());
            }
        }
        if message.qos > self.peer.maximum_qos {
            return broken(Rule::QoSNotSupported);
        }
        if message.retain && !self.peer.retain_available {
            return broken(Rule::RetainNotSupported);
        }
        let properties = message.properties.as_properties();
        if !properties.packets().contains(PacketSet::PUBLISH)
            || properties.contains(PropertyIdentifier::TopicAlias)
        {
            return Err(SendError::Encode(EncodeError::PropertyNotAllowed {
                packet: PacketType::Publish,
            }));
        }
        if self.role == Role::Client
            && properties.contains(PropertyIdentifier::SubscriptionIdentifier)
        {
            return broken(Rule::SubscriptionIdentifierFromClient);
        }
        Ok(())
    }

    /// Takes up a session: everything that is not settled is sent again, in the order in
    /// which it was sent first (MQTT-4.4.0-1, MQTT-4.6.0-1). What is beyond the peer's
    /// Receive Maximum follows as acknowledgements come.
    // keeps: 5.0 MQTT-4.3.3-7, 5.0 MQTT-4.4.0-1, 5.0 MQTT-4.6.0-1
    // keeps: 3.1.1 MQTT-4.4.0-1, 3.1.1 MQTT-4.6.0-1
    pub(super) fn resume(&mut self) {
        let order = self.session.begin_connection();
        for identifier in order {
            // PUBREL is never held back (MQTT-3.3.4-8).
            if !self.send_again(identifier) {
                self.unsent.push_back(identifier);
            }
        }
    }

    /// Sends again what the Receive Maximum allows by now.
    fn send_unsent(&mut self) {
        while let Some(&identifier) = self.unsent.front() {
            if !self.send_again(identifier) {
                return;
            }
            self.unsent.pop_front();
        }
    }

    /// Sends a packet of the session again; `false` if it has to wait.
    // keeps: 5.0 MQTT-3.1.2-25, 5.0 MQTT-3.2.2-11, 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.3.1-1,
    // keeps: 5.0 MQTT-4.9.0-2
    // keeps: 3.1.1 MQTT-2.3.1-3, 3.1.1 MQTT-3.3.1-1
    fn send_again(&mut self, identifier: PacketIdentifier) -> bool {
        let Some(sent) = self.session.in_flight.get(&identifier) else {
            return true;
        };
        match &sent.packet {
            InFlight::PubRel => {
                self.send_bare(PacketType::PubRel, identifier);
            }
            InFlight::Publish(message) => {
                if self.under_way >= usize::from(self.send_maximum) {
                    return false;
                }
                let again = Publish {
                    dup: true,
                    packet_identifier: Some(identifier),
                    ..packet(message, AliasUse::None).0
                };
                let length = again.encoded_len(None, self.version);
                // An embedder may have kept the message on a disk: it is looked at again.
                let is_taken = message.qos != QoS::AtMostOnce
                    && self.check_message(message).is_ok()
                    && length <= self.peer.maximum_packet_size as usize;
                let out = self.transmit.buffer();
                if !is_taken || again.encode(None, self.version, out).is_err() {
                    // A server drops it as if it had been delivered (MQTT-3.1.2-25). A
                    // client keeps it for a connection on which it is taken.
                    if self.role == Role::Server {
                        self.session.in_flight.remove(&identifier);
                    }
                    return true;
                }
            }
        }
        if let Some(sent) = self.session.in_flight.get_mut(&identifier) {
            sent.on_this_connection = true;
            self.under_way += 1;
        }
        true
    }

    /// A packet is settled: its identifier is free, and another may be sent.
    // keeps: 5.0 MQTT-4.4.0-2
    fn settle(&mut self, identifier: PacketIdentifier) {
        if let Some(sent) = self.session.in_flight.remove(&identifier)
            && sent.on_this_connection
        {
            self.under_way -= 1;
        }
        self.send_unsent();
    }

    /// PUBACK; whether it settled a message. One that belongs to no message is let pass:
    /// the message may have been settled by other means.
    pub(super) fn receive_puback(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        match self.in_flight(ack.packet_identifier) {
            None => Ok(false),
            Some(Wait::Acknowledged) => {
                self.settle(ack.packet_identifier);
                Ok(true)
            }
            Some(Wait::Received | Wait::Complete) => {
                Err(self.violation(Rule::AcknowledgementOfAnotherQoS))
            }
        }
    }

    /// PUBREC; whether it is news. It is answered with PUBREL (MQTT-4.3.3-4), unless it
    /// tells of a failure, which settles the message (MQTT-4.4.0-2).
    // keeps: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.6.2-2, 5.0 MQTT-3.6.2-3, 5.0 MQTT-4.3.3-4,
    // keeps: 5.0 MQTT-4.4.0-2, 5.0 MQTT-4.6.0-4
    // keeps: 3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.6.0-4
    pub(super) fn receive_pubrec(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        let identifier = ack.packet_identifier;
        let wait = self.in_flight(identifier);
        let mut answer = ReasonCode::Success;
        match wait {
            Some(Wait::Acknowledged) => {
                return Err(self.violation(Rule::AcknowledgementOfAnotherQoS));
            }
            Some(_) if ack.reason_code.is_error() => {
                self.settle(identifier);
                return Ok(true);
            }
            Some(Wait::Received) => self.session.release(identifier),
            Some(Wait::Complete) => {}
            None if ack.reason_code.is_error() => return Ok(false),
            None => answer = self.in_5_0(ReasonCode::PacketIdentifierNotFound),
        }
        let _ = self.send(&Packet::PubRel(Acknowledgement::new(identifier, answer)));
        Ok(wait == Some(Wait::Received))
    }

    /// PUBCOMP; whether it settled a message.
    pub(super) fn receive_pubcomp(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        match self.in_flight(ack.packet_identifier) {
            None => Ok(false),
            Some(Wait::Complete) => {
                self.settle(ack.packet_identifier);
                Ok(true)
            }
            Some(Wait::Acknowledged | Wait::Received) => {
                Err(self.violation(Rule::AcknowledgementOfAnotherQoS))
            }
        }
    }

    fn in_flight(&self, identifier: PacketIdentifier) -> Option<Wait> {
        Some(match &self.session.in_flight.get(&identifier)?.packet {
            InFlight::PubRel => Wait::Complete,
            InFlight::Publish(message) if message.qos == QoS::ExactlyOnce => Wait::Received,
            InFlight::Publish(_) => Wait::Acknowledged,
        })
    }

    /// A reason code that only 5.0 can tell.
    pub(super) fn in_5_0(&self, reason_code: ReasonCode) -> ReasonCode {
        if self.version.has_properties() {
            reason_code
        } else {
            ReasonCode::Success
        }
    }
}

/// What a packet that was sent waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// PUBACK.
    Acknowledged,
    /// PUBREC.
    Received,
    /// PUBCOMP.
    Complete,
}

/// The PUBLISH of a message, without a packet identifier, and the Topic Alias to be added
/// to it.
// keeps: 5.0 MQTT-3.3.1-3, 5.0 MQTT-4.3.1-1, 5.0 MQTT-4.3.2-2, 5.0 MQTT-4.3.3-2
// keeps: 3.1.1 MQTT-3.3.1-3, 3.1.1 MQTT-4.3.1-1, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1
fn packet(message: &Message, alias: AliasUse) -> (Publish<'_>, Option<u16>) {
    // `check_message` has checked it.
    let topic_name = TopicName::checked(&message.topic_name);
    let (topic_name, topic_alias) = match alias {
        AliasUse::None => (topic_name, None),
        AliasUse::Introduce(alias) => (topic_name, Some(alias)),
        AliasUse::Replace(alias) => (TopicName::EMPTY, Some(alias)),
    };
    let publish = Publish {
        qos: message.qos,
        retain: message.retain,
        properties: message.properties.as_properties(),
        ..Publish::new(topic_name, &message.payload)
    };
    (publish, topic_alias)
}
