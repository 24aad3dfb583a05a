//! Packets that were sent and wait for their acknowledgement, by packet identifier.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Message;
use super::by_identifier::ByIdentifier;
use super::message_store::{Kept, MessageStore};
use super::session::InFlight;
use crate::PacketIdentifier;

/// The most slots that are allocated at once.
const AT_ONCE: usize = 256;

/// A packet that was sent and waits for its acknowledgement.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) packet: SentPacket,
    /// Its place in the order of sending.
    pub(super) sequence: u64,
    /// When the Message Expiry Interval will have passed, if it has one and a time was told
    /// since it was sent.
    pub(super) expires: Option<Duration>,
    /// Whether it counts against the peer's Receive Maximum.
    pub(super) on_this_connection: bool,
}

/// What [`InFlight`] is, and where its message is kept.
#[derive(Clone)]
pub(super) enum SentPacket {
    Publish(Kept),
    Unreleased,
    PubRel,
}

/// What is in flight: the packets in slots, so that none of them is moved, and the slot of each
/// by its identifier.
#[derive(Clone)]
pub(super) struct InFlightPackets {
    places: ByIdentifier<u16>,
    /// While there are any: an idle connection has none.
    slots: Option<Box<Slots>>,
    /// How many slots there were when they were last given back.
    usual_slots: u16,
    /// How many bytes of messages.
    usual_bytes: u32,
}

#[derive(Clone)]
struct Slots {
    slots: Vec<Slot>,
    /// The first of the free slots, [`END`] for none.
    free: u16,
    messages: MessageStore,
    /// Messages that expire, and were sent since a time was told.
    undated: Vec<PacketIdentifier>,
}

#[derive(Clone)]
enum Slot {
    Used(Sent),
    /// The next free slot.
    Free(u16),
}

/// Whether a packet was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// There is none.
    Absent,
    /// It is not one of those that were meant.
    Kept,
    Yes {
        /// Whether it counted against the peer's Receive Maximum.
        counted: bool,
    },
}

/// No slot: there are 65,535 at most, as there are packet identifiers.
const END: u16 = u16::MAX;

