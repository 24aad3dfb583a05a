//! The policies of the queue `ruled`, which an administrator changes.

use mq_core::{Administration, ApplyTo, Config, Policy, PolicyKind, PolicyValue};
use std::time::Duration;

use super::network::Network;
use super::queues;

/// What the policy that changes says: there is none, a length, a length beyond which publishes are refused, and a
/// time to live of a second.
const DEFINITIONS: [&[(&str, Value)]; 4] = [
    &[],
    &[("max-length", Value::Number(2))],
    &[
        ("max-length", Value::Number(3)),
        ("overflow", Value::Text("reject-publish")),
    ],
    &[("message-ttl", Value::Number(1_000))],
];

/// Policies that are there all the time. The one that comes before the others by its name is
/// in force only where there is no other, for its priority is lower; that of the operator
/// never, for all of them say less.
pub(super) fn configured(config: &mut Config) {
    let always = policy("always", -1, &[("max-length", Value::Number(1))]);
    config.policies = vec![always];
    let most = policy("most", 0, &[("max-length", Value::Number(4))]);
    config.operator_policies = vec![most];
}

/// How many of [`PROBES`] messages an empty queue has after two seconds, by the policy that is
/// in force.
const KEPT: [usize; DEFINITIONS.len()] = [1, 2, 3, 0];
const PROBES: usize = 5;

enum Value {
    Number(i64),
    Text(&'static str),
}

/// The policies that may be in force.
#[derive(Debug)]
pub(super) struct Rules {
    /// The last that was answered, by its number, and those that were asked for after it.
    asked: Vec<(u64, u8)>,
    last: u64,
    /// The broker has crashed since the last was asked for: any of them may be in force.
    is_unsure: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            asked: vec![(0, 0)],
            last: 0,
            is_unsure: false,
        }
    }
}

impl Rules {
    /// Asks for a policy.
    pub(super) fn ask(&mut self, choice: u8) -> (u64, Administration) {
        let choice = choice % DEFINITIONS.len() as u8;
        self.last += 1;
        self.asked.push((self.last, choice));
        self.is_unsure = false;
        let kind = PolicyKind::Ordinary;
        let action = match choice {
            0 => Administration::ClearPolicy {
                kind,
                virtual_host: "/".into(),
                name: "rule".into(),
            },
            choice => Administration::SetPolicy {
                kind,
                policy: policy("rule", 0, DEFINITIONS[usize::from(choice)]),
            },
        };
        (self.last, action)
    }

    /// The broker says that it is stored.
    pub(super) fn answered(&mut self, id: u64) {
        self.asked.retain(|(asked, _)| *asked >= id);
    }

    pub(super) fn crashed(&mut self) {
        self.is_unsure = self.asked.len() > 1;
    }

    /// What is in force in the end.
    pub(super) fn check(&self, found: Option<u8>) {
        let from = if self.is_unsure {
            0
        } else {
            self.asked.len() - 1
        };
        let mut possible = self.asked[from..].iter();
        let is_one = possible.any(|(_, choice)| Some(*choice) == found);
        assert!(is_one, "policy {found:?} is in force, of {:?}", self.asked);
    }
}

fn policy(name: &str, priority: i64, definition: &[(&str, Value)]) -> Policy {
    let value = |value: &Value| match value {
        Value::Number(number) => PolicyValue::Number(*number),
        Value::Text(text) => PolicyValue::Text((*text).into()),
    };
    Policy {
        virtual_host: "/".into(),
        name: name.into(),
        pattern: "^ruled$".into(),
        apply_to: ApplyTo::All,
        priority,
        definition: definition
            .iter()
            .map(|(key, given)| ((*key).into(), value(given)))
            .collect(),
    }
}

/// The policy that is in force for the queue, which is empty, by what it keeps.
pub(super) fn in_force(network: &mut Network) -> Option<u8> {
    queues::probe(network, "ruled", PROBES);
    network.wait(Duration::from_secs(2));
    let kept = queues::empty(network, "ruled").len();
    let found = KEPT.iter().position(|count| *count == kept)?;
    u8::try_from(found).ok()
}
