//! MESSAGE: what it must say about itself.

use std::collections::BTreeSet;

use super::client::{Client, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Frame, Version, frame};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "MESSAGE",
    cases: &[
        Case {
            id: "stomp12/MESSAGE/message-id",
            rule: "stomp12/MESSAGE/message-id",
            level: Must,
            title: "Every MESSAGE has a message-id of its own",
            run: |ctx| message_id(ctx, V12),
        },
        Case {
            id: "stomp11/MESSAGE/message-id",
            rule: "stomp11/MESSAGE/message-id",
            level: Must,
            title: "Every MESSAGE has a message-id of its own",
            run: |ctx| message_id(ctx, V11),
        },
        Case {
            id: "stomp10/MESSAGE/message-id",
            rule: "stomp10/MESSAGE/message-id",
            level: Must,
            title: "Every MESSAGE has a message-id of its own",
            run: |ctx| message_id(ctx, V10),
        },
        Case {
            id: "stomp12/MESSAGE/subscription",
            rule: "stomp12/MESSAGE/subscription",
            level: Must,
            title: "A MESSAGE has the id of its subscription",
            run: |ctx| subscription(ctx, V12),
        },
        Case {
            id: "stomp11/MESSAGE/subscription",
            rule: "stomp11/MESSAGE/subscription",
            level: Must,
            title: "A MESSAGE has the id of its subscription",
            run: |ctx| subscription(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE/subscription",
            rule: "stomp10/SUBSCRIBE/subscription",
            level: Should,
            title: "A MESSAGE for a subscription with an id has that id",
            run: |ctx| subscription(ctx, V10),
        },
        Case {
            id: "stomp12/MESSAGE/destination",
            rule: "stomp12/MESSAGE/destination",
            level: Must,
            title: "A MESSAGE has a destination",
            run: |ctx| has_destination(ctx, V12),
        },
        Case {
            id: "stomp11/MESSAGE/destination",
            rule: "stomp11/MESSAGE/destination",
            level: Must,
            title: "A MESSAGE has a destination",
            run: |ctx| has_destination(ctx, V11),
        },
        Case {
            id: "stomp10/MESSAGE/destination",
            rule: "stomp10/MESSAGE/destination",
            level: Must,
            title: "A MESSAGE has a destination",
            run: |ctx| has_destination(ctx, V10),
        },
        Case {
            id: "stomp12/MESSAGE/destination-identical",
            rule: "stomp12/MESSAGE/destination-identical",
            level: Should,
            title: "The destination of a MESSAGE is that of the SEND",
            run: |ctx| destination_identical(ctx, V12),
        },
        Case {
            id: "stomp11/MESSAGE/destination-identical",
            rule: "stomp11/MESSAGE/destination",
            level: Should,
            title: "The destination of a MESSAGE is that of the SEND",
            run: |ctx| destination_identical(ctx, V11),
        },
        Case {
            id: "stomp10/MESSAGE/destination-identical",
            rule: "stomp10/MESSAGE/destination",
            level: Should,
            title: "The destination of a MESSAGE is that of the SEND",
            run: |ctx| destination_identical(ctx, V10),
        },
        Case {
            id: "stomp12/MESSAGE/ack-client",
            rule: "stomp12/MESSAGE/ack",
            level: Must,
            title: "A MESSAGE that is to be acknowledged in mode client has an ack header",
            run: |ctx| has_ack(ctx, V12, "client"),
        },
        Case {
            id: "stomp12/MESSAGE/ack-client-individual",
            rule: "stomp12/MESSAGE/ack",
            level: Must,
            title: "A MESSAGE that is to be acknowledged in mode client-individual has an ack header",
            run: |ctx| has_ack(ctx, V12, "client-individual"),
        },
    ],
};

/// The MESSAGE of a SEND with these headers beside the destination.
fn message(
    ctx: &Context<'_>,
    version: Version,
    ack: &str,
    headers: &[(&str, &str)],
) -> Result<(String, Frame), Stop> {
    let destination = queue(ctx, "m");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("the id", &destination, ack)?;
    let mut all = vec![("destination", destination.as_str())];
    all.extend_from_slice(headers);
    client.send(&frame("SEND", &all, b"body"));
    let message = client.message_with(b"body")?;
    Ok((destination, message))
}

fn message_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let queues = [queue(ctx, "a"), queue(ctx, "b")];
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &queues[0], "auto")?;
    client.subscribe("2", &queues[1], "auto")?;
    let mut known = BTreeSet::new();
    for turn in 0..20 {
        client.publish(&queues[turn % 2], "the same body")?;
        let message = client.message()?;
        match message.header("message-id") {
            Some(id) if !id.is_empty() && known.insert(id.to_vec()) => {}
            _ => {
                return Err(fail(
                    "a MESSAGE with a message-id that no other has",
                    format!("MESSAGE number {turn}: {message}"),
                ));
            }
        }
    }
    Ok(())
}

fn expect(message: &Frame, name: &str, value: Option<&str>) -> Result<(), Stop> {
    match (message.header(name), value) {
        (Some(seen), Some(value)) if seen == value.as_bytes() => Ok(()),
        (Some(seen), None) if !seen.is_empty() => Ok(()),
        _ => Err(fail(
            format!("a MESSAGE with {name}:{}", value.unwrap_or("..")),
            message.to_string(),
        )),
    }
}

fn subscription(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_, message) = message(ctx, version, "auto", &[])?;
    expect(&message, "subscription", Some("the id"))
}

fn has_destination(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_, message) = message(ctx, version, "auto", &[])?;
    expect(&message, "destination", None)
}

fn destination_identical(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (destination, message) = message(ctx, version, "auto", &[])?;
    expect(&message, "destination", Some(&destination))
}

fn has_ack(ctx: &Context<'_>, version: Version, mode: &str) -> Result<(), Stop> {
    let (_, message) = message(ctx, version, mode, &[])?;
    expect(&message, "ack", None)
}
