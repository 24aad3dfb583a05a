//! PUBLISH made of its parts and encoded, as a user who has just these parts does it.

use std::hint::black_box;
use std::sync::Arc;

use benches::{Column, Group};
use bytes::{Bytes, BytesMut};
use mqtt_codec::{
    Packet, Properties, PropertiesBuilder, Property, ProtocolVersion, Publish as OurPublish,
    QoS as OurQoS,
};
use work::mqtt::{IDENTIFIER, TOPIC_NAME, USER_PROPERTIES};

use super::packets::Work;
use super::peer::{ByValue, Peer};
use super::peers::{v3, v5};

/// A peer whose users make a PUBLISH of its parts.
trait Build: Peer {
    /// What a user keeps a payload in, to send it with the least work.
    type Payload: From<&'static [u8]> + 'static;

    fn build(topic_name: &str, payload: &Self::Payload) -> Self::Packet;
    fn encode_built(packet: Self::Packet, output: &mut Self::Output) {
        Self::encode(&packet, output);
    }
}

pub(crate) fn group(works: &[Work]) -> Group {
    let mut group = Group::new("mqtt/build and encode PUBLISH");
    for work in works {
        let column = work.column(&mut group);
        ours(column, work);
        if work.version == ProtocolVersion::V5_0 {
            add::<v5::MqttBytes>(column, work);
            add::<v5::RuMqttC>(column, work);
            add::<v5::RmqttCodec>(column, work);
            add::<v5::NtexMqtt>(column, work);
            add::<v5::MqttProtocolCore<false>>(column, work);
            add::<v5::Mqtt5Protocol>(column, work);
            add::<v5::MquteCodec>(column, work);
            add::<v5::MqttProto>(column, work);
        } else {
            mqttrs(column, work);
            add::<v3::MqttBytes>(column, work);
            add::<v3::RuMqttC>(column, work);
            add::<v3::RmqttCodec>(column, work);
            add::<v3::NtexMqtt>(column, work);
            add::<v3::MqttProtocolCore<false>>(column, work);
            add::<v3::Mqtt5Protocol>(column, work);
            add::<v3::MquteCodec>(column, work);
            add::<v3::MqttProto>(column, work);
        }
    }
    group
}

fn payload_of(work: &Work) -> &'static [u8] {
    match work.packet {
        Packet::Publish(publish) => publish.payload,
        other => unreachable!("{other:?}"),
    }
}

fn ours(column: &mut Column, work: &Work) {
    let payload = payload_of(work);
    let encode = move |version, properties: Properties<'_>, output: &mut BytesMut| {
        let publish = OurPublish {
            qos: OurQoS::AtLeastOnce,
            packet_identifier: Some(IDENTIFIER),
            properties,
            ..OurPublish::new(
                black_box(TOPIC_NAME).try_into().expect("legal"),
                black_box(payload),
            )
        };
        let packet = Packet::Publish(publish);
        packet.encode(version, output).expect("legal");
    };
    if work.version == ProtocolVersion::V5_0 {
        add_ours(column, work, move |output| {
            let mut properties = PropertiesBuilder::new();
            for (name, value) in black_box(USER_PROPERTIES) {
                let property = Property::UserProperty(name, value);
                properties.push(property).expect("legal");
            }
            let properties = properties.build();
            encode(ProtocolVersion::V5_0, properties.as_properties(), output);
        });
    } else {
        add_ours(column, work, move |output| {
            encode(ProtocolVersion::V3_1_1, Properties::EMPTY, output);
        });
    }
}

fn add_ours(column: &mut Column, work: &Work, build: impl Fn(&mut BytesMut) + 'static) {
    let count = work.count;
    let mut output = BytesMut::new();
    build(&mut output);
    assert_eq!(output, work.bytes);
    column.add_batched(
        "mqtt-codec",
        || (),
        move |()| {
            output.clear();
            for _ in 0..count {
                build(&mut output);
                black_box(&output);
            }
        },
    );
}

