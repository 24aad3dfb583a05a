//! The arguments of `queue.declare`, checked as RabbitMQ checks them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Deref;
use core::time::Duration;

use super::redelivery::{self, Redelivery};
use crate::model::message::{Headers, Name, Value};
use crate::model::refusal::Refusal;
use crate::model::selector::Selector;
use crate::policy::ApplyTo;
pub(crate) use crate::policy::LONGEST_MILLIS;

/// The argument of a queue, or of a consumer, with a selector.
pub(crate) const SELECTOR: &str = "x-selector";

/// The argument of a queue, or of a consumer, that says how long a delivery may be out unacknowledged.
pub(crate) const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";

/// The argument of a queue that gives up to another queue, which is made when it is not there.
pub(crate) const MAKE_DEAD_LETTER_QUEUE: &str = "x-dead-letter-make-queue";

/// What happens to a message for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Overflow {
    #[default]
    DropHead,
    RejectPublish,
    RejectPublishDeadLetter,
}

/// Where messages go that the queue gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLetterTarget {
    pub(crate) exchange: Name,
    /// In place of the message's own routing keys.
    pub(crate) routing_key: Option<Name>,
    /// The key names a queue, which is made when it is not there.
    pub(crate) makes: bool,
}

/// The arguments that have a meaning, read and checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QueueArguments {
    pub(crate) message_ttl: Option<Duration>,
    pub(crate) expires: Option<Duration>,
    pub(crate) max_length: Option<usize>,
    pub(crate) max_length_bytes: Option<usize>,
    pub(crate) overflow: Overflow,
    pub(crate) max_priority: Option<u8>,
    pub(crate) dead_letter: Option<DeadLetterTarget>,
    pub(crate) single_active_consumer: bool,
    pub(crate) delivery_limit: Option<u32>,
    /// How long a delivery may be out unacknowledged.
    pub(crate) consumer_timeout: Option<Duration>,
    pub(crate) redelivery: Option<Redelivery>,
    /// The queue takes only messages of which it is true.
    pub(crate) selector: Option<Arc<Selector>>,
    /// A replicated kind has to be durable and shared. One node keeps it like any
    /// other queue.
    pub(crate) kind: QueueKind,
}

/// The arguments of a queue. Most queues have none, and those take no room.
#[derive(Debug)]
pub(crate) struct Arguments(Option<Box<QueueArguments>>);

impl From<QueueArguments> for Arguments {
    fn from(arguments: QueueArguments) -> Self {
        Self((arguments != *QueueArguments::NONE).then(|| Box::new(arguments)))
    }
}

impl Deref for Arguments {
    type Target = QueueArguments;

    fn deref(&self) -> &QueueArguments {
        self.0.as_deref().unwrap_or(QueueArguments::NONE)
    }
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Integer { from: i64, to: i64 },
    String(&'static [&'static str]),
    AnyString,
    Boolean,
}

const NOT_NEGATIVE: Rule = Rule::Integer {
    from: 0,
    to: i64::MAX,
};
const POSITIVE: Rule = Rule::Integer {
    from: 1,
    to: i64::MAX,
};

/// What `x-queue-type` says; classic is what a queue is without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum QueueKind {
    #[default]
    Classic,
    Quorum,
    Stream,
}

impl QueueKind {
    /// The policies that are for queues of this kind alone.
    pub(crate) fn policies(self) -> ApplyTo {
        match self {
            Self::Classic => ApplyTo::ClassicQueues,
            Self::Quorum => ApplyTo::QuorumQueues,
            Self::Stream => ApplyTo::Streams,
        }
    }
}

/// Every kind by its name on the wire, and the name of it in RabbitMQ's refusals.
const KINDS: &[(&str, QueueKind, &str)] = &[
    ("classic", QueueKind::Classic, "rabbit_classic_queue"),
    ("quorum", QueueKind::Quorum, "rabbit_quorum_queue"),
    ("stream", QueueKind::Stream, "rabbit_stream_queue"),
];

const CLASSIC: &[QueueKind] = &[QueueKind::Classic];
const QUORUM: &[QueueKind] = &[QueueKind::Quorum];
const STREAM: &[QueueKind] = &[QueueKind::Stream];
const NOT_STREAM: &[QueueKind] = &[QueueKind::Classic, QueueKind::Quorum];
const NOT_CLASSIC: &[QueueKind] = &[QueueKind::Quorum, QueueKind::Stream];
const ALL: &[QueueKind] = &[QueueKind::Classic, QueueKind::Quorum, QueueKind::Stream];

