//! What headers say: escapes, text, spaces, repetitions.

use super::client::{Client, connect_headers, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Value encoding and repeated headers",
    cases: &[
        Case {
            id: "stomp12/header-encoding/escapes",
            rule: "stomp12/header-encoding/decode",
            level: Must,
            title: "The escapes for colon, line feed, backslash and carriage return come out as they went in",
            run: |ctx| relayed(ctx, V12, r"key:1\c2\n3\\4\r5", V12, r"key:1\c2\n3\\4\r5"),
        },
        Case {
            id: "stomp11/header-encoding/escapes",
            rule: "stomp11/header-encoding/decode",
            level: Must,
            title: "The escapes for colon, line feed and backslash come out as they went in",
            run: |ctx| relayed(ctx, V11, r"key:1\c2\n3\\4", V11, r"key:1\c2\n3\\4"),
        },
        Case {
            id: "stomp12/header-encoding/escapes-in-name",
            rule: "stomp12/header-encoding/decode; stomp12/grammar/name-octets",
            level: Must,
            title: "A header name is escaped like a value",
            run: |ctx| relayed(ctx, V12, r"k\cey\\:value", V12, r"k\cey\\:value"),
        },
        Case {
            id: "stomp11/header-encoding/escapes-in-name",
            rule: "stomp11/header-encoding/decode; stomp11/grammar/name-octets",
            level: Must,
            title: "A header name is escaped like a value",
            run: |ctx| relayed(ctx, V11, r"k\cey\\:value", V11, r"k\cey\\:value"),
        },
        Case {
            id: "stomp12/header-encoding/escaped-backslash",
            rule: "stomp12/header-encoding/decode",
            level: Must,
            title: "What follows an escaped backslash is no part of the escape",
            run: |ctx| relayed(ctx, V12, r"key:C\c\\new\\\\c", V12, r"key:C\c\\new\\\\c"),
        },
        Case {
            id: "stomp11/header-encoding/escaped-backslash",
            rule: "stomp11/header-encoding/decode",
            level: Must,
            title: "What follows an escaped backslash is no part of the escape",
            run: |ctx| relayed(ctx, V11, r"key:C\c\\new\\\\c", V11, r"key:C\c\\new\\\\c"),
        },
        Case {
            id: "stomp10/header-encoding/no-escapes",
            rule: "stomp10/header-encoding/no-escapes",
            level: Must,
            title: "In 1.0 a backslash is an octet like others",
            run: |ctx| relayed(ctx, V10, r"key:C\temp\new\c", V10, r"key:C\temp\new\c"),
        },
        Case {
            id: "stomp12/header-encoding/from-1.0",
            rule: "stomp12/header-encoding/encode",
            level: Must,
            title: "What a client of 1.0 sends unescaped comes escaped to one of 1.2",
            run: |ctx| relayed(ctx, V10, r"key:a:b\c", V12, r"key:a\cb\\c"),
        },
        Case {
            id: "stomp11/header-encoding/from-1.0",
            rule: "stomp11/header-encoding/encode",
            level: Must,
            title: "What a client of 1.0 sends unescaped comes escaped to one of 1.1",
            run: |ctx| relayed(ctx, V10, r"key:a:b\c", V11, r"key:a\cb\\c"),
        },
        Case {
            id: "stomp10/header-encoding/from-1.2",
            rule: "stomp10/header-encoding/no-escapes",
            level: Must,
            title: "What a client of 1.2 sends escaped comes unescaped to one of 1.0",
            run: |ctx| relayed(ctx, V12, r"key:a\cb\\c", V10, r"key:a:b\c"),
        },
        Case {
            id: "stomp12/header-encoding/undefined-escape",
            rule: "stomp12/header-encoding/undefined-escape",
            level: Must,
            title: "The undefined escape \\\\t is fatal",
            run: |ctx| undefined_escape(ctx, V12, r"key:a\tb"),
        },
        Case {
            id: "stomp11/header-encoding/undefined-escape",
            rule: "stomp11/header-encoding/undefined-escape",
            level: Must,
            title: "The undefined escape \\\\t is fatal",
            run: |ctx| undefined_escape(ctx, V11, r"key:a\tb"),
        },
        Case {
            id: "stomp11/header-encoding/undefined-escape-r",
            rule: "stomp11/header-encoding/undefined-escape",
            level: Must,
            title: "The escape \\\\r, which 1.1 does not define, is fatal",
            run: |ctx| undefined_escape(ctx, V11, r"key:a\rb"),
        },
        Case {
            id: "stomp12/header-encoding/undefined-escape-case",
            rule: "stomp12/header-encoding/undefined-escape",
            level: Must,
            title: "An escape with a capital letter is undefined, and fatal",
            run: |ctx| undefined_escape(ctx, V12, r"key:a\Nb"),
        },
        Case {
            id: "stomp12/header-encoding/undefined-escape-in-name",
            rule: "stomp12/header-encoding/undefined-escape",
            level: Must,
            title: "An undefined escape in a header name is fatal",
            run: |ctx| undefined_escape(ctx, V12, r"k\tey:value"),
        },
        Case {
            id: "stomp12/header-encoding/backslash-at-end",
            rule: "stomp12/header-encoding/undefined-escape",
            level: Must,
            title: "A backslash at the end of a value escapes nothing, and is fatal",
            run: |ctx| undefined_escape(ctx, V12, r"key:value\"),
        },
        Case {
            id: "stomp11/header-encoding/backslash-at-end",
            rule: "stomp11/header-encoding/undefined-escape",
            level: Must,
            title: "A backslash at the end of a value escapes nothing, and is fatal",
            run: |ctx| undefined_escape(ctx, V11, r"key:value\"),
        },
        Case {
            id: "stomp12/header-encoding/connect-unescaped",
            rule: "stomp12/header-encoding/connect-unescaped",
            level: Must,
            title: "Backslashes in a CONNECT are no escapes",
            run: |ctx| connect_unescaped(ctx, V12),
        },
        Case {
            id: "stomp11/header-encoding/connect-unescaped",
            rule: "stomp11/header-encoding/connect-unescaped",
            level: Must,
            title: "Backslashes in a CONNECT are no escapes",
            run: |ctx| connect_unescaped(ctx, V11),
        },
        Case {
            id: "stomp12/header-encoding/utf-8",
            rule: "stomp12/header-encoding/utf-8; stomp12/content-type/utf-8",
            level: Must,
            title: "Headers are UTF-8",
            run: |ctx| relayed(ctx, V12, "schlüssel:größe → 𝄞", V12, "schlüssel:größe → 𝄞"),
        },
        Case {
            id: "stomp11/header-encoding/utf-8",
            rule: "stomp11/header-encoding/utf-8; stomp11/content-type/utf-8",
            level: Must,
            title: "Headers are UTF-8",
            run: |ctx| relayed(ctx, V11, "schlüssel:größe → 𝄞", V11, "schlüssel:größe → 𝄞"),
        },
        Case {
            id: "stomp12/header-encoding/spaces-kept",
            rule: "stomp12/header-encoding/no-trimming",
            level: Must,
            title: "Spaces around a value are neither trimmed nor padded",
            run: |ctx| {
                relayed(
                    ctx,
                    V12,
                    "key:  two each side  ",
                    V12,
                    "key:  two each side  ",
                )
            },
        },
        Case {
            id: "stomp11/header-encoding/spaces-kept",
            rule: "stomp11/header-encoding/no-trimming",
            level: Must,
            title: "Spaces around a value are neither trimmed nor padded",
            run: |ctx| {
                relayed(
                    ctx,
                    V11,
                    "key:  two each side  ",
                    V11,
                    "key:  two each side  ",
                )
            },
        },
        Case {
            id: "stomp12/header-encoding/receipt-id",
            rule: "stomp12/header-encoding/encode; stomp12/grammar/value-octets",
            level: Must,
            title: "The escapes of a receipt header come back in receipt-id",
            run: |ctx| receipt_id(ctx, V12),
        },
        Case {
            id: "stomp11/header-encoding/receipt-id",
            rule: "stomp11/header-encoding/encode; stomp11/grammar/value-octets",
            level: Must,
            title: "The escapes of a receipt header come back in receipt-id",
            run: |ctx| receipt_id(ctx, V11),
        },
        Case {
            id: "stomp12/header-encoding/subscription-id",
            rule: "stomp12/header-encoding/encode",
            level: Must,
            title: "The escapes of a subscription's id come back in MESSAGE",
            run: |ctx| subscription_id(ctx, V12),
        },
        Case {
            id: "stomp11/header-encoding/subscription-id",
            rule: "stomp11/header-encoding/encode",
            level: Must,
            title: "The escapes of a subscription's id come back in MESSAGE",
            run: |ctx| subscription_id(ctx, V11),
        },
        Case {
            id: "stomp12/repeated-headers/user-header",
            rule: "stomp12/repeated-headers/first; stomp12/repeated-headers/history",
            level: Should,
            title: "Of a repeated header in a SEND the first is the value",
            run: |ctx| repeated_user_header(ctx, V12),
        },
        Case {
            id: "stomp12/repeated-headers/destination",
            rule: "stomp12/repeated-headers/first",
            level: Should,
            title: "A SEND with two destinations goes to the first",
            run: |ctx| repeated_destination(ctx, V12),
        },
        Case {
            id: "stomp12/repeated-headers/content-length",
            rule: "stomp12/repeated-headers/first",
            level: Should,
            title: "Of two content-lengths the first counts",
            run: |ctx| repeated_content_length(ctx, V12),
        },
        Case {
            id: "stomp12/repeated-headers/accept-version",
            rule: "stomp12/repeated-headers/first",
            level: Should,
            title: "Of two accept-versions the first counts",
            run: |ctx| repeated_accept_version(ctx, V12),
        },
        Case {
            id: "stomp11/repeated-headers/user-header",
            rule: "stomp11/repeated-headers/first; stomp11/repeated-headers/history",
            level: Should,
            title: "Of a repeated header in a SEND the first is the value",
            run: |ctx| repeated_user_header(ctx, V11),
        },
        Case {
            id: "stomp11/repeated-headers/destination",
            rule: "stomp11/repeated-headers/first",
            level: Should,
            title: "A SEND with two destinations goes to the first",
            run: |ctx| repeated_destination(ctx, V11),
        },
        Case {
            id: "stomp11/repeated-headers/content-length",
            rule: "stomp11/repeated-headers/first",
            level: Should,
            title: "Of two content-lengths the first counts",
            run: |ctx| repeated_content_length(ctx, V11),
        },
        Case {
            id: "stomp11/repeated-headers/accept-version",
            rule: "stomp11/repeated-headers/first",
            level: Should,
            title: "Of two accept-versions the first counts",
            run: |ctx| repeated_accept_version(ctx, V11),
        },
    ],
};

/// A header line of a SEND in one version, and what it is in the MESSAGE that
/// a client of another version gets.
fn relayed(
    ctx: &Context<'_>,
    from: Version,
    sent: &str,
    to: Version,
    received: &str,
) -> Result<(), Stop> {
    let destination = queue(ctx, "e");
    let mut consumer = Client::connected(ctx, to)?;
    consumer.subscribe("1", &destination, "auto")?;
    let mut producer = Client::connected(ctx, from)?;
    producer
        .send(format!("SEND\n{sent}\ndestination:{destination}\nreceipt:1\n\nbody\0").as_bytes());
    let received_by_broker = producer.receipt("1", "SEND");
    if from == to {
        received_by_broker?;
    } else {
        // What a frame of another version may have in it is another rule.
        received_by_broker.setup("the SEND of the other version")?;
    }
    let message = consumer.message_with(b"body")?;
    let found = message
        .headers
        .iter()
        .any(|(name, value)| [name.as_slice(), value].join(&b':') == received.as_bytes());
    if found {
        Ok(())
    } else {
        Err(fail(
            format!("a MESSAGE with \"{}\"", received.as_bytes().escape_ascii()),
            message.to_string(),
        ))
    }
}

/// Fatal: whether there is an ERROR first is for the rules on ERROR.
fn undefined_escape(ctx: &Context<'_>, version: Version, line: &str) -> Result<(), Stop> {
    let destination = queue(ctx, "u");
    let mut client = Client::connected(ctx, version)?;
    client.publish(&destination, "defined")?;
    client.send(
        format!("SEND\n{line}\ndestination:{destination}\nreceipt:u\n\nundefined\0").as_bytes(),
    );
    let expected = format!("the end of the connection after the header {line}, an ERROR first");
    match client.next()? {
        Seen::Frame(frame) if frame.is("ERROR") => client.expect_end_after(&frame, &expected)?,
        Seen::Ended(..) => {}
        other => return Err(fail(expected, other.to_string())),
    }
    expect_left(ctx, version, &destination, &["defined"])
}

fn connect_unescaped(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let more = [("client-path", r"C:\temp\")];
    Client::connected_with(ctx, version, &more).map(drop)
}

fn receipt_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.send(&frame(
        "SEND",
        &[
            ("destination", &queue(ctx, "r")),
            ("receipt", r" 1\c2\n3\\4 "),
        ],
        b"body",
    ));
    client.receipt(r" 1\c2\n3\\4 ", "SEND")
}

fn subscription_id(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "s");
    let id = r"1\c2\n3\\4";
    let mut client = Client::connected(ctx, version)?;
    client.subscribe(id, &destination, "auto")?;
    client.publish(&destination, "body")?;
    let message = client.message_with(b"body")?;
    if message.header("subscription") == Some(id.as_bytes()) {
        Ok(())
    } else {
        Err(fail(
            format!("a MESSAGE with subscription:{id}"),
            message.to_string(),
        ))
    }
}

fn repeated_user_header(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let headers = [
        ("destination", destination.as_str()),
        ("key", "first"),
        ("key", "second"),
    ];
    client.send(&frame("SEND", &headers, b"body"));
    let message = client.message_with(b"body")?;
    if message.header("key") == Some(b"first") {
        Ok(())
    } else {
        Err(fail(
            "a MESSAGE whose first \"key\" is \"first\"",
            message.to_string(),
        ))
    }
}

fn repeated_destination(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (first, second) = (queue(ctx, "a"), queue(ctx, "b"));
    let mut client = Client::connected(ctx, version)?;
    client.request(
        "SEND",
        &[("destination", &first), ("destination", &second)],
        b"body",
    )?;
    expect_left(ctx, version, &first, &["body"])?;
    expect_left(ctx, version, &second, &[])
}

fn repeated_content_length(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "c");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "auto")?;
    let headers = [
        ("destination", destination.as_str()),
        ("content-length", "5"),
        ("content-length", "2"),
    ];
    client.send(&frame("SEND", &headers, b"ab\0cd"));
    client.message_with(b"ab\0cd").map(drop)
}

fn repeated_accept_version(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut headers = connect_headers(ctx, version);
    headers.push(("accept-version", "1.1"));
    let mut client = Client::new(ctx, version)?;
    client.send(&frame("CONNECT", &headers, b""));
    match client.next()? {
        Seen::Frame(frame)
            if frame.is("CONNECTED")
                && frame.header("version") == Some(version.as_str().as_bytes()) =>
        {
            Ok(())
        }
        other => Err(fail(
            format!("CONNECTED with version:{}", version.as_str()),
            other.to_string(),
        )),
    }
}
