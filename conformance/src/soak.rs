//! `mqspec soak`: what a broker loses, repeats or reorders of what it has confirmed, under
//! load and over restarts.
//!
//! Each lane has publishers and one consumer. A publisher numbers its messages, and writes
//! down which of them the broker confirmed; what was on its way when a connection was lost
//! may have come or not, and is not sent again. At the end the consumer takes what is left,
//! and the two are held against each other.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::case::{Context, Windows};
use crate::interrupt;
use crate::runner::Starter;
use crate::target::{Protocol, Target};
use crate::transcript::Transcript;
use crate::verdict::Stop;

/// How much, and for how long.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Load {
    /// How long messages are published, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    duration: u64,
    /// Publishers of each lane
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=256))]
    publishers: u16,
    /// Messages that a publisher has on their way at one time
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// Start the broker again each so many seconds; 0 is never
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    restart_every: u64,
}

impl Load {
    /// The times of its conversations, which last as long as it takes.
    pub(crate) fn windows(&self) -> Windows {
        Windows {
            patience: Duration::from_secs(10),
            silence: Duration::from_secs(2),
            deadline: Duration::from_secs(self.duration) + GRACE + GRACE,
        }
    }
}

/// How long a broker may take until it answers again, and until nothing more comes.
const GRACE: Duration = Duration::from_secs(60);

/// How often a consumer may be told that nothing comes while a message is missing, before
/// that is lost: a machine that stands still for a while has lost nothing.
const QUIET: u32 = 5;

/// Between two attempts to connect.
const BETWEEN: Duration = Duration::from_millis(200);

/// One end of a lane that publishes.
pub(crate) trait Publisher {
    /// Publishes these bodies, and returns when each of them is confirmed.
    ///
    /// # Errors
    ///
    /// Any: then none of them is known to be confirmed.
    fn publish(&mut self, bodies: &[String]) -> Result<(), Stop>;
}

/// A message as a consumer got it.
pub(crate) struct Taken {
    pub(crate) body: Vec<u8>,
    /// The broker says that it may have come before.
    pub(crate) again: bool,
}

/// The other end.
pub(crate) trait Consumer: Send {
    /// The next message, acknowledged. `None`: none came for a while.
    ///
    /// # Errors
    ///
    /// Those of the conversation.
    fn take(&mut self) -> Result<Option<Taken>, Stop>;

    /// Connects again after an error, and goes on where it was.
    ///
    /// # Errors
    ///
    /// Those of the conversation.
    fn connect_again(&mut self, ctx: &Context<'_>) -> Result<(), Stop>;

    /// Removes what kept the messages, as far as the protocol can.
    ///
    /// # Errors
    ///
    /// Those of the conversation.
    fn remove(&mut self, ctx: &Context<'_>) -> Result<(), Stop>;
}

/// A way in which a protocol can carry a message for sure.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    pub(crate) publisher: fn(&Context<'_>) -> Result<Box<dyn Publisher>, Stop>,
    /// Connects, and makes what keeps the messages while nobody is there.
    pub(crate) consumer: fn(&Context<'_>) -> Result<Box<dyn Consumer>, Stop>,
    /// Whether a message may come again after a lost connection.
    pub(crate) may_repeat: bool,
}

fn lanes(protocol: Protocol) -> &'static [Lane] {
    match protocol {
        Protocol::Amqp => crate::amqp::LANES,
        Protocol::Mqtt => crate::mqtt::LANES,
        Protocol::Stomp => crate::stomp::LANES,
    }
}

/// What became of the messages of a lane.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The broker and the lane.
    name: String,
    /// Why it was not played.
    left_out: Option<String>,
    confirmed: BTreeMap<(usize, u64), Fate>,
    /// On their way when a connection was lost.
    unknown: BTreeMap<(usize, u64), Fate>,
    last: BTreeMap<usize, u64>,
    repeated: usize,
    duplicated: usize,
    reordered: usize,
    foreign: usize,
    reconnected: usize,
    seconds: f64,
}

/// How often a message came.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    count: usize,
}

impl Ledger {
    fn lost(&self) -> usize {
        self.confirmed
            .values()
            .filter(|fate| fate.count == 0)
            .count()
    }

