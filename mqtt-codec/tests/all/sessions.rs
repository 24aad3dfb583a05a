//! What outlives a network connection, and what is made of it on the next (sections
//! 3.1.2.4, 3.2.2.1.1, 4.1 and 4.4): both ends, 5.0 and 3.1.1.

use std::time::Duration;

use crate::support::ends::{
    V3_1, V3_1_1, V5_0, accepted, asked, client_event, client_of, connecting, event, id, seconds,
    sent, server_of, transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ClientConnection, InFlight, Message, Received,
    SendError, ServerConfig, ServerConnection, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode,
};

/// A version, a Clean Start of it and what goes on, the Property Length, and a CONNACK
/// with Session Present 0 and 1.
const VERSIONS: [(ProtocolVersion, &str, &str, &str, [&str; 2]); 2] = [
    (
        V5_0,
        "10: 0004'MQTT' 05 02 000A 00 0001'c'",
        "10: 0004'MQTT' 05 00 000A 00 0001'c'",
        "00",
        ["20: 00 00 00", "20: 01 00 00"],
    ),
    (
        V3_1_1,
        "10: 0004'MQTT' 04 02 000A 0001'c'",
        "10: 0004'MQTT' 04 00 000A 0001'c'",
        "",
        ["20: 00 00", "20: 01 00"],
    ),
];

fn goes_on(version: ProtocolVersion) -> Connect<'static> {
    Connect {
        ..Connect::resume(version, utf8("c"))
    }
}

/// A session with one message unacknowledged.
fn left_by_server(version: ProtocolVersion) -> Session {
    let mut server = server_of(version, ServerConfig::default());
    server
        .publish(&Message::new("a", "x", QoS::AtLeastOnce))
        .unwrap();
    server.into_session()
}

/// A server resumes the session: what it sends behind CONNACK.
fn resumed(connect: &str, session: Session) -> (ServerConnection, Vec<u8>) {
    let mut server = asked(connect, ServerConfig::default());
    let accept = Accept {
        session_present: true,
        ..Accept::default()
    };
    server.accept(Duration::ZERO, &accept, session).unwrap();
    let out = transmitted(&mut server);
    let connack = 2 + usize::from(out[1]);
    assert_eq!(out[..3], [0x20, out[1], 1]);
    (server, out[connack..].to_vec())
}

// shows: 5.0 MQTT-3.1.2-4, 5.0 MQTT-3.2.2-2, 5.0 MQTT-3.2.2-3
// shows: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-6, 3.1.1 MQTT-3.2.2-1, 3.1.1 MQTT-3.2.2-2,
// shows: 3.1.1 MQTT-3.2.2-3
#[test]
fn session_present() {
    for (version, clean, goes_on, _, _) in VERSIONS {
        let old = || left_by_server(version);
        let new = Session::new;
        for (connect, session_present, session, expected) in [
            (clean, true, new(), None),
            (clean, true, old(), None),
            (clean, false, old(), None),
            (clean, false, new(), Some(0)),
            (goes_on, false, old(), None),
            (goes_on, false, new(), Some(0)),
            (goes_on, true, old(), Some(1)),
            (goes_on, true, new(), Some(1)),
        ] {
            let mut server = asked(connect, ServerConfig::default());
            let accept = Accept {
                session_present,
                ..Accept::default()
            };
            let accepted = server.accept(Duration::ZERO, &accept, session);
            let out = transmitted(&mut server);
            match expected {
                Some(flag) => {
                    assert_eq!(accepted, Ok(()), "{version} {connect}");
                    assert_eq!((out[0], out[2], out[3]), (0x20, flag, 0));
                }
                None => {
                    assert_eq!(accepted, Err(SendError::SessionPresent));
                    assert_eq!(out, b"");
                }
            }
        }
    }
}

