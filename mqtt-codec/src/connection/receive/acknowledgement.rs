//! Acknowledgements that come in.

use crate::connection::core::{Core, Next};
use crate::connection::in_flight::{Removed, SentPacket};
use crate::connection::session::Received;
use crate::connection::{ConnectionError, Handshakes};
use crate::packet::decode_bare_puback;
use crate::{Acknowledgement, Packet, PacketIdentifier, PacketType, QoS, ReasonCode, Rule};

impl Core {
    /// PUBACK; whether it settled a message. One that belongs to no message is let pass:
    /// the message may have been settled by other means.
    pub(super) fn receive_puback(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        self.settle_if(
            ack.packet_identifier,
            |packet| matches!(packet, SentPacket::Publish(kept) if kept.qos != QoS::ExactlyOnce),
        )
    }

    /// Takes a PUBACK in the shortest form from the front of `input`, if one is there. After
    /// login.
    #[inline]
    pub(super) fn take_bare_puback<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Next<Acknowledgement<'a>>>, ConnectionError> {
        let Some(ack) = decode_bare_puback(input, &self.limits) else {
            return Ok(None);
        };
        Ok(Some(match self.receive_puback(&ack)? {
            true => Next::Event(ack),
            false => Next::Nothing,
        }))
    }

    /// PUBREC; whether it is news. It is answered with PUBREL (MQTT-4.3.3-4), now or when the
    /// embedder releases the message, unless it tells of a failure, which settles the message
    /// (MQTT-4.4.0-2).
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
            Some(Wait::Received) if self.handshakes == Handshakes::Manual => {
                self.session.replace(identifier, SentPacket::Unreleased);
                return Ok(true);
            }
            Some(Wait::Release) => return Ok(false),
            Some(Wait::Received) => self.session.replace(identifier, SentPacket::PubRel),
            Some(Wait::Complete) => {}
            None if ack.reason_code.is_error() => return Ok(false),
            None => answer = self.in_5_0(ReasonCode::PacketIdentifierNotFound),
        }
        self.answer(&Packet::PubRel(Acknowledgement::new(identifier, answer)))?;
        Ok(wait == Some(Wait::Received))
    }

    /// PUBCOMP; whether it settled a message.
    pub(super) fn receive_pubcomp(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        self.settle_if(ack.packet_identifier, |packet| {
            matches!(packet, SentPacket::PubRel)
        })
    }

    /// Settles a packet, if it waits for what has come; whether there was one.
    #[inline]
    fn settle_if(
        &mut self,
        identifier: PacketIdentifier,
        waits: impl FnOnce(&SentPacket) -> bool,
    ) -> Result<bool, ConnectionError> {
        match self.session.in_flight.remove_if(identifier, waits) {
            Removed::Absent => Ok(false),
            Removed::Kept => Err(self.violation(Rule::AcknowledgementOfAnotherQoS)),
            Removed::Yes { counted } => {
                self.has_settled(counted);
                Ok(true)
            }
        }
    }

    fn in_flight(&self, identifier: PacketIdentifier) -> Option<Wait> {
        Some(match &self.session.in_flight.get(identifier)?.packet {
            SentPacket::PubRel => Wait::Complete,
            SentPacket::Unreleased => Wait::Release,
            SentPacket::Publish(kept) if kept.qos == QoS::ExactlyOnce => Wait::Received,
            SentPacket::Publish(_) => Wait::Acknowledged,
        })
    }

    /// A reason code that only 5.0 can tell.
    pub(in crate::connection) fn in_5_0(&self, reason_code: ReasonCode) -> ReasonCode {
        if self.version.has_properties() {
            reason_code
        } else {
            ReasonCode::Success
        }
    }

    /// PUBREL; whether it is news. It is answered with PUBCOMP (MQTT-4.3.3-11), now or when
    /// the embedder completes the message.
    // keeps: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.7.2-2, 5.0 MQTT-3.7.2-3, 5.0 MQTT-4.3.3-11,
    // keeps: 5.0 MQTT-4.3.3-12
    // keeps: 3.1.1 MQTT-4.3.3-2
    pub(super) fn receive_pubrel(
        &mut self,
        ack: &Acknowledgement<'_>,
    ) -> Result<bool, ConnectionError> {
        let identifier = ack.packet_identifier;
        let Some(received) = self.session.received.get_mut(identifier) else {
            let reason_code = self.in_5_0(ReasonCode::PacketIdentifierNotFound);
            let pubcomp = Acknowledgement::new(identifier, reason_code);
            self.answer(&Packet::PubComp(pubcomp))?;
            return Ok(false);
        };
        match (received.state, self.handshakes) {
            (Received::Pending, _) => return Err(self.violation(Rule::PubRelBeforePubRec)),
            (Received::Released, _) => return Ok(false),
            (Received::Acknowledged, Handshakes::Manual) => received.state = Received::Released,
            (Received::Acknowledged, Handshakes::Automatic) => {
                self.remove_received(identifier);
                self.send_bare(PacketType::PubComp, identifier)?;
            }
        }
        Ok(true)
    }
}

/// What a packet that was sent waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// PUBACK.
    Acknowledged,
    /// PUBREC.
    Received,
    /// That the embedder releases it.
    Release,
    /// PUBCOMP.
    Complete,
}
