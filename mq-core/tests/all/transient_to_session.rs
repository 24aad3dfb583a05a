//! Messages of publishers without MQTT's QoS reach a session that asked for
//! QoS 1, whether their delivery mode is persistent or not: observed of
//! RabbitMQ 3.10.8, which delivers each with QoS 1, now and later.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::{Mqtt, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::PropertyFields;
use mqtt_codec::connection::Session;
use mqtt_codec::{Connect, ProtocolVersion, QoS};

type Publish = fn(&mut World);

const PUBLISHERS: [(&str, Publish); 4] = [
    ("AMQP, no delivery mode", |w| amqp(w, None)),
    ("AMQP, transient", |w| amqp(w, Some(1))),
    ("AMQP, persistent", |w| amqp(w, Some(2))),
    ("STOMP", |w| {
        let frame = "SEND\ndestination:/topic/t\n\nm";
        Stomp::connect(w).send(w, frame);
    }),
];

fn amqp(world: &mut World, delivery_mode: Option<u8>) {
    let mut c = Amqp::connect(world);
    let fields = PropertyFields {
        delivery_mode,
        ..Default::default()
    };
    c.publish_with(1, "amq.topic", "t", "m", false, &fields);
    c.seen(world);
}

#[test]
fn nothing_is_dropped_for_a_session_that_is_away() {
    for (publisher, publish) in PUBLISHERS {
        for (asked, granted) in [(QoS::AtLeastOnce, "t m q1"), (QoS::ExactlyOnce, "t m q1")] {
            let mut world = World::new();
            let connect = Connect::resume(ProtocolVersion::V3_1_1, utf8("away"));
            let mut client = Mqtt::with(&mut world, &connect);
            client.seen(&mut world);
            client.subscribe(&mut world, "t", asked);
            publish(&mut world);
            assert_eq!(client.seen(&mut world), [granted], "{publisher}, connected");
            world.cut(client.id);
            publish(&mut world);
            let mut client = Mqtt::resume(&mut world, &connect, Session::new());
            assert_eq!(
                client.seen(&mut world),
                ["connack Success present", granted],
                "{publisher}, away"
            );
        }
    }
}

#[test]
fn a_subscription_with_qos_0_gets_qos_0() {
    for (publisher, publish) in PUBLISHERS {
        let mut world = World::new();
        let mut client = Mqtt::connect(&mut world, "c");
        client.subscribe(&mut world, "t", QoS::AtMostOnce);
        publish(&mut world);
        assert_eq!(client.seen(&mut world), ["t m q0"], "{publisher}");
    }
}

/// QoS and delivery mode are two things: a transient message stays transient.
#[test]
fn what_stomp_sent_without_persistence_is_not_persistent_in_amqp() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &Default::default());
    c.bind("q", "amq.topic", "#");
    c.consume(1, "q", "c", true);
    c.seen(&mut world);
    let stomp = Stomp::connect(&mut world);
    for (headers, delivery_mode) in [("", None), ("persistent:true\n", Some(2))] {
        let frame = format!("SEND\ndestination:/topic/t\n{headers}\nm");
        stomp.send(&mut world, &frame);
        c.seen(&mut world);
        let content = c.contents.pop().unwrap();
        assert_eq!(content.properties().fields().delivery_mode, delivery_mode);
    }
}
