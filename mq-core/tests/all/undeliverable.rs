//! A message that its consumer's protocol has no words for, or that is larger than its
//! client takes, does not vanish: it is dead-lettered where there is a target, counted, and
//! reported, also where nobody was to acknowledge it.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::stomp::Stomp;
use mq_core::{ConnectionId, Output, Protocol, Reason, Report};
use mqtt_codec::connection::{MessageBuf, Session};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS};

/// A STOMP 1.0 header cannot end with a space, since its reader cuts spaces off: the
/// destination of a message with this routing key cannot be said.
const UNSAYABLE: &str = "k ";

/// Of which connections it was reported that they did not get a message.
fn reported(world: &World) -> Vec<ConnectionId> {
    let reports = world.outputs.iter().filter_map(|output| match output {
        Output::Report(Report::Peer(report)) => Some(report),
        _ => None,
    });
    reports
        .filter(|report| matches!(report.reason, Reason::Undeliverable(_)))
        .map(|report| report.connection)
        .collect()
}

#[test]
fn a_queue_gives_up_what_stomp_1_0_cannot_say() {
    for ack in ["auto", "client"] {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        client.declare("dead", &table([]));
        let target = [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ];
        client.declare("q", &table(target));
        client.bind("q", "amq.topic", "#");
        client.seen(&mut world);
        let consumer = Stomp(world.connect(Protocol::Stomp));
        consumer.send(&mut world, "CONNECT\nlogin:guest\npasscode:guest\n\n");
        let subscribe = format!("SUBSCRIBE\ndestination:/amq/queue/q\nack:{ack}\n\n");
        consumer.send(&mut world, &subscribe);
        client.publish(1, "amq.topic", UNSAYABLE, "no");
        client.publish(1, "amq.topic", "k", "yes");
        client.seen(&mut world);
        assert_eq!(consumer.messages(&mut world), ["yes"], "{ack}");
        client.get("dead", true);
        assert_eq!(client.answer(&mut world), "get-ok 1 no +0", "{ack}");
        let statistics = world.broker.statistics();
        let counted = (statistics.rejected, statistics.dead_lettered);
        assert_eq!(counted, (1, 1), "{ack}");
        assert_eq!(reported(&world), [consumer.0], "{ack}");
        balanced(&world);
    }
}

/// MQTT-3.1.2-24 and -25: the server does not send it, and goes on as if it had.
#[test]
fn what_is_larger_than_a_client_takes_is_counted() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let small = properties([Property::MaximumPacketSize(40)]);
        let connect = Connect {
            properties: small.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("small"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        client.seen(&mut world);
        client.subscribe(&mut world, "t", QoS::ExactlyOnce);
        let mut publisher = Mqtt::connect(&mut world, "p");
        publisher.publish("t", &"large".repeat(10), qos);
        publisher.publish("t", "m", qos);
        publisher.seen(&mut world);
        client.seen(&mut world);
        let bodies: Vec<_> = client.messages.iter().map(|m| &m.payload[..]).collect();
        assert_eq!(bodies, [b"m"], "{qos:?}");
        assert_eq!(world.broker.statistics().rejected, 1, "{qos:?}");
        assert_eq!(reported(&world), [client.id], "{qos:?}");
        balanced(&world);
    }
}

/// The same when it was on its way already, and the client comes back with a smaller limit.
#[test]
fn what_is_larger_than_a_client_takes_any_more_is_counted() {
    let mut world = World::new();
    let connect = |maximum| {
        properties([
            Property::SessionExpiryInterval(100),
            Property::MaximumPacketSize(maximum),
        ])
    };
    let (large, small) = (connect(1000), connect(40));
    let resume = Connect::resume(ProtocolVersion::V5_0, utf8("shrinks"));
    let first = Connect {
        properties: large.as_properties(),
        ..resume
    };
    let mut client = Mqtt::manual(&mut world, &first, Session::new());
    client.seen(&mut world);
    client.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut publisher = Mqtt::connect(&mut world, "p");
    publisher
        .codec
        .publish(&MessageBuf::new("t", "large".repeat(10), QoS::AtLeastOnce).as_message())
        .unwrap();
    publisher.seen(&mut world);
    assert_eq!(client.seen(&mut world).len(), 1);
    world.cut(client.id);
    let again = Connect {
        properties: small.as_properties(),
        ..resume
    };
    let mut client = Mqtt::manual(&mut world, &again, Session::new());
    assert_eq!(client.seen(&mut world), ["connack Success present"]);
    assert_eq!(world.broker.statistics().rejected, 1);
    assert_eq!(reported(&world), [client.id]);
    balanced(&world);
}

/// Every copy is accounted for.
fn balanced(world: &World) {
    let s = world.broker.statistics();
    let gone = s.acknowledged + s.expired + s.overflowed + s.rejected + s.discarded;
    assert_eq!(s.queued, gone + s.ready + s.unacknowledged, "{s:?}");
}
