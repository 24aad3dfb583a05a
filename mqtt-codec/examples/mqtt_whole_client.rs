//! The client of the crate's page under "A whole client", with the loop of that page.
//! A session outlives its connections: what is under way in it when the line breaks arrives
//! exactly once.
//!
//! `mqtt_whole_client HOST:PORT`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

include!("../src/drive-loop.rs");
include!("../src/whole-client.rs");
