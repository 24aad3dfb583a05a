//! Where frames, lines and headers begin and end.

use super::client::{Client, connect_headers, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Frame, Version, frame};
use crate::case::Level::{Leniency, May, Must};
use crate::case::{Case, Context, Section};
use crate::target::{Protocol, Transport};
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "STOMP frames",
    cases: &[
        Case {
            id: "stomp12/frames/cr-lf",
            rule: "stomp12/frames/eol",
            level: Must,
            title: "Lines may end with CR LF",
            run: cr_lf,
        },
        Case {
            id: "stomp12/frames/cr-lf-and-lf",
            rule: "stomp12/frames/eol",
            level: Must,
            title: "Lines of one frame may end with CR LF and with LF",
            run: cr_lf_and_lf,
        },
        Case {
            id: "stomp11/frames/cr-is-no-end",
            rule: "stomp11/frames/eol",
            level: Must,
            title: "A carriage return before the line feed is part of the value",
            run: |ctx| carriage_return_kept(ctx, V11),
        },
        Case {
            id: "stomp12/frames/eols-between-frames",
            rule: "stomp12/frames/eols-after-nul",
            level: Must,
            title: "End-of-lines after a frame are passed over",
            run: |ctx| eols_between(ctx, V12, b"\n\r\n\r\n\n"),
        },
        Case {
            id: "stomp11/frames/eols-between-frames",
            rule: "stomp11/frames/eols-after-nul",
            level: Must,
            title: "Line feeds after a frame are passed over",
            run: |ctx| eols_between(ctx, V11, b"\n\n\n"),
        },
        Case {
            id: "stomp10/frames/eols-between-frames",
            rule: "stomp10/frames/eols-after-nul",
            level: Must,
            title: "Line feeds after a frame are passed over",
            run: |ctx| eols_between(ctx, V10, b"\n\n\n"),
        },
        Case {
            id: "stomp12/frames/split-anywhere",
            rule: "stomp12/frames/any-segmentation",
            level: Must,
            title: "A frame may arrive in two pieces, split at any octet",
            run: |ctx| split_anywhere(ctx, V12),
        },
        Case {
            id: "stomp12/frames/octet-by-octet",
            rule: "stomp12/frames/any-segmentation; stomp12/frames/transport",
            level: Must,
            title: "A conversation may arrive octet by octet",
            run: |ctx| octet_by_octet(ctx, V12),
        },
        Case {
            id: "stomp11/frames/octet-by-octet",
            rule: "stomp11/frames/any-segmentation; stomp11/frames/transport",
            level: Must,
            title: "A conversation may arrive octet by octet",
            run: |ctx| octet_by_octet(ctx, V11),
        },
        Case {
            id: "stomp10/frames/octet-by-octet",
            rule: "stomp10/frames/any-segmentation; stomp10/frames/transport",
            level: Must,
            title: "A conversation may arrive octet by octet",
            run: |ctx| octet_by_octet(ctx, V10),
        },
        Case {
            id: "stomp12/frames/many-in-one-segment",
            rule: "stomp12/frames/any-segmentation",
            level: Must,
            title: "Many frames may arrive at once",
            run: |ctx| many_in_one_segment(ctx, V12),
        },
        Case {
            id: "stomp11/frames/many-in-one-segment",
            rule: "stomp11/frames/any-segmentation",
            level: Must,
            title: "Many frames may arrive at once",
            run: |ctx| many_in_one_segment(ctx, V11),
        },
        Case {
            id: "stomp10/frames/many-in-one-segment",
            rule: "stomp10/frames/any-segmentation",
            level: Must,
            title: "Many frames may arrive at once",
            run: |ctx| many_in_one_segment(ctx, V10),
        },
        Case {
            id: "stomp12/frames/case-sensitive-command",
            rule: "stomp12/frames/case-sensitive",
            level: Must,
            title: "A command in lower case is none",
            run: |ctx| lower_case_command(ctx, V12),
        },
        Case {
            id: "stomp11/frames/case-sensitive-command",
            rule: "stomp11/frames/case-sensitive",
            level: Must,
            title: "A command in lower case is none",
            run: |ctx| lower_case_command(ctx, V11),
        },
        Case {
            id: "stomp12/frames/case-sensitive-header",
            rule: "stomp12/frames/case-sensitive",
            level: Must,
            title: "Destination is not the header destination",
            run: |ctx| upper_case_header(ctx, V12),
        },
        Case {
            id: "stomp11/frames/case-sensitive-header",
            rule: "stomp11/frames/case-sensitive",
            level: Must,
            title: "Destination is not the header destination",
            run: |ctx| upper_case_header(ctx, V11),
        },
        Case {
            id: "stomp12/client-frames/unknown-command",
            rule: "stomp12/client-frames/unknown; stomp12/grammar/commands",
            level: May,
            title: "An unknown command is answered with ERROR",
            run: |ctx| unknown_command(ctx, V12, "MQSPEC"),
        },
        Case {
            id: "stomp11/client-frames/unknown-command",
            rule: "stomp11/client-frames/unknown; stomp11/grammar/commands",
            level: May,
            title: "An unknown command is answered with ERROR",
            run: |ctx| unknown_command(ctx, V11, "MQSPEC"),
        },
        Case {
            id: "stomp10/grammar/unknown-command",
            rule: "stomp10/grammar/commands",
            level: Leniency,
            title: "An unknown command is answered with ERROR",
            run: |ctx| unknown_command(ctx, V10, "MQSPEC"),
        },
        Case {
            id: "stomp10/grammar/nack",
            rule: "stomp10/grammar/commands",
            level: Leniency,
            title: "A NACK, which 1.0 does not have, is answered with ERROR",
            run: |ctx| unknown_command(ctx, V10, "NACK"),
        },
        Case {
            id: "stomp12/client-frames/server-command",
            rule: "stomp12/client-frames/unknown",
            level: May,
            title: "A server's command from a client is answered with ERROR",
            run: |ctx| unknown_command(ctx, V12, "RECEIPT"),
        },
        Case {
            id: "stomp12/grammar/line-without-colon",
            rule: "stomp12/grammar/header",
            level: Leniency,
            title: "A header line without a colon is answered with ERROR, and the connection closed",
            run: |ctx| broken_header(ctx, V12, "no-colon"),
        },
        Case {
            id: "stomp11/grammar/line-without-colon",
            rule: "stomp11/grammar/header",
            level: Leniency,
            title: "A header line without a colon is answered with ERROR, and the connection closed",
            run: |ctx| broken_header(ctx, V11, "no-colon"),
        },
        Case {
            id: "stomp10/grammar/line-without-colon",
            rule: "stomp10/grammar/header",
            level: Leniency,
            title: "A header line without a colon is refused",
            run: |ctx| broken_header(ctx, V10, "no-colon"),
        },
        Case {
            id: "stomp12/grammar/empty-name",
            rule: "stomp12/grammar/name",
            level: Leniency,
            title: "A header line without a name is answered with ERROR, and the connection closed",
            run: |ctx| broken_header(ctx, V12, ":value"),
        },
        Case {
            id: "stomp11/grammar/empty-name",
            rule: "stomp11/grammar/name",
            level: Leniency,
            title: "A header line without a name is answered with ERROR, and the connection closed",
            run: |ctx| broken_header(ctx, V11, ":value"),
        },
        Case {
            id: "stomp10/grammar/empty-name",
            rule: "stomp10/grammar/name",
            level: Leniency,
            title: "A header line without a name is answered with ERROR, or the connection ended",
            run: |ctx| broken_header(ctx, V10, ":value"),
        },
        Case {
            id: "stomp12/grammar/empty-value",
            rule: "stomp12/grammar/empty-value",
            level: Must,
            title: "A header value may be empty",
            run: |ctx| header_kept(ctx, V12, ""),
        },
        Case {
            id: "stomp11/grammar/empty-value",
            rule: "stomp11/grammar/empty-value",
            level: Must,
            title: "A header value may be empty",
            run: |ctx| header_kept(ctx, V11, ""),
        },
        Case {
            id: "stomp10/grammar/colon-in-value",
            rule: "stomp10/grammar/colon-in-value",
            level: Must,
            title: "What follows the first colon of a line is the value, colons and all",
            run: |ctx| header_kept(ctx, V10, "a:b::c"),
        },
    ],
};

