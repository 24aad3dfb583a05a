//! Messages and the ends of deliveries that one read brings are taken in rows, before the model
//! hears of the first. The peer does not see that: the answers that it gets are the same as if each
//! had come alone, and in the same order, and so are the messages. Bytes that come one by one
//! make no rows.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::PropertyFields;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, confirm};
use mq_core::{Config, Protocol};
use mqtt_codec::QoS;
use proptest::prelude::*;

/// Few and many: up to 8 make a row.
const COUNTS: [usize; 6] = [1, 2, 7, 8, 9, 40];

/// Clients of MQTT use PINGREQ to see that nothing more comes.
#[test]
fn what_a_client_publishes_to_itself_comes_before_its_pingresp() {
    const PINGREQ: [u8; 2] = [0xc0, 0];
    const PINGRESP: [u8; 2] = [0xd0, 0];
    for count in COUNTS {
        let mut world = World::new();
        let mut c = Mqtt::connect(&mut world, "c");
        c.subscribe(&mut world, "t", QoS::AtMostOnce);
        for number in 0..count {
            c.publish("t", &number.to_string(), QoS::AtMostOnce);
        }
        let mut read = Vec::new();
        c.codec.poll_transmit(world.now, &mut read);
        let sent = read.clone();
        read.extend(PINGREQ);
        world.send(c.id, &read);
        // They come back as they were.
        let expected = [&sent[..], &PINGRESP].concat();
        assert_eq!(world.socket(c.id).received, expected, "{count}");
    }
}

/// A client is not to use an identifier again before PUBACK (MQTT-2.2.1-3), and cannot have
/// had that in between. Where each message is acknowledged at once, it has not been a fault either.
#[test]
fn each_message_of_an_identifier_is_acknowledged() {
    const PUBACK: [u8; 4] = [0x40, 2, 0, 1];
    let mut world = World::new();
    let mut subscriber = Mqtt::connect(&mut world, "s");
    subscriber.subscribe(&mut world, "t", QoS::AtMostOnce);
    let mut c = Mqtt::connect(&mut world, "c");
    c.publish("t", "m", QoS::AtLeastOnce);
    let mut read = Vec::new();
    c.codec.poll_transmit(world.now, &mut read);
    // The identifier follows the header of the packet, and the topic with its length.
    read[5..7].copy_from_slice(&[0, 1]);
    world.send(c.id, &read.repeat(20));
    assert_eq!(world.socket(c.id).received, PUBACK.repeat(20));
    assert_eq!(subscriber.seen(&mut world), ["t m q0"; 20]);
}

/// A client with a queue `q`, whose channel 1 confirms.
fn confirming(world: &mut World) -> Amqp {
    let mut c = Amqp::connect(world);
    c.declare("q", &table([]));
    c.codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    c.seen(world);
    c
}

/// What was published before a fault is confirmed before the channel ends for that, whatever
/// other channels do in between.
#[test]
fn confirms_come_before_the_end_of_their_channel() {
    let mut world = World::new();
    let mut c = confirming(&mut world);
    for _ in 0..3 {
        c.publish(1, "", "q", "m");
    }
    c.publish(2, "", "q", "m");
    let mut read = Vec::new();
    c.codec.poll_transmit(world.now, &mut read);
    // basic.ack of a delivery that there has not been (406).
    read.extend([1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80]);
    read.extend([0, 0, 0, 0, 0, 0, 0, 99, 0, 0xce]);
    world.send(c.id, &read);
    let received = std::mem::take(&mut world.socket(c.id).received);
    let at = |class: u8, method: u8| {
        let head = [0, class, 0, method];
        received.windows(4).position(|bytes| bytes == head)
    };
    let (ack, close) = (at(60, 80).unwrap(), at(20, 40).unwrap());
    assert!(ack < close, "{ack} {close}");
}

