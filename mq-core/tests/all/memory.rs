//! The memory of all messages together: publishers wait when there is no more of it, each in
//! the way of its protocol, consumers always drain it, and then publishers go on.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::log::storing;
use crate::world::mqtt::Mqtt;
use crate::world::mqtt::utf8;
use crate::world::stomp::Stomp;
use amqp_codec::TableBuf;
use amqp_codec::connection::{Capabilities, ClientConfig, Tags};
use amqp_codec::method::tx;
use mq_core::{Config, Input, Output, Reason, Report};
use mqtt_codec::connection::Session;
use mqtt_codec::{Connect, PacketIdentifier, Properties, ProtocolVersion, QoS, ReasonCode};

const HIGH: usize = 1_000_000;
const LOW: usize = 500_000;
const BODY: usize = 10_000;

fn small(mut config: Config) -> World {
    config.limits.memory_high_water = HIGH;
    config.limits.memory_low_water = LOW;
    config.limits.receive_high_water = 2 * BODY;
    match config.store {
        mq_core::Store::None => World::with(config),
        _ => World::stored_with(config),
    }
}

fn held(world: &World) -> usize {
    usize::try_from(world.broker.statistics().held).unwrap()
}

fn ready(world: &World) -> u64 {
    world.broker.statistics().ready
}

/// What was reported of connections that were blocked and went on.
fn reported(world: &World) -> Vec<Reason> {
    let reasons = world.outputs.iter().filter_map(|output| match output {
        Output::Report(Report::Peer(report)) => Some(report.reason.clone()),
        _ => None,
    });
    reasons
        .filter(|reason| matches!(reason, Reason::Blocked(_) | Reason::Unblocked))
        .collect()
}

