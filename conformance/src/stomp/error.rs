//! ERROR: what it says, and that it is the last word.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Frame, Version};
use crate::case::Level::{May, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "ERROR",
    cases: &[
        Case {
            id: "stomp12/ERROR/message",
            rule: "stomp12/ERROR/message",
            level: Should,
            title: "An ERROR has a message header",
            run: |ctx| message(ctx, V12),
        },
        Case {
            id: "stomp11/ERROR/message",
            rule: "stomp11/ERROR/message",
            level: Should,
            title: "An ERROR has a message header",
            run: |ctx| message(ctx, V11),
        },
        Case {
            id: "stomp10/ERROR/message",
            rule: "stomp10/ERROR/message; stomp10/ERROR/sent",
            level: Should,
            title: "An ERROR has a message header",
            run: |ctx| message(ctx, V10),
        },
        Case {
            id: "stomp12/ERROR/receipt-id",
            rule: "stomp12/ERROR/receipt-id; stomp12/ERROR/identifies",
            level: Should,
            title: "An ERROR that is due to a frame has that frame's receipt as receipt-id",
            run: |ctx| receipt_id(ctx, V12),
        },
        Case {
            id: "stomp11/ERROR/receipt-id",
            rule: "stomp11/ERROR/receipt-id; stomp11/ERROR/identifies",
            level: Should,
            title: "An ERROR that is due to a frame has that frame's receipt as receipt-id",
            run: |ctx| receipt_id(ctx, V11),
        },
        Case {
            id: "stomp12/ERROR/content-length",
            rule: "stomp12/ERROR/content-length; stomp12/ERROR/body",
            level: Should,
            title: "An ERROR with a body has its content-length",
            run: |ctx| content_length(ctx, V12),
        },
        Case {
            id: "stomp11/ERROR/content-length",
            rule: "stomp11/ERROR/content-length; stomp11/ERROR/body",
            level: Should,
            title: "An ERROR with a body has its content-length",
            run: |ctx| content_length(ctx, V11),
        },
        Case {
            id: "stomp10/ERROR/content-length",
            rule: "stomp10/ERROR/content-length; stomp10/ERROR/body",
            level: Should,
            title: "An ERROR with a body has its content-length",
            run: |ctx| content_length(ctx, V10),
        },
        Case {
            id: "stomp12/ERROR/content-type",
            rule: "stomp12/ERROR/content-type",
            level: Should,
            title: "An ERROR with a body has a content-type",
            run: |ctx| content_type(ctx, V12),
        },
        Case {
            id: "stomp11/ERROR/content-type",
            rule: "stomp11/ERROR/content-type",
            level: Should,
            title: "An ERROR with a body has a content-type",
            run: |ctx| content_type(ctx, V11),
        },
        Case {
            id: "stomp12/ERROR/close-after-unknown-transaction",
            rule: "stomp12/ERROR/close",
            level: Must,
            title: "After the ERROR for an unknown transaction the connection is closed",
            run: |ctx| closes(ctx, V12, "COMMIT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp12/ERROR/close-after-unknown-subscription",
            rule: "stomp12/ERROR/close",
            level: Must,
            title: "After the ERROR for an unknown subscription the connection is closed",
            run: |ctx| closes(ctx, V12, "UNSUBSCRIBE", &[("id", "never")]),
        },
        Case {
            id: "stomp12/ERROR/close-after-unknown-ack",
            rule: "stomp12/ERROR/close",
            level: Must,
            title: "After the ERROR for an unknown ack the connection is closed",
            run: |ctx| closes(ctx, V12, "ACK", &[("id", "never")]),
        },
        Case {
            id: "stomp12/ERROR/close-after-unknown-command",
            rule: "stomp12/ERROR/close",
            level: Must,
            title: "After the ERROR for an unknown command the connection is closed",
            run: |ctx| closes(ctx, V12, "MQSPEC", &[]),
        },
        Case {
            id: "stomp12/ERROR/last-word",
            rule: "stomp12/ERROR/close",
            level: Must,
            title: "What comes behind the frame that is in error is not acted upon",
            run: |ctx| last_word(ctx, V12),
        },
        Case {
            id: "stomp12/ERROR/earlier-frames",
            rule: "stomp12/ERROR/sent",
            level: May,
            title: "What was processed before an error stays so",
            run: |ctx| earlier_frames(ctx, V12),
        },
        Case {
            id: "stomp11/ERROR/earlier-frames",
            rule: "stomp11/ERROR/sent",
            level: May,
            title: "What was processed before an error stays so",
            run: |ctx| earlier_frames(ctx, V11),
        },
    ],
};

/// The ERROR for a SEND without a destination, with receipt:cause.
fn error(ctx: &Context<'_>, version: Version) -> Result<Frame, Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.send(b"SEND\nreceipt:cause\n\nbody\0");
    client.expect_error("ERROR for a SEND without destination")
}

fn message(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let error = error(ctx, version)?;
    match error.header("message") {
        Some([_, ..]) => Ok(()),
        _ => Err(fail("ERROR with a message header", error.to_string())),
    }
}

fn receipt_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let error = error(ctx, version)?;
    match error.header("receipt-id") {
        Some(b"cause") => Ok(()),
        _ => Err(fail("ERROR with receipt-id:cause", error.to_string())),
    }
}

fn content_length(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let error = error_with_body(ctx, version)?;
    let length = error.body.len().to_string();
    match error.header("content-length") {
        Some(value) if value == length.as_bytes() => Ok(()),
        _ => Err(fail(
            format!("ERROR with content-length:{length}"),
            error.to_string(),
        )),
    }
}

fn content_type(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let error = error_with_body(ctx, version)?;
    match error.header("content-type") {
        Some([_, ..]) => Ok(()),
        _ => Err(fail("ERROR with a content-type", error.to_string())),
    }
}

fn error_with_body(ctx: &Context<'_>, version: Version) -> Result<Frame, Stop> {
    let error = error(ctx, version)?;
    if error.body.is_empty() {
        return Err(not_applicable(format!("this ERROR has no body: {error}")));
    }
    Ok(error)
}

/// A broker need not send an ERROR, but when it does it is the end.
fn closes(
    ctx: &Context<'_>,
    version: Version,
    command: &str,
    headers: &[(&str, &str)],
) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.publish(&queue(ctx, "e"), "in order")?;
    client.ask(command, headers, b"");
    match client.next()? {
        Seen::Frame(error) if error.is("ERROR") => {
            client.expect_end_after(&error, "the end of the connection after the ERROR")
        }
        Seen::Frame(frame) if frame.is("RECEIPT") => {
            Err(not_applicable(format!("there was no ERROR: {frame}")))
        }
        Seen::Ended(..) => Ok(()),
        other => Err(fail("ERROR", other.to_string())),
    }
}

fn last_word(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "e");
    let mut client = Client::connected(ctx, version)?;
    let mut bytes = format!("SEND\ndestination:{destination}\n\nbefore\0").into_bytes();
    bytes.extend(b"SEND\n\nin error\0");
    bytes.extend(format!("SEND\ndestination:{destination}\n\nbehind\0").bytes());
    client.send(&bytes);
    client.expect_error("ERROR for a SEND without destination")?;
    expect_left(ctx, version, &destination, &["before"])
}

fn earlier_frames(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "e");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "before")?;
    client.send(b"SEND\n\nin error\0");
    client.expect_error("ERROR for a SEND without destination")?;
    drop(client);
    expect_left(ctx, version, &destination, &["before"])
}
