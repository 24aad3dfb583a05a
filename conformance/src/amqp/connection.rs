//! Connection negotiation: protocol header, start, tune, open, close.

use super::wire::{CHANNEL_OPEN, CHANNEL_OPEN_OK, Client, args};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Connection",
    cases: &[
        Case {
            id: "amqp/protocol-header/unsupported-version",
            rule: "section 4.2.2; connection / start / protocol-name",
            level: Must,
            title: "An unsupported protocol version is answered with a protocol header, then closed",
            run: unsupported_version,
        },
        Case {
            id: "amqp/channel.open/twice",
            rule: "channel / open / state",
            level: Must,
            title: "A channel that is open cannot be opened again",
            run: open_twice,
        },
    ],
};

fn unsupported_version(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut wire = ctx.connect()?;
    wire.send(b"AMQP\x09\x09\x09\x09");
    let expected = "a protocol header of 8 octets, AMQP and a version, then the end";
    let (_, bytes) = wire.expect_end(expected)?;
    if bytes.len() == 8 && bytes.starts_with(b"AMQP") && &bytes[4..] != b"\x09\x09\x09\x09" {
        Ok(())
    } else {
        Err(fail(expected, crate::wire::Bytes(bytes).to_string()))
    }
}

fn open_twice(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::open(ctx)?;
    client.call(1, CHANNEL_OPEN, args().shortstr(""), CHANNEL_OPEN_OK)?;
    client.send(1, CHANNEL_OPEN, args().shortstr(""));
    client.expect_connection_close(&[504], "a second channel.open")
}