/// A channel that has ended takes nothing more, and the others do.
#[test]
fn what_follows_a_refused_message_is_ignored_on_its_channel() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &table([]));
    c.seen(&mut world);
    c.publish(1, "", "q", "before");
    c.publish(1, "none", "q", "refused");
    c.publish(1, "", "q", "ignored");
    c.publish(2, "", "q", "beside");
    let seen = c.seen(&mut world);
    assert!(seen.len() == 1 && seen[0].contains("404"), "{seen:?}");
    c.consume(2, "q", "c", true);
    let seen = c.seen(&mut world);
    assert_eq!(seen[1..], ["c 1 before", "c 2 beside"], "{seen:?}");
}

/// What a transaction holds is answered when it has come, after what came before it.
#[test]
fn receipts_of_a_transaction_come_in_their_turn() {
    let acknowledge = "ACK\nid:1\ntransaction:t\nreceipt:held\n\n\0";
    let send = "SEND\ndestination:/queue/q\ntransaction:t\nreceipt:held\n\n\0";
    let rows = [
        (
            "receipt:first\n",
            send,
            ["RECEIPT first", "MESSAGE ", "RECEIPT held"],
        ),
        ("", send, ["MESSAGE ", "RECEIPT held", ""]),
        ("", acknowledge, ["MESSAGE ", "RECEIPT held", ""]),
    ];
    for (receipt, held, expected) in rows {
        let mut world = World::new();
        let c = Stomp::connect(&mut world);
        c.subscribe(&mut world, "0", "/queue/q", "ack:client-individual\n");
        c.send(&mut world, "SEND\ndestination:/queue/q\n\n");
        c.send(&mut world, "BEGIN\ntransaction:t\n\n");
        let frames = c.frames(&mut world);
        let ack = frames.iter().find_map(|frame| frame.header("ack")).unwrap();
        let held = held.replace("id:1", &format!("id:{ack}"));
        let read = format!("SEND\ndestination:/queue/q\n{receipt}\n\0{held}");
        world.send(c.0, read.as_bytes());
        let frames = c.frames(&mut world);
        let mut came: Vec<String> = frames
            .iter()
            .map(|f| format!("{} {}", f.command, f.header("receipt-id").unwrap_or("")))
            .collect();
        came.resize(3, String::new());
        // A message and the receipt of its own publisher may come either way.
        came[..2].sort_by_key(|frame| receipt.is_empty() || frame.starts_with("MESSAGE"));
        assert_eq!(came, expected, "{read}");
    }
}

/// 1.0 lets any frame have a body, which is ignored: what comes behind it is taken in its turn.
#[test]
fn what_follows_a_body_that_is_nobodys_is_answered_in_its_turn() {
    let mut world = World::new();
    let c = Stomp(world.connect(Protocol::Stomp));
    c.send(&mut world, "CONNECT\nlogin:guest\npasscode:guest\n\n");
    c.subscribe(&mut world, "0", "/queue/q", "ack:client\n");
    c.send(&mut world, "SEND\ndestination:/queue/q\n\nfirst");
    let frames = c.frames(&mut world);
    let id = frames.iter().find_map(|frame| frame.header("message-id"));
    let id = id.unwrap();
    let ignored = "x".repeat(9_000);
    let read = format!(
        "SEND\ndestination:/queue/q\n\nsecond\0\
         ACK\nmessage-id:{id}\ncontent-length:9000\n\n{ignored}\0\
         BEGIN\ntransaction:t\nreceipt:r\n\n\0"
    );
    world.send(c.0, read.as_bytes());
    let frames = c.frames(&mut world);
    let commands: Vec<_> = frames.iter().map(|frame| &*frame.command).collect();
    assert_eq!(commands, ["MESSAGE", "RECEIPT"], "{frames:?}");
}

#[test]
fn what_follows_a_refused_frame_is_not_taken() {
    let mut world = World::new();
    let c = Stomp::connect(&mut world);
    let sends = [
        "SEND\ndestination:/queue/q\n\nbefore",
        "SEND\ndestination:/exchange/none/q\n\nrefused",
        "SEND\ndestination:/queue/q\n\nignored",
    ];
    let read = sends.map(|frame| format!("{frame}\0")).concat();
    world.send(c.0, read.as_bytes());
    let frames = c.frames(&mut world);
    assert!(
        frames.len() == 1 && frames[0].command == "ERROR",
        "{frames:?}"
    );
    let other = Stomp::connect(&mut world);
    other.subscribe(&mut world, "s", "/queue/q", "");
    assert_eq!(other.messages(&mut world), ["before"]);
}

