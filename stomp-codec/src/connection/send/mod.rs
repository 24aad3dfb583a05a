//! What an application says, and the frames that say it.

mod client;
mod server;

pub use client::{ConnectOptions, Opening, Options};
pub use server::{Accept, Goodbye};
