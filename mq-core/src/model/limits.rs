//! Limits of users and virtual hosts that are set while the broker runs.

use super::Model;
use super::change::{Change, KeptLimits};
use super::message::Name;
use super::refusal::Refusal;
use crate::quota::{UserLimits, VirtualHostLimits};

fn is_configured(what: &str, name: &str) -> Refusal {
    Refusal::precondition_failed(format_args!(
        "the limits of {what} '{name}' are those of the settings"
    ))
}

impl Model {
    pub(super) fn set_user_limits(
        &mut self,
        user: &str,
        limits: UserLimits,
    ) -> Result<(), Refusal> {
        if self.attendance.is_configured_user(user) {
            return Err(is_configured("user", user));
        }
        let user = Name::from(user);
        // A user belongs to no virtual host: it is in the log of the first one.
        let host = self.attendance.set_user(0, &user, limits);
        let change = if limits == UserLimits::default() {
            Change::LimitsCleared { user: Some(user) }
        } else {
            Change::Limits(KeptLimits {
                user: Some(user),
                connections: limits.max_connections,
                others: limits.max_channels,
            })
        };
        self.act(host, |vhost| vhost.shared.changes.push(change));
        Ok(())
    }

    pub(super) fn set_host_limits(
        &mut self,
        virtual_host: &str,
        limits: VirtualHostLimits,
    ) -> Result<(), Refusal> {
        let host = self.host(virtual_host)?;
        if self.attendance.is_configured_host(virtual_host) {
            return Err(is_configured("vhost", virtual_host));
        }
        self.attendance.set_host(&Name::from(virtual_host), limits);
        self.limit_queues();
        let change = if limits == VirtualHostLimits::default() {
            Change::LimitsCleared { user: None }
        } else {
            Change::Limits(KeptLimits {
                user: None,
                connections: limits.max_connections,
                others: limits.max_queues,
            })
        };
        self.act(host, |vhost| vhost.shared.changes.push(change));
        Ok(())
    }

    /// Puts back limits that were kept in the part of a virtual host.
    pub(crate) fn restore_limits(&mut self, host: usize, limits: &KeptLimits) {
        let KeptLimits {
            user,
            connections: max_connections,
            others,
        } = limits;
        let (max_connections, others) = (*max_connections, *others);
        if let Some(user) = user {
            let limits = UserLimits {
                max_connections,
                max_channels: others,
            };
            self.attendance.set_user(host, user, limits);
        } else if let Some(vhost) = self.vhosts.get(host) {
            let limits = VirtualHostLimits {
                max_connections,
                max_queues: others,
            };
            self.attendance.set_host(&vhost.shared.name, limits);
            self.limit_queues();
        }
    }

    /// How many queues each virtual host may have.
    pub(super) fn limit_queues(&mut self) {
        for vhost in &mut self.vhosts {
            let shared = &mut vhost.shared;
            shared.limits.queues = self.attendance.queues(&shared.name, self.queues);
        }
    }
}
