//! What users of ActiveMQ Classic rely on, over STOMP. The names behind the rules are classes of
//! `apache/activemq` and pages of its documentation.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::stomp::{Frame, Stomp};
use mq_core::{Config, StompDialect};
use std::time::Duration;

const DIALECTS: [StompDialect; 2] = [StompDialect::RabbitMq, StompDialect::ActiveMq];

fn world(dialect: StompDialect) -> World {
    World::with(Config {
        stomp_dialect: dialect,
        ..Config::default()
    })
}

fn active() -> World {
    world(StompDialect::ActiveMq)
}

fn send(client: Stomp, world: &mut World, destination: &str, headers: &str, body: &str) {
    client.send(
        world,
        &format!("SEND\ndestination:{destination}\n{headers}\n{body}"),
    );
}

/// Subscribes, and receives the receipt.
fn subscribe(client: Stomp, world: &mut World, id: &str, destination: &str, more: &str) {
    client.subscribe(world, id, destination, more);
    let frames = client.frames(world);
    assert!(
        frames.iter().any(|frame| frame.command == "RECEIPT"),
        "{frames:?}"
    );
}

/// The messages that came.
fn messages(client: Stomp, world: &mut World) -> Vec<Frame> {
    let frames = client.frames(world).into_iter();
    frames.filter(|frame| frame.command == "MESSAGE").collect()
}

fn ack(client: Stomp, world: &mut World, command: &str, message: &Frame, more: &str) {
    let id = message.header("ack").expect("it is to be acknowledged");
    client.send(world, &format!("{command}\nid:{id}\n{more}\n"));
}

/// `DestinationFilter`: `*` is one element, and `>` all that follow.
#[test]
fn wildcards_of_both_styles() {
    for (dialect, filter, topic, matches) in [
        (StompDialect::ActiveMq, "a.*", "a.b", true),
        (StompDialect::ActiveMq, "a.*", "a.b.c", false),
        (StompDialect::ActiveMq, "a.>", "a.b.c", true),
        (StompDialect::ActiveMq, "a.>", "a", true),
        (StompDialect::ActiveMq, ">", "a.b", true),
        (StompDialect::RabbitMq, "a.>", "a.b", false),
        (StompDialect::RabbitMq, "a.#", "a.b.c", true),
    ] {
        let mut world = world(dialect);
        let client = Stomp::connect(&mut world);
        subscribe(client, &mut world, "1", &format!("/topic/{filter}"), "");
        send(client, &mut world, &format!("/topic/{topic}"), "", "m");
        let seen = !client.messages(&mut world).is_empty();
        assert_eq!(seen, matches, "{dialect:?} {filter} {topic}");
    }
}

/// "Composite Destinations": a copy for each, and a subscription to all of them.
#[test]
fn composite_destinations() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        let client = Stomp::connect(&mut world);
        subscribe(client, &mut world, "t", "/topic/t", "");
        send(
            client,
            &mut world,
            "/queue/a,/queue/b,/topic/t,/queue/a",
            "receipt:r\n",
            "m",
        );
        let frames = client.frames(&mut world);
        assert_eq!(frames.iter().filter(|f| f.command == "RECEIPT").count(), 1);
        assert_eq!(frames.iter().filter(|f| f.body == "m").count(), 1);
        assert_eq!(world.broker.statistics().ready, 2);
        subscribe(client, &mut world, "q", "/queue/a,/queue/b", "");
        send(client, &mut world, "/queue/b", "", "later");
        client.frames(&mut world);
        assert_eq!(world.broker.statistics().ready, 0);
        client.send(&mut world, "UNSUBSCRIBE\nid:q\n\n");
        send(client, &mut world, "/queue/a,/queue/b", "", "kept");
        assert_eq!(world.broker.statistics().ready, 2, "both are over");
        // In a transaction too.
        client.send(&mut world, "BEGIN\ntransaction:x\n\n");
        send(
            client,
            &mut world,
            "/queue/a,/queue/b",
            "transaction:x\n",
            "m",
        );
        assert_eq!(world.broker.statistics().ready, 2);
        client.send(&mut world, "COMMIT\ntransaction:x\n\n");
        assert_eq!(world.broker.statistics().ready, 4);
    }
}