// shows: 5.0 MQTT-3.1.2-4, 5.0 MQTT-3.2.2-4, 5.0 MQTT-3.2.2-5
// shows: 3.1.1 MQTT-3.1.2-6, 3.1.1 MQTT-3.2.2-1
#[test]
fn what_a_client_resumes() {
    for (version, _, _, none, connack) in VERSIONS {
        let mut client = client_of(&goes_on(version), ClientConfig::default(), connack[0]);
        client
            .publish(&Message::new("a", "x", QoS::AtLeastOnce))
            .unwrap();
        let session = client.into_session();
        assert!(!session.is_empty());

        // A Clean Start goes with no session.
        let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
        let clean = Connect::clean(version, utf8("c"));
        assert_eq!(
            client.connect(Duration::ZERO, &clean, session.clone()),
            Err(SendError::SessionPresent)
        );
        assert_eq!(sent(&mut client), b"");
        // And with a server that has none.
        let mut client = connecting(&clean, ClientConfig::default(), Session::new());
        let error = client_event(&mut client, connack[1]).unwrap_err();
        let (statement, goodbye) = match version {
            ProtocolVersion::V5_0 => ("MQTT-3.2.2-4", "E0 01 82"),
            _ => ("MQTT-3.2.2-1", ""),
        };
        assert_eq!(error.statement(), Some(statement));
        assert_eq!(sent(&mut client), bytes(goodbye));
        assert!(client.is_closed());

        // A server that has lost it.
        let connect = goes_on(version);
        let mut client = connecting(&connect, ClientConfig::default(), session.clone());
        assert_eq!(*client.session(), session);
        client_event(&mut client, connack[0]).unwrap();
        assert!(client.session().is_empty());
        assert_eq!(sent(&mut client), b"");
        // One that has it.
        let mut client = connecting(&connect, ClientConfig::default(), session.clone());
        client_event(&mut client, connack[1]).unwrap();
        let again = format!("3A: 0001'a' 0001 {none} 'x'");
        assert_eq!(sent(&mut client), bytes(&again));
        // One that refuses: the session is as it was.
        let mut client = connecting(&connect, ClientConfig::default(), session.clone());
        let refusal = match version {
            ProtocolVersion::V5_0 => "20: 00 88 00",
            _ => "20: 00 03",
        };
        client_event(&mut client, refusal).unwrap();
        assert!(client.is_closed());
        assert_eq!(client.into_session(), session);
    }
}

// shows: 5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-1
// shows: 3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.1.0-2
#[test]
fn whatever_ends_the_connection() {
    let ends: [fn(&mut ServerConnection); 5] = [
        |server| assert!(event(server, "E0 00").is_ok()),
        |server| assert!(event(server, "00").is_err()),
        |server| assert!(server.receive_eof(Duration::ZERO).is_err()),
        |server| assert!(server.handle_timeout(seconds(99)).is_err()),
        |server| {
            server
                .close(
                    Duration::ZERO,
                    ReasonCode::ServerShuttingDown,
                    Properties::EMPTY,
                )
                .unwrap();
        },
    ];
    for (version, _, _, none, _) in VERSIONS {
        for end in ends {
            let mut server = server_of(version, ServerConfig::default());
            for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
                server.publish(&Message::new("a", "x", qos)).unwrap();
            }
            event(&mut server, "50: 0003").unwrap();
            event(&mut server, &format!("34: 0001'b' 0009 {none} 'y'")).unwrap();
            let before = server.session().clone();
            end(&mut server);
            assert!(server.is_closed());
            assert_eq!(*server.session(), before);
            let after = server.into_session();
            assert_eq!(after.in_flight().len(), 3);
            assert_eq!(after.received().count(), 1);
        }
    }
}

