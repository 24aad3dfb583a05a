//! A PUBLISH that is larger than the threshold comes in chunks: memory is bounded by the
//! threshold, and what 5.0 sections 4.3 and 4.4 say of a message holds for all of it.

mod support;

use std::time::Duration;

use mqtt_codec::connection::{
    Acknowledgements, ClientConfig, ClientEvent, ConnectionError, SendError, ServerConfig,
    ServerConnection, ServerEvent,
};
use mqtt_codec::{Connect, Packet, Properties, ProtocolVersion, Publish, QoS, ReasonCode};
use support::ends::{V3_1_1, V5_0, client_of, event, id, sent, server_of, transmitted};
use support::{topic, utf8};

const THRESHOLD: u32 = 256;

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.chunk_threshold = THRESHOLD;
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
                ServerEvent::PublishStart { publish, .. } => assert!(publish.payload.is_empty()),
                ServerEvent::PublishChunk(chunk) => payload.extend_from_slice(chunk.payload),
                other => panic!("{other:?}"),
            }
        }
        kept = kept.max(input.len());
        buffer = input.to_vec();
    }
    (payload, kept)
}

#[test]
fn memory_is_bounded_by_the_threshold() {
    let payload: Vec<u8> = (0..1_000_000).map(|at| (at % 251) as u8).collect();
    for version in ProtocolVersion::ALL {
        for piece in [1, 7, 100, 1460, 65_536, 2_000_000] {
            let mut server = server_of(version, config());
            let wire = publish(version, QoS::AtMostOnce, &payload);
            let (received, kept) = receive(&mut server, &wire, piece);
            assert!(received == payload, "{version} in pieces of {piece}");
            assert!(kept < THRESHOLD as usize, "{kept} bytes kept");
        }
    }
}

#[test]
fn what_is_not_larger_comes_whole() {
    let head = publish(V5_0, QoS::AtMostOnce, b"").len();
    for (length, whole) in [(200, true), (300, false)] {
        let wire = publish(V5_0, QoS::AtMostOnce, &vec![b'x'; length - head]);
        let mut server = server_of(V5_0, config());
        let mut input = &wire[..];
        let event = server.receive(Duration::ZERO, &mut input).unwrap();
        assert_eq!(matches!(event, Some(ServerEvent::Publish(_))), whole);
        assert_eq!(
            matches!(event, Some(ServerEvent::PublishStart { .. })),
            !whole
        );
    }
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
        config.chunk_threshold = THRESHOLD;
        assert_eq!(config.acknowledgements, Acknowledgements::Automatic);
        let mut client = client_of(&Connect::new(V5_0, utf8("c")), config, "20: 00 00 00");
        let mut input = &wire[..wire.len() - 1];
        while let Some(event) = client.receive(Duration::ZERO, &mut input).unwrap() {
            assert!(matches!(
                event,
                ClientEvent::PublishStart { .. } | ClientEvent::PublishChunk(_)
            ));
        }
        assert!(sent(&mut client).is_empty());
        let mut input = &wire[wire.len() - 1..];
        let last = client.receive(Duration::ZERO, &mut input).unwrap();
        assert!(matches!(last, Some(ClientEvent::PublishChunk(chunk)) if chunk.remaining == 0));
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
            Ok(Some(ServerEvent::PublishStart {
                payload_length: 1000,
                ..
            }))
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

/// What stands before the payload has to fit into the threshold, however it comes.
#[test]
fn a_front_that_is_too_large_is_refused() {
    let mut wire = Vec::new();
    let topic_name = "t".repeat(300);
    Packet::Publish(Publish::new(topic(&topic_name), b"p"))
        .encode(V5_0, &mut wire)
        .unwrap();
    for piece in [1, 100, 1000] {
        let mut server = server_of(V5_0, config());
        let (mut buffer, mut result) = (Vec::new(), Ok(()));
        for piece in wire.chunks(piece) {
            buffer.extend_from_slice(piece);
            result = server
                .receive(Duration::ZERO, &mut &buffer[..])
                .map(|event| assert_eq!(event, None));
            if result.is_err() {
                break;
            }
        }
        let reason = result.unwrap_err().reason_code();
        assert_eq!(reason, Some(ReasonCode::PacketTooLarge));
        assert_eq!(transmitted(&mut server), [0xE0, 1, 0x95]);
    }
}

/// What is wrong with a packet is told alike, however much of it has come.
#[test]
fn what_is_wrong_is_told_alike() {
    let x = "78".repeat(300);
    for wrong in [
        format!("36: 0001't' 0001 00 {x}"),
        format!("38: 0001't' 00 {x}"),
        format!("30: FFFF {x}"),
        format!("30: 0001'+' 00 {x}"),
        format!("32: 0001't' 0000 00 {x}"),
        format!("30: 0001't' 02 0102 {x}"),
        format!("30: 0001't' 8000 {x}"),
    ] {
        let wire = support::bytes(&wrong);
        let errors: Vec<_> = [1, 10, 1000]
            .map(|piece| {
                let mut server = server_of(V5_0, config());
                let mut buffer = Vec::new();
                wire.chunks(piece).find_map(|piece| {
                    buffer.extend_from_slice(piece);
                    server.receive(Duration::ZERO, &mut &buffer[..]).err()
                })
            })
            .into();
        assert!(errors[0].is_some(), "{wrong}");
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    }
}
