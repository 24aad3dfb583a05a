//! Packets in: how each of them is taken, and what a PUBLISH comes to.

use super::{Core, Request, Side};
use crate::connection::session::{Received, ReceivedState};
use crate::connection::{ConnectionError, InboundPublish, ResolvedTopicName};
use crate::packet::{decode, decode_publish, publish_length};
use crate::{
    DecodeError, Packet, PacketIdentifier, PacketType, Properties, ProtocolVersion, Publish, QoS,
    ReasonCode, Rule,
};

/// What became of the bytes that came.
#[derive(Debug)]
pub enum Next<E> {
    /// Nothing more can be taken: more bytes are needed, or an answer of the embedder.
    Wait,
    /// A packet that makes no event.
    Nothing,
    Event(E),
}

impl<E> Next<E> {
    #[inline]
    pub(in crate::connection) fn map<T>(self, event: impl FnOnce(E) -> T) -> Next<T> {
        match self {
            Self::Wait => Next::Wait,
            Self::Nothing => Next::Nothing,
            Self::Event(it) => Next::Event(event(it)),
        }
    }
}

/// What [`take_publish`](Core::take_publish) found.
pub(in crate::connection) enum Taken<'a> {
    /// More bytes are needed.
    Incomplete,
    /// Nothing new.
    Nothing,
    Publish(InboundPublish<'a>),
    Body {
        part: &'a [u8],
        remaining: u64,
    },
}

