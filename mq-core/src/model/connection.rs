//! The name of a connection.

/// Names one connection. The embedder chooses it, and never the same again
/// during the broker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);