    /// Returns whether nothing is wrong.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost() + self.duplicated + self.reordered + self.foreign == 0
    }

    /// A message has come. `may_repeat`: a second time is no fault.
    fn take(&mut self, taken: &Taken, may_repeat: bool) {
        let Some(id) = parse(&taken.body) else {
            self.foreign += 1;
            return;
        };
        // What was not confirmed yet may come before its confirm.
        let known = if self.confirmed.contains_key(&id) {
            &mut self.confirmed
        } else {
            &mut self.unknown
        };
        let fate = known.entry(id).or_default();
        fate.count += 1;
        if fate.count > 1 {
            if may_repeat && (taken.again || self.reconnected > 0) {
                self.repeated += 1;
            } else {
                self.duplicated += 1;
            }
        } else if !taken.again {
            let last = self.last.entry(id.0).or_default();
            if id.1 <= *last {
                self.reordered += 1;
            }
            *last = id.1.max(*last);
        }
    }

    fn confirm(&mut self, id: (usize, u64)) {
        let fate = self.unknown.remove(&id).unwrap_or_default();
        self.confirmed.insert(id, fate);
    }
}

fn body(publisher: usize, number: u64) -> String {
    format!("mqspec {publisher} {number}")
}

fn parse(body: &[u8]) -> Option<(usize, u64)> {
    let text = str::from_utf8(body).ok()?.strip_prefix("mqspec ")?;
    let (publisher, number) = text.split_once(' ')?;
    Some((publisher.parse().ok()?, number.parse().ok()?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the messages are still published, and who does.
struct Going {
    until: Instant,
    /// Threads that publish, in all lanes.
    publishing: AtomicUsize,
    /// Whether all of them have ended.
    is_over: AtomicBool,
}

impl Going {
    /// Somebody does not publish any more.
    fn leave(&self) {
        if self.publishing.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.is_over.store(true, Ordering::SeqCst);
        }
    }

    fn is_on(&self) -> bool {
        Instant::now() < self.until && !interrupt::requested()
    }
}

/// Keeps the brokers busy, and returns what became of each lane.
pub(crate) fn soak(
    targets: &[Target],
    load: &Load,
    restart: Option<&Starter<'_>>,
    seed: u32,
) -> Vec<Ledger> {
    let start = Instant::now();
    let going = Going {
        until: start + Duration::from_secs(load.duration),
        publishing: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    };
    let lanes: Vec<(&Target, &Lane, Mutex<Ledger>)> = targets
        .iter()
        .flat_map(|target| {
            lanes(target.protocol)
                .iter()
                .map(move |lane| (target, lane))
        })
        .map(|(target, lane)| {
            let name = format!("{target} {}", lane.name);
            let ledger = Ledger {
                name,
                ..Ledger::default()
            };
            (target, lane, Mutex::new(ledger))
        })
        .collect();
    std::thread::scope(|scope| {
        // One more, until all of them are counted.
        going.publishing.fetch_add(1, Ordering::SeqCst);
        for (number, (target, lane, ledger)) in lanes.iter().enumerate() {
            // What keeps the messages has to be there before the first of them.
            let unique = format!("{seed:08x}s{number:x}");
            let first = (lane.consumer)(&context(target, load, &unique));
            if let Err(Stop::NotApplicable(why)) = first {
                lock(ledger).left_out = Some(why);
                continue;
            }
            let going = &going;
            let name = unique.clone();
            scope.spawn(move || {
                consume(lane, &context(target, load, &name), first, ledger, going);
            });
            for publisher in 0..load.publishers.into() {
                going.publishing.fetch_add(1, Ordering::SeqCst);
                let name = unique.clone();
                scope.spawn(move || {
                    let ctx = context(target, load, &name);
                    publish(lane, &ctx, publisher, load.batch.into(), ledger, going);
                    going.leave();
                });
            }
        }
        going.leave();
        let every = Duration::from_secs(load.restart_every);
        let mut next = start + every;
        while going.is_on() {
            std::thread::sleep(BETWEEN);
            if let Some(restart) = restart
                && !every.is_zero()
                && Instant::now() >= next
            {
                if let Err(error) = restart() {
                    anstream::eprintln!("mqspec: {error}");
                }
                next = Instant::now() + every;
            }
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    lanes
        .into_iter()
        .map(|(_, _, ledger)| Ledger {
            seconds,
            ..ledger.into_inner().unwrap_or_else(PoisonError::into_inner)
        })
        .collect()
}

/// What the two ends of a lane have in common.
fn context<'a>(target: &'a Target, load: &Load, unique: &str) -> Context<'a> {
    let transcript = Transcript::of_nothing();
    Context::new(target, &load.windows(), unique.into(), transcript, "")
}

fn publish(
    lane: &Lane,
    ctx: &Context<'_>,
    publisher: usize,
    batch: u64,
    ledger: &Mutex<Ledger>,
    going: &Going,
) {
    let mut number = 0;
    let mut connection = None;
    while going.is_on() {
        let open = match &mut connection {
            Some(open) => open,
            None => match (lane.publisher)(ctx) {
                Ok(open) => connection.insert(open),
                Err(_) => {
                    std::thread::sleep(BETWEEN);
                    continue;
                }
            },
        };
        let numbers: Vec<u64> = (number + 1..=number + batch).collect();
        number += batch;
        let bodies: Vec<_> = numbers.iter().map(|&n| body(publisher, n)).collect();
        if open.publish(&bodies).is_ok() {
            let mut ledger = lock(ledger);
            for number in numbers {
                ledger.confirm((publisher, number));
            }
        } else {
            connection = None;
        }
    }
}

fn consume(
    lane: &Lane,
    ctx: &Context<'_>,
    first: Result<Box<dyn Consumer>, Stop>,
    ledger: &Mutex<Ledger>,
    going: &Going,
) {
    let until = going.until + GRACE;
    let mut consumer = first;
    let mut is_connected = true;
    let mut quiet = 0;
    while Instant::now() < until {
        let open = match &mut consumer {
            Ok(open) => open,
            Err(_) => {
                std::thread::sleep(BETWEEN);
                consumer = (lane.consumer)(ctx);
                continue;
            }
        };
        if !is_connected {
            if open.connect_again(ctx).is_err() {
                std::thread::sleep(BETWEEN);
                continue;
            }
            is_connected = true;
            lock(ledger).reconnected += 1;
        }
        match open.take() {
            Ok(Some(taken)) => {
                quiet = 0;
                lock(ledger).take(&taken, lane.may_repeat);
            }
            Ok(None)
                if going.is_over.load(Ordering::SeqCst)
                    && (quiet >= QUIET || lock(ledger).lost() == 0) =>
            {
                if let Err(stop) = open.remove(ctx) {
                    anstream::eprintln!("mqspec: nothing is removed: {stop}");
                }
                return;
            }
            Ok(None) => quiet += 1,
            Err(_) => is_connected = false,
        }
    }
}

/// Writes what was found.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn report(out: &mut impl Write, ledgers: &[Ledger]) -> io::Result<()> {
    for ledger in ledgers {
        writeln!(out, "{}", ledger.name)?;
        if let Some(why) = &ledger.left_out {
            writeln!(out, "    not played: {why}")?;
            continue;
        }
        let confirmed = ledger.confirmed.len();
        writeln!(
            out,
            "    {confirmed} confirmed ({:.0} a second), {} more were on their way when a connection \
             was lost",
            confirmed as f64 / ledger.seconds.max(0.001),
            ledger.unknown.len(),
        )?;
        writeln!(
            out,
            "    {} lost, {} duplicated, {} reordered, {} never sent; {} came again after one of {} \
             lost connections, as they may",
            ledger.lost(),
            ledger.duplicated,
            ledger.reordered,
            ledger.foreign,
            ledger.repeated,
            ledger.reconnected,
        )?;
    }
    let played = || ledgers.iter().filter(|ledger| ledger.left_out.is_none());
    let sound = played().filter(|ledger| ledger.is_sound()).count();
    writeln!(out, "{sound} of {} lanes without a fault", played().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the broker confirmed of one publisher, what came, and what is found.
    #[test]
    fn a_ledger_finds_what_is_lost_duplicated_and_reordered() {
        type Row = (&'static [u64], &'static [(u64, bool)], bool, [usize; 4]);
        let rows: &[Row] = &[
            // lost, duplicated, reordered, repeated
            (
                &[1, 2, 3],
                &[(1, false), (2, false), (3, false)],
                true,
                [0, 0, 0, 0],
            ),
            (&[1, 2, 3], &[(1, false), (3, false)], true, [1, 0, 0, 0]),
            (
                &[1, 2],
                &[(1, false), (2, false), (2, false)],
                true,
                [0, 1, 0, 0],
            ),
            (
                &[1, 2],
                &[(1, false), (2, false), (2, true)],
                true,
                [0, 0, 0, 1],
            ),
            (
                &[1, 2],
                &[(1, false), (2, false), (2, true)],
                false,
                [0, 1, 0, 0],
            ),
            (&[1, 2], &[(2, false), (1, false)], true, [0, 0, 1, 0]),
            (&[1, 2], &[(2, false), (1, true)], true, [0, 0, 0, 0]),
            // The second was on its way when the connection was lost.
            (&[1], &[(1, false), (2, false)], true, [0, 0, 0, 0]),
            (&[1], &[(1, false)], true, [0, 0, 0, 0]),
        ];
        for (confirmed, came, may_repeat, expected) in rows {
            let mut ledger = Ledger::default();
            for &number in *confirmed {
                ledger.confirm((0, number));
            }
            for &(number, again) in *came {
                let body = body(0, number).into_bytes();
                ledger.take(&Taken { body, again }, *may_repeat);
            }
            let found = [
                ledger.lost(),
                ledger.duplicated,
                ledger.reordered,
                ledger.repeated,
            ];
            assert_eq!(found, *expected, "{confirmed:?} {came:?}");
        }
    }
}
