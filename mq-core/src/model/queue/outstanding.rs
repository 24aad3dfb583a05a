//! Since when deliveries of a queue are out, where that is limited.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::ChannelId;

/// Deliveries that are to be settled in time.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    /// By position.
    since: BTreeMap<u64, (Duration, ChannelId)>,
    order: BTreeSet<(Duration, u64)>,
}

impl Outstanding {
    /// The message of a position is delivered on a channel.
    pub(crate) fn add(&mut self, position: u64, now: Duration, channel: ChannelId) {
        self.remove(position);
        self.since.insert(position, (now, channel));
        self.order.insert((now, position));
    }

    /// It is out no longer.
    pub(crate) fn remove(&mut self, position: u64) {
        if let Some((since, _)) = self.since.remove(&position) {
            self.order.remove(&(since, position));
        }
    }

    /// Since when the one is out that is out for longest.
    pub(crate) fn first(&self) -> Option<Duration> {
        self.order.first().map(|(since, _)| *since)
    }

    /// Takes the one that is out for longest: the channel that has it.
    pub(crate) fn pop(&mut self) -> Option<ChannelId> {
        let (_, position) = self.order.pop_first()?;
        let (_, channel) = self.since.remove(&position)?;
        Some(channel)
    }
}
