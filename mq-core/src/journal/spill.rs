//! Messages that leave memory once they are in the log, and are read back: as runs, or their
//! bodies alone.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::Journal;
use super::index::{Host, Index, Place, Unfit, Written};
use super::record::{Record, decode};
use super::run::Reading;
use crate::model::Model;
use crate::model::change::{BacklogId, Change};
use crate::model::queue::frozen::Scale;
use crate::model::queue::{QueueId, Thawed};

/// Streaks of messages of one queue that are followed at one time while a log is read.
const STREAKS: usize = 4;

/// Bodies that are read ahead of the cleaning of the log, at most.
const AHEAD: usize = 64;

/// Bytes of those from which on no more are asked for.
const AHEAD_BYTES: usize = 1 << 20;

/// Bytes of a record from which on its body may stay a part of what was read with it.
const LARGE: usize = 16 << 10;

/// What a body is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The message at a position of a queue of a virtual host.
    Message {
        host: usize,
        queue: QueueId,
        position: u64,
    },
    /// A record that is to be written once more.
    Record(u64),
    /// The part of a run at a position, by the number of its reading.
    Run { reading: u64, at: u64 },
}

/// Messages of a queue at positions that follow each other.
#[derive(Debug, Clone, Copy)]
struct Streak {
    first: u64,
    count: usize,
    /// Lengths of their records, added up.
    bytes: u64,
}

/// How far bodies have left memory, and what has come back for the cleaning.
#[derive(Debug)]
pub(super) struct Spill {
    /// Bytes that all messages may hold before bodies leave memory.
    mark: usize,
    /// The records before that position have been looked at.
    seen: u64,
    /// Bodies of records that lie first, by record; None while they are on their way.
    ahead: BTreeMap<u64, (usize, Option<Bytes>)>,
    /// What is to be asked for: what for, its position and length.
    unasked: VecDeque<(Wanted, u64, usize)>,
    scale: Scale,
    /// No queue has anything that could become a run, until more is stored.
    is_idle: bool,
    /// How often in a row that was so of a queue.
    fruitless: usize,
    /// Runs that are being read, by number.
    readings: BTreeMap<u64, (Place, Reading)>,
    last_reading: u64,
    /// While a log is read: what could become a run, the latest last.
    streaks: BTreeMap<(Host, BacklogId), Vec<Streak>>,
}

impl Spill {
    pub(super) fn new(mark: usize) -> Self {
        Self {
            mark,
            seen: 0,
            ahead: BTreeMap::new(),
            unasked: VecDeque::new(),
            scale: Scale::of(mark),
            is_idle: false,
            fruitless: 0,
            readings: BTreeMap::new(),
            last_reading: 0,
            streaks: BTreeMap::new(),
        }
    }

    /// What is to be written beside the first record. None while its body is on its way.
    pub(super) fn body_ahead(&mut self, index: &Index, first: u64) -> Option<Bytes> {
        if !index.is_absent(first) {
            return Some(Bytes::new());
        }
        if let Some((_, Some(_))) = self.ahead.get(&first) {
            return self.ahead.remove(&first)?.1;
        }
        self.ahead.retain(|record, _| index.is_absent(*record));
        let mut bytes: usize = self.ahead.values().map(|(len, _)| len).sum();
        for (record, at, len) in index.first_absent(AHEAD) {
            if bytes >= AHEAD_BYTES {
                break;
            }
            if let alloc::collections::btree_map::Entry::Vacant(place) = self.ahead.entry(record) {
                place.insert((len, None));
                self.unasked.push_back((Wanted::Record(record), at, len));
                bytes += len;
            }
        }
        None
    }
}

/// Whether the message of a record with this body stays a part of what was read. Many small ones
/// do not hold what was read with one of them.
fn keeps_what_was_read(body: usize, record: usize) -> bool {
    body * 2 > record.max(LARGE)
}

impl Spill {
    /// Asks for parts of a run.
    fn ask(&mut self, reading: u64, parts: impl Iterator<Item = (u64, u64)>) {
        self.unasked.extend(parts.map(|(at, len)| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            (Wanted::Run { reading, at }, at, len)
        }));
    }
}

impl Journal {
    /// Lets some of what is stored leave memory, while messages hold too much: as runs where
    /// many lie together in a queue, and else the bodies alone, of the latest first, since
    /// those before them are wanted earlier.
    pub(crate) fn spill(&mut self, model: &mut Model, count: usize) {
        for _ in 0..count {
            let held = model.meter().total();
            if !self.has_spill(held) {
                if held <= self.spill.mark {
                    self.spill.seen = self.durable;
                }
                return;
            }
            if self.spill.is_idle {
                self.spill_body(model);
            } else {
                self.freeze(model);
            }
        }
    }

