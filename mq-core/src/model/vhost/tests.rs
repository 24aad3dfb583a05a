//! The model on its own, without any protocol.

use super::queues::DeclareQueue;
use super::*;
use crate::model::exchange::{Destination, ExchangeType};
use crate::model::message::{Headers, Message, Value};
use crate::model::queue::tests::message;
use crate::model::queue::{ConsumerId, QueueSettings};
use crate::model::refusal::{Refusal, RefusalKind};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use proptest::prelude::*;

const ME: ConnectionId = ConnectionId(1);
const OTHER: ConnectionId = ConnectionId(2);

fn vhost() -> VirtualHost {
    VirtualHost::new("/", 0, Store::None, Limits::default())
}

fn settings(arguments: &[(&str, Value)]) -> QueueSettings {
    let mut table = Headers::default();
    for (name, value) in arguments {
        table.push(name, value.clone());
    }
    QueueSettings {
        durable: false,
        exclusive: None,
        auto_delete: false,
        arguments: table,
    }
}

impl VirtualHost {
    fn make(&mut self, name: &str, arguments: &[(&str, Value)]) -> QueueId {
        self.declare_queue(DeclareQueue {
            name,
            settings: settings(arguments),
            connection: ME,
        })
        .unwrap()
        .id
    }

    fn send(&mut self, exchange: &str, key: &str, body: &'static str) -> PublishOutcome {
        self.send_with(exchange, key, body, |_| {})
    }

    fn send_with(
        &mut self,
        exchange: &str,
        key: &str,
        body: &'static str,
        change: impl FnOnce(&mut Message),
    ) -> PublishOutcome {
        let mut message = message(body);
        message.exchange = Name::from(exchange);
        message.routing_key = Name::from(key);
        message.published = self.now;
        change(&mut message);
        let outcome = self.publish(&Arc::new(message), None, Vec::new());
        self.settle_down();
        outcome
    }

    fn channel(&mut self, connection: ConnectionId) -> ChannelId {
        let number = self.next_id() as u16;
        let id = ChannelId { connection, number };
        self.open_channel(id);
        id
    }

    /// Lets the queues do what is due, where nobody consumes.
    fn settle_down(&mut self) {
        assert!(self.next_delivery(u64::MAX).is_none());
    }

    fn consumer(&mut self, queue: QueueId, channel: ChannelId, prefetch: u32) -> ConsumerId {
        self.consume(ConsumeRequest {
            queue,
            channel,
            no_ack: false,
            exclusive: false,
            priority: 0,
            prefetch,
            selector: None,
        })
        .unwrap()
    }

    fn deliveries(&mut self) -> Vec<Delivery> {
        core::iter::from_fn(|| Some(self.next_delivery(u64::MAX)?.1)).collect()
    }

    /// Empties a queue, and says what was in it.
    fn drain(&mut self, queue: QueueId) -> Vec<Arc<Message>> {
        let channel = self.channel(ME);
        core::iter::from_fn(|| self.get(queue, channel, true).map(|f| f.message)).collect()
    }

    fn bodies(&mut self, queue: QueueId) -> Vec<alloc::string::String> {
        self.drain(queue).iter().map(|m| body(m)).collect()
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
        self.expire(usize::MAX);
    }
}

fn body(message: &Message) -> alloc::string::String {
    core::str::from_utf8(&message.body).unwrap().to_string()
}

fn kind<T: core::fmt::Debug>(result: Result<T, Refusal>) -> Option<RefusalKind> {
    result.err().map(|r| r.kind)
}

fn exchange(kind: ExchangeType) -> ExchangeSettings {
    ExchangeSettings::new("x", kind, &Headers::default()).unwrap()
}

fn binding<'a>(source: &'a str, destination: Destination, key: &'a str) -> BindRequest<'a> {
    BindRequest {
        source,
        destination,
        routing_key: key,
        arguments: Headers::default(),
    }
}

