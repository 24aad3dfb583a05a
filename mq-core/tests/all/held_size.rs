//! Limits in bytes count all that is held, not the bodies alone.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::method::tx;
use amqp_codec::{ArrayBuf, FieldValue, PropertyFields, TableBuf};
use mq_core::{Config, Limits};
use mqtt_codec::connection::MessageBuf;
use mqtt_codec::{Connect, PropertiesBuf, PropertiesBuilder, Property, ProtocolVersion, QoS, Will};

fn world(limit: impl FnOnce(&mut Limits)) -> World {
    let mut config = Config::default();
    limit(&mut config.limits);
    World::with(config)
}

/// So many user properties, each with a value of so many bytes.
fn user_properties(count: usize, len: usize) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    let value = "v".repeat(len);
    for _ in 0..count {
        builder.push(Property::UserProperty("", &value)).unwrap();
    }
    builder.build()
}

fn message(name: &str, retain: bool, properties: PropertiesBuf) -> MessageBuf {
    let mut message = MessageBuf::new(name, Vec::new(), QoS::AtLeastOnce);
    message.retain = retain;
    if retain {
        message.payload = b"m".to_vec().into();
    }
    message.properties = properties;
    message
}

/// 20 messages of 10,000 bytes of properties: in one long one, or in many that are empty
/// and weigh more here than on the wire.
const SHAPES: &[(usize, usize)] = &[(1, 10_000), (500, 0)];

#[test]
fn a_session() {
    for (count, len) in SHAPES {
        let mut world = world(|l| l.session_bytes = 50_000);
        let keep = properties([Property::SessionExpiryInterval(u32::MAX)]);
        let connect = Connect {
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("away"))
        };
        let mut away = Mqtt::with(&mut world, &connect);
        away.seen(&mut world);
        away.subscribe(&mut world, "t", QoS::AtLeastOnce);
        world.cut(away.id);
        let mut publisher = Mqtt::connect(&mut world, "p");
        for _ in 0..20 {
            let message = message("t", false, user_properties(*count, *len));
            publisher.codec.publish(&message.as_message()).unwrap();
            publisher.seen(&mut world);
        }
        let statistics = world.broker.statistics();
        assert!((1..=5).contains(&statistics.ready), "{statistics:?}");
        assert_eq!(statistics.ready + statistics.overflowed, 20);
    }
}

/// A will is held as long as its session.
#[test]
fn a_session_with_a_will() {
    for (will, expected) in [(0, 5), (30_000, 2)] {
        let mut world = world(|l| l.session_bytes = 52_000);
        let keep = properties([Property::SessionExpiryInterval(u32::MAX)]);
        let delay = properties([Property::WillDelayInterval(u32::MAX)]);
        let payload = vec![b'w'; will];
        let connect = Connect {
            properties: keep.as_properties(),
            will: Some(Will {
                topic: topic("will"),
                payload: &payload,
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: delay.as_properties(),
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("away"))
        };
        let mut away = Mqtt::with(&mut world, &connect);
        away.seen(&mut world);
        away.subscribe(&mut world, "t", QoS::AtLeastOnce);
        world.cut(away.id);
        let mut publisher = Mqtt::connect(&mut world, "p");
        for _ in 0..10 {
            publisher.publish("t", &"m".repeat(10_000), QoS::AtLeastOnce);
            publisher.seen(&mut world);
        }
        assert_eq!(world.broker.statistics().ready, expected, "{will}");
    }
}

#[test]
fn what_is_retained() {
    for (count, len) in SHAPES {
        let mut world = world(|l| l.retained_bytes = 50_000);
        let mut publisher = Mqtt::connect(&mut world, "p");
        for n in 0..20 {
            let message = message(&format!("t/{n}"), true, user_properties(*count, *len));
            publisher.codec.publish(&message.as_message()).unwrap();
            publisher.seen(&mut world);
        }
        let mut client = Mqtt::connect(&mut world, "c");
        client.subscribe(&mut world, "t/+", QoS::AtMostOnce);
        let seen = client.seen(&mut world).len();
        assert!((1..=5).contains(&seen), "{seen}");
    }
}

fn amqp_headers(c: &mut Amqp, len: usize) {
    let value = "v".repeat(len);
    let headers = table([("h", text(&value))]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    c.publish_with(1, "", "q", "m", false, &fields);
}

#[test]
fn a_queue() {
    let mut world = world(|l| l.queue_bytes = 50_000);
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &table([]));
    for _ in 0..20 {
        amqp_headers(&mut c, 10_000);
    }
    c.seen(&mut world);
    let ready = world.broker.statistics().ready;
    assert!((1..=5).contains(&ready), "{ready}");
}

/// RabbitMQ, "Queue Length Limit": `x-max-length-bytes` is "the total of body sizes for
/// ready messages"; properties do not count.
#[test]
fn a_length_in_bytes_that_was_asked_for_is_of_bodies() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &table([("x-max-length-bytes", FieldValue::I32(3))]));
    for _ in 0..5 {
        amqp_headers(&mut c, 1000);
    }
    c.seen(&mut world);
    assert_eq!(world.broker.statistics().ready, 3);
}

#[test]
fn a_transaction() {
    let mut world = world(|l| l.transaction_bytes = 50_000);
    let mut c = Amqp::connect(&mut world);
    c.codec.tx_select(1, &tx::Select::default()).unwrap();
    for _ in 0..6 {
        amqp_headers(&mut c, 10_000);
    }
    let answer = c.answer(&mut world);
    assert!(answer.starts_with("channel.close 406"), "{answer}");
}

