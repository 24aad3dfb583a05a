//! Messages out: QoS 0, 1 and 2, flow control, and sending again (sections 4.3, 4.4 and 4.9).

use alloc::boxed::Box;

use super::Outgoing;
use crate::connection::alias::AliasUse;
use crate::connection::by_identifier::ByIdentifier;
use crate::connection::core::{Core, Request, Side, buffer};
use crate::connection::message::Payload;
use crate::connection::session::InFlight;
use crate::connection::transmit::{SHARED, Transmit};
use crate::connection::{Message, SendError};
use crate::packet::PublishLength;
use crate::{
    EncodeError, PacketIdentifier, PacketSet, PacketType, PropertyIdentifier, ProtocolVersion,
    Publish, QoS, Rule, StringError, TopicName,
};

impl Core {
    /// How many more QoS 1 and QoS 2 messages may be sent now.
    pub(super) fn send_quota(&self) -> usize {
        // While a message waits to be sent again there is nothing left of it.
        u32::from(self.send_maximum).saturating_sub(self.under_way) as usize
    }

    /// Sends a message, under the identifier that was chosen, if one was; its packet
    /// identifier, if it has one.
    // keeps: 5.0 MQTT-3.1.2-25, 5.0 MQTT-3.3.4-7, 5.0 MQTT-3.3.4-8, 5.0 MQTT-3.3.4-9,
    // keeps: 5.0 MQTT-3.3.4-10, 5.0 MQTT-4.9.0-2, 5.0 MQTT-4.9.0-3
    pub(super) fn publish(
        &mut self,
        message: &Message<'_>,
        chosen: Option<PacketIdentifier>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.check_message(message)?;
        if message.qos != QoS::AtMostOnce && self.send_quota() == 0 {
            return Err(SendError::ReceiveMaximum);
        }
        if let Payload::Borrowed(bytes) = message.payload
            && bytes.len() >= SHARED
        {
            return self.publish_a_copy(message, chosen);
        }
        self.publish_checked(message, chosen)
    }

    /// Sends a message whose payload is to be copied once, and not to where it is kept besides.
    #[inline(never)]
    fn publish_a_copy(
        &mut self,
        message: &Message<'_>,
        chosen: Option<PacketIdentifier>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        let payload = message.payload.to_bytes();
        let message = Message {
            payload: Payload::Shared(&payload),
            ..*message
        };
        self.publish_checked(&message, chosen)
    }

    #[inline]
    fn publish_checked(
        &mut self,
        message: &Message<'_>,
        chosen: Option<PacketIdentifier>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        let identifier = self.encode(message, chosen, message.payload.len(), |core, packet| {
            let out = (&mut core.transmit, &mut core.outgoing);
            put_publish(out, packet, core.version, message.payload)
        })?;
        if let Some(identifier) = identifier {
            let sequence = self.session.next_sequence();
            self.session.keep(identifier, message, sequence);
            self.under_way += 1;
        }
        Ok(identifier)
    }

    /// Has `encode` write a PUBLISH with so long a payload, with a topic alias if that is
    /// wanted and with a packet identifier if it needs one, once it is seen that the peer
    /// takes it.
    #[inline(always)]
    pub(super) fn encode<'a>(
        &mut self,
        message: &Message<'a>,
        chosen: Option<PacketIdentifier>,
        payload_length: usize,
        encode: impl FnOnce(
            &mut Self,
            (Publish<'a>, Option<u16>, PublishLength),
        ) -> Result<(), EncodeError>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        let mut alias = match &self.outbound_aliases {
            Some(aliases) => aliases.choose(message.topic_name),
            None => AliasUse::None,
        };
        let rest = payload_length - message.payload.len();
        let (mut publish, mut topic_alias) = packet(message, alias);
        let mut length = publish.length(topic_alias, rest, self.version);
        if let AliasUse::Introduce(_) = alias
            && self.check_size(length.total).is_err()
        {
            alias = AliasUse::None;
            (publish, topic_alias) = packet(message, alias);
            length = publish.length(topic_alias, rest, self.version);
        }
        self.check_size(length.total)?;
        let identifier = match (message.qos, chosen) {
            (QoS::AtMostOnce, _) => None,
            (_, None) => Some(self.assign_identifier()?),
            (_, Some(chosen))
                if self.session.in_flight.contains(chosen)
                    || uses(self.side, &self.requests, &self.outgoing, chosen) =>
            {
                return Err(SendError::Rule {
                    rule: Rule::PacketIdentifierInUse,
                });
            }
            (_, chosen) => chosen,
        };
        publish.packet_identifier = identifier;
        encode(self, (publish, topic_alias, length))?;
        if let Some(aliases) = &mut self.outbound_aliases {
            aliases.sent(message.topic_name, alias);
        }
        Ok(identifier)
    }

