//! Heartbeats (section 4.2.7): when to send one, and when the peer is dead.

use core::time::Duration;

/// Times are since the embedder's origin. Off until [`start`](Self::start).
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    interval: Duration,
    next_check: Duration,
    last_heard: Duration,
    /// Whether anything was transmitted since the last check.
    transmitted: bool,
    /// What was left of the input when it was last looked at.
    leftover: usize,
}

impl Heartbeat {
    /// Both peers count from tune-ok on; zero seconds is no heartbeat at all.
    pub(super) fn start(&mut self, now: Duration, seconds: u16) {
        self.interval = Duration::from_secs(seconds.into());
        self.next_check = now.saturating_add(self.interval / 2);
        self.last_heard = now;
        self.transmitted = false;
    }

    pub(super) fn stop(&mut self) {
        self.interval = Duration::ZERO;
    }

    fn on(&self) -> bool {
        !self.interval.is_zero()
    }

    /// Any traffic stands in for a heartbeat: more input than was left is traffic.
    pub(super) fn presented(&mut self, now: Duration, len: usize) {
        if len > self.leftover {
            self.last_heard = now;
        }
    }

    /// So does input that was taken, however long the embedder had kept it.
    pub(super) fn left(&mut self, now: Duration, before: usize, leftover: usize) {
        if leftover < before {
            self.last_heard = now;
        }
        self.leftover = leftover;
    }

    pub(super) fn transmitted(&mut self) {
        self.transmitted = true;
    }

    fn dead_at(&self) -> Duration {
        self.last_heard.saturating_add(self.interval * 2)
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.on().then(|| self.next_check.min(self.dead_at()))
    }

    pub(super) fn is_dead(&self, now: Duration) -> bool {
        self.on() && now >= self.dead_at()
    }

    /// Whether a heartbeat is due. Looking every half interval, and sending one
    /// only after a silent half, leaves the peer at most one interval without.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        if !self.on() || now < self.next_check {
            return false;
        }
        self.next_check = now.saturating_add(self.interval / 2);
        !core::mem::take(&mut self.transmitted)
    }
}