/// `LegacyFrameTranslator`: without a prefix it is a queue, in the one style; in the other it
/// is nothing.
#[test]
fn a_name_alone() {
    for (dialect, expected) in [(StompDialect::ActiveMq, 1), (StompDialect::RabbitMq, 0)] {
        let mut world = world(dialect);
        let client = Stomp::connect(&mut world);
        send(client, &mut world, "orders", "", "m");
        let ready = world.broker.queues().find(|queue| &*queue.name == "orders");
        assert_eq!(ready.map_or(0, |queue| queue.ready), expected);
    }
}

/// "Virtual Destinations": each `Consumer.NAME.VirtualTopic.X` has a copy of what is published
/// to the topic, and its consumers share that.
#[test]
fn virtual_topics() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        let [a, b, c] = [(); 3].map(|()| Stomp::connect(&mut world));
        send(a, &mut world, "/topic/VirtualTopic.Orders", "", "too early");
        subscribe(
            a,
            &mut world,
            "1",
            "/queue/Consumer.A.VirtualTopic.Orders",
            "",
        );
        subscribe(
            b,
            &mut world,
            "1",
            "/queue/Consumer.A.VirtualTopic.Orders",
            "",
        );
        subscribe(
            c,
            &mut world,
            "1",
            "/queue/Consumer.B.VirtualTopic.Orders",
            "",
        );
        subscribe(c, &mut world, "2", "/topic/VirtualTopic.Orders", "");
        for body in ["1", "2"] {
            send(a, &mut world, "/topic/VirtualTopic.Orders", "", body);
        }
        let mut shared = a.messages(&mut world);
        shared.extend(b.messages(&mut world));
        shared.sort();
        assert_eq!(shared, ["1", "2"], "{dialect:?}");
        let mut both = c.messages(&mut world);
        both.sort();
        assert_eq!(both, ["1", "1", "2", "2"]);
        // The queue is there while nobody consumes from it.
        world.cut(c.0);
        send(a, &mut world, "/topic/VirtualTopic.Orders", "", "3");
        let d = Stomp::connect(&mut world);
        subscribe(
            d,
            &mut world,
            "1",
            "/queue/Consumer.B.VirtualTopic.Orders",
            "",
        );
        send(a, &mut world, "/topic/VirtualTopic.Orders", "", "4");
        assert_eq!(d.messages(&mut world).last().map(String::as_str), Some("4"));
    }
}

/// `Queue.assignMessageGroup`.
#[test]
fn message_groups_stay_with_a_consumer() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        let [a, b, p] = [(); 3].map(|()| Stomp::connect(&mut world));
        subscribe(a, &mut world, "1", "/queue/q", "ack:client-individual\n");
        subscribe(b, &mut world, "1", "/queue/q", "ack:client-individual\n");
        let say = |world: &mut World, group: &str, more: &str, body: &str| {
            let headers = format!("JMSXGroupID:{group}\n{more}");
            send(p, world, "/queue/q", &headers, body);
        };
        for n in 0..4 {
            say(&mut world, "x", "", &format!("x{n}"));
            say(&mut world, "y", "", &format!("y{n}"));
        }
        let (of_a, of_b) = (messages(a, &mut world), messages(b, &mut world));
        let group = |frames: &[Frame]| frames[0].header("JMSXGroupID").unwrap().to_owned();
        assert_ne!(group(&of_a), group(&of_b));
        for frames in [&of_a, &of_b] {
            let first = frames[0].header("JMSXGroupFirstForConsumer");
            assert_eq!(first, Some("true"));
            let name = group(frames);
            for (n, frame) in frames.iter().enumerate() {
                assert_eq!(frame.body, format!("{name}{n}"));
                let first = frame.header("JMSXGroupFirstForConsumer");
                assert_eq!(first.is_some(), n == 0);
            }
            assert_eq!(frames.len(), 4);
        }
        // The one leaves: what it held and what comes is for the other.
        let left = group(&of_a);
        world.cut(a.0);
        say(&mut world, &left, "", "after");
        let seen: Vec<String> = b.messages(&mut world);
        let expected: Vec<String> = (0..4).map(|n| format!("{left}{n}")).collect();
        assert_eq!(seen, [expected, vec!["after".to_owned()]].concat());
    }
}