    fn spill_body(&mut self, model: &mut Model) {
        let Some(record) = self.index.next_record(self.spill.seen, self.durable) else {
            self.spill.seen = self.durable;
            return;
        };
        self.spill.seen = record + 1;
        if !self.index.strip(record) {
            return;
        }
        let queues = self.index.queues_of(record);
        if let Some(message) = self.index.message_mut(record) {
            for (host, queue, position) in queues {
                model.strip(host, queue, position, message);
            }
        }
    }

    /// Lets a run leave memory.
    fn freeze(&mut self, model: &mut Model) {
        if self.spill.fruitless >= model.long_queues() {
            self.spill.is_idle = true;
            return;
        }
        let Some((host, queue, stretch)) = model.next_stretch() else {
            return;
        };
        let place = Place {
            host,
            backlog: BacklogId::from(queue),
            position: stretch.first,
        };
        let bytes = self.spill.scale.bytes as u64;
        match self.index.freeze(place, stretch.count, bytes, self.durable) {
            Ok(frozen) => {
                self.spill.fruitless = 0;
                if let Some(run) = self.index.run_mut(place) {
                    run.share = Some(model.meter().share(run.weight(), run.frozen.left));
                }
                model.freeze(host, queue, &stretch, frozen);
            }
            Err(Unfit::Yet) => self.spill.fruitless += 1,
            Err(Unfit::ForGood) => model.pass_over(host, queue, &stretch),
        }
    }

    /// More is stored than before.
    pub(super) fn look_again(&mut self) {
        self.spill.is_idle = false;
        self.spill.fruitless = 0;
    }

    /// Whether something can leave memory, and has to, when messages hold so much.
    pub(crate) fn has_spill(&self, held: usize) -> bool {
        held > self.spill.mark && (!self.spill.is_idle || self.spill.seen < self.durable)
    }

    /// The next thing to read: what for, its position and length.
    pub(crate) fn poll_wanted(&mut self) -> Option<(Wanted, u64, usize)> {
        self.spill.unasked.pop_front()
    }

    /// Where the body of a message in a queue is in the log, and how long it is.
    pub(crate) fn body_of(
        &self,
        host: usize,
        queue: QueueId,
        position: u64,
    ) -> Option<(u64, usize)> {
        self.index.body_of(host, queue, position)
    }

    /// A body for the cleaning has come. Returns the queues in which a message is lost, if it
    /// cannot be read, with its positions.
    pub(crate) fn body_came(
        &mut self,
        record: u64,
        body: Option<Bytes>,
    ) -> Vec<(usize, QueueId, u64)> {
        match body {
            Some(body) => {
                if let Some((_, place)) = self.spill.ahead.get_mut(&record) {
                    *place = Some(body);
                }
                Vec::new()
            }
            None => match self.spill.ahead.remove(&record) {
                Some(_) => self.index.queues_of(record),
                None => Vec::new(),
            },
        }
    }

    /// A queue wants the run that begins at a position.
    pub(crate) fn want_run(&mut self, model: &mut Model, host: usize, queue: QueueId, first: u64) {
        let place = Place {
            host,
            backlog: BacklogId::from(queue),
            position: first,
        };
        let Some(reading) = self.read_run(place) else {
            model.thaw(host, queue, first, Vec::new());
            return;
        };
        if let Some((_, run)) = self.spill.readings.get_mut(&reading) {
            run.is_wanted = true;
        }
        // The cleaning may have read it already.
        self.finish_reading(model, reading);
    }

    /// Begins to read a run, unless that was done. Returns the number of the reading.
    fn read_run(&mut self, place: Place) -> Option<u64> {
        let run = self.index.run_mut(place)?;
        if let Some(reading) = run.reading {
            return Some(reading);
        }
        self.spill.last_reading += 1;
        let number = self.spill.last_reading;
        run.reading = Some(number);
        let reading = Reading::of(run);
        self.spill.ask(number, reading.parts());
        self.spill.readings.insert(number, (place, reading));
        Some(number)
    }

    /// A part of a run has come, or cannot be read.
    pub(crate) fn run_came(
        &mut self,
        model: &mut Model,
        number: u64,
        at: u64,
        bytes: Option<Bytes>,
    ) {
        let Some((place, reading)) = self.spill.readings.get_mut(&number) else {
            return;
        };
        let Some(run) = self
            .index
            .run(*place)
            .filter(|run| run.reading == Some(number))
        else {
            // It has gone meanwhile.
            self.spill.readings.remove(&number);
            return;
        };
        let instead = reading.came(at, bytes, run);
        self.spill.ask(number, instead.into_iter());
        self.finish_reading(model, number);
    }

