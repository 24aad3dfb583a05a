//! Queues: declaring, purging, deleting, exclusiveness (class queue).

use super::bytes::{
    ANY_CODE, BASIC_CONSUME, BASIC_GET, Method, QUEUE_BIND, QUEUE_DECLARE, QUEUE_DECLARE_OK,
    QUEUE_DELETE, QUEUE_DELETE_OK, QUEUE_PURGE, QUEUE_PURGE_OK, args, fields, method, method_name,
};
use super::bytes::{Args, Frame};
use super::client::{Client, Declared, expect_gone};
use super::method_args::{
    AUTO_DELETE, DURABLE, EXCLUSIVE, NO_ACK, NO_WAIT, PASSIVE, bind_args, consume_args,
    declare_args, queue_delete_args,
};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Queues",
    cases: &[
        Case {
            id: "amqp/queue.declare/default-name",
            rule: "queue / declare / queue / default-name",
            level: Must,
            title: "A queue declared without a name gets a unique one",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let first = client.declare(1, "", EXCLUSIVE)?;
                let second = client.declare(1, "", EXCLUSIVE)?;
                if first.name.is_empty() || first.name == second.name {
                    return Err(fail(
                        "two names",
                        format!("{:?} and {:?}", first.name, second.name),
                    ));
                }
                client.declare(1, &first.name, PASSIVE).map(drop)
            },
        },
        Case {
            id: "amqp/queue.declare/counts",
            rule: "queue / declare-ok",
            level: Must,
            title: "declare-ok tells the messages that are ready and the consumers",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                client.expect_get(&queue, b"1")?;
                expect_counts(&mut client, &queue, 2, 0)?;
                client.consume(&queue, "c", NO_ACK)?;
                client.expect_delivery(b"2")?;
                client.expect_delivery(b"3")?;
                expect_counts(&mut client, &queue, 0, 1)
            },
        },
        Case {
            id: "amqp/queue.declare/types",
            rule: "queue / declare / durable / types; queue / declare / exclusive / types",
            level: Must,
            title: "Queues can be durable or transient, exclusive or shared",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                for (hint, bits) in [("d.", DURABLE), ("t.", 0), ("e.", EXCLUSIVE)] {
                    let queue = client.declare(1, &ctx.name(hint), bits)?.name;
                    client.publish("", &queue, b"in");
                    client.expect_get(&queue, b"in")?;
                    client.delete_queue(&queue)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/queue.declare/minimum-queues",
            rule: "queue / declare / minimum-queues",
            level: Should,
            title: "A virtual host holds 256 queues",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let declares = (0..256).flat_map(|i| {
                    let declare = declare_args(&ctx.name(&format!("q{i}.")), EXCLUSIVE, &fields());
                    method(1, QUEUE_DECLARE, declare)
                });
                client.wire.send(&declares.collect::<Vec<_>>());
                for _ in 0..256 {
                    client.expect(1, QUEUE_DECLARE_OK, "queue.declare-ok of 256 queues")?;
                }
                client.close()
            },
        },
        Case {
            id: "amqp/queue.declare/reserved-name",
            rule: "queue / declare / queue / reserved",
            level: Must,
            title: "A new queue cannot be named amq.*: channel exception 403",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("amq."), EXCLUSIVE, &fields()),
                );
                client.expect_channel_close(1, &[403], "a queue named amq.*")
            },
        },
        Case {
            id: "amqp/queue.declare/passive-not-found",
            rule: "queue / declare / passive; queue / declare / passive / passive",
            level: Must,
            title: "A passive declare of a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("none."), PASSIVE, &fields()),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/queue.declare/equivalent",
            rule: "queue / declare / passive / equivalent",
            level: Must,
            title: "A queue can be declared again as it is, and not with another durability",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), 0)?.name;
                client.declare(1, &queue, 0)?;
                client.send(1, QUEUE_DECLARE, declare_args(&queue, DURABLE, &fields()));
                client.expect_channel_close(1, ANY_CODE, "durable for a transient queue")?;
                client.open_channel(1)?;
                client.delete_queue(&queue)
            },
        },
        Case {
            id: "amqp/queue.declare/equivalent-arguments",
            rule: "queue / declare / passive / equivalent",
            level: Must,
            title: "A queue cannot be declared again with other arguments",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let (name, arguments) = (ctx.name("q."), fields().int("x-message-ttl", 60_000));
                client.declare_with(1, &name, EXCLUSIVE, &arguments)?;
                client.declare_with(1, &name, EXCLUSIVE, &arguments)?;
                let other = fields().int("x-message-ttl", 50_000);
                client.send(1, QUEUE_DECLARE, declare_args(&name, EXCLUSIVE, &other));
                client.expect_channel_close(1, ANY_CODE, "another x-message-ttl")
            },
        },
        Case {
            id: "amqp/queue.declare/no-wait",
            rule: "domain no-wait",
            level: Must,
            title: "A declare with no-wait makes the queue and has no reply",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = ctx.name("q.");
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&queue, EXCLUSIVE | NO_WAIT, &fields()),
                );
                client.expect_well(1, "basic.qos-ok and no declare-ok before")?;
                client.declare(1, &queue, PASSIVE).map(drop)
            },
        },
        Case {
            id: "amqp/queue.declare/exclusive",
            rule: "queue / declare / exclusive / exclusive; errata 7 and 8",
            level: Must,
            title: "Another connection's exclusive queue is locked for every use: channel exception 405",
            run: exclusive,
        },
        Case {
            id: "amqp/queue.declare/exclusive-goes",
            rule: "queue / declare / exclusive; errata 5 and 19",
            level: Must,
            title: "An exclusive queue goes with the connection that declared it",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.close()?;
                let declare = declare_args(&queue, PASSIVE, &fields());
                let why = "an exclusive queue whose connection closed";
                expect_gone(ctx, QUEUE_DECLARE, &declare, why)
            },
        },
        Case {
            id: "amqp/queue.declare/auto-delete",
            rule: "queue / declare / auto-delete; erratum 5",
            level: Must,
            title: "An auto-delete queue goes with its last consumer, and not before its first",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), AUTO_DELETE)?.name;
                client.publish("", &queue, b"got, not consumed");
                client.expect_get(&queue, b"got, not consumed")?;
                client.consume(&queue, "c", 0)?;
                client.cancel(1, "c")?;
                let declare = declare_args(&queue, PASSIVE, &fields());
                let why = "an auto-delete queue after its last consumer";
                expect_gone(ctx, QUEUE_DECLARE, &declare, why)
            },
        },
        Case {
            id: "amqp/queue/current-queue",
            rule: "queue / bind / queue / queue-known",
            level: Must,
            title: "An empty queue name means the last queue declared on the channel",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "fanout")?;
                let queue = client.queue(ctx)?;
                client.open_channel(2)?;
                client.declare(2, &ctx.name("other."), EXCLUSIVE)?;
                client.bind("", &exchange, "")?;
                client.publish(&exchange, "", b"bound");
                client.expect_get(&queue, b"bound").map(drop)
            },
        },
        Case {
            id: "amqp/queue/no-current-queue",
            rule: "queue / bind / queue / queue-known; erratum 18",
            level: Must,
            title: "An empty queue name before any declare on the channel is an exception",
            // 404 on the channel by the class definition, 502 on the
            // connection by erratum 18, 530 by the text before it.
            run: |ctx| {
                for (name, args) in [
                    (QUEUE_BIND, bind_args("", "amq.direct", "k", &fields())),
                    (QUEUE_PURGE, purge_args("")),
                    (QUEUE_DELETE, queue_delete_args("", 0)),
                ] {
                    let mut client = Client::with_channel(ctx)?;
                    client.send(1, name, args);
                    client.expect_exception(1, &[404], &[502, 530], "no queue to mean")?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/queue.purge/empties",
            rule: "queue / purge",
            level: Must,
            title: "A purge removes the messages that are ready, and counts them",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2"] {
                    client.publish("", &queue, body);
                }
                let purged = client.call(1, QUEUE_PURGE, purge_args(&queue), QUEUE_PURGE_OK)?;
                expect_count(&purged, 2)?;
                client.expect_empty(&queue, "an empty queue after the purge")
            },
        },
        Case {
            id: "amqp/queue.purge/unacknowledged",
            rule: "queue / purge / 02",
            level: Must,
            title: "A purge leaves messages that were sent and are not acknowledged",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2"] {
                    client.publish("", &queue, body);
                }
                let first = client.expect_get(&queue, b"1")?;
                let purged = client.call(1, QUEUE_PURGE, purge_args(&queue), QUEUE_PURGE_OK)?;
                expect_count(&purged, 1)?;
                client.reject(first.delivery_tag, true);
                client.expect_get(&queue, b"1").map(drop)
            },
        },
        Case {
            id: "amqp/queue.purge/not-found",
            rule: "queue / purge / queue / must-exist",
            level: Must,
            title: "Purging a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, QUEUE_PURGE, purge_args(&ctx.name("none.")));
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/queue.delete/counts",
            rule: "queue / delete",
            level: Must,
            title: "A queue that was deleted is gone, and delete-ok counts its messages",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2"] {
                    client.publish("", &queue, body);
                }
                let deleted = client.call(
                    1,
                    QUEUE_DELETE,
                    queue_delete_args(&queue, 0),
                    QUEUE_DELETE_OK,
                )?;
                expect_count(&deleted, 2)?;
                client.send(1, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
                client.expect_channel_close(1, &[404], "a queue that was deleted")
            },
        },
        Case {
            id: "amqp/queue.delete/not-found",
            rule: "queue / delete / queue / must-exist",
            level: Must,
            title: "Deleting a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, QUEUE_DELETE, queue_delete_args(&ctx.name("none."), 0));
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/queue.delete/in-use",
            rule: "queue / delete / if-unused / in-use",
            level: Must,
            title: "A queue with a consumer is not deleted if-unused: channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", NO_ACK)?;
                client.send(2, QUEUE_DELETE, queue_delete_args(&queue, 1));
                client.expect_channel_close(2, &[406], "a queue with a consumer")?;
                client.publish("", &queue, b"still there");
                client.expect_delivery(b"still there").map(drop)
            },
        },
        Case {
            id: "amqp/queue.delete/not-empty",
            rule: "queue / delete / if-empty / not-empty",
            level: Must,
            title: "A queue with a message is not deleted if-empty: channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"still there");
                client.send(1, QUEUE_DELETE, queue_delete_args(&queue, 2));
                client.expect_channel_close(1, &[406], "a queue with a message")?;
                client.open_channel(1)?;
                client.expect_get(&queue, b"still there").map(drop)
            },
        },
        Case {
            id: "amqp/queue.delete/if-unused-and-if-empty",
            rule: "queue / delete",
            level: Must,
            title: "A queue without consumers and messages is deleted if-unused and if-empty",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let deleted = client.call(
                    1,
                    QUEUE_DELETE,
                    queue_delete_args(&queue, 3),
                    QUEUE_DELETE_OK,
                )?;
                expect_count(&deleted, 0)
            },
        },
    ],
};

