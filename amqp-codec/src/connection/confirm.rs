//! Publisher confirms (RabbitMQ): which publishes are not confirmed yet, which of
//! them an ack or nack means, and which ack frame can say what is due.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::send::Tags;

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

    /// Takes what an ack or nack means.
    fn settle(&mut self, tags: Tags) {
        match tags {
            Tags::One(tag) => {
                self.take(tag);
            }
            Tags::UpTo(tag) => while self.take_up_to(tag).is_some() {},
        }
    }

    /// Whether one up to this tag is outstanding.
    fn is_any_up_to(&self, tag: u64) -> bool {
        self.ranges.front().is_some_and(|(first, _)| *first <= tag)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| last - first + 1)
            .sum()
    }
}

/// An ack frame.
#[derive(Clone, Copy, Debug)]
struct AckFrame {
    /// Where it lies in what is transmitted.
    position: u64,
    /// The tag that it names.
    tag: u64,
}

/// What a server owes the publishers of one channel.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    outstanding: Unconfirmed,
    /// The last ack, while later ones may be joined to it.
    last: Option<AckFrame>,
}

impl Confirms {
    /// Whether all publishes are confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.outstanding.ranges.is_empty()
    }

    /// The next publish; tags ascend by one.
    pub(super) fn published(&mut self, tag: u64) {
        self.outstanding.push(tag);
    }

    /// Takes note of an ack. Returns the position of the frame that can say it together
    /// with what it says already, and the tag up to which it then acknowledges.
    pub(super) fn ack(&mut self, publishes: Tags) -> Option<(u64, u64)> {
        self.outstanding.settle(publishes);
        let last = self.last.as_mut()?;
        let tag = last.tag.max(publishes.last());
        if self.outstanding.is_any_up_to(tag) {
            return None;
        }
        last.tag = tag;
        Some((last.position, tag))
    }

    /// An ack frame is at this position, and later ones may be joined to it.
    pub(super) fn ack_is_at(&mut self, position: u64, publishes: Tags) {
        let tag = publishes.last();
        self.last = Some(AckFrame { position, tag });
    }

    /// Takes note of a nack.
    pub(super) fn nack(&mut self, publishes: Tags) {
        self.outstanding.settle(publishes);
        self.keep_order();
    }

    /// What is acknowledged from here on is not said before what was sent until now.
    pub(super) fn keep_order(&mut self) {
        self.last = None;
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
