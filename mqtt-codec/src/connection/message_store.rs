//! Messages that are kept until they are settled.

use alloc::vec::Vec;
use core::str;

use bytes::Bytes;

use super::Message;
use super::message::Payload;
use crate::property::Contents;
use crate::{Properties, PropertyIdentifier, QoS};

/// From so many bytes on, a payload that is shared is kept by a reference: to copy a smaller one
/// costs no more, and holds no larger memory that it is a part of.
const SHARED: usize = 256;
/// So many bytes of settled messages are not worth moving those that are left.
const SETTLED: usize = 16 * 1024;
/// The most that is allocated at once, in bytes.
const AT_ONCE: usize = 64 * 1024;

/// What messages consist of, one after the other, without an allocation for each.
#[derive(Clone, Default)]
pub(super) struct MessageStore {
    bytes: Vec<u8>,
    /// How many of them are of messages that are not settled.
    live: usize,
}

/// Where a message is kept.
#[derive(Clone)]
pub(super) struct Kept {
    /// Where its topic name begins. Properties and payload follow.
    start: usize,
    topic_name: usize,
    properties: usize,
    payload: usize,
    pub(super) qos: QoS,
    retain: bool,
    contents: Contents,
    /// The payload, in place of that among the bytes.
    shared: Option<Bytes>,
}

impl Kept {
    /// How many bytes are kept of it.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.topic_name + self.properties + self.payload
    }

    /// Whether it has a Message Expiry Interval.
    pub(super) fn expires(&self) -> bool {
        self.contents
            .contains(PropertyIdentifier::MessageExpiryInterval)
    }
}

impl MessageStore {
    /// None yet, with memory for about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes.min(AT_ONCE)),
            live: 0,
        }
    }

    /// How many bytes they have taken.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Keeps a message.
    #[inline]
    pub(super) fn put(&mut self, message: &Message<'_>) -> Kept {
        let start = self.bytes.len();
        let (payload, shared) = match message.payload {
            Payload::Shared(bytes) if bytes.len() >= SHARED => (&[][..], Some(bytes.clone())),
            _ => (message.payload.as_slice(), None),
        };
        let properties = message.properties.bytes();
        let kept = Kept {
            start,
            topic_name: message.topic_name.len(),
            properties: properties.len(),
            payload: payload.len(),
            qos: message.qos,
            retain: message.retain,
            contents: message.properties.contents(),
            shared,
        };
        let len = kept.len();
        self.bytes.reserve(len);
        self.bytes.extend_from_slice(message.topic_name.as_bytes());
        self.bytes.extend_from_slice(properties);
        self.bytes.extend_from_slice(payload);
        self.live += len;
        kept
    }

    /// The message that is kept there.
    pub(super) fn get<'a>(&'a self, kept: &'a Kept) -> Message<'a> {
        let end = kept.start + kept.len();
        let bytes = self.bytes.get(kept.start..end).unwrap_or_default();
        let (topic_name, bytes) = bytes.split_at(kept.topic_name);
        let (properties, payload) = bytes.split_at(kept.properties);
        Message {
            // It was a text when it was put here.
            topic_name: str::from_utf8(topic_name).unwrap_or_default(),
            payload: match &kept.shared {
                Some(bytes) => Payload::Shared(bytes),
                None => Payload::Borrowed(payload),
            },
            qos: kept.qos,
            retain: kept.retain,
            properties: Properties::checked(properties, kept.contents),
        }
    }

    /// A message of so many bytes is settled. Returns whether those that are left are to be
    /// moved together: more than half of the memory is of messages that are gone.
    #[inline]
    pub(super) fn settle(&mut self, len: usize) -> bool {
        self.live -= len;
        self.bytes.len() > 2 * self.live + SETTLED
    }

    /// An empty place for the messages that are left here.
    pub(super) fn with_room_for_those_left(&self) -> Self {
        Self::with_capacity(2 * self.live)
    }

    /// Takes a message over from another place.
    pub(super) fn take_over(&mut self, old: &Self, kept: &mut Kept) {
        let end = kept.start + kept.len();
        let bytes = old.bytes.get(kept.start..end).unwrap_or_default();
        kept.start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.live += bytes.len();
    }
}
