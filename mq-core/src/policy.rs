//! Policies: what those who run the broker say about queues and exchanges by name.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use regex::Regex;

use crate::pattern::search;

/// Arguments for the queues and exchanges whose names match a pattern, as in RabbitMQ.
///
/// Of the ordinary policies of a virtual host that match, the one with the highest
/// [`priority`](Self::priority) is in force, and of those with the same the first by name; of
/// the operator policies one as well. What is in force changes at once, for what is there
/// already too, when a policy is set or cleared.
///
/// An argument of the declaration comes before a policy. Where both have a number (a time to
/// live, an expiry, a length, a limit) the lower holds. An operator policy comes before both in
/// the same way: of two numbers the lower holds, and else what it says.
///
/// | key | value | of | in an operator policy |
/// |---|---|---|---|
/// | `message-ttl` | milliseconds from 0 | classic and quorum queues | yes |
/// | `expires` | milliseconds from 1 | classic and quorum queues | yes |
/// | `max-length`, `max-length-bytes` | a number from 0 | classic and quorum queues | yes |
/// | `overflow` | `drop-head`, `reject-publish`, `reject-publish-dlx` (classic) | classic and quorum queues | yes |
/// | `dead-letter-exchange`, `dead-letter-routing-key` | a name | classic and quorum queues | no |
/// | `delivery-limit` | a number; a negative one is no limit | quorum queues | yes |
/// | `consumer-timeout` | milliseconds from 0 | classic and quorum queues | no |
/// | `alternate-exchange` | a name | exchanges | no |
/// | `dead-letter-strategy`, `queue-mode`, `queue-version`, `max-in-memory-length`, `max-in-memory-bytes`, `queue-leader-locator`, `initial-cluster-size` | as in RabbitMQ | accepted, and of no effect here | `queue-version` and the two of memory |
///
/// Other keys are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The virtual host that it is for.
    pub virtual_host: String,
    /// Its name, unlike those of the others of its kind in the virtual host.
    pub name: String,
    /// A regular expression, which matches anywhere in a name.
    pub pattern: String,
    /// What it is for.
    pub apply_to: ApplyTo,
    /// The higher one is in force.
    pub priority: i64,
    /// What it says, by key: one at least.
    pub definition: BTreeMap<String, PolicyValue>,
}

/// What a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Exchanges.
    Exchanges,
    /// Queues of every type.
    Queues,
    /// Queues of type `classic`.
    ClassicQueues,
    /// Queues of type `quorum`.
    QuorumQueues,
    /// Queues of type `stream`.
    Streams,
}

/// Every one by RabbitMQ's name of it.
const NAMES: &[(&str, ApplyTo)] = &[
    ("all", ApplyTo::All),
    ("exchanges", ApplyTo::Exchanges),
    ("queues", ApplyTo::Queues),
    ("classic_queues", ApplyTo::ClassicQueues),
    ("quorum_queues", ApplyTo::QuorumQueues),
    ("streams", ApplyTo::Streams),
];

impl ApplyTo {
    /// The one of that name: `all`, `exchanges`, `queues`, `classic_queues`, `quorum_queues`
    /// or `streams`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, to)| *to)
    }

    /// Its name in RabbitMQ.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, to)| *to == self)
            .map_or("", |(name, _)| name)
    }
}

/// What a policy says under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyValue {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl From<i64> for PolicyValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for PolicyValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Whose policy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyKind {
    /// One of the users of the virtual host.
    Ordinary,
    /// One of the operator of the broker: it limits what users say, with fewer keys.
    Operator,
}

/// How a policy goes together with what the declaration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Of two numbers the lower holds.
    Lower,
    /// The same, and a negative one is no limit.
    LowerLimit,
    /// The declaration comes first.
    Argument,
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Number { from: i64, to: i64 },
    OneOf(&'static [&'static str]),
    Name,
}

impl Rule {
    fn allows(self, value: &PolicyValue) -> bool {
        match (self, value) {
            (Self::Number { from, to }, PolicyValue::Number(number)) => {
                (from..=to).contains(number)
            }
            (Self::OneOf(choices), PolicyValue::Text(text)) => choices.contains(&&**text),
            (Self::Name, PolicyValue::Text(_)) => true,
            _ => false,
        }
    }
}

/// Something that a policy can say.
#[derive(Debug)]
pub(crate) struct Key {
    name: &'static str,
    /// The argument of a queue or an exchange that it stands for.
    pub(crate) argument: &'static str,
    rule: Rule,
    /// RabbitMQ's name of it in a refusal.
    what: &'static str,
    pub(crate) merge: Merge,
    /// An operator policy can say it too.
    operator: bool,
}

const fn key(
    name: &'static str,
    argument: &'static str,
    rule: Rule,
    what: &'static str,
    merge: Merge,
    operator: bool,
) -> Key {
    Key {
        name,
        argument,
        rule,
        what,
        merge,
        operator,
    }
}

const fn number(from: i64, to: i64) -> Rule {
    Rule::Number { from, to }
}

/// Longest number of anything.
const MOST: i64 = i64::MAX;

/// Longest time that RabbitMQ takes, in milliseconds: ten years of 365 days.
pub(crate) const LONGEST_MILLIS: i64 = 315_360_000_000;

