//! Who is here: the connections and channels of each user and virtual host, and how many there
//! may be.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::ConnectionId;
use super::message::Name;
use super::refusal::Refusal;
use crate::number_map::NumberMap;
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
    present: NumberMap<ConnectionId, Present>,
    hosts: BTreeMap<Host, u32>,
    /// Users that have connections, by number.
    users: BTreeMap<u64, User>,
    numbers: BTreeMap<Name, u64>,
    last_user: u64,
}

/// One of as many as there are connections.
#[derive(Debug, Clone, Copy)]
struct Present {
    /// The number of the user.
    user: u64,
    host: u32,
    channels: u32,
}

/// A user, and what it has.
#[derive(Debug)]
struct User {
    name: Name,
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
        let present = self.present.get(&connection)?;
        Some(present.host as Host)
    }

    /// The name of a user, which all connections of the user share.
    pub(super) fn name(&self, user: Name) -> Name {
        match self.numbers.get_key_value(&user) {
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
        let known = self.numbers.get(user).and_then(|it| self.users.get(it));
        let has = known.map_or(0, |user| user.connections);
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
        let present = Present {
            user: self.count(user),
            host: host as u32,
            channels: 0,
        };
        self.present.insert(connection, present);
        Ok(())
    }

    /// Counts a connection more of a user, whose number is returned.
    fn count(&mut self, name: &Name) -> u64 {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                self.last_user += 1;
                self.numbers.insert(name.clone(), self.last_user);
                self.last_user
            }
        };
        let user = self.users.entry(number).or_insert_with(|| User {
            name: name.clone(),
            connections: 0,
            channels: 0,
        });
        user.connections += 1;
        number
    }

    /// A connection opens a channel, if its user may have one more.
    pub(super) fn open_channel(&mut self, connection: ConnectionId) -> Result<(), Refusal> {
        let Some(number) = self.present.get(&connection).map(|present| present.user) else {
            return Ok(());
        };
        let Some(user) = self.users.get(&number) else {
            return Ok(());
        };
        let limits = self.of_user(&user.name);
        if let Some(most) = limits.and_then(|limits| limits.max_channels)
            && user.channels >= most
        {
            return Err(Refusal::not_allowed(format_args!(
                "number of channels opened for user '{}' has reached the maximum allowed user \
                 limit of ({most})",
                user.name
            )));
        }
        if let Some(user) = self.users.get_mut(&number)
            && let Some(present) = self.present.get_mut(&connection)
        {
            user.channels += 1;
            present.channels += 1;
        }
        Ok(())
    }

    /// A channel of a connection is closed.
    pub(super) fn close_channel(&mut self, connection: ConnectionId) {
        if let Some(present) = self.present.get_mut(&connection)
            && present.channels > 0
            && let Some(user) = self.users.get_mut(&present.user)
        {
            present.channels -= 1;
            user.channels -= 1;
        }
    }

    /// A connection is gone. Returns the virtual host that it used.
    pub(super) fn leave(&mut self, connection: ConnectionId) -> Option<Host> {
        let Present {
            user,
            host,
            channels,
        } = self.present.remove(&connection)?;
        let host = host as Host;
        if let Some(count) = self.hosts.get_mut(&host) {
            *count -= 1;
        }
        if let Some(has) = self.users.get_mut(&user) {
            has.connections -= 1;
            has.channels -= channels;
            if has.connections == 0 {
                self.numbers.remove(&has.name);
                self.users.remove(&user);
            }
        }
        Some(host)
    }
}
