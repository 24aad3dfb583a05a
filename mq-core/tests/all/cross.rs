//! A message published over one protocol is consumed over the others, with its
//! properties in each one's own words.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::{Mqtt, properties};
use crate::world::stomp::Stomp;
use amqp_codec::{FieldValue, PropertyFields, TableBuf, Text};
use mqtt_codec::connection::MessageBuf;
use mqtt_codec::{Property, QoS};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Peer {
    Amqp,
    Mqtt,
    Stomp,
}

const PEERS: [Peer; 3] = [Peer::Amqp, Peer::Mqtt, Peer::Stomp];

/// What a consumer understands of a message, whatever its protocol.
#[derive(Debug, Clone, PartialEq)]
struct Understood {
    topic: String,
    body: String,
    content_type: Option<String>,
    correlation: Option<String>,
    reply_to: Option<String>,
    colour: Option<String>,
    persistent: bool,
    seconds_to_live: Option<u64>,
}

/// The message of these tests; topics in MQTT's words.
fn rich(topic: &str) -> Understood {
    Understood {
        topic: topic.into(),
        body: "body".into(),
        content_type: Some("text/plain".into()),
        correlation: Some("c-1".into()),
        reply_to: Some("answers/here".into()),
        colour: Some("red".into()),
        persistent: true,
        seconds_to_live: Some(60),
    }
}

/// A message without any properties.
fn bare(topic: &str) -> Understood {
    Understood {
        content_type: None,
        correlation: None,
        reply_to: None,
        colour: None,
        persistent: false,
        seconds_to_live: None,
        ..rich(topic)
    }
}

/// `.` and `/` change places between an MQTT topic and a routing key.
fn key(topic: &str) -> String {
    topic
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect()
}

fn publish(world: &mut World, peer: Peer, message: &Understood) {
    let reply_to = message
        .reply_to
        .as_ref()
        .map(|topic| format!("/topic/{}", key(topic)));
    match peer {
        Peer::Amqp => {
            let mut client = Amqp::connect(world);
            let mut headers = TableBuf::new();
            if let Some(colour) = &message.colour {
                headers.insert("colour", colour.as_str()).unwrap();
            }
            let expiration = message.seconds_to_live.map(|s| format!("{}", s * 1000));
            let fields = PropertyFields {
                content_type: message.content_type.as_ref().map(Into::into),
                correlation_id: message.correlation.as_ref().map(Into::into),
                reply_to: reply_to.as_ref().map(Into::into),
                headers: message.colour.is_some().then(|| headers.as_table()),
                delivery_mode: message.persistent.then_some(2),
                expiration: expiration.as_ref().map(Into::into),
                ..Default::default()
            };
            let key = key(&message.topic);
            client.publish_with(1, "amq.topic", &key, &message.body, true, &fields);
            assert_eq!(client.seen(world), [""; 0]);
        }
        Peer::Mqtt => {
            let mut client = Mqtt::connect(world, "publisher");
            let qos = if message.persistent {
                QoS::AtLeastOnce
            } else {
                QoS::AtMostOnce
            };
            let mut sent = MessageBuf::new(&message.topic, message.body.clone().into_bytes(), qos);
            sent.properties = properties(
                [
                    message
                        .seconds_to_live
                        .map(|s| Property::MessageExpiryInterval(u32::try_from(s).unwrap())),
                    message.content_type.as_deref().map(Property::ContentType),
                    message.reply_to.as_deref().map(Property::ResponseTopic),
                    message
                        .correlation
                        .as_deref()
                        .map(|c| Property::CorrelationData(c.as_bytes())),
                    message
                        .colour
                        .as_deref()
                        .map(|c| Property::UserProperty("colour", c)),
                ]
                .into_iter()
                .flatten(),
            );
            client.codec.publish(&sent.as_message()).unwrap();
            client.seen(world);
        }
        Peer::Stomp => {
            let client = Stomp::connect(world);
            let mut frame = format!(
                "SEND\ndestination:/topic/{}\n",
                key(&message.topic).replace("/", "%2F")
            );
            let expiration = message.seconds_to_live.map(|s| format!("{}", s * 1000));
            for (name, value) in [
                ("content-type", &message.content_type),
                ("correlation-id", &message.correlation),
                ("reply-to", &reply_to),
                ("colour", &message.colour),
                ("expiration", &expiration),
                ("persistent", &message.persistent.then(|| "true".into())),
            ] {
                if let Some(value) = value {
                    frame.push_str(&format!("{name}:{value}\n"));
                }
            }
            client.send(world, &format!("{frame}\n{}", message.body));
        }
    }
}

