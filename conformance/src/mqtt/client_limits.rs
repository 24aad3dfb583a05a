//! What a CONNECT of 5.0 announces is kept by the broker: how large its packets
//! are, whatever they could say more, and which topic aliases it uses.

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE, TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM, four_byte, text,
    two_byte,
};
use super::wire::{CONNACK, Connect, PUBLISH, PUBREL, Publish, ack, packet, unsubscribe};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Limits of the client",
    cases: cases! {
        "connack-within-the-limit" Must [V5 "MQTT-3.2.2-19" & "MQTT-3.2.2-20"]
            "A CONNACK that refuses is no larger than the client takes, whatever its reason"
            connack_within;
        "puback-within-the-limit" Must [V5 "MQTT-3.4.2-2" & "MQTT-3.4.2-3"]
            "A PUBACK is no larger than the client takes, whatever its reason"
            |p| within(p, |p| {
                let topic = "$SYS/mqspec".into();
                Publish { qos: 1, topic, ..p.publish("", b"x") }.bytes()
            });
        "pubrec-within-the-limit" Must [V5 "MQTT-3.5.2-2" & "MQTT-3.5.2-3"]
            "A PUBREC is no larger than the client takes, whatever its reason"
            |p| within(p, |p| {
                let topic = "$SYS/mqspec".into();
                Publish { qos: 2, topic, ..p.publish("", b"x") }.bytes()
            });
        "pubrel-within-the-limit" Must [V5 "MQTT-3.6.2-2" & "MQTT-3.6.2-3"]
            "A PUBREL is no larger than the client takes, whatever its reason"
            pubrel_within;
        "pubcomp-within-the-limit" Must [V5 "MQTT-3.7.2-2" & "MQTT-3.7.2-3"]
            "A PUBCOMP is no larger than the client takes, whatever its reason"
            |p| within(p, |_| ack(0x62, 77));
        "suback-within-the-limit" Must [V5 "MQTT-3.9.2-1" & "MQTT-3.9.2-2"]
            "A SUBACK is no larger than the client takes, whatever its reason"
            |p| within(p, |p| p.subscribe("$share/+/a", 0));
        "unsuback-within-the-limit" Must [V5 "MQTT-3.11.2-1" & "MQTT-3.11.2-2"]
            "An UNSUBACK is no larger than the client takes, whatever its reason"
            |p| within(p, |p| unsubscribe(p.version, 1, &[&b"never"[..]]));
        "disconnect-within-the-limit" Must [V5 "MQTT-3.14.2-3" & "MQTT-3.14.2-4"]
            "A DISCONNECT is no larger than the client takes, whatever its reason"
            |p| within(p, |p| {
                let properties = two_byte(TOPIC_ALIAS, 0);
                Publish { properties, ..p.publish("t", b"x") }.bytes()
            });
        "no-alias-unasked" Must [V5 "MQTT-3.1.2-27"]
            "Messages come without a topic alias to a client that has not said how many it takes"
            |p| aliases(p, None);
        "aliases-within-the-maximum" Must [V5 "MQTT-3.1.2-26" & "MQTT-3.3.2-11"]
            "The topic aliases that a broker uses are no higher than the client takes"
            |p| aliases(p, Some(2));
        "disconnect-properties" Must [V5 "MQTT-3.14.2-1" & "MQTT-3.14.2-2"]
            "A DISCONNECT of the broker has a reason and properties that one may have"
            disconnect_properties;
    },
};

/// A client that takes no more than a CONNACK is long, and that.
fn limited(p: &Play<'_>) -> Played<(Client, usize)> {
    let ordinary = p.client()?;
    // It has to fit, whatever the broker announces in it.
    let limit = ordinary.connack_length.max(24);
    let client = p.join(&Connect {
        properties: four_byte(MAXIMUM_PACKET_SIZE, limit as u32),
        ..p.connect()
    })?;
    Ok((client, limit))
}

