//! Answers that the client does not take: larger than its Maximum Packet Size
//! (MQTT 5.0 sections 3.1.2.11.4 and 4.13).

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, utf8};
use mq_core::{Config, Protocol};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, ReasonCode, Subscription};

/// CONNECT of 5.0 with clean start off, Maximum Packet Size 10, a Session Expiry
/// Interval for ever, and the client identifier `h`.
const CONNECT: &[u8] = &[
    0x10, 0x18, 0x00, 0x04, 0x4D, 0x51, 0x54, 0x54, 0x05, 0x00, 0x00, 0x05, 0x0A, 0x27, 0x00, 0x00,
    0x00, 0x0A, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x01, 0x68,
];

/// CONNECT that keeps its session for ever.
fn staying(world: &mut World, client_identifier: &str) -> Mqtt {
    let keep = properties([Property::SessionExpiryInterval(u32::MAX)]);
    let connect = Connect {
        properties: keep.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(client_identifier))
    };
    Mqtt::with(world, &connect)
}

#[test]
fn the_session_and_its_messages_stay_where_they_are() {
    let mut world = World::new();
    let mut first = staying(&mut world, "h");
    first.seen(&mut world);
    first.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(first.id);
    let mut publisher = Mqtt::connect(&mut world, "p");
    publisher.publish("t", "kept", QoS::AtLeastOnce);
    publisher.seen(&mut world);

    let small = world.connect(Protocol::Mqtt);
    world.send(small, CONNECT);
    assert!(world.is_closed(small), "no CONNACK fits, so it is closed");
    assert!(world.socket(small).received.len() <= 10);
    assert_eq!(world.broker.statistics().ready, 1);

    let mut again = staying(&mut world, "h");
    assert_eq!(
        again.seen(&mut world),
        ["connack Success present", "t kept q1"]
    );
}

/// A client that would not be answered does not end the one that is there
/// (MQTT-3.1.4-3 is about clients that are accepted).
#[test]
fn the_client_that_is_there_stays() {
    let mut world = World::new();
    let mut first = staying(&mut world, "h");
    first.seen(&mut world);
    let small = world.connect(Protocol::Mqtt);
    world.send(small, CONNECT);
    assert!(world.is_closed(small));
    assert!(!world.is_closed(first.id));
}

#[test]
fn a_client_that_was_refused_is_not_read_from() {
    let mut world = World::new();
    let small = world.connect(Protocol::Mqtt);
    world.send(small, CONNECT);
    for _ in 0..100 {
        world.send(small, &[0x30; 1000]);
    }
    assert!(world.is_closed(small));
    assert!(world.socket(small).received.len() <= 10);
}

/// MQTT-3.1.2-24: what is larger is not sent. The request has no answer then, so the
/// connection ends, with 0x95.
#[test]
fn suback_and_unsuback_that_do_not_fit() {
    let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    for unsubscribe in [false, true] {
        let mut world = World::with(Config::default());
        let small = properties([Property::MaximumPacketSize(24)]);
        let connect = Connect {
            clean_start: true,
            properties: small.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("c"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        client.seen(&mut world);
        if unsubscribe {
            let filters: Vec<&str> = many.iter().map(String::as_str).collect();
            client
                .codec
                .unsubscribe(&filters, Properties::EMPTY)
                .unwrap();
        } else {
            let filters: Vec<_> = many
                .iter()
                .map(|filter| Subscription::new(filter, QoS::AtMostOnce))
                .collect();
            client.subscribe_with(&filters, Properties::EMPTY);
        }
        assert_eq!(
            client.seen(&mut world),
            [format!("disconnect {:?}", ReasonCode::PacketTooLarge)]
        );
        assert!(world.is_closed(client.id));
    }
}
