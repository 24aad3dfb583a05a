//! The two ends of a connection.

use core::fmt;
use core::time::Duration;

use super::Connection;
use crate::ConnectionError;

/// One of the two ends of a connection: [`Client`] or [`Server`], and no other.
pub trait Role: sealed::Sealed + fmt::Debug + Sized + 'static {
    /// What it is configured with.
    type Config: fmt::Debug;
    /// What it learns of its peer.
    type Event<'a>: fmt::Debug;

    /// What it keeps beside what both roles keep.
    #[doc(hidden)]
    type State: fmt::Debug + Default;

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
    fn receive_eof(connection: &mut Connection<Self>);

    /// Ends the connection for what the peer did, or did not do in time.
    #[doc(hidden)]
    fn fail(connection: &mut Connection<Self>, error: ConnectionError) -> ConnectionError;
}

/// The role that opens the connection.
#[derive(Clone, Copy, Debug)]
pub enum Client {}

/// The role that accepts the connection.
#[derive(Clone, Copy, Debug)]
pub enum Server {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Client {}
    impl Sealed for super::Server {}
}
