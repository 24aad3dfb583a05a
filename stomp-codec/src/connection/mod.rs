//! The protocol state of one connection, for the server role and for the client
//! role.
//!
//! [`Connection`] has what both roles share: how it is driven, by
//! [the drive contract](crate#the-drive-contract). A [`Client`] sends with
//! [`connect`](ClientConnection::connect), [`subscribe`](ClientConnection::subscribe),
//! [`send`](ClientConnection::send) and [`ack`](ClientConnection::ack), and learns of its
//! server by [`ClientEvent`]. A [`Server`] answers with
//! [`accept`](ServerConnection::accept), [`receipt`](ServerConnection::receipt) and
//! [`deliver`](ServerConnection::deliver), and learns of its client by [`ServerEvent`].

mod config;
#[expect(clippy::module_inception, reason = "the type that the module is about")]
mod connection;
mod core;
mod error;
mod event;
mod idle;
mod read_buffer;
mod receive;
mod role;
mod send;
mod timer;
mod transmit;

// The version, which the two frames that open a session agree on ("Protocol Negotiation").
mod handshake;
// Heart-beats, each direction with its own interval ("Heart-beating").
mod heart_beat;
// Subscriptions, and what is delivered to them and not settled, by ack mode ("SUBSCRIBE").
mod subscription;
// What waits for COMMIT ("BEGIN").
mod transaction;

pub use config::{ClientConfig, HostHeader, ServerConfig, UnmatchedUnsubscribe};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use error::{ConnectionError, SendError};
pub use event::{
    AckToken, Acknowledge, ClientEvent, Connect, Connected, ErrorFrame, InboundSend, Message,
    ReceiptId, ServerEvent, Subscribe, Transaction,
};
pub use heart_beat::{HeartBeat, Tolerance};
pub use idle::IdleConnection;
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use send::{Accept, ConnectOptions, Goodbye, Opening, Options};
pub use subscription::{AckMode, Deliveries, Subscription};
pub use timer::Reading;
pub use transaction::{Operation, SendBuf};

/// Connections move between threads, and into logs.
const _: () = {
    const fn is_send_and_debug<T: Send + ::core::fmt::Debug>() {}
    is_send_and_debug::<ClientConnection>();
    is_send_and_debug::<ServerConnection>();
    is_send_and_debug::<IdleConnection>();
    is_send_and_debug::<ReadBuffer>();
    is_send_and_debug::<Input<'_>>();
    is_send_and_debug::<ClientEvent<'_>>();
    is_send_and_debug::<ServerEvent<'_>>();
    is_send_and_debug::<ConnectionError>();
    is_send_and_debug::<SendError>();
};