// shows: 5.0 MQTT-3.3.1-1, 5.0 MQTT-4.3.2-3, 5.0 MQTT-4.3.3-3, 5.0 MQTT-4.3.3-5,
// shows: 5.0 MQTT-4.3.3-6, 5.0 MQTT-4.4.0-1, 5.0 MQTT-4.6.0-1, 5.0 MQTT-4.6.0-4
// shows: 3.1.1 MQTT-2.3.1-3, 3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-3.3.1-1, 3.1.1 MQTT-4.3.2-1,
// shows: 3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.4.0-1, 3.1.1 MQTT-4.6.0-1, 3.1.1 MQTT-4.6.0-4
#[test]
fn what_is_sent_again() {
    let messages = [("1", 1), ("2", 2), ("3", 2), ("4", 1), ("5", 1), ("6", 2)];
    for (version, _, resume, none, connack) in VERSIONS {
        // 5 is settled; 2 and 6 were received, 6 first, and are not complete.
        let acknowledgements = ["40: 0005", "50: 0006", "50: 0002"];
        let expected = [
            format!("3A: 0001'a' 0001 {none} '1'"),
            format!("3C: 0001'a' 0003 {none} '3'"),
            format!("3A: 0001'a' 0004 {none} '4'"),
            "62: 0006".into(),
            "62: 0002".into(),
        ]
        .map(|packet| bytes(&packet))
        .concat();

        let mut server = server_of(version, ServerConfig::default());
        for (payload, qos) in messages {
            let message = Message::new("a", payload, QoS::from_bits(qos).unwrap());
            server.publish(&message).unwrap();
        }
        for input in acknowledgements {
            event(&mut server, input).unwrap();
        }
        let (server, out) = resumed(resume, server.into_session());
        assert_eq!(out, expected, "{version}");
        // And on each connection to come, until it is settled.
        let (_, out) = resumed(resume, server.into_session());
        assert_eq!(out, expected, "{version}");

        let connect = goes_on(version);
        let mut client = client_of(&connect, ClientConfig::default(), connack[0]);
        for (payload, qos) in messages {
            let message = Message::new("a", payload, QoS::from_bits(qos).unwrap());
            client.publish(&message).unwrap();
        }
        for input in acknowledgements {
            client_event(&mut client, input).unwrap();
        }
        let session = client.into_session();
        let mut client = connecting(&connect, ClientConfig::default(), session);
        client_event(&mut client, connack[1]).unwrap();
        assert_eq!(sent(&mut client), expected, "{version}");
    }
}

/// A server that offers less than it did: what it does not take waits for one that does.
// shows: 5.0 MQTT-3.2.2-11, 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.2.2-15
#[test]
fn what_is_not_taken_any_more() {
    let connect = goes_on(V5_0);
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    let messages = [
        Message::new("a", "x", QoS::AtLeastOnce),
        Message::new("a", "x", QoS::ExactlyOnce),
        Message {
            retain: true,
            ..Message::new("a", "x", QoS::AtLeastOnce)
        },
        Message::new("a", "a long message", QoS::AtLeastOnce),
    ];
    for message in &messages {
        client.publish(message).unwrap();
    }
    let session = client.into_session();
    let first = "3A: 0001'a' 0001 00 'x'";
    let exactly = "3C: 0001'a' 0002 00 'x'";
    let retained = "3B: 0001'a' 0003 00 'x'";
    let long = "3A: 0001'a' 0004 00 'a long message'";
    for (connack, expected) in [
        ("20: 01 00 {24 01}", &[first, retained, long][..]),
        ("20: 01 00 {25 00}", &[first, exactly, long]),
        ("20: 01 00 {27 00000010}", &[first, exactly, retained]),
        ("20: 01 00 {24 00}", &[]),
        ("20: 01 00 {}", &[first, exactly, retained, long]),
    ] {
        let mut client = connecting(&connect, ClientConfig::default(), session.clone());
        client_event(&mut client, connack).unwrap();
        let expected: Vec<_> = expected.iter().flat_map(|packet| bytes(packet)).collect();
        assert_eq!(sent(&mut client), expected, "{connack}");
        assert_eq!(client.session().in_flight(), session.in_flight());
    }
}

// shows: 5.0 MQTT-4.4.0-1
#[test]
fn when_nothing_is_sent_again() {
    let mut server = server_of(V5_0, ServerConfig::default());
    server
        .publish(&Message::new("a", "x", QoS::AtLeastOnce))
        .unwrap();
    let mut client = client_of(
        &Connect::clean(V5_0, utf8("c")),
        ClientConfig::default(),
        "20: 00 00 00",
    );
    client
        .publish(&Message::new("a", "x", QoS::ExactlyOnce))
        .unwrap();
    transmitted(&mut server);
    sent(&mut client);
    for hour in 1..5 {
        let now = seconds(3600 * hour);
        for input in [bytes("C0 00"), bytes("32: 0001'b' 0001 00")] {
            server.receive(now, &mut &input[..]).unwrap();
        }
        server
            .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        server.handle_timeout(now).unwrap();
        assert_eq!(
            transmitted(&mut server),
            [bytes("D0 00"), bytes("40: 0001")].concat()
        );
        client.handle_timeout(now).unwrap();
        let pong = bytes("D0 00");
        client.receive(now, &mut &pong[..]).unwrap();
        assert_eq!(sent(&mut client), bytes("C0 00"));
    }
}

