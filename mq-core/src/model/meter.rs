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
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

impl Meter {
    /// Bytes that the messages hold.
    pub(crate) fn total(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many messages there are.
    pub(crate) fn messages(&self) -> usize {
        self.0.messages.load(Ordering::Relaxed)
    }

    fn forget(&self, bytes: usize) {
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.messages.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a message from here on, unless somebody else has a share in it already.
    pub(crate) fn count(&self, message: &mut Arc<impl Metered>) {
        let bytes = message.weight();
        if let Some(message) = Arc::get_mut(message) {
            self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.0.messages.fetch_add(1, Ordering::Relaxed);
            let counted = message.counted();
            if let Some((meter, before)) = counted.meter.take() {
                meter.forget(before);
            }
            counted.meter = Some((self.clone(), bytes));
        }
    }
}

/// What the broker keeps about a message, and the message does not say: that it is counted
/// until it is dropped, and how long a body is that has left memory. A copy of the message
/// is not counted.
#[derive(Debug, Default)]
pub struct Counted {
    meter: Option<(Meter, usize)>,
    absent: usize,
}

impl Counted {
    /// Of a message whose body has left memory, with so many bytes.
    pub(super) fn absent(len: usize) -> Self {
        Self {
            meter: None,
            absent: len,
        }
    }

    /// The weight of the message when it was counted.
    pub(super) fn weight(&self) -> Option<usize> {
        self.meter.as_ref().map(|(_, bytes)| *bytes)
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
        if let Some((meter, bytes)) = self.meter.take() {
            meter.forget(bytes);
        }
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
        self.0.messages.fetch_add(messages, Ordering::Relaxed);
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
        totals.messages.fetch_sub(self.messages, Ordering::Relaxed);
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
