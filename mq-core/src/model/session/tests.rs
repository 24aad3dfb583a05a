//! Sessions on their own, without any protocol.

use core::num::NonZeroU32;

use super::*;
use crate::config::Store;
use crate::limits::Limits;
use crate::model::PublishOutcome;
use crate::model::message::{Name, Origin, swap_separators};
use crate::model::queue::tests::message;
use crate::model::vhost::VirtualHost;
use crate::model::{Notice, Said};
use alloc::string::{String, ToString};
use proptest::collection::vec;
use proptest::prelude::*;

const PLAIN: SubscriptionOptions = SubscriptionOptions {
    qos: Qos::ExactlyOnce,
    no_local: false,
    retain_as_published: false,
    identifier: None,
};

fn vhost() -> VirtualHost {
    VirtualHost::new("/", 0, Store::None, Limits::default())
}

fn mqtt(topic: &str, body: &'static str, qos: Qos, retain: bool) -> Message {
    let mut m = message(body);
    m.exchange = Name::from("amq.topic");
    m.routing_key = Name::from(swap_separators(topic));
    m.properties.qos = qos;
    m.origin = Origin::Mqtt {
        topic: Name::from(topic),
        retain,
    };
    m
}

impl VirtualHost {
    fn join(&mut self, client: &str, connection: u64, expiry: Option<Duration>) -> SessionId {
        self.join_with(client, connection, |attach| attach.expiry = expiry)
            .0
    }

    /// Attaches, and says whether the session was there.
    fn join_with(
        &mut self,
        client: &str,
        connection: u64,
        change: impl FnOnce(&mut Attach),
    ) -> (SessionId, bool) {
        let mut attach = Attach {
            client_identifier: Name::from(client),
            clean_start: false,
            expiry: HOUR,
            will: None,
            credit: 64,
        };
        change(&mut attach);
        let attached = self.attach_now(ConnectionId(connection), attach).unwrap();
        let id = self.sessions.find_client(client).unwrap();
        (id, attached.present)
    }

    fn part(&mut self, id: SessionId, leaving: Leaving) {
        self.detach(id, leaving);
    }

    fn listen(&mut self, id: SessionId, filter: &str, options: SubscriptionOptions) {
        self.listen_with(id, filter, options, RetainHandling::Send);
    }

    fn listen_with(
        &mut self,
        id: SessionId,
        filter: &str,
        options: SubscriptionOptions,
        retain_handling: RetainHandling,
    ) {
        self.sessions
            .subscribe(
                &mut self.shared,
                id,
                SubscribeRequest {
                    refused: None,
                    filter: Name::from(filter),
                    shared: filter.starts_with("$share/"),
                    options,
                    retain_handling,
                },
            )
            .unwrap();
    }

    fn say(&mut self, message: Message, from: Option<SessionId>) -> PublishOutcome {
        let mut message = message;
        message.published = self.shared.now;
        self.publish(&Arc::new(message), from)
    }

    fn next_pending(&mut self, id: SessionId, quota: bool) -> Option<(Option<u64>, Pending)> {
        let (shared, sessions) = (&mut self.shared, &mut self.sessions);
        let session = sessions.all.get_mut(&id)?;
        let (next, _) = session.next_pending(shared, &sessions.retained, id, quota);
        sessions.set_half_empty(shared, id);
        next
    }

    fn unsubscribe(&mut self, id: SessionId, filter: &str) -> bool {
        self.sessions.unsubscribe(&mut self.shared, id, filter)
    }

    fn heard(&mut self, id: SessionId) -> Vec<String> {
        core::iter::from_fn(|| self.next_pending(id, true))
            .map(|(_, p)| {
                let body = p.message.body.to_bytes();
                let body = core::str::from_utf8(&body).unwrap();
                let mark = if p.retain { "r" } else { "" };
                alloc::format!("{body}{mark}{}", p.qos as u8)
            })
            .collect()
    }

    fn at(&mut self, seconds: u64) {
        self.shared.now = Duration::from_secs(seconds);
        self.expire(usize::MAX);
    }
}

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

#[test]
fn quality_is_the_lower_of_both() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    let all = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    for granted in all {
        v.listen(
            id,
            "t",
            SubscriptionOptions {
                qos: granted,
                ..PLAIN
            },
        );
        for published in all {
            v.say(mqtt("t", "m", published, false), None);
            let expected = alloc::format!("m{}", published.min(granted) as u8);
            assert_eq!(v.heard(id), [expected]);
        }
    }
}

