//! Reason strings and user properties, which are sent only to a peer that wants them and
//! has room for them (5.0 sections 3.1.2.11.4 and 3.1.2.11.7, and those of each packet).

use std::time::Duration;

use crate::support::ends::{V5_0, accepted, asked, client_of, event, id, sent, transmitted};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, Message, SendError, ServerConfig, ServerConnection,
    Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuf, PropertiesBuilder, Property, QoS, ReasonCode, Subscription,
};

fn built<'a>(list: impl IntoIterator<Item = Property<'a>>) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.extend(list).unwrap();
    builder.build()
}

/// CONNECT with an Authentication Method and these properties, as they are written.
fn connect(properties: &str) -> String {
    format!("10: 0004'MQTT' 05 02 000A {{15 0001'M' {properties}}} 0001'c'")
}

/// What makes a server send a packet, the packet with the properties written in place of
/// `P`, and the packet without.
struct Row {
    ask: fn(&mut ServerConnection, Properties<'_>),
    full: &'static str,
    bare: &'static str,
    /// Whether it may have them for a client that wants no problem information.
    always: bool,
}

fn acknowledge(server: &mut ServerConnection, input: &str, properties: Properties<'_>) {
    event(server, input).unwrap();
    server
        .acknowledge(id(1), ReasonCode::NotAuthorized, properties)
        .unwrap();
}

const ROWS: [Row; 6] = [
    Row {
        ask: |server, properties| acknowledge(server, "32: 0001'a' 0001 00", properties),
        full: "40: 0001 87 {P}",
        bare: "40: 0001 87",
        always: false,
    },
    Row {
        ask: |server, properties| acknowledge(server, "34: 0001'a' 0001 00", properties),
        full: "50: 0001 87 {P}",
        bare: "50: 0001 87",
        always: false,
    },
    Row {
        ask: |server, properties| {
            event(server, "82: 0001 00 0001'a' 00").unwrap();
            server
                .suback(id(1), &[ReasonCode::Success], properties)
                .unwrap();
        },
        full: "90: 0001 {P} 00",
        bare: "90: 0001 00 00",
        always: false,
    },
    Row {
        ask: |server, properties| {
            event(server, "A2: 0001 00 0001'a'").unwrap();
            server
                .unsuback(id(1), &[ReasonCode::Success], properties)
                .unwrap();
        },
        full: "B0: 0001 {P} 00",
        bare: "B0: 0001 00 00",
        always: false,
    },
    Row {
        ask: |server, properties| {
            event(server, "F0: 19 {15 0001'M'}").unwrap();
            server
                .authenticate(
                    Duration::ZERO,
                    ReasonCode::ContinueAuthentication,
                    properties,
                )
                .unwrap();
        },
        full: "F0: 18 {15 0001'M' P}",
        bare: "F0: 18 {15 0001'M'}",
        always: false,
    },
    Row {
        ask: |server, properties| {
            server
                .close(Duration::ZERO, ReasonCode::ServerBusy, properties)
                .unwrap();
        },
        full: "E0: 89 {P}",
        bare: "E0: 89",
        always: true,
    },
];

// shows: 5.0 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-29, 5.0 MQTT-3.4.2-2, 5.0 MQTT-3.4.2-3,
// shows: 5.0 MQTT-3.5.2-2, 5.0 MQTT-3.5.2-3, 5.0 MQTT-3.9.2-1, 5.0 MQTT-3.9.2-2,
// shows: 5.0 MQTT-3.11.2-1, 5.0 MQTT-3.11.2-2, 5.0 MQTT-3.14.2-3, 5.0 MQTT-3.14.2-4,
// shows: 5.0 MQTT-3.15.2-2, 5.0 MQTT-3.15.2-3
#[test]
fn a_server_sheds() {
    for (property, wire) in [
        (
            Property::ReasonString("because of this"),
            "1F 000F'because of this'",
        ),
        (
            Property::UserProperty("because", "of this"),
            "26 0007'because' 0007'of this'",
        ),
    ] {
        let properties = built([property]);
        for row in &ROWS {
            let full = bytes(&row.full.replace('P', wire));
            let bare = bytes(row.bare);
            let fits = format!("27 {:08X}", full.len());
            let too_large = format!("27 {:08X}", full.len() - 1);
            for (asked_for, expected) in [
                ("", &full),
                ("17 01", &full),
                (&fits, &full),
                (&too_large, &bare),
                ("17 00", if row.always { &full } else { &bare }),
            ] {
                let mut server = accepted(&connect(asked_for), ServerConfig::default());
                (row.ask)(&mut server, properties.as_properties());
                assert_eq!(
                    transmitted(&mut server),
                    *expected,
                    "{} for {asked_for}",
                    row.full
                );
            }
        }
    }
}

// shows: 5.0 MQTT-3.2.2-19, 5.0 MQTT-3.2.2-20
#[test]
fn connack_sheds() {
    for property in [
        Property::ReasonString("because"),
        Property::UserProperty("k", "v"),
    ] {
        let extra = built([Property::ServerReference("s"), property]);
        let accept = Accept {
            properties: extra.as_properties(),
            ..Accept::default()
        };
        let accept_by = |connect: &str| {
            let mut server = asked(connect, ServerConfig::default());
            server
                .accept(Duration::ZERO, &accept, Session::new())
                .unwrap();
            transmitted(&mut server)
        };
        let full = accept_by(&connect(""));
        assert_eq!(accept_by(&connect(&format!("27 {:08X}", full.len()))), full);
        assert_eq!(
            accept_by(&connect(&format!("27 {:08X}", full.len() - 1))),
            bytes("20: 00 00 {27 00100000 15 0001'M' 1C 0001's'}")
        );
        // Problem information may be in it whatever the client asked (MQTT-3.1.2-29).
        assert_eq!(accept_by(&connect("17 00")), full);
        // So may it in a refusal.
        let mut server = asked(&connect("27 00000005"), ServerConfig::default());
        server
            .refuse(Duration::ZERO, ReasonCode::Banned, extra.as_properties())
            .unwrap();
        assert_eq!(transmitted(&mut server), bytes("20: 00 8A 00"));
    }
}

// shows: 5.0 MQTT-3.6.2-2, 5.0 MQTT-3.6.2-3, 5.0 MQTT-3.7.2-2, 5.0 MQTT-3.7.2-3
#[test]
fn pubrel_and_pubcomp_have_no_properties() {
    // CONNACK takes 10 bytes, more than either.
    let connect = "10: 0004'MQTT' 05 02 000A {27 0000000A} 0001'c'";
    let mut server = accepted(connect, ServerConfig::default());
    event(&mut server, "34: 0001'a' 0001 00").unwrap();
    server
        .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    event(&mut server, "62: 0001 00 {1F 0007'because'}").unwrap();
    assert_eq!(
        transmitted(&mut server),
        [bytes("50: 0001"), bytes("70: 0001")].concat()
    );
    let message = Message::new("a", "", QoS::ExactlyOnce);
    server.publish(&message).unwrap();
    event(&mut server, "50: 0001 00 {26 0001'k' 0001'v'}").unwrap();
    assert_eq!(
        transmitted(&mut server),
        [bytes("34: 0001'a' 0001 00"), bytes("62: 0001")].concat()
    );
}

// shows: 5.0 MQTT-3.2.2-15, 5.0 MQTT-3.4.2-2, 5.0 MQTT-3.5.2-2, 5.0 MQTT-3.14.2-3,
// shows: 5.0 MQTT-3.14.2-4, 5.0 MQTT-3.15.2-2, 5.0 MQTT-3.15.2-3
#[test]
fn a_client_sheds_or_refuses() {
    let extra = built([
        Property::ReasonString("because"),
        Property::UserProperty("k", "v"),
    ]);
    let method = built([
        Property::AuthenticationMethod("M"),
        Property::SessionExpiryInterval(9),
    ]);
    let connect = Connect {
        properties: method.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    let of = |maximum: u32| {
        let mut config = ClientConfig::default();
        config.acknowledgements = mqtt_codec::connection::Acknowledgements::Manual;
        let connack = format!("20: 00 00 {{27 {maximum:08X} 15 0001'M'}}");
        client_of(&connect, config, &connack)
    };
    let receive = |client: &mut ClientConnection, input: &str| {
        let input = bytes(input);
        client.receive(Duration::ZERO, &mut &input[..]).unwrap();
    };
    for (input, bare) in [
        ("32: 0001'a' 0001 00", "40: 0001 87"),
        ("34: 0001'a' 0001 00", "50: 0001 87"),
    ] {
        let mut client = of(20);
        receive(&mut client, input);
        client
            .acknowledge(id(1), ReasonCode::NotAuthorized, extra.as_properties())
            .unwrap();
        assert_eq!(sent(&mut client), bytes(bare));
    }
    let mut client = of(20);
    client
        .authenticate(
            Duration::ZERO,
            ReasonCode::ReAuthenticate,
            extra.as_properties(),
        )
        .unwrap();
    assert_eq!(sent(&mut client), bytes("F0: 19 {15 0001'M'}"));

    // What is no problem information stays.
    let expiry = built([
        Property::ReasonString("because"),
        Property::SessionExpiryInterval(5),
    ]);
    let mut client = of(12);
    client
        .close(Duration::ZERO, ReasonCode::Success, expiry.as_properties())
        .unwrap();
    assert_eq!(sent(&mut client), bytes("E0: 00 {11 00000005}"));

    let mut client = of(20);
    let message = Message::new("a", &[0; 14], QoS::AtMostOnce);
    assert_eq!(client.publish(&message), Ok(None));
    assert_eq!(sent(&mut client).len(), 20);
    let message = Message::new("a", &[0; 15], QoS::AtMostOnce);
    let too_large = SendError::PacketTooLarge {
        length: 21,
        maximum: 20,
    };
    assert_eq!(client.publish(&message), Err(too_large));
    let filters = ["a", "b", "c", "d", "e", "f"];
    let unsubscribed = client.unsubscribe(&filters, Properties::EMPTY);
    assert!(matches!(
        unsubscribed,
        Err(SendError::PacketTooLarge { length: 23, .. })
    ));
    let subscriptions = filters.map(|filter| Subscription::new(filter, QoS::AtMostOnce));
    let subscribed = client.subscribe(&subscriptions, Properties::EMPTY);
    assert!(matches!(
        subscribed,
        Err(SendError::PacketTooLarge { length: 29, .. })
    ));
    assert_eq!(sent(&mut client), b"");
}