/// A client that publishes, and whether its socket is read.
type Publisher = Box<dyn FnMut(&mut World, &str)>;
type Row = (&'static str, fn(&mut World) -> Publisher);

/// Each publishes to `q` by `amq.topic`.
const PUBLISHERS: &[Row] = &[
    ("AMQP", |world| {
        let mut c = Amqp::connect(world);
        Box::new(move |world, body| {
            c.publish(1, "amq.topic", "a", body);
            c.seen(world);
        })
    }),
    ("AMQP, transactions", |world| {
        let mut c = Amqp::connect(world);
        c.codec.tx_select(1, &tx::Select {}).unwrap();
        c.seen(world);
        Box::new(move |world, body| {
            c.publish(1, "amq.topic", "a", body);
            // The answer to the one before may wait.
            if c.codec.tx_commit(1, &tx::Commit {}).is_ok() {
                c.seen(world);
            }
        })
    }),
    ("MQTT, QoS 0", |world| {
        let mut c = Mqtt::connect(world, "publisher");
        Box::new(move |world, body| {
            c.publish("a", body, QoS::AtMostOnce);
            c.seen(world);
        })
    }),
    ("MQTT, QoS 1", |world| {
        let mut c = Mqtt::connect(world, "publisher");
        Box::new(move |world, body| {
            if c.codec.send_quota() > 0 {
                c.publish("a", body, QoS::AtLeastOnce);
                c.seen(world);
            }
        })
    }),
    ("STOMP", |world| {
        let s = Stomp::connect(world);
        Box::new(move |world, body| {
            let send = format!("SEND\ndestination:/topic/a\npersistent:true\n\n{body}");
            s.send(world, &send);
        })
    }),
];

#[test]
fn publishers_wait_and_go_on() {
    let body = "x".repeat(BODY);
    for config in [Config::default(), storing()] {
        for (name, connect) in PUBLISHERS {
            let mut world = small(config.clone());
            let mut consumer = Amqp::connect(&mut world);
            consumer.declare("q", &TableBuf::new());
            consumer.bind("q", "amq.topic", "a");
            consumer.seen(&mut world);
            let mut publish = connect(&mut world);
            world.outputs.clear();
            for _ in 0..300 {
                publish(&mut world, &body);
            }
            assert!(held(&world) >= HIGH, "{name} {}", held(&world));
            assert!(held(&world) < HIGH + 2 * BODY, "{name} {}", held(&world));
            assert!((60..100).contains(&ready(&world)), "{name}");
            assert!(
                world.sockets.values().any(|socket| socket.paused),
                "{name} is not read"
            );
            let blocked = Reason::Blocked("low on memory".into());
            assert_eq!(reported(&world), std::slice::from_ref(&blocked), "{name}");
            // Down to the low mark they wait.
            let mut taken = 0;
            while held(&world) > LOW + 2 * BODY {
                taken += 1;
                consumer.get("q", true);
                consumer.seen(&mut world);
                assert!(taken < 100, "{name}");
            }
            assert_eq!(reported(&world), [blocked], "{name}");
            // A consumer drains all of it, and all that comes after.
            consumer.consume(1, "q", "c", true);
            for _ in 0..1_000 {
                consumer.seen(&mut world);
                world.turn();
            }
            assert_eq!(ready(&world), 0, "{name}");
            assert!(reported(&world).contains(&Reason::Unblocked), "{name}");
            assert!(
                world.sockets.values().all(|socket| !socket.paused),
                "{name}"
            );
            assert_eq!(world.broker.statistics().unacknowledged, 0);
            if world.store.is_quick {
                world.turn();
            }
            assert!(held(&world) < LOW, "{name} {}", held(&world));
        }
    }
}

/// RabbitMQ's `disk_free_limit` ("Free Disk Space Alarms"): all publishers are blocked, also
/// those of transient messages, and consumers are not. Once there is room they go on.
#[test]
fn publishers_wait_for_room_on_the_disk() {
    let body = "x".repeat(BODY);
    for (name, connect) in PUBLISHERS {
        let mut world = small(storing());
        let mut consumer = Amqp::connect(&mut world);
        consumer.declare("q", &TableBuf::new());
        consumer.bind("q", "amq.topic", "a");
        consumer.seen(&mut world);
        let mut publish = connect(&mut world);
        world.handle(Input::StoreRoom { is_short: true });
        world.outputs.clear();
        for _ in 0..20 {
            publish(&mut world, &body);
        }
        assert!(ready(&world) <= 1, "{name} {}", ready(&world));
        assert!(world.sockets.values().any(|socket| socket.paused), "{name}");
        let blocked = Reason::Blocked("low on disk".into());
        assert_eq!(reported(&world), [blocked], "{name}");
        consumer.consume(1, "q", "c", true);
        consumer.seen(&mut world);
        assert_eq!(ready(&world), 0, "{name}");
        // It is said more than once, and changes nothing.
        world.handle(Input::StoreRoom { is_short: true });
        assert!(!reported(&world).contains(&Reason::Unblocked), "{name}");
        world.handle(Input::StoreRoom { is_short: false });
        assert!(reported(&world).contains(&Reason::Unblocked), "{name}");
        let before = world.broker.statistics().published;
        publish(&mut world, &body);
        assert!(world.broker.statistics().published > before, "{name}");
        assert!(
            world.sockets.values().all(|socket| !socket.paused),
            "{name}"
        );
    }
}

/// RabbitMQ's extension: those who announce it are told, in its words.
#[test]
fn clients_of_amqp_are_told() {
    for announces in [true, false] {
        let mut world = small(Config::default());
        let mut config = ClientConfig::default();
        let mut capabilities = Capabilities::ALL;
        capabilities.connection_blocked = announces;
        let mut properties = TableBuf::new();
        let table = capabilities.to_table();
        properties.insert("capabilities", &table).unwrap();
        config.client_properties = properties;
        let mut c = Amqp::with(&mut world, config);
        c.declare("q", &TableBuf::new());
        c.seen(&mut world);
        let body = "x".repeat(BODY);
        let mut seen = Vec::new();
        for _ in 0..150 {
            c.publish(1, "", "q", &body);
            seen.extend(c.seen(&mut world));
        }
        assert_eq!(seen.len(), usize::from(announces), "{seen:?}");
        assert!(
            seen.iter().all(|seen| seen.contains("low on memory")),
            "{seen:?}"
        );
        let mut consumer = Amqp::connect(&mut world);
        consumer.consume(1, "q", "c", true);
        consumer.seen(&mut world);
        let seen = c.seen(&mut world);
        let unblocked = seen.iter().filter(|seen| seen.contains("nblocked"));
        assert_eq!(unblocked.count() > 0, announces, "{seen:?}");
    }
}

/// A client that publishes and consumes on one connection comes to its acknowledgements,
/// though it has published more before them.
#[test]
fn one_that_acknowledges_too_is_read() {
    let body = "x".repeat(BODY);
    // Up to the high mark without an acknowledgement, and some beyond it before the first.
    const COUNT: usize = 105;
    let mut world = small(Config::default());
    let mut both = Amqp::connect(&mut world);
    both.declare("q", &TableBuf::new());
    both.consume(1, "q", "c", false);
    both.seen(&mut world);
    for n in 1..=COUNT {
        both.publish(2, "", "q", &body);
        if n % 50 == 0 {
            both.seen(&mut world);
        }
    }
    both.codec.ack(1, Tags::UpTo(0)).unwrap();
    both.seen(&mut world);
    assert!(held(&world) < LOW, "{}", held(&world));
    assert_eq!(reported(&world).len(), 2);

    let mut world = small(Config::default());
    let connect = Connect::clean(ProtocolVersion::V5_0, utf8("both"));
    let mut both = Mqtt::manual(&mut world, &connect, Session::new());
    both.seen(&mut world);
    both.subscribe(&mut world, "a", QoS::AtLeastOnce);
    for n in 1..=COUNT {
        let qos = match n {
            ..=80 => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        };
        both.publish("a", &body, qos);
        if n <= 80 {
            both.seen(&mut world);
        }
    }
    for id in 1..=80 {
        // The server counts them up.
        let id = PacketIdentifier::new(id).unwrap();
        let acknowledged = both
            .codec
            .acknowledge(id, ReasonCode::Success, Properties::EMPTY);
        if acknowledged.is_err() {
            both.seen(&mut world);
            both.codec
                .acknowledge(id, ReasonCode::Success, Properties::EMPTY)
                .unwrap();
        }
    }
    both.seen(&mut world);
    assert_eq!(both.messages.len(), COUNT);
    assert_eq!(held(&world), 0);
    assert!(!world.socket(both.id).paused);
    assert_eq!(reported(&world).len(), 2);
}

/// Deliveries that are with a consumer are held, and settling them makes room: a `multiple`
/// acknowledgement too.
#[test]
fn what_is_unacknowledged_is_held() {
    let mut world = small(Config::default());
    let mut consumer = Amqp::connect(&mut world);
    consumer.declare("q", &TableBuf::new());
    consumer.consume(1, "q", "c", false);
    consumer.seen(&mut world);
    let mut publisher = Amqp::connect(&mut world);
    let body = "x".repeat(BODY);
    for _ in 0..50 {
        publisher.publish(1, "", "q", &body);
    }
    publisher.seen(&mut world);
    assert_eq!(consumer.seen(&mut world).len(), 50);
    assert!(held(&world) > 50 * BODY);
    consumer.codec.ack(1, Tags::UpTo(50)).unwrap();
    consumer.seen(&mut world);
    assert_eq!(held(&world), 0);
}
