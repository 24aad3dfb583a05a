//! Messages over AMQP: the properties that RabbitMQ 3.10.8 checks, and what it was
//! seen to do with a message after that.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use amqp_codec::connection::Requeue;
use amqp_codec::method::{basic, confirm, queue};
use amqp_codec::{ArrayBuf, FieldValue, PropertyFields, TableBuf};
use mq_core::Config;

const NONE: TableBuf = TableBuf::new();

fn number(n: i32) -> FieldValue<'static> {
    FieldValue::I32(n)
}

#[test]
fn expiration_is_a_number_of_milliseconds() {
    const REFUSED: &str = "channel.close 406 PRECONDITION_FAILED - invalid expiration ";
    // The property, and what the refusal says after it; None: it is taken.
    const CASES: &[(&str, Option<&str>)] = &[
        ("60000", None),
        ("+60000", None),
        ("4294967295", None),
        ("4294967296", None),
        ("315360000000", None),
        (
            "315360000001",
            Some("'315360000001': {value_too_large,315360000001}"),
        ),
        (
            "99999999999999999999",
            Some("'99999999999999999999': {value_too_large,99999999999999999999}"),
        ),
        ("-1", Some("'-1': {value_negative,-1}")),
        (
            "-99999999999999999999",
            Some("'-99999999999999999999': {value_negative,-99999999999999999999}"),
        ),
        ("1.5", Some("'1.5': {leftover_string,\".5\"}")),
        ("1 ", Some("'1 ': {leftover_string,\" \"}")),
        ("0x10", Some("'0x10': {leftover_string,\"x10\"}")),
        ("", Some("'': no_integer")),
        (" 1", Some("' 1': no_integer")),
        ("abc", Some("'abc': no_integer")),
        ("\u{ff11}", Some("'\u{ff11}': no_integer")),
    ];
    for (expiration, refusal) in CASES {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        client.declare("q", &NONE);
        let fields = PropertyFields {
            expiration: Some((*expiration).into()),
            ..Default::default()
        };
        client.publish_with(1, "", "q", "body", false, &fields);
        client.get("q", true);
        let expected = match refusal {
            None => "get-ok 1 body +0".to_owned(),
            Some(text) => format!("{REFUSED}{text}"),
        };
        assert_eq!(client.answer(&mut world), expected, "{expiration:?}");
        if refusal.is_none() {
            let content = &client.contents[0];
            let came = content.properties().fields().expiration;
            assert_eq!(came, Some((*expiration).into()), "it goes on as it came");
        }
    }
}

#[test]
fn times_to_live_of_queues_reach_ten_years() {
    for name in ["x-message-ttl", "x-expires"] {
        for (millis, taken) in [
            (4_294_967_295, true),
            (4_294_967_296, true),
            (315_360_000_000, true),
            (315_360_000_001, false),
            (1_099_511_627_776, false),
        ] {
            let mut world = World::new();
            let mut client = Amqp::connect(&mut world);
            client.declare("q", &table([(name, FieldValue::I64(millis))]));
            let answer = client.answer(&mut world);
            assert_eq!(
                answer.starts_with("queue.declare-ok"),
                taken,
                "{name} {millis}: {answer}"
            );
        }
    }
}

#[test]
fn delivery_mode_is_one_or_two() {
    for mode in [0, 1, 2, 3, 255] {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        client.declare("q", &NONE);
        let fields = PropertyFields {
            delivery_mode: Some(mode),
            ..Default::default()
        };
        client.publish_with(1, "", "q", "body", false, &fields);
        client.get("q", true);
        let refusal = format!(
            "channel.close 406 PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}"
        );
        let expected = match mode {
            1 | 2 => "get-ok 1 body +0",
            _ => &refusal,
        };
        assert_eq!(client.answer(&mut world), expected, "{mode}");
    }
}

#[test]
fn a_body_over_the_limit_closes_the_channel_with_406() {
    let mut config = Config::default();
    assert_eq!(
        config.limits.message_size, 134_217_728,
        "RabbitMQ's max_message_size"
    );
    config.limits.message_size = 10;
    let mut world = World::with(config);
    let mut client = Amqp::connect(&mut world);
    client.publish(1, "", "q", "0123456789");
    client.publish(1, "", "q", "0123456789a");
    let expected = "channel.close 406 PRECONDITION_FAILED - message size 11 is larger than \
                    configured max size 10";
    assert_eq!(client.answer(&mut world), expected);
}

