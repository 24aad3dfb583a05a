//! Every row of `data/valid.txt`, and of `data/captured.txt` from real clients and brokers,
//! is accepted, and written as the row says.

use crate::support::{bytes, rows, topic, utf8, versions};
use bytes::BytesMut;
use mqtt_codec::{
    Connect, Limits, Packet, PacketBuf, PacketIdentifier, Property, ProtocolVersion, Publish, QoS,
    ReasonCode, RetainHandling, Rule, Subscription, SubscriptionOptions, Will, decode, needed,
};

const TABLES: [&str; 2] = [
    include_str!("../data/valid.txt"),
    include_str!("../data/captured.txt"),
];

/// Version, bytes, bytes written, and what it is, of each row.
fn table() -> impl Iterator<Item = (ProtocolVersion, Vec<u8>, Vec<u8>, &'static str)> {
    TABLES.into_iter().flat_map(rows).flat_map(|row| {
        versions(row[0]).into_iter().map(move |version| {
            let written = row.get(3).unwrap_or(&row[1]);
            (version, bytes(row[1]), bytes(written), row[2])
        })
    })
}

#[test]
fn each_row_is_accepted_and_written_again() {
    let mut judged = 0;
    for (version, input, written, what) in table() {
        judged += 1;
        let (packet, length) = decode(&input, version, &Limits::default())
            .unwrap_or_else(|error| panic!("{what}: {error}"))
            .unwrap_or_else(|| panic!("{what}: incomplete"));
        assert_eq!(length, input.len(), "{what}");
        let mut out = Vec::new();
        packet
            .encode(version, &mut out)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(out, written, "{what}");
        assert_eq!(packet.encoded_len(version), out.len(), "{what}");
    }
    assert!(judged >= 400, "{judged} rows");
}

/// A packet of any kind is within a limit of its own length, and over one of a byte less.
#[test]
fn the_limit_counts_the_whole_packet() {
    for (version, input, _, what) in table() {
        let limits = Limits::default().with_maximum_packet_size(input.len() as u32);
        assert!(decode(&input, version, &limits).is_ok(), "{what}");
        let limits = limits.with_maximum_packet_size(input.len() as u32 - 1);
        let error = decode(&input, version, &limits).unwrap_err();
        assert_eq!(error.rule(), Rule::PacketTooLarge, "{what}");
        assert_eq!(error.offset(), 1, "{what}");
    }
}

#[test]
fn a_cut_row_asks_for_more() {
    for (version, mut input, _, what) in table() {
        let whole = input.len();
        for cut in 0..whole {
            assert_eq!(
                decode(&input[..cut], version, &Limits::default()),
                Ok(None),
                "{what} cut at {cut}"
            );
            let more = needed(&input[..cut], version, &Limits::default()).unwrap();
            assert!(
                more > 0 && cut + more <= whole,
                "{what} cut at {cut}: {more}"
            );
        }
        assert_eq!(needed(&input, version, &Limits::default()), Ok(0));
        // What follows belongs to the next packet.
        input.extend_from_slice(&[0xFF; 3]);
        let (_, length) = decode(&input, version, &Limits::default())
            .unwrap()
            .unwrap();
        assert_eq!(length, whole, "{what}");
    }
}

/// A packet that is kept says what it said, whatever becomes of the buffer: small ones
/// have bytes of their own, large ones share those of the buffer.
#[test]
fn a_packet_lives_on() {
    let large = {
        let mut bytes = Vec::new();
        Packet::Publish(Publish::new(topic("t"), &[7; 5000]))
            .encode(ProtocolVersion::V5_0, &mut bytes)
            .unwrap();
        (ProtocolVersion::V5_0, bytes.clone(), bytes, "large")
    };
    for (version, input, written, what) in table().chain([large]) {
        let mut buffer = BytesMut::from(&input[..]);
        buffer.extend_from_slice(&[0xC0]);
        let kept = PacketBuf::decode(&mut buffer, version, &Limits::DEFAULT)
            .unwrap()
            .unwrap_or_else(|| panic!("{what}: incomplete"));
        assert_eq!(&buffer[..], [0xC0], "{what}");
        buffer.extend_from_slice(&[0xFF; 100]);
        let (packet, _) = decode(&input, version, &Limits::DEFAULT).unwrap().unwrap();
        assert_eq!(kept.as_packet(), packet, "{what}");
        assert_eq!(kept.as_bytes()[..], input, "{what}");
        let copy = packet.to_buf(version).unwrap();
        assert_eq!(copy.as_bytes()[..], written, "{what}");
        assert_eq!(
            (copy.as_packet(), copy.version()),
            (packet, version),
            "{what}"
        );
        assert_eq!(
            PacketBuf::decode(&mut BytesMut::from(&input[1..1]), version, &Limits::DEFAULT),
            Ok(None)
        );
    }
}

