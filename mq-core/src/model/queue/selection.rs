//! Which ready messages the consumers with a selector want.
//!
//! A message is held against each selector once, when it becomes ready; a new consumer
//! looks through what is there before it is served. So a consumer that wants little does
//! not look again and again at what it does not want, and what nobody wants does not
//! stand before anything.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::group::{Groups, membership};
use super::ready::{Entry, Key, Next, Ready};
use crate::model::id::ConsumerId;
use crate::model::message::Message;
use crate::model::selector::Selector;

/// How far the search of a new consumer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// It has looked at the message there.
    To(Key),
    /// It goes on when the run that begins at this position is in memory.
    Waits(u64),
    Done,
}

/// What one consumer wants.
#[derive(Debug)]
struct Wanted {
    /// None: everything, in a queue with groups.
    selector: Option<Box<Selector>>,
    /// Ready messages that it wants, in the order of delivery.
    found: BTreeSet<Key>,
    /// It has not looked through all that was there before it.
    searching: bool,
}

impl Wanted {
    fn wants(&self, message: &Message) -> bool {
        let selector = self.selector.as_ref();
        selector.is_none_or(|selector| selector.matches(message))
    }
}

/// The consumers of a queue that have a selector, with what they want. In a queue that has
/// seen a [group](super::group) they are all of its consumers.
#[derive(Debug, Default)]
pub(crate) struct Selections {
    wanted: BTreeMap<ConsumerId, Wanted>,
    groups: Option<Box<Groups>>,
}

impl Selections {
    pub(crate) fn len(&self) -> usize {
        self.wanted.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether there are groups.
    pub(super) fn is_grouped(&self) -> bool {
        self.groups.is_some()
    }

    /// From now on there are groups.
    pub(super) fn begin_groups(&mut self) {
        self.groups.get_or_insert_default();
    }

    pub(super) fn add(&mut self, consumer: ConsumerId, selector: Option<Box<Selector>>) {
        let wanted = Wanted {
            selector,
            found: BTreeSet::new(),
            searching: true,
        };
        self.wanted.entry(consumer).or_insert(wanted);
    }

    /// A consumer leaves. Returns whether others may have what was only for it.
    pub(super) fn remove(&mut self, consumer: ConsumerId) -> bool {
        self.wanted.remove(&consumer);
        let groups = self.groups.as_mut();
        groups.is_some_and(|groups| groups.release(consumer))
    }

    /// The consumers that look for what they want.
    pub(super) fn consumers(&self) -> impl Iterator<Item = ConsumerId> {
        self.wanted.keys().copied()
    }

    /// Whether a message is for that consumer, as far as groups go.
    fn is_for(groups: Option<&Groups>, consumer: ConsumerId, message: &Message) -> bool {
        groups.is_none_or(|groups| {
            membership(message)
                .and_then(|membership| groups.owner(&membership))
                .is_none_or(|owner| owner == consumer)
        })
    }

    /// A consumer gets a message. Returns whether it is the first one that it gets of its
    /// group.
    pub(super) fn deliver(&mut self, consumer: ConsumerId, message: &Message) -> bool {
        let Some(groups) = &mut self.groups else {
            return false;
        };
        membership(message).is_some_and(|membership| groups.deliver(&membership, consumer))
    }

    /// Holds a message that has become ready against the selectors. Says which consumers
    /// want it.
    pub(super) fn offer(&mut self, key: Key, entry: &Entry, mut wants: impl FnMut(ConsumerId)) {
        let groups = self.groups.as_deref();
        let owner =
            groups.and_then(|groups| membership(&entry.message).and_then(|m| groups.owner(&m)));
        let mut offer = |consumer: ConsumerId, wanted: &mut Wanted| {
            if wanted.wants(&entry.message) {
                wanted.found.insert(key);
                wants(consumer);
            }
        };
        if let Some(owner) = owner {
            if let Some(wanted) = self.wanted.get_mut(&owner) {
                offer(owner, wanted);
            }
            return;
        }
        for (consumer, wanted) in &mut self.wanted {
            offer(*consumer, wanted);
        }
    }

    /// A message is ready no more.
    pub(super) fn forget(&mut self, key: Key) {
        for wanted in self.wanted.values_mut() {
            wanted.found.remove(&key);
        }
    }

    /// Whether there is something for a consumer: also for one without a selector. What has
    /// become another's since it was found is left out from then on.
    pub(super) fn has(&mut self, consumer: ConsumerId, ready: &Ready) -> bool {
        let groups = self.groups.as_deref();
        let Some(wanted) = self.wanted.get_mut(&consumer) else {
            return true;
        };
        if wanted.searching {
            return false;
        }
        if groups.is_none() {
            return !wanted.found.is_empty();
        }
        while let Some(key) = wanted.found.first() {
            let entry = ready.at(*key);
            if entry.is_some_and(|entry| Self::is_for(groups, consumer, &entry.message)) {
                return true;
            }
            wanted.found.pop_first();
        }
        false
    }

    /// Empties the lists of what is wanted.
    pub(super) fn take_found(&mut self) -> Vec<BTreeSet<Key>> {
        let wanted = self.wanted.values_mut();
        wanted.map(|wanted| mem::take(&mut wanted.found)).collect()
    }

    /// A message that one of the consumers would get next, and whose time is over before
    /// `now`.
    pub(super) fn first_expired(&self, ready: &Ready, now: Duration) -> Option<Key> {
        let firsts = self
            .wanted
            .values()
            .filter_map(|wanted| wanted.found.first());
        let is_over = |key: &&Key| ready.expiry_at(**key).is_some_and(|at| at < now);
        firsts.copied().find(|key| is_over(&key))
    }

    /// The first ready message that a consumer wants.
    pub(super) fn first<'a>(&self, consumer: ConsumerId, ready: &'a Ready) -> Option<&'a Entry> {
        match self.wanted.get(&consumer) {
            None => ready.front(),
            Some(wanted) => ready.at(*wanted.found.first()?),
        }
    }

    /// Takes the first ready message that a consumer wants.
    pub(super) fn take(&mut self, consumer: ConsumerId, ready: &mut Ready) -> Option<Entry> {
        let (key, entry) = match self.wanted.get_mut(&consumer) {
            None => ready.pop_first()?,
            Some(wanted) => {
                let key = wanted.found.pop_first()?;
                (key, ready.take_at(key)?)
            }
        };
        self.forget(key);
        Some(entry)
    }

    /// Goes on with the search of a new consumer by one message. When it is done, the
    /// consumer can be served.
    pub(super) fn search(
        &mut self,
        consumer: ConsumerId,
        ready: &mut Ready,
        after: Option<Key>,
    ) -> Search {
        let groups = self.groups.as_deref();
        let Some(wanted) = self.wanted.get_mut(&consumer) else {
            return Search::Done;
        };
        match ready.next_key(after) {
            Next::Nothing => {
                wanted.searching = false;
                Search::Done
            }
            Next::Run(first) => Search::Waits(first),
            Next::Message(key, entry) => {
                if wanted.wants(&entry.message) && Self::is_for(groups, consumer, &entry.message) {
                    wanted.found.insert(key);
                }
                Search::To(key)
            }
        }
    }
}
