//! Bodies that leave memory, and come back: in the order of the queue, whatever becomes of
//! the messages, and however late they come.

use super::{Client, PERSISTENT, TRANSIENT, long};
use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::log::storing;
use crate::world::stomp::Stomp;
use amqp_codec::TableBuf;
use amqp_codec::connection::Tags;
use mq_core::{Config, Input, Output};
use std::time::Duration;

const BODY: usize = 4_000;
/// Messages that hold much more than may be in memory.
const COUNT: usize = 500;
/// Bodies leave memory from there on.
const SPILL: usize = 600_000;

fn config() -> Config {
    let mut config = storing();
    config.limits.memory_spill = SPILL;
    config
}

fn body(n: usize) -> String {
    let mut body = format!("{n:04}");
    while body.len() < BODY {
        body += &format!("-{n}");
    }
    body.truncate(BODY);
    body
}

/// A world whose queue `q` has the messages, most of them without their bodies.
fn full(arguments: &TableBuf) -> (World, Client) {
    let mut world = World::stored_with(config());
    world.reads_slowly = true;
    let mut c = Client::connect(&mut world);
    c.queue("q", &["durable"], arguments);
    c.durable("letters");
    for n in 0..COUNT {
        c.publish("q", PERSISTENT, &body(n));
        c.seen(&mut world);
    }
    assert!(held(&world) < COUNT * BODY * 8 / 10, "{}", held(&world));
    (world, c)
}

fn held(world: &World) -> usize {
    usize::try_from(world.broker.statistics().held).unwrap()
}

/// Lets the store read until it is asked for nothing more.
fn settle(world: &mut World) {
    for _ in 0..10_000 {
        world.turn();
        if world.reads.is_empty() {
            return;
        }
        world.read();
    }
    panic!("the broker asks for more and more");
}

/// The bodies of the deliveries that have come, by their first words.
fn bodies(c: &mut Client, world: &mut World) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..2 * COUNT {
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
        world.read();
    }
    panic!("they come to no end");
}

fn expected(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(body).collect()
}

#[test]
fn consumers_get_them_in_order() {
    for no_ack in [true, false] {
        let (mut world, mut c) = full(&TableBuf::new());
        c.0.consume(1, "q", "c", no_ack);
        assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
        if !no_ack {
            // What is out does not hold its body, and comes back with it.
            c.0.codec.nack(1, Tags::UpTo(0), true.into()).unwrap();
            assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
            c.0.codec.ack(1, Tags::UpTo(0)).unwrap();
            c.seen(&mut world);
        }
        assert_eq!(held(&world), 0);
        let statistics = world.broker.statistics();
        assert_eq!(statistics.acknowledged, COUNT as u64);
        assert_eq!(statistics.ready + statistics.unacknowledged, 0);
    }
}

/// No more is read ahead of a consumer that takes nothing than helps.
#[test]
fn no_more_is_read_than_helps() {
    let (mut world, mut c) = full(&TableBuf::new());
    c.0.codec
        .qos(
            1,
            &amqp_codec::method::basic::Qos {
                prefetch_count: 1,
                ..Default::default()
            },
        )
        .unwrap();
    c.0.consume(1, "q", "c", false);
    c.seen(&mut world);
    settle(&mut world);
    let before = held(&world);
    for _ in 0..20 {
        c.seen(&mut world);
        settle(&mut world);
    }
    let asked = |world: &World| {
        let outputs = world.outputs.iter();
        let reads = outputs.filter(|output| matches!(output, Output::Read { .. }));
        reads.count()
    };
    assert!(asked(&world) <= 100, "{}", asked(&world));
    assert_eq!(held(&world), before);
}

#[test]
fn a_get_waits_for_its_body() {
    let (mut world, mut c) = full(&TableBuf::new());
    let mut other = Client::connect(&mut world);
    for n in 0..COUNT {
        c.0.get("q", n % 2 == 0);
        c.0.contents.clear();
        for _ in 0..3 {
            c.seen(&mut world);
            world.read();
        }
        c.seen(&mut world);
        assert_eq!(c.0.contents.len(), 1, "{n}");
        assert_eq!(c.0.contents[0].body(), body(n).as_bytes());
        if n % 50 == 0 {
            // Others are served meanwhile.
            other.0.get("letters", true);
            assert_eq!(other.seen(&mut world).len(), 1);
        }
    }
    c.0.get("q", true);
    let empty = c.seen(&mut world);
    assert!(empty[0].contains("get-empty"), "{empty:?}");
}