#[test]
fn an_output_without_room_is_left_alone() {
    for (version, input, written, what) in table() {
        let (packet, _) = decode(&input, version, &Limits::default())
            .unwrap()
            .unwrap();
        let mut room = vec![0; written.len() - 1];
        let mut out = &mut room[..];
        assert!(packet.encode(version, &mut out).is_err(), "{what}");
        assert_eq!(out.len(), written.len() - 1, "{what}");
        let mut room = vec![0; written.len()];
        packet.encode(version, &mut &mut room[..]).unwrap();
        assert_eq!(room, written, "{what}");
    }
}

fn one(version: ProtocolVersion, input: &[u8]) -> Packet<'_> {
    decode(input, version, &Limits::default())
        .unwrap()
        .unwrap()
        .0
}

/// 5.0 figures 3-3 to 3-6 and 3.1.1 figures 3.2 to 3.6: the fields of CONNECT.
#[test]
fn the_connect_of_the_figures() {
    let input = bytes(
        "10: 0004'MQTT' 05 CE 000A 05 11 0000000A 0002'id' 00 0004'will' 0002'no' 0003'usr' 0003'pwd'",
    );
    let Packet::Connect(connect) = one(ProtocolVersion::V5_0, &input) else {
        panic!("CONNECT");
    };
    assert_eq!(connect.properties.session_expiry_interval(), Some(10));
    assert_eq!(
        Connect {
            properties: mqtt_codec::Properties::EMPTY,
            ..connect
        },
        Connect {
            keep_alive: 10,
            will: Some(Will {
                qos: QoS::AtLeastOnce,
                ..Will::new(topic("will"), b"no")
            }),
            user_name: Some(utf8("usr")),
            password: Some(b"pwd"),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("id"))
        }
    );
}

/// 5.0 figures 3-8 and 3-9.
#[test]
fn the_publish_of_the_figures() {
    let input = bytes("32: 0003'a/b' 000A 00");
    assert_eq!(
        one(ProtocolVersion::V5_0, &input),
        Packet::Publish(Publish {
            qos: QoS::AtLeastOnce,
            packet_identifier: PacketIdentifier::new(10),
            ..Publish::new(topic("a/b"), b"")
        })
    );
}

/// 5.0 figures 3-19 to 3-23, and the options of figure 3-18.
#[test]
fn the_subscriptions_of_the_figures() {
    let input = bytes("82: 000A 00 0003'a/b' 01 0003'c/d' 02 0001'#' 2C");
    let Packet::Subscribe(subscribe) = one(ProtocolVersion::V5_0, &input) else {
        panic!("SUBSCRIBE");
    };
    assert_eq!(subscribe.packet_identifier.get(), 10);
    assert_eq!(subscribe.subscriptions.len(), 3);
    assert_eq!(
        subscribe.subscriptions.iter().collect::<Vec<_>>(),
        [
            Subscription::new("a/b", QoS::AtLeastOnce),
            Subscription::new("c/d", QoS::ExactlyOnce),
            Subscription {
                topic_filter: "#",
                options: SubscriptionOptions {
                    maximum_qos: QoS::AtMostOnce,
                    no_local: true,
                    retain_as_published: true,
                    retain_handling: RetainHandling::DoNotSend,
                }
            }
        ]
    );
}

#[test]
fn lists_are_read_in_order() {
    let input = bytes("A2: 000A 00 0003'a/b' 0003'c/d'");
    let Packet::Unsubscribe(unsubscribe) = one(ProtocolVersion::V5_0, &input) else {
        panic!("UNSUBSCRIBE");
    };
    assert_eq!(unsubscribe.topic_filters.len(), 2);
    assert!(unsubscribe.topic_filters.iter().eq(["a/b", "c/d"]));

    let input = bytes("90: 000A 00 02 80");
    let Packet::SubAck(suback) = one(ProtocolVersion::V3_1_1, &input) else {
        panic!("SUBACK");
    };
    assert!(suback.reason_codes.iter().eq([
        ReasonCode::Success,
        ReasonCode::GrantedQoS2,
        ReasonCode::UnspecifiedError
    ]));
}

