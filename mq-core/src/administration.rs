//! Changes that an administrator makes while the broker runs.

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
    /// Sets a policy, in place of the one of its kind with that name.
    SetPolicy {
        /// Whose it is.
        kind: PolicyKind,
        /// The policy.
        policy: Policy,
    },
    /// Removes a policy. It is an error if there is none of that name.
    ClearPolicy {
        /// Whose it is.
        kind: PolicyKind,
        /// The name of the virtual host.
        virtual_host: String,
        /// The name of the policy.
        name: String,
    },
    /// Replaces the policies of the settings, that is
    /// [`Config::policies`](crate::Config::policies) and
    /// [`Config::operator_policies`](crate::Config::operator_policies).
    ReplacePolicies {
        /// The ordinary ones.
        policies: Vec<Policy>,
        /// Those of the operator.
        operator_policies: Vec<Policy>,
    },
    /// Replaces the limits of the settings, that is
    /// [`Config::user_limits`](crate::Config::user_limits) and
    /// [`Config::virtual_host_limits`](crate::Config::virtual_host_limits). Connections,
    /// channels and queues that are above a new limit stay.
    ReplaceLimits {
        /// By the name of the user.
        users: BTreeMap<String, UserLimits>,
        /// By the name of the virtual host.
        virtual_hosts: BTreeMap<String, VirtualHostLimits>,
    },
    /// Sets the limits of a user, in place of those that it had: those without any clear them.
    /// It is an error if the settings have limits of that user. Connections and channels that
    /// are above a new limit stay.
    SetUserLimits {
        /// The name of the user.
        user: String,
        /// What it may have.
        limits: UserLimits,
    },
    /// The same of a virtual host. Queues that are above a new limit stay as well.
    SetVirtualHostLimits {
        /// Its name.
        virtual_host: String,
        /// What it may have.
        limits: VirtualHostLimits,
    },
    /// Switches RabbitMQ's firehose on or off: every message that is published or delivered in a
    /// virtual host is copied to the exchange `amq.rabbitmq.trace`. The routing key of a copy is
    /// `publish.EXCHANGE` or `deliver.QUEUE`, and its headers describe the message. It is slow,
    /// and off when the broker starts.
    SetTracing {
        /// The name of the virtual host.
        virtual_host: String,
        /// Whether it is on.
        on: bool,
    },
}
