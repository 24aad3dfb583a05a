//! QoS 2 handshakes whose second half the embedder sends: a server that keeps its sessions on
//! disk, byte for byte (section 4.3.3).

use std::time::Duration;

use crate::support::ends::{
    V3_1_1, V5_0, asked, client_event, client_of, event, id, sent, server_of, transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, Handshakes, InFlight, Message, Received, SendError,
    ServerConfig, ServerConnection, Session,
};
use mqtt_codec::{Connect, Properties, QoS, ReasonCode, Rule};

/// What happens, and what must follow.
enum Step {
    /// These bytes come: the event, or "" for none, and the bytes that leave at once.
    In(&'static str, &'static str, &'static str),
    Acknowledge,
    /// The embedder releases the message: the bytes that leave, or that there is none.
    Release(Option<&'static str>),
    Complete(Option<&'static str>),
}
use Step::{Acknowledge, Complete, In, Release};

const UNKNOWN: Result<(), SendError> = Err(SendError::UnknownPacketIdentifier);

fn manual() -> ServerConfig {
    ServerConfig::default().with_handshakes(Handshakes::Manual)
}

fn message() -> Message<'static> {
    Message::new("a", "x", QoS::ExactlyOnce)
}

/// Section 4.3.3, from both ends. Every packet has the identifier 7.
const STEPS: &[Step] = &[
    // A message to the peer, which has been sent.
    Release(None),
    In("50: 0007", "PubRec", ""),
    // Sent again by the peer: its PUBREL is on its way.
    In("50: 0007", "", ""),
    Release(Some("62: 0007")),
    Release(None),
    In("50: 0007", "", "62: 0007"),
    In("70: 0007", "PubComp", ""),
    Release(None),
    // A message from the peer.
    In("34: 0001'a' 0007 N", "Publish", ""),
    Complete(None),
    Acknowledge,
    Complete(None),
    In("62: 0007", "PubRel", ""),
    In("62: 0007", "", ""),
    // Not the protocol's, and no reason to hand the message out again.
    In("3C: 0001'a' 0007 N", "", "50: 0007"),
    Complete(Some("70: 0007")),
    Complete(None),
    // The identifier is that of a new message (MQTT-4.3.3-12).
    In("34: 0001'a' 0007 N", "Publish", ""),
];

// shows: 5.0 MQTT-4.3.3-4, 5.0 MQTT-4.3.3-11, 5.0 MQTT-4.3.3-12, 3.1.1 MQTT-4.3.3-1
// shows: 3.1.1 MQTT-4.3.3-2
#[test]
fn a_server_releases_and_completes_when_its_embedder_says_so() {
    for (version, none) in [(V5_0, "00"), (V3_1_1, "")] {
        let mut server = server_of(version, manual());
        server.publish_as(id(7), &message()).unwrap();
        transmitted(&mut server);
        for (at, step) in STEPS.iter().enumerate() {
            let (got, wanted) = match *step {
                In(input, expected, answer) => {
                    let got = event(&mut server, &input.replace('N', none)).unwrap();
                    assert!(got.starts_with(expected), "{at}: {got}");
                    assert_eq!(got.is_empty(), expected.is_empty(), "{at}: {got}");
                    (Ok(()), Some(answer))
                }
                Acknowledge => (
                    server.acknowledge(id(7), ReasonCode::Success, Properties::EMPTY),
                    Some("50: 0007"),
                ),
                Release(answer) => (server.release(id(7)), answer),
                Complete(answer) => (server.complete(id(7)), answer),
            };
            let result = if wanted.is_some() { Ok(()) } else { UNKNOWN };
            assert_eq!(got, result, "{version} {at}");
            let answer = bytes(wanted.unwrap_or_default());
            assert_eq!(transmitted(&mut server), answer, "{version} {at}");
        }
    }
}

/// The same from the client's end: PUBRELs leave as they are released.
#[test]
fn a_client_releases_and_completes_when_its_embedder_says_so() {
    let config = ClientConfig::default()
        .with_handshakes(Handshakes::Manual)
        .with_acknowledgements(Acknowledgements::Manual);
    let mut client = client_of(&Connect::clean(V5_0, utf8("c")), config, "20: 00 00 00");
    for identifier in [3, 9] {
        client.publish_as(id(identifier), &message()).unwrap();
    }
    sent(&mut client);
    for identifier in [9, 3] {
        let pubrec = format!("50: 000{identifier}");
        assert!(
            client_event(&mut client, &pubrec)
                .unwrap()
                .starts_with("PubRec")
        );
        assert_eq!(sent(&mut client), b"");
    }
    client.release(id(9)).unwrap();
    client.release(id(3)).unwrap();
    let released = [bytes("62: 0009"), bytes("62: 0003")].concat();
    assert_eq!(sent(&mut client), released);

    client_event(&mut client, "34: 0001'a' 0001 00").unwrap();
    client
        .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(sent(&mut client), bytes("50: 0001"));
    assert!(
        client_event(&mut client, "62: 0001")
            .unwrap()
            .starts_with("PubRel")
    );
    assert_eq!(sent(&mut client), b"");
    client.complete(id(1)).unwrap();
    assert_eq!(sent(&mut client), bytes("70: 0001"));
}

/// PUBCOMP before PUBREL answers nothing (MQTT-3.3.4-1).
#[test]
fn a_pubcomp_for_a_message_that_is_not_released() {
    let mut server = server_of(V5_0, manual());
    server.publish_as(id(7), &message()).unwrap();
    event(&mut server, "50: 0007").unwrap();
    assert!(event(&mut server, "70: 0007").is_err());
    // An error settles it (MQTT-4.4.0-2).
    let mut server = server_of(V5_0, manual());
    server.publish_as(id(7), &message()).unwrap();
    event(&mut server, "50: 0007").unwrap();
    event(&mut server, "50: 0007 97").unwrap();
    assert!(server.session().is_empty());
    assert_eq!(server.release(id(7)), UNKNOWN);
}

/// Where a handshake stood when the connection ended is where it goes on (MQTT-4.4.0-1): what
/// was not released waits for that, and the peer repeats the PUBREL that was not completed.
// shows: 5.0 MQTT-4.4.0-1
#[test]
fn resumption() {
    let session = || {
        Session::restore(
            [
                (id(1), InFlight::Publish(message())),
                (id(2), InFlight::Unreleased),
                (id(3), InFlight::PubRel),
            ],
            [(id(4), Received::Released), (id(5), Received::Acknowledged)],
        )
    };
    let accepted = |config: ServerConfig| {
        let connect = "10: 0004'MQTT' 05 00 000A 00 0001'c'";
        let mut server = asked(connect, config);
        let accept = Accept {
            session_present: true,
            ..Accept::default()
        };
        server.accept(Duration::ZERO, &accept, session()).unwrap();
        let connack = bytes("20: 01 00 {27 00100000}");
        let out = transmitted(&mut server);
        (server, out[connack.len()..].to_vec())
    };
    let (mut server, out): (ServerConnection, _) = accepted(manual());
    let again = [bytes("3C: 0001'a' 0001 00 'x'"), bytes("62: 0003")];
    assert_eq!(out, again.concat());
    assert_eq!(server.send_quota(), 20 - 3, "all three are under way");
    server.release(id(2)).unwrap();
    assert_eq!(transmitted(&mut server), bytes("62: 0002"));
    for identifier in [4, 5] {
        assert_eq!(server.complete(id(identifier)), UNKNOWN);
        let pubrel = format!("62: 000{identifier}");
        assert!(event(&mut server, &pubrel).unwrap().starts_with("PubRel"));
        assert_eq!(transmitted(&mut server), b"");
        server.complete(id(identifier)).unwrap();
        assert_eq!(
            transmitted(&mut server),
            bytes(&format!("70: 000{identifier}"))
        );
    }
    assert_eq!(server.session().received().count(), 0);
}

/// An identifier that was chosen is that of no other packet (MQTT-2.2.1-3); one that is
/// assigned afterwards leaves it out.
// shows: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4
#[test]
fn chosen_identifiers() {
    let in_use = Err(SendError::Rule {
        rule: Rule::PacketIdentifierInUse,
    });
    let mut server = server_of(V5_0, manual());
    assert_eq!(server.publish_as(id(1), &message()), Ok(()));
    assert_eq!(server.publish_as(id(1), &message()), in_use);
    assert_eq!(server.publish(&message()), Ok(Some(id(2))));
    assert_eq!(server.publish_as(id(2), &message()), in_use);
    transmitted(&mut server);
    // A server's requests are the client's, with identifiers of their own.
    event(&mut server, "82: 0003 00 0001'a' 00").unwrap();
    assert_eq!(server.publish_as(id(3), &message()), Ok(()));
    assert_eq!(transmitted(&mut server), bytes("34: 0001'a' 0003 00 'x'"));
    // QoS 0 has none.
    let qos_0 = Message::new("a", "x", QoS::AtMostOnce);
    assert_eq!(server.publish_as(id(1), &qos_0), Ok(()));
    assert_eq!(transmitted(&mut server), bytes("30: 0001'a' 00 'x'"));
    // What would be too large takes no identifier.
    let connect = "10: 0004'MQTT' 05 02 000A {27 00000010} 0001'c'";
    let mut server = asked(connect, manual());
    server
        .accept(Duration::ZERO, &Accept::default(), Session::new())
        .unwrap();
    let long = Message::new("a", "a long message", QoS::ExactlyOnce);
    assert!(matches!(
        server.publish_as(id(1), &long),
        Err(SendError::PacketTooLarge { .. })
    ));
    assert_eq!(server.publish_as(id(1), &message()), Ok(()));
}

/// What has become too large for its client is dropped at once, also where it would have
/// waited for the Receive Maximum (MQTT-3.1.2-25): the embedder sees that it is gone.
// shows: 5.0 MQTT-3.1.2-25
#[test]
fn what_is_too_large_is_dropped_before_its_turn() {
    let long = Message::new("a", "a long message", QoS::AtLeastOnce);
    let in_flight = [
        (id(1), InFlight::Publish(message())),
        (id(2), InFlight::Publish(long)),
        (id(3), InFlight::Publish(message())),
    ];
    let connect = "10: 0004'MQTT' 05 00 000A {21 0001 27 00000010} 0001'c'";
    let mut server = asked(connect, ServerConfig::default());
    let accept = Accept {
        session_present: true,
        ..Accept::default()
    };
    server
        .accept(Duration::ZERO, &accept, Session::restore(in_flight, []))
        .unwrap();
    let left = server.session().in_flight();
    assert!(left.iter().map(|(id, _)| id.get()).eq([1, 3]));
}
