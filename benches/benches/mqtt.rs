//! MQTT: PUBLISH with QoS 1, a topic of 20 bytes and a payload of 64 B and of
//! 4 KiB, in 3.1.1 and in 5.0 with two user properties; and CONNECT.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mqtt_codec::{
    Connect, Limits, Packet, PropertiesBuf, PropertiesBuilder, Property, ProtocolVersion, Publish,
    QoS, decode,
};

const TOPIC: &str = "sensors/kitchen/temp";
const VERSIONS: [(ProtocolVersion, &str); 2] = [
    (ProtocolVersion::V3_1_1, "3.1.1"),
    (ProtocolVersion::V5_0, "5.0"),
];
const PAYLOADS: [usize; 2] = [64, 4096];

fn properties(version: ProtocolVersion) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    if version == ProtocolVersion::V5_0 {
        for (name, value) in [("unit", "celsius"), ("source", "gateway-17")] {
            builder
                .push(Property::UserProperty(name, value))
                .expect("a legal property");
        }
    }
    builder.build()
}

fn publish<'a>(properties: &'a PropertiesBuf, payload: &'a [u8]) -> Packet<'a> {
    Packet::Publish(Publish {
        qos: QoS::AtLeastOnce,
        packet_identifier: Some(const { std::num::NonZeroU16::new(42).unwrap() }),
        properties: properties.as_properties(),
        ..Publish::new(TOPIC, payload)
    })
}

fn bytes_of(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut out = Vec::new();
    packet.encode(version, &mut out).expect("a legal packet");
    out
}

fn decoding(c: &mut Criterion) {
    let limits = Limits::default();
    for (version, name) in VERSIONS {
        let properties = properties(version);
        for size in PAYLOADS {
            let mut group = c.benchmark_group(format!("mqtt/decode PUBLISH {name}"));
            let payload = vec![b'x'; size];
            let input = &bytes_of(&publish(&properties, &payload), version)[..];
            group.bench_function(BenchmarkId::new("floor: memcpy", size), |b| {
                let mut out = vec![0; input.len()];
                b.iter(|| black_box(&mut out).copy_from_slice(black_box(input)));
            });
            group.bench_function(BenchmarkId::new("mqtt-codec, borrowed", size), |b| {
                b.iter(|| decode(black_box(input), version, &limits).expect("legal"));
            });
            peers::decode_publish(&mut group, input, version, size);
            group.finish();
        }
        let mut group = c.benchmark_group(format!("mqtt/decode CONNECT {name}"));
        let input = &connect(version)[..];
        group.bench_function("mqtt-codec, borrowed", |b| {
            b.iter(|| decode(black_box(input), version, &limits).expect("legal"));
        });
        peers::decode_connect(&mut group, input, version);
        group.finish();
    }
}

fn connect(version: ProtocolVersion) -> Vec<u8> {
    let packet = Packet::Connect(Connect {
        keep_alive: 60,
        user_name: Some("kitchen"),
        password: Some(b"secret"),
        ..Connect::new(version, "thermometer-0017")
    });
    bytes_of(&packet, version)
}

fn encoding(c: &mut Criterion) {
    for (version, name) in VERSIONS {
        let properties = properties(version);
        for size in PAYLOADS {
            let mut group = c.benchmark_group(format!("mqtt/encode PUBLISH {name}"));
            let payload = vec![b'x'; size];
            let packet = publish(&properties, &payload);
            group.bench_function(BenchmarkId::new("mqtt-codec", size), |b| {
                let mut out = BytesMut::with_capacity(8192);
                b.iter(|| {
                    out.clear();
                    black_box(&packet).encode(version, &mut out).expect("legal");
                });
            });
            peers::encode_publish(&mut group, &payload, version, size);
            group.finish();
        }
    }
}

mod peers {
    use std::hint::black_box;
    use std::sync::Arc;

    use bytes::{Bytes, BytesMut};
    use criterion::BatchSize::SmallInput;
    use criterion::measurement::WallTime;
    use criterion::{BenchmarkGroup, BenchmarkId};
    use mqtt_codec::ProtocolVersion;

    use super::TOPIC;

    type Group<'a> = BenchmarkGroup<'a, WallTime>;

    /// The flags and where the body starts: some peers take these, not a packet.
    fn body(input: &[u8]) -> (u8, &[u8]) {
        let length = input[1..].iter().take_while(|b| **b & 0x80 != 0).count() + 1;
        (input[0] & 0x0F, &input[1 + length..])
    }

