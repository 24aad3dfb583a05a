//! MQTT sessions and retained messages that outlive the broker (MQTT 5.0 and 3.1.1 section
//! 4.1), and what waits until they are stored.

use crate::world::World;
use crate::world::log::storing;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{MessageBuf, Session};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Subscription, Will};
use std::time::Duration;

/// What a client of 3.1.1 with a session that stays sends while the store is stuck; what the
/// broker answers at once, and what when it is stored.
struct Row {
    name: &'static str,
    /// Sent, and stored, before.
    before: &'static [u8],
    sent: &'static [u8],
    at_once: &'static [u8],
    stored: &'static [u8],
}

const SUBSCRIBE: &[u8] = b"\x82\x06\0\x09\0\x01t\x02";

const ROWS: &[Row] = &[
    Row {
        name: "SUBSCRIBE",
        before: b"",
        sent: SUBSCRIBE,
        at_once: b"",
        stored: b"\x90\x03\0\x09\x02",
    },
    Row {
        name: "UNSUBSCRIBE",
        before: SUBSCRIBE,
        sent: b"\xa2\x05\0\x09\0\x01t",
        at_once: b"",
        stored: b"\xb0\x02\0\x09",
    },
    Row {
        name: "QoS 0",
        before: SUBSCRIBE,
        sent: b"\x30\x04\0\x01tx",
        at_once: b"\x30\x04\0\x01tx",
        stored: b"",
    },
    Row {
        name: "QoS 1: the delivery does not wait",
        before: SUBSCRIBE,
        sent: b"\x32\x06\0\x01t\0\x07x",
        at_once: b"\x32\x06\0\x01t\0\x01x",
        stored: b"\x40\x02\0\x07",
    },
    Row {
        name: "QoS 1 that goes nowhere",
        before: b"",
        sent: b"\x32\x06\0\x01t\0\x07x",
        at_once: b"\x40\x02\0\x07",
        stored: b"",
    },
    Row {
        name: "QoS 2: the delivery waits too",
        before: SUBSCRIBE,
        sent: b"\x34\x06\0\x01t\0\x07x",
        at_once: b"",
        stored: b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01x",
    },
    Row {
        name: "QoS 2 that goes nowhere: its identifier is kept",
        before: b"",
        sent: b"\x34\x06\0\x01t\0\x07x",
        at_once: b"",
        stored: b"\x50\x02\0\x07",
    },
    Row {
        name: "PUBREC",
        before: b"\x82\x06\0\x09\0\x01t\x02\x34\x06\0\x01t\0\x07x",
        sent: b"\x50\x02\0\x01",
        at_once: b"",
        stored: b"\x62\x02\0\x01",
    },
    Row {
        name: "PUBREL",
        before: b"\x34\x06\0\x01t\0\x07x",
        sent: b"\x62\x02\0\x07",
        at_once: b"",
        stored: b"\x70\x02\0\x07",
    },
    Row {
        name: "a retained message",
        before: b"",
        sent: b"\x33\x06\0\x01t\0\x07x",
        at_once: b"",
        stored: b"\x40\x02\0\x07",
    },
    Row {
        name: "that it is retained no more",
        before: b"\x33\x06\0\x01t\0\x07x",
        sent: b"\x33\x05\0\x01t\0\x08",
        at_once: b"",
        stored: b"\x40\x02\0\x08",
    },
    Row {
        name: "PINGREQ",
        before: b"",
        sent: b"\xc0\0",
        at_once: b"\xd0\0",
        stored: b"",
    },
];

fn exchange(world: &mut World, client: ConnectionId, sent: &[u8]) -> Vec<u8> {
    world.send(client, sent);
    std::mem::take(&mut world.socket(client).received)
}

/// CONNECT of 3.1.1 with the client identifier `c`.
fn connect(world: &mut World, clean: bool) -> ConnectionId {
    let client = world.connect(Protocol::Mqtt);
    let mut connect = *b"\x10\x0d\0\x04MQTT\x04\0\0\0\0\x01c";
    connect[9] = u8::from(clean) << 1;
    world.send(client, &connect);
    client
}

fn received(world: &mut World, client: ConnectionId) -> Vec<u8> {
    std::mem::take(&mut world.socket(client).received)
}

#[test]
fn what_a_session_promises_is_stored_before() {
    for row in ROWS {
        let Row {
            name,
            before,
            sent,
            at_once,
            stored,
        } = row;
        let mut world = World::stored();
        let client = connect(&mut world, false);
        exchange(&mut world, client, before);
        world.store.is_quick = false;
        assert_eq!(exchange(&mut world, client, sent), *at_once, "{name}");
        world.sync();
        assert_eq!(received(&mut world, client), *stored, "{name}, stored");
    }
}

