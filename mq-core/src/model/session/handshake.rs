//! How far the packets of a session have come (MQTT 5.0 sections 4.1 and 4.3).
//!
//! The model assigns packet identifiers and knows where each handshake stands. A connection
//! has a copy of that, from when it gets the session on.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::{Pending, Session, SessionId, Sessions, target};
use crate::model::change::{Change, Handshake, Sender, Sent};
use crate::model::message::Qos;
use crate::model::shared::Shared;
use crate::model::{ConnectionId, Notice, Wait};

/// What was sent to the client under one packet identifier.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Its place in the order of sending.
    pub(super) number: u64,
    /// Where the message is kept.
    pub(super) position: u64,
    /// The message. None: the client has it, and PUBREL is on its way.
    pub(super) message: Option<Pending>,
}

/// How far the packets of a session have come, in both directions.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    /// Sent with QoS 1 or 2, and not settled by the client yet, by packet identifier.
    in_flight: BTreeMap<u16, InFlight>,
    /// The packet identifiers of QoS 2 messages that came from the client, and that it has
    /// not released.
    received: BTreeSet<u16>,
}

impl Handshakes {
    const NONE: &Self = &Self {
        in_flight: BTreeMap::new(),
        received: BTreeSet::new(),
    };

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.received.is_empty()
    }
}

/// A packet that was on its way to the client when its connection before ended.
#[derive(Debug)]
pub struct Resumed {
    /// Its packet identifier.
    pub packet_identifier: u16,
    /// The message. None: the client has it, and is to be sent PUBREL.
    pub message: Option<Pending>,
}

impl Session {
    /// What a step of a QoS 2 handshake waits for: that a crash does not undo the ones
    /// before it.
    pub(super) fn wait(&self) -> Wait {
        match self.is_kept {
            true => Wait::Stored,
            false => Wait::Nothing,
        }
    }

    fn handshakes(&self) -> &Handshakes {
        self.handshakes.as_deref().unwrap_or(Handshakes::NONE)
    }

    /// Those of the messages that were sent with QoS 1 or 2 and are not settled.
    pub(super) fn in_flight(&self) -> &BTreeMap<u16, InFlight> {
        &self.handshakes().in_flight
    }

    fn sent(&mut self, packet_identifier: u16) -> Option<&mut InFlight> {
        let handshakes = self.handshakes.as_mut()?;
        handshakes.in_flight.get_mut(&packet_identifier)
    }

    fn add_sent(&mut self, packet_identifier: u16, in_flight: InFlight) {
        let handshakes = self.handshakes.get_or_insert_default();
        handshakes.in_flight.insert(packet_identifier, in_flight);
    }

    fn remove_sent(&mut self, packet_identifier: u16) -> Option<InFlight> {
        let handshakes = self.handshakes.as_mut()?;
        handshakes.in_flight.remove(&packet_identifier)
    }

    /// The packet identifiers of QoS 2 messages that the client has not released.
    pub(super) fn received(&self) -> impl ExactSizeIterator<Item = u16> {
        self.handshakes().received.iter().copied()
    }

    /// Returns whether it was not there.
    pub(super) fn add_received(&mut self, packet_identifier: u16) -> bool {
        let handshakes = self.handshakes.get_or_insert_default();
        handshakes.received.insert(packet_identifier)
    }

    /// Returns whether it was there.
    fn remove_received(&mut self, packet_identifier: u16) -> bool {
        let handshakes = self.handshakes.as_mut();
        handshakes.is_some_and(|it| it.received.remove(&packet_identifier))
    }

    /// Whether nothing on its way to the client has the packet identifier.
    pub(super) fn is_free(&self, packet_identifier: u16) -> bool {
        !self.in_flight().contains_key(&packet_identifier)
    }

    /// A packet identifier that nothing on its way to the client has (section 2.2.1).
    fn free_identifier(&self) -> Option<u16> {
        let next = self.last_identifier.checked_add(1).unwrap_or(1);
        let free = |from: u16| {
            let mut free = from;
            // Those that are used are passed in their order.
            for used in self.in_flight().range(from..).map(|(used, _)| *used) {
                if used != free {
                    break;
                }
                free = used.checked_add(1)?;
            }
            Some(free)
        };
        free(next).or_else(|| free(1))
    }

    /// Puts back what was on its way to the client.
    pub(super) fn restore_in_flight(&mut self, packet_identifier: u16, in_flight: InFlight) {
        if in_flight.number > self.last_number {
            self.last_number = in_flight.number;
            self.last_identifier = packet_identifier;
        }
        self.add_sent(packet_identifier, in_flight);
    }

    /// What is on its way to the client, in the order of sending (MQTT-4.6.0-1).
    pub(super) fn resumed(&self) -> Vec<Resumed> {
        let mut sent: Vec<_> = self.in_flight().iter().collect();
        sent.sort_unstable_by_key(|(_, in_flight)| in_flight.number);
        let resume = |(packet_identifier, in_flight): (&u16, &InFlight)| Resumed {
            packet_identifier: *packet_identifier,
            message: in_flight.message.clone(),
        };
        sent.into_iter().map(resume).collect()
    }

    /// The messages on their way to the client, with their positions, in the order of sending.
    pub(super) fn unsettled(&mut self) -> Vec<(u64, Pending)> {
        let handshakes = self.handshakes.take().unwrap_or_default();
        let mut sent: Vec<_> = handshakes.in_flight.into_values().collect();
        sent.sort_unstable_by_key(|in_flight| in_flight.number);
        sent.into_iter()
            .filter_map(|in_flight| Some((in_flight.position, in_flight.message?)))
            .collect()
    }

