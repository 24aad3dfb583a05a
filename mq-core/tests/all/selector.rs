//! Consumers that want some of the messages: SQL-92 selectors as in Jakarta Messaging
//! (sections 3.8 and 4.1.2) and in ActiveMQ, over STOMP's header `selector` and the
//! argument `x-selector`.

use std::time::Duration;

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::stomp::Stomp;
use amqp_codec::method::{basic, queue};
use amqp_codec::{FieldValue, PropertyFields};

/// Sends messages whose body is the value of their header `a`.
fn send(world: &mut World, client: Stomp, destination: &str, values: &[&str]) {
    for value in values {
        let frame = format!("SEND\ndestination:{destination}\na:{value}\n\n{value}");
        client.send(world, &frame);
    }
}

/// What one consumer does not want is left for others, in its order.
#[test]
fn unwanted_messages_stay_in_the_queue() {
    let mut world = World::new();
    let publisher = Stomp::connect(&mut world);
    send(
        &mut world,
        publisher,
        "/queue/q",
        &["x", "y", "x", "z", "y"],
    );
    let picky = Stomp::connect(&mut world);
    picky.subscribe(&mut world, "1", "/queue/q", "selector:a = 'y'\n");
    assert_eq!(picky.messages(&mut world), ["y", "y"]);
    send(&mut world, publisher, "/queue/q", &["y", "w"]);
    assert_eq!(picky.messages(&mut world), ["y"]);
    let other = Stomp::connect(&mut world);
    other.subscribe(&mut world, "1", "/queue/q", "");
    assert_eq!(other.messages(&mut world), ["x", "x", "z", "w"]);
}

/// A message that comes back is offered to all again, in its place.
#[test]
fn what_comes_back_is_offered_again() {
    let mut world = World::new();
    let publisher = Stomp::connect(&mut world);
    send(&mut world, publisher, "/queue/q", &["x", "y", "z"]);
    let first = Stomp::connect(&mut world);
    first.subscribe(&mut world, "1", "/queue/q", "ack:client\n");
    assert_eq!(first.messages(&mut world), ["x", "y", "z"]);
    let picky = Stomp::connect(&mut world);
    let headers = "selector:a <> 'y'\nack:client-individual\n";
    picky.subscribe(&mut world, "1", "/queue/q", headers);
    assert_eq!(picky.messages(&mut world), [""; 0]);
    world.cut(first.0);
    assert_eq!(picky.messages(&mut world), ["x", "z"]);
    let rest = Stomp::connect(&mut world);
    rest.subscribe(&mut world, "1", "/queue/q", "");
    assert_eq!(rest.messages(&mut world), ["y"]);
}

/// Topic subscriptions keep nothing that they do not want.
#[test]
fn a_topic_subscription_takes_what_it_wants() {
    let mut world = World::new();
    let publisher = Stomp::connect(&mut world);
    let picky = Stomp::connect(&mut world);
    picky.subscribe(&mut world, "1", "/topic/t", "selector:a > 'b' OR a = 'x'\n");
    assert_eq!(picky.frames(&mut world)[0].command, "ERROR");
    let picky = Stomp::connect(&mut world);
    let headers = "selector:a IN ('x','y')\nx-queue-name:picky\n";
    picky.subscribe(&mut world, "1", "/topic/t", headers);
    send(&mut world, publisher, "/topic/t", &["w", "x", "y", "z"]);
    assert_eq!(picky.messages(&mut world), ["x", "y"]);
    let queued = world.broker.statistics();
    assert_eq!((queued.ready, queued.unroutable), (0, 2));
}

