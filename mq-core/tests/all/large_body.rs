//! Large bodies: they arrive as they were sent however they were cut on their way in, their
//! memory is not copied on their way out, and what has come of those that are not whole is
//! bounded.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::TableBuf;
use amqp_codec::connection::{Mandatory, Message};
use bytes::Bytes;
use mq_core::frontend::{self, FrontEnd, Progress};
use mq_core::model::{Name, Notice, Request};
use mq_core::{Config, ConnectionId, Input, Output, Protocol, Terms};
use mqtt_codec::QoS;
use mqtt_codec::connection::Message as Publish;
use std::sync::Arc;
use std::time::Duration;

/// Digits that say where they stand.
fn body(len: usize) -> String {
    let mut body = String::with_capacity(len + 8);
    while body.len() < len {
        body += &format!("{:07},", body.len());
    }
    body.truncate(len);
    body
}

/// One after the other, small ones between: around where they begin to be large, several in
/// one read, and larger than a frame of AMQP and a read of the server.
const SIZES: &[usize] = &[
    10, 4_095, 4_096, 4_097, 1, 16_384, 16_384, 65_536, 3, 140_000, 300_000, 0,
];

/// What one client of each protocol receives of `topic/all`.
struct Consumers {
    amqp: Amqp,
    mqtt: Mqtt,
    stomp: Stomp,
}

impl Consumers {
    fn new(world: &mut World) -> Self {
        let mut amqp = Amqp::connect(world);
        amqp.declare("q", &TableBuf::new());
        amqp.bind("q", "amq.topic", "topic.all");
        amqp.consume(1, "q", "c", true);
        amqp.seen(world);
        let mut mqtt = Mqtt::connect(world, "consumer");
        mqtt.subscribe(world, "topic/all", QoS::AtLeastOnce);
        let stomp = Stomp::connect(world);
        stomp.subscribe(world, "0", "/topic/topic.all", "");
        stomp.frames(world);
        Self { amqp, mqtt, stomp }
    }

    fn check(&mut self, world: &mut World, what: &str) {
        let expected: Vec<String> = SIZES.iter().map(|&len| body(len)).collect();
        self.amqp.contents.clear();
        self.amqp.seen(world);
        let contents = self.amqp.contents.iter();
        let amqp: Vec<_> = contents
            .map(|c| String::from_utf8_lossy(c.body()).into_owned())
            .collect();
        self.mqtt.messages.clear();
        self.mqtt.seen(world);
        let messages = self.mqtt.messages.iter();
        let mqtt: Vec<_> = messages
            .map(|m| String::from_utf8_lossy(&m.payload).into_owned())
            .collect();
        let stomp = self.stomp.messages(world);
        for (name, came) in [("AMQP", amqp), ("MQTT", mqtt), ("STOMP", stomp)] {
            let lens = |bodies: &[String]| bodies.iter().map(String::len).collect::<Vec<_>>();
            assert_eq!(lens(&came), lens(&expected), "{what} to {name}");
            assert!(came == expected, "{what} to {name}");
        }
    }
}

#[test]
fn they_arrive_however_they_are_cut() {
    for piece in [999, 4_096, 30_000, 65_536, usize::MAX] {
        let mut world = World::new();
        let mut consumers = Consumers::new(&mut world);
        world.piece = piece;
        let mut amqp = Amqp::connect(&mut world);
        for &len in SIZES {
            amqp.publish(1, "amq.topic", "topic.all", &body(len));
        }
        amqp.seen(&mut world);
        consumers.check(&mut world, &format!("AMQP by {piece}"));
        let mut mqtt = Mqtt::connect(&mut world, "publisher");
        for &len in SIZES {
            let body = body(len);
            let message = Publish::new("topic/all", &body, QoS::AtLeastOnce);
            mqtt.codec.publish(&message).unwrap();
        }
        mqtt.seen(&mut world);
        consumers.check(&mut world, &format!("MQTT by {piece}"));
        let stomp = Stomp::connect(&mut world);
        let mut stream = String::new();
        for &len in SIZES {
            let body = body(len);
            stream +=
                &format!("SEND\ndestination:/topic/topic.all\ncontent-length:{len}\n\n{body}\0");
        }
        world.send(stomp.0, stream.as_bytes());
        consumers.check(&mut world, &format!("STOMP by {piece}"));
    }
}

