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
        let declared = v.queues.declare(
            &mut v.shared,
            DeclareQueue {
                name,
                settings: settings.clone(),
                connection,
            },
        );
        assert_eq!(kind(declared), expected, "{name} {settings:?}");
    }
}

#[test]
fn exclusive_queues_are_locked_and_go_with_their_connection() {
    let mut v = vhost();
    let declare = |v: &mut VirtualHost, connection, durable| {
        v.queues.declare(
            &mut v.shared,
            DeclareQueue {
                name: "q",
                settings: QueueSettings {
                    exclusive: Some(connection),
                    durable,
                    ..settings(&[])
                },
                connection,
            },
        )
    };
    // Durable and exclusive is transient (errata 30), so these are the same.
    declare(&mut v, ME, true).unwrap();
    declare(&mut v, ME, false).unwrap();
    declare(&mut v, ME, true).unwrap();
    let locked = Some(RefusalKind::ResourceLocked);
    assert_eq!(kind(declare(&mut v, OTHER, false)), locked);
    assert_eq!(kind(v.queues.check(&mut v.shared, "q", OTHER)), locked);
    assert_eq!(kind(v.queues.purge(&mut v.shared, "q", OTHER)), locked);
    assert_eq!(kind(v.delete_queue("q", OTHER, false, false)), locked);
    assert_eq!(kind(v.queues.find(&v.shared, "q", OTHER)), locked);
    v.leave(OTHER);
    assert!(v.queues.find(&v.shared, "q", ME).is_ok());
    v.leave(ME);
    assert_eq!(
        kind(v.queues.find(&v.shared, "q", ME)),
        Some(RefusalKind::NotFound)
    );
}

#[test]
fn made_up_names_differ_and_repeat_with_the_seed() {
    let name = |seed, n| {
        let mut v = VirtualHost::new("/", seed, Store::None, Limits::default());
        (0..=n)
            .map(|_| v.make("", &[]))
            .last()
            .map(|id| v.queues.get(id).unwrap().name.clone())
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
    v.exchanges
        .declare(&mut v.shared, "internal", internal)
        .unwrap();
    v.exchanges
        .declare(&mut v.shared, "x", exchange(ExchangeType::Direct))
        .unwrap();
    v.exchanges
        .bind(&mut v.shared, binding("x", q.clone(), ""))
        .unwrap();
    let mut direct = exchange(ExchangeType::Direct);
    direct.durable = true;
    let fanout = exchange(ExchangeType::Fanout);
    let x = |name: &str| Destination::Exchange(Name::from(name));
    let cases: [(&str, Result<(), Refusal>, Option<RefusalKind>); 20] = [
        (
            "same",
            v.exchanges.declare(&mut v.shared, "amq.direct", direct),
            None,
        ),
        (
            "default",
            v.exchanges.declare(&mut v.shared, "", fanout.clone()),
            Some(AccessRefused),
        ),
        (
            "reserved",
            v.exchanges.declare(&mut v.shared, "amq.x", fanout.clone()),
            Some(AccessRefused),
        ),
        (
            "type",
            v.exchanges.declare(&mut v.shared, "x", fanout),
            Some(PreconditionFailed),
        ),
        ("passive", v.exchanges.check(&v.shared, "y"), Some(NotFound)),
        (
            "passive default",
            v.exchanges.check(&v.shared, ""),
            Some(AccessRefused),
        ),
        (
            "delete missing",
            v.exchanges.delete(&mut v.shared, "y", false),
            None,
        ),
        (
            "delete amq",
            v.exchanges.delete(&mut v.shared, "amq.direct", false),
            Some(AccessRefused),
        ),
        (
            "delete default",
            v.exchanges.delete(&mut v.shared, "", false),
            Some(AccessRefused),
        ),
        (
            "in use",
            v.exchanges.delete(&mut v.shared, "x", true),
            Some(PreconditionFailed),
        ),
        (
            "publish",
            v.exchanges.check_publish(&v.shared, "y"),
            Some(NotFound),
        ),
        (
            "publish internal",
            v.exchanges.check_publish(&v.shared, "internal"),
            Some(AccessRefused),
        ),
        (
            "publish default",
            v.exchanges.check_publish(&v.shared, ""),
            None,
        ),
        (
            "bind default",
            v.exchanges.bind(&mut v.shared, binding("", q.clone(), "")),
            Some(AccessRefused),
        ),
        (
            "bind missing",
            v.exchanges.bind(&mut v.shared, binding("y", q.clone(), "")),
            Some(NotFound),
        ),
        (
            "bind to default",
            v.exchanges.bind(&mut v.shared, binding("x", x(""), "")),
            Some(AccessRefused),
        ),
        (
            "bind to missing",
            v.exchanges.bind(&mut v.shared, binding("x", x("y"), "")),
            Some(NotFound),
        ),
        (
            "bind itself",
            v.exchanges.bind(&mut v.shared, binding("x", x("x"), "")),
            None,
        ),
        (
            "unbind none",
            v.exchanges
                .unbind(&mut v.shared, &binding("x", q.clone(), "nope")),
            None,
        ),
        (
            "unbind missing",
            v.exchanges
                .unbind(&mut v.shared, &binding("y", q.clone(), "")),
            None,
        ),
    ];
    for (what, result, expected) in cases {
        assert_eq!(kind(result), expected, "{what}");
    }
}
