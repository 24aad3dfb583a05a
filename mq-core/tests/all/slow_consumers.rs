//! Peers that take what they are sent too slowly: what is done about them by
//! [`SlowConsumers`], in each protocol.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::log::storing;
use crate::world::mqtt::{Mqtt, properties, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::TableBuf;
use mq_core::{
    Config, ConfigError, ConnectionId, DropCause, Input, Output, Place, Reason, Report,
    SlowConsumers, Statistics, Terms,
};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS};
use std::time::Duration;

const HIGH_WATER: usize = 10_000;
const BODY: usize = 1000;
const AFTER: Duration = Duration::from_secs(10);
const DISCONNECT: SlowConsumers = SlowConsumers::Disconnect { after: AFTER };
const MESSAGES: usize = 100;

fn config(slow_consumers: SlowConsumers) -> Config {
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    config.slow_consumers = slow_consumers;
    config
}

/// A client that gets what is published to `q` or the topic `t`.
type Consume = fn(&mut World) -> ConnectionId;
/// Its name, whether its messages may be dropped, and whether what it was sent comes back when it goes.
type Row = (&'static str, bool, bool, Consume);

fn mqtt(world: &mut World, qos: QoS) -> ConnectionId {
    let expiry = properties([Property::SessionExpiryInterval(3600)]);
    let connect = Connect {
        properties: expiry.as_properties(),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("slow"))
    };
    let mut client = Mqtt::with(world, &connect);
    client.seen(world);
    client.subscribe(world, "t", qos);
    client.id
}

fn amqp(world: &mut World, no_ack: bool) -> ConnectionId {
    let mut client = Amqp::connect(world);
    client.declare("q", &TableBuf::new());
    client.bind("q", "amq.topic", "t");
    client.consume(1, "q", "c", no_ack);
    client.seen(world);
    client.id
}

fn stomp(world: &mut World, ack: &str) -> ConnectionId {
    // The queue outlives it.
    let mut client = Amqp::connect(world);
    client.declare("q", &TableBuf::new());
    client.bind("q", "amq.topic", "t");
    client.seen(world);
    let client = Stomp::connect(world);
    client.subscribe(world, "s", "/amq/queue/q", &format!("ack:{ack}\n"));
    assert_eq!(client.frames(world).len(), 1);
    client.0
}

const CONSUMERS: [Row; 7] = [
    ("AMQP, no-ack", false, false, |world| amqp(world, true)),
    ("AMQP, ack", false, true, |world| amqp(world, false)),
    ("MQTT, QoS 0", true, false, |world| {
        mqtt(world, QoS::AtMostOnce)
    }),
    ("MQTT, QoS 1", false, true, |world| {
        mqtt(world, QoS::AtLeastOnce)
    }),
    ("MQTT, QoS 2", false, true, |world| {
        mqtt(world, QoS::ExactlyOnce)
    }),
    ("STOMP, auto", false, false, |world| stomp(world, "auto")),
    ("STOMP, client", false, true, |world| stomp(world, "client")),
];

/// Publishes to the topic `t`, and so to `q`.
fn publish(world: &mut World) {
    let mut publisher = Mqtt::connect(world, "publisher");
    for n in 0..MESSAGES {
        if publisher.codec.send_quota() == 0 {
            return;
        }
        let body = format!("{}{n:03}", "x".repeat(BODY - 3));
        publisher.publish("t", &body, QoS::ExactlyOnce);
        publisher.seen(world);
    }
}

/// Why the broker ended a connection for its slowness.
fn slow(world: &World) -> Vec<ConnectionId> {
    let reports = world.outputs.iter().filter_map(|output| match output {
        Output::Report(Report::Peer(report)) => Some(report),
        _ => None,
    });
    reports
        .filter(|report| matches!(report.reason, Reason::Slow(_)))
        .map(|report| report.connection)
        .collect()
}

fn dropped(world: &World) -> u64 {
    let reports = world.outputs.iter().filter_map(|output| match output {
        Output::Report(Report::Dropped(dropped)) => Some(dropped),
        _ => None,
    });
    reports
        .inspect(|dropped| {
            assert_eq!(dropped.cause, DropCause::Slow);
            assert_eq!(dropped.place, Place::Session("slow".into()));
        })
        .map(|dropped| dropped.count)
        .sum()
}

