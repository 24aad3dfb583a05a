//! The protocol state of one connection, without I/O.
//!
//! [`ClientConnection`] and [`ServerConnection`] are the two ends of a [`Connection`], and are
//! driven alike: see [the drive contract](crate#the-drive-contract). What the protocol
//! answers automatically they answer: PINGREQ, PUBREC, PUBREL, a QoS 2 message that comes
//! again. Where the embedder has to do its work first there is an event, and a method for
//! the answer; with [`Handshakes::Manual`] also for PUBREL and PUBCOMP.
//!
//! [`Session`] is what outlives the network connection. It goes in with
//! [`Connection::<Server>::accept`] and [`Connection::<Client>::connect`], and comes out of
//! [`Connection::into_session`] when the connection is over, to be kept in memory or, taken
//! apart, on disk. What is not settled in it is sent again, in its order.

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

// Numbers that stand for topic names, in 5.0 (section 3.3.2.3.4).
mod alias;
// Acknowledgements that leave in the order of their messages (MQTT-4.6.0-2).
mod answer_queue;
// An authentication of many steps, and another one while the connection is open (section 4.12).
mod authentication;
// What has a packet identifier, of which there are 65,535 (section 2.2.1).
mod by_identifier;
// What was sent and waits for its acknowledgement, with QoS 1 and 2 (section 4.3).
mod in_flight;
// An application message: both ends send and receive the same PUBLISH (section 3.3).
mod message;
// Bytes of messages that are in flight: they may have to be sent again (section 4.4).
mod message_store;
// What the peer accepts, as CONNECT and CONNACK say (sections 3.1.2.11 and 3.2.2.3).
mod peer_limits;
// What outlives the network connection (section 4.1).
mod session;

pub use alias::TopicAliasPolicy;
pub use config::{Acknowledgements, ClientConfig, Handshakes, ServerConfig};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use error::{ConnectionError, SendError};
pub use event::{ClientEvent, InboundPublish, ResolvedTopicName, ServerEvent};
pub use idle::IdleConnection;
pub use message::{Message, MessageBuf, Payload};
pub use peer_limits::PeerLimits;
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use send::Accept;
pub use session::{InFlight, Received, Session};
pub use timer::Reading;

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
    is_send_and_debug::<Session>();
};
