//! RECEIPT, and DISCONNECT with one.

use super::client::{Client, expect_left, queue};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "RECEIPT and DISCONNECT",
    cases: &[
        Case {
            id: "stomp12/receipt/SEND",
            rule: "stomp12/receipt/answered; stomp12/receipt/any-frame",
            level: Must,
            title: "A SEND with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["SEND"]),
        },
        Case {
            id: "stomp12/receipt/SUBSCRIBE",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A SUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["SUBSCRIBE"]),
        },
        Case {
            id: "stomp12/receipt/UNSUBSCRIBE",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "An UNSUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["SUBSCRIBE", "UNSUBSCRIBE"]),
        },
        Case {
            id: "stomp12/receipt/ACK",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "An ACK with a receipt header is answered with the RECEIPT",
            run: |ctx| settled(ctx, V12, "ACK"),
        },
        Case {
            id: "stomp12/receipt/NACK",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A NACK with a receipt header is answered with the RECEIPT",
            run: |ctx| settled(ctx, V12, "NACK"),
        },
        Case {
            id: "stomp12/receipt/BEGIN",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A BEGIN with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["BEGIN"]),
        },
        Case {
            id: "stomp12/receipt/COMMIT",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A COMMIT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["BEGIN", "COMMIT"]),
        },
        Case {
            id: "stomp12/receipt/ABORT",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "An ABORT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["BEGIN", "ABORT"]),
        },
        Case {
            id: "stomp11/receipt/SEND",
            rule: "stomp11/receipt/answered; stomp11/receipt/any-frame",
            level: Must,
            title: "A SEND with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["SEND"]),
        },
        Case {
            id: "stomp11/receipt/SUBSCRIBE",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A SUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["SUBSCRIBE"]),
        },
        Case {
            id: "stomp11/receipt/UNSUBSCRIBE",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "An UNSUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["SUBSCRIBE", "UNSUBSCRIBE"]),
        },
        Case {
            id: "stomp11/receipt/ACK",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "An ACK with a receipt header is answered with the RECEIPT",
            run: |ctx| settled(ctx, V11, "ACK"),
        },
        Case {
            id: "stomp11/receipt/NACK",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A NACK with a receipt header is answered with the RECEIPT",
            run: |ctx| settled(ctx, V11, "NACK"),
        },
        Case {
            id: "stomp11/receipt/BEGIN",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A BEGIN with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["BEGIN"]),
        },
        Case {
            id: "stomp11/receipt/COMMIT",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A COMMIT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["BEGIN", "COMMIT"]),
        },
        Case {
            id: "stomp11/receipt/ABORT",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "An ABORT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["BEGIN", "ABORT"]),
        },
        Case {
            id: "stomp10/receipt/SEND",
            rule: "stomp10/receipt/answered; stomp10/RECEIPT/receipt-id; stomp10/receipt/any-frame",
            level: Must,
            title: "A SEND with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["SEND"]),
        },
        Case {
            id: "stomp10/receipt/SUBSCRIBE",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "A SUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["SUBSCRIBE"]),
        },
        Case {
            id: "stomp10/receipt/UNSUBSCRIBE",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "An UNSUBSCRIBE with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["SUBSCRIBE", "UNSUBSCRIBE"]),
        },
        Case {
            id: "stomp10/receipt/ACK",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "An ACK with a receipt header is answered with the RECEIPT",
            run: |ctx| settled(ctx, V10, "ACK"),
        },
        Case {
            id: "stomp10/receipt/BEGIN",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "A BEGIN with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["BEGIN"]),
        },
        Case {
            id: "stomp10/receipt/COMMIT",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "A COMMIT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["BEGIN", "COMMIT"]),
        },
        Case {
            id: "stomp10/receipt/ABORT",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "An ABORT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["BEGIN", "ABORT"]),
        },
        Case {
            id: "stomp12/DISCONNECT/receipt",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A DISCONNECT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V12, &["DISCONNECT"]),
        },
        Case {
            id: "stomp11/DISCONNECT/receipt",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A DISCONNECT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V11, &["DISCONNECT"]),
        },
        Case {
            id: "stomp10/DISCONNECT/receipt",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "A DISCONNECT with a receipt header is answered with the RECEIPT",
            run: |ctx| answered(ctx, V10, &["DISCONNECT"]),
        },
        Case {
            id: "stomp11/receipt/every-frame",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "Every frame with a receipt header is answered with the RECEIPT",
            run: |ctx| every_frame(ctx, V11),
        },
        Case {
            id: "stomp10/receipt/every-frame",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "Every frame with a receipt header is answered with the RECEIPT",
            run: |ctx| every_frame(ctx, V10),
        },
        Case {
            id: "stomp12/receipt/only-when-asked",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "A frame without a receipt header gets no RECEIPT",
            run: |ctx| only_when_asked(ctx, V12),
        },
        Case {
            id: "stomp11/receipt/only-when-asked",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "A frame without a receipt header gets no RECEIPT",
            run: |ctx| only_when_asked(ctx, V11),
        },
        Case {
            id: "stomp10/receipt/only-when-asked",
            rule: "stomp10/receipt/answered",
            level: Must,
            title: "A frame without a receipt header gets no RECEIPT",
            run: |ctx| only_when_asked(ctx, V10),
        },
        Case {
            id: "stomp12/receipt/arbitrary-value",
            rule: "stomp12/RECEIPT/receipt-id",
            level: Must,
            title: "The receipt-id is the receipt header, whatever that is",
            run: |ctx| arbitrary_value(ctx, V12),
        },
        Case {
            id: "stomp11/receipt/arbitrary-value",
            rule: "stomp11/RECEIPT/receipt-id",
            level: Must,
            title: "The receipt-id is the receipt header, whatever that is",
            run: |ctx| arbitrary_value(ctx, V11),
        },
        Case {
            id: "stomp12/receipt/in-transaction",
            rule: "stomp12/receipt/answered",
            level: Must,
            title: "Frames in a transaction get their RECEIPT too",
            run: |ctx| in_transaction(ctx, V12),
        },
        Case {
            id: "stomp11/receipt/in-transaction",
            rule: "stomp11/receipt/answered",
            level: Must,
            title: "Frames in a transaction get their RECEIPT too",
            run: |ctx| in_transaction(ctx, V11),
        },
        Case {
            id: "stomp12/RECEIPT/sent-when-processed",
            rule: "stomp12/RECEIPT/processed",
            level: Must,
            title: "After the RECEIPT of a SEND the message is there for others",
            run: |ctx| when_processed(ctx, V12),
        },
        Case {
            id: "stomp11/RECEIPT/sent-when-processed",
            rule: "stomp11/RECEIPT/processed",
            level: Must,
            title: "After the RECEIPT of a SEND the message is there for others",
            run: |ctx| when_processed(ctx, V11),
        },
        Case {
            id: "stomp12/DISCONNECT/earlier-frames",
            rule: "stomp12/DISCONNECT/assures; stomp12/RECEIPT/earlier-received",
            level: Must,
            title: "After the RECEIPT of a DISCONNECT all frames before it have been processed",
            run: |ctx| earlier_frames(ctx, V12),
        },
        Case {
            id: "stomp11/DISCONNECT/earlier-frames",
            rule: "stomp11/DISCONNECT/assures",
            level: Must,
            title: "After the RECEIPT of a DISCONNECT all frames before it have been processed",
            run: |ctx| earlier_frames(ctx, V11),
        },
        Case {
            id: "stomp10/DISCONNECT/earlier-frames",
            rule: "stomp10/DISCONNECT/assures",
            level: Must,
            title: "After the RECEIPT of a DISCONNECT all frames before it have been processed",
            run: |ctx| earlier_frames(ctx, V10),
        },
        Case {
            id: "stomp12/RECEIPT/processed-after-close",
            rule: "stomp12/RECEIPT/processed-after-close",
            level: Should,
            title: "What was received before the client closed is processed",
            run: |ctx| processed_after_close(ctx, V12),
        },
    ],
};

