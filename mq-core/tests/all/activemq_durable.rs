//! Durable subscriptions to topics as ActiveMQ has them over STOMP ("STOMP", "ActiveMQ
//! Classic extensions"; `ProtocolConverter`, `TopicRegion`), and what else a subscription to a
//! topic may ask for.

use crate::world::World;
use crate::world::log::storing;
use crate::world::stomp::{Frame, Stomp};
use mq_core::{Config, Protocol, StompDialect};

const DIALECTS: [StompDialect; 2] = [StompDialect::RabbitMq, StompDialect::ActiveMq];

fn world(stomp_dialect: StompDialect) -> World {
    World::with(Config {
        stomp_dialect,
        ..Config::default()
    })
}

/// A client that says who it is.
fn client(world: &mut World, id: &str) -> Stomp {
    let client = Stomp(world.connect(Protocol::Stomp));
    let connect = format!("CONNECT\naccept-version:1.2\nhost:/\nclient-id:{id}\n\n");
    client.send(world, &connect);
    assert_eq!(client.frames(world)[0].command, "CONNECTED");
    client
}

/// Subscribes to a topic under a name. What comes up to the receipt is returned.
fn subscribe(client: Stomp, world: &mut World, topic: &str, name: &str, more: &str) -> Vec<Frame> {
    let headers = format!("activemq.subscriptionName:{name}\n{more}");
    client.subscribe(world, "1", topic, &headers);
    client.frames(world)
}

fn leave(client: Stomp, world: &mut World) {
    client.send(world, "DISCONNECT\n\n");
}

fn publish(world: &mut World, topic: &str, headers: &str, body: &str) {
    let publisher = Stomp::connect(world);
    let send = format!("SEND\ndestination:{topic}\npersistent:true\n{headers}\n{body}");
    publisher.send(world, &send);
    leave(publisher, world);
}

fn bodies(frames: &[Frame]) -> Vec<&str> {
    let messages = frames.iter().filter(|frame| frame.command == "MESSAGE");
    messages.map(|frame| &*frame.body).collect()
}

/// The key of a durable subscription is the client and the name: what was said while the client
/// was away comes to it, and to nobody else.
#[test]
fn a_subscription_waits_for_its_client() {
    for dialect in DIALECTS {
        let mut world = world(dialect);
        for (id, name) in [("c", "s"), ("c", "t"), ("d", "s")] {
            let one = client(&mut world, id);
            let frames = subscribe(one, &mut world, "/topic/a", name, "");
            assert_eq!(frames[0].command, "RECEIPT", "{frames:?}");
            leave(one, &mut world);
        }
        publish(&mut world, "/topic/a", "", "m");
        // Those who come again have it once.
        for (id, name, expected) in [
            ("c", "s", &["m"][..]),
            ("c", "s", &[]),
            ("d", "t", &[]),
            ("d", "s", &["m"]),
            ("c", "t", &["m"]),
        ] {
            let one = client(&mut world, id);
            let frames = subscribe(one, &mut world, "/topic/a", name, "");
            assert_eq!(bodies(&frames), expected, "{dialect:?} {id} {name}");
            leave(one, &mut world);
        }
    }
}

/// CONNECTED says the client's own name in ActiveMQ.
#[test]
fn the_session_is_the_client() {
    for (dialect, expected) in [
        (StompDialect::ActiveMq, true),
        (StompDialect::RabbitMq, false),
    ] {
        let mut world = world(dialect);
        let client = Stomp(world.connect(Protocol::Stomp));
        client.send(
            &mut world,
            "CONNECT\naccept-version:1.2\nhost:/\nclient-id:me\n\n",
        );
        let session = client.frames(&mut world)[0].header("session") == Some("me");
        assert_eq!(session, expected);
    }
}

/// "Durable consumer is in use": one at a time.
#[test]
fn a_subscription_is_for_one_at_a_time() {
    let mut world = world(StompDialect::ActiveMq);
    let first = client(&mut world, "c");
    subscribe(first, &mut world, "/topic/a", "s", "");
    let second = client(&mut world, "c");
    let frames = subscribe(second, &mut world, "/topic/a", "s", "");
    assert_eq!(frames[0].command, "ERROR");
    assert!(
        frames[0].body.contains("Durable consumer is in use"),
        "{frames:?}"
    );
    publish(&mut world, "/topic/a", "", "m");
    assert_eq!(first.messages(&mut world), ["m"]);
    // It is free again when its client has gone, or has unsubscribed.
    for gone in ["UNSUBSCRIBE\nid:1\n\n", "DISCONNECT\n\n"] {
        let other = client(&mut world, "c");
        first.send(&mut world, "UNSUBSCRIBE\nid:1\n\n");
        let frames = subscribe(other, &mut world, "/topic/a", "s", "");
        assert_eq!(frames[0].command, "RECEIPT", "{frames:?}");
        other.send(&mut world, gone);
        subscribe(first, &mut world, "/topic/a", "s", "");
        assert!(first.frames(&mut world).is_empty());
    }
}

