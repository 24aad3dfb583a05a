//! What those who run the broker change while it runs.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::{Policy, PolicyKind};
use crate::quota::{UserLimits, VirtualHostLimits};

/// One change, for [`Input::Administer`](crate::Input::Administer).
///
/// What is set here outlives the broker where there is a [`Store`](crate::Store). What the
/// settings of [`Config`](crate::Config) say is not stored: it holds as long as they say it,
/// and comes before what is stored under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Administration {
    /// A policy is to be there, in place of the one of its kind with that name.
    SetPolicy {
        /// Whose it is.
        kind: PolicyKind,
        /// The policy.
        policy: Policy,
    },
    /// A policy is to be gone: one that is not there is an error.
    ClearPolicy {
        /// Whose it is.
        kind: PolicyKind,
        /// The name of the virtual host.
        virtual_host: String,
        /// The name of the policy.
        name: String,
    },
    /// These policies are those of the settings from now on, and the ones before are gone:
    /// [`Config::policies`](crate::Config::policies) and
    /// [`Config::operator_policies`](crate::Config::operator_policies) were read again.
    ReplacePolicies {
        /// The ordinary ones.
        policies: Vec<Policy>,
        /// Those of the operator.
        operator_policies: Vec<Policy>,
    },
    /// These limits are those of the settings from now on, for who comes then:
    /// [`Config::user_limits`](crate::Config::user_limits) and
    /// [`Config::virtual_host_limits`](crate::Config::virtual_host_limits) were read again.
    ReplaceLimits {
        /// By the name of the user.
        users: BTreeMap<String, UserLimits>,
        /// By the name of the virtual host.
        virtual_hosts: BTreeMap<String, VirtualHostLimits>,
    },
    /// Every message that is published or delivered in a virtual host is copied to the exchange
    /// `amq.rabbitmq.trace` from now on, or no longer: RabbitMQ's firehose. Its key is
    /// `publish.EXCHANGE` or `deliver.QUEUE`, and its headers tell of the message. It costs
    /// much. It is off when the broker begins.
    SetTracing {
        /// The name of the virtual host.
        virtual_host: String,
        /// Whether they are.
        on: bool,
    },
}
