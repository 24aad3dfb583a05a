//! Shared subscriptions (MQTT 5.0 section 4.8.2).

use alloc::collections::{BTreeMap, BTreeSet};

use super::SessionId;

/// The members of a shared subscription, and whose turn it is. Those that are
/// connected are kept apart from those that are away, so that to choose one takes
/// no look at the others.
#[derive(Debug, Default)]
pub(super) struct Share {
    members: BTreeMap<SessionId, Place>,
    /// By turn.
    connected: BTreeSet<(u64, SessionId)>,
    away: BTreeSet<(u64, SessionId)>,
    /// The turn of whoever goes last.
    last: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    turn: u64,
    connected: bool,
}

impl Share {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn side(&mut self, connected: bool) -> &mut BTreeSet<(u64, SessionId)> {
        if connected {
            &mut self.connected
        } else {
            &mut self.away
        }
    }

    /// Adds a member that is connected, unless it is there.
    pub(super) fn add(&mut self, id: SessionId) {
        if !self.members.contains_key(&id) {
            self.put(id, true);
        }
    }

    /// Puts a member last.
    fn put(&mut self, id: SessionId, connected: bool) {
        self.last += 1;
        let turn = self.last;
        self.members.insert(id, Place { turn, connected });
        self.side(connected).insert((turn, id));
    }

    /// Removes a member. Returns whether it was one.
    pub(super) fn remove(&mut self, id: SessionId) -> bool {
        let Some(place) = self.members.remove(&id) else {
            return false;
        };
        self.side(place.connected).remove(&(place.turn, id));
        true
    }

    /// A member came or went. It keeps its turn.
    pub(super) fn set_connected(&mut self, id: SessionId, connected: bool) {
        let Some(place) = self.members.get_mut(&id) else {
            return;
        };
        let turn = place.turn;
        place.connected = connected;
        self.side(!connected).remove(&(turn, id));
        self.side(connected).insert((turn, id));
    }

    /// Whose turn it is: the first in turn that is connected, or else the first. It
    /// goes last then.
    pub(super) fn choose(&mut self) -> Option<SessionId> {
        let connected = !self.connected.is_empty();
        let (_, id) = self.side(connected).pop_first()?;
        self.put(id, connected);
        Some(id)
    }
}
