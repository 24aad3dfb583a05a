//! What a PUBLISH of MQTT 5.0 carries besides its payload: properties, the
//! expiry of the message and topic aliases (3.3.2.3), request and response (4.10).

use std::time::Duration;

use super::client::{Client, Delivery};
use super::malformed::reason;
use super::play::{Play, Played};
use super::property::{
    CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY_INTERVAL, PAYLOAD_FORMAT_INDICATOR, Properties,
    REASON_STRING, REQUEST_PROBLEM_INFORMATION, RESPONSE_TOPIC, RETAIN_AVAILABLE, TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM, USER_PROPERTY, byte, four_byte, text, two_byte, user,
};
use super::wire::{Connect, PUBCOMP, Publish, UNSUBACK, ack, packet, unsubscribe};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Properties of messages",
    cases: cases! {
        "payload-format-indicator" Must [V5 "MQTT-3.3.2-4"]
            "The payload format indicator is forwarded"
            |p| forwarded(p, byte(PAYLOAD_FORMAT_INDICATOR, 1), |message| {
                message.properties.number(PAYLOAD_FORMAT_INDICATOR) == Some(1)
            });
        "response-topic" Must [V5 "MQTT-3.3.2-15"]
            "The response topic is forwarded unaltered"
            |p| forwarded(p, text(RESPONSE_TOPIC, "a//\u{e9}/ b"), |message| {
                message.properties.bytes(RESPONSE_TOPIC) == Some("a//\u{e9}/ b".as_bytes())
            });
        "correlation-data" Must [V5 "MQTT-3.3.2-16"]
            "Correlation data is forwarded unaltered, whatever its octets"
            |p| forwarded(p, text(CORRELATION_DATA, b"\x00\xFF\xC0\x80"), |message| {
                message.properties.bytes(CORRELATION_DATA) == Some(b"\x00\xFF\xC0\x80")
            });
        "correlation-data-empty" Must [V5 "MQTT-3.3.2-16"]
            "Empty correlation data is forwarded as such"
            |p| forwarded(p, text(CORRELATION_DATA, b""), |message| {
                message.properties.bytes(CORRELATION_DATA) == Some(b"")
            });
        "content-type" Must [V5 "MQTT-3.3.2-20"]
            "The content type is forwarded unaltered"
            |p| forwarded(p, text(CONTENT_TYPE, "no/such; type"), |message| {
                message.properties.bytes(CONTENT_TYPE) == Some(b"no/such; type")
            });
        "user-properties" Must [V5 "MQTT-3.3.2-17"]
            "User properties are forwarded, empty and non-ASCII ones too"
            |p| forwarded(p, [user("", ""), user("\u{fc}", "\u{1F600}")].concat(), |message| {
                message.properties.users()
                    == [(&b""[..], &b""[..]), ("\u{fc}".as_bytes(), "\u{1F600}".as_bytes())]
            });
        "user-properties-in-order" Must [V5 "MQTT-3.3.2-18"]
            "User properties are forwarded in their order, names that repeat included"
            user_properties_in_order;
        "all-at-once" Must [V5 "MQTT-3.3.2-17"]
            "Properties of a message that has them all are all forwarded"
            all_at_once;
        "no-property-added" Must [V5 "MQTT-3.1.2-27"]
            "A message without properties is delivered without topic alias and expiry"
            |p| forwarded(p, Vec::new(), |message| {
                !message.properties.has(TOPIC_ALIAS)
                    && !message.properties.has(MESSAGE_EXPIRY_INTERVAL)
            });
        "retained-properties" Must [V5 "MQTT-3.3.2-17"]
            "The user properties of a retained message are kept with it"
            retained_properties;
        "expiry-interval" Must [V5 "MQTT-3.3.2-6"]
            "The message expiry interval is forwarded less the time that has passed"
            super::timed(expiry_interval);
        "expired" Must [V5 "MQTT-3.3.2-5"]
            "A message that has expired before its subscriber came back is not delivered"
            super::timed(expired);
        "expired-retained" Must [V5 "MQTT-3.3.2-5"]
            "A retained message that has expired is not delivered"
            super::timed(expired_retained);
        "request-and-response" Must [V5 "4.10"]
            "A response to the response topic reaches the requester with its correlation data"
            request_and_response;
        "problem-information-0" Must [V5 "MQTT-3.1.2-29"]
            "Without problem information no reason string comes but in CONNACK and DISCONNECT"
            problem_information;
        "alias" Must [V5 "MQTT-3.3.2-12"]
            "A topic alias up to the maximum stands for its topic"
            alias;
        "alias-again" Must [V5 "3.3.2.3.4"]
            "A topic alias that is set again stands for the new topic"
            alias_again;
        "alias-per-connection" Must [V5 "MQTT-3.3.2-7"]
            "A topic alias does not outlive its connection"
            alias_per_connection;
        "alias-unknown" Must [V5 "3.3.2.3.4"]
            "A PUBLISH with an alias that was not set, and no topic, closes the connection"
            alias_unknown;
        "alias-0" Must [V5 "MQTT-3.3.2-8"]
            "The topic alias 0 closes the connection"
            |p| super::malformed::publish(p, |publish| {
                publish.properties = two_byte(TOPIC_ALIAS, 0);
            });
        "alias-beyond-the-maximum" Must [V5 "MQTT-3.3.2-9"]
            "A topic alias beyond the broker's maximum closes the connection"
            alias_beyond_the_maximum;
        "alias-beyond-the-maximum-reason" Should [V5 "3.14.2.1"]
            "A topic alias beyond the broker's maximum is answered with 0x94"
            alias_beyond_the_maximum_reason;
    },
};

