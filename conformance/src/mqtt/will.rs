//! The will (3.1.2.5, 3.1.3.2, 3.14.4).

use std::time::Duration;

use super::client::{Client, Delivery};
use super::play::{Play, Played};
use super::property::{
    CONTENT_TYPE, CORRELATION_DATA, RESPONSE_TOPIC, RETAIN_AVAILABLE, SERVER_KEEP_ALIVE,
    SESSION_EXPIRY_INTERVAL, WILL_DELAY_INTERVAL, four_byte, text, user,
};
use super::wire::{Connect, GOODBYE, Publish, Will, packet};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{Setup, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Wills",
    cases: cases! {
        "published-on-loss" Must [V31 "CONNECT", V311 "MQTT-3.1.2-8" & "MQTT-3.1.3-1", V5 "MQTT-3.1.2-8" & "MQTT-3.1.3-1"]
            "The will is published when the connection ends without a DISCONNECT"
            |p| published(p, will(p), Client::sever).map(drop);
        "published-on-error" Must [V311 "MQTT-3.1.2-8", V5 "MQTT-3.1.2-8"]
            "The will is published when the broker closes because of an error"
            |p| published(p, will(p), |mut client| {
                client.wire.send(&packet(0x80, &[0, 1]));
                client
                    .expect_refusal("the connection closed")
                    .map(drop)
                    .setup("an error for which the broker closes")
            }).map(drop);
        "published-on-takeover" Must [V311 "MQTT-3.1.2-8", V5 "MQTT-3.1.2-8"]
            "The will is published when another connection takes over"
            published_on_takeover;
        "published-on-keep-alive" Must [V31 "CONNECT", V311 "MQTT-3.1.2-8", V5 "MQTT-3.1.2-8"]
            "The will is published when the keep alive has run out"
            super::timed(published_on_keep_alive);
        "not-published-on-disconnect" Must [V31 "DISCONNECT", V311 "MQTT-3.14.4-3",
            V5 "MQTT-3.14.4-3"]
            "A DISCONNECT discards the will"
            |p| discarded(p, GOODBYE);
        "not-published-on-reason-0" Must [V5 "MQTT-3.14.4-3"]
            "A DISCONNECT with the reason 0x00 written out discards the will"
            |p| discarded(p, &[0xE0, 0x01, 0x00]);
        "published-on-reason-4" Must [V5 "3.14.2.1"]
            "A DISCONNECT with will message, 0x04, publishes the will"
            |p| published(p, will(p), |mut client| {
                client.wire.send(&[0xE0, 0x01, 0x04]);
                client.sever()
            }).map(drop);
        "published-once" Must [V311 "MQTT-3.1.2-10" & "MQTT-3.1.2-12", V5 "MQTT-3.1.2-10"]
            "A will that was published is not published for the next connection"
            published_once;
        "qos-1" Must [V311 "MQTT-3.1.2-9", V5 "MQTT-3.1.2-7"]
            "A will of QoS 1 is published with QoS 1"
            |p| {
                let will = published(p, Will { qos: 1, ..will(p) }, Client::sever)?;
                if will.qos == 1 { Ok(()) } else { Err(fail("QoS 1", will.to_string())) }
            };
        "empty-payload" Must [V311 "MQTT-3.1.2-8", V5 "MQTT-3.1.2-8"]
            "A will without a payload is published"
            |p| published(p, Will { payload: Vec::new(), ..will(p) }, Client::sever).map(drop);
        "retained" Must [V311 "MQTT-3.1.2-17", V5 "MQTT-3.1.2-15"]
            "A will with the retain flag becomes the retained message of its topic"
            retained;
        "not-retained" Must [V311 "MQTT-3.1.2-16", V5 "MQTT-3.1.2-14"]
            "A will without the retain flag leaves the retained message as it is"
            not_retained;
        "properties" Must [V5 "3.1.3.2"]
            "Content type, response topic and correlation data of a will are forwarded"
            properties;
        "user-properties-in-order" Must [V5 "MQTT-3.1.3-10"]
            "The user properties of a will are forwarded in their order"
            user_properties;
        "delay" Must [V5 "MQTT-3.1.2-8"]
            "A will with a delay of 1 s is published after it, and not before"
            super::timed(delay);
        "delay-reconnect" Must [V5 "MQTT-3.1.3-9"]
            "A will with a delay is not published when its client comes back in time"
            super::timed(delay_reconnect);
        "delay-ends-with-the-session" Must [V5 "MQTT-3.1.2-8"]
            "A will with a longer delay than its session lives is published with its end"
            delay_ends_with_the_session;
    },
};

