//! A log in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::{Batch, Recovered, Storage, Store, StoreError};

/// A log in memory, for tests of what happens when a broker is started again: the next
/// server with a clone of this goes on where the one before it ended.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    batches: Arc<Mutex<VecDeque<Batch>>>,
}

impl Memory {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn batches(&self) -> MutexGuard<'_, VecDeque<Batch>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn describe(&self) -> String {
        "memory, as long as this process runs".to_owned()
    }
}

impl Store for Memory {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError> {
        let batches = self.batches().clone();
        batches.into_iter().try_for_each(each)?;
        Ok(Recovered::default())
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut kept = self.batches();
        for batch in batches {
            let end = kept.back().map_or(batch.position, Batch::end);
            if batch.position != end {
                let position = batch.position;
                return Err(StoreError::NoSuccessor { position, end });
            }
            // In one piece, which keeps no more than the batch: a slice may be a part of what
            // was received with it.
            kept.push_back(Batch::new(batch.position, batch.to_bytes()));
        }
        Ok(())
    }

    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
        let batches = self.batches();
        let mut read = BytesMut::with_capacity(len);
        let first = batches.partition_point(|batch| batch.end() <= position);
        for batch in batches.range(first..) {
            let at = position + read.len() as u64;
            let Some(skip) = at.checked_sub(batch.position) else {
                return Err(StoreError::NotThere(at));
            };
            let bytes = batch.to_bytes();
            let rest = &bytes[skip as usize..];
            read.extend_from_slice(&rest[..rest.len().min(len - read.len())]);
            if read.len() == len {
                return Ok(read.freeze());
            }
        }
        Err(StoreError::NotThere(position + read.len() as u64))
    }

    fn trim(&mut self, before: u64) -> Result<(), StoreError> {
        let mut batches = self.batches();
        let forgotten = batches.partition_point(|batch| batch.end() <= before);
        // The last one stays: it says where the log ends.
        let forgotten = forgotten.min(batches.len().saturating_sub(1));
        batches.drain(..forgotten);
        Ok(())
    }
}