/// A queue that goes answers those who wait.
#[test]
fn a_get_from_a_queue_that_goes_is_answered() {
    let (mut world, mut c) = full(&TableBuf::new());
    // Those whose bodies are here.
    let mut here = 0;
    while world.reads.is_empty() && here < COUNT {
        c.0.get("q", true);
        here += c.seen(&mut world).len();
    }
    assert!((10..COUNT).contains(&here), "{here}");
    let mut other = Client::connect(&mut world);
    crate::world::amqp::delete_queue(&mut other.0, "q", false, false);
    other.seen(&mut world);
    let seen = c.seen(&mut world);
    assert!(seen[0].contains("get-empty"), "{seen:?}");
    settle(&mut world);
    c.durable("q");
    assert_eq!(c.seen(&mut world).len(), 1);
    assert_eq!(held(&world), 0);
}

#[test]
fn they_become_letters_with_their_bodies() {
    let target = || {
        [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("letters")),
        ]
    };
    // Rejected: what is with a consumer has no body here.
    let (mut world, mut c) = full(&table(target()));
    c.0.consume(1, "q", "c", false);
    assert_eq!(bodies(&mut c, &mut world).len(), COUNT);
    c.0.codec.nack(1, Tags::UpTo(0), false.into()).unwrap();
    c.seen(&mut world);
    settle(&mut world);
    let mut reader = Client::connect(&mut world);
    reader.0.consume(1, "letters", "l", true);
    let mut letters = bodies(&mut reader, &mut world);
    letters.sort();
    assert!(letters == expected(0..COUNT));
    assert_eq!(world.broker.statistics().rejected, COUNT as u64);

    // Expired.
    let ttl = [("x-message-ttl", long(60_000))];
    let (mut world, _c) = full(&table(target().into_iter().chain(ttl)));
    world.wait(Duration::from_secs(120));
    settle(&mut world);
    let mut reader = Client::connect(&mut world);
    reader.0.consume(1, "letters", "l", true);
    let mut letters = bodies(&mut reader, &mut world);
    letters.sort();
    assert!(letters == expected(0..COUNT));
    assert_eq!(world.broker.statistics().expired, COUNT as u64);

    // Too many: the head goes.
    let most = [("x-max-length", long(COUNT as i64))];
    let (mut world, mut c) = full(&table(target().into_iter().chain(most)));
    for n in 0..COUNT {
        c.publish("q", PERSISTENT, &body(n));
        c.seen(&mut world);
        settle(&mut world);
    }
    let mut reader = Client::connect(&mut world);
    reader.0.consume(1, "letters", "l", true);
    let mut letters = bodies(&mut reader, &mut world);
    letters.sort();
    assert!(letters == expected(0..COUNT));
    assert_eq!(world.broker.statistics().overflowed, COUNT as u64);
}

