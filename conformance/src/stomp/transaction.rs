//! BEGIN, COMMIT and ABORT: all of it or nothing.

use super::client::{Client, expect_left, queue};
use super::wire::Version;
use super::wire::Version::{V10, V11, V12};
use crate::case::Level::{Leniency, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::Stop;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Transactions",
    cases: &[
        Case {
            id: "stomp12/COMMIT/sends",
            rule: "stomp12/COMMIT/commits; stomp12/SEND/transaction",
            level: Must,
            title: "Messages of a transaction are delivered after its COMMIT and not before",
            run: |ctx| commit_sends(ctx, V12),
        },
        Case {
            id: "stomp11/COMMIT/sends",
            rule: "stomp11/COMMIT/commits; stomp11/SEND/transaction",
            level: Must,
            title: "Messages of a transaction are delivered after its COMMIT and not before",
            run: |ctx| commit_sends(ctx, V11),
        },
        Case {
            id: "stomp10/COMMIT/sends",
            rule: "stomp10/COMMIT/commits",
            level: Must,
            title: "Messages of a transaction are delivered after its COMMIT and not before",
            run: |ctx| commit_sends(ctx, V10),
        },
        Case {
            id: "stomp12/ABORT/drops-sends",
            rule: "stomp12/ABORT/aborts; stomp12/BEGIN/atomic",
            level: Must,
            title: "Messages of a transaction are dropped by ABORT",
            run: |ctx| dropped(ctx, V12, End::Abort),
        },
        Case {
            id: "stomp11/ABORT/drops-sends",
            rule: "stomp11/ABORT/aborts; stomp11/BEGIN/atomic",
            level: Must,
            title: "Messages of a transaction are dropped by ABORT",
            run: |ctx| dropped(ctx, V11, End::Abort),
        },
        Case {
            id: "stomp10/ABORT/drops-sends",
            rule: "stomp10/ABORT/aborts; stomp10/BEGIN/atomic",
            level: Must,
            title: "Messages of a transaction are dropped by ABORT",
            run: |ctx| dropped(ctx, V10, End::Abort),
        },
        Case {
            id: "stomp12/BEGIN/aborted-by-disconnect",
            rule: "stomp12/BEGIN/aborted",
            level: Must,
            title: "A transaction that is open at DISCONNECT is aborted",
            run: |ctx| dropped(ctx, V12, End::Disconnect),
        },
        Case {
            id: "stomp11/BEGIN/aborted-by-disconnect",
            rule: "stomp11/BEGIN/aborted",
            level: Must,
            title: "A transaction that is open at DISCONNECT is aborted",
            run: |ctx| dropped(ctx, V11, End::Disconnect),
        },
        Case {
            id: "stomp12/BEGIN/aborted-by-close",
            rule: "stomp12/BEGIN/aborted",
            level: Must,
            title: "A transaction that is open when the connection is lost is aborted",
            run: |ctx| dropped(ctx, V12, End::Close),
        },
        Case {
            id: "stomp11/BEGIN/aborted-by-close",
            rule: "stomp11/BEGIN/aborted",
            level: Must,
            title: "A transaction that is open when the connection is lost is aborted",
            run: |ctx| dropped(ctx, V11, End::Close),
        },
        Case {
            id: "stomp12/ACK/in-committed-transaction",
            rule: "stomp12/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts after its COMMIT",
            run: |ctx| acknowledged(ctx, V12, "COMMIT", &[]),
        },
        Case {
            id: "stomp11/ACK/in-committed-transaction",
            rule: "stomp11/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts after its COMMIT",
            run: |ctx| acknowledged(ctx, V11, "COMMIT", &[]),
        },
        Case {
            id: "stomp10/ACK/in-committed-transaction",
            rule: "stomp10/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts after its COMMIT",
            run: |ctx| acknowledged(ctx, V10, "COMMIT", &[]),
        },
        Case {
            id: "stomp12/ACK/in-aborted-transaction",
            rule: "stomp12/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts for nothing after its ABORT",
            run: |ctx| acknowledged(ctx, V12, "ABORT", &["body"]),
        },
        Case {
            id: "stomp11/ACK/in-aborted-transaction",
            rule: "stomp11/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts for nothing after its ABORT",
            run: |ctx| acknowledged(ctx, V11, "ABORT", &["body"]),
        },
        Case {
            id: "stomp10/ACK/in-aborted-transaction",
            rule: "stomp10/ACK/in-transaction",
            level: Should,
            title: "An ACK in a transaction counts for nothing after its ABORT",
            run: |ctx| acknowledged(ctx, V10, "ABORT", &["body"]),
        },
        Case {
            id: "stomp12/BEGIN/two-at-once",
            rule: "stomp12/BEGIN/binds",
            level: Must,
            title: "Two transactions of one connection are independent",
            run: |ctx| two_at_once(ctx, V12),
        },
        Case {
            id: "stomp11/BEGIN/two-at-once",
            rule: "stomp11/BEGIN/binds",
            level: Must,
            title: "Two transactions of one connection are independent",
            run: |ctx| two_at_once(ctx, V11),
        },
        Case {
            id: "stomp10/BEGIN/two-at-once",
            rule: "stomp10/BEGIN/binds",
            level: Must,
            title: "Two transactions of one connection are independent",
            run: |ctx| two_at_once(ctx, V10),
        },
        Case {
            id: "stomp12/BEGIN/per-connection",
            rule: "stomp12/BEGIN/binds",
            level: Must,
            title: "Two connections may use the same transaction identifier",
            run: |ctx| per_connection(ctx, V12),
        },
        Case {
            id: "stomp12/BEGIN/outside-unaffected",
            rule: "stomp12/BEGIN/binds",
            level: Must,
            title: "What is sent outside of an open transaction is delivered at once",
            run: outside,
        },
        Case {
            id: "stomp12/BEGIN/twice",
            rule: "stomp12/BEGIN/unique",
            level: Leniency,
            title: "A transaction that is begun twice is refused",
            run: |ctx| refused(ctx, V12, "BEGIN", &[("transaction", "1")]),
        },
        Case {
            id: "stomp12/BEGIN/missing-transaction",
            rule: "stomp12/BEGIN/transaction",
            level: Leniency,
            title: "A BEGIN without transaction is refused",
            run: |ctx| refused(ctx, V12, "BEGIN", &[]),
        },
        Case {
            id: "stomp11/BEGIN/missing-transaction",
            rule: "stomp11/BEGIN/transaction",
            level: Leniency,
            title: "A BEGIN without transaction is refused",
            run: |ctx| refused(ctx, V11, "BEGIN", &[]),
        },
        Case {
            id: "stomp10/BEGIN/missing-transaction",
            rule: "stomp10/BEGIN/transaction",
            level: Leniency,
            title: "A BEGIN without transaction is refused",
            run: |ctx| refused(ctx, V10, "BEGIN", &[]),
        },
        Case {
            id: "stomp12/COMMIT/missing-transaction",
            rule: "stomp12/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT without transaction is refused",
            run: |ctx| refused(ctx, V12, "COMMIT", &[]),
        },
        Case {
            id: "stomp11/COMMIT/missing-transaction",
            rule: "stomp11/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT without transaction is refused",
            run: |ctx| refused(ctx, V11, "COMMIT", &[]),
        },
        Case {
            id: "stomp10/COMMIT/missing-transaction",
            rule: "stomp10/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT without transaction is refused",
            run: |ctx| refused(ctx, V10, "COMMIT", &[]),
        },
        Case {
            id: "stomp12/ABORT/missing-transaction",
            rule: "stomp12/ABORT/transaction",
            level: Leniency,
            title: "An ABORT without transaction is refused",
            run: |ctx| refused(ctx, V12, "ABORT", &[]),
        },
        Case {
            id: "stomp11/ABORT/missing-transaction",
            rule: "stomp11/ABORT/transaction",
            level: Leniency,
            title: "An ABORT without transaction is refused",
            run: |ctx| refused(ctx, V11, "ABORT", &[]),
        },
        Case {
            id: "stomp10/ABORT/missing-transaction",
            rule: "stomp10/ABORT/transaction",
            level: Leniency,
            title: "An ABORT without transaction is refused",
            run: |ctx| refused(ctx, V10, "ABORT", &[]),
        },
        Case {
            id: "stomp12/COMMIT/unknown-transaction",
            rule: "stomp12/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V12, "COMMIT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp11/COMMIT/unknown-transaction",
            rule: "stomp11/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V11, "COMMIT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp10/COMMIT/unknown-transaction",
            rule: "stomp10/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V10, "COMMIT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp12/ABORT/unknown-transaction",
            rule: "stomp12/ABORT/transaction",
            level: Leniency,
            title: "An ABORT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V12, "ABORT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp11/ABORT/unknown-transaction",
            rule: "stomp11/ABORT/transaction",
            level: Leniency,
            title: "An ABORT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V11, "ABORT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp10/ABORT/unknown-transaction",
            rule: "stomp10/ABORT/transaction",
            level: Leniency,
            title: "An ABORT of a transaction that was never begun is refused",
            run: |ctx| refused(ctx, V10, "ABORT", &[("transaction", "never")]),
        },
        Case {
            id: "stomp12/COMMIT/twice",
            rule: "stomp12/COMMIT/transaction",
            level: Leniency,
            title: "A COMMIT of a transaction that was committed is refused",
            run: |ctx| twice(ctx, V12, "COMMIT"),
        },
        Case {
            id: "stomp12/ABORT/after-commit",
            rule: "stomp12/ABORT/transaction",
            level: Leniency,
            title: "An ABORT of a transaction that was committed is refused",
            run: |ctx| twice(ctx, V12, "ABORT"),
        },
        Case {
            id: "stomp12/SEND/unknown-transaction",
            rule: "stomp12/SEND/error",
            // Whether it can be processed all the same is not said.
            level: Leniency,
            title: "A SEND in a transaction that was never begun gets ERROR, and the connection closes",
            run: |ctx| send_in_unknown(ctx, V12),
        },
        Case {
            id: "stomp11/SEND/unknown-transaction",
            rule: "stomp11/SEND/error",
            // Whether it can be processed all the same is not said.
            level: Leniency,
            title: "A SEND in a transaction that was never begun gets ERROR, and the connection closes",
            run: |ctx| send_in_unknown(ctx, V11),
        },
        Case {
            id: "stomp10/SEND/unknown-transaction",
            rule: "stomp10/SEND/transaction",
            level: Leniency,
            title: "A SEND in a transaction that was never begun is refused",
            run: |ctx| send_in_unknown(ctx, V10),
        },
        Case {
            id: "stomp12/ACK/unknown-transaction",
            rule: "stomp12/ACK/in-transaction",
            level: Leniency,
            title: "An ACK in a transaction that was never begun is refused",
            run: |ctx| ack_in_unknown(ctx, V12),
        },
        Case {
            id: "stomp11/ACK/unknown-transaction",
            rule: "stomp11/ACK/in-transaction",
            level: Leniency,
            title: "An ACK in a transaction that was never begun is refused",
            run: |ctx| ack_in_unknown(ctx, V11),
        },
    ],
};