fn balance(s: &Statistics) -> u64 {
    let gone = s.acknowledged + s.expired + s.overflowed + s.rejected + s.discarded;
    gone + s.ready + s.unacknowledged
}

/// Lets the peer take what is sent, until nothing more comes. Returns how many messages
/// it has been sent in all.
fn take_all(world: &mut World, id: ConnectionId) -> usize {
    while world.socket(id).untold > 0 {
        world.tell(id, usize::MAX);
    }
    let received = &world.socket(id).received;
    let bodies = received.windows(BODY).filter(|bytes| {
        bytes[..BODY - 3].iter().all(|byte| *byte == b'x')
            && bytes[BODY - 3..].iter().all(u8::is_ascii_digit)
    });
    bodies.count()
}

#[test]
fn what_waits_and_what_is_dropped() {
    for (policy, drops) in [
        (SlowConsumers::Block, false),
        (SlowConsumers::DropQos0, true),
    ] {
        for (name, may_drop, ..) in CONSUMERS {
            let mut world = World::with(config(policy));
            let (.., consume) = CONSUMERS.into_iter().find(|row| row.0 == name).unwrap();
            let id = consume(&mut world);
            world.socket(id).slow = true;
            world.outputs.clear();
            publish(&mut world);
            assert!(world.socket(id).untold <= HIGH_WATER + 2 * BODY, "{name}");
            let statistics = world.broker.statistics();
            let lost = if drops && may_drop { MESSAGES - 10 } else { 0 };
            assert!(
                statistics.overflowed.abs_diff(lost as u64) <= 1,
                "{name}, {policy:?}: {statistics:?}"
            );
            assert_eq!(dropped(&world), statistics.overflowed, "{name}");
            assert_eq!(statistics.queued, balance(&statistics), "{name}");
            world.wait(2 * AFTER);
            assert!(!world.is_closed(id) && slow(&world).is_empty(), "{name}");
            // What has waited comes when it reads again, and nothing is dropped from then on.
            let expected = MESSAGES - usize::try_from(statistics.overflowed).unwrap();
            if !name.starts_with("MQTT, QoS 1") && !name.starts_with("MQTT, QoS 2") {
                assert_eq!(take_all(&mut world, id), expected, "{name}, {policy:?}");
            }
        }
    }
}

/// A client that reads again gets what is published then.
#[test]
fn who_reads_again_loses_nothing_more() {
    let mut world = World::with(config(SlowConsumers::DropQos0));
    let id = mqtt(&mut world, QoS::AtMostOnce);
    world.socket(id).slow = true;
    publish(&mut world);
    let lost = world.broker.statistics().overflowed;
    assert!(lost > 0);
    take_all(&mut world, id);
    world.socket(id).slow = false;
    world.socket(id).received.clear();
    publish(&mut world);
    assert_eq!(world.broker.statistics().overflowed, lost);
    assert_eq!(take_all(&mut world, id), MESSAGES);
}

/// Messages that wait for the store are not the client's doing.
#[test]
fn a_slow_store_makes_no_slow_consumer() {
    for policy in [SlowConsumers::DropQos0, DISCONNECT] {
        let mut world = World::stored_with(Config {
            store: storing().store,
            ..config(policy)
        });
        let id = mqtt(&mut world, QoS::ExactlyOnce);
        world.store.is_quick = false;
        publish(&mut world);
        world.wait(2 * AFTER);
        assert_eq!(slow(&world), []);
        assert!(!world.is_closed(id));
        assert_eq!(dropped(&world), 0);
    }
}

/// A share has others.
#[test]
fn a_shared_subscription_passes_a_slow_member_over() {
    let mut world = World::with(config(SlowConsumers::DropQos0));
    let mut members: Vec<Mqtt> = ["slow", "quick"]
        .into_iter()
        .map(|name| {
            let mut member = Mqtt::connect(&mut world, name);
            member.subscribe(&mut world, "$share/g/t", QoS::AtMostOnce);
            member
        })
        .collect();
    let (slow, quick) = (members[0].id, members[1].id);
    world.socket(slow).slow = true;
    publish(&mut world);
    assert_eq!(world.broker.statistics().overflowed, 0);
    let before = take_all(&mut world, slow);
    assert!((5..20).contains(&before), "{before}");
    assert_eq!(members[1].seen(&mut world).len(), MESSAGES - before);
    // It has its turns again.
    world.socket(slow).received.clear();
    world.socket(slow).slow = false;
    world.socket(quick).received.clear();
    publish(&mut world);
    assert_eq!(take_all(&mut world, slow), MESSAGES / 2);
    // One that has gone and come back has too.
    world.socket(slow).slow = true;
    publish(&mut world);
    world.cut(slow);
    members[0] = Mqtt::connect(&mut world, "slow");
    members[0].subscribe(&mut world, "$share/g/t", QoS::AtMostOnce);
    members[1].seen(&mut world);
    publish(&mut world);
    assert_eq!(members[0].seen(&mut world).len(), MESSAGES / 2);
}

