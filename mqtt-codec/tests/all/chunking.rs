//! Any chunking of the same bytes gives the same events, the same errors and the same
//! answers; and however the clock runs, a timeout is dealt with.

use std::time::Duration;

use crate::support::link::acknowledge_with;
use crate::support::utf8;
use arbitrary::Unstructured;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, ServerConfig, ServerConnection,
    ServerEvent, Session,
};
use mqtt_codec::{Connect, Packet, Properties, ProtocolVersion, QoS, ReasonCode};
use proptest::prelude::*;

/// Everything that a connection shows of what it was fed.
#[derive(Debug, Default, PartialEq)]
struct Trace {
    events: Vec<String>,
    /// The payload that is coming in parts.
    payload: Vec<u8>,
    answers: Vec<u8>,
    closed: bool,
}

impl Trace {
    /// A part of a payload: an event once it is the last, wherever it was cut.
    fn part(&mut self, part: &[u8], remaining: u64) {
        self.payload.extend_from_slice(part);
        if remaining == 0 {
            self.events.push(format!("payload {:?}", self.payload));
            self.payload.clear();
        }
    }
}

/// Feeds a server in chunks that end where `ends` says, each event answered at once.
fn server(assembled_size: u32, chunks: &[&[u8]]) -> Trace {
    let now = Duration::ZERO;
    let mut config = ServerConfig::default();
    config.topic_alias_maximum = 10;
    config.receive_maximum = 20;
    config.limits.assembled_size = assembled_size;
    config.limits.variable_header_size = 64;
    let mut coming = None;
    let mut server = ServerConnection::new(now, config);
    let mut trace = Trace::default();
    let mut buffer = Vec::new();
    'all: for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut input = &buffer[..];
        loop {
            let event = match server.receive(now, &mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    trace.events.push(error.to_string());
                    break 'all;
                }
            };
            match &event {
                &ServerEvent::Body {
                    part, remaining, ..
                } => trace.part(part, remaining),
                event => trace.events.push(format!("{event:?}")),
            }
            let none = Properties::EMPTY;
            match event {
                ServerEvent::Publish(publish) if !publish.is_whole() => {
                    coming = publish.packet_identifier;
                }
                ServerEvent::Body { remaining: 0, .. } => {
                    if let Some(identifier) = coming.take() {
                        server
                            .acknowledge(identifier, ReasonCode::Success, none)
                            .unwrap();
                    }
                }
                ServerEvent::Connect(_) => {
                    let accept = Accept {
                        assigned_client_identifier: Some("assigned"),
                        ..Accept::default()
                    };
                    server.accept(now, &accept, Session::new()).unwrap();
                    for qos in QoS::ALL {
                        // A client may take less than the default; then there is no message.
                        let _ = server.publish(&Message::new("t", "p", qos));
                    }
                }
                ServerEvent::Publish(publish) => {
                    acknowledge_with(&publish, |i, r, p| server.acknowledge(i, r, p));
                }
                ServerEvent::Subscribe(subscribe) => {
                    let codes = vec![ReasonCode::Success; subscribe.subscriptions.len()];
                    let _ = server.suback(subscribe.packet_identifier, &codes, none);
                }
                ServerEvent::Unsubscribe(unsubscribe) => {
                    let codes = vec![ReasonCode::Success; unsubscribe.topic_filters.len()];
                    let _ = server.unsuback(unsubscribe.packet_identifier, &codes, none);
                }
                _ => {}
            }
        }
        let left = input.to_vec();
        buffer = left;
    }
    server.poll_transmit(Duration::ZERO, &mut trace.answers);
    trace.closed = server.is_closed();
    trace
}

