//! A virtual host: the neutral model that all three protocols speak to.
//!
//! Nothing in here knows a protocol. What concerns a connection other than the
//! one that is being served comes out as an [`Effect`] or a [`Delivery`]; the
//! broker takes these out after each step and hands them to the front ends.

mod delivery;
mod exchanges;
mod queues;
mod reply;
mod routing;
#[cfg(test)]
mod tests;
mod timers;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::time::Duration;

use crate::limits::Limits;
use crate::model::ConnectionId;
use crate::model::exchange::{Exchange, ExchangeSettings, PREDECLARED};
use crate::model::message::Name;
use crate::model::queue::{Channel, ChannelId, ConsumerId, Queue, QueueId};
use crate::model::session::Sessions;
use crate::model::statistics::Statistics;

pub(crate) use delivery::{ConsumeRequest, Delivery, Lease, Settlement};
pub(crate) use exchanges::BindRequest;
pub(crate) use queues::DeclareQueue;
pub(crate) use reply::REPLY_QUEUE;
pub(crate) use routing::PublishOutcome;
use timers::{TimerKey, Timers};

/// Something that a front end other than the one being served has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The consumer is gone because its queue is.
    ConsumerCancelled {
        connection: ConnectionId,
        consumer: ConsumerId,
    },
    /// The MQTT session has something to send.
    SessionReady { connection: ConnectionId },
    /// `new` has the client identifier of `old`, which has to go.
    TakeOver {
        old: ConnectionId,
        new: ConnectionId,
    },
}

/// A virtual host.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) name: Name,
    pub(crate) limits: Limits,
    /// The time of the step that is being done.
    pub(crate) now: Duration,
    /// Unix time at `now` zero.
    unix_time: Duration,
    seed: u64,
    /// The last identifier given out, to whatever it was.
    last_id: u64,
    pub(crate) exchanges: BTreeMap<Name, Exchange>,
    pub(crate) queues: BTreeMap<QueueId, Queue>,
    queue_names: BTreeMap<Name, QueueId>,
    /// Queues that go with their connection.
    exclusive: BTreeMap<ConnectionId, alloc::collections::BTreeSet<QueueId>>,
    pub(crate) channels: BTreeMap<ChannelId, Channel>,
    /// Names of direct reply-to, and the queue behind each.
    replies: BTreeMap<Name, QueueId>,
    pub(crate) sessions: Sessions,
    /// Queues to look at: something arrived, or someone can take more.
    listed: VecDeque<QueueId>,
    effects: VecDeque<Effect>,
    timers: Timers,
    pub(crate) statistics: Statistics,
}

impl VirtualHost {
    pub(crate) fn new(name: &str, seed: u64, unix_time: Duration, limits: Limits) -> Self {
        let exchanges = PREDECLARED
            .iter()
            .map(|(name, kind)| {
                let settings = ExchangeSettings {
                    kind: *kind,
                    durable: true,
                    auto_delete: false,
                    internal: false,
                    alternate: None,
                };
                (Name::from(*name), Exchange::new(settings))
            })
            .collect();
        VirtualHost {
            name: Name::from(name),
            limits,
            now: Duration::ZERO,
            unix_time,
            seed,
            last_id: 0,
            exchanges,
            queues: BTreeMap::new(),
            queue_names: BTreeMap::new(),
            exclusive: BTreeMap::new(),
            channels: BTreeMap::new(),
            replies: BTreeMap::new(),
            sessions: Sessions::default(),
            listed: VecDeque::new(),
            effects: VecDeque::new(),
            timers: Timers::default(),
            statistics: Statistics::default(),
        }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A name that nothing else has: the counter, mixed with the seed so that
    /// who does not know the seed cannot tell the next one.
    pub(crate) fn made_up_name(&mut self, prefix: &str) -> String {
        let id = self.next_id();
        let high = mix(self.seed ^ mix(id));
        let low = mix(high ^ self.seed.rotate_left(32));
        // The counter itself keeps two names apart whatever the mixing does.
        alloc::format!("{prefix}{high:016x}{low:08x}{id:x}", low = low as u32)
    }

    pub(crate) fn unix_now(&self) -> Duration {
        self.unix_time.saturating_add(self.now)
    }

    /// The next effect to hand on.
    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    // Channels

    pub(crate) fn open_channel(&mut self, connection: ConnectionId) -> ChannelId {
        let id = ChannelId(self.next_id());
        let channel = Channel::new(connection, self.limits.unacknowledged);
        self.channels.insert(id, channel);
        id
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

    /// Changes what a channel can take, and looks again at its queues.
    pub(crate) fn update_channel(&mut self, id: ChannelId, change: impl FnOnce(&mut Channel)) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        change(channel);
        for queue in channel.consumers.values() {
            list(&mut self.listed, &mut self.queues, *queue);
        }
    }

    /// Deletes the exclusive queues of a connection that is gone.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        for id in self.exclusive.remove(&connection).unwrap_or_default() {
            self.remove_queue(id);
        }
    }

    // Time

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Does what is due at `self.now`.
    pub(crate) fn expire(&mut self) {
        while let Some(key) = self.timers.pop_due(self.now) {
            match key {
                TimerKey::Queue(id) => self.queue_timeout(id),
                TimerKey::Session(id) => self.session_timeout(id),
            }
        }
    }

    fn queue_timeout(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get(&id) else {
            return;
        };
        let unused_since = queue.used;
        match queue.arguments.expires {
            Some(after)
                if queue.consumers.is_empty() && unused_since.saturating_add(after) <= self.now =>
            {
                self.remove_queue(id);
            }
            _ => self.list_queue(id),
        }
    }

    pub(crate) fn set_session_timer(
        &mut self,
        id: crate::model::session::SessionId,
        at: Option<Duration>,
    ) {
        self.timers.set(TimerKey::Session(id), at);
    }

    /// Counts, with what is in the queues now.
    pub(crate) fn count(&self) -> Statistics {
        let mut counts = self.statistics;
        for queue in self.queues.values() {
            counts.ready += queue.ready.len() as u64;
            counts.unacknowledged += queue.unacknowledged.len() as u64;
        }
        counts.ready += self.sessions.pending_count();
        counts.unacknowledged += self.sessions.in_flight_count();
        counts
    }

    pub(crate) fn list_queue(&mut self, id: QueueId) {
        list(&mut self.listed, &mut self.queues, id);
    }

    pub(crate) fn not_found(&self, what: &str, name: &str) -> crate::model::refusal::Refusal {
        crate::model::refusal::Refusal::not_found(format_args!(
            "no {what} '{name}' in vhost '{}'",
            self.name
        ))
    }
}

/// Adds a queue to those to look at, unless it is there.
fn list(listed: &mut VecDeque<QueueId>, queues: &mut BTreeMap<QueueId, Queue>, id: QueueId) {
    if let Some(queue) = queues.get_mut(&id)
        && !queue.listed
    {
        queue.listed = true;
        listed.push_back(id);
    }
}

/// A fixed mixing of 64 bits (the finalizer of splitmix64).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The first argument in which two declarations differ, for the text of 406.
pub(crate) fn inequivalent(
    arg: &str,
    what: &str,
    name: &str,
    vhost: &str,
) -> crate::model::refusal::Refusal {
    crate::model::refusal::Refusal::precondition_failed(format_args!(
        "inequivalent arg '{arg}' for {what} '{name}' in vhost '{vhost}'"
    ))
}
