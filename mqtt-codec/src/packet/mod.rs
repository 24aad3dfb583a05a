//! Control packets: what they are ([`Packet`]), from bytes ([`decode`]) and to bytes
//! ([`Packet::encode`]). One file holds one packet, or a pair that belongs together.

mod acknowledgement;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod kind;
mod publish;
mod subscribe;
mod unsubscribe;

pub use acknowledgement::Acknowledgement;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use kind::{PacketSet, PacketType};
pub(crate) use publish::AliasedPublish;
pub use publish::Publish;
use publish::payload_is_text;
pub use subscribe::{
    ReasonCodes, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    Subscriptions,
};
pub use unsubscribe::{TopicFilters, UnsubAck, Unsubscribe};

use bytes::BufMut;

use crate::wire::{
    Fault, VARIABLE_BYTE_INTEGER_MAX, contains_null, field_len, put_variable_byte_integer,
    variable_byte_integer_len, variable_byte_integer_prefix,
};
use crate::{DecodeError, EncodeError, Limits, Properties, ProtocolVersion, Rule};

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

/// Takes the packet at the front of `input`: the packet and its length in bytes, or
/// `None` while more bytes are needed ([`needed`] tells how many).
///
/// `version` is what the connection speaks; CONNECT tells its own, and `version` is of
/// no account for it.
///
/// # Errors
/// The first rule that the packet breaks. What the fixed header breaks is told without
/// waiting for the rest of the packet.
#[inline]
pub fn decode<'a>(
    input: &'a [u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<Option<(Packet<'a>, usize)>, DecodeError> {
    let Some(header) = FixedHeader::parse(input, version, limits)? else {
        return Ok(None);
    };
    let Some(body) = input.get(header.length..header.total()) else {
        return Ok(None);
    };
    // What connections are about goes the short way.
    let parsed = match header.kind {
        PacketType::Publish => {
            Publish::parse(header.flags, body, version, limits).map(Packet::Publish)
        }
        _ => Packet::parse(header, body, version, limits),
    };
    match parsed {
        Ok(packet) => Ok(Some((packet, header.total()))),
        Err(fault) => Err(body_error(fault, header, body, version)),
    }
}

#[cold]
fn body_error(
    fault: Fault,
    header: FixedHeader,
    body: &[u8],
    version: ProtocolVersion,
) -> DecodeError {
    DecodeError {
        offset: header.total() - fault.remaining,
        rule: fault.rule,
        version: match header.kind {
            PacketType::Connect => connect::version_of(body).unwrap_or(version),
            _ => version,
        },
    }
}

/// The length in bytes of the packet at the front of `input`; while its fixed header is
/// incomplete, how many bytes there must be at least to say more.
///
/// # Errors
/// A rule that the fixed header breaks.
pub fn needed(
    input: &[u8],
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    Ok(match FixedHeader::parse(input, version, limits)? {
        Some(header) => header.total(),
        None => (input.len() + 1).max(2),
    })
}

/// The fixed header (section 2.1).
#[derive(Clone, Copy)]
pub(crate) struct FixedHeader {
    pub(crate) kind: PacketType,
    pub(crate) flags: u8,
    /// Length in bytes of the fixed header.
    pub(crate) length: usize,
    /// Remaining Length: the bytes that follow it.
    pub(crate) remaining: usize,
}

