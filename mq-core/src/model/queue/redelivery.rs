//! When a message that came back is delivered again, and how often (ActiveMQ:
//! `RedeliveryPolicy`).

use core::time::Duration;

use super::{ChannelId, Entry, Queue, Unacknowledged};
use crate::model::message::{Headers, Value};

/// Messages that come back at one time.
const AT_ONCE: usize = 64;

/// How messages are delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redelivery {
    /// How often a message may be; None: as often as it comes back.
    pub(crate) most: Option<u32>,
    /// How long it rests the first time.
    delay: Duration,
    /// By how much it rests longer each time.
    multiplier: u32,
    /// How long it rests at most.
    longest: Option<Duration>,
}

/// The arguments of a queue, which are of this broker alone.
pub(super) const MOST: &str = "x-maximum-redeliveries";
pub(super) const DELAY: &str = "x-redelivery-delay";
pub(super) const MULTIPLIER: &str = "x-redelivery-multiplier";
pub(super) const LONGEST: &str = "x-maximum-redelivery-delay";

impl Redelivery {
    /// None: there is no policy.
    pub(super) fn parse(arguments: &Headers) -> Option<Self> {
        let number = |name: &str| {
            let number = arguments.get(name).and_then(Value::as_int)?;
            u64::try_from(number).ok()
        };
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (most, delay) = (number(MOST), number(DELAY));
        (most.is_some() || delay.is_some()).then(|| Self {
            most: most.map(narrow),
            delay: Duration::from_millis(delay.unwrap_or(0)),
            multiplier: number(MULTIPLIER).map_or(1, narrow),
            longest: number(LONGEST).map(Duration::from_millis),
        })
    }

    /// How long a message rests that has come back so often before.
    pub(super) fn rest(&self, returned: u32) -> Duration {
        let factor = self.multiplier.checked_pow(returned).unwrap_or(u32::MAX);
        let rest = self.delay.saturating_mul(factor);
        self.longest.map_or(rest, |longest| rest.min(longest))
    }
}

impl Queue {
    /// Puts a message back where it was, at once or when it has rested.
    pub(super) fn give_back(&mut self, mut entry: Entry, channel: ChannelId, now: Duration) {
        let rest = self.arguments.redelivery.map(|r| r.rest(entry.returned));
        let Some(rest) = rest.filter(|rest| !rest.is_zero()) else {
            self.put_back(entry, channel);
            return;
        };
        entry.redelivered = true;
        entry.returned = entry.returned.saturating_add(1);
        let position = entry.position;
        self.unacknowledged
            .insert(position, Unacknowledged::of_nobody(entry));
        self.resting.insert((now.saturating_add(rest), position));
    }

    /// Messages that have rested are ready again: some of them, where there are many. Counts
    /// them.
    pub(super) fn wake(&mut self, now: Duration, steps: &mut u64) {
        for _ in 0..AT_ONCE {
            let Some(&(at, position)) = self.resting.first() else {
                return;
            };
            if at > now {
                return;
            }
            *steps += 1;
            self.resting.pop_first();
            if let Some(rested) = self.unacknowledged.remove(&position) {
                self.insert(rested.entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `RedeliveryPolicy.getNextRedeliveryDelay`: the delay, times the multiplier each time.
    #[test]
    fn rests() {
        type Arguments = &'static [(&'static str, i64)];
        let policy = |arguments: Arguments| {
            let mut headers = Headers::default();
            for (name, number) in arguments {
                headers.push(name, Value::long(*number));
            }
            Redelivery::parse(&headers)
        };
        assert_eq!(policy(&[("x-redelivery-multiplier", 2)]), None);
        let cases: [(Arguments, [u64; 4]); 4] = [
            (&[(MOST, 6)], [0, 0, 0, 0]),
            (&[(DELAY, 1000)], [1000, 1000, 1000, 1000]),
            (
                &[(DELAY, 1000), (MULTIPLIER, 5)],
                [1000, 5000, 25_000, 125_000],
            ),
            (
                &[(DELAY, 1000), (MULTIPLIER, 5), (LONGEST, 20_000)],
                [1000, 5000, 20_000, 20_000],
            ),
        ];
        for (arguments, expected) in cases {
            let policy = policy(arguments).unwrap();
            let rests = [0, 1, 2, 3].map(|n| policy.rest(n).as_millis() as u64);
            assert_eq!(rests, expected);
        }
        let policy = policy(&[(DELAY, i64::MAX), (MULTIPLIER, 9)]).unwrap();
        assert!(policy.rest(u32::MAX) > Duration::from_secs(1));
    }
}
