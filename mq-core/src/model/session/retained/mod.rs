//! Retained messages (MQTT 5.0 section 3.3.1.3).

mod topics;
mod walk;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::SubscriptionOptions;
use super::system::is_system;
use crate::limits::Limits;
use crate::model::message::{Message, Name};
use crate::model::topic::Segment;
use topics::Topics;

pub(super) use walk::{STEPS, Step, Walk, Walks};

/// The last retained message of each topic.
#[derive(Debug, Default)]
pub(super) struct Retained {
    topics: Topics,
    count: usize,
    /// The number of the last that was stored.
    last: u64,
    /// Sizes of the messages, added up.
    bytes: usize,
    /// The nodes of those with a time to live, by the moment at which it is over.
    expiries: BTreeSet<(Duration, u32)>,
    /// The numbers of those that are gone, until somebody takes them.
    gone: Vec<u64>,
}

impl Retained {
    /// Stores a message that has RETAIN set, or removes the one that is stored
    /// when the body is empty. What is beyond the limits is not stored, and false
    /// returned; the one before it is gone all the same: it is not the last any
    /// more.
    pub(super) fn store(&mut self, message: &Arc<Message>, limits: &Limits, now: Duration) -> bool {
        self.gone.clear();
        if message.body.is_empty() {
            self.remove(&message.routing_key);
            return true;
        }
        self.expire(now);
        self.last += 1;
        let node = self.topics.find_or_add(&message.routing_key, self.last);
        if let Some(node) = node {
            self.take(node);
            let bytes = self.bytes + message.size();
            let has_room = self.count < limits.retained_messages
                && bytes + self.topics.bytes() <= limits.retained_bytes;
            if has_room {
                self.put(node, message.clone(), self.last);
                return true;
            }
        }
        self.topics.prune(&message.routing_key);
        false
    }

    /// Puts back a message that had that number. They come by their numbers.
    pub(super) fn restore(&mut self, message: &Arc<Message>, number: u64) {
        self.last = self.last.max(number);
        if let Some(node) = self.topics.find_or_add(&message.routing_key, number) {
            self.take(node);
            self.put(node, message.clone(), number);
        }
    }

