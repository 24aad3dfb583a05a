//! All queues of a virtual host, with their consumers and the channels of these.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound::{Excluded, Unbounded};

use super::advice::{Advice, Happened, Topics};
use super::dead_letter::{Reason, is_cycle, letter};
use super::outstanding::Overdue;
use super::{
    Channel, ChannelId, ConsumerId, Consumers, Entry, Frozen, Key, Overflow, Queue, QueueArguments,
    QueueId, QueueSettings, Ready, Search, Unacknowledged, Wanted, takes_argument,
};
use crate::model::change::{BacklogId, Change, KeptQueue, Target};
use crate::model::drops::{DropCause, Place};
use crate::model::message::{Message, Name};
use crate::model::refusal::Refusal;
use crate::model::request::ChannelNumber;
use crate::model::shared::Shared;
use crate::model::statistics::{QueueStatistics, Statistics};
use crate::model::{ConnectionId, Notice};

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Queue(QueueId),
    /// Some of its consumers have waited for it, and may take messages again.
    Channel(ChannelId),
}

/// What queues leave to the virtual host, which passes it on before it asks them for
/// anything else.
#[derive(Debug)]
pub(crate) enum Left {
    /// A message for a dead-letter exchange.
    Letter(Letter),
    /// Something is to be said of a queue, a topic, or their consumers.
    Advice(Advice),
    /// A durable queue is to be there, for the letter that comes next.
    Make(Name),
    /// A queue is gone.
    Removed(Box<Removed>),
    /// Consumers with a selector look through what is ready, each after a place.
    Search(QueueId, Vec<(ConsumerId, Option<Key>)>),
}

/// A message that goes to a dead-letter exchange.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) message: Arc<Message>,
    /// The queue that has given it up, and why.
    pub(crate) queue: Name,
    pub(crate) reason: Reason,
}

/// What was in a queue that is gone.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) id: QueueId,
    /// It was durable.
    pub(crate) kept: bool,
    pub(crate) ready: Ready,
    pub(crate) unacknowledged: BTreeMap<u64, Unacknowledged>,
    /// Which of them each consumer with a selector wanted.
    pub(crate) wanted: Vec<BTreeSet<Key>>,
    /// Consumers that are to be told.
    pub(crate) consumers: Consumers,
}

/// Letters that lie there at one time, at most: they have to be passed on before more are
/// written.
const LETTERS: usize = 16;

/// The queues of a virtual host.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// In boxes: they are large, and a map keeps room for more than there are.
    pub(super) all: BTreeMap<QueueId, Box<Queue>>,
    pub(super) names: BTreeMap<Name, QueueId>,
    /// Queues that take only some of the messages that are routed to them.
    pub(super) selective: usize,
    /// Queues that go with a connection.
    pub(super) exclusive: BTreeMap<ConnectionId, BTreeSet<QueueId>>,
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    /// Names of direct reply-to, and the queue behind each.
    pub(super) replies: BTreeMap<Name, QueueId>,
    /// What to look at: something arrived, or someone can take more.
    pub(super) listed: VecDeque<Listed>,
    /// Deliveries in a row from the queue that is listed first.
    pub(super) in_a_row: u32,
    /// Bodies and runs to ask for.
    pub(super) wanted: VecDeque<(QueueId, Wanted)>,
    /// Queues of which some may leave memory.
    pub(super) long: VecDeque<QueueId>,
    pub(super) left: VecDeque<Left>,
    /// Where it is said that consumers come and go.
    pub(super) topics: Topics,
}

