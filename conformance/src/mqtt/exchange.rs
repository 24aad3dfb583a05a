//! The exchanges of a delivery: what comes first, in which order, with which
//! codes, and to whom of those who share a subscription.

use std::time::Duration;

use super::client::Client;
use super::play::{Play, Played};
use super::wire::{PUBCOMP, PUBLISH, PUBREC, PUBREL, Publish, SUBACK, ack, packet, subscribe};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Exchanges",
    cases: cases! {
        "one-connack" Must [V5 "MQTT-3.2.0-2"]
            "A client gets one CONNACK and no more"
            |p| p.client()?.expect_silence("nothing after the CONNACK");
        "keep-alive-0" Must [V31 "CONNECT", V311 "3.1.2.10", V5 "3.1.2.10"]
            "A client with a keep alive of 0 may be silent"
            super::timed(keep_alive_0);
        "suback-codes-in-range" Must [V311 "MQTT-3.9.3-2", V5 "MQTT-3.9.3-2" & "MQTT-3.8.4-7"]
            "A SUBACK grants no more than was asked for, or has a failure"
            suback_codes_in_range;
        "first-without-dup-qos1" Must [V5 "MQTT-4.3.2-2"]
            "A message of QoS 1 comes with DUP 0 and a packet identifier at first"
            |p| first_without_dup(p, 1);
        "first-without-dup-qos2" Must [V5 "MQTT-4.3.3-2"]
            "A message of QoS 2 comes with DUP 0 and a packet identifier at first"
            |p| first_without_dup(p, 2);
        "pubrels-in-order" Must [V311 "MQTT-4.6.0-4", V5 "MQTT-4.6.0-4"]
            "PUBRELs come in the order of the PUBRECs"
            pubrels_in_order;
        "pubrec-code" Must [V5 "MQTT-3.5.2-1"]
            "A PUBREC has a code that one may have"
            pubrec_code;
        "pubrel-code" Must [V5 "MQTT-3.6.2-1"]
            "A PUBREL has a code that one may have"
            pubrel_code;
        "pubcomp-code" Must [V5 "MQTT-3.7.2-1"]
            "A PUBCOMP for an unknown packet identifier has a code that one may have"
            |p| {
                let mut client = p.client()?;
                client.needs_qos(2)?;
                client.wire.send(&ack(0x62, 77));
                let pubcomp = client.expect(PUBCOMP, "PUBCOMP")?;
                expect_code(&client, &pubcomp, &[0x00, 0x92])
            };
        "shared-qos2-completed" Must [V5 "MQTT-4.8.2-4"]
            "A message of QoS 2 that was begun for one who shares is completed for that one"
            shared_qos2_completed;
        "shared-refused" Must [V5 "MQTT-4.8.2-6"]
            "A message that one who shares refuses with an error goes to no other"
            shared_refused;
    },
};

fn keep_alive_0(p: &Play<'_>) -> Played {
    if p.ctx.target.profile.keep_alive != 0 {
        return Err(not_applicable("the broker refuses a keep alive of 0"));
    }
    let mut client = p.client()?;
    client
        .connack
        .properties
        .number(super::property::SERVER_KEEP_ALIVE)
        .filter(|seconds| *seconds != 0)
        .map_or(Ok(()), |_| Err(not_applicable(client.connack.text.clone())))?;
    p.ctx.sleep(Duration::from_millis(2500))?;
    client.settle()
}

fn suback_codes_in_range(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let filters = [p.name("a"), p.name("b"), p.name("c")];
    let asked: Vec<(&[u8], u8)> = filters
        .iter()
        .zip(0..)
        .map(|(filter, qos)| (filter.as_bytes(), qos))
        .collect();
    let id = client.new_id();
    let suback = client.request(&subscribe(p.version, id, &[], &asked), SUBACK)?;
    let codes = client.codes(&suback)?;
    let within = codes
        .iter()
        .zip(0..)
        .all(|(code, qos): (&u8, u8)| *code <= qos || *code >= 0x80);
    if codes.len() == 3 && within {
        Ok(())
    } else {
        Err(fail(
            "SUBACK with up to 0, 1 and 2, or failures",
            suback.to_string(),
        ))
    }
}

