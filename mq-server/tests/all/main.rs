//! The server as a library and as a process, with sockets against it.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the shell that owns the clock"
)]

mod authenticator;
mod binary;
mod bounds;
mod bridge;
mod certificates;
mod fault;
mod idle;
mod kill;
mod logs;
#[cfg(feature = "postgres")]
mod postgres;
mod server;
#[cfg(unix)]
mod sighup;
mod store;
mod transport;
mod whole_client;
