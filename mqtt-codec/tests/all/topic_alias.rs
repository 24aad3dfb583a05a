//! Topic aliases, both ways (5.0 section 3.3.2.3.4).

use std::collections::BTreeSet;

use crate::support::ends::{
    V3_1_1, V5_0, accepted, client_event, client_of, connecting, event, sent, server_of,
    transmitted,
};
use crate::support::link::Link;
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    ClientConfig, ClientConnection, Message, SendError, ServerConfig, ServerConnection,
    ServerEvent, Session, TopicAliasPolicy,
};
use mqtt_codec::{
    Connect, Limits, Packet, PropertiesBuf, PropertiesBuilder, Property, QoS, decode,
};

fn maximum(maximum: u16) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.push(Property::TopicAliasMaximum(maximum)).unwrap();
    builder.build()
}

fn client_config() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.topic_alias_policy = TopicAliasPolicy::UntilFull;
    config
}

fn server_config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.topic_alias_policy = TopicAliasPolicy::UntilFull;
    config
}

const TOPICS: [&str; 5] = ["t/1", "t/2", "t/1", "t/3", "t/2"];

/// The five messages with two aliases, and without any.
const WITH_TWO: [&str; 5] = [
    "30: 0003't/1' {23 0001} 'x'",
    "30: 0003't/2' {23 0002} 'x'",
    "30: 0000 {23 0001} 'x'",
    "30: 0003't/3' {} 'x'",
    "30: 0000 {23 0002} 'x'",
];
const WITHOUT: [&str; 5] = [
    "30: 0003't/1' {} 'x'",
    "30: 0003't/2' {} 'x'",
    "30: 0003't/1' {} 'x'",
    "30: 0003't/3' {} 'x'",
    "30: 0003't/2' {} 'x'",
];

// shows: 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.2.2-18, 5.0 MQTT-3.3.2-9
#[test]
fn the_maximum_of_connack() {
    for (connack, expected) in [
        ("20: 00 00 {22 0002}", WITH_TWO),
        ("20: 00 00 {22 0000}", WITHOUT),
        ("20: 00 00 {}", WITHOUT),
    ] {
        let mut client = client_of(&Connect::clean(V5_0, utf8("c")), client_config(), connack);
        for topic in TOPICS {
            let message = Message::new(topic, "x", QoS::AtMostOnce);
            client.publish(&message).unwrap();
        }
        assert_eq!(sent(&mut client), expected.map(bytes).concat(), "{connack}");
    }
}

// shows: 5.0 MQTT-3.1.2-26, 5.0 MQTT-3.1.2-27, 5.0 MQTT-3.3.2-11
#[test]
fn the_maximum_of_connect() {
    for (properties, expected) in [("22 0002", WITH_TWO), ("22 0000", WITHOUT), ("", WITHOUT)] {
        let connect = format!("10: 0004'MQTT' 05 02 000A {{{properties}}} 0001'c'");
        let mut server = accepted(&connect, server_config());
        for topic in TOPICS {
            let message = Message::new(topic, "x", QoS::AtMostOnce);
            server.publish(&message).unwrap();
        }
        assert_eq!(transmitted(&mut server), expected.map(bytes).concat());
    }
    // 3.1.1 has none.
    let mut server = server_of(V3_1_1, server_config());
    let message = Message::new("t/1", "x", QoS::AtMostOnce);
    server.publish(&message).unwrap();
    assert_eq!(transmitted(&mut server), bytes("30: 0003't/1' 'x'"));
}

/// What a peer offers is not what has to be kept for it: with either policy there are no
/// more aliases than the configuration allows, and those are the lowest.
// shows: 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.1.2-26
#[test]
fn no_more_than_configured() {
    for policy in [
        TopicAliasPolicy::UntilFull,
        TopicAliasPolicy::LeastRecentlyUsed,
    ] {
        for (configured, offered, expected) in [
            (None, 0xFFFF, 16),
            (Some(100), 0xFFFF, 100),
            (Some(100), 7, 7),
            (Some(0), 0xFFFF, 0),
        ] {
            let (mut client, mut server) = (client_config(), server_config());
            (client.topic_alias_policy, server.topic_alias_policy) = (policy, policy);
            if let Some(configured) = configured {
                client.outbound_topic_alias_maximum = configured;
                server.outbound_topic_alias_maximum = configured;
            }
            let offered = format!("{{22 {offered:04X}}}");
            let connack = format!("20: 00 00 {offered}");
            let mut client = client_of(&Connect::clean(V5_0, utf8("c")), client, &connack);
            let connect = format!("10: 0004'MQTT' 05 02 000A {offered} 0001'c'");
            let mut server = accepted(&connect, server);
            for topic in (0..200).map(|topic| topic.to_string()) {
                let message = Message::new(&topic, "x", QoS::AtMostOnce);
                client.publish(&message).unwrap();
                server.publish(&message).unwrap();
            }
            for wire in [sent(&mut client), transmitted(&mut server)] {
                assert_eq!(aliases(&wire), expected, "{policy:?} of {offered}");
            }
        }
    }
}

/// How many topic aliases these packets have.
fn aliases(mut wire: &[u8]) -> usize {
    let mut aliases = BTreeSet::new();
    while let Some((packet, length)) = decode(wire, V5_0, &Limits::default()).unwrap() {
        if let Packet::Publish(publish) = packet {
            aliases.extend(publish.properties.topic_alias());
        }
        wire = &wire[length..];
    }
    assert!(aliases.iter().copied().eq(1..=aliases.len() as u16));
    aliases.len()
}

