//! MQTT through the broker: sessions, subscriptions, retained messages, wills.
//! Version 5.0 where no other is named; section numbers are those of 5.0.

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, topic, utf8};
use mq_core::{Config, Input};
use mqtt_codec::connection::Session;
use mqtt_codec::{
    Connect, Properties, Property, ProtocolVersion, QoS, ReasonCode, RetainHandling, Subscription,
    Will,
};
use std::time::Duration;

const ALL: [ProtocolVersion; 3] = [
    ProtocolVersion::V3_1,
    ProtocolVersion::V3_1_1,
    ProtocolVersion::V5_0,
];

/// A CONNECT of 5.0 whose session outlives the connection by an hour.
fn hour() -> mqtt_codec::PropertiesBuf {
    properties([Property::SessionExpiryInterval(3600)])
}

fn staying<'a>(client: &'a str, properties: &'a mqtt_codec::PropertiesBuf) -> Connect<'a> {
    Connect {
        properties: properties.as_properties(),
        ..Connect::resume(ProtocolVersion::V5_0, utf8(client))
    }
}

#[test]
fn logging_in() {
    type Case = (
        ProtocolVersion,
        &'static str,
        Option<(&'static str, &'static str)>,
        bool,
        &'static str,
    );
    use ProtocolVersion::{V3_1, V3_1_1, V5_0};
    // Version, client identifier, credentials, clean, answer.
    const CASES: &[Case] = &[
        (V5_0, "c", None, true, "connack Success"),
        (V3_1_1, "c", None, true, "connack Success"),
        (V3_1, "c", None, true, "connack Success"),
        (V5_0, "", None, false, "connack Success"),
        (V3_1_1, "", None, true, "connack Success"),
        (V5_0, "c", Some(("guest", "guest")), true, "connack Success"),
        (
            V5_0,
            "c",
            Some(("/:guest", "guest")),
            true,
            "connack Success",
        ),
        (
            V5_0,
            "c",
            Some(("guest", "no")),
            true,
            "connack BadUserNameOrPassword",
        ),
        (
            V3_1_1,
            "c",
            Some(("guest", "no")),
            true,
            "connack BadUserNameOrPassword",
        ),
        (
            V5_0,
            "c",
            Some(("x:guest", "guest")),
            true,
            "connack BadUserNameOrPassword",
        ),
    ];
    for (version, client, credentials, clean_start, answer) in CASES {
        let mut world = World::new();
        let connect = Connect {
            clean_start: *clean_start,
            user_name: credentials.map(|(user, _)| utf8(user)),
            password: credentials.map(|(_, password)| password.as_bytes()),
            ..Connect::clean(*version, utf8(client))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        assert_eq!(client.seen(&mut world), [*answer], "{connect:?}");
        assert_eq!(world.is_closed(client.id), *answer != "connack Success");
    }
    let config = Config {
        allow_anonymous: false,
        ..Config::default()
    };
    let mut world = World::with(config);
    let mut client = Mqtt::with(&mut world, &Connect::clean(V5_0, utf8("c")));
    assert_eq!(client.seen(&mut world), ["connack NotAuthorized"]);
}

#[test]
fn authentication_methods_are_refused() {
    let mut world = World::new();
    let method = properties([Property::AuthenticationMethod("none")]);
    let mut client = Mqtt::with(&mut world, &staying("c", &method));
    assert_eq!(client.seen(&mut world), ["connack BadAuthenticationMethod"]);
}

#[test]
fn every_quality_in_every_version() {
    let all = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for version in ALL {
        for published in all {
            for granted in all {
                let mut world = World::new();
                let connect = |client| Connect {
                    clean_start: true,
                    ..Connect::clean(version, utf8(client))
                };
                let mut subscriber = Mqtt::with(&mut world, &connect("s"));
                subscriber.seen(&mut world);
                subscriber.subscribe(&mut world, "a/+", granted);
                let mut publisher = Mqtt::with(&mut world, &connect("p"));
                publisher.seen(&mut world);
                publisher.publish("a/b", "body", published);
                let answers = publisher.seen(&mut world);
                let expected: &[&str] = match published {
                    QoS::AtMostOnce => &[],
                    QoS::AtLeastOnce => &["puback Success"],
                    QoS::ExactlyOnce => &["pubrec Success", "pubcomp Success"],
                };
                assert_eq!(answers, expected);
                let seen = subscriber.seen(&mut world);
                let expected = format!("a/b body q{}", published.min(granted) as u8);
                assert_eq!(seen[0], expected);
                let end = usize::from(published.min(granted) == QoS::ExactlyOnce);
                assert_eq!(seen.len(), 1 + end, "{seen:?}");
                let counts = world.broker.statistics();
                assert_eq!((counts.ready, counts.unacknowledged), (0, 0));
            }
        }
    }
}

#[test]
fn subscribing_and_unsubscribing() {
    let mut world = World::new();
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe_with(
        &[
            Subscription::new("a", QoS::AtMostOnce),
            Subscription::new("b/#", QoS::ExactlyOnce),
            Subscription::new("$share/g/c", QoS::AtLeastOnce),
        ],
        Properties::EMPTY,
    );
    assert_eq!(
        c.seen(&mut world),
        ["suback [Success, GrantedQoS2, GrantedQoS1]"]
    );
    c.codec
        .unsubscribe(&["a", "none", "$share/g/c"], Properties::EMPTY)
        .unwrap();
    assert_eq!(
        c.seen(&mut world),
        ["unsuback [Success, NoSubscriptionExisted, Success]"]
    );
    let rows: [(_, &[&str]); 3] = [
        ("a", &["puback NoMatchingSubscribers"]),
        ("b", &["puback Success", "b m q1"]),
        ("c", &["puback NoMatchingSubscribers"]),
    ];
    for (topic, expected) in rows {
        c.publish(topic, "m", QoS::AtLeastOnce);
        assert_eq!(c.seen(&mut world), expected, "{topic}");
    }
}

#[test]
fn overlapping_subscriptions_and_identifiers() {
    let mut world = World::new();
    let mut c = Mqtt::connect(&mut world, "c");
    for (filter, identifier, qos) in [
        ("a/#", 1, QoS::AtMostOnce),
        ("a/b", 2, QoS::AtLeastOnce),
        ("+/b", 3, QoS::AtMostOnce),
    ] {
        let identifier = properties([Property::SubscriptionIdentifier(identifier)]);
        c.subscribe_with(
            &[Subscription::new(filter, qos)],
            identifier.as_properties(),
        );
    }
    c.seen(&mut world);
    c.publish("a/b", "m", QoS::ExactlyOnce);
    let seen = c.seen(&mut world);
    assert!(seen.contains(&"a/b m q1 #1 #2 #3".into()), "{seen:?}");
    assert_eq!(seen.iter().filter(|e| e.starts_with("a/b")).count(), 1);
}

#[test]
fn no_local_and_retain_as_published() {
    let mut world = World::new();
    let mut c = Mqtt::connect(&mut world, "c");
    let mut local = Subscription::new("t", QoS::AtMostOnce);
    local.options.no_local = true;
    c.subscribe_with(&[local], Properties::EMPTY);
    let mut other = Mqtt::connect(&mut world, "other");
    let mut kept = Subscription::new("t", QoS::AtMostOnce);
    kept.options.retain_as_published = true;
    other.subscribe_with(&[kept], Properties::EMPTY);
    other.seen(&mut world);
    c.retain("t", "m");
    let seen = c.seen(&mut world);
    assert!(!seen.iter().any(|e| e.starts_with("t ")), "{seen:?}");
    assert_eq!(other.seen(&mut world), ["t m q0 retained"]);
}

/// No Local is an option of one subscription (MQTT 5.0, section 3.8.3.1): another one of the same
/// session that matches has its message, with its own QoS and identifier alone.
#[test]
fn no_local_of_one_subscription_among_several() {
    let mut world = World::new();
    let mut c = Mqtt::connect(&mut world, "c");
    for (filter, identifier, qos, no_local) in [
        ("a/#", 1, QoS::AtLeastOnce, true),
        ("a/b", 2, QoS::AtMostOnce, false),
        ("+/b", 3, QoS::AtLeastOnce, true),
    ] {
        let mut subscription = Subscription::new(filter, qos);
        subscription.options.no_local = no_local;
        let identifier = properties([Property::SubscriptionIdentifier(identifier)]);
        c.subscribe_with(&[subscription], identifier.as_properties());
    }
    c.seen(&mut world);
    c.publish("a/b", "m", QoS::AtMostOnce);
    assert_eq!(c.seen(&mut world), ["a/b m q0 #2"]);
}

#[test]
fn retained_messages() {
    let mut world = World::new();
    let mut p = Mqtt::connect(&mut world, "p");
    p.retain("a/b", "1");
    p.retain("a/c", "2");
    p.retain("a/c", "");
    p.seen(&mut world);
    let mut c = Mqtt::connect(&mut world, "c");
    let subscribe = |c: &mut Mqtt, world: &mut World, handling| {
        let mut subscription = Subscription::new("a/+", QoS::AtLeastOnce);
        subscription.options.retain_handling = handling;
        c.subscribe_with(&[subscription], Properties::EMPTY);
        c.seen(world).split_off(1)
    };
    let retained = ["a/b 1 q1 retained"];
    assert_eq!(
        subscribe(&mut c, &mut world, RetainHandling::SendIfNew),
        retained
    );
    assert_eq!(
        subscribe(&mut c, &mut world, RetainHandling::SendIfNew),
        [""; 0]
    );
    assert_eq!(
        subscribe(&mut c, &mut world, RetainHandling::DoNotSend),
        [""; 0]
    );
    assert_eq!(
        subscribe(&mut c, &mut world, RetainHandling::Send),
        retained
    );
}

#[test]
fn a_session_goes_on() {
    for version in ALL {
        let mut world = World::new();
        let expiry = hour();
        let connect = Connect {
            properties: match version {
                ProtocolVersion::V5_0 => expiry.as_properties(),
                _ => Properties::EMPTY,
            },
            ..Connect::resume(version, utf8("c"))
        };
        let mut c = Mqtt::with(&mut world, &connect);
        assert_eq!(c.seen(&mut world), ["connack Success"]);
        c.subscribe(&mut world, "t", QoS::AtLeastOnce);
        world.cut(c.id);
        let mut p = Mqtt::connect(&mut world, "p");
        for (body, qos) in [
            ("1", QoS::AtLeastOnce),
            ("gone", QoS::AtMostOnce),
            ("2", QoS::ExactlyOnce),
        ] {
            p.publish("t", body, qos);
        }
        p.seen(&mut world);
        world.wait(Duration::from_secs(3599));
        let mut c = Mqtt::with(&mut world, &connect);
        let connack = match version {
            // 3.1 cannot say so.
            ProtocolVersion::V3_1 => "connack Success",
            _ => "connack Success present",
        };
        assert_eq!(c.seen(&mut world), [connack, "t 1 q1", "t 2 q1"]);
    }
}

#[test]
fn a_session_ends() {
    let mut world = World::new();
    let expiry = properties([Property::SessionExpiryInterval(10)]);
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(c.id);
    world.wait(Duration::from_secs(10));
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success"]);
    // DISCONNECT can say otherwise (section 3.14.2.2.2).
    let now = properties([Property::SessionExpiryInterval(0)]);
    c.codec
        .close(world.now, ReasonCode::Success, now.as_properties())
        .unwrap();
    c.seen(&mut world);
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success"]);
}

#[test]
fn a_session_is_granted_no_longer_than_is_configured() {
    let config = Config {
        session_expiry_maximum: 10,
        ..Config::default()
    };
    let mut world = World::with(config);
    let expiry = hour();
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success for 10 s"]);
    world.cut(c.id);
    world.wait(Duration::from_secs(10));
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success for 10 s"]);
    world.cut(c.id);
    world.wait(Duration::from_secs(9));
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success present for 10 s"]);
    // DISCONNECT cannot get more either.
    let more = hour();
    c.codec
        .close(world.now, ReasonCode::Success, more.as_properties())
        .unwrap();
    c.seen(&mut world);
    world.wait(Duration::from_secs(10));
    let mut c = Mqtt::with(&mut world, &staying("c", &expiry));
    assert_eq!(c.seen(&mut world), ["connack Success for 10 s"]);
}

#[test]
fn what_was_in_flight_is_sent_again() {
    let mut world = World::new();
    let expiry = hour();
    let connect = staying("c", &expiry);
    let mut c = Mqtt::manual(&mut world, &connect, Session::new());
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::ExactlyOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    p.publish("t", "1", QoS::AtLeastOnce);
    p.publish("t", "2", QoS::ExactlyOnce);
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world), ["t 1 q1", "t 2 q2"]);
    world.cut(c.id);
    assert_eq!(world.broker.statistics().unacknowledged, 2);
    let mut c = Mqtt::resume(&mut world, &connect, Session::new());
    assert_eq!(
        c.seen(&mut world),
        [
            "connack Success present",
            "t 1 q1 dup",
            "t 2 q2 dup",
            "pubrel"
        ]
    );
    assert_eq!(world.broker.statistics().unacknowledged, 0);
}