/// A consumer of all three, subscribed to one topic.
struct Consumers {
    amqp: Amqp,
    mqtt: Mqtt,
    stomp: Stomp,
}

impl Consumers {
    fn new(world: &mut World, filter: &str, pattern: &str) -> Self {
        let mut amqp = Amqp::connect(world);
        amqp.declare("q", &TableBuf::new());
        amqp.bind("q", "amq.topic", pattern);
        amqp.consume(1, "q", "c", true);
        amqp.seen(world);
        let mut mqtt = Mqtt::connect(world, "consumer");
        mqtt.subscribe(world, filter, QoS::ExactlyOnce);
        let stomp = Stomp::connect(world);
        stomp.subscribe(
            world,
            "s",
            &format!("/topic/{}", pattern.replace("/", "%2F")),
            "",
        );
        stomp.frames(world);
        Self { amqp, mqtt, stomp }
    }

    fn understood(&mut self, world: &mut World, peer: Peer) -> Option<Understood> {
        match peer {
            Peer::Amqp => {
                self.amqp.seen(world);
                let content = self.amqp.contents.pop()?;
                let fields = content.properties().fields();
                let text = |s: Option<Text<'_>>| s.map(|s| s.to_string());
                let colour = fields.headers.and_then(|h| h.get("colour"));
                Some(Understood {
                    topic: key(content.routing_key()),
                    body: String::from_utf8(content.body().to_vec()).unwrap(),
                    content_type: text(fields.content_type),
                    correlation: text(fields.correlation_id),
                    reply_to: fields
                        .reply_to
                        .map(|r| key(r.to_str().unwrap().strip_prefix("/topic/").unwrap())),
                    colour: colour
                        .as_ref()
                        .and_then(FieldValue::as_str)
                        .map(String::from),
                    persistent: fields.delivery_mode == Some(2),
                    seconds_to_live: fields
                        .expiration
                        .map(|e| e.to_string().parse::<u64>().unwrap() / 1000),
                })
            }
            Peer::Mqtt => {
                self.mqtt.seen(world);
                let message = self.mqtt.messages.pop()?;
                let p = message.properties.as_properties();
                let colour = p.user_properties().find(|(name, _)| *name == "colour");
                Some(Understood {
                    topic: message.topic_name.to_string(),
                    body: String::from_utf8(message.payload.to_vec()).unwrap(),
                    content_type: p.content_type().map(String::from),
                    correlation: p
                        .correlation_data()
                        .map(|c| String::from_utf8(c.to_vec()).unwrap()),
                    reply_to: p.response_topic().map(String::from),
                    colour: colour.map(|(_, value)| value.into()),
                    persistent: message.qos > QoS::AtMostOnce,
                    seconds_to_live: p.message_expiry_interval().map(u64::from),
                })
            }
            Peer::Stomp => {
                let frame = self.stomp.frames(world).pop()?;
                let header = |name| frame.header(name).map(String::from);
                // A `/` in a name is written `%2F` in a destination.
                let topic = header("destination")?.replace("%2F", "/");
                Some(Understood {
                    topic: key(topic.strip_prefix("/topic/").unwrap()),
                    body: frame.body.clone(),
                    content_type: header("content-type"),
                    correlation: header("correlation-id"),
                    reply_to: header("reply-to").map(|r| key(r.strip_prefix("/topic/").unwrap())),
                    colour: header("colour"),
                    persistent: header("persistent").as_deref() == Some("true"),
                    seconds_to_live: header("expiration")
                        .map(|e| e.to_string().parse::<u64>().unwrap() / 1000),
                })
            }
        }
    }
}

#[test]
fn all_nine_pairs() {
    for (topic, filter, pattern) in [
        ("a/b", "a/b", "a.b"),
        ("a/b/c", "a/#", "a.#"),
        ("a/b/c", "+/b/+", "*.b.*"),
        ("a", "#", "#"),
        // The dot of a topic is the slash of a routing key.
        ("a/b.c", "a/b.c", "a.b/c"),
    ] {
        for publisher in PEERS {
            for message in [rich(topic), bare(topic)] {
                let mut world = World::new();
                let mut consumers = Consumers::new(&mut world, filter, pattern);
                publish(&mut world, publisher, &message);
                for consumer in PEERS {
                    let understood = consumers.understood(&mut world, consumer);
                    // MQTT shows no delivery mode: a message that has no QoS of its
                    // own comes with that of the subscription (RabbitMQ 3.10.8).
                    let asked = consumer == Peer::Mqtt && publisher != Peer::Mqtt;
                    let expected = Understood {
                        persistent: message.persistent || asked,
                        ..message.clone()
                    };
                    assert_eq!(understood, Some(expected), "{publisher:?} to {consumer:?}");
                }
            }
        }
    }
}

