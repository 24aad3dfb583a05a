//! Packets of the wrong form from a client that is connected. Each is refused
//! by closing the connection (3.1.1: 4.8; 5.0: 4.13).

use super::play::{Play, Played};
use super::property::{SESSION_EXPIRY_INTERVAL, byte, four_byte, text};
use super::wire::{
    GOODBYE, PING, Publish, Version, ack, header, packet, string, subscribe, unsubscribe,
};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::fail;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Packets of the wrong form",
    cases: cases! {
        "publish-qos-3" Must [V31 "PUBLISH", V311 "MQTT-3.3.1-4", V5 "MQTT-3.3.1-4"]
            "A PUBLISH with QoS 3 closes the connection"
            |p| publish(p, |publish| publish.qos = 3);
        "publish-dup-qos-0" Must [V311 "MQTT-3.3.1-2", V5 "MQTT-3.3.1-2"]
            "A PUBLISH with DUP and QoS 0 closes the connection"
            |p| publish(p, |publish| publish.dup = true);
        "publish-packet-id-0" Must [V311 "MQTT-2.3.1-1", V5 "MQTT-2.2.1-3"]
            "A PUBLISH with the packet identifier 0 closes the connection"
            |p| publish(p, |publish| (publish.qos, publish.id) = (1, 0));
        "publish-qos2-packet-id-0" Must [V311 "MQTT-2.3.1-1", V5 "MQTT-2.2.1-3"]
            "A PUBLISH of QoS 2 with the packet identifier 0 closes the connection"
            |p| publish(p, |publish| (publish.qos, publish.id) = (2, 0));
        "publish-topic-with-plus" Must [V311 "MQTT-3.3.2-2", V5 "MQTT-3.3.2-2"]
            "A PUBLISH with + in its topic closes the connection"
            |p| publish(p, |publish| publish.topic.extend(b"/+"));
        "publish-topic-with-hash" Must [V311 "MQTT-3.3.2-2", V5 "MQTT-3.3.2-2"]
            "A PUBLISH with # in its topic closes the connection"
            |p| publish(p, |publish| publish.topic.extend(b"/#"));
        // CVE-2021-34432.
        "publish-topic-empty" Must [V311 "MQTT-4.7.3-1", V5 "MQTT-4.7.3-1"]
            "A PUBLISH with an empty topic, and no alias, closes the connection"
            |p| publish(p, |publish| publish.topic.clear());
        "publish-without-topic" Must [V311 "MQTT-3.3.2-1", V5 "MQTT-3.3.2-1"]
            "A PUBLISH without a body closes the connection"
            |p| refuses(p, p.publish(&p.name("t"), b"x").bytes(), packet(0x30, &[]));
        "publish-topic-cut-short" Must [V311 "MQTT-3.3.2-1", V5 "MQTT-3.3.2-1"]
            "A PUBLISH with a topic longer than the packet closes the connection"
            |p| refuses(p, p.publish(&p.name("t"), b"x").bytes(), packet(0x30, b"\x00\x09abc"));
        "publish-without-packet-id" Must [V311 "MQTT-2.3.1-1", V5 "MQTT-2.2.1-3"]
            "A PUBLISH of QoS 1 that ends before its packet identifier closes the connection"
            |p| refuses(p, p.publish(&p.name("t"), b"").bytes(), packet(0x32, &string("t")));
        "subscribe-flags" Must [V311 "MQTT-3.8.1-1", V5 "MQTT-3.8.1-1"]
            "A SUBSCRIBE with 0 for its flags closes the connection"
            |p| flags(p, p.subscribe(&p.name("t"), 0), 0x80);
        "unsubscribe-flags" Must [V311 "MQTT-3.10.1-1", V5 "MQTT-3.10.1-1"]
            "An UNSUBSCRIBE with 0 for its flags closes the connection"
            |p| flags(p, unsubscribe(p.version, 1, &[b"t"]), 0xA0);
        "pubrel-flags" Must [V311 "MQTT-3.6.1-1", V5 "MQTT-3.6.1-1"]
            "A PUBREL with 0 for its flags closes the connection"
            pubrel_flags;
        "pingreq-flags" Must [V311 "MQTT-2.2.2-2", V5 "MQTT-2.1.3-1"]
            "A PINGREQ with a reserved flag closes the connection"
            |p| flags(p, PING, 0xC1);
        "subscribe-packet-id-0" Must [V311 "MQTT-2.3.1-1", V5 "MQTT-2.2.1-3"]
            "A SUBSCRIBE with the packet identifier 0 closes the connection"
            |p| refuses(p, p.subscribe("t", 0), subscribe(p.version, 0, &[], &[(b"t", 0)]));
        "unsubscribe-packet-id-0" Must [V311 "MQTT-2.3.1-1", V5 "MQTT-2.2.1-3"]
            "An UNSUBSCRIBE with the packet identifier 0 closes the connection"
            |p| refuses(
                p,
                unsubscribe(p.version, 1, &[b"t"]),
                unsubscribe(p.version, 0, &[b"t"]),
            );
        "subscribe-without-filter" Must [V311 "MQTT-3.8.3-3", V5 "MQTT-3.8.3-2"]
            "A SUBSCRIBE without a topic filter closes the connection"
            |p| refuses(p, p.subscribe("t", 0), packet(0x82, &header(p.version, 1, &[])));
        "unsubscribe-without-filter" Must [V311 "MQTT-3.10.3-2", V5 "MQTT-3.10.3-2"]
            "An UNSUBSCRIBE without a topic filter closes the connection"
            |p| refuses(
                p,
                unsubscribe(p.version, 1, &[b"t"]),
                packet(0xA2, &header(p.version, 1, &[])),
            );
        "subscribe-without-options" Must [V311 "MQTT-3.8.3-3", V5 "MQTT-3.8.3-2"]
            "A SUBSCRIBE that ends before the options of its filter closes the connection"
            |p| refuses(
                p,
                p.subscribe("t", 0),
                packet(0x82, &[header(p.version, 1, &[]), string("t")].concat()),
            );
        "subscribe-qos-3" Must [V31 "SUBSCRIBE", V311 "MQTT-3.8.3-4", V5 "3.8.3.1"]
            "A SUBSCRIBE for QoS 3 closes the connection"
            |p| refuses(p, p.subscribe("t", 0), p.subscribe("t", 3));
        "subscribe-reserved-option-bits" Must [V311 "MQTT-3.8.3-4", V5 "MQTT-3.8.3-5"]
            "A SUBSCRIBE with a reserved bit in the options closes the connection"
            |p| refuses(p, p.subscribe("t", 0), p.subscribe("t", 0x40));
        "subscribe-retain-handling-3" Must [V5 "3.8.3.1"]
            "A SUBSCRIBE with 3 for the retain handling closes the connection"
            |p| refuses(p, p.subscribe("t", 0x20), p.subscribe("t", 0x30));
        "pingreq-with-a-body" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1" & "MQTT-4.13.2-1"]
            "A PINGREQ with a body closes the connection"
            |p| refuses(p, PING, packet(0xC0, &[0, 0]));
        "puback-without-packet-id" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A PUBACK without a body closes the connection"
            |p| refuses(p, PING, packet(0x40, &[]));
        "pubrel-trailing-octets" Must [V311 "MQTT-4.8.0-1"]
            "A PUBREL with an octet too many closes the connection"
            |p| refuses(p, ack(0x62, 1), packet(0x62, &[0, 1, 0]));
        "connack-from-a-client" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A CONNACK from a client closes the connection"
            |p| from_a_server(p, if p.version == Version::V5 {
                packet(0x20, &[0, 0, 0])
            } else {
                packet(0x20, &[0, 0])
            });
        "suback-from-a-client" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A SUBACK from a client closes the connection"
            |p| from_a_server(p, packet(0x90, &[header(p.version, 1, &[]), vec![0]].concat()));
        "unsuback-from-a-client" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "An UNSUBACK from a client closes the connection"
            |p| from_a_server(p, packet(0xB0, &[0, 1, 0, 0][..if p.version == Version::V5 {
                4
            } else {
                2
            }]));
        "pingresp-from-a-client" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A PINGRESP from a client closes the connection"
            |p| from_a_server(p, packet(0xD0, &[]));
        "type-0" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A packet of type 0 closes the connection"
            |p| from_a_server(p, packet(0x00, &[]));
        "type-15" Must [V311 "MQTT-4.8.0-1"]
            "A packet of type 15 closes the connection"
            |p| from_a_server(p, packet(0xF0, &[]));
        "remaining-length-of-five-octets" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "A remaining length of five octets closes the connection"
            |p| p.refuses_unframed(PING, &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01]);
        "remaining-length-not-minimal" Must [V5 "MQTT-1.5.5-1"]
            "A remaining length of 0 in two octets closes the connection"
            |p| refuses(p, PING, vec![0xC0, 0x80, 0x00]);
        "publish-property-length-of-five-octets" Must [V5 "1.5.5"]
            "A PUBLISH with a property length of five octets closes the connection"
            |p| property_length(p, &[0x80, 0x80, 0x80, 0x80, 0x00]);
        "publish-property-length-not-minimal" Must [V5 "MQTT-1.5.5-1"]
            "A PUBLISH with a property length of 0 in two octets closes the connection"
            |p| property_length(p, &[0x80, 0x00]);
        "publish-property-length-past-the-end" Must [V5 "2.2.2.1"]
            "A PUBLISH with a property length beyond its end closes the connection"
            |p| property_length(p, &[0x7F]);
        "publish-without-property-length" Must [V5 "MQTT-2.2.2-1"]
            "A PUBLISH without a property length closes the connection"
            |p| property_length(p, &[]);
        "publish-payload-format-2" Should [V5 "3.3.2.3.2"]
            "A payload format indicator that is neither 0 nor 1 closes the connection"
            |p| publish(p, |publish| publish.properties = byte(0x01, 2));
        "publish-property-twice" Must [V5 "3.3.2.3.3"]
            "A message expiry interval that comes twice closes the connection"
            |p| publish(p, |publish| publish.properties = four_byte(0x02, 60).repeat(2));
        "publish-property-of-another-packet" Must [V5 "2.2.2.2"]
            "A PUBLISH with a session expiry interval closes the connection"
            |p| publish(p, |publish| {
                publish.properties = four_byte(SESSION_EXPIRY_INTERVAL, 60);
            });
        "publish-property-unknown" Must [V5 "2.2.2.2"]
            "A PUBLISH with a property that does not exist closes the connection"
            |p| publish(p, |publish| publish.properties = byte(0x7E, 0));
        "publish-subscription-identifier" Must [V5 "MQTT-3.3.4-6"]
            "A PUBLISH with a subscription identifier from a client closes the connection"
            |p| publish(p, |publish| publish.properties = byte(0x0B, 1));
        "publish-response-topic-with-wildcard" Must [V5 "MQTT-3.3.2-14"]
            "A PUBLISH with a wildcard in its response topic closes the connection"
            |p| publish(p, |publish| publish.properties = text(0x08, "reply/#"));
        "subscription-identifier-0" Must [V5 "3.8.2.1.2"]
            "A SUBSCRIBE with the subscription identifier 0 closes the connection"
            |p| subscription_identifiers(p, &[0x0B, 0]);
        "subscription-identifier-twice" Must [V5 "3.8.2.1.2"]
            "A SUBSCRIBE with two subscription identifiers closes the connection"
            |p| subscription_identifiers(p, &[0x0B, 1, 0x0B, 2]);
        "subscribe-property-of-another-packet" Must [V5 "2.2.2.2"]
            "A SUBSCRIBE with a topic alias closes the connection"
            |p| subscription_identifiers(p, &[0x23, 0, 1]);
        "disconnect-flags" Must [V311 "MQTT-3.14.1-1", V5 "MQTT-3.14.1-1"]
            "A DISCONNECT with a reserved flag is no clean one: the will is published"
            super::will::disconnect_flags;
        "disconnect-session-expiry-from-0" Must [V5 "3.14.2.2.2"]
            "A DISCONNECT that sets a session expiry where there was none is refused"
            disconnect_session_expiry;
        "malformed-reason" Should [V5 "4.13.1"]
            "A malformed packet is answered with a DISCONNECT that says 0x81"
            |p| reason(p, 0x81, &packet(0x80, &header(p.version, 1, &[])));
        "protocol-error-reason" Should [V5 "4.13.1"]
            "A protocol error is answered with a DISCONNECT that says 0x82"
            |p| reason(p, 0x82, &p.connect().bytes());
    },
};

