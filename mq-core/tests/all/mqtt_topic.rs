//! Topics that are not for clients, and messages whose time is over at once.

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use mq_core::Config;
use mqtt_codec::connection::MessageBuf;
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Will};
use std::time::Duration;

fn connect(world: &mut World, version: ProtocolVersion, name: &str) -> Mqtt {
    let connect = Connect {
        clean_start: true,
        ..Connect::clean(version, utf8(name))
    };
    let mut client = Mqtt::with(world, &connect);
    client.seen(world);
    client
}

#[test]
fn clients_do_not_publish_to_sys() {
    // Topic; whether it is accepted with and without `dollar_topics` (section 4.7.2, as
    // in Mosquitto 2.0 for $SYS).
    const CASES: &[(&str, [bool; 2])] = &[
        ("$SYS/broker/load", [false, false]),
        ("$SYS", [false, false]),
        ("$SYSTEM/x", [true, false]),
        ("$x", [true, false]),
        ("x/$SYS", [true, true]),
    ];
    for (name, accepted) in CASES {
        for (allowed, accepted) in [true, false].into_iter().zip(accepted) {
            for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5_0] {
                let config = Config {
                    dollar_topics: allowed,
                    ..Config::default()
                };
                let mut world = World::with(config);
                let mut reader = Mqtt::connect(&mut world, "reader");
                reader.subscribe(&mut world, name, QoS::AtLeastOnce);
                let mut writer = connect(&mut world, version, "writer");
                writer.publish(name, "0", QoS::AtMostOnce);
                writer.publish(name, "1", QoS::AtLeastOnce);
                writer.publish(name, "2", QoS::ExactlyOnce);
                let answers: [&str; 2] = match (accepted, version) {
                    (false, ProtocolVersion::V5_0) => {
                        ["puback NotAuthorized", "pubrec NotAuthorized"]
                    }
                    _ => ["puback Success", "pubrec Success"],
                };
                let seen = writer.seen(&mut world);
                assert_eq!(seen[..2], answers, "{name} {allowed} {version:?}");
                let arrived = reader
                    .seen(&mut world)
                    .iter()
                    .filter(|e| e.contains(" q"))
                    .count();
                assert_eq!(arrived, if *accepted { 3 } else { 0 }, "{name} {allowed}");
                let refused = world.broker.statistics().refused;
                assert_eq!(refused, if *accepted { 0 } else { 3 }, "{name} {allowed}");
            }
        }
    }
}

/// Mosquitto's bridges connect with such a will: they are served without it.
#[test]
fn a_will_does_not_go_to_sys_either() {
    let mut world = World::new();
    let connect = Connect {
        clean_start: true,
        will: Some(Will {
            topic: topic("$SYS/x"),
            payload: b"gone",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        }),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
    };
    let mut client = Mqtt::with(&mut world, &connect);
    assert_eq!(client.seen(&mut world), ["connack Success"]);
    let mut reader = Mqtt::connect(&mut world, "reader");
    reader.subscribe(&mut world, "$SYS/#", QoS::AtMostOnce);
    world.cut(client.id);
    assert_eq!(reader.seen(&mut world), [""; 0]);
}

#[test]
fn an_expiry_of_zero_reaches_who_is_there() {
    // MQTT-3.3.2-5: it is deleted where onward delivery has not begun in time. To a client
    // that is there it begins at once.
    let mut world = World::new();
    let mut reader = Mqtt::connect(&mut world, "reader");
    reader.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let away = Connect {
        clean_start: false,
        ..Connect::clean(ProtocolVersion::V3_1_1, utf8("away"))
    };
    let mut absent = Mqtt::with(&mut world, &away);
    absent.seen(&mut world);
    absent.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(absent.id);
    let mut writer = Mqtt::connect(&mut world, "writer");
    let mut message = MessageBuf::new("t", &b"now"[..], QoS::AtLeastOnce);
    message.properties = properties([Property::MessageExpiryInterval(0)]);
    writer.codec.publish(&message.as_message()).unwrap();
    assert_eq!(writer.seen(&mut world), ["puback Success"]);
    assert_eq!(reader.seen(&mut world), ["t now q1"]);
    assert_eq!(
        world.broker.statistics().expired,
        1,
        "of the one that is away"
    );
    world.wait(Duration::from_secs(1));
    let mut absent = Mqtt::with(&mut world, &away);
    assert_eq!(absent.seen(&mut world), ["connack Success present"]);
}
