//! Which packet may be sent when: the first, the only one, the last (sections 3.1, 3.2
//! and 3.14), 5.0 and 3.1.1.

use std::time::Duration;

use crate::support::ends::{
    CONNECT_3_1_1, CONNECT_5_0, V3_1_1, V5_0, asked, client_event, client_of, connecting, event,
    id, seconds, sent, server_of, transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ConnectionError, Message, SendError, ServerConfig,
    ServerConnection, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode,
    Subscription,
};

const NONE: Properties<'static> = Properties::EMPTY;

/// Every packet that a client's embedder can send, but CONNECT and AUTH.
fn client_sends(client: &mut ClientConnection) -> Vec<Result<(), SendError>> {
    let filter = [Subscription::new("a", QoS::AtMostOnce)];
    let message = Message::new("a", "x", QoS::AtMostOnce);
    vec![
        client.publish(&message).map(drop),
        client.subscribe(&filter, NONE).map(drop),
        client.unsubscribe(&["a"], NONE).map(drop),
        client.acknowledge(id(1), ReasonCode::Success, NONE),
        client.ping(Duration::ZERO),
    ]
}

/// Every packet that a server's embedder can send, but CONNACK and AUTH.
fn server_sends(server: &mut ServerConnection) -> Vec<Result<(), SendError>> {
    let codes = [ReasonCode::Success];
    let message = Message::new("a", "x", QoS::AtMostOnce);
    vec![
        server.publish(&message).map(drop),
        server.acknowledge(id(1), ReasonCode::Success, NONE),
        server.suback(id(1), &codes, NONE),
        server.unsuback(id(1), &codes, NONE),
        server.close(Duration::ZERO, ReasonCode::ServerBusy, NONE),
    ]
}

// shows: 5.0 MQTT-3.1.0-1, 3.1.1 MQTT-3.1.0-1
#[test]
fn a_client_sends_connect_first_and_once() {
    let not_yet = Err(SendError::NotOpen);
    for version in [V5_0, V3_1_1] {
        let connect = Connect::clean(version, utf8("c"));
        let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
        assert!(
            client_sends(&mut client)
                .iter()
                .all(|sent| *sent == not_yet)
        );
        assert_eq!(
            client.close(Duration::ZERO, ReasonCode::Success, NONE),
            not_yet
        );
        assert_eq!(sent(&mut client), b"");
        let mut client = connecting(&connect, ClientConfig::default(), Session::new());
        let again = client.connect(Duration::ZERO, &connect, Session::new());
        assert_eq!(again, not_yet);
        assert_eq!(sent(&mut client), b"");
    }
}

// shows: 5.0 MQTT-3.1.4-5, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.2.0-2
// shows: 3.1.1 MQTT-3.1.4-4, 3.1.1 MQTT-3.2.0-1
#[test]
fn a_server_sends_connack_first_and_once() {
    let not_yet = Err(SendError::NotOpen);
    for (connect, connack) in [
        (CONNECT_5_0, "20: 00 00 {27 00100000}"),
        (CONNECT_3_1_1, "20: 00 00"),
    ] {
        let mut server = asked(connect, ServerConfig::default());
        assert!(
            server_sends(&mut server)
                .iter()
                .all(|sent| *sent == not_yet)
        );
        assert_eq!(transmitted(&mut server), b"");
        let accept = |server: &mut ServerConnection| {
            server.accept(Duration::ZERO, &Accept::default(), Session::new())
        };
        assert_eq!(accept(&mut server), Ok(()));
        assert_eq!(transmitted(&mut server), bytes(connack));
        assert_eq!(accept(&mut server), not_yet);
        assert_eq!(
            server.refuse(Duration::ZERO, ReasonCode::ServerBusy, NONE),
            not_yet
        );
        assert_eq!(transmitted(&mut server), b"");
    }
}

// shows: 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.2.0-2, 3.1.1 MQTT-3.2.0-1
#[test]
fn a_client_takes_connack_first_and_once() {
    for (version, none, connack) in [(V5_0, "00", "20: 00 00 00"), (V3_1_1, "", "20: 00 00")] {
        let connect = Connect::clean(version, utf8("c"));
        for input in ["30: 0001'a' N", "D0 00", "40: 0001", "62: 0001"] {
            let mut client = connecting(&connect, ClientConfig::default(), Session::new());
            let error = client_event(&mut client, &input.replace('N', none)).unwrap_err();
            assert_eq!(error.statement(), Some("MQTT-3.2.0-1"), "{input}");
            assert!(client.is_closed());
        }
        let mut client = client_of(&connect, ClientConfig::default(), connack);
        assert!(client_event(&mut client, connack).is_err());
    }
}

