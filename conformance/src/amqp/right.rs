//! Who may do what, and that virtual hosts are apart.

use super::bytes::{
    Args, BASIC_GET, CHANNEL_CLOSE, CONNECTION_CLOSE, EXCHANGE_DECLARE, Method, QUEUE_DECLARE,
    args, fields,
};
use super::client::Client;
use super::method_args::{EXCHANGE_AUTO_DELETE, EXCLUSIVE, PASSIVE, declare_args, exchange_args};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::{Protocol, Target};
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Rights and virtual hosts",
    cases: &[
        Case {
            id: "amqp/virtual-host/queues-are-apart",
            rule: "connection / open / virtual-host / separation",
            level: Must,
            title: "Queues of the same name in two virtual hosts are two queues",
            run: |ctx| {
                let (mut one, mut other) = in_two(ctx)?;
                let name = ctx.name("q.");
                for client in [&mut one, &mut other] {
                    client
                        .declare(1, &name, EXCLUSIVE)
                        .setup("declaring the queues")?;
                }
                one.publish("", &name, b"of one");
                other.publish("", &name, b"of the other");
                one.expect_get(&name, b"of one")?;
                other.expect_get(&name, b"of the other")?;
                one.expect_empty(&name, "nothing of the other virtual host")?;
                other.expect_empty(&name, "nothing of the other virtual host")
            },
        },
        Case {
            id: "amqp/virtual-host/exchanges-are-apart",
            rule: "connection / open / virtual-host / separation",
            level: Must,
            title: "An exchange of one virtual host is not found in another",
            run: |ctx| {
                let (mut one, mut other) = in_two(ctx)?;
                let exchange = one.exchange(ctx, "fanout")?;
                let passive = exchange_args(&exchange, "fanout", PASSIVE, &fields());
                other.send(1, EXCHANGE_DECLARE, passive);
                other.expect_channel_close(1, &[404], "an exchange of another virtual host")
            },
        },
        Case {
            id: "amqp/virtual-host/standard-exchanges-are-apart",
            rule: "connection / open / virtual-host / separation",
            level: Must,
            title: "What goes to amq.fanout in one virtual host does not come to the queues of another",
            run: |ctx| {
                let (mut one, mut other) = in_two(ctx)?;
                let queues = [one.queue(ctx)?, other.queue(ctx)?];
                one.bind(&queues[0], "amq.fanout", "").setup("binding")?;
                other.bind(&queues[1], "amq.fanout", "").setup("binding")?;
                let body = ctx.name("of one ");
                one.publish("amq.fanout", "", body.as_bytes());
                // Others may publish there too.
                let mut came = false;
                while let Some(message) = one.get(&queues[0], true)? {
                    came |= message.body == body.as_bytes();
                }
                if !came {
                    return Err(fail(body, "no such message")).setup("publishing");
                }
                while let Some(message) = other.get(&queues[1], true)? {
                    if message.body == body.as_bytes() {
                        return Err(fail("no message of the other host", format!("{message:?}")));
                    }
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/access-refused/queue.declare",
            rule: "constant access-refused",
            level: Must,
            title: "A user who may do nothing cannot declare a queue: 403",
            run: |ctx| {
                let declare = declare_args(&ctx.name("q."), EXCLUSIVE, &fields());
                refused(ctx, QUEUE_DECLARE, declare)
            },
        },
        Case {
            id: "amqp/access-refused/exchange.declare",
            rule: "constant access-refused",
            level: Must,
            title: "A user who may do nothing cannot declare an exchange: 403",
            run: |ctx| {
                let name = ctx.name("x.");
                let declare = exchange_args(&name, "direct", EXCHANGE_AUTO_DELETE, &fields());
                refused(ctx, EXCHANGE_DECLARE, declare)
            },
        },
        Case {
            id: "amqp/access-refused/basic.get",
            rule: "constant access-refused",
            level: Must,
            title: "A user who may do nothing cannot read a queue: 403, and the message stays",
            run: |ctx| {
                let mut owner = Client::with_channel(ctx)?;
                let queue = owner.declare(1, &ctx.name("q."), 0)?.name;
                owner.publish("", &queue, b"secret");
                let get = args().short(0).shortstr(&queue).octet(1);
                let outcome = refused(ctx, BASIC_GET, get);
                owner.expect_get(&queue, b"secret")?;
                owner.delete_queue(&queue)?;
                outcome
            },
        },
        Case {
            id: "amqp/access-refused/basic.publish",
            rule: "constant access-refused",
            level: Must,
            title: "What a user publishes who may do nothing goes nowhere, and the channel ends with 403",
            run: |ctx| {
                let target = restricted(ctx)?;
                let mut owner = Client::with_channel(ctx)?;
                let queue = owner.queue(ctx)?;
                owner.bind(&queue, "amq.direct", &queue).setup("binding")?;
                let mut client = Client::with_channel(&ctx.to(&target))?;
                client.publish("amq.direct", &queue, b"unwanted");
                client.send(1, QUEUE_DECLARE, declare_args("", PASSIVE, &fields()));
                expect_refused(&mut client)?;
                owner.expect_empty(&queue, "nothing from a user who may not publish")
            },
        },
    ],
};

/// Clients in two virtual hosts.
fn in_two(ctx: &Context<'_>) -> Result<(Client, Client), Stop> {
    let other = ctx.target.other_virtual_host.clone().ok_or_else(|| {
        not_applicable("no other virtual host was named: --other-virtual-host NAME")
    })?;
    let target = Target {
        virtual_host: other,
        ..ctx.target.clone()
    };
    let one = Client::with_channel(ctx)?;
    let other = Client::with_channel(&ctx.to(&target))?;
    Ok((one, other))
}

/// The broker as a user sees it who may do nothing.
fn restricted(ctx: &Context<'_>) -> Result<Target, Stop> {
    ctx.target.as_restricted().ok_or_else(|| {
        not_applicable("no user without rights was named: --restricted-user USER:PASSWORD")
    })
}

fn refused(ctx: &Context<'_>, method: Method, args: Args) -> Result<(), Stop> {
    let target = restricted(ctx)?;
    let mut client = Client::with_channel(&ctx.to(&target))?;
    client.send(1, method, args);
    expect_refused(&mut client)
}

/// 403 on the channel or on the connection: the constant is one of a channel, and brokers
/// close the connection for it too.
fn expect_refused(client: &mut Client) -> Result<(), Stop> {
    match client.next(1)? {
        Seen::Frame(frame)
            if matches!(frame.method(), Some(CHANNEL_CLOSE | CONNECTION_CLOSE))
                && frame.close_reason().is_some_and(|(code, _)| code == 403) =>
        {
            Ok(())
        }
        other => Err(fail("channel.close 403", other.to_string())),
    }
}
