//! SUBSCRIBE: which queue a subscription consumes from.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use stomp_codec::Version;
use stomp_codec::connection::{AckMode, Subscribe};

use super::answer::Asked;
use super::destination::{self, pattern, virtual_topic};
use super::headers::{self, QueueShape, flag};
use super::{CHANNEL, Destination, Failure, StompFrontEnd, invalid};
use crate::dialect::StompDialect;
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
        let all = destination::parse_all(&subscribe.destination, self.config.stomp_dialect)
            .ok_or_else(|| invalid(&subscribe.destination))?;
        if flag(&subscribe.frame, "browser") == Some(true) {
            return self.browse(subscribe, all);
        }
        let prefetch = match prefetch(subscribe) {
            None => 0,
            Some(count) => count.parse().map_err(|_| {
                Failure::new("Invalid header", "the prefetch count has to be a number")
            })?,
        };
        let count = all.len();
        for (index, destination) in all.into_iter().enumerate() {
            let own = matches!(
                destination,
                Destination::TemporaryQueue(_) | Destination::TemporaryTopic(_)
            );
            let topic = match &destination {
                Destination::Topic(key) if self.config.advisories => Some(Name::from(&**key)),
                _ => None,
            };
            let (queue, selects) = self.source(subscribe, destination)?;
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
                leads: flag(&subscribe.frame, "activemq.exclusive") == Some(true),
                priority: priority(subscribe),
                prefetch,
                selector: selector.map(Name::from),
                topic,
            }));
            let is_last = index + 1 == count;
            let receipt = subscribe.receipt.as_deref().map(String::from);
            let asked = Asked::Subscribe {
                subscription: subscribe.subscription,
                own: own.then(|| Name::from(&*subscribe.destination)),
                receipt: receipt.filter(|_| is_last),
            };
            self.link.ask(question, asked);
        }
        Ok(())
    }

    /// SUBSCRIBE with `browser:true` (ActiveMQ): what is in a queue, and it stays there.
    fn browse(
        &mut self,
        subscribe: &Subscribe<'_>,
        all: Vec<Destination<'_>>,
    ) -> Result<(), Failure> {
        if self.codec.version() == Some(Version::V1_0) {
            let why = "Queue Browser feature only valid for Stomp v1.1+ clients!";
            return Err(Failure::new("Invalid header", why));
        }
        let [Destination::Queue(_) | Destination::ExistingQueue(_)] = &all[..] else {
            return Err(Failure::new(
                "Invalid header",
                "only a queue can be browsed, and one at a time",
            ));
        };
        for destination in all {
            let (queue, _) = self.source(subscribe, destination)?;
            let question = Request::Browse {
                channel: CHANNEL,
                queue,
                selector: subscribe.frame.header("selector").map(Name::from),
            };
            let asked = Asked::Browse {
                subscription: subscribe.subscription,
                destination: Name::from(&*subscribe.destination),
                receipt: subscribe.receipt.as_deref().map(String::from),
            };
            self.link.ask(question, asked);
        }
        Ok(())
    }

    /// The queue that the messages of a destination come from.
    fn source(
        &mut self,
        subscribe: &Subscribe<'_>,
        destination: Destination<'_>,
    ) -> Result<(Name, Selects), Failure> {
        let dialect = self.config.stomp_dialect;
        if let Destination::TemporaryQueue(name) = &destination {
            // RabbitMQ consumes from it without a SUBSCRIBE.
            if dialect == StompDialect::RabbitMq {
                return Err(invalid(&subscribe.destination));
            }
            return Ok((self.temporary_queue(name, false), Selects::Consumer));
        }
        match self.resolve(destination) {
            Destination::Queue(name) => {
                let name = Name::from(name);
                let shape = QueueShape::of_queue(&subscribe.frame);
                let question = Request::MakeQueue(Box::new(DeclareQueue {
                    channel: CHANNEL,
                    name: name.clone(),
                    durable: shape.durable,
                    exclusive: shape.exclusive,
                    auto_delete: shape.auto_delete,
                    arguments: headers::arguments_of_queue(&subscribe.frame, &name, &self.config),
                }));
                self.link.ask(question, Asked::Preparation);
                if let Some(topic) = virtual_topic(&name) {
                    let topic = pattern(topic, dialect);
                    self.link
                        .ask(bind(TOPIC_EXCHANGE, &name, &topic), Asked::Preparation);
                }
                Ok((name, Selects::Consumer))
            }
            Destination::ExistingQueue(name) => Ok((Name::from(name), Selects::Consumer)),
            Destination::Topic(key) => {
                self.bound(subscribe, TOPIC_EXCHANGE, &pattern(&key, dialect))
            }
            Destination::Exchange(exchange, key) => self.bound(subscribe, &exchange, &key),
            Destination::TemporaryQueue(_)
            | Destination::TemporaryTopic(_)
            | Destination::ReplyQueue(_) => Err(invalid(&subscribe.destination)),
        }
    }

    /// A destination of this connection alone, by the name that others know it by.
    pub(super) fn resolve<'a>(&mut self, destination: Destination<'a>) -> Destination<'a> {
        match destination {
            Destination::TemporaryTopic(name) => {
                Destination::Topic(Cow::Owned(self.temporary_topic(&name)))
            }
            Destination::TemporaryQueue(name)
                if self.config.stomp_dialect == StompDialect::ActiveMq =>
            {
                let queue = self.temporary_queue(&name, false);
                Destination::ReplyQueue(Cow::Owned(String::from(&*queue)))
            }
            other => other,
        }
    }

    /// The routing key of `/temp-topic/N`.
    pub(super) fn temporary_topic(&mut self, name: &str) -> String {
        let names = &mut self.names;
        let Some(session) = &mut self.session else {
            return String::new();
        };
        let first = session
            .temporary_topics
            .get_or_insert_with(|| Name::from(names.next("stomp-temporary-topic-")));
        alloc::format!("{first}.{name}")
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
        let mut arguments = headers::queue_arguments(|name| subscribe.frame.header(name));
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
            bind(&source, &queue, key),
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

    /// The queue of `/temp-queue/N`, made when it is first named. Its messages come to the
    /// client without a SUBSCRIBE, as in RabbitMQ, or with one.
    pub(super) fn temporary_queue(&mut self, name: &str, consumes: bool) -> Name {
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
        self.link.ask(declare, Asked::Preparation);
        if consumes {
            let consume = Request::Consume(Box::new(Consume {
                channel: CHANNEL,
                queue: queue.clone(),
                no_ack: true,
                exclusive: true,
                leads: false,
                priority: 0,
                prefetch: 0,
                selector: None,
                topic: None,
            }));
            let name = Name::from(alloc::format!("/temp-queue/{name}"));
            self.link.ask(consume, Asked::Temporary { name });
        }
        queue
    }
}

/// A binding of a queue.
fn bind(source: &str, queue: &Name, key: &str) -> Request {
    Request::Bind(Box::new(Binding {
        channel: CHANNEL,
        source: Name::from(source),
        destination: BindingTarget::Queue(queue.clone()),
        routing_key: Name::from(key),
        arguments: Headers::default(),
    }))
}

/// Deliveries that may be out unacknowledged, in RabbitMQ's words or ActiveMQ's.
fn prefetch<'a>(subscribe: &'a Subscribe<'_>) -> Option<Cow<'a, str>> {
    let frame = &subscribe.frame;
    let count = frame.header("prefetch-count");
    count.or_else(|| frame.header("activemq.prefetchSize"))
}

/// In RabbitMQ's words or ActiveMQ's: higher is served first.
fn priority(subscribe: &Subscribe<'_>) -> i64 {
    let frame = &subscribe.frame;
    let priority = frame.header("x-priority");
    let priority = priority.or_else(|| frame.header("activemq.priority"));
    let priority = priority.and_then(|priority| priority.parse().ok());
    priority.unwrap_or_default()
}
