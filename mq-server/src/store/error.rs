//! What can be wrong with a store.

use std::io;
use std::path::PathBuf;

/// A store that cannot be used, or cannot do what it was asked for. Each message is one line
/// that says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused something.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing can be kept in the directory.
    #[error(
        "cannot keep the log in {}: {}: choose a directory that this user may write to \
         (--data DIR), or keep nothing (--ephemeral)",
        .path.display(), why(.source)
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error(
        "{} is in use by another mq-server: stop that, or choose another directory (--data DIR)",
        .0.display()
    )]
    InUse(PathBuf),
    /// Another process has the table.
    #[error(
        "the log in this database is in use by another mq-server: stop that, or choose another database"
    )]
    DatabaseInUse,
    /// Another process has had the table meanwhile.
    #[error(
        "another mq-server has taken over the log in this database: this one writes nothing any more"
    )]
    Replaced,
    /// The database refused something, or cannot be reached.
    #[error("cannot {doing} in the database: {reason}")]
    Database {
        /// What was tried, as a verb.
        doing: &'static str,
        /// What the database or its client said.
        reason: String,
    },
    /// This program was built without it.
    #[error("this mq-server was built without PostgreSQL: build it with --features postgres")]
    NoPostgres,
    /// A file of the log is damaged, and later parts of the log are not: they were
    /// confirmed, and what is damaged was too.
    #[error(
        "{} is damaged at byte {offset}, and what follows is not: `mq-server repair --data {}` \
         keeps what can be read and sets the damaged file aside",
        .directory.join(.name).display(), .directory.display()
    )]
    Damaged {
        /// Where the log is.
        directory: PathBuf,
        /// The file.
        name: String,
        /// Where in the file the damage begins.
        offset: u64,
    },
    /// A file was written by another version of this program.
    #[error("{} has format {version}, which this version of mq-server does not know", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format's number.
        version: u8,
    },
    /// A position that was trimmed, or was never written.
    #[error("there is nothing at position {0} of the log")]
    NotThere(u64),
    /// A batch that does not follow the one before.
    #[error("a batch for position {position} cannot follow position {end} of the log")]
    NoSuccessor {
        /// Where the batch is to be.
        position: u64,
        /// Where the log ends.
        end: u64,
    },
    /// The batches were read, and the broker cannot use them.
    #[error("the log cannot be used: {0}")]
    Unusable(String),
}

/// Why a directory cannot be used, in the words of the operating system where there are no
/// better ones.
fn why(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "it is no directory",
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::QuotaExceeded => "the quota of the disk is used up",
        _ => return error.to_string(),
    };
    known.to_owned()
}