// shows: 5.0 MQTT-4.3.3-7, 5.0 MQTT-4.3.3-13
#[test]
fn a_message_under_way_does_not_expire() {
    // Outbound: it is sent again with what is left of its Message Expiry Interval, in whole
    // seconds (MQTT-3.3.2-6), and long after with nothing. What 3.x had no place for is there.
    let mut properties = PropertiesBuilder::new();
    properties
        .extend([
            Property::ContentType("t"),
            Property::MessageExpiryInterval(100),
            Property::UserProperty("n", "v"),
        ])
        .unwrap();
    let message = Message {
        properties: properties.as_properties(),
        ..Message::new("a", "x", QoS::ExactlyOnce)
    };
    for (first, after, left) in [
        (V5_0, Duration::ZERO, "00000064"),
        (V5_0, seconds(30), "00000046"),
        (V5_0, Duration::from_millis(30_500), "00000046"),
        (V3_1_1, seconds(99), "00000001"),
        (V3_1, seconds(3600), "00000000"),
    ] {
        let mut server = server_of(first, ServerConfig::default());
        server.publish(&message).unwrap();
        server.receive_eof(Duration::ZERO).unwrap_err();
        let mut session = server.into_session();
        // The time between is that of both connections.
        for now in [after / 2, after] {
            let mut server = asked(
                "10: 0004'MQTT' 05 00 000A 00 0001'c'",
                ServerConfig::default(),
            );
            let accept = Accept {
                session_present: true,
                ..Accept::default()
            };
            server.accept(now, &accept, session).unwrap();
            if now == after {
                let properties = format!("03 0001't' 02 {left} 26 0001'n' 0001'v'");
                let again = format!("3C: 0001'a' 0001 {{{properties}}} 'x'");
                let out = transmitted(&mut server);
                assert!(out.ends_with(&bytes(&again)), "{first} {after:?}");
            }
            session = server.into_session();
        }
        // From a disk it counts anew.
        let in_flight = session.in_flight();
        assert_eq!(
            Session::restore(in_flight, []).in_flight(),
            session.in_flight()
        );
    }

    // Inbound: it is acknowledged to the end.
    let mut server = server_of(V5_0, ServerConfig::default());
    event(&mut server, "34: 0001'a' 0001 {02 00000001} 'x'").unwrap();
    server.handle_timeout(seconds(14)).unwrap();
    server
        .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(transmitted(&mut server), bytes("50: 0001"));
    event(&mut server, "62: 0001").unwrap();
    assert_eq!(transmitted(&mut server), bytes("70: 0001"));
}

/// A message ages from when it was sent, however long nothing had happened before (section
/// 3.3.2.3.3).
#[test]
fn a_message_ages_from_when_it_was_sent() {
    let connect = "10: 0004'MQTT' 05 00 0000 00 0001'c'";
    let mut properties = PropertiesBuilder::new();
    properties
        .push(Property::MessageExpiryInterval(10))
        .unwrap();
    let message =
        Message::new("a", "x", QoS::AtLeastOnce).with_properties(properties.as_properties());
    // When it was sent, when the connection was cut, when it is sent again, and what is left.
    for (at, cut, again, left) in [
        (0, 0, 4, "00000006"),
        (60, 60, 60, "0000000A"),
        (60, 61, 63, "00000007"),
        (60, 65, 90, "00000000"),
    ] {
        let mut server = accepted(connect, ServerConfig::default());
        server.publish(&message).unwrap();
        server.poll_transmit(seconds(at), &mut Vec::new());
        server.receive_eof(seconds(cut)).unwrap_err();
        let session = server.into_session();
        let mut server = asked(connect, ServerConfig::default());
        let accept = Accept::default().with_session_present(true);
        server.accept(seconds(again), &accept, session).unwrap();
        let out = transmitted(&mut server);
        let expected = bytes(&format!("3A: 0001'a' 0001 {{02 {left}}} 'x'"));
        assert!(out.ends_with(&expected), "{at} {cut} {again}: {out:02X?}");
    }
}

