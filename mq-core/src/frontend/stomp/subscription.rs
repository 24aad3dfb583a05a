//! SUBSCRIBE: which queue a subscription consumes from.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use stomp_codec::connection::{AckMode, Subscribe};

use super::answer::Asked;
use super::headers::QueueShape;
use super::{CHANNEL, Destination, Failure, StompFrontEnd, invalid, parse};
use crate::model::Request;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Headers, Name, Value};
use crate::model::queue::SELECTOR;
use crate::model::request::{Binding, BindingTarget, Consume, DeclareQueue};

/// Who holds the messages of a subscription against its selector.
enum Selects {
    /// The consumer: what it does not want is left for others.
    Consumer,
    /// The queue, which is the subscription's own: nobody would take the rest.
    Queue,
}

impl StompFrontEnd {
    pub(super) fn subscribe(&mut self, subscribe: &Subscribe<'_>) -> Result<(), Failure> {
        let prefetch = match subscribe.frame.header("prefetch-count") {
            None => 0,
            Some(count) => count
                .parse()
                .map_err(|_| Failure::new("Invalid header", "prefetch-count has to be a number"))?,
        };
        let (queue, selects) = self.source(subscribe)?;
        let selector = match selects {
            Selects::Consumer => subscribe.frame.header("selector"),
            Selects::Queue => None,
        };
        let question = Request::Consume(Box::new(Consume {
            channel: CHANNEL,
            queue,
            no_ack: subscribe.ack == AckMode::Auto,
            // `exclusive` is said of the queue.
            exclusive: false,
            priority: subscribe
                .frame
                .header("x-priority")
                .and_then(|priority| priority.parse().ok())
                .unwrap_or_default(),
            prefetch,
            selector: selector.map(Name::from),
        }));
        let asked = Asked::Subscribe {
            subscription: subscribe.subscription,
            receipt: subscribe.receipt.as_deref().map(String::from),
        };
        self.link.ask(question, asked);
        Ok(())
    }

    /// The queue that the messages of a destination come from.
    fn source(&mut self, subscribe: &Subscribe<'_>) -> Result<(Name, Selects), Failure> {
        match parse(&subscribe.destination)? {
            Destination::Queue(name) => {
                let name = Name::from(name);
                let shape = QueueShape::of_queue(&subscribe.frame);
                let question = Request::MakeQueue(Box::new(DeclareQueue {
                    channel: CHANNEL,
                    name: name.clone(),
                    durable: shape.durable,
                    exclusive: shape.exclusive,
                    auto_delete: shape.auto_delete,
                    arguments: arguments(subscribe),
                }));
                self.link.ask(question, Asked::Preparation);
                Ok((name, Selects::Consumer))
            }
            Destination::ExistingQueue(name) => Ok((Name::from(name), Selects::Consumer)),
            Destination::Topic(key) => self.bound(subscribe, TOPIC_EXCHANGE, &key),
            Destination::Exchange(exchange, key) => self.bound(subscribe, &exchange, &key),
            Destination::TemporaryQueue(_) | Destination::ReplyQueue(_) => {
                Err(invalid(&subscribe.destination))
            }
        }
    }

    /// A queue bound to an exchange: of this subscription alone, or a durable
    /// one that waits for the client under the subscription's `id`.
    fn bound(
        &mut self,
        subscribe: &Subscribe<'_>,
        exchange: &str,
        key: &str,
    ) -> Result<(Name, Selects), Failure> {
        let shape = QueueShape::of_subscription(&subscribe.frame);
        let named = subscribe.frame.header("x-queue-name");
        let queue = match (named, shape.durable, &subscribe.id) {
            (Some(name), ..) => String::from(name),
            (None, false, _) => self.names.next("stomp-subscription-"),
            (None, true, Some(id)) => {
                let destination = &subscribe.destination;
                alloc::format!("stomp-subscription-{id}-{destination}")
            }
            (None, true, None) => {
                let why = "a durable subscription needs an id";
                return Err(Failure::new("Missing header", why));
            }
        };
        let (source, queue) = (Name::from(exchange), Name::from(queue));
        let mut arguments = arguments(subscribe);
        if let Some(selector) = subscribe.frame.header("selector") {
            arguments.push(SELECTOR, Value::string(&selector));
        }
        let questions = [
            // Looked at first, so that no queue is left over.
            Request::CheckExchange {
                channel: CHANNEL,
                name: source.clone(),
            },
            Request::DeclareQueue(Box::new(DeclareQueue {
                channel: CHANNEL,
                name: queue.clone(),
                durable: shape.durable,
                exclusive: shape.exclusive,
                auto_delete: shape.auto_delete,
                arguments,
            })),
            Request::Bind(Box::new(Binding {
                channel: CHANNEL,
                source,
                destination: BindingTarget::Queue(queue.clone()),
                routing_key: Name::from(key),
                arguments: Headers::default(),
            })),
        ];
        for question in questions {
            self.link.ask(question, Asked::Preparation);
        }
        if let (Some(session), true) = (&mut self.session, shape.durable) {
            session
                .durable
                .insert(subscribe.subscription, queue.clone());
        }
        Ok((queue, Selects::Queue))
    }

    /// The queue of `/temp-queue/N`, made when it is first named. Its messages
    /// come to the client without a SUBSCRIBE.
    pub(super) fn temporary_queue(&mut self, name: &str) -> Name {
        let Some(session) = &mut self.session else {
            return Name::default();
        };
        if let Some(queue) = session.temporary.get(name) {
            return queue.clone();
        }
        let queue = Name::from(self.names.next("stomp-temporary-"));
        session.temporary.insert(name.to_string(), queue.clone());
        let declare = Request::DeclareQueue(Box::new(DeclareQueue {
            channel: CHANNEL,
            name: queue.clone(),
            durable: false,
            exclusive: true,
            auto_delete: true,
            arguments: Headers::default(),
        }));
        let consume = Request::Consume(Box::new(Consume {
            channel: CHANNEL,
            queue: queue.clone(),
            no_ack: true,
            exclusive: true,
            priority: 0,
            prefetch: 0,
            selector: None,
        }));
        let name = Name::from(alloc::format!("/temp-queue/{name}"));
        self.link.ask(declare, Asked::Preparation);
        self.link.ask(consume, Asked::Temporary { name });
        queue
    }
}

/// The arguments of the queue that a SUBSCRIBE asks for.
fn arguments(subscribe: &Subscribe<'_>) -> Headers {
    super::headers::queue_arguments(|name| subscribe.frame.header(name))
}
