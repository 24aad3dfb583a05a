//! Where the broker's journal is kept: an append-only log.
//!
//! The broker decides what is written, in which order, and what may be forgotten. A
//! [`Store`] keeps batches of bytes, each at its position: the number of bytes that were
//! appended before it, ever. It brings each batch back whole or not at all, in order, and
//! loses none that [`append`](Store::append) has returned for.
//!
//! [`Directory`] keeps the log in files, [`Memory`] for as long as the process runs, and
//! `Postgres`, with the feature `postgres`, in a database. Other places implement [`Store`]
//! and [`Storage`].
//!
//! # Why files of our own
//!
//! `mq-server/engines` has five candidates do the same work, interleaved in one run: append
//! a batch of 1 KiB, and 64 of them, with fdatasync; read a batch anywhere in a log of
//! 128 MiB; open and read the whole log; forget its first half and give the room back. The
//! medians of three rounds, on ext4 on a virtual disk of a busy machine with 2 cores:
//!
//! | engine | 1 KiB | 64 KiB | read | recover | forget half | disk, full | disk, half |
//! |---|---|---|---|---|---|---|---|
//! | files, as here | 4.0 ms | 4.0 ms | 74 us | 177 ms | 77 ms | 1.02 | 1.03 |
//! | wal-db 1.1 | 4.0 ms | 4.0 ms | 14 us | 838 ms | 89 ms | 1.01 | 1.01 |
//! | raft-engine 0.4 | 4.0 ms | 4.0 ms | 727 us | 244 ms | 93 ms | 1.01 | 1.26 |
//! | fjall 2.11 | 3.5 ms | 4.0 ms | 27 us | 440 ms | 1018 ms | 1.02 | 2.05 |
//! | redb 2.6 | 4.0 ms | 4.2 ms | 23 us | 601 ms | 10937 ms | 2.04 | 5.81 |
//!
//! The last two columns are bytes on disk for each byte that is kept. A sync costs what the
//! disk takes, whoever asks for it; what differs is what comes after.
//!
//! What speaks against each, besides:
//!
//! - [raft-engine](https://crates.io/crates/raft-engine): entries have to be protobuf
//!   messages with an index that counts by one. It cleans the log by rewriting what is live,
//!   which the broker does as well, and a log that is damaged in the middle is accepted with
//!   what follows cut off, or refused without a way to keep the rest.
//! - [fjall](https://crates.io/crates/fjall), [redb](https://crates.io/crates/redb): ordered
//!   maps. All data is written twice (journal and tables) or with a page of a tree beside it,
//!   and a forgotten prefix is a tombstone or a page to be freed for each batch, where a log
//!   removes a file. Their current versions want a newer Rust than this workspace.
//! - [wal-db](https://crates.io/crates/wal-db): nearest to what is needed. Its positions count
//!   its own framing; it cuts the log at the first damaged record, wherever that is, so that a
//!   flipped bit takes with it what was confirmed later; and after a failed write it takes no
//!   more until it is opened anew.
//! - [okaywal](https://crates.io/crates/okaywal): it decides itself when a part of the log is
//!   handed over and forgotten; [commitlog](https://crates.io/crates/commitlog) cannot forget a
//!   prefix. Neither was measured.
//!
//! A log in files is 600 lines here, checksums and locks come from libraries, and each of the
//! cases above is a test.

mod directory;
mod error;
mod files;
mod gathered;
mod log;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod repair;
mod room;
mod segment;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::fmt::Debug;

use bytes::Bytes;

pub use directory::Directory;
pub use error::StoreError;
pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use repair::{Repaired, repair};

/// Some bytes of the log that belong together.
#[derive(Clone, Debug, Eq)]
pub struct Batch {
    /// Bytes that were appended before it, ever.
    pub position: u64,
    /// What is kept, one slice after the other: a large body is one, which the broker has not
    /// copied. How it is cut means nothing, and need not be kept. There is at least one slice,
    /// and none is empty.
    pub slices: Vec<Bytes>,
}

impl Batch {
    /// A batch of one slice.
    #[must_use]
    pub fn new(position: u64, bytes: impl Into<Bytes>) -> Self {
        Self {
            position,
            slices: vec![bytes.into()],
        }
    }

    /// How many bytes are kept.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.slices.iter().map(Bytes::len).sum()
    }

    /// The position of what follows it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.position + self.len() as u64
    }

    /// All that is kept in one piece, which is a copy unless there is only one slice.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &self.slices[..] {
            [only] => only.clone(),
            slices => slices.concat().into(),
        }
    }
}

impl PartialEq for Batch {
    /// However they are cut.
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position && self.to_bytes() == other.to_bytes()
    }
}

/// What was dropped at the end of the log when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Bytes of files that hold no whole batch: a write that the end of the process or of
    /// the machine has cut short. Nothing in them was reported as durable.
    pub torn: u64,
}

/// An append-only log. One thread uses it; its calls may take as long as a disk does.
pub trait Store: Debug + Send {
    /// Hands over every batch, the oldest first. It is called once, before everything else.
    ///
    /// # Errors
    ///
    /// What cannot be read, or is damaged at a place where that loses what was durable. Also
    /// what `each` returns.
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError>;

    /// Appends batches. When it returns, they will be there after a crash of the machine.
    /// The first follows what was appended last.
    ///
    /// # Errors
    ///
    /// What the disk said. Then it is open whether some of them will be there; the caller
    /// appends the same batches again until that succeeds.
    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError>;

    /// Reads bytes that were appended, also across batches.
    ///
    /// # Errors
    ///
    /// What cannot be read, is damaged, or is not there.
    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError>;

    /// Forgets batches that end at or before a position. It may keep some of them: what
    /// it keeps has no gap.
    ///
    /// # Errors
    ///
    /// What the disk said. The log is as good as before.
    fn trim(&mut self, before: u64) -> Result<(), StoreError>;

    /// How many bytes are free where the log is; None, as without this method: there is no
    /// telling. [`Config::disk_free_limit`](crate::Config::disk_free_limit) is about it.
    fn free(&self) -> Option<u64> {
        None
    }
}

/// Makes the [`Store`] of a server when that starts.
pub trait Storage: Debug + Send + Sync {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;

    /// What a person calls it, for the first line of the log.
    fn describe(&self) -> String;
}
