//! Sets of packet identifiers.

use alloc::collections::VecDeque;

use crate::PacketIdentifier;

/// Packet identifiers of messages that wait for an acknowledgement.
///
/// They come in ascending order and go in the same, as a rule: a sorted queue, at whose
/// ends each step takes constant time. In whatever order a peer uses them, a step moves
/// 64 KiB at most.
#[derive(Debug, Default)]
pub(super) struct Identifiers(VecDeque<PacketIdentifier>);

impl Identifiers {
    #[inline]
    pub(super) fn contains(&self, identifier: PacketIdentifier) -> bool {
        match self.0.back() {
            None => false,
            Some(&last) if identifier > last => false,
            Some(_) => self.0.binary_search(&identifier).is_ok(),
        }
    }

    /// Adds an identifier that is not in it.
    #[inline]
    pub(super) fn insert(&mut self, identifier: PacketIdentifier) {
        match self.0.back() {
            Some(&last) if identifier <= last => {
                if let Err(at) = self.0.binary_search(&identifier) {
                    self.0.insert(at, identifier);
                }
            }
            _ => self.0.push_back(identifier),
        }
    }

    /// Takes an identifier out; whether it was in it.
    #[inline]
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> bool {
        if self.0.front() == Some(&identifier) {
            self.0.pop_front();
            return true;
        }
        match self.0.binary_search(&identifier) {
            Ok(at) => self.0.remove(at).is_some(),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_a_set(steps in prop::collection::vec((any::<bool>(), 1..20u16), 0..200)) {
            let (mut identifiers, mut expected) = (Identifiers::default(), BTreeSet::new());
            for (add, identifier) in steps {
                let identifier = PacketIdentifier::new(identifier).unwrap();
                prop_assert_eq!(
                    identifiers.contains(identifier),
                    expected.contains(&identifier)
                );
                if add {
                    identifiers.insert(identifier);
                    expected.insert(identifier);
                } else {
                    prop_assert_eq!(
                        identifiers.remove(identifier),
                        expected.remove(&identifier)
                    );
                }
                prop_assert!(identifiers.0.iter().eq(&expected));
            }
        }
    }
}
