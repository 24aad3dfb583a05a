//! Sessions that outlive their connection (3.1.2.4, 4.1) and what is sent
//! again in them (4.4).

use std::time::Duration;

use super::client::Client;
use super::play::{Play, Played};
use super::property::{SESSION_EXPIRY_INTERVAL, four_byte};
use super::wire::{Connect, PUBREC, PUBREL, Publish, ack, packet};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Sessions",
    cases: cases! {
        "resumed" Must [V311 "MQTT-3.2.2-2" & "MQTT-3.1.3-2" & "MQTT-4.1.0-1", V5 "MQTT-3.2.2-3" & "MQTT-3.1.3-2"]
            "A session that exists is resumed, and the CONNACK says so"
            resumed;
        "not-present" Must [V311 "MQTT-3.2.2-3", V5 "MQTT-3.1.2-6"]
            "Where there is no session the CONNACK says so, and a new one is made"
            not_present;
        "clean-start" Must [V311 "MQTT-3.1.2-6" & "MQTT-3.1.4-3", V5 "MQTT-3.1.2-4" & "MQTT-3.1.4-4"]
            "A clean start discards the session, its subscriptions and messages"
            clean_start;
        "clean-start-not-present" Must [V311 "MQTT-3.2.2-1", V5 "MQTT-3.2.2-2"]
            "The CONNACK to a clean start says that no session is present"
            |p| {
                let session = p.durable();
                p.join(&session)?.disconnect()?;
                expect_present(p, &Connect { clean: true, ..session.clone() }, false)?.disconnect()?;
                p.forget(&session)
            };
        "clean-session-not-kept" Must [V311 "MQTT-3.1.2-6"]
            "A clean session ends with its connection"
            |p| ends(p, &p.connect(), |client| client.sever());
        "subscription-kept" Must [V31 "CONNECT", V311 "MQTT-3.1.2-4", V5 "MQTT-3.1.2-5"]
            "A subscription is part of the session"
            subscription_kept;
        "subscription-ended" Must [V311 "MQTT-3.1.2-4", V5 "MQTT-3.1.2-5"]
            "A subscription that was ended stays ended in the session"
            subscription_ended;
        "messages-kept" Must [V31 "CONNECT", V311 "MQTT-3.1.2-5" & "MQTT-4.5.0-1", V5 "MQTT-4.5.0-1"]
            "Messages of QoS 1 wait for the client, in their order"
            |p| messages_kept(p, 1);
        "messages-kept-qos2" Must [V311 "MQTT-3.1.2-5", V5 "MQTT-4.5.0-1"]
            "Messages of QoS 2 wait for the client, in their order"
            |p| messages_kept(p, 2);
        "resent-qos1" Must [V31 "PUBLISH", V311 "MQTT-4.4.0-1" & "MQTT-2.3.1-3", V5 "MQTT-4.4.0-1" & "MQTT-4.3.2-3"]
            "An unacknowledged PUBLISH of QoS 1 is sent again, with its packet identifier"
            |p| resent(p, 1);
        "resent-qos2" Must [V31 "PUBLISH", V311 "MQTT-4.4.0-1", V5 "MQTT-4.4.0-1" & "MQTT-4.3.3-3"]
            "A PUBLISH of QoS 2 without PUBREC is sent again, with its packet identifier"
            |p| resent(p, 2);
        "resent-with-dup" Must [V31 "PUBLISH", V311 "MQTT-3.3.1-1", V5 "MQTT-3.3.1-1"]
            "A PUBLISH that is sent again has DUP 1"
            resent_with_dup;
        "resent-in-order" Must [V311 "MQTT-4.6.0-6", V5 "MQTT-4.6.0-6"]
            "Messages that are sent again come in their order"
            resent_in_order;
        "acknowledged-not-resent" Must [V311 "MQTT-4.3.2-1", V5 "MQTT-4.4.0-1"]
            "A message that was acknowledged is not sent again"
            acknowledged_not_resent;
        "pubrel-resent" Must [V311 "MQTT-4.4.0-1", V5 "MQTT-4.4.0-1" & "MQTT-4.3.3-5" & "MQTT-4.3.3-6"]
            "A PUBREL without PUBCOMP is sent again, and not its PUBLISH"
            pubrel_resent;
        "qos2-in-survives" Must [V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-10"]
            "A PUBLISH of QoS 2 sent again in a resumed session is not a new message"
            qos2_in_survives;
        "pubrel-in-survives" Must [V311 "MQTT-4.3.3-2", V5 "MQTT-4.3.3-11"]
            "A PUBREL sent in a resumed session is answered with PUBCOMP"
            pubrel_in_survives;
        "takeover-resumes" Must [V311 "MQTT-3.1.2-4", V5 "MQTT-4.1.0-1"]
            "A second connection of the client takes over the session with its messages"
            takeover_resumes;
        "expiry-absent" Must [V5 "3.1.2.11.2"]
            "Without a session expiry interval the session ends with the connection"
            |p| ends(
                p,
                &Connect { properties: Vec::new(), ..p.durable() },
                |client| client.disconnect(),
            );
        "expiry-0" Must [V5 "MQTT-3.1.2-23"]
            "With a session expiry interval of 0 the session ends with the connection"
            |p| ends(
                p,
                &Connect { properties: four_byte(SESSION_EXPIRY_INTERVAL, 0), ..p.durable() },
                |client| client.sever(),
            );
        "expiry-passes" Must [V5 "MQTT-4.1.0-2"]
            "A session ends when its expiry interval has passed"
            super::timed(expiry_passes);
        "expiry-never" Must [V5 "MQTT-3.1.2-23"]
            "A session with the expiry interval 0xFFFFFFFF is kept"
            super::timed(expiry_never);
        "expiry-by-disconnect" Must [V5 "3.14.2.2.2"]
            "A session expiry interval of 0 in the DISCONNECT ends the session"
            |p| ends(p, &p.durable(), |mut client| {
                let properties = four_byte(SESSION_EXPIRY_INTERVAL, 0);
                client.wire.send(&packet(0xE0, &[&[0, 5], &properties[..]].concat()));
                client.sever()
            });
        "clean-start-then-kept" Must [V5 "MQTT-3.1.2-23"]
            "A session that began with a clean start is kept by its expiry interval"
            |p| {
                let session = p.durable();
                p.join(&Connect { clean: true, ..session.clone() })?.disconnect()?;
                expect_present(p, &session, true)?.disconnect()?;
                p.forget(&session)
            };
    },
};

