//! An established connection: what either end refuses, subscriptions, silence and
//! goodbyes.

use std::time::Duration;

use crate::support::ends::{
    CONNECT_3_1, CONNECT_3_1_1, CONNECT_5_0, V3_1_1, V5_0, client_event, client_of, connect_of,
    event, id, seconds, sent, server_of, transmitted,
};
use crate::support::link::Link;
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, ConnectionError, Message, SendError,
    ServerConfig, ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode,
    Subscription,
};

/// What a client may not send once it is connected: the statement, and the DISCONNECT of
/// 5.0. 3.x is closed without a word.
// shows: 5.0 MQTT-3.1.0-2, 5.0 MQTT-3.3.2-9, 5.0 MQTT-3.3.4-6, 5.0 MQTT-4.12.0-7,
// shows: 5.0 MQTT-4.13.1-1
// shows: 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-3.1.0-2, 3.1.1 MQTT-4.8.0-1
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
// shows: 5.0 MQTT-3.2.2-9, 5.0 MQTT-3.2.2-11, 5.0 MQTT-3.2.2-12, 5.0 MQTT-3.2.2-13,
// shows: 5.0 MQTT-3.2.2-14, 5.0 MQTT-4.13.1-1
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

/// Sections 3.8 to 3.11 between the two ends.
// shows: 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.8.4-2, 5.0 MQTT-3.8.4-6, 5.0 MQTT-3.8.4-7,
// shows: 5.0 MQTT-3.10.4-5, 5.0 MQTT-3.11.3-1
// shows: 3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.8.4-2, 3.1.1 MQTT-3.8.4-5, 3.1.1 MQTT-3.10.4-4
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
    let connect = Connect::clean(V5_0, utf8("c"));
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
// shows: 5.0 MQTT-3.1.2-28, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.2.0-2, 5.0 MQTT-3.2.2-16,
// shows: 5.0 MQTT-3.14.2-2, 5.0 MQTT-4.12.0-6
#[test]
fn what_a_client_refuses() {
    let connect = Connect::clean(V5_0, utf8("c"));
    for (input, statement) in [
        ("20: 00 00 00", "MQTT-3.2.0-2"),
        ("C0 00", "§2.1.2"),
        ("82: 0001 00 0001'a' 00", "§2.1.2"),
        (CONNECT_5_0, "§2.1.2"),
        ("E0: 00 05 11 00000001", "MQTT-3.14.2-2"),
        ("30 FF FF FF 7F", "MQTT-3.1.2-24"),
        ("32: 0001'a' 0000 00", "MQTT-2.2.1-4"),
        ("F0: 18 04 15 0001'm'", "MQTT-4.12.0-6"),
        ("30: 0000 03 23 0001", "MQTT-3.3.2-11"),
    ] {
        let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(sent(&mut client)[0], 0xE0);
    }
    // Before CONNACK (MQTT-3.2.0-1), and CONNACKs that cannot be.
    let anonymous = Connect::clean(V5_0, utf8(""));
    for (connect, input, statement) in [
        (&connect, "30: 0001'a' 00", "MQTT-3.2.0-1"),
        (&connect, "E0: 80", "MQTT-3.2.0-1"),
        (&connect, "F0: 18 04 15 0001'm'", "MQTT-4.12.0-6"),
        (&connect, "20: 00 00 04 15 0001'm'", "MQTT-4.12.0-6"),
        (&connect, "20: 00 00 04 1A 0001'r'", "MQTT-3.1.2-28"),
        (&anonymous, "20: 00 00 00", "MQTT-3.2.2-16"),
    ] {
        let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
        client
            .connect(Duration::ZERO, connect, Session::new())
            .unwrap();
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
    }
    // A DISCONNECT from a server of 3.1.1.
    let connect = Connect::clean(V3_1_1, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00");
    assert!(client_event(&mut client, "E0 00").is_err());
    assert_eq!(sent(&mut client), b"");
}

/// MQTT-3.1.2-20, MQTT-3.1.2-22: silence on either side.
// shows: 5.0 MQTT-3.1.2-20, 5.0 MQTT-3.1.2-21, 5.0 MQTT-3.1.2-22, 5.0 MQTT-3.2.2-21,
// shows: 5.0 MQTT-3.2.2-22, 5.0 MQTT-3.12.4-1
// shows: 3.1.1 MQTT-3.1.2-23, 3.1.1 MQTT-3.1.2-24, 3.1.1 MQTT-3.12.4-1
#[test]
fn keep_alive() {
    // The server waits one and a half times 10 seconds, from the last byte that came.
    for (version, goodbye, statement) in [
        (V5_0, "E0 01 8D", "MQTT-3.1.2-22"),
        (V3_1_1, "", "MQTT-3.1.2-24"),
    ] {
        let mut server = server_of(version, ServerConfig::default());
        assert_eq!(server.poll_timeout(), Some(seconds(15)));
        let ping = bytes("C0 00");
        server.receive(seconds(10), &mut &ping[..1]).unwrap();
        assert_eq!(server.poll_timeout(), Some(seconds(25)));
        // The same byte again is none that came.
        server.receive(seconds(11), &mut &ping[..1]).unwrap();
        assert_eq!(server.poll_timeout(), Some(seconds(25)));
        server.receive(seconds(12), &mut &ping[..]).unwrap();
        assert_eq!(transmitted(&mut server), bytes("D0 00"));
        assert_eq!(server.poll_timeout(), Some(seconds(27)));
        assert_eq!(server.handle_timeout(seconds(26)), Ok(()));
        assert_eq!(
            server.handle_timeout(seconds(27)),
            Err(ConnectionError::PeerTimeout { version })
        );
        let error = server.receive_eof(seconds(27)).unwrap_err();
        assert_eq!(error.statement(), Some(statement));
        assert_eq!(transmitted(&mut server), bytes(goodbye));
        assert_eq!(server.poll_timeout(), None);
        assert!(server.is_closed());
    }
    // CONNECT is to come in time.
    let mut server = ServerConnection::new(seconds(5), ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(seconds(15)));
    assert_eq!(
        server.handle_timeout(seconds(15)),
        Err(ConnectionError::HandshakeTimeout)
    );
    assert_eq!(transmitted(&mut server), b"");
    // All of it, not its beginning.
    let mut server = ServerConnection::new(seconds(5), ServerConfig::default());
    let connect = bytes(connect_of(V5_0));
    let mut input = &connect[..connect.len() - 1];
    assert_eq!(server.receive(seconds(14), &mut input), Ok(None));
    assert_eq!(
        server.handle_timeout(seconds(15)),
        Err(ConnectionError::HandshakeTimeout)
    );
    // A keep alive of 0 is none.
    let mut server = ServerConnection::new(seconds(0), ServerConfig::default());
    event(&mut server, "10: 0004'MQTT' 05 02 0000 00 0001'c'").unwrap();
    server
        .accept(seconds(0), &Accept::default(), Session::new())
        .unwrap();
    assert_eq!(server.poll_timeout(), None);

    // The client pings after 60 seconds of its own silence, and wants an answer in 10.
    for (version, connack) in [(V5_0, "20: 00 00 00"), (V3_1_1, "20: 00 00")] {
        let connect = Connect::clean(version, utf8("c"));
        let mut client = client_of(&connect, ClientConfig::default(), connack);
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
    }
    // MQTT-3.1.2-21
    let connect = Connect::clean(V5_0, utf8("c"));
    let client = client_of(&connect, ClientConfig::default(), "20: 00 00 03 13 0005");
    assert_eq!(client.poll_timeout(), Some(seconds(5)));
    // CONNACK is to come in time.
    let mut client = ClientConnection::new(seconds(1), ClientConfig::default());
    client
        .connect(seconds(3), &connect, Session::new())
        .unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(13)));
    assert_eq!(client.handle_timeout(seconds(12)), Ok(()));
    assert_eq!(
        client.handle_timeout(seconds(13)),
        Err(ConnectionError::HandshakeTimeout)
    );
}

