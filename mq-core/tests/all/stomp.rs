//! STOMP through the broker: destinations, acknowledgement, transactions,
//! errors. STOMP 1.2 where no other version is named.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue};
use crate::world::stomp::{Frame, Stomp};
use mq_core::{Config, Input, Protocol};
use std::time::Duration;

fn commands(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|f| f.command.as_str()).collect()
}

#[test]
fn logging_in() {
    // Headers of CONNECT, and what answers.
    const CASES: &[(&str, &str)] = &[
        ("accept-version:1.2\nhost:/\n", "CONNECTED"),
        (
            "accept-version:1.0,1.1\nhost:/\nlogin:guest\npasscode:guest\n",
            "CONNECTED",
        ),
        (
            "accept-version:1.2\nhost:somewhere\nlogin:guest\npasscode:guest\n",
            "CONNECTED",
        ),
        (
            "accept-version:1.2\nhost:/\nlogin:guest\npasscode:wrong\n",
            "ERROR",
        ),
        ("accept-version:1.2\nhost:/\nlogin:nobody\n", "ERROR"),
        ("accept-version:9.9\nhost:/\n", "ERROR"),
        ("", "CONNECTED"),
        // As stomp.py, stompjs and Spring connect by default.
        ("accept-version:1.1\n", "CONNECTED"),
        (
            "accept-version:1.2\nlogin:guest\npasscode:guest\n",
            "CONNECTED",
        ),
    ];
    for (headers, answer) in CASES {
        let mut world = World::new();
        let client = Stomp(world.connect(Protocol::Stomp));
        client.send(&mut world, &format!("CONNECT\n{headers}\n"));
        let frames = client.frames(&mut world);
        assert_eq!(commands(&frames), [*answer], "{headers}");
        assert_eq!(world.is_closed(client.0), *answer == "ERROR", "{headers}");
    }
    let config = Config {
        allow_anonymous: false,
        stomp_host_fallback: false,
        ..Config::default()
    };
    // What a client shows its user is the header `message`.
    for (headers, message) in [
        ("host:/\n", "Login failed"),
        ("host:/\nlogin:guest\npasscode:wrong\n", "Login failed"),
        (
            "host:x\nlogin:guest\npasscode:guest\n",
            "Unknown virtual host",
        ),
    ] {
        let mut world = World::with(config.clone());
        let client = Stomp(world.connect(Protocol::Stomp));
        let frame = format!("CONNECT\naccept-version:1.2\n{headers}\n");
        client.send(&mut world, &frame);
        let frames = client.frames(&mut world);
        assert_eq!(commands(&frames), ["ERROR"], "{headers}");
        assert_eq!(frames[0].header("message"), Some(message), "{headers}");
    }
}

/// A client that names no virtual host gets the first, also where one that does not
/// exist is refused; a setting refuses it.
#[test]
fn a_connect_without_host() {
    for (required, fallback, headers, answer) in [
        (false, false, "accept-version:1.2\n", "CONNECTED"),
        (false, false, "accept-version:1.2\nhost:x\n", "ERROR"),
        (true, true, "accept-version:1.2\n", "ERROR"),
        (true, true, "accept-version:1.2\nhost:/\n", "CONNECTED"),
        (true, true, "", "CONNECTED"),
    ] {
        let config = Config {
            virtual_hosts: vec!["first".into(), "/".into()],
            stomp_host_required: required,
            stomp_host_fallback: fallback,
            ..Config::default()
        };
        let mut world = World::with(config);
        let client = Stomp(world.connect(Protocol::Stomp));
        client.send(&mut world, &format!("CONNECT\n{headers}\n"));
        let frames = client.frames(&mut world);
        assert_eq!(commands(&frames), [answer], "{required} {headers}");
    }

    // The first virtual host is where others of it are.
    let config = Config {
        virtual_hosts: vec!["first".into(), "/".into()],
        ..Config::default()
    };
    let mut world = World::with(config);
    let [named, unnamed] = ["host:first\n", ""].map(|host| {
        let client = Stomp(world.connect(Protocol::Stomp));
        let connect = format!("CONNECT\naccept-version:1.2\n{host}\n");
        client.send(&mut world, &connect);
        client.subscribe(&mut world, "1", "/topic/a", "");
        client.frames(&mut world);
        client
    });
    unnamed.send(&mut world, "SEND\ndestination:/topic/a\n\nhello");
    assert_eq!(named.messages(&mut world), ["hello"]);
    assert_eq!(unnamed.messages(&mut world), ["hello"]);
}

