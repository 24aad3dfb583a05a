//! Who gets a message that a consumer has returned: AMQP 0-9-1, `basic.reject`, field
//! `requeue`: "The server MUST NOT deliver the message to the same client within the context
//! of the current channel", as long as somebody else can take it. When there is nobody the
//! message goes round, since it would stay for ever.

use crate::world::World;
use crate::world::amqp::Amqp;
use amqp_codec::TableBuf;
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::basic;

fn consume(c: &mut Amqp, channel: u16, tag: &str, priority: i32) {
    let arguments =
        crate::world::amqp::table([("x-priority", amqp_codec::FieldValue::I32(priority))]);
    let consume = basic::Consume {
        queue: "q",
        consumer_tag: tag,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    c.codec.consume(channel, &consume).unwrap();
}

/// A client with a queue.
fn owner(world: &mut World) -> Amqp {
    let mut c = Amqp::connect(world);
    c.declare("q", &TableBuf::new());
    c
}

#[test]
fn a_returned_message_goes_to_another_consumer() {
    // The priorities of the one that returns it and of the other one.
    for (mine, others) in [(0, 0), (5, 0), (0, 5)] {
        let mut world = World::new();
        let mut first = owner(&mut world);
        first.publish(1, "", "q", "m");
        consume(&mut first, 1, "first", mine);
        first.seen(&mut world);
        let mut second = Amqp::connect(&mut world);
        consume(&mut second, 1, "second", others);
        assert_eq!(second.seen(&mut world), ["basic.consume-ok second"]);
        first.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
        assert!(first.seen(&mut world).is_empty(), "{mine} {others}");
        assert_eq!(second.seen(&mut world), ["second 1 again m"]);
        // And back, when that one returns it too.
        second.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
        assert!(second.seen(&mut world).is_empty(), "{mine} {others}");
        assert_eq!(first.seen(&mut world), ["first 2 again m"]);
    }
}

/// All that were returned at one time, not only the first of them.
#[test]
fn many_returned_messages_go_to_another_consumer() {
    let mut world = World::new();
    let mut first = owner(&mut world);
    for body in ["a", "b", "c"] {
        first.publish(1, "", "q", body);
    }
    consume(&mut first, 1, "first", 0);
    first.seen(&mut world);
    let mut second = Amqp::connect(&mut world);
    consume(&mut second, 1, "second", 0);
    second.seen(&mut world);
    first.codec.nack(1, Tags::UpTo(3), Requeue::Yes).unwrap();
    assert!(first.seen(&mut world).is_empty());
    assert_eq!(
        second.seen(&mut world),
        ["second 1 again a", "second 2 again b", "second 3 again c"]
    );
}

/// The same client on another channel is not within the context of the first.
#[test]
fn another_channel_of_the_same_client_gets_it() {
    let mut world = World::new();
    let mut c = owner(&mut world);
    c.publish(1, "", "q", "m");
    consume(&mut c, 1, "first", 0);
    c.seen(&mut world);
    // Another consumer of the same channel is no other one.
    consume(&mut c, 1, "beside", 0);
    consume(&mut c, 2, "other", 0);
    c.seen(&mut world);
    c.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
    assert_eq!(c.seen(&mut world), ["other 1 again m"]);
}

#[test]
fn nobody_starves_where_there_is_no_other() {
    let mut world = World::new();
    let mut first = owner(&mut world);
    first.publish(1, "", "q", "m");
    consume(&mut first, 1, "first", 0);
    first.seen(&mut world);
    // There is another one, and it can take nothing more.
    let mut second = Amqp::connect(&mut world);
    let one = basic::Qos {
        prefetch_count: 1,
        ..Default::default()
    };
    second.codec.qos(1, &one).unwrap();
    consume(&mut second, 1, "second", 0);
    second.seen(&mut world);
    first.publish(1, "", "q", "other");
    let mut seen = first.seen(&mut world);
    while second.seen(&mut world).is_empty() {
        first.publish(1, "", "q", "other");
        seen.extend(first.seen(&mut world));
    }
    first.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
    let last = first.answer(&mut world);
    assert!(last.ends_with(" again m"), "{last} after {seen:?}");
}
