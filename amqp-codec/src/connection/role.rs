//! The two ends of a connection.

use core::fmt::Debug;
use core::time::Duration;

use super::core::{Core, Incoming};
use super::{Connection, ConnectionError};
use crate::Method;
use crate::method::connection;

/// One of the two ends of a connection: [`Client`] or [`Server`], and no other.
pub trait Role: sealed::Sealed + Debug + Sized + 'static {
    /// What it is configured with.
    type Config: Clone + Debug;
    /// What it learns of its peer.
    type Event<'a>: Clone + Debug + PartialEq;

    /// What it keeps beside what both roles keep.
    #[doc(hidden)]
    type State: Send + Sync;
    /// What it keeps of a channel beside what both roles keep.
    #[doc(hidden)]
    type Channel: Default + Send + Sync;

    /// What both roles keep, and what this one does, before anything was received.
    #[doc(hidden)]
    fn begin(now: Duration, config: Self::Config) -> (Core<Self::Channel>, Self::State);

    /// Looks for the protocol header. Returns whether the frames begin.
    #[doc(hidden)]
    fn protocol_header(
        connection: &mut Connection<Self>,
        input: &mut &[u8],
    ) -> Result<bool, ConnectionError>;

    /// Acts on a method of the handshake.
    #[doc(hidden)]
    fn handshake<'a>(
        connection: &mut Connection<Self>,
        now: Duration,
        method: Method<'a>,
    ) -> Result<Option<Self::Event<'a>>, ConnectionError>;

    /// An event that is left of the frame before.
    #[doc(hidden)]
    fn pending<'a>(connection: &mut Connection<Self>) -> Option<Self::Event<'a>>;

    /// Acts on a frame of an open connection.
    #[doc(hidden)]
    fn act<'a>(
        connection: &mut Connection<Self>,
        incoming: Incoming<'a>,
    ) -> Result<Option<Self::Event<'a>>, ConnectionError>;

    /// The peer has closed the connection, and was answered.
    #[doc(hidden)]
    fn closed(close: connection::Close<'_>) -> Self::Event<'_>;

    /// The peer has answered our connection.close.
    #[doc(hidden)]
    fn close_ok<'a>() -> Self::Event<'a>;
}

/// The end that opens the connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Client {}

/// The end that accepts the connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Server {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Client {}
    impl Sealed for super::Server {}
}
