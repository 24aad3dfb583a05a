//! How a broker answers a user who may do nothing (3.3.5, 3.4.2, 3.9.3).

use super::client::Client;
use super::play::{Play, Played};
use super::wire::{Connect, PUBACK, Publish, SUBACK, Version};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Rights",
    cases: cases! {
        "not-authorized-subscribe" Must [V311 "MQTT-3.9.3-2", V5 "MQTT-3.9.3-2"]
            "A SUBSCRIBE that a user may not send is refused: with 0x80, in 5.0 with 0x87, or the end"
            |p| with_restricted(p, subscribe);
        "not-authorized-message" Must [V311 "MQTT-3.3.5-2", V5 "MQTT-3.4.2-1"]
            "A message that a user may not publish is acknowledged, or the connection closed, and goes nowhere"
            |p| with_restricted(p, publish);
    },
};

/// Plays with the broker as the user sees it who may do nothing.
fn with_restricted(p: &Play<'_>, run: fn(&Play<'_>, &Play<'_>) -> Played) -> Played {
    let Some(target) = p.ctx.target.as_restricted() else {
        let why = "no user without rights was named: --restricted-user USER:PASSWORD";
        return Err(not_applicable(why));
    };
    let ctx = p.ctx.to(&target);
    run(p, &Play::new(&ctx, p.version))
}

/// A client of the user, under a name of its own.
fn client(restricted: &Play<'_>) -> Played<Client> {
    restricted.join(&Connect {
        client_id: restricted.name("r").into(),
        ..restricted.connect()
    })
}

fn subscribe(_: &Play<'_>, restricted: &Play<'_>) -> Played {
    let mut client = client(restricted)?;
    client.new_id();
    client
        .wire
        .send(&restricted.subscribe(&restricted.name("t"), 0));
    let expected = match restricted.version {
        Version::V5 => 0x87,
        _ => 0x80,
    };
    match client.next()? {
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(packet) if packet.first == 0xE0 => client.read_disconnect(&packet),
        Seen::Frame(packet) if packet.kind() == SUBACK && client.codes(&packet)? == [expected] => {
            Ok(())
        }
        other => Err(fail(
            format!("SUBACK with 0x{expected:02X}, or the end"),
            other.to_string(),
        )),
    }
}

fn publish(p: &Play<'_>, restricted: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 1)?;
    let mut client = client(restricted)?;
    let message = Publish {
        qos: 1,
        ..restricted.publish(&topic, b"unwanted")
    };
    client.wire.send(&message.bytes());
    match client.next()? {
        Seen::Ended(_, rest) if rest.is_empty() => {}
        Seen::Frame(packet) if packet.first == 0xE0 => client.read_disconnect(&packet)?,
        Seen::Frame(packet) if packet.kind() == PUBACK && packet.id() == Some(1) => {
            let code = client.ack_code(&packet)?;
            if p.version == Version::V5 && code != 0x87 {
                let expected = "PUBACK with 0x87, or the end";
                return Err(fail(expected, packet.to_string()));
            }
        }
        other => return Err(fail("PUBACK, or the end", other.to_string())),
    }
    p.client()?.publish(&p.publish(&topic, b"end"))?;
    subscriber.take_last(&topic, b"end")
}
