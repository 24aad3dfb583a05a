//! The memory that messages take, and the marks above and below which publishers wait and
//! go on; and the room of the store, where they do so too.

use super::Broker;
use super::budget::TURN;
use crate::limits::Limits;
use crate::model::{ConnectionId, Notice, Shortage};
use crate::report::Reason;

/// The marks of [`Limits::memory_high_water`] and [`Limits::memory_low_water`].
#[derive(Debug)]
pub(super) struct Memory {
    high: usize,
    low: usize,
    held: usize,
    /// It has come to the high mark, and not to the low one since.
    is_short: bool,
    /// The next blocked connection to look at, since those with something to acknowledge may
    /// go on again.
    next: Option<ConnectionId>,
}

impl Memory {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            high: limits.memory_high_water,
            low: limits.memory_low_water.min(limits.memory_high_water),
            held: 0,
            is_short: false,
            next: None,
        }
    }

    /// Takes note that all messages hold so many bytes.
    pub(super) fn set_held(&mut self, held: usize) {
        let had_reserve = self.has_reserve();
        self.held = held;
        if !had_reserve && self.has_reserve() {
            self.next = Some(ConnectionId(0));
        }
        if held >= self.high {
            self.is_short = true;
        } else if held <= self.low {
            self.is_short = false;
        }
    }

    /// Whether publishers wait.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Whether messages that hold so many bytes are far from too much.
    pub(super) fn has_plenty(&self, held: usize) -> bool {
        held < self.high / 2
    }

    /// Whether those still go on that have something to acknowledge: there is a quarter more
    /// for what they publish before they come to that.
    pub(super) fn has_reserve(&self) -> bool {
        self.held < self.high.saturating_add(self.high / 4)
    }
}

impl Broker {
    /// A connection waits before it publishes more.
    pub(super) fn block(&mut self, id: ConnectionId) {
        self.blocked.insert(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(shortage) = connection.blocked {
            connection.front.with(id, &self.shared, |front, now| {
                front.notice(now, Notice::Blocked(shortage));
            });
            let reason = Reason::Blocked(shortage.text().into());
            self.shared.report(&connection.login, id, reason);
        }
    }

    /// The store has too little room left, or enough again.
    pub(super) fn set_store_room(&mut self, is_short: bool) {
        self.shared.is_disk_short = is_short;
        self.unblock();
    }

    /// Lets those go on that have waited for the store, or for memory.
    pub(super) fn unblock(&mut self) {
        let end = self.spent() + TURN / 4;
        while self.has_room()
            && self.spent() < end
            && let Some(id) = self.blocked.pop_first()
        {
            self.steps += 1;
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.blocked = None;
                self.shared.report(&connection.login, id, Reason::Unblocked);
            }
            self.notify(id, Notice::Unblocked);
            self.take_waiting_input(id);
        }
        while self.spent() < end
            && let Some(from) = self.shared.memory.next.take()
            && let Some(id) = self.blocked.range(from..).next().copied()
        {
            self.steps += 1;
            self.shared.memory.next = id.0.checked_add(1).map(ConnectionId);
            self.take_waiting_input(id);
        }
    }

    /// Gives the input of a connection a turn, if some waits for no answer.
    pub(super) fn take_waiting_input(&mut self, id: ConnectionId) {
        let waiting = self.connections.get(&id);
        if waiting.is_some_and(|c| !c.backlog.is_empty() && !c.waits) {
            self.put_in_line(id);
        }
    }

    /// Whether publishers that have waited can go on.
    fn has_room(&self) -> bool {
        let journal = self.shared.journal.as_ref();
        let is_short = self.shared.memory.is_short() || self.shared.is_disk_short;
        !is_short && journal.is_none_or(|journal| journal.has_room())
    }

    /// Whether some that have waited can go on.
    pub(super) fn has_unblocked(&self) -> bool {
        !self.blocked.is_empty() && (self.has_room() || self.shared.memory.next.is_some())
    }
}

impl Shortage {
    /// As clients of AMQP and operators read it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Store => "the store is behind",
            // As RabbitMQ says it.
            Self::Memory => "low on memory",
            Self::Disk => "low on disk",
        }
    }
}