// shows: 5.0 MQTT-4.4.0-2
#[test]
fn what_was_refused_is_not_sent_again() {
    let mut server = server_of(V5_0, ServerConfig::default());
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
        server.publish(&Message::new("a", "x", qos)).unwrap();
    }
    transmitted(&mut server);
    event(&mut server, "40: 0001 97").unwrap();
    event(&mut server, "50: 0002 80").unwrap();
    assert_eq!(transmitted(&mut server), b"");
    let (_, out) = resumed(
        "10: 0004'MQTT' 05 00 000A 00 0001'c'",
        server.into_session(),
    );
    assert_eq!(out, bytes("3A: 0001'a' 0003 00 'x'"));
}

/// A QoS 2 message that was handed out on the last connection, comes again on this one,
/// and is acknowledged only then: the PUBREC goes out, in the order of the messages.
// shows: 5.0 MQTT-4.3.3-8, 5.0 MQTT-4.6.0-3, 3.1.1 MQTT-4.3.3-2, 3.1.1 MQTT-4.6.0-3
#[test]
fn what_comes_again_is_acknowledged() {
    for (version, _, connect, none, [_, connack]) in VERSIONS {
        let publish = |identifier| format!("3C: 0001'a' 000{identifier} {none}");
        let left = |acknowledged: &[u16]| {
            let mut session = Session::restore(
                [],
                [1, 2].map(|identifier| (id(identifier), Received::Pending)),
            );
            for &identifier in acknowledged {
                assert!(session.acknowledge(id(identifier)));
            }
            session
        };

        let mut config = ClientConfig::default();
        config.acknowledgements = Acknowledgements::Manual;
        let resumed_client = |session| {
            let mut client = connecting(&goes_on(version), config, session);
            client_event(&mut client, connack).unwrap();
            client
        };
        let acknowledge = |client: &mut ClientConnection, identifier| {
            client
                .acknowledge(id(identifier), ReasonCode::Success, Properties::EMPTY)
                .unwrap();
            sent(client)
        };
        let mut client = resumed_client(left(&[]));
        assert_eq!(client_event(&mut client, &publish(1)).unwrap(), "");
        assert_eq!(client_event(&mut client, &publish(2)).unwrap(), "");
        // Once more, as 3.1.1 allows.
        assert_eq!(client_event(&mut client, &publish(1)).unwrap(), "");
        assert_eq!(acknowledge(&mut client, 2), b"");
        let both = [bytes("50: 0001"), bytes("50: 0002")].concat();
        assert_eq!(acknowledge(&mut client, 1), both);
        // One that was acknowledged meanwhile waits for its turn.
        let mut client = resumed_client(left(&[2]));
        client_event(&mut client, &publish(1)).unwrap();
        client_event(&mut client, &publish(2)).unwrap();
        assert_eq!(sent(&mut client), b"");
        assert_eq!(acknowledge(&mut client, 1), both);
        // One that is acknowledged before it comes again.
        let mut client = resumed_client(left(&[]));
        assert_eq!(acknowledge(&mut client, 1), b"");
        client_event(&mut client, &publish(1)).unwrap();
        assert_eq!(sent(&mut client), bytes("50: 0001"));

        let (mut server, _) = resumed(connect, left(&[]));
        assert_eq!(event(&mut server, &publish(1)).unwrap(), "");
        assert_eq!(transmitted(&mut server), b"");
        server
            .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes("50: 0001"));
    }
}

/// A peer that acknowledges what has not been sent to it again yet settles it, and has
/// no more sent to it for that.
// shows: 5.0 MQTT-3.3.4-9, 5.0 MQTT-4.9.0-2
#[test]
fn what_is_settled_before_its_turn() {
    let mut server = server_of(V5_0, ServerConfig::default());
    for payload in ["1", "2", "3", "4"] {
        let message = Message::new("a", payload, QoS::AtLeastOnce);
        server.publish(&message).unwrap();
    }
    let session = server.into_session();
    let publish =
        |identifier: u16| bytes(&format!("3A: 0001'a' 000{identifier} 00 '{identifier}'"));
    let one_at_a_time = "10: 0004'MQTT' 05 00 000A {21 0001} 0001'c'";
    let (mut server, out) = resumed(one_at_a_time, session);
    assert_eq!(out, publish(1));
    event(&mut server, "40: 0003").unwrap();
    assert_eq!((transmitted(&mut server), server.send_quota()), (vec![], 0));
    event(&mut server, "40: 0001").unwrap();
    assert_eq!(
        (transmitted(&mut server), server.send_quota()),
        (publish(2), 0)
    );
    event(&mut server, "40: 0002").unwrap();
    assert_eq!(
        (transmitted(&mut server), server.send_quota()),
        (publish(4), 0)
    );
    event(&mut server, "40: 0004").unwrap();
    assert_eq!((transmitted(&mut server), server.send_quota()), (vec![], 1));
    assert!(server.session().is_empty());
}

