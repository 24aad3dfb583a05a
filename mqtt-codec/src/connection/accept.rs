//! What a server offers, and the CONNACK that says so (section 3.2).

use core::time::Duration;

use super::authentication::Method;
use super::{SendError, TopicAliasPolicy};
use crate::{Limits, Properties, PropertiesBuilder, Property, QoS};

/// What a server offers to every client. What differs from the protocol's default is
/// announced in the CONNACK of 5.0; what a client then breaks ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What is decoded. The largest packet is announced as Maximum Packet Size.
    pub limits: Limits,
    /// How long a client may take until CONNECT, and for each AUTH before CONNACK.
    /// Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How many QoS 1 and QoS 2 messages a client may have under way. Not 0. 3.x cannot
    /// be told, and is not held to it. Default: 65,535.
    pub receive_maximum: u16,
    /// The highest topic alias that a client may use. Default: 0, none.
    pub topic_alias_maximum: u16,
    /// The highest QoS that a client may publish with. Default: 2.
    pub maximum_qos: QoS,
    /// Whether messages may be retained. Default: yes.
    pub retain_available: bool,
    /// Whether subscriptions may have wildcards. Default: yes.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers. Default: yes.
    pub subscription_identifiers_available: bool,
    /// Whether subscriptions may be shared. Default: yes.
    pub shared_subscription_available: bool,
    /// Which topic names get a topic alias when they are sent. Default: none.
    pub topic_alias_policy: TopicAliasPolicy,
    /// The most topic names to have an alias at a time, whatever the client's Topic Alias
    /// Maximum: each is kept, and may have 65,535 bytes. Default: 16.
    pub outbound_topic_alias_maximum: u16,
    /// The most QoS 1 and QoS 2 messages to have under way to a client, whatever its
    /// Receive Maximum; 0 counts as 1 (MQTT-4.9.0-1). A client of 3.x cannot tell one, and
    /// most of 5.0 do not: what is under way is held here until they acknowledge it, and is
    /// sent again on the next connection. Default: 20.
    pub maximum_in_flight: u16,
}

impl ServerConfig {
    /// The configuration of [`Default`], as a constant.
    pub const DEFAULT: Self = Self {
        limits: Limits::DEFAULT,
        connect_timeout: Duration::from_secs(10),
        receive_maximum: u16::MAX,
        topic_alias_maximum: 0,
        maximum_qos: QoS::ExactlyOnce,
        retain_available: true,
        wildcard_subscription_available: true,
        subscription_identifiers_available: true,
        shared_subscription_available: true,
        topic_alias_policy: TopicAliasPolicy::Never,
        outbound_topic_alias_maximum: 16,
        maximum_in_flight: 20,
    };
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a server tells one client when it accepts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept<'a> {
    /// Whether the session goes on that the server had of this client (section
    /// 3.2.2.1.1). 3.1 is not told.
    pub session_present: bool,
    /// The client identifier that the server chose, when CONNECT had none. 5.0 only.
    pub assigned_client_identifier: Option<&'a str>,
    /// Seconds that the session outlives the connection, when it is not what the client
    /// asked for. 5.0 only.
    pub session_expiry_interval: Option<u32>,
    /// The keep alive in seconds, when it is not what the client asked for. 5.0 only.
    pub server_keep_alive: Option<u16>,
    /// Anything else: reason string, user properties, response information, server
    /// reference, authentication data. 5.0 only.
    pub properties: Properties<'a>,
}

impl Accept<'_> {
    /// The properties of the CONNACK, of which the last are those of `self.properties`.
    // keeps: 5.0 MQTT-3.2.2-9
    pub(super) fn connack_properties(
        &self,
        config: &ServerConfig,
        method: &Method,
    ) -> Result<PropertiesBuilder, SendError> {
        let default = ServerConfig::DEFAULT;
        let mut builder = PropertiesBuilder::new();
        let announced = [
            self.session_expiry_interval
                .map(Property::SessionExpiryInterval),
            (config.receive_maximum != default.receive_maximum)
                .then_some(Property::ReceiveMaximum(config.receive_maximum)),
            (config.maximum_qos != default.maximum_qos)
                .then_some(Property::MaximumQoS(config.maximum_qos)),
            (!config.retain_available).then_some(Property::RetainAvailable(false)),
            Some(Property::MaximumPacketSize(
                config.limits.maximum_packet_size,
            )),
            self.assigned_client_identifier
                .map(Property::AssignedClientIdentifier),
            (config.topic_alias_maximum != default.topic_alias_maximum)
                .then_some(Property::TopicAliasMaximum(config.topic_alias_maximum)),
            (!config.wildcard_subscription_available)
                .then_some(Property::WildcardSubscriptionAvailable(false)),
            (!config.subscription_identifiers_available)
                .then_some(Property::SubscriptionIdentifiersAvailable(false)),
            (!config.shared_subscription_available)
                .then_some(Property::SharedSubscriptionAvailable(false)),
            self.server_keep_alive.map(Property::ServerKeepAlive),
        ];
        builder.extend(announced.into_iter().flatten())?;
        method.add_to(&mut builder, self.properties)?;
        Ok(builder)
    }
}
