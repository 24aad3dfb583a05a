//! Ack modes, ACK and NACK: which messages are done with.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Frame, Version};
use crate::case::Level::{Leniency, May, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Acknowledgement",
    cases: &[
        Case {
            id: "stomp12/SUBSCRIBE-ack/auto",
            rule: "stomp12/SUBSCRIBE-ack/auto",
            level: Must,
            title: "In mode auto a message is consumed when it has been sent",
            run: |ctx| left_after(ctx, V12, "auto", &[], &[]),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/auto",
            rule: "stomp11/SUBSCRIBE-ack/auto",
            level: Must,
            title: "In mode auto a message is consumed when it has been sent",
            run: |ctx| left_after(ctx, V11, "auto", &[], &[]),
        },
        Case {
            id: "stomp10/SUBSCRIBE-ack/auto",
            rule: "stomp10/SUBSCRIBE-ack/auto",
            level: Must,
            title: "In mode auto a message is consumed when it has been sent",
            run: |ctx| left_after(ctx, V10, "auto", &[], &[]),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/client-cumulative",
            rule: "stomp12/SUBSCRIBE-ack/cumulative",
            level: Must,
            title: "In mode client an ACK counts for all messages before it",
            run: |ctx| left_after(ctx, V12, "client", &[1], &["three"]),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/client-cumulative",
            rule: "stomp11/SUBSCRIBE-ack/cumulative",
            level: Must,
            title: "In mode client an ACK counts for all messages before it",
            run: |ctx| left_after(ctx, V11, "client", &[1], &["three"]),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/client-per-subscription",
            rule: "stomp12/SUBSCRIBE-ack/cumulative",
            level: Must,
            title: "In mode client an ACK counts for the messages of its subscription only",
            run: |ctx| per_subscription(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/client-per-subscription",
            rule: "stomp11/SUBSCRIBE-ack/cumulative",
            level: Must,
            title: "In mode client an ACK counts for the messages of its subscription only",
            run: |ctx| per_subscription(ctx, V11),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/client-individual",
            rule: "stomp12/SUBSCRIBE-ack/individual",
            level: Must,
            title: "In mode client-individual an ACK counts for its message only",
            run: |ctx| left_after(ctx, V12, "client-individual", &[1], &["one", "three"]),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/client-individual",
            rule: "stomp11/SUBSCRIBE-ack/individual",
            level: Must,
            title: "In mode client-individual an ACK counts for its message only",
            run: |ctx| left_after(ctx, V11, "client-individual", &[1], &["one", "three"]),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/client-individual-order",
            rule: "stomp12/SUBSCRIBE-ack/individual",
            level: Must,
            title: "In mode client-individual messages may be acknowledged in any order",
            run: |ctx| left_after(ctx, V12, "client-individual", &[2, 0, 1], &[]),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/client-individual-order",
            rule: "stomp11/SUBSCRIBE-ack/individual",
            level: Must,
            title: "In mode client-individual messages may be acknowledged in any order",
            run: |ctx| left_after(ctx, V11, "client-individual", &[2, 0, 1], &[]),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/redelivered",
            rule: "stomp12/SUBSCRIBE-ack/redelivered",
            level: May,
            title: "After the connection is lost, unacknowledged messages go to another client",
            run: |ctx| redelivered(ctx, V12, true),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/redelivered",
            rule: "stomp11/SUBSCRIBE-ack/redelivered",
            level: May,
            title: "After the connection is lost, unacknowledged messages go to another client",
            run: |ctx| redelivered(ctx, V11, true),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/redelivered-after-disconnect",
            rule: "stomp12/SUBSCRIBE-ack/redelivered",
            level: May,
            title: "After a DISCONNECT, unacknowledged messages go to another client",
            run: |ctx| redelivered(ctx, V12, false),
        },
        Case {
            id: "stomp10/ACK/not-consumed-without",
            rule: "stomp10/ACK/consumes",
            level: Must,
            title: "Without an ACK a message is not consumed",
            run: |ctx| redelivered(ctx, V10, true),
        },
        Case {
            id: "stomp12/ACK/consumes",
            rule: "stomp12/ACK/consumes",
            level: Must,
            title: "What has been acknowledged does not come again",
            run: |ctx| left_after(ctx, V12, "client-individual", &[0, 1, 2], &[]),
        },
        Case {
            id: "stomp11/ACK/consumes",
            rule: "stomp11/ACK/consumes",
            level: Must,
            title: "What has been acknowledged does not come again",
            run: |ctx| left_after(ctx, V11, "client-individual", &[0, 1, 2], &[]),
        },
        Case {
            id: "stomp10/ACK/consumes",
            rule: "stomp10/ACK/consumes",
            level: Must,
            title: "What has been acknowledged does not come again",
            run: |ctx| left_after(ctx, V10, "client", &[0, 1, 2], &[]),
        },
        Case {
            id: "stomp12/ACK/missing-id",
            rule: "stomp12/ACK/id",
            level: Leniency,
            title: "An ACK without id is refused",
            run: |ctx| refused(ctx, V12, "ACK", |_| vec![]),
        },
        Case {
            id: "stomp12/ACK/headers-of-1.1",
            rule: "stomp12/ACK/id",
            level: Leniency,
            title: "An ACK with message-id and subscription, as in 1.1, is refused",
            run: |ctx| refused(ctx, V12, "ACK", by_message_id),
        },
        Case {
            id: "stomp11/ACK/missing-message-id",
            rule: "stomp11/ACK/message-id",
            level: Leniency,
            title: "An ACK without message-id is refused",
            run: |ctx| refused(ctx, V11, "ACK", |_| vec![("subscription", "1".into())]),
        },
        Case {
            id: "stomp11/ACK/missing-subscription",
            rule: "stomp11/ACK/subscription",
            level: Leniency,
            title: "An ACK without subscription is refused",
            run: |ctx| {
                refused(ctx, V11, "ACK", |message| {
                    vec![("message-id", text(message, "message-id"))]
                })
            },
        },
        Case {
            id: "stomp11/ACK/wrong-subscription",
            rule: "stomp11/ACK/subscription",
            level: Leniency,
            title: "An ACK of a message that the subscription has not received is refused",
            run: |ctx| {
                refused(ctx, V11, "ACK", |message| {
                    vec![
                        ("message-id", text(message, "message-id")),
                        ("subscription", "2".into()),
                    ]
                })
            },
        },
        Case {
            id: "stomp10/ACK/missing-message-id",
            rule: "stomp10/ACK/message-id",
            level: Leniency,
            title: "An ACK without message-id is refused",
            run: |ctx| refused(ctx, V10, "ACK", |_| vec![]),
        },
        Case {
            id: "stomp12/ACK/unknown",
            rule: "stomp12/ACK/id",
            level: Leniency,
            title: "An ACK of a message that was never received is refused",
            run: |ctx| refused(ctx, V12, "ACK", unknown),
        },
        Case {
            id: "stomp11/ACK/unknown",
            rule: "stomp11/ACK/message-id",
            level: Leniency,
            title: "An ACK of a message that was never received is refused",
            run: |ctx| refused(ctx, V11, "ACK", unknown),
        },
        Case {
            id: "stomp10/ACK/unknown",
            rule: "stomp10/ACK/message-id",
            level: Leniency,
            title: "An ACK of a message that was never received is refused",
            run: |ctx| refused(ctx, V10, "ACK", unknown),
        },
        Case {
            id: "stomp12/NACK/accepted",
            rule: "stomp12/NACK/not-consumed",
            level: Must,
            title: "A NACK of a message is accepted",
            run: |ctx| nack_accepted(ctx, V12),
        },
        Case {
            id: "stomp11/NACK/accepted",
            rule: "stomp11/NACK/not-consumed",
            level: Must,
            title: "A NACK of a message is accepted",
            run: |ctx| nack_accepted(ctx, V11),
        },
        Case {
            id: "stomp12/NACK/individual",
            rule: "stomp12/NACK/scope",
            level: Must,
            title: "In mode client-individual a NACK leaves the messages before it alone",
            run: |ctx| nack_individual(ctx, V12),
        },
        Case {
            id: "stomp11/NACK/individual",
            rule: "stomp11/NACK/scope",
            level: Must,
            title: "In mode client-individual a NACK leaves the messages before it alone",
            run: |ctx| nack_individual(ctx, V11),
        },
        Case {
            id: "stomp12/NACK/missing-id",
            rule: "stomp12/NACK/headers",
            level: Leniency,
            title: "A NACK without id is refused",
            run: |ctx| refused(ctx, V12, "NACK", |_| vec![]),
        },
        Case {
            id: "stomp11/NACK/missing-message-id",
            rule: "stomp11/NACK/headers",
            level: Leniency,
            title: "A NACK without message-id is refused",
            run: |ctx| refused(ctx, V11, "NACK", |_| vec![("subscription", "1".into())]),
        },
        Case {
            id: "stomp12/NACK/unknown",
            rule: "stomp12/NACK/headers",
            level: Leniency,
            title: "A NACK of a message that was never received is refused",
            run: |ctx| refused(ctx, V12, "NACK", unknown),
        },
        Case {
            id: "stomp11/NACK/unknown",
            rule: "stomp11/NACK/headers",
            level: Leniency,
            title: "A NACK of a message that was never received is refused",
            run: |ctx| refused(ctx, V11, "NACK", unknown),
        },
    ],
};

const BODIES: [&str; 3] = ["one", "two", "three"];

/// A queue with three messages, and a client that has received them.
fn three_received(
    ctx: &Context<'_>,
    version: Version,
    ack: &str,
) -> Result<(String, Client, Vec<Frame>), Stop> {
    let destination = queue(ctx, "a");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, ack)?;
    let mut messages = Vec::new();
    for body in BODIES {
        client.publish(&destination, body)?;
        messages.push(client.message_with(body.as_bytes())?);
    }
    Ok((destination, client, messages))
}

