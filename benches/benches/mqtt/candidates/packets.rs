//! Packets from bytes and to bytes: PUBLISH with QoS 1, a topic name of 20 bytes and a
//! payload of 64 B and of 4 KiB, in 3.1.1 and in 5.0 with two user properties; and CONNECT
//! with user name and password.

use benches::{Column, Group};
use mqtt_codec::{Packet, ProtocolVersion};
use work::mqtt::{connect, publish};

use super::peer::{decode, encode, encode_by_value};
use super::{build, ours, peers};

/// A packet that the candidates of a column work on.
pub(crate) struct Work {
    pub(crate) version: ProtocolVersion,
    /// It, to be encoded by us.
    pub(crate) packet: Packet<'static>,
    /// Its bytes.
    pub(crate) bytes: &'static [u8],
    /// How many are handled between two looks at the clock.
    pub(crate) count: usize,
    name: &'static str,
}

impl Work {
    fn new(
        name: &'static str,
        version: ProtocolVersion,
        packet: Packet<'static>,
        count: usize,
    ) -> Self {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("a legal packet");
        Self {
            version,
            packet,
            bytes: bytes.leak(),
            count,
            name,
        }
    }

    /// What a socket has brought: the packet, so many times.
    pub(crate) fn stream(&self) -> Vec<u8> {
        self.bytes.repeat(self.count)
    }

    pub(crate) fn column<'a>(&self, group: &'a mut Group) -> &'a mut Column {
        group.column(self.name, self.count as u64)
    }
}

fn works() -> (Vec<Work>, Vec<Work>) {
    use ProtocolVersion::{V3_1_1, V5_0};

    let publishes = [
        ("3.1.1, 64 B", V3_1_1, 64, 64),
        ("3.1.1, 4 KiB", V3_1_1, 4096, 16),
        ("5.0, 64 B", V5_0, 64, 64),
        ("5.0, 4 KiB", V5_0, 4096, 16),
    ]
    .map(|(name, version, size, count)| {
        let payload = vec![b'x'; size].leak();
        Work::new(
            name,
            version,
            Packet::Publish(publish(version, payload)),
            count,
        )
    });
    let connects = [("3.1.1", V3_1_1), ("5.0", V5_0)]
        .map(|(name, version)| Work::new(name, version, Packet::Connect(connect(version)), 64));
    (publishes.into(), connects.into())
}

pub(crate) fn groups() -> Vec<Group> {
    let (publishes, connects) = works();
    let mut groups = Vec::new();
    for (name, works) in [("PUBLISH", &publishes), ("CONNECT", &connects)] {
        let mut group = Group::new(format!("mqtt/decode {name}"));
        for work in works {
            let column = work.column(&mut group);
            ours::decode_borrowed(column, work);
            ours::floor(column, work);
            peers::mqttrs_decode(column, work);
            decoders_that_own(column, work);
        }
        groups.push(group);
    }

    let mut group = Group::new("mqtt/decode PUBLISH, owned");
    for work in &publishes {
        let column = work.column(&mut group);
        ours::decode_owned(column, work);
        ours::floor(column, work);
        decoders_that_own(column, work);
    }
    groups.push(group);

    for (name, works) in [("PUBLISH", &publishes), ("CONNECT", &connects)] {
        let mut group = Group::new(format!("mqtt/encode {name}"));
        for work in works {
            let column = work.column(&mut group);
            ours::encode(column, work);
            ours::memcpy(column, work);
            encoders(column, work);
        }
        groups.push(group);
    }
    groups.push(build::group(&publishes));
    groups
}

fn decoders_that_own(column: &mut Column, work: &Work) {
    use peers::{v3, v5};

    let is_publish = matches!(work.packet, Packet::Publish(_));
    if work.version == ProtocolVersion::V5_0 {
        decode::<v5::MqttBytes>(column, work);
        decode::<v5::RuMqttC>(column, work);
        decode::<v5::RmqttCodec>(column, work);
        decode::<v5::NtexMqtt>(column, work);
        decode::<v5::MqttProtocolCore<false>>(column, work);
        if is_publish {
            decode::<v5::MqttProtocolCore<true>>(column, work);
        }
        decode::<v5::Mqtt5Protocol>(column, work);
        decode::<v5::MquteCodec>(column, work);
        decode::<v5::MqttProto>(column, work);
    } else {
        decode::<v3::MqttBytes>(column, work);
        decode::<v3::RuMqttC>(column, work);
        decode::<v3::RmqttCodec>(column, work);
        decode::<v3::NtexMqtt>(column, work);
        decode::<v3::MqttProtocolCore<false>>(column, work);
        if is_publish {
            decode::<v3::MqttProtocolCore<true>>(column, work);
        }
        decode::<v3::Mqtt5Protocol>(column, work);
        decode::<v3::MquteCodec>(column, work);
        decode::<v3::MqttProto>(column, work);
    }
}

fn encoders(column: &mut Column, work: &Work) {
    use peers::{v3, v5};

    if work.version == ProtocolVersion::V5_0 {
        encode::<v5::MqttBytes>(column, work);
        encode::<v5::RuMqttC>(column, work);
        encode_by_value::<v5::RmqttCodec>(column, work);
        encode_by_value::<v5::NtexMqtt>(column, work);
        encode::<v5::MqttProtocolCore<false>>(column, work);
        encode::<v5::Mqtt5Protocol>(column, work);
        encode::<v5::MquteCodec>(column, work);
        encode::<v5::MqttProto>(column, work);
    } else {
        peers::mqttrs_encode(column, work);
        encode::<v3::MqttBytes>(column, work);
        encode::<v3::RuMqttC>(column, work);
        encode_by_value::<v3::RmqttCodec>(column, work);
        encode_by_value::<v3::NtexMqtt>(column, work);
        encode::<v3::MqttProtocolCore<false>>(column, work);
        encode::<v3::Mqtt5Protocol>(column, work);
        encode::<v3::MquteCodec>(column, work);
        encode::<v3::MqttProto>(column, work);
    }
}