/// What arrives of a message with these properties.
fn through(p: &Play<'_>, properties: Vec<u8>) -> Played<Delivery> {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.subscribe(&topic, 0)?;
    client.publish(&Publish {
        properties,
        ..p.publish(&topic, b"x")
    })?;
    client.take(&topic, b"x")
}

fn forwarded(p: &Play<'_>, properties: Vec<u8>, same: impl FnOnce(&Delivery) -> bool) -> Played {
    let sent = packet(0, &properties);
    let message = through(p, properties)?;
    if same(&message) {
        Ok(())
    } else {
        let hex = crate::transcript::hex_line(&sent[2..]);
        Err(fail(format!("the properties [{hex}]"), message.to_string()))
    }
}

fn user_properties_in_order(p: &Play<'_>) -> Played {
    let pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("c", "3"), ("a", "0")];
    let properties = pairs.map(|(name, value)| user(name, value)).concat();
    forwarded(p, properties, |message| {
        message.properties.users() == pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    })
}

fn all_at_once(p: &Play<'_>) -> Played {
    let properties = [
        user("first", "1"),
        text(CONTENT_TYPE, "c"),
        four_byte(MESSAGE_EXPIRY_INTERVAL, 600),
        text(CORRELATION_DATA, "d"),
        user("second", "2"),
        text(RESPONSE_TOPIC, "r"),
        byte(PAYLOAD_FORMAT_INDICATOR, 0),
    ]
    .concat();
    forwarded(p, properties, |message| {
        let got = &message.properties;
        got.bytes(CONTENT_TYPE) == Some(b"c")
            && got.bytes(CORRELATION_DATA) == Some(b"d")
            && got.bytes(RESPONSE_TOPIC) == Some(b"r")
            && got.has(MESSAGE_EXPIRY_INTERVAL)
            // 0 is what its absence means.
            && got.number(PAYLOAD_FORMAT_INDICATOR).unwrap_or(0) == 0
            && got.users().len() == 2
    })
}

fn retained_properties(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    let retained = Publish {
        qos: 1,
        retain: true,
        properties: [user("a", "1"), text(CONTENT_TYPE, "c")].concat(),
        ..p.publish(&topic, b"x")
    };
    client.publish(&retained)?;
    client.subscribe(&topic, 0)?;
    let message = client.take(&topic, b"x")?;
    let same = message.properties.users() == [(&b"a"[..], &b"1"[..])]
        && message.properties.bytes(CONTENT_TYPE) == Some(b"c");
    client.publish(&Publish {
        payload: Vec::new(),
        ..retained
    })?;
    if same {
        Ok(())
    } else {
        Err(fail(
            "the user property a=1 and a content type",
            message.to_string(),
        ))
    }
}

