//! What a publisher was told is safe is there: a queue that refuses publishes
//! keeps what comes back to it, and a commit that is answered kept everything.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::stomp::Stomp;
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::confirm;
use amqp_codec::{FieldValue, method};

const OVERFLOWS: [(&str, &[&str]); 3] = [
    // What comes back to a queue that drops its head is dropped first, as it is
    // the oldest (RabbitMQ 3.10.8, observed).
    ("drop-head", &["3", "4"]),
    // A queue that refuses publishes refuses nothing that it has accepted
    // before (RabbitMQ 3.10.8, observed).
    ("reject-publish", &["1", "2", "3", "4"]),
    ("reject-publish-dlx", &["1", "2", "3", "4"]),
];

/// A queue with room for so many messages.
fn bounded(c: &mut Amqp, queue: &str, length: i64, overflow: &str) {
    let arguments = table([
        ("x-max-length", FieldValue::I64(length)),
        ("x-overflow", text(overflow)),
    ]);
    c.declare(queue, &arguments);
}

/// All bodies in a queue.
fn bodies(world: &mut World, queue: &str) -> Vec<String> {
    let mut c = Amqp::connect(world);
    loop {
        c.get(queue, true);
        if !c.answer(world).starts_with("get-ok") {
            break;
        }
    }
    let text = |c: &amqp_codec::connection::Content| String::from_utf8_lossy(c.body()).into_owned();
    c.contents.iter().map(text).collect()
}

/// How messages that are out come back.
type Return = fn(&mut Amqp, &mut World);

const RETURNS: [(&str, Return); 3] = [
    ("nack", |c, _| {
        c.codec.nack(1, Tags::UpTo(0), Requeue::Yes).unwrap();
    }),
    ("recover", |c, _| {
        c.codec
            .recover(1, &method::basic::Recover { requeue: true })
            .unwrap();
    }),
    ("the connection dies", |c, w| w.cut(c.id)),
];

#[test]
fn what_comes_back_to_a_full_queue_is_kept_unless_it_drops_its_head() {
    for (overflow, expected) in OVERFLOWS {
        for (how, return_) in RETURNS {
            let mut world = World::new();
            let mut c = Amqp::connect(&mut world);
            bounded(&mut c, "q", 2, overflow);
            for body in ["1", "2"] {
                c.publish(1, "", "q", body);
            }
            c.get("q", false);
            c.get("q", false);
            c.seen(&mut world);
            for body in ["3", "4"] {
                c.publish(1, "", "q", body);
            }
            c.seen(&mut world);
            return_(&mut c, &mut world);
            if !world.is_closed(c.id) {
                c.seen(&mut world);
            }
            assert_eq!(bodies(&mut world, "q"), expected, "{overflow}, {how}");
            let lost = 4 - expected.len() as u64;
            assert_eq!(world.broker.statistics().overflowed, lost, "{overflow}");
        }
    }
}

#[test]
fn a_returned_message_makes_no_room_for_another() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    bounded(&mut c, "q", 1, "reject-publish");
    c.publish(1, "", "q", "1");
    c.get("q", false);
    c.publish(1, "", "q", "2");
    c.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
    c.codec
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    c.publish(1, "", "q", "3");
    assert_eq!(c.answer(&mut world), "nack 1-1");
    assert_eq!(bodies(&mut world, "q"), ["1", "2"]);
}

/// What a transaction publishes to `q`, which has room for one, and whether
/// that can be done.
const TRANSACTIONS: &[(&[&str], bool)] = &[
    (&["q"], true),
    (&["other", "q"], true),
    (&["q", "q"], false),
    (&["q", "other", "q"], false),
    (&["other", "q", "q"], false),
];

/// RabbitMQ 3.10.8 answers 406 "partial tx completion", and keeps what fitted.
/// Here all of a transaction is done or nothing.
#[test]
fn tx_commit_is_refused_where_a_queue_refuses() {
    for (keys, possible) in TRANSACTIONS {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        bounded(&mut c, "q", 1, "reject-publish");
        c.declare("other", &table([]));
        c.declare("source", &table([]));
        c.publish(1, "", "source", "acknowledged in the transaction");
        c.seen(&mut world);
        c.codec
            .tx_select(1, &method::tx::Select::default())
            .unwrap();
        c.get("source", false);
        c.seen(&mut world);
        c.codec.ack(1, Tags::One(1)).unwrap();
        for key in *keys {
            c.publish(1, "", key, key);
        }
        c.codec
            .tx_commit(1, &method::tx::Commit::default())
            .unwrap();
        let answer = c.answer(&mut world);
        let left = ["q", "other", "source"].map(|queue| bodies(&mut world, queue).len());
        let other = keys.iter().filter(|key| **key == "other").count();
        if *possible {
            assert_eq!(answer, "tx.commit-ok", "{keys:?}");
            assert_eq!(left, [1, other, 0], "{keys:?}");
        } else {
            assert!(answer.starts_with("channel.close 406"), "{keys:?} {answer}");
            assert_eq!(left, [0, 0, 1], "{keys:?}");
            assert_eq!(world.broker.statistics().refused, 1);
        }
    }
}

