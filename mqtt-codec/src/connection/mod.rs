//! The protocol state of one connection, without I/O.
//!
//! [`ClientConnection`] and [`ServerConnection`] are driven alike, by the contract that
//! the [crate's page](crate) tells and shows. What the protocol answers by itself they
//! answer by themselves: PINGREQ, PUBREC, PUBREL, a QoS 2 message that comes again. Where
//! the embedder has to do its work first there is an event, and a method for the answer.
//!
//! An error is final. The protocol's own goodbye, CONNACK or DISCONNECT with a reason
//! code, still comes out of `poll_transmit`; 3.x has none but for a refused CONNECT.
//!
//! [`Session`] is what outlives the network connection. It goes in with
//! [`ServerConnection::accept`] and [`ClientConnection::connect`], and comes out of
//! `into_session` when the connection is over, to be kept in memory or, taken apart, on
//! disk. What is not settled in it is sent again, in its order.

mod accept;
mod alias;
mod authentication;
mod client;
mod error;
mod exchange;
mod identifiers;
mod inbound;
mod message;
mod outbound;
mod parts;
mod server;
mod session;
mod transmit;

pub use accept::{Accept, ServerConfig};
pub use alias::TopicAliasPolicy;
pub use client::{Acknowledgements, ClientConfig, ClientConnection, ClientEvent};
pub use error::{ConnectionError, SendError};
pub use exchange::PeerLimits;
pub use message::{InboundPublish, Message, ResolvedTopicName};
pub use server::{ServerConnection, ServerEvent};
pub use session::{InFlight, Received, Session};
