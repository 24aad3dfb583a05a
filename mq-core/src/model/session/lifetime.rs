//! How sessions begin, lose their connection, and end (MQTT 5.0 sections
//! 3.1.2.4, 3.1.2.5 and 3.1.2.11.2).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;
use mqtt_codec::connection::Session as InFlight;

use super::backlog::Backlog;
use super::{Pending, Session, SessionId, Will};
use crate::model::ConnectionId;
use crate::model::message::{Name, Qos};
use crate::model::vhost::{VirtualHost, Work};

/// A client that connects.
#[derive(Debug)]
pub(crate) struct Attach<'a> {
    pub(crate) client_identifier: &'a str,
    pub(crate) connection: ConnectionId,
    pub(crate) clean_start: bool,
    /// How long the session outlives the connection; None is for ever.
    pub(crate) expiry: Option<Duration>,
    pub(crate) will: Option<Will>,
}

/// How a client leaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leaving {
    /// It said goodbye (DISCONNECT 0x00): its will is not published.
    pub(crate) discard_will: bool,
    /// A new session expiry interval, if it gave one.
    pub(crate) expiry: Option<Option<Duration>>,
}

/// There are as many sessions as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManySessions;

impl VirtualHost {
    /// Gives a client its session: the one it had, or with `clean_start`, or
    /// when it had none, a new one. Says which, and whether it was there. The
    /// connection that had it must have been [detached](Self::detach) before.
    pub(crate) fn attach(
        &mut self,
        attach: Attach<'_>,
    ) -> Result<(SessionId, bool), TooManySessions> {
        let existing = self.sessions.find_client(attach.client_identifier);
        if let (Some(id), true) = (existing, attach.clean_start) {
            self.end_session(id);
        }
        if let (Some(id), false) = (existing, attach.clean_start)
            && let Some(session) = self.sessions.all.get_mut(&id)
        {
            session.connection = Some(attach.connection);
            session.expiry = attach.expiry;
            session.will = attach.will;
            session.will_due = None;
            session.ends = None;
            session.announced = false;
            self.set_session_timer(id, None);
            self.tell_shares(id);
            return Ok((id, true));
        }
        if self.sessions.all.len() >= self.limits.sessions {
            return Err(TooManySessions);
        }
        let id = SessionId(self.next_id());
        let name = Name::from(attach.client_identifier);
        self.sessions.names.insert(name.clone(), id);
        self.sessions.all.insert(
            id,
            Session {
                client_identifier: name,
                connection: Some(attach.connection),
                expiry: attach.expiry,
                subscriptions: BTreeMap::new(),
                pending: Backlog::default(),
                walks: VecDeque::new(),
                is_full: false,
                in_flight: 0,
                shared_in_flight: BTreeMap::new(),
                will: attach.will,
                will_due: None,
                ends: None,
                announced: false,
                parked: Default::default(),
            },
        );
        Ok((id, false))
    }

    /// The connection of a session is over. Says whether the session goes on.
    pub(crate) fn detach(&mut self, id: SessionId, leaving: Leaving) -> bool {
        let now = self.now;
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return false;
        };
        session.connection = None;
        session.announced = false;
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
            return false;
        }
        session.ends = session.expiry.map(|after| now.saturating_add(after));
        session.will_due = session
            .will
            .as_ref()
            .map(|will| now.saturating_add(will.delay));
        self.tell_shares(id);
        self.session_timeout(id);
        true
    }

    /// Keeps what was in flight on the connection that is over.
    pub(crate) fn park(&mut self, id: SessionId, in_flight: InFlight) {
        if let Some(session) = self.sessions.all.get_mut(&id) {
            session.parked = in_flight;
        }
    }

    /// Gives what is in flight to a new connection.
    pub(crate) fn unpark(&mut self, id: SessionId) -> InFlight {
        match self.sessions.all.get_mut(&id) {
            Some(session) => core::mem::take(&mut session.parked),
            None => InFlight::default(),
        }
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
        if let Some(session) = self.sessions.all.remove(&id) {
            self.statistics.discarded += (session.pending.len() + session.in_flight) as u64;
            self.sessions.names.remove(&session.client_identifier);
            self.publish_will(id, session.will);
            // Section 4.8.2. What was sent with QoS 2 must not go to another member
            // (MQTT-4.8.2-5).
            for pending in session.shared_in_flight.into_values() {
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
