//! Declaring, and what is not allowed.

use super::*;

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
