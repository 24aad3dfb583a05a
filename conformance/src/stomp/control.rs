//! What a RECEIPT that does not come says. A broker that sends none to the plainest frame of a
//! command breaks the rules about receipts, and no other rule that is asked about with one.

use super::client::{Client, queue};
use super::wire::Version;
use crate::case::Context;
use crate::verdict::{Stop, inconclusive};

/// The commands whose frames the cases wait for.
const COMMANDS: [&str; 8] = [
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "NACK",
    "ACK",
    "SEND",
];

/// Returns what the case saw; where that is a RECEIPT that did not come, and the rule is about
/// something else, only if one comes to a plain frame.
///
/// # Errors
///
/// Those of the case, or that it has no answer.
pub(crate) fn with_control(ctx: &Context<'_>, played: Result<(), Stop>) -> Result<(), Stop> {
    let Err(Stop::Fail { expected, seen }) = &played else {
        return played;
    };
    let mut id = ctx.id.split('/');
    let (version, about, question) = (id.next(), id.next(), id.next());
    let is_about_receipts =
        matches!(about, Some("receipt" | "RECEIPT")) || question == Some("receipt");
    if is_about_receipts || !expected.contains("RECEIPT") || !seen.contains("nothing within") {
        return played;
    }
    let version = match version {
        Some("stomp10") => Version::V10,
        Some("stomp11") => Version::V11,
        _ => Version::V12,
    };
    let of = |command: &&&str| expected.ends_with(&format!(" of the {command}"));
    let command = COMMANDS.iter().find(of).unwrap_or(&"SEND");
    match plain(ctx, version, command) {
        Ok(()) => played,
        Err(stop) => Err(inconclusive(format!(
            "no RECEIPT comes to a plain {command} either: {stop}"
        ))),
    }
}

/// The RECEIPT of a frame with nothing special about it.
fn plain(ctx: &Context<'_>, version: Version, command: &str) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    let destination = queue(ctx, "plain");
    match command {
        "SEND" => client.publish(&destination, "plain"),
        "SUBSCRIBE" => client.subscribe("plain", &destination, "auto"),
        "UNSUBSCRIBE" => {
            client.subscribe("plain", &destination, "auto")?;
            let headers = [("id", "plain"), ("destination", &*destination)];
            client.request("UNSUBSCRIBE", &headers, b"")
        }
        _ => {
            let headers = [("transaction", "plain")];
            client.request("BEGIN", &headers, b"")?;
            client.request("ABORT", &headers, b"")
        }
    }
}