#[test]
fn declaring_again_must_agree() {
    use RefusalKind::*;
    let mut v = vhost();
    v.make("q", &[("x-max-length", Value::long(5))]);
    let mine = |s: QueueSettings| QueueSettings {
        exclusive: Some(ME),
        ..s
    };
    let base = settings(&[("x-max-length", Value::long(5))]);
    let cases: [(&str, QueueSettings, ConnectionId, Option<RefusalKind>); 8] = [
        ("q", base.clone(), ME, None),
        ("q", base.clone(), OTHER, None),
        ("q", settings(&[]), ME, Some(PreconditionFailed)),
        (
            "q",
            QueueSettings {
                durable: true,
                ..base.clone()
            },
            ME,
            Some(PreconditionFailed),
        ),
        (
            "q",
            QueueSettings {
                auto_delete: true,
                ..base.clone()
            },
            ME,
            Some(PreconditionFailed),
        ),
        ("q", mine(base.clone()), ME, Some(ResourceLocked)),
        ("amq.q", base.clone(), ME, Some(AccessRefused)),
        (
            "r",
            settings(&[("x-expires", Value::long(0))]),
            ME,
            Some(PreconditionFailed),
        ),
    ];
    for (name, settings, connection, expected) in cases {
        let declared = v.declare_queue(DeclareQueue {
            name,
            settings: settings.clone(),
            connection,
        });
        assert_eq!(kind(declared), expected, "{name} {settings:?}");
    }
}

#[test]
fn exclusive_queues_are_locked_and_go_with_their_connection() {
    let mut v = vhost();
    let declare = |v: &mut VirtualHost, connection, durable| {
        v.declare_queue(DeclareQueue {
            name: "q",
            settings: QueueSettings {
                exclusive: Some(connection),
                durable,
                ..settings(&[])
            },
            connection,
        })
    };
    // Durable and exclusive is transient (errata 30), so these are the same.
    declare(&mut v, ME, true).unwrap();
    declare(&mut v, ME, false).unwrap();
    declare(&mut v, ME, true).unwrap();
    let locked = Some(RefusalKind::ResourceLocked);
    assert_eq!(kind(declare(&mut v, OTHER, false)), locked);
    assert_eq!(kind(v.check_queue("q", OTHER)), locked);
    assert_eq!(kind(v.purge("q", OTHER)), locked);
    assert_eq!(kind(v.delete_queue("q", OTHER, false, false)), locked);
    assert_eq!(kind(v.queue("q", OTHER)), locked);
    v.leave(OTHER);
    assert!(v.queue("q", ME).is_ok());
    v.leave(ME);
    assert_eq!(kind(v.queue("q", ME)), Some(RefusalKind::NotFound));
}

#[test]
fn made_up_names_differ_and_repeat_with_the_seed() {
    let name = |seed, n| {
        let mut v = VirtualHost::new("/", seed, Store::None, Limits::default());
        (0..=n)
            .map(|_| v.make("", &[]))
            .last()
            .map(|id| v.queues[&id].name.clone())
    };
    assert_eq!(name(1, 0), name(1, 0));
    assert_ne!(name(1, 0), name(2, 0));
    assert_ne!(name(1, 0), name(1, 1));
    assert!(name(1, 0).unwrap().starts_with("amq.gen-"));
}

