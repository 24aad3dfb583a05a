//! The two ends of a connection.

use core::fmt::Debug;
use core::time::Duration;

use super::core::Core;
use super::receive::Next;
use super::timer::Timer;
use super::{ClientConfig, ClientEvent, Connection, ConnectionError, ServerConfig, ServerEvent};

/// Which end of a connection it is: [`Client`] or [`Server`]. Nothing else can be one.
pub trait Role: Hooks {
    /// How this end behaves.
    type Config: Clone + Debug;
    /// What the peer did.
    type Event<'a>: Debug;
}

/// The client's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {}

/// The server's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Server {}

impl Role for Client {
    type Config = ClientConfig;
    type Event<'a> = ClientEvent<'a>;
}

impl Role for Server {
    type Config = ServerConfig;
    type Event<'a> = ServerEvent<'a>;
}

/// What a role does in the drive methods that both share.
pub trait Hooks: Sized + 'static {
    /// What both roles share, before anything was sent or received.
    fn begin(now: Duration, config: &Self::Config) -> Core
    where
        Self: Role;

    /// What runs while the peer may not be silent for ever.
    const SILENCE: Timer;

    /// How long the peer may be silent then.
    fn patience(connection: &Connection<Self>) -> Duration
    where
        Self: Role;

    /// Takes a packet, or a part of one, from the front of `input`.
    fn next<'a>(
        connection: &mut Connection<Self>,
        input: &mut &'a [u8],
    ) -> Result<Next<Self::Event<'a>>, ConnectionError>
    where
        Self: Role;

    /// Queues what the protocol has to say of an error that ends the connection.
    fn say_goodbye(connection: &mut Connection<Self>, error: ConnectionError)
    where
        Self: Role;
}
