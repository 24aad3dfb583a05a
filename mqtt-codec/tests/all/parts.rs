//! Messages that are sent in parts.

use std::time::Duration;

use crate::support::ends::{
    V3_1_1, V5_0, client_event, client_of, event, id, seconds, sent, server_of, transmitted,
};
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    ClientConfig, ClientConnection, ConnectionError, InFlight, Message, SendError, ServerConfig,
};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Rule};

fn client(version: ProtocolVersion) -> ClientConnection {
    let connack = match version {
        ProtocolVersion::V5_0 => "20: 00 00 00",
        _ => "20: 00 00",
    };
    client_of(
        &Connect::clean(version, utf8("c")),
        ClientConfig::default(),
        connack,
    )
}

/// However it is cut, the packet is the one that `publish` sends, and so is what the session
/// keeps.
#[test]
fn the_packet_is_the_same() {
    for version in [V3_1_1, V5_0] {
        for qos in QoS::ALL {
            for length in [0, 1, 2, 127, 128, 20_000] {
                let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
                let message = Message::new("a/b", &payload, qos);
                let mut whole = client(version);
                let identifier = whole.publish(&message).unwrap();
                let expected = sent(&mut whole);
                for (first, size) in [(0, 1), (1, 1), (0, 100), (50, 7000)] {
                    let mut client = client(version);
                    let (first, rest) = payload.split_at(first.min(length));
                    let head = Message::new("a/b", first, qos);
                    let begun = client.begin_publish(&head, length as u64).unwrap();
                    assert_eq!(begun, identifier);
                    let mut out = sent(&mut client);
                    let mut left = rest.len();
                    for part in rest.chunks(size) {
                        left -= part.len();
                        assert_eq!(client.send_body(part), Ok(left as u64));
                        out.extend(sent(&mut client));
                    }
                    assert!(out == expected, "{version} {qos:?} {length} by {size}");
                    assert_eq!(client.session(), whole.session());
                    assert_eq!(client.send_quota(), whole.send_quota());
                }
            }
        }
    }
}

/// Within a message nothing else is sent; what is queued follows, in its order.
#[test]
fn other_packets_wait() {
    let mut server = server_of(V5_0, ServerConfig::default());
    let head = Message::new("a", "12", QoS::AtLeastOnce);
    assert_eq!(server.begin_publish(&head, 4), Ok(Some(id(1))));
    let other = Message::new("b", "x", QoS::AtLeastOnce);
    assert_eq!(server.publish(&other), Ok(Some(id(2))));
    event(&mut server, "C0 00").unwrap();
    let mut out = Vec::new();
    server.poll_transmit(Duration::ZERO, &mut out);
    assert_eq!(out, bytes("32 0A 0001'a' 0001 00 '12'"));
    assert_eq!(server.transmit_len(), 0);
    assert_eq!(server.poll_transmit(Duration::ZERO, &mut out), 0);
    assert_eq!(server.send_body(b"34"), Ok(0));
    let rest = ["'34'", "32: 0001'b' 0002 00 'x'", "D0 00"]
        .map(bytes)
        .concat();
    assert_eq!(transmitted(&mut server), rest);
    // In the order of sending.
    let in_flight = server.session().in_flight();
    let payloads: Vec<_> = in_flight
        .iter()
        .map(|(_, packet)| match packet {
            InFlight::Publish(message) => message.payload.as_slice(),
            _ => b"",
        })
        .collect();
    assert_eq!(payloads, [&b"1234"[..], b"x"]);
    event(&mut server, "40: 0001").unwrap();
    event(&mut server, "40: 0002").unwrap();
    assert!(server.session().is_empty());
}

