//! Heart-beating: who promises what, and who keeps it.

use std::time::{Duration, Instant};

use super::client::{Client, queue};
use super::wire::Version::{V11, V12};
use super::wire::{Frame, Version, frame};
use crate::case::Level::{May, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::{Bytes, Parsed, Seen};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Heart-beating",
    cases: &[
        Case {
            id: "stomp12/heart-beating/connected-header",
            rule: "stomp12/heart-beating/header; stomp12/CONNECT/heart-beat; stomp12/CONNECTED/heart-beat",
            level: Must,
            title: "The heart-beat header of CONNECTED, where there is one, is two numbers with a comma",
            run: |ctx| connected_header(ctx, V12),
        },
        Case {
            id: "stomp11/heart-beating/connected-header",
            rule: "stomp11/heart-beating/header; stomp11/CONNECT/heart-beat; stomp11/CONNECTED/heart-beat",
            level: Must,
            title: "The heart-beat header of CONNECTED, where there is one, is two numbers with a comma",
            run: |ctx| connected_header(ctx, V11),
        },
        Case {
            id: "stomp12/heart-beating/missing-header",
            rule: "stomp12/heart-beating/missing-header",
            level: Must,
            title: "Without a heart-beat header nothing is sent, and silence is no reason to close",
            run: |ctx| none_wanted(ctx, V12, &[]),
        },
        Case {
            id: "stomp11/heart-beating/missing-header",
            rule: "stomp11/heart-beating/missing-header",
            level: Must,
            title: "Without a heart-beat header nothing is sent, and silence is no reason to close",
            run: |ctx| none_wanted(ctx, V11, &[]),
        },
        Case {
            id: "stomp12/heart-beating/zero-zero",
            rule: "stomp12/heart-beating/none",
            level: Must,
            title: "With heart-beat 0,0 nothing is sent, and silence is no reason to close",
            run: |ctx| none_wanted(ctx, V12, &[("heart-beat", "0,0")]),
        },
        Case {
            id: "stomp11/heart-beating/zero-zero",
            rule: "stomp11/heart-beating/none",
            level: Must,
            title: "With heart-beat 0,0 nothing is sent, and silence is no reason to close",
            run: |ctx| none_wanted(ctx, V11, &[("heart-beat", "0,0")]),
        },
        Case {
            id: "stomp12/heart-beating/server-interval",
            rule: "stomp12/heart-beating/sender-sends; stomp12/heart-beating/interval",
            level: Must,
            title: "The broker sends something at least as often as was agreed",
            run: |ctx| server_interval(ctx.timed(), V12),
        },
        Case {
            id: "stomp11/heart-beating/server-interval",
            rule: "stomp11/heart-beating/sender-sends; stomp11/heart-beating/interval",
            level: Must,
            title: "The broker sends something at least as often as was agreed",
            run: |ctx| server_interval(ctx.timed(), V11),
        },
        Case {
            id: "stomp12/heart-beating/silent-client",
            rule: "stomp12/heart-beating/silent-peer",
            level: May,
            title: "A client that promised heart-beats and is silent is taken for dead",
            run: |ctx| silent_client(ctx.timed(), V12),
        },
        Case {
            id: "stomp11/heart-beating/silent-client",
            rule: "stomp11/heart-beating/silent-peer",
            level: May,
            title: "A client that promised heart-beats and is silent is taken for dead",
            run: |ctx| silent_client(ctx.timed(), V11),
        },
        Case {
            id: "stomp12/heart-beating/eol-is-enough",
            rule: "stomp12/heart-beating/any-data",
            level: Must,
            title: "A client that sends only CR LF is alive",
            run: |ctx| eol_is_enough(ctx.timed(), V12, b"\r\n"),
        },
        Case {
            id: "stomp12/heart-beating/lf-is-enough",
            rule: "stomp12/heart-beating/any-data",
            level: Must,
            title: "A client that sends only line feeds is alive",
            run: |ctx| eol_is_enough(ctx.timed(), V12, b"\n"),
        },
        Case {
            id: "stomp11/heart-beating/lf-is-enough",
            rule: "stomp11/heart-beating/any-data",
            level: Must,
            title: "A client that sends only line feeds is alive",
            run: |ctx| eol_is_enough(ctx.timed(), V11, b"\n"),
        },
        Case {
            id: "stomp12/heart-beating/any-octet-is-enough",
            rule: "stomp12/heart-beating/any-data",
            level: Must,
            title: "A client whose frame comes octet by octet is alive",
            run: |ctx| any_octet_is_enough(ctx.timed(), V12),
        },
        Case {
            id: "stomp11/heart-beating/any-octet-is-enough",
            rule: "stomp11/heart-beating/any-data",
            level: Must,
            title: "A client whose frame comes octet by octet is alive",
            run: |ctx| any_octet_is_enough(ctx.timed(), V11),
        },
        Case {
            id: "stomp12/heart-beating/eol",
            rule: "stomp12/heart-beating/eol",
            level: Must,
            title: "What an idle broker sends as a heart-beat is an end of line",
            run: |ctx| eol_as_heart_beat(ctx.timed(), V12),
        },
        Case {
            id: "stomp12/heart-beating/a-little-late",
            rule: "stomp12/heart-beating/tolerance",
            level: Should,
            title: "A client whose heart-beats are a tenth late is not cut off",
            run: |ctx| a_little_late(ctx.timed(), V12),
        },
        Case {
            id: "stomp11/heart-beating/eol",
            rule: "stomp11/heart-beating/eol",
            level: Must,
            title: "What an idle broker sends as a heart-beat is an end of line",
            run: |ctx| eol_as_heart_beat(ctx.timed(), V11),
        },
        Case {
            id: "stomp11/heart-beating/a-little-late",
            rule: "stomp11/heart-beating/tolerance",
            level: Should,
            title: "A client whose heart-beats are a tenth late is not cut off",
            run: |ctx| a_little_late(ctx.timed(), V11),
        },
    ],
};