/// One that is as much work as a connection may have done at one time leaves what came behind
/// its end for a later time, and that comes without more input.
#[test]
fn what_follows_one_that_takes_a_whole_turn_is_not_left() {
    let mut world = World::new();
    let consumer = Stomp::connect(&mut world);
    consumer.subscribe(&mut world, "0", "/queue/q", "");
    let stomp = Stomp::connect(&mut world);
    let send = |text: &str| {
        let len = text.len();
        format!("SEND\ndestination:/queue/q\ncontent-length:{len}\n\n{text}\0")
    };
    let large = body(6_000_000);
    let stream = send(&large) + &send("small");
    let (begin, rest) = stream.as_bytes().split_at(3_000_000);
    world.send(stomp.0, begin);
    world.send(stomp.0, rest);
    let came = consumer.messages(&mut world);
    assert_eq!(
        came.iter().map(String::len).collect::<Vec<_>>(),
        [6_000_000, 5]
    );
    assert!(came[0] == large);
}

/// How many of the last outputs to this connection lie in `memory`.
fn shared(world: &World, connection: ConnectionId, memory: &Bytes) -> usize {
    let outputs = world.outputs.iter().filter(|output| match output {
        Output::Transmit {
            connection: to,
            bytes,
        } => *to == connection && memory.as_ptr_range().contains(&bytes.as_ptr()),
        _ => false,
    });
    outputs.count()
}

/// What came in one read goes to all three protocols from where it was received.
#[test]
fn they_are_not_copied_on_their_way() {
    let text = body(50_000);
    let mut world = World::new();
    let consumers = Consumers::new(&mut world);
    let mut amqp = Amqp::connect(&mut world);
    amqp.publish(1, "amq.topic", "topic.all", &text);
    let mut bytes = Vec::new();
    amqp.codec.poll_transmit(world.now, &mut bytes);
    let mut mqtt = Mqtt::connect(&mut world, "publisher");
    let message = Publish::new("topic/all", &text, QoS::AtMostOnce);
    mqtt.codec.publish(&message).unwrap();
    let mut packet = Vec::new();
    mqtt.codec.poll_transmit(world.now, &mut packet);
    let stomp = Stomp::connect(&mut world);
    let frame = format!("SEND\ndestination:/topic/topic.all\ncontent-length:50000\n\n{text}\0");
    let rows = [
        (amqp.id, bytes),
        (mqtt.id, packet),
        (stomp.0, frame.into_bytes()),
    ];
    for (connection, bytes) in rows {
        let bytes = Bytes::from(bytes);
        world.outputs.clear();
        world.handle(Input::Received {
            connection,
            bytes: bytes.clone(),
        });
        for consumer in [consumers.amqp.id, consumers.mqtt.id, consumers.stomp.0] {
            assert_eq!(
                shared(&world, consumer, &bytes),
                1,
                "{connection:?} {consumer:?}"
            );
        }
    }
    assert!(
        consumers
            .stomp
            .messages(&mut world)
            .iter()
            .all(|body| *body == text)
    );
}

/// Where a SEND with this body is cut into two reads, and the reads.
fn two_reads(headers: &str, text: &str, cut: usize) -> [Bytes; 2] {
    let len = text.len();
    let head = format!("SEND\n{headers}content-length:{len}\n\n");
    let (begin, rest) = text.split_at(cut);
    [format!("{head}{begin}").into(), format!("{rest}\0").into()]
}

