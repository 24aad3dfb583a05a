//! The log does not grow beyond what is in it.

use super::{Client, PERSISTENT};
use crate::world::World;
use crate::world::log::storing;
use amqp_codec::connection::Tags;
use amqp_codec::method::tx;

/// Messages that stay while many others come and go: the log is trimmed, and they are
/// there again.
#[test]
fn what_stays_is_written_once_more() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("stays");
    c.durable("passes");
    c.exchange("x", "topic", &["durable"]);
    c.0.bind("stays", "x", "k");
    let body = "x".repeat(100);
    for n in 0..100 {
        c.publish("stays", PERSISTENT, &format!("{n:03}{body}"));
    }
    c.seen(&mut world);
    let mut most = 0;
    for _ in 0..5_000 {
        c.publish("passes", PERSISTENT, &body);
        c.0.get("passes", true);
        c.seen(&mut world);
        most = most.max(world.store.len());
    }
    assert!(world.store.trimmed > 0);
    // 22 KB are live; a log below 64 KiB is left alone.
    assert!(most < 150_000, "{most}");
    world.crash();
    let mut c = Client::connect(&mut world);
    let all: Vec<String> = (0..100).map(|n| format!("{n:03}{body}")).collect();
    c.0.publish(1, "x", "k", "bound");
    assert_eq!(c.drain(&mut world, "stays")[..100], all);
    assert_eq!(c.drain(&mut world, "passes"), [""; 0]);
    c.exchange("x", "topic", &["durable"]);
    assert_eq!(c.seen(&mut world), ["exchange.declare-ok"]);
}

/// What is not stored is not trimmed by, and one batch stays.
#[test]
fn nothing_is_trimmed_before_its_copy_is_stored() {
    let mut world = World::with(storing());
    let mut c = Client::connect(&mut world);
    c.durable("q");
    let body = "x".repeat(1000);
    for _ in 0..1_000 {
        c.publish("q", PERSISTENT, &body);
        c.0.get("q", true);
        c.seen(&mut world);
        assert_eq!(world.store.trimmed, 0);
        if world.store.durable == 0 {
            world.sync();
            c.seen(&mut world);
            world.store.durable = 1;
        }
    }
    world.sync();
    for _ in 0..100 {
        c.publish("q", PERSISTENT, &body);
        c.0.get("q", true);
        c.seen(&mut world);
        world.sync();
    }
    assert!(world.store.trimmed > 0);
    assert!(!world.store.batches.is_empty());
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "q"), [""; 0]);
}

/// Whatever comes and goes, the log has between twice and two and a half times the bytes
/// that are needed of it, from where it was trimmed.
#[test]
fn the_log_is_bounded_by_what_is_needed() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("stays");
    c.durable("passes");
    let body = "x".repeat(1000);
    for _ in 0..500 {
        c.publish("stays", PERSISTENT, &body);
    }
    c.seen(&mut world);
    let needed = world.store.len();
    let (needed, mut most) = (needed as u64, 0);
    for _ in 0..4_000 {
        c.publish("passes", PERSISTENT, &body);
        c.0.get("passes", true);
        c.seen(&mut world);
        most = most.max(world.store.end() - world.store.trimmed);
    }
    assert!(world.store.end() > 8 * needed, "much has passed");
    assert!(most * 2 < needed * 5, "{most} {needed}");
}

/// What a large transaction has settled is not written once more as if it were there.
#[test]
fn what_a_transaction_has_settled_stays_settled() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.durable("passes");
    let body = "x".repeat(100);
    for _ in 0..3_000 {
        c.publish("q", PERSISTENT, &body);
    }
    c.seen(&mut world);
    c.0.codec.tx_select(1, &tx::Select {}).unwrap();
    c.0.consume(1, "q", "c", false);
    c.seen(&mut world);
    c.0.codec.ack(1, Tags::UpTo(3_000)).unwrap();
    c.0.codec.tx_commit(1, &tx::Commit {}).unwrap();
    assert_eq!(c.seen(&mut world), ["tx.commit-ok"]);
    let mut other = Client::connect(&mut world);
    for _ in 0..1_000 {
        other.publish("passes", PERSISTENT, &body.repeat(10));
        other.0.get("passes", true);
        other.seen(&mut world);
    }
    assert!(world.store.trimmed > 0);
    assert!(world.store.len() < 150_000, "{}", world.store.len());
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "q"), [""; 0]);
}
