//! A session or a store of retained messages that is full: what is expired
//! makes room, what is dropped is counted, and who published it is told where
//! the protocol has a word for it.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::{Mqtt, properties, utf8};
use amqp_codec::method::confirm;
use mq_core::Config;
use mqtt_codec::connection::{MessageBuf, Session};
use mqtt_codec::{Connect, PropertiesBuf, Property, ProtocolVersion, QoS};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    let mut config = Config::default();
    config.limits.session_messages = 5;
    config.limits.retained_messages = 5;
    World::with(config)
}

fn hour() -> PropertiesBuf {
    properties([Property::SessionExpiryInterval(3600)])
}

/// Publishes with QoS 1 and returns the answer.
fn publish(
    world: &mut World,
    client: &mut Mqtt,
    topic: &str,
    body: &str,
    seconds: Option<u32>,
    retain: bool,
) -> String {
    let mut message = MessageBuf::new(topic, body.as_bytes().to_vec(), QoS::AtLeastOnce);
    message.properties = properties(seconds.map(Property::MessageExpiryInterval));
    message.retain = retain;
    client.codec.publish(&message.as_message()).unwrap();
    client.seen(world).join(", ")
}

/// A session that subscribed to `t` with QoS 1 and whose client is away.
fn away(world: &mut World, client: &str) {
    let hour = hour();
    let connect = Connect {
        properties: hour.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(client))
    };
    let mut client = Mqtt::with(world, &connect);
    client.seen(world);
    client.subscribe(world, "t", QoS::AtLeastOnce);
    world.cut(client.id);
}

/// What the client of that session gets when it comes back.
fn back(world: &mut World, client: &str) -> Vec<String> {
    let hour = hour();
    let connect = Connect {
        properties: hour.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(client))
    };
    Mqtt::resume(world, &connect, Session::new())
        .seen(world)
        .split_off(1)
}

/// Messages that fill a session of five, each with its seconds to live, in
/// their order; what is published after two seconds is kept as far as the
/// expired ones made room.
const SESSIONS: &[([Option<u32>; 5], usize)] = &[
    ([Some(1), Some(1), Some(1), Some(1), Some(1)], 5),
    ([Some(1), Some(1), None, None, None], 2),
    ([None, None, None, None, Some(1)], 1),
    ([None, Some(1), None, Some(1), None], 2),
    ([Some(9), Some(1), Some(9), Some(1), Some(9)], 2),
    ([Some(9), None, None, None, None], 0),
];

#[test]
fn expired_messages_make_room_in_a_session() {
    for (before, room) in SESSIONS {
        let mut world = world();
        away(&mut world, "away");
        let mut p = Mqtt::connect(&mut world, "p");
        for (n, seconds) in before.iter().enumerate() {
            let body = format!("old {n}");
            let answer = publish(&mut world, &mut p, "t", &body, *seconds, false);
            assert_eq!(answer, "puback Success");
        }
        world.wait(2 * SECOND);
        for n in 0..5 {
            let answer = publish(&mut world, &mut p, "t", &format!("new {n}"), None, false);
            let expected = if n < *room {
                "Success"
            } else {
                "QuotaExceeded"
            };
            assert_eq!(answer, format!("puback {expected}"), "{before:?}");
        }
        let kept = before.iter().enumerate().filter(|(_, s)| **s != Some(1));
        let old = kept.map(|(n, _)| format!("t old {n} q1"));
        let new = (0..*room).map(|n| format!("t new {n} q1"));
        let expected: Vec<String> = old.chain(new).collect();
        assert_eq!(back(&mut world, "away"), expected, "{before:?}");
        let s = world.broker.statistics();
        assert_eq!((s.expired, s.overflowed), (*room as u64, 5 - *room as u64));
        assert_eq!(
            s.queued,
            s.acknowledged + s.expired + s.overflowed + s.ready + s.unacknowledged
        );
    }
}

/// The publisher is told only where nobody has the message.
#[test]
fn a_message_that_one_session_took_is_published() {
    let mut world = world();
    away(&mut world, "full");
    let mut p = Mqtt::connect(&mut world, "p");
    for _ in 0..5 {
        publish(&mut world, &mut p, "t", "m", None, false);
    }
    let mut other = Mqtt::connect(&mut world, "other");
    other.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let answer = publish(&mut world, &mut p, "t", "m", None, false);
    assert_eq!(answer, "puback Success");
    assert_eq!(world.broker.statistics().overflowed, 1);
}

