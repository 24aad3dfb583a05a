//! Backlogs of which almost nothing is in memory: runs of messages leave it, and come back
//! in the order of the queue, whatever becomes of the messages.

use super::{Client, PERSISTENT, TRANSIENT, long};
use crate::world::World;
use crate::world::amqp::{delete_queue, table, text};
use crate::world::log::storing;
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::method::queue::Purge;
use amqp_codec::{PropertyFields, TableBuf};
use mq_core::{Config, Output};
use std::time::Duration;

/// Messages leave memory from there on.
pub(super) const SPILL: usize = 200_000;
/// Messages that would hold ten times as much, by what is kept about each of them alone.
pub(super) const COUNT: usize = 3_000;
/// What may be held: the mark, runs that are on their way, and a little of each of them.
const HELD: usize = SPILL + 100_000;

pub(super) fn config() -> Config {
    let mut config = storing();
    config.limits.memory_spill = SPILL;
    config
}

pub(super) fn body(n: usize) -> String {
    format!("{n:06} {}", "x".repeat(n % 90))
}

pub(super) fn expected(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(body).collect()
}

fn held(world: &World) -> usize {
    usize::try_from(world.broker.statistics().held).unwrap()
}

pub(super) fn declared(arguments: &TableBuf) -> (World, Client) {
    let mut world = World::stored_with(config());
    let mut c = Client::connect(&mut world);
    c.queue("q", &["durable"], arguments);
    c.durable("letters");
    c.seen(&mut world);
    (world, c)
}

pub(super) fn fill(world: &mut World, c: &mut Client, queue: &str, range: std::ops::Range<usize>) {
    for n in range {
        c.publish(queue, PERSISTENT, &body(n));
        if n % 10 == 0 {
            c.seen(world);
        }
    }
    c.seen(world);
}

/// A world whose queue `q` has the messages.
pub(super) fn full(arguments: &TableBuf) -> (World, Client) {
    let (mut world, mut c) = declared(arguments);
    fill(&mut world, &mut c, "q", 0..COUNT);
    assert!(held(&world) < HELD, "{}", held(&world));
    assert_eq!(world.broker.statistics().ready, COUNT as u64);
    assert_eq!(reads(&world), 0);
    (world, c)
}

/// How often the broker has asked for a part of the log.
pub(super) fn reads(world: &World) -> usize {
    let outputs = world.outputs.iter();
    let reads = outputs.filter(|output| matches!(output, Output::Read { .. }));
    reads.count()
}

/// The bodies of the deliveries, until none comes any more. What may be held is not
/// exceeded meanwhile, beside `out` that is out.
fn bodies(c: &mut Client, world: &mut World, out: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        c.0.contents.clear();
        c.seen(world);
        let contents = c.0.contents.iter();
        let new: Vec<String> = contents
            .map(|content| String::from_utf8_lossy(content.body()).into_owned())
            .collect();
        if new.is_empty() && world.reads.is_empty() {
            return all;
        }
        all.extend(new);
        assert!(held(world) < HELD + out, "{} {}", held(world), all.len());
        world.read();
    }
}

/// Consumes a queue to its end with a consumer that acknowledges a few at a time.
pub(super) fn drain(world: &mut World, queue: &str) -> Vec<String> {
    drain_beside(world, queue, 0)
}

/// The same, while others may hold so much more.
fn drain_beside(world: &mut World, queue: &str, others: usize) -> Vec<String> {
    let mut c = Client::connect(world);
    let qos = amqp_codec::method::basic::Qos {
        prefetch_count: 30,
        ..Default::default()
    };
    c.0.codec.qos(1, &qos).unwrap();
    c.0.consume(1, queue, "c", false);
    let mut all = Vec::new();
    loop {
        let new = bodies(&mut c, world, others);
        if new.is_empty() {
            c.seen(world);
            return all;
        }
        all.extend(new);
        c.0.codec.ack(1, Tags::UpTo(0)).unwrap();
    }
}

fn letters_of(arguments: &[(&str, amqp_codec::FieldValue<'static>)]) -> TableBuf {
    let target = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("letters")),
    ];
    table(target.into_iter().chain(arguments.iter().copied()))
}

