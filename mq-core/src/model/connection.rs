//! The name of a connection.

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
