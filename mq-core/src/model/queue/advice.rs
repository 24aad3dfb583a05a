//! Consumers that come and go, for those who want to be told of it.

use alloc::collections::BTreeMap;

use super::{ConsumerId, Left, QueueId, Queues};
use crate::model::message::Name;
use crate::model::shared::Shared;

/// How many consumers there are of a queue or a topic.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) of: Of,
    pub(crate) name: Name,
    pub(crate) count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Queue,
    Topic,
}

impl Of {
    /// The name that ActiveMQ has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "Queue",
            Self::Topic => "Topic",
        }
    }
}

/// Topics whose subscribers have queues.
#[derive(Debug, Default)]
pub(super) struct Topics {
    of: BTreeMap<ConsumerId, Name>,
    counts: BTreeMap<Name, usize>,
}

impl Topics {
    fn add(&mut self, consumer: ConsumerId, topic: Name) -> Advice {
        self.of.insert(consumer, topic.clone());
        let count = self.counts.entry(topic.clone()).or_default();
        *count += 1;
        Advice {
            of: Of::Topic,
            name: topic,
            count: *count,
        }
    }

    fn remove(&mut self, consumer: ConsumerId) -> Option<Advice> {
        let name = self.of.remove(&consumer)?;
        let count = self.counts.get_mut(&name)?;
        *count -= 1;
        let count = *count;
        if count == 0 {
            self.counts.remove(&name);
        }
        let of = Of::Topic;
        Some(Advice { of, name, count })
    }
}

impl Queues {
    /// A consumer has come to a queue, which may be that of a subscription to a topic.
    pub(super) fn advise_arrival(
        &mut self,
        shared: &Shared,
        id: QueueId,
        consumer: ConsumerId,
        topic: Option<Name>,
    ) {
        if shared.advises {
            let advice = match topic {
                Some(topic) => Some(self.topics.add(consumer, topic)),
                None => self.advice_of(id),
            };
            self.left.extend(advice.map(Left::Advice));
        }
    }

    /// A consumer has left a queue.
    pub(super) fn advise_leave(&mut self, shared: &Shared, id: QueueId, consumer: ConsumerId) {
        if shared.advises {
            let advice = self.topics.remove(consumer).or_else(|| self.advice_of(id));
            self.left.extend(advice.map(Left::Advice));
        }
    }

    fn advice_of(&self, id: QueueId) -> Option<Advice> {
        let queue = self.all.get(&id)?;
        Some(Advice {
            of: Of::Queue,
            name: queue.name.clone(),
            count: queue.consumers.len(),
        })
    }
}