/// Python's clients write the truth values of their language, and RabbitMQ reads them
/// (`rabbit_stomp_frame:boolean_header`, 4.1).
#[test]
fn truth_values_in_headers() {
    for (value, is_true, is_false) in [
        ("true", true, false),
        ("True", true, false),
        ("false", false, true),
        ("False", false, true),
        ("TRUE", false, false),
        ("1", false, false),
    ] {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        client.subscribe(&mut world, "1", "/queue/a", "ack:client-individual\n");
        let send = format!("SEND\ndestination:/queue/a\npersistent:{value}\n\nx");
        client.send(&mut world, &send);
        let frames = client.frames(&mut world);
        let message = frames.iter().find(|f| f.command == "MESSAGE").unwrap();
        let persistent = message.header("persistent");
        assert_eq!(persistent == Some("true"), is_true, "persistent:{value}");
        assert_eq!(persistent.is_none(), is_false, "persistent:{value}");

        let id = message.header("ack").unwrap();
        client.send(&mut world, &format!("NACK\nid:{id}\nrequeue:{value}\n\n"));
        let again = client.messages(&mut world).len();
        assert_eq!(again == 0, is_false, "requeue:{value}");

        client.subscribe(&mut world, "2", "/queue/b", &format!("exclusive:{value}\n"));
        let other = Stomp::connect(&mut world);
        other.subscribe(&mut world, "1", "/queue/b", "");
        let refused = commands(&other.frames(&mut world)) == ["ERROR"];
        assert_eq!(refused, is_true, "exclusive:{value}");

        // Durable: what is sent while the client is away waits for it.
        for (headers, waits) in [
            (format!("durable:{value}\nauto-delete:false\n"), is_true),
            (format!("durable:true\nauto-delete:{value}\n"), is_false),
        ] {
            let mut world = World::new();
            let client = Stomp::connect(&mut world);
            client.subscribe(&mut world, "d", "/topic/a", &headers);
            client.send(&mut world, "DISCONNECT\n\n");
            let sender = Stomp::connect(&mut world);
            sender.send(&mut world, "SEND\ndestination:/topic/a\n\nx");
            let client = Stomp::connect(&mut world);
            client.subscribe(&mut world, "d", "/topic/a", &headers);
            assert_eq!(client.messages(&mut world).len() == 1, waits, "{headers}");
        }
    }
}

#[test]
fn destinations() {
    // Subscribed, sent to, and whether it arrives.
    const CASES: &[(&str, &str, bool)] = &[
        ("/queue/a", "/queue/a", true),
        ("/queue/a", "/queue/b", false),
        ("/queue/a", "/amq/queue/a", true),
        ("/queue/a", "/exchange/amq.direct/a", false),
        ("/topic/a.b", "/topic/a.b", true),
        ("/topic/a.*", "/topic/a.b", true),
        ("/topic/a.#", "/topic/a", true),
        ("/topic/a.*", "/topic/b", false),
        ("/topic/a.b", "/exchange/amq.topic/a.b", true),
        ("/exchange/amq.topic/a.b", "/topic/a.b", true),
        ("/exchange/amq.fanout", "/exchange/amq.fanout/x", true),
        ("/exchange/amq.direct/k", "/exchange/amq.direct/k", true),
        ("/exchange/amq.direct/k", "/exchange/amq.direct/l", false),
    ];
    for (subscribed, sent, arrives) in CASES {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        client.subscribe(&mut world, "1", subscribed, "");
        assert_eq!(commands(&client.frames(&mut world)), ["RECEIPT"]);
        let other = Stomp::connect(&mut world);
        other.send(
            &mut world,
            &format!("SEND\ndestination:{sent}\nreceipt:r\nkey:value\n\nbody"),
        );
        assert_eq!(commands(&other.frames(&mut world)), ["RECEIPT"], "{sent}");
        let frames = client.frames(&mut world);
        assert_eq!(frames.len(), usize::from(*arrives), "{subscribed} {sent}");
        if let Some(message) = frames.first() {
            assert_eq!(message.header("destination"), Some(*sent));
            assert_eq!(message.header("subscription"), Some("1"));
            assert_eq!(message.header("key"), Some("value"));
            assert_eq!(message.body, "body");
        }
    }
}

