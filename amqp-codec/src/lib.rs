//! AMQP 0-9-1 for any runtime or none: frames to and from bytes, and the
//! protocol state of one connection, for both roles, without I/O.
//!
//! Two layers, of which the second stands on the first. RabbitMQ's additions are in:
//! publisher confirms, `basic.nack`, bindings between exchanges, `connection.blocked`,
//! `connection.update-secret`, and the letters of its field tables. Where specification
//! and RabbitMQ differ, this crate does as RabbitMQ, and says so.
//!
//! # Frames
//!
//! [`decode`] and [`Frame::encode`]: bytes to frames and back, stateless. What is decoded
//! borrows from the input and nothing is allocated; field tables and properties are
//! checked once and read where they lie. [`FrameBuf`], [`TableBuf`], [`ArrayBuf`] and
//! [`PropertiesBuf`] are the owned forms.
//!
//! ```
//! use amqp_codec::{Frame, Limits, decode, method::queue};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let purge = queue::Purge { queue: "tasks", ..Default::default() };
//!     let frame = Frame::Method { channel: 1, method: purge.into() };
//!     let mut wire = Vec::new();
//!     frame.encode(&mut wire)?;
//!
//!     let (decoded, length) = decode(&wire, &Limits::default())?.expect("it is whole");
//!     assert_eq!((decoded, length), (frame, wire.len()));
//!     Ok(())
//! }
//! ```
//!
//! # The drive contract
//!
//! [`connection`]: what one connection is about to do. It takes bytes, returns events,
//! and has bytes to send. Sockets, threads and clocks are yours. [`ClientConnection`] and
//! [`ServerConnection`] are driven alike, in this crate and in `mqtt-codec` and `stomp-codec`:
//!
#![doc = include_str!("drive-contract.md")]
//!
//! One loop over a blocking socket serves either end; `docs/runtimes` in the repository has
//! those for tokio, smol, mio and nothing but arrays. Here both ends run it:
//!
//! ```
//! use std::net::TcpListener;
//!
//! use amqp_codec::connection::*;
//! use amqp_codec::method::{confirm, queue};
//! use amqp_codec::sasl;
//!
#![doc = include_str!("drive-loop.rs")]
//! fn serve(server: &mut ServerConnection, now: Duration, event: ServerEvent<'_>) -> Outcome {
//!     match event {
//!         ServerEvent::Authenticate { mechanism: "PLAIN", response, .. } => {
//!             match sasl::Plain::parse(response) {
//!                 Some(p) if (p.username, p.password) == ("guest", b"guest") => server.accept(now)?,
//!                 _ => server.refuse(now, "who are you?")?,
//!             }
//!         }
//!         ServerEvent::Open { virtual_host: "/", .. } => server.open_ok(now)?,
//!         ServerEvent::Request { channel, request: Request::QueueDeclare(declare), .. } => {
//!             server.queue_declare_ok(channel, declare.queue, 0, 0)?;
//!         }
//!         ServerEvent::Request { channel, request: Request::ConfirmSelect(_), .. } => {
//!             server.confirm_select_ok(channel)?;
//!         }
//!         ServerEvent::Publish(InboundPublish { channel, publish_tag: Some(tag), content, .. }) => {
//!             println!("{}: {:?}", content.routing_key(), content.body());
//!             server.ack(channel, Tags::One(tag))?;
//!         }
//!         _ => {}
//!     }
//!     Ok(())
//! }
//!
//! fn act(client: &mut ClientConnection, now: Duration, event: ClientEvent<'_>) -> Outcome {
//!     match event {
//!         ClientEvent::Opened => drop(client.open_channel()?),
//!         ClientEvent::ChannelOpened { channel, .. } => {
//!             client.confirm_select(channel, &confirm::Select::default())?;
//!             client.queue_declare(channel, &queue::Declare::new("tasks"))?;
//!             let message = Message::new("", "tasks", b"hello");
//!             assert_eq!(client.publish(channel, Mandatory::No, &message)?, Some(1));
//!         }
//!         ClientEvent::Confirm(Confirmation { publish_tags, acknowledged: true, .. }) => {
//!             assert_eq!(publish_tags, 1..=1);
//!             client.close(now)?;
//!         }
//!         // The server closes a channel, or the connection, for a reason: a queue of that name
//!         // that has other settings, a right that is missing.
//!         ClientEvent::ChannelClosed { close, .. } => return Err(close.reply_text.into()),
//!         ClientEvent::Closed { close, .. } => return Err(close.reply_text.into()),
//!         _ => {}
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> Outcome {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let broker = std::thread::spawn(move || {
//!         let (mut socket, _) = listener.accept().expect("somebody comes");
//!         let start = Instant::now();
//!         let mut server = ServerConnection::new(start.elapsed(), ServerConfig::default());
//!         drive(&mut server, &mut socket, start, serve).expect("a client that keeps the rules");
//!     });
//!     let mut socket = TcpStream::connect(address)?;
//!     let start = Instant::now();
//!     let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
//!     drive(&mut client, &mut socket, start, act)?;
//!     broker.join().expect("it keeps the rules too");
//!     Ok(())
//! }
//! ```
//!
//! The example `amqp_client` is a client on each runtime, and `amqp_proxy` prints every method
//! that passes between a client and a broker.
//!
//! After an error the goodbye is still in `poll_transmit`, every later drive call returns
//! the same error, and every call that sends returns
//! [`SendError::Closed`]. `is_closed` becomes true when nothing more is to come: after
//! the peer's close-ok, the close timeout, or at once where the peer is beyond answering.
//!
//! # A whole client
//!
//! It consumes and publishes, and goes on after a cut: what was not confirmed is published again,
//! and what was not acknowledged is delivered again. With the loop above it is a whole program,
//! the example `amqp_whole_client`.
//!
//! ```no_run
#![doc = include_str!("whole-client.rs")]
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/drive-loop.rs"));
//! ```
//!
//! # Large bodies
//!
//! A content comes as one event, with its body in one piece, and is sent in one
//! call. Where bodies are large, neither side has to have one whole. Inwards, a
//! body over [`Limits::assembled_size`] is handed
//! out in parts that borrow from the input: first the event of the content, whose
//! [`Content::is_whole`](connection::Content::is_whole) is false, then a `Body` for each part, as it
//! comes, until none of it remains. A frame that is not all there is not waited for, but for
//! its last byte, which comes with its frame-end. What a connection holds for a content that way is its method, its
//! properties, and never more of a body than that limit. Outwards,
//! [`begin_publish`](connection::ClientConnection::begin_publish) announces how large the
//! body will be, and [`send_body`](connection::Connection::send_body) sends parts of
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
//!     let message = Message::new("", "films", b"");
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
//!         ServerEvent::Publish(InboundPublish { content, .. }) if !content.is_whole() => {
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
//!
//! # Sessions
//!
//! AMQP 0-9-1 has none: what a server keeps beyond a connection is queues and what is in
//! them. A client keeps what it has published and not seen confirmed
//! ([`ClientEvent::Confirm`](connection::ClientEvent::Confirm)) and publishes it again on
//! the next connection; what it has not acknowledged is delivered again, with
//! `redelivered` set. So a message can come twice. Publish and delivery tags are of one channel
//! of one connection, and count from 1 on each.
//!
//! # Limits
//!
//! [`decode`] and [`Frame::encode`] keep no state. A connection holds one content for each
//! channel on which one is coming in, as far as it has come, and what waits to be transmitted.
//! [`Limits`] bounds frames, tables, bodies, channels, and what is held on all channels
//! together. Each is checked before anything is allocated for it. The limits before the login
//! are set separately from those after it.
//!
//! A channel number above the channel-max that was agreed on ends the connection with
//! 530, by the letter of field channel-max of tune. RabbitMQ counts channels instead of
//! looking at their numbers.
//!
//! # Requirements
//!
//! The module [`requirements`] has the rules of the specification, with the place that
//! keeps each and the test that shows it.
//!
//! # Features
//!
//! `std`, on by default, only forwards to dependencies. Without it the crate is `no_std` with
//! `alloc`.
//!
//! The crate is not published yet: depend on it by path, or by `git` and the address of the
//! repository.
//!
//! ```toml
//! [dependencies]
//! amqp-codec = { path = "../mq/amqp-codec" }
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
mod setters;
mod table;
mod text;
mod value;
mod wire;

pub use connection::{ClientConnection, ConnectionError, SendError, ServerConnection};
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
