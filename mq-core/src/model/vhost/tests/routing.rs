//! From exchange to exchange, and into queues.

use super::*;

#[test]
fn exchanges_lead_on_and_loops_end() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    for name in ["a", "b"] {
        v.exchanges
            .declare(&mut v.shared, name, exchange(ExchangeType::Fanout))
            .unwrap();
    }
    for (from, to) in [("a", "b"), ("b", "a")] {
        v.exchanges
            .bind(
                &mut v.shared,
                binding(from, Destination::Exchange(Name::from(to)), ""),
            )
            .unwrap();
    }
    v.exchanges
        .bind(&mut v.shared, binding("a", Destination::Queue(q), ""))
        .unwrap();
    v.exchanges
        .bind(&mut v.shared, binding("b", Destination::Queue(q), ""))
        .unwrap();
    assert_eq!(v.send("a", "k", "once"), PublishOutcome::Routed);
    assert_eq!(v.bodies(q), ["once"]);
    v.exchanges.delete(&mut v.shared, "b", false).unwrap();
    v.send("a", "k", "still");
    assert_eq!(v.bodies(q), ["still"]);
}

#[test]
fn the_alternate_exchange_takes_what_is_not_routed() {
    let mut v = vhost();
    let q = v.make("q", &[]);
    let r = v.make("r", &[]);
    v.exchanges
        .declare(&mut v.shared, "other", exchange(ExchangeType::Fanout))
        .unwrap();
    let mut settings = exchange(ExchangeType::Direct);
    settings.alternate = Some(Name::from("other"));
    v.exchanges.declare(&mut v.shared, "x", settings).unwrap();
    v.exchanges
        .bind(&mut v.shared, binding("x", Destination::Queue(q), "k"))
        .unwrap();
    assert_eq!(v.send("x", "l", "0"), PublishOutcome::Unroutable);
    v.exchanges
        .bind(&mut v.shared, binding("other", Destination::Queue(r), ""))
        .unwrap();
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
    v.exchanges.declare(&mut v.shared, "x", settings).unwrap();
    let q = v.make("q", &[]);
    v.make("r", &[]);
    let r = v.queues.id_of("r").unwrap();
    assert!(v.exchanges.check(&v.shared, "x").is_ok());
    v.exchanges
        .bind(&mut v.shared, binding("x", Destination::Queue(q), ""))
        .unwrap();
    v.exchanges
        .bind(&mut v.shared, binding("x", Destination::Queue(r), ""))
        .unwrap();
    v.exchanges
        .unbind(&mut v.shared, &binding("x", Destination::Queue(q), ""))
        .unwrap();
    assert!(v.exchanges.check(&v.shared, "x").is_ok());
    v.delete_queue("r", ME, false, false).unwrap();
    assert!(v.exchanges.check(&v.shared, "x").is_err());
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
fn direct_replies() {
    let mut v = vhost();
    let channel = v.channel(OTHER);
    let (name, consumer) = v.open_reply(channel).unwrap();
    assert!(v.queues.reply_exists(&name));
    let reply = Arc::new(Message {
        routing_key: name.clone(),
        ..message("reply")
    });
    assert_eq!(v.publish(&reply, None), PublishOutcome::Replied);
    assert!(matches!(
        v.poll_notice(u64::MAX),
        Some(Said { to: OTHER, notice: Notice::Deliver(d), .. }) if d.consumer == consumer
    ));
    v.close_channel(channel);
    assert_eq!(v.publish(&reply, None), PublishOutcome::Unroutable);
}
