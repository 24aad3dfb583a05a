//! Shared subscriptions (MQTT 5.0 section 4.8.2).

use alloc::collections::{BTreeMap, BTreeSet};

use super::SessionId;

/// Where a member stands. The first is asked before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Connected,
    /// Its client is not there.
    Away,
    /// It can hold no more.
    Full,
}

/// The members of a shared subscription, and whose turn it is. Each side is kept
/// apart from the others, so that to choose one takes no look at the rest.
#[derive(Debug, Default)]
pub(super) struct Share {
    members: BTreeMap<SessionId, Place>,
    /// By turn.
    connected: BTreeSet<(u64, SessionId)>,
    away: BTreeSet<(u64, SessionId)>,
    full: BTreeSet<(u64, SessionId)>,
    /// The turn of whoever goes last.
    last: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    turn: u64,
    side: Side,
}

impl Share {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn side(&mut self, side: Side) -> &mut BTreeSet<(u64, SessionId)> {
        match side {
            Side::Connected => &mut self.connected,
            Side::Away => &mut self.away,
            Side::Full => &mut self.full,
        }
    }

    /// Adds a member that is connected, unless it is there.
    pub(super) fn add(&mut self, id: SessionId) {
        if !self.members.contains_key(&id) {
            self.put(id, Side::Connected);
        }
    }

    /// Puts a member last.
    fn put(&mut self, id: SessionId, side: Side) {
        self.last += 1;
        let turn = self.last;
        self.members.insert(id, Place { turn, side });
        self.side(side).insert((turn, id));
    }

    /// Removes a member. Returns whether it was one.
    pub(super) fn remove(&mut self, id: SessionId) -> bool {
        let Some(place) = self.members.remove(&id) else {
            return false;
        };
        self.side(place.side).remove(&(place.turn, id));
        true
    }

    /// A member came or went, or has room or none. It keeps its turn.
    pub(super) fn set_side(&mut self, id: SessionId, side: Side) {
        let Some(place) = self.members.get_mut(&id) else {
            return;
        };
        let turn = place.turn;
        let before = core::mem::replace(&mut place.side, side);
        self.side(before).remove(&(turn, id));
        self.side(side).insert((turn, id));
    }

    /// Whose turn it is, and where it stands: the first in turn of the first side
    /// that has one. It goes last then.
    pub(super) fn choose(&mut self) -> Option<(SessionId, Side)> {
        let all = [Side::Connected, Side::Away, Side::Full];
        let side = all.into_iter().find(|side| !self.side(*side).is_empty())?;
        let (_, id) = self.side(side).pop_first()?;
        self.put(id, side);
        Some((id, side))
    }
}
