//! From CONNECT to CONNACK: what is refused, and what is settled.

use std::time::Duration;

use crate::support::ends::{
    CONNECT_3_1, CONNECT_3_1_1, CONNECT_5_0, V3_1, V5_0, asked, client_event, client_of,
    connecting, event, seconds, sent, transmitted,
};
use crate::support::link::Link;
use crate::support::{bytes, topic, utf8};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, SendError, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    Connect, Limits, Properties, PropertiesBuilder, Property, QoS, ReasonCode, Subscription, Will,
};

/// First packets that are no CONNECT that is accepted: the statement, and what is
/// answered before closing.
// shows: 5.0 MQTT-3.1.0-1, 5.0 MQTT-3.1.2-1, 5.0 MQTT-3.1.2-2, 5.0 MQTT-3.1.4-1,
// shows: 5.0 MQTT-4.13.1-1
// shows: 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-3.1.0-1, 3.1.1 MQTT-3.1.2-1, 3.1.1 MQTT-3.1.2-2,
// shows: 3.1.1 MQTT-3.1.2-3, 3.1.1 MQTT-3.1.3-8, 3.1.1 MQTT-3.1.4-1
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
        // Versions: a CONNECT that has the form of 5.0 is told 0x84, any other 0x01, also
        // that of a Mosquitto bridge, which sets the highest bit of the level and falls back
        // when it is told 0x01 (Mosquitto 2.0.11, `try_private`).
        (
            "10: 0006'MQIsdp' 83 02 003C 0001'a'",
            "MQTT-3.1.2-2",
            "20 02 00 01",
        ),
        (
            "10: 0004'MQTT' 84 04 003C 0001'a' 0001't' 0001'0'",
            "MQTT-3.1.2-2",
            "20 02 00 01",
        ),
        (
            "10: 0004'MQTT' 85 02 003C 00 0001'a'",
            "MQTT-3.1.2-2",
            "20 03 00 84 00",
        ),
        (
            "10: 0004'MQTT' 06 02 003C 0001'a'",
            "MQTT-3.1.2-2",
            "20 02 00 01",
        ),
        ("10: 0004'MQTT' 7F", "MQTT-3.1.2-2", "20 02 00 01"),
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

/// Section 3.2.2.3: every value that CONNACK settles, as both ends have it.
// shows: 5.0 MQTT-3.1.2-24, 5.0 MQTT-3.1.3-7, 5.0 MQTT-3.2.2-9, 5.0 MQTT-3.2.2-11,
// shows: 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.2.2-15, 5.0 MQTT-3.2.2-16, 5.0 MQTT-3.2.2-21
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
        ..Connect::clean(V5_0, utf8(""))
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
    let large = Message::new("a", &[0; 500], QoS::AtLeastOnce);
    assert!(matches!(
        client.publish(&large),
        Err(SendError::PacketTooLarge { maximum: 500, .. })
    ));
    let large = Message::new("a", &[0; 400], QoS::AtLeastOnce);
    assert!(matches!(
        link.server.publish(&large),
        Err(SendError::PacketTooLarge { maximum: 400, .. })
    ));
    // What was refused took no packet identifier and no quota.
    assert_eq!(link.client.send_quota(), 7);
    assert!(link.client.session().is_empty());
}

/// Until CONNECT is answered nothing further is taken (MQTT-3.1.4-6).
// shows: 5.0 MQTT-3.1.4-5, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.12.4-1
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
        Err(SendError::NotOpen)
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

/// A server sends Response Information only to who asked for it.
// shows: 5.0 MQTT-3.1.2-28
#[test]
fn response_information() {
    let mut properties = PropertiesBuilder::new();
    properties
        .push(Property::ResponseInformation("r/"))
        .unwrap();
    let accept = Accept {
        properties: properties.as_properties(),
        ..Accept::default()
    };
    let connack = "20: 00 00 {27 00100000 1A 0002'r/'}";
    for (asked_for, answer) in [("", ""), ("19 00", ""), ("19 01", connack)] {
        let connect = format!("10: 0004'MQTT' 05 02 000A {{{asked_for}}} 0001'c'");
        let mut server = asked(&connect, ServerConfig::default());
        let accepted = server.accept(Duration::ZERO, &accept, Session::new());
        assert_eq!(accepted.is_ok(), !answer.is_empty(), "{asked_for}");
        assert_eq!(transmitted(&mut server), bytes(answer), "{asked_for}");
    }
}

