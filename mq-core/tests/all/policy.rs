//! Policies and operator policies, as RabbitMQ documents them ("Policies",
//! <https://www.rabbitmq.com/docs/policies>; validation and merging as in `rabbit_policies.erl`,
//! `rabbit_policy.erl` and `rabbit_amqqueue_process.erl`).

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::log::storing;
use crate::world::policy::{policy, set};
use amqp_codec::method::{exchange, queue};
use amqp_codec::{FieldValue, PropertyFields, TableBuf};
use mq_core::{Administration, ApplyTo, Config, ConfigError, Policy, PolicyKind, PolicyValue};
use std::time::Duration;

const NONE: TableBuf = TableBuf::new();

fn clear(world: &mut World, kind: PolicyKind, name: &str) -> Result<(), String> {
    let action = Administration::ClearPolicy {
        kind,
        virtual_host: "/".into(),
        name: name.into(),
    };
    world.administer(action).unwrap()
}

fn number(number: i64) -> PolicyValue {
    PolicyValue::Number(number)
}

/// How many of so many messages a queue keeps.
fn length(c: &mut Amqp, world: &mut World, queue: &str, publishes: usize) -> String {
    c.declare(queue, &NONE);
    for _ in 0..publishes {
        c.publish(1, "", queue, "m");
    }
    let declare = queue::Declare {
        queue,
        passive: true,
        ..Default::default()
    };
    c.codec.queue_declare(1, &declare).unwrap();
    let answer = c.answer(world);
    let mut words = answer.split(' ').skip(2);
    words.next().unwrap_or_default().to_owned()
}

/// "When a policy is changed, added or removed, its effect on matching queues and exchanges
/// is re-evaluated": it is in force for a queue that is there, and when it is gone no longer.
#[test]
fn a_policy_changes_queues_that_live() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    assert_eq!(length(&mut c, &mut world, "q", 5), "5");
    let kind = PolicyKind::Ordinary;
    set(
        &mut world,
        kind,
        policy("p", "^q$", &[("max-length", number(2))]),
    );
    assert_eq!(
        length(&mut c, &mut world, "q", 0),
        "2",
        "what is there goes"
    );
    assert_eq!(length(&mut c, &mut world, "q", 3), "2");
    set(
        &mut world,
        kind,
        policy("p", "^q$", &[("max-length", number(4))]),
    );
    assert_eq!(length(&mut c, &mut world, "q", 3), "4", "set again");
    set(
        &mut world,
        kind,
        policy("p", "^other$", &[("max-length", number(1))]),
    );
    assert_eq!(length(&mut c, &mut world, "q", 3), "7", "another pattern");
    clear(&mut world, kind, "p").unwrap();
    assert_eq!(length(&mut c, &mut world, "other", 3), "3");
    assert_eq!(
        clear(&mut world, kind, "p"),
        Err("no policy 'p' in vhost '/'".into())
    );
}

/// "Only one policy per queue or exchange can be in effect": of those that match, the one with
/// the highest priority, with all that it says and nothing of the others.
#[test]
fn one_policy_is_in_force() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    let kind = PolicyKind::Ordinary;
    let with = |priority, policy| Policy { priority, ..policy };
    set(
        &mut world,
        kind,
        with(1, policy("b", "", &[("max-length", number(2))])),
    );
    set(
        &mut world,
        kind,
        with(0, policy("a", "", &[("max-length", number(1))])),
    );
    assert_eq!(length(&mut c, &mut world, "q", 5), "2");
    // Of equal ones the first by name.
    set(
        &mut world,
        kind,
        with(1, policy("a", "", &[("max-length", number(1))])),
    );
    assert_eq!(length(&mut c, &mut world, "q", 5), "1");
    set(
        &mut world,
        kind,
        with(9, policy("c", "", &[("message-ttl", number(60_000))])),
    );
    assert_eq!(length(&mut c, &mut world, "q", 5), "6", "it says no length");
}

