//! What a CONNACK announces is kept by the broker too (5.0, 3.2.2.3).

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    self, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, RECEIVE_MAXIMUM, RETAIN_AVAILABLE,
    SHARED_SUBSCRIPTION_AVAILABLE, SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    WILDCARD_SUBSCRIPTION_AVAILABLE, subscription_identifier,
};
use super::wire::{Connect, PING, PUBREC, Publish, SUBACK, Will, subscribe};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

/// DISCONNECT and CONNACK: QoS not supported, retain not supported.
const QOS_NOT_SUPPORTED: u8 = 0x9B;
const RETAIN_NOT_SUPPORTED: u8 = 0x9A;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Announced limits",
    cases: cases! {
        "maximum-qos-exceeded" Must [V5 "MQTT-4.13.1-1"]
            "A message above the maximum QoS that the broker announces closes the connection"
            |p| qos_exceeded(p).map(drop);
        "maximum-qos-exceeded-reason" Should [V5 "3.2.2.3.4"]
            "A message above the maximum QoS is answered with 0x9B"
            |p| reason(qos_exceeded(p)?, QOS_NOT_SUPPORTED);
        "maximum-qos-subscribed" Must [V5 "MQTT-3.2.2-10"]
            "A broker with a maximum QoS accepts subscriptions of every QoS all the same"
            maximum_qos_subscribed;
        "will-qos-above-the-maximum" Must [V5 "MQTT-3.2.2-12"]
            "A will above the maximum QoS that the broker announces is refused"
            |p| will_qos(p).map(drop);
        "will-qos-above-the-maximum-reason" Should [V5 "MQTT-3.2.2-12"]
            "A will above the maximum QoS is refused with 0x9B"
            |p| reason(will_qos(p)?, QOS_NOT_SUPPORTED);
        "retain-not-available" Must [V5 "MQTT-4.13.1-1"]
            "A retained message closes the connection where the broker announces that there are none"
            |p| retain(p).map(drop);
        "retain-not-available-reason" Should [V5 "3.2.2.3.5"]
            "A retained message where there are none is answered with 0x9A"
            |p| reason(retain(p)?, RETAIN_NOT_SUPPORTED);
        "will-retain-not-available" Must [V5 "MQTT-3.2.2-13"]
            "A will to be retained is refused where the broker announces that nothing is"
            |p| will_retain(p).map(drop);
        "will-retain-not-available-reason" Should [V5 "MQTT-3.2.2-13"]
            "A will to be retained is refused with 0x9A where nothing is retained"
            |p| reason(will_retain(p)?, RETAIN_NOT_SUPPORTED);
        "wildcards-not-available" Must [V5 "3.2.2.3.11"]
            "A filter with a wildcard is refused where the broker announces that there are none"
            |p| refuses_subscription(p, WILDCARD_SUBSCRIPTION_AVAILABLE, &[], "", "/+");
        "identifiers-not-available" Must [V5 "3.2.2.3.12"]
            "A subscription identifier is refused where the broker announces that there are none"
            |p| {
                let identifier = subscription_identifier(7);
                refuses_subscription(p, SUBSCRIPTION_IDENTIFIERS_AVAILABLE, &identifier, "", "")
            };
        "shares-not-available" Must [V5 "3.2.2.3.13"]
            "A shared subscription is refused where the broker announces that there are none"
            |p| refuses_subscription(p, SHARED_SUBSCRIPTION_AVAILABLE, &[], "$share/g/", "");
        "receive-maximum-is-granted" Must [V5 "3.2.2.3.3"]
            "As many messages as the broker's receive maximum may be on their way, up to 500"
            receive_maximum_is_granted;
        "maximum-packet-size-is-granted" Must [V5 "3.2.2.3.6"]
            "A packet of just the maximum packet size that the broker announces is accepted"
            maximum_packet_size_is_granted;
    },
};

/// A client of a broker that announces this as not available.
fn without(p: &Play<'_>, feature: u8) -> Played<Client> {
    let client = p.client()?;
    match client.connack.properties.number(feature) {
        Some(0) => Ok(client),
        _ => Err(not_applicable(format!(
            "{} is not 0 in {}",
            property::name(feature),
            client.connack.text
        ))),
    }
}

/// A client of a broker that announces a maximum QoS, and the one above it.
fn with_maximum_qos(p: &Play<'_>) -> Played<(Client, u8)> {
    let client = p.client()?;
    match client.connack.properties.number(MAXIMUM_QOS) {
        Some(maximum @ (0 | 1)) => Ok((client, maximum as u8 + 1)),
        _ => Err(not_applicable(format!(
            "no maximum QoS in {}",
            client.connack.text
        ))),
    }
}