#[test]
fn overlapping_subscriptions_make_one_delivery() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    for (filter, qos, identifier) in [
        ("a/#", Qos::AtMostOnce, Some(1)),
        ("a/+", Qos::AtLeastOnce, Some(2)),
        ("a/b", Qos::AtMostOnce, None),
    ] {
        v.listen(
            id,
            filter,
            SubscriptionOptions {
                qos,
                identifier: identifier.and_then(NonZeroU32::new),
                ..PLAIN
            },
        );
    }
    v.say(mqtt("a/b", "m", Qos::ExactlyOnce, false), None);
    let (_, pending) = v.next_pending(id, true).unwrap();
    assert_eq!(pending.qos, Qos::AtLeastOnce);
    let mut identifiers = pending.identifiers;
    identifiers.sort_unstable();
    assert_eq!(identifiers, [1, 2]);
    assert!(v.next_pending(id, true).is_none());
}

#[test]
fn no_local_and_retain_as_published() {
    let mut v = vhost();
    let me = v.join("me", 1, HOUR);
    let you = v.join("you", 2, HOUR);
    for id in [me, you] {
        v.listen(
            id,
            "t",
            SubscriptionOptions {
                no_local: true,
                retain_as_published: id == you,
                ..PLAIN
            },
        );
    }
    v.say(mqtt("t", "m", Qos::AtMostOnce, true), Some(me));
    assert_eq!(v.heard(me), [""; 0]);
    assert_eq!(v.heard(you), ["mr0"]);
    v.say(mqtt("t", "n", Qos::AtMostOnce, true), Some(you));
    assert_eq!(v.heard(me), ["n0"]);
}

/// MQTT-4.7.2-1.
#[test]
fn a_wildcard_in_front_does_not_match_a_dollar() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    for filter in ["#", "+/x", "$share/g/#"] {
        v.listen(id, filter, PLAIN);
    }
    let said = v.say(mqtt("$S/x", "m", Qos::AtMostOnce, false), None);
    assert_eq!(said, PublishOutcome::Unroutable);
    v.listen(id, "$S/#", PLAIN);
    v.say(mqtt("$S/x", "m", Qos::AtMostOnce, false), None);
    assert_eq!(v.heard(id), ["m0"]);
}

#[test]
fn retained_messages() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    v.say(mqtt("a/b", "1", Qos::AtLeastOnce, true), None);
    v.say(mqtt("a/c", "2", Qos::AtLeastOnce, true), None);
    v.say(mqtt("$S/x", "3", Qos::AtLeastOnce, true), None);
    v.say(mqtt("a/c", "not", Qos::AtLeastOnce, false), None);
    let cases: [(&str, RetainHandling, &[&str]); 8] = [
        ("a/#", RetainHandling::SendIfNew, &["1r1", "2r1"]),
        ("a/#", RetainHandling::SendIfNew, &[]),
        ("a/#", RetainHandling::Send, &["1r1", "2r1"]),
        ("a/+", RetainHandling::DoNotSend, &[]),
        ("+/b", RetainHandling::Send, &["1r1"]),
        ("#", RetainHandling::Send, &["1r1", "2r1"]),
        ("$S/#", RetainHandling::Send, &["3r1"]),
        ("$share/g/#", RetainHandling::Send, &[]),
    ];
    for (filter, handling, expected) in cases {
        v.listen_with(id, filter, PLAIN, handling);
        assert_eq!(v.heard(id), expected, "{filter} {handling:?}");
        v.unsubscribe(id, if filter == "a/#" { "none" } else { filter });
    }
    v.unsubscribe(id, "a/#");
    v.say(mqtt("a/b", "", Qos::AtLeastOnce, true), None);
    v.listen(id, "a/#", PLAIN);
    assert_eq!(v.heard(id), ["2r1"]);
}

#[test]
fn retained_messages_expire() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    let mut m = mqtt("t", "m", Qos::AtMostOnce, true);
    m.properties.expiration = Some(Duration::from_secs(5));
    v.say(m, None);
    v.at(4);
    v.listen(id, "t", PLAIN);
    assert_eq!(v.heard(id), ["mr0"]);
    v.at(5);
    v.listen(id, "t", PLAIN);
    assert_eq!(v.heard(id), [""; 0]);
    assert_eq!(v.count().expired, 0, "it was not even queued");
}