/// A consumer that cannot take a message of its group keeps nobody else waiting, and a group
/// that is closed is for anybody.
#[test]
fn a_group_waits_for_its_consumer_alone() {
    let mut world = World::new();
    let [a, b, p] = [(); 3].map(|()| Stomp::connect(&mut world));
    let one = "ack:client-individual\nprefetch-count:1\n";
    subscribe(a, &mut world, "1", "/queue/q", one);
    let say = |world: &mut World, headers: &str, body: &str| {
        send(p, world, "/queue/q", headers, body);
    };
    say(&mut world, "JMSXGroupID:x\n", "x1");
    let first = messages(a, &mut world);
    assert_eq!(first[0].body, "x1");
    subscribe(b, &mut world, "1", "/queue/q", one);
    say(&mut world, "JMSXGroupID:x\n", "x2");
    say(&mut world, "", "plain");
    let plain = messages(b, &mut world);
    assert_eq!(plain[0].body, "plain", "x2 is not for b");
    ack(b, &mut world, "ACK", &plain[0], "");
    assert!(messages(b, &mut world).is_empty());
    ack(a, &mut world, "ACK", &first[0], "");
    let second = messages(a, &mut world);
    assert_eq!(second[0].body, "x2");
    // It is closed by the last of its messages, and b is free.
    say(&mut world, "JMSXGroupID:x\nJMSXGroupSeq:-1\n", "x3");
    ack(a, &mut world, "ACK", &second[0], "");
    let third = messages(a, &mut world);
    assert_eq!(third[0].body, "x3");
    say(&mut world, "JMSXGroupID:x\n", "x4");
    let fourth = messages(b, &mut world);
    assert_eq!(fourth[0].body, "x4");
    assert_eq!(fourth[0].header("JMSXGroupFirstForConsumer"), Some("true"));
}

/// What is in the queue before the first group, or before its consumers, is found as well.
#[test]
fn groups_begin_in_the_middle() {
    let mut world = World::new();
    let [a, p] = [(); 2].map(|()| Stomp::connect(&mut world));
    for body in ["1", "2"] {
        send(p, &mut world, "/queue/q", "", body);
    }
    send(p, &mut world, "/queue/q", "JMSXGroupID:x\n", "3");
    send(p, &mut world, "/queue/q", "", "4");
    subscribe(a, &mut world, "1", "/queue/q", "");
    send(p, &mut world, "/queue/q", "", "5");
    world.cut(p.0);
    let b = Stomp::connect(&mut world);
    assert_eq!(world.broker.statistics().ready, 0);
    subscribe(b, &mut world, "1", "/queue/q", "");
    let stays = world.broker.statistics();
    assert_eq!(stays.queued, stays.acknowledged);
}

/// "Exclusive Consumer": the one of the highest priority, then the oldest, gets everything.
#[test]
fn exclusive_consumers() {
    let mut world = World::new();
    let [plain, first, second, p] = [(); 4].map(|()| Stomp::connect(&mut world));
    subscribe(plain, &mut world, "1", "/queue/q", "");
    subscribe(
        first,
        &mut world,
        "1",
        "/queue/q",
        "activemq.exclusive:true\n",
    );
    let higher = "activemq.exclusive:true\nactivemq.priority:9\n";
    subscribe(second, &mut world, "1", "/queue/q", higher);
    let mut seen = Vec::new();
    for leaves in [second, first, plain] {
        for body in ["1", "2"] {
            send(p, &mut world, "/queue/q", "", body);
        }
        seen.push(
            [plain, first, second].map(|client| match world.is_closed(client.0) {
                true => 0,
                false => client.messages(&mut world).len(),
            }),
        );
        world.cut(leaves.0);
    }
    assert_eq!(seen, [[0, 0, 2], [0, 2, 0], [2, 0, 0]]);
}

