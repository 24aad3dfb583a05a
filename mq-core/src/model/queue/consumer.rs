//! Consumers of a queue, and whose turn it is.

use alloc::collections::{BTreeMap, VecDeque};

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

/// The consumers of one queue, by priority and then by turn.
#[derive(Debug)]
pub(crate) struct Consumers {
    /// The next to be served is at the front of its priority.
    list: VecDeque<Consumer>,
    /// With single active consumer: the one that is served, until it leaves.
    single: bool,
    active: Option<ConsumerId>,
}

impl Consumers {
    pub(crate) fn new(single: bool) -> Self {
        Consumers {
            list: VecDeque::new(),
            single,
            active: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn has_exclusive(&self) -> bool {
        self.list.iter().any(|c| c.exclusive)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.list.iter()
    }

    pub(crate) fn add(&mut self, consumer: Consumer) {
        if self.single && self.active.is_none() {
            self.active = Some(consumer.id);
        }
        self.insert(consumer);
    }

    /// Puts a consumer last among those of its priority.
    fn insert(&mut self, consumer: Consumer) {
        let at = self
            .list
            .partition_point(|c| c.priority >= consumer.priority);
        self.list.insert(at, consumer);
    }

    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        let at = self.list.iter().position(|c| c.id == id)?;
        let removed = self.list.remove(at);
        if self.active == Some(id) {
            // In order of registration: ids are given in that order.
            self.active = self.list.iter().map(|c| c.id).min();
        }
        removed
    }

    pub(crate) fn get_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.list.iter_mut().find(|c| c.id == id)
    }

    /// Whose turn it is, among those that can take a message: that one then
    /// goes behind the others of its priority.
    pub(crate) fn next(
        &mut self,
        channels: &BTreeMap<ChannelId, Channel>,
    ) -> Option<&mut Consumer> {
        let at = self.list.iter().position(|c| {
            (!self.single || self.active == Some(c.id))
                && channels.get(&c.channel).is_some_and(|ch| c.can_take(ch))
        })?;
        let consumer = self.list.remove(at)?;
        let id = consumer.id;
        self.insert(consumer);
        self.get_mut(id)
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
                let consumer = consumers.next(&channels)?;
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
            assert_eq!(consumers.next(&table).is_some(), takes);
        }
    }
}
