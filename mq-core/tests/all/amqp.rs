//! AMQP 0-9-1 through the broker. What RabbitMQ 3.10.8 answered to the same
//! deviations is the reference.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue, table, text};
use amqp_codec::connection::{ClientConfig, Requeue, Sasl, Tags};
use amqp_codec::method::{basic, confirm, queue, tx};
use amqp_codec::{ArrayBuf, FieldValue, PropertyFields, Table, TableBuf};
use mq_core::{Input, Protocol};
use std::time::Duration;

const NONE: TableBuf = TableBuf::new();

#[test]
fn logging_in() {
    let cases = [
        ("guest", "guest", "/", &["start", "opened"][..]),
        (
            "guest",
            "wrong",
            "/",
            &["start", "connection.close 403 ACCESS_REFUSED"],
        ),
        (
            "nobody",
            "",
            "/",
            &["start", "connection.close 403 ACCESS_REFUSED"],
        ),
        (
            "guest",
            "guest",
            "nope",
            &[
                "start",
                "connection.close 530 NOT_ALLOWED - vhost nope not found",
            ],
        ),
    ];
    for (username, password, virtual_host, expected) in cases {
        let mut world = World::new();
        let mut config = ClientConfig::default();
        config.sasl = Sasl::Plain {
            username: username.into(),
            password: password.into(),
        };
        config.virtual_host = virtual_host.into();
        let mut client = Amqp::new(&mut world, config);
        let seen = client.seen(&mut world);
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for (seen, expected) in seen.iter().zip(expected) {
            assert!(seen.starts_with(expected), "{seen}");
        }
    }
}

/// A client with queue `q` that holds these messages.
fn with_messages(bodies: &[&str]) -> (World, Amqp) {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("q", &NONE);
    for body in bodies {
        client.publish(1, "", "q", body);
    }
    client.seen(&mut world);
    (world, client)
}

#[test]
fn consuming_with_prefetch() {
    let (mut world, mut c) = with_messages(&["1", "2", "3", "4"]);
    let qos = basic::Qos {
        prefetch_count: 2,
        ..Default::default()
    };
    c.codec.qos(1, &qos).unwrap();
    c.consume(1, "q", "a", false);
    assert_eq!(
        c.seen(&mut world),
        ["basic.qos-ok", "basic.consume-ok a", "a 1 1", "a 2 2"]
    );
    c.codec.ack(1, Tags::One(1)).unwrap();
    assert_eq!(c.seen(&mut world), ["a 3 3"]);
    c.codec.reject(1, 2, Requeue::Yes).unwrap();
    assert_eq!(c.seen(&mut world), ["a 4 again 2"]);
    c.codec.ack(1, Tags::UpTo(4)).unwrap();
    assert_eq!(c.seen(&mut world), ["a 5 4"]);
}

#[test]
fn channel_prefetch_is_shared() {
    let (mut world, mut c) = with_messages(&["1", "2", "3", "4"]);
    let qos = basic::Qos {
        prefetch_count: 3,
        global: true,
        ..Default::default()
    };
    c.codec.qos(1, &qos).unwrap();
    c.consume(1, "q", "a", false);
    c.consume(1, "q", "b", false);
    let seen = c.seen(&mut world);
    assert_eq!(seen.iter().filter(|e| !e.contains("-ok")).count(), 3);
}

#[test]
fn what_is_not_acknowledged_comes_back() {
    for close in [true, false] {
        let (mut world, mut c) = with_messages(&["1", "2"]);
        c.consume(1, "q", "a", false);
        c.seen(&mut world);
        if close {
            c.codec.close_channel(1).unwrap();
            c.seen(&mut world);
        } else {
            world.cut(c.id);
        }
        let mut other = Amqp::connect(&mut world);
        other.consume(1, "q", "b", false);
        assert_eq!(
            other.seen(&mut world),
            ["basic.consume-ok b", "b 1 again 1", "b 2 again 2"]
        );
    }
}