fn cr_lf(ctx: &Context<'_>) -> Result<(), Stop> {
    with_ends(ctx, |bytes| {
        let mut out = Vec::new();
        for byte in bytes {
            if byte == b'\n' {
                out.push(b'\r');
            }
            out.push(byte);
        }
        out
    })
}

fn cr_lf_and_lf(ctx: &Context<'_>) -> Result<(), Stop> {
    with_ends(ctx, |bytes| {
        let mut out = Vec::new();
        let mut lines = 0;
        for byte in bytes {
            if byte == b'\n' {
                lines += 1;
                if lines % 2 == 0 {
                    out.push(b'\r');
                }
            }
            out.push(byte);
        }
        out
    })
}

/// CONNECT, SUBSCRIBE and SEND, the line ends of each written anew; no body
/// has one.
fn with_ends(ctx: &Context<'_>, write: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<(), Stop> {
    let destination = queue(ctx, "e");
    let mut client = Client::new(ctx, V12)?;
    client.send(&write(frame("CONNECT", &connect_headers(ctx, V12), b"")));
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") => {}
        other => return Err(fail("CONNECTED", other.to_string())),
    }
    client.send(&write(frame(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", &destination), ("receipt", "a")],
        b"",
    )));
    client.receipt("a", "SUBSCRIBE with CR LF")?;
    client.send(&write(frame(
        "SEND",
        &[("destination", &destination), ("key", "value")],
        b"body",
    )));
    let message = client.message_with(b"body")?;
    expect_header(&message, "key", b"value")
}

