//! Making the broker of what is in the store.

use mq_core::{Broker, Recovery};

use crate::live::Live;
use crate::store::writer::Writer;
use crate::store::{Store, StoreError};
use crate::{Config, ConfigError, StartError};

/// The broker, and the hand on the log that it writes, where it has one.
pub(crate) fn open(
    config: &mut Config,
    live: Live,
) -> Result<(Broker, Option<Writer>), StartError> {
    let Some(storage) = config.store.clone() else {
        tracing::info!("nothing is kept: what clients have sent is gone with this process");
        config.broker.store = mq_core::Store::None;
        let broker = Broker::new(config.broker.clone()).map_err(ConfigError::Broker)?;
        return Ok((broker, None));
    };
    config.broker.store = mq_core::Store::Log;
    let store = storage.open()?;
    tracing::info!(data = storage.describe(), "the log is kept here");
    recover(config, live, store)
}

fn recover(
    config: &Config,
    live: Live,
    mut store: Box<dyn Store>,
) -> Result<(Broker, Option<Writer>), StartError> {
    let mut recovery = Recovery::new(config.broker.clone()).map_err(unusable)?;
    let (mut batches, mut end) = (0_u64, 0);
    let recovered = store.recover(&mut |batch| {
        if batches > 0 && batch.position > end {
            let bytes = batch.position - end;
            tracing::warn!(bytes, "a part of the log is lost, since it was repaired");
            recovery.skip(batch.position);
        }
        batches += 1;
        end = batch.end();
        recovery
            .batch(batch.position, batch.to_bytes())
            .map_err(unusable)
    })?;
    if recovered.torn > 0 {
        let bytes = recovered.torn;
        tracing::warn!(
            bytes,
            "cut off a write that was not complete, and not confirmed"
        );
    }
    let broker = recovery
        .finish(std::time::Duration::ZERO)
        .map_err(unusable)?;
    tracing::info!(batches, "the log was read");
    let writer = Writer::start(store, end, live).map_err(StartError::Runtime)?;
    Ok((broker, Some(writer)))
}

fn unusable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unusable(error.to_string())
}
