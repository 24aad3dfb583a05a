//! The codecs of other people, by the entry points that are fastest for their users.

use std::hint::black_box;
use std::sync::Arc;

use benches::Column;
use bytes::{Bytes, BytesMut};
use mqtt_codec::ProtocolVersion;

use super::packets::Work;
use super::peer::{ByValue, Peer};

/// Large enough for whatever is measured.
const MAXIMUM: u32 = 1 << 20;

/// Room that a buffer has for what comes next: two peers reserve some after each packet,
/// and would have to allocate after the last one.
const ROOM: usize = 64;

/// What a socket was read into.
fn read_buffer(packet: &[u8], count: usize) -> BytesMut {
    let mut input = BytesMut::with_capacity(packet.len() * count + ROOM);
    for _ in 0..count {
        input.extend_from_slice(packet);
    }
    input
}

/// What is the same for a codec that reads from and writes to one kind of buffer.
macro_rules! buffers {
    () => {
        type Input = BytesMut;
        type Output = BytesMut;

        fn input(packet: &[u8], count: usize) -> BytesMut {
            read_buffer(packet, count)
        }

        fn clear(output: &mut BytesMut) {
            output.clear();
        }

        fn written(output: &BytesMut) -> Vec<u8> {
            output.to_vec()
        }
    };
}

/// `Decoder` and `Encoder` of tokio-util, which take the packet by value.
macro_rules! rmqtt_codec {
    ($version:ident) => {
        pub(crate) struct RmqttCodec;

        impl Peer for RmqttCodec {
            const NAME: &'static str = "rmqtt-codec";
            type Packet = rmqtt_codec::$version::Packet;
            type Input = (rmqtt_codec::$version::Codec, BytesMut);
            type Output = (rmqtt_codec::$version::Codec, BytesMut);

            fn input(packet: &[u8], count: usize) -> Self::Input {
                (Default::default(), read_buffer(packet, count))
            }

            fn decode((codec, input): &mut Self::Input) -> Self::Packet {
                use tokio_util::codec::Decoder;
                codec.decode(input).expect("legal").expect("whole").0
            }

            fn encode(packet: &Self::Packet, output: &mut Self::Output) {
                Self::encode_value(packet.clone(), output);
            }

            fn clear((_, output): &mut Self::Output) {
                output.clear();
            }

            fn written((_, output): &Self::Output) -> Vec<u8> {
                output.to_vec()
            }
        }

        impl ByValue for RmqttCodec {
            fn encode_value(packet: Self::Packet, (codec, output): &mut Self::Output) {
                use tokio_util::codec::Encoder;
                codec.encode(packet, output).expect("legal");
            }
        }
    };
}

/// Its own buffers, and its own traits.
macro_rules! ntex_mqtt {
    ($version:ident) => {
        pub(crate) struct NtexMqtt;

        impl Peer for NtexMqtt {
            const NAME: &'static str = "ntex-mqtt";
            /// A PUBLISH with all of its payload, or another packet.
            type Packet = Encoded;
            type Input = (Codec, ntex_bytes::BytesMut);
            type Output = Pages<Codec>;

            fn input(packet: &[u8], count: usize) -> Self::Input {
                let mut input = ntex_bytes::BytesMut::with_capacity(packet.len() * count + ROOM);
                input.extend_from_slice(&packet.repeat(count));
                (Codec::default(), input)
            }

            fn decode((codec, input): &mut Self::Input) -> Self::Packet {
                use ntex_codec::Decoder;
                match codec.decode(input).expect("legal").expect("whole") {
                    Decoded::Publish(publish, payload, _) => {
                        Encoded::Publish(publish, Some(payload))
                    }
                    Decoded::Packet(packet, _) => Encoded::Packet(packet),
                    Decoded::PayloadChunk(..) => unreachable!("it came with its packet"),
                }
            }

            fn encode(packet: &Self::Packet, output: &mut Self::Output) {
                Self::encode_value(packet.clone(), output);
            }

            fn clear(output: &mut Self::Output) {
                output.pages.clear();
            }

            fn written(output: &Self::Output) -> Vec<u8> {
                let mut copy = ntex_bytes::BytePages::default();
                output.pages.copy_to(&mut copy);
                copy.freeze().to_vec()
            }
        }

        impl ByValue for NtexMqtt {
            fn encode_value(packet: Self::Packet, output: &mut Self::Output) {
                use ntex_codec::Encoder;
                output
                    .codec
                    .encodev(packet, &mut output.pages)
                    .expect("legal");
            }
        }
    };
}