fn expect_header(message: &Frame, name: &str, value: &[u8]) -> Result<(), Stop> {
    if message.header(name) == Some(value) {
        Ok(())
    } else {
        Err(fail(
            format!("a MESSAGE with \"{name}:{}\"", value.escape_ascii()),
            message.to_string(),
        ))
    }
}

fn carriage_return_kept(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    header_kept(ctx, version, "value\r")
}

/// A SEND with this header value gives a MESSAGE with the same octets.
fn header_kept(ctx: &Context<'_>, version: Version, value: &str) -> Result<(), Stop> {
    let destination = queue(ctx, "k");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    client.send(&frame(
        "SEND",
        &[("key", value), ("destination", &destination)],
        b"body",
    ));
    expect_header(&client.message()?, "key", value.as_bytes())
}

fn eols_between(ctx: &Context<'_>, version: Version, eols: &[u8]) -> Result<(), Stop> {
    let destination = queue(ctx, "e");
    let mut client = Client::connected(ctx, version)?;
    client.send(eols);
    client.publish(&destination, "one")?;
    let mut bytes = eols.to_vec();
    bytes.extend(frame("SEND", &[("destination", &destination)], b"two"));
    bytes.extend(eols);
    bytes.extend(frame(
        "SEND",
        &[("destination", &destination), ("receipt", "three")],
        b"three",
    ));
    bytes.extend(eols);
    client.send(&bytes);
    client.receipt("three", "SEND after end-of-lines")?;
    expect_left(ctx, version, &destination, &["one", "two", "three"])
}

