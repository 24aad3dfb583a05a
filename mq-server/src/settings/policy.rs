//! Policies as people write them.

use std::collections::BTreeMap;

use mq_core::{ApplyTo, Policy, PolicyValue};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A table of `policies` or `operator_policies`, with RabbitMQ's names.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyTable {
    name: String,
    virtual_host: String,
    pattern: String,
    #[serde(default)]
    apply_to: To,
    #[serde(default)]
    priority: i64,
    definition: BTreeMap<String, Says>,
}

#[derive(Clone, Copy, Debug, Default)]
struct To(ApplyTo);

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        ApplyTo::parse(&name).map(Self).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{name:?} is nothing that a policy applies to: write all, exchanges, queues, \
                 classic_queues, quorum_queues or streams"
            ))
        })
    }
}

impl Serialize for To {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Says {
    Number(i64),
    Text(String),
}

impl From<Policy> for PolicyTable {
    fn from(policy: Policy) -> Self {
        let Policy {
            virtual_host,
            name,
            pattern,
            apply_to,
            priority,
            definition,
        } = policy;
        let definition = definition.into_iter().map(|(key, value)| {
            let says = match value {
                PolicyValue::Number(number) => Says::Number(number),
                PolicyValue::Text(text) => Says::Text(text),
            };
            (key, says)
        });
        Self {
            name,
            virtual_host,
            pattern,
            apply_to: To(apply_to),
            priority,
            definition: definition.collect(),
        }
    }
}

impl From<PolicyTable> for Policy {
    fn from(table: PolicyTable) -> Self {
        let PolicyTable {
            name,
            virtual_host,
            pattern,
            apply_to,
            priority,
            definition,
        } = table;
        let definition = definition.into_iter().map(|(key, says)| {
            let value = match says {
                Says::Number(number) => PolicyValue::Number(number),
                Says::Text(text) => PolicyValue::Text(text),
            };
            (key, value)
        });
        Self {
            virtual_host,
            name,
            pattern,
            apply_to: apply_to.0,
            priority,
            definition: definition.collect(),
        }
    }
}
