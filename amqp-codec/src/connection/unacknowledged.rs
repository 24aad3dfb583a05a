//! Deliveries that wait for their acknowledgement.

use alloc::collections::VecDeque;
use alloc::format;

use thiserror::Error;

use super::Tags;
use super::error::ReplyError;
use crate::ReplyCode;

/// The unacknowledged deliveries of one channel in the order of their tags,
/// each with what its keeper wants to know of it.
///
/// The connection allocates delivery tags, and whoever delivers remembers them
/// here: what hangs on a tag (the message, its queue) is the broker's, so the
/// set is too. A client that wants to check its own acknowledgements uses it
/// the same way.
///
/// ```
/// use amqp_codec::connection::{Tags, Unacknowledged};
///
/// let mut unacknowledged = Unacknowledged::new();
/// for (tag, message) in [(1, "a"), (2, "b"), (3, "c")] {
///     unacknowledged.insert(tag, message);
/// }
/// assert!(unacknowledged.take(Tags::UpTo(2))?.eq([(1, "a"), (2, "b")]));
/// assert!(unacknowledged.take(Tags::One(2)).is_err());
/// # Ok::<(), amqp_codec::connection::UnknownDeliveryTag>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unacknowledged<T> {
    /// Ascending by tag. What was taken from among others leaves a gap until there
    /// are more gaps than entries, so that taking one moves no other.
    entries: VecDeque<(u64, Option<T>)>,
    /// Entries that are no gaps.
    len: usize,
}

/// So many gaps are worth no closing.
const FEW_GAPS: usize = 64;

/// An acknowledgement of a delivery that is not outstanding on this channel:
/// never made, made on another channel, or acknowledged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("unknown delivery tag {0}")]
pub struct UnknownDeliveryTag(pub u64);

impl UnknownDeliveryTag {
    /// What the channel is closed with: 406, as RabbitMQ does (and erratum 21
    /// for reject).
    // keeps: basic / ack / multiple / exists
    #[must_use]
    pub fn reply(self, channel: u16) -> ReplyError {
        ReplyError::new(ReplyCode::PreconditionFailed, channel, format!("{self}"))
    }
}

impl<T> Default for Unacknowledged<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Unacknowledged<T> {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            len: 0,
        }
    }

    /// How many there are: what a prefetch-count is held against.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Remembers a delivery, in place of one with the same tag.
    pub fn insert(&mut self, delivery_tag: u64, value: T) {
        // Tags ascend, so this is the end but for a keeper that restores some.
        if self
            .entries
            .back()
            .is_none_or(|(last, _)| *last < delivery_tag)
        {
            self.entries.push_back((delivery_tag, Some(value)));
            self.len += 1;
            return;
        }
        match self.place(delivery_tag) {
            Ok(at) => {
                let old = self.entries[at].1.replace(value);
                self.len += usize::from(old.is_none());
            }
            Err(at) => {
                self.entries.insert(at, (delivery_tag, Some(value)));
                self.len += 1;
            }
        }
    }

    /// Takes what `basic.ack`, `basic.nack` or `basic.reject` of this tag
    /// settles, in the order of tags. [`Tags::UpTo`] 0 is all there are, even none.
    ///
    /// # Errors
    /// When the tag is not outstanding, and then nothing is taken.
    // keeps: delivery-tag / channel-local, basic / ack / multiple / exists
    pub fn take(
        &mut self,
        tags: Tags,
    ) -> Result<impl Iterator<Item = (u64, T)> + use<'_, T>, UnknownDeliveryTag> {
        let find = |tag| self.find(tag).ok_or(UnknownDeliveryTag(tag));
        let (one, up_to) = match tags {
            Tags::UpTo(0) => (None, self.entries.len()),
            Tags::UpTo(tag) => (None, find(tag)? + 1),
            Tags::One(tag) => {
                let at = find(tag)?;
                let taken = self.entries[at].1.take();
                (taken.map(|value| (tag, value)), 0)
            }
        };
        if one.is_some() {
            self.len -= 1;
            self.close_gaps();
        }
        let rest = self.drain(up_to);
        Ok(one.into_iter().chain(rest))
    }

    /// Takes all, in the order of tags: for recover, and when the channel closes.
    pub fn take_all(&mut self) -> impl Iterator<Item = (u64, T)> + use<'_, T> {
        self.drain(self.entries.len())
    }

    /// Takes so many entries and gaps from the front.
    fn drain(&mut self, up_to: usize) -> impl Iterator<Item = (u64, T)> + use<'_, T> {
        let taken = self.entries.range(..up_to);
        self.len -= taken.filter(|(_, value)| value.is_some()).count();
        let taken = self.entries.drain(..up_to);
        taken.filter_map(|(tag, value)| Some((tag, value?)))
    }

    /// What is kept for a tag.
    #[must_use]
    pub fn get(&self, delivery_tag: u64) -> Option<&T> {
        let at = self.find(delivery_tag)?;
        self.entries[at].1.as_ref()
    }

    /// All of them, in the order of tags.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let entries = self.entries.iter();
        entries.filter_map(|(tag, value)| Some((*tag, value.as_ref()?)))
    }

    /// Where an entry is.
    fn find(&self, delivery_tag: u64) -> Option<usize> {
        let at = self.place(delivery_tag).ok()?;
        self.entries[at].1.is_some().then_some(at)
    }

    /// Where an entry or its gap is, or else where it belongs.
    fn place(&self, delivery_tag: u64) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&delivery_tag, |(tag, _)| *tag)
    }

    fn close_gaps(&mut self) {
        while self
            .entries
            .front()
            .is_some_and(|(_, value)| value.is_none())
        {
            self.entries.pop_front();
        }
        while self
            .entries
            .back()
            .is_some_and(|(_, value)| value.is_none())
        {
            self.entries.pop_back();
        }
        if self.entries.len() > 2 * self.len + FEW_GAPS {
            self.entries.retain(|(_, value)| value.is_some());
        }
    }
}

