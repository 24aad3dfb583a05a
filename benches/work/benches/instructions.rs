//! How many instructions the work takes, counted by Callgrind. `benches/instructions` compares
//! them with what is recorded.

use std::hint::black_box;

use bytes::BytesMut;
use gungraun::prelude::*;
use gungraun::{Callgrind, main};
use mqtt_codec::ProtocolVersion::{self, V3_1_1, V5_0};
use mqtt_codec::connection::{ClientConnection, ServerConnection};
use mqtt_codec::{Packet, PacketBuf};
use stomp_codec::{Command, Frame, Version};
use work::{Turn, amqp, broker, mqtt, ready, stomp};

/// Packets and frames that a turn decodes or encodes, and messages of a connection.
const COUNT: usize = 16;
/// Bytes of a body.
const BODY: usize = 64;
/// How many others there are where it must not matter.
const MANY: usize = 1000;

/// Does the work once more. The state is dropped by the caller, uncounted.
fn once(mut turn: Turn) -> Turn {
    turn();
    turn
}

#[library_benchmark]
#[bench::decode_publish(amqp_decoder("publish, 64 B"))]
#[bench::decode_deliver(amqp_decoder("deliver, 64 B"))]
#[bench::decode_queue_declare(amqp_decoder("queue.declare"))]
#[bench::decode_publish_owned(amqp_owner("publish, 64 B"))]
#[bench::encode_publish(amqp_encoder("publish, 64 B"))]
#[bench::encode_deliver(amqp_encoder("deliver, 64 B"))]
#[bench::encode_queue_declare(amqp_encoder("queue.declare"))]
#[bench::connection_publish_confirm(amqp_connection(amqp::connection::Joined::publish))]
#[bench::connection_deliver_ack(amqp_connection(amqp::connection::Joined::deliver))]
fn in_amqp_codec(turn: Turn) -> Turn {
    once(turn)
}

fn amqp_bytes(sample: &str) -> Vec<u8> {
    let mut samples = amqp::samples().into_iter();
    let found = samples.find(|one| one.name == sample);
    found.expect("there is one").bytes.repeat(COUNT)
}

fn amqp_decoder(sample: &str) -> Turn {
    let input = amqp_bytes(sample);
    ready(move || amqp::frames::decode_borrowed(black_box(&input)))
}

fn amqp_owner(sample: &str) -> Turn {
    let input = amqp_bytes(sample);
    ready(move || amqp::frames::decode_owned(&mut BytesMut::from(black_box(&input[..]))))
}

fn amqp_encoder(sample: &str) -> Turn {
    ready(amqp::frames::encoder(amqp_bytes(sample)))
}

fn amqp_connection(turn: fn(&mut amqp::connection::Joined, u64)) -> Turn {
    let mut joined = amqp::connection::open();
    ready(move || turn(&mut joined, COUNT as u64))
}

#[library_benchmark]
#[bench::decode_publish_3_1_1(mqtt_decoder(V3_1_1, mqtt_publish(V3_1_1)))]
#[bench::decode_publish_5_0(mqtt_decoder(V5_0, mqtt_publish(V5_0)))]
#[bench::decode_connect_5_0(mqtt_decoder(V5_0, Packet::Connect(mqtt::connect(V5_0))))]
#[bench::decode_publish_5_0_owned(mqtt_owner(V5_0, mqtt_publish(V5_0)))]
#[bench::encode_publish_3_1_1(mqtt_encoder(V3_1_1, mqtt_publish(V3_1_1)))]
#[bench::encode_publish_5_0(mqtt_encoder(V5_0, mqtt_publish(V5_0)))]
#[bench::encode_connect_5_0(mqtt_encoder(V5_0, Packet::Connect(mqtt::connect(V5_0))))]
#[bench::connection_client_receives(mqtt::connection::receive::<ClientConnection>(V5_0, COUNT as u16))]
#[bench::connection_client_sends(mqtt::connection::send::<ClientConnection>(V5_0, COUNT as u16))]
#[bench::connection_server_receives(mqtt::connection::receive::<ServerConnection>(V5_0, COUNT as u16))]
#[bench::connection_server_sends(mqtt::connection::send::<ServerConnection>(V5_0, COUNT as u16))]
fn in_mqtt_codec(turn: Turn) -> Turn {
    once(turn)
}

fn mqtt_publish(version: ProtocolVersion) -> Packet<'static> {
    Packet::Publish(mqtt::publish(version, &[b'x'; BODY]))
}

fn mqtt_decoder(version: ProtocolVersion, packet: Packet<'static>) -> Turn {
    let input = mqtt::connection::encoded(&packet, version).repeat(COUNT);
    let limits = mqtt_codec::Limits::default();
    ready(move || {
        let mut rest = black_box(&input[..]);
        while !rest.is_empty() {
            let found = mqtt_codec::decode(rest, version, &limits).expect("legal");
            let (packet, length) = found.expect("whole");
            black_box(packet);
            rest = &rest[length..];
        }
    })
}

