//! Exchanges: what must be there, declaring, deleting (3.1.3, class exchange).

use super::bytes::{
    ANY_CODE, BASIC_PUBLISH, EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, EXCHANGE_DELETE,
    EXCHANGE_DELETE_OK, NO_PROPERTIES, content, fields, method,
};
use super::client::{Client, expect_gone};
use super::method_args::{
    DURABLE, EXCHANGE_AUTO_DELETE, INTERNAL, PASSIVE, exchange_args, exchange_delete_args,
    publish_args,
};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::Stop;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Exchanges",
    cases: &[
        Case {
            id: "amqp/exchange/required-instances",
            rule: "exchange / required-instances; section 3.1.3.1 / direct",
            level: Must,
            title: "amq.direct and amq.fanout exist",
            run: |ctx| pre_declared(ctx, &["amq.direct", "amq.fanout"]),
        },
        Case {
            id: "amqp/exchange/recommended-instances",
            rule: "section 3.1.3.3 / topic; section 3.1.3.4 / headers",
            level: Should,
            title: "amq.topic and amq.match exist",
            run: |ctx| pre_declared(ctx, &["amq.topic", "amq.match"]),
        },
        Case {
            id: "amqp/exchange/required-types",
            rule: "exchange / required-types",
            level: Must,
            title: "Exchanges of type direct and fanout can be declared",
            run: |ctx| types(ctx, &["direct", "fanout"]),
        },
        Case {
            id: "amqp/exchange/recommended-types",
            rule: "exchange / recommended-types",
            level: Should,
            title: "Exchanges of type topic and headers can be declared",
            run: |ctx| types(ctx, &["topic", "headers"]),
        },
        Case {
            id: "amqp/exchange/default-access",
            rule: "exchange / default-access; erratum 14",
            level: Must,
            title: "The default exchange can be neither declared nor deleted",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    EXCHANGE_DECLARE,
                    exchange_args("", "direct", DURABLE, &fields()),
                );
                client.expect_exception(
                    1,
                    ANY_CODE,
                    ANY_CODE,
                    "a declare of the default exchange",
                )?;
                let mut client = Client::with_channel(ctx)?;
                client.send(1, EXCHANGE_DELETE, exchange_delete_args("", 0));
                client.expect_exception(1, ANY_CODE, ANY_CODE, "a delete of the default exchange")
            },
        },
        Case {
            id: "amqp/exchange.declare/minimum",
            rule: "exchange / declare / minimum",
            level: Should,
            title: "A virtual host holds 16 exchanges",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = |i| ctx.name(&format!("x{i}."));
                for i in 0..16 {
                    let declare = exchange_args(&name(i), "direct", 0, &fields());
                    client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                }
                for i in 0..16 {
                    client.call(
                        1,
                        EXCHANGE_DELETE,
                        exchange_delete_args(&name(i), 0),
                        EXCHANGE_DELETE_OK,
                    )?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/exchange.declare/reserved-name",
            rule: "exchange / declare / exchange / reserved",
            level: Must,
            title: "A new exchange cannot be named amq.*: channel exception 403",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name("amq.");
                client.send(
                    1,
                    EXCHANGE_DECLARE,
                    exchange_args(&name, "direct", 0, &fields()),
                );
                client.expect_channel_close(1, &[403], "an exchange named amq.*")
            },
        },
        Case {
            id: "amqp/exchange.declare/other-type",
            rule: "exchange / declare / type / typed; erratum 6",
            level: Must,
            title: "An exchange cannot be declared again with another type",
            // A connection exception 530 by the rule "typed", any channel
            // exception by the rule "equivalent".
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = client.exchange(ctx, "direct")?;
                let declare = exchange_args(&name, "fanout", EXCHANGE_AUTO_DELETE, &fields());
                client.send(1, EXCHANGE_DECLARE, declare);
                client.expect_exception(1, ANY_CODE, &[530], "another type for an exchange")
            },
        },
        Case {
            id: "amqp/exchange.declare/unknown-type",
            rule: "exchange / declare / type / support",
            level: Must,
            title: "An exchange type that is not there is a connection exception 503",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let declare = exchange_args(&ctx.name("x."), "x-no-such", 0, &fields());
                client.send(1, EXCHANGE_DECLARE, declare);
                client.expect_connection_close(1, &[503], "an unknown exchange type")
            },
        },
        Case {
            id: "amqp/exchange.declare/passive-not-found",
            rule: "exchange / declare / passive / not-found",
            level: Must,
            title: "A passive declare of an exchange that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let declare = exchange_args(&ctx.name("none."), "direct", PASSIVE, &fields());
                client.send(1, EXCHANGE_DECLARE, declare);
                client.expect_channel_close(1, &[404], "an exchange that does not exist")
            },
        },
        Case {
            id: "amqp/exchange.declare/equivalent",
            rule: "exchange / declare / passive / equivalent",
            level: Must,
            title: "An exchange can be declared again as it is, and not as it is not",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = client.exchange(ctx, "direct")?;
                let same = exchange_args(&name, "direct", EXCHANGE_AUTO_DELETE, &fields());
                client.call(1, EXCHANGE_DECLARE, same, EXCHANGE_DECLARE_OK)?;
                let bits = DURABLE | EXCHANGE_AUTO_DELETE;
                let other = exchange_args(&name, "direct", bits, &fields());
                client.send(1, EXCHANGE_DECLARE, other);
                client.expect_channel_close(1, ANY_CODE, "durable for a transient exchange")
            },
        },
        Case {
            id: "amqp/exchange.declare/durable",
            rule: "exchange / declare / durable / support",
            level: Must,
            title: "Durable and transient exchanges can be declared",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                for (hint, bits) in [("xd.", DURABLE), ("xt.", 0)] {
                    let name = ctx.name(hint);
                    let declare = exchange_args(&name, "direct", bits, &fields());
                    client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                    client.call(
                        1,
                        EXCHANGE_DELETE,
                        exchange_delete_args(&name, 0),
                        EXCHANGE_DELETE_OK,
                    )?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/exchange.delete/gone",
            rule: "exchange / delete",
            level: Must,
            title: "An exchange that was deleted is gone, and its bindings with it",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name("x.");
                let queue = client.queue(ctx)?;
                let declare = exchange_args(&name, "fanout", 0, &fields());
                client.call(1, EXCHANGE_DECLARE, declare.clone(), EXCHANGE_DECLARE_OK)?;
                client.bind(&queue, &name, "")?;
                client.call(
                    1,
                    EXCHANGE_DELETE,
                    exchange_delete_args(&name, 0),
                    EXCHANGE_DELETE_OK,
                )?;
                client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                client.publish(&name, "", b"to nobody");
                client.expect_empty(&queue, "no binding after the exchange was deleted")?;
                client.call(
                    1,
                    EXCHANGE_DELETE,
                    exchange_delete_args(&name, 0),
                    EXCHANGE_DELETE_OK,
                )?;
                client.send(
                    1,
                    EXCHANGE_DECLARE,
                    exchange_args(&name, "fanout", PASSIVE, &fields()),
                );
                client.expect_channel_close(1, &[404], "an exchange that was deleted")
            },
        },
        Case {
            id: "amqp/exchange.delete/not-found",
            rule: "exchange / delete / exchange / exists",
            level: Must,
            title: "Deleting an exchange that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    EXCHANGE_DELETE,
                    exchange_delete_args(&ctx.name("none."), 0),
                );
                client.expect_channel_close(1, &[404], "an exchange that does not exist")
            },
        },
        Case {
            id: "amqp/exchange.delete/in-use",
            rule: "exchange / delete / if-unused / in-use",
            level: Must,
            title: "An exchange with bindings is not deleted if-unused: channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = client.exchange(ctx, "fanout")?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &name, "")?;
                client.send(1, EXCHANGE_DELETE, exchange_delete_args(&name, 1));
                client.expect_channel_close(1, &[406], "an exchange with a binding")?;
                client.open_channel(1)?;
                client.publish(&name, "", b"still there");
                client.expect_get(&queue, b"still there").map(drop)
            },
        },
        Case {
            id: "amqp/exchange.delete/if-unused",
            rule: "exchange / delete / if-unused / in-use",
            level: Must,
            title: "An exchange without bindings is deleted if-unused",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = client.exchange(ctx, "fanout")?;
                client
                    .call(
                        1,
                        EXCHANGE_DELETE,
                        exchange_delete_args(&name, 1),
                        EXCHANGE_DELETE_OK,
                    )
                    .map(drop)
            },
        },
        Case {
            id: "amqp/exchange.declare/internal",
            rule: "basic / publish / exchange / 02; erratum 26",
            level: Must,
            title: "Publishing to an internal exchange is a channel exception 403",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = ctx.name("x.");
                let declare = exchange_args(&name, "direct", INTERNAL, &fields());
                client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
                let mut bytes = method(1, BASIC_PUBLISH, publish_args(&name, "", 0));
                bytes.extend(content(1, NO_PROPERTIES, b"no"));
                client.wire.send(&bytes);
                client.expect_channel_close(1, &[403], "an internal exchange")?;
                client.open_channel(1)?;
                client
                    .call(
                        1,
                        EXCHANGE_DELETE,
                        exchange_delete_args(&name, 0),
                        EXCHANGE_DELETE_OK,
                    )
                    .map(drop)
            },
        },
        Case {
            id: "amqp/exchange.declare/auto-delete",
            rule: "exchange / declare / auto-delete; erratum 25",
            level: Must,
            title: "An auto-delete exchange goes with its last binding, and not before its first",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let name = client.exchange(ctx, "fanout")?;
                let declare = exchange_args(&name, "fanout", PASSIVE, &fields());
                client.call(1, EXCHANGE_DECLARE, declare.clone(), EXCHANGE_DECLARE_OK)?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &name, "")?;
                client.unbind(&queue, &name, "")?;
                let why = "an auto-delete exchange after its last binding";
                expect_gone(ctx, EXCHANGE_DECLARE, &declare, why)
            },
        },
    ],
};

fn pre_declared(ctx: &Context<'_>, names: &[&str]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    for name in names {
        let declare = exchange_args(name, "", PASSIVE, &fields());
        client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
    }
    Ok(())
}

fn types(ctx: &Context<'_>, kinds: &[&str]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    for kind in kinds {
        let name = ctx.name(&format!("{kind}."));
        let declare = exchange_args(&name, kind, 0, &fields());
        client.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)?;
        client.call(
            1,
            EXCHANGE_DELETE,
            exchange_delete_args(&name, 0),
            EXCHANGE_DELETE_OK,
        )?;
    }
    Ok(())
}
