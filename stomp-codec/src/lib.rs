//! STOMP 1.0, 1.1 and 1.2: frames to and from bytes, and the protocol state of
//! one connection, without I/O.
//!
//! # Frames
//!
//! [`decode`] reads one [`Frame`] from the front of a slice, and allocates
//! nothing: headers stay where they are and are looked at when asked for. A
//! [`Scan`] does the same and remembers how far it came, for frames that arrive
//! in pieces; [`needed`] says how many bytes are missing. [`Frame::encode`] and
//! [`Encoder`] write. A [`FrameBuf`] keeps a frame. What a [`Version`] says of
//! escapes, ends of line, padding and bodies is kept both ways; what it cannot
//! carry is refused.
//!
//! ```
//! use stomp_codec::{Command, Frame, Limits, Version, decode};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let headers = [("destination", "/queue/tasks")];
//!     let send = Frame::new(Version::V1_2, Command::Send, &headers, b"hello");
//!     let mut wire = Vec::new();
//!     send.encode(&mut wire)?;
//!
//!     let (decoded, length) =
//!         decode(&wire, Version::V1_2, &Limits::default())?.expect("it is whole");
//!     assert_eq!(length, wire.len());
//!     assert_eq!(decoded.header("destination").as_deref(), Some("/queue/tasks"));
//!     assert_eq!(decoded.body(), b"hello");
//!     Ok(())
//! }
//! ```
//!
//! # The drive contract
//!
//! [`connection`]: what one connection is about to do. It takes bytes, returns events,
//! and has bytes to send. Sockets, threads and clocks are yours. [`ClientConnection`] and
//! [`ServerConnection`] are driven alike, in this crate and in `amqp-codec` and `mqtt-codec`:
//!
#![doc = include_str!("drive-contract.md")]
//!
//! One loop over a blocking socket serves either end; `docs/runtimes` in the repository has
//! those for tokio, smol, mio and nothing but arrays. Here both ends run it:
//!
//! ```
//! use std::net::TcpListener;
//!
//! use stomp_codec::Headers;
//! use stomp_codec::connection::*;
//!
#![doc = include_str!("drive-loop.rs")]
//! /// A server that greets every subscriber.
//! fn serve(server: &mut ServerConnection, now: Duration, event: ServerEvent<'_>) -> Outcome {
//!     match event {
//!         ServerEvent::Connect(connect) => match connect.login.as_deref() {
//!             Some("guest") => server.accept(now, &Accept::default())?,
//!             _ => server.refuse(now, &Goodbye::new("who are you?"))?,
//!         },
//!         ServerEvent::Subscribe(subscribe) => {
//!             let headers = [("content-type", "text/plain")];
//!             let destination = &subscribe.destination;
//!             server.deliver(subscribe.subscription, 1, destination, headers, b"hello")?;
//!         }
//!         ServerEvent::Ack(ack) => assert_eq!(*ack.deliveries, [1]),
//!         ServerEvent::Disconnect { receipt: Some(receipt), .. } => server.receipt(&receipt)?,
//!         _ => {}
//!     }
//!     Ok(())
//! }
//!
//! fn act(client: &mut ClientConnection, now: Duration, event: ClientEvent<'_>) -> Outcome {
//!     match event {
//!         ClientEvent::Connected(_) => {
//!             let mode = AckMode::Client;
//!             client.subscribe("/queue/a", mode, Headers::NONE, Options::default())?;
//!         }
//!         ClientEvent::Message(message) => {
//!             assert_eq!(message.body(), b"hello");
//!             if let Some(token) = message.ack {
//!                 client.ack(&token, Headers::NONE, Options::default())?;
//!             }
//!             client.close(now)?;
//!         }
//!         ClientEvent::Error(error) => return Err(format!("{:?}", error.summary).into()),
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
//!     let connect = ConnectOptions::new("localhost").with_login("guest").with_passcode("guest");
//!     client.connect(start.elapsed(), &connect)?;
//!     drive(&mut client, &mut socket, start, act)?;
//!     broker.join().expect("it keeps the rules too");
//!     Ok(())
//! }
//! ```
//!
//! The example `stomp_client` is a client on each runtime, and over WebSocket.
//!
//! After an error the connection is over: every drive call returns the error again,
//! every call that sends returns [`SendError::Closed`], and `is_closed` is true, since
//! STOMP has nothing more to come. A server's ERROR frame that says what was wrong is
//! still in `poll_transmit`; a client has no frame to complain with.
//!
//! # A whole client
//!
//! It subscribes and sends, and goes on after a cut: what there is no receipt for is sent again, and
//! what was not acknowledged is delivered again. With the loop above it is a whole program, the
//! example `stomp_whole_client`.
//!
//! ```no_run
#![doc = include_str!("whole-client.rs")]
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/drive-loop.rs"));
//! ```
//!
//! # Large bodies
//!
//! A body is handed out whole and borrowed, once all of it is in the buffer. One that is
//! longer than [`Limits::assembled_size`] comes in parts, whether a `content-length` or
//! only a NUL ends it: first the frame with all headers, as soon as the headers have
//! come, and then each part as it arrives. With a bound on `assembled_size` a buffer
//! never holds more than the headers, that much of a body, and one read.
//!
//! ```
//! use std::time::Duration;
//! use stomp_codec::Limits;
//! use stomp_codec::connection::*;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut socket = b"CONNECT\naccept-version:1.2\nhost:h\n\n\0".to_vec();
//!     socket.extend_from_slice(b"SEND\ndestination:/upload\nreceipt:r\n\n");
//!     socket.resize(socket.len() + 1_000_000, b'x');
//!     socket.push(0);
//!
//!     let limits = Limits::default().with_assembled_size(4096).with_body(usize::MAX);
//!     let config = ServerConfig::default().with_limits(limits);
//!     let now = Duration::ZERO;
//!     let mut server = ServerConnection::new(now, config);
//!     let mut buffer = ReadBuffer::new();
//!     let mut upload = (Vec::new(), None);
//!     for read in socket.chunks(1460) {
//!         buffer.extend_from_slice(read);
//!         assert!(buffer.len() < 8192);
//!         let mut input = buffer.input();
//!         while let Some(event) = server.receive(now, &mut input)? {
//!             match event {
//!                 ServerEvent::Connect(_) => server.accept(now, &Accept::default())?,
//!                 ServerEvent::Send(send) if !send.is_whole() => {
//!                     upload.1 = send.receipt.map(String::from);
//!                 }
//!                 ServerEvent::Body { part, remaining, .. } => {
//!                     upload.0.extend_from_slice(part);
//!                     if remaining == Some(0) && let Some(receipt) = &upload.1 {
//!                         server.receipt(receipt)?;
//!                     }
//!                 }
//!                 _ => {}
//!             }
//!         }
//!     }
//!     assert_eq!(upload.0.len(), 1_000_000);
//!     Ok(())
//! }
//! ```
//!
//! A SEND in a transaction is held by the connection, and comes whole at COMMIT;
//! [`Limits::transaction_bytes`] bounds it.
//!
//! To send in parts, call [`begin_send`](connection::ClientConnection::begin_send) or
//! [`begin_deliver`](connection::ServerConnection::begin_deliver) with the length, and
//! `send_body` with each part once the one before has left.
//!
//! # Sessions
//!
//! A STOMP session ends with its connection. What outlives it is in the hands of the
//! two applications. A client subscribes again, and sends again what it has no
//! [`Receipt`](connection::ClientEvent::Receipt) for; messages that it did not acknowledge come
//! again from the server. So a message can come twice. A
//! [`ReceiptId`](connection::ReceiptId) is of one connection: they begin anew with each. A
//! server gives to others what
//! [`unacknowledged`](connection::ServerConnection::unacknowledged) has after an error, or
//! the event of the client's DISCONNECT.
//!
//! # Limits
//!
//! Every length that a peer sends is bounded by [`Limits`] before anything is allocated
//! for it, by narrower ones until the login. So is what a connection holds for its peer:
//! subscriptions, and what is in transactions. It holds no bytes that come in but those;
//! they stay in your buffer.
//!
//! # WebSocket
//!
//! Over WebSocket the contents of the messages, text or binary, are the stream, one
//! after the other. A message may hold a part of a frame, a frame, many, or an EOL as
//! heart-beat; what `poll_transmit` returns can be sent as one binary message. The
//! sub-protocols are `v10.stomp`, `v11.stomp` and `v12.stomp`: [`Version::subprotocol`]
//! and [`Version::parse_subprotocol`]. CONNECT and CONNECTED still agree on the version;
//! put the one of the sub-protocol into `versions` of the configuration.
//!
//! # Requirements
//!
//! The module [`requirements`] lists what STOMP 1.0, 1.1 and 1.2 require, which
//! place of this crate keeps it, and which test shows it.
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
//! stomp-codec = { path = "../mq/stomp-codec" }
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
#[cfg(test)]
extern crate std;

mod command;
pub mod connection;
mod encoder;
mod error;
mod escape;
mod frame;
mod header;
mod limits;
mod marks;
mod parser;
mod parts;
#[doc = include_str!("../requirements.md")]
pub mod requirements {}
mod setters;
mod version;

pub use command::{Command, SentBy};
pub use connection::{ClientConnection, ConnectionError, SendError, ServerConnection};
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Limit, ParseError};
pub use frame::{Frame, FrameBuf};
pub use header::{Header, Headers};
pub use limits::Limits;
pub use parser::{Scan, decode, leading_eols, needed};
pub use version::Version;
