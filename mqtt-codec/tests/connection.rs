//! What the two ends of a connection do and refuse, one fact of the specification a test.

mod support;

use std::time::Duration;

use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ClientConnection, ClientEvent, ConnectionError,
    Message, SendError, ServerConfig, ServerConnection, ServerEvent, Session, TopicAliasPolicy,
};
use mqtt_codec::{
    Connect, Limits, PacketIdentifier, Properties, PropertiesBuilder, Property, ProtocolVersion,
    QoS, ReasonCode, Subscription, Will,
};
use support::bytes;
use support::link::{Link, acknowledge_with};

const V3_1: ProtocolVersion = ProtocolVersion::V3_1;
const V3_1_1: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5_0: ProtocolVersion = ProtocolVersion::V5_0;

const CONNECT_5_0: &str = "10: 0004'MQTT' 05 02 000A 00 0001'c'";
const CONNECT_3_1_1: &str = "10: 0004'MQTT' 04 02 000A 0001'c'";
const CONNECT_3_1: &str = "10: 0006'MQIsdp' 03 02 000A 0001'c'";

fn connect_of(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V3_1 => CONNECT_3_1,
        ProtocolVersion::V3_1_1 => CONNECT_3_1_1,
        ProtocolVersion::V5_0 => CONNECT_5_0,
    }
}