/// An alias is the connection's to choose, by its policy.
// shows: 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.1.2-26
#[test]
fn no_alias_of_a_message() {
    let mut properties = PropertiesBuilder::new();
    properties.push(Property::TopicAlias(9)).unwrap();
    let message = Message {
        properties: properties.as_properties(),
        ..Message::new("t", "x", QoS::AtMostOnce)
    };
    let mut client = client_of(
        &Connect::clean(V5_0, utf8("c")),
        client_config(),
        "20: 00 00 {22 0002}",
    );
    assert!(matches!(
        client.publish(&message),
        Err(SendError::Encode(_))
    ));
    let mut server = server_of(V5_0, server_config());
    assert!(matches!(
        server.publish(&message),
        Err(SendError::Encode(_))
    ));
}

/// A server and a client that take three aliases, each with a way to feed it.
fn receivers() -> (ServerConnection, ClientConnection) {
    let mut config = ServerConfig::default();
    config.topic_alias_maximum = 3;
    let properties = maximum(3);
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    (
        server_of(V5_0, config),
        client_of(&connect, ClientConfig::default(), "20: 00 00 00"),
    )
}

// shows: 5.0 MQTT-3.3.2-10, 5.0 MQTT-3.3.2-12
#[test]
fn up_to_the_maximum() {
    let (mut server, mut client) = receivers();
    for alias in [3, 1, 2, 3] {
        let input = format!("30: 0003't/{alias}' {{23 000{alias}}} 'x'");
        event(&mut server, &input).unwrap();
        client_event(&mut client, &input).unwrap();
    }
    for alias in 1..=3 {
        let input = format!("30: 0000 {{23 000{alias}}} 'x'");
        let topic = format!("t/{alias}");
        assert!(event(&mut server, &input).unwrap().contains(&topic));
        assert!(client_event(&mut client, &input).unwrap().contains(&topic));
    }
}

// shows: 5.0 MQTT-3.3.2-9, 5.0 MQTT-3.3.2-11
#[test]
fn above_the_maximum() {
    for input in ["30: 0001't' {23 0004} 'x'", "30: 0000 {23 FFFF} 'x'"] {
        let (mut server, mut client) = receivers();
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-3.3.2-9"));
        assert_eq!(transmitted(&mut server), bytes("E0: 94"), "{input}");
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-3.3.2-11"));
        assert_eq!(sent(&mut client), bytes("E0: 94"), "{input}");
    }
}

// shows: 5.0 MQTT-3.3.2-7
#[test]
fn aliases_end_with_the_connection() {
    // What a receiver knows by them is forgotten, whatever the session.
    let introduced = "30: 0001't' {23 0001} 'x'";
    let alone = "30: 0000 {23 0001} 'x'";
    let (mut server, mut client) = receivers();
    event(&mut server, introduced).unwrap();
    client_event(&mut client, introduced).unwrap();
    let (mut server, mut client) = receivers();
    event(&mut server, alone).unwrap_err();
    client_event(&mut client, alone).unwrap_err();

    // And a message that was sent by an alias is sent again by its topic name.
    let connect = Connect {
        ..Connect::resume(V5_0, utf8("c"))
    };
    let mut client = client_of(&connect, client_config(), "20: 00 00 {22 0002}");
    for _ in 0..2 {
        let message = Message::new("t/1", "y", QoS::AtLeastOnce);
        client.publish(&message).unwrap();
    }
    let expected = [
        "32: 0003't/1' 0001 {23 0001} 'y'",
        "32: 0000 0002 {23 0001} 'y'",
    ];
    assert_eq!(sent(&mut client), expected.map(bytes).concat());
    let mut client = connecting(&connect, client_config(), client.into_session());
    client_event(&mut client, "20: 01 00 {22 0002}").unwrap();
    let expected = ["3A: 0003't/1' 0001 {} 'y'", "3A: 0003't/1' 0002 {} 'y'"];
    assert_eq!(sent(&mut client), expected.map(bytes).concat());
    let message = Message::new("t/1", "z", QoS::AtMostOnce);
    client.publish(&message).unwrap();
    assert_eq!(sent(&mut client), bytes("30: 0003't/1' {23 0001} 'z'"));
}

/// A message for which an alias would be too much goes without one.
// shows: 5.0 MQTT-3.2.2-15
#[test]
fn an_alias_gives_way_to_the_maximum_packet_size() {
    let connack = "20: 00 00 {22 0002 27 0000000A}";
    let mut client = client_of(&Connect::clean(V5_0, utf8("c")), client_config(), connack);
    for (topic, expected) in [
        ("t/1", "30: 0003't/1' 00 'x'"),
        ("t/1", "30: 0003't/1' 00 'x'"),
        ("t", "30: 0001't' {23 0001} 'x'"),
        ("t", "30: 0000 {23 0001} 'x'"),
    ] {
        let message = Message::new(topic, "x", QoS::AtMostOnce);
        client.publish(&message).unwrap();
        assert_eq!(sent(&mut client), bytes(expected));
    }
}

#[test]
fn the_embedder_sees_topic_names() {
    let mut config = ServerConfig::default();
    config.topic_alias_maximum = 2;
    let mut link = Link::new(client_config(), config);
    link.connect(&Connect::clean(V5_0, utf8("c")), Session::new());
    for topic in TOPICS {
        let message = Message::new(topic, "x", QoS::AtMostOnce);
        link.client.publish(&message).unwrap();
    }
    let mut topics = Vec::new();
    link.server_events(|_, event| {
        if let ServerEvent::Publish(publish) = event {
            topics.push(publish.topic_name.to_string());
            assert!(publish.to_message().unwrap().properties.is_empty());
        }
    })
    .unwrap();
    assert_eq!(topics, TOPICS);
}
