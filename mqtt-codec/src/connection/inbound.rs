//! Messages on their way in, and requests that wait for an answer (section 4.3).

use alloc::collections::VecDeque;

use super::exchange::{Exchange, Request, Role};
use super::session::{Received, ReceivedState};
use super::{ConnectionError, InboundPublish, ResolvedTopicName, SendError};
use crate::packet::{decode_publish, publish_length};
use crate::{
    Acknowledgement, Packet, PacketIdentifier, PacketSet, PacketType, Properties, PropertiesBuf,
    ProtocolVersion, Publish, QoS, ReasonCode, ReasonCodes, Rule, SubAck, UnsubAck,
};

/// Acknowledgements that go out in the order of their messages (MQTT-4.6.0-2,
/// MQTT-4.6.0-3): each waits for those before it.
// keeps: 5.0 MQTT-4.6.0-2, 5.0 MQTT-4.6.0-3, 3.1.1 MQTT-4.6.0-2, 3.1.1 MQTT-4.6.0-3
#[derive(Debug, Default)]
pub(super) struct AnswerQueue(VecDeque<Answer>);

#[derive(Debug)]
struct Answer {
    identifier: PacketIdentifier,
    given: Option<(ReasonCode, PropertiesBuf)>,
}

impl AnswerQueue {
    fn expect(&mut self, identifier: PacketIdentifier) {
        self.0.push_back(Answer {
            identifier,
            given: None,
        });
    }

    fn give(
        &mut self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) {
        // The oldest is usually the one.
        if let Some(answer) = self.0.iter_mut().find(|a| a.identifier == identifier) {
            answer.given = Some((reason, properties.to_buf()));
        }
    }

    /// The next answer, if it has been given.
    fn next(&mut self) -> Option<(PacketIdentifier, ReasonCode, PropertiesBuf)> {
        let front = self.0.front_mut()?;
        let (reason, properties) = front.given.take()?;
        let identifier = front.identifier;
        self.0.pop_front();
        Some((identifier, reason, properties))
    }
}

/// What [`take_publish`](Exchange::take_publish) found.
pub(super) enum Taken<'a> {
    /// More bytes are needed.
    Incomplete,
    /// Nothing new.
    Nothing,
    Publish(InboundPublish<'a>),
    Payload {
        part: &'a [u8],
        remaining: u32,
    },
}

impl Exchange {
    /// The first byte of what [`take_publish`](Self::take_publish) is for, if that is what
    /// comes next.
    #[inline]
    pub(super) fn publish_comes(&self, input: &[u8]) -> Option<u8> {
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
    pub(super) fn take_publish<'a>(
        &mut self,
        first: u8,
        input: &mut &'a [u8],
        check: impl Fn(&Publish<'_>) -> Result<(), Rule>,
    ) -> Result<Taken<'a>, ConnectionError> {
        if self.parts.is_some() {
            return Ok(self.take_part(input));
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
    pub(super) fn resolve<'a>(
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

    /// Keeps account of a QoS 1 or QoS 2 message; whether it is new.
    // keeps: 5.0 MQTT-4.3.2-5, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.5.0-2
    // keeps: 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2, 3.1.1 MQTT-4.5.0-2
    #[inline]
    pub(super) fn receive_identifier(
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
                self.send_bare(PacketType::PubRec, identifier);
            }
            _ => self.send_bare(PacketType::PubAck, identifier),
        }
        Ok(true)
    }

