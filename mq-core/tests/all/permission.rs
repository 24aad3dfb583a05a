//! What users may do: the table of RabbitMQ's documentation ("Access Control", "How
//! Authorisation Works"), with the texts of 3.10.8.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, topic, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::Method;
use amqp_codec::connection::{ClientConfig, Sasl};
use amqp_codec::method::{basic, exchange, queue, tx};
use mq_core::{Broker, Config, ConfigError, Permission, Protocol, TopicPermission};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, Subscription, Will};

/// User `u` may configure `c..`, write to `w..` and read from `r..`; `all` may do
/// everything.
fn config() -> Config {
    let mut config = Config::default();
    for user in ["u", "all", "none"] {
        config.users.insert(user.into(), user.into());
    }
    config.virtual_hosts.push("other".into());
    let permission = |user: &str, [configure, write, read]: [&str; 3]| Permission {
        user: user.into(),
        virtual_host: "/".into(),
        configure: configure.into(),
        write: write.into(),
        read: read.into(),
    };
    config.permissions = vec![
        permission(
            "u",
            [
                "^c|^x",
                "^w|^x|^amq\\.(default|topic)$",
                "^r|^x|^amq.topic$",
            ],
        ),
        permission("all", [".*"; 3]),
        permission("guest", ["", "", ""]),
    ];
    config
}

fn client(world: &mut World, user: &str, virtual_host: &str) -> Amqp {
    let mut config = ClientConfig::default();
    config.sasl = Sasl::Plain {
        username: user.into(),
        password: user.into(),
    };
    config.virtual_host = virtual_host.into();
    Amqp::new(world, config)
}

/// A world in which every name that the rows need is there, and user `u` with a channel.
fn world() -> (World, Amqp) {
    let mut world = World::with(config());
    let mut all = client(&mut world, "all", "/");
    all.seen(&mut world);
    all.codec.open_channel().unwrap();
    all.seen(&mut world);
    for name in ["c", "w", "r", "x"] {
        all.declare(name, &table([]));
        let declare = exchange::Declare {
            exchange: name,
            r#type: "topic",
            ..Default::default()
        };
        all.codec.exchange_declare(1, &declare).unwrap();
    }
    assert_eq!(all.answer(&mut world), "exchange.declare-ok");
    let mut u = client(&mut world, "u", "/");
    assert_eq!(u.seen(&mut world), ["start", "opened"]);
    u.codec.open_channel().unwrap();
    u.seen(&mut world);
    (world, u)
}

/// What is refused, of which name.
fn refused(answer: &str) -> Option<&str> {
    let text = answer.strip_prefix("channel.close 403 ACCESS_REFUSED - access to ")?;
    text.strip_suffix(" in vhost '/' refused for user 'u'")
}

fn send(client: &mut Amqp, method: &Method<'_>) {
    let codec = &mut client.codec;
    match method {
        Method::QueueDeclare(m) => codec.queue_declare(1, m),
        Method::QueueDelete(m) => codec.queue_delete(1, m),
        Method::QueueBind(m) => codec.queue_bind(1, m),
        Method::QueuePurge(m) => codec.queue_purge(1, m),
        Method::BasicGet(m) => codec.get(1, m),
        Method::BasicConsume(m) => codec.consume(1, m),
        Method::ExchangeDeclare(m) => codec.exchange_declare(1, m),
        Method::ExchangeDelete(m) => codec.exchange_delete(1, m),
        Method::ExchangeBind(m) => codec.exchange_bind(1, m),
        other => panic!("{other:?}"),
    }
    .unwrap();
}

