//! Flow control (5.0 section 4.9): how many QoS 1 and QoS 2 messages are under way, seen
//! from both ends, and what is never held back.

use std::time::Duration;

use crate::support::ends::{
    V5_0, accepted, client_event, client_of, event, id, sent, server_of, transmitted,
};
use crate::support::link::{Link, acknowledge_with};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Acknowledgements, ClientConfig, ClientConnection, Message, SendError, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{Connect, Properties, PropertiesBuilder, Property, QoS, ReasonCode, Subscription};

fn of(qos: QoS) -> Message<'static> {
    Message::new("a", "x", qos)
}

/// A client of a server with Receive Maximum 2.
fn client() -> ClientConnection {
    client_of(
        &Connect::clean(V5_0, utf8("c")),
        ClientConfig::default(),
        "20: 00 00 {21 0002}",
    )
}

/// A server of a client with Receive Maximum 2.
fn server() -> ServerConnection {
    accepted(
        "10: 0004'MQTT' 05 02 000A {21 0002} 0001'c'",
        ServerConfig::default(),
    )
}

// shows: 5.0 MQTT-3.3.4-7, 5.0 MQTT-3.3.4-9, 5.0 MQTT-4.9.0-1, 5.0 MQTT-4.9.0-2
#[test]
fn the_receive_maximum() {
    let mut client = client();
    let mut server = server();
    assert_eq!((client.send_quota(), server.send_quota()), (2, 2));
    for (at, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
        assert_eq!(client.publish(&of(qos)), Ok(Some(id(at))));
        assert_eq!(server.publish(&of(qos)), Ok(Some(id(at))));
    }
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(client.publish(&of(qos)), Err(SendError::ReceiveMaximum));
        assert_eq!(server.publish(&of(qos)), Err(SendError::ReceiveMaximum));
    }
    // What settles a message: PUBACK, PUBCOMP, or PUBREC of 0x80 and above.
    for (input, quota) in [("40: 0001", 1), ("50: 0002", 1), ("70: 0002", 2)] {
        client_event(&mut client, input).unwrap();
        event(&mut server, input).unwrap();
        assert_eq!((client.send_quota(), server.send_quota()), (quota, quota));
    }
    client.publish(&of(QoS::ExactlyOnce)).unwrap();
    assert_eq!(client.send_quota(), 1);
    client_event(&mut client, "50: 0003 97").unwrap();
    assert_eq!(client.send_quota(), 2);
    // What settles nothing adds nothing.
    client_event(&mut client, "40: 0001").unwrap();
    client_event(&mut client, "70: 0009").unwrap();
    assert_eq!(client.send_quota(), 2);
}

