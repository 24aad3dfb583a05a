//! Publisher confirms: those that are due in one turn are one `basic.ack` with `multiple`,
//! as RabbitMQ sends them, in an order that says of each publish what became of it.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use amqp_codec::method::confirm;
use amqp_codec::{FieldValue, PropertyFields};

/// What a client does in one turn.
enum Do {
    /// Publishes on this channel, to a queue that takes it.
    Publish(u16),
    /// To a queue that is full and refuses.
    Refused,
    /// To no queue, and wants to know.
    Mandatory,
}
use Do::{Mandatory, Publish, Refused};

/// The steps of a turn, and what the client sees of it in this order. One event is one frame.
const TURNS: &[(&str, &[Do], &[&str])] = &[
    ("one", &[Publish(1)], &["ack 1-1"]),
    (
        "several",
        &[Publish(1), Publish(1), Publish(1)],
        &["ack 1-3"],
    ),
    (
        "a nack keeps its place",
        &[
            Publish(1),
            Publish(1),
            Refused,
            Refused,
            Publish(1),
            Publish(1),
        ],
        &["ack 1-2", "nack 3-3", "nack 4-4", "ack 5-6"],
    ),
    (
        "a return comes before the ack of its publish",
        &[Publish(1), Publish(1), Mandatory, Publish(1), Mandatory],
        &[
            "ack 1-2",
            "return 312 m",
            "ack 3-4",
            "return 312 m",
            "ack 5-5",
        ],
    ),
    (
        "each channel counts for itself",
        &[Publish(1), Publish(2), Publish(1), Publish(2), Publish(2)],
        &["ack 1-2", "ack 1-3"],
    ),
];

fn client(world: &mut World) -> Amqp {
    let mut c = Amqp::connect(world);
    let arguments = table([
        ("x-max-length", FieldValue::I32(0)),
        ("x-overflow", text("reject-publish")),
    ]);
    c.declare("full", &arguments);
    c.declare("q", &table([]));
    for channel in [1, 2] {
        let select = confirm::Select::default();
        c.codec.confirm_select(channel, &select).unwrap();
    }
    c.seen(world);
    c
}

fn act(c: &mut Amqp, step: &Do) {
    match step {
        Publish(channel) => c.publish(*channel, "", "q", "m"),
        Refused => c.publish(1, "", "full", "m"),
        Mandatory => c.publish_with(1, "", "none", "m", true, &PropertyFields::default()),
    }
}

#[test]
fn confirms_that_are_due_together_are_one_ack() {
    for (what, steps, expected) in TURNS {
        let mut world = World::new();
        let mut c = client(&mut world);
        for step in *steps {
            act(&mut c, step);
        }
        assert_eq!(c.seen(&mut world), *expected, "{what}");
    }
}

#[test]
fn confirms_of_several_turns_are_not_held_back() {
    let mut world = World::new();
    let mut c = client(&mut world);
    for tag in 1..4 {
        c.publish(1, "", "q", "m");
        assert_eq!(c.seen(&mut world), [format!("ack {tag}-{tag}")]);
    }
}

/// Deliveries on the same connection come between the confirms, and change nothing.
#[test]
fn a_publisher_that_consumes_gets_one_ack_too() {
    let mut world = World::new();
    let mut c = client(&mut world);
    c.consume(1, "q", "c", true);
    c.seen(&mut world);
    for _ in 0..3 {
        c.publish(1, "", "q", "m");
    }
    let mut seen = c.seen(&mut world);
    let deliveries = seen.iter().filter(|event| event.starts_with("c ")).count();
    seen.retain(|event| event.starts_with("ack"));
    assert_eq!((deliveries, seen), (3, vec!["ack 1-3".to_owned()]));
}
