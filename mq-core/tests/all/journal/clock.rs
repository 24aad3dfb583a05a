//! A clock that is not where it was when the broker comes back: what is to end at a time
//! ends when the clock says so, earlier or later than it would have.

use super::Client;
use crate::world::World;
use crate::world::log::storing;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use amqp_codec::PropertyFields;
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS, Will};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Unix time of the first run, in seconds.
const BEGIN: i64 = 1_000_000;

/// By how many seconds the clock jumps, and how many seconds after that a message of 60 s, a
/// will with a delay of 40 s and a session of 100 s are due.
const JUMPS: &[(i64, [u64; 3])] = &[
    (0, [60, 40, 100]),
    (30, [30, 10, 70]),
    (59, [1, 0, 41]),
    (86_400, [0, 0, 0]),
    (-1, [61, 41, 101]),
    (-3_600, [3_660, 3_640, 3_700]),
];

fn started_at(seconds: i64) -> mq_core::Config {
    let mut config = storing();
    config.unix_time = Duration::from_secs(seconds.unsigned_abs());
    config
}

/// What is ready in the queue of that name.
fn ready(world: &World, name: &str) -> usize {
    let queue = world.broker.queues().find(|queue| &*queue.name == name);
    queue.unwrap().ready
}

#[test]
fn what_is_due_follows_the_clock() {
    for (jump, due) in JUMPS {
        let mut world = World::stored_with(started_at(BEGIN));
        let mut c = Client::connect(&mut world);
        c.durable("q");
        c.durable("wills");
        c.0.bind("wills", "amq.topic", "will");
        let fields = PropertyFields {
            delivery_mode: Some(super::PERSISTENT),
            expiration: Some("60000".into()),
            ..Default::default()
        };
        c.0.publish_with(1, "", "q", "short", false, &fields);
        c.seen(&mut world);
        let expiry = properties([Property::SessionExpiryInterval(100)]);
        let delayed = properties([Property::WillDelayInterval(40)]);
        let connect = Connect {
            properties: expiry.as_properties(),
            will: Some(Will {
                topic: topic("will"),
                payload: b"gone",
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: delayed.as_properties(),
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("away"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        client.seen(&mut world);
        world.cut(client.id);

        world.crash_with(started_at(BEGIN + jump));
        world.turn();
        let mut seen = [None; 3];
        for second in 0..4_000 {
            let is_over = [
                ready(&world, "q") == 0,
                ready(&world, "wills") == 1,
                world.broker.sessions().count() == 0,
            ];
            for (seen, is_over) in seen.iter_mut().zip(is_over) {
                if is_over {
                    seen.get_or_insert(second);
                }
            }
            world.wait(SECOND);
        }
        assert_eq!(seen, due.map(Some), "{jump}");
    }
}
