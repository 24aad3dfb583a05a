//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use bytes::BufMut;

use super::body::{Body, Form, check_properties, reason_code};
use super::list::{List, before_list, put_list};
use super::subscribe::check_filter;
use super::{PacketSet, PacketType, ReasonCodes, TopicFilters};
use crate::topic::TopicFilter;
use crate::wire::{self, Parsed, fault, field_len};
use crate::{EncodeError, PacketIdentifier, Properties, ProtocolVersion, ReasonCode, Rule};

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

impl<'a> Body<'a> for Unsubscribe<'a> {
    // keeps: 5.0 MQTT-3.10.3-1, 3.1.1 MQTT-3.10.3-1
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let (version, limits) = (form.version, form.limits);
        let (list, (packet_identifier, properties)) =
            before_list(body, PacketSet::UNSUBSCRIBE, version)?;
        let (empty, maximum) = (Rule::UnsubscribeEmpty, limits.maximum_topic_filters);
        let (rest, topic_filters) = List::parse(list, version, empty, maximum, |input| {
            let (rest, filter) = wire::string(input)?;
            let filter = filter.as_str();
            check_filter(filter, version, limits).map_err(|rule| fault(rule, input))?;
            Ok((rest, filter))
        })?;
        let unsubscribe = Self {
            packet_identifier,
            properties,
            topic_filters,
        };
        Ok((rest, unsubscribe))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| EncodeError::Rule { rule, version };
        check_properties(&self.properties, kind, version)?;
        if self.topic_filters.is_empty() {
            return Err(broken(Rule::UnsubscribeEmpty));
        }
        for filter in self.topic_filters.iter() {
            field_len(filter.as_bytes())?;
            TopicFilter::parse(filter, version).map_err(broken)?;
        }
        Ok(())
    }

    put_list!(topic_filters);
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

impl<'a> Body<'a> for UnsubAck<'a> {
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        let version = form.version;
        let (list, (packet_identifier, properties)) =
            before_list(body, PacketSet::UNSUBACK, version)?;
        let (empty, rule) = (Rule::UnsubAckEmpty, Rule::UnsubAckReasonCode);
        let (rest, reason_codes) = match version {
            ProtocolVersion::V5_0 => List::parse(list, version, empty, u32::MAX, |input| {
                reason_code(input, PacketSet::UNSUBACK, rule)
            })?,
            _ => (list, ReasonCodes::EMPTY),
        };
        let unsuback = Self {
            packet_identifier,
            properties,
            reason_codes,
        };
        Ok((rest, unsuback))
    }

    fn check(&self, kind: PacketType, version: ProtocolVersion) -> Result<(), EncodeError> {
        let broken = |rule| Err(EncodeError::Rule { rule, version });
        check_properties(&self.properties, kind, version)?;
        if !version.has_properties() {
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
        let is_allowed = |code: ReasonCode| code.packets().contains(PacketSet::UNSUBACK);
        if !self.reason_codes.iter().all(is_allowed) {
            return broken(Rule::UnsubAckReasonCode);
        }
        Ok(())
    }

    put_list!(reason_codes);
}
