//! The name of a connection, and whether it takes deliveries.

use crate::number_map::Number;

/// Names one connection. The embedder chooses it, and never the same again
/// during the broker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl Number for ConnectionId {
    fn number(self) -> u64 {
        self.0
    }

    fn of(number: u64) -> Self {
        Self(number)
    }
}

/// Whether a connection takes deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// It does.
    Open,
    /// Not now: what is for it waits.
    Held,
    /// Not now: what its MQTT session is to get with QoS 0 is dropped, and the rest waits.
    Lossy,
}
