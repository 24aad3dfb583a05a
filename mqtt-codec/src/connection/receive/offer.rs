//! What a client asks for is what the server offers, and said so in CONNACK.

use crate::connection::ServerConfig;
use crate::topic::{TopicFilter, has_wildcard};
use crate::{PropertyIdentifier, ProtocolVersion, Publish, Rule, Subscribe};

/// What only a client's PUBLISH has to keep to.
pub(super) fn check_publish(publish: &Publish<'_>, config: &ServerConfig) -> Result<(), Rule> {
    if publish.qos > config.maximum_qos {
        return Err(Rule::QoSNotSupported);
    }
    if publish.retain && !config.retain_available {
        return Err(Rule::RetainNotSupported);
    }
    if publish
        .properties
        .contains(PropertyIdentifier::SubscriptionIdentifier)
    {
        return Err(Rule::SubscriptionIdentifierFromClient);
    }
    Ok(())
}

/// That a SUBSCRIBE asks for what the server offers (sections 3.2.2.3.11 to 3.2.2.3.13).
// keeps: 5.0 MQTT-3.2.2-10
pub(super) fn check_subscribe(
    subscribe: &Subscribe<'_>,
    config: &ServerConfig,
    version: ProtocolVersion,
) -> Result<(), Rule> {
    if !config.subscription_identifiers_available
        && subscribe
            .properties
            .contains(PropertyIdentifier::SubscriptionIdentifier)
    {
        return Err(Rule::SubscriptionIdentifiersNotSupported);
    }
    if config.wildcard_subscription_available && config.shared_subscription_available {
        return Ok(());
    }
    // 3.x cannot be told in CONNACK: SUBACK is the embedder's to refuse with.
    if !version.has_properties() {
        return Ok(());
    }
    for subscription in subscribe.subscriptions.iter() {
        let filter = TopicFilter::parse(subscription.topic_filter, version)?;
        if !config.shared_subscription_available && filter.share_name().is_some() {
            return Err(Rule::SharedSubscriptionsNotSupported);
        }
        if !config.wildcard_subscription_available && has_wildcard(filter.filter()) {
            return Err(Rule::WildcardSubscriptionsNotSupported);
        }
    }
    Ok(())
}