impl Queues {
    pub(crate) fn get(&self, id: QueueId) -> Option<&Queue> {
        self.all.get(&id).map(Box::as_ref)
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<QueueId> {
        self.names.get(name).copied()
    }

    /// Whether there is one of that name that outlives the broker.
    pub(crate) fn is_durable(&self, name: &str) -> bool {
        let queue = self.id_of(name).and_then(|id| self.all.get(&id));
        queue.is_some_and(|queue| queue.settings.durable)
    }

    /// Whether any has something to do.
    pub(crate) fn has_listed(&self) -> bool {
        !self.listed.is_empty()
    }

    /// The next thing that is to be passed on.
    pub(crate) fn poll_left(&mut self) -> Option<Left> {
        self.left.pop_front()
    }

    /// Whether so many letters are to be passed on that no more may be written.
    pub(super) fn is_crowded(&self) -> bool {
        self.left.len() >= LETTERS
    }

    /// Leaves out the queues that do not take a message: by their selector, or because of who
    /// publishes it.
    pub(crate) fn select(
        &self,
        queues: &mut Vec<QueueId>,
        message: &Message,
        publisher: Option<ConnectionId>,
    ) {
        if self.selective == 0 {
            return;
        }
        queues.retain(|id| {
            self.all.get(id).is_some_and(|queue| {
                let selector = queue.arguments.selector.as_ref();
                let own = queue.no_local.map(|(_, connection)| connection);
                (own.is_none() || own != publisher)
                    && selector.is_none_or(|selector| selector.matches(message))
            })
        });
    }

    /// Goes on with the search of a new consumer for what it wants, by one message. Returns
    /// where it has come to; None: it is done, or goes on later.
    pub(crate) fn search(
        &mut self,
        id: QueueId,
        consumer: ConsumerId,
        after: Option<Key>,
    ) -> Option<Key> {
        let queue = self.all.get_mut(&id)?;
        match queue.search(consumer, after) {
            Search::To(key) => return Some(key),
            Search::Waits(_) => self.ask_for_bodies(id),
            Search::Done => self.list(id),
        }
        None
    }

    /// Consumers of a queue that are to look through what is ready do so.
    pub(super) fn leave_searches(&mut self, id: QueueId) {
        if let Some(queue) = self.all.get_mut(&id) {
            let consumers = queue.take_unsearched();
            if !consumers.is_empty() {
                let searches = consumers.into_iter().map(|consumer| (consumer, None));
                self.left.push_back(Left::Search(id, searches.collect()));
            }
        }
    }

    // Channels

    pub(crate) fn open_channel(&mut self, shared: &Shared, id: ChannelId, writable: bool) {
        let channel = Channel::new(writable, shared.limits.unacknowledged);
        self.channels.insert(id, channel);
    }

    /// Cancels one of the channel's consumers, and removes the channel when there is none. What
    /// they hold has to be given back before, by whoever holds the leases. Returns whether
    /// there is more to do.
    pub(crate) fn close_channel(&mut self, shared: &mut Shared, id: ChannelId) -> bool {
        let channel = self.channels.get(&id);
        let Some(consumer) = channel.and_then(|c| c.consumers.keys().next().copied()) else {
            self.channels.remove(&id);
            return false;
        };
        self.cancel(shared, id, consumer);
        true
    }

    /// Changes what a channel can take, and looks at those that have waited for it.
    pub(crate) fn update_channel(&mut self, id: ChannelId, change: impl FnOnce(&mut Channel)) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        change(channel);
        if channel.has_release() && !channel.listed {
            channel.listed = true;
            self.listed.push_back(Listed::Channel(id));
        }
    }