/// Connects and sees session present as expected.
fn expect_present(p: &Play<'_>, connect: &Connect, present: bool) -> Played<Client> {
    let client = p.join(connect)?;
    if client.connack.session_present == present {
        Ok(client)
    } else {
        let expected = format!("session present {}", u8::from(present));
        Err(fail(expected, client.connack.text))
    }
}

fn qos1(p: &Play<'_>, topic: &str, payload: &[u8]) -> Publish {
    Publish {
        qos: 1,
        ..p.publish(topic, payload)
    }
}

/// A session with a subscription, and its client.
fn subscribed(p: &Play<'_>, topic: &str, qos: u8) -> Played<(Connect, Client)> {
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.subscribe(topic, qos)?;
    Ok((session, client))
}

fn resumed(p: &Play<'_>) -> Played {
    let (session, client) = subscribed(p, &p.name("t"), 1)?;
    client.disconnect()?;
    for _ in 0..2 {
        expect_present(p, &session, true)?.sever()?;
    }
    p.forget(&session)
}

fn not_present(p: &Play<'_>) -> Played {
    let session = p.durable();
    let mut client = expect_present(p, &session, false)?;
    client.subscribe(&p.name("t"), 1)?;
    client.disconnect()?;
    p.forget(&session)?;
    expect_present(p, &session, false)?.disconnect()?;
    p.forget(&session)
}

fn clean_start(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (session, client) = subscribed(p, &topic, 1)?;
    client.disconnect()?;
    let mut publisher = p.client()?;
    publisher.publish(&qos1(p, &topic, b"old"))?;
    p.forget(&session)?;
    let mut client = expect_present(p, &session, false)?;
    publisher.publish(&qos1(p, &topic, b"unwanted"))?;
    client.subscribe(&topic, 1)?;
    publisher.publish(&qos1(p, &topic, b"new"))?;
    client.take_last(&topic, b"new")?;
    client.disconnect()?;
    p.forget(&session)
}

