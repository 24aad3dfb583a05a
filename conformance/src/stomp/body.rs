//! Bodies: where they end, which frames have one, and how much is too much.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Leniency, May, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Bodies and size limits",
    cases: &[
        Case {
            id: "stomp12/content-length/nul-inside",
            rule: "stomp12/content-length/octets-read",
            level: Must,
            title: "With a content-length, NULs are octets of the body",
            run: |ctx| with_length(ctx, V12, b"\0a\0\0b\0"),
        },
        Case {
            id: "stomp11/content-length/nul-inside",
            rule: "stomp11/content-length/octets-read",
            level: Must,
            title: "With a content-length, NULs are octets of the body",
            run: |ctx| with_length(ctx, V11, b"\0a\0\0b\0"),
        },
        Case {
            id: "stomp10/content-length/nul-inside",
            rule: "stomp10/content-length/octets-read",
            level: Should,
            title: "With a content-length, NULs are octets of the body",
            run: |ctx| with_length(ctx, V10, b"\0a\0\0b\0"),
        },
        Case {
            id: "stomp12/content-length/empty-body",
            rule: "stomp12/content-length/octets-read",
            level: Must,
            title: "A content-length of 0 is an empty body",
            run: |ctx| with_length(ctx, V12, b""),
        },
        Case {
            id: "stomp11/content-length/empty-body",
            rule: "stomp11/content-length/octets-read",
            level: Must,
            title: "A content-length of 0 is an empty body",
            run: |ctx| with_length(ctx, V11, b""),
        },
        Case {
            id: "stomp10/content-length/empty-body",
            rule: "stomp10/content-length/octets-read",
            level: Should,
            title: "A content-length of 0 is an empty body",
            run: |ctx| with_length(ctx, V10, b""),
        },
        Case {
            id: "stomp12/content-length/every-octet",
            rule: "stomp12/content-length/octets-read",
            level: Must,
            title: "A body may have every octet there is",
            run: every_octet,
        },
        Case {
            id: "stomp12/content-length/large-body",
            rule: "stomp12/content-length/octets-read",
            level: Must,
            title: "A body of 300 KiB comes out as it went in",
            run: large_body,
        },
        Case {
            id: "stomp12/content-length/missing",
            rule: "stomp12/content-length/first-nul",
            level: Must,
            title: "Without a content-length the first NUL ends the body",
            run: |ctx| without_length(ctx, V12),
        },
        Case {
            id: "stomp11/content-length/missing",
            rule: "stomp11/content-length/first-nul",
            level: Must,
            title: "Without a content-length the first NUL ends the body",
            run: |ctx| without_length(ctx, V11),
        },
        Case {
            id: "stomp10/content-length/missing",
            rule: "stomp10/content-length/first-nul",
            level: Must,
            title: "Without a content-length the first NUL ends the body",
            run: |ctx| without_length(ctx, V10),
        },
        Case {
            id: "stomp12/content-length/long-body-without",
            rule: "stomp12/content-length/first-nul",
            level: Must,
            title: "A body of 300 KiB without a content-length comes out as it went in",
            run: long_body_without_length,
        },
        Case {
            id: "stomp12/content-length/too-small",
            rule: "stomp12/content-length/nul-terminates",
            level: Must,
            title: "A content-length that is not followed by a NUL is an error",
            run: |ctx| too_small(ctx, V12),
        },
        Case {
            id: "stomp11/content-length/too-small",
            rule: "stomp11/content-length/nul-terminates",
            level: Must,
            title: "A content-length that is not followed by a NUL is an error",
            run: |ctx| too_small(ctx, V11),
        },
        Case {
            id: "stomp10/content-length/too-small",
            rule: "stomp10/content-length/nul-terminates",
            level: Must,
            title: "A content-length that is not followed by a NUL is an error",
            run: |ctx| too_small(ctx, V10),
        },
        Case {
            id: "stomp12/content-length/not-a-number",
            rule: "stomp12/content-length/octets-read",
            level: Leniency,
            title: "A content-length that is no number is an error",
            run: |ctx| bad_length(ctx, V12, "five"),
        },
        Case {
            id: "stomp11/content-length/not-a-number",
            rule: "stomp11/content-length/octets-read",
            level: Leniency,
            title: "A content-length that is no number is an error",
            run: |ctx| bad_length(ctx, V11, "five"),
        },
        Case {
            id: "stomp12/content-length/negative",
            rule: "stomp12/content-length/octets-read",
            level: Leniency,
            title: "A negative content-length is an error",
            run: |ctx| bad_length(ctx, V12, "-5"),
        },
        Case {
            id: "stomp11/content-length/negative",
            rule: "stomp11/content-length/octets-read",
            level: Leniency,
            title: "A negative content-length is an error",
            run: |ctx| bad_length(ctx, V11, "-5"),
        },
        Case {
            id: "stomp12/content-length/on-every-frame",
            rule: "stomp12/content-length/on-any-frame",
            level: May,
            title: "A frame without a body may have a content-length",
            run: |ctx| on_every_frame(ctx, V12),
        },
        Case {
            id: "stomp12/content-length/message-with-nul",
            rule: "stomp12/content-length/body-with-nul",
            level: Must,
            title: "A MESSAGE with a NUL in its body has a content-length",
            run: |ctx| message_has_length(ctx, V12, b"a\0b"),
        },
        Case {
            id: "stomp11/content-length/message-with-nul",
            rule: "stomp11/content-length/body-with-nul",
            level: Must,
            title: "A MESSAGE with a NUL in its body has a content-length",
            run: |ctx| message_has_length(ctx, V11, b"a\0b"),
        },
        Case {
            id: "stomp12/content-length/message-with-body",
            rule: "stomp12/MESSAGE/content-length",
            level: Should,
            title: "A MESSAGE with a body has a content-length",
            run: |ctx| message_has_length(ctx, V12, b"body"),
        },
        Case {
            id: "stomp11/content-length/message-with-body",
            rule: "stomp11/MESSAGE/content-length",
            level: Should,
            title: "A MESSAGE with a body has a content-length",
            run: |ctx| message_has_length(ctx, V11, b"body"),
        },
        Case {
            id: "stomp10/content-length/message-with-body",
            rule: "stomp10/MESSAGE/content-length",
            level: Should,
            title: "A MESSAGE with a body has a content-length",
            run: |ctx| message_has_length(ctx, V10, b"body"),
        },
        Case {
            id: "stomp12/content-type/kept",
            rule: "stomp12/MESSAGE/content-type",
            level: Should,
            title: "The content-type of a SEND is that of the MESSAGE",
            run: |ctx| content_type_kept(ctx, V12),
        },
        Case {
            id: "stomp11/content-type/kept",
            rule: "stomp11/MESSAGE/content-type",
            level: Should,
            title: "The content-type of a SEND is that of the MESSAGE",
            run: |ctx| content_type_kept(ctx, V11),
        },
        Case {
            id: "stomp12/body/subscribe",
            rule: "stomp12/body/allowed",
            level: Leniency,
            title: "A SUBSCRIBE with a body is refused",
            run: |ctx| body_refused(ctx, V12, "SUBSCRIBE"),
        },
        Case {
            id: "stomp11/body/subscribe",
            rule: "stomp11/body/allowed",
            level: Leniency,
            title: "A SUBSCRIBE with a body is refused",
            run: |ctx| body_refused(ctx, V11, "SUBSCRIBE"),
        },
        Case {
            id: "stomp12/body/begin",
            rule: "stomp12/body/allowed",
            level: Leniency,
            title: "A BEGIN with a body is refused",
            run: |ctx| body_refused(ctx, V12, "BEGIN"),
        },
        Case {
            id: "stomp12/body/unsubscribe",
            rule: "stomp12/body/allowed",
            level: Leniency,
            title: "An UNSUBSCRIBE with a body is refused",
            run: |ctx| body_refused(ctx, V12, "UNSUBSCRIBE"),
        },
        Case {
            id: "stomp10/body/subscribe",
            rule: "stomp10/body/of-subscribe",
            level: Leniency,
            title: "The body of a SUBSCRIBE is ignored",
            run: subscribe_body_ignored,
        },
        Case {
            id: "stomp12/body/server-frames",
            rule: "stomp12/body/allowed",
            level: Must,
            title: "CONNECTED and RECEIPT have no body",
            run: |ctx| no_body(ctx, V12),
        },
        Case {
            id: "stomp11/body/server-frames",
            rule: "stomp11/body/allowed",
            level: Must,
            title: "CONNECTED and RECEIPT have no body",
            run: |ctx| no_body(ctx, V11),
        },
        Case {
            id: "stomp10/body/server-frames",
            rule: "stomp10/body/of-receipt",
            level: Must,
            title: "CONNECTED and RECEIPT have no body",
            run: |ctx| no_body(ctx, V10),
        },
        Case {
            id: "stomp12/size-limits/header-line",
            rule: "stomp12/size-limits/error; stomp12/size-limits/header-line",
            level: Should,
            title: "A header line beyond the broker's limit gets ERROR, and the connection is closed",
            run: |ctx| header_line(ctx, V12),
        },
        Case {
            id: "stomp11/size-limits/header-line",
            rule: "stomp11/size-limits/error; stomp11/size-limits/header-line",
            level: Should,
            title: "A header line beyond the broker's limit gets ERROR, and the connection is closed",
            run: |ctx| header_line(ctx, V11),
        },
        Case {
            id: "stomp12/size-limits/header-count",
            rule: "stomp12/size-limits/error; stomp12/size-limits/header-count",
            level: Should,
            title: "Headers beyond the broker's limit get ERROR, and the connection is closed",
            run: |ctx| header_count(ctx, V12),
        },
        Case {
            id: "stomp11/size-limits/header-count",
            rule: "stomp11/size-limits/error; stomp11/size-limits/header-count",
            level: Should,
            title: "Headers beyond the broker's limit get ERROR, and the connection is closed",
            run: |ctx| header_count(ctx, V11),
        },
        Case {
            id: "stomp12/size-limits/before-connect",
            rule: "stomp12/size-limits/error",
            level: Should,
            title: "A first frame that is out of all measure gets ERROR, and the connection is closed",
            run: |ctx| before_connect(ctx, V12),
        },
        Case {
            id: "stomp11/size-limits/before-connect",
            rule: "stomp11/size-limits/error",
            level: Should,
            title: "A first frame that is out of all measure gets ERROR, and the connection is closed",
            run: |ctx| before_connect(ctx, V11),
        },
    ],
};

