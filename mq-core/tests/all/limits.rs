//! What happens at each limit: what [`Limits`](mq_core::Limits) says beside it.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::{Mqtt, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, tx};
use mq_core::{Config, Limits};
use mqtt_codec::{Connect, ProtocolVersion, QoS};

fn world(limit: impl FnOnce(&mut Limits)) -> World {
    let mut config = Config::default();
    limit(&mut config.limits);
    World::with(config)
}

fn declare(c: &mut Amqp, queue: &str) {
    c.declare(queue, &table([]));
}

type Case = (
    &'static str,
    fn(&mut Limits),
    fn(&mut Amqp, &mut World),
    &'static str,
);

/// A limit, what goes one beyond it, and the last that is heard.
const AMQP: &[Case] = &[
    (
        "queues",
        |l| l.queues = 1,
        |c, _| {
            declare(c, "a");
            declare(c, "a");
            declare(c, "b");
        },
        "channel.close 406",
    ),
    (
        "exchanges",
        |l| l.exchanges = 5,
        |c, _| {
            let declare = amqp_codec::method::exchange::Declare {
                exchange: "x",
                r#type: "direct",
                ..Default::default()
            };
            c.codec.exchange_declare(1, &declare).unwrap();
        },
        "channel.close 406",
    ),
    (
        "bindings",
        |l| l.bindings = 1,
        |c, _| {
            declare(c, "q");
            c.bind("q", "amq.direct", "a");
            c.bind("q", "amq.direct", "b");
        },
        "channel.close 406",
    ),
    (
        "consumers",
        |l| l.consumers = 1,
        |c, _| {
            declare(c, "q");
            c.consume(1, "q", "a", true);
            c.consume(1, "q", "b", true);
        },
        "channel.close 406",
    ),
    (
        "transaction_operations",
        |l| l.transaction_operations = 1,
        |c, _| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.publish(1, "", "q", "1");
            c.publish(1, "", "q", "2");
        },
        "channel.close 406",
    ),
    (
        "transaction_bytes",
        |l| l.transaction_bytes = 3,
        |c, _| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.publish(1, "", "q", "12");
            c.publish(1, "", "q", "34");
        },
        "channel.close 406",
    ),
    (
        "transaction_operations, acknowledging",
        |l| l.transaction_operations = 1,
        |c, w| {
            declare(c, "q");
            c.publish(1, "", "q", "1");
            c.publish(1, "", "q", "2");
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.get("q", false);
            c.get("q", false);
            c.seen(w);
            c.codec.ack(1, Tags::UpTo(2)).unwrap();
        },
        "channel.close 406",
    ),
    (
        "message_size",
        |l| l.message_size = 10,
        |c, _| c.publish(1, "", "q", "0123456789+"),
        "channel.close 406",
    ),
    (
        "unacknowledged",
        |l| l.unacknowledged = 2,
        |c, w| {
            declare(c, "q");
            for body in ["1", "2", "3"] {
                c.publish(1, "", "q", body);
            }
            c.consume(1, "q", "c", false);
            assert_eq!(c.seen(w).split_off(2), ["c 1 1", "c 2 2"]);
            c.codec.ack(1, Tags::One(1)).unwrap();
        },
        "c 3 3",
    ),
    (
        "queue_messages",
        |l| l.queue_messages = 1,
        |c, _| {
            declare(c, "q");
            c.publish(1, "", "q", "dropped");
            c.publish(1, "", "q", "kept");
            c.get("q", true);
        },
        "get-ok 1 kept +0",
    ),
    (
        "queue_bytes",
        |l| l.queue_bytes = 12,
        |c, _| {
            declare(c, "q");
            c.publish(1, "", "q", "gone");
            c.publish(1, "", "q", "kept");
            c.get("q", true);
        },
        "get-ok 1 kept +0",
    ),
];

#[test]
fn amqp() {
    for (name, limit, act, expected) in AMQP {
        let mut world = world(*limit);
        let mut client = Amqp::connect(&mut world);
        act(&mut client, &mut world);
        let answer = client.answer(&mut world);
        assert!(answer.starts_with(expected), "{name}: {answer}");
    }
}

#[test]
fn a_transaction_that_was_too_large_gives_back_what_it_acknowledged() {
    let mut world = world(|l| l.transaction_operations = 1);
    let mut c = Amqp::connect(&mut world);
    declare(&mut c, "q");
    c.publish(1, "", "q", "1");
    c.publish(1, "", "q", "2");
    c.codec.tx_select(1, &tx::Select::default()).unwrap();
    c.get("q", false);
    c.get("q", false);
    c.seen(&mut world);
    c.codec.ack(1, Tags::UpTo(2)).unwrap();
    c.seen(&mut world);
    let consume = basic::Consume {
        queue: "q",
        consumer_tag: "c",
        no_ack: true,
        ..Default::default()
    };
    c.codec.consume(2, &consume).unwrap();
    assert_eq!(
        c.seen(&mut world),
        ["basic.consume-ok c", "c 1 again 1", "c 2 again 2"]
    );
}

#[test]
fn mqtt() {
    let mut world = world(|l| {
        l.sessions = 1;
        l.retained_messages = 2;
        l.retained_bytes = 1000;
        l.message_size = 1000;
    });
    let mut c = Mqtt::connect(&mut world, "c");
    let mut other = Mqtt::with(
        &mut world,
        &Connect::clean(ProtocolVersion::V5_0, utf8("other")),
    );
    assert_eq!(other.seen(&mut world), ["connack QuotaExceeded"]);
    // Two fit; a third topic does not, nor does what is too large, and what
    // was there before that is not the last any more.
    let large = "0".repeat(900);
    for (topic, body) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", &large)] {
        c.retain(topic, body);
    }
    c.seen(&mut world);
    c.subscribe(&mut world, "+", QoS::AtMostOnce);
    assert_eq!(c.seen(&mut world), ["b 2 q0 retained"]);
    // A client that knows the limit of a packet can still exceed that of a
    // message.
    c.publish("t", &"x".repeat(1001), QoS::AtMostOnce);
    assert_eq!(c.seen(&mut world), ["disconnect PacketTooLarge"]);
    let mut c = Mqtt::connect(&mut world, "c");
    // PUBLISH with a remaining length of 100,000.
    world.send(c.id, &[0x30, 0xA0, 0x8D, 0x06]);
    assert_eq!(c.seen(&mut world), ["disconnect PacketTooLarge"]);
}

#[test]
fn stomp() {
    let long = "n".repeat(256);
    let cases = [
        format!(
            "SEND\ndestination:/queue/q\nreceipt:r\n\n{}",
            "b".repeat(11)
        ),
        format!("SEND\ndestination:/queue/{long}\nreceipt:r\n\n"),
        "SUBSCRIBE\nid:2\ndestination:/queue/q\nreceipt:r\n\n".into(),
    ];
    for frame in cases {
        let mut world = world(|l| {
            l.message_size = 10;
            l.consumers = 1;
        });
        let client = Stomp::connect(&mut world);
        client.subscribe(&mut world, "1", "/queue/q", "");
        client.frames(&mut world);
        client.send(&mut world, &frame);
        let frames = client.frames(&mut world);
        assert_eq!(frames[0].command, "ERROR", "{frame:.40}");
        assert!(world.is_closed(client.0));
    }
}