/// apply-to: all, exchanges, queues, classic_queues, quorum_queues, streams.
#[test]
fn a_policy_is_for_what_it_applies_to() {
    #[rustfmt::skip]
    let rows = [
        (ApplyTo::All, "2", "2"),
        (ApplyTo::Queues, "2", "2"),
        (ApplyTo::ClassicQueues, "2", "5"),
        (ApplyTo::QuorumQueues, "5", "2"),
        (ApplyTo::Exchanges, "5", "5"),
        (ApplyTo::Streams, "5", "5"),
    ];
    for (apply_to, classic, quorum) in rows {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        let limit = policy("p", "q$", &[("max-length", number(2))]);
        set(
            &mut world,
            PolicyKind::Ordinary,
            Policy { apply_to, ..limit },
        );
        let arguments = table([("x-queue-type", text("quorum"))]);
        let declare = queue::Declare {
            queue: "qq",
            durable: true,
            arguments: arguments.as_table(),
            ..Default::default()
        };
        c.codec.queue_declare(1, &declare).unwrap();
        assert_eq!(length(&mut c, &mut world, "q", 5), classic, "{apply_to:?}");
        for _ in 0..5 {
            c.publish(2, "", "qq", "m");
        }
        c.codec
            .queue_declare(
                2,
                &queue::Declare {
                    passive: true,
                    ..declare
                },
            )
            .unwrap();
        let answer = c.answer(&mut world);
        assert_eq!(
            answer,
            format!("queue.declare-ok qq {quorum} 0"),
            "{apply_to:?}"
        );
    }
}

/// What the argument, the policy and the operator policy say together of `max-length`.
#[test]
fn the_lowest_number_holds() {
    let rows = [
        (Some(3), Some(2), None, "2"),
        (Some(2), Some(3), None, "2"),
        (None, Some(3), Some(2), "2"),
        (None, Some(2), Some(3), "2"),
        (Some(2), None, Some(3), "2"),
        (Some(3), None, Some(2), "2"),
        (Some(4), Some(3), Some(2), "2"),
        (None, None, Some(2), "2"),
        (Some(2), Some(3), Some(4), "2"),
    ];
    for row in rows {
        let (argument, ours, operators, expected) = row;
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        for (kind, limit) in [
            (PolicyKind::Ordinary, ours),
            (PolicyKind::Operator, operators),
        ] {
            if let Some(limit) = limit {
                set(
                    &mut world,
                    kind,
                    policy("p", "q", &[("max-length", number(limit))]),
                );
            }
        }
        let argument = argument.map(|limit| ("x-max-length", FieldValue::I64(limit)));
        c.declare("q", &table(argument));
        for _ in 0..5 {
            c.publish(1, "", "q", "m");
        }
        let declare = queue::Declare {
            queue: "q",
            passive: true,
            ..Default::default()
        };
        c.codec.queue_declare(1, &declare).unwrap();
        let answer = c.answer(&mut world);
        assert_eq!(
            answer,
            format!("queue.declare-ok q {expected} 0"),
            "{row:?}"
        );
    }
}

/// `overflow` of the declaration comes before a policy, and that of an operator policy before
/// another policy.
#[test]
fn the_overflow_of_the_declaration_comes_first() {
    #[rustfmt::skip]
    let rows = [
        (None, "reject-publish", None, "nack"),
        (Some("drop-head"), "reject-publish", None, "ack"),
        (Some("reject-publish"), "drop-head", None, "nack"),
        (None, "reject-publish", Some("drop-head"), "ack"),
        (None, "drop-head", Some("reject-publish"), "nack"),
    ];
    for row in rows {
        let (argument, ours, operators, expected) = row;
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        let says = |overflow: &str| {
            [
                ("overflow", PolicyValue::from(overflow)),
                ("max-length", number(1)),
            ]
        };
        set(
            &mut world,
            PolicyKind::Ordinary,
            policy("p", "q", &says(ours)),
        );
        if let Some(overflow) = operators {
            set(
                &mut world,
                PolicyKind::Operator,
                policy("p", "q", &says(overflow)),
            );
        }
        c.declare(
            "q",
            &table(argument.map(|overflow| ("x-overflow", text(overflow)))),
        );
        let select = amqp_codec::method::confirm::Select { no_wait: false };
        c.codec.confirm_select(1, &select).unwrap();
        c.publish(1, "", "q", "m");
        c.seen(&mut world);
        c.publish(1, "", "q", "m");
        let answer = c.answer(&mut world);
        assert!(answer.starts_with(expected), "{row:?} {answer}");
    }
}

