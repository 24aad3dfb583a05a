//! Packets to and from bytes, and the protocol state of one connection, without I/O.
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

mod error;
mod limits;
mod packet;
mod property;
mod qos;
mod reason;
mod rule;
pub mod topic;
mod version;
mod wire;

pub use error::{DecodeError, EncodeError, PropertyError};
pub use limits::Limits;
pub use packet::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketSet, PacketType, Publish,
    ReasonCodes, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    Subscriptions, TopicFilters, UnsubAck, Unsubscribe, Will, decode, needed,
};
pub use property::{
    Properties, PropertiesBuf, PropertiesBuilder, Property, PropertyIdentifier, PropertyIter,
};
pub use qos::QoS;
pub use reason::ReasonCode;
pub use rule::Rule;
pub use version::ProtocolVersion;

/// What an acknowledgement names its packet by: not zero (section 2.2.1).
pub type PacketIdentifier = core::num::NonZeroU16;
