//! `consumer_timeout`, `x-consumer-timeout`, and `consumer-timeout` of a policy: RabbitMQ,
//! "Consumers", "Delivery Acknowledgement Timeout": "If a consumer does not ack its delivery for
//! more than the timeout value (30 minutes by default), its channel will be closed with a
//! PRECONDITION_FAILED channel exception."

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::policy::{policy, set};
use crate::world::stomp::Stomp;
use amqp_codec::connection::{ClientConfig, Tags};
use amqp_codec::method::{basic, queue};
use amqp_codec::{FieldValue, TableBuf};
use mq_core::{ApplyTo, Config, Policy, PolicyKind, PolicyValue, StompDialect};
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

const MINUTE: u64 = 60_000;

/// A broker whose clients need no heart-beats.
fn quiet(consumer_timeout: Option<Duration>) -> World {
    let default = Config::default();
    World::with(Config {
        heartbeat: 0,
        consumer_timeout: consumer_timeout.unwrap_or(default.consumer_timeout),
        ..default
    })
}

fn patient(world: &mut World) -> Amqp {
    Amqp::with(world, ClientConfig::default().with_heartbeat(0))
}

fn timeout(millis: Option<i64>) -> TableBuf {
    table(millis.map(|millis| ("x-consumer-timeout", FieldValue::I64(millis))))
}

