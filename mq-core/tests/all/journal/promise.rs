//! What is said to clients when it is stored, and what at once.

use super::{Client, PERSISTENT, TRANSIENT};
use crate::world::World;
use crate::world::amqp::delete_queue;
use crate::world::log::storing;
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use amqp_codec::connection::Tags;
use amqp_codec::{TableBuf, method};
use mq_core::{Config, Output, Store};
use mqtt_codec::QoS;

/// A world whose store takes everything and says nothing, and a client with the durable
/// queue `q`, the transient queue `t`, and confirms on channel 1.
fn stuck() -> (World, Client) {
    let mut world = World::with(storing());
    world.store.is_quick = true;
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.queue("t", &[], &TableBuf::default());
    c.confirm(1);
    assert_eq!(c.seen(&mut world).len(), 3);
    world.store.is_quick = false;
    (world, c)
}

/// What the client does, and what it sees of that before and after it is stored.
struct Row {
    name: &'static str,
    act: fn(&mut Client),
    at_once: &'static [&'static str],
    stored: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        name: "a persistent message in a durable queue",
        act: |c| c.publish("q", PERSISTENT, "m"),
        at_once: &[],
        stored: &["ack 1-1"],
    },
    Row {
        name: "a transient message",
        act: |c| c.publish("q", TRANSIENT, "m"),
        at_once: &["ack 1-1"],
        stored: &[],
    },
    Row {
        name: "a persistent message in a transient queue",
        act: |c| c.publish("t", PERSISTENT, "m"),
        at_once: &["ack 1-1"],
        stored: &[],
    },
    Row {
        name: "a transient message overtakes a persistent one",
        act: |c| {
            c.publish("q", PERSISTENT, "m");
            c.publish("q", TRANSIENT, "m");
            c.publish("q", PERSISTENT, "m");
        },
        at_once: &["ack 2-2"],
        stored: &["ack 1-1", "ack 3-3"],
    },
    Row {
        name: "a durable queue",
        act: |c| c.durable("new"),
        at_once: &[],
        stored: &["queue.declare-ok new 0 0"],
    },
    Row {
        name: "a durable queue that is there, and stored",
        act: |c| c.durable("q"),
        at_once: &["queue.declare-ok q 0 0"],
        stored: &[],
    },
    Row {
        name: "a transient queue",
        act: |c| c.queue("new", &[], &TableBuf::default()),
        at_once: &["queue.declare-ok new 0 0"],
        stored: &[],
    },
    Row {
        name: "nothing overtakes an answer",
        act: |c| {
            c.durable("new");
            c.queue("t", &[], &TableBuf::default());
        },
        at_once: &[],
        stored: &["queue.declare-ok new 0 0", "queue.declare-ok t 0 0"],
    },
    Row {
        name: "a durable exchange",
        act: |c| c.exchange("x", "fanout", &["durable"]),
        at_once: &[],
        stored: &["exchange.declare-ok"],
    },
    Row {
        name: "a transient exchange",
        act: |c| c.exchange("x", "fanout", &[]),
        at_once: &["exchange.declare-ok"],
        stored: &[],
    },
    Row {
        name: "a binding between durable things",
        act: |c| c.0.bind("q", "amq.topic", "a"),
        at_once: &[],
        stored: &["queue.bind-ok"],
    },
    Row {
        name: "a binding of a transient queue",
        act: |c| c.0.bind("t", "amq.topic", "a"),
        at_once: &["queue.bind-ok"],
        stored: &[],
    },
    Row {
        name: "the end of a durable queue",
        act: |c| delete_queue(&mut c.0, "q", false, false),
        at_once: &[],
        stored: &["queue.delete-ok 0"],
    },
    Row {
        name: "the end of a transient queue",
        act: |c| delete_queue(&mut c.0, "t", false, false),
        at_once: &["queue.delete-ok 0"],
        stored: &[],
    },
];

#[test]
fn what_is_promised_is_stored_before() {
    for Row {
        name,
        act,
        at_once,
        stored,
    } in ROWS
    {
        let (mut world, mut c) = stuck();
        act(&mut c);
        assert_eq!(c.seen(&mut world), *at_once, "{name}, before");
        let anything = world.store.end() > world.store.durable;
        assert_eq!(anything, !stored.is_empty(), "{name}, appended");
        world.sync();
        assert_eq!(c.seen(&mut world), *stored, "{name}, after");
    }
}

