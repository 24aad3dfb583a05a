//! Direct replies (`amq.rabbitmq.reply-to`) wait for a requester that reads
//! slowly, as they do in RabbitMQ.

use crate::world::World;
use crate::world::amqp::Amqp;
use amqp_codec::method::confirm;
use amqp_codec::{PropertyFields, method};
use mq_core::Config;

const HIGH_WATER: usize = 10_000;

fn world() -> World {
    let mut config = Config::default();
    config.limits.transmit_high_water = HIGH_WATER;
    config.limits.queue_messages = 20;
    World::with(config)
}

/// A requester, a responder that confirms its publishes, and the name that
/// reaches the requester.
fn ask(world: &mut World) -> (Amqp, Amqp, String) {
    let mut server = Amqp::connect(world);
    server.declare("service", &Default::default());
    server.consume(1, "service", "s", true);
    server
        .codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    server.seen(world);
    let mut client = Amqp::connect(world);
    client.consume(1, "amq.rabbitmq.reply-to", "replies", true);
    let asking = PropertyFields {
        reply_to: Some("amq.rabbitmq.reply-to".into()),
        ..Default::default()
    };
    client.publish_with(1, "", "service", "question", false, &asking);
    client.seen(world);
    server.seen(world);
    let question = server.contents.pop().unwrap();
    let reply_to = question.properties().reply_to().unwrap().to_string();
    (client, server, reply_to)
}

fn body(n: usize) -> String {
    format!("{n:04}{}", "x".repeat(3 * HIGH_WATER / 2))
}

#[test]
fn replies_wait_until_the_requester_reads() {
    let mut world = world();
    let (mut client, mut server, reply_to) = ask(&mut world);
    world.socket(client.id).slow = true;
    for n in 0..6 {
        server.publish(1, "", &reply_to, &body(n));
        server.seen(&mut world);
    }
    assert!(world.socket(client.id).untold < 5 * HIGH_WATER);
    let mut numbers = Vec::new();
    for _ in 0..100 {
        world.tell(client.id, HIGH_WATER / 4);
        client.seen(&mut world);
        for content in client.contents.drain(..) {
            numbers.push(String::from_utf8_lossy(&content.body()[..4]).into_owned());
        }
    }
    assert_eq!(numbers, ["0000", "0001", "0002", "0003", "0004", "0005"]);
    let s = world.broker.statistics();
    assert_eq!((s.ready, s.unacknowledged, s.refused), (0, 0, 0));
    assert_eq!(s.queued, s.acknowledged);
}

#[test]
fn a_reply_beyond_the_limit_of_a_queue_is_not_confirmed() {
    let mut world = world();
    let (client, mut server, reply_to) = ask(&mut world);
    world.socket(client.id).slow = true;
    for n in 0..40 {
        server.publish(1, "", &reply_to, &body(n));
    }
    let seen = server.seen(&mut world);
    let count = |word| seen.iter().filter(|s| s.starts_with(word)).count();
    assert!(count("nack") > 0, "{seen:?}");
    assert_eq!(
        world.broker.statistics().refused,
        count("nack") as u64,
        "{seen:?}"
    );
}

/// How replies end, and whether anything is left of them.
type End = fn(&mut Amqp, &mut World);

const ENDS: [(&str, End); 3] = [
    ("cancel", |c, w| {
        let cancel = method::basic::Cancel {
            consumer_tag: "replies",
            no_wait: false,
        };
        c.codec.cancel(1, &cancel).unwrap();
        assert_eq!(c.answer(w), "basic.cancel-ok");
    }),
    ("channel.close", |c, w| {
        c.codec.close_channel(1).unwrap();
        c.seen(w);
    }),
    ("the connection dies", |c, w| w.cut(c.id)),
];

#[test]
fn a_requester_that_is_gone_gets_nothing_and_leaves_nothing() {
    for (how, end) in ENDS {
        let mut world = world();
        let (mut client, mut server, reply_to) = ask(&mut world);
        end(&mut client, &mut world);
        let fields = PropertyFields::default();
        server.publish_with(1, "", &reply_to, "late", true, &fields);
        let seen = server.seen(&mut world);
        assert!(seen.contains(&"return 312 late".into()), "{how}: {seen:?}");
        let s = world.broker.statistics();
        assert_eq!((s.ready, s.unacknowledged), (0, 0), "{how}");
    }
}

/// Nobody else can use the name as a queue: RabbitMQ knows it for
/// `queue.declare` alone, where it tells whether the requester is there.
#[test]
fn the_name_is_no_queue_for_others() {
    let mut world = world();
    let (_client, mut server, reply_to) = ask(&mut world);
    server.consume(2, &reply_to, "thief", true);
    assert!(
        server.answer(&mut world).starts_with("channel.close 404"),
        "consume"
    );
    server.get(&reply_to, true);
    assert!(
        server.answer(&mut world).starts_with("channel.close 404"),
        "get"
    );
}
