//! What passes between two MQTT brokers, as Mosquitto's bridges have it (`mosquitto.conf`,
//! "Configuring Bridges"; `bridge_topic.c`). Whoever connects them asks here for filters and
//! names.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

/// Which way messages go over a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BridgeDirection {
    /// From here to the other broker.
    #[default]
    Out,
    /// From the other broker to here.
    In,
    /// Both ways.
    Both,
}

/// Topics that a bridge has in common: Mosquitto's `topic PATTERN [out|in|both [QOS [LOCAL
/// [REMOTE]]]]`, which is how it is written too.
///
/// Here the topics begin with the local prefix, on the other broker with the remote prefix, and
/// the pattern, a topic filter, follows. An empty pattern is one topic, which has the local prefix
/// as its name here and the remote prefix there. `""` is written for what is empty.
///
/// ```
/// use mq_core::{BridgeDirection, BridgeTopic};
///
/// let topic: BridgeTopic = "sensors/# out 1 house/ site/7/".parse()?;
/// assert_eq!(topic.direction, BridgeDirection::Out);
/// assert_eq!(topic.local_filter(), "house/sensors/#");
/// assert_eq!(topic.remote_filter(), "site/7/sensors/#");
/// # Ok::<(), mq_core::BridgeTopicError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeTopic {
    /// The filter after the prefix.
    pub pattern: String,
    /// Which way messages go. Default: out.
    pub direction: BridgeDirection,
    /// The highest QoS of messages over the bridge. Default: 0.
    pub qos: u8,
    /// What topics begin with here. Default: nothing.
    pub local_prefix: String,
    /// What topics begin with on the other broker. Default: nothing.
    pub remote_prefix: String,
}

/// Why a text is no [`BridgeTopic`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeTopicError {
    /// There is no pattern.
    #[error("there is no pattern")]
    Empty,
    /// The direction is none.
    #[error("{0:?} is no direction: write out, in or both")]
    Direction(String),
    /// The QoS is none.
    #[error("{0:?} is no QoS: write 0, 1 or 2")]
    Qos(String),
    /// More follows.
    #[error("{0:?} is too much: PATTERN DIRECTION QOS LOCAL REMOTE")]
    TooMuch(String),
    /// An empty pattern with one prefix alone.
    #[error("an empty pattern needs both prefixes")]
    Prefixes,
    /// A prefix has a wildcard, or the whole is no filter.
    #[error("{0:?} is no topic filter")]
    Filter(String),
}

impl FromStr for BridgeTopic {
    type Err = BridgeTopicError;

    fn from_str(text: &str) -> Result<Self, BridgeTopicError> {
        let mut words = text.split_whitespace();
        let pattern = words.next().ok_or(BridgeTopicError::Empty)?;
        let direction = match words.next() {
            None | Some("out") => BridgeDirection::Out,
            Some("in") => BridgeDirection::In,
            Some("both") => BridgeDirection::Both,
            Some(other) => return Err(BridgeTopicError::Direction(other.into())),
        };
        let qos = match words.next() {
            None | Some("0") => 0,
            Some("1") => 1,
            Some("2") => 2,
            Some(other) => return Err(BridgeTopicError::Qos(other.into())),
        };
        let mut prefix = || plain(words.next().unwrap_or_default());
        let (local_prefix, remote_prefix) = (prefix(), prefix());
        if let Some(more) = words.next() {
            return Err(BridgeTopicError::TooMuch(more.into()));
        }
        let topic = Self {
            pattern: plain(pattern),
            direction,
            qos,
            local_prefix,
            remote_prefix,
        };
        topic.check()?;
        Ok(topic)
    }
}

impl core::fmt::Display for BridgeTopic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let direction = match self.direction {
            BridgeDirection::Out => "out",
            BridgeDirection::In => "in",
            BridgeDirection::Both => "both",
        };
        let [pattern, local, remote] = [&self.pattern, &self.local_prefix, &self.remote_prefix]
            .map(|text| if text.is_empty() { "\"\"" } else { text });
        write!(f, "{pattern} {direction} {} {local} {remote}", self.qos)
    }
}

/// A word, where `""` stands for nothing.
fn plain(word: &str) -> String {
    String::from(if word == "\"\"" { "" } else { word })
}

