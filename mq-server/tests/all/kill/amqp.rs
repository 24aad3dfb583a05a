//! AMQP 0-9-1: a publisher with confirms, and a consumer.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, Mandatory, Message, Reply,
    Tags,
};
use amqp_codec::method::{basic, confirm, queue};
use amqp_codec::{PropertiesBuf, PropertyFields};

use super::way::At;
use super::{AMQP_QUEUE, Client, Shared, talk};

/// Publishes that wait for their confirms.
const OPEN: usize = 30;

pub(super) fn publish(shared: &Shared, at: &At, start: Instant, stop: &AtomicBool) {
    let mut publisher = Publisher {
        shared,
        client: ClientConnection::new(start.elapsed(), ClientConfig::default()),
        open: BTreeMap::new(),
        ready: false,
    };
    talk(at, start, stop, &mut publisher);
}

struct Publisher<'a> {
    shared: &'a Shared,
    client: ClientConnection,
    /// Bodies by publish tags.
    open: BTreeMap<u64, String>,
    ready: bool,
}

fn declaration(queue: &str) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        durable: true,
        ..Default::default()
    }
}

impl Client for Publisher<'_> {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        while self.ready && self.open.len() < OPEN {
            let body = self.shared.body("amqp");
            let properties: PropertiesBuf = PropertyFields {
                delivery_mode: Some(2),
                ..Default::default()
            }
            .to_buf()
            .unwrap();
            let message = Message {
                exchange: "",
                routing_key: AMQP_QUEUE,
                properties: properties.as_properties(),
                body: body.as_bytes(),
            };
            let Ok(Some(tag)) = self.client.publish(1, Mandatory::No, &message) else {
                break;
            };
            self.open.insert(tag, body);
        }
        self.client.poll_transmit(now, out);
    }

    fn receive(&mut self, now: Duration, input: &mut &[u8]) {
        while let Ok(Some(event)) = self.client.receive(now, input) {
            match event {
                ClientEvent::Opened => {
                    self.client.open_channel().unwrap();
                }
                ClientEvent::ChannelOpened { channel, .. } => {
                    self.client
                        .confirm_select(channel, &confirm::Select::default())
                        .unwrap();
                    self.client
                        .queue_declare(channel, &declaration(AMQP_QUEUE))
                        .unwrap();
                }
                ClientEvent::Reply {
                    reply: Reply::QueueDeclareOk(_),
                    ..
                } => self.ready = true,
                ClientEvent::Confirm(Confirmation {
                    publish_tags,
                    acknowledged: true,
                    ..
                }) => {
                    for tag in publish_tags {
                        self.shared.confirm(self.open.remove(&tag).unwrap());
                    }
                }
                ClientEvent::Start { .. } | ClientEvent::Reply { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.client.is_closed()
    }
}

pub(super) fn consume(
    shared: &Shared,
    at: &At,
    start: Instant,
    stop: &AtomicBool,
    queues: &[&str],
) {
    let mut consumer = Consumer {
        shared,
        client: ClientConnection::new(start.elapsed(), ClientConfig::default()),
        queues,
    };
    talk(at, start, stop, &mut consumer);
}

/// Acknowledges two of three messages, so that some come again after each kill.
struct Consumer<'a> {
    shared: &'a Shared,
    client: ClientConnection,
    queues: &'a [&'a str],
}

impl Client for Consumer<'_> {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.poll_transmit(now, out);
    }

    fn receive(&mut self, now: Duration, input: &mut &[u8]) {
        while let Ok(Some(event)) = self.client.receive(now, input) {
            match event {
                ClientEvent::Opened => {
                    self.client.open_channel().unwrap();
                }
                ClientEvent::ChannelOpened { channel, .. } => {
                    for queue in self.queues {
                        self.client
                            .queue_declare(channel, &declaration(queue))
                            .unwrap();
                        let consume = basic::Consume {
                            queue,
                            ..Default::default()
                        };
                        self.client.consume(channel, &consume).unwrap();
                    }
                }
                ClientEvent::Deliver(Delivery {
                    channel,
                    delivery_tag,
                    content,
                    ..
                }) => {
                    self.shared.receive(content.body());
                    if delivery_tag % 3 > 0 {
                        self.client.ack(channel, Tags::One(delivery_tag)).unwrap();
                    }
                }
                ClientEvent::Start { .. } | ClientEvent::Reply { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.client.is_closed()
    }
}
