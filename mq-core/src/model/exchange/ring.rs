//! The buckets of an `x-consistent-hash` exchange: each destination has as many as its weight,
//! one after the other in the order of binding, and a hash names one of them. With one more
//! bucket a hash stays where it is or moves into that one (Lamping and Veach, "A Fast, Minimal
//! Memory, Consistent Hash Algorithm", 2014: what RabbitMQ's plugin uses).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Destination;

/// Weights in a row, and which destination each is of. A sum up to any place, and the place of
/// any bucket, take as many steps as the number of places has bits.
#[derive(Debug, Default)]
pub(super) struct Ring {
    places: Vec<Place>,
    /// A Fenwick tree over the weights: the one at `n - 1` has the sum of the last
    /// `n & -n` weights up to there.
    sums: Vec<u64>,
    by_destination: BTreeMap<Destination, usize>,
}

#[derive(Debug)]
struct Place {
    /// None: it is gone, and its weight is nothing.
    destination: Option<Destination>,
    weight: u64,
}

/// The largest weight: so that those of as many bindings as fit in memory can be added up.
pub(super) const HEAVIEST: u64 = u32::MAX as u64;

impl Ring {
    /// Adds the buckets of a destination after all others. One that has some keeps those, as
    /// in RabbitMQ.
    pub(super) fn insert(&mut self, destination: &Destination, weight: u64) {
        if self.by_destination.contains_key(destination) {
            return;
        }
        self.by_destination
            .insert(destination.clone(), self.places.len());
        self.push(Place {
            destination: Some(destination.clone()),
            weight,
        });
    }

    fn push(&mut self, place: Place) {
        let end = self.places.len() + 1;
        // The sum of the places that the new one covers, itself among them.
        let mut sum = place.weight;
        let (mut at, first) = (end - 1, end - lowest_bit(end));
        while at > first {
            sum += self.sums.get(at - 1).copied().unwrap_or_default();
            at -= lowest_bit(at);
        }
        self.sums.push(sum);
        self.places.push(place);
    }

    /// Takes the buckets of a destination out; those after them move up.
    pub(super) fn remove(&mut self, destination: &Destination) {
        let Some(at) = self.by_destination.remove(destination) else {
            return;
        };
        let Some(place) = self.places.get_mut(at) else {
            return;
        };
        place.destination = None;
        let weight = core::mem::take(&mut place.weight);
        let mut n = at + 1;
        while let Some(sum) = self.sums.get_mut(n - 1) {
            *sum -= weight;
            n += lowest_bit(n);
        }
        if self.places.len() > 2 * self.by_destination.len() {
            self.close_up();
        }
    }

    /// Leaves out the places that are gone: after so many removals as there are places left.
    fn close_up(&mut self) {
        self.sums.clear();
        for place in core::mem::take(&mut self.places) {
            if let Some(destination) = &place.destination {
                self.by_destination
                    .insert(destination.clone(), self.places.len());
                self.push(place);
            }
        }
    }

    /// All buckets.
    fn total(&self) -> u64 {
        let mut total = 0;
        let mut n = self.sums.len();
        while n > 0 {
            total += self.sums.get(n - 1).copied().unwrap_or_default();
            n -= lowest_bit(n);
        }
        total
    }

    /// The destination that a hash leads to.
    pub(super) fn find(&self, hash: u64) -> Option<&Destination> {
        let mut left = jump(hash, self.total())?;
        // The last place before which there are no more buckets than that.
        let mut at = 0;
        let mut step = self.sums.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            let sum = self.sums.get(at + step - 1);
            if let Some(sum) = sum.filter(|sum| **sum <= left) {
                left -= sum;
                at += step;
            }
            step /= 2;
        }
        self.places.get(at)?.destination.as_ref()
    }
}

/// The lowest bit that is set.
fn lowest_bit(n: usize) -> usize {
    n & n.wrapping_neg()
}

