//! STOMP 1.0, 1.1 and 1.2: frames to and from bytes, and the protocol state of
//! one connection, without I/O.
//!
//! # Layer 1: bytes and frames
//!
//! [`decode`] reads one [`Frame`] from the front of a slice, and allocates
//! nothing: headers stay where they are and are looked at when asked for. A
//! [`Scan`] does the same and remembers how far it came, for frames that arrive
//! in pieces. [`Frame::encode`] and [`Encoder`] write. What a [`Version`] says of
//! escapes, ends of line, padding and bodies is kept on both ways; what it cannot
//! carry is refused. Every length is bounded by [`Limits`].
//!
//! # Layer 2: a connection
//!
//! [`ServerConnection`](connection::ServerConnection) and
//! [`ClientConnection`](connection::ClientConnection) hold the state of one
//! connection: the version, heart-beats, subscriptions, acknowledgements,
//! transactions, receipts. They own no socket and no clock.
//!
//! **The drive contract.** Read bytes to the end of a buffer of your own, and
//! call `receive` with all of it until it gives `None` or an error: each event
//! borrows from the buffer, and `receive` moves the front of the slice over what
//! it has taken. Keep what is left, and put it in front of what you read next.
//! Then, and after anything else that you call, write what `poll_transmit` gives;
//! if `is_closed`, close the socket when that is written. Call `handle_timeout`
//! when the time is `poll_timeout`, which every call may change. Call
//! `receive_eof` when the peer has closed its side. `now` is the time since a
//! moment of your choice, the same for all calls. An error is final, every later
//! call gives it again, and the ERROR frame about it is in `poll_transmit`. For
//! back-pressure stop calling `receive`: there is no queue inside.
//!
//! ```
//! use std::time::Duration;
//! use stomp_codec::ConnectionError;
//! use stomp_codec::connection::*;
//!
//! /// Gives a server what has arrived, and does what its client asks for.
//! fn drive(
//!     server: &mut ServerConnection,
//!     now: Duration,
//!     buffer: &mut Vec<u8>,
//! ) -> Result<(), ConnectionError> {
//!     let mut input = buffer.as_slice();
//!     while let Some(event) = server.receive(now, &mut input)? {
//!         // Answers can fail only if the session is not open; then nothing is
//!         // left to be answered.
//!         match event {
//!             ServerEvent::Connect(connect) => match connect.login.as_deref() {
//!                 Some("guest") => server.accept(now, &Accept::default()),
//!                 _ => server.refuse("unknown user", b""),
//!             },
//!             ServerEvent::Subscribe(subscribe) => {
//!                 let headers = [("content-type", "text/plain")];
//!                 server.message(subscribe.subscription, 1, &subscribe.destination, headers, b"hello")
//!             }
//!             ServerEvent::Ack(ack) => {
//!                 assert_eq!(*ack.messages, [1]);
//!                 Ok(())
//!             }
//!             ServerEvent::Disconnect { receipt: Some(receipt), .. } => server.receipt(&receipt),
//!             _ => Ok(()),
//!         }
//!         .ok();
//!     }
//!     let taken = buffer.len() - input.len();
//!     buffer.drain(..taken);
//!     Ok(())
//! }
//!
//! let now = Duration::ZERO;
//! let mut server = ServerConnection::new(now, ServerConfig::default());
//! let mut client = ClientConnection::new(now, ClientConfig::default());
//! client.connect(&ConnectOptions {
//!     host: "localhost",
//!     login: Some("guest"),
//!     ..ConnectOptions::default()
//! })?;
//!
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//! while !client.is_closed() {
//!     client.poll_transmit(&mut to_server);
//!     drive(&mut server, now, &mut to_server)?;
//!     server.poll_transmit(&mut to_client);
//!
//!     let mut input = to_client.as_slice();
//!     while let Some(event) = client.receive(now, &mut input)? {
//!         match event {
//!             ClientEvent::Connected(_) => {
//!                 client.subscribe("/queue/a", AckMode::Client, [], Options::default())?;
//!             }
//!             ClientEvent::Message(message) => {
//!                 assert_eq!(message.body(), b"hello");
//!                 client.ack(&message.ack.unwrap(), [], Options::default())?;
//!                 client.disconnect()?;
//!             }
//!             _ => {}
//!         }
//!     }
//!     to_client.clear();
//! }
//! assert!(server.is_closed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The directory `examples` has whole clients over blocking sockets, tokio, smol
//! and mio, and one over WebSocket.
//!
//! # Large bodies
//!
//! A body is handed out whole and borrowed, for which all of it has to be in the
//! buffer. Longer ones than [`Limits::assembled_size`] come in parts, whether a
//! `content-length` or only a NUL ends them: first the frame with all headers,
//! as soon as the headers have come, and then each part as it arrives. With a
//! bound on `assembled_size` a buffer never holds more than the headers, so much
//! of a body, and one read.
//!
//! ```
//! # use std::time::Duration;
//! # use stomp_codec::connection::*;
//! # let now = Duration::ZERO;
//! # let mut socket = b"CONNECT\naccept-version:1.2\nhost:h\n\n\0".to_vec();
//! # socket.extend_from_slice(b"SEND\ndestination:/upload\nreceipt:r\n\n");
//! # socket.resize(socket.len() + 1_000_000, b'x');
//! # socket.push(0);
//! let mut config = ServerConfig::default();
//! config.limits.assembled_size = 4096;
//! config.limits.body = usize::MAX;
//! let mut server = ServerConnection::new(now, config);
//!
//! let mut buffer = Vec::new();
//! let mut upload = None;
//! for read in socket.chunks(1460) {
//!     buffer.extend_from_slice(read);
//!     assert!(buffer.len() < 8192);
//!     let mut input = buffer.as_slice();
//!     while let Some(event) = server.receive(now, &mut input)? {
//!         match event {
//!             ServerEvent::Connect(_) => server.accept(now, &Accept::default())?,
//!             ServerEvent::Send(send) if !send.is_whole() => {
//!                 upload = Some((Vec::new(), send.receipt.map(String::from)));
//!             }
//!             ServerEvent::Body { part, last } => {
//!                 let (file, receipt) = upload.as_mut().expect("its SEND came first");
//!                 file.extend_from_slice(part);
//!                 if last && let Some(receipt) = receipt {
//!                     server.receipt(receipt)?;
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     let taken = buffer.len() - input.len();
//!     buffer.drain(..taken);
//! }
//! assert_eq!(upload.map(|(file, _)| file.len()), Some(1_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A SEND in a transaction is held by the connection, and comes whole at COMMIT;
//! [`Limits::transaction_bytes`] bounds it.
//!
//! To send in parts, [`begin_send`](connection::ClientConnection::begin_send) and
//! [`begin_message`](connection::ServerConnection::begin_message) want the length
//! alone, and `send_body` the parts, each when the one before has left.
//!
//! # WebSocket
//!
//! Over WebSocket nothing differs: the contents of the messages, text or binary,
//! one after the other, are the stream. A message may hold a part of a frame, a
//! frame, many, or an EOL as heart-beat; what `poll_transmit` gives can be sent
//! as one binary message. The sub-protocols are `v10.stomp`, `v11.stomp` and
//! `v12.stomp`: [`Version::subprotocol`] and [`Version::parse_subprotocol`].
//! CONNECT and CONNECTED still agree on the version; put the one of the
//! sub-protocol into `versions` of the configuration.
//!
//! # What the specifications require
//!
//! The module [`requirements`] lists what STOMP 1.0, 1.1 and 1.2 require, which
//! place of this crate keeps it, and which test shows it.
//!
//! # Features
//!
//! `std` (default): nothing but the `std` features of the dependencies. Without
//! it the crate is `no_std` and needs `alloc`.
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
#[cfg(test)]
extern crate std;

mod limits;

mod error;

mod version;

mod command;
mod encoder;
mod escape;
mod frame;
mod header;
mod marks;
mod parser;
mod parts;

pub mod connection;

#[cfg(doc)]
#[doc = include_str!("../requirements.md")]
pub mod requirements {}

pub use command::{Command, Role};
pub use encoder::Encoder;
pub use error::{ConnectionError, DecodeError, DecodeErrorKind, EncodeError, Limit, SendError};
pub use frame::{Frame, OwnedFrame};
pub use header::{Header, Headers};
pub use limits::Limits;
pub use parser::{Scan, decode, leading_eols};
pub use version::Version;
