//! The settings that can change while the server runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mq_core::SlowConsumers;

use crate::Config;

/// Shared by all listeners and the broker's task. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Live(Arc<RwLock<Arc<Values>>>);

/// They hold for what happens from now on: a connection keeps those with which its task began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) handshake_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) linger: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) login_timeout: Duration,
    pub(crate) slow_consumers: SlowConsumers,
    pub(crate) disk_free_limit: u64,
    pub(crate) tcp_keepalive: Duration,
    pub(crate) max_connections: u32,
    pub(crate) max_connections_per_address: u32,
}

impl Live {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(config.into()))))
    }

    pub(crate) fn get(&self) -> Arc<Values> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, config: &Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config.into());
    }
}

impl From<&Config> for Values {
    fn from(config: &Config) -> Self {
        Self {
            handshake_timeout: config.handshake_timeout,
            write_timeout: config.write_timeout,
            linger: config.linger,
            shutdown_grace: config.shutdown_grace,
            login_timeout: config.broker.login_timeout,
            slow_consumers: config.broker.slow_consumers,
            disk_free_limit: config.disk_free_limit,
            tcp_keepalive: config.tcp_keepalive,
            max_connections: config.max_connections,
            max_connections_per_address: config.max_connections_per_address,
        }
    }
}
