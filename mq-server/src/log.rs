//! Where tracing's events go: standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::cli::LogFormat;
use crate::settings::{Log, SettingsError};

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Changes the level while the process runs.
pub(crate) struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    pub(crate) fn set(&self, log: &Log) -> Result<(), SettingsError> {
        let filter = filter(&log.level)?;
        // Without a subscriber there is nothing to be changed.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

/// Sets the process's subscriber.
pub(crate) fn start(log: &Log) -> Result<Level, SettingsError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
    Ok(Level(handle))
}

/// Refuses a level that is misspelt: the filter takes a word that it does not know for the
/// name of a crate, all of whose events it shows, and no others.
pub(crate) fn check_level(level: &str) -> Result<(), SettingsError> {
    filter(level).map(|_| ())
}

fn filter(text: &str) -> Result<EnvFilter, SettingsError> {
    let is_level = |word: &str| {
        LEVELS
            .iter()
            .any(|level| level.eq_ignore_ascii_case(word.trim()))
    };
    let ends_in_level = |directive: &str| match directive.rsplit_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(directive),
    };
    let filter = text
        .split(',')
        .all(ends_in_level)
        .then(|| EnvFilter::try_new(text).ok());
    filter.flatten().ok_or_else(|| SettingsError::LogLevel {
        level: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,mq_server=debug",
            "mq_server::listener=trace",
        ] {
            check_level(good).unwrap();
        }
        for bad in [
            "",
            "inf",
            "loud",
            "info,",
            "mq_server",
            "mq_server=loud",
            "=info",
            "5",
        ] {
            check_level(bad).unwrap_err();
        }
    }
}