#[test]
fn what_is_not_allowed_with_exchanges() {
    use RefusalKind::*;
    let mut v = vhost();
    let q = Destination::Queue(v.make("q", &[]));
    let mut internal = exchange(ExchangeType::Direct);
    internal.internal = true;
    v.declare_exchange("internal", internal).unwrap();
    v.declare_exchange("x", exchange(ExchangeType::Direct))
        .unwrap();
    v.bind(binding("x", q.clone(), "")).unwrap();
    let mut direct = exchange(ExchangeType::Direct);
    direct.durable = true;
    let fanout = exchange(ExchangeType::Fanout);
    let x = |name: &str| Destination::Exchange(Name::from(name));
    let cases: [(&str, Result<(), Refusal>, Option<RefusalKind>); 20] = [
        ("same", v.declare_exchange("amq.direct", direct), None),
        (
            "default",
            v.declare_exchange("", fanout.clone()),
            Some(AccessRefused),
        ),
        (
            "reserved",
            v.declare_exchange("amq.x", fanout.clone()),
            Some(AccessRefused),
        ),
        (
            "type",
            v.declare_exchange("x", fanout),
            Some(PreconditionFailed),
        ),
        ("passive", v.check_exchange("y"), Some(NotFound)),
        ("passive default", v.check_exchange(""), Some(AccessRefused)),
        ("delete missing", v.delete_exchange("y", false), None),
        (
            "delete amq",
            v.delete_exchange("amq.direct", false),
            Some(AccessRefused),
        ),
        (
            "delete default",
            v.delete_exchange("", false),
            Some(AccessRefused),
        ),
        (
            "in use",
            v.delete_exchange("x", true),
            Some(PreconditionFailed),
        ),
        ("publish", v.check_publish("y"), Some(NotFound)),
        (
            "publish internal",
            v.check_publish("internal"),
            Some(AccessRefused),
        ),
        ("publish default", v.check_publish(""), None),
        (
            "bind default",
            v.bind(binding("", q.clone(), "")),
            Some(AccessRefused),
        ),
        (
            "bind missing",
            v.bind(binding("y", q.clone(), "")),
            Some(NotFound),
        ),
        (
            "bind to default",
            v.bind(binding("x", x(""), "")),
            Some(AccessRefused),
        ),
        (
            "bind to missing",
            v.bind(binding("x", x("y"), "")),
            Some(NotFound),
        ),
        ("bind itself", v.bind(binding("x", x("x"), "")), None),
        (
            "unbind none",
            v.unbind(&binding("x", q.clone(), "nope")),
            None,
        ),
        (
            "unbind missing",
            v.unbind(&binding("y", q.clone(), "")),
            None,
        ),
    ];
    for (what, result, expected) in cases {
        assert_eq!(kind(result), expected, "{what}");
    }
}

#[test]
fn exchanges_lead_on_and_loops_end() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    for name in ["a", "b"] {
        v.declare_exchange(name, exchange(ExchangeType::Fanout))
            .unwrap();
    }
    for (from, to) in [("a", "b"), ("b", "a")] {
        v.bind(binding(from, Destination::Exchange(Name::from(to)), ""))
            .unwrap();
    }
    v.bind(binding("a", Destination::Queue(q), "")).unwrap();
    v.bind(binding("b", Destination::Queue(q), "")).unwrap();
    assert_eq!(v.send("a", "k", "once"), PublishOutcome::Routed);
    assert_eq!(v.bodies(q), ["once"]);
    v.delete_exchange("b", false).unwrap();
    v.send("a", "k", "still");
    assert_eq!(v.bodies(q), ["still"]);
}

#[test]
fn the_alternate_exchange_takes_what_is_not_routed() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    let r = v.make("r", &[]);
    v.declare_exchange("other", exchange(ExchangeType::Fanout))
        .unwrap();
    let mut settings = exchange(ExchangeType::Direct);
    settings.alternate = Some(Name::from("other"));
    v.declare_exchange("x", settings).unwrap();
    v.bind(binding("x", Destination::Queue(q), "k")).unwrap();
    assert_eq!(v.send("x", "l", "0"), PublishOutcome::Unroutable);
    v.bind(binding("other", Destination::Queue(r), "")).unwrap();
    assert_eq!(v.send("x", "k", "1"), PublishOutcome::Routed);
    assert_eq!(v.send("x", "l", "2"), PublishOutcome::Routed);
    assert_eq!(v.bodies(q), ["1"]);
    assert_eq!(v.bodies(r), ["2"]);
}

#[test]
fn auto_delete_exchanges_go_with_their_last_binding() {
    let mut v = vhost();
    let mut settings = exchange(ExchangeType::Fanout);
    settings.auto_delete = true;
    v.declare_exchange("x", settings).unwrap();
    let q = v.make("q", &[]);
    v.make("r", &[]);
    let r = v.queue_id("r").unwrap();
    assert!(v.check_exchange("x").is_ok());
    v.bind(binding("x", Destination::Queue(q), "")).unwrap();
    v.bind(binding("x", Destination::Queue(r), "")).unwrap();
    v.unbind(&binding("x", Destination::Queue(q), "")).unwrap();
    assert!(v.check_exchange("x").is_ok());
    v.delete_queue("r", ME, false, false).unwrap();
    assert!(v.check_exchange("x").is_err());
}

