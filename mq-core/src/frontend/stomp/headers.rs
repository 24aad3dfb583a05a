//! STOMP headers and the properties of a message: the names that RabbitMQ
//! gives the properties, and all others as headers of the application.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use stomp_codec::Frame;

use crate::config::Config;
use crate::dialect::StompDialect;
use crate::model::message::{Headers, Integer, Message, PERSISTENT, Properties, Qos, Text, Value};
use crate::model::queue::MAKE_DEAD_LETTER_QUEUE;

/// The value of a header that is true or false. Python's clients write `True` and
/// `False`, which RabbitMQ accepts.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value {
        "true" | "True" => Some(true),
        "false" | "False" => Some(false),
        _ => None,
    }
}

/// What the headers of a frame say about the queue that it names first, as RabbitMQ
/// reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueShape {
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
}

impl QueueShape {
    /// Of a queue: one that is not durable goes with its client, unless it is said
    /// otherwise.
    pub(super) fn of_queue(frame: &Frame<'_>) -> Self {
        let durable = flag(frame, "durable").unwrap_or(true);
        Self {
            durable,
            exclusive: flag(frame, "exclusive").unwrap_or(!durable),
            auto_delete: flag(frame, "auto-delete").unwrap_or(!durable),
        }
    }

    /// Of a subscription to an exchange: it is durable if it is said so.
    pub(super) fn of_subscription(frame: &Frame<'_>) -> Self {
        let durable = flag(frame, "durable").or_else(|| flag(frame, "persistent"));
        Self {
            durable: durable.unwrap_or(false),
            exclusive: flag(frame, "exclusive").unwrap_or(false),
            auto_delete: flag(frame, "auto-delete").unwrap_or(true),
        }
    }
}

pub(super) fn flag(frame: &Frame<'_>, name: &str) -> Option<bool> {
    boolean(&frame.header(name)?)
}

/// Takes one header of a SEND into the properties; false if it is none of them.
fn take(properties: &mut Properties, name: &str, value: &str) -> bool {
    let text = || Some(Text::from(value));
    match name {
        "content-type" => properties.content_type = text(),
        "content-encoding" => properties.content_encoding = text(),
        "reply-to" => properties.reply_to = text(),
        "amqp-message-id" => properties.message_id = text(),
        "type" => properties.kind = text(),
        "user-id" => properties.user_id = text(),
        "app-id" => properties.app_id = text(),
        "cluster-id" => properties.cluster_id = text(),
        "correlation-id" => {
            properties.correlation_id = Some(Bytes::copy_from_slice(value.as_bytes()));
        }
        "persistent" => match boolean(value) {
            Some(true) => {
                properties.delivery_mode = Some(PERSISTENT);
            }
            Some(false) => {}
            None => return false,
        },
        "priority" => match value.parse() {
            Ok(priority) => properties.priority = Some(priority),
            Err(_) => return false,
        },
        "timestamp" => match value.parse() {
            Ok(timestamp) => properties.timestamp = Some(timestamp),
            Err(_) => return false,
        },
        "expiration" => match value.parse() {
            Ok(millis) => properties.expiration = Some(Duration::from_millis(millis)),
            Err(_) => return false,
        },
        _ => return false,
    }
    true
}