fn reason(seen: Option<u8>, wanted: u8) -> Played {
    let expected = format!("the reason 0x{wanted:02X}");
    match seen {
        Some(code) if code == wanted => Ok(()),
        Some(code) => Err(fail(expected, format!("0x{code:02X}"))),
        None => Err(fail(expected, "the connection closed without a word")),
    }
}

const REFUSED: &str = "the connection closed, after a DISCONNECT with the error at most";

fn qos_exceeded(p: &Play<'_>) -> Played<Option<u8>> {
    let (client, qos) = with_maximum_qos(p)?;
    let publish = p.publish(&p.name("t"), b"x");
    refuses(client, &Publish { qos, ..publish })
}

/// The message closes the connection. A broker that waits for more of it gets more.
fn refuses(mut client: Client, publish: &Publish) -> Played<Option<u8>> {
    client.wire.send(&[&publish.bytes(), PING].concat());
    client.expect_refusal(REFUSED)
}

fn maximum_qos_subscribed(p: &Play<'_>) -> Played {
    let (mut client, qos) = with_maximum_qos(p)?;
    client.new_id();
    let suback = client.request(&p.subscribe(&p.name("t"), 2), SUBACK)?;
    match client.codes(&suback)?[..] {
        [code] if code < qos => Ok(()),
        _ => Err(fail(
            format!("SUBACK that grants QoS {} or less", qos - 1),
            suback.to_string(),
        )),
    }
}

fn will_qos(p: &Play<'_>) -> Played<Option<u8>> {
    let (_, qos) = with_maximum_qos(p)?;
    refuses_will(p, qos, false)
}

fn will_retain(p: &Play<'_>) -> Played<Option<u8>> {
    without(p, RETAIN_AVAILABLE)?;
    refuses_will(p, 0, true)
}

fn refuses_will(p: &Play<'_>, qos: u8, retain: bool) -> Played<Option<u8>> {
    let connect = Connect {
        will: Some(Will {
            topic: p.name("w").into(),
            qos,
            retain,
            ..Will::default()
        }),
        ..p.connect()
    };
    p.refuses_connect(&connect.bytes())
}

fn retain(p: &Play<'_>) -> Played<Option<u8>> {
    let client = without(p, RETAIN_AVAILABLE)?;
    let publish = p.publish(&p.name("t"), b"x");
    let retain = true;
    refuses(client, &Publish { retain, ..publish })
}

/// Such a SUBSCRIBE is a protocol error where the feature is not there; and the
/// reason code that says so is one of a SUBACK too (3.9.3).
fn refuses_subscription(
    p: &Play<'_>,
    feature: u8,
    properties: &[u8],
    before: &str,
    after: &str,
) -> Played {
    let mut client = without(p, feature)?;
    let filter = format!("{before}{}{after}", p.name("t"));
    client.new_id();
    let filters = [(filter.as_bytes(), 0)];
    client
        .wire
        .send(&subscribe(p.version, 1, properties, &filters));
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == SUBACK => match client.codes(&packet)?[..] {
            [0x80..=0xFF] => Ok(()),
            _ => Err(fail("a SUBACK with an error", packet.to_string())),
        },
        Seen::Frame(packet) if packet.first == 0xE0 && packet.body.first() >= Some(&0x80) => {
            client.expect_end("the connection closed after the DISCONNECT")
        }
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        other => Err(fail(
            "a SUBACK with an error, or the connection closed",
            other.to_string(),
        )),
    }
}

/// So many are enough to see that the limit is meant.
const MANY: u32 = 500;

fn receive_maximum_is_granted(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let announced = client.connack.properties.number(RECEIVE_MAXIMUM);
    // 65,535 where none is announced.
    let count = announced.unwrap_or(u16::MAX.into()).min(MANY) as u16;
    for id in 1..=count {
        let publish = Publish {
            qos: 2,
            id,
            ..p.publish(&p.name("t"), b"x")
        };
        client.wire.send(&publish.bytes());
    }
    for id in 1..=count {
        client.expect_ack(PUBREC, id)?;
    }
    Ok(())
}

fn maximum_packet_size_is_granted(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    let maximum = match client.connack.properties.number(MAXIMUM_PACKET_SIZE) {
        Some(maximum) if maximum <= 1 << 20 => maximum as usize,
        _ => {
            return Err(not_applicable(format!(
                "no maximum packet size of up to 1 MiB in {}",
                client.connack.text
            )));
        }
    };
    let mut payload = vec![b'x'; maximum];
    let size = |payload: &[u8]| p.publish(&topic, payload).bytes().len();
    while size(&payload) > maximum {
        let excess = size(&payload) - maximum;
        if excess > payload.len() {
            return Err(not_applicable(format!(
                "no PUBLISH fits into {maximum} bytes: {}",
                client.connack.text
            )));
        }
        payload.truncate(payload.len() - excess);
    }
    client.subscribe(&topic, 0)?;
    client.wire.send(&p.publish(&topic, &payload).bytes());
    client.settle()
}
