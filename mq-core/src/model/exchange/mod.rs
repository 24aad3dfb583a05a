//! Exchanges: which destinations a message goes to (AMQP 0-9-1 section 3.1.3).

mod exchanges;
mod headers;
mod ring;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::few_map::FewMap;
use crate::model::id::{BindingId, QueueId};
use crate::model::message::{Headers, Name, Properties, Value};
use crate::model::policy::Policies;
use crate::model::refusal::Refusal;
use crate::model::topic::{Leading, Trie, binding_key, words};
pub(crate) use exchanges::{BindRequest, Exchanges, refuse_default_exchange};
use headers::HeadersMatch;
use ring::Ring;

/// The four types that AMQP 0-9-1 section 3.1.3 defines, and one of RabbitMQ's plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeType {
    /// By the key itself.
    Direct,
    /// To all that is bound.
    Fanout,
    /// By a pattern of words, with `*` and `#`.
    Topic,
    /// By headers.
    Headers,
    /// To one of those that are bound, by a hash; binding keys are their weights. RabbitMQ's
    /// `x-consistent-hash`.
    ConsistentHash,
}

/// What an exchange of type [`ExchangeType::ConsistentHash`] takes the hash of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HashOn {
    /// The routing key.
    #[default]
    RoutingKey,
    /// Argument `hash-header`: the header of that name.
    Header(Name),
    /// Argument `hash-property`: `correlation_id`, `message_id` or `timestamp`.
    Property(Name),
}

/// Every type by its name on the wire.
const TYPES: &[(&str, ExchangeType)] = &[
    ("direct", ExchangeType::Direct),
    ("fanout", ExchangeType::Fanout),
    ("topic", ExchangeType::Topic),
    ("headers", ExchangeType::Headers),
    ("x-consistent-hash", ExchangeType::ConsistentHash),
];

/// The type of an exchange that lets messages wait, as RabbitMQ's plugin has it: how it routes
/// them then is what argument `x-delayed-type` says.
const DELAYED: &str = "x-delayed-message";

/// What `hash-property` may say.
const HASH_PROPERTIES: &[&str] = &["correlation_id", "message_id", "timestamp"];

/// The exchanges that exist before anything is declared. `amq.match` is the
/// specification's name of the headers exchange, `amq.headers` RabbitMQ's.
pub(crate) const PREDECLARED: &[(&str, ExchangeType)] = &[
    ("amq.direct", ExchangeType::Direct),
    ("amq.fanout", ExchangeType::Fanout),
    ("amq.topic", ExchangeType::Topic),
    ("amq.headers", ExchangeType::Headers),
    ("amq.match", ExchangeType::Headers),
    (TRACE_EXCHANGE, ExchangeType::Topic),
];

/// Where the firehose goes.
pub(crate) const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// Where all that is like a topic goes through: MQTT topics, STOMP `/topic/`.
pub(crate) const TOPIC_EXCHANGE: &str = "amq.topic";

impl ExchangeType {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        TYPES.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
    }

    pub(crate) fn name(self) -> &'static str {
        TYPES
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(name, _)| name)
    }
}

/// What a binding leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    Queue(QueueId),
    Exchange(Name),
}

/// What `exchange.declare` says about an exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeSettings {
    /// How it routes.
    pub kind: ExchangeType,
    /// It outlives the broker.
    pub durable: bool,
    /// It goes with the last of its bindings.
    pub auto_delete: bool,
    /// Nobody publishes to it: messages come from other exchanges alone.
    pub internal: bool,
    /// Argument `alternate-exchange`: takes what nothing is bound for.
    pub alternate: Option<Name>,
    /// Type `x-delayed-message`: a message with the header `x-delay` waits for so many
    /// milliseconds before it is routed.
    pub delayed: bool,
    /// What a hash is taken of, where it routes by one.
    pub hash_on: HashOn,
}

impl ExchangeSettings {
    /// One that does not outlive the broker, and has no arguments.
    pub(crate) fn of(kind: ExchangeType) -> Self {
        Self {
            kind,
            durable: false,
            auto_delete: false,
            internal: false,
            alternate: None,
            delayed: false,
            hash_on: HashOn::default(),
        }
    }

