//! Consumers, their credit, and what they give back.

use super::*;

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
    v.queues.update_channel(channel, |c| c.prefetch = 5);
    v.settle(first[0].claim.lease().unwrap(), Settlement::Acknowledge);
    assert_eq!(v.deliveries().len(), 1);
    v.set_flow(ME, Flow::Held);
    v.settle(first[1].claim.lease().unwrap(), Settlement::Acknowledge);
    assert_eq!(v.deliveries().len(), 0);
    v.set_flow(ME, Flow::Open);
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
        v.settle(delivery.claim.lease().unwrap(), Settlement::Requeue);
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
fn exclusive_and_single_active_consumers() {
    let mut v = vhost();
    let plain = v.make("q", &[]);
    let single = v.make("s", &[("x-single-active-consumer", Value::Bool(true))]);
    let channel = v.channel(ME);
    let request = |queue, exclusive| ConsumeRequest {
        leads: false,
        queue,
        channel,
        no_ack: true,
        exclusive,
        priority: 0,
        prefetch: 0,
        timeout: ConsumerTimeout::Default,
        no_local: false,
        selector: None,
        topic: None,
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
    v.settle(held[0].claim.lease().unwrap(), Settlement::Acknowledge);
    assert_eq!(v.queues.channel(channel).unwrap().unacknowledged, 0);
}

/// What a front end has sent on before it knew of the refusal does nothing.
#[test]
fn a_refusal_ends_its_channel() {
    use crate::model::request::{Answer, Publish, Request, Unrouted};
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
        answer: Answer::Always(7),
    };
    for request in [check("none"), publish(), check("amq.direct")] {
        v.serve(ME, request);
    }
    let notices: Vec<Notice> = v.shared.notices.drain(..).map(|said| said.notice).collect();
    assert!(
        matches!(notices[..], [Notice::Refused(_), Notice::Refused(_)]),
        "{notices:?}"
    );
    v.serve(ME, Request::CloseChannel { channel });
    v.serve(ME, Request::OpenChannel { channel });
    v.serve(ME, publish());
    assert!(matches!(
        v.shared.notices.pop_front(),
        Some(Said {
            to: ME,
            notice: Notice::Accepted { ticket: 7, .. },
            ..
        })
    ));
    assert_eq!(v.bodies(q), ["m"]);
}

/// All that have waited go on, not only those that are asked again at one time.
#[test]
fn all_that_waited_for_a_connection_go_on() {
    let mut v = vhost();
    let channel = v.channel(ME);
    v.set_flow(ME, Flow::Held);
    for n in 0..100 {
        let name = alloc::format!("q{n}");
        let queue = v.make(&name, &[]);
        v.consumer(queue, channel, 0);
        v.send("", &name, "m");
    }
    assert_eq!(v.deliveries().len(), 0);
    v.set_flow(ME, Flow::Open);
    assert_eq!(v.deliveries().len(), 100);
}

/// [`Limits::unacknowledged`] holds whatever a client asks for.
#[test]
fn the_limit_holds_beside_the_prefetch() {
    for (prefetch, delivered) in [(0, 2), (1, 1), (2, 2), (5, 2)] {
        let mut v = vhost();
        v.shared.limits.unacknowledged = 2;
        let channel = v.channel(ME);
        v.queues.update_channel(channel, |c| c.prefetch = prefetch);
        let queue = v.make("q", &[]);
        for _ in 0..5 {
            v.send("", "q", "m");
        }
        v.consumer(queue, channel, 0);
        assert_eq!(v.deliveries().len(), delivered, "{prefetch}");
    }
}