    /// Whether a QoS 1 or QoS 2 message has not come before. One that has is answered
    /// again where it is due.
    #[inline]
    pub(super) fn is_new(
        &mut self,
        identifier: PacketIdentifier,
        qos: QoS,
        dup: bool,
    ) -> Result<bool, ConnectionError> {
        if self.session.received.contains_key(&identifier) {
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
        if self.role == Role::Server && self.requests.contains_key(&identifier) {
            return Err(self.violation(Rule::PacketIdentifierInUse));
        }
        if self.receiving >= usize::from(self.receive_maximum) {
            return Err(self.violation(Rule::ReceiveMaximum));
        }
        Ok(true)
    }

    /// A QoS 2 message that has come before. Its PUBREC goes out now if it has been
    /// acknowledged, and in its turn if it came on an earlier connection.
    // keeps: 5.0 MQTT-4.3.3-10
    #[inline(never)]
    fn receive_again(&mut self, identifier: PacketIdentifier) -> Result<(), ConnectionError> {
        let too_many = self.receiving >= usize::from(self.receive_maximum);
        let Some(received) = self.session.received.get_mut(&identifier) else {
            return Ok(());
        };
        if self.automatic {
            // It was handed out.
            received.state = Received::Acknowledged;
        }
        let is_acknowledged = received.state == Received::Acknowledged;
        if !received.on_this_connection {
            if too_many {
                return Err(self.violation(Rule::ReceiveMaximum));
            }
            received.on_this_connection = true;
            self.receiving += 1;
            if self.role == Role::Client {
                self.pubrecs.expect(identifier);
                if is_acknowledged {
                    self.pubrecs
                        .give(identifier, ReasonCode::Success, Properties::EMPTY);
                    self.send_given(QoS::ExactlyOnce);
                }
                return Ok(());
            }
        }
        if is_acknowledged {
            self.send_bare(PacketType::PubRec, identifier);
        }
        Ok(())
    }

    /// A message has been received and waits for [`acknowledge`](Self::acknowledge).
    pub(super) fn expect_answer(&mut self, identifier: PacketIdentifier, qos: QoS) {
        match qos {
            QoS::ExactlyOnce => {
                self.insert_received(identifier, Received::Pending);
                if self.role == Role::Client {
                    self.pubrecs.expect(identifier);
                }
            }
            _ => {
                self.receiving += 1;
                self.unacknowledged.insert(identifier);
                if self.role == Role::Client {
                    self.pubacks.expect(identifier);
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

    fn remove_received(&mut self, identifier: PacketIdentifier) {
        if let Some(received) = self.session.received.remove(&identifier)
            && received.on_this_connection
        {
            self.receiving -= 1;
        }
    }

    /// PUBACK or PUBREC for a message that was handed out.
    // keeps: 5.0 MQTT-4.3.3-9, 5.0 MQTT-4.3.3-13
    pub(super) fn acknowledge(
        &mut self,
        identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.refuse_rest(identifier, reason_code, properties)?;
        let is_pending = |received: &ReceivedState| received.state == Received::Pending;
        let (qos, packet) = if self.unacknowledged.contains(identifier) {
            (QoS::AtLeastOnce, PacketSet::PUBACK)
        } else if self
            .session
            .received
            .get(&identifier)
            .is_some_and(is_pending)
        {
            (QoS::ExactlyOnce, PacketSet::PUBREC)
        } else {
            return Err(SendError::UnknownPacketIdentifier);
        };
        check_answer(reason_code, properties, packet)?;
        let reason_code = self.in_5_0(reason_code);
        match qos {
            // A refused message is forgotten (MQTT-4.3.3-9).
            QoS::ExactlyOnce if reason_code.is_error() => self.remove_received(identifier),
            QoS::ExactlyOnce => {
                if let Some(received) = self.session.received.get_mut(&identifier) {
                    received.state = Received::Acknowledged;
                }
            }
            _ => {
                self.unacknowledged.remove(identifier);
                self.receiving -= 1;
            }
        }
        if self.role == Role::Server {
            self.send_answer(identifier, qos, reason_code, properties);
            return Ok(());
        }
        let queue = match qos {
            QoS::ExactlyOnce => &mut self.pubrecs,
            _ => &mut self.pubacks,
        };
        queue.give(identifier, reason_code, properties);
        self.send_given(qos);
        Ok(())
    }

    /// Sends the acknowledgements whose turn it is.
    fn send_given(&mut self, qos: QoS) {
        loop {
            let queue = match qos {
                QoS::ExactlyOnce => &mut self.pubrecs,
                _ => &mut self.pubacks,
            };
            let Some((identifier, reason_code, properties)) = queue.next() else {
                return;
            };
            self.send_answer(identifier, qos, reason_code, properties.as_properties());
        }
    }

    // keeps: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.3.4-1, 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.3-8
    // keeps: 3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2
    fn send_answer(
        &mut self,
        identifier: PacketIdentifier,
        qos: QoS,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) {
        if reason_code == ReasonCode::Success && properties.is_empty() {
            return self.send_bare(
                match qos {
                    QoS::ExactlyOnce => PacketType::PubRec,
                    _ => PacketType::PubAck,
                },
                identifier,
            );
        }
        let ack = Acknowledgement {
            packet_identifier: identifier,
            reason_code,
            properties,
        };
        // Without its properties it is as short as such a packet can be.
        let _ = self.send_shedding(&match qos {
            QoS::ExactlyOnce => Packet::PubRec(ack),
            _ => Packet::PubAck(ack),
        });
    }

    /// PUBREL; whether it settled a message. It is answered with PUBCOMP (MQTT-4.3.3-11).
    // keeps: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.7.2-2, 5.0 MQTT-3.7.2-3, 5.0 MQTT-4.3.3-11,
    // keeps: 5.0 MQTT-4.3.3-12
    // keeps: 3.1.1 MQTT-4.3.3-2
    pub(super) fn receive_pubrel(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        let identifier = ack.packet_identifier;
        let (reason_code, known) = match self.session.received.get(&identifier).map(|r| r.state) {
            Some(Received::Acknowledged) => (ReasonCode::Success, true),
            Some(Received::Pending) => return Err(self.violation(Rule::PubRelBeforePubRec)),
            None => (self.in_5_0(ReasonCode::PacketIdentifierNotFound), false),
        };
        self.remove_received(identifier);
        let _ = self.send(&Packet::PubComp(Acknowledgement::new(
            identifier,
            reason_code,
        )));
        Ok(known)
    }

    /// A SUBSCRIBE or UNSUBSCRIBE, which waits for its answer.
    pub(super) fn receive_request(
        &mut self,
        identifier: PacketIdentifier,
        request: Request,
    ) -> Result<(), ConnectionError> {
        if self.requests.contains_key(&identifier)
            || self.unacknowledged.contains(identifier)
            || self.session.received.contains_key(&identifier)
        {
            return Err(self.violation(Rule::PacketIdentifierInUse));
        }
        self.requests.insert(identifier, request);
        Ok(())
    }

    /// SUBACK (MQTT-3.8.4-1). An error that 3.x has no code for is 0x80 there.
    // keeps: 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.8.4-2, 5.0 MQTT-3.8.4-6
    // keeps: 3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.8.4-2, 3.1.1 MQTT-3.8.4-5
    pub(super) fn suback(
        &mut self,
        packet_identifier: PacketIdentifier,
        codes: &[ReasonCode],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let Some(&Request::Subscribe(expected)) = self.requests.get(&packet_identifier) else {
            return Err(SendError::UnknownPacketIdentifier);
        };
        check_codes(codes, expected as usize, PacketSet::SUBACK)?;
        check_packets(properties, PacketSet::SUBACK)?;
        let of_3: alloc::vec::Vec<ReasonCode>;
        let codes = if self.version.has_properties() {
            codes
        } else {
            of_3 = codes
                .iter()
                .map(|code| match code.is_error() {
                    true => ReasonCode::UnspecifiedError,
                    false => *code,
                })
                .collect();
            &of_3
        };
        self.send_shedding(&Packet::SubAck(SubAck {
            packet_identifier,
            properties,
            reason_codes: codes.into(),
        }))?;
        self.requests.remove(&packet_identifier);
        Ok(())
    }

    /// UNSUBACK (MQTT-3.10.4-4). 3.x has no codes.
    // keeps: 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.10.4-5, 3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.10.4-4
    pub(super) fn unsuback(
        &mut self,
        packet_identifier: PacketIdentifier,
        codes: &[ReasonCode],
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let Some(&Request::Unsubscribe(expected)) = self.requests.get(&packet_identifier) else {
            return Err(SendError::UnknownPacketIdentifier);
        };
        check_codes(codes, expected as usize, PacketSet::UNSUBACK)?;
        check_packets(properties, PacketSet::UNSUBACK)?;
        let reason_codes = if self.version.has_properties() {
            codes.into()
        } else {
            ReasonCodes::EMPTY
        };
        self.send_shedding(&Packet::UnsubAck(UnsubAck {
            packet_identifier,
            properties,
            reason_codes,
        }))?;
        self.requests.remove(&packet_identifier);
        Ok(())
    }
}

/// That an acknowledgement may have this reason code and these properties.
pub(super) fn check_answer(
    reason_code: ReasonCode,
    properties: Properties<'_>,
    packet: PacketSet,
) -> Result<(), SendError> {
    if !reason_code.packets().contains(packet) {
        return Err(SendError::ReasonCode { reason_code });
    }
    check_packets(properties, packet)
}

/// One code for each topic filter, each of them one that the packet may carry.
fn check_codes(codes: &[ReasonCode], expected: usize, packet: PacketSet) -> Result<(), SendError> {
    if codes.len() != expected {
        return Err(SendError::ReasonCodeCount {
            expected,
            given: codes.len(),
        });
    }
    match codes.iter().find(|code| !code.packets().contains(packet)) {
        Some(&reason_code) => Err(SendError::ReasonCode { reason_code }),
        None => Ok(()),
    }
}

/// That these properties may be in this packet, before anything changes.
pub(super) fn check_packets(
    properties: Properties<'_>,
    packet: PacketSet,
) -> Result<(), SendError> {
    if properties.packets().contains(packet) {
        return Ok(());
    }
    let packet = crate::PacketType::ALL
        .into_iter()
        .find(|kind| kind.set() == packet)
        .unwrap_or(crate::PacketType::PubAck);
    Err(SendError::Encode(crate::EncodeError::PropertyNotAllowed {
        packet,
    }))
}
