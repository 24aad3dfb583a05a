//! The same few messages among many things that they have nothing to do with.

use bytes::Bytes;
use mq_core::{ConnectionId, Protocol, Store};

use super::turns::{BATCH, queue};
use super::{Play, amqp, mqtt, stomp};
use crate::{Turn, ready};

/// What there are many of, what a turn does with [`BATCH`] messages, and what makes it.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub many: &'static str,
    pub turn: &'static str,
    pub make: fn(usize) -> Turn,
}

const fn crowd(many: &'static str, turn: &'static str, make: fn(usize) -> Turn) -> Crowd {
    Crowd { many, turn, make }
}

pub const CROWDS: &[Crowd] = &[
    crowd("MQTT filters `dev/N/+`", "PUBLISH to one", |many| {
        filters(many, |n| format!("dev/{n}/+"))
    }),
    crowd("MQTT filters `+/N/state`", "PUBLISH to one", |many| {
        filters(many, |n| format!("+/{n}/state"))
    }),
    crowd("MQTT filters `dev/N/state`", "PUBLISH to one", |many| {
        filters(many, |n| format!("dev/{n}/state"))
    }),
    crowd("AMQP keys of `amq.direct`", "publish to one", |many| {
        bindings(many, "amq.direct", |n| format!("dev.{n}.state"))
    }),
    crowd("AMQP keys `dev.N.*`", "publish to one", |many| {
        bindings(many, "amq.topic", |n| format!("dev.{n}.*"))
    }),
    crowd("AMQP keys `#.N.state`", "publish to one", |many| {
        bindings(many, "amq.topic", |n| format!("#.{n}.state"))
    }),
    crowd("retained messages", "SUBSCRIBE `dev/7/state`", |many| {
        retained(many, "dev/7/state")
    }),
    crowd("retained messages", "SUBSCRIBE `dev/7/+`", |many| {
        retained(many, "dev/7/+")
    }),
    crowd("retained messages", "SUBSCRIBE `+/7/#`", |many| {
        retained(many, "+/7/#")
    }),
    crowd("messages of a queue", "publish, deliver, ack", acknowledged),
    crowd("messages of a queue", "nack, deliver again", requeued),
    crowd("MQTT sessions, away", "PUBLISH to another", |many| {
        others(many, |play, n| {
            let gone = mqtt::connect(&format!("client-{n}"), true);
            let client = play.connect(Protocol::Mqtt, [&gone[..]]);
            play.disconnect(client);
        })
    }),
    crowd("MQTT connections", "PUBLISH to another", |many| {
        others(many, |play, n| {
            let connect = mqtt::connect(&format!("client-{n}"), false);
            play.connect(Protocol::Mqtt, [&connect[..]]);
        })
    }),
    crowd("AMQP connections", "PUBLISH to another", |many| {
        let hello = amqp::hello();
        others(many, |play, _| {
            play.connect(Protocol::Amqp, hello.iter().map(Vec::as_slice));
        })
    }),
    crowd("STOMP connections", "PUBLISH to another", |many| {
        others(many, |play, _| {
            play.connect(Protocol::Stomp, [stomp::CONNECT]);
        })
    }),
];

/// How many things one peer has.
const EACH: usize = 1000;
const BODY: usize = 64;
/// Bytes of a PUBLISH and of a `basic.deliver` with such a body at most: two are more.
const MQTT: usize = 100;
const AMQP: usize = 200;

/// A publisher's messages, each of which reaches one peer, in at most so many bytes.
fn publish(mut play: Play, publisher: ConnectionId, message: &[u8], most: usize) -> Turn {
    let batch = Bytes::from(message.repeat(BATCH));
    ready(move || {
        let received = play.give(publisher, batch.clone()) / BATCH;
        assert!((BODY..=most).contains(&received), "{received} bytes each");
    })
}

fn publisher(play: &mut Play) -> ConnectionId {
    play.connect(Protocol::Mqtt, [&mqtt::connect("publisher", false)[..]])
}

/// More topics than the broker remembers: most of them are looked up.
const TOPICS: usize = 1024;