fn refuses(p: &Play<'_>, sound: impl AsRef<[u8]>, broken: impl AsRef<[u8]>) -> Played {
    p.refuses(sound.as_ref(), broken.as_ref())
}

/// A PUBLISH that is sound, and refused after `change`.
pub(super) fn publish(p: &Play<'_>, change: impl FnOnce(&mut Publish)) -> Played {
    let sound = p.publish(&p.name("t"), b"x");
    let mut broken = sound.clone();
    change(&mut broken);
    p.refuses(&sound.bytes(), &broken.bytes())
}

/// A sound packet, and the same with another first octet.
fn flags(p: &Play<'_>, sound: impl AsRef<[u8]>, first: u8) -> Played {
    let mut broken = sound.as_ref().to_vec();
    broken[0] = first;
    p.refuses(sound.as_ref(), &broken)
}

fn pubrel_flags(p: &Play<'_>) -> Played {
    let publish = Publish {
        qos: 2,
        ..p.publish(&p.name("t"), b"x")
    };
    p.refuses_after(&publish.bytes(), &ack(0x62, 1), &ack(0x60, 1))
}

/// What only a server sends, or nobody.
fn from_a_server(p: &Play<'_>, bytes: impl AsRef<[u8]>) -> Played {
    p.refuses(PING, bytes.as_ref())
}

