//! Queues: ready messages, consumers, and what is out unacknowledged.

mod absent;
mod advice;
mod arguments;
mod body;
mod consumer;
pub(crate) mod dead_letter;
pub(crate) mod declaration;
mod delivery;
pub(crate) mod frozen;
mod group;
mod outstanding;
mod queues;
mod ready;
mod redelivery;
mod reply;
mod runs;
mod selection;
mod turns;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use crate::limits::Limits;
use crate::model::ConnectionId;
use crate::model::change::{KeptQueue, Target};
use crate::model::id::BacklogId;
use crate::model::message::{Headers, Message, Name, Value};
use crate::model::request::ConsumerTimeout;
use crate::model::selector::Selector;
use crate::model::statistics::QueueStatistics;

pub(crate) use crate::model::id::ChannelId;
pub use crate::model::id::{ConsumerId, QueueId};
use absent::Absent;
pub(crate) use absent::Wanted;
pub(crate) use advice::{Advice, DURABLE_SUBSCRIPTION, Happened, SUBSCRIPTION, TEMPORARY_TOPIC};
pub(crate) use arguments::{
    Arguments, CONSUMER_TIMEOUT, LONGEST_MILLIS, MAKE_DEAD_LETTER_QUEUE, Overflow, QueueArguments,
    QueueKind, SELECTOR, inequivalent, takes_argument,
};
pub(crate) use consumer::{Channel, Consumer, Consumers};
pub(crate) use delivery::ConsumeRequest;
pub use delivery::{Claim, Delivery, Fetched, Lease, Settlement};
use frozen::{Frozen, Scale};
pub(crate) use group::is_grouped;
use outstanding::{Note, Outstanding, Overdue};
pub(crate) use queues::{Left, Letter, Queues, Removed};
pub(crate) use ready::{Entry, Key, Ready, Taken};
pub(crate) use reply::REPLY_QUEUE;
pub(crate) use selection::Search;
use selection::Selections;

/// Positions at one time of which it is noted that they may have been delivered.
const OFFERED: u64 = 1024;

/// Tells a consumer of a quorum queue how often a message came back.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// What `queue.declare` says about a queue.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// It outlives the broker.
    pub durable: bool,
    /// The connection that alone may use the queue, and with which it goes.
    pub exclusive: Option<ConnectionId>,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// `x-message-ttl` and the like, with RabbitMQ's names.
    pub arguments: Headers,
}

impl QueueSettings {
    /// Those of a durable queue without arguments.
    pub(crate) fn durable() -> Self {
        Self {
            durable: true,
            exclusive: None,
            auto_delete: false,
            arguments: Headers::default(),
        }
    }
}

/// A message that came back so often, as a consumer gets it: from a quorum queue it has
/// the header `x-delivery-count`.
pub(crate) fn outgoing(kind: QueueKind, message: Arc<Message>, returned: u32) -> Arc<Message> {
    if kind != QueueKind::Quorum {
        return message;
    }
    let mut message = Arc::unwrap_or_clone(message).into_edited();
    let count = Value::long(returned.into());
    message.properties.headers.set(DELIVERY_COUNT, count);
    Arc::new(message)
}

/// A message that is with a consumer, or was taken by `basic.get`.
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) entry: Entry,
    pub(crate) consumer: Option<ConsumerId>,
    /// Where it is noted since when it is out.
    note: Note,
}

impl Unacknowledged {
    /// One that no consumer has, nor anybody else who is to settle it in time.
    pub(crate) fn of_nobody(entry: Entry) -> Self {
        Self {
            entry,
            consumer: None,
            note: Note::None,
        }
    }
}

/// Who gets a message, to settle it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    /// None after `basic.get`, which no prefetch counts.
    pub(crate) consumer: Option<ConsumerId>,
    pub(crate) channel: ChannelId,
    pub(crate) timeout: ConsumerTimeout,
}

/// A message of a run that has left it: its position, and if it could be read, itself, when its
/// time is over, and how often it came back to the queue.
pub(crate) type Thawed = (u64, Option<(Arc<Message>, Option<Duration>, u32)>);

