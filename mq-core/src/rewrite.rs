//! Other names for the topics of MQTT clients, as EMQX has them (its documentation, "Topic
//! Rewrite", and `emqx_rewrite.erl`).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use regex::Regex;

use crate::pattern::search;

/// What a [`TopicRewrite`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RewriteAction {
    /// The topics of PUBLISH and of wills.
    Publish,
    /// The filters of SUBSCRIBE and UNSUBSCRIBE.
    Subscribe,
    /// Both.
    All,
}

/// Another name for some topics: a rule of EMQX's topic rewrite.
///
/// Of the rules whose source matches a topic, the last of the list is in force. Where its
/// regular expression does not match, the topic keeps its name. A filter is held against the
/// source level by level, and one of `$share/NAME/FILTER` without its first two levels.
#[derive(Debug, Clone)]
pub struct TopicRewrite {
    action: RewriteAction,
    source: String,
    pattern: Regex,
    destination: String,
    parts: Vec<Part>,
}

/// A part of a destination.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    /// What a group of the regular expression has matched.
    Group(usize),
    User,
    Client,
}

/// Names that stand for something in a destination.
static VARIABLES: [(&str, Part); 3] = [
    ("${username}", Part::User),
    ("${clientid}", Part::Client),
    ("${client_id}", Part::Client),
];

/// Why there is no [`TopicRewrite`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The source is no topic filter.
    #[error("{0:?} is no topic filter")]
    Source(String),
    /// The regular expression is none, or too large.
    #[error("{pattern:?} is no regular expression: {reason}")]
    Pattern {
        /// What it is to be.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a client uses a topic for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Publish,
    Subscribe,
}

/// The client that uses a topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// Empty: it has given none.
    pub(crate) user: String,
    pub(crate) client: String,
}

/// Another name cannot be used as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTopic;

impl PartialEq for TopicRewrite {
    fn eq(&self, other: &Self) -> bool {
        let texts = |rule: &Self| {
            let pattern = rule.pattern.as_str().to_string();
            (rule.source.clone(), pattern, rule.destination.clone())
        };
        self.action == other.action && texts(self) == texts(other)
    }
}

impl Eq for TopicRewrite {}

impl TopicRewrite {
    /// A rule for the topics that match the filter `source` and then `pattern`, a regular
    /// expression that may match anywhere in a topic. In `destination` `$1` and so on stand for
    /// what its groups have matched, `${username}` for the user name and `${clientid}` or
    /// `${client_id}` for the client identifier. Where a client has no such name, the text stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// The filter or the regular expression is none.
    pub fn new(
        action: RewriteAction,
        source: &str,
        pattern: &str,
        destination: &str,
    ) -> Result<Self, RewriteError> {
        if !is_filter(source) {
            return Err(RewriteError::Source(source.into()));
        }
        let pattern = search(pattern).map_err(|error| RewriteError::Pattern {
            pattern: pattern.into(),
            reason: error.to_string(),
        })?;
        let groups = pattern.captures_len() - 1;
        Ok(Self {
            action,
            source: source.into(),
            parts: parts(destination, groups),
            pattern,
            destination: destination.into(),
        })
    }

    /// What it is for.
    #[must_use]
    pub fn action(&self) -> RewriteAction {
        self.action
    }

    /// The filter that topics have to match.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The regular expression.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// The name that topics get.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    fn is_for(&self, what: Use) -> bool {
        match self.action {
            RewriteAction::All => true,
            RewriteAction::Publish => what == Use::Publish,
            RewriteAction::Subscribe => what == Use::Subscribe,
        }
    }

    /// The name of a topic that matches the source; none where the regular expression does not
    /// match.
    fn apply(&self, topic: &str, who: &Who) -> Option<String> {
        let found = self.pattern.captures(topic)?;
        let named = |name: &str, variable: &str| match name {
            "" => variable.to_string(),
            name => name.to_string(),
        };
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(group) => found.get(*group).map_or("", |m| m.as_str()).to_string(),
            Part::User => named(&who.user, VARIABLES[0].0),
            Part::Client => named(&who.client, VARIABLES[1].0),
        };
        Some(self.parts.iter().map(part).collect())
    }
}

