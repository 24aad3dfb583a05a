//! Consumers of a channel, and how far each may be ahead of acknowledgements.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::error::ReplyError;
use crate::ReplyCode;
use crate::method::basic;

#[cfg(doc)]
use super::Unacknowledged;

/// The consumers of one channel by their tags, with the accounting of
/// prefetch-count (`basic.qos`) as RabbitMQ keeps it: without `global` the
/// count holds for each consumer that is started later, with it for all of the
/// channel together; 0 is no limit. Deliveries without acknowledgement, and
/// those of `basic.get`, are not counted.
///
/// It goes with [`Unacknowledged`]: what a delivery tag stands for has the
/// consumer's tag in it, to be [`settled`](Self::settled) with it. Like that, it
/// is for whoever keeps such a set: a broker to know when it may deliver, a
/// client to know how much of its window it holds.
///
/// ```
/// use amqp_codec::connection::{Consumers, Unacknowledged};
/// use amqp_codec::method::basic;
///
/// let mut consumers = Consumers::new();
/// let mut unacknowledged = Unacknowledged::new();
/// consumers.qos(&basic::Qos { prefetch_count: 2, ..Default::default() });
/// consumers.start(&basic::Consume { consumer_tag: "a", ..Default::default() })?;
///
/// let mut delivery_tag = 0;
/// while consumers.has_room("a") {
///     delivery_tag += 1; // the connection's deliver() gives it
///     consumers.delivered("a");
///     unacknowledged.insert(delivery_tag, "a");
/// }
/// assert_eq!(unacknowledged.len(), 2);
///
/// for (_, consumer_tag) in unacknowledged.take(1, false)? {
///     consumers.settled(consumer_tag);
/// }
/// assert!(consumers.has_room("a"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    by_tag: BTreeMap<String, Consumer>,
    channel: Window,
    /// What a consumer starts with.
    prefetch_count: u16,
}

#[derive(Clone, Debug)]
struct Consumer {
    no_ack: bool,
    window: Window,
}

/// A limit, 0 for none, and what is held against it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    prefetch_count: u16,
    outstanding: usize,
}

impl Window {
    fn has_room(self) -> bool {
        self.prefetch_count == 0 || self.outstanding < self.prefetch_count.into()
    }
}