/// A subscription that waits for its client, at QoS 1.
fn absent(p: &Play<'_>, topic: &str) -> Played<Connect> {
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.subscribe(topic, 1)?;
    client.disconnect()?;
    Ok(session)
}

fn expiry_interval(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = absent(p, &topic)?;
    p.client()?.publish(&Publish {
        qos: 1,
        properties: four_byte(MESSAGE_EXPIRY_INTERVAL, 100),
        ..p.publish(&topic, b"x")
    })?;
    p.ctx.sleep(Duration::from_millis(2100))?;
    let mut client = p.join(&session)?;
    let message = client.take(&topic, b"x")?;
    match message.properties.number(MESSAGE_EXPIRY_INTERVAL) {
        // 2.1 s have passed, and maybe some more on a slow machine.
        Some(90..=98) => {}
        _ => return Err(fail("a message expiry of 98 s", message.to_string())),
    }
    client.disconnect()?;
    p.forget(&session)
}

fn expired(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = absent(p, &topic)?;
    let mut publisher = p.client()?;
    let publish = Publish {
        qos: 1,
        properties: four_byte(MESSAGE_EXPIRY_INTERVAL, 1),
        ..p.publish(&topic, b"stale")
    };
    publisher.publish(&publish)?;
    publisher.publish(&Publish {
        properties: Vec::new(),
        payload: b"fresh".to_vec(),
        ..publish
    })?;
    p.ctx.sleep(Duration::from_millis(2500))?;
    let mut client = p.join(&session)?;
    client.take_last(&topic, b"fresh")?;
    client.disconnect()?;
    p.forget(&session)
}

fn expired_retained(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.client()?;
    client.needs(RETAIN_AVAILABLE)?;
    client.publish(&Publish {
        qos: 1,
        retain: true,
        properties: four_byte(MESSAGE_EXPIRY_INTERVAL, 1),
        ..p.publish(&topic, b"stale")
    })?;
    p.ctx.sleep(Duration::from_millis(2500))?;
    client.subscribe(&topic, 0)?;
    client.publish(&p.publish(&topic, b"fresh"))?;
    client.take_last(&topic, b"fresh")
}

fn request_and_response(p: &Play<'_>) -> Played {
    let (requests, replies) = (p.name("q"), p.name("r"));
    let mut requester = p.client()?;
    let mut responder = p.client()?;
    requester.subscribe(&replies, 1)?;
    responder.subscribe(&requests, 1)?;
    requester.publish(&Publish {
        qos: 1,
        properties: [
            text(RESPONSE_TOPIC, &replies),
            text(CORRELATION_DATA, b"\x01\x00"),
        ]
        .concat(),
        ..p.publish(&requests, b"question")
    })?;
    let request = responder.take(&requests, b"question")?;
    let missing = || fail("response topic and correlation data", request.to_string());
    let to = request
        .properties
        .bytes(RESPONSE_TOPIC)
        .ok_or_else(missing)?;
    let correlation = request
        .properties
        .bytes(CORRELATION_DATA)
        .ok_or_else(missing)?;
    responder.publish(&Publish {
        qos: 1,
        topic: to.to_vec(),
        properties: text(CORRELATION_DATA, correlation),
        ..p.publish("", b"answer")
    })?;
    let response = requester.take(&replies, b"answer")?;
    if response.properties.bytes(CORRELATION_DATA) == Some(b"\x01\x00") {
        Ok(())
    } else {
        Err(fail(
            "the correlation data of the request",
            response.to_string(),
        ))
    }
}

