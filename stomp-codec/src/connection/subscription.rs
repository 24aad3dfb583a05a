//! Subscriptions of a server's client, and which of their messages still wait
//! for an ACK or NACK.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

use crate::encoder::Decimal;
use crate::{ConnectionError, ParseError, Version};

/// A subscription of one connection, by a number of this side's own.
///
/// Numbers are given in the order of the SUBSCRIBE frames and never twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subscription(pub(crate) u64);

impl Subscription {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The header `ack` of SUBSCRIBE: how messages are acknowledged ("SUBSCRIBE ack
/// Header").
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum AckMode {
    /// `auto`: by being sent. Also if the header is missing.
    #[default]
    Auto,
    /// `client`: ACK and NACK are for the message and all before it.
    Client,
    /// `client-individual`: ACK and NACK are for one message. Came with 1.1; a
    /// server accepts it from clients of 1.0 too, as RabbitMQ does.
    ClientIndividual,
}

impl AckMode {
    const ALL: [Self; 3] = [Self::Auto, Self::Client, Self::ClientIndividual];

    /// The mode as the header has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Client => "client",
            Self::ClientIndividual => "client-individual",
        }
    }

    pub(crate) fn is_in(self, version: Version) -> bool {
        self != Self::ClientIndividual || version > Version::V1_0
    }
}

/// Reads the value of the header.
impl FromStr for AckMode {
    type Err = ParseError;

    // keeps: stomp12/SUBSCRIBE-ack/values, stomp11/SUBSCRIBE-ack/values,
    // keeps: stomp10/SUBSCRIBE-ack/values
    fn from_str(value: &str) -> Result<Self, ParseError> {
        let mode = Self::ALL.into_iter().find(|mode| mode.as_str() == value);
        mode.ok_or(ParseError)
    }
}

/// As the header has it.
impl fmt::Display for AckMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Messages that an ACK or NACK settles, by the application's numbers, in the
/// order in which they were sent.
///
/// A slice, without an allocation for none or one.
#[derive(Clone, Eq, PartialEq)]
pub struct Deliveries(Repr);

#[derive(Clone, Eq, PartialEq)]
enum Repr {
    One([u64; 1]),
    Many(Vec<u64>),
}

impl Deliveries {
    const fn none() -> Self {
        Self(Repr::Many(Vec::new()))
    }
}

impl Deref for Deliveries {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        match &self.0 {
            Repr::One(one) => one,
            Repr::Many(many) => many,
        }
    }
}

impl FromIterator<u64> for Deliveries {
    fn from_iter<I: IntoIterator<Item = u64>>(messages: I) -> Self {
        let mut messages = messages.into_iter();
        let Some(first) = messages.next() else {
            return Self::none();
        };
        let Some(second) = messages.next() else {
            return Self(Repr::One([first]));
        };
        Self(Repr::Many(
            [first, second].into_iter().chain(messages).collect(),
        ))
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A message that an ACK or NACK names: the number of its subscription, and its
/// own among those sent to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub(crate) subscription: Subscription,
    pub(crate) number: u64,
}

impl Named {
    /// What the header `ack` of 1.2 holds, and `message-id` ends with.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hyphen = text.bytes().position(|byte| byte == b'-')?;
        Some(Self {
            subscription: Subscription(parse_number(&text[..hyphen])?),
            number: parse_number(&text[hyphen + 1..])?,
        })
    }
}

/// The text that [`Named::parse`] reads, after a hyphen.
pub(crate) struct NamedText {
    bytes: [u8; Self::LONGEST],
    start: usize,
}

impl NamedText {
    /// Two numbers, with a hyphen before each.
    const LONGEST: usize = 2 * (1 + Decimal::LONGEST);

    pub(crate) fn new(named: Named) -> Self {
        // A hyphen is left in the place before each number.
        let mut bytes = [b'-'; Self::LONGEST];
        let mut start = Decimal::put_last(named.number, &mut bytes) - 1;
        start = Decimal::put_last(named.subscription.0, &mut bytes[..start]) - 1;
        Self { bytes, start }
    }