    /// The name of its type on the wire.
    pub(crate) fn type_name(&self) -> &'static str {
        if self.delayed {
            DELAYED
        } else {
            self.kind.name()
        }
    }

    /// Reads the name of a type, if there is such a type, and the arguments that have a
    /// meaning; others are ignored.
    pub(crate) fn parse(
        name: &str,
        type_name: &str,
        arguments: &Headers,
    ) -> Result<Option<Self>, Refusal> {
        let delayed = type_name == DELAYED;
        let kind = if delayed {
            let inner = arguments.get("x-delayed-type").and_then(Value::as_str);
            let inner = inner.and_then(ExchangeType::parse);
            Some(inner.ok_or_else(|| {
                Refusal::precondition_failed(format_args!(
                    "Invalid argument, 'x-delayed-type' must be an existing exchange type"
                ))
            })?)
        } else {
            ExchangeType::parse(type_name)
        };
        let Some(kind) = kind else {
            return Ok(None);
        };
        let settings = Self::new(name, kind, arguments)?;
        Ok(Some(Self {
            delayed,
            ..settings
        }))
    }

    pub(crate) fn new(
        name: &str,
        kind: ExchangeType,
        arguments: &Headers,
    ) -> Result<Self, Refusal> {
        let alternate = match arguments.get("alternate-exchange") {
            None => None,
            Some(value) => Some(Name::from(value.as_str().ok_or_else(|| {
                Refusal::precondition_failed(format_args!(
                    "invalid arg 'alternate-exchange' for exchange '{name}'"
                ))
            })?)),
        };
        let hash_on = match kind {
            ExchangeType::ConsistentHash => HashOn::parse(arguments)?,
            _ => HashOn::default(),
        };
        Ok(Self {
            alternate,
            hash_on,
            ..Self::of(kind)
        })
    }
}

impl HashOn {
    fn parse(arguments: &Headers) -> Result<Self, Refusal> {
        let text = |name| arguments.get(name).and_then(Value::as_str);
        match (text("hash-header"), text("hash-property")) {
            (None, None) => Ok(Self::RoutingKey),
            (Some(header), None) => Ok(Self::Header(Name::from(header))),
            (None, Some(property)) if HASH_PROPERTIES.contains(&property) => {
                Ok(Self::Property(Name::from(property)))
            }
            (None, Some(property)) => Err(Refusal::precondition_failed(format_args!(
                "Unsupported property: {property}"
            ))),
            (Some(_), Some(_)) => Err(Refusal::precondition_failed(format_args!(
                "hash-header and hash-property are mutually exclusive"
            ))),
        }
    }

    /// The hash of a message that is routed by these keys. What the message does not have
    /// counts as empty.
    fn hash(&self, keys: &[&str], properties: &Properties) -> u64 {
        match self {
            Self::RoutingKey => ring::hash(keys),
            Self::Header(name) => match properties.headers.get(&**name) {
                Some(Value::String(bytes) | Value::Binary(bytes)) => ring::hash(&[bytes]),
                Some(value) => ring::hash(&[&*value.as_text().unwrap_or_default()]),
                None => ring::hash::<&str>(&[]),
            },
            Self::Property(name) => match &**name {
                "correlation_id" => ring::hash(properties.correlation_id.as_slice()),
                "message_id" => ring::hash(properties.message_id.as_slice()),
                _ => ring::hash(&[properties.timestamp.unwrap_or_default().to_be_bytes()]),
            },
        }
    }
}

/// The weight that a binding key says, in RabbitMQ's words where it says none.
fn weight(key: &str) -> Result<u64, Refusal> {
    let invalid =
        |text: core::fmt::Arguments<'_>| Refusal::precondition_failed(format_args!("{text}"));
    let number: i128 = key.parse().map_err(|_| {
        invalid(format_args!(
            "The binding key must be an integer: <<\"{key}\">>"
        ))
    })?;
    match u64::try_from(number) {
        Ok(0) | Err(_) if number < 1 => Err(invalid(format_args!(
            "The binding key must be greater than 0"
        ))),
        Ok(weight) if weight <= ring::HEAVIEST => Ok(weight),
        _ => Err(invalid(format_args!(
            "The binding key must be at most {}",
            ring::HEAVIEST
        ))),
    }
}

