//! Which names a queue or an exchange may have, and what the empty one means.

use super::bytes::{
    ANY_CODE, EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, QUEUE_DECLARE, QUEUE_UNBIND, QUEUE_UNBIND_OK,
    fields,
};
use super::client::Client;
use super::method_args::{
    EXCHANGE_AUTO_DELETE, EXCLUSIVE, declare_args, exchange_args, unbind_args,
};
use crate::case::Level::{Leniency, May, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};
use crate::wire::Seen;

/// One of each kind of character that a name may have.
const LISTED: &str = "aZ09-_.:";

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Names",
    cases: &[
        Case {
            id: "amqp/exchange.declare/every-character",
            rule: "exchange / declare / exchange / syntax",
            level: Must,
            title: "An exchange's name may have letters, digits, hyphen, underscore, period and colon",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name(LISTED);
                let declare = exchange_args(&name, "direct", EXCHANGE_AUTO_DELETE, &fields());
                client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &name, "k")?;
                client.publish(&name, "k", b"by that name");
                client.expect_get(&queue, b"by that name").map(drop)
            },
        },
        Case {
            id: "amqp/exchange.declare/other-character",
            rule: "exchange / declare / exchange / syntax",
            level: Leniency,
            title: "An exchange's name with another character is refused",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name("a b");
                let declare = exchange_args(&name, "direct", EXCHANGE_AUTO_DELETE, &fields());
                client.send(1, EXCHANGE_DECLARE, declare);
                client.expect_exception(1, ANY_CODE, ANY_CODE, "a blank in the name")
            },
        },
        Case {
            id: "amqp/queue.declare/every-character",
            rule: "queue / declare / queue / syntax",
            level: May,
            title: "A queue's name may have letters, digits, hyphen, underscore, period and colon",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name(LISTED), EXCLUSIVE)?.name;
                client.publish("", &queue, b"by that name");
                client.expect_get(&queue, b"by that name").map(drop)
            },
        },
        Case {
            id: "amqp/queue.declare/other-character",
            rule: "queue / declare / queue / syntax",
            level: Leniency,
            title: "A queue's name with another character is refused",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let declare = declare_args(&ctx.name("a b"), EXCLUSIVE, &fields());
                client.send(1, QUEUE_DECLARE, declare);
                client.expect_exception(1, ANY_CODE, ANY_CODE, "a blank in the name")
            },
        },
        Case {
            id: "amqp/queue.unbind/default-exchange",
            rule: "queue / unbind / exchange / default-exchange",
            level: Must,
            title: "An unbind from the empty name means the exchange without a name, whose bindings stand",
            run: unbind_default,
        },
    ],
};

/// Who refuses that, as erratum 14 has it, knows the exchange.
fn unbind_default(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client
        .declare(1, &ctx.name("q."), 0)
        .setup("declaring the queue")?
        .name;
    client.send(1, QUEUE_UNBIND, unbind_args(&queue, "", &queue));
    let seen = match client.next(1)? {
        Seen::Frame(frame) if frame.method() == Some(QUEUE_UNBIND_OK) => return Ok(()),
        Seen::Frame(frame) => frame,
        other => return Err(fail("queue.unbind-ok, or an exception", other.to_string())),
    };
    match seen.close_reason() {
        Some((404, _)) | None => Err(fail(
            "queue.unbind-ok, or another exception than 404",
            seen.to_string(),
        )),
        Some(_) => Ok(()),
    }
}