/// What a will is, as the embedder sees it: all of it is in the event.
#[test]
fn a_will_is_in_the_event() {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        ..Will::new(topic("gone"), b"c")
    };
    let connect = Connect {
        will: Some(will),
        ..Connect::clean(V3_1, utf8("c"))
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

/// 3.x is not told a keep alive, and its own holds.
#[test]
fn the_keep_alive_of_3_x_is_the_clients() {
    for (connect, expected) in [(CONNECT_5_0, 5), (CONNECT_3_1_1, 10), (CONNECT_3_1, 10)] {
        let mut server = asked(connect, ServerConfig::default());
        let accept = Accept {
            server_keep_alive: Some(5),
            ..Accept::default()
        };
        server.accept(seconds(0), &accept, Session::new()).unwrap();
        assert_eq!(server.keep_alive(), expected, "{connect}");
        let patience = seconds(u64::from(expected) * 3 / 2);
        let patience = patience + Duration::from_millis(500 * u64::from(expected % 2));
        assert_eq!(server.poll_timeout(), Some(patience), "{connect}");
    }
}

/// A client decodes no more than its configuration allows, whatever its CONNECT says, and
/// no more than CONNECT says.
#[test]
fn the_smaller_maximum_packet_size_of_a_client() {
    for (configured, told, length, taken) in [
        (20, 1000, 20, true),
        (20, 1000, 21, false),
        (1000, 20, 20, true),
        (1000, 20, 21, false),
    ] {
        let mut builder = PropertiesBuilder::new();
        builder.push(Property::MaximumPacketSize(told)).unwrap();
        let connect = Connect {
            properties: builder.as_properties(),
            ..Connect::clean(V5_0, utf8("c"))
        };
        let mut config = ClientConfig::default();
        config.limits = Limits::DEFAULT.with_maximum_packet_size(configured);
        let mut client = client_of(&connect, config, "20: 00 00 00");
        let payload = "x".repeat(length - 6);
        let event = client_event(&mut client, &format!("30: 0001'a' 00 '{payload}'"));
        assert_eq!(event.is_ok(), taken, "{configured} {told} {length}");
    }
}

/// A server that knows 3.x only refuses 5.0 in the words of 3.1.1 (section 3.2.2.3). Its other
/// return codes say that it would speak 5.0, and then not in this form.
#[test]
fn a_server_of_3_x_refuses_5_0_in_its_own_words() {
    let connect = Connect::clean(V5_0, utf8("c"));
    for (bytes, refused) in [
        ([0x20, 2, 0, 1], true),
        ([0x20, 2, 0, 0], false),
        ([0x20, 2, 0, 2], false),
        ([0x20, 2, 1, 1], false),
    ] {
        let mut client = connecting(&connect, ClientConfig::default(), Session::new());
        for cut in 0..bytes.len() {
            let front = client.receive(Duration::ZERO, &mut &bytes[..cut]);
            assert_eq!(front, Ok(None), "cut at {cut}");
        }
        let mut input = &bytes[..];
        match client.receive(Duration::ZERO, &mut input) {
            Ok(Some(ClientEvent::ConnAck(connack))) if refused => {
                assert_eq!(connack.reason_code, ReasonCode::UnsupportedProtocolVersion);
                assert_eq!((input.len(), sent(&mut client).len()), (0, 0));
            }
            other => assert!(!refused && other.is_err(), "{bytes:02X?}: {other:?}"),
        }
        assert!(client.is_closed());
    }
    // Nor is it an answer to anything but a CONNECT of 5.0 that waits for one.
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    assert!(
        client
            .receive(Duration::ZERO, &mut &[0x20, 2, 0, 1][..])
            .is_err()
    );
}
