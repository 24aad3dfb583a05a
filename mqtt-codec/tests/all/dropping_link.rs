//! A client and a server joined by a link that fails again and again: with QoS 1 no
//! message is lost, with QoS 2 none is lost and none comes twice, and each arrives in
//! order (sections 4.3, 4.4 and 4.6).

use std::time::Duration;

use std::collections::VecDeque;

use crate::support::link::{Link, acknowledge_with};
use crate::support::utf8;
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ClientEvent, InboundPublish, MessageBuf, SendError,
    ServerConfig, ServerEvent, Session,
};
use mqtt_codec::{
    Connect, PacketIdentifier, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS,
    ReasonCode,
};
use proptest::prelude::*;

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    /// So many bytes of what is under way reach the server, and so many the client.
    Deliver(usize, usize),
    /// The link fails; what is under way is lost.
    Drop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![
            6 => (0..60usize, 0..60usize).prop_map(|(up, down)| Step::Deliver(up, down)),
            1 => Just(Step::Drop),
        ],
        1..60,
    )
}

/// A message that is coming in parts, and what it is to be acknowledged by.
struct Coming {
    message: MessageBuf,
    payload: Vec<u8>,
    packet_identifier: PacketIdentifier,
}

impl Coming {
    fn new(publish: &InboundPublish<'_>) -> Self {
        Self {
            message: publish.with_payload(""),
            payload: Vec::new(),
            packet_identifier: publish.packet_identifier.unwrap(),
        }
    }

    /// The message and its packet identifier, once this was the last part.
    fn add(
        coming: &mut Option<Self>,
        part: &[u8],
        remaining: u64,
    ) -> Option<(MessageBuf, PacketIdentifier)> {
        coming.as_mut()?.payload.extend_from_slice(part);
        if remaining > 0 {
            return None;
        }
        let whole = coming.take()?;
        let mut message = whole.message;
        message.payload = whole.payload.into();
        Some((message, whole.packet_identifier))
    }
}

/// One side's messages to send, and those of the other that came.
struct Side {
    queue: VecDeque<MessageBuf>,
    received: Vec<MessageBuf>,
}

impl Side {
    fn new(name: &str, qos: &[u8]) -> Self {
        Self {
            queue: qos
                .iter()
                .enumerate()
                .map(|(at, &qos)| {
                    // Long enough to come in parts where they are asked for.
                    let payload = format!("{at:040}");
                    MessageBuf::new(name, payload, QoS::from_bits(qos).unwrap())
                })
                .collect(),
            received: Vec::new(),
        }
    }
}

struct Run {
    link: Link,
    /// A message with more bytes comes in parts.
    assembled_size: u32,
    /// The messages that are coming to the server and to the client in parts.
    coming: [Option<Coming>; 2],
    version: ProtocolVersion,
    acknowledgements: Acknowledgements,
    receive_maximum: u16,
    client: Side,
    server: Side,
    client_session: Session,
    server_session: Option<Session>,
    connected: bool,
}

impl Run {
    fn start(&mut self) {
        let mut config = ClientConfig::default();
        config.acknowledgements = self.acknowledgements;
        config.limits.assembled_size = self.assembled_size;
        let mut server = ServerConfig::default();
        server.limits.assembled_size = self.assembled_size;
        self.coming = [None, None];
        server.receive_maximum = self.receive_maximum;
        self.link = Link::new(config, server);
        self.connected = false;
        let mut properties = PropertiesBuilder::new();
        if self.version.has_properties() {
            properties
                .push(Property::ReceiveMaximum(self.receive_maximum))
                .unwrap();
        }
        let connect = Connect {
            properties: properties.as_properties(),
            ..Connect::resume(self.version, utf8("c"))
        };
        self.link
            .client
            .connect(self.link.now, &connect, self.client_session.clone())
            .unwrap();
    }

    /// The link fails: each side keeps its session.
    fn drop_link(&mut self) {
        let old = std::mem::replace(
            &mut self.link,
            Link::new(ClientConfig::default(), ServerConfig::default()),
        );
        // The server took up its session only if it came as far as CONNECT.
        if old.server.version().is_some() {
            self.server_session = Some(old.server.into_session());
        }
        self.client_session = old.client.into_session();
        self.start();
    }

    fn publish(&mut self) {
        while self.connected
            && let Some(message) = self.client.queue.front()
        {
            match self.link.client.publish(&message.as_message()) {
                Ok(_) => self.client.queue.pop_front(),
                Err(SendError::ReceiveMaximum) => break,
                Err(error) => panic!("{error}"),
            };
        }
        while let Some(message) = self.server.queue.front() {
            match self.link.server.publish(&message.as_message()) {
                Ok(_) => self.server.queue.pop_front(),
                Err(SendError::ReceiveMaximum | SendError::NotOpen) => break,
                Err(error) => panic!("{error}"),
            };
        }
    }