/// Restores many, as when a transaction is rolled back: in a time that does not
/// depend on where among the others they belong.
impl<T> Extend<(u64, T)> for Unacknowledged<T> {
    fn extend<I: IntoIterator<Item = (u64, T)>>(&mut self, restored: I) {
        self.entries.retain(|(_, value)| value.is_some());
        let restored = restored.into_iter();
        self.entries
            .extend(restored.map(|(tag, value)| (tag, Some(value))));
        let entries = self.entries.make_contiguous();
        // Stable, and the last of one tag counts.
        entries.reverse();
        entries.sort_by_key(|(tag, _)| *tag);
        let mut last = None;
        self.entries
            .retain(|(tag, _)| last.replace(*tag) != Some(*tag));
        self.len = self.entries.len();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn tags(outstanding: &[u64]) -> Unacknowledged<()> {
        let mut set = Unacknowledged::new();
        for tag in outstanding {
            set.insert(*tag, ());
        }
        set
    }

    /// Rule basic / ack / multiple / exists, and what RabbitMQ was seen to answer.
    // shows: delivery-tag / channel-local, basic / ack / multiple / exists
    #[test]
    fn an_acknowledgement_settles_what_it_should() {
        // Outstanding, tag, multiple, settled.
        type Row = (&'static [u64], u64, bool, Result<&'static [u64], u64>);
        let rows: &[Row] = &[
            (&[1, 2, 3], 2, false, Ok(&[2])),
            (&[1, 2, 3], 2, true, Ok(&[1, 2])),
            (&[1, 2, 3], 0, true, Ok(&[1, 2, 3])),
            (&[], 0, true, Ok(&[])),
            (&[1, 2, 3], 0, false, Err(0)),
            (&[1, 2, 3], 42, false, Err(42)),
            (&[1, 2, 3], 42, true, Err(42)),
            // 2 was acknowledged before.
            (&[1, 3], 2, false, Err(2)),
            (&[1, 3], 2, true, Err(2)),
            (&[], 1, true, Err(1)),
        ];
        for (outstanding, tag, multiple, expected) in rows {
            let mut set = tags(outstanding);
            let taken = set
                .take(Tags::new(*tag, *multiple))
                .map(|taken| taken.map(|(tag, ())| tag).collect::<Vec<_>>());
            match expected {
                Ok(settled) => {
                    assert_eq!(taken.as_deref(), Ok(*settled), "{tag} {multiple}");
                    assert_eq!(set.len(), outstanding.len() - settled.len());
                }
                Err(unknown) => {
                    assert_eq!(taken, Err(UnknownDeliveryTag(*unknown)));
                    assert_eq!(set.len(), outstanding.len());
                }
            }
        }
    }

    // shows: basic / ack / multiple / exists
    #[test]
    fn an_unknown_tag_closes_the_channel() {
        let reply = UnknownDeliveryTag(42).reply(7);
        assert_eq!(reply.scope, super::super::Scope::Channel(7));
        assert_eq!(
            reply.reply_text(),
            "PRECONDITION_FAILED - unknown delivery tag 42"
        );
    }

    #[test]
    fn what_was_taken_can_be_restored() {
        let mut set = Unacknowledged::new();
        for tag in 1..=1000_u64 {
            set.insert(tag, 0);
        }
        let mut taken = Vec::new();
        for tag in (1..=1000).filter(|tag| tag % 10 > 0) {
            taken.extend(set.take(Tags::One(tag)).unwrap());
            assert!(set.take(Tags::One(tag)).is_err() && set.get(tag).is_none());
        }
        assert_eq!((set.len(), set.iter().count()), (100, 100));
        set.insert(11, 1);
        set.extend(taken.into_iter().map(|(tag, _)| (tag, 2)));
        assert_eq!(
            (set.len(), set.get(10), set.get(11)),
            (1000, Some(&0), Some(&2))
        );
        assert!(set.iter().map(|(tag, _)| tag).eq(1..=1000));
        assert_eq!(set.take(Tags::UpTo(500)).unwrap().count(), 500);
        assert_eq!(
            (set.len(), set.take_all().count(), set.len()),
            (500, 500, 0)
        );
    }

    #[test]
    fn order_is_that_of_tags_however_they_come() {
        let set = tags(&[5, 1, 3, 1]);
        assert_eq!(
            set.iter().map(|(tag, ())| tag).collect::<Vec<_>>(),
            [1, 3, 5]
        );
    }
}
