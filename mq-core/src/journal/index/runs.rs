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
