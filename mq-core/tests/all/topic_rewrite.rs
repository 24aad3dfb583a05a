//! Topic rewrite, as EMQX documents it ("Topic Rewrite",
//! <https://docs.emqx.com/en/emqx/latest/messaging/mqtt-topic-rewrite.html>; `emqx_rewrite.erl`).

use crate::world::World;
use crate::world::mqtt::{Mqtt, topic, utf8};
use mq_core::{Config, Permission, RewriteAction, TopicPermission, TopicRewrite};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, Subscription, Will};
use std::time::Duration;

use RewriteAction::{All, Publish, Subscribe};

fn with(rules: &[(RewriteAction, &str, &str, &str)]) -> Config {
    let rule = |(action, source, pattern, destination): &(RewriteAction, &str, &str, &str)| {
        TopicRewrite::new(*action, source, pattern, destination).unwrap()
    };
    Config {
        topic_rewrites: rules.iter().map(rule).collect(),
        ..Config::default()
    }
}

/// "The publish rule matches the topics carried by PUBLISH messages, and the subscribe rule
/// matches the topics carried by SUBSCRIBE and UNSUBSCRIBE messages."
#[test]
fn what_is_published_and_subscribed() {
    for (action, published, subscribed) in [
        (Publish, "new/1", "old/1"),
        (Subscribe, "old/1", "new/1"),
        (All, "new/1", "new/1"),
    ] {
        let rule = (action, "old/#", "^old/(.+)$", "new/$1");
        let mut world = World::with(with(&[rule]));
        let mut all = Mqtt::connect(&mut world, "all");
        all.subscribe(&mut world, "#", QoS::AtMostOnce);
        let mut c = Mqtt::connect(&mut world, "c");
        c.publish("old/1", "m", QoS::AtLeastOnce);
        assert_eq!(c.seen(&mut world), ["puback Success"]);
        assert_eq!(all.seen(&mut world), [format!("{published} m q0")]);
        c.subscribe(&mut world, "old/1", QoS::AtMostOnce);
        // A topic that no rule is for, as the subscription has it.
        let mut other = Mqtt::connect(&mut world, "other");
        let name = if subscribed == "old/1" {
            "old/1"
        } else {
            "new/1"
        };
        other.publish(name, "n", QoS::AtMostOnce);
        other.seen(&mut world);
        let expected = match (action, subscribed) {
            // The publish is renamed, and goes past it.
            (Publish, _) => Vec::new(),
            _ => vec![format!("{subscribed} n q0")],
        };
        assert_eq!(c.seen(&mut world), expected, "{action:?}");
        c.codec.unsubscribe(&["old/1"], Properties::EMPTY).unwrap();
        assert_eq!(c.seen(&mut world), ["unsuback [Success]"]);
    }
}

/// "It only affects the portion of shared subscription topics after removing the prefix
/// `$share/<group-name>/`."
#[test]
fn shared_subscriptions() {
    let rule = (Subscribe, "t/#", "^t/(.+)$", "n/$1");
    let mut world = World::with(with(&[rule]));
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "$share/t/t/1", QoS::AtMostOnce);
    for topic in ["t/1", "n/1"] {
        c.publish(topic, "m", QoS::AtMostOnce);
    }
    assert_eq!(c.seen(&mut world), ["n/1 m q0"]);
}

/// `${clientid}` and `${username}`.
#[test]
fn the_client_has_a_part_in_it() {
    let rule = (All, "me/#", "^me/(.+)$", "of/${username}/${clientid}/$1");
    let mut world = World::with(with(&[rule]));
    let mut all = Mqtt::connect(&mut world, "all");
    all.subscribe(&mut world, "#", QoS::AtMostOnce);
    let connect = Connect {
        user_name: Some(utf8("guest")),
        password: Some(b"guest"),
        ..Connect::clean(ProtocolVersion::V3_1_1, utf8("c"))
    };
    let mut c = Mqtt::with(&mut world, &connect);
    c.seen(&mut world);
    c.publish("me/x", "m", QoS::AtMostOnce);
    c.seen(&mut world);
    assert_eq!(all.seen(&mut world), ["of/guest/c/x m q0"]);
}

