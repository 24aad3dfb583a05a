//! Publisher confirms (RabbitMQ), on the publishing side: which publishes are
//! not confirmed yet, and which of them an ack or nack means.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

/// Publish tags that are not confirmed yet, as ranges: publishes are numbered
/// without a gap, so there is one range until confirms come out of order.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// First and last tag of each, ascending, apart from each other.
    ranges: VecDeque<(u64, u64)>,
}

impl Unconfirmed {
    /// The next publish; tags ascend by one.
    pub(super) fn push(&mut self, tag: u64) {
        match self.ranges.back_mut() {
            Some((_, last)) if *last + 1 == tag => *last = tag,
            _ => self.ranges.push_back((tag, tag)),
        }
    }

    /// Takes the first range of tags that are outstanding and not above `tag`
    /// (any, if it is 0). With holes there are several: call it until `None`.
    pub(super) fn take_up_to(&mut self, tag: u64) -> Option<RangeInclusive<u64>> {
        let (first, last) = self.ranges.front_mut()?;
        if tag == 0 || *last <= tag {
            let range = *first..=*last;
            self.ranges.pop_front();
            Some(range)
        } else if *first <= tag {
            let range = *first..=tag;
            *first = tag + 1;
            Some(range)
        } else {
            None
        }
    }

    /// Takes one tag; whether it was outstanding.
    pub(super) fn take(&mut self, tag: u64) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < tag);
        let Some((first, last)) = self.ranges.get_mut(at) else {
            return false;
        };
        match (*first, *last) {
            (from, _) if from > tag => return false,
            (from, to) if from == to => {
                self.ranges.remove(at);
            }
            (from, _) if from == tag => *first += 1,
            (_, to) if to == tag => *last -= 1,
            (from, _) => {
                *first = tag + 1;
                self.ranges.insert(at, (from, tag - 1));
            }
        }
        true
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| last - first + 1)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The ranges do what a plain set of tags does.
        #[test]
        fn ranges_are_a_set(steps in proptest::collection::vec((0..3, 0u64..40), 0..120)) {
            let mut ranges = Unconfirmed::default();
            let mut set = BTreeSet::new();
            let mut next = 1;
            for (step, tag) in steps {
                match step {
                    0 => {
                        ranges.push(next);
                        set.insert(next);
                        next += 1;
                    }
                    1 => prop_assert_eq!(ranges.take(tag), set.remove(&tag)),
                    _ => {
                        let mut taken = Vec::new();
                        while let Some(range) = ranges.take_up_to(tag) {
                            taken.extend(range);
                        }
                        let expected: Vec<_> =
                            set.iter().copied().filter(|&one| tag == 0 || one <= tag).collect();
                        prop_assert_eq!(&taken, &expected);
                        set.retain(|one| !expected.contains(one));
                    }
                }
                prop_assert_eq!(ranges.len(), set.len() as u64);
            }
        }
    }
}
