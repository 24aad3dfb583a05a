//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use core::fmt;

use bytes::BufMut;

use super::subscribe::{ReasonCodes, check_filter};
use super::{PacketSet, PacketType, check_properties, end};
use crate::property::properties;
use crate::topic::TopicFilter;
use crate::wire::{self, Fault, fault, field_len, into_fault, put_binary};
use crate::{EncodeError, Limits, PacketIdentifier, Properties, ProtocolVersion, ReasonCode, Rule};

/// A client ends subscriptions (section 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// What the UNSUBACK names it by.
    pub packet_identifier: PacketIdentifier,
    /// User properties (section 3.10.2.1). Empty in 3.x.
    pub properties: Properties<'a>,
    /// The filters of the subscriptions, one at least (section 3.10.3).
    pub topic_filters: TopicFilters<'a>,
}

/// The topic filters of an UNSUBSCRIBE, read from the packet's bytes one by one; to
/// encode, make them from a slice.
#[derive(Clone, Copy)]
pub struct TopicFilters<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Encoded and valid.
    Wire {
        bytes: &'a [u8],
        count: usize,
    },
    Slice(&'a [&'a str]),
}

impl<'a> From<&'a [&'a str]> for TopicFilters<'a> {
    fn from(slice: &'a [&'a str]) -> Self {
        Self(Source::Slice(slice))
    }
}

impl<'a, const N: usize> From<&'a [&'a str; N]> for TopicFilters<'a> {
    fn from(array: &'a [&'a str; N]) -> Self {
        Self(Source::Slice(array))
    }
}

impl<'a> TopicFilters<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count,
            Source::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are none, which no UNSUBSCRIBE may have.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The topic filters, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + 'a {
        let (mut bytes, mut slice) = match self.0 {
            Source::Wire { bytes, .. } => (bytes, &[][..]),
            Source::Slice(slice) => (&[][..], slice),
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
            let (rest, filter) = wire::string(bytes).ok()?;
            bytes = rest;
            Some(filter.as_str())
        })
    }

    fn encoded_len(&self) -> usize {
        match self.0 {
            Source::Wire { bytes, .. } => bytes.len(),
            Source::Slice(slice) => slice.iter().map(|filter| 2 + filter.len()).sum(),
        }
    }
}

impl PartialEq for TopicFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TopicFilters<'_> {}

impl fmt::Debug for TopicFilters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Unsubscribe<'a> {
    pub(super) fn parse(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        Self::parse_fields(body, version, limits).map_err(into_fault)
    }

    // keeps: 5.0 MQTT-3.10.3-1, 3.1.1 MQTT-3.10.3-1
    fn parse_fields(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Self, nom::Err<Fault>> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        let (list, properties) = match version {
            ProtocolVersion::V5_0 => properties(rest, PacketSet::UNSUBSCRIBE)?,
            _ => (rest, Properties::EMPTY),
        };
        if list.is_empty() {
            return Err(fault(Rule::UnsubscribeEmpty, list));
        }
        let mut count = 0;
        let mut input = list;
        while !input.is_empty() {
            let (rest, filter) = wire::string(input)?;
            check_filter(&filter, version, limits).map_err(|rule| fault(rule, input))?;
            count += 1;
            if count > limits.maximum_topic_filters as usize {
                return Err(fault(Rule::TopicFilterCount, input));
            }
            input = rest;
        }
        Ok(Self {
            packet_identifier,
            properties,
            topic_filters: TopicFilters(Source::Wire { bytes: list, count }),
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        check_properties(&self.properties, PacketType::Unsubscribe, version)?;
        if self.topic_filters.is_empty() {
            return Err(broken(Rule::UnsubscribeEmpty));
        }
        for filter in self.topic_filters.iter() {
            field_len(filter.as_bytes())?;
            TopicFilter::parse(filter, version).map_err(broken)?;
        }
        Ok(())
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        let properties = match version {
            ProtocolVersion::V5_0 => self.properties.encoded_len(),
            _ => 0,
        };
        2 + properties + self.topic_filters.encoded_len()
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        if version.has_properties() {
            self.properties.put(out);
        }
        match self.topic_filters.0 {
            Source::Wire { bytes, .. } => out.put_slice(bytes),
            Source::Slice(slice) => {
                for filter in slice {
                    put_binary(out, filter.as_bytes());
                }
            }
        }
    }
}

/// A server answers UNSUBSCRIBE (section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// The UNSUBSCRIBE that it answers.
    pub packet_identifier: PacketIdentifier,
    /// Reason string and user properties. Empty in 3.x.
    pub properties: Properties<'a>,
    /// One for each topic filter, in the same order. Empty in 3.x.
    pub reason_codes: ReasonCodes<'a>,
}

impl<'a> UnsubAck<'a> {
    pub(super) fn parse(body: &'a [u8], version: ProtocolVersion) -> Result<Self, Fault> {
        Self::parse_fields(body, version).map_err(into_fault)
    }

    fn parse_fields(body: &'a [u8], version: ProtocolVersion) -> Result<Self, nom::Err<Fault>> {
        let (rest, packet_identifier) = wire::packet_identifier(body)?;
        if version < ProtocolVersion::V5_0 {
            end(rest).map_err(nom::Err::Error)?;
            return Ok(Self {
                packet_identifier,
                properties: Properties::EMPTY,
                reason_codes: ReasonCodes::EMPTY,
            });
        }
        let (list, properties) = properties(rest, PacketSet::UNSUBACK)?;
        if list.is_empty() {
            return Err(fault(Rule::UnsubAckEmpty, list));
        }
        let reason_codes = ReasonCodes::parse(list, Rule::UnsubAckReasonCode, is_unsuback_code)?;
        Ok(Self {
            packet_identifier,
            properties,
            reason_codes,
        })
    }

    pub(super) fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        check_properties(&self.properties, PacketType::UnsubAck, version)?;
        if version < ProtocolVersion::V5_0 {
            if self.reason_codes.is_empty() {
                return Ok(());
            }
            return Err(EncodeError::NotInVersion {
                version,
                what: "reason codes in UNSUBACK",
            });
        }
        if self.reason_codes.is_empty() {
            return broken(Rule::UnsubAckEmpty);
        }
        if !self.reason_codes.iter().all(is_unsuback_code) {
            return broken(Rule::UnsubAckReasonCode);
        }
        Ok(())
    }

    pub(super) fn body_len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V5_0 => 2 + self.properties.encoded_len() + self.reason_codes.len(),
            _ => 2,
        }
    }

    pub(super) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        out.put_u16(self.packet_identifier.get());
        if version.has_properties() {
            self.properties.put(out);
            self.reason_codes.put(out);
        }
    }
}

fn is_unsuback_code(code: ReasonCode) -> bool {
    code.packets().contains(PacketSet::UNSUBACK)
}
