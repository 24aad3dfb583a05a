//! Packet types and sets of them.

use core::fmt;

use super::publish::PublishFlags;
use crate::{Limits, ProtocolVersion, Rule};

macro_rules! packet_types {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, $text:ident, $flags:literal, $rule:ident; )*) => {
        /// Which control packet it is (5.0 section 2.1.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PacketType {
            $( $(#[$doc])* $name = $number, )*
        }

        impl PacketType {
            /// Every packet type, by number.
            pub const ALL: [Self; 15] = [$(Self::$name),*];

            /// The name as the specification writes it: `PUBLISH`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($text), )* }
            }

            const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $( $number => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// The flags that its fixed header has (table 2-2); PUBLISH has flags of its own.
            const fn flags(self) -> u8 {
                match self { $( Self::$name => $flags, )* }
            }

            /// The rule that other flags break.
            const fn flags_rule(self) -> Rule {
                match self { $( Self::$name => Rule::$rule, )* }
            }
        }

        impl PacketSet {
            $(
                #[doc = concat!("Only ", stringify!($text), ".")]
                pub const $text: Self = PacketType::$name.set();
            )*
        }
    };
}

packet_types! {
    /// Client to server: connection request (section 3.1).
    Connect = 1, CONNECT, 0b0000, FixedHeaderFlags;
    /// Server to client: answer to CONNECT (section 3.2).
    ConnAck = 2, CONNACK, 0b0000, FixedHeaderFlags;
    /// Either way: a message (section 3.3).
    Publish = 3, PUBLISH, 0b0000, PublishQoSValue;
    /// Either way: answer to a QoS 1 PUBLISH (section 3.4).
    PubAck = 4, PUBACK, 0b0000, FixedHeaderFlags;
    /// Either way: first answer to a QoS 2 PUBLISH (section 3.5).
    PubRec = 5, PUBREC, 0b0000, FixedHeaderFlags;
    /// Either way: answer to PUBREC (section 3.6).
    // keeps: 5.0 MQTT-3.6.1-1, 3.1.1 MQTT-3.6.1-1
    PubRel = 6, PUBREL, 0b0010, PubRelFlags;
    /// Either way: answer to PUBREL (section 3.7).
    PubComp = 7, PUBCOMP, 0b0000, FixedHeaderFlags;
    /// Client to server: request for subscriptions (section 3.8).
    // keeps: 5.0 MQTT-3.8.1-1, 3.1.1 MQTT-3.8.1-1
    Subscribe = 8, SUBSCRIBE, 0b0010, SubscribeFlags;
    /// Server to client: answer to SUBSCRIBE (section 3.9).
    SubAck = 9, SUBACK, 0b0000, FixedHeaderFlags;
    /// Client to server: request to end subscriptions (section 3.10).
    // keeps: 5.0 MQTT-3.10.1-1, 3.1.1 MQTT-3.10.1-1
    Unsubscribe = 10, UNSUBSCRIBE, 0b0010, UnsubscribeFlags;
    /// Server to client: answer to UNSUBSCRIBE (section 3.11).
    UnsubAck = 11, UNSUBACK, 0b0000, FixedHeaderFlags;
    /// Client to server: sign of life (section 3.12).
    PingReq = 12, PINGREQ, 0b0000, FixedHeaderFlags;
    /// Server to client: answer to PINGREQ (section 3.13).
    PingResp = 13, PINGRESP, 0b0000, FixedHeaderFlags;
    /// Either way, in 3.x from the client only: goodbye (section 3.14).
    // keeps: 5.0 MQTT-3.14.1-1, 3.1.1 MQTT-3.14.1-1
    Disconnect = 14, DISCONNECT, 0b0000, DisconnectFlags;
    /// Either way, 5.0 only: a step of an authentication (section 3.15).
    // keeps: 5.0 MQTT-3.15.1-1
    Auth = 15, AUTH, 0b0000, AuthFlags;
}

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
