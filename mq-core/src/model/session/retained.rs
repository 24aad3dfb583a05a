//! Retained messages (MQTT 5.0 section 3.3.1.3).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Bound;
use core::time::Duration;

use super::SubscriptionOptions;
use crate::limits::Limits;
use crate::model::message::{Message, Name, swap_separators};

/// The last retained message of each topic.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// By topic name.
    messages: BTreeMap<Name, Stored>,
    /// The number of the last that was stored.
    last: u64,
    /// Sizes of the bodies, added up.
    bytes: usize,
    /// Those with a time to live, by the moment at which it is over.
    expiries: BTreeSet<(Duration, Name)>,
}

#[derive(Debug)]
struct Stored {
    number: u64,
    message: Arc<Message>,
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
        self.last += 1;
        let stored = Stored {
            number: self.last,
            message: message.clone(),
        };
        self.messages.insert(topic, stored);
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
        if let Some((topic, Stored { message, .. })) = self.messages.remove_entry(topic) {
            self.bytes -= message.size();
            if let Some(at) = expiry(&message) {
                self.expiries.remove(&(at, topic));
            }
        }
    }

    /// A walk over what is retained now and matches the filter, if its first step does
    /// not end it already.
    pub(super) fn walk(
        &self,
        filter: Name,
        options: SubscriptionOptions,
        now: Duration,
    ) -> Option<Walk> {
        let mut walk = Walk::new(filter, options, self.last);
        match self.step(&mut walk, now) {
            Step::Found(_) | Step::Nothing => Some(walk),
            Step::End => None,
        }
    }

    /// Goes one step on a walk over the messages that match its filter.
    pub(super) fn step(&self, walk: &mut Walk, now: Duration) -> Step<'_> {
        let from = match &walk.from {
            From::Topic(topic) => Bound::Included(&**topic),
            From::After(topic) => Bound::Excluded(&**topic),
        };
        let mut rest = self.messages.range::<str, _>((from, Bound::Unbounded));
        let Some((topic, Stored { number, message })) = rest.next() else {
            return Step::End;
        };
        if walk.is_exact && **topic != *walk.filter {
            return Step::End;
        }
        match compare(&walk.filter, topic) {
            // What came later, the subscription has got as it came.
            Comparison::Matches if *number > walk.last || message.is_expired(now) => {
                walk.from = From::After(topic.clone());
                Step::Nothing
            }
            Comparison::Matches => {
                walk.from = From::Topic(topic.clone());
                Step::Found(message)
            }
            Comparison::Next => {
                walk.from = From::After(topic.clone());
                Step::Nothing
            }
            Comparison::From(next) => {
                walk.from = From::Topic(next.into());
                Step::Nothing
            }
            Comparison::End => Step::End,
        }
    }
}

/// Steps that a walk takes at one time.
pub(super) const STEPS: usize = 64;

/// A walk over the messages that match a filter, in the order of their topics. It
/// can rest anywhere.
#[derive(Debug)]
pub(super) struct Walk {
    filter: Name,
    pub(super) options: SubscriptionOptions,
    /// The filter has no wildcard: it matches one topic at most.
    is_exact: bool,
    from: From,
    /// The number of the last that it is for.
    last: u64,
}

#[derive(Debug)]
enum From {
    Topic(Name),
    After(Name),
}

/// What a step of a walk came to.
pub(super) enum Step<'a> {
    /// A message. The walk stays there until it is told to [pass](Walk::pass).
    Found(&'a Arc<Message>),
    /// There may be more.
    Nothing,
    End,
}

impl Walk {
    fn new(filter: Name, options: SubscriptionOptions, last: u64) -> Self {
        // What stands before the first wildcard begins every topic that matches. A
        // wildcard also matches the level above: leave its `/` out.
        let wildcard = filter.find(['+', '#']);
        let prefix = match wildcard {
            None => &*filter,
            Some(at) => filter[..at].trim_end_matches('/'),
        };
        let from = From::Topic(Name::from(prefix));
        Walk {
            filter,
            options,
            is_exact: wildcard.is_none(),
            from,
            last,
        }
    }

    /// Leaves the message that was found.
    pub(super) fn pass(&mut self) {
        if let From::Topic(topic) = &self.from {
            self.from = From::After(topic.clone());
        }
    }
}

/// The walks of one session, one for each filter, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Walks {
    by_number: BTreeMap<u64, Walk>,
    by_filter: BTreeMap<Name, u64>,
    last: u64,
}

