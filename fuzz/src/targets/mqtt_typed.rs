//! MQTT packets that are put together from their fields: what can be encoded is decoded to
//! the same again.

use std::num::NonZeroU16;

use arbitrary::{Arbitrary, Unstructured};
use mqtt_codec::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Limits, Packet, Properties,
    PropertiesBuilder, Property, ProtocolVersion, Publish, QoS, ReasonCode, ReasonCodes,
    RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions, TopicName, UnsubAck,
    Unsubscribe, Utf8String, Will, decode,
};

#[derive(Arbitrary, Debug)]
struct Made<'a> {
    kind: u8,
    properties: Vec<Field<'a>>,
    will_properties: Vec<Field<'a>>,
    identifier: NonZeroU16,
    text: &'a str,
    texts: Vec<(&'a str, u8)>,
    bytes: &'a [u8],
    user: Option<(&'a str, Option<&'a [u8]>)>,
    codes: Vec<u8>,
    number: u16,
    flags: u8,
}

/// A property by its identifier in section 2.2.2.2, with whatever value it takes.
#[derive(Arbitrary, Debug)]
struct Field<'a> {
    identifier: u8,
    number: u32,
    text: &'a str,
    second: &'a str,
    bytes: &'a [u8],
}

impl<'a> Field<'a> {
    fn property(&self) -> Option<Property<'a>> {
        let (number, text, bytes) = (self.number, self.text, self.bytes);
        let (small, flag) = (number as u16, number & 1 == 1);
        Some(match self.identifier {
            0x01 => Property::PayloadFormatIndicator(flag),
            0x02 => Property::MessageExpiryInterval(number),
            0x03 => Property::ContentType(text),
            0x08 => Property::ResponseTopic(text),
            0x09 => Property::CorrelationData(bytes),
            0x0B => Property::SubscriptionIdentifier(number),
            0x11 => Property::SessionExpiryInterval(number),
            0x12 => Property::AssignedClientIdentifier(text),
            0x13 => Property::ServerKeepAlive(small),
            0x15 => Property::AuthenticationMethod(text),
            0x16 => Property::AuthenticationData(bytes),
            0x17 => Property::RequestProblemInformation(flag),
            0x18 => Property::WillDelayInterval(number),
            0x19 => Property::RequestResponseInformation(flag),
            0x1A => Property::ResponseInformation(text),
            0x1C => Property::ServerReference(text),
            0x1F => Property::ReasonString(text),
            0x21 => Property::ReceiveMaximum(small),
            0x22 => Property::TopicAliasMaximum(small),
            0x23 => Property::TopicAlias(small),
            0x24 => Property::MaximumQoS(QoS::from_bits(small as u8 & 3)?),
            0x25 => Property::RetainAvailable(flag),
            0x26 => Property::UserProperty(text, self.second),
            0x27 => Property::MaximumPacketSize(number),
            0x28 => Property::WildcardSubscriptionAvailable(flag),
            0x29 => Property::SubscriptionIdentifiersAvailable(flag),
            0x2A => Property::SharedSubscriptionAvailable(flag),
            _ => return None,
        })
    }
}

