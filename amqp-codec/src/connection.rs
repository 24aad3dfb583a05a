//! The protocol state of one connection, without I/O: [`ServerConnection`] and
//! [`ClientConnection`].
//!
//! Both are driven alike: see [the drive contract](crate#the-drive-contract).
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
//! body will be, and [`send_body`](ClientConnection::send_body) sends parts of
//! any size; a server has the same for deliver, get-ok and return. Other
//! channels go on meanwhile. On the channel itself, methods wait for the end of
//! the body, since nothing may come between the frames of a content (section
//! 4.2.6), and so do the answers that this crate gives by itself.
//!
//! ```
//! use amqp_codec::connection::*;
//! # use core::time::Duration;
//! # const NOW: Duration = Duration::ZERO;
//! # fn opened() -> (ClientConnection, ServerConnection) {
//! #     let mut config = ServerConfig::default();
//! #     config.limits.assembled_size = 64 * 1024;
//! #     let mut server = ServerConnection::new(NOW, config);
//! #     let mut client = ClientConnection::new(NOW, ClientConfig::default());
//! #     for _ in 0..4 {
//! #         let mut bytes = Vec::new();
//! #         client.poll_transmit(&mut bytes);
//! #         let mut input = &bytes[..];
//! #         while let Some(event) = server.receive(NOW, &mut input).unwrap() {
//! #             match event {
//! #                 ServerEvent::Authenticate { .. } => server.accept().unwrap(),
//! #                 ServerEvent::Open { .. } => server.open_ok().unwrap(),
//! #                 _ => {}
//! #             }
//! #         }
//! #         let mut bytes = Vec::new();
//! #         server.poll_transmit(&mut bytes);
//! #         let mut input = &bytes[..];
//! #         while let Some(event) = client.receive(NOW, &mut input).unwrap() {
//! #             if let ClientEvent::Opened = event { client.open_channel().unwrap(); }
//! #         }
//! #     }
//! #     (client, server)
//! # }
//! // A server with `limits.assembled_size = 64 * 1024`; channel 1 is open.
//! let (mut client, mut server): (ClientConnection, ServerConnection) = opened();
//!
//! // The client has a megabyte to send, and never more of it than 10,000 octets at a time.
//! let message = Message { routing_key: "films", ..Default::default() };
//! client.begin_publish(1, false, &message, 1_000_000)?;
//! let mut received = 0;
//! let mut remains = true;
//! while remains {
//!     remains = client.send_body(1, &[7; 10_000])? > 0;
//!
//!     let mut bytes = Vec::new();
//!     client.poll_transmit(&mut bytes);
//!     let mut input = &bytes[..];
//!     while let Some(event) = server.receive(NOW, &mut input)? {
//!         match event {
//!             ServerEvent::Publish { content, .. } if !content.is_whole() => {
//!                 println!("{} octets for {}", content.body_size(), content.routing_key());
//!             }
//!             ServerEvent::Body { part, remaining, .. } => {
//!                 received += part.len(); // to a file, say
//!                 if remaining == 0 {
//!                     println!("that was all");
//!                 }
//!             }
//!             other => println!("{other:?}"),
//!         }
//!     }
//! }
//! assert_eq!(received, 1_000_000);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod client;
mod confirm;
mod consumers;
mod content;
mod engine;
mod error;
mod handshake;
mod heartbeat;
mod server;
mod unacknowledged;

pub use client::{ClientConnection, ClientEvent, Reply};
pub use consumers::Consumers;
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
