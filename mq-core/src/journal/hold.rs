//! Notices that wait until what they say is stored.
//!
//! A notice that holds once all changes until now are stored waits for the position at
//! which their records end. No other notice of its connection overtakes it, unless it is
//! an `Accepted`: that is overtaken by what is no `Accepted`, and by one that waits for
//! nothing.

use alloc::collections::BTreeMap;

use crate::model::{ConnectionId, Notice, Said, Wait};

/// The notices that wait, and for which position.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// By position, and then in the order in which they came.
    waiting: BTreeMap<(u64, u64), (ConnectionId, Notice)>,
    /// Connections with notices that wait.
    lanes: BTreeMap<ConnectionId, Lane>,
    last: u64,
}

/// What of a connection waits.
#[derive(Debug, Default)]
struct Lane {
    /// Of what nothing overtakes.
    answers: Line,
    accepted: Line,
}

/// So many notices wait, the last for that position.
#[derive(Debug, Default)]
struct Line {
    count: usize,
    position: u64,
}

impl Line {
    /// The position that one waits for which comes after these.
    fn last(&self) -> Option<u64> {
        (self.count > 0).then_some(self.position)
    }
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
        let lane = self.lanes.get(&to);
        let stored = (wait == Wait::Stored && end > durable).then_some(end);
        let answers = lane.and_then(|lane| lane.answers.last());
        let accepted = lane
            .filter(|_| is_accepted && wait != Wait::Nothing)
            .and_then(|lane| lane.accepted.last());
        let Some(position) = stored.into_iter().chain(answers).chain(accepted).max() else {
            return Admission::Now(to, notice);
        };
        let lane = self.lanes.entry(to).or_default();
        let line = match is_accepted {
            true => &mut lane.accepted,
            false => &mut lane.answers,
        };
        line.count += 1;
        line.position = line.position.max(position);
        self.last += 1;
        self.waiting.insert((position, self.last), (to, notice));
        Admission::Held(to)
    }

    /// Whether [`release`](Self::release) has one.
    pub(super) fn is_ready(&self, durable: u64) -> bool {
        let first = self.waiting.first_key_value();
        first.is_some_and(|((position, _), _)| *position <= durable)
    }

    /// The next notice that waits for nothing more.
    pub(super) fn release(&mut self, durable: u64) -> Option<(ConnectionId, Notice)> {
        if !self.is_ready(durable) {
            return None;
        }
        let (_, (to, notice)) = self.waiting.pop_first()?;
        if let Some(lane) = self.lanes.get_mut(&to) {
            let line = match notice {
                Notice::Accepted { .. } => &mut lane.accepted,
                _ => &mut lane.answers,
            };
            line.count -= 1;
            if lane.answers.count == 0 && lane.accepted.count == 0 {
                self.lanes.remove(&to);
            }
        }
        Some((to, notice))
    }

    /// Whether anything of a connection waits.
    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.lanes.contains_key(&connection)
    }
}
