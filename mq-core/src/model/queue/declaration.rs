//! Declaring, deleting and purging queues.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::queues::{Left, Queues, Removed};
use super::{
    ChannelId, Consumer, Happened, Key, Queue, QueueArguments, QueueId, QueueKind, QueueSettings,
    Ready, Unacknowledged, inequivalent,
};
use crate::model::change::Change;
use crate::model::difference::{Difference, flag};
use crate::model::message::Name;
use crate::model::refusal::Refusal;
use crate::model::shared::Shared;
use crate::model::timers::TimerKey;
use crate::model::{ConnectionId, Notice};

/// Longest name of a queue: one that AMQP can say in a short string.
const NAME_LEN: usize = 255;

/// `queue.declare`.
#[derive(Debug, Clone)]
pub(crate) struct DeclareQueue<'a> {
    /// Empty: the broker makes a name up.
    pub(crate) name: &'a str,
    pub(crate) settings: QueueSettings,
    /// Who asks.
    pub(crate) connection: ConnectionId,
}

/// What `queue.declare-ok` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueState {
    pub(crate) id: QueueId,
    pub(crate) name: Name,
    pub(crate) messages: usize,
    pub(crate) consumers: usize,
}

/// What a purge has taken out of a queue.
#[derive(Debug)]
pub(crate) struct Purged {
    pub(crate) queue: QueueId,
    /// How many messages it was.
    pub(crate) messages: usize,
    /// Those that are not settled yet.
    pub(crate) ready: Ready,
    /// Which of them each consumer with a selector wanted.
    pub(crate) wanted: Vec<BTreeSet<Key>>,
}

impl Queues {
    /// Finds a queue that the connection may use (errata 7).
    pub(crate) fn find(
        &self,
        shared: &Shared,
        name: &str,
        connection: ConnectionId,
    ) -> Result<QueueId, Refusal> {
        let id = *self
            .names
            .get(name)
            .ok_or_else(|| shared.not_found("queue", name))?;
        match self.all.get(&id).and_then(|q| q.settings.exclusive) {
            Some(owner) if owner != connection => Err(self.locked(shared, name)),
            _ => Ok(id),
        }
    }

    fn locked(&self, shared: &Shared, name: &str) -> Refusal {
        Refusal::resource_locked(format_args!(
            "cannot obtain exclusive access to locked queue '{name}' in vhost '{}'. It could \
             be originally declared on another connection or the exclusive property value \
             does not match that of the original declaration.",
            shared.name
        ))
    }

    pub(crate) fn state(&self, id: QueueId) -> Option<QueueState> {
        let queue = self.all.get(&id)?;
        Some(QueueState {
            id,
            name: queue.name.clone(),
            messages: queue.ready.len(),
            consumers: queue.consumers.len(),
        })
    }

    /// `queue.declare`: makes it, or checks that it is like that.
    pub(crate) fn declare(
        &mut self,
        shared: &mut Shared,
        request: DeclareQueue<'_>,
    ) -> Result<QueueState, Refusal> {
        let DeclareQueue {
            name,
            settings,
            connection,
        } = request;
        // Exclusivity is looked at before everything else (errata 8).
        let existing = match self.find(shared, name, connection) {
            Ok(id) => self.all.get(&id),
            Err(refusal) if refusal.kind == crate::model::refusal::RefusalKind::NotFound => None,
            Err(refusal) => return Err(refusal),
        };
        if let Some(queue) = existing {
            let current = &queue.settings;
            if settings.exclusive != current.exclusive {
                // A shared queue cannot be had exclusively, nor the reverse.
                return Err(self.locked(shared, name));
            }
            // An exclusive queue is transient whatever was asked (errata 30).
            let durable = settings.durable && settings.exclusive.is_none();
            let flags = [
                ("durable", flag(durable), flag(current.durable)),
                (
                    "auto_delete",
                    flag(settings.auto_delete),
                    flag(current.auto_delete),
                ),
            ];
            let difference = Difference::of_attributes(&flags).or_else(|| {
                inequivalent(&current.arguments, &settings.arguments).map(
                    |(name, current, received)| Difference::of_argument(name, received, current),
                )
            });
            if let Some(difference) = difference {
                return Err(difference.refusal("queue", name, &shared.name));
            }
            let id = self.names.get(name).copied();
            return self
                .touch(shared, id)
                .ok_or_else(|| shared.not_found("queue", name));
        }
        check_name(name)?;
        if self.names.len() >= shared.limits.queues {
            return Err(Refusal::precondition_failed(format_args!(
                "cannot declare queue '{name}': queue limit in vhost '{}' ({}) is reached",
                shared.name, shared.limits.queues
            )));
        }
        self.create(shared, name, settings)
    }