/// The name that a topic or a filter has by the rules; with `levels` at most.
pub(crate) fn rewrite<'a>(
    rules: &[TopicRewrite],
    what: Use,
    topic: &'a str,
    who: &Who,
    levels: usize,
) -> Result<Cow<'a, str>, NoTopic> {
    let mut last_first = rules.iter().rev();
    let rule = last_first.find(|rule| rule.is_for(what) && matches(&rule.source, topic));
    let Some(name) = rule.and_then(|rule| rule.apply(topic, who)) else {
        return Ok(Cow::Borrowed(topic));
    };
    // A client does not get at wildcards by the name that it has chosen.
    let wildcards = |text: &str| text.matches(['+', '#']).count();
    let is_one = match what {
        Use::Publish => is_name(&name),
        Use::Subscribe => {
            let given = |part: &Part| match part {
                Part::User => wildcards(&who.user),
                Part::Client => wildcards(&who.client),
                Part::Text(_) | Part::Group(_) => 0,
            };
            let parts = rule.map_or(&[][..], |rule| &rule.parts[..]);
            is_filter(&name) && parts.iter().map(given).sum::<usize>() == 0
        }
    };
    match is_one && name.split('/').count() <= levels {
        true => Ok(Cow::Owned(name)),
        false => Err(NoTopic),
    }
}

/// A destination, taken apart.
fn parts(destination: &str, groups: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = destination;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let variable = VARIABLES.iter().find(|(name, _)| rest.starts_with(name));
        let (part, len) = match variable {
            Some((name, part)) => (part.clone(), name.len()),
            None => match group(&rest[1..], groups) {
                Some((group, digits)) => (Part::Group(group), 1 + digits),
                None => {
                    text.push('$');
                    rest = &rest[1..];
                    continue;
                }
            },
        };
        parts.push(Part::Text(core::mem::take(&mut text)));
        parts.push(part);
        rest = &rest[len..];
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    parts
}

/// The longest number at the beginning of a text that a group has, and its length.
fn group(text: &str, groups: usize) -> Option<(usize, usize)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbers = (1..=digits)
        .rev()
        .map(|len| (text[..len].parse::<usize>(), len));
    numbers
        .filter_map(|(number, len)| Some((number.ok()?, len)))
        .find(|(number, _)| (1..=groups).contains(number))
}

/// Whether a topic matches a filter (MQTT 5.0 section 4.7). A filter does so level by level.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        let found = match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", found) => found.is_some(),
            (wanted, found) => found == Some(wanted),
        };
        if !found {
            return false;
        }
    }
    levels.next().is_none()
}

/// Whether a topic can match both filters.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some("#"), _) | (_, Some("#")) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

/// What any topic name or filter is (MQTT 5.0 section 4.7.3).
fn is_text(text: &str) -> bool {
    (1..=usize::from(u16::MAX)).contains(&text.len()) && !text.contains('\0')
}

fn is_name(name: &str) -> bool {
    is_text(name) && !name.contains(['+', '#'])
}

