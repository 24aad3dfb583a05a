//! A PUBLISH over `Limits::assembled_size` comes in parts: memory is bounded by the limit,
//! and what 5.0 sections 4.3 and 4.4 say of a message holds for all of it.

use std::time::Duration;

use crate::support::ends::{V3_1_1, V5_0, client_of, event, id, sent, server_of, transmitted};
use crate::support::{topic, utf8};
use mqtt_codec::connection::{
    Acknowledgements, ClientConfig, ClientEvent, ConnectionError, Message, MessageBuf, SendError,
    ServerConfig, ServerConnection, ServerEvent,
};
use mqtt_codec::{
    Connect, Packet, Properties, PropertiesBuilder, Property, ProtocolVersion, Publish, QoS,
    ReasonCode,
};

const ASSEMBLED_SIZE: u32 = 256;

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = ASSEMBLED_SIZE;
    config
}

fn publish(version: ProtocolVersion, qos: QoS, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    Packet::Publish(Publish {
        qos,
        packet_identifier: (qos != QoS::AtMostOnce).then_some(id(7)),
        ..Publish::new(topic("t"), payload)
    })
    .encode(version, &mut wire)
    .unwrap();
    wire
}

/// Brings bytes in pieces: the payload that came, and the most that had to be kept.
fn receive(server: &mut ServerConnection, wire: &[u8], piece: usize) -> (Vec<u8>, usize) {
    let (mut buffer, mut payload, mut kept) = (Vec::new(), Vec::new(), 0);
    for piece in wire.chunks(piece) {
        buffer.extend_from_slice(piece);
        let mut input = &buffer[..];
        while let Some(event) = server.receive(Duration::ZERO, &mut input).unwrap() {
            match event {
                ServerEvent::Publish(publish) => {
                    assert!(!publish.is_whole() && publish.payload.is_empty());
                }
                ServerEvent::Body { part, .. } => payload.extend_from_slice(part),
                other => panic!("{other:?}"),
            }
        }
        kept = kept.max(input.len());
        buffer = input.to_vec();
    }
    (payload, kept)
}

#[test]
fn memory_is_bounded_by_the_limit() {
    let payload: Vec<u8> = (0..1_000_000).map(|at| (at % 251) as u8).collect();
    for version in ProtocolVersion::ALL {
        for piece in [1, 7, 100, 1460, 65_536, 2_000_000] {
            let mut server = server_of(version, config());
            let wire = publish(version, QoS::AtMostOnce, &payload);
            let (received, kept) = receive(&mut server, &wire, piece);
            assert!(received == payload, "{version} in pieces of {piece}");
            assert!(kept < ASSEMBLED_SIZE as usize, "{kept} bytes kept");
        }
    }
}

#[test]
fn what_is_not_larger_comes_whole() {
    // The limit counts the fixed header: here three bytes, and four follow until the payload.
    for (length, whole) in [(255, true), (256, true), (257, false)] {
        let wire = publish(V5_0, QoS::AtMostOnce, &vec![b'x'; length - 7]);
        assert_eq!(wire.len(), length);
        let mut server = server_of(V5_0, config());
        let mut input = &wire[..];
        let event = server.receive(Duration::ZERO, &mut input).unwrap();
        let Some(ServerEvent::Publish(publish)) = event else {
            panic!("{event:?}");
        };
        assert_eq!(publish.is_whole(), whole);
        assert_eq!(publish.payload_length() as usize, length - 7);
        assert_eq!(publish.payload.is_empty(), !whole);
    }
}

/// What came in parts is not taken for a whole message; with its payload it becomes one.
#[test]
fn a_message_in_parts_is_none_until_it_is_put_together() {
    let mut config = config();
    config.topic_alias_maximum = 1;
    let mut server = server_of(V5_0, config);
    let wire = crate::support::bytes(&format!(
        "31: 0001't' {{23 0001 01 01}} {}",
        "78".repeat(300)
    ));
    let mut input = &wire[..];
    let Ok(Some(ServerEvent::Publish(publish))) = server.receive(Duration::ZERO, &mut input) else {
        panic!("no message");
    };
    assert_eq!(publish.to_message(), None);
    let mut properties = PropertiesBuilder::new();
    properties
        .push(Property::PayloadFormatIndicator(true))
        .unwrap();
    let expected = MessageBuf {
        retain: true,
        properties: properties.build(),
        ..MessageBuf::new("t", vec![b'x'; 300], QoS::AtMostOnce)
    };
    assert_eq!(publish.with_payload(input.to_vec()), expected);
}

