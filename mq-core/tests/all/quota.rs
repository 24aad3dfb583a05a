//! Limits of users and virtual hosts, with RabbitMQ's words (`rabbit_reader.erl`,
//! `rabbit_vhost_limit.erl`; "Virtual Hosts" and "Access Control", per-user limits).

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::log::storing;
use crate::world::mqtt::Mqtt;
use amqp_codec::TableBuf;
use amqp_codec::connection::ClientConfig;
use mq_core::{Administration, Config, UserLimits, VirtualHostLimits};
use std::collections::BTreeMap;

fn with(user: UserLimits, host: VirtualHostLimits) -> Config {
    Config {
        user_limits: BTreeMap::from([("guest".into(), user)]),
        virtual_host_limits: BTreeMap::from([("/".into(), host)]),
        ..Config::default()
    }
}

/// What a client sees that connects.
fn greeting(world: &mut World) -> String {
    let mut c = Amqp::new(world, ClientConfig::default());
    let seen = c.answer(world);
    if seen == "opened" {
        seen
    } else {
        c.answer(world) + &seen
    }
}

#[test]
fn connections() {
    let one = Some(1);
    let rows = [
        (
            UserLimits {
                max_connections: one,
                ..UserLimits::default()
            },
            VirtualHostLimits::default(),
            "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is \
             reached",
        ),
        (
            UserLimits::default(),
            VirtualHostLimits {
                max_connections: one,
                ..VirtualHostLimits::default()
            },
            "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is \
             reached",
        ),
    ];
    for (user, host, text) in rows {
        let mut world = World::with(with(user, host));
        let first = Amqp::connect(&mut world);
        let refused = format!("connection.close 530 {text}");
        assert!(greeting(&mut world).contains(&refused), "{text}");
        // It has room again, and the one that was refused takes none.
        world.cut(first.id);
        assert_eq!(greeting(&mut world), "opened");
    }
    // Nothing is allowed; and then everything is.
    let none = UserLimits {
        max_connections: Some(0),
        ..UserLimits::default()
    };
    let mut world = World::with(with(none, VirtualHostLimits::default()));
    assert!(greeting(&mut world).contains("limit (0) is reached"));
    let replace = Administration::ReplaceLimits {
        users: BTreeMap::new(),
        virtual_hosts: BTreeMap::new(),
    };
    assert_eq!(world.administer(replace), Some(Ok(())));
    assert_eq!(greeting(&mut world), "opened");
}

/// Over MQTT: 5.0 has a reason for it (section 3.2.2.2, 0x87, not authorized).
#[test]
fn connections_of_mqtt() {
    let host = VirtualHostLimits {
        max_connections: Some(1),
        ..VirtualHostLimits::default()
    };
    let mut world = World::with(with(UserLimits::default(), host));
    let _first = Mqtt::connect(&mut world, "one");
    let peer = world.connect(mq_core::Protocol::Mqtt);
    // MQTT 5.0 section 3.1: CONNECT with the client identifier "2".
    world.send(peer, b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x012");
    let socket = world.socket(peer);
    assert_eq!(socket.received.first(), Some(&0x20), "{socket:?}");
    assert_eq!(socket.received.get(3), Some(&0x87), "{socket:?}");
    assert!(socket.closed);
}

#[test]
fn channels() {
    let limits = UserLimits {
        max_channels: Some(3),
        ..UserLimits::default()
    };
    let mut world = World::with(with(limits, VirtualHostLimits::default()));
    let mut c = Amqp::connect(&mut world);
    let mut other = Amqp::new(&mut world, ClientConfig::default());
    other.seen(&mut world);
    other.codec.open_channel().unwrap();
    assert_eq!(other.seen(&mut world), ["channel 1"]);
    // One is given back, and there is room for one.
    c.codec.close_channel(1).unwrap();
    c.seen(&mut world);
    other.codec.open_channel().unwrap();
    assert_eq!(other.seen(&mut world), ["channel 2"]);
    other.codec.open_channel().unwrap();
    let last = other.answer(&mut world);
    assert_eq!(
        last,
        "connection.close 530 NOT_ALLOWED - number of channels opened for user 'guest' has \
         reached the maximum allowed user limit of (3)"
    );
}

#[test]
fn queues() {
    let host = VirtualHostLimits {
        max_queues: Some(1),
        ..VirtualHostLimits::default()
    };
    let mut world = World::with(with(UserLimits::default(), host));
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &TableBuf::new());
    c.declare("q", &TableBuf::new());
    assert_eq!(c.seen(&mut world), ["queue.declare-ok q 0 0"; 2]);
    c.declare("r", &TableBuf::new());
    assert_eq!(
        c.answer(&mut world),
        "channel.close 406 PRECONDITION_FAILED - cannot declare queue 'r': queue limit in vhost \
         '/' (1) is reached"
    );
}