/// What the peer of a server with Receive Maximum 2 may still send, before and after the answers
/// that make room again: PUBACK, and PUBCOMP or a PUBREC of 0x80 and above.
// shows: 5.0 MQTT-3.3.4-7
#[test]
fn what_the_peer_may_still_send() {
    let mut config = ServerConfig::default();
    config.receive_maximum = 2;
    let connect = "10: 0004'MQTT' 05 02 000A 00 0001'c'";
    let refused = ReasonCode::UnspecifiedError;
    let mut server = ServerConnection::new(Duration::ZERO, config);
    assert_eq!(server.receive_quota(), 0, "it is not open");
    server = accepted(connect, config);
    assert_eq!(server.receive_quota(), 2);
    for (input, quota) in [("32: 0001'a' 0001 00", 1), ("34: 0001'a' 0002 00", 0)] {
        event(&mut server, input).unwrap();
        assert_eq!(server.receive_quota(), quota);
    }
    for (message, reason, quota) in [(1, ReasonCode::Success, 1), (2, refused, 2)] {
        server
            .acknowledge(id(message), reason, Properties::EMPTY)
            .unwrap();
        assert_eq!(server.receive_quota(), quota);
    }
    event(&mut server, "34: 0001'a' 0003 00").unwrap();
    server
        .acknowledge(id(3), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(server.receive_quota(), 1, "PUBREC makes no room");
    event(&mut server, "62: 0003").unwrap();
    assert_eq!(server.receive_quota(), 2);
}

/// The quota of who is given no limit, or one of nothing by its own configuration.
// shows: 5.0 MQTT-4.9.0-1
#[test]
fn the_quota_begins_above_0() {
    let connect = Connect::clean(V5_0, utf8("c"));
    for (configured, receive_maximum, expected) in [
        // The quota of Mosquitto and of paho (`max_inflight_messages`).
        (None, "", 20),
        (Some(u16::MAX), "", 65_535),
        (Some(u16::MAX), "21 0001", 1),
        (Some(5), "21 0007", 5),
        (Some(0), "", 1),
    ] {
        let (mut client, mut server) = (ClientConfig::default(), ServerConfig::default());
        if let Some(configured) = configured {
            client.maximum_in_flight = configured;
            server.maximum_in_flight = configured;
        }
        let connack = format!("20: 00 00 {{{receive_maximum}}}");
        let client = client_of(&connect, client, &connack);
        let asked = format!("10: 0004'MQTT' 05 02 000A {{{receive_maximum}}} 0001'c'");
        let server = accepted(&asked, server);
        let case = format!("{configured:?} {receive_maximum}");
        assert_eq!(client.send_quota(), expected, "client {case}");
        assert_eq!(server.send_quota(), expected, "server {case}");
    }
}

// shows: 5.0 MQTT-3.3.4-8, 5.0 MQTT-3.3.4-10, 5.0 MQTT-4.9.0-3
#[test]
fn nothing_but_publish_is_held_back() {
    let mut client = client();
    for _ in 0..2 {
        client.publish(&of(QoS::ExactlyOnce)).unwrap();
    }
    sent(&mut client);
    assert_eq!(client.send_quota(), 0);
    assert_eq!(client.publish(&of(QoS::AtMostOnce)), Ok(None));
    client
        .subscribe(
            &[Subscription::new("a", QoS::AtMostOnce)],
            Properties::EMPTY,
        )
        .unwrap();
    client.unsubscribe(&["a"], Properties::EMPTY).unwrap();
    client.ping(Duration::ZERO).unwrap();
    for input in ["32: 0001'b' 0001 00", "50: 0001", "90: 0003 00 00", "D0 00"] {
        client_event(&mut client, input).unwrap();
    }
    client
        .close(Duration::ZERO, ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    let expected = [
        "30: 0001'a' 00 'x'",
        "82: 0003 00 0001'a' 00",
        "A2: 0004 00 0001'a'",
        "C0 00",
        "40: 0001",
        "62: 0001",
        "E0 00",
    ];
    assert_eq!(sent(&mut client), expected.map(bytes).concat());

    let mut server = server();
    for _ in 0..2 {
        server.publish(&of(QoS::ExactlyOnce)).unwrap();
    }
    transmitted(&mut server);
    assert_eq!(server.send_quota(), 0);
    assert_eq!(server.publish(&of(QoS::AtMostOnce)), Ok(None));
    for input in [
        "C0 00",
        "50: 0001",
        "34: 0001'b' 0001 00",
        "82: 0002 00 0001'a' 00",
        "A2: 0003 00 0001'a'",
    ] {
        event(&mut server, input).unwrap();
    }
    server
        .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    event(&mut server, "62: 0001").unwrap();
    let codes = [ReasonCode::Success];
    server.suback(id(2), &codes, Properties::EMPTY).unwrap();
    server.unsuback(id(3), &codes, Properties::EMPTY).unwrap();
    server
        .close(Duration::ZERO, ReasonCode::ServerBusy, Properties::EMPTY)
        .unwrap();
    let expected = [
        "30: 0001'a' 00 'x'",
        "D0 00",
        "62: 0001",
        "50: 0001",
        "70: 0001",
        "90: 0002 00 00",
        "B0: 0003 00 00",
        "E0: 89",
    ];
    assert_eq!(transmitted(&mut server), expected.map(bytes).concat());
}

// shows: 5.0 MQTT-3.3.4-7, 5.0 MQTT-3.3.4-9
#[test]
fn beyond_the_receive_maximum() {
    let mut config = ServerConfig::default();
    config.receive_maximum = 2;
    let mut server = server_of(V5_0, config);
    let mut properties = PropertiesBuilder::new();
    properties.push(Property::ReceiveMaximum(2)).unwrap();
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    let mut manual = ClientConfig::default();
    manual.acknowledgements = Acknowledgements::Manual;
    let mut client = client_of(&connect, manual, "20: 00 00 00");
    for input in [
        "32: 0001'a' 0001 00",
        "34: 0001'a' 0002 00",
        "30: 0001'a' 00",
    ] {
        assert!(event(&mut server, input).unwrap().starts_with("Publish"));
        let received = client_event(&mut client, input).unwrap();
        assert!(received.starts_with("Publish"));
    }
    let third = "32: 0001'a' 0003 00";
    let error = event(&mut server, third).unwrap_err();
    assert_eq!(error.statement(), Some("MQTT-3.3.4-7"));
    assert_eq!(transmitted(&mut server), bytes("E0: 93"));
    let error = client_event(&mut client, third).unwrap_err();
    assert_eq!(error.statement(), Some("MQTT-3.3.4-9"));
    assert_eq!(sent(&mut client), bytes("E0: 93"));
    // A PUBREC with an error settles.
    let mut server = server_of(V5_0, config);
    event(&mut server, "34: 0001'a' 0001 00").unwrap();
    event(&mut server, "34: 0001'a' 0002 00").unwrap();
    server
        .acknowledge(id(2), ReasonCode::QuotaExceeded, Properties::EMPTY)
        .unwrap();
    assert!(event(&mut server, "34: 0001'a' 0003 00").is_ok());
}

#[test]
fn both_ends_count_alike() {
    let mut config = ServerConfig::default();
    config.receive_maximum = 2;
    let mut link = Link::new(ClientConfig::default(), config);
    link.connect(&Connect::clean(V5_0, utf8("c")), Session::new());
    for round in 0..5 {
        link.client.publish(&of(QoS::AtLeastOnce)).unwrap();
        link.client.publish(&of(QoS::ExactlyOnce)).unwrap();
        assert_eq!(link.client.send_quota(), 0, "round {round}");
        link.server_events(|server, event| {
            if let ServerEvent::Publish(publish) = event {
                acknowledge_with(&publish, |i, r, p| server.acknowledge(i, r, p));
            }
        })
        .unwrap();
        // PUBREC does not settle, PUBACK does.
        link.at_client().unwrap();
        assert_eq!(link.client.send_quota(), 1, "round {round}");
        link.at_server().unwrap();
        link.at_client().unwrap();
        assert_eq!(link.client.send_quota(), 2, "round {round}");
    }
}