fn mqtt_owner(version: ProtocolVersion, packet: Packet<'static>) -> Turn {
    let input = mqtt::connection::encoded(&packet, version).repeat(COUNT);
    let limits = mqtt_codec::Limits::default();
    ready(move || {
        let mut rest = BytesMut::from(black_box(&input[..]));
        while !rest.is_empty() {
            black_box(PacketBuf::decode(&mut rest, version, &limits).expect("legal"));
        }
    })
}

fn mqtt_encoder(version: ProtocolVersion, packet: Packet<'static>) -> Turn {
    let mut output = BytesMut::new();
    ready(move || {
        output.clear();
        for _ in 0..COUNT {
            black_box(&packet)
                .encode(version, &mut output)
                .expect("legal");
        }
        black_box(&output);
    })
}

#[library_benchmark]
#[bench::decode_message(stomp_decoder(|frame| { black_box(frame); }))]
#[bench::decode_message_owned(stomp_decoder(|frame| { black_box(frame.to_buf().expect("decoded")); }))]
#[bench::encode_send(stomp_encoder())]
#[bench::connection_client_receives(stomp_client())]
#[bench::connection_server_receives(stomp_server(stomp::connection::Server::receive_all))]
#[bench::connection_server_sends(stomp_server(stomp::connection::Server::send_all))]
fn in_stomp_codec(turn: Turn) -> Turn {
    once(turn)
}

fn stomp_decoder(take: impl Fn(Frame<'_>) + 'static) -> Turn {
    let input = stomp::message(&[b'x'; BODY]).repeat(COUNT);
    let limits = stomp_codec::Limits::default();
    ready(move || {
        let mut rest = black_box(&input[..]);
        while !rest.is_empty() {
            let found = stomp_codec::decode(rest, Version::V1_2, &limits).expect("legal");
            let (frame, length) = found.expect("whole");
            take(frame);
            rest = &rest[length..];
        }
    })
}

fn stomp_encoder() -> Turn {
    let mut output = BytesMut::new();
    ready(move || {
        output.clear();
        for _ in 0..COUNT {
            let body = black_box(&[b'x'; BODY]);
            Frame::new(Version::V1_2, Command::Send, &stomp::HEADERS, body)
                .encode(&mut output)
                .expect("legal");
        }
        black_box(&output);
    })
}

fn stomp_client() -> Turn {
    let mut client = stomp::connection::Client::new(BODY);
    ready(move || client.acknowledge_all())
}

fn stomp_server(turn: fn(&mut stomp::connection::Server)) -> Turn {
    let mut server = stomp::connection::Server::new(BODY);
    ready(move || turn(&mut server))
}

#[library_benchmark]
#[bench::amqp_publish_deliver(broker_turn("AMQP publish, deliver"))]
#[bench::amqp_publish_deliver_ack(broker_turn("AMQP publish, deliver, ack"))]
#[bench::amqp_nack_deliver_again(broker_turn("AMQP nack, deliver again"))]
#[bench::amqp_stored(broker_turn("AMQP, stored"))]
#[bench::amqp_stored_ack(broker_turn("AMQP, stored, ack"))]
#[bench::mqtt_publish_deliver(broker_turn("MQTT QoS 0"))]
#[bench::stomp_send_message(broker_turn("STOMP SEND, MESSAGE"))]
#[bench::amqp_large(broker_large("AMQP publish, deliver"))]
#[bench::mqtt_large(broker_large("MQTT QoS 0"))]
#[bench::stomp_large(broker_large("STOMP SEND, MESSAGE"))]
#[bench::filters_with_plus_at_the_end(broker_crowd("MQTT filters `dev/N/+`"))]
#[bench::filters_with_plus_at_the_start(broker_crowd("MQTT filters `+/N/state`"))]
#[bench::filters_without_wildcard(broker_crowd("MQTT filters `dev/N/state`"))]
#[bench::keys_of_a_direct_exchange(broker_crowd("AMQP keys of `amq.direct`"))]
#[bench::keys_of_a_topic_exchange(broker_crowd("AMQP keys `dev.N.*`"))]
#[bench::retained_of_one_topic(broker_crowd("SUBSCRIBE `dev/7/state`"))]
#[bench::retained_by_wildcard(broker_crowd("SUBSCRIBE `dev/7/+`"))]
#[bench::backlog_publish_deliver_ack(broker_crowd("publish, deliver, ack"))]
#[bench::backlog_nack_deliver_again(broker_crowd("nack, deliver again"))]
fn in_mq_core(turn: Turn) -> Turn {
    once(turn)
}

fn broker_turn(name: &str) -> Turn {
    broker_turn_of(name, BODY)
}

/// A little more than what comes in one read: a copy of it shows.
fn broker_large(name: &str) -> Turn {
    broker_turn_of(name, 64 * 1024)
}

fn broker_turn_of(name: &str, body: usize) -> Turn {
    let found = broker::TURNS.iter().find(|(one, _)| *one == name);
    found.expect("there is one").1(body)
}

/// Named by what there are many of, or by the turn.
fn broker_crowd(name: &str) -> Turn {
    let mut crowds = broker::CROWDS.iter();
    let found = crowds.find(|one| one.many == name || one.turn == name);
    (found.expect("there is one").make)(MANY)
}

library_benchmark_group!(
    name = all,
    benchmarks = [in_amqp_codec, in_mqtt_codec, in_stomp_codec, in_mq_core]
);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = all
);
