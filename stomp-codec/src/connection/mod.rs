//! The protocol state of one connection, for the server role and for the client
//! role.
//!
//! Both roles are driven alike; the crate's front page has the contract and an
//! example.

mod client;
mod handshake;
mod heart_beat;
mod known;
mod server;
mod stream;
mod subscription;
mod transaction;

pub use client::{
    AckToken, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Connected, ErrorFrame,
    Message, Options, ReceiptId, Transaction,
};
pub use heart_beat::{HeartBeat, Tolerance};
pub use server::{
    Accept, Acknowledge, Connect, HostHeader, Send, ServerConfig, ServerConnection, ServerEvent,
    Subscribe,
};
pub use subscription::{AckMode, Messages, Subscription};
pub use transaction::{Operation, OwnedSend};
