//! When something is due.

use core::time::Duration;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Timer {
    /// The next step of the handshake, which is the peer's, is late.
    Handshake,
    /// The answer to our connection.close is late.
    Close,
    /// The peer has been silent for two heartbeat intervals (section 4.2.7).
    Receive,
    /// A heartbeat of ours is due.
    Send,
}

impl Timer {
    const ALL: [Self; 4] = [Self::Handshake, Self::Close, Self::Receive, Self::Send];

    /// Whether it waits for bytes that come only while the embedder reads.
    const fn waits_for_input(self) -> bool {
        matches!(self, Self::Receive)
    }
}

/// Whether the embedder reads from the socket.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reading {
    /// It does.
    #[default]
    Running,
    /// It holds the peer back: the silence is not the peer's.
    Paused,
}

/// The time of each timer that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    at: [Option<Duration>; Timer::ALL.len()],
    pub(super) reading: Reading,
}

impl Timers {
    /// Starts a timer, or moves it. A time beyond the end of time never comes.
    #[inline]
    pub(super) fn set(&mut self, timer: Timer, now: Duration, after: Duration) {
        self.at[timer as usize] = now.checked_add(after);
    }

    /// When a timer is due, if it runs.
    pub(super) const fn at(&self, timer: Timer) -> Option<Duration> {
        self.at[timer as usize]
    }

    /// Stops a timer.
    pub(super) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// Stops all timers.
    pub(super) fn stop_all(&mut self) {
        self.at = Default::default();
    }

    /// The time of the next timer.
    pub(super) fn next(&self) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|it| self.due(it)).min()
    }

    /// The first of the timers, in the order of [`Timer::ALL`], whose time has come.
    pub(super) fn expired(&self, now: Duration) -> Option<Timer> {
        let has_come = |timer: &Timer| self.due(*timer).is_some_and(|at| at <= now);
        Timer::ALL.into_iter().find(has_come)
    }

    /// The time of a timer, unless it stands still.
    fn due(&self, timer: Timer) -> Option<Duration> {
        if self.reading == Reading::Paused && timer.waits_for_input() {
            return None;
        }
        self.at[timer as usize]
    }
}