/// Every argument that is checked, and the kinds of queue that may have it, as
/// RabbitMQ 3.10 has them. These are also the ones in which a second declaration
/// has to agree with the first; others are ignored.
const RULES: &[(&str, Rule, &[QueueKind])] = &[
    (
        "x-message-ttl",
        Rule::Integer {
            from: 0,
            to: LONGEST_MILLIS,
        },
        NOT_STREAM,
    ),
    (
        "x-expires",
        Rule::Integer {
            from: 1,
            to: LONGEST_MILLIS,
        },
        NOT_STREAM,
    ),
    ("x-max-length", NOT_NEGATIVE, NOT_STREAM),
    ("x-max-length-bytes", NOT_NEGATIVE, ALL),
    (
        "x-overflow",
        Rule::String(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        NOT_STREAM,
    ),
    (
        "x-max-priority",
        Rule::Integer { from: 0, to: 255 },
        CLASSIC,
    ),
    ("x-dead-letter-exchange", Rule::AnyString, NOT_STREAM),
    ("x-dead-letter-routing-key", Rule::AnyString, NOT_STREAM),
    (
        "x-dead-letter-strategy",
        Rule::String(&["at-most-once", "at-least-once"]),
        QUORUM,
    ),
    ("x-single-active-consumer", Rule::Boolean, NOT_STREAM),
    // Of this broker alone.
    (SELECTOR, Rule::AnyString, NOT_STREAM),
    (redelivery::MOST, NOT_NEGATIVE, NOT_STREAM),
    (redelivery::DELAY, NOT_NEGATIVE, NOT_STREAM),
    (redelivery::MULTIPLIER, POSITIVE, NOT_STREAM),
    (redelivery::LONGEST, NOT_NEGATIVE, NOT_STREAM),
    (MAKE_DEAD_LETTER_QUEUE, Rule::Boolean, NOT_STREAM),
    (
        "x-queue-type",
        Rule::String(&["classic", "quorum", "stream"]),
        ALL,
    ),
    ("x-queue-mode", Rule::String(&["default", "lazy"]), CLASSIC),
    ("x-queue-version", Rule::Integer { from: 1, to: 2 }, CLASSIC),
    ("x-queue-master-locator", Rule::AnyString, CLASSIC),
    ("x-queue-leader-locator", Rule::AnyString, NOT_CLASSIC),
    (
        CONSUMER_TIMEOUT,
        Rule::Integer {
            from: 0,
            to: LONGEST_MILLIS,
        },
        NOT_STREAM,
    ),
    ("x-delivery-limit", NOT_NEGATIVE, QUORUM),
    ("x-quorum-initial-group-size", POSITIVE, QUORUM),
    ("x-max-in-memory-length", NOT_NEGATIVE, QUORUM),
    ("x-max-in-memory-bytes", NOT_NEGATIVE, QUORUM),
    ("x-max-age", Rule::AnyString, STREAM),
    ("x-stream-max-segment-size-bytes", NOT_NEGATIVE, STREAM),
];

impl Rule {
    fn allows(self, value: &Value) -> bool {
        match self {
            Self::Integer { from, to } => value.as_int().is_some_and(|n| (from..=to).contains(&n)),
            Self::String(choices) => value.as_str().is_some_and(|s| choices.contains(&s)),
            Self::AnyString => value.as_str().is_some(),
            Self::Boolean => matches!(value, Value::Bool(_)),
        }
    }
}

impl QueueArguments {
    /// Reads the arguments of a declaration of `queue` in `vhost`.
    pub(crate) fn parse(queue: &str, vhost: &str, arguments: &Headers) -> Result<Self, Refusal> {
        let invalid = |name: &str| {
            Refusal::precondition_failed(format_args!(
                "invalid arg '{name}' for queue '{queue}' in vhost '{vhost}'"
            ))
        };
        let named = arguments.get("x-queue-type").and_then(Value::as_str);
        let (_, kind, kind_name) = *KINDS
            .iter()
            .find(|(name, ..)| Some(*name) == named)
            .unwrap_or(&KINDS[0]);
        for (name, rule, kinds) in RULES {
            let Some(value) = arguments.get(name) else {
                continue;
            };
            if !kinds.contains(&kind) {
                return Err(Refusal::precondition_failed(format_args!(
                    "invalid arg '{name}' for queue '{queue}' in vhost '{vhost}' \
                     of queue type {kind_name}"
                )));
            }
            if !rule.allows(value) {
                return Err(invalid(name));
            }
        }
        let has = |name| arguments.get(name).is_some();
        if has("x-dead-letter-routing-key") && !has("x-dead-letter-exchange") {
            // A key for an exchange that is not given.
            return Err(invalid("x-dead-letter-routing-key"));
        }
        let selector = match arguments.get(SELECTOR).and_then(Value::as_str) {
            Some(text) => Selector::parse(text)?.map(Arc::new),
            None => None,
        };
        Ok(Self {
            selector,
            kind,
            ..Self::read(kind, arguments)
        })
    }

    /// The same queue with other arguments, which need no check.
    pub(crate) fn with(&self, arguments: &Headers) -> Self {
        Self {
            selector: self.selector.clone(),
            ..Self::read(self.kind, arguments)
        }
    }

    /// Those of a queue without any.
    const NONE: &Self = &Self {
        message_ttl: None,
        expires: None,
        max_length: None,
        max_length_bytes: None,
        overflow: Overflow::DropHead,
        max_priority: None,
        dead_letter: None,
        single_active_consumer: false,
        delivery_limit: None,
        consumer_timeout: None,
        redelivery: None,
        selector: None,
        kind: QueueKind::Classic,
    };

    fn read(kind: QueueKind, arguments: &Headers) -> Self {
        let int = |name| arguments.get(name).and_then(Value::as_int);
        let text = |name| arguments.get(name).and_then(Value::as_str);
        let millis =
            |name| int(name).map(|n| Duration::from_millis(u64::try_from(n).unwrap_or_default()));
        let size = |name| int(name).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let dead_letter = text("x-dead-letter-exchange").map(|exchange| DeadLetterTarget {
            exchange: Name::from(exchange),
            routing_key: text("x-dead-letter-routing-key").map(Name::from),
            makes: exchange.is_empty()
                && matches!(
                    arguments.get(MAKE_DEAD_LETTER_QUEUE),
                    Some(Value::Bool(true))
                ),
        });
        Self {
            message_ttl: millis("x-message-ttl"),
            expires: millis("x-expires"),
            max_length: size("x-max-length"),
            max_length_bytes: size("x-max-length-bytes"),
            overflow: match text("x-overflow") {
                Some("reject-publish") => Overflow::RejectPublish,
                // A quorum queue cannot, and drops its head then.
                Some("reject-publish-dlx") if kind == QueueKind::Classic => {
                    Overflow::RejectPublishDeadLetter
                }
                _ => Overflow::DropHead,
            },
            max_priority: int("x-max-priority")
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| *n > 0),
            dead_letter,
            single_active_consumer: matches!(
                arguments.get("x-single-active-consumer"),
                Some(Value::Bool(true))
            ),
            // A negative one is no limit.
            delivery_limit: int("x-delivery-limit")
                .filter(|n| *n >= 0)
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            consumer_timeout: millis(CONSUMER_TIMEOUT),
            redelivery: Redelivery::parse(arguments),
            selector: None,
            kind,
        }
    }
}

