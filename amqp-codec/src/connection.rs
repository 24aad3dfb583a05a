//! The protocol state of one connection, without I/O: [`ServerConnection`] and
//! [`ClientConnection`].
//!
//! Both are driven alike: see [the drive contract](crate#the-drive-contract).

mod client;
mod confirm;
mod content;
mod engine;
mod error;
mod handshake;
mod heartbeat;
mod server;
mod unacknowledged;

pub use client::{ClientConnection, ClientEvent, Reply};
pub use content::{Content, Message};
pub use error::{ConnectionError, ReplyError, Scope, SendError};
pub use handshake::{Capabilities, ClientConfig, Sasl, ServerConfig};
pub use server::{Request, ServerConnection, ServerEvent};
pub use unacknowledged::{Unacknowledged, UnknownDeliveryTag};

/// A connection may be handed from thread to thread, and what it gave out too.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<ServerConnection>();
    is_send::<ClientConnection>();
    is_send::<Content>();
    is_send::<Unacknowledged<Content>>();
    is_send::<ConnectionError>();
};
