//! The log on a disk that fails.

mod bad_disk;
mod crash;
mod damage;

use bytes::Bytes;

use super::files::Files;
use super::log::Log;
use super::{Batch, Store, StoreError};

/// A batch whose bytes show its position.
fn batch(position: u64, len: usize) -> Batch {
    let bytes: Vec<u8> = (0..len as u64)
        .map(|index| ((position + index) % 251) as u8)
        .collect();
    Batch {
        position,
        bytes: Bytes::from(bytes),
    }
}

/// Batches of these lengths, one after the other.
fn batches(position: u64, lens: &[usize]) -> Vec<Batch> {
    let mut end = position;
    lens.iter()
        .map(|len| {
            let batch = batch(end, *len);
            end = batch.end();
            batch
        })
        .collect()
}

/// A log, what it brings back, and how many bytes it has cut off.
fn recover(
    files: impl Files + 'static,
    segment_size: u64,
) -> Result<(Log, Vec<Batch>, u64), StoreError> {
    let mut log = Log::new(Box::new(files), segment_size);
    let mut read = Vec::new();
    let recovered = log.recover(&mut |batch| {
        read.push(batch);
        Ok(())
    })?;
    Ok((log, read, recovered.torn))
}
