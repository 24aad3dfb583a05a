//! Since when deliveries of a queue are out, and which of them is out for too long.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::ChannelId;

/// Where it is noted that a delivery is out: with the delivery, so that it is found again
/// without a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Note {
    /// Nowhere: it may be out for ever.
    #[default]
    None,
    /// Among those that have the time of the queue, at this place.
    Listed(u32),
    /// Among those that have a time of their own, which is over then.
    Own(Duration),
}

/// A delivery that is out for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overdue {
    pub(crate) position: u64,
    pub(crate) channel: ChannelId,
    /// How long it may be out.
    pub(crate) timeout: Duration,
}

/// No place.
const NOWHERE: u32 = u32::MAX;

/// Places that are kept while nothing is out, at most.
const KEPT: usize = 16;

/// A delivery that has the time of the queue, between the one before it and the one after it.
#[derive(Debug, Clone, Copy)]
struct Place {
    since: Duration,
    position: u64,
    channel: ChannelId,
    before: u32,
    /// For a place that is free, the next one that is.
    after: u32,
}

/// Deliveries that are to be settled in time. Those that have the time of the queue are in
/// the order in which they went out: nothing is searched for when one comes or goes, and the
/// time of the queue may change meanwhile.
#[derive(Debug)]
pub(crate) struct Outstanding {
    places: Vec<Place>,
    first: u32,
    last: u32,
    free: u32,
    /// By when their time is over, and position: the channel, and how long it may have them.
    own: BTreeMap<(Duration, u64), (ChannelId, Duration)>,
    /// When to look at the first ones again, no later than one of them is overdue. It may be
    /// sooner, so that it does not change with each delivery.
    check: Option<Duration>,
}

impl Default for Outstanding {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            first: NOWHERE,
            last: NOWHERE,
            free: NOWHERE,
            own: BTreeMap::new(),
            check: None,
        }
    }
}

impl Outstanding {
    /// A message goes out that has the time of the queue.
    pub(crate) fn add(
        &mut self,
        position: u64,
        channel: ChannelId,
        now: Duration,
        timeout: Duration,
    ) -> Note {
        let place = Place {
            since: now,
            position,
            channel,
            before: self.last,
            after: NOWHERE,
        };
        let at = self.free;
        let at = if let Some(free) = self.places.get_mut(at as usize) {
            self.free = free.after;
            *free = place;
            at
        } else {
            let at = u32::try_from(self.places.len()).unwrap_or(NOWHERE);
            if at == NOWHERE {
                return Note::None;
            }
            self.places.push(place);
            at
        };
        match self.places.get_mut(self.last as usize) {
            Some(last) => last.after = at,
            None => self.first = at,
        }
        self.last = at;
        self.check_by(now.saturating_add(timeout));
        Note::Listed(at)
    }

    /// A message goes out that has a time of its own.
    pub(crate) fn add_own(
        &mut self,
        position: u64,
        channel: ChannelId,
        now: Duration,
        timeout: Duration,
    ) -> Note {
        let over = now.saturating_add(timeout);
        self.own.insert((over, position), (channel, timeout));
        self.check_by(over);
        Note::Own(over)
    }

