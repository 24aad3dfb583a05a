//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use core::fmt;

use bytes::BufMut;

use super::{PacketSet, PacketType, check_properties};
use crate::property::properties;
use crate::topic::{TopicFilter, levels};
use crate::wire::{self, Fault, Parsed, fault, field_len, into_fault, put_binary};
use crate::{
    EncodeError, Limits, PacketIdentifier, Properties, ProtocolVersion, QoS, ReasonCode, Rule,
};

/// A client asks for subscriptions (section 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// What the SUBACK names it by.
    pub packet_identifier: PacketIdentifier,
    /// Subscription identifier and user properties (section 3.8.2.1). Empty in 3.x.
    pub properties: Properties<'a>,
    /// The subscriptions, one at least (section 3.8.3).
    pub subscriptions: Subscriptions<'a>,
}

/// A topic filter and how its messages are wanted (section 3.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Which topics (section 4.7).
    pub topic_filter: &'a str,
    /// How (section 3.8.3.1).
    pub options: SubscriptionOptions,
}

impl<'a> Subscription<'a> {
    /// A subscription with this maximum QoS and no other option.
    #[must_use]
    pub const fn new(topic_filter: &'a str, maximum_qos: QoS) -> Self {
        Self {
            topic_filter,
            options: SubscriptionOptions::new(maximum_qos),
        }
    }
}

/// Subscription Options (section 3.8.3.1). 3.x has the QoS only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS to send messages with.
    pub maximum_qos: QoS,
    /// Whether messages of the same client are left out.
    pub no_local: bool,
    /// Whether messages keep the RETAIN flag they were published with.
    pub retain_as_published: bool,
    /// Whether retained messages are sent when the subscription is made.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent (section 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// Whenever the subscription is made.
    #[default]
    Send = 0,
    /// When there was no such subscription before.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

// Subscription Options (section 3.8.3.1).
const MAXIMUM_QOS: u8 = 0b0000_0011;
const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const RESERVED: u8 = 0b1100_0000;

impl SubscriptionOptions {
    /// This maximum QoS and no other option.
    #[must_use]
    pub const fn new(maximum_qos: QoS) -> Self {
        Self {
            maximum_qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    fn from_byte(byte: u8, version: ProtocolVersion) -> Result<Self, Rule> {
        let reserved = match version {
            ProtocolVersion::V5_0 => RESERVED,
            _ => !MAXIMUM_QOS,
        };
        if byte & reserved != 0 {
            return Err(Rule::SubscriptionReservedBits);
        }
        Ok(Self {
            maximum_qos: QoS::from_bits(byte & MAXIMUM_QOS).ok_or(Rule::SubscriptionQoSValue)?,
            no_local: byte & NO_LOCAL != 0,
            retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
            retain_handling: match byte >> RETAIN_HANDLING_SHIFT {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(Rule::RetainHandlingValue),
            },
        })
    }

    const fn to_byte(self) -> u8 {
        self.maximum_qos as u8
            | if self.no_local { NO_LOCAL } else { 0 }
            | if self.retain_as_published {
                RETAIN_AS_PUBLISHED
            } else {
                0
            }
            | (self.retain_handling as u8) << RETAIN_HANDLING_SHIFT
    }
}

/// The subscriptions of a SUBSCRIBE. Those of a decoded packet are read by iterating
/// over its bytes; to encode, make them from a slice.
#[derive(Clone, Copy)]
pub struct Subscriptions<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Encoded and valid.
    Wire {
        bytes: &'a [u8],
        count: usize,
        version: ProtocolVersion,
    },
    Slice(&'a [Subscription<'a>]),
}

impl<'a> From<&'a [Subscription<'a>]> for Subscriptions<'a> {
    fn from(slice: &'a [Subscription<'a>]) -> Self {
        Self(Source::Slice(slice))
    }
}

impl<'a, const N: usize> From<&'a [Subscription<'a>; N]> for Subscriptions<'a> {
    fn from(array: &'a [Subscription<'a>; N]) -> Self {
        Self(Source::Slice(array))
    }
}

impl<'a> Subscriptions<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count,
            Source::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are none, which no SUBSCRIBE may have.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The subscriptions, in order.
    pub fn iter(&self) -> impl Iterator<Item = Subscription<'a>> + 'a {
        let (mut bytes, mut slice, version) = match self.0 {
            Source::Wire { bytes, version, .. } => (bytes, &[][..], version),
            Source::Slice(slice) => (&[][..], slice, ProtocolVersion::V5_0),
        };
        core::iter::from_fn(move || {
            if let Some((first, rest)) = slice.split_first() {
                slice = rest;
                return Some(*first);
            }
            if bytes.is_empty() {
                return None;
            }
            // They were valid when the packet was decoded.
            let (rest, subscription) = subscription(bytes, version).ok()?;
            bytes = rest;
            Some(subscription)
        })
    }

    fn encoded_len(&self) -> usize {
        match self.0 {
            Source::Wire { bytes, .. } => bytes.len(),
            Source::Slice(slice) => slice.iter().map(|s| 2 + s.topic_filter.len() + 1).sum(),
        }
    }
}

