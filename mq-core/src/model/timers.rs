//! Deadlines, each belonging to one thing in the model.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::model::id::QueueId;
use crate::model::id::SessionId;

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    Queue(QueueId),
    Session(SessionId),
    /// The next message that waits for its time.
    Delays,
}

/// At most one deadline for each key, the next one at hand.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    order: BTreeSet<(Duration, TimerKey)>,
    set: BTreeMap<TimerKey, Duration>,
}

impl Timers {
    pub(crate) fn set(&mut self, key: TimerKey, at: Option<Duration>) {
        let old = match at {
            Some(at) => self.set.insert(key, at),
            None => self.set.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, key));
        }
        if let Some(at) = at {
            self.order.insert((at, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes a deadline that is not later than `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<TimerKey> {
        let &(at, key) = self.order.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}
