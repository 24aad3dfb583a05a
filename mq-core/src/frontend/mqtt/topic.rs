//! Which topics clients mean, and which they may publish to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use mqtt_codec::Connect;

use super::MqttFrontEnd;
use crate::admission::Terms;
use crate::config::Config;
use crate::rewrite::{NoTopic, Use, Who, rewrite};

/// Whether clients may publish to a topic (MQTT 5.0 section 4.7.2): not to `$SYS`, and
/// to others that begin with `$` only where the settings allow it.
pub(super) fn may_publish(config: &Config, state_topics: bool, topic: &str) -> bool {
    match topic.strip_prefix('$') {
        None => true,
        Some(_) if state_topics && topic.starts_with(STATE) => true,
        Some(rest) => config.dollar_topics && rest.split('/').next() != Some("SYS"),
    }
}

/// What begins the topics by which bridges say whether they are connected.
const STATE: &str = "$SYS/broker/connection/";

/// What begins the topic of a message that is published later (EMQX:
/// `$delayed/SECONDS/TOPIC`).
const DELAYED: &str = "$delayed/";

/// EMQX's longest delay, in seconds.
const LONGEST_DELAY: u32 = 42_949_670;

/// What the topic of a PUBLISH says: for how many seconds it waits, if it does, and for which
/// topic. None: it is not for clients.
pub(super) fn published<'a>(
    config: &Config,
    state_topics: bool,
    topic: &'a str,
) -> Option<(Option<u32>, &'a str)> {
    if !may_publish(config, state_topics, topic) {
        return None;
    }
    let Some(rest) = topic.strip_prefix(DELAYED) else {
        return Some((None, topic));
    };
    let (seconds, topic) = rest.split_once('/')?;
    let seconds = seconds.parse().ok()?;
    let fine = seconds <= LONGEST_DELAY && !topic.is_empty() && may_publish(config, false, topic);
    fine.then_some((Some(seconds), topic))
}

impl MqttFrontEnd {
    /// Keeps who the client is, where topics may have other names by that.
    pub(super) fn set_who(&mut self, connect: &Connect<'_>, terms: &Terms, client: &str) {
        if self.config.topic_rewrites.is_empty() {
            return;
        }
        let given = connect.user_name.map(|user| user.as_str());
        let given = given.filter(|user| !user.is_empty());
        let user = given.or(terms.identity.as_deref()).unwrap_or_default();
        self.who = Some(Box::new(Who {
            user: String::from(user),
            client: String::from(client),
        }));
    }

    /// The topic that is meant by the name that a client uses.
    pub(super) fn renamed<'a>(&self, what: Use, name: &'a str) -> Result<Cow<'a, str>, NoTopic> {
        let rules = &self.config.topic_rewrites;
        match &self.who {
            Some(who) => rewrite(rules, what, name, who, self.config.limits.topic_levels),
            None => Ok(Cow::Borrowed(name)),
        }
    }

    /// The same for a filter: of a shared subscription the part that topics are held against.
    pub(super) fn renamed_filter<'a>(&self, filter: &'a str) -> Result<Cow<'a, str>, NoTopic> {
        if self.who.is_none() {
            return Ok(Cow::Borrowed(filter));
        }
        let inner = match self.is_5() {
            true => filter.strip_prefix("$share/"),
            false => None,
        };
        let Some((group, inner)) = inner.and_then(|rest| rest.split_once('/')) else {
            return self.renamed(Use::Subscribe, filter);
        };
        Ok(match self.renamed(Use::Subscribe, inner)? {
            Cow::Borrowed(_) => Cow::Borrowed(filter),
            Cow::Owned(inner) => Cow::Owned(alloc::format!("$share/{group}/{inner}")),
        })
    }
}
