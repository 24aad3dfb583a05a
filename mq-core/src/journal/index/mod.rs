//! Which records are still needed, and for what.
//!
//! Each live thing has one record that says all of it, its newest: the index has the
//! position of that, and what it says. Records that end a thing are never needed for
//! longer than the ones that made it, which lie before them, so that forgetting the
//! beginning of a log forgets nothing that is needed.

mod runs;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::run::Run;
use crate::model::change::{
    BacklogId, BindingId, Change, Handshake, Sender, Target, TransactionId,
};
use crate::model::message::{Message, Name};
use crate::model::meter::Meter;
use crate::model::queue::QueueId;
use crate::model::session::SessionId;
use crate::policy::PolicyKind;

/// A body with fewer bytes stays in memory.
const LEAST: usize = 256;

/// Bytes that are kept about a message that is in memory, besides those of its record, about.
const EACH: usize = size_of::<Message>() + size_of::<Live>() + 128;

/// The body of a message that is in more queues stays in memory.
const SHARED: usize = 64;

/// The number of a virtual host, in the order of the settings.
pub(super) type Host = usize;

/// Names a thing in its virtual host. What belongs to another stands after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Of a user, or else of the virtual host.
    Limits(Option<Name>),
    Policy(PolicyKind, Name),
    Exchange(Name),
    Queue(QueueId),
    Binding(BindingId),
    Session(SessionId),
    Subscription(SessionId, Name),
    Handshake(Handshake),
}

/// A place in a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) host: Host,
    pub(super) backlog: BacklogId,
    pub(super) position: u64,
}

/// Where a record is, and what it is part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) host: Host,
    pub(super) transaction: Option<TransactionId>,
    pub(super) position: u64,
    pub(super) len: u64,
}

/// A record that is needed.
#[derive(Debug)]
struct Live {
    host: Host,
    len: u64,
    what: What,
}

impl Live {
    fn is_absent(&self) -> bool {
        matches!(&self.what, What::Message(message) if message.message.is_absent())
    }
}

#[derive(Debug)]
enum What {
    Thing(Change),
    Message(LiveMessage),
}

/// A message that is in a backlog.
#[derive(Debug)]
struct LiveMessage {
    message: Arc<Message>,
    /// By backlog and position.
    targets: Vec<Target>,
    /// Those that are settled, where not all are.
    settled: Vec<bool>,
    left: usize,
    /// It counts when that is committed.
    transaction: Option<TransactionId>,
}

/// Why a message cannot become part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is not stored, or not committed.
    Yet,
    ForGood,
}

/// The live things of a log.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By the position of their record.
    order: BTreeMap<u64, Live>,
    /// The record of each thing that is no message.
    things: BTreeMap<(Host, Key), u64>,
    /// The record of what is in each place.
    places: BTreeMap<Place, u64>,
    /// Runs that have left memory, by the place of their first message. Their places are in
    /// none of the others.
    runs: BTreeMap<Place, Run>,
    /// The same by where their first record begins.
    run_order: BTreeMap<u64, Place>,
    /// How often messages of runs came back, by their places. Their records do not say it.
    returned: BTreeMap<Place, u32>,
    /// Transactions that are not committed, with what they settle.
    open: BTreeMap<(Host, TransactionId), Vec<Change>>,
    /// What those that are committed have settled, and is not taken in yet.
    committed: VecDeque<(Host, vec::IntoIter<Change>)>,
    /// Sessions that have ended, and of which not all is forgotten yet.
    ended: VecDeque<(Host, SessionId)>,
    /// Lengths of the records that are needed, added up.
    live: u64,
    /// The same of those in runs.
    in_runs: u64,
}

/// What a change does to the things of a virtual host.
enum Effect {
    Makes(Key),
    Ends(Key),
    /// It is about messages.
    Other,
}