#[test]
fn consumers_get_them_in_order() {
    for reads_slowly in [false, true] {
        let (mut world, _c) = full(&TableBuf::new());
        world.reads_slowly = reads_slowly;
        assert!(drain(&mut world, "q") == expected(0..COUNT));
        let statistics = world.broker.statistics();
        assert_eq!(statistics.acknowledged, COUNT as u64);
        assert_eq!(statistics.ready + statistics.unacknowledged, 0);
        assert_eq!(held(&world), 0);
        // A run is read once, and as one piece where its records lie together.
        assert!(reads(&world) < COUNT / 5, "{}", reads(&world));
    }
}

/// Without a consumer nothing comes back.
#[test]
fn a_get_brings_one_run_back() {
    let (mut world, mut c) = full(&TableBuf::new());
    for n in 0..200 {
        c.0.contents.clear();
        c.0.get("q", true);
        c.seen(&mut world);
        assert_eq!(c.0.contents[0].body(), body(n).as_bytes());
        assert!(held(&world) < HELD);
    }
    assert!(reads(&world) < 40, "{}", reads(&world));
}

/// A get that waits for a run of which all is over when it comes waits for the next one.
#[test]
fn a_get_waits_for_what_is_not_over() {
    let (mut world, mut c) = declared(&TableBuf::new());
    let fields = PropertyFields {
        delivery_mode: Some(PERSISTENT),
        expiration: Some("1000".into()),
        ..Default::default()
    };
    for n in 0..COUNT {
        match n {
            30..60 => c.0.publish_with(1, "", "q", &body(n), false, &fields),
            _ => c.publish("q", PERSISTENT, &body(n)),
        }
        c.seen(&mut world);
    }
    let mut get = |world: &mut World, n| {
        c.0.contents.clear();
        c.0.get("q", true);
        c.seen(world);
        if n == 30 {
            assert_eq!(c.0.contents.len(), 0);
            // It is read late, and the timers are later still.
            world.now += Duration::from_secs(2);
        }
        while !world.reads.is_empty() {
            world.read();
            c.seen(world);
        }
        c.0.contents[0].body().to_vec()
    };
    for n in 0..30 {
        assert_eq!(get(&mut world, n), body(n).as_bytes());
    }
    world.reads_slowly = true;
    assert_eq!(get(&mut world, 30), body(60).as_bytes());
}

/// After a crash as little is in memory as before, and all is there.
#[test]
fn a_crash_brings_all_back() {
    let (mut world, _c) = full(&TableBuf::new());
    world.crash_with(config());
    assert!(held(&world) < HELD, "{}", held(&world));
    assert_eq!(world.broker.statistics().ready, COUNT as u64);
    let mut c = Client::connect(&mut world);
    fill(&mut world, &mut c, "q", COUNT..COUNT + 500);
    assert!(held(&world) < HELD, "{}", held(&world));
    assert!(drain(&mut world, "q") == expected(0..COUNT + 500));
    assert_eq!(held(&world), 0);
    world.crash_with(config());
    assert_eq!(world.broker.statistics().ready, 0);
}

/// A world after a crash, whose queue `q` has every seventh of the messages and the last ones:
/// the others were acknowledged. What is left of them.
fn with_gaps() -> (World, Vec<String>) {
    let (mut world, mut c) = full(&TableBuf::new());
    c.0.consume(1, "q", "c", false);
    // All is out: nothing of it leaves memory.
    assert_eq!(bodies(&mut c, &mut world, 20 * SPILL).len(), COUNT);
    let kept = |n: &usize| n.is_multiple_of(7) || *n > 2_500;
    for n in (0..COUNT).filter(|n| !kept(n)) {
        c.0.codec.ack(1, Tags::One(n as u64 + 1)).unwrap();
    }
    c.seen(&mut world);
    world.crash_with(config());
    let left: Vec<String> = (0..COUNT).filter(kept).map(body).collect();
    assert_eq!(world.broker.statistics().ready, left.len() as u64);
    (world, left)
}

/// Some are acknowledged out of order before the crash, and some have been delivered.
#[test]
fn a_crash_brings_back_what_was_not_acknowledged() {
    let (mut world, left) = with_gaps();
    let queues: Vec<_> = world.broker.queues().collect();
    let queue = queues.iter().find(|queue| &*queue.name == "q").unwrap();
    // Bodies, routing key, and what AMQP's properties say again in their encoding.
    let bytes: usize = left.iter().map(|body| body.len() + 1 + 3).sum();
    assert_eq!(queue.ready_bytes, bytes);
    let mut c = Client::connect(&mut world);
    c.0.consume(1, "q", "c", true);
    assert!(bodies(&mut c, &mut world, 0) == left);
    assert_eq!(held(&world), 0);
}

