//! Clients that wait until another connection has given their session back.

use alloc::collections::BTreeMap;

use super::Attach;
use crate::model::ConnectionId;
use crate::model::message::Name;

/// Who waits for which session. A client comes and goes without a look at the others.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By the client identifier of the session, and in the order in which they came.
    waiting: BTreeMap<(Name, u64), (ConnectionId, Attach)>,
    places: BTreeMap<ConnectionId, (Name, u64)>,
    last: u64,
}

impl Line {
    /// Whether anybody waits for the session of a client.
    pub(super) fn has(&self, client: &Name) -> bool {
        self.first(client).is_some()
    }

    fn first(&self, client: &Name) -> Option<(Name, u64)> {
        let (place, _) = self.waiting.range((client.clone(), 0)..).next()?;
        (place.0 == *client).then(|| place.clone())
    }

    /// Puts a client last. Returns whether it is the only one.
    pub(super) fn push(&mut self, connection: ConnectionId, attach: Attach) -> bool {
        let is_only = !self.has(&attach.client_identifier);
        self.last += 1;
        let place = (attach.client_identifier.clone(), self.last);
        self.places.insert(connection, place.clone());
        self.waiting.insert(place, (connection, attach));
        is_only
    }

    /// Takes out the client that came first for a session.
    pub(super) fn pop(&mut self, client: &Name) -> Option<(ConnectionId, Attach)> {
        let place = self.first(client)?;
        let (connection, attach) = self.waiting.remove(&place)?;
        self.places.remove(&connection);
        Some((connection, attach))
    }

    /// Takes a client out of the line that it is in.
    pub(super) fn leave(&mut self, connection: ConnectionId) {
        if let Some(place) = self.places.remove(&connection) {
            self.waiting.remove(&place);
        }
    }
}
