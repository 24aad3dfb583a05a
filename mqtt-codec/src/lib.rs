//! MQTT 3.1, 3.1.1 and 5.0 for any runtime or none, for clients and for servers: packets
//! to and from bytes, and the protocol state of one connection, without I/O.
//!
//! # Packets
//!
//! [`decode`] takes a packet from the front of a buffer. It borrows from the buffer and
//! neither copies nor allocates. It is strict: what the specification does not allow is
//! refused, and the [`DecodeError`] tells the byte, the normative statement that was
//! broken, and the reason code to answer with. [`Packet::encode`] appends a packet to
//! anything that is a [`BufMut`](bytes::BufMut). The version is an argument of both:
//! CONNECT tells it for the rest of the connection. What a packet is made of, a
//! [`TopicName`], a [`Utf8String`] or [`Properties`], is checked where it is made or
//! decoded, and not again where it is encoded. A [`PacketBuf`] is a packet that lives on.
//!
//! ```
//! use mqtt_codec::{Limits, Packet, ProtocolVersion, Publish, TopicName, decode};
//!
//! let version = ProtocolVersion::V5_0;
//! let publish = Publish::new(TopicName::new("station/12")?, b"21.5");
//! let mut wire = Vec::new();
//! Packet::Publish(publish).encode(version, &mut wire)?;
//!
//! let Some((packet, length)) = decode(&wire, version, &Limits::default())? else {
//!     panic!("more bytes are needed");
//! };
//! assert_eq!(length, wire.len());
//! assert_eq!(packet, Packet::Publish(publish));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Connections
//!
//! [`ClientConnection`] and [`ServerConnection`] keep the protocol's state for one network
//! connection. **The drive contract**: give what the socket brought to `receive`, with the
//! time, until it returns `Ok(None)`; what it leaves of the input is the beginning of a
//! packet, to be kept and presented again in front of the bytes that come next. Each event
//! borrows from the input and not from the connection, so that it may be answered while it
//! is looked at. To hold the peer back, stop calling, and stop reading from the socket: as
//! long as CONNECT waits for its answer, and as long as much waits to be sent
//! (`transmit_len`). What a peer sends has to be answered, and the answers pile up for one
//! that does not read them. After anything that was called, write what `poll_transmit`
//! gives to the socket, and set a timer to `poll_timeout`; when it goes off, call
//! `handle_timeout`. When the socket ends, call `receive_eof`. When
//! `is_closed` says so, or an error was returned, write what `poll_transmit` still has, and
//! close. Time is a [`Duration`](core::time::Duration) since an origin of your choice.
//!
//! ```
//! use core::time::Duration;
//! use mqtt_codec::connection::{
//!     Accept, ClientConfig, ClientConnection, ClientEvent, ConnectionError, Message,
//!     ServerConfig, ServerConnection, ServerEvent, Session,
//! };
//! use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};
//!
//! /// Takes what the socket has brought, and answers it; `buffer` keeps what is incomplete.
//! fn drive(
//!     server: &mut ServerConnection,
//!     now: Duration,
//!     buffer: &mut Vec<u8>,
//!     received: &mut Vec<Message>,
//! ) -> Result<(), ConnectionError> {
//!     let mut input = &buffer[..];
//!     while let Some(event) = server.receive(now, &mut input)? {
//!         match event {
//!             ServerEvent::Connect(connect) => {
//!                 let answer = if connect.user_name.is_some_and(|name| name == "alice") {
//!                     server.accept(now, &Accept::default(), Session::new())
//!                 } else {
//!                     server.reject(ReasonCode::NotAuthorized, Properties::EMPTY)
//!                 };
//!                 answer.expect("CONNECT waits for it");
//!             }
//!             ServerEvent::Publish(publish) => {
//!                 received.extend(publish.to_message());
//!                 if let Some(identifier) = publish.packet_identifier {
//!                     server
//!                         .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
//!                         .expect("the message waits for it");
//!                 }
//!             }
//!             ServerEvent::Subscribe(subscribe) => {
//!                 let granted: Vec<_> = subscribe
//!                     .subscriptions
//!                     .iter()
//!                     .map(|subscription| ReasonCode::granted(subscription.options.maximum_qos))
//!                     .collect();
//!                 server
//!                     .suback(subscribe.packet_identifier, &granted, Properties::EMPTY)
//!                     .expect("SUBSCRIBE waits for it");
//!             }
//!             _ => {}
//!         }
//!     }
//!     let taken = buffer.len() - input.len();
//!     buffer.drain(..taken);
//!     Ok(())
//! }
//!
//! let now = Duration::ZERO;
//! let mut client = ClientConnection::new(now, ClientConfig::default());
//! let mut server = ServerConnection::new(now, ServerConfig::default());
//!
//! let connect = Connect {
//!     user_name: Some("alice".try_into()?),
//!     ..Connect::clean(ProtocolVersion::V5_0, "station-12".try_into()?)
//! };
//! client.connect(now, &connect, Session::new())?;
//!
//! // The two are joined by memory in place of sockets.
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//! let mut received = Vec::new();
//! client.poll_transmit(&mut to_server);
//! drive(&mut server, now, &mut to_server, &mut received)?;
//! server.poll_transmit(&mut to_client);
//!
//! let mut input = &to_client[..];
//! let event = client.receive(now, &mut input)?;
//! assert!(matches!(event, Some(ClientEvent::ConnAck(connack)) if !connack.reason_code.is_error()));
//!
//! client.subscribe(&[Subscription::new("station/+", QoS::AtLeastOnce)], Properties::EMPTY)?;
//! client.publish(&Message::new("station/12", "21.5", QoS::ExactlyOnce))?;
//! client.poll_transmit(&mut to_server);
//! drive(&mut server, now, &mut to_server, &mut received)?;
//! assert_eq!(received, [Message::new("station/12", "21.5", QoS::ExactlyOnce)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Clients over std's sockets, tokio, smol and mio, and a server in a hundred lines, are in
//! the crate's `examples`.
//!
//! # Large messages
//!
//! A message is an event once all of it has come, and its bytes are kept in the embedder's
//! buffer until then. A PUBLISH over [`Limits::assembled_size`] is handed out in parts that
//! borrow from the input: first the event of the message, whose
//! [`is_whole`](connection::InboundPublish::is_whole) is false, then a `Payload` for each
//! part, until none of it remains. A buffer never holds more than that limit, or the
//! variable header, and one read.
//!
//! Nothing takes such a message for a whole one: its `payload` is empty, its `to_message`
//! is `None`, and it cannot be acknowledged with success before the last part has come. A
//! session does not know of it before either: what is cut off by the end of the network
//! connection is sent, and handed out, again. It can be refused at any part, and what is
//! left of it is then passed over.
//!
//! What stands before the payload is always in one piece. A peer that fills more than
//! [`Limits::variable_header_size`] with properties has broken no rule, but this side's
//! limit: the connection ends with Quota exceeded (0x97), as soon as the lengths tell.
//!
//! ```
//! # use core::time::Duration;
//! # use mqtt_codec::connection::*;
//! # use mqtt_codec::{Packet, Properties, ReasonCode};
//! # fn f(server: &mut ServerConnection, now: Duration, input: &mut &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! // The server has `limits.assembled_size = 4096`.
//! # let mut file = Vec::new();
//! # let mut unacknowledged = None;
//! while let Some(event) = server.receive(now, input)? {
//!     match event {
//!         ServerEvent::Publish(publish) if !publish.is_whole() => {
//!             println!("{} bytes for {}", publish.payload_length(), publish.topic_name);
//!             unacknowledged = publish.packet_identifier;
//!         }
//!         ServerEvent::Payload { part, remaining } => {
//!             file.extend_from_slice(part);
//!             if remaining == 0
//!                 && let Some(identifier) = unacknowledged.take()
//!             {
//!                 server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)?;
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Requirements
//!
//! [`requirements`] tells of each normative statement of MQTT 5.0 and 3.1.1 which place of
//! this crate keeps it and which test shows it, or whose it is to keep.
//!
//! # Bounds
//!
//! Nothing that a peer sends makes this crate panic or allocate in proportion to a length
//! that is only claimed. What is accepted is bounded by [`Limits`], what is kept of it by
//! the 65,535 packet identifiers, and what waits to be sent by when the embedder calls
//! `receive` and `publish`. The crate is `no_std` with `alloc` when its `std` feature, on
//! by default, is off.
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
mod string;
pub mod topic;
mod version;
mod wire;

pub use connection::{ClientConnection, ServerConnection};
pub use error::{DecodeError, EncodeError, PropertyError, StringError};
pub use limits::Limits;
pub use packet::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketBuf, PacketSet, PacketType,
    Publish, ReasonCodes, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    Subscriptions, TopicFilters, UnsubAck, Unsubscribe, Will, decode, needed,
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
