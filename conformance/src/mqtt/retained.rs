//! Retained messages (3.3.1.3).

use super::client::Client;
use super::play::{Play, Played};
use super::property::RETAIN_AVAILABLE;
use super::wire::Publish;
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Retained messages",
    cases: cases! {
        "new-subscription" Must [V31 "PUBLISH", V311 "MQTT-3.3.1-8", V5 "MQTT-3.3.1-9"]
            "A new subscription brings the retained message, with RETAIN 1"
            new_subscription;
        "live" Must [V31 "PUBLISH", V311 "MQTT-3.3.1-9", V5 "MQTT-3.3.1-12"]
            "A subscription that exists gets the message with RETAIN 0"
            live;
        "newest" Must [V311 "MQTT-3.3.1-5", V5 "MQTT-3.3.1-5"]
            "Of several retained messages of a topic the last is kept"
            newest;
        "replaced-by-qos-0" Must [V311 "MQTT-3.3.1-7", V5 "MQTT-3.3.1-5"]
            "A retained message of QoS 0 takes the place of one of QoS 1"
            replaced_by_qos_0;
        "removed" Must [V31 "PUBLISH", V311 "MQTT-3.3.1-10", V5 "MQTT-3.3.1-6"]
            "A retained message without payload removes the one that was kept"
            removed;
        "empty-is-delivered" Must [V311 "MQTT-3.3.1-10", V5 "MQTT-3.3.1-6"]
            "A retained message without payload is delivered to those who are subscribed"
            empty_is_delivered;
        "empty-is-not-kept" Must [V311 "MQTT-3.3.1-11", V5 "MQTT-3.3.1-7"]
            "A retained message without payload is not kept itself"
            empty_is_not_kept;
        "retain-0-leaves-it" Must [V311 "MQTT-3.3.1-12", V5 "MQTT-3.3.1-8"]
            "A message with RETAIN 0 neither replaces nor removes the one that is kept"
            retain_0_leaves_it;
        "retain-0-not-kept" Must [V311 "MQTT-3.3.1-12", V5 "MQTT-3.3.1-8"]
            "A message with RETAIN 0 is not kept"
            retain_0_not_kept;
        "wildcards" Must [V311 "MQTT-3.3.1-6", V5 "MQTT-3.3.1-9"]
            "A filter with wildcards brings the retained message of every topic that it matches"
            wildcards;
        "dollar" Must [V311 "MQTT-4.7.2-1", V5 "MQTT-4.7.2-1"]
            "A filter that begins with + does not bring a retained message of a topic with $"
            dollar;
        "qos" Must [V311 "MQTT-3.8.4-6", V5 "MQTT-3.8.4-8"]
            "A retained message comes with the lower of its own QoS and the granted one"
            qos;
        "outlives-its-publisher" Must [V311 "MQTT-3.1.2-7", V5 "4.1.0"]
            "A retained message stays when the session of its publisher ends"
            outlives_its_publisher;
    },
};

fn retained(p: &Play<'_>, topic: &str, payload: &[u8]) -> Publish {
    Publish {
        qos: 1,
        retain: true,
        ..p.publish(topic, payload)
    }
}

/// A publisher with these retained messages to its topic.
fn with(p: &Play<'_>, topic: &str, payloads: &[&[u8]]) -> Played<Client> {
    let mut client = p.client()?;
    client.needs(RETAIN_AVAILABLE)?;
    for payload in payloads {
        client.publish(&retained(p, topic, payload))?;
    }
    Ok(client)
}

/// What a new subscription brings, or that it brings nothing but what is live.
fn expect_kept(
    p: &Play<'_>,
    publisher: &mut Client,
    topic: &str,
    payload: Option<&[u8]>,
) -> Played {
    let mut subscriber = p.client()?;
    subscriber.subscribe(topic, 1)?;
    if let Some(payload) = payload {
        let delivery = subscriber.take(topic, payload)?;
        return if delivery.retain {
            Ok(())
        } else {
            Err(fail("RETAIN 1", delivery.to_string()))
        };
    }
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(topic, b"live")
    })?;
    subscriber.take_last(topic, b"live")
}

fn clear(p: &Play<'_>, publisher: &mut Client, topic: &str) -> Played {
    publisher.publish(&retained(p, topic, b""))
}

fn new_subscription(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"kept"])?;
    for _ in 0..2 {
        expect_kept(p, &mut publisher, &topic, Some(b"kept"))?;
    }
    clear(p, &mut publisher, &topic)
}

