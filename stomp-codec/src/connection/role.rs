//! The two ends of a connection.

use core::fmt::Debug;
use core::time::Duration;

use super::Connection;
use crate::ConnectionError;

/// One of the two ends of a connection: [`Client`] or [`Server`], and no other.
pub trait Role: sealed::Sealed + Debug + Sized + 'static {
    /// What it is configured with.
    type Config: Clone + Debug;
    /// What it learns of its peer.
    type Event<'a>: Clone + Debug + PartialEq;

    /// What it keeps beside what both roles keep.
    #[doc(hidden)]
    type State: Debug + Default;

    /// How long the peer may take for its first frame, if it is to speak first.
    #[doc(hidden)]
    fn peer_begins_within(config: &Self::Config) -> Option<Duration>;

    /// Takes one event's worth of bytes from the front of `input`.
    #[doc(hidden)]
    fn receive<'a>(
        connection: &mut Connection<Self>,
        input: &mut &'a [u8],
    ) -> Result<Option<Self::Event<'a>>, ConnectionError>;

    /// The peer has closed its side after a DISCONNECT or an ERROR.
    #[doc(hidden)]
    fn receive_eof(connection: &mut Connection<Self>) -> Result<(), ConnectionError>;

    /// Ends the connection for what the peer did, or did not do in time.
    #[doc(hidden)]
    fn fail(connection: &mut Connection<Self>, error: ConnectionError) -> ConnectionError;
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