fn id(value: u16) -> PacketIdentifier {
    PacketIdentifier::new(value).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that has accepted a client of this version, its CONNACK taken.
fn server_of(version: ProtocolVersion, config: ServerConfig) -> ServerConnection {
    let mut server = ServerConnection::new(Duration::ZERO, config);
    let connect = bytes(connect_of(version));
    assert!(matches!(
        server.receive(Duration::ZERO, &mut &connect[..]),
        Ok(Some(ServerEvent::Connect(_)))
    ));
    server
        .accept(Duration::ZERO, &Accept::default(), Session::new())
        .unwrap();
    transmitted(&mut server);
    server
}

fn transmitted(server: &mut ServerConnection) -> Vec<u8> {
    let mut out = Vec::new();
    let length = server.transmit_len();
    assert_eq!(server.poll_transmit(&mut out), length);
    assert_eq!(server.transmit_len(), 0);
    out
}

fn sent(client: &mut ClientConnection) -> Vec<u8> {
    let mut out = Vec::new();
    client.poll_transmit(&mut out);
    out
}

/// The first event of these bytes, as text; then that all of them were taken.
fn event(server: &mut ServerConnection, input: &str) -> Result<String, ConnectionError> {
    let input = bytes(input);
    let mut input = &input[..];
    let event = server.receive(Duration::ZERO, &mut input)?;
    Ok(event.map_or_else(String::new, |event| format!("{event:?}")))
}

/// A client that a server has accepted with this CONNACK; its CONNECT has been taken.
fn client_of(connect: &Connect<'_>, config: ClientConfig, connack: &str) -> ClientConnection {
    let mut client = ClientConnection::new(config);
    client
        .connect(Duration::ZERO, connect, Session::new())
        .unwrap();
    sent(&mut client);
    let connack = bytes(connack);
    assert!(matches!(
        client.receive(Duration::ZERO, &mut &connack[..]),
        Ok(Some(ClientEvent::ConnAck(_)))
    ));
    client
}

fn client_event(client: &mut ClientConnection, input: &str) -> Result<String, ConnectionError> {
    let input = bytes(input);
    let event = client.receive(Duration::ZERO, &mut &input[..])?;
    Ok(event.map_or_else(String::new, |event| format!("{event:?}")))
}

/// First packets that are no CONNECT that is accepted: the statement, and what is
/// answered before closing.
#[test]
fn a_first_packet_that_is_wrong() {
    let table = [
        // Not CONNECT: closed without a word.
        ("30: 0001'a' 00", "MQTT-3.1.0-1", ""),
        ("C0 00", "MQTT-3.1.0-1", ""),
        ("E0 00", "MQTT-3.1.0-1", ""),
        ("F0 00", "MQTT-3.1.0-1", ""),
        ("00", "MQTT-3.1.0-1", ""),
        ("'GET / HTTP/1.1'", "MQTT-3.1.0-1", ""),
        // Versions: 3.x is told 0x01, what is to come 0x84.
        (
            "10: 0004'MQTT' 03 02 003C 0001'a'",
            "MQTT-3.1.2-2",
            "20 02 00 01",
        ),
        (
            "10: 0004'MQTT' 02 02 003C 0001'a'",
            "MQTT-3.1.2-2",
            "20 02 00 01",
        ),
        (
            "10: 0004'MQTT' 06 02 003C 00 0001'a'",
            "MQTT-3.1.2-2",
            "20 03 00 84 00",
        ),
        ("10: 0004'HTTP' 04 02 003C 0001'a'", "MQTT-3.1.2-1", ""),
        // Malformed: 5.0 is told, 3.x is not.
        (
            "10: 0004'MQTT' 05 03 003C 00 0001'a'",
            "MQTT-3.1.2-3",
            "20 03 00 81 00",
        ),
        ("10: 0004'MQTT' 04 03 003C 0001'a'", "MQTT-3.1.2-3", ""),
        (
            "10: 0004'MQTT' 05 02 003C 03 21 0000 0001'a'",
            "§3.1.2.11.3",
            "20 03 00 82 00",
        ),
        (
            "10: 0004'MQTT' 04 00 003C 0000",
            "MQTT-3.1.3-7",
            "20 02 00 02",
        ),
        (
            "10: 0006'MQIsdp' 03 02 003C 0000",
            "§3.1.3.1",
            "20 02 00 02",
        ),
        ("10: 0004'MQ'", "§2.2.3", ""),
        // A length before login that is not believed.
        ("10 FF FF FF 7F", "§2.2.3", ""),
        ("10 80 80 80 80 01", "§2.2.3", ""),
    ];
    for (input, statement, answer) in table {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(transmitted(&mut server), bytes(answer), "{input}");
        assert!(server.is_closed(), "{input}");
        assert_eq!(server.poll_timeout(), None);
        // Final, whatever comes.
        assert_eq!(event(&mut server, CONNECT_5_0), Err(error));
        assert_eq!(server.handle_timeout(seconds(99)), Err(error));
        assert_eq!(server.receive_eof(seconds(99)), Err(error));
        assert_eq!(
            server.publish(&Message::new("a", "", QoS::AtMostOnce)),
            Err(SendError::Closed)
        );
    }
}

/// What a client may not send once it is connected: the statement, and the DISCONNECT of
/// 5.0. 3.x is closed without a word.
#[test]
fn what_breaks_an_established_connection() {
    let table = [
        (V5_0, CONNECT_5_0, "MQTT-3.1.0-2", "E0 01 82"),
        (V3_1_1, CONNECT_3_1_1, "MQTT-3.1.0-2", ""),
        (V5_0, "20: 00 00 00", "§2.1.2", "E0 01 82"),
        (V5_0, "90: 0001 00 00", "§2.1.2", "E0 01 82"),
        (V5_0, "B0: 0001 00 00", "§2.1.2", "E0 01 82"),
        (V5_0, "D0 00", "§2.1.2", "E0 01 82"),
        (V3_1_1, "D0 00", "§2.2.1", ""),
        (V5_0, "F0: 19 04 15 0001'm'", "MQTT-4.12.0-7", "E0 01 82"),
        (V5_0, "C1 00", "MQTT-2.1.3-1", "E0 01 81"),
        (V3_1_1, "C1 00", "MQTT-2.2.2-1", ""),
        (V5_0, "30 FF FF FF 7F", "MQTT-3.2.2-15", "E0 01 95"),
        (V5_0, "30: 0001'a' 02 0B 01", "MQTT-3.3.4-6", "E0 01 82"),
        (V5_0, "30: 0001'a' 03 23 0001", "MQTT-3.3.2-9", "E0 01 94"),
        (V5_0, "30: 0000 03 23 0001", "MQTT-3.3.2-9", "E0 01 94"),
        (V5_0, "E0: 00 05 11 00000001", "§3.14.2.2.2", "E0 01 82"),
    ];
    for (version, input, statement, answer) in table {
        let mut server = server_of(version, ServerConfig::default());
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(transmitted(&mut server), bytes(answer), "{input}");
        assert!(server.is_closed(), "{input}");
    }
}

/// What a server does not offer is refused with the reason code for it.
#[test]
fn what_the_server_does_not_offer() {
    let mut config = ServerConfig::default();
    config.maximum_qos = QoS::AtLeastOnce;
    config.retain_available = false;
    config.wildcard_subscription_available = false;
    config.shared_subscription_available = false;
    config.subscription_identifiers_available = false;
    config.topic_alias_maximum = 2;
    let table = [
        ("34: 0001'a' 0001 00", "MQTT-3.2.2-11", 0x9B),
        ("31: 0001'a' 00", "MQTT-3.2.2-14", 0x9A),
        ("82: 0001 00 0001'#' 00", "§3.2.2.3.11", 0xA2),
        ("82: 0001 02 0B 01 0001'a' 00", "§3.2.2.3.12", 0xA1),
        ("82: 0001 00 000A'$share/g/a' 00", "§3.2.2.3.13", 0x9E),
        ("30: 0001'a' 03 23 0003", "MQTT-3.3.2-9", 0x94),
        ("30: 0000 03 23 0002", "§3.3.2.3.4", 0x82),
    ];
    for (input, statement, reason) in table {
        let mut server = server_of(V5_0, config);
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(transmitted(&mut server), [0xE0, 1, reason], "{input}");
    }
    // And CONNACK announces it, properties in their order.
    let mut server = ServerConnection::new(Duration::ZERO, config);
    event(&mut server, CONNECT_5_0).unwrap();
    server
        .accept(Duration::ZERO, &Accept::default(), Session::new())
        .unwrap();
    assert_eq!(
        transmitted(&mut server),
        bytes("20: 00 00 {24 01 25 00 27 00100000 22 0002 28 00 29 00 2A 00}")
    );
    // A will above it is refused in CONNACK (MQTT-3.2.2-12, MQTT-3.2.2-13).
    for (will, reason) in [("16", 0x9B), ("26", 0x9A)] {
        let mut server = ServerConnection::new(Duration::ZERO, config);
        let connect = format!("10: 0004'MQTT' 05 {will} 000A 00 0001'c' 00 0001't' 0000");
        event(&mut server, &connect).unwrap_err();
        assert_eq!(transmitted(&mut server), [0x20, 3, 0, reason, 0]);
    }
}

/// Section 3.2.2.3: every value that CONNACK settles, as both ends have it.
#[test]
fn every_negotiated_value() {
    let mut config = ServerConfig::default();
    config.receive_maximum = 7;
    config.topic_alias_maximum = 3;
    config.maximum_qos = QoS::AtLeastOnce;
    config.retain_available = false;
    config.wildcard_subscription_available = false;
    config.subscription_identifiers_available = false;
    config.shared_subscription_available = false;
    config.limits = Limits::default().with_maximum_packet_size(500);
    let mut link = Link::new(ClientConfig::default(), config);
    let mut properties = PropertiesBuilder::new();
    properties
        .extend([
            Property::ReceiveMaximum(5),
            Property::MaximumPacketSize(400),
            Property::TopicAliasMaximum(9),
            Property::RequestProblemInformation(false),
        ])
        .unwrap();
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::new(V5_0, "")
    };
    link.client
        .connect(link.now, &connect, Session::new())
        .unwrap();
    link.at_server().unwrap();
    let of_client = link.server.peer_limits();
    assert_eq!(of_client.receive_maximum, 5);
    assert_eq!(of_client.maximum_packet_size, 400);
    assert_eq!(of_client.topic_alias_maximum, 9);
    assert!(!of_client.request_problem_information);
    // MQTT-3.2.2-16
    let refused = link
        .server
        .accept(link.now, &Accept::default(), Session::new());
    assert!(matches!(refused, Err(SendError::Rule { .. })));
    let accept = Accept {
        assigned_client_identifier: Some("assigned"),
        session_expiry_interval: Some(99),
        server_keep_alive: Some(30),
        ..Accept::default()
    };
    link.server
        .accept(link.now, &accept, Session::new())
        .unwrap();
    link.client_events(|_, event| {
        let ClientEvent::ConnAck(connack) = event else {
            panic!("CONNACK");
        };
        let properties = connack.properties;
        assert_eq!(properties.assigned_client_identifier(), Some("assigned"));
        assert_eq!(properties.session_expiry_interval(), Some(99));
    })
    .unwrap();
    let of_server = link.client.peer_limits();
    assert_eq!(of_server.receive_maximum, 7);
    assert_eq!(of_server.maximum_packet_size, 500);
    assert_eq!(of_server.topic_alias_maximum, 3);
    assert_eq!(of_server.maximum_qos, QoS::AtLeastOnce);
    assert!(!of_server.retain_available);
    assert!(!of_server.wildcard_subscription_available);
    assert!(!of_server.subscription_identifiers_available);
    assert!(!of_server.shared_subscription_available);
    assert_eq!(link.client.keep_alive(), 30);
    assert_eq!(link.server.keep_alive(), 30);
    assert_eq!(link.client.send_quota(), 7);
    assert_eq!(link.server.send_quota(), 5);

    // The client keeps to it.
    let refuses = |result: Result<_, SendError>| {
        assert!(matches!(result, Err(SendError::Rule { .. })), "{result:?}");
    };
    let client = &mut link.client;
    refuses(client.publish(&Message::new("a", "", QoS::ExactlyOnce)));
    let retained = Message {
        retain: true,
        ..Message::new("a", "", QoS::AtMostOnce)
    };
    refuses(client.publish(&retained));
    let subscribe = |client: &mut ClientConnection, filter, properties| {
        client
            .subscribe(&[Subscription::new(filter, QoS::AtMostOnce)], properties)
            .map(Some)
    };
    refuses(subscribe(client, "a/#", Properties::EMPTY));
    refuses(subscribe(client, "$share/g/a", Properties::EMPTY));
    let mut identifier = PropertiesBuilder::new();
    identifier
        .push(Property::SubscriptionIdentifier(1))
        .unwrap();
    refuses(subscribe(client, "a", identifier.as_properties()));
    assert!(subscribe(client, "a", Properties::EMPTY).is_ok());
    let large = Message::new("a", vec![0; 500], QoS::AtLeastOnce);
    assert!(matches!(
        client.publish(&large),
        Err(SendError::PacketTooLarge { maximum: 500, .. })
    ));
    let large = Message::new("a", vec![0; 400], QoS::AtLeastOnce);
    assert!(matches!(
        link.server.publish(&large),
        Err(SendError::PacketTooLarge { maximum: 400, .. })
    ));
    // What was refused took no packet identifier and no quota.
    assert_eq!(link.client.send_quota(), 7);
    assert!(link.client.session().is_empty());
}

