//! What is there again after the broker was gone.

use super::{Client, PERSISTENT, TRANSIENT, long};
use crate::world::World;
use crate::world::amqp::{delete_queue, table, text};
use crate::world::log::{recover, storing};
use crate::world::stomp::Stomp;
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::{PropertyFields, TableBuf, method};
use bytes::Bytes;
use mq_core::{Broker, Config, ConfigError, Recovery, RecoveryError};
use std::time::Duration;

/// Queues: AMQP 0-9-1, `queue.declare`: "Durable queues remain active when a server
/// restarts. Non-durable queues (transient queues) are purged if/when a server restarts."
/// Exclusive ones are transient whatever was asked (errata 30).
#[test]
fn durable_queues_come_back() {
    let rows: &[(&str, &[&str], bool)] = &[
        ("durable", &["durable"], true),
        ("transient", &[], false),
        ("durable auto-delete", &["durable", "auto-delete"], true),
        ("exclusive", &["durable", "exclusive"], false),
    ];
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    for (name, flags, _) in rows {
        c.queue(name, flags, &table([("x-max-length", long(3))]));
    }
    assert_eq!(c.seen(&mut world).len(), rows.len());
    world.crash();
    for (name, flags, lasts) in rows {
        let mut c = Client::connect(&mut world);
        c.queue(name, &["passive"], &TableBuf::default());
        let seen = c.seen(&mut world);
        assert_eq!(
            seen[0].starts_with("queue.declare-ok"),
            *lasts,
            "{name} {seen:?}"
        );
        if *lasts {
            // It is as it was declared.
            c.queue(name, flags, &table([("x-max-length", long(3))]));
            assert_eq!(c.seen(&mut world), [format!("queue.declare-ok {name} 0 0")]);
            c.queue(name, flags, &table([("x-max-length", long(4))]));
            assert!(
                c.seen(&mut world)[0].starts_with("channel.close 406"),
                "{name}"
            );
        }
    }
}

/// Exchanges, and bindings between durable things.
#[test]
fn durable_exchanges_and_bindings_come_back() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.exchange("lasting", "direct", &["durable"]);
    c.exchange("passing", "direct", &[]);
    c.exchange("gone", "direct", &["durable"]);
    c.exchange("second", "fanout", &["durable"]);
    c.durable("q");
    c.queue("t", &[], &TableBuf::default());
    c.0.bind("q", "lasting", "kept");
    c.0.bind("q", "lasting", "unbound");
    c.0.bind("t", "lasting", "kept");
    c.0.bind("q", "passing", "kept");
    c.0.bind("q", "gone", "kept");
    let unbind = method::queue::Unbind {
        queue: "q",
        exchange: "lasting",
        routing_key: "unbound",
        ..Default::default()
    };
    c.0.codec.queue_unbind(1, &unbind).unwrap();
    let bind = method::exchange::Bind {
        destination: "second",
        source: "lasting",
        routing_key: "on",
        ..Default::default()
    };
    c.0.codec.exchange_bind(1, &bind).unwrap();
    c.0.bind("q", "second", "");
    c.0.codec
        .exchange_delete(
            1,
            &method::exchange::Delete {
                exchange: "gone",
                ..Default::default()
            },
        )
        .unwrap();
    let answers = c.seen(&mut world);
    assert_eq!(answers.len(), 15, "{answers:?}");
    world.crash();
    for (exchange, there) in [("lasting", true), ("passing", false), ("gone", false)] {
        let mut c = Client::connect(&mut world);
        c.exchange(exchange, "direct", &["passive"]);
        let seen = c.seen(&mut world);
        assert_eq!(
            seen == ["exchange.declare-ok"],
            there,
            "{exchange} {seen:?}"
        );
    }
    let mut c = Client::connect(&mut world);
    for key in ["kept", "unbound", "on"] {
        c.0.publish(1, "lasting", key, key);
    }
    assert_eq!(c.drain(&mut world, "q"), ["kept", "on"]);
}