#[test]
fn carbon_copies_reach_each_queue_once() {
    let mut v = vhost();
    let queues: Vec<QueueId> = ["a", "b", "c"].map(|n| v.make(n, &[])).into();
    let keys = |list: &[&str]| Value::Array(list.iter().map(|k| Value::string(k)).collect());
    v.send_with("", "a", "copy", |m| {
        m.properties.headers.push("CC", keys(&["b", "a"]));
        m.properties.headers.push("BCC", keys(&["c"]));
    });
    for q in queues {
        assert_eq!(v.bodies(q), ["copy"]);
    }
}

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
        v.publish(&Arc::new(message("now")), None, Vec::new()),
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
        v.publish(&Arc::new(message("somebody")), None, Vec::new()),
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
        v.settle(fetched.lease.unwrap(), Settlement::Reject);
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
        v.settle(letter.lease.unwrap(), Settlement::Requeue);
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
fn prefetch_of_consumer_and_channel() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    for _ in 0..9 {
        v.send("", "q", "m");
    }
    let channel = v.channel(ME);
    v.consumer(q, channel, 2);
    let first = v.deliveries();
    assert_eq!(first.len(), 2);
    v.consumer(q, channel, 3);
    assert_eq!(v.deliveries().len(), 3);
    // The channel's own limit counts what is out already.
    v.update_channel(channel, |c| c.prefetch = 5);
    v.settle(first[0].lease.unwrap(), Settlement::Acknowledge);
    assert_eq!(v.deliveries().len(), 1);
    v.set_writable(ME, false);
    v.settle(first[1].lease.unwrap(), Settlement::Acknowledge);
    assert_eq!(v.deliveries().len(), 0);
    v.set_writable(ME, true);
    assert_eq!(v.deliveries().len(), 1);
}

#[test]
fn what_a_channel_gives_back_is_redelivered_in_its_place() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    for body in ["1", "2", "3"] {
        v.send("", "q", body);
    }
    let channel = v.channel(ME);
    v.consumer(q, channel, 2);
    let held = v.deliveries();
    for delivery in held.iter().rev() {
        v.settle(delivery.lease.unwrap(), Settlement::Requeue);
    }
    v.close_channel(channel);
    assert!(v.next_delivery(u64::MAX).is_none());
    let other = v.channel(OTHER);
    v.consumer(q, other, 0);
    let again: Vec<_> = v
        .deliveries()
        .iter()
        .map(|d| (body(&d.message), d.redelivered))
        .collect();
    assert_eq!(
        again,
        [
            ("1".to_string(), true),
            ("2".to_string(), true),
            ("3".to_string(), false)
        ]
    );
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
        .declare_queue(DeclareQueue {
            name: "q",
            settings: s,
            connection: ME,
        })
        .unwrap()
        .id;
    v.send("", "q", "poison");
    let channel = v.channel(ME);
    let mut seen = 0;
    while let Some(fetched) = v.get(q, channel, false) {
        v.settle(fetched.lease.unwrap(), Settlement::Requeue);
        v.settle_down();
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(v.count().rejected, 1);
}

#[test]
fn exclusive_and_single_active_consumers() {
    let mut v = vhost();
    let plain = v.make("q", &[]);
    let single = v.make("s", &[("x-single-active-consumer", Value::Bool(true))]);
    let channel = v.channel(ME);
    let request = |queue, exclusive| ConsumeRequest {
        queue,
        channel,
        no_ack: true,
        exclusive,
        priority: 0,
        prefetch: 0,
        selector: None,
    };
    let refused = Some(RefusalKind::AccessRefused);
    assert_eq!(kind(v.consume(request(single, true))), refused);
    let shared = v.consume(request(plain, false)).unwrap();
    assert_eq!(kind(v.consume(request(plain, true))), refused);
    v.cancel(channel, shared);
    v.consume(request(plain, true)).unwrap();
    assert_eq!(kind(v.consume(request(plain, false))), refused);
}