#[test]
fn a_session_waits_for_its_client() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    v.listen(id, "t", PLAIN);
    v.part(id, Leaving::default());
    let mut expiring = mqtt("t", "old", Qos::AtLeastOnce, false);
    expiring.properties.expiration = Some(Duration::from_secs(10));
    v.say(expiring, None);
    v.say(mqtt("t", "kept", Qos::AtLeastOnce, false), None);
    v.say(mqtt("t", "gone", Qos::AtMostOnce, false), None);
    v.at(3599);
    let (again, present) = v.join_with("c", 2, |_| {});
    assert!(present);
    assert_eq!(again, id);
    assert!(matches!(
        v.poll_notice(u64::MAX),
        Some(Said { to: ConnectionId(2), notice: Notice::Push(push), .. }) if push.pending.message.body == b"kept"[..]
    ));
    v.part(id, Leaving::default());
    v.at(3599 + 3600);
    assert!(v.sessions.find_client("c").is_none());
    assert_eq!(
        v.say(mqtt("t", "m", Qos::AtLeastOnce, false), None),
        PublishOutcome::Unroutable
    );
}

#[test]
fn clean_start_forgets() {
    let mut v = vhost();
    let id = v.join("c", 1, None);
    v.listen(id, "t", PLAIN);
    v.listen(id, "$share/g/t", PLAIN);
    v.part(id, Leaving::default());
    let (new, present) = v.join_with("c", 2, |attach| {
        attach.clean_start = true;
        attach.expiry = None;
    });
    assert!(!present);
    assert_ne!(new, id);
    assert_eq!(
        v.say(mqtt("t", "m", Qos::AtLeastOnce, false), None),
        PublishOutcome::Unroutable
    );
}

#[test]
fn shared_subscriptions_take_turns() {
    let mut v = vhost();
    let ids: Vec<SessionId> = ["a", "b", "c"]
        .iter()
        .enumerate()
        .map(|(n, c)| v.join(c, n as u64, HOUR))
        .collect();
    for id in &ids {
        v.listen(*id, "$share/g/t/#", PLAIN);
    }
    let listener = v.join("plain", 9, HOUR);
    v.listen(listener, "t/#", PLAIN);
    v.part(ids[2], Leaving::default());
    for body in ["1", "2", "3", "4"] {
        v.say(mqtt("t/x", body, Qos::AtLeastOnce, false), None);
    }
    assert_eq!(v.heard(ids[0]), ["11", "31"]);
    assert_eq!(v.heard(ids[1]), ["21", "41"]);
    assert_eq!(v.heard(ids[2]), [""; 0], "who is away waits");
    assert_eq!(v.heard(listener).len(), 4);
    v.unsubscribe(ids[0], "$share/g/t/#");
    v.unsubscribe(ids[1], "$share/g/t/#");
    v.say(mqtt("t/x", "5", Qos::AtLeastOnce, false), None);
    assert_eq!(v.heard(ids[2]), ["51"], "unless there is nobody else");
}

/// Section 3.1.2.5 and 3.1.3.2.2: when a will is published.
#[test]
fn wills() {
    // Delay and session expiry in seconds; whether the client says goodbye;
    // whether it is back after two seconds; when the will is seen.
    let cases: [(u64, u64, bool, bool, Option<u64>); 7] = [
        (0, 0, false, false, Some(0)),
        (0, 0, true, false, None),
        (5, 60, false, false, Some(5)),
        (60, 5, false, false, Some(5)),
        (5, 0, false, false, Some(0)),
        (5, 60, false, true, None),
        (0, 60, false, true, Some(0)),
    ];
    for (delay, expiry, goodbye, back, expected) in cases {
        let mut v = vhost();
        let listener = v.join("listener", 1, None);
        v.listen(listener, "will", PLAIN);
        let expiry = Some(Duration::from_secs(expiry));
        let will = Will {
            message: Arc::new(mqtt("will", "w", Qos::AtMostOnce, false)),
            delay: Duration::from_secs(delay),
        };
        let (id, _) = v.join_with("c", 2, |attach| {
            attach.expiry = expiry;
            attach.will = Some(will);
        });
        v.part(
            id,
            Leaving {
                discard_will: goodbye,
                expiry: None,
            },
        );
        let mut seen = None;
        for second in 0..100 {
            v.at(second);
            if second == 2 && back {
                v.join("c", 2, expiry);
            }
            if !v.heard(listener).is_empty() {
                assert!(seen.is_none());
                seen = Some(second);
            }
        }
        assert_eq!(seen, expected, "{delay} {expiry:?} {goodbye} {back}");
    }
}

