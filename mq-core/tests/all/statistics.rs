//! What each queue, session and connection says when it is asked.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::Mqtt;
use amqp_codec::FieldValue;
use amqp_codec::connection::{Requeue, Tags};
use mq_core::Protocol;
use mqtt_codec::QoS;

#[test]
fn a_queue_counts_what_becomes_of_its_messages() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("other", &table([]));
    client.declare("q", &table([("x-max-length", FieldValue::I32(4))]));
    for _ in 0..6 {
        client.publish(1, "", "q", "12345678");
    }
    client.seen(&mut world);
    for _ in 0..3 {
        client.get("q", false);
    }
    client.get("q", true);
    client.seen(&mut world);
    // One is acknowledged, one comes back, one is rejected; one was taken without.
    client.codec.ack(1, Tags::One(1)).unwrap();
    client.codec.nack(1, Tags::One(2), Requeue::Yes).unwrap();
    client.codec.nack(1, Tags::One(3), Requeue::No).unwrap();
    client.seen(&mut world);
    client.consume(1, "q", "c", false);
    client.seen(&mut world);
    client.publish(1, "", "other", "waits");
    client.seen(&mut world);

    let queues: Vec<_> = world.broker.queues().collect();
    let [other, q] = &queues[..] else {
        panic!("{queues:?}")
    };
    assert_eq!((&*other.name, &*q.name), ("other", "q"));
    assert_eq!((&*q.virtual_host, q.durable, q.consumers), ("/", false, 1));
    assert_eq!((q.queued, q.delivered), (6, 5));
    assert_eq!((q.acknowledged, q.given_up), (2, 3));
    assert_eq!((q.ready, q.ready_bytes, q.unacknowledged), (0, 0, 1));
    assert_eq!((other.ready, other.queued, other.delivered), (1, 1, 0));
    assert!(other.ready_bytes >= "waits".len());
}

#[test]
fn a_session_says_what_it_holds() {
    let mut world = World::new();
    let mut reader = Mqtt::connect(&mut world, "reader");
    reader.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.socket(reader.id).slow = true;
    let mut client = Mqtt::connect(&mut world, "client");
    client.publish("t", "body", QoS::AtLeastOnce);
    client.seen(&mut world);
    let sessions: Vec<_> = world.broker.sessions().collect();
    let [reading, writing] = &sessions[..] else {
        panic!("{sessions:?}")
    };
    assert_eq!(&*reading.client_identifier, "reader");
    assert_eq!(reading.connection, Some(reader.id));
    assert_eq!((reading.subscriptions, writing.subscriptions), (1, 0));
    assert_eq!((reading.ready, reading.unacknowledged), (0, 1));
    assert_eq!((writing.unacknowledged, writing.unreleased), (0, 0));
}

#[test]
fn a_connection_says_how_it_stands() {
    let mut world = World::new();
    let amqp = Amqp::connect(&mut world);
    let mut mqtt = Mqtt::connect(&mut world, "reader");
    mqtt.subscribe(&mut world, "t", QoS::AtMostOnce);
    world.socket(mqtt.id).slow = true;
    let mut client = Mqtt::connect(&mut world, "client");
    client.publish("t", "body", QoS::AtMostOnce);
    client.seen(&mut world);
    // The beginning of a frame.
    world.send(amqp.id, &[1, 0, 1]);
    let connections: Vec<_> = world.broker.connections().collect();
    let ids: Vec<_> = connections.iter().map(|c| c.connection).collect();
    assert_eq!(ids, [amqp.id, mqtt.id, client.id]);
    let [amqp, mqtt, _] = &connections[..] else {
        panic!("{connections:?}")
    };
    assert_eq!((amqp.protocol, &*amqp.user), (Protocol::Amqp, "guest"));
    assert_eq!((amqp.unread, amqp.unsent, amqp.blocked), (3, 0, None));
    assert_eq!(&*mqtt.client_identifier, "reader");
    assert!(mqtt.unsent > "body".len(), "{mqtt:?}");
}