/// What a queue has counted since it was there.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    queued: u64,
    pub(crate) delivered: u64,
    pub(crate) acknowledged: u64,
    pub(crate) given_up: u64,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: Name,
    pub(crate) settings: QueueSettings,
    pub(crate) arguments: Arguments,
    pub(crate) ready: Ready,
    /// By position.
    pub(crate) unacknowledged: BTreeMap<u64, Unacknowledged>,
    /// Those of them that are to be settled in time.
    outstanding: Outstanding,
    pub(crate) consumers: Consumers,
    /// What waits for bodies that have left memory.
    pub(crate) absent: Absent,
    /// Who has returned a ready message, by its position: others come first.
    returned_by: BTreeMap<u64, ChannelId>,
    /// What those of them want that have a selector.
    selections: Selections,
    /// Consumers that are to look through what is ready.
    unsearched: Vec<ConsumerId>,
    /// All are that have a selector, or a group.
    all_unsearched: bool,
    /// When messages come back that rest, with their positions. Until then they count as
    /// unacknowledged.
    resting: BTreeSet<(Duration, u64)>,
    /// When it was last declared, asked for a message, or left by its last
    /// consumer: `x-expires` counts from there.
    pub(crate) used: Duration,
    /// Waiting in the virtual host's list of queues to look at.
    pub(crate) listed: bool,
    /// In the virtual host's list of queues of which some may leave memory.
    pub(crate) is_long: bool,
    /// A consumer for which nothing is taken that its connection publishes.
    pub(crate) no_local: Option<(ConsumerId, ConnectionId)>,
    pub(crate) counts: Counts,
    /// The deadline that the virtual host knows of.
    pub(crate) deadline: Option<Duration>,
    next_position: u64,
    /// It was noted that messages before that position may have been delivered.
    offered: u64,
}

impl Queue {
    pub(crate) fn new(
        name: Name,
        settings: QueueSettings,
        arguments: QueueArguments,
        now: Duration,
    ) -> Self {
        Self {
            name,
            consumers: Consumers::new(arguments.single_active_consumer),
            settings,
            arguments: arguments.into(),
            ready: Ready::default(),
            absent: Absent::default(),
            returned_by: BTreeMap::new(),
            selections: Selections::default(),
            unsearched: Vec::new(),
            all_unsearched: false,
            resting: BTreeSet::new(),
            unacknowledged: BTreeMap::new(),
            outstanding: Outstanding::default(),
            used: now,
            listed: false,
            is_long: false,
            no_local: None,
            counts: Counts::default(),
            deadline: None,
            next_position: 0,
            offered: 0,
        }
    }

    /// Whether a message outlives the broker in here.
    pub(crate) fn keeps(&self, message: &Message) -> bool {
        self.settings.durable && message.is_lasting()
    }

    /// Whether it counts how often a message came back.
    pub(crate) fn counts_returns(&self) -> bool {
        self.arguments.kind == QueueKind::Quorum || self.arguments.redelivery.is_some()
    }

    /// It as a durable queue.
    pub(crate) fn kept(&self, id: QueueId) -> KeptQueue {
        KeptQueue {
            id,
            name: self.name.clone(),
            auto_delete: self.settings.auto_delete,
            arguments: self.settings.arguments.clone(),
            offered: self.offered,
        }
    }

    /// A message is delivered that outlives the broker in here. Returns whether that is to
    /// be noted: not for each, but for many to come at one time.
    pub(crate) fn offer(&mut self, position: u64) -> bool {
        let is_new = position >= self.offered;
        if is_new {
            self.offered = position.saturating_add(OFFERED);
        }
        is_new
    }

    /// Messages before that position may have been delivered.
    pub(crate) fn set_offered(&mut self, offered: u64) {
        self.offered = offered;
    }

    /// The place of the message that was put at the end last.
    pub(crate) fn last_target(&self, id: QueueId, expires: Option<Duration>) -> Target {
        Target {
            backlog: BacklogId::from(id),
            position: self.next_position.saturating_sub(1),
            expires,
            returned: 0,
            copy: None,
        }
    }

    /// Puts back a message that was kept.
    pub(crate) fn restore(&mut self, message: Arc<Message>, target: &Target) {
        self.next_position = self.next_position.max(target.position + 1);
        self.counts.queued += 1;
        self.insert(Entry {
            position: target.position,
            message,
            redelivered: target.position < self.offered,
            returned: target.returned,
            expires: target.expires,
        });
    }

