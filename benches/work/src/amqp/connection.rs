//! A client and a server of amqp-codec, joined in memory: publishes on one
//! channel, and deliveries the other way, each acknowledged by a call of its own.
//! The server joins the acks that wait to be sent into one with `multiple`. And the
//! frames without any connection, with an ack for each publish, encoded and decoded.

use std::hint::black_box;
use std::time::Duration;

use amqp_codec::PropertiesBuf;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, InboundPublish, Mandatory,
    Message, Redelivered, Request, ServerConfig, ServerConnection, ServerEvent, Tags,
};
use amqp_codec::method::{basic, confirm};

use super::frames::{BODY, content, decode_borrowed, frame, properties};

/// Publishes of one run.
pub const PUBLISHES: u64 = 10_000;
/// Publishes that are written before the other side reads.
const AT_ONCE: u64 = 100;
const NOW: Duration = Duration::ZERO;

pub struct Joined {
    client: ClientConnection,
    server: ServerConnection,
    wire: Vec<u8>,
    confirmed: u64,
    acknowledged: u64,
}

/// Both, with channel 1 open and in confirm mode.
pub fn open() -> Joined {
    let mut joined = Joined {
        client: ClientConnection::new(NOW, ClientConfig::default()),
        server: ServerConnection::new(NOW, ServerConfig::default()),
        wire: Vec::new(),
        confirmed: 0,
        acknowledged: 0,
    };
    for _ in 0..4 {
        joined.exchange();
    }
    joined
        .client
        .confirm_select(1, &confirm::Select::default())
        .expect("it is open");
    joined.exchange();
    let consume = basic::Consume {
        queue: "orders",
        consumer_tag: "ctag-1",
        ..basic::Consume::default()
    };
    joined.client.consume(1, &consume).expect("it is open");
    joined.exchange();
    joined
}

pub fn publish_all(joined: &mut Joined) {
    for _ in 0..PUBLISHES / AT_ONCE {
        joined.publish(AT_ONCE);
    }
    assert_eq!(joined.confirmed, PUBLISHES);
}

/// What a connection cannot be faster than: every frame of [`publish_all`]
/// encoded to a buffer, and decoded from it as it lies there.
pub fn frames_alone(wire: &mut Vec<u8>) {
    let properties = properties();
    for run in 0..PUBLISHES / AT_ONCE {
        wire.clear();
        for _ in 0..AT_ONCE {
            let publish = basic::Publish {
                exchange: "orders",
                routing_key: "eu.created",
                ..basic::Publish::default()
            };
            for frame in black_box(content(publish.into(), &properties)) {
                frame.encode(wire).expect("legal");
            }
        }
        decode_borrowed(wire);
        wire.clear();
        for at in 1..=AT_ONCE {
            let ack = basic::Ack {
                delivery_tag: run * AT_ONCE + at,
                multiple: false,
            };
            frame(ack.into()).encode(wire).expect("legal");
        }
        decode_borrowed(wire);
    }
}

impl Joined {
    /// Publishes so many messages, and takes their confirms.
    pub fn publish(&mut self, count: u64) {
        let properties = properties();
        for _ in 0..count {
            self.client
                .publish(1, Mandatory::No, &message(&properties))
                .expect("it is open");
        }
        self.exchange();
    }

    /// Delivers so many messages, and takes their acknowledgements.
    pub fn deliver(&mut self, count: u64) {
        let (properties, before) = (properties(), self.acknowledged);
        for _ in 0..count {
            self.server
                .deliver(1, "ctag-1", Redelivered::No, &message(&properties))
                .expect("it is open");
        }
        self.exchange();
        self.exchange();
        assert_eq!(self.acknowledged, before + count);
    }

    fn exchange(&mut self) {
        self.wire.clear();
        self.client.poll_transmit(NOW, &mut self.wire);
        let mut input = &self.wire[..];
        while let Some(event) = self.server.receive(NOW, &mut input).expect("legal") {
            match event {
                ServerEvent::Authenticate { .. } => self.server.accept(NOW),
                ServerEvent::Open { .. } => self.server.open_ok(NOW),
                ServerEvent::Request {
                    channel,
                    request: Request::ConfirmSelect(_),
                    ..
                } => self.server.confirm_select_ok(channel),
                ServerEvent::Request {
                    channel,
                    request: Request::BasicConsume(consume),
                    ..
                } => self.server.consume_ok(channel, consume.consumer_tag),
                ServerEvent::Request {
                    request: Request::BasicAck(_),
                    ..
                } => {
                    self.acknowledged += 1;
                    Ok(())
                }
                ServerEvent::Publish(InboundPublish {
                    channel,
                    publish_tag: Some(tag),
                    content,
                    ..
                }) => {
                    assert_eq!(content.body().len(), BODY.len());
                    self.server.ack(channel, Tags::One(tag))
                }
                _ => Ok(()),
            }
            .expect("it is asked for");
        }
        self.wire.clear();
        self.server.poll_transmit(NOW, &mut self.wire);
        let mut input = &self.wire[..];
        while let Some(event) = self.client.receive(NOW, &mut input).expect("legal") {
            match event {
                ClientEvent::Opened => {
                    self.client.open_channel().expect("one is free");
                }
                ClientEvent::Confirm(Confirmation {
                    publish_tags,
                    acknowledged: true,
                    ..
                }) => self.confirmed += publish_tags.end() + 1 - publish_tags.start(),
                ClientEvent::Deliver(Delivery {
                    channel,
                    delivery_tag,
                    content,
                    ..
                }) => {
                    assert_eq!(content.body().len(), BODY.len());
                    let ack = self.client.ack(channel, Tags::One(delivery_tag));
                    ack.expect("it waits for it");
                }
                _ => {}
            }
        }
    }
}

fn message(properties: &PropertiesBuf) -> Message<'_> {
    Message {
        exchange: "orders",
        routing_key: "eu.created",
        properties: properties.as_properties(),
        body: &BODY,
    }
}
