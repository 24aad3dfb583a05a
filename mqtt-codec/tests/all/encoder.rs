//! What an encoder refuses: what decoding would refuse, and what a version has no place
//! for. Nothing is written then.

use crate::support::ends::{V3_1, V3_1_1, V5_0, id};
use crate::support::{topic, utf8};
use mqtt_codec::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, EncodeError, Limits, Packet, PacketType,
    Properties, PropertiesBuf, PropertiesBuilder, Property, PropertyError, ProtocolVersion,
    Publish, QoS, ReasonCode, SubAck, Subscribe, Subscription, SubscriptionOptions, TopicName,
    UnsubAck, Unsubscribe, Will, decode,
};

/// The error, once it is seen that nothing was written.
fn refused(packet: &Packet<'_>, version: ProtocolVersion) -> EncodeError {
    let mut out = Vec::new();
    let Err(error) = packet.encode(version, &mut out) else {
        panic!("{packet:?} was written in {version}");
    };
    assert_eq!(out, b"", "{packet:?}");
    error
}

/// The statement that the packet breaks.
fn broken(packet: &Packet<'_>, version: ProtocolVersion) -> &'static str {
    match refused(packet, version) {
        EncodeError::Rule { rule, .. } => rule.statement(version),
        error => panic!("{packet:?}: {error}"),
    }
}

/// Each packet breaks the statement, named by 5.0 and by 3.1.1; where it is empty nothing
/// is said of the version.
fn check(table: &[(Packet<'_>, &str, &str)]) {
    for (packet, in_5_0, in_3_1_1) in table {
        for (version, statement) in [(V5_0, in_5_0), (V3_1_1, in_3_1_1)] {
            if !statement.is_empty() {
                assert_eq!(broken(packet, version), *statement, "{packet:?}");
            }
        }
    }
}

fn properties<const N: usize>(list: [Property<'_>; N]) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.extend(list).unwrap();
    builder.build()
}

// shows: 5.0 MQTT-2.2.1-2, 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4, 5.0 MQTT-3.3.1-2
// shows: 3.1.1 MQTT-2.3.1-1, 3.1.1 MQTT-2.3.1-5, 3.1.1 MQTT-3.3.1-2, 3.1.1 MQTT-4.7.3-1
#[test]
fn publish() {
    let publish = Publish::new(topic("a"), b"x");
    check(&[
        (
            Packet::Publish(Publish {
                packet_identifier: Some(id(1)),
                ..publish
            }),
            "MQTT-2.2.1-2",
            "MQTT-2.3.1-5",
        ),
        (
            Packet::Publish(Publish {
                qos: QoS::AtLeastOnce,
                ..publish
            }),
            "MQTT-2.2.1-3",
            "MQTT-2.3.1-1",
        ),
        (
            Packet::Publish(Publish {
                dup: true,
                ..publish
            }),
            "MQTT-3.3.1-2",
            "MQTT-3.3.1-2",
        ),
        (
            Packet::Publish(Publish {
                topic_name: TopicName::EMPTY,
                ..publish
            }),
            "§3.3.2.1",
            "MQTT-4.7.3-1",
        ),
    ]);
}

// shows: 5.0 MQTT-4.7.3-1
// shows: 3.1.1 MQTT-3.1.2-22, 3.1.1 MQTT-3.1.3-7, 3.1.1 MQTT-4.7.3-1
#[test]
fn connect() {
    for (version, connect, statement) in [
        (
            V3_1_1,
            Connect {
                password: Some(b"p"),
                ..Connect::clean(V3_1_1, utf8("c"))
            },
            "MQTT-3.1.2-22",
        ),
        (
            V3_1_1,
            Connect {
                ..Connect::resume(V3_1_1, utf8(""))
            },
            "MQTT-3.1.3-7",
        ),
        (V3_1, Connect::clean(V3_1, utf8("")), "§3.1.3.1"),
        (
            V3_1,
            Connect::clean(V3_1, utf8("abcdefghijklmnopqrstuvwx")),
            "§3.1.3.1",
        ),
        (
            V5_0,
            Connect {
                properties: properties([Property::AuthenticationData(b"d")]).as_properties(),
                ..Connect::clean(V5_0, utf8("c"))
            },
            "§3.1.2.11.10",
        ),
    ] {
        assert_eq!(broken(&Packet::Connect(connect), version), statement);
    }
    for version in [V5_0, V3_1_1] {
        let packet = Packet::Connect(Connect {
            will: Some(Will::new(TopicName::EMPTY, b"")),
            ..Connect::clean(version, utf8("c"))
        });
        assert_eq!(broken(&packet, version), "MQTT-4.7.3-1");
    }
}

// shows: 5.0 MQTT-3.2.2-6, 5.0 MQTT-3.2.2-8, 5.0 MQTT-3.4.2-1, 5.0 MQTT-3.5.2-1,
// shows: 5.0 MQTT-3.6.2-1, 5.0 MQTT-3.7.2-1, 5.0 MQTT-3.14.2-1, 5.0 MQTT-3.15.2-1
// shows: 3.1.1 MQTT-3.2.2-4
#[test]
fn reason_codes() {
    let ack = |code| Acknowledgement::new(id(1), code);
    let method = properties([Property::AuthenticationMethod("m")]);
    check(&[
        (
            Packet::ConnAck(ConnAck {
                session_present: true,
                ..ConnAck::new(ReasonCode::NotAuthorized)
            }),
            "MQTT-3.2.2-6",
            "MQTT-3.2.2-4",
        ),
        (
            Packet::ConnAck(ConnAck::new(ReasonCode::GrantedQoS1)),
            "MQTT-3.2.2-8",
            "",
        ),
        (
            Packet::PubAck(ack(ReasonCode::GrantedQoS1)),
            "MQTT-3.4.2-1",
            "",
        ),
        (
            Packet::PubRec(ack(ReasonCode::PacketIdentifierNotFound)),
            "MQTT-3.5.2-1",
            "",
        ),
        (
            Packet::PubRel(ack(ReasonCode::NotAuthorized)),
            "MQTT-3.6.2-1",
            "",
        ),
        (
            Packet::PubComp(ack(ReasonCode::NoMatchingSubscribers)),
            "MQTT-3.7.2-1",
            "",
        ),
        (
            Packet::Disconnect(Disconnect::new(ReasonCode::BadUserNameOrPassword)),
            "MQTT-3.14.2-1",
            "",
        ),
        (
            Packet::Auth(Auth {
                reason_code: ReasonCode::NotAuthorized,
                properties: method.as_properties(),
            }),
            "MQTT-3.15.2-1",
            "",
        ),
        (
            Packet::Auth(Auth {
                reason_code: ReasonCode::ContinueAuthentication,
                properties: Properties::EMPTY,
            }),
            "§3.15.2.2.2",
            "",
        ),
    ]);
}

// shows: 5.0 MQTT-3.8.3-2, 5.0 MQTT-3.8.3-4, 5.0 MQTT-3.8.4-6, 5.0 MQTT-3.8.4-7,
// shows: 5.0 MQTT-3.9.3-2, 5.0 MQTT-3.10.3-2, 5.0 MQTT-3.11.3-2, 5.0 MQTT-4.7.1-1,
// shows: 5.0 MQTT-4.7.1-2, 5.0 MQTT-4.7.3-1, 5.0 MQTT-4.7.3-2, 5.0 MQTT-4.8.2-1,
// shows: 5.0 MQTT-4.8.2-2
// shows: 3.1.1 MQTT-3.8.3-3, 3.1.1 MQTT-3.8.4-5, 3.1.1 MQTT-3.9.3-2, 3.1.1 MQTT-3.10.3-2,
// shows: 3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 3.1.1 MQTT-4.7.3-1, 3.1.1 MQTT-4.7.3-2
#[test]
fn subscriptions() {
    let none = Properties::EMPTY;
    let suback = |codes: &'static [ReasonCode]| {
        Packet::SubAck(SubAck {
            packet_identifier: id(1),
            properties: none,
            reason_codes: codes.into(),
        })
    };
    let unsuback = |codes: &'static [ReasonCode]| {
        Packet::UnsubAck(UnsubAck {
            packet_identifier: id(1),
            properties: none,
            reason_codes: codes.into(),
        })
    };
    let no_local = [Subscription {
        topic_filter: "$share/g/a",
        options: SubscriptionOptions {
            no_local: true,
            ..SubscriptionOptions::default()
        },
    }];
    check(&[
        (
            Packet::Subscribe(Subscribe {
                packet_identifier: id(1),
                properties: none,
                subscriptions: (&no_local).into(),
            }),
            "MQTT-3.8.3-4",
            "",
        ),
        (
            Packet::Subscribe(Subscribe {
                packet_identifier: id(1),
                properties: none,
                subscriptions: (&[]).into(),
            }),
            "MQTT-3.8.3-2",
            "MQTT-3.8.3-3",
        ),
        (
            Packet::Unsubscribe(Unsubscribe {
                packet_identifier: id(1),
                properties: none,
                topic_filters: (&[]).into(),
            }),
            "MQTT-3.10.3-2",
            "MQTT-3.10.3-2",
        ),
        (suback(&[]), "MQTT-3.8.4-6", "MQTT-3.8.4-5"),
        (
            suback(&[ReasonCode::Success, ReasonCode::NoSubscriptionExisted]),
            "MQTT-3.9.3-2",
            "MQTT-3.9.3-2",
        ),
        (suback(&[ReasonCode::NotAuthorized]), "", "MQTT-3.9.3-2"),
        (unsuback(&[]), "MQTT-3.11.3-2", ""),
        (unsuback(&[ReasonCode::GrantedQoS1]), "MQTT-3.11.3-2", ""),
    ]);
    for (filter, in_5_0, in_3_1_1) in [
        ("", "MQTT-4.7.3-1", "MQTT-4.7.3-1"),
        ("a\0", "MQTT-1.5.4-2", "MQTT-1.5.3-2"),
        ("#/a", "MQTT-4.7.1-1", "MQTT-4.7.1-2"),
        ("a#", "MQTT-4.7.1-1", "MQTT-4.7.1-2"),
        ("a+/b", "MQTT-4.7.1-2", "MQTT-4.7.1-3"),
        ("$share//a", "MQTT-4.8.2-1", ""),
        ("$share/a", "MQTT-4.8.2-2", ""),
        ("$share/a#/b", "MQTT-4.8.2-2", "MQTT-4.7.1-2"),
    ] {
        check(&[
            (
                Packet::Subscribe(Subscribe {
                    packet_identifier: id(1),
                    properties: none,
                    subscriptions: (&[Subscription::new(filter, QoS::AtMostOnce)]).into(),
                }),
                in_5_0,
                in_3_1_1,
            ),
            (
                Packet::Unsubscribe(Unsubscribe {
                    packet_identifier: id(1),
                    properties: none,
                    topic_filters: (&["a", filter]).into(),
                }),
                in_5_0,
                in_3_1_1,
            ),
        ]);
    }
}

// shows: 5.0 MQTT-3.3.2-8, 5.0 MQTT-3.3.2-14, 5.0 MQTT-1.5.4-2, 5.0 MQTT-1.5.7-1
#[test]
fn property_values() {
    for (property, statement) in [
        (Property::TopicAlias(0), "MQTT-3.3.2-8"),
        (Property::ResponseTopic("a/+"), "MQTT-3.3.2-14"),
        (Property::ResponseTopic("#"), "MQTT-3.3.2-14"),
        (Property::ResponseTopic(""), "MQTT-4.7.3-1"),
        (Property::ResponseTopic("\0"), "MQTT-1.5.4-2"),
        (Property::ContentType("\0"), "MQTT-1.5.4-2"),
        (Property::ReasonString("a\0"), "MQTT-1.5.4-2"),
        (Property::AssignedClientIdentifier("\0"), "MQTT-1.5.4-2"),
        (Property::AuthenticationMethod("\0"), "MQTT-1.5.4-2"),
        (Property::ResponseInformation("\0"), "MQTT-1.5.4-2"),
        (Property::ServerReference("\0"), "MQTT-1.5.4-2"),
        (Property::UserProperty("\0", ""), "MQTT-1.5.4-2"),
        (Property::UserProperty("", "\0"), "MQTT-1.5.4-2"),
        (Property::ReceiveMaximum(0), "§3.1.2.11.3"),
        (Property::MaximumPacketSize(0), "§3.1.2.11.4"),
        (Property::MaximumQoS(QoS::ExactlyOnce), "§3.2.2.3.4"),
        (Property::SubscriptionIdentifier(0), "§3.8.2.1.2"),
    ] {
        let mut builder = PropertiesBuilder::new();
        match builder.push(property).map(drop) {
            Err(PropertyError::Rule { rule, .. }) => {
                assert_eq!(rule.statement(V5_0), statement, "{property:?}");
            }
            other => panic!("{property:?}: {other:?}"),
        }
        assert!(builder.as_properties().is_empty());
    }
}

/// 5.0 table 2-4: which packet may carry which property, seen from a packet that may not.
#[test]
fn a_property_in_another_packet() {
    let will_delay = properties([Property::WillDelayInterval(1)]);
    let alias = properties([Property::TopicAlias(1)]);
    let reason = properties([Property::ReasonString("r")]);
    let ack = Acknowledgement {
        properties: alias.as_properties(),
        ..Acknowledgement::new(id(1), ReasonCode::Success)
    };
    for (packet, expected) in [
        (
            Packet::Connect(Connect {
                properties: will_delay.as_properties(),
                ..Connect::clean(V5_0, utf8("c"))
            }),
            PacketType::Connect,
        ),
        (
            Packet::ConnAck(ConnAck {
                properties: alias.as_properties(),
                ..ConnAck::new(ReasonCode::Success)
            }),
            PacketType::ConnAck,
        ),
        (
            Packet::Publish(Publish {
                properties: reason.as_properties(),
                ..Publish::new(topic("a"), b"")
            }),
            PacketType::Publish,
        ),
        (Packet::PubAck(ack), PacketType::PubAck),
        (Packet::PubRec(ack), PacketType::PubRec),
        (Packet::PubRel(ack), PacketType::PubRel),
        (Packet::PubComp(ack), PacketType::PubComp),
        (
            Packet::Subscribe(Subscribe {
                packet_identifier: id(1),
                properties: reason.as_properties(),
                subscriptions: (&[Subscription::new("a", QoS::AtMostOnce)]).into(),
            }),
            PacketType::Subscribe,
        ),
        (
            Packet::Disconnect(Disconnect {
                properties: alias.as_properties(),
                ..Disconnect::new(ReasonCode::Success)
            }),
            PacketType::Disconnect,
        ),
    ] {
        let expected = EncodeError::PropertyNotAllowed { packet: expected };
        assert_eq!(refused(&packet, V5_0), expected, "{packet:?}");
    }
}

/// 3.1.1 has no properties, no AUTH, no reason codes but those of CONNACK and SUBACK, and
/// of the Subscription Options only the QoS (5.0 appendix C).
#[test]
fn what_3_1_1_has_no_place_for() {
    let user = properties([Property::UserProperty("k", "v")]);
    let user = user.as_properties();
    let method = properties([Property::AuthenticationMethod("m")]);
    let subscribe = |properties, options| {
        let subscriptions = [Subscription {
            topic_filter: "a",
            options,
        }];
        refused(
            &Packet::Subscribe(Subscribe {
                packet_identifier: id(1),
                properties,
                subscriptions: (&subscriptions).into(),
            }),
            V3_1_1,
        )
    };
    let failed = Acknowledgement::new(id(1), ReasonCode::NotAuthorized);
    let errors = [
        refused(
            &Packet::Connect(Connect {
                properties: user,
                ..Connect::clean(V3_1_1, utf8("c"))
            }),
            V3_1_1,
        ),
        refused(
            &Packet::Connect(Connect {
                will: Some(Will {
                    properties: user,
                    ..Will::new(topic("t"), b"")
                }),
                ..Connect::clean(V3_1_1, utf8("c"))
            }),
            V3_1_1,
        ),
        refused(
            &Packet::ConnAck(ConnAck {
                properties: user,
                ..ConnAck::new(ReasonCode::Success)
            }),
            V3_1_1,
        ),
        refused(&Packet::ConnAck(ConnAck::new(ReasonCode::Banned)), V3_1_1),
        refused(
            &Packet::Publish(Publish {
                properties: user,
                ..Publish::new(topic("a"), b"")
            }),
            V3_1_1,
        ),
        refused(&Packet::PubAck(failed), V3_1_1),
        refused(&Packet::PubRec(failed), V3_1_1),
        subscribe(user, SubscriptionOptions::default()),
        subscribe(
            Properties::EMPTY,
            SubscriptionOptions {
                retain_as_published: true,
                ..SubscriptionOptions::default()
            },
        ),
        refused(
            &Packet::Disconnect(Disconnect::new(ReasonCode::ServerBusy)),
            V3_1_1,
        ),
        refused(
            &Packet::Auth(Auth {
                reason_code: ReasonCode::ContinueAuthentication,
                properties: method.as_properties(),
            }),
            V3_1_1,
        ),
    ];
    for error in errors {
        assert!(
            matches!(error, EncodeError::NotInVersion { .. }),
            "{error:?}"
        );
    }
}

// shows: 5.0 MQTT-4.7.3-3, 3.1.1 MQTT-4.7.3-3
#[test]
fn a_field_has_65535_bytes_at_most() {
    let most = "a".repeat(65_535);
    let more = "a".repeat(65_536);
    for version in [V5_0, V3_1_1] {
        for (text, fits) in [(&most, true), (&more, false)] {
            let subscriptions = [Subscription::new(text, QoS::AtMostOnce)];
            let filters = [&text[..]];
            let none = Properties::EMPTY;
            let connect = Connect::clean(version, utf8("c"));
            for packet in [
                Packet::Subscribe(Subscribe {
                    packet_identifier: id(1),
                    properties: none,
                    subscriptions: (&subscriptions).into(),
                }),
                Packet::Unsubscribe(Unsubscribe {
                    packet_identifier: id(1),
                    properties: none,
                    topic_filters: (&filters).into(),
                }),
                Packet::Connect(Connect {
                    will: Some(Will::new(topic("t"), text.as_bytes())),
                    ..connect
                }),
                Packet::Connect(Connect {
                    user_name: Some(utf8("u")),
                    password: Some(text.as_bytes()),
                    ..connect
                }),
            ] {
                if fits {
                    assert_eq!(packet.encode(version, &mut Vec::new()), Ok(()));
                } else {
                    let expected = EncodeError::FieldTooLong { length: 65_536 };
                    assert_eq!(refused(&packet, version), expected);
                }
            }
        }
    }
    let mut builder = PropertiesBuilder::new();
    assert!(builder.push(Property::ContentType(&most)).is_ok());
    assert!(matches!(
        builder.push(Property::UserProperty("k", &more)),
        Err(PropertyError::TooLong { length: 65_536, .. })
    ));
}

/// The Remaining Length takes another byte at each of these lengths (5.0 table 1-1), and a
/// packet fits where there is room for all of it and nowhere else.
#[test]
fn a_packet_fits_where_there_is_room_for_all_of_it() {
    for version in [V3_1, V3_1_1, V5_0] {
        for remaining in [
            50, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_151, 2_097_152,
        ] {
            // Length and characters of the Topic Name, packet identifier, Property Length.
            let payload = vec![b'x'; remaining - 5 - usize::from(version == V5_0)];
            fits(
                &Packet::Publish(Publish {
                    qos: QoS::AtLeastOnce,
                    packet_identifier: Some(id(0x0102)),
                    ..Publish::new(topic("t"), &payload)
                }),
                version,
                remaining,
            );
            if remaining < 65_535 {
                // Protocol Name and all that has a fixed place, and three lengths.
                let front = 10 + 2 * usize::from(version == V3_1) + usize::from(version == V5_0);
                let password = vec![b'p'; remaining - front - 6 - 2];
                fits(
                    &Packet::Connect(Connect {
                        user_name: Some(utf8("u")),
                        password: Some(&password),
                        ..Connect::clean(version, utf8("c"))
                    }),
                    version,
                    remaining,
                );
            }
        }
    }
}

/// That the packet has a Remaining Length of so many bytes, and is written to a buffer of
/// just its size, and is not to one of less.
fn fits(packet: &Packet<'_>, version: ProtocolVersion, remaining: usize) {
    let length = packet.encoded_len(version);
    assert_eq!(length, 1 + remaining.ilog(128) as usize + 1 + remaining);
    let mut room = vec![0xEE; length];
    for short in [1, 2, 3, length / 2, length] {
        let mut out = &mut room[short..];
        let error = packet.encode(version, &mut out);
        let expected = EncodeError::NoRoom { needed: length };
        assert_eq!((error, out.len()), (Err(expected), length - short));
        assert!(
            room.iter().all(|&byte| byte == 0xEE),
            "something was written"
        );
    }
    packet.encode(version, &mut &mut room[..]).unwrap();
    let mut limits = Limits::default();
    limits.maximum_packet_size = u32::MAX;
    let decoded = decode(&room, version, &limits).unwrap();
    assert_eq!(decoded, Some((*packet, length)));
}