fn properties(fields: &[Field<'_>]) -> PropertiesBuilder {
    let mut builder = PropertiesBuilder::new();
    for property in fields.iter().filter_map(Field::property) {
        // One that may not stand beside the others is left out.
        builder.push(property).map(drop).unwrap_or_default();
    }
    builder
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(made) = Made::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let (own, will) = (
        properties(&made.properties),
        properties(&made.will_properties),
    );
    let (own, will) = (own.as_properties(), will.as_properties());
    let codes: Vec<_> = made
        .codes
        .iter()
        .filter_map(|byte| ReasonCode::from_byte(*byte))
        .collect();
    let subscriptions: Vec<_> = made
        .texts
        .iter()
        .filter_map(|(topic_filter, options)| {
            Some(Subscription {
                topic_filter,
                options: SubscriptionOptions {
                    maximum_qos: QoS::from_bits(options & 3)?,
                    no_local: options & 4 != 0,
                    retain_as_published: options & 8 != 0,
                    retain_handling: match options >> 4 & 3 {
                        0 => RetainHandling::Send,
                        1 => RetainHandling::SendIfNew,
                        _ => RetainHandling::DoNotSend,
                    },
                },
            })
        })
        .collect();
    let filters: Vec<_> = made.texts.iter().map(|(filter, _)| *filter).collect();
    for version in ProtocolVersion::ALL {
        if let Some(packet) = packet(&made, version, own, will, &codes, &subscriptions, &filters) {
            there_and_back(packet, version);
        }
    }
}

fn packet<'a>(
    made: &Made<'a>,
    version: ProtocolVersion,
    properties: Properties<'a>,
    will: Properties<'a>,
    codes: &'a [ReasonCode],
    subscriptions: &'a [Subscription<'a>],
    filters: &'a [&'a str],
) -> Option<Packet<'a>> {
    let packet_identifier = made.identifier;
    let qos = QoS::from_bits(made.flags & 3)?;
    let retain = made.flags & 4 != 0;
    let reason_code = codes.first().copied().unwrap_or(ReasonCode::Success);
    let acknowledgement = Acknowledgement {
        properties,
        ..Acknowledgement::new(packet_identifier, reason_code)
    };
    Some(match made.kind % 14 {
        0 => Packet::Connect(Connect {
            clean_start: retain,
            keep_alive: made.number,
            properties,
            will: match made.texts.first() {
                Some((topic, flags)) => Some(Will {
                    qos: QoS::from_bits(flags & 3)?,
                    retain: flags & 4 != 0,
                    properties: will,
                    ..Will::new(TopicName::new(topic).ok()?, made.bytes)
                }),
                None => None,
            },
            user_name: match made.user {
                Some((name, _)) => Some(Utf8String::new(name).ok()?),
                None => None,
            },
            password: made.user.and_then(|(_, password)| password),
            ..Connect::clean(version, Utf8String::new(made.text).ok()?)
        }),
        1 => Packet::ConnAck(ConnAck {
            session_present: retain,
            properties,
            ..ConnAck::new(reason_code)
        }),
        2 => Packet::Publish(Publish {
            dup: made.flags & 8 != 0,
            qos,
            retain,
            packet_identifier: (qos > QoS::AtMostOnce).then_some(packet_identifier),
            properties,
            ..Publish::new(TopicName::new(made.text).ok()?, made.bytes)
        }),
        3 => Packet::PubAck(acknowledgement),
        4 => Packet::PubRec(acknowledgement),
        5 => Packet::PubRel(acknowledgement),
        6 => Packet::PubComp(acknowledgement),
        7 => Packet::Subscribe(Subscribe {
            packet_identifier,
            properties,
            subscriptions: subscriptions.into(),
        }),
        8 => Packet::SubAck(SubAck {
            packet_identifier,
            properties,
            reason_codes: ReasonCodes::from(codes),
        }),
        9 => Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            properties,
            topic_filters: filters.into(),
        }),
        10 => Packet::UnsubAck(UnsubAck {
            packet_identifier,
            properties,
            reason_codes: ReasonCodes::from(codes),
        }),
        11 => Packet::Disconnect(Disconnect {
            properties,
            ..Disconnect::new(reason_code)
        }),
        12 => Packet::Auth(Auth {
            reason_code,
            properties,
        }),
        _ if retain => Packet::PingReq,
        _ => Packet::PingResp,
    })
}

fn there_and_back(packet: Packet<'_>, version: ProtocolVersion) {
    let mut out = Vec::new();
    if packet.encode(version, &mut out).is_err() {
        assert!(
            out.is_empty(),
            "what cannot be encoded leaves nothing behind"
        );
        return;
    }
    assert_eq!(out.len(), packet.encoded_len(version));
    // One byte less than it takes is an error, and no panic.
    let mut room = vec![0; out.len() - 1];
    assert!(packet.encode(version, &mut &mut room[..]).is_err());
    // What can be encoded has no such limit.
    let limits = Limits::default().with_maximum_topic_levels(u16::MAX);
    let again = decode(&out, version, &limits);
    let Ok(Some((again, length))) = again else {
        panic!("{version}: {packet:?} was encoded, and is not accepted: {again:?}");
    };
    assert_eq!(length, out.len());
    // A version without properties leaves them out.
    if version.has_properties() {
        assert_eq!(again, packet);
    }
    let mut second = Vec::new();
    again.encode(version, &mut second).expect("it was decoded");
    assert_eq!(second, out, "{version}: {packet:?}");
    let kept = again.to_buf(version).expect("it was decoded");
    assert_eq!(kept.as_packet(), again);
}