fn begun(client: &mut Client, transaction: &str) -> Result<(), Stop> {
    client.request("BEGIN", &[("transaction", transaction)], b"")
}

/// Without a receipt: whether one comes before the COMMIT is not the question.
fn send_in(client: &mut Client, transaction: &str, destination: &str, body: &str) {
    client.send(&super::wire::frame(
        "SEND",
        &[("destination", destination), ("transaction", transaction)],
        body.as_bytes(),
    ));
}

fn commit_sends(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut consumer = Client::connected(ctx, version)?;
    consumer.subscribe("1", &destination, "auto")?;
    let mut client = Client::connected(ctx, version)?;
    begun(&mut client, "1")?;
    send_in(&mut client, "1", &destination, "one");
    send_in(&mut client, "1", &destination, "two");
    // Sent behind them and delivered before them.
    client.publish(&destination, "outside")?;
    consumer.message_with(b"outside")?;
    consumer.expect_silence("no MESSAGE before the COMMIT")?;
    client.request("COMMIT", &[("transaction", "1")], b"")?;
    consumer.message_with(b"one")?;
    consumer.message_with(b"two").map(drop)
}

/// How a transaction comes to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Abort,
    Disconnect,
    Close,
}

fn dropped(ctx: &Context<'_>, version: Version, end: End) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, version)?;
    begun(&mut client, "1")?;
    send_in(&mut client, "1", &destination, "in the transaction");
    client.publish(&destination, "outside")?;
    match end {
        End::Abort => client.request("ABORT", &[("transaction", "1")], b"")?,
        End::Disconnect => client.disconnect()?,
        End::Close => drop(client),
    }
    expect_left(ctx, version, &destination, &["outside"])
}

