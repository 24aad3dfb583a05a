//! Runs of messages that leave memory, and come back.

use alloc::vec::Vec;

use super::frozen::{Frozen, Scale, Stretch};
use super::queues::{Left, Queues};
use super::{QueueId, Thawed};
use crate::model::change::Change;
use crate::model::shared::Shared;

/// Queues that are asked at one time for what could leave memory.
const ASKED: usize = 16;

impl Queues {
    /// Remembers a queue of which some may leave memory.
    pub(super) fn note_long(&mut self, shared: &Shared, id: QueueId) {
        let scale = Scale::of(shared.limits.memory_spill);
        if let Some(queue) = self.all.get_mut(&id)
            && !queue.is_long
            && queue.ready.is_long(&scale)
        {
            queue.is_long = true;
            self.long.push_back(id);
        }
    }

    /// How many queues there are of which some may leave memory.
    pub(crate) fn count_long(&self) -> usize {
        self.long.len()
    }

    /// The next messages that could leave memory.
    pub(crate) fn next_stretch(&mut self, shared: &Shared) -> Option<(QueueId, Stretch)> {
        let scale = Scale::of(shared.limits.memory_spill);
        for _ in 0..ASKED {
            let id = self.long.pop_front()?;
            let Some(queue) = self.all.get_mut(&id) else {
                continue;
            };
            if let Some(stretch) = queue.ready.stretch(&scale) {
                self.long.push_back(id);
                return Some((id, stretch));
            }
            queue.is_long = false;
        }
        None
    }

    /// Lets go of messages that are in the log.
    pub(crate) fn freeze(&mut self, id: QueueId, stretch: &Stretch, mut run: Frozen) {
        if let Some(queue) = self.all.get_mut(&id) {
            run.offered = stretch.offered.clamp(run.first, run.end());
            queue.ready.freeze(stretch.level, run);
        }
    }

    /// The first message of a stretch cannot leave memory.
    pub(crate) fn pass_over(&mut self, id: QueueId, stretch: &Stretch) {
        if let Some(queue) = self.all.get_mut(&id) {
            queue.ready.pass_over(stretch.level, stretch.first + 1);
        }
    }

    /// A run has come, but for what of it cannot be read: that is lost.
    pub(crate) fn thaw(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        first: u64,
        messages: Vec<Thawed>,
    ) {
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        let Some(lost) = queue.thaw(first, messages) else {
            return;
        };
        for position in lost {
            shared.statistics.discarded += 1;
            queue.counts.given_up += 1;
            shared.changes.push(Change::settled(id, position));
        }
        self.go_on_searching(id);
        self.serve_gets(shared, id);
        self.list(id);
    }

    /// Lets consumers of a queue go on with their search that have waited for a run.
    pub(super) fn go_on_searching(&mut self, id: QueueId) {
        if let Some(queue) = self.all.get_mut(&id) {
            let searches = core::mem::take(&mut queue.absent.searches);
            if !searches.is_empty() {
                self.left.push_back(Left::Search(id, searches));
            }
        }
    }

    /// Gives up a run whose time is over, and of which nobody gets a letter.
    pub(super) fn expire_run(&mut self, shared: &mut Shared, id: QueueId, run: &Frozen) {
        shared.statistics.steps += 1;
        shared.statistics.expired += run.left as u64;
        if let Some(queue) = self.all.get_mut(&id) {
            queue.counts.given_up += run.left as u64;
        }
        shared.changes.push(Change::SettledRange(run.range(id)));
    }
}