/// Of three messages those with these numbers are acknowledged, in this order;
/// then the client goes, and these bodies are left for others.
fn left_after(
    ctx: &Context<'_>,
    version: Version,
    ack: &str,
    acknowledged: &[usize],
    left: &[&str],
) -> Result<(), Stop> {
    let (destination, mut client, messages) = three_received(ctx, version, ack)?;
    for &number in acknowledged {
        client.settle("ACK", &messages[number], &[])?;
    }
    client.disconnect()?;
    expect_left(ctx, version, &destination, left)
}

fn per_subscription(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (one, two) = (queue(ctx, "a"), queue(ctx, "b"));
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &one, "client")?;
    client.subscribe("2", &two, "client")?;
    client.publish(&one, "to one")?;
    client.message_with(b"to one")?;
    client.publish(&two, "to two")?;
    let later = client.message_with(b"to two")?;
    client.settle("ACK", &later, &[])?;
    client.disconnect()?;
    expect_left(ctx, version, &one, &["to one"])?;
    expect_left(ctx, version, &two, &[])
}

fn redelivered(ctx: &Context<'_>, version: Version, lost: bool) -> Result<(), Stop> {
    let (destination, client, _) = three_received(ctx, version, "client")?;
    if lost {
        drop(client);
    } else {
        client.disconnect()?;
    }
    expect_left(ctx, version, &destination, &BODIES)
}

