//! Packets out: how each of them is queued.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Core;
use crate::connection::send::Outgoing;
use crate::connection::transmit::Transmit;
use crate::connection::{ConnectionError, SendError};
use crate::{Packet, PacketIdentifier, PacketType, Properties, PropertiesBuilder, Property};

impl Core {
    /// Where packets are written to: within a message that is sent in parts, after it.
    #[inline]
    pub(in crate::connection) fn buffer(&mut self) -> &mut Vec<u8> {
        buffer(&mut self.transmit, &mut self.outgoing)
    }

    /// Queues a packet, unless the peer takes none so large.
    pub(in crate::connection) fn send(&mut self, packet: &Packet<'_>) -> Result<(), SendError> {
        self.check_size(packet.encoded_len(self.version))?;
        packet.encode(self.version, self.buffer())?;
        Ok(())
    }

    /// Queues a packet that the protocol requires now. A peer that takes none so large
    /// cannot be served.
    pub(in crate::connection) fn answer(
        &mut self,
        packet: &Packet<'_>,
    ) -> Result<(), ConnectionError> {
        let sent = self.send(packet);
        Self::required(sent)
    }

    /// What became of an answer that the protocol requires now.
    pub(in crate::connection) fn required(
        sent: Result<(), SendError>,
    ) -> Result<(), ConnectionError> {
        match sent {
            Err(SendError::PacketTooLarge { length, maximum }) => {
                Err(ConnectionError::PacketTooLarge { length, maximum })
            }
            // It is of our making: nothing else can be wrong with it.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Queues an acknowledgement that tells success and nothing more: the shortest packet
    /// that has a packet identifier, the same in each version.
    #[inline]
    pub(in crate::connection) fn send_bare(
        &mut self,
        packet: PacketType,
        identifier: PacketIdentifier,
    ) -> Result<(), TooLarge> {
        let [high, low] = identifier.get().to_be_bytes();
        let bytes = [packet.first_byte(), 2, high, low];
        self.check_size(bytes.len())?;
        self.buffer().extend_from_slice(&bytes);
        Ok(())
    }

    // keeps: 5.0 MQTT-3.1.2-24, 5.0 MQTT-3.2.2-15
    #[inline]
    pub(in crate::connection) fn check_size(&self, length: usize) -> Result<(), TooLarge> {
        let maximum = self.peer.maximum_packet_size;
        if length > maximum as usize {
            return Err(TooLarge { length, maximum });
        }
        Ok(())
    }

    /// Queues a packet without its problem information, the reason string and the user
    /// properties, where the peer does not want it (MQTT-3.1.2-29), and where it would
    /// make the packet too large (MQTT-3.4.2-2 and its like). 3.x has no properties at all.
    // keeps: 5.0 MQTT-3.1.2-29, 5.0 MQTT-3.2.2-19, 5.0 MQTT-3.2.2-20, 5.0 MQTT-3.4.2-2,
    // keeps: 5.0 MQTT-3.4.2-3, 5.0 MQTT-3.5.2-2, 5.0 MQTT-3.5.2-3, 5.0 MQTT-3.9.2-1,
    // keeps: 5.0 MQTT-3.9.2-2, 5.0 MQTT-3.11.2-1, 5.0 MQTT-3.11.2-2, 5.0 MQTT-3.14.2-3,
    // keeps: 5.0 MQTT-3.14.2-4, 5.0 MQTT-3.15.2-2, 5.0 MQTT-3.15.2-3
    pub(in crate::connection) fn send_shedding(
        &mut self,
        packet: &Packet<'_>,
    ) -> Result<(), SendError> {
        let properties = properties(packet);
        if properties.is_empty() {
            return self.send(packet);
        }
        let kept = if self.version.has_properties() {
            if self.peer.request_problem_information
                || matches!(packet, Packet::ConnAck(_) | Packet::Disconnect(_))
            {
                match self.send(packet) {
                    Err(SendError::PacketTooLarge { .. }) => {}
                    other => return other,
                }
            }
            indispensable(properties)?
        } else {
            PropertiesBuilder::new()
        };
        self.send(&with_properties(*packet, kept.as_properties()))
    }
}

/// The properties but for the problem information.
pub(in crate::connection) fn indispensable(
    properties: Properties<'_>,
) -> Result<PropertiesBuilder, SendError> {
    let mut kept = PropertiesBuilder::new();
    for property in properties {
        if !matches!(
            property,
            Property::ReasonString(_) | Property::UserProperty(..)
        ) {
            kept.push(property)?;
        }
    }
    Ok(kept)
}

/// [`Core::buffer`], while other parts of it are in use.
#[inline]
pub(in crate::connection) fn buffer<'a>(
    transmit: &'a mut Transmit,
    outgoing: &'a mut Option<Box<Outgoing>>,
) -> &'a mut Vec<u8> {
    match outgoing {
        None => transmit.buffer(),
        Some(outgoing) => outgoing.after(),
    }
}

/// A packet is larger than the peer takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::connection) struct TooLarge {
    length: usize,
    maximum: u32,
}

impl From<TooLarge> for SendError {
    fn from(TooLarge { length, maximum }: TooLarge) -> Self {
        Self::PacketTooLarge { length, maximum }
    }
}

impl From<TooLarge> for ConnectionError {
    fn from(TooLarge { length, maximum }: TooLarge) -> Self {
        Self::PacketTooLarge { length, maximum }
    }
}

/// The properties of a packet that may have problem information.
fn properties<'a>(packet: &Packet<'a>) -> Properties<'a> {
    match packet {
        Packet::ConnAck(connack) => connack.properties,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties
        }
        Packet::SubAck(suback) => suback.properties,
        Packet::UnsubAck(unsuback) => unsuback.properties,
        Packet::Disconnect(disconnect) => disconnect.properties,
        Packet::Auth(auth) => auth.properties,
        _ => Properties::EMPTY,
    }
}

/// Such a packet with other properties.
fn with_properties<'a>(mut packet: Packet<'a>, properties: Properties<'a>) -> Packet<'a> {
    match &mut packet {
        Packet::ConnAck(connack) => connack.properties = properties,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties = properties;
        }
        Packet::SubAck(suback) => suback.properties = properties,
        Packet::UnsubAck(unsuback) => unsuback.properties = properties,
        Packet::Disconnect(disconnect) => disconnect.properties = properties,
        Packet::Auth(auth) => auth.properties = properties,
        _ => {}
    }
    packet
}
