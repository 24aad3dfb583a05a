//! How much may be on its way, in which order, and how large it may be (4.9,
//! 4.6, 3.1.2.11.3, 3.1.2.11.4).

use super::client::Client;
use super::play::{Play, Played};
use super::property::{MAXIMUM_PACKET_SIZE, RECEIVE_MAXIMUM, four_byte, two_byte};
use super::wire::{Connect, PUBACK, PUBREC, PUBREL, Publish, SUBACK, ack};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Order and flow",
    cases: cases! {
        "order-qos0" Must [V311 "MQTT-4.6.0-6", V5 "MQTT-4.6.0-5"]
            "Messages of QoS 0 are delivered in the order in which they were published"
            |p| order(p, 0);
        "order-qos1" Must [V311 "MQTT-4.6.0-6" & "MQTT-4.6.0-5" & "MQTT-4.1.0-2", V5 "MQTT-4.6.0-5"]
            "Messages of QoS 1 are delivered in the order in which they were published"
            |p| order(p, 1);
        "order-qos2" Must [V311 "MQTT-4.6.0-6", V5 "MQTT-4.6.0-5"]
            "Messages of QoS 2 are delivered in the order in which they were published"
            |p| order(p, 2);
        "order-of-acknowledgements" Must [V311 "MQTT-4.6.0-2", V5 "MQTT-4.6.0-2"]
            "PUBACKs come in the order of the messages"
            |p| order_of_acknowledgements(p, 1, PUBACK);
        "order-of-pubrecs" Must [V311 "MQTT-4.6.0-3", V5 "MQTT-4.6.0-3"]
            "PUBRECs come in the order of the messages"
            |p| order_of_acknowledgements(p, 2, PUBREC);
        "order-across-topics" Should [V311 "4.6", V5 "4.6"]
            "Messages of one publisher to several topics of one filter come in order"
            order_across_topics;
        "receive-maximum" Must [V5 "MQTT-3.3.4-9" & "MQTT-4.9.0-1"]
            "With a receive maximum of 2, no third message before a PUBACK"
            receive_maximum;
        "receive-maximum-qos2" Must [V5 "MQTT-4.9.0-2"]
            "A message of QoS 2 counts until its PUBCOMP"
            receive_maximum_qos2;
        "receive-maximum-in-session" Must [V5 "MQTT-3.3.4-9"]
            "Messages that waited for the client respect its receive maximum too"
            receive_maximum_in_session;
        // A sender may suspend these as well.
        "receive-maximum-not-for-qos0" May [V5 "4.9"]
            "Messages of QoS 0 come although the receive maximum is used up"
            receive_maximum_not_for_qos0;
        "receive-maximum-not-for-others" Must [V5 "MQTT-3.3.4-10" & "MQTT-4.9.0-3"]
            "SUBSCRIBE and PINGREQ are answered although the receive maximum is used up"
            receive_maximum_not_for_others;
        "receive-maximum-exceeded" Should [V5 "MQTT-3.3.4-7"]
            "A client that exceeds the broker's receive maximum is cut off with 0x93"
            receive_maximum_exceeded;
        "maximum-packet-size" Must [V5 "MQTT-3.1.2-24"]
            "A message that is larger than the client's maximum packet size is not sent"
            |p| maximum_packet_size(p, 0, 100);
        "maximum-packet-size-qos1" Must [V5 "MQTT-3.1.2-25"]
            "A message of QoS 1 that is too large is done with, and later ones come"
            |p| maximum_packet_size(p, 1, 100);
        "maximum-packet-size-by-one" Must [V5 "MQTT-3.1.2-24"]
            "A message that is one octet larger than the maximum packet size is not sent"
            |p| maximum_packet_size(p, 0, 1);
        "maximum-packet-size-of-the-broker" Should [V5 "3.2.2.3.6"]
            "A packet beyond the broker's maximum packet size is answered with 0x95"
            maximum_packet_size_of_the_broker;
    },
};

