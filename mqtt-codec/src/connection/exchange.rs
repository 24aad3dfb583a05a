//! What a connection keeps about the exchange of messages, whichever role it has.
//! `outbound` and `inbound` say what happens to it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use super::alias::{InboundAliases, OutboundAliases};
use super::identifiers::Identifiers;
use super::inbound::AnswerQueue;
use super::parts::Parts;
use super::transmit::Transmit;
use super::{ConnectionError, SendError, Session};
use crate::packet::decode;
use crate::{
    DecodeError, Limits, Packet, PacketIdentifier, PacketType, Properties, PropertiesBuilder,
    Property, ProtocolVersion, QoS, Rule,
};

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// A request, and how many topic filters it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// It waits for SUBACK.
    Subscribe(u32),
    /// It waits for UNSUBACK.
    Unsubscribe(u32),
}

/// What the peer said that it takes: a client in CONNECT (section 3.1.2.11), a server in
/// CONNACK (section 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerLimits {
    /// How many QoS 1 and QoS 2 messages may be under way to it.
    pub receive_maximum: u16,
    /// The largest packet that it takes, in bytes; `u32::MAX` if it gave no limit.
    pub maximum_packet_size: u32,
    /// The highest topic alias that it takes; 0 for none.
    pub topic_alias_maximum: u16,
    /// The highest QoS of a PUBLISH to it.
    pub maximum_qos: QoS,
    /// Whether a PUBLISH to it may have RETAIN.
    pub retain_available: bool,
    /// Whether it takes subscriptions with wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether it takes subscription identifiers.
    pub subscription_identifiers_available: bool,
    /// Whether it takes shared subscriptions.
    pub shared_subscription_available: bool,
    /// Whether it wants reason strings and user properties in every packet that may
    /// carry them (section 3.1.2.11.7).
    pub request_problem_information: bool,
}

impl PeerLimits {
    /// What holds where the peer said nothing.
    pub(super) const DEFAULT: Self = Self {
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        topic_alias_maximum: 0,
        maximum_qos: QoS::ExactlyOnce,
        retain_available: true,
        wildcard_subscription_available: true,
        subscription_identifiers_available: true,
        shared_subscription_available: true,
        request_problem_information: true,
    };

    /// What the properties of a CONNECT or CONNACK say.
    pub(super) fn from_properties(properties: &Properties<'_>) -> Self {
        let default = Self::DEFAULT;
        if properties.is_empty() {
            return default;
        }
        Self {
            receive_maximum: properties
                .receive_maximum()
                .unwrap_or(default.receive_maximum),
            maximum_packet_size: properties
                .maximum_packet_size()
                .unwrap_or(default.maximum_packet_size),
            topic_alias_maximum: properties
                .topic_alias_maximum()
                .unwrap_or(default.topic_alias_maximum),
            maximum_qos: properties.maximum_qos().unwrap_or(default.maximum_qos),
            retain_available: properties.retain_available().unwrap_or(true),
            wildcard_subscription_available: properties
                .wildcard_subscription_available()
                .unwrap_or(true),
            subscription_identifiers_available: properties
                .subscription_identifiers_available()
                .unwrap_or(true),
            shared_subscription_available: properties
                .shared_subscription_available()
                .unwrap_or(true),
            request_problem_information: properties.request_problem_information().unwrap_or(true),
        }
    }
}

