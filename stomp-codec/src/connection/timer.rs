//! When something is due.

use core::time::Duration;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Timer {
    /// The login (CONNECT at a server, CONNECTED at a client) is late.
    Handshake,
    /// The answer to our DISCONNECT, or more of the ERROR that ends it all, is late.
    Close,
    /// The peer has been silent for too long ("Heart-beating").
    Receive,
    /// A heart-beat of ours is due.
    Send,
}

impl Timer {
    const ALL: [Self; 4] = [Self::Handshake, Self::Close, Self::Receive, Self::Send];

    /// Whether it waits for bytes that only come while the embedder reads.
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
pub(crate) struct Timers {
    at: [Option<Duration>; Timer::ALL.len()],
    pub(crate) reading: Reading,
}

impl Timers {
    /// Starts a timer, or moves it. A time beyond the end of time never comes.
    pub(crate) fn set(&mut self, timer: Timer, now: Duration, after: Duration) {
        self.at[timer as usize] = now.checked_add(after);
    }

    /// When a timer is due, if it runs.
    pub(crate) const fn at(&self, timer: Timer) -> Option<Duration> {
        self.at[timer as usize]
    }

    /// Stops a timer.
    pub(crate) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// Stops all timers.
    pub(crate) fn stop_all(&mut self) {
        self.at = Default::default();
    }

    /// The time of the next timer.
    pub(crate) fn next(&self) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|it| self.due(it)).min()
    }

    /// The first of the timers, in the order of [`Timer::ALL`], whose time has come.
    pub(crate) fn expired(&self, now: Duration) -> Option<Timer> {
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
