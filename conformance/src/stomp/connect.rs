//! CONNECT, version negotiation, RECEIPT and DISCONNECT.

use super::wire::{Client, frame};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Connecting",
    cases: &[
        Case {
            id: "stomp12/protocol-negotiation/highest-common",
            rule: "STOMP 1.2, Protocol Negotiation",
            level: Must,
            title: "The version in CONNECTED is the highest that both sides know",
            run: highest_common,
        },
        Case {
            id: "stomp12/DISCONNECT/receipt",
            rule: "STOMP 1.2, DISCONNECT",
            level: Must,
            title: "A DISCONNECT with a receipt header is answered with the RECEIPT",
            run: disconnect_receipt,
        },
    ],
};

fn highest_common(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::new(ctx)?;
    client.send_connect(ctx, "1.0,1.1,1.2");
    let connected = client.expect("CONNECTED", "CONNECTED after a correct CONNECT")?;
    if connected.header("version") == Some(b"1.2") {
        Ok(())
    } else {
        Err(fail("CONNECTED with version:1.2", connected.to_string()))
    }
}

fn disconnect_receipt(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, "1.2")?;
    client
        .wire
        .send(&frame("DISCONNECT", &[("receipt", "77")], b""));
    let receipt = client.expect("RECEIPT", "RECEIPT with receipt-id:77")?;
    if receipt.header("receipt-id") == Some(b"77") {
        Ok(())
    } else {
        Err(fail("RECEIPT with receipt-id:77", receipt.to_string()))
    }
}
