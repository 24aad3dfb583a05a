//! What MQTT clients are offered and told (MQTT 5.0 section 3.2.2.3), and that it is kept.

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, utf8};
use mq_core::{Config, Input, Limits, Offer, Protocol};
use mqtt_codec::{
    ConnAck, Connect, Limits as WireLimits, Packet, Property, ProtocolVersion, QoS, Subscription,
    decode,
};

fn config(offer: Offer) -> Config {
    Config {
        offer,
        ..Config::default()
    }
}

/// Sends packets of a version, and returns all that comes.
fn answers(world: &mut World, version: ProtocolVersion, packets: &[&[u8]]) -> Vec<u8> {
    let id = world.connect(Protocol::Mqtt);
    let connect = Connect::clean(version, utf8("c"));
    let mut bytes = Vec::new();
    Packet::Connect(connect)
        .encode(version, &mut bytes)
        .unwrap();
    world.send(id, &bytes);
    world.socket(id).received.clear();
    for packet in packets {
        if !world.is_closed(id) {
            world.send(id, packet);
        }
    }
    std::mem::take(&mut world.socket(id).received)
}

/// The properties of CONNACK, as it came.
fn connack(world: &mut World, connect: &Connect<'_>) -> String {
    let id = world.connect(Protocol::Mqtt);
    let mut bytes = Vec::new();
    let version = connect.protocol_version;
    Packet::Connect(*connect)
        .encode(version, &mut bytes)
        .unwrap();
    world.send(id, &bytes);
    let received = std::mem::take(&mut world.socket(id).received);
    let decoded = decode(&received, version, &WireLimits::default()).unwrap();
    let Some((
        Packet::ConnAck(ConnAck {
            reason_code,
            properties,
            ..
        }),
        _,
    )) = decoded
    else {
        panic!("{received:?}");
    };
    let mut text = format!("{reason_code:?}");
    for property in properties {
        text.push_str(&match property {
            Property::MaximumPacketSize(_) | Property::ReceiveMaximum(_) => continue,
            Property::TopicAliasMaximum(_) => continue,
            property => format!(" {property:?}"),
        });
    }
    text
}

type Change = fn(&mut Offer);

