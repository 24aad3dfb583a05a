//! Heart-beating: what was agreed on, and when it is due (1.1 and 1.2,
//! "Heart-beating").

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use nom::character::complete::{char, u64};
use nom::combinator::{all_consuming, map};
use nom::sequence::separated_pair;
use nom::{IResult, Parser};

use crate::ParseError;

/// The header `heart-beat`: what one side can do and what it wants.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
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
    pub const NONE: Self = Self {
        send: Duration::ZERO,
        receive: Duration::ZERO,
    };

    /// How often `self` sends to `peer`: the greater of what the one can do and
    /// the other wants.
    // keeps: stomp12/heart-beating/none, stomp11/heart-beating/none,
    // keeps: stomp12/heart-beating/interval, stomp11/heart-beating/interval
    fn interval_to(self, peer: Self) -> Option<Duration> {
        let none = self.send.is_zero() || peer.receive.is_zero();
        (!none).then(|| self.send.max(peer.receive))
    }
}

/// Reads the value of the header: two numbers of milliseconds and a comma.
impl FromStr for HeartBeat {
    type Err = ParseError;

    // keeps: stomp12/heart-beating/header, stomp11/heart-beating/header
    fn from_str(value: &str) -> Result<Self, ParseError> {
        fn millis(input: &str) -> IResult<&str, Duration> {
            map(u64, Duration::from_millis).parse(input)
        }
        let numbers = separated_pair(millis, char(','), millis);
        match all_consuming(numbers).parse_complete(value) {
            Ok((_, (send, receive))) => Ok(Self { send, receive }),
            Err(_) => Err(ParseError),
        }
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
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
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
        Self {
            percent: 100,
            at_least: Duration::from_secs(1),
        }
    }
}

/// The heart-beats of an open session, both ways, once agreed on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreed {
    /// How long this side may send nothing.
    pub(crate) every: Option<Duration>,
    /// How long the peer may.
    pub(crate) silence: Option<Duration>,
}

impl Agreed {
    pub(crate) fn new(ours: HeartBeat, theirs: HeartBeat, tolerance: Tolerance) -> Self {
        let every = ours.interval_to(theirs).map(|interval| {
            // The peer counts from when the bytes arrive: a quarter is for what
            // happens to them on the way, and for a timer that fires late.
            (interval.saturating_mul(3) / 4).max(Duration::from_nanos(1))
        });
        let silence = theirs.interval_to(ours).map(|interval| {
            let margin = interval.saturating_mul(tolerance.percent) / 100;
            interval.saturating_add(margin.max(tolerance.at_least))
        });
        Self { every, silence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

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
            assert_eq!(value.parse().ok(), expected, "{value:?}");
            if let Some(parsed) = expected {
                assert_eq!(std::format!("{parsed}").parse(), Ok(parsed));
            }
        }
    }

    /// MAX(cx, sy), and none if either is 0.
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
    fn what_is_agreed_on() {
        let beat = |send, receive| HeartBeat { send, receive };
        let tolerance = |percent, at_least| Tolerance { percent, at_least };
        let none = Duration::ZERO;
        let max = Duration::MAX;
        // Ours, theirs, the margin, how often we send, how long they may be silent.
        let table = [
            (
                beat(ms(400), ms(400)),
                beat(ms(400), ms(400)),
                tolerance(50, ms(10)),
                Some(ms(300)),
                Some(ms(600)),
            ),
            (
                beat(ms(400), ms(100)),
                beat(ms(200), ms(800)),
                tolerance(50, ms(150)),
                Some(ms(600)),
                Some(ms(350)),
            ),
            (
                beat(none, ms(400)),
                beat(none, ms(400)),
                tolerance(50, ms(10)),
                None,
                None,
            ),
            // No timer is due at the time at which it was set.
            (
                beat(Duration::from_nanos(1), none),
                beat(none, Duration::from_nanos(1)),
                tolerance(0, none),
                Some(Duration::from_nanos(1)),
                None,
            ),
            (
                beat(none, max),
                beat(max, none),
                tolerance(100, max),
                None,
                Some(max),
            ),
        ];
        for (ours, theirs, tolerance, every, silence) in table {
            let agreed = Agreed::new(ours, theirs, tolerance);
            assert_eq!((agreed.every, agreed.silence), (every, silence), "{ours}");
        }
    }
}
