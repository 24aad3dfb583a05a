//! A connection that has too much on its way is not read from. Its peer is not
//! silent because of that: what it sends meanwhile has come, and counts.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::{Mqtt, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::connection::ClientConfig;
use mq_core::{Config, Protocol};
use mqtt_codec::{Connect, ProtocolVersion, QoS};
use std::time::Duration;

const HIGH_WATER: usize = 10_000;
const BODY: usize = 60_000;
const TICK: Duration = Duration::from_millis(500);

fn world() -> World {
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    config.limits.receive_high_water = HIGH_WATER;
    config.heartbeat = 2;
    World::with(config)
}

/// A consumer of a topic by one protocol, and what it sends to say that it
/// lives: MQTT by keep alive (3.1.2.10), AMQP and STOMP by heart-beats.
fn consumer(world: &mut World, protocol: Protocol) -> (mq_core::ConnectionId, &'static [u8]) {
    match protocol {
        Protocol::Mqtt => {
            let connect = Connect {
                keep_alive: 2,
                ..Connect::clean(ProtocolVersion::V3_1_1, utf8("slow"))
            };
            let mut c = Mqtt::with(world, &connect);
            c.seen(world);
            c.subscribe(world, "t", QoS::AtMostOnce);
            (c.id, &[0xC0, 0])
        }
        Protocol::Amqp => {
            let mut config = ClientConfig::default();
            config.heartbeat = 2;
            let mut c = Amqp::with(world, config);
            c.declare("q", &Default::default());
            c.bind("q", "amq.topic", "t");
            c.consume(1, "q", "c", true);
            c.seen(world);
            (c.id, &[8, 0, 0, 0, 0, 0, 0, 0xCE])
        }
        _ => {
            let c = Stomp(world.connect(Protocol::Stomp));
            let hello = "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:2000,0\n\n";
            c.send(world, hello);
            c.subscribe(world, "s", "/topic/t", "");
            (c.0, b"\n")
        }
    }
}

const ALL: [Protocol; 3] = [Protocol::Mqtt, Protocol::Amqp, Protocol::Stomp];

/// Puts three bodies on the way to a consumer that takes them slowly.
fn flood(world: &mut World, id: mq_core::ConnectionId) {
    world.socket(id).slow = true;
    let mut p = Mqtt::connect(world, "p");
    for _ in 0..3 {
        p.publish("t", &"x".repeat(BODY), QoS::AtMostOnce);
        p.seen(world);
    }
}

#[test]
fn who_reads_slowly_and_says_that_it_lives_stays() {
    for protocol in ALL {
        for pause in [false, true] {
            let mut world = world();
            let (id, alive) = consumer(&mut world, protocol);
            flood(&mut world, id);
            let start = world.socket(id).received.len();
            if pause {
                // So much that nothing more is read from its socket.
                world.send(id, &alive.repeat(HIGH_WATER));
                assert!(world.socket(id).paused, "{protocol:?}");
            }
            for _ in 0..200 {
                world.wait(TICK);
                assert!(!world.is_closed(id), "{protocol:?} at {:?}", world.now);
                world.tell(id, BODY / 60);
                if !world.socket(id).paused {
                    world.send(id, alive);
                }
            }
            let received = world.socket(id).received.len();
            assert!(received >= 3 * BODY, "{protocol:?} {start} {received}");
        }
    }
}
