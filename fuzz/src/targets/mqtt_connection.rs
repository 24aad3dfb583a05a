//! An MQTT connection of either role, and any bytes from the peer.

use std::time::Duration;

use crate::cut::{Cut, Transcript, assert_the_cut_does_not_matter, feed};
use crate::phrase;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, ServerConfig, ServerConnection,
    ServerEvent, Session,
};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};

const NOW: Duration = Duration::ZERO;

/// Runs one input.
pub fn run(data: &[u8]) {
    let [how, seed, stream @ ..] = data else {
        return;
    };
    let level = if how & 1 == 0 { 4 } else { 5 };
    let assembled_size = if how & 8 == 0 { u32::MAX } else { 24 };
    if how & 4 == 0 {
        let login = match how & 2 {
            0 => Vec::new(),
            _ => phrase::mqtt(level).login,
        };
        let stream = [&login, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| serve(assembled_size, &stream, cut));
    } else {
        let (version, connack): (_, &[u8]) = match level {
            4 => (ProtocolVersion::V3_1_1, b"\x20\x02\0\0"),
            _ => (ProtocolVersion::V5_0, b"\x20\x03\0\0\0"),
        };
        let greeting = if how & 2 == 0 { b"" } else { connack };
        let stream = [greeting, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| consume(version, assembled_size, &stream, cut));
    }
}

/// A payload that comes in parts: as an event once it has come, wherever it was cut.
#[derive(Default)]
struct Payload(Vec<u8>);

impl Payload {
    fn add(&mut self, part: &[u8], remaining: u64, transcript: &mut Transcript) {
        self.0.extend_from_slice(part);
        if remaining == 0 {
            transcript.events.push(format!("{:?}", self.0));
            self.0.clear();
        }
    }
}

/// The server's side. Every subscriber gets a message at once.
fn serve(assembled_size: u32, stream: &[u8], cut: Cut) -> Transcript {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = assembled_size;
    config.limits.variable_header_size = 64;
    let mut server = ServerConnection::new(NOW, config);
    let (mut payload, mut coming) = (Payload::default(), None);
    let mut accepted = false;
    let mut transcript = Transcript::default();
    transcript.left = feed(stream, cut, |input| {
        loop {
            let event = match server.receive(NOW, input) {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(error) => {
                    let again = server.receive(NOW, input).expect_err("errors are sticky");
                    assert_eq!(again, error, "errors are sticky");
                    transcript.events.push(format!("{error:?}"));
                    return false;
                }
            };
            assert!(
                accepted || matches!(event, ServerEvent::Connect(_)),
                "{event:?} before CONNECT was accepted"
            );
            match &event {
                &ServerEvent::Body {
                    part, remaining, ..
                } => {
                    payload.add(part, remaining, &mut transcript);
                }
                event => transcript.events.push(format!("{event:?}")),
            }
            let answer = match event {
                ServerEvent::Publish(publish) if !publish.is_whole() => {
                    coming = publish.packet_identifier;
                    Ok(())
                }
                ServerEvent::Body { remaining: 0, .. } => match coming.take() {
                    Some(identifier) => {
                        server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                    }
                    None => Ok(()),
                },
                ServerEvent::Connect(connect) => {
                    let accept = Accept {
                        assigned_client_identifier: connect
                            .client_identifier
                            .is_empty()
                            .then_some("assigned"),
                        ..Accept::default()
                    };
                    accepted = true;
                    server.accept(NOW, &accept, Session::new())
                }
                ServerEvent::Publish(publish) => match publish.packet_identifier {
                    Some(identifier) => {
                        server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                    }
                    None => Ok(()),
                },
                ServerEvent::Subscribe(subscribe) => {
                    let codes: Vec<_> = subscribe
                        .subscriptions
                        .iter()
                        .map(|s| ReasonCode::granted(s.options.maximum_qos))
                        .collect();
                    server
                        .suback(subscribe.packet_identifier, &codes, Properties::EMPTY)
                        .and_then(|()| {
                            let message = Message::new("a/b", b"m", QoS::ExactlyOnce);
                            server.publish(&message).map(|_| ())
                        })
                }
                ServerEvent::Unsubscribe(unsubscribe) => {
                    let codes: Vec<_> = unsubscribe
                        .topic_filters
                        .iter()
                        .map(|_| ReasonCode::Success)
                        .collect();
                    server.unsuback(unsubscribe.packet_identifier, &codes, Properties::EMPTY)
                }
                _ => Ok(()),
            };
            if let Err(error) = answer {
                transcript.events.push(format!("{error:?}"));
            }
        }
    });
    transcript.closed = server.is_closed();
    server.poll_transmit(NOW, &mut transcript.sent);
    assert_eq!(server.transmit_len(), 0);
    transcript
}

/// The client's side. It subscribes and publishes as soon as it can.
fn consume(version: ProtocolVersion, assembled_size: u32, stream: &[u8], cut: Cut) -> Transcript {
    let mut config = ClientConfig::default();
    config.limits.assembled_size = assembled_size;
    config.limits.variable_header_size = 64;
    let mut client = ClientConnection::new(NOW, config);
    let mut payload = Payload::default();
    client
        .connect(
            NOW,
            &Connect::clean(version, "c".try_into().expect("it is one")),
            Session::new(),
        )
        .expect("it is the first thing said");
    let mut transcript = Transcript::default();
    transcript.left = feed(stream, cut, |input| {
        loop {
            let event = match client.receive(NOW, input) {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(error) => {
                    let again = client.receive(NOW, input).expect_err("errors are sticky");
                    assert_eq!(again, error, "errors are sticky");
                    transcript.events.push(format!("{error:?}"));
                    return false;
                }
            };
            match &event {
                &ClientEvent::Body {
                    part, remaining, ..
                } => {
                    payload.add(part, remaining, &mut transcript);
                }
                event => transcript.events.push(format!("{event:?}")),
            }
            let answer = match event {
                ClientEvent::ConnAck(_) => client
                    .subscribe(
                        &[Subscription::new("a/#", QoS::ExactlyOnce)],
                        Properties::EMPTY,
                    )
                    .map(|_| ()),
                ClientEvent::SubAck(_) => client
                    .publish(&Message::new("a/b", b"m", QoS::ExactlyOnce))
                    .map(|_| ()),
                _ => Ok(()),
            };
            if let Err(error) = answer {
                transcript.events.push(format!("{error:?}"));
            }
        }
    });
    transcript.closed = client.is_closed();
    client.poll_transmit(NOW, &mut transcript.sent);
    transcript
}
