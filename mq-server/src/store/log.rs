//! The log in files: a file is written to its end, and then another one is begun.
//!
//! A group of batches is written and synced as a whole. After anything has failed, the file
//! is not written to again: an fsync that failed once may say that all is well the next time,
//! though the kernel has dropped what it could not write. The batches that are not durable
//! are written again, into a new file, which begins where the durable part ends.

use std::collections::BTreeMap;
use std::io;

use bytes::{Bytes, BytesMut};

use super::files::{Files, LogFile};
use super::gathered::Gathered;
use super::segment::{self, BLOCK_HEAD, Block, HEAD, Head, Reader};
use super::{Batch, Recovered, Store, StoreError};

/// A file is remembered by the offsets of blocks that are at least so many bytes apart.
const STRIDE: usize = 16 * 1024;

/// From one of those blocks on, these bytes hold the heads of all blocks up to the next.
const WINDOW: usize = STRIDE + BLOCK_HEAD;

/// What is kept of the buffer between two groups.
const KEEP: usize = 1 << 20;

/// However little room there is, so many bytes are worth a file.
const SMALLEST: u64 = 1 << 20;

/// A log in files of about the same size.
#[derive(Debug)]
pub(super) struct Log {
    files: Box<dyn Files>,
    /// A file that has reached this size gets no more.
    segment_size: u64,
    /// The files by their first positions.
    segments: BTreeMap<u64, Segment>,
    /// The file that is written to. None where the next group begins a new one.
    active: Option<Active>,
    /// Everything before this position is on disk.
    durable: u64,
    /// For what is small of a group.
    buffer: Vec<u8>,
    /// The file that was read from last, by its first position.
    reading: Option<(u64, Box<dyn LogFile>)>,
}

#[derive(Debug, Default)]
struct Segment {
    /// Positions and offsets of some blocks, the first among them.
    index: Vec<(u64, u64)>,
    /// Bytes of the file that are durable.
    len: u64,
}

#[derive(Debug)]
struct Active {
    start: u64,
    file: Box<dyn LogFile>,
}

impl Log {
    pub(super) fn new(files: Box<dyn Files>, segment_size: u64) -> Self {
        Self {
            files,
            segment_size,
            segments: BTreeMap::new(),
            active: None,
            durable: 0,
            buffer: Vec::new(),
            reading: None,
        }
    }