/// The slices of this length and more that went to a connection.
fn large_slices(world: &World, connection: ConnectionId, least: usize) -> Vec<Bytes> {
    let outputs = world.outputs.iter().filter_map(|output| match output {
        Output::Transmit {
            connection: to,
            bytes,
        } if *to == connection && bytes.len() >= least => Some(bytes.clone()),
        _ => None,
    });
    outputs.collect()
}

/// A body that came in two reads goes out from both of them.
#[test]
fn parts_are_not_copied_on_their_way() {
    let text = body(60_000);
    let mut world = World::new();
    let mut amqp = Amqp::connect(&mut world);
    amqp.declare("q", &TableBuf::new());
    amqp.bind("q", "amq.topic", "topic.all");
    amqp.consume(1, "q", "c", true);
    amqp.seen(&mut world);
    let consumer = Stomp::connect(&mut world);
    consumer.subscribe(&mut world, "0", "/topic/topic.all", "");
    consumer.frames(&mut world);
    let stomp = Stomp::connect(&mut world);
    let reads = two_reads("destination:/topic/topic.all\n", &text, 25_000);
    world.outputs.clear();
    for bytes in &reads {
        let (connection, bytes) = (stomp.0, bytes.clone());
        world.handle(Input::Received { connection, bytes });
    }
    for to in [amqp.id, consumer.0] {
        let slices = large_slices(&world, to, 25_000);
        let lens: Vec<usize> = slices.iter().map(Bytes::len).collect();
        assert_eq!(lens, [25_000, 35_000]);
        for read in &reads {
            assert_eq!(shared(&world, to, read), 1, "{to:?}");
        }
    }
    amqp.seen(&mut world);
    assert_eq!(amqp.contents[0].body(), text.as_bytes());
    assert_eq!(consumer.messages(&mut world), [text]);
}

/// MQTT sends it in one piece: it is put together once, for all who get it.
#[test]
fn parts_are_put_together_once_for_mqtt() {
    let text = body(60_000);
    let mut world = World::new();
    let mut consumers = Consumers::new(&mut world);
    let mut other = Mqtt::connect(&mut world, "other");
    other.subscribe(&mut world, "topic/all", QoS::AtMostOnce);
    other.seen(&mut world);
    let stomp = Stomp::connect(&mut world);
    let reads = two_reads("destination:/topic/topic.all\n", &text, 25_000);
    world.outputs.clear();
    for bytes in reads {
        let connection = stomp.0;
        world.handle(Input::Received { connection, bytes });
    }
    let all = [
        other.id,
        consumers.mqtt.id,
        consumers.amqp.id,
        consumers.stomp.0,
    ];
    let slices = all.map(|to| large_slices(&world, to, text.len()));
    let places = slices.map(|slices| slices.iter().map(|it| it.as_ptr()).collect::<Vec<_>>());
    assert_eq!(places[0].len(), 1);
    assert!(places.iter().all(|place| *place == places[0]));
    other.seen(&mut world);
    assert_eq!(other.messages[0].payload, text);
    consumers.mqtt.seen(&mut world);
    assert_eq!(consumers.mqtt.messages[0].payload, text);
}

/// A message that was put together for MQTT counts among the bytes that the broker holds, once.
#[test]
fn what_is_put_together_is_counted() {
    let mut world = World::new();
    let mut consumer = Mqtt::connect(&mut world, "consumer");
    consumer.subscribe(&mut world, "topic/all", QoS::AtLeastOnce);
    consumer.seen(&mut world);
    let stomp = Stomp::connect(&mut world);
    for bytes in two_reads("destination:/topic/topic.all\n", &body(60_000), 25_000) {
        let connection = stomp.0;
        world.handle(Input::Received { connection, bytes });
    }
    // Until it is acknowledged.
    let held = world.broker.statistics().held;
    assert!((60_000..70_000).contains(&held), "{held}");
    consumer.seen(&mut world);
    assert_eq!(world.broker.statistics().held, 0);
}

