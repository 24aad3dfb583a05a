//! How much leaves memory, and how much is read back at one time.

use super::{Client, PERSISTENT};
use crate::world::World;
use crate::world::log::storing;
use amqp_codec::PropertyFields;
use amqp_codec::connection::Tags;
use amqp_codec::method::{basic, queue};
use mq_core::Output;

/// Everything leaves memory that can.
const SPILL: usize = 1;

/// How often the broker has asked for a part of the log.
fn asked(world: &World) -> usize {
    let outputs = world.outputs.iter();
    let reads = outputs.filter(|output| matches!(output, Output::Read { .. }));
    reads.count()
}

/// The body of so many bytes that comes at this place.
fn body(n: usize, len: usize) -> String {
    let n = n.to_string();
    let rest = "x".repeat(len - n.len());
    n + &rest
}

/// A world in which so many messages are in each of so many queues `q0`, `q1` .., with bodies
/// of so many bytes. What is in two queues is in no run: only its body leaves memory. Nothing
/// that is asked for comes by itself.
fn shared(queues: usize, count: usize, len: usize, spill: usize) -> (World, Client) {
    let mut config = storing();
    config.limits.memory_spill = spill;
    let mut world = World::stored_with(config);
    world.reads_slowly = true;
    let mut c = Client::connect(&mut world);
    c.exchange("fan", "fanout", &["durable"]);
    for n in 0..queues {
        let name = format!("q{n}");
        c.durable(&name);
        c.0.bind(&name, "fan", "");
    }
    c.seen(&mut world);
    fill(&mut world, &mut c, count, len);
    (world, c)
}

/// Publishes so many messages with bodies of so many bytes.
fn fill(world: &mut World, c: &mut Client, count: usize, len: usize) {
    let fields = PropertyFields {
        delivery_mode: Some(PERSISTENT),
        ..Default::default()
    };
    for n in 0..count {
        c.0.publish_with(1, "fan", "", &body(n, len), false, &fields);
        c.seen(world);
    }
}

/// A body leaves memory that has 256 bytes and is in no more than 64 queues.
#[test]
fn some_bodies_stay() {
    for (queues, len, leaves) in [
        (2, 255, false),
        (2, 256, true),
        (64, 1_000, true),
        (65, 1_000, false),
    ] {
        let count = 100;
        let [roomy, small] = [usize::MAX, SPILL].map(|spill| {
            let (world, _c) = shared(queues, count, len, spill);
            usize::try_from(world.broker.statistics().held).unwrap()
        });
        let expected = if leaves { count * len } else { 0 };
        assert_eq!(roomy - small, expected, "{queues} {len}");
    }
}

/// Nothing leaves memory while no more is held than may be.
#[test]
fn what_may_be_held_stays() {
    let held = |spill| shared(2, 100, 1_000, spill).0.broker.statistics().held;
    let all = held(usize::MAX);
    let mark = usize::try_from(all).unwrap();
    assert_eq!(held(mark), all);
    assert!(held(mark - 1) < all);
}

/// Consumes the first queue, one message at a time.
fn consume_one(c: &mut Client) {
    let qos = basic::Qos {
        prefetch_count: 1,
        ..Default::default()
    };
    c.0.codec.qos(1, &qos).unwrap();
    c.0.consume(1, "q0", "c", false);
}

/// Bodies are read ahead of a consumer, 64 or so many that they have a megabyte; and the next
/// ones once no more than 32 of them are left. Those that came while there was room are here.
#[test]
fn reading_ahead_of_a_consumer_is_bounded() {
    /// Bytes that may be held and of a body, how many are read at first, and how many more
    /// after so many messages.
    type Row = (usize, usize, usize, Vec<(usize, usize)>);
    let each = |range: std::ops::Range<usize>| range.map(|n| (n, 1)).collect();
    let rows: [Row; 4] = [
        (SPILL, 4_000, 64, vec![(31, 32), (63, 4)]),
        (20_000, 4_000, 60, vec![(31, 32), (63, 4)]),
        (SPILL, 100_000, 11, each(0..89)),
        (SPILL, 2 << 20, 1, each(0..99)),
    ];
    for (spill, len, at_first, then) in rows {
        let (mut world, mut c) = shared(2, 100, len, spill);
        consume_one(&mut c);
        c.seen(&mut world);
        assert_eq!(world.reads.len(), at_first, "{spill} {len}");
        let mut later = Vec::new();
        for n in 0..100 {
            world.read();
            c.seen(&mut world);
            assert_eq!(c.0.contents.len(), n + 1, "{spill} {len}");
            c.0.codec.ack(1, Tags::UpTo(0)).unwrap();
            let before = asked(&world);
            c.seen(&mut world);
            let more = asked(&world) - before;
            later.extend((more > 0).then_some((n, more)));
        }
        assert_eq!(later, then, "{spill} {len}");
    }
}