/// A persistent message in a durable queue, and nothing else.
#[test]
fn persistent_messages_in_durable_queues_come_back() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("d");
    c.queue("t", &[], &TableBuf::default());
    for queue in ["d", "t"] {
        c.0.bind(queue, "amq.fanout", "");
    }
    c.seen(&mut world);
    for (mode, body) in [(TRANSIENT, "no"), (PERSISTENT, "1"), (PERSISTENT, "2")] {
        let fields = PropertyFields {
            delivery_mode: Some(mode),
            ..Default::default()
        };
        c.0.publish_with(1, "amq.fanout", "", body, false, &fields);
    }
    c.seen(&mut world);
    Stomp::connect(&mut world).send(
        &mut world,
        "SEND\ndestination:/queue/d\npersistent:true\n\n3",
    );
    Stomp::connect(&mut world).send(&mut world, "SEND\ndestination:/queue/d\n\nno");
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "d"), ["1", "2", "3"]);
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "d"), [""; 0], "taken");
}

/// All that a message says of itself.
#[test]
fn a_message_comes_back_as_it_was() {
    let headers = table([
        ("text", text("x")),
        ("number", amqp_codec::FieldValue::I16(-7)),
        ("void", amqp_codec::FieldValue::Void),
        ("float", amqp_codec::FieldValue::F64(0.25)),
    ]);
    let fields = PropertyFields {
        content_type: Some("text/plain".into()),
        content_encoding: Some("identity".into()),
        headers: Some(headers.as_table()),
        delivery_mode: Some(PERSISTENT),
        priority: Some(3),
        correlation_id: Some("c".into()),
        reply_to: Some("r".into()),
        expiration: Some("60000".into()),
        message_id: Some("m".into()),
        timestamp: Some(12345),
        r#type: Some("t".into()),
        user_id: Some("guest".into()),
        app_id: Some("a".into()),
        ..Default::default()
    };
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.0.publish_with(1, "", "q", "body", false, &fields);
    c.seen(&mut world);
    world.crash();
    let mut c = Client::connect(&mut world);
    c.0.get("q", true);
    assert_eq!(c.seen(&mut world), ["get-ok 1 body +0"]);
    let content = c.0.contents.pop().unwrap();
    assert_eq!(content.properties().fields(), fields);
    assert_eq!((content.exchange(), content.routing_key()), ("", "q"));
}

/// What becomes of a message that was with a consumer when the broker went.
#[test]
fn settlements_are_remembered() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("q");
    for body in ["acked", "rejected", "requeued", "held", "ready", "no-ack"] {
        c.publish("q", PERSISTENT, body);
    }
    for _ in 0..4 {
        c.0.get("q", false);
    }
    c.seen(&mut world);
    c.0.codec.ack(1, Tags::One(1)).unwrap();
    c.0.codec.reject(1, 2, Requeue::No).unwrap();
    c.0.codec.reject(1, 3, Requeue::Yes).unwrap();
    c.seen(&mut world);
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(
        c.drain(&mut world, "q"),
        [
            "again requeued",
            "again held",
            "again ready",
            "again no-ack"
        ]
    );
}

/// A letter is in the queue that it went to, with its story, and in no other; what has
/// expired while the broker was gone goes there too.
#[test]
fn dead_letters_come_back() {
    let arguments = table([
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ]);
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.queue("q", &["durable"], &arguments);
    c.durable("dead");
    c.publish("q", PERSISTENT, "rejected");
    let fields = PropertyFields {
        delivery_mode: Some(PERSISTENT),
        expiration: Some("10000".into()),
        ..Default::default()
    };
    c.0.publish_with(1, "", "q", "expired", false, &fields);
    c.0.get("q", false);
    c.seen(&mut world);
    c.0.codec.reject(1, 1, Requeue::No).unwrap();
    c.seen(&mut world);
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "dead"), ["rejected"]);
    let content = c.0.contents.pop().unwrap();
    let headers = content.properties().fields().headers.unwrap();
    assert!(headers.get("x-death").is_some());
    // The time goes on while the broker is down.
    world.now += Duration::from_secs(11);
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "q"), [""; 0]);
    assert_eq!(c.drain(&mut world, "dead"), ["expired"]);
}

/// The origin of `now` is the embedder's: what was stored counts Unix time.
#[test]
fn times_go_on_in_unix_time() {
    let started_at = |seconds| {
        let mut config = storing();
        config.unix_time = Duration::from_secs(seconds);
        config
    };
    let mut world = World::stored_with(started_at(1_000_000));
    world.now = Duration::from_secs(500);
    let mut c = Client::connect(&mut world);
    c.durable("q");
    for (body, expiration) in [("short", "10000"), ("long", "60000")] {
        let fields = PropertyFields {
            delivery_mode: Some(PERSISTENT),
            expiration: Some(expiration.into()),
            ..Default::default()
        };
        c.0.publish_with(1, "", "q", body, false, &fields);
    }
    c.seen(&mut world);
    // 30 s later another process starts its own clock.
    world.now = Duration::ZERO;
    world.crash_with(started_at(1_000_530));
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "q"), ["long"]);
}

