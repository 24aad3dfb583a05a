//! The tree `$SYS`, as Mosquitto 2.0.11 and 2.1.2 have it (`src/sys_tree.c`).

use crate::world::World;
use crate::world::amqp::{Amqp, table};
use crate::world::mqtt::{Mqtt, utf8};
use mq_core::{Config, Permission, Store, TopicPermission};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, Subscription};
use std::collections::BTreeMap;
use std::time::Duration;

/// Mosquitto's default.
const INTERVAL: Duration = Duration::from_secs(10);

/// Every topic after `$SYS/broker/`, but for those under `load`.
const TOPICS: [&str; 25] = [
    "bytes/received",
    "bytes/sent",
    "clients/active",
    "clients/connected",
    "clients/disconnected",
    "clients/expired",
    "clients/inactive",
    "clients/maximum",
    "clients/total",
    "connections/socket/count",
    "messages/received",
    "messages/sent",
    "messages/stored",
    "publish/bytes/received",
    "publish/bytes/sent",
    "publish/messages/dropped",
    "publish/messages/received",
    "publish/messages/sent",
    "retained messages/count",
    "shared_subscriptions/count",
    "store/messages/bytes",
    "store/messages/count",
    "subscriptions/count",
    "uptime",
    "version",
];

/// Under `load`, before the minutes.
const LOADS: [&str; 9] = [
    "bytes/received",
    "bytes/sent",
    "connections",
    "messages/received",
    "messages/sent",
    "publish/dropped",
    "publish/received",
    "publish/sent",
    "sockets",
];

fn config() -> Config {
    Config {
        sys_interval: INTERVAL,
        ..Config::default()
    }
}

/// What a client has received under `$SYS/broker/`, the last value of each topic.
fn values(client: &mut Mqtt, world: &mut World) -> BTreeMap<String, String> {
    client.seen(world);
    let messages = std::mem::take(&mut client.messages).into_iter();
    messages
        .map(|message| {
            let topic = message.topic_name.strip_prefix("$SYS/broker/");
            let value = String::from_utf8(message.payload.to_vec());
            (topic.expect("a topic of it").to_owned(), value.unwrap())
        })
        .collect()
}

