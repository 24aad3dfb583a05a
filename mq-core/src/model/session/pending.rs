//! Messages on their way to sessions.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Match, Pending, SessionId, SubscriptionOptions};
use crate::model::Notice;
use crate::model::message::{Message, Qos};
use crate::model::vhost::{PublishOutcome, VirtualHost};

impl VirtualHost {
    /// Publishes what came over MQTT: keeps it if it is to be retained.
    #[must_use = "the publisher is to be told"]
    pub(crate) fn publish_retaining(
        &mut self,
        message: &Arc<Message>,
        publisher: Option<SessionId>,
    ) -> PublishOutcome {
        if message.is_retained() {
            self.sessions.retained.store(message, &self.limits);
        }
        self.publish(message, publisher)
    }

    /// Queues a message for the sessions that it matched. Overlapping
    /// subscriptions of one session make one delivery, at their highest QoS and
    /// with all their identifiers (section 3.3.4, MQTT-3.3.4-2 and -4). Each
    /// shared subscription makes one more, to one of its members.
    pub(crate) fn deliver_to_sessions(
        &mut self,
        message: &Arc<Message>,
        matches: Vec<Match>,
        publisher: Option<SessionId>,
    ) {
        let mut deliveries: BTreeMap<SessionId, Pending> = BTreeMap::new();
        let mut shared = Vec::new();
        for found in matches {
            match found {
                Match::Session { id, options } => {
                    if options.no_local && publisher == Some(id) {
                        continue;
                    }
                    let new = pending(message, options);
                    match deliveries.get_mut(&id) {
                        None => {
                            deliveries.insert(id, new);
                        }
                        Some(pending) => {
                            pending.qos = pending.qos.max(new.qos);
                            pending.retain |= new.retain;
                            pending.identifiers.extend(new.identifiers);
                        }
                    }
                }
                Match::Share(name) => shared.extend(self.choose(&name)),
            }
        }
        for (id, options) in shared {
            self.push_pending(id, pending(message, options));
        }
        for (id, pending) in deliveries {
            self.push_pending(id, pending);
        }
    }

    /// Whose turn it is in a shared subscription: the first in turn that is
    /// connected, or else the first.
    fn choose(&mut self, name: &str) -> Option<(SessionId, SubscriptionOptions)> {
        let id = self.sessions.shares.get_mut(name)?.choose()?;
        let session = self.sessions.all.get(&id)?;
        Some((id, *session.subscriptions.get(name)?))
    }

    /// Queues a message for a session. QoS 0 does not wait for a client that is
    /// away; where there is no room the newest message is dropped.
    pub(super) fn push_pending(&mut self, id: SessionId, pending: Pending) {
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return;
        };
        if session.connection.is_none() && pending.qos == Qos::AtMostOnce {
            return;
        }
        self.statistics.queued += 1;
        let bytes = session.pending_bytes + pending.message.size();
        if session.pending.len() >= self.limits.session_messages
            || bytes > self.limits.session_bytes
        {
            self.statistics.overflowed += 1;
            return;
        }
        session.pending_bytes = bytes;
        session.pending.push_back(pending);
        self.announce(id);
    }

    /// Says that a connected session has something pending.
    pub(crate) fn announce(&mut self, id: SessionId) {
        let Some(session) = self.sessions.all.get_mut(&id) else {
            return;
        };
        if let (Some(connection), false, false) = (
            session.connection,
            session.announced,
            session.pending.is_empty(),
        ) {
            session.announced = true;
            self.emit(connection, Notice::SessionReady);
        }
    }

    /// Takes the next message of a session; with no `quota` only one of QoS 0.
    /// Those whose time is over are dropped.
    pub(crate) fn next_pending(&mut self, id: SessionId, quota: bool) -> Option<Pending> {
        let now = self.now;
        let session = self.sessions.all.get_mut(&id)?;
        session.announced = false;
        loop {
            let pending = session.pending.front()?;
            let expired = pending.message.is_expired(now);
            if !expired && !quota && pending.qos != Qos::AtMostOnce {
                return None;
            }
            let pending = session.pending.pop_front()?;
            session.pending_bytes -= pending.message.size();
            if !expired {
                self.statistics.delivered += 1;
                session.in_flight += 1;
                return Some(pending);
            }
            self.statistics.expired += 1;
        }
    }
}

impl VirtualHost {
    /// A message that [`next_pending`](Self::next_pending) gave has done its
    /// way: it was sent with QoS 0, or the client has settled it.
    pub(crate) fn settle_pending(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.all.get_mut(&id)
            && session.in_flight > 0
        {
            session.in_flight -= 1;
            self.statistics.acknowledged += 1;
        }
    }
}

fn pending(message: &Arc<Message>, options: SubscriptionOptions) -> Pending {
    Pending {
        message: message.clone(),
        qos: message.properties.qos.min(options.qos),
        retain: message.is_retained() && options.retain_as_published,
        identifiers: options.identifier.into_iter().collect(),
    }
}
