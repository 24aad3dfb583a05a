//! What a broker has again when it is started again. The standard wants a session kept as
//! long as it lasts, and lets a failure of the server end it: what is asked here is what a
//! broker should do.

use super::client::Client;
use super::play::{Play, Played};
use super::wire::{Connect, PUBREC, Publish};
use crate::case::{AFTER_A_RESTART, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: AFTER_A_RESTART,
    cases: cases! {
        "restart-session" Should [V311 "MQTT-4.1.0-1", V5 "MQTT-4.1.0-1"]
            "A session is there again, and its subscription"
            session;
        "restart-queued-qos1" Should [V311 "MQTT-3.1.2-5", V5 "MQTT-4.5.0-1"]
            "Messages of QoS 1 that wait for a client are there again, in order"
            |p| queued(p, 1);
        "restart-queued-qos2" Should [V311 "MQTT-3.1.2-5", V5 "MQTT-4.5.0-1"]
            "Messages of QoS 2 that wait for a client are there again, in order"
            |p| queued(p, 2);
        "restart-in-flight" Should [V311 "MQTT-4.4.0-1", V5 "MQTT-4.4.0-1"]
            "A message that was sent and not acknowledged is sent again"
            in_flight;
        "restart-qos2-in" Should [V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-10"]
            "A message of QoS 2 that is sent again after its PUBREC is delivered once"
            qos2_in;
        "restart-retained" Should [V311 "MQTT-3.3.1-5", V5 "MQTT-3.3.1-5"]
            "A retained message is there again"
            retained;
    },
};

/// A session with a subscription on a broker that can be started again, and its client.
fn subscribed(p: &Play<'_>, qos: u8) -> Played<(Connect, Client)> {
    p.ctx.needs_restart()?;
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.subscribe(&p.name("t"), qos)?;
    Ok((session, client))
}

fn publish(p: &Play<'_>, qos: u8, payload: &[u8]) -> Publish {
    Publish {
        qos,
        ..p.publish(&p.name("t"), payload)
    }
}

fn session(p: &Play<'_>) -> Played {
    let (session, client) = subscribed(p, 1)?;
    client.disconnect()?;
    p.ctx.restart()?;
    let mut client = p.join(&session)?;
    if !client.connack.session_present {
        return Err(fail("session present 1", client.connack.text));
    }
    p.client()?.publish(&publish(p, 1, b"new"))?;
    client.take(&p.name("t"), b"new")?;
    client.disconnect()?;
    p.forget(&session)
}

fn queued(p: &Play<'_>, qos: u8) -> Played {
    let payloads = [b"1", b"2", b"3"];
    let (session, client) = subscribed(p, qos)?;
    client.disconnect()?;
    let mut publisher = p.client()?;
    for payload in payloads {
        publisher.publish(&publish(p, qos, payload))?;
    }
    publisher.disconnect()?;
    p.ctx.restart()?;
    let mut client = p.join(&session)?;
    for payload in payloads {
        client.take(&p.name("t"), payload)?;
    }
    client.disconnect()?;
    p.forget(&session)
}

fn in_flight(p: &Play<'_>) -> Played {
    let (session, mut client) = subscribed(p, 1)?;
    p.client()?.publish(&publish(p, 1, b"x"))?;
    client
        .take_unacknowledged(&p.name("t"), b"x")
        .setup("the first delivery")?;
    drop(client);
    p.ctx.restart()?;
    let mut client = p.join(&session)?;
    client.take(&p.name("t"), b"x")?;
    client.disconnect()?;
    p.forget(&session)
}

fn qos2_in(p: &Play<'_>) -> Played {
    let (receiver, client) = subscribed(p, 2)?;
    client.disconnect()?;
    let session = p.durable();
    let mut sender = p.join(&session)?;
    let message = publish(p, 2, b"once");
    sender.wire.send(&message.bytes());
    sender.expect_ack(PUBREC, 1).setup("the PUBREC")?;
    drop(sender);
    p.ctx.restart()?;
    let mut sender = p.join(&session)?;
    let again = Publish {
        dup: true,
        ..message
    };
    sender.wire.send(&again.bytes());
    sender.expect_ack(PUBREC, 1)?;
    sender.complete(1)?;
    sender.disconnect()?;
    let mut client = p.join(&receiver)?;
    client.take(&p.name("t"), b"once")?;
    p.client()?.publish(&publish(p, 2, b"end"))?;
    client.take_last(&p.name("t"), b"end")?;
    client.disconnect()?;
    p.forget(&receiver)?;
    p.forget(&session)
}

fn retained(p: &Play<'_>) -> Played {
    p.ctx.needs_restart()?;
    let topic = p.name("t");
    let retained = |payload: &[u8]| Publish {
        qos: 1,
        retain: true,
        ..p.publish(&topic, payload)
    };
    p.client()?.publish(&retained(b"kept"))?;
    p.ctx.restart()?;
    let mut client = p.client()?;
    client.subscribe(&topic, 0)?;
    client.take(&topic, b"kept")?;
    p.client()?.publish(&retained(b""))
}