#[test]
fn the_version_is_that_of_connect() {
    for version in ProtocolVersion::ALL {
        let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
        assert_eq!(client.version(), None);
        client
            .connect(
                Duration::ZERO,
                &Connect::clean(version, utf8("c")),
                Session::new(),
            )
            .unwrap();
        assert_eq!(client.version(), Some(version));

        let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
        assert_eq!(server.version(), None);
        event(&mut server, connect_of(version)).unwrap();
        assert_eq!(server.version(), Some(version));
    }
}

/// Time goes as far as it is told, and a timeout beyond is none.
#[test]
fn no_time_is_too_far() {
    let connect = Connect::clean(V5_0, utf8("c"));
    for (now, timeout) in [
        (Duration::ZERO, Duration::MAX),
        (seconds(1), Duration::MAX),
        (Duration::MAX, seconds(10)),
    ] {
        let expected = now.checked_add(timeout);
        let mut config = ServerConfig::default();
        config.handshake_timeout = timeout;
        let mut server = ServerConnection::new(now, config);
        assert_eq!(server.poll_timeout(), expected);
        let input = bytes("10: 0004'MQTT' 05 02 000A {15 0001'm'} 0001'c'");
        server.receive(now, &mut &input[..]).unwrap();
        server
            .authenticate(now, ReasonCode::ContinueAuthentication, Properties::EMPTY)
            .unwrap();
        assert_eq!(server.poll_timeout(), expected);
        let input = bytes("F0: 18 {15 0001'm'}");
        server.receive(now, &mut &input[..]).unwrap();
        server
            .accept(now, &Accept::default(), Session::new())
            .unwrap();
        assert_eq!(server.poll_timeout(), now.checked_add(seconds(15)));
        server.receive(now, &mut &bytes("C0 00")[..]).unwrap();
        server.handle_timeout(now).unwrap();

        let mut config = ClientConfig::default();
        config.handshake_timeout = timeout;
        config.ping_timeout = timeout;
        let mut client = ClientConnection::new(now, config);
        client.connect(now, &connect, Session::new()).unwrap();
        assert_eq!(client.poll_timeout(), expected);
        let input = bytes("20: 00 00 00");
        client.receive(now, &mut &input[..]).unwrap();
        client.ping(now).unwrap();
        client.handle_timeout(now).unwrap();
        assert_eq!(client.poll_timeout(), now.checked_add(seconds(60)));
    }
}

