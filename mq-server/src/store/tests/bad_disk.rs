//! A disk in memory that forgets what is not synced, and refuses what it is told to.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::store::files::{Files, LogFile};

/// Fibonacci hashing and a shift: as random as these tests need.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// What is there after a crash.
    safe: Vec<u8>,
    /// A sync has failed: what was written up to then may never be safe, and the next sync
    /// says that all is well.
    poisoned: bool,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    files: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    safe_names: BTreeMap<String, u64>,
    /// Bytes that can still be written.
    room: Option<usize>,
    failing_syncs: usize,
    syncs: usize,
}

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct BadDisk(Arc<Mutex<State>>);

impl BadDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets so many bytes be written and no more; None is no limit.
    pub(super) fn set_room(&self, room: Option<usize>) {
        self.state().room = room;
    }

    /// Refuses the next syncs.
    pub(super) fn fail_syncs(&self, count: usize) {
        self.state().failing_syncs = count;
    }

    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// The machine loses power: what is not safe is there, or not, or in part.
    pub(super) fn crash(&self, random: &mut Random) {
        let mut state = self.state();
        let state = &mut *state;
        if random.one_in(2) {
            state.names.clone_from(&state.safe_names);
        }
        for content in state.files.values_mut() {
            let mut bytes = std::mem::take(&mut content.safe);
            if !content.poisoned && random.one_in(2) {
                // Some of the new pages, in any order; the others are zero.
                let len = content.bytes.len().max(bytes.len());
                let from = bytes.len();
                bytes.resize(from + random.below(len - from + 1), 0);
                for (index, page) in bytes[from..].chunks_mut(512).enumerate() {
                    if !random.one_in(3) {
                        let at = from + index * 512;
                        page.copy_from_slice(&content.bytes[at..at + page.len()]);
                    }
                }
            }
            *content = Content {
                safe: bytes.clone(),
                bytes,
                poisoned: false,
            };
        }
        state.safe_names.clone_from(&state.names);
        (state.room, state.failing_syncs) = (None, 0);
    }

    /// Changes the bytes of a file, as a bad disk does.
    pub(super) fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = state.names[name];
        let content = state.files.get_mut(&id).unwrap();
        edit(&mut content.bytes);
        content.safe.clone_from(&content.bytes);
    }
}

impl Files for BadDisk {
    fn free(&self) -> io::Result<u64> {
        let room = self.state().room;
        Ok(room.map_or(u64::MAX, |room| room as u64))
    }

    fn path(&self) -> &Path {
        Path::new("data")
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn content(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let id = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[id].bytes.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut state = self.state();
        if state.room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.next += 1;
        let id = state.next;
        state.files.insert(id, Content::default());
        state.names.insert(name.to_owned(), id);
        Ok(Box::new(BadFile(self.clone(), id)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let state = self.state();
        let id = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(BadFile(self.clone(), *id)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.state().names.remove(name);
        removed.map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.safe_names = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct BadFile(BadDisk, u64);

impl LogFile for BadFile {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.0.state();
        let bytes = &state.files[&self.1].bytes;
        let from = offset as usize;
        let part = bytes.get(from..from + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let mut state = self.0.state();
        let room = state.room.unwrap_or(usize::MAX).min(bytes.len());
        state.room = state.room.map(|left| left - room);
        let content = state.files.get_mut(&self.1).unwrap();
        let from = offset as usize;
        content
            .bytes
            .resize(content.bytes.len().max(from + room), 0);
        content.bytes[from..from + room].copy_from_slice(&bytes[..room]);
        match room == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.0.state();
        let content = state.files.get_mut(&self.1).unwrap();
        content.bytes.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.state();
        state.syncs += 1;
        let fails = state.failing_syncs > 0;
        state.failing_syncs = state.failing_syncs.saturating_sub(1);
        let content = state.files.get_mut(&self.1).unwrap();
        if fails {
            content.poisoned = true;
            return Err(io::Error::other("input/output error"));
        }
        if !content.poisoned {
            content.safe = content.bytes.clone();
        }
        Ok(())
    }
}
