//! What a role makes of the frames of its peer.

mod client;
mod known;
mod server;
