//! Messages on their way to sessions. What queues and sessions share, and why not more, stands
//! at `queue/delivery.rs`.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use super::retained::{Retained, STEPS, Step};
use super::share::{Share, Side};
use super::{Match, Pending, Session, SessionId, Sessions, SubscriptionOptions, target};
use crate::limits::Limits;
use crate::model::change::{BacklogId, Change, Target};
use crate::model::drops::{DropCause, Place};
use crate::model::message::{Message, Name, Qos};
use crate::model::shared::Shared;
use crate::model::{Flow, Notice, Said, Wait};

/// Messages that are dropped at one time, since their time is over.
const AT_A_TIME: u64 = 256;

/// A message for the client of a session.
#[derive(Debug)]
pub struct Push {
    /// None with QoS 0: it counts as settled already.
    pub packet_identifier: Option<u16>,
    /// The message, and how it is sent.
    pub pending: Pending,
}

impl Sessions {
    /// Keeps a message for subscribers to come. Returns whether there was room.
    pub(crate) fn retain(
        &mut self,
        shared: &mut Shared,
        message: &Arc<Message>,
        targets: &mut Vec<Target>,
    ) -> bool {
        let retained = &mut self.retained;
        let stored = retained.store(message, &shared.limits, shared.now);
        if !stored {
            shared.statistics.not_retained += 1;
            shared.drops.note(Place::Retained, DropCause::Full);
        }
        if shared.changes.are_kept() {
            let backlog = BacklogId::RETAINED;
            for position in retained.take_gone() {
                shared.changes.push(Change::settled(backlog, position));
            }
            if stored && !message.body.is_empty() {
                targets.push(Target {
                    backlog,
                    position: retained.last(),
                    expires: message.expiry(),
                    returned: 0,
                    copy: None,
                });
            }
        }
        stored
    }

    /// Queues a message for the sessions that it matched. Overlapping
    /// subscriptions of one session make one delivery, at their highest QoS and
    /// with all their identifiers (section 3.3.4, MQTT-3.3.4-2 and -4). Each
    /// shared subscription makes one more, to one of its members. Those that are to
    /// outlive the broker become targets. Returns whether there was a session for it, and
    /// all of them were full. `matches` is a list that is used again,
    /// and may be emptied.
    pub(crate) fn deliver(
        &mut self,
        shared: &mut Shared,
        message: &Arc<Message>,
        matches: &mut Vec<Match>,
        publisher: Option<SessionId>,
        targets: &mut Vec<Target>,
    ) -> bool {
        matches.retain(|found| match found {
            Match::Session { id, options } => !options.no_local || publisher != Some(*id),
            Match::Share(_) => true,
        });
        if let [Match::Session { id, options }] = matches[..] {
            // Nothing overlaps.
            return !self.push_pending(shared, id, pending(message, options), targets);
        }
        let (mut dropped, mut kept) = (false, false);
        // Those of one session stand together then, in the order in which they were found.
        matches.sort_by_key(Match::session);
        let mut found = matches.drain(..).peekable();
        while let Some(first) = found.next() {
            let is_kept = match first {
                Match::Share(name) => self.push_shared(shared, &name, message, targets),
                Match::Session { id, options } => {
                    let mut merged = pending(message, options);
                    while let Some(Match::Session { options, .. }) =
                        found.next_if(|next| next.session() == Some(id))
                    {
                        let more = pending(message, options);
                        merged.qos = merged.qos.max(more.qos);
                        merged.retain |= more.retain;
                        merged.identifiers.extend(more.identifiers);
                    }
                    self.push_pending(shared, id, merged, targets)
                }
            };
            dropped |= !is_kept;
            kept |= is_kept;
        }
        dropped && !kept
    }

    /// Queues a message for a member of a shared subscription: the first in turn
    /// that is connected, or else the first that has room. Returns false if it was
    /// dropped, since all are full.
    pub(super) fn push_shared(
        &mut self,
        shared: &mut Shared,
        share: &Name,
        message: &Arc<Message>,
        targets: &mut Vec<Target>,
    ) -> bool {
        loop {
            let chosen =
                self.shares
                    .get_mut(share)
                    .and_then(Share::choose)
                    .and_then(|(id, side)| {
                        let session = self.all.get(&id)?;
                        Some((id, side, *session.subscriptions.get(&**share)?))
                    });
            let Some((id, side, options)) = chosen else {
                return true;
            };
            let mut pending = pending(message, options);
            pending.share = Some(share.clone());
            let drops = (self.all.get(&id)).is_some_and(|session| session.drops(pending.qos));
            if side == Side::Full || !drops && self.has_room(shared, id, message) {
                return self.push_pending(shared, id, pending, targets);
            }
            self.pass_over(id);
            // It is full from now on, so this ends.
        }
    }