#[test]
fn recovering_and_getting() {
    let (mut world, mut c) = with_messages(&["1", "2", "3"]);
    c.get("q", false);
    c.get("q", false);
    assert_eq!(c.seen(&mut world), ["get-ok 1 1 +2", "get-ok 2 2 +1"]);
    c.codec
        .recover(1, &basic::Recover { requeue: true })
        .unwrap();
    c.get("q", true);
    c.get("q", true);
    c.get("q", true);
    c.get("q", true);
    assert_eq!(
        c.seen(&mut world),
        [
            "basic.recover-ok",
            "get-ok 3 again 1 +2",
            "get-ok 4 again 2 +1",
            "get-ok 5 3 +0",
            "basic.get-empty"
        ]
    );
}

#[test]
fn publisher_confirms() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare(
        "full",
        &table([
            ("x-max-length", FieldValue::I32(1)),
            ("x-overflow", text("reject-publish")),
        ]),
    );
    c.codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    c.seen(&mut world);
    c.publish(1, "", "full", "in");
    c.publish(1, "", "full", "out");
    c.publish(1, "", "none", "unroutable");
    c.publish_with(1, "", "none", "m", true, &PropertyFields::default());
    assert_eq!(
        c.seen(&mut world),
        ["ack 1-1", "nack 2-2", "ack 3-3", "return 312 m", "ack 4-4"]
    );
}

#[test]
fn transactions() {
    for commit in [true, false] {
        let (mut world, mut c) = with_messages(&["old"]);
        c.codec.tx_select(1, &tx::Select::default()).unwrap();
        c.get("q", false);
        c.seen(&mut world);
        c.codec.ack(1, Tags::One(1)).unwrap();
        c.publish(1, "", "q", "new");
        c.publish_with(1, "", "none", "lost", true, &PropertyFields::default());
        assert_eq!(c.seen(&mut world), [""; 0]);
        let mut other = Amqp::connect(&mut world);
        other.get("q", true);
        assert_eq!(other.seen(&mut world), ["basic.get-empty"]);
        if commit {
            c.codec.tx_commit(1, &tx::Commit::default()).unwrap();
            assert_eq!(c.seen(&mut world), ["return 312 lost", "tx.commit-ok"]);
        } else {
            c.codec.tx_rollback(1, &tx::Rollback::default()).unwrap();
            assert_eq!(c.seen(&mut world), ["tx.rollback-ok"]);
        }
        world.cut(c.id);
        other.get("q", true);
        other.get("q", true);
        let expected = if commit {
            "get-ok 1 new +0"
        } else {
            "get-ok 1 again old +0"
        };
        assert_eq!(other.seen(&mut world), [expected, "basic.get-empty"]);
    }
}

#[test]
fn an_open_transaction_is_rolled_back_with_its_channel() {
    let (mut world, mut c) = with_messages(&["old"]);
    c.codec.tx_select(1, &tx::Select::default()).unwrap();
    c.get("q", false);
    c.seen(&mut world);
    c.codec.ack(1, Tags::One(1)).unwrap();
    c.publish(1, "", "q", "new");
    c.codec.close_channel(1).unwrap();
    c.seen(&mut world);
    let mut other = Amqp::connect(&mut world);
    other.get("q", true);
    other.get("q", true);
    assert_eq!(
        other.seen(&mut world),
        ["get-ok 1 again old +0", "basic.get-empty"]
    );
}

#[test]
fn cancelling_and_being_cancelled() {
    let (mut world, mut c) = with_messages(&[]);
    c.consume(1, "q", "a", true);
    c.consume(1, "q", "b", true);
    let cancel = basic::Cancel {
        consumer_tag: "a",
        ..Default::default()
    };
    c.codec.cancel(1, &cancel).unwrap();
    c.publish(1, "", "q", "m");
    c.seen(&mut world);
    let mut other = Amqp::connect(&mut world);
    delete_queue(&mut other, "q", false, false);
    other.seen(&mut world);
    assert_eq!(c.seen(&mut world), ["cancelled b"]);
}