fn two(user: u32) -> Administration {
    Administration::SetUserLimits {
        user: "guest".into(),
        limits: UserLimits {
            max_connections: Some(user),
            max_channels: None,
        },
    }
}

fn one_queue() -> Administration {
    Administration::SetVirtualHostLimits {
        virtual_host: "/".into(),
        limits: VirtualHostLimits {
            max_connections: None,
            max_queues: Some(1),
        },
    }
}

/// `rabbitmqctl set_user_limits`, `clear_user_limits`, `set_vhost_limits`: they hold at once, for
/// what comes from then on.
#[test]
fn limits_are_set_while_the_broker_runs() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    assert_eq!(world.administer(two(1)), Some(Ok(())));
    assert!(greeting(&mut world).contains("limit (1) is reached"));
    assert_eq!(world.administer(two(2)), Some(Ok(())));
    assert_eq!(greeting(&mut world), "opened");
    assert!(greeting(&mut world).contains("limit (2) is reached"));
    let clear = Administration::SetUserLimits {
        user: "guest".into(),
        limits: UserLimits::default(),
    };
    assert_eq!(world.administer(clear), Some(Ok(())));
    assert_eq!(greeting(&mut world), "opened");
    assert_eq!(world.administer(one_queue()), Some(Ok(())));
    c.declare("q", &TableBuf::new());
    c.seen(&mut world);
    c.declare("r", &TableBuf::new());
    assert!(
        c.answer(&mut world)
            .contains("queue limit in vhost '/' (1) is reached")
    );
}

/// What the settings say is changed there.
#[test]
fn limits_of_the_settings_are_not_changed() {
    let limits = VirtualHostLimits::default();
    let mut world = World::with(with(UserLimits::default(), limits));
    for (action, text) in [
        (
            two(1),
            "the limits of user 'guest' are those of the settings",
        ),
        (
            one_queue(),
            "the limits of vhost '/' are those of the settings",
        ),
        (
            Administration::SetVirtualHostLimits {
                virtual_host: "none".into(),
                limits,
            },
            "vhost none not found",
        ),
    ] {
        assert_eq!(world.administer(action), Some(Err(text.into())));
    }
}

/// They are in the log, and what was cleared is not.
#[test]
fn limits_outlive_the_broker() {
    let mut world = World::with(storing());
    assert_eq!(
        world.administer(two(9)),
        None,
        "it is on its way to the store"
    );
    world.store.is_quick = true;
    world.sync();
    assert_eq!(world.administer(two(1)), Some(Ok(())));
    assert_eq!(world.administer(one_queue()), Some(Ok(())));
    let other = Administration::SetUserLimits {
        user: "other".into(),
        limits: UserLimits {
            max_connections: Some(0),
            max_channels: None,
        },
    };
    assert_eq!(world.administer(other), Some(Ok(())));
    world.crash();
    let mut c = Amqp::connect(&mut world);
    assert!(greeting(&mut world).contains("user connection limit (1) is reached"));
    c.declare("q", &TableBuf::new());
    c.seen(&mut world);
    c.declare("r", &TableBuf::new());
    assert!(
        c.answer(&mut world)
            .contains("queue limit in vhost '/' (1) is reached")
    );
    let clear = Administration::SetUserLimits {
        user: "guest".into(),
        limits: UserLimits::default(),
    };
    assert_eq!(world.administer(clear), Some(Ok(())));
    world.crash();
    let _one = Amqp::connect(&mut world);
    assert_eq!(greeting(&mut world), "opened");
}