/// A session that is over after its connection has come to this end.
fn ends(p: &Play<'_>, connect: &Connect, end: impl FnOnce(Client) -> Played) -> Played {
    let topic = p.name("t");
    let mut client = p.join(connect)?;
    client.subscribe(&topic, 1)?;
    end(client)?;
    let mut publisher = p.client()?;
    publisher.publish(&qos1(p, &topic, b"unwanted"))?;
    let again = Connect {
        clean: false,
        ..connect.clone()
    };
    let mut client = expect_present(p, &again, false)?;
    client.subscribe(&topic, 1)?;
    publisher.publish(&qos1(p, &topic, b"new"))?;
    client.take_last(&topic, b"new")?;
    client.disconnect()?;
    p.forget(connect)
}

fn subscription_kept(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (session, client) = subscribed(p, &topic, 1)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    p.client()?.publish(&qos1(p, &topic, b"x"))?;
    let delivery = client.take(&topic, b"x")?;
    client.disconnect()?;
    p.forget(&session)?;
    if delivery.qos == 1 {
        Ok(())
    } else {
        Err(fail("QoS 1", delivery.to_string()))
    }
}

fn subscription_ended(p: &Play<'_>) -> Played {
    let (gone, kept) = (p.name("a"), p.name("b"));
    let (session, mut client) = subscribed(p, &gone, 1)?;
    client.subscribe(&kept, 1)?;
    client.unsubscribe(&gone)?;
    client.disconnect()?;
    let mut publisher = p.client()?;
    publisher.publish(&qos1(p, &gone, b"unwanted"))?;
    publisher.publish(&qos1(p, &kept, b"x"))?;
    let mut client = p.join(&session)?;
    client.take_last(&kept, b"x")?;
    client.disconnect()?;
    p.forget(&session)
}

fn messages_kept(p: &Play<'_>, qos: u8) -> Played {
    let topic = p.name("t");
    let payloads = [b"0", b"1", b"2", b"3"];
    let (session, client) = subscribed(p, &topic, qos)?;
    client.disconnect()?;
    let mut publisher = p.client()?;
    for payload in payloads {
        publisher.publish(&Publish {
            qos,
            ..p.publish(&topic, payload)
        })?;
    }
    let mut client = p.join(&session)?;
    for payload in payloads {
        client.take(&topic, payload)?;
    }
    client.disconnect()?;
    p.forget(&session)
}

/// A session in which a message was sent and not acknowledged; that message.
fn unacknowledged(p: &Play<'_>, qos: u8) -> Played<(Connect, super::client::Delivery, Client)> {
    let topic = p.name("t");
    let (session, mut client) = subscribed(p, &topic, qos)?;
    let mut publisher = p.client()?;
    publisher.publish(&Publish {
        qos,
        ..p.publish(&topic, b"x")
    })?;
    let delivery = client
        .take_unacknowledged(&topic, b"x")
        .setup("the first delivery")?;
    Ok((session, delivery, client))
}

fn resent(p: &Play<'_>, qos: u8) -> Played {
    let topic = p.name("t");
    let (session, first, client) = unacknowledged(p, qos)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    let again = client.take(&topic, b"x")?;
    if (again.id, again.qos) != (first.id, first.qos) {
        let expected = format!("the packet identifier {} and QoS {qos}", first.id);
        return Err(fail(expected, again.to_string()));
    }
    client.disconnect()?;
    p.forget(&session)
}

fn resent_with_dup(p: &Play<'_>) -> Played {
    let (session, _, client) = unacknowledged(p, 1)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    // That it comes at all is another rule.
    let again = client.take(&p.name("t"), b"x").setup("the message again")?;
    client.disconnect()?;
    p.forget(&session)?;
    if again.dup {
        Ok(())
    } else {
        Err(fail("DUP 1", again.to_string()))
    }
}

