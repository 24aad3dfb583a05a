//! Heart-beating: what was agreed on, and when it is due (1.1 and 1.2,
//! "Heart-beating").

use core::fmt;
use core::time::Duration;

use nom::character::complete::{char, u64};
use nom::combinator::{all_consuming, map};
use nom::sequence::separated_pair;
use nom::{IResult, Parser};

/// The header `heart-beat`: what one side can do and what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartBeat {
    /// The shortest time between the heart-beats that this side can guarantee
    /// to send. Zero: it cannot send any. On the wire in milliseconds.
    pub send: Duration,
    /// The time between heart-beats that this side would like to get. Zero: it
    /// wants none. On the wire in milliseconds.
    pub receive: Duration,
}

impl HeartBeat {
    /// No heart-beats in either direction; what a missing header means.
    // keeps: stomp12/heart-beating/missing-header, stomp11/heart-beating/missing-header
    pub const NONE: HeartBeat = HeartBeat {
        send: Duration::ZERO,
        receive: Duration::ZERO,
    };

    /// Reads the value of the header: two numbers of milliseconds and a comma.
    // keeps: stomp12/heart-beating/header, stomp11/heart-beating/header
    pub fn parse(value: &str) -> Option<HeartBeat> {
        fn millis(input: &str) -> IResult<&str, Duration> {
            map(u64, Duration::from_millis).parse(input)
        }
        let numbers = separated_pair(millis, char(','), millis);
        let (_, (send, receive)) = all_consuming(numbers).parse_complete(value).ok()?;
        Some(HeartBeat { send, receive })
    }

    /// How often `self` sends to `peer`: the greater of what the one can do and
    /// the other wants.
    // keeps: stomp12/heart-beating/none, stomp11/heart-beating/none,
    // keeps: stomp12/heart-beating/interval, stomp11/heart-beating/interval
    fn interval_to(self, peer: HeartBeat) -> Option<Duration> {
        let none = self.send.is_zero() || peer.receive.is_zero();
        (!none).then(|| self.send.max(peer.receive))
    }
}

/// As the header has it. Parts of a millisecond count as a whole one.
impl fmt::Display for HeartBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| {
            time.as_nanos()
                .div_ceil(1_000_000)
                .min(u128::from(u64::MAX))
        };
        write!(f, "{},{}", millis(self.send), millis(self.receive))
    }
}

/// The margin of error that a receiver of heart-beats grants, beyond the agreed
/// interval.
///
/// The longer of the two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// keeps: stomp12/heart-beating/tolerance, stomp11/heart-beating/tolerance
pub struct Tolerance {
    /// In percent of the interval.
    pub percent: u32,
    /// For short intervals, which a network's delay exceeds easily.
    pub at_least: Duration,
}

impl Default for Tolerance {
    /// Once more the interval, and a second at least.
    fn default() -> Self {
        Tolerance {
            percent: 100,
            at_least: Duration::from_secs(1),
        }
    }
}

/// The heart-beats of an open session, both ways.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse {
    /// How long between two EOLs, and when the next is due.
    send: Option<(Duration, Duration)>,
    /// How long silence may last, and when it began.
    receive: Option<(Duration, Duration)>,
}

impl Pulse {
    pub(crate) fn new(
        now: Duration,
        ours: HeartBeat,
        theirs: HeartBeat,
        tolerance: Tolerance,
    ) -> Self {
        let send = ours.interval_to(theirs).map(|interval| {
            // The peer counts from when the bytes arrive: a quarter is for what
            // happens to them on the way, and for a timer that fires late.
            let every = interval.saturating_mul(3) / 4;
            (every, now.saturating_add(every))
        });
        let receive = theirs.interval_to(ours).map(|interval| {
            let margin = interval.saturating_mul(tolerance.percent) / 100;
            let silence = interval.saturating_add(margin.max(tolerance.at_least));
            (silence, now)
        });
        Pulse { send, receive }
    }

    /// Something came from the peer: any data is a sign of life.
    // keeps: stomp12/heart-beating/any-data, stomp11/heart-beating/any-data
    pub(crate) fn received(&mut self, now: Duration) {
        if let Some((_, since)) = &mut self.receive {
            *since = now.max(*since);
        }
    }

    /// When something is due. A time too far to be told never comes.
    pub(crate) fn next(&self) -> Option<Duration> {
        let send = self.send.map(|(_, at)| at);
        [send, self.expires()].into_iter().flatten().min()
    }

    /// When the peer has been silent for too long.
    pub(crate) fn expires(&self) -> Option<Duration> {
        self.receive
            .and_then(|(silence, since)| since.checked_add(silence))
    }

