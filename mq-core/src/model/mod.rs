//! The model: everything that two connections share.
//!
//! It knows no codec, no front end and no byte of a connection.

mod connection;
pub(crate) mod exchange;
pub(crate) mod message;
pub(crate) mod queue;
pub(crate) mod refusal;
pub(crate) mod session;
mod statistics;
pub(crate) mod topic;
pub(crate) mod vhost;

pub use connection::ConnectionId;
pub use statistics::Statistics;
