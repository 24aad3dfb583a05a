//! Bindings and how the exchange types route by them (3.1.3).

use super::bytes::{ANY_CODE, Args, Fields, QUEUE_BIND, QUEUE_BIND_OK, QUEUE_UNBIND, args, fields};
use super::client::Client;
use super::method_args::{DURABLE, EXCLUSIVE, bind_args, unbind_args};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Bindings and routing",
    cases: &[
        Case {
            id: "amqp/exchange/default-exchange",
            rule: "exchange / default-exchange; queue / declare / default-binding; basic / publish / exchange / default-exchange",
            level: Must,
            title: "The default exchange routes to the queue named by the routing key",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"to you");
                let message = client.expect_get(&queue, b"to you")?;
                if (message.exchange.as_slice(), message.routing_key.as_slice())
                    == (&b""[..], queue.as_bytes())
                {
                    Ok(())
                } else {
                    Err(fail(
                        "exchange \"\" and the routing key in basic.get-ok",
                        format!("{message:?}"),
                    ))
                }
            },
        },
        Case {
            id: "amqp/exchange/direct",
            rule: "queue / bind / routing-key / direct-exchange-key-matching",
            level: Must,
            title: "A direct exchange routes to the bindings whose key is the routing key",
            run: |ctx| {
                routes(
                    ctx,
                    "direct",
                    &["a", "a.b", "*", "#"],
                    &[("a", 1), ("a.b", 1), ("*", 1), ("b", 0), ("", 0)],
                )
            },
        },
        Case {
            id: "amqp/exchange/fanout",
            rule: "section 3.1.3.2",
            level: Must,
            title: "A fanout exchange routes to every binding, whatever the keys",
            run: |ctx| routes(ctx, "fanout", &["a"], &[("a", 1), ("b", 1), ("", 1)]),
        },
        Case {
            id: "amqp/exchange/topic-star",
            rule: "section 3.1.3.3",
            level: Must,
            title: "In a topic binding * stands for exactly one word",
            run: |ctx| {
                routes(
                    ctx,
                    "topic",
                    &["*.b.*"],
                    &[
                        ("a.b.c", 1),
                        ("a.b", 0),
                        ("b", 0),
                        ("a.b.c.d", 0),
                        (".b.", 1),
                        ("a.x.c", 0),
                    ],
                )
            },
        },
        Case {
            id: "amqp/exchange/topic-hash",
            rule: "section 3.1.3.3",
            level: Must,
            title: "In a topic binding # stands for zero or more words",
            run: |ctx| {
                routes(
                    ctx,
                    "topic",
                    &["a.#.z"],
                    &[
                        ("a.z", 1),
                        ("a.b.z", 1),
                        ("a.b.c.z", 1),
                        ("a", 0),
                        ("z", 0),
                        ("a.zz", 0),
                    ],
                )
            },
        },
        Case {
            id: "amqp/exchange/topic-hash-alone",
            rule: "section 3.1.3.3",
            level: Must,
            title: "The topic binding # alone matches every routing key, the empty one included",
            run: |ctx| {
                routes(
                    ctx,
                    "topic",
                    &["#"],
                    &[("", 1), ("a", 1), ("a.b", 1), ("..", 1)],
                )
            },
        },
        Case {
            id: "amqp/exchange/headers-all",
            rule: "section 3.1.3.4",
            level: Must,
            title: "A headers binding with x-match all matches when every header does",
            run: |ctx| {
                let binding = fields()
                    .longstr("x-match", "all")
                    .longstr("a", "1")
                    .int("b", 2);
                let both = fields().longstr("a", "1").int("b", 2).longstr("c", "3");
                let one = fields().longstr("a", "1");
                let other = fields().longstr("a", "1").int("b", 3);
                headers(
                    ctx,
                    &binding,
                    &[(&both, true), (&one, false), (&other, false)],
                )
            },
        },
        Case {
            id: "amqp/exchange/headers-any",
            rule: "section 3.1.3.4",
            level: Must,
            title: "A headers binding with x-match any matches when one header does",
            run: |ctx| {
                let binding = fields()
                    .longstr("x-match", "any")
                    .longstr("a", "1")
                    .int("b", 2);
                let one = fields().longstr("a", "1").int("b", 3);
                let none = fields().longstr("a", "2");
                headers(
                    ctx,
                    &binding,
                    &[(&one, true), (&none, false), (&fields(), false)],
                )
            },
        },
        Case {
            id: "amqp/exchange/headers-void",
            rule: "section 3.1.3.4",
            level: Must,
            title: "A header without a value in a headers binding matches by its presence",
            run: |ctx| {
                let binding = fields().longstr("x-match", "all").field("a", b"V");
                let there = fields().longstr("a", "whatever");
                headers(ctx, &binding, &[(&there, true), (&fields(), false)])
            },
        },
        Case {
            id: "amqp/queue.bind/duplicates",
            rule: "queue / bind / duplicates",
            level: Must,
            title: "The same binding twice is no error, and delivers once",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "direct")?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &exchange, "k")?;
                client.bind(&queue, &exchange, "k")?;
                client.publish(&exchange, "k", b"once");
                client.expect_get(&queue, b"once")?;
                client.expect_empty(&queue, "one message for two equal bindings")
            },
        },
        Case {
            id: "amqp/queue.bind/unique",
            rule: "queue / bind / unique",
            level: Must,
            title: "A message comes into a queue once, however many of its bindings match",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "topic")?;
                let queue = client.queue(ctx)?;
                for key in ["#", "a.*", "a.b"] {
                    client.bind(&queue, &exchange, key)?;
                }
                client.publish(&exchange, "a.b", b"once");
                client.expect_get(&queue, b"once")?;
                client.expect_empty(&queue, "one message for three bindings that match")
            },
        },
        Case {
            id: "amqp/queue.bind/binding-count",
            rule: "queue / bind / binding-count",
            level: Should,
            title: "A queue takes at least four bindings",
            run: |ctx| {
                routes(
                    ctx,
                    "direct",
                    &["1", "2", "3", "4"],
                    &[("1", 1), ("2", 1), ("3", 1), ("4", 1)],
                )
            },
        },
        Case {
            id: "amqp/queue.bind/transient-exchange",
            rule: "queue / bind / transient-exchange",
            level: Must,
            title: "A durable queue can be bound to a transient exchange",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "direct")?;
                let queue = client.declare(1, &ctx.name("q."), DURABLE)?.name;
                client.bind(&queue, &exchange, "k")?;
                client.publish(&exchange, "k", b"bound");
                client.expect_get(&queue, b"bound")?;
                client.delete_queue(&queue)
            },
        },
        Case {
            id: "amqp/queue.bind/exchange-not-found",
            rule: "queue / bind / exchange / exchange-existence",
            level: Must,
            title: "Binding to an exchange that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.send(
                    1,
                    QUEUE_BIND,
                    bind_args(&queue, &ctx.name("none."), "k", &fields()),
                );
                client.expect_channel_close(1, &[404], "an exchange that does not exist")
            },
        },
        Case {
            id: "amqp/queue.bind/queue-not-found",
            rule: "queue / bind / queue / must-exist",
            level: Must,
            title: "Binding a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    QUEUE_BIND,
                    bind_args(&ctx.name("none."), "amq.direct", "k", &fields()),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/queue.bind/default-exchange",
            rule: "queue / bind / exchange / default-exchange; erratum 14",
            level: Must,
            title: "A binding to the default exchange is taken, or refused with 403",
            // The rule says that a blank name must be accepted, the erratum
            // (and 0-10) that nothing but publishing may refer to it.
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.send(
                    1,
                    QUEUE_BIND,
                    bind_args(&queue, "", "another-key", &fields()),
                );
                match client.next(1)? {
                    Seen::Frame(frame) if frame.method() == Some(QUEUE_BIND_OK) => Ok(()),
                    Seen::Frame(frame) if matches!(frame.close_reason(), Some((403, _))) => Ok(()),
                    other => Err(fail(
                        "queue.bind-ok or channel.close 403",
                        other.to_string(),
                    )),
                }
            },
        },
        Case {
            id: "amqp/queue.unbind/gone",
            rule: "queue / unbind",
            level: Must,
            title: "A binding that was taken away routes no more, and its neighbours still do",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "direct")?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &exchange, "a")?;
                client.bind(&queue, &exchange, "b")?;
                client.unbind(&queue, &exchange, "a")?;
                client.publish(&exchange, "a", b"by a");
                client.publish(&exchange, "b", b"by b");
                client.expect_get(&queue, b"by b")?;
                client.expect_empty(&queue, "nothing by the binding that was taken away")
            },
        },
        Case {
            id: "amqp/queue.unbind/queue-not-found",
            rule: "queue / unbind / queue / must-exist",
            level: Must,
            title: "Unbinding a queue that does not exist is an exception",
            // Channel exception 404 by this rule, a connection exception by
            // "unbind / 01".
            run: |ctx| unbind_refused(ctx, &unbind_args(&ctx.name("none."), "amq.direct", "k")),
        },
        Case {
            id: "amqp/queue.unbind/exchange-not-found",
            rule: "queue / unbind / exchange / must-exist",
            level: Must,
            title: "Unbinding from an exchange that does not exist is an exception",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.send(
                    1,
                    QUEUE_UNBIND,
                    unbind_args(&queue, &ctx.name("none."), "k"),
                );
                client.expect_exception(1, &[404], ANY_CODE, "an exchange that does not exist")
            },
        },
    ],
};

