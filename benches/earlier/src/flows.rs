//! Messages from publishers to consumers, in each protocol.

use std::ops::Range;

use bytes::Bytes;
use mq_core::{ConnectionId, Protocol};

use crate::play::Play;
use crate::{amqp, mqtt, stomp};

/// Messages that a publisher sends in a turn.
const BATCH: usize = 16;

pub(crate) struct Flow {
    pub(crate) name: &'static str,
    /// Those of a turn.
    pub(crate) messages: u32,
    /// Makes it, for bodies of so many bytes.
    pub(crate) make: fn(usize) -> Box<dyn FnMut()>,
}

const fn flow(name: &'static str, make: fn(usize) -> Box<dyn FnMut()>) -> Flow {
    Flow {
        name,
        messages: BATCH as u32,
        make,
    }
}

pub(crate) const FLOWS: &[Flow] = &[
    flow("AMQP publish, deliver", |body| amqp_deliver(1, body)),
    Flow {
        messages: 32 * BATCH as u32,
        ..flow("AMQP, 32 publishers", |body| amqp_deliver(32, body))
    },
    flow("AMQP publish, deliver, ack", amqp_acknowledge),
    flow("MQTT QoS 0", |body| mqtt_deliver(1, body)),
    flow("MQTT QoS 0, 16 subscribers", |body| mqtt_deliver(16, body)),
    flow("MQTT QoS 1", mqtt_acknowledge),
    flow("STOMP SEND, MESSAGE", stomp_deliver),
    flow("STOMP SEND, MESSAGE, ACK", |body| {
        stomp_acknowledge("", body)
    }),
    flow("STOMP SEND, RECEIPT, MESSAGE, ACK", |body| {
        stomp_acknowledge("receipt:r\n", body)
    }),
];

/// Publishers whose messages reach each of so many consumers.
fn deliver(
    mut play: Play,
    publishers: Vec<ConnectionId>,
    message: &[u8],
    least: usize,
) -> Box<dyn FnMut()> {
    let batch = Bytes::from(message.repeat(BATCH));
    let least = least * publishers.len() * BATCH;
    Box::new(move || {
        let mut received = 0;
        if let &[publisher] = &publishers[..] {
            play.give(publisher, batch.clone(), |_, bytes| received += bytes.len());
        } else {
            // All have come before the broker looks.
            let mut batch = batch.clone();
            while !batch.is_empty() {
                let read = batch.split_to(batch.len().min(64 * 1024));
                for &publisher in &publishers {
                    play.hand_in(publisher, read.clone());
                }
                play.drain(|_, bytes| received += bytes.len());
            }
        }
        assert!(received >= least, "all of them came");
    })
}

fn amqp_queue(consume: Vec<u8>) -> (Play, ConnectionId) {
    let mut play = Play::new();
    let hello = [amqp::hello(), vec![amqp::declare("q", false), consume]].concat();
    let consumer = play.connect(Protocol::Amqp, &hello);
    (play, consumer)
}

fn amqp_deliver(publishers: usize, body: usize) -> Box<dyn FnMut()> {
    let (mut play, _) = amqp_queue(amqp::consume("q", true));
    let mut publisher = || play.connect(Protocol::Amqp, &amqp::hello());
    let publishers = (0..publishers).map(|_| publisher()).collect();
    deliver(play, publishers, &amqp::publish("", "q", body), body)
}

/// Each message is acknowledged by itself.
fn amqp_acknowledge(body: usize) -> Box<dyn FnMut()> {
    let (mut play, consumer) = amqp_queue(amqp::consume("q", false));
    let publisher = play.connect(Protocol::Amqp, &amqp::hello());
    let batch = Bytes::from(amqp::publish("", "q", body).repeat(BATCH));
    let mut tag = 0;
    Box::new(move || {
        let mut received = 0;
        play.give(publisher, batch.clone(), |_, bytes| received += bytes.len());
        assert!(received >= BATCH * body, "all of them came");
        let mut acks = Vec::with_capacity(BATCH * 21);
        for _ in 0..BATCH {
            tag += 1;
            acks.extend([1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80]);
            acks.extend(u64::to_be_bytes(tag));
            acks.extend([0, 0xCE]);
        }
        play.give(consumer, acks.into(), |_, _| {});
    })
}

fn mqtt_subscribe(play: &mut Play, name: &str, qos: u8) -> ConnectionId {
    let hello = [mqtt::connect(name, false), mqtt::subscribe("a/+", qos)];
    play.connect(Protocol::Mqtt, &hello)
}

fn mqtt_deliver(subscribers: usize, body: usize) -> Box<dyn FnMut()> {
    let mut play = Play::new();
    for n in 0..subscribers {
        mqtt_subscribe(&mut play, &format!("subscriber-{n}"), 0);
    }
    let publisher = play.connect(Protocol::Mqtt, &[mqtt::connect("publisher", false)]);
    deliver(
        play,
        vec![publisher],
        &mqtt::publish("a/b", body, false),
        subscribers * body,
    )
}

