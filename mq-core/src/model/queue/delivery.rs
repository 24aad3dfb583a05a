//! Consumers, deliveries and what becomes of them.
//!
//! A queue with its consumers and an MQTT session with its client are alike: a backlog, a
//! credit, and what is out. They share what is alike in what they do: one message in many
//! places ([`Target`](crate::model::change::Target)), what is noted when it is settled
//! ([`Change::settled`]), how a delivery is counted ([`Shared::count_delivery`]). The rest is
//! two, since the protocols ask for different things there:
//!
//! | | queue | session (`session/pending.rs`) |
//! |---|---|---|
//! | order | by priority; what comes back takes its place | as it came; what is sent again comes first, under its packet identifier |
//! | whose turn | consumers with priorities, selectors and groups | the one client |
//! | credit | prefetch of a consumer and of its channel, and writing | Receive Maximum, and writing; QoS 0 needs none |
//! | what is out | by position, one step; goes back at the end of its channel | by packet identifier, two steps with QoS 2; stays, and outlives the connection |
//! | whose time is over | at the head, as in RabbitMQ; may become a letter | anywhere; is dropped |
//! | too much | the oldest goes, or publishers are refused | the newest is dropped; shares choose another member |
//! | much | leaves memory in runs | stays in memory |
//!
//! One type for both would carry all of these for each: an idle session takes less than a
//! queue, and there are more of them.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::dead_letter::Reason;
use super::frozen::Scale;
use super::queues::{Listed, Queues, list};
use super::{ChannelId, Consumer, ConsumerId, Holder, QueueId, Unacknowledged, outgoing};
use crate::model::ConnectionId;
use crate::model::change::{BacklogId, Change};
use crate::model::message::{Message, Name};
use crate::model::refusal::Refusal;
use crate::model::request::{ChannelNumber, ConsumerTimeout};
use crate::model::selector::Selector;
use crate::model::shared::Shared;

/// `basic.consume`, or a STOMP SUBSCRIBE.
#[derive(Debug, Clone)]
pub(crate) struct ConsumeRequest {
    pub(crate) queue: QueueId,
    pub(crate) channel: ChannelId,
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    pub(crate) leads: bool,
    pub(crate) priority: i64,
    pub(crate) prefetch: u32,
    pub(crate) timeout: ConsumerTimeout,
    /// The queue takes nothing that its connection publishes.
    pub(crate) no_local: bool,
    /// None: it wants every message.
    pub(crate) selector: Option<Box<Selector>>,
    /// The topic that the queue is there for, where that is to be said.
    pub(crate) topic: Option<Name>,
}

/// The claim of a consumer on a message: to be settled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    queue: QueueId,
    position: u64,
    /// None after `basic.get`, which no prefetch counts.
    consumer: Option<ConsumerId>,
    channel: ChannelId,
}

/// What a consumer has of a message that was delivered to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It settles it.
    Leased(Lease),
    /// It counts as acknowledged already, and came from this queue.
    Taken(QueueId),
}

impl Claim {
    /// The queue that it came from.
    pub(crate) const fn queue(self) -> QueueId {
        match self {
            Self::Leased(lease) => lease.queue,
            Self::Taken(queue) => queue,
        }
    }

    /// What is to be settled. None: nothing is any more.
    #[must_use]
    pub const fn lease(self) -> Option<Lease> {
        match self {
            Self::Leased(lease) => Some(lease),
            Self::Taken(_) => None,
        }
    }
}

/// What becomes of a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The consumer is done with it.
    Acknowledge,
    /// Back to its place in the queue.
    Requeue,
    /// To the dead-letter exchange, or away.
    Reject,
    /// The same, because the consumer's protocol has no words for it.
    Undeliverable,
}

/// A message for a consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The channel of the consumer.
    pub channel: ChannelNumber,
    /// The consumer.
    pub consumer: ConsumerId,
    /// What the consumer has of it.
    pub claim: Claim,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// The message.
    pub message: Arc<Message>,
}

/// A message fetched with `basic.get`.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What the consumer has of it.
    pub claim: Claim,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// The message.
    pub message: Arc<Message>,
    /// Ready messages left in the queue.
    pub remaining: usize,
}

/// Deliveries from one queue before another queue that is listed has its turn.
const IN_A_ROW: u32 = 32;

/// Steps of one look at a queue from outside of its turn.
pub(super) const AT_A_TIME: u64 = 256;

