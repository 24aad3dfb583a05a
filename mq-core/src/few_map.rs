//! A map that mostly has one entry.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::mem;
use core::ops::Bound;

/// A map in the order of its keys, for what a connection, a session or a queue has few of,
/// and there are many of those: a `BTreeMap` has room for eleven entries from the first on.
/// Only a large one is a tree.
#[derive(Debug, Clone)]
pub(crate) struct FewMap<K, V>(Entries<K, V>);

#[derive(Debug, Clone)]
enum Entries<K, V> {
    /// By key, in no more room than they need.
    Few(Box<[(K, V)]>),
    #[expect(clippy::box_collection, reason = "a map takes no more than the list")]
    Many(Box<BTreeMap<K, V>>),
}

/// Entries of a list at most.
const FEW: usize = 16;

impl<K, V> Default for FewMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> FewMap<K, V> {
    pub(crate) fn new() -> Self {
        Self(Entries::Few(Box::default()))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Entries::Few(list) => list.len(),
            Entries::Many(map) => map.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Entries::Few(list) => (Some(&**list), None),
            Entries::Many(map) => (None, Some(&**map)),
        };
        let few = few.into_iter().flatten().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flatten())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries, in the order of their keys.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        let (few, many) = match self.0 {
            Entries::Few(list) => (list.into_vec(), BTreeMap::new()),
            Entries::Many(map) => (Vec::new(), *map),
        };
        few.into_iter().chain(many)
    }
}

impl<K: Ord, V> FewMap<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match &self.0 {
            Entries::Few(list) => find(list, key).ok().map(|at| &list[at].1),
            Entries::Many(map) => map.get(key),
        }
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match &mut self.0 {
            Entries::Few(list) => find(list, key).ok().map(|at| &mut list[at].1),
            Entries::Many(map) => map.get_mut(key),
        }
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The entries from a key on, in order.
    pub(crate) fn range_from<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (few, many) = match &self.0 {
            Entries::Few(list) => {
                let (Ok(at) | Err(at)) = find(list, key);
                (Some(&list[at..]), None)
            }
            Entries::Many(map) => {
                let range = (Bound::Included(key), Bound::Unbounded);
                (None, Some(map.range(range)))
            }
        };
        let few = few.into_iter().flatten().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flatten())
    }

    /// Adds an entry. Returns the value that its key had before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.room_for(&key) {
            Entries::Few(list) => match find(list, &key) {
                Ok(at) => Some(mem::replace(&mut list[at].1, value)),
                Err(at) => {
                    put(list, at, (key, value));
                    None
                }
            },
            Entries::Many(map) => map.insert(key, value),
        }
    }

    /// The value of a key, which is made if there is none.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        match self.room_for(&key) {
            Entries::Few(list) => {
                let (Ok(at) | Err(at)) = find(list, &key);
                if list.get(at).is_none_or(|(known, _)| *known != key) {
                    put(list, at, (key, V::default()));
                }
                &mut list[at].1
            }
            Entries::Many(map) => map.entry(key).or_default(),
        }
    }

    /// The entries, which are a tree if this one would be one too many for a list.
    fn room_for(&mut self, key: &K) -> &mut Entries<K, V> {
        if let Entries::Few(list) = &mut self.0
            && list.len() == FEW
            && find(list, key).is_err()
        {
            let many = mem::take(list).into_iter().collect();
            self.0 = Entries::Many(Box::new(many));
        }
        &mut self.0
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match &mut self.0 {
            Entries::Few(list) => {
                let at = find(list, key).ok()?;
                let mut entries = mem::take(list).into_vec();
                let (_, value) = entries.remove(at);
                *list = entries.into_boxed_slice();
                Some(value)
            }
            Entries::Many(map) => map.remove(key),
        }
    }
}

/// Adds an entry in its place.
fn put<E>(list: &mut Box<[E]>, at: usize, entry: E) {
    let mut entries = mem::take(list).into_vec();
    entries.reserve_exact(1);
    entries.insert(at, entry);
    *list = entries.into_boxed_slice();
}

/// Where a key is; or where it would be, if it is not there.
fn find<K: Borrow<Q>, V, Q: Ord + ?Sized>(list: &[(K, V)], key: &Q) -> Result<usize, usize> {
    list.binary_search_by(|(known, _)| known.borrow().cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// It is the tree that it stands for, also where it becomes one.
        #[test]
        fn it_is_a_map(changes in vec((0..40_u8, any::<Option<u16>>(), any::<bool>()), 0..200)) {
            let mut map = FewMap::new();
            let mut tree = BTreeMap::new();
            for (key, value, whole) in changes {
                match value {
                    Some(value) if !whole => {
                        *map.or_default(key) = value;
                        *tree.entry(key).or_default() = value;
                    }
                    Some(value) => {
                        prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                    }
                    None => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                }
                prop_assert_eq!(map.get(&key), tree.get(&key));
                prop_assert_eq!(map.len(), tree.len());
                prop_assert!(map.iter().eq(tree.iter()));
                prop_assert!(map.range_from(&key).eq(tree.range(key..)));
            }
            prop_assert!(map.into_entries().eq(tree));
        }
    }

    /// A list takes the room of a pointer and a length, and its entries take no more than theirs.
    #[test]
    fn it_takes_little() {
        assert_eq!(size_of::<FewMap<u8, u64>>(), 16);
        let mut map = FewMap::new();
        for n in 0..=FEW as u8 {
            assert!(matches!(map.0, Entries::Few(_)), "{n}");
            map.insert(n, 0_u64);
        }
        assert!(matches!(map.0, Entries::Many(_)));
    }
}
