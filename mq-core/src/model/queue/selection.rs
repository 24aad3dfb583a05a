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

use super::ready::{Entry, Key, Ready};
use crate::model::id::ConsumerId;
use crate::model::selector::Selector;

/// What one consumer wants.
#[derive(Debug)]
struct Wanted {
    selector: Box<Selector>,
    /// Ready messages that it wants, in the order of delivery.
    found: BTreeSet<Key>,
    /// It has not looked through all that was there before it.
    searching: bool,
}

/// The consumers of a queue that have a selector, with what they want.
#[derive(Debug, Default)]
pub(crate) struct Selections(BTreeMap<ConsumerId, Wanted>);

impl Selections {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, consumer: ConsumerId, selector: Box<Selector>) {
        let wanted = Wanted {
            selector,
            found: BTreeSet::new(),
            searching: true,
        };
        self.0.insert(consumer, wanted);
    }

    pub(super) fn remove(&mut self, consumer: ConsumerId) {
        self.0.remove(&consumer);
    }

    /// Holds a message that has become ready against the selectors. Says which consumers
    /// want it.
    pub(super) fn offer(&mut self, key: Key, entry: &Entry, mut wants: impl FnMut(ConsumerId)) {
        for (consumer, wanted) in &mut self.0 {
            if wanted.selector.matches(&entry.message) {
                wanted.found.insert(key);
                wants(*consumer);
            }
        }
    }

    /// A message is ready no more.
    pub(super) fn forget(&mut self, key: Key) {
        for wanted in self.0.values_mut() {
            wanted.found.remove(&key);
        }
    }

    /// Whether there is something for a consumer: also for one without a selector.
    pub(super) fn has(&self, consumer: ConsumerId) -> bool {
        self.0
            .get(&consumer)
            .is_none_or(|wanted| !wanted.searching && !wanted.found.is_empty())
    }

    /// Empties the lists of what is wanted.
    pub(super) fn take_found(&mut self) -> Vec<BTreeSet<Key>> {
        let wanted = self.0.values_mut();
        wanted.map(|wanted| mem::take(&mut wanted.found)).collect()
    }

    /// A message that one of the consumers would get next, and whose time is over before
    /// `now`.
    pub(super) fn first_expired(&self, ready: &Ready, now: Duration) -> Option<Key> {
        let firsts = self.0.values().filter_map(|wanted| wanted.found.first());
        let is_over = |key: &&Key| ready.expiry_at(**key).is_some_and(|at| at < now);
        firsts.copied().find(|key| is_over(&key))
    }

    /// The first ready message that a consumer wants.
    pub(super) fn first<'a>(&self, consumer: ConsumerId, ready: &'a Ready) -> Option<&'a Entry> {
        match self.0.get(&consumer) {
            None => ready.front(),
            Some(wanted) => ready.at(*wanted.found.first()?),
        }
    }

    /// Takes the first ready message that a consumer wants.
    pub(super) fn take(&mut self, consumer: ConsumerId, ready: &mut Ready) -> Option<Entry> {
        let (key, entry) = match self.0.get_mut(&consumer) {
            None => ready.pop_first()?,
            Some(wanted) => {
                let key = wanted.found.pop_first()?;
                (key, ready.take_at(key)?)
            }
        };
        self.forget(key);
        Some(entry)
    }

    /// Goes on with the search of a new consumer by one message. Returns where it has
    /// come to; None: it is done, and the consumer can be served.
    pub(super) fn search(
        &mut self,
        consumer: ConsumerId,
        ready: &mut Ready,
        after: Option<Key>,
    ) -> Option<Key> {
        let wanted = self.0.get_mut(&consumer)?;
        let Some((key, entry)) = ready.next_key(after) else {
            wanted.searching = false;
            return None;
        };
        if wanted.selector.matches(&entry.message) {
            wanted.found.insert(key);
        }
        Some(key)
    }
}
