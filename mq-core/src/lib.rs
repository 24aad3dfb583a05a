//! A deterministic reference broker, without I/O, clock or thread.
#![cfg_attr(not(feature = "std"), no_std)]
// No input from a peer may panic: what could is denied outside of tests.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]
#![allow(dead_code)]

extern crate alloc;

mod broker;
mod config;
mod exchange;
mod frontend;
mod limits;
mod message;
mod queue;
mod refusal;
mod session;
mod statistics;
mod topic;
mod vhost;

pub use broker::{Broker, ConnectionId, Input, Output, Protocol};
pub use config::{Config, ConfigError};
pub use limits::Limits;
pub use statistics::Statistics;
