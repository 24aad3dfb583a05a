//! The same inputs give the same outputs: logged and done again, and however
//! the bytes were cut.

use crate::world::amqp::Amqp;
use crate::world::log::storing;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use crate::world::stomp::Stomp;
use crate::world::{Step, World};
use amqp_codec::connection::{Requeue, Tags};
use mq_core::{Broker, Config, Input, Output};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, ReasonCode, Will};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// A conversation with a bit of everything: all protocols, made-up names, time,
/// a client that is slow, one that breaks off, the end of the broker.
fn conversation(world: &mut World) {
    let mut amqp = Amqp::connect(world);
    amqp.declare("", &Default::default());
    let declared = amqp.answer(world);
    let queue = declared.split(' ').nth(1).unwrap().to_owned();
    amqp.bind(&queue, "amq.topic", "#");
    amqp.consume(1, &queue, "", false);
    amqp.seen(world);
    let stomp = Stomp::connect(world);
    stomp.subscribe(world, "s", "/topic/a.*", "ack:client\nprefetch-count:2\n");
    let keep = properties([Property::SessionExpiryInterval(30)]);
    let staying = Connect {
        properties: keep.as_properties(),
        keep_alive: 20,
        will: Some(Will {
            topic: topic("a/will"),
            payload: b"gone",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("mqtt"))
    };
    let mut mqtt = Mqtt::with(world, &staying);
    mqtt.seen(world);
    mqtt.subscribe(world, "a/#", QoS::ExactlyOnce);
    let nameless = Connect::clean(ProtocolVersion::V5_0, utf8(""));
    let mut other = Mqtt::with(world, &nameless);
    other.seen(world);
    other.subscribe(world, "$share/g/#", QoS::AtLeastOnce);
    for n in 0..10 {
        amqp.publish(1, "amq.topic", "a.b", &format!("amqp {n}"));
        stomp.send(
            world,
            &format!("SEND\ndestination:/topic/a.c\nreply-to:/temp-queue/t\n\nstomp {n}"),
        );
        mqtt.publish("a/d", &format!("mqtt {n}"), QoS::ExactlyOnce);
        amqp.seen(world);
        mqtt.seen(world);
        world.wait(Duration::from_secs(3));
    }
    world.socket(amqp.id).slow = true;
    world.cut(mqtt.id);
    amqp.codec.nack(1, Tags::UpTo(3), Requeue::Yes).unwrap();
    amqp.seen(world);
    world.wait(Duration::from_secs(20));
    world.tell(amqp.id, 1000);
    other.disconnect(world, ReasonCode::Success);
    let mut mqtt = Mqtt::with(world, &staying);
    mqtt.seen(world);
    stomp.send(world, "NONSENSE\n\n");
    world.handle(Input::Shutdown);
}

#[test]
fn what_was_logged_can_be_done_again() {
    for config in [Config::default(), storing()] {
        let mut world = World::stored_with(config.clone());
        conversation(&mut world);
        assert!(world.outputs.len() > 100);
        let mut broker = Broker::new(config).unwrap();
        let mut outputs = Vec::new();
        for step in &world.log {
            match step {
                Step::Handle(now, input) => broker.handle(*now, input.clone()),
                Step::Timeout(now) => broker.handle_timeout(*now),
            }
            outputs.extend(core::iter::from_fn(|| broker.poll_output()));
        }
        assert_eq!(outputs, world.outputs);
        assert_eq!(broker.statistics(), world.broker.statistics());
    }
}

/// A store that takes everything at once changes nothing for clients.
#[test]
fn clients_see_the_same_with_a_store() {
    let mut world = World::new();
    conversation(&mut world);
    let mut stored = World::stored();
    conversation(&mut stored);
    assert_eq!(shown(&world), shown(&stored));
}

/// What each connection was sent, but for the capability that a store brings.
fn shown(world: &World) -> Vec<Vec<u8>> {
    let sent = outputs(world).into_values();
    sent.skip(1).map(|(bytes, _)| bytes).collect()
}

#[test]
fn another_seed_makes_other_names() {
    let config = Config {
        seed: 1,
        ..Config::default()
    };
    let mut world = World::with(config);
    conversation(&mut world);
    let mut same = World::new();
    conversation(&mut same);
    assert_ne!(outputs(&world), outputs(&same));
}

/// Damages the bytes that one client sends: some changed, some left out, some
/// twice.
fn damage(steps: &[Step], connection: u64, damage: &[(usize, u8)]) -> Vec<Step> {
    let mut at = 0;
    let mut steps = steps.to_vec();
    for step in &mut steps {
        let Step::Handle(
            _,
            Input::Received {
                connection: c,
                bytes,
            },
        ) = step
        else {
            continue;
        };
        if c.0 != connection {
            continue;
        }
        let mut changed = bytes.to_vec();
        for (place, change) in damage {
            let Some(place) = place.checked_sub(at).filter(|p| *p < bytes.len()) else {
                continue;
            };
            let place = place.min(changed.len().saturating_sub(1));
            match change {
                0..=9 => changed.truncate(place),
                10..=19 => changed.extend_from_within(place..),
                change => changed[place] ^= change,
            }
        }
        at += bytes.len();
        *bytes = changed.into();
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No input makes it panic, send after the close, or sleep over a timeout.
    #[test]
    fn damaged_input_does_no_damage(
        connection in 1..=5u64,
        changes in prop::collection::vec((0..3000usize, any::<u8>()), 1..8),
    ) {
        static LOG: std::sync::OnceLock<Vec<Step>> = std::sync::OnceLock::new();
        let log = LOG.get_or_init(|| {
            let mut world = World::new();
            conversation(&mut world);
            world.log
        });
        let mut broker = Broker::new(Config::default()).unwrap();
        let mut closed = Vec::new();
        for step in damage(log, connection, &changes) {
            match step {
                Step::Handle(now, input) => broker.handle(now, input),
                Step::Timeout(now) => {
                    broker.handle_timeout(now);
                    prop_assert!(broker.poll_timeout().is_none_or(|at| at > now));
                }
            }
            while let Some(output) = broker.poll_output() {
                match output {
                    Output::Transmit { connection, .. } => {
                        prop_assert!(!closed.contains(&connection));
                    }
                    Output::Close { connection } => closed.push(connection),
                    _ => {}
                }
            }
        }
        // Nothing is lost or doubled without a cause.
        let c = broker.statistics();
        let gone = c.acknowledged + c.expired + c.overflowed + c.rejected + c.discarded;
        prop_assert_eq!(c.queued, gone + c.ready + c.unacknowledged);
        // Sessions outlive the last connection, and end.
        while let Some(at) = broker.poll_timeout() {
            broker.handle_timeout(at);
            prop_assert_eq!(broker.poll_output(), None);
        }
    }
}

/// What each connection was sent, put together.
fn outputs(world: &World) -> BTreeMap<u64, (Vec<u8>, bool)> {
    let mut streams: BTreeMap<u64, (Vec<u8>, bool)> = BTreeMap::new();
    for output in &world.outputs {
        match output {
            Output::Transmit { connection, bytes } => streams
                .entry(connection.0)
                .or_default()
                .0
                .extend_from_slice(bytes),
            Output::Close { connection } => streams.entry(connection.0).or_default().1 = true,
            _ => {}
        }
    }
    streams
}

#[test]
fn it_does_not_matter_how_the_bytes_are_cut() {
    let mut whole = World::new();
    conversation(&mut whole);
    for piece in [1, 2, 3, 7, 64] {
        let mut cut = World::new();
        cut.piece = piece;
        conversation(&mut cut);
        assert_eq!(outputs(&cut), outputs(&whole), "pieces of {piece}");
    }
}
