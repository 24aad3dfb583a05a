//! SEND: what a message needs and what stays with it.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Leniency, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "SEND",
    cases: &[
        Case {
            id: "stomp12/SEND/delivers",
            rule: "stomp12/SEND/delivers",
            level: Must,
            title: "The body of a SEND is the body of the MESSAGE",
            run: |ctx| delivers(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/delivers",
            rule: "stomp11/SEND/delivers",
            level: Must,
            title: "The body of a SEND is the body of the MESSAGE",
            run: |ctx| delivers(ctx, V11),
        },
        Case {
            id: "stomp10/SEND/delivers",
            rule: "stomp10/SEND/delivers",
            level: Must,
            title: "The body of a SEND is the body of the MESSAGE",
            run: |ctx| delivers(ctx, V10),
        },
        Case {
            id: "stomp12/SEND/user-headers",
            rule: "stomp12/SEND/user-headers; stomp12/frames-and-headers/user-headers; stomp12/SEND/user-headers-added",
            level: Must,
            title: "User-defined headers come with the MESSAGE",
            run: |ctx| user_headers(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/user-headers",
            rule: "stomp11/SEND/user-headers; stomp11/SEND/user-headers-added",
            level: Must,
            title: "User-defined headers come with the MESSAGE",
            run: |ctx| user_headers(ctx, V11),
        },
        Case {
            id: "stomp12/SEND/missing-destination",
            rule: "stomp12/SEND/destination",
            level: Must,
            title: "A SEND without destination gets ERROR, and the connection closes",
            run: |ctx| missing_destination(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/missing-destination",
            rule: "stomp11/SEND/destination",
            level: Must,
            title: "A SEND without destination gets ERROR, and the connection closes",
            run: |ctx| missing_destination(ctx, V11),
        },
        Case {
            id: "stomp10/SEND/missing-destination",
            rule: "stomp10/SEND/destination",
            level: Leniency,
            title: "A SEND without destination is refused",
            run: |ctx| missing_destination(ctx, V10),
        },
        Case {
            id: "stomp12/SEND/error-for-undefined-escape",
            rule: "stomp12/SEND/error",
            level: Must,
            title: "A SEND that cannot be decoded gets ERROR, and the connection closes",
            run: |ctx| undefined_escape(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/error-for-undefined-escape",
            rule: "stomp11/SEND/error",
            level: Must,
            title: "A SEND that cannot be decoded gets ERROR, and the connection closes",
            run: |ctx| undefined_escape(ctx, V11),
        },
        Case {
            id: "stomp12/SEND/every-message",
            rule: "stomp12/SEND/delivers",
            level: Must,
            title: "Messages of several clients all arrive, each once",
            run: every_message,
        },
    ],
};

fn delivers(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "d");
    let mut consumer = Client::connected(ctx, version)?;
    consumer.subscribe("1", &destination, "auto")?;
    let mut producer = Client::connected(ctx, version)?;
    producer.publish(&destination, "hello queue")?;
    consumer.message_with(b"hello queue").map(drop)
}

fn user_headers(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "h");
    let user = [
        ("colour", "blue"),
        ("Colour", "green"),
        ("x-number", "42"),
        ("with space", "and - dash_and.dot"),
    ];
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let mut headers = user.to_vec();
    headers.push(("destination", &destination));
    client.send(&frame("SEND", &headers, b"body"));
    let message = client.message_with(b"body")?;
    for (name, value) in user {
        if message.header(name) != Some(value.as_bytes()) {
            return Err(fail(
                format!("a MESSAGE with \"{name}:{value}\""),
                message.to_string(),
            ));
        }
    }
    Ok(())
}

fn missing_destination(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.publish(&queue(ctx, "d"), "addressed")?;
    client.ask("SEND", &[], b"body");
    if version == Version::V10 {
        client.expect_refusal("ERROR or the end of the connection, for a SEND without destination")
    } else {
        client
            .expect_error_and_end(
                "ERROR for a SEND without destination, and the end of the connection",
            )
            .map(drop)
    }
}

fn undefined_escape(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "u");
    let mut client = Client::connected(ctx, version)?;
    client.request(
        "SEND",
        &[("destination", &destination), ("key", r"a\nb")],
        b"defined",
    )?;
    client.ask(
        "SEND",
        &[("destination", &destination), ("key", r"a\tb")],
        b"undefined",
    );
    client
        .expect_error_and_end(r"ERROR for a SEND with key:a\tb, and the end of the connection")
        .map(drop)
}

fn every_message(ctx: &Context<'_>) -> Result<(), Stop> {
    let destination = queue(ctx, "m");
    let mut clients = [
        Client::connected(ctx, V12)?,
        Client::connected(ctx, V11)?,
        Client::connected(ctx, V10)?,
    ];
    let bodies: Vec<String> = (0..30).map(|number| format!("message {number}")).collect();
    for (turn, body) in bodies.iter().enumerate() {
        clients[turn % 3].publish(&destination, body)?;
    }
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    expect_left(ctx, V12, &destination, &bodies)
}
