//! What the model was asked, and what its notices lead to.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use mqtt_codec::connection::{
    Accept, InFlight, MessageBuf, Received, SendError, ServerConnection, Session,
};
use mqtt_codec::{PacketIdentifier, Properties, PropertiesBuilder, Property, ReasonCode};

use super::{MqttFrontEnd, properties, reason};
use crate::model::PublishOutcome;
use crate::model::message::{Message, Name};
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::request::Ticket;
use crate::model::session::{Attached, Push, Resumed};
use crate::model::{Notice, Request};

/// What the model was asked.
pub(super) enum Asked {
    /// What its step proves.
    Step,
    /// Who it is.
    Login,
    /// Its session.
    Attach(Box<Answer>),
    Subscribe(PacketIdentifier),
    Unsubscribe(PacketIdentifier),
}

/// What the CONNACK will say, besides whether the session was there.
pub(super) struct Answer {
    /// The identifier that the broker assigns, if the client has none of its own.
    pub(super) assigned: Option<Name>,
    /// The session expiry interval in seconds, where it is not what the client asked for.
    pub(super) expiry: Option<u32>,
    /// The keep alive in seconds, where it is not what the client asked for.
    pub(super) keep_alive: Option<u16>,
    /// What else there is to say.
    pub(super) properties: PropertiesBuilder,
}

impl Answer {
    /// Says something more. Returns whether it can be said.
    pub(super) fn add(&mut self, property: Property<'_>) -> bool {
        self.properties.push(property).is_ok()
    }

    pub(super) fn accept(&self, session_present: bool) -> Accept<'_> {
        Accept {
            session_present,
            assigned_client_identifier: self.assigned.as_deref(),
            session_expiry_interval: self.expiry,
            server_keep_alive: self.keep_alive,
            properties: self.properties.as_properties(),
        }
    }
}

impl MqttFrontEnd {
    pub(super) fn take_notice(&mut self, now: Duration, notice: Notice) {
        match notice {
            Notice::Push(push) => self.push(now, &push),
            Notice::Accepted {
                ticket, outcome, ..
            } => self.accepted(now, ticket, outcome),
            Notice::Release { packet_identifier } => {
                self.with_identifier(packet_identifier, |codec, id| codec.release(id));
            }
            Notice::Complete { packet_identifier } => {
                self.with_identifier(packet_identifier, |codec, id| codec.complete(id));
            }
            Notice::PublishRefused { ticket, .. } => {
                self.refuse_publish(ticket.and_then(identifier), ReasonCode::NotAuthorized);
            }
            Notice::TakenOver => {
                let why = "another connection has the client identifier";
                self.close(now, ReasonCode::SessionTakenOver, why);
                self.detach();
            }
            // The protocol has no words for it.
            Notice::Blocked(_) | Notice::Unblocked => {}
            answer => self.answered(now, answer),
        }
    }

    fn answered(&mut self, now: Duration, notice: Notice) {
        let Some(asked) = self.link.answered() else {
            return;
        };
        match (asked, notice) {
            (Asked::Attach(answer), Notice::Attached(attached)) => {
                self.welcome(now, &answer, *attached);
            }
            (Asked::Step, Notice::Challenge { data }) => self.challenge(now, &data),
            (
                Asked::Step,
                Notice::Proven {
                    user,
                    virtual_host,
                    data,
                },
            ) => self.proven(now, user, virtual_host, data),
            (Asked::Step, Notice::Refused(refusal)) => self.not_proven(now, refusal.kind),
            (Asked::Login, Notice::Refused(refusal)) => {
                self.turn_away(now, &refusal);
            }
            (Asked::Attach(_), Notice::Refused(_)) if self.failed || self.codec.is_closed() => {}
            (Asked::Attach(_), Notice::Refused(_)) => {
                self.refuse_for_room(now);
            }
            (Asked::Subscribe(id), Notice::Subscribed(results)) => {
                let (codes, why) = reason::of_subscribe(results);
                // A codec that cannot answer ends the connection itself, with 0x95.
                let _ = self.codec.suback(id, &codes, why.as_properties());
            }
            (Asked::Unsubscribe(id), Notice::Unsubscribed(results)) => {
                let code = |found| match found {
                    true => ReasonCode::Success,
                    false => ReasonCode::NoSubscriptionExisted,
                };
                let codes: Vec<ReasonCode> = results.into_iter().map(code).collect();
                // As with SUBACK.
                let _ = self.codec.unsuback(id, &codes, Properties::EMPTY);
            }
            // The model answers what was asked.
            _ => {}
        }
    }

    fn turn_away(&mut self, now: Duration, refusal: &Refusal) {
        let (reason, why) = match refusal.kind {
            RefusalKind::ResourceLimit => return self.refuse_for_room(now),
            RefusalKind::NotAllowed => (ReasonCode::NotAuthorized, &*refusal.text),
            _ if self.named => (
                ReasonCode::BadUserNameOrPassword,
                "the user name or the password is wrong",
            ),
            _ => (
                ReasonCode::NotAuthorized,
                "who gives no user name is not let in",
            ),
        };
        self.refuse(now, reason, why);
    }

