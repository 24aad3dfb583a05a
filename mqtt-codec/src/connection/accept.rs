//! The CONNACK that accepts a client (section 3.2).

use super::authentication::Method;
use super::{SendError, ServerConfig};
use crate::setters::setters;
use crate::{Properties, PropertiesBuilder, Property};

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

setters! { Accept<'a> {
    with_session_present(session_present: bool);
    with_assigned_client_identifier(assigned_client_identifier: &'a str) = Some(assigned_client_identifier);
    /// In seconds.
    with_session_expiry_interval(session_expiry_interval: u32) = Some(session_expiry_interval);
    /// In seconds.
    with_server_keep_alive(server_keep_alive: u16) = Some(server_keep_alive);
    with_properties(properties: Properties<'a>);
} }

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