fn order(p: &Play<'_>, qos: u8) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, qos)?;
    let mut publisher = p.client()?;
    publisher.needs_qos(qos)?;
    for i in 0..20 {
        publisher.publish(&Publish {
            qos,
            ..p.publish(&topic, &[b'a' + i])
        })?;
    }
    for i in 0..20 {
        subscriber.take(&topic, &[b'a' + i])?;
    }
    Ok(())
}

fn order_of_acknowledgements(p: &Play<'_>, qos: u8, kind: u8) -> Played {
    let mut client = p.client()?;
    client.needs_qos(qos)?;
    let ids = [3, 1, 500, 2];
    let bytes = ids.map(|id| {
        let publish = p.publish(&p.name("t"), b"x");
        Publish { qos, id, ..publish }.bytes()
    });
    client.wire.send(&bytes.concat());
    for id in ids {
        client.expect_ack(kind, id)?;
    }
    Ok(())
}

fn order_across_topics(p: &Play<'_>) -> Played {
    let root = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&format!("{root}/+"), 1)?;
    let mut publisher = p.client()?;
    let topics = ["b", "a", "c", "a"].map(|level| format!("{root}/{level}"));
    for topic in &topics {
        publisher.publish(&Publish {
            qos: 1,
            ..p.publish(topic, b"x")
        })?;
    }
    for topic in &topics {
        subscriber.take(topic, b"x")?;
    }
    Ok(())
}

/// A subscriber that takes so many messages at a time, and a publisher.
fn limited(p: &Play<'_>, maximum: u16, qos: u8) -> Played<(Client, Client)> {
    let mut subscriber = p.join(&Connect {
        properties: two_byte(RECEIVE_MAXIMUM, maximum),
        ..p.connect()
    })?;
    subscriber.subscribe(&p.name("t"), qos)?;
    let publisher = p.client()?;
    publisher.needs_qos(qos)?;
    Ok((subscriber, publisher))
}

fn publish_all(p: &Play<'_>, publisher: &mut Client, qos: u8, payloads: &[&[u8]]) -> Played {
    for payload in payloads {
        publisher.publish(&Publish {
            qos,
            ..p.publish(&p.name("t"), payload)
        })?;
    }
    Ok(())
}

fn receive_maximum(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (mut subscriber, mut publisher) = limited(p, 2, 1)?;
    publish_all(p, &mut publisher, 1, &[b"1", b"2", b"3"])?;
    let first = subscriber.take_unacknowledged(&topic, b"1")?;
    let second = subscriber.take_unacknowledged(&topic, b"2")?;
    subscriber.expect_silence("no third message before a PUBACK")?;
    subscriber.acknowledge(&first)?;
    subscriber.take(&topic, b"3")?;
    subscriber.acknowledge(&second)
}

fn receive_maximum_qos2(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (mut subscriber, mut publisher) = limited(p, 1, 2)?;
    publish_all(p, &mut publisher, 2, &[b"1", b"2"])?;
    let first = subscriber.take_unacknowledged(&topic, b"1")?;
    subscriber.wire.send(&ack(0x50, first.id));
    subscriber.expect_ack(PUBREL, first.id)?;
    subscriber.expect_silence("no second message before the PUBCOMP")?;
    subscriber.wire.send(&ack(0x70, first.id));
    subscriber.take(&topic, b"2").map(drop)
}

fn receive_maximum_in_session(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let session = p.durable();
    let mut client = p.join(&session)?;
    client.subscribe(&topic, 1)?;
    client.disconnect()?;
    publish_all(p, &mut p.client()?, 1, &[b"1", b"2", b"3"])?;
    let mut client = p.join(&Connect {
        properties: [session.properties.clone(), two_byte(RECEIVE_MAXIMUM, 1)].concat(),
        ..session.clone()
    })?;
    for payload in [b"1", b"2", b"3"] {
        let delivery = client.take_unacknowledged(&topic, payload)?;
        client.expect_silence("nothing before the PUBACK")?;
        client.acknowledge(&delivery)?;
    }
    client.disconnect()?;
    p.forget(&session)
}

fn receive_maximum_not_for_qos0(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let (mut subscriber, mut publisher) = limited(p, 1, 1)?;
    publish_all(p, &mut publisher, 1, &[b"1"])?;
    subscriber.take_unacknowledged(&topic, b"1")?;
    publish_all(p, &mut publisher, 0, &[b"2", b"3"])?;
    subscriber.take(&topic, b"2")?;
    subscriber.take(&topic, b"3").map(drop)
}

