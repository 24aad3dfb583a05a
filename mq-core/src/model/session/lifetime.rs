//! How sessions begin, lose their connection, and end (MQTT 5.0 sections
//! 3.1.2.4, 3.1.2.5 and 3.1.2.11.2).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::backlog::Backlog;
use super::retained::Walks;
use super::{Pending, Presence, Resumed, Session, SessionId, Sessions, SubscriptionOptions, Will};
use crate::few_map::FewMap;
use crate::model::change::{Change, KeptSession};
use crate::model::message::{Name, Qos};
use crate::model::refusal::Refusal;
use crate::model::shared::Shared;
use crate::model::timers::TimerKey;
use crate::model::{ConnectionId, Flow, Notice};

/// A client that connects.
#[derive(Debug)]
pub struct Attach {
    /// Names the session.
    pub client_identifier: Name,
    /// A session that is there ends, and another begins.
    pub clean_start: bool,
    /// How long the session outlives the connection; None is for ever.
    pub expiry: Option<Duration>,
    /// What is published when the connection ends without a goodbye.
    pub will: Option<Will>,
    /// Messages of QoS 1 and 2 that may be on their way to it at one time.
    pub credit: u16,
}

/// The session that a client has got.
#[derive(Debug)]
pub struct Attached {
    /// It was there before.
    pub present: bool,
    /// What was on its way to the client, in the order of sending.
    pub sent: Vec<Resumed>,
    /// The QoS 2 messages that came from the client and that it has not released.
    pub received: Vec<u16>,
}

/// How a client leaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leaving {
    /// It said goodbye (DISCONNECT 0x00): its will is not published.
    pub discard_will: bool,
    /// A new session expiry interval, if it gave one.
    pub expiry: Option<Option<Duration>>,
}

/// A new session.
pub(super) fn blank(client_identifier: Name) -> Session {
    Session {
        client_identifier,
        presence: Presence::Away(None),
        flow: Flow::Open,
        expiry: None,
        subscriptions: FewMap::new(),
        pending: Backlog::default(),
        walks: Walks::default(),
        is_full: false,
        handshakes: None,
        last_number: 0,
        last_identifier: 0,
        credit: 0,
        will: None,
        is_kept: false,
        announced: false,
    }
}

/// The time in which a session has no connection.
#[derive(Debug)]
pub(super) struct Absence {
    since: Duration,
    /// When it is to end.
    ends: Option<Duration>,
    will_due: Option<Duration>,
}

impl Absence {
    pub(super) fn since(since: Duration) -> Self {
        Self {
            since,
            ends: None,
            will_due: None,
        }
    }
}

impl Session {
    fn absence(&self) -> Option<&Absence> {
        match &self.presence {
            Presence::Here(_) => None,
            Presence::Away(absence) => absence.as_deref(),
        }
    }

    /// It has no connection since then.
    pub(super) fn stay_away(&mut self, since: Duration) {
        let will = self.will.as_ref();
        self.presence = Presence::Away(Some(Box::new(Absence {
            since,
            ends: self.expiry.map(|after| since.saturating_add(after)),
            will_due: will.map(|will| since.saturating_add(will.delay)),
        })));
    }

    /// Since when it has no connection.
    pub(super) fn away(&self) -> Option<Duration> {
        self.absence().map(|absence| absence.since)
    }

    /// When something is due while it has no connection.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let absence = self.absence()?;
        absence.ends.into_iter().chain(absence.will_due).min()
    }
}

/// What is left to others when a session has lost its connection, or has ended.
#[derive(Debug)]
#[must_use = "the will is to be published, and messages of shares passed on"]
pub(crate) struct Parting {
    pub(crate) id: SessionId,
    /// It is published now.
    pub(crate) will: Option<Will>,
    /// The session has ended.
    pub(crate) ended: Option<Remains>,
}

/// What a session had that has ended: to be [passed on](Sessions::pass_on).
#[derive(Debug)]
pub(crate) struct Remains {
    id: SessionId,
    /// It was kept.
    is_kept: bool,
    /// Those that are no shared ones.
    subscriptions: FewMap<Box<str>, SubscriptionOptions>,
    /// What was on its way to the client, with its positions.
    unsettled: vec::IntoIter<(u64, Pending)>,
    /// What has not been sent to the client.
    backlog: Backlog,
}

/// Messages that do not wait for the client of a session any more.
#[derive(Debug)]
pub(crate) struct Stale {
    id: SessionId,
    positions: VecDeque<u64>,
}

