//! A log in a directory of the file system.

use std::path::PathBuf;

use super::files::RealFiles;
use super::log::Log;
use super::{Storage, Store, StoreError};

/// A log in files in a directory, which is made if it is not there. One process can use it
/// at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directory {
    /// Where the files are.
    pub path: PathBuf,
    /// Bytes after which another file is begun. Room is given back by whole files. Default
    /// 64 MiB.
    pub segment_size: u64,
}

impl Directory {
    /// A log in this directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            segment_size: 64 << 20,
        }
    }

    /// Begins another file after so many bytes.
    #[must_use]
    pub fn with_segment_size(self, segment_size: u64) -> Self {
        Self {
            segment_size,
            ..self
        }
    }
}

impl Storage for Directory {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let files = RealFiles::lock(&self.path)?;
        Ok(Box::new(Log::new(Box::new(files), self.segment_size)))
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}
