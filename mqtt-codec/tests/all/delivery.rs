//! Messages on their way, byte for byte: QoS 1 and 2 in both directions, and resumption.

use std::time::Duration;

use crate::support::ends::{
    V3_1, V3_1_1, V5_0, asked, client_event, client_of, connecting, event, id, sent, server_of,
    transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ClientEvent, InFlight, Message, SendError,
    ServerConfig, ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{Connect, Properties, QoS, ReasonCode, Subscription};

/// Sections 4.3.2 and 4.3.3 from the receiving end, byte for byte.
// shows: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.3.4-1, 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.2-5,
// shows: 5.0 MQTT-4.3.3-8, 5.0 MQTT-4.3.3-9, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.3.3-11,
// shows: 5.0 MQTT-4.3.3-12
// shows: 3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2
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
// shows: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4
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
    // A server's are its own.
    let mut config = ClientConfig::default();
    config.acknowledgements = Acknowledgements::Manual;
    for (first, second) in &used[..3] {
        let mut client = client_of(&Connect::clean(V5_0, utf8("c")), config, "20: 00 00 00");
        let filter = [Subscription::new("a", QoS::AtMostOnce)];
        assert_eq!(client.subscribe(&filter, Properties::EMPTY), Ok(id(1)));
        client_event(&mut client, first).unwrap();
        let error = client_event(&mut client, second).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-2.2.1-4"), "{first} {second}");
    }
    // 3.x may send a message again on the same connection.
    let mut server = server_of(V3_1, ServerConfig::default());
    event(&mut server, "32: 0001'a' 0001").unwrap();
    assert_eq!(event(&mut server, "3A: 0001'a' 0001").unwrap(), "");
    assert!(event(&mut server, "32: 0001'a' 0001").is_err());
}

/// A client of 3.x that has lost its own state begins with its identifiers anew. One that is
/// that of an open QoS 2 message becomes that of the QoS 1 message (Mosquitto 2.0.11: "Reused
/// message ID 1 from c detected. Clearing from database."). A client of 5.0 is refused.
#[test]
fn a_qos_1_message_with_the_identifier_of_an_open_qos_2_message() {
    for (version, none, served) in [(V3_1, "", true), (V3_1_1, "", true), (V5_0, "00", false)] {
        for answered in [true, false] {
            let mut server = server_of(version, ServerConfig::default());
            event(&mut server, &format!("34: 0001'a' 0001 {none}")).unwrap();
            if answered {
                server
                    .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
                    .unwrap();
            }
            transmitted(&mut server);
            let publish = event(&mut server, &format!("32: 0001'b' 0001 {none}"));
            if !served {
                assert_eq!(publish.unwrap_err().statement(), Some("MQTT-2.2.1-3"));
                continue;
            }
            assert!(publish.unwrap().starts_with("Publish"), "{version}");
            server
                .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
                .unwrap();
            assert_eq!(transmitted(&mut server), bytes("40: 0001"));
            assert!(server.session().is_empty());
        }
    }
}

/// Sections 4.3.2 and 4.3.3 from the sending end, byte for byte.
// shows: 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.3.4-1, 5.0 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-4,
// shows: 5.0 MQTT-4.4.0-2
// shows: 3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-4.3.3-1
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
// shows: 5.0 MQTT-3.1.2-25, 5.0 MQTT-3.3.1-1, 5.0 MQTT-3.3.4-9, 5.0 MQTT-4.4.0-1, 5.0 MQTT-4.6.0-1
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