    /// At most so many bytes go each way.
    fn deliver(&mut self, up: usize, down: usize) {
        let Self {
            link,
            client,
            server,
            server_session,
            connected,
            coming: [to_server, to_client],
            ..
        } = self;
        link.client
            .poll_transmit(Duration::ZERO, &mut link.to_server);
        let length = up.min(link.to_server.len());
        let mut input = &link.to_server[..length];
        while let Some(event) = link.server.receive(link.now, &mut input).unwrap() {
            match event {
                ServerEvent::Connect(_) => {
                    let session = server_session.take();
                    let accept = Accept {
                        session_present: session.is_some(),
                        ..Accept::default()
                    };
                    link.server
                        .accept(link.now, &accept, session.unwrap_or_default())
                        .unwrap();
                }
                ServerEvent::Publish(publish) if !publish.is_whole() => {
                    *to_server = Some(Coming::new(&publish));
                }
                ServerEvent::Publish(publish) => {
                    server.received.push(publish.to_message().unwrap());
                    acknowledge_with(&publish, |i, r, p| link.server.acknowledge(i, r, p));
                }
                ServerEvent::Body {
                    part, remaining, ..
                } => {
                    if let Some((message, identifier)) = Coming::add(to_server, part, remaining) {
                        server.received.push(message);
                        link.server
                            .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                            .unwrap();
                    }
                }
                _ => {}
            }
        }
        let taken = length - input.len();
        link.to_server.drain(..taken);

        link.server
            .poll_transmit(Duration::ZERO, &mut link.to_client);
        let length = down.min(link.to_client.len());
        let mut input = &link.to_client[..length];
        while let Some(event) = link.client.receive(link.now, &mut input).unwrap() {
            match event {
                ClientEvent::ConnAck(_) => *connected = true,
                ClientEvent::Publish(publish) if !publish.is_whole() => {
                    *to_client = Some(Coming::new(&publish));
                }
                ClientEvent::Publish(publish) => {
                    client.received.push(publish.to_message().unwrap());
                    if self.acknowledgements == Acknowledgements::Manual {
                        acknowledge_with(&publish, |i, r, p| link.client.acknowledge(i, r, p));
                    }
                }
                ClientEvent::Body {
                    part, remaining, ..
                } => {
                    if let Some((message, identifier)) = Coming::add(to_client, part, remaining) {
                        client.received.push(message);
                        if self.acknowledgements == Acknowledgements::Manual {
                            link.client
                                .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                                .unwrap();
                        }
                    }
                }
                _ => {}
            }
        }
        let taken = length - input.len();
        link.to_client.drain(..taken);
    }
}

/// The payloads with this QoS.
fn of(messages: &[MessageBuf], qos: QoS) -> Vec<usize> {
    messages
        .iter()
        .filter(|message| message.qos == qos)
        .map(|message| {
            std::str::from_utf8(&message.payload)
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect()
}

fn judge(sent: &[u8], received: &[MessageBuf]) -> Result<(), TestCaseError> {
    let expected =
        |qos: u8| -> Vec<usize> { (0..sent.len()).filter(|&at| sent[at] == qos).collect() };
    prop_assert_eq!(of(received, QoS::ExactlyOnce), expected(2));
    // Each for the first time, in order; the same once more only when it was sent again.
    let mut first = of(received, QoS::AtLeastOnce);
    let mut seen = Vec::new();
    first.retain(|at| {
        let new = !seen.contains(at);
        seen.push(*at);
        new
    });
    prop_assert_eq!(first, expected(1));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    // shows: 5.0 MQTT-4.3.2-3, 5.0 MQTT-4.3.3-3, 5.0 MQTT-4.3.3-5, 5.0 MQTT-4.3.3-10,
    // shows: 5.0 MQTT-4.4.0-1, 5.0 MQTT-4.6.0-1
    // shows: 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.3.3-2, 3.1.1 MQTT-4.4.0-1,
    // shows: 3.1.1 MQTT-4.6.0-1
    #[test]
    fn nothing_is_lost_and_qos_2_never_comes_twice(
        version in prop::sample::select(&ProtocolVersion::ALL[..]),
        manual in any::<bool>(),
        receive_maximum in 1..6u16,
        assembled_size in prop::sample::select(&[u32::MAX, 16, 30][..]),
        up in prop::collection::vec(1..=2u8, 0..12),
        down in prop::collection::vec(1..=2u8, 0..12),
        steps in steps(),
    ) {
        let mut run = Run {
            link: Link::new(ClientConfig::default(), ServerConfig::default()),
            assembled_size,
            coming: [None, None],
            version,
            acknowledgements: match manual {
                true => Acknowledgements::Manual,
                false => Acknowledgements::Automatic,
            },
            receive_maximum,
            client: Side::new("up", &up),
            server: Side::new("down", &down),
            client_session: Session::new(),
            server_session: None,
            connected: false,
        };
        run.start();
        for step in steps {
            run.publish();
            match step {
                Step::Deliver(up, down) => run.deliver(up, down),
                Step::Drop => run.drop_link(),
            }
        }
        // At last the link holds.
        for _ in 0..200 {
            run.publish();
            run.deliver(usize::MAX, usize::MAX);
        }
        judge(&up, &run.server.received)?;
        judge(&down, &run.client.received)?;
        prop_assert!(run.link.client.session().is_empty());
        prop_assert!(run.link.server.session().is_empty());
    }
}
