//! Messages that are published later, and again: ActiveMQ's `AMQ_SCHEDULED_..`.

use alloc::string::ToString;
use core::time::Duration;

use super::cron::Cron;
use super::message::{Headers, Message, Origin, Value};

/// What the headers of all that is scheduled begin with.
const PREFIX: &[u8] = b"AMQ_SCHEDULED_";

/// How long a message waits, in milliseconds.
pub(crate) const DELAY: &str = "AMQ_SCHEDULED_DELAY";
/// How long it waits between two times, in milliseconds.
const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
/// How often it comes after the first time; a negative number is without end.
const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
/// When it comes, as in a crontab.
const CRON: &str = "AMQ_SCHEDULED_CRON";

/// A message that has come by its schedule has this, and is not scheduled again.
const JOB: &str = "scheduledJobId";

/// ActiveMQ's largest number of repeats.
const MOST: i64 = 1000;

/// When a message is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    cron: Option<Cron>,
    delay: Option<Duration>,
    period: Option<Duration>,
    repeat: i64,
}

/// What comes of a message whose time has come.
#[derive(Debug)]
pub(crate) struct Fired {
    /// It is published now.
    pub(crate) now: Option<Message>,
    /// It waits for these times.
    pub(crate) later: [Option<(Duration, Message)>; 2],
}

fn number(headers: &Headers, name: &str) -> Result<Option<i64>, &'static str> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let number = match value {
        Value::String(_) => value.as_str().and_then(|text| text.trim().parse().ok()),
        other => other.as_int(),
    };
    match number {
        Some(number) => Ok(Some(number)),
        None => Err("a header of a schedule is no number"),
    }
}

fn millis(headers: &Headers, name: &str) -> Result<Option<Duration>, &'static str> {
    let number = number(headers, name)?.and_then(|number| u64::try_from(number).ok());
    let number = number.filter(|number| *number > 0);
    Ok(number.map(Duration::from_millis))
}

impl Schedule {
    /// The schedule that headers ask for, if they do.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn of(headers: &Headers) -> Result<Option<Self>, &'static str> {
        if !headers.0.iter().any(|(name, _)| name.starts_with(PREFIX)) || headers.get(JOB).is_some()
        {
            return Ok(None);
        }
        let cron = match headers.get(CRON).and_then(Value::as_str) {
            None => None,
            Some(text) if text.trim().is_empty() => None,
            Some(text) => Some(Cron::parse(text).ok_or("a schedule is no valid CRON entry")?),
        };
        let schedule = Self {
            cron,
            delay: millis(headers, DELAY)?,
            period: millis(headers, PERIOD)?,
            repeat: number(headers, REPEAT)?.unwrap_or(0),
        };
        if schedule.repeat > MOST {
            return Err("a schedule repeats more than 1000 times");
        }
        let is_one =
            schedule.cron.is_some() || schedule.delay.is_some() || schedule.period.is_some();
        Ok(is_one.then_some(schedule))
    }

    /// When its message is due first.
    pub(crate) fn first(&self, now: Duration) -> Duration {
        let at = self.cron.and_then(|cron| cron.next(now));
        at.unwrap_or_else(|| {
            let wait = self.delay.or(self.period).unwrap_or_default();
            now.saturating_add(wait)
        })
    }

    /// Its message is due.
    pub(crate) fn fire(&self, message: &Message, job: &str, now: Duration) -> Fired {
        let mut once = message.clone();
        once.published = now;
        if matches!(once.origin, Origin::Amqp(_)) {
            // Its encoding has the headers.
            once.origin = Origin::Broker;
        }
        let mut series = once.clone();
        once.properties
            .headers
            .0
            .retain(|(name, _)| !name.starts_with(PREFIX));
        once.properties.headers.push(JOB, Value::string(job));
        if self.cron.is_some() {
            series.properties.headers.remove(CRON);
            let begins = (self.delay.is_some() || self.period.is_some()) && self.repeat != 0;
            let wait = self.delay.or(self.period).unwrap_or_default();
            let series = begins.then(|| (now.saturating_add(wait), series));
            return Fired {
                now: (!begins).then_some(once),
                later: [Some((self.first(now), message.clone())), series],
            };
        }
        let again = self.period.or(self.delay).filter(|_| self.repeat != 0);
        let again = again.map(|wait| {
            let headers = &mut series.properties.headers;
            if self.repeat > 0 {
                headers.set(REPEAT, Value::string(&(self.repeat - 1).to_string()));
            }
            (now.saturating_add(wait), series)
        });
        Fired {
            now: Some(once),
            later: [again, None],
        }
    }
}

/// Whether a message has a schedule that can be kept.
pub(crate) fn schedule_of(message: &Message) -> Option<Schedule> {
    if message.properties.headers.0.is_empty() {
        return None;
    }
    Schedule::of(&message.properties.headers).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn headers(list: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in list {
            headers.push(name, Value::string(value));
        }
        headers
    }

    /// `JobSchedulerImpl` of ActiveMQ: when a message comes, in milliseconds, for ten times at
    /// most.
    #[test]
    fn when_messages_come() {
        type Row = (&'static [(&'static str, &'static str)], &'static [u64]);
        let rows: [Row; 6] = [
            (&[(DELAY, "5000")], &[5000]),
            (&[(PERIOD, "1000")], &[1000]),
            (
                &[(DELAY, "5000"), (PERIOD, "1000"), (REPEAT, "2")],
                &[5000, 6000, 7000],
            ),
            (&[(CRON, "* * * * *")], &[60_000, 120_000, 180_000, 240_000]),
            (
                &[
                    (CRON, "0 * * * *"),
                    (DELAY, "1000"),
                    (PERIOD, "500"),
                    (REPEAT, "1"),
                ],
                &[3_601_000, 3_601_500, 7_201_000, 7_201_500],
            ),
            (&[(PERIOD, "10"), (REPEAT, "-1")], &[10, 20, 30, 40]),
        ];
        for (list, expected) in rows {
            let mut message = crate::model::queue::tests::message("");
            message.properties.headers = headers(list);
            let schedule = Schedule::of(&message.properties.headers).unwrap().unwrap();
            let mut waiting = Vec::from([(schedule.first(Duration::ZERO), message)]);
            let mut seen = Vec::new();
            while seen.len() < 4 && !waiting.is_empty() {
                waiting.sort_by_key(|(at, _)| *at);
                let (at, message) = waiting.remove(0);
                let schedule = Schedule::of(&message.properties.headers).unwrap().unwrap();
                let fired = schedule.fire(&message, "job", at);
                waiting.extend(fired.later.into_iter().flatten());
                if let Some(once) = fired.now {
                    seen.push(at.as_millis() as u64);
                    assert_eq!(Schedule::of(&once.properties.headers), Ok(None));
                    assert_eq!(once.properties.headers, headers(&[(JOB, "job")]));
                }
            }
            assert_eq!(seen, expected, "{list:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        type Row = (&'static [(&'static str, &'static str)], bool);
        let rows: [Row; 7] = [
            (&[(DELAY, "5000")], true),
            (&[(DELAY, "soon")], false),
            (&[(REPEAT, "1001"), (PERIOD, "1")], false),
            (&[(REPEAT, "1000"), (PERIOD, "1")], true),
            (&[(CRON, "* * *")], false),
            (&[(DELAY, "0")], true),
            (&[("other", "x")], true),
        ];
        for (list, fine) in rows {
            assert_eq!(Schedule::of(&headers(list)).is_ok(), fine, "{list:?}");
        }
    }
}
