//! An append-only log in memory, and a world whose broker crashes.

use super::World;
use bytes::Bytes;
use mq_core::{Broker, Config, Input, Recovery, RecoveryError, Store};

/// What the broker stores.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// By position, oldest first.
    pub(crate) batches: Vec<(u64, Bytes)>,
    /// Everything before that is stored for good.
    pub(crate) durable: u64,
    /// Whatever is appended is stored at once.
    pub(crate) is_quick: bool,
    /// Everything before that was said to be needed no more.
    pub(crate) trimmed: u64,
}

impl Log {
    /// Where the next batch begins.
    pub(crate) fn end(&self) -> u64 {
        let last = self.batches.last();
        last.map_or(0, |(position, bytes)| position + bytes.len() as u64)
    }

    pub(crate) fn append(&mut self, position: u64, slices: &[Bytes]) {
        assert!(!slices.is_empty(), "an empty batch");
        assert!(
            slices.iter().all(|slice| !slice.is_empty()),
            "an empty slice"
        );
        if !self.batches.is_empty() {
            assert_eq!(position, self.end(), "it follows the one before");
        }
        self.batches.push((position, slices.concat().into()));
    }

    pub(crate) fn trim(&mut self, before: u64) {
        assert!(before > self.trimmed, "more is trimmed than before");
        assert!(before <= self.durable, "what is not stored is needed");
        self.trimmed = before;
        self.batches
            .retain(|(position, bytes)| position + bytes.len() as u64 > before);
    }

    /// Of the batches that are not stored, so many are now, and the others are lost: those
    /// that came last. Returns the first that is lost.
    pub(crate) fn lose(&mut self, but: usize) -> Option<(u64, Bytes)> {
        let stored = self.batches.iter().filter(|(at, _)| *at < self.durable);
        let lost = self.batches.split_off(stored.count() + but);
        self.durable = self.end();
        // Whoever recovers trims from there on.
        self.trimmed = self.batches.first().map_or(0, |(position, _)| *position);
        lost.into_iter().next()
    }

    /// How many batches are not stored.
    pub(crate) fn waiting(&self) -> usize {
        let waiting = self.batches.iter().filter(|(at, _)| *at >= self.durable);
        waiting.count()
    }

    /// Bytes that were appended, which may lie in several batches.
    pub(crate) fn read(&self, position: u64, len: usize) -> Option<Bytes> {
        let end = position + len as u64;
        let mut read = Vec::new();
        for (start, bytes) in &self.batches {
            let from = position.max(*start) - start;
            let to = end.min(start + bytes.len() as u64).saturating_sub(*start);
            if from < to {
                read.extend_from_slice(&bytes[from as usize..to as usize]);
            }
        }
        (read.len() == len).then(|| Bytes::from(read))
    }

    /// Bytes that it has.
    pub(crate) fn len(&self) -> usize {
        self.batches.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The default settings, with a store.
pub(crate) fn storing() -> Config {
    Config {
        store: Store::Log,
        ..Config::default()
    }
}

/// The broker that a log makes.
pub(crate) fn recover(
    config: Config,
    batches: impl IntoIterator<Item = (u64, Bytes)>,
    now: std::time::Duration,
) -> Result<Broker, RecoveryError> {
    let mut recovery = Recovery::new(config).unwrap();
    for (position, bytes) in batches {
        recovery.batch(position, bytes)?;
    }
    recovery.finish(now)
}

impl World {
    /// A broker whose store keeps everything at once.
    pub(crate) fn stored() -> Self {
        Self::stored_with(storing())
    }

    pub(crate) fn stored_with(config: Config) -> Self {
        let mut world = Self::with(config);
        world.store.is_quick = true;
        world
    }

    /// Everything that was appended is stored for good.
    pub(crate) fn sync(&mut self) {
        self.sync_once();
        self.turn();
    }

    /// The same, and the broker may leave work for later.
    pub(super) fn sync_once(&mut self) {
        self.store.durable = self.store.end();
        let through = self.store.durable;
        self.handle_once(Input::Durable { through });
    }

    /// The broker is gone, and with it what is not stored for good and all connections.
    /// Another one is made of the log.
    pub(crate) fn crash(&mut self) {
        self.crash_with(storing());
    }

    pub(crate) fn crash_with(&mut self, config: Config) {
        let durable = self.store.durable;
        self.store
            .batches
            .retain(|(position, _)| *position < durable);
        for socket in self.sockets.values_mut() {
            socket.closed = true;
        }
        let batches = self.store.batches.iter().cloned();
        self.broker = recover(config, batches, self.now).unwrap();
    }
}
