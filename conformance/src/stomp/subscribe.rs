//! SUBSCRIBE and UNSUBSCRIBE: who gets what, and until when.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Leniency, May, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "SUBSCRIBE and UNSUBSCRIBE",
    cases: &[
        Case {
            id: "stomp12/SUBSCRIBE/topic",
            rule: "stomp12/SUBSCRIBE/delivers; stomp12/server-frames/commands",
            level: Must,
            title: "A subscription to a topic gets what is sent there after its RECEIPT",
            run: |ctx| topic(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE/topic",
            rule: "stomp11/SUBSCRIBE/delivers; stomp11/server-frames/commands",
            level: Must,
            title: "A subscription to a topic gets what is sent there after its RECEIPT",
            run: |ctx| topic(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE/topic",
            rule: "stomp10/SUBSCRIBE/delivers; stomp10/server-frames/commands",
            level: Must,
            title: "A subscription to a topic gets what is sent there after its RECEIPT",
            run: |ctx| topic(ctx, V10),
        },
        Case {
            id: "stomp12/SUBSCRIBE/topic-fan-out",
            rule: "stomp12/SUBSCRIBE/delivers",
            level: May,
            title: "Each of several subscribers to a topic gets every message, and late ones none before",
            run: |ctx| fan_out(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE/topic-fan-out",
            rule: "stomp11/SUBSCRIBE/delivers",
            level: May,
            title: "Each of several subscribers to a topic gets every message, and late ones none before",
            run: |ctx| fan_out(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE/topic-fan-out",
            rule: "stomp10/SUBSCRIBE/delivers",
            level: May,
            title: "Each of several subscribers to a topic gets every message, and late ones none before",
            run: |ctx| fan_out(ctx, V10),
        },
        Case {
            id: "stomp12/SUBSCRIBE/missing-destination",
            rule: "stomp12/SUBSCRIBE/destination; stomp12/SUBSCRIBE/error",
            level: Must,
            title: "A SUBSCRIBE without destination gets ERROR, and the connection closes",
            run: |ctx| missing_destination(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE/missing-destination",
            rule: "stomp11/SUBSCRIBE/destination; stomp11/SUBSCRIBE/error",
            level: Must,
            title: "A SUBSCRIBE without destination gets ERROR, and the connection closes",
            run: |ctx| missing_destination(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE/missing-destination",
            rule: "stomp10/SUBSCRIBE/destination",
            level: Leniency,
            title: "A SUBSCRIBE without destination is refused",
            run: |ctx| missing_destination(ctx, V10),
        },
        Case {
            id: "stomp12/SUBSCRIBE-id/missing",
            rule: "stomp12/SUBSCRIBE-id/required",
            level: Leniency,
            title: "A SUBSCRIBE without id is refused",
            run: |ctx| missing_id(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-id/missing",
            rule: "stomp11/SUBSCRIBE-id/required",
            level: Leniency,
            title: "A SUBSCRIBE without id is refused",
            run: |ctx| missing_id(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE/id-optional",
            rule: "stomp10/SUBSCRIBE/id-optional",
            level: May,
            title: "A SUBSCRIBE needs no id",
            run: id_optional,
        },
        Case {
            id: "stomp12/SUBSCRIBE-id/duplicate",
            rule: "stomp12/SUBSCRIBE-id/unique",
            level: Leniency,
            title: "A second subscription with the same id is refused",
            run: |ctx| duplicate_id(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-id/duplicate",
            rule: "stomp11/SUBSCRIBE-id/unique",
            level: Leniency,
            title: "A second subscription with the same id is refused",
            run: |ctx| duplicate_id(ctx, V11),
        },
        Case {
            id: "stomp12/SUBSCRIBE-id/several",
            rule: "stomp12/SUBSCRIBE-id/several",
            level: Must,
            title: "Several subscriptions of one connection each get their own messages",
            run: |ctx| several(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-id/several",
            rule: "stomp11/SUBSCRIBE-id/several",
            level: Must,
            title: "Several subscriptions of one connection each get their own messages",
            run: |ctx| several(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE-id/several",
            rule: "stomp10/SUBSCRIBE-id/several",
            level: Must,
            title: "Several subscriptions of one connection each get their own messages",
            run: |ctx| several(ctx, V10),
        },
        Case {
            id: "stomp12/SUBSCRIBE-id/per-connection",
            rule: "stomp12/SUBSCRIBE-id/several",
            level: Must,
            title: "Two connections may use the same id",
            run: |ctx| per_connection(ctx, V12),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/invalid",
            rule: "stomp12/SUBSCRIBE-ack/values",
            level: Leniency,
            title: "A SUBSCRIBE with an unknown ack mode is refused",
            run: |ctx| invalid_ack(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/invalid",
            rule: "stomp11/SUBSCRIBE-ack/values",
            level: Leniency,
            title: "A SUBSCRIBE with an unknown ack mode is refused",
            run: |ctx| invalid_ack(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE-ack/invalid",
            rule: "stomp10/SUBSCRIBE-ack/values",
            level: Leniency,
            title: "A SUBSCRIBE with an unknown ack mode is refused",
            run: |ctx| invalid_ack(ctx, V10),
        },
        Case {
            id: "stomp12/SUBSCRIBE-ack/default-is-auto",
            rule: "stomp12/SUBSCRIBE-ack/default",
            level: Must,
            title: "Without an ack header messages need no ACK",
            run: |ctx| default_is_auto(ctx, V12),
        },
        Case {
            id: "stomp11/SUBSCRIBE-ack/default-is-auto",
            rule: "stomp11/SUBSCRIBE-ack/default",
            level: Must,
            title: "Without an ack header messages need no ACK",
            run: |ctx| default_is_auto(ctx, V11),
        },
        Case {
            id: "stomp10/SUBSCRIBE-ack/default-is-auto",
            rule: "stomp10/SUBSCRIBE-ack/default",
            level: Must,
            title: "Without an ack header messages need no ACK",
            run: |ctx| default_is_auto(ctx, V10),
        },
        Case {
            id: "stomp12/UNSUBSCRIBE/stops",
            rule: "stomp12/UNSUBSCRIBE/stops",
            level: Must,
            title: "After UNSUBSCRIBE no message comes for the subscription",
            run: |ctx| stops(ctx, V12, "id"),
        },
        Case {
            id: "stomp11/UNSUBSCRIBE/stops",
            rule: "stomp11/UNSUBSCRIBE/stops",
            level: Must,
            title: "After UNSUBSCRIBE no message comes for the subscription",
            run: |ctx| stops(ctx, V11, "id"),
        },
        Case {
            id: "stomp10/UNSUBSCRIBE/by-id",
            rule: "stomp10/UNSUBSCRIBE/headers; stomp10/UNSUBSCRIBE/stops",
            level: Must,
            title: "UNSUBSCRIBE by id ends the subscription",
            run: |ctx| stops(ctx, V10, "id"),
        },
        Case {
            id: "stomp10/UNSUBSCRIBE/by-destination",
            rule: "stomp10/UNSUBSCRIBE/headers",
            level: Must,
            title: "UNSUBSCRIBE by destination ends the subscription",
            run: |ctx| stops(ctx, V10, "destination"),
        },
        Case {
            id: "stomp12/UNSUBSCRIBE/one-of-two",
            rule: "stomp12/UNSUBSCRIBE/matches",
            level: Must,
            title: "UNSUBSCRIBE ends the subscription with its id and no other",
            run: |ctx| one_of_two(ctx, V12),
        },
        Case {
            id: "stomp11/UNSUBSCRIBE/one-of-two",
            rule: "stomp11/UNSUBSCRIBE/matches",
            level: Must,
            title: "UNSUBSCRIBE ends the subscription with its id and no other",
            run: |ctx| one_of_two(ctx, V11),
        },
        Case {
            id: "stomp12/UNSUBSCRIBE/missing-id",
            rule: "stomp12/UNSUBSCRIBE/id",
            level: Leniency,
            title: "An UNSUBSCRIBE without id is refused",
            run: |ctx| refused(ctx, V12, &[]),
        },
        Case {
            id: "stomp11/UNSUBSCRIBE/missing-id",
            rule: "stomp11/UNSUBSCRIBE/id",
            level: Leniency,
            title: "An UNSUBSCRIBE without id is refused",
            run: |ctx| refused(ctx, V11, &[]),
        },
        Case {
            id: "stomp10/UNSUBSCRIBE/missing-headers",
            rule: "stomp10/UNSUBSCRIBE/headers",
            level: Leniency,
            title: "An UNSUBSCRIBE with neither id nor destination is refused",
            run: |ctx| refused(ctx, V10, &[]),
        },
        Case {
            id: "stomp12/UNSUBSCRIBE/unknown-id",
            rule: "stomp12/UNSUBSCRIBE/matches",
            level: Leniency,
            title: "An UNSUBSCRIBE for no subscription is refused",
            run: |ctx| refused(ctx, V12, &[("id", "never")]),
        },
        Case {
            id: "stomp11/UNSUBSCRIBE/unknown-id",
            rule: "stomp11/UNSUBSCRIBE/matches",
            level: Leniency,
            title: "An UNSUBSCRIBE for no subscription is refused",
            run: |ctx| refused(ctx, V11, &[("id", "never")]),
        },
    ],
};

/// What a destination means is the broker's to say; one that begins with `/topic/`
/// is by custom one of which every subscriber has a copy.
fn fan_out(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let topic = format!("/topic/{}", ctx.name("fan"));
    let mut producer = Client::connected(ctx, version)?;
    producer.publish(&topic, "before")?;
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        let mut subscriber = Client::connected(ctx, version)?;
        subscriber.subscribe("1", &topic, "auto")?;
        subscribers.push(subscriber);
    }
    for body in ["a", "b", "c"] {
        producer.publish(&topic, body)?;
    }
    for subscriber in &mut subscribers {
        for body in [b"a", b"b", b"c"] {
            subscriber.message_with(body)?;
        }
        subscriber.expect_silence("no other MESSAGE")?;
    }
    Ok(())
}

fn topic(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = format!("/topic/{}", ctx.name("t"));
    let mut consumer = Client::connected(ctx, version)?;
    consumer.subscribe("1", &destination, "auto")?;
    let mut producer = Client::connected(ctx, version)?;
    for body in ["one", "two"] {
        producer.publish(&destination, body)?;
        consumer.message_with(body.as_bytes())?;
    }
    Ok(())
}

fn missing_destination(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &queue(ctx, "s"), "auto")?;
    client.ask("SUBSCRIBE", &[("id", "2")], b"");
    if version == Version::V10 {
        client.expect_refusal(
            "ERROR or the end of the connection, for a SUBSCRIBE without destination",
        )
    } else {
        client
            .expect_error_and_end(
                "ERROR for a SUBSCRIBE without destination, and the end of the connection",
            )
            .map(drop)
    }
}

fn missing_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &queue(ctx, "t"), "auto")?;
    client.ask("SUBSCRIBE", &[("destination", &destination)], b"");
    client.expect_refusal("ERROR or the end of the connection, for a SUBSCRIBE without id")
}

fn id_optional(ctx: &Context<'_>) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let mut client = Client::connected(ctx, V10)?;
    client.request("SUBSCRIBE", &[("destination", &destination)], b"")?;
    client.publish(&destination, "body")?;
    client.message_with(b"body").map(drop)
}

fn duplicate_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (one, two) = (queue(ctx, "a"), queue(ctx, "b"));
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &one, "auto")?;
    client.ask("SUBSCRIBE", &[("id", "1"), ("destination", &two)], b"");
    client.expect_refusal("ERROR or the end of the connection, for a second subscription 1")
}

fn several(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let queues = [
        ("one", queue(ctx, "a")),
        ("two", queue(ctx, "b")),
        ("three", queue(ctx, "c")),
    ];
    let mut client = Client::connected(ctx, version)?;
    for (id, destination) in &queues {
        client.subscribe(id, destination, "auto")?;
    }
    for (id, destination) in queues.iter().rev() {
        client.publish(destination, id)?;
        let message = client.message_with(id.as_bytes())?;
        if message.header("subscription") != Some(id.as_bytes()) {
            return Err(fail(
                format!("a MESSAGE with subscription:{id}"),
                message.to_string(),
            ));
        }
    }
    Ok(())
}

fn per_connection(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let queues = [queue(ctx, "a"), queue(ctx, "b")];
    let mut clients = [
        Client::connected(ctx, version)?,
        Client::connected(ctx, version)?,
    ];
    for (client, destination) in clients.iter_mut().zip(&queues) {
        client.subscribe("1", destination, "auto")?;
    }
    for (client, destination) in clients.iter_mut().zip(&queues) {
        client.publish(destination, destination)?;
        client.message_with(destination.as_bytes())?;
    }
    Ok(())
}

fn invalid_ack(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "client-individual")?;
    client.ask(
        "SUBSCRIBE",
        &[
            ("id", "2"),
            ("destination", &destination),
            ("ack", "perhaps"),
        ],
        b"",
    );
    client.expect_refusal("ERROR or the end of the connection, for ack:perhaps")
}

fn default_is_auto(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let mut client = Client::connected(ctx, version)?;
    client.request(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", &destination)],
        b"",
    )?;
    client.publish(&destination, "consumed")?;
    client.message_with(b"consumed")?;
    client.disconnect()?;
    expect_left(ctx, version, &destination, &[])
}

/// UNSUBSCRIBE by this header; what is sent then stays for others.
fn stops(ctx: &Context<'_>, version: Version, by: &str) -> Result<(), Stop> {
    let destination = queue(ctx, "u");
    let mut client = Client::connected(ctx, version)?;
    let mut headers = vec![("destination", destination.as_str()), ("ack", "auto")];
    let key = if by == "id" {
        headers.push(("id", "1"));
        ("id", "1")
    } else {
        ("destination", destination.as_str())
    };
    client.request("SUBSCRIBE", &headers, b"")?;
    client.publish(&destination, "before")?;
    client.message_with(b"before")?;
    client.request("UNSUBSCRIBE", &[key], b"")?;
    client.publish(&destination, "after")?;
    client.expect_silence("no MESSAGE after the UNSUBSCRIBE")?;
    expect_left(ctx, version, &destination, &["after"])
}

fn one_of_two(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (one, two) = (queue(ctx, "a"), queue(ctx, "b"));
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &one, "auto")?;
    client.subscribe("2", &two, "auto")?;
    client.request("UNSUBSCRIBE", &[("id", "1")], b"")?;
    client.publish(&one, "to one")?;
    client.publish(&two, "to two")?;
    client.message_with(b"to two")?;
    client.expect_silence("no MESSAGE for the subscription that is gone")?;
    expect_left(ctx, version, &one, &["to one"])
}

fn refused(ctx: &Context<'_>, version: Version, headers: &[(&str, &str)]) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    for id in ["1", "2"] {
        client.subscribe(id, &queue(ctx, id), "auto")?;
    }
    client.request("UNSUBSCRIBE", &[("id", "1")], b"")?;
    let mut all = headers.to_vec();
    all.push(("receipt", "refused"));
    client.send(&frame("UNSUBSCRIBE", &all, b""));
    client.expect_refusal("ERROR or the end of the connection, for an UNSUBSCRIBE of nothing")
}
