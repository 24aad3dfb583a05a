//! A map by numbers that are given out in order.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::iter;
use core::marker::PhantomData;
use core::ops::RangeFrom;

/// A key of a [`NumberMap`].
pub trait Number: Copy {
    /// The number that it is.
    fn number(self) -> u64;

    /// The key that is this number.
    fn of(number: u64) -> Self;
}

/// A map in the order of its keys, for what there may be a million of. Numbers that follow each
/// other lie together and without their keys: an entry takes little more than its value, where
/// a `BTreeMap` that grows at its end has room for two. Values are to be small, since others
/// are moved when one comes or goes.
#[derive(Debug)]
pub struct NumberMap<K, V> {
    pages: BTreeMap<u64, Page<V>>,
    len: usize,
    keys: PhantomData<K>,
}

/// The entries of [`PAGE`] numbers.
#[derive(Debug)]
struct Page<V> {
    /// A bit for each number that is there.
    present: u64,
    /// Their values, in order.
    values: Vec<V>,
}

/// Numbers of a page.
const PAGE: u64 = u64::BITS as u64;
/// A page gets room for so many more at one time, once it has so many.
const ROOM: usize = 8;

impl<V> Page<V> {
    const fn new() -> Self {
        Self {
            present: 0,
            values: Vec::new(),
        }
    }

    #[inline]
    fn has(&self, bit: u64) -> bool {
        self.present & (1 << bit) != 0
    }

    /// How many come before a number.
    #[inline]
    fn place(&self, bit: u64) -> usize {
        let all = (1 << bit) - 1;
        let (before, holes) = (self.present & all, !self.present & all);
        // Mostly few are there, or few are not. To count bits takes longer, where the processor
        // is not known to do it.
        let count = match (
            before & before.wrapping_sub(1),
            holes & holes.wrapping_sub(1),
        ) {
            (0, _) => u64::from(before != 0),
            (_, 0) => bit - u64::from(holes != 0),
            _ => before.count_ones().into(),
        };
        count as usize
    }

    #[inline]
    fn get(&self, bit: u64) -> Option<&V> {
        match self.has(bit) {
            true => self.values.get(self.place(bit)),
            false => None,
        }
    }

    #[inline]
    fn get_mut(&mut self, bit: u64) -> Option<&mut V> {
        match self.has(bit) {
            true => {
                let place = self.place(bit);
                self.values.get_mut(place)
            }
            false => None,
        }
    }

    fn add(&mut self, bit: u64, value: V) {
        let len = self.values.len();
        if len == self.values.capacity() {
            self.values.reserve_exact(len.clamp(1, ROOM));
        }
        self.values.insert(self.place(bit), value);
        self.present |= 1 << bit;
    }

    fn remove(&mut self, bit: u64) -> Option<V> {
        if !self.has(bit) {
            return None;
        }
        let removed = self.values.remove(self.place(bit));
        self.present &= !(1 << bit);
        if self.values.capacity() > self.values.len() + 2 * ROOM {
            self.values.shrink_to(self.values.len() + ROOM);
        }
        Some(removed)
    }

    /// The numbers from one on that are there, with their values.
    fn iter(&self, from: u64) -> impl Iterator<Item = (u64, &V)> {
        let mut left = self.present & (u64::MAX << from);
        let bits = iter::from_fn(move || {
            let bit = u64::from(left.trailing_zeros());
            left &= left.checked_sub(1)?;
            Some(bit)
        });
        bits.zip(self.values.iter().skip(self.place(from)))
    }
}

impl<K, V> Default for NumberMap<K, V> {
    fn default() -> Self {
        Self {
            pages: BTreeMap::new(),
            len: 0,
            keys: PhantomData,
        }
    }
}

impl<K: Number, V> NumberMap<K, V> {
    #[inline]
    fn split(key: K) -> (u64, u64) {
        let number = key.number();
        (number / PAGE, number % PAGE)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let (page, bit) = Self::split(*key);
        self.pages.get(&page)?.get(bit)
    }

    /// The value of a key, to be changed.
    #[inline]
    #[must_use]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (page, bit) = Self::split(*key);
        self.pages.get_mut(&page)?.get_mut(bit)
    }

    /// Whether a key has a value.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts a value there, and returns the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (page, bit) = Self::split(key);
        let page = self.pages.entry(page).or_insert(Page::new());
        match page.get_mut(bit) {
            Some(there) => Some(core::mem::replace(there, value)),
            None => {
                page.add(bit, value);
                self.len += 1;
                None
            }
        }
    }

    /// The value that is there, or else the default, which is there from now on.
    pub(crate) fn get_or_default(&mut self, key: K) -> Option<&mut V>
    where
        V: Default,
    {
        if !self.contains_key(&key) {
            self.insert(key, V::default());
        }
        self.get_mut(&key)
    }

    /// Takes out a value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (number, bit) = Self::split(*key);
        let page = self.pages.get_mut(&number)?;
        let removed = page.remove(bit)?;
        if page.values.is_empty() {
            self.pages.remove(&number);
        }
        self.len -= 1;
        Some(removed)
    }

    /// The entries from a key on.
    pub(crate) fn range(&self, range: RangeFrom<K>) -> impl Iterator<Item = (K, &V)> {
        let (first, bit) = Self::split(range.start);
        let pages = self.pages.range(first..);
        pages.flat_map(move |(page, entries)| {
            let from = if *page == first { bit } else { 0 };
            let entries = entries.iter(from);
            entries.map(move |(bit, value)| (K::of(page * PAGE + bit), value))
        })
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.range(K::of(0)..)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.pages.values().flat_map(|page| &page.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    impl Number for u64 {
        fn number(self) -> u64 {
            self
        }

        fn of(number: u64) -> Self {
            number
        }
    }

    /// The keys are few, at the edges of pages and at both ends.
    fn key() -> impl Strategy<Value = u64> {
        prop_oneof![0..130_u64, u64::MAX - 65..=u64::MAX]
    }

    proptest! {
        /// It is the map that it stands for, and has little room that it does not need.
        #[test]
        fn it_is_a_map(acts in vec((key(), 0..4_u8), 0..400)) {
            let mut map = NumberMap::default();
            let mut model = BTreeMap::new();
            for (n, (key, act)) in acts.into_iter().enumerate() {
                match act {
                    0 | 1 => prop_assert_eq!(map.insert(key, n), model.insert(key, n)),
                    2 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    _ => prop_assert_eq!(
                        map.get_or_default(key).copied(),
                        Some(*model.entry(key).or_default())
                    ),
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.get_mut(&key), model.get_mut(&key));
                prop_assert!(map.range(key..).eq(model.range(key..).map(|(k, v)| (*k, v))));
                prop_assert!(map.values().eq(model.values()));
                for page in map.pages.values() {
                    let len = page.values.len();
                    prop_assert!(len > 0 && page.values.capacity() <= len + 2 * ROOM);
                }
            }
            prop_assert!(map.keys().eq(model.keys().copied()));
        }
    }

    /// Pages that are full have room for nothing else.
    #[test]
    fn what_follows_each_other_lies_together() {
        let mut map = NumberMap::default();
        for number in 0..10 * PAGE {
            map.insert(number, ());
        }
        assert_eq!(map.pages.len(), 10);
        let mut map = NumberMap::default();
        for number in 0..PAGE {
            map.insert(number, 0_u64);
        }
        assert_eq!(map.pages[&0].values.capacity() as u64, PAGE);
    }
}
