//! Retained messages (MQTT 5.0 section 3.3.1.3).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::time::Duration;

use crate::limits::Limits;
use crate::model::message::{Message, Name, swap_separators};
use crate::model::topic::filter_matches;

/// The last retained message of each topic.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// By topic name.
    messages: BTreeMap<Name, Arc<Message>>,
    /// Sizes of the bodies, added up.
    bytes: usize,
    /// Those with a time to live, by the moment at which it is over.
    expiries: BTreeSet<(Duration, Name)>,
}

fn expiry(message: &Message) -> Option<Duration> {
    let ttl = message.properties.expiration?;
    Some(message.published.saturating_add(ttl))
}

impl Retained {
    /// Stores a message that has RETAIN set, or removes the one that is stored
    /// when the body is empty. What is beyond the limits is not stored, and false
    /// returned; the one before it is gone all the same: it is not the last any
    /// more.
    pub(super) fn store(&mut self, message: &Arc<Message>, limits: &Limits, now: Duration) -> bool {
        let topic = swap_separators(&message.routing_key);
        self.remove(&topic);
        if message.body.is_empty() {
            return true;
        }
        self.expire(now);
        let bytes = self.bytes + message.size();
        if self.messages.len() >= limits.retained_messages || bytes > limits.retained_bytes {
            return false;
        }
        let topic = Name::from(topic);
        if let Some(at) = expiry(message) {
            self.expiries.insert((at, topic.clone()));
        }
        self.bytes = bytes;
        self.messages.insert(topic, message.clone());
        true
    }

    /// Removes those whose time is over.
    fn expire(&mut self, now: Duration) {
        while let Some((at, topic)) = self.expiries.pop_first() {
            if at > now {
                self.expiries.insert((at, topic));
                return;
            }
            self.remove(&topic);
        }
    }

    fn remove(&mut self, topic: &str) {
        if let Some((topic, message)) = self.messages.remove_entry(topic) {
            self.bytes -= message.size();
            if let Some(at) = expiry(&message) {
                self.expiries.remove(&(at, topic));
            }
        }
    }

    /// The retained messages that match a filter, in the order of their topics.
    /// Those whose time is over are removed.
    pub(super) fn matching(
        &mut self,
        filter: &str,
        now: Duration,
        mut found: impl FnMut(&Arc<Message>),
    ) {
        // What stands before the first wildcard begins every topic that matches.
        // A wildcard also matches the level above: leave its `/` out.
        let prefix = match filter.find(['+', '#']) {
            None => filter,
            Some(at) => filter[..at].trim_end_matches('/'),
        };
        let mut expired = alloc::vec::Vec::new();
        for (topic, message) in self
            .messages
            .range::<str, _>((
                core::ops::Bound::Included(prefix),
                core::ops::Bound::Unbounded,
            ))
            .take_while(|(topic, _)| topic.starts_with(prefix))
        {
            if !filter_matches(filter, topic) {
                continue;
            }
            if message.is_expired(now) {
                expired.push(topic.clone());
            } else {
                found(message);
            }
        }
        for topic in expired {
            self.remove(&topic);
        }
    }
}