/// Messages, acknowledgements and the bytes of them.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) role: Role,
    pub(super) version: ProtocolVersion,
    pub(super) limits: Limits,
    pub(super) peer: PeerLimits,
    pub(super) transmit: Transmit,
    pub(super) session: Session,

    // Outbound.
    /// The most QoS 1 and QoS 2 messages to have under way.
    pub(super) send_maximum: u16,
    /// How many have been sent on this connection and are not settled.
    pub(super) under_way: usize,
    /// Messages of the session that could not be sent again yet.
    pub(super) unsent: VecDeque<PacketIdentifier>,
    pub(super) outbound_aliases: Option<Box<OutboundAliases>>,

    // Inbound.
    /// The Receive Maximum that the peer was told.
    pub(super) receive_maximum: u16,
    /// How many messages of the peer are under way by its count.
    pub(super) receiving: usize,
    /// QoS 1 messages that wait for PUBACK.
    pub(super) unacknowledged: Identifiers,
    /// Requests that wait for an answer: those that a client sent, or a server received.
    pub(super) requests: BTreeMap<PacketIdentifier, Request>,
    pub(super) inbound_aliases: Option<Box<InboundAliases>>,
    /// The PUBLISH that is handed out in parts.
    pub(super) parts: Option<Parts>,
    /// Whether messages are acknowledged as they are handed out.
    pub(super) automatic: bool,
    /// Acknowledgements that are sent in the order of their messages: a client's.
    pub(super) pubacks: AnswerQueue,
    pub(super) pubrecs: AnswerQueue,
}

impl Exchange {
    pub(super) fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            version: ProtocolVersion::V5_0,
            limits,
            peer: PeerLimits::DEFAULT,
            transmit: Transmit::default(),
            session: Session::new(),
            send_maximum: 0,
            under_way: 0,
            unsent: VecDeque::new(),
            outbound_aliases: None,
            receive_maximum: u16::MAX,
            receiving: 0,
            unacknowledged: Identifiers::default(),
            requests: BTreeMap::new(),
            inbound_aliases: None,
            parts: None,
            automatic: false,
            pubacks: AnswerQueue::default(),
            pubrecs: AnswerQueue::default(),
        }
    }

    /// The packet at the front of `input`, and its length.
    #[inline]
    pub(super) fn decode<'a>(
        &self,
        input: &'a [u8],
    ) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
        decode(input, self.version, &self.limits)
    }

    /// Takes the packet at the front of `input`.
    pub(super) fn take<'a>(
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

    /// The error for a rule that the peer broke.
    #[cold]
    pub(super) fn violation(&self, rule: Rule) -> ConnectionError {
        ConnectionError::Protocol {
            rule,
            version: self.version,
        }
    }

    /// Queues a packet, unless the peer takes none so large.
    pub(super) fn send(&mut self, packet: &Packet<'_>) -> Result<(), SendError> {
        self.check_size(packet.encoded_len(self.version))?;
        packet.encode(self.version, self.transmit.buffer())?;
        Ok(())
    }

    /// Queues an acknowledgement that tells success and nothing more: the shortest packet
    /// that has a packet identifier, the same in each version.
    #[inline]
    pub(super) fn send_bare(&mut self, packet: PacketType, identifier: PacketIdentifier) {
        let [high, low] = identifier.get().to_be_bytes();
        let bytes = [packet.first_byte(), 2, high, low];
        if self.check_size(bytes.len()).is_ok() {
            self.transmit.buffer().extend_from_slice(&bytes);
        }
    }

    // keeps: 5.0 MQTT-3.1.2-24, 5.0 MQTT-3.2.2-15
    #[inline]
    pub(super) fn check_size(&self, length: usize) -> Result<(), SendError> {
        let maximum = self.peer.maximum_packet_size;
        if length > maximum as usize {
            return Err(SendError::PacketTooLarge { length, maximum });
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
    pub(super) fn send_shedding(&mut self, packet: &Packet<'_>) -> Result<(), SendError> {
        let properties = properties(packet);
        if properties.is_empty() {
            return self.send(packet);
        }
        let mut kept = PropertiesBuilder::new();
        if self.version.has_properties() {
            if self.peer.request_problem_information
                || matches!(packet, Packet::ConnAck(_) | Packet::Disconnect(_))
            {
                match self.send(packet) {
                    Err(SendError::PacketTooLarge { .. }) => {}
                    other => return other,
                }
            }
            for property in properties {
                if !matches!(
                    property,
                    Property::ReasonString(_) | Property::UserProperty(..)
                ) {
                    kept.push(property)?;
                }
            }
        }
        self.send(&with_properties(*packet, kept.as_properties()))
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
