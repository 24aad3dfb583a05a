//! The messages of a queue that wait for a consumer.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
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
}

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

    fn pop_front(&mut self) -> Option<Entry> {
        if self.returned_first() {
            self.returned.pop_first().map(|(_, entry)| entry)
        } else {
            self.fresh.pop_front()
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self
            .fresh
            .back()
            .is_none_or(|e| e.position < entry.position)
        {
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
        self.bytes += entry.message.body.len();
        self.held += entry.message.size();
        self.levels.entry(priority).or_default().insert(entry);
    }

    /// Takes the head: what a consumer gets next.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let priority = self.occupied().next_back()?;
        self.take(priority)
    }

    /// Takes the first message at the head of a priority that expires before
    /// `now`, or, when `inclusive`, at `now`.
    pub(crate) fn pop_expired(&mut self, now: Duration, inclusive: bool) -> Option<Entry> {
        let (&priority, _) = self.levels.iter().rev().find(|(_, level)| {
            level
                .front()
                .and_then(|e| e.expires)
                .is_some_and(|at| at < now || (inclusive && at == now))
        })?;
        self.take(priority)
    }

    /// When the first message at the head of a priority expires.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.levels
            .values()
            .filter_map(|level| level.front()?.expires)
            .min()
    }

    /// The priorities that hold something, lowest first.
    fn occupied(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.levels
            .iter()
            .filter(|(_, level)| !level.is_empty())
            .map(|(priority, _)| *priority)
    }

    fn take(&mut self, priority: u8) -> Option<Entry> {
        let level = self.levels.get_mut(&priority)?;
        let entry = level.pop_front()?;
        // The level without priorities keeps its memory.
        if level.is_empty() && priority > 0 {
            self.levels.remove(&priority);
        }
        self.len -= 1;
        self.bytes -= entry.message.body.len();
        self.held -= entry.message.size();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::tests::entry;
    use alloc::vec::Vec;

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
        assert_eq!(ready.pop_expired(second * 9, true).unwrap().position, 1);
        assert_eq!(ready.pop_expired(second * 9, true).unwrap().position, 2);
        assert!(ready.is_empty());
        assert_eq!(ready.bytes(), 0);
    }
}