fn filters(many: usize, filter: impl Fn(usize) -> String) -> Turn {
    let mut play = Play::new(Store::None);
    for first in (0..many).step_by(EACH) {
        let connect = mqtt::connect(&format!("client-{first}"), false);
        let client = play.connect(Protocol::Mqtt, [&connect[..]]);
        let all = first..many.min(first + EACH);
        let subscribe: Vec<u8> = all.flat_map(|n| mqtt::subscribe(&filter(n), 0)).collect();
        play.give(client, subscribe.into());
    }
    let publisher = publisher(&mut play);
    let topics = many.min(TOPICS);
    let message = |n: usize| {
        let topic = format!("dev/{}/state", n % topics * (many / topics));
        mqtt::publish(&topic, BODY, false)
    };
    let batch = |n: usize| {
        let messages = (n * BATCH..(n + 1) * BATCH).flat_map(message);
        Bytes::from_iter(messages)
    };
    let batches: Vec<Bytes> = (0..topics.div_ceil(BATCH)).map(batch).collect();
    let mut turns = 0;
    ready(move || {
        let batch = &batches[turns % batches.len()];
        turns += 1;
        let received = play.give(publisher, batch.clone()) / BATCH;
        assert!((BODY..=MQTT).contains(&received), "{received} bytes each");
    })
}

fn bindings(many: usize, exchange: &str, key: impl Fn(usize) -> String) -> Turn {
    let mut play = Play::new(Store::None);
    let hello = amqp::hello();
    let client = play.connect(Protocol::Amqp, hello.iter().map(Vec::as_slice));
    for first in (0..many).step_by(EACH) {
        let name = format!("q{first}");
        let mut binds = amqp::declare(&name, false);
        let all = first..many.min(first + EACH);
        binds.extend(all.flat_map(|n| amqp::bind(&name, exchange, &key(n))));
        play.give(client, binds.into());
    }
    let one = many / 2;
    let consume = amqp::consume(&format!("q{}", one - one % EACH), true);
    play.give(client, consume.into());
    let message = amqp::publish(exchange, &format!("dev.{one}.state"), BODY);
    publish(play, client, &message, AMQP)
}

/// Subscribes and unsubscribes again, for one retained message.
fn retained(many: usize, filter: &str) -> Turn {
    let mut play = Play::new(Store::None);
    let publisher = publisher(&mut play);
    for n in 0..many.max(8) {
        let message = mqtt::publish(&format!("dev/{n}/state"), BODY, true);
        play.give(publisher, message.into());
    }
    let client = play.connect(Protocol::Mqtt, [&mqtt::connect("client", false)[..]]);
    let turn = [mqtt::subscribe(filter, 0), mqtt::unsubscribe(filter)].concat();
    let turns = Bytes::from(turn.repeat(BATCH));
    ready(move || {
        let received = play.give(client, turns.clone());
        let one = BATCH * BODY;
        assert!((one..2 * one).contains(&received), "one each time");
    })
}

/// A queue that never has fewer messages, whose consumer may have [`BATCH`] of them.
fn backlog(many: usize) -> (Play, ConnectionId, ConnectionId) {
    let consume = [amqp::qos(BATCH as u16), amqp::consume("q", false)];
    let (mut play, consumer, publisher) = queue(Store::None, &consume);
    let message = amqp::publish("", "q", BODY);
    for _ in 0..many + BATCH {
        play.give(publisher, Bytes::copy_from_slice(&message));
    }
    (play, consumer, publisher)
}

fn acknowledged(many: usize) -> Turn {
    let (mut play, consumer, publisher) = backlog(many);
    let batch = Bytes::from(amqp::publish("", "q", BODY).repeat(BATCH));
    let mut tag = 0;
    ready(move || {
        tag += BATCH as u64;
        let mut received = play.give(publisher, batch.clone());
        received += play.give(consumer, amqp::ack(tag).into());
        assert!(received >= BATCH * BODY, "the next came");
    })
}

fn requeued(many: usize) -> Turn {
    let (mut play, consumer, _) = backlog(many);
    let mut tag = 0;
    ready(move || {
        tag += BATCH as u64;
        let received = play.give(consumer, amqp::requeue(tag).into());
        assert!(received >= BATCH * BODY, "all of them came again");
    })
}

fn others(many: usize, add: impl Fn(&mut Play, usize)) -> Turn {
    let mut play = Play::new(Store::None);
    for n in 0..many {
        add(&mut play, n);
    }
    let hello = [mqtt::connect("consumer", false), mqtt::subscribe("a/+", 0)];
    play.connect(Protocol::Mqtt, hello.iter().map(Vec::as_slice));
    let publisher = publisher(&mut play);
    publish(play, publisher, &mqtt::publish("a/b", BODY, false), MQTT)
}
