//! Messages that come and go in a broker that has little else.

use bytes::Bytes;
use mq_core::{ConnectionId, Protocol, Store};

use super::{Play, amqp, mqtt, stomp};
use crate::{Turn, ready};

/// Messages of a turn.
pub const BATCH: usize = 16;

/// A name, and what makes the turn for bodies of so many bytes.
pub type Work = (&'static str, fn(usize) -> Turn);

/// Each with [`BATCH`] messages a turn.
pub const TURNS: &[Work] = &[
    ("AMQP publish, deliver", |body| {
        amqp_deliver(body, Store::None)
    }),
    ("MQTT QoS 0", mqtt_deliver),
    ("STOMP SEND, MESSAGE", stomp_deliver),
    ("AMQP, stored", |body| amqp_deliver(body, Store::Log)),
    ("AMQP publish, deliver, ack", |body| {
        acknowledge(body, Store::None)
    }),
    ("AMQP, stored, ack", |body| acknowledge(body, Store::Log)),
    ("AMQP nack, deliver again", requeue),
];

/// A publisher's messages to a consumer that does not acknowledge.
fn deliver(mut play: Play, publisher: ConnectionId, message: &[u8], body: usize) -> Turn {
    let batch = Bytes::from(message.repeat(BATCH));
    ready(move || {
        let received = play.give(publisher, batch.clone());
        assert!(received >= BATCH * body, "all of them came");
    })
}

/// The consumer and the publisher of a queue that is named `q`.
pub(super) fn queue(store: Store, consume: &[Vec<u8>]) -> (Play, ConnectionId, ConnectionId) {
    let mut play = Play::new(store);
    let hello = amqp::hello();
    let hello = || hello.iter().map(Vec::as_slice);
    let declare = amqp::declare("q", store == Store::Log);
    let consume = consume.iter().map(Vec::as_slice);
    let consumer = play.connect(Protocol::Amqp, hello().chain([&declare[..]]).chain(consume));
    let publisher = play.connect(Protocol::Amqp, hello());
    (play, consumer, publisher)
}

fn amqp_deliver(body: usize, store: Store) -> Turn {
    let (play, _, publisher) = queue(store, &[amqp::consume("q", true)]);
    deliver(play, publisher, &amqp::publish("", "q", body), body)
}

fn mqtt_deliver(body: usize) -> Turn {
    let mut play = Play::new(Store::None);
    let hello = [mqtt::connect("consumer", false), mqtt::subscribe("a/+", 0)];
    play.connect(Protocol::Mqtt, hello.iter().map(Vec::as_slice));
    let publisher = play.connect(Protocol::Mqtt, [&mqtt::connect("publisher", false)[..]]);
    deliver(play, publisher, &mqtt::publish("a/b", body, false), body)
}

fn stomp_deliver(body: usize) -> Turn {
    let mut play = Play::new(Store::None);
    let subscribe = stomp::subscribe("/queue/q");
    play.connect(Protocol::Stomp, [stomp::CONNECT, &subscribe]);
    let publisher = play.connect(Protocol::Stomp, [stomp::CONNECT]);
    deliver(play, publisher, &stomp::send("/queue/q", "", body), body)
}

/// Messages into a queue and out of it, and one acknowledgement of all of them.
fn acknowledge(body: usize, store: Store) -> Turn {
    let (mut play, consumer, publisher) = queue(store, &[amqp::consume("q", false)]);
    let batch = Bytes::from(amqp::publish("", "q", body).repeat(BATCH));
    let mut tag = 0;
    ready(move || {
        let received = play.give(publisher, batch.clone());
        assert!(received >= BATCH * body, "all of them came");
        tag += BATCH as u64;
        play.give(consumer, amqp::ack(tag).into());
    })
}

/// Messages that go back to their queue, and come again.
fn requeue(body: usize) -> Turn {
    let (mut play, consumer, publisher) = queue(Store::None, &[amqp::consume("q", false)]);
    play.give(publisher, amqp::publish("", "q", body).repeat(BATCH).into());
    let mut tag = 0;
    ready(move || {
        tag += BATCH as u64;
        let received = play.give(consumer, amqp::requeue(tag).into());
        assert!(received >= BATCH * body, "all of them came again");
    })
}
