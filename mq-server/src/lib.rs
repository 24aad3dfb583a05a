//! The reference broker on TCP: [`mq_core`]'s deterministic broker with
//! sockets, timers and signals around it.
//!
//! The broker itself is sans-IO. This crate is its shell and nothing more: it
//! accepts connections, moves bytes between sockets and the broker, and tells
//! the broker the time. One task owns the [`mq_core::Broker`]; each connection
//! has a task that reads and a task that writes, and they share nothing but
//! channels.
//!
//! ```text
//!  socket -> reader --\                      /--> writer -> socket
//!  socket -> reader ----> broker task (owns) ---> writer -> socket
//!  socket -> reader --/   the Broker         \--> writer -> socket
//! ```
//!
//! Inside a tokio runtime, [`Server::start`]:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), mq_server::StartError> {
//! let server = mq_server::Server::start(mq_server::Config::ephemeral()).await?;
//! println!("AMQP on {}", server.amqp_addr().expect("the listener is on"));
//! server.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! Without one, [`BlockingServer::start`], which runs the same server on a
//! thread of its own.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the shell that owns the clock for the pure crates"
)]

mod blocking;
mod broker_task;
mod config;
mod connection;
mod error;
mod listener;
mod live;
mod places;
mod server;
pub mod store;
mod throttle;
mod transport;

pub use blocking::BlockingServer;
pub use config::{Config, ConfigError, Listen, name};
pub use error::StartError;
pub use mq_core::Protocol;
pub use server::Server;
pub use transport::{Address, Endpoint, EndpointError, Speaks, TlsError, TlsFiles};

/// The examples of the workspace's README, so that they stay true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