/// The bucket of a hash, of so many. None: there is none.
fn jump(mut hash: u64, buckets: u64) -> Option<u64> {
    let (mut bucket, mut next) = (None, 0);
    while next < buckets {
        bucket = Some(next);
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let share = (1_u64 << 31) as f64 / ((hash >> 33) + 1) as f64;
        next = ((next + 1) as f64 * share) as u64;
    }
    bucket
}

/// A hash of bytes, the same everywhere: FNV-1a, with its bits mixed.
pub(super) fn hash<T: AsRef<[u8]>>(parts: &[T]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.as_ref() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::QueueId;
    use proptest::prelude::*;

    /// Every bucket in a row.
    #[derive(Default)]
    struct Naive(Vec<Destination>);

    impl Naive {
        fn insert(&mut self, destination: &Destination, weight: u64) {
            if !self.0.contains(destination) {
                let buckets = core::iter::repeat_n(destination.clone(), weight as usize);
                self.0.extend(buckets);
            }
        }

        fn remove(&mut self, destination: &Destination) {
            self.0.retain(|other| other != destination);
        }

        fn find(&self, hash: u64) -> Option<&Destination> {
            let bucket = jump(hash, self.0.len() as u64)?;
            self.0.get(bucket as usize)
        }
    }

    fn queue(id: u64) -> Destination {
        Destination::Queue(QueueId(id))
    }

    proptest! {
        /// A weight of zero removes.
        #[test]
        fn it_is_a_row_of_buckets(
            steps in prop::collection::vec((0_u64..12, 0_u64..6), 0..60),
            hashes in prop::collection::vec(any::<u64>(), 1..20),
        ) {
            let (mut ring, mut naive) = (Ring::default(), Naive::default());
            for (id, weight) in steps {
                if weight == 0 {
                    ring.remove(&queue(id));
                    naive.remove(&queue(id));
                } else {
                    ring.insert(&queue(id), weight);
                    naive.insert(&queue(id), weight);
                }
                prop_assert_eq!(ring.total(), naive.0.len() as u64);
                for hash in &hashes {
                    prop_assert_eq!(ring.find(*hash), naive.find(*hash));
                }
            }
        }

        /// What moves when there is one destination more moves to that one.
        #[test]
        fn it_is_consistent(
            weights in prop::collection::vec(1_u64..9, 1..9),
            hashes in prop::collection::vec(any::<u64>(), 1..50),
        ) {
            let mut ring = Ring::default();
            for (id, weight) in weights.iter().enumerate() {
                let before: Vec<_> = hashes.iter().map(|h| ring.find(*h).cloned()).collect();
                let new = queue(id as u64);
                ring.insert(&new, *weight);
                for (hash, before) in hashes.iter().zip(before) {
                    let after = ring.find(*hash).cloned();
                    prop_assert!(after == before || after.as_ref() == Some(&new));
                }
            }
        }
    }

    /// Messages go to destinations in proportion to their weights.
    #[test]
    fn weights_are_proportions() {
        let mut ring = Ring::default();
        for (id, weight) in [(1, 1), (2, 2), (3, 5)] {
            ring.insert(&queue(id), weight);
        }
        let mut counts = [0; 4];
        for n in 0..8000_u32 {
            if let Some(Destination::Queue(id)) = ring.find(hash(&[n.to_be_bytes()])) {
                counts[id.0 as usize] += 1;
            }
        }
        for (id, expected) in [(1, 1000_i32), (2, 2000), (3, 5000)] {
            let count: i32 = counts[id];
            assert!((count - expected).abs() < expected / 10 + 50, "{counts:?}");
        }
    }

    /// A weight that is larger than all memory costs nothing.
    #[test]
    fn heavy_destinations() {
        let mut ring = Ring::default();
        for id in 0..1000 {
            ring.insert(&queue(id), HEAVIEST);
        }
        assert!(ring.find(7).is_some());
        for id in 0..1000 {
            ring.remove(&queue(id));
        }
        assert!(ring.find(7).is_none());
    }
}
