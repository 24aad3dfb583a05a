//! What the peer did, as far as the application has to know.

mod client;
mod server;

pub use client::{ClientEvent, Confirmation, Delivery, Reply};
pub use server::{InboundPublish, Request, ServerEvent};