fn live(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 0)?;
    let mut publisher = with(p, &topic, &[b"x"])?;
    let delivery = subscriber.take(&topic, b"x")?;
    clear(p, &mut publisher, &topic)?;
    if delivery.retain {
        return Err(fail("RETAIN 0", delivery.to_string()));
    }
    Ok(())
}

fn newest(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"old", b"new"])?;
    expect_kept(p, &mut publisher, &topic, Some(b"new"))?;
    clear(p, &mut publisher, &topic)
}

fn replaced_by_qos_0(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"old"])?;
    // That it has come is seen by somebody who is subscribed.
    let mut witness = p.client()?;
    witness.subscribe(&topic, 0)?;
    witness.take(&topic, b"old").setup("the old message")?;
    publisher.publish(&Publish {
        qos: 0,
        ..retained(p, &topic, b"new")
    })?;
    witness.take(&topic, b"new").setup("the new message")?;
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 1)?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"live")
    })?;
    // The broker may discard a retained message of QoS 0 at any time: then
    // there is none, but never the old one.
    let delivery = subscriber.receive("PUBLISH of \"new\"")?;
    if delivery.payload != b"new" && delivery.payload != b"live" {
        return Err(fail("PUBLISH of \"new\"", delivery.to_string()));
    }
    clear(p, &mut publisher, &topic)
}

fn removed(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"kept"])?;
    expect_kept(p, &mut publisher, &topic, Some(b"kept"))?;
    clear(p, &mut publisher, &topic)?;
    expect_kept(p, &mut publisher, &topic, None)
}

fn empty_is_delivered(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 1)?;
    with(p, &topic, &[b"kept", b""])?;
    subscriber.take(&topic, b"kept")?;
    let delivery = subscriber.take(&topic, b"")?;
    if delivery.retain {
        return Err(fail("RETAIN 0", delivery.to_string()));
    }
    Ok(())
}

fn empty_is_not_kept(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b""])?;
    expect_kept(p, &mut publisher, &topic, None)
}

fn retain_0_leaves_it(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"kept"])?;
    for payload in [&b"passing"[..], b""] {
        publisher.publish(&Publish {
            qos: 1,
            ..p.publish(&topic, payload)
        })?;
    }
    expect_kept(p, &mut publisher, &topic, Some(b"kept"))?;
    clear(p, &mut publisher, &topic)
}

fn retain_0_not_kept(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[])?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"passing")
    })?;
    expect_kept(p, &mut publisher, &topic, None)
}

fn wildcards(p: &Play<'_>) -> Played {
    let root = p.name("t");
    let topics = ["a", "b", "b/c"].map(|level| format!("{root}/{level}"));
    let mut publisher = p.client()?;
    publisher.needs(RETAIN_AVAILABLE)?;
    for topic in &topics {
        publisher.publish(&retained(p, topic, b"kept"))?;
    }
    let mut subscriber = p.client()?;
    subscriber.subscribe(&format!("{root}/#"), 1)?;
    // Between topics there is no order.
    let mut seen = Vec::new();
    for _ in &topics {
        let delivery = subscriber.receive("three retained messages")?;
        subscriber.acknowledge(&delivery)?;
        seen.push(String::from_utf8_lossy(&delivery.topic).into_owned());
    }
    seen.sort_unstable();
    for topic in &topics {
        clear(p, &mut publisher, topic)?;
    }
    if seen == topics {
        Ok(())
    } else {
        Err(fail(topics.join(" "), seen.join(" ")))
    }
}

fn dollar(p: &Play<'_>) -> Played {
    let name = p.name("t");
    let topic = format!("$x/{name}");
    let mut publisher = with(p, &topic, &[b"hidden"])?;
    let mut subscriber = p.client()?;
    subscriber.subscribe(&format!("+/{name}"), 1)?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&format!("x/{name}"), b"live")
    })?;
    subscriber.take_last(&format!("x/{name}"), b"live")?;
    clear(p, &mut publisher, &topic)
}

fn qos(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut publisher = with(p, &topic, &[b"kept"])?;
    for granted in [0, 1] {
        let mut subscriber = p.client()?;
        subscriber.subscribe(&topic, granted)?;
        let delivery = subscriber.take(&topic, b"kept")?;
        if delivery.qos != granted {
            return Err(fail(format!("QoS {granted}"), delivery.to_string()));
        }
    }
    clear(p, &mut publisher, &topic)
}

fn outlives_its_publisher(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    with(p, &topic, &[b"kept"])?.disconnect()?;
    let mut publisher = p.client()?;
    expect_kept(p, &mut publisher, &topic, Some(b"kept"))?;
    clear(p, &mut publisher, &topic)
}