/// Section 4.9, both ends: the quota goes down with PUBLISH and up with what settles it.
#[test]
fn flow_control() {
    let mut config = ServerConfig::default();
    config.receive_maximum = 2;
    let mut link = Link::new(ClientConfig::default(), config);
    link.connect(&Connect::new(V5_0, "c"), Session::new());
    let message = Message::new("a", "x", QoS::AtLeastOnce);
    let exactly = Message::new("a", "x", QoS::ExactlyOnce);
    assert_eq!(link.client.publish(&message), Ok(Some(id(1))));
    assert_eq!(link.client.publish(&exactly), Ok(Some(id(2))));
    assert_eq!(
        link.client.publish(&message),
        Err(SendError::ReceiveMaximum)
    );
    // QoS 0 is not held back.
    assert_eq!(
        link.client
            .publish(&Message::new("a", "x", QoS::AtMostOnce)),
        Ok(None)
    );
    link.server_events(|server, event| {
        if let ServerEvent::Publish(publish) = event {
            acknowledge_with(&publish, |i, r, p| server.acknowledge(i, r, p));
        }
    })
    .unwrap();
    // PUBREC does not settle, PUBACK does.
    link.at_client().unwrap();
    assert_eq!(link.client.send_quota(), 1);
    link.at_server().unwrap();
    link.at_client().unwrap();
    assert_eq!(link.client.send_quota(), 2);

    // A client that goes beyond is told 0x93 (MQTT-3.3.4-7).
    let mut server = server_of(V5_0, config);
    for input in [
        "32: 0001'a' 0001 00",
        "34: 0001'a' 0002 00",
        "30: 0001'a' 00",
    ] {
        assert!(event(&mut server, input).unwrap().starts_with("Publish"));
    }
    event(&mut server, "32: 0001'a' 0003 00").unwrap_err();
    assert_eq!(transmitted(&mut server), [0xE0, 1, 0x93]);
    // A PUBREC with an error settles (section 4.9).
    let mut server = server_of(V5_0, config);
    event(&mut server, "34: 0001'a' 0001 00").unwrap();
    event(&mut server, "34: 0001'a' 0002 00").unwrap();
    server
        .acknowledge(id(2), ReasonCode::QuotaExceeded, Properties::EMPTY)
        .unwrap();
    assert!(event(&mut server, "34: 0001'a' 0003 00").is_ok());
}

/// Sections 4.3.2 and 4.3.3 from the receiving end, byte for byte.
#[test]
fn inbound_delivery() {
    for (version, none) in [(V5_0, "00"), (V3_1_1, "")] {
        let mut server = server_of(version, ServerConfig::default());
        let qos_1 = format!("32: 0001'a' 000A {none}");
        assert!(event(&mut server, &qos_1).unwrap().starts_with("Publish"));
        assert_eq!(transmitted(&mut server), b"");
        server
            .acknowledge(id(10), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes("40: 000A"));
        assert_eq!(
            server.acknowledge(id(10), ReasonCode::Success, Properties::EMPTY),
            Err(SendError::UnknownPacketIdentifier)
        );
        // After PUBACK the identifier is that of a new message (MQTT-4.3.2-5).
        assert!(event(&mut server, &qos_1).unwrap().starts_with("Publish"));
        server
            .acknowledge(id(10), ReasonCode::NoMatchingSubscribers, Properties::EMPTY)
            .unwrap();
        let told = if version == V5_0 {
            "40: 000A 10"
        } else {
            "40: 000A"
        };
        assert_eq!(transmitted(&mut server), bytes(told));

        let qos_2 = format!("34: 0001'a' 0001 {none}");
        let again = format!("3C: 0001'a' 0001 {none}");
        assert!(event(&mut server, &qos_2).unwrap().starts_with("Publish"));
        // Not yet acknowledged, it is not handed out again, nor answered.
        assert_eq!(event(&mut server, &again).unwrap(), "");
        assert_eq!(transmitted(&mut server), b"");
        server
            .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes("50: 0001"));
        // MQTT-4.3.3-10
        assert_eq!(event(&mut server, &again).unwrap(), "");
        assert_eq!(transmitted(&mut server), bytes("50: 0001"));
        assert!(
            event(&mut server, "62: 0001")
                .unwrap()
                .starts_with("PubRel")
        );
        assert_eq!(transmitted(&mut server), bytes("70: 0001"));
        // A PUBREL for nothing.
        assert_eq!(event(&mut server, "62: 0001").unwrap(), "");
        let told = if version == V5_0 {
            "70: 0001 92"
        } else {
            "70: 0001"
        };
        assert_eq!(transmitted(&mut server), bytes(told));
        // After PUBCOMP the identifier is that of a new message (MQTT-4.3.3-12).
        assert!(event(&mut server, &qos_2).unwrap().starts_with("Publish"));
        // PUBREL answers PUBREC, and there was none (MQTT-4.3.3-4).
        assert!(event(&mut server, "62: 0001").is_err());
    }
    // A refused message is forgotten (MQTT-4.3.3-9).
    let mut server = server_of(V5_0, ServerConfig::default());
    for _ in 0..2 {
        let publish = event(&mut server, "34: 0001'a' 0001 00").unwrap();
        assert!(publish.starts_with("Publish"));
        server
            .acknowledge(id(1), ReasonCode::NotAuthorized, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes("50: 0001 87"));
    }
}

