//! What the peer did, as far as the application has to know.

mod client;
mod server;

pub use client::{ClientEvent, Reply};
pub use server::{Request, ServerEvent};
