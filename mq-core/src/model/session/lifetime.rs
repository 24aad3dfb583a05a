//! How sessions begin, lose their connection, and end (MQTT 5.0 sections
//! 3.1.2.4, 3.1.2.5 and 3.1.2.11.2).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::backlog::Backlog;
use super::retained::Walks;
use super::{Pending, Resumed, Session, SessionId, Will};
use crate::model::change::{Change, KeptSession};
use crate::model::message::{Name, Qos};
use crate::model::refusal::Refusal;
use crate::model::vhost::{VirtualHost, Work};
use crate::model::{ConnectionId, Notice};

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
        connection: None,
        writable: true,
        expiry: None,
        subscriptions: BTreeMap::new(),
        pending: Backlog::default(),
        walks: Walks::default(),
        is_full: false,
        in_flight: BTreeMap::new(),
        last_number: 0,
        last_identifier: 0,
        received: BTreeSet::new(),
        credit: 0,
        will: None,
        will_due: None,
        ends: None,
        is_kept: false,
        away: None,
        announced: false,
    }
}

impl Session {
    /// It has no connection since then.
    pub(super) fn stay_away(&mut self, since: Duration) {
        self.away = Some(since);
        self.ends = self.expiry.map(|after| since.saturating_add(after));
        let will = self.will.as_ref();
        self.will_due = will.map(|will| since.saturating_add(will.delay));
    }

    /// When something is due while it has no connection.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.ends.into_iter().chain(self.will_due).min()
    }
}

impl VirtualHost {
    /// Gives a client its session, once no other connection has it.
    pub(crate) fn attach(&mut self, connection: ConnectionId, attach: Attach) {
        let holder = self
            .sessions
            .find_client(&attach.client_identifier)
            .and_then(|id| self.sessions.get(id)?.connection);
        let Some(holder) = holder else {
            let changes = self.changes.count();
            let notice = match self.attach_now(connection, attach) {
                Ok(attached) => Notice::Attached(Box::new(attached)),
                Err(refusal) => Notice::Refused(Box::new(refusal)),
            };
            let wait = self.wait_since(changes);
            self.emit_after(wait, connection, notice);
            return;
        };
        let waiting = self.sessions.waiting.entry(holder).or_default();
        waiting.push_back((connection, attach));
        if waiting.len() == 1 {
            self.emit(holder, Notice::TakenOver);
        }
    }

    /// A connection has given its session back, or is gone: who waited for that goes on.
    pub(crate) fn let_wait_no_longer(&mut self, holder: ConnectionId) {
        for (connection, attach) in self.sessions.waiting.remove(&holder).unwrap_or_default() {
            self.attach(connection, attach);
        }
    }

    /// Takes a client out of the line for its session.
    pub(crate) fn wait_no_longer(&mut self, connection: ConnectionId) {
        for line in self.sessions.waiting.values_mut() {
            line.retain(|(waiting, _)| *waiting != connection);
        }
    }