    /// As it is, to be put after the name of a session.
    pub(crate) fn after_hyphen(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Without the hyphen before it.
    pub(crate) fn alone(&self) -> &[u8] {
        &self.bytes[self.start + 1..]
    }
}

/// A number as it is written here: one spelling for each.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// One open subscription.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The client's `id`; only 1.0 can do without.
    pub(crate) id: Option<String>,
    destination: String,
    ack: AckMode,
    /// How many messages were sent to it.
    sent: u64,
    unacknowledged: Unacknowledged,
}

/// Messages that wait for ACK or NACK.
///
/// One that is settled out of turn leaves a hole, so that nothing is moved for it. When
/// more than half are holes, they are closed.
#[derive(Debug, Default)]
struct Unacknowledged {
    /// In order: the number, and the application's, or a hole. The first is none.
    messages: VecDeque<(u64, Option<u64>)>,
    holes: usize,
}

impl Unacknowledged {
    fn push(&mut self, number: u64, message: u64) {
        self.messages.push_back((number, Some(message)));
    }

    fn position(&self, number: u64) -> Option<usize> {
        let found = self
            .messages
            .binary_search_by_key(&number, |(number, _)| *number);
        found.ok().filter(|at| self.messages[*at].1.is_some())
    }

    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.messages.iter().filter_map(|(_, message)| *message)
    }

    /// Takes the messages up to this one.
    fn take_through(&mut self, position: usize) -> Deliveries {
        let taken = self.messages.drain(..=position);
        let mut holes = 0;
        let taken = taken.filter_map(|(_, message)| {
            holes += usize::from(message.is_none());
            message
        });
        let taken = taken.collect();
        self.holes -= holes;
        self.close_holes();
        taken
    }

    /// Takes one message.
    fn take(&mut self, position: usize) -> Deliveries {
        let taken = self.messages.get_mut(position);
        let taken = taken.and_then(|(_, message)| message.take());
        self.holes += usize::from(taken.is_some());
        self.close_holes();
        taken.into_iter().collect()
    }

    fn close_holes(&mut self) {
        while let Some((_, None)) = self.messages.front() {
            self.messages.pop_front();
            self.holes -= 1;
        }
        if self.holes > self.messages.len() / 2 {
            self.messages.retain(|(_, message)| message.is_some());
            self.holes = 0;
        }
    }
}

/// The open subscriptions of a connection.
#[derive(Debug, Default)]
// keeps: stomp12/SUBSCRIBE-id/several, stomp11/SUBSCRIBE-id/several, stomp10/SUBSCRIBE-id/several
pub(crate) struct Subscriptions {
    /// In boxes: most connections have one, and a map has room for eleven from the first on.
    open: BTreeMap<Subscription, Box<Entry>>,
    by_id: BTreeMap<String, Subscription>,
    /// Those without an id.
    by_destination: BTreeMap<String, Subscription>,
    /// How many there ever were; also the number of the latest.
    ever: u64,
}

/// A subscription of which no message waits to be settled.
#[derive(Clone, Debug)]
pub(crate) struct IdleSubscription {
    number: Subscription,
    id: Option<Box<str>>,
    destination: Box<str>,
    ack: AckMode,
    sent: u64,
}

impl Subscriptions {
    /// What they are, and how many there ever were, if no message waits to be settled.
    pub(crate) fn idle(&self) -> Option<(Box<[IdleSubscription]>, u64)> {
        let subscriptions = self.open.iter().map(|(number, entry)| {
            let is_idle = entry.unacknowledged.messages.is_empty();
            is_idle.then(|| IdleSubscription {
                number: *number,
                id: entry.id.as_deref().map(Box::from),
                destination: entry.destination.as_str().into(),
                ack: entry.ack,
                sent: entry.sent,
            })
        });
        Some((subscriptions.collect::<Option<_>>()?, self.ever))
    }

