//! Subscription options, subscription identifiers and shared subscriptions of
//! MQTT 5.0 (3.8.2.1.2, 3.8.3.1, 4.8.2).

use std::time::Instant;

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    RETAIN_AVAILABLE, SHARED_SUBSCRIPTION_AVAILABLE, SUBSCRIPTION_IDENTIFIER,
    SUBSCRIPTION_IDENTIFIERS_AVAILABLE, subscription_identifier,
};
use super::subscribe::filter_refused;
use super::wire::{PUBLISH, Publish, Version, subscribe};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::fail;
use crate::wire::Seen;

/// Bits of the subscription options (3.8.3.1).
const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_IF_NEW: u8 = 0x10;
const RETAIN_NEVER: u8 = 0x20;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Subscription options",
    cases: cases! {
        "no-local" Must [V5 "MQTT-3.8.3-3"]
            "With no local a client does not get its own messages, and gets those of others"
            no_local;
        "retain-handling-0" Must [V5 "MQTT-3.3.1-9"]
            "With retain handling 0 every subscription brings the retained message"
            |p| retain_handling(p, 0, true, true);
        "retain-handling-1" Must [V5 "MQTT-3.3.1-10"]
            "With retain handling 1 only a new subscription brings the retained message"
            |p| retain_handling(p, RETAIN_IF_NEW, true, false);
        "retain-handling-2" Must [V5 "MQTT-3.3.1-11"]
            "With retain handling 2 no subscription brings the retained message"
            |p| retain_handling(p, RETAIN_NEVER, false, false);
        "retain-as-published-0" Must [V5 "MQTT-3.3.1-12"]
            "Without retain as published a message is forwarded with RETAIN 0"
            |p| retain_as_published(p, 0, &[(true, false), (false, false)]);
        "retain-as-published-1" Must [V5 "MQTT-3.3.1-13"]
            "With retain as published a message is forwarded with the RETAIN that it came with"
            |p| retain_as_published(p, RETAIN_AS_PUBLISHED, &[(true, true), (false, false)]);
        "identifier" Must [V5 "MQTT-3.3.4-3"]
            "A message carries the identifier of its subscription, up to 268435455"
            identifier;
        "identifier-of-several" Must [V5 "MQTT-3.3.4-4" & "MQTT-3.3.4-5"]
            "A message that matches several subscriptions carries all their identifiers"
            identifier_of_several;
        "identifier-replaced" Must [V5 "MQTT-3.8.4-3"]
            "A subscription that is replaced has the identifier of the new one, or none"
            identifier_replaced;
        "identifier-of-retained" Must [V5 "MQTT-3.3.4-3"]
            "A retained message carries the identifier of the subscription that brings it"
            identifier_of_retained;
        "shared" Must [V5 "4.8.2"]
            "Each message goes to one of the clients that share a subscription"
            shared;
        "shared-and-own" Must [V5 "4.8.2"]
            "Groups and ordinary subscriptions each get a copy of a message"
            shared_and_own;
        "shared-qos" Must [V5 "MQTT-4.8.2-3"]
            "A message is delivered to a group with the QoS granted to that client"
            shared_qos;
        "shared-brings-nothing-retained" Should [V5 "4.8.2"]
            "A shared subscription brings no retained message"
            shared_brings_nothing_retained;
        "shared-no-local" Must [V5 "MQTT-3.8.3-4"]
            "No local on a shared subscription closes the connection"
            shared_no_local;
        // CVE-2025-68699.
        "shared-without-filter" Must [V5 "MQTT-4.8.2-2"]
            "The filter $share/NAME, without a filter behind it, is refused"
            |p| share_refused(p, "$share/group");
        "shared-with-empty-filter" Must [V5 "MQTT-4.8.2-2"]
            "The filter $share/NAME/ with nothing behind it is refused"
            |p| share_refused(p, "$share/group/");
        "shared-without-name" Must [V5 "MQTT-4.8.2-1"]
            "A shared subscription with an empty name is refused"
            |p| share_refused(p, "$share//t");
        "shared-name-with-plus" Must [V5 "MQTT-4.8.2-2"]
            "A shared subscription with + in its name is refused"
            |p| share_refused(p, "$share/g+/t");
        "shared-name-with-hash" Must [V5 "MQTT-4.8.2-2"]
            "A shared subscription with # in its name is refused"
            |p| share_refused(p, "$share/g#/t");
    },
};

