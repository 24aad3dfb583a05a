//! What happens to queues, topics and their consumers, for those who want to be told of it.

use alloc::collections::BTreeMap;

use super::{ConsumerId, Left, Queue, QueueId, Queues, REPLY_QUEUE};
use crate::model::message::Name;
use crate::model::shared::Shared;

/// What is said of a queue or a topic.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) of: Of,
    pub(crate) name: Name,
    pub(crate) what: Happened,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It is there.
    Created,
    /// It is gone.
    Destroyed,
    /// A consumer has come, and it has so many now.
    Came(usize),
    /// A consumer has left, and it has so many now.
    Left(usize),
    /// The time of a message in it was over.
    Expired,
    /// A message of it has become a dead letter.
    DeadLettered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Queue,
    Topic,
    TemporaryQueue,
    TemporaryTopic,
}

impl Of {
    /// The name that ActiveMQ has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "Queue",
            Self::Topic => "Topic",
            Self::TemporaryQueue => "TempQueue",
            Self::TemporaryTopic => "TempTopic",
        }
    }

    /// The name for its consumers and messages, of which nobody asks how long it lasts.
    pub(crate) fn lasting_name(self) -> &'static str {
        match self {
            Self::Queue | Self::TemporaryQueue => "Queue",
            Self::Topic | Self::TemporaryTopic => "Topic",
        }
    }

    fn of_topic(name: &str) -> Self {
        match name.starts_with(TEMPORARY_TOPIC) {
            true => Self::TemporaryTopic,
            false => Self::Topic,
        }
    }
}

/// What begins the names of topics that one connection alone has.
pub(crate) const TEMPORARY_TOPIC: &str = "stomp-temporary-topic-";

/// What begins the names of the queues of subscriptions to topics. They are nobody else's, and
/// nothing is said of them.
pub(crate) const SUBSCRIPTION: &str = "stomp-subscription-";
pub(crate) const DURABLE_SUBSCRIPTION: &str = "stomp-durable-";

/// Topics whose subscribers have queues.
#[derive(Debug, Default)]
pub(super) struct Topics {
    of: BTreeMap<ConsumerId, Name>,
    counts: BTreeMap<Name, usize>,
}

impl Topics {
    /// What is said when a consumer has come: of the first one that the topic is there, too.
    fn add(&mut self, consumer: ConsumerId, name: Name) -> [Option<Advice>; 2] {
        self.of.insert(consumer, name.clone());
        let count = self.counts.entry(name.clone()).or_default();
        *count += 1;
        let of = Of::of_topic(&name);
        let created = (*count == 1).then(|| Advice {
            of,
            name: name.clone(),
            what: Happened::Created,
        });
        let what = Happened::Came(*count);
        [created, Some(Advice { of, name, what })]
    }

    /// What is said when one has left. None: it had no topic.
    fn remove(&mut self, consumer: ConsumerId) -> Option<[Option<Advice>; 2]> {
        let name = self.of.remove(&consumer)?;
        let count = self.counts.get_mut(&name)?;
        *count -= 1;
        let of = Of::of_topic(&name);
        let left = Advice {
            of,
            name: name.clone(),
            what: Happened::Left(*count),
        };
        let destroyed = (*count == 0).then(|| {
            self.counts.remove(&name);
            let what = Happened::Destroyed;
            Advice { of, name, what }
        });
        Some([Some(left), destroyed])
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
        if !shared.advises {
            return;
        }
        match topic {
            Some(topic) => {
                let advice = self.topics.add(consumer, topic);
                self.left
                    .extend(advice.into_iter().flatten().map(Left::Advice));
            }
            None => self.advise_of(shared, id, Happened::Came),
        }
    }

    /// A consumer has left a queue.
    pub(super) fn advise_leave(&mut self, shared: &Shared, id: QueueId, consumer: ConsumerId) {
        if !shared.advises {
            return;
        }
        match self.topics.remove(consumer) {
            Some(advice) => self
                .left
                .extend(advice.into_iter().flatten().map(Left::Advice)),
            None => self.advise_of(shared, id, Happened::Left),
        }
    }

    fn advise_of(&mut self, shared: &Shared, id: QueueId, what: fn(usize) -> Happened) {
        if let Some(queue) = self.all.get(&id) {
            let what = what(queue.consumers.len());
            self.advise(shared, id, what);
        }
    }

    /// Something has happened to a queue.
    pub(super) fn advise(&mut self, shared: &Shared, id: QueueId, what: Happened) {
        if shared.advises
            && let Some(queue) = self.all.get(&id)
            && let Some(advice) = advice(queue, what)
        {
            self.left.push_back(Left::Advice(advice));
        }
    }

    /// A queue is gone.
    pub(super) fn advise_end(&mut self, shared: &Shared, queue: &Queue) {
        if shared.advises
            && let Some(advice) = advice(queue, Happened::Destroyed)
        {
            self.left.push_back(Left::Advice(advice));
        }
    }
}

/// What is said of a queue, unless it is one that nobody knows of.
fn advice(queue: &Queue, what: Happened) -> Option<Advice> {
    let name = &queue.name;
    let is_own = [SUBSCRIPTION, DURABLE_SUBSCRIPTION, REPLY_QUEUE];
    if is_own.iter().any(|own| name.starts_with(own)) {
        return None;
    }
    let of = match queue.settings.exclusive {
        Some(_) => Of::TemporaryQueue,
        None => Of::Queue,
    };
    let name = name.clone();
    Some(Advice { of, name, what })
}
