//! What the peer did, as far as the application has to know.

mod client;
// A message, which comes to a server and to a client alike (section 3.3).
mod publish;
mod server;

pub use client::ClientEvent;
pub use publish::{InboundPublish, ResolvedTopicName};
pub use server::ServerEvent;
