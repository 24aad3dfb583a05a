//! Messages that are published later, and again: ActiveMQ's `AMQ_SCHEDULED_..` and EMQX's
//! `$delayed/SECONDS/TOPIC`.

use crate::world::World;
use crate::world::mqtt::Mqtt;
use crate::world::stomp::Stomp;
use mq_core::{Config, Limits};
use mqtt_codec::QoS;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn send(client: Stomp, world: &mut World, headers: &str) {
    let frame = format!("SEND\ndestination:/queue/q\n{headers}\nm");
    client.send(world, &frame);
}

/// Milliseconds after which messages come, of the first five minutes.
fn times(headers: &str) -> Vec<u128> {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    client.subscribe(&mut world, "1", "/queue/q", "");
    send(client, &mut world, headers);
    client.frames(&mut world);
    let mut seen = Vec::new();
    for _ in 0..600 {
        world.wait(SECOND / 2);
        for frame in client.frames(&mut world) {
            assert!(frame.header("scheduledJobId").is_some());
            let left = frame.headers.iter();
            assert_eq!(left.filter(|(name, _)| name.starts_with("AMQ_")).count(), 0);
            seen.push(world.now.as_millis());
        }
    }
    seen
}

/// `SchedulerBroker`, `JobSchedulerImpl` and `CronParser`.
#[test]
fn schedules_of_activemq() {
    let rows: [(&str, &[u128]); 5] = [
        ("AMQ_SCHEDULED_DELAY:5000\n", &[5000]),
        ("AMQ_SCHEDULED_PERIOD:1000\n", &[1000]),
        (
            "AMQ_SCHEDULED_DELAY:60000\nAMQ_SCHEDULED_PERIOD:10000\nAMQ_SCHEDULED_REPEAT:2\n",
            &[60_000, 70_000, 80_000],
        ),
        ("AMQ_SCHEDULED_CRON:*/2 * * * *\n", &[120_000, 240_000]),
        (
            "AMQ_SCHEDULED_CRON:2 * * * *\nAMQ_SCHEDULED_DELAY:1000\n\
             AMQ_SCHEDULED_PERIOD:2000\nAMQ_SCHEDULED_REPEAT:1\n",
            &[121_000, 123_000],
        ),
    ];
    for (headers, expected) in rows {
        assert_eq!(times(headers), expected, "{headers}");
    }
}

#[test]
fn a_schedule_that_is_none_is_refused() {
    for headers in [
        "AMQ_SCHEDULED_DELAY:soon\n",
        "AMQ_SCHEDULED_CRON:whenever\n",
        "AMQ_SCHEDULED_PERIOD:1\nAMQ_SCHEDULED_REPEAT:1001\n",
    ] {
        let mut world = World::new();
        let client = Stomp::connect(&mut world);
        send(client, &mut world, headers);
        assert_eq!(client.frames(&mut world)[0].command, "ERROR", "{headers}");
    }
}

/// A message that came by its schedule is not scheduled again.
#[test]
fn a_message_that_has_come_is_not_scheduled() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    send(
        client,
        &mut world,
        "AMQ_SCHEDULED_DELAY:5000\nscheduledJobId:1\n",
    );
    assert_eq!(world.broker.statistics().ready, 1);
}

/// The time to live begins when a message comes, and the receipt does not wait for that.
#[test]
fn what_waits_does_not_expire() {
    let mut world = World::new();
    let client = Stomp::connect(&mut world);
    send(
        client,
        &mut world,
        "AMQ_SCHEDULED_DELAY:9000\nexpiration:2000\nreceipt:r\n",
    );
    assert_eq!(client.frames(&mut world)[0].command, "RECEIPT");
    world.wait(10 * SECOND);
    assert_eq!(world.broker.statistics().ready, 1);
    world.wait(2 * SECOND);
    assert_eq!(world.broker.statistics().ready, 0);
}

