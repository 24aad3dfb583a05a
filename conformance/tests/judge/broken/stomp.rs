//! STOMP: what the broker sends, and makes of what the client sends.

use super::{down, lose, stays, twice, up};
use crate::frame::command;
use crate::mutation::Row;
use crate::proxy::Between;
use crate::proxy::Protocol::Stomp;

// STOMP: a frame by its command.
pub(super) fn stomp(of: &'static str, change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    down(Stomp, move |frame| command(frame) == of.as_bytes(), change)
}

pub(super) fn stomp_up(of: &'static str, change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    up(Stomp, move |frame| command(frame) == of.as_bytes(), change)
}

/// Makes another name of a header, so that it is gone.
pub(super) fn without(frame: &mut [u8], name: &str) {
    let line = format!("\n{name}:");
    if let Some(at) = frame
        .windows(line.len())
        .position(|part| part == line.as_bytes())
    {
        frame[at + 1] = b'Z';
    }
}

/// Changes the last byte of a header's value.
pub(super) fn other(frame: &mut [u8], name: &str) {
    let line = format!("\n{name}:");
    if let Some(at) = frame
        .windows(line.len())
        .position(|part| part == line.as_bytes())
    {
        let end = at + 1 + frame[at + 1..].iter().position(|&b| b == b'\n').unwrap();
        frame[end - 1] = b'z';
    }
}

