//! Properties of 5.0 (section 2.2.2): the table of them all, their values on the
//! wire, [`Properties`] to read and [`PropertiesBuilder`] to write.

mod builder;
mod view;

pub use builder::{PropertiesBuf, PropertiesBuilder};
pub use view::{Properties, PropertyIter};

use core::fmt;

use bytes::BufMut;

use crate::packet::PacketSet;
use crate::secret::Secret;
use crate::wire::{self, Fault, Parsed, fault, field_len};
use crate::{EncodeError, ProtocolVersion, QoS, Rule};

/// How a kind of value stands on the wire.
trait Format<'a> {
    type Value: Copy;
    /// Passes over a value that is well-formed.
    #[inline]
    fn check(input: &'a [u8]) -> Parsed<'a, ()> {
        let (rest, _) = Self::parse(input)?;
        Ok((rest, ()))
    }
    /// Reads a value that [`check`](Self::check) has passed over before.
    fn parse(input: &'a [u8]) -> Parsed<'a, Self::Value>;
    /// Encoded length in bytes, or that the value has no encoding.
    fn len(value: Self::Value) -> Result<usize, EncodeError>;
    fn put(value: Self::Value, out: &mut impl BufMut);
}

/// One byte, 0 or 1.
struct Boolean;
/// One byte: the QoS 0 or 1. (A server whose maximum is 2 does not send the property.)
struct MaximumQoSByte;
/// A Two Byte Integer (section 1.5.2).
struct TwoByte;
/// A Four Byte Integer (section 1.5.3).
struct FourByte;
/// A Variable Byte Integer (section 1.5.5).
struct VariableByte;
/// A UTF-8 Encoded String (section 1.5.4).
struct EncodedString;
/// Binary Data (section 1.5.6).
struct Binary;
/// A UTF-8 String Pair (section 1.5.7).
struct StringPair;

impl<'a> Format<'a> for Boolean {
    type Value = bool;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, bool> {
        match wire::u8(input)? {
            (rest, 0) => Ok((rest, false)),
            (rest, 1) => Ok((rest, true)),
            _ => Err(fault(Rule::PropertyBoolean, input)),
        }
    }
    fn len(_: bool) -> Result<usize, EncodeError> {
        Ok(1)
    }
    fn put(value: bool, out: &mut impl BufMut) {
        out.put_u8(u8::from(value));
    }
}

impl<'a> Format<'a> for MaximumQoSByte {
    type Value = QoS;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, QoS> {
        match wire::u8(input)? {
            (rest, 0) => Ok((rest, QoS::AtMostOnce)),
            (rest, 1) => Ok((rest, QoS::AtLeastOnce)),
            _ => Err(fault(Rule::MaximumQoSValue, input)),
        }
    }
    fn len(_: QoS) -> Result<usize, EncodeError> {
        Ok(1)
    }
    fn put(value: QoS, out: &mut impl BufMut) {
        out.put_u8(value as u8);
    }
}

impl<'a> Format<'a> for TwoByte {
    type Value = u16;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, u16> {
        wire::u16(input)
    }
    fn len(_: u16) -> Result<usize, EncodeError> {
        Ok(2)
    }
    fn put(value: u16, out: &mut impl BufMut) {
        out.put_u16(value);
    }
}

impl<'a> Format<'a> for FourByte {
    type Value = u32;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, u32> {
        wire::u32(input)
    }
    fn len(_: u32) -> Result<usize, EncodeError> {
        Ok(4)
    }
    fn put(value: u32, out: &mut impl BufMut) {
        out.put_u32(value);
    }
}

impl<'a> Format<'a> for VariableByte {
    type Value = u32;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, u32> {
        wire::variable_byte_integer(input)
    }
    fn len(value: u32) -> Result<usize, EncodeError> {
        Ok(wire::variable_byte_integer_len(value))
    }
    fn put(value: u32, out: &mut impl BufMut) {
        wire::put_variable_byte_integer(out, value);
    }
}

impl<'a> Format<'a> for EncodedString {
    type Value = &'a str;
    #[inline]
    fn check(input: &'a [u8]) -> Parsed<'a, ()> {
        wire::check_string(input)
    }
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, &'a str> {
        wire::checked_string(input)
    }
    fn len(value: &'a str) -> Result<usize, EncodeError> {
        field_len(value.as_bytes())
    }
    fn put(value: &'a str, out: &mut impl BufMut) {
        wire::put_binary(out, value.as_bytes());
    }
}

impl<'a> Format<'a> for Binary {
    type Value = &'a [u8];
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, &'a [u8]> {
        wire::binary(input)
    }
    fn len(value: &'a [u8]) -> Result<usize, EncodeError> {
        field_len(value)
    }
    fn put(value: &'a [u8], out: &mut impl BufMut) {
        wire::put_binary(out, value);
    }
}