    /// Puts back what was idle.
    pub(crate) fn resume(&mut self, idle: &[IdleSubscription], ever: u64) {
        for subscription in idle {
            let IdleSubscription {
                number,
                id,
                destination,
                ack,
                sent,
            } = subscription;
            self.ever = number.0 - 1;
            // They were told apart before.
            if let Ok(number) = self.open(id.as_deref(), destination, *ack)
                && let Some(entry) = self.open.get_mut(&number)
            {
                entry.sent = *sent;
            }
        }
        self.ever = ever;
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Opens a subscription.
    // keeps: stomp12/SUBSCRIBE-id/unique, stomp11/SUBSCRIBE-id/unique,
    // keeps: stomp10/SUBSCRIBE/id-optional
    pub(crate) fn open(
        &mut self,
        id: Option<&str>,
        destination: &str,
        ack: AckMode,
    ) -> Result<Subscription, ConnectionError> {
        let (index, key) = match id {
            Some(id) => (&mut self.by_id, id),
            None => (&mut self.by_destination, destination),
        };
        if index.contains_key(key) {
            return Err(ConnectionError::DuplicateSubscription);
        }
        self.ever += 1;
        let subscription = Subscription(self.ever);
        index.insert(key.into(), subscription);
        let entry = Entry {
            id: id.map(String::from),
            destination: destination.into(),
            ack,
            sent: 0,
            unacknowledged: Unacknowledged::default(),
        };
        self.open.insert(subscription, Box::new(entry));
        Ok(subscription)
    }

    /// Ends the subscription with this id; in 1.0 also the one without an id, or
    /// else the oldest, to this destination. Returns what was not acknowledged.
    // keeps: stomp12/UNSUBSCRIBE/matches, stomp11/UNSUBSCRIBE/matches, stomp12/UNSUBSCRIBE/stops,
    // keeps: stomp11/UNSUBSCRIBE/stops, stomp10/UNSUBSCRIBE/stops, stomp10/UNSUBSCRIBE/headers
    pub(crate) fn close(
        &mut self,
        id: Option<&str>,
        destination: Option<&str>,
    ) -> Result<(Subscription, Deliveries), ConnectionError> {
        let found = match (id, destination) {
            (Some(id), _) => self.by_id.get(id).copied(),
            (None, Some(destination)) => {
                self.by_destination.get(destination).copied().or_else(|| {
                    let mut open = self.open.iter();
                    open.find(|(_, entry)| entry.destination == destination)
                        .map(|(subscription, _)| *subscription)
                })
            }
            (None, None) => None,
        };
        let (subscription, entry) = found
            .and_then(|subscription| self.open.remove_entry(&subscription))
            .ok_or(ConnectionError::UnknownSubscription)?;
        match &entry.id {
            Some(id) => self.by_id.remove(id),
            None => self.by_destination.remove(&entry.destination),
        };
        Ok((subscription, entry.unacknowledged.iter().collect()))
    }

    pub(crate) fn get(&self, subscription: Subscription) -> Option<&Entry> {
        self.open.get(&subscription).map(Box::as_ref)
    }

    /// Notes a message that was sent as [`Entry::next`] said.
    // keeps: stomp12/SUBSCRIBE-ack/auto, stomp11/SUBSCRIBE-ack/auto, stomp10/SUBSCRIBE-ack/auto,
    // keeps: stomp12/ACK/consumes, stomp11/ACK/consumes, stomp10/ACK/consumes
    pub(crate) fn sent(&mut self, subscription: Subscription, message: u64) {
        if let Some(entry) = self.open.get_mut(&subscription) {
            entry.sent += 1;
            if entry.ack != AckMode::Auto {
                entry.unacknowledged.push(entry.sent, message);
            }
        }
    }

    /// Checks that an ACK or NACK names a message that was sent and is to be
    /// acknowledged. `id` is the client's name for the subscription, where the
    /// version asks for it.
    ///
    /// What was sent to a subscription that has ended since is accepted: the
    /// ACK may have crossed with nothing, and means nothing any more.
    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp11/ACK/subscription
    pub(crate) fn check(&self, named: Named, id: Option<&str>) -> Result<(), ConnectionError> {
        let known = match self.open.get(&named.subscription) {
            Some(entry) => {
                entry.ack != AckMode::Auto
                    && (1..=entry.sent).contains(&named.number)
                    && (id.is_none() || entry.id.as_deref() == id)
            }
            None => (1..=self.ever).contains(&named.subscription.0),
        };
        known.then_some(()).ok_or(ConnectionError::UnknownMessage)
    }

    /// Settles a message, or all up to it, and returns those that were still
    /// waiting.
    pub(crate) fn settle(&mut self, named: Named) -> Deliveries {
        self.settle_open(named).unwrap_or_else(Deliveries::none)
    }

    /// The same, or `None` if the message does not wait to be settled any more and may
    /// not be named again, as it may where ACK and NACK are cumulative.
    // keeps: stomp12/SUBSCRIBE-ack/cumulative, stomp11/SUBSCRIBE-ack/cumulative,
    // keeps: stomp12/SUBSCRIBE-ack/individual, stomp11/SUBSCRIBE-ack/individual,
    // keeps: stomp12/ACK/consumes, stomp11/ACK/consumes, stomp10/ACK/consumes, stomp12/NACK/scope,
    // keeps: stomp11/NACK/scope
    pub(crate) fn settle_open(&mut self, named: Named) -> Option<Deliveries> {
        let Some(entry) = self.open.get_mut(&named.subscription) else {
            return Some(Deliveries::none());
        };
        let waiting = &mut entry.unacknowledged;
        match (waiting.position(named.number), entry.ack) {
            (Some(position), AckMode::Client) => Some(waiting.take_through(position)),
            (Some(position), _) => Some(waiting.take(position)),
            (None, AckMode::Client) => Some(Deliveries::none()),
            (None, _) => None,
        }
    }

    /// All that was sent and waits to be settled, by subscription.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = (Subscription, u64)> + '_ {
        self.open.iter().flat_map(|(subscription, entry)| {
            let messages = entry.unacknowledged.iter();
            messages.map(|message| (*subscription, message))
        })
    }

