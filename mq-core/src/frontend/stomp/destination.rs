//! What the destinations mean. STOMP leaves that to the server; these are
//! RabbitMQ's.

use alloc::borrow::Cow;
use alloc::string::String;
use stomp_codec::{Command, Version};

use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Message, Origin};

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
    /// `/temp-queue/N`: only as reply-to; a queue of this connection alone.
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
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        type Make<'a> = fn(Cow<'a, str>) -> Destination<'a>;
        let kinds: [(&str, Make<'a>); 4] = [
            ("/queue/", Destination::Queue),
            ("/amq/queue/", Destination::ExistingQueue),
            ("/topic/", Destination::Topic),
            ("/temp-queue/", Destination::TemporaryQueue),
        ];
        if let Some(name) = text.strip_prefix("/reply-queue/") {
            // As it is: who answers copies it.
            return (!name.is_empty()).then_some(Destination::ReplyQueue(Cow::Borrowed(name)));
        }
        // A `/` in a name would reach nobody who means `a.b` by `a/b`.
        let is_one = |name: &str| !name.is_empty() && !name.contains('/');
        for (prefix, make) in kinds {
            if let Some(name) = text.strip_prefix(prefix) {
                return is_one(name).then(|| make(decode(name)));
            }
        }
        let rest = text.strip_prefix("/exchange/")?;
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
            Destination::TemporaryQueue(_) => None,
        }
    }
}

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
            let parsed = Destination::parse(text);
            assert_eq!(
                parsed.as_ref().and_then(Destination::route),
                *expected,
                "{text}"
            );
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
            let parsed = Destination::parse(&text).unwrap();
            assert_eq!(parsed.route(), Some((exchange, key)));
        }
    }
}
