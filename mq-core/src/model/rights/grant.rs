//! What users may do: RabbitMQ's permissions and topic permissions.

use alloc::collections::BTreeMap;
use alloc::string::String;
use regex::Regex;

use crate::config::{Permission, TopicPermission};
use crate::model::message::Name;
use crate::model::refusal::Refusal;
use crate::pattern::{Keys, compile};

/// The name under which the default exchange is held against a permission.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// What somebody wants to do with an exchange or a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Make it, or delete it.
    Configure,
    /// Put messages there.
    Write,
    /// Take messages from there.
    Read,
}

/// What is held against a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Exchange(&'a str),
    Queue(&'a str),
}

/// What one user may do in one virtual host.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    user: Name,
    virtual_host: Name,
    configure: Regex,
    write: Regex,
    read: Regex,
    /// By exchange. One that is not there is not restricted.
    topics: BTreeMap<String, Topics>,
}

/// Which routing keys of an exchange a user may use.
#[derive(Debug, Clone)]
struct Topics {
    write: Keys,
    read: Keys,
}

impl Grant {
    pub(crate) fn new(permission: &Permission) -> Result<Self, regex::Error> {
        Ok(Self {
            user: Name::from(&*permission.user),
            virtual_host: Name::from(&*permission.virtual_host),
            configure: compile(&permission.configure)?,
            write: compile(&permission.write)?,
            read: compile(&permission.read)?,
            topics: BTreeMap::new(),
        })
    }

    /// Restricts the routing keys of an exchange.
    pub(crate) fn restrict(&mut self, permission: &TopicPermission) -> Result<(), regex::Error> {
        let keys = |pattern: &str| Keys::new(pattern, &permission.user, &permission.virtual_host);
        let topics = Topics {
            write: keys(&permission.write)?,
            read: keys(&permission.read)?,
        };
        self.topics.insert(permission.exchange.clone(), topics);
        Ok(())
    }

    /// Whether a pattern names the client.
    pub(crate) fn names_client(&self) -> bool {
        self.topics.values().any(|topics| {
            [&topics.write, &topics.read]
                .into_iter()
                .any(|keys| matches!(keys, Keys::OfClient(_)))
        })
    }

    /// The same, for the MQTT client of that identifier.
    pub(crate) fn of_client(&self, client: &str) -> Self {
        let mut grant = self.clone();
        for topics in grant.topics.values_mut() {
            topics.write.name(client);
            topics.read.name(client);
        }
        grant
    }

    /// Whether the user may do that.
    pub(crate) fn check(&self, access: Access, resource: Resource<'_>) -> Result<(), Refusal> {
        let (what, name) = match resource {
            Resource::Exchange("") => ("exchange", DEFAULT_EXCHANGE),
            Resource::Exchange(name) => ("exchange", name),
            Resource::Queue(name) => ("queue", name),
        };
        let pattern = match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        };
        if pattern.is_match(name) {
            return Ok(());
        }
        Err(Refusal::access_refused(format_args!(
            "access to {what} '{name}' in vhost '{}' refused for user '{}'",
            self.virtual_host, self.user
        )))
    }

    /// Whether the user may publish to a topic exchange with that key, or bind there with
    /// it.
    pub(crate) fn check_topic(
        &self,
        access: Access,
        exchange: &str,
        key: &str,
    ) -> Result<(), Refusal> {
        let Some(topics) = self.topics.get(exchange) else {
            return Ok(());
        };
        let keys = match access {
            Access::Write => &topics.write,
            Access::Read | Access::Configure => &topics.read,
        };
        if keys.allow(key) {
            return Ok(());
        }
        Err(Refusal::access_refused(format_args!(
            "access to topic '{key}' in exchange '{exchange}' in vhost '{}' refused for user '{}'",
            self.virtual_host, self.user
        )))
    }
}