fn unbind_refused(ctx: &Context<'_>, unbind: &Args) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.send(1, QUEUE_UNBIND, unbind.clone());
    client.expect_exception(1, &[404], ANY_CODE, "a queue that does not exist")
}

/// One queue bound with every key: a message with each routing key comes in
/// as often as said. The order in which they come tells them apart.
fn routes(
    ctx: &Context<'_>,
    kind: &str,
    bindings: &[&str],
    expected: &[(&str, usize)],
) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let exchange = client.exchange(ctx, kind)?;
    let queue = client.queue(ctx)?;
    for key in bindings {
        client.bind(&queue, &exchange, key)?;
    }
    for (key, _) in expected {
        client.publish(&exchange, key, format!("key {key:?}").as_bytes());
    }
    for (key, count) in expected {
        for _ in 0..*count {
            client.expect_get(&queue, format!("key {key:?}").as_bytes())?;
        }
    }
    client.expect_empty(&queue, &format!("no message beyond those for {bindings:?}"))
}

/// One queue bound to a headers exchange: the messages with these headers come
/// in, or do not.
fn headers(ctx: &Context<'_>, binding: &Fields, expected: &[(&Fields, bool)]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let exchange = client.exchange(ctx, "headers")?;
    let queue = client.declare(1, &ctx.name("q."), EXCLUSIVE)?.name;
    let bind = bind_args(&queue, &exchange, "", binding);
    client.call(1, QUEUE_BIND, bind, QUEUE_BIND_OK)?;
    for (i, (headers, _)) in expected.iter().enumerate() {
        // Property flags: bit 13 is headers.
        let properties = args().short(1 << 13).table(headers);
        client.publish_with(
            1,
            &exchange,
            "",
            0,
            &properties.0,
            format!("message {i}").as_bytes(),
        );
    }
    for (i, (_, matches)) in expected.iter().enumerate() {
        if *matches {
            client.expect_get(&queue, format!("message {i}").as_bytes())?;
        }
    }
    client.expect_empty(&queue, "no message beyond those that match")
}
