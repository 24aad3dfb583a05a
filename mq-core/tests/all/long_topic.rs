//! A topic may have 65,535 bytes and a routing key of AMQP 255: what is routed
//! to a queue reaches its consumers all the same. RabbitMQ 3.10.8 closes the
//! consumer's connection with 541 and loses the message.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::FieldValue;
use mqtt_codec::QoS;

/// A topic, its routing key, and how the key travels in AMQP: in its field, or
/// in the header `x-routing-key` beside an empty field.
fn topics() -> Vec<(String, String, bool)> {
    let topic = |level: &'static str, count: usize| vec![level; count];
    [
        (topic("t", 128), true),
        (topic("t", 129), false),
        (topic("long", 80), false),
    ]
    .into_iter()
    .map(|(levels, fits)| (levels.join("/"), levels.join("."), fits))
    .collect()
}

#[test]
fn a_queue_gives_a_long_topic_to_every_consumer() {
    for (topic, key, fits) in topics() {
        for no_ack in [true, false] {
            let mut world = World::new();
            let mut c = Amqp::connect(&mut world);
            c.declare("consumed", &table([]));
            c.declare("fetched", &table([]));
            for queue in ["consumed", "fetched"] {
                c.bind(queue, "amq.topic", "#");
            }
            c.consume(1, "consumed", "c", no_ack);
            c.seen(&mut world);
            let mut publisher = Mqtt::connect(&mut world, "p");
            publisher.publish(&topic, "m", QoS::AtLeastOnce);
            assert_eq!(publisher.seen(&mut world), ["puback Success"]);
            assert_eq!(c.seen(&mut world), ["c 1 m"], "{no_ack}");
            c.get("fetched", no_ack);
            assert_eq!(c.answer(&mut world), "get-ok 2 m +0");
            for content in &c.contents {
                let headers = content.properties().fields().headers;
                let header = headers.and_then(|h| h.get("x-routing-key"));
                let (field, expected) = if fits {
                    (&*key, None)
                } else {
                    ("", Some(text(&key)))
                };
                assert_eq!(content.routing_key(), field);
                assert_eq!(header, expected);
            }
        }
    }
}

/// The same by way of a dead letter, and for a SEND to a long destination.
#[test]
fn long_keys_of_dead_letters_and_of_stomp() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    let dying = table([
        ("x-dead-letter-exchange", text("amq.fanout")),
        ("x-max-length", FieldValue::I64(0)),
    ]);
    c.declare("dying", &dying);
    c.bind("dying", "amq.topic", "#");
    c.declare("dead", &table([]));
    c.bind("dead", "amq.fanout", "");
    c.consume(1, "dead", "c", true);
    c.seen(&mut world);
    let (topic, key, _) = topics().pop().unwrap();
    let mut publisher = Mqtt::connect(&mut world, "p");
    publisher.publish(&topic, "1", QoS::AtLeastOnce);
    publisher.seen(&mut world);
    let stomp = Stomp::connect(&mut world);
    stomp.send(&mut world, &format!("SEND\ndestination:/topic/{key}\n\n2"));
    assert_eq!(c.seen(&mut world), ["c 1 1", "c 2 2"]);
    for content in &c.contents {
        let headers = content.properties().fields().headers.unwrap();
        assert_eq!(headers.get("x-routing-key"), Some(text(&key)));
    }
}

/// A destination that STOMP 1.0, which has no escapes, cannot carry as it is
/// comes in the `%` escapes of destinations.
#[test]
fn a_line_feed_in_a_topic_reaches_a_client_of_stomp_1_0() {
    let mut world = World::new();
    let stomp = Stomp(world.connect(mq_core::Protocol::Stomp));
    stomp.send(&mut world, "CONNECT\nlogin:guest\npasscode:guest\n\n");
    stomp.send(&mut world, "SUBSCRIBE\nid:1\ndestination:/topic/#\n\n");
    let mut publisher = Amqp::connect(&mut world);
    publisher.publish(1, "amq.topic", "a\nb", "m");
    publisher.seen(&mut world);
    let bytes = std::mem::take(&mut world.socket(stomp.0).received);
    let received = String::from_utf8(bytes).unwrap();
    assert!(
        received.contains("destination:/topic/a%0Ab\n"),
        "{received}"
    );
}
