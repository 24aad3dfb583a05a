//! SUBSCRIBE, UNSUBSCRIBE and what answers them (3.8 to 3.11).

use super::client::Client;
use super::play::{Play, Played};
use super::property::RETAIN_AVAILABLE;
use super::wire::{
    PUBLISH, PUBREL, Publish, SUBACK, UNSUBACK, Version, ack, packet, subscribe, unsubscribe,
};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Subscribing",
    cases: cases! {
        "suback" Must [V31 "SUBSCRIBE", V311 "MQTT-3.8.4-2" & "MQTT-2.3.1-7", V5 "MQTT-3.8.4-2" & "MQTT-2.2.1-6"]
            "A SUBSCRIBE is answered with a SUBACK of its packet identifier"
            suback;
        "suback-per-filter" Must [V31 "SUBSCRIBE", V311 "MQTT-3.8.4-5" & "MQTT-3.9.3-1", V5 "MQTT-3.8.4-6" & "MQTT-3.9.3-1"]
            "A SUBACK has a code for each filter, in their order"
            suback_per_filter;
        "many-filters" Must [V31 "SUBSCRIBE", V311 "MQTT-3.8.4-4", V5 "MQTT-3.8.4-5"]
            "Several filters in one SUBSCRIBE are as many subscriptions"
            many_filters;
        "replaced" Must [V311 "MQTT-3.8.4-3", V5 "MQTT-3.8.4-3"]
            "A second subscription to the same filter replaces the first, with its QoS"
            replaced;
        "replaced-sends-retained" Must [V311 "MQTT-3.8.4-3", V5 "MQTT-3.8.4-4"]
            "A second subscription to the same filter brings the retained message again"
            replaced_sends_retained;
        "overlapping" Must [V311 "MQTT-3.3.5-1", V5 "MQTT-3.3.4-2"]
            "A message that matches several filters is delivered with the highest QoS of them"
            overlapping;
        "filter-hash-not-alone" Must [V311 "MQTT-4.7.1-2", V5 "MQTT-4.7.1-1"]
            "A filter with # behind other characters of its level is refused"
            |p| filter_refused(p, "a/b#");
        "filter-hash-not-last" Must [V311 "MQTT-4.7.1-2", V5 "MQTT-4.7.1-1"]
            "A filter with # before its last level is refused"
            |p| filter_refused(p, "a/#/b");
        "filter-plus-not-alone" Must [V311 "MQTT-4.7.1-3", V5 "MQTT-4.7.1-2"]
            "A filter with + beside other characters of its level is refused"
            |p| filter_refused(p, "a/b+/c");
        "filter-empty" Must [V311 "MQTT-4.7.3-1", V5 "MQTT-4.7.3-1"]
            "An empty filter is refused"
            |p| filter_refused(p, "");
        // CVE-2018-12543, CVE-2019-11779.
        "filter-deep" Must [V311 "MQTT-3.8.4-1", V5 "MQTT-3.8.4-1"]
            "Filter and topic of thousands of slashes are taken or refused, and the broker lives on"
            filter_deep;
        "unsuback" Must [V31 "UNSUBSCRIBE", V311 "MQTT-3.10.4-4", V5 "MQTT-3.10.4-5" & "MQTT-3.10.4-4"]
            "An UNSUBSCRIBE is answered with an UNSUBACK of its packet identifier"
            unsuback;
        "unsuback-of-nothing" Must [V311 "MQTT-3.10.4-5", V5 "MQTT-3.10.4-5"]
            "An UNSUBSCRIBE of what was never subscribed is answered with an UNSUBACK"
            unsuback_of_nothing;
        "unsuback-codes" Must [V5 "MQTT-3.11.3-1" & "MQTT-3.11.3-2"]
            "An UNSUBACK has a code for each filter, in their order"
            unsuback_codes;
        "unsuback-no-subscription" Should [V5 "3.11.3"]
            "An UNSUBACK says which of the subscriptions there were not, with 0x11"
            unsuback_no_subscription;
        "unsubscribed" Must [V31 "UNSUBSCRIBE", V311 "MQTT-3.10.4-2", V5 "MQTT-3.10.4-2"]
            "After the UNSUBACK no new message is delivered"
            unsubscribed;
        "unsubscribe-many" Must [V31 "UNSUBSCRIBE", V311 "MQTT-3.10.4-6", V5 "MQTT-3.10.4-6"]
            "Several filters in one UNSUBSCRIBE end as many subscriptions"
            unsubscribe_many;
        "unsubscribe-by-character" Must [V311 "MQTT-3.10.4-1", V5 "MQTT-3.10.4-1"]
            "An UNSUBSCRIBE ends the subscription to the same filter, not one that it matches"
            unsubscribe_by_character;
        "unsubscribe-in-flight" Must [V311 "MQTT-3.10.4-3", V5 "MQTT-3.10.4-3"]
            "A delivery of QoS 2 that has begun is completed after an UNSUBSCRIBE"
            unsubscribe_in_flight;
        "unsubscribe-with-options" Must [V311 "MQTT-4.8.0-1", V5 "MQTT-4.13.1-1"]
            "An UNSUBSCRIBE with an octet behind its filter closes the connection"
            |p| {
                let sound = unsubscribe(p.version, 1, &[b"t"]);
                let broken = packet(0xA2, &[&sound[2..], &[0]].concat());
                p.refuses(&sound, &broken)
            };
    },
};