#[test]
fn auto_delete_and_expiry_of_queues() {
    let mut v = vhost();
    v.declare_queue(DeclareQueue {
        name: "auto",
        settings: QueueSettings {
            auto_delete: true,
            ..settings(&[])
        },
        connection: ME,
    })
    .unwrap();
    v.make("expires", &[("x-expires", Value::long(1000))]);
    let channel = v.channel(ME);
    // Fetching is no consuming: the queue stays (errata 5).
    let auto = v.queue_id("auto").unwrap();
    v.get(auto, channel, true);
    let consumer = v.consumer(auto, channel, 0);
    v.cancel(channel, consumer);
    assert!(v.queue_id("auto").is_none());
    let expires = v.queue_id("expires").unwrap();
    let consumer = v.consumer(expires, channel, 0);
    v.pass(5.0);
    assert!(v.queue_id("expires").is_some());
    v.cancel(channel, consumer);
    v.pass(0.9);
    v.check_queue("expires", ME).unwrap();
    v.pass(0.9);
    assert!(v.queue_id("expires").is_some());
    v.pass(0.1);
    assert!(v.queue_id("expires").is_none());
}

#[test]
fn deleting_a_queue_tells_its_consumers() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    v.send("", "q", "m");
    let channel = v.channel(OTHER);
    let consumer = v.consumer(q, channel, 0);
    let held = v.deliveries();
    assert_eq!(
        kind(v.delete_queue("q", ME, true, false)),
        Some(RefusalKind::PreconditionFailed)
    );
    v.delete_queue("q", ME, false, false).unwrap();
    assert!(matches!(
        v.poll_notice(u64::MAX),
        Some(Said { to: OTHER, notice: Notice::Cancelled { consumer: c, .. }, .. }) if c == consumer
    ));
    // The acknowledgement that was under way settles nothing, and harms nothing.
    v.settle(held[0].lease.unwrap(), Settlement::Acknowledge);
    assert_eq!(v.channels[&channel].unacknowledged, 0);
}

#[test]
fn direct_replies() {
    let mut v = vhost();
    let channel = v.channel(OTHER);
    let (name, consumer) = v.open_reply(channel).unwrap();
    assert!(v.reply_exists(&name));
    let reply = Arc::new(Message {
        routing_key: name.clone(),
        ..message("reply")
    });
    assert_eq!(v.publish(&reply, None, Vec::new()), PublishOutcome::Replied);
    assert!(matches!(
        v.poll_notice(u64::MAX),
        Some(Said { to: OTHER, notice: Notice::Deliver(d), .. }) if d.consumer == consumer
    ));
    v.close_channel(channel);
    assert_eq!(
        v.publish(&reply, None, Vec::new()),
        PublishOutcome::Unroutable
    );
}

