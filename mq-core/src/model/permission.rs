//! What users may do: RabbitMQ's permissions and topic permissions.

use alloc::collections::BTreeMap;
use alloc::string::String;
use regex::{Regex, RegexBuilder};

use super::message::Name;
use super::refusal::Refusal;
use crate::config::{Permission, TopicPermission};

/// Most memory that one regular expression may take, compiled.
const LARGEST: usize = 1 << 20;

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

#[derive(Debug, Clone)]
enum Keys {
    Matching(Regex),
    /// It names the client, who is not known yet.
    OfClient(String),
}

/// Compiles a pattern of the configuration. It matches anywhere in a name; an empty one
/// matches the empty name alone, as in RabbitMQ.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = if pattern.is_empty() { "^$" } else { pattern };
    RegexBuilder::new(pattern).size_limit(LARGEST).build()
}

/// What stands for the client identifier of an MQTT client.
const CLIENT: &str = "{client_id}";

impl Keys {
    /// A pattern in which `{username}` and `{vhost}` stand for themselves.
    fn new(pattern: &str, permission: &TopicPermission) -> Result<Self, regex::Error> {
        let pattern = pattern
            .replace("{username}", &regex::escape(&permission.user))
            .replace("{vhost}", &regex::escape(&permission.virtual_host));
        if pattern.contains(CLIENT) {
            // Whether it is one is seen now.
            compile(&pattern.replace(CLIENT, "client"))?;
            return Ok(Self::OfClient(pattern));
        }
        compile(&pattern).map(Keys::Matching)
    }

    fn name(&mut self, client: &str) {
        if let Self::OfClient(pattern) = self
            && let Ok(regex) = compile(&pattern.replace(CLIENT, &regex::escape(client)))
        {
            *self = Self::Matching(regex);
        }
    }

    fn allow(&self, key: &str) -> bool {
        match self {
            Self::Matching(regex) => regex.is_match(key),
            Self::OfClient(_) => false,
        }
    }
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
        let topics = Topics {
            write: Keys::new(&permission.write, permission)?,
            read: Keys::new(&permission.read, permission)?,
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
