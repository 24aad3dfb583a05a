//! Messages and the ends of deliveries that one read brings are taken in rows, before the model
//! hears of the first. The peer does not see that: what it gets, and in which order, is the same as
//! if each had come alone.

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, confirm};
use mqtt_codec::QoS;

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

/// What was published before a fault is confirmed before the channel ends for that.
#[test]
fn confirms_come_before_the_end_of_their_channel() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &table([]));
    c.codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    c.seen(&mut world);
    for _ in 0..3 {
        c.publish(1, "", "q", "m");
    }
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
