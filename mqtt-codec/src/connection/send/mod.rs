//! What the application sends: QoS 0, 1 and 2, flow control, and sending again (sections 4.3,
//! 4.4 and 4.9). What only one role sends is in `client` and `server`.

mod answer;
mod client;
mod parts;
mod server;

pub(super) use answer::check_answer;
pub(super) use parts::Outgoing;

use alloc::boxed::Box;

use super::alias::AliasUse;
use super::by_identifier::ByIdentifier;
use super::core::{Core, Request, Side, State, buffer};
use super::message::Payload;
use super::role::Role;
use super::session::InFlight;
use super::transmit::{SHARED, Transmit};
use super::{Connection, ConnectionError, Message, SendError};
use crate::packet::PublishLength;
use crate::{
    EncodeError, PacketIdentifier, PacketSet, PacketType, Properties, PropertyIdentifier,
    ProtocolVersion, Publish, QoS, ReasonCode, Rule, StringError, TopicName,
};

impl<R: Role> Connection<R> {
    /// Sends a message. Returns, with QoS 1 and 2, the packet identifier that its
    /// acknowledgement will name.
    ///
    /// # Errors
    /// [`SendError::ReceiveMaximum`]: as many are under way as the peer accepts, and the
    /// message is to wait until one is settled. [`SendError::PacketTooLarge`]: the peer
    /// accepts none so large; a server drops the message (MQTT-3.1.2-25). Others say what
    /// the peer does not support.
    pub fn publish(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.core.expect(State::Open)?;
        self.core.publish(message, None)
    }

    /// Sends a QoS 1 or QoS 2 message under a packet identifier that the caller has chosen:
    /// for an embedder whose disk has the identifier before the message leaves. A QoS 0
    /// message has none, and is sent without.
    ///
    /// # Errors
    /// As [`publish`](Self::publish). [`Rule::PacketIdentifierInUse`]: another packet of this
    /// side has that identifier (MQTT-2.2.1-3).
    // keeps: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4, 3.1.1 MQTT-2.3.1-2, 3.1.1 MQTT-2.3.1-4
    pub fn publish_as(
        &mut self,
        packet_identifier: PacketIdentifier,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(State::Open)?;
        self.core.publish(message, Some(packet_identifier))?;
        Ok(())
    }

    /// Sends a message whose payload comes in parts: `payload_length` bytes in all, of which
    /// `message.payload` are the first. The others follow by [`send_body`](Self::send_body).
    /// Returns what [`publish`](Self::publish) returns.
    ///
    /// Until the last part no other packet leaves, since MQTT sends packets whole; what is
    /// queued meanwhile follows. With QoS 0 nothing of the message is kept. With QoS 1 and 2
    /// the session keeps it once it is whole, as with `publish`; what is cut off by the end of
    /// the network connection has not been sent.
    ///
    /// # Errors
    /// As [`publish`](Self::publish). [`SendError::BodyLength`]: another message is not
    /// whole yet, or `message.payload` is longer than `payload_length`.
    pub fn begin_publish(
        &mut self,
        message: &Message<'_>,
        payload_length: u64,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.core.expect(State::Open)?;
        self.core.begin_publish(message, payload_length)
    }

    /// Sends the next part of the message that [`begin_publish`](Self::begin_publish) began.
    /// Returns how many bytes of it are still to come.
    ///
    /// # Errors
    /// [`SendError::BodyLength`]: no message was begun, or fewer bytes of it are to come.
    /// Nothing is sent then.
    pub fn send_body(&mut self, part: &[u8]) -> Result<u64, SendError> {
        self.core.expect(State::Open)?;
        self.core.send_body(part)
    }

    /// How many more QoS 1 and QoS 2 messages may be sent now (section 4.9).
    #[must_use]
    pub fn send_quota(&self) -> usize {
        match self.core.state {
            State::Open => self.core.send_quota(),
            _ => 0,
        }
    }

    /// Acknowledges a message of the peer: PUBACK with QoS 1, PUBREC with QoS 2. A server's go
    /// out at once. A client's go out in the order of the messages (MQTT-4.6.0-2), each
    /// waiting for those before it. 3.x has no reason codes: there it is success.
    ///
    /// # Errors
    /// When no message with this identifier waits for it, or the reason code is not one for
    /// this. [`SendError::PacketTooLarge`] ends the connection: a peer that accepts no
    /// acknowledgement cannot be served.
    pub fn acknowledge(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(State::Open)?;
        match self
            .core
            .acknowledge(packet_identifier, reason_code, properties)
        {
            Ok(()) => Ok(()),
            Err(error) => self.owe(Err(error)),
        }
    }

    /// Sends PUBREL, with [`Handshakes::Manual`](super::Handshakes::Manual), for a QoS 2
    /// message for which PUBREC has come. Messages are released in the order of their PUBRECs
    /// (MQTT-4.6.0-4). One that has been released is released again automatically on the next
    /// connection.
    ///
    /// # Errors
    /// When no message with this identifier waits for it. [`SendError::PacketTooLarge`] ends
    /// the connection: a peer that accepts no PUBREL cannot be served.
    pub fn release(&mut self, packet_identifier: PacketIdentifier) -> Result<(), SendError> {
        self.core.expect(State::Open)?;
        let sent = self.core.release(packet_identifier);
        self.owe(sent)
    }

    /// Sends PUBCOMP, with [`Handshakes::Manual`](super::Handshakes::Manual), for a QoS 2
    /// message of the peer for which PUBREL has come. Its packet identifier is that of a new
    /// message afterwards (MQTT-4.3.3-12).
    ///
    /// # Errors
    /// When no message with this identifier waits for it: after a connection that ended
    /// before, the peer sends its PUBREL again first. [`SendError::PacketTooLarge`] ends the
    /// connection: a peer that accepts no PUBCOMP cannot be served.
    pub fn complete(&mut self, packet_identifier: PacketIdentifier) -> Result<(), SendError> {
        self.core.expect(State::Open)?;
        let sent = self.core.complete(packet_identifier);
        self.owe(sent)
    }

    /// What the protocol requires to be sent, and the peer takes none so large, ends the
    /// connection, whether or not the embedder looks at the error.
    #[inline(never)]
    fn owe(&mut self, sent: Result<(), SendError>) -> Result<(), SendError> {
        if let Err(SendError::PacketTooLarge { length, maximum }) = sent {
            self.fail(ConnectionError::PacketTooLarge { length, maximum });
        }
        sent
    }
}

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
            self.keep(identifier, message, sequence);
            self.under_way += 1;
        }
        Ok(identifier)
    }

    /// Has `encode` write a PUBLISH with so long a payload, with a topic alias if that is
    /// wanted and with a packet identifier if it needs one, once it is seen that the peer
    /// takes it.
    #[inline(always)]
    fn encode<'a>(
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

    /// Keeps a message that was sent until it is settled.
    #[inline]
    fn keep(&mut self, identifier: PacketIdentifier, message: &Message<'_>, sequence: u64) {
        let expires = message.expires(self.now);
        self.session.keep(identifier, message, sequence, expires);
    }

    /// A packet identifier that no packet from this side has.
    pub(super) fn assign_identifier(&mut self) -> Result<PacketIdentifier, SendError> {
        let (side, requests, outgoing) = (self.side, &self.requests, &self.outgoing);
        self.session
            .assign_identifier(|it| uses(side, requests, outgoing, it))
            .ok_or(SendError::NoPacketIdentifier)
    }

    /// That the peer takes such a message, sizes aside.
    fn check_message(&self, message: &Message<'_>) -> Result<(), SendError> {
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
    pub(super) fn resume(&mut self) {
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