pub(crate) fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    let mut fine = is_text(filter);
    while let Some(level) = levels.next() {
        fine &= match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            level => !level.contains(['+', '#']),
        };
    }
    fine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[(RewriteAction, &str, &str, &str)]) -> Vec<TopicRewrite> {
        let rule = |(action, source, pattern, destination): &(RewriteAction, &str, &str, &str)| {
            TopicRewrite::new(*action, source, pattern, destination).unwrap()
        };
        list.iter().map(rule).collect()
    }

    /// The example of EMQX's documentation, with what it says of each topic: the last rule of
    /// the list that matches is in force, and where its regular expression does not match no
    /// other is asked.
    #[test]
    fn the_documented_example() {
        use RewriteAction::All;
        let rules = rules(&[
            (All, "y/+/z/#", "^y/(.+)/z/(.+)$", "y/z/$2"),
            (All, "x/#", "^x/y/(.+)$", "z/y/x/$1"),
            (All, "x/y/+", r"^x/y/(\d+)$", "z/y/$1"),
        ]);
        for (topic, expected) in [
            ("y/def", "y/def"),
            ("y/a/z/b", "y/z/b"),
            ("x/1/2", "x/1/2"),
            ("x/y/2", "z/y/2"),
            ("x/y/z", "x/y/z"),
            ("x/y/z/w", "z/y/x/z/w"),
        ] {
            for what in [Use::Publish, Use::Subscribe] {
                let found = rewrite(&rules, what, topic, &Who::default(), 100);
                assert_eq!(found.as_deref(), Ok(expected), "{topic}");
            }
        }
    }

    /// Each destination for a topic `a/b/c` whose regular expression has the groups `a` and
    /// `c`, of a client that has given both names, and of one that has given none.
    #[test]
    fn destinations() {
        let both = Who {
            user: "u".into(),
            client: "c1".into(),
        };
        let neither = Who::default();
        for (destination, with, without) in [
            ("$1/$2", "a/c", "a/c"),
            ("$2/$1/$2", "c/a/c", "c/a/c"),
            ("x", "x", "x"),
            ("$10", "a0", "a0"),
            ("$3", "$3", "$3"),
            ("$0", "$0", "$0"),
            ("$", "$", "$"),
            ("a$", "a$", "a$"),
            ("${username}/$1", "u/a", "${username}/a"),
            ("${clientid}", "c1", "${clientid}"),
            ("${client_id}", "c1", "${clientid}"),
            ("${other}", "${other}", "${other}"),
            ("$delayed/5/$1", "$delayed/5/a", "$delayed/5/a"),
        ] {
            let rules = rules(&[(RewriteAction::All, "a/#", "^(a)/b/(c)$", destination)]);
            for (who, expected) in [(&both, with), (&neither, without)] {
                let found = rewrite(&rules, Use::Publish, "a/b/c", who, 100);
                assert_eq!(found.as_deref(), Ok(expected), "{destination}");
            }
        }
    }

    #[test]
    fn what_a_rule_is_for() {
        use RewriteAction::{All, Publish, Subscribe};
        for (action, publish, subscribe) in [
            (Publish, "new", "old"),
            (Subscribe, "old", "new"),
            (All, "new", "new"),
        ] {
            let rules = rules(&[(action, "old", "", "new")]);
            let found = |what| rewrite(&rules, what, "old", &Who::default(), 100);
            assert_eq!(found(Use::Publish).as_deref(), Ok(publish));
            assert_eq!(found(Use::Subscribe).as_deref(), Ok(subscribe));
        }
    }

    /// MQTT 5.0 sections 4.7.1 and 4.7.2.
    #[test]
    fn sources() {
        for (filter, topic, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "a/b", false),
            ("a/b", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            // Filters of subscriptions.
            ("a/#", "a/#", true),
            ("a/+", "a/+", true),
            ("a/b", "a/+", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    /// What comes of a rule has to be a topic name, or a filter; wildcards of a filter come from
    /// the subscription or the rule.
    #[test]
    fn what_is_no_topic() {
        let long = "x".repeat(65_536);
        for (destination, publish, subscribe) in [
            ("a/#", false, true),
            ("a/+/b", false, true),
            ("#/a", false, false),
            ("a+", false, false),
            ("", false, false),
            ("a\0", false, false),
            (&*long, false, false),
            ("1/2/3", true, true),
            ("1/2/3/4", false, false),
            ("${clientid}/x", false, false),
            ("$1", true, true),
        ] {
            let rules = rules(&[(RewriteAction::All, "a", "(.*)", destination)]);
            let who = Who {
                user: String::new(),
                client: "+".into(),
            };
            let is_one = |what| rewrite(&rules, what, "a", &who, 3).is_ok();
            assert_eq!(is_one(Use::Publish), publish, "{destination:?}");
            assert_eq!(is_one(Use::Subscribe), subscribe, "{destination:?}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        let new = |source, pattern| TopicRewrite::new(RewriteAction::All, source, pattern, "x");
        assert!(new("a/#", "^(.*)$").is_ok());
        for source in ["", "a/#/b", "a+", "a\0"] {
            assert_eq!(new(source, ""), Err(RewriteError::Source(source.into())));
        }
        assert!(matches!(new("a", "("), Err(RewriteError::Pattern { .. })));
    }
}