/// RabbitMQ 3.10: a quorum queue counts how often a message came back, for its delivery
/// limit.
#[test]
fn delivery_counts_come_back() {
    let arguments = table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", long(2)),
    ]);
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.queue("q", &["durable"], &arguments);
    c.publish("q", PERSISTENT, "m");
    c.seen(&mut world);
    for _ in 0..2 {
        let mut c = Client::connect(&mut world);
        c.0.get("q", false);
        assert!(c.seen(&mut world)[0].starts_with("get-ok 1"));
        c.0.codec.reject(1, 1, Requeue::Yes).unwrap();
        c.seen(&mut world);
        world.crash();
    }
    let mut c = Client::connect(&mut world);
    c.0.get("q", false);
    assert_eq!(c.seen(&mut world), ["get-ok 1 again m +0"]);
    c.0.codec.reject(1, 1, Requeue::Yes).unwrap();
    c.seen(&mut world);
    assert_eq!(c.drain(&mut world, "q"), [""; 0], "the limit is reached");
}

/// What is gone stays gone.
#[test]
fn purges_and_deletions_are_remembered() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    for queue in ["purged", "deleted", "again"] {
        c.durable(queue);
        for n in 0..600 {
            c.publish(queue, PERSISTENT, &n.to_string());
        }
    }
    c.seen(&mut world);
    c.0.get("purged", false);
    c.seen(&mut world);
    let purge = method::queue::Purge {
        queue: "purged",
        no_wait: false,
    };
    c.0.codec.queue_purge(1, &purge).unwrap();
    assert_eq!(c.seen(&mut world), ["queue.purge-ok 599"]);
    delete_queue(&mut c.0, "deleted", false, false);
    delete_queue(&mut c.0, "again", false, false);
    c.durable("again");
    assert_eq!(
        c.seen(&mut world),
        [
            "queue.delete-ok 600",
            "queue.delete-ok 600",
            "queue.declare-ok again 0 0"
        ]
    );
    world.crash();
    let mut c = Client::connect(&mut world);
    assert_eq!(c.drain(&mut world, "purged"), ["again 0"], "it was out");
    assert_eq!(c.drain(&mut world, "again"), [""; 0]);
    c.queue("deleted", &["passive"], &TableBuf::default());
    assert!(c.seen(&mut world)[0].starts_with("channel.close 404"));
}

/// The same in a log of which nothing has been forgotten.
#[test]
fn a_deletion_is_remembered_by_its_record() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("deleted");
    c.publish("deleted", PERSISTENT, "m");
    c.seen(&mut world);
    delete_queue(&mut c.0, "deleted", false, false);
    assert_eq!(c.seen(&mut world), ["queue.delete-ok 1"]);
    world.crash();
    let mut c = Client::connect(&mut world);
    c.queue("deleted", &["passive"], &TableBuf::default());
    assert!(c.seen(&mut world)[0].starts_with("channel.close 404"));
}

/// A transaction is there whole or not at all, wherever the log ends.
#[test]
fn transactions_are_whole() {
    let mut world = World::with(storing());
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.publish("q", PERSISTENT, "before");
    c.seen(&mut world);
    world.sync();
    c.0.get("q", false);
    c.0.codec.tx_select(1, &method::tx::Select {}).unwrap();
    c.seen(&mut world);
    world.sync();
    c.seen(&mut world);
    for n in 0..1000 {
        c.publish("q", PERSISTENT, &n.to_string());
    }
    c.0.codec.ack(1, Tags::One(1)).unwrap();
    let before = world.store.batches.len();
    c.0.codec.tx_commit(1, &method::tx::Commit {}).unwrap();
    assert_eq!(c.seen(&mut world), [""; 0], "it is not stored");
    let batches = world.store.batches.clone();
    assert!(batches.len() > before + 2, "in several calls");
    for count in (before..=batches.len()).rev() {
        world.store.batches.truncate(count);
        world.broker = recover(storing(), batches[..count].iter().cloned(), world.now).unwrap();
        let mut c = Client::connect(&mut world);
        let found = c.drain(&mut world, "q");
        if count == batches.len() {
            let all: Vec<String> = (0..1000).map(|n| format!("again {n}")).collect();
            assert_eq!(found, all);
        } else {
            assert_eq!(found, ["again before"], "{count} batches");
        }
    }
}