    /// Answers CONNECT with CONNACK.
    fn welcome(&mut self, now: Duration, answer: &Answer, attached: Attached) {
        self.attached = true;
        let mut sent = Vec::with_capacity(attached.sent.len());
        let mut packets = Vec::with_capacity(attached.sent.len());
        for resumed in attached.sent {
            let message = resumed.message.as_ref().map(|p| p.message.clone());
            let packet = self.resume(now, resumed);
            packets.extend(packet.as_ref().map(|(id, _)| (*id, message)));
            sent.extend(packet);
        }
        let received = attached.received.into_iter().filter_map(|id| {
            let id = PacketIdentifier::new(id)?;
            Some((id, Received::Acknowledged))
        });
        self.unacknowledged = packets.len();
        let in_flight = sent.iter().map(|(id, message)| {
            let packet = match message {
                Some(message) => InFlight::Publish(message.as_message()),
                None => InFlight::PubRel,
            };
            (*id, packet)
        });
        let session = Session::restore(in_flight, received);
        let accept = answer.accept(attached.present);
        if self.codec.accept(now, &accept, session).is_err() {
            self.failed = true;
            return;
        }
        if self.codec.session().in_flight().len() < packets.len() {
            // What the client does not take any more counts as sent (MQTT-3.1.2-25).
            let left = self.codec.session().in_flight();
            let left: BTreeSet<PacketIdentifier> = left.into_iter().map(|(id, _)| id).collect();
            for (id, message) in packets.into_iter().filter(|(id, _)| !left.contains(id)) {
                self.settled(id);
                if let Some(message) = message {
                    self.undeliverable(message);
                }
            }
        }
    }

    /// Has the codec send a packet under an identifier. What it refuses to send ends the
    /// connection, or is no matter of this connection.
    fn with_identifier(
        &mut self,
        packet_identifier: u16,
        send: impl FnOnce(&mut ServerConnection, PacketIdentifier) -> Result<(), SendError>,
    ) {
        if let Some(id) = PacketIdentifier::new(packet_identifier)
            && self.attached
        {
            // `is_closed` says whether it could be sent.
            let _ = send(&mut self.codec, id);
        }
    }

    /// A packet that was on its way when the connection before ended.
    fn resume(
        &self,
        now: Duration,
        resumed: Resumed,
    ) -> Option<(PacketIdentifier, Option<MessageBuf>)> {
        let id = PacketIdentifier::new(resumed.packet_identifier)?;
        let message = resumed.message.map(|pending| {
            properties::outbound(&pending, self.is_5(), now, |message| message.to_buf())
        });
        Some((id, message))
    }

    fn accepted(&mut self, now: Duration, ticket: Ticket, outcome: PublishOutcome) {
        let Some(id) = identifier(ticket) else {
            return;
        };
        let reason = match outcome {
            PublishOutcome::Routed | PublishOutcome::Replied | PublishOutcome::Delayed => {
                ReasonCode::Success
            }
            PublishOutcome::Unroutable => ReasonCode::NoMatchingSubscribers,
            PublishOutcome::Refused => ReasonCode::QuotaExceeded,
            PublishOutcome::Dropped if self.is_5() => ReasonCode::QuotaExceeded,
            // 3.x has no word for it. To end the connection would let one client that
            // stays away end all publishers.
            PublishOutcome::Dropped => ReasonCode::Success,
        };
        if reason.is_error() && !self.is_5() {
            // 3.x has no word for it, and a PUBACK would be a lie.
            // Which has no words for why either.
            self.close(now, reason, "");
        } else {
            self.acknowledge(id, reason);
        }
    }

    /// Answers a PUBLISH, with the reason in words where it is refused. The codec leaves them
    /// out where the client does not want them, or takes no packet so large.
    pub(super) fn acknowledge(&mut self, id: PacketIdentifier, reason: ReasonCode) {
        let why = reason::of_publish(reason);
        let properties = why.map_or_else(PropertiesBuilder::new, reason::because);
        // The identifier waits for this answer, which is no larger than any other.
        let _ = self
            .codec
            .acknowledge(id, reason, properties.as_properties());
    }

    /// Sends a message.
    fn push(&mut self, now: Duration, push: &Push) {
        let Push {
            packet_identifier,
            pending,
        } = push;
        if !self.attached {
            // It is the next connection's, or gone with the session.
            return;
        }
        self.count(|packets| packets.pushed(pending.message.body.len()));
        let with_properties = self.is_5();
        let Some(id) = packet_identifier.and_then(PacketIdentifier::new) else {
            // Larger than the client takes counts as sent (MQTT-3.1.2-25), and is settled.
            let sent = properties::outbound(pending, with_properties, now, |message| {
                self.codec.publish(message)
            });
            if !matches!(sent, Ok(_) | Err(SendError::Closed | SendError::NotOpen)) {
                self.undeliverable(pending.message.clone());
            }
            return;
        };
        self.unacknowledged += 1;
        let sent = properties::outbound(pending, with_properties, now, |message| {
            self.codec.publish_as(id, message)
        });
        match sent {
            // It is the next connection's.
            Ok(()) | Err(SendError::Closed | SendError::NotOpen | SendError::ReceiveMaximum) => {}
            Err(_) => {
                self.settled(id);
                self.undeliverable(pending.message.clone());
            }
        }
    }

    /// The session has settled a message that its client does not get.
    fn undeliverable(&mut self, message: Arc<Message>) {
        let claim = None;
        self.link.tell(Request::Undeliverable { claim, message });
    }
}

/// The packet identifier that a ticket is.
fn identifier(ticket: Ticket) -> Option<PacketIdentifier> {
    PacketIdentifier::new(u16::try_from(ticket).ok()?)
}
