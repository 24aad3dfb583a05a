//! The first byte of each packet type, and sets of packet types.

use core::fmt;

use super::PacketType;
use super::publish::PublishFlags;
use crate::{Limits, ProtocolVersion, Rule};

impl PacketType {
    /// The first byte of the packet; of a PUBLISH with QoS 0 and no flags.
    // keeps: 5.0 MQTT-2.1.3-1, 3.1.1 MQTT-2.2.2-1
    #[inline]
    pub(crate) const fn first_byte(self) -> u8 {
        (self as u8) << 4 | self.flags()
    }

    /// Whether a packet with this first byte is one.
    #[inline]
    pub(crate) const fn is_of(self, first: u8) -> bool {
        first >> 4 == self as u8
    }

    /// The set of only this packet.
    #[must_use]
    #[inline]
    pub const fn set(self) -> PacketSet {
        PacketSet(1 << self as u8)
    }

    /// The type that a first byte tells, with its flags checked.
    // keeps: 5.0 MQTT-2.1.3-1, 3.1.1 MQTT-2.2.2-1
    #[inline]
    pub(crate) fn from_first_byte(
        first: u8,
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Rule> {
        let flags = first & 0x0F;
        let kind = Self::from_number(first >> 4)
            .filter(|&kind| kind != Self::Auth || version == ProtocolVersion::V5_0)
            .ok_or(Rule::PacketType)?;
        match kind {
            Self::Publish => PublishFlags::parse(first, limits).map(|_| kind),
            _ if flags == kind.flags() => Ok(kind),
            // 3.1 may set DUP when it sends one of these again (3.1 section 2.1).
            Self::PubRel | Self::Subscribe | Self::Unsubscribe
                if version == ProtocolVersion::V3_1 && flags == 0b1010 =>
            {
                Ok(kind)
            }
            _ => Err(kind.flags_rule()),
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of packet types; the properties of a will count as a packet of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketSet(u16);

impl PacketSet {
    /// No packet.
    pub const NONE: Self = Self(0);
    /// Every packet, and the will.
    pub const ALL: Self = Self(u16::MAX);
    /// The will inside a CONNECT (section 3.1.3.2).
    pub const WILL: Self = Self(1);

    #[inline]
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// What is in one of the two.
    #[must_use]
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    #[inline]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
