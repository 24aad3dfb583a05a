//! Packets that were sent and wait for their acknowledgement, by packet identifier.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use core::{fmt, mem};

use super::session::InFlight;
use crate::PacketIdentifier;

/// Slots that are kept when nothing is in flight: what most connections need.
const KEPT_SLOTS: usize = 1;
/// Places that are kept when nothing is in flight.
const KEPT_PLACES: usize = 8;

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

/// What is in flight.
///
/// Identifiers are assigned in ascending order and settled in about the same: a sorted queue
/// of them, at whose ends each step takes constant time, says in which slot the packet is.
/// In whatever order a peer settles them, a step moves 256 KiB at most.
#[derive(Clone)]
pub(super) struct InFlightPackets {
    places: VecDeque<Place>,
    slots: Vec<Slot>,
    /// The first of the free slots, [`END`] for none.
    free: u16,
}

#[derive(Clone, Copy)]
struct Place {
    identifier: PacketIdentifier,
    slot: u16,
}

#[derive(Clone)]
enum Slot {
    Used(Sent),
    /// The next free slot.
    Free(u16),
}

/// No slot: there are 65,535 at most, as there are packet identifiers.
const END: u16 = u16::MAX;

impl InFlightPackets {
    pub(super) const fn new() -> Self {
        Self {
            places: VecDeque::new(),
            slots: Vec::new(),
            free: END,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where the identifier is in `places`, or would be.
    #[inline]
    fn find(&self, identifier: PacketIdentifier) -> Result<usize, usize> {
        match self.places.front() {
            None => return Err(0),
            Some(front) if front.identifier == identifier => return Ok(0),
            Some(_) => {}
        }
        match self.places.back() {
            Some(back) if back.identifier < identifier => Err(self.places.len()),
            _ => self
                .places
                .binary_search_by_key(&identifier, |place| place.identifier),
        }
    }

    #[inline]
    pub(super) fn contains(&self, identifier: PacketIdentifier) -> bool {
        self.find(identifier).is_ok()
    }

    #[inline]
    pub(super) fn get(&self, identifier: PacketIdentifier) -> Option<&Sent> {
        let place = self.places.get(self.find(identifier).ok()?)?;
        self.at(place.slot)
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
        let place = self.places.get(self.find(identifier).ok()?)?;
        match self.slots.get_mut(usize::from(place.slot))? {
            Slot::Used(sent) => Some(sent),
            Slot::Free(_) => None,
        }
    }

    /// Adds a packet, in the place of one that has the same identifier.
    #[inline]
    pub(super) fn insert(&mut self, identifier: PacketIdentifier, sent: Sent) {
        let at = match self.find(identifier) {
            Ok(_) => {
                if let Some(old) = self.get_mut(identifier) {
                    *old = sent;
                }
                return;
            }
            Err(at) => at,
        };
        let slot = self.free;
        let slot = match self.slots.get_mut(usize::from(slot)) {
            Some(place) => {
                if let Slot::Free(next) = mem::replace(place, Slot::Used(sent)) {
                    self.free = next;
                }
                slot
            }
            None => {
                if self.slots.capacity() == 0 {
                    self.slots.reserve_exact(KEPT_SLOTS);
                }
                self.slots.push(Slot::Used(sent));
                // There are fewer than there are packet identifiers.
                (self.slots.len() - 1) as u16
            }
        };
        let place = Place { identifier, slot };
        if at == self.places.len() {
            self.places.push_back(place);
        } else {
            self.places.insert(at, place);
        }
    }

    /// Takes a packet out.
    #[inline]
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<Sent> {
        let slot = match self.find(identifier) {
            Ok(0) => self.places.pop_front()?.slot,
            Ok(at) => self.places.remove(at)?.slot,
            Err(_) => return None,
        };
        let place = self.slots.get_mut(usize::from(slot))?;
        let Slot::Used(sent) = mem::replace(place, Slot::Free(self.free)) else {
            return None;
        };
        self.free = slot;
        if self.places.is_empty() {
            self.give_back();
        }
        Some(sent)
    }

    /// Gives memory back that an idle connection has no use for.
    #[inline]
    fn give_back(&mut self) {
        self.free = END;
        self.slots.clear();
        if self.slots.capacity() > KEPT_SLOTS {
            self.slots = Vec::new();
        }
        if self.places.capacity() > KEPT_PLACES {
            self.places = VecDeque::new();
        }
    }

    /// The packets, by identifier.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PacketIdentifier, &Sent)> {
        self.places
            .iter()
            .filter_map(|place| Some((place.identifier, self.at(place.slot)?)))
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
        let (Ok(at) | Err(at)) = self.find(first);
        self.places.range(at..).map(|place| place.identifier)
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
                    on_this_connection: false,
                };
                match step {
                    0 => prop_assert_eq!(packets.remove(identifier), expected.remove(&identifier)),
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