    /// A durable queue is to be there for what others give up. No limit is asked: who could
    /// be told of it is not there, and one for each queue is the most.
    pub(crate) fn make_for_letters(
        &mut self,
        shared: &mut Shared,
        name: &str,
    ) -> Result<(), Refusal> {
        if self.names.contains_key(name) {
            return Ok(());
        }
        check_name(name)?;
        self.create(shared, name, QueueSettings::durable())?;
        Ok(())
    }

    /// Marks a queue as used, and tells its state.
    fn touch(&mut self, shared: &mut Shared, id: Option<QueueId>) -> Option<QueueState> {
        let id = id?;
        self.all.get_mut(&id)?.used = shared.now;
        self.update_timer(shared, id);
        self.state(id)
    }

    fn create(
        &mut self,
        shared: &mut Shared,
        name: &str,
        mut settings: QueueSettings,
    ) -> Result<QueueState, Refusal> {
        if name.len() > NAME_LEN {
            return Err(Refusal::precondition_failed(format_args!(
                "a queue name has at most {NAME_LEN} bytes"
            )));
        }
        let arguments = QueueArguments::parse(name, &shared.name, &settings.arguments)?;
        self.check_kind(shared, name, &settings, &arguments)?;
        let name = if name.is_empty() {
            Name::from(shared.names.next("amq.gen-"))
        } else {
            Name::from(name)
        };
        settings.durable &= settings.exclusive.is_none();
        let id = QueueId(shared.next_id());
        if let Some(owner) = settings.exclusive {
            self.exclusive.entry(owner).or_default().insert(id);
        }
        let queue = Queue::new(name.clone(), settings, arguments, shared.now);
        if queue.settings.durable && shared.changes.are_kept() {
            shared.changes.push(Change::Queue(Box::new(queue.kept(id))));
        }
        self.insert(shared, id, queue);
        self.advise(shared, id, Happened::Created);
        Ok(QueueState {
            id,
            name,
            messages: 0,
            consumers: 0,
        })
    }

    pub(crate) fn insert(&mut self, shared: &mut Shared, id: QueueId, queue: Queue) {
        self.selective += usize::from(queue.arguments.selector.is_some());
        self.names.insert(queue.name.clone(), id);
        self.all.insert(id, Box::new(queue));
        if shared.policies.is_empty() {
            self.update_timer(shared, id);
        } else {
            self.apply_policies_to(shared, id);
        }
    }

    /// What RabbitMQ requires of the replicated kinds of queue.
    fn check_kind(
        &self,
        shared: &Shared,
        name: &str,
        settings: &QueueSettings,
        arguments: &QueueArguments,
    ) -> Result<(), Refusal> {
        if arguments.kind == QueueKind::Classic {
            return Ok(());
        }
        let checks = [
            ("non-durable", !settings.durable),
            ("exclusive-owner", settings.exclusive.is_some()),
            ("auto-delete", settings.auto_delete),
        ];
        if let Some((property, _)) = checks.iter().find(|(_, wrong)| *wrong) {
            return Err(Refusal::precondition_failed(format_args!(
                "invalid property '{property}' for queue '{name}' in vhost '{}'",
                shared.name
            )));
        }
        if arguments.kind == QueueKind::Stream {
            return Err(Refusal::not_implemented(format_args!(
                "queue '{name}': this broker keeps no streams"
            )));
        }
        Ok(())
    }

    /// `queue.declare` with passive set: the queue as it is.
    pub(crate) fn check(
        &mut self,
        shared: &mut Shared,
        name: &str,
        connection: ConnectionId,
    ) -> Result<QueueState, Refusal> {
        let id = self.find(shared, name, connection)?;
        self.touch(shared, Some(id))
            .ok_or_else(|| shared.not_found("queue", name))
    }