/// MQTT-4.3.2-4, MQTT-4.3.3-8: it has been received with its last byte, and not before.
// shows: 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.3-8
#[test]
fn it_is_acknowledged_at_its_end() {
    for (qos, answer) in [
        (QoS::AtLeastOnce, [0x40, 2, 0, 7]),
        (QoS::ExactlyOnce, [0x50, 2, 0, 7]),
    ] {
        let mut server = server_of(V5_0, config());
        let wire = publish(V5_0, qos, &[b'x'; 1000]);
        receive(&mut server, &wire[..wire.len() - 1], 100);
        assert_eq!(
            server.acknowledge(id(7), ReasonCode::Success, Properties::EMPTY),
            Err(SendError::PayloadIncomplete)
        );
        receive(&mut server, &wire[wire.len() - 1..], 1);
        assert!(transmitted(&mut server).is_empty());
        server
            .acknowledge(id(7), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), answer);

        // A client's connection does it by itself.
        let mut config = ClientConfig::default();
        config.limits.assembled_size = ASSEMBLED_SIZE;
        assert_eq!(config.acknowledgements, Acknowledgements::Automatic);
        let mut client = client_of(&Connect::clean(V5_0, utf8("c")), config, "20: 00 00 00");
        let mut input = &wire[..wire.len() - 1];
        while let Some(event) = client.receive(Duration::ZERO, &mut input).unwrap() {
            assert!(matches!(
                event,
                ClientEvent::Publish(_) | ClientEvent::Body { .. }
            ));
        }
        assert!(sent(&mut client).is_empty());
        let mut input = &wire[wire.len() - 1..];
        let last = client.receive(Duration::ZERO, &mut input).unwrap();
        assert!(matches!(
            last,
            Some(ClientEvent::Body {
                part: b"x",
                remaining: 0,
                ..
            })
        ));
        assert_eq!(sent(&mut client), answer);
    }
}

/// Section 3.4.2.1: a receiver that has no room for it can say so at once, and goes on with
/// the packet that follows.
#[test]
fn it_can_be_refused_before_its_end() {
    for (qos, answer) in [(QoS::AtLeastOnce, 0x40), (QoS::ExactlyOnce, 0x50)] {
        let mut server = server_of(V5_0, config());
        let mut wire = publish(V5_0, qos, &[b'x'; 1000]);
        wire.extend([0xC0, 0]);
        let mut input = &wire[..300];
        assert!(matches!(
            server.receive(Duration::ZERO, &mut input),
            Ok(Some(ServerEvent::Publish(publish))) if publish.payload_length() == 1000
        ));
        server
            .acknowledge(id(7), ReasonCode::QuotaExceeded, Properties::EMPTY)
            .unwrap();
        assert_eq!(transmitted(&mut server), [answer, 3, 0, 7, 0x97]);
        assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
        assert!(input.is_empty());
        let mut input = &wire[300..];
        assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
        assert!(input.is_empty());
        assert_eq!(transmitted(&mut server), [0xD0, 0]);
        assert!(server.session().is_empty());
        assert_eq!(
            server.acknowledge(id(7), ReasonCode::Success, Properties::EMPTY),
            Err(SendError::UnknownPacketIdentifier)
        );
    }
}

/// What is no refusal changes nothing, and other messages can be acknowledged meanwhile.
#[test]
fn only_a_refusal_of_it_ends_it() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut server = server_of(V5_0, config());
        event(&mut server, "32: 0001't' 0008 00 'p'").unwrap();
        event(&mut server, "34: 0001't' 0009 00 'p'").unwrap();
        let wire = publish(V5_0, qos, &[b'x'; 1000]);
        receive(&mut server, &wire[..300], 300);

        // A reason code of CONNACK, and a property of PUBLISH.
        let error = server
            .acknowledge(id(7), ReasonCode::ServerBusy, Properties::EMPTY)
            .unwrap_err();
        assert!(matches!(error, SendError::ReasonCode { .. }));
        let mut properties = PropertiesBuilder::new();
        properties.push(Property::TopicAlias(1)).unwrap();
        let error = server
            .acknowledge(id(7), ReasonCode::QuotaExceeded, properties.as_properties())
            .unwrap_err();
        assert!(matches!(error, SendError::Encode(_)));

        for (other, reason) in [(8, ReasonCode::Success), (9, ReasonCode::QuotaExceeded)] {
            server
                .acknowledge(id(other), reason, Properties::EMPTY)
                .unwrap();
        }
        let answers = ["40: 0008", "50: 0009 97"]
            .map(crate::support::bytes)
            .concat();
        assert_eq!(transmitted(&mut server), answers);
        let (rest, _) = receive(&mut server, &wire[300..], 300);
        assert_eq!(rest.len(), wire.len() - 300);
        server
            .acknowledge(id(7), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
    }
}