#[test]
fn a_mandatory_direct_reply_is_returned_though_it_arrives() {
    // RabbitMQ's guide on direct reply-to: the name is not a queue when it is
    // determined whether a message was routed.
    let mut world = World::new();
    let mut requester = Amqp::connect(&mut world);
    requester.declare("requests", &NONE);
    requester.consume(1, "amq.rabbitmq.reply-to", "replies", true);
    let fields = PropertyFields {
        reply_to: Some("amq.rabbitmq.reply-to".into()),
        ..Default::default()
    };
    requester.publish_with(1, "", "requests", "question", false, &fields);
    requester.seen(&mut world);
    let mut replier = Amqp::connect(&mut world);
    replier.get("requests", true);
    replier.seen(&mut world);
    let address = replier.contents[0]
        .properties()
        .fields()
        .reply_to
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let gone = format!("{address}x");
    for (key, mandatory, returned, arrives) in [
        (&address, false, false, true),
        (&address, true, true, true),
        (&gone, true, true, false),
        (&gone, false, false, false),
    ] {
        replier
            .codec
            .confirm_select(2, &confirm::Select::default())
            .unwrap();
        let none = PropertyFields::default();
        replier.publish_with(2, "", key, "answer", mandatory, &none);
        let seen = replier.seen(&mut world);
        let was_returned = seen.iter().any(|event| event.starts_with("return 312"));
        assert_eq!(was_returned, returned, "{seen:?}");
        assert!(
            seen.last().is_some_and(|event| event.starts_with("ack")),
            "{seen:?}"
        );
        assert_eq!(requester.seen(&mut world).len(), usize::from(arrives));
    }
}

#[test]
fn a_headers_exchange_compares_numbers_by_value() {
    // In the binding, in the message, and whether it matches: seen of RabbitMQ.
    let long = |n| FieldValue::I64(n);
    let cases: &[(FieldValue<'_>, FieldValue<'_>, bool)] = &[
        (number(1), long(1), true),
        (number(1), FieldValue::F64(1.0), true),
        (FieldValue::F64(1.0), number(1), true),
        (number(1), FieldValue::F32(1.0), true),
        (number(1), FieldValue::Timestamp(1), true),
        (FieldValue::Timestamp(1), FieldValue::F64(1.0), true),
        (long(1 << 40), FieldValue::F64(1_099_511_627_776.0), true),
        (
            long((1 << 53) + 1),
            FieldValue::F64(9_007_199_254_740_992.0),
            false,
        ),
        (number(1), FieldValue::F64(1.5), false),
        (number(1), number(2), false),
        (number(1), FieldValue::Boolean(true), false),
        (number(1), text("1"), false),
        (number(1), FieldValue::Decimal { scale: 0, value: 1 }, false),
        (text("1"), FieldValue::Bytes(b"1"), true),
        (FieldValue::Bytes(b"1"), text("1"), true),
        (text("1"), text("2"), false),
        (FieldValue::Void, FieldValue::F64(7.0), true),
    ];
    for (bound, sent, matches) in cases {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        client.declare("q", &NONE);
        let arguments = table([("x-match", text("all")), ("a", *bound)]);
        let bind = queue::Bind {
            queue: "q",
            exchange: "amq.headers",
            arguments: arguments.as_table(),
            ..Default::default()
        };
        client.codec.queue_bind(1, &bind).unwrap();
        let headers = table([("a", *sent)]);
        let fields = PropertyFields {
            headers: Some(headers.as_table()),
            ..Default::default()
        };
        client.publish_with(1, "amq.headers", "", "body", false, &fields);
        client.get("q", true);
        let expected = if *matches {
            "get-ok 1 body +0"
        } else {
            "basic.get-empty"
        };
        assert_eq!(client.answer(&mut world), expected, "{bound:?} {sent:?}");
    }
}