/// `TopicRegion`: with another topic or selector the subscription is another one, and what
/// waits is gone.
#[test]
fn another_selector_or_topic_begins_anew() {
    for (topic, more, expected) in [
        ("/topic/a", "selector:n = '1'\n", &["m"][..]),
        ("/topic/a", "selector:n = '2'\n", &[]),
        ("/topic/a", "", &[]),
        ("/topic/b", "selector:n = '1'\n", &[]),
    ] {
        let mut world = world(StompDialect::ActiveMq);
        let one = client(&mut world, "c");
        subscribe(one, &mut world, "/topic/a", "s", "selector:n = '1'\n");
        leave(one, &mut world);
        publish(&mut world, "/topic/a", "n:1\n", "m");
        publish(&mut world, "/topic/a", "n:2\n", "unwanted");
        let one = client(&mut world, "c");
        let frames = subscribe(one, &mut world, topic, "s", more);
        assert_eq!(bodies(&frames), expected, "{topic} {more}");
        // It is in force.
        publish(&mut world, "/topic/b", "n:1\n", "b");
        let expected = if topic == "/topic/b" { &["b"][..] } else { &[] };
        assert_eq!(one.messages(&mut world), expected, "{topic} {more}");
    }
}

/// UNSUBSCRIBE with the name ends it for ever, also on a connection that has not subscribed
/// (`ProtocolConverter.onStompUnsubscribe`); by the id alone the client is only away.
#[test]
fn a_subscription_ends_by_its_name() {
    for (unsubscribe, expected) in [
        ("id:1\nreceipt:u\n", &["m"][..]),
        ("id:1\nreceipt:u\nactivemq.subscriptionName:s\n", &[]),
        ("id:9\nreceipt:u\nactivemq.subscriptionName:s\n", &[]),
        ("id:9\nreceipt:u\nactivemq.subscriptionName:other\n", &["m"]),
    ] {
        for is_new in [false, true] {
            let mut world = world(StompDialect::ActiveMq);
            let mut one = client(&mut world, "c");
            subscribe(one, &mut world, "/topic/a", "s", "");
            if is_new && unsubscribe.contains("id:1\n") {
                continue;
            }
            if is_new {
                leave(one, &mut world);
                one = client(&mut world, "c");
            }
            one.send(&mut world, &format!("UNSUBSCRIBE\n{unsubscribe}\n"));
            let frames = one.frames(&mut world);
            assert_eq!(frames[0].command, "RECEIPT", "{unsubscribe} {frames:?}");
            leave(one, &mut world);
            publish(&mut world, "/topic/a", "", "m");
            let one = client(&mut world, "c");
            let frames = subscribe(one, &mut world, "/topic/a", "s", "");
            assert_eq!(bodies(&frames), expected, "{unsubscribe} {is_new}");
        }
    }
}

#[test]
fn what_is_refused() {
    let named = "SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.subscriptionName:s\n\n";
    let on_a_queue = "SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.subscriptionName:s\n\n";
    for (id, frame, message, text) in [
        (None, named, "Missing header", "needs a client-id"),
        (
            Some("c"),
            on_a_queue,
            "Invalid header",
            "cannot durably subscribe to a Queue destination",
        ),
        (
            None,
            "UNSUBSCRIBE\nid:1\nactivemq.subscriptionName:s\n\n",
            "Missing header",
            "needs a client-id",
        ),
        // Not that of any subscription (STOMP 1.2, "UNSUBSCRIBE").
        (
            Some("c"),
            "UNSUBSCRIBE\nid:1\n\n",
            "unknown subscription",
            "",
        ),
        (
            Some("c"),
            "SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.maximumPendingMessageLimit:x\n\n",
            "Invalid header",
            "has to be a number",
        ),
    ] {
        let mut world = world(StompDialect::ActiveMq);
        let one = match id {
            Some(id) => client(&mut world, id),
            None => Stomp::connect(&mut world),
        };
        one.send(&mut world, frame);
        let frames = one.frames(&mut world);
        assert_eq!(frames[0].command, "ERROR", "{frame}");
        assert_eq!(frames[0].header("message"), Some(message), "{frame}");
        assert!(frames[0].body.contains(text), "{frames:?}");
    }
}