/// A packet identifier in use (MQTT-2.2.1-3).
#[test]
fn identifiers_in_use() {
    let used = [
        ("32: 0001'a' 0001 00", "32: 0001'a' 0001 00"),
        ("32: 0001'a' 0001 00", "34: 0001'a' 0001 00"),
        ("34: 0001'a' 0001 00", "32: 0001'a' 0001 00"),
        ("34: 0001'a' 0001 00", "82: 0001 00 0001'a' 00"),
        ("82: 0001 00 0001'a' 00", "32: 0001'a' 0001 00"),
        ("82: 0001 00 0001'a' 00", "A2: 0001 00 0001'a'"),
    ];
    for (first, second) in used {
        let mut server = server_of(V5_0, ServerConfig::default());
        event(&mut server, first).unwrap();
        let error = event(&mut server, second).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-2.2.1-3"), "{first} {second}");
        assert_eq!(transmitted(&mut server), [0xE0, 1, 0x82]);
    }
    // 3.x may send a message again on the same connection.
    let mut server = server_of(V3_1, ServerConfig::default());
    event(&mut server, "32: 0001'a' 0001").unwrap();
    assert_eq!(event(&mut server, "3A: 0001'a' 0001").unwrap(), "");
    assert!(event(&mut server, "32: 0001'a' 0001").is_err());
}

/// Sections 4.3.2 and 4.3.3 from the sending end, byte for byte.
#[test]
fn outbound_delivery() {
    for (version, none) in [(V5_0, "00"), (V3_1_1, "")] {
        let mut server = server_of(version, ServerConfig::default());
        let exactly = Message::new("a", "x", QoS::ExactlyOnce);
        assert_eq!(server.publish(&exactly), Ok(Some(id(1))));
        let publish = format!("34: 0001'a' 0001 {none} 'x'");
        assert_eq!(transmitted(&mut server), bytes(&publish));
        assert!(
            event(&mut server, "50: 0001")
                .unwrap()
                .starts_with("PubRec")
        );
        assert_eq!(transmitted(&mut server), bytes("62: 0001"));
        // Again is no news, and answered all the same.
        assert_eq!(event(&mut server, "50: 0001").unwrap(), "");
        assert_eq!(transmitted(&mut server), bytes("62: 0001"));
        assert!(
            event(&mut server, "70: 0001")
                .unwrap()
                .starts_with("PubComp")
        );
        assert!(server.session().is_empty());
        // Nothing waits for these.
        assert_eq!(event(&mut server, "40: 0009").unwrap(), "");
        assert_eq!(event(&mut server, "70: 0009").unwrap(), "");
        assert_eq!(transmitted(&mut server), b"");
        assert_eq!(event(&mut server, "50: 0009").unwrap(), "");
        let told = if version == V5_0 {
            "62: 0009 92"
        } else {
            "62: 0009"
        };
        assert_eq!(transmitted(&mut server), bytes(told));
    }
    // The acknowledgement of another QoS.
    for (qos, ack) in [
        (QoS::AtLeastOnce, "50: 0001"),
        (QoS::AtLeastOnce, "70: 0001"),
        (QoS::ExactlyOnce, "40: 0001"),
        (QoS::ExactlyOnce, "70: 0001"),
    ] {
        let mut server = server_of(V5_0, ServerConfig::default());
        server.publish(&Message::new("a", "x", qos)).unwrap();
        let error = event(&mut server, ack).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-3.3.4-1"), "{qos:?} {ack}");
    }
    // An error settles (MQTT-4.4.0-2).
    let mut server = server_of(V5_0, ServerConfig::default());
    server
        .publish(&Message::new("a", "x", QoS::ExactlyOnce))
        .unwrap();
    transmitted(&mut server);
    assert!(
        event(&mut server, "50: 0001 97")
            .unwrap()
            .starts_with("PubRec")
    );
    assert!(server.session().is_empty());
    assert_eq!(transmitted(&mut server), b"");
}

