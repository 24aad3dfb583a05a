//! Declaring, binding and unbinding over AMQP, answered as RabbitMQ 3.10.8 was seen
//! to answer: clients parse these texts, and rely on what is forgiven.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue, table, text};
use amqp_codec::method::{exchange, queue};
use amqp_codec::{FieldValue, TableBuf};

const NONE: TableBuf = TableBuf::new();

/// What the client does on channel 1, and the last answer.
type Case = (&'static str, fn(&mut Amqp), &'static str);

fn check(cases: &[Case]) {
    for (name, act, expected) in cases {
        let mut world = World::new();
        let mut client = Amqp::connect(&mut world);
        act(&mut client);
        assert_eq!(client.answer(&mut world), *expected, "{name}");
    }
}

fn declare(c: &mut Amqp, durable: bool, auto_delete: bool, arguments: &TableBuf) {
    let declare = queue::Declare {
        queue: "q",
        durable,
        auto_delete,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    c.codec.queue_declare(1, &declare).unwrap();
}

fn declare_exchange(c: &mut Amqp, declare: exchange::Declare<'_>) {
    let declare = exchange::Declare {
        exchange: "x",
        ..declare
    };
    c.codec.exchange_declare(1, &declare).unwrap();
}

fn number(n: i32) -> FieldValue<'static> {
    FieldValue::I32(n)
}