/// What is stored of a body that came in two reads lies in both of them.
#[test]
fn parts_are_not_copied_on_their_way_to_the_store() {
    let text = body(60_000);
    let mut world = World::stored();
    let stomp = Stomp::connect(&mut world);
    let headers = "destination:/queue/q\npersistent:true\n";
    // The first one makes the queue.
    world.send(stomp.0, &two_reads(headers, "first", 0).concat());
    let reads = two_reads(headers, &text, 25_000);
    world.outputs.clear();
    for bytes in &reads {
        let (connection, bytes) = (stomp.0, bytes.clone());
        world.handle(Input::Received { connection, bytes });
    }
    let slices: Vec<&Bytes> = world
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Append { slices, .. } => Some(slices),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(slices.len(), 3, "what stands before it, and two pieces");
    for read in &reads {
        let lies = |slice: &&&Bytes| read.as_ptr_range().contains(&slice.as_ptr());
        assert_eq!(slices.iter().filter(lies).count(), 1);
    }
}

/// A SEND to several queues, and one in a transaction, come in parts as any other. Its receipt
/// comes when all of it has come.
#[test]
fn parts_go_to_several_queues_and_into_transactions() {
    let text = body(60_000);
    for in_transaction in [false, true] {
        let mut world = World::new();
        let consumer = Stomp::connect(&mut world);
        consumer.subscribe(&mut world, "a", "/queue/a", "");
        consumer.subscribe(&mut world, "b", "/queue/b", "");
        consumer.frames(&mut world);
        let stomp = Stomp::connect(&mut world);
        let (begin, commit) = match in_transaction {
            true => ("BEGIN\ntransaction:t\n\n\0", "COMMIT\ntransaction:t\n\n\0"),
            false => ("", ""),
        };
        let more = if in_transaction {
            "transaction:t\n"
        } else {
            ""
        };
        let headers = format!("destination:/queue/a,/queue/b\nreceipt:r\n{more}");
        world.send(stomp.0, begin.as_bytes());
        let [first, second] = two_reads(&headers, &text, 25_000);
        world.send(stomp.0, &first);
        assert_eq!(stomp.frames(&mut world), []);
        world.send(stomp.0, &second);
        let frames = stomp.frames(&mut world);
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].header("receipt-id"), Some("r"));
        let expected = |count| vec![text.clone(); count];
        let before = if in_transaction { 0 } else { 2 };
        assert!(consumer.messages(&mut world) == expected(before));
        world.send(stomp.0, commit.as_bytes());
        assert!(consumer.messages(&mut world) == expected(2 - before));
    }
}

/// A body is no frame, whatever it looks like where a read begins, and whether it is for the
/// application or for a transaction: the answers come in the order of the frames.
#[test]
fn parts_that_look_like_frames_are_none() {
    let looks = "SEND\ndestination:/queue/other\ncontent-length:9000000\n\n".repeat(2_000);
    for more in ["", "transaction:t\n"] {
        let cuts = [0, looks.len() / 2, looks.len() - 1];
        for (cut, reads) in cuts
            .iter()
            .flat_map(|&cut| (1..=4).map(move |reads| (cut, reads)))
        {
            let mut world = World::new();
            let consumer = Stomp::connect(&mut world);
            consumer.subscribe(&mut world, "0", "/queue/q", "");
            consumer.frames(&mut world);
            let stomp = Stomp::connect(&mut world);
            world.send(stomp.0, b"BEGIN\ntransaction:t\n\n\0");
            let small = two_reads("destination:/queue/q\nreceipt:1\n", "small", 0).concat();
            let headers = format!("destination:/queue/q\nreceipt:2\n{more}");
            let [first, second] = two_reads(&headers, &looks, cut);
            let commit = b"COMMIT\ntransaction:t\nreceipt:3\n\n\0";
            let stream = [&small[..], &first, &second, commit, &small].concat();
            // Where the body begins and where it is cut, in one read, and as it is sent.
            let (head, at) = (first.len() - cut, small.len() + first.len());
            let at = match reads {
                1 => vec![],
                2 => vec![at],
                3 => vec![small.len() + head, at],
                _ => vec![small.len(), small.len() + head, at],
            };
            let mut from = 0;
            for to in at.into_iter().chain([stream.len()]) {
                world.send(stomp.0, &stream[from..to]);
                from = to;
            }
            let frames = stomp.frames(&mut world);
            let receipts: Vec<_> = frames.iter().map(|f| f.header("receipt-id")).collect();
            assert_eq!(
                receipts,
                ["1", "2", "3", "1"].map(Some),
                "{more} {cut} {reads}"
            );
            let came = consumer.messages(&mut world);
            assert!(came == ["small", &looks, "small"], "{more} {cut} {reads}");
        }
    }
}