/// A body as given, with its content-length, through the broker and back.
fn with_length(ctx: &Context<'_>, version: Version, body: &[u8]) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let length = body.len().to_string();
    client.send(&frame(
        "SEND",
        &[("destination", &destination), ("content-length", &length)],
        body,
    ));
    client.message_with(body)?;
    // What follows is understood, so the end was found where it is.
    client.publish(&destination, "behind")?;
    client.message_with(b"behind").map(drop)
}

fn every_octet(ctx: &Context<'_>) -> Result<(), Stop> {
    let body: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    with_length(ctx, V12, &body)
}

fn large_body(ctx: &Context<'_>) -> Result<(), Stop> {
    // 251 is prime to every power of two, so that no buffer's size is a period.
    let body: Vec<u8> = (0..300 * 1024).map(|at| (at % 251) as u8).collect();
    with_length(ctx, V12, &body)
}

fn without_length(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let headers = [("destination", destination.as_str())];
    let mut bytes = frame("SEND", &headers, b"SEND\n\nline:line\r\n");
    bytes.extend(frame("SEND", &headers, b"behind"));
    client.send(&bytes);
    client.message_with(b"SEND\n\nline:line\r\n")?;
    client.message_with(b"behind").map(drop)
}

fn long_body_without_length(ctx: &Context<'_>) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, V12)?;
    client.subscribe("1", &destination, "auto")?;
    let body: Vec<u8> = (0..300 * 1024).map(|at| (at % 251) as u8 + 1).collect();
    client.send(&frame("SEND", &[("destination", &destination)], &body));
    client.message_with(&body).map(drop)
}

