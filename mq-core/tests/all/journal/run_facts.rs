//! What is known of messages that have left memory in runs: whether they may have been
//! delivered, how often they came back, how much they are, when their time is over, and that
//! they are gone.

use super::runs::{COUNT, SPILL, body, config, declared, drain, expected, fill, full, reads};
use super::{Client, PERSISTENT, long};
use crate::world::World;
use crate::world::amqp::{table, text};
use crate::world::log::storing;
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::queue::Purge;
use amqp_codec::method::{basic, tx};
use amqp_codec::{PropertyFields, TableBuf};
use mq_core::Input;
use std::time::Duration;

fn ready(world: &World) -> u64 {
    world.broker.statistics().ready
}

fn prefetch(c: &mut Client, count: u16) {
    let qos = basic::Qos {
        prefetch_count: count,
        ..Default::default()
    };
    c.0.codec.qos(1, &qos).unwrap();
}

/// The deliveries, until none comes any more.
fn deliveries(c: &mut Client, world: &mut World) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let new = c.seen(world);
        if new.is_empty() && world.reads.is_empty() {
            return all;
        }
        all.extend(new.into_iter().filter(|seen| seen.starts_with("c ")));
        world.read();
    }
}

/// Reads, and has the one place of the log with a body refused. Returns how often it was asked
/// for.
fn read_but(world: &mut World, bad: &str) -> usize {
    let mut refused = 0;
    for (_, bytes) in &mut world.reads {
        let has = |bytes: &[u8]| bytes.windows(bad.len()).any(|part| part == bad.as_bytes());
        if bytes.as_deref().is_some_and(has) {
            *bytes = None;
            refused += 1;
        }
    }
    world.read();
    refused
}

/// Messages that may have been delivered before a crash say so afterwards, and others do not:
/// in runs that the log is read into, and in those that are made later.
#[test]
fn they_say_whether_they_may_have_been_delivered() {
    // It is noted of so many at one time.
    const OFFERED: usize = 1024;
    for (spill, more) in [(SPILL, 0), (20 * SPILL, 9_000)] {
        let mut config = config();
        config.limits.memory_spill = spill;
        let mut world = World::stored_with(config.clone());
        let mut c = Client::connect(&mut world);
        c.durable("q");
        fill(&mut world, &mut c, "q", 0..COUNT);
        prefetch(&mut c, 1);
        c.0.consume(1, "q", "c", false);
        assert_eq!(deliveries(&mut c, &mut world).len(), 1);
        world.crash_with(config);
        let mut c = Client::connect(&mut world);
        fill(&mut world, &mut c, "q", COUNT..COUNT + more);
        let before = reads(&world);
        c.0.consume(1, "q", "c", true);
        let all = deliveries(&mut c, &mut world);
        assert!(reads(&world) > before, "there are runs");
        assert_eq!(all.len(), COUNT + more);
        for (n, seen) in all.iter().enumerate() {
            assert_eq!(seen.contains(" again "), n < OFFERED, "{seen}");
            assert!(seen.ends_with(&body(n)), "{n} {seen}");
        }
    }
}

/// How often a message came back is known after a crash, and so are those that did not: of
/// runs whose records were written once more, and of messages that had come back from them.
#[test]
fn they_say_how_often_they_came_back() {
    const RETURNED: usize = 600;
    for are_out in [false, true] {
        let (mut world, mut c) = declared(&table([("x-queue-type", text("quorum"))]));
        fill(&mut world, &mut c, "q", 0..COUNT);
        prefetch(&mut c, RETURNED as u16);
        c.0.consume(1, "q", "c", false);
        assert_eq!(deliveries(&mut c, &mut world).len(), RETURNED);
        world.socket(c.0.id).slow = true;
        c.0.codec.nack(1, Tags::UpTo(0), Requeue::Yes).unwrap();
        c.seen(&mut world);
        world.crash_with(config());
        let mut holder = Client::connect(&mut world);
        if are_out {
            holder.0.consume(1, "q", "c", false);
            assert_eq!(deliveries(&mut holder, &mut world).len(), COUNT);
        }
        let mut c = Client::connect(&mut world);
        // All that is in the log is written once more.
        c.durable("passes");
        let end = world.store.end();
        for n in 0..20_000 {
            if world.store.trimmed >= end {
                break;
            }
            c.publish("passes", PERSISTENT, &body(n % 900));
            c.0.get("passes", true);
            c.seen(&mut world);
        }
        assert!(world.store.trimmed >= end);
        world.crash_with(config());
        let mut c = Client::connect(&mut world);
        c.0.consume(1, "q", "c", true);
        assert_eq!(deliveries(&mut c, &mut world).len(), COUNT);
        for (n, content) in c.0.contents.iter().enumerate() {
            let headers = content.properties().fields().headers.unwrap();
            let count = headers.get("x-delivery-count").and_then(|v| v.as_i64());
            assert_eq!(count, Some(i64::from(n < RETURNED)), "{are_out} {n}");
        }
    }
}