    /// Whether the peer has been silent for too long.
    // keeps: stomp12/heart-beating/silent-peer, stomp11/heart-beating/silent-peer
    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        self.expires().is_some_and(|at| at <= now)
    }

    /// Whether an EOL is due. If it is, the next one is an interval from now:
    /// what was missed is not made up for.
    // keeps: stomp12/heart-beating/sender-sends, stomp11/heart-beating/sender-sends
    pub(crate) fn is_due(&mut self, now: Duration) -> bool {
        let Some((every, at)) = self.send else {
            return false;
        };
        if at > now {
            return false;
        }
        self.send = now.checked_add(every).map(|next| (every, next));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    // shows: stomp12/heart-beating/header, stomp11/heart-beating/header
    // shows: stomp12/heart-beating/header, stomp11/heart-beating/header
    // shows: stomp12/heart-beating/header, stomp11/heart-beating/header
    #[test]
    fn the_header_is_two_numbers() {
        let table: &[(&str, Option<(u64, u64)>)] = &[
            ("0,0", Some((0, 0))),
            ("500,20000", Some((500, 20000))),
            ("007,1", Some((7, 1))),
            ("18446744073709551615,0", Some((u64::MAX, 0))),
            ("18446744073709551616,0", None),
            ("", None),
            ("1", None),
            ("1,", None),
            (",1", None),
            ("1,2,3", None),
            ("-1,0", None),
            ("+1,0", None),
            ("1.5,0", None),
            ("1, 2", None),
            (" 1,2", None),
            ("a,b", None),
        ];
        for (value, expected) in table {
            let expected = expected.map(|(send, receive)| HeartBeat {
                send: ms(send),
                receive: ms(receive),
            });
            assert_eq!(HeartBeat::parse(value), expected, "{value:?}");
            if let Some(parsed) = expected {
                assert_eq!(HeartBeat::parse(&std::format!("{parsed}")), expected);
            }
        }
    }

    /// MAX(cx, sy), and none if either is 0.
    // shows: stomp12/heart-beating/interval, stomp11/heart-beating/interval,
    // shows: stomp12/heart-beating/none, stomp11/heart-beating/none
    // shows: stomp12/heart-beating/interval, stomp11/heart-beating/interval,
    // shows: stomp12/heart-beating/none, stomp11/heart-beating/none
    // shows: stomp12/heart-beating/interval, stomp11/heart-beating/interval,
    // shows: stomp12/heart-beating/none, stomp11/heart-beating/none
    #[test]
    fn the_interval_is_the_greater_number() {
        for (can, wants, interval) in [
            (0, 0, None),
            (0, 10, None),
            (10, 0, None),
            (10, 20, Some(ms(20))),
            (20, 10, Some(ms(20))),
        ] {
            let sender = HeartBeat {
                send: ms(can),
                receive: Duration::ZERO,
            };
            let receiver = HeartBeat {
                send: Duration::ZERO,
                receive: ms(wants),
            };
            assert_eq!(sender.interval_to(receiver), interval, "{can},{wants}");
        }
    }

    #[test]
    fn silence_is_measured_from_the_last_data() {
        let beat = HeartBeat {
            send: ms(400),
            receive: ms(400),
        };
        let tolerance = Tolerance {
            percent: 50,
            at_least: ms(10),
        };
        let mut pulse = Pulse::new(ms(1000), beat, beat, tolerance);
        assert_eq!(pulse.next(), Some(ms(1300)));
        assert!(!pulse.is_due(ms(1299)));
        assert!(pulse.is_due(ms(1350)));
        assert!(!pulse.is_due(ms(1350)));
        assert_eq!(pulse.next(), Some(ms(1600)));
        assert!(!pulse.is_expired(ms(1599)));
        assert!(pulse.is_expired(ms(1600)));
        pulse.received(ms(1500));
        assert!(!pulse.is_expired(ms(2099)));
        assert!(pulse.is_expired(ms(2100)));
        // A time that was before makes nothing older.
        pulse.received(ms(1400));
        assert!(!pulse.is_expired(ms(2099)));
    }

    /// The last heart-beat before the end of time has none behind it, and silence that
    /// would last longer than time is never too long.
    #[test]
    fn the_end_of_time() {
        let end = Duration::MAX;
        for now in [end - ms(10), end] {
            let beat = HeartBeat {
                send: ms(400),
                receive: ms(400),
            };
            let mut pulse = Pulse::new(now, beat, beat, Tolerance::default());
            assert_eq!(pulse.next(), Some(end));
            assert!(pulse.is_due(end));
            assert_eq!(pulse.next(), None);
            assert!(!pulse.is_due(end));
            pulse.received(end);
            assert!(!pulse.is_expired(end));
        }
    }
}