    /// Puts back a run that was kept.
    pub(crate) fn restore_run(&mut self, mut run: Frozen) {
        self.next_position = self.next_position.max(run.end());
        self.counts.queued += run.left as u64;
        run.offered = self.offered.clamp(run.first, run.end());
        let priority = self.priority(run.priority);
        self.ready.insert_run(priority, run);
    }

    /// Uses no position before this one.
    pub(crate) fn set_next_position(&mut self, position: u64) {
        self.next_position = self.next_position.max(position);
    }

    /// Puts a message at the end. Returns when its time is over.
    pub(crate) fn push(&mut self, message: Arc<Message>, now: Duration) -> Option<Duration> {
        let ttl = match (message.properties.expiration, self.arguments.message_ttl) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let expires = ttl.map(|ttl| now.saturating_add(ttl));
        let entry = Entry {
            position: self.next_position,
            message,
            redelivered: false,
            returned: 0,
            expires,
        };
        self.next_position += 1;
        self.counts.queued += 1;
        self.insert(entry);
        expires
    }

    /// A message is out, with somebody who is to settle it in time. `limit` is for how long a
    /// delivery may be out where the queue does not say it.
    pub(crate) fn hold(
        &mut self,
        entry: Entry,
        holder: Holder,
        now: Duration,
        limit: Option<Duration>,
    ) {
        let Holder {
            consumer,
            channel,
            timeout,
        } = holder;
        let position = entry.position;
        let of_queue = self.arguments.consumer_timeout;
        let listed = match timeout {
            ConsumerTimeout::Own(_) => None,
            ConsumerTimeout::OfQueue => of_queue,
            ConsumerTimeout::Default => of_queue.or(limit),
        };
        let note = match (timeout, listed) {
            (ConsumerTimeout::Own(own), _) => self.outstanding.add_own(position, channel, now, own),
            (_, Some(timeout)) => self.outstanding.add(position, channel, now, timeout),
            (_, None) => Note::None,
        };
        let held = Unacknowledged {
            entry,
            consumer,
            note,
        };
        self.unacknowledged.insert(position, held);
    }

    /// Takes back a delivery that is settled.
    pub(crate) fn take_unacknowledged(&mut self, position: u64) -> Option<Unacknowledged> {
        let taken = self.unacknowledged.remove(&position)?;
        self.outstanding.remove(position, taken.note);
        Some(taken)
    }

    /// A delivery that is out for too long, with `limit` as for [`hold`](Self::hold). It is
    /// said once.
    pub(crate) fn pop_overdue(
        &mut self,
        now: Duration,
        limit: Option<Duration>,
    ) -> Option<Overdue> {
        let timeout = self.arguments.consumer_timeout.or(limit);
        let overdue = self.outstanding.pop_overdue(now, timeout)?;
        if let Some(held) = self.unacknowledged.get_mut(&overdue.position) {
            held.note = Note::None;
        }
        Some(overdue)
    }

    /// Its arguments are others, with `limit` as for [`hold`](Self::hold).
    pub(crate) fn set_arguments(&mut self, arguments: QueueArguments, limit: Option<Duration>) {
        self.arguments = arguments.into();
        let timeout = self.arguments.consumer_timeout.or(limit);
        self.outstanding.check_again(timeout);
    }

    /// Puts a message back where it was. Consumers of other channels come before those of
    /// the one that returns it (AMQP 0-9-1, `basic.reject`, rule 01 of `requeue`).
    pub(crate) fn put_back(&mut self, mut entry: Entry, channel: ChannelId) {
        // With one consumer there is no choice.
        if self.consumers.len() > 1 {
            self.returned_by.insert(entry.position, channel);
        }
        entry.redelivered = true;
        entry.returned = entry.returned.saturating_add(1);
        self.insert(entry);
    }

    /// The priority in here of what was published with one.
    fn priority(&self, published: Option<u8>) -> u8 {
        match (self.arguments.max_priority, published) {
            (Some(max), Some(priority)) => priority.min(max),
            _ => 0,
        }
    }

