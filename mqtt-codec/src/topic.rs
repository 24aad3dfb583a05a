//! Matching and topic filters (5.0 sections 4.7 and 4.8).

use crate::{ProtocolVersion, Rule, wire};

/// The character that separates the levels of a topic.
const SEPARATOR: u8 = b'/';

/// The share name prefix of a shared subscription (section 4.8.2).
const SHARE_PREFIX: &str = "$share";

/// Whether a topic filter has a wildcard. In a valid filter every `+` and `#` is one.
#[must_use]
#[inline]
pub fn has_wildcard(topic: &str) -> bool {
    wire::contains_wildcard(topic.as_bytes())
}

/// How many levels a topic name or filter has: one more than it has separators.
#[must_use]
pub fn levels(topic: &str) -> usize {
    1 + topic.bytes().filter(|&b| b == SEPARATOR).count()
}

/// Whether a topic name matches a topic filter (section 4.7).
///
/// The filter of a shared subscription is to be passed without its `$share/NAME/`:
/// see [`TopicFilter::filter`]. Runs in time proportional to the length of the two.
#[must_use]
// keeps: 5.0 MQTT-4.7.2-1, 5.0 MQTT-4.7.3-4, 3.1.1 MQTT-4.7.2-1, 3.1.1 MQTT-4.7.3-4
pub fn matches(filter: &str, name: &str) -> bool {
    // MQTT-4.7.2-1
    if name.starts_with('$') && filter.starts_with(['#', '+']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            // Also the parent level: "sport/#" matches "sport" (section 4.7.1.2).
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// A valid topic filter, taken apart: `$share/NAME/FILTER`, or a filter alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter<'a> {
    share_name: Option<&'a str>,
    filter: &'a str,
}

impl<'a> TopicFilter<'a> {
    /// Takes a topic filter apart. In 3.x there are no shared subscriptions, and
    /// `$share/a/b` is a filter like any other; a server that offers them to 3.x
    /// clients all the same parses with [`ProtocolVersion::V5_0`].
    ///
    /// # Errors
    /// The rule that it breaks (sections 4.7.1, 4.7.3 and 4.8.2).
    // keeps: 5.0 MQTT-4.7.3-2, 3.1.1 MQTT-4.7.3-2
    pub fn parse(topic_filter: &'a str, version: ProtocolVersion) -> Result<Self, Rule> {
        if topic_filter.is_empty() {
            return Err(Rule::TopicFilterEmpty);
        }
        if topic_filter.as_bytes().contains(&0) {
            return Err(Rule::Utf8Null);
        }
        let shared = topic_filter
            .strip_prefix(SHARE_PREFIX)
            .filter(|_| version >= ProtocolVersion::V5_0)
            .and_then(|rest| match rest.strip_prefix('/') {
                // "$share" and nothing else is as malformed as "$share/".
                None if rest.is_empty() => Some(""),
                tail => tail,
            });
        let parsed = match shared {
            None => Self {
                share_name: None,
                filter: topic_filter,
            },
            Some(tail) => {
                let (name, filter) = match tail.split_once('/') {
                    Some(("", _)) | None if tail.is_empty() || tail.starts_with('/') => {
                        return Err(Rule::ShareNameMissing);
                    }
                    Some((name, filter)) if !has_wildcard(name) && !filter.is_empty() => {
                        (name, filter)
                    }
                    _ => return Err(Rule::ShareName),
                };
                Self {
                    share_name: Some(name),
                    filter,
                }
            }
        };
        validate_wildcards(parsed.filter)?;
        Ok(parsed)
    }

    /// The ShareName, if it is the filter of a shared subscription.
    #[must_use]
    pub const fn share_name(&self) -> Option<&'a str> {
        self.share_name
    }

    /// The filter to match names with: what follows the ShareName, or all of it.
    #[must_use]
    pub const fn filter(&self) -> &'a str {
        self.filter
    }

    /// Whether a topic name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        matches(self.filter, name)
    }
}