fn receive_maximum_not_for_others(p: &Play<'_>) -> Played {
    let (mut subscriber, mut publisher) = limited(p, 1, 1)?;
    publish_all(p, &mut publisher, 1, &[b"1", b"2"])?;
    subscriber.take_unacknowledged(&p.name("t"), b"1")?;
    subscriber.settle()?;
    let suback = subscriber.request(&p.subscribe(&p.name("o"), 0), SUBACK)?;
    if suback.id() == Some(1) {
        Ok(())
    } else {
        Err(fail("SUBACK of 1", suback.to_string()))
    }
}

fn receive_maximum_exceeded(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    client.needs_qos(2)?;
    let maximum = match client.connack.properties.number(RECEIVE_MAXIMUM) {
        Some(maximum) if maximum <= 4096 => maximum as u16,
        _ => {
            return Err(not_applicable(format!(
                "no receive maximum of up to 4096 in {}",
                client.connack.text
            )));
        }
    };
    // Without a PUBREL each of them stays on its way.
    let bytes = (1..=maximum + 1).flat_map(|id| {
        let publish = p.publish(&p.name("t"), b"x");
        let publish = Publish {
            qos: 2,
            id,
            ..publish
        };
        publish.bytes()
    });
    client.wire.unlimit_writes();
    client.wire.send(&bytes.collect::<Vec<_>>());
    let expected = "PUBRECs up to the maximum at most, and DISCONNECT with 0x93";
    for _ in 0..=maximum {
        match client.next()? {
            Seen::Frame(packet) if packet.kind() == PUBREC => {}
            Seen::Frame(packet) if packet.first == 0xE0 && packet.body.first() == Some(&0x93) => {
                return client.expect_end(expected);
            }
            other => return Err(fail(expected, other.to_string())),
        }
    }
    Err(fail(expected, format!("{} PUBRECs", maximum + 1)))
}

fn maximum_packet_size(p: &Play<'_>, qos: u8, excess: usize) -> Played {
    let topic = p.name("t");
    // A PUBLISH as it will come, with the largest payload that fits.
    let fits = vec![b'f'; 80];
    let size = Publish {
        qos,
        ..p.publish(&topic, &fits)
    }
    .bytes()
    .len();
    let mut subscriber = p.join(&Connect {
        properties: four_byte(MAXIMUM_PACKET_SIZE, size as u32),
        ..p.connect()
    })?;
    subscriber.subscribe(&topic, qos)?;
    let mut publisher = p.client()?;
    let large = vec![b'l'; fits.len() + excess];
    publish_all(p, &mut publisher, qos, &[&large, &fits, &large, b"end"])?;
    subscriber.take(&topic, &fits)?;
    subscriber.take_last(&topic, b"end")
}

fn maximum_packet_size_of_the_broker(p: &Play<'_>) -> Played {
    let mut client = p.client()?;
    let maximum = match client.connack.properties.number(MAXIMUM_PACKET_SIZE) {
        Some(maximum) if maximum <= 32 << 20 => maximum as usize,
        _ => {
            return Err(not_applicable(format!(
                "no maximum packet size of up to 32 MiB in {}",
                client.connack.text
            )));
        }
    };
    client.wire.unlimit_writes();
    let bytes = p.publish(&p.name("t"), &vec![b'x'; maximum]).bytes();
    // The length stands at the front: what the broker says to that is not lost
    // when it closes with octets of ours unread.
    let (front, rest) = bytes.split_at(64);
    client.wire.send(front);
    let expected = "DISCONNECT with 0x95";
    let mut seen = client.next_within(p.ctx.silence)?;
    if matches!(seen, Seen::Silence(..)) {
        client.wire.send(rest);
        seen = client.next()?;
    }
    match seen {
        Seen::Frame(packet) if packet.first == 0xE0 && packet.body.first() == Some(&0x95) => {
            client.expect_end(expected)
        }
        other => Err(fail(expected, other.to_string())),
    }
}
