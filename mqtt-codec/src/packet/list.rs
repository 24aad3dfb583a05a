//! Lists: the topic filters and reason codes of SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK, all
//! of which have a packet identifier, properties and a list.

use core::fmt::{self, Debug};

use bytes::BufMut;

use super::{PacketSet, Subscription, SubscriptionOptions};
use crate::property::properties;
use crate::wire::{self, Parsed, fault, put_binary};
use crate::{PacketIdentifier, Properties, ProtocolVersion, ReasonCode, Rule};

/// What a packet has several of: the entries of a [`Subscriptions`], [`TopicFilters`] or
/// [`ReasonCodes`].
///
/// Those of a decoded packet are read from its bytes one by one; to encode, make them from a
/// slice.
#[derive(Clone, Copy)]
pub struct List<'a, T>(Source<'a, T>);

/// The subscriptions of a SUBSCRIBE.
pub type Subscriptions<'a> = List<'a, Subscription<'a>>;

/// The topic filters of an UNSUBSCRIBE.
pub type TopicFilters<'a> = List<'a, &'a str>;

/// The reason codes of a SUBACK or UNSUBACK.
pub type ReasonCodes<'a> = List<'a, ReasonCode>;

#[derive(Clone, Copy)]
enum Source<'a, T> {
    /// Encoded and valid.
    Wire {
        bytes: &'a [u8],
        count: usize,
        version: ProtocolVersion,
    },
    Slice(&'a [T]),
}

/// What a [`List`] may be of. Nothing else can be an entry.
pub trait Entry<'a>: Encoded<'a> {}

impl<'a> Entry<'a> for Subscription<'a> {}
impl<'a> Entry<'a> for &'a str {}
impl Entry<'_> for ReasonCode {}

/// How an entry is encoded.
pub trait Encoded<'a>: Copy + Debug + PartialEq + 'a {
    /// The entry at the front of `bytes`, which were valid when the packet was decoded, and what
    /// follows it.
    fn first(bytes: &'a [u8], version: ProtocolVersion) -> Option<(&'a [u8], Self)>;

    /// How many bytes it has.
    fn len(&self) -> usize;

    fn put(&self, out: &mut impl BufMut);
}

impl<'a> Encoded<'a> for Subscription<'a> {
    fn first(bytes: &'a [u8], version: ProtocolVersion) -> Option<(&'a [u8], Self)> {
        let (rest, topic_filter) = wire::checked_string(bytes).ok()?;
        let (options, rest) = rest.split_first()?;
        let options = SubscriptionOptions::from_byte(*options, version).ok()?;
        let subscription = Self {
            topic_filter,
            options,
        };
        Some((rest, subscription))
    }

    fn len(&self) -> usize {
        2 + self.topic_filter.len() + 1
    }

    fn put(&self, out: &mut impl BufMut) {
        put_binary(out, self.topic_filter.as_bytes());
        out.put_u8(self.options.to_byte());
    }
}

impl<'a> Encoded<'a> for &'a str {
    fn first(bytes: &'a [u8], _: ProtocolVersion) -> Option<(&'a [u8], Self)> {
        wire::checked_string(bytes).ok()
    }

    fn len(&self) -> usize {
        2 + str::len(self)
    }

    fn put(&self, out: &mut impl BufMut) {
        put_binary(out, self.as_bytes());
    }
}

impl<'a> Encoded<'a> for ReasonCode {
    fn first(bytes: &'a [u8], _: ProtocolVersion) -> Option<(&'a [u8], Self)> {
        let (&byte, rest) = bytes.split_first()?;
        Some((rest, Self::from_byte(byte)?))
    }

    fn len(&self) -> usize {
        1
    }

    fn put(&self, out: &mut impl BufMut) {
        out.put_u8(*self as u8);
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        Self(Source::Slice(slice))
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(array: &'a [T; N]) -> Self {
        Self(Source::Slice(array))
    }
}

impl<T> List<'_, T> {
    /// No entries: the reason codes of an UNSUBACK of 3.x. Every other list has one at least.
    pub const EMPTY: Self = Self(Source::Slice(&[]));

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count,
            Source::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Entry<'a>> List<'a, T> {
    /// The list that `bytes` are, of entries that `entry` parses and checks: one at least,
    /// `empty` says so, and `maximum` at most.
    #[inline]
    pub(super) fn parse(
        bytes: &'a [u8],
        version: ProtocolVersion,
        empty: Rule,
        maximum: u32,
        entry: impl Fn(&'a [u8]) -> Parsed<'a, T>,
    ) -> Parsed<'a, Self> {
        if bytes.is_empty() {
            return Err(fault(empty, bytes));
        }
        let (mut rest, mut count) = (bytes, 0);
        while !rest.is_empty() {
            let (next, _) = entry(rest)?;
            count += 1;
            if count > maximum as usize {
                return Err(fault(Rule::TopicFilterCount, rest));
            }
            rest = next;
        }
        let list = Source::Wire {
            bytes,
            count,
            version,
        };
        Ok((rest, Self(list)))
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + 'a {
        let (mut bytes, mut slice, version) = match self.0 {
            Source::Wire { bytes, version, .. } => (bytes, &[][..], version),
            Source::Slice(slice) => (&[][..], slice, ProtocolVersion::V5_0),
        };
        core::iter::from_fn(move || {
            if let Some((first, rest)) = slice.split_first() {
                slice = rest;
                return Some(*first);
            }
            let (rest, entry) = T::first(bytes, version)?;
            bytes = rest;
            Some(entry)
        })
    }

    /// How many bytes a packet has from its packet identifier to the end of its list.
    pub(super) fn body_len(&self, properties: &Properties<'_>, version: ProtocolVersion) -> usize {
        let list = match self.0 {
            Source::Wire { bytes, .. } => bytes.len(),
            Source::Slice(slice) => slice.iter().map(Encoded::len).sum(),
        };
        2 + properties.encoded_len(version) + list
    }

    /// Appends a packet from its packet identifier to the end of its list.
    pub(super) fn put_body(
        &self,
        packet_identifier: PacketIdentifier,
        properties: &Properties<'_>,
        version: ProtocolVersion,
        out: &mut impl BufMut,
    ) {
        out.put_u16(packet_identifier.get());
        properties.put(version, out);
        match self.0 {
            Source::Wire { bytes, .. } => out.put_slice(bytes),
            Source::Slice(slice) => slice.iter().for_each(|entry| entry.put(out)),
        }
    }
}

/// What stands before the list of `packet`.
#[inline(always)]
pub(super) fn before_list(
    body: &[u8],
    packet: PacketSet,
    version: ProtocolVersion,
) -> Parsed<'_, (PacketIdentifier, Properties<'_>)> {
    let (rest, packet_identifier) = wire::packet_identifier(body)?;
    let (rest, properties) = properties(rest, packet, version)?;
    Ok((rest, (packet_identifier, properties)))
}

/// How long a packet is that ends in the list of this name, and how it is written: a part of its
/// [`Body`](super::body::Body).
macro_rules! put_list {
    ($list:ident) => {
        fn len(&self, version: ProtocolVersion) -> usize {
            self.$list.body_len(&self.properties, version)
        }

        fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
            let Self {
                packet_identifier,
                properties,
                $list,
            } = self;
            $list.put_body(*packet_identifier, properties, version, out);
        }
    };
}
pub(super) use put_list;

impl<'a, T: Entry<'a>> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Entry<'a> + Eq> Eq for List<'a, T> {}

impl<'a, T: Entry<'a>> Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