/// These frames in turn, each with a receipt.
fn answered(ctx: &Context<'_>, version: Version, commands: &[&str]) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    for command in commands {
        client.request(command, &headers_of(command, &destination), b"")?;
    }
    Ok(())
}

fn headers_of<'a>(command: &str, destination: &'a str) -> Vec<(&'static str, &'a str)> {
    match command {
        "SEND" => vec![("destination", destination)],
        "SUBSCRIBE" => vec![("id", "1"), ("destination", destination)],
        "UNSUBSCRIBE" => vec![("id", "1")],
        "BEGIN" | "COMMIT" | "ABORT" => vec![("transaction", "1")],
        _ => vec![],
    }
}

fn settled(ctx: &Context<'_>, version: Version, command: &str) -> Result<(), Stop> {
    let destination = queue(ctx, &command.to_lowercase());
    let mode = match version {
        Version::V10 => "client",
        _ => "client-individual",
    };
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, mode)?;
    client.publish(&destination, "body")?;
    let message = client.message_with(b"body")?;
    client.settle(command, &message, &[])
}

fn every_frame(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    answered(
        ctx,
        version,
        &[
            "SEND",
            "SUBSCRIBE",
            "UNSUBSCRIBE",
            "BEGIN",
            "COMMIT",
            "BEGIN",
            "ABORT",
            "DISCONNECT",
        ],
    )?;
    settled(ctx, version, "ACK")?;
    if version > Version::V10 {
        settled(ctx, version, "NACK")?;
    }
    Ok(())
}

