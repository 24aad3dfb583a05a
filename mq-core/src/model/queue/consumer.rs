//! Consumers of a queue, and whose turn it is.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use super::turns::{Place, Turns};
use crate::few_map::FewMap;
use crate::model::id::{ChannelId, ConsumerId, QueueId};
use crate::model::request::ConsumerTimeout;

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
    pub(crate) consumers: FewMap<ConsumerId, QueueId>,
    /// Consumers that there were messages for, and that the channel kept from taking one.
    waiting: BTreeMap<Wait, ConsumerId>,
    last_wait: u64,
    /// In the virtual host's list of what to look at.
    pub(crate) listed: bool,
}

/// The place of a consumer among those that wait for the same: who came first is first.
type Wait = (Hindrance, u64);

/// Why a channel keeps its consumers from taking messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hindrance {
    /// Its connection takes no deliveries.
    Writing,
    /// It holds as many deliveries as it may.
    Room,
}

impl Channel {
    pub(crate) fn new(writable: bool, limit: u32) -> Self {
        Self {
            prefetch: 0,
            unacknowledged: 0,
            limit,
            writable,
            failed: false,
            consumers: FewMap::new(),
            waiting: BTreeMap::new(),
            last_wait: 0,
            listed: false,
        }
    }

    fn hindrance(&self, acknowledges: bool) -> Option<Hindrance> {
        if !self.writable || self.failed {
            Some(Hindrance::Writing)
        } else if acknowledges && self.room() == 0 {
            Some(Hindrance::Room)
        } else {
            None
        }
    }

    /// How many deliveries more it may hold.
    fn room(&self) -> u32 {
        let limit = match self.prefetch {
            0 => self.limit,
            prefetch => prefetch.min(self.limit),
        };
        limit.saturating_sub(self.unacknowledged)
    }

    /// Consumers that may take messages again, with their queues: no more than there is
    /// room for, and no more than so many. The others go on waiting.
    pub(crate) fn release(&mut self, most: usize) -> impl Iterator<Item = (ConsumerId, QueueId)> {
        let mut room = self.room();
        core::iter::from_fn(move || {
            let (&(hindrance, at), _) = self.waiting.first_key_value()?;
            if self.hindrance(false).is_some() || (hindrance == Hindrance::Room && room == 0) {
                return None;
            }
            room = room.saturating_sub(1);
            let consumer = self.waiting.remove(&(hindrance, at))?;
            Some((consumer, *self.consumers.get(&consumer)?))
        })
        .take(most)
    }

    /// Whether one of those that wait may take a message.
    pub(crate) fn has_release(&self) -> bool {
        let first = self.waiting.first_key_value();
        first.is_some_and(|(&(hindrance, _), _)| {
            self.hindrance(hindrance == Hindrance::Room).is_none()
        })
    }

    /// Whether a consumer may take a message, as far as its channel goes. One that may
    /// not waits from now on.
    fn admits(&mut self, consumer: &mut Consumer) -> bool {
        let hindrance = self.hindrance(!consumer.no_ack);
        if consumer.waits.map(|(waits_for, _)| waits_for) == hindrance {
            return hindrance.is_none();
        }
        self.forget(consumer);
        consumer.waits = hindrance.map(|hindrance| {
            self.last_wait += 1;
            (hindrance, self.last_wait)
        });
        if let Some(wait) = consumer.waits {
            self.waiting.insert(wait, consumer.id);
        }
        hindrance.is_none()
    }

    /// A consumer goes, and does not wait any more.
    pub(crate) fn forget(&mut self, consumer: &Consumer) {
        if let Some(wait) = consumer.waits {
            self.waiting.remove(&wait);
        }
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
    /// Of those that do, the first alone is served (ActiveMQ: exclusive consumer).
    pub(crate) leads: bool,
    /// Argument `x-priority`: higher is served first.
    pub(crate) priority: i64,
    /// Deliveries that may be out unacknowledged; zero is no limit.
    pub(crate) prefetch: u32,
    /// How long a delivery may be out unacknowledged.
    pub(crate) timeout: ConsumerTimeout,
    pub(crate) unacknowledged: u32,
    /// Its place among those that its channel keeps waiting.
    waits: Option<Wait>,
}

impl Consumer {
    pub(crate) fn new(id: ConsumerId, channel: ChannelId) -> Self {
        Self {
            id,
            channel,
            no_ack: false,
            exclusive: false,
            leads: false,
            priority: 0,
            prefetch: 0,
            timeout: ConsumerTimeout::Default,
            unacknowledged: 0,
            waits: None,
        }
    }

    fn is_full(&self) -> bool {
        !self.no_ack && self.prefetch != 0 && self.unacknowledged >= self.prefetch
    }