/// Runs with gaps are purged to their ends, and for good.
#[test]
fn runs_with_gaps_are_purged() {
    let (mut world, left) = with_gaps();
    let mut c = Client::connect(&mut world);
    let purge = Purge {
        queue: "q",
        ..Default::default()
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    let seen = c.seen(&mut world);
    assert_eq!(seen, [format!("queue.purge-ok {}", left.len())]);
    assert_eq!(held(&world), 0);
    assert_forgotten(&mut world);
    world.crash_with(config());
    assert_eq!(world.broker.statistics().queued, 0);
}

/// Lets messages pass through another queue: the log gets rid of what is not needed.
fn assert_forgotten(world: &mut World) {
    let end = world.store.end();
    let mut c = Client::connect(world);
    c.durable("passes");
    for n in 0..1_500 {
        c.publish("passes", PERSISTENT, &body(n));
        c.0.get("passes", true);
        c.seen(world);
    }
    assert!(world.store.trimmed > end, "{} {end}", world.store.trimmed);
}

#[test]
fn what_comes_back_takes_its_place() {
    let (mut world, mut c) = full(&TableBuf::new());
    let qos = amqp_codec::method::basic::Qos {
        prefetch_count: 500,
        ..Default::default()
    };
    c.0.codec.qos(1, &qos).unwrap();
    c.0.consume(1, "q", "c", false);
    assert_eq!(bodies(&mut c, &mut world, 3 * SPILL).len(), 500);
    // The odd ones are done, and the even ones come back.
    for n in (0..500).filter(|n| n % 2 == 1) {
        c.0.codec.ack(1, Tags::One(n + 1)).unwrap();
    }
    c.seen(&mut world);
    world.cut(c.0.id);
    let mut left: Vec<String> = (0..500).filter(|n| n % 2 == 0).map(body).collect();
    left.extend(expected(500..COUNT));
    // What has come back stays.
    assert!(drain_beside(&mut world, "q", SPILL) == left);
}

#[test]
fn they_go_without_being_read() {
    // Purged.
    let (mut world, mut c) = full(&TableBuf::new());
    let purge = Purge {
        queue: "q",
        ..Default::default()
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    let seen = c.seen(&mut world);
    assert_eq!(seen, [format!("queue.purge-ok {COUNT}")]);
    assert_eq!(world.broker.statistics().discarded, COUNT as u64);
    assert_eq!((reads(&world), held(&world)), (0, 0));
    assert_forgotten(&mut world);
    world.crash_with(config());
    assert_eq!(world.broker.statistics().ready, 0);

    // Deleted.
    let (mut world, mut c) = full(&TableBuf::new());
    delete_queue(&mut c.0, "q", false, false);
    c.seen(&mut world);
    assert_eq!((reads(&world), held(&world)), (0, 0));
    assert_forgotten(&mut world);
    world.crash_with(config());
    let statistics = world.broker.statistics();
    assert_eq!((statistics.ready, statistics.queued), (0, 0));

    // Expired, and nobody gets a letter.
    let (mut world, mut c) = full(&table([("x-message-ttl", long(60_000))]));
    world.wait(Duration::from_secs(61));
    assert_eq!(world.broker.statistics().expired, COUNT as u64);
    assert_eq!((reads(&world), held(&world)), (0, 0));
    assert_forgotten(&mut world);
    // The queue goes on.
    c.publish("q", PERSISTENT, "last");
    c.seen(&mut world);
    world.crash_with(config());
    assert_eq!(drain(&mut world, "q"), ["last"]);
}

/// What is over in a run goes, and what is not stays.
#[test]
fn a_run_of_which_some_are_over() {
    let (mut world, mut c) = declared(&table([("x-message-ttl", long(60_000))]));
    for n in 0..COUNT {
        c.publish("q", PERSISTENT, &body(n));
        c.seen(&mut world);
        world.wait(Duration::from_millis(10));
    }
    assert!(held(&world) < HELD, "{}", held(&world));
    // Half of them have come 30 s ago or before.
    world.wait(Duration::from_millis(44_995));
    assert_eq!(world.broker.statistics().expired, COUNT as u64 / 2);
    world.crash_with(config());
    // What was given up is not there again, to expire once more.
    assert_eq!(world.broker.statistics().queued, COUNT as u64 / 2);
    assert!(drain(&mut world, "q") == expected(COUNT / 2..COUNT));
}

#[test]
fn they_become_letters_with_their_bodies() {
    // Expired.
    let (mut world, _c) = full(&letters_of(&[("x-message-ttl", long(60_000))]));
    world.wait(Duration::from_secs(61));
    assert_eq!(world.broker.statistics().expired, COUNT as u64);
    // A letter says much: few make a run.
    assert!(held(&world) < 5 * HELD, "{}", held(&world));
    assert!(drain_beside(&mut world, "letters", 4 * HELD) == expected(0..COUNT));

    // Too many: the head goes.
    let (mut world, mut c) = full(&letters_of(&[("x-max-length", long(COUNT as i64))]));
    fill(&mut world, &mut c, "q", COUNT..COUNT + 1_000);
    assert_eq!(world.broker.statistics().overflowed, 1_000);
    // A letter says much: few make a run.
    assert!(held(&world) < HELD + SPILL, "{}", held(&world));
    assert!(drain_beside(&mut world, "letters", SPILL) == expected(0..1_000));
    assert!(drain(&mut world, "q") == expected(1_000..COUNT + 1_000));
}

#[test]
fn the_oldest_go_where_there_are_too_many() {
    let (mut world, mut c) = full(&table([("x-max-length", long(COUNT as i64))]));
    fill(&mut world, &mut c, "q", COUNT..COUNT + 1_000);
    assert_eq!(world.broker.statistics().overflowed, 1_000);
    assert_eq!(world.broker.statistics().ready, COUNT as u64);
    world.crash_with(config());
    assert!(drain(&mut world, "q") == expected(1_000..COUNT + 1_000));
}

/// The priority counts first, as ever.
#[test]
fn priorities_count_first() {
    let (mut world, mut c) = declared(&table([("x-max-priority", long(3))]));
    let priority = |n: usize| (n / 100 % 5) as u8;
    for n in 0..COUNT {
        let fields = PropertyFields {
            delivery_mode: Some(PERSISTENT),
            priority: Some(priority(n)),
            ..Default::default()
        };
        c.0.publish_with(1, "", "q", &body(n), false, &fields);
        c.seen(&mut world);
    }
    // Each priority keeps its head.
    assert!(held(&world) < HELD + SPILL / 2, "{}", held(&world));
    let mut sorted: Vec<usize> = (0..COUNT).collect();
    sorted.sort_by_key(|n| std::cmp::Reverse(priority(*n).min(3)));
    let sorted: Vec<String> = sorted.into_iter().map(body).collect();
    world.crash_with(config());
    let mut c = Client::connect(&mut world);
    c.0.consume(1, "q", "c", true);
    assert!(bodies(&mut c, &mut world, SPILL / 2) == sorted);
}

/// A selector looks at all of them, those that have left memory too.
#[test]
fn a_selector_finds_them() {
    for reads_slowly in [false, true] {
        let (mut world, mut c) = full(&TableBuf::new());
        world.reads_slowly = reads_slowly;
        let s = Stomp::connect(&mut world);
        s.subscribe(
            &mut world,
            "0",
            "/queue/q",
            "durable:true\nselector:x IS NULL\n",
        );
        let mut all = Vec::new();
        loop {
            let new = s.messages(&mut world);
            if new.is_empty() && world.reads.is_empty() {
                break;
            }
            all.extend(new);
            world.read();
        }
        assert!(all == expected(0..COUNT), "{}", all.len());
        fill(&mut world, &mut c, "q", 0..100);
        assert!(s.messages(&mut world) == expected(0..100));
    }
}

/// A queue that is emptied while a selector waits for a run goes on serving it.
#[test]
fn a_selector_that_waits_while_the_queue_is_purged() {
    let (mut world, mut c) = full(&TableBuf::new());
    world.reads_slowly = true;
    let s = Stomp::connect(&mut world);
    s.subscribe(
        &mut world,
        "0",
        "/queue/q",
        "durable:true\nselector:x IS NULL\n",
    );
    assert!(!world.reads.is_empty());
    let purge = Purge {
        queue: "q",
        ..Default::default()
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    c.seen(&mut world);
    world.read();
    fill(&mut world, &mut c, "q", 0..100);
    assert!(s.messages(&mut world) == expected(0..100));
}

/// Records of queues that are filled at the same time lie between each other.
#[test]
fn queues_are_filled_at_the_same_time() {
    let (mut world, mut c) = declared(&TableBuf::new());
    let names: Vec<String> = (0..5).map(|n| format!("q{n}")).collect();
    for name in &names {
        c.durable(name);
    }
    for n in 0..COUNT {
        let name = &names[n * n % 5];
        // Some are not to be kept.
        let mode = if n % 200 == 100 {
            TRANSIENT
        } else {
            PERSISTENT
        };
        c.publish(name, mode, &body(n));
        c.seen(&mut world);
    }
    // Each of them keeps its head.
    assert!(held(&world) < HELD + SPILL / 2, "{}", held(&world));
    for (i, name) in names.iter().enumerate() {
        let mine = (0..COUNT).filter(|n| n * n % 5 == i).map(body);
        assert!(
            drain(&mut world, name) == mine.collect::<Vec<_>>(),
            "{name}"
        );
    }
}

/// The log is cleaned of what is gone. The records of a run are written once more without
/// the run coming back, and are found there, after a crash too.
#[test]
fn the_log_is_cleaned() {
    for crash in [false, true] {
        let (mut world, mut c) = full(&TableBuf::new());
        c.durable("passes");
        let before = held(&world);
        let needed = world.store.len();
        let mut most = 0;
        for n in 0..6_000 {
            c.publish("passes", PERSISTENT, &body(n));
            c.0.get("passes", true);
            c.seen(&mut world);
            most = most.max(world.store.len());
        }
        assert!(
            world.store.trimmed > 2 * needed as u64,
            "{}",
            world.store.trimmed
        );
        assert!(most < 3 * needed, "{most} {needed}");
        assert!(held(&world) < before + 10_000, "{} {before}", held(&world));
        if crash {
            world.crash_with(config());
            assert!(held(&world) < HELD, "{}", held(&world));
        }
        assert!(drain(&mut world, "q") == expected(0..COUNT));
        assert_eq!(held(&world), 0);
    }
}

/// What cannot be read is lost, and counted, and nothing else is.
#[test]
fn what_cannot_be_read_is_lost() {
    let (mut world, mut c) = full(&TableBuf::new());
    world.reads_slowly = true;
    c.0.consume(1, "q", "c", true);
    let mut all = Vec::new();
    let mut refused = 0;
    loop {
        c.0.contents.clear();
        c.seen(&mut world);
        let contents = c.0.contents.iter();
        all.extend(contents.map(|c| String::from_utf8_lossy(c.body()).into_owned()));
        if world.reads.is_empty() {
            break;
        }
        // One place in the log cannot be read: whatever has it is refused.
        for (id, bytes) in &mut world.reads {
            let bad = body(1_000);
            let has = bytes
                .as_ref()
                .is_some_and(|b| b.windows(bad.len()).any(|w| w == bad.as_bytes()));
            if has {
                assert!(*id > 0);
                *bytes = None;
                refused += 1;
            }
        }
        world.read();
    }
    assert!(refused > 1, "it is asked for by itself after the run");
    let left: Vec<String> = (0..COUNT).filter(|n| *n != 1_000).map(body).collect();
    assert!(all == left, "{}", all.len());
    let statistics = world.broker.statistics();
    assert_eq!(statistics.discarded, 1);
    assert_eq!(statistics.ready, 0);
    assert_eq!(held(&world), 0);
}

/// A queue that goes while a run of it is read is gone, and its name is free.
#[test]
fn a_queue_goes_while_it_is_read() {
    let (mut world, mut c) = full(&TableBuf::new());
    world.reads_slowly = true;
    let mut reader = Client::connect(&mut world);
    reader.0.consume(1, "q", "c", true);
    while world.reads.is_empty() {
        reader.seen(&mut world);
    }
    delete_queue(&mut c.0, "q", false, false);
    c.durable("q");
    c.seen(&mut world);
    reader.0.contents.clear();
    reader.seen(&mut world);
    reader.0.contents.clear();
    fill(&mut world, &mut c, "q", 0..50);
    world.read();
    assert_eq!(drain(&mut world, "q"), expected(0..50));
    assert_eq!(held(&world), 0);
}
