//! Runs of messages that have left memory, and the places of messages in them.

use alloc::vec::Vec;

use super::{Host, Index, LiveMessage, Place, Unfit, What};
use crate::journal::run::{Builder, Run};
use crate::model::change::Range;
use crate::model::queue::frozen::Frozen;
use crate::model::queue::is_grouped;

impl Index {
    /// The run that has a place, by its own.
    pub(super) fn run_with(&self, place: Place) -> Option<Place> {
        let (first, run) = self.runs.range(..=place).next_back()?;
        let is_it = first.host == place.host
            && first.backlog == place.backlog
            && place.position < run.frozen.end();
        is_it.then_some(*first)
    }

    /// A message of a run has left its place.
    pub(super) fn leave_run(&mut self, place: Place) {
        if let Some(first) = self.run_with(place)
            && let Some(run) = self.runs.get_mut(&first)
        {
            let len = run.leave(place.position).unwrap_or_default();
            self.live -= len;
            self.in_runs -= len;
            self.returned.remove(&place);
            if run.frozen.left == 0 {
                self.remove_run(first);
            }
        }
    }

    /// Messages have left places that follow each other.
    pub(super) fn leave_range(&mut self, host: Host, range: Range) {
        let Range {
            backlog,
            first,
            count,
        } = range;
        let place = |position| Place {
            host,
            backlog,
            position,
        };
        let end = first.saturating_add(count);
        let places = place(first)..place(end);
        while let Some((&found, _)) = self.places.range(places.clone()).next() {
            self.leave(found);
        }
        let mut position = first;
        while position < end {
            let next = || Some(*self.runs.range(place(position)..place(end)).next()?.0);
            let Some(found) = self.run_with(place(position)).or_else(next) else {
                return;
            };
            let frozen = self
                .runs
                .get(&found)
                .map(|run| (run.frozen.first, run.frozen.end()));
            let (begin, after) = frozen.unwrap_or((end, end));
            if begin >= first && after <= end {
                self.forget_run(found);
            } else {
                let within = begin.max(first)..after.min(end);
                within.for_each(|position| self.leave_run(place(position)));
            }
            position = after;
        }
    }

    /// Lets go of messages of a queue that follow each other from a place on: so many of
    /// them, until so many bytes of records are together, if all of them are stored before a
    /// position.
    ///
    /// # Errors
    /// The first one is not to go now, or never.
    pub(in crate::journal) fn freeze(
        &mut self,
        first: Place,
        count: usize,
        bytes: u64,
        durable: u64,
    ) -> Result<Frozen, Unfit> {
        let mut builder = Builder::new(first.position);
        let mut records = Vec::new();
        let mut unfit = Unfit::ForGood;
        for (place, &record) in self.places.range(first..).take(count) {
            let expected = Place {
                position: first.position + records.len() as u64,
                ..first
            };
            let Some(live) = self.order.get(&record).filter(|_| *place == expected) else {
                break;
            };
            let What::Message(message) = &live.what else {
                break;
            };
            if record >= durable || self.is_open(live.host, message) {
                unfit = Unfit::Yet;
                break;
            }
            let [target] = &message.targets[..] else {
                break;
            };
            let is_plain = target.is_in_queue()
                && target.returned == 0
                // Its queue looks at each of them.
                && !is_grouped(&message.message);
            if !is_plain || !builder.push(record, live.len, &message.message, target.expires) {
                break;
            }
            records.push(record);
            if builder.bytes() >= bytes {
                break;
            }
        }
        if records.is_empty() {
            return Err(unfit);
        }
        for (record, position) in records.into_iter().zip(first.position..) {
            self.order.remove(&record);
            self.places.remove(&Place { position, ..first });
        }
        let run = builder.finish();
        let frozen = run.frozen.clone();
        self.in_runs += run.live;
        self.run_order.insert(run.begin, first);
        self.runs.insert(first, run);
        Ok(frozen)
    }

    pub(super) fn is_open(&self, host: Host, message: &LiveMessage) -> bool {
        message
            .transaction
            .is_some_and(|transaction| self.open.contains_key(&(host, transaction)))
    }

    pub(in crate::journal) fn run(&self, first: Place) -> Option<&Run> {
        self.runs.get(&first)
    }

    pub(in crate::journal) fn run_mut(&mut self, first: Place) -> Option<&mut Run> {
        self.runs.get_mut(&first)
    }

    /// The run whose records lie first, if they lie before everything else.
    pub(in crate::journal) fn first_run(&self) -> Option<Place> {
        let (begin, place) = self.run_order.first_key_value()?;
        (self.first() == Some(*begin)).then_some(*place)
    }

    /// A run is gone, or its messages are back. How often they came back stays known.
    pub(in crate::journal) fn remove_run(&mut self, first: Place) -> Option<Run> {
        let run = self.runs.remove(&first)?;
        self.run_order.remove(&run.begin);
        self.live -= run.live;
        self.in_runs -= run.live;
        Some(run)
    }

    /// A run is gone.
    pub(in crate::journal) fn forget_run(&mut self, first: Place) {
        for (place, _) in self.returned_of(first) {
            self.returned.remove(&place);
        }
        self.remove_run(first);
    }

    /// The messages of a run that came back, by their places, and how often.
    pub(in crate::journal) fn returned_of(&self, first: Place) -> Vec<(Place, u32)> {
        let end = self
            .runs
            .get(&first)
            .map_or(first.position, |run| run.frozen.end());
        let end = Place {
            position: end,
            ..first
        };
        let returned = self.returned.range(first..end);
        returned.map(|(place, count)| (*place, *count)).collect()
    }

