//! The engines, each by its own means.

use std::path::Path;

use bytes::Bytes;
use fjall::{PartitionCreateOptions, PersistMode};
use mq_server::store::{Batch, Directory, Storage, Store};
use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, LogBatch, MessageExt, ReadableSize};
use redb::{Database, ReadableTable, TableDefinition};
use wal_db::{Lsn, SegmentedStore, Wal};

use crate::Outcome;
use crate::engine::{BATCH, Engine, Open, content};

/// Bytes of one file, where that can be chosen.
const FILE: u64 = 16 << 20;

pub fn all() -> Vec<(&'static str, Open)> {
    vec![
        ("mq-server's files", |path| {
            Ok(Box::new(Ours(open_ours(path)?)))
        }),
        ("wal-db", |path| Ok(Box::new(WalDb::open(path)?))),
        ("raft-engine", |path| Ok(Box::new(Raft::open(path)?))),
        ("fjall", |path| Ok(Box::new(Fjall::open(path)?))),
        ("redb", |path| Ok(Box::new(Redb::open(path)?))),
    ]
}

struct Ours(Box<dyn Store>);

fn open_ours(path: &Path) -> Outcome<Box<dyn Store>> {
    Ok(Directory::new(path).with_segment_size(FILE).open()?)
}

fn position(index: u64) -> u64 {
    index * BATCH as u64
}

impl Engine for Ours {
    fn append(&mut self, first: u64, count: u64) -> Outcome<()> {
        if first == 0 {
            self.recover()?;
        }
        let batches: Vec<Batch> = (first..first + count)
            .map(|index| Batch::new(position(index), content(index)))
            .collect();
        Ok(self.0.append(&batches)?)
    }

    fn read(&mut self, index: u64) -> Outcome<Vec<u8>> {
        let bytes: Bytes = self.0.read(position(index), BATCH)?;
        Ok(bytes.into())
    }

    fn recover(&mut self) -> Outcome<u64> {
        let mut count = 0;
        self.0.recover(&mut |_| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    fn trim(&mut self, before: u64) -> Outcome<()> {
        Ok(self.0.trim(position(before))?)
    }
}

struct WalDb(Wal<SegmentedStore>);

impl WalDb {
    fn open(path: &Path) -> Outcome<Self> {
        Ok(Self(Wal::open_segmented(path, FILE)?))
    }

    /// Its positions count the twelve bytes before each record.
    fn lsn(&self, index: u64) -> Lsn {
        Lsn::new(index * (BATCH as u64 + wal_db_overhead()))
    }
}

/// Bytes of framing for each record.
fn wal_db_overhead() -> u64 {
    static OVERHEAD: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *OVERHEAD.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let wal = Wal::open(directory.path().join("one")).expect("a log");
        let first = wal.append(&[0; BATCH]).expect("a record");
        wal.len() - first.get() - BATCH as u64
    })
}

impl Engine for WalDb {
    fn append(&mut self, first: u64, count: u64) -> Outcome<()> {
        for index in first..first + count {
            let lsn = self.0.append(&content(index))?;
            assert_eq!(lsn.get(), self.lsn(index).get());
        }
        Ok(self.0.sync()?)
    }

    fn read(&mut self, index: u64) -> Outcome<Vec<u8>> {
        let mut records = self.0.iter_from(self.lsn(index))?;
        Ok(records.next().ok_or("no record")??.into_data())
    }

    fn recover(&mut self) -> Outcome<u64> {
        let mut count = 0;
        for record in self.0.iter()? {
            record?;
            count += 1;
        }
        Ok(count)
    }

    fn trim(&mut self, before: u64) -> Outcome<()> {
        let head = self.0.truncate_before(self.lsn(before))?;
        assert!(head <= self.lsn(before));
        Ok(())
    }
}

struct Raft(raft_engine::Engine);

/// The one log of many that it could keep.
const REGION: u64 = 1;

/// An entry's index is the number of the batch, which its content begins with, and one.
struct Entry;

impl MessageExt for Entry {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        let number = entry.value.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(number) + 1
    }
}

