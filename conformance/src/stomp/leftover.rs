//! The messages that cases left on a broker, taken away again.

use std::collections::BTreeSet;

use super::client::Client;
use super::preflight::newest;
use super::wire::{Version, parse_frame};
use crate::case::Context;
use crate::verdict::Stop;
use crate::wire::{Parsed, Seen};

/// Adds the queues that these bytes of a client name.
pub(crate) fn made(sent: &[u8], destinations: &mut BTreeSet<String>) {
    let mut rest = sent;
    while let Parsed::Whole(frame, length) = parse_frame(Version::V12, rest) {
        rest = &rest[length..];
        if let Some(destination) = frame.header_text("destination")
            && let Some(name) = destination.strip_prefix("/queue/")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        {
            destinations.insert(destination.into());
        }
    }
}

/// Takes what is in them, as STOMP has no frame that removes a queue.
///
/// # Errors
///
/// When the broker lets no client in, or does not let it subscribe.
pub(crate) fn remove(
    ctx: &Context<'_>,
    destinations: &BTreeSet<String>,
) -> Result<Vec<String>, Stop> {
    if destinations.is_empty() {
        return Ok(Vec::new());
    }
    let version = newest(ctx);
    let mut client = Client::connected(ctx, version)?;
    for (id, destination) in destinations.iter().enumerate() {
        client.subscribe(&id.to_string(), destination, "auto")?;
    }
    let parse = |bytes: &[u8]| parse_frame(version, bytes);
    while let Seen::Frame(_) = client.wire.next_within(ctx.silence, parse)? {}
    client.disconnect()?;
    Ok(Vec::new())
}
