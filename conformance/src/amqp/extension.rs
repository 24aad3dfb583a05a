//! Extensions that brokers announce as capabilities in their server-properties.

use super::bytes::{
    ANY_CODE, BASIC_CANCEL, BASIC_CONSUME, BASIC_CONSUME_OK, BASIC_NACK, EXCHANGE_BIND,
    EXCHANGE_BIND_OK, EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, EXCHANGE_UNBIND, EXCHANGE_UNBIND_OK,
    args, fields,
};
use super::bytes::{
    Args, EXCHANGE_DELETE, EXCHANGE_DELETE_OK, QUEUE_DELETE, QUEUE_DELETE_OK, Reader,
};
use super::client::Client;
use super::method_args::{
    EXCHANGE_AUTO_DELETE, NO_ACK, consume_args, exchange_args, exchange_delete_args,
    queue_delete_args,
};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Announced extensions",
    cases: &[
        Case {
            id: "amqp/basic.nack/multiple",
            rule: "capability basic.nack",
            level: Must,
            title: "A nack of multiple requeues up to and including its tag",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "basic.nack")?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                    client.expect_get(&queue, body)?;
                }
                client.send(1, BASIC_NACK, nack_args(2, true, true));
                for body in [b"1", b"2"] {
                    let message = client.expect_get(&queue, body)?;
                    if !message.redelivered {
                        return Err(fail("the redelivered bit set", format!("{message:?}")));
                    }
                }
                client.expect_empty(&queue, "the third is not requeued")
            },
        },
        Case {
            id: "amqp/basic.nack/discard",
            rule: "capability basic.nack",
            level: Must,
            title: "A nack that does not requeue discards",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "basic.nack")?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"gone");
                let message = client.expect_get(&queue, b"gone")?;
                client.send(1, BASIC_NACK, nack_args(message.delivery_tag, false, false));
                client.expect_empty(&queue, "no message that was discarded")
            },
        },
        Case {
            id: "amqp/basic.nack/unknown-delivery-tag",
            rule: "capability basic.nack",
            level: Must,
            title: "A nack of a tag that was not delivered is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "basic.nack")?;
                client.send(1, BASIC_NACK, nack_args(42, false, true));
                client.expect_channel_close(1, &[406], "an unknown delivery tag")
            },
        },
        Case {
            id: "amqp/exchange.bind/routes",
            rule: "capability exchange_exchange_bindings",
            level: Must,
            title: "An exchange bound to an exchange passes on what matches, until it is unbound",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "exchange_exchange_bindings")?;
                let (source, destination) = (ctx.name("src."), ctx.name("dst."));
                for (name, kind) in [(&source, "direct"), (&destination, "fanout")] {
                    let declare = exchange_args(name, kind, EXCHANGE_AUTO_DELETE, &fields());
                    client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                }
                let queue = client.queue(ctx)?;
                client.bind(&queue, &destination, "")?;
                // Keeps the source, which goes with its last binding.
                client.bind(&queue, &source, "kept")?;
                let bind = bind_args(&destination, &source, "k");
                client.call(1, EXCHANGE_BIND, bind.clone(), EXCHANGE_BIND_OK)?;
                client.publish(&source, "k", b"through both");
                client.publish(&source, "other", b"nowhere");
                client.expect_get(&queue, b"through both")?;
                client.call(1, EXCHANGE_UNBIND, bind, EXCHANGE_UNBIND_OK)?;
                client.publish(&source, "k", b"nowhere");
                client.expect_empty(&queue, "nothing that does not match, or after unbind")
            },
        },
        Case {
            id: "amqp/exchange.bind/cycle",
            rule: "capability exchange_exchange_bindings",
            level: Must,
            title: "Exchanges may be bound in a circle, and a queue gets a message once",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "exchange_exchange_bindings")?;
                let (one, two) = (ctx.name("one."), ctx.name("two."));
                for name in [&one, &two] {
                    let declare = exchange_args(name, "fanout", 0, &fields());
                    client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                }
                let queue = client.queue(ctx)?;
                for (destination, source) in [(&one, &two), (&two, &one), (&one, &one)] {
                    let bind = bind_args(destination, source, "");
                    client.call(1, EXCHANGE_BIND, bind, EXCHANGE_BIND_OK)?;
                }
                client.bind(&queue, &one, "")?;
                client.bind(&queue, &two, "")?;
                client.publish(&one, "", b"once");
                client.expect_get(&queue, b"once")?;
                client.expect_empty(&queue, "one message, round in circles")?;
                for name in [&one, &two] {
                    let delete = exchange_delete_args(name, 0);
                    client.call(1, EXCHANGE_DELETE, delete, EXCHANGE_DELETE_OK)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/exchange.bind/not-found",
            rule: "capability exchange_exchange_bindings",
            level: Must,
            title: "Binding an exchange to one that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "exchange_exchange_bindings")?;
                client.send(
                    1,
                    EXCHANGE_BIND,
                    bind_args("amq.fanout", &ctx.name("none."), ""),
                );
                client.expect_channel_close(1, &[404], "an exchange that does not exist")
            },
        },
        Case {
            id: "amqp/basic.cancel/notified",
            rule: "capability consumer_cancel_notify",
            level: Must,
            title: "A consumer whose queue is deleted is told with basic.cancel",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "consumer_cancel_notify")?;
                client.open_channel(2)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                let delete = queue_delete_args(&queue, 0);
                client.call(2, QUEUE_DELETE, delete, QUEUE_DELETE_OK)?;
                let cancel = client.expect(1, BASIC_CANCEL, "basic.cancel for consumer \"c\"")?;
                if cancel.args().shortstr()? == b"c" {
                    Ok(())
                } else {
                    Err(fail("basic.cancel for consumer \"c\"", cancel.to_string()))
                }
            },
        },
        Case {
            id: "amqp/basic.cancel/not-notified",
            rule: "capability consumer_cancel_notify",
            level: Must,
            title: "A client that does not announce the capability is not sent basic.cancel",
            run: |ctx| {
                drop(Client::with_capability(ctx, "consumer_cancel_notify")?);
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                let delete = queue_delete_args(&queue, 0);
                client.call(2, QUEUE_DELETE, delete, QUEUE_DELETE_OK)?;
                client.expect_silence("no basic.cancel")
            },
        },
        Case {
            id: "amqp/basic.consume/priority",
            rule: "capability consumer_priorities",
            level: Must,
            title: "A consumer of higher priority is served before the others",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "consumer_priorities")?;
                let queue = client.queue(ctx)?;
                for (tag, priority) in [("low", -1), ("high", 10), ("none", 0)] {
                    let arguments = fields().int("x-priority", priority);
                    let consume = consume_args(&queue, tag, NO_ACK, &arguments);
                    client.call(1, BASIC_CONSUME, consume, BASIC_CONSUME_OK)?;
                }
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                    let message = client.expect_delivery(body)?;
                    if message.consumer_tag != b"high" {
                        return Err(fail(
                            "a delivery to consumer \"high\"",
                            format!("{message:?}"),
                        ));
                    }
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/direct-reply-to/answers",
            rule: "capability direct_reply_to",
            level: Must,
            title: "A reply to amq.rabbitmq.reply-to arrives at the consumer that asked",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "direct_reply_to")?;
                client.consume(REPLY_TO, "replies", NO_ACK)?;
                let mut other = Client::with_channel(ctx)?;
                let address = reply_address(&mut client, &mut other, ctx)?;
                other.publish("", &address, b"answer");
                let answer = client.expect_delivery(b"answer")?;
                if answer.consumer_tag == b"replies" {
                    Ok(())
                } else {
                    Err(fail(
                        "a delivery to consumer \"replies\"",
                        format!("{answer:?}"),
                    ))
                }
            },
        },
        Case {
            id: "amqp/direct-reply-to/with-ack",
            rule: "capability direct_reply_to",
            level: Must,
            title: "A consumer of amq.rabbitmq.reply-to that would acknowledge is refused",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "direct_reply_to")?;
                client.send(
                    1,
                    BASIC_CONSUME,
                    consume_args(REPLY_TO, "replies", 0, &fields()),
                );
                client.expect_channel_close(1, ANY_CODE, "a reply consumer that acknowledges")
            },
        },
    ],
};

