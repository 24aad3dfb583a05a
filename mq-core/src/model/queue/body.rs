//! Bodies that have left memory, and come back when they are wanted.

use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;

use super::dead_letter::Reason;
use super::delivery::AT_A_TIME;
use super::queues::Queues;
use super::{ChannelId, Entry, QueueId, Wanted};
use crate::model::Notice;
use crate::model::message::Message;
use crate::model::shared::Shared;

impl Queues {
    /// Takes a message in a queue whose body is in the log from now on.
    pub(crate) fn strip(&mut self, id: QueueId, position: u64, message: &Arc<Message>) {
        if let Some(queue) = self.all.get_mut(&id) {
            queue.strip(position, message);
        }
    }

    /// What a queue wants next.
    pub(crate) fn poll_wanted(&mut self) -> Option<(QueueId, Wanted)> {
        self.wanted.pop_front()
    }

    /// Asks for what a queue wants.
    pub(super) fn ask_for_bodies(&mut self, id: QueueId) {
        if let Some(queue) = self.all.get_mut(&id) {
            let unasked = queue.absent.take_unasked().into_iter();
            self.wanted.extend(unasked.map(|wanted| (id, wanted)));
        }
    }

    /// A body has come, or cannot be read: then the message is lost.
    pub(crate) fn body_came(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        position: u64,
        body: Option<Bytes>,
    ) {
        let Some(queue) = self.all.get_mut(&id) else {
            return;
        };
        let letter = match body {
            Some(body) => {
                if !queue.absent.came(position, body) {
                    return;
                }
                queue.absent.letters.remove(&position)
            }
            None => {
                queue.absent.forget(position);
                let letter = queue.absent.letters.remove(&position);
                let lost = letter.map(|(entry, _)| entry);
                if let Some(entry) = lost.or_else(|| queue.take_ready(position)) {
                    shared.statistics.discarded += 1;
                    queue.counts.given_up += 1;
                    self.note_settled(shared, id, &entry);
                }
                None
            }
        };
        if let Some((entry, reason)) = letter {
            self.give_up(shared, id, &entry, reason);
        }
        self.serve_gets(shared, id);
        self.list(id);
    }

    /// A message is given up whose body has to be there first. Returns whether it is.
    pub(super) fn has_letter(&mut self, id: QueueId, entry: &Entry, reason: Reason) -> bool {
        let Some(queue) = self.all.get_mut(&id) else {
            return true;
        };
        if queue.arguments.dead_letter.is_none() || queue.absent.has(entry) {
            return true;
        }
        queue.absent.ask(entry);
        let waiting = (entry.clone(), reason);
        queue.absent.letters.insert(entry.position, waiting);
        self.ask_for_bodies(id);
        false
    }

    /// `basic.get`: the answer comes when the body is there.
    pub(crate) fn get_or_wait(
        &mut self,
        shared: &mut Shared,
        id: QueueId,
        channel: ChannelId,
        no_ack: bool,
    ) {
        if let Some(queue) = self.all.get_mut(&id) {
            queue.absent.gets.push_back((channel, no_ack));
        }
        self.serve_gets(shared, id);
    }

    /// Answers those who have fetched from a queue, as far as there are bodies.
    pub(super) fn serve_gets(&mut self, shared: &mut Shared, id: QueueId) {
        while let Some(queue) = self.all.get(&id)
            && let Some(&(channel, no_ack)) = queue.absent.gets.front()
        {
            // What expires meanwhile is not the head any more.
            let end = shared.statistics.steps + AT_A_TIME;
            self.expire_some(shared, id, true, end);
            let Some(queue) = self.all.get_mut(&id) else {
                return;
            };
            if !queue.head_is_here() {
                queue.ask_for_head();
                self.ask_for_bodies(id);
                return;
            }
            queue.absent.gets.pop_front();
            if self.channels.get(&channel).is_some_and(|c| !c.failed) {
                let fetched = self.fetch(shared, id, channel, no_ack);
                // Like a delivery it promises nothing.
                let fetched = fetched.map(Box::new);
                shared.emit(channel.connection, Notice::Fetched(fetched));
            }
        }
    }
}