#[test]
fn what_each_operation_needs() {
    let letter = table([("x-dead-letter-exchange", text("w"))]);
    let bad_letter = table([("x-dead-letter-exchange", text("r"))]);
    let alternate = table([("alternate-exchange", text("w"))]);
    let bad_alternate = table([("alternate-exchange", text("r"))]);
    let declare_queue = |queue, arguments| {
        Method::QueueDeclare(queue::Declare {
            queue,
            arguments,
            ..Default::default()
        })
    };
    let declare_exchange = |exchange, arguments| {
        Method::ExchangeDeclare(exchange::Declare {
            exchange,
            r#type: "topic",
            arguments,
            ..Default::default()
        })
    };
    let bind = |queue, exchange| {
        Method::QueueBind(queue::Bind {
            queue,
            exchange,
            routing_key: "k",
            ..Default::default()
        })
    };
    let bind_exchange = |destination, source| {
        Method::ExchangeBind(exchange::Bind {
            destination,
            source,
            ..Default::default()
        })
    };
    let none = || amqp_codec::Table::default();
    let rows: Vec<(Method<'_>, Option<&str>)> = vec![
        (declare_queue("c", none()), None),
        (declare_queue("c1", none()), None),
        (declare_queue("w", none()), Some("queue 'w'")),
        (declare_queue("w1", none()), Some("queue 'w1'")),
        // The name that the broker makes up.
        (
            declare_queue("", none()),
            Some("queue 'amq.gen-AAAAAAAAAAAAAAAAAAAAAA'"),
        ),
        (declare_queue("x1", letter.as_table()), None),
        (declare_queue("c1", letter.as_table()), Some("queue 'c1'")),
        (
            declare_queue("x1", bad_letter.as_table()),
            Some("exchange 'r'"),
        ),
        (
            Method::QueueDeclare(queue::Declare {
                queue: "w",
                passive: true,
                ..Default::default()
            }),
            None,
        ),
        (
            Method::QueueDelete(queue::Delete {
                queue: "c",
                ..Default::default()
            }),
            None,
        ),
        // Before it is looked whether it is there.
        (
            Method::QueueDelete(queue::Delete {
                queue: "nowhere",
                ..Default::default()
            }),
            Some("queue 'nowhere'"),
        ),
        (bind("w", "r"), None),
        (bind("r", "r"), Some("queue 'r'")),
        (bind("w", "w"), Some("exchange 'w'")),
        (
            Method::QueuePurge(queue::Purge {
                queue: "r",
                ..Default::default()
            }),
            None,
        ),
        (
            Method::QueuePurge(queue::Purge {
                queue: "w",
                ..Default::default()
            }),
            Some("queue 'w'"),
        ),
        (
            Method::BasicGet(basic::Get {
                queue: "c",
                no_ack: true,
            }),
            Some("queue 'c'"),
        ),
        (
            Method::BasicConsume(basic::Consume {
                queue: "r",
                ..Default::default()
            }),
            None,
        ),
        (
            Method::BasicConsume(basic::Consume {
                queue: "c",
                ..Default::default()
            }),
            Some("queue 'c'"),
        ),
        (declare_exchange("c", none()), None),
        (declare_exchange("r", none()), Some("exchange 'r'")),
        (declare_exchange("x1", alternate.as_table()), None),
        (
            declare_exchange("c1", alternate.as_table()),
            Some("exchange 'c1'"),
        ),
        (
            declare_exchange("x1", bad_alternate.as_table()),
            Some("exchange 'r'"),
        ),
        (
            Method::ExchangeDelete(exchange::Delete {
                exchange: "r",
                ..Default::default()
            }),
            Some("exchange 'r'"),
        ),
        (bind_exchange("w", "r"), None),
        (bind_exchange("r", "r"), Some("exchange 'r'")),
        (bind_exchange("w", "w"), Some("exchange 'w'")),
    ];
    for (method, expected) in rows {
        let (mut world, mut u) = world();
        let shown = format!("{method:?}");
        send(&mut u, &method);
        let answer = u.answer(&mut world);
        assert_eq!(refused(&answer), expected, "{shown}: {answer}");
    }
}

#[test]
fn publishing_needs_write() {
    for (exchange, expected) in [
        ("w", None),
        ("", None),
        ("r", Some("exchange 'r'")),
        // Whether it is there is looked at later.
        ("nowhere", Some("exchange 'nowhere'")),
    ] {
        let (mut world, mut u) = world();
        u.publish(1, exchange, "c", "body");
        let answer = u.answer(&mut world);
        assert_eq!(refused(&answer), expected, "{answer}");
        // In a transaction it is refused when that is committed.
        let (mut world, mut u) = self::world();
        u.codec.tx_select(1, &tx::Select {}).unwrap();
        u.publish(1, exchange, "c", "body");
        u.codec.tx_commit(1, &tx::Commit {}).unwrap();
        let answer = u.answer(&mut world);
        assert_eq!(refused(&answer), expected, "{answer}");
    }
}

