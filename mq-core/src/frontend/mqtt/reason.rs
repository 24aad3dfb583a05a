//! Why something is refused, in words for people: the Reason String of MQTT 5.0. The codec leaves
//! it out where the version or the client has no place for it (sections 3.1.2.11.7 and
//! 3.1.2.11.4).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use mqtt_codec::{PropertiesBuilder, Property, ReasonCode};

use super::properties;
use crate::model::message::Qos;
use crate::model::session::SubscribeRefusal;

/// Properties that say why.
pub(super) fn because(why: &str) -> PropertiesBuilder {
    let mut properties = PropertiesBuilder::new();
    // A text that cannot be said is left out.
    let _ = properties.push(Property::ReasonString(why));
    properties
}

/// What a PUBLISH is refused for.
pub(super) fn of_publish(reason: ReasonCode) -> Option<&'static str> {
    Some(match reason {
        ReasonCode::NotAuthorized => "the topic is not for this user",
        ReasonCode::QuotaExceeded => "there is no room for the message",
        ReasonCode::TopicNameInvalid => "by the rules of the server it has no topic name",
        _ => return None,
    })
}

/// The reason code of one filter of a SUBSCRIBE, and what it is refused for.
fn of_filter(refusal: SubscribeRefusal) -> (ReasonCode, &'static str) {
    match refusal {
        SubscribeRefusal::TooMany => (
            ReasonCode::QuotaExceeded,
            "the session has as many subscriptions as it may have",
        ),
        SubscribeRefusal::NotAuthorized => {
            (ReasonCode::NotAuthorized, "the filter is not for this user")
        }
        SubscribeRefusal::NotAvailable => (
            ReasonCode::WildcardSubscriptionsNotSupported,
            "wildcards are not available",
        ),
        SubscribeRefusal::NoFilter => (
            ReasonCode::TopicFilterInvalid,
            "by the rules of the server it is no topic filter",
        ),
    }
}

/// Filters of one SUBACK that are explained.
const EXPLAINED: usize = 16;

/// The reason codes of SUBACK, and why filters are refused. Where there are several, their
/// numbers, from 1, say which.
pub(super) fn of_subscribe(
    results: Vec<Result<Qos, SubscribeRefusal>>,
) -> (Vec<ReasonCode>, PropertiesBuilder) {
    let count = results.len();
    let mut why = Vec::new();
    let mut codes = Vec::with_capacity(count);
    for (result, number) in results.into_iter().zip(1..) {
        codes.push(match result {
            Ok(qos) => ReasonCode::granted(properties::wire_qos(qos)),
            Err(refusal) => {
                let (code, text) = of_filter(refusal);
                if count == 1 {
                    why.push(String::from(text));
                } else if why.len() < EXPLAINED {
                    why.push(format!("filter {number}: {text}"));
                }
                code
            }
        });
    }
    let properties = match why.is_empty() {
        true => PropertiesBuilder::new(),
        false => because(&why.join("; ")),
    };
    (codes, properties)
}