impl Queues {
    /// Adds a consumer to a queue.
    pub(crate) fn consume(
        &mut self,
        shared: &mut Shared,
        request: ConsumeRequest,
    ) -> Result<ConsumerId, Refusal> {
        let limit = shared.limits.consumers;
        let id = ConsumerId(shared.last_id + 1);
        let (Some(queue), Some(channel)) = (
            self.all.get_mut(&request.queue),
            self.channels.get_mut(&request.channel),
        ) else {
            return Err(Refusal::not_found(format_args!("no such queue")));
        };
        let taken = queue.consumers.has_exclusive()
            || (request.exclusive
                && (!queue.consumers.is_empty() || queue.arguments.single_active_consumer));
        if taken {
            return Err(Refusal::access_refused(format_args!(
                "queue '{}' in vhost '{}' in exclusive use",
                queue.name, shared.name
            )));
        }
        if channel.consumers.len() >= limit {
            return Err(Refusal::precondition_failed(format_args!(
                "the limit of {limit} consumers is reached"
            )));
        }
        channel.consumers.insert(id, request.queue);
        let mut consumer = Consumer::new(id, request.channel);
        consumer.no_ack = request.no_ack;
        consumer.exclusive = request.exclusive;
        consumer.leads = request.leads;
        consumer.priority = request.priority;
        consumer.prefetch = request.prefetch;
        consumer.timeout = request.timeout;
        queue.add_consumer(consumer, request.selector);
        if request.no_local && queue.no_local.is_none() {
            queue.no_local = Some((id, request.channel.connection));
            self.selective += 1;
        }
        shared.last_id = id.0;
        self.leave_searches(request.queue);
        self.update_timer(shared, request.queue);
        self.list(request.queue);
        self.advise_arrival(shared, request.queue, id, request.topic);
        Ok(id)
    }

    /// Removes a consumer. What it holds it keeps; an auto-delete queue goes
    /// with its last consumer.
    pub(crate) fn cancel(&mut self, shared: &mut Shared, channel: ChannelId, consumer: ConsumerId) {
        let Some(channel) = self.channels.get_mut(&channel) else {
            return;
        };
        let Some(id) = channel.consumers.remove(&consumer) else {
            return;
        };
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        if let Some(consumer) = queue.remove_consumer(consumer) {
            channel.forget(&consumer);
        }
        let was_local = |(of, _): &mut (ConsumerId, ConnectionId)| *of == consumer;
        if queue.no_local.take_if(was_local).is_some() {
            self.selective -= 1;
        }
        queue.used = shared.now;
        let is_over = queue.settings.auto_delete && queue.consumers.is_empty();
        self.advise_leave(shared, id, consumer);
        if is_over {
            self.remove(shared, id);
        } else {
            self.update_timer(shared, id);
            self.list(id);
        }
    }

    /// `basic.get`.
    pub(crate) fn fetch(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        channel: ChannelId,
        no_ack: bool,
    ) -> Option<Fetched> {
        let end = shared.statistics.steps + AT_A_TIME;
        if !self.expire_some(shared, id, true, end) {
            // What stands at its head is expired, and goes in turns.
            return None;
        }
        let now = shared.now;
        let queue = self.all.get_mut(&id)?;
        queue.used = now;
        let entry = queue.pop();
        let kept = shared.changes.are_kept();
        let fetched = entry.map(|entry| {
            let message = queue.absent.whole(&entry);
            let message = outgoing(queue.arguments.kind, message, entry.returned);
            let redelivered = entry.redelivered;
            let remaining = queue.ready.len();
            shared.count_delivery(&message);
            queue.counts.delivered += 1;
            let kept = kept && queue.keeps(&entry.message);
            if kept && queue.offer(entry.position) {
                shared.changes.push(Change::Queue(Box::new(queue.kept(id))));
            }
            let claim = if no_ack {
                shared.statistics.acknowledged += 1;
                queue.counts.acknowledged += 1;
                if kept {
                    shared.changes.push(Change::settled(id, entry.position));
                }
                Claim::Taken(id)
            } else {
                let position = entry.position;
                let holder = Holder {
                    consumer: None,
                    channel,
                    timeout: ConsumerTimeout::Default,
                };
                queue.hold(entry, holder, now, shared.consumer_timeout);
                Claim::Leased(Lease {
                    queue: id,
                    position,
                    consumer: None,
                    channel,
                })
            };
            Fetched {
                claim,
                redelivered,
                message,
                remaining,
            }
        });
        // What stands behind may be due.
        self.list(id);
        fetched
    }

