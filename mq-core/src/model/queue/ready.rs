//! The messages of a queue that wait for a consumer.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Bound;
use core::time::Duration;

use super::frozen::{Frozen, Scale, Stretch};
use crate::model::message::Message;

/// Messages in memory before a run, at most: making a run moves them.
const FARTHEST: usize = 4096;

/// Pieces that are too short for a run and are passed over at one time.
const TRIES: usize = 64;

/// Runs that are asked for at one time.
const RUNS_AHEAD: usize = 2;

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
    /// Those whose bodies have left memory, while they are in it themselves.
    absent: usize,
    /// Runs that have left memory.
    runs: usize,
}

/// What is taken out of the ready messages when all are.
#[derive(Debug)]
pub(crate) enum Taken {
    Message(Entry),
    Run(Frozen),
}

/// What comes after a place.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Message(Key, &'a Entry),
    /// A run that has to be in memory first, by its first position.
    Run(u64),
    Nothing,
}

/// Where a ready message stands: priority and position. What is greater is delivered
/// later.
pub(crate) type Key = (Reverse<u8>, u64);

/// The position of a message, or of the first one of a run.
enum Place {
    Message(u64),
    Run(u64),
}

/// The messages of one priority. Those that came back lie apart from those that
/// have not been out, so that putting one in its place moves no other.
#[derive(Debug, Default)]
struct Level {
    /// In the order of their positions.
    fresh: VecDeque<Entry>,
    /// By position.
    returned: BTreeMap<u64, Entry>,
    /// Those that have left memory, by their first position. No other message has one of
    /// their positions.
    runs: BTreeMap<u64, Frozen>,
    /// Runs before that position may be asked for ahead of the consumers.
    asked_before: u64,
    /// Fresh messages before that position become no run any more.
    cold: u64,
    /// About how many bytes the fresh ones from there on have.
    tail: usize,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty() && self.runs.is_empty()
    }

    /// The first run, if nothing stands before it.
    fn head_run(&self) -> Option<&Frozen> {
        let (_, run) = self.runs.first_key_value()?;
        let fresh = self.fresh.front().map(|entry| entry.position);
        let returned = self.returned.first_key_value();
        let returned = returned.map(|(position, _)| *position);
        let mut others = fresh.into_iter().chain(returned);
        others.all(|other| run.first < other).then_some(run)
    }

    /// Messages that follow each other, far from the head, that are as many as a run has, or
    /// that nothing will be added to.
    fn stretch(&mut self, level: u8, scale: &Scale) -> Option<Stretch> {
        let cold = self.fresh.partition_point(|e| e.position < self.cold);
        let head = match self.runs.is_empty() {
            true => scale.head,
            false => 0,
        };
        let mut index = cold.max(head);
        for _ in 0..TRIES {
            let (mut count, mut bytes, mut is_whole) = (0, 0, false);
            let (mut offered, mut first) = (0, None);
            if index > FARTHEST {
                self.tail = 0;
                return None;
            }
            for entry in self.fresh.range(index.min(self.fresh.len())..) {
                let first = *first.get_or_insert(entry.position);
                let follows = entry.position == first + count as u64;
                let may_be_in_it = entry.returned == 0 && entry.message.is_lasting();
                // Those that may have been delivered stand before the others.
                let is_sorted = !entry.redelivered || offered == entry.position || count == 0;
                if !follows || !may_be_in_it || !is_sorted {
                    is_whole = true;
                    break;
                }
                if entry.redelivered {
                    offered = entry.position + 1;
                }
                count += 1;
                bytes += entry.message.size();
                if bytes >= scale.bytes || count >= scale.messages {
                    is_whole = true;
                    break;
                }
            }
            let Some(first) = first else {
                self.tail = 0;
                return None;
            };
            if !is_whole {
                self.tail = bytes;
                return None;
            }
            if bytes >= scale.bytes / 8 || count >= scale.messages / 8 {
                return Some(Stretch {
                    level,
                    first,
                    count,
                    offered,
                });
            }
            index += count.max(1);
            self.cold = first + count.max(1) as u64;
        }
        None
    }

    /// Whether the first message is one that came back.
    fn returned_first(&self) -> bool {
        match (self.returned.first_key_value(), self.fresh.front()) {
            (Some((position, _)), Some(fresh)) => *position < fresh.position,
            (returned, _) => returned.is_some(),
        }
    }

    /// The head. None also where that is in a run.
    fn front(&self) -> Option<&Entry> {
        if self.head_run().is_some() {
            None
        } else if self.returned_first() {
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
        if self.head_run().is_some() {
            None
        } else if self.returned_first() {
            self.returned.pop_first().map(|(_, entry)| entry)
        } else {
            self.fresh.pop_front()
        }
    }

    /// The first position after `start`, whose message is put among those that are found
    /// by their position.
    fn next_key(&mut self, start: Bound<u64>) -> Option<Place> {
        let first = self.fresh.front().map(|entry| entry.position);
        let known = self.returned.range((start, Bound::Unbounded)).next();
        let known = known.map(|(position, _)| *position);
        let run = self.runs.range((start, Bound::Unbounded)).next();
        if let Some((&run, _)) = run
            && first.into_iter().chain(known).all(|other| run < other)
        {
            return Some(Place::Run(run));
        }
        if first.is_some_and(|first| known.is_none_or(|known| first < known))
            && let Some(entry) = self.fresh.pop_front()
        {
            self.returned.insert(entry.position, entry);
            return first.map(Place::Message);
        }
        known.map(Place::Message)
    }

    fn insert(&mut self, entry: Entry, size: usize, keyed: bool) {
        let is_last = self
            .fresh
            .back()
            .map_or(!keyed, |last| last.position < entry.position);
        if is_last {
            self.tail += size;
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
        let size = entry.message.size();
        self.len += 1;
        self.bytes += entry.message.body_len();
        self.held += size;
        self.absent += usize::from(entry.message.is_absent());
        self.expiring += usize::from(entry.expires.is_some());
        let level = self.levels.entry(priority).or_default();
        level.insert(entry, size, self.keyed);
    }

    /// Whether bodies of some have left memory.
    pub(crate) fn has_absent(&self) -> bool {
        self.absent > 0
    }

    /// The head: what a consumer gets next. None also where that is in a run.
    pub(super) fn front(&self) -> Option<&Entry> {
        let mut levels = self.levels.values().rev();
        levels.find(|level| !level.is_empty())?.front()
    }

    /// About so many of those that are next, and before every run. The head is among them.
    pub(super) fn first(&self, count: usize) -> impl Iterator<Item = &Entry> {
        let levels = self.levels.values().rev();
        let others = levels.flat_map(move |level| {
            let run = level.runs.first_key_value();
            let end = run.map_or(u64::MAX, |(first, _)| *first);
            let is_before = move |entry: &&Entry| entry.position < end;
            let returned = level.returned.values().take(count).take_while(is_before);
            returned.chain(level.fresh.iter().take(count).take_while(is_before))
        });
        self.front().into_iter().chain(others.take(count))
    }

    /// The first so many, in the order of delivery, up to the first that is in a run.
    pub(super) fn in_order(&self, count: usize) -> impl Iterator<Item = &Entry> {
        let mut is_over = false;
        let levels = self.levels.values().rev().flat_map(move |level| {
            let run = level.runs.first_key_value();
            let end = run.map_or(u64::MAX, |(first, _)| *first);
            let count = if is_over { 0 } else { count };
            is_over |= run.is_some();
            let returned = level.returned.values().take(count);
            let mut both: Vec<&Entry> = returned.chain(level.fresh.iter().take(count)).collect();
            both.retain(|entry| entry.position < end);
            both.sort_unstable_by_key(|entry| entry.position);
            both
        });
        levels.take(count)
    }

    /// Whether any have left memory.
    pub(super) fn has_runs(&self) -> bool {
        self.runs > 0
    }

    /// Whether some that lie together may become a run.
    pub(crate) fn is_long(&self, scale: &Scale) -> bool {
        let mut levels = self.levels.values();
        !self.keyed && levels.any(|level| level.tail >= scale.bytes)
    }

    /// Messages that could become a run.
    pub(super) fn stretch(&mut self, scale: &Scale) -> Option<Stretch> {
        if self.keyed {
            return None;
        }
        let mut levels = self.levels.iter_mut();
        levels.find_map(|(priority, level)| match level.tail >= scale.bytes {
            true => level.stretch(*priority, scale),
            false => None,
        })
    }

    /// Messages before that position of a level become no run.
    pub(crate) fn pass_over(&mut self, priority: u8, before: u64) {
        if let Some(level) = self.levels.get_mut(&priority) {
            level.cold = level.cold.max(before);
        }
    }

    /// Lets go of the messages of a run, which are there.
    pub(crate) fn freeze(&mut self, priority: u8, run: Frozen) {
        let Some(level) = self.levels.get_mut(&priority) else {
            return;
        };
        let Some(index) = level.index(run.first) else {
            return;
        };
        let end = level.fresh.len().min(index + run.left);
        for entry in level.fresh.drain(index..end) {
            self.absent -= usize::from(entry.message.is_absent());
        }
        level.tail = level.tail.saturating_sub(run.held);
        level.cold = run.end();
        level.runs.insert(run.first, run);
        self.runs += 1;
    }

    /// Puts back a run that was kept.
    pub(super) fn insert_run(&mut self, priority: u8, run: Frozen) {
        self.len += run.left;
        self.bytes += run.bytes;
        self.held += run.held;
        self.expiring += run.expiring();
        self.runs += 1;
        let level = self.levels.entry(priority).or_default();
        level.cold = level.cold.max(run.end());
        level.runs.insert(run.first, run);
    }

    /// Takes out a run. Returns its priority, too.
    pub(super) fn take_run(&mut self, first: u64) -> Option<(u8, Frozen)> {
        let mut levels = self.levels.iter_mut();
        let (priority, run, emptied) = levels.find_map(|(&priority, level)| {
            let run = level.runs.remove(&first)?;
            Some((priority, run, level.is_empty()))
        })?;
        self.forget_level(priority, emptied);
        self.len -= run.left;
        self.bytes -= run.bytes;
        self.held -= run.held;
        self.expiring -= run.expiring();
        self.runs -= 1;
        Some((priority, run))
    }

    /// Puts messages of a run back into their places.
    pub(super) fn thaw(&mut self, priority: u8, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.position) else {
            return;
        };
        let level = self.levels.entry(priority).or_default();
        let mut before = Vec::new();
        while level
            .fresh
            .front()
            .is_some_and(|entry| entry.position < first)
        {
            before.extend(level.fresh.pop_front());
        }
        for entry in entries.into_iter().rev() {
            self.len += 1;
            self.bytes += entry.message.body_len();
            self.held += entry.message.size();
            self.absent += usize::from(entry.message.is_absent());
            self.expiring += usize::from(entry.expires.is_some());
            level.fresh.push_front(entry);
        }
        for entry in before.into_iter().rev() {
            level.fresh.push_front(entry);
        }
    }

    /// The next run to ask for, so that it is there before the consumers are.
    pub(super) fn ask_ahead(&mut self, scale: &Scale) -> Option<u64> {
        let mut levels = self.levels.values_mut().rev();
        let level = levels.find(|level| !level.is_empty())?;
        let (first, run) = level.runs.first_key_value()?;
        let size = (run.held / run.left.max(1)).max(1);
        let enough = scale.head.min(2 * scale.bytes / size);
        if level.fresh.partition_point(|entry| entry.position < *first) > enough {
            return None;
        }
        // None after these, even if some of them come before the first.
        if !run.asked {
            let last = level.runs.values().take(RUNS_AHEAD).next_back();
            level.asked_before = last.map_or(0, Frozen::end);
        }
        let end = level.asked_before;
        let mut runs = level.runs.range_mut(..end).take(RUNS_AHEAD);
        let (first, run) = runs.find(|(_, run)| !run.asked)?;
        run.asked = true;
        Some(*first)
    }

    /// The run that the head is in, to be asked for, unless it was.
    pub(super) fn ask_for_head_run(&mut self) -> Option<u64> {
        let mut levels = self.levels.values_mut().rev();
        let level = levels.find(|level| !level.is_empty())?;
        let first = level.head_run().filter(|run| !run.asked)?.first;
        level.runs.get_mut(&first)?.asked = true;
        Some(first)
    }

    /// The first run at the head of a priority with a message that expires before `now`, or,
    /// when `inclusive`, at `now`: its first position, and whether all of them do. One that
    /// was asked for does not count until it has come.
    pub(super) fn expired_run(&self, now: Duration, inclusive: bool) -> Option<(u64, bool)> {
        if !self.has_expiring() || !self.has_runs() {
            return None;
        }
        let is_over = |at: Duration| at < now || (inclusive && at == now);
        let runs = self.levels.values().rev().filter_map(Level::head_run);
        runs.filter(|run| !run.asked).find_map(|run| {
            let (earliest, latest) = run.expires?;
            is_over(earliest).then_some((run.first, is_over(latest)))
        })
    }

    /// A run is asked for. Returns whether it is there, and was not.
    pub(super) fn set_asked(&mut self, first: u64) -> bool {
        let mut levels = self.levels.values_mut();
        let run = levels.find_map(|level| level.runs.get_mut(&first));
        run.is_some_and(|run| !core::mem::replace(&mut run.asked, true))
    }

    /// Takes what is left, in no order.
    pub(crate) fn take_any(&mut self) -> Option<Taken> {
        if let Some(entry) = self.pop() {
            return Some(Taken::Message(entry));
        }
        let mut levels = self.levels.values();
        let first = levels.find_map(|level| Some(*level.runs.first_key_value()?.0))?;
        self.take_run(first).map(|(_, run)| Taken::Run(run))
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
        let heads = self.levels.values().filter_map(|level| {
            match level.head_run() {
                // It is looked at when it has come.
                Some(run) if run.asked => None,
                Some(run) => run.expires.map(|(earliest, _)| earliest),
                None => level.front()?.expires,
            }
        });
        heads.min()
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
    pub(super) fn next_key(&mut self, after: Option<Key>) -> Next<'_> {
        let highest = after.map_or(u8::MAX, |(Reverse(priority), _)| priority);
        let mut levels = self.levels.range_mut(..=highest).rev();
        let found = levels.find_map(|(&priority, level)| {
            let start = match after {
                Some((Reverse(same), position)) if same == priority => Bound::Excluded(position),
                _ => Bound::Unbounded,
            };
            Some((Reverse(priority), level.next_key(start)?))
        });
        let Some((priority, place)) = found else {
            return Next::Nothing;
        };
        let position = match place {
            Place::Run(first) => return Next::Run(first),
            Place::Message(position) => position,
        };
        let level = self.levels.get(&priority.0);
        match level.and_then(|level| level.returned.get(&position)) {
            Some(entry) => Next::Message((priority, position), entry),
            None => Next::Nothing,
        }
    }

    fn forget_level(&mut self, priority: u8, emptied: bool) {
        // The level without priorities keeps its memory.
        if emptied && priority > 0 {
            self.levels.remove(&priority);
        }
    }

    fn forget(&mut self, priority: u8, emptied: bool, entry: &Entry) {
        self.forget_level(priority, emptied);
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
