//! Queues that are their own dead-letter target, and a message in them that the
//! consumer cannot be sent.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::Mqtt;
use mqtt_codec::QoS;

/// A routing key of more than 255 bytes has no place in `basic.deliver`, where it is a
/// short string (AMQP 0-9-1 section 4.2.5.3).
fn unsayable() -> String {
    "k".repeat(300)
}

/// Two queues that dead-letter to each other through `amq.topic`, which keeps the routing
/// key (the same one, if the names are the same), with a message that AMQP cannot say.
fn looped(world: &mut World, names: [&str; 2]) -> Amqp {
    let mut client = Amqp::connect(world);
    for name in names {
        let target = table([("x-dead-letter-exchange", text("amq.topic"))]);
        client.declare(name, &target);
        client.bind(name, "amq.topic", "#");
    }
    client.seen(world);
    let mut publisher = Mqtt::connect(world, "p");
    publisher.publish(&unsayable(), "m", QoS::AtLeastOnce);
    publisher.seen(world);
    client
}

const QUEUES: &[[&str; 2]] = &[["a", "a"], ["a", "b"]];

#[test]
fn get_ends() {
    for names in QUEUES {
        let mut world = World::new();
        let mut client = looped(&mut world, *names);
        for _ in 0..2 {
            client.get(names[0], false);
            let answer = client.answer(&mut world);
            assert!(answer.contains("get-"), "{answer}");
        }
    }
}

#[test]
fn consuming_ends() {
    for names in QUEUES {
        let mut world = World::new();
        let mut client = looped(&mut world, *names);
        client.consume(1, names[0], "one", false);
        client.consume(2, names[1], "two", false);
        client.seen(&mut world);
        assert!(world.turns < 100, "{}", world.turns);
    }
}
