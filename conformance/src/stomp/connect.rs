//! CONNECT, STOMP and CONNECTED: who is let in, and what comes before.

use super::client::{Client, connect_headers, expect_left, queue, speaks};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Leniency, May, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Connecting",
    cases: &[
        Case {
            id: "stomp12/connecting/connected",
            rule: "stomp12/connecting/connected; stomp12/frames/structure; stomp12/CONNECT/login",
            level: Must,
            title: "A correct CONNECT is answered with CONNECTED",
            run: |ctx| Client::connected(ctx, V12).map(drop),
        },
        Case {
            id: "stomp11/connecting/connected",
            rule: "stomp11/connecting/connected; stomp11/frames/structure; stomp11/CONNECT/login",
            level: Must,
            title: "A correct CONNECT is answered with CONNECTED",
            run: |ctx| Client::connected(ctx, V11).map(drop),
        },
        Case {
            id: "stomp10/connecting/connected",
            rule: "stomp10/connecting/connected; stomp10/frames/structure; stomp10/CONNECT/login",
            level: Must,
            title: "A correct CONNECT is answered with CONNECTED",
            run: |ctx| Client::connected(ctx, V10).map(drop),
        },
        Case {
            id: "stomp12/STOMP/as-connect",
            rule: "stomp12/STOMP/as-connect",
            level: Must,
            title: "A STOMP frame is taken as a CONNECT",
            run: |ctx| stomp_frame(ctx, V12),
        },
        Case {
            id: "stomp11/STOMP/as-connect",
            rule: "stomp11/STOMP/as-connect",
            level: Should,
            title: "A STOMP frame is taken as a CONNECT",
            run: |ctx| stomp_frame(ctx, V11),
        },
        Case {
            id: "stomp12/connecting/wrong-passcode",
            rule: "stomp12/connecting/rejected",
            level: Should,
            title: "A wrong passcode is answered with ERROR, and the connection closed",
            run: |ctx| wrong_passcode(ctx, V12),
        },
        Case {
            id: "stomp11/connecting/wrong-passcode",
            rule: "stomp11/connecting/rejected",
            level: Should,
            title: "A wrong passcode is answered with ERROR, and the connection closed",
            run: |ctx| wrong_passcode(ctx, V11),
        },
        Case {
            id: "stomp12/CONNECT/unknown-host",
            rule: "stomp12/CONNECT/unknown-host",
            level: May,
            title: "An unknown virtual host gets CONNECTED, or ERROR and the end of the connection",
            run: |ctx| unknown_host(ctx, V12),
        },
        Case {
            id: "stomp11/CONNECT/unknown-host",
            rule: "stomp11/CONNECT/unknown-host",
            level: May,
            title: "An unknown virtual host gets CONNECTED, or ERROR and the end of the connection",
            run: |ctx| unknown_host(ctx, V11),
        },
        Case {
            id: "stomp12/CONNECT/missing-host",
            rule: "stomp12/CONNECT/host",
            level: Should,
            title: "A CONNECT without host gets CONNECTED, or ERROR and the end of the connection",
            run: |ctx| missing_host(ctx, V12),
        },
        Case {
            id: "stomp11/CONNECT/missing-host",
            rule: "stomp11/CONNECT/host",
            level: Should,
            title: "A CONNECT without host gets CONNECTED, or ERROR and the end of the connection",
            run: |ctx| missing_host(ctx, V11),
        },
        Case {
            id: "stomp12/connecting/frame-before-connect",
            rule: "stomp12/connecting/connect-first",
            level: Leniency,
            title: "A SEND before the CONNECT is refused and not acted upon",
            run: |ctx| frame_before_connect(ctx, V12),
        },
        Case {
            id: "stomp11/connecting/frame-before-connect",
            rule: "stomp11/connecting/connect-first",
            level: Leniency,
            title: "A SEND before the CONNECT is refused and not acted upon",
            run: |ctx| frame_before_connect(ctx, V11),
        },
        Case {
            id: "stomp10/connecting/frame-before-connect",
            rule: "stomp10/connecting/connect-first",
            level: Leniency,
            title: "A SEND before the CONNECT is refused and not acted upon",
            run: |ctx| frame_before_connect(ctx, V10),
        },
        Case {
            id: "stomp12/client-frames/second-connect",
            rule: "stomp12/client-frames/unknown",
            level: May,
            title: "A second CONNECT is answered with ERROR, and the connection closed",
            run: |ctx| second_connect(ctx, V12),
        },
        Case {
            id: "stomp11/client-frames/second-connect",
            rule: "stomp11/client-frames/unknown",
            level: May,
            title: "A second CONNECT is answered with ERROR",
            run: |ctx| second_connect(ctx, V11),
        },
        Case {
            id: "stomp10/CONNECTED/session",
            rule: "stomp10/CONNECTED/session",
            level: Must,
            title: "CONNECTED has a session header, another one for each session",
            run: |ctx| session_unique(ctx, V10),
        },
        Case {
            id: "stomp12/CONNECTED/session",
            rule: "stomp12/CONNECTED/session",
            level: May,
            title: "The session header of CONNECTED, where there is one, is another one for each session",
            run: |ctx| session_unique(ctx, V12),
        },
        Case {
            id: "stomp11/CONNECTED/session",
            rule: "stomp11/CONNECTED/session",
            level: May,
            title: "The session header of CONNECTED, where there is one, is another one for each session",
            run: |ctx| session_unique(ctx, V11),
        },
        Case {
            id: "stomp12/CONNECTED/server",
            rule: "stomp12/CONNECTED/server",
            level: Must,
            title: "The server header of CONNECTED, where there is one, begins with a name",
            run: |ctx| server_field(ctx, V12),
        },
        Case {
            id: "stomp11/CONNECTED/server",
            rule: "stomp11/CONNECTED/server",
            level: Must,
            title: "The server header of CONNECTED, where there is one, begins with a name",
            run: |ctx| server_field(ctx, V11),
        },
        Case {
            id: "stomp12/connection-lingering/rapid",
            rule: "stomp12/connection-lingering/rapid",
            level: Must,
            title: "Clients that connect and disconnect quickly are all served",
            run: |ctx| rapid_clients(ctx, V12),
        },
        Case {
            id: "stomp11/connection-lingering/rapid",
            rule: "stomp11/connection-lingering/rapid",
            level: Must,
            title: "Clients that connect and disconnect quickly are all served",
            run: |ctx| rapid_clients(ctx, V11),
        },
    ],
};