/// A will with QoS 0, to the topic of the case.
fn will(p: &Play<'_>) -> Will {
    Will {
        topic: p.name("w").into(),
        payload: b"will".to_vec(),
        ..Will::default()
    }
}

/// A subscriber to the topic of the will.
fn watcher(p: &Play<'_>) -> Played<Client> {
    let mut watcher = p.client()?;
    watcher.subscribe(&p.name("w"), 1)?;
    Ok(watcher)
}

/// A client with this will.
fn mortal(p: &Play<'_>, will: Will) -> Played<Client> {
    p.join(&Connect {
        will: Some(will),
        ..p.connect()
    })
}

/// The will, after its client has come to this end.
fn published(p: &Play<'_>, will: Will, end: impl FnOnce(Client) -> Played) -> Played<Delivery> {
    let payload = will.payload.clone();
    let mut watcher = watcher(p)?;
    watcher.needs_qos(will.qos)?;
    end(mortal(p, will)?)?;
    watcher.take(&p.name("w"), &payload)
}

/// Nothing but a message that comes later.
fn no_will(p: &Play<'_>, watcher: &mut Client) -> Played {
    watcher.expect_silence("no will")?;
    let topic = p.name("w");
    p.client()?.publish(&Publish {
        qos: 1,
        ..p.publish(&topic, b"end")
    })?;
    watcher.take(&topic, b"end").map(drop)
}

fn published_on_takeover(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    let connect = p.connect();
    let mut first = p.join(&Connect {
        will: Some(will(p)),
        ..connect.clone()
    })?;
    let second = p.join(&connect)?;
    first
        .expect_refusal("the connection closed as its client connects again")
        .setup("taking over")?;
    watcher.take(&p.name("w"), b"will")?;
    second.disconnect()
}

fn published_on_keep_alive(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    let client = p.join(&Connect {
        keep_alive: 1,
        will: Some(will(p)),
        ..p.connect()
    })?;
    if client.connack.properties.has(SERVER_KEEP_ALIVE) {
        return Err(not_applicable(format!(
            "the broker sets a keep alive of its own: {}",
            client.connack.text
        )));
    }
    // Whether and when the connection ends is the question of another case.
    let mut client = client;
    let until = Duration::from_secs(10);
    match client.next_within(until)? {
        Seen::Ended(..) => {}
        Seen::Frame(packet) if packet.first == 0xE0 => {}
        other => {
            let ended = Err(fail("the end", other.to_string()));
            return ended.setup("a client that is silent for longer than its keep alive");
        }
    }
    watcher.take(&p.name("w"), b"will").map(drop)
}

fn discarded(p: &Play<'_>, goodbye: &[u8]) -> Played {
    let mut watcher = watcher(p)?;
    let mut client = mortal(p, will(p))?;
    client.wire.send(goodbye);
    client.sever()?;
    no_will(p, &mut watcher)
}

/// A DISCONNECT that is malformed does not discard the will.
pub(super) fn disconnect_flags(p: &Play<'_>) -> Played {
    published(p, will(p), |mut client| {
        client.wire.send(&[0xE1, 0x00]);
        client.expect_refusal("the connection closed").map(drop)
    })
    .map(drop)
}

fn published_once(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    let session = p.durable();
    let mortal = Connect {
        will: Some(will(p)),
        ..session.clone()
    };
    p.join(&mortal)?.sever()?;
    watcher.take(&p.name("w"), b"will")?;
    p.join(&session)?.sever()?;
    no_will(p, &mut watcher)?;
    p.forget(&session)
}

