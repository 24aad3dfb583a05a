//! Logins: who a connection is, and which virtual host it uses.

use super::message::Name;
use super::refusal::Refusal;
use super::request::{Credentials, Host, Identity, Login};
use super::{ConnectionId, Model, Notice, refused};

impl Model {
    /// The virtual host of that name, by number.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.vhosts
            .iter()
            .position(|vhost| *vhost.shared.name == *name)
    }

    pub(super) fn log_in(&mut self, connection: ConnectionId, login: Login) {
        let notice = self
            .admit(connection, login)
            .map_or_else(refused, |user| Notice::LoggedIn { user });
        self.notices.push_back((connection, notice));
    }

    fn admit(&mut self, connection: ConnectionId, login: Login) -> Result<Name, Refusal> {
        let Login { identity, host } = login;
        let (identity, named) = match &host {
            Host::InUserName(_) => self.host_in(identity),
            _ => (identity, None),
        };
        let user = self.attendance.name(self.rights.user(identity)?);
        let index = match host {
            Host::Later => {
                self.users.insert(connection, user.clone());
                return Ok(user);
            }
            Host::Default(default) | Host::InUserName(default) => match (named, default) {
                (Some(index), _) => index,
                (None, Some(name)) => self.host(&name)?,
                (None, None) => 0,
            },
            Host::Named(name) => self.host(&name)?,
            Host::NamedOrDefault(name, default) => match (self.find(&name), default) {
                (Some(index), _) => index,
                (None, Some(name)) => self.host(&name)?,
                (None, None) => 0,
            },
        };
        self.enter(connection, &user, index)?;
        Ok(user)
    }

    /// A connection of a user uses a virtual host from here on, if the user may.
    fn enter(
        &mut self,
        connection: ConnectionId,
        user: &Name,
        index: usize,
    ) -> Result<(), Refusal> {
        if let Some(vhost) = self.vhosts.get_mut(index) {
            let grant = self.rights.grant(user, &vhost.shared.name)?;
            let name = &vhost.shared.name;
            self.attendance.enter(connection, user, index, name)?;
            vhost.members.enter(connection, user, grant);
            self.act(index, |vhost| vhost.advise_connection(true));
        }
        Ok(())
    }

    /// The virtual host and the user that `HOST:USER` names, as in RabbitMQ.
    pub(super) fn split(&self, name: &str) -> Option<(usize, Name)> {
        let (host, user) = name.rsplit_once(':')?;
        Some((self.find(host)?, Name::from(user)))
    }

    /// The virtual host that `HOST:USER` names, and the identity without it. The whole is a
    /// user's name where there is no such host, or such a user.
    fn host_in(&self, identity: Identity) -> (Identity, Option<usize>) {
        match identity {
            Identity::Password(given) if !self.rights.accepts(&given.user, &given.password) => {
                match self.split(&given.user) {
                    Some((index, user)) => {
                        let password = given.password;
                        let given = Credentials { user, password };
                        (Identity::Password(given), Some(index))
                    }
                    None => (Identity::Password(given), None),
                }
            }
            Identity::Verified(name) => match self.split(&name) {
                Some((index, user)) => (Identity::Verified(user), Some(index)),
                None => (Identity::Verified(name), None),
            },
            other => (other, None),
        }
    }

    pub(super) fn host(&self, name: &str) -> Result<usize, Refusal> {
        self.find(name)
            .ok_or_else(|| Refusal::not_found(format_args!("vhost {name} not found")))
    }

    pub(super) fn open(&mut self, connection: ConnectionId, name: &str) {
        let user = self.users.remove(&connection);
        let user = user.unwrap_or_else(|| Name::from(""));
        let entered = self
            .host(name)
            .and_then(|index| self.enter(connection, &user, index));
        let notice = match entered {
            Ok(()) => Notice::Opened,
            Err(refusal) => refused(refusal),
        };
        self.notices.push_back((connection, notice));
    }
}