impl Consumers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes `basic.qos` into force; its prefetch-size is not looked at.
    pub fn qos(&mut self, qos: &basic::Qos) {
        if qos.global {
            self.channel.prefetch_count = qos.prefetch_count;
        } else {
            self.prefetch_count = qos.prefetch_count;
        }
    }

    /// Adds a consumer. Its tag is not empty: the server has made one up.
    ///
    /// # Errors
    /// When the channel has a consumer of this tag: the connection is to be
    /// closed with 530, as RabbitMQ does.
    // keeps: basic / consume / consumer-tag / 01, basic / consume / consumer-tag / 02
    pub fn start(&mut self, consume: &basic::Consume<'_>) -> Result<(), ReplyError> {
        let tag = consume.consumer_tag;
        if self.by_tag.contains_key(tag) {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(
                ReplyError::connection(ReplyCode::NotAllowed, text).caused_by(basic::Consume::ID)
            );
        }
        let window = Window {
            prefetch_count: self.prefetch_count,
            outstanding: 0,
        };
        let no_ack = consume.no_ack;
        self.by_tag.insert(tag.into(), Consumer { no_ack, window });
        Ok(())
    }

    /// Takes a consumer away; whether it was there. What it has outstanding
    /// still counts for the channel.
    pub fn cancel(&mut self, consumer_tag: &str) -> bool {
        self.by_tag.remove(consumer_tag).is_some()
    }

    /// Whether there is a consumer of this tag.
    #[must_use]
    pub fn contains(&self, consumer_tag: &str) -> bool {
        self.by_tag.contains_key(consumer_tag)
    }

    /// The tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.by_tag.keys().map(String::as_str)
    }

    /// Whether one more may be delivered to this consumer, if it is there.
    // keeps: basic / qos / prefetch-count / 01
    #[must_use]
    pub fn has_room(&self, consumer_tag: &str) -> bool {
        self.by_tag.get(consumer_tag).is_some_and(|consumer| {
            consumer.no_ack || (consumer.window.has_room() && self.channel.has_room())
        })
    }

    /// Counts a delivery to this consumer; whether it is to be acknowledged.
    pub fn delivered(&mut self, consumer_tag: &str) -> bool {
        match self.by_tag.get_mut(consumer_tag) {
            Some(consumer) if !consumer.no_ack => {
                consumer.window.outstanding += 1;
                self.channel.outstanding += 1;
                true
            }
            _ => false,
        }
    }

    /// One delivery to this consumer, even if it has ended, is outstanding no
    /// longer: acknowledged, rejected, or taken back.
    pub fn settled(&mut self, consumer_tag: &str) {
        self.channel.outstanding = self.channel.outstanding.saturating_sub(1);
        if let Some(consumer) = self.by_tag.get_mut(consumer_tag) {
            let outstanding = &mut consumer.window.outstanding;
            *outstanding = outstanding.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consume(consumer_tag: &str, no_ack: bool) -> basic::Consume<'_> {
        basic::Consume {
            consumer_tag,
            no_ack,
            ..Default::default()
        }
    }

    fn qos(prefetch_count: u16, global: bool) -> basic::Qos {
        basic::Qos {
            prefetch_count,
            global,
            ..Default::default()
        }
    }

    /// Delivers as long as there is room, up to nine; how many that were.
    fn fill(consumers: &mut Consumers, tag: &str) -> usize {
        (0..9)
            .take_while(|_| {
                let room = consumers.has_room(tag);
                if room {
                    consumers.delivered(tag);
                }
                room
            })
            .count()
    }

    /// What RabbitMQ means by basic.qos: its count, whether it is global, and
    /// how many deliveries the consumers `a` and `b` then get, one after the other.
    // shows: basic / qos / prefetch-count / 01
    #[test]
    fn a_count_is_for_each_consumer_or_for_the_channel() {
        type Row = (&'static [(u16, bool)], usize, usize);
        let rows: &[Row] = &[
            (&[], 9, 9),
            (&[(3, false)], 3, 3),
            (&[(4, true)], 4, 0),
            (&[(3, false), (4, true)], 3, 1),
            (&[(3, false), (0, false)], 9, 9),
            (&[(4, true), (0, true)], 9, 9),
        ];
        for (counts, to_a, to_b) in rows {
            let mut consumers = Consumers::new();
            for (count, global) in *counts {
                consumers.qos(&qos(*count, *global));
            }
            consumers.start(&consume("a", false)).unwrap();
            consumers.start(&consume("b", false)).unwrap();
            let filled = (fill(&mut consumers, "a"), fill(&mut consumers, "b"));
            assert_eq!(filled, (*to_a, *to_b), "{counts:?}");
        }
    }

    #[test]
    fn what_is_settled_makes_room() {
        let mut consumers = Consumers::new();
        consumers.qos(&qos(2, true));
        consumers.start(&consume("a", false)).unwrap();
        consumers.start(&consume("free", true)).unwrap();
        assert_eq!(fill(&mut consumers, "a"), 2);
        // Without acknowledgements there is nothing to count.
        assert_eq!(fill(&mut consumers, "free"), 9);
        consumers.settled("a");
        assert_eq!(fill(&mut consumers, "a"), 1);
        // A consumer that ends leaves behind what it has.
        assert!(consumers.cancel("a"));
        assert!(!consumers.cancel("a") && !consumers.has_room("a"));
        consumers.start(&consume("b", false)).unwrap();
        assert_eq!(fill(&mut consumers, "b"), 0);
        consumers.settled("a");
        assert_eq!(fill(&mut consumers, "b"), 1);
        assert!(consumers.tags().eq(["b", "free"]));
    }

    /// A later count is for later consumers.
    #[test]
    fn a_count_is_for_consumers_to_come() {
        let mut consumers = Consumers::new();
        consumers.start(&consume("before", false)).unwrap();
        consumers.qos(&qos(1, false));
        consumers.start(&consume("after", false)).unwrap();
        assert_eq!(fill(&mut consumers, "before"), 9);
        assert_eq!(fill(&mut consumers, "after"), 1);
    }

    // shows: basic / consume / consumer-tag / 01, basic / consume / consumer-tag / 02
    #[test]
    fn a_tag_is_used_once() {
        let mut consumers = Consumers::new();
        consumers.start(&consume("a", false)).unwrap();
        let error = consumers.start(&consume("a", false)).unwrap_err();
        assert_eq!(error.reply_code, ReplyCode::NotAllowed);
        assert!(consumers.cancel("a"));
        assert!(consumers.start(&consume("a", false)).is_ok());
        // Another channel has consumers of its own.
        let mut other = Consumers::new();
        assert!(!other.contains("a") && !other.has_room("a"));
        assert!(other.start(&consume("a", false)).is_ok());
    }
}