    /// Puts the messages of a run back, if they are wanted and all that can be read has been.
    fn finish_reading(&mut self, model: &mut Model, number: u64) {
        let Some((place, reading)) = self.spill.readings.get(&number) else {
            return;
        };
        // What is lost is found out in its queue.
        if !reading.is_done() || !(reading.is_wanted || reading.is_damaged) {
            return;
        }
        let place = *place;
        let Some((_, reading)) = self.spill.readings.remove(&number) else {
            return;
        };
        let Some(run) = self.index.remove_run(place) else {
            return;
        };
        // What a consumer holds for long leaves memory again, if there is too much.
        self.spill.seen = self.spill.seen.min(run.begin);
        let mut messages: Vec<Thawed> = Vec::with_capacity(run.frozen.left);
        for located in run.left() {
            let read = reading.record(&located).and_then(|mut record| {
                let len = record.len();
                let Ok(Record::Change(Change::Message { message, targets })) = decode(&mut record)
                else {
                    return None;
                };
                let [target] = &targets[..] else {
                    return None;
                };
                if target.place() != (place.backlog, located.position) {
                    return None;
                }
                let mut message = match keeps_what_was_read(message.body.len(), len) {
                    true => message,
                    false => Arc::new(Arc::unwrap_or_clone(message).detached()),
                };
                model.meter().count(&mut message);
                Some((message, target.clone()))
            });
            let returned = self.index.take_returned(Place {
                position: located.position,
                ..place
            });
            let Some((message, mut target)) = read else {
                messages.push((located.position, None));
                continue;
            };
            target.returned = returned;
            let thawed = (message.clone(), target.expires, returned);
            messages.push((located.position, Some(thawed)));
            let written = Written {
                host: place.host,
                transaction: None,
                position: located.record,
                len: located.len,
            };
            let targets = Vec::from([target]);
            self.index
                .apply(written, Change::Message { message, targets });
        }
        let queue = QueueId(place.backlog.0);
        model.thaw(place.host, queue, place.position, messages);
    }

    /// What was read of a run whose records are to be written once more. None while it is on
    /// its way.
    pub(super) fn run_ahead(&mut self, place: Place) -> Option<Reading> {
        let number = self.read_run(place)?;
        let (_, reading) = self.spill.readings.get(&number)?;
        // One that is wanted, or damaged, was finished when the last of it came.
        let is_ready = reading.is_done();
        is_ready
            .then(|| self.spill.readings.remove(&number))?
            .map(|(_, reading)| reading)
    }

    /// While a log is read: lets the message of a record leave memory, if there is much.
    pub(super) fn keep_small(&mut self, written: Written, backlog: BacklogId, position: u64) {
        let Written { host, len, .. } = written;
        let scale = self.spill.scale;
        let streaks = self.spill.streaks.entry((host, backlog)).or_default();
        let follows = |streak: &Streak| streak.first + streak.count as u64 == position;
        let mut streak = match streaks.iter().position(follows) {
            Some(index) => streaks.remove(index),
            None => Streak {
                first: position,
                count: 0,
                bytes: 0,
            },
        };
        streak.count += 1;
        streak.bytes += len;
        let is_large = self.index.weight() > self.spill.mark as u64 / 2;
        if is_large {
            // It is counted later, with the others.
            let _ = self.index.strip(written.position);
        }
        let is_full = streak.bytes >= scale.bytes as u64 || streak.count >= scale.messages;
        if !is_full {
            if streaks.len() >= STREAKS {
                streaks.remove(0);
            }
            streaks.push(streak);
        } else if is_large {
            let place = Place {
                host,
                backlog,
                position: streak.first,
            };
            let bytes = scale.bytes as u64;
            // Where some of them are gone, the others are looked at when all is read.
            let _ = self.index.freeze(place, streak.count, bytes, u64::MAX);
        }
    }