/// Without a store nothing is appended, and nothing waits.
#[test]
fn without_a_store_nothing_waits() {
    for Row {
        name,
        act,
        at_once,
        stored,
    } in ROWS
    {
        let mut world = World::with(Config::default());
        assert_eq!(Config::default().store, Store::None);
        let mut c = Client::connect(&mut world);
        c.durable("q");
        c.queue("t", &[], &TableBuf::default());
        c.confirm(1);
        c.seen(&mut world);
        act(&mut c);
        let seen = c.seen(&mut world);
        if at_once.is_empty() || stored.is_empty() {
            assert_eq!(seen, [*at_once, *stored].concat(), "{name}");
        } else {
            assert_eq!(seen, ["ack 1-3"], "{name}");
        }
        let appended = |output: &Output| matches!(output, Output::Append { .. });
        assert!(!world.outputs.iter().any(appended), "{name}");
    }
}

/// That a queue is there is no news before it is stored, for those either who did not
/// declare it.
#[test]
fn what_another_has_declared_waits_too() {
    let (mut world, mut c) = stuck();
    let mut other = Client::connect(&mut world);
    c.durable("new");
    c.seen(&mut world);
    other.durable("new");
    assert_eq!(other.seen(&mut world), [""; 0]);
    world.sync();
    assert_eq!(other.seen(&mut world), ["queue.declare-ok new 0 0"]);
}

/// Deliveries do not wait, nor do acknowledgements of clients.
#[test]
fn deliveries_do_not_wait() {
    let (mut world, mut c) = stuck();
    let mut other = Client::connect(&mut world);
    other.0.consume(1, "q", "c", false);
    other.seen(&mut world);
    c.publish("q", PERSISTENT, "m");
    assert_eq!(c.seen(&mut world), [""; 0]);
    assert_eq!(other.seen(&mut world), ["c 1 m"]);
    other.0.codec.ack(1, Tags::One(1)).unwrap();
    other.0.get("t", true);
    assert_eq!(other.seen(&mut world).len(), 1, "it goes on");
    world.sync();
    assert_eq!(c.seen(&mut world), ["ack 1-1"]);
}

/// A receipt for what the client sent, received or settled follows the store.
#[test]
fn receipts_follow_the_store() {
    let (mut world, mut c) = stuck();
    c.publish("q", PERSISTENT, "1");
    c.seen(&mut world);
    let s = Stomp::connect(&mut world);
    s.subscribe(&mut world, "s", "/queue/q", "ack:client-individual\n");
    world.sync();
    let ack = |s: Stomp, world: &mut World| {
        let frame = s.frames(world).pop().unwrap();
        let ack = frame.header("ack").unwrap();
        s.send(world, &format!("ACK\nid:{ack}\nreceipt:r\n\n"));
    };
    ack(s, &mut world);
    assert_eq!(s.frames(&mut world).len(), 0, "not stored");
    world.sync();
    assert_eq!(s.frames(&mut world).len(), 1, "stored");
    // Of a transient message nothing is.
    c.publish("q", TRANSIENT, "2");
    c.seen(&mut world);
    ack(s, &mut world);
    assert_eq!(s.frames(&mut world).len(), 1, "at once");
    for (frame, waits) in [
        (
            "SEND\ndestination:/queue/q\npersistent:true\nreceipt:r\n\nm",
            true,
        ),
        ("SEND\ndestination:/queue/q\nreceipt:r\n\nm", false),
        ("SEND\ndestination:/queue/new\nreceipt:r\n\nm", true),
    ] {
        let s = Stomp::connect(&mut world);
        s.send(&mut world, frame);
        assert_eq!(s.frames(&mut world).is_empty(), waits, "{frame}");
        world.sync();
        assert_eq!(s.frames(&mut world).len(), usize::from(waits), "{frame}");
    }
}

