//! Random conversations, and an account of every copy.

use super::*;
use proptest::prelude::*;

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
                v.exchanges.bind(&mut v.shared, binding("amq.fanout", Destination::Queue(id), "")).unwrap();
            }
            let id = |v: &VirtualHost, n: usize| v.queues.id_of(NAMES[n]).unwrap();
            match step {
                Step::Publish(n, ttl) => {
                    let mut m = message("m");
                    m.routing_key = Name::from(NAMES[n]);
                    m.published = v.shared.now;
                    m.properties.expiration = ttl.map(Duration::from_millis);
                    // The account at the end is what counts, wherever it went.
                    let _ = v.publish(&Arc::new(m), None);
                }
                Step::Consume(n, prefetch, no_ack) => {
                    let queue = id(&v, n);
                    let request = ConsumeRequest {
                        queue, channel, no_ack, exclusive: false, leads: false, priority: 0, prefetch,
                        timeout: ConsumerTimeout::Default,
                        no_local: false,
                        selector: None,
                        topic: None,
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
                    held.extend(v.get(queue, channel, no_ack).and_then(|f| f.claim.lease()));
                }
                Step::Purge(n) => {
                    v.queues.purge(&mut v.shared, NAMES[n], ME).unwrap();
                }
                Step::Delete(n) => {
                    v.delete_queue(NAMES[n], ME, false, false).unwrap();
                }
                Step::Wait(ms) => v.pass(ms as f64 / 1000.0),
                _ => {}
            }
            held.extend(v.deliveries().iter().filter_map(|d| d.claim.lease()));
            v.shared.notices.clear();
            let c = v.count();
            let gone = c.acknowledged + c.expired + c.overflowed + c.rejected + c.discarded;
            prop_assert_eq!(c.queued, gone + c.ready + c.unacknowledged);
            prop_assert!(c.unacknowledged as usize <= held.len());
            prop_assert!(v.next_timeout().is_none_or(|at| at > v.shared.now));
        }
    }
}