fn add<P: Build>(column: &mut Column, work: &Work) {
    let count = work.count;
    let payload = P::Payload::from(payload_of(work));
    let mut output = P::Output::default();
    P::encode_built(P::build(TOPIC_NAME, &payload), &mut output);
    assert_eq!(P::written(&output), work.bytes, "{}", P::NAME);
    column.add_batched(
        P::NAME,
        || (),
        move |()| {
            P::clear(&mut output);
            for _ in 0..count {
                let packet = P::build(black_box(TOPIC_NAME), black_box(&payload));
                P::encode_built(packet, &mut output);
                black_box(&output);
            }
        },
    );
}

fn mqttrs(column: &mut Column, work: &Work) {
    let (count, payload) = (work.count, payload_of(work));
    let mut output = vec![0; work.bytes.len() * count];
    let identifier = mqttrs::Pid::try_from(IDENTIFIER.get()).expect("legal");
    column.add_batched(
        "mqttrs",
        || (),
        move |()| {
            let mut at = 0;
            for _ in 0..count {
                let packet = mqttrs::Packet::Publish(mqttrs::Publish {
                    dup: false,
                    qospid: mqttrs::QosPid::AtLeastOnce(identifier),
                    retain: false,
                    topic_name: black_box(TOPIC_NAME),
                    payload: black_box(payload),
                });
                at += mqttrs::encode_slice(&packet, &mut output[at..]).expect("legal");
                black_box(&output);
            }
        },
    );
}

fn strings() -> Vec<(String, String)> {
    black_box(USER_PROPERTIES)
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

impl Build for v3::MqttBytes {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqttbytes::{QoS, v4};
        let mut publish = v4::Publish::from_bytes(topic_name, QoS::AtLeastOnce, payload.clone());
        publish.pkid = IDENTIFIER.get();
        v4::Packet::Publish(publish)
    }
}

impl Build for v5::MqttBytes {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqttbytes::{QoS, v5};
        let mut publish = v5::Publish::from_bytes(topic_name, QoS::AtLeastOnce, payload.clone());
        publish.pkid = IDENTIFIER.get();
        publish.properties = Some(v5::PublishProperties {
            payload_format_indicator: None,
            message_expiry_interval: None,
            topic_alias: None,
            response_topic: None,
            correlation_data: None,
            user_properties: strings(),
            subscription_identifiers: Vec::new(),
            content_type: None,
        });
        v5::Packet::Publish(publish)
    }
}

impl Build for v3::RuMqttC {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use rumqttc::mqttbytes::{QoS, v4};
        let mut publish = v4::Publish::from_bytes(topic_name, QoS::AtLeastOnce, payload.clone());
        publish.pkid = IDENTIFIER.get();
        v4::Packet::Publish(publish)
    }
}

impl Build for v5::RuMqttC {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use rumqttc::v5::mqttbytes::{QoS, v5};
        let properties = v5::PublishProperties {
            user_properties: strings(),
            ..Default::default()
        };
        let mut publish = v5::Publish::new(
            topic_name,
            QoS::AtLeastOnce,
            payload.clone(),
            Some(properties),
        );
        publish.pkid = IDENTIFIER.get();
        v5::Packet::Publish(publish)
    }
}

macro_rules! rmqtt_codec {
    ($version:ident, $properties:expr) => {
        impl Build for $version::RmqttCodec {
            type Payload = Bytes;

            fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
                rmqtt_codec::$version::Packet::Publish(Box::new(rmqtt_codec::types::Publish {
                    dup: false,
                    retain: false,
                    qos: rmqtt_codec::types::QoS::AtLeastOnce,
                    topic: topic_name.into(),
                    packet_id: Some(IDENTIFIER),
                    payload: payload.clone(),
                    properties: $properties,
                }))
            }

            fn encode_built(packet: Self::Packet, output: &mut Self::Output) {
                Self::encode_value(packet, output);
            }
        }
    };
}

rmqtt_codec!(v3, None);
rmqtt_codec!(
    v5,
    Some(rmqtt_codec::v5::PublishProperties {
        user_properties: black_box(USER_PROPERTIES)
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        ..Default::default()
    })
);