fn no_local(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    let mut other = p.client()?;
    client.subscribe(&topic, 1 | NO_LOCAL)?;
    let publish = Publish {
        qos: 1,
        ..p.publish(&topic, b"own")
    };
    client.publish(&publish)?;
    other.publish(&Publish {
        payload: b"another's".to_vec(),
        ..publish
    })?;
    client.take_last(&topic, b"another's")
}

/// Puts a retained message, for as long as `then` takes.
fn with_retained(p: &Play<'_>, topic: &str, then: impl FnOnce(&mut Client) -> Played) -> Played {
    let mut client = p.client()?;
    client.needs(RETAIN_AVAILABLE)?;
    let retained = Publish {
        qos: 1,
        retain: true,
        ..p.publish(topic, b"kept")
    };
    client.publish(&retained)?;
    let played = then(&mut client);
    client.wire.send(
        &Publish {
            qos: 0,
            payload: Vec::new(),
            ..retained
        }
        .bytes(),
    );
    played
}

fn retain_handling(p: &Play<'_>, options: u8, new: bool, again: bool) -> Played {
    let topic = p.name("t");
    with_retained(p, &topic, |client| {
        for expected in [new, again] {
            client.subscribe(&topic, options)?;
            if expected {
                client.take(&topic, b"kept")?;
            } else {
                client.publish(&p.publish(&topic, b"live"))?;
                client.take_last(&topic, b"live")?;
            }
        }
        Ok(())
    })
}

fn retain_as_published(p: &Play<'_>, options: u8, flags: &[(bool, bool)]) -> Played {
    let topic = p.name("t");
    with_retained(p, &topic, |client| {
        client.subscribe(&topic, options | RETAIN_NEVER)?;
        for &(sent, expected) in flags {
            client.publish(&Publish {
                retain: sent,
                ..p.publish(&topic, b"x")
            })?;
            let delivery = client.take(&topic, b"x")?;
            if delivery.retain != expected {
                let expected = format!("RETAIN {}", u8::from(expected));
                return Err(fail(expected, delivery.to_string()));
            }
        }
        Ok(())
    })
}

/// A client of a broker that has subscription identifiers.
fn identifying(p: &Play<'_>) -> Played<Client> {
    let client = p.client()?;
    client.needs(SUBSCRIPTION_IDENTIFIERS_AVAILABLE)?;
    Ok(client)
}

/// The identifiers with the next message, which is this one.
fn identifiers(client: &mut Client, topic: &str, payload: &[u8]) -> Played<(Vec<u32>, String)> {
    let delivery = client.take(topic, payload)?;
    let mut identifiers = delivery.properties.numbers(SUBSCRIPTION_IDENTIFIER);
    identifiers.sort_unstable();
    Ok((identifiers, delivery.to_string()))
}

fn identifier(p: &Play<'_>) -> Played {
    let mut client = identifying(p)?;
    for id in [1, 127, 128, 268_435_455] {
        let topic = format!("{}/{id}", p.name("t"));
        client.subscribe_with(&topic, 0, &subscription_identifier(id))?;
        client.publish(&p.publish(&topic, b"x"))?;
        let (seen, text) = identifiers(&mut client, &topic, b"x")?;
        if seen != [id as u32] {
            return Err(fail(format!("the subscription identifier {id}"), text));
        }
    }
    Ok(())
}

fn identifier_of_several(p: &Play<'_>) -> Played {
    let root = p.name("t");
    let topic = format!("{root}/x");
    let mut client = identifying(p)?;
    client.subscribe_with(&format!("{root}/#"), 0, &subscription_identifier(7))?;
    client.subscribe_with(&format!("{root}/+"), 0, &subscription_identifier(300))?;
    client.publish(&p.publish(&topic, b"x"))?;
    let (mut seen, mut text) = identifiers(&mut client, &topic, b"x")?;
    if seen.len() == 1 {
        // A copy for each subscription, then.
        let (more, next) = identifiers(&mut client, &topic, b"x")?;
        seen.extend(more);
        seen.sort_unstable();
        text = format!("{text}, {next}");
    }
    if seen == [7, 300] {
        Ok(())
    } else {
        Err(fail("the subscription identifiers 7 and 300", text))
    }
}

