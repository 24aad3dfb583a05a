//! How much room the store has left, and whether that is less than is to be kept free.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Store;
use crate::live::Live;

/// Bytes that are written in a second at most, by which it is decided when to look again.
const FASTEST: u64 = 500_000_000;

/// How long it is until it is looked again.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Looks, and says when it changes whether there is enough.
#[derive(Debug)]
pub(super) struct Room {
    /// It has what is to be kept free, which can change.
    live: Live,
    is_short: watch::Sender<bool>,
    pub(super) next_look: Instant,
}

impl Room {
    pub(super) fn new(live: Live, is_short: watch::Sender<bool>) -> Self {
        Self {
            live,
            is_short,
            next_look: Instant::now(),
        }
    }

    /// Looks how much is free.
    pub(super) fn look(&mut self, store: &dyn Store) {
        let limit = self.live.get().disk_free_limit;
        let free = if limit == 0 { None } else { store.free() };
        let is_short = free.is_some_and(|free| free < limit);
        self.next_look = Instant::now() + pause(free, limit);
        let has_changed = self.is_short.send_if_modified(|known| {
            let has_changed = *known != is_short;
            *known = is_short;
            has_changed
        });
        match (has_changed, is_short) {
            (true, true) => {
                tracing::error!(
                    free,
                    limit,
                    "less is free than disk_free_limit: publishers wait"
                );
            }
            (true, false) => tracing::info!(free, limit, "enough is free again: publishers go on"),
            (false, _) => {}
        }
    }
}

/// How long it is until it is looked again: the nearer the limit, the shorter, as in RabbitMQ.
fn pause(free: Option<u64>, limit: u64) -> Duration {
    let Some(free) = free else {
        return LONGEST;
    };
    let until = Duration::from_millis(free.saturating_sub(limit) / (FASTEST / 1000));
    until.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        let ms = Duration::from_millis;
        let limit = 50_000_000;
        for (free, expected) in [
            (None, ms(10_000)),
            (Some(0), ms(100)),
            (Some(limit), ms(100)),
            (Some(limit + 500_000_000), ms(1000)),
            (Some(u64::MAX), ms(10_000)),
        ] {
            assert_eq!(pause(free, limit), expected, "{free:?}");
        }
    }
}