fn problem_information(p: &Play<'_>) -> Played {
    let mut client = p.join(&Connect {
        properties: byte(REQUEST_PROBLEM_INFORMATION, 0),
        ..p.connect()
    })?;
    // Each of them has an error to tell, or could have.
    let unsuback = client.request(&unsubscribe(p.version, 1, &[b"no/such"]), UNSUBACK)?;
    let pubcomp = client.request(&ack(0x62, 7), PUBCOMP)?;
    let mut rest: &[u8] = unsuback.body.get(2..).unwrap_or_default();
    let properties = Properties::read(UNSUBACK, &mut rest)
        .map_err(|why| fail("UNSUBACK", format!("{why}: {unsuback}")))?;
    let expected = "no reason string and no user property";
    if properties.has(REASON_STRING) || properties.has(USER_PROPERTY) {
        return Err(fail(expected, unsuback.to_string()));
    }
    // Packet identifier, reason code, and no properties at most.
    if pubcomp.body.len() > 4 {
        return Err(fail(expected, pubcomp.to_string()));
    }
    Ok(())
}

/// A client of a broker that takes topic aliases.
fn aliasing(p: &Play<'_>) -> Played<(Client, u16)> {
    let client = p.client()?;
    match client.connack.properties.number(TOPIC_ALIAS_MAXIMUM) {
        None | Some(0) => Err(not_applicable(format!(
            "no topic alias maximum in {}",
            client.connack.text
        ))),
        Some(maximum) => Ok((client, maximum as u16)),
    }
}

/// A PUBLISH with an alias; without a topic when it is empty.
fn aliased(p: &Play<'_>, topic: &str, alias: u16, payload: &[u8]) -> Publish {
    Publish {
        properties: two_byte(TOPIC_ALIAS, alias),
        ..p.publish(topic, payload)
    }
}

fn alias(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (mut client, maximum) = aliasing(p)?;
    client.subscribe(&topic, 0)?;
    for alias in [1, maximum] {
        client.publish(&aliased(p, &topic, alias, b"set"))?;
        client.take(&topic, b"set")?;
        client.publish(&aliased(p, "", alias, b"used"))?;
        client.take(&topic, b"used")?;
    }
    Ok(())
}

fn alias_again(p: &Play<'_>) -> Played {
    let (first, second) = (p.name("a"), p.name("b"));
    let (mut client, _) = aliasing(p)?;
    client.subscribe(&first, 0)?;
    client.subscribe(&second, 0)?;
    client.publish(&aliased(p, &first, 1, b"1"))?;
    client.publish(&aliased(p, &second, 1, b"2"))?;
    client.publish(&aliased(p, "", 1, b"3"))?;
    client.take_all(&[(&first, b"1"), (&second, b"2"), (&second, b"3")])
}

fn alias_per_connection(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    drop(aliasing(p)?);
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.publish(&aliased(p, &topic, 1, b"set"))?;
    client.settle()?;
    client.disconnect()?;
    let mut client = p.join(&session)?;
    client.wire.send(&aliased(p, "", 1, b"used").bytes());
    client.expect_refusal("the connection closed after an alias of an earlier connection")?;
    p.forget(&session)
}

fn alias_unknown(p: &Play<'_>) -> Played {
    let (mut client, _) = aliasing(p)?;
    client.wire.send(&aliased(p, "", 1, b"x").bytes());
    client
        .expect_refusal("the connection closed after an alias that was not set")
        .map(drop)
}

/// One more than the broker takes.
fn too_high(p: &Play<'_>) -> Played<u16> {
    let client = p.client()?;
    let maximum = client.connack.properties.number(TOPIC_ALIAS_MAXIMUM);
    (maximum.unwrap_or(0) as u16)
        .checked_add(1)
        .ok_or_else(|| not_applicable(format!("the maximum is 65535 in {}", client.connack.text)))
}

fn alias_beyond_the_maximum(p: &Play<'_>) -> Played {
    let alias = too_high(p)?;
    super::malformed::publish(p, |publish| {
        publish.properties = two_byte(TOPIC_ALIAS, alias);
    })
}

fn alias_beyond_the_maximum_reason(p: &Play<'_>) -> Played {
    let publish = aliased(p, &p.name("t"), too_high(p)?, b"x");
    reason(p, 0x94, &publish.bytes())
}
