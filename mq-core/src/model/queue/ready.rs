//! The messages of a queue that wait for a consumer.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Bound;
use core::time::Duration;

use crate::model::message::Message;

/// One message in one queue.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Place in the queue: smaller came earlier.
    pub(crate) position: u64,
    pub(crate) message: Arc<Message>,
    /// Delivered before, and not acknowledged.
    pub(crate) redelivered: bool,
    /// How often it came back.
    pub(crate) returned: u32,
    pub(crate) expires: Option<Duration>,
}

/// Ready messages: higher priority first, then by position. A message that
/// comes back takes the place it had.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// By priority, of a queue without priorities 0 alone.
    levels: BTreeMap<u8, Level>,
    len: usize,
    bytes: usize,
    held: usize,
    /// How many of them have a time to live.
    expiring: usize,
    /// Every message can be taken out by its place, once [`Ready::next_key`] has passed
    /// it.
    keyed: bool,
    /// Those whose bodies have left memory.
    absent: usize,
}

/// Where a ready message stands: priority and position. What is greater is delivered
/// later.
pub(crate) type Key = (Reverse<u8>, u64);

/// The messages of one priority. Those that came back lie apart from those that
/// have not been out, so that putting one in its place moves no other.
#[derive(Debug, Default)]
struct Level {
    /// In the order of their positions.
    fresh: VecDeque<Entry>,
    /// By position.
    returned: BTreeMap<u64, Entry>,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty()
    }

    /// Whether the first message is one that came back.
    fn returned_first(&self) -> bool {
        match (self.returned.first_key_value(), self.fresh.front()) {
            (Some((position, _)), Some(fresh)) => *position < fresh.position,
            (returned, _) => returned.is_some(),
        }
    }

    fn front(&self) -> Option<&Entry> {
        if self.returned_first() {
            self.returned.first_key_value().map(|(_, entry)| entry)
        } else {
            self.fresh.front()
        }
    }

    /// Where in `fresh` a position is.
    fn index(&self, position: u64) -> Option<usize> {
        self.fresh
            .binary_search_by_key(&position, |entry| entry.position)
            .ok()
    }

    fn get_mut(&mut self, position: u64) -> Option<&mut Entry> {
        match self.index(position) {
            Some(index) => self.fresh.get_mut(index),
            None => self.returned.get_mut(&position),
        }
    }

    fn remove(&mut self, position: u64) -> Option<Entry> {
        match self.index(position) {
            Some(index) => self.fresh.remove(index),
            None => self.returned.remove(&position),
        }
    }

    fn pop_front(&mut self) -> Option<Entry> {
        if self.returned_first() {
            self.returned.pop_first().map(|(_, entry)| entry)
        } else {
            self.fresh.pop_front()
        }
    }

    /// The first position after `start`, whose message is put among those that are found
    /// by their position.
    fn next_key(&mut self, start: Bound<u64>) -> Option<u64> {
        let first = self.fresh.front().map(|entry| entry.position);
        let known = self.returned.range((start, Bound::Unbounded)).next();
        let known = known.map(|(position, _)| *position);
        if first.is_some_and(|first| known.is_none_or(|known| first < known))
            && let Some(entry) = self.fresh.pop_front()
        {
            self.returned.insert(entry.position, entry);
            return first;
        }
        known
    }

    fn insert(&mut self, entry: Entry, keyed: bool) {
        let is_last = self
            .fresh
            .back()
            .map_or(!keyed, |last| last.position < entry.position);
        if is_last {
            self.fresh.push_back(entry);
        } else {
            self.returned.insert(entry.position, entry);
        }
    }
}

impl Ready {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sizes of the bodies, added up.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the messages, with all that they hold.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn insert(&mut self, priority: u8, entry: Entry) {
        self.len += 1;
        self.bytes += entry.message.body_len();
        self.held += entry.message.size();
        self.absent += usize::from(entry.message.is_absent());
        self.expiring += usize::from(entry.expires.is_some());
        let level = self.levels.entry(priority).or_default();
        level.insert(entry, self.keyed);
    }

