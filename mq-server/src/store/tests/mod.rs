//! The log on a disk that fails.

mod bad_disk;
mod crash;
mod damage;

use bytes::Bytes;

use super::files::Files;
use super::log::Log;
use super::{Batch, Store, StoreError};

/// A batch whose bytes show its position. Its slices get longer and longer: some are written
/// from where they lie, and some are cut where a block ends.
fn batch(position: u64, len: usize) -> Batch {
    let mut rest = content(position, len);
    let lens = (1..).map(|n| 7 * 9_usize.pow(n));
    let slices = lens.map_while(|len| {
        let slice = rest.split_to(len.min(rest.len()));
        (!slice.is_empty()).then_some(slice)
    });
    Batch {
        position,
        slices: slices.collect(),
    }
}

/// What a batch there has.
fn content(position: u64, len: usize) -> Bytes {
    let bytes = (0..len as u64).map(|index| ((position + index) % 251) as u8);
    bytes.collect()
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
