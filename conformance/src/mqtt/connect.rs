//! CONNECT and CONNACK (3.1, 3.2).

use super::wire::{CONNACK, Client, PINGREQ, PINGRESP, Version, connect};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Connecting",
    cases: &[
        Case {
            id: "mqtt311/MQTT-3.1.2-3/connect-reserved-flag",
            rule: "MQTT-3.1.2-3",
            level: Must,
            title: "A CONNECT with the reserved flag set is answered by closing the connection",
            run: |ctx| reserved_flag(ctx, Version::V311),
        },
        Case {
            id: "mqtt5/MQTT-3.1.2-3/connect-reserved-flag",
            rule: "MQTT-3.1.2-3",
            level: Must,
            title: "A CONNECT with the reserved flag set is a malformed packet",
            run: |ctx| reserved_flag(ctx, Version::V5),
        },
        Case {
            id: "mqtt311/MQTT-3.12.4-1/pingresp",
            rule: "MQTT-3.12.4-1",
            level: Must,
            title: "A PINGREQ is answered with a PINGRESP",
            run: |ctx| {
                let mut client = Client::connected(ctx, Version::V311)?;
                client.wire.send(PINGREQ);
                client.expect(PINGRESP, "PINGRESP [D0 00]").map(drop)
            },
        },
    ],
};

fn reserved_flag(ctx: &Context<'_>, version: Version) -> Result<(), Stop> {
    // Without a broker that takes this version, its refusal of the packet
    // would say nothing.
    drop(Client::connected(ctx, version)?);
    let mut client = Client::new(ctx)?;
    client
        .wire
        .send(&connect(ctx, version, &ctx.name("r"), 0x01));
    let expected = "the connection closed, after a CONNACK with an error at most";
    match client.next()? {
        Seen::Frame(p) if p.kind() == CONNACK && p.body.get(1).is_some_and(|&code| code != 0) => {
            client.wire.expect_end(expected).map(drop)
        }
        Seen::Ended(..) => Ok(()),
        other => Err(fail(expected, other.to_string())),
    }
}
