//! A second connection with the client identifier of a first (MQTT 5.0 section
//! 3.1.4): what the first has sent before counts, its DISCONNECT above all.

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use mq_core::{Config, Input, Output, Protocol};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Will};
use std::time::Duration;

const HIGH_WATER: usize = 10_000;

fn config() -> Config {
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    config
}

fn mortal<'a>() -> Connect<'a> {
    Connect {
        will: Some(Will {
            topic: topic("will"),
            payload: b"gone",
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::EMPTY,
        }),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("mortal"))
    }
}

fn listener(world: &mut World) -> Mqtt {
    let mut listener = Mqtt::connect(world, "listener");
    listener.subscribe(world, "will", QoS::AtLeastOnce);
    listener.subscribe(world, "t", QoS::AtLeastOnce);
    listener
}

/// PUBLISH to `t` with QoS 0, then DISCONNECT.
const LAST_WORDS: &[u8] = &[0x30, 5, 0, 1, b't', 0, b'm', 0xE0, 0];
/// CONNECT of version 3.1.1 by `mortal`.
const CONNECT: &[u8] = b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06mortal";
/// PUBLISH alone.
const PUBLISH: &[u8] = LAST_WORDS.split_at(7).0;

/// A first connection that reads so slowly that what it sends waits.
fn slow_reader(world: &mut World) -> Mqtt {
    let mut first = Mqtt::with(world, &mortal());
    first.seen(world);
    first.subscribe(world, "flood", QoS::AtMostOnce);
    world.socket(first.id).slow = true;
    let mut p = Mqtt::connect(world, "p");
    p.publish("flood", &"x".repeat(2 * HIGH_WATER), QoS::AtMostOnce);
    p.seen(world);
    first
}

const WAITING: [(&[u8], &[&str]); 3] = [
    (LAST_WORDS, &["t m q0"]),
    (PUBLISH, &["t m q0", "will gone q1"]),
    (&[], &["will gone q1"]),
];

#[test]
fn what_waits_in_the_broker_is_taken_before_the_session_is() {
    for (words, expected) in WAITING {
        let mut world = World::with(config());
        let mut listener = listener(&mut world);
        let first = slow_reader(&mut world);
        world.send(first.id, words);
        assert_eq!(listener.seen(&mut world), [""; 0]);
        let mut second = Mqtt::with(&mut world, &mortal());
        assert_eq!(second.seen(&mut world), ["connack Success"]);
        assert!(world.is_closed(first.id));
        assert_eq!(listener.seen(&mut world), expected);
    }
}

/// The same, when the connection breaks.
#[test]
fn what_waits_in_the_broker_is_taken_before_the_connection_is_forgotten() {
    for (words, expected) in WAITING {
        let mut world = World::with(config());
        let mut listener = listener(&mut world);
        let first = slow_reader(&mut world);
        world.send(first.id, words);
        world.cut(first.id);
        assert_eq!(listener.seen(&mut world), expected);
    }
}

/// One that goes on sending does not stay for that.
#[test]
fn what_comes_after_the_second_connection_does_not_count() {
    const WORDS: usize = 500;
    let mut world = World::with(config());
    let mut listener = listener(&mut world);
    let first = slow_reader(&mut world);
    world.send(first.id, &PUBLISH.repeat(WORDS));
    let second = world.connect(Protocol::Mqtt);
    for (connection, bytes) in [(second, CONNECT), (first.id, LAST_WORDS)] {
        let bytes = bytes.into();
        world.handle_once(Input::Received { connection, bytes });
    }
    assert!(!world.is_closed(first.id), "its backlog takes turns");
    world.turn();
    assert!(world.is_closed(first.id));
    let mut expected = vec!["t m q0"; WORDS];
    expected.push("will gone q1");
    assert_eq!(listener.seen(&mut world), expected);
}