/// A codec of ntex with what it writes to.
#[derive(Default)]
pub(crate) struct Pages<C> {
    codec: C,
    pages: ntex_bytes::BytePages,
}

/// It wants the body of a PUBLISH in an `Arc` of its own. A user has to make that from
/// what a socket brought; what is left without is measured too.
macro_rules! mqtt_protocol_core {
    ($version:ident, $publish:ident, $connect:ident) => {
        pub(crate) struct MqttProtocolCore<const ARC_BEFORE: bool>;

        impl<const ARC_BEFORE: bool> Peer for MqttProtocolCore<ARC_BEFORE> {
            const NAME: &'static str = if ARC_BEFORE {
                "mqtt-protocol-core, Arc made before"
            } else {
                "mqtt-protocol-core"
            };
            type Packet = mqtt_protocol_core::mqtt::packet::Packet;
            type Input = Bodies;
            type Output = Vec<u8>;

            fn input(packet: &[u8], count: usize) -> Bodies {
                let mut input = Bodies {
                    stream: packet.repeat(count),
                    at: 0,
                    arcs: Vec::new(),
                };
                if ARC_BEFORE {
                    input.arcs = (0..count).map(|_| Arc::from(input.next().1)).collect();
                    input.at = 0;
                }
                input
            }

            fn decode(input: &mut Bodies) -> Self::Packet {
                use mqtt_protocol_core::mqtt::packet::{Packet, $version};
                let arc = input.arcs.pop();
                let (first, body) = input.next();
                match first >> 4 {
                    1 => Packet::$connect($version::Connect::parse(body).expect("legal").0),
                    _ => {
                        let body = arc.unwrap_or_else(|| Arc::from(body));
                        let publish = $version::Publish::parse(first & 0x0F, body);
                        Packet::$publish(publish.expect("legal").0)
                    }
                }
            }

            fn encode(packet: &Self::Packet, output: &mut Self::Output) {
                use mqtt_protocol_core::mqtt::packet::GenericPacketTrait;
                *output = packet.to_continuous_buffer();
            }

            fn clear(_: &mut Self::Output) {}

            fn written(output: &Self::Output) -> Vec<u8> {
                output.clone()
            }
        }
    };
}

/// Packets on their way to mqtt-protocol-core.
pub(crate) struct Bodies {
    stream: Vec<u8>,
    /// How far it is decoded.
    at: usize,
    arcs: Vec<Arc<[u8]>>,
}