/// Section 4.4: what is not settled is sent again, in order, with DUP; PUBREL too; beyond
/// the Receive Maximum as acknowledgements come.
#[test]
fn resumption() {
    let mut server = server_of(V5_0, ServerConfig::default());
    for (payload, qos) in [("1", 1), ("2", 2), ("3", 2), ("4", 1)] {
        let message = Message::new("a", payload, QoS::from_bits(qos).unwrap());
        server.publish(&message).unwrap();
    }
    event(&mut server, "50: 0002").unwrap();
    let session = server.into_session();

    let resume = |session: &Session, properties: &str| {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        let connect = format!("10: 0004'MQTT' 05 00 000A {{{properties}}} 0001'c'");
        event(&mut server, &connect).unwrap();
        let accept = Accept {
            session_present: true,
            ..Accept::default()
        };
        server
            .accept(Duration::ZERO, &accept, session.clone())
            .unwrap();
        let out = transmitted(&mut server);
        let connack = bytes("20: 01 00 {27 00100000}");
        assert_eq!(out[..connack.len()], connack);
        (server, out[connack.len()..].to_vec())
    };
    let one = bytes("3A: 0001'a' 0001 00 '1'");
    let three = bytes("3C: 0001'a' 0003 00 '3'");
    let four = bytes("3A: 0001'a' 0004 00 '4'");
    let two = bytes("62: 0002");
    let (_, all) = resume(&session, "");
    assert_eq!(all, [&one[..], &three, &four, &two].concat());

    let (mut server, first) = resume(&session, "21 0001");
    assert_eq!(first, [&one[..], &two].concat());
    assert_eq!(server.send_quota(), 0);
    assert_eq!(
        server.publish(&Message::new("a", "5", QoS::AtLeastOnce)),
        Err(SendError::ReceiveMaximum)
    );
    event(&mut server, "70: 0002").unwrap();
    event(&mut server, "40: 0001").unwrap();
    assert_eq!(transmitted(&mut server), three);
    event(&mut server, "50: 0003").unwrap();
    event(&mut server, "70: 0003").unwrap();
    assert_eq!(
        transmitted(&mut server),
        [&bytes("62: 0003")[..], &four].concat()
    );
    event(&mut server, "40: 0004").unwrap();
    assert!(server.session().is_empty());
    // Identifiers go on where they were.
    assert_eq!(
        server.publish(&Message::new("a", "5", QoS::AtLeastOnce)),
        Ok(Some(id(5)))
    );

    // What has become too large is dropped as if delivered (MQTT-3.1.2-25).
    let mut server = server_of(V5_0, ServerConfig::default());
    for payload in ["a long message", "short"] {
        let message = Message::new("a", payload, QoS::AtLeastOnce);
        server.publish(&message).unwrap();
    }
    let session = server.into_session();
    let (server, out) = resume(&session, "27 00000010");
    assert_eq!(out, bytes("3A: 0001'a' 0002 00 'short'"));
    assert_eq!(server.session().in_flight().len(), 1);
}

/// Session Present goes with the session and with Clean Start (section 3.2.2.1.1).
#[test]
fn session_present() {
    let mut old = server_of(V5_0, ServerConfig::default());
    old.publish(&Message::new("a", "x", QoS::AtLeastOnce))
        .unwrap();
    let session = old.into_session();
    let accept = |present| Accept {
        session_present: present,
        ..Accept::default()
    };
    let clean = CONNECT_5_0;
    let goes_on = "10: 0004'MQTT' 05 00 000A 00 0001'c'";
    for (connect, present, session, expected) in [
        (clean, true, Session::new(), Err(SendError::SessionPresent)),
        (clean, true, session.clone(), Err(SendError::SessionPresent)),
        (
            clean,
            false,
            session.clone(),
            Err(SendError::SessionPresent),
        ),
        (clean, false, Session::new(), Ok(())),
        (
            goes_on,
            false,
            session.clone(),
            Err(SendError::SessionPresent),
        ),
        (goes_on, true, session, Ok(())),
        (goes_on, true, Session::new(), Ok(())),
    ] {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        event(&mut server, connect).unwrap();
        assert_eq!(
            server.accept(Duration::ZERO, &accept(present), session),
            expected
        );
        assert_eq!(server.transmit_len() > 0, expected.is_ok());
    }
    // MQTT-3.2.2-4: a client that wanted a new one.
    let mut client = ClientConnection::new(ClientConfig::default());
    client
        .connect(Duration::ZERO, &Connect::new(V5_0, "c"), Session::new())
        .unwrap();
    sent(&mut client);
    let error = client_event(&mut client, "20: 01 00 00").unwrap_err();
    assert_eq!(error.statement(), Some("MQTT-3.2.2-4"));
    assert_eq!(sent(&mut client), [0xE0, 1, 0x82]);
    // MQTT-3.2.2-5: a client whose session the server has not.
    let connect = Connect {
        clean_start: false,
        ..Connect::new(V5_0, "c")
    };
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    client
        .publish(&Message::new("a", "x", QoS::AtLeastOnce))
        .unwrap();
    let session = client.into_session();
    assert!(!session.is_empty());
    let mut client = ClientConnection::new(ClientConfig::default());
    client
        .connect(Duration::ZERO, &connect, session.clone())
        .unwrap();
    assert_eq!(*client.session(), session);
    sent(&mut client);
    client_event(&mut client, "20: 00 00 00").unwrap();
    assert!(client.session().is_empty());
    assert_eq!(sent(&mut client), b"");
}

/// MQTT-3.1.2-20, MQTT-3.1.2-22: silence on either side.
#[test]
fn keep_alive() {
    // The server waits one and a half times 10 seconds, for whole packets.
    for (version, goodbye) in [(V5_0, "E0 01 8D"), (V3_1_1, "")] {
        let mut server = server_of(version, ServerConfig::default());
        assert_eq!(server.poll_timeout(), Some(seconds(15)));
        let ping = bytes("C0 00");
        server.receive(seconds(10), &mut &ping[..1]).unwrap();
        assert_eq!(server.poll_timeout(), Some(seconds(15)));
        server.receive(seconds(12), &mut &ping[..]).unwrap();
        assert_eq!(transmitted(&mut server), bytes("D0 00"));
        assert_eq!(server.poll_timeout(), Some(seconds(27)));
        assert_eq!(server.handle_timeout(seconds(26)), Ok(()));
        assert_eq!(
            server.handle_timeout(seconds(27)),
            Err(ConnectionError::KeepAliveTimeout)
        );
        assert_eq!(transmitted(&mut server), bytes(goodbye));
        assert_eq!(server.poll_timeout(), None);
        assert!(server.is_closed());
    }
    // CONNECT is to come in time.
    let mut server = ServerConnection::new(seconds(5), ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(seconds(15)));
    assert_eq!(
        server.handle_timeout(seconds(15)),
        Err(ConnectionError::ConnectTimeout)
    );
    assert_eq!(transmitted(&mut server), b"");
    // A keep alive of 0 is none.
    let mut server = ServerConnection::new(seconds(0), ServerConfig::default());
    event(&mut server, "10: 0004'MQTT' 05 02 0000 00 0001'c'").unwrap();
    server
        .accept(seconds(0), &Accept::default(), Session::new())
        .unwrap();
    assert_eq!(server.poll_timeout(), None);

    // The client pings after 60 seconds of its own silence, and wants an answer in 10.
    let connect = Connect::new(V5_0, "c");
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
    client.handle_timeout(seconds(30)).unwrap();
    client
        .publish(&Message::new("a", "x", QoS::AtMostOnce))
        .unwrap();
    sent(&mut client);
    assert_eq!(client.poll_timeout(), Some(seconds(90)));
    client.handle_timeout(seconds(90)).unwrap();
    assert_eq!(sent(&mut client), bytes("C0 00"));
    assert_eq!(client.poll_timeout(), Some(seconds(100)));
    let pong = bytes("D0 00");
    assert_eq!(
        client.receive(seconds(95), &mut &pong[..]),
        Ok(Some(ClientEvent::PingResp))
    );
    assert_eq!(client.poll_timeout(), Some(seconds(150)));
    client.handle_timeout(seconds(150)).unwrap();
    assert_eq!(
        client.handle_timeout(seconds(160)),
        Err(ConnectionError::PingTimeout)
    );
    assert!(client.is_closed());
    // MQTT-3.1.2-21
    let client = client_of(&connect, ClientConfig::default(), "20: 00 00 03 13 0005");
    assert_eq!(client.poll_timeout(), Some(seconds(5)));
    // CONNACK is to come in time.
    let mut client = ClientConnection::new(ClientConfig::default());
    client
        .connect(seconds(1), &connect, Session::new())
        .unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(11)));
    assert_eq!(
        client.handle_timeout(seconds(11)),
        Err(ConnectionError::ConnectTimeout)
    );
}

