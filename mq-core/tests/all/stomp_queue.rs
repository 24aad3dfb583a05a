//! How STOMP's headers and destinations make queues, as RabbitMQ 3.10.8 was seen to do.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue};
use crate::world::stomp::Stomp;
use amqp_codec::method::queue;

/// What AMQP says of a queue: whether a declaration with these flags agrees.
fn is(world: &mut World, name: &str, durable: bool, auto_delete: bool) -> String {
    let mut client = Amqp::connect(world);
    let declare = queue::Declare {
        queue: name,
        durable,
        auto_delete,
        ..Default::default()
    };
    client.codec.queue_declare(1, &declare).unwrap();
    client.answer(world)
}

#[test]
fn headers_shape_the_queue() {
    // Destination, headers, the queue, and whether it is durable and auto-delete; None:
    // exclusive.
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        Option<(bool, bool)>,
    );
    const CASES: &[Case] = &[
        ("/queue/q", "", "q", Some((true, false))),
        ("/queue/q", "durable:false\n", "q", None),
        (
            "/queue/q",
            "durable:False\nexclusive:false\n",
            "q",
            Some((false, true)),
        ),
        ("/queue/q", "auto-delete:true\n", "q", Some((true, true))),
        ("/queue/q", "exclusive:true\n", "q", None),
        ("/queue/q", "x-queue-name:other\n", "q", Some((true, false))),
        ("/topic/t", "x-queue-name:n\n", "n", Some((false, true))),
        (
            "/topic/t",
            "x-queue-name:n\ndurable:true\nauto-delete:false\n",
            "n",
            Some((true, false)),
        ),
        (
            "/topic/t",
            "x-queue-name:n\nauto-delete:false\n",
            "n",
            Some((false, false)),
        ),
        (
            "/topic/t",
            "x-queue-name:n\npersistent:true\n",
            "n",
            Some((true, true)),
        ),
        ("/topic/t", "x-queue-name:n\nexclusive:true\n", "n", None),
        (
            "/exchange/amq.direct/k",
            "x-queue-name:n\n",
            "n",
            Some((false, true)),
        ),
    ];
    for (destination, headers, name, flags) in CASES {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        client.subscribe(&mut world, "1", destination, headers);
        assert_eq!(client.frames(&mut world)[0].command, "RECEIPT", "{headers}");
        let (durable, auto_delete) = flags.unwrap_or_default();
        let answer = is(&mut world, name, durable, auto_delete);
        let expected = match flags {
            Some(_) => format!("queue.declare-ok {name} 0 1"),
            None => "channel.close 405".to_owned(),
        };
        assert!(
            answer.starts_with(&expected),
            "{destination} {headers}: {answer}"
        );
    }
}

#[test]
fn a_subscription_without_durable_shares_nothing() {
    let mut world = World::new();
    let [a, b] = [(); 2].map(|()| Stomp::connect(&mut world));
    for client in [a, b] {
        client.subscribe(&mut world, "1", "/topic/t", "");
        client.frames(&mut world);
    }
    a.send(&mut world, "SEND\ndestination:/topic/t\n\nto both");
    assert_eq!(a.messages(&mut world), ["to both"]);
    assert_eq!(b.messages(&mut world), ["to both"]);
}

#[test]
fn a_priority_goes_before() {
    let mut world = World::new();
    let [low, high] = [(); 2].map(|()| Stomp::connect(&mut world));
    low.subscribe(&mut world, "1", "/queue/q", "x-priority:abc\n");
    high.subscribe(&mut world, "1", "/queue/q", "x-priority:5\n");
    for body in ["1", "2", "3"] {
        low.send(&mut world, &format!("SEND\ndestination:/queue/q\n\n{body}"));
    }
    assert_eq!(high.messages(&mut world), ["1", "2", "3"]);
    assert_eq!(low.messages(&mut world), [""; 0]);
}

#[test]
fn unsubscribing_with_durable_forgets_the_subscription() {
    for (headers, kept) in [
        ("", true),
        ("durable:false\n", true),
        ("durable:true\n", false),
    ] {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        let durable = "durable:true\nauto-delete:false\nx-queue-name:n\n";
        client.subscribe(&mut world, "1", "/topic/t", durable);
        client.send(
            &mut world,
            &format!("UNSUBSCRIBE\nid:1\n{headers}receipt:u\n\n"),
        );
        assert_eq!(client.frames(&mut world).len(), 2);
        assert!(!world.is_closed(client.0));
        let mut amqp = Amqp::connect(&mut world);
        delete_queue(&mut amqp, "n", false, false);
        amqp.seen(&mut world);
        client.send(&mut world, "SEND\ndestination:/topic/t\n\nbody");
        let state = world.broker.statistics();
        assert_eq!(state.unroutable, 1);
        let again = Stomp::connect(&mut world);
        again.subscribe(&mut world, "2", "/topic/t", durable);
        again.send(
            &mut world,
            &format!("UNSUBSCRIBE\nid:2\n{headers}receipt:u\n\n"),
        );
        again.send(&mut world, "SEND\ndestination:/topic/t\n\nbody");
        let left = world.broker.statistics().ready;
        assert_eq!(left, u64::from(kept), "{headers}");
    }
}

