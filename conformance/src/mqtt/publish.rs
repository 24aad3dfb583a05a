//! PUBLISH and its acknowledgements: the three qualities of service, from the
//! client to the broker and from the broker to the client (3.3 to 3.7, 4.3).

use super::client::Client;
use super::play::{Play, Played};
use super::wire::{PUBACK, PUBCOMP, PUBREC, PUBREL, Publish, Version, ack};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Publishing",
    cases: cases! {
        "qos0" Must [V31 "PUBLISH", V311 "MQTT-4.3.1-1" & "MQTT-2.3.1-5", V5 "MQTT-4.3.1-1" & "MQTT-2.2.1-2"]
            "A message of QoS 0 is delivered with QoS 0, DUP 0 and RETAIN 0"
            |p| delivered(p, 0);
        "qos1" Must [V31 "PUBLISH", V311 "MQTT-4.3.2-2", V5 "MQTT-4.3.2-4"]
            "A message of QoS 1 is acknowledged with PUBACK, and delivered with QoS 1"
            |p| delivered(p, 1);
        "qos2" Must [V31 "PUBLISH", V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-8" & "MQTT-3.3.4-1"]
            "A message of QoS 2 goes through PUBREC, PUBREL and PUBCOMP, and is delivered once"
            |p| delivered(p, 2);
        "qos2-accepted" Must [V31 "PUBLISH", V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-8"]
            "A message of QoS 2 is answered with a PUBREC, unless a lower maximum QoS was announced"
            |p| {
                let mut client = p.client()?;
                client.needs_announced_qos(2)?;
                let publish = Publish { qos: 2, ..p.publish(&p.name("t"), b"x") };
                client.wire.send(&publish.bytes());
                client.expect_ack(PUBREC, 1)
            };
        "not-authorized" Must [V311 "MQTT-3.3.5-2"]
            "A message to where the client may not publish is acknowledged, or the connection closed"
            not_authorized;
        "packet-id-65535" Must [V311 "MQTT-2.3.1-6", V5 "MQTT-2.2.1-5"]
            "The packet identifier 65535 comes back in PUBACK, PUBREC and PUBCOMP"
            packet_id_65535;
        "no-subscriber" Must [V31 "PUBLISH", V311 "MQTT-3.3.4-1", V5 "MQTT-3.4.2-1"]
            "A message that nobody subscribes to is acknowledged, in 5.0 with 0x00 or 0x10"
            no_subscriber;
        "puback-frees-the-packet-id" Must [V31 "PUBLISH", V311 "MQTT-4.3.2-2", V5 "MQTT-4.3.2-5"]
            "After the PUBACK the same packet identifier is a new message, DUP or not"
            puback_frees;
        // CVE-2023-28366.
        "qos2-duplicate" Must [V31 "PUBLISH", V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-10"]
            "A PUBLISH of QoS 2 sent again before the PUBREL gets a PUBREC and is delivered once"
            qos2_duplicate;
        "pubcomp-frees-the-packet-id" Must [V31 "PUBLISH", V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-12"]
            "After the PUBCOMP the same packet identifier is a new message"
            pubcomp_frees;
        "pubrel-of-nothing" Must [V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-11"]
            "A PUBREL for an unknown packet identifier is answered with a PUBCOMP"
            pubrel_of_nothing;
        "pubrel-twice" Must [V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-11"]
            "A second PUBREL of a packet identifier is answered with a PUBCOMP too"
            pubrel_twice;
        "dup-not-passed-on" Must [V311 "MQTT-3.3.1-3", V5 "MQTT-3.3.1-3"]
            "A message that came with DUP 1 is delivered with DUP 0"
            dup_not_passed_on;
        "packet-ids-differ" Must [V31 "PUBLISH", V311 "MQTT-2.3.1-4", V5 "MQTT-2.2.1-4" & "MQTT-4.3.2-1"]
            "Messages on their way at one time have different packet identifiers, none 0"
            packet_ids_differ;
        "qos2-out" Must [V31 "PUBLISH", V311 "MQTT-4.3.3-1", V5 "MQTT-4.3.3-4"]
            "The broker answers a PUBREC with a PUBREL of the same packet identifier"
            qos2_out;
        "pubrec-with-error" Must [V5 "MQTT-4.4.0-2"]
            "A PUBREC with an error ends the exchange: no PUBREL, and nothing sent again"
            pubrec_with_error;
        "not-resent" Must [V5 "MQTT-4.4.0-1"]
            "A message that is not acknowledged is not sent again over the same connection"
            not_resent;
        "qos-is-the-lower" Must [V31 "SUBSCRIBE", V311 "MQTT-3.8.4-6", V5 "MQTT-3.8.4-8"]
            "A message is delivered with the lower of its own QoS and the granted one"
            |p| lower_qos(p, &[(0, 0), (0, 1), (1, 0), (1, 1)]);
        "qos-is-the-lower-with-2" Must [V311 "MQTT-3.8.4-6", V5 "MQTT-3.8.4-8"]
            "QoS 2, published or granted, is lowered to the other one"
            |p| lower_qos(p, &[(2, 0), (2, 1), (0, 2), (1, 2)]);
        "empty-payload" Must [V31 "PUBLISH", V311 "MQTT-3.3.4-1", V5 "3.3.3"]
            "A message without a payload is delivered"
            |p| round_trip(p, &[&[]]);
        "payload-of-any-octets" Must [V31 "PUBLISH", V311 "MQTT-3.3.4-1", V5 "3.3.3"]
            "All octets of a payload arrive as they are"
            |p| round_trip(p, &[&(0..=255).collect::<Vec<u8>>()]);
        "remaining-length" Must [V31 "PUBLISH", V311 "2.2.3", V5 "2.1.4"]
            "Payloads that make the remaining length one octet longer arrive whole"
            remaining_length;
    },
};

/// What is below `$SYS` is for the broker alone.
fn not_authorized(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let publish = Publish {
        qos: 1,
        ..p.publish(&format!("$SYS/{}", p.name("t")), b"x")
    };
    client.wire.send(&publish.bytes());
    match client.next()? {
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(packet) if packet.first == 0x40 && packet.id() == Some(1) => Ok(()),
        other => Err(fail("PUBACK of 1, or the end", other.to_string())),
    }
}

fn delivered(p: &Play<'_>, qos: u8) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    let mut publisher = p.client()?;
    publisher.needs_qos(qos)?;
    subscriber.subscribe(&topic, qos)?;
    publisher.publish_acknowledged(&Publish {
        qos,
        ..p.publish(&topic, b"once")
    })?;
    let delivery = subscriber.take(&topic, b"once")?;
    if (delivery.qos, delivery.dup, delivery.retain) != (qos, false, false) {
        let expected = format!("QoS {qos}, DUP 0 and RETAIN 0");
        return Err(fail(expected, delivery.to_string()));
    }
    publisher.publish(&Publish {
        qos,
        ..p.publish(&topic, b"end")
    })?;
    subscriber.take_last(&topic, b"end")
}

fn packet_id_65535(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.needs_qos(1)?;
    let publish = Publish {
        qos: 1,
        id: 0xFFFF,
        ..p.publish(&topic, b"x")
    };
    client.wire.send(&publish.bytes());
    client.expect_ack(PUBACK, 0xFFFF)?;
    client.needs_qos(2)?;
    client.wire.send(&Publish { qos: 2, ..publish }.bytes());
    client.expect_ack(PUBREC, 0xFFFF)?;
    client.wire.send(&ack(0x62, 0xFFFF));
    client.expect_ack(PUBCOMP, 0xFFFF)
}

fn no_subscriber(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(1)?;
    let publish = Publish {
        qos: 1,
        ..p.publish(&p.name("t"), b"x")
    };
    let puback = client.request(&publish.bytes(), PUBACK)?;
    match client.ack_code(&puback)? {
        0x00 | 0x10 if puback.id() == Some(1) => Ok(()),
        _ => Err(fail("PUBACK with 0x00 or 0x10", puback.to_string())),
    }
}

/// A publisher, and a subscriber to everything that it publishes.
fn pair(p: &Play<'_>, qos: u8) -> Played<(Client, Client, Publish)> {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    let publisher = p.client()?;
    publisher.needs_qos(qos)?;
    subscriber.subscribe(&topic, 1)?;
    let publish = Publish {
        qos,
        ..p.publish(&topic, b"x")
    };
    Ok((publisher, subscriber, publish))
}

fn puback_frees(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 1)?;
    for (payload, dup) in [(b"1", false), (b"2", false), (b"3", true)] {
        let publish = Publish {
            dup,
            payload: payload.to_vec(),
            ..publish.clone()
        };
        publisher.wire.send(&publish.bytes());
        publisher.expect_ack(PUBACK, 1)?;
        subscriber.take(&p.name("t"), payload)?;
    }
    Ok(())
}

fn qos2_duplicate(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 2)?;
    publisher.wire.send(&publish.bytes());
    publisher.expect_ack(PUBREC, 1)?;
    let again = Publish {
        dup: true,
        ..publish.clone()
    };
    publisher.wire.send(&again.bytes());
    publisher.expect_ack(PUBREC, 1)?;
    publisher.wire.send(&ack(0x62, 1));
    publisher.expect_ack(PUBCOMP, 1)?;
    let topic = p.name("t");
    publisher.publish(&Publish {
        payload: b"end".to_vec(),
        ..publish
    })?;
    subscriber.take(&topic, b"x")?;
    subscriber.take_last(&topic, b"end")
}

fn pubcomp_frees(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 2)?;
    for payload in [b"1", b"2"] {
        let publish = Publish {
            payload: payload.to_vec(),
            ..publish.clone()
        };
        publisher.wire.send(&publish.bytes());
        publisher.expect_ack(PUBREC, 1)?;
        publisher.wire.send(&ack(0x62, 1));
        publisher.expect_ack(PUBCOMP, 1)?;
        subscriber.take(&p.name("t"), payload)?;
    }
    Ok(())
}

fn pubrel_of_nothing(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let pubcomp = client.request(&ack(0x62, 77), PUBCOMP)?;
    match client.ack_code(&pubcomp)? {
        // In 5.0 "packet identifier not found" is the code for it.
        0x00 | 0x92 if pubcomp.id() == Some(77) => Ok(()),
        _ => Err(fail("PUBCOMP [70 .. 00 4D]", pubcomp.to_string())),
    }
}

fn pubrel_twice(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let publish = Publish {
        qos: 2,
        ..p.publish(&p.name("t"), b"x")
    };
    client.wire.send(&publish.bytes());
    client.expect_ack(PUBREC, 1)?;
    client.wire.send(&ack(0x62, 1));
    client.expect_ack(PUBCOMP, 1)?;
    let pubcomp = client.request(&ack(0x62, 1), PUBCOMP)?;
    match client.ack_code(&pubcomp)? {
        0x00 | 0x92 if pubcomp.id() == Some(1) => Ok(()),
        _ => Err(fail("PUBCOMP [70 .. 00 01]", pubcomp.to_string())),
    }
}

fn dup_not_passed_on(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 1)?;
    publisher.publish(&Publish {
        dup: true,
        ..publish
    })?;
    let delivery = subscriber.take(&p.name("t"), b"x")?;
    if delivery.dup {
        return Err(fail("DUP 0", delivery.to_string()));
    }
    Ok(())
}

fn packet_ids_differ(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 1)?;
    for _ in 0..5 {
        publisher.publish(&publish)?;
    }
    let mut ids = Vec::new();
    for _ in 0..5 {
        // That none is 0 is seen as the packet is read.
        let delivery = subscriber.take_unacknowledged(&p.name("t"), b"x")?;
        if ids.contains(&delivery.id) {
            return Err(fail(
                "a packet identifier that is not in use",
                format!("{delivery} after {ids:?}"),
            ));
        }
        ids.push(delivery.id);
    }
    Ok(())
}

