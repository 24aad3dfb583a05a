//! Consumers of a queue, and whose turn it is.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use super::QueueId;
use crate::model::ConnectionId;
use crate::model::request::ChannelNumber;

/// A consumer, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConsumerId(pub(crate) u64);

/// A group of consumers that share a limit: an AMQP channel, a STOMP
/// connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId {
    pub(crate) connection: ConnectionId,
    pub(crate) number: ChannelNumber,
}

/// What a channel can take.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Deliveries that may be out unacknowledged to all its consumers
    /// (`basic.qos` with global set); zero is no limit.
    pub(crate) prefetch: u32,
    pub(crate) unacknowledged: u32,
    /// The same, whatever the peer asked for.
    limit: u32,
    /// The connection takes deliveries.
    pub(crate) writable: bool,
    /// Something was refused: nothing more is done here until it is closed.
    pub(crate) failed: bool,
    pub(crate) consumers: BTreeMap<ConsumerId, QueueId>,
}

impl Channel {
    pub(crate) fn new(writable: bool, limit: u32) -> Self {
        Channel {
            prefetch: 0,
            unacknowledged: 0,
            limit,
            writable,
            failed: false,
            consumers: BTreeMap::new(),
        }
    }

    fn can_take(&self, acknowledges: bool) -> bool {
        self.writable && !self.failed && (!acknowledges || !self.is_full())
    }

    /// Whether it holds as many deliveries as it may.
    pub(crate) fn is_full(&self) -> bool {
        let limit = match self.prefetch {
            0 => self.limit,
            prefetch => prefetch.min(self.limit),
        };
        self.unacknowledged >= limit
    }
}

/// A consumer of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) channel: ChannelId,
    /// Deliveries count as acknowledged when they are sent.
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    /// Argument `x-priority`: higher is served first.
    pub(crate) priority: i64,
    /// Deliveries that may be out unacknowledged; zero is no limit.
    pub(crate) prefetch: u32,
    pub(crate) unacknowledged: u32,
}

impl Consumer {
    fn can_take(&self, channel: &Channel) -> bool {
        let room = self.no_ack || self.prefetch == 0 || self.unacknowledged < self.prefetch;
        room && channel.can_take(!self.no_ack)
    }
}

/// The consumers of one queue, by priority and then by turn. One that cannot take
/// a message loses its place among those that are asked until it is
/// [woken](Self::wake), so that nobody's turn waits for a walk over it.
#[derive(Debug)]
pub(crate) struct Consumers {
    all: BTreeMap<ConsumerId, (Consumer, Place)>,
    /// Those to ask: the highest priority first, then who has waited longest.
    asked: BTreeSet<Place>,
    last_turn: u64,
    /// How many of them are exclusive.
    exclusive: usize,
    /// With single active consumer: the one that is served, until it leaves.
    single: bool,
    active: Option<ConsumerId>,
}

/// Where a consumer stands: priority, turn, and its name.
type Place = (Reverse<i64>, u64, ConsumerId);

impl Consumers {
    pub(crate) fn new(single: bool) -> Self {
        Consumers {
            all: BTreeMap::new(),
            asked: BTreeSet::new(),
            last_turn: 0,
            exclusive: 0,
            single,
            active: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn has_exclusive(&self) -> bool {
        self.exclusive > 0
    }

    /// In the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.all.values().map(|(consumer, _)| consumer)
    }

    pub(crate) fn add(&mut self, consumer: Consumer) {
        if self.single && self.active.is_none() {
            self.active = Some(consumer.id);
        }
        self.exclusive += usize::from(consumer.exclusive);
        let place = self.last_place(consumer.priority, consumer.id);
        self.asked.insert(place);
        self.all.insert(consumer.id, (consumer, place));
    }

    /// The place after all others of a priority.
    fn last_place(&mut self, priority: i64, id: ConsumerId) -> Place {
        self.last_turn += 1;
        (Reverse(priority), self.last_turn, id)
    }

    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        let (removed, place) = self.all.remove(&id)?;
        self.asked.remove(&place);
        self.exclusive -= usize::from(removed.exclusive);
        if self.active == Some(id) {
            // In order of registration: ids are given in that order.
            self.active = self.all.keys().next().copied();
        }
        Some(removed)
    }