pub(super) const ROWS: &[Row] = &[
    (
        "no ERROR, and no end",
        Stomp,
        &[
            "~ERROR",
            "~is refused",
            "!stomp1*/ERROR/content*",
            "!*/unknown-host",
            "!*/missing-host",
            "!*/earlier-frames",
        ],
        || stays(Stomp, |frame| command(frame) == b"ERROR"),
    ),
    (
        "no end after an ERROR",
        Stomp,
        &[
            "~connection is closed",
            "~connection closed",
            "~connection closes",
            "~end of the connection",
            "!*/unknown-host",
            "!*/missing-host",
        ],
        || stays(Stomp, |_| false),
    ),
    (
        "no RECEIPT",
        Stomp,
        &[
            "*/receipt/*",
            "*/DISCONNECT/receipt",
            "*/RECEIPT/*",
            "!*/processed-after-close",
        ],
        || stomp("RECEIPT", lose),
    ),
    (
        "RECEIPT of another frame",
        Stomp,
        &["*/receipt/*", "*/DISCONNECT/receipt"],
        || stomp("RECEIPT", |frame| other(frame, "receipt-id")),
    ),
    (
        "RECEIPT without receipt-id",
        Stomp,
        &["*/receipt/*", "*/DISCONNECT/receipt"],
        || stomp("RECEIPT", |frame| without(frame, "receipt-id")),
    ),
    (
        "RECEIPT twice",
        Stomp,
        &["*/receipt/only-when-asked"],
        || stomp("RECEIPT", twice),
    ),
    (
        "no CONNECTED",
        Stomp,
        &[
            "*/connecting/connected",
            "*/STOMP/*",
            "*/protocol-negotiation/single",
            "*/connection-lingering/*",
        ],
        || stomp("CONNECTED", lose),
    ),
    (
        "another version in CONNECTED",
        Stomp,
        &[
            "*/connecting/connected",
            "*/protocol-negotiation/*",
            "!stomp10/connecting/*",
            "!*/no-common-version*",
            "!*/supported-versions",
            "!*/missing-header",
        ],
        || stomp("CONNECTED", |frame| other(frame, "version")),
    ),
    (
        "one session for all",
        Stomp,
        &["stomp12/CONNECTED/session", "stomp11/CONNECTED/session"],
        || {
            stomp("CONNECTED", |frame| {
                let at = frame
                    .windows(9)
                    .position(|part| part == b"\nsession:")
                    .unwrap()
                    + 9;
                let end = at + frame[at..].iter().position(|&b| b == b'\n').unwrap();
                frame[at..end].fill(b'x');
            })
        },
    ),
    (
        "MESSAGE without destination",
        Stomp,
        &["*/MESSAGE/destination*"],
        || stomp("MESSAGE", |frame| without(frame, "destination")),
    ),
    (
        "MESSAGE with another destination",
        Stomp,
        &["*/MESSAGE/destination-identical"],
        || stomp("MESSAGE", |frame| other(frame, "destination")),
    ),
    (
        "MESSAGE without message-id",
        Stomp,
        &["*/MESSAGE/message-id*"],
        || stomp("MESSAGE", |frame| without(frame, "message-id")),
    ),
    (
        "MESSAGE without subscription",
        Stomp,
        &[
            "stomp12/MESSAGE/subscription*",
            "stomp11/MESSAGE/subscription*",
        ],
        || stomp("MESSAGE", |frame| without(frame, "subscription")),
    ),
    (
        "MESSAGE with another subscription",
        Stomp,
        &[
            "stomp12/MESSAGE/subscription*",
            "stomp11/MESSAGE/subscription*",
        ],
        || stomp("MESSAGE", |frame| other(frame, "subscription")),
    ),
    (
        "MESSAGE without ack",
        Stomp,
        &[
            "stomp12/MESSAGE/ack*",
            "stomp12/receipt/ACK",
            "stomp12/receipt/NACK",
        ],
        || stomp("MESSAGE", |frame| without(frame, "ack")),
    ),
    (
        "another body",
        Stomp,
        &[
            "*/content-length/nul-inside",
            "*/content-length/large-body",
            "*/content-length/long-body-without",
        ],
        || {
            stomp("MESSAGE", |frame| {
                let at = frame.len() - 2;
                frame[at] ^= 1;
            })
        },
    ),
    (
        "messages twice",
        Stomp,
        &["*/SUBSCRIBE-id/several*", "*/DISCONNECT/earlier-frames"],
        || stomp("MESSAGE", twice),
    ),
    (
        "no messages",
        Stomp,
        &[
            "*/MESSAGE/*",
            "*/SEND/delivers",
            "*/content-length/nul-inside",
            "*/RECEIPT/sent-when-processed",
            "*/DISCONNECT/earlier-frames",
            "*/COMMIT/*",
            "!*/missing*",
            "!*/unknown*",
            "!*/twice",
            "!*/MESSAGE/unmodified",
        ],
        || stomp("MESSAGE", lose),
    ),
    (
        "ERROR without message",
        Stomp,
        &["*/ERROR/message*"],
        || stomp("ERROR", |frame| without(frame, "message")),
    ),
    (
        "ERROR without receipt-id",
        Stomp,
        &["*/ERROR/receipt-id*"],
        || stomp("ERROR", |frame| without(frame, "receipt-id")),
    ),
    (
        "no heart-beats",
        Stomp,
        &["*/heart-beating/server-interval"],
        || down(Stomp, |frame| frame == b"\n", lose),
    ),
    (
        "colons are not escaped",
        Stomp,
        &[
            "stomp12/header-encoding/escapes",
            "stomp11/header-encoding/escapes",
        ],
        || {
            stomp("MESSAGE", |frame| {
                if let Some(at) = frame.windows(2).position(|two| two == b"\\c") {
                    frame.splice(at..at + 2, *b"::");
                }
            })
        },
    ),
];

pub(super) const CLIENT_ROWS: &[Row] = &[
    (
        "ACK is not needed",
        Stomp,
        &["*/SUBSCRIBE-ack/client-*", "*/ACK/not-consumed-without"],
        || stomp_up("SUBSCRIBE", |frame| without(frame, "ack")),
    ),
    (
        "transactions are not kept together",
        Stomp,
        &[
            "*/ABORT/drops-sends",
            "*/COMMIT/sends",
            "*/BEGIN/two-at-once",
        ],
        || stomp_up("SEND", |frame| without(frame, "transaction")),
    ),
    (
        "SEND is lost",
        Stomp,
        &[
            "*/SEND/delivers",
            "*/MESSAGE/*",
            "*/RECEIPT/sent-when-processed",
        ],
        || stomp_up("SEND", |frame| other(frame, "destination")),
    ),
];