/// What the client asks for: short, so that a case need not take long, and
/// long enough for a busy machine.
const INTERVAL: Duration = Duration::from_millis(500);

/// `sx,sy` of the CONNECTED; a missing header is `0,0`.
fn promised(connected: &Frame) -> Result<(Duration, Duration), Stop> {
    let Some(value) = connected.header("heart-beat") else {
        return Ok((Duration::ZERO, Duration::ZERO));
    };
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| part.parse().ok())
            .flatten()
            .map(Duration::from_millis)
    };
    str::from_utf8(value)
        .ok()
        .and_then(|value| value.split_once(','))
        .and_then(|(sx, sy)| Some((number(sx)?, number(sy)?)))
        .ok_or_else(|| {
            fail(
                "heart-beat with two numbers and a comma",
                connected.to_string(),
            )
        })
}

fn connected_header(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_, connected) = Client::connected_with(ctx, version, &[("heart-beat", "20000,30000")])?;
    if connected.header("heart-beat").is_none() {
        return Err(not_applicable(connected.to_string()));
    }
    promised(&connected).map(drop)
}

fn none_wanted(ctx: &Context<'_>, version: Version, headers: &[(&str, &str)]) -> Result<(), Stop> {
    let (mut client, _) = Client::connected_with(ctx, version, headers)?;
    // An end-of-line behind the CONNECTED belongs to that frame.
    pass_over(&mut client)?;
    match any_bytes(&mut client, 3 * INTERVAL)? {
        Seen::Silence(..) => client.publish(&queue(ctx, "h"), "still there"),
        other => Err(fail(
            "nothing, as no heart-beats were asked for",
            other.to_string(),
        )),
    }
}

fn server_interval(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) =
        Client::connected_with(ctx, version, &[("heart-beat", "0,1000")])?;
    let (can_send, _) = promised(&connected)?;
    if can_send.is_zero() {
        return Err(not_applicable(format!(
            "the broker cannot send heart-beats: {connected}"
        )));
    }
    let interval = in_time(can_send.max(Duration::from_secs(1)), &connected)?;
    // What comes with the CONNECTED, before or behind it, is no measure yet.
    ctx.sleep(interval / 4)?;
    pass_over(&mut client)?;
    // From one to the next, half an interval is for the network and both
    // schedulers. Where the first one counts from is not as clear: a broker
    // whose timer ran before it had answered is given two intervals more.
    for turn in 0..4 {
        let limit = if turn == 0 {
            3 * interval
        } else {
            interval * 3 / 2
        };
        match any_bytes(&mut client, limit)? {
            Seen::Frame(_) => {}
            other => {
                return Err(fail(
                    format!(
                        "something at least every {} ms after {connected}",
                        interval.as_millis()
                    ),
                    other.to_string(),
                ));
            }
        }
    }
    Ok(())
}

