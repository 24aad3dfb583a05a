//! Which permission each request needs, as in RabbitMQ: what stands here is looked at
//! before anything else is.
//!
//! | request | configure | write | read |
//! |---|---|---|---|
//! | a queue is declared | the queue | | |
//! | .. anew, with a dead-letter exchange | | that exchange | the queue |
//! | a queue is deleted | the queue | | |
//! | a queue is bound or unbound | | the queue | the exchange, and its topics |
//! | a queue is purged, browsed, asked or consumed from | | | the queue |
//! | an exchange is declared or deleted | the exchange | | |
//! | .. declared anew, with an alternate exchange | | that exchange | the exchange |
//! | an exchange is bound or unbound | | the destination | the source, and its topics |
//! | a message is published | | the exchange, and its topics | |
//! | an MQTT client subscribes | | | `amq.topic`, and its topics |
//!
//! A queue for which the broker makes a name up is held against `amq.gen-` and 22
//! characters.

use alloc::sync::Arc;

use super::VirtualHost;
use crate::model::ConnectionId;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Message, Name, Value, swap_separators};
use crate::model::permission::{Access, Grant, Resource};
use crate::model::refusal::Refusal;
use crate::model::request::{Binding, BindingTarget, DeclareExchange, DeclareQueue, Request};

/// The shape of a name that the broker makes up.
const MADE_UP: &str = "amq.gen-AAAAAAAAAAAAAAAAAAAAAA";

impl VirtualHost {
    /// The connection may do this here; None: everything.
    pub(crate) fn set_grant(&mut self, connection: ConnectionId, grant: Option<Arc<Grant>>) {
        if grant.is_some() {
            self.members.entry(connection).or_default().grant = grant;
        }
    }

    /// Whose connection it is.
    pub(crate) fn set_user(&mut self, connection: ConnectionId, user: &Name) {
        self.members.entry(connection).or_default().user = user.clone();
    }

    /// The connection is of the MQTT client with that identifier.
    pub(crate) fn name_client(&mut self, connection: ConnectionId, client: &str) {
        if let Some(member) = self.members.get_mut(&connection)
            && let Some(grant) = &member.grant
            && grant.names_client()
        {
            member.grant = Some(Arc::new(grant.of_client(client)));
        }
    }

    pub(super) fn grant(&self, connection: ConnectionId) -> Option<&Grant> {
        self.members.get(&connection)?.grant.as_deref()
    }

    /// Whether a request is allowed. Publishes and subscriptions are looked at one by
    /// one.
    pub(super) fn permit(
        &self,
        connection: ConnectionId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let Some(grant) = self.grant(connection) else {
            return Ok(());
        };
        match request {
            Request::DeclareExchange(declare) => self.permit_exchange(grant, declare),
            Request::DeleteExchange { name, .. } => {
                grant.check(Access::Configure, Resource::Exchange(name))
            }
            Request::Bind(binding) | Request::Unbind(binding) => {
                self.permit_binding(grant, binding)
            }
            Request::DeclareQueue(declare) | Request::MakeQueue(declare) => {
                self.permit_queue(grant, declare)
            }
            Request::DeleteQueue { queue, .. } => {
                grant.check(Access::Configure, Resource::Queue(queue))
            }
            Request::PurgeQueue { queue, .. }
            | Request::Get { queue, .. }
            | Request::Browse { queue, .. } => grant.check(Access::Read, Resource::Queue(queue)),
            Request::Consume(consume) => grant.check(Access::Read, Resource::Queue(&consume.queue)),
            _ => Ok(()),
        }
    }

    fn permit_exchange(&self, grant: &Grant, declare: &DeclareExchange) -> Result<(), Refusal> {
        let exchange = Resource::Exchange(&declare.name);
        grant.check(Access::Configure, exchange)?;
        if let Some(alternate) = &declare.settings.alternate
            && !self.exchanges.has(&declare.name)
        {
            grant.check(Access::Read, exchange)?;
            grant.check(Access::Write, Resource::Exchange(alternate))?;
        }
        Ok(())
    }

    fn permit_queue(&self, grant: &Grant, declare: &DeclareQueue) -> Result<(), Refusal> {
        let name = if declare.name.is_empty() {
            MADE_UP
        } else {
            &*declare.name
        };
        let is_new = self.queues.id_of(&declare.name).is_none();
        grant.check(Access::Configure, Resource::Queue(name))?;
        let target = declare.arguments.get("x-dead-letter-exchange");
        if let Some(target) = target.and_then(Value::as_str)
            && is_new
        {
            grant.check(Access::Read, Resource::Queue(name))?;
            grant.check(Access::Write, Resource::Exchange(target))?;
        }
        Ok(())
    }

    fn permit_binding(&self, grant: &Grant, binding: &Binding) -> Result<(), Refusal> {
        let destination = match &binding.destination {
            BindingTarget::Queue(name) => Resource::Queue(name),
            BindingTarget::Exchange(name) => Resource::Exchange(name),
        };
        grant.check(Access::Write, destination)?;
        grant.check(Access::Read, Resource::Exchange(&binding.source))?;
        if self.exchanges.has_topics(&binding.source) {
            grant.check_topic(Access::Read, &binding.source, &binding.routing_key)?;
        }
        Ok(())
    }

    /// Whether the user of a connection may publish a message.
    pub(crate) fn permit_publish(
        &self,
        connection: ConnectionId,
        message: &Message,
    ) -> Result<(), Refusal> {
        let Some(grant) = self.grant(connection) else {
            return Ok(());
        };
        self.permit_write(connection, &message.exchange)?;
        if self.exchanges.has_topics(&message.exchange) {
            grant.check_topic(Access::Write, &message.exchange, &message.routing_key)?;
        }
        Ok(())
    }

    /// Whether the user of a connection may publish to an exchange, as far as no topic
    /// matters.
    pub(super) fn permit_write(
        &self,
        connection: ConnectionId,
        exchange: &str,
    ) -> Result<(), Refusal> {
        match self.grant(connection) {
            Some(grant) => grant.check(Access::Write, Resource::Exchange(exchange)),
            None => Ok(()),
        }
    }

    /// Whether the user of a connection may make a queue by publishing to it.
    pub(super) fn permit_made_queue(
        &self,
        connection: ConnectionId,
        name: &str,
    ) -> Result<(), Refusal> {
        match self.grant(connection) {
            Some(grant) => grant.check(Access::Configure, Resource::Queue(name)),
            None => Ok(()),
        }
    }

    /// Whether the user of a connection may subscribe to a topic filter.
    pub(super) fn may_subscribe(&self, connection: ConnectionId, filter: &str) -> bool {
        let Some(grant) = self.grant(connection) else {
            return true;
        };
        let key = swap_separators(filter);
        grant
            .check(Access::Read, Resource::Exchange(TOPIC_EXCHANGE))
            .and_then(|()| grant.check_topic(Access::Read, TOPIC_EXCHANGE, &key))
            .is_ok()
    }
}