#[test]
fn direct_reply_to() {
    let mut world = World::new();
    let mut server = Amqp::connect(&mut world);
    server.declare("service", &NONE);
    server.consume(1, "service", "s", true);
    server.seen(&mut world);
    let mut client = Amqp::connect(&mut world);
    client.consume(1, "amq.rabbitmq.reply-to", "replies", true);
    let asking = PropertyFields {
        reply_to: Some("amq.rabbitmq.reply-to".into()),
        correlation_id: Some("7".into()),
        ..Default::default()
    };
    client.publish_with(1, "", "service", "question", false, &asking);
    client.seen(&mut world);
    assert_eq!(server.seen(&mut world), ["s 1 question"]);
    let question = server.contents.pop().unwrap();
    let reply_to = question.properties().reply_to().unwrap().to_string();
    assert!(reply_to.starts_with("amq.rabbitmq.reply-to."), "{reply_to}");
    let answering = PropertyFields {
        correlation_id: question.properties().correlation_id(),
        ..Default::default()
    };
    server.publish_with(1, "", &reply_to, "answer", false, &answering);
    assert_eq!(server.seen(&mut world), [""; 0]);
    assert_eq!(client.seen(&mut world), ["replies 1 answer"]);
    assert_eq!(
        client.contents[0].properties().correlation_id(),
        Some("7".into())
    );
    world.cut(client.id);
    server.publish_with(1, "", &reply_to, "late", true, &answering);
    assert_eq!(server.seen(&mut world), ["return 312 late"]);
}

#[test]
fn properties_go_through_unchanged() {
    let (mut world, mut c) = with_messages(&[]);
    let mut list = ArrayBuf::new();
    list.push(FieldValue::I8(-1)).unwrap();
    list.push(Table::EMPTY).unwrap();
    let headers = table([
        ("s", text("text")),
        ("t", FieldValue::Timestamp(5)),
        (
            "d",
            FieldValue::Decimal {
                scale: 2,
                value: -7,
            },
        ),
        ("a", FieldValue::Array(list.as_array())),
        ("v", FieldValue::Void),
    ]);
    let fields = PropertyFields {
        content_type: Some("text/plain".into()),
        content_encoding: Some("utf-8".into()),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        priority: Some(3),
        correlation_id: Some("c".into()),
        reply_to: Some("r".into()),
        expiration: Some("60000".into()),
        message_id: Some("m".into()),
        timestamp: Some(9),
        r#type: Some("t".into()),
        user_id: Some("guest".into()),
        app_id: Some("a".into()),
        reserved: Some("cluster".into()),
    };
    c.publish_with(1, "", "q", "body", false, &fields);
    // The same again, but with a copy that nobody sees: encoded anew.
    let mut keys = ArrayBuf::new();
    keys.push(text("nobody")).unwrap();
    let mut with_copy = headers.clone();
    with_copy
        .insert("BCC", FieldValue::Array(keys.as_array()))
        .unwrap();
    let hidden = PropertyFields {
        headers: Some(with_copy.as_table()),
        ..fields
    };
    c.publish_with(1, "", "q", "body", false, &hidden);
    c.get("q", true);
    c.get("q", true);
    c.seen(&mut world);
    assert_eq!(c.contents.len(), 2);
    for content in &c.contents {
        assert_eq!(content.properties().fields(), fields);
    }
}

#[test]
fn dead_letters_over_the_wire() {
    let (mut world, mut c) = with_messages(&[]);
    c.declare(
        "source",
        &table([
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("q")),
            ("x-message-ttl", FieldValue::I32(1000)),
        ]),
    );
    c.publish(1, "", "source", "m");
    c.seen(&mut world);
    world.wait(Duration::from_secs(1));
    c.get("q", true);
    assert_eq!(c.answer(&mut world), "get-ok 1 m +0");
    let content = c.contents.pop().unwrap();
    assert_eq!(content.routing_key(), "q");
    let headers = content.properties().headers().unwrap();
    let Some(FieldValue::Array(deaths)) = headers.get("x-death") else {
        panic!("{headers:?}")
    };
    let Some(FieldValue::Table(death)) = deaths.iter().next() else {
        panic!()
    };
    assert_eq!(death.get("count"), Some(FieldValue::I64(1)));
    assert_eq!(death.get("reason"), Some(text("expired")));
    assert_eq!(death.get("queue"), Some(text("source")));
    assert_eq!(headers.get("x-first-death-reason"), Some(text("expired")));
}

