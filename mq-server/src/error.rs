//! Why a server could not start.

use std::io;

use crate::config::ConfigError;
use crate::hand::AdministerError;
use crate::store::StoreError;
use crate::transport::{Endpoint, TlsError};

/// The server did not start; nothing of it is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A listener could not have its address.
    #[error("cannot listen on {endpoint}: {}", advice(.source))]
    Bind {
        /// The listener.
        endpoint: Box<Endpoint>,
        /// What the operating system said.
        source: io::Error,
    },
    /// The settings contradict themselves, or can serve nobody.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log cannot be read, or another process has it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS is wanted, and cannot be offered.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The settings were read again, and cannot be taken over.
    #[error(transparent)]
    Reload(#[from] AdministerError),
    /// The runtime or its thread could not be made.
    #[error("cannot start the server's runtime: {0}")]
    Runtime(#[source] io::Error),
}

/// The operating system's error, with what to do about the usual ones.
fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the program that has it, or choose another port \
             (0 for any free one)"
                .into()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need a privilege, choose a higher one".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address; 127.0.0.1 and 0.0.0.0 always work"
                .into()
        }
        _ => error.to_string(),
    }
}