fn qos2_out(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.needs_qos(2)?;
    client.subscribe(&topic, 2)?;
    let publish = Publish {
        qos: 2,
        ..p.publish(&topic, b"x")
    };
    let mut publisher = p.client()?;
    publisher.publish(&publish)?;
    let delivery = client.take_unacknowledged(&topic, b"x")?;
    client.wire.send(&ack(0x50, delivery.id));
    let pubrel = client.expect(PUBREL, "PUBREL [62 ..]")?;
    if pubrel.first != 0x62 || pubrel.id() != Some(delivery.id) {
        let expected = format!("PUBREL of {}", delivery.id);
        return Err(fail(expected, pubrel.to_string()));
    }
    client.wire.send(&ack(0x70, delivery.id));
    // The exchange is over: the next one goes through as well.
    publisher.publish(&publish)?;
    client.take(&topic, b"x").map(drop)
}

fn pubrec_with_error(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.needs_qos(2)?;
    client.subscribe(&topic, 2)?;
    let mut publisher = p.client()?;
    publisher.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"unwanted")
    })?;
    let delivery = client.take_unacknowledged(&topic, b"unwanted")?;
    // 0x83: implementation specific error.
    let [high, low] = delivery.id.to_be_bytes();
    client.wire.send(&[0x50, 0x03, high, low, 0x83]);
    client.expect_silence("no PUBREL")?;
    client.sever()?;
    let mut client = p.join(&session)?;
    publisher.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"end")
    })?;
    client.take_last(&topic, b"end")?;
    client.disconnect()?;
    p.forget(&session)
}