/// `tx.commit` and STOMP's COMMIT.
#[test]
fn commits_follow_the_store() {
    let (mut world, _) = stuck();
    let mut c = Client::connect(&mut world);
    c.0.codec.tx_select(1, &method::tx::Select {}).unwrap();
    c.seen(&mut world);
    for (mode, waits) in [(PERSISTENT, true), (TRANSIENT, false)] {
        c.publish("q", mode, "m");
        c.0.codec.tx_commit(1, &method::tx::Commit {}).unwrap();
        assert_eq!(c.seen(&mut world).is_empty(), waits);
        world.sync();
        assert_eq!(c.seen(&mut world).is_empty(), !waits);
    }
    let s = Stomp::connect(&mut world);
    for frame in [
        "BEGIN\ntransaction:t\n\n",
        "SEND\ntransaction:t\ndestination:/queue/q\npersistent:true\n\nm",
        "COMMIT\ntransaction:t\nreceipt:r\n\n",
    ] {
        s.send(&mut world, frame);
    }
    assert_eq!(s.frames(&mut world).len(), 0);
    world.sync();
    assert_eq!(s.frames(&mut world).len(), 1);
}

/// A purge is answered when all that it took is stored as gone.
#[test]
fn a_purge_follows_the_store() {
    let (mut world, mut c) = stuck();
    for _ in 0..1000 {
        c.publish("q", PERSISTENT, "m");
    }
    c.seen(&mut world);
    world.sync();
    c.seen(&mut world);
    let purge = method::queue::Purge {
        queue: "q",
        no_wait: false,
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    assert_eq!(c.seen(&mut world), [""; 0]);
    world.sync();
    assert_eq!(c.seen(&mut world), ["queue.purge-ok 1000"]);
}

/// Messages for a connection that waits for the store do not pile up in front of it.
#[test]
fn what_waits_behind_an_answer_is_bounded() {
    let mut config = storing();
    config.limits.transmit_high_water = 10_000;
    let mut world = World::with(config);
    world.store.is_quick = true;
    let mut c = Client::connect(&mut world);
    c.queue("t", &[], &TableBuf::default());
    c.0.consume(1, "t", "c", true);
    c.seen(&mut world);
    let mut other = Client::connect(&mut world);
    world.store.is_quick = false;
    c.durable("new");
    c.seen(&mut world);
    let body = "x".repeat(1000);
    for _ in 0..100 {
        other.publish("t", TRANSIENT, &body);
    }
    other.seen(&mut world);
    let waiting = world.broker.statistics().ready;
    assert!((80..=95).contains(&waiting), "{waiting}");
    world.sync();
    assert_eq!(c.seen(&mut world).len(), 101);
    assert_eq!(world.broker.statistics().ready, 0);
}

/// The receipt of DISCONNECT says that all frames before it are done (STOMP 1.2,
/// DISCONNECT): it comes after theirs, and after what they store.
#[test]
fn the_last_receipt_comes_last() {
    let (mut world, mut c) = stuck();
    for (receipt, receipts) in [("receipt:1\n", 2), ("", 1)] {
        let s = Stomp::connect(&mut world);
        s.subscribe(&mut world, "s", "/queue/q", "ack:client-individual\n");
        s.frames(&mut world);
        s.send(
            &mut world,
            &format!("SEND\ndestination:/queue/q\npersistent:true\n{receipt}\nm"),
        );
        s.send(&mut world, "DISCONNECT\nreceipt:2\n\n");
        let frames = s.frames(&mut world);
        assert!(
            frames
                .iter()
                .all(|frame| frame.header("receipt-id").is_none()),
            "{frames:?}"
        );
        assert!(!world.is_closed(s.0));
        world.sync();
        let frames = s.frames(&mut world);
        assert_eq!(frames.len(), receipts);
        assert_eq!(frames[receipts - 1].header("receipt-id"), Some("2"));
        assert!(world.is_closed(s.0));
    }
    assert_eq!(c.drain(&mut world, "q").len(), 2, "nothing is lost");
}

/// PUBACKs come in the order of their PUBLISH packets (MQTT-4.6.0-2), also where one has
/// nothing to wait for.
#[test]
fn pubacks_keep_their_order() {
    let (mut world, mut c) = stuck();
    c.0.bind("q", "amq.topic", "stored");
    c.seen(&mut world);
    world.sync();
    let mut m = Mqtt::connect(&mut world, "m");
    m.publish("nowhere", "1", QoS::AtLeastOnce);
    assert_eq!(m.seen(&mut world), ["puback NoMatchingSubscribers"]);
    for topic in ["stored", "nowhere", "stored"] {
        m.publish(topic, "2", QoS::AtLeastOnce);
    }
    assert_eq!(m.seen(&mut world), [""; 0]);
    world.sync();
    assert_eq!(
        m.seen(&mut world),
        [
            "puback Success",
            "puback NoMatchingSubscribers",
            "puback Success"
        ]
    );
}