/// What a damaged disk gave is not sent.
#[test]
fn a_message_that_cannot_have_been_sent() {
    let alias = {
        let mut builder = PropertiesBuilder::new();
        builder.push(Property::TopicAlias(1)).unwrap();
        builder.build()
    };
    let too_long = "a".repeat(65_536);
    let fine = Message::new("a", "x", QoS::AtLeastOnce);
    for message in [
        Message::new("a", "x", QoS::AtMostOnce),
        Message::new("", "x", QoS::AtLeastOnce),
        Message::new("a/#", "x", QoS::AtLeastOnce),
        Message::new(&too_long, "x", QoS::AtLeastOnce),
        Message {
            properties: alias.as_properties(),
            ..fine
        },
    ] {
        for (version, _, connect, none, [_, connack]) in VERSIONS {
            let left = || {
                Session::restore(
                    [
                        (id(1), InFlight::Publish(message)),
                        (id(2), InFlight::Publish(fine)),
                    ],
                    [],
                )
            };
            let expected = bytes(&format!("3A: 0001'a' 0002 {none} 'x'"));
            assert_eq!(resumed(connect, left()).1, expected);
            let mut client = connecting(&goes_on(version), ClientConfig::default(), left());
            client_event(&mut client, connack).unwrap();
            assert_eq!(sent(&mut client), expected);
        }
    }
}

/// A session that CONNECT let end with the connection cannot be made to outlive it, even
/// where the server said that it would keep it; nor can one that the server let end.
#[test]
fn a_session_that_ends_is_not_prolonged() {
    let later = |seconds| {
        let mut builder = PropertiesBuilder::new();
        builder
            .push(Property::SessionExpiryInterval(seconds))
            .unwrap();
        builder.build()
    };
    for (asked, connack, allowed) in [
        (0, "20: 00 00 00", false),
        (9, "20: 00 00 00", true),
        (0, "20: 00 00 {11 00000009}", false),
        (9, "20: 00 00 {11 00000008}", true),
        (9, "20: 00 00 {11 00000000}", false),
    ] {
        let properties = later(asked);
        let connect = Connect {
            properties: properties.as_properties(),
            ..Connect::clean(V5_0, utf8("c"))
        };
        let mut client = client_of(&connect, ClientConfig::default(), connack);
        let goodbye = client.close(
            Duration::ZERO,
            ReasonCode::Success,
            later(5).as_properties(),
        );
        assert_eq!(goodbye.is_ok(), allowed, "{asked}, {connack}");
    }
}

/// Messages of an earlier connection count against the Receive Maximum of this one as they
/// are sent again, and not twice.
// shows: 5.0 MQTT-3.3.4-7, 5.0 MQTT-4.9.0-2
#[test]
fn what_is_sent_again_counts_against_the_receive_maximum() {
    let session = Session::restore([], [1, 2].map(|n| (id(n), Received::Acknowledged)));
    let mut config = ServerConfig::default();
    config.receive_maximum = 1;
    let mut server = asked("10: 0004'MQTT' 05 00 000A 00 0001'c'", config);
    let accept = Accept {
        session_present: true,
        ..Accept::default()
    };
    server.accept(Duration::ZERO, &accept, session).unwrap();
    transmitted(&mut server);
    for _ in 0..2 {
        event(&mut server, "3C: 0001'a' 0001 00 'x'").unwrap();
        assert_eq!(transmitted(&mut server), bytes("50: 0001"));
    }
    let error = event(&mut server, "3C: 0001'a' 0002 00 'x'").unwrap_err();
    assert_eq!(
        error.reason_code(),
        Some(ReasonCode::ReceiveMaximumExceeded)
    );
    assert_eq!(transmitted(&mut server), bytes("E0: 93"));
}