/// The refusal, and that what came behind CONNECT is not looked at.
// shows: 5.0 MQTT-3.1.3-8, 5.0 MQTT-3.1.4-2, 5.0 MQTT-3.1.4-6, 5.0 MQTT-3.2.2-7,
// shows: 5.0 MQTT-3.2.2-8, 5.0 MQTT-4.13.2-1
// shows: 3.1.1 MQTT-3.1.3-9, 3.1.1 MQTT-3.1.4-5, 3.1.1 MQTT-3.2.2-5, 3.1.1 MQTT-3.2.2-6
#[test]
fn a_refused_connect_is_the_end() {
    let publish = bytes("30: 0001'a' 00 'x'");
    for (connect, reason, answer) in [
        (
            CONNECT_5_0,
            ReasonCode::ClientIdentifierNotValid,
            "20: 00 85 00",
        ),
        (CONNECT_5_0, ReasonCode::NotAuthorized, "20: 00 87 00"),
        (CONNECT_5_0, ReasonCode::UnspecifiedError, "20: 00 80 00"),
        (
            CONNECT_3_1_1,
            ReasonCode::ClientIdentifierNotValid,
            "20: 00 02",
        ),
        (CONNECT_3_1_1, ReasonCode::ServerUnavailable, "20: 00 03"),
        (CONNECT_3_1_1, ReasonCode::QuotaExceeded, ""),
    ] {
        let mut server = asked(connect, ServerConfig::default());
        let mut input = &publish[..];
        assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
        assert_eq!(server.refuse(Duration::ZERO, reason, NONE), Ok(()));
        assert!(server.is_closed());
        assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
        assert_eq!(transmitted(&mut server), bytes(answer), "{reason}");
        assert_eq!(server.poll_timeout(), None);
        let over = Err(SendError::Closed);
        assert!(server_sends(&mut server).iter().all(|sent| *sent == over));
        assert_eq!(transmitted(&mut server), b"");
    }
    // Success and what CONNACK has not are no refusals.
    for reason_code in [
        ReasonCode::Success,
        ReasonCode::NoMatchingSubscribers,
        ReasonCode::SessionTakenOver,
    ] {
        let mut server = asked(CONNECT_5_0, ServerConfig::default());
        let refused = Err(SendError::ReasonCode { reason_code });
        assert_eq!(server.refuse(Duration::ZERO, reason_code, NONE), refused);
        assert_eq!(transmitted(&mut server), b"");
    }
    // And the client closes.
    for (version, connack) in [(V5_0, "20: 00 87 00"), (V3_1_1, "20: 00 05")] {
        let connect = Connect::clean(version, utf8("c"));
        let mut client = connecting(&connect, ClientConfig::default(), Session::new());
        client_event(&mut client, connack).unwrap();
        assert!(client.is_closed());
        assert_eq!(sent(&mut client), b"");
    }
}

/// What fails before a CONNACK that accepts is told by CONNACK, or not at all.
// shows: 5.0 MQTT-3.14.0-1
#[test]
fn no_disconnect_before_connack() {
    let with_method = "10: 0004'MQTT' 05 02 000A {15 0001'M'} 0001'c'";
    let authenticating = || {
        let mut server = asked(with_method, ServerConfig::default());
        server
            .authenticate(Duration::ZERO, ReasonCode::ContinueAuthentication, NONE)
            .unwrap();
        transmitted(&mut server);
        server
    };
    let new = || ServerConnection::new(Duration::ZERO, ServerConfig::default());
    type End = fn(&mut ServerConnection) -> Result<(), ConnectionError>;
    let ends: [End; 4] = [
        |server| event(server, "00").map(drop),
        |server| event(server, "C0 00").map(drop),
        |server| server.handle_timeout(seconds(99)),
        |server| server.receive_eof(Duration::ZERO),
    ];
    for end in ends {
        for mut server in [new(), authenticating()] {
            end(&mut server).unwrap_err();
            let out = transmitted(&mut server);
            assert!(out.first().is_none_or(|first| *first == 0x20), "{out:02X?}");
            assert_eq!(
                server.close(Duration::ZERO, ReasonCode::ServerBusy, NONE),
                Err(SendError::Closed)
            );
        }
    }
    for mut server in [
        new(),
        asked(CONNECT_5_0, ServerConfig::default()),
        authenticating(),
    ] {
        assert_eq!(
            server.close(Duration::ZERO, ReasonCode::ServerBusy, NONE),
            Err(SendError::NotOpen)
        );
    }
}

