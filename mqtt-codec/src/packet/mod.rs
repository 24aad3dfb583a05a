//! Control packets: what they are ([`Packet`]), from bytes ([`decode`](decode())) and to bytes
//! ([`Packet::encode`]). Each has a row in the table of `packets!` and a `Body`. One file holds
//! one packet, or a pair that belongs together.

mod acknowledgement;
mod auth;
mod body;
mod buf;
mod connack;
mod connect;
mod decode;
mod disconnect;
mod kind;
mod list;
mod outcome;
mod publish;
mod subscribe;
mod unsubscribe;

pub use acknowledgement::Acknowledgement;
pub use auth::Auth;
use body::{Body, Form, end};
pub use buf::PacketBuf;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub(crate) use decode::{
    Length, decode_bare_puback, decode_publish, decode_publish_head, publish_head_length,
    publish_length,
};
pub use decode::{decode, needed};
pub use disconnect::Disconnect;
pub use kind::PacketSet;
pub use list::{Entry, List, ReasonCodes, Subscriptions, TopicFilters};
pub use publish::Publish;
pub(crate) use publish::PublishLength;
pub use subscribe::{RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions};
pub use unsubscribe::{UnsubAck, Unsubscribe};

use bytes::BufMut;

use crate::wire::{Fault, variable_byte_integer_len};
use crate::{EncodeError, ProtocolVersion, Rule};

/// Defines the control packets: a row for each, with its number, its name in the specification,
/// the flags that its fixed header has (table 2-2; PUBLISH has flags of its own), and the rule
/// that other flags break.
macro_rules! packets {
    ($(
        $(#[$doc:meta])*
        $name:ident $(($body:ident: $type:ty))? = $number:literal, $text:ident, $flags:literal, $rule:ident;
    )*) => {
        /// An MQTT Control Packet (section 2), borrowed from the bytes that it was decoded from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Packet<'a> {
            $( $(#[$doc])* $name $(($type))?, )*
        }

        impl<'a> Packet<'a> {
            /// Which packet it is.
            #[must_use]
            pub const fn packet_type(&self) -> PacketType {
                match self { $( Self::$name { .. } => PacketType::$name, )* }
            }

            /// A packet with this body, and its length. It is made where it is wanted, since it
            /// is large to move.
            #[expect(unused_parens, reason = "they stand for no body as well")]
            #[inline(always)]
            fn parse(
                body: &'a [u8],
                form: Form<'_>,
                length: usize,
            ) -> Result<Option<(Self, usize)>, nom::Err<Fault>> {
                match form.kind {$(
                    PacketType::$name => match Body::parse(body, form) {
                        Ok((rest, ($($body)?))) => match end(rest) {
                            Ok(()) => Ok(Some((Self::$name $(($body))?, length))),
                            Err(error) => Err(error),
                        },
                        Err(error) => Err(error),
                    },
                )*}
            }

            /// Bytes after the fixed header.
            fn body_len(&self, version: ProtocolVersion) -> usize {
                match self { $( Self::$name $(($body))? => ($($body)?).len(version), )* }
            }

            /// [`encode`](Self::encode), whichever packet it is.
            #[inline(never)]
            fn encode_any(
                &self,
                version: ProtocolVersion,
                out: &mut impl BufMut,
            ) -> Result<(), EncodeError> {
                match self {$(
                    Self::$name $(($body))? => {
                        ($($body)?).encode(PacketType::$name, version, out)
                    }
                )*}
            }
        }

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

            /// The flags that its fixed header has; of a PUBLISH with QoS 0 and no flags.
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

packets! {
    /// Client to server: connection request (section 3.1).
    Connect(connect: Connect<'a>) = 1, CONNECT, 0b0000, FixedHeaderFlags;
    /// Server to client: answer to CONNECT (section 3.2).
    ConnAck(connack: ConnAck<'a>) = 2, CONNACK, 0b0000, FixedHeaderFlags;
    /// Either way: a message (section 3.3).
    Publish(publish: Publish<'a>) = 3, PUBLISH, 0b0000, PublishQoSValue;
    /// Either way: answer to a QoS 1 PUBLISH (section 3.4).
    PubAck(ack: Acknowledgement<'a>) = 4, PUBACK, 0b0000, FixedHeaderFlags;
    /// Either way: first answer to a QoS 2 PUBLISH (section 3.5).
    PubRec(ack: Acknowledgement<'a>) = 5, PUBREC, 0b0000, FixedHeaderFlags;
    /// Either way: answer to PUBREC (section 3.6).
    // keeps: 5.0 MQTT-3.6.1-1, 3.1.1 MQTT-3.6.1-1
    PubRel(ack: Acknowledgement<'a>) = 6, PUBREL, 0b0010, PubRelFlags;
    /// Either way: answer to PUBREL (section 3.7).
    PubComp(ack: Acknowledgement<'a>) = 7, PUBCOMP, 0b0000, FixedHeaderFlags;
    /// Client to server: request for subscriptions (section 3.8).
    // keeps: 5.0 MQTT-3.8.1-1, 3.1.1 MQTT-3.8.1-1
    Subscribe(subscribe: Subscribe<'a>) = 8, SUBSCRIBE, 0b0010, SubscribeFlags;
    /// Server to client: answer to SUBSCRIBE (section 3.9).
    SubAck(suback: SubAck<'a>) = 9, SUBACK, 0b0000, FixedHeaderFlags;
    /// Client to server: request to end subscriptions (section 3.10).
    // keeps: 5.0 MQTT-3.10.1-1, 3.1.1 MQTT-3.10.1-1
    Unsubscribe(unsubscribe: Unsubscribe<'a>) = 10, UNSUBSCRIBE, 0b0010, UnsubscribeFlags;
    /// Server to client: answer to UNSUBSCRIBE (section 3.11).
    UnsubAck(unsuback: UnsubAck<'a>) = 11, UNSUBACK, 0b0000, FixedHeaderFlags;
    /// Client to server: sign of life (section 3.12).
    PingReq = 12, PINGREQ, 0b0000, FixedHeaderFlags;
    /// Server to client: answer to PINGREQ (section 3.13).
    PingResp = 13, PINGRESP, 0b0000, FixedHeaderFlags;
    /// Either way, in 3.x from the client only: goodbye (section 3.14).
    // keeps: 5.0 MQTT-3.14.1-1, 3.1.1 MQTT-3.14.1-1
    Disconnect(disconnect: Disconnect<'a>) = 14, DISCONNECT, 0b0000, DisconnectFlags;
    /// Either way, 5.0 only: a step of an authentication (section 3.15).
    // keeps: 5.0 MQTT-3.15.1-1
    Auth(auth: Auth<'a>) = 15, AUTH, 0b0000, AuthFlags;
}

impl Packet<'_> {
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
            Self::Connect(packet) => packet.checked_encode(out),
            _ => self.encode_any(version, out),
        }
    }
}
