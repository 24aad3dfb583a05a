//! Notices that wait until what they say is stored.
//!
//! A notice that holds once all changes until now are stored waits for the position at
//! which their records end. No other notice of its connection overtakes it, unless it is
//! an `Accepted`: that is overtaken by what is no `Accepted`, and by one that waits for
//! nothing.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::model::request::ChannelNumber;
use crate::model::{ConnectionId, Notice, Said, Wait};

/// The notices that wait, and for which position.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// By turn.
    order: BTreeSet<(Turn, ConnectionId)>,
    /// Of connections with notices that wait.
    lanes: BTreeMap<ConnectionId, Lane>,
    last: u64,
}

/// The position that a notice waits for, and its number among all.
type Turn = (u64, u64);

/// What of a connection waits.
#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeMap<Turn, Notice>,
    /// The last that nothing overtakes.
    answer: Option<Turn>,
    /// The last `Accepted`.
    accepted: Option<Turn>,
}

/// Whether a notice may go out.
#[derive(Debug)]
pub(crate) enum Admission {
    Now(ConnectionId, Notice),
    Held(ConnectionId),
}

impl Hold {
    /// Takes a notice, when the records of all changes until now end at `end`, and those
    /// before `durable` are stored.
    pub(super) fn admit(&mut self, said: Said, end: u64, durable: u64) -> Admission {
        let Said { to, notice, wait } = said;
        let is_accepted = matches!(notice, Notice::Accepted { .. });
        let stored = (wait == Wait::Stored && end > durable).then_some(end);
        let lane = self.lanes.get(&to);
        let answer = lane.and_then(|lane| lane.answer);
        let accepted = lane
            .filter(|_| is_accepted && wait != Wait::Nothing)
            .and_then(|lane| lane.accepted);
        let before = answer.into_iter().chain(accepted);
        let before = before.map(|(position, _)| position);
        let Some(position) = stored.into_iter().chain(before).max() else {
            return Admission::Now(to, notice);
        };
        self.last += 1;
        let turn = (position, self.last);
        let lane = self.lanes.entry(to).or_default();
        match is_accepted {
            true => lane.accepted = Some(turn),
            false => lane.answer = Some(turn),
        }
        lane.waiting.insert(turn, notice);
        self.order.insert((turn, to));
        Admission::Held(to)
    }

    /// Whether [`release`](Self::release) has one.
    pub(super) fn is_ready(&self, durable: u64) -> bool {
        let first = self.order.first();
        first.is_some_and(|((position, _), _)| *position <= durable)
    }

    /// The next notice that waits for nothing more.
    pub(super) fn release(&mut self, durable: u64) -> Option<(ConnectionId, Notice)> {
        if !self.is_ready(durable) {
            return None;
        }
        let (turn, to) = self.order.pop_first()?;
        let lane = self.lanes.get_mut(&to)?;
        let notice = lane.waiting.remove(&turn);
        lane.answer.take_if(|last| *last == turn);
        lane.accepted.take_if(|last| *last == turn);
        if lane.waiting.is_empty() {
            self.lanes.remove(&to);
        }
        Some((to, notice?))
    }

    /// Whether anything of a connection waits.
    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.lanes.contains_key(&connection)
    }

    /// Takes all that waits of a connection that is over.
    pub(super) fn take(&mut self, connection: ConnectionId) -> impl Iterator<Item = Notice> {
        let lane = self.lanes.remove(&connection).unwrap_or_default();
        for turn in lane.waiting.keys() {
            self.order.remove(&(*turn, connection));
        }
        lane.waiting.into_values()
    }

    /// A channel is over: nobody is to be told any more what was accepted on it.
    pub(super) fn close_channel(&mut self, connection: ConnectionId, channel: ChannelNumber) {
        let Some(lane) = self.lanes.get_mut(&connection) else {
            return;
        };
        let order = &mut self.order;
        lane.waiting.retain(|turn, notice| {
            let over = matches!(notice, Notice::Accepted { channel: c, .. } if *c == channel);
            if over {
                order.remove(&(*turn, connection));
            }
            !over
        });
        lane.accepted = lane
            .waiting
            .iter()
            .rfind(|(_, notice)| matches!(notice, Notice::Accepted { .. }))
            .map(|(turn, _)| *turn);
        if lane.waiting.is_empty() {
            self.lanes.remove(&connection);
        }
    }
}