    fn failed(
        &self,
        doing: &'static str,
        name: &str,
    ) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = self.files.path().join(name);
        move |source| StoreError::Io {
            doing,
            path,
            source,
        }
    }

    fn damaged(&self, start: u64, offset: u64) -> StoreError {
        StoreError::Damaged {
            directory: self.files.path().to_owned(),
            name: segment::name(start),
            offset,
        }
    }

    /// The positions at which the files begin.
    fn starts(&self) -> Result<Vec<u64>, StoreError> {
        let names = self
            .files
            .names()
            .map_err(self.failed("read the directory", ""))?;
        let mut starts: Vec<u64> = names
            .iter()
            .filter_map(|name| segment::start_of(name))
            .collect();
        starts.sort_unstable();
        Ok(starts)
    }

    /// Removes the last file if nothing in it was ever durable. Returns how many bytes it
    /// had.
    fn drop_void(&self, starts: &[u64]) -> Result<Option<usize>, StoreError> {
        let Some(&start) = starts.last() else {
            return Ok(None);
        };
        let name = segment::name(start);
        let content = self
            .files
            .content(&name)
            .map_err(self.failed("read", &name))?;
        if !is_void(&content, starts) {
            return Ok(None);
        }
        self.files
            .remove(&name)
            .map_err(self.failed("remove", &name))?;
        Ok(Some(content.len()))
    }

    /// Reads one file. `until` is the position at which the next one begins: up to there all
    /// has to be there. The last file may end with a write that was cut short. Returns how
    /// many bytes follow what is whole.
    fn recover_segment(
        &mut self,
        start: u64,
        until: Option<u64>,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<usize, StoreError> {
        let name = segment::name(start);
        let content = self
            .files
            .content(&name)
            .map_err(self.failed("read", &name))?;
        let content = Bytes::from(content);
        match segment::read_head(&content, start) {
            Head::Good => {}
            Head::Bad => return Err(self.damaged(start, 0)),
            Head::Version(version) => {
                let path = self.files.path().join(&name);
                return Err(StoreError::Format { path, version });
            }
        }
        let mut reader = Reader::new(content, start);
        let mut segment = Segment::default();
        while until.is_none_or(|until| reader.position < until)
            && let Some(batch) =
                reader.next(|position, offset| segment.mark(position, offset as u64))
        {
            each(batch)?;
        }
        let is_whole = match until {
            Some(until) => reader.position == until || reader.after_gaps() == until,
            None => !reader.is_damaged(),
        };
        if !is_whole {
            return Err(self.damaged(start, reader.offset as u64));
        }
        segment.forget(reader.position);
        segment.len = reader.offset as u64;
        self.segments.insert(start, segment);
        self.durable = until.unwrap_or(reader.position);
        Ok(reader.left())
    }

    /// Cuts off what is no whole batch, and goes on writing after it.
    fn open_active(&mut self, start: u64) -> Result<(), StoreError> {
        let name = segment::name(start);
        let mut file = self.files.open(&name).map_err(self.failed("open", &name))?;
        let len = self.segments.get(&start).map_or(0, |segment| segment.len);
        // What was read may be in memory alone, if a process has written it that was killed.
        file.truncate(len)
            .and_then(|()| file.sync())
            .map_err(self.failed("write", &name))?;
        self.active = Some(Active { start, file });
        Ok(())
    }

    /// Reads what one block has of the bytes from a position to another.
    fn read_block(&mut self, from: u64, to: u64, out: &mut BytesMut) -> Result<(), StoreError> {
        let (&start, segment) = self
            .segments
            .range(..=from)
            .next_back()
            .ok_or(StoreError::NotThere(from))?;
        let (marked, len) = (segment.before(from), segment.len);
        let name = segment::name(start);
        let unreadable = self.failed("read", &name);
        let file = self.open_for_reading(start)?;
        let mut window = vec![0; usize::try_from(len - marked).unwrap_or(WINDOW).min(WINDOW)];
        if let Err(error) = file.read_at(marked, &mut window) {
            return Err(unreadable(error));
        }
        // Those before it are passed over unseen: what is handed out is verified.
        let (mut at, mut size) = (0, 0);
        while let Some((position, length)) = Block::peek(&window, at + size)
            && position <= from
        {
            (at, size) = (at + size, length);
        }
        let offset = marked + at as u64;
        let mut whole = vec![0; size];
        if let Err(error) = file.read_at(offset, &mut whole) {
            return Err(unreadable(error));
        }
        let Some(block) = Block::at(&whole, 0) else {
            return Err(self.damaged(start, offset));
        };
        if from < block.position || from >= block.next || block.is_gap() {
            return Err(StoreError::NotThere(from));
        }
        let skip = (from - block.position) as usize;
        let take = (block.next.min(to) - from) as usize;
        out.extend_from_slice(&whole[block.payload][skip..skip + take]);
        Ok(())
    }

    fn open_for_reading(&mut self, start: u64) -> Result<&mut dyn LogFile, StoreError> {
        let file = match self.reading.take() {
            Some((open, file)) if open == start => file,
            _ => {
                let name = segment::name(start);
                self.files.open(&name).map_err(self.failed("open", &name))?
            }
        };
        Ok(&mut *self.reading.insert((start, file)).1)
    }

    /// The file that the next group goes to, and whether it is a new one.
    fn target(&mut self) -> Result<(Active, bool), StoreError> {
        // Room is given back by whole files: where there is little left, they are small.
        let room = self.files.free().map_or(u64::MAX, |free| free / 4);
        let size = self.segment_size.min(room.max(SMALLEST));
        let is_full = |active: &Active| {
            let segment = self.segments.get(&active.start);
            segment.is_none_or(|segment| segment.len >= size)
        };
        if let Some(active) = self.active.take_if(|active| !is_full(active)) {
            return Ok((active, false));
        }
        self.active = None;
        let name = segment::name(self.durable);
        let file = self
            .files
            .create(&name)
            .map_err(self.failed("make", &name))?;
        let start = self.durable;
        self.segments.insert(start, Segment::default());
        Ok((Active { start, file }, true))
    }

    /// Writes a group, and syncs it. The file that could not be written is not used again.
    fn write(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let (mut active, is_new) = self.target()?;
        let segment = self.segments.entry(active.start).or_default();
        let mut group = Gathered::new(std::mem::take(&mut self.buffer));
        if is_new {
            segment::write_head(group.buffer(), active.start);
        }
        let from = segment.len;
        for batch in batches {
            segment::write_batch(&mut group, batch, self.durable, |position, offset| {
                segment.mark(position, from + offset as u64);
            });
        }
        let written = active
            .file
            .write_at(from, &mut group.slices())
            .and_then(|()| active.file.sync());
        let written = match is_new {
            true => written.and_then(|()| self.files.sync_directory()),
            false => written,
        };
        if let Err(error) = written {
            let name = segment::name(active.start);
            self.abandon(active);
            return Err(self.failed("write", &name)(error));
        }
        segment.len += group.len() as u64;
        self.buffer = group.into_buffer();
        self.buffer.shrink_to(KEEP);
        self.active = Some(active);
        Ok(())
    }

    /// Leaves a file that could not be written as it was before.
    fn abandon(&mut self, active: Active) {
        let Active { start, mut file } = active;
        let Some(segment) = self.segments.get_mut(&start) else {
            return;
        };
        segment.forget(self.durable);
        // These only give room back. What stays there is passed over, since the next
        // file begins before it.
        if segment.index.is_empty() {
            self.segments.remove(&start);
            let _ = self.files.remove(&segment::name(start));
        } else {
            let _ = file.truncate(segment.len);
        }
    }
}

