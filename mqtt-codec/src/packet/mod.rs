//! Control packets: what they are ([`Packet`]), from bytes ([`decode`](decode()) and to bytes
//! ([`Packet::encode`]). One file holds one packet, or a pair that belongs together.

mod acknowledgement;
mod auth;
mod buf;
mod connack;
mod connect;
mod decode;
mod disconnect;
mod kind;
mod publish;
mod subscribe;
mod unsubscribe;

pub use acknowledgement::Acknowledgement;
pub use auth::Auth;
pub use buf::PacketBuf;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
use decode::end;
pub(crate) use decode::{
    Length, decode_publish, decode_publish_head, publish_head_length, publish_length,
};
pub use decode::{decode, needed};
pub use disconnect::Disconnect;
pub use kind::{PacketSet, PacketType};
pub use publish::Publish;
use publish::payload_is_text;
pub use subscribe::{
    ReasonCodes, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    Subscriptions,
};
pub use unsubscribe::{TopicFilters, UnsubAck, Unsubscribe};

use bytes::BufMut;

use crate::wire::{
    VARIABLE_BYTE_INTEGER_MAX, variable_byte_integer_bytes, variable_byte_integer_len,
};
use crate::{EncodeError, Properties, ProtocolVersion};

/// An MQTT Control Packet (section 2), borrowed from the bytes that it was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Connection request (section 3.1).
    Connect(Connect<'a>),
    /// Answer to CONNECT (section 3.2).
    ConnAck(ConnAck<'a>),
    /// A message (section 3.3).
    Publish(Publish<'a>),
    /// Answer to a QoS 1 PUBLISH (section 3.4).
    PubAck(Acknowledgement<'a>),
    /// First answer to a QoS 2 PUBLISH (section 3.5).
    PubRec(Acknowledgement<'a>),
    /// Answer to PUBREC (section 3.6).
    PubRel(Acknowledgement<'a>),
    /// Answer to PUBREL (section 3.7).
    PubComp(Acknowledgement<'a>),
    /// Request for subscriptions (section 3.8).
    Subscribe(Subscribe<'a>),
    /// Answer to SUBSCRIBE (section 3.9).
    SubAck(SubAck<'a>),
    /// Request to end subscriptions (section 3.10).
    Unsubscribe(Unsubscribe<'a>),
    /// Answer to UNSUBSCRIBE (section 3.11).
    UnsubAck(UnsubAck<'a>),
    /// Sign of life (section 3.12).
    PingReq,
    /// Answer to PINGREQ (section 3.13).
    PingResp,
    /// Goodbye (section 3.14).
    Disconnect(Disconnect<'a>),
    /// A step of an authentication; 5.0 only (section 3.15).
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// Which packet it is.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// How many bytes [`encode`](Self::encode) writes when it succeeds.
    #[must_use]
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let body = self.body_len(version);
        1 + variable_byte_integer_len(body as u32) + body
    }

    /// Appends the packet to `out`. CONNECT is written in its own version.
    ///
    /// # Errors
    /// When decoding would refuse the packet, when the version has no place for what it
    /// says, or when `out` has not room for it. Nothing is written then.
    #[inline(always)]
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        // What connections are about goes the short way.
        if let Self::Publish(packet) = self {
            return packet.checked_encode(version, out);
        }
        match self {
            Self::Connect(packet) => packet.encode(out),
            _ => self.encode_other(version, out),
        }
    }

    /// Appends a packet that is no PUBLISH and no CONNECT.
    #[inline(never)]
    fn encode_other(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        self.check(version)?;
        let body = self.body_len(version);
        let (bytes, length) = check_room(body, out)?;
        out.put_u8(self.packet_type().first_byte());
        out.put_slice(&bytes[..length]);
        match self {
            Self::ConnAck(packet) => packet.put(version, out),
            Self::PubAck(packet)
            | Self::PubRec(packet)
            | Self::PubRel(packet)
            | Self::PubComp(packet) => packet.put(version, out),
            Self::Subscribe(packet) => packet.put(version, out),
            Self::SubAck(packet) => packet.put(version, out),
            Self::Unsubscribe(packet) => packet.put(version, out),
            Self::UnsubAck(packet) => packet.put(version, out),
            Self::Connect(_) | Self::Publish(_) | Self::PingReq | Self::PingResp => {}
            Self::Disconnect(packet) => packet.put(version, out),
            Self::Auth(packet) => packet.put(out),
        }
        Ok(())
    }

    /// That decoding would accept what is going to be written.
    #[inline]
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        match self {
            Self::ConnAck(packet) => packet.check(version),
            Self::PubAck(packet)
            | Self::PubRec(packet)
            | Self::PubRel(packet)
            | Self::PubComp(packet) => packet.check(self.packet_type(), version),
            Self::Subscribe(packet) => packet.check(version),
            Self::SubAck(packet) => packet.check(version),
            Self::Unsubscribe(packet) => packet.check(version),
            Self::UnsubAck(packet) => packet.check(version),
            Self::PingReq | Self::PingResp => Ok(()),
            // Their own `encode` sees to it.
            Self::Publish(_) | Self::Connect(_) => Ok(()),
            Self::Disconnect(packet) => packet.check(version),
            Self::Auth(packet) => packet.check(version),
        }
    }

    /// Bytes after the fixed header.
    #[inline]
    fn body_len(&self, version: ProtocolVersion) -> usize {
        match self {
            Self::Publish(packet) => packet.body_len(None, 0, version),
            Self::Connect(packet) => packet.checked_len().unwrap_or_default(),
            Self::ConnAck(packet) => packet.body_len(version),
            Self::PubAck(packet)
            | Self::PubRec(packet)
            | Self::PubRel(packet)
            | Self::PubComp(packet) => packet.body_len(version),
            Self::Subscribe(packet) => packet.body_len(version),
            Self::SubAck(packet) => packet.body_len(version),
            Self::Unsubscribe(packet) => packet.body_len(version),
            Self::UnsubAck(packet) => packet.body_len(version),
            Self::PingReq | Self::PingResp => 0,
            Self::Disconnect(packet) => packet.body_len(version),
            Self::Auth(packet) => packet.body_len(),
        }
    }
}

/// That a body of this many bytes may be, and that `out` has room for it and its fixed
/// header: the bytes of the Remaining Length (section 2.1.4), and how many they are.
#[inline]
fn check_room(body: usize, out: &impl BufMut) -> Result<([u8; 4], usize), EncodeError> {
    let (bytes, length) = remaining_length(body)?;
    let needed = 1 + length + body;
    if out.remaining_mut() < needed {
        return Err(EncodeError::NoRoom { needed });
    }
    Ok((bytes, length))
}

/// The Remaining Length (section 2.1.4), and how many bytes it has.
#[inline]
fn remaining_length(body: usize) -> Result<([u8; 4], usize), EncodeError> {
    if body > VARIABLE_BYTE_INTEGER_MAX as usize {
        return Err(EncodeError::PacketTooLarge { length: body });
    }
    Ok(variable_byte_integer_bytes(body as u32))
}

/// That `packet` may carry these properties in this version.
#[inline]
fn check_properties(
    properties: &Properties<'_>,
    packet: PacketType,
    version: ProtocolVersion,
) -> Result<(), EncodeError> {
    if properties.is_empty() {
        return Ok(());
    }
    if !version.has_properties() {
        return Err(EncodeError::NotInVersion {
            version,
            what: "properties",
        });
    }
    if !properties.packets().contains(packet.set()) {
        return Err(EncodeError::PropertyNotAllowed { packet });
    }
    Ok(())
}
