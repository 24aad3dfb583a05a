//! The protocol state of one connection, without I/O: [`Connection`], in the role of
//! the [`Client`] or the [`Server`].
//!
//! Both are driven alike: see [the drive contract](crate#connections).
//!
//! # Large bodies
//!
//! A content comes as one event, with its body in one piece, and is sent in one
//! call. Where bodies are large, neither side has to have one whole. Inwards, a
//! body over [`Limits::assembled_size`](crate::Limits::assembled_size) is handed
//! out in parts that borrow from the input: first the event of the content, whose
//! [`Content::is_whole`] is false, then a `Body` for each part, until none of it
//! remains. What a connection holds for a content that way is its method, its
//! properties, and never more of a body than that limit. Outwards,
//! [`begin_publish`](ClientConnection::begin_publish) announces how large the
//! body will be, and [`send_body`](Connection::send_body) sends parts of
//! any size; a server has the same for deliver, get-ok and return. Other
//! channels go on meanwhile. On the channel itself, methods wait for the end of
//! the body, since nothing may come between the frames of a content (section
//! 4.2.6), and so do the answers that this crate sends automatically.
//!
//! ```
//! use amqp_codec::connection::*;
//!
//! /// A film of a megabyte, of which never more than 10,000 bytes are here at a time.
//! fn send(client: &mut ClientConnection, channel: u16) -> Result<(), SendError> {
//!     let message = Message { routing_key: "films", ..Default::default() };
//!     client.begin_publish(channel, Mandatory::No, &message, 1_000_000)?;
//!     while client.send_body(channel, &[7; 10_000])? > 0 {
//!         // Here the socket takes what poll_transmit has.
//!     }
//!     Ok(())
//! }
//!
//! /// A server with a small `limits.assembled_size`.
//! fn receive(event: &ServerEvent<'_>) {
//!     match event {
//!         ServerEvent::Publish { content, .. } if !content.is_whole() => {
//!             println!("{} bytes for {}", content.body_size(), content.routing_key());
//!         }
//!         ServerEvent::Body { part, remaining, .. } => {
//!             println!("{} bytes, to a file, say", part.len());
//!             if *remaining == 0 {
//!                 println!("that was all");
//!             }
//!         }
//!         other => println!("{other:?}"),
//!     }
//! }
//! ```

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
pub use event::{ClientEvent, Reply, Request, ServerEvent};
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