/// A client acknowledges in the order of the messages, whatever the order of its embedder.
// shows: 5.0 MQTT-4.6.0-2, 5.0 MQTT-4.6.0-3, 3.1.1 MQTT-4.6.0-2, 3.1.1 MQTT-4.6.0-3
#[test]
fn a_client_acknowledges_in_order() {
    for (version, none, connack) in [(V5_0, "00", "20: 00 00 00"), (V3_1_1, "", "20: 00 00")] {
        let mut config = ClientConfig::default();
        config.acknowledgements = Acknowledgements::Manual;
        let mut client = client_of(&Connect::clean(version, utf8("c")), config, connack);
        for (first, identifier) in [("32", 1), ("34", 2), ("32", 3), ("34", 4)] {
            let input = format!("{first}: 0001'a' 000{identifier} {none}");
            client_event(&mut client, &input).unwrap();
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
}

// shows: 5.0 MQTT-4.6.0-4, 3.1.1 MQTT-4.6.0-4
#[test]
fn the_order_of_pubrels() {
    for (version, connack) in [(V5_0, "20: 00 00 00"), (V3_1_1, "20: 00 00")] {
        let mut client = client_of(
            &Connect::clean(version, utf8("c")),
            ClientConfig::default(),
            connack,
        );
        for _ in 0..3 {
            let message = Message::new("a", "x", QoS::ExactlyOnce);
            client.publish(&message).unwrap();
        }
        sent(&mut client);
        let mut expected = Vec::new();
        for identifier in [3, 1, 2] {
            client_event(&mut client, &format!("50: 000{identifier}")).unwrap();
            expected.extend(bytes(&format!("62: 000{identifier}")));
        }
        assert_eq!(sent(&mut client), expected);
    }
}

/// The connection acknowledges for a client that does nothing with the messages.
// shows: 5.0 MQTT-4.5.0-2, 5.0 MQTT-3.3.4-1, 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.2-5,
// shows: 5.0 MQTT-4.3.3-8, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.3.3-11, 5.0 MQTT-4.3.3-12
// shows: 3.1.1 MQTT-4.5.0-2, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-4.3.2-2, 3.1.1 MQTT-4.3.3-2
#[test]
fn a_client_acknowledges_by_itself() {
    for (version, none, connack) in [(V5_0, "00", "20: 00 00 00"), (V3_1_1, "", "20: 00 00")] {
        let mut client = client_of(
            &Connect::clean(version, utf8("c")),
            ClientConfig::default(),
            connack,
        );
        // The packet, whether it is news, and the answer.
        for (input, event, answer) in [
            ("30: 0001'a' N", "Publish", ""),
            ("32: 0001'a' 0007 N", "Publish", "40: 0007"),
            ("3A: 0001'a' 0007 N", "Publish", "40: 0007"),
            ("34: 0001'a' 0007 N", "Publish", "50: 0007"),
            ("3C: 0001'a' 0007 N", "", "50: 0007"),
            ("62: 0007", "PubRel", "70: 0007"),
            ("3C: 0001'a' 0007 N", "Publish", "50: 0007"),
        ] {
            let input = input.replace('N', none);
            let got = client_event(&mut client, &input).unwrap();
            assert!(got.starts_with(event), "{input}: {got}");
            assert_eq!(got.is_empty(), event.is_empty(), "{input}: {got}");
            assert_eq!(sent(&mut client), bytes(answer), "{input}");
        }
    }
}

// shows: 5.0 MQTT-4.3.1-1, 5.0 MQTT-4.3.2-2, 5.0 MQTT-4.3.3-2
// shows: 3.1.1 MQTT-4.3.1-1, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1
#[test]
fn a_new_message_has_its_qos_and_no_dup() {
    for (version, none, connack) in [(V5_0, "00", "20: 00 00 00"), (V3_1_1, "", "20: 00 00")] {
        let connect = Connect::clean(version, utf8("c"));
        let mut client = client_of(&connect, ClientConfig::default(), connack);
        let mut server = server_of(version, ServerConfig::default());
        for (qos, expected) in [
            (QoS::AtMostOnce, "30: 0001'a' N 'x'"),
            (QoS::AtLeastOnce, "32: 0001'a' 0001 N 'x'"),
            (QoS::ExactlyOnce, "34: 0001'a' 0002 N 'x'"),
        ] {
            let message = Message::new("a", "x", qos);
            client.publish(&message).unwrap();
            server.publish(&message).unwrap();
            let expected = bytes(&expected.replace('N', none));
            assert_eq!(sent(&mut client), expected);
            assert_eq!(transmitted(&mut server), expected);
        }
    }
}

// shows: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4, 5.0 MQTT-4.3.2-1, 5.0 MQTT-4.3.3-1
// shows: 3.1.1 MQTT-2.3.1-2, 3.1.1 MQTT-2.3.1-3, 3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-4.3.2-1,
// shows: 3.1.1 MQTT-4.3.3-1
#[test]
fn new_identifiers() {
    // 1 and 3 are in use, and 65,535 was the last to be given.
    let session = || {
        let in_flight = [1, 3, 65_535].map(|identifier| (id(identifier), InFlight::PubRel));
        Session::restore(in_flight, [])
    };
    let message = |qos| Message::new("a", "x", qos);
    for (version, goes_on, subscribe, connack) in [
        (
            V5_0,
            "10: 0004'MQTT' 05 00 000A 00 0001'c'",
            "82: 0002 00 0001'a' 00",
            "20: 01 00 00",
        ),
        (
            V3_1_1,
            "10: 0004'MQTT' 04 00 000A 0001'c'",
            "82: 0002 0001'a' 00",
            "20: 01 00",
        ),
    ] {
        let mut server = asked(goes_on, ServerConfig::default());
        let accept = Accept {
            session_present: true,
            ..Accept::default()
        };
        server.accept(Duration::ZERO, &accept, session()).unwrap();
        // The client's identifiers are its own.
        event(&mut server, subscribe).unwrap();
        let mut publish = |qos| server.publish(&message(qos)).unwrap();
        assert_eq!(publish(QoS::AtLeastOnce), Some(id(2)));
        assert_eq!(publish(QoS::AtMostOnce), None);
        assert_eq!(publish(QoS::ExactlyOnce), Some(id(4)));

        let connect = Connect {
            ..Connect::resume(version, utf8("c"))
        };
        let mut client = connecting(&connect, ClientConfig::default(), session());
        client_event(&mut client, connack).unwrap();
        let filter = [Subscription::new("a", QoS::AtMostOnce)];
        let none = Properties::EMPTY;
        assert_eq!(client.subscribe(&filter, none), Ok(id(2)));
        assert_eq!(client.unsubscribe(&["a"], none), Ok(id(4)));
        let published = client.publish(&message(QoS::AtLeastOnce));
        assert_eq!(published, Ok(Some(id(5))));
        // An acknowledgement frees one; it is given when its turn comes again.
        client_event(&mut client, "70: 0001").unwrap();
        for expected in (6..=65_534).chain([1, 6]) {
            let published = client.publish(&message(QoS::AtLeastOnce));
            assert_eq!(published, Ok(Some(id(expected))));
            if expected != 1 {
                client_event(&mut client, &format!("40: {expected:04X}")).unwrap();
            }
        }
    }
}

/// A message that came with DUP, from one connection to another.
// shows: 5.0 MQTT-3.3.1-3, 3.1.1 MQTT-3.3.1-3
#[test]
fn dup_is_not_passed_on() {
    for (version, none) in [(V5_0, "00"), (V3_1_1, "")] {
        let mut from = server_of(version, ServerConfig::default());
        let input = bytes(&format!("3A: 0001'a' 0007 {none} 'x'"));
        let mut to = server_of(version, ServerConfig::default());
        match from.receive(Duration::ZERO, &mut &input[..]).unwrap() {
            Some(ServerEvent::Publish(publish)) => {
                assert!(publish.dup);
                to.publish(&publish.to_message().unwrap().as_message())
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
        let expected = format!("32: 0001'a' 0001 {none} 'x'");
        assert_eq!(transmitted(&mut to), bytes(&expected));
    }
}

/// From one connection to another: the topic alias goes, all else is as it came.
// shows: 5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16, 5.0 MQTT-3.3.2-17,
// shows: 5.0 MQTT-3.3.2-18, 5.0 MQTT-3.3.2-20
#[test]
fn a_message_is_passed_on_unaltered() {
    let first = "26 0001'k' 0001'2' 26 0001'k' 0001'1' 01 01 08 0001'r'";
    let second = "09 0002 00FF 26 0001'a' 0000 03 0001'c' 02 0000000A";
    for alias in ["", "23 0001"] {
        let mut config = ServerConfig::default();
        config.topic_alias_maximum = 1;
        let mut from = server_of(V5_0, config);
        let mut to = server_of(V5_0, config);
        let input = bytes(&format!("31: 0001't' {{{first} {alias} {second}}} 'x'"));
        match from.receive(Duration::ZERO, &mut &input[..]).unwrap() {
            Some(ServerEvent::Publish(publish)) => to
                .publish(&publish.to_message().unwrap().as_message())
                .unwrap(),
            other => panic!("{other:?}"),
        };
        let expected = bytes(&format!("31: 0001't' {{{first} {second}}} 'x'"));
        assert_eq!(transmitted(&mut to), expected);
    }
}

/// A PUBACK that belongs to no message is passed over, and what comes with it is taken.
#[test]
fn a_puback_of_no_message() {
    let puback = bytes("40: 0009");
    let wire = [&puback[..], &puback, &bytes("30: 0001'a' 00 'x'")].concat();
    let connect = Connect::clean(V5_0, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    let mut input = &wire[..];
    let event = client.receive(Duration::ZERO, &mut input).unwrap();
    assert!(matches!(event, Some(ClientEvent::Publish(_))), "{event:?}");
    let mut server = server_of(V5_0, ServerConfig::default());
    let mut input = &wire[..];
    let event = server.receive(Duration::ZERO, &mut input).unwrap();
    assert!(matches!(event, Some(ServerEvent::Publish(_))), "{event:?}");
}