fn not_resent(p: &Play<'_>) -> Played {
    let (mut publisher, mut subscriber, publish) = pair(p, 1)?;
    publisher.publish(&publish)?;
    subscriber.take_unacknowledged(&p.name("t"), b"x")?;
    for _ in 0..2 {
        subscriber.expect_silence("nothing sent again")?;
    }
    Ok(())
}

/// Pairs of the QoS that is published and the QoS that is granted.
fn lower_qos(p: &Play<'_>, pairs: &[(u8, u8)]) -> Played {
    for &(published, granted) in pairs {
        let topic = format!("{}/{granted}", p.name("t"));
        let mut subscriber = p.client()?;
        subscriber.subscribe(&topic, granted)?;
        p.client()?.publish(&Publish {
            qos: published,
            ..p.publish(&topic, b"x")
        })?;
        let delivery = subscriber.take(&topic, b"x")?;
        if delivery.qos != published.min(granted) {
            let expected = format!("QoS {}", published.min(granted));
            return Err(fail(expected, delivery.to_string()));
        }
    }
    Ok(())
}

fn round_trip(p: &Play<'_>, payloads: &[&[u8]]) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.subscribe(&topic, 0)?;
    for payload in payloads {
        client.publish(&p.publish(&topic, payload))?;
        client.take(&topic, payload)?;
    }
    Ok(())
}

fn remaining_length(p: &Play<'_>) -> Played {
    let fixed = 2 + p.name("t").len() + usize::from(p.version == Version::V5);
    let payload = |length: usize| vec![b'x'; length - fixed];
    let payloads = [127, 128, 16_383, 16_384].map(payload);
    round_trip(p, &payloads.each_ref().map(|payload| &payload[..]))?;
    const LARGE: usize = 200_000;
    match round_trip(p, &[&payload(LARGE)]) {
        // Before 5.0 a broker that takes no packet of that size has no way to say so.
        Err(Stop::Fail { seen, .. })
            if p.version != Version::V5 && seen.starts_with("the connection ") =>
        {
            Err(not_applicable(format!("to {LARGE} bytes {seen}")))
        }
        played => played,
    }
}
