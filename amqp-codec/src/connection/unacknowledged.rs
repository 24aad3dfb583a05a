//! Deliveries that wait for their acknowledgement.

use alloc::collections::VecDeque;
use alloc::collections::vec_deque::Drain;
use alloc::format;

use thiserror::Error;

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
/// use amqp_codec::connection::Unacknowledged;
///
/// let mut unacknowledged = Unacknowledged::new();
/// for (tag, message) in [(1, "a"), (2, "b"), (3, "c")] {
///     unacknowledged.insert(tag, message);
/// }
/// assert!(unacknowledged.take(2, true)?.eq([(1, "a"), (2, "b")]));
/// assert!(unacknowledged.take(2, false).is_err());
/// # Ok::<(), amqp_codec::connection::UnknownDeliveryTag>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unacknowledged<T> {
    /// Ascending by tag.
    entries: VecDeque<(u64, T)>,
}

/// An acknowledgement of a delivery that is not outstanding on this channel:
/// never made, made on another channel, or acknowledged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
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
        }
    }

    /// How many there are: what a prefetch-count is held against.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Remembers a delivery, in place of one with the same tag.
    pub fn insert(&mut self, delivery_tag: u64, value: T) {
        // Tags ascend, so this is the end but for a keeper that restores some.
        if self
            .entries
            .back()
            .is_none_or(|(last, _)| *last < delivery_tag)
        {
            self.entries.push_back((delivery_tag, value));
            return;
        }
        match self.find(delivery_tag) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (delivery_tag, value)),
        }
    }

    /// Takes what `basic.ack`, `basic.nack` or `basic.reject` of this tag
    /// settles, in the order of tags. With `multiple`, that is all up to the
    /// tag, or with tag 0 all there are, even none.
    ///
    /// # Errors
    /// When the tag is not outstanding, and then nothing is taken.
    // keeps: delivery-tag / channel-local, basic / ack / multiple / exists
    pub fn take(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
    ) -> Result<Drain<'_, (u64, T)>, UnknownDeliveryTag> {
        if delivery_tag == 0 && multiple {
            return Ok(self.entries.drain(..));
        }
        let at = self
            .find(delivery_tag)
            .map_err(|_| UnknownDeliveryTag(delivery_tag))?;
        let from = if multiple { 0 } else { at };
        Ok(self.entries.drain(from..=at))
    }

    /// Takes all, in the order of tags: for recover, and when the channel closes.
    pub fn take_all(&mut self) -> Drain<'_, (u64, T)> {
        self.entries.drain(..)
    }

    /// What is kept for a tag.
    #[must_use]
    pub fn get(&self, delivery_tag: u64) -> Option<&T> {
        self.find(delivery_tag).ok().map(|at| &self.entries[at].1)
    }

    /// All of them, in the order of tags.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().map(|(tag, value)| (*tag, value))
    }

    fn find(&self, delivery_tag: u64) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&delivery_tag, |(tag, _)| *tag)
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
                .take(*tag, *multiple)
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
    fn order_is_that_of_tags_however_they_come() {
        let set = tags(&[5, 1, 3, 1]);
        assert_eq!(
            set.iter().map(|(tag, ())| tag).collect::<Vec<_>>(),
            [1, 3, 5]
        );
    }
}