/// An ACK in a transaction that ends with this command leaves these messages.
fn acknowledged(ctx: &Context<'_>, version: Version, end: &str, left: &[&str]) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "client")?;
    client.publish(&destination, "body")?;
    let message = client.message_with(b"body")?;
    begun(&mut client, "1")?;
    client.settle("ACK", &message, &[("transaction", "1")])?;
    client.request(end, &[("transaction", "1")], b"")?;
    client.disconnect()?;
    expect_left(ctx, version, &destination, left)
}

fn two_at_once(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, version)?;
    begun(&mut client, "1")?;
    begun(&mut client, "2")?;
    send_in(&mut client, "1", &destination, "first");
    send_in(&mut client, "2", &destination, "second");
    send_in(&mut client, "1", &destination, "first too");
    client.request("COMMIT", &[("transaction", "2")], b"")?;
    client.request("ABORT", &[("transaction", "1")], b"")?;
    expect_left(ctx, version, &destination, &["second"])
}

fn per_connection(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut one = Client::connected(ctx, version)?;
    let mut two = Client::connected(ctx, version)?;
    begun(&mut one, "1")?;
    begun(&mut two, "1")?;
    send_in(&mut one, "1", &destination, "of one");
    send_in(&mut two, "1", &destination, "of two");
    one.request("ABORT", &[("transaction", "1")], b"")?;
    two.request("COMMIT", &[("transaction", "1")], b"")?;
    expect_left(ctx, version, &destination, &["of two"])
}