fn retained(p: &Play<'_>) -> Played {
    let mut first = watcher(p)?;
    first.needs(RETAIN_AVAILABLE)?;
    let mortal = mortal(
        p,
        Will {
            retain: true,
            ..will(p)
        },
    )?;
    mortal.sever()?;
    let topic = p.name("w");
    first.take(&topic, b"will")?;
    let mut later = watcher(p)?;
    let delivery = later.take(&topic, b"will")?;
    if !delivery.retain {
        return Err(fail("RETAIN 1", delivery.to_string()));
    }
    first.publish(&Publish {
        retain: true,
        ..p.publish(&topic, b"")
    })
}

fn not_retained(p: &Play<'_>) -> Played {
    let topic = p.name("w");
    let mut publisher = p.client()?;
    publisher.needs(RETAIN_AVAILABLE)?;
    let retained = Publish {
        qos: 1,
        retain: true,
        ..p.publish(&topic, b"kept")
    };
    publisher.publish(&retained)?;
    let mut first = watcher(p)?;
    first.take(&topic, b"kept").setup("the retained message")?;
    mortal(p, will(p))?.sever()?;
    first.take(&topic, b"will").setup("the will")?;
    watcher(p)?.take(&topic, b"kept")?;
    publisher.publish(&Publish {
        payload: Vec::new(),
        ..retained
    })
}

fn properties(p: &Play<'_>) -> Played {
    let properties = [
        text(CONTENT_TYPE, "text/plain"),
        text(RESPONSE_TOPIC, "reply"),
        text(CORRELATION_DATA, b"\x00\xFF"),
    ]
    .concat();
    let will = published(
        p,
        Will {
            properties,
            ..will(p)
        },
        Client::sever,
    )?;
    let same = will.properties.bytes(CONTENT_TYPE) == Some(b"text/plain")
        && will.properties.bytes(RESPONSE_TOPIC) == Some(b"reply")
        && will.properties.bytes(CORRELATION_DATA) == Some(b"\x00\xFF");
    if same {
        Ok(())
    } else {
        Err(fail("the properties of the will", will.to_string()))
    }
}

fn user_properties(p: &Play<'_>) -> Played {
    let properties = [user("b", "1"), user("a", "2"), user("b", "1")].concat();
    let will = published(
        p,
        Will {
            properties,
            ..will(p)
        },
        Client::sever,
    )?;
    let expected: [(&[u8], &[u8]); 3] = [(b"b", b"1"), (b"a", b"2"), (b"b", b"1")];
    if will.properties.users() == expected {
        Ok(())
    } else {
        Err(fail("b=1, a=2 and b=1, in this order", will.to_string()))
    }
}

/// A client whose session and will live on for these times, in seconds.
fn delayed(p: &Play<'_>, session: u32, delay: u32) -> Connect {
    Connect {
        clean: false,
        properties: four_byte(SESSION_EXPIRY_INTERVAL, session),
        will: Some(Will {
            properties: four_byte(WILL_DELAY_INTERVAL, delay),
            ..will(p)
        }),
        ..p.connect()
    }
}

fn delay(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    let session = delayed(p, 60, 1);
    p.join(&session)?.sever()?;
    match watcher.next_within(Duration::from_millis(700))? {
        Seen::Silence(..) => {}
        other => return Err(fail("no will before 1 s", other.to_string())),
    }
    watcher.take(&p.name("w"), b"will")?;
    p.forget(&session)
}

fn delay_reconnect(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    let session = delayed(p, 60, 1);
    p.join(&session)?.sever()?;
    let client = p.join(&Connect {
        will: None,
        ..session.clone()
    })?;
    p.ctx.sleep(Duration::from_millis(2000))?;
    no_will(p, &mut watcher)?;
    drop(client);
    p.forget(&session)
}

fn delay_ends_with_the_session(p: &Play<'_>) -> Played {
    let mut watcher = watcher(p)?;
    p.join(&delayed(p, 0, 60))?.sever()?;
    watcher.take(&p.name("w"), b"will").map(drop)
}