macro_rules! ntex_mqtt {
    ($version:ident $(, $properties:ident: $value:expr)?) => {
        impl Build for $version::NtexMqtt {
            type Payload = ntex_bytes::Bytes;

            fn build(topic_name: &str, payload: &Self::Payload) -> Self::Packet {
                use ntex_mqtt::$version::codec::{Encoded, Publish};
                let publish = Publish {
                    dup: false,
                    retain: false,
                    qos: ntex_mqtt::QoS::AtLeastOnce,
                    packet_id: Some(IDENTIFIER),
                    topic: topic_name.into(),
                    payload_size: payload.len() as u32,
                    $($properties: $value,)?
                };
                Encoded::Publish(publish, Some(payload.clone()))
            }

            fn encode_built(packet: Self::Packet, output: &mut Self::Output) {
                Self::encode_value(packet, output);
            }
        }
    };
}

ntex_mqtt!(v3);
ntex_mqtt!(
    v5,
    properties: ntex_mqtt::v5::codec::PublishProperties {
        user_properties: black_box(USER_PROPERTIES)
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        ..Default::default()
    }
);

impl Build for v3::MqttProtocolCore<false> {
    type Payload = Arc<[u8]>;

    fn build(topic_name: &str, payload: &Arc<[u8]>) -> Self::Packet {
        super::connections::publish_3_1_1(topic_name, IDENTIFIER.get(), payload).into()
    }
}

impl Build for v5::MqttProtocolCore<false> {
    type Payload = Arc<[u8]>;

    fn build(topic_name: &str, payload: &Arc<[u8]>) -> Self::Packet {
        super::connections::publish_5_0(topic_name, IDENTIFIER.get(), payload).into()
    }
}

impl Build for v3::Mqtt5Protocol {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqtt5_protocol::{Packet, QoS, packet::publish::PublishPacket};
        let publish = PublishPacket::new_v311(topic_name, payload.clone(), QoS::AtLeastOnce);
        Packet::Publish(publish.with_packet_id(IDENTIFIER.get()))
    }
}

impl Build for v5::Mqtt5Protocol {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqtt5_protocol::{Packet, QoS, packet::publish::PublishPacket};
        let publish = PublishPacket::new(topic_name, payload.clone(), QoS::AtLeastOnce);
        let publish = publish.with_packet_id(IDENTIFIER.get());
        let properties = black_box(USER_PROPERTIES);
        Packet::Publish(properties.iter().fold(publish, |publish, (name, value)| {
            publish.with_user_property((*name).into(), (*value).into())
        }))
    }
}

impl Build for v3::MquteCodec {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqute_codec::protocol::{Flags, QoS, v4};
        let flags = Flags::new(QoS::AtLeastOnce);
        let publish = v4::Publish::new(topic_name, IDENTIFIER.get(), payload.clone(), flags);
        v4::Packet::Publish(publish)
    }
}

impl Build for v5::MquteCodec {
    type Payload = Bytes;

    fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
        use mqute_codec::protocol::{Flags, QoS, v5};
        let properties = Some(v5::PublishProperties {
            user_properties: strings(),
            ..Default::default()
        });
        let flags = Flags::new(QoS::AtLeastOnce);
        let payload = payload.clone();
        let publish = v5::Publish::new(topic_name, IDENTIFIER.get(), properties, payload, flags);
        v5::Packet::Publish(publish)
    }
}

macro_rules! mqtt_proto {
    ($version:ident $(, $properties:ident: $value:expr)?) => {
        impl Build for $version::MqttProto {
            type Payload = Bytes;

            fn build(topic_name: &str, payload: &Bytes) -> Self::Packet {
                use mqtt_proto::{Pid, QosPid, TopicName, $version};
                $version::Packet::Publish($version::Publish {
                    dup: false,
                    retain: false,
                    qos_pid: QosPid::Level1(Pid::try_from(IDENTIFIER.get()).expect("legal")),
                    topic_name: TopicName::try_from(topic_name).expect("legal"),
                    payload: payload.clone(),
                    $($properties: $value,)?
                })
            }
        }
    };
}

mqtt_proto!(v3);
mqtt_proto!(
    v5,
    properties: mqtt_proto::v5::PublishProperties {
        user_properties: black_box(USER_PROPERTIES)
            .map(|(name, value)| mqtt_proto::v5::UserProperty {
                name: name.into(),
                value: value.into(),
            })
            .into(),
        ..Default::default()
    }
);