/// Frames aside, which an idle broker has no reason to send, what comes is nothing but
/// ends of line.
fn eol_as_heart_beat(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) =
        Client::connected_with(ctx, version, &[("heart-beat", "0,1000")])?;
    let (can_send, _) = promised(&connected)?;
    if can_send.is_zero() {
        return Err(not_applicable(format!(
            "the broker cannot send heart-beats: {connected}"
        )));
    }
    let interval = in_time(can_send.max(Duration::from_secs(1)), &connected)?;
    let ends: &[u8] = match version {
        V12 => b"\r\n",
        _ => b"\n",
    };
    match any_bytes(&mut client, 3 * interval)? {
        Seen::Frame(Bytes(bytes)) if bytes.iter().all(|byte| ends.contains(byte)) => Ok(()),
        Seen::Frame(bytes) => Err(fail("an end of line", bytes.to_string())),
        other => Err(fail("a heart-beat", other.to_string())).setup("waiting for one"),
    }
}

/// A twentieth of a second is what a busy machine takes.
fn a_little_late(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) = Client::connected_with(ctx, version, &[("heart-beat", "500,0")])?;
    let interval = expected_of_client(&connected)?;
    for _ in 0..TURNS / 2 {
        ctx.sleep(interval * 11 / 10)?;
        client.send(b"\n");
    }
    client.send(b"\n");
    match any_bytes(&mut client, ctx.silence)? {
        Seen::Ended(end, _) => Err(fail("the connection open", end.to_string())),
        _ => Ok(()),
    }
}

fn silent_client(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) = Client::connected_with(ctx, version, &[("heart-beat", "500,0")])?;
    let interval = expected_of_client(&connected)?;
    // The specification gives no number for the margin of error; five times
    // the interval and what an answer may take is beyond any that is useful.
    let started = Instant::now();
    let limit = 5 * interval + ctx.patience;
    loop {
        let left = limit.saturating_sub(started.elapsed());
        match any_bytes(&mut client, left)? {
            Seen::Frame(_) => {}
            Seen::Ended(..) if started.elapsed() < interval => {
                return Err(fail(
                    format!("open for {} ms at least", interval.as_millis()),
                    format!("closed after {} ms", started.elapsed().as_millis()),
                ));
            }
            Seen::Ended(..) => return Ok(()),
            other => {
                return Err(fail(
                    format!(
                        "the end of the connection, silent for longer than {} ms",
                        interval.as_millis()
                    ),
                    format!("still open: {other}"),
                ));
            }
        }
    }
}

fn eol_is_enough(ctx: &Context<'_>, version: Version, eol: &[u8]) -> Result<(), Stop> {
    let (mut client, connected) = Client::connected_with(ctx, version, &[("heart-beat", "500,0")])?;
    let interval = expected_of_client(&connected)?;
    for _ in 0..TURNS {
        ctx.sleep(interval / 2)?;
        client.send(eol);
    }
    client.publish(&queue(ctx, "h"), "still there")
}

fn any_octet_is_enough(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (mut client, connected) = Client::connected_with(ctx, version, &[("heart-beat", "500,0")])?;
    let interval = expected_of_client(&connected)?;
    let destination = queue(ctx, "h");
    let bytes = frame(
        "SEND",
        &[("destination", &destination), ("receipt", "slow")],
        b"slowly spoken",
    );
    let (head, tail) = bytes.split_at(bytes.len() - TURNS);
    client.send(head);
    for octet in tail {
        ctx.sleep(interval / 2)?;
        client.send(&[*octet]);
    }
    client.receipt("slow", "SEND that came in pieces")
}

/// Half-intervals of a client that keeps its promise: five intervals in all,
/// which is later than brokers close on a silent one.
const TURNS: usize = 10;

/// How often the client has to send something after asking with 500 ms.
///
/// # Errors
///
/// [`Stop::NotApplicable`] where that is never, or so seldom that a case
/// cannot wait for it.
fn expected_of_client(connected: &Frame) -> Result<Duration, Stop> {
    let (_, wanted) = promised(connected)?;
    if wanted.is_zero() {
        return Err(not_applicable(format!(
            "the broker wants no heart-beats: {connected}"
        )));
    }
    in_time(wanted.max(INTERVAL), connected)
}

fn in_time(interval: Duration, connected: &Frame) -> Result<Duration, Stop> {
    if interval > Duration::from_secs(3) {
        return Err(not_applicable(format!(
            "heart-beats are too seldom for a case: {connected}"
        )));
    }
    Ok(interval)
}

/// Whatever comes within this time, or the end.
fn any_bytes(client: &mut Client, time: Duration) -> Result<Seen<Bytes>, Stop> {
    client.wire.next_within(time, |received| {
        if received.is_empty() {
            Parsed::Incomplete
        } else {
            Parsed::Whole(Bytes(received.to_vec()), received.len())
        }
    })
}

/// Takes what has come already.
fn pass_over(client: &mut Client) -> Result<(), Stop> {
    while let Seen::Frame(_) = any_bytes(client, Duration::from_millis(50))? {}
    Ok(())
}
