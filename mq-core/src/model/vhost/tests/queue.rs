//! What a queue does with messages: limits, priorities, time, dead letters.

use super::*;

#[test]
fn length_limits() {
    type Case = (
        &'static [(&'static str, i64)],
        &'static str,
        &'static [&'static str],
        usize,
    );
    // Arguments, overflow, what is left of 1, 22, 333, and how many were refused.
    const CASES: &[Case] = &[
        (&[("x-max-length", 2)], "drop-head", &["22", "333"], 0),
        (&[("x-max-length", 2)], "reject-publish", &["1", "22"], 1),
        (&[("x-max-length-bytes", 5)], "drop-head", &["22", "333"], 0),
        (
            &[("x-max-length-bytes", 4)],
            "reject-publish",
            &["1", "22"],
            1,
        ),
        (&[("x-max-length", 0)], "drop-head", &[], 0),
    ];
    for (limits, overflow, left, refused) in CASES {
        let mut v = vhost();
        let mut arguments: Vec<(&str, Value)> = limits
            .iter()
            .map(|(name, n)| (*name, Value::long(*n)))
            .collect();
        arguments.push(("x-overflow", Value::string(overflow)));
        let q = v.make("q", &arguments);
        let outcomes = ["1", "22", "333"].map(|b| v.send("", "q", b));
        let count = |o| outcomes.iter().filter(|x| **x == o).count();
        assert_eq!(count(PublishOutcome::Refused), *refused, "{limits:?}");
        assert_eq!(v.bodies(q), *left, "{limits:?} {overflow}");
    }
}

#[test]
fn a_consumer_in_waiting_takes_what_a_full_queue_would_drop() {
    let mut v = vhost();
    let q = v.make("q", &[("x-max-length", Value::long(0))]);
    let channel = v.channel(ME);
    v.consumer(q, channel, 0);
    assert_eq!(
        v.publish(&Arc::new(message("now")), None),
        PublishOutcome::Routed
    );
    assert_eq!(v.deliveries().len(), 1);
}

#[test]
fn priorities() {
    let mut v = vhost();
    let q = v.make("q", &[("x-max-priority", Value::long(5))]);
    for (priority, body) in [
        (None, "none"),
        (Some(3), "3"),
        (Some(9), "9, clamped to 5"),
        (Some(5), "5"),
    ] {
        v.send_with("", "q", body, |m| m.properties.priority = priority);
    }
    assert_eq!(v.bodies(q), ["9, clamped to 5", "5", "3", "none"]);
}

#[test]
fn expired_messages_go_to_the_dead_letter_exchange() {
    let mut v = vhost();
    let dead = v.make("dead", &[]);
    let q = v.make(
        "q",
        &[
            ("x-message-ttl", Value::long(10_000)),
            ("x-dead-letter-exchange", Value::string("")),
            ("x-dead-letter-routing-key", Value::string("dead")),
        ],
    );
    let ttl = |ms| move |m: &mut Message| m.properties.expiration = Some(Duration::from_millis(ms));
    v.send_with("", "q", "short", ttl(1_000));
    v.send("", "q", "long");
    v.send_with("", "q", "behind", ttl(1_000));
    assert_eq!(v.next_timeout(), Some(Duration::from_secs(1)));
    v.pass(0.999);
    v.settle_down();
    assert_eq!(v.drain(dead).len(), 0);
    v.pass(0.001);
    v.settle_down();
    let letters = v.drain(dead);
    assert_eq!(letters.len(), 1, "what stands behind waits for its turn");
    let headers = &letters[0].properties.headers;
    let Some(Value::Array(deaths)) = headers.get("x-death") else {
        panic!("{headers:?}")
    };
    let Value::Table(death) = &deaths[0] else {
        panic!()
    };
    for (name, value) in [
        ("count", Value::long(1)),
        ("reason", Value::string("expired")),
        ("queue", Value::string("q")),
        ("time", Value::Timestamp(1)),
        ("exchange", Value::string("")),
        ("routing-keys", Value::Array([Value::string("q")].into())),
        ("original-expiration", Value::string("1000")),
    ] {
        assert_eq!(death.get(name), Some(&value), "{name}");
    }
    assert_eq!(
        headers.get("x-first-death-queue"),
        Some(&Value::string("q"))
    );
    assert_eq!(letters[0].properties.expiration, None);
    v.pass(9.0);
    v.settle_down();
    assert_eq!(v.bodies(dead), ["long", "behind"]);
    assert!(v.bodies(q).is_empty());
    assert_eq!(v.next_timeout(), None);
}

