//! Which policies are in force for a queue or an exchange, and what they make of its
//! arguments.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cmp::Reverse;
use regex::Regex;

use super::message::{Headers, Name, Value};
use super::refusal::Refusal;
use crate::policy::{ALTERNATE, ApplyTo, KEYS, Key, Merge, Policy, PolicyKind, PolicyValue};

/// A policy that is ready to be used.
#[derive(Debug)]
struct Compiled {
    pattern: Regex,
    /// What it says, by argument.
    says: BTreeMap<&'static str, Value>,
    policy: Policy,
}

impl Compiled {
    fn new(kind: PolicyKind, policy: Policy) -> Result<Self, Refusal> {
        let pattern = policy.compile(kind).map_err(|text| {
            Refusal::precondition_failed(format_args!("Validation failed: {text}"))
        })?;
        let says = policy.definition.iter().filter_map(|(name, value)| {
            let value = match value {
                PolicyValue::Number(number) => Value::long(*number),
                PolicyValue::Text(text) => Value::string(text),
            };
            Some((Key::find(kind, name)?.argument, value))
        });
        Ok(Self {
            pattern,
            says: says.collect(),
            policy,
        })
    }

    /// Whether it is for what has this name: an exchange, or a queue of one type.
    fn is_for(&self, subject: ApplyTo, name: &str) -> bool {
        let fits = match self.policy.apply_to {
            ApplyTo::All => true,
            ApplyTo::Queues => subject != ApplyTo::Exchanges,
            one => one == subject,
        };
        fits && self.pattern.is_match(name)
    }
}

/// The policies of one kind.
#[derive(Debug, Default)]
struct OfKind {
    /// Those of the settings.
    configured: BTreeMap<Name, Compiled>,
    /// Those that were set since.
    set: BTreeMap<Name, Compiled>,
}

impl OfKind {
    fn all(&self) -> impl Iterator<Item = (&Name, &Compiled)> {
        let shown = |(name, _): &(&Name, &Compiled)| !self.configured.contains_key(*name);
        self.configured.iter().chain(self.set.iter().filter(shown))
    }

    /// The one that is in force.
    fn find(&self, subject: ApplyTo, name: &str) -> Option<&Compiled> {
        self.all()
            .filter(|(_, policy)| policy.is_for(subject, name))
            .max_by_key(|(name, policy)| (policy.policy.priority, Reverse(*name)))
            .map(|(_, policy)| policy)
    }
}

/// The policies of a virtual host.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    ordinary: OfKind,
    operator: OfKind,
}

/// Policies that can take the place of those of the settings.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    ordinary: BTreeMap<Name, Compiled>,
    operator: BTreeMap<Name, Compiled>,
}

impl Configured {
    /// The policies that are for one virtual host.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be used, and its name.
    pub(crate) fn new(
        virtual_host: &str,
        policies: &[Policy],
        operator_policies: &[Policy],
    ) -> Result<Self, (String, Refusal)> {
        let compiled = |kind, policies: &[Policy]| {
            let mine = policies.iter();
            let mine = mine.filter(|policy| policy.virtual_host == virtual_host);
            let compiled = mine.map(|policy| {
                let compiled = Compiled::new(kind, policy.clone());
                let compiled = compiled.map_err(|refusal| (policy.name.clone(), refusal))?;
                Ok((Name::from(&*policy.name), compiled))
            });
            compiled.collect::<Result<_, _>>()
        };
        Ok(Self {
            ordinary: compiled(PolicyKind::Ordinary, policies)?,
            operator: compiled(PolicyKind::Operator, operator_policies)?,
        })
    }
}

impl Policies {
    pub(crate) fn replace_configured(&mut self, configured: Configured) {
        self.ordinary.configured = configured.ordinary;
        self.operator.configured = configured.operator;
    }

    fn kind(&self, kind: PolicyKind) -> &OfKind {
        match kind {
            PolicyKind::Ordinary => &self.ordinary,
            PolicyKind::Operator => &self.operator,
        }
    }

