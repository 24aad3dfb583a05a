//! The client of the crate's page under "A whole client", with the loop of that page.
//! What the server has not confirmed when the line breaks is published again on the next
//! connection, and what was not acknowledged is delivered again.
//!
//! `amqp_whole_client HOST:PORT`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

include!("../src/drive-loop.rs");
include!("../src/whole-client.rs");
