//! Users, who may come in, and what each may do.

mod grant;
mod members;
mod request;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use super::message::Name;
use super::refusal::Refusal;
use super::request::Identity;
use crate::config::{Config, ConfigError};
pub(crate) use grant::Grant;
pub(crate) use members::Members;
pub(crate) use request::Known;

/// The users of the broker.
#[derive(Debug)]
pub(crate) struct Rights {
    passwords: BTreeMap<String, String>,
    /// Who gives no credentials may come in, as [`ANONYMOUS`].
    allow_anonymous: bool,
    /// What each user may do in each virtual host; None: everything.
    grants: Option<BTreeMap<String, BTreeMap<String, Arc<Grant>>>>,
}

/// The user that nobody in particular is.
const ANONYMOUS: &str = "guest";

impl Rights {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            passwords: config.users.clone(),
            allow_anonymous: config.allow_anonymous,
            grants: match config.permissions.is_empty() && config.topic_permissions.is_empty() {
                true => None,
                false => Some(grants(config)?),
            },
        })
    }

    /// What a user may do in a virtual host; None: everything.
    pub(super) fn grant(&self, user: &str, host: &str) -> Result<Option<Arc<Grant>>, Refusal> {
        let Some(grants) = &self.grants else {
            return Ok(None);
        };
        match grants.get(user).and_then(|hosts| hosts.get(host)) {
            Some(grant) => Ok(Some(grant.clone())),
            None => Err(Refusal::not_allowed(format_args!(
                "access to vhost '{host}' refused for user '{user}'"
            ))),
        }
    }

    /// The user who comes in with these credentials. Why one does not is for the people
    /// who run the broker, and for no client.
    pub(super) fn user(&self, identity: Identity) -> Result<Name, Refusal> {
        let refused = match identity {
            Identity::Anonymous(here) if here.unwrap_or(self.allow_anonymous) => {
                return Ok(Name::from(ANONYMOUS));
            }
            Identity::Anonymous(_) => "nobody comes in without a user",
            Identity::Verified(user) => return Ok(user),
            Identity::Refused(reason) => {
                return Err(Refusal::access_refused(format_args!("{reason}")));
            }
            Identity::Transport(user) if self.passwords.contains_key(&*user) => return Ok(user),
            Identity::Password(given) if self.accepts(&given.user, &given.password) => {
                return Ok(given.user);
            }
            Identity::Password(given) if self.passwords.contains_key(&*given.user) => {
                "the password is wrong"
            }
            Identity::Password(_) | Identity::Transport(_) => "there is no such user",
        };
        Err(Refusal::access_refused(format_args!("{refused}")))
    }

    /// The password of a user, if there is such a user.
    pub(super) fn password(&self, user: &str) -> Option<&str> {
        self.passwords.get(user).map(|password| &**password)
    }

    /// Whether the password is the user's.
    pub(crate) fn accepts(&self, user: &str, password: &[u8]) -> bool {
        self.passwords
            .get(user)
            .is_some_and(|expected| same_bytes(expected.as_bytes(), password))
    }
}

/// What the settings, which are checked, say that users may do.
fn grants(config: &Config) -> Result<BTreeMap<String, BTreeMap<String, Arc<Grant>>>, ConfigError> {
    let mut grants: BTreeMap<String, BTreeMap<String, Grant>> = BTreeMap::new();
    for permission in &config.permissions {
        let hosts = grants.entry(permission.user.clone()).or_default();
        let grant = Grant::new(permission)
            .map_err(|error| ConfigError::pattern(&permission.user, &error))?;
        hosts.insert(permission.virtual_host.clone(), grant);
    }
    for permission in &config.topic_permissions {
        let hosts = grants.get_mut(&permission.user);
        if let Some(grant) = hosts.and_then(|hosts| hosts.get_mut(&permission.virtual_host)) {
            grant
                .restrict(permission)
                .map_err(|error| ConfigError::pattern(&permission.user, &error))?;
        }
    }
    let shared = |hosts: BTreeMap<String, Grant>| {
        let hosts = hosts.into_iter();
        hosts.map(|(host, grant)| (host, Arc::new(grant))).collect()
    };
    let users = grants.into_iter();
    Ok(users.map(|(user, hosts)| (user, shared(hosts))).collect())
}

/// Compares without telling by its time where two secrets differ.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}