    /// `queue.delete`; one that does not exist counts as deleted. Says how many
    /// ready messages went with it.
    pub(crate) fn delete(
        &mut self,
        shared: &mut Shared,
        name: &str,
        connection: ConnectionId,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<usize, Refusal> {
        let id = match self.find(shared, name, connection) {
            Ok(id) => id,
            Err(refusal) if refusal.kind == crate::model::refusal::RefusalKind::NotFound => {
                return Ok(0);
            }
            Err(refusal) => return Err(refusal),
        };
        let Some(queue) = self.all.get(&id) else {
            return Ok(0);
        };
        let failed = if if_unused && !queue.consumers.is_empty() {
            Some("in use")
        } else if if_empty && !queue.ready.is_empty() {
            Some("not empty")
        } else {
            None
        };
        if let Some(what) = failed {
            return Err(Refusal::precondition_failed(format_args!(
                "queue '{name}' in vhost '{}' {what}",
                shared.name
            )));
        }
        let messages = queue.ready.len();
        self.remove(shared, id);
        Ok(messages)
    }

    /// Deletes a queue. Its bindings, its consumers and its messages are for the virtual host.
    pub(crate) fn remove(&mut self, shared: &mut Shared, id: QueueId) {
        let Some(mut queue) = self.all.remove(&id) else {
            return;
        };
        self.selective -= usize::from(queue.arguments.selector.is_some());
        self.selective -= usize::from(queue.no_local.is_some());
        self.names.remove(&queue.name);
        self.replies.remove(&queue.name);
        shared.timers.set(TimerKey::Queue(id), None);
        if let Some(owner) = queue.settings.exclusive
            && let Some(queues) = self.exclusive.get_mut(&owner)
        {
            queues.remove(&id);
        }
        let letters = core::mem::take(&mut queue.absent.letters).into_values();
        queue
            .unacknowledged
            .extend(letters.map(|(entry, _)| (entry.position, Unacknowledged::of_nobody(entry))));
        for (channel, _) in core::mem::take(&mut queue.absent.gets) {
            shared.emit(channel.connection, Notice::Fetched(None));
        }
        shared.statistics.discarded += (queue.ready.len() + queue.unacknowledged.len()) as u64;
        self.advise_end(shared, &queue);
        let (ready, wanted) = queue.take_all();
        self.left.push_back(Left::Removed(Box::new(Removed {
            id,
            kept: queue.settings.durable,
            ready,
            unacknowledged: queue.unacknowledged,
            wanted,
            consumers: queue.consumers,
        })));
    }

    /// Tells a consumer that its queue is gone, unless it has left that before.
    pub(crate) fn cancel_of_removed(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        consumer: &Consumer,
    ) {
        if let Some(channel) = self.channels.get_mut(&consumer.channel)
            && channel.consumers.remove(&consumer.id).is_some()
        {
            channel.forget(consumer);
            let ChannelId { connection, number } = consumer.channel;
            self.advise_leave(shared, id, consumer.id);
            let consumer = consumer.id;
            let channel = number;
            shared.emit(connection, Notice::Cancelled { channel, consumer });
        }
    }

    /// `queue.purge`: takes out the ready messages, which are then to be settled.
    pub(crate) fn purge(
        &mut self,
        shared: &mut Shared,
        name: &str,
        connection: ConnectionId,
    ) -> Result<Purged, Refusal> {
        let id = self.find(shared, name, connection)?;
        let queue = self.all.get_mut(&id);
        let (ready, wanted) = queue.map(|queue| queue.take_all()).unwrap_or_default();
        shared.statistics.discarded += ready.len() as u64;
        self.go_on_searching(id);
        self.update_timer(shared, id);
        Ok(Purged {
            queue: id,
            messages: ready.len(),
            ready,
            wanted,
        })
    }

    pub(crate) fn update_timer(&mut self, shared: &mut Shared, id: QueueId) {
        if let Some(queue) = self.all.get_mut(&id)
            && let at = queue.next_deadline()
            && queue.deadline != at
        {
            queue.deadline = at;
            shared.timers.set(TimerKey::Queue(id), at);
        }
    }
}

/// Some names are the broker's to give.
fn check_name(name: &str) -> Result<(), Refusal> {
    if name.starts_with("amq.") {
        return Err(Refusal::access_refused(format_args!(
            "queue name '{name}' contains reserved prefix 'amq.*'"
        )));
    }
    Ok(())
}
