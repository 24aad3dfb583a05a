//! Whether an AMQP broker lets the client in, and what it proposes.

use super::bytes::{
    CONNECTION_CLOSE, CONNECTION_OPEN, CONNECTION_OPEN_OK, CONNECTION_SECURE, CONNECTION_START_OK,
    CONNECTION_TUNE, CONNECTION_TUNE_OK, Frame, Reader, fields,
};
use super::client::{Client, Limits};
use super::method_args::{open_args, start_ok};
use crate::case::Context;
use crate::target::Profile;
use crate::verdict::Stop;
use crate::wire::Seen;

/// Logs in, step by step, so that the first that does not work is named.
///
/// # Errors
///
/// In words: what the broker does not do.
pub(crate) fn preflight(ctx: &Context<'_>) -> Result<Profile, String> {
    let target = ctx.target;
    let (mut client, start) =
        Client::start(ctx).map_err(|stop| format!("it does not speak AMQP 0-9-1: {stop}"))?;
    let [product, version] =
        identity(&start).map_err(|stop| format!("connection.start: {stop}"))?;
    client.send(0, CONNECTION_START_OK, start_ok(ctx, &fields()));
    let user = target.user.as_deref().unwrap_or_default();
    let tune = match client.next(0).map_err(|stop| stop.to_string())? {
        Seen::Frame(frame) if frame.method() == Some(CONNECTION_TUNE) => frame,
        Seen::Frame(frame) if frame.method() == Some(CONNECTION_SECURE) => {
            return Err(format!("it wants more than a password: {frame}"));
        }
        other => return Err(format!("it does not let user {user:?} in: {other}")),
    };
    let limits = Limits::of(&tune).map_err(|stop| stop.to_string())?;
    let answer = Limits {
        heartbeat: 0,
        ..limits
    };
    client.send(0, CONNECTION_TUNE_OK, answer.args());
    client.send(0, CONNECTION_OPEN, open_args(&target.virtual_host));
    match client.next(0).map_err(|stop| stop.to_string())? {
        Seen::Frame(frame) if frame.method() == Some(CONNECTION_OPEN_OK) => {}
        other => {
            let host = &target.virtual_host;
            return Err(format!(
                "it does not open the virtual host {host:?}: {other}"
            ));
        }
    }
    client
        .open_channel(1)
        .map_err(|stop| format!("it opens no channel: {stop}"))?;
    Ok(Profile {
        says: vec![
            match (&product, &version) {
                (Some(product), Some(version)) => format!("{product} {version}"),
                (Some(one), None) | (None, Some(one)) => one.clone(),
                (None, None) => "a broker that does not name itself".into(),
            },
            format!(
                "channel-max {}, frame-max {}, heart-beat {}",
                limits.channel_max, limits.frame_max, limits.heartbeat
            ),
        ],
        product,
        version,
        ..Profile::default()
    })
}

/// Product and version of the server-properties.
fn identity(start: &Frame) -> Result<[Option<String>; 2], Stop> {
    let mut args = start.args();
    args.short()?;
    let properties = Reader(args.longstr()?);
    let text = |name| {
        Ok(match properties.field(name)? {
            Some((b'S', value)) => Some(String::from_utf8_lossy(value).into_owned()),
            _ => None,
        })
    };
    Ok([text("product")?, text("version")?])
}

/// Logs in and opens a channel. What it makes of a method of that channel is the
/// question of some case, and no sign of life.
///
/// # Errors
///
/// What came instead.
pub(crate) fn alive(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.send(0, CONNECTION_CLOSE, super::method_args::close_args());
    Ok(())
}

/// Sends a message to a queue of this connection alone, and takes it: with as little as that
/// takes, since a broker is not to die of it.
///
/// # Errors
///
/// What came instead.
pub(crate) fn carries(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    client.publish("", &queue, b"round");
    client.expect_get(&queue, b"round")?;
    client.delete_queue(&queue)?;
    client.close()
}