fn suback(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    for id in [1, 0x0102, 0xFFFF] {
        let bytes = subscribe(p.version, id, &[], &[(p.name("t").as_bytes(), 0)]);
        let suback = client.request(&bytes, SUBACK)?;
        // Without properties it is the same in all versions but for their length.
        let expected = packet(0x90, &id.to_be_bytes());
        let same = suback.first == expected[0] && suback.id() == Some(id);
        if !same || p.version != Version::V5 && suback.body[2..] != [0] {
            let expected = format!("SUBACK of {id} with the code 0x00");
            return Err(fail(expected, suback.to_string()));
        }
    }
    Ok(())
}

fn suback_per_filter(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let names = ["a", "b", "c", "d"].map(|hint| p.name(hint));
    let requested = [2, 0, 1, 0];
    let filters: Vec<_> = names.iter().map(String::as_bytes).zip(requested).collect();
    let id = client.new_id();
    let suback = client.request(&subscribe(p.version, id, &[], &filters), SUBACK)?;
    let codes = client.codes(&suback)?;
    // A broker may grant less, and a lower QoS tells the places apart still.
    let fits = codes.len() == 4 && codes.iter().zip(requested).all(|(&code, qos)| code <= qos);
    if fits {
        Ok(())
    } else {
        Err(fail(
            "SUBACK with four codes, of at most 02, 00, 01 and 00",
            suback.to_string(),
        ))
    }
}

fn many_filters(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let names = ["a", "b", "c"].map(|hint| p.name(hint));
    let filters: Vec<_> = names.iter().map(|name| (name.as_bytes(), 0)).collect();
    let id = client.new_id();
    client.request(&subscribe(p.version, id, &[], &filters), SUBACK)?;
    for name in &names {
        client.publish(&p.publish(name, b"x"))?;
        client.take(name, b"x")?;
    }
    Ok(())
}

fn replaced(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.subscribe(&topic, 0)?;
    client.subscribe(&topic, 1)?;
    let mut publisher = p.client()?;
    for payload in [b"1", b"2"] {
        publisher.publish(&Publish {
            qos: 1,
            ..p.publish(&topic, payload)
        })?;
        let delivery = client.take(&topic, payload)?;
        if delivery.qos != 1 {
            return Err(fail("QoS 1, once", delivery.to_string()));
        }
    }
    Ok(())
}

fn replaced_sends_retained(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.needs(RETAIN_AVAILABLE)?;
    let retained = Publish {
        qos: 1,
        retain: true,
        ..p.publish(&topic, b"kept")
    };
    client.publish(&retained)?;
    for _ in 0..2 {
        client.subscribe(&topic, 0)?;
        client.take(&topic, b"kept")?;
    }
    client.publish(&Publish {
        payload: Vec::new(),
        ..retained
    })
}

