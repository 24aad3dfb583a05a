//! MQTT messages and the neutral message.

use bytes::Bytes;
use core::time::Duration;
use mqtt_codec::connection::{Message as Outbound, Payload};
use mqtt_codec::{Properties as Wire, PropertiesBuilder, Property, QoS};

use crate::frontend::last_name::LastTopic;
use crate::model::message::{
    Headers, Message, Origin, PERSISTENT, Properties, Qos, Text, Value, swap_separators,
};
use crate::model::meter::Counted;
use crate::model::schedule::DELAY;
use crate::model::session::Pending;

/// How a response topic is said to the other protocols: as STOMP's destination
/// for a topic.
const TOPIC: &str = "/topic/";
/// The same through the exchange by name.
const THROUGH_EXCHANGE: &str = "/exchange/amq.topic/";

pub(super) fn qos(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

pub(super) fn wire_qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

/// What a PUBLISH or a will says.
pub(super) struct Inbound<'a> {
    pub(super) topic: LastTopic,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) properties: Wire<'a>,
}

/// The neutral message.
pub(super) fn message(inbound: Inbound<'_>, body: Bytes, now: Duration) -> Message {
    let p = inbound.properties;
    let mut headers = Headers::default();
    for (name, value) in p.user_properties() {
        headers.push(name, Value::string(value));
    }
    let quality = qos(inbound.qos);
    let LastTopic {
        topic,
        exchange,
        routing_key,
    } = inbound.topic;
    Message {
        exchange,
        routing_key,
        properties: Properties {
            content_type: p.content_type().map(Text::from),
            correlation_id: p.correlation_data().map(Bytes::copy_from_slice),
            reply_to: p
                .response_topic()
                .map(|topic| Text::from(&alloc::format!("{TOPIC}{}", swap_separators(topic)))),
            expiration: p
                .message_expiry_interval()
                .map(|seconds| Duration::from_secs(seconds.into())),
            payload_is_utf8: p.payload_format_indicator(),
            qos: quality,
            delivery_mode: (quality > Qos::AtMostOnce).then_some(PERSISTENT),
            headers,
            ..Properties::default()
        },
        body: body.into(),
        published: now,
        counted: Counted::default(),
        origin: Origin::Mqtt {
            topic,
            retain: inbound.retain,
        },
    }
}

/// The message is published so many seconds later.
pub(super) fn delay(message: &mut Message, seconds: u32) {
    let millis = i64::from(seconds) * 1000;
    let headers = &mut message.properties.headers;
    headers.set(DELAY, Value::long(millis));
}

/// Has `send` take the message as it goes out to one session.
pub(super) fn outbound<R>(
    pending: &Pending,
    properties: bool,
    now: Duration,
    send: impl FnOnce(&Outbound<'_>) -> R,
) -> R {
    let message = &pending.message;
    let other_name;
    let topic_name = match &message.origin {
        Origin::Mqtt { topic, .. } => &**topic,
        _ => {
            other_name = swap_separators(&message.routing_key);
            &*other_name
        }
    };
    let properties = match properties {
        true => wire(pending, now),
        false => PropertiesBuilder::new(),
    };
    let joined;
    let body = match message.body.whole() {
        Some(whole) => whole,
        // The model puts together what it hands to sessions.
        None => {
            joined = message.body.to_bytes();
            &joined
        }
    };
    send(&Outbound {
        topic_name,
        payload: Payload::Shared(body),
        qos: wire_qos(pending.qos),
        retain: pending.retain,
        properties: properties.as_properties(),
    })
}

fn wire(pending: &Pending, now: Duration) -> PropertiesBuilder {
    let p = &pending.message.properties;
    let mut builder = PropertiesBuilder::new();
    // What MQTT cannot say (a text with U+0000, one that is too long or no UTF-8) it
    // leaves out.
    let mut add = |property: Property<'_>| {
        let _ = builder.push(property);
    };
    if let Some(is_utf8) = p.payload_is_utf8 {
        add(Property::PayloadFormatIndicator(is_utf8));
    }
    if let Some(ttl) = p.expiration {
        let waited = now.saturating_sub(pending.message.published);
        let left = ttl.saturating_sub(waited);
        // Whole seconds, and not less than there is left.
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        add(Property::MessageExpiryInterval(seconds));
    }
    if let Some(content_type) = p.content_type.as_ref().and_then(Text::as_str) {
        add(Property::ContentType(content_type));
    }
    let reply_to = p.reply_to.as_ref().and_then(Text::as_str);
    if let Some(topic) = reply_to.and_then(response_topic) {
        add(Property::ResponseTopic(&topic));
    }
    if let Some(correlation_data) = &p.correlation_id {
        add(Property::CorrelationData(correlation_data));
    }
    for identifier in &pending.identifiers {
        add(Property::SubscriptionIdentifier(*identifier));
    }
    for (name, value) in &p.headers.0 {
        if let (Some(name), Some(value)) = (name.as_str(), value.as_text()) {
            add(Property::UserProperty(name, &value));
        }
    }
    builder
}

/// The topic that a reply-to means, if it means one.
fn response_topic(reply_to: &str) -> Option<alloc::string::String> {
    let key = reply_to
        .strip_prefix(TOPIC)
        .or_else(|| reply_to.strip_prefix(THROUGH_EXCHANGE))?;
    let fine = !key.is_empty() && !key.contains(['+', '#']);
    fine.then(|| swap_separators(key))
}