fn property_length(p: &Play<'_>, length: &[u8]) -> Played {
    let topic = string(p.name("t"));
    let sound = packet(0x30, &[&topic, &[0][..]].concat());
    p.refuses(&sound, &packet(0x30, &[&topic, length].concat()))
}

fn subscription_identifiers(p: &Play<'_>, properties: &[u8]) -> Played {
    p.refuses(
        &p.subscribe("t", 0),
        &subscribe(p.version, 1, properties, &[(b"t", 0)]),
    )
}

fn disconnect_session_expiry(p: &Play<'_>) -> Played {
    p.client()?.wire.send(GOODBYE);
    let mut client = p.client()?;
    let properties = four_byte(SESSION_EXPIRY_INTERVAL, 60);
    let body = [&[0x00, properties.len() as u8], &properties[..]].concat();
    client.wire.send(&packet(0xE0, &body));
    // What is said before the end is a SHOULD (4.13).
    client.expect_refusal("the connection closed").map(drop)
}

/// The broker should say why it closes after these bytes.
pub(super) fn reason(p: &Play<'_>, code: u8, broken: &[u8]) -> Played {
    let mut client = p.client()?;
    client.wire.send(broken);
    let expected = format!("DISCONNECT with 0x{code:02X}");
    match client.expect_refusal(&expected)? {
        Some(seen) if seen == code => Ok(()),
        Some(seen) => Err(fail(expected, format!("DISCONNECT with 0x{seen:02X}"))),
        None => Err(fail(expected, "the connection closed without a DISCONNECT")),
    }
}
