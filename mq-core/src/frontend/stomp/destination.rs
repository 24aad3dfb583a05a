//! What the destinations mean. STOMP leaves that to the server; these are RabbitMQ's, and
//! ActiveMQ's where the settings say so.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use stomp_codec::{Command, Version};

use crate::dialect::StompDialect;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Message, Name, Origin};
use crate::model::queue::DURABLE_SUBSCRIPTION;

/// A destination of SEND or SUBSCRIBE, or a reply-to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination<'a> {
    /// `/queue/N`: a durable queue, made when it is first named.
    Queue(Cow<'a, str>),
    /// `/amq/queue/N`: a queue that exists.
    ExistingQueue(Cow<'a, str>),
    /// `/topic/K`: through `amq.topic`.
    Topic(Cow<'a, str>),
    /// `/exchange/X` or `/exchange/X/K`.
    Exchange(Cow<'a, str>, Cow<'a, str>),
    /// `/temp-topic/N`: a topic that this connection alone knows the name of.
    TemporaryTopic(Cow<'a, str>),
    /// `/temp-queue/N`: a queue of this connection alone; RabbitMQ has it only as reply-to.
    TemporaryQueue(Cow<'a, str>),
    /// `/reply-queue/N`: where to answer; a queue that is not made.
    ReplyQueue(Cow<'a, str>),
}

/// How a name has a `/`: the one escape that RabbitMQ knows, and so that clients
/// write. Every other `%` is itself.
const SLASH: &str = "%2F";

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains(SLASH) {
        Cow::Owned(text.replace(SLASH, "/"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The reverse of [`decode`]. Line ends and NUL are written in the same way, since not
/// every version of STOMP can carry them in a header.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' => encoded.push_str(SLASH),
            '\n' => encoded.push_str("%0A"),
            '\r' => encoded.push_str("%0D"),
            '\0' => encoded.push_str("%00"),
            c => encoded.push(c),
        }
    }
    encoded
}

impl<'a> Destination<'a> {
    /// Reads a destination; None: it is none.
    pub(super) fn parse(text: &'a str, dialect: StompDialect) -> Option<Self> {
        type Make<'a> = fn(Cow<'a, str>) -> Destination<'a>;
        let kinds: [(&str, Make<'a>); 7] = [
            ("/queue/", Destination::Queue),
            ("/amq/queue/", Destination::ExistingQueue),
            ("/topic/", Destination::Topic),
            ("/temp-queue/", Destination::TemporaryQueue),
            ("/temp-topic/", Destination::TemporaryTopic),
            ("/remote-temp-queue/", Destination::ReplyQueue),
            ("/remote-temp-topic/", Destination::Topic),
        ];
        if let Some(name) = text.strip_prefix("/reply-queue/") {
            // As it is: who answers copies it.
            return (!name.is_empty()).then_some(Destination::ReplyQueue(Cow::Borrowed(name)));
        }
        // A `/` in a name would reach nobody who means `a.b` by `a/b`.
        let is_one = |name: &str| {
            !name.is_empty() && (dialect == StompDialect::ActiveMq || !name.contains('/'))
        };
        for (prefix, make) in kinds {
            if let Some(name) = text.strip_prefix(prefix) {
                return is_one(name).then(|| make(decode(name)));
            }
        }
        let Some(rest) = text.strip_prefix("/exchange/") else {
            // ActiveMQ: what has no prefix is a queue.
            let is_queue = dialect == StompDialect::ActiveMq && !text.is_empty();
            let is_queue = is_queue && !text.starts_with('/');
            return is_queue.then(|| Destination::Queue(decode(text)));
        };
        let (exchange, key) = rest.split_once('/').unwrap_or((rest, ""));
        let fine = !exchange.is_empty() && !key.contains('/');
        fine.then(|| Destination::Exchange(decode(exchange), decode(key)))
    }

    /// The exchange and routing key that SEND publishes with.
    pub(super) fn route(&self) -> Option<(&str, &str)> {
        match self {
            Destination::Queue(name)
            | Destination::ExistingQueue(name)
            | Destination::ReplyQueue(name) => Some(("", name)),
            Destination::Topic(key) => Some((TOPIC_EXCHANGE, key)),
            Destination::Exchange(exchange, key) => Some((exchange, key)),
            Destination::TemporaryQueue(_) | Destination::TemporaryTopic(_) => None,
        }
    }
}

/// Destinations that one text may have at most.
const MOST: usize = 64;

/// Whether a text has several destinations (ActiveMQ: composite destinations). A comma is a
/// part of a name in RabbitMQ, where a prefix does not follow it.
pub(super) fn is_composite(text: &str, dialect: StompDialect) -> bool {
    match dialect {
        StompDialect::RabbitMq => text.contains(",/") && !text.starts_with("/reply-queue/"),
        StompDialect::ActiveMq => text.contains(','),
    }
}

/// The destinations of a text, each once; None: one of them is none, or there are too many.
pub(super) fn parse_all(text: &str, dialect: StompDialect) -> Option<Vec<Destination<'_>>> {
    if !is_composite(text, dialect) {
        return Some(Vec::from([Destination::parse(text, dialect)?]));
    }
    let mut all = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // In RabbitMQ's words only a comma before a prefix separates.
        let separator = match dialect {
            StompDialect::RabbitMq => rest.find(",/"),
            StompDialect::ActiveMq => rest.find(','),
        };
        let (first, after) = match separator {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        let destination = Destination::parse(first.trim(), dialect)?;
        if !all.contains(&destination) {
            all.push(destination);
        }
        rest = after;
    }
    (all.len() <= MOST).then_some(all)
}

/// The key that a subscription to a topic binds with: ActiveMQ writes `>` for RabbitMQ's `#`.
pub(super) fn pattern(key: &str, dialect: StompDialect) -> Cow<'_, str> {
    let rest = match dialect {
        StompDialect::RabbitMq => None,
        StompDialect::ActiveMq => key.strip_suffix('>'),
    };
    match rest {
        Some(before) if before.is_empty() || before.ends_with('.') => {
            Cow::Owned(alloc::format!("{before}#"))
        }
        _ => Cow::Borrowed(key),
    }
}

/// The topic whose messages a queue gets by its name (ActiveMQ: virtual topics):
/// `Consumer.NAME.VirtualTopic.X` those of `VirtualTopic.X`.
pub(super) fn virtual_topic(queue: &str) -> Option<&str> {
    let rest = queue.strip_prefix("Consumer.")?;
    let (name, topic) = rest.split_once('.')?;
    let is_one = !name.is_empty() && topic.len() > VIRTUAL.len() && topic.starts_with(VIRTUAL);
    is_one.then_some(topic)
}

/// The queue of a durable subscription, by the client and the subscription's name.
pub(super) fn durable(client: &str, name: &str) -> Name {
    Name::from(alloc::format!(
        "{DURABLE_SUBSCRIPTION}{}/{name}",
        encode(client)
    ))
}

/// What the name of a virtual topic begins with.
const VIRTUAL: &str = "VirtualTopic.";

/// The destination of a message for MESSAGE: as its publisher wrote it in SEND,
/// where this version can carry that, or one that SEND would take to the same
/// place.
pub(super) fn of(message: &Message, version: Version) -> Cow<'_, str> {
    if let Origin::Stomp { destination } = &message.origin
        && version
            .check_header(Command::Message, "destination", destination)
            .is_ok()
    {
        return Cow::Borrowed(destination);
    }
    let key = encode(&message.routing_key);
    Cow::Owned(match &*message.exchange {
        "" => alloc::format!("/queue/{key}"),
        TOPIC_EXCHANGE => alloc::format!("/topic/{key}"),
        exchange => alloc::format!("/exchange/{}/{key}", encode(exchange)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        const CASES: &[(&str, Option<(&str, &str)>)] = &[
            ("/queue/a", Some(("", "a"))),
            ("/queue/a%2Fb", Some(("", "a/b"))),
            ("/queue/a/b", None),
            ("/queue/a%", Some(("", "a%"))),
            ("/queue/a%zz", Some(("", "a%zz"))),
            ("/queue/a%2fb", Some(("", "a%2fb"))),
            ("/queue/", None),
            ("/topic/a.b", Some(("amq.topic", "a.b"))),
            ("/exchange/x", Some(("x", ""))),
            ("/exchange/x/k", Some(("x", "k"))),
            ("/exchange/x/k/l", None),
            ("/topic/chat/room", None),
            ("/topic/chat%2Froom", Some(("amq.topic", "chat/room"))),
            ("/reply-queue/a/b", Some(("", "a/b"))),
            ("/exchange/x%2Fy/k", Some(("x/y", "k"))),
            ("/amq/queue/q", Some(("", "q"))),
            ("/reply-queue/q", Some(("", "q"))),
            ("queue/a", None),
            ("/nope/a", None),
            ("", None),
        ];
        for (text, expected) in CASES {
            let parsed = Destination::parse(text, StompDialect::RabbitMq);
            assert_eq!(
                parsed.as_ref().and_then(Destination::route),
                *expected,
                "{text}"
            );
        }
    }

    /// ActiveMQ: `LegacyFrameTranslator`, and composite destinations.
    #[test]
    fn destinations_of_activemq() {
        for (text, expected) in [
            ("orders", Some(("", "orders"))),
            ("/queue/a/b", Some(("", "a/b"))),
            ("/topic/a.b", Some(("amq.topic", "a.b"))),
            ("/remote-temp-queue/x", Some(("", "x"))),
            ("/remote-temp-topic/x", Some(("amq.topic", "x"))),
            ("/temp-queue/x", None),
            ("/nope/a", None),
            ("", None),
        ] {
            let parsed = Destination::parse(text, StompDialect::ActiveMq);
            let seen = parsed.as_ref().and_then(Destination::route);
            assert_eq!(seen, expected, "{text}");
        }
    }

    #[test]
    fn several_destinations() {
        use StompDialect::{ActiveMq, RabbitMq};
        let rows: [(&str, StompDialect, Option<&[&str]>); 7] = [
            ("/queue/a,/topic/b", RabbitMq, Some(&["a", "b"])),
            ("/queue/a,b", RabbitMq, Some(&["a,b"])),
            ("/queue/a,/queue/b,/queue/a", RabbitMq, Some(&["a", "b"])),
            ("/queue/a,/nope/b", RabbitMq, None),
            ("/queue/a,b", ActiveMq, Some(&["a", "b"])),
            ("a,/topic/b,c", ActiveMq, Some(&["a", "b", "c"])),
            ("/queue/a,,b", ActiveMq, None),
        ];
        for (text, dialect, expected) in rows {
            let all = parse_all(text, dialect);
            let keys = all.as_ref().map(|all| {
                let routes = all.iter().filter_map(Destination::route);
                routes.map(|(_, key)| key).collect::<Vec<_>>()
            });
            assert_eq!(keys.as_deref(), expected, "{text} {dialect:?}");
        }
        let many: Vec<String> = (0..70).map(|n| alloc::format!("/queue/{n}")).collect();
        let many = many.join(",");
        assert_eq!(parse_all(&many, RabbitMq), None);
    }

    #[test]
    fn patterns_and_virtual_topics() {
        for (key, expected) in [
            ("PRICE.>", "PRICE.#"),
            (">", "#"),
            ("a.*.b", "a.*.b"),
            ("a>", "a>"),
        ] {
            assert_eq!(pattern(key, StompDialect::ActiveMq), expected);
            assert_eq!(pattern(key, StompDialect::RabbitMq), key);
        }
        for (queue, expected) in [
            (
                "Consumer.A.VirtualTopic.Orders",
                Some("VirtualTopic.Orders"),
            ),
            ("Consumer.A.VirtualTopic.a.b", Some("VirtualTopic.a.b")),
            ("Consumer..VirtualTopic.a", None),
            ("Consumer.A.VirtualTopic.", None),
            ("Consumer.A.Orders", None),
            ("VirtualTopic.Orders", None),
        ] {
            assert_eq!(virtual_topic(queue), expected, "{queue}");
        }
    }

    #[test]
    fn a_message_of_another_protocol_gets_a_destination_that_leads_there() {
        for (exchange, key, expected) in [
            ("", "q", "/queue/q"),
            ("", "a/b%", "/queue/a%2Fb%"),
            ("amq.topic", "a.b", "/topic/a.b"),
            ("x/y", "k", "/exchange/x%2Fy/k"),
        ] {
            let mut message = crate::model::queue::tests::message("");
            message.exchange = exchange.into();
            message.routing_key = key.into();
            let text = of(&message, Version::V1_2);
            assert_eq!(text, expected);
            let parsed = Destination::parse(&text, StompDialect::RabbitMq).unwrap();
            assert_eq!(parsed.route(), Some((exchange, key)));
        }
    }
}