#[test]
fn a_virtual_host_is_for_those_who_have_an_entry() {
    let mut world = World::with(config());
    for (user, host, refusal) in [
        ("u", "other", "access to vhost 'other' refused for user 'u'"),
        ("none", "/", "access to vhost '/' refused for user 'none'"),
    ] {
        let mut client = client(&mut world, user, host);
        let expected = format!("connection.close 530 NOT_ALLOWED - {refusal}");
        assert_eq!(client.answer(&mut world), expected);
    }
    let stomp = Stomp(world.connect(Protocol::Stomp));
    stomp.send(
        &mut world,
        "CONNECT\naccept-version:1.2\nhost:other\nlogin:u\npasscode:u\n\n",
    );
    assert_eq!(stomp.frames(&mut world)[0].command, "ERROR");
    let mut connect = connect("m", "none");
    let mut mqtt = Mqtt::with(&mut world, &connect);
    assert_eq!(mqtt.seen(&mut world), ["connack NotAuthorized"]);
    connect.user_name = Some(utf8("u"));
    connect.password = Some(b"u");
    let mut mqtt = Mqtt::with(&mut world, &connect);
    assert_eq!(mqtt.seen(&mut world), ["connack Success"]);
}

fn connect<'a>(client_identifier: &'a str, user: &'a str) -> Connect<'a> {
    Connect {
        user_name: Some(utf8(user)),
        password: Some(user.as_bytes()),
        ..Connect::clean(ProtocolVersion::V5_0, utf8(client_identifier))
    }
}

/// Topic permissions of user `u` on `amq.topic`.
fn with_topics(write: &str, read: &str) -> Config {
    let mut config = config();
    config.topic_permissions = vec![TopicPermission {
        user: "u".into(),
        virtual_host: "/".into(),
        exchange: "amq.topic".into(),
        write: write.into(),
        read: read.into(),
    }];
    config
}

#[test]
fn topics_of_mqtt() {
    let config = with_topics("^{client_id}\\.", "^({username}|{vhost}|all)\\.");
    let mut world = World::with(config);
    let will = Will {
        topic: topic("mine/gone"),
        payload: b"x",
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    for client_identifier in ["mine", "other"] {
        let mut connect = connect(client_identifier, "u");
        connect.will = Some(will);
        let mut client = Mqtt::with(&mut world, &connect);
        assert_eq!(client.seen(&mut world), ["connack Success"]);
        let filters = ["u/x", "all/#", "mine/x", "#"];
        client.subscribe_with(
            &filters.map(|filter| Subscription::new(filter, QoS::AtLeastOnce)),
            Properties::EMPTY,
        );
        let granted = "suback [GrantedQoS1, GrantedQoS1, NotAuthorized, NotAuthorized]";
        assert_eq!(client.seen(&mut world), [granted]);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            client.publish("mine/x", "x", qos);
            let (ack, end) = match qos {
                QoS::AtLeastOnce => ("puback", None),
                _ => ("pubrec", Some("pubcomp Success")),
            };
            let expected = if client_identifier == "mine" {
                let ack = format!("{ack} NoMatchingSubscribers");
                std::iter::once(ack).chain(end.map(String::from)).collect()
            } else {
                vec![format!("{ack} NotAuthorized")]
            };
            assert_eq!(client.seen(&mut world), expected);
        }
    }
    // The will of one is published, that of the other is not.
    let mut watcher = Mqtt::with(&mut world, &connect("w", "all"));
    watcher.seen(&mut world);
    watcher.subscribe(&mut world, "mine/gone", QoS::AtLeastOnce);
    let connections: Vec<_> = world.sockets.keys().copied().collect();
    for connection in connections.into_iter().filter(|id| *id != watcher.id) {
        world.cut(connection);
    }
    assert_eq!(watcher.seen(&mut world), ["mine/gone x q0"]);
}

