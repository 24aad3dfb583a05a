//! The departure of a connection whose client identifier another one takes.

use core::time::Duration;

use super::budget::TURN;
use super::{Broker, Output};
use crate::model::{ConnectionId, Notice};

/// How long an embedder may take to read what has arrived.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How far a connection is on its way out, since another takes its client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// The embedder hands in what has arrived, and is waited for no longer than until then.
    Draining { until: Duration },
    /// Nothing more is received. The connection ends once its backlog is taken.
    Drained,
}

impl Broker {
    /// Another connection has the client identifier of this one, which has to go. What it
    /// has sent before is taken first: it may say goodbye in there.
    pub(super) fn begin_departure(&mut self, id: ConnectionId) {
        let until = self.shared.now.saturating_add(DRAIN_TIME);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.departure.is_some() || connection.front.is_closed() {
            return;
        }
        connection.departure = Some(Departure::Draining { until });
        let drains = self.shared.config.drain_on_takeover && !connection.gone;
        connection.touch(id, &mut self.touched);
        if !connection.backlog.is_empty() {
            self.put_in_line(id);
        }
        if drains {
            self.shared
                .outputs
                .push_back(Output::Drain { connection: id });
        } else {
            self.end_draining(id);
        }
    }

    /// The embedder has handed in what had arrived.
    pub(super) fn drained(&mut self, id: ConnectionId) {
        if self.end_draining(id) {
            self.pump(self.spent() + TURN);
        }
    }

    /// Gives up an embedder that should have handed in what had arrived by now.
    pub(super) fn stop_draining(&mut self, id: ConnectionId) {
        let is_due = self.connections.get(&id).is_some_and(
            |c| matches!(c.departure, Some(Departure::Draining { until }) if until <= self.shared.now),
        );
        if is_due {
            self.drained(id);
        }
    }

    /// Nothing more comes from a connection that has to go. Returns whether it has been
    /// told to.
    fn end_draining(&mut self, id: ConnectionId) -> bool {
        match self.connections.get_mut(&id) {
            Some(connection) if connection.departure.is_some() => {
                connection.departure = Some(Departure::Drained);
                self.depart(id)
            }
            _ => false,
        }
    }

    /// Tells a connection that has to go to do so, once all its input is taken. Returns
    /// whether it has.
    pub(super) fn depart(&mut self, id: ConnectionId) -> bool {
        let departs = self
            .connections
            .get(&id)
            .is_some_and(|c| c.departure == Some(Departure::Drained) && !c.has_input());
        if departs {
            self.notify(id, Notice::TakenOver);
        }
        departs
    }
}