impl InFlightPackets {
    pub(super) const fn new() -> Self {
        Self {
            places: ByIdentifier::new(),
            slots: None,
            usual_slots: 0,
            usual_bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[inline]
    pub(super) fn contains(&self, identifier: PacketIdentifier) -> bool {
        self.places.contains(identifier)
    }

    #[inline]
    pub(super) fn get(&self, identifier: PacketIdentifier) -> Option<&Sent> {
        self.slots.as_ref()?.at(*self.places.get(identifier)?)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, identifier: PacketIdentifier) -> Option<&mut Sent> {
        let slot = *self.places.get(identifier)?;
        self.slots.as_mut()?.at_mut(slot)
    }

    /// What one of them is.
    pub(super) fn packet<'a>(&'a self, sent: &'a Sent) -> InFlight<'a> {
        match (&sent.packet, &self.slots) {
            (SentPacket::Publish(kept), Some(slots)) => InFlight::Publish(slots.messages.get(kept)),
            (SentPacket::PubRel, _) => InFlight::PubRel,
            (SentPacket::Unreleased | SentPacket::Publish(_), _) => InFlight::Unreleased,
        }
    }

    /// Adds a message that was sent, in the place of a packet that has the same identifier.
    #[inline]
    pub(super) fn insert_message(
        &mut self,
        identifier: PacketIdentifier,
        message: &Message<'_>,
        sequence: u64,
        on_this_connection: bool,
    ) {
        let is_last = self.make_place(identifier);
        let slots = self.slots();
        let kept = slots.messages.put(message);
        if on_this_connection && kept.expires() {
            slots.undated.push(identifier);
        }
        let sent = Sent {
            packet: SentPacket::Publish(kept),
            sequence,
            expires: None,
            on_this_connection,
        };
        let slot = slots.insert(sent);
        match is_last {
            true => self.places.push(identifier, slot),
            false => self.places.insert(identifier, slot),
        }
    }

    /// Adds a packet, in the place of one that has the same identifier.
    pub(super) fn insert(&mut self, identifier: PacketIdentifier, sent: Sent) {
        self.make_place(identifier);
        let slot = self.slots().insert(sent);
        self.places.insert(identifier, slot);
    }

    /// Forgets a packet whose identifier another one is to have. Returns whether that comes
    /// after all others.
    #[inline]
    fn make_place(&mut self, identifier: PacketIdentifier) -> bool {
        let is_last = self.places.last() < Some(identifier);
        if !is_last {
            self.remove(identifier);
        }
        is_last
    }

    #[inline]
    fn slots(&mut self) -> &mut Slots {
        let (slots, bytes) = (self.usual_slots, self.usual_bytes);
        self.slots
            .get_or_insert_with(|| Box::new(Slots::with_capacity(slots.into(), bytes as usize)))
    }

    /// Puts another packet in the place of one; the message, if it was one, is not kept.
    pub(super) fn replace(
        &mut self,
        identifier: PacketIdentifier,
        packet: SentPacket,
        sequence: u64,
    ) {
        let old = self.get_mut(identifier).map(|sent| {
            sent.sequence = sequence;
            core::mem::replace(&mut sent.packet, packet)
        });
        if let Some(SentPacket::Publish(kept)) = old {
            self.settle(kept.len());
        }
    }

    /// Forgets a packet; whether it counted against the peer's Receive Maximum.
    #[inline]
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<bool> {
        match self.remove_if(identifier, |_| true) {
            Removed::Yes { counted } => Some(counted),
            Removed::Absent | Removed::Kept => None,
        }
    }

    /// Forgets a packet, if it is one of those. With the last one the memory is given back: an
    /// idle connection has no use for it.
    #[inline]
    pub(super) fn remove_if(
        &mut self,
        identifier: PacketIdentifier,
        is_one: impl FnOnce(&SentPacket) -> bool,
    ) -> Removed {
        let Ok(at) = self.places.find(identifier) else {
            return Removed::Absent;
        };
        let (Some(&slot), Some(slots)) = (self.places.at(at), &mut self.slots) else {
            return Removed::Absent;
        };
        let Some(place) = slots.slots.get_mut(usize::from(slot)) else {
            return Removed::Absent;
        };
        let Slot::Used(sent) = &*place else {
            return Removed::Absent;
        };
        if !is_one(&sent.packet) {
            return Removed::Kept;
        }
        let counted = sent.on_this_connection;
        let kept = match &sent.packet {
            SentPacket::Publish(kept) => kept.len(),
            SentPacket::Unreleased | SentPacket::PubRel => 0,
        };
        *place = Slot::Free(slots.free);
        slots.free = slot;
        self.places.remove_at(at);
        if self.places.is_empty() {
            self.give_back();
        } else {
            self.settle(kept);
        }
        Removed::Yes { counted }
    }

    fn give_back(&mut self) {
        if let Some(slots) = self.slots.take() {
            self.usual_slots = slots.slots.len() as u16;
            self.usual_bytes = u32::try_from(slots.messages.len()).unwrap_or(u32::MAX);
        }
    }

    /// A message of which so many bytes were kept is not kept any more.
    #[inline]
    fn settle(&mut self, kept: usize) {
        let Some(slots) = &mut self.slots else { return };
        if slots.messages.settle(kept) {
            self.compact();
        }
    }

    /// Moves the messages that are left together.
    #[cold]
    fn compact(&mut self) {
        let Some(slots) = &mut self.slots else { return };
        let mut left = slots.messages.with_room_for_those_left();
        for (_, &slot) in self.places.iter() {
            if let Some(Slot::Used(sent)) = slots.slots.get_mut(usize::from(slot))
                && let SentPacket::Publish(kept) = &mut sent.packet
            {
                left.take_over(&slots.messages, kept);
            }
        }
        slots.messages = left;
    }

    /// The packets, by identifier.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PacketIdentifier, &Sent)> {
        self.places
            .iter()
            .filter_map(|(identifier, slot)| Some((identifier, self.slots.as_ref()?.at(*slot)?)))
    }

    /// All that is known of each, by identifier.
    fn entries(
        &self,
    ) -> impl Iterator<
        Item = (
            PacketIdentifier,
            (InFlight<'_>, u64, Option<Duration>, bool),
        ),
    > {
        self.iter().map(|(identifier, sent)| {
            let Sent {
                packet: _,
                sequence,
                expires,
                on_this_connection,
            } = sent;
            let packet = self.packet(sent);
            (
                identifier,
                (packet, *sequence, *expires, *on_this_connection),
            )
        })
    }

    /// Message Expiry Intervals of what was sent since a time was told count from this one.
    #[inline]
    pub(super) fn date(&mut self, now: Duration) {
        if let Some(slots) = &self.slots
            && !slots.undated.is_empty()
        {
            self.date_each(now);
        }
    }

    #[inline(never)]
    fn date_each(&mut self, now: Duration) {
        let Some(slots) = &mut self.slots else { return };
        let Slots {
            slots,
            messages,
            undated,
            ..
        } = &mut **slots;
        for identifier in undated.drain(..) {
            let slot = self.places.get(identifier).copied();
            if let Some(Slot::Used(sent)) = slot.and_then(|it| slots.get_mut(usize::from(it)))
                && let SentPacket::Publish(kept) = &sent.packet
            {
                sent.expires = messages.get(kept).expires(now);
            }
        }
    }

    /// Nothing has been sent on the connection that begins, and Message Expiry Intervals of
    /// messages that have no date yet count from now on.
    pub(super) fn begin_connection(&mut self, now: Duration) {
        let Some(slots) = &mut self.slots else { return };
        let Slots {
            slots,
            messages,
            undated,
            ..
        } = &mut **slots;
        undated.clear();
        for slot in slots {
            let Slot::Used(sent) = slot else { continue };
            sent.on_this_connection = false;
            if let (SentPacket::Publish(kept), None) = (&sent.packet, sent.expires)
                && kept.expires()
            {
                sent.expires = messages.get(kept).expires(now);
            }
        }
    }

    /// The identifiers from `first` on, in their order.
    pub(super) fn identifiers_from(
        &self,
        first: PacketIdentifier,
    ) -> impl Iterator<Item = PacketIdentifier> + '_ {
        self.places.identifiers_from(first)
    }
}

impl Slots {
    fn with_capacity(slots: usize, bytes: usize) -> Self {
        let mut all = Vec::new();
        all.reserve_exact(slots.clamp(1, AT_ONCE));
        Self {
            slots: all,
            free: END,
            messages: MessageStore::with_capacity(bytes),
            undated: Vec::new(),
        }
    }