impl Walks {
    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(super) fn push(&mut self, walk: Walk) {
        self.remove(&walk.filter);
        self.last += 1;
        self.by_filter.insert(walk.filter.clone(), self.last);
        self.by_number.insert(self.last, walk);
    }

    pub(super) fn remove(&mut self, filter: &str) {
        if let Some(number) = self.by_filter.remove(filter) {
            self.by_number.remove(&number);
        }
    }

    pub(super) fn first(&mut self) -> Option<&mut Walk> {
        self.by_number.first_entry().map(|entry| entry.into_mut())
    }

    pub(super) fn remove_first(&mut self) {
        if let Some((_, walk)) = self.by_number.pop_first() {
            self.by_filter.remove(&walk.filter);
        }
    }
}

/// Where a topic stands to a filter.
enum Comparison {
    Matches,
    /// The topic after this one may match.
    Next,
    /// No topic before this one matches.
    From(String),
    /// No topic after this one matches.
    End,
}

/// Compares level by level, so that a walk leaves out what cannot match. `0` is what
/// comes after `/`: the levels below `a/b` lie between `a/b/` and `a/b0`.
fn compare(filter: &str, topic: &str) -> Comparison {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        // Section 4.7.2. `%` is what comes after `$`.
        return Comparison::From("%".into());
    }
    let after = |prefix: &str| match prefix.strip_suffix('/') {
        Some(above) => Comparison::From(alloc::format!("{above}0")),
        None => Comparison::End,
    };
    let mut levels = topic.split('/');
    // Where the level that is looked at begins in the topic.
    let mut begin = 0;
    for wanted in filter.split('/') {
        if wanted == "#" {
            return Comparison::Matches;
        }
        let Some(level) = levels.next() else {
            return Comparison::Next;
        };
        let prefix = &topic[..begin];
        if wanted != "+" && wanted != level {
            let exact = alloc::format!("{prefix}{wanted}");
            let below = alloc::format!("{exact}/");
            return if topic < &*exact {
                Comparison::From(exact)
            } else if topic < &*below {
                Comparison::From(below)
            } else {
                after(prefix)
            };
        }
        begin += level.len() + 1;
    }
    if levels.next().is_some() {
        // Too many levels, as are all below.
        return after(&topic[..begin]);
    }
    Comparison::Matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Qos;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn topics(retained: &Retained, filter: &str) -> (Vec<Name>, usize) {
        let options = SubscriptionOptions {
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            identifier: None,
        };
        let mut walk = Walk::new(filter.into(), options, u64::MAX);
        let (mut found, mut steps) = (Vec::new(), 0);
        loop {
            steps += 1;
            match retained.step(&mut walk, Duration::ZERO) {
                Step::Found(message) => {
                    found.push(swap_separators(&message.routing_key).into());
                    walk.pass();
                }
                Step::Nothing => {}
                Step::End => return (found, steps),
            }
        }
    }

    fn retained(topics: impl IntoIterator<Item = String>) -> Retained {
        let mut retained = Retained::default();
        for topic in topics {
            let mut message = crate::model::queue::tests::message("m");
            message.routing_key = swap_separators(&topic).into();
            retained.store(&Arc::new(message), &Limits::default(), Duration::ZERO);
        }
        retained
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_matches(
            all in proptest::collection::btree_set("[$a!0/]{1,6}", 0..30),
            filter in "([$a!0]{0,2}|\\+)(/([$a!0]{0,2}|\\+)){0,3}(/#)?|#",
        ) {
            prop_assume!(!filter.is_empty());
            let matching: Vec<Name> = all
                .iter()
                .filter(|topic| mqtt_codec::topic::matches(&filter, topic))
                .map(|topic| Name::from(&**topic))
                .collect();
            let (found, _) = topics(&retained(all), &filter);
            prop_assert_eq!(found, matching);
        }
    }

    #[test]
    fn a_walk_leaves_out_what_cannot_match() {
        let all = (0..30).flat_map(|a| (0..30).map(move |b| alloc::format!("dev/{a}/{b}/state")));
        let retained = retained(all);
        for (filter, found, most) in [
            ("dev", 0, 3),
            ("dev/7/7/state", 1, 5),
            ("dev/7/+/state", 30, 70),
            ("dev/+/7/none", 0, 130),
            ("none/#", 0, 2),
        ] {
            let (topics, steps) = topics(&retained, filter);
            assert_eq!(topics.len(), found, "{filter}");
            assert!(steps <= most, "{filter} {steps}");
        }
    }
}