/// The same for a client, which has asked for some things before.
fn client(version: ProtocolVersion, assembled_size: u32, chunks: &[&[u8]]) -> Trace {
    let now = Duration::ZERO;
    let mut config = ClientConfig::default();
    config.limits.assembled_size = assembled_size;
    config.limits.variable_header_size = 64;
    let mut client = ClientConnection::new(now, config);
    client
        .connect(now, &Connect::clean(version, utf8("c")), Session::new())
        .unwrap();
    let mut trace = Trace::default();
    let mut buffer = Vec::new();
    'all: for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut input = &buffer[..];
        loop {
            match client.receive(now, &mut input) {
                Ok(Some(ClientEvent::Body {
                    part, remaining, ..
                })) => trace.part(part, remaining),
                Ok(Some(event)) => {
                    trace.events.push(format!("{event:?}"));
                    if let ClientEvent::ConnAck(_) = event {
                        for qos in QoS::ALL {
                            let _ = client.publish(&Message::new("t", "p", qos));
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    trace.events.push(error.to_string());
                    break 'all;
                }
            }
        }
        let left = input.to_vec();
        buffer = left;
    }
    client.poll_transmit(Duration::ZERO, &mut trace.answers);
    trace.closed = client.is_closed();
    trace
}

/// The bytes of several packets; `first` comes first.
fn stream(version: ProtocolVersion, first: Packet<'_>, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    first.encode(version, &mut wire).unwrap();
    for seed in seeds {
        let mut u = Unstructured::new(seed);
        if let Ok(packet) = crate::support::arbitrary::packet(&mut u, version) {
            packet.encode(version, &mut wire).unwrap();
        }
    }
    wire
}

/// Cuts at these places, in whatever order they are.
fn cut<'a>(wire: &'a [u8], ends: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = ends.iter().map(|end| end.index(wire.len() + 1)).collect();
    ends.push(wire.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let chunk = &wire[start..end];
            start = end;
            chunk
        })
        .collect()
}

fn seeds() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 16..200), 0..8)
}

/// No message comes in parts, or those of more bytes than this.
fn assembled_size() -> impl Strategy<Value = u32> {
    prop_oneof![Just(u32::MAX), 20..200u32]
}

fn any_version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(&ProtocolVersion::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_server_does_not_see_chunks(
        version in any_version(),
        assembled_size in assembled_size(),
        seeds in seeds(),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let connect = Packet::Connect(Connect::clean(version, utf8("c")));
        let mut wire = stream(version, connect, &seeds);
        if let Some((at, byte)) = damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let whole = server(assembled_size, &[&wire]);
        prop_assert_eq!(&server(assembled_size, &cut(&wire, &ends)), &whole);
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(&server(assembled_size, &bytes), &whole);
    }

    #[test]
    fn a_client_does_not_see_chunks(
        version in any_version(),
        assembled_size in assembled_size(),
        seeds in seeds(),
        ends in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let connack = Packet::ConnAck(mqtt_codec::ConnAck::new(ReasonCode::Success));
        let mut wire = stream(version, connack, &seeds);
        if let Some((at, byte)) = damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let whole = client(version, assembled_size, &[&wire]);
        prop_assert_eq!(&client(version, assembled_size, &cut(&wire, &ends)), &whole);
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(&client(version, assembled_size, &bytes), &whole);
    }

    /// After `handle_timeout(t)`, `poll_timeout()` is none, or later than t.
    #[test]
    fn a_timeout_is_dealt_with(
        version in any_version(),
        keep_alive in 0..5u16,
        steps in prop::collection::vec((0..4000u64, any::<bool>()), 1..40),
    ) {
        let connect = Connect { keep_alive, ..Connect::clean(version, utf8("c")) };
        let mut now = Duration::ZERO;
        let mut client = ClientConnection::new(now, ClientConfig::default());
        client.connect(now, &connect, Session::new()).unwrap();
        let mut server = ServerConnection::new(now, ServerConfig::default());
        for (elapsed, exchange) in steps {
            now += Duration::from_millis(elapsed);
            let _ = client.handle_timeout(now);
            prop_assert!(client.poll_timeout().is_none_or(|due| due > now));
            let _ = server.handle_timeout(now);
            prop_assert!(server.poll_timeout().is_none_or(|due| due > now));
            if exchange {
                let mut wire = Vec::new();
                client.poll_transmit(Duration::ZERO, &mut wire);
                while let Ok(Some(event)) = server.receive(now, &mut &wire[..]) {
                    if let ServerEvent::Connect(_) = event {
                        server.accept(now, &Accept::default(), Session::new()).unwrap();
                    }
                    wire.clear();
                }
                wire.clear();
                server.poll_transmit(Duration::ZERO, &mut wire);
                let mut input = &wire[..];
                while let Ok(Some(_)) = client.receive(now, &mut input) {}
            }
        }
    }
}
