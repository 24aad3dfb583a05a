//! Policies: set, cleared, and put in force for what is there.

use alloc::boxed::Box;

use super::{VirtualHost, Work};
use crate::model::change::{Change, KeptPolicy};
use crate::model::message::Name;
use crate::model::policy::Configured;
use crate::model::queue::QueueId;
use crate::model::refusal::Refusal;
use crate::policy::{Policy, PolicyKind};

/// How far the policies have been put in force: for those after this one they have not.
#[derive(Debug)]
pub(crate) enum Applied {
    Exchange(Option<Name>),
    Queue(Option<QueueId>),
}

impl VirtualHost {
    /// A policy is to be there.
    pub(crate) fn set_policy(&mut self, kind: PolicyKind, policy: Policy) -> Result<(), Refusal> {
        self.refuse_configured(kind, &policy.name)?;
        self.shared.policies.set(kind, policy.clone())?;
        let kept = KeptPolicy { kind, policy };
        self.shared.changes.push(Change::Policy(Box::new(kept)));
        self.apply_policies();
        Ok(())
    }

    /// A policy is to be gone.
    pub(crate) fn clear_policy(&mut self, kind: PolicyKind, name: &str) -> Result<(), Refusal> {
        self.refuse_configured(kind, name)?;
        if !self.shared.policies.clear(kind, name) {
            return Err(self.shared.not_found("policy", name));
        }
        let name = Name::from(name);
        self.shared
            .changes
            .push(Change::PolicyCleared { kind, name });
        self.apply_policies();
        Ok(())
    }

    /// The settings have these policies now.
    pub(crate) fn replace_policies(&mut self, configured: Configured) {
        self.shared.policies.replace_configured(configured);
        self.apply_policies();
    }

    fn refuse_configured(&self, kind: PolicyKind, name: &str) -> Result<(), Refusal> {
        if self.shared.policies.is_configured(kind, name) {
            return Err(Refusal::precondition_failed(format_args!(
                "policy '{name}' in vhost '{}' is one of the settings",
                self.shared.name
            )));
        }
        Ok(())
    }

    pub(super) fn apply_policies(&mut self) {
        self.begin(None, Work::ApplyPolicies(Applied::Exchange(None)));
    }

    /// Puts the policies in force for the next exchange or queue. Returns whether there was
    /// one.
    pub(super) fn advance_policies(&mut self, applied: &mut Applied) -> bool {
        match applied {
            Applied::Exchange(last) => {
                *last = self
                    .exchanges
                    .apply_policies(&mut self.shared, last.as_ref());
                if last.is_none() {
                    *applied = Applied::Queue(None);
                }
            }
            Applied::Queue(last) => {
                *last = self.queues.apply_policies(&mut self.shared, *last);
                return last.is_some();
            }
        }
        true
    }
}
