//! The names that a connection published under last.

use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Name, swap_separators};

/// A name that messages share for as long as their publisher says the same one.
#[derive(Debug, Default)]
pub(super) struct LastName(Name);

impl LastName {
    pub(super) fn of(&mut self, name: &str) -> Name {
        if *self.0 != *name {
            self.0 = Name::from(name);
        }
        self.0.clone()
    }
}

/// The names of an exchange and a routing key.
#[derive(Debug, Default)]
pub(super) struct LastRoute {
    pub(super) exchange: LastName,
    pub(super) routing_key: LastName,
}

/// An MQTT topic, with the names that it is published under.
#[derive(Debug, Default, Clone)]
pub(super) struct LastTopic {
    pub(super) topic: Name,
    pub(super) exchange: Name,
    pub(super) routing_key: Name,
}

impl LastTopic {
    pub(super) fn of(&mut self, topic: &str) -> Self {
        if self.exchange.is_empty() {
            self.exchange = Name::from(TOPIC_EXCHANGE);
        }
        if *self.topic != *topic {
            self.topic = Name::from(topic);
            self.routing_key = Name::from(swap_separators(topic));
        }
        self.clone()
    }
}
