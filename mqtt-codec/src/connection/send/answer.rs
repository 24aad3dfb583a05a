//! Answers to what the peer sent.

use alloc::vec::Vec;

use crate::connection::SendError;
use crate::connection::core::{Core, Request, Side};
use crate::connection::in_flight::SentPacket;
use crate::connection::session::{Received, ReceivedState};
use crate::{
    Acknowledgement, EncodeError, Packet, PacketIdentifier, PacketSet, PacketType, Properties, QoS,
    ReasonCode, ReasonCodes, SubAck, UnsubAck,
};

impl Core {
    /// PUBACK or PUBREC for a message that was handed out.
    // keeps: 5.0 MQTT-4.3.3-9, 5.0 MQTT-4.3.3-13
    pub(in crate::connection) fn acknowledge(
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
            .get(identifier)
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
                if let Some(received) = self.session.received.get_mut(identifier) {
                    received.acknowledge();
                }
            }
            _ => {
                self.unacknowledged.remove(identifier);
                self.receiving -= 1;
            }
        }
        if self.side == Side::Server {
            return self.send_answer(identifier, qos, reason_code, properties);
        }
        let queue = self.answers.of(qos);
        queue.give(identifier, reason_code, properties);
        self.send_given(qos)
    }

    /// Sends the acknowledgements whose turn it is.
    pub(in crate::connection) fn send_given(&mut self, qos: QoS) -> Result<(), SendError> {
        loop {
            let Some((identifier, reason_code, properties)) = self.answers.of(qos).next() else {
                return Ok(());
            };
            self.send_answer(identifier, qos, reason_code, properties.as_properties())?;
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
    ) -> Result<(), SendError> {
        if reason_code == ReasonCode::Success && properties.is_empty() {
            let packet = match qos {
                QoS::ExactlyOnce => PacketType::PubRec,
                _ => PacketType::PubAck,
            };
            return Ok(self.send_bare(packet, identifier)?);
        }
        let ack = Acknowledgement {
            packet_identifier: identifier,
            reason_code,
            properties,
        };
        self.send_shedding(&match qos {
            QoS::ExactlyOnce => Packet::PubRec(ack),
            _ => Packet::PubAck(ack),
        })
    }

    /// PUBREL for a message for which PUBREC has come.
    pub(super) fn release(&mut self, identifier: PacketIdentifier) -> Result<(), SendError> {
        match self.session.in_flight.get(identifier) {
            Some(sent) if matches!(sent.packet, SentPacket::Unreleased) => {}
            _ => return Err(SendError::UnknownPacketIdentifier),
        }
        self.session.replace(identifier, SentPacket::PubRel);
        Ok(self.send_bare(PacketType::PubRel, identifier)?)
    }

    /// PUBCOMP for a message for which PUBREL has come.
    pub(super) fn complete(&mut self, identifier: PacketIdentifier) -> Result<(), SendError> {
        match self.session.received.get(identifier) {
            Some(received) if received.state == Received::Released => {}
            _ => return Err(SendError::UnknownPacketIdentifier),
        }
        self.remove_received(identifier);
        Ok(self.send_bare(PacketType::PubComp, identifier)?)
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
        let Some(Request::Subscribe(expected)) = self.request(packet_identifier) else {
            return Err(SendError::UnknownPacketIdentifier);
        };
        check_codes(codes, expected as usize, PacketSet::SUBACK)?;
        check_packets(properties, PacketSet::SUBACK)?;
        let of_3: Vec<ReasonCode>;
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
        self.remove_request(packet_identifier);
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
        let Some(Request::Unsubscribe(expected)) = self.request(packet_identifier) else {
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
        self.remove_request(packet_identifier);
        Ok(())
    }
}

/// That an acknowledgement may have this reason code and these properties.
pub(in crate::connection) fn check_answer(
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
    let packet = PacketType::ALL
        .into_iter()
        .find(|kind| kind.set() == packet)
        .unwrap_or(PacketType::PubAck);
    Err(SendError::Encode(EncodeError::PropertyNotAllowed {
        packet,
    }))
}