impl Bodies {
    /// The first byte of the next packet, and what follows its fixed header.
    fn next(&mut self) -> (u8, &[u8]) {
        let rest = &self.stream[self.at..];
        let (mut length, mut shift, mut at) = (0, 0, 1);
        loop {
            length |= usize::from(rest[at] & 0x7F) << shift;
            at += 1;
            if rest[at - 1] & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        self.at += at + length;
        (rest[0], &rest[at..at + length])
    }
}

macro_rules! mqtt5_protocol {
    ($level:literal) => {
        pub(crate) struct Mqtt5Protocol;

        impl Peer for Mqtt5Protocol {
            const NAME: &'static str = "mqtt5-protocol";
            type Packet = mqtt5_protocol::Packet;
            type Input = Bytes;
            type Output = BytesMut;

            fn input(packet: &[u8], count: usize) -> Bytes {
                Bytes::from(packet.repeat(count))
            }

            fn decode(input: &mut Bytes) -> Self::Packet {
                let header = mqtt5_protocol::FixedHeader::decode(input).expect("legal");
                let mut body = input.split_to(header.remaining_length as usize);
                mqtt5_protocol::Packet::decode_from_body_with_version(
                    header.packet_type,
                    &header,
                    &mut body,
                    $level,
                )
                .expect("legal")
            }

            fn encode(packet: &Self::Packet, output: &mut BytesMut) {
                use mqtt5_protocol::packet::MqttPacket;
                match packet {
                    // Shorter than its `encode`, which writes the body to a buffer first.
                    mqtt5_protocol::Packet::Publish(publish) => {
                        mqtt5_protocol::FixedHeader::new(
                            mqtt5_protocol::PacketType::Publish,
                            publish.flags(),
                            publish.body_encoded_size() as u32,
                        )
                        .encode(output)
                        .expect("legal");
                        publish.encode_body_direct(output).expect("legal");
                    }
                    mqtt5_protocol::Packet::Connect(connect) => {
                        connect.encode(output).expect("legal");
                    }
                    other => unreachable!("{other:?}"),
                }
            }

            fn clear(output: &mut BytesMut) {
                output.clear();
            }

            fn written(output: &BytesMut) -> Vec<u8> {
                output.to_vec()
            }
        }
    };
}

macro_rules! mqute_codec {
    ($version:ident) => {
        pub(crate) struct MquteCodec;

        impl Peer for MquteCodec {
            const NAME: &'static str = "mqute-codec";
            type Packet = mqute_codec::protocol::$version::Packet;
            buffers!();

            fn decode(input: &mut BytesMut) -> Self::Packet {
                let raw = mqute_codec::codec::PacketCodec::new(None, None)
                    .try_decode(input)
                    .expect("legal");
                Self::Packet::decode(raw).expect("legal")
            }

            fn encode(packet: &Self::Packet, output: &mut BytesMut) {
                packet.encode(output).expect("legal");
            }
        }
    };
}

/// `decode_buffer`, which its asynchronous readers use too: `Packet::decode` is slower.
macro_rules! mqtt_proto {
    ($version:ident) => {
        pub(crate) struct MqttProto;

        impl Peer for MqttProto {
            const NAME: &'static str = "mqtt-proto";
            type Packet = mqtt_proto::$version::Packet;
            /// The bytes, and how far they are decoded.
            type Input = (Vec<u8>, usize);
            type Output = Option<mqtt_proto::VarBytes>;

            fn input(packet: &[u8], count: usize) -> Self::Input {
                (packet.repeat(count), 0)
            }

            fn decode((input, at): &mut Self::Input) -> Self::Packet {
                use mqtt_proto::PollHeader;
                let rest = &input[*at..];
                let header = mqtt_proto::$version::Header::decode(rest).expect("legal");
                let remaining = header.remaining_len();
                let start = 1 + mqtt_proto::var_int_len(remaining).expect("legal");
                *at += start + remaining;
                let body = &rest[start..start + remaining];
                header.decode_buffer(body, &mut 0).expect("legal")
            }

            fn encode(packet: &Self::Packet, output: &mut Self::Output) {
                *output = Some(packet.encode().expect("legal"));
            }

            fn clear(_: &mut Self::Output) {}

            fn written(output: &Self::Output) -> Vec<u8> {
                output.as_ref().expect("encoded").as_ref().to_vec()
            }
        }
    };
}

pub(crate) mod v3 {
    use mqttbytes::v4 as mqttbytes_v4;
    use ntex_mqtt::v3::codec::{Codec, Decoded, Encoded};
    use rumqttc::mqttbytes::v4 as rumqttc_v4;

    use super::*;

    pub(crate) struct MqttBytes;

    impl Peer for MqttBytes {
        const NAME: &'static str = "mqttbytes";
        type Packet = mqttbytes_v4::Packet;
        buffers!();

        fn decode(input: &mut BytesMut) -> Self::Packet {
            mqttbytes_v4::read(input, MAXIMUM as usize).expect("legal")
        }

        fn encode(packet: &Self::Packet, output: &mut BytesMut) {
            match packet {
                mqttbytes_v4::Packet::Publish(packet) => packet.write(output),
                mqttbytes_v4::Packet::Connect(packet) => packet.write(output),
                other => unreachable!("{other:?}"),
            }
            .expect("legal");
        }
    }