/// CONNACK names what differs from the protocol's default, and nothing else.
#[test]
fn connack_says_it() {
    let rows: [(Change, &str); 7] = [
        (|_| {}, ""),
        (|o| o.maximum_qos = 1, " MaximumQoS(AtLeastOnce)"),
        (|o| o.retain_available = false, " RetainAvailable(false)"),
        (
            |o| o.wildcard_subscription_available = false,
            " WildcardSubscriptionAvailable(false)",
        ),
        (
            |o| o.subscription_identifiers_available = false,
            " SubscriptionIdentifiersAvailable(false)",
        ),
        (
            |o| o.shared_subscription_available = false,
            " SharedSubscriptionAvailable(false)",
        ),
        (|o| o.maximum_keep_alive = 9, " ServerKeepAlive(9)"),
    ];
    for (change, expected) in rows {
        let mut offer = Offer::default();
        change(&mut offer);
        let mut world = World::with(config(offer));
        let connect = Connect {
            keep_alive: 10,
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        assert_eq!(connack(&mut world, &connect), format!("Success{expected}"));
    }
}

/// Sections 3.2.2.3.4 to 3.2.2.3.13: who does it all the same is disconnected with that reason
/// code. One of 3.x cannot be told: it loses its connection, or gets 0x80 in SUBACK.
#[test]
fn what_is_not_offered_is_not_done() {
    let disconnect = |reason: u8| vec![0xE0, 1, reason];
    // (the change, a packet of 5.0, its reason code, the same of 3.1.1, what that one gets)
    type Row = (Change, &'static [u8], u8, &'static [u8], &'static [u8]);
    let rows: [Row; 5] = [
        (
            |o| o.maximum_qos = 0,
            // PUBLISH with QoS 1 to "t".
            b"\x32\x07\x00\x01t\x00\x01\x00m",
            0x9B,
            b"\x32\x06\x00\x01t\x00\x01m",
            b"",
        ),
        (
            |o| o.retain_available = false,
            b"\x31\x05\x00\x01t\x00m",
            0x9A,
            b"\x31\x04\x00\x01tm",
            b"",
        ),
        (
            |o| o.wildcard_subscription_available = false,
            b"\x82\x07\x00\x01\x00\x00\x01+\x00",
            0xA2,
            b"\x82\x06\x00\x01\x00\x01+\x00",
            b"\x90\x03\x00\x01\x80",
        ),
        (
            |o| o.subscription_identifiers_available = false,
            b"\x82\x09\x00\x01\x02\x0B\x01\x00\x01t\x00",
            0xA1,
            b"\x82\x06\x00\x01\x00\x01t\x00",
            b"\x90\x03\x00\x01\x00",
        ),
        (
            |o| o.shared_subscription_available = false,
            b"\x82\x10\x00\x01\x00\x00\x0A$share/s/t\x00",
            0x9E,
            // Without a meaning there.
            b"\x82\x0F\x00\x01\x00\x0A$share/s/t\x00",
            b"\x90\x03\x00\x01\x00",
        ),
    ];
    for (change, new, reason, old, expected) in rows {
        let mut offer = Offer::default();
        change(&mut offer);
        let mut world = World::with(config(offer));
        let seen = answers(&mut world, ProtocolVersion::V5_0, &[new]);
        assert_eq!(seen, disconnect(reason), "{reason:#X}");
        let seen = answers(&mut world, ProtocolVersion::V3_1_1, &[old]);
        assert_eq!(seen, expected, "{reason:#X}");
    }
}

/// MQTT-3.8.4-8: the QoS that is granted may be lower than the one that was asked for.
#[test]
fn a_subscription_is_granted_what_there_is() {
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5_0] {
        let mut world = World::with(config(Offer {
            maximum_qos: 1,
            ..Offer::default()
        }));
        let mut client = Mqtt::with(&mut world, &Connect::clean(version, utf8("c")));
        client.seen(&mut world);
        let filters = [Subscription::new("t", QoS::ExactlyOnce)];
        client.subscribe_with(&filters, mqtt_codec::Properties::EMPTY);
        assert_eq!(client.seen(&mut world), ["suback [GrantedQoS1]"]);
    }
}

/// Section 3.2.2.3.14 and MQTT-3.2.2-21. Mosquitto 2.0 refuses a client of 3.x.
#[test]
fn the_longest_keep_alive() {
    for (asked, longest, told) in [
        (10, 0, false),
        (10, 10, false),
        (11, 10, true),
        (0, 10, true),
        (0, 0, false),
    ] {
        let offer = || Offer {
            maximum_keep_alive: longest,
            ..Offer::default()
        };
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5_0] {
            let mut world = World::with(config(offer()));
            let connect = Connect {
                keep_alive: asked,
                ..Connect::clean(version, utf8("c"))
            };
            let expected = match (version, told) {
                (_, false) => "Success",
                (ProtocolVersion::V5_0, true) => "Success ServerKeepAlive(10)",
                (_, true) => "ClientIdentifierNotValid",
            };
            let seen = connack(&mut world, &connect);
            assert_eq!(seen, expected, "{asked} {longest} {version:?}");
        }
    }
}