impl BridgeTopic {
    /// Checks that it can be used.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), BridgeTopicError> {
        if self.qos > 2 {
            return Err(BridgeTopicError::Qos(format!("{}", self.qos)));
        }
        let prefixes = [&self.local_prefix, &self.remote_prefix];
        if self.pattern.is_empty() && prefixes.iter().any(|prefix| prefix.is_empty()) {
            return Err(BridgeTopicError::Prefixes);
        }
        if let Some(prefix) = prefixes.iter().find(|prefix| prefix.contains(['+', '#'])) {
            return Err(BridgeTopicError::Filter((*prefix).clone()));
        }
        let mut filters = [self.local_filter(), self.remote_filter()].into_iter();
        match filters.find(|filter| !crate::rewrite::is_filter(filter)) {
            Some(filter) => Err(BridgeTopicError::Filter(filter)),
            None => Ok(()),
        }
    }

    /// The filter of its topics here.
    #[must_use]
    pub fn local_filter(&self) -> String {
        format!("{}{}", self.local_prefix, self.pattern)
    }

    /// The filter of its topics on the other broker.
    #[must_use]
    pub fn remote_filter(&self) -> String {
        format!("{}{}", self.remote_prefix, self.pattern)
    }

    fn goes(&self, way: Way) -> bool {
        match self.direction {
            BridgeDirection::Both => true,
            BridgeDirection::Out => way == Way::Out,
            BridgeDirection::In => way == Way::In,
        }
    }
}

/// One way over the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

/// The topics of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bridge {
    /// They are asked in their order for the name of a topic.
    pub topics: Vec<BridgeTopic>,
}

impl Bridge {
    /// What is subscribed here: a filter and the QoS, for each that goes out.
    pub fn local_subscriptions(&self) -> impl Iterator<Item = (String, u8)> {
        self.of(Way::Out)
            .map(|topic| (topic.local_filter(), topic.qos))
    }

    /// What is subscribed at the other broker: a filter and the QoS, for each that comes in.
    pub fn remote_subscriptions(&self) -> impl Iterator<Item = (String, u8)> {
        self.of(Way::In)
            .map(|topic| (topic.remote_filter(), topic.qos))
    }

    /// The name at the other broker of a topic that was published here.
    #[must_use]
    pub fn outward(&self, topic: &str) -> String {
        self.renamed(Way::Out, topic)
    }

    /// The name here of a topic that was published at the other broker.
    #[must_use]
    pub fn inward(&self, topic: &str) -> String {
        self.renamed(Way::In, topic)
    }

    /// The first topic that comes in, where one that goes out can have the same name at the
    /// other broker. Before MQTT 5.0 that broker sends back what the bridge publishes there.
    #[must_use]
    pub fn echo(&self) -> Option<&BridgeTopic> {
        self.of(Way::In).find(|comes| {
            let filter = comes.remote_filter();
            let mut goes = self.of(Way::Out);
            goes.any(|goes| crate::rewrite::overlap(&filter, &goes.remote_filter()))
        })
    }

    fn of(&self, way: Way) -> impl Iterator<Item = &BridgeTopic> {
        self.topics.iter().filter(move |topic| topic.goes(way))
    }