/// An embedder that can look whether more has arrived is asked to.
#[test]
fn what_waits_in_the_socket_is_taken_before_the_session_is() {
    for (words, broken, expected) in [
        (LAST_WORDS, false, &["t m q0"][..]),
        (LAST_WORDS, true, &["t m q0"]),
        (&[], false, &["will gone q1"]),
        (&[], true, &["will gone q1"]),
    ] {
        let mut config = config();
        config.drain_on_takeover = true;
        let mut world = World::with(config);
        let mut listener = listener(&mut world);
        let mut first = Mqtt::with(&mut world, &mortal());
        first.seen(&mut world);
        let mut second = Mqtt::with(&mut world, &mortal());
        assert_eq!(second.seen(&mut world), [""; 0], "it has to wait");
        let drain = Output::Drain {
            connection: first.id,
        };
        assert_eq!(world.outputs.last(), Some(&drain));
        // A ping of the second waits with its CONNECT.
        world.send(second.id, &[0xC0, 0]);
        world.send(first.id, words);
        if broken {
            world.cut(first.id);
        } else if !world.is_closed(first.id) {
            let connection = first.id;
            world.handle(Input::Drained { connection });
        }
        assert!(world.is_closed(first.id));
        assert_eq!(second.seen(&mut world), ["connack Success", "PingResp"]);
        assert_eq!(listener.seen(&mut world), expected);
    }
}

/// Three at once: the last has the session, and the others are told.
#[test]
fn one_connection_after_the_other() {
    let mut config = config();
    config.drain_on_takeover = true;
    let mut world = World::with(config);
    let mut clients: Vec<Mqtt> = (0..3)
        .map(|_| {
            let mut client = Mqtt::with(&mut world, &mortal());
            client.seen(&mut world);
            client
        })
        .collect();
    for _ in 0..4 {
        for client in &clients {
            let connection = client.id;
            world.handle(Input::Drained { connection });
        }
    }
    let open: Vec<bool> = clients.iter().map(|c| !world.is_closed(c.id)).collect();
    assert_eq!(open, [false, false, true]);
    for (n, client) in clients.iter_mut().enumerate() {
        let expected: &[&str] = match n {
            0 => &["disconnect SessionTakenOver"],
            1 => &["connack Success", "disconnect SessionTakenOver"],
            _ => &["connack Success"],
        };
        assert_eq!(client.seen(&mut world), expected, "{n}");
    }
}

/// An embedder that never answers makes nobody wait for ever.
#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut config = config();
    config.drain_on_takeover = true;
    let mut world = World::with(config);
    let mut first = Mqtt::with(&mut world, &mortal());
    first.seen(&mut world);
    let mut second = Mqtt::with(&mut world, &mortal());
    second.seen(&mut world);
    world.wait(Duration::from_secs(5));
    assert_eq!(second.seen(&mut world), ["connack Success"]);
    assert_eq!(first.seen(&mut world), ["disconnect SessionTakenOver"]);
}

/// A client comes back when its will is due, or its session is over, and the broker has had
/// no turn since (MQTT 5.0 sections 3.1.2.11.2 and 3.1.3.2.2).
#[test]
fn what_is_due_comes_before_a_client_that_is_late() {
    // Seconds that the client is away, the answer, and what a listener gets.
    let cases: [(u64, &str, &[&str]); 3] = [
        (9, "connack Success present", &[]),
        (10, "connack Success present", &["will gone q1"]),
        (30, "connack Success", &["will gone q1"]),
    ];
    for (away, answer, heard) in cases {
        let mut world = World::new();
        let mut listener = listener(&mut world);
        let keep = properties([Property::SessionExpiryInterval(30)]);
        let delay = properties([Property::WillDelayInterval(10)]);
        let connect = Connect {
            properties: keep.as_properties(),
            will: mortal().will.map(|will| Will {
                properties: delay.as_properties(),
                ..will
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("late"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        client.seen(&mut world);
        world.cut(client.id);
        let mut client = Mqtt::with(&mut world, &connect);
        world.now += Duration::from_secs(away);
        assert_eq!(client.seen(&mut world), [answer], "{away}");
        assert_eq!(listener.seen(&mut world), heard, "{away}");
    }
}