impl Raft {
    fn open(path: &Path) -> Outcome<Self> {
        let config = Config {
            dir: path.to_str().ok_or("a path that is no text")?.to_owned(),
            target_file_size: ReadableSize(FILE),
            purge_threshold: ReadableSize(FILE),
            batch_compression_threshold: ReadableSize(0),
            ..Config::default()
        };
        Ok(Self(raft_engine::Engine::open(config)?))
    }
}

impl Engine for Raft {
    fn append(&mut self, first: u64, count: u64) -> Outcome<()> {
        let entries: Vec<BytesValue> = (first..first + count)
            .map(|index| BytesValue {
                value: content(index),
                ..BytesValue::default()
            })
            .collect();
        let mut batch = LogBatch::default();
        batch.add_entries::<Entry>(REGION, &entries)?;
        self.0.write(&mut batch, true)?;
        Ok(())
    }

    fn read(&mut self, index: u64) -> Outcome<Vec<u8>> {
        let entry = self.0.get_entry::<Entry>(REGION, index + 1)?;
        Ok(entry.ok_or("no entry")?.value)
    }

    fn recover(&mut self) -> Outcome<u64> {
        let (Some(first), Some(last)) = (self.0.first_index(REGION), self.0.last_index(REGION))
        else {
            return Ok(0);
        };
        let mut entries = Vec::new();
        for from in (first..=last).step_by(1024) {
            entries.clear();
            let to = (from + 1024).min(last + 1);
            self.0
                .fetch_entries_to::<Entry>(REGION, from, to, None, &mut entries)?;
        }
        Ok(last)
    }

    fn trim(&mut self, before: u64) -> Outcome<()> {
        self.0.compact_to(REGION, before + 1);
        // It looks at a part of its files each time.
        for _ in 0..4 {
            self.0.purge_expired_files()?;
        }
        Ok(())
    }
}

struct Fjall {
    keyspace: fjall::Keyspace,
    log: fjall::PartitionHandle,
}

impl Fjall {
    fn open(path: &Path) -> Outcome<Self> {
        let keyspace = fjall::Config::new(path).open()?;
        let log = keyspace.open_partition("log", PartitionCreateOptions::default())?;
        Ok(Self { keyspace, log })
    }
}

impl Engine for Fjall {
    fn append(&mut self, first: u64, count: u64) -> Outcome<()> {
        let mut batch = self
            .keyspace
            .batch()
            .durability(Some(PersistMode::SyncData));
        for index in first..first + count {
            batch.insert(&self.log, index.to_be_bytes(), content(index));
        }
        Ok(batch.commit()?)
    }

    fn read(&mut self, index: u64) -> Outcome<Vec<u8>> {
        let value = self.log.get(index.to_be_bytes())?;
        Ok(value.ok_or("no value")?.to_vec())
    }

    fn recover(&mut self) -> Outcome<u64> {
        let mut count = 0;
        for pair in self.log.iter() {
            pair?;
            count += 1;
        }
        Ok(count)
    }

    fn trim(&mut self, before: u64) -> Outcome<()> {
        let mut batch = self.keyspace.batch();
        for index in 0..before {
            batch.remove(&self.log, index.to_be_bytes());
        }
        batch.commit()?;
        self.log.rotate_memtable_and_wait()?;
        Ok(self.log.major_compact()?)
    }
}

struct Redb(Database);

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

impl Redb {
    fn open(path: &Path) -> Outcome<Self> {
        Ok(Self(Database::create(path.join("log.redb"))?))
    }
}

impl Engine for Redb {
    fn append(&mut self, first: u64, count: u64) -> Outcome<()> {
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            for index in first..first + count {
                table.insert(index, content(index).as_slice())?;
            }
        }
        Ok(write.commit()?)
    }

    fn read(&mut self, index: u64) -> Outcome<Vec<u8>> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        Ok(table.get(index)?.ok_or("no value")?.value().to_vec())
    }

    fn recover(&mut self) -> Outcome<u64> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let mut count = 0;
        for pair in table.iter()? {
            assert_eq!(pair?.1.value().len(), BATCH);
            count += 1;
        }
        Ok(count)
    }

    fn trim(&mut self, before: u64) -> Outcome<()> {
        let write = self.0.begin_write()?;
        write.open_table(TABLE)?.retain_in(..before, |_, _| false)?;
        write.commit()?;
        self.0.compact()?;
        Ok(())
    }
}