fn overlapping(p: &Play<'_>) -> Played {
    let root = p.name("t");
    let topic = format!("{root}/x");
    let mut client = p.client()?;
    client.subscribe(&format!("{root}/#"), 1)?;
    client.subscribe(&format!("{root}/+"), 0)?;
    let mut publisher = p.client()?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"x")
    })?;
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"end")
    })?;
    // One copy, or one for each subscription with the QoS of that: one of them
    // has QoS 1.
    let mut seen = Vec::new();
    loop {
        let expected = "a copy of the message with QoS 1";
        let delivery = match client.next()? {
            Seen::Frame(packet) if packet.kind() == PUBLISH => client
                .delivery(&packet)
                .map_err(|why| fail(expected, format!("{why}: {packet}")))?,
            other => return Err(fail(expected, format!("{}, then {other}", seen.join(", ")))),
        };
        client.acknowledge(&delivery)?;
        if delivery.payload == b"x" && delivery.qos == 1 {
            return Ok(());
        }
        // Copies of different QoS have no order among them: the second message
        // may come before the copy of the first that is looked for.
        seen.push(delivery.to_string());
        if seen.len() > 3 {
            return Err(fail(expected, seen.join(", ")));
        }
    }
}

/// The broker grants `filters` apart from the one in question, and refuses that
/// one: by a code, or by closing.
pub(super) fn filter_refused(p: &Play<'_>, filter: &str) -> Played {
    p.client()?.subscribe(&p.name("t"), 0)?;
    let mut client = p.client()?;
    let id = client.new_id();
    let filters = [(filter.as_bytes(), 0)];
    client.wire.send(&subscribe(p.version, id, &[], &filters));
    refused(&mut client)
}

/// A SUBACK with a failure, or the end.
pub(super) fn refused(client: &mut Client) -> Played {
    let expected = "SUBACK with a failure, or the connection closed";
    match client.next()? {
        Seen::Frame(suback) if suback.kind() == SUBACK => match client.codes(&suback)?[..] {
            [code] if code >= 0x80 => Ok(()),
            _ => Err(fail(expected, suback.to_string())),
        },
        Seen::Ended(..) => Ok(()),
        Seen::Frame(packet) if packet.first == 0xE0 => client.expect_end(expected),
        other => Err(fail(expected, other.to_string())),
    }
}

fn filter_deep(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    // Not as deep as can be: a broker that is slow at it is shared with the
    // cases that run beside this one.
    client.wire.send(&p.subscribe(&"/".repeat(3000), 0));
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == SUBACK || packet.first == 0xE0 => {}
        Seen::Ended(..) => {}
        other => {
            return Err(fail("SUBACK, or the connection closed", other.to_string()));
        }
    }
    let mut publisher = p.client()?;
    publisher
        .wire
        .send(&p.publish(&"/".repeat(65_535), b"x").bytes());
    match publisher.next_within(p.ctx.silence)? {
        Seen::Silence(..) | Seen::Ended(..) => {}
        Seen::Frame(packet) if packet.first == 0xE0 => {}
        other => {
            return Err(fail("nothing, or the connection closed", other.to_string()));
        }
    }
    p.client()?.disconnect()
}

fn unsuback(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    for id in [1, 0xFFFF] {
        client.subscribe(&topic, 0)?;
        let bytes = unsubscribe(p.version, id, &[topic.as_bytes()]);
        let unsuback = client.request(&bytes, UNSUBACK)?;
        let length = if p.version == Version::V5 { 4 } else { 2 };
        if unsuback.first != 0xB0 || unsuback.id() != Some(id) || unsuback.body.len() < length {
            let expected = format!("UNSUBACK of {id}");
            return Err(fail(expected, unsuback.to_string()));
        }
    }
    Ok(())
}