/// 3.1.1 has no word for a refused PUBLISH: it is acknowledged and dropped, as by
/// Mosquitto.
#[test]
fn a_refused_publish_of_3_1_1() {
    let mut world = World::with(with_topics("^yes$", ".*"));
    let mut connect = connect("c", "u");
    connect.protocol_version = ProtocolVersion::V3_1_1;
    let mut client = Mqtt::with(&mut world, &connect);
    client.seen(&mut world);
    client.subscribe(&mut world, "#", QoS::AtLeastOnce);
    client.publish("no", "1", QoS::AtLeastOnce);
    client.publish("yes", "2", QoS::AtLeastOnce);
    let seen = client.seen(&mut world);
    assert_eq!(seen, ["puback Success", "puback Success", "yes 2 q1"]);
}

#[test]
fn topics_of_amqp_and_stomp() {
    let mut world = World::with(with_topics("^a\\.", "^b\\."));
    let mut u = client(&mut world, "u", "/");
    u.seen(&mut world);
    for (key, refusal) in [
        ("a.x", None),
        ("b.x", Some("topic 'b.x' in exchange 'amq.topic'")),
    ] {
        u.codec.open_channel().unwrap();
        u.seen(&mut world);
        let channel = if refusal.is_none() { 1 } else { 2 };
        u.publish(channel, "amq.topic", key, "body");
        assert_eq!(refused(&u.answer(&mut world)), refusal);
    }
    let frame = "CONNECT\naccept-version:1.2\nhost:/\nlogin:u\npasscode:u\n\n";
    for (key, queue, expected) in [
        ("b.x", "x1", "RECEIPT"),
        // Not its topic.
        ("a.x", "x1", "ERROR"),
        // Not its queue.
        ("b.x", "q", "ERROR"),
    ] {
        let stomp = Stomp(world.connect(Protocol::Stomp));
        stomp.send(&mut world, frame);
        stomp.frames(&mut world);
        let headers = format!("x-queue-name:{queue}\n");
        stomp.subscribe(&mut world, "1", &format!("/topic/{key}"), &headers);
        assert_eq!(
            stomp.frames(&mut world)[0].command,
            expected,
            "{key} {queue}"
        );
        world.cut(stomp.0);
    }
}

/// A STOMP SEND makes the queue that it names, if the user may.
#[test]
fn a_queue_that_a_send_makes() {
    let mut world = World::with(config());
    for (queue, expected) in [("c1", "RECEIPT"), ("q", "ERROR")] {
        let stomp = Stomp(world.connect(Protocol::Stomp));
        stomp.send(
            &mut world,
            "CONNECT\naccept-version:1.2\nhost:/\nlogin:u\npasscode:u\n\n",
        );
        stomp.frames(&mut world);
        let send = format!("SEND\ndestination:/queue/{queue}\nreceipt:r\n\nbody");
        stomp.send(&mut world, &send);
        assert_eq!(stomp.frames(&mut world)[0].command, expected, "{queue}");
    }
}

#[test]
fn permissions_that_cannot_be_used() {
    let broken = |change: fn(&mut Config)| {
        let mut config = with_topics(".*", ".*");
        change(&mut config);
        Broker::new(config).unwrap_err()
    };
    let error = broken(|c| c.permissions[0].write = "(".into());
    assert!(matches!(error, ConfigError::PermissionPattern { .. }));
    let error = broken(|c| c.permissions[0].read = "(a{1000}){1000}".into());
    assert!(matches!(error, ConfigError::PermissionPattern { .. }));
    let error = broken(|c| c.topic_permissions[0].write = "{client_id}(".into());
    assert!(matches!(error, ConfigError::PermissionPattern { .. }));
    let error = broken(|c| c.permissions[0].virtual_host = "nowhere".into());
    assert!(matches!(error, ConfigError::PermissionHost { .. }));
    let error = broken(|c| c.topic_permissions[0].user = "nobody".into());
    assert!(matches!(error, ConfigError::TopicPermission { .. }));
}