#[test]
fn who_is_too_slow_is_disconnected() {
    for (name, _, comes_back, consume) in CONSUMERS {
        let mut world = World::with(config(DISCONNECT));
        let id = consume(&mut world);
        world.socket(id).slow = true;
        publish(&mut world);
        if name.starts_with("MQTT, QoS 1") || name.starts_with("MQTT, QoS 2") {
            // No more than it may have under way is on its way: it is long until then.
            assert!(world.socket(id).untold > HIGH_WATER / 2, "{name}");
        }
        world.wait(AFTER - Duration::from_millis(1));
        assert!(!world.is_closed(id), "{name}");
        world.wait(Duration::from_millis(1));
        assert!(world.is_closed(id), "{name}");
        assert_eq!(slow(&world), [id], "{name}");
        let statistics = world.broker.statistics();
        assert_eq!(statistics.queued, balance(&statistics), "{name}");
        if comes_back {
            let kept = statistics.ready + statistics.unacknowledged;
            assert_eq!(kept, MESSAGES as u64, "{name}");
        }
        // The goodbye comes after what is on its way.
        let received = &world.socket(id).received;
        let goodbye: &[u8] = match name.split_once(',').unwrap().0 {
            "AMQP" => b"slow consumer",
            "MQTT" => b"\x97",
            _ => b"message:Too slow",
        };
        let end = &received[received.len() - 200..];
        assert!(end.windows(goodbye.len()).any(|w| w == goodbye), "{name}");
    }
}

/// Half of what may be on its way within the time is enough, and so is to have less than half.
#[test]
fn who_keeps_up_stays() {
    // Bytes a second, and whether it stays.
    for (rate, stays) in [
        (0, false),
        (HIGH_WATER / 2 / 10 - 100, false),
        (HIGH_WATER / 2 / 10 + 100, true),
    ] {
        let mut world = World::with(config(DISCONNECT));
        let id = amqp(&mut world, true);
        world.socket(id).slow = true;
        publish(&mut world);
        for _ in 0..60 {
            world.wait(Duration::from_secs(1));
            if !world.is_closed(id) {
                world.tell(id, rate);
            }
        }
        assert_eq!(!world.is_closed(id), stays, "{rate}");
    }
    let mut world = World::with(config(DISCONNECT));
    let id = amqp(&mut world, true);
    publish(&mut world);
    world.wait(2 * AFTER);
    assert!(!world.is_closed(id), "it has taken everything");
}

/// A listener may have it another way, also for a connection that was idle before.
#[test]
fn terms_come_first() {
    for (of_broker, of_listener, closes) in [
        (SlowConsumers::Block, Some(DISCONNECT), true),
        (DISCONNECT, Some(SlowConsumers::Block), false),
        (DISCONNECT, None, true),
    ] {
        for (name, _, _, consume) in CONSUMERS {
            let mut world = World::with(config(of_broker));
            world.terms = Terms {
                slow_consumers: of_listener,
                ..Terms::default()
            };
            let id = consume(&mut world);
            world.wait(Duration::from_secs(1));
            world.handle(Input::Idle { connection: id });
            world.socket(id).slow = true;
            publish(&mut world);
            world.wait(AFTER);
            let seen = world.is_closed(id);
            assert_eq!(seen, closes, "{name} {of_broker:?} {of_listener:?}");
        }
    }
}

#[test]
fn no_time_at_all_is_refused() {
    let after = Duration::ZERO;
    let checked = config(SlowConsumers::Disconnect { after }).check();
    assert!(matches!(checked, Err(ConfigError::NoTime { .. })));
}