impl Sessions {
    /// Puts a client in line for its session while another connection has that, which is
    /// told so. Returns what it asks for when none has.
    pub(crate) fn wait_in_line(
        &mut self,
        shared: &mut Shared,
        connection: ConnectionId,
        attach: Attach,
    ) -> Option<Attach> {
        let Some(holder) = self.holder(&attach.client_identifier) else {
            return Some(attach);
        };
        if self.line.push(connection, attach) {
            shared.emit(holder, Notice::TakenOver);
        }
        None
    }

    /// The connection that has the session of a client.
    fn holder(&self, client: &Name) -> Option<ConnectionId> {
        let id = self.find_client(client)?;
        self.get(id)?.connection()
    }

    /// The client that is next to get a session, if no connection has that. One that has is
    /// told to give it back where others wait.
    pub(crate) fn next_in_line(
        &mut self,
        shared: &mut Shared,
        client: &Name,
    ) -> Option<(ConnectionId, Attach)> {
        let Some(holder) = self.holder(client) else {
            return self.line.pop(client);
        };
        if self.line.has(client) {
            shared.emit(holder, Notice::TakenOver);
        }
        None
    }

    /// Takes a client out of the line for its session.
    pub(crate) fn leave_line(&mut self, connection: ConnectionId) {
        self.line.leave(connection);
    }

    /// Ends the session of a client that wants another one, if it has one.
    pub(crate) fn start_clean(
        &mut self,
        shared: &mut Shared,
        client_identifier: &str,
    ) -> Option<Parting> {
        let id = self.find_client(client_identifier)?;
        self.end(shared, id)
    }

    /// Gives a client the session that it has had, or else a new one.
    pub(crate) fn attach(
        &mut self,
        shared: &mut Shared,
        connection: ConnectionId,
        flow: Flow,
        attach: Attach,
    ) -> Result<(SessionId, Attached), Refusal> {
        let existing = self.find_client(&attach.client_identifier);
        let present = existing.is_some();
        let id = match existing {
            Some(id) => id,
            None => self.begin(shared, attach.client_identifier)?,
        };
        shared.timers.set(TimerKey::Session(id), None);
        let Some(session) = self.all.get_mut(&id) else {
            return Err(Refusal::not_found(format_args!("no session")));
        };
        session.presence = Presence::Here(connection);
        self.census.connected += 1;
        session.flow = flow;
        session.expiry = attach.expiry;
        session.will = attach.will.map(Box::new);
        session.credit = attach.credit;
        // One that goes with this connection was there before, or need not be known.
        session.is_kept |= shared.changes.are_kept() && attach.expiry != Some(Duration::ZERO);
        let sent = session.resumed();
        let received = session.received().collect();
        self.note(shared, id);
        self.set_half_empty(shared, id);
        self.tell_shares(id);
        self.announce(id);
        let attached = Attached {
            present,
            sent,
            received,
        };
        Ok((id, attached))
    }

    fn begin(&mut self, shared: &mut Shared, name: Name) -> Result<SessionId, Refusal> {
        let limit = shared.limits.sessions;
        if self.all.len() >= limit {
            return Err(Refusal::resource_limit(format_args!(
                "the limit of {limit} sessions is reached"
            )));
        }
        let id = SessionId(shared.next_id());
        self.names.insert(name.clone(), id);
        self.all.insert(id, Box::new(blank(name)));
        Ok(id)
    }

    /// The connection of a session is over. The session ends with it, or goes on: then what
    /// waits with QoS 0 is to be [discarded](Self::discard).
    pub(crate) fn detach(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        leaving: Leaving,
    ) -> Option<(Parting, Stale)> {
        let session = self.all.get_mut(&id)?;
        if session.connection().is_some() {
            session.presence = Presence::Away(None);
            self.census.connected -= 1;
        }
        session.flow = Flow::Held;
        if let Some(expiry) = leaving.expiry {
            session.expiry = expiry;
        }
        if leaving.discard_will {
            session.will = None;
        }
        let mut positions = session.pending.take_transient();
        let parting = if session.expiry == Some(Duration::ZERO) {
            positions.clear();
            self.end(shared, id)
        } else {
            session.stay_away(shared.now);
            session.rest();
            self.note(shared, id);
            self.set_half_empty(shared, id);
            self.tell_shares(id);
            self.expire(shared, id)
        };
        Some((parting?, Stale { id, positions }))
    }