/// Each key with its effect on a queue that was there before.
#[test]
fn keys_of_a_queue() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    c.declare("dead", &NONE);
    c.declare("ttl", &NONE);
    c.declare("expires", &NONE);
    c.seen(&mut world);
    let kind = PolicyKind::Ordinary;
    let dead = [
        ("message-ttl", number(1000)),
        ("dead-letter-exchange", "".into()),
        ("dead-letter-routing-key", "dead".into()),
    ];
    set(&mut world, kind, policy("ttl", "^ttl$", &dead));
    // An operator's `expires` deletes a queue that nobody uses (seen with 3.10.8).
    let expires = policy("expires", "^expires$", &[("expires", number(5000))]);
    set(&mut world, PolicyKind::Operator, expires);
    c.publish(1, "", "ttl", "m");
    c.seen(&mut world);
    world.wait(Duration::from_secs(1));
    c.get("dead", true);
    assert_eq!(c.answer(&mut world), "get-ok 1 m +0");
    let death = format!("{:?}", c.contents.last().unwrap().properties());
    assert!(death.contains("expired"), "{death}");
    world.wait(Duration::from_secs(4));
    for (queue, there) in [("ttl", true), ("expires", false)] {
        let declare = queue::Declare {
            queue,
            passive: true,
            ..Default::default()
        };
        c.codec.queue_declare(2, &declare).unwrap();
        let answer = c.answer(&mut world);
        assert_eq!(answer.starts_with("queue.declare-ok"), there, "{answer}");
    }
}

/// `delivery-limit` of a quorum queue; a negative one is no limit, and then the higher of two
/// holds.
#[test]
fn a_delivery_limit_by_policy() {
    for (ours, operators, dropped) in [
        (1, None, true),
        (-1, None, false),
        (5, Some(1), true),
        (-1, Some(1), true),
        (1, Some(-1), true),
    ] {
        let mut world = World::new();
        let mut c = Amqp::connect(&mut world);
        set(
            &mut world,
            PolicyKind::Ordinary,
            policy("p", "q", &[("delivery-limit", number(ours))]),
        );
        if let Some(limit) = operators {
            let limit = policy("p", "q", &[("delivery-limit", number(limit))]);
            set(&mut world, PolicyKind::Operator, limit);
        }
        let arguments = table([("x-queue-type", text("quorum"))]);
        let declare = queue::Declare {
            queue: "q",
            durable: true,
            arguments: arguments.as_table(),
            ..Default::default()
        };
        c.codec.queue_declare(1, &declare).unwrap();
        c.publish(1, "", "q", "m");
        for tag in 1..=2 {
            c.get("q", false);
            c.seen(&mut world);
            let (tags, requeue) = (
                amqp_codec::connection::Tags::One(tag),
                amqp_codec::connection::Requeue::Yes,
            );
            c.codec.nack(1, tags, requeue).unwrap();
        }
        c.get("q", true);
        let answer = c.answer(&mut world);
        assert_eq!(
            !answer.starts_with("get-ok"),
            dropped,
            "{ours} {operators:?} {answer}"
        );
    }
}

