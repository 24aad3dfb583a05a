//! The protocol state of one connection, without I/O: [`Connection`], in the role of
//! the [`Client`] or the [`Server`].
//!
//! Both are driven alike: see [the drive contract](crate#the-drive-contract).

mod capabilities;
mod config;
mod confirm;
#[expect(clippy::module_inception, reason = "the type that the module is about")]
mod connection;
mod content;
mod core;
mod error;
mod event;
mod read_buffer;
mod receive;
mod role;
mod send;
mod timer;
mod transmit;
mod tune;
mod unacknowledged;

pub use capabilities::Capabilities;
pub use config::{ClientConfig, Sasl, ServerConfig};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use content::{Content, Message};
pub use error::{ConnectionError, ReplyError, Scope, SendError};
pub use event::{ClientEvent, Confirmation, Delivery, InboundPublish, Reply, Request, ServerEvent};
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use send::{Mandatory, Redelivered, Requeue, Tags};
pub use timer::Reading;
pub use unacknowledged::{Unacknowledged, UnknownDeliveryTag};

/// A connection may be handed from thread to thread, and what it gave out too.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<ServerConnection>();
    is_send::<ClientConnection>();
    is_send::<Content>();
    is_send::<ReadBuffer>();
    is_send::<Unacknowledged<Content>>();
    is_send::<ConnectionError>();
};