/// Each end of a delivery in a row makes room for another one.
#[test]
fn deliveries_that_end_together_make_room_for_as_many() {
    for count in COUNTS {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        c.declare("q", &table([]));
        let qos = basic::Qos {
            prefetch_count: 8,
            ..Default::default()
        };
        c.codec.qos(2, &qos).unwrap();
        for number in 0..count + 8 {
            c.publish(1, "", "q", &number.to_string());
        }
        c.seen(&mut world);
        c.consume(2, "q", "c", false);
        let mut taken = c.seen(&mut world).len() - 1;
        let mut next = 0;
        while next < count {
            for tag in next..taken {
                c.codec.ack(2, Tags::One(tag as u64 + 1)).unwrap();
            }
            next = taken;
            let seen = c.seen(&mut world);
            let expected = (taken..(taken + 8).min(count + 8)).map(|n| format!("c {} {n}", n + 1));
            assert_eq!(seen, expected.collect::<Vec<_>>(), "{count}");
            taken += seen.len();
        }
    }
}

/// What a client of MQTT gets that has sent these packets, in reads of so many bytes: the packets
/// before each PINGRESP, messages first.
fn answers_of_mqtt(sent: &[Sent], receive_maximum: u16, piece: usize) -> Vec<Vec<Vec<u8>>> {
    let mut world = World::with(Config {
        receive_maximum,
        ..Config::default()
    });
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "t", QoS::AtMostOnce);
    let mut read = Vec::new();
    // Messages of QoS 2 have identifiers that no other message has.
    let mut fresh = 1_000_u16;
    for (number, packet) in sent.iter().enumerate() {
        let number = u8::try_from(number).unwrap();
        match packet {
            Sent::AtMostOnce => read.extend([0x30, 5, 0, 1, b't', 0, number]),
            Sent::AtLeastOnce(id) => read.extend([0x32, 7, 0, 1, b't', 0, *id, 0, number]),
            Sent::ExactlyOnce => {
                let [high, low] = fresh.to_be_bytes();
                fresh += 1;
                read.extend([0x34, 7, 0, 1, b't', high, low, 0, number]);
                // PUBREL.
                read.extend([0x62, 2, high, low]);
            }
            Sent::PingReq => read.extend([0xc0, 0]),
        }
    }
    world.piece = piece;
    world.send(c.id, &read);
    let mut rest = &world.socket(c.id).received[..];
    let mut answers = vec![Vec::new()];
    while let [first, len, ..] = rest {
        let (packet, after) = rest.split_at(2 + usize::from(*len));
        match first >> 4 {
            13 => answers.push(Vec::new()),
            _ => answers.last_mut().unwrap().push(packet.to_vec()),
        }
        rest = after;
    }
    for packets in &mut answers {
        packets.sort_by_key(|packet| packet[0] >> 4 != 3);
    }
    answers
}

/// A packet that a client sends.
#[derive(Debug, Clone)]
enum Sent {
    AtMostOnce,
    AtLeastOnce(u8),
    ExactlyOnce,
    PingReq,
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        2 => Just(Sent::AtMostOnce),
        6 => (1_u8..20).prop_map(Sent::AtLeastOnce),
        2 => Just(Sent::ExactlyOnce),
        1 => Just(Sent::PingReq),
    ]
}

proptest! {
    /// PUBACK, PUBREC and PUBCOMP, PINGRESP, and the messages that come back, whatever of the
    /// receive maximum is left.
    #[test]
    fn mqtt_answers_the_same_however_packets_are_read(
        sent in proptest::collection::vec(sent(), 0..60),
        receive_maximum in prop_oneof![Just(1_u16), Just(3), Just(u16::MAX)],
    ) {
        let alone = answers_of_mqtt(&sent, receive_maximum, 1);
        let together = answers_of_mqtt(&sent, receive_maximum, usize::MAX);
        prop_assert_eq!(alone, together);
    }
}