pub(super) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The address in a question that the client sends, as the other one gets it.
pub(super) fn reply_address(
    client: &mut Client,
    other: &mut Client,
    ctx: &Context<'_>,
) -> Result<String, Stop> {
    let queue = other.declare(1, &ctx.name("q."), 0)?.name;
    // Property flags: bit 9 is reply-to.
    let properties = args().short(1 << 9).shortstr(REPLY_TO);
    client.publish_with(1, "", &queue, 0, &properties.0, b"question");
    other.consume(&queue, "questions", NO_ACK)?;
    let question = other.expect_delivery(b"question")?;
    other.delete_queue(&queue)?;
    let mut given = Reader(&question.properties);
    given.short()?;
    let address = String::from_utf8_lossy(given.shortstr()?).into_owned();
    if !address.starts_with(REPLY_TO) || address == REPLY_TO {
        return Err(fail("an address of its own in reply-to", address));
    }
    Ok(address)
}

fn nack_args(delivery_tag: u64, multiple: bool, requeue: bool) -> Args {
    args()
        .longlong(delivery_tag)
        .octet(u8::from(multiple) | u8::from(requeue) << 1)
}

/// exchange.bind and exchange.unbind.
fn bind_args(destination: &str, source: &str, key: &str) -> Args {
    args()
        .short(0)
        .shortstr(destination)
        .shortstr(source)
        .shortstr(key)
        .octet(0)
        .table(&fields())
}