    /// Settles a delivery. That of a queue which is gone settles nothing.
    pub(crate) fn settle(&mut self, shared: &mut Shared, lease: Lease, settlement: Settlement) {
        let Lease {
            queue: id,
            position,
            consumer,
            channel: channel_id,
        } = lease;
        if consumer.is_some() {
            self.update_channel(channel_id, |channel| {
                channel.unacknowledged = channel.unacknowledged.saturating_sub(1);
            });
        }
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        let Some(Unacknowledged {
            entry, consumer, ..
        }) = queue.take_unacknowledged(position)
        else {
            return;
        };
        if let Some(consumer) = consumer {
            queue.consumers.settled(consumer);
        }
        match settlement {
            Settlement::Acknowledge => {
                shared.statistics.acknowledged += 1;
                queue.counts.acknowledged += 1;
                let waits = !queue.ready.is_empty();
                self.note_settled(shared, id, &entry);
                if !waits {
                    // There is room for one more, and no message that wants it.
                    return;
                }
            }
            Settlement::Reject => self.give_up(shared, id, &entry, Reason::Rejected),
            Settlement::Undeliverable => {
                self.give_up(shared, id, &entry, Reason::Undeliverable);
            }
            Settlement::Requeue => {
                let most = queue.arguments.redelivery.and_then(|r| r.most);
                let limit = queue.arguments.delivery_limit.or(most);
                if limit.is_some_and(|limit| entry.returned >= limit) {
                    self.give_up(shared, id, &entry, Reason::DeliveryLimit);
                } else {
                    if shared.changes.are_kept()
                        && queue.counts_returns()
                        && queue.keeps(&entry.message)
                    {
                        shared.changes.push(Change::Returned {
                            backlog: BacklogId::from(id),
                            position: entry.position,
                            count: entry.returned.saturating_add(1),
                        });
                    }
                    queue.give_back(entry, channel_id, shared.now);
                    self.update_timer(shared, id);
                    shared.statistics.requeued += 1;
                }
            }
        }
        self.list(id);
    }

    /// Gives up a message that its consumer's protocol has no words for. Without a claim
    /// it was for the client of a session, which counts as having it.
    pub(crate) fn give_up_undeliverable(
        &mut self,
        shared: &mut Shared,
        claim: Option<Claim>,
        message: &Message,
    ) {
        if let Some(Claim::Leased(lease)) = claim {
            self.settle(shared, lease, Settlement::Undeliverable);
            return;
        }
        shared.statistics.acknowledged = shared.statistics.acknowledged.saturating_sub(1);
        shared.statistics.rejected += 1;
        shared.statistics.steps += 1;
        if let Some(Claim::Taken(id)) = claim {
            if let Some(queue) = self.all.get_mut(&id) {
                queue.counts.acknowledged = queue.counts.acknowledged.saturating_sub(1);
                queue.counts.given_up += 1;
            }
            self.post(shared, id, message, Reason::Undeliverable);
        }
    }

    /// The next message for a consumer that can take one, after doing what is
    /// due in the queues that are listed: expiry and overflow. None also when so many
    /// steps have been done in all, or letters are to be passed on first; then queues are
    /// still listed.
    pub(crate) fn next_delivery(
        &mut self,
        shared: &mut Shared,
        end: u64,
    ) -> Option<(ConnectionId, Delivery)> {
        while shared.statistics.steps < end
            && !self.is_crowded()
            && let Some(&listed) = self.listed.front()
        {
            shared.statistics.steps += 1;
            let id = match listed {
                Listed::Queue(id) => id,
                Listed::Channel(id) => {
                    self.listed.pop_front();
                    self.release_consumers(shared, id);
                    continue;
                }
            };
            // Most queues have neither what is to be searched nor what can be over.
            let (unsearched, expires) = match self.all.get(&id) {
                Some(queue) => (queue.has_unsearched(), queue.has_expiring()),
                None => (false, false),
            };
            if unsearched {
                self.leave_searches(id);
            }
            let expired = !expires
                || (self.expire_some(shared, id, false, end)
                    && self.expire_wanted(shared, id, end));
            if expired && let Some(delivery) = self.deliver_from(shared, id) {
                self.in_a_row += 1;
                let queue = self.all.get_mut(&id);
                if let Some(queue) = queue.filter(|queue| queue.ready.is_empty()) {
                    // There is nothing more to look at.
                    queue.listed = false;
                    self.listed.pop_front();
                    self.in_a_row = 0;
                    self.update_timer(shared, id);
                } else if self.in_a_row >= IN_A_ROW {
                    self.in_a_row = 0;
                    self.listed.rotate_left(1);
                }
                return Some(delivery);
            }
            self.in_a_row = 0;
            self.listed.pop_front();
            let Some(queue) = self.all.get_mut(&id) else {
                continue;
            };
            queue.listed = false;
            let is_calm = !queue.has_expiring() && !queue.overflows(&shared.limits);
            let done = expired
                && (is_calm
                    || (self.expire_some(shared, id, true, end)
                        && self.drop_overflow(shared, id, end)
                        // What was dropped may have stood before something that is due.
                        && self.expire_some(shared, id, true, end)));
            if done {
                self.update_timer(shared, id);
            } else {
                self.list(id);
            }
        }
        None
    }