    /// Keeps a message until the client has settled it, and returns its packet identifier.
    /// With QoS 0 it has settled it at once. `position` is where it has been waiting.
    pub(super) fn lend(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        position: Option<u64>,
        pending: &Pending,
    ) -> Option<u16> {
        if pending.qos == Qos::AtMostOnce {
            shared.statistics.acknowledged += 1;
            return None;
        }
        let packet_identifier = self.free_identifier()?;
        self.last_identifier = packet_identifier;
        self.last_number += 1;
        let sent = Sent {
            packet_identifier,
            number: self.last_number,
        };
        let waited = position.is_some();
        let position = position.unwrap_or_else(|| self.pending.next_position());
        let in_flight = InFlight {
            number: self.last_number,
            position,
            message: Some(pending.clone()),
        };
        self.add_sent(packet_identifier, in_flight);
        if self.is_kept {
            if waited {
                shared.changes.push(Change::InFlight {
                    session: id,
                    position,
                    sent,
                });
            } else {
                let target = target(id, position, pending, Some(sent));
                shared.changes.push_message(&pending.message, vec![target]);
            }
        }
        Some(packet_identifier)
    }
}

impl Sessions {
    /// The client has settled what was sent to it: PUBACK, PUBCOMP, or a PUBREC that refuses.
    pub(crate) fn settle_sent(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        packet_identifier: u16,
    ) {
        if let Some(session) = self.all.get_mut(&id)
            && let Some(in_flight) = session.remove_sent(packet_identifier)
        {
            if session.is_kept {
                shared.changes.push(match in_flight.message {
                    Some(_) => Change::settled(id, in_flight.position),
                    None => Change::HandshakeEnded(of_broker(id, packet_identifier)),
                });
            }
            shared.statistics.acknowledged += 1;
            session.announce(&mut self.ready, id);
        }
    }

    /// The client has a QoS 2 message, which is released: PUBREC. PUBRELs are sent in the
    /// order of their PUBRECs (MQTT-4.6.0-4).
    pub(crate) fn release_sent(
        &mut self,
        shared: &mut Shared,
        connection: ConnectionId,
        id: SessionId,
        packet_identifier: u16,
    ) {
        if let Some(session) = self.all.get_mut(&id)
            && let number = session.last_number + 1
            && let Some(in_flight) = session.sent(packet_identifier)
        {
            if in_flight.message.take().is_some() {
                in_flight.number = number;
                let position = in_flight.position;
                session.last_number = number;
                if session.is_kept {
                    shared.changes.push(Change::settled(id, position));
                    shared.changes.push(Change::Handshake {
                        handshake: of_broker(id, packet_identifier),
                        number,
                    });
                }
            }
            let wait = session.wait();
            shared.emit_after(wait, connection, Notice::Release { packet_identifier });
        }
    }

    /// A message has come from the client, and was accepted. With QoS 2 its packet identifier
    /// is that of no other message until the client releases it (MQTT-4.3.3-10). With QoS 1 it
    /// is free, also where a client of 3.x has forgotten that it was not.
    pub(crate) fn receive(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        packet_identifier: u16,
        qos: Qos,
    ) {
        if let Some(session) = self.all.get_mut(&id) {
            let handshake = of_client(id, packet_identifier);
            let (changes, change) = match qos {
                Qos::ExactlyOnce => {
                    let number = 0;
                    let change = Change::Handshake { handshake, number };
                    (session.add_received(packet_identifier), change)
                }
                Qos::AtLeastOnce | Qos::AtMostOnce => {
                    let change = Change::HandshakeEnded(handshake);
                    (session.remove_received(packet_identifier), change)
                }
            };
            if changes && session.is_kept {
                shared.changes.push(change);
            }
        }
    }

    /// The client has released a QoS 2 message: PUBREL. Its packet identifier is free.
    pub(crate) fn complete_received(
        &mut self,
        shared: &mut Shared,
        connection: ConnectionId,
        id: SessionId,
        packet_identifier: u16,
    ) {
        if let Some(session) = self.all.get_mut(&id) {
            if session.remove_received(packet_identifier) && session.is_kept {
                let handshake = of_client(id, packet_identifier);
                shared.changes.push(Change::HandshakeEnded(handshake));
            }
            let wait = session.wait();
            shared.emit_after(wait, connection, Notice::Complete { packet_identifier });
        }
    }
}

fn of_client(session: SessionId, packet_identifier: u16) -> Handshake {
    Handshake {
        session,
        sender: Sender::Client,
        packet_identifier,
    }
}

fn of_broker(session: SessionId, packet_identifier: u16) -> Handshake {
    Handshake {
        session,
        sender: Sender::Broker,
        packet_identifier,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lifetime::blank;
    use super::*;

    /// The last identifier that was assigned, those in use, and the next.
    #[test]
    fn identifiers_go_round_and_leave_out_those_in_use() {
        let all: Vec<u16> = (1..=u16::MAX).collect();
        let but_7: Vec<u16> = all.iter().copied().filter(|id| *id != 7).collect();
        let cases: [(u16, &[u16], Option<u16>); 9] = [
            (0, &[], Some(1)),
            (1, &[3], Some(2)),
            (2, &[3, 4], Some(5)),
            (2, &[4], Some(3)),
            (u16::MAX, &[], Some(1)),
            (u16::MAX - 1, &[u16::MAX, 1], Some(2)),
            (3, &but_7, Some(7)),
            (7, &but_7, Some(7)),
            (3, &all, None),
        ];
        for (last, used, next) in cases {
            let mut session = blank("c".into());
            session.last_identifier = last;
            for id in used {
                let sent = InFlight {
                    number: 0,
                    position: 0,
                    message: None,
                };
                session.add_sent(*id, sent);
            }
            assert_eq!(session.free_identifier(), next, "after {last}");
        }
    }
}