    pub(super) fn decode_publish(
        group: &mut Group<'_>,
        input: &[u8],
        version: ProtocolVersion,
        size: usize,
    ) {
        let whole = || BytesMut::from(input);
        let v5 = version == ProtocolVersion::V5_0;
        group.bench_function(BenchmarkId::new("mqttbytes", size), |b| {
            if v5 {
                b.iter_batched_ref(
                    whole,
                    |buffer| mqttbytes::v5::read(buffer, 1 << 20).expect("legal"),
                    SmallInput,
                );
            } else {
                b.iter_batched_ref(
                    whole,
                    |buffer| mqttbytes::v4::read(buffer, 1 << 20).expect("legal"),
                    SmallInput,
                );
            }
        });
        group.bench_function(BenchmarkId::new("rumqttc", size), |b| {
            if v5 {
                b.iter_batched_ref(
                    whole,
                    |buffer| rumqttc::v5::mqttbytes::v5::Packet::read(buffer, None).expect("legal"),
                    SmallInput,
                );
            } else {
                b.iter_batched_ref(
                    whole,
                    |buffer| rumqttc::mqttbytes::v4::Packet::read(buffer, 1 << 20).expect("legal"),
                    SmallInput,
                );
            }
        });
        let (flags, rest) = body(input);
        group.bench_function(BenchmarkId::new("mqtt-protocol-core", size), |b| {
            use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
            // It owns its bytes, in an Arc that is made for each packet.
            if v5 {
                b.iter(|| v5_0::Publish::parse(flags, Arc::from(black_box(rest))).expect("legal"));
            } else {
                b.iter(|| {
                    v3_1_1::Publish::parse(flags, Arc::from(black_box(rest))).expect("legal")
                });
            }
        });
        if !v5 {
            group.bench_function(BenchmarkId::new("mqttrs", size), |b| {
                b.iter(|| mqttrs::decode_slice(black_box(input)).expect("legal"));
            });
        }
    }

    pub(super) fn decode_connect(group: &mut Group<'_>, input: &[u8], version: ProtocolVersion) {
        let whole = || BytesMut::from(input);
        if version == ProtocolVersion::V5_0 {
            group.bench_function("mqttbytes", |b| {
                b.iter_batched_ref(
                    whole,
                    |buffer| mqttbytes::v5::read(buffer, 1 << 20).expect("legal"),
                    SmallInput,
                );
            });
        } else {
            group.bench_function("mqttbytes", |b| {
                b.iter_batched_ref(
                    whole,
                    |buffer| mqttbytes::v4::read(buffer, 1 << 20).expect("legal"),
                    SmallInput,
                );
            });
            group.bench_function("mqttrs", |b| {
                b.iter(|| mqttrs::decode_slice(black_box(input)).expect("legal"));
            });
        }
    }

    pub(super) fn encode_publish(
        group: &mut Group<'_>,
        payload: &[u8],
        version: ProtocolVersion,
        size: usize,
    ) {
        let payload = Bytes::copy_from_slice(payload);
        group.bench_function(BenchmarkId::new("mqttbytes", size), |b| {
            let mut out = BytesMut::with_capacity(8192);
            if version == ProtocolVersion::V5_0 {
                let mut packet = mqttbytes::v5::Publish::from_bytes(
                    TOPIC,
                    mqttbytes::QoS::AtLeastOnce,
                    payload.clone(),
                );
                packet.pkid = 42;
                packet.properties = Some(mqttbytes::v5::PublishProperties {
                    payload_format_indicator: None,
                    message_expiry_interval: None,
                    topic_alias: None,
                    response_topic: None,
                    correlation_data: None,
                    user_properties: vec![
                        ("unit".into(), "celsius".into()),
                        ("source".into(), "gateway-17".into()),
                    ],
                    subscription_identifiers: Vec::new(),
                    content_type: None,
                });
                b.iter(|| {
                    out.clear();
                    black_box(&packet).write(&mut out).expect("legal")
                });
            } else {
                let mut packet = mqttbytes::v4::Publish::from_bytes(
                    TOPIC,
                    mqttbytes::QoS::AtLeastOnce,
                    payload.clone(),
                );
                packet.pkid = 42;
                b.iter(|| {
                    out.clear();
                    black_box(&packet).write(&mut out).expect("legal")
                });
            }
        });
    }
}

criterion_group!(benches, decoding, encoding);
criterion_main!(benches);