#[test]
fn they_go_without_being_read() {
    // Purged.
    let (mut world, mut c) = full(&TableBuf::new());
    let purge = amqp_codec::method::queue::Purge {
        queue: "q",
        ..Default::default()
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    let seen = c.seen(&mut world);
    assert_eq!(seen, [format!("queue.purge-ok {COUNT}")]);
    assert!(world.reads.is_empty());
    assert_eq!(held(&world), 0);
    // Expired without a letter.
    let (mut world, _c) = full(&table([("x-message-ttl", long(60_000))]));
    world.wait(Duration::from_secs(120));
    assert!(world.reads.is_empty());
    assert_eq!(world.broker.statistics().expired, COUNT as u64);
    assert_eq!(held(&world), 0);
}

/// A selector does not look at bodies, and its consumer gets them.
#[test]
fn a_selector_finds_them() {
    let (mut world, _c) = full(&TableBuf::new());
    let s = Stomp::connect(&mut world);
    s.subscribe(
        &mut world,
        "0",
        "/queue/q",
        "durable:true\nselector:x IS NULL\n",
    );
    let mut all = Vec::new();
    for _ in 0..COUNT {
        all.extend(s.messages(&mut world));
        world.read();
    }
    all.extend(s.messages(&mut world));
    assert!(all == expected(0..COUNT), "{}", all.len());
}

/// The log is cleaned of what is gone, with bodies that are not in memory, and a crash brings
/// back all that are needed, with as little memory as before.
#[test]
fn the_log_is_cleaned_and_recovered() {
    let (mut world, mut c) = full(&TableBuf::new());
    world.reads_slowly = false;
    let before = held(&world);
    c.durable("passes");
    let mut most = 0;
    for _ in 0..3_000 {
        c.publish("passes", PERSISTENT, &body(7));
        c.0.get("passes", true);
        c.seen(&mut world);
        most = most.max(world.store.len());
    }
    assert!(world.store.trimmed > 0, "some was forgotten");
    // 2.1 MB are needed.
    assert!(most < 6_500_000, "{most}");
    assert!(held(&world) < before + 100_000, "{}", held(&world));
    world.crash_with(config());
    assert!(held(&world) < before + 100_000, "{}", held(&world));
    let mut c = Client::connect(&mut world);
    c.0.consume(1, "q", "c", true);
    assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
}

/// What cannot be read is lost, and counted, and what is after it goes on.
#[test]
fn what_cannot_be_read_is_lost() {
    let (mut world, mut c) = full(&TableBuf::new());
    c.0.consume(1, "q", "c", true);
    c.seen(&mut world);
    world.turn();
    assert!(!world.reads.is_empty());
    // Runs are asked for again message by message, and bodies are not.
    let mut lost = 0;
    for (_, bytes) in &mut world.reads {
        lost += usize::from(bytes.take().is_some_and(|bytes| bytes.len() == BODY));
    }
    let all = bodies(&mut c, &mut world);
    assert_eq!(world.broker.statistics().discarded, lost as u64);
    let mut sent = expected(0..COUNT).into_iter();
    assert!(
        all.iter().all(|body| sent.any(|sent| sent == *body)),
        "in order"
    );
    assert_eq!(world.broker.statistics().ready, 0);
    let statistics = world.broker.statistics();
    assert_eq!(
        statistics.queued,
        statistics.acknowledged + statistics.discarded
    );
}

/// A message that nobody keeps stays in memory, and a number that nobody asked for is nothing.
#[test]
fn transient_ones_stay() {
    let mut world = World::stored_with(config());
    let mut c = Client::connect(&mut world);
    c.durable("q");
    for n in 0..150 {
        c.publish("q", TRANSIENT, &body(n));
    }
    c.seen(&mut world);
    assert!(held(&world) > 150 * BODY);
    world.handle(Input::Read {
        id: 77,
        bytes: None,
    });
    let mut reader = Client(Amqp::connect(&mut world));
    reader.0.consume(1, "q", "c", true);
    assert!(bodies(&mut reader, &mut world) == expected(0..150));
}

/// A message that is in several queues has one body in the log, which each of them reads.
#[test]
fn several_queues_share_a_body() {
    let mut world = World::stored_with(config());
    let mut c = Client::connect(&mut world);
    c.exchange("fan", "fanout", &["durable"]);
    let names = ["a", "b", "c"];
    for name in names {
        c.durable(name);
        c.0.bind(name, "fan", "");
    }
    c.seen(&mut world);
    let fields = amqp_codec::PropertyFields {
        delivery_mode: Some(PERSISTENT),
        ..Default::default()
    };
    for n in 0..COUNT {
        c.0.publish_with(1, "fan", "", &body(n), false, &fields);
        c.seen(&mut world);
    }
    assert!(held(&world) < COUNT * BODY / 2, "{}", held(&world));
    c.0.consume(1, "a", "a", true);
    assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
    // The log is cleaned of nothing that the others need.
    c.durable("passes");
    for _ in 0..1_500 {
        c.publish("passes", PERSISTENT, &body(7));
        c.0.get("passes", true);
        c.seen(&mut world);
    }
    assert!(world.store.trimmed > 0);
    c.0.contents.clear();
    c.0.consume(1, "b", "b", true);
    assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
    world.crash_with(config());
    assert!(held(&world) < COUNT * BODY / 2, "{}", held(&world));
    let mut c = Client::connect(&mut world);
    c.0.consume(1, "c", "c", true);
    assert!(bodies(&mut c, &mut world) == expected(0..COUNT));
    assert_eq!(held(&world), 0);
}
