//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use bytes::BufMut;

use super::body::{Body, Form, check_properties, reason_code};
use super::list::{List, before_list, put_list};
use super::{PacketSet, PacketType, ReasonCodes, Subscriptions};
use crate::setters::setters;
use crate::topic::{TopicFilter, levels};
use crate::wire::{self, Parsed, fault, field_len};
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

setters! { Subscription<'a> {
    with_options(options: SubscriptionOptions);
} }

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

setters! { SubscriptionOptions {
    with_no_local(no_local: bool);
    with_retain_as_published(retain_as_published: bool);
    with_retain_handling(retain_handling: RetainHandling);
} }

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

    pub(super) fn from_byte(byte: u8, version: ProtocolVersion) -> Result<Self, Rule> {
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

    pub(super) const fn to_byte(self) -> u8 {
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

impl<'a> Body<'a> for Subscribe<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let (version, limits) = (form.version, form.limits);
        let (list, (packet_identifier, properties)) =
            before_list(body, PacketSet::SUBSCRIBE, version)?;
        let (empty, maximum) = (Rule::SubscribeEmpty, limits.maximum_topic_filters);
        let (rest, subscriptions) = List::parse(list, version, empty, maximum, |input| {
            let (rest, entry) = subscription(input, version)?;
            check_filter(entry.topic_filter, version, limits)
                .and_then(|filter| check_no_local(filter, entry.options))
                .map_err(|rule| fault(rule, input))?;
            Ok((rest, entry))
        })?;
        let subscribe = Self {
            packet_identifier,
            properties,
            subscriptions,
        };
        Ok((rest, subscribe))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        check_properties(&self.properties, kind, version)?;
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

    put_list!(subscriptions);
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

impl<'a> Body<'a> for SubAck<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let version = form.version;
        let (list, (packet_identifier, properties)) =
            before_list(body, PacketSet::SUBACK, version)?;
        let empty = Rule::SubAckEmpty;
        let (rest, reason_codes) = List::parse(list, version, empty, u32::MAX, |input| {
            match reason_code(input, PacketSet::SUBACK, Rule::SubAckReasonCode)? {
                (_, code) if !is_in_version(code, version) => {
                    Err(fault(Rule::SubAckReasonCode, input))
                }
                parsed => Ok(parsed),
            }
        })?;
        let suback = Self {
            packet_identifier,
            properties,
            reason_codes,
        };
        Ok((rest, suback))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        if self.reason_codes.is_empty() {
            return broken(Rule::SubAckEmpty);
        }
        let is_allowed = |code| is_suback_code(code, version);
        if !self.reason_codes.iter().all(is_allowed) {
            return broken(Rule::SubAckReasonCode);
        }
        check_properties(&self.properties, kind, version)
    }

    put_list!(reason_codes);
}

/// The codes of SUBACK: 3.x has the three QoS and 0x80 (3.1.1 section 3.9.3).
// keeps: 5.0 MQTT-3.8.4-7
fn is_suback_code(code: ReasonCode, version: ProtocolVersion) -> bool {
    code.packets().contains(PacketSet::SUBACK) && is_in_version(code, version)
}

/// Whether a code of SUBACK is one in this version.
fn is_in_version(code: ReasonCode, version: ProtocolVersion) -> bool {
    version == ProtocolVersion::V5_0 || code <= ReasonCode::UnspecifiedError
}
