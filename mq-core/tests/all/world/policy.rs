//! Policies, and how they are set while the broker runs.

use super::World;
use mq_core::{Administration, ApplyTo, Policy, PolicyKind, PolicyValue};

/// One of the first virtual host, for queues and exchanges.
pub(crate) fn policy(name: &str, pattern: &str, definition: &[(&str, PolicyValue)]) -> Policy {
    Policy {
        virtual_host: "/".into(),
        name: name.into(),
        pattern: pattern.into(),
        apply_to: ApplyTo::All,
        priority: 0,
        definition: definition
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()))
            .collect(),
    }
}

pub(crate) fn set(world: &mut World, kind: PolicyKind, policy: Policy) {
    let done = world.administer(Administration::SetPolicy { kind, policy });
    assert_eq!(done, Some(Ok(())));
}
