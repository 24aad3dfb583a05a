//! How a broker answers a user who may do nothing.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{self, V11, V12};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::{Protocol, Target};
use crate::verdict::{Stop, not_applicable};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Rights",
    cases: &[
        Case {
            id: "stomp12/SUBSCRIBE/not-allowed",
            rule: "stomp12/SUBSCRIBE/error",
            level: Must,
            title: "A SUBSCRIBE that a user may not send gets ERROR, and the connection closes",
            run: |ctx| subscribe(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE/not-allowed",
            rule: "stomp11/SUBSCRIBE/error",
            level: Must,
            title: "A SUBSCRIBE that a user may not send gets ERROR, and the connection closes",
            run: |ctx| subscribe(ctx, V11),
        },
        Case {
            id: "stomp12/SEND/not-allowed",
            rule: "stomp12/SEND/error",
            level: Must,
            title: "A SEND that a user may not send gets ERROR, and the message goes nowhere",
            run: |ctx| send(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/not-allowed",
            rule: "stomp11/SEND/error",
            level: Must,
            title: "A SEND that a user may not send gets ERROR, and the message goes nowhere",
            run: |ctx| send(ctx, V11),
        },
    ],
};

fn restricted(ctx: &Context<'_>) -> Result<Target, Stop> {
    ctx.target.as_restricted().ok_or_else(|| {
        not_applicable("no user without rights was named: --restricted-user USER:PASSWORD")
    })
}

fn subscribe(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let target = restricted(ctx)?;
    let destination = queue(ctx, "s");
    let mut client = Client::connected(&ctx.to(&target), version)?;
    let headers = [("id", "1"), ("destination", destination.as_str())];
    client.ask("SUBSCRIBE", &headers, b"");
    client
        .expect_error_and_end("ERROR and the end, for a SUBSCRIBE that is not allowed")
        .map(drop)
}

fn send(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let target = restricted(ctx)?;
    let destination = queue(ctx, "s");
    // So that there is a queue to be refused.
    Client::connected(ctx, version)?.publish(&destination, "first")?;
    let mut client = Client::connected(&ctx.to(&target), version)?;
    client.ask("SEND", &[("destination", &destination)], b"unwanted");
    client.expect_error("ERROR for a SEND that is not allowed")?;
    expect_left(ctx, version, &destination, &["first"])
}