fn purge_args(queue: &str) -> Args {
    args().short(0).shortstr(queue).octet(0)
}

/// The message-count of purge-ok and delete-ok.
fn expect_count(frame: &Frame, expected: u32) -> Result<(), Stop> {
    if frame.args().long()? == expected {
        Ok(())
    } else {
        Err(fail(format!("message-count {expected}"), frame.to_string()))
    }
}

fn expect_counts(
    client: &mut Client,
    queue: &str,
    messages: u32,
    consumers: u32,
) -> Result<(), Stop> {
    let declared = client.declare(1, queue, PASSIVE)?;
    let expected = Declared {
        name: queue.into(),
        messages,
        consumers,
    };
    if declared == expected {
        Ok(())
    } else {
        Err(fail(format!("{expected:?}"), format!("{declared:?}")))
    }
}

fn exclusive(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut owner = Client::with_channel(ctx)?;
    let queue = owner.queue(ctx)?;
    let mut other = Client::open(ctx)?;
    let uses: [(Method, Args); 7] = [
        (QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields())),
        (QUEUE_DECLARE, declare_args(&queue, EXCLUSIVE, &fields())),
        (
            QUEUE_BIND,
            bind_args(&queue, "amq.direct", &queue, &fields()),
        ),
        (QUEUE_PURGE, purge_args(&queue)),
        (QUEUE_DELETE, queue_delete_args(&queue, 0)),
        (BASIC_CONSUME, consume_args(&queue, "", 0, &fields())),
        (BASIC_GET, args().short(0).shortstr(&queue).octet(0)),
    ];
    for (channel, (name, args)) in (1..).zip(uses) {
        other.open_channel(channel)?;
        other.send(channel, name, args);
        let why = format!("{} of a locked queue", method_name(name));
        other.expect_channel_close(channel, &[405], &why)?;
    }
    owner.publish("", &queue, b"mine");
    owner.expect_get(&queue, b"mine").map(drop)
}
