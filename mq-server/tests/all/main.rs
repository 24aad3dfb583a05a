//! The server as a library and as a process, with sockets against it.
#![allow(
    clippy::disallowed_methods,
    reason = "tests of the shell that owns the clock"
)]

mod authenticator;
mod binary;
mod kill;
mod logs;
mod server;
mod store;
mod transport;