/// While a body comes in parts, its front end reads no frame in it: how much of it is missing
/// is not known, and what there is of it is taken with the messages before it.
#[test]
fn parts_are_read_as_nothing_else() {
    let (config, now) = (Arc::new(Config::default()), Duration::ZERO);
    let mut front = frontend::new(
        Protocol::Stomp,
        &config,
        Terms::default(),
        ConnectionId(1),
        now,
    );
    let receive = |front: &mut Box<dyn FrontEnd + Send>, bytes: &[u8]| {
        let source = Bytes::copy_from_slice(bytes);
        let mut input = &source[..];
        let progress = front.receive(now, &source, &mut input);
        (progress, input.len())
    };
    receive(&mut front, b"CONNECT\naccept-version:1.2\nhost:/\n\n\0");
    while front.poll_request().is_some() {}
    let user = Name::from("guest");
    front.notice(now, Notice::LoggedIn { user });
    while front.poll_request().is_some() {}
    let looks = b"COMMIT\ncontent-length:1000\n\n";
    let head = b"SEND\ndestination:/queue/q\ncontent-length:50000\n\n";
    assert_eq!(receive(&mut front, head), (Progress::Event, 0));
    assert!(front.poll_request().is_none());
    assert_eq!(front.missing(looks), 1);
    assert!(front.may_gather(looks));
    assert_eq!(
        receive(&mut front, &looks.repeat(100)),
        (Progress::Event, 0)
    );
    assert!(front.idle().is_none());
    let left = 50_000 - 100 * looks.len();
    // The last byte waits for the end.
    let last = [b'x'].repeat(left);
    assert_eq!(receive(&mut front, &last), (Progress::Event, 1));
    assert!(front.poll_request().is_none());
    assert_eq!(receive(&mut front, b"x\0"), (Progress::Event, 0));
    assert!(matches!(
        front.poll_request(),
        Some(Request::Publish { .. })
    ));
    assert!(!front.may_gather(looks));
}

/// A SEND that is refused is answered with ERROR, and nothing of it is published, nor of one
/// that breaks a rule behind its body, or whose client goes.
#[test]
fn parts_of_what_is_refused_go_nowhere() {
    let text = body(60_000);
    let wrong_end = |[first, second]: [Bytes; 2]| {
        let end = second.len() - 1;
        [first, [&second[..end], b"x"].concat().into()]
    };
    let good = "destination:/queue/q\nreceipt:r\n";
    let rows = [
        two_reads("destination:nowhere\nreceipt:r\n", &text, 25_000),
        wrong_end(two_reads(good, &text, 25_000)),
    ];
    for reads in rows {
        let mut world = World::new();
        let consumer = Stomp::connect(&mut world);
        consumer.subscribe(&mut world, "0", "/queue/q", "");
        consumer.frames(&mut world);
        let stomp = Stomp::connect(&mut world);
        for read in reads {
            world.send(stomp.0, &read);
        }
        let frames = stomp.frames(&mut world);
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].command, "ERROR");
        assert_eq!(frames[0].header("receipt-id"), Some("r"));
        assert!(world.is_closed(stomp.0));
        let other = Stomp::connect(&mut world);
        let [first, second] = two_reads(good, &text, 25_000);
        world.send(other.0, &first);
        world.send(other.0, &second[..second.len() - 1]);
        world.cut(other.0);
        assert!(consumer.messages(&mut world).is_empty());
    }
}