/// "Browse": what is there, once and in order, and then the end; nothing is taken.
#[test]
fn browsing_a_queue() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        let [client, p] = [(); 2].map(|()| Stomp::connect(&mut world));
        for n in 0..5 {
            send(
                p,
                &mut world,
                "/queue/q",
                &format!("n:{n}\n"),
                &n.to_string(),
            );
        }
        for (selector, expected) in [
            ("", "01234"),
            ("selector:n = '3'\n", "3"),
            ("selector:n = 'x'\n", ""),
        ] {
            let headers = format!("browser:true\n{selector}");
            client.subscribe(&mut world, "b", "/queue/q", &headers);
            let frames = client.frames(&mut world);
            assert_eq!(frames[0].command, "RECEIPT", "dispatch starts after it");
            let end = frames.last().unwrap();
            assert_eq!(end.header("browser"), Some("end"));
            assert_eq!(end.header("subscription"), Some("b"));
            let bodies: String = frames[1..].iter().map(|frame| &*frame.body).collect();
            assert_eq!(bodies, expected, "{dialect:?} {selector}");
            client.send(&mut world, "UNSUBSCRIBE\nid:b\n\n");
        }
        assert_eq!(world.broker.statistics().ready, 5);
        subscribe(client, &mut world, "s", "/queue/q", "");
        assert_eq!(world.broker.statistics().ready, 0);
    }
}

/// `maxBrowsePageSize` is 400, and only a queue can be browsed.
#[test]
fn what_can_be_browsed() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    for _ in 0..410 {
        send(client, &mut world, "/queue/q", "", "m");
    }
    client.subscribe(&mut world, "b", "/queue/q", "browser:true\n");
    assert_eq!(client.frames(&mut world).len(), 1 + 400 + 1);
    for destination in ["/topic/t", "/queue/a,/queue/b"] {
        let client = Stomp::connect(&mut world);
        client.subscribe(&mut world, "b", destination, "browser:true\n");
        assert_eq!(client.frames(&mut world)[0].command, "ERROR");
    }
}

/// "NACK is a poison ack": to `ActiveMQ.DLQ` at once, which is made for it. In RabbitMQ's words
/// NACK puts back, and there is no such queue.
#[test]
fn nack_and_the_dead_letter_queue() {
    for (dialect, back, dead) in [
        (StompDialect::ActiveMq, 0, 1),
        (StompDialect::RabbitMq, 1, 0),
    ] {
        let mut world = world(dialect);
        let client = Stomp::connect(&mut world);
        send(client, &mut world, "/queue/q", "persistent:true\n", "m");
        subscribe(
            client,
            &mut world,
            "1",
            "/queue/q",
            "ack:client-individual\nprefetch-count:1\n",
        );
        client.send(&mut world, "UNSUBSCRIBE\nid:1\n\n");
        client.subscribe(&mut world, "2", "/queue/q", "ack:client-individual\n");
        let message = messages(client, &mut world).remove(0);
        client.send(&mut world, "UNSUBSCRIBE\nid:2\n\n");
        let other = Stomp::connect(&mut world);
        other.subscribe(&mut world, "3", "/queue/q", "ack:client-individual\n");
        let again = messages(other, &mut world).remove(0);
        assert_eq!(again.body, message.body);
        assert_eq!(again.header("redelivered"), Some("true"));
        ack(other, &mut world, "NACK", &again, "");
        assert_eq!(messages(other, &mut world).len(), back, "{dialect:?}");
        let letters = world.broker.queues().find(|q| &*q.name == "ActiveMQ.DLQ");
        assert_eq!(letters.map_or(0, |queue| queue.ready), dead);
    }
}