    /// A packet identifier that no packet from this side has.
    pub(super) fn assign_identifier(&mut self) -> Result<PacketIdentifier, SendError> {
        let (side, requests, outgoing) = (self.side, &self.requests, &self.outgoing);
        self.session
            .assign_identifier(|it| uses(side, requests, outgoing, it))
            .ok_or(SendError::NoPacketIdentifier)
    }

    /// That the peer takes such a message, sizes aside.
    pub(super) fn check_message(&self, message: &Message<'_>) -> Result<(), SendError> {
        let broken = |rule| Err(SendError::Rule { rule });
        match TopicName::new(message.topic_name) {
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
        let properties = message.properties;
        if !properties.packets().contains(PacketSet::PUBLISH)
            || properties.contains(PropertyIdentifier::TopicAlias)
        {
            return Err(SendError::Encode(EncodeError::PropertyNotAllowed {
                packet: PacketType::Publish,
            }));
        }
        if self.side == Side::Client
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
    pub(in crate::connection) fn resume(&mut self) {
        let order = self.session.begin_connection(self.now);
        for identifier in order {
            // PUBREL is never held back (MQTT-3.3.4-8).
            if !self.send_again(identifier) {
                self.unsent.push(identifier);
            }
        }
        self.unsent.reverse();
    }

    /// Sends again what the Receive Maximum allows by now.
    #[inline]
    fn send_unsent(&mut self) {
        while let Some(&identifier) = self.unsent.last() {
            if !self.send_again(identifier) {
                return;
            }
            self.unsent.pop();
        }
    }

    /// Sends a packet of the session again; `false` if it has to wait.
    // keeps: 5.0 MQTT-3.1.2-25, 5.0 MQTT-3.2.2-11, 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.3.1-1,
    // keeps: 5.0 MQTT-4.9.0-2
    // keeps: 3.1.1 MQTT-2.3.1-3, 3.1.1 MQTT-3.3.1-1
    fn send_again(&mut self, identifier: PacketIdentifier) -> bool {
        let Some(sent) = self.session.in_flight.get(identifier) else {
            return true;
        };
        match self.session.in_flight.packet(sent) {
            InFlight::PubRel => {
                // A server that takes no packet of four bytes has no use for a PUBREL.
                let _ = self.send_bare(PacketType::PubRel, identifier);
            }
            // The embedder releases it.
            InFlight::Unreleased => {}
            InFlight::Publish(message) => {
                let aged = sent
                    .expires
                    .map(|at| message.aged_properties(at.saturating_sub(self.now)));
                let mut again = Publish {
                    dup: true,
                    packet_identifier: Some(identifier),
                    ..packet(&message, AliasUse::None).0
                };
                if let Some(properties) = &aged {
                    again.properties = properties.as_properties();
                }
                let length = again.length(None, 0, self.version);
                // An embedder may have kept the message on a disk: it is looked at again.
                let is_taken = message.qos != QoS::AtMostOnce
                    && self.check_message(&message).is_ok()
                    && length.total <= self.peer.maximum_packet_size as usize;
                if is_taken && self.under_way >= u32::from(self.send_maximum) {
                    return false;
                }
                let out = (&mut self.transmit, &mut self.outgoing);
                if !is_taken
                    || put_publish(out, (again, None, length), self.version, message.payload)
                        .is_err()
                {
                    // A server drops it as if it had been delivered (MQTT-3.1.2-25). A
                    // client keeps it for a connection on which it is taken.
                    if self.side == Side::Server {
                        self.session.in_flight.remove(identifier);
                    }
                    return true;
                }
            }
        }
        if let Some(sent) = self.session.in_flight.get_mut(identifier) {
            sent.on_this_connection = true;
            self.under_way += 1;
        }
        true
    }

    /// A packet is settled: its identifier is free, and another may be sent.
    // keeps: 5.0 MQTT-4.4.0-2
    pub(in crate::connection) fn settle(&mut self, identifier: PacketIdentifier) {
        let counted = self.session.in_flight.remove(identifier);
        self.has_settled(counted == Some(true));
    }

    /// A packet is gone from the session, which counted or not.
    #[inline]
    pub(in crate::connection) fn has_settled(&mut self, counted: bool) {
        if counted {
            self.under_way -= 1;
        }
        self.send_unsent();
    }
}

/// Sends a PUBLISH with this payload, which is not copied if it is large. Within a message that
/// is sent in parts it waits for the end of that, and is.
#[inline(always)]
fn put_publish(
    (transmit, outgoing): (&mut Transmit, &mut Option<Box<Outgoing>>),
    (publish, topic_alias, length): (Publish<'_>, Option<u16>, PublishLength),
    version: ProtocolVersion,
    payload: Payload<'_>,
) -> Result<(), EncodeError> {
    let shared = match payload {
        Payload::Shared(bytes) if bytes.len() >= SHARED && outgoing.is_none() => bytes,
        _ => {
            let buffer = buffer(transmit, outgoing);
            buffer.reserve(length.total);
            return publish.encode_part(&length, topic_alias, version, buffer);
        }
    };
    let head = Publish {
        payload: &[],
        ..publish
    };
    head.encode_part(&length, topic_alias, version, transmit.buffer())?;
    transmit.put_body(shared.clone());
    Ok(())
}

/// Whether a packet beside those of the session has this identifier. A server's requests have
/// identifiers that the client chose.
fn uses(
    side: Side,
    requests: &Option<Box<ByIdentifier<Request>>>,
    outgoing: &Option<Box<Outgoing>>,
    identifier: PacketIdentifier,
) -> bool {
    side == Side::Client && requests.as_ref().is_some_and(|it| it.contains(identifier))
        || outgoing.as_ref().is_some_and(|it| it.has(identifier))
}

/// The PUBLISH of a message, without a packet identifier, and the Topic Alias to be added
/// to it.
// keeps: 5.0 MQTT-3.3.1-3, 5.0 MQTT-4.3.1-1, 5.0 MQTT-4.3.2-2, 5.0 MQTT-4.3.3-2
// keeps: 3.1.1 MQTT-3.3.1-3, 3.1.1 MQTT-4.3.1-1, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1
fn packet<'a>(message: &Message<'a>, alias: AliasUse) -> (Publish<'a>, Option<u16>) {
    // `check_message` has checked it.
    let topic_name = TopicName::checked(message.topic_name);
    let (topic_name, topic_alias) = match alias {
        AliasUse::None => (topic_name, None),
        AliasUse::Introduce(alias) => (topic_name, Some(alias)),
        AliasUse::Replace(alias) => (TopicName::EMPTY, Some(alias)),
    };
    let publish = Publish {
        qos: message.qos,
        retain: message.retain,
        properties: message.properties,
        ..Publish::new(topic_name, message.payload.as_slice())
    };
    (publish, topic_alias)
}
