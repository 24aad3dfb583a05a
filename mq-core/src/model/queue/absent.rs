//! Messages of a queue whose bodies have left memory: which were asked for, and who waits
//! for them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::dead_letter::Reason;
use super::{ChannelId, ConsumerId, Entry, Key, Ready};
use crate::model::message::Message;

/// Bodies that are read ahead of the consumers of a queue, at most.
const AHEAD: usize = 64;

/// Bytes of those from which on no more are asked for.
const AHEAD_BYTES: usize = 1 << 20;

/// A body that was asked for.
#[derive(Debug)]
struct Asked {
    len: usize,
    /// From when it has come.
    body: Option<Bytes>,
}

/// What a queue wants of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The body of the message at a position.
    Body(u64),
    /// The messages of the run that begins at a position.
    Run(u64),
}

/// What waits for bodies, and for runs.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    /// By position.
    asked: BTreeMap<u64, Asked>,
    /// What is still to be asked for.
    unasked: Vec<Wanted>,
    /// Who has fetched the head, and whether without an acknowledgement.
    pub(crate) gets: VecDeque<(ChannelId, bool)>,
    /// Messages that were given up and are to go on as letters, by position.
    pub(crate) letters: BTreeMap<u64, (Entry, Reason)>,
    /// Consumers whose search has come to a run, and after which place.
    pub(crate) searches: Vec<(ConsumerId, Option<Key>)>,
}

impl Absent {
    /// Whether the body of a message is here.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let asked = || self.asked.get(&entry.position);
        !entry.message.is_absent() || asked().is_some_and(|asked| asked.body.is_some())
    }

    /// The message with its body, which is here. What has come for it is gone afterwards.
    pub(crate) fn whole(&mut self, entry: &Entry) -> Arc<Message> {
        let whole = self.take_whole(entry);
        whole.unwrap_or_else(|| entry.message.clone())
    }

    /// The same for a message whose body has left memory; None: it has not.
    pub(crate) fn take_whole(&mut self, entry: &Entry) -> Option<Arc<Message>> {
        if !entry.message.is_absent() {
            return None;
        }
        let body = self.asked.remove(&entry.position);
        let body = body.and_then(|asked| asked.body);
        Some(Arc::new(entry.message.with_body(body.unwrap_or_default())))
    }

    /// Asks for a body, unless that was done.
    pub(crate) fn ask(&mut self, entry: &Entry) {
        if entry.message.is_absent() {
            let unasked = &mut self.unasked;
            self.asked.entry(entry.position).or_insert_with(|| {
                unasked.push(Wanted::Body(entry.position));
                let len = entry.message.body_len();
                Asked { len, body: None }
            });
        }
    }

    /// Asks for the bodies that consumers want next, once few are on their way.
    pub(crate) fn ask_ahead(&mut self, ready: &Ready) {
        if self.asked.len() > AHEAD / 2 {
            return;
        }
        let mut bytes: usize = self.asked.values().map(|asked| asked.len).sum();
        for entry in ready.first(AHEAD) {
            if self.asked.len() >= AHEAD || bytes >= AHEAD_BYTES {
                return;
            }
            if entry.message.is_absent() && !self.asked.contains_key(&entry.position) {
                bytes += entry.message.body_len();
                self.ask(entry);
            }
        }
    }

    /// Asks for a run, which was not done yet.
    pub(super) fn ask_run(&mut self, first: u64) {
        self.unasked.push(Wanted::Run(first));
    }

    /// Whether there is something to ask for.
    pub(crate) fn has_unasked(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// What to ask for.
    pub(crate) fn take_unasked(&mut self) -> Vec<Wanted> {
        core::mem::take(&mut self.unasked)
    }

    /// A body has come. Returns whether anybody wants it.
    pub(crate) fn came(&mut self, position: u64, body: Bytes) -> bool {
        let asked = self.asked.get_mut(&position);
        asked.is_some_and(|asked| {
            asked.body = Some(body);
            true
        })
    }

    /// Nobody wants a body any more.
    pub(crate) fn forget(&mut self, position: u64) {
        self.asked.remove(&position);
    }

    /// Nobody wants the bodies of ready messages any more.
    pub(super) fn forget_ready(&mut self) {
        let letters = &self.letters;
        self.asked
            .retain(|position, _| letters.contains_key(position));
    }
}
