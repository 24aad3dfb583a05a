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

use super::grant::{Access, Grant, Resource};
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Message, Value, swap_separators};
use crate::model::refusal::Refusal;
use crate::model::request::{Binding, BindingTarget, DeclareExchange, DeclareQueue, Request};

/// The shape of a name that the broker makes up.
const MADE_UP: &str = "amq.gen-AAAAAAAAAAAAAAAAAAAAAA";

/// What of a virtual host a permission depends on.
pub(crate) trait Known {
    fn has_exchange(&self, name: &str) -> bool;

    /// Whether there is an exchange of that name that routes by topics.
    fn has_topics(&self, exchange: &str) -> bool;

    fn has_queue(&self, name: &str) -> bool;
}

impl Grant {
    /// Whether a request is allowed. Publishes and subscriptions are looked at one by
    /// one.
    pub(super) fn permit(&self, request: &Request, known: &impl Known) -> Result<(), Refusal> {
        match request {
            Request::DeclareExchange(declare) => self.permit_exchange(declare, known),
            Request::DeleteExchange { name, .. } => {
                self.check(Access::Configure, Resource::Exchange(name))
            }
            Request::Bind(binding) | Request::Unbind(binding) => {
                self.permit_binding(binding, known)
            }
            Request::DeclareQueue(declare)
            | Request::MakeQueue(declare)
            | Request::RenewQueue(declare) => self.permit_queue(declare, known),
            Request::DeleteQueue { queue, .. } => {
                self.check(Access::Configure, Resource::Queue(queue))
            }
            Request::PurgeQueue { queue, .. }
            | Request::Get { queue, .. }
            | Request::Browse { queue, .. } => self.check(Access::Read, Resource::Queue(queue)),
            Request::Consume(consume) => self.check(Access::Read, Resource::Queue(&consume.queue)),
            _ => Ok(()),
        }
    }

    fn permit_exchange(
        &self,
        declare: &DeclareExchange,
        known: &impl Known,
    ) -> Result<(), Refusal> {
        let exchange = Resource::Exchange(&declare.name);
        self.check(Access::Configure, exchange)?;
        if let Some(alternate) = &declare.settings.alternate
            && !known.has_exchange(&declare.name)
        {
            self.check(Access::Read, exchange)?;
            self.check(Access::Write, Resource::Exchange(alternate))?;
        }
        Ok(())
    }

    fn permit_queue(&self, declare: &DeclareQueue, known: &impl Known) -> Result<(), Refusal> {
        let name = if declare.name.is_empty() {
            MADE_UP
        } else {
            &*declare.name
        };
        let is_new = !known.has_queue(&declare.name);
        self.check(Access::Configure, Resource::Queue(name))?;
        let target = declare.arguments.get("x-dead-letter-exchange");
        if let Some(target) = target.and_then(Value::as_str)
            && is_new
        {
            self.check(Access::Read, Resource::Queue(name))?;
            self.check(Access::Write, Resource::Exchange(target))?;
        }
        Ok(())
    }

    fn permit_binding(&self, binding: &Binding, known: &impl Known) -> Result<(), Refusal> {
        let destination = match &binding.destination {
            BindingTarget::Queue(name) => Resource::Queue(name),
            BindingTarget::Exchange(name) => Resource::Exchange(name),
        };
        self.check(Access::Write, destination)?;
        self.check(Access::Read, Resource::Exchange(&binding.source))?;
        if known.has_topics(&binding.source) {
            self.check_topic(Access::Read, &binding.source, &binding.routing_key)?;
        }
        Ok(())
    }

    /// Whether a message may be published.
    pub(super) fn permit_publish(
        &self,
        message: &Message,
        known: &impl Known,
    ) -> Result<(), Refusal> {
        self.permit_write(&message.exchange)?;
        if known.has_topics(&message.exchange) {
            self.check_topic(Access::Write, &message.exchange, &message.routing_key)?;
        }
        Ok(())
    }

    /// Whether one may publish to an exchange, as far as no topic matters.
    pub(super) fn permit_write(&self, exchange: &str) -> Result<(), Refusal> {
        self.check(Access::Write, Resource::Exchange(exchange))
    }

    /// Whether one may make a queue by publishing to it.
    pub(super) fn permit_made_queue(&self, name: &str) -> Result<(), Refusal> {
        self.check(Access::Configure, Resource::Queue(name))
    }

    /// Whether one may subscribe to a topic filter.
    pub(super) fn permit_subscription(&self, filter: &str) -> Result<(), Refusal> {
        let key = swap_separators(filter);
        self.check(Access::Read, Resource::Exchange(TOPIC_EXCHANGE))?;
        self.check_topic(Access::Read, TOPIC_EXCHANGE, &key)
    }
}