/// Whether queues of a kind have an argument of that name.
pub(crate) fn takes_argument(kind: QueueKind, argument: &str) -> bool {
    RULES
        .iter()
        .any(|(name, _, kinds)| *name == argument && kinds.contains(&kind))
}

/// The first argument in which two declarations do not agree, with what the first
/// and the second say.
pub(crate) fn inequivalent<'h>(
    first: &'h Headers,
    second: &'h Headers,
) -> Option<(&'static str, Option<&'h Value>, Option<&'h Value>)> {
    RULES
        .iter()
        .map(|(name, ..)| (*name, first.get(name), second.get(name)))
        .find(|(name, first, second)| match (first, second) {
            (None, None) => false,
            (Some(a), Some(b)) => !a.same(b),
            // Classic is what a queue is without the argument.
            (Some(v), None) | (None, Some(v)) => {
                !(*name == "x-queue-type" && v.as_str() == Some("classic"))
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Values that RabbitMQ 3.10 takes and refuses.
    #[test]
    fn checks() {
        let long = Value::long;
        let string = Value::string;
        let cases: Vec<(&str, Value, bool)> = Vec::from([
            ("x-message-ttl", long(0), true),
            ("x-message-ttl", long(-1), false),
            ("x-message-ttl", string("1"), false),
            ("x-expires", long(1), true),
            ("x-expires", long(0), false),
            ("x-max-length", long(0), true),
            ("x-max-length", long(-1), false),
            ("x-overflow", string("reject-publish"), true),
            ("x-overflow", string("nope"), false),
            ("x-queue-type", string("quorum"), true),
            ("x-queue-type", string("nope"), false),
            ("x-max-priority", long(255), true),
            ("x-max-priority", long(256), false),
            ("x-dead-letter-routing-key", string("k"), false),
            ("x-dead-letter-exchange", string(""), true),
            ("x-dead-letter-exchange", long(1), false),
            ("x-single-active-consumer", Value::Bool(true), true),
            ("x-single-active-consumer", long(1), false),
            ("x-whatever", long(1), true),
        ]);
        for (name, value, accepted) in cases {
            let mut arguments = Headers::default();
            arguments.push(name, value.clone());
            let parsed = QueueArguments::parse("q", "/", &arguments);
            assert_eq!(parsed.is_ok(), accepted, "{name} {value:?}");
        }
    }

    #[test]
    fn equivalence_looks_at_known_arguments_only() {
        let mut first = Headers::default();
        let mut second = Headers::default();
        first.push("x-whatever", Value::long(1));
        assert_eq!(inequivalent(&first, &second), None);
        first.push("x-queue-type", Value::string("classic"));
        assert_eq!(inequivalent(&first, &second), None);
        second.push("x-expires", Value::long(10));
        let differing = inequivalent(&first, &second).map(|(name, ..)| name);
        assert_eq!(differing, Some("x-expires"));
        first.push(
            "x-expires",
            Value::Int(crate::model::message::Integer::I16, 10),
        );
        assert_eq!(inequivalent(&first, &second), None);
    }
}
