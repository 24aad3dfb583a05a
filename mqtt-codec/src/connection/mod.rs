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

mod accept;
mod alias;
mod answer_queue;
mod authentication;
mod by_identifier;
mod config;
#[expect(clippy::module_inception, reason = "the type that the module is about")]
mod connection;
mod core;
mod error;
mod event;
mod in_flight;
mod kept;
mod message;
mod peer_limits;
mod read_buffer;
mod receive;
mod role;
mod send;
mod session;
mod timer;
mod transmit;

pub use accept::Accept;
pub use alias::TopicAliasPolicy;
pub use config::{Acknowledgements, ClientConfig, Handshakes, ServerConfig};
pub use connection::{ClientConnection, Connection, ServerConnection};
pub use error::{ConnectionError, SendError};
pub use event::{ClientEvent, InboundPublish, ResolvedTopicName, ServerEvent};
pub use message::{Message, MessageBuf, Payload};
pub use peer_limits::PeerLimits;
pub use read_buffer::{Input, ReadBuffer};
pub use role::{Client, Role, Server};
pub use session::{InFlight, Received, Session};
pub use timer::Reading;

const _: () = {
    const fn is_send_and_debug<T: Send + ::core::fmt::Debug>() {}
    is_send_and_debug::<ClientConnection>();
    is_send_and_debug::<ServerConnection>();
    is_send_and_debug::<ReadBuffer>();
    is_send_and_debug::<Session>();
};