/// Whatever comes after these bytes is within the client's limit.
fn within(p: &Play<'_>, provoke: impl Fn(&Play<'_>) -> Vec<u8>) -> Played {
    let (mut client, limit) = limited(p)?;
    client.wire.send(&provoke(p));
    let mut came = false;
    loop {
        let time = if came { p.ctx.silence } else { p.ctx.patience };
        match client.next_within(time)? {
            Seen::Frame(seen) => {
                let length = packet(seen.first, &seen.body).len();
                if length > limit {
                    let expected = format!("packets of up to {limit} bytes");
                    return Err(fail(expected, format!("{length} bytes: {seen}")));
                }
                came = true;
            }
            Seen::Silence(..) | Seen::Ended(..) if came => return Ok(()),
            // Where there would be no room for a word, it may close without one.
            Seen::Ended(..) => return Ok(()),
            other => return Err(fail("an answer, or the end", other.to_string())),
        }
    }
}

fn pubrel_within(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (mut client, limit) = limited(p)?;
    client.subscribe(&topic, 2)?;
    p.client()?.publish(&Publish {
        qos: 2,
        ..p.publish(&topic, b"")
    })?;
    let delivery = client.take_unacknowledged(&topic, b"")?;
    client.wire.send(&ack(0x50, delivery.id));
    let pubrel = client.expect(PUBREL, "PUBREL")?;
    if packet(pubrel.first, &pubrel.body).len() > limit {
        let expected = format!("a PUBREL of up to {limit} bytes");
        return Err(fail(expected, pubrel.to_string()));
    }
    Ok(())
}

fn connack_within(p: &Play<'_>) -> Played {
    const LIMIT: usize = 12;
    p.client()?;
    let mut client = p.open()?;
    let connect = Connect {
        properties: [
            four_byte(MAXIMUM_PACKET_SIZE, LIMIT as u32),
            text(AUTHENTICATION_METHOD, "X-NO-SUCH-METHOD"),
        ]
        .concat(),
        ..p.connect()
    };
    client.wire.send(&connect.bytes());
    match client.next()? {
        Seen::Ended(..) => Ok(()),
        Seen::Frame(seen) if seen.kind() == CONNACK && seen.body.get(1) == Some(&0) => {
            Err(not_applicable(format!("the method is accepted: {seen}")))
        }
        Seen::Frame(seen) if packet(seen.first, &seen.body).len() <= LIMIT => Ok(()),
        other => Err(fail(
            format!("a CONNACK of up to {LIMIT} bytes, or the end"),
            other.to_string(),
        )),
    }
}

fn aliases(p: &Play<'_>, maximum: Option<u16>) -> Played {
    let root = p.name("t");
    let properties = maximum.map(|maximum| two_byte(TOPIC_ALIAS_MAXIMUM, maximum));
    let mut subscriber = p.join(&Connect {
        properties: properties.unwrap_or_default(),
        ..p.connect()
    })?;
    subscriber.subscribe(&format!("{root}/#"), 0)?;
    let mut publisher = p.client()?;
    const TOPICS: usize = 5;
    for round in 0..2 {
        for topic in 0..TOPICS {
            let topic = format!("{root}/{topic}");
            publisher.publish(&p.publish(&topic, format!("{round}").as_bytes()))?;
        }
    }
    for _ in 0..2 * TOPICS {
        let delivery = match subscriber.next()? {
            Seen::Frame(packet) if packet.kind() == PUBLISH => subscriber
                .delivery(&packet)
                .map_err(|why| fail("a PUBLISH", format!("{why}: {packet}")))?,
            other => return Err(fail("a PUBLISH for each message", other.to_string())),
        };
        let alias = delivery.properties.number(TOPIC_ALIAS);
        let allowed = match (alias, maximum) {
            (None, _) => true,
            (Some(alias), Some(maximum)) => (1..=u32::from(maximum)).contains(&alias),
            (Some(_), None) => false,
        };
        if !allowed {
            let expected = match maximum {
                Some(maximum) => format!("a topic alias from 1 to {maximum}, or none"),
                None => "no topic alias".into(),
            };
            return Err(fail(expected, delivery.to_string()));
        }
    }
    Ok(())
}

fn disconnect_properties(p: &Play<'_>) -> Played {
    let connect = p.connect();
    let mut first = p.join(&connect)?;
    // Taken over, which is what a broker says most about.
    let _second = p.join(&connect)?;
    loop {
        match first.next()? {
            Seen::Frame(packet) if packet.first == 0xE0 => {
                return first.read_disconnect(&packet);
            }
            Seen::Frame(_) => {}
            Seen::Ended(..) => {
                return Err(not_applicable("the connection closed without a DISCONNECT"));
            }
            other => return Err(fail("a DISCONNECT, or the end", other.to_string())),
        }
    }
}