/// MQTT 3.1.1 has no word for it, and ending the connection would let one
/// client that stays away end all publishers.
#[test]
fn what_the_other_protocols_say_when_a_session_is_full() {
    let mut world = world();
    away(&mut world, "full");
    let mut old = Mqtt::with(
        &mut world,
        &Connect::clean(ProtocolVersion::V3_1_1, utf8("old")),
    );
    old.seen(&mut world);
    for _ in 0..6 {
        old.publish("t", "m", QoS::AtLeastOnce);
        assert_eq!(old.seen(&mut world), ["puback Success"]);
    }
    assert_eq!(world.broker.statistics().overflowed, 1);
    let mut c = Amqp::connect(&mut world);
    c.codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    c.publish(1, "amq.topic", "t", "m");
    assert_eq!(c.answer(&mut world), "nack 1-1");
    assert_eq!(world.broker.statistics().overflowed, 2);
}

#[test]
fn expired_messages_make_room_among_the_retained() {
    let mut world = world();
    let mut p = Mqtt::connect(&mut world, "p");
    for n in 0..5 {
        let seconds = (n < 3).then_some(1);
        let answer = publish(&mut world, &mut p, &format!("r/{n}"), "old", seconds, true);
        assert_eq!(answer, "puback NoMatchingSubscribers");
    }
    world.wait(2 * SECOND);
    let mut answers = Vec::new();
    for n in 5..9 {
        answers.push(publish(
            &mut world,
            &mut p,
            &format!("r/{n}"),
            "new",
            None,
            true,
        ));
    }
    assert_eq!(
        answers,
        [
            "puback NoMatchingSubscribers",
            "puback NoMatchingSubscribers",
            "puback NoMatchingSubscribers",
            // Section 3.4.2.1: 0x97.
            "puback QuotaExceeded",
        ]
    );
    assert_eq!(world.broker.statistics().not_retained, 1);
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "r/+", QoS::AtMostOnce);
    let mut seen = c.seen(&mut world);
    seen.sort();
    assert_eq!(
        seen,
        [
            "r/3 old q0 retained",
            "r/4 old q0 retained",
            "r/5 new q0 retained",
            "r/6 new q0 retained",
            "r/7 new q0 retained",
        ]
    );
}

/// What a retained message took the place of does not count beside it.
#[test]
fn a_retained_message_takes_the_place_of_the_one_before() {
    let mut world = world();
    let mut p = Mqtt::connect(&mut world, "p");
    for round in 0..3 {
        for n in 0..5 {
            let seconds = (round == 0).then_some(1);
            let body = format!("{round}");
            let answer = publish(&mut world, &mut p, &format!("r/{n}"), &body, seconds, true);
            assert_eq!(answer, "puback NoMatchingSubscribers");
        }
    }
    // The expiry of the first round is not that of the last.
    world.wait(2 * SECOND);
    publish(&mut world, &mut p, "r/5", "too many", None, true);
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "r/+", QoS::AtMostOnce);
    assert_eq!(c.seen(&mut world).len(), 5);
    assert_eq!(world.broker.statistics().not_retained, 1);
}

/// Retained messages are for the subscription, however many fit into the
/// session (MQTT-3.3.1-9).
#[test]
fn a_subscription_gets_all_retained_messages() {
    for reading in [true, false] {
        let mut config = Config::default();
        config.limits.session_messages = 5;
        let mut world = World::with(config);
        let mut p = Mqtt::connect(&mut world, "p");
        for n in 0..200 {
            publish(&mut world, &mut p, &format!("r/{n:03}"), "m", None, true);
        }
        let mut c = Mqtt::connect(&mut world, "c");
        world.socket(c.id).slow = !reading;
        c.subscribe(&mut world, "r/+", QoS::AtLeastOnce);
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.extend(c.seen(&mut world));
            world.tell(c.id, 100_000);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 200, "{reading}");
        assert_eq!(world.broker.statistics().overflowed, 0);
    }
}

/// QoS 0 does not wait for a client that is away, and that is counted.
#[test]
fn what_is_not_kept_for_a_client_that_is_away_is_counted() {
    let mut world = world();
    away(&mut world, "away");
    let mut p = Mqtt::connect(&mut world, "p");
    p.publish("t", "m", QoS::AtMostOnce);
    p.seen(&mut world);
    let s = world.broker.statistics();
    assert_eq!((s.queued, s.discarded, s.ready), (1, 1, 0));
}
