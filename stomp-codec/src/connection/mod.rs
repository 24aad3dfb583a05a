//! The protocol state of one connection, for the server role and for the client
//! role.
//!
//! Both roles are driven alike; the crate's front page has the contract and an
//! example.

mod config;
#[expect(
    clippy::module_inception,
    reason = "the type that the module is named after"
)]
mod connection;
mod core;
mod error;
mod event;
mod handshake;
mod heart_beat;
mod inbound;
mod outbound;
mod read_buffer;
mod receive;
mod role;
mod send;
mod subscription;
mod timer;
mod transaction;
mod transmit;

pub use config::{ClientConfig, HostHeader, ServerConfig};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use error::{ConnectionError, SendError};
pub use event::{
    AckToken, Acknowledge, ClientEvent, Connect, Connected, ErrorFrame, InboundSend, Message,
    ReceiptId, ServerEvent, Subscribe, Transaction,
};
pub use heart_beat::{HeartBeat, Tolerance};
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use send::{Accept, ConnectOptions, Goodbye, Opening, Options};
pub use subscription::{AckMode, Deliveries, Subscription};
pub use transaction::{Operation, SendBuf};