fn stomp_frame(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = Client::new(ctx, version)?;
    client.send(&frame("STOMP", &connect_headers(ctx, version), b""));
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") && speaks(&frame, version) => {
            client.publish(&queue(ctx, "s"), "still there")
        }
        other => Err(fail("CONNECTED after a STOMP frame", other.to_string())),
    }
}

fn wrong_passcode(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    drop(Client::connected(ctx, version)?);
    let expected = "ERROR after a wrong passcode, and the end of the connection";
    let passcode = ctx.name("no");
    let mut headers = connect_headers(ctx, version);
    headers.retain(|(name, _)| *name != "passcode");
    headers.push(("passcode", &passcode));
    let mut client = Client::new(ctx, version)?;
    client.send(&frame("CONNECT", &headers, b""));
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") => Err(not_applicable(format!(
            "the broker asks for no passcode: {frame}"
        ))),
        Seen::Frame(frame) if frame.is("ERROR") => client.expect_end_after(&frame, expected),
        other => Err(fail(expected, other.to_string())),
    }
}

fn unknown_host(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let host = ctx.name("host");
    let mut headers = connect_headers(ctx, version);
    headers.retain(|(name, _)| *name != "host");
    headers.push(("host", &host));
    answered(ctx, version, &headers)
}

fn missing_host(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut headers = connect_headers(ctx, version);
    headers.retain(|(name, _)| *name != "host");
    answered(ctx, version, &headers)
}

fn answered(ctx: &Context<'_>, version: Version, headers: &[(&str, &str)]) -> Result<(), Stop> {
    drop(Client::connected(ctx, version)?);
    let expected = "CONNECTED, or ERROR and the end of the connection";
    let mut client = Client::new(ctx, version)?;
    client.send(&frame("CONNECT", headers, b""));
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") => Ok(()),
        Seen::Frame(frame) if frame.is("ERROR") => client.expect_end_after(&frame, expected),
        other => Err(fail(expected, other.to_string())),
    }
}

fn frame_before_connect(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let destination = queue(ctx, "b");
    Client::connected(ctx, version)?.publish(&destination, "connected")?;
    let mut early = Client::new(ctx, version)?;
    early.ask("SEND", &[("destination", &destination)], b"early");
    early.expect_refusal("ERROR or the end of the connection, for a SEND before the CONNECT")?;
    expect_left(ctx, version, &destination, &["connected"])
}

fn second_connect(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = Client::connected(ctx, version)?;
    client.send(&frame("CONNECT", &connect_headers(ctx, version), b""));
    let error = client.expect_error("ERROR for a second CONNECT")?;
    if version == Version::V11 {
        return Ok(());
    }
    client.expect_end_after(&error, "the end of the connection after the ERROR")
}

fn session_unique(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_first, one) = Client::connected_with(ctx, version, &[])?;
    let (_second, other) = Client::connected_with(ctx, version, &[])?;
    match (one.header("session"), other.header("session")) {
        (None, None) if version > Version::V10 => Err(not_applicable(one.to_string())),
        (Some(a), Some(b)) if a != b && !a.is_empty() => Ok(()),
        _ => Err(fail(
            "two sessions with a session header of their own",
            format!("{one} and {other}"),
        )),
    }
}

fn server_field(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let (_, connected) = Client::connected_with(ctx, version, &[])?;
    match connected.header("server") {
        None => Err(not_applicable(connected.to_string())),
        // server = name ["/" version] *(comment)
        Some([first, ..]) if !matches!(first, b' ' | b'/') => Ok(()),
        Some(_) => Err(fail(
            "server:NAME, then perhaps /VERSION and comments",
            connected.to_string(),
        )),
    }
}

fn rapid_clients(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    for turn in 0..25 {
        let client = Client::connected(ctx, version)?;
        // Some say goodbye and some are just gone.
        if turn % 2 == 0 {
            client.disconnect()?;
        }
    }
    Ok(())
}
