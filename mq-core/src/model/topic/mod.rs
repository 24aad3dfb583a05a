//! Topics: patterns of words, and the trie that finds all patterns that match.
//!
//! One trie serves both languages. An AMQP binding key (`*`, `#`, words parted
//! by `.`) and an MQTT topic filter (`+`, `#`, levels parted by `/`) are parsed
//! into the same [`Segment`]s, over routing keys; an MQTT topic is a routing
//! key with `.` and `/` swapped. A `*` in an MQTT filter is a letter like any
//! other, and so is a `+` in a binding key.

mod trie;

use alloc::vec::Vec;

use crate::model::message::{Name, swap_separators};

pub(crate) use trie::{Leading, Trie};

/// One word of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This word.
    Word(Name),
    /// Any one word: AMQP `*`, MQTT `+`.
    One,
    /// Any number of words, also none: `#`.
    Many,
}

/// The words of a routing key. The empty key has none.
pub(crate) fn words(routing_key: &str) -> impl Iterator<Item = &str> {
    let empty = routing_key.is_empty();
    routing_key.split('.').filter(move |_| !empty)
}

/// Parses a binding key of a topic exchange (AMQP 0-9-1 section 3.1.3.3).
pub(crate) fn binding_key(key: &str) -> Vec<Segment> {
    words(key)
        .map(|word| match word {
            "*" => Segment::One,
            "#" => Segment::Many,
            word => Segment::Word(Name::from(word)),
        })
        .collect()
}

/// Parses an MQTT topic filter (MQTT 5.0 section 4.7.1), checked before by the
/// codec, into a pattern over routing keys.
pub(crate) fn topic_filter(filter: &str) -> Vec<Segment> {
    filter
        .split('/')
        .map(|level| match level {
            "+" => Segment::One,
            "#" => Segment::Many,
            level => Segment::Word(Name::from(swap_separators(level))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MQTT 5.0 section 4.7.1 and 4.7.2, the examples of the text.
    const FILTERS: &[(&str, &str, bool)] = &[
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/ranking",
            true,
        ),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/score/wimbledon",
            true,
        ),
        ("sport/#", "sport", true),
        ("#", "sport/tennis", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/monitor", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/monitor", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("ACCOUNTS", "Accounts", false),
        ("a", "/a", false),
        // `.` and `*` mean nothing in MQTT.
        ("a.b/+", "a.b/c", true),
        ("a.b", "a/b", false),
        ("a/*", "a/b", false),
        ("a/*", "a/*", true),
    ];

    #[test]
    fn filters_match_as_the_standard_says() {
        for &(filter, topic, expected) in FILTERS {
            let mut trie = Trie::default();
            trie.insert(&topic_filter(filter), 1, ());
            let mut found = Vec::new();
            let key = swap_separators(topic);
            let leading = match topic.starts_with('$') {
                true => Leading::Nothing,
                false => Leading::Anything,
            };
            trie.for_each_match([words(&key)].into_iter(), leading, |v, ()| found.push(*v));
            assert_eq!(!found.is_empty(), expected, "{filter} {topic}");
        }
    }

    /// AMQP 0-9-1 section 3.1.3.3, and RabbitMQ's reading of empty words.
    const KEYS: &[(&str, &str, bool)] = &[
        ("*.stock.#", "usd.stock", true),
        ("*.stock.#", "eur.stock.db", true),
        ("*.stock.#", "stock.nasdaq", false),
        ("#", "", true),
        ("#", "a.b.c", true),
        ("*", "", false),
        ("*", "a", true),
        ("*", "a.b", false),
        ("", "", true),
        ("", "a", false),
        ("a.#.b", "a.b", true),
        ("a.#.b", "a.x.y.b", true),
        ("a.#.b", "a.b.b", true),
        ("a.#.b", "a.x", false),
        ("#.#", "", true),
        ("#.a.#", "x.a.y.a", true),
        ("#.*", "", false),
        ("#.*", "x", true),
        ("*.#", "x", true),
        ("a..b", "a..b", true),
        ("a.*.b", "a..b", true),
        ("a.+", "a.b", false),
    ];

    #[test]
    fn binding_keys_match_as_the_specification_says() {
        for &(pattern, key, expected) in KEYS {
            let mut trie = Trie::default();
            trie.insert(&binding_key(pattern), 1, ());
            let mut found = Vec::new();
            let key_words = [words(key)].into_iter();
            trie.for_each_match(key_words, Leading::Anything, |v, ()| found.push(*v));
            assert_eq!(found.len(), usize::from(expected), "{pattern} {key}");
        }
    }
}