#[test]
fn a_slash_in_a_name_is_written_as_an_escape() {
    // Destination, and the routing key that it stands for; None: an ERROR.
    const CASES: &[(&str, Option<&str>)] = &[
        ("/topic/chat/room", None),
        ("/queue/a/b", None),
        ("/exchange/amq.direct/a/b", None),
        ("/queue/", None),
        ("/queue/a%2Fb", Some("a/b")),
        // RabbitMQ has no other escape.
        ("/queue/a%2fb", Some("a%2fb")),
        ("/queue/a%25b", Some("a%25b")),
        ("/queue/a%41b", Some("a%41b")),
        ("/queue/a%", Some("a%")),
        ("/queue/a%zz", Some("a%zz")),
    ];
    for (destination, queue) in CASES {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        client.send(
            &mut world,
            &format!("SEND\ndestination:{destination}\nreceipt:r\n\nbody"),
        );
        let frames = client.frames(&mut world);
        let command = if queue.is_some() { "RECEIPT" } else { "ERROR" };
        assert_eq!(frames[0].command, command, "{destination}");
        if let Some(queue) = queue {
            let mut amqp = Amqp::connect(&mut world);
            amqp.get(queue, true);
            assert_eq!(amqp.answer(&mut world), "get-ok 1 body +0", "{destination}");
        }
    }
}

#[test]
fn nobody_speaks_in_the_name_of_another() {
    // Headers of SEND, and `user-id` and `redelivered` of the MESSAGE; None: an ERROR.
    type Said = Option<(Option<&'static str>, Option<&'static str>)>;
    const CASES: &[(&str, Said)] = &[
        ("", Some((None, None))),
        ("user-id:guest\n", Some((Some("guest"), None))),
        ("user-id:mallory\n", None),
        ("redelivered:true\n", Some((None, None))),
        ("redelivered:false\n", Some((None, None))),
    ];
    for (headers, said) in CASES {
        let mut world = World::new();
        let reader = Stomp::connect(&mut world);
        reader.subscribe(&mut world, "1", "/queue/q", "");
        reader.frames(&mut world);
        let client = Stomp::connect(&mut world);
        client.send(
            &mut world,
            &format!("SEND\ndestination:/queue/q\n{headers}\nbody"),
        );
        let frames = reader.frames(&mut world);
        assert_eq!(frames.len(), usize::from(said.is_some()), "{headers}");
        assert_eq!(world.is_closed(client.0), said.is_none(), "{headers}");
        if let Some((user, redelivered)) = said {
            assert_eq!(frames[0].header("user-id"), *user, "{headers}");
            assert_eq!(frames[0].header("redelivered"), *redelivered, "{headers}");
        }
    }
    // In a transaction it is told at COMMIT.
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    client.send(&mut world, "BEGIN\ntransaction:t\n\n");
    let frame = "SEND\ndestination:/queue/q\ntransaction:t\nuser-id:mallory\n\nbody";
    client.send(&mut world, frame);
    client.send(&mut world, "COMMIT\ntransaction:t\nreceipt:c\n\n");
    assert_eq!(client.frames(&mut world)[0].command, "ERROR");
}

#[test]
fn a_queue_that_is_full_and_refuses_ends_the_connection() {
    // `x-overflow` of a queue for one message (RabbitMQ, "Queue Length Limit"), header of
    // the second SEND, and what is answered.
    const CASES: &[(&str, &str, &[&str])] = &[
        ("reject-publish", "", &["ERROR"]),
        ("reject-publish", "receipt:r\n", &["ERROR"]),
        ("drop-head", "", &[]),
        ("drop-head", "receipt:r\n", &["RECEIPT"]),
    ];
    for (overflow, header, expected) in CASES {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        let first =
            format!("SEND\ndestination:/queue/q\nx-max-length:1\nx-overflow:{overflow}\n\nfirst");
        client.send(&mut world, &first);
        assert_eq!(client.frames(&mut world), []);
        let second = format!("SEND\ndestination:/queue/q\n{header}\nsecond");
        client.send(&mut world, &second);
        let frames = client.frames(&mut world);
        let commands: Vec<&str> = frames.iter().map(|f| &*f.command).collect();
        assert_eq!(commands, *expected, "{overflow} {header}");
        let receipt = header.strip_prefix("receipt:").map(str::trim_end);
        for frame in &frames {
            assert_eq!(frame.header("receipt-id"), receipt, "{overflow} {header}");
        }
        assert_eq!(world.is_closed(client.0), expected == &["ERROR"]);
    }
}
