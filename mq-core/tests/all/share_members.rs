//! Members of a shared subscription that go, or that take nothing (MQTT 5.0
//! section 4.8.2).

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, utf8};
use mq_core::Config;
use mqtt_codec::connection::Session;
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS};
use std::collections::BTreeSet;
use std::time::Duration;

const FILTER: &str = "$share/g/t";

/// A member whose session outlives its connection by so many seconds, and that
/// acknowledges nothing.
fn member(world: &mut World, client: &str, expiry: u32) -> Mqtt {
    let expiry = properties([Property::SessionExpiryInterval(expiry)]);
    let connect = Connect {
        properties: expiry.as_properties(),
        ..Connect::clean(ProtocolVersion::V5_0, utf8(client))
    };
    let mut member = Mqtt::manual(world, &connect, Session::new());
    member.seen(world);
    member.subscribe(world, FILTER, QoS::ExactlyOnce);
    member
}

fn publish(world: &mut World, count: usize, qos: QoS) {
    let mut p = Mqtt::connect(world, "p");
    for n in 0..count {
        p.publish("t", &format!("{n}"), qos);
        p.seen(world);
    }
}

/// How a session ends.
type End = fn(&mut World, &Mqtt);

const ENDS: [(&str, u32, End); 3] = [
    ("with its connection", 0, |w, m| w.cut(m.id)),
    ("some time after", 10, |w, m| {
        w.cut(m.id);
        w.wait(Duration::from_secs(10));
    }),
    ("by a clean start", 3600, |w, _| {
        let connect = Connect::clean(ProtocolVersion::V5_0, utf8("first"));
        let mut again = Mqtt::with(w, &connect);
        again.seen(w);
    }),
];

/// QoS 1 SHOULD go to another member; QoS 2 that is on its way MUST NOT
/// (MQTT-4.8.2-5).
#[test]
fn what_a_session_that_ends_has_not_acknowledged_goes_to_another_member() {
    for (how, expiry, end) in ENDS {
        for (qos, moves) in [(QoS::AtLeastOnce, true), (QoS::ExactlyOnce, false)] {
            let mut world = World::new();
            let mut first = member(&mut world, "first", expiry);
            publish(&mut world, 3, qos);
            assert_eq!(first.seen(&mut world).len(), 3);
            let mut second = member(&mut world, "second", 0);
            end(&mut world, &first);
            let expected: Vec<String> = (0..3).map(|n| format!("t {n} q1")).collect();
            let expected = if moves { &expected[..] } else { &[] };
            assert_eq!(second.seen(&mut world), expected, "{how}, {qos:?}");
            let s = world.broker.statistics();
            assert_eq!(
                s.queued,
                s.acknowledged + s.discarded + s.ready + s.unacknowledged,
                "{how}"
            );
        }
    }
}

/// What has not been sent is on its way to nobody: QoS 2 too goes to another.
#[test]
fn what_waits_in_a_session_that_ends_goes_to_another_member() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let config = Config {
            maximum_in_flight: 2,
            ..Config::default()
        };
        let mut world = World::with(config);
        let mut first = member(&mut world, "first", 0);
        publish(&mut world, 5, qos);
        assert_eq!(first.seen(&mut world).len(), 2);
        let expiry = properties([]);
        let connect = Connect {
            properties: expiry.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("second"))
        };
        let mut second = Mqtt::with(&mut world, &connect);
        second.seen(&mut world);
        second.subscribe(&mut world, FILTER, QoS::ExactlyOnce);
        world.cut(first.id);
        let seen = second.seen(&mut world);
        let bodies = seen.iter().filter(|s| s.starts_with("t "));
        let numbers: BTreeSet<&str> = bodies.filter_map(|s| s.split(' ').nth(1)).collect();
        let first_left = if qos == QoS::AtLeastOnce { 0 } else { 2 };
        assert_eq!(numbers.len(), 5 - first_left, "{seen:?}");
        assert!(numbers.contains("4"));
    }
}

/// What was acknowledged, or refused (MQTT-4.8.2-6), goes to nobody else.
#[test]
fn what_is_settled_stays_settled() {
    let mut world = World::new();
    let connect = Connect::clean(ProtocolVersion::V5_0, utf8("first"));
    let mut first = Mqtt::with(&mut world, &connect);
    first.seen(&mut world);
    first.subscribe(&mut world, FILTER, QoS::AtLeastOnce);
    publish(&mut world, 3, QoS::AtLeastOnce);
    assert_eq!(first.seen(&mut world).len(), 3);
    let mut second = member(&mut world, "second", 0);
    world.cut(first.id);
    assert_eq!(second.seen(&mut world), [""; 0]);
}

#[test]
fn the_last_member_takes_its_messages_with_it() {
    let mut world = World::new();
    let mut first = member(&mut world, "first", 0);
    publish(&mut world, 3, QoS::AtLeastOnce);
    first.seen(&mut world);
    world.cut(first.id);
    let s = world.broker.statistics();
    assert_eq!((s.queued, s.discarded), (3, 3));
    let mut late = member(&mut world, "late", 0);
    assert_eq!(late.seen(&mut world), [""; 0]);
}

/// A member that reads nothing is passed over when it can hold no more.
#[test]
fn a_member_that_is_full_gives_its_turn_to_the_others() {
    for away in [false, true] {
        let mut config = Config::default();
        config.limits.session_messages = 5;
        config.maximum_in_flight = 1;
        let mut world = World::with(config);
        let stuck = member(&mut world, "stuck", 3600);
        let stuck_too = member(&mut world, "stuck too", 3600);
        if away {
            world.cut(stuck.id);
            world.cut(stuck_too.id);
        }
        let connect = Connect::clean(ProtocolVersion::V5_0, utf8("reader"));
        let mut reader = Mqtt::with(&mut world, &connect);
        reader.seen(&mut world);
        reader.subscribe(&mut world, FILTER, QoS::AtLeastOnce);
        let mut read = 0;
        let mut p = Mqtt::connect(&mut world, "p");
        for n in 0..40 {
            p.publish("t", &format!("{n}"), QoS::AtLeastOnce);
            assert_eq!(p.seen(&mut world), ["puback Success"]);
            read += reader.seen(&mut world).len();
        }
        let s = world.broker.statistics();
        assert_eq!(s.overflowed, 0);
        assert_eq!(read as u64 + s.ready + s.unacknowledged, 40, "away: {away}");
        assert!(read >= 28, "away: {away}, {read}");
        // With the last one full too, it is the publisher's to know.
        world.socket(reader.id).slow = true;
        world.cut(reader.id);
        let mut answers = BTreeSet::new();
        for _ in 0..40 {
            p.publish("t", "m", QoS::AtLeastOnce);
            answers.extend(p.seen(&mut world));
        }
        assert!(answers.contains("puback QuotaExceeded"), "{answers:?}");
        assert!(world.broker.statistics().overflowed > 0);
    }
}