/// An `alternate-exchange` of a policy, for an exchange that was declared without one.
#[test]
fn an_alternate_exchange_by_policy() {
    let mut world = World::new();
    let mut c = Amqp::connect(&mut world);
    let declare = exchange::Declare {
        exchange: "x",
        r#type: "direct",
        ..Default::default()
    };
    c.codec.exchange_declare(1, &declare).unwrap();
    c.declare("q", &NONE);
    c.bind("q", "amq.fanout", "");
    c.publish_with(1, "x", "k", "m", true, &PropertyFields::default());
    assert_eq!(c.answer(&mut world), "return 312 m");
    let alternate = policy("p", "^x$", &[("alternate-exchange", "amq.fanout".into())]);
    set(&mut world, PolicyKind::Ordinary, alternate);
    c.publish_with(1, "x", "k", "m", true, &PropertyFields::default());
    assert!(c.seen(&mut world).is_empty());
    clear(&mut world, PolicyKind::Ordinary, "p").unwrap();
    c.publish_with(1, "x", "k", "m", true, &PropertyFields::default());
    assert_eq!(c.answer(&mut world), "return 312 m");
    assert_eq!(length(&mut c, &mut world, "q", 0), "1");
}

/// RabbitMQ's words for what it does not take.
#[test]
fn policies_that_are_refused() {
    let set = |kind, policy| Administration::SetPolicy { kind, policy };
    let ordinary = PolicyKind::Ordinary;
    #[rustfmt::skip]
    let rows = [
        (set(ordinary, policy("p", "", &[("foo", "bar".into())])), "[{<<\"foo\">>,<<\"bar\">>}] are not recognised policy settings"),
        (set(PolicyKind::Operator, policy("p", "", &[("dead-letter-exchange", "x".into())])), "[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings"),
        (set(ordinary, policy("p", "", &[("message-ttl", number(-1))])), "-1 is not a valid message TTL"),
        (set(ordinary, policy("p", "", &[("expires", number(0))])), "0 is not a valid queue expiry"),
        (set(ordinary, policy("p", "", &[("max-length", "many".into())])), "<<\"many\">> is not a valid maximum length"),
        (set(ordinary, policy("p", "", &[("overflow", "away".into())])), "<<\"away\">> is not a valid overflow value"),
        (set(ordinary, policy("p", "", &[("alternate-exchange", number(1))])), "1 is not a valid alternate exchange name"),
        (set(ordinary, policy("p", "", &[])), "no policy provided"),
        (set(ordinary, policy("p", "(", &[("max-length", number(1))])), "should be a regular expression but is invalid"),
        (set(ordinary, Policy { virtual_host: "nope".into(), ..policy("p", "", &[("max-length", number(1))]) }), "vhost nope not found"),
        (set(ordinary, policy("mine", "", &[("max-length", number(1))])), "policy 'mine' in vhost '/' is one of the settings"),
        (Administration::ClearPolicy { kind: ordinary, virtual_host: "/".into(), name: "mine".into() }, "policy 'mine' in vhost '/' is one of the settings"),
        (Administration::ReplacePolicies { policies: vec![policy("p", "(", &[("expires", number(1))])], operator_policies: vec![] }, "should be a regular expression but is invalid"),
    ];
    let config = Config {
        policies: vec![policy("mine", "^q", &[("max-length", number(2))])],
        ..Config::default()
    };
    let mut world = World::with(config);
    let mut c = Amqp::connect(&mut world);
    for (action, text) in rows {
        let said = world.administer(action).unwrap().unwrap_err();
        assert!(said.contains(text), "{said}");
    }
    assert_eq!(length(&mut c, &mut world, "q", 5), "2", "all is as it was");
}

