//! Times that are fixed beforehand, and a thread that wakes whoever is due. The timers of
//! the runtime tick once a millisecond, which would be seen in the latencies.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::run::{Phase, Run};

/// When the messages of one connection are due, after the start.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The first of them.
    pub first: Duration,
    /// From one to the next.
    pub every: Duration,
}

impl Schedule {
    /// The share of one of `publishers` connections, which publish in turn, in a rate of
    /// messages a second.
    pub fn share(rate: f64, publisher: usize, publishers: usize) -> Self {
        Self {
            first: Duration::from_secs_f64(publisher as f64 / rate),
            every: Duration::from_secs_f64(publishers as f64 / rate),
        }
    }

    /// When message `n` is due.
    pub fn due(&self, n: u64) -> Duration {
        let nanoseconds = self.every.as_nanos() * u128::from(n);
        self.first + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// When the first message after `now` is due.
    fn next(&self, now: Duration) -> Duration {
        let past = now.saturating_sub(self.first).as_nanos() / self.every.as_nanos().max(1);
        let next = self.due(u64::try_from(past).unwrap_or(u64::MAX));
        if next > now { next } else { next + self.every }
    }
}

/// No wake is closer to the last one than this: what is due by then goes in one batch.
const RESOLUTION: Duration = Duration::from_micros(50);

/// Wakes the connections with these numbers whenever they are due, until the run is over.
pub fn start(run: Arc<Run>, schedules: Vec<(usize, Schedule)>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while run.phase() == Phase::Run {
            let now = run.since_begin();
            let next = schedules.iter().map(|(_, it)| it.next(now)).min();
            let Some(next) = next else { return };
            thread::sleep(next.saturating_sub(now).max(RESOLUTION));
            let woken = run.since_begin();
            for (connection, schedule) in &schedules {
                if schedule.next(now) <= woken {
                    run.wake(*connection);
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_publishers_share_the_rate_in_turn() {
        let due = |publisher, n| Schedule::share(1000.0, publisher, 4).due(n).as_millis();
        assert_eq!(
            [due(0, 0), due(1, 0), due(3, 0), due(0, 1), due(2, 5)],
            [0, 1, 3, 4, 22]
        );
        let schedule = Schedule::share(1000.0, 1, 4);
        let next = |ms| schedule.next(Duration::from_millis(ms)).as_millis();
        assert_eq!([next(0), next(1), next(4), next(5)], [1, 5, 5, 9]);
    }
}
