//! Which versions a STOMP broker lets a client in with, and for which host.

use super::client::{Client, connect_headers, speaks};
use super::wire::{Frame, Version, frame};
use crate::case::Context;
use crate::target::Profile;
use crate::verdict::Stop;
use crate::wire::Seen;

/// What the ids of the cases begin with.
const VERSIONS: [(Version, &str); 3] = [
    (Version::V12, "stomp12"),
    (Version::V11, "stomp11"),
    (Version::V10, "stomp10"),
];

/// Logs in over every version, with the virtual host of the URL or else the
/// host's own name, which is what the specification recommends.
///
/// # Errors
///
/// In words, when no version lets the client in.
pub(crate) fn preflight(ctx: &Context<'_>) -> Result<Profile, String> {
    let target = ctx.target;
    let mut hosts = vec![target.virtual_host.as_str()];
    for host in [target.host.as_str(), "localhost"] {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    // A broker that looks at the host of some versions only refuses those for the
    // wrong one: the host that lets the client in over the most versions is meant.
    let mut best: Option<Profile> = None;
    for host in hosts {
        let profile = Profile {
            host: (host != target.virtual_host).then(|| host.into()),
            ..with_host(ctx, host)?
        };
        if best
            .as_ref()
            .is_none_or(|best| profile.lacks.len() < best.lacks.len())
        {
            best = Some(profile);
        }
        if best.as_ref().is_some_and(|best| best.lacks.is_empty()) {
            break;
        }
    }
    let best = best.unwrap_or_default();
    if best.lacks.len() < VERSIONS.len() {
        return Ok(best);
    }
    let lacks = best.lacks;
    let evidence = lacks.first().map(|(_, why)| why.as_str());
    Err(format!(
        "it lets no client of STOMP in: {}",
        evidence.unwrap_or("no version was asked for")
    ))
}

fn with_host(ctx: &Context<'_>, host: &str) -> Result<Profile, String> {
    let mut profile = Profile::default();
    for (version, id) in VERSIONS {
        let seen = answer(ctx, version, host)
            .map_err(|stop| format!("it does not speak STOMP: {stop}"))?;
        match seen {
            Seen::Frame(frame) if frame.is("CONNECTED") && speaks(&frame, version) => {
                profile.says.push(says(&frame, version));
                // `name/version`, with a comment after a space.
                if let Some(server) = frame.header_text("server") {
                    let (name, rest) = server.split_once('/').unwrap_or((server, ""));
                    let number = rest.split(' ').next().filter(|number| !number.is_empty());
                    profile.product = Some(name.into());
                    profile.version = number.map(String::from);
                }
            }
            Seen::Ended(_, ref rest) if !rest.is_empty() => {
                return Err(format!("it does not speak STOMP: {seen}"));
            }
            Seen::Silence(..) => return Err(format!("it does not answer a CONNECT: {seen}")),
            other => profile.lacks.push((id, other.to_string())),
        }
    }
    Ok(profile)
}

fn answer(ctx: &Context<'_>, version: Version, host: &str) -> Result<Seen<Frame>, Stop> {
    let mut client = Client::new(ctx, version)?;
    let mut headers = connect_headers(ctx, version);
    for (name, value) in &mut headers {
        if *name == "host" {
            *value = host;
        }
    }
    client.send(&frame("CONNECT", &headers, b""));
    client.next()
}

fn says(connected: &Frame, version: Version) -> String {
    let mut line = format!("STOMP {}", version.as_str());
    for name in ["server", "heart-beat"] {
        if let Some(value) = connected.header_text(name) {
            line.push_str(&format!(", {name} {value}"));
        }
    }
    line
}

/// Logs in and says goodbye with a receipt.
///
/// # Errors
///
/// What came instead.
pub(crate) fn alive(ctx: &Context<'_>) -> Result<(), Stop> {
    Client::connected(ctx, newest(ctx))?.disconnect()
}

/// The newest version that the broker offers.
pub(super) fn newest(ctx: &Context<'_>) -> Version {
    VERSIONS
        .into_iter()
        .find(|(_, id)| ctx.target.profile.lacks(id).is_none())
        .map_or(Version::V12, |(version, _)| version)
}