/// Identifiers that ascend make rows.
#[test]
fn messages_of_qos_1_are_acknowledged_however_they_are_read() {
    for count in COUNTS {
        for receive_maximum in [1, 2, 8, u16::MAX] {
            let sent: Vec<Sent> = (1..=count as u8).map(Sent::AtLeastOnce).collect();
            let alone = answers_of_mqtt(&sent, receive_maximum, 1);
            let packets = alone[0].iter().map(|packet| packet[0] >> 4);
            let expected = [[3].repeat(count), [4].repeat(count)].concat();
            assert_eq!(packets.collect::<Vec<_>>(), expected);
            let together = answers_of_mqtt(&sent, receive_maximum, usize::MAX);
            assert_eq!(alone, together, "{count} {receive_maximum}");
        }
    }
}

#[test]
fn stomp_answers_the_same_however_frames_are_read() {
    let answers = |piece| {
        let mut world = World::new();
        let c = Stomp::connect(&mut world);
        c.subscribe(&mut world, "s", "/queue/q", "ack:client-individual\n");
        c.send(&mut world, "SEND\ndestination:/queue/q\n\nfirst");
        let frames = c.frames(&mut world);
        let first = frames[1].header("ack").unwrap();
        let mut read = String::new();
        for number in 0..40 {
            let receipt = match number % 3 {
                0 => String::new(),
                _ => format!("receipt:r{number}\n"),
            };
            read += &format!("SEND\ndestination:/queue/q\n{receipt}\n{number}\0");
            if number == 20 {
                read += &format!("ACK\nid:{first}\nreceipt:a\n\n\0");
            }
        }
        world.piece = piece;
        world.send(c.0, read.as_bytes());
        let frames = c.frames(&mut world).into_iter();
        frames.partition::<Vec<_>, _>(|frame| frame.command == "MESSAGE")
    };
    let alone = answers(1);
    assert_eq!((alone.0.len(), alone.1.len()), (40, 27), "{alone:?}");
    assert_eq!(alone, answers(usize::MAX));
}

/// One that cannot be routed comes back before its confirm (RabbitMQ, Consumer Acknowledgements
/// and Publisher Confirms), and a channel without confirms has none. Bodies of 10,000 bytes come in
/// events of their own.
#[test]
fn confirms_are_the_same_however_messages_are_read() {
    let seen = |length, piece| {
        let mut world = World::new();
        let mut c = confirming(&mut world);
        for number in 0..40 {
            let (channel, key) = match number % 5 {
                0 => (2, "q"),
                3 => (1, "none"),
                _ => (1, "q"),
            };
            let fields = PropertyFields::default();
            let body = format!("{number:0length$}");
            c.publish_with(channel, "", key, &body, true, &fields);
        }
        world.piece = piece;
        let seen = c.seen(&mut world);
        // Several may be confirmed in one.
        let each = seen.into_iter().flat_map(|event| {
            match event
                .strip_prefix("ack ")
                .and_then(|tags| tags.split_once('-'))
            {
                None => vec![event],
                Some((first, last)) => {
                    let tags = first.parse::<u64>().unwrap()..=last.parse().unwrap();
                    tags.map(|tag| format!("ack {tag}")).collect()
                }
            }
        });
        each.collect::<Vec<_>>()
    };
    for (length, piece) in [(1, 1), (10_000, 1_000)] {
        let alone = seen(length, piece);
        let at = |begin: &str| alone.iter().position(|event| event.starts_with(begin));
        // The message that is returned first is the third one of the channel.
        let (returned, confirmed) = (at("return 312").unwrap(), at("ack 3").unwrap());
        assert!(alone.len() == 40 && returned < confirmed, "{alone:?}");
        assert_eq!(alone, seen(length, usize::MAX));
    }
}
