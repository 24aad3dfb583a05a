//! Where tracing's events go: standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::EnvFilter;

use crate::cli::LogFormat;
use crate::settings::{Log, SettingsError};

/// Sets the process's subscriber.
pub(crate) fn start(log: &Log) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(&log.level).map_err(|_| SettingsError::LogLevel {
        level: log.level.clone(),
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