    /// How often a message came back whose run is in memory again.
    pub(in crate::journal) fn take_returned(&mut self, place: Place) -> u32 {
        self.returned.remove(&place).unwrap_or_default()
    }

    /// The records of a run were written once more, one after the other, from a position on.
    pub(in crate::journal) fn move_run(&mut self, first: Place, to: u64) {
        if let Some(run) = self.remove_run(first) {
            let run = run.moved(to);
            self.live += run.live;
            self.in_runs += run.live;
            self.run_order.insert(run.begin, first);
            self.runs.insert(first, run);
        }
    }

    /// All runs, by the places of their first messages.
    pub(in crate::journal) fn runs(&self) -> impl Iterator<Item = (Place, &Frozen)> {
        self.runs.iter().map(|(place, run)| (*place, &run.frozen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::index::Written;
    use crate::model::change::{BacklogId, Change, Target};
    use crate::model::queue::tests::message;
    use alloc::sync::Arc;
    use alloc::vec;

    /// Positions from 10 to 19 in queue 5 of two virtual hosts, with records of 100 bytes.
    fn index() -> Index {
        let mut index = Index::default();
        for n in 0..20 {
            let target = Target {
                backlog: BacklogId(5),
                position: 10 + n / 2,
                expires: None,
                returned: 0,
                copy: None,
            };
            let written = Written {
                host: (n % 2) as usize,
                transaction: None,
                position: n * 100,
                len: 100,
            };
            let change = Change::Message {
                message: Arc::new(message("m")),
                targets: vec![target],
            };
            index.apply(written, change);
        }
        index
    }

    fn at(host: Host, backlog: u64, position: u64) -> Place {
        Place {
            host,
            backlog: BacklogId(backlog),
            position,
        }
    }

    #[test]
    fn a_run_is_as_large_as_it_may_be() {
        for (first, count, bytes, durable, expected) in [
            (10, 4, 1_000, 5_000, Ok(4)),
            (10, 99, 9_000, 5_000, Ok(10)),
            // The message that reaches the bytes is the last.
            (10, 4, 200, 5_000, Ok(2)),
            (10, 4, 201, 5_000, Ok(3)),
            (10, 4, 1, 5_000, Ok(1)),
            // The record of the third begins at 400 and the fourth's at 600.
            (10, 4, 1_000, 601, Ok(4)),
            (10, 4, 1_000, 600, Ok(3)),
            (10, 4, 1_000, 0, Err(Unfit::Yet)),
            (20, 4, 1_000, 5_000, Err(Unfit::ForGood)),
            (9, 4, 1_000, 5_000, Err(Unfit::ForGood)),
        ] {
            let frozen = index().freeze(at(0, 5, first), count, bytes, durable);
            let span = frozen.map(|frozen| frozen.span);
            assert_eq!(span, expected, "{first} {count} {bytes} {durable}");
        }
    }

    #[test]
    fn a_place_is_in_a_run_of_its_queue() {
        let mut index = index();
        index.freeze(at(0, 5, 12), 4, 9_000, 9_000).unwrap();
        for (place, is_in_it) in [
            (at(0, 5, 11), false),
            (at(0, 5, 12), true),
            (at(0, 5, 15), true),
            (at(0, 5, 16), false),
            (at(0, 6, 13), false),
            (at(1, 5, 13), false),
        ] {
            let expected = is_in_it.then_some(at(0, 5, 12));
            assert_eq!(index.run_with(place), expected, "{place:?}");
        }
        // Its records are needed, and weigh nothing.
        assert_eq!((index.live(), index.first()), (2_000, Some(0)));
        assert_eq!(index.runs().count(), 1);
        let others = index.weight();
        index.forget_run(at(0, 5, 12));
        assert_eq!((index.live(), index.weight()), (1_600, others));
    }

    #[test]
    fn a_run_goes_with_its_last_message() {
        let mut index = index();
        index.freeze(at(0, 5, 12), 4, 9_000, 9_000).unwrap();
        for (left, position) in (0..4).rev().zip(12..) {
            let returned = Change::Returned {
                backlog: BacklogId(5),
                position,
                count: 2,
            };
            index.settle(0, &returned);
            assert_eq!(index.returned.len(), 1);
            // It leaves once, however often that is said.
            for _ in 0..2 {
                index.leave(at(0, 5, position));
            }
            assert!(index.returned.is_empty());
            assert_eq!(index.live(), 1_600 + 100 * left);
        }
        assert_eq!((index.runs.len(), index.run_order.len()), (0, 0));
    }

    #[test]
    fn a_range_leaves_runs() {
        for (first, count, left) in [
            (0, 12, vec![(12, 4)]),
            (0, 13, vec![(12, 3)]),
            (12, 4, vec![]),
            (13, 2, vec![(12, 2)]),
            (15, 100, vec![(12, 3)]),
            (16, 4, vec![(12, 4)]),
            (0, u64::MAX, vec![]),
        ] {
            let mut index = index();
            index.freeze(at(0, 5, 12), 4, 9_000, 9_000).unwrap();
            let backlog = BacklogId(5);
            index.leave_range(
                0,
                Range {
                    backlog,
                    first,
                    count,
                },
            );
            let runs = index.runs().map(|(place, run)| (place.position, run.left));
            assert_eq!(runs.collect::<Vec<_>>(), left, "{first} {count}");
            let end = first.saturating_add(count);
            let gone = (10..20).filter(|position| (first..end).contains(position));
            assert_eq!(index.live(), 2_000 - 100 * gone.count() as u64);
        }
    }
}