    /// Whether one message more fits into a session. One that is found full is passed over by
    /// its shares from now on.
    fn has_room(&mut self, shared: &mut Shared, id: SessionId, message: &Message) -> bool {
        let Some(session) = self.all.get_mut(&id) else {
            return false;
        };
        let fits = session.make_room(shared, id, message);
        if !fits {
            self.pass_over(id);
        }
        fits
    }

    /// Has the shares of a session ask it last, until it can hold more.
    fn pass_over(&mut self, id: SessionId) {
        if let Some(session) = self.all.get_mut(&id)
            && !session.is_full
        {
            session.is_full = true;
            self.tell_shares(id);
        }
    }

    /// Queues a message for a session. QoS 0 does not wait for a client that is
    /// away; where there is no room the newest message is dropped, and false
    /// returned.
    pub(super) fn push_pending(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        pending: Pending,
        targets: &mut Vec<Target>,
    ) -> bool {
        let Some(session) = self.all.get_mut(&id) else {
            return true;
        };
        shared.statistics.queued += 1;
        if session.connection().is_none() && pending.qos == Qos::AtMostOnce {
            shared.statistics.discarded += 1;
            return true;
        }
        if session.connection().is_none() && pending.message.is_expired(shared.now) {
            shared.statistics.expired += 1;
            return true;
        }
        if session.drops(pending.qos) {
            shared.statistics.overflowed += 1;
            let client = session.client_identifier.clone();
            shared.drops.note(Place::Session(client), DropCause::Slow);
            // Its publisher hears no more of it than where the client is away.
            return true;
        }
        if !session.make_room(shared, id, &pending.message) {
            shared.statistics.overflowed += 1;
            let client = session.client_identifier.clone();
            shared.drops.note(Place::Session(client), DropCause::Full);
            self.pass_over(id);
            return false;
        }
        if session.keeps(pending.qos) {
            let position = session.pending.push(pending.clone());
            targets.push(target(id, position, &pending, None));
        } else {
            session.pending.push(pending);
        }
        session.announce(&mut self.ready, id);
        true
    }

    /// Lets messages come to the client of a session, or not.
    pub(crate) fn set_flow(&mut self, shared: &Shared, id: SessionId, flow: Flow) {
        if let Some(session) = self.all.get_mut(&id) {
            session.flow = flow;
            self.announce(id);
            self.set_half_empty(shared, id);
        }
    }

    /// A session that was passed over by its shares is not any more, if it can hold more.
    pub(super) fn set_half_empty(&mut self, shared: &Shared, id: SessionId) {
        let limits = &shared.limits;
        if let Some(session) = self.all.get_mut(&id)
            && session.is_full
            && session.flow != Flow::Lossy
            && session.pending.len() <= limits.session_messages / 2
            && session.pending.bytes() <= limits.session_bytes / 2
        {
            session.is_full = false;
            self.tell_shares(id);
        }
    }

    /// Says that a connected session has something pending.
    pub(crate) fn announce(&mut self, id: SessionId) {
        if let Some(session) = self.all.get_mut(&id) {
            session.announce(&mut self.ready, id);
        }
    }

    /// The next message for a session that can take one. None also when so many steps
    /// have been done; then sessions are still in line.
    pub(crate) fn next_push(&mut self, shared: &mut Shared, steps: u64) -> Option<Said> {
        let end = shared.statistics.steps.saturating_add(steps);
        while shared.statistics.steps < end
            && let Some(id) = self.ready.pop_front()
        {
            let Some(session) = self.all.get_mut(&id) else {
                continue;
            };
            session.announced = false;
            let connection = session.connection();
            let quota = session.in_flight().len() < usize::from(session.credit);
            let Some(to) = connection.filter(|_| session.flow == Flow::Open) else {
                continue;
            };
            let (next, unfinished) = session.next_pending(shared, &self.retained, id, quota);
            if unfinished || next.is_some() {
                // Others have their turn before its next one.
                session.announce(&mut self.ready, id);
            }
            let said = next.map(|(position, pending)| {
                let packet_identifier = session.lend(shared, id, position, &pending);
                let wait = match pending.qos {
                    // The client takes the identifier for that of this message from now on.
                    Qos::ExactlyOnce => session.wait(),
                    Qos::AtLeastOnce | Qos::AtMostOnce => Wait::Nothing,
                };
                let notice = Notice::Push(Push {
                    packet_identifier,
                    pending,
                });
                Said { to, notice, wait }
            });
            if session.is_full {
                self.set_half_empty(shared, id);
            }
            if said.is_some() {
                return said;
            }
        }
        None
    }
}

impl Session {
    /// Puts it in line if it is connected and has something pending.
    pub(super) fn announce(&mut self, ready: &mut VecDeque<SessionId>, id: SessionId) {
        if let (Some(_), false, false) = (
            self.connection(),
            self.announced,
            self.pending.is_empty() && self.walks.is_empty(),
        ) {
            self.announced = true;
            ready.push_back(id);
        }
    }