#[test]
fn queues_are_shared_by_amqp_and_stomp() {
    let mut world = World::new();
    let stomp = Stomp::connect(&mut world);
    stomp.send(&mut world, "SEND\ndestination:/queue/q\n\nfrom stomp");
    let mut amqp = Amqp::connect(&mut world);
    amqp.get("q", true);
    assert_eq!(amqp.answer(&mut world), "get-ok 1 from stomp +0");
    amqp.publish(1, "", "q", "from amqp");
    amqp.seen(&mut world);
    stomp.subscribe(&mut world, "s", "/queue/q", "");
    let frames = stomp.frames(&mut world);
    let message = frames.last().unwrap();
    assert_eq!(message.body, "from amqp");
    assert_eq!(message.header("destination"), Some("/queue/q"));
}

#[test]
fn what_one_protocol_cannot_say_it_leaves_out() {
    let mut world = World::new();
    let mut consumers = Consumers::new(&mut world, "#", "#");
    // A topic that is too long for a routing key of AMQP.
    let long = "t".repeat(300);
    let mut mqtt = Mqtt::connect(&mut world, "p");
    mqtt.publish(&long, "long", QoS::AtLeastOnce);
    mqtt.seen(&mut world);
    let understood = consumers.understood(&mut world, Peer::Amqp).unwrap();
    assert_eq!((&*understood.topic, &*understood.body), ("", "long"));
    assert!(consumers.understood(&mut world, Peer::Mqtt).is_some());
    assert!(consumers.understood(&mut world, Peer::Stomp).is_some());
    // Correlation data that is no text, a user property that comes twice.
    let mut odd = MessageBuf::new("t", "odd", QoS::AtLeastOnce);
    odd.properties = properties([
        Property::CorrelationData(&[0xFF, 0]),
        Property::UserProperty("a", "1"),
        Property::UserProperty("a", "2"),
    ]);
    mqtt.codec.publish(&odd.as_message()).unwrap();
    mqtt.seen(&mut world);
    consumers.amqp.seen(&mut world);
    let content = consumers.amqp.contents.pop().unwrap();
    let headers = content.properties().headers().unwrap();
    assert_eq!(headers.get("a"), Some(FieldValue::from("1")));
    assert_eq!(headers.iter().count(), 2);
    assert_eq!(
        headers.get("x-correlation-id"),
        Some(FieldValue::Bytes(&[0xFF, 0]))
    );
    let frame = consumers.stomp.frames(&mut world).pop().unwrap();
    assert_eq!(frame.header("a"), Some("1"));
    assert_eq!(frame.header("correlation-id"), None);
    // Tables and numbers of AMQP.
    let mut headers = TableBuf::new();
    headers.insert("n", FieldValue::I16(-7)).unwrap();
    headers
        .insert("t", FieldValue::Table(amqp_codec::Table::EMPTY))
        .unwrap();
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        reply_to: Some("some.queue".into()),
        ..Default::default()
    };
    let mut amqp = Amqp::connect(&mut world);
    amqp.publish_with(1, "amq.topic", "t", "numbers", true, &fields);
    amqp.seen(&mut world);
    let frame = consumers.stomp.frames(&mut world).pop().unwrap();
    assert_eq!(frame.header("n"), Some("-7"));
    assert_eq!(frame.header("t"), None);
    assert_eq!(frame.header("reply-to"), Some("/reply-queue/some.queue"));
    consumers.mqtt.seen(&mut world);
    let message = consumers.mqtt.messages.pop().unwrap();
    let p = message.properties.as_properties();
    assert!(p.user_properties().eq([("n", "-7")]));
    assert_eq!(p.response_topic(), None);
}

#[test]
fn messages_published_into_amqp_queues_expire_there_too() {
    let mut world = World::new();
    let mut consumers = Consumers::new(&mut world, "other", "other");
    let amqp = &mut consumers.amqp;
    amqp.declare("waiting", &TableBuf::new());
    amqp.bind("waiting", "amq.topic", "t");
    amqp.seen(&mut world);
    let mut expiring = MessageBuf::new("t", "m", QoS::AtLeastOnce);
    expiring.properties = properties([Property::MessageExpiryInterval(5)]);
    let mut mqtt = Mqtt::connect(&mut world, "p");
    for _ in 0..2 {
        mqtt.codec.publish(&expiring.as_message()).unwrap();
    }
    mqtt.seen(&mut world);
    amqp.get("waiting", true);
    assert_eq!(amqp.answer(&mut world), "get-ok 1 m +1");
    world.wait(Duration::from_secs(5));
    amqp.get("waiting", true);
    assert_eq!(amqp.answer(&mut world), "basic.get-empty");
}
