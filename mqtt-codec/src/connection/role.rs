//! The two ends of a connection.

use core::fmt::Debug;
use core::time::Duration;

use super::core::{Core, Next};
use super::timer::Timer;
use super::{Connection, ConnectionError};

/// One of the two ends of a connection: [`Client`] or [`Server`], and no other.
pub trait Role: sealed::Sealed + Debug + Sized + 'static {
    /// What it is configured with.
    type Config: Clone + Debug;
    /// What it learns of its peer.
    type Event<'a>: Clone + Debug + PartialEq;

    /// What runs while the peer may not be silent for ever.
    #[doc(hidden)]
    const SILENCE: Timer;

    /// What both roles keep, before anything was sent or received.
    #[doc(hidden)]
    fn begin(now: Duration, config: &Self::Config) -> Core;

    /// How long the peer may be silent then.
    #[doc(hidden)]
    fn patience(connection: &Connection<Self>) -> Duration;

    /// Takes a packet, or a part of one, from the front of `input`.
    #[doc(hidden)]
    fn next<'a>(
        connection: &mut Connection<Self>,
        input: &mut &'a [u8],
    ) -> Result<Next<Self::Event<'a>>, ConnectionError>;

    /// Queues what the protocol has to say of an error that ends the connection.
    #[doc(hidden)]
    fn say_goodbye(connection: &mut Connection<Self>, error: ConnectionError);
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
