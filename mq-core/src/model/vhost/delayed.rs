//! Messages that wait for their time: held, and routed when it has come.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::VirtualHost;
use super::routing::Room;
use crate::model::change::{BacklogId, Change, Target};
use crate::model::delay::{delay_of, released};
use crate::model::message::{Message, Name};
use crate::model::schedule::{Schedule, schedule_of};

impl VirtualHost {
    /// Lets a message wait in the exchanges that delay it: once in each. Where it has come to
    /// one by a binding, it goes on from there. Returns whether there was room.
    pub(super) fn delay(
        &mut self,
        message: &Arc<Message>,
        exchanges: &[Name],
        room: Room,
        targets: &mut Vec<Target>,
    ) -> bool {
        let Some(delay) = delay_of(message) else {
            return true;
        };
        let until = self.shared.now.saturating_add(delay);
        let mut all = true;
        for exchange in exchanges {
            if !self.has_room_to_wait(room) {
                all = false;
                continue;
            }
            let durable = self.exchanges.is_durable(exchange);
            let shared = &mut self.shared;
            if *exchange == message.exchange {
                self.delays.hold(shared, message, until, durable, targets);
                continue;
            }
            let mut copy = Message::clone(message).into_edited();
            copy.exchange = exchange.clone();
            let mut copy = Arc::new(copy);
            shared.meter.count(&mut copy);
            let mut targets = Vec::new();
            self.delays
                .hold(shared, &copy, until, durable, &mut targets);
            self.shared.changes.push_message(&copy, targets);
        }
        all
    }

    /// Routes the next message whose time has come. It was counted, and its publisher answered,
    /// when it was published: a queue that is full refuses it without telling anybody, and what
    /// belongs nowhere is gone.
    pub(super) fn release_delayed(&mut self) {
        let Some(due) = self.delays.pop_due(&mut self.shared) else {
            return;
        };
        if let Some(schedule) = schedule_of(&due.message) {
            self.fire(&schedule, &due.message);
            self.settle_delayed(due.kept);
            return;
        }
        let mut message = released(due.message);
        self.shared.meter.count(&mut message);
        let routes = self.route(&message, None);
        // Nobody is to be told what becomes of it now.
        let _ = self.publish_to(&message, routes, None, Room::Asked, Vec::new());
        self.settle_delayed(due.kept);
    }

    /// What has waited waits no longer.
    fn settle_delayed(&mut self, kept: Option<u64>) {
        if let Some(position) = kept {
            let backlog = BacklogId::DELAYED;
            self.shared.changes.push(Change::settled(backlog, position));
        }
    }

    fn has_room_to_wait(&self, room: Room) -> bool {
        room == Room::Promised || self.delays.len() < self.shared.limits.delayed_messages
    }

    /// Lets a message wait before it is routed. Returns whether there was room.
    pub(super) fn hold(
        &mut self,
        message: &Arc<Message>,
        until: Duration,
        room: Room,
        targets: &mut Vec<Target>,
    ) -> bool {
        let has_room = self.has_room_to_wait(room);
        if has_room {
            // A message that is to outlive the broker does.
            let shared = &mut self.shared;
            self.delays.hold(shared, message, until, true, targets);
        }
        has_room
    }

    /// Publishes a message whose time has come, and lets it wait for its next one. Its
    /// publisher has been answered.
    fn fire(&mut self, schedule: &Schedule, message: &Message) {
        let job = self.shared.names.next("job-");
        let fired = schedule.fire(message, &job, self.shared.now);
        for (until, message) in fired.later.into_iter().flatten() {
            let mut message = Arc::new(message);
            self.shared.meter.count(&mut message);
            let mut targets = Vec::new();
            // It has the place of the one before it.
            self.delays
                .hold(&mut self.shared, &message, until, true, &mut targets);
            self.shared.changes.push_message(&message, targets);
        }
        if let Some(message) = fired.now {
            let mut message = Arc::new(message);
            self.shared.meter.count(&mut message);
            // Nobody is to be told what becomes of it now.
            let _ = self.retain_and_route(&message, None, None);
        }
    }
}
