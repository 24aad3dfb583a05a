//! How many bytes all messages of a broker hold.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What a [`Meter`] counts, until it is dropped.
pub(crate) trait Metered {
    /// Bytes that it holds in memory.
    fn weight(&self) -> usize;

    /// The place in it where it is kept that it is counted.
    fn counted(&mut self) -> &mut Counted;
}

/// Counts the bytes of all messages that were given to it and are not dropped yet. One that
/// is in many queues and sessions counts once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Totals>);

#[derive(Debug, Default)]
struct Totals {
    /// Each message that is counted has a share in it: so they are counted as well.
    bytes: Arc<AtomicUsize>,
    /// Messages that are not in memory.
    away: AtomicUsize,
}

impl Meter {
    /// Bytes that the messages hold.
    pub(crate) fn total(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many messages there are.
    pub(crate) fn messages(&self) -> usize {
        let here = Arc::strong_count(&self.0.bytes) - 1;
        here + self.0.away.load(Ordering::Relaxed)
    }

    /// Counts a message from here on, unless somebody else has a share in it already.
    pub(crate) fn count(&self, message: &mut Arc<impl Metered>) {
        let weight = message.weight();
        if let Some(message) = Arc::get_mut(message) {
            let total = &self.0.bytes;
            total.fetch_add(weight, Ordering::Relaxed);
            message.counted().count(total.clone(), weight);
        }
    }
}

/// What the broker keeps about a message, and the message does not say: that it is counted
/// until it is dropped, and how long a body is that has left memory. A copy of the message
/// is not counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// The total, and what this message adds to it.
    total: Option<(Arc<AtomicUsize>, usize)>,
    absent: usize,
}

impl Counted {
    /// Of a message whose body has left memory, with so many bytes.
    pub(super) fn absent(len: usize) -> Self {
        Self {
            total: None,
            absent: len,
        }
    }

    /// Counts it, in place of what it counted for before.
    fn count(&mut self, total: Arc<AtomicUsize>, weight: usize) {
        self.forget();
        self.total = Some((total, weight));
    }

    fn forget(&mut self) {
        if let Some((total, weight)) = self.total.take() {
            total.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// The weight of the message when it was counted.
    pub(super) fn weight(&self) -> Option<usize> {
        self.total.as_ref().map(|(_, weight)| *weight)
    }

    /// Bytes of the body that are not here.
    pub(super) fn absent_len(&self) -> usize {
        self.absent
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::absent(self.absent)
    }
}

/// It is nothing that a message says.
impl PartialEq for Counted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Messages that are not in memory, and the bytes that are kept about them: counted until
/// this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    meter: Meter,
    bytes: usize,
    messages: usize,
}

impl Meter {
    /// Counts messages that are not in memory.
    pub(crate) fn share(&self, bytes: usize, messages: usize) -> Share {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.away.fetch_add(messages, Ordering::Relaxed);
        Share {
            meter: self.clone(),
            bytes,
            messages,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let totals = &self.meter.0;
        totals.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        totals.away.fetch_sub(self.messages, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Message;
    use crate::model::queue::tests::message;

    #[test]
    fn a_message_counts_once_and_until_it_is_dropped() {
        let meter = Meter::default();
        let mut first = Arc::new(message("0123456789"));
        meter.count(&mut first);
        let total = meter.total();
        assert_eq!(total, first.weight());
        let mut shared = first.clone();
        meter.count(&mut shared);
        let mut copy = Arc::new(Message::clone(&first));
        assert_eq!(meter.total(), total);
        meter.count(&mut copy);
        assert_eq!(meter.total(), 2 * total);
        meter.count(&mut copy);
        assert_eq!(meter.total(), 2 * total);
        assert_eq!(meter.messages(), 2);
        drop(first);
        assert_eq!(meter.total(), 2 * total);
        drop(shared);
        assert_eq!(meter.total(), total);
        drop(Message::clone(&copy).into_edited());
        drop(copy);
        assert_eq!((meter.total(), meter.messages()), (0, 0));
    }
}