/// What a random conversation does.
#[derive(Debug, Clone)]
enum Step {
    Publish(usize, Option<u64>),
    Consume(usize, u32, bool),
    Settle(usize, u8),
    Cancel(usize),
    Get(usize, bool),
    Purge(usize),
    Delete(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3usize, prop::option::of(0..3000u64)).prop_map(|(q, t)| Step::Publish(q, t)),
        2 => (0..3usize, 0..4u32, any::<bool>()).prop_map(|(q, p, n)| Step::Consume(q, p, n)),
        6 => (any::<usize>(), 0..3u8).prop_map(|(n, s)| Step::Settle(n, s)),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => (0..3usize, any::<bool>()).prop_map(|(q, n)| Step::Get(q, n)),
        1 => (0..3usize).prop_map(Step::Purge),
        1 => (0..3usize).prop_map(Step::Delete),
        2 => (0..2000u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Nothing is lost or doubled: every copy is where the counts say.
    #[test]
    fn every_copy_is_accounted_for(steps in prop::collection::vec(step(), 1..120)) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let arguments = |n: usize| match n {
            0 => Vec::from([
                ("x-max-length", Value::long(4)),
                ("x-dead-letter-exchange", Value::string("")),
                ("x-dead-letter-routing-key", Value::string("b")),
            ]),
            1 => Vec::from([
                ("x-message-ttl", Value::long(2500)),
                ("x-dead-letter-exchange", Value::string("amq.fanout")),
            ]),
            _ => Vec::from([
                ("x-max-length", Value::long(3)),
                ("x-overflow", Value::string("reject-publish")),
            ]),
        };
        let mut v = vhost();
        let channel = v.channel(ME);
        let mut held: Vec<Lease> = Vec::new();
        let mut consumers = Vec::new();
        for step in steps {
            for (n, name) in NAMES.iter().enumerate() {
                let id = v.make(name, &arguments(n));
                v.bind(binding("amq.fanout", Destination::Queue(id), "")).unwrap();
            }
            let id = |v: &VirtualHost, n: usize| v.queue_id(NAMES[n]).unwrap();
            match step {
                Step::Publish(n, ttl) => {
                    let mut m = message("m");
                    m.routing_key = Name::from(NAMES[n]);
                    m.published = v.now;
                    m.properties.expiration = ttl.map(Duration::from_millis);
                    let _ = v.publish(&Arc::new(m), None, Vec::new());
                }
                Step::Consume(n, prefetch, no_ack) => {
                    let queue = id(&v, n);
                    let request = ConsumeRequest {
                        queue, channel, no_ack, exclusive: false, priority: 0, prefetch,
                        selector: None,
                    };
                    consumers.push(v.consume(request).unwrap());
                }
                Step::Settle(n, how) if !held.is_empty() => {
                    let lease = held.swap_remove(n % held.len());
                    const HOW: [Settlement; 3] = [Settlement::Acknowledge, Settlement::Requeue, Settlement::Reject];
                    v.settle(lease, HOW[usize::from(how)]);
                }
                Step::Cancel(n) if !consumers.is_empty() => {
                    let consumer = consumers.swap_remove(n % consumers.len());
                    v.cancel(channel, consumer);
                }
                Step::Get(n, no_ack) => {
                    let queue = id(&v, n);
                    held.extend(v.get(queue, channel, no_ack).and_then(|f| f.lease));
                }
                Step::Purge(n) => {
                    v.purge(NAMES[n], ME).unwrap();
                }
                Step::Delete(n) => {
                    v.delete_queue(NAMES[n], ME, false, false).unwrap();
                }
                Step::Wait(ms) => v.pass(ms as f64 / 1000.0),
                _ => {}
            }
            held.extend(v.deliveries().iter().filter_map(|d| d.lease));
            v.notices.clear();
            let c = v.count();
            let gone = c.acknowledged + c.expired + c.overflowed + c.rejected + c.discarded;
            prop_assert_eq!(c.queued, gone + c.ready + c.unacknowledged);
            prop_assert!(c.unacknowledged as usize <= held.len());
            prop_assert!(v.next_timeout().is_none_or(|at| at > v.now));
        }
    }
}

/// What a front end has sent on before it knew of the refusal does nothing.
#[test]
fn a_refusal_ends_its_channel() {
    use crate::model::request::{Publish, Request, Unrouted};
    let mut v = vhost();
    let q = v.make("q", &[]);
    let channel = v.channel(ME).number;
    let check = |name| Request::CheckExchange {
        channel,
        name: Name::from(name),
    };
    let publish = || Request::Publish {
        channel,
        publish: Publish {
            message: Arc::new(message("m")),
            unrouted: Unrouted::Drop,
        },
        ticket: Some(7),
    };
    for request in [check("none"), publish(), check("amq.direct")] {
        v.serve(ME, request);
    }
    let notices: Vec<Notice> = v.notices.drain(..).map(|said| said.notice).collect();
    assert!(
        matches!(notices[..], [Notice::Refused(_), Notice::Refused(_)]),
        "{notices:?}"
    );
    v.serve(ME, Request::CloseChannel { channel });
    v.serve(ME, Request::OpenChannel { channel });
    v.serve(ME, publish());
    assert!(matches!(
        v.notices.pop_front(),
        Some(Said {
            to: ME,
            notice: Notice::Accepted { ticket: 7, .. },
            ..
        })
    ));
    assert_eq!(v.bodies(q), ["m"]);
}