/// Each prefix of the log makes a broker, and the same one again.
#[test]
fn each_prefix_of_the_log_is_a_state() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("q");
    for n in 0..20 {
        c.publish("q", PERSISTENT, &n.to_string());
        c.seen(&mut world);
        if n % 3 == 0 {
            c.0.get("q", true);
            c.seen(&mut world);
        }
    }
    let batches = world.store.batches.clone();
    let mut last = 0;
    for count in 0..=batches.len() {
        let prefix = || batches[..count].iter().cloned();
        let [one, other] = [(), ()].map(|()| {
            recover(storing(), prefix(), world.now)
                .unwrap()
                .statistics()
        });
        assert_eq!(one, other);
        assert!(one.ready.abs_diff(last) <= 1);
        last = one.ready;
    }
    assert_eq!(last, 13);
}

/// Names that the broker makes up are not made again.
#[test]
fn made_up_names_are_new() {
    let mut world = World::stored();
    let mut names = Vec::new();
    for _ in 0..3 {
        let mut c = Client::connect(&mut world);
        c.durable("");
        let declared = c.seen(&mut world).remove(0);
        names.push(declared.split(' ').nth(1).unwrap().to_owned());
        world.crash();
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[test]
fn a_log_that_cannot_be_read_is_refused() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    c.durable("q");
    c.publish("q", PERSISTENT, "body");
    c.seen(&mut world);
    let batches = world.store.batches.clone();
    type Batches = Vec<(u64, Bytes)>;
    let with = |config: Config, change: &dyn Fn(&mut Batches)| {
        let mut batches = batches.clone();
        change(&mut batches);
        recover(config, batches, Duration::ZERO).map(|_: Broker| ())
    };
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        with(storing(), &|batches| {
            let mut bytes = batches[0].1.to_vec();
            change(&mut bytes);
            batches[0].1 = bytes.into();
            batches.truncate(1);
        })
    };
    assert_eq!(with(storing(), &|_| {}), Ok(()));
    let gap = with(storing(), &|batches| {
        batches.remove(0);
        batches[0].0 += 1;
        batches.insert(0, (0, Bytes::new()));
    });
    assert!(
        matches!(gap, Err(RecoveryError::Gap { expected: 0, .. })),
        "{gap:?}"
    );
    for cut in 1..batches[0].1.len() {
        let cut = damaged(&|bytes| bytes.truncate(bytes.len() - cut));
        assert!(
            matches!(cut, Ok(()) | Err(RecoveryError::Damaged { .. })),
            "{cut:?}"
        );
    }
    assert_eq!(
        damaged(&|bytes| bytes[1] = 77),
        Err(RecoveryError::Unknown {
            position: 0,
            kind: 0,
            version: 77
        })
    );
    assert_eq!(
        damaged(&|bytes| bytes[0] = 200),
        Err(RecoveryError::Unknown {
            position: 0,
            kind: 200,
            version: 1
        })
    );
    let mut elsewhere = storing();
    elsewhere.virtual_hosts = vec!["other".to_owned()];
    assert_eq!(
        with(elsewhere, &|_| {}),
        Err(RecoveryError::VirtualHost {
            position: 0,
            name: "/".to_owned()
        })
    );
    assert_eq!(
        Recovery::new(Config::default()).err(),
        Some(ConfigError::NoStore)
    );
}

/// `redelivered` (AMQP 0-9-1 section 1.8.3.13: "previously delivered to this or another
/// client"): on messages that may have been, and on none in a queue that delivers none.
#[test]
fn what_may_have_been_delivered_says_so() {
    let mut world = World::stored();
    let mut c = Client::connect(&mut world);
    for queue in ["read", "unread"] {
        c.durable(queue);
        for n in 0..1500 {
            c.publish(queue, PERSISTENT, &n.to_string());
        }
    }
    c.seen(&mut world);
    c.0.get("read", false);
    c.seen(&mut world);
    world.crash();
    let mut c = Client::connect(&mut world);
    let read = c.drain(&mut world, "read");
    assert_eq!((read.len(), &*read[0]), (1500, "again 0"));
    assert_eq!(read[1499], "1499", "far from what was delivered");
    let unread = c.drain(&mut world, "unread");
    assert!(unread.iter().all(|message| !message.starts_with("again")));
}