/// The same in ActiveMQ's words (`FrameTranslator`, `LegacyFrameTranslator`). The JMS names
/// say the same as the short ones.
fn take_jms(properties: &mut Properties, name: &str, value: &str, now: Duration) -> bool {
    match name {
        // The broker makes its own, and these are nobody else's to say.
        "message-id" | "redelivered" | "subscription" | "JMSXUserID" | "JMSRedelivered"
        | "JMSMessageID" => true,
        "expires" | "JMSExpiration" => {
            if let Ok(at @ 1..) = value.parse::<u64>() {
                let left = Duration::from_millis(at).saturating_sub(now);
                properties.expiration = Some(left);
            }
            true
        }
        "timestamp" | "JMSTimestamp" => match value.parse::<u64>() {
            Ok(millis) => {
                properties.timestamp = Some(millis / 1000);
                true
            }
            Err(_) => false,
        },
        "priority" | "JMSPriority" => match value.parse::<u8>() {
            Ok(priority) => {
                properties.priority = Some(priority.min(HIGHEST));
                true
            }
            Err(_) => false,
        },
        "JMSDeliveryMode" => {
            if value.eq_ignore_ascii_case("persistent") || value == "2" {
                properties.delivery_mode = Some(PERSISTENT);
            }
            true
        }
        "JMSCorrelationID" => take(properties, "correlation-id", value),
        "JMSType" => take(properties, "type", value),
        "JMSReplyTo" => take(properties, "reply-to", value),
        name => take(properties, name, value),
    }
}

/// The highest priority of JMS, and the one of a message that says none.
const HIGHEST: u8 = 9;
const ORDINARY: u8 = 4;

/// The properties that the headers of a SEND say. Of a repeated header the
/// first counts (STOMP 1.2, "Repeated Header Entries").
pub(super) fn properties<'a>(
    headers: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    dialect: StompDialect,
    now: Duration,
) -> Properties {
    let mut properties = Properties {
        qos: Qos::AtLeastOnce,
        ..Properties::default()
    };
    let mut seen: BTreeSet<Cow<'a, str>> = BTreeSet::new();
    for (name, value) in headers {
        if seen.contains(&name) {
            continue;
        }
        let taken = match dialect {
            StompDialect::RabbitMq => take(&mut properties, &name, &value),
            StompDialect::ActiveMq => take_jms(&mut properties, &name, &value, now),
        };
        if !taken {
            properties.headers.push(&name, Value::string(&value));
        }
        seen.insert(name);
    }
    properties
}

/// Headers of a MESSAGE that the broker alone writes: what a publisher says under these
/// names stays behind.
const VOUCHED_FOR: &[&str] = &["redelivered", "user-id"];

/// The headers of a MESSAGE, without those that the protocol itself gives it.
pub(super) fn of(
    message: &Message,
    redelivered: bool,
    dialect: StompDialect,
) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let p = &message.properties;
    let mut headers: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    let texts = [
        ("content-type", &p.content_type),
        ("content-encoding", &p.content_encoding),
        ("amqp-message-id", &p.message_id),
        ("type", &p.kind),
        ("user-id", &p.user_id),
        ("app-id", &p.app_id),
        ("cluster-id", &p.cluster_id),
    ];
    for (name, value) in texts {
        if let Some(value) = value.as_ref().and_then(Text::as_str) {
            headers.push((name.into(), Cow::Borrowed(value)));
        }
    }
    if let Some(reply_to) = p.reply_to.as_ref().and_then(Text::as_str) {
        // A name that is no destination is that of a queue, as in AMQP.
        let destination = if reply_to.starts_with('/') {
            Cow::Borrowed(reply_to)
        } else {
            Cow::Owned(alloc::format!("/reply-queue/{reply_to}"))
        };
        headers.push(("reply-to".into(), destination));
    }
    if let Some(id) = p
        .correlation_id
        .as_ref()
        .and_then(|id| core::str::from_utf8(id).ok())
    {
        headers.push(("correlation-id".into(), id.into()));
    }
    if dialect == StompDialect::ActiveMq {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let sent = p.timestamp.map(|seconds| seconds.saturating_mul(1000));
        for (name, number) in [
            ("expires", message.expiry().map_or(0, millis)),
            (
                "timestamp",
                sent.unwrap_or_else(|| millis(message.published)),
            ),
            ("priority", p.priority.unwrap_or(ORDINARY).into()),
        ] {
            headers.push((name.into(), number.to_string().into()));
        }
    }
    let numbers = [
        ("priority", p.priority.map(u64::from)),
        ("timestamp", p.timestamp),
        (
            "expiration",
            p.expiration
                .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
        ),
    ];
    for (name, number) in numbers {
        if let Some(number) = number.filter(|_| dialect == StompDialect::RabbitMq) {
            headers.push((name.into(), number.to_string().into()));
        }
    }
    if p.delivery_mode == Some(PERSISTENT) {
        headers.push(("persistent".into(), "true".into()));
    }
    if redelivered {
        headers.push(("redelivered".into(), "true".into()));
    }
    for (name, value) in &p.headers.0 {
        let Some(name) = name.as_str().filter(|name| !VOUCHED_FOR.contains(name)) else {
            continue;
        };
        if let Some(value) = value.as_text() {
            headers.push((Cow::Borrowed(name), value));
        }
    }
    headers
}