impl PartialEq for Subscriptions<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Subscriptions<'_> {}

impl fmt::Debug for Subscriptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A topic filter and its options, the filter not yet checked.
// keeps: 5.0 MQTT-3.8.3-1, 3.1.1 MQTT-3.8.3-1
#[inline]
fn subscription(input: &[u8], version: ProtocolVersion) -> Parsed<'_, Subscription<'_>> {
    let (options_at, topic_filter) = wire::string(input)?;
    let topic_filter = topic_filter.as_str();
    let (rest, byte) = wire::u8(options_at)?;
    let options =
        SubscriptionOptions::from_byte(byte, version).map_err(|rule| fault(rule, options_at))?;
    Ok((
        rest,
        Subscription {
            topic_filter,
            options,
        },
    ))
}

/// A topic filter on the wire, checked.
#[inline]
pub(super) fn check_filter<'a>(
    topic_filter: &'a str,
    version: ProtocolVersion,
    limits: &Limits,
) -> Result<TopicFilter<'a>, Rule> {
    let parsed = TopicFilter::parse(topic_filter, version)?;
    let maximum_levels = usize::from(limits.maximum_topic_levels);
    if topic_filter.len() >= maximum_levels && levels(topic_filter) > maximum_levels {
        return Err(Rule::TopicFilterLevels);
    }
    Ok(parsed)
}

/// A filter and its options go together (MQTT-3.8.3-4).
fn check_no_local(filter: TopicFilter<'_>, options: SubscriptionOptions) -> Result<(), Rule> {
    if options.no_local && filter.share_name().is_some() {
        return Err(Rule::NoLocalOnShared);
    }
    Ok(())
}

impl<'a> Subscribe<'a> {
    pub(super) fn parse(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        Self::parse_fields(body, version, limits).map_err(into_fault)
    }

    fn parse_fields(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, nom::Err<Fault>> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        let (list, properties) = match version {
            ProtocolVersion::V5_0 => properties(rest, PacketSet::SUBSCRIBE)?,
            _ => (rest, Properties::EMPTY),
        };
        if list.is_empty() {
            return Err(fault(Rule::SubscribeEmpty, list));
        }
        let mut count = 0;
        let mut input = list;
        while !input.is_empty() {
            let (rest, entry) = subscription(input, version)?;
            check_filter(entry.topic_filter, version, limits)
                .and_then(|filter| check_no_local(filter, entry.options))
                .map_err(|rule| fault(rule, input))?;
            count += 1;
            if count > limits.maximum_topic_filters as usize {
                return Err(fault(Rule::TopicFilterCount, input));
            }
            input = rest;
        }
        Ok(Self {
            packet_identifier,
            properties,
            subscriptions: Subscriptions(Source::Wire {
                bytes: list,
                count,
                version,
            }),
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        check_properties(&self.properties, PacketType::Subscribe, version)?;
        if self.subscriptions.is_empty() {
            return Err(broken(Rule::SubscribeEmpty));
        }
        for entry in self.subscriptions.iter() {
            field_len(entry.topic_filter.as_bytes())?;
            let filter = TopicFilter::parse(entry.topic_filter, version).map_err(broken)?;
            check_no_local(filter, entry.options).map_err(broken)?;
            if version < ProtocolVersion::V5_0
                && entry.options != SubscriptionOptions::new(entry.options.maximum_qos)
            {
                return Err(EncodeError::NotInVersion {
                    version,
                    what: "subscription options but the QoS",
                });
            }
        }
        Ok(())
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        let properties = match version {
            ProtocolVersion::V5_0 => self.properties.encoded_len(),
            _ => 0,
        };
        2 + properties + self.subscriptions.encoded_len()
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        if version.has_properties() {
            self.properties.put(out);
        }
        match self.subscriptions.0 {
            Source::Wire { bytes, .. } => out.put_slice(bytes),
            Source::Slice(slice) => {
                for entry in slice {
                    put_binary(out, entry.topic_filter.as_bytes());
                    out.put_u8(entry.options.to_byte());
                }
            }
        }
    }
}

/// A server answers SUBSCRIBE (section 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// The SUBSCRIBE that it answers.
    pub packet_identifier: PacketIdentifier,
    /// Reason string and user properties. Empty in 3.x.
    pub properties: Properties<'a>,
    /// One for each subscription, in the same order: the QoS granted, or a failure. In
    /// 3.x the only failure is [`ReasonCode::UnspecifiedError`].
    pub reason_codes: ReasonCodes<'a>,
}

impl<'a> SubAck<'a> {
    pub(super) fn parse(body: &'a [u8], version: ProtocolVersion) -> Result<Self, Fault> {
        Self::parse_fields(body, version).map_err(into_fault)
    }

