//! What a role does with what comes in.

mod client;
// The headers that a connection acts on: a frame has them as text, in any order.
mod headers;
mod server;

pub(super) use server::ServerState;