    fn kind_mut(&mut self, kind: PolicyKind) -> &mut OfKind {
        match kind {
            PolicyKind::Ordinary => &mut self.ordinary,
            PolicyKind::Operator => &mut self.operator,
        }
    }

    /// Whether the settings have one of that name, which nobody changes but they.
    pub(crate) fn is_configured(&self, kind: PolicyKind, name: &str) -> bool {
        self.kind(kind).configured.contains_key(name)
    }

    pub(crate) fn set(&mut self, kind: PolicyKind, policy: Policy) -> Result<(), Refusal> {
        let name = Name::from(&*policy.name);
        let compiled = Compiled::new(kind, policy)?;
        self.kind_mut(kind).set.insert(name, compiled);
        Ok(())
    }

    /// Returns whether it was there.
    pub(crate) fn clear(&mut self, kind: PolicyKind, name: &str) -> bool {
        self.kind_mut(kind).set.remove(name).is_some()
    }

    /// All of one kind.
    pub(crate) fn iter(&self, kind: PolicyKind) -> impl Iterator<Item = &Policy> {
        self.kind(kind).all().map(|(_, compiled)| &compiled.policy)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are: so many are looked at for each name.
    pub(crate) fn len(&self) -> usize {
        let of = |kind: &OfKind| kind.configured.len() + kind.set.len();
        of(&self.ordinary) + of(&self.operator)
    }

    /// The arguments that hold for a queue of a type that was declared with these, if
    /// policies have anything to do with it. `takes` says which arguments that type has.
    pub(crate) fn for_queue(
        &self,
        name: &str,
        queues: ApplyTo,
        takes: impl Fn(&str) -> bool,
        declared: &Headers,
    ) -> Option<Headers> {
        let ordinary = self.ordinary.find(queues, name);
        let operator = self.operator.find(queues, name);
        if ordinary.is_none() && operator.is_none() {
            return None;
        }
        let says = |policy: Option<&Compiled>, key: &Key| {
            policy.and_then(|policy| policy.says.get(key.argument).cloned())
        };
        let mut arguments = declared.clone();
        for key in KEYS.iter().filter(|key| takes(key.argument)) {
            let policy = match (says(ordinary, key), says(operator, key)) {
                (Some(ours), Some(operators)) => Some(limit(key, ours, operators)),
                (ours, operators) => ours.or(operators),
            };
            let value = match (arguments.get(key.argument).cloned(), policy) {
                (Some(argument), Some(policy)) => combine(key, argument, policy),
                (argument, policy) => match argument.or(policy) {
                    Some(value) => value,
                    None => continue,
                },
            };
            arguments.set(key.argument, value);
        }
        Some(arguments)
    }

    /// The alternate of an exchange that was declared with this one.
    pub(crate) fn alternate(&self, name: &str, declared: Option<&Name>) -> Option<Name> {
        if let Some(declared) = declared {
            return Some(declared.clone());
        }
        let policy = self.ordinary.find(ApplyTo::Exchanges, name)?;
        policy.says.get(ALTERNATE)?.as_str().map(Name::from)
    }
}

/// What a policy and an operator policy say together.
fn limit(key: &Key, policy: Value, operator: Value) -> Value {
    match key.merge {
        Merge::Argument => operator,
        Merge::Lower | Merge::LowerLimit => lower(key, policy, operator),
    }
}

/// What an argument and the policies say together.
fn combine(key: &Key, argument: Value, policy: Value) -> Value {
    match key.merge {
        Merge::Argument => argument,
        Merge::Lower | Merge::LowerLimit => lower(key, argument, policy),
    }
}

fn lower(key: &Key, a: Value, b: Value) -> Value {
    let (Some(first), Some(second)) = (a.as_int(), b.as_int()) else {
        return a;
    };
    let no_limit = key.merge == Merge::LowerLimit && first.min(second) < 0;
    let takes_first = if no_limit {
        first >= second
    } else {
        first <= second
    };
    if takes_first { a } else { b }
}
