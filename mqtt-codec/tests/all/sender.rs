//! Whatever their embedders ask for, and whatever limits they tell each other, two
//! connections send nothing that the other end has to refuse.

use std::collections::VecDeque;
use std::time::Duration;

use crate::support::link::Link;
use crate::support::utf8;
use mqtt_codec::connection::{
    Accept, Acknowledgements, ClientConfig, ClientEvent, MessageBuf, ServerConfig, ServerEvent,
    Session, TopicAliasPolicy,
};
use mqtt_codec::{
    Connect, Limits, Packet, PacketIdentifier, Properties, PropertiesBuf, PropertiesBuilder,
    Property, ProtocolVersion, QoS, ReasonCode, Subscription, decode,
};
use proptest::prelude::*;

/// What one end tells the other that it takes.
#[derive(Clone, Copy, Debug)]
struct Takes {
    receive_maximum: u16,
    maximum_packet_size: u32,
    topic_alias_maximum: u16,
}

fn takes() -> impl Strategy<Value = Takes> {
    (1..4u16, 45..90u32, 0..3u16).prop_map(|(receive_maximum, maximum_packet_size, aliases)| {
        Takes {
            receive_maximum,
            maximum_packet_size,
            topic_alias_maximum: aliases,
        }
    })
}

/// What the embedders do: refusals are theirs to see, and no matter here.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(End, u8, bool, u8),
    /// The oldest or the newest of the messages that wait, with success or not, and with a
    /// reason string of so many bytes.
    Acknowledge(End, bool, bool, usize),
    Subscribe(usize),
    Unsubscribe(usize),
    Ping,
    Authenticate(bool, usize),
    /// The bytes under way to this end arrive.
    Deliver(End),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Client,
    Server,
}

fn step() -> impl Strategy<Value = Step> {
    let end = || prop_oneof![Just(End::Client), Just(End::Server)];
    prop_oneof![
        4 => (end(), 0..3u8, any::<bool>(), 0..60u8).prop_map(|(e, q, r, n)| Step::Publish(e, q, r, n)),
        4 => (end(), any::<bool>(), any::<bool>(), 0..70usize)
            .prop_map(|(e, a, b, n)| Step::Acknowledge(e, a, b, n)),
        1 => (1..4usize).prop_map(Step::Subscribe),
        1 => (1..4usize).prop_map(Step::Unsubscribe),
        1 => Just(Step::Ping),
        1 => (any::<bool>(), 0..70usize).prop_map(|(done, n)| Step::Authenticate(done, n)),
        6 => end().prop_map(Step::Deliver),
    ]
}

fn built<'a>(list: impl IntoIterator<Item = Property<'a>>) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.extend(list).unwrap();
    builder.build()
}

/// A reason string of so many bytes, and a user property.
fn problem(length: usize) -> PropertiesBuf {
    let text = "r".repeat(length);
    match length {
        0 => PropertiesBuf::new(),
        _ => built([
            Property::ReasonString(&text),
            Property::UserProperty("k", "v"),
        ]),
    }
}

fn message(qos: u8, retain: bool, size: u8) -> MessageBuf {
    MessageBuf {
        retain,
        properties: match size % 3 {
            0 => built([Property::UserProperty("k", "v")]),
            _ => PropertiesBuf::new(),
        },
        ..MessageBuf::new(
            &format!("t/{}", size % 4),
            vec![b'x'; usize::from(size)],
            QoS::from_bits(qos).unwrap(),
        )
    }
}

struct Run {
    link: Link,
    wants_problems: bool,
    /// Messages that wait for the client's and for the server's embedder.
    at_client: VecDeque<PacketIdentifier>,
    at_server: VecDeque<PacketIdentifier>,
    /// Topic names under way to the client and to the server.
    to_client: VecDeque<String>,
    to_server: VecDeque<String>,
}

