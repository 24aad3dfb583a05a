//! Moments that come again and again: minute, hour, day of the month, month and day of the week,
//! in UTC, as ActiveMQ's `CronParser` reads them. It differs from crontab(5) in what a step is.
//! Where both days are restricted it skips some moments, and crontab(5) is followed.

use core::time::Duration;

/// Each field as bits: bit `n` is set when the field allows `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both kinds of day are restricted: then either will do.
    either_day: bool,
}

/// The smallest and the largest number of each field. Sunday is 0, and 7.
const FIELDS: [(u64, u64); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Days that are looked through: each date comes in eight years, 29 February too.
const LONGEST: u64 = 8 * 366 + 1;

/// Lists of numbers, ranges and `*`. After `/n` those of the whole list that `n` divides.
fn field(text: &str, (smallest, largest): (u64, u64)) -> Option<u64> {
    let (list, step) = text.split_once('/').unwrap_or((text, "1"));
    let step = step.parse::<u64>().ok().filter(|step| *step > 0)?;
    let mut bits = 0;
    for range in list.split(',').filter(|range| !range.is_empty()) {
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (smallest, largest),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let number: u64 = range.parse().ok()?;
                (number, number)
            }
        };
        if from < smallest || to > largest || from > to {
            return None;
        }
        let numbers = (from..=to).filter(|number| number % step == 0);
        bits |= numbers.fold(0, |bits, number| bits | 1 << number);
    }
    (bits != 0).then_some(bits)
}

/// Days of the week, where 7 is 0.
fn weekdays(bits: u64) -> u64 {
    (bits | bits >> 7) & 0x7F
}

/// Year, month and day of a day since 1970, by the Gregorian calendar.
fn date(day: u64) -> (u64, u64) {
    // Years begin in March, so that the day that is not always there comes last.
    let day = day + 719_468;
    let era_day = day % 146_097;
    let year = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * year + year / 4 - year / 100);
    let month = (5 * year_day + 2) / 153;
    let of_month = year_day - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

impl Cron {
    /// None: it is none, or there is no such day.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bits = [0; 5];
        let mut fields = text.split_whitespace();
        for (bits, range) in bits.iter_mut().zip(FIELDS) {
            *bits = field(fields.next()?, range)?;
        }
        if fields.next().is_some() {
            return None;
        }
        let all = |index: usize| field("*", FIELDS[index]) == Some(bits[index]);
        let [minutes, hours, days, months, weekday_bits] = bits;
        let cron = Self {
            minutes,
            hours,
            days,
            months,
            weekdays: weekdays(weekday_bits),
            either_day: !all(2) && weekdays(weekday_bits) != weekdays(u64::MAX),
        };
        cron.next(Duration::ZERO)?;
        Some(cron)
    }

    /// The first such moment after a Unix time.
    pub(crate) fn next(&self, after: Duration) -> Option<Duration> {
        let first = after.as_secs() / MINUTE + 1;
        let today = first * MINUTE / DAY;
        for day in today..today.saturating_add(LONGEST) {
            if !self.has_day(day) {
                continue;
            }
            let begin = if day == today {
                first * MINUTE % DAY / MINUTE
            } else {
                0
            };
            let minutes = (begin..DAY / MINUTE).find(|minute| {
                self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1
            });
            if let Some(minute) = minutes {
                return Some(Duration::from_secs(day * DAY + minute * MINUTE));
            }
        }
        None
    }

    fn has_day(&self, day: u64) -> bool {
        let (month, of_month) = date(day);
        // 1 January 1970 was a Thursday.
        let weekday = self.weekdays >> ((day + 4) % 7) & 1 == 1;
        let of_month = self.days >> of_month & 1 == 1;
        let is_one = if self.either_day {
            weekday || of_month
        } else {
            weekday && of_month
        };
        is_one && self.months >> month & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `CronParser.getNextScheduledTime` of ActiveMQ 5.17.2, and `date -u -d @N`.
    #[test]
    fn the_next_moment() {
        for (text, after, expected) in [
            ("* * * * *", 0, Some(60)),
            ("* * * * *", 59, Some(60)),
            ("0 * * * *", 60, Some(3600)),
            ("*/15 * * * *", 901, Some(1800)),
            // 1 January 1970 is a Thursday, so that Sunday is the 4th.
            ("0 12 * * 0", 0, Some(3 * 86_400 + 43_200)),
            ("30 6 1 3 *", 0, Some(59 * 86_400 + 23_400)),
            // 29 February 1972.
            ("0 0 29 2 *", 0, Some(68_169_600)),
            // Either day will do: the 2nd, or a Monday, which is the 5th.
            ("0 0 2 * 1", 0, Some(86_400)),
            ("0 0 2 * 1", 86_400, Some(4 * 86_400)),
            // ActiveMQ 5.17.2: what the step divides.
            ("0 9-17/4 * * 1-5", 0, Some(43_200)),
            ("5/1 * * * *", 0, Some(300)),
            ("10/5 * * * *", 0, Some(600)),
            ("*/7 * * * *", 1_795_926_811, Some(1_795_926_900)),
            ("1-10/3 * * * *", 0, Some(180)),
            ("0 0 */2 * *", 0, Some(86_400)),
            ("0 0 */2 * *", 1_795_926_811, Some(1_795_996_800)),
            ("0 0 * * */2", 0, Some(172_800)),
            ("5,10/5 * * * *", 0, Some(300)),
            ("1,,2 * * * *", 0, Some(60)),
            ("0 0 * * 7", 0, Some(3 * 86_400)),
            ("5,10 0 * * *", 301, Some(600)),
            // 29 November 2026, 04:33:31, a Sunday.
            ("0 5 * * *", 1_795_926_811, Some(1_795_928_400)),
        ] {
            let cron = Cron::parse(text).unwrap();
            let next = cron.next(Duration::from_secs(after));
            assert_eq!(
                next.map(|at| at.as_secs()),
                expected,
                "{text} after {after}"
            );
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5/2 * * * *",
            "/5 * * * *",
            "5/ * * * *",
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "0 0 30 2 *",
            "-1 * * * *",
        ] {
            assert_eq!(Cron::parse(text), None, "{text}");
        }
    }
}
