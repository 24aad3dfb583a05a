//! Packets that were sent and wait for their acknowledgement, by packet identifier.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::by_identifier::ByIdentifier;
use super::session::InFlight;
use crate::PacketIdentifier;

/// The most slots that are allocated at once.
const AT_ONCE: usize = 256;

/// A packet that was sent and waits for its acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) packet: InFlight,
    /// Its place in the order of sending.
    pub(super) sequence: u64,
    /// When the Message Expiry Interval will have passed, if it has one.
    pub(super) expires: Option<Duration>,
    /// Whether it counts against the peer's Receive Maximum.
    pub(super) on_this_connection: bool,
}

/// What is in flight: the packets in slots, so that none of them is moved, and the slot of each
/// by its identifier.
#[derive(Clone)]
pub(super) struct InFlightPackets {
    places: ByIdentifier<u16>,
    slots: Vec<Slot>,
    /// The first of the free slots, [`END`] for none.
    free: u16,
    /// How many there were at most when the slots were last given back.
    usual: u16,
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
            slots: Vec::new(),
            free: END,
            usual: 0,
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
        self.at(*self.places.get(identifier)?)
    }

    #[inline]
    fn at(&self, slot: u16) -> Option<&Sent> {
        match self.slots.get(usize::from(slot))? {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, identifier: PacketIdentifier) -> Option<&mut Sent> {
        let slot = *self.places.get(identifier)?;
        match self.slots.get_mut(usize::from(slot))? {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        }
    }

    /// Adds a packet, in the place of one that has the same identifier.
    #[inline]
    pub(super) fn insert(&mut self, identifier: PacketIdentifier, sent: Sent) {
        if self.places.last() >= Some(identifier)
            && let Some(old) = self.get_mut(identifier)
        {
            *old = sent;
            return;
        }
        let free = self.free;
        let slot = match self.slots.get_mut(usize::from(free)) {
            Some(place) => {
                if let Slot::Free(next) = place {
                    self.free = *next;
                }
                *place = Slot::Used(sent);
                free
            }
            None => {
                if self.slots.capacity() == 0 {
                    let usual = usize::from(self.usual);
                    self.slots.reserve_exact(usual.clamp(1, AT_ONCE));
                }
                self.slots.push(Slot::Used(sent));
                // There are fewer than there are packet identifiers.
                (self.slots.len() - 1) as u16
            }
        };
        self.places.insert(identifier, slot);
    }

    /// Forgets a packet; whether it counted against the peer's Receive Maximum. With the last one
    /// the slots are given back: an idle connection has no use for them.
    #[inline]
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<bool> {
        match self.remove_if(identifier, |_| true) {
            Removed::Yes { counted } => Some(counted),
            Removed::Absent | Removed::Kept => None,
        }
    }

    /// Forgets a packet, if it is one of those.
    #[inline]
    pub(super) fn remove_if(
        &mut self,
        identifier: PacketIdentifier,
        is_one: impl FnOnce(&InFlight) -> bool,
    ) -> Removed {
        let Ok(at) = self.places.find(identifier) else {
            return Removed::Absent;
        };
        let Some(&slot) = self.places.at(at) else {
            return Removed::Absent;
        };
        let Some(place) = self.slots.get_mut(usize::from(slot)) else {
            return Removed::Absent;
        };
        let Slot::Used(sent) = &*place else {
            return Removed::Absent;
        };
        if !is_one(&sent.packet) {
            return Removed::Kept;
        }
        let counted = sent.on_this_connection;
        *place = Slot::Free(self.free);
        self.places.remove_at(at);
        self.free = slot;
        if self.places.is_empty() {
            self.usual = self.slots.len() as u16;
            self.free = END;
            self.slots = Vec::new();
        }
        Removed::Yes { counted }
    }

    /// The packets, by identifier.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PacketIdentifier, &Sent)> {
        self.places
            .iter()
            .filter_map(|(identifier, slot)| Some((identifier, self.at(*slot)?)))
    }

    /// The packets, in no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        })
    }

    /// The identifiers from `first` on, in their order.
    pub(super) fn identifiers_from(
        &self,
        first: PacketIdentifier,
    ) -> impl Iterator<Item = PacketIdentifier> + '_ {
        self.places.identifiers_from(first)
    }
}

impl PartialEq for InFlightPackets {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for InFlightPackets {}

impl fmt::Debug for InFlightPackets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_a_map(steps in prop::collection::vec((0..3_u8, 1..20_u16), 0..200)) {
            let (mut packets, mut expected) = (InFlightPackets::new(), BTreeMap::new());
            for (sequence, (step, identifier)) in (0..).zip(steps) {
                let identifier = PacketIdentifier::new(identifier).unwrap();
                let sent = Sent {
                    packet: InFlight::PubRel,
                    sequence,
                    expires: None,
                    on_this_connection: sequence % 2 == 0,
                };
                match step {
                    0 => {
                        let removed: Option<Sent> = expected.remove(&identifier);
                        let counted = removed.map(|sent| sent.on_this_connection);
                        prop_assert_eq!(packets.remove(identifier), counted);
                    }
                    _ => {
                        packets.insert(identifier, sent.clone());
                        expected.insert(identifier, sent);
                    }
                }
                prop_assert_eq!(packets.get(identifier), expected.get(&identifier));
                prop_assert!(packets.iter().eq(expected.iter().map(|(i, s)| (*i, s))));
                prop_assert!(packets.slots.len() <= 20);
                prop_assert_eq!(packets.is_empty(), expected.is_empty());
                let from = packets.identifiers_from(identifier);
                prop_assert!(from.eq(expected.range(identifier..).map(|(i, _)| *i)));
            }
        }
    }
}
