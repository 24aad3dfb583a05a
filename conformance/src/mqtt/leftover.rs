//! What cases made on a broker, told from what they sent, and taken away again.

use std::collections::BTreeSet;

use super::play::{Play, Played};
use super::preflight::newest;
use super::property::{read_string, take};
use super::wire::{Connect, GOODBYE, PUBLISH, Packet, Publish, Version, parse_packet};
use crate::case::Context;
use crate::wire::Parsed;

/// Retained messages, and sessions that outlive their connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    topics: BTreeSet<String>,
    /// Protocol level and client identifier.
    sessions: BTreeSet<(u8, String)>,
}

/// Adds what these bytes of a client make.
pub(crate) fn made(sent: &[u8], made: &mut Made) {
    let mut rest = sent;
    while let Parsed::Whole(packet, length) = parse_packet(rest) {
        rest = &rest[length..];
        match packet.first {
            0x10 => {
                // A CONNECT that is cut short has made nothing.
                if let Ok((level, client_id)) = connect(&packet, &mut made.topics) {
                    made.sessions.extend(client_id.map(|id| (level, id)));
                }
            }
            first if first >> 4 == PUBLISH && first & 1 == 1 => {
                made.topics
                    .extend(read_string(&mut &packet.body[..]).ok().and_then(topic));
            }
            _ => {}
        }
    }
}

/// A topic that can have a retained message.
fn topic(bytes: &[u8]) -> Option<String> {
    let topic = str::from_utf8(bytes).ok()?;
    let possible = !topic.is_empty() && !topic.contains(['+', '#', '\0']);
    possible.then(|| topic.into())
}

/// The level of a CONNECT, and the client identifier when the session may stay.
fn connect(packet: &Packet, topics: &mut BTreeSet<String>) -> Result<(u8, Option<String>), String> {
    let mut rest = &packet.body[..];
    read_string(&mut rest)?;
    let [level, flags, ..] = *take(&mut rest, 4)? else {
        return Err("no flags".into());
    };
    if level == Version::V5 as u8 {
        let length = usize::from(take(&mut rest, 1)?[0]);
        take(&mut rest, length)?;
    }
    let client_id = String::from_utf8_lossy(read_string(&mut rest)?).into_owned();
    // A will that is retained.
    if flags & 0x24 == 0x24 {
        if level == Version::V5 as u8 {
            let length = usize::from(take(&mut rest, 1)?[0]);
            take(&mut rest, length)?;
        }
        topics.extend(topic(read_string(&mut rest)?));
    }
    // In 5.0 a session with a clean start can stay as well.
    let stays = flags & 2 == 0 || level == Version::V5 as u8 && packet.body.contains(&0x11);
    Ok((level, (stays && !client_id.is_empty()).then_some(client_id)))
}

/// Clears them all.
///
/// # Errors
///
/// When the broker lets no client in.
pub(crate) fn remove(ctx: &Context<'_>, made: &Made) -> Played<Vec<String>> {
    let play = Play::new(ctx, newest(ctx));
    if !made.topics.is_empty() {
        let mut client = play.client()?;
        for topic in &made.topics {
            client.wire.send(
                &Publish {
                    retain: true,
                    ..play.publish(topic, b"")
                }
                .bytes(),
            );
        }
        client.settle()?;
        client.wire.send(GOODBYE);
    }
    let mut left = Vec::new();
    for (level, client_id) in &made.sessions {
        let version = match level {
            3 => Version::V31,
            4 => Version::V311,
            5 => Version::V5,
            // No broker has made a session of another one.
            _ => continue,
        };
        let play = Play::new(ctx, version);
        let clean = Connect {
            client_id: client_id.clone().into(),
            ..play.connect()
        };
        match play.join(&clean) {
            Ok(mut client) => client.wire.send(GOODBYE),
            Err(stop) => left.push(format!("session {client_id}: {stop}")),
        }
    }
    Ok(left)
}
