//! Who is let in, and what a server says that it is.

use crate::world::World;
use crate::world::mqtt::{Mqtt, utf8};
use crate::world::stomp::Stomp;
use mq_core::{Config, Protocol};
use mqtt_codec::{Connect, ProtocolVersion};

/// User name, password, and whether they are let in: by default, with `any_user`, and
/// with neither that nor anonymous peers.
type Login = (Option<&'static str>, Option<&'static str>, [bool; 3]);

const LOGINS: &[Login] = &[
    (None, None, [true, true, false]),
    // gmqtt sends a user name always.
    (Some(""), None, [true, true, false]),
    (Some("guest"), Some("guest"), [true, true, true]),
    (Some("guest"), Some("wrong"), [false, false, false]),
    (Some("guest"), None, [false, false, false]),
    (Some("somebody"), Some("something"), [false, true, false]),
    (Some("somebody"), None, [false, true, false]),
];

fn settings() -> [Config; 3] {
    let by_default = Config::default();
    let any_user = Config {
        any_user: true,
        ..Config::default()
    };
    // It changes nothing where nobody is let in without a name.
    let mut closed = any_user.clone();
    closed.allow_anonymous = false;
    [by_default, any_user, closed]
}

#[test]
fn users_of_mqtt() {
    for (user, password, expected) in LOGINS {
        for (config, expected) in settings().into_iter().zip(expected) {
            let mut world = World::with(config);
            let connect = Connect {
                clean_start: true,
                user_name: user.map(utf8),
                password: password.map(str::as_bytes),
                ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
            };
            let mut client = Mqtt::with(&mut world, &connect);
            let seen = client.seen(&mut world);
            assert_eq!(
                seen == ["connack Success"],
                *expected,
                "{user:?} {password:?} {seen:?}"
            );
        }
    }
}

#[test]
fn users_of_stomp() {
    for (user, password, expected) in LOGINS {
        for (config, expected) in settings().into_iter().zip(expected) {
            let mut world = World::with(config);
            let client = Stomp(world.connect(Protocol::Stomp));
            let login = user
                .map(|user| format!("login:{user}\n"))
                .unwrap_or_default();
            let passcode = password
                .map(|p| format!("passcode:{p}\n"))
                .unwrap_or_default();
            let frame = format!("CONNECT\naccept-version:1.2\nhost:/\n{login}{passcode}\n");
            client.send(&mut world, &frame);
            let seen = client.frames(&mut world);
            assert_eq!(
                seen[0].command == "CONNECTED",
                *expected,
                "{user:?} {password:?}"
            );
        }
    }
}

#[test]
fn amqp_clients_are_told_a_product_that_steers_them_right() {
    let start = |config| {
        let mut world = World::with(config);
        let id = world.connect(Protocol::Amqp);
        world.send(id, b"AMQP\0\0\x09\x01");
        String::from_utf8_lossy(&world.socket(id).received).into_owned()
    };
    // kombu: product RabbitMQ of at least 3.3 has RabbitMQ's meaning of basic.qos.
    let said = start(Config::default());
    assert!(said.contains("\x07productS\0\0\0\x08RabbitMQ"), "{said:?}");
    assert!(said.contains("\x07versionS\0\0\0\x063.10.8"), "{said:?}");
    // The others look at these.
    for capability in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ] {
        assert!(
            said.contains(&format!("{capability}t\x01")),
            "{capability}: {said:?}"
        );
    }
    let config = Config {
        amqp_product: "mq".to_owned(),
        amqp_version: "1.2".to_owned(),
        ..Config::default()
    };
    let said = start(config);
    assert!(said.contains("\x07productS\0\0\0\x02mq"), "{said:?}");
    assert!(said.contains("\x07versionS\0\0\0\x031.2"), "{said:?}");
}