fn text(message: &Frame, name: &str) -> String {
    message.header_text(name).unwrap_or_default().to_owned()
}

fn by_message_id(message: &Frame) -> Headers {
    vec![
        ("message-id", text(message, "message-id")),
        ("subscription", "1".into()),
    ]
}

fn unknown(_: &Frame) -> Headers {
    vec![
        ("id", "never".into()),
        ("message-id", "never".into()),
        ("subscription", "1".into()),
    ]
}

type Headers = Vec<(&'static str, String)>;

/// A correct ACK or NACK is taken, and the same with these headers, made for
/// another message that has been received, is not.
fn refused(
    ctx: &Context<'_>,
    version: Version,
    command: &str,
    headers: fn(&Frame) -> Headers,
) -> Result<(), Stop> {
    let mode = match version {
        Version::V10 => "client",
        _ => "client-individual",
    };
    let (_, mut client, messages) = three_received(ctx, version, mode)?;
    client.subscribe("2", &queue(ctx, "b"), mode)?;
    client.settle(command, &messages[0], &[])?;
    let headers = headers(&messages[1]);
    let borrowed: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    client.ask(command, &borrowed, b"");
    client.expect_refusal(&format!(
        "ERROR or the end of the connection, for {command} with {headers:?}"
    ))
}

fn nack_accepted(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_, mut client, messages) = three_received(ctx, version, "client-individual")?;
    client.settle("NACK", &messages[1], &[])?;
    client.settle("ACK", &messages[0], &[])
}

fn nack_individual(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (destination, mut client, messages) = three_received(ctx, version, "client-individual")?;
    // That a NACK is accepted at all is another case.
    client
        .settle("NACK", &messages[2], &[])
        .setup("the NACK of the third message")?;
    client.disconnect()?;
    // What became of the third is the broker's choice.
    let mut other = Client::connected(ctx, version)?;
    other.subscribe("1", &destination, "auto")?;
    let mut missing = vec!["one", "two"];
    while !missing.is_empty() {
        let message = other.message()?;
        missing.retain(|body| body.as_bytes() != message.body);
    }
    Ok(())
}