fn too_small(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "whole")?;
    client.ask(
        "SEND",
        &[("destination", &destination), ("content-length", "2")],
        b"abcdef",
    );
    client
        .expect_refusal("ERROR or the end of the connection, as octet 2 of the body is no NUL")?;
    expect_left(ctx, version, &destination, &["whole"])
}

fn bad_length(ctx: &Context<'_>, version: Version, length: &str) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "whole")?;
    client.ask(
        "SEND",
        &[("destination", &destination), ("content-length", length)],
        b"abcde",
    );
    client.expect_refusal(&format!(
        "ERROR or the end of the connection, for content-length:{length}"
    ))?;
    expect_left(ctx, version, &destination, &["whole"])
}

fn on_every_frame(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let length = ("content-length", "0");
    let mut client = Client::connected(ctx, version)?;
    client.request("BEGIN", &[("transaction", "t"), length], b"")?;
    client.request("COMMIT", &[("transaction", "t"), length], b"")?;
    let headers = [("id", "1"), ("destination", &destination), length];
    client.request("SUBSCRIBE", &headers, b"")?;
    client.request("UNSUBSCRIBE", &[("id", "1"), length], b"")?;
    client.request("DISCONNECT", &[length], b"")
}

fn message_has_length(ctx: &Context<'_>, version: Version, body: &[u8]) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let length = body.len().to_string();
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    client.send(&frame(
        "SEND",
        &[("destination", &destination), ("content-length", &length)],
        body,
    ));
    let message = client.message()?;
    if message.header("content-length") == Some(length.as_bytes()) {
        Ok(())
    } else {
        Err(fail(
            format!("a MESSAGE with content-length:{length}"),
            message.to_string(),
        ))
    }
}