#[test]
fn a_second_declaration_is_told_what_differs() {
    const CASES: &[Case] = &[
        (
            "auto_delete",
            |c| {
                declare(c, false, true, &NONE);
                declare(c, false, false, &NONE);
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' \
             in vhost '/': received 'false' but current is 'true'",
        ),
        (
            "durable",
            |c| {
                declare(c, false, false, &NONE);
                declare(c, true, false, &NONE);
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in \
             vhost '/': received 'true' but current is 'false'",
        ),
        (
            "a number",
            |c| {
                declare(c, false, false, &table([("x-max-length", number(5))]));
                declare(c, false, false, &table([("x-max-length", number(6))]));
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' \
             in vhost '/': received '6' but current is '5'",
        ),
        (
            "an argument too many",
            |c| {
                declare(c, false, false, &NONE);
                declare(c, false, false, &table([("x-expires", number(1000))]));
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in \
             vhost '/': received the value '1000' of type 'signedint' but current is none",
        ),
        (
            "a flag too many",
            |c| {
                let single = ("x-single-active-consumer", FieldValue::Boolean(true));
                declare(c, false, false, &NONE);
                declare(c, false, false, &table([single]));
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' \
             for queue 'q' in vhost '/': received the value 'true' of type 'bool' but current is \
             none",
        ),
        (
            "an argument too few",
            |c| {
                declare(
                    c,
                    false,
                    false,
                    &table([("x-dead-letter-exchange", text("d"))]),
                );
                declare(c, false, false, &NONE);
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for \
             queue 'q' in vhost '/': received none but current is the value 'd' of type 'longstr'",
        ),
        (
            "a type of queue",
            |c| {
                declare(c, true, false, &NONE);
                declare(c, true, false, &table([("x-queue-type", text("quorum"))]));
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' \
             in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
        ),
        (
            "type of an exchange",
            |c| {
                for kind in ["direct", "fanout"] {
                    declare_exchange(
                        c,
                        exchange::Declare {
                            r#type: kind,
                            ..Default::default()
                        },
                    );
                }
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in \
             vhost '/': received 'fanout' but current is 'direct'",
        ),
        (
            "internal",
            |c| {
                for internal in [false, true] {
                    let r#type = "direct";
                    declare_exchange(
                        c,
                        exchange::Declare {
                            r#type,
                            internal,
                            ..Default::default()
                        },
                    );
                }
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'x' \
             in vhost '/': received 'true' but current is 'false'",
        ),
        (
            "alternate exchange",
            |c| {
                for name in ["a1", "a2"] {
                    let arguments = table([("alternate-exchange", text(name))]);
                    declare_exchange(
                        c,
                        exchange::Declare {
                            r#type: "direct",
                            arguments: arguments.as_table(),
                            ..Default::default()
                        },
                    );
                }
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for \
             exchange 'x' in vhost '/': received 'a2' but current is 'a1'",
        ),
        (
            "no alternate exchange",
            |c| {
                let arguments = table([("alternate-exchange", text("a1"))]);
                for arguments in [&arguments, &NONE] {
                    declare_exchange(
                        c,
                        exchange::Declare {
                            r#type: "direct",
                            arguments: arguments.as_table(),
                            ..Default::default()
                        },
                    );
                }
            },
            "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for \
             exchange 'x' in vhost '/': received none but current is the value 'a1' of type \
             'longstr'",
        ),
    ];
    check(CASES);
}

#[test]
fn a_type_of_queue_has_arguments_of_its_own() {
    // Argument, and which of classic, quorum and stream may have it.
    let cases: &[(&str, FieldValue<'_>, [bool; 3])] = &[
        ("x-max-priority", number(5), [true, false, false]),
        ("x-queue-mode", text("lazy"), [true, false, false]),
        ("x-queue-version", number(1), [true, false, false]),
        (
            "x-queue-master-locator",
            text("min-masters"),
            [true, false, false],
        ),
        (
            "x-queue-leader-locator",
            text("balanced"),
            [false, true, true],
        ),
        ("x-expires", number(1000), [true, true, false]),
        ("x-message-ttl", number(1000), [true, true, false]),
        ("x-max-length", number(3), [true, true, false]),
        ("x-max-length-bytes", number(3), [true, true, true]),
        ("x-overflow", text("reject-publish"), [true, true, false]),
        (
            "x-single-active-consumer",
            FieldValue::Boolean(true),
            [true, true, false],
        ),
        ("x-delivery-limit", number(3), [false, true, false]),
        (
            "x-dead-letter-strategy",
            text("at-least-once"),
            [false, true, false],
        ),
        (
            "x-quorum-initial-group-size",
            number(1),
            [false, true, false],
        ),
        ("x-max-in-memory-length", number(3), [false, true, false]),
        ("x-max-age", text("1h"), [false, false, true]),
        (
            "x-stream-max-segment-size-bytes",
            number(1000),
            [false, false, true],
        ),
        ("x-whatever", number(1), [true, true, true]),
    ];
    for (argument, value, allowed) in cases {
        for (kind, allowed) in ["classic", "quorum", "stream"].into_iter().zip(allowed) {
            let mut world = World::new();
            let mut client = Amqp::connect(&mut world);
            let arguments = table([("x-queue-type", text(kind)), (*argument, *value)]);
            declare(&mut client, true, false, &arguments);
            let refused = format!(
                "channel.close 406 PRECONDITION_FAILED - invalid arg '{argument}' for queue 'q' in \
                 vhost '/' of queue type rabbit_{kind}_queue"
            );
            let expected = match (allowed, kind) {
                // Streams are not kept here, and that is what is said then.
                (true, "stream") => "connection.close 540",
                (true, _) => "queue.declare-ok q 0 0",
                (false, _) => &refused,
            };
            let answer = client.answer(&mut world);
            assert!(answer.starts_with(expected), "{kind} {argument}: {answer}");
        }
    }
}

#[test]
fn names_lose_their_line_ends() {
    const CASES: &[Case] = &[
        (
            "queue",
            |c| c.declare("a\r\nb", &NONE),
            "queue.declare-ok ab 0 0",
        ),
        (
            "queue, asked for",
            |c| {
                c.declare("ab", &NONE);
                let declare = queue::Declare {
                    queue: "a\nb",
                    passive: true,
                    ..Default::default()
                };
                c.codec.queue_declare(1, &declare).unwrap();
            },
            "queue.declare-ok ab 0 0",
        ),
        (
            "exchange, binding, unbinding, deletion",
            |c| {
                let r#type = "direct";
                let declare = exchange::Declare {
                    exchange: "a\nb",
                    r#type,
                    ..Default::default()
                };
                c.codec.exchange_declare(1, &declare).unwrap();
                c.declare("ab", &NONE);
                c.bind("a\nb", "a\rb", "k");
                c.bind("ab", "ab", "l");
                c.publish(1, "ab", "k", "1");
                let unbind = queue::Unbind {
                    queue: "a\nb",
                    exchange: "a\nb",
                    routing_key: "k",
                    ..Default::default()
                };
                c.codec.queue_unbind(1, &unbind).unwrap();
                c.publish(1, "ab", "k", "2");
                delete_queue(c, "a\nb", false, false);
            },
            "queue.delete-ok 1",
        ),
        // What is no declaration takes the name as it is.
        (
            "publish",
            |c| c.publish(1, "a\nb", "k", "1"),
            "channel.close 404 NOT_FOUND - no exchange 'a\nb' in vhost '/'",
        ),
        (
            "get",
            |c| {
                c.declare("ab", &NONE);
                c.get("a\nb", true);
            },
            "channel.close 404 NOT_FOUND - no queue 'a\nb' in vhost '/'",
        ),
    ];
    check(CASES);
}

#[test]
fn unbinding_what_is_not_there_is_done() {
    fn unbind(c: &mut Amqp, queue: &str, exchange: &str) {
        let unbind = queue::Unbind {
            queue,
            exchange,
            routing_key: "k",
            ..Default::default()
        };
        c.codec.queue_unbind(1, &unbind).unwrap();
    }
    fn unbind_exchange(c: &mut Amqp, source: &str, destination: &str) {
        let unbind = exchange::Unbind {
            source,
            destination,
            ..Default::default()
        };
        c.codec.exchange_unbind(1, &unbind).unwrap();
    }
    const REFUSED: &str =
        "channel.close 403 ACCESS_REFUSED - operation not permitted on the default exchange";
    const CASES: &[Case] = &[
        (
            "binding",
            |c| unbind(c, "q", "amq.direct"),
            "queue.unbind-ok",
        ),
        ("exchange", |c| unbind(c, "q", "none"), "queue.unbind-ok"),
        (
            "queue",
            |c| unbind(c, "none", "amq.direct"),
            "queue.unbind-ok",
        ),
        ("both", |c| unbind(c, "none", "none"), "queue.unbind-ok"),
        ("default exchange", |c| unbind(c, "none", ""), REFUSED),
        (
            "source",
            |c| unbind_exchange(c, "none", "amq.direct"),
            "exchange.unbind-ok",
        ),
        (
            "destination",
            |c| unbind_exchange(c, "amq.direct", "none"),
            "exchange.unbind-ok",
        ),
        (
            "neither",
            |c| unbind_exchange(c, "none", "none"),
            "exchange.unbind-ok",
        ),
        (
            "default source",
            |c| unbind_exchange(c, "", "none"),
            REFUSED,
        ),
    ];
    check(CASES);
}