    pub(crate) struct RuMqttC;

    impl Peer for RuMqttC {
        const NAME: &'static str = "rumqttc";
        type Packet = rumqttc_v4::Packet;
        buffers!();

        fn decode(input: &mut BytesMut) -> Self::Packet {
            rumqttc_v4::Packet::read(input, MAXIMUM as usize).expect("legal")
        }

        fn encode(packet: &Self::Packet, output: &mut BytesMut) {
            packet.write(output, MAXIMUM as usize).expect("legal");
        }
    }

    rmqtt_codec!(v3);
    ntex_mqtt!(v3);
    mqtt_protocol_core!(v3_1_1, V3_1_1Publish, V3_1_1Connect);
    mqtt5_protocol!(4);
    mqute_codec!(v4);
    mqtt_proto!(v3);
}

pub(crate) mod v5 {
    use mqttbytes::v5 as mqttbytes_v5;
    use ntex_mqtt::v5::codec::{Codec, Decoded, Encoded};
    use rumqttc::v5::mqttbytes::v5 as rumqttc_v5;

    use super::*;

    pub(crate) struct MqttBytes;

    impl Peer for MqttBytes {
        const NAME: &'static str = "mqttbytes";
        type Packet = mqttbytes_v5::Packet;
        buffers!();

        fn decode(input: &mut BytesMut) -> Self::Packet {
            mqttbytes_v5::read(input, MAXIMUM as usize).expect("legal")
        }

        fn encode(packet: &Self::Packet, output: &mut BytesMut) {
            match packet {
                mqttbytes_v5::Packet::Publish(packet) => packet.write(output),
                mqttbytes_v5::Packet::Connect(packet) => packet.write(output),
                other => unreachable!("{other:?}"),
            }
            .expect("legal");
        }
    }

    pub(crate) struct RuMqttC;

    impl Peer for RuMqttC {
        const NAME: &'static str = "rumqttc";
        type Packet = rumqttc_v5::Packet;
        buffers!();

        fn decode(input: &mut BytesMut) -> Self::Packet {
            rumqttc_v5::Packet::read(input, Some(MAXIMUM)).expect("legal")
        }

        fn encode(packet: &Self::Packet, output: &mut BytesMut) {
            packet.write(output, Some(MAXIMUM)).expect("legal");
        }
    }

    rmqtt_codec!(v5);
    ntex_mqtt!(v5);
    mqtt_protocol_core!(v5_0, V5_0Publish, V5_0Connect);
    mqtt5_protocol!(5);
    mqute_codec!(v5);
    mqtt_proto!(v5);
}

/// It borrows, and knows 3.1.1 only.
pub(crate) fn mqttrs_decode(column: &mut Column, work: &Work) {
    if work.version == ProtocolVersion::V5_0 {
        return;
    }
    let (stream, length) = (work.stream(), work.bytes.len());
    column.add_batched(
        "mqttrs",
        move || BytesMut::from(&stream[..]),
        move |input| {
            let mut rest = &input[..];
            while !rest.is_empty() {
                match &mqttrs::decode_slice(rest) {
                    Ok(Some(packet)) => {
                        black_box(packet);
                        // It does not tell.
                        rest = &rest[length..];
                    }
                    other => panic!("{other:?}"),
                }
            }
        },
    );
}

pub(crate) fn mqttrs_encode(column: &mut Column, work: &Work) {
    let count = work.count;
    let packet = mqttrs::decode_slice(work.bytes)
        .expect("legal")
        .expect("whole");
    let mut output = vec![0; work.bytes.len() * count];
    let length = mqttrs::encode_slice(&packet, &mut output).expect("legal");
    assert_eq!(&output[..length], work.bytes);
    column.add_batched(
        "mqttrs",
        || (),
        move |()| {
            let mut at = 0;
            for _ in 0..count {
                let room = &mut output[at..];
                at += mqttrs::encode_slice(black_box(&packet), room).expect("legal");
                black_box(&output);
            }
        },
    );
}