    fn insert(&mut self, entry: Entry) {
        let priority = self.priority(entry.message.properties.priority);
        if !self.selections.is_grouped() && is_grouped(&entry.message) {
            self.begin_groups();
        }
        if !self.selections.is_empty() {
            let key = (Reverse(priority), entry.position);
            let consumers = &mut self.consumers;
            self.selections
                .offer(key, &entry, |consumer| consumers.wake(consumer));
        }
        self.ready.insert(priority, entry);
    }

    /// How many selectors a message is held against when it becomes ready.
    pub(crate) fn selectors(&self) -> usize {
        self.selections.len()
    }

    /// The first message of a group has come: from now on each consumer gets what is for it.
    fn begin_groups(&mut self) {
        self.selections.begin_groups();
        for consumer in self.consumers.iter() {
            self.selections.add(consumer.id, None);
        }
        self.all_unsearched = true;
        self.ready.set_keyed(!self.selections.is_empty());
    }

    /// Adds a consumer. One with a selector gets nothing before its [search](Self::search) is
    /// done, nor does any in a queue with groups.
    pub(crate) fn add_consumer(&mut self, consumer: Consumer, selector: Option<Box<Selector>>) {
        if selector.is_some() || self.selections.is_grouped() {
            self.selections.add(consumer.id, selector);
            self.ready.set_keyed(true);
            self.unsearched.push(consumer.id);
        }
        self.consumers.add(consumer);
    }

    pub(crate) fn remove_consumer(&mut self, consumer: ConsumerId) -> Option<Consumer> {
        self.all_unsearched |= self.selections.remove(consumer);
        self.ready.set_keyed(!self.selections.is_empty());
        self.consumers.remove(consumer)
    }

    /// Whether there are consumers whose search has not begun.
    pub(crate) fn has_unsearched(&self) -> bool {
        self.all_unsearched || !self.unsearched.is_empty()
    }

    /// Consumers that are to [search](Self::search).
    pub(crate) fn take_unsearched(&mut self) -> Vec<ConsumerId> {
        let some = core::mem::take(&mut self.unsearched);
        match core::mem::take(&mut self.all_unsearched) {
            true => self.selections.consumers().collect(),
            false => some,
        }
    }

    /// Goes on with the search of a new consumer for what it wants, by one message.
    pub(crate) fn search(&mut self, consumer: ConsumerId, after: Option<Key>) -> Search {
        let search = self.selections.search(consumer, &mut self.ready, after);
        match search {
            Search::To(_) => {}
            Search::Waits(first) => {
                self.absent.searches.push((consumer, after));
                self.ask_for_run(first);
            }
            Search::Done => self.consumers.wake(consumer),
        }
        search
    }

    /// Takes the message for the consumer whose turn it is, among those that can take one
    /// and want one, and what it gets in place of that message, if it is another. Counts those
    /// that were asked. None also when the body of the message is not here: then it is to be
    /// [asked for](Absent::take_unasked).
    pub(crate) fn take_next(
        &mut self,
        channels: &mut BTreeMap<ChannelId, Channel>,
        steps: &mut u64,
        scale: &Scale,
    ) -> Option<(&mut Consumer, Entry, Option<Arc<Message>>)> {
        if self.ready.is_empty() {
            return None;
        }
        let (selections, ready, returned_by) =
            (&mut self.selections, &self.ready, &self.returned_by);
        let look = |consumer: &Consumer| {
            if !selections.has(consumer.id, ready) {
                return None;
            }
            let avoids = !returned_by.is_empty()
                && selections
                    .first(consumer.id, ready)
                    .and_then(|first| returned_by.get(&first.position))
                    == Some(&consumer.channel);
            Some(avoids)
        };
        let consumer = self.consumers.next(channels, look, steps)?;
        if self.ready.has_runs()
            && let Some(first) = self.ready.ask_ahead(scale)
        {
            self.absent.ask_run(first);
        }
        if self.ready.has_absent() {
            self.absent.ask_ahead(&self.ready);
            let first = self.selections.first(consumer.id, &self.ready)?;
            if !self.absent.has(first) {
                self.absent.ask(first);
                return None;
            }
        }
        let entry = self.selections.take(consumer.id, &mut self.ready)?;
        self.returned_by.remove(&entry.position);
        let mut other = self.absent.take_whole(&entry);
        if self.selections.deliver(consumer.id, &entry.message) {
            let whole = other.unwrap_or_else(|| entry.message.clone());
            let mut first = Arc::unwrap_or_clone(whole).into_edited();
            let headers = &mut first.properties.headers;
            headers.set(group::FIRST, Value::Bool(true));
            other = Some(Arc::new(first));
        }
        Some((consumer, entry, other))
    }

