//! Rules that a broker may relax for MQTT clients that break them, and one that it may check.

use crate::world::World;
use crate::world::mqtt::utf8;
use mq_core::{Config, MqttRules, Protocol};
use mqtt_codec::{Connect, Packet, ProtocolVersion};

type Change = fn(&mut MqttRules);

fn world(change: Change) -> World {
    let mut config = Config::default();
    change(&mut config.mqtt_rules);
    // A token stands for a user.
    config.users.insert(String::new(), "token".into());
    World::with(config)
}

/// What comes for these bytes, and whether the connection is still there.
fn answer(world: &mut World, packets: &[&[u8]]) -> (Vec<u8>, bool) {
    let id = world.connect(Protocol::Mqtt);
    for packet in packets {
        if !world.is_closed(id) {
            world.send(id, packet);
        }
    }
    let received = std::mem::take(&mut world.socket(id).received);
    (received, !world.is_closed(id))
}

fn connect(version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet::Connect(Connect::clean(version, utf8("c")))
        .encode(version, &mut bytes)
        .unwrap();
    bytes
}

/// CONNECT of 3.1 with a client identifier, clean session.
fn connect_3_1(client_identifier: &str) -> Vec<u8> {
    let length = client_identifier.len() as u8;
    let mut bytes = vec![0x10, 14 + length, 0, 6];
    bytes.extend(b"MQIsdp\x03\x02\x00\x00");
    bytes.extend([0, length]);
    bytes.extend(client_identifier.as_bytes());
    bytes
}

const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];
const NONE: &[u8] = &[];

/// 3.1 section 3.1 (1 to 23 characters), 3.1.1 MQTT-3.1.2-22 and MQTT-3.3.1-2. A byte that
/// says PINGRESP shows that the client is served after what it did.
#[test]
fn what_is_relaxed_is_accepted() {
    const PASSWORD: &[u8] = b"\x10\x14\x00\x04MQTT\x04\x42\x00\x00\x00\x01c\x00\x05token";
    const DUP: &[u8] = &[0x38, 3, 0, 1, b't'];
    const PING: &[u8] = &[0xC0, 0];
    let long = connect_3_1("abcdefghijklmnopqrstuvwxyz");
    let none = connect_3_1("");
    let plain = connect(ProtocolVersion::V3_1_1);
    let served: &[u8] = &[0x20, 2, 0, 0, 0xD0, 0];
    // Name, packets, what relaxes the rule; the answer before and after.
    type Row<'a> = (&'a str, &'a [&'a [u8]], Change, &'a [u8], &'a [u8]);
    #[rustfmt::skip]
    let rows: [Row<'_>; 4] = [
        ("26 characters", &[&long], |r| r.allow_any_3_1_client_identifier = true, &[0x20, 2, 0, 2], ACCEPTED),
        ("no character", &[&none], |r| r.allow_any_3_1_client_identifier = true, &[0x20, 2, 0, 2], ACCEPTED),
        ("a password alone", &[PASSWORD], |r| r.allow_password_without_user_name = true, NONE, ACCEPTED),
        ("DUP with QoS 0", &[&plain, DUP, PING], |r| r.allow_dup_on_qos_0 = true, ACCEPTED, served),
    ];
    for (name, packets, relax, strict, lenient) in rows {
        let refused = answer(&mut world(|_| {}), packets);
        assert_eq!(refused, (strict.to_vec(), false), "{name}");
        let accepted = answer(&mut world(relax), packets);
        assert_eq!(accepted, (lenient.to_vec(), true), "{name}");
    }
}

/// 5.0 section 3.3.2.3.2: a receiver may check it, and answers with 0x99.
#[test]
fn a_payload_is_what_it_says() {
    const PUBLISH: &[u8] = &[0x30, 7, 0, 1, b't', 2, 0x01, 1, 0xFF];
    const PING: &[u8] = &[0xC0, 0];
    let rows: [(Change, &[u8], bool); 2] = [
        (|_| {}, &[0xD0, 0], true),
        (|r| r.check_payload_format = true, &[0xE0, 1, 0x99], false),
    ];
    for (change, expected, is_open) in rows {
        let mut world = world(change);
        let connect = connect(ProtocolVersion::V5_0);
        let (received, open) = answer(&mut world, &[&connect, PUBLISH, PING]);
        assert!(received.ends_with(expected), "{received:02X?}");
        assert_eq!(open, is_open);
    }
}