fn effect(change: &Change) -> Effect {
    match change {
        Change::Exchange { name, .. } => Effect::Makes(Key::Exchange(name.clone())),
        Change::ExchangeDeleted { name } => Effect::Ends(Key::Exchange(name.clone())),
        Change::Policy(kept) => {
            Effect::Makes(Key::Policy(kept.kind, Name::from(&*kept.policy.name)))
        }
        Change::PolicyCleared { kind, name } => Effect::Ends(Key::Policy(*kind, name.clone())),
        Change::Limits(limits) => Effect::Makes(Key::Limits(limits.user.clone())),
        Change::LimitsCleared { user } => Effect::Ends(Key::Limits(user.clone())),
        Change::Queue(queue) => Effect::Makes(Key::Queue(queue.id)),
        Change::QueueDeleted { id } => Effect::Ends(Key::Queue(*id)),
        Change::Bound(binding) => Effect::Makes(Key::Binding(binding.id)),
        Change::Unbound { id } => Effect::Ends(Key::Binding(*id)),
        Change::Session(session) => Effect::Makes(Key::Session(session.id)),
        Change::SessionEnded { id } => Effect::Ends(Key::Session(*id)),
        Change::Subscribed(subscription) => {
            let filter = subscription.filter.clone();
            Effect::Makes(Key::Subscription(subscription.session, filter))
        }
        Change::Unsubscribed { session, filter } => {
            Effect::Ends(Key::Subscription(*session, filter.clone()))
        }
        Change::Handshake { handshake, .. } => Effect::Makes(Key::Handshake(*handshake)),
        Change::HandshakeEnded(handshake) => Effect::Ends(Key::Handshake(*handshake)),
        Change::Message { .. }
        | Change::Settled { .. }
        | Change::Forgotten { .. }
        | Change::SettledRange(_)
        | Change::ForgottenRange(_)
        | Change::Returned { .. }
        | Change::InFlight { .. }
        | Change::Committed { .. } => Effect::Other,
    }
}

fn place(host: Host, target: &Target) -> Place {
    Place {
        host,
        backlog: target.backlog,
        position: target.position,
    }
}

/// Which of the targets of a message a place is.
fn target_at(targets: &[Target], place: Place) -> Option<usize> {
    let wanted = (place.backlog, place.position);
    targets
        .binary_search_by_key(&wanted, |target| (target.backlog, target.position))
        .ok()
}

impl Index {
    /// Lengths of the records that are needed, added up.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// Bytes that the messages take that are in no run, about: their records, and what is kept
    /// about each.
    pub(super) fn weight(&self) -> u64 {
        self.live - self.in_runs + (self.order.len() * EACH) as u64
    }

    /// The position of the first record that is needed.
    pub(super) fn first(&self) -> Option<u64> {
        let record = self.order.first_key_value().map(|(position, _)| *position);
        let run = self.run_order.first_key_value().map(|(begin, _)| *begin);
        record.into_iter().chain(run).min()
    }

    /// Takes in a change whose record is written there.
    pub(super) fn apply(&mut self, written: Written, change: Change) {
        let host = written.host;
        match effect(&change) {
            Effect::Makes(key) => {
                let what = What::Thing(change);
                if let Some(old) = self.things.insert((host, key), written.position) {
                    self.remove(old);
                }
                self.insert(written, what);
            }
            Effect::Ends(key) => self.end(host, key),
            Effect::Other => self.apply_to_messages(written, change),
        }
    }

    fn apply_to_messages(&mut self, written: Written, change: Change) {
        let Written {
            host, transaction, ..
        } = written;
        match (transaction, change) {
            (_, Change::Message { message, targets }) => {
                if let Some(transaction) = transaction {
                    self.open.entry((host, transaction)).or_default();
                }
                self.insert_message(written, message, targets);
            }
            (_, Change::Committed { transaction }) => {
                let settled = self.open.remove(&(host, transaction));
                self.committed
                    .extend(settled.map(|changes| (host, changes.into_iter())));
            }
            (Some(transaction), change) => {
                let open = self.open.entry((host, transaction)).or_default();
                open.push(change);
            }
            (None, change) => self.settle(host, &change),
        }
    }

