//! The protocol state of one connection, without I/O: [`Connection`], in the role of
//! the [`Client`] or the [`Server`].
//!
//! Both are driven alike: see [the drive contract](crate#the-drive-contract).

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

// What the peers say that they can do, in their properties in start and start-ok (RabbitMQ).
mod capabilities;
// Publisher confirms, which count the publishes of a channel (RabbitMQ).
mod confirm;
// A message is a method, a header and a body, each in frames of its own (section 4.2.6).
mod content;
// The limits that the peers agree on with tune and tune-ok (section 2.3.3).
mod tune;
// What was delivered and is not settled, by the tags of its channel, one or all up to one.
mod unacknowledged;

pub use capabilities::Capabilities;
pub use config::{ClientConfig, Sasl, ServerConfig};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use content::{Content, Message};
pub use error::{ConnectionError, ReplyError, Scope, SendError};
pub use event::{ClientEvent, Confirmation, Delivery, InboundPublish, Reply, Request, ServerEvent};
pub use idle::IdleConnection;
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use send::{Mandatory, Redelivered, Requeue, Tags};
pub use timer::Reading;
pub use unacknowledged::{Unacknowledged, UnknownDeliveryTag};

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
    is_send_and_debug::<Content>();
    is_send_and_debug::<Unacknowledged<Content>>();
};