/// A message that is sent again has the properties that it came with, whatever version it
/// was sent in first, and of its Message Expiry Interval what is left (section 3.3.2.3.3).
#[test]
fn what_is_sent_again_has_its_properties() {
    let expiry = hour();
    let of_5 = staying("c", &expiry);
    let of_3 = Connect::resume(ProtocolVersion::V3_1_1, utf8("c"));
    for first in [of_3, of_5] {
        let mut world = World::new();
        let mut c = Mqtt::manual(&mut world, &first, Session::new());
        c.seen(&mut world);
        c.subscribe(&mut world, "t", QoS::AtLeastOnce);
        let mut p = Mqtt::connect(&mut world, "p");
        let mut message = mqtt_codec::connection::MessageBuf::new("t", &b"m"[..], QoS::AtLeastOnce);
        message.properties = properties([
            Property::MessageExpiryInterval(60),
            Property::ContentType("text/plain"),
        ]);
        p.codec.publish(&message.as_message()).unwrap();
        p.seen(&mut world);
        assert_eq!(c.seen(&mut world), ["t m q1"]);
        world.cut(c.id);
        world.wait(Duration::from_secs(20));
        let mut c = Mqtt::resume(&mut world, &of_5, Session::new());
        assert_eq!(
            c.seen(&mut world),
            ["connack Success present", "t m q1 dup"]
        );
        let properties = c.messages[0].properties.as_properties();
        assert_eq!(properties.message_expiry_interval(), Some(40));
        assert_eq!(properties.content_type(), Some("text/plain"));
    }
}

