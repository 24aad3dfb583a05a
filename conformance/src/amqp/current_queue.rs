//! The current queue: what an empty queue name means in each method that has
//! one (class queue, field queue).

use super::bytes::{
    ANY_CODE, Args, Method, QUEUE_DECLARE, QUEUE_DELETE, QUEUE_DELETE_OK, QUEUE_PURGE,
    QUEUE_PURGE_OK, QUEUE_UNBIND, args, fields,
};
use super::client::Client;
use super::method_args::{
    AUTO_DELETE, EXCLUSIVE, PASSIVE, declare_args, queue_delete_args, unbind_args,
};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "The current queue",
    cases: &[
        Case {
            id: "amqp/queue.purge/current-queue",
            rule: "queue / purge / queue / queue-known",
            level: Must,
            title: "A purge without a name purges the queue declared last on the channel",
            run: |ctx| {
                let (mut client, other, current) = two_queues(ctx)?;
                client.call(1, QUEUE_PURGE, purge(), QUEUE_PURGE_OK)?;
                expect_ready(&mut client, &other, 1)?;
                expect_ready(&mut client, &current, 0)
            },
        },
        Case {
            id: "amqp/queue.purge/no-current-queue",
            rule: "queue / purge / queue / queue-known",
            level: Must,
            title: "A purge without a name is an exception where no queue was declared on the channel",
            run: |ctx| none_declared(ctx, QUEUE_PURGE, purge()),
        },
        Case {
            id: "amqp/queue.delete/current-queue",
            rule: "queue / delete / queue / queue-known",
            level: Must,
            title: "A delete without a name deletes the queue declared last on the channel",
            run: |ctx| {
                let (mut client, other, current) = two_queues(ctx)?;
                client.call(1, QUEUE_DELETE, queue_delete_args("", 0), QUEUE_DELETE_OK)?;
                expect_ready(&mut client, &other, 1)?;
                client.send(1, QUEUE_DECLARE, declare_args(&current, PASSIVE, &fields()));
                client.expect_channel_close(1, &[404], "a queue that was deleted")
            },
        },
        Case {
            id: "amqp/queue.delete/no-current-queue",
            rule: "queue / delete / queue / queue-known",
            level: Must,
            title: "A delete without a name is an exception where no queue was declared on the channel",
            run: |ctx| none_declared(ctx, QUEUE_DELETE, queue_delete_args("", 0)),
        },
        Case {
            id: "amqp/queue.unbind/no-current-queue",
            rule: "queue / unbind / queue / queue-known",
            level: Must,
            title: "An unbind without a name is an exception where no queue was declared on the channel",
            run: |ctx| none_declared(ctx, QUEUE_UNBIND, unbind_args("", "amq.direct", "k")),
        },
        Case {
            id: "amqp/queue.declare/auto-delete-of-existing",
            rule: "queue / declare / auto-delete / pre-existence",
            level: Must,
            title: "A declare of a queue that exists does not look at auto-delete",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name("q.");
                client
                    .declare(1, &name, EXCLUSIVE)
                    .setup("declaring the queue")?;
                client.declare(1, &name, EXCLUSIVE | AUTO_DELETE).map(drop)
            },
        },
    ],
};

fn purge() -> Args {
    args().short(0).shortstr("").octet(0)
}

/// Two queues with a message each; the second is the current one.
fn two_queues(ctx: &Context<'_>) -> Result<(Client, String, String), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let mut names = Vec::new();
    for hint in ["other.", "current."] {
        let queue = client
            .declare(1, &ctx.name(hint), EXCLUSIVE)
            .setup("declaring the queues")?;
        client.publish("", &queue.name, b"1");
        names.push(queue.name);
    }
    let current = names.pop().unwrap_or_default();
    let other = names.pop().unwrap_or_default();
    Ok((client, other, current))
}

fn none_declared(ctx: &Context<'_>, method: Method, args: Args) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.send(1, method, args);
    client.expect_exception(1, ANY_CODE, ANY_CODE, "an empty name before any declare")
}

fn expect_ready(client: &mut Client, queue: &str, count: u32) -> Result<(), Stop> {
    let ready = client.ready(1, queue)?;
    if ready == count {
        Ok(())
    } else {
        Err(fail(
            format!("{count} messages in {queue}"),
            ready.to_string(),
        ))
    }
}
