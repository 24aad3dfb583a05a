//! Sessions and retained messages that were kept, put back.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::handshake::InFlight;
use super::lifetime::{Absence, blank};
use super::{Pending, Presence, SessionId, Sessions};
use crate::model::change::{
    BacklogId, Copied, Handshake, KeptSession, KeptSubscription, Sender, Target,
};
use crate::model::message::Message;
use crate::model::shared::Shared;
use crate::model::timers::TimerKey;

impl Sessions {
    pub(crate) fn restore(&mut self, kept: &KeptSession) {
        let KeptSession {
            id,
            client_identifier,
            expiry,
            away,
            will,
        } = kept;
        let mut session = blank(client_identifier.clone());
        session.is_kept = true;
        session.expiry = *expiry;
        session.presence = Presence::Away(away.map(|since| Box::new(Absence::since(since))));
        session.will = will.clone().map(Box::new);
        self.names.insert(client_identifier.clone(), *id);
        self.all.insert(*id, Box::new(session));
    }

    /// Puts a subscription back. Returns whether its session is there.
    pub(crate) fn restore_subscription(&mut self, kept: &KeptSubscription) -> bool {
        let KeptSubscription {
            session,
            filter,
            shared,
            options,
        } = kept;
        let belongs = self.all.contains_key(session);
        if belongs {
            // What is retained was for the subscription when it was new.
            let _ = self.add_subscription(*session, filter.clone(), *shared, *options);
        }
        belongs
    }

    /// Puts back what is left of a QoS 2 message. Returns whether its session is there, and its
    /// identifier is free.
    pub(crate) fn restore_handshake(
        &mut self,
        shared: &mut Shared,
        handshake: Handshake,
        number: u64,
    ) -> bool {
        let Handshake {
            session,
            sender,
            packet_identifier,
        } = handshake;
        let Some(session) = self.all.get_mut(&session) else {
            return false;
        };
        match sender {
            Sender::Client => {
                session.add_received(packet_identifier);
            }
            Sender::Broker if !session.is_free(packet_identifier) => return false,
            Sender::Broker => {
                let in_flight = InFlight {
                    number,
                    position: 0,
                    message: None,
                };
                session.restore_in_flight(packet_identifier, in_flight);
                shared.statistics.queued += 1;
            }
        }
        true
    }

    /// Puts a message back into a session, or among those retained. Returns whether it
    /// belongs there.
    pub(crate) fn restore_message(
        &mut self,
        shared: &mut Shared,
        message: &Arc<Message>,
        target: &Target,
    ) -> bool {
        if target.backlog == BacklogId::RETAINED {
            self.retained.restore(message, target.position);
            return true;
        }
        let id = SessionId(target.backlog.0);
        let (Some(session), Some(copy)) = (self.all.get_mut(&id), &target.copy) else {
            return false;
        };
        let Copied {
            qos,
            retain,
            identifiers,
            share,
            sent,
        } = &**copy;
        let pending = Pending {
            message: message.clone(),
            qos: *qos,
            retain: *retain,
            identifiers: identifiers.clone(),
            share: share.clone(),
        };
        // Two messages have no identifier in common: the second one is sent under another.
        match sent.filter(|sent| session.is_free(sent.packet_identifier)) {
            None => session.pending.restore(target.position, pending),
            Some(sent) => {
                let in_flight = InFlight {
                    number: sent.number,
                    position: target.position,
                    message: Some(pending),
                };
                session.restore_in_flight(sent.packet_identifier, in_flight);
            }
        }
        shared.statistics.queued += 1;
        true
    }

    /// Uses no position of a session, and no number of a retained message, before this one.
    pub(crate) fn restore_position(&mut self, backlog: BacklogId, next: u64) {
        if backlog == BacklogId::RETAINED {
            self.retained.restore_last(next.saturating_sub(1));
        } else if let Some(session) = self.all.get_mut(&SessionId(backlog.0)) {
            session.pending.set_next_position(next);
        }
    }

    /// Everything has been put back. The connections of sessions are gone since now, and
    /// what became due while the broker was down is due.
    pub(crate) fn resume(&mut self, shared: &mut Shared) {
        let now = shared.now;
        let ids: Vec<SessionId> = self.all.keys().collect();
        for id in ids {
            let Some(session) = self.all.get_mut(&id) else {
                continue;
            };
            let away = session.away();
            session.stay_away(away.unwrap_or(now));
            let next = session.next_timeout();
            shared.timers.set(TimerKey::Session(id), next);
            self.tell_shares(id);
            if away.is_none() {
                self.note(shared, id);
            }
        }
    }
}
