//! What a limit drops is reported, with where and why.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, properties, utf8};
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::queue;
use amqp_codec::{FieldValue, TableBuf};
use mq_core::{Config, DropCause, Dropped, Output, Place, Report};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS};

fn world() -> World {
    let mut config = Config::default();
    config.limits.session_messages = 2;
    config.limits.retained_messages = 1;
    World::with(config)
}

/// Where, why and how many, since the last call.
fn reports(world: &mut World) -> Vec<(Place, DropCause, u64)> {
    let outputs = std::mem::take(&mut world.outputs);
    let dropped = outputs.into_iter().filter_map(|output| match output {
        Output::Report(Report::Dropped(dropped)) => Some(dropped),
        _ => None,
    });
    let row = |dropped: Dropped| {
        assert_eq!(&*dropped.virtual_host, "/");
        (dropped.place, dropped.cause, dropped.count)
    };
    dropped.map(row).collect()
}

fn queue(name: &str) -> Place {
    Place::Queue(name.into())
}

/// A queue with these arguments, and three messages for it in one read.
fn fill(world: &mut World, arguments: &TableBuf) -> Amqp {
    let mut client = Amqp::connect(world);
    client.declare("q", arguments);
    client.seen(world);
    for _ in 0..3 {
        client.publish(1, "", "q", "body");
    }
    client.seen(world);
    client
}

#[test]
fn a_full_queue_is_named() {
    use DropCause::{Full, Refused};
    // RabbitMQ's `x-overflow` ("Queue Length Limit"), of a queue for two messages, and what is
    // dropped of three.
    for (overflow, cause) in [
        ("drop-head", Full),
        ("reject-publish", Refused),
        ("reject-publish-dlx", Refused),
    ] {
        let mut world = world();
        let arguments = table([
            ("x-max-length", FieldValue::I32(2)),
            ("x-overflow", text(overflow)),
        ]);
        fill(&mut world, &arguments);
        assert_eq!(reports(&mut world), [(queue("q"), cause, 1)], "{overflow}");
    }
}

#[test]
fn a_dead_letter_queue_that_refuses_is_named() {
    let mut world = world();
    let mut client = Amqp::connect(&mut world);
    let refuses = table([
        ("x-max-length", FieldValue::I32(0)),
        ("x-overflow", text("reject-publish")),
    ]);
    client.declare("dead", &refuses);
    client.seen(&mut world);
    let arguments = table([
        ("x-max-length", FieldValue::I32(2)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ]);
    fill(&mut world, &arguments);
    let expected = [
        (queue("dead"), DropCause::Refused, 1),
        (queue("q"), DropCause::Full, 1),
    ];
    assert_eq!(reports(&mut world), expected);
}

/// RabbitMQ drops a letter that nothing is bound for, and one that goes round without anybody's
/// doing ("Dead Lettered Messages", "Automatic Message Deletion"; `rabbit_dead_letter.erl`,
/// which logs the cycle).
#[test]
fn a_letter_that_belongs_nowhere_is_reported() {
    for (exchange, key) in [
        ("amq.direct", "nothing"),
        ("", "nobody"),
        ("", "q"),
        ("no", "q"),
    ] {
        let mut world = world();
        let mut client = Amqp::connect(&mut world);
        let arguments = table([
            ("x-message-ttl", FieldValue::I32(1)),
            ("x-dead-letter-exchange", text(exchange)),
            ("x-dead-letter-routing-key", text(key)),
        ]);
        client.declare("q", &arguments);
        client.publish(1, "", "q", "body");
        client.seen(&mut world);
        assert_eq!(reports(&mut world), []);
        world.wait(std::time::Duration::from_millis(2));
        let expected = [(queue("q"), DropCause::Nowhere, 1)];
        assert_eq!(reports(&mut world), expected, "{exchange:?} {key}");
    }
}

#[test]
fn a_message_that_came_back_too_often_is_reported() {
    let mut world = world();
    let mut client = Amqp::connect(&mut world);
    let arguments = table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", FieldValue::I32(1)),
    ]);
    let declare = queue::Declare {
        queue: "q",
        durable: true,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    client.codec.queue_declare(1, &declare).unwrap();
    client.publish(1, "", "q", "body");
    client.seen(&mut world);
    for tag in 1..=2 {
        assert_eq!(reports(&mut world), []);
        client.get("q", false);
        client.seen(&mut world);
        let requeue = Requeue::Yes;
        client.codec.nack(1, Tags::One(tag), requeue).unwrap();
        client.seen(&mut world);
    }
    let expected = [(queue("q"), DropCause::DeliveryLimit, 1)];
    assert_eq!(reports(&mut world), expected);
}

#[test]
fn a_full_session_and_full_topics_are_named() {
    let mut world = world();
    let expiry = properties([Property::SessionExpiryInterval(3600)]);
    let connect = Connect {
        properties: expiry.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8("away"))
    };
    let mut away = Mqtt::with(&mut world, &connect);
    away.seen(&mut world);
    away.subscribe(&mut world, "t/#", QoS::AtLeastOnce);
    world.cut(away.id);
    let mut client = Mqtt::connect(&mut world, "client");
    for n in 0..5 {
        client.publish(&format!("t/{n}"), "body", QoS::AtLeastOnce);
    }
    client.seen(&mut world);
    let full = DropCause::Full;
    let reported = reports(&mut world);
    let expected = (Place::Session("away".into()), full);
    let count: u64 = reported.iter().map(|(_, _, count)| count).sum();
    assert_eq!(count, 3);
    for (place, cause, _) in reported {
        assert_eq!((place, cause), expected);
    }
    for n in 0..2 {
        client.retain(&format!("r/{n}"), "body");
    }
    client.seen(&mut world);
    assert_eq!(reports(&mut world), [(Place::Retained, full, 1)]);
}
