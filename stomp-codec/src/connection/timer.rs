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
    pub(crate) const ALL: [Self; 4] = [Self::Handshake, Self::Close, Self::Receive, Self::Send];
}

/// The time of each timer that runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    at: [Option<Duration>; Timer::ALL.len()],
}

impl Timers {
    /// Starts a timer, or moves it. A time beyond the end of time never comes.
    pub(crate) fn set(&mut self, timer: Timer, now: Duration, after: Duration) {
        self.at[timer as usize] = now.checked_add(after);
    }

    /// Stops a timer.
    pub(crate) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// Stops all timers.
    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// The time of the next timer.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.at.iter().copied().flatten().min()
    }

    /// The first of the timers, in the order of [`Timer::ALL`], whose time has come.
    pub(crate) fn expired(&self, now: Duration) -> Option<Timer> {
        let has_come = |timer: &Timer| self.at[*timer as usize].is_some_and(|at| at <= now);
        Timer::ALL.into_iter().find(has_come)
    }
}