fn mqtt_acknowledge(body: usize) -> Box<dyn FnMut()> {
    let mut play = Play::new();
    let subscriber = mqtt_subscribe(&mut play, "subscriber", 1);
    let publisher = play.connect(Protocol::Mqtt, &[mqtt::connect("publisher", false)]);
    let message = |id: u8| {
        let mut message = mqtt::publish("a/b", body + 2, false);
        message[0] |= 2;
        // The packet identifier, and no properties.
        let rest = message.len() - body - 3;
        message[rest..rest + 3].copy_from_slice(&[0, id, 0]);
        message
    };
    let batch: Bytes = (1..=BATCH as u8).flat_map(message).collect();
    let received = Received::new(body, |head| {
        // The identifier is behind the topic and before the properties, of which there are none.
        let digits = 1 + head.get(1..5)?.iter().position(|byte| byte & 0x80 == 0)?;
        let at = 1 + digits + 5;
        (head.len() >= at + 3).then_some(Head {
            end: at + 3,
            id: at..at + 2,
        })
    });
    acknowledge(
        play,
        publisher,
        batch,
        subscriber,
        received,
        [&[0x40, 2], b""],
    )
}

fn stomp_deliver(body: usize) -> Box<dyn FnMut()> {
    let mut play = Play::new();
    let hello = [stomp::CONNECT.to_vec(), stomp::subscribe("/queue/q")];
    play.connect(Protocol::Stomp, &hello);
    let publisher = play.connect(Protocol::Stomp, &hello[..1]);
    deliver(
        play,
        vec![publisher],
        &stomp::send("/queue/q", "", body),
        body,
    )
}

/// Each message is acknowledged by itself.
fn stomp_acknowledge(header: &str, body: usize) -> Box<dyn FnMut()> {
    let mut play = Play::new();
    let subscribe = b"SUBSCRIBE\nid:0\ndestination:/queue/q\nack:client-individual\n\n\0";
    let hello = [stomp::CONNECT.to_vec(), subscribe.to_vec()];
    let consumer = play.connect(Protocol::Stomp, &hello);
    let publisher = play.connect(Protocol::Stomp, &hello[..1]);
    let batch = Bytes::from(stomp::send("/queue/q", header, body).repeat(BATCH));
    let received = Received::new(body + 1, |head| {
        let (mut at, mut ack) = (0, None);
        loop {
            let line = &head[at..];
            let len = memchr::memchr(b'\n', line)?;
            if len == 0 {
                return Some(Head {
                    end: at + 1,
                    id: ack?,
                });
            }
            if line.starts_with(b"ack:") {
                ack = Some(at + 4..at + len);
            }
            at += len + 1;
        }
    });
    let ack: [&[u8]; 2] = [b"ACK\nid:", b"\n\n\0"];
    acknowledge(play, publisher, batch, consumer, received, ack)
}

/// A publisher's messages to a consumer, and an acknowledgement of each: what names the message,
/// between these bytes.
fn acknowledge(
    mut play: Play,
    publisher: ConnectionId,
    batch: Bytes,
    consumer: ConnectionId,
    mut received: Received,
    [before, behind]: [&'static [u8]; 2],
) -> Box<dyn FnMut()> {
    Box::new(move || {
        play.give(publisher, batch.clone(), |to, bytes| {
            if to == consumer {
                received.take(bytes);
            }
        });
        assert_eq!(received.ids.len(), BATCH, "all of them came");
        let mut acks = Vec::with_capacity(BATCH * 32);
        for id in received.ids.drain(..) {
            acks.extend_from_slice(before);
            acks.extend(id);
            acks.extend_from_slice(behind);
        }
        play.give(consumer, acks.into(), |_, _| {});
    })
}

/// What stands before the body of a message.
struct Head {
    end: usize,
    /// What names the message.
    id: Range<usize>,
}

/// The messages of one consumer, as far as they have come.
struct Received {
    head: Vec<u8>,
    /// Bytes of a message behind its head.
    body: usize,
    /// Those that are still to come.
    left: usize,
    /// Reads a head, once it is whole.
    read: fn(&[u8]) -> Option<Head>,
    ids: Vec<Vec<u8>>,
}

impl Received {
    fn new(body: usize, read: fn(&[u8]) -> Option<Head>) -> Self {
        Self {
            head: Vec::new(),
            body,
            left: 0,
            read,
            ids: Vec::new(),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let body = bytes.len().min(self.left);
            self.left -= body;
            bytes = &bytes[body..];
            let known = self.head.len();
            // No head is longer.
            let head = &bytes[..bytes.len().min(256)];
            let (whole, head) = match known {
                0 => ((self.read)(head), head),
                _ => {
                    self.head.extend_from_slice(head);
                    ((self.read)(&self.head), &self.head[..])
                }
            };
            if let Some(Head { end, id }) = whole {
                self.ids.push(head[id].to_vec());
                self.left = self.body;
                self.head.clear();
                bytes = &bytes[end - known..];
            } else {
                if known == 0 {
                    self.head.extend_from_slice(bytes);
                }
                return;
            }
        }
    }
}