/// The argument of an exchange.
pub(crate) const ALTERNATE: &str = "alternate-exchange";

/// Every key, with RabbitMQ's rule for its value (`rabbit_policies.erl`) and how it goes
/// together with an argument (`rabbit_amqqueue_process.erl`, `rabbit_quorum_queue.erl`).
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key(ALTERNATE, ALTERNATE, Rule::Name, "alternate exchange name", Merge::Argument, false),
    key("message-ttl", "x-message-ttl", number(0, LONGEST_MILLIS), "message TTL", Merge::Lower, true),
    key("expires", "x-expires", number(1, LONGEST_MILLIS), "queue expiry", Merge::Lower, true),
    key("max-length", "x-max-length", number(0, MOST), "maximum length", Merge::Lower, true),
    key("max-length-bytes", "x-max-length-bytes", number(0, MOST), "maximum length in bytes", Merge::Lower, true),
    key("overflow", "x-overflow", Rule::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]), "overflow value", Merge::Argument, true),
    key("dead-letter-exchange", "x-dead-letter-exchange", Rule::Name, "dead letter exchange name", Merge::Argument, false),
    key("dead-letter-routing-key", "x-dead-letter-routing-key", Rule::Name, "dead letter routing key", Merge::Argument, false),
    key("delivery-limit", "x-delivery-limit", number(i64::MIN, MOST), "delivery limit", Merge::LowerLimit, true),
    key("consumer-timeout", "x-consumer-timeout", number(0, LONGEST_MILLIS), "consumer timeout", Merge::Lower, false),
    key("dead-letter-strategy", "x-dead-letter-strategy", Rule::OneOf(&["at-most-once", "at-least-once"]), "dead letter strategy", Merge::Argument, false),
    key("queue-mode", "x-queue-mode", Rule::OneOf(&["default", "lazy"]), "queue-mode value", Merge::Argument, false),
    key("queue-version", "x-queue-version", number(1, 2), "queue-version value", Merge::Argument, true),
    key("max-in-memory-length", "x-max-in-memory-length", number(0, MOST), "maximum memory in bytes", Merge::Lower, true),
    key("max-in-memory-bytes", "x-max-in-memory-bytes", number(0, MOST), "maximum memory in bytes", Merge::Lower, true),
    key("queue-leader-locator", "x-queue-leader-locator", Rule::OneOf(&["client-local", "balanced", "random", "least-leaders"]), "queue leader locator value", Merge::Argument, false),
    key("initial-cluster-size", "x-quorum-initial-group-size", number(0, MOST), "cluster size", Merge::Argument, false),
];

impl Key {
    /// The key of that name, for policies of a kind.
    pub(crate) fn find(kind: PolicyKind, name: &str) -> Option<&'static Self> {
        let known = KEYS.iter().find(|key| key.name == name);
        known.filter(|key| key.operator || kind == PolicyKind::Ordinary)
    }
}

impl Policy {
    /// Its pattern, if the whole can be used.
    ///
    /// # Errors
    ///
    /// Why not, in RabbitMQ's words.
    pub(crate) fn compile(&self, kind: PolicyKind) -> Result<Regex, String> {
        let pattern = search(&self.pattern).map_err(|error| {
            let pattern = &self.pattern;
            format!("pattern {pattern:?} should be a regular expression but is invalid: {error}")
        })?;
        if self.definition.is_empty() {
            return Err(String::from("no policy provided"));
        }
        let mut unknown = Vec::new();
        for (name, value) in &self.definition {
            match Key::find(kind, name) {
                Some(key) if key.rule.allows(value) => {}
                Some(key) => return Err(format!("{} is not a valid {}", Term(value), key.what)),
                None => unknown.push(format!("{{<<\"{name}\">>,{}}}", Term(value))),
            }
        }
        if unknown.is_empty() {
            return Ok(pattern);
        }
        let unknown = unknown.join(",");
        Err(format!("[{unknown}] are not recognised policy settings"))
    }
}

/// A value as RabbitMQ writes it.
struct Term<'a>(&'a PolicyValue);

impl core::fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            PolicyValue::Number(number) => write!(f, "{number}"),
            PolicyValue::Text(text) => write!(f, "<<\"{text}\">>"),
        }
    }
}

/// Why a policy of the settings cannot be used.
pub(crate) fn check(
    virtual_hosts: &[String],
    policies: &[Policy],
    operator_policies: &[Policy],
) -> Result<(), (String, String)> {
    let all = || policies.iter().chain(operator_policies);
    let elsewhere = all().find(|policy| !virtual_hosts.contains(&policy.virtual_host));
    if let Some(policy) = elsewhere {
        let reason = format!("there is no virtual host {:?}", policy.virtual_host);
        return Err((policy.name.clone(), reason));
    }
    for kind in [policies, operator_policies] {
        let mut names: Vec<_> = kind.iter().map(|p| (&p.virtual_host, &p.name)).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let reason = String::from("there is another of that name");
            return Err((twice[0].1.clone(), reason));
        }
    }
    let kinds = [
        (PolicyKind::Ordinary, policies),
        (PolicyKind::Operator, operator_policies),
    ];
    for (kind, policies) in kinds {
        for policy in policies {
            let compiled = policy.compile(kind);
            compiled.map_err(|reason| (policy.name.clone(), reason))?;
        }
    }
    Ok(())
}