/// Section 3.3.2.3.4, both ways.
#[test]
fn topic_aliases() {
    let mut config = ServerConfig::default();
    config.topic_alias_maximum = 2;
    let mut client = ClientConfig::default();
    client.topic_alias_policy = TopicAliasPolicy::UntilFull;
    let mut link = Link::new(client, config);
    link.connect(&Connect::new(V5_0, "c"), Session::new());
    for topic in ["t/1", "t/2", "t/1", "t/3", "t/2"] {
        link.client
            .publish(&Message::new(topic, "x", QoS::AtMostOnce))
            .unwrap();
    }
    link.client.poll_transmit(&mut link.to_server);
    assert_eq!(
        link.to_server,
        [
            bytes("30: 0003't/1' {23 0001} 'x'"),
            bytes("30: 0003't/2' {23 0002} 'x'"),
            bytes("30: 0000 {23 0001} 'x'"),
            bytes("30: 0003't/3' {} 'x'"),
            bytes("30: 0000 {23 0002} 'x'"),
        ]
        .concat()
    );
    let mut topics = Vec::new();
    link.server_events(|_, event| {
        if let ServerEvent::Publish(publish) = event {
            topics.push(publish.topic_name.to_string());
            assert!(publish.to_message().properties.is_empty());
        }
    })
    .unwrap();
    assert_eq!(topics, ["t/1", "t/2", "t/1", "t/3", "t/2"]);
    // Sent again on another connection it has its topic name (MQTT-3.3.2-7).
    let again = Message::new("t/1", "y", QoS::AtLeastOnce);
    link.client.publish(&again).unwrap();
    assert_eq!(sent(&mut link.client), bytes("32: 0000 0001 {23 0001} 'y'"));
    let session = link.client.into_session();
    let mut client = ClientConnection::new(client);
    let connect = Connect {
        clean_start: false,
        ..Connect::new(V5_0, "c")
    };
    client.connect(Duration::ZERO, &connect, session).unwrap();
    sent(&mut client);
    client_event(&mut client, "20: 01 00 03 22 0002").unwrap();
    assert_eq!(sent(&mut client), bytes("3A: 0003't/1' 0001 00 'y'"));
}

