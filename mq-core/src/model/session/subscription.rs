//! Subscribing and unsubscribing (MQTT 5.0 sections 3.8 and 3.10).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::share::Side;
use super::{Session, SessionId, Sessions, SubscriberKey, SubscriptionOptions};
use crate::model::change::{Change, KeptSubscription};
use crate::model::message::{Name, Qos};
use crate::model::shared::Shared;
use crate::model::topic::{Segment, topic_filter};

/// Which retained messages a subscription wants (section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    /// Those that match (0).
    Send,
    /// Those that match, unless there was a subscription with this filter (1).
    SendIfNew,
    /// None (2).
    DoNotSend,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    /// The whole filter; with `shared`, one that begins with `$share/`.
    pub filter: Name,
    /// `$share/` has its meaning (from MQTT 5.0 on).
    pub shared: bool,
    /// Why it is refused whatever its user may do, if it is.
    pub refused: Option<SubscribeRefusal>,
    /// What it asks for.
    pub options: SubscriptionOptions,
    /// Which retained messages it wants.
    pub retain_handling: RetainHandling,
}

impl SubscribeRequest {
    /// The filter that topics are held against.
    pub(crate) fn topic_filter(&self) -> &str {
        let inner = self.shared.then(|| shared_filter(&self.filter)).flatten();
        inner.unwrap_or(&self.filter)
    }
}

/// Why there is no subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeRefusal {
    /// The session has as many as it may.
    TooMany,
    /// The filter is not for this user.
    NotAuthorized,
    /// The filter is not one that this broker serves.
    NotAvailable,
    /// By a rule of the settings it has a name that is no filter.
    NoFilter,
}

/// What the filter of a shared subscription begins with.
const SHARE: &str = "$share/";

/// The filter inside `$share/NAME/FILTER`.
fn shared_filter(filter: &str) -> Option<&str> {
    let (_name, filter) = filter.strip_prefix(SHARE)?.split_once('/')?;
    Some(filter)
}

impl Session {
    /// The filters of its shared subscriptions, which lie together, under their prefix.
    pub(super) fn shared_filters(&self) -> impl Iterator<Item = &Box<str>> {
        let subscriptions = self.subscriptions.range_from(SHARE);
        let filters = subscriptions.map(|(filter, _)| filter);
        filters.take_while(|filter| filter.starts_with(SHARE))
    }
}

impl Sessions {
    /// Adds a subscription, in place of one with the same filter, and queues
    /// the retained messages that it wants.
    pub(crate) fn subscribe(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        request: SubscribeRequest,
    ) -> Result<Qos, SubscribeRefusal> {
        let limit = shared.limits.subscriptions;
        let Some(session) = self.all.get(&id) else {
            return Err(SubscribeRefusal::TooMany);
        };
        let (name, options) = (request.filter, request.options);
        let filter = &*name;
        let is_new = !session.subscriptions.contains_key(filter);
        if is_new && session.subscriptions.len() >= limit {
            return Err(SubscribeRefusal::TooMany);
        }
        if session.is_kept {
            let kept = KeptSubscription {
                session: id,
                filter: name.clone(),
                shared: request.shared,
                options,
            };
            shared.changes.push(Change::Subscribed(Box::new(kept)));
        }
        let Some(pattern) = self.add_subscription(id, name.clone(), request.shared, options) else {
            // Retained messages are not for shared subscriptions (section 4.8.2).
            return Ok(options.qos);
        };
        let wanted = match request.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if wanted {
            shared.statistics.steps += 1;
            let retained = &self.retained;
            if let Some(walk) = retained.walk(name, &pattern, options, shared.now)
                && let Some(session) = self.all.get_mut(&id)
            {
                session.walks.push(walk);
            }
            self.announce(id);
        }
        Ok(options.qos)
    }

    /// Adds a subscription, in place of one with the same filter. Returns its filter as the
    /// trie wants it, unless it is a shared one.
    pub(super) fn add_subscription(
        &mut self,
        id: SessionId,
        name: Name,
        shared: bool,
        options: SubscriptionOptions,
    ) -> Option<Vec<Segment>> {
        let session = self.all.get_mut(&id)?;
        let filter = &*name;
        session.walks.remove(filter);
        let is_new = session
            .subscriptions
            .insert(Box::from(filter), options)
            .is_none();
        let share = if shared { shared_filter(filter) } else { None };
        if let Some(inner) = share {
            let share = self.shares.entry(name.clone()).or_default();
            if share.is_empty() {
                let pattern = topic_filter(inner);
                let key = SubscriberKey::Share(name);
                self.filters.insert(&pattern, key, options);
            }
            share.add(id);
            self.census.shared += usize::from(is_new);
            return None;
        }
        self.census.subscriptions += usize::from(is_new);
        let pattern = topic_filter(filter);
        let key = SubscriberKey::Session(id);
        self.filters.insert(&pattern, key, options);
        Some(pattern)
    }

    /// Removes a subscription, and tells whether it was there.
    pub(crate) fn unsubscribe(&mut self, shared: &mut Shared, id: SessionId, filter: &str) -> bool {
        let found = self.remove_subscription(id, filter);
        if found && self.get(id).is_some_and(|session| session.is_kept) {
            let filter = Name::from(filter);
            shared.changes.push(Change::Unsubscribed {
                session: id,
                filter,
            });
        }
        found
    }

    pub(super) fn remove_subscription(&mut self, id: SessionId, filter: &str) -> bool {
        let Some(session) = self.all.get_mut(&id) else {
            return false;
        };
        if session.subscriptions.remove(filter).is_none() {
            return false;
        }
        session.walks.remove(filter);
        self.forget_subscription(id, filter);
        true
    }

    /// No message goes to a session by that filter any more.
    pub(super) fn forget_subscription(&mut self, id: SessionId, filter: &str) {
        if let Some(share) = self.shares.get_mut(filter) {
            let was_member = share.remove(id);
            if share.is_empty() {
                self.shares.remove(filter);
                if let Some(inner) = shared_filter(filter) {
                    let pattern = topic_filter(inner);
                    let key = SubscriberKey::Share(Name::from(filter));
                    self.filters.remove(&pattern, &key);
                }
            }
            if was_member {
                // A client of 3.x may have begun it, which has no shares.
                self.census.shared = self.census.shared.saturating_sub(1);
                return;
            }
        }
        self.census.subscriptions = self.census.subscriptions.saturating_sub(1);
        let pattern = topic_filter(filter);
        let key = SubscriberKey::Session(id);
        self.filters.remove(&pattern, &key);
    }

    /// A session has got a connection, or lost it: its shared subscriptions know.
    pub(super) fn tell_shares(&mut self, id: SessionId) {
        let Some(session) = self.all.get(&id) else {
            return;
        };
        let side = match (session.is_full, session.connection()) {
            (true, _) => Side::Full,
            (false, Some(_)) => Side::Connected,
            (false, None) => Side::Away,
        };
        for filter in session.shared_filters() {
            if let Some(share) = self.shares.get_mut(&**filter) {
                share.set_side(id, side);
            }
        }
    }
}
