//! How much one call does before it leaves the rest for later.

/// Steps that one connection's input may take before others have their turn, and that one call
/// does at most of each kind of work: about a hundred microseconds. What a single event moves
/// is not divided, and comes on top.
///
/// What is said to a connection in one turn leaves in one piece, so a shorter turn costs more
/// where a message goes to many.
pub(super) const TURN: u64 = 1_000;

/// What one stage of a message's way does for one connection, before the next stage follows: so
/// many events that are received, or messages that are said. What decodes a message, routes it and
/// encodes it again is more than a processor's cache for instructions holds, so the same code
/// runs for several of them. Each is in memory meanwhile: many more would have an allocator go
/// beyond the few blocks of a size that it has at hand.
pub(super) const ROW: usize = 8;

/// Bytes after which a row of events ends: as many as one read brings.
pub(super) const ROW_BYTES: usize = 64 * 1024;

/// Timers that one call serves.
pub(super) const TIMERS: usize = 256;