/// A session that goes with its connection promises nothing.
#[test]
fn a_session_that_does_not_stay_waits_for_nothing() {
    let goes_on = |row: &&Row| !row.name.contains("retained");
    for row in ROWS.iter().filter(goes_on) {
        let mut world = World::with(storing());
        let client = connect(&mut world, true);
        assert_eq!(received(&mut world, client), b"\x20\x02\0\0");
        exchange(&mut world, client, row.before);
        let mut expected: Vec<&u8> = row.at_once.iter().chain(row.stored).collect();
        let answer = exchange(&mut world, client, row.sent);
        let mut answer: Vec<&u8> = answer.iter().collect();
        // PUBACK comes before the delivery here.
        expected.sort_unstable();
        answer.sort_unstable();
        assert_eq!(answer, expected, "{}", row.name);
        assert_eq!(world.store.end(), 0, "{}", row.name);
    }
}

/// CONNACK says that the session is there, or begins, when that is stored.
#[test]
fn connack_follows_the_store() {
    let mut world = World::with(storing());
    let client = connect(&mut world, false);
    assert_eq!(received(&mut world, client), b"");
    world.sync();
    assert_eq!(received(&mut world, client), b"\x20\x02\0\0");
    world.cut(client);
    let client = connect(&mut world, false);
    assert_eq!(received(&mut world, client), b"");
    world.sync();
    assert_eq!(received(&mut world, client), b"\x20\x02\x01\0");
    world.cut(client);
    // That it is gone as well: a crash does not bring it back.
    let client = connect(&mut world, true);
    assert_eq!(received(&mut world, client), b"");
    world.sync();
    assert_eq!(received(&mut world, client), b"\x20\x02\0\0");
    world.crash();
    let client = connect(&mut world, false);
    world.sync();
    assert_eq!(received(&mut world, client), b"\x20\x02\0\0");
}

const HOUR: u32 = 3600;

/// A client of 5.0 whose session stays for so many seconds.
fn staying(world: &mut World, client: &str, seconds: u32) -> (Mqtt, String) {
    let stays = properties([Property::SessionExpiryInterval(seconds)]);
    let connect = Connect {
        properties: stays.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(client))
    };
    resumed(Mqtt::resume(world, &connect, Session::new()), world)
}

fn resumed(mut client: Mqtt, world: &mut World) -> (Mqtt, String) {
    let seen = client.seen(world);
    (client, seen.join(", "))
}