fn resent_in_order(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let payloads = [b"0", b"1", b"2", b"3", b"4"];
    let (session, mut client) = subscribed(p, &topic, 1)?;
    let mut publisher = p.client()?;
    for payload in payloads {
        publisher.publish(&qos1(p, &topic, payload))?;
    }
    for payload in payloads {
        client.take_unacknowledged(&topic, payload)?;
    }
    client.sever()?;
    let mut client = p.join(&session)?;
    publisher.publish(&qos1(p, &topic, b"5"))?;
    // That they come again when the client does is another rule.
    client
        .take(&topic, payloads[0])
        .setup("the first message again")?;
    for payload in payloads[1..].iter().chain(&[b"5"]) {
        client.take(&topic, *payload)?;
    }
    client.disconnect()?;
    p.forget(&session)
}

fn acknowledged_not_resent(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (session, first, mut client) = unacknowledged(p, 1)?;
    client.acknowledge(&first)?;
    // The end comes after the PUBACK, over the same connection.
    client.sever()?;
    let mut client = p.join(&session)?;
    p.client()?.publish(&qos1(p, &topic, b"end"))?;
    client.take_last(&topic, b"end")?;
    client.disconnect()?;
    p.forget(&session)
}

fn pubrel_resent(p: &Play<'_>) -> Played {
    let (session, first, mut client) = unacknowledged(p, 2)?;
    client.wire.send(&ack(0x50, first.id));
    client.expect_ack(PUBREL, first.id)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    let expected = format!("PUBREL of the packet identifier {}", first.id);
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == PUBREL && packet.id() == Some(first.id) => {}
        other => return Err(fail(expected, other.to_string())),
    }
    client.wire.send(&ack(0x70, first.id));
    client.sever()?;
    // Over and done with.
    let mut client = p.join(&session)?;
    client.expect_silence("nothing after the PUBCOMP")?;
    client.disconnect()?;
    p.forget(&session)
}

fn qos2_in_survives(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 1)?;
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.needs_qos(2)?;
    let publish = Publish {
        qos: 2,
        id: 9,
        ..p.publish(&topic, b"once")
    };
    client.wire.send(&publish.bytes());
    client.expect_ack(PUBREC, 9)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    let again = Publish {
        dup: true,
        ..publish
    };
    client.wire.send(&again.bytes());
    client.expect_ack(PUBREC, 9)?;
    client.complete(9)?;
    client.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"end")
    })?;
    subscriber.take(&topic, b"once")?;
    subscriber.take_last(&topic, b"end")?;
    client.disconnect()?;
    p.forget(&session)
}

fn pubrel_in_survives(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 1)?;
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.needs_qos(2)?;
    let publish = Publish {
        qos: 2,
        id: 9,
        ..p.publish(&topic, b"once")
    };
    client.wire.send(&publish.bytes());
    client.expect_ack(PUBREC, 9)?;
    client.sever()?;
    let mut client = p.join(&session)?;
    client.complete(9)?;
    subscriber.take(&topic, b"once")?;
    client.disconnect()?;
    p.forget(&session)
}

fn takeover_resumes(p: &Play<'_>) -> Played {
    let (session, first, mut client) = unacknowledged(p, 1)?;
    let mut second = expect_present(p, &session, true)?;
    client.expect_refusal("the connection closed as its client connects again")?;
    let again = second.take(&p.name("t"), b"x")?;
    if again.id != first.id {
        let expected = format!("the packet identifier {}", first.id);
        return Err(fail(expected, again.to_string()));
    }
    second.disconnect()?;
    p.forget(&session)
}

fn expiry_passes(p: &Play<'_>) -> Played {
    let session = Connect {
        properties: four_byte(SESSION_EXPIRY_INTERVAL, 1),
        ..p.durable()
    };
    p.join(&session)?.disconnect()?;
    expect_present(p, &session, true)?.disconnect()?;
    p.ctx.sleep(Duration::from_millis(2500))?;
    expect_present(p, &session, false)?.disconnect()
}

fn expiry_never(p: &Play<'_>) -> Played {
    let session = Connect {
        properties: four_byte(SESSION_EXPIRY_INTERVAL, u32::MAX),
        ..p.durable()
    };
    p.join(&session)?.sever()?;
    p.ctx.sleep(Duration::from_millis(1500))?;
    expect_present(p, &session, true)?.disconnect()?;
    p.forget(&session)
}