/// Whether the last of the files that begin at `starts` has this content because the first
/// write to it was cut short.
pub(super) fn is_void(content: &[u8], starts: &[u64]) -> bool {
    let Some(&start) = starts.last() else {
        return false;
    };
    // What came before a file is only forgotten once the file is durable.
    let is_alone = starts.len() == 1 && start > 0;
    segment::read_head(content, start) == Head::Bad
        && !is_alone
        && Block::find(content, HEAD, |block| block.durable > start).is_none()
}

impl Segment {
    /// Remembers where a block is, if the last one that is remembered is far enough away.
    fn mark(&mut self, position: u64, offset: u64) {
        if self
            .index
            .last()
            .is_none_or(|(_, last)| *last + STRIDE as u64 <= offset)
        {
            self.index.push((position, offset));
        }
    }

    /// Forgets blocks from a position on.
    fn forget(&mut self, from: u64) {
        self.index.retain(|(position, _)| *position < from);
    }

    /// The offset of a block at or before a position.
    fn before(&self, position: u64) -> u64 {
        let after = self.index.partition_point(|(begin, _)| *begin <= position);
        let last = after.checked_sub(1).and_then(|last| self.index.get(last));
        last.map_or(HEAD as u64, |(_, offset)| *offset)
    }
}

impl Store for Log {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError> {
        let mut starts = self.starts()?;
        let mut recovered = Recovered::default();
        if let Some(len) = self.drop_void(&starts)? {
            recovered.torn += len as u64;
            starts.pop();
        }
        self.durable = starts.first().copied().unwrap_or_default();
        for (index, &start) in starts.iter().enumerate() {
            let until = starts.get(index + 1).copied();
            let torn = self.recover_segment(start, until, each)?;
            if until.is_none() {
                recovered.torn += torn as u64;
                self.open_active(start)?;
            }
        }
        Ok(recovered)
    }

    fn free(&self) -> Option<u64> {
        // What cannot be said now may be later.
        self.files.free().ok()
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut end = self.durable;
        for batch in batches {
            let position = batch.position;
            if position != end {
                return Err(StoreError::NoSuccessor { position, end });
            }
            end = batch.end();
        }
        if batches.is_empty() {
            return Ok(());
        }
        self.write(batches)?;
        self.durable = end;
        Ok(())
    }

    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
        let end = position.saturating_add(len as u64);
        if end > self.durable {
            return Err(StoreError::NotThere(end));
        }
        let mut read = BytesMut::with_capacity(len);
        while read.len() < len {
            self.read_block(position + read.len() as u64, end, &mut read)?;
        }
        Ok(read.freeze())
    }

    fn trim(&mut self, before: u64) -> Result<(), StoreError> {
        loop {
            let mut starts = self.segments.keys().copied();
            let (Some(first), Some(next)) = (starts.next(), starts.next()) else {
                return Ok(());
            };
            if next > before {
                return Ok(());
            }
            // One after the other, so that a crash leaves no gap.
            let name = segment::name(first);
            self.files
                .remove(&name)
                .map_err(self.failed("remove", &name))?;
            self.files
                .sync_directory()
                .map_err(self.failed("write", ""))?;
            self.segments.remove(&first);
        }
    }
}