/// What a client sends by itself is a sign of life too.
#[test]
fn an_acknowledgement_is_no_silence() {
    let connect = Connect::clean(V5_0, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    let message = bytes("30: 0001'a' 00");
    client.receive(seconds(20), &mut &message[..]).unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
    let message = bytes("32: 0001'a' 0001 00");
    client.receive(seconds(30), &mut &message[..]).unwrap();
    // It counts from when it leaves.
    assert_eq!(client.poll_timeout(), Some(seconds(60)));
    client.poll_transmit(seconds(31), &mut Vec::new());
    assert_eq!(client.poll_timeout(), Some(seconds(91)));
}

/// A PINGREQ that is asked for after a long silence has its full time for an answer.
#[test]
fn a_ping_counts_from_when_it_is_sent() {
    let connect = Connect {
        keep_alive: 0,
        ..Connect::clean(V5_0, utf8("c"))
    };
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    client.ping(seconds(100)).unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(110)));
    // A clock that went back does not take the time back.
    client.ping(seconds(90)).unwrap();
    assert_eq!(client.poll_timeout(), Some(seconds(110)));
}

/// A server that is slow to answer counts from the last packet that came.
// shows: 5.0 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-23
#[test]
fn a_client_pings_though_an_answer_is_late() {
    for (version, connack) in [(V5_0, "20: 00 00 00"), (V3_1_1, "20: 00 00")] {
        let connect = Connect {
            keep_alive: 4,
            ..Connect::clean(version, utf8("c"))
        };
        let mut client = client_of(&connect, ClientConfig::default(), connack);
        for at in [4, 8, 12] {
            assert_eq!(client.poll_timeout(), Some(seconds(at)));
            client.handle_timeout(seconds(at)).unwrap();
            assert_eq!(sent(&mut client), bytes("C0 00"));
        }
        // 10 seconds from the first.
        assert_eq!(client.poll_timeout(), Some(seconds(14)));
        assert_eq!(
            client.handle_timeout(seconds(14)),
            Err(ConnectionError::PingTimeout)
        );
    }
    // A server that has no room for two bytes.
    let connect = Connect::clean(V5_0, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 {27 00000001}");
    let (length, maximum) = (2, 1);
    assert_eq!(
        client.handle_timeout(seconds(60)),
        Err(ConnectionError::PacketTooLarge { length, maximum })
    );
    assert_eq!(sent(&mut client), b"");
}

/// Goodbyes, from both ends.
// shows: 5.0 MQTT-3.2.2-7, 5.0 MQTT-3.14.4-2, 5.0 MQTT-4.13.2-1
// shows: 3.1.1 MQTT-3.2.2-5, 3.1.1 MQTT-3.2.2-6, 3.1.1 MQTT-3.14.4-1
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
            &Connect::clean(version, utf8("c")),
            ClientConfig::default(),
            connack,
        );
        client
            .close(Duration::ZERO, reason, Properties::EMPTY)
            .unwrap();
        assert_eq!(sent(&mut client), bytes(expected));
        assert!(client.is_closed());
        assert_eq!(client.receive_eof(Duration::ZERO), Ok(()));
        assert_eq!(client.ping(seconds(0)), Err(SendError::Closed));
    }
    // The server's.
    for (version, expected) in [(V5_0, "E0 01 8E"), (V3_1_1, "")] {
        let mut server = server_of(version, ServerConfig::default());
        server
            .close(
                Duration::ZERO,
                ReasonCode::SessionTakenOver,
                Properties::EMPTY,
            )
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
    assert_eq!(input, b"");
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
        server
            .refuse(Duration::ZERO, reason, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes(expected));
        assert!(server.is_closed());
        assert_eq!(server.receive_eof(Duration::ZERO), Ok(()));
    }
}