    /// Gives no message a number up to this one.
    pub(super) fn restore_last(&mut self, number: u64) {
        self.last = self.last.max(number);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The number of the last that was stored.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The numbers of those that are gone since the last one was stored.
    pub(super) fn take_gone(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.gone.drain(..)
    }

    fn put(&mut self, node: u32, message: Arc<Message>, number: u64) {
        self.count += 1;
        self.bytes += message.size();
        self.expiries.extend(message.expiry().map(|at| (at, node)));
        self.topics.put(node, message, number);
    }

    /// Removes those whose time is over.
    fn expire(&mut self, now: Duration) {
        while let Some(&(at, node)) = self.expiries.first()
            && at <= now
        {
            match self.take(node) {
                Some(message) => self.topics.prune(&message.routing_key),
                None => return,
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(node) = self.topics.find(key)
            && self.take(node).is_some()
        {
            self.topics.prune(key);
        }
    }

    /// Takes the message out of a node.
    fn take(&mut self, node: u32) -> Option<Arc<Message>> {
        let (message, number) = self.topics.take(node)?;
        // What the broker says itself was never stored.
        if !is_system(&message.routing_key) {
            self.gone.push(number);
        }
        self.count -= 1;
        self.bytes -= message.size();
        if let Some(at) = message.expiry() {
            self.expiries.remove(&(at, node));
        }
        Some(message)
    }

    /// A walk over what is retained now and matches the filter, if its first step does
    /// not end it already. The pattern is the filter as the trie wants it.
    pub(super) fn walk(
        &self,
        filter: Name,
        pattern: &[Segment],
        options: SubscriptionOptions,
        now: Duration,
    ) -> Option<Walk> {
        let mut walk = Walk::new(filter, pattern, options, &self.topics, self.last)?;
        match self.step(&mut walk, now, &mut 0) {
            Step::Found(_) | Step::Nothing => Some(walk),
            Step::End => None,
        }
    }

    /// Goes on with a walk over the messages that match its filter by one step, or by what is
    /// added to `more` besides.
    pub(super) fn step(&self, walk: &mut Walk, now: Duration, more: &mut u64) -> Step<'_> {
        walk.step(&self.topics, now, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::{Qos, swap_separators};
    use crate::model::topic::topic_filter;
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use bytes::Bytes;
    use proptest::prelude::*;

    const OPTIONS: SubscriptionOptions = SubscriptionOptions {
        qos: Qos::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        identifier: None,
    };

    fn begin(retained: &Retained, filter: &str, now: Duration) -> Option<Walk> {
        retained.walk(filter.into(), &topic_filter(filter), OPTIONS, now)
    }

    fn topics(retained: &Retained, filter: &str) -> (Vec<String>, usize) {
        let Some(mut walk) = begin(retained, filter, Duration::ZERO) else {
            return (Vec::new(), 1);
        };
        let (mut found, mut steps) = (Vec::new(), 1);
        loop {
            steps += 1;
            match retained.step(&mut walk, Duration::ZERO, &mut steps) {
                Step::Found(message) => {
                    found.push(swap_separators(&message.routing_key));
                    walk.pass();
                }
                Step::Nothing => {}
                Step::End => {
                    found.sort_unstable();
                    return (found, steps as usize);
                }
            }
        }
    }

    fn message(topic: &str, body: &str, ttl: Option<Duration>, now: Duration) -> Arc<Message> {
        let mut message = crate::model::queue::tests::message("");
        message.routing_key = swap_separators(topic).into();
        message.body = Bytes::copy_from_slice(body.as_bytes()).into();
        message.properties.expiration = ttl;
        message.published = now;
        Arc::new(message)
    }

    fn retained(topics: impl IntoIterator<Item = String>) -> Retained {
        let mut retained = Retained::default();
        for topic in topics {
            let message = message(&topic, "m", None, Duration::ZERO);
            retained.store(&message, &Limits::default(), Duration::ZERO);
        }
        retained
    }

    const FILTER: &str = "([$a!0.]{0,2}|\\+)(/([$a!0.]{0,2}|\\+)){0,3}(/#)?|#";

    /// What happens to a topic.
    #[derive(Debug, Clone)]
    enum Change {
        Store {
            topic: usize,
            ttl: Option<u64>,
        },
        Clear {
            topic: usize,
        },
        Wait,
        /// A step of the walk.
        Step,
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0..20usize, prop::option::of(1..5u64))
                .prop_map(|(topic, ttl)| Change::Store { topic, ttl }),
            (0..20usize).prop_map(|topic| Change::Clear { topic }),
            Just(Change::Wait),
            Just(Change::Step),
            Just(Change::Step),
        ]
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_matches(
            all in proptest::collection::btree_set("[$a!0./]{1,6}", 0..30),
            filter in FILTER,
        ) {
            prop_assume!(!filter.is_empty());
            let matching: Vec<String> = all
                .iter()
                .filter(|topic| mqtt_codec::topic::matches(&filter, topic))
                .cloned()
                .collect();
            let (found, _) = topics(&retained(all), &filter);
            prop_assert_eq!(found, matching);
        }

        /// A walk finds once what it was for and is still there, nothing else, and the
        /// trie is empty after all is gone.
        #[test]
        fn topics_come_and_go_while_a_walk_rests(
            all in proptest::collection::vec("[$a0](/[$a0]?){0,3}|(/[$a0]?){1,3}", 20),
            filter in FILTER,
            before in proptest::collection::vec(change(), 0..30),
            during in proptest::collection::vec(change(), 0..60),
        ) {
            prop_assume!(!filter.is_empty());
            let mut retained = Retained::default();
            let limits = Limits::default();
            // What is retained, by a plain list: the body and when it is over.
            let mut plain: BTreeMap<&str, (String, Option<Duration>)> = BTreeMap::new();
            let mut now = Duration::ZERO;
            let mut walk = None;
            let mut wanted = BTreeMap::new();
            let mut found: Vec<(String, String)> = Vec::new();
            let begins = before.len();
            let rest = core::iter::repeat_n(Change::Step, 400);
            for (n, change) in before.into_iter().chain(during).chain(rest).enumerate() {
                if n == begins {
                    plain.retain(|_, (_, over)| over.is_none_or(|over| over > now));
                    wanted = plain.clone();
                    wanted.retain(|topic, _| mqtt_codec::topic::matches(&filter, topic));
                    walk = begin(&retained, &filter, now);
                }
                match change {
                    Change::Store { topic, ttl } => {
                        let (topic, body) = (&*all[topic], alloc::format!("{n}"));
                        let ttl = ttl.map(Duration::from_secs);
                        let message = message(topic, &body, ttl, now);
                        prop_assert!(retained.store(&message, &limits, now));
                        plain.insert(topic, (body, ttl.map(|ttl| now + ttl)));
                    }
                    Change::Clear { topic } => {
                        let message = message(&all[topic], "", None, now);
                        prop_assert!(retained.store(&message, &limits, now));
                        plain.remove(&*all[topic]);
                    }
                    Change::Wait => now += Duration::from_secs(1),
                    Change::Step => {
                        let Some(at) = &mut walk else { continue };
                        match retained.step(at, now, &mut 0) {
                            Step::Found(message) => {
                                let topic = swap_separators(&message.routing_key);
                                let body = String::from_utf8(message.body.to_bytes().to_vec()).unwrap();
                                found.push((topic, body));
                                at.pass();
                            }
                            Step::Nothing => {}
                            Step::End => walk = None,
                        }
                    }
                }
                plain.retain(|_, (_, over)| over.is_none_or(|over| over > now));
            }
            prop_assert!(walk.is_none());
            found.sort_unstable();
            let count = found.len();
            found.dedup();
            prop_assert_eq!(count, found.len());
            for (topic, body) in &found {
                prop_assert_eq!(wanted.get(&**topic).map(|(body, _)| body), Some(body));
            }
            for (topic, (body, _)) in &wanted {
                if plain.get(topic).is_some_and(|(now, _)| now == body) {
                    prop_assert!(found.contains(&(String::from(*topic), body.clone())));
                }
            }
            for topic in &all {
                let message = message(topic, "", None, now);
                prop_assert!(retained.store(&message, &limits, now));
            }
            prop_assert!(retained.topics.is_empty());
            prop_assert_eq!((retained.count, retained.bytes, retained.expiries.len()), (0, 0, 0));
        }
    }

    #[test]
    fn a_walk_leaves_out_what_cannot_match() {
        let all = (0..30).flat_map(|a| (0..30).map(move |b| alloc::format!("dev/{a}/{b}/state")));
        let retained = retained(all.chain([String::from("none")]));
        for (filter, found, most) in [
            ("dev", 0, 3),
            ("dev/31", 0, 1),
            ("dev/7/7/state", 1, 6),
            ("dev/7/+/state", 30, 70),
            ("dev/+/7/none", 0, 95),
            ("dev/+/31/state", 0, 1),
            ("+/+/none", 0, 70),
            ("none/#", 1, 3),
            ("other/#", 0, 1),
        ] {
            let (topics, steps) = topics(&retained, filter);
            assert_eq!(topics.len(), found, "{filter}");
            assert!(steps <= most, "{filter} {steps}");
        }
    }

    /// Levels count: many of them weigh more than their text.
    #[test]
    fn levels_are_held_against_the_limit() {
        let mut retained = Retained::default();
        let limits = Limits {
            retained_bytes: 10_000,
            ..Limits::default()
        };
        let long = |n: usize| {
            message(
                &alloc::format!("{n}{}", "/".repeat(50)),
                "m",
                None,
                Duration::ZERO,
            )
        };
        let stored = (0..10).filter(|n| retained.store(&long(*n), &limits, Duration::ZERO));
        let stored: Vec<_> = stored.collect();
        assert_eq!(stored, [0, 1, 2]);
        for n in stored {
            retained.remove(&long(n).routing_key);
        }
        assert!(retained.topics.is_empty());
    }
}