#[test]
fn errors_end_the_connection() {
    const CASES: &[(&str, &str)] = &[
        (
            "SEND\ndestination:nowhere\nreceipt:r\n\n",
            "invalid_destination",
        ),
        (
            "SEND\ndestination:/exchange/none/k\nreceipt:r\n\n",
            "not_found",
        ),
        (
            "SEND\ndestination:/amq/queue/none\nreceipt:r\n\n",
            "not_found",
        ),
        (
            "SEND\ndestination:/temp-queue/t\nreceipt:r\n\n",
            "invalid_destination",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/temp-queue/t\nreceipt:r\n\n",
            "invalid_destination",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/amq/queue/none\nreceipt:r\n\n",
            "not_found",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/exchange/none\nreceipt:r\n\n",
            "not_found",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/queue/q\nselector:a=\nreceipt:r\n\n",
            "precondition_failed",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/queue/q\nx-expires:0\nreceipt:r\n\n",
            "precondition_failed",
        ),
        (
            "SUBSCRIBE\nid:1\ndestination:/queue/q\nprefetch-count:x\nreceipt:r\n\n",
            "Invalid header",
        ),
    ];
    for (frame, message) in CASES {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        client.send(&mut world, frame);
        let frames = client.frames(&mut world);
        assert_eq!(commands(&frames), ["ERROR"], "{frame}");
        assert_eq!(frames[0].header("message"), Some(*message));
        assert_eq!(frames[0].header("receipt-id"), Some("r"));
        assert!(world.is_closed(client.0));
    }
}

/// Messages 1 to 4 to `/queue/q`, and a subscription with these headers.
fn consuming(headers: &str) -> (World, Stomp, Vec<Frame>) {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    for n in 1..=4 {
        client.send(&mut world, &format!("SEND\ndestination:/queue/q\n\n{n}"));
    }
    client.subscribe(&mut world, "s", "/queue/q", headers);
    let frames = client.frames(&mut world);
    let messages = frames
        .into_iter()
        .filter(|f| f.command == "MESSAGE")
        .collect();
    (world, client, messages)
}

/// What another client finds in `/queue/q`, with its `redelivered` headers.
fn left(world: &mut World) -> Vec<(String, bool)> {
    let other = Stomp::connect(world);
    other.subscribe(world, "left", "/queue/q", "");
    let frames = other.frames(world).into_iter();
    frames
        .filter(|f| f.command == "MESSAGE")
        .map(|f| (f.body.clone(), f.header("redelivered") == Some("true")))
        .collect()
}

#[test]
fn acknowledgement() {
    // Mode, command, for which message, what is left.
    type Case = (&'static str, &'static str, usize, &'static [&'static str]);
    const CASES: &[Case] = &[
        ("auto", "", 0, &[]),
        ("client", "", 0, &["1", "2", "3", "4"]),
        ("client", "ACK", 1, &["3", "4"]),
        ("client-individual", "ACK", 1, &["1", "3", "4"]),
    ];
    for (mode, command, index, expected) in CASES {
        let (mut world, client, messages) = consuming(&format!("ack:{mode}\n"));
        assert_eq!(messages.len(), 4);
        if !command.is_empty() {
            let id = messages[*index].header("ack").unwrap();
            client.send(&mut world, &format!("{command}\nid:{id}\n\n"));
        }
        client.send(&mut world, "DISCONNECT\nreceipt:bye\n\n");
        assert_eq!(commands(&client.frames(&mut world)), ["RECEIPT"]);
        assert!(world.is_closed(client.0));
        let left = left(&mut world);
        let bodies: Vec<&str> = left.iter().map(|(b, _)| b.as_str()).collect();
        assert_eq!(bodies, *expected, "{mode} {command}");
        assert!(left.iter().all(|(_, redelivered)| *redelivered));
    }
}

#[test]
fn a_nack_requeues_unless_it_says_otherwise() {
    for (header, left_over) in [("", 4), ("requeue:false\n", 3)] {
        let (mut world, client, messages) = consuming("ack:client-individual\nprefetch-count:1\n");
        assert_eq!(messages.len(), 1, "prefetch-count");
        let id = messages[0].header("ack").unwrap();
        client.send(&mut world, &format!("NACK\nid:{id}\n{header}\n"));
        let next = client.frames(&mut world);
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].body, if left_over == 4 { "1" } else { "2" });
        world.cut(client.0);
        assert_eq!(left(&mut world).len(), left_over, "{header}");
    }
}

#[test]
fn unsubscribing_gives_back_what_was_not_acknowledged() {
    let (mut world, client, messages) = consuming("ack:client-individual\n");
    let id = messages[1].header("ack").unwrap();
    client.send(&mut world, &format!("ACK\nid:{id}\n\n"));
    client.send(&mut world, "UNSUBSCRIBE\nid:s\nreceipt:u\n\n");
    assert_eq!(commands(&client.frames(&mut world)), ["RECEIPT"]);
    let left = left(&mut world);
    let bodies: Vec<&str> = left.iter().map(|(b, _)| b.as_str()).collect();
    assert_eq!(bodies, ["1", "3", "4"]);
}

