//! An AMQP client, and what it sees in words.

use super::World;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Content, Delivery, Message, Reply,
};
use amqp_codec::{FieldValue, Frame, Method, PropertiesBuf, PropertyFields, TableBuf, method};
use mq_core::{ConnectionId, Protocol};

pub(crate) struct Amqp {
    pub(crate) id: ConnectionId,
    pub(crate) codec: ClientConnection,
    buffer: Vec<u8>,
    events: Vec<String>,
    /// Of all contents that came.
    pub(crate) contents: Vec<Content>,
}

impl Amqp {
    /// A client with channels 1 and 2 open.
    pub(crate) fn connect(world: &mut World) -> Self {
        Self::with(world, ClientConfig::default())
    }

    pub(crate) fn with(world: &mut World, config: ClientConfig) -> Self {
        let mut client = Self::new(world, config);
        assert_eq!(client.seen(world), ["start", "opened"]);
        for _ in 0..2 {
            client.codec.open_channel().unwrap();
        }
        assert_eq!(client.seen(world), ["channel 1", "channel 2"]);
        client
    }

    pub(crate) fn new(world: &mut World, config: ClientConfig) -> Self {
        Self {
            id: world.connect(Protocol::Amqp),
            codec: ClientConnection::new(world.now, config),
            buffer: Vec::new(),
            events: Vec::new(),
            contents: Vec::new(),
        }
    }

    /// Sends what is to be sent, and gives what came since the last call.
    pub(crate) fn seen(&mut self, world: &mut World) -> Vec<String> {
        loop {
            let mut out = Vec::new();
            self.codec.poll_transmit(world.now, &mut out);
            if !out.is_empty() && !world.is_closed(self.id) {
                world.send(self.id, &out);
            }
            self.buffer.append(&mut world.socket(self.id).received);
            let buffer = std::mem::take(&mut self.buffer);
            let mut input = &buffer[..];
            while let Some(event) = self.codec.receive(world.now, &mut input).unwrap() {
                let (text, content) = describe(event);
                self.events.push(text);
                self.contents.extend(content);
            }
            self.buffer = input.to_vec();
            if self.codec.transmit_len() == 0 {
                return std::mem::take(&mut self.events);
            }
        }
    }

    /// The last thing that came.
    pub(crate) fn answer(&mut self, world: &mut World) -> String {
        self.seen(world).pop().unwrap_or_default()
    }

    pub(crate) fn publish(&mut self, channel: u16, exchange: &str, key: &str, body: &str) {
        self.publish_with(
            channel,
            exchange,
            key,
            body,
            false,
            &PropertyFields::default(),
        );
    }

    pub(crate) fn publish_with(
        &mut self,
        channel: u16,
        exchange: &str,
        key: &str,
        body: &str,
        mandatory: bool,
        fields: &PropertyFields<'_>,
    ) {
        let properties: PropertiesBuf = fields.to_buf().unwrap();
        let message = Message {
            exchange,
            routing_key: key,
            properties: properties.as_properties(),
            body: body.as_bytes(),
        };
        self.codec
            .publish(channel, mandatory.into(), &message)
            .unwrap();
    }

    pub(crate) fn declare(&mut self, queue: &str, arguments: &TableBuf) {
        let declare = method::queue::Declare {
            queue,
            arguments: arguments.as_table(),
            ..Default::default()
        };
        self.codec.queue_declare(1, &declare).unwrap();
    }

    pub(crate) fn consume(&mut self, channel: u16, queue: &str, tag: &str, no_ack: bool) {
        let consume = method::basic::Consume {
            queue,
            consumer_tag: tag,
            no_ack,
            ..Default::default()
        };
        self.codec.consume(channel, &consume).unwrap();
    }

    pub(crate) fn bind(&mut self, queue: &str, exchange: &str, key: &str) {
        let bind = method::queue::Bind {
            queue,
            exchange,
            routing_key: key,
            ..Default::default()
        };
        self.codec.queue_bind(1, &bind).unwrap();
    }