    /// Takes the next message, with the position at which it has waited; with no `quota` only
    /// one of QoS 0. Those whose time is over are dropped before. Returns too whether there is
    /// more to look through.
    pub(super) fn next_pending(
        &mut self,
        shared: &mut Shared,
        retained: &Retained,
        id: SessionId,
        quota: bool,
    ) -> (Option<(Option<u64>, Pending)>, bool) {
        let now = shared.now;
        shared.statistics.steps += 1;
        // A message that expires at this very moment (an interval of zero) is still
        // offered to a client that is there.
        if let Some(before) = now.checked_sub(Duration::from_nanos(1))
            && !self.expire(shared, id, before)
        {
            return (None, true);
        }
        let steps = &mut shared.statistics.steps;
        let (found, unfinished) = self.next_retained(retained, now, quota, steps);
        shared.statistics.queued += u64::from(found.is_some());
        let front = self.pending.front();
        let may_go = front.is_some_and(|p| quota || p.qos == Qos::AtMostOnce);
        let pending = match found {
            None if may_go => self.pending.pop().map(|(at, pending)| (Some(at), pending)),
            found => found.map(|pending| (None, pending)),
        };
        if let Some((_, pending)) = &pending {
            shared.count_delivery(&pending.message);
        }
        (pending, unfinished)
    }

    /// Whether one message more fits. What is expired takes no room.
    fn make_room(&mut self, shared: &mut Shared, id: SessionId, message: &Message) -> bool {
        let now = shared.now;
        self.expire(shared, id, now);
        let mut fits = self.fits(&shared.limits, message);
        while !fits && self.expire_one(shared, id, now) {
            fits = self.fits(&shared.limits, message);
        }
        fits
    }

    /// Drops some of what has expired by `now`. Returns whether that was all.
    fn expire(&mut self, shared: &mut Shared, id: SessionId, now: Duration) -> bool {
        let end = shared.statistics.steps + AT_A_TIME;
        while self.expire_one(shared, id, now) {
            if shared.statistics.steps >= end {
                return false;
            }
        }
        true
    }

    /// Drops a message that has expired by `now`. Returns whether there was one.
    fn expire_one(&mut self, shared: &mut Shared, id: SessionId, now: Duration) -> bool {
        let Some((position, pending)) = self.pending.pop_expired(now) else {
            return false;
        };
        shared.statistics.steps += 1;
        shared.statistics.expired += 1;
        if self.keeps(pending.qos) {
            shared.changes.push(Change::settled(id, position));
        }
        true
    }

    /// Whether a message of this QoS is dropped now, since the client is too slow.
    fn drops(&self, qos: Qos) -> bool {
        self.flow == Flow::Lossy && qos == Qos::AtMostOnce
    }

    /// Whether one message more fits.
    fn fits(&self, limits: &Limits, message: &Message) -> bool {
        self.pending.len() < limits.session_messages
            && self.held() + message.size() <= limits.session_bytes
    }

    /// Bytes of what waits, and of the will.
    fn held(&self) -> usize {
        let will = self.will.as_ref().map_or(0, |will| will.message.size());
        self.pending.bytes() + will
    }

    /// The next retained message for a new subscription; with no `quota` only one of
    /// QoS 0. Returns too whether the search goes on another time. Counts its steps.
    fn next_retained(
        &mut self,
        retained: &Retained,
        now: Duration,
        quota: bool,
        steps: &mut u64,
    ) -> (Option<Pending>, bool) {
        let end = *steps + STEPS;
        while *steps < end {
            let Some(walk) = self.walks.first() else {
                return (None, false);
            };
            *steps += 1;
            match retained.step(walk, now, steps) {
                Step::Found(message) => {
                    let options = walk.options;
                    let qos = message.properties.qos.min(options.qos);
                    if !quota && qos != Qos::AtMostOnce {
                        return (None, false);
                    }
                    let found = Pending {
                        message: message.clone(),
                        qos,
                        retain: true,
                        identifiers: options
                            .identifier
                            .map(NonZeroU32::get)
                            .into_iter()
                            .collect(),
                        share: None,
                    };
                    walk.pass();
                    return (Some(found), false);
                }
                Step::Nothing => {}
                Step::End => {
                    self.walks.remove_first();
                }
            }
        }
        (None, true)
    }
}

fn pending(message: &Arc<Message>, options: SubscriptionOptions) -> Pending {
    Pending {
        message: message.clone(),
        qos: message.properties.qos.min(options.qos),
        retain: message.is_retained() && options.retain_as_published,
        identifiers: options
            .identifier
            .map(NonZeroU32::get)
            .into_iter()
            .collect(),
        share: None,
    }
}