#[test]
fn transactions() {
    for (end, sent, acknowledged) in [
        ("COMMIT\ntransaction:t\n\n", true, true),
        ("ABORT\ntransaction:t\n\n", false, false),
        ("DISCONNECT\n\n", false, false),
    ] {
        let (mut world, client, messages) = consuming("ack:client-individual\n");
        let id = messages[0].header("ack").unwrap();
        let listener = Stomp::connect(&mut world);
        listener.subscribe(&mut world, "l", "/topic/t", "");
        listener.frames(&mut world);
        client.send(&mut world, "BEGIN\ntransaction:t\n\n");
        client.send(
            &mut world,
            "SEND\ndestination:/topic/t\ntransaction:t\n\nhello",
        );
        client.send(&mut world, &format!("ACK\nid:{id}\ntransaction:t\n\n"));
        assert!(listener.frames(&mut world).is_empty());
        client.send(&mut world, end);
        assert_eq!(listener.messages(&mut world).len(), usize::from(sent));
        world.cut(client.0);
        let expected = 4 - usize::from(acknowledged);
        assert_eq!(left(&mut world).len(), expected, "{end}");
    }
}

#[test]
fn a_transaction_that_cannot_be_done_whole_is_not_done_at_all() {
    let mut world = World::new();
    let listener = Stomp::connect(&mut world);
    listener.subscribe(&mut world, "l", "/topic/t", "");
    listener.frames(&mut world);
    let client = Stomp::connect(&mut world);
    client.send(&mut world, "BEGIN\ntransaction:t\n\n");
    for destination in ["/topic/t", "/exchange/none/k"] {
        client.send(
            &mut world,
            &format!("SEND\ndestination:{destination}\ntransaction:t\n\n"),
        );
    }
    client.send(&mut world, "COMMIT\ntransaction:t\nreceipt:c\n\n");
    assert_eq!(commands(&client.frames(&mut world)), ["ERROR"]);
    assert!(listener.frames(&mut world).is_empty());
}

#[test]
fn durable_topic_subscriptions_wait_for_their_client() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    let headers = "durable:true\nauto-delete:false\nack:client\n";
    client.subscribe(&mut world, "d", "/topic/t", headers);
    world.cut(client.0);
    let other = Stomp::connect(&mut world);
    other.send(&mut world, "SEND\ndestination:/topic/t\n\nkept");
    let client = Stomp::connect(&mut world);
    client.subscribe(&mut world, "d", "/topic/t", headers);
    assert_eq!(client.messages(&mut world), ["kept"]);
}

#[test]
fn replies_come_to_a_temporary_queue_without_a_subscription() {
    let mut world = World::new();
    let server = Stomp::connect(&mut world);
    server.subscribe(&mut world, "s", "/queue/service", "");
    server.frames(&mut world);
    let client = Stomp::connect(&mut world);
    client.send(
        &mut world,
        "SEND\ndestination:/queue/service\nreply-to:/temp-queue/mine\n\nquestion",
    );
    let question = &server.frames(&mut world)[0];
    let reply_to = question.header("reply-to").unwrap();
    assert!(reply_to.starts_with("/reply-queue/"), "{reply_to}");
    server.send(
        &mut world,
        &format!("SEND\ndestination:{reply_to}\n\nanswer"),
    );
    let answers = client.frames(&mut world);
    assert_eq!(commands(&answers), ["MESSAGE"]);
    assert_eq!(answers[0].body, "answer");
    assert_eq!(answers[0].header("subscription"), Some("/temp-queue/mine"));
}

/// `rabbit_stomp_processor`, `server_cancel_consumer`.
#[test]
fn a_queue_that_is_deleted_tells_its_subscribers() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    client.subscribe(&mut world, "s", "/queue/q", "");
    client.frames(&mut world);
    let mut other = Amqp::connect(&mut world);
    delete_queue(&mut other, "q", false, false);
    other.seen(&mut world);
    let frames = client.frames(&mut world);
    assert_eq!(commands(&frames), ["ERROR"]);
    let message = frames[0].header("message");
    assert_eq!(message, Some("Server cancelled subscription"));
    assert!(world.is_closed(client.0));
}

#[test]
fn a_queue_that_nobody_has_used_expires() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    client.subscribe(&mut world, "s", "/queue/q", "x-expires:1000\n");
    client.send(&mut world, "UNSUBSCRIBE\nid:s\n\n");
    client.frames(&mut world);
    world.wait(Duration::from_secs(2));
    let other = Stomp::connect(&mut world);
    other.send(&mut world, "SEND\ndestination:/amq/queue/q\nreceipt:r\n\n");
    assert_eq!(commands(&other.frames(&mut world)), ["ERROR"]);
}

#[test]
fn the_end_of_the_broker() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    world.handle(Input::Shutdown);
    assert_eq!(commands(&client.frames(&mut world)), ["ERROR"]);
    assert!(world.is_closed(client.0));
    let late = world.connect(Protocol::Stomp);
    assert!(world.is_closed(late));
}