    pub(crate) fn get(&mut self, queue: &str, no_ack: bool) {
        let get = method::basic::Get { queue, no_ack };
        self.codec.get(1, &get).unwrap();
    }

    /// Sends a method that the client role would not.
    pub(crate) fn raw(&mut self, world: &mut World, channel: u16, method: Method<'_>) {
        let mut out = Vec::new();
        self.codec.poll_transmit(world.now, &mut out);
        Frame::Method { channel, method }.encode(&mut out).unwrap();
        world.send(self.id, &out);
    }
}

/// A field table.
pub(crate) fn table<'v>(entries: impl IntoIterator<Item = (&'v str, FieldValue<'v>)>) -> TableBuf {
    let mut table = TableBuf::new();
    for (name, value) in entries {
        table.insert(name, value).unwrap();
    }
    table
}

/// A long string.
pub(crate) fn text(value: &str) -> FieldValue<'_> {
    FieldValue::LongString(value.as_bytes())
}

/// queue.delete on channel 1.
pub(crate) fn delete_queue(c: &mut Amqp, queue: &str, if_unused: bool, if_empty: bool) {
    let delete = method::queue::Delete {
        queue,
        if_unused,
        if_empty,
        ..Default::default()
    };
    c.codec.queue_delete(1, &delete).unwrap();
}

/// An event in words, and the content that came with it.
fn describe(event: ClientEvent<'_>) -> (String, Option<Content>) {
    let again = |redelivered| if redelivered { " again" } else { "" };
    let body = |c: &Content| String::from_utf8_lossy(c.body()).into_owned();
    match event {
        ClientEvent::Start { .. } => ("start".into(), None),
        ClientEvent::Opened => ("opened".into(), None),
        ClientEvent::ChannelOpened { channel, .. } => (format!("channel {channel}"), None),
        ClientEvent::ChannelClosed { close, .. } => (
            format!("channel.close {} {}", close.reply_code, close.reply_text),
            None,
        ),
        ClientEvent::Closed { close, .. } => (
            format!("connection.close {} {}", close.reply_code, close.reply_text),
            None,
        ),
        ClientEvent::Reply { reply, .. } => {
            let id = reply.id();
            let text = match reply {
                Reply::QueueDeclareOk(ok) => format!(
                    "{id} {} {} {}",
                    ok.queue, ok.message_count, ok.consumer_count
                ),
                Reply::QueuePurgeOk(ok) => format!("{id} {}", ok.message_count),
                Reply::QueueDeleteOk(ok) => format!("{id} {}", ok.message_count),
                Reply::BasicConsumeOk(ok) => format!("{id} {}", ok.consumer_tag),
                _ => format!("{id}"),
            };
            (text, None)
        }
        ClientEvent::GetOk {
            delivery_tag,
            redelivered,
            message_count,
            content,
            ..
        } => (
            format!(
                "get-ok {delivery_tag}{} {} +{message_count}",
                again(redelivered),
                body(&content)
            ),
            Some(content),
        ),
        ClientEvent::Deliver(Delivery {
            delivery_tag,
            redelivered,
            content,
            ..
        }) => {
            let tag = match content.method() {
                Method::BasicDeliver(deliver) => deliver.consumer_tag.to_owned(),
                other => panic!("{other:?}"),
            };
            (
                format!(
                    "{tag} {delivery_tag}{} {}",
                    again(redelivered),
                    body(&content)
                ),
                Some(content),
            )
        }
        ClientEvent::Return {
            reply_code,
            content,
            ..
        } => (
            format!("return {reply_code} {}", body(&content)),
            Some(content),
        ),
        ClientEvent::Confirm(Confirmation {
            publish_tags,
            acknowledged,
            ..
        }) => {
            let how = if acknowledged { "ack" } else { "nack" };
            (
                format!("{how} {}-{}", publish_tags.start(), publish_tags.end()),
                None,
            )
        }
        ClientEvent::ConsumerCancelled { consumer_tag, .. } => {
            (format!("cancelled {consumer_tag}"), None)
        }
        other => (format!("{other:?}"), None),
    }
}
