//! What outlives a network connection (section 4.1).

use alloc::vec::Vec;
use core::time::Duration;

use super::Message;
use super::by_identifier::ByIdentifier;
use super::in_flight::{InFlightPackets, Sent, SentPacket};
use crate::PacketIdentifier;

/// The delivery state of a session: the messages that were sent and are not settled, and
/// the QoS 2 messages that were received and are not settled (section 4.1).
///
/// It goes into a connection when that begins ([`ServerConnection::accept`],
/// [`ClientConnection::connect`]) and comes out when it is over
/// ([`Connection::into_session`](super::Connection::into_session)). The connections of one
/// session count their time from the same origin: the Message Expiry Interval of a message
/// that is sent again is what is left of it. The default is a new, empty session.
/// Subscriptions, and messages not yet given to `publish`, are the embedder's own to keep.
///
/// [`ServerConnection::accept`]: super::Connection::accept
/// [`ClientConnection::connect`]: super::Connection::connect
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Outbound, by packet identifier.
    pub(super) in_flight: InFlightPackets,
    /// The number that the next packet in `in_flight` gets.
    pub(super) sequence: u64,
    /// The packet identifier that was assigned last; 0 before the first.
    pub(super) last_identifier: u16,
    /// Inbound QoS 2, by packet identifier.
    pub(super) received: ByIdentifier<ReceivedState>,
}

/// A packet that was sent and waits for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InFlight<'a> {
    /// A PUBLISH, which waits for PUBACK or PUBREC.
    Publish(Message<'a>),
    /// A QoS 2 message for which PUBREC has come. The embedder has yet to
    /// [`release`](super::Connection::release) it.
    Unreleased,
    /// A PUBREL, which waits for PUBCOMP.
    PubRel,
}

/// An inbound QoS 2 message that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Received {
    /// The embedder has it and has not acknowledged it.
    Pending,
    /// PUBREC has been sent, PUBREL has not come.
    Acknowledged,
    /// PUBREL has come. The embedder has yet to [`complete`](super::Connection::complete) it.
    Released,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReceivedState {
    pub(super) state: Received,
    /// Whether it counts against the Receive Maximum that the peer was told.
    pub(super) on_this_connection: bool,
}

impl ReceivedState {
    pub(super) fn acknowledge(&mut self) {
        if self.state == Received::Pending {
            self.state = Received::Acknowledged;
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A new, empty session.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            in_flight: InFlightPackets::new(),
            sequence: 0,
            last_identifier: 0,
            received: ByIdentifier::new(),
        }
    }

    /// A session from what [`in_flight`](Self::in_flight) and [`received`](Self::received)
    /// returned: for an embedder that keeps sessions on disk. Message Expiry Intervals count
    /// from the next connection on.
    #[must_use]
    pub fn restore<'a>(
        in_flight: impl IntoIterator<Item = (PacketIdentifier, InFlight<'a>)>,
        received: impl IntoIterator<Item = (PacketIdentifier, Received)>,
    ) -> Self {
        let mut session = Self::new();
        for (identifier, packet) in in_flight {
            session.restore_packet(identifier, packet);
            session.last_identifier = identifier.get();
        }
        session.received = received
            .into_iter()
            .map(|(identifier, state)| {
                let on_this_connection = false;
                (
                    identifier,
                    ReceivedState {
                        state,
                        on_this_connection,
                    },
                )
            })
            .collect();
        session
    }

