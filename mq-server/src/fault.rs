//! What a test has go wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::store::{Batch, Recovered, Store, StoreError};

/// What is to go wrong in a running server, for tests of programs that have to live with it.
/// Each lasts until it is used up, or ended as its text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// So many logins from now on are refused, whoever it is. 0 ends it.
    RefuseLogins(u32),
    /// So many messages from now on are not published, and their publishers hear it in the
    /// way of their protocol: `basic.nack` in AMQP, where confirms are on; PUBACK or PUBREC
    /// with 0x97 in MQTT 5.0; ERROR in STOMP. 0 ends it.
    RefusePublishes(u32),
    /// What clients send is taken only so much later, as over a slow network. Zero ends it.
    Delay(Duration),
    /// While true, nothing that clients send is read: their sockets fill up.
    StopReading(bool),
    /// While true, the store has no room: nothing that is to be kept is confirmed. It needs a
    /// [store](crate::Config::store).
    FullStore(bool),
    /// Each write to the store takes so much longer. Zero ends it. It needs a
    /// [store](crate::Config::store).
    SlowStore(Duration),
    /// The store seems to have so many bytes free; None ends it. It needs a
    /// [store](crate::Config::store).
    FreeDisk(Option<u64>),
}

/// How connections are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) delay: Duration,
    pub(crate) is_stopped: bool,
}

/// What is wrong with the store. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreFaults(Arc<Mutex<Wrong>>);

#[derive(Clone, Copy, Debug, Default)]
struct Wrong {
    is_full: bool,
    delay: Duration,
    free: Option<u64>,
}

impl StoreFaults {
    fn wrong(&self) -> MutexGuard<'_, Wrong> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.wrong().is_full = is_full;
    }

    pub(crate) fn set_free(&self, free: Option<u64>) {
        self.wrong().free = free;
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.wrong().delay = delay;
    }
}

/// A store with which something can be wrong.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    pub(crate) store: Box<dyn Store>,
    pub(crate) faults: StoreFaults,
}

impl Store for FaultyStore {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError> {
        self.store.recover(each)
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let Wrong { is_full, delay, .. } = *self.faults.wrong();
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        if is_full {
            return Err(StoreError::Io {
                doing: "write",
                path: "the store, as a test wants it".into(),
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.store.append(batches)
    }

    fn free(&self) -> Option<u64> {
        let wrong = self.faults.wrong().free;
        wrong.or_else(|| self.store.free())
    }

    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
        self.store.read(position, len)
    }

    fn trim(&mut self, before: u64) -> Result<(), StoreError> {
        self.store.trim(before)
    }
}