#[test]
fn exclusive_queues_go_with_their_connection() {
    let mut world = World::new();
    let mut owner = Amqp::connect(&mut world);
    let declare = queue::Declare {
        queue: "mine",
        exclusive: true,
        ..Default::default()
    };
    owner.codec.queue_declare(1, &declare).unwrap();
    owner.seen(&mut world);
    owner.codec.close(world.now).unwrap();
    owner.seen(&mut world);
    assert!(world.is_closed(owner.id));
    let mut other = Amqp::connect(&mut world);
    let passive = queue::Declare {
        queue: "mine",
        passive: true,
        ..Default::default()
    };
    other.codec.queue_declare(1, &passive).unwrap();
    assert!(other.answer(&mut world).starts_with("channel.close 404"));
}

#[test]
fn the_end_of_the_broker() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    world.handle(Input::Shutdown);
    assert!(c.answer(&mut world).starts_with("connection.close 320"));
    assert!(world.is_closed(c.id));
}

#[test]
fn heartbeats_and_silence() {
    let mut world = World::new();
    let c = Amqp::connect(&mut world);
    world.wait(Duration::from_secs(600));
    assert!(world.is_closed(c.id));
    let silent = world.connect(Protocol::Amqp);
    world.wait(Duration::from_secs(60));
    assert!(world.is_closed(silent));
}

/// A content header cannot be split, so a message that came from a client with a
/// large frame-max goes to one with a small frame-max all the same (erratum 11).
#[test]
fn headers_over_the_consumers_frame_max_arrive() {
    let mut world = World::new();
    let mut publisher = Amqp::connect(&mut world);
    publisher.declare("q", &NONE);
    publisher.seen(&mut world);
    let mut config = ClientConfig::default();
    config.frame_max = 4096;
    let mut consumer = Amqp::with(&mut world, config);
    let long = "x".repeat(100_000);
    let headers = table([("long", text(&long))]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    for _ in 0..2 {
        publisher.publish_with(1, "", "q", "m", false, &fields);
    }
    publisher.seen(&mut world);
    consumer.get("q", true);
    assert_eq!(consumer.seen(&mut world), ["get-ok 1 m +1"]);
    consumer.consume(1, "q", "c", true);
    assert_eq!(
        consumer.seen(&mut world).last().map(String::as_str),
        Some("c 2 m")
    );
    for content in &consumer.contents {
        assert_eq!(content.properties().fields(), fields);
    }
}

/// What is not UTF-8 goes from AMQP to AMQP as it came (RabbitMQ 3.10.8 does not look
/// at it), also where the properties are encoded anew: for a hidden copy, and for a dead
/// letter.
#[test]
fn what_is_not_utf_8_passes_on() {
    let (mut world, mut c) = with_messages(&[]);
    let target = table([
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("q")),
    ]);
    c.declare("dying", &target);
    let mut keys = ArrayBuf::new();
    keys.push(text("nobody")).unwrap();
    let raw = amqp_codec::Text::new(b"\xff\xfe");
    let mut headers = TableBuf::new();
    headers.insert(raw, text("v")).unwrap();
    let mut hidden = headers.clone();
    let keys = FieldValue::Array(keys.as_array());
    hidden.insert("BCC", keys).unwrap();
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        content_type: Some(raw),
        content_encoding: Some(raw),
        correlation_id: Some(raw),
        reply_to: Some(raw),
        message_id: Some(raw),
        r#type: Some(raw),
        app_id: Some(raw),
        reserved: Some(raw),
        ..Default::default()
    };
    for headers in [&headers, &hidden] {
        let sent = PropertyFields {
            headers: Some(headers.as_table()),
            ..fields
        };
        c.publish_with(1, "", "q", "m", false, &sent);
        c.publish_with(1, "", "dying", "m", false, &sent);
        c.get("dying", false);
        c.seen(&mut world);
        let tag = c.contents.len() as u64;
        c.codec.reject(1, tag, Requeue::No).unwrap();
        c.seen(&mut world);
        for is_dead in [false, true] {
            c.get("q", false);
            c.seen(&mut world);
            let content = c.contents.last().unwrap();
            let came = content.properties().fields();
            if is_dead {
                let value = came.headers.and_then(|table| table.get(raw));
                assert_eq!(value, Some(text("v")));
                assert_eq!(
                    PropertyFields {
                        headers: None,
                        ..came
                    },
                    PropertyFields {
                        headers: None,
                        ..fields
                    }
                );
            } else {
                assert_eq!(came, fields);
            }
        }
    }
}
