//! A virtual host: the neutral model that all three protocols speak to.
//!
//! Nothing in here knows a protocol. What a front end is to know comes out as a
//! [`Notice`].

mod absent;
mod client;
mod commit;
mod delivery;
mod permission;
mod queues;
mod reply;
mod restore;
mod routing;
mod serve;
#[cfg(test)]
mod tests;
mod work;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Store;
use crate::limits::Limits;
use crate::model::drops::{DropCause, Place};
use crate::model::exchange::Exchanges;
use crate::model::message::Name;
use crate::model::permission::Grant;
use crate::model::queue::{Channel, ChannelId, Queue, QueueId};
use crate::model::request::ChannelNumber;
use crate::model::session::{Leaving, SessionId, Sessions};
use crate::model::shared::Shared;
use crate::model::statistics::{QueueStatistics, SessionStatistics, Statistics};
use crate::model::timers::TimerKey;
use crate::model::{ConnectionId, Notice, Said, Wait};

pub(crate) use delivery::ConsumeRequest;
pub use delivery::{Claim, Delivery, Fetched, Lease, Settlement};
pub(crate) use reply::REPLY_QUEUE;
pub use routing::PublishOutcome;
pub(crate) use work::Work;
use work::Works;

/// A connection that uses the virtual host.
#[derive(Debug)]
pub(crate) struct Member {
    /// It takes deliveries.
    writable: bool,
    /// Queues that go with it.
    exclusive: BTreeSet<QueueId>,
    pub(crate) session: Option<SessionId>,
    /// What it may do; None: everything.
    grant: Option<Arc<Grant>>,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            writable: true,
            exclusive: BTreeSet::new(),
            session: None,
            grant: None,
        }
    }
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Queue(QueueId),
    /// Some of its consumers have waited for it, and may take messages again.
    Channel(ChannelId),
}

/// A virtual host.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) shared: Shared,
    pub(crate) exchanges: Exchanges,
    pub(crate) queues: BTreeMap<QueueId, Queue>,
    queue_names: BTreeMap<Name, QueueId>,
    /// Queues that take only some of the messages that are routed to them.
    selective: usize,
    pub(crate) members: BTreeMap<ConnectionId, Member>,
    pub(crate) channels: BTreeMap<ChannelId, Channel>,
    /// Names of direct reply-to, and the queue behind each.
    replies: BTreeMap<Name, QueueId>,
    pub(crate) sessions: Sessions,
    /// What to look at: something arrived, or someone can take more.
    listed: VecDeque<Listed>,
    /// Deliveries in a row from the queue that is listed first.
    in_a_row: u32,
    work: Works,
    /// Waiting in the model's list of virtual hosts with changes.
    pub(super) changing: bool,
    /// Sessions have the next turn.
    sessions_first: bool,
    /// Waiting in the model's list of virtual hosts to poll.
    pub(super) awake: bool,
    /// Bodies to ask for.
    wanted: VecDeque<(QueueId, u64)>,
}

impl VirtualHost {
    pub(crate) fn new(name: &str, seed: u64, store: Store, limits: Limits) -> Self {
        Self {
            shared: Shared::new(name, seed, store, limits),
            exchanges: Exchanges::new(),
            queues: BTreeMap::new(),
            queue_names: BTreeMap::new(),
            selective: 0,
            members: BTreeMap::new(),
            channels: BTreeMap::new(),
            replies: BTreeMap::new(),
            sessions: Sessions::default(),
            listed: VecDeque::new(),
            in_a_row: 0,
            work: Works::default(),
            changing: false,
            sessions_first: false,
            awake: false,
            wanted: VecDeque::new(),
        }
    }

    /// The next notice, and for which connection, unless so many steps have been done
    /// before there is one.
    pub(crate) fn poll_notice(&mut self, steps: u64) -> Option<Said> {
        if let Some(said) = self.shared.notices.pop_front() {
            return Some(said);
        }
        // Queues and sessions have their turns one after the other.
        self.sessions_first = !self.sessions_first;
        if self.sessions_first {
            self.next_push(steps).or_else(|| self.deliver(steps))
        } else {
            self.deliver(steps).or_else(|| self.next_push(steps))
        }
    }

    fn next_push(&mut self, steps: u64) -> Option<Said> {
        self.sessions.next_push(&mut self.shared, steps)
    }

    fn deliver(&mut self, steps: u64) -> Option<Said> {
        let (to, delivery) = self.next_delivery(steps)?;
        let (notice, wait) = (Notice::Deliver(delivery), Wait::Nothing);
        Some(Said { to, notice, wait })
    }

    /// Whether there are changes, and the model does not have it in its list for that.
    /// It is to be put there.
    pub(crate) fn has_untaken_changes(&mut self) -> bool {
        let new = !self.changing && !self.shared.changes.is_empty();
        self.changing |= new;
        new
    }