/// What was purged is not waited for: as much is read ahead as before.
#[test]
fn what_has_gone_is_not_read_ahead() {
    let (mut world, mut c) = shared(2, 100, 4_000, SPILL);
    consume_one(&mut c);
    c.seen(&mut world);
    world.read();
    assert_eq!(asked(&world), 64);
    let mut other = Client::connect(&mut world);
    let purge = queue::Purge {
        queue: "q0",
        ..Default::default()
    };
    other.0.codec.queue_purge(1, &purge).unwrap();
    other.seen(&mut world);
    fill(&mut world, &mut other, 100, 4_000);
    // The consumer has one, and gets another.
    c.seen(&mut world);
    assert_eq!(c.0.contents.len(), 1);
    c.0.codec.ack(1, Tags::UpTo(0)).unwrap();
    c.seen(&mut world);
    assert_eq!(asked(&world), 2 * 64);
}

/// Lets messages pass through another queue until all that is in the log by now has been
/// written once more. Returns how much was read at one time.
fn clean(world: &mut World, c: &mut Client, len: usize) -> usize {
    let end = world.store.end();
    c.durable("passes");
    let mut most = 0;
    for n in 0.. {
        c.publish("passes", PERSISTENT, &"y".repeat(len));
        c.0.get("passes", true);
        c.seen(world);
        most = most.max(world.reads.len());
        if n % 20 == 0 {
            world.read();
        }
        if world.store.trimmed >= end {
            break;
        }
        assert!(n < 5_000, "{} {end}", world.store.trimmed);
    }
    c.0.contents.clear();
    most
}

/// The cleaning of the log reads so many bodies at one time, and writes them once more.
#[test]
fn reading_ahead_of_the_cleaning_is_bounded() {
    for (len, count, expected) in [(4_000, 100, 64), (100_000, 20, 11), (2 << 20, 3, 1)] {
        let (mut world, mut c) = shared(2, count, len, SPILL);
        assert_eq!(clean(&mut world, &mut c, len), expected, "{len}");
        world.reads_slowly = false;
        for queue in ["q0", "q1"] {
            c.0.consume(1, queue, queue, true);
            c.seen(&mut world);
            let contents = std::mem::take(&mut c.0.contents);
            assert_eq!(contents.len(), count, "{len}");
            for (n, content) in contents.iter().enumerate() {
                assert!(content.body() == body(n, len).as_bytes(), "{len} {n}");
            }
        }
    }
}

/// What a consumer holds for long leaves memory again.
#[test]
fn what_is_out_leaves_again() {
    let (mut world, mut c) = shared(1, 100, 4_000, SPILL);
    world.reads_slowly = false;
    c.0.consume(1, "q0", "c", false);
    c.seen(&mut world);
    assert_eq!(c.0.contents.len(), 100);
    let held = world.broker.statistics().held;
    assert!(held < 100 * 1_000, "{held}");
}

/// A body that the cleaning cannot read is lost in each queue, and what lies after it is not.
#[test]
fn a_body_that_the_cleaning_cannot_read_is_lost() {
    let (mut world, mut c) = shared(2, 100, 4_000, SPILL);
    c.durable("passes");
    while world.reads.is_empty() {
        c.publish("passes", PERSISTENT, "y");
        c.0.get("passes", true);
        c.seen(&mut world);
    }
    for (_, bytes) in world.reads.iter_mut().take(3) {
        *bytes = None;
    }
    world.read();
    assert_eq!(world.broker.statistics().discarded, 6);
    clean(&mut world, &mut c, 4_000);
    assert_eq!(world.broker.statistics().ready, 2 * 97);
}