fn unsuback_of_nothing(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let id = client.new_id();
    let bytes = unsubscribe(p.version, id, &[p.name("t").as_bytes()]);
    let unsuback = client.request(&bytes, UNSUBACK)?;
    match client.codes(&unsuback)?[..] {
        [] if p.version != Version::V5 => Ok(()),
        // "No subscription existed", and a success that does not tell.
        [0x11 | 0x00] if p.version == Version::V5 => Ok(()),
        _ => Err(fail("UNSUBACK, in 5.0 with 0x11", unsuback.to_string())),
    }
}

/// The UNSUBACK for three filters, of which the second was subscribed to.
fn unsubscribe_three(p: &Play<'_>) -> Played<(Vec<u8>, String)> {
    let (a, b, c) = (p.name("a"), p.name("b"), p.name("c"));
    let mut client = p.client()?;
    client.subscribe(&b, 0)?;
    let id = client.new_id();
    let filters = [a.as_bytes(), b.as_bytes(), c.as_bytes()];
    let unsuback = client.request(&unsubscribe(p.version, id, &filters), UNSUBACK)?;
    Ok((client.codes(&unsuback)?, unsuback.to_string()))
}

fn unsuback_codes(p: &Play<'_>) -> Played {
    let (codes, unsuback) = unsubscribe_three(p)?;
    match codes[..] {
        // A broker may find that it is a success to have nothing to end.
        [0x11, 0x00, 0x11] | [0x00, 0x00, 0x00] => Ok(()),
        _ => Err(fail("UNSUBACK with 11 00 11, or 00 for each", unsuback)),
    }
}

fn unsuback_no_subscription(p: &Play<'_>) -> Played {
    let (codes, unsuback) = unsubscribe_three(p)?;
    match codes[..] {
        [0x11, 0x00, 0x11] => Ok(()),
        _ => Err(fail("UNSUBACK with 11 00 11", unsuback)),
    }
}

fn unsubscribed(p: &Play<'_>) -> Played {
    let (first, second) = (p.name("a"), p.name("b"));
    let mut client = p.client()?;
    client.subscribe(&first, 0)?;
    client.subscribe(&second, 0)?;
    client.publish(&p.publish(&first, b"1"))?;
    client.take(&first, b"1")?;
    client.unsubscribe(&first)?;
    client.publish(&p.publish(&first, b"2"))?;
    client.publish(&p.publish(&second, b"end"))?;
    client.take_last(&second, b"end")
}

fn unsubscribe_many(p: &Play<'_>) -> Played {
    let names = ["a", "b", "c"].map(|hint| p.name(hint));
    let mut client = p.client()?;
    for name in &names {
        client.subscribe(name, 0)?;
    }
    let id = client.new_id();
    let filters = [names[0].as_bytes(), names[1].as_bytes()];
    let unsuback = client.request(&unsubscribe(p.version, id, &filters), UNSUBACK)?;
    client.codes(&unsuback)?;
    for name in &names {
        client.publish(&p.publish(name, b"x"))?;
    }
    client.take_last(&names[2], b"x")
}

fn unsubscribe_by_character(p: &Play<'_>) -> Played {
    let root = p.name("t");
    let topic = format!("{root}/x");
    let mut client = p.client()?;
    client.subscribe(&format!("{root}/+"), 0)?;
    let id = client.new_id();
    let all = format!("{root}/#");
    let filters = [topic.as_bytes(), all.as_bytes()];
    let unsuback = client
        .request(&unsubscribe(p.version, id, &filters), UNSUBACK)
        .setup("unsubscribing from what there is no subscription to")?;
    client.codes(&unsuback)?;
    client.publish(&p.publish(&topic, b"x"))?;
    client.take(&topic, b"x").map(drop)
}

fn unsubscribe_in_flight(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.needs_qos(2)?;
    client.subscribe(&topic, 2)?;
    p.client()?.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"x")
    })?;
    let delivery = client.take_unacknowledged(&topic, b"x")?;
    client.unsubscribe(&topic)?;
    client.wire.send(&ack(0x50, delivery.id));
    client.expect_ack(PUBREL, delivery.id)?;
    client.wire.send(&ack(0x70, delivery.id));
    client.settle().map(drop)
}