/// A session that has ended has no subscriptions, also not to its own will.
#[test]
fn the_will_of_a_session_that_has_ended_is_not_for_itself() {
    let mut v = vhost();
    let will = Will {
        message: Arc::new(mqtt("will", "w", Qos::AtMostOnce, false)),
        delay: Duration::ZERO,
    };
    let (id, _) = v.join_with("c", 1, |attach| {
        attach.expiry = Some(Duration::ZERO);
        attach.will = Some(will);
    });
    v.listen(id, "will", PLAIN);
    let before = mqtt("will", "m", Qos::AtMostOnce, false);
    assert_eq!(v.say(before, None), PublishOutcome::Routed);
    assert_eq!(v.count().unroutable, 0);
    v.part(id, Leaving::default());
    assert_eq!(v.count().unroutable, 1);
}

#[test]
fn quota_holds_back_all_but_qos_0() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    v.listen(id, "t", PLAIN);
    v.say(mqtt("t", "0", Qos::AtMostOnce, false), None);
    v.say(mqtt("t", "1", Qos::AtLeastOnce, false), None);
    assert!(v.next_pending(id, false).is_some());
    assert!(v.next_pending(id, false).is_none());
    assert!(v.next_pending(id, true).is_some());
}

#[test]
fn a_full_session_drops_the_newest() {
    let limits = Limits {
        session_messages: 2,
        ..Limits::default()
    };
    let mut v = VirtualHost::new("/", 0, Store::None, limits);
    let id = v.join("c", 1, HOUR);
    v.listen(id, "t", PLAIN);
    for body in ["1", "2", "3"] {
        v.say(mqtt("t", body, Qos::AtLeastOnce, false), None);
    }
    assert_eq!(v.heard(id), ["11".to_string(), "21".to_string()]);
    assert_eq!(v.count().overflowed, 1);
}

#[test]
fn topics_that_mqtt_cannot_name_reach_no_session() {
    let mut v = vhost();
    let id = v.join("c", 1, HOUR);
    v.listen(id, "#", PLAIN);
    for key in ["", "a.+", "#"] {
        let mut m = message("m");
        m.exchange = Name::from("amq.topic");
        m.routing_key = Name::from(key);
        assert_eq!(v.say(m, None), PublishOutcome::Unroutable, "{key}");
    }
}

const CLIENTS: [&str; 3] = ["a", "b", "c"];
const FILTERS: [&str; 6] = ["t", "t/+", "#", "+/u", "$share/g/t", "$share/g/t/#"];

#[derive(Debug, Clone)]
enum Act {
    Join(usize),
    Listen(usize, usize, Qos),
    Unsubscribe(usize, usize),
    /// Its session ends with its connection.
    End(usize),
    /// Some of what sessions that have ended have left is forgotten.
    Work,
    Look(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (client, filter) = (0..CLIENTS.len(), 0..FILTERS.len());
    let qos = prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce)];
    let listen = (client.clone(), filter.clone(), qos);
    prop_oneof![
        2 => client.clone().prop_map(Act::Join),
        4 => listen.prop_map(|(client, filter, qos)| Act::Listen(client, filter, qos)),
        2 => (client.clone(), filter).prop_map(|(client, filter)| Act::Unsubscribe(client, filter)),
        1 => client.prop_map(Act::End),
        1 => Just(Act::Work),
        6 => (0..3_usize).prop_map(Act::Look),
    ]
}

proptest! {
    /// What is remembered of a topic is what would be found for it.
    #[test]
    fn what_was_found_is_found_again(acts in vec(act(), 0..100)) {
        let mut v = vhost();
        let mut connection = 0;
        for act in acts {
            let session = |client: usize| v.sessions.find_client(CLIENTS[client]);
            match act {
                Act::Join(client) => {
                    connection += 1;
                    if session(client).is_none() {
                        v.join(CLIENTS[client], connection, None);
                    }
                }
                Act::Listen(client, filter, qos) => if let Some(id) = session(client) {
                    v.listen(id, FILTERS[filter], SubscriptionOptions { qos, ..PLAIN });
                },
                Act::Unsubscribe(client, filter) => if let Some(id) = session(client) {
                    v.unsubscribe(id, FILTERS[filter]);
                },
                Act::End(client) => if let Some(id) = session(client) {
                    let expiry = Some(Some(Duration::ZERO));
                    v.part(id, Leaving { expiry, ..Leaving::default() });
                },
                Act::Work => v.do_work(1),
                Act::Look(topic) => {
                    let topic = ["t", "t.u", "x.u"][topic];
                    let mut found = Vec::from([Match::Share(Name::from("before"))]);
                    let mut expected = found.clone();
                    v.sessions.find(topic, &mut found);
                    v.sessions.look_up(topic, &mut expected);
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