    /// All that there is of a log has been read: nothing of it is looked at again.
    pub(super) fn end_reading(&mut self) {
        self.spill.seen = self.durable;
        self.spill.streaks = BTreeMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::model::change::Target;
    use crate::model::message::{Message, Name};
    use crate::model::queue::tests::message;
    use alloc::vec;

    /// Bytes that messages may hold.
    const MARK: usize = 200_000;
    /// Messages that hold many times that, by what is kept about each of them alone.
    const COUNT: u64 = 3_000;
    const QUEUE: BacklogId = BacklogId(5);

    fn journal() -> Journal {
        Journal::new(Vec::from([Name::from("/")]), 1 << 20, MARK)
    }

    fn place(position: u64) -> Place {
        Place {
            host: 0,
            backlog: QUEUE,
            position,
        }
    }

    /// Reads the next record of a log: a message at a position of a queue.
    fn read(journal: &mut Journal, position: u64, body: usize) {
        let target = Target {
            backlog: QUEUE,
            position,
            expires: None,
            returned: 0,
            copy: None,
        };
        let written = Written {
            host: 0,
            transaction: None,
            position: journal.begin,
            len: 40 + body as u64,
        };
        let change = Change::Message {
            message: Arc::new(Message {
                body: Bytes::from(vec![b'x'; body]).into(),
                ..message("")
            }),
            targets: Vec::from([target]),
        };
        journal.index.apply(written, change);
        journal.keep_small(written, QUEUE, position);
        journal.begin += written.len;
    }

    /// Reads the messages of a queue, which lie in the log in so many stretches at one time, as
    /// they do where some were written once more.
    fn read_all(
        journal: &mut Journal,
        stretches: u64,
        body: usize,
        mut look: impl FnMut(&Journal),
    ) {
        for n in 0..COUNT {
            read(journal, n % stretches * COUNT + n / stretches, body);
            look(journal);
        }
    }

    #[test]
    fn a_log_is_read_in_little_memory() {
        for stretches in 1..=STREAKS as u64 {
            let mut journal = journal();
            read_all(&mut journal, stretches, 1, |journal| {
                // Half of the mark, and the messages of a run of each stretch.
                let weight = journal.index.weight();
                assert!(weight < 2 * MARK as u64, "{stretches}: {weight}");
            });
            assert!(journal.index.runs().count() > 10, "{stretches}");
        }
    }

    #[test]
    fn few_stretches_are_followed() {
        let mut journal = journal();
        read_all(&mut journal, 10, 1, |journal| {
            let streaks = journal.spill.streaks.values();
            assert!(streaks.map(Vec::len).sum::<usize>() <= STREAKS);
        });
        journal.durable = journal.begin;
        journal.end_reading();
        assert!(journal.spill.streaks.is_empty());
        assert_eq!(journal.spill.seen, journal.durable);
    }

    /// What is in no run has no body in memory, from the half of what messages may hold on.
    #[test]
    fn bodies_leave_while_a_log_is_read() {
        let mut journal = journal();
        read_all(&mut journal, 10, 1_000, |_| {});
        let absent = (0..COUNT).filter(|n| journal.index.is_absent(n * 1_040));
        let present = COUNT - absent.count() as u64;
        assert!((40..100).contains(&present), "{present}");
    }

    #[test]
    fn there_is_something_to_do_while_there_is_too_much() {
        let mut journal = journal();
        journal.durable = 10;
        for (held, is_idle, seen, expected) in [
            (MARK, false, 0, false),
            (MARK + 1, false, 0, true),
            (MARK + 1, false, 10, true),
            (MARK + 1, true, 9, true),
            (MARK + 1, true, 10, false),
        ] {
            journal.spill.is_idle = is_idle;
            journal.spill.seen = seen;
            assert_eq!(journal.has_spill(held), expected, "{held} {is_idle} {seen}");
        }
    }

    #[test]
    fn what_comes_of_a_run_that_is_gone_is_forgotten() {
        let mut model = Model::new(&Config::default()).unwrap();
        let mut journal = journal();
        for position in 0..4 {
            read(&mut journal, position, 1);
        }
        journal
            .index
            .freeze(place(0), 4, u64::MAX, u64::MAX)
            .unwrap();
        let number = journal.read_run(place(0)).unwrap();
        assert_eq!(journal.spill.readings.len(), 1);
        journal.index.forget_run(place(0));
        journal.run_came(&mut model, number, 0, Some(Bytes::new()));
        assert!(journal.spill.readings.is_empty());
    }

    /// A body stays a part of what was read that is most of its record, and more than 8 KiB.
    #[test]
    fn small_bodies_are_copied() {
        for (body, record, keeps) in [
            (0, 0, false),
            (8_192, 8_200, false),
            (8_193, 8_200, true),
            (8_193, 16_386, false),
            (8_194, 16_387, true),
            (1 << 20, 3 << 20, false),
        ] {
            assert_eq!(keeps_what_was_read(body, record), keeps, "{body} {record}");
        }
    }
}