/// An exchange with its bindings.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) settings: ExchangeSettings,
    /// Takes what nothing is bound for: by the settings or by a policy.
    pub(crate) alternate: Option<Name>,
    /// By destination and binding key.
    bindings: BTreeMap<Destination, FewMap<Name, Vec<Binding>>>,
    count: usize,
    /// Bindings that were kept and are gone, for whoever keeps them.
    gone: Vec<BindingId>,
    table: Table,
}

/// What a binding has besides its destination and its key.
#[derive(Debug)]
struct Binding {
    arguments: Headers,
    /// Its name, if it is kept.
    id: Option<BindingId>,
}

/// The bindings once more, arranged for finding the matching ones. Whatever the
/// type, one destination is taken out without a look at the others.
#[derive(Debug)]
enum Table {
    Direct(BTreeMap<Name, BTreeSet<Destination>>),
    /// Bindings counted, so that a destination goes with its last one.
    Fanout(BTreeMap<Destination, usize>),
    Topic(Trie<Destination, ()>),
    Headers(BTreeMap<Destination, Vec<HeadersMatch>>),
    Hash(Ring),
}

impl Exchange {
    pub(crate) fn new(settings: ExchangeSettings) -> Self {
        let table = match settings.kind {
            ExchangeType::Direct => Table::Direct(BTreeMap::new()),
            ExchangeType::Fanout => Table::Fanout(BTreeMap::new()),
            ExchangeType::Topic => Table::Topic(Trie::default()),
            ExchangeType::Headers => Table::Headers(BTreeMap::new()),
            ExchangeType::ConsistentHash => Table::Hash(Ring::default()),
        };
        Self {
            alternate: settings.alternate.clone(),
            settings,
            bindings: BTreeMap::new(),
            count: 0,
            gone: Vec::new(),
            table,
        }
    }

    /// Its alternate, if it is not declared, is what policies say.
    fn apply_policies(&mut self, policies: &Policies, name: &str) {
        let declared = self.settings.alternate.as_ref();
        self.alternate = policies.alternate(name, declared);
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Whether it goes, because it has lost its last binding.
    pub(crate) fn is_left(&self) -> bool {
        self.settings.auto_delete && self.is_unused()
    }

    /// What its bindings lead to.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.bindings.keys()
    }

    pub(crate) fn binding_count(&self) -> usize {
        self.count
    }

    /// Takes the names of kept bindings that are gone.
    pub(crate) fn take_gone(&mut self) -> Vec<BindingId> {
        core::mem::take(&mut self.gone)
    }

    /// The names of all kept bindings, of an exchange that is gone.
    pub(crate) fn kept(&self) -> impl Iterator<Item = BindingId> {
        let all = self.bindings.values().flat_map(FewMap::values).flatten();
        all.filter_map(|binding| binding.id)
    }

    /// Adds a binding, under a name if it is kept. Returns whether it is new: one that
    /// exists already is not added again.
    pub(crate) fn bind(
        &mut self,
        destination: &Destination,
        key: &str,
        arguments: Headers,
        id: Option<BindingId>,
    ) -> Result<bool, Refusal> {
        let matching = match self.settings.kind {
            ExchangeType::Headers => Some(HeadersMatch::parse(&arguments)?),
            _ => None,
        };
        let weight = match self.settings.kind {
            ExchangeType::ConsistentHash => weight(key)?,
            _ => 0,
        };
        let keys = self.bindings.entry(destination.clone()).or_default();
        let key = Name::from(key);
        let same_key = keys.or_default(key.clone());
        if same_key.iter().any(|b| b.arguments.same(&arguments)) {
            return Ok(false);
        }
        if same_key.is_empty() {
            // A vector would begin with room for four, and most have one.
            same_key.reserve_exact(1);
        }
        same_key.push(Binding { arguments, id });
        let first = same_key.len() == 1;
        self.count += 1;
        match (&mut self.table, matching) {
            (Table::Headers(table), Some(matching)) => {
                table.entry(destination.clone()).or_default().push(matching);
            }
            (Table::Fanout(table), _) => *table.entry(destination.clone()).or_default() += 1,
            // Bindings that differ in arguments alone are one to these types.
            (Table::Direct(table), _) if first => {
                table.entry(key).or_default().insert(destination.clone());
            }
            (Table::Topic(trie), _) if first => {
                trie.insert(&binding_key(&key), destination.clone(), ());
            }
            (Table::Hash(ring), _) => ring.insert(destination, weight),
            _ => {}
        }
        Ok(true)
    }

