//! A run leaves nothing behind: what its cases made is removed, and what
//! cannot be removed is said.

use std::collections::BTreeSet;

use crate::case::{Context, Windows};
use crate::target::{Protocol, Target};
use crate::transcript::Transcript;

/// What the cases of each target made, as far as it outlives them.
#[derive(Debug)]
pub(crate) struct Leftovers<'a>(Vec<Leftover<'a>>);

#[derive(Debug)]
struct Leftover<'a> {
    target: &'a Target,
    amqp: crate::amqp::Made,
    mqtt: crate::mqtt::Made,
    queues: BTreeSet<String>,
}

impl<'a> Leftovers<'a> {
    pub(crate) fn new(targets: &'a [Target]) -> Self {
        let leftover = |target| Leftover {
            target,
            amqp: crate::amqp::Made::default(),
            mqtt: crate::mqtt::Made::default(),
            queues: BTreeSet::new(),
        };
        Self(targets.iter().map(leftover).collect())
    }

    /// Adds what a case made, by what it sent.
    pub(crate) fn add(&mut self, target: &Target, transcript: &Transcript) {
        let Some(made) = self
            .0
            .iter_mut()
            .find(|made| std::ptr::eq(made.target, target))
        else {
            return;
        };
        for sent in transcript.sent() {
            match target.protocol {
                Protocol::Amqp => crate::amqp::made(&sent, &mut made.amqp),
                Protocol::Mqtt => crate::mqtt::made(&sent, &mut made.mqtt),
                Protocol::Stomp => crate::stomp::made(&sent, &mut made.queues),
            }
        }
    }

    /// Removes it all; what is still there, a line each.
    pub(crate) fn remove(mut self, windows: &Windows, seed: u32) -> Vec<String> {
        let mut left = Vec::new();
        // STOMP has no frame that removes a queue. Where the same broker speaks
        // AMQP, that has one.
        let queues: Vec<(String, BTreeSet<String>)> = self
            .0
            .iter()
            .map(|made| (made.target.host.clone(), made.queues.clone()))
            .collect();
        for (host, queues) in queues {
            let names = queues
                .iter()
                .filter_map(|queue| queue.strip_prefix("/queue/"));
            match self
                .0
                .iter_mut()
                .find(|made| made.target.protocol == Protocol::Amqp && made.target.host == host)
            {
                Some(amqp) => amqp.amqp.queues.extend(names.map(String::from)),
                None if queues.is_empty() => {}
                None => left.push(format!(
                    "{} queues of STOMP on {host}, emptied: no frame of STOMP removes them",
                    queues.len()
                )),
            }
        }
        // Last comes AMQP, which takes away what the others have emptied.
        self.0
            .sort_by_key(|made| made.target.protocol == Protocol::Amqp);
        for made in self.0 {
            let unique = format!("{seed:08x}rm");
            let ctx = Context::new(made.target, windows, unique, Transcript::new(), "")
                // After Ctrl-C there is no less to remove.
                .uninterruptible();
            let removed = match made.target.protocol {
                Protocol::Amqp => crate::amqp::remove(&ctx, &made.amqp),
                Protocol::Mqtt => crate::mqtt::remove(&ctx, &made.mqtt),
                Protocol::Stomp => crate::stomp::remove(&ctx, &made.queues),
            };
            left.extend(
                removed.unwrap_or_else(|stop| vec![format!("nothing could be removed: {stop}")]),
            );
        }
        left
    }
}