/// The queue for dead letters is there when it is needed, whatever the limit of queues is:
/// nobody could be told that it is not.
#[test]
fn dead_letters_have_a_queue_whatever_the_limit() {
    let mut config = Config {
        stomp_dialect: StompDialect::ActiveMq,
        ..Config::default()
    };
    config.limits.queues = 1;
    let mut world = World::with(config);
    let client = Stomp::connect(&mut world);
    let more = "ack:client-individual\n";
    subscribe(client, &mut world, "1", "/queue/q", more);
    send(client, &mut world, "/queue/q", "", "m");
    let message = messages(client, &mut world).remove(0);
    ack(client, &mut world, "NACK", &message, "");
    let letters = world.broker.queues().find(|q| &*q.name == "ActiveMQ.DLQ");
    assert_eq!(letters.map(|queue| queue.ready), Some(1));
}

/// `RedeliveryPolicy`: six redeliveries, each after a longer rest, and then the dead letters.
#[test]
fn redelivery_with_back_off() {
    let mut world = active();
    let client = Stomp::connect(&mut world);
    let policy = "x-redelivery-delay:1000\nx-redelivery-multiplier:2\n\
                  x-maximum-redelivery-delay:5000\nack:client-individual\n";
    subscribe(client, &mut world, "1", "/queue/q", policy);
    send(client, &mut world, "/queue/q", "", "m");
    for rest in [1000, 2000, 4000, 5000, 5000, 5000] {
        let message = messages(client, &mut world).remove(0);
        ack(client, &mut world, "NACK", &message, "requeue:true\n");
        world.wait(Duration::from_millis(rest - 1));
        assert!(messages(client, &mut world).is_empty(), "{rest}");
        let held = world.broker.statistics();
        assert_eq!((held.ready, held.unacknowledged), (0, 1));
        world.wait(Duration::from_millis(1));
    }
    let message = messages(client, &mut world).remove(0);
    ack(client, &mut world, "NACK", &message, "requeue:true\n");
    world.wait(Duration::from_secs(60));
    assert!(messages(client, &mut world).is_empty());
    let letters = world.broker.queues().find(|q| &*q.name == "ActiveMQ.DLQ");
    assert_eq!(letters.map(|queue| queue.ready), Some(1));
}

/// `individualDeadLetterStrategy`: `ActiveMQ.DLQ.Queue.` and the name. What is given up there
/// stays there ("a message in its own DLQ").
#[test]
fn individual_dead_letter_queues() {
    let mut world = World::with(Config {
        stomp_dialect: StompDialect::ActiveMq,
        individual_dead_letters: true,
        ..Config::default()
    });
    let client = Stomp::connect(&mut world);
    let queues = ["/queue/q", "/queue/ActiveMQ.DLQ.Queue.q"];
    for (queue, id) in queues.into_iter().zip(["1", "2"]) {
        client.subscribe(&mut world, id, queue, "ack:client-individual\n");
        if id == "1" {
            send(client, &mut world, queue, "persistent:true\n", "m");
        }
        let message = messages(client, &mut world).remove(0);
        assert_eq!(message.body, "m", "{queue}");
        ack(client, &mut world, "NACK", &message, "");
    }
    assert!(messages(client, &mut world).is_empty());
    let names: Vec<_> = world.broker.queues().map(|queue| queue.name).collect();
    assert!(
        !names.iter().any(|name| &**name == "ActiveMQ.DLQ"),
        "{names:?}"
    );
}

fn advising() -> World {
    World::with(Config {
        stomp_dialect: StompDialect::ActiveMq,
        advisories: true,
        ..Config::default()
    })
}