/// A peer that asks on and on while a message waits fills no memory. What this side has to say
/// itself does not count.
#[test]
fn answers_that_wait_are_bounded() {
    for (version, pings, is_served) in [
        (V3_1_1, 32_768, true),
        (V3_1_1, 32_769, false),
        (V5_0, 32_768, true),
        (V5_0, 32_769, false),
        (V5_0, 1_000_000, false),
    ] {
        let mut server = server_of(version, ServerConfig::default());
        let head = Message::new("a", "", QoS::AtMostOnce);
        server.begin_publish(&head, 1).unwrap();
        let own = Message::new("a", &[b'x'; 100_000], QoS::AtMostOnce);
        server.publish(&own).unwrap();
        transmitted(&mut server);
        let asked = bytes("C0 00").repeat(pings);
        let taken = server.receive(Duration::ZERO, &mut &asked[..]);
        if is_served {
            assert_eq!(taken, Ok(None));
            // The end of the message, the other one, and an answer for each.
            server.send_body(b"y").unwrap();
            assert!(transmitted(&mut server).len() > 100_000 + 2 * pings);
            assert_eq!(server.receive(Duration::ZERO, &mut &asked[..]), Ok(None));
        } else {
            let rule = Rule::AnswersWaiting;
            assert_eq!(taken, Err(ConnectionError::Protocol { rule, version }));
            // Nothing can be said within a packet.
            assert_eq!(transmitted(&mut server), b"");
        }
    }
}

/// Parts that do not add up are refused, and nothing is sent of them.
#[test]
fn parts_and_length_agree() {
    let mut client = client(V5_0);
    let head = |payload: &'static str| Message::new("a", payload, QoS::AtMostOnce);
    let wrong = |remaining| SendError::BodyLength { remaining };
    assert_eq!(client.send_body(b""), Ok(0));
    assert_eq!(client.send_body(b"1"), Err(wrong(0)));
    assert_eq!(client.begin_publish(&head("123"), 2), Err(wrong(2)));
    assert_eq!(client.begin_publish(&head(""), 3), Ok(None));
    assert_eq!(client.begin_publish(&head(""), 3), Err(wrong(3)));
    assert_eq!(client.send_body(b"1234"), Err(wrong(3)));
    assert_eq!(client.send_body(b"12"), Ok(1));
    // Nor can DISCONNECT be sent.
    let closed = client.close(Duration::ZERO, ReasonCode::Success, Properties::EMPTY);
    assert_eq!(closed, Err(wrong(1)));
    assert_eq!(client.send_body(b"3"), Ok(0));
    assert_eq!(client.send_body(b"4"), Err(wrong(0)));
    assert_eq!(sent(&mut client), bytes("30: 0001'a' 00 '123'"));
    client
        .close(Duration::ZERO, ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    // Longer than a packet can be, or than the peer takes.
    let mut server = server_of(V5_0, ServerConfig::default());
    assert!(matches!(
        server.begin_publish(&head(""), u64::MAX),
        Err(SendError::Encode(_))
    ));
    assert!(server.is_open());
}

/// A message that was cut off has not been sent: the session does not know of it, and what waited
/// for its end is not sent after its beginning.
#[test]
fn a_message_that_is_cut_off() {
    let mut client = client(V5_0);
    let head = Message::new("a", "", QoS::AtLeastOnce);
    client.begin_publish(&head, 100).unwrap();
    client.send_body(&[b'x'; 10]).unwrap();
    sent(&mut client);
    // The server breaks a rule: there is no room for a goodbye.
    client_event(&mut client, "C0 00").unwrap_err();
    assert!(client.is_closed());
    assert_eq!(sent(&mut client), b"");
    assert_eq!(client.send_body(b"x"), Err(SendError::Closed));
    assert!(client.session().is_empty());
}

/// Its bytes are signs of life, and no PINGREQ is put between them.
#[test]
fn keep_alive_within_a_message() {
    let mut client = client(V5_0);
    let head = Message::new("a", "", QoS::AtMostOnce);
    client.begin_publish(&head, 1000).unwrap();
    for now in [30, 60, 90] {
        client.send_body(b"x").unwrap();
        client.poll_transmit(seconds(now), &mut Vec::new());
        assert_eq!(client.poll_timeout(), Some(seconds(now + 60)));
    }
    client.handle_timeout(seconds(150)).unwrap();
    assert_eq!(sent(&mut client), b"");
    assert_eq!(client.poll_timeout(), Some(seconds(210)));
}