impl Run {
    fn new(
        client: Takes,
        server: Takes,
        offers: (u8, bool),
        wants_problems: bool,
        policy: TopicAliasPolicy,
    ) -> Self {
        let mut of_client = ClientConfig::default();
        of_client.acknowledgements = Acknowledgements::Manual;
        of_client.topic_alias_policy = policy;
        let mut of_server = ServerConfig::default();
        of_server.receive_maximum = server.receive_maximum;
        of_server.limits = Limits::default().with_maximum_packet_size(server.maximum_packet_size);
        of_server.topic_alias_maximum = server.topic_alias_maximum;
        of_server.topic_alias_policy = policy;
        of_server.maximum_qos = QoS::from_bits(offers.0).unwrap();
        of_server.retain_available = offers.1;
        let mut run = Self {
            link: Link::new(of_client, of_server),
            wants_problems,
            at_client: VecDeque::new(),
            at_server: VecDeque::new(),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
        };
        let properties = built([
            Property::ReceiveMaximum(client.receive_maximum),
            Property::MaximumPacketSize(client.maximum_packet_size),
            Property::TopicAliasMaximum(client.topic_alias_maximum),
            Property::RequestProblemInformation(wants_problems),
            Property::AuthenticationMethod("M"),
        ]);
        let connect = Connect {
            properties: properties.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        run.link
            .client
            .connect(run.link.now, &connect, Session::new())
            .unwrap();
        run.link.server_events(|_, _| {}).unwrap();
        // Too long for some clients.
        let extra = problem(40);
        let accept = Accept {
            properties: extra.as_properties(),
            ..Accept::default()
        };
        let server = &mut run.link.server;
        server
            .accept(Duration::ZERO, &accept, Session::new())
            .unwrap();
        run
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let Link { client, server, .. } = &mut self.link;
        let none = Properties::EMPTY;
        match step {
            Step::Publish(End::Client, qos, retain, size) => {
                let message = message(qos, retain, size);
                if client.publish(&message.as_message()).is_ok() {
                    self.to_server.push_back(message.topic_name.to_string());
                }
            }
            Step::Publish(End::Server, qos, retain, size) => {
                let message = message(qos, retain, size);
                if server.publish(&message.as_message()).is_ok() {
                    self.to_client.push_back(message.topic_name.to_string());
                }
            }
            Step::Acknowledge(end, oldest, success, length) => {
                let waiting = match end {
                    End::Client => &mut self.at_client,
                    End::Server => &mut self.at_server,
                };
                let next = match oldest {
                    true => waiting.pop_front(),
                    false => waiting.pop_back(),
                };
                let reason = match success {
                    true => ReasonCode::Success,
                    false => ReasonCode::QuotaExceeded,
                };
                let extra = problem(length);
                let extra = extra.as_properties();
                if let Some(identifier) = next {
                    match end {
                        End::Client => client.acknowledge(identifier, reason, extra).unwrap(),
                        End::Server => server.acknowledge(identifier, reason, extra).unwrap(),
                    }
                }
            }
            Step::Subscribe(count) => {
                let filters = ["a/filter/of/some/length", "b/#", "$share/g/c"];
                let all = filters.map(|filter| Subscription::new(filter, QoS::ExactlyOnce));
                let _ = client.subscribe(&all[..count], none);
            }
            Step::Unsubscribe(count) => {
                let filters = ["a/filter/of/some/length", "b/#", "$share/g/c"];
                let _ = client.unsubscribe(&filters[..count], none);
            }
            Step::Ping => {
                let _ = client.ping(Duration::ZERO);
            }
            Step::Authenticate(done, length) => {
                let extra = problem(length);
                let extra = extra.as_properties();
                let again = [
                    ReasonCode::ReAuthenticate,
                    ReasonCode::ContinueAuthentication,
                ];
                for reason in again {
                    let _ = client.authenticate(Duration::ZERO, reason, extra);
                }
                let reason = match done {
                    true => ReasonCode::Success,
                    false => ReasonCode::ContinueAuthentication,
                };
                let _ = server.authenticate(Duration::ZERO, reason, extra);
            }
            Step::Deliver(End::Client) => return self.deliver_to_client(),
            Step::Deliver(End::Server) => {
                let (at_server, to_server) = (&mut self.at_server, &mut self.to_server);
                let result = self.link.server_events(|server, event| match event {
                    ServerEvent::Publish(publish) => {
                        let sent = to_server.pop_front();
                        assert_eq!(sent.as_deref(), Some(&*publish.topic_name));
                        at_server.extend(publish.packet_identifier);
                    }
                    ServerEvent::Subscribe(subscribe) => {
                        let codes = vec![ReasonCode::Success; subscribe.subscriptions.len()];
                        let extra = problem(codes.len() * 20);
                        server
                            .suback(subscribe.packet_identifier, &codes, extra.as_properties())
                            .unwrap();
                    }
                    ServerEvent::Unsubscribe(unsubscribe) => {
                        let codes = vec![ReasonCode::Success; unsubscribe.topic_filters.len()];
                        let extra = problem(codes.len() * 20);
                        server
                            .unsuback(unsubscribe.packet_identifier, &codes, extra.as_properties())
                            .unwrap();
                    }
                    _ => {}
                });
                prop_assert_eq!(result, Ok(()));
            }
        }
        Ok(())
    }

    fn deliver_to_client(&mut self) -> Result<(), TestCaseError> {
        self.link
            .server
            .poll_transmit(Duration::ZERO, &mut self.link.to_client);
        let mut rest = &self.link.to_client[..];
        while let Some((packet, length)) =
            decode(rest, ProtocolVersion::V5_0, &Limits::default()).unwrap()
        {
            rest = &rest[length..];
            let properties = match packet {
                Packet::PubAck(ack) | Packet::PubRec(ack) => ack.properties,
                Packet::SubAck(suback) => suback.properties,
                Packet::UnsubAck(unsuback) => unsuback.properties,
                Packet::Auth(auth) => auth.properties,
                _ => Properties::EMPTY,
            };
            // The client cannot tell that it asked for none.
            prop_assert!(
                self.wants_problems
                    || properties.reason_string().is_none()
                        && properties.user_properties().next().is_none(),
                "{packet:?}"
            );
        }
        let (at_client, to_client) = (&mut self.at_client, &mut self.to_client);
        let result = self.link.client_events(|_, event| {
            if let ClientEvent::Publish(publish) = event {
                let sent = to_client.pop_front();
                assert_eq!(sent.as_deref(), Some(&*publish.topic_name));
                at_client.extend(publish.packet_identifier);
            }
        });
        prop_assert_eq!(result, Ok(()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    // shows: 5.0 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-26, 5.0 MQTT-3.1.2-29, 5.0 MQTT-3.2.2-11,
    // shows: 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.2.2-15, 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.3.4-7,
    // shows: 5.0 MQTT-3.3.4-9, 5.0 MQTT-4.9.0-2
    #[test]
    fn neither_end_breaks_what_the_other_told(
        client in takes(),
        server in takes(),
        offers in (0..3u8, any::<bool>()),
        wants_problems in any::<bool>(),
        policy in prop_oneof![
            Just(TopicAliasPolicy::UntilFull),
            Just(TopicAliasPolicy::LeastRecentlyUsed),
        ],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut run = Run::new(client, server, offers, wants_problems, policy);
        run.step(Step::Deliver(End::Client))?;
        for step in steps {
            run.step(step)?;
        }
    }
}