/// What came under advisory topics: the topic, and how many consumers there are, or what has
/// become of a destination. Names that the broker has made up are `?`.
fn advised(client: Stomp, world: &mut World) -> Vec<String> {
    let said = |frame: Frame| {
        let destination = frame.header("destination").unwrap();
        let topic = destination
            .strip_prefix("/topic/ActiveMQ.Advisory.")
            .unwrap();
        assert_eq!(frame.header("type"), Some("Advisory"), "{frame:?}");
        let count = frame
            .header("consumerCount")
            .map(|count| format!(" {count}"));
        let mut text = topic.to_owned() + &count.unwrap_or_default();
        assert_eq!(frame.header("transformation"), Some("jms-advisory-json"));
        if let Some(info) = frame.body.strip_prefix(r#"{"DestinationInfo":"#) {
            let (_, rest) = info.split_once(r#""string":""#).unwrap();
            let (name, rest) = rest.split_once('"').unwrap();
            let what = match rest.contains(r#""operationType":0"#) {
                true => "created",
                false => "destroyed",
            };
            text = format!("{topic} {name} {what}");
        }
        if let Some(at) = text.find("stomp-temporary-") {
            let end = text[at..].find(' ').map_or(text.len(), |end| at + end);
            text.replace_range(at..end, "?");
        }
        text
    };
    messages(client, world).into_iter().map(said).collect()
}

/// `AdvisoryBroker`: `ActiveMQ.Advisory.Connection`, `Consumer.Queue.NAME` and
/// `Consumer.Topic.NAME`, with `consumerCount`. Nothing is said about those who listen there.
#[test]
fn advisories_of_connections_and_consumers() {
    let mut world = advising();
    let listener = Stomp::connect(&mut world);
    subscribe(listener, &mut world, "1", "/topic/ActiveMQ.Advisory.>", "");
    assert!(advised(listener, &mut world).is_empty());
    let client = Stomp::connect(&mut world);
    assert_eq!(advised(listener, &mut world), ["Connection"]);
    subscribe(client, &mut world, "q", "/queue/a", "");
    subscribe(client, &mut world, "t", "/topic/b.c", "");
    assert_eq!(
        advised(listener, &mut world),
        [
            "Queue a created",
            "Consumer.Queue.a 1",
            "Topic b.c created",
            "Consumer.Topic.b.c 1"
        ]
    );
    let mut amqp = Amqp::connect(&mut world);
    amqp.consume(2, "a", "tag", true);
    amqp.seen(&mut world);
    listener.subscribe(&mut world, "2", "/topic/b.c", "");
    assert_eq!(
        advised(listener, &mut world),
        ["Connection", "Consumer.Queue.a 2", "Consumer.Topic.b.c 2"]
    );
    client.send(&mut world, "UNSUBSCRIBE\nid:q\n\n");
    assert_eq!(advised(listener, &mut world), ["Consumer.Queue.a 1"]);
    world.cut(client.0);
    let mut seen = advised(listener, &mut world);
    seen.sort();
    assert_eq!(seen, ["Connection", "Consumer.Topic.b.c 1"]);
    // A queue goes with its consumers.
    crate::world::amqp::delete_queue(&mut amqp, "a", false, false);
    amqp.seen(&mut world);
    assert_eq!(advised(listener, &mut world), ["Queue a destroyed"]);
}

/// `AdvisoryBroker.addDestination`, `removeDestination`: measured at ActiveMQ 5.17.2, whose
/// bodies have these and more fields.
#[test]
fn advisories_of_destinations() {
    let mut world = advising();
    let listener = Stomp::connect(&mut world);
    subscribe(listener, &mut world, "1", "/topic/ActiveMQ.Advisory.>", "");
    let client = Stomp::connect(&mut world);
    advised(listener, &mut world);
    for (frame, expected) in [
        (
            "SEND\ndestination:/queue/a,b\n\nm",
            &["Queue a created", "Queue b created"][..],
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/temp-queue/t\n\n",
            &["TempQueue ? created", "Consumer.Queue.? 1"],
        ),
        (
            "SUBSCRIBE\nid:2\ndestination:/temp-topic/t\n\n",
            &["TempTopic ? created", "Consumer.Topic.? 1"],
        ),
        ("SEND\ndestination:/topic/nobody\n\nm", &[]),
        (
            "SUBSCRIBE\nid:3\ndestination:/topic/x\n\n",
            &["Topic x created", "Consumer.Topic.x 1"],
        ),
        (
            "UNSUBSCRIBE\nid:3\n\n",
            &["Consumer.Topic.x 0", "Topic x destroyed"],
        ),
        (
            "UNSUBSCRIBE\nid:2\n\n",
            &["Consumer.Topic.? 0", "TempTopic ? destroyed"],
        ),
        (
            "UNSUBSCRIBE\nid:1\n\n",
            &["Consumer.Queue.? 0", "TempQueue ? destroyed"],
        ),
    ] {
        client.send(&mut world, frame);
        assert_eq!(advised(listener, &mut world), expected, "{frame}");
    }
}

/// `AdvisoryBroker.messageExpired`, `sendToDeadLetterQueue`.
#[test]
fn advisories_of_messages() {
    let mut world = advising();
    let listener = Stomp::connect(&mut world);
    subscribe(listener, &mut world, "1", "/topic/ActiveMQ.Advisory.>", "");
    let client = Stomp::connect(&mut world);
    send(client, &mut world, "/queue/q", "expires:1000\n", "m");
    advised(listener, &mut world);
    world.wait(Duration::from_secs(2));
    assert_eq!(
        advised(listener, &mut world),
        [
            "MessageDLQd.Queue.q",
            "Expired.Queue.q",
            "Queue ActiveMQ.DLQ created"
        ]
    );
    let more = "ack:client-individual\n";
    subscribe(client, &mut world, "1", "/queue/q", more);
    send(client, &mut world, "/queue/q", "", "refused");
    let message = messages(client, &mut world).remove(0);
    advised(listener, &mut world);
    ack(client, &mut world, "NACK", &message, "");
    assert_eq!(advised(listener, &mut world), ["MessageDLQd.Queue.q"]);
}

/// They are said where the settings want them, in ActiveMQ's dialect alone.
#[test]
fn advisories_are_off() {
    for (stomp_dialect, advisories) in [
        (StompDialect::ActiveMq, false),
        (StompDialect::RabbitMq, true),
    ] {
        let mut world = World::with(Config {
            stomp_dialect,
            advisories,
            ..Config::default()
        });
        let listener = Stomp::connect(&mut world);
        subscribe(listener, &mut world, "1", "/topic/ActiveMQ.Advisory.#", "");
        let client = Stomp::connect(&mut world);
        subscribe(client, &mut world, "q", "/queue/a", "");
        assert!(messages(listener, &mut world).is_empty());
    }
}

/// A queue that goes while a message rests takes it with it.
#[test]
fn a_queue_goes_with_what_rests_in_it() {
    let mut world = World::new();
    let mut amqp = Amqp::connect(&mut world);
    let client = Stomp::connect(&mut world);
    let policy = "x-redelivery-delay:1000\nack:client-individual\n";
    subscribe(client, &mut world, "1", "/queue/q", policy);
    send(client, &mut world, "/queue/q", "", "m");
    let message = messages(client, &mut world).remove(0);
    ack(client, &mut world, "NACK", &message, "");
    client.send(&mut world, "UNSUBSCRIBE\nid:1\n\n");
    crate::world::amqp::delete_queue(&mut amqp, "q", false, false);
    amqp.answer(&mut world);
    world.wait(Duration::from_secs(5));
    let counts = world.broker.statistics();
    assert_eq!(
        (counts.ready, counts.unacknowledged, counts.discarded),
        (0, 0, 1)
    );
    amqp.declare("q", &table([]));
    assert_eq!(amqp.answer(&mut world), "queue.declare-ok q 0 0");
}

/// Expired messages go to the dead letters as well (`processExpired`).
#[test]
fn expiry_to_the_dead_letters() {
    let mut world = active();
    let client = Stomp::connect(&mut world);
    world.wait(Duration::from_secs(100));
    // Milliseconds of Unix time.
    send(
        client,
        &mut world,
        "/queue/q",
        "expires:101000\npersistent:true\n",
        "m",
    );
    world.wait(Duration::from_secs(2));
    let letters = world.broker.queues().find(|q| &*q.name == "ActiveMQ.DLQ");
    assert_eq!(letters.map(|queue| queue.ready), Some(1));
}

/// `FrameTranslator`: what a MESSAGE says, whatever its SEND did.
#[test]
fn headers_of_jms() {
    for (sent, expected) in [
        (
            "",
            vec![
                ("priority", Some("4")),
                ("expires", Some("0")),
                ("timestamp", Some("100000")),
            ],
        ),
        (
            "priority:12\ntimestamp:7000\nexpires:107000\ntype:t\ncorrelation-id:c\n",
            vec![
                ("priority", Some("9")),
                ("timestamp", Some("7000")),
                ("expires", Some("107000")),
                ("type", Some("t")),
                ("correlation-id", Some("c")),
            ],
        ),
        (
            "JMSType:t\nJMSCorrelationID:c\nJMSPriority:2\nJMSDeliveryMode:PERSISTENT\n",
            vec![
                ("type", Some("t")),
                ("correlation-id", Some("c")),
                ("priority", Some("2")),
                ("persistent", Some("true")),
            ],
        ),
        (
            "JMSXUserID:root\nredelivered:true\nsubscription:x\nother:1\n",
            vec![
                ("JMSXUserID", None),
                ("redelivered", None),
                ("other", Some("1")),
            ],
        ),
    ] {
        let mut world = active();
        let client = Stomp::connect(&mut world);
        subscribe(client, &mut world, "1", "/queue/q", "");
        world.wait(Duration::from_secs(100));
        send(client, &mut world, "/queue/q", sent, "m");
        let message = messages(client, &mut world).remove(0);
        for (name, value) in expected {
            assert_eq!(message.header(name), value, "{sent}");
        }
    }
}

/// Request and reply: the requester subscribes to its own temporary queue, and the responder
/// sees a name that it can answer to.
#[test]
fn temporary_queues() {
    let mut world = active();
    let [requester, responder] = [(); 2].map(|()| Stomp::connect(&mut world));
    subscribe(responder, &mut world, "1", "/queue/service", "");
    subscribe(requester, &mut world, "r", "/temp-queue/answers", "");
    send(
        requester,
        &mut world,
        "/queue/service",
        "reply-to:/temp-queue/answers\n",
        "question",
    );
    let question = messages(responder, &mut world).remove(0);
    let reply_to = question.header("reply-to").unwrap().to_owned();
    send(responder, &mut world, &reply_to, "", "answer");
    let answer = messages(requester, &mut world).remove(0);
    assert_eq!(answer.body, "answer");
    assert_eq!(answer.header("destination"), Some("/temp-queue/answers"));
    assert_eq!(answer.header("subscription"), Some("r"));
    // It is nobody else's, and goes with its connection.
    let name = reply_to.rsplit('/').next().unwrap().to_owned();
    let other = Stomp::connect(&mut world);
    other.subscribe(&mut world, "x", &format!("/amq/queue/{name}"), "");
    assert_eq!(other.frames(&mut world)[0].command, "ERROR");
    world.cut(requester.0);
    assert!(world.broker.queues().all(|queue| *queue.name != *name));
}

#[test]
fn temporary_topics() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        let [a, b, responder] = [(); 3].map(|()| Stomp::connect(&mut world));
        subscribe(a, &mut world, "1", "/temp-topic/t", "");
        subscribe(b, &mut world, "1", "/temp-topic/t", "");
        subscribe(responder, &mut world, "1", "/queue/service", "");
        send(a, &mut world, "/temp-topic/t", "", "own");
        let own = messages(a, &mut world);
        assert_eq!(own[0].header("destination"), Some("/temp-topic/t"));
        assert!(messages(b, &mut world).is_empty(), "it has another");
        send(
            a,
            &mut world,
            "/queue/service",
            "reply-to:/temp-topic/t\n",
            "question",
        );
        let question = messages(responder, &mut world).remove(0);
        let reply_to = question.header("reply-to").unwrap().to_owned();
        send(responder, &mut world, &reply_to, "", "answer");
        assert_eq!(a.messages(&mut world), ["answer"]);
    }
}