#[test]
fn a_priority_queue_that_is_too_long_drops_its_head() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    let arguments = table([("x-max-priority", number(9)), ("x-max-length", number(2))]);
    client.declare("q", &arguments);
    for (priority, body) in [(1, "low1"), (5, "mid"), (1, "low2"), (9, "hi")] {
        let fields = PropertyFields {
            priority: Some(priority),
            ..Default::default()
        };
        client.publish_with(1, "", "q", body, false, &fields);
        client.seen(&mut world);
    }
    client.get("q", true);
    client.get("q", true);
    assert_eq!(
        client.seen(&mut world),
        ["get-ok 1 low1 +1", "get-ok 2 low2 +0"]
    );
}

fn death<'a>(table: amqp_codec::Table<'a>, name: &str) -> FieldValue<'a> {
    let Some(FieldValue::Array(deaths)) = table.get("x-death") else {
        panic!("no x-death in {table:?}");
    };
    let Some(FieldValue::Table(death)) = deaths.iter().next() else {
        panic!("no death in {deaths:?}");
    };
    death.get(name).unwrap()
}

#[test]
fn copies_in_bcc_stay_secret_in_a_dead_letter() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    client.declare("dead", &NONE);
    let target = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    client.declare("q", &table(target));
    let array = |key| {
        let mut array = ArrayBuf::new();
        array.push(text(key)).unwrap();
        array
    };
    let (open, secret) = (array("open"), array("secret"));
    let headers = table([
        ("CC", FieldValue::Array(open.as_array())),
        ("BCC", FieldValue::Array(secret.as_array())),
    ]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    client.publish_with(1, "", "q", "body", false, &fields);
    client.get("q", false);
    client.seen(&mut world);
    client.codec.reject(1, 1, Requeue::No).unwrap();
    client.get("dead", true);
    client.seen(&mut world);
    let letter = client
        .contents
        .last()
        .unwrap()
        .properties()
        .fields()
        .headers
        .unwrap();
    let FieldValue::Array(keys) = death(letter, "routing-keys") else {
        panic!("{letter:?}");
    };
    let keys: Vec<FieldValue<'_>> = keys.iter().collect();
    assert_eq!(keys, [text("q"), text("open")]);
    assert!(!format!("{letter:?}").contains("secret"));
}

#[test]
fn a_quorum_queue_says_how_often_a_message_came_back() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    let arguments = table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", number(2)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ]);
    let declare = queue::Declare {
        queue: "q",
        durable: true,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    client.codec.queue_declare(1, &declare).unwrap();
    client.declare("dead", &NONE);
    // A publisher's own header of that name does not count, and is back afterwards.
    let headers = table([("a", number(1)), ("x-delivery-count", number(77))]);
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    client.publish_with(1, "", "q", "body", false, &fields);
    for round in 0..3 {
        client.get("q", false);
        client.seen(&mut world);
        let headers = client
            .contents
            .last()
            .unwrap()
            .properties()
            .fields()
            .headers
            .unwrap();
        assert_eq!(
            headers.get("x-delivery-count"),
            Some(FieldValue::I64(round))
        );
        assert_eq!(headers.get("a"), Some(number(1)));
        client
            .codec
            .reject(1, u64::try_from(round).unwrap() + 1, Requeue::Yes)
            .unwrap();
    }
    client.get("q", true);
    assert_eq!(client.answer(&mut world), "basic.get-empty");
    let consume = basic::Consume {
        queue: "dead",
        no_ack: true,
        ..Default::default()
    };
    client.codec.consume(1, &consume).unwrap();
    client.seen(&mut world);
    let headers = client
        .contents
        .last()
        .unwrap()
        .properties()
        .fields()
        .headers
        .unwrap();
    assert_eq!(death(headers, "reason"), text("delivery_limit"));
    assert_eq!(headers.get("x-delivery-count"), Some(number(77)));
}

#[test]
fn a_new_secret_is_accepted_whatever_it_is() {
    // The users of the settings have passwords that do not expire: RabbitMQ with
    // its own users says yes to any, and clients renew what they have.
    for secret in ["guest", "another", ""] {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        client
            .codec
            .update_secret(secret.as_bytes(), "renewal")
            .unwrap();
        let seen = client.seen(&mut world);
        assert!(!world.is_closed(client.id), "{seen:?}");
        client.declare("q", &NONE);
        assert_eq!(client.answer(&mut world), "queue.declare-ok q 0 0");
    }
}
