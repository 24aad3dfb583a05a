//! Making a log readable again that was damaged in the middle.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::files::{Files, RealFiles};
use super::log;
use super::segment::{self, Block, HEAD, Head};

/// What [`repair`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// Bytes of the log that are lost.
    pub lost: u64,
    /// Copies of the damaged files, as they were.
    pub set_aside: Vec<PathBuf>,
}

/// Keeps what can be read of the log in a directory, and closes the gaps. Each damaged file
/// is kept under its name with `.damaged` at the end.
///
/// Messages whose records are lost are lost; if the record that a message was consumed is,
/// it is delivered again.
///
/// # Errors
///
/// What cannot be read or written, and [`StoreError::InUse`].
pub fn repair(directory: &Path) -> Result<Repaired, StoreError> {
    let files = RealFiles::lock(directory)?;
    repair_files(&files)
}

pub(super) fn repair_files(files: &dyn Files) -> Result<Repaired, StoreError> {
    let failed = |doing, name: &str| {
        let path = files.path().join(name);
        move |source| StoreError::Io {
            doing,
            path,
            source,
        }
    };
    let names = files.names().map_err(failed("read the directory", ""))?;
    let mut starts: Vec<u64> = names.iter().filter_map(|n| segment::start_of(n)).collect();
    starts.sort_unstable();
    let mut repaired = Repaired::default();
    for (index, &start) in starts.iter().enumerate() {
        let name = segment::name(start);
        let content = files.content(&name).map_err(failed("read", &name))?;
        if let Head::Version(version) = segment::read_head(&content, start) {
            let path = files.path().join(&name);
            return Err(StoreError::Format { path, version });
        }
        let until = starts.get(index + 1).copied();
        if until.is_none() && log::is_void(&content, &starts) {
            continue;
        }
        let Some(mended) = mend(&content, start, until) else {
            continue;
        };
        let aside = format!("{name}.damaged");
        let next = format!("{name}.mended");
        for (name, content) in [(&aside, &content), (&next, &mended.content)] {
            let mut file = files.create(name).map_err(failed("make", name))?;
            file.write_at(0, &mut [IoSlice::new(content)])
                .and_then(|()| file.sync())
                .map_err(failed("write", name))?;
        }
        files
            .rename(&next, &name)
            .and_then(|()| files.sync_directory())
            .map_err(failed("replace", &name))?;
        repaired.lost += mended.lost;
        repaired.set_aside.push(files.path().join(aside));
    }
    Ok(repaired)
}

struct Mended {
    content: Vec<u8>,
    lost: u64,
}

/// The content of a file with gaps in place of what is damaged, or None where nothing is.
/// `until` is the position of the next file.
fn mend(content: &[u8], start: u64, until: Option<u64>) -> Option<Mended> {
    let has_head = segment::read_head(content, start) == Head::Good;
    let mut mended = Mended {
        content: Vec::new(),
        lost: 0,
    };
    segment::write_head(&mut mended.content, start);
    let (mut offset, mut position) = (HEAD, start);
    // After the last whole batch: its length so far, and the position.
    let mut whole = (HEAD, start);
    let is_wanted = |position| until.is_none_or(|until| position < until);
    while is_wanted(position) {
        let next = Block::at(content, offset).filter(|block| block.position == position);
        if let Some(block) = next {
            mended.content.extend(&content[offset..block.end()]);
            (offset, position) = (block.end(), block.next);
            if block.ends_batch() {
                whole = (mended.content.len(), position);
            }
            continue;
        }
        // The end of the last file is no damage, unless a later block says so.
        let confirmed = |block: &Block| until.is_some() || block.durable > position;
        if Block::find(content, offset, confirmed).is_none() {
            break;
        }
        let intact = |block: &Block| {
            block.begins_batch() && block.position > position && is_wanted(block.position)
        };
        let Some((found, block)) = Block::find(content, offset, intact) else {
            break;
        };
        mended.gap(whole, block.position);
        (offset, position) = (found, block.position);
        whole = (mended.content.len(), position);
    }
    if let Some(until) = until.filter(|until| whole.1 < *until) {
        mended.gap(whole, until);
    }
    (mended.lost > 0 || !has_head).then_some(mended)
}

impl Mended {
    /// Leaves a gap after the last whole batch.
    fn gap(&mut self, (len, from): (usize, u64), to: u64) {
        self.content.truncate(len);
        segment::write_gap(&mut self.content, from, to);
        self.lost += to - from;
    }
}
