//! `x-consumer-timeout`, and `consumer-timeout` of a policy: RabbitMQ, "Consumers", "Delivery
//! Acknowledgement Timeout": "If a consumer does not ack its delivery for more than the timeout
//! value [..], its channel will be closed with a PRECONDITION_FAILED channel exception."

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use amqp_codec::FieldValue;
use amqp_codec::connection::Tags;
use std::time::Duration;

const LATE: &str = "channel.close 406 PRECONDITION_FAILED - delivery acknowledgement on channel 2 \
                    timed out. Timeout value used: 5000 ms. This timeout value can be configured, \
                    see consumers doc guide to learn more";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A client with a queue whose consumers have five seconds.
fn owner(world: &mut World) -> Amqp {
    let mut c = Amqp::connect(world);
    c.declare("q", &table([("x-consumer-timeout", FieldValue::I32(5000))]));
    for body in ["a", "b"] {
        c.publish(1, "", "q", body);
    }
    c.seen(world);
    c
}

#[test]
fn a_channel_that_holds_a_delivery_for_too_long_is_closed() {
    let mut world = World::new();
    let mut c = owner(&mut world);
    c.consume(2, "q", "t", false);
    c.seen(&mut world);
    world.wait(seconds(3));
    // What is settled in time is not late, and the other one is.
    c.codec.ack(2, Tags::One(1)).unwrap();
    c.seen(&mut world);
    world.wait(Duration::from_millis(1999));
    assert!(c.seen(&mut world).is_empty());
    world.wait(Duration::from_millis(1));
    // No method is to blame: class and method are 0, at the end of channel.close (AMQP 0-9-1
    // section 1.5.2.5).
    assert!(world.socket(c.id).received.ends_with(b"\0\0\0\0\xCE"));
    assert_eq!(c.seen(&mut world), [LATE]);
    // The message is there again.
    c.get("q", true);
    assert_eq!(c.answer(&mut world), "get-ok 1 again b +0");
}

/// What is settled in time, what is taken without acknowledgement, and what was returned and
/// delivered again, with its time from there.
#[test]
fn what_is_settled_in_time_is_not_late() {
    let mut world = World::new();
    let mut c = owner(&mut world);
    c.consume(2, "q", "t", false);
    c.seen(&mut world);
    world.wait(seconds(4));
    c.codec.ack(2, Tags::UpTo(2)).unwrap();
    c.seen(&mut world);
    world.wait(seconds(60));
    assert!(c.seen(&mut world).is_empty());
    c.publish(1, "", "q", "c");
    assert_eq!(c.seen(&mut world), ["t 3 c"]);
    world.wait(seconds(4));
    let again = amqp_codec::connection::Requeue::Yes;
    c.codec.nack(2, Tags::One(3), again).unwrap();
    assert_eq!(c.seen(&mut world), ["t 4 again c"]);
    world.wait(seconds(4));
    assert!(c.seen(&mut world).is_empty());
    world.wait(seconds(1));
    assert_eq!(c.seen(&mut world), [LATE]);
    c.consume(1, "q", "u", true);
    c.seen(&mut world);
    world.wait(seconds(60));
    assert!(c.seen(&mut world).is_empty());
}

/// basic.get counts too.
#[test]
fn a_message_that_was_fetched_is_to_be_settled_in_time() {
    let mut world = World::new();
    let mut c = owner(&mut world);
    c.get("q", false);
    assert_eq!(c.answer(&mut world), "get-ok 1 a +1");
    world.wait(seconds(5));
    assert_eq!(c.seen(&mut world), [LATE.replace("channel 2", "channel 1")]);
}

/// A STOMP subscription has an ERROR in the same words.
#[test]
fn a_stomp_client_is_told() {
    let mut world = World::new();
    let _owner = owner(&mut world);
    let id = world.connect(mq_core::Protocol::Stomp);
    world.send(id, b"CONNECT\naccept-version:1.2\nhost:/\n\n\0");
    world.send(
        id,
        b"SUBSCRIBE\nid:1\ndestination:/amq/queue/q\nack:client\n\n\0",
    );
    world.wait(seconds(5));
    let socket = world.socket(id);
    let text = String::from_utf8_lossy(&socket.received);
    assert!(
        text.contains("ERROR\n") && text.contains("timed out"),
        "{text}"
    );
    assert!(socket.closed);
}
