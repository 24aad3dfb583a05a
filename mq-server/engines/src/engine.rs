//! The work that each engine does.

use std::path::Path;

use crate::Outcome;

/// Bytes of each batch. Batches are counted from 0.
pub const BATCH: usize = 1024;

/// What has to be done with a log.
pub trait Engine {
    /// Appends so many batches, the first of this number, and makes them durable.
    fn append(&mut self, first: u64, count: u64) -> Outcome<()>;
    fn read(&mut self, index: u64) -> Outcome<Vec<u8>>;
    /// Reads all batches. Returns how many there are.
    fn recover(&mut self) -> Outcome<u64>;
    /// Forgets the batches before this one, and gives back their room.
    fn trim(&mut self, before: u64) -> Outcome<()>;
}

/// Opens an engine in a directory.
pub type Open = fn(&Path) -> Outcome<Box<dyn Engine>>;

/// What is in a batch.
pub fn content(index: u64) -> Vec<u8> {
    let mut content = vec![0; BATCH];
    content[..8].copy_from_slice(&index.to_le_bytes());
    // Nothing that compresses well.
    let mut random = index;
    for byte in &mut content[8..] {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = (random >> 56) as u8;
    }
    content
}