    /// Whether bodies of some have left memory.
    pub(crate) fn has_absent(&self) -> bool {
        self.absent > 0
    }

    /// The head: what a consumer gets next.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.levels.values().rev().find_map(Level::front)
    }

    /// About so many of those that are next. The head is among them.
    pub(super) fn first(&self, count: usize) -> impl Iterator<Item = &Entry> {
        let levels = self.levels.values().rev();
        let others = levels.flat_map(move |level| {
            let returned = level.returned.values().take(count);
            returned.chain(level.fresh.iter().take(count))
        });
        self.front().into_iter().chain(others.take(count))
    }

    /// The first so many, in the order of delivery.
    pub(super) fn in_order(&self, count: usize) -> impl Iterator<Item = &Entry> {
        let levels = self.levels.values().rev().flat_map(move |level| {
            let returned = level.returned.values().take(count);
            let mut both: Vec<&Entry> = returned.chain(level.fresh.iter().take(count)).collect();
            both.sort_unstable_by_key(|entry| entry.position);
            both
        });
        levels.take(count)
    }

    /// One that [`take_at`](Self::take_at) finds.
    pub(super) fn at(&self, (Reverse(priority), position): Key) -> Option<&Entry> {
        self.levels.get(&priority)?.returned.get(&position)
    }

    /// Puts a message in the place of the same one. Returns whether it is there.
    pub(super) fn replace(&mut self, position: u64, message: &Arc<Message>) -> bool {
        let entry = self
            .levels
            .values_mut()
            .find_map(|level| level.get_mut(position));
        let Some(entry) = entry else {
            return false;
        };
        self.absent -= usize::from(entry.message.is_absent());
        self.absent += usize::from(message.is_absent());
        entry.message = message.clone();
        true
    }

    /// Takes one out, wherever it is, and says where it stood.
    pub(super) fn remove(&mut self, position: u64) -> Option<(Key, Entry)> {
        let mut levels = self.levels.iter_mut();
        let (priority, entry, emptied) = levels.find_map(|(&priority, level)| {
            let entry = level.remove(position)?;
            Some((priority, entry, level.is_empty()))
        })?;
        self.forget(priority, emptied, &entry);
        Some(((Reverse(priority), position), entry))
    }

    /// Takes the head: what a consumer gets next.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.pop_first().map(|(_, entry)| entry)
    }

    /// Takes the head, and says where it stood.
    pub(super) fn pop_first(&mut self) -> Option<(Key, Entry)> {
        self.pop_where(|level| !level.is_empty())
    }

    /// Whether the time of any of them can be over.
    pub(super) fn has_expiring(&self) -> bool {
        self.expiring > 0
    }

    /// Takes the first message at the head of a priority that expires before
    /// `now`, or, when `inclusive`, at `now`.
    pub(super) fn pop_expired(&mut self, now: Duration, inclusive: bool) -> Option<(Key, Entry)> {
        if !self.has_expiring() {
            return None;
        }
        self.pop_where(|level| {
            let expires = level.front().and_then(|entry| entry.expires);
            expires.is_some_and(|at| at < now || (inclusive && at == now))
        })
    }

    /// Takes the first message of the highest priority of which this is true, and says
    /// where it stood.
    fn pop_where(&mut self, is_it: impl Fn(&Level) -> bool) -> Option<(Key, Entry)> {
        let mut levels = self.levels.iter_mut().rev();
        let (&priority, level) = levels.find(|(_, level)| is_it(level))?;
        let entry = level.pop_front()?;
        let emptied = level.is_empty();
        self.forget(priority, emptied, &entry);
        Some(((Reverse(priority), entry.position), entry))
    }

    /// When the first message at the head of a priority expires.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        if !self.has_expiring() {
            return None;
        }
        self.levels
            .values()
            .filter_map(|level| level.front()?.expires)
            .min()
    }

    /// Takes one out of the middle, if it is still there and was passed by
    /// [`next_key`](Self::next_key), or came while messages were
    /// [keyed](Self::set_keyed).
    pub(super) fn take_at(&mut self, (Reverse(priority), position): Key) -> Option<Entry> {
        let level = self.levels.get_mut(&priority)?;
        let entry = level.returned.remove(&position)?;
        let emptied = level.is_empty();
        self.forget(priority, emptied, &entry);
        Some(entry)
    }

    /// When a message that [`take_at`](Self::take_at) finds expires.
    pub(super) fn expiry_at(&self, (Reverse(priority), position): Key) -> Option<Duration> {
        let level = self.levels.get(&priority)?;
        level.returned.get(&position)?.expires
    }

    /// Whether messages are to be taken out of the middle.
    pub(super) fn set_keyed(&mut self, keyed: bool) {
        self.keyed = keyed;
    }

    /// The first message after a place, which [`take_at`](Self::take_at) finds from now
    /// on. Called from the beginning until there is none, it passes every message.
    pub(super) fn next_key(&mut self, after: Option<Key>) -> Option<(Key, &Entry)> {
        let highest = after.map_or(u8::MAX, |(Reverse(priority), _)| priority);
        let key = self
            .levels
            .range_mut(..=highest)
            .rev()
            .find_map(|(&priority, level)| {
                let start = match after {
                    Some((Reverse(same), position)) if same == priority => {
                        Bound::Excluded(position)
                    }
                    _ => Bound::Unbounded,
                };
                Some((Reverse(priority), level.next_key(start)?))
            })?;
        let (Reverse(priority), position) = key;
        let entry = self.levels.get(&priority)?.returned.get(&position)?;
        Some((key, entry))
    }

    fn forget(&mut self, priority: u8, emptied: bool, entry: &Entry) {
        // The level without priorities keeps its memory.
        if emptied && priority > 0 {
            self.levels.remove(&priority);
        }
        self.expiring -= usize::from(entry.expires.is_some());
        self.len -= 1;
        self.bytes -= entry.message.body_len();
        self.held -= entry.message.size();
        self.absent -= usize::from(entry.message.is_absent());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::tests::entry;

    fn positions(mut ready: Ready) -> Vec<u64> {
        core::iter::from_fn(|| ready.pop().map(|e| e.position)).collect()
    }

    #[test]
    fn higher_priority_first_then_age() {
        let mut ready = Ready::default();
        for (position, priority) in [(1, 0), (2, 5), (3, 0), (4, 5), (5, 9)] {
            ready.insert(priority, entry(position, None));
        }
        assert_eq!(positions(ready), [5, 2, 4, 1, 3]);
    }

    #[test]
    fn what_comes_back_takes_its_place() {
        let mut ready = Ready::default();
        for position in 1..=4 {
            ready.insert(0, entry(position, None));
        }
        let first = ready.pop().unwrap();
        let second = ready.pop().unwrap();
        let third = ready.pop().unwrap();
        ready.insert(0, second);
        ready.insert(0, third);
        ready.insert(0, first);
        assert_eq!(positions(ready), [1, 2, 3, 4]);
    }

    #[test]
    fn expiry_is_seen_at_the_head() {
        let second = Duration::from_secs(1);
        let mut ready = Ready::default();
        ready.insert(0, entry(1, Some(second * 9)));
        ready.insert(0, entry(2, Some(second)));
        assert_eq!(ready.next_expiry(), Some(second * 9));
        assert!(ready.pop_expired(second * 5, true).is_none());
        assert!(ready.pop_expired(second * 9, false).is_none());
        for position in [1, 2] {
            let (_, expired) = ready.pop_expired(second * 9, true).unwrap();
            assert_eq!(expired.position, position);
        }
        assert!(ready.is_empty());
        assert_eq!(ready.bytes(), 0);
    }
}