impl FixedHeader {
    /// The fixed header at the front of `input`, `None` while it is incomplete.
    #[inline]
    pub(crate) fn parse(
        input: &[u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let error = |offset, rule| DecodeError {
            offset,
            rule,
            version,
        };
        let Some((&first, rest)) = input.split_first() else {
            return Ok(None);
        };
        let (kind, flags) = match PacketType::from_first_byte(first, version, limits) {
            Ok(kind) => (kind, first & 0x0F),
            Err(rule) => return Err(error(0, rule)),
        };
        match variable_byte_integer_prefix(rest) {
            Ok(Some((remaining, bytes))) => {
                let header = Self {
                    kind,
                    flags,
                    length: 1 + bytes,
                    remaining: remaining as usize,
                };
                if header.total() > limits.maximum_packet_size as usize {
                    return Err(error(1, Rule::PacketTooLarge));
                }
                Ok(Some(header))
            }
            Ok(None) => Ok(None),
            Err(rule) => Err(error(1, rule)),
        }
    }

    /// Length in bytes of the whole packet.
    #[inline]
    pub(crate) const fn total(self) -> usize {
        self.length + self.remaining
    }
}

impl<'a> Packet<'a> {
    #[inline(never)]
    fn parse(
        header: FixedHeader,
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        Ok(match header.kind {
            PacketType::Publish => {
                Self::Publish(Publish::parse(header.flags, body, version, limits)?)
            }
            PacketType::Connect => Self::Connect(Connect::parse(body, limits)?),
            PacketType::ConnAck => Self::ConnAck(ConnAck::parse(body, version)?),
            PacketType::PubAck => Self::PubAck(Acknowledgement::parse(
                body,
                version,
                PacketSet::PUBACK,
                Rule::PubAckReasonCode,
            )?),
            PacketType::PubRec => Self::PubRec(Acknowledgement::parse(
                body,
                version,
                PacketSet::PUBREC,
                Rule::PubRecReasonCode,
            )?),
            PacketType::PubRel => Self::PubRel(Acknowledgement::parse(
                body,
                version,
                PacketSet::PUBREL,
                Rule::PubRelReasonCode,
            )?),
            PacketType::PubComp => Self::PubComp(Acknowledgement::parse(
                body,
                version,
                PacketSet::PUBCOMP,
                Rule::PubCompReasonCode,
            )?),
            PacketType::Subscribe => Self::Subscribe(Subscribe::parse(body, version, limits)?),
            PacketType::SubAck => Self::SubAck(SubAck::parse(body, version)?),
            PacketType::Unsubscribe => {
                Self::Unsubscribe(Unsubscribe::parse(body, version, limits)?)
            }
            PacketType::UnsubAck => Self::UnsubAck(UnsubAck::parse(body, version)?),
            PacketType::PingReq => {
                end(body)?;
                Self::PingReq
            }
            PacketType::PingResp => {
                end(body)?;
                Self::PingResp
            }
            PacketType::Disconnect => Self::Disconnect(Disconnect::parse(body, version)?),
            PacketType::Auth => Self::Auth(Auth::parse(body)?),
        })
    }

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
    #[inline]
    pub fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        // What connections are about goes the short way.
        if let Self::Publish(packet) = self {
            packet.check(version)?;
            return packet.as_it_is().encode(version, out);
        }
        self.encode_other(version, out)
    }

    #[inline(never)]
    fn encode_other(
        &self,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) -> Result<(), EncodeError> {
        self.check(version)?;
        let body = self.body_len(version);
        check_room(body, out)?;
        out.put_u8(self.packet_type().first_byte());
        put_variable_byte_integer(out, body as u32);
        match self {
            Self::Publish(packet) => return packet.as_it_is().encode(version, out),
            Self::Connect(packet) => packet.put(out),
            Self::ConnAck(packet) => packet.put(version, out),
            Self::PubAck(packet)
            | Self::PubRec(packet)
            | Self::PubRel(packet)
            | Self::PubComp(packet) => packet.put(version, out),
            Self::Subscribe(packet) => packet.put(version, out),
            Self::SubAck(packet) => packet.put(version, out),
            Self::Unsubscribe(packet) => packet.put(version, out),
            Self::UnsubAck(packet) => packet.put(version, out),
            Self::PingReq | Self::PingResp => {}
            Self::Disconnect(packet) => packet.put(version, out),
            Self::Auth(packet) => packet.put(out),
        }
        Ok(())
    }

    /// That decoding would accept what is going to be written.
    #[inline]
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        match self {
            Self::Publish(packet) => packet.check(version),
            Self::Connect(packet) => packet.check(),
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
            Self::Disconnect(packet) => packet.check(version),
            Self::Auth(packet) => packet.check(version),
        }
    }

    /// Bytes after the fixed header.
    #[inline]
    fn body_len(&self, version: ProtocolVersion) -> usize {
        match self {
            Self::Publish(packet) => packet.as_it_is().body_len(version),
            Self::Connect(packet) => packet.body_len(),
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
/// header.
#[inline]
fn check_room(body: usize, out: &impl BufMut) -> Result<(), EncodeError> {
    if body > VARIABLE_BYTE_INTEGER_MAX as usize {
        return Err(EncodeError::PacketTooLarge { length: body });
    }
    let needed = 1 + variable_byte_integer_len(body as u32) + body;
    if out.remaining_mut() < needed {
        return Err(EncodeError::BufferTooSmall { needed });
    }
    Ok(())
}

/// That a packet ends where its last field did.
#[inline]
fn end(rest: &[u8]) -> Result<(), Fault> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(Fault {
        rule: Rule::TrailingBytes,
        remaining: rest.len(),
    })
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

/// That a string has 65,535 bytes at most and no U+0000.
#[inline]
fn check_string(string: &str, version: ProtocolVersion) -> Result<(), EncodeError> {
    if contains_null(string.as_bytes()) {
        return Err(EncodeError::Rule {
            rule: Rule::Utf8Null,
            version,
        });
    }
    field_len(string.as_bytes()).map(|_| ())
}
