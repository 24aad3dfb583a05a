//! Notices of the model on their way to front ends.
//!
//! Messages for a connection are gathered before its front end says them, so that the same
//! code runs for several of them. A front end hears the same in the same order. What it asks the
//! model because of it, such as giving a message back, comes later in the same call. No more is
//! gathered than the connection has room for, and nothing while messages hold half of the memory
//! that they may.

use alloc::vec::Vec;
use core::time::Duration;

use super::Broker;
use super::budget::ROW;
use super::connection::Connection;
use crate::frontend::FrontEnd;
use crate::model::{ConnectionId, Notice};

/// Lists of notices that are kept for the next connections, at most.
const SPARE: usize = 64;

/// Bytes of a message on the wire beside those that its size counts: of the frames around it,
/// and of the names that its consumer has.
const AROUND: usize = 1024;

/// What is gathered for the connections.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Connections that have some, in the order of their first ones.
    connections: Vec<ConnectionId>,
    /// Lists that are used again.
    spare: Vec<Vec<Notice>>,
}

/// What is gathered for one connection.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    notices: Vec<Notice>,
    /// Bytes on the wire, at most, with those that its front end had to transmit before.
    bytes: usize,
}

impl Gathering {
    pub(super) fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }
}

impl Connection {
    /// Whether a notice may wait for others: a message that leaves room for another one.
    fn may_gather(&mut self, notice: &Notice, high_water: usize) -> bool {
        if !matches!(notice, Notice::Deliver(_) | Notice::Push(_))
            || self.gathering.notices.len() >= ROW
        {
            return false;
        }
        if self.gathering.is_empty() {
            self.gathering.bytes = self.front.transmit_len();
        }
        let outbound = self.unsent + self.held + self.gathering.bytes;
        outbound + notice.size() + AROUND < high_water
    }
}

impl Broker {
    /// Hands notices to the front ends until there are none, or until so many steps
    /// have been done in all. Returns whether there are none.
    pub(super) fn pump(&mut self, end: u64) -> bool {
        let is_done = self.take_notices(end, None);
        self.finish_notices(end, is_done)
    }

    /// Has said what is gathered, and hands on what comes of that. Returns whether there are
    /// no notices, as was so before if nothing is gathered.
    pub(super) fn finish_notices(&mut self, end: u64, mut is_done: bool) -> bool {
        while self.say_gathered() {
            is_done = self.take_notices(end, None);
        }
        is_done
    }

    /// The same, but what is gathered is left to be [finished](Self::finish_notices). Nothing is
    /// gathered for `source`, the connection whose input is being taken.
    pub(super) fn take_notices(&mut self, end: u64, source: Option<ConnectionId>) -> bool {
        while let Some((id, notice)) = self.next_notice(end) {
            let Some(notice) = self.gather(id, notice, source) else {
                continue;
            };
            if source != Some(id) {
                // What it has before comes before.
                self.say_gathered();
            }
            match notice {
                Notice::TakenOver => self.begin_departure(id),
                notice => self.notify(id, notice),
            }
        }
        let journal = self.shared.journal.as_ref();
        !self.shared.model.has_notices() && !journal.is_some_and(|journal| journal.is_ready())
    }

    /// Keeps a notice for later, or returns it.
    fn gather(
        &mut self,
        id: ConnectionId,
        notice: Notice,
        source: Option<ConnectionId>,
    ) -> Option<Notice> {
        let high_water = self.shared.config.limits.transmit_high_water;
        let held = self.shared.model.meter().total();
        if source == Some(id) || !self.shared.memory.has_plenty(held) {
            return Some(notice);
        }
        let connection = self.connections.get_mut(&id);
        let Some(connection) = connection else {
            return Some(notice);
        };
        if !connection.may_gather(&notice, high_water) {
            return Some(notice);
        }
        let gathering = &mut connection.gathering;
        if gathering.notices.is_empty() {
            let spare = self.gathered.spare.pop();
            gathering.notices = spare.unwrap_or_else(|| Vec::with_capacity(ROW));
            self.gathered.connections.push(id);
        }
        gathering.bytes += notice.size() + AROUND;
        gathering.notices.push(notice);
        None
    }

    /// Has the front ends say what is gathered for them. Returns whether there was anything.
    fn say_gathered(&mut self) -> bool {
        let any = !self.gathered.connections.is_empty();
        let mut connections = core::mem::take(&mut self.gathered.connections);
        for id in connections.drain(..) {
            if let Some(connection) = self.connections.get_mut(&id) {
                let mut notices = core::mem::take(&mut connection.gathering).notices;
                self.tell(id, |front, now| {
                    for notice in notices.drain(..) {
                        front.notice(now, notice);
                    }
                });
                if self.gathered.spare.len() < SPARE {
                    self.gathered.spare.push(notices);
                }
            }
        }
        self.gathered.connections = connections;
        any
    }

    /// Hands a notice to the front end of a connection.
    pub(super) fn notify(&mut self, id: ConnectionId, notice: Notice) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(reason) = connection.login.answered(&notice) {
            self.shared.report(&connection.login, id, reason);
        }
        self.tell(id, |front, now| front.notice(now, notice));
    }

    /// Calls the front end of a connection, and passes on what it asks for. Input of the connection
    /// that waited for this gets its turn again.
    fn tell(&mut self, id: ConnectionId, tell: impl FnOnce(&mut dyn FrontEnd, Duration)) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection
            .front
            .with(id, &self.shared, |front, now| tell(front, now));
        connection.touch(id, &mut self.touched);
        let blocked = connection.pass_requests(id, &mut self.shared);
        if core::mem::take(&mut connection.waits) && !connection.in_line {
            connection.in_line = true;
            self.line.push_back(id);
        }
        // A peer that has something to acknowledge now may do so.
        let reads = connection.blocked.is_some() && !connection.is_blocked(&self.shared.memory);
        let enough = connection.writable
            && connection.outbound() >= self.shared.config.limits.transmit_high_water;
        if blocked {
            self.block(id);
        }
        if reads {
            self.take_waiting_input(id);
        }
        if enough {
            self.set_writable(id, false);
        }
    }
}