    /// Removes a binding, and tells whether it was there.
    pub(crate) fn unbind(
        &mut self,
        destination: &Destination,
        key: &str,
        arguments: &Headers,
    ) -> bool {
        let Some(keys) = self.bindings.get_mut(destination) else {
            return false;
        };
        let Some(same_key) = keys.get_mut(key) else {
            return false;
        };
        let Some(at) = same_key.iter().position(|b| b.arguments.same(arguments)) else {
            return false;
        };
        let Binding { arguments, id } = same_key.remove(at);
        self.gone.extend(id);
        let last = same_key.is_empty();
        if last {
            keys.remove(key);
            if keys.is_empty() {
                self.bindings.remove(destination);
            }
        }
        self.count -= 1;
        self.forget(destination, key, &arguments, last);
        true
    }

    /// Removes every binding to a destination that is gone.
    pub(crate) fn unbind_all(&mut self, destination: &Destination) {
        let Some(keys) = self.bindings.remove(destination) else {
            return;
        };
        self.count -= keys.values().map(Vec::len).sum::<usize>();
        self.gone
            .extend(keys.values().flatten().filter_map(|b| b.id));
        match &mut self.table {
            Table::Fanout(table) => {
                table.remove(destination);
            }
            Table::Headers(table) => {
                table.remove(destination);
            }
            Table::Hash(ring) => ring.remove(destination),
            Table::Direct(_) | Table::Topic(_) => {
                for key in keys.keys() {
                    self.forget(destination, key, &Headers::default(), true);
                }
            }
        }
    }

    /// Takes one binding out of the table.
    fn forget(&mut self, destination: &Destination, key: &str, arguments: &Headers, last: bool) {
        match &mut self.table {
            Table::Direct(table) if last => {
                if let Some(destinations) = table.get_mut(key) {
                    destinations.remove(destination);
                    if destinations.is_empty() {
                        table.remove(key);
                    }
                }
            }
            Table::Topic(trie) if last => trie.remove(&binding_key(key), destination),
            Table::Fanout(table) => {
                if let Some(count) = table.get_mut(destination) {
                    *count -= 1;
                    if *count == 0 {
                        table.remove(destination);
                    }
                }
            }
            Table::Headers(table) => {
                let Some(patterns) = table.get_mut(destination) else {
                    return;
                };
                // The pattern that these arguments made, once.
                let at = HeadersMatch::parse(arguments)
                    .ok()
                    .and_then(|pattern| patterns.iter().position(|p| *p == pattern));
                if let Some(at) = at {
                    patterns.swap_remove(at);
                }
                if patterns.is_empty() {
                    table.remove(destination);
                }
            }
            Table::Hash(ring) if last => {
                ring.remove(destination);
                // Another binding of it counts from now on.
                let other = self
                    .bindings
                    .get(destination)
                    .and_then(|keys| keys.keys().next());
                if let Some(Ok(weight)) = other.map(|key| weight(key)) {
                    ring.insert(destination, weight);
                }
            }
            _ => {}
        }
    }

    /// Calls `found` for what the bindings that match one of the keys lead to; a
    /// destination can come more than once. Returns how many bindings and nodes were
    /// looked at.
    pub(crate) fn route<'a>(
        &'a self,
        keys: &[&str],
        properties: &Properties,
        mut found: impl FnMut(&'a Destination),
    ) -> usize {
        match &self.table {
            Table::Direct(table) => {
                for key in keys {
                    table.get(*key).into_iter().flatten().for_each(&mut found);
                }
                keys.len()
            }
            Table::Fanout(table) => {
                table.keys().for_each(&mut found);
                1
            }
            Table::Topic(trie) => {
                let keys = keys.iter().map(|key| words(key));
                trie.for_each_match(keys, Leading::Anything, |to, ()| found(to))
            }
            Table::Headers(table) => {
                for (destination, patterns) in table {
                    let headers = &properties.headers;
                    if patterns.iter().any(|pattern| pattern.matches(headers)) {
                        found(destination);
                    }
                }
                self.count
            }
            Table::Hash(ring) => {
                let hash = self.settings.hash_on.hash(keys, properties);
                if let Some(destination) = ring.find(hash) {
                    found(destination);
                }
                1
            }
        }
    }
}