fn outside(ctx: &Context<'_>) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, V12)?;
    client.subscribe("1", &destination, "client")?;
    begun(&mut client, "1")?;
    client.publish(&destination, "outside")?;
    let message = client.message_with(b"outside")?;
    client.settle("ACK", &message, &[])?;
    client.request("ABORT", &[("transaction", "1")], b"")?;
    client.disconnect()?;
    expect_left(ctx, V12, &destination, &[])
}

/// With transaction 1 open and transaction 0 committed.
fn refused(
    ctx: &Context<'_>,
    version: Version,
    command: &str,
    headers: &[(&str, &str)],
) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    begun(&mut client, "0")?;
    client.request("COMMIT", &[("transaction", "0")], b"")?;
    begun(&mut client, "1")?;
    client.ask(command, headers, b"");
    client.expect_refusal(&format!(
        "ERROR or the end of the connection, for {command} with {headers:?}"
    ))
}

fn twice(ctx: &Context<'_>, version: Version, command: &str) -> Result<(), Stop> {
    refused(ctx, version, command, &[("transaction", "0")])
}

fn send_in_unknown(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, version)?;
    begun(&mut client, "1")?;
    let send = |client: &mut Client, transaction| {
        let headers = [
            ("destination", destination.as_str()),
            ("transaction", transaction),
        ];
        client.ask("SEND", &headers, transaction.as_bytes())
    };
    let known = send(&mut client, "1");
    client.request("COMMIT", &[("transaction", "1")], b"")?;
    client.receipt(&known, "SEND in a transaction")?;
    send(&mut client, "2");
    if version == Version::V10 {
        client.expect_refusal("ERROR or the end of the connection, for an unknown transaction")?;
    } else {
        client.expect_error_and_end(
            "ERROR for a SEND in an unknown transaction, and the end of the connection",
        )?;
    }
    expect_left(ctx, version, &destination, &["1"])
}

fn ack_in_unknown(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "t");
    let mut client = Client::connected(ctx, version)?;
    client.subscribe("1", &destination, "client-individual")?;
    client.publish(&destination, "body")?;
    let message = client.message_with(b"body")?;
    let mut headers = client.settle_headers(&message)?;
    headers.push(("transaction", "never"));
    client.ask("ACK", &headers, b"");
    client.expect_refusal("ERROR or the end of the connection, for an unknown transaction")
}