    /// A message is out no longer.
    pub(crate) fn remove(&mut self, position: u64, note: Note) {
        match note {
            Note::None => {}
            Note::Listed(at) => self.unlink(at),
            Note::Own(over) => {
                self.own.remove(&(over, position));
            }
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(place) = self.places.get_mut(at as usize) else {
            return;
        };
        let Place { before, after, .. } = *place;
        place.after = self.free;
        self.free = at;
        match self.places.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match self.places.get_mut(after as usize) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
        if self.first == NOWHERE {
            self.places.clear();
            self.places.shrink_to(KEPT);
            self.free = NOWHERE;
        }
    }

    /// When to look at what is out.
    pub(crate) fn check(&self) -> Option<Duration> {
        self.check
    }

    fn check_by(&mut self, at: Duration) {
        if self.check.is_none_or(|check| at < check) {
            self.check = Some(at);
        }
    }

    /// Says again when to look at what is out, where the queue has this time.
    pub(crate) fn check_again(&mut self, timeout: Option<Duration>) {
        let first = self.places.get(self.first as usize);
        let listed = first.zip(timeout);
        let listed = listed.map(|(first, timeout)| first.since.saturating_add(timeout));
        let own = self.own.first_key_value().map(|((over, _), _)| *over);
        self.check = [listed, own].into_iter().flatten().min();
    }

    /// Takes one that is out for too long, where the queue has this time.
    pub(crate) fn pop_overdue(
        &mut self,
        now: Duration,
        timeout: Option<Duration>,
    ) -> Option<Overdue> {
        if self.check.is_none_or(|check| check > now) {
            return None;
        }
        if let Some(timeout) = timeout
            && let Some(&first) = self.places.get(self.first as usize)
            && first.since.saturating_add(timeout) <= now
        {
            self.unlink(self.first);
            return Some(Overdue {
                position: first.position,
                channel: first.channel,
                timeout,
            });
        }
        if let Some(first) = self.own.first_entry()
            && first.key().0 <= now
        {
            let ((_, position), (channel, timeout)) = first.remove_entry();
            return Some(Overdue {
                position,
                channel,
                timeout,
            });
        }
        self.check_again(timeout);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConnectionId;

    const MINUTE: Duration = Duration::from_secs(60);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn channel(number: u16) -> ChannelId {
        let connection = ConnectionId(1);
        ChannelId { connection, number }
    }

    fn positions(outstanding: &mut Outstanding, now: Duration) -> Vec<u64> {
        let overdue = core::iter::from_fn(|| outstanding.pop_overdue(now, Some(MINUTE)));
        overdue.map(|overdue| overdue.position).collect()
    }

    /// Whichever goes, the others stay in their order, and places are used again.
    #[test]
    fn those_that_went_out_first_are_overdue_first() {
        let orders: [&[usize]; 7] = [&[], &[0], &[1], &[2], &[0, 1], &[2, 1], &[0, 1, 2]];
        for gone in orders {
            let mut outstanding = Outstanding::default();
            let notes: Vec<Note> = (0..3)
                .map(|n| outstanding.add(n, channel(1), seconds(n), MINUTE))
                .collect();
            for &n in gone {
                outstanding.remove(n as u64, notes[n]);
            }
            let again = outstanding.add(7, channel(1), seconds(3), MINUTE);
            let expected: Vec<u64> = (0..3)
                .filter(|n| !gone.contains(&(*n as usize)))
                .chain([7])
                .collect();
            assert!(positions(&mut outstanding, seconds(59)).is_empty());
            assert_eq!(
                positions(&mut outstanding, seconds(63)),
                expected,
                "{gone:?}"
            );
            assert_eq!(outstanding.check(), None);
            assert!(outstanding.places.is_empty(), "{again:?}");
        }
    }

    /// A time of one's own is kept beside that of the queue.
    #[test]
    fn each_has_its_time() {
        let mut outstanding = Outstanding::default();
        outstanding.add(1, channel(1), seconds(0), MINUTE);
        let gone = outstanding.add_own(2, channel(2), seconds(0), seconds(3));
        outstanding.add_own(3, channel(2), seconds(1), seconds(5));
        outstanding.add_own(4, channel(2), seconds(1), seconds(600));
        assert_eq!(outstanding.check(), Some(seconds(3)));
        outstanding.remove(2, gone);
        assert_eq!(outstanding.pop_overdue(seconds(3), Some(MINUTE)), None);
        assert_eq!(outstanding.check(), Some(seconds(6)));
        let overdue = Overdue {
            position: 3,
            channel: channel(2),
            timeout: seconds(5),
        };
        assert_eq!(
            outstanding.pop_overdue(seconds(6), Some(MINUTE)),
            Some(overdue)
        );
        // The queue has no time any more.
        outstanding.check_again(None);
        assert_eq!(outstanding.check(), Some(seconds(601)));
        assert_eq!(outstanding.pop_overdue(seconds(100), None), None);
        // It has one again.
        outstanding.check_again(Some(MINUTE));
        assert_eq!(positions(&mut outstanding, seconds(100)), [1]);
    }

    /// The check changes with none of the messages that are settled in time.
    #[test]
    fn a_message_in_time_moves_no_timer() {
        let mut outstanding = Outstanding::default();
        for n in 0..50 {
            let note = outstanding.add(n, channel(1), seconds(n), MINUTE);
            assert_eq!(outstanding.check(), Some(MINUTE));
            outstanding.remove(n, note);
        }
        assert_eq!(outstanding.pop_overdue(MINUTE, Some(MINUTE)), None);
        assert_eq!(outstanding.check(), None);
    }
}