fn identifier_replaced(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = identifying(p)?;
    for (properties, expected) in [
        (subscription_identifier(1), vec![1]),
        (subscription_identifier(2), vec![2]),
        (Vec::new(), vec![]),
    ] {
        client.subscribe_with(&topic, 0, &properties)?;
        client.publish(&p.publish(&topic, b"x"))?;
        let (seen, text) = identifiers(&mut client, &topic, b"x")?;
        if seen != expected {
            let expected = format!("the subscription identifiers {expected:?}");
            return Err(fail(expected, text));
        }
    }
    Ok(())
}

fn identifier_of_retained(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    with_retained(p, &topic, |_| {
        let mut client = identifying(p)?;
        client.subscribe_with(&topic, 0, &subscription_identifier(9))?;
        let (seen, text) = identifiers(&mut client, &topic, b"kept")?;
        if seen == [9] {
            Ok(())
        } else {
            Err(fail("the subscription identifier 9", text))
        }
    })
}

fn shared_filter(p: &Play<'_>, group: &str) -> String {
    format!("$share/{}/{}", p.name(group), p.name("t"))
}

fn shared(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut members = [p.client()?, p.client()?, p.client()?];
    for member in &mut members {
        member.subscribe(&shared_filter(p, "g"), 1)?;
    }
    let mut publisher = p.client()?;
    let payloads: Vec<_> = (0..12).map(|i| format!("{i:02}").into_bytes()).collect();
    for payload in &payloads {
        publisher.publish(&Publish {
            qos: 1,
            ..p.publish(&topic, payload)
        })?;
    }
    // Each member in turn until none has anything more; what is missing may take as long
    // as an answer.
    let mut seen = Vec::new();
    let mut quiet = 0;
    let mut last = Instant::now();
    while quiet < members.len() || seen.len() < payloads.len() && last.elapsed() < p.ctx.patience {
        for member in &mut members {
            match member.next_within(p.ctx.silence)? {
                Seen::Silence(..) => quiet += 1,
                Seen::Frame(packet) if packet.kind() == PUBLISH => {
                    quiet = 0;
                    last = Instant::now();
                    let delivery = member
                        .delivery(&packet)
                        .map_err(|why| fail("PUBLISH", format!("{why}: {packet}")))?;
                    member.acknowledge(&delivery)?;
                    seen.push(delivery.payload);
                }
                other => return Err(fail("12 messages, each to one client", other.to_string())),
            }
        }
    }
    seen.sort_unstable();
    if seen == payloads {
        Ok(())
    } else {
        let seen: Vec<_> = seen.iter().map(|s| String::from_utf8_lossy(s)).collect();
        Err(fail("12 messages, each to one client", seen.join(" ")))
    }
}

fn shared_and_own(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut clients = [p.client()?, p.client()?, p.client()?];
    for (client, filter) in
        clients
            .iter_mut()
            .zip([shared_filter(p, "g"), shared_filter(p, "h"), topic.clone()])
    {
        client.subscribe(&filter, 0)?;
    }
    p.client()?.publish(&p.publish(&topic, b"x"))?;
    for client in &mut clients {
        client.take(&topic, b"x")?;
    }
    Ok(())
}

fn shared_qos(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut member = p.client()?;
    member.subscribe(&shared_filter(p, "g"), 1)?;
    let mut publisher = p.client()?;
    for (qos, expected) in [(0, 0), (1, 1), (2, 1)] {
        publisher.publish(&Publish {
            qos,
            ..p.publish(&topic, b"x")
        })?;
        let delivery = member.take(&topic, b"x")?;
        if delivery.qos != expected {
            return Err(fail(format!("QoS {expected}"), delivery.to_string()));
        }
    }
    Ok(())
}

fn shared_brings_nothing_retained(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    with_retained(p, &topic, |client| {
        client.subscribe(&shared_filter(p, "g"), 0)?;
        client.publish(&p.publish(&topic, b"live"))?;
        client.take_last(&topic, b"live")
    })
}

fn shared_no_local(p: &Play<'_>) -> Played {
    p.client()?.needs(SHARED_SUBSCRIPTION_AVAILABLE)?;
    let filter = shared_filter(p, "g");
    let bytes = |options| subscribe(Version::V5, 1, &[], &[(filter.as_bytes(), options)]);
    p.refuses(&bytes(0), &bytes(NO_LOCAL))
}

fn share_refused(p: &Play<'_>, filter: &str) -> Played {
    p.client()?.subscribe(&shared_filter(p, "g"), 0)?;
    filter_refused(p, filter)
}
