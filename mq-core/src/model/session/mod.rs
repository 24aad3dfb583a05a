//! MQTT sessions (MQTT 5.0 section 4.1): subscriptions, what waits for the
//! client, and the will.

mod backlog;
mod found;
mod handshake;
mod lifetime;
mod line;
pub(crate) mod options;
mod pending;
mod restore;
mod retained;
mod share;
mod subscription;
mod system;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::few_map::FewMap;
use crate::model::change::{Copied, Sent, Target};
use crate::model::message::{Message, Name, Qos};
use crate::model::statistics::SessionStatistics;
use crate::model::topic::{Leading, Trie, words};
use crate::model::{ConnectionId, Flow};
use crate::number_map::NumberMap;
use backlog::Backlog;
use found::Found;
use line::Line;
use retained::{Retained, Walks};
use share::Share;

pub(crate) use crate::model::id::SessionId;
use handshake::Handshakes;
pub use handshake::Resumed;
use lifetime::Absence;
pub use lifetime::{Attach, Attached, Leaving};
pub(crate) use lifetime::{Parting, Remains, Stale};
pub use options::{SubscriptionOptions, Will};
pub use pending::Push;
pub use subscription::{RetainHandling, SubscribeRefusal, SubscribeRequest};
pub(crate) use system::Census;

/// A message that waits for the client of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The message.
    pub message: Arc<Message>,
    /// The QoS that it is sent with.
    pub qos: Qos,
    /// The RETAIN flag that it is sent with.
    pub retain: bool,
    /// Of all subscriptions that it matched.
    pub identifiers: Vec<u32>,
    /// The shared subscription that it came by, as its whole filter.
    pub share: Option<Name>,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_identifier: Name,
    presence: Presence,
    /// Whether the connection takes deliveries.
    pub(crate) flow: Flow,
    /// How long it outlives its connection; None is for ever.
    expiry: Option<Duration>,
    subscriptions: FewMap<Box<str>, SubscriptionOptions>,
    pending: Backlog,
    /// What is retained for its subscriptions, and not sent yet.
    walks: Walks,
    /// As a member of shares it is passed over, until half of what waits is gone.
    is_full: bool,
    /// From the first one on, until it is at rest.
    handshakes: Option<Box<Handshakes>>,
    /// The number of the last message in flight.
    last_number: u64,
    /// The packet identifier that was assigned last.
    last_identifier: u16,
    /// How many may be in flight.
    credit: u16,
    will: Option<Box<Will>>,
    /// What changes of it is kept: it may outlive its connection, and the broker.
    is_kept: bool,
    /// In the line of those that may have something to send.
    announced: bool,
}

/// Whether a session has a connection.
#[derive(Debug)]
enum Presence {
    Here(ConnectionId),
    /// None while it is not known since when.
    Away(Option<Box<Absence>>),
}

impl Session {
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self.presence {
            Presence::Here(connection) => Some(connection),
            Presence::Away(_) => None,
        }
    }

    /// Takes no memory for what there is none of.
    fn rest(&mut self) {
        self.pending.rest();
        self.handshakes.take_if(|handshakes| handshakes.is_empty());
    }

    /// Whether a message that it has been given outlives the broker there.
    fn keeps(&self, qos: Qos) -> bool {
        self.is_kept && qos > Qos::AtMostOnce
    }
}

/// A place of a message in a session, to be kept.
fn target(id: SessionId, position: u64, pending: &Pending, sent: Option<Sent>) -> Target {
    let Pending {
        message,
        qos,
        retain,
        identifiers,
        share,
    } = pending;
    Target {
        backlog: id.into(),
        position,
        expires: message.expiry(),
        returned: 0,
        copy: Some(Box::new(Copied {
            qos: *qos,
            retain: *retain,
            identifiers: identifiers.clone(),
            share: share.clone(),
            sent,
        })),
    }
}

/// Whose subscription to a filter it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SubscriberKey {
    Session(SessionId),
    /// By the whole filter, since two shares can have the same one inside.
    Share(Name),
}

/// A subscription that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    Session {
        id: SessionId,
        options: SubscriptionOptions,
    },
    Share(Name),
}