/// Subscriptions with their options, shared ones too; those that were ended are not.
#[test]
fn subscriptions_come_back() {
    let mut world = World::stored();
    let (mut c, _) = staying(&mut world, "c", HOUR);
    for filter in ["a/+", "gone", "$share/g/s", "b"] {
        c.subscribe(&mut world, filter, QoS::AtLeastOnce);
    }
    let mut again = Subscription::new("b", QoS::ExactlyOnce);
    again.options.no_local = true;
    again.options.retain_as_published = true;
    let identifier = properties([Property::SubscriptionIdentifier(7)]);
    c.subscribe_with(&[again], identifier.as_properties());
    c.codec.unsubscribe(&["gone"], Properties::EMPTY).unwrap();
    c.seen(&mut world);
    world.crash();
    let (mut c, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(seen, "connack Success present");
    let mut p = Mqtt::connect(&mut world, "p");
    for topic in ["a/x", "gone", "s"] {
        p.publish(topic, "m", QoS::ExactlyOnce);
    }
    let mut retained = MessageBuf::new("b", "m", QoS::ExactlyOnce);
    retained.retain = true;
    p.codec.publish(&retained.as_message()).unwrap();
    p.seen(&mut world);
    c.publish("b", "own", QoS::ExactlyOnce);
    let messages = |c: &mut Mqtt, world: &mut World| {
        let seen = c.seen(world).into_iter();
        let messages = seen.filter(|seen| seen.contains(" q"));
        messages.collect::<Vec<_>>()
    };
    assert_eq!(
        messages(&mut c, &mut world),
        ["a/x m q1", "s m q1", "b m q2 retained #7"]
    );
}

/// Messages that wait for a client, in their order and with what is left of their time.
#[test]
fn messages_that_wait_come_back() {
    let mut world = World::stored();
    let (mut c, _) = staying(&mut world, "c", HOUR);
    c.subscribe(&mut world, "t", QoS::ExactlyOnce);
    world.cut(c.id);
    let mut p = Mqtt::connect(&mut world, "p");
    for (body, qos, seconds) in [
        ("1", QoS::AtLeastOnce, None),
        ("2", QoS::ExactlyOnce, Some(100)),
        ("3", QoS::AtLeastOnce, Some(10)),
        ("4", QoS::AtMostOnce, None),
        ("5", QoS::ExactlyOnce, None),
    ] {
        let mut message = MessageBuf::new("t", body, qos);
        message.properties = properties(seconds.map(Property::MessageExpiryInterval));
        p.codec.publish(&message.as_message()).unwrap();
    }
    p.seen(&mut world);
    world.crash();
    world.wait(Duration::from_secs(20));
    world.crash();
    world.wait(Duration::from_secs(20));
    let (c, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(
        seen,
        "connack Success present, t 1 q1, t 2 q2, t 5 q2, pubrel, pubrel"
    );
    let left = c.messages[1].properties.as_properties();
    assert_eq!(left.message_expiry_interval(), Some(60));
    world.crash();
    let (_, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(seen, "connack Success present", "they were settled");
    assert_eq!(world.broker.statistics().ready, 0);
}

/// An identifier is that of one message (MQTT 5.0 section 2.2.1). A log that names it for two, as
/// no broker of ours writes it, loses neither.
#[test]
fn messages_of_a_log_that_share_an_identifier_both_come() {
    let mut world = World::stored();
    let connect = Connect::resume(ProtocolVersion::V3_1_1, utf8("c"));
    let mut c = Mqtt::manual(&mut world, &connect, Session::new());
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    for body in ["1", "2"] {
        p.publish("t", body, QoS::AtLeastOnce);
    }
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world), ["t 1 q1", "t 2 q1"]);
    // "In flight", of four bytes: the session, the position, the identifier and the number.
    let mut found = 0;
    for (_, batch) in &mut world.store.batches {
        let mut bytes = batch.to_vec();
        for at in 0..bytes.len().saturating_sub(6) {
            if let [15, 1, 4, _, _, 2, _] = bytes[at..at + 7] {
                bytes[at + 5] = 1;
                found += 1;
            }
        }
        *batch = bytes.into();
    }
    assert_eq!(found, 1);
    world.crash();
    let counts = world.broker.statistics();
    assert_eq!(
        (counts.queued, counts.ready, counts.unacknowledged),
        (2, 1, 1)
    );
    let mut c = Mqtt::with(&mut world, &connect);
    let seen = c.seen(&mut world);
    assert_eq!(seen, ["connack Success present", "t 1 q1 dup", "t 2 q1"]);
}

/// The session expiry interval and the delay of a will go on while the broker is down (MQTT 5.0
/// sections 3.1.2.11.2 and 3.1.3.2.2).
#[test]
fn time_goes_on_while_the_broker_is_down() {
    // The session's time and the will's delay in seconds; how long the client is away before
    // the crash, and the broker is down; whether the session is there, and the will was
    // published when somebody looks again.
    let cases = [
        (100, 200, Some(10), 50, true, false),
        (100, 200, Some(50), 60, false, true),
        (100, 20, Some(10), 15, true, true),
        (100, 20, Some(10), 5, true, false),
        // The client was connected: its time begins when the broker is back.
        (100, 20, None, 500, true, false),
        (100, 0, None, 500, true, true),
    ];
    for (expiry, delay, away, down, there, published) in cases {
        let case = format!("{expiry} {delay} {away:?} {down}");
        let mut world = World::stored();
        let (mut listener, _) = staying(&mut world, "listener", HOUR);
        listener.subscribe(&mut world, "will", QoS::AtLeastOnce);
        let stays = properties([Property::SessionExpiryInterval(expiry)]);
        let delayed = properties([Property::WillDelayInterval(delay)]);
        let connect = Connect {
            properties: stays.as_properties(),
            will: Some(Will {
                topic: topic("will"),
                payload: b"gone",
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: delayed.as_properties(),
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("mortal"))
        };
        let mut mortal = Mqtt::with(&mut world, &connect);
        mortal.seen(&mut world);
        if let Some(away) = away {
            world.cut(mortal.id);
            world.wait(Duration::from_secs(away));
        }
        world.now += Duration::from_secs(down);
        world.crash();
        world.turn();
        let (_, seen) = staying(&mut world, "listener", HOUR);
        assert_eq!(seen.contains("will gone q1"), published, "{case}: {seen}");
        let (_, seen) = staying(&mut world, "mortal", HOUR);
        assert_eq!(seen.contains("present"), there, "{case}");
    }
}

/// A will that was published is not published again, nor one that was given up.
#[test]
fn a_will_is_published_once() {
    for goodbye in [false, true] {
        let mut world = World::stored();
        let (mut listener, _) = staying(&mut world, "listener", HOUR);
        listener.subscribe(&mut world, "will", QoS::AtLeastOnce);
        let stays = properties([Property::SessionExpiryInterval(HOUR)]);
        let connect = Connect {
            properties: stays.as_properties(),
            will: Some(Will {
                topic: topic("will"),
                payload: b"gone",
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: Properties::EMPTY,
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("mortal"))
        };
        let mut mortal = Mqtt::with(&mut world, &connect);
        mortal.seen(&mut world);
        if goodbye {
            world.send(mortal.id, &[0xE0, 0]);
        } else {
            world.cut(mortal.id);
        }
        let seen = listener.seen(&mut world);
        assert_eq!(seen.is_empty(), goodbye, "{seen:?}");
        world.crash();
        world.turn();
        let (_, seen) = staying(&mut world, "listener", HOUR);
        assert_eq!(seen, "connack Success present");
    }
}

/// A session that ended, and one whose client asked for a new one, are gone with all that
/// they had.
#[test]
fn a_session_that_ended_does_not_come_back() {
    let mut world = World::stored();
    let (mut c, _) = staying(&mut world, "c", 10);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(c.id);
    let mut p = Mqtt::connect(&mut world, "p");
    p.publish("t", "1", QoS::AtLeastOnce);
    p.seen(&mut world);
    world.wait(Duration::from_secs(11));
    world.crash();
    let (mut c, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(seen, "connack Success");
    c.subscribe(&mut world, "u", QoS::AtLeastOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    p.publish("t", "2", QoS::AtLeastOnce);
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world), [""; 0]);
    world.crash();
    assert_eq!(world.broker.statistics().ready, 0);
    let (_, seen) = staying(&mut world, "c", 0);
    assert_eq!(seen, "connack Success present");
    // It would have gone with its connection, which the crash has ended.
    world.crash();
    world.turn();
    let (_, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(seen, "connack Success");
}

/// What is retained: the last of each topic, until it expires.
#[test]
fn retained_messages_come_back() {
    let mut world = World::stored();
    let mut p = Mqtt::connect(&mut world, "p");
    for (topic, body, qos, seconds) in [
        ("r/1", "old", QoS::AtLeastOnce, None),
        ("r/1", "new", QoS::AtMostOnce, None),
        ("r/2", "cleared", QoS::AtLeastOnce, None),
        ("r/2", "", QoS::AtLeastOnce, None),
        ("r/3", "expired", QoS::AtLeastOnce, Some(10)),
        ("r/4", "there", QoS::ExactlyOnce, Some(100)),
    ] {
        let mut message = MessageBuf::new(topic, body, qos);
        message.retain = true;
        message.properties = properties(seconds.map(Property::MessageExpiryInterval));
        p.codec.publish(&message.as_message()).unwrap();
        p.seen(&mut world);
    }
    for _ in 0..2 {
        world.crash();
        world.wait(Duration::from_secs(11));
    }
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "r/#", QoS::ExactlyOnce);
    let seen = c.seen(&mut world);
    assert_eq!(seen[..2], ["r/1 new q0 retained", "r/4 there q2 retained"]);
    let left = c.messages[1].properties.as_properties();
    assert_eq!(left.message_expiry_interval(), Some(78));
    // One that comes now is newer than all of them.
    let mut p = Mqtt::connect(&mut world, "p");
    p.retain("r/1", "newest");
    p.seen(&mut world);
    world.crash();
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "r/1", QoS::ExactlyOnce);
    assert_eq!(c.seen(&mut world), ["r/1 newest q1 retained"]);
}

/// Sessions and what is retained stay while many messages come and go: their records are
/// written once more.
#[test]
fn sessions_outlive_the_beginning_of_the_log() {
    let mut world = World::stored();
    let (mut c, _) = staying(&mut world, "c", HOUR);
    c.subscribe(&mut world, "t", QoS::ExactlyOnce);
    c.subscribe(&mut world, "$share/g/s", QoS::ExactlyOnce);
    let client = connect(&mut world, false);
    exchange(&mut world, client, b"\x34\x06\0\x01u\0\x07x");
    world.cut(c.id);
    world.cut(client);
    let mut p = Mqtt::connect(&mut world, "p");
    p.retain("r", "kept");
    p.publish("t", "waits", QoS::ExactlyOnce);
    p.seen(&mut world);
    let (mut busy, _) = staying(&mut world, "busy", HOUR);
    busy.subscribe(&mut world, "b", QoS::ExactlyOnce);
    let body = "x".repeat(300);
    let mut most = 0;
    for _ in 0..2_000 {
        busy.publish("b", &body, QoS::ExactlyOnce);
        busy.seen(&mut world);
        most = most.max(world.store.len());
    }
    assert!(world.store.trimmed > 100_000, "{}", world.store.trimmed);
    assert!(most < 150_000, "{most}");
    world.crash();
    let (mut again, seen) = staying(&mut world, "c", HOUR);
    assert_eq!(seen, "connack Success present, t waits q2, pubrel");
    let mut p = Mqtt::connect(&mut world, "p");
    p.publish("s", "shared", QoS::AtLeastOnce);
    p.seen(&mut world);
    assert_eq!(again.seen(&mut world), ["s shared q1"]);
    again.subscribe(&mut world, "r", QoS::AtMostOnce);
    assert_eq!(again.seen(&mut world), ["r kept q0 retained"]);
}
