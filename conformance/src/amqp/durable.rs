//! What a broker has again when it is started again.

use super::bytes::{
    BASIC_ACK, CHANNEL_CLOSE, CONFIRM_SELECT, CONFIRM_SELECT_OK, EXCHANGE_DECLARE,
    EXCHANGE_DECLARE_OK, EXCHANGE_DELETE, EXCHANGE_DELETE_OK, QUEUE_DECLARE, QUEUE_DECLARE_OK,
    args, fields,
};
use super::client::Client;
use super::method_args::{DURABLE, PASSIVE, declare_args, exchange_args, exchange_delete_args};
use crate::case::Level::{Must, Should};
use crate::case::{AFTER_A_RESTART, Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: AFTER_A_RESTART,
    cases: &[
        Case {
            id: "amqp/restart/durable-queue",
            rule: "queue / declare / durable / persistence",
            level: Must,
            title: "A durable queue is there again",
            run: |ctx| {
                let (client, queue) = durable(ctx)?;
                client.close().setup("closing the connection")?;
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                let declare = declare_args(&queue, DURABLE | PASSIVE, &fields());
                client.send(1, QUEUE_DECLARE, declare);
                client.expect(
                    1,
                    QUEUE_DECLARE_OK,
                    "queue.declare-ok for the durable queue",
                )?;
                client.delete_queue(&queue)
            },
        },
        Case {
            id: "amqp/restart/transient-queue",
            rule: "queue / declare / durable",
            level: Should,
            title: "A queue that is not durable is gone, or empty",
            run: |ctx| {
                ctx.needs_restart()?;
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), 0)?.name;
                client.publish("", &queue, b"gone");
                client.close().setup("closing the connection")?;
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                client.send(1, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
                match client.next(1)? {
                    Seen::Frame(frame) if frame.method() == Some(CHANNEL_CLOSE) => Ok(()),
                    Seen::Frame(frame) if frame.method() == Some(QUEUE_DECLARE_OK) => {
                        let mut args = frame.args();
                        args.shortstr()?;
                        if args.long()? == 0 {
                            client.delete_queue(&queue)
                        } else {
                            Err(fail("no message in a transient queue", frame.to_string()))
                        }
                    }
                    other => Err(fail("an exception, or an empty queue", other.to_string())),
                }
            },
        },
        Case {
            id: "amqp/restart/persistent-message",
            rule: "basic / 01",
            level: Should,
            title: "A persistent message in a durable queue is there again, with its properties",
            run: |ctx| {
                let (mut client, queue) = durable(ctx)?;
                // Bits 15 and 12 are content-type and delivery-mode.
                let properties = args().short(1 << 15 | 1 << 12).shortstr("text/x").octet(2);
                client.publish_with(1, "", &queue, 0, &properties.0, b"kept");
                client.close().setup("closing the connection")?;
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                let message = client.expect_get(&queue, b"kept")?;
                client.delete_queue(&queue)?;
                if message.properties == properties.0 {
                    Ok(())
                } else {
                    Err(fail(
                        "the properties as they were sent",
                        format!("{message:?}"),
                    ))
                }
            },
        },
        Case {
            id: "amqp/restart/confirmed-message",
            rule: "capability publisher_confirms",
            level: Must,
            title: "A persistent message that was confirmed is there again, although the connection was lost",
            run: |ctx| {
                ctx.needs_restart()?;
                let mut client = Client::with_capability(ctx, "publisher_confirms")?;
                let queue = client
                    .declare(1, &ctx.name("q."), DURABLE)
                    .setup("declaring the queue")?
                    .name;
                client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
                client.publish_with(1, "", &queue, 0, &persistent(), b"confirmed");
                client
                    .expect(1, BASIC_ACK, "basic.ack of the message")
                    .setup("the confirm")?;
                drop(client);
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                client.expect_get(&queue, b"confirmed")?;
                client.delete_queue(&queue)
            },
        },
        Case {
            id: "amqp/restart/binding",
            rule: "queue / bind / durable-exchange; exchange / declare / durable / support",
            level: Must,
            title: "A durable exchange is there again, and its binding to a durable queue",
            run: |ctx| {
                let (mut client, queue) = durable(ctx)?;
                let exchange = ctx.name("x.");
                let declare = exchange_args(&exchange, "direct", DURABLE, &fields());
                client
                    .call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)
                    .setup("declaring the exchange")?;
                client.bind(&queue, &exchange, "k").setup("binding")?;
                client.close().setup("closing the connection")?;
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                client.publish(&exchange, "k", b"by the binding");
                client.expect_get(&queue, b"by the binding")?;
                client.delete_queue(&queue)?;
                let delete = exchange_delete_args(&exchange, 0);
                client
                    .call(1, EXCHANGE_DELETE, delete, EXCHANGE_DELETE_OK)
                    .map(drop)
            },
        },
        Case {
            id: "amqp/restart/acknowledged",
            rule: "basic / ack",
            level: Should,
            title: "What was acknowledged does not come again, and the rest is in order",
            run: |ctx| {
                let (mut client, queue) = durable(ctx)?;
                for body in [b"1", b"2", b"3", b"4"] {
                    client.publish_with(1, "", &queue, 0, &persistent(), body);
                }
                let first = client.expect_get(&queue, b"1").setup("basic.get")?;
                client.ack(first.delivery_tag, false);
                client.expect_get(&queue, b"2").setup("basic.get")?;
                client.close().setup("closing the connection")?;
                ctx.restart()?;
                let mut client = Client::with_channel(ctx)?;
                for body in [b"2", b"3", b"4"] {
                    client.expect_get(&queue, body)?;
                }
                client.expect_empty(&queue, "three messages")?;
                client.delete_queue(&queue)
            },
        },
    ],
};

/// A client with a durable queue, on a broker that can be started again.
fn durable(ctx: &Context<'_>) -> Result<(Client, String), Stop> {
    ctx.needs_restart()?;
    let mut client = Client::with_channel(ctx)?;
    let queue = client
        .declare(1, &ctx.name("q."), DURABLE)
        .setup("declaring the queue")?
        .name;
    Ok((client, queue))
}

/// Bit 12 is delivery-mode; 2 is persistent.
fn persistent() -> Vec<u8> {
    args().short(1 << 12).octet(2).0
}
