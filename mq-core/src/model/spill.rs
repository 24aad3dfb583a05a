//! What the log keeps of queues in place of memory: let go of, wanted, and back again.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::Model;
use super::id::QueueId;
use super::message::Message;
use super::queue::frozen::{Frozen, Stretch};
use super::queue::{Thawed, Wanted};

impl Model {
    /// Takes a message in a queue of a virtual host whose body is in the log from now on.
    pub(crate) fn strip(
        &mut self,
        host: usize,
        id: QueueId,
        position: u64,
        message: &mut Arc<Message>,
    ) {
        self.meter.count(message);
        if let Some(vhost) = self.vhosts.get_mut(host) {
            vhost.queues.strip(id, position, message);
        }
    }

    /// How many queues there are of which some may leave memory.
    pub(crate) fn long_queues(&self) -> usize {
        self.vhosts
            .iter()
            .map(|vhost| vhost.queues.count_long())
            .sum()
    }

    /// The next messages that could leave memory: their virtual host, their queue, and where
    /// they are in it.
    pub(crate) fn next_stretch(&mut self) -> Option<(usize, QueueId, Stretch)> {
        let mut vhosts = self.vhosts.iter_mut().enumerate();
        vhosts.find_map(|(host, vhost)| {
            let (id, stretch) = vhost.queues.next_stretch(&vhost.shared)?;
            Some((host, id, stretch))
        })
    }

    /// Lets go of messages that are in the log.
    pub(crate) fn freeze(&mut self, host: usize, id: QueueId, stretch: &Stretch, run: Frozen) {
        if let Some(vhost) = self.vhosts.get_mut(host) {
            vhost.queues.freeze(id, stretch, run);
        }
    }

    /// The first message of a stretch cannot leave memory.
    pub(crate) fn pass_over(&mut self, host: usize, id: QueueId, stretch: &Stretch) {
        if let Some(vhost) = self.vhosts.get_mut(host) {
            vhost.queues.pass_over(id, stretch);
        }
    }

    /// The run of a queue that begins at a position has come.
    pub(crate) fn thaw(&mut self, host: usize, id: QueueId, first: u64, messages: Vec<Thawed>) {
        self.act(host, |vhost| vhost.thaw(id, first, messages));
    }

    /// What a queue of a virtual host wants next of the log.
    pub(crate) fn poll_wanted(&mut self) -> Option<(usize, QueueId, Wanted)> {
        let mut vhosts = self.vhosts.iter_mut().enumerate();
        vhosts.find_map(|(host, vhost)| {
            let (id, wanted) = vhost.queues.poll_wanted()?;
            Some((host, id, wanted))
        })
    }

    /// A body has come, or cannot be read.
    pub(crate) fn body_came(
        &mut self,
        host: usize,
        id: QueueId,
        position: u64,
        body: Option<Bytes>,
    ) {
        self.act(host, |vhost| vhost.body_came(id, position, body));
    }
}
