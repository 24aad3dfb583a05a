//! What the protocol requires and does not fit the peer's Maximum Packet Size ends the connection,
//! whatever the embedder does with the error.

use std::time::Duration;

use crate::support::ends::{
    V5_0, accepted, asked, client_event, client_of, connecting, event, id, sent, transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ConnectionError, Message, SendError, ServerConfig,
    Session,
};
use mqtt_codec::{Connect, Properties, QoS, ReasonCode};

/// A CONNECT whose sender takes packets of so many bytes.
fn connect(maximum: u32) -> String {
    format!("10: 0004'MQTT' 05 02 0005 {{27 {maximum:08X}}} 0001'h'")
}

/// CONNACK of `Accept::default()` has 10 bytes. A client that takes fewer is refused with 0x95 if
/// it takes 5, and closed without a word if it does not.
// shows: 5.0 MQTT-3.1.2-24
#[test]
fn connack() {
    for (maximum, answer) in [
        (10, "20: 00 00 {27 00100000}"),
        (9, "20: 00 95 00"),
        (5, "20: 00 95 00"),
        (4, ""),
        (1, ""),
    ] {
        let mut server = asked(&connect(maximum), ServerConfig::default());
        let fits = maximum >= 10;
        // It can be asked for before anything is taken.
        assert_eq!(server.check_accept(&Accept::default()).is_ok(), fits);
        assert!(!server.is_closed());
        let accepted = server.accept(Duration::ZERO, &Accept::default(), Session::new());
        let too_large = SendError::PacketTooLarge {
            length: 10,
            maximum,
        };
        assert_eq!(accepted, if fits { Ok(()) } else { Err(too_large) });
        assert_eq!(transmitted(&mut server), bytes(answer), "{maximum}");
        assert_eq!(server.is_closed(), !fits);
        assert_eq!(server.error().is_some(), !fits);
        if !fits {
            let error = server.receive(Duration::ZERO, &mut &[0xC0, 0][..]);
            let (length, maximum) = (10, maximum);
            assert_eq!(
                error,
                Err(ConnectionError::PacketTooLarge { length, maximum })
            );
        }
        // Or refused with the reason.
        let mut server = asked(&connect(maximum), ServerConfig::default());
        server
            .refuse(
                Duration::ZERO,
                ReasonCode::PacketTooLarge,
                Properties::EMPTY,
            )
            .unwrap();
        let refusal = if maximum >= 5 { "20: 00 95 00" } else { "" };
        assert_eq!(transmitted(&mut server), bytes(refusal), "{maximum}");
    }
}

/// SUBACK and UNSUBACK of 40 codes have 45 bytes.
// shows: 5.0 MQTT-3.1.2-24
#[test]
fn suback_and_unsuback() {
    let filters = "0001'a' 00".repeat(40);
    let names = "0001'a'".repeat(40);
    for (request, unsubscribes) in [
        (format!("82: 0007 00 {filters}"), false),
        (format!("A2: 0007 00 {names}"), true),
    ] {
        for (maximum, fits) in [(45, true), (44, false), (24, false)] {
            let mut server = accepted(&connect(maximum), ServerConfig::default());
            event(&mut server, &request).unwrap();
            let codes = [ReasonCode::Success; 40];
            let answered = match unsubscribes {
                true => server.unsuback(id(7), &codes, Properties::EMPTY),
                false => server.suback(id(7), &codes, Properties::EMPTY),
            };
            assert_eq!(answered.is_ok(), fits, "{maximum}");
            assert_eq!(server.is_closed(), !fits, "{maximum}");
            let sent = transmitted(&mut server);
            match fits {
                true => assert_eq!(sent.len(), 45),
                false => assert_eq!(sent, bytes("E0 01 95"), "{maximum}"),
            }
        }
    }
}

/// A server that takes no packet of four bytes gets no acknowledgement, and so no client.
#[test]
fn what_a_client_has_to_answer() {
    let connect = Connect::clean(V5_0, utf8("c"));
    for acknowledgements in [Acknowledgements::Automatic, Acknowledgements::Manual] {
        let config = ClientConfig::default().with_acknowledgements(acknowledgements);
        for publish in ["32: 0001'a' 0001 00", "34: 0001'a' 0001 00"] {
            let mut client = client_of(&connect, config, "20: 00 00 {27 00000003}");
            let taken = client_event(&mut client, publish);
            if acknowledgements == Acknowledgements::Manual {
                assert!(taken.is_ok());
                let answered = client.acknowledge(id(1), ReasonCode::Success, Properties::EMPTY);
                assert!(matches!(answered, Err(SendError::PacketTooLarge { .. })));
            } else {
                assert!(taken.is_err());
            }
            assert!(client.is_closed());
            assert_eq!(sent(&mut client), bytes("E0 01 95"));
            assert_eq!(
                client.error().unwrap().reason_code(),
                Some(ReasonCode::PacketTooLarge)
            );
        }
    }
    // A message that is too large is the embedder's to drop.
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 {27 00000003}");
    let message = Message::new("a", "x", QoS::AtMostOnce);
    assert!(client.publish(&message).is_err());
    assert!(client.is_open());
    assert_eq!(
        connecting(&connect, ClientConfig::default(), Session::new()).error(),
        None
    );
}