impl<'a> Format<'a> for StringPair {
    type Value = (&'a str, &'a str);
    #[inline]
    fn check(input: &'a [u8]) -> Parsed<'a, ()> {
        let (rest, ()) = wire::check_string(input)?;
        wire::check_string(rest)
    }
    // keeps: 5.0 MQTT-1.5.7-1
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, (&'a str, &'a str)> {
        let (rest, name) = wire::checked_string(input)?;
        let (rest, value) = wire::checked_string(rest)?;
        Ok((rest, (name, value)))
    }
    fn len((name, value): Self::Value) -> Result<usize, EncodeError> {
        Ok(field_len(name.as_bytes())? + field_len(value.as_bytes())?)
    }
    fn put((name, value): Self::Value, out: &mut impl BufMut) {
        wire::put_binary(out, name.as_bytes());
        wire::put_binary(out, value.as_bytes());
    }
}

macro_rules! properties {
    ($(
        $(#[$doc:meta])*
        $name:ident($($field:ident: $type:ty),+) as $format:ident = $identifier:literal,
        $text:literal, [$($packet:ident)+], repeatable in [$($repeatable:ident)*];
    )*) => {
        /// Which property it is (5.0 table 2-4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyIdentifier {
            $( $(#[$doc])* $name = $identifier, )*
        }

        impl PropertyIdentifier {
            /// Every property, by identifier.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The property with this identifier.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $( $identifier => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// The name that the specification gives it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// The packets that may carry it.
            #[must_use]
            #[inline]
            pub const fn packets(self) -> PacketSet {
                match self { $( Self::$name => PacketSet::NONE$(.union(PacketSet::$packet))+, )* }
            }

            /// The packets that may carry it more than once.
            #[must_use]
            #[inline]
            pub const fn repeatable(self) -> PacketSet {
                match self { $( Self::$name => PacketSet::NONE$(.union(PacketSet::$repeatable))*, )* }
            }
        }

        /// A property and its value (5.0 section 2.2.2.2). Times are in seconds.
        ///
        /// Its `Debug` shows of Authentication Data only that it is there.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Property<'a> {
            $( $(#[$doc])* $name($($type),+), )*
        }

        impl fmt::Debug for Property<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut tuple = f.debug_tuple(match self {
                    $( Self::$name(..) => stringify!($name), )*
                });
                if let Self::AuthenticationData(_) = self {
                    return tuple.field(&Secret).finish();
                }
                match self {
                    $( Self::$name($($field),+) => tuple$(.field($field))+, )*
                }
                .finish()
            }
        }

        impl<'a> Property<'a> {
            /// Which property it is.
            #[must_use]
            #[inline]
            pub const fn identifier(&self) -> PropertyIdentifier {
                match self { $( Self::$name(..) => PropertyIdentifier::$name, )* }
            }

            /// Passes over the property at the front of `input`; which it was, if it is
            /// well-formed.
            #[inline]
            fn check_at(input: &'a [u8]) -> Parsed<'a, PropertyIdentifier> {
                let (value, identifier) = property_identifier(input)?;
                let rest = match identifier {
                    $( PropertyIdentifier::$name => $format::check(value)?.0, )*
                };
                if identifier.has_rule() {
                    let (_, property) = Self::parse(input)?;
                    property.check().map_err(|rule| fault(rule, value))?;
                }
                Ok((rest, identifier))
            }

            /// The property at the front of `input`, which has been checked.
            #[inline]
            // One pattern for formats of one value and of two.
            #[allow(unused_parens)]
            fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
                let (value, identifier) = property_identifier(input)?;
                Ok(match identifier {
                    $( PropertyIdentifier::$name => {
                        let (rest, ($($field),+)) = $format::parse(value)?;
                        (rest, Self::$name($($field),+))
                    } )*
                })
            }

            /// Encoded length in bytes, identifier included.
            fn len(&self) -> Result<usize, EncodeError> {
                Ok(1 + match *self {
                    $( Self::$name($($field),+) => $format::len(($($field),+))?, )*
                })
            }

            fn put(&self, out: &mut impl BufMut) {
                match *self {
                    $( Self::$name($($field),+) => {
                        out.put_u8($identifier);
                        $format::put(($($field),+), out);
                    } )*
                }
            }
        }
    };
}

properties! {
    /// Whether the payload is UTF-8 text (section 3.3.2.3.2).
    PayloadFormatIndicator(value: bool) as Boolean = 0x01,
        "Payload Format Indicator", [PUBLISH WILL], repeatable in [];
    /// Seconds until the message is of no use (section 3.3.2.3.3).
    MessageExpiryInterval(value: u32) as FourByte = 0x02,
        "Message Expiry Interval", [PUBLISH WILL], repeatable in [];
    /// What the payload is (section 3.3.2.3.9).
    // keeps: 5.0 MQTT-3.3.2-19
    ContentType(value: &'a str) as EncodedString = 0x03,
        "Content Type", [PUBLISH WILL], repeatable in [];
    /// The topic name for a response (section 3.3.2.3.5).
    // keeps: 5.0 MQTT-3.3.2-13
    ResponseTopic(value: &'a str) as EncodedString = 0x08,
        "Response Topic", [PUBLISH WILL], repeatable in [];
    /// What a requester knows its response by (section 3.3.2.3.6).
    CorrelationData(value: &'a [u8]) as Binary = 0x09,
        "Correlation Data", [PUBLISH WILL], repeatable in [];
    /// The number of a subscription, 1 to 268,435,455 (sections 3.3.2.3.8 and 3.8.2.1.2).
    SubscriptionIdentifier(value: u32) as VariableByte = 0x0B,
        "Subscription Identifier", [PUBLISH SUBSCRIBE], repeatable in [PUBLISH];
    /// Seconds that the session outlives the connection; `u32::MAX` for ever (section 3.1.2.11.2).
    SessionExpiryInterval(value: u32) as FourByte = 0x11,
        "Session Expiry Interval", [CONNECT CONNACK DISCONNECT], repeatable in [];
    /// The client identifier that the server chose (section 3.2.2.3.7).
    AssignedClientIdentifier(value: &'a str) as EncodedString = 0x12,
        "Assigned Client Identifier", [CONNACK], repeatable in [];
    /// The keep alive in seconds that the server wants (section 3.2.2.3.14).
    ServerKeepAlive(value: u16) as TwoByte = 0x13,
        "Server Keep Alive", [CONNACK], repeatable in [];
    /// The name of the authentication method (section 3.1.2.11.9).
    AuthenticationMethod(value: &'a str) as EncodedString = 0x15,
        "Authentication Method", [CONNECT CONNACK AUTH], repeatable in [];
    /// What the authentication method exchanges (section 3.1.2.11.10).
    AuthenticationData(value: &'a [u8]) as Binary = 0x16,
        "Authentication Data", [CONNECT CONNACK AUTH], repeatable in [];
    /// Whether the server may send reason strings and user properties (section 3.1.2.11.7).
    RequestProblemInformation(value: bool) as Boolean = 0x17,
        "Request Problem Information", [CONNECT], repeatable in [];
    /// Seconds from the end of the connection to the will's publication (section 3.1.3.2.2).
    WillDelayInterval(value: u32) as FourByte = 0x18,
        "Will Delay Interval", [WILL], repeatable in [];
    /// Whether the client asks for Response Information (section 3.1.2.11.6).
    RequestResponseInformation(value: bool) as Boolean = 0x19,
        "Request Response Information", [CONNECT], repeatable in [];
    /// What a client may build response topics from (section 3.2.2.3.15).
    ResponseInformation(value: &'a str) as EncodedString = 0x1A,
        "Response Information", [CONNACK], repeatable in [];
    /// Another server to use (section 3.2.2.3.16).
    ServerReference(value: &'a str) as EncodedString = 0x1C,
        "Server Reference", [CONNACK DISCONNECT], repeatable in [];
    /// The reason in words, for people (section 3.2.2.3.9).
    ReasonString(value: &'a str) as EncodedString = 0x1F,
        "Reason String", [CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH], repeatable in [];
    /// How many QoS 1 and QoS 2 messages may be under way to the sender of it (section 3.1.2.11.3).
    ReceiveMaximum(value: u16) as TwoByte = 0x21,
        "Receive Maximum", [CONNECT CONNACK], repeatable in [];
    /// The highest topic alias that the sender of it accepts (section 3.1.2.11.5).
    TopicAliasMaximum(value: u16) as TwoByte = 0x22,
        "Topic Alias Maximum", [CONNECT CONNACK], repeatable in [];
    /// A number that stands for the topic name (section 3.3.2.3.4).
    TopicAlias(value: u16) as TwoByte = 0x23,
        "Topic Alias", [PUBLISH], repeatable in [];
    /// The highest QoS that the server supports, 0 or 1 (section 3.2.2.3.4).
    MaximumQoS(value: QoS) as MaximumQoSByte = 0x24,
        "Maximum QoS", [CONNACK], repeatable in [];
    /// Whether the server supports retained messages (section 3.2.2.3.5).
    RetainAvailable(value: bool) as Boolean = 0x25,
        "Retain Available", [CONNACK], repeatable in [];
    /// A name and a value that the specification gives no meaning (section 3.1.2.11.8).
    UserProperty(name: &'a str, value: &'a str) as StringPair = 0x26,
        "User Property", [CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH],
        repeatable in [CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH];
    /// The largest packet in bytes that the sender of it accepts (section 3.1.2.11.4).
    MaximumPacketSize(value: u32) as FourByte = 0x27,
        "Maximum Packet Size", [CONNECT CONNACK], repeatable in [];
    /// Whether the server supports wildcards in subscriptions (section 3.2.2.3.11).
    WildcardSubscriptionAvailable(value: bool) as Boolean = 0x28,
        "Wildcard Subscription Available", [CONNACK], repeatable in [];
    /// Whether the server supports subscription identifiers (section 3.2.2.3.12).
    SubscriptionIdentifiersAvailable(value: bool) as Boolean = 0x29,
        "Subscription Identifiers Available", [CONNACK], repeatable in [];
    /// Whether the server supports shared subscriptions (section 3.2.2.3.13).
    SharedSubscriptionAvailable(value: bool) as Boolean = 0x2A,
        "Shared Subscription Available", [CONNACK], repeatable in [];
}

impl PropertyIdentifier {
    /// Its bit in a set of properties: identifiers end at 0x2A.
    #[inline]
    const fn bit(self) -> u64 {
        1 << (self as u8)
    }

    /// Whether [`Property::check`] has something to say of its value.
    #[inline]
    const fn has_rule(self) -> bool {
        const WITH_RULE: u64 = PropertyIdentifier::ReceiveMaximum.bit()
            | PropertyIdentifier::MaximumPacketSize.bit()
            | PropertyIdentifier::TopicAlias.bit()
            | PropertyIdentifier::SubscriptionIdentifier.bit()
            | PropertyIdentifier::ResponseTopic.bit();
        WITH_RULE & self.bit() != 0
    }
}

/// The identifier of the property at the front of `input`. It is a variable byte integer
/// (section 2.2.2.2), and all of them take one byte.
#[inline]
fn property_identifier(input: &[u8]) -> Parsed<'_, PropertyIdentifier> {
    if let Some((&byte, value)) = input.split_first()
        && let Some(identifier) = PropertyIdentifier::from_byte(byte)
    {
        return Ok((value, identifier));
    }
    Err(property_identifier_fault(input))
}

#[cold]
fn property_identifier_fault(input: &[u8]) -> nom::Err<Fault> {
    match wire::variable_byte_integer(input) {
        Ok(_) => fault(Rule::PropertyUnknown, input),
        Err(error) => error,
    }
}

impl Property<'_> {
    /// What a value must be beyond its format.
    #[inline]
    fn check(&self) -> Result<(), Rule> {
        match *self {
            Self::ReceiveMaximum(0) => Err(Rule::ReceiveMaximumZero),
            Self::MaximumPacketSize(0) => Err(Rule::MaximumPacketSizeZero),
            Self::TopicAlias(0) => Err(Rule::TopicAliasZero),
            Self::SubscriptionIdentifier(0) => Err(Rule::SubscriptionIdentifierZero),
            Self::ResponseTopic("") => Err(Rule::ResponseTopicEmpty),
            Self::ResponseTopic(topic) if crate::topic::has_wildcard(topic) => {
                Err(Rule::ResponseTopicWildcard)
            }
            _ => Ok(()),
        }
    }

    /// What parsing has checked already, for a value that was not parsed.
    fn check_format(&self) -> Result<(), Rule> {
        let null = |string: &str| wire::contains_null(string.as_bytes());
        match *self {
            Self::MaximumQoS(QoS::ExactlyOnce) => Err(Rule::MaximumQoSValue),
            Self::SubscriptionIdentifier(value) if value > wire::VARIABLE_BYTE_INTEGER_MAX => {
                Err(Rule::VariableByteIntegerTooLong)
            }
            Self::ContentType(value)
            | Self::ResponseTopic(value)
            | Self::AssignedClientIdentifier(value)
            | Self::AuthenticationMethod(value)
            | Self::ResponseInformation(value)
            | Self::ServerReference(value)
            | Self::ReasonString(value)
                if null(value) =>
            {
                Err(Rule::Utf8Null)
            }
            Self::UserProperty(name, value) if null(name) || null(value) => Err(Rule::Utf8Null),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for PropertyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a set of properties is known to be: which are there, and which packets may
/// carry all of them. It grows as properties are added, so that whether a packet may
/// carry them is one look at a bit.
///
/// The lower bits are the identifiers that are there, the upper 16 the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contents(u64);

impl Contents {
    const PACKETS_SHIFT: u32 = 48;
    const EMPTY: Self = Self((PacketSet::ALL.bits() as u64) << Self::PACKETS_SHIFT);

    /// Whether this property is there.
    #[inline]
    pub(crate) const fn contains(self, identifier: PropertyIdentifier) -> bool {
        self.0 & identifier.bit() != 0
    }

    /// The packets that may carry all of them.
    #[inline]
    const fn packets(self) -> PacketSet {
        PacketSet::from_bits((self.0 >> Self::PACKETS_SHIFT) as u16)
    }

    /// The contents with one more property; the rule that a packet in `packets` breaks by it.
    #[inline]
    fn with(self, identifier: PropertyIdentifier, packets: PacketSet) -> Result<Self, Rule> {
        let (allowed, rule) = if self.contains(identifier) {
            (identifier.repeatable(), Rule::PropertyRepeated)
        } else {
            (identifier.packets(), Rule::PropertyNotAllowed)
        };
        let others = u64::from(!allowed.bits()) << Self::PACKETS_SHIFT;
        let next = Self((self.0 | identifier.bit()) & !others);
        if next.packets().intersection(packets) == PacketSet::NONE {
            return Err(rule);
        }
        Ok(next)
    }
}

/// The properties of a packet, Property Length first (section 2.2.2). 3.x has none.
#[inline(always)]
pub(crate) fn properties(
    input: &[u8],
    packet: PacketSet,
    version: ProtocolVersion,
) -> Parsed<'_, Properties<'_>> {
    match input {
        _ if !version.has_properties() => Ok((input, Properties::EMPTY)),
        // Most packets of 5.0 have none either.
        [0, rest @ ..] => Ok((rest, Properties::EMPTY)),
        _ => some_properties(input, packet),
    }
}

#[inline]
fn some_properties(input: &[u8], packet: PacketSet) -> Parsed<'_, Properties<'_>> {
    let (rest, length) = wire::variable_byte_integer(input)?;
    let Some((bytes, rest)) = rest.split_at_checked(length as usize) else {
        return Err(fault(Rule::PropertiesLength, input));
    };
    match Properties::validate(bytes, packet) {
        Ok(properties) => Ok((rest, properties)),
        Err(Fault { rule, remaining }) => Err(nom::Err::Error(Fault {
            rule: match rule {
                Rule::Truncated => Rule::PropertyTruncated,
                other => other,
            },
            remaining: remaining + rest.len(),
        })),
    }
}