    /// Ends all subscriptions.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.by_id.clear();
        self.by_destination.clear();
    }
}

impl Entry {
    /// The number of the next message.
    pub(crate) fn next(&self) -> u64 {
        self.sent + 1
    }

    pub(crate) fn needs_ack(&self) -> bool {
        self.ack != AckMode::Auto
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subscriptions(ack: AckMode, messages: u64) -> (Subscriptions, Subscription) {
        let mut subscriptions = Subscriptions::default();
        let subscription = subscriptions.open(Some("s"), "d", ack).unwrap();
        for message in 0..messages {
            subscriptions.sent(subscription, message);
        }
        (subscriptions, subscription)
    }

    /// From the shortest to the longest.
    #[test]
    fn the_text_that_names_a_message() {
        let rows: [(u64, u64, &[u8]); 3] = [
            (0, 1, b"-0-1"),
            (10, 90, b"-10-90"),
            (
                u64::MAX,
                u64::MAX,
                b"-18446744073709551615-18446744073709551615",
            ),
        ];
        for (subscription, number, text) in rows {
            let subscription = Subscription(subscription);
            let named = Named {
                subscription,
                number,
            };
            let found = NamedText::new(named);
            assert_eq!(found.after_hyphen(), text);
            assert_eq!(found.alone(), &text[1..]);
            let read = core::str::from_utf8(found.alone()).unwrap();
            assert_eq!(Named::parse(read), Some(named));
        }
    }

    proptest! {
        /// In whatever order messages are settled: each once, and few places are kept.
        #[test]
        fn each_message_is_settled_once(
            numbers in prop::collection::vec(0..40u64, 0..80),
            cumulative: bool,
        ) {
            let ack = if cumulative { AckMode::Client } else { AckMode::ClientIndividual };
            let (mut subscriptions, subscription) = subscriptions(ack, 40);
            let mut left: Vec<u64> = (0..40).collect();
            for message in numbers {
                let number = message + 1;
                let settled = subscriptions.settle(Named { subscription, number });
                let expected: Vec<u64> = match ack {
                    _ if !left.contains(&message) => Vec::new(),
                    AckMode::Client => left.iter().copied().filter(|m| *m <= message).collect(),
                    _ => Vec::from([message]),
                };
                left.retain(|m| !expected.contains(m));
                prop_assert_eq!(&*settled, &*expected);
                let kept = &subscriptions.get(subscription).unwrap().unacknowledged;
                prop_assert!(kept.messages.len() <= 2 * left.len() + 1);
                let waiting = subscriptions.unacknowledged().map(|(_, m)| m);
                prop_assert_eq!(waiting.collect::<Vec<_>>(), left.clone());
            }
        }
    }
}
