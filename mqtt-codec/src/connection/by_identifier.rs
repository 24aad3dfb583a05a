//! What is kept for packet identifiers.

use alloc::collections::VecDeque;
use core::fmt;

use crate::PacketIdentifier;

/// Entries that are kept allocated when there are none: what most connections need.
const KEPT: usize = 8;

/// A map from packet identifiers to something small.
///
/// Identifiers come in ascending order and go in about the same: a sorted queue, at whose ends
/// each step takes constant time. In whatever order a peer uses them, a step moves half of the
/// 65,535 entries at most.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ByIdentifier<T>(VecDeque<(PacketIdentifier, T)>);

impl<T> Default for ByIdentifier<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> ByIdentifier<T> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest identifier.
    #[inline]
    pub(super) fn last(&self) -> Option<PacketIdentifier> {
        self.0.back().map(|&(identifier, _)| identifier)
    }

    /// Where an identifier is, or would be.
    #[inline]
    pub(super) fn find(&self, identifier: PacketIdentifier) -> Result<usize, usize> {
        match (self.0.front(), self.0.back()) {
            (Some(&(front, _)), _) if front == identifier => Ok(0),
            (_, Some(&(back, _))) if identifier <= back => {
                self.0.binary_search_by_key(&identifier, |&(it, _)| it)
            }
            _ => Err(self.0.len()),
        }
    }

    #[inline]
    pub(super) fn contains(&self, identifier: PacketIdentifier) -> bool {
        self.find(identifier).is_ok()
    }

    #[inline]
    pub(super) fn get(&self, identifier: PacketIdentifier) -> Option<&T> {
        self.at(self.find(identifier).ok()?)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, identifier: PacketIdentifier) -> Option<&mut T> {
        let at = self.find(identifier).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Adds an entry, in the place of the one that has the same identifier.
    #[inline]
    pub(super) fn insert(&mut self, identifier: PacketIdentifier, value: T) {
        match self.find(identifier) {
            Err(at) if at == self.0.len() => self.0.push_back((identifier, value)),
            Err(at) => self.0.insert(at, (identifier, value)),
            Ok(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value;
                }
            }
        }
    }

    /// Adds an entry whose identifier comes after all others.
    #[inline]
    pub(super) fn push(&mut self, identifier: PacketIdentifier, value: T) {
        self.0.push_back((identifier, value));
    }

    /// The entry at a place that was found.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<&T> {
        self.0.get(place).map(|(_, value)| value)
    }

    /// Takes an entry out.
    #[inline]
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<T> {
        let place = self.find(identifier).ok()?;
        self.remove_at(place)
    }

    /// Takes out the entry at a place that was found.
    #[inline]
    pub(super) fn remove_at(&mut self, place: usize) -> Option<T> {
        let (_, value) = match place {
            0 => self.0.pop_front(),
            _ => self.0.remove(place),
        }?;
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
        Some(value)
    }

    /// The entries, by identifier.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PacketIdentifier, &T)> {
        self.0
            .iter()
            .map(|(identifier, value)| (*identifier, value))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The identifiers from `first` on, in their order.
    pub(super) fn identifiers_from(
        &self,
        first: PacketIdentifier,
    ) -> impl Iterator<Item = PacketIdentifier> + '_ {
        let (Ok(at) | Err(at)) = self.find(first);
        self.0.range(at..).map(|&(identifier, _)| identifier)
    }
}

impl<T> FromIterator<(PacketIdentifier, T)> for ByIdentifier<T> {
    fn from_iter<I: IntoIterator<Item = (PacketIdentifier, T)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (identifier, value) in entries {
            map.insert(identifier, value);
        }
        map
    }
}

impl<T: fmt::Debug> fmt::Debug for ByIdentifier<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..3_u8, 1..20_u16), 0..200)) {
            let (mut map, mut expected) = (ByIdentifier::new(), BTreeMap::new());
            for (value, (step, identifier)) in (0_u32..).zip(steps) {
                let identifier = PacketIdentifier::new(identifier).unwrap();
                match step {
                    0 => prop_assert_eq!(map.remove(identifier), expected.remove(&identifier)),
                    _ => {
                        map.insert(identifier, value);
                        expected.insert(identifier, value);
                    }
                }
                prop_assert_eq!(map.get(identifier), expected.get(&identifier));
                prop_assert_eq!(map.contains(identifier), expected.contains_key(&identifier));
                prop_assert!(map.iter().eq(expected.iter().map(|(i, v)| (*i, v))));
                prop_assert_eq!(map.is_empty(), expected.is_empty());
                let from = map.identifiers_from(identifier);
                prop_assert!(from.eq(expected.range(identifier..).map(|(i, _)| *i)));
            }
        }
    }
}