/// MQTT-4.3.3-10: what has been received is answered again, and not handed out again.
// shows: 5.0 MQTT-4.3.3-10
#[test]
fn a_duplicate_is_passed_over() {
    let mut server = server_of(V3_1_1, config());
    let mut wire = publish(V3_1_1, QoS::ExactlyOnce, &[b'x'; 1000]);
    receive(&mut server, &wire, 1000);
    server
        .acknowledge(id(7), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    wire[0] |= 0b1000;
    let (payload, _) = receive(&mut server, &wire, 100);
    assert!(payload.is_empty());
    assert_eq!(transmitted(&mut server), [0x50, 2, 0, 7, 0x50, 2, 0, 7]);
}

/// A message of which the end did not come has not been received: it is not in the
/// session, so that it is handed out when it is sent again (MQTT-4.4.0-1).
#[test]
fn half_a_message_leaves_nothing_behind() {
    let mut server = server_of(V5_0, config());
    let wire = publish(V5_0, QoS::ExactlyOnce, &[b'x'; 1000]);
    receive(&mut server, &wire[..600], 100);
    assert_eq!(
        server.receive_eof(Duration::ZERO),
        Err(ConnectionError::UnexpectedEof)
    );
    assert!(server.into_session().is_empty());
}

/// MQTT-3.3.4-7 holds when the front of a message comes, not only when it is whole.
// shows: 5.0 MQTT-3.3.4-7
#[test]
fn receive_maximum_holds() {
    let mut config = config();
    config.receive_maximum = 1;
    let mut server = server_of(V5_0, config);
    event(&mut server, "32: 0001't' 0001 00 'p'").unwrap();
    let wire = publish(V5_0, QoS::AtLeastOnce, &[b'x'; 1000]);
    let error = server
        .receive(Duration::ZERO, &mut &wire[..300])
        .unwrap_err();
    assert_eq!(
        error.reason_code(),
        Some(ReasonCode::ReceiveMaximumExceeded)
    );
}

/// A PUBLISH of 5.0 with a user property, whose value has so many bytes.
fn with_properties(topic_name: &str, value: usize, payload: &[u8]) -> Vec<u8> {
    let mut properties = PropertiesBuilder::new();
    let value = "v".repeat(value);
    properties
        .push(Property::UserProperty("k", &value))
        .unwrap();
    let mut wire = Vec::new();
    Packet::Publish(Publish {
        properties: properties.as_properties(),
        qos: QoS::AtLeastOnce,
        packet_identifier: Some(id(7)),
        ..Publish::new(topic(topic_name), payload)
    })
    .encode(V5_0, &mut wire)
    .unwrap();
    wire
}

/// Brings bytes in pieces until there is an event or an error: how many it took.
fn first_event(
    server: &mut ServerConnection,
    wire: &[u8],
    piece: usize,
) -> (Result<String, ConnectionError>, usize) {
    let mut end = 0;
    loop {
        end = wire.len().min(end + piece);
        match server.receive(Duration::ZERO, &mut &wire[..end]) {
            Ok(None) => assert!(end < wire.len(), "no event"),
            Ok(Some(event)) => return (Ok(format!("{event:?}")), end),
            Err(error) => return (Err(error), end),
        }
    }
}

/// A variable header is handed out in one piece even where it is larger than the limit for
/// messages, up to a limit of its own; a client that goes over that is told Quota exceeded
/// (4.13.2: an implementation's limit), as soon as its lengths tell.
#[test]
fn a_large_variable_header() {
    let name = "t".repeat(300);
    // Topic name with its length, packet identifier, Property Length; a user property is an
    // identifier, two lengths, a name of one byte and its value.
    let before_value = 2 + 300 + 2 + 2 + 6;
    for piece in [1, 100, 5000] {
        for (assembled_size, variable_header_size) in [(256, 1000), (1000, 256)] {
            let mut config = ServerConfig::default();
            config.limits.assembled_size = assembled_size;
            config.limits.variable_header_size = variable_header_size;

            let wire = with_properties(&name, 1000 - before_value, &[b'x'; 1000]);
            let mut server = server_of(V5_0, config);
            let (event, taken) = first_event(&mut server, &wire, piece);
            assert!(event.unwrap().starts_with("Publish("));
            assert!(taken < 1003 + piece);

            let wire = with_properties(&name, 1001 - before_value, &[b'x'; 1000]);
            let mut server = server_of(V5_0, config);
            let (event, taken) = first_event(&mut server, &wire, piece);
            let error = event.unwrap_err();
            assert_eq!(error.reason_code(), Some(ReasonCode::QuotaExceeded));
            assert!(taken < 3 + 306 + piece, "told after {taken} bytes");
            assert_eq!(transmitted(&mut server), [0xE0, 1, 0x97]);
        }
    }
    // The longest topic name is within the default, in any version.
    for version in ProtocolVersion::ALL {
        let mut wire = Vec::new();
        Packet::Publish(Publish::new(topic(&"t".repeat(65_535)), b"p"))
            .encode(version, &mut wire)
            .unwrap();
        let mut server = server_of(version, config());
        let (event, taken) = first_event(&mut server, &wire, 1000);
        assert!(event.is_ok() && taken >= 65_535);
    }
}

/// A message without payload has no parts, however large it is.
#[test]
fn without_payload_it_is_whole() {
    for qos in QoS::ALL {
        let mut wire = Vec::new();
        Packet::Publish(Publish {
            qos,
            packet_identifier: (qos != QoS::AtMostOnce).then_some(id(7)),
            ..Publish::new(topic(&"t".repeat(300)), b"")
        })
        .encode(V5_0, &mut wire)
        .unwrap();
        wire.extend([0xC0, 0]);
        let mut server = server_of(V5_0, config());
        let mut input = &wire[..];
        let event = server.receive(Duration::ZERO, &mut input).unwrap();
        let Some(ServerEvent::Publish(publish)) = event else {
            panic!("{event:?}");
        };
        assert!(publish.is_whole() && publish.to_message().is_some());
        if let Some(identifier) = publish.packet_identifier {
            server
                .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                .unwrap();
        }
        assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
        assert!(transmitted(&mut server).ends_with(&[0xD0, 0]));
    }
}

/// What is wrong with a packet is told alike, however much of it has come, and whether it
/// is to come in parts.
#[test]
fn what_is_wrong_is_told_alike() {
    let x = "78".repeat(300);
    for wrong in [
        format!("36: 0001't' 0001 00 {x}"),
        format!("38: 0001't' 00 {x}"),
        format!("30: FFFF {x}"),
        format!("30: 012C {x}"),
        format!("30: 0001'+' 00 {x}"),
        format!("32: 0001't' 0000 00 {x}"),
        format!("30: 0001't' 02 0102 {x}"),
        format!("30: 0001't' 8000 {x}"),
        format!("30: 0001't' FFFFFFFF {x}"),
        format!("30: 0001't' AD02 {x}"),
        format!("32: {}", "0130".repeat(152)),
    ] {
        let mut wire = crate::support::bytes(&wrong);
        // What follows is none of its fields, though it would make a Property Length.
        wire.extend([0xFF, 0xFF, 0xFF, 0x7F]);
        let mut whole = server_of(V5_0, ServerConfig::default());
        let (expected, _) = first_event(&mut whole, &wire, 1000);
        assert!(expected.is_err(), "{wrong}");
        for piece in [1, 10, 1000] {
            let mut server = server_of(V5_0, config());
            assert_eq!(first_event(&mut server, &wire, piece).0, expected);
        }
    }
}

/// A large payload leaves as it lies in memory, in the same bytes as a small one would.
#[test]
fn a_large_payload_is_shared() {
    for len in [0, 1, 4095, 4096, 100_000] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let payload = bytes::Bytes::from(vec![b'a'; len]);
            let message = Message::new("t", &payload, qos);
            let [sent, in_slices] = [false, true].map(|slices| {
                let connect = Connect::clean(V5_0, utf8("c"));
                let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
                client.publish(&message).unwrap();
                client
                    .publish(&Message::new("t", "z", QoS::AtMostOnce))
                    .unwrap();
                let (mut bytes, mut list) = (Vec::new(), Vec::new());
                let waiting = client.transmit_len();
                let count = match slices {
                    true => client.poll_transmit_slices(Duration::ZERO, &mut list),
                    false => client.poll_transmit(Duration::ZERO, &mut bytes),
                };
                assert_eq!((count, client.transmit_len()), (waiting, 0));
                let shared = list.iter().any(|slice| slice.as_ptr() == payload.as_ptr());
                assert_eq!(shared, slices && len >= 4096, "{len}");
                [bytes, list.concat()].concat()
            });
            assert_eq!(sent, in_slices);
        }
    }
}