/// Whether `value`, of the message, satisfies `pattern`, of the binding: equal,
/// or no value in the pattern, which asks for presence alone. As in RabbitMQ a
/// number is equal to one of another type, a time stamp among them, and bytes to a
/// string.
fn value_matches(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Void, _) => true,
        (Value::String(a) | Value::Binary(a), Value::String(b) | Value::Binary(b)) => a == b,
        (pattern, value) => match (Number::of(pattern), Number::of(value)) {
            (Some(a), Some(b)) => a.equals(b),
            _ => pattern.same(value),
        },
    }
}

/// A number, whatever type it travelled as.
#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Int(_, n) => Self::Integer((*n).into()),
            Value::Timestamp(n) => Self::Integer((*n).into()),
            Value::F32(n) => Self::Float((*n).into()),
            Value::F64(n) => Self::Float(*n),
            _ => return None,
        })
    }

    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            // Two conversions, of which the second is exact: 2^53 + 1 is not 2^53.
            (Self::Integer(n), Self::Float(x)) | (Self::Float(x), Self::Integer(n)) => {
                n as f64 == x && x as i128 == n
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(kind: ExchangeType) -> Exchange {
        Exchange::new(ExchangeSettings::new("x", kind, &Headers::default()).unwrap())
    }

    fn routed(exchange: &Exchange, key: &str) -> Vec<Destination> {
        let mut all = Vec::new();
        exchange.route(&[key], &Properties::default(), |d| all.push(d.clone()));
        all
    }

    #[test]
    fn direct_and_fanout_and_topic() {
        let q = Destination::Queue(QueueId(1));
        for (kind, binding, key, expected) in [
            (ExchangeType::Direct, "k", "k", true),
            (ExchangeType::Direct, "k", "l", false),
            (ExchangeType::Direct, "#", "k", false),
            (ExchangeType::Fanout, "k", "l", true),
            (ExchangeType::Topic, "a.*", "a.b", true),
            (ExchangeType::Topic, "a.*", "a.b.c", false),
        ] {
            let mut x = exchange(kind);
            x.bind(&q, binding, Headers::default(), None).unwrap();
            assert_eq!(!routed(&x, key).is_empty(), expected, "{kind:?} {binding}");
        }
    }

    #[test]
    fn bindings_that_differ_in_arguments_are_separate() {
        for kind in [
            ExchangeType::Direct,
            ExchangeType::Fanout,
            ExchangeType::Topic,
        ] {
            let q = Destination::Queue(QueueId(1));
            let mut arguments = Headers::default();
            arguments.push("a", Value::long(1));
            let mut x = exchange(kind);
            x.bind(&q, "k", Headers::default(), None).unwrap();
            x.bind(&q, "k", arguments.clone(), None).unwrap();
            x.bind(&q, "k", arguments.clone(), None).unwrap();
            assert_eq!(x.binding_count(), 2);
            assert!(x.unbind(&q, "k", &arguments));
            assert!(!x.unbind(&q, "k", &arguments));
            assert_eq!(routed(&x, "k").len(), 1, "{kind:?}");
            assert!(x.unbind(&q, "k", &Headers::default()));
            assert!(routed(&x, "k").is_empty(), "{kind:?}");
            assert!(x.is_unused());
        }
    }

    #[test]
    fn unbind_all_leaves_others() {
        for kind in [
            ExchangeType::Direct,
            ExchangeType::Fanout,
            ExchangeType::Topic,
            ExchangeType::Headers,
        ] {
            let one = Destination::Queue(QueueId(1));
            let two = Destination::Exchange(Name::from("y"));
            let mut x = exchange(kind);
            for d in [&one, &two] {
                for key in ["k", "l"] {
                    x.bind(d, key, Headers::default(), None).unwrap();
                }
            }
            x.unbind_all(&one);
            let mut left = routed(&x, "k");
            left.dedup();
            assert_eq!(left, core::slice::from_ref(&two), "{kind:?}");
            assert_eq!(x.binding_count(), 2);
        }
    }
}
