//! Messages for one connection that come of one read of another one leave in their order, in
//! their place among all that it hears, and no more of them than it has room for.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue, table};
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::stomp::Stomp;
use mq_core::Config;
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS};

/// Few and many: the broker handles up to 8 together.
const COUNTS: [usize; 6] = [1, 2, 7, 8, 9, 40];

/// Messages with their numbers, in one read.
fn publish(publisher: &mut Amqp, exchange: &str, key: &str, count: usize) {
    for number in 0..count {
        publisher.publish(1, exchange, key, &number.to_string());
    }
}

fn numbers(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| number.to_string())
}

#[test]
fn a_consumer_is_cancelled_after_its_messages() {
    for count in COUNTS {
        let mut world = World::new();
        let mut publisher = Amqp::connect(&mut world);
        publisher.declare("q", &table([]));
        publisher.seen(&mut world);
        let mut consumers = [Amqp::connect(&mut world), Amqp::connect(&mut world)];
        for consumer in &mut consumers {
            consumer.consume(1, "q", "c", true);
            consumer.seen(&mut world);
        }
        publish(&mut publisher, "", "q", count);
        delete_queue(&mut publisher, "q", false, false);
        assert_eq!(publisher.seen(&mut world), ["queue.delete-ok 0"]);
        for (which, consumer) in consumers.iter_mut().enumerate() {
            // They take turns.
            let own = numbers(count).skip(which).step_by(2);
            let mut expected: Vec<_> = (1..)
                .zip(own)
                .map(|(tag, n)| format!("c {tag} {n}"))
                .collect();
            expected.push("cancelled c".into());
            assert_eq!(consumer.seen(&mut world), expected, "{count}");
        }
    }
}

#[test]
fn each_protocol_has_them_in_order() {
    for count in COUNTS {
        let mut world = World::new();
        let mut publisher = Amqp::connect(&mut world);
        let mut mqtt = Mqtt::connect(&mut world, "c");
        mqtt.subscribe(&mut world, "t", QoS::AtLeastOnce);
        let stomp = Stomp::connect(&mut world);
        stomp.subscribe(&mut world, "s", "/exchange/amq.topic/t", "");
        stomp.frames(&mut world);
        publish(&mut publisher, "amq.topic", "t", count);
        publisher.seen(&mut world);
        let expected: Vec<_> = numbers(count).map(|n| format!("t {n} q1")).collect();
        assert_eq!(mqtt.seen(&mut world), expected);
        let expected: Vec<_> = numbers(count).collect();
        assert_eq!(stomp.messages(&mut world), expected);
    }
}

/// What is larger than a client takes counts as sent (MQTT 5.0 section 3.1.2.11.4), and those
/// around it come.
#[test]
fn one_that_does_not_fit_is_left_out() {
    let mut world = World::new();
    let mut publisher = Amqp::connect(&mut world);
    let small = properties([Property::MaximumPacketSize(100)]);
    let connect = Connect {
        properties: small.as_properties(),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
    };
    let mut client = Mqtt::with(&mut world, &connect);
    client.seen(&mut world);
    client.subscribe(&mut world, "t", QoS::AtMostOnce);
    for body in ["1", &"x".repeat(200), "2"] {
        publisher.publish(1, "amq.topic", "t", body);
    }
    publisher.seen(&mut world);
    assert_eq!(client.seen(&mut world), ["t 1 q0", "t 2 q0"]);
}

#[test]
fn no_more_leaves_than_there_is_room_for() {
    const HIGH_WATER: usize = 10_000;
    const BODY: usize = 1_500;
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    let mut world = World::with(config);
    let mut publisher = Amqp::connect(&mut world);
    publisher.declare("q", &table([]));
    publisher.seen(&mut world);
    let mut consumer = Amqp::connect(&mut world);
    consumer.consume(1, "q", "c", true);
    consumer.seen(&mut world);
    world.socket(consumer.id).slow = true;
    for _ in 0..40 {
        publisher.publish(1, "", "q", &"x".repeat(BODY));
    }
    publisher.seen(&mut world);
    let left = world.socket(consumer.id).untold;
    let room = HIGH_WATER..HIGH_WATER + 2 * BODY;
    assert!(room.contains(&left), "{left}");
    assert_eq!(consumer.seen(&mut world).len(), left / BODY);
    assert_eq!(world.broker.statistics().ready, (40 - left / BODY) as u64);
}
