//! How sessions begin, lose their connection, and end (MQTT 5.0 sections
//! 3.1.2.4, 3.1.2.5 and 3.1.2.11.2).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::backlog::Backlog;
use super::retained::Walks;
use super::{Pending, Resumed, Session, SessionId, Will};
use crate::model::message::{Name, Qos};
use crate::model::refusal::Refusal;
use crate::model::vhost::{VirtualHost, Work};
use crate::model::{ConnectionId, Notice};

/// A client that connects.
#[derive(Debug)]
pub(crate) struct Attach {
    pub(crate) client_identifier: Name,
    pub(crate) clean_start: bool,
    /// How long the session outlives the connection; None is for ever.
    pub(crate) expiry: Option<Duration>,
    pub(crate) will: Option<Will>,
    /// Messages of QoS 1 and 2 that may be on their way to it at one time.
    pub(crate) credit: u16,
}

/// The session that a client has got.
#[derive(Debug)]
pub(crate) struct Attached {
    /// It was there before.
    pub(crate) present: bool,
    /// What was on its way to the client, in the order of sending.
    pub(crate) sent: Vec<Resumed>,
    /// The QoS 2 messages that came from the client and that it has not released.
    pub(crate) received: Vec<u16>,
}

/// How a client leaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leaving {
    /// It said goodbye (DISCONNECT 0x00): its will is not published.
    pub(crate) discard_will: bool,
    /// A new session expiry interval, if it gave one.
    pub(crate) expiry: Option<Option<Duration>>,
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
        announced: false,
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
            let notice = match self.attach_now(connection, attach) {
                Ok(attached) => Notice::Attached(Box::new(attached)),
                Err(refusal) => Notice::Refused(Box::new(refusal)),
            };
            self.emit(connection, notice);
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
        let sent = session.resumed();
        let received = session.received.iter().copied().collect();
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
        session.ends = session.expiry.map(|after| now.saturating_add(after));
        session.will_due = session
            .will
            .as_ref()
            .map(|will| now.saturating_add(will.delay));
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
        let next = match (session.ends, session.will_due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.set_session_timer(id, next);
        self.publish_will(id, will);
    }

    /// Ends a session; its will, if not sent yet, is sent now.
    fn end_session(&mut self, id: SessionId) {
        self.set_session_timer(id, None);
        let filters: Vec<Name> = match self.sessions.all.get(&id) {
            Some(session) => session.subscriptions.keys().cloned().collect(),
            None => return,
        };
        for filter in filters {
            self.unsubscribe(id, &filter);
        }
        if let Some(mut session) = self.sessions.all.remove(&id) {
            self.statistics.discarded += (session.pending.len() + session.in_flight.len()) as u64;
            self.sessions.names.remove(&session.client_identifier);
            self.publish_will(id, session.will.take());
            // Section 4.8.2. What was sent with QoS 2 must not go to another member
            // (MQTT-4.8.2-5).
            let messages = session.resumed().into_iter().filter_map(|r| r.message);
            for pending in messages.filter(|p| p.qos == Qos::AtLeastOnce) {
                self.pass_on(&pending);
            }
            self.begin(None, Work::PassOn(session.pending));
        }
    }

    /// A message of a session that has ended is for another member of its share.
    pub(crate) fn pass_on(&mut self, pending: &Pending) {
        if let Some(share) = &pending.share {
            self.push_shared(share, &pending.message);
        }
    }

    fn publish_will(&mut self, id: SessionId, will: Option<Will>) {
        if let Some(will) = will {
            // Its time to live begins when it is published (section 3.1.3.2.4).
            let mut message = will.message;
            alloc::sync::Arc::make_mut(&mut message).published = self.now;
            // Who could be told what became of it is gone.
            let _ = self.publish_retaining(&message, Some(id));
        }
    }
}