    /// The first entry that matches and has a prefix says it. Without one the name stays.
    fn renamed(&self, way: Way, name: &str) -> String {
        for topic in self.of(way) {
            let (filter, from, to) = match way {
                Way::Out => (
                    topic.local_filter(),
                    &topic.local_prefix,
                    &topic.remote_prefix,
                ),
                Way::In => (
                    topic.remote_filter(),
                    &topic.remote_prefix,
                    &topic.local_prefix,
                ),
            };
            if !(from.is_empty() && to.is_empty())
                && crate::rewrite::matches(&filter, name)
                && let Some(rest) = name.strip_prefix(&**from)
            {
                return format!("{to}{rest}");
            }
        }
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn bridge(topics: &[&str]) -> Bridge {
        let topics = topics.iter().map(|topic| topic.parse().unwrap());
        Bridge {
            topics: topics.collect(),
        }
    }

    /// `mosquitto.conf`(5), "topic": direction, QoS and prefixes may be left out.
    #[test]
    fn entries() {
        #[rustfmt::skip]
        let rows = [
            ("#", "# out 0 \"\" \"\"", "#", "#"),
            ("a/+ in", "a/+ in 0 \"\" \"\"", "a/+", "a/+"),
            ("# both 2 l/ r/", "# both 2 l/ r/", "l/#", "r/#"),
            ("# both 1 \"\" r/", "# both 1 \"\" r/", "#", "r/#"),
            ("\"\" out 1 one two/x", "\"\" out 1 one two/x", "one", "two/x"),
        ];
        for (text, written, local, remote) in rows {
            let topic: BridgeTopic = text.parse().unwrap();
            assert_eq!(topic.to_string(), written, "{text}");
            assert_eq!(topic.local_filter(), local, "{text}");
            assert_eq!(topic.remote_filter(), remote, "{text}");
        }
    }

    #[test]
    fn what_is_no_entry() {
        type Error = BridgeTopicError;
        for (text, error) in [
            ("", Error::Empty),
            ("a up", Error::Direction("up".into())),
            ("a out 3", Error::Qos("3".into())),
            ("a out 0 l r x", Error::TooMuch("x".into())),
            ("\"\" out 0 l", Error::Prefixes),
            ("\"\" out 0 \"\" r", Error::Prefixes),
            ("a out 0 +/", Error::Filter("+/".into())),
            ("a/#/b", Error::Filter("a/#/b".into())),
        ] {
            assert_eq!(text.parse::<BridgeTopic>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_subscribed() {
        let bridge = bridge(&["o out 0 l/ r/", "i in 1 l/ r/", "b both 2 l/ r/"]);
        let local: Vec<_> = bridge.local_subscriptions().collect();
        assert_eq!(local, [("l/o".into(), 0), ("l/b".into(), 2)]);
        let remote: Vec<_> = bridge.remote_subscriptions().collect();
        assert_eq!(remote, [("r/i".into(), 1), ("r/b".into(), 2)]);
    }

    /// MQTT 5.0 section 4.7: two filters that a topic can match.
    #[test]
    fn what_comes_back() {
        #[rustfmt::skip]
        let rows: [(&[&str], Option<&str>); 10] = [
            (&["a out", "a in"], Some("a")),
            (&["a/# both"], Some("a/#")),
            (&["a/# out", "b/# in"], None),
            (&["a/# out 0 \"\" r/", "a/# in 0 \"\" s/"], None),
            (&["a/# out 0 \"\" r/", "r/a/b in"], Some("r/a/b")),
            (&["a/+ out", "+/b in"], Some("+/b")),
            (&["a/+ out", "+/b/c in"], None),
            (&["a/# out", "a in"], Some("a")),
            (&["a/b out", "a in"], None),
            (&["# in"], None),
        ];
        for (topics, expected) in rows {
            let bridge = bridge(topics);
            let echo = bridge.echo().map(BridgeTopic::remote_filter);
            assert_eq!(echo.as_deref(), expected, "{topics:?}");
        }
    }

    /// `bridge__remap_topic_in`: the first entry with a prefix that matches, and as it is without
    /// one.
    #[test]
    fn names() {
        #[rustfmt::skip]
        let rows: [(&[&str], &str, &str, &str); 8] = [
            (&["#"], "a/b", "a/b", "a/b"),
            (&["# both 0 l/ r/"], "l/a", "r/a", "l/a"),
            (&["# both 0 l/ r/"], "r/a", "r/a", "l/a"),
            (&["# both 0 \"\" r/"], "a", "r/a", "a"),
            (&["# both 0 l/"], "l/a", "a", "l/l/a"),
            (&["\"\" both 0 one two"], "one", "two", "one"),
            (&["a/# both 0 l/ r/", "# both 0 l/ s/"], "l/b", "s/b", "l/b"),
            (&["# out 0 l/ r/", "# in 0 m/ r/"], "r/x", "r/x", "m/x"),
        ];
        for (topics, name, out, inn) in rows {
            let bridge = bridge(topics);
            assert_eq!(bridge.outward(name), out, "{topics:?} {name}");
            assert_eq!(bridge.inward(name), inn, "{topics:?} {name}");
        }
    }
}
