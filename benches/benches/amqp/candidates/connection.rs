//! A client and a server of amqp-codec, joined in memory: publishes on one
//! channel, each acknowledged by itself.

use std::time::Duration;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, Request, ServerConfig, ServerConnection,
    ServerEvent,
};

use super::ours::{BODY, properties};

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
}

/// Both, with channel 1 open and in confirm mode.
pub fn open() -> Joined {
    let mut joined = Joined {
        client: ClientConnection::new(NOW, ClientConfig::default()),
        server: ServerConnection::new(NOW, ServerConfig::default()),
        wire: Vec::new(),
        confirmed: 0,
    };
    for _ in 0..4 {
        joined.exchange();
    }
    joined.client.confirm_select(1, false).expect("it is open");
    joined.exchange();
    joined
}

pub fn publish_all(joined: &mut Joined) {
    let properties = properties();
    let message = Message {
        exchange: "orders",
        routing_key: "eu.created",
        properties: properties.as_properties(),
        body: &BODY,
    };
    for _ in 0..PUBLISHES / AT_ONCE {
        for _ in 0..AT_ONCE {
            joined
                .client
                .publish(1, false, &message)
                .expect("it is open");
        }
        joined.exchange();
    }
    assert_eq!(joined.confirmed, PUBLISHES);
}

impl Joined {
    fn exchange(&mut self) {
        self.wire.clear();
        self.client.poll_transmit(&mut self.wire);
        let mut input = &self.wire[..];
        while let Some(event) = self.server.receive(NOW, &mut input).expect("legal") {
            match event {
                ServerEvent::Authenticate { .. } => self.server.accept(),
                ServerEvent::Open { .. } => self.server.open_ok(),
                ServerEvent::Request {
                    channel,
                    request: Request::ConfirmSelect(_),
                } => self.server.confirm_select_ok(channel),
                ServerEvent::Publish {
                    channel,
                    publish_tag: Some(tag),
                    content,
                    ..
                } => {
                    assert_eq!(content.body().len(), BODY.len());
                    self.server.ack(channel, tag, false)
                }
                _ => Ok(()),
            }
            .expect("it is asked for");
        }
        self.wire.clear();
        self.server.poll_transmit(&mut self.wire);
        let mut input = &self.wire[..];
        while let Some(event) = self.client.receive(NOW, &mut input).expect("legal") {
            match event {
                ClientEvent::Opened => {
                    self.client.open_channel().expect("one is free");
                }
                ClientEvent::Confirm {
                    publish_tags,
                    acknowledged: true,
                    ..
                } => self.confirmed += publish_tags.end() + 1 - publish_tags.start(),
                _ => {}
            }
        }
    }
}
