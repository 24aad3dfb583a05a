//! SUBSCRIBE: which queue a subscription consumes from.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use stomp_codec::Version;
use stomp_codec::connection::{AckMode, Subscribe};

use super::answer::Asked;
use super::destination::{self, pattern, virtual_topic};
use super::headers::{self, QueueShape, flag};
use super::send::invalid;
use super::{CHANNEL, Destination, Failure, SUBSCRIPTION_NAME, StompFrontEnd};
use crate::dialect::StompDialect;
use crate::model::Request;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Headers, Name, Value};
use crate::model::queue::{CONSUMER_TIMEOUT, SELECTOR, SUBSCRIPTION, TEMPORARY_TOPIC};
use crate::model::request::{Binding, BindingTarget, Consume, ConsumerTimeout, DeclareQueue};

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
        let timeout = match subscribe.frame.header(CONSUMER_TIMEOUT) {
            Some(millis) => {
                ConsumerTimeout::Own(Duration::from_millis(millis.parse().map_err(|_| {
                    Failure::new("Invalid header", "the consumer timeout has to be a number")
                })?))
            }
            // ActiveMQ has no time of the broker.
            None if self.config.stomp_dialect == StompDialect::ActiveMq => ConsumerTimeout::OfQueue,
            None => ConsumerTimeout::Default,
        };
        let count = all.len();
        for (index, destination) in all.into_iter().enumerate() {
            let own = matches!(
                destination,
                Destination::TemporaryQueue(_) | Destination::TemporaryTopic(_)
            );
            let topic = match &destination {
                Destination::Topic(key) if self.config.advisories => Some(Name::from(&**key)),
                Destination::TemporaryTopic(name) if self.config.advisories => {
                    Some(Name::from(self.temporary_topic(name)))
                }
                _ => None,
            };
            let (queue, selects) = self.source(subscribe, destination)?;
            let no_local = flag(&subscribe.frame, "activemq.noLocal") == Some(true);
            let (selector, no_local) = match selects {
                // As in ActiveMQ a queue is for everybody.
                Selects::Consumer => (subscribe.frame.header("selector"), false),
                Selects::Queue => (None, no_local),
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
                timeout,
                no_local,
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
        let resolved = self.resolve(destination);
        let is_queue = matches!(
            resolved,
            Destination::Queue(_) | Destination::ExistingQueue(_)
        );
        if is_queue && subscribe.frame.header(SUBSCRIPTION_NAME).is_some() {
            let why = "Invalid Subscription: cannot durably subscribe to a Queue destination!";
            return Err(Failure::new("Invalid header", why));
        }
        match resolved {
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
            .get_or_insert_with(|| Name::from(names.next(TEMPORARY_TOPIC)));
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
        if let Some(name) = subscribe.frame.header(SUBSCRIPTION_NAME) {
            return self.durable(subscribe, exchange, key, &name);
        }
        let named = subscribe.frame.header("x-queue-name");
        let queue = match (named, shape.durable, &subscribe.id) {
            (Some(name), ..) => String::from(name),
            (None, false, _) => self.names.next(SUBSCRIPTION),
            (None, true, Some(id)) => {
                let destination = &subscribe.destination;
                alloc::format!("{SUBSCRIPTION}{id}-{destination}")
            }
            (None, true, None) => {
                let why = "a durable subscription needs an id";
                return Err(Failure::new("Missing header", why));
            }
        };
        let queue = Name::from(queue);
        let mut arguments = subscription_arguments(subscribe);
        if !shape.durable
            && let Some(most) = pending_limit(subscribe)?
        {
            arguments.set("x-max-length", Value::long(most));
        }
        let declare = Request::DeclareQueue(Box::new(DeclareQueue {
            channel: CHANNEL,
            name: queue.clone(),
            durable: shape.durable,
            exclusive: shape.exclusive,
            auto_delete: shape.auto_delete,
            arguments,
        }));
        self.bind_new(declare, exchange, key, &queue);
        if let (Some(session), true) = (&mut self.session, shape.durable) {
            session
                .durable
                .insert(subscribe.subscription, queue.clone());
        }
        Ok((queue, Selects::Queue))
    }

    /// The queue of a durable subscription that has a name (ActiveMQ). With another topic or
    /// selector it is another subscription, which begins anew (`TopicRegion`).
    fn durable(
        &mut self,
        subscribe: &Subscribe<'_>,
        exchange: &str,
        key: &str,
        name: &str,
    ) -> Result<(Name, Selects), Failure> {
        let Some(session) = &mut self.session else {
            return Err(Failure::new("not_allowed", "there is no session"));
        };
        let queue = session.durable_queue(name)?;
        session
            .durable
            .insert(subscribe.subscription, queue.clone());
        let mut arguments = subscription_arguments(subscribe);
        let topic = alloc::format!("{exchange} {key}");
        arguments.push(TOPIC, Value::string(&topic));
        let declare = Request::RenewQueue(Box::new(DeclareQueue {
            channel: CHANNEL,
            name: queue.clone(),
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments,
        }));
        self.bind_new(declare, exchange, key, &queue);
        Ok((queue, Selects::Queue))
    }

    /// Makes the queue of a subscription, and binds it.
    fn bind_new(&mut self, declare: Request, exchange: &str, key: &str, queue: &Name) {
        let questions = [
            // Looked at first, so that no queue is left over.
            Request::CheckExchange {
                channel: CHANNEL,
                name: Name::from(exchange),
            },
            declare,
            bind(exchange, queue, key),
        ];
        for question in questions {
            self.link.ask(question, Asked::Preparation);
        }
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
                timeout: ConsumerTimeout::Default,
                no_local: false,
                selector: None,
                topic: None,
            }));
            let name = Name::from(alloc::format!("/temp-queue/{name}"));
            self.link.ask(consume, Asked::Temporary { name });
        }
        queue
    }
}

/// The argument of the queue of a durable subscription that says what it is bound to.
const TOPIC: &str = "x-subscription-topic";

/// The arguments of the queue of a subscription, which alone has it.
fn subscription_arguments(subscribe: &Subscribe<'_>) -> Headers {
    let mut arguments = headers::queue_arguments(|name| subscribe.frame.header(name));
    if let Some(selector) = subscribe.frame.header("selector") {
        arguments.push(SELECTOR, Value::string(&selector));
    }
    arguments
}

/// Messages that may wait for a subscription to a topic, before the oldest are dropped
/// (ActiveMQ: `maximumPendingMessageLimit`); less than 0 is no limit.
fn pending_limit(subscribe: &Subscribe<'_>) -> Result<Option<i64>, Failure> {
    let header = subscribe
        .frame
        .header("activemq.maximumPendingMessageLimit");
    let Some(limit) = header else {
        return Ok(None);
    };
    let limit: i64 = limit.parse().map_err(|_| {
        Failure::new(
            "Invalid header",
            "the limit of pending messages has to be a number",
        )
    })?;
    Ok((limit >= 0).then_some(limit))
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
