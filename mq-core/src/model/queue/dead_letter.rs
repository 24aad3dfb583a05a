//! Dead lettering: what a queue gives up goes to an exchange, with its story.
//!
//! The header `x-death` is an array of tables, one for each pair of queue and
//! reason, the latest first, as RabbitMQ writes it.

use alloc::vec::Vec;
use core::time::Duration;

use super::arguments::DeadLetterTarget;
use crate::model::message::{Headers, Message, Value};

/// Why a queue gave up a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
    /// It cannot be said in the consumer's protocol. Nobody has chosen that, so
    /// unlike a rejected one it does not come round again.
    Undeliverable,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rejected | Self::Undeliverable => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// The message that goes to the dead-letter exchange.
pub(crate) fn letter(
    message: &Message,
    queue: &str,
    reason: Reason,
    target: &DeadLetterTarget,
    now: Duration,
) -> Message {
    let mut letter = message.clone().into_edited();
    letter.published = now;
    let expiration = letter.properties.expiration.take();
    let headers = &mut letter.properties.headers;
    record(headers, message, queue, reason, expiration, now);
    letter.exchange = target.exchange.clone();
    if let Some(routing_key) = &target.routing_key {
        letter.routing_key = routing_key.clone();
        headers.remove("CC");
        headers.remove("BCC");
    }
    letter
}

fn record(
    headers: &mut Headers,
    message: &Message,
    queue: &str,
    reason: Reason,
    expiration: Option<Duration>,
    now: Duration,
) {
    let mut deaths = match headers.remove("x-death") {
        Some(Value::Array(deaths)) => deaths,
        _ => Vec::new(),
    };
    let earlier = deaths
        .iter()
        .position(|d| text(d, "queue") == Some(queue) && text(d, "reason") == Some(reason.name()));
    let death = match earlier {
        Some(at) => {
            let mut death = deaths.remove(at);
            if let Value::Table(table) = &mut death {
                let count = table.get("count").and_then(Value::as_int).unwrap_or(0);
                table.set("count", Value::long(count.saturating_add(1)));
            }
            death
        }
        None => {
            let mut death = Headers::default();
            death.push("count", Value::long(1));
            death.push("reason", Value::string(reason.name()));
            death.push("queue", Value::string(queue));
            death.push("time", Value::Timestamp(now.as_secs()));
            death.push("exchange", Value::string(&message.exchange));
            // Those of BCC stay secret.
            let keys = core::iter::once(&*message.routing_key).chain(message.copies("CC"));
            death.push(
                "routing-keys",
                Value::Array(keys.map(Value::string).collect()),
            );
            if let Some(expiration) = expiration {
                let text = alloc::format!("{}", expiration.as_millis());
                death.push("original-expiration", Value::string(&text));
            }
            Value::Table(death)
        }
    };
    deaths.insert(0, death);
    if headers.get("x-first-death-reason").is_none() {
        headers.push("x-first-death-reason", Value::string(reason.name()));
        headers.push("x-first-death-queue", Value::string(queue));
        headers.push("x-first-death-exchange", Value::string(&message.exchange));
    }
    headers.push("x-death", Value::Array(deaths));
}

/// Whether the letter has been in `queue` before and would go round for ever: no
/// consumer has rejected it on its way, nor now.
pub(crate) fn is_cycle(headers: &Headers, queue: &str, reason: Reason) -> bool {
    if reason == Reason::Rejected {
        return false;
    }
    let Some(Value::Array(deaths)) = headers.get("x-death") else {
        return false;
    };
    let Some(at) = deaths.iter().position(|d| text(d, "queue") == Some(queue)) else {
        return false;
    };
    reason == Reason::Undeliverable
        || deaths[..=at]
            .iter()
            .all(|d| text(d, "reason") != Some(Reason::Rejected.name()))
}

fn text<'a>(death: &'a Value, name: &str) -> Option<&'a str> {
    match death {
        Value::Table(table) => table.get(name).and_then(Value::as_str),
        _ => None,
    }
}