    /// Takes a message that a consumer with a selector would get next, and whose time is
    /// over before `now`.
    pub(crate) fn pop_wanted_expired(&mut self, now: Duration) -> Option<Entry> {
        let key = self.selections.first_expired(&self.ready, now)?;
        let entry = self.ready.take_at(key)?;
        self.taken(Some((key, entry)))
    }

    /// Whether the time of any ready message can be over.
    pub(crate) fn has_expiring(&self) -> bool {
        self.ready.has_expiring()
    }

    /// Takes all ready messages, and the lists of who wants which.
    pub(crate) fn take_all(&mut self) -> (Ready, Vec<BTreeSet<Key>>) {
        let ready = core::mem::take(&mut self.ready);
        self.ready.set_keyed(!self.selections.is_empty());
        self.absent.forget_ready();
        self.returned_by.clear();
        (ready, self.selections.take_found())
    }

    /// Takes a message whose body is in the log from now on in the place of the same one.
    pub(crate) fn strip(&mut self, position: u64, message: &Arc<Message>) {
        if !self.ready.replace(position, message)
            && let Some(out) = self.unacknowledged.get_mut(&position)
        {
            out.entry.message = message.clone();
        }
    }

    /// Whether the head is here with its body, or there is no head.
    pub(crate) fn head_is_here(&self) -> bool {
        match self.ready.front() {
            Some(head) => self.absent.has(head),
            None => self.ready.is_empty(),
        }
    }

    /// Asks for the body of the head, or for the run that it is in.
    pub(crate) fn ask_for_head(&mut self) {
        match self.ready.front() {
            Some(head) => self.absent.ask(head),
            None => self.ask_for_head_run(),
        }
    }

    fn ask_for_head_run(&mut self) {
        if let Some(first) = self.ready.ask_for_head_run() {
            self.absent.ask_run(first);
        }
    }

    fn ask_for_run(&mut self, first: u64) {
        if self.ready.set_asked(first) {
            self.absent.ask_run(first);
        }
    }

    /// Puts the messages of a run back into their places, those that could be read. Returns
    /// the positions of the others.
    pub(crate) fn thaw(&mut self, first: u64, messages: Vec<Thawed>) -> Option<Vec<u64>> {
        let (priority, run) = self.ready.take_run(first)?;
        let (mut entries, mut lost) = (Vec::with_capacity(messages.len()), Vec::new());
        for (position, message) in messages {
            let Some((message, expires, returned)) = message else {
                lost.push(position);
                continue;
            };
            entries.push(Entry {
                position,
                message,
                redelivered: position < run.offered || returned > 0,
                returned,
                expires,
            });
        }
        self.ready.thaw(priority, entries);
        Some(lost)
    }

    /// Takes a run at the head of a priority of which all messages are over. One of which
    /// only some are, or whose messages become letters, is asked for.
    pub(crate) fn take_expired_run(&mut self, now: Duration, inclusive: bool) -> Option<Frozen> {
        let (first, all) = self.ready.expired_run(now, inclusive)?;
        if all && self.arguments.dead_letter.is_none() {
            return self.ready.take_run(first).map(|(_, run)| run);
        }
        self.ask_for_run(first);
        None
    }

    /// Takes a ready message out, wherever it is.
    pub(crate) fn take_ready(&mut self, position: u64) -> Option<Entry> {
        let taken = self.ready.remove(position);
        self.taken(taken)
    }