/// A SUBSCRIBE may have many topic filters, and no more than the settings say.
#[test]
fn topic_filters_of_one_packet() {
    let mut few = Config::default();
    few.limits.topic_filters = 10;
    for (config, filters, granted) in [
        (Config::default(), 2000, true),
        (few.clone(), 10, true),
        (few, 11, false),
    ] {
        let mut world = World::with(config);
        let mut c = Mqtt::connect(&mut world, "c");
        let names: Vec<String> = (0..filters).map(|n| n.to_string()).collect();
        let subscriptions: Vec<_> = names
            .iter()
            .map(|name| Subscription::new(name, QoS::AtMostOnce))
            .collect();
        c.subscribe_with(&subscriptions, Properties::EMPTY);
        let seen = c.seen(&mut world);
        if granted {
            assert_eq!(seen[0].matches("Success").count(), filters, "{seen:?}");
        } else {
            assert_eq!(seen, ["disconnect QuotaExceeded"]);
        }
    }
}

#[test]
fn a_client_identifier_is_taken_over() {
    let mut world = World::new();
    let expiry = hour();
    let connect = staying("c", &expiry);
    let mut first = Mqtt::with(&mut world, &connect);
    first.seen(&mut world);
    first.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut second = Mqtt::with(&mut world, &connect);
    assert_eq!(second.seen(&mut world), ["connack Success present"]);
    assert_eq!(first.seen(&mut world), ["disconnect SessionTakenOver"]);
    assert!(world.is_closed(first.id));
    second.publish("t", "m", QoS::AtLeastOnce);
    assert_eq!(second.seen(&mut world), ["puback Success", "t m q1"]);
    let mut third = Mqtt::with(
        &mut world,
        &Connect {
            clean_start: true,
            ..connect
        },
    );
    assert_eq!(third.seen(&mut world), ["connack Success"]);
    assert_eq!(second.seen(&mut world), ["disconnect SessionTakenOver"]);
}