    /// A consumer has settled a message.
    pub(crate) fn settled(&mut self, id: ConsumerId) {
        if let Some((consumer, place)) = self.all.get_mut(&id) {
            consumer.unacknowledged = consumer.unacknowledged.saturating_sub(1);
            self.asked.insert(*place);
        }
    }

    /// A consumer may have got room: it is asked again, in the turn that it had.
    pub(crate) fn wake(&mut self, id: ConsumerId) {
        if let Some((_, place)) = self.all.get(&id) {
            self.asked.insert(*place);
        }
    }

    /// Whose turn it is, among those that can take a message and want one: that one then
    /// goes behind the others of its priority.
    pub(crate) fn next(
        &mut self,
        channels: &BTreeMap<ChannelId, Channel>,
        wants: impl Fn(ConsumerId) -> bool,
    ) -> Option<&mut Consumer> {
        let can_take = |consumer: &Consumer| {
            channels
                .get(&consumer.channel)
                .is_some_and(|channel| consumer.can_take(channel) && wants(consumer.id))
        };
        if self.single {
            let (consumer, _) = self.all.get_mut(&self.active?)?;
            return can_take(consumer).then_some(consumer);
        }
        while let Some((priority, _, id)) = self.asked.pop_first() {
            if self.all.get(&id).is_some_and(|(c, _)| can_take(c)) {
                let place = self.last_place(priority.0, id);
                self.asked.insert(place);
                let (consumer, old) = self.all.get_mut(&id)?;
                *old = place;
                return Some(consumer);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const CHANNEL: ChannelId = ChannelId {
        connection: ConnectionId(1),
        number: 1,
    };

    fn consumer(id: u64, priority: i64) -> Consumer {
        Consumer {
            id: ConsumerId(id),
            channel: CHANNEL,
            no_ack: false,
            exclusive: false,
            priority,
            prefetch: 2,
            unacknowledged: 0,
        }
    }

    fn channels() -> BTreeMap<ChannelId, Channel> {
        BTreeMap::from([(CHANNEL, Channel::new(true, 100))])
    }

    fn serve(consumers: &mut Consumers, count: usize) -> Vec<u64> {
        let channels = channels();
        (0..count)
            .filter_map(|_| {
                let consumer = consumers.next(&channels, |_| true)?;
                consumer.unacknowledged += 1;
                Some(consumer.id.0)
            })
            .collect()
    }

    #[test]
    fn round_robin_until_prefetch_is_used_up() {
        let mut consumers = Consumers::new(false);
        for id in 1..=3 {
            consumers.add(consumer(id, 0));
        }
        assert_eq!(serve(&mut consumers, 9), [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn higher_priority_is_served_first() {
        let mut consumers = Consumers::new(false);
        consumers.add(consumer(1, 0));
        consumers.add(consumer(2, 5));
        consumers.add(consumer(3, 5));
        assert_eq!(serve(&mut consumers, 9), [2, 3, 2, 3, 1, 1]);
    }

    #[test]
    fn a_single_active_consumer_is_followed_by_the_next_registered() {
        let mut consumers = Consumers::new(true);
        for id in 1..=3 {
            consumers.add(consumer(id, 0));
        }
        assert_eq!(serve(&mut consumers, 9), [1, 1]);
        consumers.remove(ConsumerId(1));
        assert_eq!(serve(&mut consumers, 1), [2]);
    }

    #[test]
    fn a_channel_can_hold_its_consumers_back() {
        let mut consumers = Consumers::new(false);
        consumers.add(consumer(1, 0));
        let mut channels = channels();
        let channel = channels.get_mut(&CHANNEL).unwrap();
        for (prefetch, unacknowledged, writable, failed, takes) in [
            (0, 9, true, false, true),
            (1, 0, true, false, true),
            (1, 1, true, false, false),
            (0, 0, false, false, false),
            (0, 0, true, true, false),
        ] {
            channel.prefetch = prefetch;
            channel.unacknowledged = unacknowledged;
            channel.writable = writable;
            channel.failed = failed;
            let table = BTreeMap::from([(
                CHANNEL,
                Channel {
                    consumers: BTreeMap::new(),
                    ..*channel
                },
            )]);
            consumers.wake(ConsumerId(1));
            assert_eq!(consumers.next(&table, |_| true).is_some(), takes);
        }
    }
}