/// Numbers, booleans and strings keep their types over AMQP.
#[test]
fn types_of_amqp() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("q", &table([]));
    for (body, value) in [
        ("one", FieldValue::I32(1)),
        ("two", FieldValue::I64(2)),
        ("half", FieldValue::F64(0.5)),
        ("text", text("2")),
        ("true", FieldValue::Boolean(true)),
    ] {
        let headers = table([("a", value)]);
        let fields = PropertyFields {
            headers: Some(headers.as_table()),
            priority: Some(7),
            ..PropertyFields::default()
        };
        client.publish_with(1, "", "q", body, false, &fields);
    }
    client.seen(&mut world);
    for (tag, selector, expected) in [
        (
            "numbers",
            "a >= 1 AND JMSPriority = 7",
            &["numbers 1 one", "numbers 2 two"][..],
        ),
        ("flag", "a", &["flag 3 true"]),
        ("rest", " ", &["rest 4 half", "rest 5 text"]),
    ] {
        let arguments = table([("x-selector", text(selector))]);
        let consume = basic::Consume {
            queue: "q",
            consumer_tag: tag,
            arguments: arguments.as_table(),
            ..Default::default()
        };
        client.codec.consume(1, &consume).unwrap();
        let mut seen = client.seen(&mut world);
        assert_eq!(seen.remove(0), format!("basic.consume-ok {tag}"));
        assert_eq!(seen, expected);
    }
}

/// What is no selector is refused when the consumer is made (section 3.8.1.3).
#[test]
fn an_invalid_selector_is_refused() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("q", &table([]));
    client.seen(&mut world);
    let arguments = table([("x-selector", text("a = "))]);
    let consume = basic::Consume {
        queue: "q",
        arguments: arguments.as_table(),
        ..Default::default()
    };
    client.codec.consume(1, &consume).unwrap();
    assert_eq!(
        client.answer(&mut world),
        "channel.close 406 PRECONDITION_FAILED - invalid selector at byte 4: a = "
    );
    let declare = queue::Declare {
        queue: "other",
        arguments: arguments.as_table(),
        ..Default::default()
    };
    client.codec.queue_declare(2, &declare).unwrap();
    assert!(client.answer(&mut world).starts_with("channel.close 406"));
}

/// A message whose time is over is given up wherever it stands.
#[test]
fn expired_messages_in_the_middle_are_not_delivered() {
    let mut world = World::new();
    let publisher = Stomp::connect(&mut world);
    for (value, expiration) in [("x", 100_000), ("y", 1000), ("y", 100_000)] {
        let frame = format!(
            "SEND\ndestination:/queue/q\na:{value}\nexpiration:{expiration}\n\n{value}{expiration}"
        );
        publisher.send(&mut world, &frame);
    }
    world.wait(Duration::from_secs(2));
    let picky = Stomp::connect(&mut world);
    picky.subscribe(&mut world, "1", "/queue/q", "selector:a = 'y'\n");
    assert_eq!(picky.messages(&mut world), ["y100000"]);
    assert_eq!(world.broker.statistics().expired, 1);
}

/// A consumer that begins late finds what it wants among very many, in turns, while
/// others go on, and a purge in between leaves nothing over.
#[test]
fn a_long_search_takes_turns() {
    let mut world = World::new();
    let publisher = Stomp::connect(&mut world);
    for number in 0..5000 {
        let frame = format!(
            "SEND\ndestination:/queue/q\na:{}\n\n{number}",
            number % 1000
        );
        publisher.send(&mut world, &frame);
    }
    let picky = Stomp::connect(&mut world);
    let turns = world.turns;
    picky.subscribe(&mut world, "1", "/queue/q", "selector:a = '999'\n");
    assert!(world.turns > turns);
    assert_eq!(
        picky.messages(&mut world),
        ["999", "1999", "2999", "3999", "4999"]
    );
    let mut client = Amqp::connect(&mut world);
    client
        .codec
        .queue_purge(
            1,
            &queue::Purge {
                queue: "q",
                ..Default::default()
            },
        )
        .unwrap();
    assert_eq!(client.answer(&mut world), "queue.purge-ok 4995");
    send(&mut world, publisher, "/queue/q", &["999", "1"]);
    assert_eq!(picky.messages(&mut world), ["999"]);
}