/// The headers of SUBSCRIBE or SEND that are arguments of the queue, and what
/// kind of value each has.
const QUEUE_ARGUMENTS: &[(&str, bool)] = &[
    ("x-dead-letter-exchange", false),
    ("x-dead-letter-routing-key", false),
    ("x-queue-type", false),
    ("x-overflow", false),
    ("x-message-ttl", true),
    ("x-expires", true),
    ("x-max-length", true),
    ("x-max-length-bytes", true),
    ("x-max-priority", true),
    ("x-maximum-redeliveries", true),
    ("x-redelivery-delay", true),
    ("x-redelivery-multiplier", true),
    ("x-maximum-redelivery-delay", true),
];

/// The headers of SUBSCRIBE or SEND that shape the queue.
const QUEUE_SHAPE: &[&str] = &["durable", "exclusive", "auto-delete"];

/// Whether a header may say something of the queue that a SEND names first.
pub(super) fn is_of_queue(name: &Text) -> bool {
    name.starts_with(b"x-") || QUEUE_SHAPE.iter().any(|shape| name == *shape)
}

/// The queue of what ActiveMQ's queues give up, and what begins the names of those that are for
/// one queue each.
const DEAD_LETTERS: &str = "ActiveMQ.DLQ";
const OF_QUEUE: &str = "ActiveMQ.DLQ.Queue.";

/// How often a message is delivered again (ActiveMQ: `maximumRedeliveries`).
const REDELIVERIES: i64 = 6;

/// The arguments of a queue that a frame names first. In ActiveMQ's words it gives up to
/// [`DEAD_LETTERS`], or to a queue of its own, what a frame does not send elsewhere.
pub(super) fn arguments_of_queue(frame: &Frame<'_>, queue: &str, config: &Config) -> Headers {
    let mut arguments = queue_arguments(|name| frame.header(name));
    let says = |name: &str| frame.header(name).is_some();
    if config.stomp_dialect == StompDialect::ActiveMq
        && queue != DEAD_LETTERS
        && !queue.starts_with(OF_QUEUE)
        && !says("x-dead-letter-exchange")
        && !says("x-dead-letter-routing-key")
    {
        arguments.push("x-dead-letter-exchange", Value::string(""));
        let letters = match config.individual_dead_letters {
            true => Cow::Owned(alloc::format!("{OF_QUEUE}{queue}")),
            false => Cow::Borrowed(DEAD_LETTERS),
        };
        arguments.push("x-dead-letter-routing-key", Value::string(&letters));
        arguments.push(MAKE_DEAD_LETTER_QUEUE, Value::Bool(true));
        if !says("x-maximum-redeliveries") {
            arguments.push("x-maximum-redeliveries", Value::long(REDELIVERIES));
        }
    }
    arguments
}

/// The arguments of a queue that a frame's headers ask for.
pub(super) fn queue_arguments<'a>(
    header: impl Fn(&'static str) -> Option<Cow<'a, str>>,
) -> Headers {
    let mut arguments = Headers::default();
    for (name, is_number) in QUEUE_ARGUMENTS {
        let Some(value) = header(name) else { continue };
        let value = match (is_number, value.parse()) {
            (true, Ok(number)) => Value::Int(Integer::I64, number),
            // What is no number is refused where the queue is declared.
            _ => Value::string(&value),
        };
        arguments.push(name, value);
    }
    arguments
}
