//! Who is here: the connections and channels of each user and virtual host, and how many there
//! may be.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::ConnectionId;
use super::message::Name;
use super::refusal::Refusal;
use crate::quota::{UserLimits, VirtualHostLimits};

/// A virtual host, by number.
type Host = usize;

/// The connections that use a virtual host.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    user_limits: BTreeMap<String, UserLimits>,
    host_limits: BTreeMap<String, VirtualHostLimits>,
    /// Those that were set while the broker runs. Of a user, the virtual host in whose part of
    /// the log they are.
    set_users: BTreeMap<Name, (Host, UserLimits)>,
    set_hosts: BTreeMap<Name, VirtualHostLimits>,
    present: BTreeMap<ConnectionId, Present>,
    hosts: BTreeMap<Host, u32>,
    users: BTreeMap<Name, Had>,
}

#[derive(Debug)]
struct Present {
    user: Name,
    host: Host,
    channels: u32,
}

/// What a user has.
#[derive(Debug, Default)]
struct Had {
    connections: u32,
    channels: u32,
}

impl Attendance {
    /// Nobody, and how many there may be.
    pub(super) fn new(
        user_limits: BTreeMap<String, UserLimits>,
        host_limits: BTreeMap<String, VirtualHostLimits>,
    ) -> Self {
        Self {
            user_limits,
            host_limits,
            ..Self::default()
        }
    }

    /// How many queues a virtual host may have.
    pub(super) fn queues(&self, host: &str, limit: usize) -> usize {
        let most = self.of_host(host).and_then(|limits| limits.max_queues);
        most.map_or(limit, |most| limit.min(most as usize))
    }

    /// Changes the limits. Connections and channels that are open stay open.
    pub(super) fn set_limits(
        &mut self,
        user_limits: BTreeMap<String, UserLimits>,
        host_limits: BTreeMap<String, VirtualHostLimits>,
    ) {
        self.user_limits = user_limits;
        self.host_limits = host_limits;
    }

    /// Those of the settings come before those that were set.
    fn of_user(&self, user: &str) -> Option<&UserLimits> {
        let set = || self.set_users.get(user).map(|(_, limits)| limits);
        self.user_limits.get(user).or_else(set)
    }

    fn of_host(&self, host: &str) -> Option<&VirtualHostLimits> {
        let set = || self.set_hosts.get(host);
        self.host_limits.get(host).or_else(set)
    }

    /// Whether the settings have limits of a user.
    pub(super) fn is_configured_user(&self, user: &str) -> bool {
        self.user_limits.contains_key(user)
    }

    pub(super) fn is_configured_host(&self, host: &str) -> bool {
        self.host_limits.contains_key(host)
    }

    /// Sets the limits of a user, or clears them. Returns the virtual host in whose part of the
    /// log that is: this one, unless it was another before.
    pub(super) fn set_user(&mut self, host: Host, user: &Name, limits: UserLimits) -> Host {
        let host = self.set_users.get(user).map_or(host, |(host, _)| *host);
        if limits == UserLimits::default() {
            self.set_users.remove(user);
        } else {
            self.set_users.insert(user.clone(), (host, limits));
        }
        host
    }

    /// The same of a virtual host.
    pub(super) fn set_host(&mut self, host: &Name, limits: VirtualHostLimits) {
        if limits == VirtualHostLimits::default() {
            self.set_hosts.remove(host);
        } else {
            self.set_hosts.insert(host.clone(), limits);
        }
    }

    /// The virtual host that a connection uses.
    pub(super) fn host_of(&self, connection: ConnectionId) -> Option<Host> {
        self.present.get(&connection).map(|present| present.host)
    }

    /// The name of a user, which all connections of the user share.
    pub(super) fn name(&self, user: Name) -> Name {
        match self.users.get_key_value(&user) {
            Some((known, _)) => known.clone(),
            None => user,
        }
    }

    /// A connection of a user comes to a virtual host, if there is room: else in the words of
    /// RabbitMQ.
    pub(super) fn enter(
        &mut self,
        connection: ConnectionId,
        user: &Name,
        host: Host,
        host_name: &str,
    ) -> Result<(), Refusal> {
        let limits = self.of_host(host_name);
        if let Some(most) = limits.and_then(|limits| limits.max_connections)
            && self.hosts.get(&host).copied().unwrap_or_default() >= most
        {
            return Err(Refusal::not_allowed(format_args!(
                "access to vhost '{host_name}' refused for user '{user}': connection limit \
                 ({most}) is reached"
            )));
        }
        let limits = self.of_user(user);
        let has = self.users.get(user).map_or(0, |had| had.connections);
        if let Some(most) = limits.and_then(|limits| limits.max_connections)
            && has >= most
        {
            return Err(Refusal::not_allowed(format_args!(
                "connection refused for user '{user}': user connection limit ({most}) is reached"
            )));
        }
        // It has used another one before, or none.
        self.leave(connection);
        *self.hosts.entry(host).or_default() += 1;
        self.users.entry(user.clone()).or_default().connections += 1;
        let user = user.clone();
        let channels = 0;
        let present = Present {
            user,
            host,
            channels,
        };
        self.present.insert(connection, present);
        Ok(())
    }

    /// A connection opens a channel, if its user may have one more.
    pub(super) fn open_channel(&mut self, connection: ConnectionId) -> Result<(), Refusal> {
        let user = self.present.get(&connection).map(|present| &*present.user);
        let limits = user.and_then(|user| self.of_user(user));
        let most = limits.and_then(|limits| limits.max_channels);
        let Some(present) = self.present.get_mut(&connection) else {
            return Ok(());
        };
        let Some(had) = self.users.get_mut(&present.user) else {
            return Ok(());
        };
        if let Some(most) = most
            && had.channels >= most
        {
            return Err(Refusal::not_allowed(format_args!(
                "number of channels opened for user '{}' has reached the maximum allowed user \
                 limit of ({most})",
                present.user
            )));
        }
        had.channels += 1;
        present.channels += 1;
        Ok(())
    }

    /// A channel of a connection is closed.
    pub(super) fn close_channel(&mut self, connection: ConnectionId) {
        if let Some(present) = self.present.get_mut(&connection)
            && present.channels > 0
            && let Some(had) = self.users.get_mut(&present.user)
        {
            present.channels -= 1;
            had.channels -= 1;
        }
    }

    /// A connection is gone. Returns the virtual host that it used.
    pub(super) fn leave(&mut self, connection: ConnectionId) -> Option<Host> {
        let Present {
            user,
            host,
            channels,
        } = self.present.remove(&connection)?;
        if let Some(count) = self.hosts.get_mut(&host) {
            *count -= 1;
        }
        if let Some(had) = self.users.get_mut(&user) {
            had.connections -= 1;
            had.channels -= channels;
            if had.connections == 0 {
                self.users.remove(&user);
            }
        }
        Some(host)
    }
}