    /// Whether there may be a notice.
    pub(crate) fn has_notices(&self) -> bool {
        !self.shared.notices.is_empty() || !self.listed.is_empty() || self.sessions.has_ready()
    }

    // Channels

    pub(crate) fn open_channel(&mut self, id: ChannelId) {
        let writable = self.is_writable(id.connection);
        let channel = Channel::new(writable, self.shared.limits.unacknowledged);
        self.channels.insert(id, channel);
    }

    /// Cancels the channel's consumers. What they hold has to be given back
    /// before, by whoever holds the leases.
    pub(crate) fn close_channel(&mut self, id: ChannelId) {
        while let Some(consumer) = self
            .channels
            .get(&id)
            .and_then(|c| c.consumers.keys().next().copied())
        {
            self.cancel(id, consumer);
        }
        self.channels.remove(&id);
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

    /// Lets deliveries come to a connection, or not.
    pub(crate) fn set_writable(&mut self, connection: ConnectionId, writable: bool) {
        let member = self.members.entry(connection).or_default();
        member.writable = writable;
        if let Some(session) = member.session {
            self.sessions.set_writable(session, writable);
        }
        let channels: Vec<ChannelId> = self.channels_of(connection).collect();
        for id in channels {
            self.update_channel(id, |c| c.writable = writable);
        }
    }

    /// Whether a connection takes deliveries.
    pub(crate) fn is_writable(&self, connection: ConnectionId) -> bool {
        self.members.get(&connection).is_none_or(|m| m.writable)
    }

    fn channels_of(&self, connection: ConnectionId) -> impl Iterator<Item = ChannelId> {
        let id = |number| ChannelId { connection, number };
        self.channels
            .range(id(ChannelNumber::MIN)..=id(ChannelNumber::MAX))
            .map(|(id, _)| *id)
    }

    /// Closes the channels of a connection that is gone, and deletes its exclusive
    /// queues.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        let channels: Vec<ChannelId> = self.channels_of(connection).collect();
        for id in channels {
            self.close_channel(id);
        }
        self.sessions.leave_line(connection);
        let member = self.members.remove(&connection).unwrap_or_default();
        if let Some(session) = member.session {
            self.detach(session, Leaving::default());
        }
        self.admit_next(connection);
        self.begin(None, Work::RemoveQueues(member.exclusive));
    }

    // Time

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.shared.timers.next()
    }

    /// Does what is due at `self.shared.now`, so many things at most.
    pub(crate) fn expire(&mut self, count: usize) {
        for _ in 0..count {
            let Some(key) = self.shared.timers.pop_due(self.shared.now) else {
                return;
            };
            self.shared.statistics.steps += 1;
            match key {
                TimerKey::Queue(id) => self.queue_timeout(id),
                TimerKey::Session(id) => {
                    let parting = self.sessions.expire(&mut self.shared, id);
                    self.carry_out(parting);
                }
            }
        }
    }

    fn queue_timeout(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        queue.deadline = None;
        let unused_since = queue.used;
        match queue.arguments.expires {
            Some(after)
                if queue.consumers.is_empty()
                    && unused_since.saturating_add(after) <= self.shared.now =>
            {
                self.remove_queue(id);
            }
            _ => self.list_queue(id),
        }
    }

    /// Counts, with what is in the queues now.
    pub(crate) fn count(&self) -> Statistics {
        let mut counts = self.shared.statistics;
        for queue in self.queues.values() {
            counts.ready += (queue.ready.len() + queue.absent.letters.len()) as u64;
            counts.unacknowledged += queue.unacknowledged.len() as u64;
        }
        counts.ready += self.sessions.pending_count();
        counts.unacknowledged += self.sessions.in_flight_count();
        counts
    }

    /// What each queue has counted.
    pub(crate) fn queue_statistics(&self) -> impl Iterator<Item = QueueStatistics> {
        self.queues
            .values()
            .map(|queue| queue.count(&self.shared.name))
    }

    /// What each session holds.
    pub(crate) fn session_statistics(&self) -> impl Iterator<Item = SessionStatistics> {
        self.sessions.count(&self.shared.name)
    }

    /// A limit has dropped a message of a queue.
    pub(super) fn count_drop(&mut self, id: QueueId, cause: DropCause) {
        if let Some(queue) = self.queues.get(&id) {
            self.shared
                .drops
                .note(Place::Queue(queue.name.clone()), cause);
        }
    }

    pub(crate) fn list_queue(&mut self, id: QueueId) {
        if let Some(queue) = self.queues.get_mut(&id) {
            list(&mut self.listed, queue, id);
        }
    }
}

/// Adds a queue to those to look at, unless it is there.
fn list(listed: &mut VecDeque<Listed>, queue: &mut Queue, id: QueueId) {
    if !queue.listed {
        queue.listed = true;
        listed.push_back(Listed::Queue(id));
    }
}