fn split_anywhere(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let headers = [
        ("destination", destination.as_str()),
        ("key", "a\\cb\\\\c"),
        ("content-length", "5"),
    ];
    let bytes = frame("SEND", &headers, b"on\0e\n");
    for cut in 1..bytes.len() {
        let (front, back) = bytes.split_at(cut);
        client.send(front);
        // Nothing tells when the broker has read it; a moment is enough for
        // most of the cuts to be seen as such.
        ctx.pause(std::time::Duration::from_millis(2))?;
        client.send(back);
        let message = client.message_with(b"on\0e\n")?;
        expect_header(&message, "key", b"a\\cb\\\\c")?;
    }
    Ok(())
}

/// Stops where frames go in the messages of WebSocket: how they lie in those no rule says.
fn over_a_stream(ctx: &Context<'_>) -> Result<(), Stop> {
    match ctx.target.transport {
        Transport::Stream => Ok(()),
        Transport::WebSocket => Err(not_applicable(
            "over WebSocket there are messages, and no segments",
        )),
    }
}

fn octet_by_octet(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    over_a_stream(ctx)?;
    let destination = queue(ctx, "o");
    let mut client = Client::new(ctx, version)?;
    for octet in frame("CONNECT", &connect_headers(ctx, version), b"") {
        client.send(&[octet]);
    }
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") => {}
        other => return Err(fail("CONNECTED", other.to_string())),
    }
    let mut bytes = frame(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", &destination)],
        b"",
    );
    bytes.extend(frame(
        "SEND",
        &[("destination", &destination), ("content-length", "3")],
        b"a\0b",
    ));
    bytes.extend(frame("SEND", &[("destination", &destination)], b"cd"));
    for octet in bytes {
        client.send(&[octet]);
    }
    client.message_with(b"a\0b")?;
    client.message_with(b"cd").map(drop)
}

fn many_in_one_segment(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    over_a_stream(ctx)?;
    let destination = queue(ctx, "m");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let mut expected: Vec<Vec<u8>> = Vec::new();
    let mut bytes = Vec::new();
    for number in 0..200 {
        let body = format!("{number:03}").into_bytes();
        bytes.extend(frame("SEND", &[("destination", &destination)], &body));
        expected.push(body);
    }
    client.send(&bytes);
    // The order of messages is the broker's business.
    let mut seen = Vec::new();
    for _ in 0..expected.len() {
        seen.push(client.message()?.body);
    }
    seen.sort();
    if seen == expected {
        Ok(())
    } else {
        let bodies: Vec<_> = seen.iter().map(|body| body.escape_ascii()).collect();
        Err(fail(
            "200 messages with bodies 000 to 199",
            format!("{bodies:?}"),
        ))
    }
}

fn lower_case_command(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "l");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "upper")?;
    client.ask("send", &[("destination", &destination)], b"lower");
    client.expect_refusal("ERROR or the end of the connection, for the command \"send\"")?;
    expect_left(ctx, version, &destination, &["upper"])
}

fn upper_case_header(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "u");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "lower")?;
    client.ask("SEND", &[("Destination", &destination)], b"upper");
    client.expect_refusal("ERROR or the end of the connection, for want of a destination")?;
    expect_left(ctx, version, &destination, &["lower"])
}

fn unknown_command(ctx: &Context<'_>, version: Version, command: &str) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.publish(&queue(ctx, "u"), "known")?;
    client.ask(command, &[], b"");
    client
        .expect_error("ERROR for an unknown command")
        .map(drop)
}

/// A SEND that has this line among its headers.
fn broken_header(ctx: &Context<'_>, version: Version, line: &str) -> Result<(), Stop> {
    let destination = queue(ctx, "h");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "whole")?;
    client.send(
        format!("SEND\ndestination:{destination}\n{line}\nreceipt:broken\n\nbroken\0").as_bytes(),
    );
    if version == Version::V10 {
        client.expect_refusal("ERROR or the end of the connection, for a broken header line")?;
    } else {
        client.expect_error_and_end(
            "ERROR for a SEND with a broken header line, and the end of the connection",
        )?;
    }
    expect_left(ctx, version, &destination, &["whole"])
}