#[test]
fn the_topics_are_mosquittos() {
    let mut world = World::with(config());
    let mut client = Mqtt::connect(&mut world, "c");
    client.subscribe(&mut world, "$SYS/#", QoS::ExactlyOnce);
    let seen: Vec<String> = values(&mut client, &mut world).into_keys().collect();
    let minutes = ["1min", "5min", "15min"];
    let loads = LOADS
        .iter()
        .flat_map(|load| minutes.map(|window| format!("load/{load}/{window}")));
    let mut expected: Vec<String> = TOPICS
        .iter()
        .map(ToString::to_string)
        .chain(loads)
        .collect();
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn the_values_are_what_happened() {
    let mut world = World::with(config());
    let mut client = Mqtt::connect(&mut world, "c");
    client.subscribe(&mut world, "$SYS/#", QoS::AtMostOnce);
    let mut other = Mqtt::connect(&mut world, "other");
    other.subscribe(&mut world, "a/+", QoS::AtMostOnce);
    other.subscribe(&mut world, "$share/s/b", QoS::AtMostOnce);
    let staying = Connect {
        clean_start: false,
        ..Connect::clean(ProtocolVersion::V3_1_1, utf8("staying"))
    };
    let mut staying = Mqtt::with(&mut world, &staying);
    staying.seen(&mut world);
    world.cut(staying.id);
    other.retain("a/b", "kept");
    other.seen(&mut world);
    for _ in 0..9 {
        other.publish("a/b", "five!", QoS::AtMostOnce);
    }
    other.seen(&mut world);
    values(&mut client, &mut world);
    world.wait(INTERVAL);
    let seen = values(&mut client, &mut world);
    // 60 a minute, of which the means know a part: 60 - 60 * exp(-10 / 60), and so on.
    for (topic, expected) in [
        ("uptime", "10 seconds"),
        ("clients/total", "3"),
        ("clients/connected", "2"),
        ("clients/active", "2"),
        ("clients/disconnected", "1"),
        ("clients/inactive", "1"),
        ("clients/maximum", "3"),
        ("publish/messages/received", "10"),
        ("publish/bytes/received", "49"),
        // CONNECT three times, SUBSCRIBE three times, PUBLISH ten times.
        ("messages/received", "16"),
        ("subscriptions/count", "2"),
        ("shared_subscriptions/count", "1"),
        ("connections/socket/count", "2"),
        ("load/publish/received/1min", "9.21"),
        ("load/publish/received/5min", "1.97"),
        ("load/publish/received/15min", "0.66"),
        ("load/connections/1min", "2.76"),
    ] {
        assert_eq!(
            seen.get(topic).map(String::as_str),
            Some(expected),
            "{topic}"
        );
    }
    // What it says itself is retained as well, as in Mosquitto.
    let retained = TOPICS.len() + 3 * LOADS.len() + 1;
    assert_eq!(seen["retained messages/count"], retained.to_string());
    world.wait(INTERVAL);
    let again = values(&mut client, &mut world);
    assert_eq!(again["uptime"], "20 seconds");
    assert!(!again.contains_key("clients/total"), "it has not changed");
}

/// MQTT 5.0 section 4.7.2: a filter that begins with a wildcard matches no topic that begins
/// with `$`. An AMQP queue that is bound with `#` is for what clients publish.
#[test]
fn it_is_for_those_who_name_it() {
    for (filter, gets) in [
        ("#", false),
        ("+/broker/uptime", false),
        ("$SYS/broker/uptime", true),
        ("$SYS/+/uptime", true),
    ] {
        let mut world = World::with(config());
        let mut client = Mqtt::connect(&mut world, "c");
        client.subscribe(&mut world, filter, QoS::AtMostOnce);
        world.wait(INTERVAL);
        let seen = values(&mut client, &mut world);
        assert_eq!(seen.contains_key("uptime"), gets, "{filter}");
    }
    let mut world = World::with(config());
    let mut amqp = Amqp::connect(&mut world);
    amqp.declare("q", &table([]));
    amqp.answer(&mut world);
    amqp.bind("q", "amq.topic", "#");
    amqp.answer(&mut world);
    world.wait(INTERVAL);
    assert_eq!(world.broker.statistics().ready, 0);
}

#[test]
fn it_is_for_those_who_may_read_it() {
    let user = || String::from("guest");
    let all = || String::from(".*");
    for (read, code) in [(".*", "Success"), ("^[^$]", "NotAuthorized")] {
        let mut config = config();
        config.permissions = vec![Permission {
            user: user(),
            virtual_host: "/".into(),
            configure: all(),
            write: all(),
            read: all(),
        }];
        config.topic_permissions = vec![TopicPermission {
            user: user(),
            virtual_host: "/".into(),
            exchange: "amq.topic".into(),
            write: all(),
            read: read.into(),
        }];
        let mut world = World::with(config);
        let mut client = Mqtt::connect(&mut world, "c");
        let filters = [Subscription::new("$SYS/broker/uptime", QoS::AtMostOnce)];
        client.subscribe_with(&filters, Properties::EMPTY);
        let seen = client.seen(&mut world);
        assert_eq!(seen[0], format!("suback [{code}]"));
        assert_eq!(seen.len() > 1, read == ".*");
    }
}

/// `sys_interval 0`.
#[test]
fn without_an_interval_there_is_none() {
    let mut world = World::new();
    let mut client = Mqtt::connect(&mut world, "c");
    client.subscribe(&mut world, "$SYS/#", QoS::AtMostOnce);
    world.wait(Duration::from_secs(60));
    assert!(client.seen(&mut world).is_empty());
    assert!(client.messages.is_empty());
}

/// It goes with the broker, and no log grows by it.
#[test]
fn it_is_not_stored() {
    let mut config = config();
    config.store = Store::Log;
    let mut world = World::with(config);
    let mut client = Mqtt::connect(&mut world, "c");
    client.subscribe(&mut world, "$SYS/broker/uptime", QoS::AtLeastOnce);
    world.sync();
    world.store.is_quick = true;
    let before = world.store.end();
    for _ in 0..5 {
        world.wait(INTERVAL);
        assert!(values(&mut client, &mut world).contains_key("uptime"));
    }
    assert_eq!(world.store.end(), before);
}