/// A transaction that was not committed when the broker crashed has done nothing, however much
/// of it is in the log.
#[test]
fn what_was_not_committed_is_not_there() {
    let (mut world, mut c) = declared(&TableBuf::new());
    c.0.codec.tx_select(1, &tx::Select::default()).unwrap();
    c.seen(&mut world);
    for n in 0..COUNT {
        c.publish("q", PERSISTENT, &body(n));
    }
    c.0.codec.tx_commit(1, &tx::Commit::default()).unwrap();
    let mut bytes = Vec::new();
    c.0.codec.poll_transmit(world.now, &mut bytes);
    let (connection, bytes) = (c.0.id, bytes.into());
    world.handle_once(Input::Received { connection, bytes });
    while world.store.len() < SPILL {
        world.broker.handle_timeout(world.now);
        let through = world.store.durable;
        world.handle_once(Input::Durable { through });
    }
    assert!(world.broker.poll_timeout().is_some(), "more is to be done");
    world.crash_with(config());
    assert_eq!(ready(&world), 0);
    let mut c = Client::connect(&mut world);
    fill(&mut world, &mut c, "q", 0..COUNT);
    assert!(drain(&mut world, "q") == expected(0..COUNT));
}

/// What was purged is not there after a crash, though the log has all of it: the runs that it
/// is read into begin and end at other messages.
#[test]
fn a_purge_is_known_after_a_crash() {
    let (mut world, mut c) = full(&TableBuf::new());
    let purge = Purge {
        queue: "q",
        ..Default::default()
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    let ok = c.seen(&mut world);
    assert_eq!(ok, [format!("queue.purge-ok {COUNT}")]);
    fill(&mut world, &mut c, "q", 0..3);
    world.crash_with(config());
    assert_eq!(ready(&world), 3);
    assert!(drain(&mut world, "q") == expected(0..3));
}

/// The time of a run at the head of a queue is over where no other message has a time to live.
#[test]
fn a_run_expires_alone() {
    const MORTAL: usize = 2_000;
    let prepare = || {
        let (mut world, mut c) = declared(&TableBuf::new());
        let fields = PropertyFields {
            delivery_mode: Some(PERSISTENT),
            expiration: Some("60000".into()),
            ..Default::default()
        };
        for n in 0..COUNT {
            match n {
                0..MORTAL => c.0.publish_with(1, "", "q", &body(n), false, &fields),
                _ => c.publish("q", PERSISTENT, &body(n)),
            }
            c.seen(&mut world);
        }
        (world, c)
    };
    let get = |c: &mut Client, world: &mut World| {
        c.0.get("q", true);
        assert_eq!(c.seen(world).len(), 1);
    };
    // How many are in memory before the first run.
    let (mut world, mut c) = prepare();
    let mut head = 0;
    while reads(&world) == 0 {
        get(&mut c, &mut world);
        head += 1;
    }
    head -= 1;
    let (mut world, mut c) = prepare();
    for _ in 0..head {
        get(&mut c, &mut world);
    }
    assert_eq!(reads(&world), 0);
    world.wait(Duration::from_secs(61));
    let expired = world.broker.statistics().expired;
    assert_eq!(expired, (MORTAL - head) as u64);
    assert!(drain(&mut world, "q") == expected(MORTAL..COUNT));
}

/// What has come back and gone is no part of how much there is.
#[test]
fn a_queue_that_was_full_has_room_again() {
    let bytes: usize = expected(0..COUNT).iter().map(String::len).sum();
    let (mut world, mut c) = full(&table([("x-max-length-bytes", long(bytes as i64))]));
    for _ in 0..2 {
        let mut consumer = Client::connect(&mut world);
        consumer.0.consume(1, "q", "c", true);
        assert_eq!(deliveries(&mut consumer, &mut world).len(), COUNT);
        world.cut(consumer.0.id);
        fill(&mut world, &mut c, "q", 0..COUNT);
    }
    assert_eq!(world.broker.statistics().overflowed, 0);
    assert_eq!(ready(&world), COUNT as u64);
}

/// What has come back is held, as what has not left is.
#[test]
fn what_has_come_back_is_held() {
    let held = |world: &World| world.broker.statistics().held;
    let (mut world, mut c) = full(&TableBuf::new());
    c.0.consume(1, "q", "c", false);
    assert_eq!(deliveries(&mut c, &mut world).len(), COUNT);
    let mut roomy = World::stored();
    let mut c = Client::connect(&mut roomy);
    c.durable("q");
    fill(&mut roomy, &mut c, "q", 0..COUNT);
    c.0.consume(1, "q", "c", false);
    assert_eq!(deliveries(&mut c, &mut roomy).len(), COUNT);
    let (all, most) = (held(&world), held(&roomy));
    assert!(all > most * 9 / 10 && all < most * 11 / 10, "{all} {most}");
}

/// What could not be read is not there after a crash.
#[test]
fn what_is_lost_is_lost_for_good() {
    let (mut world, mut c) = full(&TableBuf::new());
    world.reads_slowly = true;
    c.0.consume(1, "q", "c", true);
    let bad = body(1_000);
    let mut refused = 0;
    while !(c.seen(&mut world).is_empty() && world.reads.is_empty()) {
        refused += read_but(&mut world, &bad);
    }
    assert!(refused > 0);
    assert_eq!((world.broker.statistics().discarded, ready(&world)), (1, 0));
    world.crash_with(storing());
    assert_eq!(ready(&world), 0);
}

/// A run of which a part cannot be read keeps nothing before it from being forgotten, without
/// a consumer either.
#[test]
fn the_log_is_cleaned_of_what_cannot_be_read() {
    let (mut world, mut c) = full(&TableBuf::new());
    c.durable("passes");
    let needed = world.store.len() as u64;
    world.reads_slowly = true;
    let bad = body(1_000);
    for n in 0..6_000 {
        c.publish("passes", PERSISTENT, &body(n % 900));
        c.0.get("passes", true);
        c.seen(&mut world);
        read_but(&mut world, &bad);
    }
    assert_eq!(world.broker.statistics().discarded, 1);
    let trimmed = world.store.trimmed;
    assert!(trimmed > 2 * needed, "{trimmed} {needed}");
    world.reads_slowly = false;
    let mut left = expected(0..COUNT);
    left.remove(1_000);
    assert!(drain(&mut world, "q") == left);
}

/// A consumer wants a run that the cleaning has read and not written yet.
#[test]
fn a_run_is_wanted_that_the_cleaning_has_read() {
    let (mut world, mut c) = full(&TableBuf::new());
    c.durable("passes");
    // That it may have been delivered is noted.
    c.0.get("q", false);
    c.seen(&mut world);
    world.reads_slowly = true;
    let mut n = 0;
    while world.reads.is_empty() {
        c.publish("passes", PERSISTENT, &body(n));
        c.0.get("passes", true);
        c.seen(&mut world);
        n += 1;
    }
    world.read();
    assert_eq!(world.reads.len(), 0, "all of it has come");
    let mut consumer = Client::connect(&mut world);
    consumer.0.consume(1, "q", "c", false);
    let all = deliveries(&mut consumer, &mut world);
    assert_eq!(all.len(), COUNT - 1);
}