/// "Delayed Publish" of EMQX.
#[test]
fn delayed_publish() {
    for (topic, comes) in [
        ("$delayed/10/a/b", Some(10)),
        ("$delayed/0/a/b", Some(0)),
        ("a/b", Some(0)),
        ("$delayed/ten/a/b", None),
        ("$delayed/10", None),
        ("$delayed/42949671/a/b", None),
        ("$delayed/1/$SYS/a", None),
    ] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let mut world = World::new();
            let mut client = Mqtt::connect(&mut world, "c");
            client.subscribe(&mut world, "#", QoS::AtLeastOnce);
            client.publish(topic, "m", qos);
            let seen = client.seen(&mut world);
            let message = format!("a/b m q{}", qos as u8);
            let answered = seen.iter().any(|event| event.starts_with("puback"));
            assert_eq!(answered, qos == QoS::AtLeastOnce, "{topic}");
            assert_eq!(seen.contains(&message), comes == Some(0), "{topic}");
            let refused = seen.contains(&String::from("puback NotAuthorized"));
            assert_eq!(refused, answered && comes.is_none(), "{topic}");
            world.wait(9 * SECOND);
            assert!(client.seen(&mut world).is_empty());
            world.wait(SECOND);
            assert_eq!(
                client.seen(&mut world).contains(&message),
                comes == Some(10)
            );
        }
    }
}

/// It is retained when its time has come, and not before.
#[test]
fn a_delayed_message_is_retained_later() {
    let mut world = World::new();
    let mut client = Mqtt::connect(&mut world, "c");
    client.retain("$delayed/5/t", "kept");
    client.seen(&mut world);
    client.subscribe(&mut world, "t", QoS::AtMostOnce);
    assert!(client.seen(&mut world).is_empty());
    world.wait(5 * SECOND);
    client.seen(&mut world);
    let mut late = Mqtt::connect(&mut world, "late");
    late.subscribe(&mut world, "t", QoS::AtMostOnce);
    assert_eq!(late.seen(&mut world), ["t kept q0 retained"]);
}

/// What is to outlive the broker waits on after it, and comes once.
#[test]
fn schedules_outlive_the_broker() {
    let mut world = World::stored();
    let client = Stomp::connect(&mut world);
    let headers = "AMQ_SCHEDULED_DELAY:5000\nAMQ_SCHEDULED_PERIOD:5000\n\
                   AMQ_SCHEDULED_REPEAT:1\npersistent:true\n";
    send(client, &mut world, headers);
    world.wait(6 * SECOND);
    assert_eq!(world.broker.statistics().ready, 1);
    world.crash();
    assert_eq!(world.broker.statistics().ready, 1);
    world.wait(5 * SECOND);
    assert_eq!(world.broker.statistics().ready, 2);
    world.wait(60 * SECOND);
    assert_eq!(world.broker.statistics().ready, 2);
}

/// What may wait is bounded.
#[test]
fn a_schedule_needs_room() {
    let config = Config {
        limits: Limits {
            delayed_messages: 2,
            ..Limits::default()
        },
        ..Config::default()
    };
    let mut world = World::with(config);
    let client = Stomp::connect(&mut world);
    for _ in 0..2 {
        send(client, &mut world, "AMQ_SCHEDULED_DELAY:5000\n");
    }
    assert!(client.frames(&mut world).is_empty());
    send(client, &mut world, "AMQ_SCHEDULED_DELAY:5000\n");
    assert_eq!(client.frames(&mut world)[0].command, "ERROR");
    world.wait(5 * SECOND);
    assert_eq!(world.broker.statistics().ready, 2);
}

/// STOMP 1.2, COMMIT: a transaction is done as a whole, or not at all.
#[test]
fn a_transaction_needs_room_for_its_schedules() {
    for (count, expected) in [(2, "RECEIPT"), (3, "ERROR")] {
        let config = Config {
            limits: Limits {
                delayed_messages: 2,
                ..Limits::default()
            },
            ..Config::default()
        };
        let mut world = World::with(config);
        let client = Stomp::connect(&mut world);
        let queue = Stomp::connect(&mut world);
        queue.subscribe(&mut world, "1", "/queue/q", "");
        queue.frames(&mut world);
        client.send(&mut world, "BEGIN\ntransaction:t\n\n");
        for _ in 0..count {
            send(
                client,
                &mut world,
                "AMQ_SCHEDULED_DELAY:5000\ntransaction:t\n",
            );
        }
        client.send(&mut world, "COMMIT\ntransaction:t\nreceipt:c\n\n");
        assert_eq!(client.frames(&mut world)[0].command, expected, "{count}");
        world.wait(5 * SECOND);
        let done = if expected == "RECEIPT" { count } else { 0 };
        assert_eq!(queue.frames(&mut world).len(), done, "{count}");
    }
}
