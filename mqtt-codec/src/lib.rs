//! MQTT 3.1, 3.1.1 and 5.0 for any runtime or none, for clients and for servers: packets
//! to and from bytes, and the protocol state of one connection, without I/O.
//!
//! # Packets
//!
//! [`decode`] takes a packet from the front of a buffer. It borrows from the buffer and
//! neither copies nor allocates. It is strict: what the specification does not allow is
//! refused, and the [`DecodeError`] has the byte, the normative statement that was
//! broken, and the reason code to answer with. [`Packet::encode`] appends a packet to
//! anything that is a [`BufMut`](bytes::BufMut). The version is an argument of both:
//! CONNECT says it for the rest of the connection. What a packet is made of, a
//! [`TopicName`], a [`Utf8String`] or [`Properties`], is checked where it is made or
//! decoded, and not again where it is encoded. A [`PacketBuf`] is a packet that outlives its
//! input.
//!
//! ```
//! use mqtt_codec::{Limits, Packet, ProtocolVersion, Publish, TopicName, decode};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let version = ProtocolVersion::V5_0;
//!     let publish = Publish::new(TopicName::new("station/12")?, b"21.5");
//!     let mut wire = Vec::new();
//!     Packet::Publish(publish).encode(version, &mut wire)?;
//!
//!     let Some((packet, length)) = decode(&wire, version, &Limits::default())? else {
//!         panic!("more bytes are needed");
//!     };
//!     assert_eq!(length, wire.len());
//!     assert_eq!(packet, Packet::Publish(publish));
//!     Ok(())
//! }
//! ```
//!
//! # The drive contract
//!
//! [`connection`]: what one connection is about to do. It takes bytes, returns events,
//! and has bytes to send. Sockets, threads and clocks are yours. [`ClientConnection`] and
//! [`ServerConnection`] are driven alike, in this crate and in `amqp-codec` and `stomp-codec`:
//!
#![doc = include_str!("drive-contract.md")]
//!
//! One loop over a blocking socket serves either end; `docs/runtimes` in the repository has
//! those for tokio, smol, mio and nothing but arrays. Here both ends run it:
//!
//! ```
//! use std::net::TcpListener;
//!
//! use mqtt_codec::connection::*;
//! use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};
//!
#![doc = include_str!("drive-loop.rs")]
//! fn serve(server: &mut ServerConnection, now: Duration, event: ServerEvent<'_>) -> Outcome {
//!     match event {
//!         ServerEvent::Connect(connect) => match connect.user_name {
//!             Some(name) if name == "alice" => {
//!                 server.accept(now, &Accept::default(), Session::new())?;
//!             }
//!             _ => server.refuse(now, ReasonCode::NotAuthorized, Properties::EMPTY)?,
//!         },
//!         ServerEvent::Subscribe(subscribe) => {
//!             let asked = subscribe.subscriptions.iter();
//!             let granted = asked.map(|it| ReasonCode::granted(it.options.maximum_qos));
//!             let granted: Vec<_> = granted.collect();
//!             server.suback(subscribe.packet_identifier, &granted, Properties::EMPTY)?;
//!             server.publish(&Message::new("station/12", "21.5", QoS::AtMostOnce))?;
//!         }
//!         ServerEvent::Publish(publish) => {
//!             println!("{}: {:?}", publish.topic_name, publish.payload);
//!             if let Some(identifier) = publish.packet_identifier {
//!                 server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)?;
//!             }
//!         }
//!         _ => {}
//!     }
//!     Ok(())
//! }
//!
//! fn act(client: &mut ClientConnection, now: Duration, event: ClientEvent<'_>) -> Outcome {
//!     match event {
//!         ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
//!             return Err(connack.reason_code.to_string().into());
//!         }
//!         ClientEvent::ConnAck(_) => {
//!             let filters = [Subscription::new("station/+", QoS::AtLeastOnce)];
//!             client.subscribe(&filters, Properties::EMPTY)?;
//!         }
//!         ClientEvent::Publish(publish) => {
//!             assert_eq!(publish.payload, b"21.5");
//!             client.publish(&Message::new("alarm/12", "warm", QoS::ExactlyOnce))?;
//!         }
//!         ClientEvent::PubComp(_) => client.close(now, ReasonCode::Success, Properties::EMPTY)?,
//!         ClientEvent::Disconnect(disconnect) => {
//!             return Err(disconnect.reason_code.to_string().into());
//!         }
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
//!     let mut connect = Connect::clean(ProtocolVersion::V5_0, "station-12".try_into()?);
//!     connect.user_name = Some("alice".try_into()?);
//!     client.connect(start.elapsed(), &connect, Session::new())?;
//!     drive(&mut client, &mut socket, start, act)?;
//!     broker.join().expect("it keeps the rules too");
//!     Ok(())
//! }
//! ```
//!
//! The example `mqtt_client` is a client on each runtime.
//!
//! After an error the protocol's goodbye is still in `poll_transmit`: CONNACK or DISCONNECT
//! with a reason code; 3.x has none but for a refused CONNECT. Every later drive call
//! returns the same error, every call that sends returns [`SendError::Closed`], and `is_closed`
//! is true, since MQTT has nothing more to come.
//!
//! # A whole client
//!
//! It subscribes and publishes, and goes on after a cut with what is under way. What the server has
//! lost of that, it publishes anew. With the loop above it is a whole program, the example
//! `mqtt_whole_client`.
//!
//! ```no_run
#![doc = include_str!("whole-client.rs")]
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/drive-loop.rs"));
//! ```
//!
//! # Large bodies
//!
//! A message is an event once all of it has come, and its bytes are kept in the embedder's
//! buffer until then. A PUBLISH over [`Limits::assembled_size`] is handed out in parts that
//! borrow from the input: first the event of the message, whose
//! [`is_whole`](connection::InboundPublish::is_whole) is false, then a `Body` for each
//! part, until none of it remains. A buffer never holds more than that limit, or the
//! variable header, and one read.
//!
//! A partial message cannot be mistaken for a complete one: its `payload` is empty, its
//! `to_message` is `None`, and it cannot be acknowledged with success before the last part has
//! come. A session does not know of it before either: what is cut off by the end of the network
//! connection is sent, and handed out, again. It can be refused at any part, and what is
//! left of it is then passed over.
//!
//! What stands before the payload is always in one piece. A peer that fills more than
//! [`Limits::variable_header_size`] with properties breaks no rule, but this side's limit: the
//! connection ends with Quota exceeded (0x97), as soon as the lengths are known.
//!
//! [`begin_publish`](connection::Connection::begin_publish) and
//! [`send_body`](connection::Connection::send_body) send a message in parts.
//!
//! ```
//! use core::time::Duration;
//! use mqtt_codec::connection::{ServerConnection, ServerEvent};
//! use mqtt_codec::{PacketIdentifier, Properties, ReasonCode};
//!
//! /// Writes a message to a file as it comes, and acknowledges it with the last part. The
//! /// server has `limits.assembled_size = 4096`.
//! fn receive(
//!     server: &mut ServerConnection,
//!     now: Duration,
//!     input: &mut &[u8],
//!     file: &mut Vec<u8>,
//!     unacknowledged: &mut Option<PacketIdentifier>,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     while let Some(event) = server.receive(now, input)? {
//!         match event {
//!             ServerEvent::Publish(publish) if !publish.is_whole() => {
//!                 println!("{} bytes for {}", publish.payload_length(), publish.topic_name);
//!                 *unacknowledged = publish.packet_identifier;
//!             }
//!             ServerEvent::Body { part, remaining, .. } => {
//!                 file.extend_from_slice(part);
//!                 if remaining == 0
//!                     && let Some(identifier) = unacknowledged.take()
//!                 {
//!                     server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)?;
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Sessions
//!
//! A [`Session`](connection::Session) is what outlives a connection: the messages that were sent
//! and are not settled, and the QoS 2 messages that came and are not. `into_session` of the one
//! connection goes into `connect` or `accept` of the next, which sends again what is not settled.
//! The times in a session are kept as `now` was: its connections count from the same origin.
//!
//! At most [`maximum_in_flight`](connection::ClientConfig::maximum_in_flight) messages (20 by
//! default) of this side are under way at a time, or fewer if the peer says so.
//! [`send_quota`](connection::Connection::send_quota) says how many more may be sent now. Packet
//! identifiers of this side stay the same over a reconnect, so that PUBACK and PUBCOMP name what
//! `publish` returned before. After a PUBREC with an error no PUBCOMP follows: the message is
//! settled. A QoS 1 message that came and was not acknowledged is forgotten by this side with the
//! connection, and the peer sends it again. It is an error to acknowledge it before that.
//!
//! The server keeps its part for a client that connects with [`Connect::resume`], in 5.0 for so
//! many seconds as the Session Expiry Interval says: without one, a session ends with its
//! connection. A CONNACK without `session_present` says that the server has none (3.1 does not
//! say). Then this side's part is dropped as well (MQTT-3.2.2-5): it is for the client to
//! subscribe again, and to publish anew what matters of a clone that it kept.
//! [`Session::messages`](connection::Session::messages) are those.
//!
//! # Limits
//!
//! Nothing that a peer sends makes this crate panic or allocate in proportion to a length
//! that is only claimed. What is accepted is bounded by [`Limits`], by smaller ones before login
//! ([`ServerConfig::limits_before_login`](connection::ServerConfig::limits_before_login)), what
//! is kept of it by the 65,535 packet identifiers, and what waits to be sent by when the
//! embedder calls `receive` and `publish`.
//!
//! # Requirements
//!
//! [`requirements`] lists each normative statement of MQTT 5.0 and 3.1.1 with the place of this
//! crate that keeps it and the test that shows it, or with who else is to keep it.
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
//! mqtt-codec = { path = "../mq/mqtt-codec" }
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
mod limits;
mod packet;
mod property;
mod qos;
mod reason;
#[doc = include_str!("../requirements.md")]
pub mod requirements {}
mod rule;
mod secret;
mod setters;
mod settings;
mod string;
pub mod topic;
mod version;
mod wire;

pub use connection::{ClientConnection, ConnectionError, SendError, ServerConnection};
pub use error::{DecodeError, EncodeError, ParseError, PropertyError, StringError};
pub use limits::Limits;
pub use packet::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Entry, List, Packet, PacketBuf, PacketSet,
    PacketType, Publish, ReasonCodes, RetainHandling, SubAck, Subscribe, Subscription,
    SubscriptionOptions, Subscriptions, TopicFilters, UnsubAck, Unsubscribe, Will, decode, needed,
};
pub use property::{
    Properties, PropertiesBuf, PropertiesBuilder, Property, PropertyIdentifier, PropertyIter,
};
pub use qos::QoS;
pub use reason::ReasonCode;
pub use rule::Rule;
pub use string::{TopicName, Utf8String};
pub use version::ProtocolVersion;

/// What an acknowledgement names its packet by: not zero (section 2.2.1).
pub type PacketIdentifier = core::num::NonZeroU16;