fn content_type_kept(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let content_type = "application/xml;charset=utf-8";
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    client.send(&frame(
        "SEND",
        &[
            ("destination", &destination),
            ("content-type", content_type),
        ],
        b"<a/>",
    ));
    let message = client.message_with(b"<a/>")?;
    if message.header("content-type") == Some(content_type.as_bytes()) {
        Ok(())
    } else {
        Err(fail(
            format!("a MESSAGE with content-type:{content_type}"),
            message.to_string(),
        ))
    }
}

/// The frame without a body is taken, and with one it is not.
fn body_refused(ctx: &Context<'_>, version: Version, command: &str) -> Result<(), Stop> {
    let (one, two) = (queue(ctx, "a"), queue(ctx, "b"));
    let mut client = Client::connected(ctx, version)?;
    let headers: [&[(&str, &str)]; 2] = match command {
        "BEGIN" => [&[("transaction", "1")], &[("transaction", "2")]],
        "SUBSCRIBE" => [
            &[("id", "1"), ("destination", &one)],
            &[("id", "2"), ("destination", &two)],
        ],
        _ => {
            client.subscribe("1", &one, "auto")?;
            client.subscribe("2", &two, "auto")?;
            [&[("id", "1")], &[("id", "2")]]
        }
    };
    client.request(command, headers[0], b"")?;
    client.ask(command, headers[1], b"body");
    client.expect_refusal(&format!(
        "ERROR or the end of the connection, for {command} with a body"
    ))
}

fn subscribe_body_ignored(ctx: &Context<'_>) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    let mut client = Client::connected(ctx, V10)?;
    client.request("SUBSCRIBE", &[("destination", &destination)], b"body")?;
    client.publish(&destination, "message")?;
    client.message_with(b"message").map(drop)
}

fn no_body(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) = Client::connected_with(ctx, version, &[])?;
    let destination = queue(ctx, "b");
    client.send(&frame(
        "SEND",
        &[("destination", &destination), ("receipt", "1")],
        b"body",
    ));
    match client.next()? {
        Seen::Frame(receipt)
            if receipt.is("RECEIPT") && receipt.body.is_empty() && connected.body.is_empty() =>
        {
            Ok(())
        }
        other => Err(fail(
            "CONNECTED and RECEIPT without a body",
            format!("{connected} and {other}"),
        )),
    }
}

fn header_line(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let long = "x".repeat(256 * 1024);
    limited(ctx, version, &[("long", &long)], "a header line of 256 KiB")
}

fn header_count(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let headers = vec![("many", "x"); 5000];
    limited(ctx, version, &headers, "5000 headers")
}

/// Whether there is a limit is the broker's choice; what it does at the limit
/// is not.
fn limited(
    ctx: &Context<'_>,
    version: Version,
    headers: &[(&str, &str)],
    what: &str,
) -> Result<(), Stop> {
    let destination = queue(ctx, "l");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "small")?;
    let mut all = vec![("destination", destination.as_str()), ("receipt", "big")];
    all.extend_from_slice(headers);
    client.send(&frame("SEND", &all, b"big"));
    let expected = format!("ERROR and the end of the connection for {what}");
    match client.next()? {
        Seen::Frame(frame) if frame.is("RECEIPT") => {
            Err(not_applicable(format!("{what} is within limits: {frame}")))
        }
        Seen::Frame(frame) if frame.is("ERROR") => client.expect_end_after(&frame, &expected),
        other => Err(fail(expected, other.to_string())),
    }
}

fn before_connect(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    drop(Client::connected(ctx, version)?);
    let mut client = Client::new(ctx, version)?;
    client.send(&frame(&"A".repeat(64 * 1024), &[], b""));
    client
        .expect_error_and_end("ERROR and the end of the connection for a command of 64 KiB")
        .map(drop)
}