#[test]
fn subscriptions_outlive_the_broker() {
    let mut world = World::stored();
    let one = client(&mut world, "c/d");
    subscribe(one, &mut world, "/topic/a", "s/t", "selector:n = '1'\n");
    leave(one, &mut world);
    publish(&mut world, "/topic/a", "n:1\n", "before");
    world.crash_with(storing());
    world.turn();
    publish(&mut world, "/topic/a", "n:1\n", "after");
    publish(&mut world, "/topic/a", "n:2\n", "unwanted");
    let one = client(&mut world, "c/d");
    let frames = subscribe(one, &mut world, "/topic/a", "s/t", "selector:n = '1'\n");
    assert_eq!(bodies(&frames), ["before", "after"]);
}

/// `activemq.noLocal`: nothing that the subscriber's connection publishes, whatever the
/// command. Others get it, and it gets what others publish.
#[test]
fn no_local() {
    for (header, own) in [
        ("activemq.noLocal:true\n", 0),
        ("activemq.noLocal:false\n", 2),
        ("", 2),
    ] {
        let mut world = world(StompDialect::ActiveMq);
        let one = Stomp::connect(&mut world);
        let other = Stomp::connect(&mut world);
        one.subscribe(&mut world, "1", "/topic/a", header);
        other.subscribe(&mut world, "1", "/topic/a", header);
        one.frames(&mut world);
        other.frames(&mut world);
        one.send(&mut world, "SEND\ndestination:/topic/a\n\nm");
        one.send(&mut world, "BEGIN\ntransaction:t\n\n");
        one.send(&mut world, "SEND\ndestination:/topic/a\ntransaction:t\n\nm");
        one.send(&mut world, "COMMIT\ntransaction:t\n\n");
        assert_eq!(one.messages(&mut world).len(), own, "{header}");
        assert_eq!(other.messages(&mut world).len(), 2, "{header}");
        // On a queue it has no meaning, nor when the subscription is over.
        one.send(&mut world, "UNSUBSCRIBE\nid:1\n\n");
        one.subscribe(&mut world, "2", "/queue/q", header);
        one.send(&mut world, "SEND\ndestination:/queue/q\n\nq");
        assert_eq!(one.messages(&mut world), ["q"], "{header}");
    }
}

/// `ConstantPendingMessageLimitStrategy`: of what a subscriber to a topic has not taken only so
/// many of the newest wait.
#[test]
fn messages_that_may_wait_for_a_subscriber() {
    for (header, expected) in [
        (
            "activemq.maximumPendingMessageLimit:2\n",
            &["0", "3", "4"][..],
        ),
        ("activemq.maximumPendingMessageLimit:0\n", &["0"]),
        (
            "activemq.maximumPendingMessageLimit:-1\n",
            &["0", "1", "2", "3", "4"],
        ),
    ] {
        let mut world = world(StompDialect::ActiveMq);
        let one = Stomp::connect(&mut world);
        let more = format!("ack:client\nactivemq.prefetchSize:1\n{header}");
        one.subscribe(&mut world, "1", "/topic/a", &more);
        one.frames(&mut world);
        for n in 0..5 {
            publish(&mut world, "/topic/a", "", &n.to_string());
        }
        let mut seen = Vec::new();
        loop {
            let frames = one.frames(&mut world);
            let Some(message) = frames.iter().find(|frame| frame.command == "MESSAGE") else {
                break;
            };
            seen.push(message.body.clone());
            let id = message.header("ack").unwrap().to_owned();
            one.send(&mut world, &format!("ACK\nid:{id}\n\n"));
        }
        assert_eq!(seen, expected, "{header}");
    }
}

/// What says how ActiveMQ's own threads work (`activemq.dispatchAsync`), and what its default
/// policy has nothing for (`activemq.retroactive`: `NoSubscriptionRecoveryPolicy`), is accepted
/// and changes nothing.
#[test]
fn what_has_no_meaning_here() {
    for header in [
        "activemq.dispatchAsync:true\n",
        "activemq.dispatchAsync:false\n",
        "activemq.retroactive:true\n",
    ] {
        let mut world = world(StompDialect::ActiveMq);
        publish(&mut world, "/topic/a", "", "before");
        let one = Stomp::connect(&mut world);
        one.subscribe(&mut world, "1", "/topic/a", header);
        publish(&mut world, "/topic/a", "", "after");
        assert_eq!(one.messages(&mut world), ["after"], "{header}");
    }
}
