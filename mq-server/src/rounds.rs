//! When it is looked whether a connection is idle.

use std::collections::VecDeque;
use std::time::Duration;

use mq_core::ConnectionId;

/// How long nothing passes a connection before its socket is parked. It is short, since the
/// memory of those that came at one time and are not parked yet is not given back. To serve one
/// again takes some ten microseconds, so that one that comes back soon is given twice the time,
/// up to [`LEVELS`].
const PATIENCE: Duration = Duration::from_millis(20);
const LEVELS: usize = 10;

/// One that was parked for less than this came back soon.
const SOON: Duration = Duration::from_secs(4);

/// How patient one is with a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patience(u8);

impl Patience {
    fn time(self) -> Duration {
        PATIENCE * (1 << self.0)
    }

    /// The patience with one that was parked for so long.
    pub(crate) fn after(self, parked: Duration) -> Self {
        match parked < SOON {
            true => Self((self.0 + 1).min(LEVELS as u8 - 1)),
            false => self,
        }
    }
}

/// Connections that are looked at later: in a line for each patience, so that each line is in
/// the order of its times.
#[derive(Debug, Default)]
pub(crate) struct Rounds([VecDeque<(Duration, ConnectionId)>; LEVELS]);

impl Rounds {
    /// Has a connection looked at when its time has passed.
    pub(crate) fn add(&mut self, now: Duration, patience: Patience, connection: ConnectionId) {
        if let Some(line) = self.0.get_mut(usize::from(patience.0)) {
            line.push_back((now + patience.time(), connection));
        }
    }

    /// The next one whose time has come.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<ConnectionId> {
        let is_due = |line: &&mut VecDeque<(Duration, ConnectionId)>| {
            line.front().is_some_and(|(due, _)| *due <= now)
        };
        let line = self.0.iter_mut().find(is_due)?;
        let (_, connection) = line.pop_front()?;
        if line.is_empty() {
            // A burst of connections leaves no room behind.
            *line = VecDeque::new();
        }
        Some(connection)
    }

    /// When the next one is looked at.
    pub(crate) fn next(&self) -> Option<Duration> {
        let first = self.0.iter().filter_map(VecDeque::front);
        first.map(|(due, _)| *due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn who_comes_back_soon_is_given_more_time() {
        // Parked for so long, and the patience after that.
        let rows = [
            (3_999, 40),
            (4_000, 40),
            (60_000, 40),
            (0, 80),
            (1_000, 160),
            (0, 320),
            (0, 640),
            (0, 1_280),
            (0, 2_560),
            (0, 5_120),
            (0, 10_240),
            (0, 10_240),
        ];
        let mut patience = Patience::default();
        assert_eq!(patience.time(), ms(20));
        for (parked, time) in rows {
            patience = patience.after(ms(parked));
            assert_eq!(patience.time(), ms(time), "{parked}");
        }
    }

    #[test]
    fn each_is_looked_at_in_its_time() {
        let mut rounds = Rounds::default();
        let patient = Patience::default().after(ms(0));
        rounds.add(ms(0), patient, ConnectionId(1));
        rounds.add(ms(10), Patience::default(), ConnectionId(2));
        rounds.add(ms(25), Patience::default(), ConnectionId(3));
        assert_eq!(rounds.next(), Some(ms(30)));
        assert_eq!(rounds.pop(ms(29)), None);
        assert_eq!(rounds.pop(ms(39)), Some(ConnectionId(2)));
        assert_eq!(rounds.pop(ms(39)), None);
        assert_eq!(rounds.pop(ms(40)), Some(ConnectionId(1)));
        assert_eq!(rounds.next(), Some(ms(45)));
        assert_eq!(rounds.pop(ms(45)), Some(ConnectionId(3)));
        assert_eq!(rounds.next(), None);
    }
}