    fn can_take(&mut self, channels: &mut BTreeMap<ChannelId, Channel>) -> bool {
        !self.is_full()
            && channels
                .get_mut(&self.channel)
                .is_some_and(|channel| channel.admits(self))
    }
}

/// The consumers of one queue, by priority and then by turn. One that cannot take
/// a message loses its place among those that are asked until it has
/// [settled](Self::settled) one or its channel [releases](Channel::release) it, so that
/// nobody's turn waits for a walk over it.
#[derive(Debug)]
pub(crate) struct Consumers {
    all: FewMap<ConsumerId, (Consumer, Place)>,
    /// Those to ask: the highest priority first, then who has waited longest.
    asked: Turns,
    last_turn: u64,
    /// How many of them are exclusive.
    exclusive: usize,
    /// With single active consumer: the one that is served, until it leaves.
    single: bool,
    active: Option<ConsumerId>,
    /// Those that lead: the highest priority first, then the oldest.
    leaders: BTreeSet<(Reverse<i64>, ConsumerId)>,
}

/// Consumers that are passed over in search of one that has not returned the message, at
/// most.
const PASSED: u32 = 64;

impl Consumers {
    pub(crate) fn new(single: bool) -> Self {
        Self {
            all: FewMap::new(),
            asked: Turns::new(),
            last_turn: 0,
            exclusive: 0,
            single,
            active: None,
            leaders: BTreeSet::new(),
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
        if consumer.leads {
            let place = (Reverse(consumer.priority), consumer.id);
            self.leaders.insert(place);
        }
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
        self.leaders.remove(&(Reverse(removed.priority), id));
        if self.active == Some(id) {
            // In order of registration: ids are given in that order.
            self.active = self.all.keys().next().copied();
        }
        Some(removed)
    }

    /// Takes out the one that was added first.
    pub(crate) fn pop(&mut self) -> Option<Consumer> {
        let first = *self.all.keys().next()?;
        self.remove(first)
    }

    /// A consumer has settled a message.
    pub(crate) fn settled(&mut self, id: ConsumerId) {
        if let Some((consumer, place)) = self.all.get_mut(&id) {
            let was_full = consumer.is_full();
            consumer.unacknowledged = consumer.unacknowledged.saturating_sub(1);
            if was_full {
                self.asked.insert(*place);
            }
        }
    }

    /// A consumer may want a message: it is asked again, in the turn that it had, unless
    /// it waits for its channel.
    pub(crate) fn wake(&mut self, id: ConsumerId) {
        if let Some((consumer, place)) = self.all.get(&id)
            && consumer.waits.is_none()
        {
            self.asked.insert(*place);
        }
    }

    /// A consumer's channel has [released](Channel::release) it: it is asked again.
    pub(crate) fn release(&mut self, id: ConsumerId) {
        if let Some((consumer, _)) = self.all.get_mut(&id) {
            consumer.waits = None;
        }
        self.wake(id);
    }

    /// Whose turn it is, among those that can take a message and want one: that one then
    /// goes behind the others of its priority. `look` says None of one that wants nothing, and
    /// whether another is to come first: one that avoids the message gets it when no other can
    /// take it. Counts those that were asked.
    pub(crate) fn next(
        &mut self,
        channels: &mut BTreeMap<ChannelId, Channel>,
        mut look: impl FnMut(&Consumer) -> Option<bool>,
        steps: &mut u64,
    ) -> Option<&mut Consumer> {
        let mut can_take = |consumer: &mut Consumer| {
            let avoids = look(consumer)?;
            consumer.can_take(channels).then_some(avoids)
        };
        let leader = self.leaders.first().map(|(_, id)| *id);
        if self.single || leader.is_some() {
            let (consumer, _) = self.all.get_mut(&leader.or(self.active)?)?;
            return can_take(consumer).map(|_| consumer);
        }
        let mut last_resort = None;
        let mut passed = None;
        let mut count = 0;
        while let Some(place) = self.asked.after(passed) {
            *steps += 1;
            let (_, _, id) = place;
            let consumer = self.all.get_mut(&id).map(|(consumer, _)| consumer);
            match consumer.and_then(&mut can_take) {
                Some(false) => return self.serve(place),
                Some(true) => {}
                None => {
                    self.asked.remove(&place);
                    continue;
                }
            }
            last_resort.get_or_insert(place);
            passed = Some(place);
            count += 1;
            if count == PASSED {
                break;
            }
        }
        self.serve(last_resort?)
    }

    /// The consumer in that place gets a message, and goes behind the others of its
    /// priority.
    fn serve(&mut self, place: Place) -> Option<&mut Consumer> {
        let (Reverse(priority), _, id) = place;
        // The only one is first and last.
        if self.asked.len() == 1 {
            return self.all.get_mut(&id).map(|(consumer, _)| consumer);
        }
        self.asked.remove(&place);
        let last = self.last_place(priority, id);
        self.asked.insert(last);
        let (consumer, place) = self.all.get_mut(&id)?;
        *place = last;
        Some(consumer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConnectionId;
    use alloc::vec::Vec;

    const CHANNEL: ChannelId = ChannelId {
        connection: ConnectionId(1),
        number: 1,
    };

    fn consumer(id: u64, priority: i64) -> Consumer {
        Consumer {
            priority,
            prefetch: 2,
            ..Consumer::new(ConsumerId(id), CHANNEL)
        }
    }

    fn channels() -> BTreeMap<ChannelId, Channel> {
        BTreeMap::from([(CHANNEL, Channel::new(true, 100))])
    }

    fn serve(consumers: &mut Consumers, count: usize) -> Vec<u64> {
        let mut channels = channels();
        (0..count)
            .filter_map(|_| {
                let consumer = consumers.next(&mut channels, |_| Some(false), &mut 0)?;
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
        for (prefetch, unacknowledged, writable, failed, takes) in [
            (0, 9, true, false, true),
            (1, 0, true, false, true),
            (1, 1, true, false, false),
            (0, 0, false, false, false),
            (0, 0, true, true, false),
        ] {
            let mut consumers = Consumers::new(false);
            consumers.add(consumer(1, 0));
            let mut channel = Channel::new(writable, 100);
            channel.consumers.insert(ConsumerId(1), QueueId(1));
            channel.prefetch = prefetch;
            channel.unacknowledged = unacknowledged;
            channel.failed = failed;
            let mut channels = BTreeMap::from([(CHANNEL, channel)]);
            let next = consumers.next(&mut channels, |_| Some(false), &mut 0);
            assert_eq!(next.is_some(), takes);
            let channel = channels.get_mut(&CHANNEL).unwrap();
            assert!(!channel.has_release());
            (channel.writable, channel.failed) = (true, false);
            channel.unacknowledged = 0;
            assert_eq!(channel.has_release(), !takes);
            let released: Vec<_> = channel.release(9).collect();
            assert_eq!(released.len(), usize::from(!takes));
            if !takes {
                consumers.release(ConsumerId(1));
            }
            assert!(
                consumers
                    .next(&mut channels, |_| Some(false), &mut 0)
                    .is_some()
            );
        }
    }

    /// A consumer has one place among those that wait, for as long as it waits for the same.
    #[test]
    fn a_consumer_waits_in_one_place() {
        let mut channel = Channel::new(true, 100);
        channel.prefetch = 1;
        let mut consumer = consumer(1, 0);
        for (unacknowledged, writable, waiting, place) in [
            (1, true, 1, Some(1)),
            (1, true, 1, Some(1)),
            (1, false, 1, Some(2)),
            (0, true, 0, None),
            (1, true, 1, Some(3)),
        ] {
            channel.unacknowledged = unacknowledged;
            channel.writable = writable;
            assert_eq!(channel.admits(&mut consumer), place.is_none());
            assert_eq!(channel.waiting.len(), waiting);
            assert_eq!(consumer.waits.map(|(_, place)| place), place);
        }
        channel.forget(&consumer);
        assert!(channel.waiting.is_empty());
    }

    /// Who has waited longest comes first, and no more come than there is room for.
    #[test]
    fn a_channel_releases_its_consumers_in_turn() {
        let mut consumers = Consumers::new(false);
        let mut channel = Channel::new(true, 100);
        for id in 1..=4 {
            consumers.add(Consumer {
                no_ack: id == 4,
                ..consumer(id, 0)
            });
            channel.consumers.insert(ConsumerId(id), QueueId(id));
        }
        channel.prefetch = 2;
        channel.unacknowledged = 2;
        let mut channels = BTreeMap::from([(CHANNEL, channel)]);
        assert_eq!(
            consumers
                .next(&mut channels, |_| Some(false), &mut 0)
                .unwrap()
                .id
                .0,
            4
        );
        channels.get_mut(&CHANNEL).unwrap().writable = false;
        assert!(
            consumers
                .next(&mut channels, |_| Some(false), &mut 0)
                .is_none()
        );
        let channel = channels.get_mut(&CHANNEL).unwrap();
        channel.writable = true;
        let mut released = |unacknowledged, most| {
            channel.unacknowledged = unacknowledged;
            channel
                .release(most)
                .map(|(id, _)| id.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(released(2, 9), [4]);
        assert_eq!(released(1, 9), [1]);
        assert_eq!(released(0, 1), [2]);
        assert_eq!(released(0, 9), [3]);
    }
}