    /// Lets consumers that have waited for their channel be asked again: some, and if
    /// there is room for more when their queues have had their turn, others.
    fn release_consumers(&mut self, shared: &mut Shared, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.listed = false;
        for (consumer, id) in channel.release(IN_A_ROW as usize) {
            shared.statistics.steps += 1;
            if let Some(queue) = self.all.get_mut(&id) {
                queue.consumers.release(consumer);
                list(&mut self.listed, queue, id);
            }
        }
        self.update_channel(id, |_| {});
    }

    fn deliver_from(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
    ) -> Option<(ConnectionId, Delivery)> {
        let queue = self.all.get_mut(&id)?;
        let kind = queue.arguments.kind;
        let kept = queue.settings.durable && shared.changes.are_kept();
        let scale = Scale::of(shared.limits.memory_spill);
        let steps = &mut shared.statistics.steps;
        let next = queue.take_next(&mut self.channels, steps, &scale);
        let Some((consumer, entry, other)) = next else {
            if queue.absent.has_unasked() {
                self.ask_for_bodies(id);
            }
            return None;
        };
        let channel = self.channels.get_mut(&consumer.channel)?;
        let (redelivered, returned) = (entry.redelivered, entry.returned);
        let (consumer_id, channel_id) = (consumer.id, consumer.channel);
        let position = entry.position;
        let kept = kept && entry.message.is_lasting();
        let (claim, message) = if consumer.no_ack {
            shared.statistics.acknowledged += 1;
            (Claim::Taken(id), other.unwrap_or(entry.message))
        } else {
            consumer.unacknowledged += 1;
            channel.unacknowledged += 1;
            let lease = Lease {
                queue: id,
                position,
                consumer: Some(consumer_id),
                channel: channel_id,
            };
            let holder = Holder {
                consumer: Some(consumer_id),
                channel: channel_id,
                timeout: consumer.timeout,
            };
            let message = other.unwrap_or_else(|| entry.message.clone());
            queue.hold(entry, holder, shared.now, shared.consumer_timeout);
            (Claim::Leased(lease), message)
        };
        shared.count_delivery(&message);
        queue.counts.delivered += 1;
        queue.counts.acknowledged += u64::from(claim == Claim::Taken(id));
        if kept && queue.offer(position) {
            shared.changes.push(Change::Queue(Box::new(queue.kept(id))));
        }
        if kept && claim == Claim::Taken(id) {
            shared.changes.push(Change::settled(id, position));
        }
        let delivery = Delivery {
            channel: channel_id.number,
            consumer: consumer_id,
            claim,
            redelivered,
            message: outgoing(kind, message, returned),
        };
        if queue.absent.has_unasked() {
            self.ask_for_bodies(id);
        }
        Some((channel_id.connection, delivery))
    }

    /// Gives up messages whose time is over, until so many steps have been done.
    /// Returns whether that were all. A message that expires at this very moment (time
    /// to live zero) is still offered to consumers first.
    pub(crate) fn expire_some(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        inclusive: bool,
        end: u64,
    ) -> bool {
        let now = shared.now;
        while let Some(queue) = self.all.get_mut(&id) {
            if let Some(entry) = queue.pop_expired(now, inclusive) {
                self.give_up(shared, id, &entry, Reason::Expired);
            } else if let Some(run) = queue.take_expired_run(now, inclusive) {
                self.expire_run(shared, id, &run);
            } else {
                break;
            }
            if shared.statistics.steps >= end || self.is_crowded() {
                self.list(id);
                return false;
            }
        }
        self.ask_for_bodies(id);
        true
    }

    /// Gives up the messages that consumers with a selector would get next and whose time
    /// is over, until so many steps have been done. Returns whether that were all.
    fn expire_wanted(&mut self, shared: &mut Shared, id: QueueId, end: u64) -> bool {
        let now = shared.now;
        while let Some(queue) = self.all.get_mut(&id)
            && queue.selectors() > 0
        {
            shared.statistics.steps += queue.selectors() as u64;
            let Some(entry) = queue.pop_wanted_expired(now) else {
                return true;
            };
            self.give_up(shared, id, &entry, Reason::Expired);
            if shared.statistics.steps >= end || self.is_crowded() {
                return false;
            }
        }
        true
    }

    /// Gives up what a queue has too much of, until so many steps have been done.
    /// Returns whether that were all.
    fn drop_overflow(&mut self, shared: &mut Shared, id: QueueId, end: u64) -> bool {
        while let Some(entry) = self
            .all
            .get_mut(&id)
            .and_then(|q| q.pop_overflow(&shared.limits))
        {
            self.give_up(shared, id, &entry, Reason::MaxLength);
            if shared.statistics.steps >= end || self.is_crowded() {
                return false;
            }
        }
        self.ask_for_bodies(id);
        true
    }
}
