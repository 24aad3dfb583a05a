//! What the peer accepts.

use crate::{Properties, QoS};

/// What the peer said that it takes: a client in CONNECT (section 3.1.2.11), a server in
/// CONNACK (section 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeerLimits {
    /// How many QoS 1 and QoS 2 messages may be under way to it.
    pub receive_maximum: u16,
    /// The largest packet that it takes, in bytes; `u32::MAX` if it gave no limit.
    pub maximum_packet_size: u32,
    /// The highest topic alias that it takes; 0 for none.
    pub topic_alias_maximum: u16,
    /// The highest QoS of a PUBLISH to it.
    pub maximum_qos: QoS,
    /// Whether a PUBLISH to it may have RETAIN.
    pub retain_available: bool,
    /// Whether it takes subscriptions with wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether it takes subscription identifiers.
    pub subscription_identifiers_available: bool,
    /// Whether it takes shared subscriptions.
    pub shared_subscription_available: bool,
    /// Whether it wants reason strings and user properties in every packet that may
    /// carry them (section 3.1.2.11.7).
    pub request_problem_information: bool,
}

impl PeerLimits {
    /// What holds where the peer said nothing.
    pub(super) const DEFAULT: Self = Self {
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        topic_alias_maximum: 0,
        maximum_qos: QoS::ExactlyOnce,
        retain_available: true,
        wildcard_subscription_available: true,
        subscription_identifiers_available: true,
        shared_subscription_available: true,
        request_problem_information: true,
    };

    /// What the properties of a CONNECT or CONNACK say.
    pub(super) fn from_properties(properties: &Properties<'_>) -> Self {
        let default = Self::DEFAULT;
        if properties.is_empty() {
            return default;
        }
        Self {
            receive_maximum: properties
                .receive_maximum()
                .unwrap_or(default.receive_maximum),
            maximum_packet_size: properties
                .maximum_packet_size()
                .unwrap_or(default.maximum_packet_size),
            topic_alias_maximum: properties
                .topic_alias_maximum()
                .unwrap_or(default.topic_alias_maximum),
            maximum_qos: properties.maximum_qos().unwrap_or(default.maximum_qos),
            retain_available: properties.retain_available().unwrap_or(true),
            wildcard_subscription_available: properties
                .wildcard_subscription_available()
                .unwrap_or(true),
            subscription_identifiers_available: properties
                .subscription_identifiers_available()
                .unwrap_or(true),
            shared_subscription_available: properties
                .shared_subscription_available()
                .unwrap_or(true),
            request_problem_information: properties.request_problem_information().unwrap_or(true),
        }
    }
}
