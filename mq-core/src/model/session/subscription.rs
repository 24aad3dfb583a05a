//! Subscribing and unsubscribing (MQTT 5.0 sections 3.8 and 3.10).

use alloc::vec::Vec;

use super::{Match, Pending, SessionId, Subscriber, SubscriptionOptions};
use crate::model::message::{Name, Qos};
use crate::model::topic::{Segment, topic_filter};
use crate::model::vhost::VirtualHost;

/// Which retained messages a subscription wants (section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    Send,
    SendIfNew,
    DoNotSend,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubscribeRequest<'a> {
    /// The whole filter; with `shared`, one that begins with `$share/`.
    pub(crate) filter: &'a str,
    /// `$share/` has its meaning (from MQTT 5.0 on).
    pub(crate) shared: bool,
    pub(crate) options: SubscriptionOptions,
    pub(crate) retain_handling: RetainHandling,
}

/// The session has as many subscriptions as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManySubscriptions;

/// The filter inside `$share/NAME/FILTER`.
fn shared_filter(filter: &str) -> Option<&str> {
    let (_name, filter) = filter.strip_prefix("$share/")?.split_once('/')?;
    Some(filter)
}

/// A filter as the trie wants it, and whether it begins with a wildcard.
fn pattern(filter: &str) -> (Vec<Segment>, bool) {
    let pattern = topic_filter(filter);
    let wildcard_first = matches!(pattern.first(), Some(Segment::One | Segment::Many));
    (pattern, wildcard_first)
}

impl VirtualHost {
    /// Adds a subscription, in place of one with the same filter, and queues
    /// the retained messages that it wants.
    pub(crate) fn subscribe(
        &mut self,
        id: SessionId,
        request: SubscribeRequest<'_>,
    ) -> Result<Qos, TooManySubscriptions> {
        let limit = self.limits.subscriptions;
        let sessions = &mut self.sessions;
        let Some(session) = sessions.all.get_mut(&id) else {
            return Err(TooManySubscriptions);
        };
        let SubscribeRequest {
            filter, options, ..
        } = request;
        let is_new = !session.subscriptions.contains_key(filter);
        if is_new && session.subscriptions.len() >= limit {
            return Err(TooManySubscriptions);
        }
        let name = Name::from(filter);
        session.subscriptions.insert(name.clone(), options);
        let share = if request.shared {
            shared_filter(filter)
        } else {
            None
        };
        if let Some(inner) = share {
            let share = sessions.shares.entry(name.clone()).or_default();
            if share.members.is_empty() {
                let (pattern, wildcard_first) = pattern(inner);
                let to = Match::Share(name);
                sessions
                    .filters
                    .insert(&pattern, Subscriber { wildcard_first, to });
            }
            if !share.members.contains(&id) {
                share.members.push_back(id);
            }
            // Retained messages are not for shared subscriptions (section 4.8.2).
            return Ok(options.qos);
        }
        let (pattern, wildcard_first) = pattern(filter);
        sessions.filters.remove(&pattern, |s| s.is_session(id));
        let to = Match::Session { id, options };
        sessions
            .filters
            .insert(&pattern, Subscriber { wildcard_first, to });
        let wanted = match request.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if wanted {
            let mut found = Vec::new();
            sessions.retained.matching(filter, self.now, |message| {
                found.push(Pending {
                    qos: message.properties.qos.min(options.qos),
                    retain: true,
                    identifiers: options.identifier.into_iter().collect(),
                    message: message.clone(),
                });
            });
            for pending in found {
                self.push_pending(id, pending);
            }
        }
        Ok(options.qos)
    }

    /// Removes a subscription, and tells whether it was there.
    pub(crate) fn unsubscribe(&mut self, id: SessionId, filter: &str) -> bool {
        let sessions = &mut self.sessions;
        let Some(session) = sessions.all.get_mut(&id) else {
            return false;
        };
        if session.subscriptions.remove(filter).is_none() {
            return false;
        }
        if let Some(share) = sessions.shares.get_mut(filter) {
            let before = share.members.len();
            share.members.retain(|member| *member != id);
            let was_member = share.members.len() < before;
            if share.members.is_empty() {
                sessions.shares.remove(filter);
                if let Some(inner) = shared_filter(filter) {
                    let (pattern, _) = pattern(inner);
                    sessions.filters.remove(
                        &pattern,
                        |s| matches!(&s.to, Match::Share(name) if **name == *filter),
                    );
                }
            }
            if was_member {
                return true;
            }
        }
        let (pattern, _) = pattern(filter);
        sessions.filters.remove(&pattern, |s| s.is_session(id));
        true
    }
}

impl Subscriber {
    fn is_session(&self, session: SessionId) -> bool {
        matches!(&self.to, Match::Session { id, .. } if *id == session)
    }
}