    /// Whether nothing is under way in either direction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.received.is_empty()
    }

    /// What was sent and is not settled, in the order of sending (MQTT-4.6.0-1).
    // keeps: 5.0 MQTT-4.6.0-1, 3.1.1 MQTT-4.6.0-1
    #[must_use]
    pub fn in_flight(&self) -> Vec<(PacketIdentifier, InFlight<'_>)> {
        self.in_order()
            .into_iter()
            .map(|(identifier, sent)| (identifier, self.in_flight.packet(sent)))
            .collect()
    }

    /// The messages that were sent and that the peer is not known to have, in the order of
    /// sending: what to publish anew when the server has lost its part of the session.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> + '_ {
        let packets = self.in_flight().into_iter();
        packets.filter_map(|(_, packet)| match packet {
            InFlight::Publish(message) => Some(message),
            InFlight::Unreleased | InFlight::PubRel => None,
        })
    }

    fn in_order(&self) -> Vec<(PacketIdentifier, &Sent)> {
        let mut sent: Vec<_> = self.in_flight.iter().collect();
        sent.sort_unstable_by_key(|(_, sent)| sent.sequence);
        sent
    }

    /// The QoS 2 messages that were received and are not settled.
    pub fn received(&self) -> impl Iterator<Item = (PacketIdentifier, Received)> + '_ {
        self.received
            .iter()
            .map(|(identifier, received)| (identifier, received.state))
    }

    /// Acknowledges a QoS 2 message while there is no connection to do it on. The PUBREC
    /// goes out when the peer sends the message again. `false` if there is no such message.
    pub fn acknowledge(&mut self, packet_identifier: PacketIdentifier) -> bool {
        match self.received.get_mut(packet_identifier) {
            Some(received) => {
                received.acknowledge();
                true
            }
            None => false,
        }
    }

    /// The next place in the order of sending.
    #[inline]
    pub(super) fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }

    /// Keeps a message that was sent on this connection.
    // keeps: 5.0 MQTT-4.3.2-3, 5.0 MQTT-4.3.3-3, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1
    #[inline]
    pub(super) fn keep(
        &mut self,
        identifier: PacketIdentifier,
        message: &Message<'_>,
        sequence: u64,
    ) {
        self.in_flight
            .insert_message(identifier, message, sequence, true);
    }

    /// Takes up a packet that was kept elsewhere.
    fn restore_packet(&mut self, identifier: PacketIdentifier, packet: InFlight<'_>) {
        let sequence = self.next_sequence();
        let packet = match packet {
            InFlight::Publish(message) => {
                return self
                    .in_flight
                    .insert_message(identifier, &message, sequence, false);
            }
            InFlight::Unreleased => SentPacket::Unreleased,
            InFlight::PubRel => SentPacket::PubRel,
        };
        let sent = Sent {
            packet,
            sequence,
            expires: None,
            on_this_connection: false,
        };
        self.in_flight.insert(identifier, sent);
    }

    /// Puts what follows PUBREC in the place of a PUBLISH, at the end of the order: PUBRELs
    /// are sent in the order of their PUBRECs (MQTT-4.6.0-4).
    // keeps: 5.0 MQTT-4.3.3-5, 5.0 MQTT-4.3.3-6, 5.0 MQTT-4.6.0-4
    // keeps: 3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.6.0-4
    pub(super) fn replace(&mut self, identifier: PacketIdentifier, packet: SentPacket) {
        let sequence = self.next_sequence();
        self.in_flight.replace(identifier, packet, sequence);
    }

    /// Nothing has been sent on the connection that begins; returns what is to be sent
    /// again, in order.
    pub(super) fn begin_connection(&mut self, now: Duration) -> Vec<PacketIdentifier> {
        self.in_flight.begin_connection(now);
        for received in self.received.values_mut() {
            received.on_this_connection = false;
            if received.state == Received::Released {
                // The peer sends its PUBREL again (MQTT-4.4.0-1).
                received.state = Received::Acknowledged;
            }
        }
        self.in_order()
            .into_iter()
            .map(|(identifier, _)| identifier)
            .collect()
    }

    /// A packet identifier that is not in use here, nor by `is_used` (section 2.2.1).
    // keeps: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4, 5.0 MQTT-4.3.2-1, 5.0 MQTT-4.3.3-1
    // keeps: 3.1.1 MQTT-2.3.1-2, 3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1
    pub(super) fn assign_identifier(
        &mut self,
        is_used: impl Fn(PacketIdentifier) -> bool,
    ) -> Option<PacketIdentifier> {
        let next = PacketIdentifier::new(self.last_identifier.wrapping_add(1))
            .unwrap_or(PacketIdentifier::MIN);
        let identifier = if self.in_flight.contains(next) || is_used(next) {
            self.first_free(next, PacketIdentifier::MAX, &is_used)
                .or_else(|| self.first_free(PacketIdentifier::MIN, next, &is_used))?
        } else {
            next
        };
        self.last_identifier = identifier.get();
        Some(identifier)
    }

    /// The first packet identifier from `first` to `last` that is not in use. Those that
    /// are used are passed in their order: a peer that leaves all but one unsettled
    /// would make a search for each cost milliseconds a message.
    #[cold]
    fn first_free(
        &self,
        first: PacketIdentifier,
        last: PacketIdentifier,
        is_used: impl Fn(PacketIdentifier) -> bool,
    ) -> Option<PacketIdentifier> {
        let mut in_flight = self.in_flight.identifiers_from(first);
        let mut used = in_flight.next();
        for identifier in (first.get()..=last.get()).filter_map(PacketIdentifier::new) {
            if used == Some(identifier) {
                used = in_flight.next();
            } else if !is_used(identifier) {
                return Some(identifier);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QoS;

    fn id(value: u16) -> PacketIdentifier {
        PacketIdentifier::new(value).unwrap()
    }

    fn insert(session: &mut Session, identifier: PacketIdentifier, packet: InFlight<'_>) {
        session.restore_packet(identifier, packet);
    }

    #[test]
    fn identifiers_go_round_and_leave_out_those_in_use() {
        let mut session = Session::new();
        assert_eq!(session.assign_identifier(|_| false), Some(id(1)));
        insert(&mut session, id(3), InFlight::PubRel);
        assert_eq!(session.assign_identifier(|i| i == id(2)), Some(id(4)));
        session.last_identifier = u16::MAX;
        assert_eq!(session.assign_identifier(|_| false), Some(id(1)));
        assert_eq!(session.assign_identifier(|_| true), None);
    }

    #[test]
    fn the_last_identifier_is_found() {
        let mut session = Session::new();
        for identifier in 1..=u16::MAX {
            insert(&mut session, id(identifier), InFlight::PubRel);
        }
        assert_eq!(session.assign_identifier(|_| false), None);
        for last in [1, 7, u16::MAX] {
            for free in [1, 2, 7, u16::MAX] {
                session.last_identifier = last;
                session.in_flight.remove(id(free));
                assert_eq!(session.assign_identifier(|_| false), Some(id(free)));
                session.last_identifier = last;
                assert_eq!(session.assign_identifier(|i| i == id(free)), None);
                insert(&mut session, id(free), InFlight::PubRel);
            }
        }
    }

    #[test]
    fn a_restored_session_keeps_the_order() {
        let message = || InFlight::Publish(Message::new("t", "p", QoS::ExactlyOnce));
        let mut session = Session::new();
        insert(&mut session, id(9), message());
        insert(&mut session, id(2), InFlight::PubRel);
        insert(&mut session, id(5), message());
        session.received.insert(
            id(7),
            ReceivedState {
                state: Received::Pending,
                on_this_connection: false,
            },
        );
        let in_flight = session.in_flight();
        assert!(in_flight.iter().map(|(i, _)| i.get()).eq([9, 2, 5]));
        let mut restored = Session::restore(in_flight, session.received());
        assert_eq!(restored.in_flight(), session.in_flight());
        assert_eq!(restored.received, session.received);
        assert!(!restored.is_empty());
        assert_eq!(restored.assign_identifier(|_| false), Some(id(6)));
    }
}