/// RabbitMQ 3.10.8 sends the RECEIPT although the message is lost; ActiveMQ
/// 5.17.2 answers a SEND beyond the limit with ERROR.
#[test]
fn commit_is_refused_where_a_queue_refuses() {
    for (keys, possible) in TRANSACTIONS {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        bounded(&mut c, "q", 1, "reject-publish");
        c.declare("other", &table([]));
        c.declare("source", &table([]));
        c.publish(1, "", "source", "acknowledged in the transaction");
        c.seen(&mut world);
        let stomp = Stomp::connect(&mut world);
        stomp.subscribe(
            &mut world,
            "s",
            "/amq/queue/source",
            "ack:client-individual\n",
        );
        let frames = stomp.frames(&mut world);
        let ack = frames.iter().find_map(|f| f.header("ack")).unwrap();
        stomp.send(&mut world, "BEGIN\ntransaction:t\n\n");
        stomp.send(&mut world, &format!("ACK\nid:{ack}\ntransaction:t\n\n"));
        for key in *keys {
            let frame = format!("SEND\ndestination:/amq/queue/{key}\ntransaction:t\n\n{key}");
            stomp.send(&mut world, &frame);
        }
        stomp.send(&mut world, "COMMIT\ntransaction:t\nreceipt:r\n\n");
        let frames = stomp.frames(&mut world);
        let answer = &frames.last().unwrap();
        assert_eq!(answer.header("receipt-id"), Some("r"), "{keys:?}");
        let left = ["q", "other", "source"].map(|queue| bodies(&mut world, queue).len());
        let other = keys.iter().filter(|key| **key == "other").count();
        if *possible {
            assert_eq!(answer.command, "RECEIPT", "{keys:?}");
            assert_eq!(left, [1, other, 0], "{keys:?}");
        } else {
            assert_eq!(answer.command, "ERROR", "{keys:?}");
            assert_eq!(left, [0, 0, 1], "{keys:?}");
            assert_eq!(world.broker.statistics().refused, 1);
        }
    }
}

/// A message that a transaction gives back fills the queue that it came from,
/// but what the same transaction publishes was there first.
#[test]
fn a_commit_publishes_before_it_settles() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    bounded(&mut c, "q", 1, "reject-publish");
    c.publish(1, "", "q", "back");
    c.seen(&mut world);
    c.codec
        .tx_select(1, &method::tx::Select::default())
        .unwrap();
    c.get("q", false);
    c.seen(&mut world);
    c.codec.nack(1, Tags::One(1), Requeue::Yes).unwrap();
    c.publish(1, "", "q", "new");
    c.codec
        .tx_commit(1, &method::tx::Commit::default())
        .unwrap();
    assert_eq!(c.answer(&mut world), "tx.commit-ok");
    assert_eq!(bodies(&mut world, "q"), ["back", "new"]);
}

/// A commit of many messages takes turns with others. Who fills its queue meanwhile takes
/// nothing from it, and one that cannot be done leaves nothing.
#[test]
fn a_large_commit_is_whole() {
    const MANY: usize = 2000;
    for (room, published) in [(MANY as i64, MANY + 1), (MANY as i64 - 1, 1)] {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        bounded(&mut c, "q", room, "reject-publish");
        c.codec
            .tx_select(1, &method::tx::Select::default())
            .unwrap();
        for _ in 0..MANY {
            c.publish(1, "", "q", "m");
        }
        c.seen(&mut world);
        let mut other = Amqp::connect(&mut world);
        c.codec
            .tx_commit(1, &method::tx::Commit::default())
            .unwrap();
        let mut commit = Vec::new();
        c.codec.poll_transmit(world.now, &mut commit);
        world.handle_once(mq_core::Input::Received {
            connection: c.id,
            bytes: commit.into(),
        });
        assert!(
            world
                .broker
                .poll_timeout()
                .is_some_and(|at| at <= world.now)
        );
        assert_eq!(world.broker.statistics().ready, 0);
        while published > 1 && world.broker.statistics().ready == 0 {
            world.broker.handle_timeout(world.now);
        }
        other.publish(1, "", "q", "other");
        let mut publish = Vec::new();
        other.codec.poll_transmit(world.now, &mut publish);
        world.handle_once(mq_core::Input::Received {
            connection: other.id,
            bytes: publish.into(),
        });
        world.turn();
        let answer = c.answer(&mut world);
        if published > 1 {
            assert_eq!(answer, "tx.commit-ok");
        } else {
            assert!(answer.starts_with("channel.close 406"), "{answer}");
        }
        assert_eq!(world.broker.statistics().ready, published as u64);
    }
}