    /// Takes the head. None also when that is in a run, which is asked for then.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let taken = self.ready.pop_first();
        if taken.is_none() {
            self.ask_for_head_run();
        }
        self.taken(taken)
    }

    /// Takes the first message at the head of a priority that expires before `now`, or,
    /// when `inclusive`, at `now`.
    pub(crate) fn pop_expired(&mut self, now: Duration, inclusive: bool) -> Option<Entry> {
        let taken = self.ready.pop_expired(now, inclusive);
        self.taken(taken)
    }

    fn taken(&mut self, taken: Option<(Key, Entry)>) -> Option<Entry> {
        let (key, entry) = taken?;
        self.selections.forget(key);
        self.returned_by.remove(&entry.position);
        Some(entry)
    }

    /// Whether `more` messages of `bytes` beyond those that are ready are too
    /// much, by the arguments of the queue or by the broker's limits.
    fn exceeds(&self, limits: &Limits, more: usize, bytes: usize) -> bool {
        let length = self.arguments.max_length.unwrap_or(usize::MAX);
        let size = self.arguments.max_length_bytes.unwrap_or(usize::MAX);
        self.ready.len() + more > length.min(limits.queue_messages)
            // RabbitMQ's argument is about bodies alone.
            || self.ready.bytes() + bytes > size
            || self.ready.held() + bytes > limits.queue_bytes
    }

    /// Whether so many messages of so many bytes in all are to be refused.
    pub(crate) fn refuses(&self, limits: &Limits, messages: usize, bytes: usize) -> bool {
        self.arguments.overflow != Overflow::DropHead && self.exceeds(limits, messages, bytes)
    }

    /// Takes the message that has to go because the queue is too long: its head,
    /// which in a queue with priorities is the oldest of the highest, as in RabbitMQ.
    /// A queue that refuses publishes gives up nothing: what makes it too long came
    /// back to it, and was accepted before.
    pub(crate) fn pop_overflow(&mut self, limits: &Limits) -> Option<Entry> {
        if self.overflows(limits) {
            self.pop()
        } else {
            None
        }
    }

    /// Whether a message has to go because the queue is too long.
    pub(crate) fn overflows(&self, limits: &Limits) -> bool {
        self.arguments.overflow == Overflow::DropHead && self.exceeds(limits, 0, 0)
    }

    /// What it has counted, and what is in it now.
    pub(crate) fn count(&self, virtual_host: &Name) -> QueueStatistics {
        QueueStatistics {
            virtual_host: virtual_host.clone(),
            name: self.name.clone(),
            durable: self.settings.durable,
            consumers: self.consumers.len(),
            queued: self.counts.queued,
            delivered: self.counts.delivered,
            acknowledged: self.counts.acknowledged,
            given_up: self.counts.given_up,
            ready: self.ready.len() + self.absent.letters.len(),
            ready_bytes: self.ready.held(),
            unacknowledged: self.unacknowledged.len(),
        }
    }

    /// When something happens here by itself.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let expiry = match self.arguments.expires {
            Some(after) if self.consumers.is_empty() => Some(self.used.saturating_add(after)),
            _ => None,
        };
        let overdue = self.outstanding.check();
        let resting = self.resting.first().map(|(at, _)| *at);
        let all = [expiry, self.ready.next_expiry(), overdue, resting];
        all.into_iter().flatten().min()
    }

    /// Messages that would be delivered next, in their order, and that a selector takes: so
    /// many at most, and those alone whose bodies are here. They stay.
    pub(crate) fn browse(&self, most: usize, selector: Option<&Selector>) -> Vec<Arc<Message>> {
        let ready = self.ready.in_order(most);
        let here = ready.filter(|entry| !entry.message.is_absent());
        let messages = here.map(|entry| &entry.message);
        let wanted =
            messages.filter(|message| selector.is_none_or(|selector| selector.matches(message)));
        wanted.cloned().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::message::{Origin, Properties};
    use crate::model::meter::Counted;
    use bytes::Bytes;

    pub(crate) fn message(body: &'static str) -> Message {
        Message {
            exchange: Name::from(""),
            routing_key: Name::from("q"),
            properties: Properties::default(),
            body: Bytes::from_static(body.as_bytes()).into(),
            published: Duration::ZERO,
            origin: Origin::Broker,
            counted: Counted::default(),
        }
    }

    pub(crate) fn entry(position: u64, expires: Option<Duration>) -> Entry {
        Entry {
            position,
            message: Arc::new(message("body")),
            redelivered: false,
            returned: 0,
            expires,
        }
    }
}