/// "When users want to use the delayed publish, they can use topic rewrite to redirect the
/// message to the required topic." A will is a message as well.
#[test]
fn delayed_messages_and_wills() {
    let rules = [
        (Publish, "slow/#", "^slow/(.+)$", "$delayed/5/$1"),
        (Publish, "last/+", "^last/(.+)$", "will/$1"),
    ];
    let mut world = World::with(with(&rules));
    let mut all = Mqtt::connect(&mut world, "all");
    all.subscribe(&mut world, "#", QoS::AtMostOnce);
    let connect = Connect {
        will: Some(Will {
            topic: topic("last/c"),
            payload: b"gone",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        }),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
    };
    let mut c = Mqtt::with(&mut world, &connect);
    c.seen(&mut world);
    c.publish("slow/t", "m", QoS::AtLeastOnce);
    assert_eq!(c.seen(&mut world), ["puback Success"]);
    assert!(all.seen(&mut world).is_empty());
    world.wait(Duration::from_secs(5));
    assert_eq!(all.seen(&mut world), ["t m q0"]);
    world.cut(c.id);
    assert_eq!(all.seen(&mut world), ["will/c gone q0"]);
}

/// What comes of a rule is refused where it is no topic, or nobody publishes there.
#[test]
fn names_that_are_none() {
    let rules = [
        (All, "a", "^a$", "x/#/y"),
        (Publish, "s", "^s$", "$SYS/x"),
        (Publish, "w", "^w$", "x/#"),
    ];
    let mut world = World::with(with(&rules));
    let mut c = Mqtt::connect(&mut world, "c");
    for (topic, answer) in [
        ("a", "puback TopicNameInvalid"),
        ("s", "puback NotAuthorized"),
        ("w", "puback TopicNameInvalid"),
    ] {
        c.publish(topic, "m", QoS::AtLeastOnce);
        assert_eq!(c.seen(&mut world), [answer], "{topic}");
    }
    let filters = [
        Subscription::new("a", QoS::AtMostOnce),
        Subscription::new("b", QoS::AtMostOnce),
    ];
    c.subscribe_with(&filters, Properties::EMPTY);
    assert_eq!(c.seen(&mut world), ["suback [TopicFilterInvalid, Success]"]);
    c.codec.unsubscribe(&["a"], Properties::EMPTY).unwrap();
    assert_eq!(c.seen(&mut world), ["unsuback [NoSubscriptionExisted]"]);
}

/// Rights are those of the new name.
#[test]
fn rights() {
    let mut config = with(&[(All, "old/#", "^old/(.+)$", "new/$1")]);
    config.permissions = vec![Permission {
        user: "guest".into(),
        virtual_host: "/".into(),
        configure: ".*".into(),
        write: ".*".into(),
        read: ".*".into(),
    }];
    for (pattern, may) in [("^new\\.", true), ("^old\\.", false)] {
        config.topic_permissions = vec![TopicPermission {
            user: "guest".into(),
            virtual_host: "/".into(),
            exchange: "amq.topic".into(),
            write: pattern.into(),
            read: pattern.into(),
        }];
        let mut world = World::with(config.clone());
        let mut c = Mqtt::connect(&mut world, "c");
        c.publish("old/1", "m", QoS::AtLeastOnce);
        let answer = if may {
            "NoMatchingSubscribers"
        } else {
            "NotAuthorized"
        };
        assert_eq!(c.seen(&mut world), [format!("puback {answer}")]);
        let filters = [Subscription::new("old/1", QoS::AtMostOnce)];
        c.subscribe_with(&filters, Properties::EMPTY);
        let answer = if may { "Success" } else { "NotAuthorized" };
        assert_eq!(c.seen(&mut world), [format!("suback [{answer}]")]);
    }
}