    /// Gives a client the session that it had, or with `clean_start`, or when it had none,
    /// a new one.
    pub(crate) fn attach_now(
        &mut self,
        connection: ConnectionId,
        attach: Attach,
    ) -> Result<Attached, Refusal> {
        let name = attach.client_identifier;
        self.name_client(connection, &name);
        let will = attach
            .will
            .filter(|will| self.permit_publish(connection, &will.message).is_ok());
        let mut existing = self.sessions.find_client(&name);
        if attach.clean_start
            && let Some(id) = existing.take()
        {
            self.end_session(id);
        }
        let present = existing.is_some();
        let id = match existing {
            Some(id) => id,
            None => self.begin_session(name)?,
        };
        self.members.entry(connection).or_default().session = Some(id);
        let writable = self.is_writable(connection);
        self.set_session_timer(id, None);
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return Err(Refusal::not_found(format_args!("no session")));
        };
        session.connection = Some(connection);
        session.writable = writable;
        session.expiry = attach.expiry;
        session.will = will;
        session.will_due = None;
        session.ends = None;
        session.credit = attach.credit;
        session.away = None;
        // One that goes with this connection was there before, or need not be known.
        session.is_kept |= self.changes.are_kept() && attach.expiry != Some(Duration::ZERO);
        let sent = session.resumed();
        let received = session.received.iter().copied().collect();
        self.note_session(id);
        self.tell_shares(id);
        self.announce(id);
        Ok(Attached {
            present,
            sent,
            received,
        })
    }

    fn begin_session(&mut self, name: Name) -> Result<SessionId, Refusal> {
        let limit = self.limits.sessions;
        if self.sessions.all.len() >= limit {
            return Err(Refusal::resource_limit(format_args!(
                "the limit of {limit} sessions is reached"
            )));
        }
        let id = SessionId(self.next_id());
        self.sessions.names.insert(name.clone(), id);
        self.sessions.all.insert(id, blank(name));
        Ok(id)
    }

    /// The connection of a session is over. The session ends with it, or goes on.
    pub(crate) fn detach(&mut self, id: SessionId, leaving: Leaving) {
        let now = self.now;
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return;
        };
        session.connection = None;
        if let Some(expiry) = leaving.expiry {
            session.expiry = expiry;
        }
        let discarded = session.pending.retain(|p| p.qos != Qos::AtMostOnce);
        self.statistics.discarded += discarded as u64;
        if leaving.discard_will {
            session.will = None;
        }
        if session.expiry == Some(Duration::ZERO) {
            self.end_session(id);
            return;
        }
        session.stay_away(now);
        self.note_session(id);
        self.tell_shares(id);
        self.session_timeout(id);
    }

    /// Does what is due for a session without a connection.
    pub(crate) fn session_timeout(&mut self, id: SessionId) {
        let now = self.now;
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return;
        };
        if session.ends.is_some_and(|at| at <= now) {
            self.end_session(id);
            return;
        }
        let mut will = None;
        if session.will_due.is_some_and(|at| at <= now) {
            session.will_due = None;
            will = session.will.take();
        }
        let next = session.next_timeout();
        self.set_session_timer(id, next);
        if will.is_some() {
            self.note_session(id);
        }
        self.publish_will(id, will);
    }

    /// Notes how a session is now, if that is kept.
    pub(super) fn note_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.all.get(&id)
            && session.is_kept
        {
            self.changes.push(Change::Session(Box::new(KeptSession {
                id,
                client_identifier: session.client_identifier.clone(),
                expiry: session.expiry,
                away: session.away,
                will: session.will.clone(),
            })));
        }
    }

    /// Ends a session; its will, if not sent yet, is sent now.
    fn end_session(&mut self, id: SessionId) {
        self.set_session_timer(id, None);
        let filters: Vec<Name> = match self.sessions.all.get(&id) {
            Some(session) => session.subscriptions.keys().cloned().collect(),
            None => return,
        };
        for filter in filters {
            self.remove_subscription(id, &filter);
        }
        if let Some(mut session) = self.sessions.all.remove(&id) {
            self.statistics.discarded += (session.pending.len() + session.in_flight.len()) as u64;
            self.sessions.names.remove(&session.client_identifier);
            self.publish_will(id, session.will.take());
            let kept = session.is_kept.then_some(id);
            if kept.is_some() {
                self.changes.push(Change::SessionEnded { id });
            }
            // Section 4.8.2. What was sent with QoS 2 must not go to another member
            // (MQTT-4.8.2-5).
            for (position, pending) in session.unsettled() {
                if pending.qos == Qos::AtLeastOnce {
                    self.pass_on(&pending);
                }
                self.note_forgotten(kept, position, &pending);
            }
            let backlog = session.pending;
            self.begin(None, Work::PassOn { kept, backlog });
        }
    }

    /// A message of a session that has ended is for another member of its share.
    pub(crate) fn pass_on(&mut self, pending: &Pending) {
        if let Some(share) = &pending.share {
            let mut targets = Vec::new();
            self.push_shared(share, &pending.message, &mut targets);
            self.changes.push_message(&pending.message, targets);
        }
    }

    /// A session that was kept has ended, and with it this message.
    pub(crate) fn note_forgotten(
        &mut self,
        kept: Option<SessionId>,
        position: u64,
        pending: &Pending,
    ) {
        if let Some(id) = kept
            && pending.qos > Qos::AtMostOnce
        {
            let backlog = id.into();
            self.changes.push(Change::Forgotten { backlog, position });
        }
    }

    fn publish_will(&mut self, id: SessionId, will: Option<Will>) {
        if let Some(will) = will {
            // Its time to live begins when it is published (section 3.1.3.2.4).
            let mut message = will.message;
            alloc::sync::Arc::make_mut(&mut message).published = self.now;
            self.meter.count(&mut message);
            // Who could be told what became of it is gone.
            let _ = self.publish_retaining(&message, Some(id));
        }
    }
}
