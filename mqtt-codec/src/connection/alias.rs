//! Topic aliases (5.0 section 3.3.2.3.4). They are worth nothing beyond their
//! network connection (MQTT-3.3.2-7).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::ResolvedTopicName;
use crate::{Rule, TopicName};

/// Which topic names get a topic alias when they are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopicAliasPolicy {
    /// None.
    #[default]
    Never,
    /// Each new topic name, until the maximum is reached, which is the peer's or this
    /// side's own: for few topic names that stay the same.
    UntilFull,
    /// Each topic name, which takes the alias of the one that has not been sent for the
    /// longest time once the maximum is reached: for topic names that come and go.
    LeastRecentlyUsed,
}

/// What the peer's topic aliases stand for.
// keeps: 5.0 MQTT-3.3.2-7
#[derive(Debug)]
pub(super) struct InboundAliases {
    names: BTreeMap<u16, Arc<str>>,
    maximum: u16,
}

impl InboundAliases {
    /// None where there are to be none: most connections have no use for them.
    pub(super) fn new(maximum: u16) -> Option<Box<Self>> {
        (maximum > 0).then(|| {
            Box::new(Self {
                names: BTreeMap::new(),
                maximum,
            })
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The topic name of a PUBLISH with a topic alias, which is resolved or remembered.
    // keeps: 5.0 MQTT-3.3.2-10, 5.0 MQTT-3.3.2-12
    #[inline(never)]
    pub(super) fn resolve<'a>(
        &mut self,
        alias: u16,
        name: TopicName<'a>,
    ) -> Result<ResolvedTopicName<'a>, Rule> {
        if alias > self.maximum {
            return Err(Rule::TopicAliasMaximum);
        }
        if name.is_empty() {
            return match self.names.get(&alias) {
                Some(name) => Ok(ResolvedTopicName::Shared(Arc::clone(name))),
                None => Err(Rule::TopicAliasUnknown),
            };
        }
        if self.names.get(&alias).is_none_or(|known| name != **known) {
            self.names.insert(alias, name.as_str().into());
        }
        Ok(ResolvedTopicName::Borrowed(name))
    }
}

/// The topic aliases that the peer has been told.
#[derive(Debug)]
pub(super) struct OutboundAliases {
    policy: TopicAliasPolicy,
    aliases: BTreeMap<Arc<str>, Alias>,
    /// Topic names by when they were sent last; kept for `LeastRecentlyUsed` only.
    by_age: BTreeMap<u64, Arc<str>>,
    /// How many messages with an alias have been sent.
    clock: u64,
    /// No alias is higher, so that no more topic names are kept.
    maximum: u16,
}

#[derive(Clone, Copy, Debug)]
struct Alias {
    number: u16,
    /// When it was sent last.
    sent: u64,
}

/// How a topic name is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AliasUse {
    /// By itself.
    None,
    /// With an alias, which the peer is to remember.
    Introduce(u16),
    /// As an alias alone.
    Replace(u16),
}

impl OutboundAliases {
    /// None where there are to be none.
    // keeps: 5.0 MQTT-3.1.2-27, 5.0 MQTT-3.2.2-18
    pub(super) fn new(policy: TopicAliasPolicy, maximum: u16) -> Option<Box<Self>> {
        (policy != TopicAliasPolicy::Never && maximum > 0).then(|| {
            Box::new(Self {
                policy,
                aliases: BTreeMap::new(),
                by_age: BTreeMap::new(),
                clock: 0,
                maximum,
            })
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.aliases.is_empty()
    }

    /// How `name` is to be sent. Once it has been, [`sent`](Self::sent) is to be told.
    // keeps: 5.0 MQTT-3.1.2-26, 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.3.2-9, 5.0 MQTT-3.3.2-11
    pub(super) fn choose(&self, name: &str) -> AliasUse {
        if let Some(alias) = self.aliases.get(name) {
            return AliasUse::Replace(alias.number);
        }
        if self.aliases.len() < usize::from(self.maximum) {
            // Below the maximum, which is a u16.
            return AliasUse::Introduce(self.aliases.len() as u16 + 1);
        }
        let oldest = self.by_age.first_key_value();
        match oldest.and_then(|(_, oldest)| self.aliases.get(oldest)) {
            Some(alias) => AliasUse::Introduce(alias.number),
            None => AliasUse::None,
        }
    }

    pub(super) fn sent(&mut self, name: &str, alias: AliasUse) {
        let sent = self.clock + 1;
        match alias {
            AliasUse::None => return,
            AliasUse::Replace(_) => {
                if let Some(alias) = self.aliases.get_mut(name) {
                    // Only those that are to be forgotten have an age.
                    if let Some(name) = self.by_age.remove(&alias.sent) {
                        self.by_age.insert(sent, name);
                    }
                    alias.sent = sent;
                }
            }
            AliasUse::Introduce(number) => {
                if self.aliases.len() == usize::from(self.maximum)
                    && let Some((_, oldest)) = self.by_age.pop_first()
                {
                    self.aliases.remove(&oldest);
                }
                let name: Arc<str> = name.into();
                if self.policy == TopicAliasPolicy::LeastRecentlyUsed {
                    self.by_age.insert(sent, Arc::clone(&name));
                }
                self.aliases.insert(name, Alias { number, sent });
            }
        }
        self.clock = sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbound() {
        let mut aliases = InboundAliases::new(2).unwrap();
        let mut resolve = |alias, name| aliases.resolve(alias, TopicName::checked(name));
        assert_eq!(resolve(1, ""), Err(Rule::TopicAliasUnknown));
        assert_eq!(resolve(3, "a"), Err(Rule::TopicAliasMaximum));
        assert_eq!(resolve(1, "a").unwrap(), "a");
        assert_eq!(resolve(2, "b").unwrap(), "b");
        assert_eq!(resolve(1, "").unwrap(), "a");
        assert_eq!(resolve(1, "c").unwrap(), "c");
        assert_eq!(resolve(1, "").unwrap(), "c");
        assert_eq!(resolve(2, "").unwrap(), "b");
    }

    #[test]
    fn outbound() {
        let mut aliases = OutboundAliases::new(TopicAliasPolicy::UntilFull, 2).unwrap();
        for (name, expected) in [
            ("a", AliasUse::Introduce(1)),
            ("a", AliasUse::Replace(1)),
            ("b", AliasUse::Introduce(2)),
            ("c", AliasUse::None),
            ("b", AliasUse::Replace(2)),
        ] {
            let used = aliases.choose(name);
            assert_eq!(used, expected);
            aliases.sent(name, used);
        }
        let mut aliases = OutboundAliases::new(TopicAliasPolicy::LeastRecentlyUsed, 2).unwrap();
        for (name, expected) in [
            ("a", AliasUse::Introduce(1)),
            ("b", AliasUse::Introduce(2)),
            ("a", AliasUse::Replace(1)),
            ("c", AliasUse::Introduce(2)),
            ("a", AliasUse::Replace(1)),
            ("b", AliasUse::Introduce(2)),
            ("c", AliasUse::Introduce(1)),
            ("b", AliasUse::Replace(2)),
        ] {
            let used = aliases.choose(name);
            assert_eq!(used, expected, "{name}");
            aliases.sent(name, used);
            assert!(aliases.aliases.len() <= 2 && aliases.by_age.len() <= 2);
        }
        assert!(OutboundAliases::new(TopicAliasPolicy::Never, 9).is_none());
        assert!(OutboundAliases::new(TopicAliasPolicy::UntilFull, 0).is_none());
    }
}
