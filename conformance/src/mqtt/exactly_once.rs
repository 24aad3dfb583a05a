//! QoS 2 to its end, whatever happens on the way (4.3.3, 4.8.2).

use std::time::Duration;

use super::play::{Play, Played};
use super::property::{MAXIMUM_QOS, MESSAGE_EXPIRY_INTERVAL, four_byte};
use super::wire::{PUBACK, PUBCOMP, PUBREC, Publish, ack};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Exactly once",
    cases: cases! {
        "ids-differ" Must [V5 "MQTT-4.3.3-1"]
            "Messages of QoS 2 on their way to a client have packet identifiers that differ"
            ids_differ;
        "expiry-after-publish" Must [V5 "MQTT-4.3.3-7"]
            "A message of which the PUBLISH was sent does not expire any more"
            super::timed(expiry_after_publish);
        "expiry-before-pubrel" Must [V5 "MQTT-4.3.3-13"]
            "A PUBREL is answered although the message has expired since its PUBLISH"
            super::timed(expiry_before_pubrel);
        "refused-id-is-free" Must [V5 "MQTT-4.3.3-9"]
            "After a PUBREC with an error the same packet identifier is a new message"
            refused_id_is_free;
        "shared-session-ended" Must [V5 "MQTT-4.8.2-5"]
            "A message that was begun for one who shares, and whose session ends, goes to no other"
            shared_session_ended;
        "no-maximum-qos" Must [V5 "MQTT-3.2.2-9"]
            "A broker that announces no maximum QoS takes messages of QoS 1 and 2"
            no_maximum_qos;
    },
};

/// Longer than a message with an expiry interval of 1 s lives.
const EXPIRED: Duration = Duration::from_millis(2200);

fn exactly_once(p: &Play<'_>, payload: &[u8]) -> Publish {
    Publish {
        qos: 2,
        ..p.publish(&p.name("t"), payload)
    }
}

/// A message of QoS 2 that lives for one second.
fn short_lived(p: &Play<'_>, payload: &[u8]) -> Publish {
    Publish {
        properties: four_byte(MESSAGE_EXPIRY_INTERVAL, 1),
        ..exactly_once(p, payload)
    }
}

fn ids_differ(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 2)?;
    let mut publisher = p.client()?;
    let payloads = [b"1", b"2", b"3", b"4"];
    for payload in payloads {
        publisher.publish(&exactly_once(p, payload))?;
    }
    let mut ids = Vec::new();
    for payload in payloads {
        let delivery = subscriber.take_unacknowledged(&topic, payload)?;
        if ids.contains(&delivery.id) {
            return Err(fail("a packet identifier not in use", delivery.to_string()));
        }
        ids.push(delivery.id);
    }
    Ok(())
}

fn expiry_after_publish(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.subscribe(&topic, 2)?;
    p.client()?.publish(&short_lived(p, b"x"))?;
    let first = client
        .take_unacknowledged(&topic, b"x")
        .setup("the first delivery")?;
    client.sever()?;
    p.ctx.sleep(EXPIRED)?;
    let mut client = p.join(&session)?;
    let again = client.take(&topic, b"x")?;
    client.disconnect()?;
    p.forget(&session)?;
    if again.id == first.id {
        Ok(())
    } else {
        let expected = format!("PUBLISH again with the packet identifier {}", first.id);
        Err(fail(expected, again.to_string()))
    }
}

fn expiry_before_pubrel(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    client.wire.send(&short_lived(p, b"x").bytes());
    client.expect_ack(PUBREC, 1).setup("the PUBREC")?;
    p.ctx.sleep(EXPIRED)?;
    client.wire.send(&ack(0x62, 1));
    client.expect_ack(PUBCOMP, 1)
}

/// What is published below `$SYS` is for the broker alone, and most refuse it.
fn refused_id_is_free(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 2)?;
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let refused = Publish {
        topic: format!("$SYS/{topic}").into(),
        ..exactly_once(p, b"refused")
    };
    client.wire.send(&refused.bytes());
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == PUBREC && client.ack_code(&packet)? >= 0x80 => {}
        other => {
            return Err(not_applicable(format!(
                "a message below $SYS is not refused with a PUBREC: {other}"
            )));
        }
    }
    client.wire.send(&exactly_once(p, b"new").bytes());
    client.expect_ack(PUBREC, 1)?;
    client.wire.send(&ack(0x62, 1));
    client.expect_ack(PUBCOMP, 1)?;
    subscriber.take(&topic, b"new").map(drop)
}

fn shared_session_ended(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let filter = format!("$share/{}/{topic}", p.name("g"));
    let mut member = p.client()?;
    member.subscribe(&filter, 2)?;
    let mut publisher = p.client()?;
    publisher.publish(&exactly_once(p, b"begun"))?;
    member
        .take_unacknowledged(&topic, b"begun")
        .setup("the delivery to the first one")?;
    let mut other = p.client()?;
    other.subscribe(&filter, 2)?;
    // It has no session expiry interval: its session ends with its connection.
    member.sever()?;
    publisher.publish(&exactly_once(p, b"next"))?;
    other.take_last(&topic, b"next")
}

fn no_maximum_qos(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    if client.connack.properties.number(MAXIMUM_QOS).is_some() {
        return Err(not_applicable(client.connack.text));
    }
    let publish = Publish {
        qos: 1,
        ..p.publish(&p.name("t"), b"x")
    };
    client.wire.send(&publish.bytes());
    client.expect_ack(PUBACK, 1)?;
    client.wire.send(&exactly_once(p, b"x").bytes());
    client.expect_ack(PUBREC, 1)?;
    client.wire.send(&ack(0x62, 1));
    client.expect_ack(PUBCOMP, 1)
}