#[test]
fn properties_are_read_in_order() {
    let input = bytes(
        "30: 0001'a' {01 01 02 FFFFFFFF 03 0001'c' 08 0001'r' 09 0000 0B 01 0B FFFFFF7F 23 0001 26 0001'k' 0001'v'}",
    );
    let Packet::Publish(publish) = one(ProtocolVersion::V5_0, &input) else {
        panic!("PUBLISH");
    };
    let properties = publish.properties;
    assert_eq!(
        properties.iter().collect::<Vec<_>>(),
        [
            Property::PayloadFormatIndicator(true),
            Property::MessageExpiryInterval(u32::MAX),
            Property::ContentType("c"),
            Property::ResponseTopic("r"),
            Property::CorrelationData(b""),
            Property::SubscriptionIdentifier(1),
            Property::SubscriptionIdentifier(268_435_455),
            Property::TopicAlias(1),
            Property::UserProperty("k", "v"),
        ]
    );
    assert_eq!(properties.topic_alias(), Some(1));
    assert_eq!(properties.response_topic(), Some("r"));
    assert_eq!(properties.receive_maximum(), None);
    assert!(properties.subscription_identifiers().eq([1, 268_435_455]));
    assert!(properties.user_properties().eq([("k", "v")]));
}

/// The return codes of 3.1.1 table 3.1 as reason codes of 5.0.
#[test]
fn return_codes_are_reason_codes() {
    for (code, reason) in [
        (0, ReasonCode::Success),
        (1, ReasonCode::UnsupportedProtocolVersion),
        (2, ReasonCode::ClientIdentifierNotValid),
        (3, ReasonCode::ServerUnavailable),
        (4, ReasonCode::BadUserNameOrPassword),
        (5, ReasonCode::NotAuthorized),
    ] {
        let input = [0x20, 2, 0, code];
        let Packet::ConnAck(connack) = one(ProtocolVersion::V3_1_1, &input) else {
            panic!("CONNACK");
        };
        assert_eq!(connack.reason_code, reason);
    }
}

#[test]
fn limits_bound_what_is_accepted() {
    let deep = "/".repeat(200);
    let mut name = Vec::new();
    Packet::Publish(Publish::new(topic(&deep), b""))
        .encode(ProtocolVersion::V5_0, &mut name)
        .unwrap();
    let error = decode(&name, ProtocolVersion::V5_0, &Limits::default()).unwrap_err();
    assert_eq!(error.reason_code(), ReasonCode::TopicNameInvalid);
    let mut limits = Limits::default();
    limits.maximum_topic_levels = 201;
    assert!(decode(&name, ProtocolVersion::V5_0, &limits).is_ok());
    limits.maximum_topic_levels = 200;
    assert!(decode(&name, ProtocolVersion::V5_0, &limits).is_err());

    let limits = Limits::default().with_maximum_packet_size(name.len() as u32 - 1);
    let error = decode(&name[..3], ProtocolVersion::V5_0, &limits).unwrap_err();
    assert_eq!(error.reason_code(), ReasonCode::PacketTooLarge);

    let filters = bytes("82: 0001 00 0001'a' 00 0001'b' 00 0001'c' 00");
    let mut limits = Limits::default();
    limits.maximum_topic_filters = 3;
    assert!(decode(&filters, ProtocolVersion::V5_0, &limits).is_ok());
    limits.maximum_topic_filters = 2;
    let error = decode(&filters, ProtocolVersion::V5_0, &limits).unwrap_err();
    assert_eq!(error.reason_code(), ReasonCode::QuotaExceeded);
}

/// Each switch of leniency relaxes its rule and no other.
#[test]
fn leniency_is_switched_on_one_by_one() {
    let mut any_client_identifier = Limits::default();
    any_client_identifier.allow_any_3_1_client_identifier = true;
    let mut dup = Limits::default();
    dup.allow_dup_on_qos_0 = true;
    let mut password = Limits::default();
    password.allow_password_without_user_name = true;
    let mut format = Limits::default();
    format.check_payload_format = true;

    let long = bytes("10: 0006'MQIsdp' 03 02 003C 0018'abcdefghijklmnopqrstuvwx'");
    let again = bytes("38: 0001'a' 00");
    let not_text = bytes("30: 0001'a' 02 01 01 FF");
    let will_not_text = bytes("10: 0004'MQTT' 05 06 003C 00 0001'a' 02 01 01 0001't' 0001 FF");
    let token = bytes("10: 0004'MQTT' 04 42 003C 0001'a' 0003'pwd'");
    let accepted =
        |input: &[u8], limits: &Limits| decode(input, ProtocolVersion::V5_0, limits).is_ok();
    assert!(accepted(&token, &password) && !accepted(&token, &dup));
    assert!(!accepted(&long, &password) && !accepted(&again, &password));
    assert!(accepted(&long, &any_client_identifier) && !accepted(&long, &dup));
    assert!(accepted(&again, &dup) && !accepted(&again, &any_client_identifier));
    assert!(!accepted(&not_text, &format) && accepted(&not_text, &dup));
    assert!(!accepted(&will_not_text, &format) && accepted(&will_not_text, &dup));

    let (packet, _) = decode(&again, ProtocolVersion::V5_0, &dup)
        .unwrap()
        .unwrap();
    assert!(matches!(
        packet,
        Packet::Publish(Publish { dup: false, .. })
    ));
}