/// Of two channels each is late for itself, and what one has held comes to the other.
#[test]
fn each_channel_has_its_time() {
    let mut world = World::new();
    let mut c = owner(&mut world);
    for channel in [1, 2] {
        c.codec
            .qos(
                channel,
                &basic::Qos {
                    prefetch_count: 1,
                    ..Default::default()
                },
            )
            .unwrap();
        c.consume(channel, "q", "t", false);
        c.seen(&mut world);
        world.wait(seconds(1));
    }
    world.wait(seconds(3));
    let late = |channel: u16| LATE.replace("channel 2", &format!("channel {channel}"));
    assert_eq!(c.seen(&mut world), [late(1)]);
    c.publish(2, "", "q", "c");
    world.wait(Duration::from_millis(999));
    assert!(c.seen(&mut world).is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(c.seen(&mut world), [late(2)]);
    assert_eq!(world.broker.statistics().ready, 3);
    world.wait(seconds(60));
    assert!(c.seen(&mut world).is_empty());
}

/// Which of the times holds (`consumer_timeouts.md` of RabbitMQ 4.3, "Precedence Summary"): that
/// of the consumer, or else the lower one of the queue's argument and the policy's, or else that
/// of the settings, which is 30 minutes. RabbitMQ before 4.3 has no time of the consumer.
#[test]
fn the_nearest_time_holds() {
    let (s, m) = (1000, MINUTE as i64);
    // Of the settings, by policy, of the queue, of the consumer, and which one it is.
    type Row = (
        Option<u64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<u64>,
    );
    let rows: [Row; 12] = [
        (None, None, None, None, Some(30 * MINUTE)),
        (Some(0), None, None, None, None),
        (Some(7000), None, None, None, Some(7000)),
        (Some(7000), None, Some(45 * m), None, Some(45 * MINUTE)),
        (None, None, Some(5 * s), None, Some(5000)),
        (Some(0), None, Some(5 * s), None, Some(5000)),
        (None, Some(9 * s), None, None, Some(9000)),
        (None, Some(9 * s), Some(5 * s), None, Some(5000)),
        (None, Some(5 * s), Some(9 * s), None, Some(5000)),
        (None, None, None, Some(3 * s), Some(3000)),
        (
            None,
            Some(5 * s),
            Some(9 * s),
            Some(60 * m),
            Some(60 * MINUTE),
        ),
        (Some(0), None, None, Some(3 * s), Some(3000)),
    ];
    for (settings, policy, of_queue, of_consumer, expected) in rows {
        for kind in ["classic", "quorum"] {
            let row = (settings, policy, of_queue, of_consumer, kind);
            let mut world = quiet(settings.map(Duration::from_millis));
            if let Some(millis) = policy {
                set_timeout(&mut world, millis);
            }
            let mut c = patient(&mut world);
            let mut arguments = timeout(of_queue);
            arguments.insert("x-queue-type", text(kind)).unwrap();
            let declare = queue::Declare {
                queue: "q",
                durable: true,
                arguments: arguments.as_table(),
                ..Default::default()
            };
            c.codec.queue_declare(1, &declare).unwrap();
            let arguments = timeout(of_consumer);
            let consume = basic::Consume {
                queue: "q",
                consumer_tag: "t",
                arguments: arguments.as_table(),
                ..Default::default()
            };
            c.codec.consume(2, &consume).unwrap();
            c.publish(1, "", "q", "m");
            c.seen(&mut world);
            let Some(expected) = expected else {
                world.wait(seconds(86_400));
                assert!(c.seen(&mut world).is_empty(), "{row:?}");
                continue;
            };
            world.wait(Duration::from_millis(expected - 1));
            assert!(c.seen(&mut world).is_empty(), "{row:?}");
            world.wait(Duration::from_millis(1));
            let late = LATE.replace("5000", &expected.to_string());
            assert_eq!(c.seen(&mut world), [late], "{row:?}");
        }
    }
}

/// An argument of `basic.consume` that is no time.
#[test]
fn a_time_of_a_consumer_that_is_none_is_refused() {
    for wrong in [text("soon"), FieldValue::I32(-1)] {
        let mut world = World::new();
        let mut c = owner(&mut world);
        let arguments = table([("x-consumer-timeout", wrong)]);
        let consume = basic::Consume {
            queue: "q",
            arguments: arguments.as_table(),
            ..Default::default()
        };
        c.codec.consume(1, &consume).unwrap();
        assert_eq!(
            c.answer(&mut world),
            "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue \
             'q' in vhost '/'"
        );
    }
}

/// Sets the consumer timeout of queues by a policy.
fn set_timeout(world: &mut World, millis: i64) {
    let definition = [("consumer-timeout", PolicyValue::Number(millis))];
    let timeout = Policy {
        apply_to: ApplyTo::Queues,
        ..policy("p", "q", &definition)
    };
    set(world, PolicyKind::Ordinary, timeout);
}

/// A policy that comes later is for what is out already.
#[test]
fn a_policy_is_for_what_is_out() {
    let mut world = quiet(None);
    let mut c = patient(&mut world);
    c.declare("q", &TableBuf::new());
    c.consume(2, "q", "t", false);
    c.publish(1, "", "q", "m");
    c.seen(&mut world);
    world.wait(seconds(3));
    set_timeout(&mut world, 5000);
    world.wait(Duration::from_millis(1999));
    assert!(c.seen(&mut world).is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(c.seen(&mut world), [LATE]);
}

/// STOMP in RabbitMQ's dialect has the time of the settings, and ActiveMQ knows none: there
/// only what the queue or the subscription says holds.
#[test]
fn what_holds_for_a_stomp_client() {
    let rows = [
        (StompDialect::RabbitMq, None, "", Some(30 * MINUTE)),
        (
            StompDialect::RabbitMq,
            Some(9000),
            "x-consumer-timeout:5000\n",
            Some(5000),
        ),
        (StompDialect::ActiveMq, None, "", None),
        (StompDialect::ActiveMq, Some(5000), "", Some(5000)),
        (
            StompDialect::ActiveMq,
            None,
            "x-consumer-timeout:5000\n",
            Some(5000),
        ),
    ];
    for (stomp_dialect, of_queue, header, expected) in rows {
        let row = (stomp_dialect, of_queue, header);
        let mut world = World::with(Config {
            stomp_dialect,
            ..Config::default()
        });
        let mut owner = patient(&mut world);
        owner.declare("q", &timeout(of_queue));
        owner.publish(1, "", "q", "m");
        owner.seen(&mut world);
        let c = Stomp::connect(&mut world);
        let more = format!("ack:client\n{header}");
        c.subscribe(&mut world, "1", "/amq/queue/q", &more);
        assert_eq!(c.messages(&mut world), ["m"]);
        let almost = Duration::from_millis(expected.unwrap_or(24 * 60 * MINUTE) - 1);
        world.wait(almost);
        assert!(!world.is_closed(c.0), "{row:?}");
        world.wait(Duration::from_millis(1));
        assert_eq!(world.is_closed(c.0), expected.is_some(), "{row:?}");
    }
}

/// A subscription with a time that is none.
#[test]
fn a_time_of_a_subscription_that_is_none_is_an_error() {
    let mut world = World::new();
    let c = Stomp::connect(&mut world);
    c.subscribe(&mut world, "1", "/queue/q", "x-consumer-timeout:soon\n");
    let frames = c.frames(&mut world);
    assert_eq!(frames[0].command, "ERROR");
    assert_eq!(frames[0].header("message"), Some("Invalid header"));
}
