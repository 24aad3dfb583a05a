//! A virtual host: the neutral model that all three protocols speak to.
//!
//! Nothing in here knows a protocol. What a front end is to know comes out as a
//! [`Notice`].

mod advisory;
mod client;
mod commit;
mod delayed;
mod firehose;
mod passing;
mod policies;
mod publish;
mod restore;
mod routing;
mod serve;
#[cfg(test)]
mod tests;
mod work;

use core::time::Duration;

use crate::config::Store;
use crate::limits::Limits;
use crate::model::delay::Delays;
use crate::model::exchange::Exchanges;
use crate::model::queue::Queues;
use crate::model::rights::{Known, Members};
use crate::model::session::{Leaving, Sessions};
use crate::model::shared::Shared;
use crate::model::statistics::{QueueStatistics, SessionStatistics, Statistics};
use crate::model::timers::TimerKey;
use crate::model::{ConnectionId, Flow, Notice, Said, Wait};

use routing::Routes;
pub(crate) use work::Work;
use work::Works;

/// A virtual host.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) shared: Shared,
    pub(crate) exchanges: Exchanges,
    pub(crate) queues: Queues,
    pub(crate) sessions: Sessions,
    pub(crate) delays: Delays,
    pub(crate) members: Members,
    work: Works,
    /// Empty lists, for the next message.
    routes: Routes,
    /// Messages are copied to the firehose.
    tracing: bool,
    /// Waiting in the model's list of virtual hosts with changes.
    pub(super) changing: bool,
    /// Sessions have the next turn.
    sessions_first: bool,
    /// Waiting in the model's list of virtual hosts to poll.
    pub(super) awake: bool,
}

impl VirtualHost {
    pub(crate) fn new(name: &str, seed: u64, store: Store, limits: Limits) -> Self {
        Self {
            shared: Shared::new(name, seed, store, limits),
            exchanges: Exchanges::new(),
            queues: Queues::default(),
            sessions: Sessions::default(),
            delays: Delays::default(),
            members: Members::default(),
            work: Works::default(),
            routes: Routes::default(),
            tracing: false,
            changing: false,
            sessions_first: false,
            awake: false,
        }
    }

    /// The next notice, and for which connection, unless so many steps have been done
    /// before there is one.
    pub(crate) fn poll_notice(&mut self, steps: u64) -> Option<Said> {
        let said = self.next_notice(steps)?;
        self.trace_said(&said);
        Some(said)
    }

    fn next_notice(&mut self, steps: u64) -> Option<Said> {
        if let Some(said) = self.shared.notices.pop_front() {
            return Some(said);
        }
        // Queues and sessions have their turns one after the other.
        self.sessions_first = !self.sessions_first;
        if !self.has_notices() {
            return None;
        }
        if self.sessions_first {
            self.next_push(steps).or_else(|| self.deliver(steps))
        } else {
            self.deliver(steps).or_else(|| self.next_push(steps))
        }
    }

    fn next_push(&mut self, steps: u64) -> Option<Said> {
        self.sessions.next_push(&mut self.shared, steps)
    }

    fn deliver(&mut self, steps: u64) -> Option<Said> {
        let (to, delivery) = self.next_delivery(steps)?;
        let (notice, wait) = (Notice::Deliver(delivery), Wait::Nothing);
        Some(Said { to, notice, wait })
    }

    /// Whether there are changes, and the model does not have it in its list for that.
    /// It is to be put there.
    pub(crate) fn has_untaken_changes(&mut self) -> bool {
        let new = !self.changing && !self.shared.changes.is_empty();
        self.changing |= new;
        new
    }

    /// Whether there may be a notice.
    pub(crate) fn has_notices(&self) -> bool {
        !self.shared.notices.is_empty() || self.queues.has_listed() || self.sessions.has_ready()
    }

    // Connections

    /// Lets deliveries come to a connection, or not.
    pub(crate) fn set_flow(&mut self, connection: ConnectionId, flow: Flow) {
        if let Some(session) = self.members.set_flow(connection, flow) {
            self.sessions.set_flow(&self.shared, session, flow);
        }
        self.queues.set_writable(connection, flow == Flow::Open);
    }

    /// Whether a connection takes deliveries.
    pub(crate) fn flow(&self, connection: ConnectionId) -> Flow {
        self.members.flow(connection)
    }

    /// Nothing has passed a connection for a while.
    pub(crate) fn rest(&mut self, connection: ConnectionId) {
        if let Some(session) = self.members.session(connection) {
            self.sessions.rest(session);
        }
    }

    /// Closes the channels of a connection that is gone, and deletes its exclusive
    /// queues: some at once, and many in turns.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        let (channels, queues) = self.queues.leave(connection);
        self.sessions.leave_line(connection);
        let was_here = self.members.user(connection).is_some();
        if let Some(session) = self.members.leave(connection) {
            self.detach(session, Leaving::default());
        }
        if was_here {
            self.advise_connection(false);
        }
        let channels = channels.into_iter();
        self.begin(Some(connection), Work::Close { channels, queues });
    }

    // Time

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.shared.timers.next()
    }

    /// Does what is due at `self.shared.now`, so many things at most, and fewer where one of
    /// them is much.
    pub(crate) fn expire(&mut self, count: usize) {
        let end = self.shared.statistics.steps.saturating_add(count as u64);
        while self.shared.statistics.steps < end
            && let Some(key) = self.shared.timers.pop_due(self.shared.now)
        {
            self.shared.statistics.steps += 1;
            match key {
                TimerKey::Delays => self.release_delayed(),
                TimerKey::Queue(id) => {
                    self.queues.timeout(&mut self.shared, id);
                    self.pass_on();
                }
                TimerKey::Session(id) => {
                    let parting = self.sessions.expire(&mut self.shared, id);
                    self.carry_out(parting);
                }
            }
        }
    }

    /// Counts, with what is in the queues now.
    pub(crate) fn count(&self) -> Statistics {
        let mut counts = self.shared.statistics;
        self.queues.count(&mut counts);
        counts.ready += self.sessions.pending_count();
        counts.unacknowledged += self.sessions.in_flight_count();
        counts
    }

    /// What each queue has counted.
    pub(crate) fn queue_statistics(&self) -> impl Iterator<Item = QueueStatistics> {
        self.queues.statistics(&self.shared.name)
    }

    /// What each session holds.
    pub(crate) fn session_statistics(&self) -> impl Iterator<Item = SessionStatistics> {
        self.sessions.count(&self.shared.name)
    }
}

impl Known for VirtualHost {
    fn has_exchange(&self, name: &str) -> bool {
        self.exchanges.has(name)
    }

    fn has_topics(&self, exchange: &str) -> bool {
        self.exchanges.has_topics(exchange)
    }

    fn has_queue(&self, name: &str) -> bool {
        self.queues.id_of(name).is_some()
    }
}
