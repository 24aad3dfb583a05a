//! Enhanced authentication (3.15, 4.12), and the end of a connection (3.14).

use super::play::{Play, Played};
use super::property::{AUTHENTICATION_DATA, AUTHENTICATION_METHOD, text};
use super::wire::{Connect, GOODBYE, PING, packet};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::fail;
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "AUTH and DISCONNECT",
    cases: cases! {
        "method-unsupported" Must [V5 "MQTT-4.12.0-1" & "MQTT-4.12.0-4"]
            "An authentication method that does not exist is refused"
            |p| method_unsupported(p).map(drop);
        "method-unsupported-reason" May [V5 "MQTT-4.12.0-1"]
            "An authentication method that does not exist is refused with 0x8C or 0x87"
            method_unsupported_reason;
        "auth-without-method" Must [V5 "MQTT-4.12.0-7"]
            "An AUTH of a client that named no method closes the connection"
            |p| p.refuses(PING, &reauthenticate());
        "auth-of-nothing" Must [V5 "MQTT-4.12.0-7"]
            "An AUTH without a body, of a client that named no method, closes the connection"
            |p| p.refuses(PING, &[0xF0, 0x00]);
        "auth-flags" Must [V5 "MQTT-3.15.1-1"]
            "An AUTH with a reserved flag closes the connection"
            |p| {
                let mut auth = reauthenticate();
                auth[0] |= 0x01;
                p.refuses(PING, &auth)
            };
        "no-method-no-auth" Must [V5 "MQTT-4.12.0-6"]
            "A client that names no method gets neither AUTH nor a method in its CONNACK"
            no_method_no_auth;
        "closed-after-disconnect" Should [V311 "3.14.4", V5 "3.14.4"]
            "The broker closes the connection after a DISCONNECT"
            closed_after_disconnect;
        // The rule binds the client alone.
        "nothing-after-disconnect" Leniency [V311 "MQTT-3.14.4-2", V5 "MQTT-3.14.4-1"]
            "What a client sends behind its DISCONNECT is not processed"
            nothing_after_disconnect;
        "disconnect-reason" Must [V5 "3.14.2.1"]
            "A DISCONNECT with a reason and a reason string ends the connection in peace"
            |p| {
                p.client()?.wire.send(GOODBYE);
                let mut client = p.client()?;
                let properties = text(0x1F, "that is all");
                let body = [&[0x00, properties.len() as u8], &properties[..]].concat();
                client.wire.send(&packet(0xE0, &body));
                client.expect_end("the connection closed, and nothing before")
            };
    },
};

/// An AUTH that asks for authentication once more.
fn reauthenticate() -> Vec<u8> {
    let method = text(AUTHENTICATION_METHOD, "X-NONE");
    packet(0xF0, &[&[0x19, method.len() as u8], &method[..]].concat())
}

fn method_unsupported(p: &Play<'_>) -> Played<Option<u8>> {
    let connect = Connect {
        properties: [
            text(AUTHENTICATION_METHOD, "X-NO-SUCH-METHOD"),
            text(AUTHENTICATION_DATA, b"\x00\x01"),
        ]
        .concat(),
        ..p.connect()
    };
    p.refuses_connect(&connect.bytes())
}

fn method_unsupported_reason(p: &Play<'_>) -> Played {
    match method_unsupported(p)? {
        Some(0x8C | 0x87) => Ok(()),
        Some(code) => Err(fail(
            "CONNACK with 0x8C or 0x87",
            format!("CONNACK with 0x{code:02X}"),
        )),
        None => Err(fail(
            "CONNACK with 0x8C or 0x87",
            "the connection closed without a CONNACK",
        )),
    }
}

fn no_method_no_auth(p: &Play<'_>) -> Played {
    // Anything but a CONNACK would have stopped it.
    let client = p.client()?;
    if client.connack.properties.has(AUTHENTICATION_METHOD) {
        return Err(fail("no authentication method", client.connack.text));
    }
    Ok(())
}

fn closed_after_disconnect(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.wire.send(GOODBYE);
    client.expect_end("the connection closed")
}

fn nothing_after_disconnect(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 0)?;
    let mut client = p.client()?;
    client
        .wire
        .send(&[GOODBYE, &p.publish(&topic, b"late").bytes(), PING].concat());
    // Whether and when the broker closes is another question. What it says
    // before that is one too.
    while let Seen::Frame(_) = client.next_within(p.ctx.silence)? {}
    p.client()?.publish(&p.publish(&topic, b"end"))?;
    subscriber.take_last(&topic, b"end")
}
