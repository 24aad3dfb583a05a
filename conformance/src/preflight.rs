//! What has to be known of a broker before it can be judged: that it is
//! reachable, speaks the protocol, lets the client in, and on which terms.

use std::time::Duration;

use crate::case::{Context, Windows};
use crate::target::{Profile, Protocol, Target};
use crate::transcript::Transcript;
use crate::verdict::Stop;

/// How long a broker may take for one answer of the preflight, whatever the
/// cases are given.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a broker cannot be judged.
#[derive(Debug, thiserror::Error)]
#[error("{target} cannot be judged: {why}")]
pub(crate) struct PreflightError {
    target: String,
    why: String,
}

/// Logs in over every version of the protocol, and says what was found.
///
/// # Errors
///
/// [`PreflightError`] when no version lets the client in: everything else
/// that a case could say would be about that.
pub(crate) fn preflight(
    target: &Target,
    windows: &Windows,
    unique: &str,
) -> Result<Profile, PreflightError> {
    let windows = Windows {
        patience: windows.patience.min(PATIENCE),
        ..*windows
    };
    let ctx = Context::new(target, &windows, unique.into(), Transcript::new(), "");
    let profile = match target.protocol {
        Protocol::Amqp => crate::amqp::preflight(&ctx),
        Protocol::Mqtt => crate::mqtt::preflight(&ctx),
        Protocol::Stomp => crate::stomp::preflight(&ctx),
    }
    .map_err(|why| PreflightError {
        target: target.to_string(),
        why: printable(&why),
    })?;
    let known = Target {
        profile,
        ..target.clone()
    };
    let carries = carries(&ctx.to(&known)).is_ok();
    Ok(Profile {
        carries,
        ..known.profile
    })
}

/// Sends a message through the broker and takes it again, as far as that leaves nothing behind:
/// STOMP has no frame that removes a queue.
fn carries(ctx: &Context<'_>) -> Result<(), Stop> {
    match ctx.target.protocol {
        Protocol::Amqp => crate::amqp::carries(ctx),
        Protocol::Mqtt => crate::mqtt::carries(ctx),
        Protocol::Stomp => Ok(()),
    }
}

/// Whether the broker still lets a client in and answers it, and a message goes round if one did
/// before the first case.
///
/// # Errors
///
/// What it did instead.
pub(crate) fn alive(target: &Target, windows: &Windows, unique: &str) -> Result<(), String> {
    let ctx = Context::new(target, windows, unique.into(), Transcript::new(), "");
    match target.protocol {
        Protocol::Amqp => crate::amqp::alive(&ctx),
        Protocol::Mqtt => crate::mqtt::alive(&ctx),
        Protocol::Stomp => crate::stomp::alive(&ctx),
    }
    .and_then(|()| match target.profile.carries {
        true => carries(&ctx),
        false => Ok(()),
    })
    .map_err(|stop| printable(&stop.to_string()))
}

/// What a broker answered goes to a terminal, in one line.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control();
            escaped
                .then(|| c.escape_default())
                .into_iter()
                .flatten()
                .chain((!escaped).then_some(c))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_answers_is_one_line() {
        assert_eq!(printable("a\nb\x1b[31mc"), "a\\nb\\u{1b}[31mc");
    }
}
