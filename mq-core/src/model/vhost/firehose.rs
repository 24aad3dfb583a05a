//! The firehose: a copy of every message that is published or delivered, for whoever binds to
//! `amq.rabbitmq.trace` (RabbitMQ, "Firehose Tracer"; `rabbit_trace.erl`).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;

use super::VirtualHost;
use crate::model::ConnectionId;
use crate::model::exchange::TRACE_EXCHANGE;
use crate::model::message::{Headers, Integer, Message, Name, Origin, Properties, Text, Value};
use crate::model::meter::Counted;
use crate::model::notice::{Notice, Said};
use crate::model::queue::{ChannelId, QueueId};

/// The node that RabbitMQ names: there is one.
const NODE: &str = "mq";

impl VirtualHost {
    /// Copies of messages are made from here on, or no longer.
    pub(crate) fn set_tracing(&mut self, on: bool) {
        self.tracing = on;
    }

    /// A client has published a message, which goes to these queues.
    pub(super) fn trace_publish(&mut self, id: ChannelId, message: &Message) {
        if !self.tracing || &*message.exchange == TRACE_EXCHANGE {
            return;
        }
        let routes = self.route(message, Some(id.connection));
        let names = routes.queues.iter().filter_map(|id| self.queue_name(*id));
        let names: BTreeSet<Name> = names.collect();
        let mut headers = self.traced(id, message);
        let names = names.iter().map(|name| Value::string(name)).collect();
        headers.push("routed_queues", Value::Array(names));
        let exchange = message.exchange.clone();
        self.publish_trace("publish", &exchange, message, headers);
    }

    /// What is said to a client may bring it a message.
    pub(super) fn trace_said(&mut self, said: &Said) {
        if !self.tracing {
            return;
        }
        let (channel, claim, redelivered, message) = match &said.notice {
            Notice::Deliver(delivery) => (
                delivery.channel,
                delivery.claim,
                delivery.redelivered,
                &delivery.message,
            ),
            // The channel of the question is not said again.
            Notice::Fetched(Some(fetched)) => {
                (1, fetched.claim, fetched.redelivered, &fetched.message)
            }
            _ => return,
        };
        if &*message.exchange == TRACE_EXCHANGE {
            return;
        }
        let Some(queue) = self.queue_name(claim.queue()) else {
            return;
        };
        let id = ChannelId {
            connection: said.to,
            number: channel,
        };
        let message = message.clone();
        let mut headers = self.traced(id, &message);
        let redelivered = i64::from(redelivered);
        headers.push("redelivered", Value::Int(Integer::I32, redelivered));
        self.publish_trace("deliver", &queue, &message, headers);
    }

    fn queue_name(&self, id: QueueId) -> Option<Name> {
        self.queues.get(id).map(|queue| queue.name.clone())
    }

    fn publish_trace(&mut self, what: &str, of: &str, message: &Message, headers: Headers) {
        let copy = Message {
            exchange: Name::from(TRACE_EXCHANGE),
            routing_key: Name::from(alloc::format!("{what}.{of}")),
            properties: Properties {
                headers,
                ..Properties::default()
            },
            body: message.body.clone(),
            published: self.shared.now,
            origin: Origin::Broker,
            counted: Counted::default(),
        };
        let mut copy = Arc::new(copy);
        self.shared.meter.count(&mut copy);
        // Nobody has asked what becomes of it.
        let _ = self.publish(&copy, None);
    }

    /// The headers of a copy that both kinds have.
    fn traced(&self, id: ChannelId, message: &Message) -> Headers {
        let ChannelId { connection, number } = id;
        let keys = core::iter::once(&*message.routing_key).chain(message.extra_routing_keys());
        let mut headers = Headers::default();
        headers.push("exchange_name", Value::string(&message.exchange));
        headers.push(
            "routing_keys",
            Value::Array(keys.map(Value::string).collect()),
        );
        headers.push("properties", Value::Table(properties(&message.properties)));
        headers.push("node", Value::string(NODE));
        headers.push("vhost", Value::string(&self.shared.name));
        headers.push("connection", Value::string(&name_of(connection)));
        headers.push("channel", Value::Int(Integer::I32, number.into()));
        let user = self.members.user(connection);
        headers.push("user", Value::string(user.unwrap_or_default()));
        headers
    }
}

/// A connection has no name here but its number.
fn name_of(connection: ConnectionId) -> String {
    alloc::format!("{}", connection.0)
}

/// Those that a message has, by AMQP's names.
fn properties(properties: &Properties) -> Headers {
    let mut table = Headers::default();
    let text = |text: &Option<Text>| {
        let text = text.as_deref().map(bytes::Bytes::copy_from_slice);
        text.map(Value::String)
    };
    let byte = |byte: Option<u8>| byte.map(|byte| Value::Int(Integer::U8, byte.into()));
    let headers = &properties.headers;
    let expiration = properties.expiration.map(|expiration| {
        let millis = alloc::format!("{}", expiration.as_millis());
        Value::string(&millis)
    });
    let all = [
        ("content_type", text(&properties.content_type)),
        ("content_encoding", text(&properties.content_encoding)),
        (
            "headers",
            (!headers.0.is_empty()).then(|| Value::Table(headers.clone())),
        ),
        ("delivery_mode", byte(properties.delivery_mode)),
        ("priority", byte(properties.priority)),
        (
            "correlation_id",
            properties.correlation_id.clone().map(Value::String),
        ),
        ("reply_to", text(&properties.reply_to)),
        ("expiration", expiration),
        ("message_id", text(&properties.message_id)),
        ("timestamp", properties.timestamp.map(Value::Timestamp)),
        ("type", text(&properties.kind)),
        ("user_id", text(&properties.user_id)),
        ("app_id", text(&properties.app_id)),
        ("cluster_id", text(&properties.cluster_id)),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            table.push(name, value);
        }
    }
    table
}