    #[inline]
    fn at(&self, slot: u16) -> Option<&Sent> {
        match self.slots.get(usize::from(slot))? {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        }
    }

    #[inline]
    fn at_mut(&mut self, slot: u16) -> Option<&mut Sent> {
        match self.slots.get_mut(usize::from(slot))? {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        }
    }

    /// Fills a slot; which.
    #[inline]
    fn insert(&mut self, sent: Sent) -> u16 {
        let free = self.free;
        match self.slots.get_mut(usize::from(free)) {
            Some(place) => {
                if let Slot::Free(next) = place {
                    self.free = *next;
                }
                *place = Slot::Used(sent);
                free
            }
            None => {
                self.slots.push(Slot::Used(sent));
                // There are fewer than there are packet identifiers.
                (self.slots.len() - 1) as u16
            }
        }
    }
}

impl PartialEq for InFlightPackets {
    fn eq(&self, other: &Self) -> bool {
        self.entries().eq(other.entries())
    }
}

impl Eq for InFlightPackets {}

impl fmt::Debug for InFlightPackets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.entries()
                    .map(|(identifier, entry)| (identifier, entry.0)),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QoS;
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn id(value: u16) -> PacketIdentifier {
        PacketIdentifier::new(value).unwrap()
    }

    /// A topic name that differs from step to step, and is now and then long.
    fn topic_name(step: u64) -> String {
        std::format!("{step}{}", "/x".repeat((step % 7 * 40) as usize))
    }

    proptest! {
        #[test]
        fn they_are_a_map(steps in prop::collection::vec((0..4_u8, 1..20_u16), 0..400)) {
            let (mut packets, mut expected) = (InFlightPackets::new(), BTreeMap::new());
            let large = Bytes::from_static(&[b'l'; 300]);
            for (step, (action, identifier)) in (0..).zip(steps) {
                let (identifier, counted) = (id(identifier), step % 2 == 0);
                match action {
                    0 => {
                        let removed = expected.remove(&identifier);
                        prop_assert_eq!(packets.remove(identifier), removed.map(|it: (_, bool)| it.1));
                    }
                    1 => {
                        if let Some(it) = expected.get_mut(&identifier) {
                            packets.replace(identifier, SentPacket::PubRel, step);
                            it.0 = None;
                        }
                    }
                    _ => {
                        let topic_name = topic_name(step);
                        let message = match step % 3 {
                            0 => Message::new(&topic_name, &large, QoS::AtLeastOnce),
                            _ => Message::new(&topic_name, "payload", QoS::ExactlyOnce),
                        };
                        packets.insert_message(identifier, &message, step, counted);
                        expected.insert(identifier, (Some(message.to_buf()), counted));
                    }
                }
                let found: Vec<_> = packets
                    .iter()
                    .map(|(identifier, sent)| {
                        let message = match packets.packet(sent) {
                            InFlight::Publish(message) => Some(message.to_buf()),
                            _ => None,
                        };
                        (identifier, (message, sent.on_this_connection))
                    })
                    .collect();
                prop_assert!(found.iter().map(|(i, it)| (i, it)).eq(expected.iter()));
                prop_assert_eq!(packets.get(identifier).is_some(), expected.contains_key(&identifier));
                let slots = packets.slots.as_ref();
                prop_assert!(slots.map_or(0, |it| it.slots.len()) <= 20);
                let bytes = slots.map_or(0, |it| it.messages.len());
                let live = expected.values().flat_map(|it| &it.0).map(|it| it.topic_name.len() + 7);
                prop_assert!(bytes <= 2 * live.sum::<usize>() + 17_000);
                prop_assert_eq!(packets.is_empty(), expected.is_empty());
                prop_assert_eq!(packets.slots.is_none(), expected.is_empty());
                let from = packets.identifiers_from(identifier);
                prop_assert!(from.eq(expected.range(identifier..).map(|(i, _)| *i)));
            }
        }
    }
}