/// The policies of the settings are in force from the beginning, are replaced as a whole, and
/// come before one of the same name that was set.
#[test]
fn policies_of_the_settings() {
    let with = |limit| policy("p", "^q", &[("max-length", number(limit))]);
    let config = |limit| Config {
        policies: vec![with(limit)],
        ..storing()
    };
    let mut world = World::stored_with(config(3));
    let mut c = Amqp::connect(&mut world);
    assert_eq!(length(&mut c, &mut world, "q", 5), "3");
    let replace = |policies| Administration::ReplacePolicies {
        policies,
        operator_policies: vec![],
    };
    assert_eq!(world.administer(replace(vec![])), Some(Ok(())));
    assert_eq!(length(&mut c, &mut world, "q", 5), "8");
    set(&mut world, PolicyKind::Ordinary, with(2));
    assert_eq!(world.administer(replace(vec![with(4)])), Some(Ok(())));
    assert_eq!(length(&mut c, &mut world, "q", 5), "4");
    let names: Vec<_> = world.broker.policies("/", PolicyKind::Ordinary).collect();
    assert_eq!(names, [&with(4)]);
    assert_eq!(world.administer(replace(vec![])), Some(Ok(())));
    assert_eq!(length(&mut c, &mut world, "q", 5), "2");
}

#[test]
fn settings_whose_policies_cannot_be_used() {
    let limit = || policy("p", "", &[("max-length", number(1))]);
    #[rustfmt::skip]
    let rows = [
        (vec![policy("p", "(", &[("max-length", number(1))])], "regular expression"),
        (vec![policy("p", "", &[("nope", number(1))])], "not recognised policy settings"),
        (vec![limit(), limit()], "another of that name"),
        (vec![Policy { virtual_host: "nope".into(), ..limit() }], "no virtual host"),
    ];
    for (policies, reason) in rows {
        let config = Config {
            policies,
            ..Config::default()
        };
        let error = config.check().unwrap_err();
        assert!(matches!(&error, ConfigError::Policy { name, .. } if name == "p"));
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// What was set is stored before that is said, and in force after a crash: for a queue that
/// came back too.
#[test]
fn policies_outlive_the_broker() {
    let mut world = World::with(storing());
    let limit = |name, limit| {
        policy(
            name,
            "^q",
            &[
                ("max-length", number(limit)),
                ("overflow", "drop-head".into()),
            ],
        )
    };
    let action = Administration::SetPolicy {
        kind: PolicyKind::Operator,
        policy: limit("p", 2),
    };
    assert_eq!(
        world.administer(action),
        None,
        "it is on its way to the store"
    );
    world.store.is_quick = true;
    world.sync();
    let alternate = [("alternate-exchange", PolicyValue::from("amq.fanout"))];
    set(
        &mut world,
        PolicyKind::Ordinary,
        policy("x", "^amq.direct$", &alternate),
    );
    set(&mut world, PolicyKind::Ordinary, limit("gone", 1));
    clear(&mut world, PolicyKind::Ordinary, "gone").unwrap();
    let mut c = Amqp::connect(&mut world);
    let declare = queue::Declare {
        queue: "q",
        durable: true,
        ..Default::default()
    };
    c.codec.queue_declare(1, &declare).unwrap();
    c.seen(&mut world);
    world.crash();
    let policies: Vec<_> = world.broker.policies("/", PolicyKind::Operator).collect();
    assert_eq!(policies, [&limit("p", 2)]);
    let mut other = Amqp::connect(&mut world);
    other.declare("fan", &NONE);
    other.bind("fan", "amq.fanout", "");
    other.publish_with(1, "amq.direct", "k", "m", true, &PropertyFields::default());
    assert_eq!(
        other.answer(&mut world),
        "queue.bind-ok",
        "it is not returned: a predeclared exchange has its alternate again"
    );
    assert_eq!(world.broker.policies("/", PolicyKind::Ordinary).count(), 1);
    let mut c = Amqp::connect(&mut world);
    for _ in 0..5 {
        c.publish(1, "", "q", "m");
    }
    c.codec
        .queue_declare(
            1,
            &queue::Declare {
                passive: true,
                ..declare
            },
        )
        .unwrap();
    assert_eq!(c.answer(&mut world), "queue.declare-ok q 2 0");
}