    /// Takes in so much of what transactions have settled, and of what has belonged to sessions
    /// that have ended. Returns whether that was all: only then is it known which records are
    /// needed.
    pub(super) fn catch_up(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if let Some((host, changes)) = self.committed.front_mut() {
                let host = *host;
                match changes.next() {
                    Some(change) => self.settle(host, &change),
                    None => {
                        self.committed.pop_front();
                    }
                }
            } else if let Some(&(host, session)) = self.ended.front() {
                if !self.end_part(host, session) {
                    self.ended.pop_front();
                }
            } else {
                break;
            }
        }
        self.committed.is_empty() && self.ended.is_empty()
    }

    fn settle(&mut self, host: Host, change: &Change) {
        match *change {
            Change::Settled { backlog, position } | Change::Forgotten { backlog, position } => {
                self.leave(Place {
                    host,
                    backlog,
                    position,
                });
            }
            Change::SettledRange(range) | Change::ForgottenRange(range) => {
                self.leave_range(host, range);
            }
            Change::Returned {
                backlog,
                position,
                count,
            } => {
                let place = Place {
                    host,
                    backlog,
                    position,
                };
                if let Some(record) = self.places.get(&place).copied() {
                    if let Some((message, at)) = self.target_mut(record, place)
                        && let Some(target) = message.targets.get_mut(at)
                    {
                        target.returned = count;
                    }
                } else if self.run_with(place).is_some() {
                    self.returned.insert(place, count);
                }
            }
            Change::InFlight {
                session,
                position,
                sent,
            } => {
                let place = Place {
                    host,
                    backlog: session.into(),
                    position,
                };
                if let Some(record) = self.places.get(&place).copied()
                    && let Some((message, at)) = self.target_mut(record, place)
                    && let Some(copy) = message.targets.get_mut(at).and_then(|t| t.copy.as_mut())
                {
                    copy.sent = Some(sent);
                }
            }
            _ => {}
        }
    }

    /// A thing is gone. What belongs to a session, but for messages, goes when the index
    /// [catches up](Self::catch_up).
    pub(super) fn end(&mut self, host: Host, key: Key) {
        if let Key::Session(id) = key {
            self.ended.push_back((host, id));
        }
        if let Some(position) = self.things.remove(&(host, key)) {
            self.remove(position);
        }
    }

    /// Forgets a subscription or a handshake of a session that has ended. Returns whether there
    /// was one.
    fn end_part(&mut self, host: Host, session: SessionId) -> bool {
        let handshake = Handshake {
            session,
            sender: Sender::Client,
            packet_identifier: 0,
        };
        let firsts = [
            Key::Subscription(session, Name::from("")),
            Key::Handshake(handshake),
        ];
        let part = firsts.into_iter().find_map(|first| {
            let (found, _) = self.things.range((host, first)..).next()?;
            let belongs = match &found.1 {
                Key::Subscription(of, _) => *of == session,
                Key::Handshake(handshake) => handshake.session == session,
                _ => false,
            };
            (found.0 == host && belongs).then(|| found.clone())
        });
        let Some(part) = part else {
            return false;
        };
        if let Some(position) = self.things.remove(&part) {
            self.remove(position);
        }
        true
    }

    fn insert(&mut self, written: Written, what: What) {
        let Written {
            host,
            position,
            len,
            ..
        } = written;
        self.live += len;
        self.order.insert(position, Live { host, len, what });
    }

    fn remove(&mut self, position: u64) -> Option<Live> {
        let live = self.order.remove(&position)?;
        self.live -= live.len;
        Some(live)
    }

    fn insert_message(
        &mut self,
        written: Written,
        message: Arc<Message>,
        mut targets: Vec<Target>,
    ) {
        targets.sort_unstable_by_key(|target| (target.backlog, target.position));
        for target in &targets {
            let place = place(written.host, target);
            if let Some(older) = self.places.insert(place, written.position) {
                // This record is a newer one of the same message.
                self.leave_record(older, place);
            } else {
                self.leave_run(place);
            }
        }
        let message = LiveMessage {
            message,
            left: targets.len(),
            targets,
            settled: Vec::new(),
            transaction: written.transaction,
        };
        self.insert(written, What::Message(message));
    }

    /// The message whose record is there, and which of its targets a place is.
    fn target_mut(&mut self, position: u64, place: Place) -> Option<(&mut LiveMessage, usize)> {
        let What::Message(message) = &mut self.order.get_mut(&position)?.what else {
            return None;
        };
        let at = target_at(&message.targets, place)?;
        Some((message, at))
    }

    /// A message has left a place.
    pub(super) fn leave(&mut self, place: Place) {
        if let Some(position) = self.places.remove(&place) {
            self.leave_record(position, place);
        } else {
            self.leave_run(place);
        }
    }

    /// The message whose record is there has left a place.
    fn leave_record(&mut self, position: u64, place: Place) {
        let Some((message, at)) = self.target_mut(position, place) else {
            return;
        };
        message.left -= 1;
        if message.left == 0 {
            self.remove(position);
            return;
        }
        message.settled.resize(message.targets.len(), false);
        if let Some(settled) = message.settled.get_mut(at) {
            *settled = true;
        }
    }

    /// Takes out the record that is needed and lies first, if it lies before `end`, to be
    /// written once more: its virtual host, transaction, and what it says now.
    pub(super) fn take_first(&mut self, end: u64) -> Option<(Host, Option<TransactionId>, Change)> {
        let position = self.first().filter(|position| *position < end)?;
        let Live { host, what, .. } = self.remove(position)?;
        Some(match what {
            What::Thing(change) => (host, None, change),
            What::Message(live) => {
                let transaction = live
                    .transaction
                    .filter(|t| self.open.contains_key(&(host, *t)));
                let mut settled = live.settled.into_iter().chain(core::iter::repeat(false));
                let mut targets = live.targets;
                targets.retain(|_| !settled.next().unwrap_or_default());
                let message = live.message;
                (host, transaction, Change::Message { message, targets })
            }
        })
    }

    /// Ends what transactions have begun that were never committed.
    pub(super) fn roll_back(&mut self) {
        let open = core::mem::take(&mut self.open);
        let is_open = |live: &Live, message: &LiveMessage| {
            message
                .transaction
                .is_some_and(|transaction| open.contains_key(&(live.host, transaction)))
        };
        let undone: Vec<u64> = self
            .order
            .iter()
            .filter(|(_, live)| matches!(&live.what, What::Message(m) if is_open(live, m)))
            .map(|(position, _)| *position)
            .collect();
        for position in undone {
            if let Some(Live { host, what, .. }) = self.remove(position)
                && let What::Message(message) = what
            {
                for target in &message.targets {
                    let place = place(host, target);
                    if self.places.get(&place) == Some(&position) {
                        self.places.remove(&place);
                    }
                }
            }
        }
    }

    /// Where the body of a message in a queue is in the log, and how long it is.
    pub(super) fn body_of(&self, host: Host, id: QueueId, position: u64) -> Option<(u64, usize)> {
        let backlog = BacklogId::from(id);
        let place = Place {
            host,
            backlog,
            position,
        };
        let record = self.places.get(&place)?;
        self.body_at(*record)
    }

    /// Where the body of the message of a record is in the log, and how long it is. It is the
    /// end of the record.
    fn body_at(&self, record: u64) -> Option<(u64, usize)> {
        let live = self.order.get(&record)?;
        match &live.what {
            What::Message(message) => {
                let len = message.message.body_len();
                Some((record + live.len - len as u64, len))
            }
            What::Thing(_) => None,
        }
    }

    /// The messages of the first records whose bodies are not in memory, among so many: their
    /// records, and where the bodies are.
    pub(super) fn first_absent(&self, count: usize) -> impl Iterator<Item = (u64, u64, usize)> {
        let records = self.order.iter().take(count);
        records.filter_map(|(record, live)| {
            let (at, len) = self.body_at(*record)?;
            live.is_absent().then_some((*record, at, len))
        })
    }

    /// Whether the body of the message of a record has left memory.
    pub(super) fn is_absent(&self, record: u64) -> bool {
        self.order.get(&record).is_some_and(Live::is_absent)
    }

    /// The queues that the message of a record is in, and its position in each.
    pub(super) fn queues_of(&self, record: u64) -> Vec<(Host, QueueId, u64)> {
        let Some((live, What::Message(message))) =
            self.order.get(&record).map(|live| (live, &live.what))
        else {
            return Vec::new();
        };
        let mut settled = message.settled.iter();
        let left = message.targets.iter();
        let left = left.filter(|_| !settled.next().is_some_and(|settled| *settled));
        let place = |target: &Target| (live.host, QueueId(target.backlog.0), target.position);
        left.map(place).collect()
    }

    /// The first record from a position on, before another.
    pub(super) fn next_record(&self, from: u64, before: u64) -> Option<u64> {
        let mut records = self.order.range(from..before);
        records.next().map(|(record, _)| *record)
    }

    /// Lets go of the body of the message of a record, if it is in a few queues alone and for
    /// good. Returns whether it has done so.
    pub(super) fn strip(&mut self, record: u64) -> bool {
        let Some(live) = self.order.get_mut(&record) else {
            return false;
        };
        let What::Message(message) = &mut live.what else {
            return false;
        };
        let is_open = |transaction| self.open.contains_key(&(live.host, transaction));
        if message.transaction.is_some_and(is_open)
            || message.targets.len() > SHARED
            || !message.targets.iter().all(Target::is_in_queue)
            || message.message.body.len() < LEAST
        {
            return false;
        }
        message.message = Arc::new(message.message.without_body());
        true
    }

    /// The message of a record.
    pub(super) fn message_mut(&mut self, record: u64) -> Option<&mut Arc<Message>> {
        match &mut self.order.get_mut(&record)?.what {
            What::Message(message) => Some(&mut message.message),
            What::Thing(_) => None,
        }
    }

    /// Counts what the messages hold, before anybody else has a share in them.
    pub(super) fn count_messages(&mut self, meter: &Meter) {
        for live in self.order.values_mut() {
            if let What::Message(live) = &mut live.what {
                meter.count(&mut live.message);
            }
        }
        for run in self.runs.values_mut() {
            run.share = Some(meter.share(run.weight(), run.frozen.left));
        }
    }

    /// All things but messages, in the order in which they can be made, with the position
    /// of their record.
    pub(super) fn things(&self) -> impl Iterator<Item = (Host, &Key, u64, &Change)> {
        self.things.iter().filter_map(|((host, key), position)| {
            match &self.order.get(position)?.what {
                What::Thing(change) => Some((*host, key, *position, change)),
                What::Message(_) => None,
            }
        })
    }

    /// What is in each place, in the order of the positions in each backlog.
    pub(super) fn messages(&self) -> impl Iterator<Item = (Place, &Arc<Message>, &Target)> {
        self.places.iter().filter_map(|(place, position)| {
            let What::Message(live) = &self.order.get(position)?.what else {
                return None;
            };
            let at = target_at(&live.targets, *place)?;
            Some((*place, &live.message, live.targets.get(at)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::Copied;
    use crate::model::message::Qos;
    use crate::model::queue::tests::message;
    use alloc::boxed::Box;
    use bytes::Bytes;

    fn target(backlog: BacklogId) -> Target {
        Target {
            backlog,
            position: 0,
            expires: None,
            returned: 0,
            copy: None,
        }
    }

    /// A body leaves memory whose message is stored for good, in few queues and nowhere else.
    #[test]
    fn bodies_leave_of_what_is_in_queues_alone() {
        let queues = |count| {
            (1..=count)
                .map(|id| target(BacklogId(id)))
                .collect::<Vec<_>>()
        };
        let copied = Target {
            copy: Some(Box::new(Copied {
                qos: Qos::AtLeastOnce,
                retain: false,
                identifiers: Vec::new(),
                share: None,
                sent: None,
            })),
            ..target(BacklogId(9))
        };
        let with = |target| [queues(1), Vec::from([target])].concat();
        let (open, over) = (Some(TransactionId(1)), Some(TransactionId(2)));
        for (what, len, targets, transaction, leaves) in [
            ("a queue", LEAST, queues(1), None, true),
            ("a small body", LEAST - 1, queues(1), None, false),
            ("some queues", LEAST, queues(SHARED as u64), None, true),
            ("more", LEAST, queues(SHARED as u64 + 1), None, false),
            (
                "retained",
                LEAST,
                with(target(BacklogId::RETAINED)),
                None,
                false,
            ),
            (
                "delayed",
                LEAST,
                with(target(BacklogId::DELAYED)),
                None,
                false,
            ),
            ("a session", LEAST, with(copied), None, false),
            ("an open transaction", LEAST, queues(1), open, false),
            ("one that is committed", LEAST, queues(1), over, true),
        ] {
            let mut index = Index::default();
            let mut at = |position, transaction, change| {
                let written = Written {
                    host: 0,
                    transaction,
                    position,
                    len: 1_000,
                };
                index.apply(written, change);
            };
            let message = Arc::new(Message {
                body: Bytes::from(vec![b'x'; len]).into(),
                ..message("")
            });
            at(0, transaction, Change::Message { message, targets });
            if let Some(transaction) = over {
                at(1_000, None, Change::Committed { transaction });
            }
            assert_eq!(index.strip(0), leaves, "{what}");
            assert_eq!(index.is_absent(0), leaves, "{what}");
        }
        assert!(!Index::default().strip(0));
    }
}