    /// Lets go of a message that does not wait any more. Returns whether there was one.
    pub(crate) fn discard(&mut self, shared: &mut Shared, stale: &mut Stale) -> bool {
        let Some(session) = self.all.get_mut(&stale.id) else {
            return false;
        };
        let Some(position) = stale.positions.pop_front() else {
            session.rest();
            return false;
        };
        shared.statistics.discarded += u64::from(session.pending.remove(position).is_some());
        true
    }

    /// Does what is due for a session without a connection.
    pub(crate) fn expire(&mut self, shared: &mut Shared, id: SessionId) -> Option<Parting> {
        let now = shared.now;
        let session = self.all.get_mut(&id)?;
        let is_due = |at: &mut Duration| *at <= now;
        let mut will = None;
        if let Presence::Away(Some(absence)) = &mut session.presence {
            if absence.ends.is_some_and(|at| at <= now) {
                self.census.expired += 1;
                return self.end(shared, id);
            }
            if absence.will_due.take_if(is_due).is_some() {
                will = session.will.take().map(|will| *will);
            }
        }
        let next = session.next_timeout();
        shared.timers.set(TimerKey::Session(id), next);
        if will.is_some() {
            self.note(shared, id);
        }
        let ended = None;
        Some(Parting { id, will, ended })
    }

    /// Notes how a session is now, if that is kept.
    pub(super) fn note(&self, shared: &mut Shared, id: SessionId) {
        if let Some(session) = self.all.get(&id)
            && session.is_kept
        {
            shared.changes.push(Change::Session(Box::new(KeptSession {
                id,
                client_identifier: session.client_identifier.clone(),
                expiry: session.expiry,
                away: session.away(),
                will: session.will.as_deref().cloned(),
            })));
        }
    }

    /// Ends a session; its will, if not sent yet, is sent now.
    fn end(&mut self, shared: &mut Shared, id: SessionId) -> Option<Parting> {
        shared.timers.set(TimerKey::Session(id), None);
        let mut session = *self.all.remove(&id)?;
        let held = session.pending.len() + session.in_flight().len();
        shared.statistics.discarded += held as u64;
        self.names.remove(&session.client_identifier);
        // Its shares choose others from now on.
        let filters: Vec<Box<str>> = session.shared_filters().cloned().collect();
        shared.statistics.steps += filters.len() as u64;
        for filter in filters {
            session.subscriptions.remove(&filter);
            self.forget_subscription(id, &filter);
        }
        if !session.subscriptions.is_empty() {
            self.ended.insert(id);
        }
        Some(Parting {
            id,
            will: session.will.take().map(|will| *will),
            ended: Some(Remains {
                id,
                is_kept: session.is_kept,
                unsettled: session.unsettled().into_iter(),
                subscriptions: session.subscriptions,
                backlog: session.pending,
            }),
        })
    }

    /// A session has ended, and its will is published.
    pub(crate) fn bury(&self, shared: &mut Shared, remains: &Remains) {
        if remains.is_kept {
            let id = remains.id;
            shared.changes.push(Change::SessionEnded { id });
        }
    }

    /// Forgets a subscription of a session that has ended, or passes on a message: to another
    /// member of the share that it came by, if it did. Returns whether there was one.
    pub(crate) fn pass_on(&mut self, shared: &mut Shared, remains: &mut Remains) -> bool {
        let filter = remains.subscriptions.keys().next().cloned();
        if let Some(filter) = filter {
            remains.subscriptions.remove(&filter);
            self.forget_subscription(remains.id, &filter);
            if remains.subscriptions.is_empty() {
                self.ended.remove(&remains.id);
            }
            return true;
        }
        // Section 4.8.2. What was sent with QoS 2 must not go to another member
        // (MQTT-4.8.2-5).
        let sent = remains.unsettled.next();
        let sent = sent.map(|(position, pending)| {
            let may_go = pending.qos == Qos::AtLeastOnce;
            (position, pending, may_go)
        });
        let unsent = || {
            let (position, pending) = remains.backlog.pop()?;
            Some((position, pending, true))
        };
        let Some((position, pending, may_go)) = sent.or_else(unsent) else {
            return false;
        };
        if may_go && let Some(share) = &pending.share {
            let mut targets = Vec::new();
            self.push_shared(shared, share, &pending.message, &mut targets);
            shared.changes.push_message(&pending.message, targets);
        }
        if remains.is_kept && pending.qos > Qos::AtMostOnce {
            let backlog = remains.id.into();
            shared.changes.push(Change::Forgotten { backlog, position });
        }
        true
    }
}