fn first_without_dup(p: &Play<'_>, qos: u8) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, qos)?;
    p.client()?.publish(&Publish {
        qos,
        ..p.publish(&topic, b"x")
    })?;
    // That the packet identifier is not 0 is seen as the packet is read.
    let delivery = subscriber.take_unacknowledged(&topic, b"x")?;
    if delivery.dup || delivery.qos != qos {
        let expected = format!("DUP 0 and QoS {qos}");
        return Err(fail(expected, delivery.to_string()));
    }
    Ok(())
}

fn pubrels_in_order(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 2)?;
    let mut publisher = p.client()?;
    let payloads = [b"1", b"2", b"3"];
    for payload in payloads {
        publisher.publish(&Publish {
            qos: 2,
            ..p.publish(&topic, payload)
        })?;
    }
    let mut ids = Vec::new();
    for payload in payloads {
        ids.push(subscriber.take_unacknowledged(&topic, payload)?.id);
    }
    let pubrecs: Vec<u8> = ids.iter().flat_map(|id| ack(0x50, *id)).collect();
    subscriber.wire.send(&pubrecs);
    for id in ids {
        subscriber.expect_ack(PUBREL, id)?;
    }
    Ok(())
}

fn expect_code(client: &Client, packet: &super::wire::Packet, codes: &[u8]) -> Played {
    let code = client.ack_code(packet)?;
    if codes.contains(&code) {
        Ok(())
    } else {
        Err(fail(
            format!("one of the codes {}", crate::transcript::hex_line(codes)),
            packet.to_string(),
        ))
    }
}

fn pubrec_code(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let publish = Publish {
        qos: 2,
        ..p.publish(&p.name("t"), b"x")
    };
    client.wire.send(&publish.bytes());
    let pubrec = client.expect(PUBREC, "PUBREC")?;
    let codes = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    expect_code(&client, &pubrec, &codes)
}

fn pubrel_code(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 2)?;
    p.client()?.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"x")
    })?;
    let delivery = subscriber.take_unacknowledged(&topic, b"x")?;
    subscriber.wire.send(&ack(0x50, delivery.id));
    let pubrel = subscriber.expect(PUBREL, "PUBREL")?;
    expect_code(&subscriber, &pubrel, &[0x00, 0x92])
}

fn shared_filter(p: &Play<'_>) -> String {
    format!("$share/{}/{}", p.name("g"), p.name("t"))
}

fn shared_qos2_completed(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = p.durable();
    let mut member = p.join(&session)?;
    member.subscribe(&shared_filter(p), 2)?;
    p.client()?.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"x")
    })?;
    let delivery = member.take_unacknowledged(&topic, b"x")?;
    let mut other = p.client()?;
    other.subscribe(&shared_filter(p), 2)?;
    member.wire.send(&ack(0x50, delivery.id));
    member
        .expect_ack(PUBREL, delivery.id)
        .setup("the PUBREL before the connection is lost")?;
    member.sever()?;
    let mut member = p.join(&session)?;
    member.expect_ack(PUBREL, delivery.id)?;
    member.wire.send(&ack(0x70, delivery.id));
    other.expect_silence("nothing for the other one")?;
    member.disconnect()?;
    p.forget(&session)
}

fn shared_refused(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut member = p.client()?;
    member.subscribe(&shared_filter(p), 1)?;
    let mut publisher = p.client()?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"x")
    })?;
    let delivery = member.take_unacknowledged(&topic, b"x")?;
    let mut other = p.client()?;
    other.subscribe(&shared_filter(p), 1)?;
    // Implementation specific error.
    let refusal = [&delivery.id.to_be_bytes()[..], &[0x83]].concat();
    member.wire.send(&packet(0x40, &refusal));
    member.settle()?;
    match other.next_within(p.ctx.silence)? {
        Seen::Silence(..) => Ok(()),
        Seen::Frame(packet) if packet.kind() == PUBLISH => {
            Err(fail("nothing for the other one", packet.to_string()))
        }
        other => Err(fail("nothing for the other one", other.to_string())),
    }
}