    fn parse_fields(body: &'a [u8], version: ProtocolVersion) -> Result<Self, nom::Err<Fault>> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        let (list, properties) = match version {
            ProtocolVersion::V5_0 => properties(rest, PacketSet::SUBACK)?,
            _ => (rest, Properties::EMPTY),
        };
        if list.is_empty() {
            return Err(fault(Rule::SubAckEmpty, list));
        }
        let reason_codes = ReasonCodes::parse(list, Rule::SubAckReasonCode, |code| {
            is_suback_code(code, version)
        })?;
        Ok(Self {
            packet_identifier,
            properties,
            reason_codes,
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        if self.reason_codes.is_empty() {
            return broken(Rule::SubAckEmpty);
        }
        if !self
            .reason_codes
            .iter()
            .all(|code| is_suback_code(code, version))
        {
            return broken(Rule::SubAckReasonCode);
        }
        check_properties(&self.properties, PacketType::SubAck, version)
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        let properties = match version {
            ProtocolVersion::V5_0 => self.properties.encoded_len(),
            _ => 0,
        };
        2 + properties + self.reason_codes.len()
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        if version.has_properties() {
            self.properties.put(out);
        }
        self.reason_codes.put(out);
    }
}

/// The codes of SUBACK: 3.x has the three QoS and 0x80 (3.1.1 section 3.9.3).
// keeps: 5.0 MQTT-3.8.4-7
fn is_suback_code(code: ReasonCode, version: ProtocolVersion) -> bool {
    code.packets().contains(PacketSet::SUBACK)
        && (version == ProtocolVersion::V5_0 || code <= ReasonCode::UnspecifiedError)
}

/// The reason codes of a SUBACK or UNSUBACK, read from the packet's bytes one by one;
/// to encode, make them from a slice.
#[derive(Clone, Copy)]
pub struct ReasonCodes<'a>(Codes<'a>);

#[derive(Clone, Copy)]
enum Codes<'a> {
    /// Encoded and valid.
    Wire(&'a [u8]),
    Slice(&'a [ReasonCode]),
}

impl<'a> From<&'a [ReasonCode]> for ReasonCodes<'a> {
    fn from(slice: &'a [ReasonCode]) -> Self {
        Self(Codes::Slice(slice))
    }
}

impl<'a, const N: usize> From<&'a [ReasonCode; N]> for ReasonCodes<'a> {
    fn from(array: &'a [ReasonCode; N]) -> Self {
        Self(Codes::Slice(array))
    }
}

impl<'a> ReasonCodes<'a> {
    /// No reason codes: what the UNSUBACK of 3.x has.
    pub const EMPTY: Self = Self(Codes::Slice(&[]));

    pub(super) fn parse(
        bytes: &'a [u8],
        rule: Rule,
        is_allowed: impl Fn(ReasonCode) -> bool,
    ) -> Result<Self, nom::Err<Fault>> {
        let is_wrong = |&byte: &u8| !ReasonCode::from_byte(byte).is_some_and(&is_allowed);
        match bytes.iter().position(is_wrong) {
            None => Ok(Self(Codes::Wire(bytes))),
            Some(at) => Err(fault(rule, &bytes[at..])),
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Codes::Wire(bytes) => bytes.len(),
            Codes::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The reason codes, in order.
    pub fn iter(&self) -> impl Iterator<Item = ReasonCode> + 'a {
        let (bytes, slice) = match self.0 {
            Codes::Wire(bytes) => (bytes, &[][..]),
            Codes::Slice(slice) => (&[][..], slice),
        };
        bytes
            .iter()
            .filter_map(|&byte| ReasonCode::from_byte(byte))
            .chain(slice.iter().copied())
    }

    pub(super) fn put(&self, out: &mut impl BufMut) {
        match self.0 {
            Codes::Wire(bytes) => out.put_slice(bytes),
            Codes::Slice(slice) => {
                for &code in slice {
                    out.put_u8(code as u8);
                }
            }
        }
    }
}

impl PartialEq for ReasonCodes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ReasonCodes<'_> {}

impl fmt::Debug for ReasonCodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