/// A server of any Maximum QoS takes subscriptions of every QoS: it grants what it can.
// shows: 5.0 MQTT-3.2.2-10
#[test]
fn a_subscription_may_ask_for_any_qos() {
    for maximum_qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut config = ServerConfig::default();
        config.maximum_qos = maximum_qos;
        let mut server = server_of(V5_0, config);
        let input = "82: 0001 00 0001'a' 00 0001'b' 01 0001'c' 02";
        assert!(event(&mut server, input).unwrap().starts_with("Subscribe"));
        let granted = [QoS::AtMostOnce, maximum_qos, maximum_qos].map(ReasonCode::granted);
        server.suback(id(1), &granted, Properties::EMPTY).unwrap();
        let code = maximum_qos as u8;
        assert_eq!(
            transmitted(&mut server),
            [0x90, 6, 0, 1, 0, 0, code, code],
            "{maximum_qos:?}"
        );
    }
}

// shows: 5.0 MQTT-3.3.4-6
#[test]
fn subscription_identifiers() {
    let mut properties = PropertiesBuilder::new();
    properties
        .extend([1, 2].map(Property::SubscriptionIdentifier))
        .unwrap();
    let message = Message {
        properties: properties.as_properties(),
        ..Message::new("a", "x", QoS::AtMostOnce)
    };
    let mut server = server_of(V5_0, ServerConfig::default());
    server.publish(&message).unwrap();
    let wire = bytes("30: 0001'a' {0B 01 0B 02} 'x'");
    assert_eq!(transmitted(&mut server), wire);

    let connect = Connect::clean(V5_0, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    assert!(matches!(
        client.publish(&message),
        Err(SendError::Rule { rule }) if rule.statement(V5_0) == "MQTT-3.3.4-6"
    ));
    assert_eq!(sent(&mut client), b"");
    assert!(client.receive(Duration::ZERO, &mut &wire[..]).is_ok());
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