/// Section 3.1.2.11.6: only a client that asks for it is told.
#[test]
fn response_information() {
    for (asks, expected) in [
        (Some(true), "Success ResponseInformation(\"answers/c/\")"),
        (Some(false), "Success"),
        (None, "Success"),
    ] {
        let mut world = World::with(config(Offer {
            response_information: "answers/{client_id}/".into(),
            ..Offer::default()
        }));
        let list = properties(asks.map(Property::RequestResponseInformation));
        let connect = Connect {
            properties: list.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        assert_eq!(connack(&mut world, &connect), expected);
    }
}

/// Section 4.11.
#[test]
fn another_server() {
    let offer = || Offer {
        server_reference: "other:1883".into(),
        ..Offer::default()
    };
    for (reference, refused, goodbye) in [
        (
            true,
            "UseAnotherServer ServerReference(\"other:1883\")",
            &b"\xE0\x0F\x9C\x0D\x1C\x00\x0Aother:1883"[..],
        ),
        (
            false,
            "QuotaExceeded ReasonString(\"there is no room for one more session\")",
            &b"\xE0\x15\x8B\x13\x1F\x00\x10the server stops"[..],
        ),
    ] {
        let mut config = config(if reference { offer() } else { Offer::default() });
        config.limits = Limits {
            sessions: 1,
            ..Limits::default()
        };
        let mut world = World::with(config);
        let first = Connect::clean(ProtocolVersion::V5_0, utf8("first"));
        let mut client = Mqtt::with(&mut world, &first);
        client.seen(&mut world);
        let second = Connect::clean(ProtocolVersion::V5_0, utf8("second"));
        assert_eq!(connack(&mut world, &second), refused);
        world.handle(Input::Shutdown);
        assert_eq!(world.socket(client.id).received, goodbye);
    }
}

/// Section 3.3.2.3.4: the first message of a topic has its name and its alias, and the others
/// the alias alone. Mosquitto 2.1 has `max_topic_alias_broker 10`.
#[test]
fn topic_aliases_to_a_client() {
    // (what the client takes, what there is at most, aliases of three topics twice each)
    for (maximum, most, expected) in [
        (0, 10, [None, None, None]),
        (2, 10, [Some(1), Some(2), None]),
        (10, 1, [Some(1), None, None]),
        (10, 0, [None, None, None]),
    ] {
        let mut world = World::with(config(Offer {
            outbound_topic_alias_maximum: most,
            ..Offer::default()
        }));
        let id = world.connect(Protocol::Mqtt);
        let list = properties([Property::TopicAliasMaximum(maximum)]);
        let connect = Connect {
            properties: list.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let version = ProtocolVersion::V5_0;
        let mut bytes = Vec::new();
        Packet::Connect(connect)
            .encode(version, &mut bytes)
            .unwrap();
        bytes.extend(b"\x82\x07\x00\x01\x00\x00\x01+\x00");
        world.send(id, &bytes);
        world.socket(id).received.clear();
        let mut publisher = Mqtt::connect(&mut world, "p");
        for _ in 0..2 {
            for topic in ["a", "b", "c"] {
                publisher.publish(topic, "m", QoS::AtMostOnce);
            }
        }
        publisher.seen(&mut world);
        let received = std::mem::take(&mut world.socket(id).received);
        let (mut rest, mut seen) = (&received[..], Vec::new());
        while !rest.is_empty() {
            let decoded = decode(rest, version, &WireLimits::default()).unwrap();
            let Some((Packet::Publish(publish), length)) = decoded else {
                panic!("{rest:?}");
            };
            let name = publish.topic_name.as_str().to_owned();
            seen.push((name, publish.properties.topic_alias()));
            rest = &rest[length..];
        }
        let names = ["a", "b", "c"].map(str::to_owned);
        let again = names.iter().zip(expected).map(|(name, alias)| match alias {
            Some(_) => (String::new(), alias),
            None => (name.clone(), None),
        });
        let first = names.iter().cloned().zip(expected);
        let wanted: Vec<_> = first.chain(again).collect();
        assert_eq!(seen, wanted, "{maximum} {most}");
    }
}

/// Sections 3.4.2.2 and 3.1.2.11.7: the words are for those who want them and have room.
#[test]
fn reason_strings() {
    for (list, expected) in [
        (vec![], Some("the topic is not for this user")),
        (vec![Property::RequestProblemInformation(false)], None),
        (vec![Property::MaximumPacketSize(30)], None),
    ] {
        let mut world = World::new();
        let id = world.connect(Protocol::Mqtt);
        let list = properties(list);
        let connect = Connect {
            properties: list.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let version = ProtocolVersion::V5_0;
        let mut bytes = Vec::new();
        Packet::Connect(connect)
            .encode(version, &mut bytes)
            .unwrap();
        world.send(id, &bytes);
        world.socket(id).received.clear();
        // PUBLISH with QoS 1 to "$SYS/a".
        world.send(id, b"\x32\x0C\x00\x06$SYS/a\x00\x01\x00m");
        let received = std::mem::take(&mut world.socket(id).received);
        let decoded = decode(&received, version, &WireLimits::default()).unwrap();
        let Some((Packet::PubAck(ack), _)) = decoded else {
            panic!("{received:?}");
        };
        assert_eq!(ack.reason_code, mqtt_codec::ReasonCode::NotAuthorized);
        assert_eq!(ack.properties.reason_string(), expected);
    }
}

/// Sends a CONNECT of 5.0 and another packet, and returns the reason codes of the answers with
/// their Reason Strings.
fn reasons(
    world: &mut World,
    connect: &Connect<'_>,
    packets: &[Packet<'_>],
) -> Vec<(String, Option<String>)> {
    let id = world.connect(Protocol::Mqtt);
    let version = ProtocolVersion::V5_0;
    let mut bytes = Vec::new();
    Packet::Connect(*connect)
        .encode(version, &mut bytes)
        .unwrap();
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    world.send(id, &bytes);
    reasons_of(world, id)
}

fn reasons_of(world: &mut World, id: mq_core::ConnectionId) -> Vec<(String, Option<String>)> {
    let received = std::mem::take(&mut world.socket(id).received);
    let mut rest = &received[..];
    let mut seen = Vec::new();
    while let Some((packet, len)) =
        decode(rest, ProtocolVersion::V5_0, &WireLimits::default()).unwrap()
    {
        let (code, properties) = match &packet {
            Packet::ConnAck(ack) => (format!("{:?}", ack.reason_code), ack.properties),
            Packet::SubAck(ack) => {
                let codes: Vec<_> = ack.reason_codes.iter().collect();
                (format!("{codes:?}"), ack.properties)
            }
            Packet::Disconnect(ack) => (format!("{:?}", ack.reason_code), ack.properties),
            other => panic!("{other:?}"),
        };
        seen.push((code, properties.reason_string().map(String::from)));
        rest = &rest[len..];
    }
    seen
}

/// Sections 3.2.2.3.9, 3.9.2.1.2 and 3.14.2.2.3: why. A client that wants no problem information
/// has it in CONNACK and DISCONNECT alone (3.1.2.11.7).
#[test]
fn refusals_are_explained() {
    use mq_core::{Permission, UserLimits};
    for wants in [true, false] {
        let list = properties([Property::RequestProblemInformation(wants)]);
        let plain = Connect {
            properties: list.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let reason = |code: &str, text: &str| (code.to_owned(), Some(text.to_owned()));
        // A password.
        let named = Connect {
            user_name: Some(utf8("guest")),
            password: Some(b"wrong"),
            ..plain
        };
        let mut world = World::new();
        assert_eq!(
            reasons(&mut world, &named, &[]),
            [reason(
                "BadUserNameOrPassword",
                "the user name or the password is wrong"
            )]
        );
        // Nobody.
        let mut world = World::with(Config {
            allow_anonymous: false,
            ..Config::default()
        });
        let text = "who gives no user name is not let in";
        assert_eq!(
            reasons(&mut world, &plain, &[]),
            [reason("NotAuthorized", text)]
        );
        // A limit.
        let none = UserLimits {
            max_connections: Some(0),
            max_channels: None,
        };
        let mut world = World::with(Config {
            user_limits: [("guest".into(), none)].into(),
            ..Config::default()
        });
        let text = "connection refused for user 'guest': user connection limit (0) is reached";
        let refused = reasons(&mut world, &plain, &[]);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].1.as_ref().unwrap().contains(text), "{refused:?}");
        // A filter, and one of several.
        let mut world = World::with(Config {
            permissions: vec![Permission {
                user: "guest".into(),
                virtual_host: "/".into(),
                configure: ".*".into(),
                write: ".*".into(),
                read: "^$".into(),
            }],
            ..Config::default()
        });
        let subscribe = |filters: &[&'static str]| {
            let all = filters
                .iter()
                .map(|filter| Subscription::new(filter, QoS::AtMostOnce));
            let all: &'static [_] = all.collect::<Vec<_>>().leak();
            Packet::Subscribe(mqtt_codec::Subscribe {
                packet_identifier: mqtt_codec::PacketIdentifier::new(1).unwrap(),
                properties: mqtt_codec::Properties::EMPTY,
                subscriptions: all.into(),
            })
        };
        for (filters, codes, text) in [
            (
                &["a"][..],
                "[NotAuthorized]",
                "the filter is not for this user",
            ),
            (
                &["a", "b"],
                "[NotAuthorized, NotAuthorized]",
                "filter 1: the filter is not for this user; filter 2: the filter is not for this user",
            ),
        ] {
            let seen = reasons(&mut world, &plain, &[subscribe(filters)]);
            let text = wants.then(|| text.to_owned());
            assert_eq!(seen[1], (codes.to_owned(), text));
        }
        // Another connection with the client identifier.
        let mut world = World::new();
        let id = world.connect(Protocol::Mqtt);
        let mut bytes = Vec::new();
        Packet::Connect(plain)
            .encode(ProtocolVersion::V5_0, &mut bytes)
            .unwrap();
        world.send(id, &bytes);
        world.socket(id).received.clear();
        reasons(&mut world, &plain, &[]);
        let text = "another connection has the client identifier";
        assert_eq!(
            reasons_of(&mut world, id),
            [reason("SessionTakenOver", text)]
        );
    }
}
