//! What cases made on a broker, told from what they sent, and taken away again.

use std::collections::BTreeSet;

use super::bytes::{
    ANY_CODE, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CONNECTION_CLOSE, EXCHANGE_DECLARE, EXCHANGE_DELETE,
    EXCHANGE_DELETE_OK, Frame, Method, QUEUE_DECLARE, QUEUE_DELETE, QUEUE_DELETE_OK, args,
    parse_frame,
};
use super::client::Client;
use super::method_args::{EXCLUSIVE, PASSIVE, close_args, exchange_delete_args, queue_delete_args};
use crate::case::Context;
use crate::verdict::{Stop, inconclusive};
use crate::wire::{Parsed, Seen};

/// Queues and exchanges that outlive the connection that declared them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) queues: BTreeSet<String>,
    pub(crate) exchanges: BTreeSet<String>,
}

/// Adds what these bytes of a client declare.
pub(crate) fn made(sent: &[u8], made: &mut Made) {
    // The protocol header is 8 bytes long; a case that sends another one, or
    // what is no frame, has declared nothing with what follows.
    let mut rest = sent.get(8..).unwrap_or_default();
    while let Parsed::Whole(frame, length) = parse_frame(rest) {
        rest = &rest[length..];
        if let Some((method, name, bits)) = declared(&frame) {
            // What is passive makes nothing, and what is exclusive goes with its
            // connection; a reserved name is refused, or nobody may delete it.
            if name.is_empty() || name.starts_with("amq.") || bits & PASSIVE != 0 {
                continue;
            }
            if method == EXCHANGE_DECLARE {
                made.exchanges.insert(name);
            } else if bits & EXCLUSIVE == 0 {
                made.queues.insert(name);
            }
        }
    }
}

/// The method, name and bits of a declare.
fn declared(frame: &Frame) -> Option<(Method, String, u8)> {
    let method = frame.method()?;
    if !matches!(method, QUEUE_DECLARE | EXCHANGE_DECLARE) {
        return None;
    }
    let mut args = frame.args();
    args.short().ok()?;
    let name = String::from_utf8_lossy(args.shortstr().ok()?).into_owned();
    if method == EXCHANGE_DECLARE {
        args.shortstr().ok()?;
    }
    Some((method, name, args.octet().ok()?))
}

/// Deletes them all, over one connection.
///
/// # Errors
///
/// When the broker does not answer; what it refuses to delete is returned.
pub(crate) fn remove(ctx: &Context<'_>, made: &Made) -> Result<Vec<String>, Stop> {
    if made.queues.is_empty() && made.exchanges.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = Client::with_channel(ctx)?;
    let mut left = Vec::new();
    for name in &made.queues {
        let delete = queue_delete_args(name, 0);
        if let Some(why) = deleted(&mut client, QUEUE_DELETE, delete, QUEUE_DELETE_OK)? {
            left.push(format!("queue {name}: {why}"));
        }
    }
    for name in &made.exchanges {
        let delete = exchange_delete_args(name, 0);
        if let Some(why) = deleted(&mut client, EXCHANGE_DELETE, delete, EXCHANGE_DELETE_OK)? {
            left.push(format!("exchange {name}: {why}"));
        }
    }
    // Whether that is answered is the question of a case.
    client.send(0, CONNECTION_CLOSE, close_args());
    Ok(left)
}

/// Why it was not deleted. That there is none of this name is as good as deleted.
fn deleted(
    client: &mut Client,
    method: Method,
    delete: super::bytes::Args,
    reply: Method,
) -> Result<Option<String>, Stop> {
    client.send(1, method, delete);
    let frame = match client.next(1)? {
        Seen::Frame(frame) if frame.method() == Some(reply) => return Ok(None),
        Seen::Frame(frame) if frame.method() == Some(CHANNEL_CLOSE) => frame,
        other => return Err(inconclusive(other.to_string())),
    };
    client.send(1, CHANNEL_CLOSE_OK, args());
    client.open_channel(1)?;
    match frame.close_reason() {
        Some((404, _)) => Ok(None),
        Some((code, _)) if ANY_CODE.contains(&code) => Ok(Some(frame.to_string())),
        _ => Err(inconclusive(frame.to_string())),
    }
}
