//! The reference broker on TCP: [`mq_core`]'s deterministic broker with
//! sockets, timers and signals around it.
//!
//! The broker itself is sans-IO. This crate is its shell and nothing more: it
//! accepts connections, moves bytes between sockets and the broker, and tells
//! the broker the time. One task owns the [`mq_core::Broker`]; each connection
//! has a task that reads and writes, while it has something to do. A thread writes
//! the log ([`store`]), where one is kept.
//!
//! ```text
//!  socket <-> connection --\    commands     broker task (owns
//!  socket <-> connection ------------------> the Broker)
//!  socket <-> connection <-/  bytes to write
//! ```
//!
//! # Threads
//!
//! Of tokio's workers one runs the broker's task at a time, front ends and codecs in it; the
//! others run the tasks of connections: their system calls, TLS, WebSocket. Where the processor
//! time of a message goes that one client publishes and another one gets (`perf` beside `mqload`,
//! `-l pipe`, on two processors that others used as well):
//!
//! | part of the time | MQTT QoS 0, 16 B | AMQP, 16 B | STOMP, 16 B | MQTT, 64 KiB |
//! |---|---:|---:|---:|---:|
//! | front ends and codecs | 18 % | 28 % | 36 % | 2 % |
//! | model, broker | 48 % | 40 % | 31 % | 6 % |
//! | kernel | 11 % | 13 % | 11 % | 70 % |
//! | tasks of connections, tokio | 3 % | 2 % | 2 % | 5 % |
//! | allocator, copies, the rest | 20 % | 17 % | 20 % | 16 % |
//!
//! What a message takes of each thread (`benches/threads`; 64 bytes, user and kernel mode in
//! nanoseconds, on two processors that others used as well). The broker's task moves between the
//! workers, so that they share the time evenly; a message that is stored has its fdatasync in the
//! kernel time of the store's thread.
//!
//! | thread | | AMQP | MQTT | STOMP |
//! |---|---|---:|---:|---:|
//! | both workers | `pipe` | 1362 + 180 | 1209 + 112 | 1904 + 189 |
//! | both workers | `confirmed` | 2496 + 378 | 3073 + 1048 | 3523 + 432 |
//! | both workers | `confirmed,durable=yes` | 3660 + 425 | 4716 + 1178 | 6615 + 1339 |
//! | `mq-store` | `confirmed,durable=yes` | 106 + 1284 | 168 + 2203 | 177 + 2185 |
//!
//! A front end in the task of its connection would take a fifth to two fifths of the work from
//! the busiest thread: 1.2 to 1.6 times the messages, where there is a third processor that has
//! nothing else to do, less what it costs to hand each request and notice to another thread. On
//! two processors it would be nothing. So the broker is one, in one thread, and does the same in
//! a test; `mq_core::frontend` and `mq_core::model` are the two halves for a shell that wants
//! them apart.
//!
//! The broker's task leaves its worker to others once in a millisecond while it has work: each time
//! the runtime wakes another worker to look for it. A thread of its own for it was measured over
//! AMQP, on two processors: 1.1 to 1.2 times the small messages of one producer, 1.0 in fan-out, 0.8
//! of those of 16 KiB, and 1.4 times the processor time where there are few of them.
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
//!
//! # Testing a program against a broker
//!
//! A test has a broker of its own, on ports that nobody else has, and it is gone when the
//! test is over: dropping it takes a fraction of a second, whatever clients are connected.
//! [`inject`](BlockingServer::inject) has things go wrong in it. [`testing`] has more.
//!
//! ```
//! use std::time::Duration;
//! use mq_server::{BlockingServer, Config, store::Memory};
//!
//! # fn program_under_test(_: std::net::SocketAddr) {}
//! let mut config = Config::ephemeral();
//! // What is confirmed outlives the server, for as long as the test runs.
//! let log = Memory::new();
//! config.store = Some(std::sync::Arc::new(log));
//! let server = BlockingServer::start(config.clone())?;
//! program_under_test(server.amqp_addr().expect("AMQP is on"));
//!
//! // Waits for what the program does at some time; it says whether that came.
//! let seen = server.wait_until(Duration::from_millis(50), |now| now.statistics.published > 9);
//! assert!(!seen, "nothing was published");
//! // The program has to connect again, and to go on, when its connections are cut ..
//! server.cut_connections();
//! // .. and when the broker is started again.
//! server.shutdown();
//! let server = BlockingServer::start(config)?;
//! assert_eq!(server.snapshot().connections, 0);
//! # Ok::<(), mq_server::StartError>(())
//! ```
#![allow(
    clippy::disallowed_methods,
    reason = "this is the shell that owns the clock for the pure crates"
)]

mod authenticator;
mod blocking;
mod bridge;
mod broker_task;
mod config;
mod connection;
mod error;
mod fault;
mod hand;
mod link;
mod listener;
mod live;
#[cfg_attr(not(unix), path = "no_lot.rs")]
mod lot;
mod places;
mod recovery;
mod report;
mod rounds;
mod server;
pub mod store;
mod tasks;
#[cfg_attr(not(doctest), doc = include_str!("../TESTING.md"))]
pub mod testing {}
mod throttle;
mod transport;

pub use authenticator::{Attempt, Authenticator, StepAttempt, Verdict};
pub use blocking::BlockingServer;
pub use bridge::{Bridge, BridgeProtocol};
pub use config::{Config, ConfigError, Listen, name};
pub use error::StartError;
pub use fault::Fault;
pub use hand::{AdministerError, Inventory, Snapshot};
pub use mq_core::model::Message;
pub use mq_core::{
    ConnectionId, ConnectionStatistics, Credentials, Interception, Interceptor, Protocol,
    Publisher, QueueStatistics, SessionStatistics, Statistics,
};
pub use server::Server;
pub use transport::{
    Address, ClientTls, Endpoint, EndpointError, IdentityFrom, Speaks, TlsError, TlsFiles,
};

/// The examples of the workspace's README, so that they stay true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
