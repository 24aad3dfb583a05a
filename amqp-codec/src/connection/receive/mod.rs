//! What a role does with what comes in.

mod client;
mod server;

pub(super) use client::ClientChannel;