impl Core {
    /// The packet at the front of `input`, and its length.
    #[inline]
    pub(in crate::connection) fn decode<'a>(
        &self,
        input: &'a [u8],
    ) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
        decode(input, self.version, &self.limits)
    }

    /// Takes the packet at the front of `input`.
    pub(in crate::connection) fn take<'a>(
        &self,
        input: &mut &'a [u8],
    ) -> Result<Option<Packet<'a>>, ConnectionError> {
        match self.decode(input)? {
            Some((packet, length)) => {
                *input = &input[length..];
                Ok(Some(packet))
            }
            None => Ok(None),
        }
    }

    /// The first byte of what [`take_publish`](Self::take_publish) is for, if that is what
    /// comes next.
    #[inline]
    pub(in crate::connection) fn publish_comes(&self, input: &[u8]) -> Option<u8> {
        if self.parts.is_some() {
            return Some(PacketType::Publish.first_byte());
        }
        input
            .first()
            .copied()
            .filter(|&first| PacketType::Publish.is_of(first))
    }

    /// Takes a PUBLISH from the front of `input`, or a part of one, once `check` has
    /// nothing against it.
    #[inline]
    pub(in crate::connection) fn take_publish<'a>(
        &mut self,
        first: u8,
        input: &mut &'a [u8],
        check: impl Fn(&Publish<'_>) -> Result<(), Rule>,
    ) -> Result<Taken<'a>, ConnectionError> {
        if self.parts.is_some() {
            return self.take_part(input);
        }
        if self.limits.assembled_size < u32::MAX {
            // Told by its length alone: whether all of it is here makes no difference.
            let length = publish_length(first, input, self.version, &self.limits)?;
            if let Some(length) = length
                && length.total > self.limits.assembled_size as usize
            {
                return self.take_head(first, length, input, check);
            }
        }
        let Some((publish, length)) = decode_publish(first, input, self.version, &self.limits)?
        else {
            return Ok(Taken::Incomplete);
        };
        *input = &input[length..];
        check(&publish).map_err(|rule| self.violation(rule))?;
        let topic_name = self.resolve(&publish)?;
        if let Some(identifier) = publish.packet_identifier
            && !self.receive_identifier(identifier, publish.qos, publish.dup)?
        {
            return Ok(Taken::Nothing);
        }
        Ok(Taken::Publish(InboundPublish::new(
            &publish,
            topic_name,
            publish.payload.len() as u32,
        )))
    }

    #[inline]
    pub(in crate::connection) fn resolve<'a>(
        &mut self,
        publish: &Publish<'a>,
    ) -> Result<ResolvedTopicName<'a>, ConnectionError> {
        if publish.properties.is_empty() {
            return Ok(ResolvedTopicName::Borrowed(publish.topic_name));
        }
        let Some(alias) = publish.properties.topic_alias() else {
            return Ok(ResolvedTopicName::Borrowed(publish.topic_name));
        };
        match &mut self.inbound_aliases {
            Some(aliases) => aliases.resolve(alias, publish.topic_name),
            None => Err(Rule::TopicAliasMaximum),
        }
        .map_err(|rule| self.violation(rule))
    }

    /// Keeps account of a QoS 1 or QoS 2 message. Returns whether it is new.
    // keeps: 5.0 MQTT-4.3.2-5, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.5.0-2
    // keeps: 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2, 3.1.1 MQTT-4.5.0-2
    #[inline]
    pub(in crate::connection) fn receive_identifier(
        &mut self,
        identifier: PacketIdentifier,
        qos: QoS,
        dup: bool,
    ) -> Result<bool, ConnectionError> {
        if !self.is_new(identifier, qos, dup)? {
            return Ok(false);
        }
        if !self.automatic {
            self.expect_answer(identifier, qos);
            return Ok(true);
        }
        match qos {
            QoS::ExactlyOnce => {
                self.insert_received(identifier, Received::Acknowledged);
                self.send_bare(PacketType::PubRec, identifier)?;
            }
            _ => self.send_bare(PacketType::PubAck, identifier)?,
        }
        Ok(true)
    }

    /// Whether a QoS 1 or QoS 2 message has not come before. One that has is answered
    /// again where it is due.
    #[inline]
    pub(in crate::connection) fn is_new(
        &mut self,
        identifier: PacketIdentifier,
        qos: QoS,
        dup: bool,
    ) -> Result<bool, ConnectionError> {
        if self.session.received.contains(identifier) {
            if qos == QoS::ExactlyOnce {
                self.receive_again(identifier)?;
                return Ok(false);
            }
            if self.version.has_properties() {
                return Err(self.violation(Rule::PacketIdentifierInUse));
            }
            // A client of 3.x that has lost its state cannot be told that the server has
            // not. Mosquitto drops the old message as well.
            self.remove_received(identifier);
        }
        if self.unacknowledged.contains(identifier) {
            // Before 5.0 a sender may send again on the same connection: one
            // acknowledgement will do for both.
            return match self.version < ProtocolVersion::V5_0 && dup && qos == QoS::AtLeastOnce {
                true => Ok(false),
                false => Err(self.violation(Rule::PacketIdentifierInUse)),
            };
        }
        if self.side == Side::Server && self.request(identifier).is_some() {
            return Err(self.violation(Rule::PacketIdentifierInUse));
        }
        if self.receive_quota() == 0 {
            return Err(self.violation(Rule::ReceiveMaximum));
        }
        Ok(true)
    }

    /// How many more QoS 1 and QoS 2 messages may come.
    #[inline]
    pub(in crate::connection) fn receive_quota(&self) -> usize {
        usize::from(self.receive_maximum).saturating_sub(self.receiving as usize)
    }

    /// A QoS 2 message that has come before. Its PUBREC goes out now if it has been
    /// acknowledged, and in its turn if it came on an earlier connection.
    // keeps: 5.0 MQTT-4.3.3-10
    #[inline(never)]
    fn receive_again(&mut self, identifier: PacketIdentifier) -> Result<(), ConnectionError> {
        let too_many = self.receive_quota() == 0;
        let Some(received) = self.session.received.get_mut(identifier) else {
            return Ok(());
        };
        if self.automatic {
            // It was handed out.
            received.acknowledge();
        }
        let is_acknowledged = received.state != Received::Pending;
        if !received.on_this_connection {
            if too_many {
                return Err(self.violation(Rule::ReceiveMaximum));
            }
            received.on_this_connection = true;
            self.receiving += 1;
            if self.side == Side::Client {
                self.answers.of(QoS::ExactlyOnce).expect(identifier);
                if is_acknowledged {
                    self.answers.of(QoS::ExactlyOnce).give(
                        identifier,
                        ReasonCode::Success,
                        Properties::EMPTY,
                    );
                    Self::required(self.send_given(QoS::ExactlyOnce))?;
                }
                return Ok(());
            }
        }
        if is_acknowledged {
            self.send_bare(PacketType::PubRec, identifier)?;
        }
        Ok(())
    }

    /// A message has been received and waits for [`acknowledge`](Self::acknowledge).
    pub(in crate::connection) fn expect_answer(&mut self, identifier: PacketIdentifier, qos: QoS) {
        match qos {
            QoS::ExactlyOnce => {
                self.insert_received(identifier, Received::Pending);
                if self.side == Side::Client {
                    self.answers.of(qos).expect(identifier);
                }
            }
            _ => {
                self.receiving += 1;
                self.unacknowledged.insert(identifier, ());
                if self.side == Side::Client {
                    self.answers.of(qos).expect(identifier);
                }
            }
        }
    }

    fn insert_received(&mut self, identifier: PacketIdentifier, state: Received) {
        self.receiving += 1;
        let on_this_connection = true;
        self.session.received.insert(
            identifier,
            ReceivedState {
                state,
                on_this_connection,
            },
        );
    }

    pub(in crate::connection) fn remove_received(&mut self, identifier: PacketIdentifier) {
        if let Some(received) = self.session.received.remove(identifier)
            && received.on_this_connection
        {
            self.receiving -= 1;
        }
    }

    /// What came has made answers wait for the end of a message that is sent in parts, beside
    /// so many bytes that had waited.
    #[cold]
    pub(in crate::connection) fn bound_answers(
        &mut self,
        before: usize,
    ) -> Result<(), ConnectionError> {
        if let Some(outgoing) = &mut self.outgoing
            && !outgoing.has_caused(outgoing.waiting() - before)
        {
            return Err(self.violation(Rule::AnswersWaiting));
        }
        Ok(())
    }

    /// A SUBSCRIBE or UNSUBSCRIBE, which waits for its answer.
    pub(in crate::connection) fn receive_request(
        &mut self,
        identifier: PacketIdentifier,
        request: Request,
    ) -> Result<(), ConnectionError> {
        if self.request(identifier).is_some()
            || self.unacknowledged.contains(identifier)
            || self.session.received.contains(identifier)
        {
            return Err(self.violation(Rule::PacketIdentifierInUse));
        }
        self.insert_request(identifier, request);
        Ok(())
    }
}