#[test]
fn wills() {
    // How the client goes, and whether its will is published.
    type Going = fn(&mut Mqtt, &mut World);
    const CASES: &[(&str, Going, bool)] = &[
        ("cut", |c, w| w.cut(c.id), true),
        (
            "goodbye",
            |c, w| c.disconnect(w, ReasonCode::Success),
            false,
        ),
        (
            "with will",
            |c, w| c.disconnect(w, ReasonCode::DisconnectWithWill),
            true,
        ),
        (
            "silence",
            |_, w| w.wait(Duration::from_secs(15) + Duration::from_millis(1)),
            true,
        ),
        ("garbage", |c, w| w.send(c.id, &[0x00, 0x00]), true),
        (
            "takeover",
            |_, w| {
                Mqtt::connect(w, "c");
            },
            true,
        ),
    ];
    for (name, go, published) in CASES {
        let mut world = World::new();
        let mut listener = Mqtt::connect(&mut world, "listener");
        listener.subscribe(&mut world, "will", QoS::AtLeastOnce);
        let connect = Connect {
            clean_start: true,
            keep_alive: 10,
            will: Some(Will {
                topic: topic("will"),
                payload: b"gone",
                qos: QoS::AtLeastOnce,
                retain: true,
                properties: Properties::EMPTY,
            }),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let mut c = Mqtt::with(&mut world, &connect);
        c.seen(&mut world);
        go(&mut c, &mut world);
        let expected: &[&str] = if *published { &["will gone q1"] } else { &[] };
        assert_eq!(listener.seen(&mut world), expected, "{name}");
        let mut late = Mqtt::connect(&mut world, "late");
        late.subscribe(&mut world, "will", QoS::AtLeastOnce);
        assert_eq!(late.seen(&mut world).len(), expected.len(), "retained");
    }
}

#[test]
fn shared_subscriptions() {
    let mut world = World::new();
    let mut group: Vec<Mqtt> = ["a", "b"]
        .iter()
        .map(|client| {
            let mut c = Mqtt::connect(&mut world, client);
            c.subscribe(&mut world, "$share/g/t", QoS::AtLeastOnce);
            c
        })
        .collect();
    let mut p = Mqtt::connect(&mut world, "p");
    for body in ["1", "2", "3"] {
        p.publish("t", body, QoS::AtLeastOnce);
    }
    p.seen(&mut world);
    assert_eq!(group[0].seen(&mut world), ["t 1 q1", "t 3 q1"]);
    assert_eq!(group[1].seen(&mut world), ["t 2 q1"]);
    // In 3.1.1 it is a filter like any other (with a `$` in front).
    let mut old = Mqtt::with(
        &mut world,
        &Connect {
            clean_start: true,
            ..Connect::clean(ProtocolVersion::V3_1_1, utf8("old"))
        },
    );
    old.seen(&mut world);
    old.subscribe(&mut world, "$share/g/t", QoS::AtMostOnce);
    p.publish("$share/g/t", "odd", QoS::AtMostOnce);
    p.seen(&mut world);
    assert_eq!(old.seen(&mut world), ["$share/g/t odd q0"]);
}

#[test]
fn properties_are_forwarded_and_expiry_counts_down() {
    // Of a second that has begun, all counts as left: the message lives that long.
    for waited in [20_000, 20_999] {
        properties_are_forwarded_after(Duration::from_millis(waited));
    }
}

fn properties_are_forwarded_after(waited: Duration) {
    let mut world = World::new();
    let expiry = hour();
    let connect = staying("c", &expiry);
    let mut c = Mqtt::with(&mut world, &connect);
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    world.cut(c.id);
    let sent = [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(60),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers/here.now"),
        Property::CorrelationData(&[0, 255]),
        Property::UserProperty("b", "1"),
        Property::UserProperty("a", "2"),
        Property::UserProperty("b", "3"),
    ];
    let mut p = Mqtt::connect(&mut world, "p");
    let mut message = mqtt_codec::connection::MessageBuf::new("t", &b"m"[..], QoS::AtLeastOnce);
    message.properties = properties(sent);
    p.codec.publish(&message.as_message()).unwrap();
    p.seen(&mut world);
    world.wait(waited);
    let mut c = Mqtt::with(&mut world, &connect);
    c.seen(&mut world);
    let got: Vec<String> = c.messages[0]
        .properties
        .as_properties()
        .iter()
        .map(|p| format!("{p:?}"))
        .collect();
    let expected: Vec<String> = sent
        .iter()
        .map(|p| match p {
            Property::MessageExpiryInterval(_) => Property::MessageExpiryInterval(40),
            p => *p,
        })
        .map(|p| format!("{p:?}"))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn receive_maximum_and_maximum_packet_size() {
    let mut world = World::new();
    let limits = properties([
        Property::SessionExpiryInterval(3600),
        Property::ReceiveMaximum(2),
        Property::MaximumPacketSize(50),
    ]);
    let mut c = Mqtt::manual(&mut world, &staying("c", &limits), Session::new());
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    for body in ["1", "2", "3", &"x".repeat(60), "4"] {
        p.publish("t", body, QoS::AtLeastOnce);
    }
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world), ["t 1 q1", "t 2 q1"]);
    let id = |n| mqtt_codec::PacketIdentifier::new(n).unwrap();
    c.codec
        .acknowledge(id(1), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(c.seen(&mut world), ["t 3 q1"]);
    c.codec
        .acknowledge(id(2), ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(c.seen(&mut world), ["t 4 q1"], "too large is left out");
}

/// A client of 3.1.1 has no Receive Maximum to tell.
#[test]
fn no_more_in_flight_than_configured() {
    let config = Config {
        maximum_in_flight: 2,
        ..Config::default()
    };
    let mut world = World::with(config);
    let connect = Connect::clean(ProtocolVersion::V3_1_1, utf8("c"));
    let mut c = Mqtt::manual(&mut world, &connect, Session::new());
    c.seen(&mut world);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    for body in ["1", "2", "3"] {
        p.publish("t", body, QoS::AtLeastOnce);
    }
    p.publish("t", "4", QoS::AtMostOnce);
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world), ["t 1 q1", "t 2 q1"]);
    let id = mqtt_codec::PacketIdentifier::new(1).unwrap();
    c.codec
        .acknowledge(id, ReasonCode::Success, Properties::EMPTY)
        .unwrap();
    assert_eq!(c.seen(&mut world), ["t 3 q1", "t 4 q0"]);
}