/// User properties of one message (MQTT 5.0 section 4.13: 0x95 for what is too large).
#[test]
fn the_number_of_properties() {
    for (count, fine) in [(10, true), (11, false)] {
        let mut world = world(|l| l.headers = 10);
        let mut publisher = Mqtt::connect(&mut world, "p");
        let too_many = message("t", true, user_properties(count, 0));
        publisher.codec.publish(&too_many.as_message()).unwrap();
        let expected = if fine {
            "puback NoMatchingSubscribers"
        } else {
            "disconnect PacketTooLarge"
        };
        assert_eq!(publisher.seen(&mut world), [expected]);

        let properties = user_properties(count, 0);
        let connect = Connect {
            will: Some(Will {
                topic: topic("t"),
                payload: b"gone",
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: properties.as_properties(),
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("w"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        let expected = if fine { "Success" } else { "PacketTooLarge" };
        assert_eq!(client.seen(&mut world), [format!("connack {expected}")]);
    }
}

/// A will is a message (MQTT 5.0 section 3.1.2.5): it is held against the same limit.
#[test]
fn a_will_that_is_too_large() {
    for (version, size, expected) in [
        (ProtocolVersion::V5_0, 1000, "connack Success"),
        (ProtocolVersion::V5_0, 1001, "connack PacketTooLarge"),
        (ProtocolVersion::V3_1_1, 1000, "connack Success"),
        (ProtocolVersion::V3_1_1, 1001, ""),
    ] {
        let mut world = world(|l| l.message_size = 1000);
        let payload = vec![b'w'; size];
        let connect = Connect {
            clean_start: true,
            will: Some(Will {
                topic: topic("t"),
                payload: &payload,
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: mqtt_codec::Properties::EMPTY,
            }),
            ..Connect::resume(version, utf8("w"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        let seen = client.seen(&mut world).pop().unwrap_or_default();
        assert_eq!(seen, expected, "{version:?} {size}");
        assert_eq!(world.is_closed(client.id), size > 1000);
    }
}

/// A table of so many entries without a value, so deep in other tables.
fn entries(count: usize, depth: usize) -> TableBuf {
    let mut entries = TableBuf::new();
    for n in 0..count {
        entries.insert(&n.to_string(), FieldValue::Void).unwrap();
    }
    for _ in 0..depth {
        let mut outer = TableBuf::new();
        let inner = FieldValue::Table(entries.as_table());
        if depth.is_multiple_of(2) {
            let mut array = ArrayBuf::new();
            array.push(inner).unwrap();
            outer
                .insert("t", FieldValue::Array(array.as_array()))
                .unwrap();
        } else {
            outer.insert("t", inner).unwrap();
        }
        entries = outer;
    }
    entries
}

/// Headers of one message, and arguments, those in tables of theirs too.
#[test]
fn the_number_of_headers_over_amqp() {
    for (count, depth, fine) in [
        (10, 0, true),
        (11, 0, false),
        (9, 1, true),
        (10, 1, false),
        (8, 2, true),
        (9, 2, false),
    ] {
        let table = entries(count, depth);
        let fields = PropertyFields {
            headers: Some(table.as_table()),
            ..Default::default()
        };
        let refused = "channel.close 406 PRECONDITION_FAILED - \
                       a field table has more than 10 entries";
        let mut world = world(|l| l.headers = 10);
        let mut c = Amqp::connect(&mut world);
        c.publish_with(1, "", "", "m", false, &fields);
        let expected = if fine { "" } else { refused };
        assert_eq!(c.answer(&mut world), expected, "{count} {depth}");
        let mut c = Amqp::connect(&mut world);
        c.declare("q", &table);
        let expected = if fine {
            "queue.declare-ok q 0 0"
        } else {
            refused
        };
        assert_eq!(c.answer(&mut world), expected, "{count} {depth}");
    }
}

/// Header lines of one STOMP frame (STOMP 1.2, "Size Limits").
#[test]
fn the_number_of_headers_over_stomp() {
    for (count, fine) in [(8, true), (9, false)] {
        let mut world = world(|l| l.headers = 10);
        let client = Stomp::connect(&mut world);
        let headers: String = (0..count).map(|n| format!("{n}:\n")).collect();
        let send = format!("SEND\ndestination:/topic/t\nreceipt:r\n{headers}\nm");
        client.send(&mut world, &send);
        let frames = client.frames(&mut world);
        let expected = if fine { "RECEIPT" } else { "ERROR" };
        assert_eq!(frames[0].command, expected, "{count}");
    }
}

/// What is deep in a table counts like the rest.
#[test]
fn a_queue_of_deep_tables() {
    for depth in [0, 1, 2] {
        let mut world = world(|l| l.queue_bytes = 100_000);
        let mut c = Amqp::connect(&mut world);
        c.declare("q", &table([]));
        let deep = entries(300, depth);
        let fields = PropertyFields {
            headers: Some(deep.as_table()),
            ..Default::default()
        };
        for _ in 0..20 {
            c.publish_with(1, "", "q", "m", false, &fields);
        }
        c.seen(&mut world);
        let ready = world.broker.statistics().ready;
        assert!((1..=5).contains(&ready), "{ready}");
    }
}
