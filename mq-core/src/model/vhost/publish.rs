//! PUBLISH requests of a channel or a session, and the answers to their publishers.

use alloc::boxed::Box;

use super::VirtualHost;
use super::work::Asked;
use crate::model::message::Message;
use crate::model::queue::{ChannelId, QueueSettings, declaration};
use crate::model::refusal::Refusal;
use crate::model::request::{Answer, Publish, Ticket, Unrouted};
use crate::model::{ConnectionId, Notice, PublishOutcome, Wait};

impl VirtualHost {
    /// Publishes, and says what became of it; does nothing on a channel that is over.
    pub(super) fn publish_on(&mut self, id: ChannelId, publish: &Publish, answer: Answer) {
        let publisher = match self.queues.channel(id) {
            Some(channel) if channel.failed => return,
            Some(_) => None,
            None => match self.members.session(id.connection) {
                None => return,
                session => session,
            },
        };
        let changes = self.shared.changes.count();
        if let Err(refusal) = self.prepare(id.connection, publish) {
            self.refuse_publish(id, answer.ticket(), refusal);
            return;
        }
        self.trace_publish(id, &publish.message);
        self.shared.statistics.published += 1;
        let outcome = self.retain_and_route(&publish.message, publisher, Some(id.connection));
        self.return_unroutable(id, publish, outcome);
        if let Some(ticket) = answer.to(outcome) {
            if let Some(session) = publisher
                && outcome.is_accepted()
                && let Ok(packet_identifier) = u16::try_from(ticket)
            {
                self.sessions.receive(
                    &mut self.shared,
                    session,
                    packet_identifier,
                    publish.message.properties.qos,
                );
            }
            let wait = match self.shared.wait_since(changes) {
                // PUBACK and PUBREC come in the order of the PUBLISH (MQTT-4.6.0-2, -3).
                Wait::Nothing if publisher.is_some() => Wait::Earlier,
                wait => wait,
            };
            self.accept(id, ticket, outcome, wait);
        }
    }

    /// Counts a message that is not published, and says so.
    pub(super) fn refuse_on(&mut self, id: ChannelId, answer: Answer) {
        if !self.is_open(id) {
            return;
        }
        self.shared.statistics.published += 1;
        self.shared.statistics.refused += 1;
        if let Some(ticket) = answer.to(PublishOutcome::Refused) {
            let wait = match self.queues.channel(id) {
                Some(_) => Wait::Nothing,
                // PUBACK and PUBREC come in the order of the PUBLISH (MQTT-4.6.0-2, -3).
                None => Wait::Earlier,
            };
            self.accept(id, ticket, PublishOutcome::Refused, wait);
        }
    }

    /// Makes ready what a message is published to, if one may publish to it.
    pub(super) fn prepare(
        &mut self,
        connection: ConnectionId,
        publish: &Publish,
    ) -> Result<(), Refusal> {
        let Message {
            exchange,
            routing_key,
            ..
        } = &*publish.message;
        self.members
            .permit_publish(connection, &publish.message, self)?;
        self.exchanges.check_publish(&self.shared, exchange)?;
        match &publish.unrouted {
            Unrouted::Refuse => {
                self.queues.find(&self.shared, routing_key, connection)?;
            }
            Unrouted::MakeQueue(settings) if self.queues.id_of(routing_key).is_none() => {
                self.members.permit_made_queue(connection, routing_key)?;
                self.declare_queue(declaration::DeclareQueue {
                    name: routing_key,
                    settings: match settings {
                        Some(settings) => QueueSettings::clone(settings),
                        None => QueueSettings::durable(),
                    },
                    connection,
                })?;
            }
            Unrouted::MakeQueue(_) | Unrouted::Drop | Unrouted::Return => {}
        }
        Ok(())
    }

    /// What was to be settled is.
    pub(super) fn accept_settled(&mut self, asked: &Asked) {
        let wait = self.shared.wait_since(asked.changes);
        self.accept(asked.channel, asked.ticket, PublishOutcome::Routed, wait);
    }

    pub(super) fn accept(
        &mut self,
        id: ChannelId,
        ticket: Ticket,
        outcome: PublishOutcome,
        wait: Wait,
    ) {
        let ChannelId { connection, number } = id;
        let channel = number;
        let notice = Notice::Accepted {
            channel,
            ticket,
            outcome,
        };
        self.shared.emit_after(wait, connection, notice);
    }

    pub(super) fn refuse_publish(
        &mut self,
        id: ChannelId,
        ticket: Option<Ticket>,
        refusal: Refusal,
    ) {
        self.queues.fail_channel(id);
        let notice = Notice::PublishRefused {
            channel: id.number,
            ticket,
            refusal: Box::new(refusal),
        };
        self.shared.emit(id.connection, notice);
    }

    /// Returns a mandatory message that belongs nowhere.
    pub(super) fn return_unroutable(
        &mut self,
        id: ChannelId,
        publish: &Publish,
        outcome: PublishOutcome,
    ) {
        let nowhere = matches!(
            outcome,
            PublishOutcome::Unroutable | PublishOutcome::Replied | PublishOutcome::Delayed
        );
        if nowhere && matches!(publish.unrouted, Unrouted::Return) {
            let message = publish.message.clone();
            let channel = id.number;
            self.shared
                .emit(id.connection, Notice::Returned { channel, message });
        }
    }
}
