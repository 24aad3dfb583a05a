//! What queues leave to others, passed on: letters to dead-letter exchanges, and what was in
//! a queue that is gone.
//!
//! Whatever may make a queue leave something has its way through here, so that it is passed
//! on before anything else is done.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

use super::routing::Room;
use super::{VirtualHost, Work};
use crate::model::change::Change;
use crate::model::drops::{DropCause, Place};
use crate::model::message::{Message, Name};
use crate::model::queue::declaration::{DeclareQueue, QueueState};
use crate::model::queue::{
    ChannelId, Claim, ConsumeRequest, ConsumerId, Delivery, Lease, Left, Letter, QueueId,
    Settlement, Thawed,
};
use crate::model::refusal::Refusal;
use crate::model::{ConnectionId, Flow};

/// Steps of one look at a queue from outside of its turn.
const AT_A_TIME: u64 = 256;

impl VirtualHost {
    /// Passes on what queues have left. Returns whether there was anything.
    pub(super) fn pass_on(&mut self) -> bool {
        let mut any = false;
        while let Some(left) = self.queues.poll_left() {
            any = true;
            match left {
                Left::Letter(letter) => self.send_letter(letter),
                Left::Advice(advice) => self.advise_of(&advice),
                Left::Make(name) => {
                    // A name that cannot be is that of no queue: the letter belongs nowhere,
                    // which is reported.
                    let _ = self.queues.make_for_letters(&mut self.shared, &name);
                }
                Left::Removed(removed) => {
                    let id = removed.id;
                    self.exchanges.unbind_queue(&mut self.shared, id);
                    if removed.kept {
                        self.shared.changes.push(Change::QueueDeleted { id });
                    }
                    self.begin(None, Work::Drop(removed));
                }
                Left::Search(queue, searches) => {
                    self.begin(None, Work::Search { queue, searches });
                }
            }
        }
        any
    }

    /// Routes what a queue has given up.
    fn send_letter(&mut self, letter: Letter) {
        let Letter {
            message: mut letter,
            queue,
            reason,
        } = letter;
        self.shared.meter.count(&mut letter);
        let mut routes = self.route(&letter, None);
        let is_cycle = |id: &QueueId| self.queues.is_cycle(*id, &letter, reason);
        routes.queues.retain(|id| !is_cycle(id));
        if routes.is_empty() {
            let (place, cause) = (Place::Queue(queue), DropCause::Nowhere);
            self.shared.drops.note(place, cause);
            return;
        }
        self.shared.statistics.dead_lettered += 1;
        let mut targets = Vec::new();
        // Where a publisher is refused there is nobody to tell, and the message was here
        // already: it waits.
        self.delay(&letter, &routes.delayed, Room::Promised, &mut targets);
        for id in routes.queues {
            let shared = &mut self.shared;
            self.queues
                .deliver_letter(shared, id, &letter, &mut targets);
        }
        self.sessions.deliver(
            &mut self.shared,
            &letter,
            &mut routes.sessions,
            None,
            &mut targets,
        );
        self.shared.changes.push_message(&letter, targets);
    }

    /// The next message for a consumer that can take one, after what is due in the queues
    /// that are listed. None also when so many steps have been done.
    pub(super) fn next_delivery(&mut self, steps: u64) -> Option<(ConnectionId, Delivery)> {
        let end = self.shared.statistics.steps.saturating_add(steps);
        loop {
            let delivery = self.queues.next_delivery(&mut self.shared, end);
            let more = self.pass_on();
            if delivery.is_some() || !more {
                return delivery;
            }
        }
    }

    /// Gives up the messages of a queue whose time is over: some, where there are many.
    pub(super) fn expire_messages(&mut self, id: QueueId, inclusive: bool) {
        let end = self.shared.statistics.steps + AT_A_TIME;
        loop {
            let shared = &mut self.shared;
            let is_done = self.queues.expire_some(shared, id, inclusive, end);
            self.pass_on();
            if is_done || self.shared.statistics.steps >= end {
                return;
            }
        }
    }

    pub(super) fn consume(&mut self, request: ConsumeRequest) -> Result<ConsumerId, Refusal> {
        let consumer = self.queues.consume(&mut self.shared, request)?;
        self.pass_on();
        Ok(consumer)
    }

    pub(super) fn open_channel(&mut self, id: ChannelId) {
        let writable = self.flow(id.connection) == Flow::Open;
        self.queues.open_channel(&self.shared, id, writable);
    }

    pub(super) fn open_reply(&mut self, channel: ChannelId) -> Result<(Name, ConsumerId), Refusal> {
        let opened = self.queues.open_reply(&mut self.shared, channel);
        self.pass_on();
        opened
    }

    pub(super) fn cancel(&mut self, channel: ChannelId, consumer: ConsumerId) {
        self.queues.cancel(&mut self.shared, channel, consumer);
        self.pass_on();
    }

    /// Closes a channel: at once, or where it has many consumers, in turns.
    pub(super) fn close_channel(&mut self, id: ChannelId) {
        self.queues.fail_channel(id);
        let close = Work::Close {
            channels: vec![id].into_iter(),
            queues: BTreeSet::new(),
        };
        self.begin(Some(id.connection), close);
    }

    /// Goes on with the end of a channel. Returns whether there is more to do.
    pub(super) fn go_on_closing(&mut self, id: ChannelId) -> bool {
        let more = self.queues.close_channel(&mut self.shared, id);
        self.pass_on();
        more
    }

    pub(super) fn settle(&mut self, lease: Lease, settlement: Settlement) {
        self.queues.settle(&mut self.shared, lease, settlement);
        self.pass_on();
    }

    pub(super) fn give_up_undeliverable(&mut self, claim: Option<Claim>, message: &Message) {
        self.queues
            .give_up_undeliverable(&mut self.shared, claim, message);
        self.pass_on();
    }

    pub(super) fn declare_queue(
        &mut self,
        request: DeclareQueue<'_>,
    ) -> Result<QueueState, Refusal> {
        let declared = self.queues.declare(&mut self.shared, request);
        self.pass_on();
        declared
    }

    pub(super) fn remove_queue(&mut self, id: QueueId) {
        self.queues.remove(&mut self.shared, id);
        self.pass_on();
    }

    pub(super) fn delete_queue(
        &mut self,
        name: &str,
        connection: ConnectionId,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<usize, Refusal> {
        let shared = &mut self.shared;
        let messages = self
            .queues
            .delete(shared, name, connection, if_unused, if_empty)?;
        self.pass_on();
        Ok(messages)
    }

    /// `basic.get`: the answer comes when the body is there.
    pub(super) fn get_or_wait(&mut self, id: QueueId, channel: ChannelId, no_ack: bool) {
        self.expire_messages(id, true);
        self.queues
            .get_or_wait(&mut self.shared, id, channel, no_ack);
        self.pass_on();
    }

    /// The run of a queue that begins at a position has come.
    pub(crate) fn thaw(&mut self, id: QueueId, first: u64, messages: Vec<Thawed>) {
        self.queues.thaw(&mut self.shared, id, first, messages);
        self.pass_on();
    }

    /// A body has come, or cannot be read: then the message is lost.
    pub(crate) fn body_came(&mut self, id: QueueId, position: u64, body: Option<Bytes>) {
        self.queues.body_came(&mut self.shared, id, position, body);
        self.pass_on();
    }
}