/// What is stored of one lies where it was received as well, and a small one does not.
#[test]
fn they_are_not_copied_on_their_way_to_the_store() {
    // Bytes of the body, and the slices of its batch: what comes before it, and itself.
    let rows = [(4_095, 1, 0), (4_096, 2, 1), (50_000, 2, 1)];
    for (len, slices, lying) in rows {
        let mut world = World::stored();
        let stomp = Stomp::connect(&mut world);
        let frame = |text: &str| {
            let len = text.len();
            let head = format!("SEND\ndestination:/queue/q\npersistent:true\ncontent-length:{len}");
            Bytes::from(format!("{head}\n\n{text}\0"))
        };
        // The first one makes the queue.
        world.send(stomp.0, &frame("first"));
        let bytes = frame(&body(len));
        world.outputs.clear();
        world.handle(Input::Received {
            connection: stomp.0,
            bytes: bytes.clone(),
        });
        let lies = |slice: &&Bytes| bytes.as_ptr_range().contains(&slice.as_ptr());
        let appended: Vec<(usize, usize)> = world
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Append { slices, .. } => Some(slices),
                _ => None,
            })
            .map(|slices| (slices.len(), slices.iter().filter(lies).count()))
            .collect();
        assert_eq!(appended, [(slices, lying)], "{len}");
    }
}

/// A message that was fetched, and one that comes back, are not copied either.
#[test]
fn fetched_and_returned_ones_are_not_copied() {
    let text = body(20_000);
    let mut world = World::new();
    let mut amqp = Amqp::connect(&mut world);
    amqp.declare("q", &TableBuf::new());
    amqp.publish_with(1, "", "nowhere", &text, true, &Default::default());
    amqp.seen(&mut world);
    assert_eq!(amqp.contents[0].body(), text.as_bytes());
    amqp.publish(1, "", "q", &text);
    amqp.seen(&mut world);
    world.outputs.clear();
    amqp.get("q", true);
    amqp.seen(&mut world);
    assert_eq!(amqp.contents[1].body(), text.as_bytes());
    let transmits = world.outputs.iter().filter_map(|output| match output {
        Output::Transmit { bytes, .. } => Some(bytes.len()),
        _ => None,
    });
    assert!(transmits.into_iter().any(|len| len == text.len()));
}

/// AMQP closes the channel whose body is one too many (311, content-too-large), and those of
/// others go on. What it had held is free again.
#[test]
fn what_is_not_whole_is_bounded() {
    const SIZE: usize = 600_000;
    let mut config = Config::default();
    config.limits.message_size = SIZE;
    let mut world = World::with(config);
    let mut client = Amqp::connect(&mut world);
    client.declare("q", &TableBuf::new());
    client.codec.open_channel().unwrap();
    client.seen(&mut world);
    let message = Message {
        routing_key: "q",
        ..Message::default()
    };
    let most = vec![b'a'; SIZE - 1];
    for _ in 0..3 {
        for channel in [1, 2, 3] {
            let size = SIZE as u64;
            client
                .codec
                .begin_publish(channel, Mandatory::No, &message, size)
                .unwrap();
            client.codec.send_body(channel, &most).unwrap();
        }
        let seen = client.seen(&mut world);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].starts_with("channel.close 311 "), "{seen:?}");
        for channel in [1, 2] {
            client.codec.send_body(channel, b"z").unwrap();
        }
        client.codec.open_channel().unwrap();
        assert_eq!(client.seen(&mut world), ["channel 3"]);
        client.get("q", true);
        client.get("q", true);
        let seen = client.seen(&mut world);
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| seen.len() > SIZE), "both are whole");
    }
}