/// The places where wildcards may stand (section 4.7.1).
fn validate_wildcards(filter: &str) -> Result<(), Rule> {
    if !has_wildcard(filter) {
        return Ok(());
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level.len() > 1 || levels.peek().is_some()) {
            return Err(Rule::TopicFilterMultiLevel);
        }
        if level.contains('+') && level.len() > 1 {
            return Err(Rule::TopicFilterSingleLevel);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of sections 4.7.1 and 4.7.2, and their neighbours.
    // shows: 5.0 MQTT-4.7.2-1, 5.0 MQTT-4.7.3-4, 3.1.1 MQTT-4.7.2-1, 3.1.1 MQTT-4.7.3-4
    #[test]
    fn matching() {
        let table = [
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
            ("sport/tennis/player1/#", "sport/tennis/player2", false),
            ("sport/tennis/player1/#", "sport/tennis/player11", false),
            ("sport/#", "sport", true),
            ("sport/#", "sports", false),
            ("#", "sport", true),
            ("#", "/", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/tennis/+", "sport/tennis", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("+/tennis/#", "sport/tennis/a/b", true),
            ("sport/+/player1", "sport/tennis/player1", true),
            ("sport/+/player1", "sport/a/b/player1", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("#", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor/Clients", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a/#", "a/$b", true),
            ("a/+", "a/$b", true),
            ("ACCOUNTS", "Accounts", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a/b/", "a/b", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
            ("a//b", "a/b", false),
            ("/a", "a", false),
            ("Å", "A\u{30A}", false),
        ];
        for (filter, name, expected) in table {
            assert_eq!(matches(filter, name), expected, "{filter} on {name}");
        }
    }

    // shows: 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2, 5.0 MQTT-4.8.2-1, 5.0 MQTT-4.8.2-2
    #[test]
    fn filters() {
        use Rule as R;
        let table = [
            ("a", Ok((None, "a"))),
            ("/", Ok((None, "/"))),
            (" ", Ok((None, " "))),
            ("#", Ok((None, "#"))),
            ("+", Ok((None, "+"))),
            ("+/tennis/#", Ok((None, "+/tennis/#"))),
            ("/+", Ok((None, "/+"))),
            ("a/+/b", Ok((None, "a/+/b"))),
            ("$SYS/#", Ok((None, "$SYS/#"))),
            ("$shared/a", Ok((None, "$shared/a"))),
            ("$sharing", Ok((None, "$sharing"))),
            ("$share/g/a", Ok((Some("g"), "a"))),
            ("$share/g/#", Ok((Some("g"), "#"))),
            ("$share/g//a", Ok((Some("g"), "/a"))),
            ("$share/g/a/+/b", Ok((Some("g"), "a/+/b"))),
            ("$share/$share/x/y", Ok((Some("$share"), "x/y"))),
            ("", Err(R::TopicFilterEmpty)),
            ("a\0", Err(R::Utf8Null)),
            ("sport/tennis#", Err(R::TopicFilterMultiLevel)),
            ("sport/tennis/#/ranking", Err(R::TopicFilterMultiLevel)),
            ("#/", Err(R::TopicFilterMultiLevel)),
            ("##", Err(R::TopicFilterMultiLevel)),
            ("a#b", Err(R::TopicFilterMultiLevel)),
            ("sport+", Err(R::TopicFilterSingleLevel)),
            ("a/+b/c", Err(R::TopicFilterSingleLevel)),
            ("++", Err(R::TopicFilterSingleLevel)),
            ("$share", Err(R::ShareNameMissing)),
            ("$share/", Err(R::ShareNameMissing)),
            ("$share//a", Err(R::ShareNameMissing)),
            ("$share/ab", Err(R::ShareName)),
            ("$share/ab/", Err(R::ShareName)),
            ("$share/a+/b", Err(R::ShareName)),
            ("$share/#/b", Err(R::ShareName)),
            ("$share/g/a#", Err(R::TopicFilterMultiLevel)),
        ];
        for (filter, expected) in table {
            let parsed = TopicFilter::parse(filter, ProtocolVersion::V5_0);
            assert_eq!(
                parsed.map(|p| (p.share_name(), p.filter())),
                expected,
                "{filter}"
            );
        }
    }

    #[test]
    fn three_has_no_shared_subscriptions() {
        let parsed = TopicFilter::parse("$share/ab", ProtocolVersion::V3_1_1);
        assert_eq!(
            parsed.map(|p| (p.share_name(), p.filter())),
            Ok((None, "$share/ab"))
        );
    }

    #[test]
    fn levels_are_counted() {
        assert_eq!(levels("a/b//c"), 4);
        assert_eq!(levels("a"), 1);
    }
}