#[test]
fn a_full_queue_is_no_success() {
    let mut config = Config::default();
    config.limits.subscriptions = 1;
    let mut world = World::with(config);
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe_with(
        &[
            Subscription::new("a", QoS::AtMostOnce),
            Subscription::new("b", QoS::AtMostOnce),
        ],
        Properties::EMPTY,
    );
    assert_eq!(c.seen(&mut world), ["suback [Success, QuotaExceeded]"]);
}

#[test]
fn the_end_of_the_broker() {
    let mut world = World::new();
    let mut c = Mqtt::connect(&mut world, "c");
    world.handle(Input::Shutdown);
    assert_eq!(c.seen(&mut world), ["disconnect ServerShuttingDown"]);
    assert!(world.is_closed(c.id));
}

#[test]
fn a_slow_session_is_not_flooded_and_misses_nothing() {
    let mut config = Config::default();
    config.limits.transmit_high_water = 10_000;
    let mut world = World::with(config);
    let mut c = Mqtt::connect(&mut world, "c");
    c.subscribe(&mut world, "t", QoS::AtMostOnce);
    world.socket(c.id).slow = true;
    let mut p = Mqtt::connect(&mut world, "p");
    for n in 0..200 {
        p.publish("t", &format!("{n:01000}"), QoS::AtMostOnce);
        p.seen(&mut world);
    }
    let mut count = 0;
    for _ in 0..1000 {
        assert!(world.socket(c.id).untold < 30_000);
        world.tell(c.id, 1000);
        count += c.seen(&mut world).len();
    }
    assert_eq!(count, 200);
}