fn only_when_asked(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    client.send(&frame("SEND", &[("destination", &destination)], b"body"));
    client.send(&frame("BEGIN", &[("transaction", "1")], b""));
    client.send(&frame(
        "ABORT",
        &[("transaction", "1"), ("receipt", "asked")],
        b"",
    ));
    let expected = "one RECEIPT, with receipt-id:asked";
    match client.next()? {
        Seen::Frame(frame)
            if frame.is("RECEIPT") && frame.header("receipt-id") == Some(b"asked") =>
        {
            client.expect_silence(expected)
        }
        other => Err(fail(expected, other.to_string())),
    }
}

fn arbitrary_value(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    let long = "0123456789".repeat(100);
    for receipt in ["0", "-1", "größe", "a,b;c=d \"e\"", "a b", &long] {
        client.send(&frame(
            "SEND",
            &[("destination", &destination), ("receipt", receipt)],
            b"body",
        ));
        client.receipt(receipt, "SEND")?;
    }
    Ok(())
}

fn in_transaction(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    client.request("BEGIN", &[("transaction", "1")], b"")?;
    let headers = [("destination", destination.as_str()), ("transaction", "1")];
    let of_send = client.ask("SEND", &headers, b"body");
    let of_commit = client.ask("COMMIT", &[("transaction", "1")], b"");
    // Which comes first depends on whether to hold a frame is to process it.
    client.receipt(&of_commit, "COMMIT")?;
    client.receipt(&of_send, "SEND in the transaction")
}

fn when_processed(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut producer = Client::connected(ctx, version)?;
    let mut consumer = Client::connected(ctx, version)?;
    for turn in 0..10 {
        let destination = queue(ctx, &turn.to_string());
        producer.publish(&destination, "body")?;
        consumer.subscribe(&turn.to_string(), &destination, "auto")?;
        consumer.message_with(b"body")?;
    }
    Ok(())
}

const BODIES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn earlier_frames(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    for body in BODIES {
        let headers = [("destination", destination.as_str())];
        client.send(&frame("SEND", &headers, body.as_bytes()));
    }
    client.disconnect()?;
    expect_left(ctx, version, &destination, &BODIES)
}

fn processed_after_close(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "r");
    let mut client = Client::connected(ctx, version)?;
    let mut bytes = Vec::new();
    for body in BODIES {
        let headers = [("destination", destination.as_str())];
        bytes.extend(frame("SEND", &headers, body.as_bytes()));
    }
    client.send(&bytes);
    // Our side only: a socket closed with octets unread would reset the
    // connection, and a reset may overtake what was sent.
    client.wire.shutdown_write();
    expect_left(ctx, version, &destination, &BODIES)
}
