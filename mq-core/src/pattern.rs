//! Patterns of permissions: regular expressions, as in RabbitMQ.

use alloc::string::String;
use regex::{Regex, RegexBuilder};

/// Most memory that one regular expression may take, compiled.
const LARGEST: usize = 1 << 20;

/// Compiles a pattern of the configuration. It matches anywhere in a name; an empty one
/// matches the empty name alone, as in RabbitMQ.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    search(if pattern.is_empty() { "^$" } else { pattern })
}

/// Compiles a pattern that matches anywhere in a name, an empty one in every name.
pub(crate) fn search(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(LARGEST).build()
}

/// What stands for the client identifier of an MQTT client.
const CLIENT: &str = "{client_id}";

/// Which routing keys a user may use.
#[derive(Debug, Clone)]
pub(crate) enum Keys {
    Matching(Regex),
    /// It names the client, who is not known yet.
    OfClient(String),
}

impl Keys {
    /// A pattern in which `{username}` and `{vhost}` stand for the user and the virtual host.
    pub(crate) fn new(pattern: &str, user: &str, host: &str) -> Result<Self, regex::Error> {
        let pattern = pattern
            .replace("{username}", &regex::escape(user))
            .replace("{vhost}", &regex::escape(host));
        if pattern.contains(CLIENT) {
            // Whether it is one is seen now.
            compile(&pattern.replace(CLIENT, "client"))?;
            return Ok(Self::OfClient(pattern));
        }
        compile(&pattern).map(Keys::Matching)
    }

    /// It is the client of that identifier.
    pub(crate) fn name(&mut self, client: &str) {
        if let Self::OfClient(pattern) = self
            && let Ok(regex) = compile(&pattern.replace(CLIENT, &regex::escape(client)))
        {
            *self = Self::Matching(regex);
        }
    }

    pub(crate) fn allow(&self, key: &str) -> bool {
        match self {
            Self::Matching(regex) => regex.is_match(key),
            Self::OfClient(_) => false,
        }
    }
}