// shows: 5.0 MQTT-3.14.4-1, 5.0 MQTT-3.14.4-2, 5.0 MQTT-4.13.2-1
// shows: 3.1.1 MQTT-3.14.4-1, 3.1.1 MQTT-3.14.4-2, 3.1.1 MQTT-4.8.0-2
#[test]
fn nothing_is_sent_behind_a_goodbye() {
    for (version, none, connack) in [(V5_0, "00", "20: 00 00 00"), (V3_1_1, "", "20: 00 00")] {
        let over = Err(SendError::Closed);
        let publish = format!("32: 0001'a' 0001 {none} 'x'");
        let exactly = Message::new("a", "x", QoS::ExactlyOnce);
        let goodbye = |reason| match (version, reason) {
            (ProtocolVersion::V5_0, ReasonCode::Success) => bytes("E0 00"),
            (ProtocolVersion::V5_0, reason) => vec![0xE0, 1, reason as u8],
            (_, ReasonCode::Success) => bytes("E0 00"),
            // 3.x has no words for it, and a server has no DISCONNECT.
            _ => Vec::new(),
        };
        for reason in [ReasonCode::Success, ReasonCode::UnspecifiedError] {
            let connect = Connect::clean(version, utf8("c"));
            let mut client = client_of(&connect, ClientConfig::default(), connack);
            client.publish(&exactly).unwrap();
            sent(&mut client);
            client.close(Duration::ZERO, reason, NONE).unwrap();
            assert!(client.is_closed());
            assert!(client_sends(&mut client).iter().all(|sent| *sent == over));
            assert_eq!(client.close(Duration::ZERO, reason, NONE), over);
            for input in ["50: 0001", &publish] {
                assert_eq!(client_event(&mut client, input), Ok(String::new()));
            }
            client.handle_timeout(seconds(999)).unwrap();
            assert_eq!(client.poll_timeout(), None);
            assert_eq!(sent(&mut client), goodbye(reason));
        }
        let mut server = server_of(version, ServerConfig::default());
        server.publish(&exactly).unwrap();
        transmitted(&mut server);
        server
            .close(Duration::ZERO, ReasonCode::ServerBusy, NONE)
            .unwrap();
        assert!(server.is_closed());
        assert!(server_sends(&mut server).iter().all(|sent| *sent == over));
        for input in ["50: 0001", &publish, "C0 00"] {
            assert_eq!(event(&mut server, input), Ok(String::new()));
        }
        server.handle_timeout(seconds(999)).unwrap();
        assert_eq!(transmitted(&mut server), goodbye(ReasonCode::ServerBusy));
    }
    // What ends in failure says one goodbye too.
    let mut server = server_of(V5_0, ServerConfig::default());
    for _ in 0..2 {
        event(&mut server, "00").unwrap_err();
    }
    assert_eq!(transmitted(&mut server), bytes("E0: 81"));
    // After the peer's goodbye there is none.
    let mut server = server_of(V5_0, ServerConfig::default());
    event(&mut server, "E0: 80").unwrap();
    assert!(server.is_closed());
    let mut client = client_of(
        &Connect::clean(V5_0, utf8("c")),
        ClientConfig::default(),
        "20: 00 00 00",
    );
    client_event(&mut client, "E0: 8B").unwrap();
    assert!(client.is_closed());
    assert_eq!(
        (transmitted(&mut server), sent(&mut client)),
        Default::default()
    );
}

// shows: 5.0 MQTT-3.14.2-1, 5.0 MQTT-3.14.2-2
#[test]
fn a_goodbye_that_may_not_be() {
    let mut properties = PropertiesBuilder::new();
    properties.push(Property::SessionExpiryInterval(0)).unwrap();
    let expiry = properties.as_properties();
    let mut server = server_of(V5_0, ServerConfig::default());
    assert!(matches!(
        server.close(Duration::ZERO, ReasonCode::ServerBusy, expiry),
        Err(SendError::Rule { rule }) if rule.statement(V5_0) == "MQTT-3.14.2-2"
    ));
    let reason_code = ReasonCode::BadUserNameOrPassword;
    assert_eq!(
        server.close(Duration::ZERO, reason_code, NONE),
        Err(SendError::ReasonCode { reason_code })
    );
    assert!(!server.is_closed());
    assert_eq!(transmitted(&mut server), b"");

    let mut client = client_of(
        &Connect::clean(V5_0, utf8("c")),
        ClientConfig::default(),
        "20: 00 00 00",
    );
    assert_eq!(
        client.close(Duration::ZERO, reason_code, NONE),
        Err(SendError::ReasonCode { reason_code })
    );
    assert!(!client.is_closed());
    assert_eq!(
        client.close(Duration::ZERO, ReasonCode::Success, expiry),
        Ok(())
    );
    assert_eq!(sent(&mut client), bytes("E0: 00 {11 00000000}"));
}
