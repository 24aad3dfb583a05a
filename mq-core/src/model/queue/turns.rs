//! The consumers of a queue that are to be asked, in their order.

use alloc::collections::BTreeSet;
use core::cmp::Reverse;
use core::ops::Bound;

use crate::model::id::ConsumerId;

/// Where a consumer stands: priority, turn, and its name.
pub(super) type Place = (Reverse<i64>, u64, ConsumerId);

/// The highest priority first, then who has waited longest. Most queues have one consumer at
/// most, and there are many queues: a tree has room for eleven from the first on.
#[derive(Debug)]
pub(super) enum Turns {
    One(Option<Place>),
    /// Since there were more than one.
    Many(BTreeSet<Place>),
}

impl Turns {
    pub(super) const fn new() -> Self {
        Self::One(None)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(one) => usize::from(one.is_some()),
            Self::Many(all) => all.len(),
        }
    }

    /// Adds a place, if it is not there.
    pub(super) fn insert(&mut self, place: Place) {
        match self {
            Self::One(Some(known)) if *known != place => {
                *self = Self::Many(BTreeSet::from([*known, place]));
            }
            Self::One(one) => *one = Some(place),
            Self::Many(all) => {
                all.insert(place);
            }
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        match self {
            Self::One(one) => {
                one.take_if(|known| known == place);
            }
            Self::Many(all) => {
                all.remove(place);
            }
        }
    }

    /// The first place, or the first one after another.
    pub(super) fn after(&self, passed: Option<Place>) -> Option<Place> {
        match (self, passed) {
            (Self::One(one), None) => *one,
            (Self::One(one), Some(passed)) => one.filter(|place| *place > passed),
            (Self::Many(all), None) => all.first().copied(),
            (Self::Many(all), Some(passed)) => {
                let after = (Bound::Excluded(passed), Bound::Unbounded);
                all.range(after).next().copied()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// It is the set that it stands for.
        #[test]
        fn it_is_a_set(changes in vec((0..3_i64, 0..3_u64, any::<bool>()), 0..40)) {
            let mut turns = Turns::new();
            let mut set = BTreeSet::new();
            for (priority, turn, comes) in changes {
                let place = (Reverse(priority), turn, ConsumerId(1));
                match comes {
                    true => {
                        turns.insert(place);
                        set.insert(place);
                    }
                    false => {
                        turns.remove(&place);
                        set.remove(&place);
                    }
                }
                prop_assert_eq!(turns.len(), set.len());
                prop_assert_eq!(turns.after(None), set.first().copied());
                let after = set.range((Bound::Excluded(place), Bound::Unbounded)).next();
                prop_assert_eq!(turns.after(Some(place)), after.copied());
            }
        }
    }
}
