//! AMQP 0-9-1 for any runtime or none: frames to and from bytes, and the
//! protocol state of one connection, for both roles, without I/O.
//!
//! Two layers, of which the second stands on the first:
//!
//! - [`decode`] and [`Frame::encode`]: bytes to frames and back, stateless.
//!   What is decoded borrows from the input and nothing is allocated; field
//!   tables and properties are checked once and read where they lie.
//! - [`connection`]: what one connection is about to do. It takes bytes, gives
//!   events, and has bytes to send. Sockets, threads and clocks are yours.
//!
//! RabbitMQ's additions are in: publisher confirms, `basic.nack`, bindings
//! between exchanges, `connection.blocked`, `connection.update-secret`, and the
//! letters of its field tables. Where specification and RabbitMQ differ, this
//! crate does as RabbitMQ, and says so. The module [`requirements`] has the rules
//! of the specification, with the place that keeps each and the test that shows it.
//!
//! `examples` has a client on std, tokio, smol and mio, each whole by itself, and
//! `amqp_proxy`, which prints every method that passes between a client and a
//! broker.
//!
//! # What is held
//!
//! Layer 1 holds nothing: frames, tables and properties borrow from the input, and
//! [`FrameBuf`], [`TableBuf`], [`ArrayBuf`] and [`PropertiesBuf`] keep what must
//! live on. A connection holds one content for each channel on which one is coming
//! in, as far as it has come, and what waits to be transmitted. [`Limits`] bounds
//! frames, tables, bodies, channels, and what is held on all channels together, each
//! before anything is allocated for it; large bodies need not be held at all:
//! [they come and go in parts](connection#large-bodies).
//!
//! # The drive contract
//!
//! [`ClientConnection`](connection::ClientConnection) and
//! [`ServerConnection`](connection::ServerConnection) are driven alike. When
//! bytes arrive, append them to what was left of the input and call `receive`
//! until it gives `Ok(None)`; it takes frames off the front of the slice, and
//! each event borrows from the bytes, so deal with it before the next call.
//! Keep what `receive` has left over. To push back, stop calling it: nothing is
//! queued inside. After that, and after every call that sends, hand what
//! `poll_transmit` gives to the socket. Call `handle_timeout` when the clock
//! reaches `poll_timeout`, which changes with every call. Call `receive_eof` at the end
//! of the input. An error is terminal, and every later call tells it again; go
//! on all the same, for the goodbye to be transmitted and its answer received.
//! Once `is_closed` and nothing is left to transmit, close the socket. `now` is
//! the time since an origin of your choice, always the same and never going back.
//!
//! ```
//! use amqp_codec::connection::*;
//! use amqp_codec::{method::queue, sasl};
//! use core::time::Duration;
//!
//! /// Takes what one side has to send to the other's input.
//! macro_rules! drive {
//!     ($from:expr, $to:expr, $event:pat => $action:expr) => {{
//!         let mut bytes = Vec::new();
//!         $from.poll_transmit(&mut bytes);
//!         let mut input = &bytes[..];
//!         while let Some(event) = $to.receive(Duration::ZERO, &mut input)? {
//!             let $event = event;
//!             $action
//!         }
//!         assert!(input.is_empty()); // with a socket, a part of a frame may be left
//!     }};
//! }
//!
//! fn serve(server: &mut ServerConnection, event: ServerEvent<'_>) -> Result<(), SendError> {
//!     match event {
//!         ServerEvent::Authenticate { mechanism: "PLAIN", response, .. } => {
//!             match sasl::Plain::parse(response) {
//!                 Some(p) if (p.username, p.password) == ("guest", b"guest") => server.accept(),
//!                 _ => server.refuse("who are you?"),
//!             }
//!         }
//!         ServerEvent::Open { virtual_host: "/" } => server.open_ok(),
//!         ServerEvent::Request { channel, request: Request::QueueDeclare(declare) } => {
//!             server.queue_declare_ok(channel, declare.queue, 0, 0)
//!         }
//!         ServerEvent::Request { channel, request: Request::ConfirmSelect(_) } => {
//!             server.confirm_select_ok(channel)
//!         }
//!         ServerEvent::Publish { channel, publish_tag: Some(tag), content, .. } => {
//!             println!("{}: {:?}", content.routing_key(), content.body());
//!             server.ack(channel, tag, false)
//!         }
//!         _ => Ok(()),
//!     }
//! }
//!
//! let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
//! let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
//! let mut confirmed = None;
//! while confirmed.is_none() {
//!     drive!(client, server, event => serve(&mut server, event)?);
//!     drive!(server, client, event => match event {
//!         ClientEvent::Opened => drop(client.open_channel()?),
//!         ClientEvent::ChannelOpened { channel } => {
//!             client.confirm_select(channel, false)?;
//!             client.queue_declare(channel, &queue::Declare { queue: "tasks", ..Default::default() })?;
//!             let message = Message { routing_key: "tasks", body: b"hello", ..Default::default() };
//!             assert_eq!(client.publish(channel, false, &message)?, Some(1));
//!         }
//!         ClientEvent::Confirm { publish_tags, acknowledged: true, .. } => confirmed = Some(publish_tags),
//!         other => println!("{other:?}"),
//!     });
//! }
//! assert_eq!(confirmed, Some(1..=1));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
// No input from a peer may panic: what could is denied outside of tests.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

extern crate alloc;

pub mod connection;
mod error;
mod frame;
mod limits;
pub mod method;
mod properties;
mod reply;
#[doc = include_str!("../requirements.md")]
pub mod requirements {}
pub mod sasl;
mod table;
mod text;
mod value;
mod wire;

pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use frame::{
    ContentHeader, FRAME_END, FRAME_MIN_SIZE, FRAME_OVERHEAD, Frame, FrameBuf, ProtocolHeader,
    decode, needed,
};
pub use limits::Limits;
pub use method::{Method, MethodId};
pub use properties::{Properties, PropertiesBuf, PropertyFields};
pub use reply::ReplyCode;
pub use table::{Array, ArrayBuf, Elements, Entries, Table, TableBuf};
pub use text::Text;
pub use value::FieldValue;