    /// A channel that is open, or has failed.
    pub(crate) fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id)
    }

    /// Something was refused on a channel.
    pub(crate) fn fail_channel(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.failed = true;
        }
    }

    /// Lets deliveries come to the channels of a connection, or not.
    pub(crate) fn set_writable(&mut self, connection: ConnectionId, writable: bool) {
        let channels: Vec<ChannelId> = self.channels_of(connection).collect();
        for id in channels {
            self.update_channel(id, |c| c.writable = writable);
        }
    }

    /// A connection is gone: its channels take nothing more. Returns them, to be
    /// [closed](Self::close_channel), and its exclusive queues, which go too.
    pub(crate) fn leave(
        &mut self,
        connection: ConnectionId,
    ) -> (Vec<ChannelId>, BTreeSet<QueueId>) {
        let channels: Vec<ChannelId> = self.channels_of(connection).collect();
        for id in &channels {
            self.fail_channel(*id);
        }
        let queues = self.exclusive.remove(&connection).unwrap_or_default();
        (channels, queues)
    }

    fn channels_of(&self, connection: ConnectionId) -> impl Iterator<Item = ChannelId> {
        let id = |number| ChannelId { connection, number };
        self.channels
            .range(id(ChannelNumber::MIN)..=id(ChannelNumber::MAX))
            .map(|(id, _)| *id)
    }

    // What comes, and what is given up

    /// Whether a queue has no room for a message, and refuses it.
    pub(crate) fn refuses(&self, shared: &Shared, id: QueueId, message: &Message) -> bool {
        let queue = self.all.get(&id);
        queue.is_some_and(|queue| queue.refuses(&shared.limits, 1, message.body.len()))
    }

    /// Puts a message into one queue, which becomes one of the targets if the message
    /// outlives the broker in there.
    pub(crate) fn enqueue(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        message: &Arc<Message>,
        targets: &mut Vec<Target>,
    ) {
        let now = shared.now;
        if let Some(queue) = self.all.get_mut(&id) {
            let expires = queue.push(message.clone(), now);
            shared.statistics.steps += queue.selectors() as u64;
            shared.statistics.queued += 1;
            list(&mut self.listed, queue, id);
            if shared.changes.are_kept() && queue.keeps(message) {
                targets.push(queue.last_target(id, expires));
                self.note_long(shared, id);
            }
        }
    }

    /// A queue has refused a message: some say so to their dead-letter exchange.
    pub(crate) fn refused(&mut self, shared: &mut Shared, id: QueueId, message: &Message) {
        self.count_drop(shared, id, DropCause::Refused);
        let overflow = self.all.get(&id).map(|q| q.arguments.overflow);
        if overflow == Some(Overflow::RejectPublishDeadLetter) {
            self.post(shared, id, message, Reason::MaxLength);
        }
    }

    /// Sends what a queue gives up to the queue's dead-letter exchange, if it
    /// has one.
    pub(super) fn give_up(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        entry: &Entry,
        reason: Reason,
    ) {
        shared.statistics.steps += 1;
        if entry.message.is_absent() && !self.has_letter(id, entry, reason) {
            return;
        }
        let count = match reason {
            Reason::Expired => &mut shared.statistics.expired,
            Reason::MaxLength => &mut shared.statistics.overflowed,
            Reason::Rejected | Reason::DeliveryLimit | Reason::Undeliverable => {
                &mut shared.statistics.rejected
            }
        };
        *count += 1;
        let cause = match reason {
            Reason::MaxLength => Some(DropCause::Full),
            Reason::DeliveryLimit => Some(DropCause::DeliveryLimit),
            Reason::Expired | Reason::Rejected | Reason::Undeliverable => None,
        };
        if let Some(cause) = cause {
            self.count_drop(shared, id, cause);
        }
        if let Some(queue) = self.all.get_mut(&id) {
            queue.counts.given_up += 1;
        }
        self.note_settled(shared, id, entry);
        if let Some(queue) = self.all.get_mut(&id) {
            let message = queue.absent.whole(entry);
            self.post(shared, id, &message, reason);
        }
        if reason == Reason::Expired {
            self.advise(shared, id, Happened::Expired);
        }
    }

    /// Writes the letter to the dead-letter exchange of a queue, if it has one.
    pub(super) fn post(&mut self, shared: &Shared, id: QueueId, message: &Message, reason: Reason) {
        if let Some(queue) = self.all.get(&id)
            && let Some(target) = &queue.arguments.dead_letter
        {
            if target.makes
                && let Some(name) = &target.routing_key
                && !self.names.contains_key(name)
            {
                self.left.push_back(Left::Make(name.clone()));
            }
            let letter = Letter {
                message: Arc::new(letter(message, &queue.name, reason, target, shared.now)),
                queue: queue.name.clone(),
                reason,
            };
            self.left.push_back(Left::Letter(letter));
            self.advise(shared, id, Happened::DeadLettered);
        }
    }

    /// Puts a letter into a queue, and counts it where it is refused. A letter to a full queue
    /// that refuses is gone, and nobody to tell.
    pub(crate) fn deliver_letter(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        letter: &Arc<Message>,
        targets: &mut Vec<Target>,
    ) {
        if self.refuses(shared, id, letter) {
            shared.statistics.refused += 1;
            self.count_drop(shared, id, DropCause::Refused);
        } else {
            self.enqueue(shared, id, letter, targets);
        }
    }

    /// Whether a letter comes round to a queue that has given it up before.
    pub(crate) fn is_cycle(&self, id: QueueId, letter: &Message, reason: Reason) -> bool {
        let queue = self.all.get(&id);
        queue.is_none_or(|queue| is_cycle(&letter.properties.headers, &queue.name, reason))
    }

    /// A queue has nothing more to do with a message.
    pub(crate) fn note_settled(&mut self, shared: &mut Shared, id: QueueId, entry: &Entry) {
        if shared.changes.are_kept()
            && let Some(queue) = self.all.get(&id)
            && queue.keeps(&entry.message)
        {
            shared.changes.push(Change::settled(id, entry.position));
        }
    }

    /// A limit has dropped a message of a queue.
    pub(crate) fn count_drop(&mut self, shared: &mut Shared, id: QueueId, cause: DropCause) {
        if let Some(queue) = self.all.get(&id) {
            shared.drops.note(Place::Queue(queue.name.clone()), cause);
        }
    }

    pub(crate) fn list(&mut self, id: QueueId) {
        if let Some(queue) = self.all.get_mut(&id) {
            list(&mut self.listed, queue, id);
        }
    }

    // Time, and what is counted

    /// What is due in a queue: its end, or that of messages.
    pub(crate) fn timeout(&mut self, shared: &mut Shared, id: QueueId) {
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        queue.deadline = None;
        queue.wake(shared.now, &mut shared.statistics.steps);
        if let Some(overdue) = queue.pop_overdue(shared.now, shared.consumer_timeout) {
            self.end_overdue(shared, &overdue);
            self.update_timer(shared, id);
            return;
        }
        let unused_since = queue.used;
        match queue.arguments.expires {
            Some(after)
                if queue.consumers.is_empty()
                    && unused_since.saturating_add(after) <= shared.now =>
            {
                self.remove(shared, id);
            }
            _ => self.list(id),
        }
    }

    /// A consumer has not settled in time: its channel is over, in the words of RabbitMQ.
    fn end_overdue(&mut self, shared: &mut Shared, overdue: &Overdue) {
        let (id, timeout) = (overdue.channel, overdue.timeout);
        if self.channel(id).is_none_or(|channel| channel.failed) {
            return;
        }
        self.fail_channel(id);
        let refusal = Refusal::precondition_failed(format_args!(
            "delivery acknowledgement on channel {} timed out. Timeout value used: {} ms. This \
             timeout value can be configured, see consumers doc guide to learn more",
            id.number,
            timeout.as_millis()
        ));
        let notice = Notice::ChannelEnded {
            channel: id.number,
            refusal: Box::new(refusal),
        };
        shared.emit(id.connection, notice);
    }

    /// Adds what is in the queues now.
    pub(crate) fn count(&self, counts: &mut Statistics) {
        for queue in self.all.values() {
            counts.ready += (queue.ready.len() + queue.absent.letters.len()) as u64;
            counts.unacknowledged += queue.unacknowledged.len() as u64;
        }
    }

    /// What each has counted.
    pub(crate) fn statistics(&self, host: &Name) -> impl Iterator<Item = QueueStatistics> {
        self.all.values().map(|queue| queue.count(host))
    }

    // Policies

    /// Puts policies that have changed in force for the first queue after another one.
    /// Returns which one that is.
    pub(crate) fn apply_policies(
        &mut self,
        shared: &mut Shared,
        after: Option<QueueId>,
    ) -> Option<QueueId> {
        let after = (after.map_or(Unbounded, Excluded), Unbounded);
        let (&id, _) = self.all.range(after).next()?;
        self.apply_policies_to(shared, id);
        // It may be too long now, or have room.
        self.list(id);
        Some(id)
    }

    /// Puts in force what the policies say of a queue.
    pub(super) fn apply_policies_to(&mut self, shared: &mut Shared, id: QueueId) {
        shared.statistics.steps += shared.policies.len() as u64;
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        let declared = &queue.settings.arguments;
        let kind = queue.arguments.kind;
        let takes = |argument: &str| takes_argument(kind, argument);
        let policies = &shared.policies;
        let in_force = policies.for_queue(&queue.name, kind.policies(), takes, declared);
        let arguments = queue.arguments.with(in_force.as_ref().unwrap_or(declared));
        if arguments.expires != queue.arguments.expires {
            // The time without use begins anew, as in RabbitMQ.
            queue.used = shared.now;
        }
        queue.set_arguments(arguments, shared.consumer_timeout);
        self.update_timer(shared, id);
    }

    // What was kept, put back

    pub(crate) fn restore(&mut self, shared: &mut Shared, kept: &KeptQueue) -> Result<(), Refusal> {
        let arguments = QueueArguments::parse(&kept.name, &shared.name, &kept.arguments)?;
        let settings = QueueSettings {
            durable: true,
            exclusive: None,
            auto_delete: kept.auto_delete,
            arguments: kept.arguments.clone(),
        };
        // Its time without use begins anew.
        let mut queue = Queue::new(kept.name.clone(), settings, arguments, shared.now);
        queue.set_offered(kept.offered);
        self.insert(shared, kept.id, queue);
        Ok(())
    }

    /// Puts a message back into a queue. Returns whether that is there.
    pub(crate) fn restore_message(
        &mut self,
        shared: &mut Shared,
        message: &Arc<Message>,
        target: &Target,
    ) -> bool {
        let id = QueueId(target.backlog.0);
        let Some(queue) = self.all.get_mut(&id) else {
            return false;
        };
        queue.restore(message.clone(), target);
        shared.statistics.queued += 1;
        self.note_long(shared, id);
        self.list(id);
        true
    }

    /// Puts a run back into a queue. Returns whether that is there.
    pub(crate) fn restore_run(&mut self, shared: &mut Shared, id: QueueId, run: Frozen) -> bool {
        let Some(queue) = self.all.get_mut(&id) else {
            return false;
        };
        shared.statistics.queued += run.left as u64;
        queue.restore_run(run);
        self.list(id);
        true
    }

    /// Uses no position of a queue before this one. Returns whether it is there.
    pub(crate) fn restore_position(&mut self, backlog: BacklogId, next: u64) -> bool {
        let queue = self.all.get_mut(&QueueId(backlog.0));
        queue.is_some_and(|queue| {
            queue.set_next_position(next);
            true
        })
    }
}

/// Adds a queue to those to look at, unless it is there.
pub(super) fn list(listed: &mut VecDeque<Listed>, queue: &mut Queue, id: QueueId) {
    if !queue.listed {
        queue.listed = true;
        listed.push_back(Listed::Queue(id));
    }
}