/// Sections 3.8 to 3.11 between the two ends.
#[test]
fn subscriptions() {
    for version in ProtocolVersion::ALL {
        let mut link = Link::connected(version);
        let filters = [
            Subscription::new("a", QoS::AtMostOnce),
            Subscription::new("b/#", QoS::ExactlyOnce),
        ];
        let first = link.client.subscribe(&filters, Properties::EMPTY).unwrap();
        let second = link
            .client
            .unsubscribe(&["a", "x"], Properties::EMPTY)
            .unwrap();
        assert_eq!((first, second), (id(1), id(2)));
        link.server_events(|server, event| match event {
            ServerEvent::Subscribe(subscribe) => {
                assert!(subscribe.subscriptions.iter().eq(filters));
                let codes = [ReasonCode::Success, ReasonCode::NotAuthorized];
                assert_eq!(
                    server.suback(first, &codes[..1], Properties::EMPTY),
                    Err(SendError::ReasonCodeCount {
                        expected: 2,
                        given: 1
                    })
                );
                assert_eq!(
                    server.suback(second, &codes, Properties::EMPTY),
                    Err(SendError::UnknownPacketIdentifier)
                );
                let wrong = [ReasonCode::Success, ReasonCode::Banned];
                assert!(matches!(
                    server.suback(first, &wrong, Properties::EMPTY),
                    Err(SendError::ReasonCode { .. })
                ));
                server.suback(first, &codes, Properties::EMPTY).unwrap();
            }
            ServerEvent::Unsubscribe(unsubscribe) => {
                assert!(unsubscribe.topic_filters.iter().eq(["a", "x"]));
                let codes = [ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
                server.unsuback(second, &codes, Properties::EMPTY).unwrap();
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
        let mut answers = Vec::new();
        link.client_events(|_, event| match event {
            ClientEvent::SubAck(ack) => answers.push(ack.reason_codes.iter().collect()),
            ClientEvent::UnsubAck(ack) => answers.push(ack.reason_codes.iter().collect::<Vec<_>>()),
            other => panic!("{other:?}"),
        })
        .unwrap();
        let (failure, unsubscribed) = match version {
            ProtocolVersion::V5_0 => (
                ReasonCode::NotAuthorized,
                vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted],
            ),
            _ => (ReasonCode::UnspecifiedError, vec![]),
        };
        assert_eq!(answers, [vec![ReasonCode::Success, failure], unsubscribed]);
    }
    // Answers to nothing, or not as many.
    let connect = Connect::new(V5_0, "c");
    for (input, statement) in [
        ("90: 0002 00 00", "MQTT-3.8.4-2"),
        ("B0: 0001 00 00", "MQTT-3.10.4-5"),
        ("90: 0001 00 00 00", "MQTT-3.8.4-6"),
    ] {
        let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
        client
            .subscribe(
                &[Subscription::new("a", QoS::AtMostOnce)],
                Properties::EMPTY,
            )
            .unwrap();
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
    }
}

/// What a server may not send.
#[test]
fn what_a_client_refuses() {
    let connect = Connect::new(V5_0, "c");
    for (input, statement) in [
        ("20: 00 00 00", "MQTT-3.2.0-2"),
        ("C0 00", "§2.1.2"),
        ("82: 0001 00 0001'a' 00", "§2.1.2"),
        (CONNECT_5_0, "§2.1.2"),
        ("E0: 00 05 11 00000001", "MQTT-3.14.2-2"),
        ("F0: 18 04 15 0001'm'", "MQTT-4.12.0-7"),
        ("30: 0000 03 23 0001", "MQTT-3.3.2-9"),
    ] {
        let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(sent(&mut client)[0], 0xE0);
    }
    // Before CONNACK (MQTT-3.2.0-1), and CONNACKs that cannot be.
    let anonymous = Connect::new(V5_0, "");
    for (connect, input, statement) in [
        (&connect, "30: 0001'a' 00", "MQTT-3.2.0-1"),
        (&connect, "E0: 80", "MQTT-3.2.0-1"),
        (&connect, "F0: 18 04 15 0001'm'", "MQTT-4.12.0-7"),
        (&connect, "20: 00 00 04 15 0001'm'", "MQTT-4.12.0-7"),
        (&connect, "20: 00 00 04 1A 0001'r'", "MQTT-3.1.2-28"),
        (&anonymous, "20: 00 00 00", "MQTT-3.2.2-16"),
    ] {
        let mut client = ClientConnection::new(ClientConfig::default());
        client
            .connect(Duration::ZERO, connect, Session::new())
            .unwrap();
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
    }
    // A DISCONNECT from a server of 3.1.1.
    let connect = Connect::new(V3_1_1, "c");
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00");
    assert!(client_event(&mut client, "E0 00").is_err());
    assert_eq!(sent(&mut client), b"");
}

/// Section 4.12: authentication in steps, and again.
#[test]
fn enhanced_authentication() {
    let mut link = Link::new(ClientConfig::default(), ServerConfig::default());
    let mut properties = PropertiesBuilder::new();
    properties
        .extend([
            Property::AuthenticationMethod("M"),
            Property::AuthenticationData(b"client-first"),
        ])
        .unwrap();
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::new(V5_0, "c")
    };
    link.client
        .connect(link.now, &connect, Session::new())
        .unwrap();
    let data = |data: &'static [u8]| {
        let mut builder = PropertiesBuilder::new();
        builder.push(Property::AuthenticationData(data)).unwrap();
        builder.build()
    };
    link.server_events(|server, event| {
        assert!(matches!(event, ServerEvent::Connect(_)));
        server
            .authenticate(
                Duration::ZERO,
                ReasonCode::ContinueAuthentication,
                data(b"server-first").as_properties(),
            )
            .unwrap();
    })
    .unwrap();
    assert_eq!(link.server.poll_timeout(), Some(seconds(10)));
    link.client_events(|client, event| {
        let ClientEvent::Auth(auth) = event else {
            panic!("AUTH");
        };
        assert_eq!(
            auth.properties.authentication_data(),
            Some(&b"server-first"[..])
        );
        assert_eq!(auth.properties.authentication_method(), Some("M"));
        client
            .authenticate(
                ReasonCode::ContinueAuthentication,
                data(b"client-final").as_properties(),
            )
            .unwrap();
    })
    .unwrap();
    link.server_events(|server, event| {
        assert!(matches!(event, ServerEvent::Auth(_)));
        let last = data(b"server-final");
        let accept = Accept {
            properties: last.as_properties(),
            ..Accept::default()
        };
        assert_eq!(
            server.accept(Duration::ZERO, &accept, Session::new()),
            Ok(())
        );
    })
    .unwrap();
    link.client_events(|_, event| {
        let ClientEvent::ConnAck(connack) = event else {
            panic!("CONNACK");
        };
        // MQTT-4.12.0-5
        assert_eq!(connack.properties.authentication_method(), Some("M"));
    })
    .unwrap();
    // Again (section 4.12.1), while messages go on.
    link.client
        .authenticate(ReasonCode::ReAuthenticate, Properties::EMPTY)
        .unwrap();
    link.client
        .publish(&Message::new("a", "x", QoS::AtMostOnce))
        .unwrap();
    link.server_events(|server, event| match event {
        ServerEvent::Auth(auth) => {
            assert_eq!(auth.reason_code, ReasonCode::ReAuthenticate);
            server
                .authenticate(Duration::ZERO, ReasonCode::Success, Properties::EMPTY)
                .unwrap();
        }
        other => assert!(matches!(other, ServerEvent::Publish(_))),
    })
    .unwrap();
    assert_eq!(link.at_client().unwrap().len(), 1);

    // What breaks it.
    let connect = "10: 0004'MQTT' 05 02 000A {15 0001'M'} 0001'c'";
    for (input, statement, answer) in [
        ("30: 0001'a' 00", "MQTT-3.1.2-30", 0x82),
        ("F0: 18 {15 0001'N'}", "MQTT-4.12.0-5", 0x82),
        ("F0: 19 {15 0001'M'}", "MQTT-4.12.0-3", 0x82),
        (connect, "MQTT-3.1.0-2", 0x82),
    ] {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        event(&mut server, connect).unwrap();
        server
            .authenticate(
                Duration::ZERO,
                ReasonCode::ContinueAuthentication,
                Properties::EMPTY,
            )
            .unwrap();
        transmitted(&mut server);
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(transmitted(&mut server), [0x20, 3, 0, answer, 0]);
    }
}

/// A client acknowledges in the order of the messages (MQTT-4.6.0-2, MQTT-4.6.0-3).
#[test]
fn a_client_acknowledges_in_order() {
    let mut config = ClientConfig::default();
    config.acknowledgements = Acknowledgements::Manual;
    let mut client = client_of(&Connect::new(V5_0, "c"), config, "20: 00 00 00");
    for input in [
        "32: 0001'a' 0001 00",
        "34: 0001'a' 0002 00",
        "32: 0001'a' 0003 00",
        "34: 0001'a' 0004 00",
    ] {
        client_event(&mut client, input).unwrap();
    }
    let mut acknowledge = |identifier| {
        client
            .acknowledge(id(identifier), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        sent(&mut client)
    };
    assert_eq!(acknowledge(3), b"");
    assert_eq!(acknowledge(4), b"");
    assert_eq!(
        acknowledge(2),
        [bytes("50: 0002"), bytes("50: 0004")].concat()
    );
    assert_eq!(
        acknowledge(1),
        [bytes("40: 0001"), bytes("40: 0003")].concat()
    );
}

/// Goodbyes, from both ends.
#[test]
fn goodbyes() {
    // The client's: with a reason in 5.0; in 3.x the packet itself says that all is well.
    for (version, reason, expected) in [
        (V5_0, ReasonCode::Success, "E0 00"),
        (V5_0, ReasonCode::DisconnectWithWill, "E0 01 04"),
        (V3_1_1, ReasonCode::Success, "E0 00"),
        (V3_1_1, ReasonCode::DisconnectWithWill, ""),
    ] {
        let connack = if version == V5_0 {
            "20: 00 00 00"
        } else {
            "20: 00 00"
        };
        let mut client = client_of(
            &Connect::new(version, "c"),
            ClientConfig::default(),
            connack,
        );
        client.disconnect(reason, Properties::EMPTY).unwrap();
        assert_eq!(sent(&mut client), bytes(expected));
        assert!(client.is_closed());
        assert_eq!(client.receive_eof(Duration::ZERO), Ok(()));
        assert_eq!(client.ping(), Err(SendError::Closed));
    }
    // The server's.
    for (version, expected) in [(V5_0, "E0 01 8E"), (V3_1_1, "")] {
        let mut server = server_of(version, ServerConfig::default());
        server
            .disconnect(ReasonCode::SessionTakenOver, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes(expected));
        assert!(server.is_closed());
        // What comes after is not looked at.
        assert_eq!(event(&mut server, "FF FF FF FF FF"), Ok(String::new()));
    }
    // The client's arrives; what follows it does not.
    let mut server = server_of(V5_0, ServerConfig::default());
    let input = bytes("E0 00 C0 00");
    let mut input = &input[..];
    assert!(matches!(
        server.receive(Duration::ZERO, &mut input),
        Ok(Some(ServerEvent::Disconnect(_)))
    ));
    assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
    assert_eq!(transmitted(&mut server), b"");
    assert_eq!(server.receive_eof(Duration::ZERO), Ok(()));
    // The end without one.
    let mut server = server_of(V5_0, ServerConfig::default());
    assert_eq!(
        server.receive_eof(Duration::ZERO),
        Err(ConnectionError::UnexpectedEof)
    );
    assert!(server.is_closed());
    // Refusals.
    for (connect, reason, expected) in [
        (CONNECT_5_0, ReasonCode::Banned, "20: 00 8A 00"),
        (CONNECT_3_1_1, ReasonCode::NotAuthorized, "20: 00 05"),
        (CONNECT_3_1, ReasonCode::BadUserNameOrPassword, "20: 00 04"),
        (CONNECT_3_1_1, ReasonCode::Banned, ""),
    ] {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        event(&mut server, connect).unwrap();
        server.reject(reason, Properties::EMPTY).unwrap();
        assert_eq!(transmitted(&mut server), bytes(expected));
        assert!(server.is_closed());
        assert_eq!(server.receive_eof(Duration::ZERO), Ok(()));
    }
}

/// Until CONNECT is answered nothing further is taken (MQTT-3.1.4-6).
#[test]
fn what_comes_before_the_answer_waits() {
    let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    let input = [bytes(CONNECT_5_0), bytes("C0 00")].concat();
    let mut input = &input[..];
    assert!(matches!(
        server.receive(Duration::ZERO, &mut input),
        Ok(Some(ServerEvent::Connect(_)))
    ));
    assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
    assert_eq!(input, [0xC0, 0]);
    assert_eq!(
        server.publish(&Message::new("a", "", QoS::AtMostOnce)),
        Err(SendError::NotConnected)
    );
    server
        .accept(Duration::ZERO, &Accept::default(), Session::new())
        .unwrap();
    assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
    assert_eq!(input, b"");
    assert_eq!(
        transmitted(&mut server),
        [bytes("20: 00 00 {27 00100000}"), bytes("D0 00")].concat()
    );
}

/// Reason strings and user properties are left out where they are not wanted
/// (MQTT-3.1.2-29) or would make the packet too large (MQTT-3.4.2-2).
#[test]
fn properties_that_are_shed() {
    let mut builder = PropertiesBuilder::new();
    builder.push(Property::ReasonString("because")).unwrap();
    let because = builder.as_properties();
    for (properties, expected) in [
        ("", "40: 0001 87 {1F 0007'because'}"),
        ("17 00", "40: 0001 87"),
        ("27 00000010", "40: 0001 87 {1F 0007'because'}"),
        ("27 0000000F", "40: 0001 87"),
    ] {
        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        let connect = format!("10: 0004'MQTT' 05 02 000A {{{properties}}} 0001'c'");
        event(&mut server, &connect).unwrap();
        server
            .accept(Duration::ZERO, &Accept::default(), Session::new())
            .unwrap();
        transmitted(&mut server);
        event(&mut server, "32: 0001'a' 0001 00").unwrap();
        server
            .acknowledge(id(1), ReasonCode::NotAuthorized, because)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes(expected), "{properties}");
    }
    // And those of CONNACK (MQTT-3.2.2-19).
    let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    event(
        &mut server,
        "10: 0004'MQTT' 05 02 000A {27 00000010} 0001'c'",
    )
    .unwrap();
    let accept = Accept {
        properties: because,
        ..Accept::default()
    };
    server
        .accept(Duration::ZERO, &accept, Session::new())
        .unwrap();
    assert_eq!(transmitted(&mut server), bytes("20: 00 00 {27 00100000}"));
}

/// What a will is, as the embedder sees it: all of it is in the event.
#[test]
fn a_will_is_in_the_event() {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        ..Will::new("gone", b"c")
    };
    let connect = Connect {
        will: Some(will),
        ..Connect::new(V3_1, "c")
    };
    let mut link = Link::new(ClientConfig::default(), ServerConfig::default());
    link.client
        .connect(link.now, &connect, Session::new())
        .unwrap();
    link.server_events(|_, event| {
        let ServerEvent::Connect(connect) = event else {
            panic!("CONNECT");
        };
        assert_eq!(connect.will, Some(will));
    })
    .unwrap();
}

/// An idle connection takes less than 1 KiB.
#[test]
fn size() {
    assert!(
        size_of::<ServerConnection>() < 1024,
        "{}",
        size_of::<ServerConnection>()
    );
    assert!(
        size_of::<ClientConnection>() < 1024,
        "{}",
        size_of::<ClientConnection>()
    );
}
