//! Message groups (ActiveMQ): messages with the same `JMSXGroupID` go to one consumer, which
//! has the group from its first message on until it leaves or the group is closed.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::model::id::ConsumerId;
use crate::model::message::{Message, Text, Value};

/// The header that names the group of a message.
const GROUP: &str = "JMSXGroupID";

/// The header with the place of a message in its group: 1 has the group assigned anew, and
/// what is negative closes it.
const SEQUENCE: &str = "JMSXGroupSeq";

/// The header of the first message that a consumer gets of a group.
pub(super) const FIRST: &str = "JMSXGroupFirstForConsumer";

/// Groups of one queue that have a consumer, at most, as in ActiveMQ's default. One more
/// takes the place of the one whose last message was delivered first, which is then assigned
/// anew.
const MOST: usize = 1024;

/// A message's place in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) group: Text,
    begins: bool,
    closes: bool,
}

/// The group of a message, if it has one.
pub(super) fn membership(message: &Message) -> Option<Membership> {
    let headers = &message.properties.headers;
    let group = headers
        .get(GROUP)?
        .as_str()
        .filter(|name| !name.is_empty())?;
    let sequence = headers.get(SEQUENCE).and_then(|sequence| match sequence {
        Value::String(_) => sequence.as_str()?.trim().parse().ok(),
        number => number.as_int(),
    });
    Some(Membership {
        group: Text::from(group),
        begins: sequence == Some(1),
        closes: sequence.is_some_and(|sequence| sequence < 0),
    })
}

/// Whether a message has a group.
#[inline]
pub(crate) fn is_grouped(message: &Message) -> bool {
    !message.properties.headers.is_empty() && membership(message).is_some()
}

/// Which consumer has which groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    owners: BTreeMap<Text, (ConsumerId, u64)>,
    /// By their last deliveries.
    order: BTreeMap<u64, Text>,
    of: BTreeMap<ConsumerId, BTreeSet<Text>>,
    last: u64,
}

impl Groups {
    /// The consumer that alone may have a message.
    pub(super) fn owner(&self, membership: &Membership) -> Option<ConsumerId> {
        if membership.begins {
            return None;
        }
        let (consumer, _) = self.owners.get(&membership.group)?;
        Some(*consumer)
    }

    /// A consumer gets a message. Returns whether it is its first one of the group.
    pub(super) fn deliver(&mut self, membership: &Membership, consumer: ConsumerId) -> bool {
        let Membership {
            group,
            begins,
            closes,
        } = membership;
        let before = self.remove(group);
        if !closes {
            if self.owners.len() >= MOST
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.remove(&oldest);
            }
            self.last += 1;
            self.owners.insert(group.clone(), (consumer, self.last));
            self.order.insert(self.last, group.clone());
            self.of.entry(consumer).or_default().insert(group.clone());
        }
        *begins || before != Some(consumer)
    }

    fn remove(&mut self, group: &Text) -> Option<ConsumerId> {
        let (consumer, turn) = self.owners.remove(group)?;
        self.order.remove(&turn);
        if let Some(groups) = self.of.get_mut(&consumer) {
            groups.remove(group);
            if groups.is_empty() {
                self.of.remove(&consumer);
            }
        }
        Some(consumer)
    }

    /// A consumer leaves. Returns whether it had any groups.
    pub(super) fn release(&mut self, consumer: ConsumerId) -> bool {
        let Some(groups) = self.of.remove(&consumer) else {
            return false;
        };
        for group in groups {
            if let Some((_, turn)) = self.owners.remove(&group) {
                self.order.remove(&turn);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str, sequence: i64) -> Membership {
        let mut message = crate::model::queue::tests::message("");
        let headers = &mut message.properties.headers;
        headers.push(GROUP, Value::string(group));
        headers.push(SEQUENCE, Value::long(sequence));
        membership(&message).unwrap()
    }

    /// `Queue.assignMessageGroup` of ActiveMQ.
    #[test]
    fn a_group_stays_with_its_consumer() {
        let (a, b) = (ConsumerId(1), ConsumerId(2));
        let mut groups = Groups::default();
        // (group, sequence, who gets it, is it the first, whose the group is then)
        for (group, sequence, consumer, first, then) in [
            ("x", 0, a, true, Some(a)),
            ("x", 2, a, false, Some(a)),
            ("y", 0, b, true, Some(b)),
            ("x", -1, a, false, None),
            ("x", 0, b, true, Some(b)),
            ("x", 1, a, true, Some(a)),
        ] {
            let seen = groups.deliver(&of(group, sequence), consumer);
            assert_eq!(seen, first, "{group} {sequence}");
            assert_eq!(groups.owner(&of(group, 0)), then, "{group} {sequence}");
        }
        assert_eq!(groups.owner(&of("x", 1)), None, "it is assigned anew");
        assert!(groups.release(a));
        assert!(!groups.release(a));
        assert_eq!(groups.owner(&of("x", 0)), None);
        assert_eq!(groups.owner(&of("y", 0)), Some(b));
    }

    #[test]
    fn groups_are_bounded() {
        let mut groups = Groups::default();
        for n in 0..MOST + 10 {
            groups.deliver(&of(&alloc::format!("{n}"), 0), ConsumerId(1));
        }
        assert_eq!((groups.owners.len(), groups.order.len()), (MOST, MOST));
        assert_eq!(groups.owner(&of("9", 0)), None);
        assert_eq!(groups.owner(&of("10", 0)), Some(ConsumerId(1)));
    }
}
