//! SUBSCRIBE: which queue a subscription consumes from.

use stomp_codec::connection::{AckMode, Subscribe, Subscription};

use super::headers::boolean;
use super::{Destination, Failure, Receiver, Session, invalid, make_queue, owned, parse};
use crate::model::exchange::{Destination as Target, TOPIC_EXCHANGE};
use crate::model::message::{Headers, Name};
use crate::model::queue::{QueueId, QueueSettings};
use crate::model::vhost::{BindRequest, ConsumeRequest, DeclareQueue, VirtualHost};

/// A header of SUBSCRIBE that is true or false.
fn flag(subscribe: &Subscribe<'_>, name: &str) -> Option<bool> {
    boolean(&subscribe.frame.header(name)?)
}

impl Session {
    pub(super) fn subscribe(
        &mut self,
        vhost: &mut VirtualHost,
        subscribe: &Subscribe<'_>,
    ) -> Result<(), Failure> {
        if subscribe.frame.header("selector").is_some() {
            // Ignoring it would deliver what was not asked for.
            return Err(Failure::new(
                "not_implemented",
                "this broker has no selectors",
            ));
        }
        let prefetch = match subscribe.frame.header("prefetch-count") {
            None => 0,
            Some(count) => count
                .parse()
                .map_err(|_| Failure::new("Invalid header", "prefetch-count has to be a number"))?,
        };
        let queue = self.source(vhost, subscribe)?;
        let consumer = vhost.consume(ConsumeRequest {
            queue,
            channel: self.channel,
            no_ack: subscribe.ack == AckMode::Auto,
            exclusive: flag(subscribe, "exclusive") == Some(true),
            priority: 0,
            prefetch,
        })?;
        self.consumers
            .insert(consumer, Receiver::Subscription(subscribe.subscription));
        self.by_subscription
            .insert(subscribe.subscription, consumer);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, vhost: &mut VirtualHost, subscription: Subscription) {
        if let Some(consumer) = self.by_subscription.remove(&subscription) {
            self.consumers.remove(&consumer);
            vhost.cancel(self.channel, consumer);
        }
    }

    /// The queue that the messages of a destination come from.
    fn source(
        &mut self,
        vhost: &mut VirtualHost,
        subscribe: &Subscribe<'_>,
    ) -> Result<QueueId, Failure> {
        let header = |name| subscribe.frame.header(name);
        match parse(&subscribe.destination)? {
            Destination::Queue(name) => {
                make_queue(vhost, self.connection, &name, header)?;
                Ok(vhost.queue(&name, self.connection)?)
            }
            Destination::ExistingQueue(name) => Ok(vhost.queue(&name, self.connection)?),
            Destination::Topic(key) => self.bound(vhost, subscribe, TOPIC_EXCHANGE, &key),
            Destination::Exchange(exchange, key) => self.bound(vhost, subscribe, &exchange, &key),
            Destination::TemporaryQueue(_) | Destination::ReplyQueue(_) => {
                Err(invalid(&subscribe.destination))
            }
        }
    }

    /// A queue bound to an exchange: of this subscription alone, or a durable
    /// one that waits for the client under the subscription's `id`.
    fn bound(
        &mut self,
        vhost: &mut VirtualHost,
        subscribe: &Subscribe<'_>,
        exchange: &str,
        key: &str,
    ) -> Result<QueueId, Failure> {
        vhost.exchange(exchange)?;
        let header = |name| subscribe.frame.header(name);
        let durable = flag(subscribe, "durable") == Some(true)
            && flag(subscribe, "auto-delete") == Some(false);
        let name = match (durable, &subscribe.id) {
            (false, _) => None,
            (true, Some(id)) => {
                let destination = &subscribe.destination;
                Some(alloc::format!("stomp-subscription-{id}-{destination}"))
            }
            (true, None) => {
                let why = "a durable subscription needs an id";
                return Err(Failure::new("Missing header", why));
            }
        };
        let state = vhost.declare_queue(DeclareQueue {
            name: name.as_deref().unwrap_or_default(),
            settings: QueueSettings {
                durable,
                exclusive: (!durable).then_some(self.connection),
                auto_delete: !durable,
                arguments: super::headers::queue_arguments(header),
            },
            connection: self.connection,
        })?;
        vhost.bind(BindRequest {
            source: exchange,
            destination: Target::Queue(state.id),
            routing_key: key,
            arguments: Headers::default(),
        })?;
        Ok(state.id)
    }

    /// The queue of `/temp-queue/N`, made when it is first named. Its messages
    /// come to the client without a SUBSCRIBE.
    pub(super) fn temporary_queue(
        &mut self,
        vhost: &mut VirtualHost,
        name: &str,
    ) -> Result<Name, Failure> {
        if let Some(queue) = self.temporary.get(name) {
            return Ok(queue.clone());
        }
        let state = vhost.declare_queue(DeclareQueue {
            name: "",
            settings: QueueSettings {
                durable: false,
                exclusive: Some(self.connection),
                auto_delete: true,
                arguments: Headers::default(),
            },
            connection: self.connection,
        })?;
        let consumer = vhost.consume(ConsumeRequest {
            queue: state.id,
            channel: self.channel,
            no_ack: true,
            exclusive: true,
            priority: 0,
            prefetch: 0,
        })?;
        let receiver = Receiver::Temporary(Name::from(alloc::format!("/temp-queue/{name}")));
        self.consumers.insert(consumer, receiver);
        self.temporary.insert(owned(name), state.name.clone());
        Ok(state.name)
    }
}
