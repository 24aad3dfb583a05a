//! Which version is spoken.

use super::client::{Client, credentials, speaks};
use super::wire::Version::{V10, V11, V12};
use super::wire::{Version, frame};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Stomp,
    title: "Protocol negotiation",
    cases: &[
        Case {
            id: "stomp12/protocol-negotiation/highest-common",
            rule: "stomp12/protocol-negotiation/highest-common; stomp12/protocol-negotiation/accept-version-list",
            level: Must,
            title: "The version in CONNECTED is the highest that both sides know",
            run: |ctx| negotiated(ctx, "1.0,1.1,1.2", V12),
        },
        Case {
            id: "stomp12/protocol-negotiation/list-in-any-order",
            rule: "stomp12/protocol-negotiation/highest-common",
            level: Must,
            title: "The highest version counts, wherever it stands in the list",
            run: |ctx| negotiated(ctx, "1.2,1.0,1.1", V12),
        },
        Case {
            id: "stomp12/protocol-negotiation/without-1.0",
            rule: "stomp12/protocol-negotiation/highest-common",
            level: Must,
            title: "A client that does not list 1.0 gets the highest of its list",
            run: |ctx| negotiated(ctx, "1.1,1.2", V12),
        },
        Case {
            id: "stomp12/protocol-negotiation/single",
            rule: "stomp12/protocol-negotiation/highest-common; stomp12/CONNECTED/version; stomp12/CONNECT/accept-version",
            level: Must,
            title: "A client of 1.2 only gets 1.2",
            run: |ctx| negotiated(ctx, "1.2", V12),
        },
        Case {
            id: "stomp12/protocol-negotiation/unknown-higher",
            rule: "stomp12/protocol-negotiation/highest-common",
            level: Must,
            title: "A higher version that the broker cannot know is passed over",
            run: |ctx| negotiated(ctx, "1.2,9.0", V12),
        },
        Case {
            id: "stomp11/protocol-negotiation/single",
            rule: "stomp11/protocol-negotiation/highest-common; stomp11/CONNECTED/version; stomp11/CONNECT/accept-version",
            level: Must,
            title: "A client of 1.1 only gets 1.1",
            run: |ctx| negotiated(ctx, "1.1", V11),
        },
        Case {
            id: "stomp11/protocol-negotiation/highest-common",
            rule: "stomp11/protocol-negotiation/highest-common; stomp11/protocol-negotiation/accept-version-list",
            level: Must,
            title: "A client of 1.0 and 1.1 gets 1.1",
            run: |ctx| negotiated(ctx, "1.0,1.1", V11),
        },
        Case {
            id: "stomp11/protocol-negotiation/unknown-higher",
            rule: "stomp11/protocol-negotiation/highest-common",
            level: Must,
            title: "1.0, 1.1 and 2.0 have 1.1 in common with the broker",
            run: |ctx| negotiated(ctx, "1.0,1.1,2.0", V11),
        },
        Case {
            id: "stomp12/protocol-negotiation/accept-1.0",
            rule: "stomp12/protocol-negotiation/highest-common",
            level: Must,
            title: "A client that lists 1.0 only gets 1.0",
            run: |ctx| negotiated(ctx, "1.0", V10),
        },
        Case {
            id: "stomp12/protocol-negotiation/missing-header",
            rule: "stomp12/protocol-negotiation/missing-accept-version",
            level: Must,
            title: "A CONNECT without accept-version is from a client of 1.0",
            run: missing_header,
        },
        Case {
            id: "stomp11/protocol-negotiation/missing-header",
            rule: "stomp11/protocol-negotiation/missing-accept-version",
            level: Must,
            title: "A CONNECT without accept-version is from a client of 1.0",
            run: missing_header,
        },
        Case {
            id: "stomp12/protocol-negotiation/no-common-version",
            rule: "stomp12/protocol-negotiation/no-common-version",
            level: Must,
            title: "Without a common version there is an ERROR, and the connection closes",
            run: |ctx| no_common_version(ctx, V12),
        },
        Case {
            id: "stomp11/protocol-negotiation/no-common-version",
            rule: "stomp11/protocol-negotiation/no-common-version",
            level: Should,
            title: "Without a common version there is an ERROR",
            run: |ctx| no_common_version(ctx, V11),
        },
        Case {
            id: "stomp12/protocol-negotiation/no-common-version-lists",
            rule: "stomp12/protocol-negotiation/no-common-version-lists",
            level: Should,
            title: "The ERROR for want of a common version lists the versions that the broker speaks",
            run: |ctx| supported_versions(ctx, V12),
        },
        Case {
            id: "stomp11/protocol-negotiation/no-common-version-lists",
            rule: "stomp11/protocol-negotiation/no-common-version-lists",
            level: Should,
            title: "The ERROR for want of a common version lists the versions that the broker speaks",
            run: |ctx| supported_versions(ctx, V11),
        },
    ],
};

fn connect(
    ctx: &Context<'_>,
    more: Option<(&'static str, &str)>,
    version: Version,
) -> Result<Client, Stop> {
    let mut headers = vec![("host", ctx.target.virtual_host.as_str())];
    headers.extend(credentials(ctx));
    headers.extend(more);
    let mut client = Client::new(ctx, version)?;
    client.send(&frame("CONNECT", &headers, b""));
    Ok(client)
}

fn negotiated(ctx: &Context<'_>, accept_version: &str, version: Version) -> Result<(), Stop> {
    // Only a version that the broker has can be the highest in common. What is
    // wrong with it otherwise is what this case is about.
    if let Err(absent @ Stop::NotApplicable(_)) = Client::connected(ctx, version) {
        return Err(absent);
    }
    let mut client = connect(ctx, Some(("accept-version", accept_version)), version)?;
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") && speaks(&frame, version) => Ok(()),
        other => Err(fail(
            format!(
                "CONNECTED with version:{} for accept-version:{accept_version}",
                version.as_str()
            ),
            other.to_string(),
        )),
    }
}

fn missing_header(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = connect(ctx, None, V10)?;
    match client.next()? {
        Seen::Frame(frame) if frame.is("CONNECTED") && speaks(&frame, V10) => Ok(()),
        Seen::Frame(frame) if frame.is("ERROR") => Err(not_applicable(format!(
            "the broker does not speak 1.0: {frame}"
        ))),
        other => Err(fail(
            "CONNECTED with version:1.0 or without a version",
            other.to_string(),
        )),
    }
}

fn no_common_version(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    drop(Client::connected(ctx, version)?);
    let mut client = connect(ctx, Some(("accept-version", "9.9")), version)?;
    let error = client.expect_error("ERROR for accept-version:9.9")?;
    if version == V11 {
        return Ok(());
    }
    client.expect_end_after(&error, "the end of the connection after the ERROR")
}

fn supported_versions(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    let mut client = connect(ctx, Some(("accept-version", "9.9")), version)?;
    let error = client.expect_error("ERROR for accept-version:9.9")?;
    match error.header_text("version") {
        Some(versions) if versions.contains(version.as_str()) => Ok(()),
        _ => Err(fail(
            format!("ERROR with a version header that has {}", version.as_str()),
            error.to_string(),
        )),
    }
}