#[test]
fn time_to_live_zero_is_for_those_who_wait() {
    let mut v = vhost();
    let q = v.make("q", &[("x-message-ttl", Value::long(0))]);
    v.send("", "q", "nobody");
    assert!(v.bodies(q).is_empty());
    let channel = v.channel(ME);
    v.consumer(q, channel, 0);
    assert_eq!(
        v.publish(&Arc::new(message("somebody")), None),
        PublishOutcome::Routed
    );
    assert_eq!(v.deliveries().len(), 1);
}

#[test]
fn rejected_messages_are_dead_lettered_and_counted() {
    let mut v = vhost();
    let q = v.make("q", &[("x-dead-letter-exchange", Value::string(""))]);
    // The letter keeps its key: it comes back to q, which rejecting allows.
    v.send("", "q", "again");
    let channel = v.channel(ME);
    for count in 1..=3 {
        let fetched = v.get(q, channel, false).unwrap();
        v.settle(fetched.claim.lease().unwrap(), Settlement::Reject);
        v.settle_down();
        let letter = v.get(q, channel, false).unwrap();
        let Some(Value::Array(deaths)) = letter.message.properties.headers.get("x-death") else {
            panic!()
        };
        let Value::Table(death) = &deaths[0] else {
            panic!()
        };
        assert_eq!(deaths.len(), 1);
        assert_eq!(death.get("count"), Some(&Value::long(count)));
        v.settle(letter.claim.lease().unwrap(), Settlement::Requeue);
        v.settle_down();
    }
}

#[test]
fn a_letter_does_not_go_round_for_ever() {
    let mut v = vhost();
    let dlx = |key| {
        [
            ("x-dead-letter-exchange", Value::string("")),
            ("x-dead-letter-routing-key", Value::string(key)),
            ("x-max-length", Value::long(1)),
        ]
    };
    v.make("a", &dlx("b"));
    v.make("b", &dlx("a"));
    for _ in 0..5 {
        v.send("", "a", "round");
    }
    let counts = v.count();
    assert_eq!(counts.ready, 2);
    assert!(counts.overflowed > 0);
}

#[test]
fn delivery_limit() {
    let mut v = vhost();
    let mut s = settings(&[
        ("x-queue-type", Value::string("quorum")),
        ("x-delivery-limit", Value::long(2)),
    ]);
    s.durable = true;
    let q = v
        .queues
        .declare(
            &mut v.shared,
            DeclareQueue {
                name: "q",
                settings: s,
                connection: ME,
            },
        )
        .unwrap()
        .id;
    v.send("", "q", "poison");
    let channel = v.channel(ME);
    let mut seen = 0;
    while let Some(fetched) = v.get(q, channel, false) {
        v.settle(fetched.claim.lease().unwrap(), Settlement::Requeue);
        v.settle_down();
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(v.count().rejected, 1);
}

#[test]
fn auto_delete_and_expiry_of_queues() {
    let mut v = vhost();
    v.queues
        .declare(
            &mut v.shared,
            DeclareQueue {
                name: "auto",
                settings: QueueSettings {
                    auto_delete: true,
                    ..settings(&[])
                },
                connection: ME,
            },
        )
        .unwrap();
    v.make("expires", &[("x-expires", Value::long(1000))]);
    let channel = v.channel(ME);
    // Fetching is no consuming: the queue stays (errata 5).
    let auto = v.queues.id_of("auto").unwrap();
    v.get(auto, channel, true);
    let consumer = v.consumer(auto, channel, 0);
    v.cancel(channel, consumer);
    assert!(v.queues.id_of("auto").is_none());
    let expires = v.queues.id_of("expires").unwrap();
    let consumer = v.consumer(expires, channel, 0);
    v.pass(5.0);
    assert!(v.queues.id_of("expires").is_some());
    v.cancel(channel, consumer);
    v.pass(0.9);
    v.queues.check(&mut v.shared, "expires", ME).unwrap();
    v.pass(0.9);
    assert!(v.queues.id_of("expires").is_some());
    v.pass(0.1);
    assert!(v.queues.id_of("expires").is_none());
}
