//! Any bytes as a log: they make a broker that goes on, or are refused.

use std::time::Duration;

use bytes::Bytes;
use mq_core::{Config, Recovery, Store};

/// Runs one input.
pub fn run(data: &[u8]) {
    let config = Config {
        store: Store::Log,
        ..Config::default()
    };
    let mut recovery = Recovery::new(config).expect("the settings are fine");
    if recovery.batch(0, Bytes::copy_from_slice(data)).is_err() {
        return;
    }
    let Ok(mut broker) = recovery.finish(Duration::ZERO) else {
        return;
    };
    broker.handle_timeout(Duration::from_secs(1));
    while broker.poll_output().is_some() {}
    let counts = broker.statistics();
    let gone = counts.expired + counts.overflowed + counts.rejected + counts.discarded;
    let settled = counts.acknowledged + gone;
    assert_eq!(
        counts.queued,
        settled + counts.ready + counts.unacknowledged
    );
}