impl Match {
    /// The session whose own subscription it is.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session { id, .. } => Some(*id),
            Self::Share(_) => None,
        }
    }
}

impl SubscriberKey {
    /// What a subscription of it with these options means to a message that matches.
    fn to(&self, options: SubscriptionOptions) -> Match {
        match self {
            Self::Session(id) => Match::Session { id: *id, options },
            Self::Share(name) => Match::Share(name.clone()),
        }
    }
}

/// All sessions of a virtual host, and what is retained there.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// In boxes: a map of numbers wants small values.
    all: NumberMap<SessionId, Box<Session>>,
    names: BTreeMap<Name, SessionId>,
    /// Nothing is looked at of the options of a share, whose members have their own.
    filters: Trie<SubscriberKey, SubscriptionOptions>,
    found: Found,
    shares: BTreeMap<Name, Share>,
    /// Sessions that have ended, and of which there still are filters.
    ended: BTreeSet<SessionId>,
    /// Those that may have something to send.
    ready: VecDeque<SessionId>,
    /// Clients that wait until a connection has given their session back.
    line: Line,
    retained: Retained,
    /// Counted as they change.
    census: Census,
}

impl Sessions {
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.get(&id).map(Box::as_ref)
    }

    /// Nothing has passed a session for a while: it takes as little memory as can be.
    pub(crate) fn rest(&mut self, id: SessionId) {
        if let Some(session) = self.all.get_mut(&id) {
            session.rest();
        }
    }

    /// Whether one may have something to send.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The session of a client, if there is one.
    pub(crate) fn find_client(&self, client_identifier: &str) -> Option<SessionId> {
        self.names.get(client_identifier).copied()
    }

    /// Copies that wait in sessions.
    pub(crate) fn pending_count(&self) -> u64 {
        self.all.values().map(|s| s.pending.len() as u64).sum()
    }

    /// Copies that clients of sessions have not settled.
    pub(crate) fn in_flight_count(&self) -> u64 {
        self.all.values().map(|s| s.in_flight().len() as u64).sum()
    }

    /// What each session holds.
    pub(crate) fn count(&self, virtual_host: &Name) -> impl Iterator<Item = SessionStatistics> {
        self.all.values().map(|session| SessionStatistics {
            virtual_host: virtual_host.clone(),
            client_identifier: session.client_identifier.clone(),
            connection: session.connection(),
            subscriptions: session.subscriptions.len(),
            ready: session.pending.len(),
            ready_bytes: session.pending.bytes(),
            unacknowledged: session.in_flight().len(),
            unreleased: session.received().count(),
        })
    }

    /// Finds the subscriptions to the topic that the routing key is. A key that
    /// can be no topic name (section 4.7.1) has none. Returns how many nodes were
    /// looked at.
    pub(crate) fn find(&mut self, routing_key: &str, matches: &mut Vec<Match>) -> usize {
        // Filters of sessions that have ended go one by one.
        let version = self.ended.is_empty().then(|| self.filters.version());
        if let Some(version) = version
            && let Some(found) = self.found.get(routing_key, version)
        {
            matches.extend_from_slice(found);
            return 1;
        }
        let before = matches.len();
        let steps = self.look_up(routing_key, matches);
        if let (Some(version), Some(found)) = (version, matches.get(before..)) {
            self.found.set(routing_key, version, found);
        }
        steps
    }

    fn look_up(&self, routing_key: &str, matches: &mut Vec<Match>) -> usize {
        let is_special = |byte: &u8| matches!(byte, b'+' | b'#' | 0);
        if routing_key.is_empty() || routing_key.as_bytes().iter().any(is_special) {
            return 0;
        }
        let leading = match routing_key.starts_with('$') {
            true => Leading::Nothing,
            false => Leading::Anything,
        };
        let key = [words(routing_key)].into_iter();
        self.filters
            .for_each_match(key, leading, |subscriber, options| {
                if !self.is_over(subscriber) {
                    matches.push(subscriber.to(*options));
                }
            })
    }

    /// Whether a filter is one of a session that has ended.
    fn is_over(&self, subscriber: &SubscriberKey) -> bool {
        match subscriber {
            SubscriberKey::Session(id) => !self.ended.is_empty() && self.ended.contains(id),
            SubscriberKey::Share(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
